//! What a judgement stands on and what comes out of it: cluster, recipe, claims, refusal.

use super::confirm::Confirmed;
use super::evidence::Evidence;
use super::facts::Facts;
use super::grant::{GrantKind, Held, Slot, Who};
use crate::call::table::Call;
use crate::error::Fault;
use crate::ident::RunId;
use crate::inventory::{Cluster, LockFile, Profile};
use crate::time::Time;
use crate::value::{Digest, Value};

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
    pub(super) fn verify_for(&self, node: &str) -> String {
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
