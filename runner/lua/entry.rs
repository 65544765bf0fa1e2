//! The root branch of a step: which function of the recipe runs, with which arguments, and what its end means.

use std::rc::Rc;
use std::sync::Arc;

use mlua::{Function, Lua, MultiValue, Table, Value};
use ops_core::call::Request;
use ops_core::error::{Code, ErrorKind, Fault};
use ops_core::inventory::Cluster;
use ops_core::machine::{Entry, Failure, StepSpec};
use ops_core::value::{Map, Value as Json};

use super::arm::{Arm, Done, End, Outcome};
use super::body::{Body, Local};
use super::catalog::load;
use super::caught::Caught;
use super::compiled::Compiled;
use super::control::Here;
use super::control::waits::{Tries, attempts};
use super::cx::{self, Facts};
use super::head::{self, fields::Fields};
use super::params::{self, Given};
use super::raised::{self, Raised};
use super::task::{Work, drive, start};
use super::vm::Vm;
use super::{ask, text, value};
use crate::recipe::Head;
use crate::recipe::source::{Sources, recipe_name};

/// The functions of a loaded recipe: its own, and those of the recipe that it overrides.
#[derive(Clone)]
struct Loaded {
    own: Fields,
    base: Option<Fields>,
}

impl Loaded {
    /// A function, the recipe's own before the overridden one's.
    fn function(&self, key: &str) -> Option<Function> {
        let of = |fields: &Fields| match fields.get(key) {
            Value::Function(function) => Some(function),
            _ => None,
        };
        of(&self.own).or_else(|| self.base.as_ref().and_then(of))
    }

    /// The overridden recipe's function, where the override has one of its own too.
    fn beneath(&self, key: &str) -> Option<Function> {
        match (self.own.get(key), self.base.as_ref().map(|base| base.get(key))) {
            (Value::Function(_), Some(Value::Function(function))) => Some(function),
            _ => None,
        }
    }
}

/// Loads the recipe and starts its root branch.
///
/// # Errors
/// What is wrong with the file.
pub(super) fn begin(
    vm: &Vm,
    sources: &Arc<Sources>,
    compiled: &Compiled,
    head: &Head,
    spec: &StepSpec,
) -> Result<Rc<Done>, Failure> {
    let loaded = load_all(vm, sources, compiled, head, &spec.entry)?;
    vm.body.loading.set(false);
    vm.body.destructive.set(head.destructive);
    let run = Step { vm, head, spec, loaded, cluster: spec.cluster.clone().map(Rc::new) };
    let work = run.work().map_err(|error| raised::end(raised::read(&error, &vm.body.texts)))?;
    let arm = Arm::root(spec.branch.clone());
    Ok(start(&vm.body, &vm.lua, &arm, work))
}

fn load_all(
    vm: &Vm,
    sources: &Sources,
    compiled: &Compiled,
    head: &Head,
    entry: &Entry,
) -> Result<Loaded, Failure> {
    let name = &head.name;
    if let Some(base) = &head.overrides {
        let own = fields(vm, sources, None, &head.file, name)?;
        return Ok(Loaded { own, base: Some(fields(vm, sources, None, base, name)?) });
    }
    // The functions of parameters stand in the tables of the file.
    let compiled = Some(compiled).filter(|_| !matches!(entry, Entry::Parameters));
    Ok(Loaded { own: fields(vm, sources, compiled, &head.file, name)?, base: None })
}

/// The fields of a recipe: from its file, or from what an earlier body of this file has compiled.
fn fields(
    vm: &Vm,
    sources: &Sources,
    compiled: Option<&Compiled>,
    file: &str,
    name: &str,
) -> Result<Fields, Failure> {
    let fail = |fault: Fault| Failure::Fault(Box::new(fault));
    let gone = || Fault::new(Code::RECIPE_UNKNOWN, format!("recipe `{name}` is not in {file}"));
    let source = sources.shown(file).ok_or_else(|| fail(gone()))?;
    if let Some(functions) = compiled.and_then(|compiled| compiled.get(file, name)) {
        let fields = vm.fields(source, &functions);
        return fields.map_err(|error| raised::end(raised::read(&error, &vm.body.texts)));
    }
    let (number, value) = load(vm, source).map_err(fail)?;
    let path_name = recipe_name(&source.path).map_err(fail)?;
    if let Some(compiled) = compiled.filter(|compiled| compiled.wants(file)) {
        let recipes = head::recipes(&vm.body.texts, number, &path_name, &value).map_err(fail)?;
        compiled.keep(file, &source.text, &recipes);
    }
    head::find(&path_name, &value, name).ok_or_else(|| fail(gone()))
}

