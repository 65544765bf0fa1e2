//! One value of a file is changed, every other byte stays. The files are put
//! together from pieces as ugly as people write them.

#![allow(clippy::unwrap_used)]

use ops_render::{Scalar, Source, edit};
use proptest::prelude::*;

/// Entries that must come through untouched; `§` stands for a number.
const OTHERS: &[&str] = &[
    "k§: v\n",
    "# a comment: with a colon\n",
    "\n",
    "k§: 'single'   # and a comment\n",
    "k§: \"double \\u00e9\"  \n",
    "k§:\n  - a\n  -   b # c\n\n",
    "k§: |\n  text\n\n  more # no comment\n\n",
    "k§: >-\n    folded\n    text\n",
    "k§: {a: 1, b: [x, y]} # flow\n",
    "k§: &a§ anchored\nr§: *a§\n",
    "k§:\n    deep:\n        deeper: true\n",
    "k§: plain\n  going on\n",
    "k§: \u{e9}t\u{e9} \u{1f600}\n",
    "\"quoted # key\": 1\n",
    "k§: |2-\n    indented\n",
    "k§:\n",
];

/// The entry that is edited: text, and the path to the value.
const TARGETS: &[(&str, &str)] = &[
    ("target: old\n", "target"),
    ("target:   old  \n", "target"),
    ("target: 'it''s old' # why\n", "target"),
    ("target: \"old\" # why\n", "target"),
    ("target: |\n  old\n  lines\n", "target"),
    ("target: |-   # why\n    old\n\n    lines\n", "target"),
    ("target: |+\n  old\n\n", "target"),
    ("target: >\n  old\n  lines\n\n\n", "target"),
    ("target:\n", "target"),
    ("target: # why\n", "target"),
    ("target: ~\n", "target"),
    ("target: !!str old\n", "target"),
    ("target: old\n  going on # why\n", "target"),
    (
        "target:\n  - name: a\n    contents: |\n      old\n  - name: b # why\n    contents: |-\n      other\n",
        "target[name=a].contents",
    ),
    (
        "target:\n- name: a\n  contents: x\n- name: b\n  contents: old # why\n",
        "target[name=b].contents",
    ),
    ("target:\n  - one\n  - old\n  - three\n", "target[1]"),
    ("target: {x: [a, old, c], y: d} # flow\n", "target.x[1]"),
    ("target: [\n  a,\n  old\n]\n", "target[1]"),
    ("target:\n  a.b/c: old\n", "target.\"a.b/c\""),
    ("target:\n    x:\n          y: old\n", "target.x.y"),
];

const VALUES: &[&str] = &[
    "new",
    "",
    "1",
    "true",
    "x: y",
    "a #b",
    "one\ntwo\n",
    "one\ntwo",
    "a\n\n  b\n\nc\n",
    " lead",
    "it's \"both\"",
    "trailing \n",
    "\ttab",
    "two\n\n",
    "\n",
    "cr\r\nlf",
    "a, b]",
    "apiVersion: v1\nkind: X\ndata:\n  a: |\n    b\n",
    "\u{1f600}",
    "---\na",
    "# not a comment\nx\n",
    "{{ t }}",
    "http://x/y?z",
    "- a",
    "&a",
    "*a",
];

