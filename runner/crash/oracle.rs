//! What must hold after a crash, whatever the boundary: held against the run that nobody killed.

use std::collections::BTreeMap;

use ops_core::call::Settled;
use ops_core::error::Exit;
use ops_core::record::Record;
use ops_lab::Lab;
use serde_json::Value;

use super::ground::Ground;
use super::place::{Fate, Heard, Place, Way};
use crate::journal::memory::Faults;
use crate::sys::fault::mutants;

/// How often a run may be resumed before it counts as stuck.
const RESUMES: usize = 4;

/// What the run that nobody killed left behind.
pub(super) struct Truth {
    pub(super) state: Value,
    pub(super) files: BTreeMap<String, Option<Vec<u8>>>,
    pub(super) writes: BTreeMap<String, usize>,
    pub(super) visits: BTreeMap<String, u64>,
    pub(super) appends: u64,
    pub(super) syncs: u64,
}

impl Truth {
    /// Runs once without a crash.
    pub(super) fn of(ground: &Ground) -> Truth {
        let place = Place::new(ground);
        match place.process(&Fate::default()) {
            Way::Ended { exit: Exit::Done, .. } => {}
            other => panic!("the run fails without a crash: {other:#?}"),
        }
        place.prove().unwrap();
        let (appends, syncs) = *place.writes.borrow();
        let visits = place.visits.borrow().clone();
        Truth {
            state: state(&place),
            files: files(&place),
            writes: writes(&place),
            visits,
            appends,
            syncs,
        }
    }
}

/// Kills a process, resumes it to its end, and judges; `Ok(false)` where its fate never came.
pub(super) fn survives(
    ground: &Ground,
    truth: &Truth,
    fates: &[Fate],
    mutant: &'static str,
) -> Result<bool, String> {
    let mut place = Place::new(ground);
    place.mutant = mutant;
    mutants::switch(mutant);
    let mut came = false;
    let mut heard: Vec<Heard> = Vec::new();
    let mut next = Fate::default();
    for attempt in 0..fates.len() + RESUMES {
        let planned = fates.get(attempt);
        let fate = planned.cloned().unwrap_or_else(|| next.clone());
        let way = place.process(&fate);
        let now = place.heard.borrow().clone();
        if planned.is_none() && fates.iter().all(|f| f.cut.is_none()) {
            prefix(&heard, &now)?;
        }
        heard = now;
        if !matches!(way, Way::Crashed) {
            // Cleanups of an attempt that came to an end belong to it alone.
            heard.retain(|(id, _)| !id.path.0.contains("/defer["));
        }
        match way {
            Way::Crashed => came = true,
            Way::SetAside => {
                let cut = fates.iter().any(|f| f.cut.is_some() || f.faults != Faults::default());
                if !cut {
                    return Err("the journal is damaged, and no power was cut".into());
                }
                return nothing_twice(&place, truth).map(|()| true);
            }
            Way::Ended { exit: Exit::Done, .. } => {
                if attempt == 0 && planned.is_some() && !came {
                    return Ok(false);
                }
                return judge(&place, truth).map(|()| true);
            }
            Way::Ended { exit: Exit::Unknown, unknown, .. } => {
                next.settled.extend(unknown.into_iter().map(|id| (id, true)));
            }
            Way::Ended { faults, .. } if planned.is_some_and(|f| f.faults != Faults::default()) => {
                came = true;
                let stopped = faults.iter().any(|f| f.title.starts_with("the journal cannot be"));
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

fn judge(place: &Place<'_>, truth: &Truth) -> Result<(), String> {
    let state = state(place);
    if let Some((key, found)) =
        state.as_object().unwrap().iter().find(|(key, found)| **found != truth.state[key.as_str()])
    {
        return Err(format!("{key}: {found}\ninstead of {}", truth.state[key.as_str()]));
    }
    let files = files(place);
    if files.keys().ne(truth.files.keys()) {
        return Err(format!("other files: {:?}", files.keys()));
    }
    for (path, bytes) in &files {
        // What the time is written into differs by the time.
        if *bytes != truth.files[path] && !path.ends_with("began.txt") {
            return Err(format!("{path} is not the same"));
        }
    }
    nothing_twice(place, truth)?;
    let questions = place.person.questions.borrow();
    if let Some(twice) = questions.iter().enumerate().find(|(i, q)| questions[..*i].contains(q)) {
        return Err(format!("asked twice: {}", twice.1));
    }
    place.prove().map_err(|fault| format!("the final journal does not replay: {fault}"))
}

/// No accepted write is repeated, unless it was settled that it had not happened; no destroying one ever is.
fn nothing_twice(place: &Place<'_>, truth: &Truth) -> Result<(), String> {
    let lab = Lab::load(&place.lab.borrow()).unwrap();
    if !lab.ledger().is_empty() {
        return Err(format!("lost: {:?}", lab.ledger().losses));
    }
    let settled = place.records().iter().any(|record| {
        matches!(
            record,
            Record::Settled { how: Settled::NotDone { .. } | Settled::Partial { .. }, .. }
        )
    });
    for (request, times) in writes(place) {
        let wanted = truth.writes.get(&request).copied().unwrap_or_default();
        let destroys = request.contains("Reset");
        if times > wanted && (destroys || !settled) {
            return Err(format!("{request}: {times} times, not {wanted}"));
        }
    }
    if *place.books.most.borrow() > 1 {
        return Err("a slot was used twice".into());
    }
    Ok(())
}

/// What was delivered before is delivered again, in the same order.
fn prefix(before: &[Heard], after: &[Heard]) -> Result<(), String> {
    for (at, one) in before.iter().enumerate() {
        if after.get(at) != Some(one) {
            return Err(format!("delivery {at} was {one:?} and is {:?}", after.get(at)));
        }
    }
    Ok(())
}

fn lab_of(place: &Place<'_>) -> Lab {
    let mut lab = Lab::load(&place.lab.borrow()).unwrap();
    // What is under way arrives, in both worlds.
    let later = lab.now() + 30 * 60_000;
    lab.advance_to(later);
    lab
}

fn state(place: &Place<'_>) -> Value {
    let mut state = serde_json::to_value(lab_of(place).state()).unwrap();
    for key in ["now_ms", "requests", "digest", "assets"] {
        state.as_object_mut().unwrap().remove(key);
    }
    for etcd in state["etcd"].as_array_mut().unwrap() {
        // It counts what happened meanwhile, leases and elections too.
        etcd.as_object_mut().unwrap().remove("index");
    }
    state
}

fn files(place: &Place<'_>) -> BTreeMap<String, Option<Vec<u8>>> {
    place.files.written()
}

pub(super) fn writes(place: &Place<'_>) -> BTreeMap<String, usize> {
    let mut writes = BTreeMap::new();
    for reached in lab_of(place).requests().iter().filter(|r| r.writes) {
        // A refused eviction changes nothing and is asked for again.
        let shown = format!("{:?} {:?}", reached.node, reached.request);
        *writes.entry(shown).or_default() += 1;
    }
    writes
}
