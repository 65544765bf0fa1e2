//! Answers to requests: typed, taken at the moment of effect. The faces turn them into text.

use crate::etcd::Member;
use crate::kube::Kube;
use crate::node::{NodeEvent, Stage};
use crate::request::Refusal;
use crate::world::{ConfigId, MemberId, NodeId, Snapshot};

/// Every answer.
pub type Outcome = Result<Reply, Refusal>;

/// How an accepted apply is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// At once.
    Immediately,
    /// With a reboot; for `auto`, the reason is that some field needs one.
    Reboot {
        /// Whether the mode was `auto`.
        because: bool,
    },
    /// At the next boot.
    Staged,
    /// For a while.
    Try,
}

/// An accepted request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Done, nothing to say.
    Done,
    /// A sequence was accepted under this actor; that says nothing about its start.
    Actor(u64),
    /// The boot id.
    BootId(u64),
    /// A config was accepted.
    Applied {
        /// How.
        how: Applied,
        /// What was active before, for the diff.
        active: Option<ConfigId>,
    },
    /// What a node says about itself.
    View(Box<View>),
    /// Events of this boot, with their numbers.
    Events(Vec<(u32, NodeEvent)>),
    /// The member list, by the node's own etcd.
    Members(Vec<Member>),
    /// A member's own status.
    Status(EtcdStatus),
    /// A snapshot was streamed.
    Snapshot(Box<Snapshot>),
    /// One round of health checks.
    Health {
        /// The nodes that discovery finds.
        nodes: Vec<NodeId>,
        /// The first check that fails, by its number.
        failing: Option<u8>,
    },
    /// The objects of the API server that answered, and its cluster.
    Kube(Box<KubeView>),
}

/// A node and what only its surroundings know.
#[derive(Clone, Debug)]
pub struct View {
    /// The node.
    pub node: NodeId,
    /// A copy of its state.
    pub state: crate::node::Node,
    /// Discovery members of its cluster: machine, stage.
    pub members: Vec<(NodeId, Stage)>,
    /// Whether etcd is healthy on it.
    pub etcd_healthy: bool,
}

/// `etcd status`.
#[derive(Clone, Copy, Debug)]
pub struct EtcdStatus {
    /// Own id.
    pub member: MemberId,
    /// Leader, 0 for none.
    pub leader: MemberId,
    /// Raft index.
    pub index: u64,
    /// Raft term.
    pub term: u32,
    /// Whether it is a learner.
    pub learner: bool,
    /// Whether it says `etcdserver: no leader`.
    pub no_leader: bool,
    /// Bytes of the database.
    pub size: u64,
    /// NOSPACE.
    pub nospace: bool,
}

/// What a Kubernetes read sees.
#[derive(Clone, Debug)]
pub struct KubeView {
    /// The objects.
    pub kube: Kube,
    /// Whether the answer comes from another cluster than the kubeconfig was made for.
    pub foreign: bool,
}
