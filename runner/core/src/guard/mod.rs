//! Guards: pure functions of a call, facts and the inventory. They say what may pass; only here a [`Permit`] comes to be.
//!
//! The engine asks [`needed`] what to gather, [`preflight`] about everything that is planned, and [`judge`] before each call. The order
//! of guards is fixed, as the first refusal decides the exit code: partitions as given, order, owner, grant, identity, partitions as
//! real, the remaining evidence, confirm. Reads no clock, asks nobody, prints nothing.

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

pub use confirm::{Confirmed, Question, approvals, confirm_words, question};
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
use crate::ident::RunId;
use crate::inventory::{Cluster, LockFile, Profile};
use crate::time::Time;
use crate::value::{Digest, Value};

use deed::Deed;
use grant::Wanted;

/// What does not change in a run: which cluster, and what is pinned of it.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The frozen inventory.
    pub cluster: &'a Cluster,
    /// Its lock file; none before `ops adopt`.
    pub lock: Option<&'a LockFile>,
    /// The lab stands in for the cluster.
    pub lab: bool,
}

impl Site<'_> {
    /// How strict the guards are.
    pub fn profile(&self) -> Profile {
        self.lock.map(|lock| lock.profile).unwrap_or_default()
    }
}

/// The recipe that makes the calls.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its name.
    pub recipe: &'a str,
    /// Digest of its arguments.
    pub args: &'a Digest,
    /// Name and parameters as one would type them after `ops run`: for the commands that a refusal names.
    pub command: &'a str,
    /// It says `destructive = true`.
    pub destructive: bool,
    /// Its parameter of type `partitions`, if it has one.
    pub partitions: Option<&'a str>,
}

impl Asked<'_> {
    /// The verify command of this recipe for one node alone.
    fn verify_for(&self, node: &str) -> String {
        let mut words: Vec<&str> = self.command.split_whitespace().collect();
        if let Some(at) = words.iter().position(|word| *word == "--nodes")
            && let Some(nodes) = words.get_mut(at + 1)
        {
            *nodes = node;
        }
        format!("ops verify {}", words.join(" "))
    }
}

/// Everything that a judgement stands on, beside the call.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The cluster.
    pub site: Site<'a>,
    /// The recipe.
    pub asked: Asked<'a>,
    /// What the engine gathered.
    pub facts: &'a Facts,
    /// The time: of the wall clock, or in the lab the lab's.
    pub now: Time,
}

/// What a run presents to be let through.
#[derive(Clone, Copy, Debug)]
pub struct Claims<'a> {
    /// The run.
    pub run: &'a RunId,
    /// Who runs it.
    pub who: &'a Who,
    /// Key of the state folder.
    pub key: &'a [u8; 32],
    /// Time of the newest record in the state folder.
    pub newest: Time,
    /// Grants of the state folder for this cluster.
    pub grants: &'a [Held],
    /// What a person typed, and was right.
    pub confirmed: Option<&'a Confirmed>,
    /// Other people who approved.
    pub approved_by: &'a [String],
}

/// A call that a plan predicts, in the planned order; reads too, as waits count.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedCall {
    /// The call.
    pub call: Call,
    /// Its predicted reply, where there is one.
    pub predicted: Option<Value>,
}

/// A guard, by the name that people see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Guard {
    /// No reset without an explicit list of partitions.
    Partitions,
    /// Quorum, and one control plane at a time.
    Order,
    /// A destroying call needs a grant, and its evidence again.
    Grant,
    /// The pinned cluster and the pinned machine.
    Identity,
    /// A person types what goes.
    Confirm,
    /// A recipe that destroys says so.
    Declared,
}

impl Guard {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Guard::Partitions => "partitions",
            Guard::Order => "order",
            Guard::Grant => "grant",
            Guard::Identity => "identity",
            Guard::Confirm => "confirm",
            Guard::Declared => "declared",
        }
    }
}

/// A guard said no.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Which guard.
    pub guard: Guard,
    /// Why, and the way out; its code decides the exit.
    pub fault: Fault,
    /// The evidence as it stood.
    pub rows: Vec<Evidence>,
}

/// What [`judge`] says.
#[derive(Debug)]
pub enum Verdict {
    /// The call may happen, once.
    Allow(Permit),
    /// It may not.
    Refuse(Box<Refusal>),
}

/// Proof that the guards let this very call through. Consumed by carrying it out; cannot be made, copied or kept elsewhere.
#[derive(Debug)]
pub struct Permit {
    call: Call,
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
        self.call
    }
}

/// What the preflight of a run found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Passed {
    /// The verification table.
    pub rows: Vec<Evidence>,
    /// The grant to claim before the first call.
    pub claim: Option<String>,
    /// What `ops verify` may issue: the kind and a slot per destroying call.
    pub grantable: Option<(GrantKind, Vec<Slot>)>,
}

