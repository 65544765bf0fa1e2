//! The tree a YAML text is read into. It keeps places, not comments or styles.

use std::rc::Rc;

use crate::diagnostic::Mark;

/// A node with its place. Nodes are shared, because aliases point at them.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) mark: Mark,
    /// Where a scalar or an alias stands, in characters: from its anchor or tag
    /// to the white space behind it; a block scalar from its first line.
    pub(crate) span: (usize, usize),
    /// An explicit tag in its short form (`!!str`, `!local`).
    pub(crate) tag: Option<String>,
    pub(crate) data: Data,
}

#[derive(Clone, Debug)]
pub(crate) enum Data {
    Scalar { text: String, plain: bool },
    Sequence(Vec<Rc<Node>>),
    Mapping(Vec<(Rc<Node>, Rc<Node>)>),
    Alias(Rc<Node>),
}

impl Node {
    /// The text of a scalar; empty for everything else.
    pub(crate) fn text(&self) -> &str {
        match &self.data {
            Data::Scalar { text, .. } => text,
            _ => "",
        }
    }

    pub(crate) fn is_scalar(&self) -> bool {
        matches!(self.data, Data::Scalar { .. })
    }

    /// Pairs of a mapping; none for everything else.
    pub(crate) fn pairs(&self) -> &[(Rc<Node>, Rc<Node>)] {
        match &self.data {
            Data::Mapping(pairs) => pairs,
            _ => &[],
        }
    }

    /// The value of the first pair whose key is the scalar `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&Rc<Node>> {
        self.pairs().iter().find(|(k, _)| k.is_scalar() && k.text() == key).map(|(_, value)| value)
    }

    /// The tree with plain scalars that are tagged `!` read as if they were
    /// not; what aliases stand for stays.
    pub(crate) fn without_bare_tags(self: &Rc<Node>) -> Rc<Node> {
        let data = match &self.data {
            Data::Scalar { plain: true, .. } if self.tag.as_deref() == Some("!") => {
                return Rc::new(Node { tag: None, ..(**self).clone() });
            }
            Data::Scalar { .. } | Data::Alias(_) => return Rc::clone(self),
            Data::Sequence(items) => {
                Data::Sequence(items.iter().map(Node::without_bare_tags).collect())
            }
            Data::Mapping(pairs) => {
                let pair = |(key, value): &(Rc<Node>, Rc<Node>)| {
                    (key.without_bare_tags(), value.without_bare_tags())
                };
                Data::Mapping(pairs.iter().map(pair).collect())
            }
        };
        Rc::new(Node { mark: self.mark, span: self.span, tag: self.tag.clone(), data })
    }

    /// The node an alias stands for, or the node itself.
    pub(crate) fn resolved(&self) -> &Node {
        match &self.data {
            Data::Alias(target) => target,
            _ => self,
        }
    }
}
