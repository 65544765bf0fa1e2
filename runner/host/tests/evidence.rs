//! Witnesses, identity and the facts that guards ask for.

use ops_core::call::Witness;
use ops_core::guard::{EtcdSaid, EvidenceCode, EvidenceNeed, Facts, Maintenance};
use ops_core::inventory::Role;
use serde_json::{Value, json};

use super::town::{Power, Town};

fn facts(town: &Town, codes: &[EvidenceCode], node: Option<&str>) -> Facts {
    let needs: Vec<EvidenceNeed> = codes
        .iter()
        .map(|code| EvidenceNeed {
            code: *code,
            node: node.map(str::to_owned),
            fresh: code.fresh(),
        })
        .collect();
    town.reading(async |cx| crate::host::evidence::facts(&needs, cx).await)
}

#[test]
fn a_machine_is_known_by_what_no_config_gives_it() {
    let town = Town::healthy();
    let facts = facts(&town, &[EvidenceCode::Node], Some("cp-1"));
    let found = facts.node("cp-1").unwrap().identity.as_ref().unwrap().found.clone().unwrap();
    assert_eq!(found.uuid.as_deref(), Some("uuid-cp-1"));
    assert_eq!(found.macs, ["aa:bb:cc:00:00:31"], "bonds are no hardware");
    assert_eq!(found.disk_wwid.as_deref(), Some("wwid-cp-1"));
    assert_eq!(found.serial.as_deref(), Some("serial-cp-1"));
    assert_eq!(found.machine_type, Some(Role::Controlplane));
    assert_eq!(found.boot_id.as_deref(), Some("boot-1"));
    assert_eq!(found.ca, facts.own_ca, "the certificate chains to the CA of the talosconfig");
    assert_eq!(found.ca.unwrap().len(), 64);
}

#[test]
fn a_bare_machine_is_known_by_its_hardware_alone() {
    let town = Town::bare();
    let facts = facts(&town, &[EvidenceCode::Node, EvidenceCode::Maint], Some("w-1"));
    let node = facts.node("w-1").unwrap();
    let found = node.identity.as_ref().unwrap().found.clone().unwrap();
    assert_eq!((found.uuid.as_deref(), found.ca), (Some("uuid-w-1"), None));
    assert_eq!(found.machine_type, None);
    assert!(node.maintenance.as_ref().unwrap().found.as_ref().unwrap().proven());
}

#[test]
fn silence_is_a_reason_and_never_a_fact() {
    let town = Town::healthy();
    town.machine("w-1", |m| m.power = Power::Away);
    let facts = facts(
        &town,
        &[EvidenceCode::Node, EvidenceCode::Maint, EvidenceCode::Disk, EvidenceCode::Blast],
        Some("w-1"),
    );
    let node = facts.node("w-1").unwrap();
    assert!(node.identity.as_ref().unwrap().found.is_err());
    assert!(node.maintenance.as_ref().unwrap().found.is_err());
    assert!(node.volumes.as_ref().unwrap().found.is_err());
    assert!(
        node.workloads.as_ref().unwrap().found.is_err(),
        "without an API nobody knows the pods"
    );
}

#[test]
fn a_node_that_runs_is_not_in_maintenance() {
    let town = Town::healthy();
    let facts = facts(&town, &[EvidenceCode::Maint], Some("w-1"));
    let found = facts.node("w-1").unwrap().maintenance.clone().unwrap().found.unwrap();
    assert_eq!(found, Maintenance::default());
}

#[test]
fn etcd_is_asked_of_every_control_plane() {
    let town = Town::healthy();
    town.machine("cp-2", |m| m.power = Power::Away);
    town.machine("cp-3", super::town::Machine::bare);
    let facts = facts(&town, &[EvidenceCode::Etcd], None);
    let answers = facts.etcd.unwrap().found.unwrap().answers;
    let EtcdSaid::Members { members, status: Some(status) } = &answers[0].said else {
        panic!("{answers:?}")
    };
    assert_eq!(members.len(), 3);
    assert!(status.healthy && status.alarms.is_empty() && !status.leader.is_empty());
    assert!(matches!(answers[1].said, EtcdSaid::Silent(_)));
    assert_eq!(answers[2].said, EtcdSaid::NoEtcd);
}

#[test]
fn volumes_say_whether_they_are_there() {
    let town = Town::healthy();
    let facts = facts(&town, &[EvidenceCode::Disk], Some("w-1"));
    let volumes = facts.node("w-1").unwrap().volumes.clone().unwrap().found.unwrap();
    let labels: Vec<&str> = volumes.iter().map(|v| v.label.as_str()).collect();
    assert_eq!(labels, ["EPHEMERAL", "META", "STATE"]);
    assert!(volumes.iter().all(|v| v.located));
}

