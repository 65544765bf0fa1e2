//! Typed values to output trees: which fields are left out, how types with a
//! form of their own are written. Layout is not its business.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::any::Any;
use super::codec::encode_base64;
use super::profile::{Codec, Profile, Shape, TypeId};
use super::quantity;
use super::value::Value;
use crate::yaml::emit::Out;
use crate::yaml::order::sort_keys;
use crate::yaml::scalar::{Dialect, format_float};

/// The tree a value is written as.
pub(crate) fn encode<'v>(profile: &'v Profile, type_id: TypeId, value: &'v Value) -> Out<'v> {
    let kind = profile.get(type_id);
    if let Some(codec) = &kind.codec
        && let Some(out) = own(codec, kind.name, value)
    {
        return out;
    }
    if let (Some(Codec::Pem), Value::Struct(parts)) = (&kind.codec, value) {
        let keys = kind.keys.iter().map(|key| Out::Text(Cow::Borrowed(&*key.name)));
        return Out::Map(keys.zip(parts.iter().map(pem)).collect());
    }
    match (&kind.shape, value) {
        (Shape::Pointer(elem), Value::Pointer(inner)) => encode(profile, *elem, inner),
        (Shape::List(elem), Value::List(items)) => {
            Out::Seq(items.iter().map(|item| encode(profile, *elem, item)).collect())
        }
        (Shape::List(_) | Shape::Bytes, Value::Nil) => Out::Seq(Vec::new()),
        (Shape::Bytes, Value::Bytes(bytes)) => {
            Out::Seq(bytes.iter().map(|byte| Out::Bare(byte.to_string().into())).collect())
        }
        (Shape::Map(_), Value::Nil) => Out::Map(Vec::new()),
        (Shape::Map(elem), Value::Map(map)) => Out::Map(pairs(profile, *elem, map)),
        (Shape::Struct(_), Value::Struct(values)) => structure(profile, type_id, values),
        (_, Value::Bool(value)) => boolean(*value),
        (_, Value::Int(value)) => Out::Bare(value.to_string().into()),
        (_, Value::Float(value)) => Out::Bare(format_float(*value).into()),
        (_, Value::Text(text)) => Out::Text(text.into()),
        (_, Value::Any(any)) => free(any),
        // A nil pointer or interface.
        _ => null(),
    }
}

fn null() -> Out<'static> {
    Out::Bare("null".into())
}

fn boolean(value: bool) -> Out<'static> {
    Out::Bare(if value { "true" } else { "false" }.into())
}

fn pairs<'v>(
    profile: &'v Profile,
    elem: TypeId,
    map: &'v BTreeMap<String, Value>,
) -> Vec<(Out<'v>, Out<'v>)> {
    let mut pairs: Vec<(&String, &Value)> = map.iter().collect();
    sort_keys(&mut pairs, Dialect::V4);
    let pair =
        |(key, value): (&'v String, _)| (Out::Text(key.into()), encode(profile, elem, value));
    pairs.into_iter().map(pair).collect()
}

fn structure<'v>(profile: &'v Profile, type_id: TypeId, values: &'v [Value]) -> Out<'v> {
    let kind = profile.get(type_id);
    let mut out = Vec::new();
    for key in &kind.keys {
        let Some(value) = at(values, &key.path) else { continue };
        if key.omitempty && is_empty(profile, key.type_id, value) {
            continue;
        }
        out.push((Out::Text(Cow::Borrowed(&*key.name)), encode(profile, key.type_id, value)));
    }
    if let (Some(field), Shape::Struct(fields)) = (kind.inline_map, &kind.shape)
        && let (Value::Map(map), Shape::Map(elem)) =
            (&values[field], &profile.get(fields[field].type_id).shape)
    {
        out.extend(pairs(profile, *elem, map));
    }
    Out::Map(out)
}

/// The value at a path of fields.
pub(crate) fn at<'v>(values: &'v [Value], path: &[usize]) -> Option<&'v Value> {
    let (first, rest) = path.split_first()?;
    let value = values.get(*first)?;
    if rest.is_empty() { Some(value) } else { at(value.fields(), rest) }
}

/// Whether `omitempty` leaves a value out.
pub(super) fn is_empty(profile: &Profile, type_id: TypeId, value: &Value) -> bool {
    let kind = profile.get(type_id);
    match (&kind.codec, value) {
        (Some(Codec::Size), Value::Struct(parts)) => {
            return parts
                .iter()
                .all(|part| matches!(part.pointee(), Value::Nil | Value::Opaque(None)));
        }
        // Addresses without Talos' wrapper have no exported field: always empty.
        (Some(Codec::Address | Codec::AddressAndPort | Codec::Prefix), _)
            if kind.name.starts_with("netip.") =>
        {
            return true;
        }
        _ => {}
    }
    match value {
        Value::Nil => true,
        Value::List(items) => items.is_empty(),
        Value::Map(map) => map.is_empty(),
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::Pointer(_) | Value::Any(_) | Value::Url(_) => false,
        Value::Float(value) => *value == 0.0,
        Value::Struct(values) => {
            let fields = profile.fields(type_id);
            let deciding = if kind.name == "block.EncryptionSpec" { 2 } else { fields.len() };
            fields
                .iter()
                .zip(values)
                .take(deciding)
                .all(|(field, value)| field.private || is_empty(profile, field.type_id, value))
        }
        other => other.is_zero(),
    }
}

