//! The loop. It owns every step's state; bodies, backends and signals send it arrivals, and it answers with deliveries, one at a time.
//!
//! While a journal is replayed, deliveries come from it in recorded order; after the last one the first live call may start.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::task::Poll;

use futures_util::stream::{AbortHandle, FuturesUnordered, StreamExt};
use ops_core::error::{Exit, Fault};
use ops_core::event::{Event, Events};
use ops_core::ident::{Branch, CallId, RunId};
use ops_core::inventory::Cluster;
use ops_core::machine::{Machine, StepSpec, Turn};
use ops_core::record::{Record, StepEnd};
use ops_core::trace::Verdict;
use ops_core::value::Value;
use tokio::sync::mpsc::UnboundedReceiver;

use super::backend::{Backend, Finished, Ready};
use super::graph::{Bind, Graph};
use super::idle::Patience;
use super::refusals::poll_stray;
use super::replay::Replay;
use super::signal::Signal;
use super::skip::{Compared, Completed, Skip};
use super::step::{StepRun, StepState, turned};
use crate::recipe::Catalog;
use crate::sys::world::{Local, World};

/// Starts bodies.
pub trait Bodies {
    /// A body that has not begun.
    fn spawn(&self, spec: StepSpec) -> Box<dyn Machine>;
}

/// What the loop runs with. Nothing in it changes during a run.
pub struct Context<'a> {
    /// The world's clock moves time.
    pub world: &'a dyn World,
    /// Who answers calls.
    pub backend: &'a dyn Backend,
    /// Who runs bodies.
    pub bodies: &'a dyn Bodies,
    /// Every recipe.
    pub catalog: &'a Catalog,
    /// The frozen inventory.
    pub cluster: Option<&'a Cluster>,
    /// The run.
    pub run: RunId,
    /// Binds the arguments of `cx:run`.
    pub bind: &'a Bind<'a>,
    /// Who is told.
    pub events: &'a dyn Events,
    /// How many steps may run at once.
    pub jobs: usize,
    /// A failed step does not keep independent ones from starting.
    pub keep_going: bool,
    /// Which function of each recipe runs: the whole recipe, or one of them for the preflight.
    pub part: Part,
    /// Judges whether steps are up to date; nothing where every step runs.
    pub skip: Option<&'a Skip<'a>>,
}

/// How much of each recipe runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// Parameters, preconditions, then the body.
    #[default]
    Whole,
    /// Only default and check functions of parameters.
    Parameters,
    /// Only `preconditions`.
    Preconditions,
    /// Only `confirm` functions: they give the question.
    Confirm,
    /// Only whether each step is up to date.
    Judge,
}

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// Each step that was begun, with how it ended.
    pub steps: Vec<(Branch, StepEnd)>,
    /// Steps that were never started.
    pub left: Vec<Branch>,
    /// What went wrong, in order, each with its step.
    pub faults: Vec<(Branch, Fault)>,
    /// Calls whose outcome nobody knows.
    pub unknown: Vec<CallId>,
    /// How steps were judged, in order.
    pub judged: Vec<(Branch, Verdict)>,
}

impl Ended {
    /// The exit code: that of the most severe fault.
    pub fn exit(&self) -> Exit {
        self.faults.iter().fold(Exit::Done, |worst, (_, fault)| worst.worst(fault.code.exit))
    }

    /// The result of a step.
    pub fn result(&self, branch: &Branch) -> Option<&Value> {
        self.steps.iter().find_map(|(b, end)| match end {
            StepEnd::Done { result, .. } if b == branch => Some(result),
            _ => None,
        })
    }
}

/// What reaches the loop.
pub(super) enum Arrival {
    /// A body's turn is over.
    Turned { step: usize, machine: Box<dyn Machine>, turn: Turn },
    /// A call's work is over.
    Called { step: usize, id: CallId, finished: Finished },
    /// A call was dropped before its work was over.
    Dropped,
    /// A step's own deadline has passed.
    Deadline { step: usize, limit: ops_core::time::Span },
    /// A body's thread died: a fault of ops.
    Lost { step: usize, message: String },
    /// A step's files were held against its last trace.
    Judged { step: usize, compared: Box<Compared> },
    /// A step's trace is complete.
    Completed { step: usize, end: StepEnd, completed: Completed },
}

