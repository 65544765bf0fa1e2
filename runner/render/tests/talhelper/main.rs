//! Generated talconfigs, each rendered natively and by the real talhelper:
//! the configs must be equal, document for document.
//!
//! `OPS_TALHELPER` names talhelper (`tests/tools/build --talhelper` makes it),
//! `OPS_PATCH_ORACLE` the oracle that makes the bases; without them the test
//! says so and is skipped, except in CI.

#![allow(clippy::unwrap_used, clippy::print_stderr)]
#![expect(clippy::disallowed_methods, reason = "a test starts talhelper and asks where it is")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use ops_render::talconfig::{Role, Schema, Talconfig, Variables};
use ops_render::{Patch, Profile, Source, patch};
use proptest::collection::vec;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

const MACHINERY: &str = "1.14.0-alpha.2";

/// Settings of a node or of a group, at their indentation of none.
const SETTINGS: &[&str] = &[
    "nodeLabels: {zone: a, \"n\": \"1\"}\n",
    "nodeAnnotations: {a.b/c: d}\n",
    "nodeTaints: {dedicated: gpu:NoSchedule}\n",
    "kernelModules:\n  - name: br_netfilter\n    parameters: [a=1]\n",
    "nameservers: [1.1.1.1, 'fd00::1']\n",
    "disableSearchDomain: true\n",
    "certSANs: [a.example, 10.9.9.9]\n",
    "machineFiles:\n  - path: /var/etc/x\n    permissions: 0o600\n    op: create\n    content: |\n      a\n      b: ${NAME}\n",
    "machineFiles:\n  - path: /var/etc/y\n    permissions: 0o644\n    op: create\n    content: '@./file.txt'\n    skipEnvsubst: true\n",
    "ingressFirewall:\n  defaultAction: block\n  rules:\n    - name: kubelet\n      portSelector: {ports: [10250, 80-90], protocol: tcp}\n      ingress: [{subnet: 10.0.0.0/24, except: 10.0.0.1/32}]\n",
    "extensionServices:\n  - name: nut\n    configFiles: [{content: x, mountPath: /etc/x}]\n    environment: [A=1]\n",
    "volumes:\n  - name: EPHEMERAL\n    provisioning: {diskSelector: {match: system_disk}, maxSize: 50GiB}\n",
    "userVolumes:\n  - name: data\n    provisioning: {diskSelector: {match: 'disk.transport == \"nvme\"'}, minSize: 1GB, maxSize: 50%}\n    filesystem: {type: xfs}\n",
    "networkInterfaces:\n  - interface: eth0\n    addresses: [10.0.0.5/24]\n    routes: [{network: 0.0.0.0/0, gateway: 10.0.0.1}]\n    vlans: [{vlanId: 5, dhcp: true}]\n  - deviceSelector: {hardwareAddr: 'aa:*'}\n    dhcp: true\n    vip: {ip: 10.0.0.10}\n",
    "schematic:\n  customization:\n    extraKernelArgs: [net.ifnames=0]\n",
    "talosImageURL: example.org/installer/abc\n",
    "schematic:\n  customization:\n    systemExtensions: {officialExtensions: [siderolabs/tailscale]}\n",
    "machineSpec: {secureboot: true, mode: nocloud}\n",
    "patches:\n  - |-\n    machine:\n      sysctls: {vm.swappiness: \"1\", x: ${NAME}}\n",
    "patches:\n  - '@./patch.yaml'\n  - |-\n    apiVersion: v1alpha1\n    kind: WatchdogTimerConfig\n    device: /dev/watchdog0\n",
];

const CLUSTER: &[&str] = &[
    "patches:\n  - |-\n    machine:\n      sysctls: {vm.swappiness: \"2\", y: z}\n",
    "patches: ['@./patch.yaml', '@./empty.yaml']\n",
    "# ${NOT_SET} in a comment\n",
    "domain: other.local\nclusterPodNets: [10.200.0.0/16]\nclusterSvcNets: [10.201.0.0/16]\n",
    "additionalApiServerCertSans: [api.example]\nadditionalMachineCertSans: [m.example]\nallowSchedulingOnControlPlanes: true\n",
    "cniConfig: {name: none}\ninlineManifests:\n  - name: ns\n    contents: |\n      # kept\n      kind: Namespace\n",
];

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{:by$}{line}\n", "")).collect::<Vec<_>>().concat()
}

