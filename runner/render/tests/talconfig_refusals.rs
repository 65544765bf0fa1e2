//! Talconfigs and the files beside them that cannot be used: each is refused
//! at its place, in bounded time and memory.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use ops_render::talconfig::{Schema, Secrets, Talconfig, Variables, path};
use ops_render::{Diagnostic, MAX_BYTES, Patched, Profile, Source};

const HEAD: &str = "clusterName: demo\ntalosVersion: v1.13.0\nkubernetesVersion: v1.36.0\nendpoint: https://10.0.0.10:6443\n";
const NODE: &str = "nodes:\n  - hostname: cp-1\n    ipAddress: 10.0.0.11\n    controlPlane: true\n    installDisk: /dev/sda\n";
const BASE: &str = "version: v1alpha1\nmachine:\n  type: controlplane\n  install: {}\ncluster:\n  controlPlane: {endpoint: https://10.0.0.10:6443}\n---\napiVersion: v1alpha1\nkind: HostnameConfig\nauto: stable\n";

fn shown(problems: &[Diagnostic]) -> Vec<String> {
    problems
        .iter()
        .map(|p| format!("{}:{}:{} {} {}", p.file, p.line, p.column, p.code, p.message))
        .collect()
}

fn load(bytes: &[u8]) -> Result<Talconfig, Vec<String>> {
    let source = Source { name: "talconfig.yaml", bytes };
    Talconfig::read(source, &Schema::load().unwrap(), &Variables::new())
        .map_err(|problems| shown(&problems))
}

#[track_caller]
fn refused(text: impl AsRef<[u8]>, expected: &[&str]) {
    let Err(problems) = load(text.as_ref()) else { panic!("it is accepted") };
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.starts_with(&format!("talconfig.yaml:{expected}")), "{problems:#?}");
    }
}

/// Renders the only node; files are named by their content's name.
fn render(rest: &str, files: &[(&str, &str)], machinery: &str) -> Result<Patched, Vec<String>> {
    let config = load(format!("{HEAD}{NODE}{rest}").as_bytes())?;
    let base = Source { name: "base.yaml", bytes: BASE.as_bytes() };
    let read = |name: &str| {
        let found = files.iter().find(|(known, _)| *known == name);
        found.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(|| "no such file".to_owned())
    };
    let (schema, profile) = (Schema::load().unwrap(), Profile::load(machinery).unwrap());
    config
        .render(&config.nodes[0], base, &schema, &profile, &Variables::new(), &read)
        .map_err(|problems| shown(&problems))
}

#[track_caller]
fn not_rendered(rest: &str, files: &[(&str, &str)], expected: &str) {
    let problems = render(rest, files, "1.13.0").unwrap_err();
    assert!(problems[0].starts_with(expected), "{problems:#?}");
}

#[test]
fn what_is_no_yaml_is_refused_where_it_ends_to_be() {
    refused(format!("{HEAD}nodes: [{{hostname: \"a"), &["5:20 OPS0901"]);
    refused([HEAD.as_bytes(), b"domain: \xff\n"].concat(), &["5:9 OPS0901"]);
    refused(format!("{HEAD}nodes:\n\t- hostname: a\n"), &["6:2 OPS0901"]);
    refused(format!("{HEAD}domain: a\u{1}b\n{NODE}"), &["5:10 OPS0901"]);
    refused(vec![b'#'; 50 * 1024 * 1024], &["0:0 OPS0901"]);
}

#[test]
fn a_key_twice_is_refused_at_the_second() {
    refused(format!("{HEAD}{NODE}    ipAddress: 10.0.0.12\n"), &["10:5 OPS0905"]);
}

