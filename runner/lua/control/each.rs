//! `cx:branch`, `cx:each`, `cx:parallel`.

use mlua::{AnyUserData, Function, Lua, MultiValue, Table, Value};
use ops_core::error::{Code, Fault};
use ops_core::ident::Branch;

use super::{Here, Options, Running, any, function, method};
use crate::lua::arm::{End, Outcome};
use crate::lua::ask::operation;
use crate::lua::sandbox::borrow;
use crate::lua::value::data::Data;
use crate::lua::value::nodes::{NodeList, Partitions, node_name};
use crate::lua::value::results::Results;
use crate::lua::{freeze, raised, text, value};

/// `cx:branch(name, fn)`.
pub(in crate::lua) fn branch(lua: &Lua, args: MultiValue) -> mlua::Result<AnyUserData> {
    let here = Here::new(lua, "branch")?;
    let mut args = method(lua, "branch", args)?.into_iter();
    let name = match args.next() {
        Some(Value::String(name)) => name.to_string_lossy(),
        _ => return Err(here.wrong("branch", "`cx:branch` takes a name first")),
    };
    let function = function(&here, "branch", args.next())?;
    let branch = here.claim(here.arm.branch.arm("branch", Some(&name)))?;
    operation(lua, async move {
        let running = here.start(branch, function, Vec::new());
        here.join(running).await
    })
}

/// A list's items, from whatever stands for a list.
pub(super) fn items(here: &Here, what: &str, list: Option<&Value>) -> mlua::Result<Vec<Value>> {
    let lua = &here.lua;
    match list {
        Some(Value::Table(table)) => {
            let real = freeze::inner(table);
            let mut items = Vec::new();
            for i in 1..=real.raw_len() {
                items.push(real.raw_get(i)?);
            }
            if real.pairs::<Value, Value>().count() > items.len() {
                return Err(here.wrong(what, format!("`cx:{what}` takes a list, not a map")));
            }
            Ok(items)
        }
        Some(list) => {
            if let Some(nodes) = borrow::<NodeList>(list) {
                let refs = nodes.refs().into_iter();
                return refs.map(|node| Ok(Value::UserData(lua.create_userdata(node)?))).collect();
            }
            if let Some(labels) = borrow::<Partitions>(list) {
                let labels = labels.0.iter();
                return labels.map(|l| Ok(Value::String(lua.create_string(l)?))).collect();
            }
            if let Some(data) = borrow::<Data>(list)
                && let Some(items) = data.value().as_array()
            {
                return items.iter().map(|item| value::from_json(lua, item, None)).collect();
            }
            if let Some(results) = borrow::<Results>(list) {
                return Ok(results.entries().iter().map(|(_, value)| value.clone()).collect());
            }
            Err(here.wrong(what, format!("`cx:{what}` takes a list first")))
        }
        None => Err(here.wrong(what, format!("`cx:{what}` takes a list first"))),
    }
}

/// The key of an item: its own name, or what `key` says.
fn key(here: &Here, item: &Value, key: Option<&Function>) -> mlua::Result<String> {
    let own = match (key, item) {
        (Some(key), item) => Some(key.call::<Value>(item.clone())?),
        (None, Value::String(_) | Value::Integer(_) | Value::Number(_)) => Some(item.clone()),
        (None, Value::Table(table)) => Some(table.get("name")?),
        (None, Value::UserData(data)) => match node_name(item) {
            Some(name) => return Ok(name),
            None => Some(mlua::ObjectLike::get(data, "name")?),
        },
        _ => None,
    };
    match own {
        Some(name @ (Value::String(_) | Value::Integer(_) | Value::Number(_))) => {
            text::of(&here.lua, &name)
        }
        _ => {
            let fault = Fault::new(Code::BRANCH_KEY, "an item of this list has no name")
                .help("say which: `{ key = function(item) return item.id end }`");
            Err(raised::located(&here.lua, fault))
        }
    }
}

