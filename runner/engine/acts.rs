//! What the loop does with arrivals: a body's acts, replies, ends of steps. Every change of a step's state is here or in `run`.

use futures_util::stream::AbortHandle;
use ops_core::call::Request;
use ops_core::call::table::{self, Call};
use ops_core::effect::Effect;
use ops_core::error::{CallError, Code, ErrorKind, Fault, WAS_INTERRUPTED};
use ops_core::ident::{Branch, CallId};
use ops_core::machine::{Act, BranchEnd, Delivery, Entry, Failure, Machine, Stop, Turn};
use ops_core::record::{Outcome, Record, StepEnd};
use ops_core::value::{BLOB_FROM, Map, Value};

use super::backend::{Finished, Ready};
use super::run::{Arrival, Run};
use super::step::{From, StepState, Waiting};
use crate::recipe::Head;
use crate::sys::fault;
use crate::sys::world::Local;

impl<'a> Run<'a> {
    pub(super) fn take(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Turned { step, machine, turn } => self.turned(step, machine, turn),
            Arrival::Called { step, id, finished } => self.called(step, id, finished),
            Arrival::Dropped => {}
            Arrival::Deadline { step, limit } => {
                if self.steps[step].state == StepState::Running {
                    let branch = self.steps[step].branch.clone();
                    let title = format!("{} did not end within {limit}", self.steps[step].recipe);
                    self.stop_branch(step, branch, Fault::new(Code::DEADLINE, title));
                }
            }
            Arrival::Judged { step, compared } => {
                self.looked(step);
                match self.waiting_stop(step) {
                    Some(stop) => self.step_over(step, Err(Failure::Stopped(stop))),
                    None => self.judged(step, *compared),
                }
            }
            Arrival::Completed { step, end, completed } => {
                self.looked(step);
                self.completed(step, end, completed);
            }
            Arrival::Lost { step, message } => {
                self.turning -= 1;
                self.cx.world.release();
                self.steps[step].turning = false;
                let fault = Fault::new(Code::BUG, format!("a recipe's thread died: {message}"));
                self.step_over(step, Err(Failure::Fault(Box::new(fault))));
            }
        }
    }

    fn turned(&mut self, at: usize, machine: Box<dyn Machine>, turn: Turn) {
        if self.cx.backend.records() && !self.replaying() {
            fault::point("b11");
        }
        self.turning -= 1;
        self.cx.world.release();
        self.steps[at].turning = false;
        self.steps[at].machine = Some(machine);
        for act in turn.acts {
            match act {
                Act::Asked { id, request } => self.asked(at, id, &request),
                Act::Dropped { id } => self.dropped(at, &id),
                Act::Opened { .. } => {}
                Act::Cancelled { branch, by } => self.cancelled(branch, by),
                Act::Closed { branch, how } => {
                    if let (true, BranchEnd::Skipped(why)) = (branch == self.steps[at].branch, &how)
                    {
                        self.steps[at].skipped = Some(why.clone());
                    }
                    self.record(Record::BranchEnd { branch, how });
                }
                Act::Log { branch, number, level, body } => {
                    self.logged(branch, number, level, body);
                }
            }
        }
        if let Some(end) = turn.end {
            self.step_over(at, end);
        }
    }

    pub(super) fn cancelled(&mut self, branch: Branch, by: Branch) {
        if !fault::mutated("cancellation not journaled") {
            self.record(Record::Cancelled { branch, by, at: self.cx.world.now() });
        }
    }

    fn logged(&mut self, branch: Branch, number: u32, level: String, body: Value) {
        let shown = self.replay.as_ref().and_then(|r| r.journal.logged.get(&branch)).copied();
        if shown.is_none_or(|shown| number > shown) {
            self.record(Record::Log { branch, number, level, body });
        }
    }

    /// A body made a call: from here it is either replayed or live.
    fn asked(&mut self, at: usize, id: CallId, request: &Request) {
        let from = self.source_of(at, &id, request);
        let waiting = Waiting {
            request: request.clone(),
            from: from.unwrap_or(From::Parked),
            since: self.cx.world.now(),
            dropped: false,
        };
        self.steps[at].waits.insert(id.clone(), waiting);
        // A nested step runs in a replay too: its own calls are answered from the journal.
        if request.call == "cx.run" {
            self.run_nested(at, &id, request);
            return;
        }
        match from {
            Some(From::Journal) | None => {}
            Some(From::Parked) => match self.ready(at, &id, request) {
                Ok(ready) => {
                    if let Some(replaying) = &mut self.replay {
                        replaying.parked.push_back((at, ready));
                    }
                }
                Err(fault) => self.stop_branch(at, id.path, *fault),
            },
            Some(From::Backend) => match self.ready(at, &id, request) {
                Ok(ready) => self.start(at, ready),
                Err(fault) => self.stop_branch(at, id.path, *fault),
            },
        }
    }

    /// A validated call, ready for the backend; engine calls carry a stand-in that is never decoded.
    pub(super) fn ready(
        &self,
        at: usize,
        id: &CallId,
        request: &Request,
    ) -> Result<Ready, Box<Fault>> {
        let step = &self.steps[at];
        let head = self.cx.catalog.get(&step.recipe);
        let engine = request.call.starts_with("cx.");
        let decoded = if engine {
            let args = Map::new();
            Call::decode(&Request { call: "time.now".into(), args, place: None })
        } else {
            Call::decode(request)
        };
        let (call, common) = decoded.map_err(|invalid| {
            let mut fault =
                Fault::new(Code::CALL_FIELD, format!("{}: {}", request.call, invalid.message));
            if let Some(place) = &request.place {
                fault = fault.at(place.clone());
            }
            Box::new(fault)
        })?;
        let info = table::info(&request.call).unwrap_or_else(|| call.info());
        Ok(Ready {
            id: id.clone(),
            request: request.clone(),
            call,
            common,
            info,
            destructive: head.is_some_and(|h| h.destructive),
            reads_only: step.only_reads(),
            terminal: has_terminal(head, request),
            recipe: step.recipe.clone(),
            again: false,
        })
    }

    /// Hands a call to the backend.
    pub(super) fn start(&mut self, at: usize, ready: Ready) {
        let cleanup = is_cleanup(&ready.id.path);
        if (self.stopping.is_some() && !cleanup) || self.stop_waits(at, &ready.id) {
            return;
        }
        if cleanup && self.cx.backend.records() {
            fault::point("b14");
        }
        let id = ready.id.clone();
        if ready.request.call.starts_with("cx.") {
            let work = self.cx.backend.engine_call(id.clone(), ready.request);
            self.fly(at, id, work);
            return;
        }
        let effect = ready.call.spec().effect();
        if effect.changes_world() {
            self.changing.insert(id.clone());
            self.destroyed |= effect == Effect::Destroys;
        }
        let work = self.cx.backend.call(ready);
        self.fly(at, id, work);
    }

    pub(super) fn fly(&mut self, at: usize, id: CallId, work: Local<'a, Finished>) {
        let (handle, registration) = AbortHandle::new_pair();
        self.owner.insert(id.clone(), handle);
        let work = futures_util::future::Abortable::new(work, registration);
        self.flying.push(Box::pin(async move {
            match work.await {
                Ok(finished) => Arrival::Called { step: at, id, finished },
                Err(_) => Arrival::Dropped,
            }
        }));
    }

    /// Whether a stop waits to be delivered to the branch: while it does, the gate starts no call there. A stop from further up does not
    /// reach a cleanup that has begun.
    fn stop_waits(&self, at: usize, id: &CallId) -> bool {
        let cleanup = is_cleanup(&id.path);
        let reaches = |branch: &Branch| branch.contains(&id.path) && cleanup == is_cleanup(branch);
        self.steps[at]
            .mail
            .iter()
            .any(|mail| matches!(mail, Delivery::Stop { branch, .. } if reaches(branch)))
    }

    fn dropped(&mut self, at: usize, id: &CallId) {
        // A reply that has come and whose turn has not is recorded, and goes to nobody.
        let waits = self.steps[at].mail.len();
        self.steps[at]
            .mail
            .retain(|mail| !matches!(mail, Delivery::Reply { id: to, .. } if to == id));
        if self.steps[at].mail.len() < waits {
            self.record(Record::Dropped { id: id.clone() });
        }
        let Some(waiting) = self.steps[at].waits.get_mut(id) else { return };
        waiting.dropped = true;
        let nested = waiting.request.call == "cx.run";
        self.record(Record::Dropped { id: id.clone() });
        if let Some(replaying) = &mut self.replay {
            replaying.parked.retain(|(_, ready)| ready.id != *id);
        }
        if nested {
            self.leave_nested(id);
        }
        // What changes the world goes on to its end; its outcome is recorded and dropped.
        if !self.changing.contains(id) {
            if let Some(handle) = self.owner.remove(id) {
                handle.abort();
            }
            if self.steps[at].waits.get(id).is_some_and(|w| w.from != From::Journal) {
                self.steps[at].waits.remove(id);
            }
        }
    }

    fn called(&mut self, at: usize, id: CallId, finished: Finished) {
        self.owner.remove(&id);
        self.changing.remove(&id);
        match finished {
            Finished::Reply(reply) => self.reply(at, &id, reply),
            Finished::Stop(fault) => self.never(at, id, *fault),
            Finished::Unknown { of, fault } => {
                // Told whatever else stops the step: a person must answer it.
                self.ended.faults.push((of.path.clone(), (*fault).clone()));
                self.ended.unknown.push(of);
                self.never(at, id, *fault);
            }
        }
    }

    /// A call that was not made: its branch is stopped.
    fn never(&mut self, at: usize, id: CallId, why: Fault) {
        self.steps[at].waits.remove(&id);
        self.stop_branch(at, id.path, why);
    }

    /// Records an outcome when it happens; its place in the journal is its place in the order of delivery.
    pub(super) fn reply(&mut self, at: usize, id: &CallId, reply: Result<Value, CallError>) {
        let Some(waiting) = self.steps[at].waits.remove(id) else { return };
        let now = self.cx.world.now();
        if self.cx.backend.records() {
            let outcome = match &reply {
                Ok(value) => self.outcome_of(value),
                Err(error) => Outcome::Failed(error.clone()),
            };
            let kept = self.record(Record::Outcome {
                id: id.clone(),
                outcome,
                ms: now.since(waiting.since).0,
                at: now,
            });
            // What a resume could not deliver again is not delivered: the run is over, and the branch hears of its stop.
            if !kept {
                return;
            }
        }
        if reply.is_err() {
            self.steps[at].failed_calls += 1;
        }
        if !waiting.dropped {
            self.steps[at].mail.push_back(Delivery::Reply { id: id.clone(), reply });
        }
    }

    fn outcome_of(&mut self, value: &Value) -> Outcome {
        let text = value.to_string();
        if text.len() > BLOB_FROM {
            match self.cx.backend.store(text.as_bytes()) {
                Ok(blob) => return Outcome::DoneBlob(blob),
                Err(fault) => self.halt(*fault),
            }
        }
        Outcome::Done(value.clone())
    }

    /// Queues a stop for a branch and everything below it; it is recorded when it happens, like a reply.
    pub(super) fn stop_branch(&mut self, at: usize, branch: Branch, why: Fault) {
        if !fault::mutated("stop not journaled") {
            self.record(Record::Stopped {
                branch: branch.clone(),
                code: why.code.to_string(),
                title: why.title.clone(),
                at: self.cx.world.now(),
            });
        }
        let stop = Stop { fault: Box::new(why) };
        self.steps[at].mail.push_back(Delivery::Stop { branch, stop });
    }

    /// A recipe's function came to its end.
    pub(super) fn step_over(&mut self, at: usize, end: Result<Value, Failure>) {
        let entry = self.steps[at].entry.clone();
        self.steps[at].machine = None;
        self.steps[at].mail.clear();
        let on_failure =
            self.cx.catalog.get(&self.steps[at].recipe).is_some_and(|h| h.functions.on_failure);
        match (entry, end) {
            (Entry::Parameters, Ok(params)) => {
                if let Value::Object(params) = params {
                    self.steps[at].args = params;
                }
                self.next_part(at, Some(&Entry::Parameters), Value::Null);
            }
            (Entry::Status, Ok(answer)) => self.status_said(at, answer == Value::Bool(true)),
            (entry @ (Entry::Preconditions | Entry::Confirm), Ok(found)) => {
                self.next_part(at, Some(&entry), found);
            }
            (Entry::OnFailure(_), _) => {
                if let Some((end, _)) = self.steps[at].failure.take() {
                    self.step_ends(at, end);
                }
            }
            (_, Ok(result)) => {
                let recovered = self.steps[at].failed_calls > 0;
                let end = match self.steps[at].skipped.take() {
                    Some(reason) => StepEnd::Skipped { reason },
                    None => StepEnd::Done { result, recovered },
                };
                self.step_ends(at, end);
            }
            (entry, Err(failure)) => {
                let branch = self.steps[at].branch.clone();
                let (fault, stopped) = match &failure {
                    Failure::Call(_, fault) | Failure::Fault(fault) => ((**fault).clone(), false),
                    Failure::Stopped(stop) => ((*stop.fault).clone(), true),
                };
                let fault = self.told(at, &branch, &failure, fault);
                let (code, title) = (fault.code.to_string(), fault.title.clone());
                let end = if stopped {
                    StepEnd::Stopped { code, title }
                } else {
                    StepEnd::Failed { code, title }
                };
                if on_failure && entry == Entry::Run && !stopped {
                    let error = match failure {
                        Failure::Call(error, _) => error,
                        _ => CallError::new(ErrorKind::Failed, fault.title),
                    };
                    self.steps[at].failure = Some((end, error.clone()));
                    self.enter(at, Entry::OnFailure(error), Value::Null);
                } else {
                    self.step_ends(at, end);
                }
            }
        }
    }

    /// Keeps a fault for the end of the run. That of a nested step is its caller's to tell: the caller may go on.
    fn told(&mut self, at: usize, branch: &Branch, failure: &Failure, fault: Fault) -> Fault {
        let mut fault = fault;
        if let Failure::Call(error, _) = failure {
            match error.kind {
                ErrorKind::MissingTool => fault.code = Code::TOOL_MISSING,
                ErrorKind::Version => fault.code = Code::TOOL_OLD,
                _ => {}
            }
        }
        let passed_on = matches!(failure, Failure::Call(error, _) if error.call == "cx.run");
        let nested = if passed_on { self.nested_fault.take() } else { None };
        let fault = nested.unwrap_or(fault);
        if !self.steps[at].callers.is_empty() {
            self.nested_fault = Some(fault.clone());
            return fault;
        }
        // That a call was cut off says nothing that the interruption does not say.
        let cut =
            matches!(failure, Failure::Call(error, _) if error.message.ends_with(WAS_INTERRUPTED));
        if cut && self.stopping.is_some() {
            return fault;
        }
        if self.ended.faults.iter().all(|(_, known)| *known != fault) {
            self.ended.faults.push((branch.clone(), fault.clone()));
        }
        fault
    }

    /// A step has its end: its trace is completed first, where it has one.
    pub(super) fn step_ends(&mut self, at: usize, end: StepEnd) {
        if !self.completes(at, &end) {
            self.step_ended(at, end);
        }
    }

    pub(super) fn step_ended(&mut self, at: usize, end: StepEnd) {
        let record = Record::StepEnd {
            branch: self.steps[at].branch.clone(),
            how: end.clone(),
            at: self.cx.world.now(),
        };
        self.record(record);
        if let Some(limit) = self.steps[at].limit.take() {
            limit.abort();
        }
        self.steps[at].state = StepState::Ended(end);
        self.running.remove(&at);
        for caller in std::mem::take(&mut self.steps[at].callers) {
            self.answer_caller(at, &caller);
        }
    }
}

/// Whether a call's child talks to the person at the terminal: the shell of a recipe that says so.
pub(super) fn has_terminal(head: Option<&Head>, request: &Request) -> bool {
    head.is_some_and(|head| head.interactive) && matches!(request.call.as_str(), "sh" | "sh.exec")
}

/// Whether a branch is a cleanup, or lies within one.
pub(super) fn is_cleanup(path: &Branch) -> bool {
    path.0.contains("/defer[") || path.0.contains("/on_failure")
}
