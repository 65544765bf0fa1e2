//! `cx`: the methods and data that a body gets as its first argument.

use std::rc::Rc;

use mlua::{AnyUserData, Function, Lua, MultiValue, Table, Value};
use ops_core::call::Request;
use ops_core::error::{CallError, Code, ErrorKind, Fault};
use ops_core::inventory::Cluster;
use ops_core::value::{Map, Value as Json};

use super::ask::{internal, line_of, operation, outside_metamethods};
use super::body::Body;
use super::control::{Here, Options, each, function, method, rolling, waits};
use super::freeze::freeze;
use super::place::here;
use super::sandbox::Prelude;
use super::value::nodes::ClusterRef;
use super::value::{from_json, to_json};
use super::{raised, text};
use crate::recipe::source::EMBEDDED;

/// What `cx` knows beside its methods.
pub(super) struct Facts {
    /// The cluster of the run; none for `cluster = false`.
    pub(super) cluster: Option<Rc<Cluster>>,
    /// Name of the recipe.
    pub(super) recipe: String,
    /// The run's id.
    pub(super) run: String,
    /// Results of what the recipe needs.
    pub(super) needs: Map<String, Json>,
    /// `cx:super`: the overridden body, where there is one.
    pub(super) super_body: Option<Function>,
}

type Method = fn(&Lua, MultiValue) -> mlua::Result<AnyUserData>;

const WAITING: [(&str, Method); 10] = [
    ("branch", each::branch),
    ("each", each::each),
    ("parallel", each::parallel),
    ("rolling", rolling::rolling),
    ("retry", waits::retry),
    ("timeout", waits::timeout),
    ("wait_until", waits::wait_until),
    ("skip", waits::skip),
    ("run", run),
    ("confirm", confirm),
];

/// Makes the object.
pub(super) fn make(lua: &Lua, prelude: &Prelude, facts: Facts) -> mlua::Result<Table> {
    let methods = lua.create_table()?;
    for (name, method) in WAITING {
        let full = format!("cx:{name}");
        let checked = full.clone();
        let prepare = lua.create_function(move |lua, args: MultiValue| {
            outside_metamethods(lua, &checked)?;
            method(lua, args)
        })?;
        methods.raw_set(name, prelude.wait.call::<Function>((prepare, full))?)?;
    }
    methods.raw_set("defer", lua.create_function(defer)?)?;
    methods.raw_set("require", lua.create_function(require)?)?;
    methods.raw_set("fail", lua.create_function(fail)?)?;
    methods.raw_set("recipe", facts.recipe)?;
    methods.raw_set("run_id", facts.run)?;
    methods.raw_set("needs", needs(lua, facts.needs)?)?;
    if let Some(body) = facts.super_body {
        methods.raw_set("super", body)?;
    }
    if let Some(cluster) = facts.cluster {
        methods.raw_set("cluster", lua.create_userdata(ClusterRef(cluster))?)?;
    }
    let mut known: Vec<String> = Vec::new();
    for pair in methods.pairs::<String, Value>() {
        known.push(pair?.0);
    }
    known.sort_unstable();
    let missing =
        lua.create_function(move |lua, (_, key): (Value, Value)| -> mlua::Result<()> {
            let key = text::of(lua, &key)?;
            let fault = match key.as_str() {
                "cluster" => Fault::new(Code::LUA, "this recipe works without a cluster")
                    .help("`cluster = false` stands in its head"),
                "super" => Fault::new(Code::LUA, "`cx:super` is only for `ops.override`"),
                _ => Fault::new(Code::LUA, format!("there is no `cx.{key}`"))
                    .did_you_mean(&key, known.iter().map(String::as_str)),
            };
            Err(raised::located_word(lua, fault, &key))
        })?;
    freeze(lua, &methods, Some(missing))
}

fn needs(lua: &Lua, needs: Map<String, Json>) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let mut known = Vec::new();
    for (name, result) in needs {
        table.raw_set(name.as_str(), from_json(lua, &result, None)?)?;
        known.push(name);
    }
    let missing = lua.create_function(move |lua, (_, key): (Value, Value)| {
        let key = text::of(lua, &key)?;
        if known.contains(&key) {
            return Ok(Value::Nil);
        }
        let fault = Fault::new(Code::LUA, format!("`{key}` is not among the recipe's needs"))
            .did_you_mean(&key, known.iter().map(String::as_str));
        Err(raised::located_word(lua, fault, &key))
    })?;
    freeze(lua, &table, Some(missing))
}