/// Names of the branches of a loop. A list of nodes gives `node[cp-1]`, others `item[key]`.
pub(super) fn branches(
    here: &Here,
    items: &[Value],
    by: Option<&Function>,
) -> mlua::Result<Vec<(String, Branch)>> {
    let nodes = by.is_none() && items.iter().all(|item| node_name(item).is_some());
    let word = here.arm.construct(if nodes { "node" } else { "item" });
    let mut named = Vec::new();
    for item in items {
        let key = key(here, item, by)?;
        let branch = here.claim(here.arm.branch.arm(&word, Some(&key)))?;
        named.push((key, branch));
    }
    Ok(named)
}

/// An empty list: nothing would happen, and nobody would notice.
pub(super) fn not_empty(here: &Here, what: &str, empty: bool, allowed: bool) -> mlua::Result<()> {
    if !empty || allowed {
        return Ok(());
    }
    let fault = Fault::new(Code::EMPTY_LIST, format!("`cx:{what}` got an empty list"))
        .help("where nothing to do is fine, say so: `{ allow_empty = true }`");
    Err(raised::located_word(&here.lua, fault, what))
}

/// `cx:each(list, { jobs, key, allow_empty, keep_going }, fn)`.
///
/// An empty list is an error unless `allow_empty`: what `fn` would do cannot be known before it runs.
pub(in crate::lua) fn each(lua: &Lua, args: MultiValue) -> mlua::Result<AnyUserData> {
    let here = Here::new(lua, "each")?;
    let mut args = method(lua, "each", args)?.into_iter();
    let items = items(&here, "each", args.next().as_ref())?;
    let known = ["jobs", "key", "allow_empty", "keep_going"];
    let (options, next) = Options::and_next(&here, "each", args, &known)?;
    let jobs = options.count("jobs", 1)?;
    let by = options.get::<Function>("key", "a function")?;
    let keep_going = options.get::<bool>("keep_going", "true or false")?.unwrap_or(false);
    let allowed = options.get::<bool>("allow_empty", "true or false")?.unwrap_or(false);
    let function = function(&here, "each", next)?;
    not_empty(&here, "each", items.is_empty(), allowed)?;
    let named = branches(&here, &items, by.as_ref())?;
    operation(lua, async move {
        let mut pool = Pool::new(here, jobs, keep_going);
        for ((key, branch), item) in named.into_iter().zip(items) {
            if !pool.room().await {
                break;
            }
            let running = pool.here.start(branch, function.clone(), vec![item]);
            pool.add(key, running);
        }
        let results = pool.finish().await?;
        Ok(Value::UserData(pool.here.lua.create_userdata(Results(results))?))
    })
}

/// Branches that run beside one another, at most so many at once.
pub(super) struct Pool {
    pub(super) here: Here,
    jobs: usize,
    keep_going: bool,
    keys: Vec<String>,
    results: Vec<Value>,
    running: Vec<(usize, Running)>,
    failure: Option<Outcome>,
}

impl Pool {
    pub(super) fn new(here: Here, jobs: usize, keep_going: bool) -> Pool {
        let (keys, results, running) = (Vec::new(), Vec::new(), Vec::new());
        Pool { here, jobs, keep_going, keys, results, running, failure: None }
    }

    /// Sets how many may run at once from here on.
    pub(super) fn set_jobs(&mut self, jobs: usize) {
        self.jobs = jobs;
    }

    /// Waits until another branch may begin; false where none will.
    pub(super) async fn room(&mut self) -> bool {
        while self.running.len() >= self.jobs {
            self.turn().await;
        }
        let open = matches!(self.failure, None | Some(Outcome::Ended(End::Frontier(_))));
        self.keep_going || open
    }

    /// Takes up a branch that began.
    pub(super) fn add(&mut self, key: String, running: Running) {
        self.keys.push(key);
        self.results.push(Value::Nil);
        self.running.push((self.keys.len() - 1, running));
    }

