//! The lab against the real talosctl: the same command lines on the same cluster, word for word.
//! What only the recorder invented is masked: ids, ages, numbers of etcd.

use crate::support::{Bench, Said};
use ops_lab::{Lab, LabSpec, NodeSpec, Role, ToolCall};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/talosctl/1.13.0"))
}

/// The recorded cluster, but for the nodes that the lab has no like of.
fn cluster() -> Bench {
    let node = |name: &str, role, last: u8, disk: &str| NodeSpec {
        name: name.into(),
        role,
        address: format!("127.5.0.{last}"),
        install_disk: disk.into(),
        data_disks: vec!["/dev/sda".into()],
        uuid: None,
    };
    let mut spec = LabSpec::sized(0, 0, 11);
    spec.endpoint = "https://127.5.0.10:6443".into();
    spec.nodes = vec![
        node("cp-1", Role::ControlPlane, 11, "/dev/nvme0n1"),
        node("cp-2", Role::ControlPlane, 12, "/dev/nvme0n1"),
        node("cp-3", Role::ControlPlane, 13, "/dev/nvme0n1"),
        node("w-1", Role::Worker, 21, "/dev/nvme0n1"),
        node("w-2", Role::Worker, 22, "/dev/nvme0n1"),
        node("talos-7vk-b1x", Role::Worker, 31, "/dev/nvme0n1"),
    ];
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder().join("inputs")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            let name = entry.file_name().into_string().unwrap();
            files.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    let changed = |after: &str| {
        let text = String::from_utf8(files["w-1.yaml"].clone()).unwrap();
        text.replace("    features:", &format!("{after}    features:")).into_bytes()
    };
    let live = changed("    sysctls:\n        vm.max_map_count: \"262144\"\n");
    let needs_reboot = changed("    env:\n        GRPC_GO_LOG_SEVERITY_LEVEL: error\n");
    let fragment = "apiVersion: v1alpha1\nkind: HostnameConfig\nhostname: w-1\n";
    for (name, bytes) in [
        ("live.yaml", live),
        ("needs-reboot.yaml", needs_reboot),
        ("incomplete.yaml", b"version: v1alpha1\nmachine:\n  type: worker\n".to_vec()),
        ("fragment.yaml", fragment.as_bytes().to_vec()),
    ] {
        files.insert(name.to_owned(), bytes);
    }
    let mut bench = Bench { lab: Lab::bare(spec), files };
    for (name, last) in [("cp-1", 11), ("cp-2", 12), ("cp-3", 13), ("w-1", 21), ("w-2", 22)] {
        let said = bench
            .run(&format!("talosctl -n 127.5.0.{last} apply-config --insecure -f {name}.yaml"));
        assert_eq!(said.code, 0, "{name}: {}", said.err);
    }
    bench.until("waits", |bench| bench.etcd("cp-1") == "waits");
    let said =
        bench.run("talosctl --talosconfig talosconfig -n 127.5.0.11 -e 127.5.0.11 bootstrap");
    assert_eq!(said.code, 0, "{}", said.err);
    bench.until("healthy", |bench| {
        let state = bench.lab.state();
        state.nodes.iter().filter(|node| node.ready).count() == 5
    });
    bench.advance(60_000);
    bench
}

fn recorded(case: &str) -> (Vec<String>, Said) {
    let read = |name: &str| fs::read_to_string(folder().join(case).join(name)).unwrap_or_default();
    let args = read("argv").lines().map(str::to_owned).collect();
    let code = read("exit").trim().parse().unwrap();
    (args, Said { code, out: read("stdout"), err: read("stderr") })
}

/// Masks words that are ids, ages or invented numbers, and the padding that follows from their width.
fn masked(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let chance = ["created", "updated", "version\": ", "    version: "];
        if chance.iter().any(|word| line.contains(word)) {
            continue;
        }
        let words: Vec<String> =
            line.split(' ').filter(|word| !word.is_empty()).map(mask).collect();
        out.push_str(words.join(" ").trim_end());
        out.push('\n');
    }
    out
}

fn mask(word: &str) -> String {
    let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = bare.len() == 16 && hex(bare);
    let uuid = bare.len() == 36 && bare.split('-').all(hex) && bare.contains('-');
    let age =
        bare.ends_with('s') && bare.starts_with(|c: char| c.is_ascii_digit()) && bare.contains('m');
    match (id, uuid, age) {
        (true, ..) => word.replace(bare, "ID"),
        (_, true, _) => word.replace(bare, "UUID"),
        (.., true) => word.replace(bare, "AGE"),
        _ => word.to_owned(),
    }
}

fn perform(bench: &mut Bench, case: &str) -> Said {
    let (args, _) = recorded(case);
    let env = vec![("PWD".to_owned(), "/scratch/work".to_owned())];
    let call = ToolCall { tool: "talosctl".into(), args, env, stdin: None };
    let client = bench.lab.start(&call, &bench.files);
    while bench.lab.is_running(client) {
        bench.lab.step();
    }
    let (_, output) = bench.lab.take_finished().into_iter().find(|(id, _)| *id == client).unwrap();
    Said::from(output)
}

fn check(bench: &mut Bench, case: &str) -> Result<(), String> {
    let (args, expected) = recorded(case);
    let said = perform(bench, case);
    // The order of several nodes, and of members by their made-up ids, is chance.
    let sorted = |text: &str| {
        let mut lines: Vec<String> = masked(text).lines().map(str::to_owned).collect();
        if case.contains("members") || case.contains("several") {
            lines.sort();
        }
        lines
    };
    let same = said.code == expected.code
        && sorted(&said.out) == sorted(&expected.out)
        && masked(&said.err) == masked(&expected.err);
    if same {
        Ok(())
    } else {
        Err(format!("{case}: ToolCall {args:?}\nlab: {said:#?}\nreal: {expected:#?}"))
    }
}

