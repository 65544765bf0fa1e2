//! The tools: what they print, how they end, whom they reach.

use crate::support::Bench;
use ops_lab::LabSpec;

#[test]
fn version_prints_client_and_server() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let said = bench.talosctl("cp-1", "version --short");
    assert_eq!(
        said.out,
        "Client:\nTalos v1.13.0\nServer:\n\tNODE:        10.0.0.11\n\tTag:         v1.13.0\n\tSHA:         5a14e4d6\n\tBuilt:       \n\tGo version:  go1.26.2\n\tOS/Arch:     linux/amd64\n\tEnabled:     RBAC\n"
    );
    let said = bench.run("talosctl version --client --short");
    assert_eq!((said.code, said.out.as_str()), (0, "Client:\nTalos v1.13.0\n"));
}

#[test]
fn get_prints_tables_json_and_yaml() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let said = bench.talosctl("w-1", "get machinestatus");
    let rows: Vec<Vec<&str>> =
        said.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NODE", "NAMESPACE", "TYPE", "ID", "VERSION", "STAGE", "READY"]);
    assert_eq!(rows[1][..4], ["10.0.0.21", "runtime", "MachineStatus", "machine"]);
    assert_eq!(rows[1][5..], ["running", "true"]);
    let json: serde_json::Value =
        serde_json::from_str(&bench.talosctl("w-1", "get systeminformation -o json").out).unwrap();
    assert_eq!(json["node"], "10.0.0.21");
    assert_eq!(json["metadata"]["type"], "SystemInformations.hardware.talos.dev");
    assert_eq!(json["spec"]["uuid"].as_str().unwrap().len(), 36);
    let yaml = bench.talosctl("w-1", "get hostname -o yaml").out;
    assert!(yaml.starts_with("node: 10.0.0.21\nmetadata:\n    namespace: network\n"), "{yaml}");
    assert!(yaml.ends_with("spec:\n    hostname: w-1\n    domainname: \"\"\n"), "{yaml}");
}

#[test]
fn every_modelled_resource_answers_on_a_running_node() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    for (kind, holds) in [
        ("machineconfig", "v1alpha1"),
        ("machinetype", "controlplane"),
        ("disks", "sda"),
        ("systemdisk", "sda"),
        ("volumestatus", "EPHEMERAL"),
        ("discoveredvolumes", "STATE"),
        ("links", "enp1s0"),
        ("addresses", "10.0.0.11/24"),
        ("members", "w-2"),
        ("nodename", "cp-1"),
        ("extensions", "NODE"),
    ] {
        let said = bench.talosctl("cp-1", &format!("get {kind}"));
        assert_eq!(said.code, 0, "{kind}: {}", said.err);
        assert!(said.out.contains(holds), "{kind}: {}", said.out);
    }
    let said = bench.talosctl("cp-1", "get disks nope");
    assert_eq!(said.code, 1);
    assert!(
        said.err.contains("resource Disks.block.talos.dev(runtime/nope@undefined) doesn't exist"),
        "{}",
        said.err
    );
}

#[test]
fn machines_that_share_an_smbios_uuid_differ_in_serial_and_mac() {
    let mut bench = Bench::healthy(LabSpec::duplicate_uuids(1));
    let spec = |bench: &mut Bench, node: &str, what: &str| {
        let out = bench.talosctl(node, &format!("get {what} -o json")).out;
        serde_json::from_str::<serde_json::Value>(&out).unwrap()["spec"].clone()
    };
    let (one, two) = (
        spec(&mut bench, "w-1", "systeminformation"),
        spec(&mut bench, "w-2", "systeminformation"),
    );
    assert_eq!(one["uuid"], two["uuid"]);
    assert_ne!(one["serialnumber"], two["serialnumber"]);
    let (one, two) =
        (spec(&mut bench, "w-1", "links enp1s0"), spec(&mut bench, "w-2", "links enp1s0"));
    assert_ne!(one["permanentAddr"], two["permanentAddr"]);
}

#[test]
fn the_machine_config_is_one_string() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let out = bench.talosctl("cp-1", "get mc v1alpha1 -o json").out;
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(json["spec"].as_str().unwrap().starts_with("version: v1alpha1\n"));
}

#[test]
fn credentials_must_be_those_of_the_cluster() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let foreign = Bench::healthy(LabSpec::home(2)).files.remove("talosconfig").unwrap();
    bench.files.insert("talosconfig".into(), foreign);
    let said = bench.talosctl("cp-1", "version");
    assert_eq!(said.code, 1);
    assert!(said.out.ends_with("Server:\n"));
    assert_eq!(
        said.err,
        "error getting version: rpc error: code = Unavailable desc = connection error: desc = \"transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority (possibly because of \\\"x509: Ed25519 verification failure\\\" while trying to verify candidate authority certificate \\\"talos\\\")\"\n"
    );
    let said = bench.talosctl("cp-1", "version --insecure");
    assert!(
        said.err.contains("error reading server preface: remote error: tls: certificate required"),
        "{}",
        said.err
    );
}