struct Step<'a> {
    vm: &'a Vm,
    head: &'a Head,
    spec: &'a StepSpec,
    loaded: Loaded,
    cluster: Option<Rc<Cluster>>,
}

impl Step<'_> {
    fn lua(&self) -> &Lua {
        &self.vm.lua
    }

    fn work(&self) -> mlua::Result<Work> {
        match &self.spec.entry {
            // The engine replays the journal into the body and then stops it: what is open is what the body itself deferred.
            Entry::Run | Entry::Cleanup => self.run(),
            Entry::Preconditions => self.preconditions(),
            Entry::Confirm => self.call("confirm", Vec::new()),
            Entry::Needs => match self.loaded.function("needs") {
                Some(needs) => Ok(Work::Lua(needs, MultiValue::from_vec(vec![self.params()?]))),
                None => Ok(nothing()),
            },
            Entry::Parameters => self.parameters(),
            Entry::Status if self.head.functions.status => self.call("status", Vec::new()),
            Entry::Status => Ok(self.shell(&self.head.status, Lines::Status).work()),
            Entry::OnFailure(error) => {
                let raised = Raised::Call(
                    Box::new(error.clone()),
                    Box::new(Fault::new(Code::CALL_FAILED, error.message.clone())),
                );
                let caught = Caught { error: error.clone(), raised };
                let caught = Value::UserData(self.lua().create_userdata(caught)?);
                self.call("on_failure", vec![caught])
            }
        }
    }

    /// A function that gets `cx` and the parameters first.
    fn call(&self, key: &str, more: Vec<Value>) -> mlua::Result<Work> {
        let Some(function) = self.loaded.function(key) else { return Ok(nothing()) };
        let mut args = vec![Value::Table(self.cx(None)?), self.params()?];
        args.extend(more);
        Ok(Work::Lua(function, MultiValue::from_vec(args)))
    }

    fn params(&self) -> mlua::Result<Value> {
        params::object(self.lua(), self.head, &self.spec.params, self.cluster.as_ref())
    }

    fn cx(&self, super_body: Option<Function>) -> mlua::Result<Table> {
        let facts = Facts {
            cluster: self.cluster.clone(),
            recipe: self.head.name.clone(),
            run: self.spec.run.0.clone(),
            needs: self.spec.needs.clone(),
            super_body,
        };
        cx::make(self.lua(), &self.vm.prelude, facts)
    }

    /// The body, tried again where the head says so.
    fn run(&self) -> mlua::Result<Work> {
        let head = self.head;
        if !head.stages.is_empty() {
            return Ok(self.stages());
        }
        let body = self.body()?;
        let Some(retries) = &head.retries else { return Ok(body()) };
        let tries = Tries {
            most: 1 + retries.times as usize,
            backoff: retries.backoff,
            kinds: retries.kinds.clone(),
        };
        let (lua, own) = (self.lua().clone(), self.vm.body.clone());
        Ok(Work::Rust(Box::new(move |arm| {
            Box::pin(async move {
                let here = Here { lua, body: own, arm };
                let word = here.arm.construct("retry");
                match attempts(&here, &word, &tries, &*body).await? {
                    // The attempt is the body: what it skips is the step.
                    Outcome::Ended(End::Skip(reason)) => {
                        here.body.end(&here.arm, End::Skip(reason));
                        std::future::pending().await
                    }
                    outcome => here.give(outcome).await,
                }
            })
        })))
    }

    /// Begins the body each time that it is called.
    fn body(&self) -> mlua::Result<Box<dyn Fn() -> Work>> {
        let head = &self.head;
        if let Some(lines) = &head.shell {
            let shell = self.shell(lines, Lines::Body);
            return Ok(Box::new(move || shell.clone().work()));
        }
        let Some(function) = self.loaded.function("run") else { return Ok(Box::new(nothing)) };
        let (own, beneath) =
            founds(&self.spec.found, self.loaded.beneath("preconditions").is_some());
        let found = value::from_json(self.lua(), &own, None)?;
        let below = match self.loaded.beneath("run") {
            Some(body) => Some(self.super_body(body, &beneath)?),
            None => None,
        };
        let args = MultiValue::from_vec(vec![Value::Table(self.cx(below)?), self.params()?, found]);
        Ok(Box::new(move || Work::Lua(function.clone(), args.clone())))
    }

    /// `cx:super(p)`: the overridden body, in this branch, with what its own preconditions found.
    fn super_body(&self, body: Function, found: &Json) -> mlua::Result<Function> {
        let found = value::from_json(self.lua(), found, None)?;
        let chunk = "local body, found = ... return function(cx, p) return body(cx, p, found) end";
        self.lua().load(chunk).set_name("=prelude").call((body, found))
    }

    /// Both recipes' preconditions: an override may add to them, never drop one.
    fn preconditions(&self) -> mlua::Result<Work> {
        let Some(own) = self.loaded.function("preconditions") else { return Ok(nothing()) };
        let args = MultiValue::from_vec(vec![Value::Table(self.cx(None)?), self.params()?]);
        let Some(beneath) = self.loaded.beneath("preconditions") else {
            return Ok(Work::Lua(own, args));
        };
        let chunk = "local first, second = ... return function(cx, p) \
                     local below = first(cx, p) return { below = below, own = second(cx, p) } end";
        let both = self.lua().load(chunk).set_name("=prelude").call((beneath, own))?;
        Ok(Work::Lua(both, args))
    }

    fn parameters(&self) -> mlua::Result<Work> {
        let given = Given {
            head: self.head.clone(),
            values: self.spec.params.clone(),
            cluster: self.cluster.clone(),
            cx: self.cx(None)?,
            tables: [Some(&self.loaded.own), self.loaded.base.as_ref()]
                .into_iter()
                .flatten()
                .filter_map(|fields| match fields.get("params") {
                    Value::Table(table) => Some(table),
                    _ => None,
                })
                .collect(),
        };
        let (lua, body) = (self.lua().clone(), self.vm.body.clone());
        Ok(Work::Rust(Box::new(move |arm| Box::pin(params::resolve(lua, body, arm, given)))))
    }

    /// One nested step after the other.
    fn stages(&self) -> Work {
        let stages = self.head.stages.clone();
        let (lua, body) = (self.lua().clone(), self.vm.body.clone());
        Work::Rust(Box::new(move |arm| {
            Box::pin(async move {
                for stage in stages {
                    let mut args = Map::new();
                    args.insert("recipe".into(), stage.recipe.into());
                    args.insert("args".into(), Json::Object(stage.args));
                    engine_call(&lua, &body, &arm, "cx.run", args).await?;
                }
                Ok(Value::Nil)
            })
        }))
    }

    /// The lines of shell that are the body, or its `status`, with the parameters as variables.
    fn shell(&self, lines: &[String], kind: Lines) -> Shell {
        let mut env = Map::new();
        for (name, value) in &self.spec.params {
            let text = match value {
                Json::Null => continue,
                Json::String(text) => text.clone(),
                Json::Array(items) => {
                    let item = |v: &Json| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
                    items.iter().map(item).collect::<Vec<_>>().join(" ")
                }
                other => other.to_string(),
            };
            env.insert(name.clone(), text.into());
        }
        for (name, text) in &self.head.env {
            env.insert(name.clone(), text.clone().into());
        }
        let mut said = Map::new();
        let (sources, generates) = (&self.head.sources, &self.head.generates);
        match kind {
            Lines::Status => _ = said.insert("effect".into(), "reads".into()),
            // Declared sources say that the lines only make files of files.
            Lines::Body if !sources.is_empty() => {
                said.insert("effect".into(), "files".into());
                said.insert("reads".into(), sources.clone().into());
                said.insert("writes".into(), generates.clone().into());
            }
            Lines::Body => {}
        }
        let (lua, body) = (self.lua().clone(), self.vm.body.clone());
        Shell { lua, body, lines: lines.to_vec(), kind, said, env, cwd: self.head.cwd.clone() }
    }
}

