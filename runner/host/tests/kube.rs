//! Cordon, drain and reads of the Kubernetes API.

use ops_core::error::ErrorKind;
use serde_json::json;

use super::town::Town;

fn town() -> Town {
    let town = Town::healthy();
    town.put("kubeconfig", b"there");
    town.pods("w-1", &["x", "y"]);
    town
}

#[test]
fn cordon_and_uncordon_act_only_where_something_changes() {
    let town = town();
    let call = |name: &str| town.perform(name, json!({"node": "w-1"})).unwrap();
    assert_eq!(call("kube.uncordon"), json!({"changed": false}));
    assert_eq!(call("kube.cordon"), json!({"changed": true}));
    assert_eq!(call("kube.cordon"), json!({"changed": false}));
    assert_eq!(call("kube.uncordon"), json!({"changed": true}));
    assert_eq!(town.changes(), ["cordon w-1 @", "uncordon w-1 @"]);
}

#[test]
fn a_cordon_that_did_not_take_is_not_applied() {
    let town = town();
    town.drops.set(true);
    let error = town.perform("kube.cordon", json!({"node": "w-1"})).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotApplied);
}

#[test]
fn a_drain_ends_with_an_empty_cordoned_node() {
    let town = town();
    let drain = || town.perform("kube.drain", json!({"node": "w-1"})).unwrap();
    assert_eq!(drain(), json!({"changed": true, "evicted": ["a/x", "a/y"]}));
    assert_eq!(drain(), json!({"changed": false, "evicted": []}));
    assert_eq!(town.changes().len(), 1);
}

#[test]
fn a_drain_that_moved_nothing_is_not_applied() {
    let town = town();
    town.drops.set(true);
    let error = town.perform("kube.drain", json!({"node": "w-1"})).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotApplied);
    assert!(error.message.contains("w-1 is not cordoned"), "{error}");
}

#[test]
fn a_missing_object_is_an_error_or_nil_as_asked() {
    let town = town();
    let get = |args: serde_json::Value| town.perform("kube.get", args);
    assert_eq!(
        get(json!({"kind": "node", "name": "w-1"})).unwrap()["metadata"]["name"],
        json!("w-1")
    );
    assert_eq!(get(json!({"kind": "node", "name": "w-9"})).unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(get(json!({"kind": "node", "name": "w-9", "optional": true})).unwrap(), json!(null));
}

#[test]
fn a_kind_that_is_misspelt_or_needs_a_namespace_is_refused() {
    let town = town();
    let error = town.perform("kube.get", json!({"kind": "nodee", "name": "a"})).unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("did you mean `node`?"));
    let error = town.perform("kube.list", json!({"kind": "pod"})).unwrap_err();
    assert!(error.message.contains("all_namespaces"), "{error}");
}

#[test]
fn selectors_are_escaped_in_the_path() {
    let town = town();
    town.kubernetes(
        "/api/v1/pods?labelSelector=app%3Dx%2Ctier%21%3Dy",
        json!({"items": [{"a": 1}]}),
    );
    let args = json!({"kind": "pods", "all_namespaces": true, "selector": "app=x,tier!=y"});
    assert_eq!(town.perform("kube.list", args).unwrap(), json!([{"a": 1}]));
}

#[test]
fn without_a_kubeconfig_the_api_is_unreachable() {
    let town = Town::healthy();
    let error = town.perform("kube.get", json!({"kind": "node", "name": "w-1"})).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert_eq!(error.hint.as_deref(), Some("ops run talos:recover-kubeconfig"));
}
