//! Predictions: what they know, and that they send nothing that changes anything.

use serde_json::{Value, json};

use super::town::Town;

fn town() -> Town {
    let town = Town::healthy();
    town.put("kubeconfig", b"there");
    town.pods("w-1", &["x"]);
    town
}

#[test]
fn a_prediction_compares_as_the_call_would_and_changes_nothing() {
    let file = json!("configs/home-w-1.yaml");
    for (call, args, changed) in [
        ("talos.apply_config", json!({"node": "w-1", "file": file}), false),
        ("talos.bootstrap", json!({"node": "cp-1"}), false),
        ("talos.reboot", json!({"node": "w-1"}), true),
        ("talos.reset", json!({"node": "w-1", "system_labels_to_wipe": ["STATE"]}), true),
        ("talos.gen.secrets", json!({"output": "secrets.yaml"}), false),
        ("talos.gen.secrets", json!({"output": "other.yaml"}), true),
        ("talos.client_config", json!({"path": "talosconfig"}), false),
        ("talos.etcd.snapshot", json!({"path": "s.db"}), true),
        ("kube.cordon", json!({"node": "w-1"}), true),
        ("kube.uncordon", json!({"node": "w-1"}), false),
        ("kube.drain", json!({"node": "w-1"}), true),
    ] {
        let town = town();
        let written = town.files.written();
        let prediction = town.predict(call, args).unwrap();
        assert_eq!(prediction.changed, changed, "{call}: {}", prediction.reply);
        assert_eq!(town.changes(), Vec::<String>::new(), "{call}");
        assert_eq!(town.files.written(), written, "{call}");
    }
}

#[test]
fn no_boolean_of_a_prediction_is_unknown() {
    let town = Town::bare();
    let args = json!({"node": "w-1", "file": "configs/home-w-1.yaml"});
    let prediction = town.predict("talos.apply_config", args).unwrap();
    assert!(prediction.changed);
    assert_eq!(prediction.reply["changed"], json!(true));
    assert!(prediction.reply["reboot"]["$later"].is_object(), "{}", prediction.reply);
}

#[test]
fn a_mode_that_decides_the_reboot_is_predicted() {
    for (mode, reboot) in [("staged", "staged"), ("no-reboot", "none"), ("reboot", "now")] {
        let town = town();
        let text = town.text("configs/home-w-1.yaml").replace("debug: false", "debug: true");
        town.put("configs/home-w-1.yaml", text.as_bytes());
        let args = json!({"node": "w-1", "file": "configs/home-w-1.yaml", "mode": mode});
        let reply = town.predict("talos.apply_config", args).unwrap().reply;
        assert_eq!(reply["reboot"], json!(reboot), "{mode}");
    }
}

#[test]
fn what_was_predicted_is_what_is_done() {
    for (call, args) in [
        (
            "talos.apply_config",
            json!({"node": "w-1", "file": "configs/home-w-1.yaml", "mode": "staged"}),
        ),
        ("talos.reboot", json!({"node": "w-1"})),
        ("kube.drain", json!({"node": "w-1"})),
        ("kube.cordon", json!({"node": "w-1"})),
        ("talos.gen.secrets", json!({"output": "other.yaml"})),
    ] {
        let town = town();
        let text = town.text("configs/home-w-1.yaml").replace("debug: false", "debug: true");
        town.put("configs/home-w-1.yaml", text.as_bytes());
        let foreseen = town.predict(call, args.clone()).unwrap().reply;
        let done = town.perform(call, args).unwrap();
        for (field, value) in foreseen.as_object().unwrap() {
            if value.get("$later").is_none() {
                assert_eq!(Some(value), done.get(field), "{call}.{field}");
            }
        }
        let fields = |v: &Value| v.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(fields(&foreseen), fields(&done), "{call}");
    }
}

#[test]
fn an_error_that_the_call_would_meet_is_met_by_its_plan() {
    let town = town();
    town.machine("w-1", |m| m.power = super::town::Power::Away);
    let args = json!({"node": "w-1", "file": "configs/home-w-1.yaml"});
    assert!(town.predict("talos.apply_config", args).is_err());
}
