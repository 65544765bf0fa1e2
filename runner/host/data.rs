//! YAML, JSON and TOML files as plain data, and single values of YAML files, read and changed in place. Handles cannot be forged from them: keys that start with `$` are refused.

use ops_core::call::fs::Content;
use ops_core::call::yaml::{Edit, ReadYaml};
use ops_core::error::{CallError, ErrorKind};
use ops_core::value::{BLOB_FROM, Handle, Value};
use ops_render::{Scalar, Source};

use super::content::Bytes;
use super::kustomize::refused;
use super::{HostCx, fs, yaml};

pub(super) fn yaml(call: &ReadYaml, cx: &HostCx<'_>) -> Result<Value, CallError> {
    let (name, content) = source(&call.path, cx)?;
    let Some(at) = &call.at else {
        return plain(&name, yaml::document(&name, &content.bytes)?);
    };
    let source = Source { name: &name, bytes: &content.bytes };
    match ops_render::value_at(source, at).map_err(|found| refused(&found))? {
        Some(Scalar::Null) => Ok(Value::Null),
        Some(Scalar::Bool(value)) => Ok(value.into()),
        Some(Scalar::Int(value)) => Ok(value.into()),
        Some(Scalar::Float(value)) => Ok(value.into()),
        Some(Scalar::Text(text)) if text.len() > BLOB_FROM || content.sealed => {
            cx.keep(&Bytes { bytes: text.into_bytes(), sealed: content.sealed })
        }
        Some(Scalar::Text(text)) => Ok(text.into()),
        None => {
            Err(wrong(format!("{name}: `{at}` is a mapping or a list; name a single value in it"))
                .hint("without `at` the whole document is read"))
        }
    }
}

/// Puts one value into a file, if it is not there.
pub(super) async fn edit(call: &Edit, cx: &HostCx<'_>) -> Result<Value, CallError> {
    let path = cx.inside(&call.path)?;
    let old = cx.file(&path)?;
    let (value, sealed) = scalar(&call.value, cx)?;
    let source = Source { name: &path, bytes: &old.bytes };
    let edited = ops_render::edit(source, &call.at, &value).map_err(|found| {
        let error = refused(&found);
        match error.hint {
            None => error.hint(
                "`yaml.edit` changes a value that is there: put an empty one in its place first",
            ),
            Some(_) => error,
        }
    })?;
    let content = Bytes { bytes: edited.text.into_bytes(), sealed: old.sealed || sealed };
    fs::converge(&path, &content, None, cx).await
}

/// What is put into a file, and whether it is secret.
fn scalar(value: &Value, cx: &HostCx<'_>) -> Result<(Scalar, bool), CallError> {
    let invalid =
        |what: &str| CallError::new(ErrorKind::Invalid, format!("`value` {what}")).before_effect();
    if let Some(handle) = Handle::from_value(value) {
        let Bytes { bytes, sealed } = cx.handled(&handle)?;
        let text = String::from_utf8(bytes).map_err(|_| invalid("is no UTF-8 text"))?;
        return Ok((Scalar::Text(text), sealed));
    }
    let scalar = match value {
        Value::Null => Scalar::Null,
        Value::Bool(value) => Scalar::Bool(*value),
        Value::String(text) => Scalar::Text(text.clone()),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(value), _) => Scalar::Int(value),
            (None, Some(value)) => Scalar::Float(value),
            (None, None) => return Err(invalid("is no number that a file can hold")),
        },
        Value::Array(_) | Value::Object(_) => {
            return Err(invalid("is a list or a table: only single values are put into a file")
                .hint("give its text (`yaml.encode`), or edit its values one by one"));
        }
    };
    Ok((scalar, false))
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
