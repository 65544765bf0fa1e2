//! Machine configs that lie in files: plain ones, Jinja templates, the folders of topf; where the results may lie; and how they differ.

use std::process::Command;

use crate::fake_tools::{bundle, recorded, with_talosctl};
use crate::space::Space;

const HEAD: &str = "endpoint = \"https://10.20.30.10:6443\"\nversions = { talos = \"v1.13.0\", kubernetes = \"v1.36.0\" }\n";
const NODES: &str = "nodes.cp-1 = { role = \"controlplane\", address = \"10.20.30.11\" }\nnodes.w-1 = { role = \"worker\", address = \"10.20.30.21\", tags = [\"storage\"] }\n";

fn space(inventory: &str) -> Space {
    let space = Space::new();
    space.write("clusters/home.toml", &format!("{HEAD}{inventory}{NODES}"));
    space
}

fn config(space: &Space, node: &str) -> String {
    space.read(&format!(".ops/lab/home/clusterconfig/home-{node}.yaml"))
}

#[test]
fn plain_configs_get_their_nodes_name_and_patches_and_in_the_lab_its_secrets() {
    let space = space(
        "controlplane.config = \"controlplane.yaml\"\nworker.config = \"worker.yaml\"\npatches = [{ machine = { sysctls = { a = \"1\" } } }]\n",
    );
    for role in ["controlplane", "worker"] {
        space.write(&format!("{role}.yaml"), &recorded(role));
    }
    let _ = space.run(["--lab", "run", "talos:apply-config"]).exit(0);
    let worker = config(&space, "w-1");
    assert!(worker.contains("hostname: w-1") && worker.contains("a: \"1\""), "{worker}");
    let token =
        recorded("worker").lines().find(|l| l.contains("token:")).unwrap().trim().to_owned();
    assert!(!worker.contains(&token), "the lab has secrets of its own");
    let again = space.run(["--lab", "run", "talos:apply-config"]).exit(0);
    assert!(!again.stdout().contains(" changed"), "{}", again.all());
}

#[test]
fn a_plain_config_keeps_its_own_secrets_outside_the_lab() {
    let mut space = space("config = \"worker.yaml\"\n");
    with_talosctl(&mut space, "home");
    space.write("talsecret.yaml", &bundle());
    space.write("worker.yaml", &recorded("worker"));
    let _ = space.run(["run", "talos:generate-config", "--nodes", "w-1"]).exit(0);
    let text = space.read("clusterconfig/home-w-1.yaml");
    assert_eq!(text, recorded("worker").replace("auto: stable", "hostname: \"w-1\""));
    let ran = space.run(["run", "talos:generate-config", "--nodes", "cp-1"]).exit(1);
    assert!(ran.stderr().contains("`machine.type: worker`"), "{}", ran.all());
}

