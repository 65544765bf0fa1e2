//! The language of templates, by tables: what a template prints, and why one
//! is refused and where.

#![allow(clippy::unwrap_used)]

use super::{Functions, Item, render};
use crate::machinery::profile::Profile;
use crate::patch::read_config;
use crate::yaml::read::Source;

const CONFIG: &str = "version: v1alpha1\nmachine:\n  type: worker\n  certSANs: [a, b]\n  nodeLabels: {zone: east}\n  install: {image: 'x:v1', wipe: false}\ncluster:\n  controlPlane: {endpoint: 'https://10.0.0.10:6443'}\n  network: {serviceSubnets: [10.96.0.0/12, 'fd00::/112']}\n";

fn with_config(template: &str) -> Result<String, String> {
    let profile = Profile::load("1.13.0").unwrap();
    let source = Source { name: "c", bytes: CONFIG.as_bytes() };
    let documents = read_config(source, &profile).unwrap();
    let data = Item::typed(&profile, documents[0].type_id, &documents[0].value);
    render(template, &data, Functions::Sprig)
        .map_err(|p| format!("{}:{} {}", p.mark.line, p.mark.column, p.message))
}

#[test]
fn a_template_prints_what_it_says() {
    let table = [
        ("plain }} text", "plain }} text"),
        ("{{ .MachineConfig.MachineType }}", "worker"),
        ("{{ .MachineConfig.MachineInstall.InstallImage | upper }}", "X:V1"),
        ("{{.MachineConfig.MachineNodeLabels.zone}}", "east"),
        ("{{.MachineConfig.MachineNodeLabels.none}}", "<no value>"),
        ("{{ .MachineConfig.MachineInstall.InstallWipe }}", "false"),
        ("{{ .ClusterConfig.ControlPlane.Endpoint }}", "https://10.0.0.10:6443"),
        ("{{ .MachineConfig.MachineCertSANs }}", "[a b]"),
        ("{{ if ne .MachineConfig.MachineType \"worker\" }}a{{ else }}b{{ end }}", "b"),
        ("{{ if false }}a{{ else if true }}b{{ else }}c{{ end }}", "b"),
        (
            "{{ range $s := .ClusterConfig.ClusterNetwork.ServiceSubnet }}<{{ $s }}>{{ end }}",
            "<10.96.0.0/12><fd00::/112>",
        ),
        ("{{ range $i, $s := .MachineConfig.MachineCertSANs }}{{ $i }}{{ $s }}{{ end }}", "0a1b"),
        ("{{ range .ClusterConfig.ExtraManifests }}x{{ else }}none{{ end }}", "none"),
        (
            "{{ range until 5 }}{{ if eq . 3 }}{{ break }}{{ end }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ . }}{{ end }}",
            "02",
        ),
        (
            "{{ with .MachineConfig }}{{ .MachineType }}{{ $.ConfigVersion }}{{ end }}",
            "workerv1alpha1",
        ),
        ("a \n {{- 1 -}} \n b", "a1b"),
        ("a{{/* nothing */}}b {{- /* nothing */ -}} c", "abc"),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"),
        ("{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ end }}{{ $x }}", "1"),
        ("{{ define \"t\" }}<{{ . }}>{{ end }}{{ template \"t\" \"a\" }}", "<a>"),
        ("{{ block \"t\" 1 }}<{{ . }}>{{ end }}", "<1>"),
        ("{{ \"{{\" }} x {{ `}}` }}", "{{ x }}"),
        ("{{ printf \"%s-%03d-%q-%v\" \"a\" 7 \"b\" true }}", "a-007-\"b\"-true"),
        ("{{ and 1 0 .Nothing }}{{ or 0 2 .Nothing }}{{ not true }}", "02false"),
        ("{{ (index .MachineConfig.MachineCertSANs 1) | quote }}", "\"b\""),
        ("{{ len .MachineConfig.MachineCertSANs }}{{ print 1 2 \"a\" }}", "21 2a"),
        ("{{ default \"x\" \"\" }}{{ \"\" | default \"y\" }}{{ ternary \"a\" \"b\" true }}", "xya"),
        ("{{ splitList \",\" \"a,b\" | join \"-\" }}{{ list 1 2 | last }}", "a-b2"),
        ("{{ \"x:v1\" | contains \"v1\" }}{{ hasPrefix \"x\" \"xy\" }}", "truetrue"),
        ("{{ \"a\\nb\" | indent 2 }}{{ \"a\" | nindent 1 }}", "  a\n  b\n a"),
        ("{{ add 1 2 3 }}{{ sub 5 2 }}{{ div 7 2 }}{{ mod 7 2 }}{{ mul 2 3 }}", "63316"),
        ("{{ trunc 2 \"abc\" }}{{ trunc -1 \"abc\" }}{{ substr 1 2 \"abc\" }}", "abcb"),
        ("{{ \"a\" | b64enc }}{{ \"YQ==\" | b64dec }}{{ title \"ab cd\" }}", "YQ==aAb Cd"),
        ("{{ dict \"a\" 1 | toJson }}{{ list \"<\" | toJson }}", "{\"a\":1}[\"\\u003c\"]"),
        ("{{ 1.5 }} {{ 1e30 }} {{ nil | default 1 }}", "1.5 1e+30 1"),
    ];
    for (template, expected) in table {
        assert_eq!(with_config(template).as_deref(), Ok(expected), "{template}");
    }
}

