//! `ops`: declaring, catching, and what standard Lua has only in ways that depend on the VM.

use mlua::{Function, Lua, Table, Value};
use ops_core::error::{Code, Fault};
use ops_core::value::{Digest, Handle, Value as Json};

use crate::lua::freeze::freeze;
use crate::lua::order::{merge_sort, natural};
use crate::lua::sandbox::{Prelude, borrow};
use crate::lua::value::data::Data;
use crate::lua::value::{from_json, to_json};
use crate::lua::{declare, raised, text};

/// Adds the functions.
pub(super) fn functions(lua: &Lua, ops: &Table, prelude: &Prelude) -> mlua::Result<()> {
    declare::functions(lua, ops)?;
    ops.raw_set("try", &prelude.attempt)?;
    ops.raw_set("later", lua.create_function(later)?)?;
    ops.raw_set("is_empty", lua.create_function(|lua, value: Value| is_empty(lua, &value))?)?;
    ops.raw_set("sorted", lua.create_function(sorted)?)?;
    ops.raw_set("map", lua.create_function(map)?)?;
    ops.raw_set(
        "digest",
        lua.create_function(|lua, value: Value| match to_json(&value) {
            Ok(json) => Ok(Digest::of(&json).0),
            Err(wrong) => {
                let fault = Fault::new(Code::VALUE, format!("ops.digest: {wrong}"));
                Err(raised::located_word(lua, fault, "digest"))
            }
        })?,
    )?;
    let platform = lua.create_table()?;
    platform.raw_set("os", std::env::consts::OS)?;
    platform.raw_set("arch", std::env::consts::ARCH)?;
    ops.raw_set("platform", freeze(lua, &platform, None)?)
}

/// `ops.later(reply, "field")`: a field of a reply, to be handed on without being looked at.
fn later(lua: &Lua, (reply, field): (Value, String)) -> mlua::Result<Value> {
    let Some(data) = borrow::<Data>(&reply) else {
        let fault = Fault::new(Code::LUA, "`ops.later` takes a reply and the name of its field");
        return Err(raised::located_word(lua, fault, "later"));
    };
    match data.value().get(&field) {
        Some(value) => from_json(lua, value, None),
        None => {
            let known = data.value().as_object();
            let known = known.into_iter().flat_map(|map| map.keys()).map(String::as_str);
            let fault = Fault::new(Code::CALL_FIELD, format!("the reply has no field `{field}`"))
                .did_you_mean(&field, known);
            Err(raised::located_word(lua, fault, &field))
        }
    }
}

/// Whether a table, or data of the host, has nothing in it.
fn is_empty(lua: &Lua, value: &Value) -> mlua::Result<bool> {
    match value {
        Value::Table(table) => Ok(crate::lua::freeze::inner(table).is_empty()),
        other => match to_json(other) {
            Ok(Json::Array(items)) => Ok(items.is_empty()),
            Ok(json @ Json::Object(_)) if Handle::from_value(&json).is_none() => {
                Ok(json.as_object().is_some_and(serde_json::Map::is_empty))
            }
            Ok(Json::String(text)) => Ok(text.is_empty()),
            _ => {
                let fault = Fault::new(Code::LUA, "`ops.is_empty` takes a table or a text");
                Err(raised::located_word(lua, fault, "is_empty"))
            }
        },
    }
}

/// The items of a list.
fn items(lua: &Lua, what: &str, value: &Value) -> mlua::Result<Vec<Value>> {
    let wrong = || {
        let fault = Fault::new(Code::LUA, format!("`ops.{what}` takes a list"));
        raised::located_word(lua, fault, what)
    };
    let length = match value {
        Value::Table(table) => table.len()?,
        Value::UserData(_) => {
            let length: Function = lua.load("local t = ... return #t").into_function()?;
            length.call(value)?
        }
        _ => return Err(wrong()),
    };
    let mut items = Vec::new();
    for i in 1..=length {
        items.push(match value {
            Value::Table(table) => table.get(i)?,
            Value::UserData(data) => mlua::ObjectLike::get(data, i)?,
            _ => Value::Nil,
        });
    }
    Ok(items)
}

/// `ops.sorted(t, by)`: a sorted copy, by the items themselves, by a field's name or by a function's result.
fn sorted(lua: &Lua, (list, by): (Value, Value)) -> mlua::Result<Table> {
    let mut keyed = Vec::new();
    for item in items(lua, "sorted", &list)? {
        let key = match (&by, &item) {
            (Value::Nil, _) => item.clone(),
            (Value::Function(by), _) => by.call(item.clone())?,
            (Value::String(field), Value::Table(table)) => table.get(field)?,
            (Value::String(field), Value::UserData(data)) => {
                mlua::ObjectLike::get(data, field.clone())?
            }
            _ => {
                let by = text::of(lua, &by)?;
                let fault = Fault::new(Code::LUA, format!("`ops.sorted` cannot sort by {by}"));
                return Err(raised::located_word(lua, fault, "sorted"));
            }
        };
        keyed.push((key, item));
    }
    let sorted = merge_sort(keyed, &|a, b| natural(lua, &a.0, &b.0))?;
    lua.create_sequence_from(sorted.into_iter().map(|(_, item)| item))
}

/// `ops.map(t, f)`: a list of what `f` gives for each item.
fn map(lua: &Lua, (list, function): (Value, Function)) -> mlua::Result<Table> {
    let mut mapped = Vec::new();
    for item in items(lua, "map", &list)? {
        mapped.push(function.call::<Value>(item)?);
    }
    lua.create_sequence_from(mapped)
}
