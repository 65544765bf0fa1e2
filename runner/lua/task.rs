//! The life of a branch: its code, the end of its own branches, its cleanups, its end. Knows nothing of what constructs make branches.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use mlua::thread::{Thread, ThreadStatus};
use mlua::{Error, Function, Lua, MultiValue, UserData, Value};
use ops_core::call::Request;
use ops_core::error::{CallError, Code, ErrorKind, Fault};
use ops_core::ident::CallId;
use ops_core::machine::{Act, BranchEnd, Stop};
use ops_core::time::Span;
use ops_core::value::Map;

use super::arm::{Arm, Done, End, Outcome};
use super::body::{Body, Local};
use super::raised::{self, Raised, is_memory};

/// How long a cleanup may take, calls included.
pub(super) const CLEANUP: Span = Span::secs(60);

/// Something that Lua waits for: made by a host function, yielded by the prelude, run by the branch's task.
pub(super) struct Op(pub(super) Option<Local<mlua::Result<Value>>>);

impl UserData for Op {}

/// Runs a Lua function in a branch: to its end, through everything that it waits for.
pub(super) async fn drive(
    body: Rc<Body>,
    arm: Rc<Arm>,
    thread: Thread,
    args: MultiValue,
) -> mlua::Result<Value> {
    let mut input = args;
    loop {
        let mut output: MultiValue = body.inside(&arm, || thread.resume(input))?;
        if thread.status() != ThreadStatus::Resumable {
            return Ok(output.pop_front().unwrap_or(Value::Nil));
        }
        let op = match output.pop_front() {
            Some(Value::UserData(op)) => op.borrow_mut::<Op>()?.0.take(),
            _ => None,
        };
        let Some(op) = op else {
            return Err(Error::runtime("a coroutine yielded without an operation"));
        };
        input = match op.await {
            Ok(value) => MultiValue::from_vec(vec![Value::Boolean(true), value]),
            Err(error) => {
                MultiValue::from_vec(vec![Value::Boolean(false), Value::Error(Box::new(error))])
            }
        };
    }
}

/// What a branch runs.
pub(super) enum Work {
    /// A Lua function with arguments.
    Lua(Function, MultiValue),
    /// Rust code that may make branches and calls.
    Rust(Box<dyn FnOnce(Rc<Arm>) -> Local<mlua::Result<Value>>>),
}

/// Starts a branch; gives its end.
pub(super) fn start(body: &Rc<Body>, lua: &Lua, arm: &Rc<Arm>, work: Work) -> Rc<Done> {
    let done = Rc::new(Done::default());
    let weak = lua.weak();
    let (inner, own, result) = (body.clone(), arm.clone(), done.clone());
    let task: Local<()> = Box::pin(async move {
        inner.act(Act::Opened { branch: own.branch.clone() });
        let lua = weak.upgrade();
        let code: Local<mlua::Result<Value>> = match work {
            Work::Lua(function, args) => match lua.create_thread(function) {
                Ok(thread) => Box::pin(drive(inner.clone(), own.clone(), thread, args)),
                Err(error) => Box::pin(async move { Err(error) }),
            },
            Work::Rust(make) => make(own.clone()),
        };
        let first = watch(&inner, &own, code).await;
        let last = clean_up(&inner, &lua, &own, first).await;
        inner.act(Act::Closed { branch: own.branch.clone(), how: how(&inner, &last) });
        result.set(last);
        if let Some(parent) = own.parent_task() {
            inner.wake(parent);
        }
    });
    body.spawn(arm, task);
    done
}

