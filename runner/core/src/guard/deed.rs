//! What a guard sees in a call: which node it takes away, what it wipes, what a planned wait proves. Judges nothing.
//!
//! A call that changes the world and is not known here counts as the worst that its scope allows.

use crate::call::CallSpec;
use crate::call::table::Call;
use crate::call::talos::{ApplyConfig, ApplyMode, Reset};
use crate::call::wait::NodeState;
use crate::effect::{Effect, Scope};
use crate::value::Value;

use super::grant::GrantKind;

/// A call as guards see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Deed<'a> {
    /// Reads, or files of this machine: nothing to guard.
    Nothing,
    /// Changes something that is no node: the Kubernetes API, a registry, what a shell reaches.
    Elsewhere {
        /// It goes to the Kubernetes API of the cluster.
        kube: bool,
        /// The node that it is about.
        node: Option<&'a str>,
    },
    /// Changes a node, which stays up.
    Touch(&'a str),
    /// Changes a node's config; it may reboot.
    Apply {
        /// The node.
        node: &'a str,
        /// Whether it reboots; none where nobody knows.
        reboots: Option<bool>,
    },
    /// The node goes away for a while and comes back as the etcd member that it was.
    Away(&'a str),
    /// Starts a new etcd on this node.
    Bootstrap(&'a str),
    /// A planned wait for a node, or with none for etcd as a whole.
    Back(Option<&'a str>),
    /// Wipes partitions of a node.
    Reset(&'a Reset),
    /// Destroys in a way for which another kind of grant is needed, or no kind is known.
    Destroys {
        /// The kind that would permit it.
        kind: Option<GrantKind>,
        /// The node that it is about.
        node: Option<&'a str>,
    },
}

impl<'a> Deed<'a> {
    /// What a call does, given its predicted reply.
    pub(super) fn of(call: &'a Call, predicted: Option<&Value>) -> Deed<'a> {
        match call {
            Call::TalosReset(reset) => Deed::Reset(reset),
            Call::TalosBootstrap(c) if c.recover_from.is_some() => {
                Deed::Destroys { kind: Some(GrantKind::EtcdRecover), node: Some(&c.node) }
            }
            Call::TalosBootstrap(c) => Deed::Bootstrap(&c.node),
            Call::TalosApplyConfig(c) => applied(c, predicted),
            // Only what shows that the node votes again brings it back.
            Call::WaitNode(c) if matches!(c.state, NodeState::Healthy | NodeState::Settled) => {
                Deed::Back(Some(&c.node))
            }
            Call::WaitEtcd(_) => Deed::Back(None),
            _ => at_worst(call.spec()),
        }
    }

    /// The node that it is about.
    pub(super) fn node(&self) -> Option<&'a str> {
        match self {
            Deed::Nothing => None,
            Deed::Elsewhere { node, .. } | Deed::Back(node) | Deed::Destroys { node, .. } => *node,
            Deed::Touch(node)
            | Deed::Apply { node, .. }
            | Deed::Away(node)
            | Deed::Bootstrap(node) => Some(node),
            Deed::Reset(reset) => Some(&reset.node),
        }
    }

    /// Whether it loses what cannot be had again.
    pub(super) const fn destroys(&self) -> bool {
        matches!(self, Deed::Reset(_) | Deed::Destroys { .. })
    }

    /// Whether guards have anything to say about it.
    pub(super) const fn guarded(&self) -> bool {
        !matches!(self, Deed::Nothing | Deed::Back(_))
    }
}

/// A call of which nothing is known but what its type says of itself: a reboot, a cordon, and whatever comes later.
fn at_worst(spec: &dyn CallSpec) -> Deed<'_> {
    let node = spec.node();
    match (spec.effect(), spec.scope(), node) {
        (Effect::Reads | Effect::Files, ..) => Deed::Nothing,
        (Effect::Destroys, ..) => Deed::Destroys { kind: None, node },
        (Effect::Mutates, Scope::Node, Some(node)) => Deed::Away(node),
        (Effect::Mutates, scope, node) => Deed::Elsewhere { kube: scope == Scope::Cluster, node },
    }
}

/// An apply by its mode and its predicted reply, `{changed, reboot: "none" | "now" | "staged"}`.
fn applied<'a>(call: &'a ApplyConfig, predicted: Option<&Value>) -> Deed<'a> {
    let field = |name| predicted.and_then(|reply| reply.get(name));
    if field("changed").and_then(Value::as_bool) == Some(false) {
        return Deed::Nothing;
    }
    let reboots = match call.mode {
        ApplyMode::NoReboot | ApplyMode::Staged | ApplyMode::Try => Some(false),
        ApplyMode::Reboot => Some(true),
        ApplyMode::Auto => match field("reboot").and_then(Value::as_str) {
            Some("none" | "staged") => Some(false),
            Some("now") => Some(true),
            _ => None,
        },
    };
    Deed::Apply { node: &call.node, reboots }
}
