//! The look ahead: a run that would be refused later on is refused before it changes anything.

use crate::space::Space;

/// Requests that wrote something, of all that reached a machine or the API.
fn writes(space: &Space) -> usize {
    let text = space.read(".ops/lab/home/state.json");
    let lab: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let reached = lab["world"]["reached"].as_array().expect("a list");
    reached.iter().filter(|request| request["writes"] == true).count()
}

fn healthy() -> Space {
    let space = Space::example("home");
    let _ = space.run(["--lab", "lab", "up", "--healthy"]).exit(0);
    space
}

#[test]
fn a_reboot_without_quorum_to_spare_is_refused_before_the_node_is_drained() {
    let space = healthy();
    let _ = space.run(["--lab", "lab", "break", "etcd-member-down", "cp-2"]).exit(0);
    let refused = space.run(["--lab", "run", "talos:reboot", "cp-1"]).exit(3);
    assert!(refused.stderr().contains("2 must stay"), "{}", refused.all());
    assert!(
        refused.stderr().contains("Seen ahead, before `kube.drain`: nothing was changed."),
        "{}",
        refused.all()
    );
    assert_eq!(writes(&space), 0);
}

#[test]
fn of_several_nodes_none_is_touched_where_a_later_one_would_be_refused() {
    let space = healthy();
    let _ = space.run(["--lab", "lab", "break", "etcd-member-down", "cp-2"]).exit(0);
    let _ = space.run(["--lab", "run", "talos:reboot", "w-1", "w-2", "cp-3"]).exit(3);
    assert_eq!(writes(&space), 0);
}

#[test]
fn what_holds_when_it_comes_is_not_refused_ahead() {
    let space = healthy();
    let _ = space.run(["--lab", "run", "talos:reboot", "w-1", "cp-1", "cp-2", "cp-3"]).exit(0);
    let bare = Space::example("home");
    let _ = bare.run(["--lab", "run", "bootstrap:cluster"]).exit(0);
}

#[test]
fn behind_what_nobody_can_know_calls_are_judged_as_far_as_the_next_look_sees() {
    let space = healthy();
    space.write(
        "recipes/t/twice.lua",
        r#"
return ops.recipe {
  desc = "Cordon, look, and reboot",
  run = function(cx)
    kube.cordon { "w-1" }
    local seen = kube.get { kind = "node", name = "w-1" }
    if seen.spec.unschedulable then
      kube.cordon { "w-2" }
      talos.reboot { "cp-1" }
    end
  end,
}
"#,
    );
    let _ = space.run(["--lab", "lab", "break", "etcd-member-down", "cp-2"]).exit(0);
    let refused = space.run(["--lab", "run", "t:twice"]).exit(3);
    assert!(refused.stderr().contains("nothing further is changed"), "{}", refused.all());
    assert_eq!(writes(&space), 1, "w-1 was cordoned, w-2 was not");
}
