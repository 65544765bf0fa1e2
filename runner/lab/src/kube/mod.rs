//! Kubernetes objects as far as drain needs them: nodes, pods with their owners and budgets.
//! They live in an etcd cluster. Nodes are here; pods in `pods`, the API in `serve`.

mod pods;
mod serve;

use crate::facts::Took;
use crate::node::{EtcdProcess, Step};
use crate::world::{Event, Ms, Name, NodeId, PodId, World};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The Ready condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ready {
    /// The kubelet says so.
    True,
    /// The kubelet says no: no CNI yet.
    False,
    /// The kubelet says nothing.
    Unknown,
}

/// A Node object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KubeNode {
    /// The machine it stands for.
    pub machine: NodeId,
    /// UID.
    pub uid: u64,
    /// When it was made.
    pub created: Ms,
    /// Ready condition.
    pub ready: Ready,
    /// Since when.
    pub since: Ms,
    /// `spec.unschedulable`.
    pub cordoned: bool,
    /// Whether it carries the control-plane label and taint.
    pub control_plane: bool,
    /// Number of the kubelet's present connection.
    pub link: u32,
    /// resourceVersion.
    pub version: u64,
}

impl KubeNode {
    /// Whether Ready is True.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready == Ready::True
    }
}

/// What owns a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// A Deployment, through a `ReplicaSet`.
    Deployment,
    /// A `StatefulSet`.
    StatefulSet,
    /// One pod on every node.
    DaemonSet,
    /// A mirror of a static pod, one on every control plane.
    Static,
    /// Nothing: a pod that nobody makes again.
    Bare,
}

/// A workload and its budget.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct App {
    /// Namespace.
    pub namespace: String,
    /// Name; also the value of the label `app`.
    pub name: String,
    /// Kind.
    pub kind: Workload,
    /// Wanted pods, for those that count them.
    pub replicas: u8,
    /// `minAvailable` of its budget.
    pub min_available: Option<u8>,
    /// Whether its pods have an emptyDir.
    pub empty_dir: bool,
    /// Whether it tolerates the control-plane taint.
    pub anywhere: bool,
}

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pod {
    /// Number of its app.
    pub app: u8,
    /// UID, and the random part of its name.
    pub uid: u64,
    /// Place in a `StatefulSet`.
    pub ordinal: u8,
    /// The node object it is on; none while Pending.
    pub node: Option<Name>,
    /// Ready.
    pub ready: bool,
    /// Since when it terminates.
    pub terminating: Option<Ms>,
    /// When it was made.
    pub created: Ms,
}

/// The objects of one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Kube {
    /// UID of the namespace kube-system.
    pub uid: u64,
    /// Last resourceVersion.
    pub version: u64,
    /// Whether a CNI is installed.
    pub cni: bool,
    /// Node objects by name.
    pub nodes: BTreeMap<Name, KubeNode>,
    /// Workloads.
    pub apps: Vec<App>,
    /// Pods.
    pub pods: BTreeMap<PodId, Pod>,
    /// Next pod id.
    pub next_pod: u32,
    /// Whether the controllers' next round is due already.
    pub round: bool,
}

impl Kube {
    /// What Talos brings: static pods, kube-proxy, the CNI where the config has one, and `CoreDNS`.
    #[must_use]
    pub fn new(uid: u64, cni: bool) -> Self {
        let app = |name: &str, kind, replicas, anywhere| App {
            namespace: "kube-system".into(),
            name: name.into(),
            kind,
            replicas,
            min_available: None,
            empty_dir: false,
            anywhere,
        };
        let mut apps = vec![
            app("kube-apiserver", Workload::Static, 0, true),
            app("kube-controller-manager", Workload::Static, 0, true),
            app("kube-scheduler", Workload::Static, 0, true),
            app("kube-proxy", Workload::DaemonSet, 0, true),
        ];
        if cni {
            apps.push(app("kube-flannel", Workload::DaemonSet, 0, true));
        }
        apps.push(app("coredns", Workload::Deployment, 2, true));
        Self {
            uid,
            version: 100,
            cni,
            nodes: BTreeMap::new(),
            apps,
            pods: BTreeMap::new(),
            next_pod: 1,
            round: false,
        }
    }

