//! What a resume takes from a journal: the deliveries that still stand, in their order, and what is known of every call.
//!
//! A failure that ended the run is not replayed: the call is made again, or settled where its outcome is unknown. Cleanups of branches that
//! failed belong to that attempt alone. Pure: records in, a plan of the replay out.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use ops_core::call::{Settled, Witness};
use ops_core::effect::Effect;
use ops_core::ident::{Branch, CallId};
use ops_core::machine::BranchEnd;
use ops_core::record::{Intent, Outcome, Record, RunHead, StepEnd};
use ops_core::trace::Verdict;
use ops_core::value::Value;

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
    let ended = ended_branches(records);
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
                    Outcome::Failed(error) if !whole && !went_on(records, at, id, &ended) => {
                        let failed = error.before_effect || fault::mutated("timeout is failed");
                        if failed || !known.intent.effect.changes_world() {
                            State::Again
                        } else {
                            State::Unknown
                        }
                    }
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

/// How each branch last ended.
fn ended_branches(records: &[Record]) -> BTreeMap<Branch, bool> {
    let mut ended = BTreeMap::new();
    for record in records {
        match record {
            Record::BranchEnd { branch, how } => {
                let well = matches!(how, BranchEnd::Done | BranchEnd::Skipped(_));
                ended.insert(branch.clone(), well);
            }
            Record::StepEnd { branch, how, .. } => {
                let well = matches!(how, StepEnd::Done { .. } | StepEnd::Skipped { .. });
                ended.insert(branch.clone(), well);
            }
            _ => {}
        }
    }
    ended
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

/// Calls of cleanups that belong to an attempt that is over: their branch failed or was stopped before they began. A cleanup in whose midst
/// the process died, or that was itself stopped, goes on like any other branch, over as many resumes as it takes.
fn given_up(records: &[Record]) -> BTreeSet<CallId> {
    let mut last: BTreeMap<&CallId, usize> = BTreeMap::new();
    let mut cleanups: BTreeMap<Branch, Vec<usize>> = BTreeMap::new();
    for (at, record) in records.iter().enumerate() {
        if let Record::Intent(intent) = record
            && let Some(owner) = cleanup_owner(&intent.id.path)
        {
            last.insert(&intent.id, at);
            cleanups.entry(owner).or_default().push(at);
        }
    }
    // From where on the cleanups of a branch still stand.
    let mut stand: BTreeMap<&Branch, usize> = BTreeMap::new();
    let resumed =
        |(at, record): (usize, &Record)| matches!(record, Record::Resumed { .. }).then_some(at);
    let mut from = 0;
    for to in records.iter().enumerate().filter_map(resumed).chain([records.len()]) {
        let ended = ended_branches(&records[..to]);
        let recent = ended_branches(&records[from..to]);
        for (owner, intents) in &cleanups {
            let first = stand.get(owner).copied().unwrap_or_default();
            let Some(begun) = intents.iter().copied().find(|at| (first..to).contains(at)) else {
                continue;
            };
            let stopped = |record: &Record| matches!(record, Record::Stopped { branch, .. } if reaches(branch, owner));
            let over = match (ended.get(owner), recent.get(owner)) {
                (Some(true), _) => false,
                // What was stopped in its midst, by a question or by Ctrl-C, is open.
                (_, Some(false)) if !records[from.max(begun)..to].iter().any(stopped) => true,
                _ => broke_off(&records[..to], from..begun, owner, &ended),
            };
            if over {
                stand.insert(owner, to);
            }
        }
        from = to;
    }
    last.into_iter()
        .filter(|(id, at)| {
            let owner = cleanup_owner(&id.path);
            owner.and_then(|owner| stand.get(&owner)).is_some_and(|first| at < first)
        })
        .map(|(id, _)| id.clone())
        .collect()
}

/// Whether a stop of one branch is one of the other, or of something in it.
fn reaches(stopped: &Branch, owner: &Branch) -> bool {
    owner.contains(stopped) || stopped.contains(owner)
}

/// Whether a branch came to its cleanups by a failure or a stop among these records.
fn broke_off(
    records: &[Record],
    within: Range<usize>,
    owner: &Branch,
    ended: &BTreeMap<Branch, bool>,
) -> bool {
    within.into_iter().any(|at| match &records[at] {
        Record::Stopped { branch, .. } => reaches(branch, owner),
        Record::Outcome { id, outcome: Outcome::Failed(_), .. } => {
            owner.contains(&id.path)
                && cleanup_owner(&id.path).is_none()
                && !went_on(records, at, id, ended)
        }
        _ => false,
    })
}

/// The branch whose end a cleanup branch belongs to.
fn cleanup_owner(path: &Branch) -> Option<Branch> {
    let at = ["/defer[", "/on_failure"].iter().filter_map(|mark| path.0.find(mark)).min()?;
    Some(Branch(path.0[..at].to_owned()))
}

/// Whether the recipe went on after the failure recorded at `at`: then it had been caught, and is replayed like any reply.
fn went_on(records: &[Record], at: usize, failed: &CallId, ended: &BTreeMap<Branch, bool>) -> bool {
    if ended.get(&failed.path).is_some_and(|well| *well) {
        return true;
    }
    let next = next_attempt(&failed.path);
    records[at + 1..].iter().any(|record| {
        let Record::Intent(intent) = record else { return false };
        if intent.id == *failed || cleanup_owner(&intent.id.path).is_some() {
            return false;
        }
        let same = intent.id.path == failed.path && intent.id.seq > failed.seq;
        let above = intent.id.path != failed.path && intent.id.path.contains(&failed.path);
        same || above || next.iter().flatten().any(|n| n.contains(&intent.id.path))
    })
}

/// What an attempt goes on with when it has failed, for anything below `…/retry[2]`: its pause, then `…/retry[3]`.
fn next_attempt(path: &Branch) -> Option<[Branch; 2]> {
    let number = |part: &str| {
        // The second loop in a branch is `retry#2[1]`.
        let (word, number) = part.strip_suffix(']')?.split_once('[')?;
        let loops = word.strip_prefix("retry")?;
        let is_loop = loops.is_empty() || loops.strip_prefix('#')?.parse::<u32>().is_ok();
        let number: u32 = number.parse().ok()?;
        is_loop.then_some((word.to_owned(), number))
    };
    let parts: Vec<&str> = path.0.split('/').collect();
    let (at, (word, number)) =
        parts.iter().enumerate().rev().find_map(|(at, part)| Some((at, number(part)?)))?;
    let attempt = Branch(parts[..=at].join("/"));
    let next = Branch(format!("{}/{word}[{}]", parts[..at].join("/"), number + 1));
    Some([attempt.arm("timer", None), next])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_goes_on_with_its_pause_and_the_next_one() {
        let next =
            |path: &str| next_attempt(&Branch(path.to_owned())).map(|both| both.map(|b| b.0));
        let both = |a: &str, b: &str| Some([a.to_owned(), b.to_owned()]);
        assert_eq!(next("r{0}/retry[2]"), both("r{0}/retry[2]/timer", "r{0}/retry[3]"));
        assert_eq!(
            next("r{0}/retry[1]/node[a]/retry#2[9]/branch[x]"),
            both("r{0}/retry[1]/node[a]/retry#2[9]/timer", "r{0}/retry[1]/node[a]/retry#2[10]")
        );
        for none in ["r{0}", "r{0}/node[retry]", "r{0}/retrying[1]", "r{0}/retry#x[1]"] {
            assert_eq!(next(none), None, "{none}");
        }
    }
}
