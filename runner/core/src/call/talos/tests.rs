//! The command line of each call, held against the flags of the real tool; and how an unknown outcome is settled.

use serde_json::{Value, json};

use super::*;
use crate::call::table::Call;
use crate::call::{Request, Settled, Target};
use crate::effect::Effect;
use crate::inventory::Role;

fn target() -> Target {
    Target {
        cluster: "home".into(),
        context: "home".into(),
        talosconfig: "talosconfig".into(),
        kubeconfig: "kubeconfig".into(),
        node: "10.9.0.21".into(),
        endpoint: "10.9.0.21".into(),
        insecure: false,
    }
}

const ROUTE: &str =
    "--talosconfig=talosconfig --context=home --nodes=10.9.0.21 --endpoints=10.9.0.21";

fn decoded(call: &str, args: Value) -> Call {
    let Value::Object(args) = args else { panic!("no table") };
    Call::decode(&Request { call: call.into(), args, place: None }).unwrap().0
}

fn line(call: &str, args: Value, target: &Target) -> String {
    let argv = decoded(call, args).spec().argv(target).expect("a command");
    argv.args.join(" ").replace(ROUTE, "…")
}

#[test]
fn every_command_is_written_as_the_tool_takes_it() {
    for (call, args, wanted) in [
        ("talos.version", json!({"node": "w-1"}), "version …"),
        ("talos.get", json!({"node": "w-1", "type": "disks"}), "get disks … --output=json"),
        (
            "talos.get",
            json!({"node": "w-1", "type": "volumestatus", "id": "STATE", "namespace": "runtime"}),
            "get volumestatus STATE … --namespace=runtime --output=json",
        ),
        ("talos.stage", json!({"node": "w-1"}), "get machinestatus … --output=json"),
        (
            "talos.apply_config",
            json!({"node": "w-1", "file": "w-1.yaml"}),
            "apply-config … --file=w-1.yaml --mode=auto",
        ),
        (
            "talos.apply_config",
            json!({"node": "w-1", "file": "w-1.yaml", "mode": "try", "try_timeout": "90s"}),
            "apply-config … --file=w-1.yaml --mode=try --timeout=1m30s",
        ),
        ("talos.bootstrap", json!({"node": "cp-1"}), "bootstrap …"),
        (
            "talos.bootstrap",
            json!({"node": "cp-1", "recover_from": "e.db", "recover_skip_hash_check": true}),
            "bootstrap … --recover-from=e.db --recover-skip-hash-check",
        ),
        ("talos.reboot", json!({"node": "w-1"}), "reboot … --mode=default --wait=false"),
        (
            "talos.reboot",
            json!({"node": "w-1", "mode": "powercycle", "drain": true, "drain_timeout": "2m"}),
            "reboot … --mode=powercycle --drain --drain-timeout=2m --wait=false",
        ),
        (
            "talos.reset",
            json!({"node": "w-1", "system_labels_to_wipe": ["STATE", "EPHEMERAL"], "reboot": true}),
            "reset … --system-labels-to-wipe=STATE --system-labels-to-wipe=EPHEMERAL --graceful=true --reboot=true --wait=false",
        ),
        (
            "talos.reset",
            json!({"node": "w-1", "system_labels_to_wipe": ["EPHEMERAL"], "graceful": false}),
            "reset … --system-labels-to-wipe=EPHEMERAL --graceful=false --reboot=false --wait=false",
        ),
        ("talos.kubeconfig", json!({"path": "k"}), "kubeconfig - … --merge=false"),
        ("talos.etcd.members", json!({}), "etcd members …"),
        ("talos.etcd.status", json!({}), "etcd status …"),
        ("talos.etcd.snapshot", json!({"path": "s.db"}), "etcd snapshot s.db.unverified …"),
        (
            "talos.validate",
            json!({"config": "w-1.yaml", "mode": "metal", "strict": true}),
            "validate --config=/dev/stdin --mode=metal --strict",
        ),
        (
            "talos.gen.secrets",
            json!({"output": "s.yaml", "talos_version": "v1.12"}),
            "gen secrets --output-file=s.yaml.unfinished --force --talos-version=v1.12",
        ),
    ] {
        assert_eq!(line(call, args, &target()), wanted, "{call}");
    }
}

