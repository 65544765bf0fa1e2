//! Evidence and grants as calls. The engine carries them out itself; their shapes stand here with those of all other calls.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CallSpec;
use crate::effect::{Effect, Scope};
use crate::value::Handle;

/// `safety.evidence { recipe?, with?, also? }`: plans a recipe and gathers the evidence for each of its destroying calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The recipe; the cluster's state alone where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// Its parameters, as words of a command line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<String>,
    /// Further evidence, by code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
}

impl CallSpec for Evidence {
    fn effect(&self) -> Effect {
        Effect::Reads
    }
    fn scope(&self) -> Scope {
        Scope::Cluster
    }
    fn about(&self) -> String {
        let mut words: Vec<String> = self.recipe.clone().into_iter().collect();
        words.extend(self.with.iter().cloned());
        words.join(" ")
    }
}

/// `safety.current {}`: the grants that are valid now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Current {}

impl CallSpec for Current {
    fn effect(&self) -> Effect {
        Effect::Reads
    }
    fn scope(&self) -> Scope {
        Scope::Engine
    }
}

/// `safety.issue { report }`: a grant for what a report proves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Issue {
    /// The report, as `safety.evidence` gave it.
    pub report: Handle,
}

impl CallSpec for Issue {
    fn effect(&self) -> Effect {
        Effect::Files
    }
    fn scope(&self) -> Scope {
        Scope::Engine
    }
}
