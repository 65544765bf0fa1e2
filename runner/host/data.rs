//! YAML, JSON and TOML files as plain data. Handles cannot be forged from them: keys that start with `$` are refused.

use ops_core::call::fs::Content;
use ops_core::error::{CallError, ErrorKind};
use ops_core::value::Value;

use super::content::Bytes;
use super::{HostCx, yaml};

pub(super) fn yaml(path: &Content, cx: &HostCx<'_>) -> Result<Value, CallError> {
    let (name, content) = source(path, cx)?;
    plain(&name, yaml::document(&name, &content.bytes)?)
}

pub(super) fn json(path: &Content, cx: &HostCx<'_>) -> Result<Value, CallError> {
    let (name, content) = source(path, cx)?;
    let value = serde_json::from_slice(&content.bytes)
        .map_err(|error| wrong(format!("{name}:{}:{}: no JSON", error.line(), error.column())))?;
    plain(&name, value)
}

pub(super) fn toml(path: &Content, cx: &HostCx<'_>) -> Result<Value, CallError> {
    let (name, content) = source(path, cx)?;
    let text = std::str::from_utf8(&content.bytes)
        .map_err(|_| wrong(format!("{name} is no TOML: it is no UTF-8")))?;
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let before = text.get(..at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        wrong(format!("{name}:{line}:{column}: no TOML: {}", error.message()))
    })?;
    plain(&name, from_toml(toml::Value::Table(table)))
}

fn source(path: &Content, cx: &HostCx<'_>) -> Result<(String, Bytes), CallError> {
    match path {
        Content::Text(path) => Ok((path.clone(), cx.file(path)?)),
        Content::Handle(_) => Ok(("the content".to_owned(), cx.content(path)?)),
    }
}

fn from_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(flag) => Value::Bool(flag),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(items) => items.into_iter().map(from_toml).collect(),
        toml::Value::Table(table) => {
            Value::Object(table.into_iter().map(|(key, value)| (key, from_toml(value))).collect())
        }
    }
}

fn plain(name: &str, value: Value) -> Result<Value, CallError> {
    match reserved(&value) {
        Some(key) => {
            Err(wrong(format!("{name} has the key `{key}`: keys that start with `$` are reserved"))
                .hint("hand the file on as it is (`fs.read`), without looking into it"))
        }
        None => Ok(value),
    }
}

fn reserved(value: &Value) -> Option<&str> {
    match value {
        Value::Array(items) => items.iter().find_map(reserved),
        Value::Object(map) => map.iter().find_map(|(key, value)| {
            if key.starts_with('$') { Some(key.as_str()) } else { reserved(value) }
        }),
        _ => None,
    }
}

fn wrong(message: String) -> CallError {
    CallError::new(ErrorKind::Parse, message).before_effect()
}
