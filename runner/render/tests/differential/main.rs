//! Generated configs and patches, each answered by the native engine and by
//! Talos' own code. Any difference in bytes, or in what is refused, fails.
//!
//! `OPS_PATCH_ORACLE` names the oracle (`tests/tools/build` makes it), with
//! those of other machinery versions beside it; without it the test says so
//! and is skipped, except in CI. `OPS_PATCH_CASES` asks for more than 500.

#![allow(clippy::disallowed_methods, reason = "the oracle is a program, named by the environment")]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod generate;
mod oracle;
mod scalars;
mod write;

use std::cell::{Cell, RefCell};
use std::env;
use std::path::PathBuf;

use ops_render::{Patch, Profile, Source, patch};
use proptest::collection::vec;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use generate::{Case, Generator};
use oracle::{Answer, Oracle};

fn ours(case: &Case, profile: &Profile) -> Result<String, String> {
    let refused = |problems: Vec<ops_render::Diagnostic>| {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let mut patches = Vec::new();
    for text in &case.patches {
        let no_file = |file: &str| Err(format!("open {file}: no such file"));
        patches.push(Patch::parse(text, profile, no_file).map_err(refused)?);
    }
    let source = Source { name: "config.yaml", bytes: case.config.as_bytes() };
    Ok(patch(source, &patches, profile).map_err(refused)?.text)
}

fn compare(case: &Case, profile: &Profile, theirs: &Answer) -> Result<bool, TestCaseError> {
    let refused = theirs.panicked || !theirs.error.is_empty();
    let show = || {
        let patches = case.patches.join("\n=== patch\n");
        format!("=== config\n{}\n=== patch\n{patches}\n", case.config)
    };
    match ours(case, profile) {
        Ok(_) if refused => {
            let message = format!("{}=== the original refuses: {}", show(), theirs.error);
            Err(TestCaseError::fail(message))
        }
        Ok(text) if text != theirs.output => {
            let message = format!("{}=== ours\n{text}=== theirs\n{}", show(), theirs.output);
            Err(TestCaseError::fail(message))
        }
        Ok(_) => Ok(true),
        Err(_) if refused => Ok(false),
        Err(problem) => {
            Err(TestCaseError::fail(format!("{}=== only ours refuses: {problem}", show())))
        }
    }
}

/// The oracle of a version, or `None` with a word on the screen.
fn oracle(version: &str) -> Option<PathBuf> {
    let Some(program) = env::var_os("OPS_PATCH_ORACLE").map(PathBuf::from) else {
        assert!(env::var_os("CI").is_none(), "OPS_PATCH_ORACLE is not set, and CI needs it");
        eprintln!("SKIPPED: differential test of {version}: OPS_PATCH_ORACLE is not set");
        return None;
    };
    let name = format!("{}-{version}", program.file_name().unwrap().to_string_lossy());
    Some(program.with_file_name(name))
}

fn check(version: &str) {
    let Some(program) = oracle(version) else { return };
    let oracle = RefCell::new(Oracle::start(&program));
    let profile = Profile::load(version).unwrap();
    let data = format!("{}/data/{version}.json", env!("CARGO_MANIFEST_DIR"));
    let table: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(data).unwrap()).unwrap();
    let cases = env::var("OPS_PATCH_CASES").map_or(500, |count| count.parse().unwrap());
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let accepted = Cell::new(0u32);
    let tape = vec(proptest::num::u16::ANY, 0..600);
    let result = TestRunner::new(config).run(&tape, |tape| {
        let case = Generator::new(&table, &tape).case();
        let theirs = oracle.borrow_mut().ask(&case.config, &case.patches);
        if compare(&case, &profile, &theirs)? {
            accepted.set(accepted.get() + 1);
        }
        Ok(())
    });
    if let Err(proptest::test_runner::TestError::Fail(why, tape)) = &result {
        panic!("{version}: {why}\n(tape {tape:?})");
    }
    result.unwrap();
    // Mostly refused cases would compare nothing.
    assert!(accepted.get() * 3 >= cases, "only {} of {cases} were accepted", accepted.get());
    eprintln!("{version}: {cases} cases equal, {} of them accepted", accepted.get());
}

#[test]
fn generated_patches_are_answered_like_machinery_1_13_0() {
    check("1.13.0");
}

#[test]
fn generated_patches_are_answered_like_machinery_1_13_9() {
    check("1.13.9");
}

#[test]
fn generated_patches_are_answered_like_machinery_1_14_0_alpha_2() {
    check("1.14.0-alpha.2");
}

