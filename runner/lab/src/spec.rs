//! What a lab is built from: the cluster's name, its machines, its volumes, its seed.
//! Plain data; knows nothing of how a world behaves.

use crate::facts::Profile;
use serde::{Deserialize, Serialize};

/// Role of a machine, as the inventory declares it and as a config says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Runs etcd and the control plane.
    ControlPlane,
    /// Runs pods only.
    Worker,
}

impl Role {
    /// The word of `machine.type`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::ControlPlane => "controlplane",
            Self::Worker => "worker",
        }
    }
}

/// A machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeSpec {
    /// Name in the inventory and, once configured, its hostname.
    pub name: String,
    /// Declared role.
    pub role: Role,
    /// IPv4 address without port.
    pub address: String,
    /// Device path of the system disk.
    pub install_disk: String,
    /// Further disks by device path; data of volumes may lie there.
    #[serde(default)]
    pub data_disks: Vec<String>,
    /// SMBIOS UUID; made up from the seed when absent.
    #[serde(default)]
    pub uuid: Option<String>,
}

/// Where a replica's bytes lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Medium {
    /// Under `/var`: dies with EPHEMERAL.
    Ephemeral,
    /// On the data disk of this number, counted from 0.
    Disk(u8),
}

/// A volume that holds somebody's data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VolumeSpec {
    /// Name, as in `data-db-0`.
    pub name: String,
    /// Names of the nodes that hold a replica, and where.
    pub replicas: Vec<(String, Medium)>,
}

/// All of a lab.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LabSpec {
    /// Cluster name: also the name of the talosconfig context.
    pub cluster: String,
    /// Kubernetes endpoint, `https://10.0.0.10:6443`.
    pub endpoint: String,
    /// `v1.13.0`.
    pub talos_version: String,
    /// `v1.36.0`.
    pub kubernetes_version: String,
    /// The machines.
    pub nodes: Vec<NodeSpec>,
    /// Volumes with data. Those on disks of their own are there from the start, those under `/var`
    /// in a healthy lab only.
    #[serde(default)]
    pub volumes: Vec<VolumeSpec>,
    /// Whether the cluster comes without a CNI of its own (`cluster.network.cni.name: none`).
    #[serde(default)]
    pub no_cni: bool,
    /// Hardware for the durations.
    #[serde(default)]
    pub profile: Profile,
    /// One seed is one history.
    pub seed: u64,
}

impl LabSpec {
    /// A cluster `home` with these counts: `cp-1 …` at 10.0.0.11 and up, `w-1 …` at 10.0.0.21 and up.
    #[must_use]
    pub fn sized(control_planes: u8, workers: u8, seed: u64) -> Self {
        let node = |role, name: String, address: String| NodeSpec {
            name,
            role,
            address,
            install_disk: "/dev/sda".into(),
            data_disks: Vec::new(),
            uuid: None,
        };
        let mut nodes = Vec::new();
        for n in 1..=control_planes {
            nodes.push(node(Role::ControlPlane, format!("cp-{n}"), format!("10.0.0.{}", 10 + n)));
        }
        for n in 1..=workers {
            nodes.push(node(Role::Worker, format!("w-{n}"), format!("10.0.0.{}", 20 + n)));
        }
        Self {
            cluster: "home".into(),
            endpoint: "https://10.0.0.10:6443".into(),
            talos_version: "v1.13.0".into(),
            kubernetes_version: "v1.36.0".into(),
            nodes,
            volumes: Vec::new(),
            no_cni: false,
            profile: Profile::Vm,
            seed,
        }
    }

    /// The happy five: three control planes, two workers.
    #[must_use]
    pub fn home(seed: u64) -> Self {
        Self::sized(3, 2, seed)
    }

    /// One control plane and one worker: etcd has no second copy.
    #[must_use]
    pub fn single(seed: u64) -> Self {
        Self::sized(1, 1, seed)
    }

    /// Two control planes: no loss is survived.
    #[must_use]
    pub fn pair(seed: u64) -> Self {
        Self::sized(2, 1, seed)
    }

    /// Four control planes: an even count.
    #[must_use]
    pub fn four(seed: u64) -> Self {
        Self::sized(4, 1, seed)
    }

    /// The happy five on boards that all report the same SMBIOS UUID.
    #[must_use]
    pub fn duplicate_uuids(seed: u64) -> Self {
        let mut spec = Self::home(seed);
        for node in &mut spec.nodes {
            node.uuid = Some("03000200-0400-0500-0006-000700080009".into());
        }
        spec
    }
}
