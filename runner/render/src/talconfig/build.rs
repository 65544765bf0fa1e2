//! Values of machine documents made key by key, in whatever form a key's type
//! has. A key that the machinery does not know is refused, never left out.

use super::view::View;
use crate::diagnostic::Mark;
use crate::machinery::decode::slot;
use crate::machinery::profile::{Profile, Shape, TypeId};
use crate::machinery::translate::translate;
use crate::machinery::value::Value;
use crate::patch::Document;

/// What a key is given.
pub(super) enum Given<'g> {
    /// Text, read by the key's own rules.
    Text(&'g str),
    Number(i128),
    Flag(bool),
    /// Items made for this key's list.
    Items(Vec<Value>),
    /// What a talconfig says, as it is.
    Same(View<'g>, &'g Profile),
}

impl Given<'_> {
    fn value(self, profile: &Profile, type_id: TypeId) -> Result<Value, String> {
        if let Given::Same(view, from) = self {
            return translate((from, view.type_id), (profile, type_id), view.value);
        }
        let kind = profile.get(type_id);
        if let Shape::Pointer(elem) = kind.shape {
            return Ok(Value::Pointer(Box::new(self.value(profile, elem)?)));
        }
        match self {
            Given::Text(text) => match kind.codec.as_ref().filter(|codec| codec.is_text()) {
                Some(codec) => {
                    Ok(codec.parse(text)?.unwrap_or_else(|| Value::zero(profile, type_id)))
                }
                None => Ok(Value::Text(text.to_owned())),
            },
            Given::Number(number) => Ok(Value::Int(number)),
            Given::Flag(flag) => Ok(Value::Bool(flag)),
            Given::Items(items) => Ok(Value::List(items)),
            Given::Same(..) => Ok(Value::Nil),
        }
    }
}

/// The type at a path of keys, through pointers.
pub(super) fn type_at(profile: &Profile, type_id: TypeId, path: &[&str]) -> Option<TypeId> {
    if let (Shape::Pointer(elem), false) = (&profile.get(type_id).shape, path.is_empty()) {
        return type_at(profile, *elem, path);
    }
    let Some((first, rest)) = path.split_first() else { return Some(type_id) };
    let key = profile.get(type_id).keys.iter().find(|key| key.name == *first)?;
    type_at(profile, key.type_id, rest)
}

/// The type of a list's items.
pub(super) fn item_type(profile: &Profile, type_id: TypeId, path: &[&str]) -> Option<TypeId> {
    match profile.get(type_at(profile, type_id, path)?).shape {
        Shape::List(elem) => Some(elem),
        _ => None,
    }
}

/// A struct out of what its keys are given.
pub(super) fn structure(
    profile: &Profile,
    type_id: TypeId,
    keys: Vec<(&str, Given<'_>)>,
) -> Result<Value, String> {
    let mut value = Value::zero(profile, type_id);
    for (key, given) in keys {
        put(profile, type_id, &mut value, &[key], given)?;
    }
    Ok(value)
}

/// Sets what stands at a path of keys, making what is missing on the way.
pub(super) fn put(
    profile: &Profile,
    type_id: TypeId,
    value: &mut Value,
    path: &[&str],
    given: Given<'_>,
) -> Result<(), String> {
    let mut given = Some(given);
    change(profile, type_id, value, path, &mut |type_id, slot| {
        if let Some(given) = given.take() {
            *slot = given.value(profile, type_id)?;
        }
        Ok(())
    })
}

/// Puts a value of the key's own type at a path of keys.
pub(super) fn replace(
    profile: &Profile,
    type_id: TypeId,
    value: &mut Value,
    path: &[&str],
    new: Value,
) -> Result<(), String> {
    let mut new = Some(new);
    change(profile, type_id, value, path, &mut |_, slot| {
        if let Some(new) = new.take() {
            *slot = new;
        }
        Ok(())
    })
}

/// Adds items to the list at a path of keys.
pub(super) fn append(
    profile: &Profile,
    type_id: TypeId,
    value: &mut Value,
    path: &[&str],
    given: Given<'_>,
) -> Result<(), String> {
    let mut given = Some(given);
    change(profile, type_id, value, path, &mut |type_id, slot| {
        let Some(given) = given.take() else { return Ok(()) };
        let added = given.value(profile, type_id)?;
        match (&mut *slot, added) {
            (Value::List(items), Value::List(added)) => items.extend(added),
            (slot, added @ Value::List(_)) => *slot = added,
            _ => {}
        }
        Ok(())
    })
}

fn change(
    profile: &Profile,
    type_id: TypeId,
    value: &mut Value,
    path: &[&str],
    make: &mut dyn FnMut(TypeId, &mut Value) -> Result<(), String>,
) -> Result<(), String> {
    let Some((first, rest)) = path.split_first() else { return make(type_id, value) };
    if let Shape::Pointer(elem) = profile.get(type_id).shape {
        if *value == Value::Nil {
            *value = Value::Pointer(Box::new(Value::zero(profile, elem)));
        }
        if let Value::Pointer(inner) = value {
            return change(profile, elem, inner, path, make);
        }
    }
    let key = profile.get(type_id).keys.iter().find(|key| key.name == *first);
    if let (Some(key), Value::Struct(values)) = (key, value)
        && let Some(value) = slot(values, &key.path)
    {
        return change(profile, key.type_id, value, rest, make);
    }
    Err(format!("machinery {} has no `{first}` here", profile.machinery()))
}

/// A new document of a kind, at the place that it is made for.
///
/// # Errors
/// The machinery does not know the kind.
pub(super) fn document(
    kind: &str,
    file: &std::rc::Rc<str>,
    mark: Mark,
    profile: &Profile,
) -> Result<Document, String> {
    if profile.document(kind).is_none() {
        return Err(format!("machinery {} knows no {kind}", profile.machinery()));
    }
    let mut document = Document::new(kind, file, mark, profile);
    let type_id = document.type_id;
    put(profile, type_id, &mut document.value, &["apiVersion"], Given::Text("v1alpha1"))?;
    put(profile, type_id, &mut document.value, &["kind"], Given::Text(kind))?;
    Ok(document)
}
