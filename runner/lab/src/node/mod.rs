//! A machine: hardware, what lies on its disks, what runs in its memory, and the steps of its life.
//! The life itself is in `boot`, `sequence` and `reset`; configs in `config`; answers in `serve`.

mod boot;
mod config;
mod reset;
mod sequence;
mod serve;

pub(crate) use serve::Served;

pub use sequence::{Sequence, SequenceKind};

use crate::request::Upload;
use crate::spec::Role;
use crate::world::{ConfigId, MemberId, Ms, Name, NodeId, World};
use serde::{Deserialize, Serialize};

/// `machinestatus.stage`; a machine without power has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// No power, or nothing to boot from.
    Off,
    /// From firmware to all services.
    Booting,
    /// The installer writes.
    Installing,
    /// Waits for a config.
    Maintenance,
    /// All services up.
    Running,
    /// Going down to come back.
    Rebooting,
    /// Going down for good.
    ShuttingDown,
    /// Being reset.
    Resetting,
}

impl Stage {
    /// The word of the API; `off` where there is none.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Booting => "booting",
            Self::Installing => "installing",
            Self::Maintenance => "maintenance",
            Self::Running => "running",
            Self::Rebooting => "rebooting",
            Self::ShuttingDown => "shutting down",
            Self::Resetting => "resetting",
        }
    }
}

/// A disk: a labelled box.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Disk {
    /// `/dev/sda`.
    pub path: Name,
    /// Bytes.
    pub size: u64,
    /// Whether somebody's data is on it.
    pub data: bool,
}

/// The etcd process of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EtcdProcess {
    /// Not started, or stopped.
    Down,
    /// Waits to join or to be bootstrapped.
    Waiting,
    /// Starting over existing data.
    Starting,
    /// Runs.
    Running,
}

/// `/var/lib/etcd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EtcdData {
    /// The cluster it belongs to.
    pub cluster: u8,
    /// The member it belongs to.
    pub member: MemberId,
}

/// An open try window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// Its number on this machine.
    pub number: u32,
    /// The config that comes back.
    pub back_to: ConfigId,
    /// When.
    pub ends: Ms,
}

/// What the event stream of a machine says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NodeEvent {
    /// A sequence starts or stops; the text is the face's.
    Sequence {
        /// Which.
        kind: SequenceName,
        /// Who asked.
        actor: u64,
        /// Start, or stop.
        start: bool,
    },
    /// A sequence was dropped because another runs.
    Locked {
        /// Which.
        kind: SequenceName,
        /// Who asked.
        actor: u64,
    },
    /// A phase of a sequence.
    Phase {
        /// Which.
        phase: Phase,
        /// Who asked.
        actor: u64,
        /// Start, or stop.
        start: bool,
    },
    /// All services are being stopped: what `--wait` of reset and shutdown waits for.
    StopAllServices {
        /// Who asked.
        actor: u64,
    },
    /// The sequence failed.
    Failed {
        /// Which.
        kind: SequenceName,
        /// Who asked.
        actor: u64,
    },
    /// Stage and readiness.
    Status {
        /// Stage.
        stage: Stage,
        /// Ready.
        ready: bool,
    },
}

/// Names of sequences in events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SequenceName {
    /// boot
    Boot,
    /// install
    Install,
    /// reboot
    Reboot,
    /// reset
    Reset,
    /// shutdown
    Shutdown,
}

/// Phases of the sequencer, each with its one task, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// storeShutdown: storeShutdownEmergency
    StoreShutdown,
    /// drain: cordonAndDrainNode
    Drain,
    /// cleanup: stopAllPods
    StopPods,
    /// cleanup: removeAllPods
    RemovePods,
    /// dbus: stopDBus
    Dbus,
    /// leave: leaveEtcd
    Leave,
    /// preReset: sendResetSignal
    PreReset,
    /// stopServices: stopServicesForUpgrade
    StopServices,
    /// umount: unmountPodMounts
    Umount,
    /// unmountBind: unmountSystemDiskBindMounts
    UnmountBind,
    /// unmountSystem: unmountEphemeralPartition
    UnmountSystem,
    /// volumeFinalize: teardownLifecycle
    VolumeFinalize,
    /// kexec: kexecPrepare
    Kexec,
    /// stopEverything: stopAllServices
    StopEverything,
}

