//! The names that a Lua file sees: base functions without a way out, standard libraries read-only, `pairs` and `sort` in one order.
//!
//! Whatever differs from VM to VM (hash seeds, addresses, collection of garbage, sort pivots) has no name here.

use std::rc::Rc;
use std::sync::OnceLock;

use mlua::chunk::ChunkMode;
use mlua::{
    Error, Function, HookTriggers, Lua, LuaOptions, StdLib, Table, UserDataRef, Value, Variadic,
    VmState,
};
use ops_core::error::{Code, ErrorKind, Fault};

use super::body::Body;
use super::caught::{self, Caught};
use super::freeze::freeze;
use super::order;
use super::place;
use super::raised::{self, Raised};
use super::text;
use super::value::data::Data;
use super::value::nodes::{ClusterRef, NodeList, NodeRef, Partitions};
use super::value::results::Results;

/// Metamethods that recipes may set. Not `__gc`, `__mode`, `__close`: they show when garbage is collected; not `__pairs`: `pairs` has one order.
#[rustfmt::skip]
const METAMETHODS: [&str; 24] = [
    "__index", "__newindex", "__call", "__tostring", "__name", "__len", "__eq", "__lt",
    "__le", "__concat", "__unm", "__add", "__sub", "__mul", "__div", "__mod",
    "__pow", "__idiv", "__band", "__bor", "__bxor", "__bnot", "__shl", "__shr",
];

/// The prelude, compiled once in a process: every body begins with it.
static COMPILED: OnceLock<Vec<u8>> = OnceLock::new();
/// How many instructions run between two looks at the deadline.
const TICK: u32 = 1000;
/// Memory in bytes from which garbage is collected. Most bodies end below it, and what is made before they begin stays anyway; at the
/// memory limit Lua collects by itself.
const COLLECT: usize = 4 << 20;

/// The prelude's functions.
#[derive(Clone)]
pub(super) struct Prelude {
    /// `wait(prepare, name)`.
    pub(super) wait: Function,
    /// `ops.try`.
    pub(super) attempt: Function,
}

/// A Lua state with nothing in it that a recipe could misuse, and its base names.
///
/// # Errors
/// Only where Lua has no memory for its own libraries.
pub(super) fn make(body: &Rc<Body>, memory: usize) -> mlua::Result<(Lua, Table, Prelude)> {
    let libraries =
        StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::UTF8 | StdLib::COROUTINE;
    let lua = Lua::new_with(libraries, LuaOptions::default())?;
    lua.gc_stop();
    lua.set_app_data(body.clone());
    hook(&lua, body)?;
    let prelude = prelude(&lua)?;
    let base = lua.create_table()?;
    functions(&lua, &base)?;
    base.raw_set("pcall", prelude.get::<Function>("pcall")?)?;
    base.raw_set("pairs", prelude.get::<Function>("pairs")?)?;
    texts(&lua, &base)?;
    lua.set_memory_limit(memory)?;
    let prelude = Prelude { wait: prelude.get("wait")?, attempt: prelude.get("try")? };
    Ok((lua, base, prelude))
}

/// Past the deadline, every further stretch of instructions raises an error, whoever catches it. Garbage is collected once there may be some.
fn hook(lua: &Lua, body: &Rc<Body>) -> mlua::Result<()> {
    let body = Rc::downgrade(body);
    lua.set_global_hook(HookTriggers::new().every_nth_instruction(TICK), move |lua, _| {
        let Some(body) = body.upgrade() else { return Ok(VmState::Continue) };
        if lua.used_memory() > COLLECT && !lua.gc_is_running() {
            lua.gc_restart();
        }
        if !body.deadline.passed() {
            return Ok(VmState::Continue);
        }
        let title = format!("the recipe ran for {} without a call", body.deadline.limit());
        let mut fault = Fault::new(Code::DEADLINE, title)
            .help("work that takes long belongs into a call; is this loop meant to end?");
        fault.place = place::here(lua).and_then(|line| body.texts.at(line)).map(Box::new);
        match body.current() {
            Some(arm) => {
                body.stop_all(&arm, fault);
                Err(Raised::Unwind.into())
            }
            None => Err(raised::fault(fault)),
        }
    })
}

