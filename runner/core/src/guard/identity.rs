//! Guard `identity`: it is the pinned cluster, and the pinned machine, read through the route that the call will take.
//!
//! Where nothing is pinned yet, a mutating call may pass on the repository's own CA; a destroying one never does.

use std::collections::BTreeMap;

use super::Case;
use super::deed::Deed;
use super::evidence::{Evidence, EvidenceCode, State};
use super::facts::{NodeFacts, NodeIdentity, fresh};
use super::rows::{Row, needs, row};
use crate::error::{Code, Fault};
use crate::inventory::{NodePin, Role};

/// Judges the rows of identity.
///
/// # Errors
/// The first row that does not hold.
pub(super) fn check(deed: &Deed<'_>, case: &Case<'_>) -> Result<(), Box<Fault>> {
    let wanted = [EvidenceCode::Id, EvidenceCode::Node];
    for need in needs(deed, &case.site).iter().filter(|need| wanted.contains(&need.code)) {
        let row = row(need, deed, case);
        if row.state.holds() {
            continue;
        }
        let subject = row.node.clone().unwrap_or_else(|| case.site.cluster.name.clone());
        let mut fault = Fault::new(Code::GUARD_IDENTITY, format!("{subject}: {}", row.found));
        if !row.proof.is_empty() {
            fault = fault.detail(row.proof.clone());
        }
        if row.state == State::Unknown {
            fault = fault
                .detail("Who answers there is unknown, and unknown is not the pinned machine.");
        }
        if let Some(way_out) = row.way_out {
            fault = fault.next(way_out);
        }
        return Err(Box::new(fault));
    }
    Ok(())
}

const ADOPT: &str = "ops adopt";

/// The row `ID`: the cluster is the pinned one.
pub(super) fn cluster_row(row: &Row<'_>, deed: &Deed<'_>) -> Evidence {
    let case = row.case;
    if let Some(node) = deed.node() {
        let in_maintenance = case.facts.node(node).is_some_and(|f| proven_maintenance(f, case));
        if in_maintenance && !deed.destroys() {
            return row
                .say(State::NotApplicable, format!("{node} belongs to no cluster yet"))
                .proof("maintenance mode, proven three ways");
        }
    }
    let (seen, at) = match row.learn(case.facts.cluster.as_ref()) {
        Ok((identity, seen)) => (identity, seen.at),
        Err(row) => return row,
    };
    let pins = case.site.lock;
    let pairs = [
        ("Talos CA", pins.and_then(|p| p.talos_ca.as_ref()), seen.talos_ca.as_ref()),
        ("Kubernetes CA", pins.and_then(|p| p.kubernetes_ca.as_ref()), seen.kubernetes_ca.as_ref()),
        (
            "kube-system",
            pins.and_then(|p| p.kube_system_uid.as_ref()),
            seen.kube_system_uid.as_ref(),
        ),
    ];
    for (what, pin, read) in pairs {
        if let (Some(pin), Some(read)) = (pin, read)
            && !pin.eq_ignore_ascii_case(read)
        {
            let found = format!("{what} is {}, pinned is {}", short(read), short(pin));
            let fail = row.say(State::Fail, found).proof(if what == "kube-system" {
                "The same name with another UID: rebuilt, or a copy."
            } else {
                "Another cluster answers, or it was rebuilt."
            });
            return Evidence { at, ..fail.way_out(ADOPT) };
        }
    }
    // Which of them this kind of call stands on.
    let kube = matches!(deed, Deed::Elsewhere { kube: true, .. });
    let required = if kube { &pairs[1..] } else { &pairs[..1] };
    let mut found = row.say(State::Pass, "");
    for (what, pin, read) in required {
        match (pin, read) {
            (Some(_), Some(_)) => {}
            (None, _) if deed.destroys() => {
                let why = format!("the cluster is not adopted: no {what} is pinned");
                return Evidence { at, ..row.say(State::Fail, why).way_out(ADOPT) };
            }
            (None, Some(read)) if !kube && case.facts.own_ca.as_ref() != Some(read) => {
                let why = format!("{what} {} is not the repository's own", short(read));
                return Evidence { at, ..row.say(State::Fail, why).way_out(ADOPT) };
            }
            (None, Some(_)) => found.found = "not adopted yet, this repository's own CA".into(),
            (_, None) => {
                return Evidence { at, ..row.unknown(&format!("the {what} could not be read")) };
            }
        }
    }
    if found.found.is_empty() {
        found.found = match pairs.iter().find_map(|(_, pin, read)| pin.and(*read)) {
            Some(ca) => format!("CA {}, as pinned", short(ca)),
            None => "as pinned".into(),
        };
    }
    Evidence { at, ..found }
}

