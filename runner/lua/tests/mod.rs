//! The Lua layer driven by scripts: deliveries by hand, no engine. A call vocabulary of its own, so that nothing here waits for call types.

#![allow(
    clippy::unwrap_used,
    clippy::unnecessary_wraps,
    clippy::needless_pass_by_value,
    reason = "scripts answer as the engine does"
)]

mod bodies;
mod compiled;
mod control;
mod heads;
mod life;
mod pure;
mod replay;
mod sandbox;
mod stops;

use std::time::{Duration, Instant};

use ops_core::call::{CallInfo, Invalid, Request};
use ops_core::effect::Effect;
use ops_core::error::{CallError, Fault};
use ops_core::ident::{Branch, CallId, RunId};
use ops_core::inventory::Cluster;
use ops_core::machine::{Act, Delivery, Entry, Failure, Limits, StepSpec, Stop, Turn};
use ops_core::time::Span;
use ops_core::value::{Map, Value};
use serde_json::json;

use super::{Calls, Host};
use crate::recipe::source::Sources;

const fn info(name: &'static str, subject: Option<&'static str>, effect: Effect) -> CallInfo {
    CallInfo {
        name,
        version: 1,
        subject,
        effect,
        summary: "",
        schema: || schemars::json_schema!({}),
    }
}

/// The vocabulary of these tests.
const INFOS: &[CallInfo] = &[
    info("talos.version", Some("node"), Effect::Reads),
    info("talos.render", Some("node"), Effect::Reads),
    info("talos.validate", None, Effect::Reads),
    info("talos.client_config", Some("path"), Effect::Files),
    info("talos.apply_config", Some("node"), Effect::Mutates),
    info("talos.reboot", Some("node"), Effect::Mutates),
    info("talos.reset", Some("node"), Effect::Destroys),
    info("talos.etcd.members", Some("node"), Effect::Reads),
    info("kube.get", None, Effect::Reads),
    info("kube.list", None, Effect::Reads),
    info("kube.drain", Some("node"), Effect::Mutates),
    info("kube.apply", Some("objects"), Effect::Mutates),
    info("kube.uncordon", Some("node"), Effect::Mutates),
    info("wait.node", Some("node"), Effect::Reads),
    info("fs.write", Some("path"), Effect::Files),
    info("fs.read", Some("path"), Effect::Reads),
    info("sh", Some("command"), Effect::Mutates),
    info("sh.exec", Some("argv"), Effect::Mutates),
    info("time.now", None, Effect::Reads),
    info("secrets.env", Some("name"), Effect::Reads),
];

/// Fields that may be missing nowhere, and a field that no call has.
fn check(request: &Request) -> Result<Effect, Invalid> {
    let known = INFOS.iter().find(|info| info.name == request.call).unwrap();
    let wrong = |field: Option<&str>, message: String| Invalid {
        field: field.map(str::to_owned),
        message,
        known: vec!["node".into(), "reboot".into(), "timeout".into()],
    };
    if request.args.contains_key("rebot") {
        return Err(wrong(Some("rebot"), "unknown field `rebot`".into()));
    }
    if let Some(subject) = known.subject
        && !request.args.contains_key(subject)
        && subject == "node"
        && request.call != "talos.etcd.members"
    {
        return Err(wrong(None, format!("the field `{subject}` is missing")));
    }
    if known.subject == Some("node") && request.args.get("node").is_some_and(|n| !n.is_string()) {
        return Err(wrong(Some("node"), "the node must be a name".into()));
    }
    if request.call == "sh.exec" && !request.args["argv"].is_array() {
        return Err(wrong(Some("argv"), "must be a list".into()));
    }
    if request.args.get("env").is_some_and(|env| !env.is_object()) {
        return Err(wrong(Some("env"), "must be a map".into()));
    }
    Ok(known.effect)
}

fn calls() -> Calls {
    Calls { infos: INFOS, check }
}

/// A host with these files.
fn host(files: &[(&str, &str)]) -> Host {
    let drained = include_str!("../../../lua-lib/ops/drained.lua");
    let library = Sources::default().with_embedded("lua-lib/ops/drained.lua", drained);
    let sources = files.iter().fold(library, |s, (path, text)| s.with(path, text));
    Host::with_calls(sources, calls())
}

/// A host with one recipe `t` whose body this is, with `cx` and `p` as its arguments.
fn body(code: &str) -> Host {
    let host = host(&[("recipes/t.lua", &recipe(code))]);
    assert_eq!(host.faults(), [], "the recipe loads");
    host
}

/// A recipe file with this body; line 1 is the head, the code begins in line 2.
fn recipe(code: &str) -> String {
    format!("return ops.recipe {{ desc = \"test\", run = function(cx, p)\n{code}\nend }}")
}

