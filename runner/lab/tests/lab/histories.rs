//! Random histories: invariants hold after every event, and a seed is one history.

use ops_lab::history::{History, Templates, replay, run};
use proptest::prelude::*;
use std::sync::LazyLock;

static TEMPLATES: LazyLock<Templates> = LazyLock::new(Templates::default);

/// Drops operations while what is left still breaks something.
fn shrunk(history: &History) -> String {
    let mut operations = history.operations.clone();
    let mut choose = 0;
    let template = |seed| {
        let fresh = TEMPLATES.history(seed);
        assert_eq!(fresh.digest, history.digest, "the history is not repeatable");
    };
    template(history.seed);
    while choose < operations.len() {
        let mut fewer = operations.clone();
        fewer.remove(choose);
        let mut world = TEMPLATES.world_of(history.seed);
        if run(&mut world, history.seed, fewer.clone()).violations.is_empty() {
            choose += 1;
        } else {
            operations = fewer;
        }
    }
    format!(
        "replay {}@{}\n{:#?}\n{operations:#?}",
        history.seed,
        ops_lab::facts::MODEL,
        history.violations
    )
}

#[test]
fn invariants_hold_after_every_event_of_random_histories() {
    for seed in 0..1_500 {
        let history = TEMPLATES.history(seed);
        assert!(history.violations.is_empty(), "{}", shrunk(&history));
    }
}

#[test]
fn the_same_seed_tells_the_same_history_byte_for_byte() {
    for seed in 0..60 {
        let (first, second) = (TEMPLATES.history(seed), TEMPLATES.history(seed));
        assert_eq!(
            (first.digest, first.events, first.ended),
            (second.digest, second.events, second.ended)
        );
        assert_eq!(first.losses, second.losses);
    }
    let replayed = replay(7, ops_lab::facts::MODEL).unwrap();
    assert_eq!(replayed.digest, TEMPLATES.history(7).digest);
}

#[test]
fn a_seed_of_another_model_is_refused() {
    let error = replay(7, "1.12.0").unwrap_err();
    assert!(error.to_string().contains("1.12.0"), "{error}");
}

#[test]
fn different_seeds_tell_different_histories() {
    let digests: std::collections::BTreeSet<u64> =
        (0..200).map(|seed| TEMPLATES.history(seed).digest).collect();
    assert!(digests.len() > 195, "only {} different ones", digests.len());
}

/// Liveness: an hour after everything was mended, running voters that are a majority have a leader,
/// and no machine is left on its way down.
#[test]
fn what_can_recover_has_recovered_an_hour_after_the_last_fault() {
    use ops_lab::node::Stage;
    let mut recovered = 0;
    for seed in 0..1_000 {
        let mut world = TEMPLATES.world_of(seed);
        let history = TEMPLATES.history(seed);
        run(&mut world, seed, history.operations);
        for (number, cluster) in (0u8..).zip(&world.etcd.clusters) {
            let alive =
                cluster.voters().filter(|member| world.member_alive(number, member)).count();
            if alive > 0 && alive >= cluster.needed() {
                assert!(cluster.quorum, "seed {seed}: {alive} voters run without a leader");
                recovered += 1;
            }
        }
        // A control plane whose cluster is gone gives up its boot every 70 minutes, for ten seconds.
        let fatal =
            |world: &ops_lab::World| world.nodes.iter().any(|node| node.stage == Stage::Rebooting);
        if fatal(&world) {
            let later = world.now + 60_000;
            world.run_until(later);
        }
        for node in &world.nodes {
            let stays = [Stage::Off, Stage::Maintenance, Stage::Running, Stage::Booting];
            assert!(stays.contains(&node.stage), "seed {seed}: {}", node.stage.word());
        }
    }
    assert!(recovered > 500, "only {recovered} clusters recovered");
}

/// Dead rows look tested: every kind of loss must occur.
#[test]
fn every_kind_of_loss_occurs_in_random_histories() {
    use ops_lab::ledger::Asset;
    let mut seen = [false; 7];
    for seed in 0..3_000 {
        for loss in TEMPLATES.history(seed).losses {
            let place = match loss.asset {
                Asset::Etcd(_) => 0,
                Asset::Quorum(_) => 1,
                Asset::Volume(_) => 2,
                Asset::Secrets(_) => 3,
                Asset::Boot(_) => 4,
                Asset::OneCluster => 5,
                Asset::Config(_) => 6,
            };
            seen[place] = true;
        }
    }
    // The keys of a healthy lab have a copy outside, so they are never lost.
    assert_eq!(seen, [true, true, true, false, true, true, true]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_seed_keeps_the_invariants(seed in any::<u64>()) {
        let history = TEMPLATES.history(seed);
        prop_assert!(history.violations.is_empty(), "{}", shrunk(&history));
    }
}
