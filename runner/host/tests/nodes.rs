//! What changes nodes: apply, bootstrap, reboot, reset.

use ops_core::error::ErrorKind;
use ops_core::time::Span;
use serde_json::{Value, json};

use super::town::{Power, Town};

fn apply(town: &Town, node: &str, mode: &str) -> Result<Value, ops_core::error::CallError> {
    let file = format!("configs/home-{node}.yaml");
    town.perform("talos.apply_config", json!({"node": node, "file": file, "mode": mode}))
}

/// Edits the file of a node in the repository.
fn edit(town: &Town, node: &str, from: &str, to: &str) {
    let path = format!("configs/home-{node}.yaml");
    let text = town.text(&path);
    assert!(text.contains(from), "{from}");
    town.put(&path, text.replacen(from, to, 1).as_bytes());
}

#[test]
fn a_node_that_has_the_config_is_left_alone() {
    let town = Town::healthy();
    let reply = apply(&town, "w-1", "auto").unwrap();
    assert_eq!(reply, json!({"changed": false, "diff": "", "reboot": "none"}));
    assert_eq!(town.changes(), Vec::<String>::new());
}

#[test]
fn the_same_config_in_other_words_is_the_same() {
    let town = Town::healthy();
    let text = town.text("configs/home-w-1.yaml");
    town.put(
        "configs/home-w-1.yaml",
        format!("# a comment\n{text}").replace("debug: false", "debug:   false").as_bytes(),
    );
    assert_eq!(apply(&town, "w-1", "auto").unwrap()["changed"], json!(false));
}

#[test]
fn a_changed_config_is_applied_once_and_seen() {
    let town = Town::healthy();
    edit(&town, "w-1", "debug: false", "debug: true");
    let reply = apply(&town, "w-1", "auto").unwrap();
    assert_eq!((&reply["changed"], &reply["reboot"]), (&json!(true), &json!("none")));
    assert_eq!(reply["diff"], json!("~ debug: false → true"));
    assert_eq!(town.changes(), ["apply-config @10.9.0.21"]);
    assert_eq!(apply(&town, "w-1", "auto").unwrap()["changed"], json!(false));
}

#[test]
fn a_staged_config_counts_as_there_only_for_another_staging() {
    let town = Town::healthy();
    edit(&town, "w-1", "debug: false", "debug: true");
    assert_eq!(apply(&town, "w-1", "staged").unwrap()["reboot"], json!("staged"));
    assert_eq!(apply(&town, "w-1", "staged").unwrap()["changed"], json!(false));
    assert_eq!(apply(&town, "w-1", "auto").unwrap()["changed"], json!(true));
}

#[test]
fn a_trial_says_until_when_it_lasts() {
    let town = Town::healthy();
    edit(&town, "w-1", "debug: false", "debug: true");
    let reply = apply(&town, "w-1", "try").unwrap();
    assert!(reply["until"].as_u64().unwrap() > 1_800_000_000_000 + 60_000, "{reply}");
}

#[test]
fn a_bare_node_is_reached_over_the_maintenance_channel_once_it_is_proven() {
    let town = Town::bare();
    let reply = apply(&town, "w-1", "auto").unwrap();
    assert_eq!(reply["changed"], json!(true));
    assert_eq!(town.changes(), ["apply-config insecure @10.9.0.21"]);
}

#[test]
fn the_maintenance_channel_is_no_fallback_for_a_stranger() {
    let town = Town::bare();
    // Answers without certificates, but has a stage of its own.
    town.machine("w-1", |m| m.stage = "booting");
    let error = apply(&town, "w-1", "auto").unwrap_err();
    assert_eq!(error.kind, ErrorKind::Certificate);
    assert_eq!(town.changes(), Vec::<String>::new());
}

