//! The methods of `cx` that make branches. Each checks its arguments while the line is known, and then waits as a future of its branch.

pub(super) mod each;
pub(super) mod rolling;
pub(super) mod waits;

use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;

use mlua::{Function, Lua, MultiValue, Table, Value};
use ops_core::error::{Code, Fault};
use ops_core::ident::{Branch, CallId};
use ops_core::time::Span;

use super::arm::{Arm, Done, End, Outcome};
use super::body::Body;
use super::task::{Work, start, timed_out};
use super::{freeze, raised, text};

/// Where a construct runs.
#[derive(Clone)]
pub(super) struct Here {
    pub(super) lua: Lua,
    pub(super) body: Rc<Body>,
    pub(super) arm: Rc<Arm>,
}

impl Here {
    /// The running branch.
    pub(super) fn new(lua: &Lua, what: &str) -> mlua::Result<Here> {
        let body = Body::of(lua)?;
        let arm = body.arm(lua, what)?;
        Ok(Here { lua: lua.clone(), body, arm })
    }

    /// The branch of this name below; two alike are an error.
    pub(super) fn claim(&self, branch: Branch) -> mlua::Result<Branch> {
        if self.arm.claim(&branch) {
            return Ok(branch);
        }
        let title = format!("two branches are named `{}`", branch.leaf());
        let fault = Fault::new(Code::BRANCH_KEY, title)
            .help("names and keys of branches are unique: the journal finds calls by them");
        Err(raised::located(&self.lua, fault))
    }

    /// Starts a branch below.
    pub(super) fn start(&self, branch: Branch, function: Function, args: Vec<Value>) -> Running {
        let arm = self.arm.below(branch, false);
        let work = Work::Lua(function, MultiValue::from_vec(args));
        self.running(arm, work)
    }

    /// Starts a branch below.
    pub(super) fn running(&self, arm: Rc<Arm>, work: Work) -> Running {
        let done = start(&self.body, &self.lua, &arm, work);
        self.arm.children.borrow_mut().push(done.clone());
        Running { arm, done }
    }

    /// Waits for one branch and gives what it gave.
    pub(super) async fn join(&self, running: Running) -> mlua::Result<Value> {
        any(std::slice::from_ref(&running)).await;
        match running.done.outcome() {
            Some(outcome) => self.give(outcome).await,
            None => Ok(Value::Nil),
        }
    }

    /// What a branch's end means to the branch above: a value, an error, or its own end.
    pub(super) async fn give(&self, outcome: Outcome) -> mlua::Result<Value> {
        match outcome {
            Outcome::Done(value) => Ok(value),
            Outcome::Failed(error) => Err(error),
            Outcome::Ended(End::Skip(_)) => Ok(Value::Nil),
            Outcome::Ended(End::Timeout(limit)) => Err(timed_out("it", limit)),
            Outcome::Ended(end) => {
                self.body.end(&self.arm, end);
                pending().await
            }
        }
    }

    /// Waits for a time that the engine measures; `name` makes the timer's own path.
    pub(super) async fn pause(&self, name: Branch, span: Span) {
        let id = CallId { path: name.arm("timer", None), seq: 1 };
        // A timer cannot fail in a way that a recipe could care for.
        let _ = self.body.ask(&self.arm, id, super::task::timer(span)).await;
    }

    /// A located mistake in the arguments of a construct.
    pub(super) fn wrong(&self, word: &str, title: impl Into<String>) -> mlua::Error {
        raised::located_word(&self.lua, Fault::new(Code::LUA, title), word)
    }
}

/// A branch below that runs.
pub(super) struct Running {
    pub(super) arm: Rc<Arm>,
    pub(super) done: Rc<Done>,
}

/// Waits until one of the branches has ended.
pub(super) async fn any(running: &[Running]) {
    poll_fn(|_| {
        let one = running.iter().any(|running| running.done.is());
        if one { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Options of a construct: a table with known keys.
pub(super) struct Options<'a> {
    here: &'a Here,
    table: Option<Table>,
}

impl<'a> Options<'a> {
    /// The options that may stand next, and the argument behind them.
    pub(super) fn and_next(
        here: &'a Here,
        what: &str,
        mut args: impl Iterator<Item = Value>,
        known: &[&str],
    ) -> mlua::Result<(Options<'a>, Option<Value>)> {
        let (table, next) = match args.next() {
            Some(Value::Table(table)) => (Some(table), args.next()),
            next => (None, next),
        };
        Ok((Options::new(here, what, table, known)?, next))
    }

    /// Checks that no key is unknown.
    pub(super) fn new(
        here: &'a Here,
        what: &str,
        table: Option<Table>,
        known: &[&str],
    ) -> mlua::Result<Options<'a>> {
        if let Some(table) = &table {
            let mut keys = Vec::new();
            for pair in freeze::inner(table).pairs::<Value, Value>() {
                keys.push(text::of(&here.lua, &pair?.0)?);
            }
            keys.sort_unstable();
            if let Some(key) = keys.iter().find(|key| !known.contains(&key.as_str())) {
                let fault = Fault::new(Code::LUA, format!("`{what}` has no option `{key}`"))
                    .label(format!("known: {}", known.join(", ")))
                    .did_you_mean(key, known.iter().copied());
                return Err(raised::located_word(&here.lua, fault, key));
            }
        }
        Ok(Options { here, table })
    }

    /// An option of a Lua type that converts to `T`.
    pub(super) fn get<T: mlua::FromLua>(&self, key: &str, wants: &str) -> mlua::Result<Option<T>> {
        let Some(table) = &self.table else { return Ok(None) };
        table
            .get::<Option<T>>(key)
            .map_err(|_| self.here.wrong(key, format!("`{key}` must be {wants}")))
    }

    /// A number of at least 1.
    pub(super) fn count(&self, key: &str, default: usize) -> mlua::Result<usize> {
        match self.get::<i64>(key, "a whole number from 1")? {
            None => Ok(default),
            Some(n) if n >= 1 => Ok(n as usize),
            Some(_) => Err(self.here.wrong(key, format!("`{key}` must be a whole number from 1"))),
        }
    }

    /// A duration.
    pub(super) fn span(&self, key: &str, default: Span) -> mlua::Result<Span> {
        match self.get::<String>(key, "a duration such as \"5m\"")? {
            None => Ok(default),
            Some(text) => text.parse().map_err(|wrong: String| self.here.wrong(key, wrong)),
        }
    }
}

/// The arguments of a method: without `cx` itself.
pub(super) fn method(lua: &Lua, what: &str, args: MultiValue) -> mlua::Result<Vec<Value>> {
    let mut args: Vec<Value> = args.into_iter().collect();
    let is_cx = matches!(args.first(), Some(Value::Table(t)) if super::freeze::is_frozen(t));
    if !is_cx {
        let fault = Fault::new(Code::LUA, format!("`cx.{what}` is a method"))
            .help(format!("write `cx:{what}(…)`"));
        return Err(raised::located(lua, fault));
    }
    args.remove(0);
    Ok(args)
}

/// The function that a construct runs: its last argument.
pub(super) fn function(here: &Here, what: &str, value: Option<Value>) -> mlua::Result<Function> {
    match value {
        Some(Value::Function(function)) => Ok(function),
        _ => Err(here.wrong(what, format!("`cx:{what}` takes a function last"))),
    }
}
