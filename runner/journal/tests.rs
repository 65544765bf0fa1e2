//! What a journal promises its writer: order, shared syncs, an end at the first failure.

use std::task::Poll;

use ops_core::ident::{Branch, CallId};
use ops_core::journal::{Decoded, decode_all};
use ops_core::record::{JOURNAL_VERSION, REPLAY_VERSION, RunHead};
use ops_core::time::Time;
use ops_core::value::Digest;

use super::memory::{Faults, MemoryStore};
use super::*;

pub(super) fn head() -> Record {
    Record::Run(RunHead {
        version: JOURNAL_VERSION,
        replay: REPLAY_VERSION,
        ops: "0.1.0".into(),
        run: ops_core::ident::RunId("7k2m".into()),
        at: Time(1),
        asked: vec![],
        cluster: None,
        lab: true,
        sources: Digest::of_bytes(b"s"),
        inventory: Digest::of_bytes(b"i"),
        who: "ann@desk".into(),
    })
}

pub(super) fn record(seq: u32) -> Record {
    Record::Dropped { id: CallId { path: Branch("r{0}".into()), seq } }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn decoded(store: &MemoryStore) -> Decoded {
    decode_all(&store.bytes()).unwrap()
}

#[test]
fn records_stand_in_the_order_of_their_appends() {
    let store = MemoryStore::default();
    let journal = Journal::over(store.clone());
    journal.append(&head()).unwrap();
    for n in 1..9 {
        journal.append(&record(n)).unwrap();
    }
    let expected: Vec<Record> = [head()].into_iter().chain((1..9).map(record)).collect();
    assert_eq!(decoded(&store).records, expected);
}

#[test]
fn an_append_reaches_the_store_before_it_returns_and_is_not_synced() {
    let store = MemoryStore::default();
    Journal::over(store.clone()).append(&head()).unwrap();
    assert_eq!((decoded(&store).records.len(), store.syncs()), (1, 0));
}

#[test]
fn a_synced_append_survives_every_power_cut() {
    let store = MemoryStore::default();
    let journal = Journal::over(store.clone());
    block_on(journal.append_synced(&head())).unwrap();
    journal.append(&record(1)).unwrap();
    for seed in 0..200 {
        let left = decode_all(&store.after_power_cut(seed)).unwrap();
        assert_eq!(left.records.first(), Some(&head()), "seed {seed}");
    }
}

#[test]
fn intents_that_are_ready_together_share_one_sync() {
    let store = MemoryStore::default();
    let journal = Journal::over(store.clone());
    block_on(async {
        let (head, a, b, c) = (head(), record(1), record(2), record(3));
        journal.append(&head).unwrap();
        let all = tokio::join!(
            journal.append_synced(&a),
            journal.append_synced(&b),
            journal.append_synced(&c)
        );
        assert_eq!(all, (Ok(()), Ok(()), Ok(())));
    });
    assert_eq!((store.syncs(), store.synced()), (1, store.bytes().len()));
}

#[test]
fn whoever_appends_during_a_sync_gets_the_next_one() {
    let store = MemoryStore::default();
    let journal = Journal::over(store.clone());
    block_on(async {
        journal.append_synced(&head()).await.unwrap();
        journal.append_synced(&record(1)).await.unwrap();
    });
    assert_eq!((store.syncs(), store.synced()), (2, store.bytes().len()));
}

#[test]
fn a_waiter_that_is_dropped_leaves_the_others_their_sync() {
    let store = MemoryStore::default();
    let journal = Journal::over(store.clone());
    block_on(async {
        journal.append(&head()).unwrap();
        let (a, b) = (record(1), record(2));
        let mut leader = Box::pin(journal.append_synced(&a));
        let mut follower = Box::pin(journal.append_synced(&b));
        std::future::poll_fn(|cx| {
            assert!(leader.as_mut().poll(cx).is_pending());
            assert!(follower.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        drop(leader);
        follower.await.unwrap();
    });
    assert_eq!((store.syncs(), store.synced()), (1, store.bytes().len()));
}

#[test]
fn a_failed_append_ends_the_journal_and_leaves_whole_records() {
    for torn in [0, 1, 20] {
        let faults = Faults { append: Some(memory::Fault::full(2).torn(torn)), sync: None };
        let store = MemoryStore::new(faults);
        let journal = Journal::over(store.clone());
        journal.append(&head()).unwrap();
        let failure = journal.append(&record(1)).unwrap_err();
        assert_eq!(failure.what, "written");
        assert_eq!(journal.append(&record(2)), Err(failure.clone()));
        assert_eq!(block_on(journal.sync()), Err(failure));
        let left = decoded(&store);
        assert_eq!((left.records, left.torn), (vec![head()], torn));
    }
}

#[test]
fn a_failed_sync_is_never_tried_again() {
    let faults = Faults { append: None, sync: Some(memory::Fault::broken(1)) };
    let store = MemoryStore::new(faults);
    let journal = Journal::over(store.clone());
    let failure = block_on(journal.append_synced(&head())).unwrap_err();
    assert_eq!(failure.what, "synced");
    assert_eq!(block_on(journal.append_synced(&record(1))), Err(failure.clone()));
    assert_eq!(journal.append(&record(2)), Err(failure));
    assert_eq!((store.syncs(), store.synced()), (1, 0));
}

#[test]
fn a_failed_sync_fails_everybody_who_shared_it() {
    let faults = Faults { append: None, sync: Some(memory::Fault::broken(1)) };
    let journal = Journal::over(MemoryStore::new(faults));
    let (a, b) = block_on(async {
        let (a, b) = (head(), record(1));
        tokio::join!(journal.append_synced(&a), journal.append_synced(&b))
    });
    assert!(a.is_err() && a == b);
}

#[test]
fn a_power_cut_leaves_a_prefix_or_damage_that_is_noticed() {
    let store = MemoryStore::default();
    let journal = Journal::over(store.clone());
    let all: Vec<Record> = [head()].into_iter().chain((1..300).map(record)).collect();
    for (n, record) in all.iter().enumerate() {
        if n == 100 {
            block_on(journal.append_synced(record)).unwrap();
        } else {
            journal.append(record).unwrap();
        }
    }
    let (mut prefixes, mut damaged) = (0, 0);
    for seed in 0..300 {
        match decode_all(&store.after_power_cut(seed)) {
            Ok(left) => {
                assert!(left.records.len() > 100 && all.starts_with(&left.records), "seed {seed}");
                prefixes += 1;
            }
            Err(_) => damaged += 1,
        }
    }
    assert!(prefixes > 0 && damaged > 0, "{prefixes} prefixes, {damaged} damaged");
}