#[test]
fn kubectl_gets_kubeconfig_and_context_explicitly() {
    let route = "--kubeconfig=kubeconfig --context=home";
    for (call, args, wanted) in [
        ("kube.cordon", json!({"node": "w-1"}), format!("cordon w-1 {route}")),
        ("kube.uncordon", json!({"node": "w-1"}), format!("uncordon w-1 {route}")),
        (
            "kube.drain",
            json!({"node": "w-1", "ignore_daemonsets": true, "delete_emptydir_data": true, "grace_period": 30}),
            format!(
                "drain w-1 {route} --ignore-daemonsets --delete-emptydir-data --grace-period=30"
            ),
        ),
        (
            "kube.drain",
            json!({"node": "w-1", "force": true, "disable_eviction": true, "pod_selector": "a=b"}),
            format!("drain w-1 {route} --force --disable-eviction --pod-selector=a=b"),
        ),
    ] {
        assert_eq!(line(call, args, &target()), wanted, "{call}");
    }
}

#[test]
fn the_maintenance_channel_carries_no_certificates() {
    let bare = Target { insecure: true, ..target() };
    let line = line("talos.apply_config", json!({"node": "w-1", "file": "f"}), &bare);
    assert_eq!(line, "apply-config --insecure --nodes=10.9.0.21 --file=f --mode=auto");
}

#[test]
fn the_base_config_is_made_without_comments_and_for_the_wanted_versions() {
    let base = Base {
        role: Role::Worker,
        cluster: "home",
        endpoint: "https://10.9.0.10:6443",
        talos: Some("1.13.0"),
        kubernetes: Some("v1.36.0"),
        diskless: false,
    };
    assert_eq!(
        base.command().args.join(" "),
        "gen config home https://10.9.0.10:6443 --with-secrets=/dev/stdin --output-types=worker --output=- \
         --with-docs=false --with-examples=false --talos-version=v1.13.0 \
         --install-image=ghcr.io/siderolabs/installer:v1.13.0 --kubernetes-version=1.36.0"
    );
}

/// Verb and flags of a command as the recorded table of the real tool knows them.
fn unknown_words(args: &[String]) -> Vec<String> {
    let table =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/talosctl/1.13.0/flags.json");
    let table: Value = serde_json::from_str(&std::fs::read_to_string(table).unwrap()).unwrap();
    let commands = &table["commands"];
    let verb = [format!("{} {}", args[0], args.get(1).map_or("", String::as_str)), args[0].clone()]
        .into_iter()
        .find(|verb| commands.get(verb).is_some());
    let Some(verb) = verb else { return vec![args[0].clone()] };
    args.iter()
        .filter_map(|arg| arg.strip_prefix("--"))
        .map(|flag| flag.split('=').next().unwrap().to_owned())
        .filter(|flag| commands[&verb]["flags"].get(flag).is_none())
        .collect()
}

#[test]
fn every_verb_and_flag_is_one_of_the_real_tool() {
    for (call, args) in [
        ("talos.version", json!({"node": "n"})),
        ("talos.get", json!({"node": "n", "type": "disks", "namespace": "x"})),
        ("talos.stage", json!({"node": "n"})),
        (
            "talos.apply_config",
            json!({"node": "n", "file": "f", "mode": "try", "try_timeout": "1m"}),
        ),
        (
            "talos.bootstrap",
            json!({"node": "n", "recover_from": "f", "recover_skip_hash_check": true}),
        ),
        ("talos.reboot", json!({"node": "n", "drain": true, "drain_timeout": "1m"})),
        (
            "talos.reset",
            json!({"node": "n", "system_labels_to_wipe": ["STATE"], "user_disks_to_wipe": ["/dev/sdb"], "wipe_mode": "user-disks"}),
        ),
        ("talos.kubeconfig", json!({"path": "f"})),
        ("talos.etcd.members", json!({})),
        ("talos.etcd.status", json!({})),
        ("talos.etcd.snapshot", json!({"path": "f"})),
        ("talos.validate", json!({"config": "f", "mode": "metal", "strict": true})),
        ("talos.gen.secrets", json!({"output": "f", "talos_version": "v1.12"})),
    ] {
        for target in [target(), Target { insecure: true, ..target() }] {
            let insecure = target.insecure;
            let argv = decoded(call, args.clone()).spec().argv(&target).unwrap();
            // Not every verb has a maintenance channel; the engine uses it for those that do.
            let takes_it = matches!(
                call,
                "talos.version"
                    | "talos.get"
                    | "talos.stage"
                    | "talos.apply_config"
                    | "talos.reset"
            );
            if insecure && !takes_it {
                continue;
            }
            assert_eq!(unknown_words(&argv.args), Vec::<String>::new(), "{call}: {}", argv.shown());
        }
    }
    let health =
        Health::command(&target(), &["a".into()], &["b".into()], crate::time::Span::mins(1));
    assert_eq!(unknown_words(&health.args), Vec::<String>::new());
    let config = ClientConfig::command("home", "https://a:6443");
    assert_eq!(unknown_words(&config.args), Vec::<String>::new());
}

