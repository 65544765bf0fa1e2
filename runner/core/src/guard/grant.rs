//! Grants: what `ops verify` gives and a destroying call uses up. Issue, the key that protects them, and the rules of claim, use and expiry.
//!
//! Pure: the state store keeps grants and what became of them, the caller brings key, time and names.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Site;
use crate::call::talos::Reset;
use crate::error::{Code, Fault};
use crate::ident::RunId;
use crate::inventory::GuardSettings;
use crate::time::{Span, Time};
use crate::value::{Digest, canonical};

/// Version of a stored grant.
pub const GRANT_VERSION: u32 = 1;
/// How long after its issue a run may claim a grant, where nothing tightens that.
pub const CLAIM_WITHIN: Span = Span::mins(15);
/// How long after the claim the run may use its slots.
pub const USE_WITHIN: Span = Span::hours(4);

/// What a grant permits to happen to etcd and the cluster.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum GrantKind {
    /// A node's partitions, with quorum before and after.
    NodeReset,
    /// Data disks by identity.
    DiskWipe,
    /// A dead member, shown to be dead.
    MemberReplace,
    /// A lost quorum.
    EtcdRecover,
    /// The whole cluster.
    Teardown,
}

impl GrantKind {
    /// The word of the documentation.
    pub const fn word(self) -> &'static str {
        match self {
            GrantKind::NodeReset => "node-reset",
            GrantKind::DiskWipe => "disk-wipe",
            GrantKind::MemberReplace => "member-replace",
            GrantKind::EtcdRecover => "etcd-recover",
            GrantKind::Teardown => "teardown",
        }
    }

    /// The refusal of every kind whose evidence cannot be gathered yet.
    ///
    /// # Errors
    /// For all kinds but `node-reset`.
    pub fn supported(self) -> Result<(), Box<Fault>> {
        if self == GrantKind::NodeReset {
            return Ok(());
        }
        Err(Box::new(
            Fault::new(Code::GRANT_KIND, format!("no grant of kind {self} can be given yet"))
                .detail(format!("This would be a {self}; only node-reset has its evidence so far."))
                .detail("Without its evidence it is refused, whatever else is given."),
        ))
    }
}

impl fmt::Display for GrantKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One permitted destroying call. Two slots are the same call exactly when they are equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// The node, by name.
    pub node: String,
    /// Digest of its pin: the machine, whatever its name.
    pub pin: Digest,
    /// What is done: `reset`.
    pub verb: String,
    /// Partitions, sorted, each once.
    pub partitions: Vec<String>,
    /// Drains and leaves etcd first.
    pub graceful: bool,
    /// Comes back by itself instead of powering off.
    pub reboot: bool,
}

impl Slot {
    /// The slot that a reset uses.
    pub fn of(reset: &Reset, pin: Digest) -> Slot {
        let mut partitions = reset.system_labels_to_wipe.clone();
        partitions.sort();
        partitions.dedup();
        Slot {
            node: reset.node.clone(),
            pin,
            verb: "reset".into(),
            partitions,
            graceful: reset.graceful.unwrap_or(true),
            reboot: reset.reboot,
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.node, self.verb, self.partitions.join(", "))?;
        if !self.graceful {
            f.write_str(", ungraceful")?;
        }
        if !self.reboot {
            f.write_str(", stays off")?;
        }
        Ok(())
    }
}

/// Who runs `ops`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Who {
    /// The user.
    pub user: String,
    /// The machine, by an id that does not change with its name.
    pub machine: String,
}

/// Single-use permission for exactly these destroying calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// `GRANT_VERSION` of the writer.
    pub version: u32,
    /// Its short name.
    pub id: String,
    /// Name of the cluster.
    pub cluster: String,
    /// Digest of the cluster's pins.
    pub pin: Digest,
    /// For the simulated cluster; worth nothing elsewhere.
    pub lab: bool,
    /// What kind of evidence stood behind it.
    pub kind: GrantKind,
    /// The recipe that was verified.
    pub recipe: String,
    /// Digest of its arguments.
    pub args: Digest,
    /// The permitted calls, in the planned order.
    pub slots: Vec<Slot>,
    /// When it was issued.
    pub issued: Time,
    /// For whom.
    pub who: Who,
    /// Keyed digest of everything above.
    pub mac: Digest,
}

