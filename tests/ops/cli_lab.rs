//! `ops lab`: the simulated cluster is made, kept between commands, broken, healed and forgotten, and touches nothing else.

use insta::assert_snapshot;

use crate::space::Space;

#[test]
fn a_new_lab_holds_bare_nodes() {
    let space = Space::example("home");
    assert_snapshot!(facts_apart(&space.run(["lab", "up"]).all()), @r#"
    exit 0
    --- stdout
    SIMULATION …
    home   1m00s since the lab began

    node  stage          config             etcd       kubernetes          pods
    cp-1  maintenance    none               -          -                   0
    cp-2  maintenance    none               -          -                   0
    cp-3  maintenance    none               -          -                   0
    w-1   maintenance    none               -          -                   0
    w-2   maintenance    none               -          -                   0

    etcd         not bootstrapped
    kubernetes   none
    requests     0 reached a node or an API server, 0 of them writes
    ledger       nothing lost, 0 things with a copy
    "#);
}

#[test]
fn a_healthy_lab_is_kept_between_commands() {
    let space = Space::example("home");
    let up = space.run(["lab", "up", "--healthy"]).exit(0).stdout();
    let state = space.run(["lab", "state"]).exit(0);
    assert_eq!(state.stdout(), up);
    for part in ["3 of 3 voters", "5 of 5 nodes Ready", "nothing lost"] {
        assert!(up.contains(part), "no `{part}`: {up}");
    }
}

#[test]
fn a_fault_is_seen_and_healed() {
    let space = Space::example("home");
    space.run(["lab", "up", "--healthy"]).exit(0).stdout_has("3 of 3 voters");
    space
        .run(["lab", "break", "etcd-member-down", "cp-2"])
        .exit(0)
        .stdout_has("2 of 3 voters")
        .stdout_has("etcd-member-down");
    let json = space.run(["lab", "state", "--json"]).exit(0).stdout();
    let state: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(state["schema"], "ops.lab.state");
    assert_eq!(state["faults"][0], "etcd-member-down cp-2");
    let healed = space.run(["lab", "heal", "etcd-member-down", "cp-2"]).exit(0);
    assert!(!healed.stdout().contains("etcd-member-down"), "{}", healed.all());
}

#[test]
fn what_cannot_be_done_is_told_with_what_can() {
    let space = Space::example("home");
    assert_snapshot!(space.run(["lab", "state"]).all(), @r#"
    exit 2
    --- stderr
    error  OPS0860  there is no lab of `home` yet
      next:  ops lab up
             ops lab up --healthy
    "#);
    space.run(["lab", "up"]).exit(0).stdout_has("maintenance");
    assert_snapshot!(space.run(["lab", "up"]).all(), @r#"
    exit 2
    --- stderr
    error  OPS0860  there is a lab already
      next:  ops lab state
             ops lab reset
    "#);
    assert_snapshot!(space.run(["lab", "break", "node-ofline", "w-1"]).all(), @r#"
    exit 2
    --- stderr
    error  OPS0860  there is no fault `node-ofline`
      faults: node-offline, network-cut, etcd-member-down, api-timeout, wrong-context, slow, lose-reply, lose-request
      help: did you mean `node-offline`?
    "#);
    assert_snapshot!(space.run(["lab", "break", "node-offline", "w-9"]).all(), @r#"
    exit 2
    --- stderr
    error  OPS0860  no node `w-9` in the lab
      help: did you mean `w-1`?
    "#);
    assert_snapshot!(space.run(["lab", "break", "node-offline"]).all(), @r#"
    exit 2
    --- stderr
    error  OPS0860  fault `node-offline` needs a node
      next:  ops lab break node-offline NODE
    "#);
}

#[test]
fn the_lab_touches_only_its_own_folder_and_forgets_it_whole() {
    let space = Space::example("home");
    let before = names(&space);
    space.run(["lab", "up", "--healthy"]).exit(0).stdout_has("running");
    let secret = space.path(".ops/lab/home/secrets.yaml");
    let mode = std::os::unix::fs::PermissionsExt::mode(&secret.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    space.run(["lab", "reset"]).exit(0).stdout_has("gone");
    assert!(!space.path(".ops/lab/home").exists());
    std::fs::remove_dir_all(space.path(".ops")).unwrap();
    assert_eq!(names(&space), before);
}

#[test]
fn a_lab_of_other_nodes_is_not_used() {
    let space = Space::example("home");
    space.run(["lab", "up"]).exit(0).stdout_has("cp-1");
    let other = space.read("clusters/home.toml").replace("10.20.30.22", "10.20.30.99");
    space.write("clusters/home.toml", &other);
    space.run(["lab", "state"]).exit(2).stderr_has("other nodes").stderr_has("ops lab reset");
}

#[test]
fn one_seed_is_one_history() {
    let history = |seed: &str| {
        let space = Space::example("home");
        space.run(["lab", "up", "--healthy", "--seed", seed]).exit(0).stdout_has("running");
        space.read(".ops/lab/home/state.json")
    };
    assert_eq!(history("7"), history("7"));
    assert_ne!(history("7"), history("8"));
}

#[test]
fn the_facts_say_how_each_is_known() {
    let facts = Space::new().run(["lab", "facts"]).exit(0).stdout();
    assert!(facts.starts_with("SIMULATION model "), "{facts}");
    let known = ["ran", "source", "issue", "docs", "assumed"];
    assert!(facts.lines().skip(1).all(|l| known.iter().any(|k| l.starts_with(k))), "{facts}");
}

/// What the simulation stands on grows with it.
fn facts_apart(text: &str) -> String {
    text.lines()
        .map(|line| if line.starts_with("SIMULATION ") { "SIMULATION …" } else { line })
        .collect::<Vec<_>>()
        .join("\n")
}

fn names(space: &Space) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(space.root())
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn what_an_error_says_to_type_next_stays_in_the_lab() {
    let space = Space::example("home");
    let missing = space.run(["--lab", "run", "talos:reboot"]).exit(2);
    assert!(missing.stderr().contains("ops --lab run talos:reboot --nodes"), "{}", missing.all());
    assert!(!missing.stderr().contains("ops run"), "{}", missing.all());
}
