//! An inventory that is read from a talconfig.yaml: nothing is said twice, variables and secrets come from where talhelper takes them.

use crate::fake_tools::{SEALED, asked, bundle, with_sops, with_talosctl};
use crate::space::Space;

const TALCONFIG: &str = r#"clusterName: ${clusterName}
talosVersion: v1.13.0
kubernetesVersion: v1.36.0
endpoint: https://10.20.30.10:6443
clusterPodNets: [10.69.0.0/16]
patches:
  - "@./patches/all.yaml"
controlPlane:
  patches:
    - |-
      machine:
        sysctls: {group: "1"}
nodes:
  - hostname: cp-1
    ipAddress: 10.20.30.11
    controlPlane: true
    installDisk: /dev/sda
  - hostname: w-1
    ipAddress: 10.20.30.21, fd00::21
    installDisk: /dev/nvme0n1
    nodeLabels: {zone: a}
"#;

/// A repository with a talconfig in `talos/`, and what the inventory adds.
fn space(inventory: &str) -> Space {
    let space = Space::new();
    space
        .write("clusters/home.toml", &format!("talconfig = \"talos/talconfig.yaml\"\n{inventory}"));
    space.write("talos/talconfig.yaml", TALCONFIG);
    space.write("talos/talenv.yaml", "clusterName: homelab\nNTP: time.example\n");
    space.write("talos/patches/all.yaml", "machine:\n  time:\n    servers: [\"${NTP}\"]\n");
    space
}

/// The same, with tools and a bundle.
fn live(inventory: &str) -> Space {
    let mut space = space(inventory);
    with_talosctl(&mut space, "homelab");
    with_sops(&mut space);
    space.write("talos/talsecret.yaml", &bundle());
    space
}

#[test]
fn nodes_endpoint_versions_and_networks_come_from_it() {
    let space = space("nodes.w-1 = { tags = [\"storage\"] }\n");
    space.write(
        "recipes/probe.lua",
        r#"return ops.recipe { desc = "Probe", run = function(cx)
             local c = cx.cluster
             log.info("%s %s %s %s %s", c.name, c.context, c.endpoint, c.versions.talos, c.versions.kubernetes)
             log.info("%s %s %s", c.pod_cidrs[1], c.service_cidrs[1], c.talosconfig)
             for _, node in ipairs(c.nodes) do
               log.info("%s %s %s %s %s", node, node.role, node.address, node.install_disk.device, node.tags[1] or "-")
             end
             log.info("%s", c:machine_config("w-1"))
           end }"#,
    );
    let ran = space.run(["run", "probe"]).exit(0);
    for line in [
        "home homelab https://10.20.30.10:6443 v1.13.0 v1.36.0",
        "10.69.0.0/16 10.96.0.0/12 talos/clusterconfig/talosconfig",
        "cp-1 controlplane 10.20.30.11 /dev/sda -",
        "w-1 worker 10.20.30.21 /dev/nvme0n1 storage",
        "talos/clusterconfig/homelab-w-1.yaml",
    ] {
        assert!(ran.stdout().contains(line), "{line}: {}", ran.all());
    }
}

#[test]
fn each_node_is_rendered_with_its_group_its_files_and_its_variables_and_only_once() {
    let space = live("worker.patches = [{ machine = { sysctls = { inventory = \"1\" } } }]\n");
    let _ = space.run(["run", "talos:generate-config"]).exit(0);
    let plane = space.read("talos/clusterconfig/homelab-cp-1.yaml");
    for part in
        ["- time.example", "group: \"1\"", "hostname: cp-1", "disk: /dev/sda", "factory.talos.dev"]
    {
        assert!(plane.contains(part), "{part}: {plane}");
    }
    let worker = space.read("talos/clusterconfig/homelab-w-1.yaml");
    for part in ["zone: a", "disk: /dev/nvme0n1", "inventory: \"1\""] {
        assert!(worker.contains(part), "{part}: {worker}");
    }
    assert!(!worker.contains("group"), "{worker}");
    let again = space.run(["run", "talos:generate-config"]).exit(0);
    assert!(again.stdout().contains("up to date"), "{}", again.all());
    let forced = space.run(["run", "--force", "talos:generate-config"]).exit(0);
    assert!(forced.stdout().contains("3 unchanged"), "{}", forced.all());
    let bases = asked(&space);
    let bases: Vec<&String> = bases.iter().filter(|a| a.contains("output-types=worker")).collect();
    assert_eq!(bases.len(), 1, "the base is made once: {bases:?}");
    assert!(
        bases[0]
            .starts_with("gen config homelab https://10.20.30.10:6443 --with-secrets=/dev/stdin")
    );
}