#[test]
fn a_node_that_is_away_is_unreachable_before_anything_is_sent() {
    let town = Town::healthy();
    town.machine("w-1", |m| m.power = Power::Away);
    let error = apply(&town, "w-1", "auto").unwrap_err();
    assert_eq!((error.kind, error.before_effect), (ErrorKind::Unreachable, true));
    assert_eq!((error.call.as_str(), error.node.as_deref()), ("talos.apply_config", Some("w-1")));
}

#[test]
fn an_apply_whose_client_lost_the_connection_is_no_proven_failure() {
    let town = Town::healthy();
    edit(&town, "w-1", "debug: false", "debug: true");
    town.lies.set(true);
    let error = apply(&town, "w-1", "auto").unwrap_err();
    assert_eq!((error.kind, error.before_effect), (ErrorKind::Unreachable, false));
}

#[test]
fn parts_of_a_config_are_no_config() {
    let town = Town::healthy();
    town.put("configs/home-w-1.yaml", b"apiVersion: v1alpha1\nkind: HostnameConfig\nhostname: x\n");
    assert_eq!(apply(&town, "w-1", "auto").unwrap_err().kind, ErrorKind::Invalid);
    town.put("configs/home-w-1.yaml", b"machine: [secret\n");
    let error = apply(&town, "w-1", "auto").unwrap_err();
    assert!(error.kind == ErrorKind::Invalid && !error.message.contains("secret"), "{error}");
}

#[test]
fn a_config_is_handed_over_as_a_blob_by_stdin() {
    use crate::sys::blobs::Blobs;
    let town = Town::healthy();
    let text = town.text("configs/home-w-1.yaml").replace("debug: false", "debug: true");
    let blob = town.blobs.put(text.as_bytes(), true).unwrap();
    let handle = ops_core::value::Handle::Blob(blob).to_value();
    let reply = town.perform("talos.apply_config", json!({"node": "w-1", "file": handle})).unwrap();
    assert_eq!(reply["changed"], json!(true));
}

#[test]
fn etcd_is_bootstrapped_where_no_control_plane_has_it() {
    let town = Town::healthy();
    for name in ["cp-1", "cp-2", "cp-3"] {
        town.machine(name, |m| (m.etcd, m.etcd_service) = (None, "Preparing"));
    }
    assert_eq!(
        town.perform("talos.bootstrap", json!({"node": "cp-1"})).unwrap(),
        json!({"changed": true})
    );
    assert_eq!(town.changes(), ["bootstrap @10.9.0.11"]);
    assert_eq!(
        town.perform("talos.bootstrap", json!({"node": "cp-1"})).unwrap(),
        json!({"changed": false})
    );
    assert_eq!(town.changes().len(), 1);
}

#[test]
fn a_second_bootstrap_elsewhere_is_refused_before_anything_is_sent() {
    let town = Town::healthy();
    town.machine("cp-2", |m| (m.etcd, m.etcd_service) = (None, "Preparing"));
    town.machine("cp-1", |m| m.etcd = Some(vec!["cp-1".into()]));
    town.machine("cp-3", |m| (m.etcd, m.etcd_service) = (None, "Preparing"));
    let error = town.perform("talos.bootstrap", json!({"node": "cp-2"})).unwrap_err();
    assert_eq!((error.kind, error.before_effect), (ErrorKind::AlreadyExists, true));
    assert_eq!(town.changes(), Vec::<String>::new());
}

#[test]
fn a_silent_control_plane_might_have_etcd() {
    for service in ["Failed", "Running"] {
        let town = Town::healthy();
        for name in ["cp-1", "cp-2"] {
            town.machine(name, |m| (m.etcd, m.etcd_service) = (None, "Preparing"));
        }
        town.machine("cp-3", |m| (m.etcd, m.etcd_service) = (None, service));
        let error = town.perform("talos.bootstrap", json!({"node": "cp-1"})).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotReady, "{service}");
        assert!(error.message.starts_with("cp-3 did not say"), "{error}");
        assert_eq!(town.changes(), Vec::<String>::new());
    }
}

