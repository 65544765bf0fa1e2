//! Plain data: what may cross the gate or a VM, its limits, its canonical form and its digest.
//!
//! A value is a `serde_json::Value`. Opaque handles (blobs, secrets, reports, values known only after apply) are maps with
//! one key that starts with `$`; data of users may not have such keys, so no recipe can forge one.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use serde_json::{Map, Value};

/// Deepest nesting that may cross the gate.
pub const MAX_DEPTH: usize = 32;
/// Largest encoded value that may cross the gate, in bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// A reply above this size is stored as a blob beside the journal, in bytes.
pub const BLOB_FROM: usize = 64 << 10;
/// A reply above this size is refused, in bytes.
pub const REPLY_MAX: usize = 64 << 20;

/// Every key of two maps, sorted, with its value in each.
pub fn side_by_side<'v>(
    one: &'v Map<String, Value>,
    other: &'v Map<String, Value>,
) -> impl Iterator<Item = (&'v String, Option<&'v Value>, Option<&'v Value>)> {
    let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    keys.into_iter().map(|key| (key, one.get(key), other.get(key)))
}

/// A BLAKE3 digest as 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Digest(pub String);

impl Digest {
    /// The digest of some bytes.
    pub fn of_bytes(bytes: &[u8]) -> Digest {
        Digest(blake3::hash(bytes).to_hex().to_string())
    }

    /// The digest of a value's canonical form.
    pub fn of(value: &Value) -> Digest {
        Digest::of_bytes(canonical(value).as_bytes())
    }

    /// A digest that only the holder of `key` can compute: for secrets, so that a journal gives no oracle for guesses.
    pub fn keyed(key: &[u8; 32], bytes: &[u8]) -> Digest {
        Digest(blake3::keyed_hash(key, bytes).to_hex().to_string())
    }

    /// The first four digits, for people.
    pub fn short(&self) -> &str {
        self.0.get(..4).unwrap_or(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.short())
    }
}

/// The canonical form of a value: RFC 8785 JSON (keys in UTF-16 order, shortest numbers, no white space).
pub fn canonical(value: &Value) -> String {
    serde_json_canonicalizer::to_string(value).unwrap_or_else(|_| value.to_string())
}

/// Why a value may not cross the gate, and at which field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at `{field}`")]
pub struct NotPlain {
    /// The path to the offending field, such as `values.a[3]`; `.` for the whole.
    pub field: String,
    /// What is wrong with it.
    pub what: String,
}

/// Checks depth and size, and that no map of a user has a key that starts with `$`.
///
/// Handles that the host made are passed over: `is_handle` says which.
///
/// # Errors
/// The first offending field, in document order.
pub fn check_plain(value: &Value) -> Result<(), NotPlain> {
    check_depth(value, 1, &mut String::new())?;
    let bytes = value.to_string().len();
    if bytes > MAX_BYTES {
        return Err(NotPlain {
            field: ".".into(),
            what: format!("{bytes} bytes of data, at most {MAX_BYTES} may pass"),
        });
    }
    Ok(())
}

fn check_depth(value: &Value, depth: usize, path: &mut String) -> Result<(), NotPlain> {
    let here = |path: &String| if path.is_empty() { ".".to_owned() } else { path.clone() };
    if depth > MAX_DEPTH {
        return Err(NotPlain { field: here(path), what: format!("more than {MAX_DEPTH} levels") });
    }
    let length = path.len();
    match value {
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                path.push_str(&format!("[{i}]"));
                check_depth(item, depth + 1, path)?;
                path.truncate(length);
            }
        }
        Value::Object(map) => {
            if Handle::from_value(value).is_some() {
                return Ok(());
            }
            for (key, item) in map {
                if key.starts_with('$') {
                    return Err(NotPlain {
                        field: here(path),
                        what: format!("key `{key}`: keys that start with `$` are reserved"),
                    });
                }
                if length > 0 {
                    path.push('.');
                }
                path.push_str(key);
                check_depth(item, depth + 1, path)?;
                path.truncate(length);
            }
        }
        _ => {}
    }
    Ok(())
}

/// An opaque thing that recipes hand on but cannot look into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum Handle {
    /// Bytes stored beside the journal.
    #[serde(rename = "$blob")]
    Blob(Blob),
    /// A secret, by reference; its bytes are never in a value.
    #[serde(rename = "$secret")]
    Secret(SecretRef),
    /// A table of evidence that the engine keeps.
    #[serde(rename = "$report")]
    Report(ReportRef),
    /// A value that is known only after apply: the call and the field it will come from.
    #[serde(rename = "$later")]
    Later(LaterRef),
}

/// Bytes stored beside the journal, named by their digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Blob {
    /// Digest of the bytes (keyed where `sealed`).
    pub digest: Digest,
    /// Length in bytes.
    pub size: u64,
    /// Holds secret content: never shown, mode 0600 wherever it is written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sealed: bool,
}

/// Where a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRef {
    /// `env`, `op`, `sops`, `age`, `file`, `stdin` or `joined`.
    pub provider: String,
    /// The provider's own reference; never the secret itself.
    pub reference: String,
    /// Keyed digest of the bytes, so that a changed secret is noticed.
    pub digest: Digest,
}

/// A report of evidence, by number within the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportRef {
    /// Number of the report within its run.
    pub id: u64,
}

/// The field of a planned call that nobody can know yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LaterRef {
    /// The call's name as in the journal.
    pub call: String,
    /// The field of its reply.
    pub field: String,
}

impl Handle {
    /// The handle that `value` encodes, if it is one.
    pub fn from_value(value: &Value) -> Option<Handle> {
        let map = value.as_object()?;
        if map.len() != 1 || !map.keys().next()?.starts_with('$') {
            return None;
        }
        serde_json::from_value(value.clone()).ok()
    }

    /// The encoded form.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }
}

/// Whether an unknown (`$later`) stands anywhere in the value.
pub fn has_later(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_later),
        Value::Object(map) => map.contains_key("$later") || map.values().any(has_later),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_canonical_form_does_not_depend_on_the_order_of_keys() {
        let a: Value = serde_json::from_str(r#"{"b":1,"a":[1.0,"x"],"é":null}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{"é":null,"a":[1.0,"x"],"b":1}"#).unwrap();
        assert_eq!(canonical(&a), canonical(&b));
        assert_eq!(canonical(&a), r#"{"a":[1,"x"],"b":1,"é":null}"#);
    }

    #[test]
    fn a_handle_survives_its_encoding() {
        let blob = Handle::Blob(Blob { digest: Digest::of_bytes(b"x"), size: 1, sealed: true });
        assert_eq!(Handle::from_value(&blob.to_value()), Some(blob));
    }

    #[test]
    fn data_with_a_reserved_key_is_refused_with_its_field() {
        let forged = json!({"a": {"$secrets": {}}});
        let wrong = check_plain(&forged).unwrap_err();
        assert_eq!(wrong.field, "a");
    }

    #[test]
    fn nesting_beyond_the_limit_is_refused() {
        let mut value = json!(1);
        for _ in 0..MAX_DEPTH {
            value = json!([value]);
        }
        assert!(check_plain(&value).is_err());
    }

    #[test]
    fn data_beyond_the_size_limit_is_refused() {
        assert!(check_plain(&json!("x".repeat(MAX_BYTES))).is_err());
        assert!(check_plain(&json!("x".repeat(MAX_BYTES / 2))).is_ok());
    }
}
