//! Waits: reads that end when something holds, in Rust, with a deadline. Their timeout says why they still waited.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CallSpec, Tool};
use crate::call::talos::TALOSCTL;
use crate::effect::{Effect, Scope, Subject};
use crate::time::Span;

/// How far a node must have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// Nothing answers at its address.
    Offline,
    /// Proven maintenance mode: no certificates, no config.
    Maintenance,
    /// Talos runs with a config.
    Running,
    /// It has a Kubernetes Node object.
    Registered,
    /// That Node is Ready.
    Ready,
    /// Ready in Talos and Kubernetes; a control plane is a healthy voter of etcd.
    Healthy,
    /// As far as the cluster has come: running after an install, registered before the network plugin, else healthy.
    Settled,
}

impl NodeState {
    /// The word that recipes use.
    pub const fn word(self) -> &'static str {
        match self {
            NodeState::Offline => "offline",
            NodeState::Maintenance => "maintenance",
            NodeState::Running => "running",
            NodeState::Registered => "registered",
            NodeState::Ready => "ready",
            NodeState::Healthy => "healthy",
            NodeState::Settled => "settled",
        }
    }
}

/// `wait.node { node, state = … }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// The node.
    pub node: String,
    /// How far it must have come.
    pub state: NodeState,
}

impl Node {
    /// How long it waits where the call does not say.
    pub const DEFAULT: Span = Span::mins(10);
}

impl CallSpec for Node {
    fn effect(&self) -> Effect {
        Effect::Reads
    }
    fn scope(&self) -> Scope {
        Scope::Node
    }
    fn reads(&self) -> Vec<Subject> {
        let mut subjects = vec![Subject::of(&["node", &self.node])];
        if matches!(
            self.state,
            NodeState::Registered | NodeState::Ready | NodeState::Healthy | NodeState::Settled
        ) {
            subjects.push(Subject::of(&["kube", "node", &self.node]));
        }
        subjects
    }
    fn node(&self) -> Option<&str> {
        Some(&self.node)
    }
    fn tool(&self) -> Option<Tool> {
        Some(TALOSCTL)
    }
    fn stable(&self) -> &'static [&'static str] {
        &["state"]
    }
    fn about(&self) -> String {
        format!("{} {}", self.node, self.state.word())
    }
}

/// `wait.etcd { without?, members? }`: every member is a healthy voter, no alarm, all control planes agree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Etcd {
    /// This node must not be a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without: Option<String>,
    /// So many members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<u32>,
}

impl Etcd {
    /// How long it waits where the call does not say: a learner is promoted after about 135 s.
    pub const DEFAULT: Span = Span::mins(10);
}

impl CallSpec for Etcd {
    fn effect(&self) -> Effect {
        Effect::Reads
    }
    fn scope(&self) -> Scope {
        Scope::Cluster
    }
    fn reads(&self) -> Vec<Subject> {
        vec![Subject::of(&["etcd"])]
    }
    fn tool(&self) -> Option<Tool> {
        Some(TALOSCTL)
    }
    fn stable(&self) -> &'static [&'static str] {
        &["members"]
    }
    fn about(&self) -> String {
        match (&self.without, self.members) {
            (Some(node), _) => format!("without {node}"),
            (None, Some(count)) => format!("{count} members"),
            (None, None) => "healthy".into(),
        }
    }
}