#[test]
fn workloads_name_what_nothing_brings_back_and_what_a_budget_holds() {
    let town = Town::healthy();
    town.put("kubeconfig", b"there");
    town.kubernetes(
        "/api/v1/pods?fieldSelector=spec.nodeName%3Dw-1",
        json!({"items": [
            {"metadata": {"namespace": "a", "name": "lone"}},
            {"metadata": {"namespace": "a", "name": "web", "labels": {"app": "web"}, "ownerReferences": [{"kind": "ReplicaSet", "controller": true}]}},
            {"metadata": {"namespace": "a", "name": "agent", "ownerReferences": [{"kind": "DaemonSet", "controller": true}]}},
        ]}),
    );
    town.kubernetes(
        "/apis/policy/v1/poddisruptionbudgets",
        json!({"items": [{"metadata": {"namespace": "a", "name": "web"}, "spec": {"selector": {"matchLabels": {"app": "web"}}}, "status": {"disruptionsAllowed": 0}}]}),
    );
    let facts = facts(&town, &[EvidenceCode::Blast], Some("w-1"));
    let found = facts.node("w-1").unwrap().workloads.clone().unwrap().found.unwrap();
    assert!(found.registered);
    assert_eq!(found.pods, ["a/lone", "a/web"]);
    assert_eq!(found.alone, ["a/lone"]);
    assert_eq!(found.blocked, ["a/web"]);
}

#[test]
fn storage_that_cannot_be_read_leaves_its_volumes_unknown() {
    let town = Town::healthy();
    town.put("kubeconfig", b"there");
    let crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let volume = json!({"metadata": {"name": "pv-1"}, "spec": {"local": {"path": "/x"}, "nodeAffinity": {"required": ["w-1"]}}});
    town.kubernetes("/api/v1/persistentvolumes", json!({"items": [volume]}));
    town.kubernetes(crds, json!({"items": []}));
    let storage = |town: &Town| {
        let facts = facts(town, &[EvidenceCode::Stor], Some("w-1"));
        facts.node("w-1").unwrap().storage.clone().unwrap().found.unwrap()
    };
    let none = storage(&town);
    assert_eq!((none.volumes, none.local), (Some(Vec::new()), vec!["pv-1".to_owned()]));
    town.kubernetes(crds, json!({"items": [{"spec": {"group": "longhorn.io"}}]}));
    assert_eq!(storage(&town).volumes, None);
}

#[test]
fn a_cluster_is_known_by_its_authorities() {
    let town = Town::healthy();
    town.perform("talos.kubeconfig", json!({"path": "kubeconfig"})).unwrap();
    town.kubernetes("/api/v1/namespaces/kube-system", json!({"metadata": {"uid": "u-1"}}));
    let facts = facts(&town, &[EvidenceCode::Id], None);
    let found = facts.cluster.unwrap().found.unwrap();
    assert_eq!(found.talos_ca, facts.own_ca);
    assert_eq!(found.kubernetes_ca.as_deref().map(str::len), Some(64));
    assert_eq!(found.kube_system_uid.as_deref(), Some("u-1"));
}

#[test]
fn a_config_says_its_role_name_and_authority() {
    let town = Town::healthy();
    let source = ops_core::call::talos::Source::Path("configs/home-w-1.yaml".into());
    let found = town.reading(async |cx| crate::host::evidence::config_facts(cx, &source)).unwrap();
    assert_eq!((found.machine_type, found.hostname.as_deref()), (Some(Role::Worker), Some("w-1")));
    assert_eq!(found.ca, facts(&town, &[], None).own_ca);
}

#[test]
fn a_witness_shows_what_will_differ_afterwards() {
    let town = Town::healthy();
    town.put("kubeconfig", b"there");
    town.pods("w-1", &["x"]);
    let node = || "w-1".to_owned();
    let boot = town.witness(&Witness::Boot { node: node() });
    assert_eq!((&boot["boot_id"], &boot["stage"]), (&json!("boot-1"), &json!("running")));
    assert_eq!(boot["volumes"]["STATE"], json!("w-1-STATE-1"));
    let config = town.witness(&Witness::Config { node: node() });
    assert_eq!(config["active"], config["persisted"]);
    let cordon = town.witness(&Witness::Cordon { node: node() });
    assert_eq!(cordon, json!({"cordoned": false, "pods": ["a/x"]}));
    let members = town.witness(&Witness::Members);
    assert_eq!(members["by_node"]["cp-1"].as_object().unwrap().len(), 3);
    assert_eq!(town.witness(&Witness::File { path: "nowhere".into() })["digest"], Value::Null);
}

#[test]
fn a_witness_of_a_silent_node_is_empty_and_no_failure() {
    let town = Town::healthy();
    town.machine("w-1", |m| m.power = Power::Away);
    let boot = town.witness(&Witness::Boot { node: "w-1".into() });
    assert_eq!((&boot["boot_id"], &boot["stage"]), (&Value::Null, &Value::Null));
    assert!(town.witness(&Witness::Config { node: "w-1".into() })["error"].is_string());
    assert!(town.witness(&Witness::Cordon { node: "w-1".into() })["error"].is_string());
}
