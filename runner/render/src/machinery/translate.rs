//! A value of one table's types as a value of another's: fields meet by their
//! Go names. A field or name that the other table lacks is refused, so that
//! nothing is lost between a talconfig and an older Talos.

use std::collections::BTreeMap;

use super::profile::{Codec, Profile, Shape, TypeId};
use super::value::Value;

/// A value of `from`'s type `source` as one of `to`'s type `target`. Pointers
/// are followed or made where the two differ by them.
///
/// # Errors
/// What the target's machinery does not have, in words.
pub(crate) fn translate(
    (from, source): (&Profile, TypeId),
    (to, target): (&Profile, TypeId),
    value: &Value,
) -> Result<Value, String> {
    let (old, new) = (from.get(source), to.get(target));
    match (&old.shape, &new.shape, value) {
        (_, Shape::Pointer(_) | Shape::List(_) | Shape::Map(_), Value::Nil) => Ok(Value::Nil),
        (Shape::Pointer(_), _, Value::Nil) => Ok(Value::zero(to, target)),
        (Shape::Pointer(a), Shape::Pointer(b), Value::Pointer(inner)) => {
            Ok(Value::Pointer(Box::new(translate((from, *a), (to, *b), inner)?)))
        }
        (Shape::Pointer(a), _, Value::Pointer(inner)) => translate((from, *a), (to, target), inner),
        (_, Shape::Pointer(b), value) => {
            Ok(Value::Pointer(Box::new(translate((from, source), (to, *b), value)?)))
        }
        (Shape::List(a), Shape::List(b), Value::List(items)) => items
            .iter()
            .map(|item| translate((from, *a), (to, *b), item))
            .collect::<Result<_, _>>()
            .map(Value::List),
        (Shape::Map(a), Shape::Map(b), Value::Map(map)) => map
            .iter()
            .map(|(key, item)| Ok((key.clone(), translate((from, *a), (to, *b), item)?)))
            .collect::<Result<BTreeMap<_, _>, String>>()
            .map(Value::Map),
        (Shape::Struct(sources), Shape::Struct(targets), Value::Struct(values)) => {
            let mut out: Vec<Value> =
                targets.iter().map(|field| Value::zero(to, field.type_id)).collect();
            for (field, value) in sources.iter().zip(values) {
                match targets.iter().position(|known| known.go == field.go) {
                    Some(at) => {
                        out[at] =
                            translate((from, field.type_id), (to, targets[at].type_id), value)?;
                    }
                    None if value.is_zero() => {}
                    None => {
                        let machinery = to.machinery();
                        return Err(format!("machinery {machinery} has no `{}` here", field.key));
                    }
                }
            }
            Ok(Value::Struct(out))
        }
        (_, _, Value::Int(number)) => match &new.codec {
            Some(Codec::Enumeration { names, .. })
                if *number != 0 && !names.iter().any(|(known, _)| known == number) =>
            {
                let text = old.codec.as_ref().and_then(|codec| codec.format(old.name, value));
                let text = text.unwrap_or_else(|| number.to_string());
                Err(format!("machinery {} knows no `{text}` here", to.machinery()))
            }
            _ => Ok(value.clone()),
        },
        _ => Ok(value.clone()),
    }
}
