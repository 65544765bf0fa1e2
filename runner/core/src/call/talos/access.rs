//! The files through which people and tools reach a cluster: secrets bundle, talosconfig, kubeconfig.
//!
//! All hold keys: they are written 0600, and their bytes cross the gate as sealed blobs or not at all.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{TALOSCTL, bundle, file};
use crate::argv::Argv;
use crate::call::{CallSpec, Settled, Target, Tool, Witness};
use crate::effect::{Effect, Scope, Subject};
use crate::time::Span;
use crate::value::Value;

/// `talos.gen.secrets { output, talos_version? }`: the secrets bundle of a new cluster. A bundle that is there is never replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GenSecrets {
    /// Where to, relative to the root.
    pub output: String,
    /// Version of Talos that the bundle is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub talos_version: Option<String>,
}

impl GenSecrets {
    /// The name under which the tool writes; the file's own name appears only complete.
    pub fn unfinished(&self) -> String {
        format!("{}.unfinished", self.output)
    }
}

impl CallSpec for GenSecrets {
    fn effect(&self) -> Effect {
        Effect::Files
    }
    fn scope(&self) -> Scope {
        Scope::Local
    }
    fn writes(&self) -> Vec<Subject> {
        vec![file(&self.output), bundle()]
    }
    fn tool(&self) -> Option<Tool> {
        Some(TALOSCTL)
    }
    fn argv(&self, _target: &Target) -> Option<Argv> {
        let argv = Argv::new("talosctl").args(["gen", "secrets"]);
        let argv = argv.pair("--output-file", self.unfinished()).arg("--force");
        Some(match &self.talos_version {
            Some(version) => argv.pair("--talos-version", version),
            None => argv,
        })
    }
    fn witness(&self) -> Witness {
        Witness::File { path: self.output.clone() }
    }
    fn settle(&self, _before: &Value, now: &Value) -> Settled {
        // The file appears by a rename of a complete one, and an existing one is kept: making the call again does no harm.
        let because = match now.get("digest") {
            Some(Value::String(_)) => format!("{} is there and is kept", self.output),
            _ => format!("{} is not there", self.output),
        };
        Settled::NotDone { because }
    }
    fn stable(&self) -> &'static [&'static str] {
        &["path"]
    }
    fn about(&self) -> String {
        self.output.clone()
    }
}

/// `talos.client_config { path, renew_before? }`: the talosconfig of the cluster, renewed when its certificate comes near its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientConfig {
    /// Where to, relative to the root.
    pub path: String,
    /// Renewed when less than this is left of the certificate's life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew_before: Option<Span>,
}

impl ClientConfig {
    /// The command for a context of this name. It reads the secrets bundle on stdin: that may lie encrypted on the disk.
    pub fn command(context: &str, endpoint: &str) -> Argv {
        Argv::new("talosctl")
            .args(["gen", "config", context, endpoint])
            .pair("--with-secrets", "/dev/stdin")
            .pair("--output-types", "talosconfig")
            .pair("--output", "-")
    }
}

impl CallSpec for ClientConfig {
    fn effect(&self) -> Effect {
        Effect::Files
    }
    fn scope(&self) -> Scope {
        Scope::Local
    }
    fn reads(&self) -> Vec<Subject> {
        vec![bundle()]
    }
    fn writes(&self) -> Vec<Subject> {
        vec![file(&self.path)]
    }
    fn tool(&self) -> Option<Tool> {
        Some(TALOSCTL)
    }
    fn witness(&self) -> Witness {
        Witness::File { path: self.path.clone() }
    }
    fn settle(&self, _before: &Value, _now: &Value) -> Settled {
        Settled::NotDone { because: format!("{} is compared again", self.path) }
    }
    fn stable(&self) -> &'static [&'static str] {
        &["path"]
    }
    fn about(&self) -> String {
        self.path.clone()
    }
}

/// `talos.kubeconfig { path, … }`: the administrator's kubeconfig, written only when it would reach another API or by another name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kubeconfig {
    /// Where to, relative to the root.
    pub path: String,
    /// Name of the context in it; the cluster's where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_context_name: Option<String>,
    /// The control plane that is asked; the first that answers where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Write it even where nothing seems to have changed (a fresh client certificate).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

impl CallSpec for Kubeconfig {
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
        // To stdout the tool ignores `--force-context-name` (1.13.0 does), so the context is renamed by the engine.
        Some(target.talosctl(&["kubeconfig", "-"]).pair("--merge", "false"))
    }
    fn witness(&self) -> Witness {
        Witness::File { path: self.path.clone() }
    }
    fn settle(&self, _before: &Value, _now: &Value) -> Settled {
        Settled::NotDone { because: format!("{} is compared again", self.path) }
    }
    fn stable(&self) -> &'static [&'static str] {
        &["path"]
    }
    fn about(&self) -> String {
        self.path.clone()
    }
}
