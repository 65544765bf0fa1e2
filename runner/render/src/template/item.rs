//! What a template works on: plain values, and typed ones of a machine config
//! that are looked at only as far as the template does.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::machinery::any::Any;
use crate::machinery::profile::{Profile, Shape, TypeId};
use crate::machinery::value::Value;

#[derive(Clone, Debug)]
pub(crate) enum Item<'d> {
    /// Nil, or no value at all.
    Nil,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(Rc<str>),
    List(Rc<Vec<Item<'d>>>),
    Map(Rc<BTreeMap<String, Item<'d>>>),
    /// A struct with these fields and no others.
    Record(Rc<BTreeMap<String, Item<'d>>>),
    /// A struct of the machinery, or what prints itself.
    Typed(Typed<'d>),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Typed<'d> {
    pub(super) profile: &'d Profile,
    pub(super) type_id: TypeId,
    pub(super) value: &'d Value,
}

impl<'d> Item<'d> {
    /// A text.
    pub(crate) fn text(text: impl AsRef<str>) -> Item<'d> {
        Item::Text(text.as_ref().into())
    }

    /// A struct out of its fields.
    pub(crate) fn record<const N: usize>(fields: [(&str, Item<'d>); N]) -> Item<'d> {
        let fields = fields.into_iter().map(|(name, item)| (name.to_owned(), item));
        Item::Record(Rc::new(fields.collect()))
    }

    pub(super) fn list(items: Vec<Item<'d>>) -> Item<'d> {
        Item::List(Rc::new(items))
    }

    /// A value of the machinery, pointers followed.
    pub(crate) fn typed(profile: &'d Profile, type_id: TypeId, value: &'d Value) -> Item<'d> {
        let kind = profile.get(type_id);
        if let Some(text) = kind.codec.as_ref().and_then(|codec| codec.format(kind.name, value)) {
            return Item::text(text);
        }
        match (&kind.shape, value) {
            (Shape::Pointer(elem), Value::Pointer(inner)) => Item::typed(profile, *elem, inner),
            (Shape::List(elem), Value::List(items)) => {
                Item::list(items.iter().map(|item| Item::typed(profile, *elem, item)).collect())
            }
            (Shape::Map(elem), Value::Map(map)) => Item::Map(Rc::new(
                map.iter()
                    .map(|(key, item)| (key.clone(), Item::typed(profile, *elem, item)))
                    .collect(),
            )),
            (Shape::List(_), _) => Item::list(Vec::new()),
            (Shape::Map(_), _) => Item::Map(Rc::default()),
            (_, Value::Bool(flag)) => Item::Bool(*flag),
            (_, Value::Int(number)) => Item::Int(*number),
            (_, Value::Float(number)) => Item::Float(*number),
            (_, Value::Text(text)) => Item::text(text),
            (_, Value::Any(any)) => Item::any(any),
            (_, Value::Struct(_) | Value::Bytes(_) | Value::Url(_)) => {
                Item::Typed(Typed { profile, type_id, value })
            }
            _ => Item::Nil,
        }
    }

    fn any(any: &Any) -> Item<'d> {
        match any {
            Any::Bool(flag) => Item::Bool(*flag),
            Any::Int(number) => Item::Int(*number),
            Any::Float(number) => Item::Float(*number),
            Any::Text(text) | Any::Time(text) => Item::text(text),
            Any::List(items) => Item::list(items.iter().map(Item::any).collect()),
            Any::Map(map) => Item::Map(Rc::new(
                map.iter().map(|(key, any)| (key.clone(), Item::any(any))).collect(),
            )),
            Any::Null | Any::Keyed(_) => Item::Nil,
        }
    }

    /// The field of a struct or the member of a map.
    pub(super) fn member(&self, name: &str) -> Result<Item<'d>, String> {
        match self {
            Item::Map(map) => Ok(map.get(name).cloned().unwrap_or(Item::Nil)),
            Item::Record(fields) => fields.get(name).cloned().ok_or_else(|| {
                let known: Vec<&str> = fields.keys().map(String::as_str).collect();
                format!("there is no `.{name}` here, only .{}", known.join(", ."))
            }),
            Item::Typed(typed) => typed.field(name),
            Item::Nil => {
                Err(format!("`.{name}` is asked of nothing: what stands before it is unset"))
            }
            other => Err(format!("{} has no field `.{name}`", other.kind())),
        }
    }

    /// What counts as true.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Item::Nil => false,
            Item::Bool(flag) => *flag,
            Item::Int(number) => *number != 0,
            Item::Float(number) => *number != 0.0,
            Item::Text(text) => !text.is_empty(),
            Item::List(items) => !items.is_empty(),
            Item::Map(map) => !map.is_empty(),
            Item::Record(_) | Item::Typed(_) => true,
        }
    }

    /// Its kind in words, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Item::Nil => "nothing",
            Item::Bool(_) => "a boolean",
            Item::Int(_) => "a whole number",
            Item::Float(_) => "a number",
            Item::Text(_) => "a text",
            Item::List(_) => "a list",
            Item::Map(_) => "a map",
            Item::Record(_) | Item::Typed(_) => "a struct",
        }
    }
}

impl<'d> Typed<'d> {
    fn field(self, name: &str) -> Result<Item<'d>, String> {
        let kind = self.profile.get(self.type_id);
        let fields = self.profile.fields(self.type_id);
        if let Some(at) = fields.iter().position(|field| field.go == name && !field.private)
            && let Some(value) = self.value.fields().get(at)
        {
            return Ok(Item::typed(self.profile, fields[at].type_id, value));
        }
        // Fields of embedded structs are reached as if they were its own.
        for (field, value) in fields.iter().zip(self.value.fields()) {
            if field.inline
                && let inner @ Item::Typed(_) = Item::typed(self.profile, field.type_id, value)
                && let Ok(found) = inner.member(name)
            {
                return Ok(found);
            }
        }
        let names: Vec<&str> =
            fields.iter().filter(|field| !field.private).map(|field| field.go).collect();
        let near = crate::machinery::strict::nearest(name, &names);
        let hint = near.map(|near| format!("; did you mean `.{near}`?")).unwrap_or_default();
        Err(format!("{} has no field `.{name}`{hint}", kind.name.trim_start_matches("v1alpha1.")))
    }
}
