//! Replies against what the real tool printed (`tests/fixtures/talosctl`), and what a parser must refuse.

use serde_json::json;

use super::access::{base64, der, kube_access, not_after};
use super::apply::{RebootPlan, applied, difference};
use super::etcd::{alarms, members, status, trailer};
use super::kube::{BudgetView, NodeView, PodView, kind};
use super::node::{Stage, client_version, resources, service_state, system_volumes, version};
use super::refusal;
use crate::argv::{Argv, ToolOutput};
use crate::error::ErrorKind;
use crate::time::{Span, Time};

/// What the real tool answered in a recorded case.
fn recorded(case: &str) -> ToolOutput {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/talosctl/1.13.0/");
    let file = |name: &str| std::fs::read(format!("{folder}{case}/{name}")).unwrap();
    ToolOutput {
        code: String::from_utf8(file("exit")).unwrap().trim().parse().unwrap(),
        stdout: file("stdout"),
        stderr: file("stderr"),
    }
}

fn refused(case: &str) -> crate::error::CallError {
    let output = recorded(case);
    assert_ne!(output.code, 0, "{case} is no failure");
    refusal::of_output(&Argv::new("talosctl"), &output)
}

#[test]
fn the_version_is_that_of_the_server() {
    let found = version(&recorded("version").text()).unwrap();
    assert_eq!((found.version.as_str(), found.platform.as_str()), ("v1.13.0", "linux/amd64"));
    assert_eq!(version(&recorded("version-insecure").text()).unwrap().version, "v1.13.0");
}

#[test]
fn a_client_without_a_server_is_no_version() {
    assert!(version(&recorded("version-client").text()).is_err());
    assert!(version(&recorded("version-refused-connection").text()).is_err());
    assert_eq!(client_version(&recorded("version-client").text()).unwrap(), "v1.13.0");
}

#[test]
fn two_servers_are_not_taken_for_one() {
    let error = version(&recorded("version-several-nodes").text()).unwrap_err();
    assert!(error.message.contains("more than one server"), "{error}");
}

#[test]
fn every_recorded_list_of_resources_is_read() {
    for (case, count) in [
        ("get-disks-json", 3),
        ("get-disk-by-id-json", 1),
        ("get-empty-list-json", 0),
        ("get-machineconfig-json", 2),
        ("get-machinestatus-insecure-json", 1),
        ("get-machinetype-insecure-json", 0),
        ("get-machinetype-json", 1),
    ] {
        assert_eq!(resources(&recorded(case).text()).unwrap().len(), count, "{case}");
    }
    assert!(resources("{\"metadata\": {}}").is_err());
    assert!(resources(&recorded("get-disks-table").text()).is_err());
}

#[test]
fn configs_and_keys_count_as_secret_and_disks_do_not() {
    let secret = |case: &str| resources(&recorded(case).text()).unwrap()[0].is_secret();
    assert!(secret("get-machineconfig-json"));
    assert!(!secret("get-disks-json"));
    assert!(!secret("get-machinestatus-json"));
}

#[test]
fn a_stage_says_what_it_waits_for() {
    let stage = |case: &str| Stage::of(&resources(&recorded(case).text()).unwrap()).unwrap();
    assert_eq!(stage("get-machinestatus-insecure-json").stage, "maintenance");
    let running = stage("get-machinestatus-json");
    assert!(running.ready && running.stage == "running" && running.unmet.is_empty());
    let booting = stage("get-machinestatus-booting-json");
    assert!(
        !booting.ready && booting.why().starts_with("stage booting; services: etcd not healthy")
    );
}

#[test]
fn the_stage_of_two_nodes_at_once_is_refused() {
    let both = resources(&recorded("get-machinestatus-several-nodes-json").text()).unwrap();
    assert!(Stage::of(&both).is_err());
}

#[test]
fn system_volumes_are_known_by_label_and_a_missing_one_is_empty() {
    let volumes = |case: &str| system_volumes(&resources(&recorded(case).text()).unwrap());
    let labels: Vec<String> = volumes("get-volumestatus-json").into_keys().collect();
    assert_eq!(labels, ["EPHEMERAL", "META", "STATE"]);
    assert!(!volumes("get-volumestatus-json")["STATE"].is_empty());
    assert_eq!(volumes("get-volumestatus-insecure-json")["STATE"], "");
}

#[test]
fn a_service_says_its_state() {
    for (case, state) in [
        ("service-etcd", "Running"),
        ("service-not-bootstrapped", "Preparing"),
        ("service-etcd-down", "Failed"),
    ] {
        assert_eq!(service_state(&recorded(case).text()).unwrap(), state, "{case}");
    }
}

