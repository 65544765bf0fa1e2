//! Patches of an inventory through the real binary, in the lab: their order, their forms, their mistakes, and that a second run changes nothing.

use crate::space::{Ran, Space};

const NODES: &str = r#"
nodes.cp-1 = { role = "controlplane", address = "10.20.30.11" }
nodes.w-1 = { role = "worker", address = "10.20.30.21", patches = [PATCHES] }
"#;

/// A repository with one worker, whose patches these are.
fn space(cluster: &str, own: &str) -> Space {
    let space = Space::new();
    let head = "endpoint = \"https://10.20.30.10:6443\"\nversions = { talos = \"v1.13.0\", kubernetes = \"v1.36.0\" }\n";
    let text = format!("{head}{cluster}{}", NODES.replace("PATCHES", own));
    space.write("clusters/home.toml", &text);
    space
}

fn render(space: &Space) -> Ran {
    space.run(["--lab", "run", "talos:generate-config"])
}

fn config(space: &Space, node: &str) -> String {
    space.read(&format!(".ops/lab/home/clusterconfig/home-{node}.yaml"))
}

fn sysctl(name: &str, value: &str) -> String {
    format!("machine:\n  sysctls:\n    all.together: {value}\n    only.{name}: \"1\"\n")
}

#[test]
fn the_nodes_patches_win_over_its_roles_and_those_over_the_clusters() {
    let cluster = "patches = [\"p/all.yaml\"]\nworker.patches = [\"p/worker.yaml\"]\ncontrolplane.patches = [\"p/plane.yaml\"]\n";
    let space = space(cluster, "\"@p/node.yaml\"");
    for name in ["all", "worker", "plane", "node"] {
        space.write(&format!("p/{name}.yaml"), &sysctl(name, name));
    }
    let _ = render(&space).exit(0);
    let worker = config(&space, "w-1");
    assert!(worker.contains("all.together: node\n"), "{worker}");
    for name in ["all", "worker", "node"] {
        assert!(worker.contains(&format!("only.{name}: \"1\"")), "{worker}");
    }
    let plane = config(&space, "cp-1");
    assert!(plane.contains("all.together: plane\n") && !plane.contains("only.worker"), "{plane}");
}

