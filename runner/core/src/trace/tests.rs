//! The words of a trace are read as they are written, and patterns begin at a folder.

use super::*;

#[test]
fn the_fixed_part_of_a_pattern_is_a_folder() {
    let rows = [
        ("apps/*/namespace.yaml", "apps"),
        ("apps/a/x-*.yaml", "apps/a"),
        ("*.yaml", "."),
        ("**/x", "."),
        ("a/b.yaml", "a"),
    ];
    for (pattern, folder) in rows {
        assert_eq!(fixed(pattern), folder, "{pattern}");
    }
}

#[test]
fn a_hash_is_read_as_it_is_written() {
    let hash = Hash([0xa7; 32]);
    let text = serde_json::to_string(&hash).unwrap();
    assert_eq!(serde_json::from_str::<Hash>(&text).unwrap(), hash);
    assert_eq!(hash.to_string(), "a7a7a7a7");
    for wrong in ["\"a7\"", "\"\"", "1"] {
        assert!(serde_json::from_str::<Hash>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_trace_is_read_as_it_is_written() {
    let inputs = vec![
        Input::Absent { path: "none".into() },
        Input::Variable { name: "HOME".into(), digest: None },
        Input::Until { what: "talosconfig".into(), at: Time(7) },
    ];
    let trace = Trace {
        recipe: "a:x".into(),
        args: Map::new(),
        run: RunId("7k2m".into()),
        at: Time(1),
        end: TraceEnd::Done { result: Value::Null },
        kept: Some(Reason::of(Why::NotLocal, "sh")),
        because: vec![Reason::of(Why::File, "in").moved("1a", "2b")],
        inputs,
        outputs: vec![Output { path: "gone".into(), left: Left::Nothing }],
    };
    let text = serde_json::to_string(&trace).unwrap();
    assert_eq!(serde_json::from_str::<Trace>(&text).unwrap(), trace, "{text}");
}
