//! Every boundary, every way to die.
//!
//! Crashes that leave the very same behind are one test; `OPS_CRASH=all` lets each of them be resumed by itself, and adds two hundred pairs
//! of crashes from `OPS_CRASH_SEED`.

#![expect(clippy::disallowed_methods, reason = "which tests are wanted is said from outside")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ops_core::error::{Code, Exit};
use ops_core::record::{Outcome, Record};

use super::cells::{Cells, missing};
use super::film::{Reel, Snapshot};
use super::ground::{Ground, beginning, ground};
use super::oracle::{Truth, recovers, survives, uninterrupted, writes};
use super::place::{Fate, Place, Way};
use crate::journal::memory::{Fault, Faults};
use crate::sys::fault::mutants;

pub(super) fn crash(point: &str, n: u64) -> Fate {
    Fate::dies(point, n)
}

/// Every crash by itself, also those that leave the same behind; and many pairs.
pub(super) fn everything() -> bool {
    std::env::var("OPS_CRASH").is_ok_and(|wanted| wanted == "all")
}

/// The seed of this run's chances.
fn seed() -> u64 {
    std::env::var("OPS_CRASH_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// Lets every list of fates happen, on two threads; gives how many came about.
fn all(fates: impl Fn(&Reel<'_>, &Truth) -> Vec<Vec<Fate>> + Sync) -> usize {
    all_on(ground(), fates)
}

/// The same on another ground.
pub(super) fn all_on(
    ground: &Ground,
    fates: impl Fn(&Reel<'_>, &Truth) -> Vec<Vec<Fate>> + Sync,
) -> usize {
    let next = AtomicUsize::new(0);
    let (broken, came) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    let work = || {
        let (reel, truth) = uninterrupted(ground);
        let fates = fates(&reel, &truth);
        while let Some(fates) = fates.get(next.fetch_add(1, Ordering::Relaxed)) {
            match survives(&truth, &reel, fates) {
                Ok(happened) => {
                    came.fetch_add(usize::from(happened), Ordering::Relaxed);
                }
                Err(why) => broken.lock().unwrap().push(format!("{fates:?}: {why}")),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(work);
        }
    });
    let broken = broken.into_inner().unwrap();
    let of = next.load(Ordering::Relaxed) - 2;
    assert!(
        broken.is_empty(),
        "seed {}: {} of {of} did not survive:\n{}",
        seed(),
        broken.len(),
        broken.join("\n")
    );
    came.into_inner()
}

/// One fate for each visit of a point (where not everything is wanted: for every `step`th), and of those that leave the same behind only the last, which has heard the most.
pub(super) fn each_visit(
    reel: &Reel<'_>,
    step: usize,
    fate: impl Fn(&str, u64, usize) -> Fate,
) -> Vec<Vec<Fate>> {
    let mut different: BTreeMap<String, usize> = BTreeMap::new();
    let mut fates = Vec::new();
    let step = if everything() { 1 } else { step };
    let offset = seed() as usize % step;
    for (at, shot) in reel.shots.iter().enumerate().skip(offset).step_by(step) {
        let fate = fate(&shot.point, shot.n, at);
        let leaves = if everything() {
            format!("{}:{}", shot.point, shot.n)
        } else {
            reel.leaves(shot, &fate)
        };
        if let Some(same) = different.get(&leaves) {
            fates[*same] = vec![fate];
        } else {
            different.insert(leaves, fates.len());
            fates.push(vec![fate]);
        }
    }
    fates
}

#[test]
fn what_the_film_shows_is_what_a_crash_leaves() {
    let (reel, _) = uninterrupted(ground());
    for (point, n) in
        [("b1", 7), ("b2.half", 20), ("b4", 3), ("b6", 2), ("b9.line", 30), ("b10", 35)]
    {
        let place = Place::new(ground());
        assert!(matches!(place.process(&crash(point, n)), Way::Crashed), "{point}:{n}");
        let left = reel.left(reel.shot(&crash(point, n)).unwrap(), &Fate::default());
        assert_eq!(*place.journal.borrow(), *left.journal.borrow(), "{point}:{n}");
        assert_eq!(place.lab.borrow().save(), left.lab.borrow().save(), "{point}:{n}");
        assert_eq!(place.files.written(), left.files.written(), "{point}:{n}");
        assert_eq!(place.children.done(), left.children.done(), "{point}:{n}");
        assert_eq!(*place.heard.borrow(), *left.heard.borrow(), "{point}:{n}");
    }
}

#[test]
fn killed_at_any_boundary_a_resumed_run_ends_as_if_nothing_had_happened() {
    all(|reel, _| each_visit(reel, 1, |point, n, _| crash(point, n)));
}

#[test]
fn killed_at_any_boundary_etcd_begins_only_once() {
    all_on(beginning(), |reel, _| each_visit(reel, 1, |point, n, _| crash(point, n)));
}

#[test]
fn a_child_that_outlives_its_engine_comes_to_its_end_before_anything_is_settled() {
    let orphans = |reel: &Reel<'_>, _: &Truth| {
        let left = reel.shots.iter().filter(|shot| shot.children.alive());
        left.map(|shot| vec![Fate { orphans: true, ..crash(&shot.point, shot.n) }]).collect()
    };
    assert!(all(orphans) > 5);
}

#[test]
fn after_a_power_cut_at_any_boundary_nothing_is_done_twice() {
    let first = seed() << 32;
    all(|reel, _| {
        each_visit(reel, 3, |point, n, at| Fate { cut: Some(first + at as u64), ..crash(point, n) })
    });
}

#[test]
fn a_journal_that_cannot_be_written_stops_the_run_and_a_resume_ends_it() {
    let failing = |faults| vec![Fate { faults, ..Fate::default() }];
    all(|_, truth| {
        let appends = (1..=truth.appends).flat_map(|n| {
            // A quarter of the writes, each way in turn.
            let wanted = move |way: u64| everything() || (n % 4 == seed() % 4 && n % 3 == way);
            let every = [Fault::full(n), Fault::full(n).torn(9), Fault::broken(n)];
            (0..).zip(every).filter(move |(way, _)| wanted(*way)).map(|(_, fault)| fault)
        });
        let appends = appends.map(|fault| failing(Faults { append: Some(fault), sync: None }));
        let syncs = (1..=truth.syncs)
            .map(|n| failing(Faults { append: None, sync: Some(Fault::broken(n)) }));
        appends.chain(syncs).collect()
    });
}

#[test]
fn ctrl_c_at_any_boundary_leaves_a_run_that_a_resume_ends() {
    all(|_, truth| {
        let press = |point: &'static str, times: u32, step: usize| {
            let fate =
                move |n| Fate { ctrl_c: Some((point.to_owned(), n, times)), ..Fate::default() };
            (1..=truth.visits[point]).step_by(step).map(move |n| vec![fate(n)])
        };
        let step = if everything() { 1 } else { 5 };
        press("b10", 1, step)
            .chain(press("b3", 1, 2 * step))
            .chain((1..=3).flat_map(|times| press("b5", times, 1).chain(press("b6", times, 1))))
            .collect()
    });
}

#[test]
fn who_is_killed_in_the_cleanups_after_ctrl_c_ends_as_if_nothing_had_happened() {
    all(|_, truth| killed_in_cleanups(truth).collect());
}

/// Ctrl-C somewhere, and death in the cleanups that follow.
fn killed_in_cleanups(truth: &Truth) -> impl Iterator<Item = Vec<Fate>> {
    let last = truth.visits["b10"];
    (1..last).step_by(if everything() { 1 } else { 9 }).flat_map(|n| {
        ["b14", "b5", "b6"].map(|point| {
            let at = Some((point.to_owned(), if point == "b14" { 2 } else { nth_child(n) }));
            vec![Fate { at, ctrl_c: Some(("b10".to_owned(), n, 1)), ..Fate::default() }]
        })
    })
}

/// Which child the first cleanup's is, where Ctrl-C comes early: then no other has run.
const fn nth_child(_: u64) -> u64 {
    1
}

#[test]
fn every_call_type_meets_every_boundary_or_it_is_said_why_not() {
    let mut made = cells_of(ground());
    made.append(&mut cells_of(beginning()));
    assert!(missing(&made).is_empty(), "no crash meets {:?}", missing(&made));
}

/// Fills the table of a ground, and gives the call types in it.
fn cells_of(ground: &Ground) -> BTreeSet<String> {
    let (reel, truth) = uninterrupted(ground);
    let mut cells = Cells::of(&reel.place.records());
    let mut broken = Vec::new();
    let mut settled = 0;
    let mut killed = BTreeSet::new();
    for shot in &reel.shots {
        let Some(call) = reel.about(shot) else { continue };
        cells.fire(&call, &shot.point);
        // Settling has boundaries of its own: one call of each type, or all.
        let settles = ["b3", "b6"].contains(&shot.point.as_str()) && cells.settles(&call);
        if !settles || !killed.insert((call.clone(), shot.point.clone())) && !everything() {
            continue;
        }
        let mut next = Fate::default();
        let mut left = Some(reel.left(shot, &next));
        while let Some(place) = left.take() {
            let again = Reel::of(place, &next);
            for shot in again.shots.iter().filter(|s| matches!(s.point.as_str(), "b12" | "b13")) {
                cells.fire(&call, &shot.point);
                settled += 1;
                if let Err(why) = recovers(&truth, again.left(shot, &next), &next) {
                    broken.push(format!("{call} killed in settling: {why}"));
                }
            }
            // Where nothing tells, a person is asked, and settling goes on with the answer.
            if let Way::Ended { unknown, .. } = &again.way
                && next.settled.is_empty()
                && !unknown.is_empty()
            {
                next.settled =
                    unknown.iter().map(|id| (id.clone(), again.place.happened(id))).collect();
                left = Some(again.place);
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(cells.wrong().is_empty(), "{}\n{}", cells.table(), cells.wrong().join("\n"));
    println!("{}{settled} deaths in settling", cells.table());
    cells.calls().map(str::to_owned).collect()
}

#[test]
fn two_deaths_in_one_run_are_survived_like_one() {
    let pairs = if everything() { 200 } else { 12 };
    all(|reel, truth| {
        let mut chance = seed();
        let mut draw = |below: usize| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (chance >> 33) as usize % below
        };
        let points: Vec<(&String, &u64)> = truth.visits.iter().collect();
        (0..pairs)
            .map(|_| {
                let shot = &reel.shots[draw(reel.shots.len())];
                let (point, times) = points[draw(points.len())];
                let orphans = draw(2) == 0;
                let first = Fate { orphans, ..crash(&shot.point, shot.n) };
                vec![first, crash(point, 1 + draw(*times as usize) as u64 / 4)]
            })
            .collect()
    });
}

#[test]
fn a_cleanup_goes_on_over_two_deaths() {
    all(|reel, truth| {
        let midst = reel.shots.iter().filter(|shot| {
            let records = reel.left(shot, &Fate::default()).records();
            let cleans =
                |r: &Record| matches!(r, Record::Intent(i) if i.id.path.0.contains("/defer["));
            records.iter().any(cleans)
                && !records.iter().any(|r| matches!(r, Record::StepEnd { .. }))
        });
        let again = truth.visits.keys().flat_map(|point| [(point, 1), (point, 2)]);
        let again: Vec<_> = again.collect();
        midst
            .filter(|shot| {
                everything()
                    || ["b3", "b6", "b10"].contains(&shot.point.as_str())
                    || shot.point == "b9.line"
            })
            .flat_map(|shot| {
                again.iter().map(|(point, n)| vec![crash(&shot.point, shot.n), crash(point, *n)])
            })
            .collect()
    });
}

/// Whether a faulty `ops` is noticed at one of the boundaries.
fn noticed(mutant: &'static str, fates: impl IntoIterator<Item = Fate>) -> bool {
    noticed_on(ground(), mutant, fates)
}

/// The same on another ground.
pub(super) fn noticed_on(
    ground: &Ground,
    mutant: &'static str,
    fates: impl IntoIterator<Item = Fate>,
) -> bool {
    let (_, truth) = uninterrupted(ground);
    let faulty = || Reel::of(Place { mutant, ..Place::new(ground) }, &Fate::default());
    // One that cannot even end its run is noticed.
    let reel = catch(faulty);
    let mut fates = fates.into_iter();
    reel.is_none_or(|reel| {
        fates.any(|fate| !matches!(catch(|| survives(&truth, &reel, &[fate])), Some(Ok(_))))
    })
}

fn catch<T>(work: impl FnOnce() -> T) -> Option<T> {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).ok();
    mutants::switch("");
    caught
}

#[test]
fn a_faulty_ops_is_noticed() {
    let (_, truth) = uninterrupted(ground());
    let kills = |cut: Option<u64>| {
        let visits = &truth.visits;
        ["b10", "b6", "b4", "b1", "b3", "b7.outcome"]
            .iter()
            .flat_map(move |point| (1..=visits[*point]).rev().map(move |n| crash(point, n)))
            .map(move |fate| Fate { cut, ..fate })
            .collect::<Vec<_>>()
    };
    let orphans = || (1..=3).map(|n| Fate { orphans: true, ..crash("b5", n) }).collect::<Vec<_>>();
    let stops = || killed_in_cleanups(&truth).flatten().collect::<Vec<_>>();
    for (mutant, fates) in [
        ("no intent", kills(None)),
        ("outcome before effect", kills(None)),
        ("live call in a replay", kills(None)),
        ("blob after its record", kills(None)),
        ("delivery before record", kills(None)),
        ("no sync", kills(Some(7))),
        ("child group ignored", orphans()),
        ("stop not journaled", stops()),
    ] {
        assert!(noticed(mutant, fates), "`{mutant}` goes unnoticed");
    }
}

#[test]
fn a_process_that_was_left_behind_is_ended_only_after_a_question() {
    let (reel, _) = uninterrupted(ground());
    let fate = Fate { orphans: true, ..crash("b5", 1) };
    let shot = reel.shot(&fate).unwrap();
    for (says, ends) in [(None, false), (Some(false), false), (Some(true), true)] {
        let place = reel.left(shot, &fate);
        place.person.says.set(says);
        let way = place.process(&Fate::default());
        assert_eq!(place.children.ended.get() > 0, ends, "{says:?}");
        let questions = place.person.questions.borrow();
        assert!(questions[0].contains("Going on ends it"), "{questions:?}");
        // It came to its end before anybody was asked what it had done; or it was ended, and had done nothing.
        assert!(questions[1].contains("run to its end?"), "{questions:?}");
        match says {
            None => assert!(matches!(way, Way::Ended { ref unknown, .. } if unknown.len() == 1)),
            Some(false) => assert_eq!(place.children.done()[..2], ["first", "first"]),
            Some(true) => {
                assert!(matches!(way, Way::Ended { ref unknown, .. } if unknown.is_empty()));
            }
        }
    }
}

#[test]
fn a_recipe_that_makes_fewer_calls_than_its_journal_holds_is_a_divergence() {
    let fewer = ground().with("        talos.etcd.members {}\n", "");
    let (reel, _) = uninterrupted(ground());
    let resumed = |mutant: &'static str| {
        let behind = |shot: &&Snapshot| {
            shot.point == "b1" && reel.about(shot).is_some_and(|call| call == "talos.kubeconfig")
        };
        let left = reel.left(reel.shots.iter().find(behind).unwrap(), &Fate::default());
        let after = Place { ground: &fewer, ..left };
        mutants::switch(mutant);
        let way = after.process(&Fate::default());
        mutants::switch("");
        matches!(way, Way::Ended { faults, .. } if faults.iter().any(|f| f.code == Code::DIVERGENCE))
    };
    assert!(resumed(""), "leftover calls go unnoticed");
    assert!(!resumed("leftover calls accepted"), "the switch switches nothing");
}

/// A recipe that gives up too soon on a reboot, and tries again.
fn impatient() -> Ground {
    let again = "cx:retry({ times = 2, backoff = \"1s\", kinds = { \"not_applied\" } }, function()";
    ground().with(
        "talos.reboot { p.other }",
        &format!("{again} talos.reboot {{ p.other, timeout = \"3s\" }} end)"),
    )
}

fn reboots(place: &Place<'_>) -> usize {
    let writes = writes(&place.lab.borrow());
    writes.iter().filter(|(request, _)| request.contains("Reboot")).map(|(_, n)| n).sum()
}

#[test]
fn a_reboot_that_a_retry_finds_done_is_not_made_again_by_a_resume_either() {
    let impatient = impatient();
    let (reel, truth) = uninterrupted(&impatient);
    assert_eq!(reboots(&reel.place), 1);
    let holds = |shot: &&Snapshot, holds: &dyn Fn(&Record) -> bool| {
        reel.left(shot, &Fate::default()).records().iter().any(holds)
    };
    let failed = |r: &Record| matches!(r, Record::Outcome { outcome: Outcome::Failed(_), .. });
    let on = |r: &Record| matches!(r, Record::Intent(i) if i.call == "kube.uncordon");
    let between = reel.shots.iter().filter(|s| holds(s, &failed) && !holds(s, &on));
    let died = between
        .map(|shot| crash(&shot.point, shot.n))
        .inspect(|fate| {
            let told = survives(&truth, &reel, std::slice::from_ref(fate));
            assert_eq!(told, Ok(true), "{fate:?}");
        })
        .count();
    assert!(died > 20, "{died}");
}

#[test]
fn what_a_person_says_of_a_call_is_not_said_of_its_next_attempt() {
    let impatient = impatient();
    let (reel, _) = uninterrupted(&impatient);
    let failed = reel.shots.iter().find_map(|shot| {
        let place = reel.left(shot, &Fate::default());
        let id = place.records().into_iter().find_map(|record| match record {
            Record::Outcome { id, outcome: Outcome::Failed(_), .. } => Some(id),
            _ => None,
        })?;
        Some((place, id))
    });
    let (place, id) = failed.unwrap();
    let settled = BTreeMap::from([(id, false)]);
    let way = place.process(&Fate { settled, ..Fate::default() });
    assert!(matches!(way, Way::Ended { exit: Exit::Done, .. }), "{way:?}");
    // Made again as the person said; that one was read back when it took too long.
    assert_eq!(reboots(&place), 2);
}

#[test]
fn a_reboot_that_took_too_long_is_settled_and_not_made_again() {
    let hasty =
        ground().with("talos.reboot { p.other }", "talos.reboot { p.other, timeout = \"3s\" }");
    let made = |mutant: &'static str| {
        let place = Place::new(&hasty);
        mutants::switch(mutant);
        let mut fate = Fate::default();
        for _ in 0..3 {
            if let Way::Ended { unknown, .. } = place.process(&fate) {
                fate.settled.extend(unknown.into_iter().map(|id| (id, true)));
            }
        }
        mutants::switch("");
        reboots(&place)
    };
    assert_eq!(made(""), 1);
    assert!(made("timeout is failed") > 1, "`timeout is failed` goes unnoticed");
}
