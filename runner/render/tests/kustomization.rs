//! What a kustomization names is found with its place, and what lies on another
//! machine is known by how it is written.

#![allow(clippy::unwrap_used)]

use ops_render::kustomization::{Kind, addresses, is_remote, references};
use ops_render::{Scalar, Source, value_at};

fn source(text: &str) -> Source<'_> {
    Source { name: "k/kustomization.yaml", bytes: text.as_bytes() }
}

fn found(text: &str) -> Vec<(String, Kind, String, usize)> {
    let found = references(source(text)).unwrap();
    found.into_iter().map(|r| (r.field.to_owned(), r.kind, r.target, r.mark.line)).collect()
}

#[test]
fn every_field_that_names_something_is_read() {
    let text = "\
apiVersion: kustomize.config.k8s.io/v1beta1
resources: [a.yaml, ../base]
bases:
- old
components:
  - ../c # why
crds: [crd.json]
patches:
- path: p.yaml
- patch: |
    - op: remove
patchesStrategicMerge:
- s.yaml
patchesJson6902:
- path: j.yaml
replacements:
- path: r.yaml
configurations: [conf.yaml]
openapi: {path: schema.json}
configMapGenerator:
- name: x
  files: [key=f.txt, g.txt]
  envs: [e.env]
secretGenerator:
- env: s.env
transformers: [t.yaml]
helmCharts:
- name: cilium
commonAnnotations: {link: 'https://example.org'}
";
    let targets: Vec<(String, usize)> = found(text).into_iter().map(|f| (f.2, f.3)).collect();
    let expected = [
        ("a.yaml", 2),
        ("../base", 2),
        ("old", 4),
        ("../c", 6),
        ("crd.json", 7),
        ("p.yaml", 9),
        ("s.yaml", 13),
        ("j.yaml", 15),
        ("r.yaml", 17),
        ("conf.yaml", 18),
        ("schema.json", 19),
        ("f.txt", 22),
        ("g.txt", 22),
        ("e.env", 23),
        ("s.env", 25),
        ("t.yaml", 26),
        ("cilium", 28),
    ];
    assert_eq!(targets, expected.map(|(target, line)| (target.to_owned(), line)));
}

#[test]
fn what_an_alias_names_is_named() {
    let kinds = found("x: &b [../base]\nresources: *b\n");
    assert_eq!(kinds, [("resources".to_owned(), Kind::Tree, "../base".to_owned(), 1)]);
}

#[test]
fn an_empty_file_names_nothing_and_other_shapes_are_refused_at_their_place() {
    for text in ["", "# nothing\n", "---\n"] {
        assert_eq!(found(text), [], "{text}");
    }
    let place = |text: &str| references(source(text)).map_err(|e| (e.line, e.column));
    assert_eq!(place("- a\n"), Err((1, 1)));
    assert_eq!(place("resources: []\n---\nresources: []\n"), Err((3, 1)));
    assert_eq!(place("resources: [\n"), Err((2, 1)));
}

#[test]
fn what_lies_on_another_machine_is_known_by_its_form() {
    for remote in [
        "https://example.org/a.yaml",
        "HTTPS://example.org/a",
        "http://example.org",
        "ssh://git@example.org/a.git",
        "git@example.org:a/b.git",
        "me@example.org:a/b",
        "git::https://example.org/a",
        "gh:o/r",
        "github.com/o/r//p?ref=v1",
        "github.com:o/r",
        "file:///srv/repo.git",
        " https://example.org",
    ] {
        assert!(is_remote(remote), "{remote}");
    }
    for local in ["a.yaml", "../base", "./a@2x.yaml", "a:b.yaml", "github/o.yaml", "x/git@/y"] {
        assert!(!is_remote(local), "{local}");
    }
}

#[test]
fn addresses_in_a_plugin_are_found_wherever_they_stand() {
    let text = "kind: PatchTransformer\npath: https://example.org/p.yaml\nlist:\n- {a: HTTP://b}\n";
    let found: Vec<usize> = addresses(source(text)).unwrap().iter().map(|(_, m)| m.line).collect();
    assert_eq!(found, [2, 4]);
}

#[test]
fn a_value_is_read_by_the_path_that_would_edit_it() {
    let text = "cluster:\n  inlineManifests:\n  - name: cilium\n    contents: |\n      a: 1\n  - &x {name: b, contents: 3}\nlist: [~, yes, 1.5, true]\n";
    let at = |path: &str| value_at(source(text), path);
    assert_eq!(
        at("cluster.inlineManifests[name=cilium].contents"),
        Ok(Some(Scalar::Text("a: 1\n".to_owned())))
    );
    assert_eq!(at("cluster.inlineManifests[1].contents"), Ok(Some(Scalar::Int(3))));
    assert_eq!(at("list[0]"), Ok(Some(Scalar::Null)));
    assert_eq!(at("list[1]"), Ok(Some(Scalar::Text("yes".to_owned()))));
    assert_eq!(at("list[3]"), Ok(Some(Scalar::Bool(true))));
    assert_eq!(at("cluster"), Ok(None));
    let missing = at("cluster.inlineManifests[name=argocd].contents").unwrap_err();
    assert_eq!(missing.line, 3);
}