fn prelude(lua: &Lua) -> mlua::Result<Table> {
    let globals = lua.globals();
    let coroutine: Table = globals.get("coroutine")?;
    let host = lua.create_table()?;
    host.raw_set(
        "raise",
        lua.create_function(|_, error: Value| -> mlua::Result<()> {
            Err(match error {
                Value::Error(error) => *error,
                _ => Error::runtime("an operation failed without an error"),
            })
        })?,
    )?;
    host.raw_set(
        "misplaced",
        lua.create_function(|lua, name: String| -> mlua::Result<()> {
            Err(misplaced(lua, &name))
        })?,
    )?;
    host.raw_set("caught", lua.create_function(caught::catch)?)?;
    host.raw_set(
        "kinds",
        lua.create_function(|lua, value: Value| {
            let words = caught::kinds(lua, &value)?.into_iter().map(ErrorKind::word);
            lua.create_sequence_from(words)
        })?,
    )?;
    host.raw_set(
        "tried",
        lua.create_function(|lua, (kinds, error): (Vec<String>, Value)| {
            let caught = caught::catch(lua, error)?;
            if kinds.iter().any(|kind| kind == caught.error.kind.word()) {
                Ok(caught)
            } else {
                Err(caught::again(&caught))
            }
        })?,
    )?;
    host.raw_set("keys", lua.create_function(|lua, value: Value| order::keys(lua, &value))?)?;
    let text = || lua.load(include_str!("prelude.lua")).set_name("=prelude");
    let code = match COMPILED.get() {
        Some(code) => code,
        None => {
            let code = text().into_function()?.dump(false);
            COMPILED.get_or_init(|| code)
        }
    };
    lua.load(code.as_slice()).set_name("=prelude").set_mode(ChunkMode::Binary).call((
        coroutine.get::<Function>("yield")?,
        coroutine.get::<Function>("isyieldable")?,
        globals.get::<Function>("pcall")?,
        host,
    ))
}

/// The error of waiting where Lua cannot wait: while a file is loaded, or below C code.
pub(super) fn misplaced(lua: &Lua, name: &str) -> Error {
    let body = match Body::of(lua) {
        Ok(body) => body,
        Err(error) => return error,
    };
    let mut fault = if body.loading.get() {
        Body::loading_fault(name)
    } else {
        Fault::new(Code::CALL_PLACE, format!("`{name}` where no call can be made"))
            .label("not in a comparator, a gsub callback or a metamethod")
            .help("make the call first and keep its reply in a local")
    };
    let line = super::ask::line_of(lua, &body, name);
    fault.place = line.and_then(|line| body.texts.word(line, name)).map(Box::new);
    raised::fault(fault)
}

/// The word that `type` gives: read-only data of the host is a table to a recipe.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::UserData(data)
            if data.is::<Data>()
                || data.is::<NodeRef>()
                || data.is::<NodeList>()
                || data.is::<ClusterRef>()
                || data.is::<Partitions>()
                || data.is::<Results>()
                || data.is::<Caught>() =>
        {
            "table"
        }
        Value::Integer(_) | Value::Number(_) => "number",
        Value::Error(_) => "userdata",
        other => other.type_name(),
    }
}

pub(super) fn article(value: &Value) -> String {
    match value {
        Value::Nil => "nil".into(),
        other => format!("a {}", kind(other)),
    }
}

fn functions(lua: &Lua, base: &Table) -> mlua::Result<()> {
    let globals = lua.globals();
    for name in ["ipairs", "select", "tonumber"] {
        base.raw_set(name, globals.get::<Value>(name)?)?;
    }
    base.raw_set(
        "type",
        lua.create_function(|lua, args: Variadic<Value>| match args.first() {
            Some(value) => Ok(kind(value)),
            None => Err(raised::located(lua, Fault::new(Code::LUA, "`type` takes a value"))),
        })?,
    )?;
    base.raw_set(
        "tostring",
        lua.create_function(|lua, value: Value| lua.create_string(text::bytes(lua, &value)?))?,
    )?;
    base.raw_set(
        "print",
        lua.create_function(|lua, args: Variadic<Value>| super::pure::print(lua, &args))?,
    )?;
    base.raw_set("error", lua.create_function(error)?)?;
    base.raw_set(
        "assert",
        lua.create_function(|lua, args: Variadic<Value>| match args.first() {
            Some(Value::Nil | Value::Boolean(false)) | None => {
                let message = args.get(1).cloned().unwrap_or(Value::Nil);
                Err(match message {
                    Value::Nil => raise_text(lua, "assertion failed", 1),
                    message => raise(lua, &message, 1),
                })
            }
            Some(_) => Ok(args),
        })?,
    )?;
    base.raw_set("setmetatable", lua.create_function(set_metatable)?)?;
    base.raw_set(
        "getmetatable",
        lua.create_function(|_, value: Value| match value {
            Value::Table(table) => match table.metatable() {
                Some(meta) => meta.raw_get::<Value>("__metatable"),
                None => Ok(Value::Nil),
            },
            _ => Ok(Value::Nil),
        })?,
    )
}

fn error(lua: &Lua, (value, level): (Value, Option<i64>)) -> mlua::Result<()> {
    Err(raise(lua, &value, level.unwrap_or(1)))
}

/// The error that a recipe raises with a text, or with an error that it caught.
fn raise(lua: &Lua, value: &Value, level: i64) -> Error {
    match value {
        Value::UserData(data) if data.is::<Caught>() => match data.borrow::<Caught>() {
            Ok(caught) => caught::again(&caught),
            Err(error) => error,
        },
        Value::String(message) => raise_text(lua, &message.to_string_lossy(), level),
        Value::Integer(_) | Value::Number(_) => {
            raise_text(lua, &text::of(lua, value).unwrap_or_default(), level)
        }
        other => {
            let title = format!("`error` takes a text, not {}", article(other));
            raised::located(lua, Fault::new(Code::LUA, title))
        }
    }
}

