//! Typed reading of a table that a person wrote: each wrong field is a fault at its place.

use std::collections::BTreeMap;
use std::rc::Rc;

use mlua::{Table, Value};
use ops_core::error::{Code, Fault, Place};
use ops_core::time::Span;

use crate::lua::freeze;
use crate::lua::place::{Line, Texts};

/// What the recipes of a file have in common.
#[derive(Debug)]
pub(in crate::lua) struct Defaults {
    table: Table,
    /// Its keys beside the list, looked through once: a file may hold a thousand recipes.
    keys: Vec<String>,
}

impl Defaults {
    /// The named keys beside the list of `ops.recipes`.
    pub(in crate::lua) fn new(table: Table) -> Defaults {
        let keys = keys(&table).filter(|key| !matches!(key, Value::Integer(_)));
        Defaults { keys: keys.map(|key| shown(&key)).collect(), table }
    }
}

/// A table, with defaults behind it.
#[derive(Clone, Debug)]
pub(in crate::lua) struct Fields {
    own: Table,
    defaults: Option<Rc<Defaults>>,
    /// Where it begins.
    pub(in crate::lua) line: Option<Line>,
}

fn keys(table: &Table) -> impl Iterator<Item = Value> + '_ {
    table.pairs::<Value, Value>().flatten().map(|(key, _)| key)
}

/// A key as a fault names it.
fn shown(key: &Value) -> String {
    match key {
        Value::String(key) => key.to_string_lossy(),
        Value::Integer(i) => format!("[{i}]"),
        other => format!("a {} as key", other.type_name()),
    }
}

type Take<'a> = &'a mut dyn FnMut(Fault);

impl Fields {
    pub(in crate::lua) fn new(
        own: &Table,
        defaults: Option<Rc<Defaults>>,
        line: Option<Line>,
    ) -> Fields {
        Fields { own: freeze::inner(own), defaults, line }
    }

    /// A field; the default where it is not given.
    pub(in crate::lua) fn get(&self, key: &str) -> Value {
        let read = |table: &Table| table.raw_get::<Value>(key).unwrap_or(Value::Nil);
        match read(&self.own) {
            Value::Nil if key != "name" => {
                self.defaults.as_ref().map_or(Value::Nil, |defaults| read(&defaults.table))
            }
            value => value,
        }
    }

    /// The entry's own name within a list.
    pub(in crate::lua) fn text_name(&self) -> Option<String> {
        self.own.raw_get::<Option<String>>("name").ok().flatten()
    }

    /// Where a field stands; nothing where it is not given.
    pub(in crate::lua) fn place(&self, texts: &Texts, key: &str) -> Option<Place> {
        match self.get(key) {
            Value::Nil => None,
            _ => self.line.and_then(|line| texts.key(line, key)),
        }
    }

    /// A fault at a field.
    pub(in crate::lua) fn fault(
        &self,
        texts: &Texts,
        key: &str,
        title: impl Into<String>,
    ) -> Fault {
        let mut fault = Fault::new(Code::RECIPE_KEY, title);
        fault.place = self.line.and_then(|line| texts.key(line, key)).map(Box::new);
        fault
    }

    /// Names every key that is unknown.
    pub(in crate::lua) fn known(&self, texts: &Texts, known: &[&str], faults: &mut Vec<Fault>) {
        let own = keys(&self.own).map(|key| shown(&key));
        let common = self.defaults.iter().flat_map(|defaults| defaults.keys.iter().cloned());
        let mut unknown: Vec<String> =
            own.chain(common).filter(|key| !known.contains(&key.as_str())).collect();
        unknown.sort_unstable();
        unknown.dedup();
        for key in unknown {
            let fault = self.fault(texts, &key, format!("unknown key `{key}`"));
            faults.push(fault.did_you_mean(&key, known.iter().copied()));
        }
    }

