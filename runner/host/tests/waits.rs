//! Waits: when they end, what they say meanwhile, and what their timeout says.

use ops_core::error::ErrorKind;
use ops_core::time::Span;
use serde_json::json;

use super::town::{Power, Town};

fn wait(town: &Town, node: &str, state: &str) -> Result<(), ops_core::error::CallError> {
    let args = json!({"node": node, "state": state, "timeout": "1m"});
    town.perform("wait.node", args).map(|reply| assert_eq!(reply["state"], json!(state)))
}

#[test]
fn a_healthy_node_is_everything_but_away_and_bare() {
    let town = Town::healthy();
    town.put("kubeconfig", b"there");
    for state in ["running", "registered", "ready", "healthy", "settled"] {
        wait(&town, "cp-1", state).unwrap();
    }
    for state in ["offline", "maintenance"] {
        assert_eq!(wait(&town, "cp-1", state).unwrap_err().kind, ErrorKind::Timeout, "{state}");
    }
}

#[test]
fn a_bare_node_is_in_maintenance_and_an_absent_one_offline() {
    let town = Town::bare();
    wait(&town, "w-1", "maintenance").unwrap();
    town.machine("w-1", |m| m.power = Power::Away);
    wait(&town, "w-1", "offline").unwrap();
}

#[test]
fn a_timeout_says_why_it_still_waited() {
    let town = Town::healthy();
    town.machine("w-1", |m| (m.stage, m.unmet) = ("booting", "kubelet not healthy"));
    let error = wait(&town, "w-1", "running").unwrap_err();
    assert_eq!(error.message, "after 1m: w-1: stage booting; services: kubelet not healthy");
}

#[test]
fn a_wait_ends_when_it_happens_and_says_its_reason_until_then() {
    let town = Town::healthy();
    town.machine("w-1", |m| m.power = Power::Away);
    town.later("w-1", Span::secs(30), |m| m.power = Power::Up);
    wait(&town, "w-1", "running").unwrap();
    assert!(town.reasons.borrow().iter().all(|r| r.starts_with("w-1 does not answer")));
}

#[test]
fn questions_come_at_growing_intervals_of_at_most_five_seconds() {
    let town = Town::healthy();
    town.machine("w-1", |m| m.power = Power::Away);
    let error = town
        .perform("wait.node", json!({"node": "w-1", "state": "running", "timeout": "10m"}))
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
    let asked = town.asked.borrow().len();
    assert!((118..140).contains(&asked), "{asked} questions in ten minutes");
}

#[test]
fn before_the_bootstrap_a_control_plane_is_settled_while_it_waits_for_etcd() {
    let town = Town::bare();
    for name in ["cp-1", "w-1"] {
        let file = format!("configs/home-{name}.yaml");
        town.perform("talos.apply_config", json!({"node": name, "file": file})).unwrap();
        wait(&town, name, "settled").unwrap();
    }
    town.machine("cp-1", |m| m.unmet = "network not ready");
    assert_eq!(wait(&town, "cp-1", "settled").unwrap_err().kind, ErrorKind::Timeout);
}

#[test]
fn before_the_network_plugin_a_registered_node_is_settled_and_not_ready() {
    let town = Town::healthy();
    town.put("kubeconfig", b"there");
    town.kube_node("w-1", false, "container runtime network not ready: cni plugin not initialized");
    wait(&town, "w-1", "settled").unwrap();
    wait(&town, "w-1", "registered").unwrap();
    assert!(wait(&town, "w-1", "ready").unwrap_err().message.contains("cni plugin"));
    town.kube_node("w-1", false, "Kubelet stopped posting node status.");
    assert!(wait(&town, "w-1", "settled").is_err());
}

#[test]
fn a_learner_is_not_healthy() {
    let town = Town::healthy();
    town.put("kubeconfig", b"there");
    town.machine("cp-2", |m| m.learner = true);
    wait(&town, "cp-1", "healthy").unwrap();
    let error = wait(&town, "cp-2", "healthy").unwrap_err();
    assert!(error.message.contains("a learner, not a voter yet"), "{error}");
}

fn etcd(town: &Town, args: serde_json::Value) -> Result<serde_json::Value, String> {
    town.perform("wait.etcd", args).map_err(|e| e.message)
}

#[test]
fn etcd_is_waited_for_until_all_members_are_healthy_voters() {
    let town = Town::healthy();
    assert_eq!(etcd(&town, json!({})).unwrap(), json!({"members": 3}));
    let why = etcd(&town, json!({"members": 4, "timeout": "5s"})).unwrap_err();
    assert_eq!(why, "after 5s: 3 members, wanted 4");
    let why = etcd(&town, json!({"without": "cp-1", "timeout": "5s"})).unwrap_err();
    assert_eq!(why, "after 5s: cp-1 is still a member");
    town.machine("cp-3", |m| m.learner = true);
    assert!(etcd(&town, json!({"timeout": "5s"})).unwrap_err().contains("cp-3: a learner"));
}

#[test]
fn two_control_planes_that_disagree_are_not_healthy() {
    let town = Town::healthy();
    town.machine("cp-3", |m| m.etcd = Some(vec!["cp-3".into()]));
    let why = etcd(&town, json!({"timeout": "5s"})).unwrap_err();
    assert!(why.contains("cp-1 and cp-3 list different members"), "{why}");
}

#[test]
fn a_removed_member_is_waited_for() {
    let town = Town::healthy();
    for name in ["cp-1", "cp-2"] {
        town.machine(name, |m| m.etcd = Some(vec!["cp-1".into(), "cp-2".into()]));
    }
    town.machine("cp-3", super::town::Machine::bare);
    assert_eq!(etcd(&town, json!({"without": "cp-3"})).unwrap(), json!({"members": 2}));
}

#[test]
fn a_member_whose_node_is_away_is_not_healthy() {
    let town = Town::healthy();
    town.machine("cp-3", |m| m.power = Power::Away);
    assert!(etcd(&town, json!({"timeout": "5s"})).unwrap_err().contains("cp-3"));
}
