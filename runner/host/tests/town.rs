//! A world of a few machines: each is up, bare or away, has a boot, a config and perhaps etcd. It knows nothing of who asks.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use ops_core::argv::{Argv, ToolOutput};
use ops_core::call::table::Call;
use ops_core::call::{Common, Request, Target, Witness};
use ops_core::error::CallError;
use ops_core::inventory::{Cluster, Node, Role};
use ops_core::time::{Span, Time};
use serde_json::{Value, json};

use crate::host::{HostCx, Memo, Prediction, perform, predict};
use crate::sys::blobs::{Blobs, MemoryBlobs};
use crate::sys::faulty::{Faulty, FileFault};
use crate::sys::files::Files;
use crate::sys::overlay::Overlay;
use crate::sys::world::{KubeReply, KubeRequest, Local, ToolFailure, Unwatched, Watcher, World};

/// How a machine answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Power {
    Up,
    Bare,
    Away,
}

/// A machine.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) power: Power,
    pub(super) stage: &'static str,
    pub(super) unmet: &'static str,
    pub(super) boot: u32,
    pub(super) active: String,
    pub(super) persisted: String,
    pub(super) volumes: BTreeMap<&'static str, String>,
    /// Names of the members that its etcd lists; none where it does not run.
    pub(super) etcd: Option<Vec<String>>,
    pub(super) etcd_service: &'static str,
    pub(super) learner: bool,
}

type Happening = Box<dyn FnOnce(&mut BTreeMap<String, Machine>)>;

/// The world.
pub(super) struct Town {
    pub(super) now: Cell<u64>,
    pub(super) asked: RefCell<Vec<String>>,
    pub(super) machines: RefCell<BTreeMap<String, Machine>>,
    pub(super) kube: RefCell<BTreeMap<String, (u16, Value)>>,
    later: RefCell<Vec<(u64, Happening)>>,
    pub(super) files: Rc<Overlay>,
    /// Files that fail, in place of the others.
    pub(super) faulty: Option<Rc<Faulty>>,
    pub(super) blobs: MemoryBlobs,
    pub(super) cluster: Cluster,
    pub(super) reasons: RefCell<Vec<String>>,
    /// The next change takes effect, and then its client says that the connection was lost.
    pub(super) lies: Cell<bool>,
    /// The next change is accepted and dropped.
    pub(super) drops: Cell<bool>,
    /// A reset reboots without having wiped anything.
    pub(super) keeps: Cell<bool>,
    pub(super) snapshot: RefCell<Vec<u8>>,
    memo: Memo,
}

/// A recorded input of the real tool.
pub(super) fn input(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/talosctl/1.13.0/inputs");
    std::fs::read(format!("{folder}/{name}")).unwrap()
}

fn config(name: &str) -> String {
    let file = if name.starts_with("cp") { "controlplane.yaml" } else { "worker.yaml" };
    String::from_utf8(input(file)).unwrap().replace("auto: stable", &format!("hostname: {name}"))
}

impl Machine {
    fn healthy(name: &str, members: &[&str]) -> Machine {
        let volumes = ["META", "STATE", "EPHEMERAL"].map(|l| (l, format!("{name}-{l}-1")));
        Machine {
            power: Power::Up,
            stage: "running",
            unmet: "",
            boot: 1,
            active: config(name),
            persisted: config(name),
            volumes: volumes.into(),
            etcd: name.starts_with("cp").then(|| members.iter().map(|m| (*m).to_owned()).collect()),
            etcd_service: "Running",
            learner: false,
        }
    }

    /// Nothing installed, no config.
    pub(super) fn bare(&mut self) {
        self.power = Power::Bare;
        self.stage = "maintenance";
        (self.active, self.persisted) = (String::new(), String::new());
        self.volumes.values_mut().for_each(String::clear);
        self.etcd = None;
        self.etcd_service = "Preparing";
    }
}

const MEMBERS: [&str; 3] = ["cp-1", "cp-2", "cp-3"];

