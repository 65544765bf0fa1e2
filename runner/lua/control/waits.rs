//! `cx:timeout`, `cx:retry`, `cx:wait_until`, `cx:skip`: constructs that end branches or begin them again. Time is the engine's.

use std::future::pending;

use mlua::{AnyUserData, Lua, MultiValue, Value};
use ops_core::error::{CallError, Code, ErrorKind, Fault};
use ops_core::ident::{Branch, CallId};
use ops_core::time::Span;
use ops_core::value::Digest;

use super::{Here, Options, Running, any, function, method};
use crate::lua::arm::{End, Outcome};
use crate::lua::ask::operation;
use crate::lua::raised::{self, as_call_error};
use crate::lua::task::{Work, timed, timed_out, timer};
use crate::lua::{caught, text};

/// Longest pause between two attempts.
const LONGEST: u64 = 5 * 60_000;

/// The duration of a value.
fn span(here: &Here, what: &str, value: Option<&Value>) -> mlua::Result<Span> {
    let title = format!("`cx:{what}` takes a duration such as \"5m\" first");
    match value {
        Some(Value::String(text)) => {
            text.to_string_lossy().parse().map_err(|wrong: String| here.wrong(what, wrong))
        }
        _ => Err(here.wrong(what, title)),
    }
}

/// `cx:timeout("5m", fn)`: cancels the calls inside and raises kind `timeout`.
pub(in crate::lua) fn timeout(lua: &Lua, args: MultiValue) -> mlua::Result<AnyUserData> {
    let here = Here::new(lua, "timeout")?;
    let mut args = method(lua, "timeout", args)?.into_iter();
    let limit = span(&here, "timeout", args.next().as_ref())?;
    let function = function(&here, "timeout", args.next())?;
    let branch = here.claim(here.arm.branch.arm(&here.arm.construct("timeout"), None))?;
    operation(lua, async move {
        let child = here.arm.below(branch, false);
        let done = crate::lua::task::start(
            &here.body,
            &here.lua,
            &child,
            Work::Lua(function, MultiValue::new()),
        );
        match timed(&here.body, &here.arm, &child, &done, limit).await {
            Outcome::Ended(End::Timeout(limit)) => Err(timed_out("`cx:timeout`", limit)),
            outcome => here.give(outcome).await,
        }
    })
}

/// `cx:retry({ times, backoff, kinds }, fn)`. Never after a destroying call.
pub(in crate::lua) fn retry(lua: &Lua, args: MultiValue) -> mlua::Result<AnyUserData> {
    let here = Here::new(lua, "retry")?;
    let args = method(lua, "retry", args)?.into_iter();
    let known = ["times", "backoff", "kinds"];
    let (options, next) = Options::and_next(&here, "retry", args, &known)?;
    let times = options.count("times", 5)?;
    let backoff = options.span("backoff", Span::secs(2))?;
    let kinds = match options.get::<Value>("kinds", "a list of kinds")? {
        None | Some(Value::Nil) => {
            vec![ErrorKind::Unreachable, ErrorKind::Timeout, ErrorKind::Conflict]
        }
        Some(kinds) => caught::kinds(lua, &kinds)?,
    };
    let function = function(&here, "retry", next)?;
    let word = here.arm.construct("retry");
    let tries = Tries { most: times, backoff, kinds };
    operation(lua, async move {
        let begin = || Work::Lua(function.clone(), MultiValue::new());
        let outcome = attempts(&here, &word, &tries, begin).await?;
        here.give(outcome).await
    })
}

/// How often something is tried, and after which failures.
#[derive(Clone, Debug)]
pub(in crate::lua) struct Tries {
    /// Attempts in all, the first included.
    pub(in crate::lua) most: usize,
    /// The first pause.
    pub(in crate::lua) backoff: Span,
    /// Kinds of failure after which it is tried again.
    pub(in crate::lua) kinds: Vec<ErrorKind>,
}

/// Makes attempts in branches of their own, `word[1]` and so on, until one ends well or nothing may be tried again; gives how the last one
/// ended. Never after a destroying call.
///
/// # Errors
/// A branch of that name has been made already.
pub(in crate::lua) async fn attempts(
    here: &Here,
    word: &str,
    tries: &Tries,
    begin: impl Fn() -> Work,
) -> mlua::Result<Outcome> {
    let mut attempt = 1;
    loop {
        let branch = here.claim(here.arm.branch.arm(word, Some(&attempt.to_string())))?;
        let running = here.running(here.arm.below(branch.clone(), false), begin());
        any(std::slice::from_ref(&running)).await;
        let outcome = running.done.outcome().unwrap_or(Outcome::Done(Value::Nil));
        let Outcome::Failed(error) = &outcome else { return Ok(outcome) };
        let kind = as_call_error(&raised::read(error, &here.body.texts)).kind;
        if attempt >= tries.most || !tries.kinds.contains(&kind) || running.arm.destroyed() {
            return Ok(outcome);
        }
        let span = pause(tries.backoff, attempt, &here.body.run, &branch);
        here.pause(branch, span).await;
        attempt += 1;
    }
}