/// Cases that read, or are refused: all in one cluster.
const SAME: [&str; 58] = [
    "version",
    "version-short",
    "version-client",
    "version-client-short",
    "version-several-nodes",
    "version-insecure",
    "version-insecure-short",
    "version-no-talosconfig",
    "version-insecure-on-configured",
    "version-maintenance-node",
    "version-worker",
    "get-machinestatus-json",
    "get-machinestatus-yaml",
    "get-machinestatus-insecure-json",
    "get-machinestatus-worker-json",
    "get-machinestatus-by-id-json",
    "get-machinestatus-insecure-on-configured",
    "get-machinetype-json",
    "get-machinetype-table",
    "get-machinetype-insecure-json",
    "get-systemdisk-json",
    "get-systemdisk-table",
    "get-systemdisk-insecure-json",
    "get-hostnamestatus-json",
    "get-hostnamestatus-insecure-json",
    "get-nodename-insecure-json",
    "get-members-insecure-json",
    "get-volumestatus-insecure-json",
    "get-missing-id",
    "get-missing-id-table",
    "get-maintenance-node",
    "get-members-table",
    "etcd-members",
    "etcd-members-worker",
    "etcd-members-mixed-nodes",
    "etcd-members-several-nodes",
    "etcd-members-maintenance-node",
    "etcd-status-worker",
    "etcd-snapshot-worker",
    "etcd-leave-worker",
    "etcd-alarm-list-none",
    "etcd-remove-member-unknown",
    "etcd-forfeit-leadership-not-leader",
    "bootstrap-worker",
    "bootstrap-maintenance-node",
    "kubeconfig-worker",
    "kubeconfig-maintenance-node",
    "health",
    "health-worker",
    "service",
    "service-worker",
    "reset-insecure",
    "reset-insecure-wait",
    "reset-maintenance-node",
    "reset-unknown-label-no-wait",
    "reset-unknown-label-wait",
    "reset-label-not-located",
    "reset-user-disk-system",
];

#[test]
fn reads_and_refusals_are_those_of_the_real_talosctl() {
    let mut bench = cluster();
    let writes = bench.writes();
    let different: Vec<String> =
        SAME.iter().filter_map(|case| check(&mut bench, case).err()).collect();
    assert!(different.is_empty(), "{} differ\n{}", different.len(), different.join("\n\n"));
    let refused = bench.lab.requests()[..].iter().filter(|request| request.writes).count() - writes;
    assert_eq!(refused, 8, "refused writes reach the node, and nothing else does");
}

/// Cases that need no node, or fail before one could act.
#[test]
fn local_verbs_are_those_of_the_real_talosctl() {
    let mut bench = cluster();
    bench.files.insert("made.yaml".into(), b"there".to_vec());
    let cases = [
        "gen-config-bad-type",
        "gen-config-exists",
        "gen-config-http",
        "gen-config-missing-secrets",
        "gen-config-no-scheme",
        "gen-config-several-stdout",
        "gen-config",
        "gen-secrets-exists",
        "validate",
        "validate-incomplete",
        "validate-missing-file",
        "validate-bad-mode",
        "validate-cloud",
        "kubeconfig",
        "version-unknown-context",
        "etcd-remove-member-by-name",
        "version-node-with-port",
        "get-machineconfig-insecure-json",
    ];
    let different: Vec<String> =
        cases.iter().filter_map(|case| check(&mut bench, case).err()).collect();
    assert!(different.is_empty(), "{} differ\n{}", different.len(), different.join("\n\n"));
}

/// Wrong usage: the real tool adds its usage text, which the lab leaves out.
#[test]
fn wrong_usage_is_refused_with_the_same_first_line() {
    let mut bench = cluster();
    for case in [
        "version-no-nodes",
        "reset-graceful-word",
        "reset-graceful-no",
        "reset-bad-wipe-mode",
        "reset-no-nodes",
        "apply-config-bad-mode",
        "bootstrap-several-nodes",
        "etcd-leave-several-nodes",
        "validate-no-mode",
    ] {
        let (_, expected) = recorded(case);
        let said = perform(&mut bench, case);
        assert_eq!(said.code, expected.code, "{case}");
        assert_eq!(said.err.lines().next(), expected.err.lines().next(), "{case}");
    }
}

/// Cases that change the cluster: each in one of its own.
#[test]
fn changes_are_told_as_the_real_talosctl_tells_them() {
    let cases = [
        "apply-config-auto",
        "apply-config-auto-needs-reboot",
        "apply-config-dry-run",
        "apply-config-dry-run-needs-reboot",
        "apply-config-dry-run-no-changes",
        "apply-config-dry-run-staged",
        "apply-config-fragment",
        "apply-config-incomplete",
        "apply-config-insecure",
        "apply-config-insecure-dry-run",
        "apply-config-insecure-on-configured",
        "apply-config-missing-file",
        "apply-config-no-changes",
        "apply-config-no-file",
        "apply-config-no-reboot",
        "apply-config-no-reboot-refused",
        "apply-config-reboot",
        "apply-config-staged",
        "apply-config-try",
        "apply-config-try-refused",
        "apply-config-try-timeout",
        "reboot-no-wait",
        "reset-labels-no-wait",
        "reset-labels-wait",
        "reset-not-graceful-wait",
        "shutdown-no-wait",
        "shutdown-wait",
        "etcd-leave",
        "etcd-forfeit-leadership",
    ];
    let different: Vec<String> =
        cases.iter().filter_map(|case| check(&mut cluster(), case).err()).collect();
    assert!(different.is_empty(), "{} differ\n{}", different.len(), different.join("\n\n"));
}
