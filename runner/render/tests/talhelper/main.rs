//! Generated talconfigs, each rendered natively and by the real talhelper:
//! the configs must be equal, document for document.
//!
//! `OPS_TALHELPER` names talhelper (`tests/tools/build --talhelper` makes it),
//! `OPS_PATCH_ORACLE` the oracle that makes the bases; without them the test
//! says so and is skipped, except in CI. `OPS_TALCONFIGS` may name a folder of
//! real talconfigs, which are then compared too.

#![allow(clippy::unwrap_used, clippy::print_stderr)]
#![expect(clippy::disallowed_methods, reason = "a test starts talhelper and asks where it is")]

mod generate;
mod real;
mod templates;
mod tools;

use std::collections::BTreeSet;
use std::{env, fs};

use ops_render::Source;
use ops_render::talconfig::{Schema, Variables};
use proptest::collection::vec;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use tools::{Compared, Tools};

/// What the generated talconfigs name with `@`, and their variables.
const FILES: &[(&str, &str)] = &[
    ("file.txt", "from a file\n${NAME}\n"),
    ("line.txt", "KEY=${NAME}\n"),
    ("lines.txt", "A=1\nB=${NAME}\n"),
    ("anchors.yaml", "# kept\na: &a 1\nb: *a\n"),
    (
        "manifests.yaml",
        "# Source: ${NONE}\n---\napiVersion: v1 # ${NONE}\nkind: \"ConfigMap\"\ndata:\n- a\n-   b: 1\n    c: [x,  'y:z', {z: 1}]\n- - d\n  - ${NAME}\nempty: {}\nnone:\nlit: |\n  a\n   # b\n\nfold: >\n  a\n  b\n\n  c\nstrip: |-\n  x\nkeep: |+\n  x\n\nq: 'it''s'\nd: \"a\\tb\\n\"\nmulti: a\n  b\nsingle: 'a\n\n  b'\n---\n# only\n---\nx: 1\n",
    ),
    ("manifest-raw.yaml", "# ${NONE}\nkind: Namespace # kept\n"),
    (
        "patch.yaml",
        "# ${NONE}\nmachine: # ${NONE}\n  env:\n    A: ${NAME} # ${NONE}\n    B: 'a # b'\n",
    ),
    ("empty.yaml", "\n"),
    ("patch-raw.yaml", "machine:\n  env:\n    RAW: ${NONE} {{ none }}\n"),
    (
        "template.yaml",
        "machine:\n  env:\n    IMAGE: \"{{ .MachineConfig.MachineInstall.InstallImage }}\"\n{{- if ne .MachineConfig.MachineType \"worker\" }}\n    ROLE: cp-${NAME}\n{{- else }}\n    ROLE: w-${NAME}\n{{- end }}\n",
    ),
    (
        "manifest.yaml",
        "apiVersion: v1alpha1\nkind: KmsgLogConfig\nname: '{{ .MachineConfig.MachineType }}'\nurl: tcp://10.0.0.1:9/\n",
    ),
];

fn variables() -> Variables {
    let pairs = [("NAME", "value"), ("LIST", "[a, b]"), ("SANS", "[s.example, '10.8.8.8']")];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn compare(tools: &mut Tools, text: &str) -> Result<Compared, TestCaseError> {
    let folder = tools.folder.clone();
    let file = folder.join("talconfig.yaml");
    fs::write(&file, text).unwrap();
    let read = |name: &str| fs::read(folder.join(name)).map_err(|error| error.to_string());
    tools
        .compare(&file, text, &variables(), &read)
        .map_err(|why| TestCaseError::fail(format!("{text}\n{why}")))
}

#[test]
fn generated_talconfigs_are_rendered_like_talhelper() {
    let Some(mut tools) = Tools::find("generated") else { return };
    for (name, content) in FILES {
        fs::write(tools.folder.join(name), content).unwrap();
    }
    let mut refused = Vec::new();
    for text in generate::each_alone() {
        match compare(&mut tools, &text) {
            Ok(Compared::Equal) => {}
            Ok(Compared::BothRefuse(why)) => refused.push(format!("{text}=> both: {why}")),
            Ok(Compared::TalhelperRefuses(why) | Compared::UnknownKeys(why)) => {
                refused.push(format!("{text}=> one: {why}"));
            }
            Err(why) => panic!("{why}"),
        }
    }
    let alone = generate::each_alone().len() - refused.len();
    let wanted = env::var("OPS_TALHELPER_CASES").map_or(200, |count| count.parse().unwrap());
    let config = Config { cases: wanted * 4, failure_persistence: None, ..Config::default() };
    let (tools, count) = (std::cell::RefCell::new(tools), std::cell::Cell::new((0u32, 0u32)));
    let result = TestRunner::new(config).run(&vec(proptest::num::u16::ANY, 0..60), |tape| {
        let (equal, both) = count.get();
        if equal >= wanted {
            return Ok(());
        }
        match compare(&mut tools.borrow_mut(), &generate::talconfig(&tape))? {
            Compared::Equal => count.set((equal + 1, both)),
            _ => count.set((equal, both + 1)),
        }
        Ok(())
    });
    if let Err(proptest::test_runner::TestError::Fail(why, _)) = &result {
        panic!("{why}");
    }
    result.unwrap();
    let (equal, unequal) = count.get();
    if env::var_os("OPS_TALHELPER_SHOW").is_some() {
        for text in &refused {
            eprintln!("REFUSED {text}");
        }
    }
    eprintln!(
        "{equal} generated talconfigs and {alone} of one setting equal; talhelper refuses {unequal} and {}",
        refused.len()
    );
    assert!(equal >= wanted, "only {equal} of {wanted} were compared");
}

#[test]
fn the_generator_knows_every_key_of_the_schema() {
    let schema = Schema::load().unwrap();
    let mut known = BTreeSet::new();
    for text in generate::each_alone() {
        let source = Source { name: "talconfig.yaml", bytes: text.as_bytes() };
        known.extend(schema.keys_in(source).unwrap());
    }
    let missing: Vec<String> =
        schema.keys().into_iter().filter(|key| !known.contains(key)).collect();
    assert_eq!(missing, Vec::<String>::new());
}
