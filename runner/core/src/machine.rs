//! The border between a running recipe body and the engine: turns.
//!
//! A body runs until every branch waits or has ended: one *turn*. The engine then delivers exactly one thing, and the next turn begins. So
//! the order of deliveries is the only input of a body beside its arguments, and a journal of them replays it.
//! Knows neither Lua nor the journal.

use std::task::{Context, Poll};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::Request;
use crate::error::{CallError, Fault};
use crate::ident::{Branch, CallId, RunId};
use crate::inventory::Cluster;
use crate::time::Span;
use crate::value::{Map, Value};

/// Which function of a recipe a machine runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The body: `run`, or `stages` as nested steps.
    Run,
    /// `preconditions`: reads only; its result is `found`.
    Preconditions,
    /// `confirm`, where it is a function: gives the question.
    Confirm,
    /// A parameter's `default` or `check` function; gives the values of all parameters.
    Parameters,
    /// `status`: whether the step is up to date by its own word; reads only.
    Status,
    /// `needs` as a function: gives the list of needed recipes.
    Needs,
    /// `on_failure`, after the body failed and its cleanups ran.
    OnFailure(CallError),
    /// Only the cleanups that the journal shows as open (`ops resume --abandon`).
    Cleanup,
}

/// Everything that a body is a function of, beside its replies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepSpec {
    /// Name of the recipe.
    pub recipe: String,
    /// Root branch of the step.
    pub branch: Branch,
    /// Which function runs.
    pub entry: Entry,
    /// Its parameters, resolved and checked.
    pub params: Map<String, Value>,
    /// Results of the recipes that it needs, by name.
    pub needs: Map<String, Value>,
    /// What `preconditions` found.
    pub found: Value,
    /// The frozen inventory; none for `cluster = false`.
    pub cluster: Option<Cluster>,
    /// The run's id (`cx.run_id`).
    pub run: RunId,
    /// Limits of the body.
    pub limits: Limits,
}

/// Limits of a body.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory of its VM in bytes.
    pub memory: usize,
    /// Longest time without a call or an end: a runaway loop.
    pub turn: Span,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { memory: 64 << 20, turn: Span::secs(5) }
    }
}

/// What a body did in one turn, in program order, and how it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// What it did.
    pub acts: Vec<Act>,
    /// Its result once it has ended.
    pub end: Option<Result<Value, Failure>>,
}

/// One thing that a body did.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// It made a call and now waits for the reply in that branch.
    Asked {
        /// The call's name.
        id: CallId,
        /// The call.
        request: Request,
    },
    /// It no longer waits for this call: the branch was cancelled. Reads are dropped, M and D calls go on and their outcome is recorded.
    Dropped {
        /// The call.
        id: CallId,
    },
    /// A branch was ended from outside: by a branch beside it that failed, or by a limit of time.
    Cancelled {
        /// The branch.
        branch: Branch,
        /// What ended it.
        by: Branch,
    },
    /// A branch began.
    Opened {
        /// The branch.
        branch: Branch,
    },
    /// A branch ended.
    Closed {
        /// The branch.
        branch: Branch,
        /// How.
        how: BranchEnd,
    },
    /// A `log.*` event; counted per branch so that a replay does not print it again.
    Log {
        /// The branch.
        branch: Branch,
        /// Number of the event in its branch, from 1.
        number: u32,
        /// `debug`, `info`, `warn`, `heading`, `table` or `diff`.
        level: String,
        /// The text, or `{rows, columns}`, or `{before, after}`.
        body: Value,
    },
}

/// How a branch ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BranchEnd {
    /// It returned.
    Done,
    /// `cx:skip(reason)`.
    Skipped(String),
    /// It failed; a failure that was caught on the way is *recovered*, not this.
    Failed(String),
    /// A stop or a failed sibling ended it.
    Stopped,
}

/// Why a body ended without a result.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// A call's own failure that nobody caught.
    Call(CallError, Box<Fault>),
    /// A mistake in the recipe, located.
    Fault(Box<Fault>),
    /// A stop that the engine had delivered.
    Stopped(Stop),
}

/// Not an error: an end that no recipe code can catch.
#[derive(Clone, Debug, PartialEq)]
pub struct Stop {
    /// Why, worded for a person; its code decides the exit.
    pub fault: Box<Fault>,
}

/// What the engine gives a body.
#[derive(Clone, Debug, PartialEq)]
pub enum Delivery {
    /// The beginning: nothing yet.
    Begin,
    /// A call's reply.
    Reply {
        /// The call.
        id: CallId,
        /// What it gave.
        reply: Result<Value, CallError>,
    },
    /// A stop of this branch and everything below it.
    Stop {
        /// The branch.
        branch: Branch,
        /// Why.
        stop: Stop,
    },
}

/// A running body. Implemented by the Lua layer, and by scripts in tests.
///
/// `turn` blocks its caller until the turn is over; the engine calls it off its own thread. `stop_flag` ends a turn that does not end.
/// A machine with a thread of its own needs no other to wait for it: `deliver`, then `poll_turn`.
pub trait Machine: Send {
    /// Delivers one thing and runs until every branch waits or has ended.
    fn turn(&mut self, delivery: Delivery) -> Turn;

    /// Delivers one thing and returns at once; `poll_turn` gives the turn. The delivery comes back where the machine knows only `turn`.
    fn deliver(&mut self, delivery: Delivery) -> Result<(), Delivery> {
        Err(delivery)
    }

    /// The turn of what was delivered, once it is over. Asked again when `patience` has passed, at the latest.
    fn poll_turn(&mut self, _task: &mut Context<'_>) -> Poll<Turn> {
        Poll::Pending
    }

    /// How long to wait before asking again whether or not anything happened.
    fn patience(&self) -> Duration {
        Duration::MAX
    }
}