#[test]
fn depth_and_repetition_are_bounded() {
    let deep = format!("{HEAD}patches: {}{}", "[".repeat(10_000), "]".repeat(10_000));
    let problems = load(deep.as_bytes()).unwrap_err();
    assert!(problems[0].contains("OPS0901"), "{problems:?}");
    let mut laughs = "x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n".to_owned();
    for level in 1..12 {
        let before = vec![format!("*x{}", level - 1); 10].join(", ");
        writeln!(laughs, "x{level}: &x{level} [{before}]").unwrap();
    }
    assert!(load(laughs.as_bytes()).unwrap_err()[0].contains("OPS0901 more than"));
    let text = format!(
        "{HEAD}{NODE}patches:\n  - &p {}\n{}",
        "a".repeat(1 << 20),
        "  - *p\n".repeat(10_000)
    );
    let begun = Instant::now();
    assert!(load(text.as_bytes()).unwrap_err()[0].contains("bytes once its aliases are expanded"));
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn variables_that_multiply_are_bounded() {
    let variables: Variables = [("X".to_owned(), "x".repeat(1 << 20))].into();
    let text = format!("{HEAD}{NODE}domain: \"{}\"\n", "${X}".repeat(10_000));
    let source = Source { name: "talconfig.yaml", bytes: text.as_bytes() };
    let problems = Talconfig::read(source, &Schema::load().unwrap(), &variables).unwrap_err();
    assert!(problems[0].message.contains("once variables are replaced"), "{problems:?}");
}

#[test]
fn a_large_group_is_shared_by_its_nodes() {
    let content = "x".repeat(MAX_BYTES / 4);
    let mut text = format!(
        "{HEAD}worker:\n  machineFiles: [{{op: create, path: /a, permissions: 0o600, content: {content}}}]\n  patches: [{content}]\nnodes:\n"
    );
    for node in 0..500 {
        writeln!(text, "  - {{hostname: w-{node}, ipAddress: 10.0.0.1, installDisk: /dev/sda}}")
            .unwrap();
    }
    let before = peak();
    assert_eq!(load(text.as_bytes()).unwrap().nodes.len(), 500);
    let (most, now) = (256 * 1024, peak() - before);
    assert!(now < most, "{now} KiB for 4 MiB in a group of 500");
}

/// The most memory that this process had, in KiB; 0 where the system does not tell.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[test]
fn what_talhelper_checks_is_checked_at_its_place() {
    let table = [
        (
            "talosVersion: v1.13.0",
            "talosVersion: v2.0.0",
            "2:15 OPS0913 `v2.0.0` is no version of Talos",
        ),
        ("v1.36.0", "v1.20.0", "3:20 OPS0913 Talos 1.13 runs Kubernetes 1.31 to 1.36"),
        ("v1.36.0", "latest", "3:20 OPS0913 `latest` is no version of Kubernetes"),
        ("https://10.0.0.10:6443", "10.0.0.10", "4:11 OPS0913 `10.0.0.10` is no endpoint"),
        ("10.0.0.11", "10.0.0.999", "7:16 OPS0913 `10.0.0.999` is no IP address"),
        ("cp-1", "cp_1", "6:15 OPS0913 `cp_1` is no host name"),
    ];
    for (old, new, expected) in table {
        refused(format!("{HEAD}{NODE}").replace(old, new), &[expected]);
    }
    let table = [
        ("domain: -a\n", "10:9 OPS0913 `-a` is no domain"),
        ("clusterPodNets: [10.0.0.0]\n", "10:18 OPS0913 `10.0.0.0` is no network"),
        ("cniConfig: {name: cilium}\n", "10:19 OPS0913 `cilium` is no CNI"),
        ("cniConfig: {name: custom}\n", "10:12 OPS0913 the CNI `custom` needs `urls`"),
        (
            "inlineManifests: [{name: a, contents: b}, {name: a, contents: c}]\n",
            "10:50 OPS0913 the inline manifest `a`",
        ),
        ("    talosImageURL: example.org/a:v1\n", "10:20 OPS0913 `example.org/a:v1` is no image"),
        ("    nodeLabels: {\"a b\": c}\n", "10:25 OPS0913 `a b` is no name"),
        ("    nodeLabels: {a: \"b c\"}\n", "10:21 OPS0913 `b c` is no value"),
        ("    nodeTaints: {a: b:Never}\n", "10:21 OPS0913 `b:Never` is no taint"),
        ("    nameservers: [1.1.1.1, dns]\n", "10:28 OPS0913 `dns` is no IP address"),
        (
            "    machineFiles: [{op: write, path: /a, content: b, permissions: 0o600}]\n",
            "10:25 OPS0913 `write` is no operation",
        ),
        ("    machineSpec: {bootMethod: usb}\n", "10:31 OPS0913 `usb` is no boot method"),
        (
            "    machineSpec: {bootMethod: pxe, imageSuffix: iso}\n",
            "10:49 OPS0913 `pxe` has no `imageSuffix`",
        ),
        ("    schematic: {overlay: {name: a}}\n", "10:26 OPS0913 an overlay needs both"),
        (
            "    ingressFirewall: {rules: [{name: a, portSelector: {protocol: tcp}, ingress: []}]}\n",
            "10:55 OPS0913 a rule needs `portSelector.ports`",
        ),
        (
            "    ingressFirewall: {rules: [{name: a, portSelector: {protocol: tcp, ports: [80-90, 85]}, ingress: []}]}\n",
            "10:86 OPS0913 ports from 85 are here twice",
        ),
        ("    volumes: [{name: a}, {name: a}]\n", "10:33 OPS0913 `a` is in `volumes` twice"),
        ("    networkInterfaces: [{dhcp: true}]\n", "10:25 OPS0913 the interface needs"),
        (
            "    networkInterfaces: [{interface: a, deviceSelector: {}}]\n",
            "10:56 OPS0913 `interface` and `deviceSelector`",
        ),
        (
            "    networkInterfaces: [{interface: a, addresses: [10.0.0.300/24]}]\n",
            "10:52 OPS0913 `10.0.0.300/24` is no address",
        ),
        (
            "    networkInterfaces: [{interface: a, routes: [{network: x, gateway: 10.0.0.1}]}]\n",
            "10:59 OPS0913 `x` is no network",
        ),
        (
            "    networkInterfaces: [{interface: a, vip: {ip: x}}]\n",
            "10:50 OPS0913 `x` is no IP address",
        ),
        (
            "    networkInterfaces: [{interface: a, bond: {mode: 802.3ad, miimon: 100, updelay: 150}}]\n",
            "10:84 OPS0913 `updelay` must be a multiple",
        ),
        (
            "    networkInterfaces: [{interface: a, bond: {mode: balance-rr, lacpRate: fast}}]\n",
            "10:75 OPS0913 `lacpRate` means nothing",
        ),
        (
            "    networkInterfaces: [{interface: a, wireguard: {privateKey: x}}]\n",
            "10:64 OPS0913 `privateKey` is no key",
        ),
        (
            "    machineDisks: [{device: /dev/sdb, partitions: [{mountpoint: /a}, {mountpoint: /b}]}]\n",
            "10:52 OPS0913 only the last partition",
        ),
    ];
    for (rest, expected) in table {
        refused(format!("{HEAD}{NODE}{rest}"), &[expected]);
    }
}

#[test]
fn a_finding_in_a_group_is_told_once() {
    let nodes = "nodes:\n  - {hostname: a, ipAddress: 10.0.0.1, installDisk: /dev/sda}\n  - {hostname: b, ipAddress: 10.0.0.2, installDisk: /dev/sda}\n";
    refused(format!("{HEAD}worker: {{nameservers: [x]}}\n{nodes}"), &["5:24 OPS0913"]);
}

#[test]
fn keys_of_older_talhelpers_are_told_what_they_became() {
    let source = format!("{HEAD}{NODE}    configPatches: []\n");
    let source = Source { name: "talconfig.yaml", bytes: source.as_bytes() };
    let problems =
        Talconfig::read(source, &Schema::load().unwrap(), &Variables::new()).unwrap_err();
    assert_eq!(problems[0].hint.as_deref(), Some("this is `patches` since talhelper 3"));
}

#[test]
fn a_version_that_is_not_given_is_warned_about() {
    let config =
        load(format!("{HEAD}{NODE}").replace("talosVersion: v1.13.0\n", "").as_bytes()).unwrap();
    assert_eq!(config.talos_version, "v1.13.8");
    assert!(config.warnings[0].message.contains("`talosVersion` is not given"));
}

#[test]
fn patches_are_refused_in_their_files() {
    let table = [
        ("patches: ['@p']\n", "machine:\n  type: [", "p:3:1 OPS0901"),
        ("patches: ['@p']\n", "machine:\n  typ: x\n", "p:2:3 OPS0902 unknown key `typ`"),
        ("patches: ['@p']\n", "machine:\n  certSANs: x\n", "p:2:13 OPS0904"),
        ("patches: ['@p']\n", "machine: {}\nmachine: {}\n", "p:2:1 OPS0905"),
        (
            "patches: ['@p']\n",
            "apiVersion: v1alpha1\nkind: VolumConfig\nname: a\n",
            "p:2:7 OPS0903",
        ),
        (
            "patches: ['@p']\n",
            "machine:\n  sysctls: {a: {$$patch: delete}}\n",
            "p:2:17 OPS0908 nothing to delete",
        ),
        (
            "patches: ['@p']\n",
            "apiVersion: v1alpha1\nkind: VolumeConfig\nname: a\n$$patch: delete\n",
            "p:4:1 OPS0908 nothing to delete",
        ),
        (
            "patches: ['@p']\n",
            "[{\"op\": \"remove\", \"path\": \"/machine/none\"}]",
            "p:0:0 OPS0909 a JSON patch needs a config of one document",
        ),
        (
            "patches: ['@p']\n",
            "machine:\n  env: {A: '{{ .Machine }}'}\n",
            "p:2:16 OPS0913 in this template",
        ),
        (
            "patches: ['@p']\n",
            "machine:\n  env:\n    A: ${NONE}\n",
            "p:3:0 OPS0913 the variable `NONE` is not set",
        ),
        (
            "patches: ['@p']\n",
            "machine: ENC[x]\nsops: {mac: x}\n",
            "p:2:7 OPS0913 this file is still encrypted",
        ),
        // A file that names a file is no patch: files do not include files.
        ("patches: ['@p']\n", "@p", "p:1:1 OPS0901"),
        (
            "patches: ['@q']\n",
            "",
            "talconfig.yaml:10:11 OPS0913 node `cp-1`: the patch `q` cannot be read: no such file",
        ),
        (
            "patches: [q.yaml]\n",
            "",
            "talconfig.yaml:10:11 OPS0913 node `cp-1`: the patch `q.yaml` cannot be read",
        ),
        (
            "patches: ['machine: {typ: 1}']\n",
            "",
            "talconfig.yaml:10:11 OPS0902 line 1 of this patch",
        ),
        (
            "patches: ['machine: {env: {A: \"{{ now }}\"}}']\n",
            "",
            "talconfig.yaml:10:11 OPS0913 line 1 of this patch: in this template: `now` is refused",
        ),
    ];
    for (rest, file, expected) in table {
        not_rendered(rest, &[("p", file)], expected);
    }
}

#[test]
fn what_is_wrong_in_a_block_of_patch_is_told_at_its_own_line() {
    let block = |lines: &str| format!("patches:\n  - |-\n{lines}");
    let table = [
        ("    machine:\n      typ: x\n", "talconfig.yaml:13:7 OPS0902 unknown key `typ`"),
        (
            "    machine:\n      sysctls: {a: {$$patch: delete}}\n",
            "talconfig.yaml:12:5 OPS0908 line 2 of this patch: nothing to delete",
        ),
        (
            "    apiVersion: v1alpha1\n    kind: LinkConfig\n    name: a\n    ---\n    apiVersion: v1alpha1\n    kind: VLANConfig\n    name: a\n",
            "talconfig.yaml:16:5 OPS0906",
        ),
        (
            "    - op: test\n      path: /a\n      value: 1\n",
            "talconfig.yaml:12:5 OPS0909 a JSON patch needs",
        ),
    ];
    for (lines, expected) in table {
        let problems = render(&block(lines), &[], "1.13.0").unwrap_err();
        assert!(problems[0].starts_with(expected), "{lines}{problems:#?}");
    }
}

#[test]
fn other_files_are_refused_at_their_place() {
    let file = "    machineFiles: [{op: create, path: /a, permissions: 0o600, content: '@f'}]\n";
    not_rendered(file, &[], "talconfig.yaml:10:72 OPS0913 node `cp-1`: `f` cannot be read");
    not_rendered(file, &[("f", "a\nb ${NONE}\n")], "f:2:0 OPS0913 the variable `NONE`");
    not_rendered(
        file,
        &[("f", "a: x\nsops:\n  mac: y\n")],
        "f:3:3 OPS0913 this file is still encrypted",
    );
    let manifest = "    extraManifests: [m]\n";
    not_rendered(manifest, &[], "talconfig.yaml:10:22 OPS0913 node `cp-1`: the manifest `m`");
    not_rendered(manifest, &[("m", "apiVersion: v1\nkind: Pod\n")], "m:2:7 OPS0903");
    let again = "apiVersion: v1alpha1\nkind: HostnameConfig\nhostname: a\n";
    not_rendered(manifest, &[("m", again)], "m:1:1 OPS0905");
    let label = "    nodeLabels: {a: '{{ .MachineConfig.Type }}'}\n";
    not_rendered(
        label,
        &[],
        "talconfig.yaml:10:21 OPS0913 node `cp-1`: `nodeLabels.a`: MachineConfig has no field `.Type`",
    );
}

#[test]
fn what_an_older_machinery_lacks_is_refused_and_not_lost() {
    let rest = "    volumes: [{name: EPHEMERAL, encryption: {provider: luks2, allowDiscards: true, keys: [{slot: 0, nodeID: {}}]}}]\n";
    not_rendered(
        rest,
        &[],
        "talconfig.yaml:10:45 OPS0913 node `cp-1`: machinery 1.13.0 has no `allowDiscards`",
    );
    assert!(render(rest, &[], "1.14.0-alpha.2").unwrap().text.contains("allowDiscards: true"));
    let rest = "    userVolumes: [{name: a, filesystem: {type: btrfs}}]\n";
    not_rendered(
        rest,
        &[],
        "talconfig.yaml:10:41 OPS0913 node `cp-1`: machinery 1.13.0 knows no `btrfs`",
    );
}

#[test]
fn what_network_documents_have_no_place_for_is_warned_about() {
    let rest = "    networkInterfaces:\n      - {interface: eth0, ignore: true}\n      - {interface: eth1, dhcp: true, vlans: [{vlanId: 5, cidr: 10.0.0.1/24}]}\n";
    let rendered = render(rest, &[], "1.13.0").unwrap();
    let warnings = shown(&rendered.warnings);
    assert_eq!(warnings.len(), 2, "{warnings:#?}");
    assert!(
        warnings[0].starts_with("talconfig.yaml:11:35 OPS0913 node `cp-1`: `ignore` of `eth0`"),
        "{warnings:#?}"
    );
    assert!(
        warnings[1].starts_with("talconfig.yaml:12:65 OPS0913 node `cp-1`: `vlans.cidr` of `eth1`"),
        "{warnings:#?}"
    );
}

#[test]
fn paths_stay_in_the_repository() {
    assert_eq!(path::within("talos", "./patches/a.yaml").as_deref(), Ok("talos/patches/a.yaml"));
    assert_eq!(path::within("a/b", "../c").as_deref(), Ok("a/c"));
    for (folder, name) in
        [("", "../a"), ("a", "../../b"), ("a", "/etc/shadow"), ("a", "~/b"), ("", "")]
    {
        assert!(path::within(folder, name).is_err(), "{folder} {name}");
    }
    let problem = load(
        format!("{HEAD}{NODE}    filenameTmpl: '../{{{{ .Hostname }}}}'\n").as_bytes(),
    )
    .map(|config| config.output_name(&config.nodes[0], &Schema::load().unwrap()).unwrap_err());
    let problem = problem.unwrap();
    assert!(problem.message.contains("leaves the repository"), "{problem}");
}

const BUNDLE: &str = "cluster: {id: a, secret: b}\nsecrets: {bootstraptoken: c, secretboxencryptionsecret: '${BOX}'}\ntrustdinfo: {token: d}\ncerts:\n  etcd: {crt: YQ==, key: YQ==}\n  k8s: {crt: YQ==, key: YQ==}\n  k8saggregator: {crt: YQ==, key: YQ==}\n  k8sserviceaccount: {key: YQ==}\n  os: {crt: YQ==, key: YQ==}\n";

fn secrets(text: &str) -> Result<Secrets, Vec<String>> {
    let variables = [("BOX".to_owned(), "e".to_owned())].into();
    let source = Source { name: "talsecret.yaml", bytes: text.as_bytes() };
    Secrets::read(source, &variables).map_err(|problems| shown(&problems))
}

#[test]
fn a_bundle_is_whole_or_refused() {
    let bundle = secrets(BUNDLE).unwrap();
    assert!(bundle.text().contains("secretboxencryptionsecret: e"), "{}", bundle.text());
    assert_eq!(format!("{bundle:?}"), "Secrets(..)");
    let table = [
        ("id: a, ", "", "talsecret.yaml:1:1 OPS0913 `cluster.id` is missing"),
        ("token: d", "tokn: d", "talsecret.yaml:1:1 OPS0913 `trustdinfo.token` is missing"),
        (
            "etcd: {crt: YQ==",
            "etcd: {crt: '*'",
            "talsecret.yaml:5:15 OPS0913 `certs.etcd.crt` is not base64",
        ),
        ("${BOX}", "${NONE}", "talsecret.yaml:2:57 OPS0913 the variable `NONE`"),
        (
            "cluster:",
            "sops: {mac: x}\ncluster:",
            "talsecret.yaml:1:7 OPS0913 the secrets bundle is still encrypted",
        ),
    ];
    for (old, new, expected) in table {
        let problems = secrets(&BUNDLE.replace(old, new)).unwrap_err();
        assert!(problems[0].starts_with(expected), "{problems:#?}");
    }
    assert!(secrets("").unwrap_err()[0].contains("one YAML document"));
    let missing = Secrets::missing("talconfig.yaml", &["talsecret.yaml", "talsecret.sops.yaml"]);
    assert!(
        missing.message.contains("looked for talsecret.yaml, talsecret.sops.yaml"),
        "{missing}"
    );
}

#[test]
fn the_second_secret_of_an_old_bundle_reaches_the_nodes() {
    let mut config = load(format!("{HEAD}{NODE}").as_bytes()).unwrap();
    let old = BUNDLE.replace("secretbox", "aescbcencryptionsecret: old, secretbox");
    config.use_secrets(&secrets(&old).unwrap());
    let (schema, profile) = (Schema::load().unwrap(), Profile::load("1.13.0").unwrap());
    let base = Source { name: "base.yaml", bytes: BASE.as_bytes() };
    let none = |_: &str| Err(String::new());
    let rendered =
        config.render(&config.nodes[0], base, &schema, &profile, &Variables::new(), &none).unwrap();
    assert!(rendered.text.contains("aescbcEncryptionSecret: old"), "{}", rendered.text);
}

#[test]
fn environment_files_set_variables_or_are_refused() {
    let loaded = |text: &str| {
        let mut variables = Variables::new();
        let loaded = variables.load(Source { name: "talenv.yaml", bytes: text.as_bytes() });
        loaded.map(|()| variables).map_err(|problems| shown(&problems))
    };
    for text in ["A: b\nC: 'd e'\n", "---\nA: b # x\nC: \"d e\"\n", "# x\nA=b\nexport C='d e'\n"] {
        let variables = loaded(text).unwrap();
        assert_eq!(
            (variables.value("A"), variables.value("C")),
            (Some("b"), Some("d e")),
            "{text}"
        );
    }
    assert!(loaded("A: [b]\n").unwrap_err()[0].starts_with("talenv.yaml:1:1 OPS0913"));
    assert!(loaded("A: b\nsops: {}\n").unwrap_err()[0].contains("still encrypted"));
    assert!(loaded("A=b\nwhat is this\n").unwrap_err()[0].starts_with("talenv.yaml:2:1 OPS0913"));
}

#[test]
fn the_variables_that_were_asked_for_are_known_also_after_an_error() {
    let variables: Variables = [("A".to_owned(), "a".to_owned())].into();
    let text = format!("{HEAD}{NODE}domain: ${{A}}.${{B}}.${{C:-d}}\n");
    let source = Source { name: "talconfig.yaml", bytes: text.as_bytes() };
    assert!(Talconfig::read(source, &Schema::load().unwrap(), &variables).is_err());
    assert_eq!(variables.asked(), ["A", "B"]);
    assert_eq!(format!("{variables:?}"), "{\"A\"}");
}
