//! Mutated files through the patch engine, the YAML edit and the talconfig
//! path: each is answered, none panics, hangs or takes all memory.
//!
//! One second each by default; `OPS_FUZZ_SECONDS` makes it longer,
//! `OPS_FUZZ_SEED` another walk. The input at work is kept in a file of the
//! temporary folder, so that it is there even after an abort.

#![allow(clippy::unwrap_used, clippy::print_stderr)]
#![expect(clippy::disallowed_methods, reason = "a test asks how long it may run")]

mod mutate;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs};

use mutate::Mutator;
use ops_render::talconfig::{Schema, Secrets, Talconfig, Variables};
use ops_render::{Patch, Profile, Scalar, Source, edit, patch};

/// No input may take longer than this, a loaded machine allowed for.
const LONGEST: Duration = Duration::from_secs(20);

/// Feeds mutated inputs to a target until its time is over.
fn run(name: &str, seeds: Vec<Vec<u8>>, target: impl Fn(&[u8])) {
    let asked = env::var("OPS_FUZZ_SECONDS").ok().map(|text| text.parse().unwrap());
    let time = Duration::from_secs(asked.unwrap_or(1));
    let seed = env::var("OPS_FUZZ_SEED").map_or(1, |text| text.parse().unwrap());
    let kept = env::temp_dir().join(format!("ops-fuzz-{name}-{}", std::process::id()));
    let mut mutator = Mutator::new(seeds, seed);
    let (begun, mut count, mut slowest) = (Instant::now(), 0u64, Duration::ZERO);
    while begun.elapsed() < time {
        let input = mutator.next();
        if asked.is_some() {
            fs::write(&kept, &input).unwrap();
        }
        let one = Instant::now();
        let caught = catch_unwind(AssertUnwindSafe(|| target(&input)));
        let took = one.elapsed();
        slowest = slowest.max(took);
        let shown = String::from_utf8_lossy(&input);
        assert!(caught.is_ok(), "{name}, seed {seed}, input {count}:\n{shown}");
        assert!(took < LONGEST, "{name}, seed {seed}, input {count} took {took:?}:\n{shown}");
        count += 1;
    }
    let _ = fs::remove_file(&kept);
    eprintln!("{name}: {count} inputs in {time:?}, the slowest took {slowest:?}");
    assert!(count > 0);
}

/// The recorded cases: every config and patch.
fn cases(names: &[&str]) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases: Vec<_> =
        fs::read_dir(folder).unwrap().map(|case| case.unwrap().path()).collect();
    cases.sort();
    let files = cases.iter().flat_map(|case| names.iter().map(|name| case.join(name)));
    files.filter_map(|file| fs::read(file).ok()).collect()
}

#[test]
fn the_patch_engine_answers_whatever_it_is_given() {
    let profile = Profile::load("1.13.9").unwrap();
    let config = b"version: v1alpha1\nmachine:\n  type: worker\n  network: {interfaces: [{interface: eth0, vlans: [{vlanId: 1}]}]}\ncluster: {}\n---\napiVersion: v1alpha1\nkind: UserVolumeConfig\nname: local\nprovisioning: {diskSelector: {match: system_disk}, minSize: 10GB}\n";
    run("patch", cases(&["config.yaml", "patch.yaml", "patch-2.yaml"]), |input| {
        let given = Source { name: "p", bytes: input };
        // Once as the patch, once as the config.
        if let Ok(one) = Patch::from_source(given, &profile) {
            if let Ok(patched) =
                patch(Source { name: "c", bytes: config }, std::slice::from_ref(&one), &profile)
                && !one.is_json_patch()
            {
                let again = Source { name: "again", bytes: patched.text.as_bytes() };
                let empty = Source { name: "e", bytes: b"machine: {}\n" };
                let empty = Patch::from_source(empty, &profile).unwrap();
                if let Ok(again) = patch(again, &[empty], &profile) {
                    let third = Source { name: "third", bytes: again.text.as_bytes() };
                    let third = patch(third, &[], &profile).unwrap();
                    assert_eq!(third.text, again.text, "what is written is read and written again");
                }
            }
            let _ = patch(given, &[one], &profile);
        }
    });
}

#[test]
fn the_edit_answers_whatever_it_is_given() {
    let paths = [
        "machine",
        "machine.type",
        "cluster.inlineManifests[name=cilium].contents",
        "a[0]",
        "machine.network.interfaces[interface=eth0].mtu",
        "[1].path",
    ];
    let values = [
        Scalar::Text("two\nlines # of: 'text'\n".to_owned()),
        Scalar::Text(" ".to_owned()),
        Scalar::Text("on".to_owned()),
    ];
    run("edit", cases(&["config.yaml", "patch.yaml"]), |input| {
        for path in paths {
            for value in &values {
                let Ok(edited) = edit(Source { name: "f", bytes: input }, path, value) else {
                    continue;
                };
                let again = Source { name: "f", bytes: edited.text.as_bytes() };
                assert!(
                    !edit(again, path, value).unwrap().changed,
                    "a second edit changes nothing"
                );
            }
        }
    });
}