/// Settings picked by a tape of numbers, each key once.
fn settings(tape: &mut dyn Iterator<Item = u16>) -> String {
    let mut picked = BTreeMap::new();
    for _ in 0..tape.next().unwrap_or(0) % 6 {
        let setting = SETTINGS[usize::from(tape.next().unwrap_or(0)) % SETTINGS.len()];
        picked.insert(setting.split(':').next().unwrap(), setting);
    }
    picked.into_values().collect::<Vec<_>>().concat()
}

fn talconfig(tape: &[u16]) -> String {
    let mut tape = tape.iter().copied();
    let version =
        ["v1.13.0", "v1.12.0", "v1.11.0", "v1.9.0"][usize::from(tape.next().unwrap_or(0)) % 4];
    let mut out = format!(
        "clusterName: demo\ntalosVersion: {version}\nkubernetesVersion: v1.31.0\nendpoint: https://10.0.0.10:6443\n"
    );
    if let Some(part) = CLUSTER.get(usize::from(tape.next().unwrap_or(0)) % 9) {
        out += part;
    }
    for group in ["controlPlane", "worker"] {
        let group_settings = settings(&mut tape);
        if !group_settings.is_empty() {
            write!(out, "{group}:\n{}", indented(&group_settings, 2)).unwrap();
        }
    }
    out += "nodes:\n";
    for (name, address, control) in [("cp-1", "10.0.0.11", true), ("w-1", "10.0.0.12", false)] {
        writeln!(out, "  - hostname: {name}\n    ipAddress: {address}").unwrap();
        writeln!(out, "    controlPlane: {control}").unwrap();
        out += match tape.next().unwrap_or(0) % 3 {
            0 => "    installDisk: /dev/sda\n",
            1 => "    installDiskSelector: {size: '>= 100GB', model: WDC*}\n",
            _ => {
                "    installDisk: /dev/sdb\n    overridePatches: true\n    overrideMachineCertSANs: true\n"
            }
        };
        if tape.next().unwrap_or(0) % 4 == 3 {
            out += "    ignoreHostname: true\n";
        }
        out += &indented(&settings(&mut tape), 4);
    }
    out
}

struct Tools {
    talhelper: PathBuf,
    oracle: PathBuf,
    folder: PathBuf,
    bases: BTreeMap<(String, &'static str), String>,
}

impl Tools {
    fn run(program: &Path, folder: &Path, arguments: &[&str]) -> Result<String, String> {
        let out = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .env("NAME", "value")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let said = format!("{text}{}", String::from_utf8_lossy(&out.stderr));
        if out.status.success() { Ok(text) } else { Err(said) }
    }