/// Runs the branch's code until it ends or is ended, and then until all its branches have ended.
async fn watch(body: &Rc<Body>, arm: &Rc<Arm>, mut code: Local<mlua::Result<Value>>) -> Outcome {
    let outcome = poll_fn(|context| {
        if let Some(end) = arm.ending() {
            return Poll::Ready(Outcome::Ended(end));
        }
        let polled = Pin::as_mut(&mut code).poll(context);
        if let (Poll::Ready(Err(error)), None) = (&polled, arm.ending())
            && is_memory(error)
        {
            body.stop_all(arm, memory_fault());
        }
        match (arm.ending(), polled) {
            (Some(end), _) => Poll::Ready(Outcome::Ended(end)),
            (None, Poll::Ready(Ok(value))) => Poll::Ready(Outcome::Done(value)),
            (None, Poll::Ready(Err(error))) => Poll::Ready(Outcome::Failed(error)),
            (None, Poll::Pending) => Poll::Pending,
        }
    })
    .await;
    // From here no code of the branch runs on: its coroutine is dropped where it stands.
    drop(code);
    body.drop_calls(arm);
    poll_fn(|_| {
        let all = arm.children.borrow().iter().all(|child| child.is());
        if all { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outcome
}

/// Runs the cleanups, last first.
async fn clean_up(body: &Rc<Body>, lua: &Lua, arm: &Rc<Arm>, first: Outcome) -> Outcome {
    let mut outcome = first;
    if arm.defers.borrow().is_empty() {
        return outcome;
    }
    if matches!(outcome, Outcome::Ended(End::Stop(_))) {
        body.renew();
        let _ = lua.gc_collect();
    }
    loop {
        let number = arm.defers.borrow().len();
        let Some(defer) = arm.defers.borrow_mut().pop() else { break };
        let word = match &outcome {
            Outcome::Done(_) => "done",
            Outcome::Failed(_) => "failed",
            Outcome::Ended(End::Skip(_)) => "skipped",
            Outcome::Ended(_) => "stopped",
        };
        let word = lua.create_string(word).map_or(Value::Nil, Value::String);
        let child = arm.below(arm.branch.arm("defer", Some(&number.to_string())), true);
        let done = start(body, lua, &child, Work::Lua(defer, MultiValue::from_vec(vec![word])));
        let end = timed(body, arm, &child, &done, CLEANUP).await;
        let failed = match end {
            Outcome::Done(_) | Outcome::Ended(End::Skip(_)) => None,
            Outcome::Failed(error) => Some(Outcome::Failed(error)),
            Outcome::Ended(End::Timeout(limit)) => {
                Some(Outcome::Failed(timed_out("a cleanup", limit)))
            }
            ended @ Outcome::Ended(_) => Some(ended),
        };
        // Its failure does not hide the first; a stop does: whoever catches the first must not go on after it.
        let well = matches!(outcome, Outcome::Done(_) | Outcome::Ended(End::Skip(_)));
        match (failed, &outcome) {
            (Some(failed), _) if well => outcome = failed,
            (Some(Outcome::Ended(End::Stop(stop))), first) if !first.is_stop() => {
                let told = match first {
                    Outcome::Failed(error) => Some(raised::read(error, &body.texts).to_string()),
                    _ => None,
                };
                let fault = told.into_iter().fold(*stop.fault, |fault, first| {
                    fault.detail(format!("Before this cleanup it had failed: {first}"))
                });
                outcome = Outcome::Ended(End::Stop(Stop { fault: Box::new(fault) }));
            }
            _ => {}
        }
    }
    outcome
}

/// Waits for a branch below, at most for a time that the engine measures.
pub(super) async fn timed(
    body: &Rc<Body>,
    arm: &Rc<Arm>,
    child: &Rc<Arm>,
    done: &Rc<Done>,
    limit: Span,
) -> Outcome {
    arm.children.borrow_mut().push(done.clone());
    let id = CallId { path: child.branch.arm("timer", None), seq: 1 };
    let timer = body.begin(arm, id.clone(), timer(limit));
    let outcome = poll_fn(|_| {
        if timer.borrow_mut().take().is_some() && !done.is() {
            body.end(child, End::Timeout(limit));
        }
        match done.outcome() {
            Some(outcome) => Poll::Ready(outcome),
            None => Poll::Pending,
        }
    })
    .await;
    body.drop_call(&id);
    outcome
}

/// The engine's timer.
pub(super) fn timer(span: Span) -> Request {
    let mut args = Map::new();
    args.insert("ms".into(), span.0.into());
    Request { call: "cx.timer".into(), args, place: None }
}

/// The error of something that took too long.
pub(super) fn timed_out(what: &str, limit: Span) -> Error {
    let message = format!("{what} did not end within {limit}");
    let error = CallError::new(ErrorKind::Timeout, message.clone());
    raised::failure(error, Fault::new(Code::DEADLINE, message))
}

pub(super) fn memory_fault() -> Fault {
    Fault::new(Code::MEMORY, "the recipe used more memory than it may")
}

fn how(body: &Body, outcome: &Outcome) -> BranchEnd {
    match outcome {
        Outcome::Done(_) => BranchEnd::Done,
        Outcome::Failed(error) => match raised::read(error, &body.texts) {
            Raised::Fault(fault) => BranchEnd::Failed(fault.title),
            Raised::Call(error, _) => BranchEnd::Failed(error.message),
            Raised::Unwind => BranchEnd::Stopped,
        },
        Outcome::Ended(End::Skip(reason)) => BranchEnd::Skipped(reason.clone()),
        Outcome::Ended(End::Timeout(limit)) => {
            BranchEnd::Failed(format!("did not end within {limit}"))
        }
        Outcome::Ended(End::Frontier(fault)) => BranchEnd::Failed(fault.title.clone()),
        Outcome::Ended(End::Stop(_) | End::Cancelled) => BranchEnd::Stopped,
    }
}
