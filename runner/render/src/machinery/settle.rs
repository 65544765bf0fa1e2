//! A value as it comes back once it was written and read again, without the
//! text in between: what the writer leaves out is gone, what it writes of
//! nothing is there. It judges only values whose text surely comes back as it
//! is; for every other one the caller goes by the text.

use super::any::Any;
use super::encode::{at, is_empty};
use super::profile::{Codec, Profile, Shape, TypeId};
use super::quantity;
use super::url::Url;
use super::value::Value;

/// The longest key that is judged; longer ones are written in another form.
const MAX_KEY: usize = 100;

/// Settles a document in place. `false` where that is not known here: the
/// value is in pieces then.
pub(crate) fn settle(profile: &Profile, type_id: TypeId, value: &mut Value) -> bool {
    let kind = profile.get(type_id);
    if let Some(codec) = &kind.codec
        && *codec != Codec::InlineManifests
    {
        return own(profile, type_id, codec, value);
    }
    match (&kind.shape, value) {
        (Shape::Int { bits, .. }, Value::Int(number)) => {
            // Everything that was read once fits; what was computed may not.
            *bits == 64 || number.unsigned_abs() < 1 << (bits - 1)
        }
        (Shape::Text, Value::Text(text)) => is_simple(text),
        (Shape::Bool, Value::Bool(_)) | (Shape::Pointer(_) | Shape::Any, Value::Nil) => true,
        (Shape::Pointer(elem), Value::Pointer(inner)) => {
            let held = profile.get(*elem);
            !matches!(held.shape, Shape::Pointer(_) | Shape::Any) && settle(profile, *elem, inner)
        }
        (Shape::List(_), value @ Value::Nil) => {
            *value = Value::List(Vec::new());
            true
        }
        (Shape::List(elem), Value::List(items)) => {
            items.iter_mut().all(|item| *item != Value::Nil && settle(profile, *elem, item))
        }
        (Shape::Map(_), value @ Value::Nil) => {
            *value = Value::Map(std::collections::BTreeMap::new());
            true
        }
        (Shape::Map(elem), Value::Map(map)) => map.iter_mut().all(|(key, item)| {
            is_simple_key(key) && *item != Value::Nil && settle(profile, *elem, item)
        }),
        (Shape::Struct(_), Value::Struct(values)) => structure(profile, type_id, values),
        (Shape::Any, Value::Any(any)) => *any != Any::Null && free(any),
        _ => false,
    }
}

fn structure(profile: &Profile, type_id: TypeId, values: &mut [Value]) -> bool {
    let kind = profile.get(type_id);
    if !unwritten_are_zero(profile, type_id, values) {
        return false;
    }
    for key in &kind.keys {
        let left_out = key.omitempty
            && at(values, &key.path).is_some_and(|value| is_empty(profile, key.type_id, value));
        let Some(value) = super::decode::slot(values, &key.path) else { return false };
        if left_out {
            if !matches!(value, Value::Nil) {
                *value = Value::zero(profile, key.type_id);
            }
        } else if !settle(profile, key.type_id, value) {
            return false;
        }
    }
    let (Some(field), Shape::Struct(fields)) = (kind.inline_map, &kind.shape) else { return true };
    let Shape::Map(elem) = profile.get(fields[field].type_id).shape else { return false };
    let empty = match &mut values[field] {
        Value::Nil => true,
        Value::Map(map) => {
            let known = |(key, item): (&String, &mut Value)| {
                is_simple_key(key) && settle(profile, elem, item)
            };
            if !kind.keys.is_empty() || !map.iter_mut().all(known) {
                return false;
            }
            map.is_empty()
        }
        _ => return false,
    };
    if empty {
        values[field] = Value::Nil;
    }
    true
}

