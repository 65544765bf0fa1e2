//! A typed picture of a lab, for drawing and for `--json`: what a person asks first.

use crate::lab::Lab;
use crate::ledger::{Asset, Extent, Loss, Place, What};
use crate::node::{EtcdProcess, Node, Stage};
use crate::spec::Role;
use crate::world::{Ms, NodeId, World};
use serde::Serialize;

/// A lab as it is now.
#[derive(Clone, Debug, Serialize)]
pub struct LabState {
    /// Always `ops.lab.state`.
    pub schema: &'static str,
    /// Version of this form.
    pub version: u32,
    /// The simulation's own line.
    pub header: String,
    /// Cluster name.
    pub cluster: String,
    /// Simulated milliseconds since the lab began.
    pub now_ms: Ms,
    /// Machines.
    pub nodes: Vec<NodeState>,
    /// etcd clusters that have members.
    pub etcd: Vec<EtcdState>,
    /// Kubernetes, where there is one.
    pub kubernetes: Option<KubeState>,
    /// Faults in force, as they were named.
    pub faults: Vec<String>,
    /// Losses, oldest first.
    pub losses: Vec<LossState>,
    /// How many things worth money have a copy.
    pub assets: usize,
    /// Requests that reached somebody, and how many of them were writes.
    pub requests: [usize; 2],
    /// Digest of the history.
    pub digest: String,
}

/// A machine.
#[derive(Clone, Debug, Serialize)]
pub struct NodeState {
    /// Name.
    pub name: String,
    /// Address.
    pub address: String,
    /// Declared role.
    pub role: &'static str,
    /// Stage; `off` without power, `needs hands` when nothing boots.
    pub stage: String,
    /// Whether Talos is ready.
    pub ready: bool,
    /// `none`, `in force`, `trial`, `trial without end`, `staged`, `waits in STATE`.
    pub config: &'static str,
    /// `leader`, `voter`, `learner`, `down`, `waits`, `data only`, or nothing.
    pub etcd: &'static str,
    /// `Ready`, `NotReady`, `Unknown`, or nothing.
    pub kubernetes: &'static str,
    /// Whether it is cordoned.
    pub cordoned: bool,
    /// Pods on it.
    pub pods: usize,
}

/// An etcd cluster.
#[derive(Clone, Debug, Serialize)]
pub struct EtcdState {
    /// Id in hexadecimal.
    pub id: String,
    /// Voters that are alive.
    pub alive: usize,
    /// Voters.
    pub voters: usize,
    /// Learners.
    pub learners: usize,
    /// Voters that a decision needs.
    pub needed: usize,
    /// Whether it takes writes.
    pub quorum: bool,
    /// Leader's name.
    pub leader: Option<String>,
    /// Raft index.
    pub index: u64,
}

/// Kubernetes.
#[derive(Clone, Debug, Serialize)]
pub struct KubeState {
    /// Whether its API takes writes.
    pub api: bool,
    /// Node objects that are Ready.
    pub ready: usize,
    /// Node objects.
    pub nodes: usize,
    /// Pods that are Ready.
    pub pods_ready: usize,
    /// Pods.
    pub pods: usize,
    /// Budgets: app, and how many of its pods may go.
    pub budgets: Vec<(String, u8)>,
}

/// A loss in words.
#[derive(Clone, Debug, Serialize)]
pub struct LossState {
    /// When.
    pub at_ms: Ms,
    /// What.
    pub what: String,
    /// By what.
    pub cause: String,
}

