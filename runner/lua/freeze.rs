//! What recipes may not change: userdata, and tables such as standard libraries, namespaces, what modules return. Lua 5.4 has no read-only
//! tables, so an empty one stands before the real one.

use mlua::{Function, Lua, MetaMethod, Table, UserDataMethods, Value};

use super::text;

/// The key under which the real table stands in the metatable of its stand-in. Recipes can make no metatable with this key.
const INNER: &str = "__frozen";

/// A read-only stand-in for a table; further lookups go through `missing`.
pub(super) fn freeze(lua: &Lua, inner: &Table, missing: Option<Function>) -> mlua::Result<Table> {
    let meta = lua.create_table()?;
    if let Some(missing) = missing {
        let further = lua.create_table()?;
        further.raw_set("__index", missing)?;
        inner.set_metatable(Some(further))?;
    }
    meta.raw_set("__index", inner)?;
    meta.raw_set(INNER, inner)?;
    meta.raw_set("__metatable", false)?;
    let length = inner.clone();
    meta.raw_set("__len", lua.create_function(move |_, _: Value| Ok(length.raw_len()))?)?;
    meta.raw_set(
        "__newindex",
        lua.create_function(|lua, (_, key, _): (Value, Value, Value)| -> mlua::Result<()> {
            Err(text::read_only(lua, &key))
        })?,
    )?;
    let front = lua.create_table()?;
    front.set_metatable(Some(meta))?;
    Ok(front)
}

/// Refuses every assignment to a field of a userdata.
pub(super) fn read_only<T: 'static, M: UserDataMethods<T>>(methods: &mut M) {
    methods.add_meta_method(
        MetaMethod::NewIndex,
        |lua, _, (key, _): (Value, Value)| -> mlua::Result<()> { Err(text::read_only(lua, &key)) },
    );
}

/// The real table behind a stand-in; the table itself where it is none.
pub(super) fn inner(table: &Table) -> Table {
    let real = table.metatable().and_then(|meta| meta.raw_get::<Option<Table>>(INNER).ok()?);
    real.unwrap_or_else(|| table.clone())
}

/// Whether a table is read-only.
pub(super) fn is_frozen(table: &Table) -> bool {
    table
        .metatable()
        .is_some_and(|meta| meta.raw_get::<Option<Table>>(INNER).is_ok_and(|t| t.is_some()))
}

/// Freezes what a module returned, with all the plain tables in it.
pub(super) fn deep(lua: &Lua, value: &Value, depth: usize) -> mlua::Result<Value> {
    match value {
        Value::Table(table) if !table.has_metatable() && depth < 32 => {
            let copy = lua.create_table()?;
            for pair in table.pairs::<Value, Value>() {
                let (key, item) = pair?;
                copy.raw_set(key, deep(lua, &item, depth + 1)?)?;
            }
            Ok(Value::Table(freeze(lua, &copy, None)?))
        }
        other => Ok(other.clone()),
    }
}
