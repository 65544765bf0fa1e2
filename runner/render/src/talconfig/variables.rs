//! The variables that a talconfig may name, and which of them were asked for.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::check;
use crate::diagnostic::{Diagnostic, Mark};
use crate::machinery::decode::is_null;
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
    ///
    /// # Errors
    /// A file that is still encrypted, or a line that sets nothing.
    pub fn load(&mut self, source: Source<'_>) -> Result<(), Vec<Diagnostic>> {
        let refused = |mark, message: &str| vec![check::problem(source.name, mark, message)];
        let content = text(source).map_err(|problem| vec![problem])?;
        if let Ok(documents) = read(source)
            && documents.iter().all(|root| matches!(root.data, Data::Mapping(_)))
        {
            for root in &documents {
                if let Some(node) = root.get("sops") {
                    let message = "this file is still encrypted: what reads it must decrypt it";
                    return Err(refused(node.mark, message));
                }
                for (key, value) in root.pairs() {
                    let value = value.resolved();
                    if !value.is_scalar() || !key.is_scalar() {
                        let message = "a variable is a name with a text";
                        return Err(refused(key.mark, message));
                    }
                    let value = if is_null(value) { "" } else { value.text() };
                    self.insert(key.text(), value);
                }
            }
            return Ok(());
        }
        for (at, line) in content.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let assigned = line.strip_prefix("export ").unwrap_or(line).split_once('=');
            let Some((name, value)) = assigned.filter(|(name, _)| is_name(name.trim())) else {
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

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c == '_' || c == '.' || c.is_alphanumeric())
}