impl Lab {
    /// The lab as it is now.
    #[must_use]
    pub fn state(&self) -> LabState {
        let world = self.world();
        let writes = self.requests().iter().filter(|request| request.writes).count();
        LabState {
            schema: "ops.lab.state",
            version: 1,
            header: crate::header(),
            cluster: self.spec().cluster.clone(),
            now_ms: world.now,
            nodes: world.node_ids().map(|node| node_state(world, node)).collect(),
            etcd: (0..world.etcd.clusters.len() as u8)
                .filter(|&number| !world.cluster(number).members.is_empty())
                .map(|number| etcd_state(world, number))
                .collect(),
            kubernetes: world.primary().map(|number| kube_state(world, number)),
            faults: faults(world),
            losses: world.ledger.losses.iter().map(|loss| loss_state(world, loss)).collect(),
            assets: world.ledger.copies.values().filter(|copies| !copies.is_empty()).count(),
            requests: [self.requests().len(), writes],
            digest: format!("{:016x}", self.digest()),
        }
    }
}

fn node_state(world: &World, id: NodeId) -> NodeState {
    let node = world.node(id);
    let cluster = world.primary().map(|number| world.cluster(number));
    let object = cluster
        .and_then(|cluster| cluster.kube.nodes.iter().find(|(_, object)| object.machine == id));
    let pods = cluster.map_or(0, |cluster| {
        cluster
            .kube
            .pods
            .values()
            .filter(|pod| pod.node.is_some() && pod.node == object.map(|(name, _)| *name))
            .count()
    });
    NodeState {
        name: world.name(node.name).to_owned(),
        address: world.name(node.address).to_owned(),
        role: match node.role {
            Role::ControlPlane => "control-plane",
            Role::Worker => "worker",
        },
        stage: if node.needs_hands { "needs hands".into() } else { node.stage.word().into() },
        ready: node.ready,
        config: config(node),
        etcd: etcd(world, id),
        kubernetes: object.map_or("", |(_, object)| match object.ready {
            crate::kube::Ready::True => "Ready",
            crate::kube::Ready::False => "NotReady",
            crate::kube::Ready::Unknown => "Unknown",
        }),
        cordoned: object.is_some_and(|(_, object)| object.cordoned),
        pods,
    }
}

fn config(node: &Node) -> &'static str {
    match (node.active, node.persisted) {
        _ if node.stuck_trial => "trial without end",
        _ if node.window.is_some() => "trial",
        (Some(active), Some(persisted)) if active == persisted => "in force",
        (Some(_), Some(_)) => "staged",
        (Some(_), None) => "in memory",
        (None, Some(_)) => "waits in STATE",
        (None, None) => "none",
    }
}

fn etcd(world: &World, id: NodeId) -> &'static str {
    let node = world.node(id);
    let Some(data) = node.etcd_data else {
        return if node.etcd == EtcdProcess::Waiting { "waits" } else { "" };
    };
    let cluster = world.cluster(data.cluster);
    match cluster.member(data.member) {
        None => "data only",
        Some(member) if !world.member_alive(data.cluster, member) => "down",
        Some(member) if member.learner => "learner",
        Some(member) if cluster.leader == Some(member.id) => "leader",
        Some(_) => "voter",
    }
}

fn etcd_state(world: &World, number: u8) -> EtcdState {
    let cluster = world.cluster(number);
    let leader = cluster.leader.and_then(|id| cluster.member(id));
    EtcdState {
        id: format!("{:016x}", cluster.id),
        alive: world.alive_voters(number),
        voters: cluster.voters().count(),
        learners: cluster.members.len() - cluster.voters().count(),
        needed: cluster.needed(),
        quorum: cluster.quorum,
        leader: leader.map(|member| world.name(member.name).to_owned()),
        index: cluster.index_at(world.now),
    }
}

fn kube_state(world: &World, number: u8) -> KubeState {
    let kube = &world.cluster(number).kube;
    let api = world.cluster(number).quorum && world.node_ids().any(|node| world.node(node).api);
    KubeState {
        api,
        ready: kube.nodes.values().filter(|node| node.is_ready()).count(),
        nodes: kube.nodes.len(),
        pods_ready: kube.pods.values().filter(|pod| pod.ready).count(),
        pods: kube.pods.len(),
        budgets: (0u8..)
            .zip(&kube.apps)
            .filter(|(_, app)| app.min_available.is_some())
            .map(|(place, app)| {
                (format!("{}/{}", app.namespace, app.name), kube.allowed_disruptions(place))
            })
            .collect(),
    }
}

