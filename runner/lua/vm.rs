//! A Lua state with the sandbox, the namespaces and the loader in it. Loads files; runs no body.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use mlua::chunk::ChunkMode;
use mlua::{Lua, Table, Value};
use ops_core::error::{Code, Fault};

use super::body::Body;
use super::compiled::Functions;
use super::head::fields::Fields;
use super::place::Line;
use super::raised::{self, Raised};
use super::sandbox::{self, Prelude};
use super::{declare, freeze, names, pure, text};
use crate::recipe::source::{Source, Sources};

/// What loading leaves behind in a VM.
pub(super) struct Loader {
    sources: Arc<Sources>,
    /// Modules by name; nothing while one is being loaded.
    modules: RefCell<BTreeMap<String, Option<Value>>>,
    /// Numbers parameters in the order of their declaration.
    pub(super) params: Cell<u32>,
    base: Table,
}

/// A Lua state that can load files.
pub(super) struct Vm {
    pub(super) lua: Lua,
    pub(super) body: Rc<Body>,
    pub(super) prelude: Prelude,
    loader: Rc<Loader>,
}

impl Vm {
    /// A fresh state.
    ///
    /// # Errors
    /// Only where Lua has no memory for its own libraries.
    pub(super) fn new(sources: Arc<Sources>, body: Rc<Body>, memory: usize) -> mlua::Result<Vm> {
        let (lua, base, prelude) = sandbox::make(&body, memory)?;
        base.raw_set("require", lua.create_function(require)?)?;
        further(&lua, &base, &prelude, &body)?;
        let loader =
            Rc::new(Loader { sources, modules: RefCell::default(), params: Cell::new(0), base });
        lua.set_app_data(loader.clone());
        Ok(Vm { lua, body, prelude, loader })
    }

    /// Runs a file and gives what it returns.
    ///
    /// # Errors
    /// What went wrong in it, located.
    pub(super) fn load(&self, source: &Source) -> Result<(usize, Value), Raised> {
        let loaded = run(&self.lua, &self.body, &self.loader, source);
        loaded.map_err(|error| raised::read(&error, &self.body.texts))
    }

    /// The fields of a recipe whose functions were compiled before, from this file.
    ///
    /// # Errors
    /// Only where the VM has no memory for them.
    pub(super) fn fields(&self, source: &Source, functions: &Functions) -> mlua::Result<Fields> {
        // Number and names are those that the file had where it was compiled: there, too, it was the first of its VM.
        let (_, chunk) = self.body.texts.add(&source.shown, &source.text);
        let environment = environment(&self.lua, &self.loader.base)?;
        let table = self.lua.create_table()?;
        for code in functions {
            let chunk = self.lua.load(code.bytes.as_slice()).set_name(chunk.as_str());
            let chunk = chunk.set_mode(ChunkMode::Binary);
            let chunk = if code.names { chunk.set_environment(environment.clone()) } else { chunk };
            table.raw_set(code.key, chunk.into_function()?)?;
        }
        Ok(Fields::new(&table, None, None))
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // Tasks hold Lua values, and Lua holds the body.
        self.body.clear();
        self.loader.modules.borrow_mut().clear();
    }
}

/// Runs a file with names of its own.
fn run(lua: &Lua, body: &Body, loader: &Loader, source: &Source) -> mlua::Result<(usize, Value)> {
    let (file, name) = body.texts.add(&source.shown, &source.text);
    let before = body.loading.replace(true);
    let chunk = lua
        .load(source.text.as_str())
        .set_name(name)
        .set_mode(ChunkMode::Text)
        .set_environment(environment(lua, &loader.base)?);
    let result = chunk.eval::<Value>();
    body.loading.set(before);
    Ok((file, result?))
}

/// The names of one file: the shared ones, and none of its own.
fn environment(lua: &Lua, base: &Table) -> mlua::Result<Table> {
    let meta = lua.create_table()?;
    meta.raw_set("__index", base)?;
    meta.raw_set("__metatable", false)?;
    meta.raw_set(
        "__newindex",
        lua.create_function(|lua, (_, key, _): (Value, Value, Value)| -> mlua::Result<()> {
            let key = text::of(lua, &key)?;
            let fault = Fault::new(Code::LUA, format!("`{key}` would be a global"))
                .label("there are no globals")
                .help(format!("write `local {key} = …`"));
            Err(raised::located_word(lua, fault, &key))
        })?,
    )?;
    let front = lua.create_table()?;
    front.set_metatable(Some(meta))?;
    Ok(front)
}