#[test]
fn it_is_rehearsed_in_the_lab_with_the_labs_secrets() {
    let space = space("");
    let _ = space.run(["--lab", "run", "talos:apply-config"]).exit(0);
    let again = space.run(["--lab", "run", "talos:apply-config"]).exit(0);
    assert!(!again.stdout().contains(" changed"), "{}", again.all());
}

#[test]
fn what_the_talconfig_says_is_not_said_again() {
    let rows = [
        (
            "endpoint = \"https://10.0.0.1:6443\"",
            "`endpoint` comes from talos/talconfig.yaml already",
            "2:12",
        ),
        ("versions.talos = \"v1.12.0\"", "`versions.talos` comes from", "2:18"),
        ("pod_cidrs = [\"10.1.0.0/16\"]", "`pod_cidrs` comes from", "2:14"),
        ("nodes.w-1 = { address = \"10.0.0.9\" }", "`address` comes from", "2:25"),
        ("nodes.w-1 = { install_disk = { serial = \"x\" } }", "`install_disk` comes from", "2:30"),
        ("nodes.w-9 = { tags = [\"a\"] }", "talos/talconfig.yaml has no node `w-9`", "2:7"),
        (
            "worker.config = \"worker.yaml\"",
            "the machine configs come from talos/talconfig.yaml",
            "2:17",
        ),
        ("topf = \"topf.yaml\"", "one cluster cannot come from `talconfig` and from `topf`", "2:8"),
    ];
    for (line, told, place) in rows {
        let ran = space(&format!("{line}\n")).run(["list"]).exit(2);
        assert!(ran.stderr().contains(told), "{line}: {}", ran.all());
        assert!(
            ran.stderr().contains(&format!("clusters/home.toml:{place}")),
            "{line}: {}",
            ran.all()
        );
    }
}

#[test]
fn a_mistake_in_the_talconfig_is_shown_at_its_line() {
    let rows = [
        ("clusterName: ${clusterName}\n", "", "`clusterName` is missing", "talos/talconfig.yaml:1"),
        (
            "10.20.30.11",
            "10.20.30.999",
            "`10.20.30.999` is no IP address or host name",
            "talos/talconfig.yaml:15:16",
        ),
        (
            "hostname: cp-1",
            "hostname: w-1",
            "there are two nodes `w-1`",
            "talos/talconfig.yaml:18:",
        ),
        ("https://10.20.30.10:6443", "http://a", "is no https URL", "talos/talconfig.yaml:4:11"),
        (
            "${clusterName}",
            "${clusterNme}",
            "the variable `clusterNme` is not set",
            "talos/talconfig.yaml:1:14",
        ),
        ("10.69.0.0/16", "10.69.0.0", "is no network", "talos/talconfig.yaml:5:18"),
        ("nodes:", "nods:", "did you mean `nodes`?", "talos/talconfig.yaml:13"),
    ];
    for (from, to, told, place) in rows {
        let space = space("");
        space.write("talos/talconfig.yaml", &TALCONFIG.replacen(from, to, 1));
        let ran = space.run(["list"]).exit(2);
        assert!(ran.stderr().contains(told), "{to}: {}", ran.all());
        assert!(ran.stderr().contains(place), "{to}: {}", ran.all());
    }
    let rows = [
        ("nodeLabels", "nodeLabel", "did you mean `nodeLabels`?", "talos/talconfig.yaml:21:5"),
        ("patches/all", "patches/none", "there is no file", "talos/talconfig.yaml:7:"),
        ("./patches/all", "../../all", "leaves the repository", "talos/talconfig.yaml:7:"),
    ];
    for (from, to, told, place) in rows {
        let space = live("");
        space.write("talos/talconfig.yaml", &TALCONFIG.replacen(from, to, 1));
        let ran = space.run(["run", "talos:generate-config"]).exit(1);
        assert!(ran.stderr().contains(told), "{to}: {}", ran.all());
        assert!(ran.stderr().contains(place), "{to}: {}", ran.all());
    }
}

#[test]
fn a_missing_bundle_is_never_a_new_cluster() {
    let space = live("");
    std::fs::remove_file(space.path("talos/talsecret.yaml")).unwrap();
    let ran = space.run(["run", "talos:generate-config"]).exit(1);
    assert!(
        ran.stderr().contains("there is no secrets bundle at talos/talsecret.yaml"),
        "{}",
        ran.all()
    );
    assert!(ran.stderr().contains("ops run talos:generate-secrets"), "{}", ran.all());
    assert!(!space.path("talos/clusterconfig").exists());
}

