//! Files whose content goes into a config as it is: their name says which form
//! they have, and what is broken in that form is found here, not on a node.
//! Like talhelper, which opens each by its form before it knows whether it is
//! encrypted.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic, Mark};
use crate::machinery::decode::is_null;
use crate::yaml::node::{Data, Node};
use crate::yaml::read::{Source, read};

/// Refuses a file that is broken in the form its name says.
pub(super) fn check(name: &str, text: &str) -> Result<(), Diagnostic> {
    match name.rsplit_once('.').map(|(_, end)| end) {
        Some("yaml" | "yml") => yaml(name, text),
        Some("json") => json(name, text),
        Some("env") => dotenv(name, text),
        _ => Ok(()),
    }
}

fn yaml(name: &str, text: &str) -> Result<(), Diagnostic> {
    for root in read(Source { name, bytes: text.as_bytes() })? {
        if !matches!(root.data, Data::Mapping(_)) && !is_null(&root) {
            let message = "a document of a YAML file is to be a mapping here";
            return Err(Diagnostic::new(Code::WRONG_TYPE, name, root.mark, message)
                .hint("give the file another ending if it is no YAML"));
        }
        unique(name, &root)?;
    }
    Ok(())
}

/// Refuses a key that a mapping has twice; what aliases name is looked at once.
fn unique(name: &str, node: &Node) -> Result<(), Diagnostic> {
    match &node.data {
        Data::Sequence(items) => items.iter().try_for_each(|item| unique(name, item)),
        Data::Mapping(pairs) => {
            let mut seen = BTreeMap::new();
            for (key, value) in pairs {
                let word = key.resolved();
                if word.is_scalar()
                    && word.text() != "<<"
                    && let Some(line) = seen.insert(word.text(), key.mark.line)
                {
                    let message =
                        format!("the key `{}` is set already in line {line}", word.text());
                    return Err(Diagnostic::new(Code::DUPLICATE, name, key.mark, message));
                }
                unique(name, value)?;
            }
            Ok(())
        }
        Data::Scalar { .. } | Data::Alias(_) => Ok(()),
    }
}

fn json(name: &str, text: &str) -> Result<(), Diagnostic> {
    serde_json::from_str::<serde::de::IgnoredAny>(text).map(|_| ()).map_err(|error| {
        let mark = Mark { line: error.line(), column: error.column() };
        let why = error.to_string();
        let why = why.split(" at line ").next().unwrap_or_default();
        Diagnostic::new(Code::UNREADABLE, name, mark, format!("this is not JSON: {why}"))
    })
}

fn dotenv(name: &str, text: &str) -> Result<(), Diagnostic> {
    let sets = |line: &str| line.is_empty() || line.starts_with('#') || line.contains('=');
    match text.lines().position(|line| !sets(line)) {
        Some(at) => {
            let mark = Mark { line: at + 1, column: 1 };
            let message = "this line sets nothing; a line is `NAME=value`";
            Err(Diagnostic::new(Code::TALCONFIG, name, mark, message))
        }
        None => Ok(()),
    }
}
