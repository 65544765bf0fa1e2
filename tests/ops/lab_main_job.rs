//! The README's main job through the real binary: bare nodes get their configs, once.

use crate::space::Space;

#[test]
fn applying_configs_twice_changes_nothing_the_second_time_and_says_so() {
    let space = Space::example("home");
    let first = space.run(["--lab", "run", "talos:apply-config"]).exit(0);
    assert!(first.stdout().contains("cp-3 apply-config changed"), "{}", first.all());
    let second = space.run(["--lab", "run", "talos:apply-config"]).exit(0);
    assert!(second.stdout().contains("cp-3 apply-config unchanged"), "{}", second.all());
    assert!(!second.stdout().contains(" changed"), "{}", second.all());
}

#[test]
fn bare_nodes_become_a_cluster_that_answers() {
    let space = Space::example("home");
    let _ = space.run(["--lab", "run", "bootstrap:cluster"]).exit(0);
    let again = space.run(["--lab", "run", "bootstrap:cluster"]).exit(0);
    assert!(!again.stdout().contains(" changed"), "{}", again.all());
}

#[test]
fn a_plan_changes_nothing_whatever_the_recipe() {
    let space = Space::example("home");
    let _ = space.run(["--lab", "lab", "up", "--healthy"]).exit(0);
    let state = || space.run(["--lab", "lab", "state", "--json"]).exit(0).stdout();
    let before = state();
    for line in [
        &["talos:generate-config"][..],
        &["talos:apply-config"],
        &["talos:bootstrap"],
        &["talos:reboot", "w-1"],
        &["talos:recover-kubeconfig"],
        &["talos:etcd-snapshot"],
        &["cluster:status"],
        &["cluster:safe-reset", "--nodes", "w-1", "--partitions", "STATE"],
        &["bootstrap:cluster"],
    ] {
        let mut words = vec!["--lab", "plan"];
        words.extend_from_slice(line);
        let _ = space.run(words).exit(0);
        let stripped = |text: &str| {
            let mut json: serde_json::Value = serde_json::from_str(text).expect("JSON");
            // Reads are requests too, and take simulated time.
            if let Some(map) = json.as_object_mut() {
                for moves in ["now_ms", "requests", "digest"] {
                    map.remove(moves);
                }
            }
            json["etcd"][0]["index"] = 0.into();
            json
        };
        assert_eq!(stripped(&state()), stripped(&before), "{line:?}");
    }
}
