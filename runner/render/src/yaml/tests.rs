//! Facts about go-yaml, each as a line of a table.

use super::emit::{Out, emit};
use super::order::compare;
use super::scalar::{Dialect, Meaning, format_float, is_base60, resolve};
use super::timestamp::timestamp;

#[test]
fn plain_scalars_mean_what_go_yaml_says() {
    let int = Meaning::Int;
    let table = [
        ("", Meaning::Null),
        ("~", Meaning::Null),
        ("yes", Meaning::Text),
        ("True", Meaning::Bool(true)),
        ("0x1F", int(31)),
        ("0o17", int(15)),
        ("017", int(15)),
        ("08", Meaning::Float(8.0)),
        ("1_000", int(1000)),
        ("+3", int(3)),
        ("-0x10", int(-16)),
        ("18446744073709551615", int(i128::from(u64::MAX))),
        ("1e3", Meaning::Float(1000.0)),
        (".5", Meaning::Float(0.5)),
        ("1.", Meaning::Float(1.0)),
        ("1e400", Meaning::Text),
        ("<<", Meaning::Merge),
        ("2024-02-30", Meaning::Text),
        ("2024-02-29", Meaning::Time("2024-02-29T00:00:00Z".to_owned())),
    ];
    for (text, meaning) in table {
        assert_eq!(resolve(text, Dialect::V4), meaning, "{text}");
    }
    assert_eq!(resolve("yes", Dialect::V2), Meaning::Bool(true));
    assert_eq!(resolve("<<", Dialect::V2), Meaning::Text);
}

#[test]
fn timestamps_keep_their_zone_and_fraction() {
    let table = [
        ("2001-12-14t21:59:43.10-05:00", Some("2001-12-14T21:59:43.1-05:00")),
        ("2001-1-2T3:4:5Z", Some("2001-01-02T03:04:05Z")),
        ("2001-12-14 21:59:43", Some("2001-12-14T21:59:43Z")),
        ("2001-12-14 21:59:43.10 -5", None),
        ("2001-13-01", None),
    ];
    for (text, expected) in table {
        assert_eq!(timestamp(text).as_deref(), expected, "{text}");
    }
}

#[test]
fn numbers_inside_keys_sort_by_value() {
    let mut keys = ["a10", "a2", "A", "a", "10", "9", "_", "z.y", "z-y", "a1b", "a1"];
    keys.sort_by(|a, b| compare(a, b, Dialect::V4));
    assert_eq!(keys, ["_", "9", "10", "A", "a", "a1", "a1b", "a2", "a10", "z-y", "z.y"]);
}

#[test]
fn floats_are_written_like_go() {
    let table =
        [(1.0, "1"), (0.00001, "1e-05"), (1e20, "1e+20"), (123_456.0, "123456"), (1e6, "1e+06")];
    for (value, text) in table {
        assert_eq!(format_float(value), text);
    }
}

#[test]
fn base_60_needs_digits_below_sixty_after_each_colon() {
    for (text, expected) in [("1:30", true), ("190:20:30.5", true), ("1:60", false), ("a:1", false)]
    {
        assert_eq!(is_base60(text), expected, "{text}");
    }
}

#[test]
fn text_is_quoted_where_it_could_be_mistaken() {
    let table = [
        ("a", "a\n"),
        ("", "\"\"\n"),
        ("1", "\"1\"\n"),
        ("on", "\"on\"\n"),
        (" lead", "' lead'\n"),
        ("colon: x", "'colon: x'\n"),
        ("it's", "it's\n"),
        ("\u{1f600}", "\"\\U0001F600\"\n"),
        ("a\tb", "\"a\\tb\"\n"),
        ("a\u{2028}b\u{1}", "\"a\\Lb\\x01\"\n"),
        ("one\ntwo\n", "|\n    one\n    two\n"),
        ("\n", "\"\\n\"\n"),
    ];
    for (text, expected) in table {
        assert_eq!(emit(&Out::Text(text.into()), Dialect::V4, false), expected, "{text:?}");
    }
    assert_eq!(emit(&Out::Text("on".into()), Dialect::V4, true), "'on'\n");
}

#[test]
fn the_older_dialect_folds_long_lines_and_indents_by_two() {
    let words = ["word"; 30].join(" ");
    let tree = Out::Map(vec![(
        Out::Text("a".into()),
        Out::Seq(vec![Out::Map(vec![(Out::Text("b".into()), Out::Text(words.into()))])]),
    )]);
    let text = emit(&tree, Dialect::V2, false);
    assert!(text.starts_with("a:\n- b: word word"), "{text}");
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn a_text_is_written_again_as_the_older_library_does() {
    let table = [
        ("# c\na: 1 # c\n", "a: 1\n"),
        ("a:\n- b\n-   c: 1\n    d: 2\n- - e\n", "a:\n  - b\n  - c: 1\n    d: 2\n  - - e\n"),
        ("a: [x,  'y:z', {z: 1}]\nb: {}\nc: []\nd:\n", "a: [x, 'y:z', {z: 1}]\nb: {}\nc: []\nd:\n"),
        ("a: [b:c]\n", "a: ['b:c']\n"),
        ("a: |\n  x\n   y\n\nb: 1\n", "a: |\n  x\n   y\nb: 1\n"),
        ("a: >\n  x\n  y\n\n  z\nb: 1\n", "a: >\n  x y\n\n  z\n\nb: 1\n"),
        ("a: |-\n  x\nb: |+\n  y\n\nc: |2\n    z\n", "a: |-\n  x\nb: |+\n  y\n\nc: |2\n    z\n"),
        ("a: 'it''s'\nb: \"t\\tn\\n\\u00e9\"\n", "a: 'it''s'\nb: \"t\\tn\\n\u{e9}\"\n"),
        ("a: x\n  y\nb: 'x\n\n  y'\n", "a: x y\nb: 'x\n\n  y'\n"),
        ("a: 1\n---\n# only\n---\nb: 2\n", "a: 1\n---\n\n---\nb: 2\n"),
        ("plain", "plain\n"),
        ("A=1\nB=2\n", "A=1 B=2\n"),
        ("", ""),
    ];
    for (text, expected) in table {
        let again = super::again::again(text).map(|again| again.text);
        assert_eq!(again.as_deref(), Some(expected), "{text}");
    }
    for text in ["a: &b 1\n", "a: !!str 1\n", "%YAML 1.1\n---\na: 1\n", "a: [", "? [a]\n: b\n"] {
        assert!(super::again::again(text).is_none(), "{text}");
    }
    assert!(super::again::again("A=1\nB=2\n").is_some_and(|again| again.joined));
}
