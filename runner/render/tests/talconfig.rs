//! Reading a talconfig.yaml: types, variables, groups, and what is refused.

#![allow(clippy::unwrap_used)]

use ops_render::Source;
use ops_render::talconfig::{Role, Schema, Talconfig, Variables};

const BASE: &str = "clusterName: demo\ntalosVersion: 1.13.0\nkubernetesVersion: v1.36.0\nendpoint: https://10.0.0.10:6443\n";
const NODE: &str = "nodes:\n  - hostname: cp-1\n    ipAddress: 10.0.0.11\n    controlPlane: true\n    installDisk: /dev/sda\n";

fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn load(text: &str, pairs: &[(&str, &str)]) -> Result<Talconfig, Vec<String>> {
    let schema = Schema::load().unwrap();
    let source = Source { name: "talconfig.yaml", bytes: text.as_bytes() };
    Talconfig::read(source, &schema, &variables(pairs)).map_err(|problems| {
        let line = |p: &ops_render::Diagnostic| {
            format!("{}:{} {} {}", p.line, p.column, p.code, p.message)
        };
        problems.iter().map(line).collect()
    })
}

#[track_caller]
fn refused(text: &str, expected: &[&str]) {
    let problems = load(text, &[]).unwrap_err();
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, start) in problems.iter().zip(expected) {
        assert!(problem.starts_with(start), "{problem} does not start with {start}");
    }
}

#[test]
fn versions_lose_and_gain_their_letter() {
    let config = load(&format!("{BASE}{NODE}"), &[]).unwrap();
    assert_eq!(config.talos_version, "v1.13.0");
    assert_eq!(config.kubernetes_version, "1.36.0");
    assert_eq!(config.cluster_name, "demo");
    assert_eq!(config.endpoint, "https://10.0.0.10:6443");
}

#[test]
fn an_address_may_be_several() {
    let text = format!("{BASE}{}", NODE.replace("10.0.0.11", "10.0.0.11, fd00::11"));
    let node = &load(&text, &[]).unwrap().nodes[0];
    assert_eq!(node.addresses, ["10.0.0.11", "fd00::11"]);
    assert_eq!((node.hostname.as_str(), node.role), ("cp-1", Role::ControlPlane));
}

#[test]
fn group_patches_come_before_the_nodes_and_the_files_last() {
    let text = format!(
        "{BASE}patches: ['@all.yaml']\ncontrolPlane:\n  patches: ['@group.yaml']\nworker:\n  patches: ['@worker.yaml']\n{NODE}    patches: ['@node.yaml']\n"
    );
    let config = load(&text, &[]).unwrap();
    let patches = config.patches_of(&config.nodes[0]);
    let texts: Vec<&str> = patches.iter().map(|patch| &*patch.text).collect();
    assert_eq!(texts, ["@group.yaml", "@node.yaml", "@all.yaml"]);
    assert_eq!(patches[1].mark.line, 15);
}

#[test]
fn a_node_may_override_the_patches_of_its_group() {
    let text = format!(
        "{BASE}controlPlane:\n  patches: ['@group.yaml']\n{NODE}    overridePatches: true\n    patches: ['@node.yaml']\n"
    );
    let config = load(&text, &[]).unwrap();
    let patches = config.patches_of(&config.nodes[0]);
    assert_eq!(patches.len(), 1);
}

#[test]
fn a_setting_of_the_node_replaces_its_groups() {
    let text = format!(
        "{BASE}controlPlane:\n  filenameTmpl: group.yaml\n  talosImageURL: example.org/a\n{NODE}    talosImageURL: example.org/b\n"
    );
    let node = &load(&text, &[]).unwrap().nodes[0];
    assert_eq!(node.filename_template, "group.yaml");
    assert_eq!(node.image, "example.org/b");
}

#[test]
fn a_schematic_has_the_id_that_image_factory_gives_it() {
    let empty = load(&format!("{BASE}{NODE}"), &[]).unwrap().nodes[0].schematic_id.clone();
    assert_eq!(empty, "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba");
    let text = format!(
        "{BASE}controlPlane:\n  schematic:\n    customization:\n      systemExtensions:\n        officialExtensions: [siderolabs/intel-ucode, siderolabs/tailscale]\n      extraKernelArgs: [net.ifnames=0]\n    overlay: {{name: rock64, image: siderolabs/sbc-rockchip}}\n{NODE}"
    );
    let id = load(&text, &[]).unwrap().nodes[0].schematic_id.clone();
    assert_eq!(id, "67a999813ff49ba00dc632aa48170dc866bda646b7ee4f944e2fb7dc50b522bd");
}

#[test]
fn variables_are_replaced_by_the_rules_of_envsubst() {
    let table = [
        ("$NAME", "demo"),
        ("${NAME}", "demo"),
        ("a-${NAME}-b", "a-demo-b"),
        ("${NONE:-other}", "other"),
        ("${NONE-other}", "other"),
        ("${EMPTY:-other}", "other"),
        ("${NONE:-$NAME}", "demo"),
        ("${NAME:+set}", "set"),
        ("$$NAME", "$NAME"),
        ("5$", "5$"),
    ];
    for (text, expected) in table {
        let text = format!("{BASE}{NODE}").replace("demo", text);
        let config = load(&text, &[("NAME", "demo"), ("EMPTY", "")]).unwrap();
        assert_eq!(config.cluster_name, expected, "{text}");
    }
}

