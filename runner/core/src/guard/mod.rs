//! Guards: pure functions of a call, facts and the inventory. They say what may pass; only here a [`Permit`] comes to be.
//!
//! The engine asks [`needed`] what to gather, [`preflight`] about everything that is planned, and [`judge`] before each call. The order
//! of guards is fixed, as the first refusal decides the exit code: partitions as given, order, owner, grant, identity, partitions as
//! real, the remaining evidence, confirm. Reads no clock, asks nobody, prints nothing.

mod ahead;
mod case;
mod confirm;
mod deed;
mod etcd;
mod evidence;
mod facts;
mod grant;
mod identity;
mod order;
mod partitions;
mod rows;

#[cfg(test)]
mod tests;

pub use ahead::ahead;
pub use case::{Asked, Case, Claims, Guard, Passed, PlannedCall, Refusal, Site};
pub use confirm::{Confirmed, Question, approvals, confirm_words, question, unanswered};
pub use etcd::{Etcd, RAFT_LAG, Voters, assess};
pub use evidence::{Evidence, EvidenceCode, EvidenceNeed, State};
pub use facts::{
    ClusterIdentity, ConfigFacts, EtcdAnswer, EtcdSaid, EtcdView, Facts, InstallMatch, Maintenance,
    Member, MemberStatus, NodeFacts, NodeIdentity, Open, OpenKind, Seen, Snapshot, Storage,
    StorageVolume, Volume, Workloads, fresh,
};
pub use grant::{
    CLAIM_WITHIN, Fit, GRANT_VERSION, Grant, GrantKind, Held, Slot, USE_WITHIN, Who, claim_within,
    cluster_pin, node_pin,
};
pub use identity::{same_machine, uuid_is_real};
pub use partitions::{OWN_RECIPE, SYSTEM, parameter_missing};

use crate::call::table::Call;
use crate::effect::Effect;
use crate::error::{Code, Fault};
use crate::inventory::Profile;
use crate::value::{Digest, Value};

use deed::Deed;
use grant::Wanted;

/// Proof that the guards let this very call through. Consumed by carrying it out; cannot be made, copied or kept elsewhere.
#[derive(Debug)]
pub struct Permit {
    call: Box<Call>,
    slot: Option<(String, u32)>,
    rows: Vec<Evidence>,
}

impl Permit {
    /// The call.
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// The slot that it uses: grant and slot number. To be recorded as used, synced, before the call starts.
    pub fn slot(&self) -> Option<(&str, u32)> {
        self.slot.as_ref().map(|(grant, slot)| (grant.as_str(), *slot))
    }

    /// The evidence that it stands on.
    pub fn rows(&self) -> &[Evidence] {
        &self.rows
    }

    /// Uses it up.
    pub fn into_call(self) -> Call {
        *self.call
    }
}

/// What [`judge`] says.
#[derive(Debug)]
pub enum Verdict {
    /// The call may happen, once.
    Allow(Permit),
    /// It may not.
    Refuse(Box<Refusal>),
}

/// Which evidence a call needs, and how fresh. The engine gathers it through the same gate, by reads.
pub fn needed(call: &Call, site: &Site<'_>) -> Vec<EvidenceNeed> {
    rows::needs(&Deed::of(call, None), site)
}

/// The rows of the verification table for one call, as the facts stand.
pub fn table(call: &Call, case: &Case<'_>) -> Vec<Evidence> {
    evidence(&Deed::of(call, None), case)
}

/// Evidence about the cluster as it stands, without any call: what `ops verify` alone shows.
pub fn standing(site: &Site<'_>) -> Vec<EvidenceNeed> {
    let need = |code: EvidenceCode, node: Option<&str>| EvidenceNeed {
        code,
        node: node.map(str::to_owned),
        fresh: code.limit(&site.cluster.guards),
    };
    let mut needs = vec![need(EvidenceCode::Id, None)];
    needs.extend(site.cluster.nodes.iter().map(|n| need(EvidenceCode::Node, Some(&n.name))));
    needs.extend([need(EvidenceCode::Etcd, None), need(EvidenceCode::Snap, None)]);
    needs
}

/// The row of one need that stands beside any call's own: for [`standing`], and for further codes that a recipe asks for.
pub fn row(need: &EvidenceNeed, case: &Case<'_>) -> Evidence {
    let deed = need.node.as_deref().map_or(Deed::Nothing, Deed::Touch);
    rows::row(need, &deed, case)
}

/// Judges everything that a plan predicts, before the first call of it: each guard over the whole sequence before the next guard.
///
/// Without claims (`ops verify`) no grant is asked for. What a person must confirm is asked afterwards, see [`question`].
///
/// # Errors
/// The first refusal.
pub fn preflight(
    planned: &[PlannedCall],
    case: &Case<'_>,
    claims: Option<&Claims<'_>>,
) -> Result<Passed, Box<Refusal>> {
    let deeds: Vec<Deed<'_>> =
        planned.iter().map(|p| Deed::of(&p.call, p.predicted.as_ref())).collect();
    let judgement = Judgement { deeds: &deeds, case };
    let kind = judgement.words()?;
    let slots = judgement.permission(kind)?;
    let claim = match claims {
        Some(claims) if !slots.is_empty() => Some(judgement.grant(&slots, claims, false)?.grant),
        _ => None,
    };
    let rows = judgement.proof()?;
    Ok(Passed { rows, claim, grantable: kind.map(|kind| (kind, slots)) })
}

