//! Functions that compute and touch nothing: `ops`, `log`, `time`, `semver`, `net`, `path`, `image`, `json`, `toml`.

mod log;
mod ops;

pub(super) use log::print;
use mlua::{Lua, Table};

use super::sandbox::Prelude;

/// Namespaces that have pure functions; some have host calls beside them.
pub(super) const SPACES: [&str; 2] = ["log", "ops"];

/// The pure functions of a namespace; nothing where it has none.
pub(super) fn table(lua: &Lua, prelude: &Prelude, space: &str) -> mlua::Result<Option<Table>> {
    let table = lua.create_table()?;
    match space {
        "log" => log::functions(lua, &table)?,
        "ops" => ops::functions(lua, &table, prelude)?,
        _ => return Ok(None),
    }
    Ok(Some(table))
}