fn faults(world: &World) -> Vec<String> {
    let faults = &world.faults;
    let mut out = Vec::new();
    for (name, nodes) in [
        ("node-offline", &faults.offline),
        ("network-cut", &faults.cut),
        ("etcd-member-down", &faults.etcd_down),
    ] {
        for node in nodes {
            out.push(format!("{name} {}", world.name(world.node(*node).name)));
        }
    }
    for (name, on) in [
        ("api-timeout", faults.api_timeout),
        ("wrong-context", faults.wrong_context),
        ("slow", faults.slow),
        ("lose-reply", faults.lose_replies > 0),
        ("lose-request", faults.lose_requests > 0),
    ] {
        if on {
            out.push(name.to_owned());
        }
    }
    out
}

fn loss_state(world: &World, loss: &Loss) -> LossState {
    let name = |node: NodeId| world.name(world.node(node).name).to_owned();
    let what = match loss.asset {
        Asset::Etcd(_) => "etcd: everything the cluster knew".to_owned(),
        Asset::Quorum(_) => "etcd: a quorum can never come back by itself".to_owned(),
        Asset::Volume(number) => {
            let volume = &world.volumes[usize::from(number)];
            format!("volume {}: its last copy", world.name(volume.name))
        }
        Asset::Secrets(_) => "the cluster's keys: their last copy".to_owned(),
        Asset::Boot(node) => format!("{}: nothing left to boot from", name(node)),
        Asset::OneCluster => "two etcd clusters with the same secrets".to_owned(),
        Asset::Config(node) => {
            format!("{}: a trial without end, the next reboot silently reverts it", name(node))
        }
    };
    let what = match loss.extent {
        Extent::All => what,
        Extent::AfterRevision(revision) => format!("{what}, after revision {revision}"),
    };
    let by = match loss.cause.what {
        What::Reset => "reset",
        What::WipeDisk => "reset without partitions",
        What::Install => "install",
        What::LeaveEtcd => "leaving etcd",
        What::Config => "apply-config",
        What::Recover => "bootstrap from a snapshot",
        What::Bootstrap => "bootstrap",
        What::TryWindow => "apply-config in a try window",
    };
    LossState { at_ms: loss.at, what, cause: format!("{by} on {}", name(loss.cause.node)) }
}

impl World {
    /// Copies of an asset on nodes.
    #[must_use]
    pub fn copies_on_nodes(&self, asset: Asset) -> usize {
        self.ledger.copies.get(&asset).map_or(0, |places| {
            places.iter().filter(|place| matches!(place, Place::Node(_))).count()
        })
    }

    /// Fingerprint of everything that decides what can happen next, times and ids left out: two
    /// worlds of the same shape have the same futures, but for jitter.
    pub fn shape(&self) -> u64 {
        let nodes: Vec<_> = self
            .nodes
            .iter()
            .map(|node| {
                (
                    (node.stage, node.powered, node.installed, node.needs_hands),
                    (node.persisted, node.active, node.stuck_trial, node.window.is_some()),
                    (node.etcd, node.etcd_data.is_some(), node.services, node.api),
                )
            })
            .collect();
        let clusters: Vec<_> = (0..self.etcd.clusters.len() as u8)
            .map(|number| {
                let cluster = self.cluster(number);
                let members: Vec<_> = cluster
                    .members
                    .iter()
                    .map(|member| (member.node, member.learner, self.member_alive(number, member)))
                    .collect();
                (cluster.quorum, members)
            })
            .collect();
        let losses: Vec<_> = self.ledger.losses.iter().map(|loss| loss.asset).collect();
        crate::trace::fingerprint(&(nodes, clusters, &self.faults, losses))
    }

    /// Whether any machine is between two stages.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.nodes
            .iter()
            .all(|node| matches!(node.stage, Stage::Off | Stage::Maintenance | Stage::Running))
    }
}
