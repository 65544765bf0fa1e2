//! Calls of a run whose outcome nobody knows and that the recipe makes again, by `cx:retry`, by `retries` or by itself: each is settled first. What
//! no witness can tell a person must.

use std::collections::{BTreeMap, BTreeSet};

use ops_core::call::{Settled, Witness};
use ops_core::effect::Effect;
use ops_core::error::{CallError, ErrorKind, Exit};
use ops_core::ident::CallId;
use ops_core::record::{Outcome, Record};
use ops_core::value::{Digest, Value};
use serde_json::json;

use super::backend::{Finished, Ready};
use super::gate::Gate;
use super::replay::{self, Known, State};
use super::settle::{cut_short, unknown};
use crate::sys::fault;

/// A call of which this run does not know whether it happened.
#[derive(Clone, Debug)]
pub(super) struct Doubt {
    id: CallId,
    witness: Witness,
    before: Value,
    /// The grant slot that it used: given back once it is settled that it did not happen.
    slot: Option<String>,
}

/// Whether a call that ended so may have happened all the same.
fn is_doubtful(effect: Effect, witness: &Witness, error: &CallError) -> bool {
    let silent =
        matches!(error.kind, ErrorKind::Timeout | ErrorKind::Unreachable | ErrorKind::NotApplied);
    let known = error.before_effect || fault::mutated("timeout is failed");
    effect.changes_world() && !known && silent && *witness != Witness::Repeatable
}

impl Gate<'_> {
    /// A call failed after it may have begun.
    pub(super) fn doubt(
        &self,
        ready: &Ready,
        error: &CallError,
        (witness, before): (Witness, Value),
        slot: Option<String>,
    ) {
        if is_doubtful(ready.call.spec().effect(), &witness, error) {
            let doubt = Doubt { id: ready.id.clone(), witness, before, slot };
            self.doubts.borrow_mut().insert(digest(ready), doubt);
        }
    }

    /// Doubts of an earlier process of this run, as its journal holds them.
    pub fn recall(&self, records: &[Record]) {
        *self.doubts.borrow_mut() = open(records);
    }

    /// A call that was settled as not done is made again without another question.
    pub(super) fn is_settled(&self, ready: &Ready) {
        self.doubts.borrow_mut().remove(&digest(ready));
    }

    /// What became of a call is known: no other call is held up for it.
    pub(super) fn no_doubt(&self, id: &CallId) {
        self.doubts.borrow_mut().retain(|_, doubt| doubt.id != *id);
    }

    /// The end of a call that this run has made before without learning what became of it; nothing where it is to be made.
    pub(super) async fn doubted(&self, ready: &Ready) -> Option<Finished> {
        let doubt = self.doubts.borrow_mut().remove(&digest(ready))?;
        let answer = self.answers.borrow().get(&doubt.id).copied();
        let (how, by) = if let Some(happened) = answer {
            (said(happened), "settle".to_owned())
        } else {
            let how = self.read_back(ready, &doubt.witness, &doubt.before).await;
            (how, "read-back".to_owned())
        };
        let (how, by) = match how {
            Settled::Ask { .. } if self.interrupted() => {
                self.doubts.borrow_mut().insert(digest(ready), doubt);
                return Some(Finished::Stop(Box::new(cut_short())));
            }
            Settled::Ask { question } => {
                let Some(happened) = self.cx.asker.yes(&format!("{}: {question}", doubt.id)) else {
                    let fault = unknown(&ready.request.call, &doubt.id, &question);
                    let of = doubt.id.clone();
                    self.doubts.borrow_mut().insert(digest(ready), doubt);
                    return Some(Finished::Unknown { of, fault: Box::new(fault) });
                };
                (said(happened), self.cx.keep.who().user)
            }
            how => (how, by),
        };
        let settled = |id: &CallId| {
            let (how, by, at) = (how.clone(), by.clone(), self.cx.world.now());
            self.note(Record::Settled { id: id.clone(), how, by, at })
        };
        let Settled::Done { reply, because } = &how else {
            // The slot first, as in `settle_as`. The call that is made now needs it, and is judged by evidence of its own.
            if let Err(fault) = self.free_slot(doubt.slot.as_deref()) {
                self.doubts.borrow_mut().insert(digest(ready), doubt);
                return Some(Finished::Stop(fault));
            }
            if let Err(fault) = settled(&doubt.id) {
                return Some(Finished::Stop(fault));
            }
            // It is written down as settled; the next resume makes it.
            return self.interrupted().then(|| Finished::Stop(Box::new(cut_short())));
        };
        self.noted(ready, format!("{because}: it had happened. Going on after it."));
        // First the intent, with what tells of the call: once it is settled nothing would keep a resume from making it again.
        if let Err(finished) = self.intend(ready, Some((doubt.witness, doubt.before)), None).await {
            return Some(finished);
        }
        if let Err(fault) = settled(&ready.id).and_then(|()| settled(&doubt.id)) {
            return Some(Finished::Stop(fault));
        }
        Some(Finished::Reply(Ok(reply.clone())))
    }
}

/// The calls of a journal whose outcome is unknown and that were neither settled nor made again.
pub fn unsettled(records: &[Record]) -> BTreeSet<CallId> {
    open(records).into_values().map(|doubt| doubt.id).collect()
}

