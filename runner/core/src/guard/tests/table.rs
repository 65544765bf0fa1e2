//! The verification table, what each call needs, the partitions of random resets, confirmation and issue.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::json;

use super::scene::{NOW, Scene, call, planned, reset, reset_w1};
use crate::call::table::Call;
use crate::error::Code;
use crate::guard::deed::Deed;
use crate::guard::{
    Case, ConfigFacts, EvidenceCode, Facts, GrantKind, InstallMatch, Open, OpenKind, Seen,
    StorageVolume, confirm_words, needed, parameter_missing, preflight, question, rows, standing,
};
use crate::inventory::{Profile, Role};
use crate::time::Span;

fn codes(deed: &Deed<'_>, scene: &Scene) -> Vec<&'static str> {
    rows::needs(deed, &scene.site()).iter().map(|need| need.code.word()).collect()
}

#[test]
fn what_each_deed_needs() {
    let (three, one) = (Scene::healthy(3), Scene::healthy(1));
    let worker = reset_w1();
    let plane = reset("cp-1", &["STATE"]);
    let apply = |node| Deed::Apply { node, reboots: None };
    let table: [(Deed<'_>, &Scene, &[&str]); 9] = [
        (Deed::Nothing, &three, &[]),
        (Deed::Elsewhere { kube: true, node: Some("w-1") }, &three, &["ID"]),
        (Deed::Away("w-1"), &three, &["ID", "NODE", "STOR"]),
        (Deed::Away("cp-1"), &three, &["ID", "NODE", "STOR", "ETCD"]),
        (Deed::Away("cp-1"), &one, &["ID", "NODE", "STOR", "ETCD", "SNAP"]),
        (apply("w-1"), &three, &["ID", "NODE", "MAINT", "SEC", "DISK", "LOCK"]),
        (Deed::Bootstrap("cp-1"), &one, &["ID", "NODE", "ETCD"]),
        (Deed::of(&worker, None), &three, &["ID", "NODE", "MAINT", "DISK", "STOR", "BLAST"]),
        (
            Deed::of(&plane, None),
            &three,
            &["ID", "NODE", "MAINT", "DISK", "STOR", "BLAST", "ETCD", "SNAP"],
        ),
    ];
    for (deed, scene, expected) in table {
        assert_eq!(codes(&deed, scene), expected, "{deed:?}");
    }
    let needs = needed(&worker, &three.site());
    assert!(needs.iter().all(|n| n.node.is_some() == (n.code != EvidenceCode::Id)), "{needs:?}");
}

#[test]
fn freshness_is_tightened_by_the_inventory_and_never_loosened() {
    let mut scene = Scene::healthy(3);
    let limit = |scene: &Scene| EvidenceCode::Snap.limit(&scene.cluster.guards);
    assert_eq!(limit(&scene), Span::mins(15));
    scene.cluster.guards.snapshot_max_age = Some(Span::mins(5));
    assert_eq!(limit(&scene), Span::mins(5));
    scene.cluster.guards.snapshot_max_age = Some(Span::hours(5));
    assert_eq!(limit(&scene), Span::mins(15));
}

#[test]
fn every_code_survives_its_word() {
    for code in EvidenceCode::ALL {
        assert_eq!(EvidenceCode::from_word(code.word()), Some(*code));
        assert_eq!(serde_json::to_value(code).unwrap(), code.word());
    }
}

#[test]
fn what_nobody_gathered_is_unknown_in_every_row() {
    let scene = Scene::healthy(3);
    let nothing = Facts::default();
    let case = Case { facts: &nothing, ..scene.case() };
    let plane = reset("cp-1", &["STATE"]);
    for row in super::super::table(&plane, &case) {
        assert!(!row.state.holds(), "{row:?}");
    }
    for need in standing(&scene.site()) {
        assert!(!super::super::row(&need, &case).state.holds(), "{need:?}");
        assert!(super::super::row(&need, &scene.case()).state.holds(), "{need:?}");
    }
}

/// The row ETCD of a call that takes a control plane away.
fn etcd_row(deed: &Deed<'_>, planes: usize, change: impl FnOnce(&mut Scene)) -> String {
    let mut scene = Scene::healthy(planes);
    change(&mut scene);
    let needs = rows::needs(deed, &scene.site());
    let need = needs.iter().find(|n| n.code == EvidenceCode::Etcd).unwrap();
    let row = rows::row(need, deed, &scene.case());
    format!("{}: {}", row.state, row.found)
}

#[test]
fn only_its_own_troubles_do_not_count_against_the_repair_of_a_control_plane() {
    type Change = fn(&mut Scene);
    let down: Change = |scene| scene.silence("cp-2");
    let ill: Change = |scene| scene.member_mut("cp-2").healthy = false;
    let unasked: Change = |scene| scene.etcd_mut().answers.retain(|a| a.node != "cp-2");
    let both: Change = |scene| {
        scene.silence("cp-2");
        scene.member_mut("cp-3").alarms = vec!["NOSPACE".into()];
    };
    let leaderless: Change = |scene| {
        scene.silence("cp-2");
        scene.member_mut("cp-3").leader = "id-cp-3".into();
    };
    let tenth: Change = |scene| scene.silence("cp-10");
    let tenth_ill: Change = |scene| scene.member_mut("cp-10").healthy = false;
    let passes = |voters: usize| format!("pass: {voters} healthy voters, leader cp-1");
    let silent = "fail: cp-2: no route to host".to_owned();
    let table: [(&str, usize, Change, String); 13] = [
        ("cp-2", 3, down, passes(2)),
        ("cp-2", 3, ill, passes(2)),
        ("cp-2", 3, unasked, passes(2)),
        ("cp-1", 3, down, silent.clone()),
        ("cp-3", 3, down, silent.clone()),
        ("cp-3", 3, ill, "fail: cp-2 is not healthy".into()),
        ("cp-3", 3, unasked, "fail: cp-2 was not asked".into()),
        ("cp-2", 3, both, silent.clone()),
        ("cp-2", 3, leaderless, silent),
        // A name that another one begins with.
        ("cp-10", 11, tenth, passes(10)),
        ("cp-1", 11, tenth, "fail: cp-10: no route to host".into()),
        ("cp-1", 11, tenth_ill, "fail: cp-10 is not healthy".into()),
        ("cp-10", 11, ill, "fail: cp-2 is not healthy".into()),
    ];
    for (row, (node, planes, change, expected)) in table.into_iter().enumerate() {
        assert_eq!(etcd_row(&Deed::Away(node), planes, change), expected, "row {row}: {node}");
    }
    let destroys = reset("cp-2", &["STATE"]);
    let reset = etcd_row(&Deed::of(&destroys, None), 3, down);
    assert_eq!(reset, "fail: cp-2: no route to host", "what destroys needs all of them");
}

#[test]
fn a_verification_shows_what_it_found() {
    let scene = Scene::healthy(3);
    let passed = preflight(&planned(&[reset_w1()]), &scene.case(), None).unwrap();
    let shown: Vec<String> =
        passed.rows.iter().map(|r| format!("{} {} {}", r.code, r.state, r.found)).collect();
    assert_eq!(
        shown,
        [
            "ID pass CA 5be1…, as pinned",
            "NODE pass pin matches",
            "MAINT n/a runs with a certificate",
            "DISK pass has STATE, EPHEMERAL",
            "STOR n/a no storage CRD on this cluster",
            "BLAST pass runs 0 pods, none alone",
        ]
    );
    let (kind, slots) = passed.grantable.unwrap();
    assert_eq!(kind, GrantKind::NodeReset);
    assert_eq!(slots[0].to_string(), "w-1 reset EPHEMERAL, STATE");
}

#[test]
fn replicas_elsewhere_let_a_storage_node_go() {
    let mut scene = Scene::granted();
    let storage = scene.facts.node_mut("w-1").storage.as_mut().unwrap().found.as_mut().unwrap();
    storage.crds = vec!["longhorn.io".into()];
    storage.volumes =
        Some(vec![StorageVolume { name: "pvc-1".into(), healthy: true, elsewhere: 2 }]);
    scene.clone().call(&reset_w1()).unwrap();
    let storage = scene.facts.node_mut("w-1").storage.as_mut().unwrap().found.as_mut().unwrap();
    storage.volumes.as_mut().unwrap()[0].elsewhere = 0;
    assert_eq!(scene.call(&reset_w1()).unwrap_err().fault.code, Code::EVIDENCE);
}

/// The rows of an apply, by code.
fn apply_row(code: &str, change: impl FnOnce(&mut Scene, &mut ConfigFacts)) -> String {
    let mut scene = Scene::healthy(3);
    let mut config = ConfigFacts {
        machine_type: Some(Role::Worker),
        ca: scene.facts.own_ca.clone(),
        hostname: Some("w-1".into()),
        reboots: Some(false),
        install: None,
    };
    change(&mut scene, &mut config);
    scene.facts.node_mut("w-1").config = Some(Seen::known(NOW, config));
    let deed = Deed::Apply { node: "w-1", reboots: Some(false) };
    let needs = rows::needs(&deed, &scene.site());
    let need = needs.iter().find(|n| n.code.word() == code).unwrap();
    let row = rows::row(need, &deed, &scene.case());
    format!("{}: {}", row.state, row.found)
}

#[test]
fn a_config_for_another_role_node_or_cluster_is_found_out() {
    assert_eq!(apply_row("SEC", |_, _| {}), "pass: worker, this cluster's secrets");
    assert_eq!(
        apply_row("SEC", |_, c| c.machine_type = Some(Role::Controlplane)),
        "fail: machine.type controlplane for a worker"
    );
    assert_eq!(
        apply_row("SEC", |_, c| c.hostname = Some("w-2".into())),
        "fail: is the config of w-2"
    );
    assert_eq!(
        apply_row("SEC", |_, c| c.ca = Some("beef".into())),
        "fail: its secrets are those of another cluster"
    );
    assert!(apply_row("SEC", |_, c| c.ca = None).starts_with("unknown"));
}

#[test]
fn at_first_contact_exactly_one_empty_disk_must_match() {
    let disks = |disks: &[&str], foreign: &[&str]| {
        let own = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect();
        let install = InstallMatch { disks: own(disks), foreign: own(foreign) };
        apply_row("DISK", |_, c| c.install = Some(install))
    };
    assert_eq!(apply_row("DISK", |_, _| {}), "n/a: installed already");
    assert_eq!(disks(&["/dev/sda (S1)"], &[]), "pass: installs to /dev/sda (S1)");
    assert_eq!(disks(&["/dev/sda (S1)"], &["bluestore"]), "fail: /dev/sda (S1) holds bluestore");
    assert_eq!(disks(&[], &[]), "fail: the install disk selector matches no disk");
    assert!(disks(&["/dev/sda", "/dev/sdb"], &[]).starts_with("fail"));
}

#[test]
fn while_a_config_is_on_trial_no_other_is_applied() {
    let open = Open { kind: OpenKind::TryWindow, node: "w-1".into(), run: "6xyz".into() };
    assert_eq!(apply_row("LOCK", |_, _| {}), "pass: no open try window");
    assert_eq!(
        apply_row("LOCK", |s, _| s.facts.open.push(open)),
        "fail: a config is on trial since run 6xyz"
    );
}

#[test]
fn evidence_that_several_calls_ask_for_is_shown_once_at_its_worst() {
    let mut scene = Scene::healthy(3);
    scene.facts.cluster.as_mut().unwrap().found.as_mut().unwrap().kubernetes_ca = None;
    let drain = call("kube.drain", &json!({"node": "w-1"})).unwrap();
    let refusal = preflight(&planned(&[drain, reset_w1()]), &scene.case(), None).unwrap_err();
    let ids: Vec<&str> = refusal
        .rows
        .iter()
        .filter(|row| row.code == EvidenceCode::Id)
        .map(|row| row.state.word())
        .collect();
    assert_eq!(ids, ["unknown"]);
}

#[test]
fn what_fails_and_what_nobody_knows_are_worded_apart() {
    let mut scene = Scene::granted();
    let here = scene.facts.node_mut("w-1").workloads.as_mut().unwrap();
    here.found.as_mut().unwrap().alone = vec!["db/psql-0".into()];
    let fails = scene.call(&reset_w1()).unwrap_err().fault;
    assert_eq!(fails.title, "w-1: nothing brings back db/psql-0");
    scene.facts.node_mut("w-1").workloads = None;
    let unknown = scene.call(&reset_w1()).unwrap_err().fault;
    let title = "w-1: nobody can say whether everything that runs there comes back elsewhere";
    assert_eq!(unknown.title, title);
    assert_eq!(unknown.details, ["BLAST: not asked", "Unknown is not healthy."]);
}

#[test]
fn the_missing_partitions_are_named_with_a_command_to_copy() {
    let mut scene = Scene::granted();
    scene.command = "cluster:safe-reset --nodes w-1".into();
    let bare = call("talos.reset", &json!({"node": "w-1"})).unwrap();
    let refusal = scene.call(&bare).unwrap_err();
    assert_eq!(refusal.guard.name(), "partitions");
    assert_eq!(
        refusal.fault.details,
        [
            "cluster:safe-reset would reset w-1 without saying which partitions.",
            "An unlabelled reset wipes the whole system disk, boot partition included.",
            "w-1 has: EPHEMERAL, STATE, u-data  (META, BOOT, EFI have recipes of their own)",
        ]
    );
    let command = "ops run cluster:safe-reset --nodes w-1 --partitions STATE,EPHEMERAL";
    assert_eq!(refusal.fault.next, [command]);
    let early = parameter_missing("cluster:safe-reset --nodes w-1", "w-1", "partitions", &[]);
    assert_eq!((early.code, &early.next[..]), (Code::GUARD_PARTITIONS, &[command.to_owned()][..]));
}

#[test]
fn a_missing_grant_names_the_verify_command() {
    let mut scene = Scene::healthy(3);
    let refusal = scene.start(&[reset_w1()]).unwrap_err();
    assert_eq!((refusal.guard.name(), refusal.fault.code), ("grant", Code::NO_GRANT));
    assert_eq!(
        refusal.fault.next,
        ["ops verify cluster:safe-reset --nodes w-1 --partitions STATE,EPHEMERAL"]
    );
}

#[test]
fn a_used_grant_is_said_to_be_used() {
    let mut scene = Scene::granted();
    scene.call(&reset_w1()).unwrap();
    let refusal = scene.call(&reset_w1()).unwrap_err();
    assert!(refusal.fault.title.contains("used"), "{}", refusal.fault.title);
}

#[test]
fn a_resumed_run_may_use_the_slots_that_are_left() {
    let mut scene = Scene::healthy(3);
    let both = [reset("w-1", &["STATE"]), reset("w-2", &["STATE"])];
    scene.verify(&both).unwrap();
    scene.start(&both).unwrap();
    scene.call(&both[0]).unwrap();
    scene.later(Span::hours(3));
    scene.newest = scene.now;
    scene.prove();
    scene.start(&both[1..]).unwrap();
    scene.call(&both[1]).unwrap();
}

#[test]
fn a_dev_cluster_asks_for_evidence_and_the_node_name_but_for_no_grant() {
    let mut scene = Scene::healthy(3).profile(Profile::Dev);
    assert_eq!(confirm_words(&reset_w1(), &scene.site()), "w-1");
    scene.start(&[reset_w1()]).unwrap();
    scene.call(&reset_w1()).unwrap();
    scene.facts.node_mut("w-1").workloads = None;
    assert_eq!(scene.call(&reset_w1()).unwrap_err().fault.code, Code::EVIDENCE);
}

#[test]
fn the_question_says_what_goes_and_what_comes_back() {
    let scene = Scene::healthy(3);
    let off = call("talos.reset", &json!({"node": "w-2", "system_labels_to_wipe": ["EPHEMERAL"]}))
        .unwrap();
    let (one, two) = (reset_w1(), off);
    let asked = question(&[&one, &two], &scene.site()).unwrap();
    assert_eq!(asked.words, "home w-1 w-2");
    assert_eq!(
        asked.lines,
        [
            "This resets STATE and EPHEMERAL of w-1. It comes back in maintenance mode, without its config.",
            "This resets EPHEMERAL of w-2. It powers off and stays off until somebody switches it on.",
        ]
    );
    assert_eq!(confirm_words(&one, &scene.site()), "home w-1");
    let version = call("talos.version", &json!({"node": "w-1"})).unwrap();
    assert_eq!(question(&[&version], &scene.site()), None);
}

#[test]
fn only_the_very_words_confirm() {
    let scene = Scene::healthy(3);
    let ask = || question(&[&reset_w1()], &scene.site()).unwrap();
    assert!(ask().answer(Some("  home   w-1 \n")).is_ok());
    for typed in
        ["", "y", "yes", "home", "w-1", "Home w-1", "home w-10", "home w-1 w-2", "w-1 home"]
    {
        assert_eq!(ask().answer(Some(typed)).unwrap_err().code, Code::DECLINED, "{typed}");
    }
    assert_eq!(ask().answer(None).unwrap_err().code, Code::DECLINED);
}

#[test]
fn a_read_passes_without_any_fact() {
    let mut scene = Scene::healthy(3);
    scene.facts = Facts::default();
    scene.call(&call("talos.version", &json!({"node": "w-1"})).unwrap()).unwrap();
}

fn label() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("STATE".to_owned()),
        3 => Just("EPHEMERAL".to_owned()),
        1 => Just("u-data".to_owned()),
        1 => Just("META".to_owned()),
        1 => Just(String::new()),
        1 => "[A-Za-z,\" -]{0,10}",
        1 => "\\PC{0,4}",
    ]
}

