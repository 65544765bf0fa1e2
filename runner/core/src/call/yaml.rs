//! Files of data as plain values: YAML, JSON, TOML.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CallSpec;
use super::fs::{Content, read_of};
use crate::effect::{Effect, Scope, Subject};

macro_rules! reads_data {
    ($name:ident, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// Path relative to the root, or a blob.
            pub path: Content,
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

reads_data!(ReadYaml, "`yaml.read { path }`: the one document of a YAML file.");
reads_data!(ReadJson, "`json.read { path }`: a JSON file.");
reads_data!(ReadToml, "`toml.read { path }`: a TOML file; times are text.");
