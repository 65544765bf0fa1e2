//! Every boundary, every way to die.

use std::sync::Mutex;

use ops_core::error::Code;

use super::ground::Ground;
use super::oracle::{Truth, survives, writes};
use super::place::{Fate, Place, Way};
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
    for point in [
        "b1",
        "b2.first",
        "b2.half",
        "b2.line",
        "b3",
        "b4",
        "b6",
        "b7.outcome",
        "b8",
        "b9.first",
        "b9.half",
        "b9.line",
        "b10",
        "b11",
        "b14",
        "b15",
        "b16",
    ] {
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

#[test]
fn a_recipe_that_makes_fewer_calls_than_its_journal_holds_is_a_divergence() {
    let ground = Ground::new();
    let fewer = ground.with("      talos.etcd.members {}\n", "");
    let resumed = |mutant: &'static str| {
        let place = Place::new(&ground);
        assert!(matches!(place.process(&crash("b1", 22)), Way::Crashed));
        let mut after = Place::new(&fewer);
        after.blobs = place.blobs.clone();
        after.journal.replace(place.journal.take());
        after.lab.replace(place.lab.take());
        mutants::switch(mutant);
        let way = after.process(&Fate::default());
        mutants::switch("");
        matches!(way, Way::Ended { faults, .. } if faults.iter().any(|f| f.code == Code::DIVERGENCE))
    };
    assert!(resumed(""), "leftover calls go unnoticed");
    assert!(!resumed("leftover calls accepted"), "the switch switches nothing");
}

#[test]
fn a_reboot_that_took_too_long_is_settled_and_not_made_again() {
    let ground = Ground::new();
    let hasty =
        ground.with("talos.reboot { p.other }", "talos.reboot { p.other, timeout = \"3s\" }");
    let reboots = |mutant: &'static str| {
        let place = Place::new(&hasty);
        mutants::switch(mutant);
        let mut fate = Fate::default();
        for _ in 0..3 {
            if let Way::Ended { unknown, .. } = place.process(&fate) {
                fate.settled.extend(unknown.into_iter().map(|id| (id, true)));
            }
        }
        mutants::switch("");
        writes(&place).iter().filter(|(w, _)| w.contains("Reboot")).map(|(_, n)| n).sum::<usize>()
    };
    assert_eq!(reboots(""), 1);
    assert!(reboots("timeout is failed") > 1, "`timeout is failed` goes unnoticed");
}