impl Town {
    /// Three control planes and two workers, all healthy, with talosconfig, kubeconfig and secrets in the repository.
    pub(super) fn healthy() -> Town {
        let node = |name: &str, address: &str| Node {
            name: name.into(),
            role: if name.starts_with("cp") { Role::Controlplane } else { Role::Worker },
            address: address.into(),
            endpoint: None,
            install_disk: None,
            tags: Vec::new(),
        };
        let nodes = vec![
            node("cp-1", "10.9.0.11"),
            node("cp-2", "10.9.0.12"),
            node("cp-3", "10.9.0.13"),
            node("w-1", "10.9.0.21"),
            node("w-2", "10.9.0.22"),
        ];
        let machines =
            nodes.iter().map(|n| (n.address.clone(), Machine::healthy(&n.name, &MEMBERS)));
        let town = Town {
            now: Cell::new(1_800_000_000_000),
            asked: RefCell::default(),
            machines: RefCell::new(machines.collect()),
            kube: RefCell::default(),
            later: RefCell::default(),
            files: Rc::new(Overlay::empty()),
            faulty: None,
            blobs: MemoryBlobs::new([7; 32]),
            cluster: Cluster {
                name: "home".into(),
                context: "home".into(),
                endpoint: "https://10.9.0.10:6443".into(),
                nodes,
                versions: ops_core::inventory::Versions::default(),
                pod_cidrs: Vec::new(),
                service_cidrs: Vec::new(),
                kubeconfig: "kubeconfig".into(),
                talosconfig: "talosconfig".into(),
                secrets: "secrets.yaml".into(),
                config_dir: "configs".into(),
                snapshot_dir: "snapshots".into(),
                settings: BTreeMap::new(),
                guards: ops_core::inventory::GuardSettings::default(),
                machines: ops_core::machines::Machines::default(),
            },
            reasons: RefCell::default(),
            lies: Cell::new(false),
            drops: Cell::new(false),
            keeps: Cell::new(false),
            snapshot: RefCell::new(Vec::new()),
            memo: Memo::default(),
        };
        let talosconfig = String::from_utf8(input("talosconfig")).unwrap();
        town.put("talosconfig", talosconfig.as_bytes());
        town.put("secrets.yaml", &input("secrets.yaml"));
        for name in ["cp-1", "cp-2", "cp-3", "w-1", "w-2"] {
            town.put(&format!("configs/home-{name}.yaml"), config(name).as_bytes());
            town.kube_node(name, true, "");
        }
        town.kubernetes("/api/v1/pods", json!({"items": []}));
        town.kubernetes("/apis/policy/v1/poddisruptionbudgets", json!({"items": []}));
        town
    }

    /// Every machine fresh from the installer.
    pub(super) fn bare() -> Town {
        let town = Town::healthy();
        town.machines.borrow_mut().values_mut().for_each(Machine::bare);
        town
    }

    pub(super) fn put(&self, path: &str, bytes: &[u8]) {
        self.files.write(path, bytes, 0o600).unwrap();
    }

    /// From now on a path and everything below it is at fault.
    pub(super) fn fault(&mut self, path: &str, fault: FileFault) {
        self.faulty = Some(Rc::new(Faulty::over(self.files.clone()).fault(path, fault)));
    }

    pub(super) fn text(&self, path: &str) -> String {
        String::from_utf8(self.files.read(path).unwrap()).unwrap()
    }

    pub(super) fn kubernetes(&self, path: &str, body: Value) {
        self.kube.borrow_mut().insert(path.into(), (200, body));
    }

    pub(super) fn kube_node(&self, name: &str, ready: bool, message: &str) {
        let ready = if ready { "True" } else { "False" };
        let body = json!({
            "metadata": {"name": name}, "spec": {},
            "status": {"conditions": [{"type": "Ready", "status": ready, "message": message}]},
        });
        self.kubernetes(&format!("/api/v1/nodes/{name}"), body);
    }

    pub(super) fn pods(&self, node: &str, names: &[&str]) {
        let items: Vec<Value> = names
            .iter()
            .map(|n| json!({"metadata": {"namespace": "a", "name": n, "ownerReferences": [{"kind": "ReplicaSet", "controller": true}], "labels": {"app": n}}}))
            .collect();
        let path = format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{node}");
        self.kubernetes(&path, json!({"items": items}));
    }

    pub(super) fn machine(&self, name: &str, change: impl FnOnce(&mut Machine)) {
        let address = self.cluster.node(name).unwrap().address.clone();
        change(self.machines.borrow_mut().get_mut(&address).unwrap());
    }

