//! What a call does to the world, and where. Knows nothing of how it is done.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a call does. The order is that of severity.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Changes nothing.
    Reads,
    /// Changes files of the repository, of `.ops` or of the state folder only.
    Files,
    /// Changes a cluster or another thing outside this machine, in a way that loses nothing.
    Mutates,
    /// Can lose what cannot be had again.
    Destroys,
}

impl Effect {
    /// The letter of plan lines and listings: R, F, M, D.
    pub const fn letter(self) -> char {
        match self {
            Effect::Reads => 'R',
            Effect::Files => 'F',
            Effect::Mutates => 'M',
            Effect::Destroys => 'D',
        }
    }

    /// Mutates or destroys: what guards judge, what needs an intent that outlives a power cut.
    pub const fn changes_world(self) -> bool {
        matches!(self, Effect::Mutates | Effect::Destroys)
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Effect::Reads => "reads",
            Effect::Files => "files",
            Effect::Mutates => "mutates",
            Effect::Destroys => "destroys",
        })
    }
}

/// How far a call reaches. Only `Local` calls let a step be skipped; only what outlives this machine is synced before it starts.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Inside the engine: timers, questions, nested steps.
    Engine,
    /// Files, environment and tools of this machine.
    Local,
    /// A process of which nobody knows what it reaches.
    Process,
    /// One node.
    Node,
    /// The cluster as a whole: etcd, the Kubernetes API.
    Cluster,
    /// Another machine: a registry, a Git remote, an http server.
    Remote,
}

impl Scope {
    /// Whether the effect outlives this machine (a power cut here does not undo it).
    pub const fn outlives_machine(self) -> bool {
        matches!(self, Scope::Node | Scope::Cluster | Scope::Remote)
    }
}

/// What a call reads or writes, at the finest level that its type knows: `node/cp-1/config`, `kube/node/w-1`, `file/a/b.yaml`.
///
/// Plan compares subjects: a read whose subject an earlier planned call wrote is not performed.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Subject(pub String);

impl Subject {
    /// A subject of the given parts, joined by `/`.
    pub fn of(parts: &[&str]) -> Subject {
        Subject(parts.join("/"))
    }

    /// Whether one of the two contains the other (`node/w-1` and `node/w-1/config` touch, `node/w-1` and `node/w-10` do not).
    pub fn touches(&self, other: &Subject) -> bool {
        let (short, long) =
            if self.0.len() <= other.0.len() { (self, other) } else { (other, self) };
        long.0.starts_with(&short.0)
            && (long.0.len() == short.0.len() || long.0.as_bytes()[short.0.len()] == b'/')
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_touch_at_whole_parts_only() {
        let touches = |a: &str, b: &str| Subject(a.into()).touches(&Subject(b.into()));
        assert!(touches("node/w-1", "node/w-1/config"));
        assert!(touches("node/w-1/config", "node/w-1"));
        assert!(touches("node/w-1", "node/w-1"));
        assert!(!touches("node/w-1", "node/w-10"));
        assert!(!touches("node/w-1/config", "node/w-1/boot"));
    }
}
