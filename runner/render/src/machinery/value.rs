//! Values of Talos' types as Go holds them: a nil pointer, an empty list and
//! a missing list are three things, because merging tells them apart. It
//! knows nothing of YAML.

use std::collections::BTreeMap;

use super::any::Any;
use super::profile::{Profile, Shape, TypeId};
use super::url::Url;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A nil pointer, list, map, byte list or interface.
    Nil,
    Bool(bool),
    /// Every integer, enumerations and durations (nanoseconds) included.
    Int(i128),
    Float(f64),
    Text(String),
    Pointer(Box<Value>),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
    /// One value per Go field.
    Struct(Vec<Value>),
    Bytes(Vec<u8>),
    /// Sizes, expressions and addresses: the text they are written with, or unset.
    Opaque(Option<String>),
    Url(Box<Url>),
    /// A value of a free-form object; nil is `Nil`.
    Any(Any),
}

impl Value {
    /// The zero value of a type.
    pub(crate) fn zero(profile: &Profile, type_id: TypeId) -> Value {
        match &profile.get(type_id).shape {
            Shape::Bool => Value::Bool(false),
            Shape::Int { .. } => Value::Int(0),
            Shape::Float => Value::Float(0.0),
            Shape::Text => Value::Text(String::new()),
            Shape::Opaque => Value::Opaque(None),
            Shape::Url => Value::Url(Box::default()),
            Shape::Struct(fields) => Value::Struct(
                fields.iter().map(|field| Value::zero(profile, field.type_id)).collect(),
            ),
            Shape::Any | Shape::Pointer(_) | Shape::List(_) | Shape::Map(_) | Shape::Bytes => {
                Value::Nil
            }
        }
    }

    /// Whether this is the zero value in the sense of Go's reflection.
    pub(crate) fn is_zero(&self) -> bool {
        match self {
            Value::Nil => true,
            Value::Bool(value) => !value,
            Value::Int(value) => *value == 0,
            Value::Float(value) => *value == 0.0 && value.is_sign_positive(),
            Value::Text(text) => text.is_empty(),
            Value::Opaque(text) => text.is_none(),
            Value::Struct(fields) => fields.iter().all(Value::is_zero),
            Value::Url(url) => **url == Url::default(),
            Value::Pointer(_)
            | Value::List(_)
            | Value::Map(_)
            | Value::Bytes(_)
            | Value::Any(_) => false,
        }
    }

    /// The fields of a struct; none for everything else.
    pub(crate) fn fields(&self) -> &[Value] {
        match self {
            Value::Struct(fields) => fields,
            _ => &[],
        }
    }

    /// The value behind any number of pointers; `Nil` where one is nil.
    pub(crate) fn pointee(&self) -> &Value {
        match self {
            Value::Pointer(inner) => inner.pointee(),
            other => other,
        }
    }
}