    /// Something happens to a machine when time has moved so far.
    pub(super) fn later(
        &self,
        name: &str,
        span: Span,
        change: impl FnOnce(&mut Machine) + 'static,
    ) {
        let address = self.cluster.node(name).unwrap().address.clone();
        let at = self.now.get() + span.0;
        let happening: Happening =
            Box::new(move |machines| change(machines.get_mut(&address).unwrap()));
        self.later.borrow_mut().push((at, happening));
    }

    fn pass(&self, span: Span) {
        self.now.set(self.now.get() + span.0);
        let (due, rest): (Vec<_>, Vec<_>) =
            self.later.take().into_iter().partition(|(at, _)| *at <= self.now.get());
        self.later.replace(rest);
        for (_, happening) in due {
            happening(&mut self.machines.borrow_mut());
        }
    }

    fn with<T>(&self, work: impl AsyncFnOnce(&HostCx<'_>) -> T) -> T {
        let waits =
            |reason: &str, _: u64, _: u64| self.reasons.borrow_mut().push(reason.to_owned());
        let faulty = self.faulty.as_ref().map(|faulty| &**faulty as &dyn Files);
        let cx = HostCx {
            world: self,
            files: faulty.unwrap_or(&*self.files),
            blobs: &self.blobs,
            secrets: &crate::sys::secrets::NoSecrets,
            cluster: Some(&self.cluster),
            lock: None,
            root: "/repo",
            watcher: &Unwatched,
            waits: &waits,
            memo: &self.memo,
        };
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work(&cx))
    }

    pub(super) fn perform(&self, call: &str, args: Value) -> Result<Value, CallError> {
        let (call, common) = decoded(call, args);
        self.with(async |cx| perform(&call, &common, cx).await)
    }

    pub(super) fn predict(&self, call: &str, args: Value) -> Result<Prediction, CallError> {
        let (call, common) = decoded(call, args);
        self.with(async |cx| predict(&call, &common, cx).await)
    }

    pub(super) fn witness(&self, witness: &Witness) -> Value {
        self.with(async |cx| crate::host::witness::witness(witness, cx).await)
    }

    pub(super) fn reading<T>(&self, work: impl AsyncFnOnce(&HostCx<'_>) -> T) -> T {
        self.with(work)
    }

    /// The commands that could change something.
    pub(super) fn changes(&self) -> Vec<String> {
        const CHANGES: [&str; 8] = [
            "apply-config",
            "bootstrap",
            "reboot",
            "reset",
            "cordon",
            "uncordon",
            "drain",
            "gen secrets",
        ];
        let asked = self.asked.borrow();
        asked.iter().filter(|a| CHANGES.iter().any(|c| a.starts_with(c))).cloned().collect()
    }

    pub(super) fn blob(&self, reply: &Value) -> Vec<u8> {
        let Some(ops_core::value::Handle::Blob(blob)) = ops_core::value::Handle::from_value(reply)
        else {
            panic!("{reply} is no blob")
        };
        assert!(blob.sealed, "configs are sealed");
        self.blobs.get(&blob).unwrap()
    }
}

fn decoded(call: &str, args: Value) -> (Call, Common) {
    let Value::Object(args) = args else { panic!("no table") };
    Call::decode(&Request { call: call.into(), args, place: None }).unwrap()
}

impl World for Town {
    fn run<'a>(
        &'a self,
        argv: &'a Argv,
        _: Option<Span>,
        _: &'a dyn Watcher,
    ) -> Local<'a, Result<ToolOutput, ToolFailure>> {
        self.pass(Span(100));
        let (code, stdout, stderr) = super::tools::answer(self, argv);
        Box::pin(async move {
            Ok(ToolOutput { code, stdout: stdout.into_bytes(), stderr: stderr.into_bytes() })
        })
    }

    fn kube<'a>(
        &'a self,
        _: &'a Target,
        request: &'a KubeRequest,
    ) -> Local<'a, Result<KubeReply, ToolFailure>> {
        self.pass(Span(10));
        let known = self.kube.borrow();
        let missing = json!({"message": format!("{} not found", request.path)});
        let (status, body) = known.get(&request.path).cloned().unwrap_or((404, missing));
        Box::pin(async move { Ok(KubeReply { status, body }) })
    }

    fn now(&self) -> Time {
        Time(self.now.get())
    }

    fn sleep(&self, span: Span) -> Local<'_, ()> {
        self.pass(span);
        Box::pin(async {})
    }

    fn random(&self) -> u64 {
        4
    }

    fn simulated(&self) -> bool {
        false
    }
}
