//! Reads of one node, and the cluster's own health check.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{TALOSCTL, of_node};
use crate::argv::Argv;
use crate::call::{CallSpec, Target, Tool};
use crate::effect::{Effect, Scope, Subject};
use crate::time::Span;

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
        vec![of_node(&self.node, "version")]
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

/// `talos.get { node, type = …, id? }`: resources of a node, as `talosctl get` lists them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Get {
    /// The node.
    pub node: String,
    /// Resource type, such as `disks`.
    #[serde(rename = "type")]
    pub kind: String,
    /// One resource of that type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Namespace of the resources, where it is not the type's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

impl CallSpec for Get {
    fn effect(&self) -> Effect {
        Effect::Reads
    }
    fn scope(&self) -> Scope {
        Scope::Node
    }
    fn reads(&self) -> Vec<Subject> {
        // Any change of a node can show in some resource, so a planned one makes the answer unknown.
        vec![Subject::of(&["node", &self.node])]
    }
    fn node(&self) -> Option<&str> {
        Some(&self.node)
    }
    fn tool(&self) -> Option<Tool> {
        Some(TALOSCTL)
    }
    fn argv(&self, target: &Target) -> Option<Argv> {
        let mut verb = vec!["get", self.kind.as_str()];
        verb.extend(self.id.as_deref());
        let argv = target.talosctl(&verb);
        let argv = match &self.namespace {
            Some(namespace) => argv.pair("--namespace", namespace),
            None => argv,
        };
        Some(argv.pair("--output", "json"))
    }
    fn about(&self) -> String {
        match &self.id {
            Some(id) => format!("{} {} {id}", self.node, self.kind),
            None => format!("{} {}", self.node, self.kind),
        }
    }
}

/// `talos.stage { node }`: how far a node has come; the only call that proves maintenance mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// The node.
    pub node: String,
}

impl CallSpec for Stage {
    fn effect(&self) -> Effect {
        Effect::Reads
    }
    fn scope(&self) -> Scope {
        Scope::Node
    }
    fn reads(&self) -> Vec<Subject> {
        vec![of_node(&self.node, "stage")]
    }
    fn node(&self) -> Option<&str> {
        Some(&self.node)
    }
    fn tool(&self) -> Option<Tool> {
        Some(TALOSCTL)
    }
    fn argv(&self, target: &Target) -> Option<Argv> {
        Some(target.talosctl(&["get", "machinestatus"]).pair("--output", "json"))
    }
    fn stable(&self) -> &'static [&'static str] {
        &["stage"]
    }
}

/// `talos.health { … }`: the cluster's health as a control plane checks it; waits until every check passes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// The control plane that is asked; any that answers where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Control planes that must be there; those of the inventory where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub control_plane_nodes: Vec<String>,
    /// Workers that must be there; those of the inventory where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub worker_nodes: Vec<String>,
    /// How long the checks may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_timeout: Option<Span>,
}

impl Health {
    /// The command, once names have become addresses.
    pub fn command(target: &Target, planes: &[String], workers: &[String], wait: Span) -> Argv {
        let argv = target.talosctl(&["health"]).pair("--wait-timeout", wait.to_string());
        let argv = match planes {
            [] => argv,
            planes => argv.pair("--control-plane-nodes", planes.join(",")),
        };
        match workers {
            [] => argv,
            workers => argv.pair("--worker-nodes", workers.join(",")),
        }
    }
}

impl CallSpec for Health {
    fn effect(&self) -> Effect {
        Effect::Reads
    }
    fn scope(&self) -> Scope {
        Scope::Cluster
    }
    fn reads(&self) -> Vec<Subject> {
        vec![Subject::of(&["node"]), Subject::of(&["etcd"]), Subject::of(&["kube"])]
    }
    fn node(&self) -> Option<&str> {
        self.node.as_deref()
    }
    fn tool(&self) -> Option<Tool> {
        Some(TALOSCTL)
    }
    fn stable(&self) -> &'static [&'static str] {
        &["healthy"]
    }
}