/// What wakes the loop.
enum Heard {
    Arrival(Option<Arrival>),
    Signal(Signal),
    Stray(Fault),
}

/// The loop's state.
pub struct Run<'a> {
    pub(super) cx: &'a Context<'a>,
    pub(super) steps: Vec<StepRun>,
    /// Steps that wait for their begin, and those that run: in a long graph few of many.
    pub(super) waiting: BTreeSet<usize>,
    pub(super) running: BTreeSet<usize>,
    /// A body has called other steps.
    pub(super) nests: bool,
    pub(super) by_branch: BTreeMap<Branch, usize>,
    pub(super) owner: BTreeMap<CallId, AbortHandle>,
    pub(super) flying: FuturesUnordered<Local<'a, Arrival>>,
    pub(super) turning: usize,
    pub(super) changing: BTreeSet<CallId>,
    pub(super) replay: Option<Replaying>,
    pub(super) signals: UnboundedReceiver<Signal>,
    pub(super) interrupts: u32,
    pub(super) stopping: Option<Fault>,
    pub(super) stop_sent: bool,
    pub(super) ended: Ended,
    pub(super) destroyed: bool,
    pub(super) nested_fault: Option<Fault>,
}

/// The part of a journal that is still to be replayed.
pub(super) struct Replaying {
    pub(super) journal: Replay,
    pub(super) next: usize,
    /// Records that a replay makes again and must not write twice.
    pub(super) written: BTreeSet<String>,
    /// Nothing may become live: a proof, not a resume.
    pub(super) proof: bool,
    /// Only cleanups may become live.
    pub(super) abandon: bool,
    /// The deliveries are at their end; live calls may start.
    pub(super) live: bool,
    /// Calls that wait for the end of the replay, in the order in which they were asked.
    pub(super) parked: VecDeque<(usize, Ready)>,
    /// Branches that have made their first live call.
    pub(super) revived: BTreeSet<Branch>,
    /// The last wait that each branch was answered.
    pub(super) waits: BTreeMap<Branch, Ready>,
}