impl Grant {
    /// Seals a grant with the key of the state folder.
    #[must_use]
    pub fn seal(mut self, key: &[u8; 32]) -> Grant {
        self.mac = self.digest(key);
        self
    }

    /// Whether nothing was changed since the holder of `key` issued it.
    pub fn genuine(&self, key: &[u8; 32]) -> bool {
        self.version == GRANT_VERSION && self.mac == self.digest(key)
    }

    fn digest(&self, key: &[u8; 32]) -> Digest {
        let mut bare = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = bare.as_object_mut() {
            fields.remove("mac");
        }
        Digest::keyed(key, format!("ops.grant\n{}", canonical(&bare)).as_bytes())
    }
}

/// A grant of the state store, with what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The grant.
    pub grant: Grant,
    /// Which run claimed it, and when.
    pub claimed: Option<(RunId, Time)>,
    /// Slots that were used, by number from 0, and when.
    pub used: BTreeMap<u32, Time>,
}

/// Digest of what identifies the cluster: pins, and whether it is the lab. Another cluster never has the same.
pub fn cluster_pin(site: &Site<'_>) -> Digest {
    let lock = site.lock.map(|lock| {
        serde_json::json!({
            "talos_ca": lock.talos_ca,
            "kubernetes_ca": lock.kubernetes_ca,
            "kube_system_uid": lock.kube_system_uid,
        })
    });
    Digest::of(&serde_json::json!({"cluster": site.cluster.name, "lab": site.lab, "pins": lock}))
}

/// Digest of a node's pin; none for a node that was never adopted.
pub fn node_pin(site: &Site<'_>, node: &str) -> Option<Digest> {
    let pin = site.lock?.nodes.get(node)?;
    Some(Digest::of(&serde_json::to_value(pin).unwrap_or_default()))
}

/// How long a run may wait before it claims a grant.
pub fn claim_within(settings: &GuardSettings) -> Span {
    settings.grant_ttl.map_or(CLAIM_WITHIN, |tighter| tighter.min(CLAIM_WITHIN))
}

/// What a run presents, and what it wants.
pub(super) struct Wanted<'a> {
    pub site: &'a Site<'a>,
    pub recipe: &'a str,
    pub args: &'a Digest,
    pub who: &'a Who,
    pub run: &'a RunId,
    pub key: &'a [u8; 32],
    /// Time of the newest record in the state folder.
    pub newest: Time,
    pub now: Time,
    /// The destroying calls, each of which needs a slot of its own.
    pub slots: &'a [Slot],
    /// The run must have claimed it already; otherwise it may still be about to.
    pub claimed: bool,
}

/// A grant that fits, and the numbers of the slots that the wanted calls use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fit {
    /// The grant.
    pub grant: String,
    /// Slot numbers, one per wanted call, in their order.
    pub slots: Vec<u32>,
}

/// Finds the grant that permits all wanted calls.
///
/// # Errors
/// Why none does: that of the grant which came closest.
pub(super) fn find(held: &[Held], wanted: &Wanted<'_>) -> Result<Fit, Box<Fault>> {
    if wanted.now < wanted.newest {
        let back = wanted.newest.since(wanted.now);
        return Err(Box::new(
            Fault::new(Code::GRANT_EXPIRED, "the clock stands before the newest record")
                .detail(format!("It was turned back by {back} or more, so no grant can be aged."))
                .help("set the clock right, then verify again"),
        ));
    }
    let mut closest: Option<Misfit> = None;
    for one in held {
        match fit(one, wanted) {
            Ok(fit) => return Ok(fit),
            Err(misfit) if closest.as_ref().is_none_or(|c| misfit.closeness > c.closeness) => {
                closest = Some(misfit);
            }
            Err(_) => {}
        }
    }
    Err(match closest {
        Some(misfit) => misfit.fault,
        None => Box::new(none(wanted)),
    })
}

fn none(wanted: &Wanted<'_>) -> Fault {
    let calls: Vec<String> = wanted.slots.iter().map(Slot::to_string).collect();
    Fault::new(Code::NO_GRANT, format!("no grant permits {}", wanted.recipe))
        .detail(format!("It destroys: {}.", calls.join("; ")))
        .detail("A grant comes from evidence: verify first, then run within 15 minutes.")
}

/// Why a grant does not fit. The further its checks went, the closer it came, and the more its reason helps.
struct Misfit {
    closeness: u8,
    fault: Box<Fault>,
}

