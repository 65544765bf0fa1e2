//! Every boundary, every way to die.

use std::sync::Mutex;

use super::ground::Ground;
use super::oracle::{Truth, survives};
use super::place::Fate;
use crate::journal::memory::{Fault, Faults};
use crate::sys::fault::mutants;

fn crash(point: &str, n: u64) -> Fate {
    Fate { at: Some((point.to_owned(), n)), ..Fate::default() }
}

/// Lets every list of fates happen, on two threads; gives how many came about.
fn all(ground: &Ground, truth: &Truth, fates: &[Vec<Fate>]) -> usize {
    let next = Mutex::new(fates.iter());
    let broken = Mutex::new(Vec::new());
    let came = Mutex::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(fates) = next.lock().unwrap().next() else { break };
                    match survives(ground, truth, fates, "") {
                        Ok(happened) => *came.lock().unwrap() += usize::from(happened),
                        Err(why) => broken.lock().unwrap().push(format!("{fates:?}: {why}")),
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap();
    assert!(
        broken.is_empty(),
        "{} of {} did not survive:\n{}",
        broken.len(),
        fates.len(),
        broken.join("\n")
    );
    came.into_inner().unwrap()
}

#[test]
fn a_run_that_nobody_kills_visits_the_boundaries() {
    let ground = Ground::new();
    let truth = Truth::of(&ground);
    for point in ["b1", "b2.half", "b3", "b4", "b7.outcome", "b8", "b9.half", "b10", "b15"] {
        assert!(truth.visits.contains_key(point), "{point} is never visited");
    }
}

#[test]
fn killed_at_any_boundary_a_resumed_run_ends_as_if_nothing_had_happened() {
    let ground = Ground::new();
    let truth = Truth::of(&ground);
    let fates: Vec<Vec<Fate>> = truth
        .visits
        .iter()
        .flat_map(|(point, times)| (1..=*times).map(|n| vec![crash(point, n)]))
        .collect();
    assert_eq!(all(&ground, &truth, &fates), fates.len(), "each crash came about");
}

#[test]
fn after_a_power_cut_at_any_boundary_nothing_is_done_twice() {
    let ground = Ground::new();
    let truth = Truth::of(&ground);
    let fates: Vec<Vec<Fate>> = truth
        .visits
        .iter()
        .flat_map(|(point, times)| (1..=*times).map(move |n| (point, n)))
        .enumerate()
        .map(|(seed, (point, n))| vec![Fate { cut: Some(seed as u64), ..crash(point, n) }])
        .collect();
    assert_eq!(all(&ground, &truth, &fates), fates.len(), "each crash came about");
}

#[test]
fn a_journal_that_cannot_be_written_stops_the_run_and_a_resume_ends_it() {
    let ground = Ground::new();
    let truth = Truth::of(&ground);
    let failing = |faults| vec![Fate { faults, ..Fate::default() }];
    let appends = (1..=truth.appends).flat_map(|n| {
        [Fault::full(n), Fault::full(n).torn(9), Fault::broken(n)]
            .map(|fault| failing(Faults { append: Some(fault), sync: None }))
    });
    let syncs =
        (1..=truth.syncs).map(|n| failing(Faults { append: None, sync: Some(Fault::broken(n)) }));
    let fates: Vec<Vec<Fate>> = appends.chain(syncs).collect();
    all(&ground, &truth, &fates);
}

#[test]
fn who_dies_while_settling_settles_again_and_is_asked_nothing_twice() {
    let ground = Ground::new();
    let truth = Truth::of(&ground);
    let fates: Vec<Vec<Fate>> = ["b4", "b6", "b7.outcome"]
        .iter()
        .flat_map(|point| (1..=truth.visits[*point]).map(move |n| (point, n)))
        .flat_map(|(point, n)| ["b12", "b13"].map(|next| vec![crash(point, n), crash(next, 1)]))
        .collect();
    all(&ground, &truth, &fates);
}

/// Whether a faulty `ops` is noticed at one of the boundaries.
fn noticed(mutant: &'static str, cut: bool) -> bool {
    let ground = Ground::new();
    let truth = Truth::of(&ground);
    let points = ["b10", "b6", "b4", "b1", "b3", "b7.outcome"];
    let fates = points
        .iter()
        .flat_map(|point| (1..=truth.visits[*point]).rev().map(move |n| crash(point, n)))
        .map(|fate| Fate { cut: cut.then_some(7), ..fate });
    fates.into_iter().any(|fate| {
        let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            survives(&ground, &truth, &[fate], mutant)
        }));
        mutants::switch("");
        !matches!(judged, Ok(Ok(_)))
    })
}

#[test]
fn a_faulty_ops_is_noticed() {
    for (mutant, cut) in [
        ("no intent", false),
        ("outcome before effect", false),
        ("live call in a replay", false),
        ("blob after its record", false),
        ("delivery before record", false),
        ("no sync", true),
    ] {
        assert!(noticed(mutant, cut), "`{mutant}` goes unnoticed");
    }
}
