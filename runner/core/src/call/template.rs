//! Templates: Jinja text with data to a blob.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CallSpec;
use crate::effect::{Effect, Scope, Subject};
use crate::value::{Map, Value};

/// `template.render { path, data? }` or `template.render { text = …, data? }`: a name that is not defined is an error.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Render {
    /// Path of the template, relative to the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The template itself, in place of a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Its names; secrets and blobs are put in as text, and then the result is secret where they are.
    #[serde(default)]
    pub data: Map<String, Value>,
    /// Providers of secrets that the template itself may ask: `env`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resolve: Vec<Provider>,
}

/// A provider of secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// 1Password.
    Op,
    /// SOPS.
    Sops,
    /// The environment.
    Env,
}

impl CallSpec for Render {
    fn effect(&self) -> Effect {
        Effect::Reads
    }
    fn scope(&self) -> Scope {
        Scope::Local
    }
    fn reads(&self) -> Vec<Subject> {
        // What it includes is known only when it is rendered.
        self.path.as_ref().map(|_| vec![Subject::of(&["made"])]).unwrap_or_default()
    }
    fn stable(&self) -> &'static [&'static str] {
        &["*"]
    }
    fn about(&self) -> String {
        self.path.clone().unwrap_or_default()
    }
}
