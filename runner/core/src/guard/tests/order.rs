//! Guard `order`: who may go, with one to five control planes, in plans and one at a time.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::scene::{NOW, Scene, call, etcd, reset};
use crate::call::table::Call;
use crate::error::Code;
use crate::guard::deed::Deed;
use crate::guard::etcd::{Etcd, Voters, assess};
use crate::guard::facts::{EtcdSaid, Seen};
use crate::guard::order;

fn judge(scene: &Scene, deeds: &[Deed<'_>]) -> Result<(), Code> {
    order::check(deeds, &scene.case()).map_err(|fault| fault.code)
}

const NO: Result<(), Code> = Err(Code::GUARD_ORDER);

fn graceful(call: &Call) -> Deed<'_> {
    Deed::of(call, None)
}

#[test]
fn how_many_control_planes_may_go_in_one_run() {
    // (control planes, resets in one run, reboots one after another without a wait, reboots with a wait between)
    let table = [(2, 0, 0, 0), (3, 1, 1, 3), (4, 1, 1, 4), (5, 2, 1, 5)];
    for (planes, resets, blind, waited) in table {
        let scene = Scene::healthy(planes);
        let names: Vec<String> = (1..=planes).map(|i| format!("cp-{i}")).collect();
        let calls: Vec<Call> = names.iter().map(|n| reset(n, &["STATE"])).collect();
        let allowed = |deeds: &dyn Fn(usize) -> Vec<Deed<'static>>| {
            (0..=planes).take_while(|n| judge(&scene, &deeds(*n)).is_ok()).last().unwrap()
        };
        let most = (0..planes)
            .take_while(|n| {
                let deeds: Vec<Deed<'_>> = calls[..=*n].iter().map(graceful).collect();
                judge(&scene, &deeds).is_ok()
            })
            .count();
        assert_eq!(most, resets, "{planes} control planes, resets");
        let leaked: Vec<&'static str> = names.iter().map(|n| &*n.clone().leak()).collect();
        let away = |n: usize| leaked[..n].iter().map(|name| Deed::Away(name)).collect();
        assert_eq!(allowed(&away), blind, "{planes} control planes, reboots");
        let rolling = |n: usize| {
            leaked[..n].iter().flat_map(|name| [Deed::Away(name), Deed::Back(Some(name))]).collect()
        };
        assert_eq!(allowed(&rolling), waited, "{planes} control planes, reboots with waits");
    }
}

#[test]
fn a_single_control_plane_reboots_with_a_fresh_snapshot_only() {
    let mut scene = Scene::healthy(1);
    assert_eq!(judge(&scene, &[Deed::Away("cp-1")]), Ok(()));
    scene.facts.snapshot = None;
    assert_eq!(judge(&scene, &[Deed::Away("cp-1")]), NO);
}

#[test]
fn a_wait_for_another_node_brings_nobody_back() {
    let scene = Scene::healthy(3);
    let deeds = [Deed::Away("cp-1"), Deed::Back(Some("cp-2")), Deed::Away("cp-2")];
    assert_eq!(judge(&scene, &deeds), NO);
}

#[test]
fn a_wait_for_etcd_does_not_bring_back_who_left_for_good() {
    let scene = Scene::healthy(3);
    let (one, two) = (reset("cp-1", &["EPHEMERAL"]), reset("cp-2", &["EPHEMERAL"]));
    let deeds = [graceful(&one), Deed::Back(None), graceful(&two)];
    assert_eq!(judge(&scene, &deeds), NO);
}

#[test]
fn workers_need_no_etcd() {
    let mut scene = Scene::healthy(3);
    scene.facts.etcd = None;
    assert_eq!(judge(&scene, &[Deed::Away("w-1"), Deed::Away("w-2")]), Ok(()));
}

