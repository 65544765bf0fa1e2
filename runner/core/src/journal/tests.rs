//! What a journal's bytes promise: a cut gives a prefix, a change in the middle is noticed.

use serde_json::json;

use super::*;
use crate::ident::{Branch, CallId, RunId};
use crate::record::{Outcome, RunHead};
use crate::time::Time;
use crate::value::Digest;

fn head() -> RunHead {
    RunHead {
        version: JOURNAL_VERSION,
        replay: REPLAY_VERSION,
        ops: "0.1.0".into(),
        run: RunId("7k2m".into()),
        at: Time(1),
        asked: vec![],
        cluster: Some("home".into()),
        lab: true,
        sources: Digest::of_bytes(b"s"),
        inventory: Digest::of_bytes(b"i"),
        who: "ann@desk".into(),
    }
}

/// A head and three outcomes, one of them with a text that looks like a line.
fn records() -> Vec<Record> {
    let id = |seq| CallId { path: Branch("r{0}".into()), seq };
    let reply = json!({"n": -3, "x": 1.5, "text": "0123456789abcdef 7 {\"a\":1}\n\u{1e}é"});
    let done = |seq| Record::Outcome {
        id: id(seq),
        outcome: Outcome::Done(reply.clone()),
        ms: 4,
        at: Time(9),
    };
    vec![Record::Run(head()), done(1), done(2), Record::Dropped { id: id(3) }]
}

fn bytes(records: &[Record]) -> Vec<u8> {
    records.iter().flat_map(encode).collect()
}

#[test]
fn what_was_written_is_read_again() {
    let all = bytes(&records());
    let decoded = decode_all(&all).unwrap();
    assert_eq!(decoded, Decoded { records: records(), good: all.len(), torn: 0 });
}

#[test]
fn nothing_is_an_empty_journal() {
    assert_eq!(decode_all(b"").unwrap(), Decoded::default());
}

#[test]
fn a_record_is_one_line() {
    for record in records() {
        let line = encode(&record);
        assert_eq!(line.iter().position(|b| *b == b'\n'), Some(line.len() - 1));
    }
}

#[test]
fn every_cut_gives_a_prefix_of_the_records_and_a_torn_end() {
    let all = bytes(&records());
    for cut in 0..all.len() {
        let decoded = decode_all(&all[..cut]).unwrap();
        let n = all[..cut].split(|b| *b == b'\n').count() - 1;
        assert_eq!(decoded.records, records()[..n], "cut at {cut}");
        assert_eq!(decoded.good + decoded.torn, cut);
    }
}

#[test]
fn every_flipped_bit_before_the_last_record_is_damage_at_that_record() {
    let all = bytes(&records());
    let last = all.len() - encode(records().last().unwrap()).len();
    for at in 0..last {
        let start = all[..at].iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        for bit in 0..8 {
            let mut changed = all.clone();
            changed[at] ^= 1 << bit;
            match decode_all(&changed) {
                Err(Unreadable::Damaged { at: found, .. }) => {
                    assert_eq!(found, start, "byte {at}, bit {bit}");
                }
                other => panic!("byte {at}, bit {bit}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_flipped_bit_in_the_last_record_never_yields_another_record() {
    let all = bytes(&records());
    let last = all.len() - encode(records().last().unwrap()).len();
    for at in last..all.len() {
        for bit in 0..8 {
            let mut changed = all.clone();
            changed[at] ^= 1 << bit;
            let decoded = decode_all(&changed).unwrap();
            assert_eq!(decoded.records, records()[..3], "byte {at}, bit {bit}");
            assert_eq!(decoded.torn, all.len() - last);
        }
    }
}

#[test]
fn zeros_or_garbage_behind_the_last_record_are_a_torn_end() {
    let all = bytes(&records());
    for garbage in [vec![0; 5000], vec![0xff; 17], b"\n\n\n".to_vec(), b"deadbeef".to_vec()] {
        let decoded = decode_all(&[all.clone(), garbage.clone()].concat()).unwrap();
        assert_eq!((decoded.good, decoded.torn), (all.len(), garbage.len()));
    }
}

#[test]
fn a_hole_before_a_good_record_is_damage_even_without_a_newline() {
    let [first, rest] = [bytes(&records()[..1]), bytes(&records()[1..])];
    let holed = [first.clone(), vec![0; 4096], rest].concat();
    assert!(matches!(decode_all(&holed), Err(Unreadable::Damaged { at, .. }) if at == first.len()));
}

#[test]
fn a_line_quoted_in_a_torn_record_is_no_good_record() {
    let quoted = String::from_utf8(encode(&records()[3])).unwrap();
    let log = Record::Log {
        branch: Branch("r{0}".into()),
        number: 1,
        level: "info".into(),
        body: json!(quoted),
    };
    let mut all = bytes(&records()[..1]);
    let good = all.len();
    all.extend(encode(&log));
    all.pop();
    assert_eq!(decode_all(&all).unwrap().good, good);
}

#[test]
fn a_newer_journal_is_refused_whatever_its_shape() {
    let json = br#"{"event":"run","version":999,"ops":"9.0.0","new":[1]}"#;
    let line = [checksum(json).as_bytes(), b" 53 ", json, b"\n"].concat();
    assert_eq!(json.len(), 53);
    let newer = Unreadable::Newer { version: 999, known: JOURNAL_VERSION, ops: "9.0.0".into() };
    assert_eq!(decode_all(&line), Err(newer));
}

#[test]
fn a_journal_of_a_newer_replay_is_refused() {
    let replay = REPLAY_VERSION + 1;
    let newer = Record::Run(RunHead { replay, ..head() });
    assert!(matches!(
        decode_all(&encode(&newer)),
        Err(Unreadable::Newer { version, .. }) if version == replay
    ));
}

#[test]
fn a_journal_from_before_the_first_version_is_refused() {
    let old = encode(&Record::Run(RunHead { version: OLDEST_VERSION - 1, ..head() }));
    assert_eq!(
        decode_all(&old),
        Err(Unreadable::Older { version: OLDEST_VERSION - 1, oldest: OLDEST_VERSION })
    );
}

#[test]
fn a_journal_without_its_head_is_damaged() {
    let all = bytes(&records()[1..]);
    assert!(matches!(decode_all(&all), Err(Unreadable::Damaged { at: 0, .. })));
}

#[test]
fn a_second_head_is_damage() {
    let all = bytes(&[&records()[..1], &records()[..1]].concat());
    assert!(matches!(decode_all(&all), Err(Unreadable::Damaged { at, .. }) if at > 0));
}

#[test]
fn a_whole_line_that_is_no_record_is_damage_even_at_the_end() {
    let json = br#"{"event":"unheard_of"}"#;
    let mut all = bytes(&records());
    let good = all.len();
    all.extend([checksum(json).as_bytes(), b" 22 ", json, b"\n"].concat());
    assert!(matches!(decode_all(&all), Err(Unreadable::Damaged { at, .. }) if at == good));
}
