//! The order of things where Lua has none: keys under `pairs`, equal items under `table.sort`. The same in every VM.

use std::cmp::Ordering;

use mlua::{Function, Lua, Table, Value};
use ops_core::error::{Code, Fault};
use serde_json::Value as Json;

use super::freeze::inner;
use super::raised;
use super::sandbox::{article, kind};
use super::value::data::Data;
use super::value::nodes::{NodeList, Partitions};
use super::value::results::Results;
use crate::sys::fault;

/// What `pairs` visits: the thing to index, its keys in order, and how many.
pub(super) fn keys(lua: &Lua, value: &Value) -> mlua::Result<(Value, Value, usize)> {
    let list = |lua: &Lua, keys: Vec<Json>| -> mlua::Result<(Value, usize)> {
        Ok((super::value::to_tables(lua, &keys.clone().into())?, keys.len()))
    };
    match value {
        Value::Table(table) => {
            let real = inner(table);
            let mut keys: Vec<Value> = Vec::new();
            for pair in real.pairs::<Value, Value>() {
                let key = pair?.0;
                if rank(&key).is_none() {
                    let title = format!("`pairs` meets a key that is a {}", kind(&key));
                    let fault = Fault::new(Code::LUA, title)
                        .label("numbers, texts and booleans have an order, other keys have none");
                    return Err(raised::located(lua, fault));
                }
                keys.push(key);
            }
            if !fault::mutated("pairs unsorted") {
                keys.sort_by(key_order);
            }
            let count = keys.len();
            Ok((value.clone(), Value::Table(lua.create_sequence_from(keys)?), count))
        }
        Value::UserData(data) => {
            let found = if let Ok(data) = data.borrow::<Data>() {
                data.keys()
            } else if let Ok(nodes) = data.borrow::<NodeList>() {
                (1..=nodes.names().len()).map(Json::from).collect()
            } else if let Ok(parts) = data.borrow::<Partitions>() {
                (1..=parts.0.len()).map(Json::from).collect()
            } else if let Ok(results) = data.borrow::<Results>() {
                results.entries().iter().map(|(key, _)| key.clone().into()).collect()
            } else {
                let fault = Fault::new(Code::LUA, "`pairs` takes a table");
                return Err(raised::located(lua, fault));
            };
            let (keys, count) = list(lua, found)?;
            Ok((value.clone(), keys, count))
        }
        other => {
            let title = format!("`pairs` takes a table, not {}", article(other));
            Err(raised::located(lua, Fault::new(Code::LUA, title)))
        }
    }
}

fn rank(key: &Value) -> Option<u8> {
    match key {
        Value::Integer(_) | Value::Number(_) => Some(0),
        Value::String(_) => Some(1),
        Value::Boolean(_) => Some(2),
        _ => None,
    }
}

fn key_order(a: &Value, b: &Value) -> Ordering {
    let number = |v: &Value| match v {
        Value::Integer(i) => *i as f64,
        Value::Number(n) => *n,
        _ => 0.0,
    };
    rank(a).cmp(&rank(b)).then_with(|| match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (Value::String(a), Value::String(b)) => (*a.as_bytes()).cmp(&*b.as_bytes()),
        (Value::Boolean(a), Value::Boolean(b)) => a.cmp(b),
        _ => number(a).total_cmp(&number(b)),
    })
}

/// `table.sort`, stable, so that equal items agree in every VM.
pub(super) fn sort(lua: &Lua, (table, less): (Table, Option<Function>)) -> mlua::Result<()> {
    let length = usize::try_from(table.len()?).unwrap_or(0);
    let mut items: Vec<Value> = Vec::new();
    for i in 1..=length {
        items.push(table.get(i)?);
    }
    let before = |a: &Value, b: &Value| -> mlua::Result<bool> {
        match &less {
            Some(less) => less.call::<bool>((a, b)),
            None => natural(lua, a, b),
        }
    };
    let items = merge_sort(items, &before)?;
    for (i, item) in items.into_iter().enumerate() {
        table.set(i + 1, item)?;
    }
    Ok(())
}

/// Sorts stably with a comparison that may fail or contradict itself.
pub(super) fn merge_sort<T: Clone>(
    items: Vec<T>,
    before: &impl Fn(&T, &T) -> mlua::Result<bool>,
) -> mlua::Result<Vec<T>> {
    if items.len() < 2 {
        return Ok(items);
    }
    let (left, right) = items.split_at(items.len() / 2);
    let (left, right) = (merge_sort(left.to_vec(), before)?, merge_sort(right.to_vec(), before)?);
    let mut sorted = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        // The right one comes first only where it must: that is what makes it stable.
        let next = if before(b, a)? { right.next() } else { left.next() };
        sorted.extend(next);
    }
    sorted.extend(left);
    sorted.extend(right);
    Ok(sorted)
}

/// The order of `<`.
pub(super) fn natural(lua: &Lua, a: &Value, b: &Value) -> mlua::Result<bool> {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => Ok(a < b),
        (Value::Number(a), Value::Number(b)) => Ok(a < b),
        (Value::String(a), Value::String(b)) => Ok(*a.as_bytes() < *b.as_bytes()),
        (Value::Integer(_), Value::Number(_))
        | (Value::Number(_), Value::Integer(_))
        | (Value::Table(_) | Value::UserData(_), _)
        | (_, Value::Table(_) | Value::UserData(_)) => {
            let less: Function = match lua.named_registry_value::<Option<Function>>("ops.less")? {
                Some(less) => less,
                None => {
                    let less: Function =
                        lua.load("local a, b = ... return a < b").into_function()?;
                    lua.set_named_registry_value("ops.less", &less)?;
                    less
                }
            };
            less.call((a, b))
        }
        _ => {
            let title = format!("cannot compare {} with {}", article(a), article(b));
            Err(raised::located(lua, Fault::new(Code::LUA, title)))
        }
    }
}