    /// Bytes of the database that holds these objects.
    #[must_use]
    pub fn size(&self) -> u64 {
        20 * 1024 * 1024 + (self.nodes.len() as u64 * 9 + self.pods.len() as u64 * 7) * 1024
    }

    pub(crate) fn bump(&mut self) -> u64 {
        self.version += 1;
        self.version
    }
}

impl World {
    /// The cluster whose API a node's kubelet talks to, when that API takes writes.
    fn api_of(&self, node: NodeId) -> Option<u8> {
        let number = self.cluster_of(node)?;
        let serving = self.cluster(number).quorum
            && self.node_ids().any(|id| {
                self.node(id).api
                    && self.connected(id)
                    && self.node(id).etcd_data.is_some_and(|data| data.cluster == number)
            });
        serving.then_some(number)
    }

    /// Starts the API server once its own etcd is healthy, stops it when that process is gone.
    pub(crate) fn api_follows(&mut self, node: NodeId) {
        if self.node(node).api {
            if self.node(node).etcd != EtcdProcess::Running {
                self.node_mut(node).api = false;
            }
            return;
        }
        if self.etcd_healthy(node) {
            let fresh =
                self.cluster_of(node).is_some_and(|n| self.cluster(n).kube.nodes.is_empty());
            let took = if fresh { Took::Bootstrap } else { Took::ApiServer };
            self.later_took(node, Step::ApiUp, took);
        }
    }

    pub(crate) fn api_up(&mut self, node: NodeId) {
        if self.node(node).api || !self.etcd_healthy(node) {
            return;
        }
        self.node_mut(node).api = true;
        if let Some(number) = self.cluster_of(node) {
            self.kube_resync(number);
        }
        self.settle(node);
    }

    /// After the API came back: kubelets report, silent nodes are noticed, missing pods are made.
    pub(crate) fn kube_resync(&mut self, number: u8) {
        if !self.cluster(number).quorum {
            return;
        }
        let nodes: Vec<NodeId> = self.node_ids().collect();
        for node in nodes {
            if self.node(node).kubelet && self.api_of(node) == Some(number) {
                self.later_took(node, Step::Register, Took::Register);
            }
        }
        let silent: Vec<(Name, u32)> = self
            .cluster(number)
            .kube
            .nodes
            .iter()
            .filter(|(_, node)| node.ready != Ready::Unknown && !self.node(node.machine).kubelet)
            .map(|(name, node)| (*name, node.link))
            .collect();
        for (node, link) in silent {
            let at = self.now + self.took(Took::Lease);
            self.push(at, Event::Lease { cluster: number, node, link });
        }
        self.schedule_soon(number);
    }

    pub(crate) fn kubelet_started(&mut self, node: NodeId) {
        if self.api_of(node).is_some() {
            self.later_took(node, Step::Register, Took::Register);
        }
    }

    pub(crate) fn kubelet_stopped(&mut self, node: NodeId) {
        if self.node(node).kubelet {
            self.node_mut(node).kubelet = false;
            self.kubelet_silent(node);
        }
    }

    /// Nothing is heard of a node any more: its lease runs.
    pub(crate) fn kubelet_silent(&mut self, node: NodeId) {
        for number in 0..self.etcd.clusters.len() as u8 {
            let found = self.object_of(number, node);
            if let Some((name, link)) = found {
                let at = self.now + self.took(Took::Lease);
                self.push(at, Event::Lease { cluster: number, node: name, link });
            }
        }
    }

    fn object_of(&self, number: u8, machine: NodeId) -> Option<(Name, u32)> {
        let nodes = &self.cluster(number).kube.nodes;
        nodes.iter().find(|(_, n)| n.machine == machine).map(|(name, n)| (*name, n.link))
    }

