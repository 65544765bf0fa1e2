//! How fast histories are: prints a rate, asserts nothing about time.

use ops_lab::history::Templates;
use std::time::Instant;

#[test]
fn the_rate_of_histories_is_printed() {
    let templates = Templates::default();
    let start = Instant::now();
    let mut events = 0;
    let count = 2_000;
    for seed in 0..count {
        events += templates.history(seed).events;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{:.0} histories/s, {:.2} µs an event, {} events a history",
        f64::from(count as u32) / seconds,
        seconds * 1e6 / events as f64,
        events / count
    );
    assert!(events > 0);
}
