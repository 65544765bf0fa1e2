//! The loop while it replays a journal, and the border behind which calls become live again.
//!
//! Every recorded call must be made again with the same digest, every recorded delivery must find its call: anything else is a divergence.

use ops_core::call::Request;
use ops_core::call::table;
use ops_core::error::{Code, Fault};
use ops_core::event::Event;
use ops_core::ident::{Branch, CallId};
use ops_core::machine::Delivery;
use ops_core::record::{Outcome, Record, StepEnd};
use ops_core::value::Value;

use super::backend::{Ready, Settlement};
use super::replay::State;
use super::run::Run;
use super::step::{From, StepState};
use crate::sys::fault;

/// The key of a record that a replay makes again; such a record is written once.
pub(super) fn written_key(record: &Record) -> Option<String> {
    match record {
        Record::StepBegin { branch, .. } => Some(format!("begin {branch}")),
        Record::Judged { branch, .. } => Some(format!("judged {branch}")),
        Record::StepEnd { branch, how: StepEnd::Done { .. } | StepEnd::Skipped { .. }, .. } => {
            Some(format!("end {branch}"))
        }
        Record::BranchEnd { branch, how } => Some(format!("branch {branch} {how:?}")),
        Record::Dropped { id } => Some(format!("dropped {id}")),
        Record::Cancelled { branch, by, .. } => Some(format!("cancelled {branch} {by}")),
        _ => None,
    }
}

