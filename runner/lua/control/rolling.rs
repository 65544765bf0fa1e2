//! `cx:rolling`: nodes one after the other, control planes never beside another node, evidence anew before each, health again after each.

use mlua::{AnyUserData, Function, Lua, MultiValue, Value};
use ops_core::call::Request;
use ops_core::ident::{Branch, CallId};
use ops_core::value::Map;
use serde_json::json;

use super::each::{Pool, branches, not_empty};
use super::{Here, Options, Running, function, method};
use crate::lua::arm::{Arm, Outcome};
use crate::lua::ask::{internal, operation};
use crate::lua::raised;
use crate::lua::sandbox::borrow;
use crate::lua::task::{Work, drive};
use crate::lua::value::nodes::{NodeList, NodeRef};
use crate::lua::value::results::Results;

const ORDERS: [&str; 3] = ["workers-first", "controlplanes-first", "inventory"];

/// `cx:rolling(nodes, { order, max_workers, on_failure, allow_empty }, fn)`.
pub(in crate::lua) fn rolling(lua: &Lua, args: MultiValue) -> mlua::Result<AnyUserData> {
    let here = Here::new(lua, "rolling")?;
    let mut args = method(lua, "rolling", args)?.into_iter();
    let mut nodes = match args.next().as_ref().and_then(borrow::<NodeList>) {
        Some(list) => list.refs(),
        None => return Err(here.wrong("rolling", "`cx:rolling` takes a list of nodes first")),
    };
    let known = ["order", "max_workers", "on_failure", "allow_empty"];
    let (options, next) = Options::and_next(&here, "rolling", args, &known)?;
    let order = word(&here, &options, "order", &ORDERS)?;
    let ask = word(&here, &options, "on_failure", &["stop", "ask"])? == "ask";
    let max_workers = options.count("max_workers", 1)?;
    let allowed = options.get::<bool>("allow_empty", "true or false")?.unwrap_or(false);
    let function = function(&here, "rolling", next)?;
    not_empty(&here, "rolling", nodes.is_empty(), allowed)?;
    match order {
        "workers-first" => nodes.sort_by_key(NodeRef::is_control_plane),
        "controlplanes-first" => nodes.sort_by_key(|node| !node.is_control_plane()),
        _ => {}
    }
    let mut items = Vec::new();
    for node in &nodes {
        items.push(Value::UserData(lua.create_userdata(node.clone())?));
    }
    let named = branches(&here, &items, None)?;
    operation(lua, async move {
        let names: Vec<String> = nodes.iter().map(|node| node.name().to_owned()).collect();
        let mut pool = Pool::new(here, 1, true);
        let mut asked = 0;
        for (((name, branch), node), item) in named.into_iter().zip(&nodes).zip(items) {
            // A control plane waits until all others have ended, and nothing begins beside it.
            pool.set_jobs(if node.is_control_plane() { 1 } else { max_workers });
            pool.room().await;
            if let Some(failure) = pool.failed() {
                let reason = describe(&pool.here, failure);
                asked += 1;
                if !ask || failure.is_stop() || !go_on(&pool.here, asked, &name, &reason).await? {
                    break;
                }
            }
            let running = visit(&pool.here, branch, &name, &names, function.clone(), item);
            pool.add(name, running);
        }
        let results = pool.finish().await?;
        Ok(Value::UserData(pool.here.lua.create_userdata(Results(results))?))
    })
}

fn word(
    here: &Here,
    options: &Options<'_>,
    key: &str,
    words: &[&'static str],
) -> mlua::Result<&'static str> {
    let given: Option<String> = options.get(key, "a word")?;
    let Some(given) = given else { return Ok(words[0]) };
    words.iter().find(|word| **word == given).copied().ok_or_else(|| {
        here.wrong(key, format!("`{key}` is one of {}, not \"{given}\"", words.join(", ")))
    })
}

/// One node: evidence, the recipe's function, health.
fn visit(
    here: &Here,
    branch: Branch,
    name: &str,
    names: &[String],
    function: Function,
    item: Value,
) -> Running {
    let arm = here.arm.below(branch, false);
    let (lua, body) = (here.lua.clone(), here.body.clone());
    let (name, names) = (name.to_owned(), names.to_vec());
    let work = Work::Rust(Box::new(move |arm| {
        Box::pin(async move {
            let ask = |word: &str, call: &str, args: serde_json::Value| {
                engine(&lua, &body, &arm, word, call, args)
            };
            ask("gather", "cx.gather", json!({ "nodes": names, "node": name })).await?;
            let thread = lua.create_thread(function)?;
            let args = MultiValue::from_vec(vec![item]);
            let value = drive(body.clone(), arm.clone(), thread, args).await?;
            ask("healthy", "cx.healthy_again", json!({ "node": name })).await?;
            Ok(value)
        })
    }));
    here.running(arm, work)
}

/// Asks the engine under a path of its own, so that the recipe's calls count from 1.
fn engine(
    lua: &Lua,
    body: &std::rc::Rc<crate::lua::body::Body>,
    arm: &std::rc::Rc<Arm>,
    word: &str,
    call: &str,
    args: serde_json::Value,
) -> impl Future<Output = mlua::Result<Value>> + use<> {
    let id = CallId { path: arm.branch.arm(word, None), seq: 1 };
    let args = match args {
        serde_json::Value::Object(map) => map,
        _ => Map::new(),
    };
    let request = Request { call: call.into(), args, place: None };
    internal(lua.clone(), body.clone(), arm.clone(), id, request)
}

fn describe(here: &Here, failure: &Outcome) -> String {
    match failure {
        Outcome::Failed(error) => raised::read(error, &here.body.texts).to_string(),
        _ => "stopped".into(),
    }
}

async fn go_on(here: &Here, number: u32, next: &str, reason: &str) -> mlua::Result<bool> {
    let text = format!("A node failed: {reason}. Go on with {next}?");
    let word = format!("go-on-{number}");
    let answer =
        engine(&here.lua, &here.body, &here.arm, &word, "cx.confirm", json!({ "text": text }));
    Ok(matches!(answer.await?, Value::Boolean(true)))
}
