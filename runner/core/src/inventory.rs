//! The inventory as data: clusters, nodes, pins. Reads no files; `config` in the root package does.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::machines::Machines;
use crate::time::Span;

/// What a node does in its cluster.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Runs etcd and the Kubernetes control plane.
    Controlplane,
    /// Runs workloads only.
    Worker,
}

impl Role {
    /// The word that Talos uses for `machine.type`.
    pub const fn word(self) -> &'static str {
        match self {
            Role::Controlplane => "controlplane",
            Role::Worker => "worker",
        }
    }
}

/// How a node's install disk is recognised. At first contact it must match exactly one disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstallDisk {
    /// Serial number of the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// World-wide id of the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wwid: Option<String>,
    /// Device path such as `/dev/sda`; moves between boots, so prefer the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

/// One machine of the inventory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Its name: host name and Kubernetes node name.
    pub name: String,
    /// What it does.
    pub role: Role,
    /// The address where its Talos API answers, without a port.
    pub address: String,
    /// Where requests to this node are sent instead of to itself (a proxy such as Omni).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Its install disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install_disk: Option<InstallDisk>,
    /// Free words for selection: `@storage`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

impl Node {
    /// Whether it runs etcd and the control plane.
    pub fn is_control_plane(&self) -> bool {
        self.role == Role::Controlplane
    }

    /// Where the Talos client connects for this node.
    pub fn route(&self) -> &str {
        self.endpoint.as_deref().unwrap_or(&self.address)
    }
}

/// Versions that the inventory asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    /// Talos, such as `v1.13.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub talos: Option<String>,
    /// Kubernetes, such as `v1.36.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<String>,
}

/// Settings that tighten the guards of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardSettings {
    /// How long after `ops verify` a run may claim the grant; at most 15 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_ttl: Option<Span>,
    /// Oldest etcd snapshot that counts; at most 15 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_max_age: Option<Span>,
    /// How many other people must approve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<u32>,
}

/// A cluster of the inventory, frozen for one run. The default one stands where recipes have none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Its name: the file's name under `clusters/`.
    pub name: String,
    /// The context in kubeconfig and talosconfig.
    pub context: String,
    /// URL of the Kubernetes API, such as `https://10.9.0.10:6443`.
    pub endpoint: String,
    /// Every node, in the order of the file.
    pub nodes: Vec<Node>,
    /// Versions asked for.
    #[serde(default)]
    pub versions: Versions,
    /// Pod networks.
    #[serde(default)]
    pub pod_cidrs: Vec<String>,
    /// Service networks.
    #[serde(default)]
    pub service_cidrs: Vec<String>,
    /// Path of the repository's kubeconfig, relative to the root.
    pub kubeconfig: String,
    /// Path of the repository's talosconfig, relative to the root.
    pub talosconfig: String,
    /// Path of the secrets bundle, relative to the root.
    pub secrets: String,
    /// Folder of the machine configs, relative to the root.
    pub config_dir: String,
    /// Folder of etcd snapshots, relative to the root.
    pub snapshot_dir: String,
    /// Free values for recipes.
    #[serde(default)]
    pub settings: BTreeMap<String, serde_json::Value>,
    /// Tightened guards.
    #[serde(default)]
    pub guards: GuardSettings,
    /// Where the machine configs come from.
    #[serde(default)]
    pub machines: Machines,
}

impl Cluster {
    /// The node of a name.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|n| n.name == name)
    }

    /// The control planes, in inventory order.
    pub fn control_planes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|n| n.is_control_plane())
    }

    /// Path of a node's machine config, relative to the root.
    pub fn machine_config(&self, node: &str) -> String {
        match self.machines.file_names.get(node) {
            Some(name) => format!("{}/{name}", self.config_dir),
            None => format!("{}/{}-{node}.yaml", self.config_dir, self.name),
        }
    }
}

/// How strict the guards are: a property of the cluster in its lock file, never a flag or a variable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Proof inline, confirmation by node name.
    Dev,
    /// A grant from `ops verify`, typed confirmation.
    #[default]
    Standard,
    /// As standard, with a second person and all evidence.
    Production,
}

/// What identifies a machine for good.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodePin {
    /// SMBIOS UUID, where it is real and unique in the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// Permanent MAC addresses, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub macs: Vec<String>,
    /// World-wide id of the system disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_wwid: Option<String>,
    /// Serial number of the machine or its system disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
}

/// `clusters/NAME.lock.toml`: what `ops adopt` saw. Committed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LockFile {
    /// Version of this file's schema: 1.
    pub version: u32,
    /// How strict the guards are.
    #[serde(default)]
    pub profile: Profile,
    /// SHA-256 of the Talos CA certificate (DER), hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub talos_ca: Option<String>,
    /// SHA-256 of the Kubernetes API's CA certificate (DER), hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes_ca: Option<String>,
    /// UID of the namespace kube-system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_system_uid: Option<String>,
    /// A pin per node, by name.
    #[serde(default)]
    pub nodes: BTreeMap<String, NodePin>,
}