/// Judges one call, now. A permit comes from here and nowhere else; reads get one too.
pub fn judge(call: &Call, case: &Case<'_>, claims: &Claims<'_>) -> Verdict {
    match permit(call, case, claims) {
        Ok(permit) => Verdict::Allow(permit),
        Err(refusal) => Verdict::Refuse(refusal),
    }
}

/// The permit of a call that reads or writes files here: no guard asks about it, so nothing has to be looked up for it.
pub fn unguarded(call: &Call) -> Option<Permit> {
    let free = matches!(call.spec().effect(), Effect::Reads | Effect::Files);
    free.then(|| Permit { call: Box::new(call.clone()), slot: None, rows: Vec::new() })
}

fn permit(call: &Call, case: &Case<'_>, claims: &Claims<'_>) -> Result<Permit, Box<Refusal>> {
    if let Some(permit) = unguarded(call) {
        return Ok(permit);
    }
    let reboots = call
        .spec()
        .node()
        .and_then(|node| case.facts.node(node)?.config.as_ref()?.found.as_ref().ok()?.reboots);
    let deed = match Deed::of(call, None) {
        Deed::Apply { node, reboots: None } => Deed::Apply { node, reboots },
        other => other,
    };
    if !deed.guarded() {
        return Ok(Permit { call: Box::new(call.clone()), slot: None, rows: Vec::new() });
    }
    let deeds = [deed];
    let judgement = Judgement { deeds: &deeds, case };
    let kind = judgement.words()?;
    let slots = judgement.permission(kind)?;
    let slot = if slots.is_empty() {
        None
    } else {
        let fit = judgement.grant(&slots, claims, true)?;
        fit.slots.first().map(|slot| (fit.grant, *slot))
    };
    let rows = judgement.proof()?;
    if kind.is_some() {
        confirm::check(call, case, claims.confirmed, claims.approved_by, &claims.who.user)
            .map_err(|fault| judgement.refuse(Guard::Confirm, *fault))?;
    }
    Ok(Permit { call: Box::new(call.clone()), slot, rows })
}

/// Deeds that are judged together.
struct Judgement<'a> {
    deeds: &'a [Deed<'a>],
    case: &'a Case<'a>,
}

