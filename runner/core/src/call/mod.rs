//! What a host call is: one struct per call, one trait that says everything about it but how it is carried out.
//!
//! From a call type come the validation of the Lua table, the plan line, the guard's input, the argv and the journal entry.
//! Nothing here starts a process or reads a file.

pub mod fs;
pub mod git;
pub mod kube;
pub mod manifests;
pub mod safety;
pub mod secrets;
pub mod sh;
pub mod table;
pub mod talos;
pub mod template;
pub mod time;
pub mod wait;
pub mod yaml;

#[cfg(test)]
mod settle_table;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::argv::Argv;
use crate::effect::{Effect, Scope, Subject};
use crate::error::Place;
use crate::time::Span;
use crate::value::{Digest, Map, Value};

/// A call as a recipe made it: a type's name and a table, not yet validated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The call's type, such as `talos.reset`.
    pub call: String,
    /// Its fields; the subject already stands under its own name.
    pub args: Map<String, Value>,
    /// Where the recipe makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

impl Request {
    /// The digest by which a resume knows the call again: type, version and canonical arguments.
    pub fn digest(&self, version: u32) -> Digest {
        Digest::of(&serde_json::json!({"call": self.call, "version": version, "args": self.args}))
    }
}

/// Fields that every call takes beside its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Common {
    /// Another cluster than that of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Deadline of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<crate::time::Span>,
    /// Its plan line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
}

/// Where a call goes: resolved by the engine from the inventory, never from ambient configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Name of the cluster.
    pub cluster: String,
    /// Context in kubeconfig and talosconfig.
    pub context: String,
    /// Path of the talosconfig.
    pub talosconfig: String,
    /// Path of the kubeconfig.
    pub kubeconfig: String,
    /// Address of the node that is meant; for cluster-wide reads the control plane that was chosen.
    pub node: String,
    /// Where the client connects: the node itself or its declared proxy.
    pub endpoint: String,
    /// The node is proven to be in maintenance mode: no certificates yet. Chosen by the engine alone.
    pub insecure: bool,
}

impl Target {
    /// `talosctl` with context, node and endpoint explicit, or with the maintenance channel where it was proven.
    pub fn talosctl(&self, verb: &[&str]) -> Argv {
        let argv = Argv::new("talosctl").args(verb.iter().copied());
        if self.insecure {
            argv.arg("--insecure").pair("--nodes", &self.node)
        } else {
            argv.pair("--talosconfig", &self.talosconfig)
                .pair("--context", &self.context)
                .pair("--nodes", &self.node)
                .pair("--endpoints", &self.endpoint)
        }
    }

    /// `kubectl` with kubeconfig and context explicit.
    pub fn kubectl(&self, verb: &[&str]) -> Argv {
        Argv::new("kubectl")
            .args(verb.iter().copied())
            .pair("--kubeconfig", &self.kubeconfig)
            .pair("--context", &self.context)
    }
}

/// What the engine reads before an M or D call and stores in its intent, so that it can tell afterwards whether the call happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Witness {
    /// Nothing tells: an unknown outcome asks a person.
    None,
    /// The effect is idempotent and compared by content: it may simply be made again.
    Repeatable,
    /// Boot id, stage and system volumes of a node.
    Boot {
        /// The node.
        node: String,
    },
    /// Digest of a node's active and persisted config, and its stage.
    Config {
        /// The node.
        node: String,
    },
    /// Members of etcd as every control plane sees them.
    Members,
    /// Whether a Kubernetes node is cordoned, and its pods that a drain evicts.
    Cordon {
        /// The node.
        node: String,
    },
    /// Digest of a file, or its absence.
    File {
        /// Path relative to the root.
        path: String,
    },
}

/// What the witness says about a call whose outcome is unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "settled", rename_all = "snake_case", deny_unknown_fields)]
pub enum Settled {
    /// It happened; this is its reply.
    Done {
        /// The reply that the recipe gets.
        reply: Value,
        /// What shows it, for the person who reads along.
        because: String,
    },
    /// It did not happen: it is made again.
    NotDone {
        /// What shows it.
        because: String,
    },
    /// It happened in part.
    Partial {
        /// What is half done.
        because: String,
        /// The call that completes or takes it back, itself gated.
        remedy: Request,
    },
    /// Nobody can tell from here.
    Ask {
        /// What to ask the person.
        question: String,
    },
}

/// What the first or second Ctrl-C does to a running call of this type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// Reads: dropped at once.
    Drop,
    /// The first Ctrl-C lets it finish, the second signals it.
    Finish,
    /// The first Ctrl-C signals it.
    Signal,
}

/// A tool that a call runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Program name.
    pub name: &'static str,
    /// Least version, `major.minor`.
    pub min: (u32, u32),
}

/// Everything that is said about a call type, for one call of it.
pub trait CallSpec {
    /// What it does to the world, with these very arguments.
    fn effect(&self) -> Effect;
    /// How far it reaches.
    fn scope(&self) -> Scope;
    /// What it reads.
    fn reads(&self) -> Vec<Subject> {
        Vec::new()
    }
    /// What it writes; empty for reads.
    fn writes(&self) -> Vec<Subject> {
        Vec::new()
    }
    /// The inventory node that it is about.
    fn node(&self) -> Option<&str> {
        None
    }
    /// The tool that it runs.
    fn tool(&self) -> Option<Tool> {
        None
    }
    /// The command that carries it out, where one command does.
    fn argv(&self, _target: &Target) -> Option<Argv> {
        None
    }
    /// What tells afterwards whether it happened.
    fn witness(&self) -> Witness {
        if self.effect().changes_world() { Witness::None } else { Witness::Repeatable }
    }
    /// Judges an unknown outcome from the witness before and the same thing read now.
    fn settle(&self, _before: &Value, _now: &Value) -> Settled {
        Settled::Ask { question: "did it happen?".into() }
    }
    /// How long a read-back waits where [`CallSpec::settle`] would ask: what the call has taken away comes back, and can tell then. Nothing
    /// where waiting cannot help, as what the witness showed before tells already.
    fn settles_within(&self, _before: &Value) -> Span {
        Span(0)
    }
    /// Fields of the reply that `ops apply` compares with the plan.
    fn stable(&self) -> &'static [&'static str] {
        &[]
    }
    /// What Ctrl-C does to it.
    fn interrupt(&self) -> Interrupt {
        match self.effect() {
            Effect::Reads => Interrupt::Drop,
            Effect::Files | Effect::Mutates | Effect::Destroys => Interrupt::Finish,
        }
    }
    /// The words of its plan line behind the call's name: `w-1 STATE, EPHEMERAL`.
    fn about(&self) -> String {
        self.node().unwrap_or_default().to_owned()
    }
}

/// What is known of a call type without a call: for validation, documentation and the Lua layer.
#[derive(Clone, Copy, Debug)]
pub struct CallInfo {
    /// Its name: `talos.reset`.
    pub name: &'static str,
    /// Version of its record; raised when a stored call of this type would mean something else.
    pub version: u32,
    /// The field that the first entry of the table fills.
    pub subject: Option<&'static str>,
    /// Its usual effect; a call's own arguments may make it stronger.
    pub effect: Effect,
    /// One line of documentation.
    pub summary: &'static str,
    /// JSON schema of its fields.
    pub schema: fn() -> schemars::Schema,
}

/// Why a request is no valid call.
#[derive(Clone, Debug, PartialEq)]
pub struct Invalid {
    /// The offending field, if one is to blame.
    pub field: Option<String>,
    /// What is wrong, without a full stop.
    pub message: String,
    /// Names that were possible where an unknown one stands.
    pub known: Vec<String>,
}
