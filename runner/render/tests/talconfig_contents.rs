//! Files whose content goes into a config: broken ones are told at their place.

#![allow(clippy::unwrap_used)]

use ops_render::talconfig::{Schema, Talconfig, Variables};
use ops_render::{Profile, Source};

const HEAD: &str = "clusterName: demo\ntalosVersion: v1.13.0\nkubernetesVersion: v1.36.0\nendpoint: https://10.0.0.10:6443\n";
const NODE: &str = "nodes:\n  - hostname: cp-1\n    ipAddress: 10.0.0.11\n    controlPlane: true\n    installDisk: /dev/sda\n";
const BASE: &str = "version: v1alpha1\nmachine:\n  type: controlplane\n  install: {}\ncluster:\n  controlPlane: {endpoint: https://10.0.0.10:6443}\n";

fn rendered(rest: &str, name: &str, content: &str) -> Result<String, String> {
    let text = format!("{HEAD}{NODE}{}", rest.replace("FILE", name));
    let source = Source { name: "talconfig.yaml", bytes: text.as_bytes() };
    let (schema, profile) = (Schema::load().unwrap(), Profile::load("1.13.0").unwrap());
    let variables: Variables = [("N".to_owned(), "n".to_owned())].into();
    let config = Talconfig::read(source, &schema, &variables).unwrap();
    let base = Source { name: "base.yaml", bytes: BASE.as_bytes() };
    let read = |_: &str| Ok(content.as_bytes().to_vec());
    config
        .render(&config.nodes[0], base, &schema, &profile, &variables, &read)
        .map(|patched| patched.text)
        .map_err(|found| {
            let first = &found[0];
            format!("{}:{}:{} {}", first.file, first.line, first.column, first.code)
        })
}

const PLACES: [&str; 3] = [
    "    machineFiles: [{path: /var/etc/x, op: create, permissions: 0o600, content: '@FILE'}]\n",
    "    machineFiles: [{path: /var/etc/x, op: create, permissions: 0o600, content: '@FILE', skipEnvsubst: true}]\n",
    "inlineManifests: [{name: m, contents: '@FILE', skipEnvsubst: true}]\n",
];

#[test]
fn a_file_that_is_broken_in_its_own_form_is_refused_where_it_breaks() {
    for place in PLACES {
        for (name, content, expected) in [
            ("x.yaml", "a: b\nc: [{\"a", "x.yaml:2:6 OPS0901"),
            ("x.yml", "a: b\na: c\n", "x.yml:2:1 OPS0905"),
            ("x.yaml", "a: {b: 1, b: 2}\n", "x.yaml:1:11 OPS0905"),
            ("x.yaml", "a: b\n---\n- c\n", "x.yaml:3:1 OPS0904"),
            ("x.json", "{\"a\": 1,\n\"b\": }\n", "x.json:2:6 OPS0901"),
            ("x.env", "# a\nA=1\nno\n", "x.env:3:1 OPS0913"),
        ] {
            let found = rendered(place, name, content).unwrap_err();
            assert_eq!(found, expected, "{place} {content}");
        }
    }
}

#[test]
fn what_is_whole_or_has_no_known_form_is_taken() {
    for place in PLACES {
        for (name, content) in [
            ("x.yaml", "# only\n"),
            ("x.yaml", "a: &a {b: 1}\nc: {<<: *a}\n---\n---\nd: 1\n"),
            ("x.json", "{\"a\": [1, 2]}\n"),
            ("x.env", "# a\n\nA=1\n"),
            ("x.conf", "a: b\na: c\n"),
            ("x", "[x\n"),
        ] {
            assert!(rendered(place, name, content).is_ok(), "{place} {name} {content}");
        }
    }
}
