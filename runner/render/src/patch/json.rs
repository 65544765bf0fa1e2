//! JSON values as RFC 6902 operations see them: numbers as they are spelt,
//! objects sorted by key. It knows nothing of YAML.

use std::borrow::Cow;
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
    /// Text; with its spelling where it came out of a JSON text.
    Text {
        text: String,
        spelling: Option<String>,
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

    /// A text that is spelt as YAML cannot read it, though JSON can: the
    /// original passes the one on as the other.
    pub(super) fn no_yaml(&self) -> Option<&str> {
        match self {
            Json::Text { text, spelling: Some(spelling) } => {
                let mut rest = spelling.as_str();
                while let Some(at) = rest.find('\\') {
                    let escape = &rest[at + 1..];
                    let surrogate = escape.starts_with('u')
                        && matches!(
                            escape.as_bytes().get(1..3),
                            Some([b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F'])
                        );
                    if escape.starts_with('/') || surrogate {
                        return Some(text);
                    }
                    rest = escape.get(1..).unwrap_or("");
                }
                None
            }
            Json::Array(items) => items.iter().find_map(Json::no_yaml),
            Json::Object(object) => object.values().find_map(Json::no_yaml),
            _ => None,
        }
    }

    /// Equality as the original's `test` decides it: scalars by their
    /// spelling.
    pub(super) fn same(&self, other: &Json) -> bool {
        match (self, other) {
            (Json::Null, Json::Null) | (Json::SpeltNull, Json::SpeltNull) => true,
            (Json::SpeltNull, Json::Object(empty)) | (Json::Object(empty), Json::SpeltNull) => {
                empty.is_empty()
            }
            (Json::Array(empty), Json::SpeltNull) => empty.is_empty(),
            (Json::Bool(a), Json::Bool(b)) => a == b,
            (Json::Number(a), Json::Number(b)) => a == b,
            (Json::Text { text: a, spelling: sa }, Json::Text { text: b, spelling: sb }) => {
                a == b && spelt(a, sa.as_deref()) == spelt(b, sb.as_deref())
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

/// How a text is spelt; by Go's encoder where no spelling is given.
fn spelt<'s>(text: &str, spelling: Option<&'s str>) -> Cow<'s, str> {
    if let Some(spelling) = spelling {
        return Cow::Borrowed(spelling);
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out += "\\n",
            '\r' => out += "\\r",
            '\t' => out += "\\t",
            '\u{8}' => out += "\\b",
            '\u{c}' => out += "\\f",
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out += &format!("\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    Cow::Owned(out)
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
