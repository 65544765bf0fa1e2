//! What can be asked of a node or an API server, and what can come back: the lab's wire.
//! Pure data; which requests succeed is decided by `node`, `etcd` and `kube`, their words by `face`.

use crate::world::{ConfigId, MemberId, Ms, Name, NodeId, PodId, SnapshotId};
use serde::{Deserialize, Serialize};

/// How an apply is meant, as `--mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApplyMode {
    /// Without a reboot where possible.
    Auto,
    /// Without a reboot or not at all.
    NoReboot,
    /// With a reboot.
    Reboot,
    /// At the next boot.
    Staged,
    /// Until the timer ends.
    Try,
}

/// `--wipe-mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WipeMode {
    /// System disk and listed user disks.
    All,
    /// System disk.
    SystemDisk,
    /// Listed user disks.
    UserDisks,
}

/// How a reboot is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RebootMode {
    /// Stops pods, kexec.
    Default,
    /// Stops pods, firmware.
    Powercycle,
    /// At once.
    Force,
}

/// The system partitions that a reset may name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Labels {
    /// META.
    pub meta: bool,
    /// STATE.
    pub state: bool,
    /// EPHEMERAL.
    pub ephemeral: bool,
    /// The first label that is a volume, but only a directory.
    pub directory: Option<Name>,
    /// The first label that is no volume of a Talos node.
    pub unknown: Option<Name>,
}

impl Labels {
    /// Whether no label was given: the whole system disk, unless the mode is user-disks.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.meta
            && !self.state
            && !self.ephemeral
            && self.unknown.is_none()
            && self.directory.is_none()
    }
}

/// A reset as the node sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reset {
    /// Drain and leave etcd first.
    pub graceful: bool,
    /// Reboot afterwards; else power off.
    pub reboot: bool,
    /// System partitions.
    pub labels: Labels,
    /// Disk mode.
    pub mode: WipeMode,
    /// User disks by path.
    pub disks: Vec<Name>,
}

/// A machine config in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ConfigRef {
    /// One that parses and validates.
    Good(ConfigId),
    /// Bytes that no config can be read from, or that do not validate.
    Broken,
}

/// A request to a node's machine API, or to an API server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Request {
    /// Version.
    Version,
    /// COSI get or list; the kind is for the log.
    Get(Kind),
    /// `/proc/sys/kernel/random/boot_id`.
    BootId,
    /// The event stream, from this event of this boot on.
    Events {
        /// Events of this number and later.
        after: u32,
    },
    /// `ApplyConfiguration`.
    Apply {
        /// The config.
        config: ConfigRef,
        /// Mode.
        mode: ApplyMode,
        /// Only say what would happen.
        dry_run: bool,
        /// Try window.
        timeout: Ms,
    },
    /// Bootstrap, with `recover` from the uploaded snapshot.
    Bootstrap {
        /// Whether to start from the uploaded snapshot.
        recover: bool,
        /// Accept a raw copy without trailer.
        skip_hash: bool,
    },
    /// `EtcdRecover`: upload.
    Upload(Upload),
    /// Reset.
    Reset(Reset),
    /// Reboot.
    Reboot(RebootMode),
    /// Shutdown.
    Shutdown {
        /// Without drain.
        force: bool,
    },
    /// Kubeconfig.
    Kubeconfig,
    /// `EtcdMemberList` of the node's own etcd.
    EtcdMembers,
    /// `EtcdStatus`.
    EtcdStatus,
    /// `EtcdAlarmList`.
    EtcdAlarms,
    /// `EtcdSnapshot`.
    EtcdSnapshot,
    /// `EtcdRemoveMemberByID`.
    EtcdRemove(MemberId),
    /// `EtcdLeaveCluster`.
    EtcdLeave,
    /// `EtcdForfeitLeadership`.
    EtcdForfeit,
    /// `ServiceList`.
    Services,
    /// One round of the server-side health check.
    Health,
    /// A request to the Kubernetes API.
    Kube(KubeRequest),
}

/// What an upload holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Upload {
    /// A snapshot whose trailer fits.
    Good(SnapshotId),
    /// Anything else.
    Corrupt,
}

/// Resource kinds of `talosctl get`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Stage and readiness.
    MachineStatus,
    /// The config.
    MachineConfig,
    /// SMBIOS.
    SystemInformation,
    /// Hostname.
    HostnameStatus,
    /// Role.
    MachineType,
    /// Disks.
    Disks,
    /// The system disk.
    SystemDisk,
    /// Volumes by label.
    VolumeStatus,
    /// Partitions and signatures.
    DiscoveredVolumes,
    /// Network links with permanent addresses.
    Links,
    /// Addresses.
    Addresses,
    /// Discovery members.
    Members,
    /// Kubernetes node name.
    Nodename,
    /// System extensions.
    Extensions,
}

/// A request to the Kubernetes API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KubeRequest {
    /// Any get or list; the answer is a view of everything, which the face narrows.
    Read(KubeKind),
    /// `spec.unschedulable` of a node.
    Cordon {
        /// Kubernetes node name.
        node: Name,
        /// Desired value.
        on: bool,
    },
    /// POST eviction.
    Evict {
        /// The pod.
        pod: PodId,
        /// Only ask.
        dry_run: bool,
    },
    /// DELETE a pod.
    DeletePod(PodId),
    /// DELETE a node.
    DeleteNode(Name),
}