/// Patches as people write them, on bases as `talosctl gen config` makes them.
#[test]
fn fresh_bases_are_patched_alike() {
    const PATCHES: &[&str] = &[
        "machine:\n  network:\n    hostname: cp-1\n    interfaces:\n      - interface: eth0\n        dhcp: true\n        vip: {ip: 10.0.0.10}\n",
        "machine:\n  install:\n    disk: /dev/nvme0n1\n    diskSelector:\n      size: '>= 100GB'\n  sysctls:\n    vm.nr_hugepages: 1024\n",
        "cluster:\n  network:\n    cni:\n      name: none\n  proxy:\n    disabled: true\n  allowSchedulingOnControlPlanes: true\n",
        "machine:\n  kubelet: &k\n    extraArgs: {rotate-server-certificates: true}\n    nodeIP:\n      validSubnets: [10.0.0.0/24]\n",
        "cluster:\n  inlineManifests:\n    - name: cilium\n      contents: |\n        ---\n        # Source\n        apiVersion: v1\n        kind: ConfigMap\n        data:\n          a: \"b\"\n",
        "cluster:\n  controlPlane:\n    endpoint: https://other.example:7443\n",
        "cluster:\n  ca:\n    crt: YWJj\n",
        "machine:\n  registries: {$patch: delete}\n",
        "machine:\n  features:\n    kubePrism:\n      $patch: delete\n",
        "apiVersion: v1alpha1\nkind: HostnameConfig\nauto: \"off\"\nhostname: cp-1\n---\nmachine:\n  nodeLabels:\n    a: b\n",
        "machine:\n  nodeTaints: {a: b:NoSchedule}\n  files:\n    - path: /var/x\n      permissions: 0o600\n      op: create\n      content: \"a\\tb\"\n",
        "- op: add\n  path: /machine/type\n  value: worker\n",
    ];
    for version in ["1.13.0", "1.13.9", "1.14.0-alpha.2"] {
        let Some(program) = oracle(version) else { return };
        let profile = Profile::load(version).unwrap();
        let mut oracle = Oracle::start(&program);
        for role in ["controlplane", "worker"] {
            for talos in ["v1.9.0", "v1.13.0"] {
                let arguments = ["gen", "-role", role, "-talos", talos];
                let base = std::process::Command::new(&program).args(arguments).output().unwrap();
                let config = String::from_utf8(base.stdout).unwrap();
                assert!(config.contains("machine:"), "no base: {:?}", base.stderr);
                for (at, first) in PATCHES.iter().enumerate() {
                    let second = PATCHES[(at * 5 + 3) % PATCHES.len()];
                    let patches = vec![(*first).to_owned(), second.to_owned()];
                    let case = Case { config: config.clone(), patches };
                    let theirs = oracle.ask(&case.config, &case.patches);
                    compare(&case, &profile, &theirs).unwrap();
                }
            }
        }
    }
}

/// Corners of YAML itself that the generator does not write.
#[test]
fn anchors_merge_keys_and_markers_are_read_alike() {
    const CONFIG: &str =
        "version: v1alpha1\nmachine:\n  type: worker\n  sysctls: {a: \"1\"}\ncluster: {}\n";
    const PATCHES: &[&str] = &[
        "machine:\n  nodeLabels: &l {zone: a}\n  nodeAnnotations: *l\n",
        "machine:\n  nodeLabels: &l {zone: a, b: c}\n  nodeAnnotations:\n    <<: *l\n    b: d\n",
        "machine:\n  nodeLabels: &l {zone: a}\n  env: &m {b: c}\n  nodeAnnotations:\n    <<: [*l, *m]\n",
        "machine:\n  nodeAnnotations:\n    <<: {a: b}\n",
        "machine: &m\n  env: {a: b}\n<<: *m\n",
        "machine:\n  kubelet:\n    extraConfig:\n      a: &x {b: [1, 2]}\n      c:\n        <<: *x\n        d: *x\n",
        "machine:\n  install: {diskSelector: {type: &t ssd}, disk: *t}\n",
        "machine:\n  kubelet: &k {image: a, typo: 1}\n",
        "machine:\r\n  type: controlplane\r\n  files:\r\n    - content: |\r\n        a\r\n        b\r\n      permissions: 0o644\r\n      path: /x\r\n      op: create\r\n",
        "\u{feff}machine:\n  type: init\n",
        "%YAML 1.1\n---\nmachine:\n  type: init\n...\n",
        "---\n---\nmachine: {type: a}\n---\n",
        "machine: !!map\n  type: !!str 1\n  sysctls: {b: !!int \"3\", c: !!binary aGk=}\n",
        "machine:\n  type: >\n    folded\n    text\n\n  token: >-\n    a\n     b\n\n    c\n",
        "machine:\n  type: \"a\\\n    b\\tc \\u00e9\"\n  token: 'it''s\n    two'\n",
        "machine:\n  ? type\n  : x\n",
        "? machine\n: {type: x}\n",
        "machine: {type: x, sysctls: {a: b, }, }\n",
        "machine:\n  certSANs:\n  - a\n  - - b\n",
        "machine:\n  certSANs:\n  - a\n  -\n  - ~\n",
        "machine:\n  sysctls:\n    a: |2\n       x\n    b: |+\n      y\n\n",
        "[{\"op\": \"add\", \"path\": \"/machine/env\", \"value\": {\"a\": \"<&>\", \"b\": 1.0, \"c\": 1e3, \"d\": 12345678901234567890}}]",
        "[{\"op\": \"add\", \"path\": \"/machine/env\", \"value\": null}, {\"op\": \"test\", \"path\": \"/machine/nope\", \"value\": null}]",
        "- {op: copy, from: /machine/sysctls, path: /machine/env}\n- {op: move, from: /machine/type, path: /machine/a~1b~0}\n",
        "null\n",
        "",
        "machine: null\n",
        "- op: replace\n  path: \"\"\n  value: {version: v1alpha1, machine: {type: x}}\n",
        "- op: test\n  path: \"\"\n  value: {}\n",
        "x",
        "- 1\n",
        "machine\n",
    ];
    for version in ["1.13.0", "1.14.0-alpha.2"] {
        let Some(program) = oracle(version) else { return };
        let profile = Profile::load(version).unwrap();
        let mut oracle = Oracle::start(&program);
        for (at, first) in PATCHES.iter().enumerate() {
            for second in [None, Some(PATCHES[(at + 7) % PATCHES.len()])] {
                let patches: Vec<String> =
                    [Some(*first), second].into_iter().flatten().map(str::to_owned).collect();
                let case = Case { config: CONFIG.to_owned(), patches };
                let theirs = oracle.ask(&case.config, &case.patches);
                compare(&case, &profile, &theirs).unwrap();
            }
        }
    }
}