#[test]
fn a_bare_control_plane_has_no_etcd() {
    let town = Town::bare();
    apply(&town, "cp-1", "auto").unwrap();
    assert_eq!(
        town.perform("talos.bootstrap", json!({"node": "cp-1"})).unwrap(),
        json!({"changed": true})
    );
}

#[test]
fn a_worker_is_not_bootstrapped() {
    let town = Town::healthy();
    assert_eq!(
        town.perform("talos.bootstrap", json!({"node": "w-1"})).unwrap_err().kind,
        ErrorKind::Invalid
    );
    assert_eq!(town.changes(), Vec::<String>::new());
}

#[test]
fn a_reboot_ends_with_another_boot_id() {
    let town = Town::healthy();
    let reply = town.perform("talos.reboot", json!({"node": "w-1"})).unwrap();
    assert_eq!(reply, json!({"changed": true, "version": "v1.13.0", "boot_id": "boot-2"}));
    assert!(town.reasons.borrow().iter().any(|r| r.contains("not back yet")));
}

#[test]
fn a_reboot_that_was_dropped_is_not_applied() {
    let town = Town::healthy();
    town.drops.set(true);
    let error = town.perform("talos.reboot", json!({"node": "w-1", "timeout": "2m"})).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotApplied);
    assert!(error.message.contains("w-1 has not gone down yet"), "{error}");
}

fn reset(town: &Town, labels: &[&str], reboot: bool) -> Result<Value, ops_core::error::CallError> {
    town.perform(
        "talos.reset",
        json!({"node": "w-1", "system_labels_to_wipe": labels, "reboot": reboot, "timeout": "10m"}),
    )
}

#[test]
fn a_reset_ends_where_its_partitions_lead() {
    for labels in [&["STATE", "EPHEMERAL"][..], &["STATE"], &["EPHEMERAL"]] {
        let town = Town::healthy();
        assert_eq!(reset(&town, labels, true).unwrap(), json!({"changed": true}), "{labels:?}");
        assert_eq!(town.changes(), ["reset @10.9.0.21"]);
    }
}

#[test]
fn a_reset_that_powers_off_ends_with_lasting_silence() {
    let town = Town::healthy();
    let begun = town.now.get();
    reset(&town, &["EPHEMERAL"], false).unwrap();
    assert!(town.now.get() - begun >= Span::mins(3).0, "a reboot is silent as well");
}

#[test]
fn a_node_that_came_back_with_everything_was_not_reset() {
    let town = Town::healthy();
    town.keeps.set(true);
    let error = reset(&town, &["STATE", "EPHEMERAL"], true).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotApplied);
    assert!(error.message.contains("did not wipe"), "{error}");
}

#[test]
fn a_bare_node_is_never_reset() {
    let town = Town::bare();
    assert_eq!(reset(&town, &["EPHEMERAL"], true).unwrap_err().kind, ErrorKind::Maintenance);
    assert_eq!(town.changes(), Vec::<String>::new());
}

#[test]
fn reads_say_that_a_node_is_in_maintenance_mode() {
    let town = Town::bare();
    let error = town.perform("talos.version", json!({"node": "w-1"})).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Maintenance);
    assert_eq!(
        town.perform("talos.stage", json!({"node": "w-1"})).unwrap()["stage"],
        json!("maintenance")
    );
}

#[test]
fn a_machine_config_comes_sealed_out_of_get() {
    let town = Town::healthy();
    let found = town.perform("talos.get", json!({"node": "w-1", "type": "machineconfig"})).unwrap();
    assert!(
        !found.to_string().contains("BEGIN") && !found.to_string().contains("token"),
        "{found}"
    );
    assert!(String::from_utf8(town.blob(&found[0]["spec"])).unwrap().contains("machine:"));
}

#[test]
fn an_unknown_node_gets_a_suggestion() {
    let town = Town::healthy();
    let error = town.perform("talos.version", json!({"node": "w-11"})).unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("did you mean `w-1`?"));
}
