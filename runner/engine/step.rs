//! A step while it runs: its body, what it waits for, what waits to be delivered to it. Changes state, decides nothing.

use std::collections::{BTreeMap, VecDeque};

use futures_util::future::Either;
use futures_util::stream::AbortHandle;
use ops_core::call::Request;
use ops_core::error::CallError;
use ops_core::ident::{Branch, CallId};
use ops_core::machine::{Delivery, Entry, Machine, Turn};
use ops_core::record::StepEnd;
use ops_core::trace::{Input, Verdict};
use ops_core::value::{Map, Value};

/// How a step stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum StepState {
    /// Its needs are not done, or no place is free.
    Waiting,
    /// Its body runs.
    Running,
    /// It is over.
    Ended(StepEnd),
    /// It was never started, because something before it failed.
    Left,
}

/// A step of the run.
pub(super) struct StepRun {
    /// Its recipe.
    pub(super) recipe: String,
    /// Its arguments.
    pub(super) args: Map<String, Value>,
    /// Its root branch.
    pub(super) branch: Branch,
    /// Steps that must be done before.
    pub(super) needs: Vec<usize>,
    /// How it stands.
    pub(super) state: StepState,
    /// The calls of `cx:run` that wait for it.
    pub(super) callers: Vec<CallId>,
    /// Its body, while it is not in a turn.
    pub(super) machine: Option<Box<dyn Machine>>,
    /// A turn is under way.
    pub(super) turning: bool,
    /// Which function runs now.
    pub(super) entry: Entry,
    /// Calls that it waits for.
    pub(super) waits: BTreeMap<CallId, Waiting>,
    /// What is to be delivered, in order.
    pub(super) mail: VecDeque<Delivery>,
    /// A call of it failed and the body went on.
    pub(super) failed_calls: u32,
    /// Why its body skipped itself.
    pub(super) skipped: Option<String>,
    /// Ends its time limit.
    pub(super) limit: Option<AbortHandle>,
    /// How its body failed, while `on_failure` runs.
    pub(super) failure: Option<(StepEnd, CallError)>,
    /// It runs even if it is up to date.
    pub(super) forced: bool,
    /// What holds if its `status` says that it is up to date; while that is asked.
    pub(super) pending: Option<Pending>,
    /// Only judged, and it would run: nobody knows its result.
    pub(super) would_run: bool,
}

/// A judgement that waits for the step's own `status`.
pub(super) struct Pending {
    /// If it says yes.
    pub(super) verdict: Verdict,
    /// The step's declared sources, or the pattern without a match.
    pub(super) sources: Option<Result<Vec<Input>, String>>,
}

/// A call that a body waits for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Waiting {
    /// As the recipe made it.
    pub(super) request: Request,
    /// Where its reply will come from.
    pub(super) from: From,
    /// When it was asked, by the world's clock.
    pub(super) since: ops_core::time::Time,
    /// Nobody waits any more; only its outcome is recorded.
    pub(super) dropped: bool,
}

/// Where a reply comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// The journal, when its turn comes.
    Journal,
    /// The backend, once the journal is at its end.
    Parked,
    /// The backend, now.
    Backend,
}

impl StepRun {
    /// A step that has not begun.
    pub(super) fn new(
        recipe: String,
        args: Map<String, Value>,
        branch: Branch,
        needs: Vec<usize>,
    ) -> StepRun {
        StepRun {
            recipe,
            args,
            branch,
            needs,
            state: StepState::Waiting,
            callers: Vec::new(),
            machine: None,
            turning: false,
            entry: Entry::Run,
            waits: BTreeMap::new(),
            mail: VecDeque::new(),
            failed_calls: 0,
            skipped: None,
            limit: None,
            failure: None,
            forced: false,
            pending: None,
            would_run: false,
        }
    }

    /// Whether the function that runs now may only read: it serves to decide whether and how the body runs.
    pub(super) fn only_reads(&self) -> bool {
        matches!(
            self.entry,
            Entry::Preconditions | Entry::Parameters | Entry::Confirm | Entry::Status
        )
    }

    /// Whether it uses one of the places for steps that run at once. Nested steps use their callers'; a body that only waits for other steps
    /// uses none, or what those need could never begin.
    pub(super) fn takes_place(&self) -> bool {
        let mut waits = self.waits.values().map(|waiting| waiting.request.call.as_str());
        let for_others = self.quiet()
            && waits.clone().any(|call| call == "cx.run")
            && waits.all(|call| matches!(call, "cx.run" | "cx.timer"));
        self.state == StepState::Running && self.callers.is_empty() && !for_others
    }

    /// Whether every branch of it waits and nothing is to be delivered.
    pub(super) fn quiet(&self) -> bool {
        !self.turning && self.mail.is_empty()
    }

    /// Whether it can take a delivery now.
    pub(super) fn can_turn(&self) -> bool {
        self.state == StepState::Running && !self.turning && !self.mail.is_empty()
    }
}

/// Hands a body its delivery, and waits for its turn off the loop's thread: on the body's own, where it has one.
pub(super) fn turned(
    mut machine: Box<dyn Machine>,
    delivery: Delivery,
) -> impl Future<Output = Result<(Box<dyn Machine>, Turn), String>> {
    // At once, so that bodies work side by side.
    match machine.deliver(delivery) {
        Err(delivery) => {
            let turn = tokio::task::spawn_blocking(move || {
                let turn = machine.turn(delivery);
                (machine, turn)
            });
            Either::Left(async move { turn.await.map_err(|error| error.to_string()) })
        }
        Ok(()) => Either::Right(async move {
            loop {
                let patience = machine.patience();
                let turn = std::future::poll_fn(|task| machine.poll_turn(task));
                if let Ok(turn) = tokio::time::timeout(patience, turn).await {
                    return Ok((machine, turn));
                }
            }
        }),
    }
}
