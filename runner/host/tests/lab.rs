//! The same calls against the lab: what the lab models and what the host expects of the real tools must be one thing.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ops_core::call::Request;
use ops_core::call::table::Call;
use ops_core::error::{CallError, ErrorKind};
use ops_core::guard::{EtcdSaid, EvidenceCode, EvidenceNeed};
use ops_core::inventory::{Cluster, Node, Role};
use ops_core::value::{Handle, Value};
use ops_lab::{Lab, LabSpec};
use serde_json::json;

use crate::host::simulated::Simulated;
use crate::host::{HostCx, Memo, Prediction, perform, predict};
use crate::sys::blobs::MemoryBlobs;
use crate::sys::files::Files;
use crate::sys::overlay::Overlay;
use crate::sys::world::{Unwatched, World};

use super::town::Town;

/// A simulated cluster with a repository in memory.
struct Home {
    world: Simulated,
    files: Rc<Overlay>,
    blobs: MemoryBlobs,
    cluster: Cluster,
    memo: Memo,
    reasons: RefCell<Vec<String>>,
}

fn cluster(spec: &LabSpec) -> Cluster {
    let node = |n: &ops_lab::NodeSpec| Node {
        name: n.name.clone(),
        role: if n.role == ops_lab::Role::ControlPlane { Role::Controlplane } else { Role::Worker },
        address: n.address.clone(),
        endpoint: None,
        install_disk: None,
        tags: Vec::new(),
    };
    Cluster {
        endpoint: spec.endpoint.clone(),
        nodes: spec.nodes.iter().map(node).collect(),
        ..Town::healthy().cluster
    }
}

impl Home {
    fn of(lab: Lab) -> Home {
        let cluster = cluster(lab.spec());
        let files = Rc::new(Overlay::empty());
        // Nothing but simulated tools is run here, so any world does for the others.
        let world = Simulated::new(lab, None, files.clone(), Rc::new(Town::healthy()));
        let (blobs, memo) = (MemoryBlobs::new([1; 32]), Memo::default());
        Home { world, files, blobs, cluster, memo, reasons: RefCell::default() }
    }

    fn bare() -> Home {
        Home::of(Lab::bare(LabSpec::home(7)))
    }

    fn healthy() -> Home {
        let mut lab = Lab::healthy(LabSpec::home(7));
        let client = lab.client_files();
        let configs: Vec<(String, String)> = lab
            .spec()
            .nodes
            .iter()
            .map(|n| (n.name.clone(), lab.node_config(lab.node_named(&n.name).unwrap())))
            .collect();
        let home = Home::of(lab);
        let put = |path: &str, text: &str| home.files.write(path, text.as_bytes(), 0o600).unwrap();
        put("secrets.yaml", &client.secrets);
        put("talosconfig", &client.talosconfig);
        put("kubeconfig", &client.kubeconfig.replace("admin@home", "home"));
        for (name, text) in configs {
            put(&home.cluster.machine_config(&name), &text);
        }
        home
    }

    fn with<T>(&self, work: impl AsyncFnOnce(&HostCx<'_>) -> T) -> T {
        let waits =
            |reason: &str, _: u64, _: u64| self.reasons.borrow_mut().push(reason.to_owned());
        let cx = HostCx {
            world: &self.world,
            files: &*self.files,
            blobs: &self.blobs,
            secrets: &crate::sys::secrets::NoSecrets,
            cluster: Some(&self.cluster),
            lock: None,
            root: "/repo",
            watcher: &Unwatched,
            waits: &waits,
            memo: &self.memo,
        };
        let mut work = Box::pin(work(&cx));
        loop {
            match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(done) => return done,
                Poll::Pending => assert!(self.world.pass_time(), "nothing moves, and yet it waits"),
            }
        }
    }

    fn perform(&self, call: &str, args: Value) -> Result<Value, CallError> {
        let (call, common) = decoded(call, args);
        self.with(async |cx| perform(&call, &common, cx).await)
    }

    fn predict(&self, call: &str, args: Value) -> Result<Prediction, CallError> {
        let (call, common) = decoded(call, args);
        self.with(async |cx| predict(&call, &common, cx).await)
    }

    fn done(&self, call: &str, args: Value) -> Value {
        let shown = args.to_string();
        self.perform(call, args).unwrap_or_else(|error| panic!("{call} {shown}: {error:?}"))
    }

    fn writes(&self) -> usize {
        self.world.lab().requests().iter().filter(|r| r.request.writes()).count()
    }
}

fn decoded(call: &str, args: Value) -> (Call, ops_core::call::Common) {
    let Value::Object(args) = args else { panic!("no table") };
    Call::decode(&Request { call: call.into(), args, place: None }).unwrap()
}

fn names(home: &Home) -> Vec<String> {
    home.cluster.nodes.iter().map(|n| n.name.clone()).collect()
}

