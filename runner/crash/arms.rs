//! Branches that others end: killed in the cleanups that follow, and in whatever comes after.

use ops_core::error::Exit;

use super::ground::{arms, at_once, given_up};
use super::oracle::uninterrupted;
use super::place::{Fate, Place, Way};
use super::tests::{all_on, crash, each_visit, everything, noticed_on};

#[test]
fn killed_while_arms_end_others_a_resumed_run_ends_as_if_nothing_had_happened() {
    all_on(arms(), |reel, _| each_visit(reel, 1, |point, n, _| crash(point, n)));
}

#[test]
fn killed_while_a_failure_ends_other_arms_a_run_is_resumed_to_its_end() {
    all_on(given_up(), |reel, _| each_visit(reel, 1, |point, n, _| crash(point, n)));
}

#[test]
fn killed_while_a_failed_attempt_is_resumed_a_run_is_resumed_again() {
    all_on(given_up(), |_, truth| {
        // The attempt that fails comes to its end; its resume is killed.
        let step = if everything() { 1 } else { 3 };
        let points = truth.visits.iter().filter(|(point, _)| !point.starts_with("b2."));
        points
            .flat_map(|(point, times)| (1..=*times).step_by(step).map(move |n| (point, n)))
            .map(|(point, n)| vec![Fate::default(), crash(point, n)])
            .collect()
    });
}

#[test]
fn ctrl_c_while_arms_end_others_leaves_a_run_that_a_resume_ends() {
    all_on(arms(), |_, truth| {
        let step = if everything() { 1 } else { 2 };
        (1..truth.visits["b10"])
            .step_by(step)
            .map(|n| vec![Fate { ctrl_c: Some(("b10".to_owned(), n, 1)), ..Fate::default() }])
            .collect()
    });
}

#[test]
fn an_ops_that_forgets_what_ended_an_arm_is_noticed() {
    let (reel, _) = uninterrupted(given_up());
    let fates = || reel.shots.iter().map(|shot| crash(&shot.point, shot.n));
    assert!(noticed_on(given_up(), "cancellation not journaled", fates()));
    assert!(!noticed_on(given_up(), "", fates()));
}

#[test]
fn branches_that_fail_in_one_moment_are_one_failure() {
    let way = Place::new(at_once()).process(&Fate::default());
    assert!(matches!(way, Way::Ended { exit: Exit::Done, .. }), "{way:?}");
    all_on(at_once(), |reel, _| each_visit(reel, 1, |point, n, _| crash(point, n)));
}