#[test]
fn members_keep_ids_names_and_votes_apart() {
    let found = members(&recorded("etcd-members").text()).unwrap();
    let names: Vec<&str> = found.iter().map(|m| m.hostname.as_str()).collect();
    assert_eq!(names, ["cp-1", "cp-2", "cp-3"]);
    assert_eq!(found[0].id, "2a34b1d1f7c3e8a1");
    assert_eq!(found[0].peer_urls, ["https://127.5.0.11:2380"]);
    let learners = members(&recorded("etcd-members-learner").text()).unwrap();
    assert_eq!(learners.iter().filter(|m| m.learner).count(), 1);
}

#[test]
fn a_member_that_never_started_has_an_empty_name() {
    let table = "NODE   ID                 HOSTNAME   PEER URLS      CLIENT URLS   LEARNER\n\
                 a      2a34b1d1f7c3e8a1              https://b:1                  true\n";
    let found = members(table).unwrap();
    assert_eq!((found[0].hostname.as_str(), found[0].learner), ("", true));
    assert_eq!(found[0].client_urls, Vec::<String>::new());
}

#[test]
fn status_keeps_sizes_leader_and_alarms() {
    let found = status(&recorded("etcd-status").text()).unwrap();
    let own = &found[0];
    assert_eq!((own.db_size, own.in_use), (35_000_000, 17_000_000));
    assert_eq!(own.leader.as_deref(), Some("2a34b1d1f7c3e8a1"));
    assert_eq!((own.raft_index, own.raft_term, own.raft_applied_index), (184_467, 5, 184_467));
    assert!(own.errors.is_empty());
    let alarmed = status(&recorded("etcd-status-alarm").text()).unwrap();
    assert!(alarmed[0].errors[0].contains("alarm:NOSPACE"), "{alarmed:?}");
    assert!(status(&recorded("etcd-status-learner").text()).unwrap()[0].learner);
}

#[test]
fn a_leader_of_zeros_is_none() {
    let text = recorded("etcd-status").text();
    let lost = text.replacen("2a34b1d1f7c3e8a1   184467", "0000000000000000   184467", 1);
    assert_eq!(status(&lost).unwrap()[0].leader, None);
}

#[test]
fn no_alarm_prints_nothing_and_one_prints_a_row() {
    assert_eq!(alarms(&recorded("etcd-alarm-list-none").text()).unwrap(), []);
    let found = alarms(&recorded("etcd-alarm-list").text()).unwrap();
    assert_eq!(found[0].alarm, "NOSPACE");
}

#[test]
fn a_table_without_a_needed_column_is_refused() {
    let error = members("NODE   ID\na      1\n").unwrap_err();
    assert_eq!(error.kind, ErrorKind::Parse);
    assert!(error.message.contains("HOSTNAME"), "{error}");
}

#[test]
fn a_snapshot_is_told_by_its_length() {
    assert!(trailer(&[0; 1024 + 32]).is_ok());
    for wrong in [0, 32, 512, 1024, 1024 + 31] {
        assert!(trailer(&vec![0; wrong]).is_err(), "{wrong}");
    }
}

#[test]
fn apply_says_whether_the_node_reboots() {
    let said = |case: &str| applied(&recorded(case).error_text()).unwrap();
    assert_eq!(said("apply-config-auto"), (RebootPlan::None, None));
    assert_eq!(said("apply-config-auto-needs-reboot"), (RebootPlan::Now, None));
    assert_eq!(said("apply-config-reboot"), (RebootPlan::Now, None));
    assert_eq!(said("apply-config-staged"), (RebootPlan::Staged, None));
    assert_eq!(said("apply-config-insecure"), (RebootPlan::None, None));
    assert_eq!(said("apply-config-try"), (RebootPlan::None, Some(Span::mins(1))));
    assert!(said("apply-config-try-timeout").1.is_some());
    assert!(applied("Something else happened\n").is_err());
}

