//! What becomes of a grant's slot when its call is settled: a call that did not happen may be made once more, and nothing else.

use ops_core::call::Settled;
use ops_core::error::{Code, Exit};
use ops_core::ident::CallId;
use ops_core::record::Record;
use ops_core::time::Span;

use super::ground::{Ground, ground};
use super::oracle::writes;
use super::place::{Fate, Place, Way};

const RESET: &str =
    "talos.reset { node, system_labels_to_wipe = p.partitions, graceful = true, reboot = true }";

/// The recipe with other words where it resets; what it was granted stays.
fn resets(text: &str) -> Ground {
    ground().with(RESET, text)
}

/// One that tries again, up to three times.
fn stubborn() -> Ground {
    resets(&format!(
        "for _ = 1, 3 do if pcall(function() {RESET} end) then break end fs.exists {{ 'x' }} end"
    ))
}

fn made(place: &Place<'_>) -> usize {
    let writes = writes(&place.lab.borrow());
    writes.iter().filter(|(request, _)| request.contains("Reset")).map(|(_, n)| n).sum()
}

/// So many requests to reset are lost.
fn loses(loses: u32) -> Fate {
    Fate { loses, ..Fate::default() }
}

fn codes(way: &Way) -> Vec<Code> {
    match way {
        Way::Ended { faults, .. } => faults.iter().map(|fault| fault.code).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_reset_that_did_not_happen_is_made_again_under_its_slot() {
    for times in [1, 2] {
        let ground = stubborn();
        let place = Place::new(&ground);
        place.person.says.set(Some(false));
        let way = place.process(&loses(times));
        assert!(matches!(way, Way::Ended { exit: Exit::Done, .. }), "{times}: {way:#?}");
        assert_eq!((made(&place), *place.books.most.borrow()), (1, 1), "{times}");
        let not_done =
            |r: &Record| matches!(r, Record::Settled { how: Settled::NotDone { .. }, .. });
        let settled = place.records().iter().filter(|r| not_done(r)).count();
        assert_eq!(settled, times as usize);
    }
}

#[test]
fn a_reset_of_which_a_person_says_that_it_happened_has_used_its_slot() {
    let twice = resets(&format!("{RESET} fs.exists {{ 'x' }} {RESET}"));
    let (place, id) = unsettled(&twice);
    let settled = [(id, true)].into();
    let way = place.process(&Fate { settled, ..Fate::default() });
    assert_eq!(codes(&way), [Code::GRANT_USED], "{way:#?}");
    assert_eq!((made(&place), place.books.held.borrow()[0].used.len()), (0, 1));
}

#[test]
fn a_slot_that_was_given_back_permits_no_other_node_and_no_other_partitions() {
    for other in
        [RESET.replace("{ node,", "{ p.other,"), RESET.replace("p.partitions", "{ 'EPHEMERAL' }")]
    {
        let ground = resets(&format!("if not pcall(function() {RESET} end) then {other} end"));
        let place = Place::new(&ground);
        let way = place.process(&loses(1));
        assert_eq!(way_exit(&way), Exit::NoGrant, "{way:#?}");
        assert_eq!(made(&place), 0);
    }
}

#[test]
fn a_slot_that_was_given_back_is_as_old_as_its_grant() {
    let ground = resets(RESET);
    let (place, id) = unsettled(&ground);
    let later = place.lab.borrow().now() + Span::hours(5).0;
    place.lab.borrow_mut().advance_to(later);
    let way = place.process(&Fate { settled: [(id, false)].into(), ..Fate::default() });
    assert!(codes(&way).contains(&Code::GRANT_EXPIRED), "{way:#?}");
    assert_eq!(made(&place), 0);
}

#[test]
fn a_person_may_say_twice_that_it_did_not_happen_and_it_happens_once() {
    let ground = resets(RESET);
    let (place, id) = unsettled(&ground);
    let settled = [(id, false)];
    for _ in 0..2 {
        let way = place.process(&Fate { settled: settled.clone().into(), ..loses(1) });
        assert_eq!(way_exit(&way), Exit::Failed, "{way:#?}");
        assert_eq!((made(&place), *place.books.most.borrow()), (0, 1));
        place.lab.borrow_mut().heal(&ops_lab::Fault::LoseRequest).unwrap();
    }
    let way = place.process(&Fate { settled: settled.into(), ..Fate::default() });
    assert_eq!(way_exit(&way), Exit::Done, "{way:#?}");
    assert_eq!((made(&place), *place.books.most.borrow()), (1, 1));
}

fn way_exit(way: &Way) -> Exit {
    match way {
        Way::Ended { exit, .. } => *exit,
        other => panic!("{other:?}"),
    }
}

/// A run whose reset was lost on its way, and the call that nobody knows of.
fn unsettled(ground: &Ground) -> (Place<'_>, CallId) {
    let place = Place::new(ground);
    assert_eq!(way_exit(&place.process(&loses(1))), Exit::Failed);
    place.lab.borrow_mut().heal(&ops_lab::Fault::LoseRequest).unwrap();
    let mut resets = place.records().into_iter().rev().filter_map(|record| match record {
        Record::Intent(intent) if intent.call == "talos.reset" => Some(intent.id),
        _ => None,
    });
    let id = resets.next().unwrap();
    (place, id)
}
