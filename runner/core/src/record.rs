//! The records of a run's journal: the only thing a resume stands on, and the same events that the reporter shows.
//!
//! A change here is a change of a stored format: raise `JOURNAL_VERSION`, keep reading two versions back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::call::{Settled, Witness};
use crate::effect::Effect;
use crate::error::{CallError, Exit, Place};
use crate::ident::{Branch, CallId, RunId};
use crate::machine::BranchEnd;
use crate::time::Time;
use crate::trace::Verdict;
use crate::value::{Blob, Digest, Map, Value};

/// Version of the records' shape.
pub const JOURNAL_VERSION: u32 = 3;
/// Version of everything that decides which calls a body makes: scheduling, sandbox library, canonical form.
pub const REPLAY_VERSION: u32 = 1;

/// One line of a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum Record {
    /// First record: what the run is a function of.
    Run(RunHead),
    /// A later process took the run up.
    Resumed {
        /// When.
        at: Time,
        /// Changes that the user accepted, by name.
        #[serde(default)]
        accepted: Vec<String>,
    },
    /// A step began.
    StepBegin {
        /// Its root branch.
        branch: Branch,
        /// Its recipe.
        recipe: String,
        /// Its arguments.
        args: Map<String, Value>,
        /// When.
        at: Time,
    },
    /// A step was judged: it is up to date, or it runs. A resume takes the same way and judges nothing again.
    Judged {
        /// Its root branch.
        branch: Branch,
        /// Whether it runs, and why.
        verdict: Verdict,
        /// When.
        at: Time,
    },
    /// A step ended.
    StepEnd {
        /// Its root branch.
        branch: Branch,
        /// How.
        how: StepEnd,
        /// When.
        at: Time,
    },
    /// A call is about to start. On disk before its effect begins.
    Intent(Intent),
    /// The call's process runs: nothing is settled while this group lives.
    Started {
        /// The call.
        id: CallId,
        /// Process group.
        group: i32,
        /// Start time of the group's leader in clock ticks since boot (`/proc/PID/stat`, field 22), so that a reused number is told apart.
        started: u64,
    },
    /// How the call ended; its place in the file is its place in the order of delivery.
    Outcome {
        /// The call.
        id: CallId,
        /// What came back.
        outcome: Outcome,
        /// How long it took, in milliseconds.
        ms: u64,
        /// When.
        at: Time,
    },
    /// A call whose outcome was unknown has been settled; a second crash does not ask again.
    Settled {
        /// The call.
        id: CallId,
        /// How.
        how: Settled,
        /// `read-back`, or the user who said so.
        by: String,
        /// When.
        at: Time,
    },
    /// Nobody waits for this call any more: its branch was cancelled.
    Dropped {
        /// The call.
        id: CallId,
    },
    /// A branch was stopped; delivered in this order like a reply.
    Stopped {
        /// The branch and everything below it.
        branch: Branch,
        /// Error code, such as `OPS0301`.
        code: String,
        /// Why.
        title: String,
        /// When.
        at: Time,
    },
    /// A branch was ended by another one: by the failure of one beside it, or by a limit of time. Follows from what was delivered before, so a
    /// replay comes to it by itself, or not, where it leaves out what brought it about.
    Cancelled {
        /// The branch and everything below it.
        branch: Branch,
        /// The branch that failed, the timer that ended, or the branch whose nested step it was.
        by: Branch,
        /// When.
        at: Time,
    },
    /// A branch ended.
    BranchEnd {
        /// The branch.
        branch: Branch,
        /// How.
        how: BranchEnd,
    },
    /// A message of the recipe.
    Log {
        /// The branch that logged.
        branch: Branch,
        /// Number of the event in its branch.
        number: u32,
        /// `debug`, `info`, `warn`, `heading`, `table`, `diff`.
        level: String,
        /// Text or table.
        body: Value,
    },
    /// A person confirmed or declined. Never replayed.
    Decision {
        /// What was asked.
        question: String,
        /// Whether the answer was yes, or the typed words were right.
        yes: bool,
        /// When.
        at: Time,
    },
    /// A grant was claimed by this run.
    GrantClaimed {
        /// Its id.
        grant: String,
        /// When.
        at: Time,
    },
    /// A guard's evidence, as it was gathered before a call.
    Evidence {
        /// The call that it was gathered for.
        id: CallId,
        /// Rows of the verification table.
        rows: Vec<Value>,
        /// When.
        at: Time,
    },
    /// The run ended. A journal without it was cut off.
    End {
        /// Exit code.
        exit: Exit,
        /// When.
        at: Time,
    },
}

/// What a run is a function of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunHead {
    /// `JOURNAL_VERSION` of the writer.
    pub version: u32,
    /// `REPLAY_VERSION` of the writer.
    pub replay: u32,
    /// Version of ops.
    pub ops: String,
    /// The run.
    pub run: RunId,
    /// When it began.
    pub at: Time,
    /// The recipes that were asked for, with their arguments.
    pub asked: Vec<Asked>,
    /// Name of the cluster; none for recipes without one.
    pub cluster: Option<String>,
    /// Whether the lab stands in for the cluster.
    pub lab: bool,
    /// Digest of the recipe sources that are loaded.
    pub sources: Digest,
    /// Digest of the frozen inventory.
    pub inventory: Digest,
    /// Who: `user@host`, or the CI job.
    pub who: String,
}

/// A recipe as the user asked for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Its name.
    pub recipe: String,
    /// Its arguments, resolved.
    pub args: Map<String, Value>,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case", deny_unknown_fields)]
pub enum StepEnd {
    /// It returned this.
    Done {
        /// The recipe's result.
        result: Value,
        /// A call failed on the way and the recipe went on.
        #[serde(default)]
        recovered: bool,
    },
    /// `cx:skip` in its root branch.
    Skipped {
        /// Why.
        reason: String,
    },
    /// It failed.
    Failed {
        /// Error code.
        code: String,
        /// Why.
        title: String,
    },
    /// A stop ended it.
    Stopped {
        /// Error code.
        code: String,
        /// Why.
        title: String,
    },
}

/// A call that is about to start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// The call's name.
    pub id: CallId,
    /// Its type.
    pub call: String,
    /// Version of that type.
    pub version: u32,
    /// Digest of type, version and canonical arguments.
    pub digest: Digest,
    /// Its effect.
    pub effect: Effect,
    /// Its canonical arguments; secrets by reference.
    pub args: Map<String, Value>,
    /// Where the recipe makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What its witness showed before it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// Which witness that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<Witness>,
    /// The grant slot that it uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// When.
    pub at: Time,
}

/// What came back from a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its reply.
    Done(Value),
    /// Its reply, too large for a record: beside the journal, complete and synced.
    DoneBlob(Blob),
    /// It failed.
    Failed(CallError),
}