/// `cx:run("name", { param = value })`: another recipe as a nested step.
fn run(lua: &Lua, args: MultiValue) -> mlua::Result<AnyUserData> {
    let at = Here::new(lua, "run")?;
    let mut args = method(lua, "run", args)?.into_iter();
    let name = match args.next() {
        Some(Value::String(name)) => name.to_string_lossy(),
        _ => return Err(at.wrong("run", "`cx:run` takes the name of a recipe first")),
    };
    let given = match args.next() {
        None | Some(Value::Nil) => Map::new(),
        Some(value) => match to_json(&value) {
            Ok(Json::Object(map)) => map,
            Ok(Json::Array(list)) if list.is_empty() => Map::new(),
            Ok(_) => return Err(at.wrong("run", "arguments are a table with names")),
            Err(wrong) => return Err(at.wrong("run", format!("arguments of `{name}`: {wrong}"))),
        },
    };
    let mut fields = Map::new();
    fields.insert("recipe".into(), name.into());
    fields.insert("args".into(), Json::Object(given));
    // What the other recipe destroys is not seen from here: what runs it is not tried again.
    if at.body.destructive.get() {
        at.arm.note_destroyed();
    }
    internal_call(lua, &at, "cx.run", fields)
}

/// `cx:confirm(text, { word })`.
fn confirm(lua: &Lua, args: MultiValue) -> mlua::Result<AnyUserData> {
    let at = Here::new(lua, "confirm")?;
    let mut args = method(lua, "confirm", args)?.into_iter();
    let question = match args.next() {
        Some(Value::String(text)) => text.to_string_lossy(),
        _ => return Err(at.wrong("confirm", "`cx:confirm` takes the question first")),
    };
    let table = match args.next() {
        Some(Value::Table(table)) => Some(table),
        _ => None,
    };
    let word: Option<String> =
        Options::new(&at, "confirm", table, &["word"])?.get("word", "a text")?;
    let mut fields = Map::new();
    fields.insert("text".into(), question.into());
    if let Some(word) = word {
        fields.insert("word".into(), word.into());
    }
    internal_call(lua, &at, "cx.confirm", fields)
}

fn internal_call(
    lua: &Lua,
    at: &Here,
    call: &str,
    args: Map<String, Json>,
) -> mlua::Result<AnyUserData> {
    let place = line_of(lua, &at.body, call).and_then(|line| at.body.texts.at(line));
    let request = Request { call: call.to_owned(), args, place };
    let id = at.arm.next_call();
    operation(lua, internal(lua.clone(), at.body.clone(), at.arm.clone(), id, request))
}

/// `cx:defer(fn)`: at the end of the innermost branch, last first.
fn defer(lua: &Lua, args: MultiValue) -> mlua::Result<()> {
    let at = Here::new(lua, "defer")?;
    let mut args = method(lua, "defer", args)?.into_iter();
    let function = function(&at, "defer", args.next())?;
    at.arm.defers.borrow_mut().push(function);
    Ok(())
}

/// `cx:require(ok, fmt, …)`.
fn require(lua: &Lua, args: MultiValue) -> mlua::Result<Value> {
    let mut args = method(lua, "require", args)?;
    let first = if args.is_empty() { Value::Nil } else { args.remove(0) };
    if !matches!(first, Value::Nil | Value::Boolean(false)) {
        return Ok(first);
    }
    let message = if args.is_empty() {
        "a requirement does not hold".to_owned()
    } else {
        text::message(lua, args.into_iter().collect())?
    };
    Err(said(lua, ErrorKind::Precondition, Code::PRECONDITION, &message))
}

/// `cx:fail(fmt, …)`.
fn fail(lua: &Lua, args: MultiValue) -> mlua::Result<()> {
    let args = method(lua, "fail", args)?;
    let message = text::message(lua, args.into_iter().collect())?;
    Err(said(lua, ErrorKind::Failed, Code::FAILED, &message))
}

/// What a recipe says in its own words: the first line, what else there is to know, and lines `next: COMMAND`.
fn said(lua: &Lua, kind: ErrorKind, code: Code, message: &str) -> mlua::Error {
    let mut lines = message.lines();
    let mut fault = Fault::new(code, lines.next().unwrap_or_default());
    for line in lines {
        fault = match line.trim_start().strip_prefix("next:") {
            Some(command) => fault.next(command.trim()),
            None => fault.detail(line),
        };
    }
    if let (Ok(body), Some(line)) = (Body::of(lua), here(lua)) {
        // Of a recipe of `ops` the words are for the user, the source is not.
        let place = body.texts.at(line).filter(|place| !place.file.starts_with(EMBEDDED));
        fault.place = place.map(Box::new);
    }
    raised::failure(CallError::new(kind, message), fault)
}
