//! Faults that a person or a test puts into the world: what is broken until it is healed.
//! What follows from a fault is decided where the thing lives.

use crate::world::{NodeId, World};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// A fault by name, as `ops lab break NAME [NODE]` takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The machine loses power.
    NodeOffline(String),
    /// The machine runs, but no packet reaches it.
    NetworkCut(String),
    /// etcd on it has stopped and does not start.
    EtcdMemberDown(String),
    /// No API server answers.
    ApiTimeout,
    /// The address in the kubeconfig belongs to another cluster.
    WrongContext,
    /// Every answer is late.
    Slow,
    /// The next answer is lost after its effect.
    LoseReply,
    /// The next request is lost before it arrives.
    LoseRequest,
}

/// What is broken now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Faults {
    /// Machines without power.
    pub offline: BTreeSet<NodeId>,
    /// Machines without network.
    pub cut: BTreeSet<NodeId>,
    /// Machines whose etcd is held down.
    pub etcd_down: BTreeSet<NodeId>,
    /// API servers do not answer.
    pub api_timeout: bool,
    /// The API answers for another cluster.
    pub wrong_context: bool,
    /// Answers are late.
    pub slow: bool,
    /// Answers still to be lost.
    pub lose_replies: u8,
    /// Requests still to be lost.
    pub lose_requests: u8,
}

/// A fault that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultError {
    /// No such fault.
    Unknown(String),
    /// The fault needs a node.
    NodeMissing(&'static str),
    /// No such node.
    NoNode(String),
}

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                write!(f, "unknown fault `{name}`; there are: {}", Fault::NAMES.join(", "))
            }
            Self::NodeMissing(fault) => write!(f, "fault `{fault}` needs a node"),
            Self::NoNode(name) => write!(f, "no node `{name}` in the lab"),
        }
    }
}

impl std::error::Error for FaultError {}

impl Fault {
    /// All names.
    pub const NAMES: [&'static str; 8] = [
        "node-offline",
        "network-cut",
        "etcd-member-down",
        "api-timeout",
        "wrong-context",
        "slow",
        "lose-reply",
        "lose-request",
    ];

    /// The fault of this name, on this node where it needs one.
    pub fn parse(name: &str, node: Option<&str>) -> Result<Self, FaultError> {
        let on = |fault| node.map(str::to_owned).ok_or(FaultError::NodeMissing(fault));
        Ok(match name {
            "node-offline" => Self::NodeOffline(on("node-offline")?),
            "network-cut" => Self::NetworkCut(on("network-cut")?),
            "etcd-member-down" => Self::EtcdMemberDown(on("etcd-member-down")?),
            "api-timeout" => Self::ApiTimeout,
            "wrong-context" => Self::WrongContext,
            "slow" => Self::Slow,
            "lose-reply" => Self::LoseReply,
            "lose-request" => Self::LoseRequest,
            other => return Err(FaultError::Unknown(other.to_owned())),
        })
    }
}

impl World {
    fn named(&self, name: &str) -> Result<NodeId, FaultError> {
        self.node_ids()
            .find(|&id| self.name(self.node(id).name) == name)
            .ok_or_else(|| FaultError::NoNode(name.to_owned()))
    }

    /// Breaks something. Breaking what is broken changes nothing.
    pub fn break_(&mut self, fault: &Fault) -> Result<(), FaultError> {
        match fault {
            Fault::NodeOffline(name) => {
                let node = self.named(name)?;
                if self.faults.offline.insert(node) {
                    self.power_cut(node);
                }
            }
            Fault::NetworkCut(name) => {
                let node = self.named(name)?;
                if self.faults.cut.insert(node) {
                    self.network_changed(node);
                }
            }
            Fault::EtcdMemberDown(name) => {
                let node = self.named(name)?;
                if self.faults.etcd_down.insert(node) {
                    self.etcd_stopped(node);
                }
            }
            Fault::ApiTimeout => self.faults.api_timeout = true,
            Fault::WrongContext => self.faults.wrong_context = true,
            Fault::Slow => self.faults.slow = true,
            Fault::LoseReply => {
                self.faults.lose_replies = self.faults.lose_replies.saturating_add(1);
            }
            Fault::LoseRequest => {
                self.faults.lose_requests = self.faults.lose_requests.saturating_add(1);
            }
        }
        Ok(())
    }

    /// Mends it. A machine that gets its power back boots cold.
    pub fn heal(&mut self, fault: &Fault) -> Result<(), FaultError> {
        match fault {
            Fault::NodeOffline(name) => {
                let node = self.named(name)?;
                if self.faults.offline.remove(&node) {
                    self.power_on(node);
                }
            }
            Fault::NetworkCut(name) => {
                let node = self.named(name)?;
                if self.faults.cut.remove(&node) {
                    self.network_changed(node);
                }
            }
            Fault::EtcdMemberDown(name) => {
                let node = self.named(name)?;
                if self.faults.etcd_down.remove(&node) {
                    self.etcd_released(node);
                }
            }
            Fault::ApiTimeout => self.faults.api_timeout = false,
            Fault::WrongContext => self.faults.wrong_context = false,
            Fault::Slow => self.faults.slow = false,
            Fault::LoseReply => self.faults.lose_replies = 0,
            Fault::LoseRequest => self.faults.lose_requests = 0,
        }
        Ok(())
    }

    /// Mends everything that is broken.
    pub fn heal_all(&mut self) {
        let nodes: Vec<NodeId> = self.node_ids().collect();
        for node in nodes {
            let name = self.name(self.node(node).name).to_owned();
            for fault in [
                Fault::NetworkCut(name.clone()),
                Fault::EtcdMemberDown(name.clone()),
                Fault::NodeOffline(name),
            ] {
                // The name is one of the world's own.
                let _ = self.heal(&fault);
            }
        }
        self.faults = Faults::default();
    }
}
