//! A typed value of a talconfig beside the YAML it was read from: what a
//! setting says, and where it stands.

use super::Schema;
use crate::diagnostic::Mark;
use crate::machinery::encode::at;
use crate::machinery::profile::{Shape, TypeId};
use crate::machinery::value::Value;
use crate::yaml::node::{Data, Node};

/// A value with its type and, as far as it is known, its place.
#[derive(Clone, Copy)]
pub(super) struct View<'v> {
    schema: &'v Schema,
    pub(super) type_id: TypeId,
    pub(super) value: &'v Value,
    node: Option<&'v Node>,
    pub(super) mark: Mark,
}

impl<'v> View<'v> {
    /// `mark` is the place where `node` is not known.
    pub(super) fn new(
        schema: &'v Schema,
        type_id: TypeId,
        value: &'v Value,
        node: Option<&'v Node>,
        mark: Mark,
    ) -> View<'v> {
        let mark = node.map_or(mark, |node| node.mark);
        View { schema, type_id, value, node: node.map(Node::resolved), mark }.behind()
    }

    /// The view behind pointers.
    fn behind(mut self) -> View<'v> {
        while let (Shape::Pointer(elem), Value::Pointer(inner)) =
            (&self.schema.0.get(self.type_id).shape, self.value)
        {
            self.type_id = *elem;
            self.value = inner;
        }
        self
    }

    /// A field by its key; `None` where the type has no such key or it is nil.
    pub(super) fn field(&self, key: &str) -> Option<View<'v>> {
        let known = self.schema.0.get(self.type_id).keys.iter().find(|known| known.name == key)?;
        let value = at(self.value.fields(), &known.path)?;
        if *value == Value::Nil {
            return None;
        }
        let node = self.node.and_then(|node| node.get(key)).map(AsRef::as_ref);
        Some(View::new(self.schema, known.type_id, value, node, self.mark))
    }

    /// The items of a list field; none where it is unset.
    pub(super) fn list(&self, key: &str) -> Vec<View<'v>> {
        self.field(key).map(|list| list.items()).unwrap_or_default()
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Vec<View<'v>> {
        let (Shape::List(elem), Value::List(values)) =
            (&self.schema.0.get(self.type_id).shape, self.value)
        else {
            return Vec::new();
        };
        let nodes = match self.node.map(|node| &node.data) {
            Some(Data::Sequence(items)) if items.len() == values.len() => &items[..],
            _ => &[],
        };
        let item = |(at, value)| {
            let node = nodes.get(at).map(AsRef::as_ref);
            View::new(self.schema, *elem, value, node, self.mark)
        };
        values.iter().enumerate().map(item).filter(|item| *item.value != Value::Nil).collect()
    }

    /// The keys and values of a map of texts, each with its place.
    pub(super) fn pairs(&self) -> Vec<(&'v str, View<'v>)> {
        let (Shape::Map(elem), Value::Map(map)) =
            (&self.schema.0.get(self.type_id).shape, self.value)
        else {
            return Vec::new();
        };
        let pair = |(key, value): (&'v String, &'v Value)| {
            let node = self.node.and_then(|node| node.get(key)).map(AsRef::as_ref);
            (key.as_str(), View::new(self.schema, *elem, value, node, self.mark))
        };
        map.iter().map(pair).collect()
    }

    /// The text of a text field; empty where it is unset.
    pub(super) fn text(&self, key: &str) -> &'v str {
        self.field(key).map_or("", |field| field.as_text())
    }

    pub(super) fn as_text(&self) -> &'v str {
        match self.value {
            Value::Text(text) | Value::Opaque(Some(text)) => text,
            _ => "",
        }
    }

    /// A number; 0 where it is unset.
    pub(super) fn number(&self, key: &str) -> i128 {
        match self.field(key).map(|field| field.value) {
            Some(Value::Int(number)) => *number,
            _ => 0,
        }
    }

    /// A boolean; `None` where it may be unset and is.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        match self.field(key).map(|field| field.value) {
            Some(Value::Bool(flag)) => Some(*flag),
            _ => None,
        }
    }

    /// Where a field stands, or what is nearest to it.
    pub(super) fn place(&self, key: &str) -> Mark {
        self.field(key).map_or(self.mark, |field| field.mark)
    }
}
