//! Kubernetes: Ready after the CNI, leases, cordons, drains with budgets, and the API over HTTP.

use crate::support::Bench;
use ops_lab::kube::{App, Workload};
use ops_lab::{HttpCall, LabSpec};
use serde_json::{Value, json};

const DRAIN: &str = "drain w-1 --ignore-daemonsets --delete-emptydir-data";

#[test]
fn nodes_are_ready_only_after_the_cni() {
    let mut spec = LabSpec::home(1);
    spec.no_cni = true;
    let mut bench = Bench::bare(spec);
    for node in ["cp-1", "cp-2", "cp-3", "w-1", "w-2"] {
        bench.config_file("node.yaml", node, |text| text);
        bench.talosctl(node, "apply-config --insecure -f node.yaml");
    }
    bench.until("waits", |bench| bench.etcd("cp-1") == "waits");
    bench.talosctl("cp-1", "bootstrap");
    bench.advance(1_800_000);
    assert_eq!(bench.kubernetes("w-1"), "NotReady");
    assert_eq!(bench.stage("w-1"), "running");
    bench.lab.install_cni();
    bench.settle();
    assert_eq!(bench.kubernetes("w-1"), "Ready");
}

#[test]
fn a_silent_node_is_unknown_after_its_lease_and_its_pods_go_after_their_toleration() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.break_("node-offline", Some("w-1"));
    bench.advance(49_000);
    assert_eq!(bench.kubernetes("w-1"), "Ready");
    bench.advance(2_000);
    assert_eq!(bench.kubernetes("w-1"), "Unknown");
    bench.advance(310_000);
    let pods = bench.kubectl("get pods");
    assert!(pods.out.contains("Terminating"), "it hangs on a dead node: {}", pods.out);
    assert_eq!(pods.out.matches("1/1").count(), 2, "replaced elsewhere: {}", pods.out);
    bench.heal("node-offline", Some("w-1"));
    bench.settle();
    bench.advance(60_000);
    assert!(!bench.kubectl("get pods").out.contains("Terminating"));
}

#[test]
fn cordon_says_so_when_nothing_changes_and_the_flag_survives_a_reboot() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    assert_eq!(bench.kubectl("cordon w-1").out, "node/w-1 cordoned\n");
    assert_eq!(bench.kubectl("cordon w-1").out, "node/w-1 already cordoned\n");
    bench.talosctl("w-1", "reboot");
    assert!(bench.kubectl("get node w-1").out.contains("Ready,SchedulingDisabled"));
    assert_eq!(bench.kubectl("uncordon w-1").out, "node/w-1 uncordoned\n");
    let said = bench.kubectl("cordon nope");
    assert_eq!(
        (said.code, said.err.as_str()),
        (1, "Error from server (NotFound): nodes \"nope\" not found\n")
    );
}

#[test]
fn a_drain_evicts_what_it_may_and_leaves_the_node_cordoned() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let said = bench.kubectl(DRAIN);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(
        said.out.starts_with("node/w-1 cordoned\n") && said.out.ends_with("node/w-1 drained\n"),
        "{}",
        said.out
    );
    assert!(
        said.err.starts_with("Warning: ignoring DaemonSet-managed Pods: kube-system/"),
        "{}",
        said.err
    );
    let left = bench.kubectl("get pods -A -o wide");
    let there: Vec<&str> = left.out.lines().filter(|line| line.contains("w-1 ")).collect();
    assert!(
        there.iter().all(|line| line.contains("kube-proxy") || line.contains("kube-flannel")),
        "{there:?}"
    );
}

#[test]
fn a_drain_without_its_flags_is_refused_with_the_pods_it_is_about() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    for (line, words) in [
        (
            "drain w-1 --delete-emptydir-data",
            "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore): kube-system/kube-",
        ),
        (
            "drain w-1 --ignore-daemonsets",
            "cannot delete Pods with local storage (use --delete-emptydir-data to override): default/web-",
        ),
    ] {
        let said = bench.kubectl(line);
        assert_eq!(said.code, 1, "{line}");
        assert!(said.err.contains(words), "{line}: {}", said.err);
        assert!(
            said.err.contains("There are pending nodes to be drained:\n w-1\n"),
            "{}",
            said.err
        );
        assert!(bench.kubectl("get node w-1").out.contains("SchedulingDisabled"));
    }
}

