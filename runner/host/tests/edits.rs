//! `yaml.edit` and `yaml.read { at }` as calls: files through the seam, converging, with every other byte kept.

use ops_core::error::ErrorKind;
use ops_core::value::{Blob, Handle};
use proptest::prelude::*;
use serde_json::json;

use super::town::Town;
use crate::sys::blobs::Blobs;
use crate::sys::files::Files;

/// What stands around the edited entry, as people write it; `§` is replaced by a number.
const AROUND: &[&str] = &[
    "k§: v   # a comment: with a colon\n",
    "\n",
    "# nothing but this\n",
    "k§: &a§ {x: [1, \"two\"]}  \nr§: *a§\n",
    "k§: |\n  text   \n\n  # no comment\n",
    "k§: >-\n    folded\n    text\n",
    "k§:\n- name: cilium\n  contents: not this one\n",
    "k§: 'it''s'\n",
    "k§: \u{e9}\u{1f600}\n",
    "k§:\n",
];

/// Spellings of the entry; `@` is where the old text stands.
const ENTRIES: &[&str] = &[
    "cluster:\n  inlineManifests:\n    - name: cilium # pinned  \n      contents: \"\"\n    - name: b\n      contents: x\n",
    "cluster:\n  inlineManifests:\n  - contents: |\n      old: 1\n\n      # inside\n    name: cilium\n",
    "cluster:\n    inlineManifests:\n        - name: a\n          contents: |+\n            a\n\n        - name: cilium\n          contents: |- # why\n            old\n          skipEnvsubst: true\n",
    "cluster: {inlineManifests: [{name: cilium, contents: old}, {name: b}]} # flow\n",
    "cluster:\n  inlineManifests:\n    - name: cilium\n      contents:\n",
];

const VALUES: &[&str] = &[
    "apiVersion: v1\nkind: A\ndata:\n  a: |\n    b\n",
    "a: 1\n---\nb: 2\n",
    "tab:\t1 \n  trailing  \n",
    "one line",
    "",
    "\u{1f600}: \"x\"\n\n\n",
    "{{ template }}\n# not a comment",
    "cr: \r\n",
];

const AT: &str = "cluster.inlineManifests[name=cilium].contents";

fn around() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(0..AROUND.len(), 0..5)
}

fn text(picked: &[usize], from: usize) -> String {
    let one = |(at, which): (usize, &usize)| AROUND[*which].replace('§', &(from + at).to_string());
    picked.iter().enumerate().map(one).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_edit_keeps_every_other_byte_and_the_second_one_writes_nothing(
        before in around(), entry in 0..ENTRIES.len(), after in around(),
        value in 0..VALUES.len(), crlf in any::<bool>(), open_end in any::<bool>(),
    ) {
        let ends = |text: &str| if crlf { text.replace('\n', "\r\n") } else { text.to_owned() };
        let (before, entry, mut after) = (ends(&text(&before, 0)), ends(ENTRIES[entry]), ends(&text(&after, 100)));
        if open_end {
            after.push_str("end: here");
        }
        let town = Town::healthy();
        town.files.write("p.yaml", format!("{before}{entry}{after}").as_bytes(), 0o644).unwrap();
        let edit = || town.perform("yaml.edit", json!({"path": "p.yaml", "at": AT, "value": VALUES[value]})).unwrap();
        let first = edit();
        let now = town.text("p.yaml");
        prop_assert!(now.starts_with(&before) && now.ends_with(&after), "{now}");
        for kept in ["# pinned  ", "# why", "# flow", "name: b", "skipEnvsubst: true"] {
            prop_assert_eq!(entry.matches(kept).count(), now[before.len()..now.len() - after.len()].matches(kept).count());
        }
        prop_assert_eq!(first["changed"].as_bool(), Some(now != format!("{before}{entry}{after}")));
        let stat = town.files.stat("p.yaml").unwrap();
        prop_assert_eq!(edit()["changed"].as_bool(), Some(false));
        prop_assert_eq!(town.files.stat("p.yaml").unwrap(), stat);
        let read = town.perform("yaml.read", json!({"path": "p.yaml", "at": AT})).unwrap();
        prop_assert_eq!(read, VALUES[value]);
    }
}

