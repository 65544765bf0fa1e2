//! Every call type that changes the world says how its unknown outcome is settled: done, not done, in part, and where nobody answers. A
//! type without these four cases fails here.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::table::{Call, INFOS};
use super::{Request, Settled, Witness};
use crate::effect::Effect;
use crate::time::Span;

/// What the witness showed before, what it shows now, and what follows.
struct Case(Value, Value, &'static str);

/// The four cases of one type.
struct Row {
    call: &'static str,
    args: Value,
    done: Case,
    not_done: Case,
    partial: Case,
    unreachable: Case,
}

fn rows() -> Vec<Row> {
    let config = |stage: &str, persisted: &str| json!({"stage": stage, "boot_id": "a", "persisted": persisted, "active": persisted});
    let boot = |id: &str, stage: &str| json!({"stage": stage, "boot_id": id, "version": "v1.13.0", "volumes": {"STATE": "s1", "EPHEMERAL": "e1"}});
    let bare = |ephemeral: &str| json!({"stage": "maintenance", "volumes": {"STATE": "", "EPHEMERAL": ephemeral}});
    let members = |own: Value, silent: &[&str]| json!({"by_node": {"cp-1": own, "cp-2": {}}, "silent": silent});
    let pods = |cordoned: bool, pods: &[&str]| json!({"cordoned": cordoned, "pods": pods});
    let away = || json!({});
    let nothing_tells = || Case(Value::Null, Value::Null, "ask");
    vec![
        Row {
            call: "talos.apply_config",
            args: json!({"node": "w-1", "file": "f"}),
            done: Case(config("running", "old"), config("running", "new"), "done"),
            not_done: Case(config("running", "old"), config("running", "old"), "not done"),
            // Persisted, and not in force yet: the config is there, the node takes it over by itself.
            partial: Case(config("running", "old"), config("rebooting", "new"), "done"),
            unreachable: Case(config("running", "old"), json!({"error": "refused"}), "ask"),
        },
        Row {
            call: "talos.bootstrap",
            args: json!({"node": "cp-1"}),
            done: Case(members(json!({}), &[]), members(json!({"cp-1": "a1"}), &[]), "done"),
            not_done: Case(members(json!({}), &[]), members(json!({}), &[]), "not done"),
            // Another one has begun an etcd: nothing that may be completed without a person.
            partial: Case(
                members(json!({}), &[]),
                json!({"by_node": {"cp-1": {}, "cp-2": {"cp-2": "b2"}}, "silent": []}),
                "ask",
            ),
            unreachable: Case(
                members(json!({}), &[]),
                json!({"by_node": {"cp-2": {}}, "silent": ["cp-1"]}),
                "ask",
            ),
        },
        Row {
            call: "talos.reboot",
            args: json!({"node": "w-1"}),
            done: Case(boot("a", "running"), boot("b", "booting"), "done"),
            not_done: Case(boot("a", "running"), boot("a", "running"), "not done"),
            partial: Case(boot("a", "running"), boot("a", "rebooting"), "ask"),
            unreachable: Case(boot("a", "running"), away(), "ask"),
        },
        Row {
            call: "talos.reset",
            args: json!({"node": "w-1", "system_labels_to_wipe": ["STATE", "EPHEMERAL"], "reboot": true}),
            done: Case(boot("a", "running"), bare("e2"), "done"),
            not_done: Case(boot("a", "running"), boot("a", "running"), "not done"),
            // Whether to destroy what is left only a person says.
            partial: Case(boot("a", "running"), bare("e1"), "ask"),
            unreachable: Case(boot("a", "running"), away(), "ask"),
        },
        Row {
            call: "kube.cordon",
            args: json!({"node": "w-1"}),
            done: Case(pods(false, &[]), pods(true, &[]), "done"),
            not_done: Case(pods(false, &[]), pods(false, &[]), "not done"),
            // One field: it is set or not.
            partial: Case(pods(true, &[]), pods(true, &[]), "done"),
            unreachable: Case(pods(false, &[]), away(), "ask"),
        },
        Row {
            call: "kube.uncordon",
            args: json!({"node": "w-1"}),
            done: Case(pods(true, &[]), pods(false, &[]), "done"),
            not_done: Case(pods(true, &[]), pods(true, &[]), "not done"),
            partial: Case(pods(false, &[]), pods(false, &[]), "done"),
            unreachable: Case(pods(true, &[]), away(), "ask"),
        },
        Row {
            call: "kube.drain",
            args: json!({"node": "w-1", "ignore_daemonsets": true}),
            done: Case(pods(false, &["a/x"]), pods(true, &[]), "done"),
            not_done: Case(pods(false, &["a/x"]), pods(false, &["a/x"]), "not done"),
            partial: Case(pods(false, &["a/x", "a/y"]), pods(true, &["a/y"]), "partial"),
            unreachable: Case(pods(false, &["a/x"]), away(), "ask"),
        },
        Row {
            call: "sh",
            args: json!({"script": "make"}),
            done: nothing_tells(),
            not_done: nothing_tells(),
            partial: nothing_tells(),
            unreachable: nothing_tells(),
        },
        Row {
            call: "sh.exec",
            args: json!({"argv": ["make"]}),
            done: nothing_tells(),
            not_done: nothing_tells(),
            partial: nothing_tells(),
            unreachable: nothing_tells(),
        },
    ]
}

fn decoded(row: &Row) -> Call {
    let args = row.args.as_object().unwrap().clone();
    Call::decode(&Request { call: row.call.into(), args, place: None }).unwrap().0
}

fn word(settled: &Settled) -> &'static str {
    match settled {
        Settled::Done { .. } => "done",
        Settled::NotDone { .. } => "not done",
        Settled::Partial { .. } => "partial",
        Settled::Ask { .. } => "ask",
    }
}

