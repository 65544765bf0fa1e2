//! Secrets by reference. What a call gives is a handle; the bytes never cross the gate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CallSpec;
use crate::effect::{Effect, Scope};

/// `secrets.env { name }`: a variable of the environment in which `ops` was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Env {
    /// Name of the variable.
    pub name: String,
}

impl CallSpec for Env {
    fn effect(&self) -> Effect {
        Effect::Reads
    }
    fn scope(&self) -> Scope {
        Scope::Local
    }
    fn stable(&self) -> &'static [&'static str] {
        &["*"]
    }
    fn about(&self) -> String {
        self.name.clone()
    }
}