fn any_reset() -> impl Strategy<Value = Call> {
    let mode =
        proptest::option::of(prop_oneof![Just("all"), Just("system-disk"), Just("user-disks")]);
    let labels = proptest::collection::vec(label(), 0..4);
    let disks = proptest::collection::vec(prop_oneof![Just("/dev/sdb"), Just("S1")], 0..2);
    (labels, mode, disks, any::<bool>(), any::<bool>()).prop_map(
        |(labels, mode, disks, graceful, reboot)| {
            let mut args = json!({
                "node": "w-1", "system_labels_to_wipe": labels, "user_disks_to_wipe": disks,
                "graceful": graceful, "reboot": reboot,
            });
            if let Some(mode) = mode {
                args["wipe_mode"] = json!(mode);
            }
            call("talos.reset", &args).unwrap()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_reset_that_passes_names_only_allowed_partitions_and_at_least_one(call in any_reset()) {
        let mut scene = Scene::healthy(3).profile(Profile::Dev);
        let calls = [call.clone()];
        if scene.start(&calls).is_ok() && scene.call(&call).is_ok() {
            let Call::TalosReset(reset) = &call else { unreachable!("only resets are made") };
            prop_assert!(!reset.system_labels_to_wipe.is_empty());
            prop_assert!(reset.user_disks_to_wipe.is_empty());
            for label in &reset.system_labels_to_wipe {
                prop_assert!(["STATE", "EPHEMERAL", "u-data"].contains(&label.as_str()), "{label}");
            }
        }
    }
}
