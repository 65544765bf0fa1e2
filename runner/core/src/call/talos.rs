//! The typed calls of talosctl: what each does, its argv, its witness. Argv as `talosctl --help` of 1.13 says it; `=` between flag and value
//! everywhere, so that no value is ever taken for a flag. Knows nothing of how a call is carried out.

mod access;
mod config;
mod etcd;
mod machineconfig;
mod node;
mod read;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use access::{ClientConfig, GenSecrets, Kubeconfig};
pub use config::{ApplyConfig, ApplyMode, Base, MachineMode, Render, Validate};
pub use etcd::{EtcdMembers, EtcdSnapshot, EtcdStatus};
pub use machineconfig::{MachineconfigDiff, MachineconfigPatch};
pub use node::{AfterReset, BOOTED, Bootstrap, OFF, RESET, Reboot, RebootMode, Reset, WipeMode};
pub use read::{Get, Health, Stage, Version};

use super::Tool;
use crate::effect::Subject;
use crate::value::Handle;

/// The client that carries these calls out. 1.12 is the first whose machine configs carry their hostname in a document of its own.
pub const TALOSCTL: Tool = Tool { name: "talosctl", min: (1, 12) };

/// A file, named by its path or handed on as a blob of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Source {
    /// Path relative to the root.
    Path(String),
    /// What `talos.render`, `fs.read` or `template.render` gave.
    Handle(Handle),
}

impl Source {
    /// What a command line says: the path, or stdin where the bytes are handed over by the engine.
    pub fn argument(&self) -> &str {
        match self {
            Source::Path(path) => path,
            Source::Handle(_) => "/dev/stdin",
        }
    }

    /// The subject that reading it touches; none for bytes that nothing else can change.
    pub fn subject(&self) -> Vec<Subject> {
        match self {
            Source::Path(path) => vec![file(path)],
            Source::Handle(_) => Vec::new(),
        }
    }
}

/// The subject of a file of the repository.
fn file(path: &str) -> Subject {
    Subject::of(&["file", path])
}

/// The subject of the cluster's secrets bundle: calls that read it know its path only with the inventory.
fn bundle() -> Subject {
    Subject::of(&["talos", "secrets"])
}

/// The subject of one side of a node: `config`, `boot`, `version`, `stage`.
fn of_node(node: &str, side: &str) -> Subject {
    Subject::of(&["node", node, side])
}
