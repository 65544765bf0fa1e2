//! Facts about a cluster as the engine read them, typed. Rules on them live beside the guards; nothing here reads anything.

use std::collections::BTreeMap;

use super::evidence::Evidence;
use crate::inventory::Role;
use crate::time::{Span, Time};

/// Something that the engine tried to learn, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen<T> {
    /// When it was read.
    pub at: Time,
    /// What it is, or why it could not be learned.
    pub found: Result<T, String>,
}

impl<T> Seen<T> {
    /// A fact.
    pub fn known(at: Time, fact: T) -> Seen<T> {
        Seen { at, found: Ok(fact) }
    }

    /// What could not be learned, and why.
    pub fn unknown(at: Time, why: impl Into<String>) -> Seen<T> {
        Seen { at, found: Err(why.into()) }
    }
}

/// The fact, if there is one that is still fresh.
///
/// # Errors
/// Why nobody can say: never asked, no answer, too old, or from a later time than now.
pub fn fresh<T>(seen: Option<&Seen<T>>, limit: Span, now: Time) -> Result<&T, String> {
    let seen = seen.ok_or("not asked")?;
    let fact = seen.found.as_ref().map_err(String::clone)?;
    if seen.at > now {
        return Err("read at a later time than now: the clock was turned back".into());
    }
    let age = now.since(seen.at);
    if age > limit {
        return Err(format!("{age} old, at most {limit} counts"));
    }
    Ok(fact)
}

/// Everything that guards know of a cluster when they judge.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// What identifies the cluster.
    pub cluster: Option<Seen<ClusterIdentity>>,
    /// etcd as its control planes see it.
    pub etcd: Option<Seen<EtcdView>>,
    /// The newest etcd snapshot whose hash was verified now.
    pub snapshot: Option<Seen<Snapshot>>,
    /// Per node, by name.
    pub nodes: BTreeMap<String, NodeFacts>,
    /// SHA-256 of the Talos CA in the repository's own secrets bundle or talosconfig (DER, hexadecimal).
    pub own_ca: Option<String>,
    /// Nodes that this run is taking away right now and has not seen again; without the call that is judged.
    pub under_way: Vec<String>,
    /// Control planes that this run has reset: they left etcd on purpose and are not missed as members.
    pub left: Vec<String>,
    /// What earlier runs left open: nodes that are away, try windows.
    pub open: Vec<Open>,
    /// Rows of a team's own evidence: they can only add reasons to refuse.
    pub also: Vec<Evidence>,
}

impl Facts {
    /// What is known of a node.
    pub fn node(&self, name: &str) -> Option<&NodeFacts> {
        self.nodes.get(name)
    }

    /// The entry of a node, made where there is none.
    pub fn node_mut(&mut self, name: &str) -> &mut NodeFacts {
        self.nodes.entry(name.to_owned()).or_default()
    }
}

/// What is known of one node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeFacts {
    /// Which machine answers, read through the route that the call will take.
    pub identity: Option<Seen<NodeIdentity>>,
    /// Whether it is in maintenance mode.
    pub maintenance: Option<Seen<Maintenance>>,
    /// Its volumes.
    pub volumes: Option<Seen<Vec<Volume>>>,
    /// What runs on it.
    pub workloads: Option<Seen<Workloads>>,
    /// Storage systems, as far as this node matters to them.
    pub storage: Option<Seen<Storage>>,
    /// The config that is about to be applied to it.
    pub config: Option<Seen<ConfigFacts>>,
}

/// What identifies a cluster. Digests are SHA-256 of a certificate in DER, in hexadecimal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterIdentity {
    /// Talos CA that the nodes' certificates chain to.
    pub talos_ca: Option<String>,
    /// CA of the Kubernetes API.
    pub kubernetes_ca: Option<String>,
    /// UID of the namespace kube-system.
    pub kube_system_uid: Option<String>,
}

/// Which machine answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeIdentity {
    /// CA that its certificate chains to (SHA-256 of the DER); none in maintenance mode.
    pub ca: Option<String>,
    /// SMBIOS UUID.
    pub uuid: Option<String>,
    /// Permanent MAC addresses.
    pub macs: Vec<String>,
    /// World-wide id of the system disk.
    pub disk_wwid: Option<String>,
    /// Serial number of the machine or its system disk.
    pub serial: Option<String>,
    /// Host name.
    pub hostname: Option<String>,
    /// `machine.type`; none where it has no config.
    pub machine_type: Option<Role>,
    /// `machinestatus.stage`: `running`, `booting`, `maintenance`, …
    pub stage: Option<String>,
    /// Boot id.
    pub boot_id: Option<String>,
}