const TEMPLATE: &str = "version: v1alpha1
machine:
  type: {{ node.role }}
  token: {{ ENV.MACHINE_TOKEN }}
  ca: {crt: eA==, key: eA==}
  install: {disk: /dev/sda, image: \"installer:{{ cluster.versions.talos }}\"}
  certSANs: [\"{{ node.address }}\"]
{%- if \"storage\" in node.tags %}
  sysctls: {domain: \"{{ settings.domain }}\", swap: \"{{ env('SWAP') }}\"}
{%- endif %}
cluster:
  controlPlane: {endpoint: \"{{ cluster.endpoint }}\"}
  clusterName: {{ cluster.name }}
";

#[test]
fn a_template_knows_node_cluster_settings_and_the_environment() {
    let mut space = space(
        "config = \"talos/machineconfig.yaml.j2\"\nsettings = { domain = \"example.org\" }\ncontrolplane.patches = [\"talos/node.yaml.j2\"]\n",
    );
    space.env("MACHINE_TOKEN", "abcdef.0123456789abcdef").env("SWAP", "on");
    space.write("talos/machineconfig.yaml.j2", TEMPLATE);
    space.write("talos/node.yaml.j2", "machine: {nodeLabels: {host: \"{{ node.name }}\"}}\n");
    let _ = space.run(["--lab", "run", "talos:apply-config"]).exit(0);
    let plane = config(&space, "cp-1");
    assert!(plane.contains("host: cp-1") && plane.contains("- 10.20.30.11"), "{plane}");
    let worker = config(&space, "w-1");
    assert!(worker.contains("domain: example.org") && worker.contains("swap: \"on\""), "{worker}");
    assert!(
        worker.contains("installer:v1.13.0") && worker.contains("clusterName: home"),
        "{worker}"
    );
}

#[test]
fn a_mistake_in_a_template_is_shown_at_its_line() {
    let rows = [
        ("node.role", "node.rle", "`node.rle` is not defined", "m.j2:3:12"),
        ("ENV.MACHINE_TOKEN", "ENV.NOT_SET", "`ENV.NOT_SET` is not defined", "m.j2:4:13"),
        ("env('SWAP')", "env('NOT_SET')", "the variable `NOT_SET` is not set", "m.j2:9"),
        ("{%- endif %}", "", "m.j2", "m.j2:1"),
        ("version: v1alpha1", "versio: v1alpha1", "unknown key `versio`", "m.j2 (filled in):1:1"),
        ("version: v1alpha1", "{% include 'm.j2' %}", "recursion", "m.j2:1"),
    ];
    for (from, to, told, place) in rows {
        let mut space = space(
            "config = \"m.j2\"\npatches = [{ debug = true }]\nsettings = { domain = \"x\" }\n",
        );
        space.env("MACHINE_TOKEN", "abcdef.0123456789abcdef").env("SWAP", "on");
        space.write("m.j2", &TEMPLATE.replacen(from, to, 1));
        let ran = space.run(["--lab", "run", "talos:generate-config", "--nodes", "w-1"]).exit(1);
        assert!(ran.stderr().contains(told), "{to}: {}", ran.all());
        assert!(ran.stderr().contains(place), "{to}: {}", ran.all());
    }
}

const TOPF: &str = "clusterName: mine
clusterEndpoint: https://10.20.30.10:6443
kubernetesVersion: 1.36.0
talosVersion: 1.13.0
data: {region: eu}
nodes:
  - {host: cp-1, ip: 10.20.30.11, role: control-plane}
  - {host: w-1, ip: 10.20.30.21, role: worker, data: {uuid: u-1}, schematicId: abc}
";

fn topf() -> Space {
    let space = Space::new();
    space.write("clusters/home.toml", "topf = \"topf.yaml\"\n");
    space.write("topf.yaml", TOPF);
    space.write("all/02-last.yaml", "machine:\n  sysctls: {order: all-2}\n");
    space.write("all/01-first.yaml", "machine:\n  sysctls: {order: all-1, first: \"1\"}\n");
    space.write("all/notes.md", "no patch\n");
    space.write("control-plane/a.yml", "machine:\n  sysctls: {order: plane}\n");
    space.write("worker/empty.yaml", "# nothing\n---\n{}\n");
    space.write(
        "node/w-1/a.yaml.tpl",
        "machine:\n  nodeLabels:\n    uuid: {{ .Node.Data.uuid }}\n    region: {{ .Data.region | quote }}\n",
    );
    space
}

#[test]
fn the_folders_of_topf_are_laid_over_the_base_in_order() {
    let space = topf();
    let _ = space.run(["--lab", "run", "talos:apply-config"]).exit(0);
    let plane = config(&space, "cp-1");
    assert!(plane.contains("order: plane") && plane.contains("first: \"1\""), "{plane}");
    assert!(plane.contains("factory.talos.dev/metal-installer/376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba:v1.13.0"), "{plane}");
    let worker = config(&space, "w-1");
    for part in ["order: all-2", "uuid: u-1", "region: eu", "metal-installer/abc:v1.13.0"] {
        assert!(worker.contains(part), "{part}: {worker}");
    }
}

#[test]
fn a_mistake_in_a_file_of_topf_is_shown_at_its_line() {
    let rows = [
        (
            "topf.yaml",
            TOPF.replace("role: worker", "role: wrker"),
            2,
            "`wrker` is no role",
            "topf.yaml:8:",
        ),
        (
            "topf.yaml",
            TOPF.replace("talosVersion", "talosVersio"),
            2,
            "unknown key `talosVersio`",
            "topf.yaml:4:1",
        ),
        ("topf.yaml", format!("{TOPF}nodesProvider: ./x\n"), 2, "names a program", "topf.yaml:9:"),
        (
            "all/01-first.yaml",
            "- op: add\n  path: /a\n  value: 1\n".to_owned(),
            1,
            "RFC 6902",
            "all/01-first.yaml:1",
        ),
        (
            "all/01-first.yaml",
            "machine:\n  sysctl: {}\n".to_owned(),
            1,
            "unknown key `sysctl`",
            "all/01-first.yaml:2:3",
        ),
        (
            "node/w-1/a.yaml.tpl",
            "machine:\n  type: {{ .Node.Data.none }}\n".to_owned(),
            1,
            "none",
            "node/w-1/a.yaml.tpl:2",
        ),
    ];
    for (path, text, exit, told, place) in rows {
        let space = topf();
        space.write(path, &text);
        let ran = space.run(["--lab", "run", "talos:generate-config"]).exit(exit);
        assert!(ran.stderr().contains(told), "{}", ran.all());
        assert!(ran.stderr().contains(place), "{}", ran.all());
    }
}

fn git(space: &Space, args: &[&str]) {
    #[expect(clippy::disallowed_methods, reason = "a test makes a repository")]
    let status = Command::new("git").args(args).current_dir(space.root()).output().unwrap().status;
    assert!(status.success(), "git {args:?}");
}

#[test]
fn a_config_is_not_written_where_git_would_take_it() {
    let mut space = space("");
    with_talosctl(&mut space, "home");
    space.write("talsecret.yaml", &bundle());
    git(&space, &["init", "-q"]);
    let ran = space.run(["run", "talos:generate-config"]).exit(1);
    assert!(ran.stderr().contains("`clusterconfig/home-"), "{}", ran.all());
    assert!(ran.stderr().contains("Git does not ignore it"), "{}", ran.all());
    assert!(ran.stderr().contains("echo '/clusterconfig/' >> .gitignore"), "{}", ran.all());
    assert!(!space.path("clusterconfig/home-w-1.yaml").exists());
    space.write(".gitignore", "/clusterconfig/\n");
    let _ = space.run(["run", "talos:generate-config"]).exit(0);
    let mode = std::fs::metadata(space.path("clusterconfig/home-w-1.yaml")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
    git(&space, &["add", "-f", "clusterconfig/home-w-1.yaml"]);
    space.write("clusters/home.toml", &format!("{HEAD}patches = [{{ debug = true }}]\n{NODES}"));
    let before = space.read("clusterconfig/home-w-1.yaml");
    let ran = space.run(["run", "talos:generate-config", "--nodes", "w-1"]).exit(1);
    assert!(ran.stderr().contains("Git tracks it"), "{}", ran.all());
    assert!(ran.stderr().contains("git rm -r --cached clusterconfig/"), "{}", ran.all());
    assert_eq!(space.read("clusterconfig/home-w-1.yaml"), before);
}

#[test]
fn the_folder_of_ops_is_kept_from_git() {
    let space = space("");
    git(&space, &["init", "-q"]);
    let _ = space.run(["--lab", "run", "talos:generate-config"]).exit(0);
    #[expect(clippy::disallowed_methods, reason = "a test asks git")]
    let status =
        Command::new("git").args(["status", "--porcelain"]).current_dir(space.root()).output();
    assert_eq!(String::from_utf8(status.unwrap().stdout).unwrap(), "?? clusters/\n");
}

#[test]
fn diff_shows_what_would_change_in_files_and_on_nodes_and_says_so_with_its_exit_code() {
    let space = space("patches = [\"p.yaml\"]\n");
    space.write("p.yaml", "machine:\n  sysctls: {a: one}\n  env: {TOKEN: canary-1}\n");
    let new = space.run(["--lab", "diff", "w-1"]).exit(0);
    assert!(new.stdout().contains("+ config") && new.stdout().contains("1 of 1"), "{}", new.all());
    let bare = space.run(["--lab", "diff", "--live"]).exit(0);
    assert!(bare.stdout().contains("maintenance mode"), "{}", bare.all());
    let _ = space.run(["--lab", "run", "talos:apply-config"]).exit(0);
    let same = space.run(["--lab", "diff", "--exit-code"]).exit(0);
    assert!(same.stdout().contains("2 machine configs, nothing differs"), "{}", same.all());
    space.write("p.yaml", "machine:\n  sysctls: {a: two}\n  env: {TOKEN: canary-2}\n");
    for args in [&["--lab", "diff", "--exit-code"][..], &["--lab", "diff", "--live", "--exit-code"]]
    {
        let ran = space.run(args.iter().copied()).exit(10);
        assert!(
            ran.stdout().contains("w-1") && ran.stdout().contains("~ machine.env.TOKEN\n"),
            "{}",
            ran.all()
        );
        assert!(ran.stdout().contains("~ machine.sysctls.a: \"one\" → \"two\""), "{}", ran.all());
        assert!(!ran.all().contains("canary"), "{}", ran.all());
    }
    let json = space.run(["--lab", "diff", "--json", "--nodes", "workers"]).exit(0);
    let json: serde_json::Value = serde_json::from_str(&json.stdout()).unwrap();
    assert_eq!((&json["schema"], &json["against"]), (&"ops.diff".into(), &"file".into()));
    assert_eq!(json["nodes"][0]["node"], "w-1");
    let painted = space.run(["--lab", "diff", "--color", "always"]).exit(0);
    assert!(painted.stdout().contains("\u{1b}[33m~ machine.sysctls.a"), "{}", painted.all());
    let files = space.run(["--lab", "run", "talos:diff"]).exit(0);
    assert!(files.stdout().contains("~ machine.sysctls.a"), "{}", files.all());
}