#[test]
fn missing_and_empty_variables_are_refused_where_they_stand() {
    for (text, why) in [("${NONE}", "not set"), ("$EMPTY", "empty"), ("${NAME", "not closed")] {
        let text = format!("{BASE}{NODE}").replace("demo", text);
        let problems = load(&text, &[("NAME", "x"), ("EMPTY", "")]).unwrap_err();
        assert!(problems[0].starts_with("1:14 OPS0913"), "{problems:?}");
        assert!(problems[0].contains(why), "{problems:?}");
    }
}

#[test]
fn variables_in_comments_are_left_alone() {
    assert!(load(&format!("# ${{NONE}}\n{BASE}{NODE}# $NONE\n"), &[]).is_ok());
}

#[test]
fn unknown_keys_are_refused_at_their_place() {
    refused(&format!("{BASE}domian: x\n{NODE}"), &["5:1 OPS0902 unknown key `domian`"]);
    refused(
        &format!(
            "{BASE}{NODE}    networkInterfaces:\n      - interface: eth0\n        dhpc: true\n"
        ),
        &["12:9 OPS0902 unknown key `dhpc` in `nodes[0].networkInterfaces[0]`"],
    );
}

#[test]
fn keys_that_are_there_for_their_anchors_only_are_let_alone() {
    for key in ["x-common", ".common", "_common"] {
        let text = format!("{key}: &c {{zone: a}}\n{BASE}{NODE}    nodeLabels: *c\n");
        assert!(load(&text, &[]).is_ok(), "{key}");
    }
    refused(&format!("{BASE}{NODE}    x-common: a\n"), &["10:5 OPS0902 unknown key `x-common`"]);
    refused(&format!("xcommon: a\n{BASE}{NODE}"), &["1:1 OPS0902 unknown key `xcommon`"]);
}

#[test]
fn wrong_types_are_refused_at_their_place() {
    refused(&format!("{BASE}{NODE}    nodeLabels: [a]\n"), &["10:17 OPS0904"]);
}

#[test]
fn what_is_missing_is_named() {
    refused(
        "clusterName: demo\nnodes:\n  - controlPlane: true\n",
        &[
            "1:1 OPS0913 `kubernetesVersion`",
            "1:1 OPS0913 `endpoint`",
            "3:5 OPS0913 the node has no `hostname`",
            "3:5 OPS0913 node `` has no `ipAddress`",
            "3:5 OPS0913 node `` has no `installDisk`",
        ],
    );
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let twice = NODE.strip_prefix("nodes:\n").unwrap();
    refused(&format!("{BASE}{NODE}{twice}"), &["10:15 OPS0913 node `cp-1` is in line 6"]);
    refused(&format!("{BASE}{NODE}").replace("10.0.0.11", "10.0.0.999"), &["7:16 OPS0913"]);
    refused(&format!("{BASE}{NODE}").replace("https:", "http:"), &["4:11 OPS0913"]);
    refused(&format!("{BASE}{NODE}").replace("cp-1", "cp_1"), &["6:15 OPS0913"]);
    refused("", &["0:0 OPS0913 the talconfig is empty"]);
}

const GENERATED: &str = "version: v1alpha1\nmachine:\n  type: controlplane\n  install: {}\ncluster:\n  controlPlane: {endpoint: https://10.0.0.10:6443}\n---\napiVersion: v1alpha1\nkind: HostnameConfig\nauto: stable\n";

fn render(text: &str) -> Result<String, Vec<String>> {
    let schema = Schema::load().unwrap();
    let profile = ops_render::Profile::load("1.14.0-alpha.2").unwrap();
    let config = load(text, &[]).unwrap();
    let base = Source { name: "base.yaml", bytes: GENERATED.as_bytes() };
    let read = |name: &str| match name {
        "good.yaml" => Ok(b"# ${NONE}\nmachine:\n  sysctls: {a: \"1\"}\n".to_vec()),
        "typo.yaml" => Ok(b"machine:\n  sysctl: {}\n".to_vec()),
        _ => Err("no such file".to_owned()),
    };
    let rendered = config.render(&config.nodes[0], base, &schema, &profile, &variables(&[]), &read);
    let line =
        |p: &ops_render::Diagnostic| format!("{}:{}:{} {}", p.file, p.line, p.column, p.message);
    rendered.map(|patched| patched.text).map_err(|problems| problems.iter().map(line).collect())
}

#[test]
fn a_node_is_its_base_its_settings_and_its_patches() {
    let text = format!("{BASE}patches: ['@good.yaml']\n{NODE}    nodeLabels: {{zone: a}}\n");
    let config = render(&text).unwrap();
    for part in
        ["disk: /dev/sda", "zone: a", "a: \"1\"", "hostname: cp-1", "metal-installer/37656798"]
    {
        assert!(config.contains(part), "{part} is not in\n{config}");
    }
    assert_eq!(config.matches("kind: HostnameConfig").count(), 1);
}

#[test]
fn a_patch_is_complained_about_in_its_own_file() {
    let problems = render(&format!("{BASE}{NODE}    patches: ['@typo.yaml']\n")).unwrap_err();
    assert!(problems[0].starts_with("typo.yaml:2:3 unknown key `sysctl`"), "{problems:?}");
    let problems = render(&format!("{BASE}{NODE}    patches: ['@none.yaml']\n")).unwrap_err();
    assert!(
        problems[0].starts_with("talconfig.yaml:10:15 node `cp-1`: the patch `none.yaml`"),
        "{problems:?}"
    );
    let problems =
        render(&format!("{BASE}{NODE}    patches: ['machine: {{typo: 1}}']\n")).unwrap_err();
    assert!(problems[0].starts_with("talconfig.yaml:10:15 line 1 of this patch"), "{problems:?}");
}