    fn base(&mut self, version: &str, role: &'static str) -> String {
        let (oracle, folder) = (&self.oracle, &self.folder);
        let entry = self.bases.entry((version.to_owned(), role));
        let made = || {
            let arguments = [
                "gen",
                "-role",
                role,
                "-talos",
                version,
                "-kubernetes",
                "1.31.0",
                "-secrets",
                "talsecret.yaml",
            ];
            Tools::run(oracle, folder, &arguments).unwrap()
        };
        entry.or_insert_with(made).clone()
    }
}

/// A config as Talos writes it, so that layout does not count.
fn canonical(text: &str, profile: &Profile) -> String {
    let nothing = Source { name: "nothing", bytes: b"machine: {}\n" };
    let nothing = [Patch::from_source(nothing, profile).unwrap()];
    patch(Source { name: "c", bytes: text.as_bytes() }, &nothing, profile).unwrap().text
}

fn compare(
    tools: &mut Tools,
    schema: &Schema,
    profile: &Profile,
    text: &str,
) -> Result<bool, TestCaseError> {
    fs::write(tools.folder.join("talconfig.yaml"), text).unwrap();
    let theirs = Tools::run(&tools.talhelper, &tools.folder, &["genconfig", "--offline-mode"]);
    let variables: Variables = [("NAME".to_owned(), "value".to_owned())].into();
    let source = Source { name: "talconfig.yaml", bytes: text.as_bytes() };
    let config = Talconfig::read(source, schema, &variables)
        .map_err(|e| TestCaseError::fail(format!("{e:#?}\n{text}")))?;
    let folder = tools.folder.clone();
    let read = |name: &str| fs::read(folder.join(name)).map_err(|error| error.to_string());
    for node in &config.nodes {
        let role = if node.role == Role::ControlPlane { "controlplane" } else { "worker" };
        let base = tools.base(&config.talos_version, role);
        let base = Source { name: "base", bytes: base.as_bytes() };
        let ours = config.render(node, base, schema, profile, &variables, &read);
        match (&theirs, ours) {
            (Ok(_), Ok(ours)) => {
                let file = format!("clusterconfig/demo-{}.yaml", node.hostname);
                let theirs = fs::read_to_string(tools.folder.join(file)).unwrap();
                let (ours, theirs) = (canonical(&ours.text, profile), canonical(&theirs, profile));
                if ours != theirs {
                    let message = format!("{text}=== ours\n{ours}=== theirs\n{theirs}");
                    return Err(TestCaseError::fail(message));
                }
            }
            (_, Err(problems))
                if problems.iter().all(|p| p.message.contains("not rendered yet")) =>
            {
                return Ok(false);
            }
            (Ok(_), Err(problems)) => {
                return Err(TestCaseError::fail(format!(
                    "{text}=== only ours refuses\n{problems:#?}"
                )));
            }
            // Talhelper validates what it made; that is `validate`'s work here.
            (Err(_), _) => return Ok(false),
        }
    }
    Ok(true)
}

#[test]
fn generated_talconfigs_are_rendered_like_talhelper() {
    let (Some(talhelper), Some(oracle)) = (
        env::var_os("OPS_TALHELPER").map(PathBuf::from),
        env::var_os("OPS_PATCH_ORACLE").map(PathBuf::from),
    ) else {
        assert!(
            env::var_os("CI").is_none(),
            "OPS_TALHELPER and OPS_PATCH_ORACLE are not set, and CI needs them"
        );
        eprintln!(
            "SKIPPED: differential test with talhelper: OPS_TALHELPER or OPS_PATCH_ORACLE is not set"
        );
        return;
    };
    let folder = env::temp_dir().join(format!("ops-talhelper-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let secrets = Tools::run(&talhelper, &folder, &["gensecret"]).unwrap();
    fs::write(folder.join("talsecret.yaml"), secrets).unwrap();
    fs::write(folder.join("file.txt"), "from a file\n${NAME}\n").unwrap();
    fs::write(folder.join("patch.yaml"), "# ${NONE}\nmachine:\n  env:\n    A: ${NAME}\n").unwrap();
    fs::write(folder.join("empty.yaml"), "\n").unwrap();
    let name = format!("{}-{MACHINERY}", oracle.file_name().unwrap().to_string_lossy());
    let oracle = oracle.with_file_name(name);
    let tools = Tools { talhelper, oracle, folder: folder.clone(), bases: BTreeMap::new() };
    let tools = std::cell::RefCell::new(tools);
    let (schema, profile) = (Schema::load().unwrap(), Profile::load(MACHINERY).unwrap());
    let cases = env::var("OPS_TALHELPER_CASES").map_or(200, |count| count.parse().unwrap());
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let compared = std::cell::Cell::new(0u32);
    let result = TestRunner::new(config).run(&vec(proptest::num::u16::ANY, 0..60), |tape| {
        if compare(&mut tools.borrow_mut(), &schema, &profile, &talconfig(&tape))? {
            compared.set(compared.get() + 1);
        }
        Ok(())
    });
    let _ = fs::remove_dir_all(&folder);
    if let Err(proptest::test_runner::TestError::Fail(why, _)) = &result {
        panic!("{why}");
    }
    result.unwrap();
    assert!(compared.get() * 2 >= cases, "only {} of {cases} were compared", compared.get());
    eprintln!("{cases} talconfigs, {} rendered by both and equal", compared.get());
}
