//! The real binary killed at named boundaries, then resumed: the lab ends as it would have without the kill, and nothing is asked of it twice.
//!
//! A sample; the breadth is in the in-process crash tests. The lab syncs no intent, so `b4` is not visited here.

use std::collections::BTreeMap;

use crate::space::Space;
use crate::terminal::on_terminal;

const KILLED: i32 = -1;
const RESET: [&str; 7] =
    ["--lab", "run", "cluster:safe-reset", "--nodes", "w-1", "--partitions", "STATE,EPHEMERAL"];

/// What the lab is in the end, without what depends on the time.
fn state(space: &Space) -> serde_json::Value {
    let text = space.run(["--lab", "lab", "state", "--json"]).exit(0).stdout();
    let mut state: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let map = state.as_object_mut().expect("an object");
    for key in ["now_ms", "requests", "digest", "assets", "header"] {
        map.remove(key);
    }
    for etcd in map["etcd"].as_array_mut().expect("a list") {
        etcd.as_object_mut().expect("an object").remove("index");
    }
    state
}

/// The writes that reached a machine, each with how often.
fn writes(space: &Space) -> BTreeMap<String, usize> {
    let text = space.read(".ops/lab/home/state.json");
    let lab: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let reached = lab["world"]["reached"].as_array().expect("a list");
    let mut writes = BTreeMap::new();
    for request in reached.iter().filter(|request| request["writes"] == true) {
        *writes.entry(format!("{} {}", request["node"], request["request"])).or_default() += 1;
    }
    writes
}

fn last_words(space: &Space) -> String {
    space.run(["--lab", "history"]).stdout()
}

fn bare() -> Space {
    Space::example("home")
}

fn verified() -> Space {
    let space = Space::example("home");
    let _ = space.run(["--lab", "lab", "up", "--healthy"]).exit(0);
    let _ = space
        .run([
            "--lab",
            "verify",
            "cluster:safe-reset",
            "--nodes",
            "w-1",
            "--partitions",
            "STATE,EPHEMERAL",
        ])
        .exit(0);
    space
}

#[test]
fn applying_configs_survives_a_kill_at_each_of_these_boundaries() {
    let whole = bare();
    let _ = whole.run(["--lab", "run", "talos:apply-config"]).exit(0);
    let (end, asked) = (state(&whole), writes(&whole));
    for point in ["b2.half:5", "b6:1", "b6:3", "b7.outcome:9", "b9.half:7", "b10:12"] {
        let mut space = bare();
        space.env("OPS_FAULT", point);
        let killed = space.run(["--lab", "run", "talos:apply-config"]);
        assert_eq!(killed.code(), KILLED, "{point}: nothing was killed\n{}", killed.all());
        space.env("OPS_FAULT", "");
        let resumed = space.run(["--lab", "resume"]);
        assert_eq!(resumed.code(), 0, "{point}\n{}{}", resumed.all(), last_words(&space));
        assert_eq!(state(&space), end, "{point}");
        assert_eq!(writes(&space), asked, "{point}");
    }
}

#[test]
fn a_reset_survives_a_kill_at_each_of_these_boundaries_and_happens_once() {
    let words = [("home w-1", "home w-1")];
    let whole = verified();
    on_terminal(whole.command(RESET), &words).exit(0);
    let (end, asked) = (state(&whole), writes(&whole));
    for point in ["b2.half:3", "b15:1", "b7.outcome:3", "b10:3", "b16:1"] {
        let mut space = verified();
        space.env("OPS_FAULT", point);
        on_terminal(space.command(RESET), &words).exit(KILLED);
        space.env("OPS_FAULT", "");
        on_terminal(space.command(["--lab", "resume"]), &words).exit(0);
        assert_eq!(state(&space), end, "{point}");
        assert_eq!(writes(&space), asked, "{point}");
    }
}

/// A worker was asked to reboot, and the engine killed before it was back.
fn killed_in_a_reboot() -> Space {
    let mut space = Space::example("home");
    space.write(
        "recipes/t/reboot.lua",
        "return ops.recipe { desc = \"Reboot\", run = function() talos.reboot { \"w-2\" } end }\n",
    );
    let _ = space.run(["--lab", "lab", "up", "--healthy"]).exit(0);
    space.env("OPS_FAULT", "b6:1");
    assert_eq!(space.run(["--lab", "run", "t:reboot"]).code(), KILLED);
    space.env("OPS_FAULT", "");
    space
}

#[test]
fn a_reboot_that_was_killed_while_the_node_is_away_waits_for_it_and_says_why() {
    let space = killed_in_a_reboot();
    let resumed = space.run(["--lab", "resume"]).exit(0);
    let shown = resumed.stdout();
    assert!(shown.contains("what became of it cannot be told yet"), "{}", resumed.all());
    assert!(shown.contains("w-2 has another boot id: it happened"), "{}", resumed.all());
    let reboots: usize =
        writes(&space).iter().filter(|(w, _)| w.contains("Reboot")).map(|(_, n)| n).sum();
    assert_eq!(reboots, 1, "{:?}", writes(&space));
}

#[test]
fn a_node_that_stays_away_is_asked_about_only_after_the_time_that_a_reboot_may_take() {
    let space = killed_in_a_reboot();
    let _ = space.run(["--lab", "lab", "break", "node-offline", "w-2"]).exit(0);
    let asked = space.run(["--lab", "resume"]).exit(8);
    assert!(asked.stderr().contains("w-2 does not answer: was it rebooted?"), "{}", asked.all());
    assert!(asked.stderr().contains("=done"), "{}", asked.all());
    assert!(asked.stdout().contains("s of 15m)"), "{}", asked.all());
}