#[test]
fn every_recorded_refusal_has_its_kind_and_says_whether_anything_was_sent() {
    use ErrorKind::{
        AlreadyExists, Certificate, Forbidden, Invalid, NotFound, NotReady, Timeout, Unreachable,
    };
    for (case, kind, before) in [
        ("version-refused-connection", Unreachable, true),
        ("version-other-ca", Certificate, true),
        ("version-maintenance-node", Certificate, true),
        ("version-insecure-on-configured", Certificate, true),
        ("version-wrong-name", Certificate, true),
        ("version-expired-certificate", Certificate, true),
        ("version-silent", Unreachable, true),
        ("version-unknown-context", Invalid, true),
        ("version-missing-talosconfig", Invalid, true),
        ("get-missing-id", NotFound, true),
        ("get-unknown-type", NotFound, true),
        ("get-machineconfig-insecure-json", Forbidden, true),
        ("reader-get-machineconfig-json", Forbidden, true),
        ("reader-apply-config", Forbidden, true),
        ("reader-reset-no-wait", Forbidden, true),
        ("apply-config-refused-connection", Unreachable, true),
        ("apply-config-never-answered", Timeout, false),
        ("apply-config-unknown-key", Invalid, true),
        ("apply-config-no-reboot-refused", Invalid, true),
        ("apply-config-missing-file", Invalid, true),
        ("apply-config-bad-mode", Invalid, true),
        ("bootstrap-not-empty", AlreadyExists, true),
        ("bootstrap-worker", Invalid, true),
        ("etcd-members-no-quorum", NotReady, true),
        ("etcd-members-worker", Invalid, true),
        ("etcd-status-not-bootstrapped", NotReady, false),
        ("etcd-remove-member-unknown", NotFound, true),
        ("gen-secrets-exists", AlreadyExists, true),
        ("reset-unknown-label-no-wait", Invalid, true),
        ("reset-insecure", Forbidden, true),
        ("reset-refused-connection-no-wait", Unreachable, true),
        ("unknown-flag", Invalid, true),
        ("kubeconfig-worker", Invalid, true),
    ] {
        let error = refused(case);
        assert_eq!((error.kind, error.before_effect), (kind, before), "{case}: {error}");
        assert!(!error.message.contains('\n') && !error.message.is_empty(), "{case}: {error}");
    }
}

#[test]
fn a_refusal_is_worded_by_what_the_node_said() {
    assert_eq!(refused("bootstrap-not-empty").message, "etcd data directory is not empty");
    assert_eq!(
        refused("version-refused-connection").message,
        "dial tcp 127.5.0.99:50000: connect: connection refused"
    );
}

#[test]
fn no_refusal_quotes_a_config() {
    for case in
        ["apply-config-no-reboot-refused", "apply-config-try-refused", "apply-config-unknown-key"]
    {
        let error = refused(case);
        let shown = format!("{} {}", error.message, error.stderr);
        for key in ["LS0t", "token:", "+++ b", "@@"] {
            assert!(!shown.contains(key), "{case}: {shown}");
        }
    }
}

#[test]
fn kubectl_is_understood_by_its_words() {
    for (text, kind) in [
        ("Error from server (NotFound): nodes \"x\" not found", ErrorKind::NotFound),
        ("Error from server (Forbidden): nodes is forbidden", ErrorKind::Forbidden),
        ("error: You must be logged in to the server (Unauthorized)", ErrorKind::Unauthorized),
        ("The connection to the server 127.0.0.1:1 was refused", ErrorKind::Unreachable),
        ("Unable to connect to the server: context deadline exceeded", ErrorKind::Timeout),
        (
            "error when waiting for pod \"a\" to terminate: global timeout reached: 5s",
            ErrorKind::Timeout,
        ),
        (
            "error: unable to drain node \"w-1\" due to error: cannot delete Pods that declare no controller (use --force to override): default/p1",
            ErrorKind::Invalid,
        ),
    ] {
        assert_eq!(refusal::kubectl(text).0, kind, "{text}");
    }
}

#[test]
fn a_difference_names_fields_and_shows_no_secret() {
    let live = json!({"machine": {"type": "worker", "token": "abc", "install": {"disk": "/dev/sda"}, "certSANs": []}});
    let wanted =
        json!({"machine": {"type": "worker", "token": "xyz", "install": {"disk": "/dev/sdb"}}});
    let lines = difference(std::slice::from_ref(&live), &[wanted]);
    assert_eq!(lines, ["~ machine.install.disk: \"/dev/sda\" → \"/dev/sdb\"", "~ machine.token"]);
    assert!(difference(std::slice::from_ref(&live), std::slice::from_ref(&live)).is_empty());
}

#[test]
fn what_only_one_side_has_is_told_field_by_field() {
    let bare = [json!({"machine": {}})];
    let full = [json!({"machine": {"sysctls": {"a.b": "1", "c": "2"}, "logging": {},
        "registries": {"config": {"r.example": {"auth": {"password": "hunter2"}}}}}})];
    let fields = [
        "machine.registries.config.r.example.auth.password",
        "machine.sysctls.a.b: \"1\"",
        "machine.sysctls.c: \"2\"",
    ];
    assert_eq!(difference(&bare, &full), fields.map(|field| format!("+ {field}")));
    assert_eq!(difference(&full, &bare), fields.map(|field| format!("- {field}")));
}