#[test]
fn a_first_bootstrap_mutates_and_a_recovery_destroys() {
    let effect = |args: Value| decoded("talos.bootstrap", args).spec().effect();
    assert_eq!(effect(json!({"node": "cp-1"})), Effect::Mutates);
    assert_eq!(effect(json!({"node": "cp-1", "recover_from": "f"})), Effect::Destroys);
    let effect = |args: Value| decoded("kube.drain", args).spec().effect();
    assert_eq!(effect(json!({"node": "w-1"})), Effect::Mutates);
    assert_eq!(effect(json!({"node": "w-1", "force": true})), Effect::Destroys);
    assert_eq!(effect(json!({"node": "w-1", "disable_eviction": true})), Effect::Destroys);
}

#[expect(clippy::needless_pass_by_value, reason = "tables of values read better")]
fn settled(call: &str, args: Value, before: Value, now: Value) -> &'static str {
    match decoded(call, args).spec().settle(&before, &now) {
        Settled::Done { .. } => "done",
        Settled::NotDone { .. } => "not done",
        Settled::Partial { .. } => "partial",
        Settled::Ask { .. } => "ask",
    }
}

#[test]
fn an_apply_is_settled_by_the_config_that_the_node_shows() {
    let up = |persisted: &str, active: &str| json!({"stage": "running", "boot_id": "b", "persisted": persisted, "active": active});
    let bare = json!({"stage": "maintenance"});
    let silent = json!({"error": "connection refused"});
    let auto = json!({"node": "w-1", "file": "f"});
    let trial = json!({"node": "w-1", "file": "f", "mode": "try"});
    for (args, before, now, wanted) in [
        (&auto, up("old", "old"), up("new", "new"), "done"),
        (&auto, up("old", "old"), up("old", "old"), "not done"),
        (&auto, bare.clone(), bare.clone(), "not done"),
        (&auto, bare.clone(), up("new", "new"), "done"),
        (&auto, up("old", "old"), silent.clone(), "ask"),
        (&auto, bare, silent, "ask"),
        (&trial, up("old", "old"), up("old", "new"), "done"),
        (&trial, up("old", "old"), up("old", "old"), "not done"),
    ] {
        let (b, n) = (before.clone(), now.clone());
        assert_eq!(settled("talos.apply_config", args.clone(), before, now), wanted, "{b} → {n}");
    }
}

#[test]
fn a_bootstrap_is_settled_by_the_members_that_anybody_lists() {
    let none = json!({"by_node": {"cp-1": {}, "cp-2": {}, "cp-3": {}}, "silent": []});
    let own = json!({"by_node": {"cp-1": {"cp-1": "a1"}, "cp-2": {}, "cp-3": {}}, "silent": []});
    let other = json!({"by_node": {"cp-1": {}, "cp-2": {"cp-2": "b2"}}, "silent": []});
    let quiet = json!({"by_node": {"cp-2": {}, "cp-3": {}}, "silent": ["cp-1"]});
    for (before, now, wanted) in [
        (&none, &own, "done"),
        (&none, &none, "not done"),
        (&none, &other, "ask"),
        (&none, &quiet, "ask"),
        (&own, &own, "done"),
    ] {
        let found =
            settled("talos.bootstrap", json!({"node": "cp-1"}), before.clone(), now.clone());
        assert_eq!(found, wanted, "{before} → {now}");
    }
    let recovery = json!({"node": "cp-1", "recover_from": "f"});
    assert_eq!(settled("talos.bootstrap", recovery, none, own), "ask");
}

#[test]
fn a_reboot_is_settled_by_the_boot_id() {
    let boot = |id: &str, stage: &str| json!({"stage": stage, "boot_id": id, "version": "v1.13.0"});
    for (before, now, wanted) in [
        (boot("a", "running"), boot("b", "booting"), "done"),
        (boot("a", "running"), boot("a", "running"), "not done"),
        (boot("a", "running"), boot("a", "rebooting"), "ask"),
        (boot("a", "running"), json!({}), "ask"),
        (json!({}), boot("a", "running"), "ask"),
    ] {
        let shown = format!("{before} → {now}");
        assert_eq!(settled("talos.reboot", json!({"node": "w-1"}), before, now), wanted, "{shown}");
    }
}

