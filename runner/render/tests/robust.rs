//! Whatever the bytes, patching answers; it does not panic.

#![allow(clippy::unwrap_used)]

use std::sync::LazyLock;

use ops_render::{Patch, Profile, Scalar, Source, edit, patch};
use proptest::prelude::*;

/// Words that make YAML of some sort out of chance.
const WORDS: &[&str] = &[
    "machine:",
    "cluster:",
    " ",
    "\n",
    "\n  ",
    "\n    ",
    "- ",
    "type: worker",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a",
    "$patch: delete",
    "kind: UserVolumeConfig",
    "apiVersion: v1alpha1",
    "\n---\n",
    "name: x",
    "#",
    "\"",
    "'",
    "|",
    ">",
    "!!binary ",
    "<<: ",
    "? ",
    ": ",
    "\t",
    "op: add",
    "path: /machine/a/-1",
    "value: 1",
    "%YAML 1.1\n",
    "network:",
    "interfaces:",
    "interface: eth0",
    "\u{feff}",
    "\u{1f600}",
    "...",
    "provisioning:",
    "minSize: 1GB",
    "extraArgs:",
    "files:",
    "permissions: 0o644",
    "\r\n",
    "null",
    "~",
    "ca: {crt: YQ==}",
    "endpoint: https://a",
];

const PATHS: &[&str] = &[
    "machine",
    "cluster",
    "[0]",
    "machine.network",
    "name",
    "interfaces[interface=eth0]",
    "files[0]",
];

static PROFILE: LazyLock<Profile> = LazyLock::new(|| Profile::load("1.13.0").unwrap());

fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(0..WORDS.len(), 0..40)
        .prop_map(|words| words.into_iter().map(|at| WORDS[at]).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn words_at_random_are_answered(config in text(), patches in proptest::collection::vec(text(), 0..3)) {
        let patches: Vec<Patch> = patches
            .iter()
            .filter_map(|text| Patch::from_source(Source { name: "p", bytes: text.as_bytes() }, &PROFILE).ok())
            .collect();
        let _ = patch(Source { name: "c", bytes: config.as_bytes() }, &patches, &PROFILE);
    }

    #[test]
    fn edits_of_words_at_random_are_answered(file in text(), at in 0..PATHS.len(), value in text()) {
        let source = Source { name: "f", bytes: file.as_bytes() };
        if let Ok(edited) = edit(source, PATHS[at], &Scalar::Text(value.clone())) {
            let again = Source { name: "f", bytes: edited.text.as_bytes() };
            prop_assert!(!edit(again, PATHS[at], &Scalar::Text(value)).unwrap().changed);
        }
    }

    #[test]
    fn bytes_at_random_are_answered(config in any::<Vec<u8>>(), text in any::<Vec<u8>>()) {
        if let Ok(one) = Patch::from_source(Source { name: "p", bytes: &text }, &PROFILE) {
            let _ = patch(Source { name: "c", bytes: &config }, &[one], &PROFILE);
        }
    }
}

/// What is looked up around each value must not be counted from the start each time.
#[test]
fn large_texts_on_one_line_are_read_in_time_that_grows_with_them() {
    let profile = Profile::load("1.13.0").unwrap();
    let item = "{\"ä\\\\/\": &a [x, ~], b: *a, d: \"\\\\\\\\\", c: !!str 1}, ";
    let text = format!("{{machine: {{certSANs: [{}a]}}}}", item.repeat(5_000));
    let began = std::time::Instant::now();
    let _ = Patch::from_source(Source { name: "p.yaml", bytes: text.as_bytes() }, &profile);
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
}
