//! Bad input: each is refused with a code and the place it is at, in bounded
//! time and memory. And what a merge drops is warned about at its place.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;

use ops_render::{Diagnostic, MAX_BYTES, Patch, Patched, Profile, Source, patch};

const CONFIG: &str = "version: v1alpha1\nmachine:\n  type: worker\n  kubelet:\n    extraConfig:\n      maxPods: 110\ncluster: {}\n---\napiVersion: v1alpha1\nkind: UserVolumeConfig\nname: local\nprovisioning:\n  diskSelector:\n    match: system_disk\n  minSize: 10GB\n  maxSize: 20GB\n";

fn apply(config: &[u8], text: &[u8]) -> Result<Patched, Vec<Diagnostic>> {
    let profile = Profile::load("1.13.0").unwrap();
    let patches = [Patch::from_source(Source { name: "patch.yaml", bytes: text }, &profile)?];
    patch(Source { name: "config.yaml", bytes: config }, &patches, &profile)
}

/// Every finding as `file:line:column code`.
fn places(problems: &[Diagnostic]) -> Vec<String> {
    problems.iter().map(|p| format!("{}:{}:{} {}", p.file, p.line, p.column, p.code)).collect()
}

#[track_caller]
fn refused(text: impl AsRef<[u8]>, expected: &[&str]) -> Vec<Diagnostic> {
    let problems = apply(CONFIG.as_bytes(), text.as_ref()).unwrap_err();
    assert_eq!(places(&problems), expected, "{problems:#?}");
    problems
}

#[test]
fn truncated_yaml_is_refused_where_it_was_opened() {
    refused("machine:\n  env: {a: \"b", &["patch.yaml:2:12 OPS0901"]);
}

#[test]
fn bytes_that_are_not_utf8_are_refused_at_the_first_of_them() {
    refused(b"machine:\n  type: \xff\n", &["patch.yaml:2:9 OPS0901"]);
}

#[test]
fn control_characters_are_refused() {
    refused("machine:\n  type: a\u{1}b\n", &["patch.yaml:2:10 OPS0901"]);
}

#[test]
fn tabs_are_no_indentation() {
    refused("machine:\n\ttype: x\n", &["patch.yaml:2:2 OPS0901"]);
    refused("machine:\n  \ttype: x\n", &["patch.yaml:2:4 OPS0901"]);
    refused("machine:\n  certSANs:\n  -\t- x\n", &["patch.yaml:3:5 OPS0901"]);
}

#[test]
fn duplicate_keys_are_refused_at_the_second() {
    refused("machine:\n  type: a\nmachine:\n  type: b\n", &["patch.yaml:3:1 OPS0905"]);
}

#[test]
fn ten_thousand_levels_are_refused() {
    let flow = format!("a: {}{}", "[".repeat(10_000), "]".repeat(10_000));
    let problems = apply(CONFIG.as_bytes(), flow.as_bytes()).unwrap_err();
    assert_eq!(problems[0].code.0, "OPS0901");
    let levels: Vec<String> = (0..2_000).map(|level| format!("{:level$}a:\n", "")).collect();
    let block = levels.concat();
    let problems = apply(CONFIG.as_bytes(), block.as_bytes()).unwrap_err();
    assert_eq!(places(&problems), ["patch.yaml:201:201 OPS0901"], "{problems:?}");
}

#[test]
fn a_billion_laughs_are_refused() {
    let mut text = "x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n".to_owned();
    for level in 1..12 {
        let before = vec![format!("*x{}", level - 1); 10].join(", ");
        writeln!(text, "x{level}: &x{level} [{before}]").unwrap();
    }
    let problems = apply(CONFIG.as_bytes(), text.as_bytes()).unwrap_err();
    assert_eq!(problems[0].code.0, "OPS0901");
}

#[test]
fn an_alias_inside_its_own_anchor_is_refused() {
    refused("machine: &m\n  env: *m\n", &["patch.yaml:2:8 OPS0901"]);
}

#[test]
fn a_file_of_fifty_megabytes_is_refused_before_it_is_read() {
    let text = vec![b'#'; 50 * 1024 * 1024];
    assert!(text.len() > MAX_BYTES);
    refused(&text, &["patch.yaml:0:0 OPS0901"]);
}

#[test]
fn every_unknown_key_and_wrong_type_is_found_in_one_go() {
    let problems = refused(
        "machine:\n  netwrk: {}\n  type: [1]\n  install:\n    wipe: maybe\n",
        &["patch.yaml:2:3 OPS0902", "patch.yaml:3:9 OPS0904", "patch.yaml:5:11 OPS0904"],
    );
    assert_eq!(problems[0].hint.as_deref(), Some("did you mean `network`?"));
}

