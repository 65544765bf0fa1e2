//! Writes generated values as YAML in varying styles, plainly enough that no
//! parser can disagree about what they are.

use std::fmt::Write as _;

#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// Spelt as it stands.
    Bare(String),
    /// Text that must read back as itself.
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// One document; `pick` chooses among styles.
pub(crate) fn document(node: &Node, pick: &mut dyn FnMut(usize) -> usize) -> String {
    let mut out = String::new();
    block(node, 0, &mut out, pick);
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out.trim_start_matches(['\n', ' ']).to_owned()
}

fn block(node: &Node, indent: usize, out: &mut String, pick: &mut dyn FnMut(usize) -> usize) {
    match node {
        Node::Map(pairs) if !pairs.is_empty() && pick(10) < 9 => {
            for (key, value) in pairs {
                let _ = write!(out, "\n{:indent$}{}:", "", text(key, pick));
                block(value, indent + 2, out, pick);
            }
        }
        Node::List(items) if !items.is_empty() && pick(10) < 9 => {
            for item in items {
                let _ = write!(out, "\n{:indent$}-", "");
                block(item, indent + 2, out, pick);
            }
        }
        Node::Text(value) if literal_works(value) && pick(2) == 1 => {
            let chomp = if value.ends_with('\n') { "" } else { "-" };
            let _ = write!(out, " |{chomp}");
            for line in value.trim_end_matches('\n').split('\n') {
                let _ = write!(out, "\n{:indent$}{line}", "");
            }
        }
        other => {
            out.push(' ');
            flow(other, out, pick);
        }
    }
}

fn flow(node: &Node, out: &mut String, pick: &mut dyn FnMut(usize) -> usize) {
    match node {
        Node::Bare(value) => out.push_str(value),
        Node::Text(value) => out.push_str(&text(value, pick)),
        Node::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                flow(item, out, pick);
            }
            out.push(']');
        }
        Node::Map(pairs) => {
            out.push('{');
            for (at, (key, value)) in pairs.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                out.push_str(&text(key, pick));
                out.push_str(": ");
                flow(value, out, pick);
            }
            out.push('}');
        }
    }
}

/// Text on one line: plain where nothing can be mistaken, else quoted.
fn text(value: &str, pick: &mut dyn FnMut(usize) -> usize) -> String {
    let simple = !value.is_empty()
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/$-".contains(&byte))
        && value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$')
        && value.len() < 60
        && !matches!(
            value.to_lowercase().as_str(),
            "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n" | "null" | "nan"
        );
    if simple {
        return value.to_owned();
    }
    let printable = value.chars().all(|c| (' '..='~').contains(&c) || c == '\u{e9}');
    if printable && pick(2) == 1 {
        return format!("'{}'", value.replace('\'', "''"));
    }
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(c),
            _ => {
                let _ = match c as u32 {
                    code @ 0..=0xff => write!(out, "\\x{code:02x}"),
                    code @ 0x100..=0xffff => write!(out, "\\u{code:04x}"),
                    code => write!(out, "\\U{code:08x}"),
                };
            }
        }
    }
    out.push('"');
    out
}

fn literal_works(value: &str) -> bool {
    value.contains('\n')
        && !value.starts_with([' ', '\n', '\t'])
        && !value.ends_with("\n\n")
        && !value.lines().any(|line| line.ends_with(' ') || line.starts_with(' '))
        && value.chars().all(|c| (' '..='~').contains(&c) || c == '\n')
}