#[test]
fn maintenance_mode_answers_anonymous_readers_only() {
    let mut bench = Bench::bare(LabSpec::home(1));
    assert_eq!(bench.talosctl("w-1", "version --insecure").code, 0);
    assert!(bench.talosctl("w-1", "get machinestatus --insecure").out.contains("maintenance"));
    assert!(bench.talosctl("w-1", "get disks --insecure").out.contains("sda"));
    let said = bench.talosctl("w-1", "version");
    assert!(said.err.contains("certificate signed by unknown authority"), "{}", said.err);
    let said = bench.talosctl("w-1", "get mc --insecure");
    assert_eq!(
        said.err,
        "1 error occurred:\n\t* rpc error: code = PermissionDenied desc = not authorized\n\n\n"
    );
}

#[test]
fn a_node_that_is_off_costs_the_dialler_its_timeout() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.break_("node-offline", Some("w-1"));
    let before = bench.lab.now();
    let said = bench.talosctl("w-1", "version");
    assert!(said.err.contains("dial tcp 10.0.0.21:50000: i/o timeout"), "{}", said.err);
    assert!(bench.lab.now() - before >= 20_000);
    let said = bench.run("talosctl --talosconfig talosconfig -e 10.0.0.11 -n 10.0.0.21 version");
    assert!(
        said.err.contains("1 error occurred:\n\t* 10.0.0.21: rpc error: code = Unavailable"),
        "{}",
        said.err
    );
}

#[test]
fn an_address_of_no_machine_has_no_route() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let said = bench.run("talosctl --talosconfig talosconfig -e 10.9.9.9 -n 10.9.9.9 version");
    assert!(said.err.contains("connect: no route to host"), "{}", said.err);
}

#[test]
fn an_endpoint_may_carry_a_port_and_another_endpoint_is_tried() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.break_("node-offline", Some("cp-1"));
    let said = bench.run("talosctl --talosconfig talosconfig -e 10.0.0.11:50000,10.0.0.12:50000 -n 10.0.0.21 version --short");
    assert_eq!(said.code, 0, "{}", said.err);
}

#[test]
fn a_call_to_several_nodes_lists_each() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let said = bench.run("talosctl --talosconfig talosconfig -e 10.0.0.11 -n 10.0.0.11,10.0.0.12 -n 10.0.0.13 etcd status");
    assert_eq!(said.out.lines().count(), 4);
    let said = bench.run(
        "talosctl --talosconfig talosconfig -e 10.0.0.11 -n 10.0.0.11,10.0.0.12 etcd snapshot x",
    );
    assert_eq!(said.err, "command \"etcd snapshot\" is not supported with multiple nodes\n");
    bench.break_("node-offline", Some("cp-1"));
    let said = bench.run("talosctl --talosconfig talosconfig -e 10.0.0.11,10.0.0.12 -n 10.0.0.11,10.0.0.12 etcd status");
    assert_eq!(
        (said.code, said.out.lines().count()),
        (0, 2),
        "the second endpoint answers: {}",
        said.err
    );
    assert!(said.err.starts_with("WARNING: 1 error occurred:\n\t* 10.0.0.11: "), "{}", said.err);
}

#[test]
fn what_is_not_modelled_says_so_and_never_succeeds() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    for line in [
        "talosctl upgrade --image x",
        "talosctl dashboard",
        "talosctl etcd defrag",
        "talosctl get nosuchthing",
        "talosctl reset --no-graceful",
        "talosctl service etcd stop",
        "kubectl apply -f x",
        "kubectl get deployments",
        "kubectl get nodes --watch",
        "helm list",
        "flux get all",
    ] {
        let full = line
            .replacen("talosctl ", "talosctl --talosconfig talosconfig -n 10.0.0.11 ", 1)
            .replacen("kubectl ", "kubectl --kubeconfig kubeconfig ", 1);
        let said = bench.run(&full);
        assert_eq!((said.code, said.out.as_str()), (1, ""), "{line}");
        assert!(said.err.starts_with("lab: not modelled: "), "{line}: {}", said.err);
    }
    assert_eq!(bench.writes(), 0);
}