#[test]
fn variables_come_from_the_last_talenv_file_and_then_from_the_environment() {
    let mut space = live("");
    space.env("NTP", "env.example").env("clusterName", "env");
    let ntp = |space: &Space| {
        let _ = space.run(["run", "talos:generate-config", "--nodes", "w-1"]).exit(0);
        let text = space.read("talos/clusterconfig/homelab-w-1.yaml");
        text.lines().find(|l| l.trim().ends_with(".example")).unwrap().trim().to_owned()
    };
    assert_eq!(ntp(&space), "- time.example");
    space.write("talos/talenv.yml", "NTP: yml.example\n");
    assert_eq!(ntp(&space), "- yml.example");
    space.write("talos/talenv.yml", "OTHER: x\n");
    space.write("talos/talenv.yaml", "clusterName: homelab\n");
    assert_eq!(ntp(&space), "- env.example");
}

/// Secrets, variables and a patch, encrypted as far as the fake goes.
pub(crate) fn sealed() -> Space {
    let space = live("");
    std::fs::remove_file(space.path("talos/talsecret.yaml")).unwrap();
    let encrypted = |text: &str| {
        let line = |line: &str| match line.split_once(": ") {
            Some((key, value)) => format!("{key}: ENC[AES256_GCM,data:{value}]\n"),
            None => format!("{line}\n"),
        };
        text.lines().map(line).collect::<String>() + SEALED
    };
    space.write("talos/talsecret.sops.yaml", &encrypted(&bundle()));
    std::fs::remove_file(space.path("talos/talenv.yaml")).unwrap();
    space.write(
        "talos/talenv.sops.yaml",
        &encrypted("clusterName: homelab\nNTP: canary-1.example\n"),
    );
    let patch =
        "machine:\n  time:\n    servers: [\"${NTP}\"]\n  sysctls:\n    s: canary-2-secret\n";
    space.write("talos/patches/all.yaml", &encrypted(patch));
    space
}

#[test]
fn encrypted_secrets_variables_and_patches_are_opened_by_sops_and_shown_nowhere() {
    let mut space = sealed();
    space.env("KEY_OF_SOPS", "1");
    let first = space.run(["-v", "run", "talos:generate-config"]).exit(0);
    let config = space.read("talos/clusterconfig/homelab-w-1.yaml");
    assert!(
        config.contains("- canary-1.example") && config.contains("s: canary-2-secret"),
        "{config}"
    );
    assert!(!config.contains("ENC["), "{config}");
    let text = space.read("talos/patches/all.yaml").replace("canary-2-secret", "canary-3-secret");
    space.write("talos/patches/all.yaml", &text);
    let diff = space.run(["diff"]).exit(0);
    assert!(diff.stdout().contains("  ~ machine.sysctls.s\n"), "{}", diff.all());
    let plan = space.run(["--json", "plan", "talos:generate-config"]).exit(0);
    for ran in [first, diff, plan] {
        assert!(!ran.all().contains("canary-"), "{}", ran.all());
    }
    let runs = walk(&space.state());
    assert!(runs.len() > 2, "{runs:?}");
    for path in runs {
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(7).any(|part| part == b"canary-");
        assert!(!found, "{}", path.display());
    }
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn without_the_tool_or_a_key_nothing_is_rendered_and_no_ciphertext_goes_on() {
    let space = sealed();
    let ran = space.run(["list"]).exit(2);
    assert!(
        ran.stderr()
            .contains("`talos/talenv.sops.yaml` cannot be decrypted: sops has no key that fits"),
        "{}",
        ran.all()
    );
    let mut space = sealed();
    std::fs::remove_file(space.state().join("fakes/sops")).unwrap();
    let ran = space.run(["list"]).exit(6);
    assert!(ran.stderr().contains("`sops` is not on PATH"), "{}", ran.all());
    // The inventory itself needs nothing encrypted: only the rendering does.
    space.write("talos/talenv.yml", "clusterName: homelab\n");
    let _ = space.run(["list"]).exit(0);
    let ran = space.run(["run", "talos:generate-config"]).exit(6);
    assert!(ran.stderr().contains("is encrypted: `sops` is not on PATH"), "{}", ran.all());
    with_sops(&mut space);
    let ran = space.run(["run", "talos:generate-config"]).exit(1);
    assert!(ran.stderr().contains("sops has no key that fits"), "{}", ran.all());
    assert!(!space.path("talos/clusterconfig").exists(), "nothing was written");
}