/// Whether nothing of a run is open, so that its journal tells only what was: it came to a good end or was given up, what became of all its
/// calls is known, and it held no grant. `abandon` is the question by which runs are given up.
pub fn is_closed(records: &[Record], abandon: &str) -> bool {
    let over = records.iter().any(|record| match record {
        Record::End { exit, .. } => *exit == Exit::Done,
        Record::Decision { question, yes, .. } => *yes && question == abandon,
        _ => false,
    });
    let granted = records.iter().any(|record| match record {
        Record::GrantClaimed { .. } => true,
        Record::Intent(intent) => intent.slot.is_some() || intent.effect == Effect::Destroys,
        _ => false,
    });
    let unknown = |known: &Known| known.state == State::Unknown;
    let known =
        replay::read(records, false).is_some_and(|replay| !replay.calls.values().any(unknown));
    over && !granted && known && unsettled(records).is_empty()
}

fn open(records: &[Record]) -> BTreeMap<Digest, Doubt> {
    let (mut doubts, mut intents) = (BTreeMap::new(), BTreeMap::new());
    for record in records {
        match record {
            Record::Intent(intent) => {
                doubts.remove(&intent.digest);
                intents.insert(&intent.id, intent);
            }
            Record::Outcome { id, outcome: Outcome::Failed(error), .. } => {
                let Some(intent) = intents.get(id) else { continue };
                let witness = intent.witness.clone().unwrap_or(Witness::None);
                if is_doubtful(intent.effect, &witness, error) {
                    let before = intent.before.clone().unwrap_or_default();
                    let slot = intent.slot.clone();
                    let doubt = Doubt { id: id.clone(), witness, before, slot };
                    doubts.insert(intent.digest.clone(), doubt);
                }
            }
            Record::Settled { id, .. } => doubts.retain(|_, doubt: &mut Doubt| doubt.id != *id),
            _ => {}
        }
    }
    doubts
}

/// What a person says of a call.
pub(super) fn said(happened: bool) -> Settled {
    let because = "a person said so".to_owned();
    if happened {
        Settled::Done { reply: json!({"changed": true}), because }
    } else {
        Settled::NotDone { because }
    }
}

fn digest(ready: &Ready) -> Digest {
    ready.request.digest(ready.info.version)
}

#[cfg(test)]
mod tests {
    use ops_core::ident::{Branch, RunId};
    use ops_core::record::{Intent, RunHead};
    use ops_core::time::Time;
    use ops_core::value::Map;

    use super::*;

    fn head() -> Record {
        Record::Run(RunHead {
            version: 1,
            replay: 1,
            ops: "0".into(),
            run: RunId("test".into()),
            at: Time(0),
            asked: Vec::new(),
            cluster: None,
            lab: true,
            sources: Digest::of_bytes(b""),
            inventory: Digest::of_bytes(b""),
            who: "test".into(),
        })
    }

    fn intent(effect: Effect, slot: Option<&str>) -> Record {
        Record::Intent(Intent {
            id: CallId { path: Branch("r{0}".into()), seq: 1 },
            call: "sh".into(),
            version: 1,
            digest: Digest::of_bytes(b"call"),
            effect,
            args: Map::new(),
            place: None,
            before: None,
            witness: None,
            slot: slot.map(str::to_owned),
            at: Time(0),
        })
    }

    fn outcome(outcome: Outcome) -> Record {
        let id = CallId { path: Branch("r{0}".into()), seq: 1 };
        Record::Outcome { id, outcome, ms: 0, at: Time(0) }
    }

    #[test]
    fn a_run_is_closed_only_where_nobody_may_still_need_its_journal() {
        let end = |exit| Record::End { exit, at: Time(0) };
        let said = |yes| Record::Decision { question: "abandon".into(), yes, at: Time(0) };
        let done = || outcome(Outcome::Done(Value::Null));
        let timed_out = || outcome(Outcome::Failed(CallError::new(ErrorKind::Timeout, "late")));
        let grant = || Record::GrantClaimed { grant: "g1".into(), at: Time(0) };
        let shell = || intent(Effect::Mutates, None);
        for (closed, records) in [
            (true, vec![end(Exit::Done)]),
            (true, vec![shell(), done(), end(Exit::Done)]),
            (true, vec![intent(Effect::Reads, None), end(Exit::Failed), said(true)]),
            (false, vec![]),
            (false, vec![end(Exit::Failed)]),
            (false, vec![end(Exit::Failed), said(false)]),
            (false, vec![shell(), said(true)]),
            (false, vec![shell(), timed_out(), end(Exit::Failed), said(true)]),
            (false, vec![shell(), timed_out(), end(Exit::Done)]),
            (false, vec![grant(), end(Exit::Done)]),
            (false, vec![intent(Effect::Destroys, None), done(), end(Exit::Done)]),
            (false, vec![intent(Effect::Mutates, Some("g1#0")), done(), end(Exit::Done)]),
        ] {
            let records: Vec<Record> = std::iter::once(head()).chain(records).collect();
            assert_eq!(is_closed(&records, "abandon"), closed, "{records:#?}");
        }
    }
}