/// The row `NODE`: the node is the pinned machine in its inventory role.
pub(super) fn node_row(row: &Row<'_>, deed: &Deed<'_>) -> Evidence {
    let case = row.case;
    let name = row.node.unwrap_or_default();
    let Some(node) = case.site.cluster.node(name) else {
        return row.say(State::Fail, "is not in the inventory");
    };
    let Some(facts) = row.facts() else { return row.unknown("not asked") };
    let (read, at) = match row.learn(facts.identity.as_ref()) {
        Ok((identity, seen)) => (identity, seen.at),
        Err(row) => return row,
    };
    let fail = |why: String| Evidence { at, ..row.say(State::Fail, why).way_out(ADOPT) };
    let maintenance = proven_maintenance(facts, case);
    if !maintenance {
        let trusted =
            case.site.lock.and_then(|l| l.talos_ca.as_ref()).or(case.facts.own_ca.as_ref());
        match (&read.ca, trusted) {
            (Some(ca), Some(trusted)) if ca.eq_ignore_ascii_case(trusted) => {}
            (Some(ca), Some(trusted)) => {
                return fail(format!("its CA is {}, expected {}", short(ca), short(trusted)));
            }
            (Some(_), None) => return fail("no CA is pinned that it could answer to".into()),
            (None, _) => {
                let why = "shows no certificate, and maintenance mode is not proven";
                return Evidence { at, ..row.unknown(why) };
            }
        }
        if read.machine_type != Some(node.role) {
            let is = read.machine_type.map_or("nothing", Role::word);
            return fail(format!("runs as {is}, the inventory says {}", node.role.word()));
        }
        if let Some(host) = read.hostname.as_deref().filter(|host| *host != name) {
            return fail(format!("calls itself {host}"));
        }
    }
    let pins = case.site.lock.map(|lock| &lock.nodes);
    match pins.and_then(|pins| pins.get(name).map(|pin| (pin, pins))) {
        Some((pin, pins)) => match same_machine(name, pin, pins, read) {
            Ok(how) => {
                let mode = if maintenance { ", in maintenance mode" } else { "" };
                Evidence { at, ..row.say(State::Pass, format!("pin matches{mode}")).proof(how) }
            }
            Err(why) => fail(why),
        },
        None if deed.destroys() => fail("has no pin: it was never adopted".into()),
        None => Evidence { at, ..row.say(State::Pass, "not adopted yet") },
    }
}

fn proven_maintenance(facts: &NodeFacts, case: &Case<'_>) -> bool {
    let limit = EvidenceCode::Maint.limit(&case.site.cluster.guards);
    fresh(facts.maintenance.as_ref(), limit, case.now).is_ok_and(|m| m.proven())
}

/// Whether the machine that answered is the pinned one: by its SMBIOS UUID where that is real and unique, else by two of MAC, disk, serial.
///
/// # Errors
/// What does not match.
pub fn same_machine(
    name: &str,
    pin: &NodePin,
    pins: &BTreeMap<String, NodePin>,
    read: &NodeIdentity,
) -> Result<String, String> {
    let same = |a: &str, b: &str| a.trim().eq_ignore_ascii_case(b.trim());
    if let Some(uuid) = pin.uuid.as_deref().filter(|uuid| uuid_is_real(uuid)) {
        let twins = pins
            .iter()
            .filter(|(other, _)| other.as_str() != name)
            .any(|(_, other)| other.uuid.as_deref().is_some_and(|u| same(u, uuid)));
        if !twins {
            return match &read.uuid {
                Some(is) if same(is, uuid) => Ok(format!("UUID {uuid}")),
                Some(is) => Err(format!("is another machine: UUID {is}, pinned is {uuid}")),
                None => Err("does not show its UUID".into()),
            };
        }
    }
    let equal = |a: &Option<String>, b: &Option<String>| match (a, b) {
        (Some(a), Some(b)) => !a.trim().is_empty() && same(a, b),
        _ => false,
    };
    let mut matching = Vec::new();
    if pin.macs.iter().any(|mac| read.macs.iter().any(|is| !mac.trim().is_empty() && same(is, mac)))
    {
        matching.push("MAC");
    }
    if equal(&pin.disk_wwid, &read.disk_wwid) {
        matching.push("system disk");
    }
    if equal(&pin.serial, &read.serial) {
        matching.push("serial");
    }
    if matching.len() >= 2 {
        return Ok(matching.join(" and "));
    }
    Err(match matching.first() {
        Some(one) => {
            format!("only its {one} matches the pin, two of MAC, system disk and serial must")
        }
        None => "is another machine: neither MAC nor system disk nor serial match the pin".into(),
    })
}

/// Whether an SMBIOS UUID says anything: boards without one ship zeros, ones or a vendor's example.
pub fn uuid_is_real(uuid: &str) -> bool {
    const EXAMPLES: [&str; 3] = [
        "03000200040005000006000700080009",
        "00020003000400050006000700080009",
        "12345678123456781234567812345678",
    ];
    let digits: String =
        uuid.chars().filter(char::is_ascii_hexdigit).map(|c| c.to_ascii_lowercase()).collect();
    let first = digits.chars().next();
    digits.len() == 32
        && !digits.chars().all(|c| Some(c) == first)
        && !EXAMPLES.contains(&digits.as_str())
}

fn short(digest: &str) -> String {
    digest.chars().take(4).chain(['…']).collect()
}
