//! Traces come back as they were kept, or not at all.

use ops_core::ident::RunId;
use ops_core::time::Time;
use ops_core::trace::{Hash, Input, Left, Output, Print, Reason, Trace, TraceEnd, Why};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn print(n: u64) -> Print {
    Print {
        size: n,
        mtime: -1 - n as i64,
        ctime: n as i64,
        inode: n,
        mode: 0o600,
        hash: Hash([n as u8; 32]),
        racy: n.is_multiple_of(2),
    }
}

fn args(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn trace(recipe: &str, given: &Value, at: u64) -> Trace {
    Trace {
        recipe: recipe.into(),
        args: args(given),
        run: RunId("7k2m".into()),
        at: Time(at),
        end: TraceEnd::Done { result: json!({"written": ["a", at]}) },
        kept: None,
        because: vec![Reason::of(Why::File, "in/é").moved("1a", "2b")],
        inputs: vec![
            Input::Absent { path: "none".into() },
            Input::Variable { name: "HOME".into(), digest: None },
            Input::File { path: "in/é".into(), print: print(3) },
            Input::Glob {
                pattern: "in/*".into(),
                members: vec!["in/a".into(), "in/é".into()],
                shell: true,
            },
            Input::Listing { folder: "in".into(), names: vec!["a".into()] },
        ],
        outputs: vec![
            Output { path: "gone".into(), left: Left::Nothing },
            Output { path: "out".into(), left: Left::File(print(8)) },
        ],
    }
}

fn place() -> (tempfile::TempDir, Traces) {
    let dir = tempfile::tempdir().unwrap();
    let traces = Traces::new(dir.path(), Path::new("/repo"));
    (dir, traces)
}

#[test]
fn the_last_trace_of_a_step_comes_back() {
    let (_dir, traces) = place();
    let one = json!({"n": 1});
    assert_eq!(traces.last("a:x", &args(&one)), None);
    traces.keep(&trace("a:x", &one, 1)).unwrap();
    traces.keep(&trace("a:x", &one, 2)).unwrap();
    assert_eq!(traces.last("a:x", &args(&one)), Some(trace("a:x", &one, 2)));
}

#[test]
fn other_arguments_and_other_recipes_have_traces_of_their_own() {
    let (_dir, traces) = place();
    for (recipe, n) in [("foo:bar", 1), ("foo-bar", 2), ("foo:bar", 3)] {
        traces.keep(&trace(recipe, &json!({"n": n}), n)).unwrap();
    }
    let found = |recipe: &str, n: u64| traces.last(recipe, &args(&json!({"n": n})));
    assert_eq!(found("foo:bar", 1).map(|t| t.at), Some(Time(1)));
    assert_eq!(found("foo-bar", 2).map(|t| t.at), Some(Time(2)));
    assert_eq!(found("foo-bar", 1), None);
    let all: Vec<Time> = traces.of_recipe("foo:bar").iter().map(|t| t.at).collect();
    assert_eq!(all, [Time(3), Time(1)], "the newest first");
}

#[test]
fn a_fresh_clone_finds_the_trace_of_another_and_then_its_own() {
    let (dir, traces) = place();
    let none = json!({});
    traces.keep(&trace("a:x", &none, 1)).unwrap();
    let clone = Traces::new(dir.path(), Path::new("/clone"));
    assert_eq!(clone.last("a:x", &args(&none)).map(|t| t.at), Some(Time(1)));
    assert_eq!(clone.of_recipe("a:x"), [], "what it has not run itself");
    clone.keep(&trace("a:x", &none, 2)).unwrap();
    assert_eq!(clone.last("a:x", &args(&none)).map(|t| t.at), Some(Time(2)));
    assert_eq!(traces.last("a:x", &args(&none)).map(|t| t.at), Some(Time(1)));
}

#[test]
fn a_torn_or_damaged_trace_is_none() {
    let whole = codec::encode(&trace("a:x", &json!({}), 1));
    assert!(codec::decode(whole.clone()).is_some());
    for end in 0..whole.len() {
        assert_eq!(codec::decode(whole[..end].to_vec()), None, "cut at {end}");
    }
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        assert_eq!(codec::decode(damaged), None, "damaged at {at}");
    }
}

#[test]
fn a_torn_trace_is_not_replaced_by_that_of_another_clone() {
    let (dir, traces) = place();
    let none = json!({});
    traces.keep(&trace("a:x", &none, 1)).unwrap();
    let clone = Traces::new(dir.path(), Path::new("/clone"));
    clone.keep(&trace("a:x", &none, 2)).unwrap();
    let folder = clone.of("a:x");
    let own = folder.join(format!("{}.{}", stem(&args(&none)), clone.clone));
    let bytes = fs::read(&own).unwrap();
    fs::write(&own, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(clone.last("a:x", &args(&none)), None);
}

#[test]
fn traces_are_their_owners_alone_and_do_not_grow_without_end() {
    use std::os::unix::fs::PermissionsExt;
    let (_dir, traces) = place();
    for n in 0..KEPT + 10 {
        traces.keep(&trace("a:x", &json!({ "n": n }), n as u64)).unwrap();
    }
    let folder = traces.of("a:x");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), KEPT);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path()), 0o600);
}

proptest! {
    #[test]
    fn any_fingerprint_survives_its_encoding(
        size: u64, mtime: i64, ctime: i64, inode: u64, mode: u16, hash: [u8; 32], racy: bool, shell: bool, path in ".*",
        names in prop::collection::vec(".*", 0..5),
    ) {
        let print = Print { size, mtime, ctime, inode, mode, hash: Hash(hash), racy };
        let mut kept = trace("a:x", &json!({}), 1);
        kept.inputs = vec![
            Input::File { path: path.clone(), print },
            Input::Glob { pattern: path.clone(), members: names, shell },
        ];
        kept.outputs = vec![Output { path, left: Left::File(print) }];
        prop_assert_eq!(codec::decode(codec::encode(&kept)), Some(kept));
    }

    #[test]
    fn no_bytes_are_too_odd_to_be_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = [b"ops.trace 2\n".to_vec(), bytes].concat();
        let hash = blake3::hash(&bytes);
        bytes.extend_from_slice(hash.as_bytes());
        let _ = codec::decode(bytes);
    }
}