/// Lines of shell.
#[derive(Clone)]
struct Shell {
    lua: Lua,
    body: Rc<Body>,
    lines: Vec<String>,
    kind: Lines,
    /// What every call of it says.
    said: Map<String, Json>,
    env: Map<String, Json>,
    cwd: Option<String>,
}

impl Shell {
    /// One `sh` call per line. Lines of a `status` only read, and one that fails is an answer.
    fn work(self) -> Work {
        let Shell { lua, body, lines, kind, said, env, cwd } = self;
        let subject = body.calls.info("sh").and_then(|info| info.subject).unwrap_or("command");
        Work::Rust(Box::new(move |arm| {
            Box::pin(async move {
                for line in lines {
                    let mut args = said.clone();
                    args.insert(subject.to_owned(), line.into());
                    if !env.is_empty() {
                        args.insert("env".into(), Json::Object(env.clone()));
                    }
                    if let Some(cwd) = &cwd {
                        args.insert("cwd".into(), cwd.clone().into());
                    }
                    let ended = engine_call(&lua, &body, &arm, "sh", args).await;
                    match (ended, kind) {
                        (Err(error), Lines::Status) if is_exit(&error, &body.texts) => {
                            return Ok(Value::Boolean(false));
                        }
                        (ended, _) => _ = ended?,
                    }
                }
                Ok(match kind {
                    Lines::Status => Value::Boolean(true),
                    Lines::Body => Value::Nil,
                })
            })
        }))
    }
}