const TALCONFIG: &[&str] = &[
    "clusterName: demo\ntalosVersion: v1.13.0\nkubernetesVersion: v1.36.0\nendpoint: https://10.0.0.10:6443\ndomain: ${DOMAIN:-cluster.local}\nclusterPodNets: [10.244.0.0/16]\nadditionalApiServerCertSans: &sans [a.example]\nadditionalMachineCertSans: *sans\ncniConfig: {name: none}\ninlineManifests:\n  - name: a\n    contents: '@file'\npatches:\n  - '@file'\n  - |-\n    machine:\n      sysctls: {a: \"1\"}\ncontrolPlane:\n  schematic:\n    customization: {extraKernelArgs: [a=b], systemExtensions: {officialExtensions: [siderolabs/gvisor]}}\n  nodeLabels: {a: '{{ .MachineConfig.MachineType | upper }}'}\nnodes:\n  - hostname: cp-1\n    ipAddress: 10.0.0.11\n    controlPlane: true\n    installDisk: /dev/sda\n    networkInterfaces:\n      - deviceSelector: {hardwareAddr: 'aa:*'}\n        dhcp: true\n        vip: {ip: 10.0.0.10}\n      - interface: bond0\n        bond: {interfaces: [eth0], mode: 802.3ad, miimon: 100}\n        addresses: [10.0.0.5/24]\n        routes: [{network: 0.0.0.0/0, gateway: 10.0.0.1}]\n        vlans: [{vlanId: 5, addresses: [10.1.0.1/24]}]\n    machineFiles: [{path: /a, op: create, permissions: 0o644, content: '@file'}]\n    ingressFirewall: {defaultAction: block, rules: [{name: a, portSelector: {ports: [80-90], protocol: tcp}, ingress: [{subnet: 10.0.0.0/8}]}]}\n    volumes: [{name: EPHEMERAL, provisioning: {maxSize: 50%}, encryption: {provider: luks2, keys: [{slot: 0, nodeID: {}}]}}]\n    kernelModules: [{name: a}]\n",
    "clusterName: demo\ntalosVersion: v1.11.0\nkubernetesVersion: 1.33.0\nendpoint: https://10.0.0.10:6443\nworker: {nameservers: [1.1.1.1], nodeTaints: {a: b:NoSchedule}, extraManifests: [file]}\nimageFactory: {installerURLTmpl: '{{ .RegistryURL }}/{{ .ID | trunc 8 }}:{{ .Version }}'}\nnodes:\n  - &n\n    hostname: w-1\n    ipAddress: 10.0.0.12\n    installDiskSelector: {size: '>= 1TB'}\n    filenameTmpl: '{{ .Hostname }}.yaml'\n  - <<: *n\n    hostname: w-2\n",
    "clusterName: demo\ntalosVersion: v1.14.0\nkubernetesVersion: v1.36.0\nendpoint: https://10.0.0.10:6443\ncniConfig: {name: flannel, flannel: {extraArgs: [a]}}\nnodes:\n  - {hostname: a, ipAddress: '10.0.0.1, fd00::1', controlPlane: true, installDisk: $DISK}\n",
];

const FILES: &[&str] = &[
    "machine:\n  env: # ${COMMENT}\n    A: '{{ if eq .MachineConfig.MachineType \"worker\" }}w{{ else }}{{ range $i, $s := .MachineConfig.MachineCertSANs }}{{ $i }}{{ end }}{{ end }}'\n    B: ${DOMAIN:-x}\n",
    "{{- with .MachineConfig.MachineInstall }}{{ .InstallImage | splitList \":\" | last | printf \"%q\" }}{{ end -}}\n",
    "[{\"op\": \"add\", \"path\": \"/machine/env\", \"value\": {\"a\": \"b\"}}]\n",
    "apiVersion: v1alpha1\nkind: UserVolumeConfig\nname: a\nprovisioning: {minSize: 1GB}\n",
    "cluster: {id: a, secret: b}\nsecrets: {bootstraptoken: c}\ntrustdinfo: {token: d}\ncerts: {os: {crt: YQ==, key: YQ==}}\n",
];

#[test]
fn the_talconfig_path_answers_whatever_it_is_given() {
    let (schema, profile) = (Schema::load().unwrap(), Profile::load("1.14.0-alpha.2").unwrap());
    let base = Source {
        name: "base",
        bytes: b"version: v1alpha1\nmachine: {type: worker, install: {}, certSANs: [a, b]}\ncluster: {}\n---\napiVersion: v1alpha1\nkind: HostnameConfig\nauto: stable\n",
    };
    let values = BTreeMap::from([
        ("DISK", "/dev/sda"),
        ("EMPTY", ""),
        ("LIST", "[a, b]"),
        ("ODD", "*a: &b #c"),
    ]);
    let values = values.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let variables: Variables = values.collect();
    let seeds = TALCONFIG.iter().chain(FILES).map(|text| text.as_bytes().to_vec()).collect();
    let configs: Vec<Talconfig> = TALCONFIG
        .iter()
        .map(|text| {
            Talconfig::read(Source { name: "t", bytes: text.as_bytes() }, &schema, &variables)
                .unwrap()
        })
        .collect();
    let render = |config: &Talconfig, file: &[u8]| {
        let read = |_: &str| Ok(file.to_vec());
        for node in &config.nodes {
            let _ = config.render(node, base, &schema, &profile, &variables, &read);
            let _ = config.output_name(node, &schema);
            let _ = config.boot_image_url(node, &schema);
        }
    };
    run("talconfig", seeds, |input| {
        let source = Source { name: "t", bytes: input };
        if let Ok(config) = Talconfig::read(source, &schema, &variables) {
            render(&config, FILES[0].as_bytes());
        }
        for config in &configs {
            render(config, input);
        }
        let _ = Secrets::read(source, &variables);
        let _ = variables.clone().load(source);
    });
}
