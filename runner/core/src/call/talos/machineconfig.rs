//! Machine configs as files: patched, and held against one another. No node is asked, but where a difference to what it runs with is wanted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Source, TALOSCTL, of_node};
use crate::call::{CallSpec, Tool};
use crate::effect::{Effect, Scope, Subject};
use crate::machines::PatchText;

/// `talos.machineconfig.patch { file, patch = { … } }`: a machine config with patches merged into it, as a sealed blob. What talosctl's command of
/// the same name does, without it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MachineconfigPatch {
    /// The machine config.
    pub file: Source,
    /// The patches, in the order in which they are applied.
    pub patch: Vec<PatchText>,
    /// Patch as this version of Talos does; that of the inventory where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub talos_version: Option<String>,
}

impl CallSpec for MachineconfigPatch {
    fn effect(&self) -> Effect {
        Effect::Reads
    }
    fn scope(&self) -> Scope {
        Scope::Local
    }
    fn reads(&self) -> Vec<Subject> {
        let patches = self.patch.iter().filter_map(PatchText::file).map(super::file);
        self.file.subject().into_iter().chain(patches).collect()
    }
    fn about(&self) -> String {
        match &self.file {
            Source::Path(path) => path.clone(),
            Source::Handle(_) => String::new(),
        }
    }
}

/// `talos.machineconfig.diff { file, node, live? }`: how a machine config differs from the one that the node's file holds, or with `live` from
/// the one that the node runs with. Values that may be secret are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MachineconfigDiff {
    /// The machine config.
    pub file: Source,
    /// The node that it is for.
    pub node: String,
    /// Against what the node runs with, not against its file.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub live: bool,
}

impl CallSpec for MachineconfigDiff {
    fn effect(&self) -> Effect {
        Effect::Reads
    }
    fn scope(&self) -> Scope {
        if self.live { Scope::Node } else { Scope::Local }
    }
    fn reads(&self) -> Vec<Subject> {
        let mut subjects = self.file.subject();
        if self.live {
            subjects.push(of_node(&self.node, "config"));
        }
        subjects
    }
    fn node(&self) -> Option<&str> {
        Some(&self.node)
    }
    fn tool(&self) -> Option<Tool> {
        self.live.then_some(TALOSCTL)
    }
    fn stable(&self) -> &'static [&'static str] {
        &["changed", "diff"]
    }
}