    pub(in crate::lua) fn text(&self, texts: &Texts, key: &str, take: Take<'_>) -> Option<String> {
        match self.get(key) {
            Value::Nil => None,
            Value::String(text) => Some(text.to_string_lossy()),
            _ => {
                take(self.fault(texts, key, format!("`{key}` must be a text")));
                None
            }
        }
    }

    pub(in crate::lua) fn bool(
        &self,
        texts: &Texts,
        key: &str,
        default: bool,
        take: Take<'_>,
    ) -> bool {
        match self.get(key) {
            Value::Nil => default,
            Value::Boolean(b) => b,
            _ => {
                take(self.fault(texts, key, format!("`{key}` must be true or false")));
                default
            }
        }
    }

    pub(in crate::lua) fn int(&self, texts: &Texts, key: &str, take: Take<'_>) -> Option<i64> {
        match self.get(key) {
            Value::Nil => None,
            Value::Integer(i) => Some(i),
            _ => {
                take(self.fault(texts, key, format!("`{key}` must be a whole number")));
                None
            }
        }
    }

    pub(in crate::lua) fn number(&self, texts: &Texts, key: &str, take: Take<'_>) -> Option<f64> {
        match self.get(key) {
            Value::Nil => None,
            Value::Integer(i) => Some(i as f64),
            Value::Number(n) if n.is_finite() => Some(n),
            _ => {
                take(self.fault(texts, key, format!("`{key}` must be a number")));
                None
            }
        }
    }

    pub(in crate::lua) fn span(&self, texts: &Texts, key: &str, take: Take<'_>) -> Option<Span> {
        let text = self.text(texts, key, take)?;
        match text.parse() {
            Ok(span) => Some(span),
            Err(wrong) => {
                take(self.fault(texts, key, format!("`{key}`: {wrong}")));
                None
            }
        }
    }

    /// A text, or a list of texts.
    pub(in crate::lua) fn texts(
        &self,
        texts: &Texts,
        key: &str,
        take: Take<'_>,
    ) -> Option<Vec<String>> {
        let wrong = |take: Take<'_>| {
            take(self.fault(texts, key, format!("`{key}` must be a text or a list of texts")));
        };
        match self.get(key) {
            Value::Nil => None,
            Value::String(text) => Some(vec![text.to_string_lossy()]),
            Value::Table(table) => {
                let table = freeze::inner(&table);
                let mut list = Vec::new();
                for i in 1..=table.raw_len() {
                    match table.raw_get::<Value>(i) {
                        Ok(Value::String(text)) => list.push(text.to_string_lossy()),
                        _ => {
                            wrong(take);
                            return None;
                        }
                    }
                }
                if table.pairs::<Value, Value>().count() != list.len() {
                    wrong(take);
                }
                Some(list)
            }
            _ => {
                wrong(take);
                None
            }
        }
    }

    /// The texts that stand in the table itself without names; false where an entry is no text.
    pub(in crate::lua) fn list(&self) -> (Vec<String>, bool) {
        let mut list = Vec::new();
        for i in 1..=self.own.raw_len() {
            match self.own.raw_get::<Value>(i) {
                Ok(Value::String(text)) => list.push(text.to_string_lossy()),
                _ => return (list, false),
            }
        }
        (list, true)
    }

    /// A table of texts.
    pub(in crate::lua) fn map(
        &self,
        texts: &Texts,
        key: &str,
        take: Take<'_>,
    ) -> BTreeMap<String, String> {
        let mut map = BTreeMap::new();
        match self.get(key) {
            Value::Nil => {}
            Value::Table(table) => {
                for pair in freeze::inner(&table).pairs::<Value, Value>().flatten() {
                    match pair {
                        (Value::String(name), Value::String(text)) => {
                            map.insert(name.to_string_lossy(), text.to_string_lossy());
                        }
                        _ => take(self.fault(
                            texts,
                            key,
                            format!("`{key}` must hold texts under names"),
                        )),
                    }
                }
            }
            _ => take(self.fault(texts, key, format!("`{key}` must be a table"))),
        }
        map
    }
}