#[test]
fn what_is_wrong_is_told_at_its_place() {
    let table = [
        (
            "a\n  {{ .MachineConfig.MachineTyp }}",
            "2:6 MachineConfig has no field `.MachineTyp`; did you mean `.MachineType`?",
        ),
        (
            "{{ .MachineConfig.MachineNetwork.NetworkHostname }}",
            "1:4 `.NetworkHostname` is asked of nothing",
        ),
        ("{{ .MachineConfig }}", "1:4 this is a whole struct"),
        ("{{ if true }}", "1:4 `if` is not closed"),
        ("{{ end }}", "1:4 `{{ end }}` closes nothing here"),
        ("{{ .A", "1:1 this action is not closed"),
        ("{{ \"a }}", "1:4 this text is not closed"),
        ("{{ }}", "1:4 a value is missing here"),
        ("{{ $x }}", "1:4 the variable `$x` is not declared"),
        ("{{ now }}", "1:4 `now` is refused"),
        ("{{ env \"HOME\" }}", "1:4 `env` is refused"),
        ("{{ templateValue1 }}", "1:4 there is no function `templateValue1`"),
        ("{{ eq 1 \"a\" }}", "1:4 a whole number and a text cannot be compared"),
        ("{{ fail \"no such luck\" }}", "1:4 no such luck"),
        (
            "{{ define \"a\" }}{{ template \"a\" }}{{ end }}{{ template \"a\" }}",
            "1:20 templates call one another deeper",
        ),
        ("{{ range until 1000000 }}{{ range until 1000000 }}{{ end }}{{ end }}", "templates"),
        ("{{ repeat 1000000000 \"a\" }}", "1:4 this makes more than"),
        ("{{ \"a\" | nosuch }}", "1:10 there is no function `nosuch` with a text here"),
        ("{{ .MachineConfig.Type }}", "1:4 MachineConfig has no field `.Type`"),
        ("{{ break }}", "1:4 `break` stands outside"),
    ];
    for (template, expected) in table {
        let problem = with_config(template).unwrap_err();
        if expected == "templates" {
            assert!(problem.contains("more than"), "{template}: {problem}");
        } else {
            assert!(problem.starts_with(expected), "{template}: {problem}");
        }
    }
}

#[test]
fn parentheses_and_blocks_nest_up_to_a_limit() {
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(with_config(&deep).unwrap_err().contains("nested deeper"));
    let deep = "{{ if 1 }}".repeat(10_000);
    assert!(with_config(&deep).unwrap_err().contains("nested deeper"));
}