#[test]
fn an_apply_that_does_not_reboot_takes_nobody_away() {
    let mut scene = Scene::healthy(2);
    let apply = |reboots| Deed::Apply { node: "cp-1", reboots };
    assert_eq!(judge(&scene, &[apply(Some(false))]), Ok(()));
    assert_eq!(judge(&scene, &[apply(Some(true))]), NO);
    assert_eq!(judge(&scene, &[apply(None)]), NO, "unknown counts as a reboot");
    scene.facts.etcd = None;
    assert_eq!(judge(&scene, &[apply(Some(false))]), Ok(()));
}

#[test]
fn bare_nodes_are_configured_in_any_order_and_one_is_bootstrapped() {
    let mut scene = Scene::healthy(3);
    for answer in &mut scene.etcd_mut().answers {
        answer.said = EtcdSaid::NoEtcd;
    }
    let apply = |node| Deed::Apply { node, reboots: None };
    assert_eq!(judge(&scene, &["cp-1", "cp-2", "cp-3"].map(apply)), Ok(()));
    assert_eq!(judge(&scene, &[Deed::Bootstrap("cp-1")]), Ok(()));
    assert_eq!(judge(&scene, &[Deed::Bootstrap("w-1")]), NO);
    assert_eq!(judge(&scene, &["cp-1", "cp-2"].map(Deed::Bootstrap)), NO);
    scene.silence("cp-3");
    assert_eq!(judge(&scene, &[Deed::Bootstrap("cp-1")]), NO, "who is silent may hold members");
    assert_eq!(judge(&scene, &[apply("cp-1")]), Ok(()), "cp-1 itself holds none");
    assert_eq!(judge(&scene, &[apply("cp-3")]), NO);
    scene.facts.under_way = vec!["cp-2".into()];
    assert_eq!(judge(&scene, &[apply("cp-1")]), Ok(()), "whoever else is on the way");
}

#[test]
fn a_second_bootstrap_is_refused() {
    let scene = Scene::healthy(3);
    assert_eq!(judge(&scene, &[Deed::Bootstrap("cp-2")]), NO);
    assert_eq!(judge(&Scene::healthy(1), &[Deed::Bootstrap("cp-1")]), NO);
}

#[test]
fn a_joining_control_plane_may_be_configured_while_the_first_one_runs_alone() {
    let mut scene = Scene::healthy(3);
    let mut view = etcd(&["cp-1".to_owned()]);
    for node in ["cp-2", "cp-3"] {
        view.answers.push(crate::guard::EtcdAnswer { node: node.into(), said: EtcdSaid::NoEtcd });
    }
    scene.facts.etcd = Some(Seen::known(NOW, view));
    let apply = |node| Deed::Apply { node, reboots: None };
    assert_eq!(judge(&scene, &[apply("cp-2")]), Ok(()));
    assert_eq!(judge(&scene, &[apply("cp-1")]), NO, "the only voter stays up");
}

#[test]
fn a_member_that_starts_again_still_holds_its_vote() {
    let mut scene = Scene::healthy(3);
    // Its service waits as before a first start, and the other two list it.
    for answer in scene.etcd_mut().answers.iter_mut().filter(|a| a.node == "cp-2") {
        answer.said = EtcdSaid::NoEtcd;
    }
    let sequence = [Deed::Away("cp-2"), Deed::Away("cp-1")];
    assert_eq!(judge(&scene, &sequence), NO);
    assert_eq!(judge(&scene, &[Deed::Away("cp-1")]), NO, "two of three must stay");
    scene.silence("cp-3");
    assert_eq!(
        judge(&scene, &[Deed::Away("cp-2")]),
        NO,
        "its data may be the only copy beside cp-1's"
    );
}

#[test]
fn a_sick_member_may_be_rebooted_while_the_others_hold_quorum() {
    let mut scene = Scene::healthy(3);
    scene.member_mut("cp-2").healthy = false;
    assert_eq!(judge(&scene, &[Deed::Away("cp-2")]), Ok(()));
    assert_eq!(judge(&scene, &[Deed::Away("cp-1")]), NO);
    scene.member_mut("cp-3").healthy = false;
    assert_eq!(judge(&scene, &[Deed::Away("cp-2")]), NO, "one healthy voter holds no quorum");
}

