//! The identity of an image: Image Factory hashes the schematic's own YAML.

use super::Schema;
use super::sha256::sha256;
use crate::machinery::encode::encode;
use crate::machinery::profile::TypeId;
use crate::machinery::value::Value;
use crate::yaml::emit::emit;
use crate::yaml::scalar::Dialect;

/// The ID that Image Factory gives a schematic, computed without asking it.
pub(super) fn id(schema: &Schema, type_id: TypeId, schematic: &Value) -> String {
    let text = emit(&encode(&schema.0, type_id, schematic), Dialect::V4, true);
    sha256(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}