fn misfit(closeness: u8, code: Code, id: &str, why: impl fmt::Display) -> Misfit {
    Misfit { closeness, fault: Box::new(Fault::new(code, format!("grant {id} {why}"))) }
}

/// All of these must hold; the order only says which reason is shown.
fn fit(held: &Held, wanted: &Wanted<'_>) -> Result<Fit, Misfit> {
    let Held { grant, claimed, used } = held;
    let id = grant.id.as_str();
    let mismatch = |closeness, why: String| misfit(closeness, Code::GRANT_MISMATCH, id, why);
    if grant.recipe != wanted.recipe {
        return Err(Misfit { closeness: 0, fault: Box::new(none(wanted)) });
    }
    if grant.lab != wanted.site.lab {
        let (is, not) =
            if grant.lab { ("the lab", "this cluster") } else { ("a cluster", "the lab") };
        return Err(mismatch(1, format!("is for {is}, not for {not}")));
    }
    if grant.cluster != wanted.site.cluster.name || grant.pin != cluster_pin(wanted.site) {
        return Err(mismatch(1, format!("is for another cluster ({})", grant.cluster)));
    }
    if !grant.genuine(wanted.key) {
        let fault =
            misfit(2, Code::GRANT_VOID, id, "was edited, or copied from another state folder");
        return Err(fault);
    }
    if grant.who != *wanted.who {
        let Who { user, machine } = &grant.who;
        return Err(misfit(2, Code::GRANT_VOID, id, format!("belongs to {user} on {machine}")));
    }
    if grant.args != *wanted.args {
        return Err(mismatch(3, "was given for other parameters".into()));
    }
    let slots = allot(grant, used, wanted.slots).map_err(|(wanted_slot, spent)| {
        if spent {
            misfit(6, Code::GRANT_USED, id, format!("has been used: {wanted_slot}"))
        } else {
            let granted: Vec<String> = grant.slots.iter().map(Slot::to_string).collect();
            let mut m = mismatch(4, format!("does not permit {wanted_slot}"));
            m.fault.details.push(format!("It permits: {}.", granted.join("; ")));
            m
        }
    })?;
    lives(grant, claimed.as_ref(), wanted)?;
    Ok(Fit { grant: grant.id.clone(), slots })
}

/// Gives each wanted call an unused slot of its own; else the first that has none, and whether its slots were all used.
fn allot<'w>(
    grant: &Grant,
    used: &BTreeMap<u32, Time>,
    wanted: &'w [Slot],
) -> Result<Vec<u32>, (&'w Slot, bool)> {
    let mut taken: Vec<u32> = Vec::new();
    for slot in wanted {
        let fitting = (0u32..)
            .zip(&grant.slots)
            .filter(|(_, s)| *s == slot)
            .map(|(n, _)| n)
            .collect::<Vec<_>>();
        match fitting.iter().find(|n| !used.contains_key(n) && !taken.contains(n)) {
            Some(n) => taken.push(*n),
            None => return Err((slot, !fitting.is_empty())),
        }
    }
    Ok(taken)
}

fn lives(
    grant: &Grant,
    claimed: Option<&(RunId, Time)>,
    wanted: &Wanted<'_>,
) -> Result<(), Misfit> {
    let Wanted { now, run, .. } = wanted;
    let id = grant.id.as_str();
    if grant.issued > *now {
        return Err(misfit(5, Code::GRANT_EXPIRED, id, "was issued at a later time than now"));
    }
    match claimed {
        Some((other, _)) if other != *run => {
            Err(misfit(5, Code::GRANT_USED, id, format!("has been used by run {other}")))
        }
        Some((_, at)) if *at > *now => {
            Err(misfit(5, Code::GRANT_EXPIRED, id, "was claimed at a later time than now"))
        }
        Some((_, at)) if now.since(*at) > USE_WITHIN => {
            let age = now.since(*at);
            Err(misfit(5, Code::GRANT_EXPIRED, id, format!("has expired: claimed {age} ago")))
        }
        Some(_) => Ok(()),
        None if wanted.claimed => Err(misfit(5, Code::NO_GRANT, id, "was not claimed by this run")),
        None => {
            let (age, limit) = (now.since(grant.issued), claim_within(&wanted.site.cluster.guards));
            if age > limit {
                let why = format!("has expired: issued {age} ago, to be started within {limit}");
                return Err(misfit(5, Code::GRANT_EXPIRED, id, why));
            }
            Ok(())
        }
    }
}
