//! Keys that a talconfig does not have: each is refused at its place, with what
//! it became, where it stands or what it is close to.

#![allow(clippy::unwrap_used)]

use ops_render::Source;
use ops_render::talconfig::{Schema, Talconfig, Variables};

const HEAD: &str = "clusterName: demo\ntalosVersion: v1.13.0\nkubernetesVersion: v1.36.0\nendpoint: https://10.0.0.10:6443\n";
const NODE: &str = "nodes:\n  - hostname: cp-1\n    ipAddress: 10.0.0.11\n    controlPlane: true\n    installDisk: /dev/sda\n";

/// Place, message and hint of the only finding.
#[track_caller]
fn finding(text: &str) -> (usize, usize, String, String) {
    let source = Source { name: "talconfig.yaml", bytes: text.as_bytes() };
    let found = Talconfig::read(source, &Schema::load().unwrap(), &Variables::new()).unwrap_err();
    let [one] = &found[..] else { panic!("{found:#?}") };
    (one.line, one.column, one.message.clone(), one.hint.clone().unwrap_or_default())
}

#[test]
fn a_key_of_an_older_talhelper_says_what_it_became() {
    let in_node = [
        ("configPatches: []", "this is `patches` since talhelper 3"),
        ("inlinePatch: {}", "this is one of `patches` since talhelper 3"),
        ("inlinePatches: []", "this is `patches` since talhelper 3"),
        ("isoSchematic: {}", "this is `imageSchematic`"),
        ("extraCertSANs: []", "this is `certSANs`"),
        ("extraMachineCertSans: []", "this is `certSANs`"),
        ("overrideMachineCertSans: true", "this is `overrideMachineCertSANs`"),
    ];
    for (text, hint) in in_node {
        let key = text.split(':').next().unwrap();
        let message = format!("unknown key `{key}` in `nodes[0]`");
        let found = finding(&format!("{HEAD}{NODE}    {text}\n"));
        assert_eq!(found, (10, 5, message, hint.to_owned()));
    }
    for (text, hint) in [
        ("clusterServiceNets: []", "this is `clusterSvcNets`"),
        ("encryptedPatches: []", "this is `patches` with `@FILE`: what SOPS encrypted is opened"),
        (
            "allowSchedulingOnControlPlane: true",
            "this is `allowSchedulingOnControlPlanes`, with an s",
        ),
    ] {
        assert_eq!(finding(&format!("{HEAD}{text}\n{NODE}")).3, hint);
    }
    let group = finding(&format!("{HEAD}worker:\n  inlinePatch: {{machine: {{}}}}\n{NODE}"));
    assert_eq!(group.2, "unknown key `inlinePatch` in `worker`");
    assert_eq!(group.3, "this is one of `patches` since talhelper 3");
}

#[test]
fn a_key_at_the_wrong_place_says_where_it_stands() {
    let table = [
        ("    arch: arm64\n", "did you mean `nodes[].machineSpec.arch`?"),
        (
            "    networkInterfaces: [{interface: eth0, nameservers: []}]\n",
            "did you mean `nodes[].nameservers`?",
        ),
        (
            "    schematic: {extraKernelArgs: []}\n",
            "did you mean `nodes[].schematic.customization.extraKernelArgs`?",
        ),
        ("    machine: {type: x}\n", "parts of the machine config itself are written in `patches`"),
        (
            "talosImageURL: a/b\n",
            "did you mean `nodes[].talosImageURL`, or that of `controlPlane` or `worker`?",
        ),
        ("worker: {installDisk: /dev/sda}\n", "did you mean `nodes[].installDisk`?"),
        ("worker: {clusterPodNets: []}\n", "did you mean `clusterPodNets`?"),
        ("worker: {extraKernelArgs: []}\n", ""),
    ];
    for (text, hint) in table {
        let found = finding(&format!("{HEAD}{NODE}{text}"));
        assert!(found.3.starts_with(hint), "{text}: {found:?}");
    }
}

#[test]
fn a_misspelt_key_is_told_its_spelling() {
    let table = [
        ("    nameserver: []\n", "did you mean `nameservers`?"),
        ("    ipAdress: a\n", "did you mean `ipAddress`?"),
        ("additionalApiServerCertSANs: []\n", "did you mean `additionalApiServerCertSans`?"),
        ("controlplane: {}\n", "did you mean `controlPlane`?"),
    ];
    for (text, hint) in table {
        assert_eq!(finding(&format!("{HEAD}{NODE}{text}")).3, hint, "{text}");
    }
}

#[test]
fn a_key_of_no_kind_says_what_can_be_done() {
    let node = finding(&format!("{HEAD}{NODE}    vmid: 7\n"));
    assert_eq!(node.3, "talhelper ignores it: leave it out");
    let file = finding(&format!("{HEAD}{NODE}remarks: x\n"));
    assert_eq!(file.3, "a key that only holds anchors begins with `x-`, `.` or `_`");
}
