//! Takes a value out of a document by its path, for `$patch: delete`. How
//! such a path is found in a patch is not its business.

use super::any::Any;
use super::profile::{Codec, Profile, Shape, TypeId};
use super::value::Value;

/// Why nothing was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Miss {
    /// Nothing stands at the path.
    Absent,
    /// The path leads through a list.
    ThroughList,
}

/// Which item of a list goes: the first whose `key` has this text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ItemKey {
    pub(crate) key: String,
    pub(crate) text: String,
}

/// Deletes what stands at `path`; for a list item the last step is its index
/// in the patch, and `item` says what it is recognised by.
pub(crate) fn delete(
    profile: &Profile,
    type_id: TypeId,
    value: &mut Value,
    path: &[String],
    item: Option<&ItemKey>,
) -> Result<(), Miss> {
    let Some((first, rest)) = path.split_first() else { return Err(Miss::Absent) };
    match (&profile.get(type_id).shape, value) {
        (Shape::Pointer(elem), Value::Pointer(inner)) => delete(profile, *elem, inner, path, item),
        (Shape::Struct(fields), Value::Struct(values)) => {
            for (field, value) in fields.iter().zip(values) {
                if field.tagged && field.key == *first && !first.is_empty() {
                    if rest.is_empty() {
                        *value = Value::zero(profile, field.type_id);
                        return Ok(());
                    }
                    return delete(profile, field.type_id, value, rest, item);
                }
                if field.inline {
                    match delete(profile, field.type_id, value, path, item) {
                        Err(Miss::Absent) => {}
                        decided => return decided,
                    }
                }
            }
            Err(Miss::Absent)
        }
        (Shape::Map(elem), Value::Map(map)) => {
            if rest.is_empty() {
                return map.remove(first).map(drop).ok_or(Miss::Absent);
            }
            let value = map.get_mut(first).ok_or(Miss::Absent)?;
            delete(profile, *elem, value, rest, item)
        }
        (Shape::Any, Value::Any(any)) => free(any, path),
        (Shape::List(elem), Value::List(items)) => {
            if !rest.is_empty() {
                return Err(Miss::ThroughList);
            }
            let item = item.ok_or(Miss::Absent)?;
            let at = items
                .iter()
                .position(|value| text(profile, *elem, value, &item.key) == Some(item.text.clone()))
                .ok_or(Miss::Absent)?;
            items.remove(at);
            Ok(())
        }
        (Shape::List(_), Value::Nil) if !rest.is_empty() => Err(Miss::ThroughList),
        _ => Err(Miss::Absent),
    }
}

fn free(any: &mut Any, path: &[String]) -> Result<(), Miss> {
    let Some((first, rest)) = path.split_first() else { return Err(Miss::Absent) };
    match any {
        Any::Map(map) if rest.is_empty() => map.remove(first).map(drop).ok_or(Miss::Absent),
        Any::Map(map) => free(map.get_mut(first).ok_or(Miss::Absent)?, rest),
        Any::List(_) if !rest.is_empty() => Err(Miss::ThroughList),
        _ => Err(Miss::Absent),
    }
}

/// The text a field of a list item is compared by. Only the item's own
/// fields count, and only those with a text form.
fn text(profile: &Profile, type_id: TypeId, item: &Value, key: &str) -> Option<String> {
    let (type_id, item) = match (&profile.get(type_id).shape, item) {
        (Shape::Pointer(elem), Value::Pointer(inner)) => (*elem, &**inner),
        _ => (type_id, item),
    };
    let fields = profile.fields(type_id);
    let at = fields.iter().position(|field| field.tagged && field.key == key)?;
    let kind = profile.get(fields[at].type_id);
    let value = item.fields().get(at)?;
    match (&kind.codec, value) {
        (_, Value::Text(text)) => Some(text.clone()),
        (Some(codec), Value::Opaque(None)) => Some(unset(codec).to_owned()),
        (Some(codec), value) => codec.format(kind.name, value),
        _ => None,
    }
}

/// What Go calls a value that is not set.
fn unset(codec: &Codec) -> &'static str {
    match codec {
        Codec::Address => "invalid IP",
        Codec::AddressAndPort => "invalid AddrPort",
        Codec::Prefix => "invalid Prefix",
        _ => "",
    }
}
