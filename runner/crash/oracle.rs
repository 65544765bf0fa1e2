//! What must hold after a crash, whatever the boundary: held against the run that nobody killed.

use std::collections::BTreeMap;

use ops_core::call::Settled;
use ops_core::error::Exit;
use ops_core::ident::CallId;
use ops_core::record::{Outcome, Record};
use ops_lab::Lab;
use serde_json::Value;

use super::film::Reel;
use super::ground::Ground;
use super::place::{Fate, Heard, Place, Way};
use crate::journal::memory::Faults;
use crate::sys::fault::mutants;

/// How often a run may be resumed before it counts as stuck.
const RESUMES: usize = 4;
/// Files whose bytes tell the time at which they were written.
const TIMED: [&str; 5] = [
    "out/began.txt",
    "out/kubeconfig",
    "out/talosconfig",
    "out/etcd.snapshot",
    "out/etcd.snapshot.json",
];

/// What the run that nobody killed left behind.
pub(super) struct Truth {
    end: End,
    pub(super) visits: BTreeMap<String, u64>,
    pub(super) appends: u64,
    pub(super) syncs: u64,
}

/// The world when everything under way has arrived.
struct End {
    state: Value,
    files: BTreeMap<String, Option<Vec<u8>>>,
    writes: BTreeMap<String, usize>,
    done: Vec<String>,
    lost: String,
}

impl Truth {
    /// What the reel of a run that nobody killed shows.
    pub(super) fn of(reel: &Reel<'_>) -> Truth {
        let resumed = match &reel.way {
            Way::Ended { exit: Exit::Failed, .. } if reel.place.ground.fails => {
                Some(reel.place.process(&Fate::default()))
            }
            _ => None,
        };
        match resumed.as_ref().unwrap_or(&reel.way) {
            Way::Ended { exit: Exit::Done, .. } => {}
            other => panic!("the run fails without a crash: {other:#?}"),
        }
        reel.place.prove().unwrap();
        let (appends, syncs) = *reel.place.writes.borrow();
        let visits = reel.place.visits.borrow().clone();
        Truth { end: End::of(&reel.place), visits, appends, syncs }
    }
}

/// The run that nobody kills, on film.
pub(super) fn uninterrupted(ground: &Ground) -> (Reel<'_>, Truth) {
    let reel = Reel::of(Place::new(ground), &Fate::default());
    let truth = Truth::of(&reel);
    (reel, truth)
}

/// Kills a process, resumes it to its end, and judges; `Ok(false)` where its fate never came. The first death is taken from the reel,
/// where it is on it.
pub(super) fn survives(truth: &Truth, reel: &Reel<'_>, fates: &[Fate]) -> Result<bool, String> {
    let first = fates.first().cloned().unwrap_or_default();
    let place = match reel.shot(&first) {
        Some(shot) => reel.left(shot, &first),
        None => Place { mutant: reel.place.mutant, ..Place::new(reel.place.ground) },
    };
    let dead = reel.shot(&first).is_some();
    mutants::switch(place.mutant);
    let told = Story { place, truth, fates }.tell(dead);
    mutants::switch("");
    told
}

/// Resumes what a shot left behind to its end, and judges.
pub(super) fn recovers(truth: &Truth, place: Place<'_>, fate: &Fate) -> Result<bool, String> {
    mutants::switch(place.mutant);
    let told = Story { place, truth, fates: std::slice::from_ref(fate) }.tell(true);
    mutants::switch("");
    told
}

impl Place<'_> {
    /// What a person finds who looks after a call that nothing tells of: the list of deeds. All else is read back.
    pub(super) fn happened(&self, id: &CallId) -> bool {
        let records = self.records();
        let deed = records.iter().find_map(|record| match record {
            Record::Intent(intent) if intent.id == *id => {
                let words = intent.args.get("argv").or_else(|| intent.args.get("script"))?;
                let last = words.as_array().and_then(|words| words.last()).unwrap_or(words);
                Some(last.as_str()?.trim_start_matches("deed ").to_owned())
            }
            _ => None,
        });
        deed.is_none_or(|deed| self.children.done().contains(&deed))
    }
}

/// Processes one after the other, until one comes to a good end.
struct Story<'a, 'g> {
    place: Place<'g>,
    truth: &'a Truth,
    fates: &'a [Fate],
}

