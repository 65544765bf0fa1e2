//! The identity of an image: Image Factory hashes the schematic's own YAML.

use sha2::{Digest as _, Sha256};

use super::Schema;
use crate::machinery::encode::encode;
use crate::machinery::profile::TypeId;
use crate::machinery::value::Value;
use crate::yaml::emit::emit;
use crate::yaml::scalar::Dialect;

/// The ID that Image Factory gives a schematic, computed without asking it.
pub(super) fn id(schema: &Schema, type_id: TypeId, schematic: &Value) -> String {
    let text = emit(&encode(&schema.0, type_id, schematic), Dialect::V4, true);
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .concat()
}
