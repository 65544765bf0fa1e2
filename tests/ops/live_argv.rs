//! The live backend against a fake talosctl that writes its argv down and answers with what the real one printed.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::space::Space;

/// Answers `version` and etcd's members from recordings of talosctl 1.13.0; anything else is unexpected.
const FAKE: &str = r#"#!/bin/sh
{ for arg; do printf '[%s] ' "$arg"; done; echo; } >> LOG
case "$*" in
  *"version --client"*|*"version --short --client"*|*"--client"*) cat FIXTURES/version/stdout ;;
  *version*) cat FIXTURES/version/stdout ;;
  *"etcd members"*) cat FIXTURES/etcd-members/stdout ;;
  *) echo "unexpected: $*" >&2; exit 64 ;;
esac
"#;

fn space() -> Space {
    let mut space = Space::example("home");
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/talosctl/1.13.0");
    let log = space.path("log").display().to_string();
    space.write("fakes/talosctl", &FAKE.replace("LOG", &log).replace("FIXTURES", fixtures));
    fs::set_permissions(space.path("fakes/talosctl"), fs::Permissions::from_mode(0o755)).unwrap();
    space.write("clusterconfig/talosconfig", "context: home\ncontexts: {}\n");
    let path = format!("{}:/usr/bin:/bin", space.path("fakes").display());
    space.env("PATH", &path);
    space
}

#[test]
fn node_and_endpoint_stand_in_every_command_line_and_nothing_is_left_to_the_context() {
    let space = space();
    space.write(
        "recipes/probe.lua",
        r#"return ops.recipe { desc = "Probe", run = function(cx)
             local found = talos.version { cx.cluster.nodes[1] }
             log.info("talos %s", found.version)
           end }"#,
    );
    let ran = space.run(["run", "probe"]).exit(0);
    assert!(ran.stdout().contains("talos v1.13.0"), "{}", ran.all());
    let log = fs::read_to_string(space.path("log")).unwrap();
    let asked: Vec<&str> = log.lines().filter(|line| !line.contains("--client")).collect();
    assert_eq!(asked.len(), 1, "{log}");
    for part in [
        "[version]",
        "--nodes=10.20.30.11]",
        "--endpoints=10.20.30.11]",
        "--context=home]",
        "--talosconfig=",
    ] {
        assert!(asked[0].contains(part), "{part} is not in {}", asked[0]);
    }
}

#[test]
fn a_tool_that_is_not_there_is_exit_6_or_a_failed_call_that_names_it() {
    let mut space = space();
    space.env("PATH", "/usr/bin:/bin");
    space.write(
        "recipes/probe.lua",
        r#"return ops.recipe { desc = "Probe", run = function(cx) talos.version { cx.cluster.nodes[1] } end }"#,
    );
    let ran = space.run(["run", "probe"]);
    assert_eq!(ran.code(), 6, "{}", ran.all());
    assert!(ran.stderr().contains("talosctl"), "{}", ran.all());
}
