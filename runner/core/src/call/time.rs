//! The clock as a call: replay gives the old answer again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CallSpec;
use crate::effect::{Effect, Scope};

/// `time.now {}`: milliseconds since the epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Now {}

impl CallSpec for Now {
    fn effect(&self) -> Effect {
        Effect::Reads
    }
    fn scope(&self) -> Scope {
        Scope::Engine
    }
}