    /// Waits until one branch has ended; a failure cancels the others.
    async fn turn(&mut self) {
        std::future::poll_fn(|_| {
            let one = self.running.iter().any(|(_, running)| running.done.is());
            if one { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        let (ended, running) =
            std::mem::take(&mut self.running).into_iter().partition(|(_, r)| r.done.is());
        self.running = running;
        let ended: Vec<(usize, Running)> = ended;
        for (index, running) in ended {
            match running.done.outcome() {
                Some(Outcome::Done(value)) => self.results[index] = value,
                Some(Outcome::Ended(End::Skip(_) | End::Cancelled)) | None => {}
                // A frontier ends only its own branch's part of a plan: the others are planned on.
                Some(end @ Outcome::Ended(End::Frontier(_))) => self.fail(end),
                Some(failure) => {
                    self.fail(failure);
                    if !self.keep_going {
                        for (_, other) in &self.running {
                            self.here.body.cancel(&other.arm, &running.arm.branch);
                        }
                    }
                }
            }
        }
    }

    fn fail(&mut self, failure: Outcome) {
        let frontier = |o: &Outcome| matches!(o, Outcome::Ended(End::Frontier(_)));
        match &self.failure {
            Some(first) if failure.is_stop() && !first.is_stop() => self.failure = Some(failure),
            Some(first) if !frontier(first) || frontier(&failure) => {}
            _ => self.failure = Some(failure),
        }
    }

    /// Whether a branch has failed.
    pub(super) fn failed(&self) -> Option<&Outcome> {
        self.failure.as_ref()
    }

    /// Waits for all; gives their results in order, or the first failure.
    pub(super) async fn finish(&mut self) -> mlua::Result<Vec<(String, Value)>> {
        while !self.running.is_empty() {
            self.turn().await;
        }
        if let Some(failure) = self.failure.take() {
            self.here.give(failure).await?;
        }
        Ok(std::mem::take(&mut self.keys)
            .into_iter()
            .zip(std::mem::take(&mut self.results))
            .collect())
    }
}

/// `cx:parallel { name = fn, … }`.
pub(in crate::lua) fn parallel(lua: &Lua, args: MultiValue) -> mlua::Result<AnyUserData> {
    let here = Here::new(lua, "parallel")?;
    let mut args = method(lua, "parallel", args)?.into_iter();
    let Some(Value::Table(table)) = args.next() else {
        return Err(here.wrong("parallel", "`cx:parallel` takes a table of functions"));
    };
    let mut arms: Vec<(String, Function)> = Vec::new();
    for pair in table.pairs::<Value, Value>() {
        match pair? {
            (Value::String(name), Value::Function(function)) => {
                arms.push((name.to_string_lossy(), function));
            }
            (key, _) => {
                let key = text::of(lua, &key)?;
                let title = format!("`{key}` in `cx:parallel` is no function under a name");
                return Err(here.wrong(&key, title));
            }
        }
    }
    arms.sort_by(|a, b| a.0.cmp(&b.0));
    let word = here.arm.construct("parallel");
    let mut named = Vec::new();
    for (name, function) in arms {
        let branch = here.claim(here.arm.branch.arm(&word, Some(&name)))?;
        named.push((name, branch, function));
    }
    operation(lua, async move {
        let mut running = Vec::new();
        for (name, branch, function) in named {
            running.push((name, here.start(branch, function, Vec::new())));
        }
        let (mut first, mut stop) = (None, None);
        let results: Table = here.lua.create_table()?;
        for (name, running) in running {
            any(std::slice::from_ref(&running)).await;
            match running.done.outcome() {
                Some(Outcome::Done(value)) => results.raw_set(name, value)?,
                Some(Outcome::Ended(End::Skip(_))) | None => {}
                Some(failure) if failure.is_stop() => stop = stop.or(Some(failure)),
                Some(failure) => first = first.or(Some(failure)),
            }
        }
        match stop.or(first) {
            Some(failure) => here.give(failure).await,
            None => Ok(Value::Table(results)),
        }
    })
}
