//! Ways around the guards: every attempt is a row. Each begins where the honest reset of w-1 would pass, and must be refused.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::scene::{Scene, call, etcd, reset, reset_w1, volumes};
use crate::call::table::Call;
use crate::error::Code;
use crate::guard::{EtcdSaid, Maintenance, Member, Open, OpenKind, Refusal, Seen, Who};
use crate::ident::RunId;
use crate::inventory::Profile;
use crate::time::{Span, Time};
use crate::value::Digest;

/// How an attempt ended.
type Ended = Result<(), Code>;

fn ended<T>(result: Result<T, Box<Refusal>>) -> Ended {
    result.map(|_| ()).map_err(|refusal| refusal.fault.code)
}

/// The reset of w-1, with fields changed, judged in a scene where the honest one is granted.
fn reset_with(fields: &Value) -> Ended {
    let mut args = json!({
        "node": "w-1", "system_labels_to_wipe": ["STATE", "EPHEMERAL"], "graceful": true, "reboot": true,
    });
    for (key, value) in fields.as_object().unwrap() {
        args[key] = value.clone();
    }
    let decoded = call("talos.reset", &args)?;
    ended(Scene::granted().call(&decoded))
}

/// The honest reset of w-1 after something about the scene has changed.
fn after(change: impl FnOnce(&mut Scene)) -> Ended {
    let mut scene = Scene::granted();
    change(&mut scene);
    ended(scene.call(&reset_w1()))
}

/// As `after`, but a new run begins: preflight, claim, confirmation.
fn anew(change: impl FnOnce(&mut Scene)) -> Ended {
    let mut scene = Scene::healthy(3);
    scene.verify(&[reset_w1()]).unwrap();
    change(&mut scene);
    ended(scene.start(&[reset_w1()]))
}

fn verify(planes: usize, calls: &[Call], change: impl FnOnce(&mut Scene)) -> Ended {
    let mut scene = Scene::healthy(planes);
    change(&mut scene);
    ended(scene.verify(calls))
}