/// Twice as long each time, and between half and one and a half times that, as the run's id says.
fn pause(backoff: Span, attempt: usize, run: &str, branch: &Branch) -> Span {
    let exponent = u32::try_from(attempt - 1).unwrap_or(u32::MAX).min(20);
    let base = backoff.0.saturating_mul(1 << exponent).min(LONGEST);
    let digest = Digest::of_bytes(format!("{run} {branch}").as_bytes());
    let share = digest.0.get(..4).and_then(|d| u64::from_str_radix(d, 16).ok()).unwrap_or(0x8000);
    Span(base / 2 + base * share / 0xffff)
}

/// `cx:wait_until(about, { every, timeout }, fn)`: `fn` returns true, or the reason why not yet.
pub(in crate::lua) fn wait_until(lua: &Lua, args: MultiValue) -> mlua::Result<AnyUserData> {
    let here = Here::new(lua, "wait_until")?;
    let mut args = method(lua, "wait_until", args)?.into_iter();
    let about = match args.next() {
        Some(Value::String(about)) => about.to_string_lossy(),
        _ => return Err(here.wrong("wait_until", "`cx:wait_until` says first what it waits for")),
    };
    let (options, next) = Options::and_next(&here, "wait_until", args, &["every", "timeout"])?;
    let every = options.span("every", Span::secs(5))?;
    let limit = options.span("timeout", Span::mins(5))?;
    let function = function(&here, "wait_until", next)?;
    // The same words again, in a loop say, are another wait.
    let word =
        here.arm.construct(&format!("wait {about}")).replacen(&format!("wait {about}"), "wait", 1);
    let branch = here.claim(here.arm.branch.arm(&word, Some(&about)))?;
    operation(lua, async move {
        let id = CallId { path: branch.arm("limit", None), seq: 1 };
        let over = here.body.begin(&here.arm, id.clone(), timer(limit));
        let mut reason = String::from("nothing was asked yet");
        for attempt in 1.. {
            let child = branch.arm(&attempt.to_string(), None);
            let running = here.start(child.clone(), function.clone(), Vec::new());
            wait_either(&running, &over).await;
            if !running.done.is() {
                here.body.cancel(&running.arm, &id.path);
                any(std::slice::from_ref(&running)).await;
                if let Some(stop) = running.done.outcome().filter(Outcome::is_stop) {
                    return here.give(stop).await;
                }
                break;
            }
            match here.give(running.done.outcome().unwrap_or(Outcome::Done(Value::Nil))).await? {
                Value::Boolean(true) => {
                    here.body.drop_call(&id);
                    return Ok(Value::Boolean(true));
                }
                Value::Nil | Value::Boolean(false) => "not yet".clone_into(&mut reason),
                other => reason = text::of(&here.lua, &other)?,
            }
            let pause = CallId { path: child.arm("timer", None), seq: 1 };
            let every = here.body.begin(&here.arm, pause.clone(), timer(every));
            let passed = std::future::poll_fn(|_| {
                if over.borrow().is_some() {
                    return std::task::Poll::Ready(false);
                }
                match every.borrow_mut().take() {
                    Some(_) => std::task::Poll::Ready(true),
                    None => std::task::Poll::Pending,
                }
            })
            .await;
            if !passed {
                here.body.drop_call(&pause);
                break;
            }
        }
        let message = format!("waiting for {about} took longer than {limit}: {reason}");
        let error = CallError::new(ErrorKind::Timeout, message.clone());
        Err(raised::failure(error, Fault::new(Code::DEADLINE, message)))
    })
}

async fn wait_either(
    running: &Running,
    over: &std::rc::Rc<std::cell::RefCell<Option<crate::lua::body::Reply>>>,
) {
    std::future::poll_fn(|_| {
        if running.done.is() || over.borrow().is_some() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

/// `cx:skip(reason)`: ends the innermost branch as done by skipping. Nothing can catch it.
pub(in crate::lua) fn skip(lua: &Lua, args: MultiValue) -> mlua::Result<AnyUserData> {
    let here = Here::new(lua, "skip")?;
    let args = method(lua, "skip", args)?;
    let reason = text::message(lua, args.into_iter().collect())?;
    operation(lua, async move {
        here.body.end(&here.arm, End::Skip(reason));
        pending().await
    })
}
