//! `ops patch` through the real binary: the text that talosctl gives, a file or nothing at all.

use crate::space::Space;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/runner/render/tests/cases");

fn case(name: &str) -> Space {
    let space = Space::new();
    for file in ["config.yaml", "patch.yaml"] {
        let text = std::fs::read_to_string(format!("{CASES}/{name}/{file}")).unwrap();
        space.write(file, &text);
    }
    space
}

#[test]
fn a_patched_config_is_what_talosctl_gives() {
    let space = case("002-map-merge");
    let ran = space.run(["patch", "config.yaml", "--patch", "@patch.yaml"]).exit(0);
    let expected = std::fs::read_to_string(format!("{CASES}/002-map-merge/expected.yaml")).unwrap();
    assert_eq!(ran.stdout(), expected);
}

#[test]
fn an_output_file_is_written_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let space = case("002-map-merge");
    let _ = space.run(["patch", "config.yaml", "-p", "@patch.yaml", "-o", "out.yaml"]).exit(0);
    let mode = std::fs::metadata(space.path("out.yaml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_refused_patch_writes_nothing_and_says_where() {
    let space = case("038-unknown-key-rejected");
    let ran = space.run(["patch", "config.yaml", "-p", "@patch.yaml", "-o", "out.yaml"]).exit(2);
    assert!(ran.stderr().contains("patch.yaml:"), "{}", ran.all());
    assert!(!space.path("out.yaml").exists());
}