struct Attempt(&'static str, fn() -> Ended, Code);

#[rustfmt::skip]
const ATTEMPTS: &[Attempt] = &[
    // The list as it was given.
    Attempt("no labels", || reset_with(&json!({"system_labels_to_wipe": []})), Code::GUARD_PARTITIONS),
    Attempt("an empty label, as from an empty variable", || reset_with(&json!({"system_labels_to_wipe": [""]})), Code::GUARD_PARTITIONS),
    Attempt("blank labels", || reset_with(&json!({"system_labels_to_wipe": [" ", "\t"]})), Code::GUARD_PARTITIONS),
    Attempt("an empty label beside a good one", || reset_with(&json!({"system_labels_to_wipe": ["STATE", ""]})), Code::GUARD_PARTITIONS),
    Attempt("a map instead of a list", || reset_with(&json!({"system_labels_to_wipe": {}})), Code::CALL_FIELD),
    Attempt("a string instead of a list", || reset_with(&json!({"system_labels_to_wipe": "STATE"})), Code::CALL_FIELD),
    Attempt("null instead of a list", || reset_with(&json!({"system_labels_to_wipe": null})), Code::CALL_FIELD),
    Attempt("true as a label", || reset_with(&json!({"system_labels_to_wipe": [true]})), Code::CALL_FIELD),
    Attempt("two labels in one word", || reset_with(&json!({"system_labels_to_wipe": ["STATE,META"]})), Code::GUARD_PARTITIONS),
    Attempt("two good labels in one word", || reset_with(&json!({"system_labels_to_wipe": ["STATE,EPHEMERAL"]})), Code::GUARD_PARTITIONS),
    Attempt("a quoted label", || reset_with(&json!({"system_labels_to_wipe": ["\"STATE\""]})), Code::GUARD_PARTITIONS),
    Attempt("a label with a line break", || reset_with(&json!({"system_labels_to_wipe": ["STATE\nMETA"]})), Code::GUARD_PARTITIONS),
    Attempt("lower case", || reset_with(&json!({"system_labels_to_wipe": ["state"]})), Code::GUARD_PARTITIONS),
    Attempt("a label with a space", || reset_with(&json!({"system_labels_to_wipe": ["STATE "]})), Code::GUARD_PARTITIONS),
    Attempt("a look-alike letter", || reset_with(&json!({"system_labels_to_wipe": ["STАTE"]})), Code::GUARD_PARTITIONS),
    Attempt("an unknown label", || reset_with(&json!({"system_labels_to_wipe": ["DATA"]})), Code::GUARD_PARTITIONS),
    Attempt("META", || reset_with(&json!({"system_labels_to_wipe": ["META"]})), Code::GUARD_PARTITIONS),
    Attempt("META behind good ones", || reset_with(&json!({"system_labels_to_wipe": ["STATE", "EPHEMERAL", "META"]})), Code::GUARD_PARTITIONS),
    Attempt("BOOT", || reset_with(&json!({"system_labels_to_wipe": ["BOOT"]})), Code::GUARD_PARTITIONS),
    Attempt("EFI", || reset_with(&json!({"system_labels_to_wipe": ["EFI"]})), Code::GUARD_PARTITIONS),
    Attempt("efi in lower case", || reset_with(&json!({"system_labels_to_wipe": ["efi"]})), Code::GUARD_PARTITIONS),
    Attempt("BIOS", || reset_with(&json!({"system_labels_to_wipe": ["BIOS"]})), Code::GUARD_PARTITIONS),
    Attempt("a path as a label", || reset_with(&json!({"system_labels_to_wipe": ["/dev/sda"]})), Code::GUARD_PARTITIONS),
    Attempt("a flag as a label", || reset_with(&json!({"system_labels_to_wipe": ["--wipe-mode=all"]})), Code::GUARD_PARTITIONS),
    Attempt("a user volume without a name", || reset_with(&json!({"system_labels_to_wipe": ["u-"]})), Code::GUARD_PARTITIONS),
    Attempt("wipe mode all beside labels", || reset_with(&json!({"wipe_mode": "all"})), Code::GUARD_PARTITIONS),
    Attempt("wipe mode system-disk beside labels", || reset_with(&json!({"wipe_mode": "system-disk"})), Code::GUARD_PARTITIONS),
    Attempt("wipe mode all without labels", || reset_with(&json!({"wipe_mode": "all", "system_labels_to_wipe": []})), Code::GUARD_PARTITIONS),
    Attempt("wipe mode user-disks beside labels", || reset_with(&json!({"wipe_mode": "user-disks"})), Code::GUARD_PARTITIONS),
    Attempt("wipe mode user-disks without a disk", || reset_with(&json!({"wipe_mode": "user-disks", "system_labels_to_wipe": []})), Code::GUARD_PARTITIONS),
    Attempt("user disks without a mode", || reset_with(&json!({"user_disks_to_wipe": ["/dev/sdb"], "system_labels_to_wipe": []})), Code::GUARD_PARTITIONS),
    Attempt("user disks without a mode, beside labels", || reset_with(&json!({"user_disks_to_wipe": ["/dev/sdb"]})), Code::GUARD_PARTITIONS),
    Attempt("an empty user disk", || reset_with(&json!({"user_disks_to_wipe": [""], "wipe_mode": "user-disks", "system_labels_to_wipe": []})), Code::GUARD_PARTITIONS),
    Attempt("a user disk by device name", || reset_with(&json!({"user_disks_to_wipe": ["/dev/sdb"], "wipe_mode": "user-disks", "system_labels_to_wipe": []})), Code::GUARD_PARTITIONS),
    Attempt("a user disk by serial: another kind of grant", || reset_with(&json!({"user_disks_to_wipe": ["S5GXNX0T1"], "wipe_mode": "user-disks", "system_labels_to_wipe": []})), Code::GRANT_KIND),
    Attempt("an unknown wipe mode", || reset_with(&json!({"wipe_mode": "ALL"})), Code::CALL_FIELD),
    Attempt("an unknown field", || reset_with(&json!({"insecure": true})), Code::CALL_FIELD),
    Attempt("the flag's spelling as a field", || reset_with(&json!({"system-labels-to-wipe": ["STATE"]})), Code::CALL_FIELD),
    Attempt("no node", || reset_with(&json!({"node": ""})), Code::GRANT_MISMATCH),
    Attempt("two nodes in one word", || reset_with(&json!({"node": "w-1,w-2"})), Code::GRANT_MISMATCH),
    // Against the node's own volumes.
    Attempt("a user volume that the node does not have", || verify(3, &[reset("w-1", &["u-other"])], |_| {}), Code::GUARD_PARTITIONS),
    Attempt("a partition that is not on this disk", || after(|s| s.facts.node_mut("w-1").volumes = Some(Seen::known(s.now, volumes(&["STATE"])))), Code::GUARD_PARTITIONS),
    Attempt("a partition that is not located", || after(|s| { let v = s.facts.node_mut("w-1").volumes.as_mut().unwrap().found.as_mut().unwrap(); v[1].located = false; }), Code::GUARD_PARTITIONS),
    Attempt("volumes that nobody read", || after(|s| s.facts.node_mut("w-1").volumes = None), Code::GUARD_PARTITIONS),
    Attempt("volumes read six minutes ago", || after(|s| s.facts.node_mut("w-1").volumes.as_mut().unwrap().at = Time(s.now.0 - 360_000)), Code::GUARD_PARTITIONS),
    Attempt("volumes read in the future", || after(|s| s.facts.node_mut("w-1").volumes.as_mut().unwrap().at = Time(s.now.0 + 1)), Code::GUARD_PARTITIONS),
    Attempt("a node in maintenance mode", || after(|s| { let n = s.now; let f = s.facts.node_mut("w-1"); f.maintenance = Some(Seen::known(n, Maintenance { answers_insecure: true, refuses_certificate: true, without_config: true })); f.identity.as_mut().unwrap().found.as_mut().unwrap().ca = None; }), Code::GUARD_PARTITIONS),
    Attempt("a node that only says that it is in maintenance", || after(|s| s.identity_mut("w-1").stage = Some("maintenance".into())), Code::GUARD_PARTITIONS),
    // The grant.
    Attempt("no grant at all", || anew(|s| s.held.clear()), Code::NO_GRANT),
    Attempt("a grant that no run claimed", || after(|s| s.held[0].claimed = None), Code::NO_GRANT),
    Attempt("a grant for another node", || ended(Scene::granted().call(&reset("w-2", &["STATE", "EPHEMERAL"]))), Code::GRANT_MISMATCH),
    Attempt("a grant for fewer partitions", || reset_with(&json!({"system_labels_to_wipe": ["STATE", "EPHEMERAL", "u-data"]})), Code::GRANT_MISMATCH),
    Attempt("a grant for more partitions", || reset_with(&json!({"system_labels_to_wipe": ["STATE"]})), Code::GRANT_MISMATCH),
    Attempt("a grant for other partitions", || reset_with(&json!({"system_labels_to_wipe": ["u-data"]})), Code::GRANT_MISMATCH),
    Attempt("a granted reset, but ungraceful", || reset_with(&json!({"graceful": false})), Code::GRANT_MISMATCH),
    Attempt("a granted reset, but it stays off", || reset_with(&json!({"reboot": false})), Code::GRANT_MISMATCH),
    Attempt("the slot once more", || { let mut s = Scene::granted(); s.call(&reset_w1()).unwrap(); ended(s.call(&reset_w1())) }, Code::GRANT_USED),
    Attempt("the used grant in a new run", || { let mut s = Scene::granted(); s.call(&reset_w1()).unwrap(); s.run = RunId("8abc".into()); ended(s.start(&[reset_w1()])) }, Code::GRANT_USED),
    Attempt("a grant claimed by another run", || after(|s| s.run = RunId("8abc".into())), Code::GRANT_USED),
    Attempt("one slot for two planned resets", || { let mut s = Scene::healthy(3); s.verify(&[reset_w1()]).unwrap(); ended(s.start(&[reset_w1(), reset_w1()])) }, Code::GRANT_USED),
    Attempt("two grants of a slot each for one run of two", || { let mut s = Scene::healthy(3); s.verify(&[reset_w1()]).unwrap(); s.verify(&[reset("w-2", &["STATE"])]).unwrap(); ended(s.start(&[reset_w1(), reset("w-2", &["STATE"])])) }, Code::GRANT_MISMATCH),
    Attempt("started after sixteen minutes", || anew(|s| { s.later(Span::mins(16)); s.prove(); s.newest = s.now; }), Code::GRANT_EXPIRED),
    Attempt("started after six minutes where the inventory says five", || anew(|s| { s.cluster.guards.grant_ttl = Some(Span::mins(5)); s.later(Span::mins(6)); s.prove(); }), Code::GRANT_EXPIRED),
    Attempt("an inventory that loosens the limit", || anew(|s| { s.cluster.guards.grant_ttl = Some(Span::hours(5)); s.later(Span::mins(16)); s.prove(); }), Code::GRANT_EXPIRED),
    Attempt("used more than four hours after the claim", || after(|s| { s.later(Span(4 * 3_600_000 + 1)); s.prove(); }), Code::GRANT_EXPIRED),
    Attempt("the clock turned back before the newest record", || after(|s| { s.newest = Time(s.now.0 + 1); }), Code::GRANT_EXPIRED),
    Attempt("the clock turned back before the issue", || after(|s| { s.now = Time(s.now.0 - 1); s.newest = s.now; s.prove(); }), Code::GRANT_EXPIRED),
    Attempt("issued again later by hand", || anew(|s| { s.later(Span::mins(16)); s.prove(); s.held[0].grant.issued = s.now; }), Code::GRANT_VOID),
    Attempt("edited partitions", || { let mut s = Scene::granted(); s.held[0].grant.slots[0].partitions = vec!["EPHEMERAL".into()]; ended(s.call(&reset("w-1", &["EPHEMERAL"]))) }, Code::GRANT_VOID),
    Attempt("an edited node", || { let mut s = Scene::granted(); let pin = crate::guard::node_pin(&s.site(), "w-2").unwrap(); s.held[0].grant.slots[0].node = "w-2".into(); s.held[0].grant.slots[0].pin = pin; ended(s.call(&reset("w-2", &["STATE", "EPHEMERAL"]))) }, Code::GRANT_VOID),
    Attempt("a slot added by hand", || after(|s| { let slot = s.held[0].grant.slots[0].clone(); s.held[0].grant.slots.push(slot); }), Code::GRANT_VOID),
    Attempt("a lab grant relabelled as real", || { let mut s = Scene::healthy(3); s.lab = true; s.verify(&[reset_w1()]).unwrap(); s.lab = false; let pin = crate::guard::cluster_pin(&s.site()); s.held[0].grant.lab = false; s.held[0].grant.pin = pin; ended(s.start(&[reset_w1()])) }, Code::GRANT_VOID),
    Attempt("a grant of another state folder", || after(|s| s.key = [8; 32]), Code::GRANT_VOID),
    Attempt("a grant of another user", || after(|s| s.who = Who { user: "eve".into(), ..s.who.clone() }), Code::GRANT_VOID),
    Attempt("a grant of another machine", || after(|s| s.who = Who { machine: "m-2".into(), ..s.who.clone() }), Code::GRANT_VOID),
    Attempt("another user writes himself into the grant", || after(|s| { s.who.user = "eve".into(); s.held[0].grant.who.user = "eve".into(); }), Code::GRANT_VOID),
    Attempt("a grant of another version of ops", || after(|s| s.held[0].grant.version = 2), Code::GRANT_VOID),
    Attempt("a grant without its seal", || after(|s| s.held[0].grant.mac = Digest(String::new())), Code::GRANT_VOID),
    Attempt("a grant for another recipe", || after(|s| s.recipe = "cluster:rebuild".into()), Code::NO_GRANT),
    Attempt("a grant for other parameters", || after(|s| s.args = Digest::of(&json!({"nodes": ["w-2"]}))), Code::GRANT_MISMATCH),
    Attempt("a grant for another cluster", || after(|s| s.cluster.name = "edge".into()), Code::GRANT_MISMATCH),
    Attempt("a grant of before the cluster was rebuilt", || after(|s| s.lock.as_mut().unwrap().kube_system_uid = Some("uid-2".into())), Code::GRANT_MISMATCH),
    Attempt("a grant of the lab on the real cluster", || { let mut s = Scene::healthy(3); s.lab = true; s.verify(&[reset_w1()]).unwrap(); s.lab = false; ended(s.start(&[reset_w1()])) }, Code::GRANT_MISMATCH),
    Attempt("a grant of the real cluster in the lab", || after(|s| s.lab = true), Code::GRANT_MISMATCH),
    Attempt("a machine replaced under the same name", || after(|s| s.lock.as_mut().unwrap().nodes.get_mut("w-1").unwrap().serial = Some("new".into())), Code::GRANT_MISMATCH),
    // Identity, read again before the call.
    Attempt("another machine answers at the address", || after(|s| { let other = s.identity_mut("w-2").clone(); *s.identity_mut("w-1") = other; }), Code::GUARD_IDENTITY),
    Attempt("another machine with the same host name", || after(|s| s.identity_mut("w-1").uuid = Some("4c4c4544-0042-3510-8052-00000000ffff".into())), Code::GUARD_IDENTITY),
    Attempt("another cluster's certificate", || after(|s| s.identity_mut("w-1").ca = Some("beef".into())), Code::GUARD_IDENTITY),
    Attempt("no certificate", || after(|s| s.identity_mut("w-1").ca = None), Code::GUARD_IDENTITY),
    Attempt("another cluster behind the context", || after(|s| s.facts.cluster.as_mut().unwrap().found.as_mut().unwrap().talos_ca = Some("beef".into())), Code::GUARD_IDENTITY),
    Attempt("a copy of the cluster: same CA, another UID", || after(|s| s.facts.cluster.as_mut().unwrap().found.as_mut().unwrap().kube_system_uid = Some("uid-2".into())), Code::GUARD_IDENTITY),
    Attempt("a worker that turned out to be a control plane", || after(|s| s.identity_mut("w-1").machine_type = Some(crate::inventory::Role::Controlplane)), Code::GUARD_IDENTITY),
    Attempt("a node that does not answer", || after(|s| s.facts.node_mut("w-1").identity = Some(Seen::unknown(s.now, "no route to host"))), Code::GUARD_IDENTITY),
    Attempt("a node that nobody asked", || after(|s| { s.facts.nodes.remove("w-1"); }), Code::GUARD_IDENTITY),
    Attempt("identity read three minutes ago", || after(|s| s.facts.node_mut("w-1").identity.as_mut().unwrap().at = Time(s.now.0 - 180_000)), Code::GUARD_IDENTITY),
    Attempt("a node outside the inventory", || { let mut s = Scene::granted(); s.cluster.nodes.retain(|n| n.name != "w-1"); ended(s.call(&reset_w1())) }, Code::GUARD_IDENTITY),
    Attempt("a cluster that was never adopted", || verify(3, &[reset_w1()], |s| s.lock = None), Code::GUARD_IDENTITY),
    Attempt("a node without a pin", || verify(3, &[reset_w1()], |s| { s.lock.as_mut().unwrap().nodes.remove("w-1"); }), Code::GUARD_IDENTITY),
    // The evidence, gathered again before the call.
    Attempt("pods that nothing brings back", || after(|s| s.facts.node_mut("w-1").workloads.as_mut().unwrap().found.as_mut().unwrap().alone = vec!["db/psql-0".into()]), Code::EVIDENCE),
    Attempt("a budget that allows no eviction", || after(|s| s.facts.node_mut("w-1").workloads.as_mut().unwrap().found.as_mut().unwrap().blocked = vec!["db/psql".into()]), Code::EVIDENCE),
    Attempt("a storage system that nobody asked", || after(|s| s.facts.node_mut("w-1").storage.as_mut().unwrap().found.as_mut().unwrap().crds = vec!["longhorn.io".into()]), Code::EVIDENCE),
    Attempt("a local volume on the node", || after(|s| s.facts.node_mut("w-1").storage.as_mut().unwrap().found.as_mut().unwrap().local = vec!["pv-1".into()]), Code::EVIDENCE),
    Attempt("pods that nobody could list", || after(|s| s.facts.node_mut("w-1").workloads = Some(Seen::unknown(s.now, "the API does not answer"))), Code::EVIDENCE),
    Attempt("a team's own evidence fails", || after(|s| s.facts.also.push(crate::guard::Evidence::new(crate::guard::EvidenceCode::Backup, Some("w-1"), crate::guard::State::Unknown, "no backup", s.now))), Code::EVIDENCE),
    // Order.
    Attempt("two of three control planes in one run", || verify(3, &[reset("cp-1", &["EPHEMERAL"]), reset("cp-2", &["EPHEMERAL"])], |_| {}), Code::GUARD_ORDER),
    Attempt("a second control plane in a run of its own", || verify(3, &[reset("cp-2", &["EPHEMERAL"])], |s| { let left: Vec<String> = vec!["cp-2".into(), "cp-3".into()]; *s.etcd_mut() = etcd(&left); }), Code::GUARD_ORDER),
    Attempt("a control plane while another is down", || verify(3, &[reset("cp-1", &["EPHEMERAL"])], |s| s.silence("cp-2")), Code::GUARD_ORDER),
    Attempt("a control plane while another raised an alarm", || verify(3, &[reset("cp-1", &["EPHEMERAL"])], |s| s.member_mut("cp-2").alarms = vec!["NOSPACE".into()]), Code::GUARD_ORDER),
    Attempt("a control plane while another lies behind", || verify(3, &[reset("cp-1", &["EPHEMERAL"])], |s| s.member_mut("cp-2").raft_index = 1), Code::GUARD_ORDER),
    Attempt("a control plane while another knows no leader", || verify(3, &[reset("cp-1", &["EPHEMERAL"])], |s| s.member_mut("cp-2").leader.clear()), Code::GUARD_ORDER),
    Attempt("a control plane while another is unhealthy", || verify(3, &[reset("cp-1", &["EPHEMERAL"])], |s| s.member_mut("cp-2").healthy = false), Code::GUARD_ORDER),
    Attempt("a learner counted as a voter", || verify(3, &[reset("cp-1", &["EPHEMERAL"])], |s| for a in &mut s.etcd_mut().answers { if let EtcdSaid::Members { members, .. } = &mut a.said { members[2].learner = true; } }), Code::GUARD_ORDER),
    Attempt("two leaders", || verify(3, &[reset("cp-1", &["EPHEMERAL"])], |s| s.member_mut("cp-2").leader = "id-cp-2".into()), Code::GUARD_ORDER),
    Attempt("members that disagree", || verify(3, &[reset("cp-1", &["EPHEMERAL"])], |s| if let EtcdSaid::Members { members, .. } = &mut s.etcd_mut().answers[1].said { members.pop(); }), Code::GUARD_ORDER),
    Attempt("one endpoint vouches for all", || verify(3, &[reset("cp-1", &["EPHEMERAL"])], |s| { s.silence("cp-2"); s.silence("cp-3"); }), Code::GUARD_ORDER),
    Attempt("etcd that nobody asked", || verify(3, &[reset("cp-1", &["EPHEMERAL"])], |s| s.facts.etcd = None), Code::GUARD_ORDER),
    Attempt("etcd asked two minutes ago", || verify(3, &[reset("cp-1", &["EPHEMERAL"])], |s| s.facts.etcd.as_mut().unwrap().at = Time(s.now.0 - 120_000)), Code::GUARD_ORDER),
    Attempt("stale members that etcd still counts", || verify(3, &[reset("cp-1", &["EPHEMERAL"])], |s| for a in &mut s.etcd_mut().answers { if let EtcdSaid::Members { members, .. } = &mut a.said { for i in 0..3 { members.push(Member { id: format!("old-{i}"), name: format!("old-{i}"), learner: false }); } } }), Code::GUARD_ORDER),
    Attempt("an ungraceful reset of a control plane", || verify(3, &[call("talos.reset", &json!({"node": "cp-1", "system_labels_to_wipe": ["EPHEMERAL"], "graceful": false, "reboot": true})).unwrap()], |_| {}), Code::GUARD_ORDER),
    Attempt("a user volume of a second control plane: it leaves etcd too", || verify(3, &[reset("cp-1", &["u-data"]), reset("cp-2", &["u-data"])], |_| {}), Code::GUARD_ORDER),
    Attempt("a control plane of two", || verify(2, &[reset("cp-1", &["EPHEMERAL"])], |_| {}), Code::GUARD_ORDER),
    Attempt("a control plane while this run has another under way", || verify(5, &[reset("cp-1", &["EPHEMERAL"])], |s| s.facts.under_way = vec!["cp-2".into()]), Code::GUARD_ORDER),
    Attempt("a control plane while an earlier run left another away", || verify(5, &[reset("cp-1", &["EPHEMERAL"])], |s| s.facts.open = vec![Open { kind: OpenKind::Away, node: "cp-2".into(), run: "6xyz".into() }]), Code::GUARD_ORDER),
    Attempt("the only control plane: another kind of grant", || verify(1, &[reset("cp-1", &["EPHEMERAL"])], |_| {}), Code::GRANT_KIND),
    Attempt("every control plane at once: another kind of grant", || verify(3, &[reset("cp-1", &["STATE"]), reset("cp-2", &["STATE"]), reset("cp-3", &["STATE"])], |_| {}), Code::GRANT_KIND),
    Attempt("a control plane without a snapshot", || verify(3, &[reset("cp-1", &["EPHEMERAL"])], |s| s.facts.snapshot = None), Code::EVIDENCE),
    Attempt("a snapshot of yesterday", || verify(3, &[reset("cp-1", &["EPHEMERAL"])], |s| s.facts.snapshot.as_mut().unwrap().found.as_mut().unwrap().taken = Time(s.now.0 - 86_400_000)), Code::EVIDENCE),
    Attempt("a snapshot older than the inventory allows", || verify(3, &[reset("cp-1", &["EPHEMERAL"])], |s| s.cluster.guards.snapshot_max_age = Some(Span::secs(30))), Code::EVIDENCE),
    Attempt("a snapshot whose hash does not fit", || verify(3, &[reset("cp-1", &["EPHEMERAL"])], |s| s.facts.snapshot.as_mut().unwrap().found.as_mut().unwrap().verified = false), Code::EVIDENCE),
    Attempt("an empty snapshot", || verify(3, &[reset("cp-1", &["EPHEMERAL"])], |s| s.facts.snapshot.as_mut().unwrap().found.as_mut().unwrap().size = 0), Code::EVIDENCE),
    Attempt("one of five ill: quorum holds, health does not", || verify(5, &[reset("cp-1", &["EPHEMERAL"])], |s| s.silence("cp-5")), Code::EVIDENCE),
    // Kinds of grants that have no evidence yet are refused by name.
    Attempt("a recovery of etcd", || verify(3, &[call("talos.bootstrap", &json!({"node": "cp-1", "recover_from": "db"})).unwrap()], |_| {}), Code::GRANT_KIND),
    Attempt("a recovery of etcd under a grant for a reset", || ended(Scene::granted().call(&call("talos.bootstrap", &json!({"node": "cp-1", "recover_from": "db"})).unwrap())), Code::GRANT_KIND),
    Attempt("a drain that deletes what nobody brings back", || verify(3, &[call("kube.drain", &json!({"node": "w-1", "force": true})).unwrap()], |_| {}), Code::GRANT_KIND),
    Attempt("a drain past the budgets on a dev cluster", || { let mut s = Scene::healthy(3).profile(Profile::Dev); ended(s.start(&[call("kube.drain", &json!({"node": "w-1", "disable_eviction": true})).unwrap()])) }, Code::GRANT_KIND),
    Attempt("the whole dev cluster", || { let mut s = Scene::healthy(3).profile(Profile::Dev); ended(s.start(&[reset("cp-1", &["STATE"]), reset("cp-2", &["STATE"]), reset("cp-3", &["STATE"])])) }, Code::GRANT_KIND),
    Attempt("a whole disk beside a good reset", || verify(3, &[reset_w1(), call("talos.reset", &json!({"node": "w-2"})).unwrap()], |_| {}), Code::GUARD_PARTITIONS),
    // Declaration and confirmation.
    Attempt("a recipe that does not say that it destroys", || after(|s| s.destructive = false), Code::UNDECLARED),
    Attempt("nobody confirmed", || after(|s| s.confirmed = None), Code::DECLINED),
    Attempt("another node confirmed", || { let mut s = Scene::granted(); s.held.clear(); let two = [reset("w-2", &["STATE"])]; s.verify(&two).unwrap(); let words = s.confirmed.clone(); s.start(&two).unwrap(); s.confirmed = words; ended(s.call(&two[0])) }, Code::DECLINED),
    Attempt("production without a second person", || { let mut s = Scene::granted().profile(Profile::Production); ended(s.call(&reset_w1())) }, Code::GUARD_CONFIRM),
    Attempt("the same person as second person", || { let mut s = Scene::granted().profile(Profile::Production); s.approved_by = vec!["ops".into()]; ended(s.call(&reset_w1())) }, Code::GUARD_CONFIRM),
    Attempt("one second person twice where two are asked", || { let mut s = Scene::granted(); s.cluster.guards.approvals = Some(2); s.approved_by = vec!["eve".into(), "eve".into()]; ended(s.call(&reset_w1())) }, Code::GUARD_CONFIRM),
];

#[test]
fn the_honest_reset_passes_so_that_no_refusal_below_is_vacuous() {
    let mut scene = Scene::granted();
    scene.call(&reset_w1()).unwrap();
    assert_eq!(
        reset_with(&json!({"system_labels_to_wipe": ["EPHEMERAL", "STATE", "STATE"]})),
        Ok(())
    );
    assert_eq!(anew(|_| {}), Ok(()));
    assert_eq!(verify(3, &[reset("cp-1", &["EPHEMERAL"])], |_| {}), Ok(()));
}

#[test]
fn no_way_leads_around_the_guards() {
    let mut open = Vec::new();
    for Attempt(name, attempt, expected) in ATTEMPTS {
        match attempt() {
            Err(code) if code == *expected => {}
            Err(code) => open.push(format!("{name}: refused by {code}, expected {expected}")),
            Ok(()) => open.push(format!("{name}: PASSED")),
        }
    }
    assert!(open.is_empty(), "{} of {} attempts:\n{}", open.len(), ATTEMPTS.len(), open.join("\n"));
}

#[test]
fn every_attempt_has_a_name_of_its_own_and_they_are_many() {
    let mut names: Vec<&str> = ATTEMPTS.iter().map(|a| a.0).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ATTEMPTS.len());
    assert!(names.len() >= 140, "{} attempts", names.len());
}
