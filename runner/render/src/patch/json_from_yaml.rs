//! Between a config's text and the JSON that operations work on, the way
//! Talos goes: through the older of its two YAML libraries, with its booleans
//! (`yes`, `on`) and its layout.

use std::collections::BTreeMap;

use super::json::{Json, format_number};
use crate::diagnostic::{Code, Diagnostic, Mark};
use crate::machinery::codec::decode_base64;
use crate::yaml::emit::{Out, emit};
use crate::yaml::node::{Data, Node};
use crate::yaml::order::sort_keys;
use crate::yaml::scalar::{Dialect, Meaning, format_float, resolve};

/// A YAML document as JSON.
pub(super) fn to_json(file: &str, node: &Node) -> Result<Json, Diagnostic> {
    let refuse =
        |mark: Mark, message: &str| Err(Diagnostic::new(Code::JSON_PATCH, file, mark, message));
    let node = node.resolved();
    match &node.data {
        Data::Scalar { .. } => scalar(file, node),
        Data::Sequence(items) => {
            Ok(Json::Array(items.iter().map(|item| to_json(file, item)).collect::<Result<_, _>>()?))
        }
        Data::Mapping(pairs) => {
            let mut object = BTreeMap::new();
            for (key, value) in pairs {
                if is_merge(key) {
                    merge(file, value, &mut object)?;
                    continue;
                }
                let Some(name) = key_text(key.resolved()) else {
                    return refuse(
                        key.mark,
                        "JSON has no such key; a JSON patch cannot be applied",
                    );
                };
                object.insert(name, to_json(file, value)?);
            }
            Ok(Json::Object(object))
        }
        Data::Alias(_) => refuse(node.mark, "an alias stands for an alias"),
    }
}

/// JSON as a YAML document.
pub(super) fn to_yaml(json: &Json) -> String {
    emit(&tree(json), Dialect::V2, false)
}

fn merge(file: &str, value: &Node, into: &mut BTreeMap<String, Json>) -> Result<(), Diagnostic> {
    let value = value.resolved();
    match &value.data {
        Data::Mapping(_) => {
            if let Json::Object(merged) = to_json(file, value)? {
                into.extend(merged);
            }
            Ok(())
        }
        Data::Sequence(items) => items.iter().rev().try_for_each(|item| merge(file, item, into)),
        _ => {
            let message = "`<<` takes a mapping or a list of mappings";
            Err(Diagnostic::new(Code::JSON_PATCH, file, value.mark, message))
        }
    }
}

fn is_merge(key: &Node) -> bool {
    match (&key.data, key.tag.as_deref()) {
        (Data::Scalar { text, plain }, None) => *plain && text == "<<",
        (_, tag) => tag == Some("!!merge"),
    }
}

fn meaning(node: &Node) -> Meaning {
    let Data::Scalar { text, plain } = &node.data else { return Meaning::Text };
    match node.tag.as_deref() {
        None if *plain => resolve(text, Dialect::V2),
        Some("!!int" | "!!bool" | "!!null") => resolve(text, Dialect::V2),
        Some("!!float") => match resolve(text, Dialect::V2) {
            Meaning::Int(value) => Meaning::Float(value as f64),
            other => other,
        },
        _ => Meaning::Text,
    }
}

fn scalar(file: &str, node: &Node) -> Result<Json, Diagnostic> {
    let text = |text: &str| Json::Text { text: text.to_owned(), spelling: None };
    Ok(match meaning(node) {
        Meaning::Null => Json::Null,
        Meaning::Bool(value) => Json::Bool(value),
        Meaning::Int(value) => Json::Number(value.to_string()),
        Meaning::Float(value) => {
            let Some(number) = format_number(value) else {
                let message = "JSON has no such number; a JSON patch cannot be applied";
                return Err(Diagnostic::new(Code::JSON_PATCH, file, node.mark, message));
            };
            Json::Number(number)
        }
        _ if node.tag.as_deref() == Some("!!binary") => {
            let bytes = decode_base64(node.text()).unwrap_or_default();
            text(&String::from_utf8_lossy(&bytes))
        }
        Meaning::Time(_) | Meaning::Merge | Meaning::Text => text(node.text()),
    })
}

fn key_text(key: &Node) -> Option<String> {
    if !key.is_scalar() {
        return None;
    }
    match meaning(key) {
        Meaning::Null => None,
        Meaning::Int(value) if value > i128::from(i64::MAX) => None,
        Meaning::Int(value) => Some(value.to_string()),
        Meaning::Bool(value) => Some(value.to_string()),
        Meaning::Float(value) => Some(format_float(f64::from(value as f32))),
        Meaning::Time(_) | Meaning::Merge | Meaning::Text => Some(key.text().to_owned()),
    }
}

fn tree(json: &Json) -> Out<'_> {
    match json {
        Json::Null | Json::SpeltNull => Out::Bare("null".into()),
        Json::Bool(value) => Out::Bare(value.to_string().into()),
        Json::Number(number) => match resolve(number, Dialect::V2) {
            Meaning::Int(value) => Out::Bare(value.to_string().into()),
            Meaning::Float(value) => Out::Bare(format_float(value).into()),
            _ => Out::Text(number.into()),
        },
        Json::Text { text, .. } => Out::Text(text.into()),
        Json::Array(items) => Out::Seq(items.iter().map(tree).collect()),
        Json::Object(object) => {
            let mut pairs: Vec<(&String, &Json)> = object.iter().collect();
            sort_keys(&mut pairs, Dialect::V2);
            Out::Map(
                pairs
                    .into_iter()
                    .map(|(key, value): (&String, _)| (Out::Text(key.into()), tree(value)))
                    .collect(),
            )
        }
    }
}
