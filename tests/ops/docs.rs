//! The documents agree with the code.

use ops_core::error::Code;

#[test]
fn every_error_code_stands_in_the_documents_with_its_exit_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors.md");
    let text = std::fs::read_to_string(path).expect("docs/errors.md");
    let row = |c: &Code| format!("| {c} | {} | {} |\n", c.exit.code(), c.meaning);
    let table = Code::ALL.iter().map(row).collect::<Vec<_>>().concat();
    let expected = format!("| code | exit | meaning |\n|---|---|---|\n{table}");
    assert!(text.contains(&expected), "docs/errors.md lacks this table:\n{expected}");
}
