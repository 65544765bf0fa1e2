//! Guard `identity`: which machine is the pinned one, and what may happen before anything is pinned.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use super::scene::{CA, Scene, machine, node, pin};
use crate::error::Code;
use crate::guard::deed::Deed;
use crate::guard::identity::check;
use crate::guard::{Maintenance, NodeIdentity, Seen, same_machine, uuid_is_real};
use crate::inventory::NodePin;

fn matches(change: impl FnOnce(&mut NodePin, &mut NodeIdentity)) -> bool {
    let (mut pinned, mut read) = (pin("w-1"), machine(&node("w-1")));
    change(&mut pinned, &mut read);
    let pins = BTreeMap::from([("w-1".to_owned(), pinned.clone()), ("w-2".to_owned(), pin("w-2"))]);
    same_machine("w-1", &pinned, &pins, &read).is_ok()
}

#[test]
fn a_real_uuid_alone_decides() {
    assert!(matches(|_, read| {
        read.macs.clear();
        read.disk_wwid = None;
        read.serial = None;
    }));
    assert!(matches(|_, read| read.uuid = read.uuid.take().map(|u| u.to_uppercase())));
    assert!(!matches(|_, read| read.uuid = Some("4c4c4544-0042-3510-8052-ffff00000000".into())));
    assert!(!matches(|_, read| read.uuid = None));
}

#[test]
fn without_a_real_uuid_two_of_three_decide() {
    let zeros = || Some("00000000-0000-0000-0000-000000000000".to_owned());
    assert!(matches(|pin, _| pin.uuid = None));
    assert!(matches(|pin, read| (pin.uuid, read.uuid) = (zeros(), zeros())));
    assert!(matches(|pin, read| {
        pin.uuid = None;
        read.disk_wwid = Some("a new disk".into());
    }));
    assert!(!matches(|pin, read| {
        (pin.uuid, read.uuid) = (zeros(), zeros());
        read.disk_wwid = Some("a new disk".into());
        read.macs.clear();
    }));
    assert!(!matches(|pin, read| {
        pin.uuid = None;
        (pin.serial, read.serial) = (Some(String::new()), Some(String::new()));
        read.macs.clear();
    }));
}

#[test]
fn a_uuid_that_two_nodes_share_decides_nothing() {
    let (mut one, mut two) = (pin("w-1"), pin("w-2"));
    two.uuid = one.uuid.clone();
    let read = NodeIdentity { uuid: one.uuid.clone(), ..NodeIdentity::default() };
    let pins = BTreeMap::from([("w-1".to_owned(), one.clone()), ("w-2".to_owned(), two)]);
    assert!(same_machine("w-1", &one, &pins, &read).is_err());
    one.serial = Some("x".into());
    let read = NodeIdentity { serial: Some("x".into()), macs: one.macs.clone(), ..read };
    assert!(same_machine("w-1", &one, &pins, &read).is_ok());
}

#[test]
fn a_uuid_of_zeros_ones_or_a_vendor_example_is_none() {
    for uuid in [
        "",
        "0",
        "00000000-0000-0000-0000-000000000000",
        "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
        "03000200-0400-0500-0006-000700080009",
        "not settable",
    ] {
        assert!(!uuid_is_real(uuid), "{uuid}");
    }
    assert!(uuid_is_real("4c4c4544-0042-3510-8052-b7c04f564432"));
}

fn code(scene: &Scene, deed: &Deed<'_>) -> Result<(), Code> {
    check(deed, &scene.case()).map_err(|fault| fault.code)
}

#[test]
fn before_anything_is_pinned_only_this_repositorys_own_nodes_may_be_changed() {
    let mut scene = Scene::healthy(3);
    scene.lock = None;
    assert_eq!(code(&scene, &Deed::Away("w-1")), Ok(()));
    scene.facts.own_ca = Some("beef".into());
    assert_eq!(code(&scene, &Deed::Away("w-1")), Err(Code::GUARD_IDENTITY));
    scene.facts.own_ca = None;
    assert_eq!(code(&scene, &Deed::Away("w-1")), Err(Code::GUARD_IDENTITY));
}

#[test]
fn a_bare_node_is_configured_once_maintenance_mode_is_proven_three_ways() {
    let proof =
        |a, b, c| Maintenance { answers_insecure: a, refuses_certificate: b, without_config: c };
    let apply = Deed::Apply { node: "w-1", reboots: None };
    for (proof, passes) in [
        (proof(true, true, true), true),
        (proof(true, true, false), false),
        (proof(true, false, true), false),
        (proof(false, true, true), false),
    ] {
        let mut scene = Scene::healthy(3);
        scene.lock = None;
        scene.facts.cluster = None;
        let bare =
            NodeIdentity { ca: None, hostname: None, machine_type: None, ..machine(&node("w-1")) };
        *scene.identity_mut("w-1") = bare;
        let now = scene.now;
        scene.facts.node_mut("w-1").maintenance = Some(Seen::known(now, proof));
        assert_eq!(code(&scene, &apply).is_ok(), passes, "{proof:?}");
    }
}

#[test]
fn a_bare_machine_at_the_wrong_address_is_refused_by_its_pin() {
    let mut scene = Scene::healthy(3);
    let bare =
        NodeIdentity { ca: None, hostname: None, machine_type: None, ..machine(&node("w-2")) };
    *scene.identity_mut("w-1") = bare;
    let proven =
        Maintenance { answers_insecure: true, refuses_certificate: true, without_config: true };
    let now = scene.now;
    scene.facts.node_mut("w-1").maintenance = Some(Seen::known(now, proven));
    let apply = Deed::Apply { node: "w-1", reboots: None };
    assert_eq!(code(&scene, &apply), Err(Code::GUARD_IDENTITY));
}

#[test]
fn kubernetes_calls_stand_on_the_api_ca_and_the_uid() {
    let drain = Deed::Elsewhere { kube: true, node: Some("w-1") };
    let mut scene = Scene::healthy(3);
    assert_eq!(code(&scene, &drain), Ok(()));
    let cluster = scene.facts.cluster.as_mut().unwrap().found.as_mut().unwrap();
    cluster.kube_system_uid = None;
    assert_eq!(code(&scene, &drain), Err(Code::GUARD_IDENTITY), "unknown is not the pinned one");
    let cluster = scene.facts.cluster.as_mut().unwrap().found.as_mut().unwrap();
    (cluster.kube_system_uid, cluster.kubernetes_ca) = (Some("uid-1".into()), Some(CA.into()));
    assert_eq!(code(&scene, &drain), Err(Code::GUARD_IDENTITY));
}
