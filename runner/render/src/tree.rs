//! A YAML file as a tree with places, for readers of other tools' files who
//! care for a few of its keys. It knows no types.

use std::rc::Rc;

use crate::diagnostic::{Diagnostic, Mark};
use crate::yaml::node::{Data, Node};
use crate::yaml::read::{Source, read};

/// A value of a YAML file with its place.
#[derive(Clone, Debug)]
pub struct Tree(Rc<Node>);

impl Tree {
    /// The documents of a file that hold anything.
    ///
    /// # Errors
    /// The file is no YAML, or larger or deeper than is read.
    pub fn read(source: Source<'_>) -> Result<Vec<Tree>, Diagnostic> {
        let documents = read(source)?.into_iter().map(Tree);
        Ok(documents.filter(|document| !document.is_null()).collect())
    }

    /// Where it stands.
    pub fn mark(&self) -> Mark {
        self.0.mark
    }

    /// The text of a scalar, as it is spelt; nothing for lists and mappings.
    pub fn text(&self) -> Option<&str> {
        match &self.node().data {
            Data::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether it is a scalar without quotes, which may be a number or a flag.
    pub fn is_plain(&self) -> bool {
        matches!(self.node().data, Data::Scalar { plain: true, .. })
    }

    /// Whether it is empty, `null` or `~`.
    pub fn is_null(&self) -> bool {
        crate::machinery::decode::is_null(self.node())
    }

    /// Whether it is `true`, as YAML 1.1 and 1.2 spell it alike.
    pub fn is_true(&self) -> bool {
        matches!(self.text(), Some("true" | "True" | "TRUE"))
    }

    /// Whether it is a mapping.
    pub fn is_map(&self) -> bool {
        matches!(self.node().data, Data::Mapping(_))
    }

    /// The value of a key, else what a `<<` brings; nothing where there is none
    /// or it is null.
    pub fn get(&self, key: &str) -> Option<Tree> {
        let found = found(self.node(), key, 0)?;
        Some(Tree(Rc::clone(found))).filter(|value| !value.is_null())
    }

    /// The items of a list; nothing for anything else.
    pub fn items(&self) -> Option<Vec<Tree>> {
        match &self.node().data {
            Data::Sequence(items) => Some(items.iter().cloned().map(Tree).collect()),
            _ => None,
        }
    }

    /// The keys and values of a mapping; none for anything else.
    pub fn pairs(&self) -> Vec<(Tree, Tree)> {
        let pairs = self.node().pairs();
        pairs.iter().map(|(key, value)| (Tree(key.clone()), Tree(value.clone()))).collect()
    }

    fn node(&self) -> &Node {
        self.0.resolved()
    }
}

/// How deep mappings may bring mappings; what is read bounds it too.
const MAX_MERGES: usize = 20;

fn found<'n>(node: &'n Node, key: &str, depth: usize) -> Option<&'n Rc<Node>> {
    if let Some(own) = node.get(key) {
        return Some(own);
    }
    let is_merge =
        |key: &Node| matches!(&key.data, Data::Scalar { text, plain: true } if text == "<<");
    let brought = node.pairs().iter().filter(|(key, _)| is_merge(key)).map(|(_, value)| value);
    let mut sources = brought.flat_map(|value| match &value.resolved().data {
        Data::Sequence(items) => &items[..],
        _ => std::slice::from_ref(value),
    });
    (depth < MAX_MERGES)
        .then(|| sources.find_map(|source| found(source.resolved(), key, depth + 1)))?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn tree(text: &str) -> Tree {
        Tree::read(Source { name: "x.yaml", bytes: text.as_bytes() }).unwrap().remove(0)
    }

    #[test]
    fn values_are_found_with_their_places_through_anchors() {
        let tree = tree("a: &x {n: 1.10}\nb: *x\nc: [1, '2']\nd: ~\n");
        let inner = tree.get("b").unwrap().get("n").unwrap();
        assert_eq!((inner.text(), inner.mark().line), (Some("1.10"), 1));
        let items = tree.get("c").unwrap().items().unwrap();
        assert_eq!(items.iter().filter_map(Tree::text).collect::<Vec<_>>(), ["1", "2"]);
        assert!(tree.get("d").is_none() && tree.get("e").is_none());
        assert_eq!(tree.pairs().len(), 4);
    }

    #[test]
    fn what_a_mapping_lacks_is_brought_by_its_merges() {
        let tree = tree(
            "base: &base {a: 1, b: 2, c: 3}\nmore: &more {<<: *base, b: 4}\none: {<<: *more, a: 5}\ntwo:\n  <<: [{c: 6}, *base]\nquoted: {'<<': *base}\n",
        );
        let text = |of: &str, key: &str| {
            let value = tree.get(of).unwrap().get(key)?;
            value.text().map(str::to_owned)
        };
        let three = |of: &str| ["a", "b", "c"].map(|key| text(of, key).unwrap_or_default());
        assert_eq!(three("one"), ["5", "4", "3"]);
        assert_eq!(three("two"), ["1", "2", "6"]);
        assert_eq!(text("quoted", "a"), None);
    }

    #[test]
    fn a_file_of_comments_has_no_documents() {
        assert!(Tree::read(Source { name: "x", bytes: b"# nothing\n" }).unwrap().is_empty());
    }
}
