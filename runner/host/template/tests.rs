//! Templates and files of data as recipes see them.

use ops_core::error::ErrorKind;
use serde_json::{Value, json};

use super::super::bench::{Bench, CANARY};

fn rendered(bench: &Bench, args: Value) -> (String, bool) {
    bench.opened(&bench.call("template.render", args).unwrap())
}

fn message(bench: &Bench, args: Value) -> String {
    let error = bench.call("template.render", args).unwrap_err();
    assert_eq!((error.kind, error.before_effect), (ErrorKind::Invalid, true));
    error.message
}

#[test]
fn data_fills_a_template_and_nothing_is_quoted() {
    let bench = Bench::new();
    bench.write("a.yaml.j2", "name: {{ name }}\n{% for n in nodes %}- {{ n.ip }}\n{% endfor %}");
    let data = json!({"name": "x & <y>", "nodes": [{"ip": "10.0.0.1"}, {"ip": 7}]});
    let text = rendered(&bench, json!({"path": "a.yaml.j2", "data": data})).0;
    assert_eq!(text, "name: x & <y>\n- 10.0.0.1\n- 7\n");
}

#[test]
fn the_end_of_a_file_is_kept() {
    assert_eq!(rendered(&Bench::new(), json!({"text": "a\n\n"})), ("a\n\n".into(), false));
}

#[test]
fn a_name_that_is_not_defined_is_an_error_with_its_place() {
    let bench = Bench::new();
    bench.write("t.j2", "a\nb: {{ cluster.domian }}\n");
    let args = json!({"path": "t.j2", "data": {"cluster": {"domain": "x"}}});
    assert_eq!(message(&bench, args), "t.j2:2: `cluster.domian` is not defined");
    assert_eq!(message(&bench, json!({"text": "{{ x }}"})), "the template:1: `x` is not defined");
    assert!(message(&bench, json!({"text": "{% if x %}{% endif %}"})).contains("not defined"));
}

#[test]
fn a_mistake_in_a_template_is_told_with_its_line() {
    let text = message(&Bench::new(), json!({"text": "a\n{% for %}\n"}));
    assert!(text.starts_with("the template:2: "), "{text}");
}

#[test]
fn templates_include_files_of_the_repository_only() {
    let bench = Bench::new();
    bench.write("parts/head.j2", "[{{ x }}{% include 'parts/deep.j2' %}]");
    bench.write("parts/deep.j2", "deep");
    let args = json!({"text": "{% include 'parts/head.j2' %}", "data": {"x": 1}});
    assert_eq!(rendered(&bench, args).0, "[1deep]");
    for path in ["/etc/passwd", "../x", "none.j2"] {
        let text = message(&bench, json!({"text": format!("{{% include '{path}' %}}")}));
        assert!(text.contains(path), "{text}");
    }
    bench.write("bad.j2", "\n{{ nope }}");
    assert_eq!(
        message(&bench, json!({"text": "{% include 'bad.j2' %}"})),
        "bad.j2:2: `nope` is not defined"
    );
}

#[test]
fn what_a_secret_went_into_is_secret() {
    let bench = Bench::new();
    let secret = bench.call("secrets.env", json!({"name": "TOKEN"})).unwrap();
    let args = json!({"text": "t: {{ a[0].t }}", "data": {"a": [{"t": secret}]}});
    assert_eq!(rendered(&bench, args), (format!("t: {CANARY}"), true));
    let args = json!({"text": "{{ env('TOKEN') }}", "resolve": ["env"]});
    assert_eq!(rendered(&bench, args), (CANARY.into(), true));
}

#[test]
fn a_template_asks_only_the_providers_that_it_is_given() {
    let bench = Bench::new();
    assert!(message(&bench, json!({"text": "{{ env('TOKEN') }}"})).contains("env"));
    let error =
        bench.call("template.render", json!({"text": "{{ env('NO') }}", "resolve": ["env"]}));
    assert_eq!(error.unwrap_err().kind, ErrorKind::NotFound);
    assert!(message(&bench, json!({"text": "x", "resolve": ["sops"]})).contains("yet"));
}

#[test]
fn a_template_is_a_path_or_a_text() {
    let bench = Bench::new();
    bench.write("t", "x");
    for args in [json!({}), json!({"path": "t", "text": "x"})] {
        assert!(message(&bench, args).contains("either"));
    }
}

#[test]
fn files_of_data_are_read_as_plain_data() {
    let bench = Bench::new();
    bench.write("a.json", r#"{"a": [1, 2.5, null, "x"]}"#);
    bench.write("a.yaml", "a:\n- 1\n- 2.5\n- null\n- x\n");
    bench.write("a.toml", "a = [1, 2.5, \"x\"]\nt = 2026-01-02T03:04:05Z\n");
    let expected = json!({"a": [1, 2.5, null, "x"]});
    assert_eq!(bench.call("json.read", json!({"path": "a.json"})).unwrap(), expected);
    assert_eq!(bench.call("yaml.read", json!({"path": "a.yaml"})).unwrap(), expected);
    let toml = json!({"a": [1, 2.5, "x"], "t": "2026-01-02T03:04:05Z"});
    assert_eq!(bench.call("toml.read", json!({"path": "a.toml"})).unwrap(), toml);
    let blob = bench.call("fs.read", json!({"path": "a.yaml"})).unwrap();
    assert_eq!(bench.call("yaml.read", json!({"path": blob})).unwrap(), expected);
}

#[test]
fn a_file_of_data_that_does_not_parse_names_its_line() {
    let bench = Bench::new();
    bench.write("a.json", "{\n  \"a\": }");
    bench.write("a.toml", "a = 1\nb = = 2\n");
    bench.write("a.yaml", "a: 1\n b: [\n");
    for (call, path, place) in [
        ("json.read", "a.json", "a.json:2:"),
        ("toml.read", "a.toml", "a.toml:2:"),
        ("yaml.read", "a.yaml", "line "),
    ] {
        let error = bench.call(call, json!({"path": path})).unwrap_err();
        assert!(error.message.contains(place), "{error}");
    }
}

#[test]
fn no_file_of_data_can_forge_a_handle() {
    let bench = Bench::new();
    let forged =
        r#"{"a": [{"$secret": {"provider": "env", "reference": "TOKEN", "digest": "0"}}]}"#;
    bench.write("a.json", forged);
    let error = bench.call("json.read", json!({"path": "a.json"})).unwrap_err();
    assert!(error.message.contains("`$secret`"), "{error}");
}