/// The three proofs of maintenance mode. All must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Maintenance {
    /// The API answers without certificates.
    pub answers_insecure: bool,
    /// An authenticated call fails with a certificate error.
    pub refuses_certificate: bool,
    /// It has no machine config.
    pub without_config: bool,
}

impl Maintenance {
    /// Whether the node is proven to be in maintenance mode.
    pub const fn proven(self) -> bool {
        self.answers_insecure && self.refuses_certificate && self.without_config
    }
}

/// A volume of a node, as `volumestatus` and `mountstatus` show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its id, such as `STATE`, `EPHEMERAL`, `u-data`.
    pub label: String,
    /// Found on a disk: the server wipes no volume that is not located.
    pub located: bool,
    /// Mounted now.
    pub mounted: bool,
}

/// An etcd snapshot on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its path.
    pub path: String,
    /// When it was taken.
    pub taken: Time,
    /// Its length in bytes.
    pub size: u64,
    /// Its hash was computed and fits.
    pub verified: bool,
}

/// What runs on a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workloads {
    /// Kubernetes knows the node.
    pub registered: bool,
    /// Pods on it without those of daemon sets and static ones, as `namespace/name`.
    pub pods: Vec<String>,
    /// Those of them that nothing brings back elsewhere: no controller owns them.
    pub alone: Vec<String>,
    /// Disruption budgets that cover pods here and allow no eviction now.
    pub blocked: Vec<String>,
}

/// Storage systems of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Storage {
    /// Storage CRDs in discovery, such as `longhorn.io`.
    pub crds: Vec<String>,
    /// Volumes with data on this node; none where they could not be read.
    pub volumes: Option<Vec<StorageVolume>>,
    /// Local persistent volumes on this node.
    pub local: Vec<String>,
}

/// A replicated volume with data on the node in question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageVolume {
    /// Its name.
    pub name: String,
    /// All replicas are healthy.
    pub healthy: bool,
    /// Healthy replicas on other nodes.
    pub elsewhere: u32,
}

/// A machine config that is about to be applied, as far as guards care.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigFacts {
    /// `machine.type`.
    pub machine_type: Option<Role>,
    /// SHA-256 of its Talos CA certificate (DER, hexadecimal).
    pub ca: Option<String>,
    /// Host name that it sets.
    pub hostname: Option<String>,
    /// Whether applying it in the call's mode reboots the node; none where the server was not asked.
    pub reboots: Option<bool>,
    /// What its install disk selector matches at first contact; none where the node is installed.
    pub install: Option<InstallMatch>,
}

/// Disks that an install selector matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstallMatch {
    /// The disks, by device, with serial or wwid.
    pub disks: Vec<String>,
    /// Foreign signatures on them: file systems, LVM, bluestore.
    pub foreign: Vec<String>,
}

/// Something that an earlier run left open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// What kind.
    pub kind: OpenKind,
    /// The node.
    pub node: String,
    /// The run that left it.
    pub run: String,
}

/// Kinds of what a run can leave open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenKind {
    /// A node that was taken away and has not been seen again.
    Away,
    /// A config on trial: any other apply, dry runs too, would keep it until the next reboot.
    TryWindow,
}

/// etcd, as each control plane that was asked sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EtcdView {
    /// One answer per control plane.
    pub answers: Vec<EtcdAnswer>,
}

/// What one control plane says about etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdAnswer {
    /// The control plane, by its inventory name.
    pub node: String,
    /// What it said.
    pub said: EtcdSaid,
}

/// An answer about etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EtcdSaid {
    /// Its member list and its own status.
    Members {
        /// The members that it lists.
        members: Vec<Member>,
        /// Its own status; none where its etcd does not answer.
        status: Option<MemberStatus>,
    },
    /// It is proven to have no etcd data: maintenance mode, or a config without a bootstrapped etcd.
    NoEtcd,
    /// It gave no answer, and why.
    Silent(String),
}

/// A member in a member list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Member id in hexadecimal.
    pub id: String,
    /// Its name: the node's host name; empty where it never started.
    pub name: String,
    /// It does not vote.
    pub learner: bool,
}

/// Status of the member on the node that was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberStatus {
    /// Its member id in hexadecimal.
    pub id: String,
    /// Id of the leader that it knows; empty where it knows none.
    pub leader: String,
    /// Raft index.
    pub raft_index: u64,
    /// Errors that it reports.
    pub errors: Vec<String>,
    /// Alarms raised by it: `NOSPACE`, `CORRUPT`.
    pub alarms: Vec<String>,
    /// The Talos service `etcd` is healthy.
    pub healthy: bool,
}
