//! The documents agree with the code: tables, lists of recipes, and the files that they name.

use std::collections::BTreeSet;
use std::path::Path;

use ops_core::call::CallInfo;
use ops_core::call::table::INFOS;
use ops_core::effect::Effect;
use ops_core::error::Code;

use crate::space::Space;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn document(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// A table of three columns.
fn table(head: &str, rows: impl Iterator<Item = String>) -> String {
    let lines: Vec<String> =
        [head.to_owned(), "|---|---|---|".to_owned()].into_iter().chain(rows).collect();
    lines.join("\n")
}

#[test]
fn every_error_code_stands_in_the_documents_with_its_exit_code() {
    let text = document("docs/errors.md");
    let row = |c: &Code| format!("| {c} | {} | {} |", c.exit.code(), c.meaning);
    let expected = table("| code | exit | meaning |", Code::ALL.iter().map(row));
    assert!(text.contains(&expected), "docs/errors.md lacks this table:\n{expected}");
}

fn word(effect: Effect) -> String {
    serde_json::to_value(effect).expect("a word").as_str().expect("a text").to_owned()
}

#[test]
fn every_host_call_stands_in_the_guide_with_its_effect() {
    let row = |c: &CallInfo| format!("| `{}` | {} | {} |", c.name, word(c.effect), c.summary);
    let expected = table("| call | effect | what |", INFOS.iter().map(row));
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
const MADE: [&str; 16] = [
    "op://",
    "talos/",
    "all/",
    "control-plane/",
    "worker/",
    "node/",
    "clusters/",
    "recipes/hello/world.lua",
    "recipes/db/backup.lua",
    "lua-lib/checks/cidr.lua",
    "clusterconfig/",
    "ops.toml",
    ".ops/",
    "~/",
    "apps/",
    "bootstrap/talos/patches/",
];

/// Whether a word in backticks is the path of a file or folder.
fn is_path(word: &str) -> bool {
    let endings = ["md", "lua", "rs", "toml"];
    let file = Path::new(word).extension().is_some_and(|e| endings.iter().any(|known| e == *known));
    (file || word.contains('/')) && !word.contains([' ', '$', '<', '(', '*', '='])
}

#[test]
fn every_file_that_a_document_names_is_there() {
    let documents = [
        "README.md",
        "docs/guide.md",
        "docs/recipes.md",
        "docs/architecture.md",
        "examples/home/README.md",
        "examples/talconfig/README.md",
    ];
    for name in documents {
        let text = document(name);
        let outside = text.split("```").step_by(2).flat_map(str::lines);
        let prose = outside.filter(|line| !line.starts_with("    "));
        let words = prose.flat_map(|line| line.split('`').skip(1).step_by(2));
        for word in words.filter(|word| is_path(word)) {
            // The code map leaves out what all of a crate's paths have in common.
            let code = word.replacen("core/", "runner/core/src/", 1);
            let places = ["", "runner", "runner/engine", "examples/home", "examples/talconfig"];
            let there = places.iter().any(|place| root().join(place).join(word).exists());
            let made = word.contains("NAME") || MADE.iter().any(|made| word.starts_with(made));
            assert!(there || made || root().join(code).exists(), "{name} names `{word}`");
        }
    }
}