/// What shell lines are for.
#[derive(Clone, Copy)]
enum Lines {
    Body,
    Status,
}

/// Whether a call failed by its exit code: it ran to its end, and said no.
fn is_exit(error: &mlua::Error, texts: &super::place::Texts) -> bool {
    match raised::end(raised::read(error, texts)) {
        Failure::Call(error, _) => error.kind == ErrorKind::Exit,
        _ => false,
    }
}

/// A call that the step itself makes, not its Lua code.
fn engine_call(
    lua: &Lua,
    body: &Rc<Body>,
    arm: &Rc<Arm>,
    call: &str,
    args: Map<String, Json>,
) -> Local<mlua::Result<Value>> {
    let mut request = Request { call: call.to_owned(), args, place: None };
    if let Some(info) = body.calls.info(call)
        && let Err(invalid) = body.calls.settle(&mut request, false)
    {
        let fault = Fault::new(Code::CALL_FIELD, format!("{}: {}", info.name, invalid.message));
        return Box::pin(async move { Err(raised::fault(fault)) });
    }
    let id = arm.next_call();
    Box::pin(ask::internal(lua.clone(), body.clone(), arm.clone(), id, request))
}

fn nothing() -> Work {
    Work::Rust(Box::new(|_| Box::pin(async { Ok(Value::Nil) })))
}

/// What the recipe's own preconditions found, and those of the overridden one.
fn founds(found: &Json, both: bool) -> (Json, Json) {
    let part = |key: &str| found.get(key).cloned().unwrap_or_default();
    match (both, part("own")) {
        (false, _) => (found.clone(), found.clone()),
        (true, Json::Null) => (part("below"), part("below")),
        (true, own) => (own, part("below")),
    }
}

/// What the end of the root branch means for the step.
///
/// # Errors
/// Why there is no result.
pub(super) fn result(
    body: &Body,
    lua: &Lua,
    spec: &StepSpec,
    head: &Head,
    outcome: Outcome,
) -> Result<Json, Failure> {
    let value = match outcome {
        Outcome::Done(value) => value,
        Outcome::Ended(End::Skip(_)) => return Ok(Json::Null),
        Outcome::Ended(End::Stop(stop)) => return Err(Failure::Stopped(stop)),
        Outcome::Ended(End::Frontier(fault)) => return Err(Failure::Fault(fault)),
        Outcome::Ended(End::Timeout(_) | End::Cancelled) => {
            let fault = Fault::new(Code::BUG, "the root branch was cancelled");
            return Err(Failure::Fault(Box::new(fault)));
        }
        Outcome::Failed(error) => return Err(raised::end(raised::read(&error, &body.texts))),
    };
    match spec.entry {
        Entry::Confirm => Ok(text::of(lua, &value).unwrap_or_default().into()),
        Entry::Needs => needs(&value, &head.name).map_err(|fault| Failure::Fault(Box::new(fault))),
        _ => value::to_json(&value).map_err(|wrong| {
            let title = format!("the result of `{}` is no plain data: {wrong}", spec.recipe);
            Failure::Fault(Box::new(Fault::new(Code::VALUE, title)))
        }),
    }
}

/// The list that a `needs` function gave, as `[{ recipe, args }]`.
fn needs(value: &Value, name: &str) -> Result<Json, Fault> {
    let group = name.rsplit_once(':').map(|(group, _)| group);
    let wrong = || {
        Fault::new(Code::VALUE, format!("`needs` of `{name}` gives no list of recipes"))
            .label("`\"name\"` or `{ \"name\", param = v }`")
    };
    let Value::Table(table) = value else {
        return if value.is_nil() { Ok(Json::Array(Vec::new())) } else { Err(wrong()) };
    };
    let table = super::freeze::inner(table);
    let mut needs = Vec::new();
    for i in 1..=table.raw_len() {
        let entry: Value = table.raw_get(i).map_err(|_| wrong())?;
        let need = head::need(&entry, group).ok_or_else(wrong)?;
        needs.push(serde_json::to_value(need).unwrap_or_default());
    }
    Ok(Json::Array(needs))
}

/// Runs a function of a parameter in a branch.
pub(super) async fn apply(
    lua: &Lua,
    body: &Rc<Body>,
    arm: &Rc<Arm>,
    function: Function,
    args: Vec<Value>,
) -> mlua::Result<Value> {
    let thread = lua.create_thread(function)?;
    drive(body.clone(), arm.clone(), thread, MultiValue::from_vec(args)).await
}