#[test]
fn a_refusal_says_what_would_be_left_and_what_to_do_instead() {
    let mut scene = Scene::healthy(3);
    scene.command = "cluster:safe-reset --nodes cp-1,cp-2 --partitions EPHEMERAL".into();
    let calls = [reset("cp-1", &["EPHEMERAL"]), reset("cp-2", &["EPHEMERAL"])];
    let refusal = scene.verify(&calls).unwrap_err();
    assert_eq!(refusal.guard.name(), "order");
    assert_eq!(
        refusal.fault.details,
        [
            "Resetting cp-1 and cp-2 in one run leaves 1 of 3 healthy voters; with 3 control planes etcd needs 2."
        ]
    );
    assert_eq!(
        refusal.fault.next,
        [
            "ops verify cluster:safe-reset --nodes cp-1 --partitions EPHEMERAL",
            "ops verify cluster:rebuild          if the whole cluster should go",
        ]
    );
    let etcd = refusal.rows.iter().find(|row| row.code.word() == "ETCD").unwrap();
    assert_eq!(etcd.state.word(), "fail");
    assert_eq!(etcd.found, "etcd would be left with 1 of 3 healthy voters, 2 must stay");
}

#[test]
fn the_evidence_of_a_refusal_shows_which_member_is_ill() {
    let mut scene = Scene::healthy(3);
    scene.silence("cp-2");
    let refusal = scene.verify(&[reset("cp-1", &["EPHEMERAL"])]).unwrap_err();
    assert_eq!(refusal.guard.name(), "order");
    let row = refusal.rows.iter().find(|row| row.code.word() == "ETCD").unwrap();
    assert_eq!(row.state.word(), "fail");
    assert!(row.found.starts_with("cp-2"), "{}", row.found);
}

#[test]
fn a_planned_apply_is_judged_by_its_mode_and_prediction() {
    let apply = |reboots| Deed::Apply { node: "cp-1", reboots };
    let table: [(&str, Option<Value>, Deed<'_>); 9] = [
        ("auto", Some(json!({"changed": false, "reboot": "none"})), Deed::Nothing),
        ("auto", Some(json!({"changed": true, "reboot": "none"})), apply(Some(false))),
        ("auto", Some(json!({"changed": true, "reboot": "staged"})), apply(Some(false))),
        ("auto", Some(json!({"changed": true, "reboot": "now"})), apply(Some(true))),
        ("auto", Some(json!({"changed": true})), apply(None)),
        ("auto", None, apply(None)),
        ("no-reboot", None, apply(Some(false))),
        ("try", None, apply(Some(false))),
        ("reboot", None, apply(Some(true))),
    ];
    for (mode, reply, deed) in table {
        let args = json!({"node": "cp-1", "file": "talos/home-cp-1.yaml", "mode": mode});
        let call = call("talos.apply_config", &args).unwrap();
        assert_eq!(Deed::of(&call, reply.as_ref()), deed, "{mode} {reply:?}");
    }
}

#[test]
fn a_wait_brings_back_only_who_is_shown_to_vote() {
    for (state, back) in
        [("healthy", true), ("settled", true), ("running", false), ("offline", false)]
    {
        let wait = call("wait.node", &json!({"node": "cp-1", "state": state})).unwrap();
        assert_eq!(Deed::of(&wait, None) == Deed::Back(Some("cp-1")), back, "{state}");
    }
}

#[test]
fn a_call_that_nobody_named_counts_as_the_worst_that_it_may_do() {
    let deed = |name: &str, args| format!("{:?}", Deed::of(&call(name, &args).unwrap(), None));
    assert_eq!(deed("talos.reboot", json!({"node": "w-1"})), "Away(\"w-1\")");
    let cordon = deed("kube.cordon", json!({"node": "w-1"}));
    assert_eq!(cordon, "Elsewhere { kube: true, node: Some(\"w-1\") }");
    let drain = deed("kube.drain", json!({"node": "w-1", "force": true}));
    assert_eq!(drain, "Destroys { kind: None, node: Some(\"w-1\") }");
    let recover = deed("talos.bootstrap", json!({"node": "cp-1", "recover_from": "db"}));
    assert_eq!(recover, "Destroys { kind: Some(EtcdRecover), node: Some(\"cp-1\") }");
}

#[derive(Clone, Debug)]
enum Step {
    Reboot(usize),
    Reset(usize),
    Wait(usize),
    WaitEtcd,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (1..=6usize).prop_map(Step::Reboot),
        (1..=6usize).prop_map(Step::Reset),
        (1..=6usize).prop_map(Step::Wait),
        Just(Step::WaitEtcd),
    ];
    proptest::collection::vec(step, 0..12)
}

