//! The reset of a node in a healthy lab, through the real binary: refused, verified, confirmed, done once.

use crate::space::Space;
use crate::terminal::on_terminal;

const W1: [&str; 4] = ["--nodes", "w-1", "--partitions", "STATE,EPHEMERAL"];

fn healthy() -> Space {
    let space = Space::example("home");
    let _ = space.run(["--lab", "lab", "up", "--healthy"]).exit(0);
    space
}

fn reset<'a>(words: &'a [&'a str]) -> Vec<&'a str> {
    let mut line = vec!["--lab", "run", "cluster:safe-reset"];
    line.extend_from_slice(words);
    line
}

fn verify<'a>(words: &'a [&'a str]) -> Vec<&'a str> {
    let mut line = vec!["--lab", "verify", "cluster:safe-reset"];
    line.extend_from_slice(words);
    line
}

/// Writes that reached a node or the API, as `ops lab state --json` counts them.
fn writes(space: &Space) -> u64 {
    let state = space.run(["--lab", "lab", "state", "--json"]).exit(0).stdout();
    let state: serde_json::Value = serde_json::from_str(&state).expect("JSON");
    state["requests"][1].as_u64().unwrap_or_else(|| panic!("{state}"))
}

#[test]
fn a_reset_without_partitions_is_refused_and_names_them() {
    let space = healthy();
    let before = writes(&space);
    let ran = space.run(reset(&["--nodes", "w-1"])).exit(3);
    assert!(ran.stderr().contains("partitions"), "{}", ran.all());
    assert!(ran.stderr().contains("STATE"), "{}", ran.all());
    assert_eq!(writes(&space), before);
}

#[test]
fn a_reset_without_a_grant_is_refused_and_names_verify() {
    let space = healthy();
    let before = writes(&space);
    let ran = space.run(reset(&W1)).exit(4);
    assert!(ran.stderr().contains("ops --lab verify cluster:safe-reset"), "{}", ran.all());
    assert_eq!(writes(&space), before);
}

#[test]
fn a_verified_and_confirmed_reset_wipes_exactly_those_partitions_once() {
    let space = healthy();
    let _ = space.run(verify(&W1)).exit(0);
    on_terminal(space.command(reset(&W1)), &[("home w-1", "home w-1")]).exit(0);
    let state = space.run(["--lab", "lab", "state", "--json"]).exit(0).stdout();
    let state: serde_json::Value = serde_json::from_str(&state).expect("JSON");
    let node = state["nodes"].as_array().and_then(|n| n.iter().find(|n| n["name"] == "w-1"));
    assert_eq!(node.map(|n| &n["stage"]), Some(&serde_json::json!("maintenance")), "{state}");
    let ran = space.run(reset(&W1)).exit(4);
    assert!(ran.stderr().contains("used"), "{}", ran.all());
}

#[test]
fn a_confirmation_without_a_terminal_is_a_refusal() {
    let space = healthy();
    let _ = space.run(verify(&W1)).exit(0);
    let before = writes(&space);
    let _ = space.run(reset(&W1)).exit(3);
    assert_eq!(writes(&space), before);
}

#[test]
fn other_words_than_the_asked_ones_decline() {
    let space = healthy();
    let _ = space.run(verify(&W1)).exit(0);
    let before = writes(&space);
    on_terminal(space.command(reset(&W1)), &[("home w-1", "home w-2")]).exit(3);
    assert_eq!(writes(&space), before);
}

#[test]
fn two_of_three_control_planes_in_one_run_break_the_quorum() {
    let space = healthy();
    let before = writes(&space);
    let ran = space.run(verify(&["--nodes", "cp-1,cp-2", "--partitions", "EPHEMERAL"])).exit(3);
    assert!(ran.stderr().contains("OPS0310"), "{}", ran.all());
    assert_eq!(writes(&space), before);
}

#[test]
fn one_control_plane_is_allowed_after_verify_and_then_a_second_one_is_not() {
    let space = healthy();
    let _ = space.run(["--lab", "run", "talos:etcd-snapshot"]).exit(0);
    let one = ["--nodes", "cp-1", "--partitions", "STATE,EPHEMERAL"];
    let _ = space.run(verify(&one)).exit(0);
    on_terminal(space.command(reset(&one)), &[("home cp-1", "home cp-1")]).exit(0);
    let before = writes(&space);
    let _ = space.run(verify(&["--nodes", "cp-2", "--partitions", "STATE,EPHEMERAL"])).exit(3);
    assert_eq!(writes(&space), before);
}