    pub(crate) fn kubelet_registers(&mut self, node: NodeId) {
        let Some(number) = self.api_of(node) else { return };
        if !self.node(node).kubelet || !self.connected(node) {
            return;
        }
        let name = self.node(node).hostname(self);
        let control_plane = self.node(node).is_control_plane(self);
        let now = self.now;
        let uid = self.streams.ids.draw();
        let known = self.cluster(number).kube.nodes.contains_key(&name);
        let kube = &mut self.cluster_mut(number).kube;
        let version = kube.bump();
        let object = kube.nodes.entry(name).or_insert(KubeNode {
            machine: node,
            uid,
            created: now,
            ready: Ready::False,
            since: now,
            cordoned: false,
            control_plane,
            link: 0,
            version,
        });
        object.machine = node;
        object.link += 1;
        if object.ready == Ready::Unknown {
            object.ready = Ready::False;
            object.since = now;
            object.version = version;
        }
        let was_ready = object.is_ready();
        let cni = kube.cni;
        self.schedule_soon(number);
        self.pods_resume(number, name);
        if was_ready {
            self.settle(node);
        } else if cni {
            let cached = self.node(node).images && known;
            let took = if cached { Took::CniCached } else { Took::Cni };
            self.later_took(node, Step::CniUp, took);
        }
    }

    pub(crate) fn cni_up(&mut self, node: NodeId) {
        let Some(number) = self.api_of(node) else { return };
        if !self.node(node).kubelet || !self.cluster(number).kube.cni {
            return;
        }
        self.node_mut(node).images = true;
        let Some((name, _)) = self.object_of(number, node) else { return };
        let now = self.now;
        let kube = &mut self.cluster_mut(number).kube;
        let version = kube.bump();
        if let Some(object) = kube.nodes.get_mut(&name)
            && !object.is_ready()
        {
            (object.ready, object.since, object.version) = (Ready::True, now, version);
        }
        self.schedule_soon(number);
        self.settle(node);
    }

    /// Installs a CNI into a cluster that came without one; nodes become Ready after it.
    pub fn install_cni(&mut self) {
        for number in 0..self.etcd.clusters.len() as u8 {
            self.cluster_mut(number).kube.cni = true;
        }
        let nodes: Vec<NodeId> = self.node_ids().filter(|&id| self.node(id).kubelet).collect();
        for node in nodes {
            self.later_took(node, Step::CniUp, Took::Cni);
        }
    }

    /// Whether the node's own object says Ready; a node without any API server is not.
    pub(crate) fn kube_ready(&self, node: NodeId) -> bool {
        let Some(number) = self.cluster_of(node) else { return false };
        let object = self
            .object_of(number, node)
            .and_then(|(name, _)| self.cluster(number).kube.nodes.get(&name));
        self.node(node).kubelet && object.is_some_and(KubeNode::is_ready)
    }

    pub(crate) fn lease_ends(&mut self, number: u8, name: Name, link: u32) {
        let Some(object) = self.cluster(number).kube.nodes.get(&name) else { return };
        let machine = object.machine;
        let heard = self.node(machine).kubelet && self.connected(machine);
        if object.link != link || heard || !self.cluster(number).quorum {
            return;
        }
        let now = self.now;
        let kube = &mut self.cluster_mut(number).kube;
        let version = kube.bump();
        if let Some(object) = kube.nodes.get_mut(&name) {
            (object.ready, object.since, object.version) = (Ready::Unknown, now, version);
        }
        for pod in kube.pods.values_mut().filter(|pod| pod.node == Some(name)) {
            pod.ready = false;
        }
        let at = now + self.took(Took::Toleration);
        self.push(at, Event::Tolerated { cluster: number, node: name, link });
    }

    /// The node's own cordon and drain, as reset and shutdown begin; gives how long it takes.
    pub(crate) fn node_drains(&mut self, node: NodeId) -> Ms {
        let Some(number) = self.api_of(node) else { return 0 };
        let Some((name, _)) = self.object_of(number, node) else { return 0 };
        let kube = &mut self.cluster_mut(number).kube;
        let version = kube.bump();
        if let Some(object) = kube.nodes.get_mut(&name) {
            (object.cordoned, object.version) = (true, version);
        }
        let blocked = self.evict_all(number, name);
        let cordon = self.took(Took::DrainCordon);
        let rest = self.took(if blocked { Took::DrainLimit } else { Took::DrainQuick });
        cordon + rest
    }
}