#[test]
fn documents_are_paired_by_kind_and_name_whatever_their_order() {
    let (a, b) = (json!({"machine": {}}), json!({"kind": "HostnameConfig", "hostname": "w-1"}));
    assert!(difference(&[a.clone(), b.clone()], &[b.clone(), a.clone()]).is_empty());
    assert_eq!(difference(&[a.clone(), b.clone()], std::slice::from_ref(&a)), ["- HostnameConfig"]);
    assert_eq!(difference(std::slice::from_ref(&a), &[a.clone(), b]), ["+ HostnameConfig"]);
}

#[test]
fn a_certificates_end_is_read_without_a_library() {
    let pem = "-----BEGIN CERTIFICATE-----\nMIIBKDCB26ADAgECAhAKWyYUwiZwBLrQwW/b7JRdMAUGAytlcDAQMQ4wDAYDVQQK\nEwV0YWxvczAeFw0yNjExMjExMzQ4NDBaFw0yNzExMjExMzQ4NDBaMBMxETAPBgNV\nBAoTCG9zOmFkbWluMCowBQYDK2VwAyEAKVlz3710x2aZCOcAyUaVhl0SAlneIONX\n+K6Btxx898SjSDBGMA4GA1UdDwEB/wQEAwIHgDATBgNVHSUEDDAKBggrBgEFBQcD\nAjAfBgNVHSMEGDAWgBRnDriAyBWoRyAY9f84CQVbR+RgyzAFBgMrZXADQQC4S7sO\nk2oZKcR0xvLaFX/tcZK6v0HHRecV/vO6P0r5TkUuVexEIpakihB8sNWBxYwZ0SIG\njaFuICe2MSIX7SAF\n-----END CERTIFICATE-----\n";
    // 2027-11-21 13:48:40 UTC
    assert_eq!(not_after(&der(pem.as_bytes())), Some(Time(1_826_804_920_000)));
    assert_eq!(not_after(b"no certificate"), None);
    assert_eq!(base64(b"aGk=").unwrap(), b"hi");
    assert_eq!(base64(b"a*b"), None);
}

#[test]
fn a_kubeconfig_without_a_context_is_refused() {
    assert!(kube_access(&json!({"clusters": []})).is_err());
}

#[test]
fn nodes_tell_ready_from_waiting_for_the_network() {
    let object = |status: &str, message: &str| {
        json!({"metadata": {"name": "w-1"}, "spec": {},
               "status": {"conditions": [{"type": "Ready", "status": status, "reason": "r", "message": message}]}})
    };
    assert!(NodeView::of(&object("True", "")).ready);
    let waits = NodeView::of(&object(
        "False",
        "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:cni plugin not initialized",
    ));
    assert!(!waits.ready && waits.lacks_network);
    let sick = NodeView::of(&object("Unknown", "Kubelet stopped posting node status."));
    assert!(!sick.ready && !sick.lacks_network && sick.why.starts_with("Kubelet"));
}

#[test]
fn a_drain_leaves_daemons_and_static_pods() {
    let pod = |owner: Option<&str>, mirror: bool| {
        let mut pod = json!({"metadata": {"namespace": "a", "name": "p", "labels": {"app": "x"}}});
        if let Some(kind) = owner {
            pod["metadata"]["ownerReferences"] = json!([{"kind": kind, "controller": true}]);
        }
        if mirror {
            pod["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "1"});
        }
        PodView::of(&pod)
    };
    assert!(pod(None, false).is_drained() && pod(Some("ReplicaSet"), false).is_drained());
    assert!(!pod(Some("DaemonSet"), false).is_drained() && !pod(Some("Node"), true).is_drained());
    let budget = BudgetView::of(&json!({
        "metadata": {"namespace": "a", "name": "b"},
        "spec": {"selector": {"matchLabels": {"app": "x"}}}, "status": {"disruptionsAllowed": 0},
    }));
    assert!(budget.covers(&pod(None, false)) && budget.allowed == 0);
}

#[test]
fn kinds_are_known_by_singular_and_plural_and_secrets_are_not_read() {
    assert_eq!(kind("Nodes").unwrap().object(None, "w-1", None), "/api/v1/nodes/w-1");
    assert_eq!(
        kind("deployment").unwrap().collection(Some("kube-system")),
        "/apis/apps/v1/namespaces/kube-system/deployments"
    );
    assert_eq!(kind("secret"), None);
}
