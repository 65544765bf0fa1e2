//! Reads of etcd, and its snapshot. Each is asked of one node's own etcd: in a partition two control planes tell two truths.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{TALOSCTL, file};
use crate::argv::Argv;
use crate::call::{CallSpec, Settled, Target, Tool, Witness};
use crate::effect::{Effect, Scope, Subject};
use crate::value::Value;

/// A question that any member answers for itself: its verb and its stable fields.
macro_rules! etcd_read {
    ($name:ident, $verb:literal, [$($stable:literal),*]) => {
        impl CallSpec for $name {
            fn effect(&self) -> Effect {
                Effect::Reads
            }
            fn scope(&self) -> Scope {
                Scope::Cluster
            }
            fn reads(&self) -> Vec<Subject> {
                vec![Subject::of(&["etcd"])]
            }
            fn node(&self) -> Option<&str> {
                self.node.as_deref()
            }
            fn tool(&self) -> Option<Tool> {
                Some(TALOSCTL)
            }
            fn argv(&self, target: &Target) -> Option<Argv> {
                Some(target.talosctl(&["etcd", $verb]))
            }
            fn stable(&self) -> &'static [&'static str] {
                &[$($stable),*]
            }
        }
    };
}

/// `talos.etcd.members { node? }`: the members of etcd as one control plane lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EtcdMembers {
    /// The control plane that is asked; the first that answers where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

etcd_read!(EtcdMembers, "members", ["id", "hostname", "learner"]);

/// `talos.etcd.status { node? }`: the state of each control plane's own member, or of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EtcdStatus {
    /// The control plane whose member is asked; all of the inventory where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

etcd_read!(EtcdStatus, "status", ["member", "learner", "errors"]);

/// `talos.etcd.snapshot { path, node? }`: writes a snapshot whose checksum has been verified; never leaves half a file under that name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EtcdSnapshot {
    /// Where to, relative to the root.
    pub path: String,
    /// The control plane whose etcd is read; the first that answers where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

impl EtcdSnapshot {
    /// The name under which the tool writes before the bytes have been verified.
    pub fn unverified(&self) -> String {
        format!("{}.unverified", self.path)
    }
}

impl CallSpec for EtcdSnapshot {
    fn effect(&self) -> Effect {
        Effect::Files
    }
    fn scope(&self) -> Scope {
        Scope::Cluster
    }
    fn reads(&self) -> Vec<Subject> {
        vec![Subject::of(&["etcd"])]
    }
    fn writes(&self) -> Vec<Subject> {
        vec![file(&self.path)]
    }
    fn node(&self) -> Option<&str> {
        self.node.as_deref()
    }
    fn tool(&self) -> Option<Tool> {
        Some(TALOSCTL)
    }
    fn argv(&self, target: &Target) -> Option<Argv> {
        Some(target.talosctl(&["etcd", "snapshot", &self.unverified()]))
    }
    fn witness(&self) -> Witness {
        Witness::File { path: self.path.clone() }
    }
    fn settle(&self, before: &Value, now: &Value) -> Settled {
        let because = if before.get("digest") == now.get("digest") {
            format!("{} is as it was", self.path)
        } else {
            format!(
                "{} was replaced, but its reply is lost; another snapshot costs nothing",
                self.path
            )
        };
        Settled::NotDone { because }
    }
    fn stable(&self) -> &'static [&'static str] {
        &["path"]
    }
    fn about(&self) -> String {
        self.path.clone()
    }
}