impl Story<'_, '_> {
    fn tell(self, dead: bool) -> Result<bool, String> {
        let mut came = dead;
        let mut settled =
            self.fates.first().map_or_else(BTreeMap::new, |fate| fate.settled.clone());
        let mut heard: Vec<Heard> = Vec::new();
        let mut loose = false;
        // Questions that were asked before somebody died who had asked: nobody could answer those.
        let mut unanswered = 0;
        for attempt in 0..self.fates.len() + RESUMES {
            let planned = self.fates.get(attempt);
            let mut fate = planned.cloned().unwrap_or_default();
            fate.settled.clone_from(&settled);
            let made = self.made();
            let way = if attempt == 0 && dead { Way::Crashed } else { self.place.process(&fate) };
            let now = self.place.heard.borrow().clone();
            if planned.is_none() && self.fates.iter().all(|f| f.cut.is_none()) {
                prefix(&heard, &now, loose)?;
            }
            heard = now;
            loose = !matches!(way, Way::Crashed) || self.stopped();
            if loose {
                // Cleanups and failures of an attempt that came to an end or was stopped belong to it alone.
                heard.retain(lasting);
            }
            // A failure that nothing came after is made again, or settled.
            heard.pop_if(|(_, reply)| reply.is_err());
            self.asked_once(unanswered)?;
            if matches!(way, Way::Crashed) {
                unanswered = self.place.person.questions.borrow().len();
            }
            // Of what was made again since, nobody has said anything.
            let now = self.made();
            settled.retain(|id, _| now.get(id) == made.get(id));
            if let Way::Ended { unknown, .. } = &way {
                for id in unknown {
                    let happened = self.place.happened(id);
                    settled.insert(id.clone(), happened);
                }
                // What an earlier process left behind has long come to its end when the next one begins.
                self.place.children.live_out();
            }
            match way {
                Way::Crashed => came = true,
                Way::SetAside => {
                    let cut = self.fates.iter().any(|f| f.cut.is_some());
                    let failed = self.fates.iter().any(|f| f.faults != Faults::default());
                    if !cut && !failed {
                        return Err("the journal is damaged, and no power was cut".into());
                    }
                    return self.nothing_twice(&End::of(&self.place)).map(|()| true);
                }
                Way::Ended { exit: Exit::Done, .. } => {
                    if attempt == 0 && fate.at.is_some() && !came {
                        return Ok(false);
                    }
                    return self.judge().map(|()| true);
                }
                Way::Ended { exit: Exit::Unknown, .. } => {}
                Way::Ended { exit: Exit::Failed, .. } if self.place.ground.fails => {}
                Way::Ended { exit: Exit::Interrupted, .. } if fate.ctrl_c.is_some() => came = true,
                Way::Ended { faults, .. } if fate.faults != Faults::default() => {
                    came = true;
                    let stopped =
                        faults.iter().any(|f| f.title.starts_with("the journal cannot be"));
                    if !stopped {
                        return Err(format!("a failing disk ended in {faults:#?}"));
                    }
                }
                Way::Ended { exit, faults, .. } => {
                    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
                    return Err(format!("exit {exit:?}: {}", told.join("; ")));
                }
            }
        }
        Err("it does not come to an end".into())
    }

    fn judge(&self) -> Result<(), String> {
        let (end, truth) = (End::of(&self.place), &self.truth.end);
        let other = |(key, found): &(&String, &Value)| **found != truth.state[key.as_str()];
        if let Some((key, found)) = end.state.as_object().unwrap().iter().find(other) {
            return Err(format!("{key}: {found}\ninstead of {}", truth.state[key.as_str()]));
        }
        if end.files.keys().ne(truth.files.keys()) {
            return Err(format!("other files: {:?}", end.files.keys()));
        }
        for (path, bytes) in &end.files {
            if *bytes != truth.files[path] && !TIMED.contains(&path.as_str()) {
                return Err(format!("{path} is not the same"));
            }
        }
        self.nothing_twice(&end)?;
        if let Some(missing) = truth.done.iter().find(|deed| !end.done.contains(deed)) {
            return Err(format!("`{missing}` was not done"));
        }
        let proven = self.place.prove();
        proven.map_err(|fault| format!("the final journal does not replay: {fault}"))
    }

    /// How often each call was made.
    fn made(&self) -> BTreeMap<CallId, usize> {
        let mut made = BTreeMap::new();
        for record in self.place.records() {
            if let Record::Intent(intent) = record {
                *made.entry(intent.id).or_default() += 1;
            }
        }
        made
    }

    /// Whether the last attempt was stopped before its cleanups began.
    fn stopped(&self) -> bool {
        stops(&self.place.records()).last().is_some_and(|stopped| *stopped)
    }