fn raise_text(lua: &Lua, message: &str, level: i64) -> Error {
    let mut fault = Fault::new(Code::FAILED, message);
    if let (Ok(body), Ok(up)) = (Body::of(lua), usize::try_from(level - 1)) {
        fault.place = place::above(lua, up).and_then(|line| body.texts.at(line)).map(Box::new);
    }
    raised::fault(fault)
}

/// The metatable is copied: what is set in it afterwards has no effect, so nothing forbidden comes in later.
fn set_metatable(lua: &Lua, (target, meta): (Value, Value)) -> mlua::Result<Value> {
    let wrong = |title: String| raised::located(lua, Fault::new(Code::LUA, title));
    let Value::Table(table) = &target else {
        return Err(wrong(format!("`setmetatable` takes a table, not {}", article(&target))));
    };
    let protected = table.metatable().is_some_and(|meta| {
        matches!(meta.raw_get::<Value>("__metatable"), Ok(Value::Boolean(false)))
    });
    if protected {
        return Err(wrong("this table is read-only".into()));
    }
    let meta = match meta {
        Value::Nil => {
            table.set_metatable(None)?;
            return Ok(target);
        }
        Value::Table(meta) => meta,
        other => return Err(wrong(format!("a metatable is a table, not {}", article(&other)))),
    };
    let copy = lua.create_table()?;
    for pair in meta.pairs::<Value, Value>() {
        let (key, value) = pair?;
        let Value::String(name) = &key else { continue };
        let name = name.to_string_lossy();
        if METAMETHODS.contains(&name.as_str()) {
            copy.raw_set(key, value)?;
        } else if name.starts_with("__") {
            let fault = Fault::new(Code::LUA, format!("`{name}` cannot be set in a metatable"))
                .did_you_mean(&name, METAMETHODS);
            return Err(raised::located_word(lua, fault, &name));
        }
    }
    copy.raw_set("__metatable", meta)?;
    table.set_metatable(Some(copy))?;
    Ok(target)
}

/// Methods of texts come from the string metatable; it shows itself to nobody.
fn texts(lua: &Lua, base: &Table) -> mlua::Result<()> {
    let string = copy(lua, "string", &["dump"])?;
    let raw: Function = string.get("format")?;
    let format =
        lua.create_function(move |lua, args: Variadic<Value>| text::format(lua, &raw, args))?;
    string.raw_set("format", &format)?;
    lua.set_named_registry_value("ops.format", format)?;
    if let Some(meta) = lua.type_metatable::<mlua::LuaString>() {
        meta.raw_set("__index", &string)?;
        meta.raw_set("__metatable", false)?;
    }
    base.raw_set("string", read_only(lua, "string", &string)?)
}

/// Lua's own libraries that are made when a file first names them.
pub(super) const LIBRARIES: [&str; 3] = ["math", "table", "utf8"];

/// One of [`LIBRARIES`].
pub(super) fn library(lua: &Lua, name: &str) -> mlua::Result<Table> {
    let library = match name {
        "math" => copy(lua, name, &["random", "randomseed"])?,
        name => copy(lua, name, &[])?,
    };
    if name == "table" {
        library.raw_set("sort", lua.create_function(order::sort)?)?;
    }
    read_only(lua, name, &library)
}

fn read_only(lua: &Lua, name: &str, library: &Table) -> mlua::Result<Table> {
    let missing = missing(lua, name, library)?;
    freeze(lua, library, Some(missing))
}

fn copy(lua: &Lua, name: &str, without: &[&str]) -> mlua::Result<Table> {
    let copy = lua.create_table()?;
    for pair in lua.globals().get::<Table>(name)?.pairs::<String, Value>() {
        let (key, value) = pair?;
        if !without.contains(&key.as_str()) {
            copy.raw_set(key, value)?;
        }
    }
    Ok(copy)
}

/// What looking up a name that is not there raises.
pub(super) fn missing(lua: &Lua, space: &str, table: &Table) -> mlua::Result<Function> {
    let mut known = Vec::new();
    for pair in table.pairs::<String, Value>() {
        known.push(pair?.0);
    }
    known.sort_unstable();
    let space = space.to_owned();
    lua.create_function(move |lua, (_, key): (Value, Value)| -> mlua::Result<()> {
        let key = text::of(lua, &key)?;
        let fault = Fault::new(Code::LUA, format!("there is no `{space}.{key}`"))
            .did_you_mean(&key, known.iter().map(String::as_str));
        Err(raised::located_word(lua, fault, &key))
    })
}

/// A borrowed userdata of the host, or nothing.
pub(super) fn borrow<T: 'static>(value: &Value) -> Option<UserDataRef<T>> {
    match value {
        Value::UserData(data) => data.borrow::<T>().ok(),
        _ => None,
    }
}
