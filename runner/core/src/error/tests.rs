//! Codes, exits, suggestions.

use super::*;

#[test]
fn codes_are_unique_and_in_order() {
    let numbers: Vec<u16> = Code::ALL.iter().map(|c| c.number).collect();
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(numbers, sorted);
}

#[test]
fn the_most_severe_exit_wins() {
    use Exit::{Bug, Done, Failed, Locked, NoGrant, Refused, Stale, Tool, Unknown};
    let falling = [Bug, Unknown, NoGrant, Refused, Locked, Tool, Stale, Failed, Done];
    for pair in falling.windows(2) {
        assert_eq!(pair[0].worst(pair[1]), pair[0]);
        assert_eq!(pair[1].worst(pair[0]), pair[0]);
    }
}

#[test]
fn a_misspelt_word_finds_its_neighbour() {
    let known = ["partitions", "nodes", "parameters"];
    assert_eq!(nearest("partition", known), Some("partitions"));
    assert_eq!(nearest("Nodes", known), Some("nodes"));
    assert_eq!(nearest("zzz", known), None);
}

#[test]
fn every_error_kind_encodes_as_its_word() {
    for kind in ErrorKind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
    }
}
