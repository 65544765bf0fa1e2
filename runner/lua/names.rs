//! The namespaces of a file: host calls by their dotted names, made when they are first used, beside pure functions.

use std::rc::Rc;

use mlua::{Function, Lua, MultiValue, Table, Value};
use ops_core::error::{Code, Fault};

use super::body::Body;
use super::freeze::freeze;
use super::place::here;
use super::sandbox::Prelude;
use super::{ask, raised, text};

/// Makes the namespace `name` with the pure functions in `pure`; nothing under a name that is no namespace.
pub(super) fn space(
    lua: &Lua,
    prelude: &Prelude,
    body: &Rc<Body>,
    name: &str,
    pure: Option<Table>,
) -> mlua::Result<Value> {
    let found = body.calls.find(name);
    let has_pure = pure.is_some();
    let table = match pure {
        Some(table) => table,
        None => lua.create_table()?,
    };
    if !found.space && !has_pure {
        return if found.call {
            Ok(Value::Function(leaf(lua, prelude, name)?))
        } else {
            Ok(Value::Nil)
        };
    }
    // Leaves stand in a table of their own, not in the namespace: each look-up passes through here, so that the line of a tail call is known.
    let leaves = lua.create_table()?;
    let mut known: Vec<String> = body.calls.words(name).into_iter().map(str::to_owned).collect();
    for pair in table.pairs::<String, Value>() {
        known.push(pair?.0);
    }
    let (dotted, own) = (name.to_owned(), prelude.clone());
    let missing = lua.create_function(move |lua, (_, key): (Value, Value)| {
        let word = text::of(lua, &key)?;
        let full = format!("{dotted}.{word}");
        let body = Body::of(lua)?;
        let leaf = match leaves.raw_get::<Value>(&key)? {
            Value::Nil if body.calls.words(&dotted).contains(&word.as_str()) => {
                let leaf = space(lua, &own, &body, &full, None)?;
                leaves.raw_set(key, &leaf)?;
                leaf
            }
            made => made,
        };
        if leaf.is_nil() {
            let fault = Fault::new(Code::CALL_UNKNOWN, format!("there is no `{full}`"))
                .did_you_mean(&word, known.iter().map(String::as_str));
            return Err(raised::located_word(lua, fault, &word));
        }
        if let Some(line) = here(lua) {
            body.note(&full, line);
        }
        Ok(leaf)
    })?;
    let front = freeze(lua, &table, Some(missing))?;
    if found.call
        && let Some(meta) = front.metatable()
    {
        // `sh { … }` beside `sh.exec { … }`.
        let leaf = leaf(lua, prelude, name)?;
        meta.raw_set(
            "__call",
            lua.load("local f = ... return function(_, ...) return f(...) end")
                .set_name("=prelude")
                .call::<Function>(leaf)?,
        )?;
    }
    Ok(Value::Table(front))
}

/// One host call.
fn leaf(lua: &Lua, prelude: &Prelude, name: &str) -> mlua::Result<Function> {
    let call = name.to_owned();
    let prepare = lua.create_function(move |lua, args: MultiValue| ask::call(lua, &call, &args))?;
    prelude.wait.call((prepare, name))
}
