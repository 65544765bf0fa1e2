//! The variables that a talconfig may name, and which of them were asked for.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::check;
use crate::diagnostic::{Code, Diagnostic, Mark};
use crate::yaml::node::Data;
use crate::yaml::read::{Source, read, text};

/// The names that talhelper looks for beside a talconfig; every one that
/// exists is loaded, in this order.
pub const VARIABLE_FILES: [&str; 4] =
    ["talenv.yaml", "talenv.sops.yaml", "talenv.yml", "talenv.sops.yml"];

/// Names and values of variables; which file or process they come from is the
/// caller's business. It keeps the names that were asked for, set or not, so
/// that a caller knows what a result depends on, also after an error.
#[derive(Clone, Default)]
pub struct Variables {
    values: BTreeMap<String, String>,
    asked: RefCell<BTreeSet<String>>,
}

impl Variables {
    /// No variables.
    pub fn new() -> Variables {
        Variables::default()
    }

    /// Sets a variable; the last value wins.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.values.insert(name.into(), value.into());
    }

    /// Adds what an environment file such as `talenv.yaml` sets, decrypted by
    /// the caller: `NAME: value` or `NAME=value` a line. What it sets wins.
    /// Like talhelper, whose reader knows no YAML, it takes values as they are
    /// written (`null` is a word), and outside of single quotes `$NAME` and
    /// `${NAME}` in capitals stand for what the same file sets above.
    ///
    /// # Errors
    /// A file that is still encrypted, or a line that sets nothing.
    pub fn load(&mut self, source: Source<'_>) -> Result<(), Vec<Diagnostic>> {
        let refused = |mark, message: &str| vec![check::problem(source.name, mark, message)];
        let content = text(source).map_err(|problem| vec![problem])?;
        let documents = read(source);
        if let Ok(documents) = &documents
            && documents.iter().all(|root| matches!(root.data, Data::Mapping(_)))
        {
            let mut set = BTreeMap::new();
            for root in documents {
                let mut seen = BTreeMap::new();
                if let Some(node) = root.get("sops") {
                    let message = "this file is still encrypted: what reads it must decrypt it";
                    return Err(refused(node.mark, message));
                }
                for (key, value) in root.pairs() {
                    if let Some(line) = seen.insert(key.text(), key.mark.line) {
                        let name = key.text();
                        let message = format!("the key `{name}` is set already in line {line}");
                        let code = Code::DUPLICATE;
                        return Err(vec![Diagnostic::new(code, source.name, key.mark, message)]);
                    }
                    let value = value.resolved();
                    if !value.is_scalar() || !key.is_scalar() {
                        let message = "a variable is a name with a text";
                        return Err(refused(key.mark, message));
                    }
                    let quoted = content.chars().nth(value.span.0) == Some('\'');
                    let text = value.text();
                    let text = if quoted { text.to_owned() } else { expanded(text, &set) };
                    set.insert(key.text().to_owned(), text);
                }
            }
            self.values.extend(set);
            return Ok(());
        }
        for (at, line) in content.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let assigned = line.strip_prefix("export ").unwrap_or(line).split_once('=');
            let Some((name, value)) = assigned.filter(|(name, _)| is_name(name.trim())) else {
                // Broken YAML is more likely meant than lines without a `=`.
                if let (Err(problem), true) = (documents, line.contains(':')) {
                    return Err(vec![problem]);
                }
                let mark = Mark { line: at + 1, column: 1 };
                return Err(refused(mark, "this line sets no variable; write `NAME: value`"));
            };
            let value = value.trim();
            let bare = |quote| value.strip_prefix(quote).and_then(|v| v.strip_suffix(quote));
            self.insert(name.trim(), bare('"').or_else(|| bare('\'')).unwrap_or(value));
        }
        Ok(())
    }

    /// The names asked for so far, in order, those that are not set included.
    pub fn asked(&self) -> Vec<String> {
        self.asked.borrow().iter().cloned().collect()
    }

    /// The names that are set, in order.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.values.keys().cloned()
    }

    /// The value of a variable, without keeping that it was asked for.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        if !self.asked.borrow().contains(name) {
            self.asked.borrow_mut().insert(name.to_owned());
        }
        self.value(name)
    }
}

impl FromIterator<(String, String)> for Variables {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Variables {
        Variables { values: pairs.into_iter().collect(), asked: RefCell::default() }
    }
}

impl From<BTreeMap<String, String>> for Variables {
    fn from(values: BTreeMap<String, String>) -> Variables {
        Variables { values, asked: RefCell::default() }
    }
}

impl<const N: usize> From<[(String, String); N]> for Variables {
    fn from(pairs: [(String, String); N]) -> Variables {
        pairs.into_iter().collect()
    }
}

/// Values may be secret: only names are shown.
impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

/// Replaces what stands for a variable that the file has set before; one that
/// it has not is nothing. A backslash before the dollar sign goes, and so does
/// a parenthesis behind it. Facts: `joho/godotenv` v1.5.1, and run.
fn expanded(text: &str, set: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, behind) = (&rest[..at], &rest[at + 1..]);
        let inside = behind.strip_prefix('(').unwrap_or(behind);
        let inside = inside.strip_prefix('{').unwrap_or(inside);
        let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let name = &inside[..inside.find(|c| !is_name(c)).unwrap_or(inside.len())];
        let after = &inside[name.len()..];
        let after = after.strip_prefix('}').unwrap_or(after);
        let whole = &behind[..behind.len() - after.len()];
        if let Some(before) = before.strip_suffix('\\') {
            out += before;
            out.push('$');
            out += whole;
        } else if name.is_empty() {
            out += before;
            out.push('$');
            out += whole;
        } else {
            out += before;
            out += set.get(name).map_or("", String::as_str);
        }
        rest = after;
    }
    out + rest
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c == '_' || c == '.' || c.is_alphanumeric())
}