fn cluster() -> Cluster {
    serde_json::from_value(json!({
        "name": "home", "context": "home", "endpoint": "https://10.9.0.10:6443",
        "nodes": [
            { "name": "cp-1", "role": "controlplane", "address": "10.9.0.11" },
            { "name": "cp-2", "role": "controlplane", "address": "10.9.0.12" },
            { "name": "w-1", "role": "worker", "address": "10.9.0.21" },
            { "name": "w-2", "role": "worker", "address": "10.9.0.22" },
        ],
        "versions": { "talos": "v1.13.0" },
        "kubeconfig": "kubeconfig", "talosconfig": "talosconfig", "secrets": "secrets.yaml",
        "config_dir": "talos/rendered", "snapshot_dir": "snapshots",
    }))
    .unwrap()
}

fn spec(recipe: &str) -> StepSpec {
    StepSpec {
        recipe: recipe.into(),
        branch: Branch(format!("{recipe}{{0}}")),
        entry: Entry::Run,
        params: Map::new(),
        needs: Map::new(),
        found: Value::Null,
        cluster: Some(cluster()),
        run: RunId("7k2m".into()),
        limits: Limits { memory: 32 << 20, turn: Span(400) },
    }
}

fn with_params(recipe: &str, params: Value) -> StepSpec {
    StepSpec { params: params.as_object().unwrap().clone(), ..spec(recipe) }
}

/// What a body did until it ended.
#[derive(Debug)]
struct Ran {
    acts: Vec<Act>,
    end: Result<Value, Failure>,
}

impl Ran {
    /// Its calls: name of the call, and the request's name and arguments.
    fn asked(&self) -> Vec<String> {
        self.acts
            .iter()
            .filter_map(|act| match act {
                Act::Asked { id, request } => {
                    Some(format!("{id} {} {}", request.call, Value::from(request.args.clone())))
                }
                _ => None,
            })
            .collect()
    }

    /// Names of the calls alone.
    fn calls(&self) -> Vec<String> {
        self.acts
            .iter()
            .filter_map(|act| match act {
                Act::Asked { request, .. } => Some(request.call.clone()),
                _ => None,
            })
            .collect()
    }

    fn logs(&self) -> Vec<String> {
        self.acts
            .iter()
            .filter_map(|act| match act {
                Act::Log { body, .. } => {
                    Some(body.as_str().map_or_else(|| body.to_string(), str::to_owned))
                }
                _ => None,
            })
            .collect()
    }

    fn value(self) -> Value {
        self.end.unwrap()
    }

    /// The fault that ended it, whatever kind of end it was.
    fn fault(&self) -> Fault {
        match self.end.as_ref().unwrap_err() {
            Failure::Fault(fault) | Failure::Call(_, fault) => (**fault).clone(),
            Failure::Stopped(stop) => (*stop.fault).clone(),
        }
    }
}

/// Runs a body to its end: each call is answered by `answer`, first asked, first answered.
fn run(
    host: &Host,
    spec: StepSpec,
    mut answer: impl FnMut(&Request) -> Result<Value, CallError>,
) -> Ran {
    let mut machine = host.spawn(spec);
    let mut acts = Vec::new();
    let mut open: Vec<(CallId, Request)> = Vec::new();
    let mut delivery = Delivery::Begin;
    loop {
        let turn = machine.turn(delivery);
        note(&mut open, &turn);
        acts.extend(turn.acts);
        if let Some(end) = turn.end {
            return Ran { acts, end };
        }
        // Timers do not end on their own here: what they would end is scripted where it is meant.
        let next = open.iter().position(|(_, request)| request.call != "cx.timer").unwrap_or(0);
        let (id, request) = open.remove(next);
        delivery = Delivery::Reply { id, reply: answer(&request) };
    }
}

fn note(open: &mut Vec<(CallId, Request)>, turn: &Turn) {
    for act in &turn.acts {
        match act {
            Act::Asked { id, request } => open.push((id.clone(), request.clone())),
            Act::Dropped { id } => open.retain(|(other, _)| other != id),
            _ => {}
        }
    }
}

/// Answers everything with an empty table.
fn nothing(_: &Request) -> Result<Value, CallError> {
    Ok(json!({}))
}

/// Runs a body whose code this is.
fn ran(code: &str) -> Ran {
    run(&body(code), spec("t"), nothing)
}

/// The value that a body gives.
fn value(code: &str) -> Value {
    let ran = ran(code);
    match ran.end {
        Ok(value) => value,
        Err(failure) => panic!("{code}\n{failure:?}"),
    }
}

/// The fault that a body ends with.
fn fails(code: &str) -> Fault {
    ran(code).fault()
}

fn stop(title: &str) -> Stop {
    Stop { fault: Box::new(Fault::new(ops_core::error::Code::GUARD_ORDER, title)) }
}

/// How long something took.
fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    (run(), begin.elapsed())
}
