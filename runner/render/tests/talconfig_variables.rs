//! Environment files such as talenv.yaml: what they set, and what in them is
//! refused and where.

#![allow(clippy::unwrap_used)]

use ops_render::Source;
use ops_render::talconfig::Variables;

fn loaded(text: &str) -> Result<Variables, String> {
    let mut variables = Variables::new();
    variables.load(Source { name: "talenv.yaml", bytes: text.as_bytes() }).map_err(|found| {
        let first = &found[0];
        format!("{}:{} {} {}", first.line, first.column, first.code, first.message)
    })?;
    Ok(variables)
}

#[track_caller]
fn sets(text: &str, expected: &str) {
    let variables = loaded(text).unwrap();
    assert_eq!(variables.value("X"), Some(expected), "{text}");
}

#[test]
fn a_value_is_taken_as_it_is_written() {
    for (value, expected) in [
        ("v1.10", "v1.10"),
        ("1.10", "1.10"),
        ("0755", "0755"),
        ("yes", "yes"),
        ("null", "null"),
        ("~", "~"),
        ("", ""),
        ("a b # c", "a b"),
        ("\"a # b\" # c", "a # b"),
        ("'a: b'", "a: b"),
        ("a#b", "a#b"),
    ] {
        sets(&format!("---\nX: {value}\n"), expected);
    }
}

#[test]
fn a_value_may_name_what_the_file_has_set_above() {
    let above = "A: one\nlower: two\n";
    for (value, expected) in [
        ("${A}/x", "one/x"),
        ("$A-x", "one-x"),
        ("\"${A}\"", "one"),
        ("'${A}'", "${A}"),
        // What is not set above is nothing, and so is what is set below.
        ("a${NONE}b", "ab"),
        ("a${BELOW}b", "ab"),
        ("${X}", ""),
        // Only capitals are names.
        ("${lower}", "${lower}"),
        ("$lower", "$lower"),
        ("a$", "a$"),
        ("5$ and 6$", "5$ and 6$"),
        ("pa$$A", "pa$one"),
        ("\\$A", "$A"),
        ("\\${A}", "${A}"),
        ("$(A)", "one)"),
        ("$A}", "one"),
        ("${A", "one"),
    ] {
        sets(&format!("{above}X: {value}\nBELOW: three\n"), expected);
    }
}

#[test]
fn a_file_of_its_own_knows_nothing_of_others() {
    let mut variables: Variables = [("A".to_owned(), "one".to_owned())].into();
    variables.load(Source { name: "talenv.yaml", bytes: b"X: a${A}b\n" }).unwrap();
    assert_eq!(variables.value("X"), Some("ab"));
}

#[test]
fn a_name_twice_is_refused_at_the_second() {
    let found = loaded("A: a\nX: b\nA: c\n").unwrap_err();
    assert_eq!(found, "3:1 OPS0905 the key `A` is set already in line 1");
}

#[test]
fn broken_yaml_is_told_as_such() {
    for (text, expected) in [
        ("X: [a\n", "2:1 OPS0901"),
        ("A: a\nX: \"b\n", "2:4 OPS0901"),
        ("X: {a: b}\n", "1:1 OPS0913 a variable is a name with a text"),
    ] {
        let found = loaded(text).unwrap_err();
        assert!(found.starts_with(expected), "{text}: {found}");
    }
}
