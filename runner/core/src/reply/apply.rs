//! What `talosctl apply-config` says it did, and how two machine configs differ.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::CallError;
use crate::time::{Span, Time};
use crate::value::{Value, side_by_side};

/// Whether taking a config over reboots the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RebootPlan {
    /// No.
    None,
    /// Yes, at once.
    Now,
    /// The config waits for the next one.
    Staged,
}

/// The reply of `talos.apply_config`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Applied {
    /// Whether the node had another config before.
    pub changed: bool,
    /// A line per field that differs; values of fields that may be secret are left out.
    pub diff: String,
    /// Whether it reboots.
    pub reboot: RebootPlan,
    /// When a config on trial is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// Reads what apply-config printed on success, on stderr: whether the node reboots, and the window of a trial.
///
/// # Errors
/// Where none of the known sentences is there.
pub fn applied(text: &str) -> Result<(RebootPlan, Option<Span>), CallError> {
    const TRIAL: &str = "automatically reverted back in ";
    let window = text.lines().find_map(|line| {
        let word = line.split(TRIAL).nth(1)?.trim().trim_end_matches('.');
        word.parse().ok()
    });
    // In maintenance mode and on older servers nothing may be printed at all; silence with exit 0 is an accepted config.
    let first = text.lines().find(|l| !l.trim().is_empty()).unwrap_or_default();
    let plan = if first.contains("with a reboot") {
        RebootPlan::Now
    } else if first.contains("Staged configuration") {
        RebootPlan::Staged
    } else if first.contains("without a reboot") || first.is_empty() || window.is_some() {
        RebootPlan::None
    } else {
        return Err(super::unreadable("talosctl apply-config", format!("`{first}`")));
    };
    Ok((plan, window))
}

/// Words in a field's name that may stand over a secret.
const GUARDED: [&str; 14] = [
    "key",
    "token",
    "secret",
    "password",
    "auth",
    "crt",
    "cert",
    "content",
    "manifest",
    "env",
    "private",
    "psk",
    "credential",
    "id",
];

/// The fields in which two configs differ, a line each: `~ machine.install.image: "a" → "b"`. Documents are paired by kind and name.
///
/// A value is shown only where it is short and no word of its path may stand over a secret.
pub fn difference(live: &[Value], wanted: &[Value]) -> Vec<String> {
    let (live, wanted) = (by_name(live), by_name(wanted));
    let mut lines = Vec::new();
    for (name, new) in &wanted {
        match live.get(name) {
            Some(old) => compare(old, new, name, &mut lines),
            None => lines.push(format!("+ {}", if name.is_empty() { "config" } else { name })),
        }
    }
    for name in live.keys().filter(|name| !wanted.contains_key(*name)) {
        lines.push(format!("- {}", if name.is_empty() { "config" } else { name }));
    }
    lines
}

fn by_name(documents: &[Value]) -> BTreeMap<String, &Value> {
    let text = |d: &Value, k: &str| d.get(k).and_then(Value::as_str).unwrap_or_default().to_owned();
    documents
        .iter()
        .filter(|d| !d.is_null())
        .map(|d| match (text(d, "kind"), text(d, "name")) {
            (kind, name) if name.is_empty() => (kind, d),
            (kind, name) => (format!("{kind}/{name}"), d),
        })
        .collect()
}

fn compare(old: &Value, new: &Value, path: &str, lines: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, x, y) in side_by_side(a, b) {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match (x, y) {
                    (Some(x), Some(y)) => compare(x, y, &below, lines),
                    (Some(x), None) => each_field('-', x, &below, lines),
                    (None, Some(y)) => each_field('+', y, &below, lines),
                    _ => {}
                }
            }
        }
        (a, b) if a == b || (empty(a) && empty(b)) => {}
        (a, b) => {
            let (a, b) = (shown(path, a), shown(path, b));
            if a.is_empty() || b.is_empty() {
                lines.push(format!("~ {path}"));
            } else {
                lines.push(format!("~ {path}{a} →{}", b.trim_start_matches(':')));
            }
        }
    }
}

/// A field that only one side has; of a map, each field in it: its name alone would say nothing.
fn each_field(sign: char, value: &Value, path: &str, lines: &mut Vec<String>) {
    match value {
        value if empty(value) => {}
        Value::Object(fields) => {
            for (key, below) in fields {
                each_field(sign, below, &format!("{path}.{key}"), lines);
            }
        }
        value => lines.push(format!("{sign} {path}{}", shown(path, value))),
    }
}

/// An absent field and its empty form mean the same to Talos.
fn empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.values().all(empty),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether a text looks as only keys and tokens do: long, one word, letters and digits mixed.
fn looks_random(value: &Value) -> bool {
    const SHORTEST: usize = 20;
    match value {
        Value::String(text) => {
            let word = |c: char| c.is_ascii_alphanumeric() || "+/=_-".contains(c);
            let digits = text.chars().filter(char::is_ascii_digit).count();
            let upper = text.chars().any(|c| c.is_ascii_uppercase());
            let lower = text.chars().any(|c| c.is_ascii_lowercase());
            let mixed = digits > 0 && (upper && lower || digits > 5) && (upper || lower);
            text.len() >= SHORTEST && text.chars().all(word) && mixed
        }
        Value::Array(items) => items.iter().any(looks_random),
        _ => false,
    }
}

/// Whether a value may be secret by the words of its path (`machine.token`).
pub fn is_guarded(path: &str) -> bool {
    path.split('.').any(|part| {
        let part = part.trim().to_ascii_lowercase();
        GUARDED.iter().any(|word| if *word == "id" { part == "id" } else { part.contains(word) })
    })
}

fn shown(path: &str, value: &Value) -> String {
    const LONGEST: usize = 100;
    let guarded = is_guarded(path);
    let text = value.to_string();
    let scalars = match value {
        Value::Object(_) => false,
        Value::Array(items) => items.iter().all(|i| !i.is_object() && !i.is_array()),
        _ => true,
    };
    let guarded = guarded || looks_random(value);
    if guarded || !scalars || text.len() > LONGEST { String::new() } else { format!(": {text}") }
}