#[test]
fn a_patch_is_a_file_a_pattern_a_text_or_a_table() {
    let own = r#""p/*.yaml", """
machine:
  sysctls: {text.patch: "1"}""", { machine = { sysctls = { "table.patch" = "1" } } }, '{"machine":{"sysctls":{"json.patch":"1"}}}'"#;
    let space = space("", own);
    space.write("p/1.yaml", &sysctl("one", "one"));
    space.write("p/2.yaml", &sysctl("two", "two"));
    let _ = render(&space).exit(0);
    let worker = config(&space, "w-1");
    for name in ["only.one", "only.two", "text.patch", "table.patch", "json.patch"] {
        assert!(worker.contains(name), "{name}: {worker}");
    }
    assert!(worker.contains("all.together: two"), "files of a pattern go by name: {worker}");
}

#[test]
fn a_json_patch_applies_to_a_config_of_one_document() {
    let space = Space::new();
    space.write(
        "clusters/home.toml",
        &NODES
            .replace("PATCHES", "")
            .replace("\nnodes.cp-1", "endpoint = \"https://10.20.30.10:6443\"\nnodes.cp-1"),
    );
    space.write("c.yaml", "machine:\n  type: worker\n");
    space.write(
        "recipes/patch.lua",
        r#"return ops.recipe { desc = "Patch", run = function()
             local out = talos.machineconfig.patch { "c.yaml", patch = { '[{"op":"add","path":"/machine/sysctls","value":{"a":"b"}}]', { debug = true } } }
             fs.write { "out.yaml", content = out }
           end }"#,
    );
    let _ = space.run(["--lab", "run", "patch"]).exit(0);
    let out = space.read("out.yaml");
    assert!(out.contains("a: b") && out.contains("debug: true"), "{out}");
}

#[test]
fn a_recipe_may_lay_patches_over_a_node() {
    let space = space("", "");
    space.write(
        "recipes/show.lua",
        r#"return ops.recipe { desc = "Show", run = function(cx)
             local node = cx.cluster:node("w-1")
             local out = talos.render { node, patches = { { machine = { sysctls = { ["from.recipe"] = "1" } } } } }
             fs.write { ".ops/out.yaml", content = out }
           end }"#,
    );
    let _ = space.run(["--lab", "run", "show"]).exit(0);
    assert!(space.read(".ops/out.yaml").contains("from.recipe: \"1\""));
}

#[test]
fn a_second_run_changes_nothing_and_a_changed_patch_only_what_it_is_about() {
    let space = space("patches = [\"p.yaml\"]\n", "");
    space.write("p.yaml", &sysctl("a", "one"));
    let _ = space.run(["--lab", "run", "talos:apply-config"]).exit(0);
    let again = space.run(["--lab", "run", "talos:apply-config"]).exit(0);
    assert!(!again.stdout().contains(" changed"), "{}", again.all());
    space.write("p.yaml", &sysctl("a", "two"));
    let plan = space.run(["--lab", "plan", "talos:apply-config"]).exit(0);
    let line = "~ machine.sysctls.all.together: \"one\" → \"two\"";
    assert_eq!(plan.stdout().matches(line).count(), 4, "files and nodes: {}", plan.all());
    let third = space.run(["--lab", "run", "talos:apply-config"]).exit(0);
    assert!(third.stdout().contains("w-1 apply-config changed, no reboot"), "{}", third.all());
}

/// A patch file, and what is said about it.
const MISTAKES: &[(&str, &[&str])] = &[
    (
        "machine:\n  kubelet:\n    extraArg: {a: b}\n",
        &[
            "unknown key `extraArg`",
            "  p.yaml:3:5\n  3 │     extraArg: {a: b}",
            "did you mean `extraArgs`?",
        ],
    ),
    ("machine:\n  install: {wipe: perhaps}\n", &["p.yaml:2:19"]),
    ("machine:\n\tsysctls: {}\n", &["p.yaml:2:"]),
    ("machine: {a: 1\n", &["p.yaml:2:"]),
    ("machine:\n  env: {A: b}\nmachine:\n  env: {}\n", &["p.yaml:3:1"]),
    ("apiVersion: v1alpha1\nkind: NoSuchConfig\n", &["p.yaml:2:", "NoSuchConfig"]),
    ("machine:\n  sysctls:\n    a:\n      $patch: delete\n", &["nothing to delete", "p.yaml:4:7"]),
    ("just words\n", &["p.yaml:"]),
    ("{}\n", &["p.yaml"]),
];

#[test]
fn a_mistake_in_a_patch_is_shown_at_its_line_and_the_old_config_stays() {
    let space = space("", "\"p.yaml\"");
    space.write("p.yaml", &sysctl("a", "one"));
    let _ = render(&space).exit(0);
    let before = config(&space, "w-1");
    for (text, told) in MISTAKES {
        space.write("p.yaml", text);
        let ran = render(&space).exit(1);
        for part in *told {
            assert!(ran.stderr().contains(part), "{text:?} lacks {part:?}: {}", ran.all());
        }
        // Whose recipe makes the call is of no use to who mends the patch.
        assert!(!ran.stderr().contains("called at embedded:"), "{}", ran.all());
        assert_eq!(config(&space, "w-1"), before, "{text:?}");
    }
}

#[test]
fn bytes_that_are_no_text_are_told_with_their_line() {
    let space = space("", "\"p.yaml\"");
    std::fs::write(space.path("p.yaml"), b"machine:\n  env: {A: \xff}\n").unwrap();
    let ran = render(&space).exit(1);
    assert!(ran.stderr().contains("p.yaml:2"), "{}", ran.all());
    std::fs::write(space.path("p.yaml"), vec![b'a'; 50 << 20]).unwrap();
    let ran = render(&space).exit(1);
    assert!(ran.stderr().contains("at most"), "{}", ran.all());
}

#[test]
fn an_inline_mistake_is_shown_in_the_inventory() {
    let space = space("", "\"\"\"\nmachine:\n  sysctl: {a: b}\n\"\"\"");
    let ran = render(&space).exit(1);
    assert!(ran.stderr().contains("clusters/home.toml:7"), "{}", ran.all());
    assert!(ran.stderr().contains("did you mean `sysctls`?"), "{}", ran.all());
}

#[test]
fn a_patch_that_is_not_there_is_shown_where_it_is_named() {
    for (own, told) in [
        ("\"p/none.yaml\"", "there is no patch `p/none.yaml`"),
        ("\"p/*.yaml\"", "no file matches the patches `p/*.yaml`"),
    ] {
        let space = space("", own);
        let ran = render(&space).exit(1);
        assert!(ran.stderr().contains(told), "{}", ran.all());
        assert!(ran.stderr().contains("clusters/home.toml:5:"), "{}", ran.all());
    }
}

#[test]
fn a_path_that_leaves_the_repository_is_refused_before_anything_is_read() {
    for path in ["../x.yaml", "/etc/passwd"] {
        let space = space("", &format!("\"{path}\""));
        let ran = render(&space).exit(2);
        assert!(ran.stderr().contains("clusters/home.toml:5:"), "{}", ran.all());
    }
    let space = space("", "\"link.yaml\"");
    std::os::unix::fs::symlink("/etc/hostname", space.path("link.yaml")).unwrap();
    let ran = render(&space).exit(1);
    assert!(ran.stderr().contains("leaves the repository"), "{}", ran.all());
}

#[test]
fn a_patch_that_makes_it_another_nodes_config_is_refused() {
    for (patch, told) in [
        ("machine: {type: controlplane}", "`machine.type: controlplane`"),
        ("apiVersion: v1alpha1\nkind: HostnameConfig\nhostname: other\n", "calls the node `other`"),
        ("machine: {sysctls: {a: op://vault/item/field}}", "`machine.sysctls.a`"),
    ] {
        let space = space("", "\"p.yaml\"");
        space.write("p.yaml", patch);
        let ran = render(&space).exit(1);
        assert!(ran.stderr().contains(told), "{}", ran.all());
    }
}

#[test]
fn a_single_control_plane_gets_its_first_config_without_a_snapshot() {
    let space = space("", "");
    let _ = space.run(["--lab", "run", "bootstrap:cluster"]).exit(0);
}
