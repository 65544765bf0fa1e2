//! Pure functions: what they give, and what they say to a wrong argument.

use serde_json::json;

use super::{fails, value};

#[test]
fn values_are_computed() {
    let rows = [
        ("time.add(1000, '1m')", json!(61_000)),
        ("time.since(1000, 91000)", json!("1m30s")),
        ("time.seconds('1m30s')", json!(90)),
        ("time.seconds('1500ms')", json!(1.5)),
        ("time.format(1709251199000)", json!("2024-02-29T23:59:59Z")),
        ("time.format(0, '%Y/%m')", json!("1970/01")),
        ("semver.parse('v1.9.0') < semver.parse('v1.13.0')", json!(true)),
        ("semver.parse('v1.13.0-alpha.2') < semver.parse('1.13.0')", json!(true)),
        ("semver.parse('1.0.0-alpha.2') < semver.parse('1.0.0-alpha.10')", json!(true)),
        ("semver.parse('1.0.0-1') < semver.parse('1.0.0-a')", json!(true)),
        ("semver.parse('v1.13.0') == semver.parse('1.13.0+build')", json!(true)),
        ("tostring(semver.parse('v1.13.0'))", json!("v1.13.0")),
        ("semver.parse('v1.13.2-rc.1').pre", json!("rc.1")),
        ("net.contains('10.0.0.0/8', '10.244.0.0/16')", json!(true)),
        ("net.contains('10.244.0.0/16', '10.0.0.0/8')", json!(false)),
        ("net.contains('0.0.0.0/0', '1.2.3.4')", json!(true)),
        ("net.contains('0.0.0.0/0', 'fd00::1')", json!(false)),
        ("net.overlaps('fd00::/8', 'fd00:10::/32')", json!(true)),
        ("net.overlaps('10.0.0.0/16', '10.1.0.0/16')", json!(false)),
        ("path.join('a', './b', '../c')", json!("a/c")),
        ("path.join('/etc', 'x')", json!("/etc/x")),
        (
            "image.parse('ghcr.io:443/a/b:v1@sha256:0f')",
            json!({ "registry": "ghcr.io:443", "repository": "a/b", "tag": "v1", "digest": "sha256:0f" }),
        ),
        ("image.parse('nginx').registry", json!("docker.io")),
        ("json.decode('{\"a\": [1, 2.5, null]}').a", json!([1, 2.5])),
        ("json.encode({ b = 1, a = { true } })", json!("{\"a\":[true],\"b\":1}")),
        ("toml.decode('a = 1\\n[b]\\nc = \"x\"')", json!({ "a": 1, "b": { "c": "x" } })),
        ("toml.encode({ a = 1, b = { c = 'x' } })", json!("a = 1\n\n[b]\nc = \"x\"\n")),
        ("yaml.decode('a: 1\\nb: [x, \"2\"]')", json!({ "a": 1, "b": ["x", "2"] })),
        ("yaml.all('a: 1\\n---\\nb: 2')", json!([{ "a": 1 }, { "b": 2 }])),
        (
            "yaml.encode({ b = { 1, 'x y', { c = 'no' } }, a = 'plain' })",
            json!("a: plain\nb:\n  - 1\n  - \"x y\"\n  -\n    c: \"no\"\n"),
        ),
        (
            "yaml.get({ list = { { name = 'a', v = 1 }, { name = 'b', v = 2 } } }, 'list[name=b].v')",
            json!(2),
        ),
        ("yaml.get({ list = { 'x', 'y' } }, 'list[2]')", json!("y")),
        ("yaml.get({}, 'a.b') == nil", json!(true)),
        ("ops.is_empty({})", json!(true)),
        ("ops.is_empty({ a = 1 })", json!(false)),
        ("ops.is_empty(cx.cluster.nodes)", json!(false)),
        ("ops.sorted({ 'b', 'a' })", json!(["a", "b"])),
        ("ops.sorted({ { n = 2 }, { n = 1 } }, 'n')", json!([{ "n": 1 }, { "n": 2 }])),
        (
            "ops.map(cx.cluster.nodes, function(node) return node.name end)",
            json!(["cp-1", "cp-2", "w-1", "w-2"]),
        ),
        ("ops.digest({ a = 1, b = 2 }) == ops.digest({ b = 2, a = 1.0 })", json!(true)),
        ("(cx.cluster.nodes - cx.cluster.nodes.workers):names()", json!("cp-1, cp-2")),
        ("(cx.cluster.nodes.workers + cx.cluster:node('cp-1')):names()", json!("cp-1, w-1, w-2")),
        ("cx.cluster.nodes:where(function(node) return node.name == 'w-2' end)", json!(["w-2"])),
        ("cx.cluster:node('w-1') == cx.cluster.nodes[3]", json!(true)),
        (
            "cx.cluster:machine_config(cx.cluster:node('w-1'))",
            json!("talos/rendered/home-w-1.yaml"),
        ),
        ("cx.cluster.versions.talos", json!("v1.13.0")),
    ];
    for (code, expected) in rows {
        assert_eq!(value(&format!("return {code}")), expected, "{code}");
    }
}

#[test]
fn a_wrong_argument_is_named_where_it_stands() {
    let rows = [
        ("semver.parse('1.2')", "no version"),
        ("semver.parse(nil)", "takes a text"),
        ("semver.parse('v1.0.0') < 'x'", "no version"),
        ("net.contains('10.0.0.0/33', '10.0.0.1')", "no network"),
        ("path.join('a', '../../b')", "leads out"),
        ("time.add('now', '1m')", "takes a time"),
        ("time.add(1, 'soon')", "not a duration"),
        ("time.format(0, '%j')", "%j"),
        ("json.decode('{')", "json: "),
        ("json.decode('{\"$secret\": 1}')", "reserved"),
        ("yaml.decode('a: [')", "yaml: "),
        ("yaml.get({}, 'a[')", "without its"),
        ("toml.decode('a')", "toml: "),
        ("image.parse('')", "names no image"),
        ("cx.cluster:node('w-9')", "there is no node `w-9`"),
        ("cx.cluster.nods", "has no field `nods`"),
        ("cx.cluster.nodes[1].adress", "has no field `adress`"),
        ("cx:machine('x')", "there is no `cx.machine`"),
        ("cx.each({}, print)", "is a method"),
        ("ops.later({}, 'x')", "takes a reply"),
        ("net.contians('a', 'b')", "there is no `net.contians`"),
    ];
    for (code, title) in rows {
        let fault = fails(&format!("local x = {code}"));
        assert!(fault.title.contains(title), "{code}: {fault}");
        assert_eq!(fault.place.as_ref().map(|place| place.line), Some(2), "{code}: {fault}");
    }
}