impl<'a> Run<'a> {
    /// A run over a graph; with a journal, its resume.
    pub fn new(cx: &'a Context<'a>, graph: Graph, signals: UnboundedReceiver<Signal>) -> Run<'a> {
        let mut run = Run {
            cx,
            steps: Vec::new(),
            waiting: BTreeSet::new(),
            running: BTreeSet::new(),
            nests: false,
            by_branch: BTreeMap::new(),
            owner: BTreeMap::new(),
            flying: FuturesUnordered::new(),
            turning: 0,
            changing: BTreeSet::new(),
            replay: None,
            signals,
            interrupts: 0,
            stopping: None,
            stop_sent: false,
            ended: Ended::default(),
            destroyed: false,
            nested_fault: None,
        };
        let force = cx.skip.is_some_and(|skip| skip.force);
        for step in graph.steps {
            let forced = force && step.asked;
            let step = StepRun::new(step.recipe, step.args, step.branch, step.needs);
            run.add(StepRun { forced, ..step });
        }
        run
    }

    /// Takes up a journal: what it holds is replayed before anything becomes live.
    #[must_use]
    pub fn resuming(mut self, journal: Replay, records: &[Record], proof: bool) -> Run<'a> {
        self.replay = Some(Replaying {
            journal,
            next: 0,
            written: records.iter().filter_map(super::resume::written_key).collect(),
            proof,
            abandon: false,
            live: false,
            parked: VecDeque::new(),
            revived: BTreeSet::new(),
            waits: BTreeMap::new(),
        });
        self
    }

    /// Gives a run up: behind what the journal holds only its cleanups run.
    #[must_use]
    pub fn abandoning(mut self) -> Run<'a> {
        if let Some(replaying) = &mut self.replay {
            replaying.abandon = true;
        }
        self
    }

    pub(super) fn add(&mut self, step: StepRun) -> usize {
        let at = self.steps.len();
        self.by_branch.insert(step.branch.clone(), at);
        self.waiting.insert(at);
        self.steps.push(step);
        at
    }

    /// Runs to the end: every step is over or left, and no call is under way.
    pub async fn run(mut self) -> Ended {
        loop {
            while self.start_steps() {}
            self.send_stop();
            self.turn_steps();
            if self.replaying() && self.quiet() && self.turning == 0 {
                self.replay_next();
                continue;
            }
            if self.all_over() && self.flying.is_empty() {
                break;
            }
            match self.next().await {
                Some(arrival) => self.take(arrival),
                None if self.all_over() => break,
                None => {
                    let fault = Fault::new(
                        ops_core::error::Code::BUG,
                        "the run waits for nothing: no call is under way and no step can go on",
                    );
                    self.ended.faults.push((Branch(String::new()), fault));
                    break;
                }
            }
        }
        for step in &self.steps {
            match &step.state {
                StepState::Ended(end) => self.ended.steps.push((step.branch.clone(), end.clone())),
                StepState::Left | StepState::Waiting | StepState::Running => {
                    self.ended.left.push(step.branch.clone());
                }
            }
        }
        self.ended
    }

    /// The next arrival; signals are heard meanwhile, and simulated time passes when everything waits.
    async fn next(&mut self) -> Option<Arrival> {
        loop {
            let world = self.cx.world;
            let (flying, signals) = (&mut self.flying, &mut self.signals);
            let (backend, turning) = (self.cx.backend, self.turning);
            let mut patience = Patience::default();
            let heard = std::future::poll_fn(|task| {
                if let Poll::Ready(Some(signal)) = signals.poll_recv(task) {
                    return Poll::Ready(Heard::Signal(signal));
                }
                loop {
                    // Before any reply: what a shim says comes before its line's end.
                    if let Poll::Ready(fault) = poll_stray(world, task) {
                        return Poll::Ready(Heard::Stray(fault));
                    }
                    match flying.poll_next_unpin(task) {
                        Poll::Ready(arrival) => return Poll::Ready(Heard::Arrival(arrival)),
                        Poll::Pending if turning == 0 && backend.pass_time() => {}
                        Poll::Pending if patience.pass(world, task) => {}
                        // The channel was perhaps opened just now.
                        Poll::Pending => match poll_stray(world, task) {
                            Poll::Ready(fault) => return Poll::Ready(Heard::Stray(fault)),
                            Poll::Pending => return Poll::Pending,
                        },
                    }
                }
            })
            .await;
            match heard {
                Heard::Arrival(arrival) => return arrival,
                Heard::Signal(signal) => self.interrupt(signal),
                Heard::Stray(fault) => {
                    self.halt(self.cx.backend.stray(fault));
                    return Some(Arrival::Dropped);
                }
            }
        }
    }

    pub(super) fn quiet(&self) -> bool {
        self.running.iter().all(|at| self.steps[*at].quiet())
    }

    fn all_over(&self) -> bool {
        self.waiting.is_empty() && self.running.is_empty()
    }

    pub(super) fn replaying(&self) -> bool {
        self.replay.as_ref().is_some_and(|r| !r.live)
    }

    /// Starts what can start: needs done, a place free, nothing stopped. True where a step was over at once: others may wait for it.
    fn start_steps(&mut self) -> bool {
        let mut over = false;
        let places = self.running.iter().copied().filter(|at| self.steps[*at].takes_place());
        let placed: Vec<usize> = places.collect();
        let mut running = placed.len();
        // A person talks to one at a time.
        let interactive = |run: &Self, at: usize| {
            run.cx.part == Part::Whole
                && run.cx.catalog.get(&run.steps[at].recipe).is_some_and(|h| h.interactive)
        };
        let mut talking = placed.iter().any(|at| interactive(self, *at));
        let nobody = |run: &Self| {
            run.stopping.is_some() || (!run.cx.keep_going && !run.ended.faults.is_empty())
        };
        // Without a free place only a nested step begins.
        if (talking || running >= self.cx.jobs) && !nobody(self) && !self.nests {
            return false;
        }
        let waiting: Vec<usize> = self.waiting.iter().copied().collect();
        for at in waiting {
            let mut ready = true;
            let mut doomed = nobody(self);
            for need in &self.steps[at].needs {
                match &self.steps[*need].state {
                    StepState::Ended(StepEnd::Done { .. } | StepEnd::Skipped { .. }) => {}
                    StepState::Ended(_) | StepState::Left => doomed = true,
                    StepState::Waiting | StepState::Running => ready = false,
                }
            }
            if doomed {
                self.steps[at].state = StepState::Left;
                self.waiting.remove(&at);
                for caller in std::mem::take(&mut self.steps[at].callers) {
                    self.answer_caller(at, &caller);
                }
            } else if ready && self.may_begin(at) {
                let nested = !self.steps[at].callers.is_empty();
                let place = running < self.cx.jobs && !talking;
                if !nested && (!place || (running > 0 && interactive(self, at))) {
                    continue;
                }
                self.begin(at);
                talking |= !nested && interactive(self, at);
                // In a preflight most steps have nothing to run and are over at once.
                let runs = self.steps[at].state == StepState::Running;
                running += usize::from(runs);
                over |= !runs;
            }
        }
        over
    }

    fn begin(&mut self, at: usize) {
        let timeout = self.cx.catalog.get(&self.steps[at].recipe).and_then(|h| h.timeout);
        let step = &self.steps[at];
        let record = Record::StepBegin {
            branch: step.branch.clone(),
            recipe: step.recipe.clone(),
            args: step.args.clone(),
            at: self.cx.world.now(),
        };
        self.record(record);
        self.steps[at].state = StepState::Running;
        self.waiting.remove(&at);
        self.running.insert(at);
        if let Some(limit) = timeout.filter(|_| self.cx.part == Part::Whole) {
            self.limit(at, limit);
        }
        if matches!(self.cx.part, Part::Whole | Part::Judge) {
            self.judge(at);
        } else {
            self.next_part(at, None, Value::Null);
        }
    }

    /// Gives every body that can take one its next delivery.
    fn turn_steps(&mut self) {
        let running: Vec<usize> = self.running.iter().copied().collect();
        for at in running {
            if !self.steps[at].can_turn() {
                continue;
            }
            let (Some(machine), Some(delivery)) =
                (self.steps[at].machine.take(), self.steps[at].mail.pop_front())
            else {
                continue;
            };
            self.steps[at].turning = true;
            self.turning += 1;
            self.cx.world.hold();
            let turn = turned(machine, delivery);
            self.flying.push(Box::pin(async move {
                match turn.await {
                    Ok((machine, turn)) => Arrival::Turned { step: at, machine, turn },
                    Err(message) => Arrival::Lost { step: at, message },
                }
            }));
        }
    }

    pub(super) fn step_of(&self, id: &CallId) -> Option<usize> {
        self.by_branch
            .iter()
            .filter(|(branch, _)| branch.contains(&id.path))
            .max_by_key(|(branch, _)| branch.0.len())
            .map(|(_, at)| *at)
    }

    /// Writes a record, unless a replay has it already. A journal that cannot be written stops the run; then the answer is no.
    pub(super) fn record(&mut self, record: Record) -> bool {
        if let Some(replaying) = &self.replay {
            // What is cancelled anew after the replay is cancelled in another attempt.
            let anew = replaying.live && matches!(record, Record::Cancelled { .. });
            let known = !anew
                && super::resume::written_key(&record)
                    .is_some_and(|key| replaying.written.contains(&key));
            if known || replaying.proof {
                return true;
            }
        }
        self.cx.events.event(&Event::Recorded(record.clone()));
        match self.cx.backend.record(record) {
            Ok(()) => true,
            Err(fault) => {
                self.halt(*fault);
                false
            }
        }
    }

    /// Stops the whole run: no new call but those of cleanups.
    pub(super) fn halt(&mut self, fault: Fault) {
        if self.stopping.is_none() {
            self.ended.faults.push((Branch(String::new()), fault.clone()));
            self.stopping = Some(fault);
        }
    }

    /// Delivers a waiting stop to every running step once no call that changes the world is under way.
    fn send_stop(&mut self) {
        let Some(fault) = self.stopping.clone() else { return };
        if self.stop_sent || !self.changing.is_empty() {
            return;
        }
        self.stop_sent = true;
        let running: Vec<usize> = self.running.iter().copied().collect();
        for at in running {
            if self.steps[at].state == StepState::Running {
                let branch = self.steps[at].branch.clone();
                self.stop_branch(at, branch, fault.clone());
            }
        }
    }
}