/// Steps of a machine's life, each void once another sequence began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Step {
    /// The kernel runs and apid listens.
    Kernel,
    /// Maintenance mode is reached.
    Maintenance,
    /// Containerd runs.
    Containerd,
    /// Kubelet and etcd start.
    Services,
    /// The boot took too long.
    BootLimit,
    /// The installer is done.
    Installed,
    /// The installer found no disk.
    NoDisk,
    /// A node without etcd data tries to join.
    Join,
    /// etcd runs over its data.
    EtcdUp,
    /// The kubelet registers.
    Register,
    /// The CNI's pod runs.
    CniUp,
    /// The API server serves.
    ApiUp,
    /// The node's own drain is over.
    Drained,
    /// etcd is asked to let the node go.
    Leave,
    /// Services stop.
    Stop,
    /// Everything has stopped.
    Down,
    /// Partitions or disks are wiped.
    Wipe,
    /// The fatal pause is over.
    FatalReboot,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Node {
    /// Name in the inventory.
    pub name: Name,
    /// Declared role; what it really is comes from its config.
    pub role: Role,
    /// Address without port.
    pub address: Name,
    /// Hostname where the config sets none.
    pub auto_name: Name,
    /// What serials and MACs are made from; never changes.
    pub hardware: u64,
    /// SMBIOS UUID; never changes.
    pub uuid: u128,
    /// Disks.
    pub disks: Vec<Disk>,

    /// Whether it has power.
    pub powered: bool,
    /// Whether nothing on it boots any more.
    pub needs_hands: bool,
    /// Whether a boot medium is attached, as on first contact.
    pub medium: bool,
    /// Whether a boot slot holds an install.
    pub installed: bool,
    /// The disk it was installed to.
    pub system_disk: Option<Name>,
    /// Discovery identity, in STATE.
    pub identity: u64,
    /// Config in STATE.
    pub persisted: Option<ConfigId>,
    /// `/var/lib/etcd`, in EPHEMERAL.
    pub etcd_data: Option<EtcdData>,
    /// `/var/lib/etcd.snapshot`, in EPHEMERAL.
    pub upload: Option<Upload>,
    /// Whether the CNI's image is in EPHEMERAL.
    pub images: bool,

    /// Stage.
    pub stage: Stage,
    /// Number of the present sequence; events of earlier ones are void.
    pub epoch: u32,
    /// Boot id.
    pub boot_id: u64,
    /// How often it booted.
    pub boots: u32,
    /// Config in memory.
    pub active: Option<ConfigId>,
    /// Open try window.
    pub window: Option<Window>,
    /// How many windows there were this boot.
    pub windows: u32,
    /// Whether a trial is in force whose timer was stopped.
    pub stuck_trial: bool,
    /// Whether an apply with reboot is under way.
    pub applied_reboot: bool,
    /// The sequence that holds the lock.
    pub sequence: Option<Sequence>,
    /// apid answers.
    pub apid: bool,
    /// Containerd runs.
    pub containerd: bool,
    /// All services but etcd run.
    pub services: bool,
    /// The kubelet runs.
    pub kubelet: bool,
    /// etcd.
    pub etcd: EtcdProcess,
    /// The API server serves.
    pub api: bool,
    /// Ready.
    pub ready: bool,
    /// Events of this boot.
    pub events: Vec<NodeEvent>,
}

impl Node {
    /// Fingerprint of the CA whose certificate apid shows; none in maintenance mode.
    #[must_use]
    pub fn active_ca(&self, world: &World) -> Option<u64> {
        if self.stage == Stage::Maintenance {
            return None;
        }
        self.active.map(|config| world.config(config).ca)
    }

    /// Role by the active config.
    #[must_use]
    pub fn live_role(&self, world: &World) -> Option<Role> {
        self.active.and_then(|config| world.config(config).role)
    }

    /// Whether it runs as a control plane.
    #[must_use]
    pub fn is_control_plane(&self, world: &World) -> bool {
        self.live_role(world) == Some(Role::ControlPlane)
    }

    /// Hostname.
    #[must_use]
    pub fn hostname(&self, world: &World) -> Name {
        self.active.and_then(|config| world.config(config).hostname).unwrap_or(self.auto_name)
    }
}

impl World {
    /// Whether packets reach the machine.
    #[must_use]
    pub fn connected(&self, node: NodeId) -> bool {
        self.node(node).powered && !self.node(node).needs_hands && !self.faults.cut.contains(&node)
    }

    pub(crate) fn tell(&mut self, node: NodeId, event: NodeEvent) {
        self.node_mut(node).events.push(event);
    }

    pub(crate) fn set_stage(&mut self, node: NodeId, stage: Stage) {
        let state = self.node_mut(node);
        if state.stage == stage {
            return;
        }
        state.stage = stage;
        let ready = state.ready;
        self.tell(node, NodeEvent::Status { stage, ready });
    }

    pub(crate) fn node_step(&mut self, node: NodeId, step: Step) {
        match step {
            Step::Kernel => self.kernel(node),
            Step::Maintenance => self.enter_maintenance(node),
            Step::Containerd => self.containerd_up(node),
            Step::Services => self.services_up(node),
            Step::BootLimit => self.boot_limit(node),
            Step::Installed => self.installed(node),
            Step::Join => self.etcd_join(node),
            Step::EtcdUp => self.etcd_up(node),
            Step::Register => self.kubelet_registers(node),
            Step::CniUp => self.cni_up(node),
            Step::ApiUp => self.api_up(node),
            Step::Drained => self.drained(node),
            Step::Leave => self.reset_leaves(node),
            Step::Stop => self.stop_services(node),
            Step::Down => self.everything_down(node),
            Step::Wipe => self.wipe(node),
            Step::NoDisk | Step::FatalReboot => self.boot(node, false),
        }
    }
}
