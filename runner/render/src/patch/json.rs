//! JSON values as RFC 6902 operations see them: numbers as they are spelt,
//! objects sorted by key. It knows nothing of YAML.

use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub(super) enum Json {
    Null,
    /// The null of an operation written in YAML, which the original treats as
    /// an empty object that cannot be written to.
    SpeltNull,
    Bool(bool),
    /// The number as it is spelt.
    Number(String),
    /// Text; `literal` where it came out of a JSON text as it stands.
    Text {
        text: String,
        literal: bool,
    },
    Array(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

impl Json {
    /// Whether some text, keys included, is as asked for.
    pub(super) fn has_text(&self, wanted: &impl Fn(&str) -> bool) -> bool {
        match self {
            Json::Null | Json::SpeltNull | Json::Bool(_) | Json::Number(_) => false,
            Json::Text { text, .. } => wanted(text),
            Json::Array(items) => items.iter().any(|item| item.has_text(wanted)),
            Json::Object(object) => {
                object.iter().any(|(key, value)| wanted(key) || value.has_text(wanted))
            }
        }
    }

    /// Equality as the original's `test` decides it: scalars by their
    /// spelling. Text that went through Go's encoder spells `<`, `>`, `&` and
    /// two separators as escapes, text out of a JSON patch does not.
    pub(super) fn same(&self, other: &Json) -> bool {
        match (self, other) {
            (Json::Null, Json::Null) | (Json::SpeltNull, Json::SpeltNull) => true,
            (Json::SpeltNull, Json::Object(empty)) | (Json::Object(empty), Json::SpeltNull) => {
                empty.is_empty()
            }
            (Json::Array(empty), Json::SpeltNull) => empty.is_empty(),
            (Json::Bool(a), Json::Bool(b)) => a == b,
            (Json::Number(a), Json::Number(b)) => a == b,
            (Json::Text { text: a, literal: la }, Json::Text { text: b, literal: lb }) => {
                a == b && (la == lb || !a.contains(['<', '>', '&', '\u{2028}', '\u{2029}']))
            }
            (Json::Array(a), Json::Array(b)) => {
                // The original crashes on a null in a list.
                let equal = |(a, b): (&Json, &Json)| !matches!(a, Json::Null) && a.same(b);
                a.len() == b.len() && a.iter().zip(b).all(equal)
            }
            (Json::Object(a), Json::Object(b)) => {
                a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| a.same(b)))
            }
            _ => false,
        }
    }
}

/// A float as Go's JSON encoder writes it; it has no way to write infinity.
pub(super) fn format_number(value: f64) -> Option<String> {
    if !value.is_finite() {
        return None;
    }
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{value:e}");
        let (mantissa, exponent) = text.split_once('e')?;
        let sign = if exponent.starts_with('-') { "" } else { "+" };
        return Some(format!("{mantissa}e{sign}{exponent}"));
    }
    Some(format!("{value}"))
}
