//! Every key that a talconfig may have, and those that one does have, as
//! paths like `nodes[].bond.mode`: what completion offers, what tests must
//! cover.

use std::collections::BTreeSet;

use super::Schema;
use crate::diagnostic::Diagnostic;
use crate::machinery::profile::{Shape, TypeId};
use crate::yaml::node::{Data, Node};
use crate::yaml::read::{Source, read};

impl Schema {
    /// Every key there is, lists marked by `[]`.
    pub fn keys(&self) -> BTreeSet<String> {
        let mut out = BTreeSet::new();
        self.below(self.talconfig(), "", &mut out);
        out
    }

    /// The keys that a text has, with the same paths; the keys of free maps,
    /// such as labels, are among them.
    ///
    /// # Errors
    /// The text is not YAML.
    pub fn keys_in(&self, source: Source<'_>) -> Result<BTreeSet<String>, Diagnostic> {
        let mut out = BTreeSet::new();
        read(source)?.iter().for_each(|root| collect(root, "", &mut out));
        Ok(out)
    }

    fn below(&self, type_id: TypeId, path: &str, out: &mut BTreeSet<String>) {
        let kind = self.0.get(type_id);
        match kind.shape {
            Shape::Pointer(elem) => self.below(elem, path, out),
            Shape::List(elem) => self.below(elem, &format!("{path}[]"), out),
            Shape::Struct(_) if kind.codec.is_none() => {
                for key in &kind.keys {
                    let path = join(path, &key.name);
                    self.below(key.type_id, &path, out);
                    out.insert(path);
                }
            }
            _ => {}
        }
    }
}

fn collect(node: &Node, path: &str, out: &mut BTreeSet<String>) {
    match &node.resolved().data {
        Data::Sequence(items) => {
            for item in items {
                collect(item, &format!("{path}[]"), out);
            }
        }
        Data::Mapping(pairs) => {
            for (key, value) in pairs {
                let path = join(path, key.resolved().text());
                collect(value, &path, out);
                out.insert(path);
            }
        }
        Data::Scalar { .. } | Data::Alias(_) => {}
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
