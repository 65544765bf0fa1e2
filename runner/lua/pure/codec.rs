//! `json`, `toml`, `yaml`: `decode`, `encode`, `get`, and `yaml.all` for streams of documents. Texts in, data out; reads no file.

use mlua::{Lua, Table, Value};
use ops_core::value::{MAX_BYTES, Value as Json, check_plain};

use super::{text_of, wrong};
use crate::lua::value::{from_json, to_json, to_tables};

type Read = fn(&str) -> Result<Json, String>;

/// How a format reads and writes.
pub(super) struct Format {
    name: &'static str,
    decode: Read,
    encode: fn(&Json) -> Result<String, String>,
    all: Option<Read>,
}

pub(super) const JSON: Format = Format {
    name: "json",
    decode: |text| serde_json::from_str(text).map_err(|error| error.to_string()),
    encode: |value| Ok(value.to_string()),
    all: None,
};

pub(super) const TOML: Format = Format {
    name: "toml",
    decode: |text| toml::from_str(text).map_err(|error| error.to_string()),
    encode: |value| toml::to_string(value).map_err(|error| error.to_string()),
    all: None,
};

pub(super) const YAML: Format = Format {
    name: "yaml",
    decode: |text| serde_saphyr::from_str(text).map_err(|error| error.to_string()),
    encode: |value| Ok(yaml(value)),
    all: Some(|text| {
        serde_saphyr::from_multiple::<Json>(text)
            .map(Json::Array)
            .map_err(|error| error.to_string())
    }),
};

/// Adds the functions of a format.
pub(super) fn functions(lua: &Lua, table: &Table, format: &'static Format) -> mlua::Result<()> {
    let read = move |lua: &Lua, function: &str, text: &Value, decode: Read| {
        let function = format!("{}.{function}", format.name);
        let text = text_of(lua, &function, text)?;
        if text.len() > MAX_BYTES {
            let title = format!("`{function}`: {} bytes, at most {MAX_BYTES}", text.len());
            return Err(wrong(lua, &function, title));
        }
        let value = decode(&text)
            .map_err(|why| wrong(lua, &function, format!("{}: {why}", format.name)))?;
        check_plain(&value)
            .map_err(|why| wrong(lua, &function, format!("{}: {why}", format.name)))?;
        to_tables(lua, &value)
    };
    let decode = format.decode;
    table.raw_set(
        "decode",
        lua.create_function(move |lua, text: Value| read(lua, "decode", &text, decode))?,
    )?;
    if let Some(all) = format.all {
        table.raw_set(
            "all",
            lua.create_function(move |lua, text: Value| read(lua, "all", &text, all))?,
        )?;
    }
    table.raw_set(
        "encode",
        lua.create_function(move |lua, value: Value| {
            let function = format!("{}.encode", format.name);
            let json = to_json(&value)
                .map_err(|why| wrong(lua, &function, format!("`{function}`: {why}")))?;
            (format.encode)(&json)
                .map_err(|why| wrong(lua, &function, format!("`{function}`: {why}")))
        })?,
    )?;
    table.raw_set(
        "get",
        lua.create_function(move |lua, (value, at): (Value, String)| {
            let function = format!("{}.get", format.name);
            let json = to_json(&value)
                .map_err(|why| wrong(lua, &function, format!("`{function}`: {why}")))?;
            let mut here = &json;
            for step in steps(&at).map_err(|why| wrong(lua, &function, why))? {
                match take(here, &step) {
                    Some(next) => here = next,
                    None => return Ok(Value::Nil),
                }
            }
            from_json(lua, here, None)
        })?,
    )
}

/// A step of a path such as `cluster.inlineManifests[name=cilium].contents`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    /// From 1, as in Lua.
    Index(usize),
    /// The first item whose field has this value.
    Where(String, String),
}

fn steps(at: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    for part in at.split('.') {
        let (key, mut rest) = part.split_at(part.find('[').unwrap_or(part.len()));
        if !key.is_empty() {
            steps.push(Step::Key(key.to_owned()));
        } else if rest.is_empty() {
            return Err(format!("`{at}` has an empty part"));
        }
        while let Some(inner) = rest.strip_prefix('[') {
            let (inside, after) =
                inner.split_once(']').ok_or_else(|| format!("`{at}` has a `[` without its `]`"))?;
            steps.push(match (inside.split_once('='), inside.parse()) {
                (Some((field, value)), _) => Step::Where(field.to_owned(), value.to_owned()),
                (None, Ok(index)) => Step::Index(index),
                (None, Err(_)) => {
                    return Err(format!("`[{inside}]` is neither a number nor a condition"));
                }
            });
            rest = after;
        }
        if !rest.is_empty() {
            return Err(format!("`{rest}` in `{at}` belongs nowhere"));
        }
    }
    Ok(steps)
}

fn take<'a>(value: &'a Json, step: &Step) -> Option<&'a Json> {
    match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.as_array()?.get(index.checked_sub(1)?),
        Step::Where(field, wanted) => value.as_array()?.iter().find(|item| match item.get(field) {
            Some(Json::String(text)) => text == wanted,
            Some(other) => other.to_string().as_str() == wanted,
            None => false,
        }),
    }
}

/// Block YAML with keys sorted and every text quoted that could be read as something else: the same data is the same text.
fn yaml(value: &Json) -> String {
    let mut out = String::new();
    block(value, 0, &mut out);
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

fn block(value: &Json, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Json::Object(map) if !map.is_empty() => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            for key in keys {
                out.push_str(&format!("{pad}{}:", scalar(key)));
                child(&map[key], indent, out);
            }
        }
        Json::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&format!("{pad}-"));
                child(item, indent, out);
            }
        }
        _ => out.push_str(&leaf(value)),
    }
}

fn child(value: &Json, indent: usize, out: &mut String) {
    let nested = match value {
        Json::Object(map) => !map.is_empty(),
        Json::Array(items) => !items.is_empty(),
        _ => false,
    };
    if nested {
        out.push('\n');
        block(value, indent + 2, out);
    } else {
        out.push_str(&format!(" {}\n", leaf(value)));
    }
}

fn leaf(value: &Json) -> String {
    match value {
        Json::String(text) => scalar(text),
        Json::Object(_) => "{}".into(),
        Json::Array(_) => "[]".into(),
        other => other.to_string(),
    }
}

/// A text: plain where it can be read as nothing else, else in the quotes that JSON and YAML share.
fn scalar(text: &str) -> String {
    let word = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    let special = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    if word && !special.contains(&text.to_lowercase().as_str()) {
        text.to_owned()
    } else {
        Json::String(text.to_owned()).to_string()
    }
}