#[test]
fn an_unknown_kind_is_refused_with_the_nearest_one() {
    let problems =
        refused("apiVersion: v1alpha1\nkind: HostnamConfig\n", &["patch.yaml:2:7 OPS0903"]);
    assert_eq!(problems[0].hint.as_deref(), Some("did you mean `HostnameConfig`?"));
}

#[test]
fn a_clash_of_types_is_placed_in_the_patch() {
    let text = "machine:\n  kubelet:\n    extraConfig:\n      maxPods: \"200\"\n";
    refused(text, &["patch.yaml:4:7 OPS0907"]);
}

#[test]
fn a_deletion_that_names_nothing_is_placed_in_the_patch() {
    refused("machine:\n  sysctls:\n    a:\n      $patch: delete\n", &["patch.yaml:4:7 OPS0908"]);
    let document = "apiVersion: v1alpha1\nkind: UserVolumeConfig\nname: x\n$patch: delete\n";
    refused(document, &["patch.yaml:4:1 OPS0908"]);
}

#[test]
fn an_operation_that_fails_is_placed_in_the_patch() {
    let config = b"version: v1alpha1\nmachine: {}\n";
    let text =
        b"- op: add\n  path: /machine/type\n  value: worker\n- op: remove\n  path: /no/such\n";
    let problems = apply(config, text).unwrap_err();
    assert_eq!(places(&problems), ["patch.yaml:4:3 OPS0909"], "{problems:?}");
}

#[test]
fn a_broken_config_is_reported_under_its_own_name() {
    let problems = apply(b"version: v1alpha1\nmachine: {typo: 1}\n", b"machine: {}\n").unwrap_err();
    assert_eq!(places(&problems), ["config.yaml:2:11 OPS0902"], "{problems:?}");
}

#[test]
fn an_unreadable_patch_file_is_reported_with_the_reason() {
    let profile = Profile::load("1.13.0").unwrap();
    let problems =
        Patch::parse("machine:", &profile, |_| Err("permission denied".to_owned())).unwrap_err();
    assert!(problems[0].message.contains("permission denied"), "{problems:?}");
    assert!(problems[0].hint.is_some(), "{problems:?}");
}

#[test]
fn inline_text_needs_a_space_a_line_break_or_a_bracket() {
    let profile = Profile::load("1.13.0").unwrap();
    let file = |name: &str| -> Result<Vec<u8>, String> { Err(format!("asked for {name}")) };
    for inline in ["machine: {}", "{\"machine\":{}}", "[{\"op\":\"remove\",\"path\":\"/a\"}]"] {
        Patch::parse(inline, &profile, file).unwrap();
    }
    for (argument, name) in [("@a b", "a b"), ("p.yaml", "p.yaml"), ("@@x", "@x")] {
        let problems = Patch::parse(argument, &profile, file).unwrap_err();
        assert!(problems[0].message.contains(&format!("asked for {name}")), "{problems:?}");
    }
}

#[test]
fn values_that_the_patch_does_not_repeat_are_lost_with_a_warning() {
    let text = "apiVersion: v1alpha1\nkind: UserVolumeConfig\nname: local\nprovisioning:\n  maxSize: 50GB\n";
    let patched = apply(CONFIG.as_bytes(), text.as_bytes()).unwrap();
    assert!(!patched.text.contains("minSize"), "{}", patched.text);
    let expected = ["patch.yaml:5:3 OPS0911", "patch.yaml:5:3 OPS0911"];
    assert_eq!(places(&patched.warnings), expected, "{:#?}", patched.warnings);
}

#[test]
fn a_percentage_over_bytes_is_warned_about() {
    let text = "apiVersion: v1alpha1\nkind: UserVolumeConfig\nname: local\nprovisioning:\n  diskSelector:\n    match: system_disk\n  minSize: 10GB\n  maxSize: 50%\n";
    let patched = apply(CONFIG.as_bytes(), text.as_bytes()).unwrap();
    assert!(patched.text.contains("maxSize: 20GB"), "{}", patched.text);
    assert_eq!(places(&patched.warnings), ["patch.yaml:8:3 OPS0911"]);
}

#[test]
fn a_patch_that_repeats_its_values_is_no_reason_to_warn() {
    let text = "machine:\n  type: controlplane\n";
    assert_eq!(apply(CONFIG.as_bytes(), text.as_bytes()).unwrap().warnings, []);
}

#[test]
fn an_unknown_profile_names_those_there_are() {
    let error = Profile::load("1.12.0").unwrap_err();
    assert!(error.to_string().contains("1.13.0, 1.13.9"), "{error}");
}
