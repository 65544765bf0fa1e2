//! Files of data as plain values: YAML, JSON, TOML.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CallSpec;
use super::fs::{Content, read_of, written_to};
use crate::effect::{Effect, Scope, Subject};
use crate::value::Value;

macro_rules! reads_data {
    ($name:ident, $doc:literal $(, $(#[$meta:meta])* $field:ident: $type:ty)*) => {
        #[doc = $doc]
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// Path relative to the root, or a blob.
            pub path: Content,
            $($(#[$meta])* pub $field: $type,)*
        }

        impl CallSpec for $name {
            fn effect(&self) -> Effect {
                Effect::Reads
            }
            fn scope(&self) -> Scope {
                Scope::Local
            }
            fn reads(&self) -> Vec<Subject> {
                match &self.path {
                    Content::Text(path) => read_of(path),
                    Content::Handle(_) => Vec::new(),
                }
            }
            fn stable(&self) -> &'static [&'static str] {
                &["*"]
            }
            fn about(&self) -> String {
                match &self.path {
                    Content::Text(path) => path.clone(),
                    Content::Handle(_) => "a blob".into(),
                }
            }
        }
    };
}

reads_data!(
    ReadYaml,
    "`yaml.read { path, at? }`: the one document of a YAML file, or the single value at a path in it.",
    /// Path to one value, as for `yaml.edit`; a text longer than 64 KiB comes as a blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<String>
);
reads_data!(ReadJson, "`json.read { path }`: a JSON file.");
reads_data!(ReadToml, "`toml.read { path }`: a TOML file; times are text.");

/// `yaml.edit { path, at, value }`: puts one value into a YAML file and keeps every other byte; nothing happens where it is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// Path relative to the root.
    pub path: String,
    /// The value's place: keys, `[2]` for an item from 0, `[name=x]` for the only item with that name:
    /// `cluster.inlineManifests[name=cilium].contents`. It must be there.
    pub at: String,
    /// Text, number, boolean, or a blob or secret that holds text.
    pub value: Value,
}

impl CallSpec for Edit {
    fn effect(&self) -> Effect {
        Effect::Files
    }
    fn scope(&self) -> Scope {
        Scope::Local
    }
    fn reads(&self) -> Vec<Subject> {
        read_of(&self.path)
    }
    fn writes(&self) -> Vec<Subject> {
        written_to(&self.path)
    }
    fn stable(&self) -> &'static [&'static str] {
        &["path", "changed"]
    }
    fn about(&self) -> String {
        format!("{} {}", self.path, self.at)
    }
}
