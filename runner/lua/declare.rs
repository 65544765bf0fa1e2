//! What a recipe file declares with: `ops.recipe`, `ops.recipes`, `ops.override`, `param.*`. Keeps tables and lines; `head` reads them.

use mlua::{Lua, Table, UserData, Value};
use ops_core::error::{Code, Fault};

use super::freeze::freeze;
use super::place::{Line, here};
use super::{raised, sandbox, vm};

/// Which function declared a file's recipes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `ops.recipe`.
    One,
    /// `ops.recipes`.
    Several,
    /// `ops.override`.
    Override,
}

/// What a recipe file returns.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) form: Form,
    pub(super) table: Table,
    /// Where it was declared.
    pub(super) line: Option<Line>,
}

impl UserData for Declared {}

/// A parameter, as declared.
#[derive(Clone, Debug)]
pub(super) struct Declaration {
    /// Its place in the order of declarations.
    pub(super) number: u32,
    /// `string`, `nodes`, …
    pub(super) word: &'static str,
    pub(super) table: Table,
    pub(super) line: Option<Line>,
}

impl UserData for Declaration {}

/// Types of parameters.
pub(super) const TYPES: [&str; 15] = [
    "string",
    "int",
    "number",
    "bool",
    "choice",
    "list",
    "path",
    "duration",
    "semver",
    "node",
    "nodes",
    "cluster",
    "partitions",
    "secret",
    "rest",
];

/// The functions of `ops` that declare.
pub(super) fn functions(lua: &Lua, ops: &Table) -> mlua::Result<()> {
    for (name, form) in
        [("recipe", Form::One), ("recipes", Form::Several), ("override", Form::Override)]
    {
        let declare = lua.create_function(move |lua, value: Value| match value {
            Value::Table(table) => Ok(Declared { form, table, line: here(lua) }),
            other => {
                let title = format!("`ops.{name}` takes a table, not {}", sandbox::kind(&other));
                Err(raised::located_word(lua, Fault::new(Code::RECIPE_SHAPE, title), name))
            }
        })?;
        ops.raw_set(name, declare)?;
    }
    Ok(())
}

/// The name `param`.
pub(super) fn param(lua: &Lua) -> mlua::Result<Table> {
    let param = lua.create_table()?;
    for word in TYPES {
        let declare = lua.create_function(move |lua, value: Value| match value {
            Value::Table(table) => {
                let number = vm::loader(lua).map_or(0, |loader| {
                    loader.params.set(loader.params.get() + 1);
                    loader.params.get()
                });
                Ok(Declaration { number, word, table, line: here(lua) })
            }
            other => {
                let title = format!("`param.{word}` takes a table, not {}", sandbox::kind(&other));
                let fault =
                    Fault::new(Code::RECIPE_KEY, title).help(format!("`param.{word} {{}}`"));
                Err(raised::located_word(lua, fault, word))
            }
        })?;
        param.raw_set(word, declare)?;
    }
    let missing = sandbox::missing(lua, "param", &param)?;
    freeze(lua, &param, Some(missing))
}
