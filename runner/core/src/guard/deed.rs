//! What a guard sees in a call: which node it takes away, what it wipes, what a planned wait proves. Judges nothing.
//!
//! A call that changes the world and is not known here counts as the worst that its scope allows.

use crate::call::table::Call;
use crate::call::talos::Reset;
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
        let spec = call.spec();
        let (name, node) = (call.info().name, spec.node());
        if let Call::TalosReset(reset) = call {
            return Deed::Reset(reset);
        }
        if spec.effect() == Effect::Destroys {
            return Deed::Destroys { kind: kind_for(name), node };
        }
        match (name, node) {
            ("wait.node", Some(node)) => Deed::Back(Some(node)),
            ("wait.etcd", _) => Deed::Back(None),
            _ if !spec.effect().changes_world() => Deed::Nothing,
            ("talos.apply_config" | "talos.patch", Some(node)) => applied(node, predicted),
            ("talos.bootstrap", Some(node)) => Deed::Bootstrap(node),
            ("talos.image.pull" | "talos.image.remove", Some(node)) => Deed::Touch(node),
            (name, Some(node)) if name.starts_with("talos.") && spec.scope() == Scope::Node => {
                Deed::Away(node)
            }
            (name, node) => Deed::Elsewhere { kube: name.starts_with("kube."), node },
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

fn kind_for(name: &str) -> Option<GrantKind> {
    match name {
        "talos.wipe.disk" => Some(GrantKind::DiskWipe),
        "talos.etcd.remove_member" | "talos.etcd.leave" => Some(GrantKind::MemberReplace),
        "talos.bootstrap" => Some(GrantKind::EtcdRecover),
        _ => None,
    }
}

/// An apply by its predicted reply, `{changed, reboot: "none" | "now" | "staged"}`.
pub(super) fn applied<'a>(node: &'a str, predicted: Option<&Value>) -> Deed<'a> {
    let field = |name| predicted.and_then(|reply| reply.get(name));
    if field("changed").and_then(Value::as_bool) == Some(false) {
        return Deed::Nothing;
    }
    let reboots = match field("reboot").and_then(Value::as_str) {
        Some("none" | "staged") => Some(false),
        Some("now") => Some(true),
        _ => None,
    };
    Deed::Apply { node, reboots }
}