/// Kinds that the API serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KubeKind {
    /// Nodes.
    Nodes,
    /// Pods.
    Pods,
    /// Namespaces.
    Namespaces,
    /// `PodDisruptionBudgets`.
    Budgets,
    /// `CustomResourceDefinitions`.
    Crds,
    /// `DaemonSets`, which drain asks for.
    DaemonSets,
    /// Discovery and version.
    Discovery,
}

impl Request {
    /// Whether the request changes anything when it succeeds. Asking for a dry run is a read.
    #[must_use]
    pub fn writes(&self) -> bool {
        match self {
            Self::Version
            | Self::Get(_)
            | Self::BootId
            | Self::Events { .. }
            | Self::Apply { dry_run: true, .. }
            | Self::Kubeconfig
            | Self::EtcdMembers
            | Self::EtcdStatus
            | Self::EtcdAlarms
            | Self::EtcdSnapshot
            | Self::Services
            | Self::Health
            | Self::Kube(KubeRequest::Read(_) | KubeRequest::Evict { dry_run: true, .. }) => false,
            Self::Apply { .. }
            | Self::Bootstrap { .. }
            | Self::Upload(_)
            | Self::Reset(_)
            | Self::Reboot(_)
            | Self::Shutdown { .. }
            | Self::EtcdRemove(_)
            | Self::EtcdLeave
            | Self::EtcdForfeit
            | Self::Kube(
                KubeRequest::Cordon { .. }
                | KubeRequest::Evict { .. }
                | KubeRequest::DeletePod(_)
                | KubeRequest::DeleteNode(_),
            ) => true,
        }
    }
}

/// The credentials a client shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Auth {
    /// `--insecure`: any server certificate, no client certificate.
    Insecure,
    /// A certificate of the CA with this fingerprint.
    Ca(u64),
}

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Route {
    /// A Talos API.
    Talos {
        /// The node whose apid is dialled; none where no machine has the address.
        endpoint: Option<NodeId>,
        /// The node that shall act.
        target: Option<NodeId>,
        /// Credentials.
        auth: Auth,
    },
    /// A Kubernetes API server.
    Kube {
        /// The node whose address was given; none for the cluster's own endpoint address.
        server: Option<NodeId>,
        /// Fingerprint of the CA in the kubeconfig.
        ca: u64,
    },
}

/// The API names in Talos' own refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Api {
    /// bootstrap
    Bootstrap,
    /// member list
    MemberList,
    /// etcd status
    Status,
    /// etcd alarm list
    Alarms,
    /// etcd snapshot
    Snapshot,
    /// etcd remove member
    Remove,
    /// etcd leave
    Leave,
    /// etcd forfeit leadership
    Forfeit,
    /// etcd recover
    Recover,
    /// kubeconfig
    Kubeconfig,
    /// cluster health check
    Health,
}

/// A system partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Part {
    /// META
    Meta,
    /// STATE
    State,
    /// EPHEMERAL
    Ephemeral,
}

/// Why something was refused; `face` has the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Refusal {
    /// Nothing has this address.
    NoRoute,
    /// The machine does not answer.
    DialTimeout(NodeId),
    /// The machine is up, its API is not.
    ConnRefused(NodeId),
    /// The connection ended before an answer came.
    ConnLost,
    /// The client's deadline passed.
    Deadline,
    /// The server's certificate is not of our CA.
    UnknownAuthority {
        /// Whether it is of another cluster's, and not self-signed as in maintenance mode.
        other: bool,
    },
    /// The server asks for a client certificate.
    CertRequired,
    /// The role is too low, as for anonymous clients in maintenance mode.
    NotAuthorized,
    /// Needs a control plane.
    ControlPlaneOnly(Api),
    /// No machine type yet.
    NoMachineType(Api),
    /// The config does not parse or validate.
    BadConfig {
        /// Whether the node is installed, as an installed one needs no install section.
        installed: bool,
    },
    /// Needs a reboot, which the mode forbids; compared with this active config.
    NotImmediate(ConfigId),
    /// A config without the machine document.
    NoV1alpha1,
    /// An apply with reboot is under way.
    AlreadyApplied,
    /// Containerd is not up.
    BootstrapNotYet,
    /// `/var/lib/etcd` has data.
    DataNotEmpty,
    /// Nothing was uploaded, or the upload does not verify.
    BadSnapshot,
    /// `/var/lib` is not there yet.
    NotReadyForRecovery,
    /// No such volume.
    NoVolume(Name),
    /// The volume is not located.
    NotLocated(Part),
    /// The volume is a directory.
    NoPartition(Name),
    /// User disks with mode system-disk.
    DisksWithSystemMode,
    /// Labels with mode user-disks.
    LabelsWithUserMode,
    /// No such device.
    NoDevice(Name),
    /// The device is the system disk.
    SystemDevice(Name),
    /// The local etcd does not run.
    EtcdDown(Api),
    /// etcd has no leader.
    NoLeader,
    /// etcd timed out.
    EtcdTimeout,
    /// etcd refuses: not enough started members.
    NotEnoughStarted,
    /// etcd refuses: some member is not connected.
    Unhealthy,
    /// No such member.
    MemberNotFound,
    /// A learner is there already.
    TooManyLearners,
    /// A learner answers no such request.
    LearnerRefuses,
    /// Only one member: leadership cannot move.
    OnlyMember,
    /// A Kubernetes object is not there.
    NotFound,
    /// A budget forbids the eviction; the name is that of the app.
    Budget(Name),
    /// The API server has no etcd behind it.
    ApiNoEtcd,
}