/// Namespaces are made when they are first named: most files name few. An undefined name is an error, with the name that was likely meant.
fn further(lua: &Lua, base: &Table, prelude: &Prelude, body: &Rc<Body>) -> mlua::Result<()> {
    let mut spaces: Vec<&str> = body.calls.words("");
    spaces.extend(pure::SPACES);
    spaces.sort_unstable();
    spaces.dedup();
    let (prelude, body) = (prelude.clone(), Rc::downgrade(body));
    let meta = lua.create_table()?;
    let make = move |lua: &Lua, (base, key): (Table, Value)| -> mlua::Result<Value> {
        let name = text::of(lua, &key)?;
        let made = match (name.as_str(), body.upgrade()) {
            ("param", _) => Value::Table(declare::param(lua)?),
            (library, _) if sandbox::LIBRARIES.contains(&library) => {
                Value::Table(sandbox::library(lua, library)?)
            }
            (space, Some(body)) if spaces.contains(&space) => {
                let pure = pure::table(lua, &prelude, space)?;
                names::space(lua, &prelude, &body, space, pure)?
            }
            _ => return Err(undefined(lua, &base, &name, &spaces)),
        };
        base.raw_set(key, &made)?;
        Ok(made)
    };
    meta.raw_set("__index", lua.create_function(make)?)?;
    base.set_metatable(Some(meta))
}

fn undefined(lua: &Lua, base: &Table, name: &str, spaces: &[&str]) -> mlua::Error {
    let fault = Fault::new(Code::LUA, format!("`{name}` is not defined"));
    let fault = match GONE.iter().find(|(names, _)| names.contains(&name)) {
        Some((_, help)) => fault.help(*help),
        None => {
            let made = base.pairs::<String, Value>().flatten().map(|(name, _)| name);
            let further = spaces
                .iter()
                .chain(&sandbox::LIBRARIES)
                .chain(&["param"])
                .map(|name| (*name).to_owned());
            let known: BTreeSet<String> = made.chain(further).collect();
            fault.did_you_mean(name, known.iter().map(String::as_str))
        }
    };
    raised::located_word(lua, fault, name)
}

/// Names that Lua has and recipes have not, and what takes their place.
const GONE: [(&[&str], &str); 6] = [
    (&["os", "io"], "the world is reached by host calls: `fs`, `sh`, `time.now {}`, `secrets.env`"),
    (&["next"], "`pairs` has an order, and `ops.is_empty(t)` tells whether there is anything"),
    (&["coroutine"], "`cx:parallel` and `cx:each` run things at once"),
    (
        &["load", "loadstring", "dofile", "loadfile", "package"],
        "`require` loads modules of lua-lib/",
    ),
    (&["xpcall", "debug"], "`pcall` gives an error with its place: `err.place`"),
    (&["rawget", "rawset", "rawequal", "rawlen", "collectgarbage"], "recipes have no raw access"),
];

/// `require "checks.cidr"`.
fn require(lua: &Lua, name: String) -> mlua::Result<Value> {
    let body = Body::of(lua)?;
    let loader = {
        let loader = lua.app_data_ref::<Rc<Loader>>();
        loader.map(|l| l.clone()).ok_or_else(|| mlua::Error::runtime("no loader runs here"))?
    };
    if let Some(space) = name.strip_prefix("ops.")
        && (pure::SPACES.contains(&space) || body.calls.words("").contains(&space))
    {
        return loader.base.get(space);
    }
    let known = loader.modules.borrow().get(&name).cloned();
    match known {
        Some(Some(module)) => return Ok(module),
        Some(None) => {
            let fault = Fault::new(Code::RECIPE_LOAD, format!("module `{name}` requires itself"));
            return Err(raised::located_word(lua, fault, &name));
        }
        None => {}
    }
    let source = match loader.sources.module(&name) {
        Ok(source) => source.clone(),
        Err(fault) => return Err(raised::located_word(lua, fault, &name)),
    };
    loader.modules.borrow_mut().insert(name.clone(), None);
    let loaded = run(lua, &body, &loader, &source).and_then(|(file, value)| match value {
        Value::Nil => {
            let mut fault =
                Fault::new(Code::RECIPE_LOAD, format!("module `{name}` returns nothing"))
                    .help("end it with `return { … }` or `return function … end`");
            fault.place = body.texts.at(Line { file, line: 1 }).map(Box::new);
            Err(raised::fault(fault))
        }
        value => freeze::deep(lua, &value, 0),
    });
    match loaded {
        Ok(module) => {
            loader.modules.borrow_mut().insert(name, Some(module.clone()));
            Ok(module)
        }
        Err(error) => {
            loader.modules.borrow_mut().remove(&name);
            Err(error)
        }
    }
}

/// The loader of a VM.
pub(super) fn loader(lua: &Lua) -> Option<Rc<Loader>> {
    lua.app_data_ref::<Rc<Loader>>().map(|loader| loader.clone())
}
