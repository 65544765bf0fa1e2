//! Values of free-form objects (kubelet's extra config, admission plugins):
//! what an untyped YAML value becomes in Go. It knows nothing of Talos' types.

use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Any {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    /// RFC 3339 text.
    Time(String),
    List(Vec<Any>),
    Map(BTreeMap<String, Any>),
    /// A mapping with a key that is not text.
    Keyed(Vec<(Any, Any)>),
}

impl Any {
    /// The Go type behind the interface, as messages about clashes name it.
    pub(crate) fn go_type(&self) -> &'static str {
        match self {
            Any::Null => "nothing",
            Any::Bool(_) => "a boolean",
            // Numbers beyond 63 bits are of another Go type than the rest.
            Any::Int(value) if *value > i128::from(i64::MAX) => "a large number",
            Any::Int(_) => "a whole number",
            Any::Float(_) => "a number with a fraction",
            Any::Text(_) => "text",
            Any::Time(_) => "a timestamp",
            Any::List(_) => "a list",
            Any::Map(_) => "a mapping",
            Any::Keyed(_) => "a mapping with keys that are not text",
        }
    }

    /// Whether Go's reflection calls the value behind the interface zero.
    fn is_zero(&self) -> bool {
        match self {
            Any::Null => true,
            Any::Bool(value) => !value,
            Any::Int(value) => *value == 0,
            Any::Float(value) => *value == 0.0 && value.is_sign_positive(),
            Any::Text(text) => text.is_empty(),
            Any::Time(_) | Any::List(_) | Any::Map(_) | Any::Keyed(_) => false,
        }
    }

    /// What the original cannot copy, and crashes on: a timestamp or a key
    /// that is not text. Gives the keys leading there.
    pub(crate) fn uncopyable(&self) -> Option<Vec<String>> {
        match self {
            Any::Time(_) | Any::Keyed(_) => Some(Vec::new()),
            Any::List(items) => {
                items
                    .iter()
                    .enumerate()
                    .find_map(|(at, item)| Some((at.to_string(), item.uncopyable()?)))
            }
            .map(prepend),
            Any::Map(map) => map
                .iter()
                .find_map(|(key, item)| Some((key.clone(), item.uncopyable()?)))
                .map(prepend),
            _ => None,
        }
    }

    /// Merges `right` into this value, both set: mappings key by key, lists
    /// appended. The error names the keys to the clash and says what it is.
    pub(crate) fn merge(&mut self, right: Any) -> Result<(), (Vec<String>, String)> {
        if self.go_type() != right.go_type() {
            let message = match right {
                Any::Null => {
                    format!(
                        "{} cannot be merged with null here: the original crashes",
                        self.go_type()
                    )
                }
                _ => format!(
                    "{} is here already, {} cannot be merged into it",
                    self.go_type(),
                    right.go_type()
                ),
            };
            return Err((Vec::new(), message));
        }
        match (self, right) {
            (Any::List(left), Any::List(right)) => left.extend(right),
            (Any::Map(left), Any::Map(right)) => {
                for (key, value) in right {
                    merge_key(left, key, value)?;
                }
            }
            (Any::Time(_), _) => {
                return Err((Vec::new(), "timestamps cannot be merged".to_owned()));
            }
            (Any::Keyed(left), Any::Keyed(right)) => {
                for (key, value) in right {
                    match left.iter_mut().find(|(known, _)| *known == key) {
                        Some((_, slot)) if *slot != Any::Null => slot.merge(value)?,
                        Some((_, slot)) => *slot = value,
                        None => left.push((key, value)),
                    }
                }
            }
            (left @ Any::Bool(_), right) => *left = right,
            (left, right) => {
                if !right.is_zero() {
                    *left = right;
                }
            }
        }
        Ok(())
    }
}

/// Merges one key of a free-form mapping.
pub(crate) fn merge_key(
    left: &mut BTreeMap<String, Any>,
    key: String,
    value: Any,
) -> Result<(), (Vec<String>, String)> {
    match left.get_mut(&key) {
        Some(slot) if *slot != Any::Null => slot.merge(value).map_err(|(mut path, message)| {
            path.insert(0, key);
            (path, message)
        }),
        _ => {
            left.insert(key, value);
            Ok(())
        }
    }
}

fn prepend((key, mut rest): (String, Vec<String>)) -> Vec<String> {
    rest.insert(0, key);
    rest
}
