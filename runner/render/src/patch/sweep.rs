//! Finds `$patch: delete` in a patch and takes it out, so that the rest can be
//! merged. What is deleted in a config is decided elsewhere.

use std::rc::Rc;

use crate::diagnostic::{Code, Diagnostic, Mark};
use crate::machinery::delete::ItemKey;
use crate::yaml::node::{Data, Node};

type Pair = (Rc<Node>, Rc<Node>);

/// One thing to delete, and in which document.
#[derive(Clone, Debug)]
pub(super) struct Deletion {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) name: Option<String>,
    /// Keys, and indices as `[0]`; empty for the whole document.
    pub(super) path: Vec<String>,
    pub(super) item: Option<ItemKey>,
    pub(super) mark: Mark,
}

/// A patch document without its deletions; `None` where nothing is left.
pub(super) fn sweep(
    root: &Rc<Node>,
    file: &str,
) -> Result<(Option<Rc<Node>>, Vec<Deletion>), Diagnostic> {
    let mut sweeper = Sweeper { root, file, path: Vec::new(), found: Vec::new() };
    let left = sweeper.node(root, Parent::Document)?.filter(|node| !is_empty(node));
    Ok((left, sweeper.found))
}

/// A document that says no more than what it is counts as nothing.
fn is_empty(node: &Node) -> bool {
    let Data::Mapping(pairs) = &node.data else { return false };
    pairs.iter().all(|(key, value)| {
        key.is_scalar() && value.is_scalar() && matches!(key.text(), "version" | "kind" | "name")
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Parent {
    Document,
    Mapping,
    Sequence,
}

struct Sweeper<'n> {
    root: &'n Rc<Node>,
    file: &'n str,
    path: Vec<String>,
    found: Vec<Deletion>,
}

impl Sweeper<'_> {
    /// The node without its deletions; `None` where it goes as a whole.
    fn node(&mut self, node: &Rc<Node>, parent: Parent) -> Result<Option<Rc<Node>>, Diagnostic> {
        let data = match &node.data {
            Data::Mapping(pairs) => {
                let Some(pairs) = self.mapping(node, pairs, parent)? else { return Ok(None) };
                Data::Mapping(pairs)
            }
            Data::Sequence(items) => {
                let mut kept = Vec::new();
                for (at, item) in items.iter().enumerate() {
                    self.path.push(format!("[{}]", kept.len()));
                    match self.node(item, Parent::Sequence)? {
                        Some(item) => kept.push(item),
                        None if kept.is_empty() && at + 1 == items.len() => {
                            self.path.pop();
                            return Ok(None);
                        }
                        None => {}
                    }
                    self.path.pop();
                }
                Data::Sequence(kept)
            }
            Data::Scalar { .. } | Data::Alias(_) => return Ok(Some(Rc::clone(node))),
        };
        Ok(Some(Rc::new(Node { mark: node.mark, span: node.span, tag: node.tag.clone(), data })))
    }

    fn mapping(
        &mut self,
        node: &Node,
        pairs: &[Pair],
        parent: Parent,
    ) -> Result<Option<Vec<Pair>>, Diagnostic> {
        let mut kept: Vec<Pair> = Vec::new();
        for (at, (key, value)) in pairs.iter().enumerate() {
            if is_directive(key, value) {
                let item = match parent {
                    Parent::Sequence => Some(self.item_key(node, kept.iter().chain(&pairs[at..]))?),
                    Parent::Document | Parent::Mapping => {
                        self.not_inside_an_item(node)?;
                        None
                    }
                };
                let deletion = self.deletion(key.mark, item)?;
                self.found.push(deletion);
                return Ok(None);
            }
            self.path.push(key.text().to_owned());
            let left = self.node(value, Parent::Mapping)?;
            self.path.pop();
            match left {
                Some(value) => kept.push((Rc::clone(key), value)),
                None if kept.is_empty() && at + 1 == pairs.len() => return Ok(None),
                None => {}
            }
        }
        Ok(Some(kept))
    }

    /// A list item is recognised by its first key besides the directive.
    fn item_key<'p>(
        &self,
        node: &Node,
        mut pairs: impl Iterator<Item = &'p Pair>,
    ) -> Result<ItemKey, Diagnostic> {
        let (key, value) =
            pairs.find(|(key, value)| !is_directive(key, value)).ok_or_else(|| {
                self.refused(node.mark, "`$patch: delete` says not which list item goes").hint(
                    "put the key that names the item before it, for example `interface: eth0`",
                )
            })?;
        Ok(ItemKey { key: key.text().to_owned(), text: value.text().to_owned() })
    }

    fn not_inside_an_item(&self, node: &Node) -> Result<(), Diagnostic> {
        if self.path.iter().any(String::is_empty) {
            let message = "nothing under an empty key can be deleted";
            return Err(self.refused(node.mark, message));
        }
        if !self.path.iter().any(|step| step.starts_with('[')) {
            return Ok(());
        }
        let message =
            format!("`{}` is inside a list item; only whole items can be deleted", self.place());
        Err(self.refused(node.mark, message))
    }

    fn deletion(&self, mark: Mark, item: Option<ItemKey>) -> Result<Deletion, Diagnostic> {
        let value = |key: &str| self.root.get(key).map_or("", |node| node.text()).to_owned();
        let (api_version, mut kind) = (value("apiVersion"), value("kind"));
        if self.path.is_empty() && (api_version.is_empty() || kind.is_empty()) {
            return Err(self.refused(
                mark,
                "only a document with `apiVersion` and `kind` can be deleted as a whole",
            ));
        }
        if api_version.is_empty() != kind.is_empty() {
            let message = "`apiVersion` and `kind` must both be set to delete something here";
            return Err(self.refused(mark, message));
        }
        if kind.is_empty() {
            "v1alpha1".clone_into(&mut kind);
        }
        let name = Some(value("name")).filter(|name| !name.is_empty());
        Ok(Deletion { api_version, kind, name, path: self.path.clone(), item, mark })
    }

    fn place(&self) -> String {
        self.path.join(".").replace(".[", "[")
    }

    fn refused(&self, mark: Mark, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Code::DELETE, self.file, mark, message)
    }
}

fn is_directive(key: &Node, value: &Node) -> bool {
    value.is_scalar() && key.text() == "$patch" && value.text() == "delete"
}
