//! The documents agree with the code: tables, lists of recipes, and the files that they name.

use std::collections::BTreeSet;
use std::path::Path;

use ops_core::call::table::INFOS;
use ops_core::error::Code;

use crate::space::Space;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn document(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

#[test]
fn every_error_code_stands_in_the_documents_with_its_exit_code() {
    let text = document("docs/errors.md");
    let table: String =
        Code::ALL.iter().map(|c| format!("| {c} | {} | {} |\n", c.exit.code(), c.meaning)).collect();
    let expected = format!("| code | exit | meaning |\n|---|---|---|\n{table}");
    assert!(text.contains(&expected), "docs/errors.md lacks this table:\n{expected}");
}

#[test]
fn every_host_call_stands_in_the_guide_with_its_effect() {
    let table: String = INFOS
        .iter()
        .map(|c| format!("| `{}` | {} | {} |\n", c.name, c.effect.word(), c.summary))
        .collect();
    let expected = format!("| call | effect | what |\n|---|---|---|\n{table}");
    assert!(document("docs/guide.md").contains(&expected), "docs/guide.md lacks:\n{expected}");
}

#[test]
fn every_shipped_recipe_stands_in_the_list_and_no_other() {
    let listed = Space::new().run(["list", "--json"]).exit(0).stdout();
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    let shipped: BTreeSet<String> = listed["recipes"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|r| {
            let mark = if r["destructive"] == true { " | D |" } else { "" };
            format!("{}{mark}", r["name"].as_str().expect("a name"))
        })
        .collect();
    let told: BTreeSet<String> = document("docs/recipes.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, rest)| {
            let mark = if rest.starts_with(" | D |") { " | D |" } else { "" };
            format!("{name}{mark}")
        })
        .collect();
    assert_eq!(told, shipped);
}

/// What a document names and no checkout has: made by `ops`, or by whoever reads it.
const MADE: [&str; 8] = [
    "clusters/",
    "recipes/hello/world.lua",
    "recipes/db/backup.lua",
    "lua-lib/checks/cidr.lua",
    "clusterconfig/",
    "ops.toml",
    ".ops/",
    "~/",
];

#[test]
fn every_file_that_a_document_names_is_there() {
    let places = ["", "runner", "examples/home", "docs"];
    for name in ["README.md", "docs/guide.md", "docs/recipes.md", "docs/architecture.md", "examples/home/README.md"] {
        let text = document(name);
        let prose = text.split("```").step_by(2).flat_map(str::lines).filter(|l| !l.starts_with("    "));
        for span in prose.flat_map(|line| line.split('`').skip(1).step_by(2).collect::<Vec<_>>()) {
            let file = Path::new(span).extension().is_some_and(|e| e == "md" || e == "lua" || e == "rs" || e == "toml");
            let path = (file || span.contains('/')) && !span.contains([' ', '$', '<', '(', '*', '=']);
            let made = MADE.iter().any(|made| span.starts_with(made)) || span.contains("NAME") || span.contains("RUN");
            if path && !(made && !root().join(span).exists()) {
                let there = places.iter().any(|place| root().join(place).join(span).exists());
                assert!(there, "{name} names `{span}`, which is not there");
            }
        }
    }
}