/// Which evidence a call needs, and how fresh. The engine gathers it through the same gate, by reads.
pub fn needed(call: &Call, site: &Site<'_>) -> Vec<EvidenceNeed> {
    rows::needs(&Deed::of(call, None), site)
}

/// The rows of the verification table for one call, as the facts stand.
pub fn table(call: &Call, case: &Case<'_>) -> Vec<Evidence> {
    evidence(&Deed::of(call, None), case)
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

fn permit(call: &Call, case: &Case<'_>, claims: &Claims<'_>) -> Result<Permit, Box<Refusal>> {
    let reboots = call
        .spec()
        .node()
        .and_then(|node| case.facts.node(node)?.config.as_ref()?.found.as_ref().ok()?.reboots);
    let deed = match Deed::of(call, None) {
        Deed::Apply { node, .. } => Deed::Apply { node, reboots },
        other => other,
    };
    if matches!(call.spec().effect(), Effect::Reads | Effect::Files) || !deed.guarded() {
        return Ok(Permit { call: call.clone(), slot: None, rows: Vec::new() });
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
            .map_err(|fault| judgement.refuse(Guard::Confirm, fault))?;
    }
    Ok(Permit { call: call.clone(), slot, rows })
}

/// Deeds that are judged together.
struct Judgement<'a> {
    deeds: &'a [Deed<'a>],
    case: &'a Case<'a>,
}

impl Judgement<'_> {
    fn refuse(&self, guard: Guard, fault: Box<Fault>) -> Box<Refusal> {
        let rows = self.deeds.iter().flat_map(|deed| evidence(deed, self.case));
        let mut rows: Vec<Evidence> = rows.collect();
        dedup(&mut rows);
        Box::new(Refusal { guard, fault: *fault, rows })
    }

    /// What the words of the calls alone decide, and the order. Gives the kind of grant that they need together.
    fn words(&self) -> Result<Option<GrantKind>, Box<Refusal>> {
        for deed in self.deeds {
            if let Deed::Reset(reset) = deed {
                partitions::as_given(reset, self.case)
                    .map_err(|fault| self.refuse(Guard::Partitions, fault))?;
            }
        }
        let destroys = self.deeds.iter().any(Deed::destroys);
        if destroys && !self.case.asked.destructive {
            let fault = Fault::new(
                Code::UNDECLARED,
                format!("{} destroys without saying so", self.case.asked.recipe),
            )
            .help("say `destructive = true` in the recipe's head");
            return Err(self.refuse(Guard::Declared, Box::new(fault)));
        }
        let kind = self.kind();
        // A teardown has the order of its kind.
        if !matches!(kind, Ok(Some(GrantKind::Teardown))) {
            order::check(self.deeds, self.case)
                .map_err(|fault| self.refuse(Guard::Order, fault))?;
        }
        kind.map_err(|fault| self.refuse(Guard::Grant, fault))
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
        kind.supported().map_err(|fault| self.refuse(Guard::Grant, fault))?;
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
            self.refuse(Guard::Grant, fault)
        })
    }

    /// Identity, then the real volumes, then the rest of the evidence.
    fn proof(&self) -> Result<Vec<Evidence>, Box<Refusal>> {
        for deed in self.deeds {
            identity::check(deed, self.case)
                .map_err(|fault| self.refuse(Guard::Identity, fault))?;
        }
        for deed in self.deeds {
            if let Deed::Reset(reset) = deed {
                partitions::as_real(reset, self.case)
                    .map_err(|fault| self.refuse(Guard::Partitions, fault))?;
            }
        }
        let mut rows = Vec::new();
        for deed in self.deeds.iter().filter(|deed| deed.guarded()) {
            let of_deed = evidence(deed, self.case);
            if let Some(row) = of_deed.iter().find(|row| !row.state.holds()) {
                return Err(self.refuse(Guard::Grant, Box::new(unproven(row, deed))));
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

/// The same row once, in the order of its first appearance.
fn dedup(rows: &mut Vec<Evidence>) {
    let mut seen: Vec<Evidence> = Vec::new();
    for row in rows.drain(..) {
        if !seen.contains(&row) {
            seen.push(row);
        }
    }
    *rows = seen;
}

fn unproven(row: &Evidence, deed: &Deed<'_>) -> Fault {
    let subject = row.node.as_deref().or(deed.node()).unwrap_or("the cluster");
    let state = if row.state == State::Unknown { "is unknown" } else { "fails" };
    let mut fault = Fault::new(Code::EVIDENCE, format!("{subject}: {} {state}", row.code.about()))
        .detail(format!("{}: {}", row.code, row.found));
    if row.state == State::Unknown {
        fault = fault.detail("Unknown is not healthy.");
    }
    if let Some(way_out) = &row.way_out {
        fault = fault.next(way_out.clone());
    }
    fault
}