#[test]
fn a_reset_is_settled_by_what_was_wiped() {
    let view = |id: Option<&str>, stage: &str, state: &str, ephemeral: &str| json!({"stage": stage, "boot_id": id, "volumes": {"STATE": state, "EPHEMERAL": ephemeral}});
    let both =
        json!({"node": "w-1", "system_labels_to_wipe": ["STATE", "EPHEMERAL"], "reboot": true});
    let data = json!({"node": "w-1", "system_labels_to_wipe": ["EPHEMERAL"], "reboot": true});
    let before = || view(Some("a"), "running", "s1", "e1");
    for (args, before, now, wanted) in [
        (&both, before(), view(None, "maintenance", "", ""), "done"),
        (&both, before(), before(), "not done"),
        (&both, before(), json!({}), "ask"),
        (&both, before(), view(Some("a"), "resetting", "s1", "e1"), "ask"),
        (&data, before(), view(Some("b"), "running", "s1", "e2"), "done"),
        (&data, before(), view(Some("a"), "running", "s1", "e1"), "not done"),
        (&data, before(), view(Some("b"), "running", "s1", "e1"), "ask"),
        (&both, view(None, "maintenance", "", ""), view(None, "maintenance", "", ""), "ask"),
    ] {
        let shown = format!("{before} → {now}");
        assert_eq!(settled("talos.reset", args.clone(), before, now), wanted, "{shown}");
    }
}

#[test]
fn a_drain_that_stopped_half_way_is_drained_again() {
    let view = |cordoned: bool, pods: &[&str]| json!({"cordoned": cordoned, "pods": pods});
    let args = json!({"node": "w-1", "ignore_daemonsets": true});
    for (before, now, wanted) in [
        (view(false, &["a/x", "a/y"]), view(true, &[]), "done"),
        (view(false, &["a/x", "a/y"]), view(true, &["a/y"]), "partial"),
        (view(false, &["a/x"]), view(true, &["a/x"]), "partial"),
        (view(false, &["a/x"]), view(false, &["a/x"]), "not done"),
        (view(true, &["a/x"]), view(true, &["a/x"]), "not done"),
        (view(false, &["a/x"]), json!({"error": "no answer"}), "ask"),
    ] {
        let shown = format!("{before} → {now}");
        assert_eq!(settled("kube.drain", args.clone(), before, now), wanted, "{shown}");
    }
    let half = decoded("kube.drain", args.clone())
        .spec()
        .settle(&view(false, &["a/x", "a/y"]), &view(true, &["a/y"]));
    let Settled::Partial { remedy, .. } = half else { panic!("{half:?}") };
    assert_eq!((remedy.call.as_str(), Value::Object(remedy.args)), ("kube.drain", args));
}

#[test]
fn a_cordon_is_settled_by_what_the_node_says_now() {
    let is = |cordoned: bool| json!({"cordoned": cordoned, "pods": []});
    let node = || json!({"node": "w-1"});
    assert_eq!(settled("kube.cordon", node(), is(false), is(true)), "done");
    assert_eq!(settled("kube.cordon", node(), is(false), is(false)), "not done");
    assert_eq!(settled("kube.uncordon", node(), is(true), is(false)), "done");
    assert_eq!(settled("kube.uncordon", node(), is(true), is(true)), "not done");
    assert_eq!(settled("kube.cordon", node(), is(false), json!({})), "ask");
}

#[test]
fn files_are_made_again_because_that_loses_nothing() {
    let (absent, there) = (json!({"digest": null}), json!({"digest": "d"}));
    for (call, args) in [
        ("talos.gen.secrets", json!({"output": "f"})),
        ("talos.kubeconfig", json!({"path": "f"})),
        ("talos.client_config", json!({"path": "f"})),
        ("talos.etcd.snapshot", json!({"path": "f"})),
    ] {
        for now in [&absent, &there] {
            assert_eq!(
                settled(call, args.clone(), absent.clone(), now.clone()),
                "not done",
                "{call}"
            );
        }
    }
}

#[test]
fn a_file_is_a_path_or_a_handle() {
    let blob = json!({"$blob": {"digest": "d", "size": 1, "sealed": true}});
    let call = decoded("talos.apply_config", json!({"node": "w-1", "file": blob}));
    let argv = call.spec().argv(&target()).unwrap();
    assert!(argv.args.contains(&"--file=/dev/stdin".to_owned()), "{}", argv.shown());
}

#[test]
fn a_reset_without_a_list_says_what_it_would_wipe() {
    let about = decoded("talos.reset", json!({"node": "w-1"})).spec().about();
    assert_eq!(about, "w-1 the whole system disk");
    let about = decoded("talos.reset", json!({"node": "w-1", "system_labels_to_wipe": ["STATE"]}));
    assert_eq!(about.spec().about(), "w-1 STATE");
}
