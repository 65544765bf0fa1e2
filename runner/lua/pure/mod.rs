//! Functions that compute and touch nothing: `ops`, `log`, `time`, `semver`, `image`, `net`, `path`, `json`, `toml`, `yaml`.

mod codec;
mod log;
mod net;
mod ops;
mod time;
mod version;

pub(super) use log::print;
use mlua::{Lua, Table, Value};
use ops_core::error::{Code, Fault};

use super::sandbox::Prelude;
use super::{raised, text};

/// Namespaces that have pure functions; some have host calls beside them.
pub(super) const SPACES: [&str; 10] =
    ["image", "json", "log", "net", "ops", "path", "semver", "time", "toml", "yaml"];

/// The pure functions of a namespace; nothing where it has none.
pub(super) fn table(lua: &Lua, prelude: &Prelude, space: &str) -> mlua::Result<Option<Table>> {
    let table = lua.create_table()?;
    match space {
        "log" => log::functions(lua, &table)?,
        "ops" => ops::functions(lua, &table, prelude)?,
        "time" => time::functions(lua, &table)?,
        "semver" => version::semver(lua, &table)?,
        "image" => version::image(lua, &table)?,
        "net" => net::functions(lua, &table)?,
        "path" => path(lua, &table)?,
        "json" => codec::functions(lua, &table, &codec::JSON)?,
        "toml" => codec::functions(lua, &table, &codec::TOML)?,
        "yaml" => codec::functions(lua, &table, &codec::YAML)?,
        _ => return Ok(None),
    }
    Ok(Some(table))
}

/// A mistake in the arguments of a pure function, at its name.
fn wrong(lua: &Lua, function: &str, title: impl Into<String>) -> mlua::Error {
    let word = function.rsplit('.').next().unwrap_or(function).to_owned();
    raised::located_word(lua, Fault::new(Code::LUA, title), &word)
}

/// A text argument.
fn text_of(lua: &Lua, function: &str, value: &Value) -> mlua::Result<String> {
    match value {
        Value::String(_) => text::of(lua, value),
        _ => Err(wrong(lua, function, format!("`{function}` takes a text"))),
    }
}

/// `path.join(…)`: parts joined by `/`, with `.` and `..` resolved; never out of where it begins.
fn path(lua: &Lua, path: &Table) -> mlua::Result<()> {
    path.raw_set(
        "join",
        lua.create_function(|lua, parts: mlua::Variadic<Value>| {
            let mut joined: Vec<String> = Vec::new();
            let mut absolute = false;
            for (i, part) in parts.iter().enumerate() {
                let part = text_of(lua, "path.join", part)?;
                absolute |= i == 0 && part.starts_with('/');
                for word in part.split('/') {
                    match word {
                        ".." if joined.pop().is_none() => {
                            return Err(wrong(
                                lua,
                                "path.join",
                                "`..` leads out of where the path begins",
                            ));
                        }
                        "" | "." | ".." => {}
                        word => joined.push(word.to_owned()),
                    }
                }
            }
            let path = joined.join("/");
            Ok(if absolute { format!("/{path}") } else { path })
        })?,
    )
}
