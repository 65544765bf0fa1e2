//! Files that reach a cluster, rendered configs, snapshots.

use ops_core::error::ErrorKind;
use ops_core::inventory::InstallDisk;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::town::Town;
use crate::sys::files::Files;

#[test]
fn a_kubeconfig_is_written_private_under_the_clusters_own_context_and_only_once() {
    let town = Town::healthy();
    let fetch = || town.perform("talos.kubeconfig", json!({"path": "kubeconfig"})).unwrap();
    assert_eq!(fetch()["changed"], json!(true));
    let text = town.text("kubeconfig");
    assert!(
        text.contains("current-context: \"home\"") && text.contains("user: admin@home"),
        "{text}"
    );
    assert_eq!(town.files.stat("kubeconfig").unwrap().unwrap().mode & 0o777, 0o600);
    assert_eq!(fetch()["changed"], json!(false), "another client key is no other cluster");
    assert_eq!(town.text("kubeconfig"), text);
}

#[test]
fn a_kubeconfig_with_other_contexts_is_not_overwritten() {
    let town = Town::healthy();
    let other =
        "contexts:\n- name: work\n  context: {cluster: a, user: b}\ncurrent-context: work\n";
    town.put("kubeconfig", other.as_bytes());
    let error = town.perform("talos.kubeconfig", json!({"path": "kubeconfig"})).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert_eq!(town.text("kubeconfig"), other);
}

#[test]
fn the_next_control_plane_is_asked_where_the_first_is_silent() {
    let town = Town::healthy();
    town.machine("cp-1", |m| m.power = super::town::Power::Away);
    town.machine("cp-2", super::town::Machine::bare);
    assert!(town.perform("talos.kubeconfig", json!({"path": "kubeconfig"})).is_ok());
    assert!(town.asked.borrow().last().unwrap().ends_with("@10.9.0.13"));
    let pinned = json!({"path": "kubeconfig", "node": "cp-1", "force": true});
    let error = town.perform("talos.kubeconfig", pinned).unwrap_err();
    assert_eq!((error.kind, error.node.as_deref()), (ErrorKind::Unreachable, Some("cp-1")));
}

#[test]
fn secrets_are_made_once_and_never_replaced() {
    let town = Town::healthy();
    let make = |path: &str| town.perform("talos.gen.secrets", json!({"output": path})).unwrap();
    assert_eq!(make("new.yaml")["changed"], json!(true));
    assert_eq!(town.files.stat("new.yaml").unwrap().unwrap().mode & 0o777, 0o600);
    assert!(town.files.stat("new.yaml.unfinished").unwrap().is_none());
    town.put("new.yaml", b"mine");
    assert_eq!(make("new.yaml")["changed"], json!(false));
    assert_eq!(town.text("new.yaml"), "mine");
}

#[test]
fn a_talosconfig_is_renewed_for_another_ca_or_near_its_end() {
    let town = Town::healthy();
    let renew = |before: &str| {
        let args = json!({"path": "talosconfig", "renew_before": before});
        town.perform("talos.client_config", args).unwrap()["changed"].clone()
    };
    assert_eq!(renew("30d"), json!(false));
    assert_eq!(renew("90000h"), json!(true), "ten years are less than that");
    assert!(town.text("talosconfig").contains("endpoints:\n            - 10.9.0.11\n"));
    town.put("secrets.yaml", &super::town::input("foreign-secrets.yaml"));
    assert_eq!(renew("30d"), json!(true));
}

#[test]
fn a_missing_bundle_names_the_recipe_that_makes_it() {
    let town = Town::healthy();
    town.files.remove("secrets.yaml").unwrap();
    let error = town.perform("talos.render", json!({"node": "w-1"})).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(error.hint.as_deref(), Some("ops run talos:generate-secrets"));
}

#[test]
fn a_rendered_config_differs_from_the_base_in_name_and_disk_only() {
    let mut town = Town::healthy();
    town.cluster.nodes[3].install_disk =
        Some(InstallDisk { wwid: Some("naa.5001".into()), ..InstallDisk::default() });
    let reply = town.perform("talos.render", json!({"node": "w-1"})).unwrap();
    let text = String::from_utf8(town.blob(&reply)).unwrap();
    let base = String::from_utf8(super::town::input("worker.yaml")).unwrap();
    let expected = base
        .replace(
            "        disk: /dev/nvme0n1\n",
            "        diskSelector:\n            wwid: \"naa.5001\"\n",
        )
        .replace("auto: stable", "hostname: \"w-1\"");
    assert_eq!(text, expected);
}

#[test]
fn a_base_is_made_once_per_role() {
    let town = Town::healthy();
    for node in ["cp-1", "cp-2", "w-1", "w-2", "cp-3"] {
        town.perform("talos.render", json!({"node": node})).unwrap();
    }
    let asked = town.asked.borrow();
    assert_eq!(asked.iter().filter(|a| a.starts_with("gen config")).count(), 2);
    assert_eq!(asked.iter().filter(|a| a.starts_with("version")).count(), 1);
}

#[test]
fn a_config_is_validated_from_stdin() {
    let town = Town::healthy();
    let args = json!({"config": "configs/home-w-1.yaml", "mode": "metal", "strict": true});
    assert_eq!(town.perform("talos.validate", args).unwrap(), json!({"changed": false}));
}

/// Bytes as the tool writes them: whole pages, then their checksum.
fn snapshot(pages: usize) -> Vec<u8> {
    let database = vec![3_u8; 512 * pages];
    let sum = Sha256::digest(&database);
    [database, sum.to_vec()].concat()
}

#[test]
fn a_snapshot_is_kept_only_when_its_checksum_fits() {
    let town = Town::healthy();
    let take = || town.perform("talos.etcd.snapshot", json!({"path": "snapshots/a.db"}));
    *town.snapshot.borrow_mut() = snapshot(4);
    let reply = take().unwrap();
    assert_eq!((&reply["path"], &reply["size"]), (&json!("snapshots/a.db"), &json!(4 * 512 + 32)));
    for spoilt in [snapshot(4)[..2048].to_vec(), Vec::new(), {
        let mut bytes = snapshot(8);
        bytes[5] ^= 1;
        bytes
    }] {
        *town.snapshot.borrow_mut() = spoilt;
        assert_eq!(take().unwrap_err().kind, ErrorKind::NotApplied);
        assert_eq!(
            town.files.read("snapshots/a.db").unwrap(),
            snapshot(4),
            "the old one is intact"
        );
        assert!(town.files.stat("snapshots/a.db.unverified").unwrap().is_none());
    }
}

#[test]
fn a_fresh_snapshot_is_evidence_and_a_spoilt_one_is_not() {
    let town = Town::healthy();
    *town.snapshot.borrow_mut() = snapshot(2);
    let before = town.now.get();
    town.perform("talos.etcd.snapshot", json!({"path": "snapshots/a.db"})).unwrap();
    let found = town.reading(async |cx| crate::host::evidence::snapshot(cx)).unwrap();
    assert!(found.verified && found.taken.0 >= before && found.taken.0 <= town.now.get());
    town.put("snapshots/a.db", b"spoilt");
    let why = town.reading(async |cx| crate::host::evidence::snapshot(cx)).unwrap_err();
    assert!(why.starts_with("snapshots/a.db: 6 bytes"), "{why}");
}