fn file() -> impl Strategy<Value = (String, usize, String)> {
    let others = || proptest::collection::vec(0..OTHERS.len(), 0..6);
    (others(), 0..TARGETS.len(), others()).prop_map(|(before, target, after)| {
        let entries = |picked: &[usize], from: usize| -> String {
            let entry = |(at, which): (usize, &usize)| {
                OTHERS[*which].replace('§', &(from + at).to_string())
            };
            let texts: Vec<String> = picked.iter().enumerate().map(entry).collect();
            texts.concat()
        };
        (entries(&before, 0), target, entries(&after, 100))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_other_byte_stays((before, target, after) in file(), value in 0..VALUES.len(), crlf in any::<bool>()) {
        let (entry, path) = TARGETS[target];
        let ends = |text: &str| if crlf { text.replace('\n', "\r\n") } else { text.to_owned() };
        let (before, entry, after) = (ends(&before), ends(entry), ends(&after));
        let text = format!("{before}{entry}{after}");
        let value = Scalar::Text(VALUES[value].to_owned());
        let source = Source { name: "f.yaml", bytes: text.as_bytes() };
        let edited = edit(source, path, &value).map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
        prop_assert!(edited.text.starts_with(&before), "{}", edited.text);
        prop_assert!(edited.text.ends_with(&after), "{}", edited.text);
        for word in ["# why", "# flow"] {
            prop_assert_eq!(text.matches(word).count(), edited.text.matches(word).count(), "{}", edited.text);
        }
        let again = edit(Source { name: "f.yaml", bytes: edited.text.as_bytes() }, path, &value).unwrap();
        prop_assert!(!again.changed && again.text == edited.text, "{}", again.text);
    }
}

#[track_caller]
fn becomes(before: &str, at: &str, value: &Scalar, after: &str) {
    let edited = edit(Source { name: "f.yaml", bytes: before.as_bytes() }, at, value);
    assert_eq!(edited.map(|edited| edited.text).as_deref(), Ok(after));
}

fn text(text: &str) -> Scalar {
    Scalar::Text(text.to_owned())
}

#[test]
fn a_manifest_keeps_its_place_and_indentation() {
    becomes(
        "cluster:\n  inlineManifests:\n    - name: cilium # pinned\n      contents: |\n        old: 1\n        # inside\n    - name: b\n      contents: x\n",
        "cluster.inlineManifests[name=cilium].contents",
        &text("a: 1\n\nb:\n  c: 2\n"),
        "cluster:\n  inlineManifests:\n    - name: cilium # pinned\n      contents: |\n        a: 1\n\n        b:\n          c: 2\n    - name: b\n      contents: x\n",
    );
}

#[test]
fn quotes_stay_where_they_can() {
    becomes("a: 'x' # c\n", "a", &text("y"), "a: 'y' # c\n");
    becomes("a: \"x\"\n", "a", &text("y"), "a: \"y\"\n");
    becomes("image: r/i:v1\n", "image", &text("r/i:v2"), "image: r/i:v2\n");
    becomes("a: x\n", "a", &text("1"), "a: \"1\"\n");
    becomes("a: 'x'\n", "a", &text("it's"), "a: 'it''s'\n");
}

#[test]
fn numbers_booleans_and_null_are_written_bare() {
    becomes("a: 1 # c\n", "a", &Scalar::Int(2), "a: 2 # c\n");
    becomes("a: {b: x}\n", "a.b", &Scalar::Bool(false), "a: {b: false}\n");
    becomes("a: x\n", "a", &Scalar::Null, "a: null\n");
    becomes("a:\n", "a", &Scalar::Float(1.5), "a: 1.5\n");
}

#[test]
fn windows_line_ends_and_byte_order_marks_stay() {
    becomes(
        "\u{feff}a: x\r\nb: y\r\n",
        "a",
        &text("1\n2\n"),
        "\u{feff}a: |\r\n  1\r\n  2\r\nb: y\r\n",
    );
}

#[test]
fn the_document_that_has_the_path_is_edited() {
    becomes("a: 1\n---\nb: 1\n", "b", &Scalar::Int(2), "a: 1\n---\nb: 2\n");
}

#[track_caller]
fn refused(file: &str, at: &str, place: (usize, usize), word: &str) {
    let error =
        edit(Source { name: "f.yaml", bytes: file.as_bytes() }, at, &text("new")).unwrap_err();
    assert_eq!((error.line, error.column), place, "{error}");
    assert!(error.message.contains(word), "{error}");
}

#[test]
fn what_cannot_be_edited_is_refused_at_its_place() {
    refused("a:\n  b: 1\n", "a.c", (2, 3), "no key `c`");
    refused("a:\n  b: 1\n", "a", (2, 3), "mapping or a list");
    refused("a: &x old\nb: *x\n", "a", (1, 4), "anchor");
    refused("l:\n  - n: a\n  - n: a\n", "l[n=a]", (2, 3), "several items");
    refused("l:\n  - n: a\n", "l[3]", (2, 3), "no item 3");
    refused("a: 1\n---\na: 2\n", "a", (3, 1), "several documents");
    refused("a: 1\n", "a.[", (0, 0), "bracket");
    refused("a: [1\n", "a", (2, 1), "not YAML");
}
