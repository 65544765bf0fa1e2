//! Ordered values for what the tools print: as JSON with sorted keys, as YAML in their own order.

use std::fmt::Write as _;

/// A value whose maps keep their order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    Bool(bool),
    Number(u64),
    Text(String),
    List(Vec<Tree>),
    Map(Vec<(&'static str, Tree)>),
}

impl From<&str> for Tree {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Tree {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Tree {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u64> for Tree {
    fn from(value: u64) -> Self {
        Self::Number(value)
    }
}

impl Tree {
    /// The value at a path of keys, as a table column shows it; empty where there is none.
    pub(crate) fn column(&self, path: &[&str]) -> String {
        let mut at = self;
        for key in path {
            let Self::Map(fields) = at else { return String::new() };
            match fields.iter().find(|(name, _)| name == key) {
                Some((_, value)) => at = value,
                None => return String::new(),
            }
        }
        match at {
            Self::Text(text) => text.clone(),
            Self::Bool(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::List(_) | Self::Map(_) => at.compact(),
        }
    }

    fn compact(&self) -> String {
        let mut out = String::new();
        self.json(&mut out, None, 0);
        out
    }

    /// JSON as Go's encoder indents it, keys sorted, with a newline at the end.
    pub(crate) fn pretty(&self) -> String {
        let mut out = String::new();
        self.json(&mut out, Some("    "), 0);
        out.push('\n');
        out
    }

    fn json(&self, out: &mut String, indent: Option<&str>, depth: usize) {
        let line = |out: &mut String, depth: usize| {
            if let Some(indent) = indent {
                out.push('\n');
                out.extend(std::iter::repeat_n(indent, depth));
            }
        };
        match self {
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            // Writing to a String cannot fail.
            Self::Number(value) => _ = write!(out, "{value}"),
            Self::Text(text) => quote(out, text),
            Self::List(items) if items.is_empty() => out.push_str("[]"),
            Self::List(items) => {
                out.push('[');
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    line(out, depth + 1);
                    item.json(out, indent, depth + 1);
                }
                line(out, depth);
                out.push(']');
            }
            Self::Map(fields) if fields.is_empty() => out.push_str("{}"),
            Self::Map(fields) => {
                let mut sorted: Vec<_> = fields.iter().collect();
                sorted.sort_by_key(|(name, _)| *name);
                out.push('{');
                for (place, (name, value)) in sorted.into_iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    line(out, depth + 1);
                    quote(out, name);
                    out.push_str(if indent.is_some() { ": " } else { ":" });
                    value.json(out, indent, depth + 1);
                }
                line(out, depth);
                out.push('}');
            }
        }
    }

    /// YAML with four spaces of indent, in its own order.
    pub(crate) fn yaml(&self) -> String {
        let mut out = String::new();
        self.yaml_at(&mut out, 0);
        out
    }

    fn yaml_at(&self, out: &mut String, depth: usize) {
        let pad = "    ".repeat(depth);
        match self {
            Self::Map(fields) => {
                for (name, value) in fields {
                    _ = write!(out, "{pad}{name}:");
                    value.yaml_value(out, depth);
                }
            }
            Self::List(items) => {
                for item in items {
                    if let Self::Map(_) = item {
                        let mut block = String::new();
                        item.yaml_at(&mut block, 0);
                        for (place, line) in block.lines().enumerate() {
                            let lead = if place == 0 { "- " } else { "  " };
                            _ = writeln!(out, "{pad}{lead}{line}");
                        }
                    } else {
                        _ = write!(out, "{pad}-");
                        item.yaml_value(out, depth);
                    }
                }
            }
            other => other.yaml_value(out, depth),
        }
    }

    fn yaml_value(&self, out: &mut String, depth: usize) {
        match self {
            Self::Map(fields) if fields.is_empty() => out.push_str(" {}\n"),
            Self::List(items) if items.is_empty() => out.push_str(" []\n"),
            Self::Map(_) | Self::List(_) => {
                out.push('\n');
                self.yaml_at(out, depth + 1);
            }
            Self::Bool(value) => _ = writeln!(out, " {value}"),
            Self::Number(value) => _ = writeln!(out, " {value}"),
            Self::Text(text) if text.contains('\n') => {
                out.push_str(if text.ends_with('\n') { " |\n" } else { " |-\n" });
                let pad = "    ".repeat(depth + 1);
                for line in text.lines() {
                    _ = if line.is_empty() { writeln!(out) } else { writeln!(out, "{pad}{line}") };
                }
            }
            Self::Text(text) => _ = writeln!(out, " {}", plain(text)),
        }
    }
}

/// A scalar, quoted where it would read as something else.
fn plain(text: &str) -> String {
    let number = text.parse::<f64>().is_ok();
    let word = matches!(text, "" | "~" | "null" | "true" | "false" | "yes" | "no" | "on" | "off");
    let first = text.starts_with(|c: char| "!&*-?{}[],#|>@`\"'% ".contains(c));
    if number || word {
        format!("\"{text}\"")
    } else if first || text.contains(": ") || text.contains(" #") || text.ends_with(':') {
        format!("'{text}'")
    } else {
        text.to_owned()
    }
}

/// A JSON string with Go's escapes for markup.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' => _ = write!(out, "\\u{:04x}", c as u32),
            c if (c as u32) < 0x20 => _ = write!(out, "\\u{:04x}", c as u32),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::Tree;

    fn sample() -> Tree {
        Tree::Map(vec![
            ("stage", "running".into()),
            (
                "status",
                Tree::Map(vec![("ready", true.into()), ("unmetConditions", Tree::List(vec![]))]),
            ),
            ("addresses", Tree::List(vec!["10.0.0.11".into()])),
            ("version", 2.into()),
        ])
    }

    #[test]
    fn json_is_sorted_and_indented_by_four() {
        assert_eq!(
            sample().pretty(),
            "{\n    \"addresses\": [\n        \"10.0.0.11\"\n    ],\n    \"stage\": \"running\",\n    \
             \"status\": {\n        \"ready\": true,\n        \"unmetConditions\": []\n    },\n    \
             \"version\": 2\n}\n"
        );
    }

    #[test]
    fn yaml_keeps_its_order() {
        assert_eq!(
            sample().yaml(),
            "stage: running\nstatus:\n    ready: true\n    unmetConditions: []\naddresses:\n    - 10.0.0.11\nversion: 2\n"
        );
    }
}