#[test]
fn a_cluster_comes_up_from_bare_machines_and_a_second_pass_changes_nothing() {
    let home = Home::bare();
    assert_eq!(
        home.done("talos.gen.secrets", json!({"output": "secrets.yaml"}))["changed"],
        json!(true)
    );
    home.done("talos.client_config", json!({"path": "talosconfig"}));
    for name in names(&home) {
        let config = home.done("talos.render", json!({"node": name}));
        home.done("talos.validate", json!({"config": config, "mode": "metal", "strict": true}));
        let Some(Handle::Blob(blob)) = Handle::from_value(&config) else { panic!("{config}") };
        let bytes = crate::sys::blobs::Blobs::get(&home.blobs, &blob).unwrap();
        home.files.write(&home.cluster.machine_config(&name), &bytes, 0o600).unwrap();
    }
    let apply = |name: &str| {
        home.done(
            "talos.apply_config",
            json!({"node": name, "file": home.cluster.machine_config(name)}),
        )
    };
    for name in names(&home) {
        assert_eq!(apply(&name)["changed"], json!(true), "{name}");
        home.done("wait.node", json!({"node": name, "state": "settled"}));
    }
    assert_eq!(home.done("talos.bootstrap", json!({"node": "cp-1"})), json!({"changed": true}));
    home.done("talos.kubeconfig", json!({"path": "kubeconfig"}));
    for name in names(&home) {
        home.done("wait.node", json!({"node": name, "state": "registered"}));
    }
    home.done("wait.etcd", json!({"members": 3}));
    for name in names(&home) {
        home.done("wait.node", json!({"node": name, "state": "healthy"}));
    }

    let writes = home.writes();
    for name in names(&home) {
        assert_eq!(apply(&name)["changed"], json!(false), "{name}");
    }
    assert_eq!(home.done("talos.bootstrap", json!({"node": "cp-1"})), json!({"changed": false}));
    assert_eq!(
        home.done("talos.kubeconfig", json!({"path": "kubeconfig"}))["changed"],
        json!(false)
    );
    assert_eq!(home.writes(), writes, "the second pass sends no write");
    home.done("talos.health", json!({}));
}

#[test]
fn reads_of_a_healthy_cluster_are_understood() {
    let home = Home::healthy();
    assert_eq!(home.done("talos.version", json!({"node": "w-1"}))["version"], json!("v1.13.0"));
    assert_eq!(home.done("talos.stage", json!({"node": "cp-1"}))["stage"], json!("running"));
    assert_eq!(home.done("talos.etcd.members", json!({})).as_array().unwrap().len(), 3);
    assert_eq!(home.done("talos.etcd.status", json!({})).as_array().unwrap().len(), 3);
    assert_eq!(home.done("kube.list", json!({"kind": "node"})).as_array().unwrap().len(), 5);
    for kind in ["disks", "volumestatus", "links", "members", "hostnamestatus", "systeminformation"]
    {
        let found = home.done("talos.get", json!({"node": "w-1", "type": kind}));
        assert!(!found.as_array().unwrap().is_empty(), "{kind}");
    }
}

#[test]
fn facts_of_a_healthy_cluster_are_all_known() {
    use EvidenceCode::{Blast, Disk, Etcd, Id, Maint, Node, Stor};
    let home = Home::healthy();
    let need = |code: EvidenceCode, node: Option<&str>| EvidenceNeed {
        code,
        node: node.map(str::to_owned),
        fresh: code.fresh(),
    };
    let needs = [
        need(Id, None),
        need(Etcd, None),
        need(Node, Some("cp-1")),
        need(Maint, Some("cp-1")),
        need(Disk, Some("w-1")),
        need(Blast, Some("w-1")),
        need(Stor, Some("w-1")),
    ];
    let facts = home.with(async |cx| crate::host::evidence::facts(&needs, cx).await);
    let identity = facts.cluster.unwrap().found.unwrap();
    assert!(identity.talos_ca.is_some() && identity.talos_ca == facts.own_ca);
    assert!(identity.kubernetes_ca.is_some() && identity.kube_system_uid.is_some());
    for answer in facts.etcd.unwrap().found.unwrap().answers {
        let EtcdSaid::Members { members, status: Some(status) } = answer.said else {
            panic!("{answer:?}")
        };
        assert!(members.len() == 3 && status.healthy && !status.leader.is_empty());
    }
    let node = facts.nodes["cp-1"].identity.clone().unwrap().found.unwrap();
    assert!(node.uuid.is_some() && !node.macs.is_empty() && node.disk_wwid.is_some(), "{node:?}");
    assert_eq!(
        (node.hostname.as_deref(), node.machine_type),
        (Some("cp-1"), Some(Role::Controlplane))
    );
    assert!(node.boot_id.is_some() && node.ca == facts.own_ca);
    assert!(!facts.nodes["cp-1"].maintenance.clone().unwrap().found.unwrap().proven());
    let volumes = facts.nodes["w-1"].volumes.clone().unwrap().found.unwrap();
    assert!(volumes.iter().any(|v| v.label == "STATE" && v.located), "{volumes:?}");
    assert!(facts.nodes["w-1"].workloads.clone().unwrap().found.unwrap().registered);
    assert!(facts.nodes["w-1"].storage.clone().unwrap().found.is_ok());
}

