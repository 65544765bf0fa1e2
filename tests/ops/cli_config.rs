//! What a person sees whose configuration or command line has a mistake: the file, the line, a mark, and what to do.

use insta::assert_snapshot;

use crate::space::Space;

const CLUSTER: &str = r#"endpoint = "https://10.20.30.10:6443"
nodes.cp-1 = { role = "controlplane", address = "10.20.30.11" }
"#;

#[test]
fn a_mistake_in_an_inventory() {
    let space = Space::new();
    space.write("clusters/home.toml", &CLUSTER.replace("controlplane", "controlplan"));
    assert_snapshot!(space.run(["adopt"]).all(), @r#"
    exit 2
    --- stderr
    error  OPS0202  unknown word `controlplan`
      clusters/home.toml:2:23
      2 │ nodes.cp-1 = { role = "controlplan", address = "10.20.30.11" }
        │                       ──────┬──────
        │                             one of: controlplane, worker
      help: did you mean `controlplane`?
    "#);
}

#[test]
fn a_mistake_in_ops_toml() {
    let space = Space::new();
    space.write("ops.toml", "api = 1\n[defaults]\ncluser = \"home\"\n");
    assert_snapshot!(space.run(["list"]).all(), @r#"
    exit 2
    --- stderr
    error  OPS0202  unknown key `cluser`
      ops.toml:3:1
      3 │ cluser = "home"
        │ ───┬──
        │    known here: cluster, jobs, output
      help: did you mean `cluster`?
    "#);
}

#[test]
fn a_part_that_is_not_supported_yet_is_refused_and_not_passed_over() {
    let space = Space::new();
    space.write("clusters/home.toml", &format!("managed_by = \"omni\"\n{CLUSTER}"));
    assert_snapshot!(space.run(["status"]).all(), @r#"
    exit 2
    --- stderr
    error  OPS0199  a cluster that something else manages is not supported yet
      clusters/home.toml:1:14
      1 │ managed_by = "omni"
        │              ──────
    "#);
}

#[test]
fn an_error_for_machines() {
    let space = Space::new();
    space.write("clusters/home.toml", &CLUSTER.replace("address", "adress"));
    assert_snapshot!(space.run(["--json", "status"]).all(), @r#"
    exit 2
    --- stdout
    {"schema":"ops.error","version":1,"code":"OPS0202","exit":2,"help":["did you mean `address`?"],"label":"known here: role, address, endpoint, install_disk, tags, config, patches","meaning":"an unknown or wrong key in a configuration file","place":{"column":39,"file":"clusters/home.toml","length":6,"line":2,"text":"nodes.cp-1 = { role = \"controlplane\", adress = \"10.20.30.11\" }"},"title":"unknown key `adress`"}
    "#);
}

#[test]
fn a_cluster_that_does_not_exist() {
    let mut space = Space::new();
    space.write("clusters/home.toml", CLUSTER);
    assert_snapshot!(space.run(["--cluster", "hoem", "status"]).all(), @r#"
    exit 2
    --- stderr
    error  OPS0204  there is no cluster `hoem`
      clusters: home
      --cluster asks for it
      help: did you mean `home`?
    "#);
    space.env("OPS_CLUSTER", "elsewhere");
    space.run(["status"]).exit(2).stderr_has("OPS_CLUSTER asks for it");
}

#[test]
fn several_clusters_and_no_choice() {
    let space = Space::new();
    space.write("clusters/home.toml", CLUSTER).write("clusters/edge.toml", CLUSTER);
    space.run(["status"]).exit(2).stderr_has("say --cluster NAME");
}

#[test]
fn a_flag_that_does_not_exist() {
    assert_snapshot!(Space::new().run(["--jsn", "list"]).all(), @r#"
    exit 2
    --- stderr
    error  OPS0200  there is no flag `--jsn` here
      help: did you mean `--json`?
      next:  ops list --help
    "#);
}

#[test]
fn the_root_is_found_from_below() {
    let mut space = Space::new();
    space.write("clusters/home.toml", "nonsense = 1").write("a/b/c.txt", "");
    space.stand_in("a/b").run(["status"]).exit(2).stderr_has("clusters/home.toml:1:1");
    space.stand_in("a").run(["-C", "b", "status"]).exit(2).stderr_has("clusters/home.toml:1:1");
    space.run(["-C", "nowhere", "status"]).exit(2).stderr_has("cannot work in `nowhere`");
}

#[test]
fn colour_only_where_it_is_asked_for() {
    let space = Space::new();
    let plain = space.run(["--jsn"]).exit(2);
    assert!(!plain.stderr().contains('\u{1b}'));
    space.write("clusters/home.toml", "nonsense = 1");
    let painted = space.run(["--color", "always", "status"]).exit(2);
    assert!(painted.stderr().contains('\u{1b}'));
}

#[test]
fn help_names_every_exit_code() {
    let help = Space::new().run(["--help"]).exit(0);
    for code in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "10", "101", "130, 143"] {
        let line = |l: &str| l.trim_start().starts_with(&format!("{code}  "));
        assert!(help.stdout().lines().any(line), "{code}: {}", help.stdout());
    }
}

#[test]
fn the_template_inventory_is_a_valid_one() {
    let space = Space::new();
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/clusters/example.toml");
    space.write("clusters/example.toml", &std::fs::read_to_string(template).unwrap());
    space.run(["lab", "up"]).exit(0).stdout_has("cp-1");
}
