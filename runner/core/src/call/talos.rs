//! The typed calls of talosctl: what each does, its argv, its witness. Argv as `talosctl --help` of 1.13 says it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CallSpec, Settled, Target, Tool, Witness};
use crate::argv::Argv;
use crate::effect::{Effect, Scope, Subject};
use crate::time::Span;
use crate::value::Value;

const TALOSCTL: Tool = Tool { name: "talosctl", min: (1, 12) };

/// `talos.version { node }`: the version of Talos that a node runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// The node.
    pub node: String,
}

impl CallSpec for Version {
    fn effect(&self) -> Effect {
        Effect::Reads
    }
    fn scope(&self) -> Scope {
        Scope::Node
    }
    fn reads(&self) -> Vec<Subject> {
        vec![Subject::of(&["node", &self.node, "version"])]
    }
    fn node(&self) -> Option<&str> {
        Some(&self.node)
    }
    fn tool(&self) -> Option<Tool> {
        Some(TALOSCTL)
    }
    fn argv(&self, target: &Target) -> Option<Argv> {
        Some(target.talosctl(&["version"]))
    }
    fn stable(&self) -> &'static [&'static str] {
        &["version"]
    }
}

/// `talos.reset { node, system_labels_to_wipe = … }`: wipes the named partitions. Without a list the tool would wipe the whole disk, so the
/// guard `partitions` refuses that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// The node.
    pub node: String,
    /// Labels of system partitions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub system_labels_to_wipe: Vec<String>,
    /// User disks, by device.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_disks_to_wipe: Vec<String>,
    /// `all`, `system-disk` or `user-disks`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wipe_mode: Option<String>,
    /// Cordon, drain and leave etcd first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graceful: Option<bool>,
    /// Reboot afterwards instead of powering off.
    #[serde(default)]
    pub reboot: bool,
    /// How long the client waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_timeout: Option<Span>,
}

impl CallSpec for Reset {
    fn effect(&self) -> Effect {
        Effect::Destroys
    }
    fn scope(&self) -> Scope {
        Scope::Node
    }
    fn writes(&self) -> Vec<Subject> {
        vec![Subject::of(&["node", &self.node]), Subject::of(&["etcd"])]
    }
    fn node(&self) -> Option<&str> {
        Some(&self.node)
    }
    fn tool(&self) -> Option<Tool> {
        Some(TALOSCTL)
    }
    fn argv(&self, target: &Target) -> Option<Argv> {
        let mut argv = target.talosctl(&["reset"]);
        for label in &self.system_labels_to_wipe {
            argv = argv.pair("--system-labels-to-wipe", label);
        }
        Some(
            argv.pair("--graceful", self.graceful.unwrap_or(true).to_string())
                .flag("--reboot", self.reboot),
        )
    }
    fn witness(&self) -> Witness {
        Witness::Boot { node: self.node.clone() }
    }
    fn settle(&self, _before: &Value, _now: &Value) -> Settled {
        Settled::Ask { question: format!("was {} reset?", self.node) }
    }
    fn about(&self) -> String {
        format!("{} {}", self.node, self.system_labels_to_wipe.join(", "))
    }
}
