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

/// A folder with a config, for patches that are given inline.
fn config() -> Space {
    let space = Space::new();
    space.write("config.yaml", "version: v1alpha1\nmachine:\n  type: worker\n");
    space
}

#[test]
fn a_finding_in_an_inline_patch_is_shown_with_its_line() {
    let space = config();
    let patches = ["-p", "machine: {token: a}", "-p", "machine:\n  token: b\n  nope: 1"];
    let ran = space.run(["patch", "config.yaml"].into_iter().chain(patches)).exit(2);
    for part in ["inline patch 2:3:3", "nope: 1", "unknown key `nope` in `machine`"] {
        assert!(ran.stderr().contains(part), "{part}: {}", ran.all());
    }
    let ran = space.run(["patch", "config.yaml", "-p", "machine: {nope: 1}"]).exit(2);
    assert!(ran.stderr().contains("inline patch:1:11"), "{}", ran.all());
}

#[test]
fn a_patch_file_that_is_not_there_is_named() {
    let ran = config().run(["patch", "config.yaml", "-p", "@missing.yaml"]).exit(2);
    assert!(ran.stderr().contains("missing.yaml: the patch file"), "{}", ran.all());
}

#[test]
fn a_pipe_is_written_into_and_stays_one() {
    let space = config();
    let pipe = space.path("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let reader = std::thread::spawn(move || std::fs::read_to_string(pipe).unwrap());
    let _ = space.run(["patch", "config.yaml", "-p", "machine: {token: a}", "-o", "pipe"]).exit(0);
    assert!(reader.join().unwrap().contains("token: a"));
}

#[test]
fn links_are_written_through_and_folders_are_made() {
    let space = config();
    std::os::unix::fs::symlink("config.yaml", space.path("link.yaml")).unwrap();
    let patch = ["-p", "machine: {token: a}"];
    for out in ["link.yaml", "new/folder/out.yaml"] {
        let words = ["patch", "link.yaml"].into_iter().chain(patch).chain(["-o", out]);
        let _ = space.run(words).exit(0);
    }
    assert!(space.path("link.yaml").is_symlink());
    for file in ["config.yaml", "new/folder/out.yaml"] {
        assert!(std::fs::read_to_string(space.path(file)).unwrap().contains("token: a"), "{file}");
    }
}