impl Judgement<'_> {
    fn refuse(&self, guard: Guard, fault: Fault) -> Box<Refusal> {
        let rows = self.deeds.iter().flat_map(|deed| evidence(deed, self.case));
        let mut rows: Vec<Evidence> = rows.collect();
        dedup(&mut rows);
        // Every member may be healthy now; what fails is what would be left.
        let etcd = rows.iter_mut().find(|row| row.code == EvidenceCode::Etcd && row.state.holds());
        if let Some(row) = etcd.filter(|_| guard == Guard::Order) {
            row.state = State::Fail;
            row.found.clone_from(&fault.title);
        }
        Box::new(Refusal { guard, fault, rows })
    }

    /// What the words of the calls alone decide, and the order. Gives the kind of grant that they need together.
    fn words(&self) -> Result<Option<GrantKind>, Box<Refusal>> {
        for deed in self.deeds {
            if let Deed::Reset(reset) = deed {
                partitions::as_given(reset, self.case)
                    .map_err(|fault| self.refuse(Guard::Partitions, *fault))?;
            }
        }
        let destroys = self.deeds.iter().any(Deed::destroys);
        if destroys && !self.case.asked.destructive {
            let fault = Fault::new(
                Code::UNDECLARED,
                format!("{} destroys without saying so", self.case.asked.recipe),
            )
            .help("say `destructive = true` in the recipe's head");
            return Err(self.refuse(Guard::Declared, fault));
        }
        let kind = self.kind();
        // A teardown has the order of its kind.
        if !matches!(kind, Ok(Some(GrantKind::Teardown))) {
            order::check(self.deeds, self.case)
                .map_err(|fault| self.refuse(Guard::Order, *fault))?;
        }
        kind.map_err(|fault| self.refuse(Guard::Grant, *fault))
    }

    /// The one kind that covers all destroying calls.
    fn kind(&self) -> Result<Option<GrantKind>, Box<Fault>> {
        let mut kind: Option<GrantKind> = None;
        let mut reset: Vec<&str> = Vec::new();
        for deed in self.deeds {
            let this = match deed {
                Deed::Reset(call) => {
                    reset.push(&call.node);
                    if call.user_disks_to_wipe.is_empty() {
                        GrantKind::NodeReset
                    } else {
                        GrantKind::DiskWipe
                    }
                }
                Deed::Destroys { kind: Some(kind), .. } => *kind,
                Deed::Destroys { kind: None, .. } => {
                    return Err(Box::new(Fault::new(
                        Code::GRANT_KIND,
                        "no kind of grant covers this call yet",
                    )));
                }
                _ => continue,
            };
            kind = kind.max(Some(this));
        }
        let mut planes = self.case.site.cluster.control_planes().peekable();
        let all = planes.peek().is_some() && planes.all(|node| reset.contains(&node.name.as_str()));
        Ok(if all { Some(GrantKind::Teardown) } else { kind })
    }

    /// The slots that the destroying calls need; none where the cluster's profile asks for no grant.
    fn permission(&self, kind: Option<GrantKind>) -> Result<Vec<Slot>, Box<Refusal>> {
        let Some(kind) = kind else { return Ok(Vec::new()) };
        kind.supported().map_err(|fault| self.refuse(Guard::Grant, *fault))?;
        if self.case.site.profile() == Profile::Dev {
            return Ok(Vec::new());
        }
        let mut slots = Vec::new();
        for deed in self.deeds {
            if let Deed::Reset(reset) = deed {
                // A machine that was never adopted has no pin: `identity` says so, and no grant can name it.
                let pin = node_pin(&self.case.site, &reset.node)
                    .unwrap_or_else(|| Digest::of(&Value::Null));
                slots.push(Slot::of(reset, pin));
            }
        }
        Ok(slots)
    }

    fn grant(
        &self,
        slots: &[Slot],
        claims: &Claims<'_>,
        claimed: bool,
    ) -> Result<Fit, Box<Refusal>> {
        let wanted = Wanted {
            site: &self.case.site,
            recipe: self.case.asked.recipe,
            args: self.case.asked.args,
            who: claims.who,
            run: claims.run,
            key: claims.key,
            newest: claims.newest,
            now: self.case.now,
            slots,
            claimed,
        };
        grant::find(claims.grants, &wanted).map_err(|mut fault| {
            fault.next.push(format!("ops verify {}", self.case.asked.command));
            self.refuse(Guard::Grant, *fault)
        })
    }

    /// Identity, then the real volumes, then the rest of the evidence.
    fn proof(&self) -> Result<Vec<Evidence>, Box<Refusal>> {
        for deed in self.deeds {
            identity::check(deed, self.case)
                .map_err(|fault| self.refuse(Guard::Identity, *fault))?;
        }
        for deed in self.deeds {
            if let Deed::Reset(reset) = deed {
                partitions::as_real(reset, self.case)
                    .map_err(|fault| self.refuse(Guard::Partitions, *fault))?;
            }
        }
        let mut rows = Vec::new();
        for deed in self.deeds.iter().filter(|deed| deed.guarded()) {
            let of_deed = evidence(deed, self.case);
            if let Some(row) = of_deed.iter().find(|row| !row.state.holds()) {
                return Err(self.refuse(Guard::Grant, unproven(row, deed)));
            }
            rows.extend(of_deed);
        }
        dedup(&mut rows);
        Ok(rows)
    }
}

/// The rows that a deed needs, and those of a team's own evidence about its node.
fn evidence(deed: &Deed<'_>, case: &Case<'_>) -> Vec<Evidence> {
    let mut rows: Vec<Evidence> =
        rows::needs(deed, &case.site).iter().map(|need| rows::row(need, deed, case)).collect();
    if deed.guarded() {
        let node = deed.node();
        let also =
            case.facts.also.iter().filter(|row| row.node.is_none() || row.node.as_deref() == node);
        rows.extend(also.cloned());
    }
    rows
}

/// One row per evidence and node, in the order of its first appearance: what calls ask alike is shown once, at its worst.
fn dedup(rows: &mut Vec<Evidence>) {
    let worse = |state: State| match state {
        State::NotApplicable => 0,
        State::Pass => 1,
        State::Unknown => 2,
        State::Fail => 3,
    };
    let mut seen: Vec<Evidence> = Vec::new();
    for row in rows.drain(..) {
        match seen.iter_mut().find(|s| s.code == row.code && s.node == row.node) {
            Some(same) if worse(row.state) > worse(same.state) => *same = row,
            Some(_) => {}
            None => seen.push(row),
        }
    }
    *rows = seen;
}

fn unproven(row: &Evidence, deed: &Deed<'_>) -> Fault {
    let subject = row.node.as_deref().or(deed.node()).unwrap_or("the cluster");
    let (code, about) = (row.code, row.code.about());
    let mut fault = if row.state == State::Unknown {
        Fault::new(Code::EVIDENCE, format!("{subject}: nobody can say whether {about}"))
            .detail(format!("{code}: {}", row.found))
            .detail("Unknown is not healthy.")
    } else {
        Fault::new(Code::EVIDENCE, format!("{subject}: {}", row.found))
            .detail(format!("{code} must show that {about}."))
    };
    if let Some(way_out) = &row.way_out {
        fault = fault.next(way_out.clone());
    }
    fault
}
