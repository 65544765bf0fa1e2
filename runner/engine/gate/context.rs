//! What the gate stands on, and whom it asks. Decides nothing.

use std::collections::BTreeMap;

use ops_core::event::Events;
use ops_core::guard::Site;
use ops_core::ident::{CallId, RunId};
use ops_core::value::Digest;

use crate::engine::ahead::Lookout;
use crate::engine::backend::{Finished, Ready};
use crate::engine::hands::Hands;
use crate::engine::keep::{Asker, Keep};
use crate::engine::skip::Skip;
use crate::journal::Journal;
use crate::sys::blobs::Blobs;
use crate::sys::group::Groups;
use crate::sys::world::{Local, World};

/// The recipe that a run was asked for, as guards and refusals name it.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// Its name.
    pub recipe: String,
    /// Digest of its arguments.
    pub args: Digest,
    /// Name and parameters as one would type them after `ops run`.
    pub command: String,
    /// Its parameter of type `partitions`, if it has one.
    pub partitions: Option<String>,
}

/// What the gate stands on; nothing in it changes during a run.
pub struct GateContext<'a> {
    /// Where calls take effect.
    pub world: &'a dyn World,
    /// What carries them out.
    pub hands: &'a dyn Hands,
    /// The cluster and its pins; an empty cluster for recipes without one.
    pub site: Site<'a>,
    /// The journal of this run.
    pub journal: &'a Journal,
    /// Large replies.
    pub blobs: &'a dyn Blobs,
    /// Grants and locks.
    pub keep: &'a dyn Keep,
    /// Who is told.
    pub events: &'a dyn Events,
    /// Who is asked.
    pub asker: &'a dyn Asker,
    /// The run.
    pub run: RunId,
    /// What was asked for, by the step's recipe name.
    pub asked: Vec<Invocation>,
    /// Ends a process group: asks it to end, or kills it.
    pub end_group: &'a dyn Fn(i32, bool),
    /// Process groups that an earlier process of this run may have left behind.
    pub groups: &'a dyn Groups,
    /// Answers of `ops resume --settle`, by call: whether it happened.
    pub settled: BTreeMap<CallId, bool>,
    /// Intents are synced where their effect outlives this machine. The lab's effects do not: they are files here.
    pub synced: bool,
    /// Carries out the `safety.*` calls.
    pub safety: &'a dyn Safety,
    /// Records what steps read and write; nothing where no step is ever skipped.
    pub skip: Option<&'a Skip<'a>>,
    /// Looks ahead before the run first changes something; none where a plan of it was judged before, or where there is no cluster.
    pub lookout: Option<&'a dyn Lookout>,
}

/// Carries out `safety.evidence`, `safety.current` and `safety.issue`.
pub trait Safety {
    /// The reply, or why not.
    fn call<'a>(&'a self, ready: &'a Ready) -> Local<'a, Finished>;
}