#[test]
fn every_type_that_changes_the_world_has_its_four_cases() {
    let rows = rows();
    let missing: Vec<&str> = INFOS
        .iter()
        .filter(|info| info.effect >= Effect::Mutates)
        .map(|info| info.name)
        .filter(|name| rows.iter().all(|row| row.call != *name))
        .collect();
    assert!(missing.is_empty(), "say how these are settled: {missing:?}");
    for row in &rows {
        let call = decoded(row);
        let cases = [
            ("done", &row.done),
            ("not done", &row.not_done),
            ("partial", &row.partial),
            ("unreachable", &row.unreachable),
        ];
        for (name, Case(before, now, wanted)) in cases {
            let found = call.spec().settle(before, now);
            assert_eq!(word(&found), *wanted, "{} {name}: {found:?}", row.call);
            if let Settled::Partial { remedy, .. } = &found {
                assert!(Call::decode(remedy).is_ok(), "{}: {remedy:?}", row.call);
            }
        }
    }
}

#[test]
fn who_does_not_answer_is_waited_for_before_anybody_is_asked() {
    for row in rows() {
        let call = decoded(&row);
        let told = call.spec().witness() != Witness::None;
        let waits = call.spec().settles_within(&row.unreachable.0) > Span(0);
        assert_eq!(waits, told, "{}", row.call);
    }
}

#[test]
fn waiting_is_bounded_and_does_not_happen_where_it_cannot_help() {
    let within = |call: &str, args: Value, before: Value| {
        let request =
            Request { call: call.into(), args: args.as_object().unwrap().clone(), place: None };
        Call::decode(&request).unwrap().0.spec().settles_within(&before)
    };
    // Without the old boot id no new one tells anything.
    assert_eq!(within("talos.reboot", json!({"node": "w-1"}), json!({})), Span(0));
    let recovery = json!({"node": "cp-1", "recover_from": "f"});
    assert_eq!(within("talos.bootstrap", recovery, json!({})), Span(0));
    // One that is off stays silent.
    let off = json!({"node": "w-1", "system_labels_to_wipe": ["STATE"], "reboot": false});
    assert_eq!(within("talos.reset", off, json!({})), Span::mins(3));
}