#[test]
fn secrets_and_base_configs_are_made_as_the_real_tool_makes_them() {
    let mut bench = Bench::bare(LabSpec::home(1));
    bench.files.remove("secrets.yaml");
    let said = bench.run("talosctl gen secrets");
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "", ""));
    let said = bench.run("talosctl gen secrets");
    assert_eq!(
        (said.code, said.err.as_str()),
        (1, "file \"secrets.yaml\" already exists, use --force to overwrite\n")
    );
    bench.files.remove("talosconfig");
    let said = bench.run(
        "talosctl gen config home https://10.0.0.10:6443 --with-secrets secrets.yaml --output out",
    );
    assert_eq!(said.code, 0);
    assert_eq!(
        said.err,
        "generating PKI and tokens\nCreated out/controlplane.yaml\nCreated out/worker.yaml\nCreated out/talosconfig\n"
    );
    let config = String::from_utf8(bench.files["out/controlplane.yaml"].clone()).unwrap();
    assert!(
        config.contains("    type: controlplane\n")
            && config.ends_with("kind: HostnameConfig\nauto: stable\n")
    );
    assert!(!config.contains("{{"), "every field is filled in");
    let again = bench.run("talosctl gen config home https://10.0.0.10:6443 --with-secrets secrets.yaml -t controlplane -o -");
    assert_eq!(again.out, config, "the same secrets give the same bytes");
    for (line, words) in [
        ("gen config home 10.0.0.10", "no scheme and port specified for the cluster endpoint URL"),
        ("gen config home http://10.0.0.10:6443", "should have scheme https://"),
        ("gen config home https://x:6443 -t bogus -o -", "invalid output type: \"bogus\""),
        ("gen config home https://x:6443 -o -", "can't use multiple output types with stdout"),
        ("validate -c out/worker.yaml", "required flag(s) \"mode\" not set"),
    ] {
        let said = bench.run(&format!("talosctl {line}"));
        assert_eq!(said.code, 1, "{line}");
        assert!(said.err.contains(words), "{line}: {}", said.err);
    }
    let said = bench.run("talosctl validate -c out/worker.yaml -m metal");
    assert_eq!(said.out, "out/worker.yaml is valid for metal mode\n");
}

#[test]
fn config_info_reads_role_and_end_from_the_certificate() {
    let mut bench = Bench::bare(LabSpec::home(1));
    let said = bench.run("talosctl --talosconfig talosconfig config info");
    assert_eq!(
        said.out,
        "Current context:     home\nNodes:               not defined\nEndpoints:           10.0.0.11, 10.0.0.12, 10.0.0.13\nRoles:               os:admin\nCertificate expires: 1 year from now (2027-01-01)\n"
    );
}

#[test]
fn a_bare_lab_becomes_a_cluster_by_the_tools_alone() {
    let mut bench = Bench::bare(LabSpec::home(9));
    bench.files.clear();
    bench.run("talosctl gen secrets");
    bench.run("talosctl gen config home https://10.0.0.10:6443 --with-secrets secrets.yaml");
    for node in ["cp-1", "cp-2", "cp-3", "w-1", "w-2"] {
        let file = if node.starts_with("cp") { "controlplane" } else { "worker" };
        let said = bench.talosctl(node, &format!("apply-config --insecure -f {file}.yaml"));
        assert_eq!(
            (said.code, said.err.as_str()),
            (0, "Applied configuration without a reboot\n"),
            "{node}"
        );
    }
    bench.until("waits", |bench| bench.etcd("cp-1") == "waits");
    assert_eq!(bench.talosctl("cp-1", "bootstrap").code, 0);
    let said = bench.talosctl("cp-1", "health");
    assert_eq!(said.code, 0, "{}", said.err);
    let said = bench.talosctl("cp-1", "kubeconfig kubeconfig --merge=false");
    assert_eq!(said.code, 0, "{}", said.err);
    let nodes = bench.kubectl("get nodes");
    assert_eq!(nodes.out.matches(" Ready").count(), 5, "{}", nodes.out);
    assert!(bench.lab.now() < 20 * 60_000, "{} ms", bench.lab.now());
    assert!(bench.lab.ledger().is_empty());
}

#[test]
fn a_reboot_waits_for_another_boot_id_and_running_again() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let read = "read /proc/sys/kernel/random/boot_id";
    let before = bench.talosctl("w-1", read).out;
    let said = bench.talosctl("w-1", "reboot");
    assert_eq!(said.code, 0, "{}", said.err);
    for words in [
        "waiting for actor ID",
        "actor ID: ",
        "sequence: reboot action: START",
        "unavailable, retrying...",
        "events check condition met",
        "post check passed",
    ] {
        assert!(said.err.contains(words), "{words}: {}", said.err);
    }
    assert_ne!(bench.talosctl("w-1", read).out, before);
    let said = bench.talosctl("w-1", "reboot --timeout 5s");
    assert_eq!(said.code, 1);
    assert!(said.err.ends_with("\"10.0.0.21\": context deadline exceeded\n"), "{}", said.err);
}

#[test]
fn a_lost_reply_is_an_effect_that_the_client_takes_for_a_failure() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.run("talosctl --talosconfig talosconfig -n 10.0.0.21 -e 10.0.0.21 version");
    let address = bench.address("w-1");
    let client = bench.start(&format!(
        "talosctl --talosconfig talosconfig -n {address} -e {address} shutdown --wait=false --force"
    ));
    bench.until("the version call is answered", |bench| bench.lab.requests().len() >= 2);
    while !bench.lab.requests().iter().any(|request| request.writes) {
        assert!(bench.lab.step());
    }
    bench.break_("lose-reply", None);
    while bench.lab.is_running(client) {
        assert!(bench.lab.step());
    }
    let (_, output) = bench.lab.take_finished().pop().unwrap();
    assert_eq!(output.code, 1);
    bench.advance(300_000);
    assert_eq!(bench.stage("w-1"), "off", "it happened all the same");
}