/// The world as it would be, told apart from the guard's own counting: who votes and is up after each step.
fn fewest_voters(planes: usize, ill: &[bool], steps: &[Step]) -> usize {
    let mut up: Vec<bool> = (0..planes).map(|i| !ill[i]).collect();
    let mut left: Vec<bool> = vec![false; planes];
    let mut fewest = up.iter().filter(|u| **u).count();
    for step in steps {
        match step {
            Step::Reboot(i) if *i <= planes => up[i - 1] = false,
            Step::Reset(i) if *i <= planes => {
                up[i - 1] = false;
                left[i - 1] = true;
            }
            Step::Wait(i) if *i <= planes && !left[i - 1] => up[i - 1] = true,
            Step::WaitEtcd => {
                for i in 0..planes {
                    up[i] = !left[i];
                }
            }
            _ => {}
        }
        fewest = fewest.min(up.iter().filter(|u| **u).count());
    }
    fewest
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn healthy_voters_never_fall_below_quorum(
        planes in 2..=5usize,
        ill in proptest::collection::vec(proptest::bool::weighted(0.1), 5),
        steps in steps(),
    ) {
        let mut scene = Scene::healthy(planes);
        for i in 1..=planes {
            if ill[i - 1] {
                scene.member_mut(&format!("cp-{i}")).healthy = false;
            }
        }
        let names: Vec<String> = (0..=6).map(|i| if i <= planes { format!("cp-{i}") } else { "w-1".into() }).collect();
        let resets: Vec<Call> = names.iter().map(|n| reset(n, &["STATE"])).collect();
        let deeds: Vec<Deed<'_>> = steps.iter().map(|step| match step {
            Step::Reboot(i) => Deed::Away(&names[*i]),
            Step::Reset(i) => Deed::of(&resets[*i], None),
            Step::Wait(i) => Deed::Back(Some(&names[*i])),
            Step::WaitEtcd => Deed::Back(None),
        }).collect();
        let disturbs = steps.iter().any(|s| matches!(s, Step::Reboot(i) | Step::Reset(i) if *i <= planes));
        if disturbs && judge(&scene, &deeds).is_ok() {
            let fewest = fewest_voters(planes, &ill, &steps);
            prop_assert!(fewest > planes / 2, "{fewest} of {planes} after {steps:?}");
        }
    }
}

#[test]
fn an_unhealthy_cluster_is_told_in_words() {
    let mut scene = Scene::healthy(3);
    scene.member_mut("cp-3").alarms = vec!["NOSPACE".into()];
    let Etcd::Present(Voters { healthy, troubles, leader, .. }) =
        assess(&scene.etcd_mut().clone(), &scene.cluster).unwrap()
    else {
        panic!("there is an etcd")
    };
    assert_eq!(healthy.into_iter().collect::<Vec<_>>(), ["cp-1", "cp-2"]);
    let told: Vec<&str> = troubles.iter().map(|trouble| trouble.words.as_str()).collect();
    assert_eq!(told, ["cp-3 raised the alarm NOSPACE"]);
    assert_eq!(leader.as_deref(), Some("cp-1"));
}
