//! What a resume takes from a journal: the deliveries that still stand, in their order, and what is known of every call.
//!
//! A failure that ended the run is not replayed: the call is made again, or settled where its outcome is unknown. Cleanups of branches that
//! failed belong to that attempt alone. Pure: records in, a plan of the replay out.

use std::collections::{BTreeMap, BTreeSet};

use ops_core::call::{Settled, Witness};
use ops_core::effect::Effect;
use ops_core::ident::{Branch, CallId};
use ops_core::record::{Intent, Outcome, Record, RunHead};
use ops_core::trace::Verdict;
use ops_core::value::Value;

use super::stands::{Stands, given_up, limited};
use crate::sys::fault;

/// A journal, read for a resume.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The run's head.
    pub head: RunHead,
    /// Replies in the order of delivery.
    pub deliveries: Vec<Delivered>,
    /// Every call of which an intent still stands.
    pub calls: BTreeMap<CallId, Known>,
    /// How many log events of each branch have been shown.
    pub logged: BTreeMap<Branch, u32>,
    /// Whether the run had come to its end successfully.
    pub finished: bool,
    /// Grants that this run had claimed.
    pub grants: Vec<String>,
    /// Steps that had begun.
    pub begun: BTreeSet<Branch>,
    /// How steps were judged: a resume takes the same way.
    pub judged: BTreeMap<Branch, Verdict>,
}

/// One recorded delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivered {
    /// The call.
    pub id: CallId,
    /// What came back.
    pub outcome: Outcome,
}

/// What the journal knows of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Its last intent.
    pub intent: Intent,
    /// How it stands.
    pub state: State,
    /// Process group and start time of the child that carried it out.
    pub child: Option<(i32, u64)>,
}

/// How a recorded call stands.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Its reply is among the deliveries.
    Answered,
    /// Nothing was changed: it is made again.
    Again,
    /// Nobody knows whether its effect happened: to be settled.
    Unknown,
    /// It was settled before: its reply if done, else it is made again.
    Settled(Option<Value>),
}

/// Reads a journal for a resume; `whole` for a proof, which leaves nothing out.
///
/// Returns nothing where the first record is no run head.
pub fn read(records: &[Record], whole: bool) -> Option<Replay> {
    let Some(Record::Run(head)) = records.first() else { return None };
    let stands = Stands::new(records);
    let dropped = if whole { BTreeSet::new() } else { given_up(records) };
    let mut replay = Replay {
        head: head.clone(),
        deliveries: Vec::new(),
        calls: BTreeMap::new(),
        logged: BTreeMap::new(),
        finished: records
            .iter()
            .rev()
            .any(|r| matches!(r, Record::End { exit, .. } if *exit == ops_core::error::Exit::Done)),
        grants: Vec::new(),
        begun: BTreeSet::new(),
        judged: BTreeMap::new(),
    };
    for (at, record) in records.iter().enumerate() {
        match record {
            Record::Intent(intent) if !dropped.contains(&intent.id) => {
                let state = if settles(intent) { State::Unknown } else { State::Again };
                replay.calls.insert(
                    intent.id.clone(),
                    Known { intent: intent.clone(), state, child: None },
                );
                // A later attempt supersedes what an earlier one delivered.
                replay.deliveries.retain(|d| d.id != intent.id);
            }
            Record::Started { id, group, started } => {
                if let Some(known) = replay.calls.get_mut(id) {
                    known.child = Some((*group, *started));
                }
            }
            Record::Outcome { id, outcome, .. } => {
                let Some(known) = replay.calls.get_mut(id) else { continue };
                // A call that failed and was then settled as done has two outcomes; the later one was delivered.
                if known.state == State::Answered {
                    replay.deliveries.retain(|d| d.id != *id);
                }
                known.state = match outcome {
                    Outcome::Failed(error) if !whole && !stands.went_on(at, id) => {
                        let failed = error.before_effect || fault::mutated("timeout is failed");
                        if failed || !known.intent.effect.changes_world() {
                            State::Again
                        } else {
                            State::Unknown
                        }
                    }
                    // A limit that the run ended by begins anew.
                    _ if !whole && limited(id).is_some() && !stands.went_on(at, id) => State::Again,
                    _ => {
                        replay
                            .deliveries
                            .push(Delivered { id: id.clone(), outcome: outcome.clone() });
                        State::Answered
                    }
                };
            }
            Record::Settled { id, how, .. } => {
                // What the recipe went on after keeps its recorded failure: it was settled for the next attempt.
                if let Some(known) = replay.calls.get_mut(id)
                    && known.state != State::Answered
                {
                    known.state = match how {
                        Settled::Done { reply, .. } => State::Settled(Some(reply.clone())),
                        Settled::NotDone { .. } => State::Settled(None),
                        Settled::Partial { .. } | Settled::Ask { .. } => State::Unknown,
                    };
                }
            }
            Record::Log { branch, number, .. } => {
                let shown = replay.logged.entry(branch.clone()).or_default();
                *shown = (*shown).max(*number);
            }
            Record::StepBegin { branch, .. } => _ = replay.begun.insert(branch.clone()),
            Record::Judged { branch, verdict, .. } => {
                replay.judged.insert(branch.clone(), verdict.clone());
            }
            Record::GrantClaimed { grant, .. } => replay.grants.push(grant.clone()),
            _ => {}
        }
    }
    Some(replay)
}

/// Whether an unknown outcome is read back before the call is made again: what changes the world, and of what changes files only that
/// which cannot be made twice, such as a move.
pub(crate) fn settles(intent: &Intent) -> bool {
    let told = |witness: &Witness| !matches!(witness, Witness::None | Witness::Repeatable);
    match intent.effect {
        Effect::Reads => false,
        Effect::Files => intent.witness.as_ref().is_some_and(told),
        Effect::Mutates | Effect::Destroys => true,
    }
}