#[test]
fn a_pod_without_a_controller_needs_force() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.lab.add_bare_pod(
        "w-1",
        App {
            namespace: "default".into(),
            name: "p1".into(),
            kind: Workload::Bare,
            replicas: 1,
            min_available: None,
            empty_dir: false,
            anywhere: false,
        },
    );
    bench.advance(10_000);
    let said = bench.kubectl(DRAIN);
    assert!(
        said.err.contains(
            "cannot delete Pods that declare no controller (use --force to override): default/p1"
        ),
        "{}",
        said.err
    );
    let said = bench.kubectl(&format!("{DRAIN} --force"));
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(
        said.err.contains("deleting Pods that declare no controller: default/p1"),
        "{}",
        said.err
    );
}

#[test]
fn a_budget_holds_an_eviction_back_and_the_timeout_leaves_the_node_cordoned() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.kubectl("cordon w-2");
    bench.kubectl("cordon w-1");
    // One web pod is gone for good, as no node takes another: the second one may not go.
    let first = bench.kubectl(&format!("{DRAIN} --timeout=30s"));
    assert_eq!(first.code, 0, "{}", first.err);
    let said = bench.kubectl("drain w-2 --ignore-daemonsets --delete-emptydir-data --timeout=12s");
    assert_eq!(said.code, 1);
    let retry =
        "(will retry after 5s): Cannot evict pod as it would violate the pod's disruption budget.";
    assert!(said.err.matches(retry).count() >= 2, "{}", said.err);
    assert!(said.err.contains("global timeout reached: 12s"), "{}", said.err);
    assert!(bench.kubectl("get node w-2").out.contains("SchedulingDisabled"));
}

#[test]
fn a_drain_past_the_budgets_deletes() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.kubectl("cordon w-2");
    bench.kubectl(DRAIN);
    let said =
        bench.kubectl("drain w-2 --ignore-daemonsets --delete-emptydir-data --disable-eviction");
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("deleted\n"), "{}", said.out);
}

#[test]
fn deleting_a_node_takes_its_object_only() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    assert_eq!(bench.kubectl("delete node w-1").out, "node \"w-1\" deleted\n");
    assert!(!bench.kubectl("get nodes").out.contains("w-1"));
    assert_eq!(bench.stage("w-1"), "running");
    bench.talosctl("w-1", "reboot --wait=false");
    bench.advance(300_000);
    assert!(
        bench.kubectl("get nodes").out.contains("w-1"),
        "its kubelet registers at its next start"
    );
}

fn http(bench: &mut Bench, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let kubeconfig = String::from_utf8(bench.files["kubeconfig"].clone()).unwrap();
    let client = bench.lab.start_http(HttpCall {
        method: method.into(),
        path: path.into(),
        body,
        kubeconfig,
        context: None,
    });
    while bench.lab.is_running(client) {
        assert!(bench.lab.step());
    }
    bench.lab.take_answered().pop().unwrap().1
}

#[test]
fn the_api_serves_what_a_drain_reads() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let (status, body) = http(&mut bench, "GET", "/api/v1/nodes", None);
    assert_eq!((status, body["items"].as_array().unwrap().len()), (200, 5));
    let (_, body) = http(
        &mut bench,
        "GET",
        "/api/v1/nodes?labelSelector=node-role.kubernetes.io%2Fcontrol-plane%3D",
        None,
    );
    assert_eq!(body["items"].as_array().unwrap().len(), 3);
    let (_, body) = http(&mut bench, "GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dw-1", None);
    let pods = body["items"].as_array().unwrap();
    assert!(!pods.is_empty() && pods.iter().all(|pod| pod["spec"]["nodeName"] == "w-1"));
    let (_, body) = http(&mut bench, "GET", "/api/v1/namespaces/kube-system", None);
    assert_eq!(body["metadata"]["uid"].as_str().unwrap().len(), 36);
    let (_, body) = http(&mut bench, "GET", "/apis", None);
    assert!(body["groups"].as_array().unwrap().iter().any(|group| group["name"] == "policy"));
    let (_, body) = http(&mut bench, "GET", "/version", None);
    assert_eq!(body["gitVersion"], "v1.36.0");
    let (status, body) = http(&mut bench, "GET", "/api/v1/nodes/nope", None);
    assert_eq!((status, body["message"].as_str().unwrap()), (404, "nodes \"nope\" not found"));
    let (_, body) = http(&mut bench, "GET", "/apis/policy/v1/poddisruptionbudgets", None);
    assert_eq!(body["items"][0]["status"]["disruptionsAllowed"], 1);
    assert_eq!(bench.writes(), 0);
}