/// Types that write themselves; `None` leaves them to the general rules.
fn own<'v>(codec: &Codec, name: &str, value: &'v Value) -> Option<Out<'v>> {
    match (codec, value) {
        (Codec::FileMode, _) => codec.format(name, value).map(|text| Out::Bare(text.into())),
        (Codec::Argument, Value::Struct(parts)) => Some(match &parts[..] {
            [Value::List(items), _] => Out::Seq(items.iter().map(node_text).collect()),
            [_, Value::Text(text)] if text.is_empty() => null(),
            [_, text] => node_text(text),
            _ => null(),
        }),
        (Codec::Base64, Value::Bytes(bytes)) => Some(Out::Text(encode_base64(bytes).into())),
        (Codec::Base64, _) => Some(Out::Text(Cow::Borrowed(""))),
        (Codec::DiskSize, Value::Int(size)) => {
            let (text, is_text) = quantity::disk_size(u64::try_from(*size).unwrap_or(u64::MAX));
            Some(if is_text { Out::Text(text.into()) } else { Out::Bare(text.into()) })
        }
        (Codec::DiskSizeCondition, Value::Struct(parts)) => match parts.get(1) {
            Some(Value::Text(condition)) => Some(Out::Text(condition.into())),
            _ => None,
        },
        (Codec::PortRange, Value::Struct(parts)) => match &parts[..] {
            [Value::Int(low), Value::Int(high)] if low == high => {
                Some(Out::Bare(low.to_string().into()))
            }
            [Value::Int(low), Value::Int(high)] => Some(Out::Text(format!("{low}-{high}").into())),
            _ => None,
        },
        (Codec::InlineManifests, _) => None,
        _ => codec.format(name, value).map(|text| Out::Text(text.into())),
    }
}

/// Base64, except where a secret was replaced by stars.
fn pem(part: &Value) -> Out<'static> {
    Out::Text(match part {
        Value::Bytes(bytes) if bytes == b"******" => "******".into(),
        Value::Bytes(bytes) => encode_base64(bytes).into(),
        _ => "".into(),
    })
}

fn node_text(value: &Value) -> Out<'_> {
    match value {
        Value::Text(text) => Out::NodeText(text.into()),
        _ => null(),
    }
}

/// A free-form value.
fn free(any: &Any) -> Out<'_> {
    match any {
        Any::Null => null(),
        Any::Bool(value) => boolean(*value),
        Any::Int(value) => Out::Bare(value.to_string().into()),
        Any::Float(value) => Out::Bare(format_float(*value).into()),
        Any::Text(text) => Out::Text(text.into()),
        Any::Time(time) => Out::Bare(time.into()),
        Any::List(items) => Out::Seq(items.iter().map(free).collect()),
        Any::Map(map) => {
            let mut pairs: Vec<(&String, &Any)> = map.iter().collect();
            sort_keys(&mut pairs, Dialect::V4);
            Out::Map(
                pairs.into_iter().map(|(key, any)| (Out::Text(key.into()), free(any))).collect(),
            )
        }
        Any::Keyed(pairs) => {
            let mut pairs: Vec<&(Any, Any)> = pairs.iter().collect();
            pairs.sort_by(|(a, _), (b, _)| keyed_order(a, b));
            Out::Map(pairs.into_iter().map(|(key, any)| (free(key), free(any))).collect())
        }
    }
}

/// Numbers and booleans by value, before text.
fn keyed_order(a: &Any, b: &Any) -> std::cmp::Ordering {
    let number = |any: &Any| match any {
        Any::Bool(value) => Some(f64::from(u8::from(*value))),
        Any::Int(value) => Some(*value as f64),
        Any::Float(value) => Some(*value),
        _ => None,
    };
    // Equal ones by their Go kind: `true` before 1, 1 before 1.0.
    let kind = |any: &Any| match any {
        Any::Bool(_) => 0,
        Any::Int(value) if *value <= i128::from(i64::MAX) => 1,
        Any::Int(_) => 2,
        _ => 3,
    };
    match (number(a), number(b), a, b) {
        (Some(x), Some(y), ..) => x
            .partial_cmp(&y)
            .unwrap_or(std::cmp::Ordering::Equal)
            .then_with(|| kind(a).cmp(&kind(b))),
        (Some(_), None, ..) => std::cmp::Ordering::Less,
        (None, Some(_), ..) => std::cmp::Ordering::Greater,
        (None, None, Any::Text(a), Any::Text(b)) => crate::yaml::order::compare(a, b, Dialect::V4),
        _ => std::cmp::Ordering::Equal,
    }
}