impl Run<'_> {
    /// Where the reply of a new call comes from; nothing where the call is a divergence (then the run stops).
    pub(super) fn source_of(&mut self, at: usize, id: &CallId, request: &Request) -> Option<From> {
        let Some(replaying) = &self.replay else { return Some(From::Backend) };
        let Some(known) = replaying.journal.calls.get(id) else {
            return Some(if replaying.live { From::Backend } else { From::Parked });
        };
        let version = table::info(&request.call).map_or(1, |info| info.version);
        if known.intent.digest != request.digest(version) {
            let fault = divergence(
                "the recipe makes another call than the journal holds",
                &format!(
                    "journal: {} {}",
                    known.intent.call,
                    Value::Object(known.intent.args.clone())
                ),
                &format!("now:     {} {}", request.call, Value::Object(request.args.clone())),
                id,
            );
            self.diverge(at, fault);
            return None;
        }
        if replaying.live {
            return Some(From::Backend);
        }
        let live = fault::mutated("live call in a replay");
        Some(if live {
            From::Backend
        } else if known.state == State::Answered {
            From::Journal
        } else {
            From::Parked
        })
    }

    fn diverge(&mut self, _at: usize, fault: Fault) {
        self.halt(fault);
    }

    /// Delivers the next recorded outcome, or becomes live behind the last one.
    pub(super) fn replay_next(&mut self) {
        let Some(replaying) = &mut self.replay else { return };
        let Some(delivered) = replaying.journal.deliveries.get(replaying.next).cloned() else {
            return self.become_live();
        };
        replaying.next += 1;
        let id = delivered.id;
        let holder = self.step_of(&id).filter(|at| self.steps[*at].waits.contains_key(&id));
        let Some(at) = holder else {
            if fault::mutated("leftover calls accepted") {
                return;
            }
            let call = self
                .replay
                .as_ref()
                .and_then(|r| r.journal.calls.get(&id))
                .map_or_else(String::new, |known| known.intent.call.clone());
            let fault = divergence(
                "the journal holds a reply to a call that the recipe no longer makes",
                &format!("journal: {call}"),
                "now:     the branch ended or waits for something else",
                &id,
            );
            return self.diverge(0, fault);
        };
        let Some(waiting) = self.steps[at].waits.remove(&id) else { return };
        let reply = match delivered.outcome {
            Outcome::Done(value) => Ok(value),
            Outcome::Failed(error) => {
                self.steps[at].failed_calls += 1;
                Err(error)
            }
            Outcome::DoneBlob(blob) => match self.cx.backend.load(&blob) {
                Ok(value) => Ok(value),
                Err(fault) => return self.halt(*fault),
            },
        };
        if waiting.request.call.starts_with("wait.")
            && reply.is_ok()
            && let Ok(ready) = self.ready(at, &id, &waiting.request)
            && let Some(replaying) = &mut self.replay
        {
            replaying.waits.insert(id.path.clone(), ready);
        }
        self.cx.events.event(&Event::Replayed { id: id.clone() });
        if !waiting.dropped {
            self.steps[at].mail.push_back(Delivery::Reply { id, reply });
        }
    }

    /// The recorded deliveries are at their end. Every recorded call must have been made again; then what waits becomes live, in order.
    fn become_live(&mut self) {
        let Some(replaying) = &mut self.replay else { return };
        replaying.live = true;
        let parked = std::mem::take(&mut replaying.parked);
        let missing: Option<(CallId, super::replay::Known)> = replaying
            .journal
            .calls
            .iter()
            .find(|(id, known)| {
                known.state != State::Answered && !parked.iter().any(|(_, ready)| ready.id == **id)
            })
            .map(|(id, known)| (id.clone(), known.clone()));
        if let Some((id, known)) = missing {
            let over = self.was_dropped(&id);
            if !over && !fault::mutated("leftover calls accepted") && known.intent.call != "cx.run"
            {
                let fault = divergence(
                    "the journal holds a call that the recipe no longer makes",
                    &format!(
                        "journal: {} {}",
                        known.intent.call,
                        Value::Object(known.intent.args.clone())
                    ),
                    "now:     the branch ended or waits for something else",
                    &id,
                );
                return self.diverge(0, fault);
            }
        }
        if self.replay.as_ref().is_some_and(|r| r.proof) {
            if let Some((_, ready)) = parked.front() {
                let fault = divergence(
                    "the replay makes a call that the run did not make",
                    "journal: nothing",
                    &format!("now:     {}", ready.request.call),
                    &ready.id.clone(),
                );
                self.diverge(0, fault);
            }
            return;
        }
        if self.replay.as_ref().is_some_and(|r| r.abandon) {
            return self.halt(Fault::new(Code::ABANDONED, "the run is given up; its cleanups ran"));
        }
        for (at, ready) in parked {
            self.enliven(at, ready);
        }
    }

    /// Whether the journal says that nobody waits for the call any more.
    fn was_dropped(&self, id: &CallId) -> bool {
        self.replay.as_ref().is_some_and(|r| r.written.contains(&format!("dropped {id}")))
            || self.steps.iter().any(|s| s.waits.get(id).is_some_and(|w| w.dropped))
            || self
                .step_of(id)
                .is_some_and(|at| matches!(self.steps[at].state, StepState::Ended(_)))
    }

    /// The first live call of a branch proves that the cluster is still the same and that the branch's last wait still holds; an unknown
    /// outcome is settled before the call is made again.
    fn enliven(&mut self, at: usize, mut ready: Ready) {
        let known = self.replay.as_ref().and_then(|r| r.journal.calls.get(&ready.id)).cloned();
        if let Some(waiting) = self.steps[at].waits.get_mut(&ready.id) {
            waiting.from = From::Backend;
        }
        let unknown = known.filter(|k| matches!(k.state, State::Unknown | State::Settled(_)));
        let Some(known) = unknown else {
            let wait = self.wait_to_repeat(&ready.id.path);
            if wait.is_none() {
                return self.start(at, ready);
            }
            return self.start_after(at, ready, wait);
        };
        if let State::Settled(Some(reply)) = &known.state {
            let (id, reply) = (ready.id.clone(), reply.clone());
            return self.reply(at, &id, Ok(reply));
        }
        if known.state == State::Settled(None) {
            ready.again = true;
            return self.start(at, ready);
        }
        let id = ready.id.clone();
        self.changing.insert(id.clone());
        let backend = self.cx.backend;
        let (of, again) = (ready.id.clone(), Ready { again: true, ..ready.clone() });
        let work = Box::pin(async move {
            match backend.settle(known, ready).await {
                Settlement::Done(reply) => super::backend::Finished::Reply(Ok(reply)),
                Settlement::Again => backend.call(again).await,
                Settlement::Stop(fault) if fault.code == Code::OUTCOME_UNKNOWN => {
                    super::backend::Finished::Unknown { of, fault }
                }
                Settlement::Stop(fault) => super::backend::Finished::Stop(fault),
            }
        });
        self.fly(at, id, work);
    }

    fn start_after(&mut self, at: usize, ready: Ready, wait: Option<Ready>) {
        let id = ready.id.clone();
        if ready.call.spec().effect().changes_world() {
            self.changing.insert(id.clone());
        }
        let backend = self.cx.backend;
        let work = Box::pin(async move {
            if let Err(fault) = backend.revive(wait).await {
                return super::backend::Finished::Stop(fault);
            }
            if ready.request.call.starts_with("cx.") {
                backend.engine_call(ready.id, ready.request).await
            } else {
                backend.call(ready).await
            }
        });
        self.fly(at, id, work);
    }

    /// The last recorded wait of a branch, once: its old answer may no longer hold.
    fn wait_to_repeat(&mut self, path: &Branch) -> Option<Ready> {
        let replaying = self.replay.as_mut()?;
        if !replaying.revived.insert(path.clone()) {
            return None;
        }
        replaying.waits.get(path).cloned()
    }
}

fn divergence(title: &str, journal: &str, now: &str, id: &CallId) -> Fault {
    Fault::new(Code::DIVERGENCE, title)
        .detail(format!("call:    {id}"))
        .detail(journal)
        .detail(now)
        .help("the recipe, a module, the inventory or a parameter has changed since the run began")
}