#[test]
fn the_api_cordons_and_evicts_and_refuses_with_429() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let (status, body) = http(
        &mut bench,
        "PATCH",
        "/api/v1/nodes/w-2",
        Some(json!({"spec": {"unschedulable": true}})),
    );
    assert_eq!((status, body["spec"]["unschedulable"].as_bool()), (200, Some(true)));
    let (_, body) = http(
        &mut bench,
        "GET",
        "/api/v1/namespaces/default/pods?fieldSelector=spec.nodeName%3Dw-2",
        None,
    );
    let pod = body["items"][0]["metadata"]["name"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/namespaces/default/pods/{pod}/eviction");
    let (status, _) =
        http(&mut bench, "POST", &path, Some(json!({"deleteOptions": {"dryRun": ["All"]}})));
    assert_eq!(status, 201);
    assert_eq!(bench.writes(), 1, "a dry run is no write");
    let (status, _) = http(&mut bench, "POST", &path, None);
    assert_eq!(status, 201);
    let (_, body) = http(
        &mut bench,
        "GET",
        "/api/v1/namespaces/default/pods?fieldSelector=spec.nodeName%3Dw-1",
        None,
    );
    let other = body["items"][0]["metadata"]["name"].as_str().unwrap().to_owned();
    let (status, body) = http(
        &mut bench,
        "POST",
        &format!("/api/v1/namespaces/default/pods/{other}/eviction"),
        None,
    );
    assert_eq!(status, 429);
    assert_eq!(
        body["message"],
        "Cannot evict pod as it would violate the pod's disruption budget."
    );
    let (status, body) = http(&mut bench, "POST", "/api/v1/namespaces", Some(json!({})));
    assert_eq!(status, 501);
    assert!(body["message"].as_str().unwrap().starts_with("lab: not modelled:"));
}

#[test]
fn another_cluster_behind_the_context_has_another_uid_and_none_of_our_nodes() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let (_, ours) = http(&mut bench, "GET", "/api/v1/namespaces/kube-system", None);
    bench.break_("wrong-context", None);
    let (_, theirs) = http(&mut bench, "GET", "/api/v1/namespaces/kube-system", None);
    assert_ne!(ours["metadata"]["uid"], theirs["metadata"]["uid"]);
    let (_, nodes) = http(&mut bench, "GET", "/api/v1/nodes", None);
    assert_eq!(nodes["items"], json!([]));
}

#[test]
fn an_api_that_hangs_ends_in_the_clients_deadline() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.break_("api-timeout", None);
    let before = bench.lab.now();
    let said = bench.kubectl("get nodes");
    assert_eq!(said.err, "Unable to connect to the server: context deadline exceeded\n");
    assert!(bench.lab.now() - before >= 30_000);
    assert_eq!(http(&mut bench, "GET", "/api/v1/nodes", None).0, 0);
}

#[test]
fn a_kubeconfig_of_another_cluster_is_not_trusted() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let mut other = Bench::healthy(LabSpec::home(2));
    let foreign = other.files.remove("kubeconfig").unwrap();
    bench.files.insert("kubeconfig".into(), foreign);
    let said = bench.kubectl("get nodes");
    assert!(said.err.contains("certificate signed by unknown authority"), "{}", said.err);
    let said = bench.run("kubectl --kubeconfig kubeconfig --context nope get nodes");
    assert_eq!(
        said.err,
        "Error in configuration: context was not found for specified context: nope\n"
    );
    let said = bench.run("kubectl --kubeconfig none get nodes");
    assert_eq!(said.err, "error: stat none: no such file or directory\n");
}