/// Fields that are never written must hold nothing.
fn unwritten_are_zero(profile: &Profile, type_id: TypeId, values: &[Value]) -> bool {
    let kind = profile.get(type_id);
    profile.fields(type_id).iter().zip(values).enumerate().all(|(at, (field, value))| {
        let written = kind.inline_map == Some(at) || kind.keys.iter().any(|key| key.path[0] == at);
        if !written {
            return value.is_zero();
        }
        let inlined = field.inline && kind.inline_map != Some(at);
        !inlined || unwritten_are_zero(profile, field.type_id, value.fields())
    })
}

/// Types that write or read themselves.
fn own(profile: &Profile, type_id: TypeId, codec: &Codec, value: &mut Value) -> bool {
    let read = match (codec, &*value) {
        (Codec::Duration, Value::Int(nanoseconds)) => {
            let text = quantity::format_duration(*nanoseconds);
            return quantity::duration(&text) == Ok(*nanoseconds);
        }
        (Codec::FileMode, Value::Int(mode)) => return (0..=0o7777).contains(mode),
        (Codec::Argument, Value::Struct(parts)) => {
            return match &parts[..] {
                [Value::Nil, Value::Text(text)] => !text.is_empty() && is_simple(text),
                [Value::List(items), _] => {
                    let simple =
                        |item: &Value| matches!(item, Value::Text(text) if is_simple(text));
                    profile.strict_skips_own && items.iter().all(simple)
                }
                _ => false,
            };
        }
        (Codec::PortRange, Value::Struct(parts)) => {
            let fits = |part: &Value| matches!(part, Value::Int(0..=65535));
            return parts.len() == 2 && parts.iter().all(fits);
        }
        (Codec::Base64, Value::Nil) => Ok(Some(Value::Bytes(Vec::new()))),
        (Codec::Base64, Value::Bytes(_)) => return true,
        (Codec::Pem, Value::Struct(_)) => return pem(value),
        (Codec::DiskSize, Value::Int(size)) => {
            let (text, _) = quantity::disk_size(u64::try_from(*size).unwrap_or(u64::MAX));
            quantity::bytes(&text).map(|size| Some(Value::Int(i128::from(size))))
        }
        (Codec::Url { empty_is_unset }, _) => match codec.format("", value) {
            Some(text) if text.is_empty() && *empty_is_unset => Ok(None),
            Some(text) if is_simple(&text) => Url::parse(&text).map(|url| {
                let url = Value::Url(Box::new(url));
                Some(Value::Struct(vec![Value::Pointer(Box::new(url))]))
            }),
            _ => return false,
        },
        _ if codec.is_text() => match codec.format(profile.get(type_id).name, value) {
            Some(text) if is_simple(&text) => codec.parse(&text),
            _ => return false,
        },
        _ => return false,
    };
    let Ok(read) = read else { return false };
    *value = read.unwrap_or_else(|| Value::zero(profile, type_id));
    true
}

/// Parts that are missing are written as empty; stars stand for a key only.
fn pem(value: &mut Value) -> bool {
    let Value::Struct(parts) = value else { return false };
    for part in parts {
        match part {
            Value::Nil => *part = Value::Bytes(Vec::new()),
            Value::Bytes(bytes) if bytes != b"******" => {}
            _ => return false,
        }
    }
    true
}

fn free(any: &Any) -> bool {
    match any {
        Any::Null | Any::Bool(_) => true,
        Any::Int(number) => (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(number),
        Any::Text(text) => is_simple(text),
        Any::List(items) => items.iter().all(free),
        Any::Map(map) => map.iter().all(|(key, any)| is_simple_key(key) && free(any)),
        Any::Float(_) | Any::Time(_) | Any::Keyed(_) => false,
    }
}

/// Text that comes back as it is, in whatever style it is written.
fn is_simple(text: &str) -> bool {
    let printable = text
        .chars()
        .all(|c| matches!(c, ' '..='~' | '\n' | '\u{a1}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}'));
    printable && !(text.contains('\n') && text.starts_with([' ', '\n']))
}

fn is_simple_key(key: &str) -> bool {
    !key.is_empty() && key != "<<" && key.len() <= MAX_KEY && !key.contains('\n') && is_simple(key)
}

#[cfg(test)]
mod tests;