fn town(text: &str) -> Town {
    let town = Town::healthy();
    town.files.write("p.yaml", text.as_bytes(), 0o644).unwrap();
    town
}

fn edit(
    town: &Town,
    value: &serde_json::Value,
) -> Result<serde_json::Value, ops_core::error::CallError> {
    town.perform("yaml.edit", json!({"path": "p.yaml", "at": "a", "value": value}))
}

#[test]
fn numbers_and_booleans_are_written_as_such() {
    for (value, text) in [
        (json!(3), "a: 3\n"),
        (json!(true), "a: true\n"),
        (json!(1.5), "a: 1.5\n"),
        (json!("3"), "a: \"3\"\n"),
    ] {
        let town = town("a: old\n");
        assert_eq!(edit(&town, &value).unwrap()["changed"], json!(true));
        assert_eq!(town.text("p.yaml"), text);
    }
}

#[test]
fn a_prediction_writes_to_the_files_of_the_plan_and_shows_the_difference() {
    let town = town("a: old\n");
    let foreseen =
        town.predict("yaml.edit", json!({"path": "p.yaml", "at": "a", "value": "new"})).unwrap();
    assert!(foreseen.changed);
    assert_eq!(foreseen.reply["diff"], json!("-a: old\n+a: new\n"));
}

#[test]
fn what_is_secret_makes_the_file_private_and_is_shown_in_no_difference() {
    let town = town("a: old\n");
    let blob = town.blobs.put(b"canary", true).unwrap();
    let reply = edit(&town, &Handle::Blob(blob).to_value()).unwrap();
    assert_eq!(reply["diff"], json!(""));
    assert_eq!(town.files.stat("p.yaml").unwrap().unwrap().mode & 0o777, 0o600);
    let read = town.perform("yaml.read", json!({"path": "p.yaml", "at": "a"})).unwrap();
    assert!(
        matches!(Handle::from_value(&read), Some(Handle::Blob(Blob { sealed: true, .. }))),
        "{read}"
    );
}

#[test]
fn what_cannot_be_put_into_a_file_is_refused_and_the_file_stays() {
    let town = town("a: old\nb: &x {c: 1}\n");
    for (value, kind) in [(json!([1]), ErrorKind::Invalid), (json!({"x": 1}), ErrorKind::Invalid)] {
        assert_eq!(edit(&town, &value).unwrap_err().kind, kind);
    }
    let bytes = town.blobs.put(b"\xff", false).unwrap();
    assert_eq!(edit(&town, &Handle::Blob(bytes).to_value()).unwrap_err().kind, ErrorKind::Invalid);
    for (path, at, kind) in [
        ("p.yaml", "c", ErrorKind::Invalid),
        ("p.yaml", "b", ErrorKind::Invalid),
        ("none.yaml", "a", ErrorKind::NotFound),
        ("../p.yaml", "a", ErrorKind::Invalid),
    ] {
        let args = json!({"path": path, "at": at, "value": "new"});
        assert_eq!(town.perform("yaml.edit", args).unwrap_err().kind, kind, "{path} {at}");
    }
    assert_eq!(town.text("p.yaml"), "a: old\nb: &x {c: 1}\n");
}

#[test]
fn the_pins_of_a_cluster_are_not_edited() {
    let town = Town::healthy();
    town.put("clusters/home.lock.toml", b"a: 1\n");
    let args = json!({"path": "clusters/home.lock.toml", "at": "a", "value": 2});
    assert_eq!(town.perform("yaml.edit", args).unwrap_err().kind, ErrorKind::Forbidden);
}

#[test]
fn a_long_text_is_read_as_a_blob() {
    let town = town(&format!("a: {}\n", "x".repeat(70_000)));
    let read = town.perform("yaml.read", json!({"path": "p.yaml", "at": "a"})).unwrap();
    assert!(matches!(Handle::from_value(&read), Some(Handle::Blob(blob)) if blob.size == 70_000));
    let whole = town.perform("yaml.read", json!({"path": "p.yaml", "at": "b"})).unwrap_err();
    assert!(whole.message.contains("p.yaml:1:1"), "{}", whole.message);
}
