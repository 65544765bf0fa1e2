//! Where the machine configs of a cluster come from, as data: generated bases, files of other tools, templates, and the patches on top. Reads
//! nothing and renders nothing.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call::talos::Source;

/// What the machine configs of a cluster are made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Machines {
    /// What patches are laid over.
    #[serde(default)]
    pub origin: Origin,
    /// The cluster's name in machine configs, where another file than the inventory gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// A machine config of their own, by node: a plain file or a `.j2` template, relative to the root.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub configs: BTreeMap<String, String>,
    /// The inventory's patches by node, in the order in which they are applied: those of the cluster, of the role, of the node.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub patches: BTreeMap<String, Vec<PatchText>>,
    /// File names of rendered configs by node, where they are not `CLUSTER-NODE.yaml`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub file_names: BTreeMap<String, String>,
}

impl Machines {
    /// The patches of a node, in order.
    pub fn patches_of(&self, node: &str) -> &[PatchText] {
        self.patches.get(node).map_or(&[], Vec::as_slice)
    }
}

/// What patches are laid over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "from", rename_all = "lowercase", deny_unknown_fields)]
pub enum Origin {
    /// The base config that talosctl generates for the role, or a config of the node's own.
    #[default]
    Generated,
    /// A talconfig.yaml of talhelper.
    Talconfig {
        /// Path of the file, relative to the root.
        file: String,
    },
    /// A topf.yaml with its folders of patches.
    Topf {
        /// Path of the file, relative to the root.
        file: String,
        /// The folder that holds `all/`, `control-plane/`, `worker/` and `node/`, relative to the root.
        folder: String,
        /// The image that each node installs.
        images: BTreeMap<String, String>,
    },
}

/// A patch of a machine config as somebody wrote it down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PatchText {
    /// A text, or the handle of one. A text is the name of a file, as talosctl takes it: with `@` before it, or without a space, a line break
    /// and a bracket or brace at its beginning. Everything else is the patch itself.
    Text(Source),
    /// The patch as data: a mapping is merged, a list is RFC 6902.
    Data(Value),
}

impl PatchText {
    /// The file that it names, without `@`; nothing where it is the patch itself.
    pub fn file(&self) -> Option<&str> {
        let PatchText::Text(Source::Path(text)) = self else { return None };
        let bare = !text.contains([' ', '\n']) && !text.starts_with(['[', '{']);
        text.strip_prefix('@').or(bare.then_some(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patch(value: Value) -> PatchText {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_patch_is_a_file_a_text_or_data_by_the_rules_of_talosctl() {
        assert_eq!(patch(json!("talos/a.yaml")).file(), Some("talos/a.yaml"));
        assert_eq!(patch(json!("@with space.yaml")).file(), Some("with space.yaml"));
        for inline in ["machine: {}", "{\"machine\":{}}", "[{\"op\":\"test\"}]", "machine:\n  a: 1"]
        {
            assert_eq!(patch(json!(inline)).file(), None, "{inline}");
        }
        let data = patch(json!({"machine": {"sysctls": {"a": "1"}}}));
        assert!(matches!(data, PatchText::Data(_)));
        let blob = json!({"$blob": {"digest": "d", "size": 1}});
        assert!(matches!(patch(blob), PatchText::Text(Source::Handle(_))));
    }

    #[test]
    fn what_nobody_said_is_the_generated_base() {
        let machines: Machines = serde_json::from_value(json!({})).unwrap();
        assert_eq!(machines, Machines::default());
        assert!(machines.patches_of("w-1").is_empty());
    }
}