#[test]
fn a_node_is_drained_rebooted_and_taken_back() {
    let home = Home::healthy();
    let drained = home.done(
        "kube.drain",
        json!({"node": "w-1", "ignore_daemonsets": true, "delete_emptydir_data": true}),
    );
    assert_eq!(drained["changed"], json!(true));
    let booted = home.done("talos.reboot", json!({"node": "w-1"}));
    assert_eq!(booted["changed"], json!(true));
    home.done("wait.node", json!({"node": "w-1", "state": "healthy"}));
    assert_eq!(home.done("kube.uncordon", json!({"node": "w-1"})), json!({"changed": true}));
    assert_eq!(home.done("kube.uncordon", json!({"node": "w-1"})), json!({"changed": false}));
}

#[test]
fn a_control_plane_reboots_and_is_healthy_again() {
    let home = Home::healthy();
    home.done("talos.reboot", json!({"node": "cp-2"}));
    home.done("wait.node", json!({"node": "cp-2", "state": "healthy"}));
    home.done("wait.etcd", json!({"members": 3}));
}

#[test]
fn a_worker_reset_ends_in_maintenance_and_comes_back_by_an_apply() {
    let home = Home::healthy();
    home.done(
        "kube.drain",
        json!({"node": "w-1", "ignore_daemonsets": true, "delete_emptydir_data": true}),
    );
    let labels = json!(["STATE", "EPHEMERAL"]);
    home.done(
        "talos.reset",
        json!({"node": "w-1", "system_labels_to_wipe": labels, "reboot": true}),
    );
    home.done("wait.node", json!({"node": "w-1", "state": "maintenance", "timeout": "15m"}));
    home.done(
        "talos.apply_config",
        json!({"node": "w-1", "file": home.cluster.machine_config("w-1")}),
    );
    home.done("wait.node", json!({"node": "w-1", "state": "running"}));
}

#[test]
fn a_control_plane_reset_leaves_etcd_first() {
    let home = Home::healthy();
    let labels = json!(["STATE", "EPHEMERAL"]);
    home.done(
        "talos.reset",
        json!({"node": "cp-3", "system_labels_to_wipe": labels, "reboot": true, "graceful": true}),
    );
    assert_eq!(home.done("wait.etcd", json!({"without": "cp-3"})), json!({"members": 2}));
}

#[test]
fn an_ephemeral_reset_brings_the_node_back_by_itself() {
    let home = Home::healthy();
    let args = json!({"node": "w-2", "system_labels_to_wipe": ["EPHEMERAL"], "reboot": true});
    home.done("talos.reset", args);
    home.done("wait.node", json!({"node": "w-2", "state": "running"}));
}

#[test]
fn a_snapshot_of_the_lab_has_a_checksum_that_fits() {
    let home = Home::healthy();
    let taken = home.done("talos.etcd.snapshot", json!({"path": "snapshots/a.db"}));
    assert_eq!(taken["size"].as_u64().unwrap() % 512, 32);
    let found = home.with(async |cx| crate::host::evidence::snapshot(cx)).unwrap();
    assert!(found.verified && found.taken.0 <= home.world.now().0);
}

#[test]
fn what_the_lab_lets_one_foresee_is_what_it_does() {
    let home = Home::healthy();
    let writes = home.writes();
    for (call, args) in [
        ("talos.apply_config", json!({"node": "w-1", "file": home.cluster.machine_config("w-1")})),
        ("talos.bootstrap", json!({"node": "cp-1"})),
        ("kube.drain", json!({"node": "w-1"})),
        ("talos.reboot", json!({"node": "w-1"})),
        ("talos.kubeconfig", json!({"path": "kubeconfig"})),
    ] {
        home.predict(call, args).unwrap_or_else(|error| panic!("{call}: {error:?}"));
    }
    assert_eq!(home.writes(), writes, "a prediction sends no write");
}

#[test]
fn a_bare_machine_of_the_lab_is_proven_to_be_bare() {
    let home = Home::bare();
    home.done("talos.gen.secrets", json!({"output": "secrets.yaml"}));
    home.done("talos.client_config", json!({"path": "talosconfig"}));
    assert_eq!(home.done("talos.stage", json!({"node": "w-1"}))["stage"], json!("maintenance"));
    let error = home.perform("talos.version", json!({"node": "w-1"})).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Maintenance);
}