    /// Who answered is not asked again; the first so many questions nobody could answer.
    fn asked_once(&self, unanswered: usize) -> Result<(), String> {
        let questions = self.place.person.questions.borrow();
        let asked = questions.get(unanswered..).unwrap_or_default();
        match asked.iter().enumerate().find(|(at, question)| asked[..*at].contains(question)) {
            Some((_, twice)) => Err(format!("asked twice: {twice}")),
            None => Ok(()),
        }
    }

    /// No accepted write is repeated, unless it was settled that it had not happened; no destroying one ever is, and no deed of a process.
    fn nothing_twice(&self, end: &End) -> Result<(), String> {
        if !end.lost.is_empty() {
            return Err(format!("lost: {}", end.lost));
        }
        let settled = self.place.records().iter().any(|record| {
            matches!(
                record,
                Record::Settled { how: Settled::NotDone { .. } | Settled::Partial { .. }, .. }
            )
        });
        for (request, times) in &end.writes {
            let wanted = self.truth.end.writes.get(request).copied().unwrap_or_default();
            let destroys = request.contains("Reset");
            if *times > wanted && (destroys || !settled) {
                return Err(format!("{request}: {times} times, not {wanted}"));
            }
        }
        for deed in &end.done {
            let times = end.done.iter().filter(|d| *d == deed).count();
            // Cleanups of an attempt that was stopped belong to it alone; those of a body that ended well are not begun again.
            let stopped = stops(&self.place.records()).iter().filter(|stopped| **stopped).count();
            let most = if deed.starts_with("tidy") { 1 + stopped } else { 1 };
            if times > most {
                return Err(format!("`{deed}` was done {times} times"));
            }
        }
        if *self.place.books.most.borrow() > 1 {
            return Err("a slot was used twice".into());
        }
        Ok(())
    }
}

/// Of each attempt that a journal holds: whether it was stopped before its cleanups began.
fn stops(records: &[Record]) -> Vec<bool> {
    let attempts = records.split(|record| matches!(record, Record::Resumed { .. }));
    let cleans = |record: &Record| matches!(record, Record::Intent(intent) if intent.id.path.0.contains("/defer["));
    let stopped = |record: &Record| match record {
        Record::Stopped { .. } | Record::Cancelled { .. } => true,
        Record::Outcome { id, outcome, .. } => {
            matches!(outcome, Outcome::Failed(_)) || id.path.0.ends_with("/timeout/timer")
        }
        _ => false,
    };
    attempts
        .map(|attempt| attempt.iter().take_while(|record| !cleans(record)).any(stopped))
        .collect()
}

/// Whether a reply is delivered again whatever ended the attempt that heard it first.
fn lasting((id, reply): &Heard) -> bool {
    !id.path.0.contains("/defer[") && !id.path.0.ends_with("/timer") && reply.is_ok()
}

/// What was delivered before is delivered again, in the same order; `loose` where it is only what lasts.
fn prefix(before: &[Heard], after: &[Heard], loose: bool) -> Result<(), String> {
    let after: Vec<&Heard> = after.iter().filter(|heard| !loose || lasting(heard)).collect();
    for (at, one) in before.iter().enumerate() {
        if after.get(at) != Some(&one) {
            return Err(format!("delivery {at} was {one:?} and is {:?}", after.get(at)));
        }
    }
    Ok(())
}

impl End {
    fn of(place: &Place<'_>) -> End {
        let mut lab = place.lab.borrow().twin();
        // What is under way arrives, in both worlds.
        let later = lab.now() + 30 * 60_000;
        lab.advance_to(later);
        End {
            state: state(&lab),
            files: place.files.written(),
            writes: writes(&lab),
            done: place.children.done(),
            lost: if lab.ledger().is_empty() {
                String::new()
            } else {
                format!("{:?}", lab.ledger().losses)
            },
        }
    }
}

fn state(lab: &Lab) -> Value {
    let mut state = serde_json::to_value(lab.state()).unwrap();
    for key in ["now_ms", "requests", "digest", "assets"] {
        state.as_object_mut().unwrap().remove(key);
    }
    for etcd in state["etcd"].as_array_mut().unwrap() {
        // It counts what happened meanwhile, leases and elections too.
        etcd.as_object_mut().unwrap().remove("index");
    }
    state
}

/// The writes that reached a machine or an API, each with how often.
pub(super) fn writes(lab: &Lab) -> BTreeMap<String, usize> {
    let mut writes = BTreeMap::new();
    for reached in lab.requests().iter().filter(|r| r.writes) {
        // A refused eviction changes nothing and is asked for again.
        let shown = format!("{:?} {:?}", reached.node, reached.request);
        *writes.entry(shown).or_default() += 1;
    }
    writes
}
