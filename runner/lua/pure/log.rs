//! `log`: events of a branch, numbered, so that a replay does not print them again.

use mlua::{Lua, Table, Value, Variadic};
use ops_core::error::{Code, Fault};
use ops_core::machine::Act;
use ops_core::value::Value as Json;
use serde_json::json;

use crate::lua::body::Body;
use crate::lua::value::to_json;
use crate::lua::{raised, text};

/// Adds the functions.
pub(super) fn functions(lua: &Lua, log: &Table) -> mlua::Result<()> {
    for level in ["debug", "info", "warn", "heading"] {
        let write = lua.create_function(move |lua, args: Variadic<Value>| {
            let message = text::message(lua, args)?;
            event(lua, level, message.into())
        })?;
        log.raw_set(level, write)?;
    }
    log.raw_set(
        "table",
        lua.create_function(|lua, (rows, columns): (Value, Value)| {
            let body = json!({ "rows": plain(lua, &rows)?, "columns": plain(lua, &columns)? });
            event(lua, "table", body)
        })?,
    )?;
    log.raw_set(
        "diff",
        lua.create_function(|lua, (before, after): (Value, Value)| {
            let body = json!({ "before": plain(lua, &before)?, "after": plain(lua, &after)? });
            event(lua, "diff", body)
        })?,
    )
}

/// `print`: the values side by side, as `log.info`.
pub(in crate::lua) fn print(lua: &Lua, args: &[Value]) -> mlua::Result<()> {
    let texts: mlua::Result<Vec<String>> = args.iter().map(|value| text::of(lua, value)).collect();
    event(lua, "info", texts?.join("\t").into())
}

fn event(lua: &Lua, level: &str, body: Json) -> mlua::Result<()> {
    let stage = Body::of(lua)?;
    let arm = stage.arm(lua, level)?;
    stage.act(Act::Log {
        branch: arm.branch.clone(),
        number: arm.next_log(),
        level: level.to_owned(),
        body,
    });
    Ok(())
}

fn plain(lua: &Lua, value: &Value) -> mlua::Result<Json> {
    to_json(value)
        .map_err(|wrong| raised::located(lua, Fault::new(Code::VALUE, format!("log: {wrong}"))))
}
