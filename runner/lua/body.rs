//! A running body: its branches as tasks, what it did in this turn, what it waits for. One thread, no timers, no wakers from outside: a
//! task goes on when a delivery or the end of another branch says so, in the order in which that happened.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use mlua::Lua;
use ops_core::call::Request;
use ops_core::error::{CallError, Code, Fault};
use ops_core::ident::{Branch, CallId};
use ops_core::machine::{Act, Stop};
use ops_core::value::{LaterRef, Value};

use super::arm::{Arm, End};
use super::calls::Calls;
use super::deadline::Deadline;
use super::place::{Line, Texts, here};
use super::raised::{self, Raised};

/// A future on the VM's thread.
pub(super) type Local<T> = Pin<Box<dyn Future<Output = T>>>;

/// How many things a body may do in one turn: a loop that only logs must end, too.
const MAX_ACTS: usize = 100_000;

/// A call's reply.
pub(super) type Reply = Result<Value, CallError>;

/// A call that a branch waits for.
#[derive(Debug)]
struct Waiting {
    arm: Rc<Arm>,
    reply: Rc<RefCell<Option<Reply>>>,
}

/// A running body.
pub(super) struct Body {
    /// Texts of the loaded files.
    pub(super) texts: Texts,
    /// The calls that it can make.
    pub(super) calls: Calls,
    /// Deadline of the turn.
    pub(super) deadline: Arc<Deadline>,
    /// The run's id.
    pub(super) run: String,
    /// A file is being loaded: no call may be made.
    pub(super) loading: Cell<bool>,
    /// The recipe says that it destroys: so may those that it runs.
    pub(super) destructive: Cell<bool>,
    current: RefCell<Option<Rc<Arm>>>,
    acts: RefCell<Vec<Act>>,
    /// How many acts since the turn began, or its cleanups.
    count: Cell<usize>,
    waiting: RefCell<BTreeMap<CallId, Waiting>>,
    arms: RefCell<BTreeMap<u64, Rc<Arm>>>,
    tasks: RefCell<BTreeMap<u64, Local<()>>>,
    ready: RefCell<VecDeque<u64>>,
    next: Cell<u64>,
    looked_up: RefCell<BTreeMap<String, Line>>,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

impl Body {
    /// A body that has not begun.
    pub(super) fn new(calls: Calls, deadline: Arc<Deadline>, run: &str) -> Rc<Body> {
        Rc::new(Body {
            texts: Texts::default(),
            calls,
            deadline,
            run: run.to_owned(),
            loading: Cell::new(true),
            destructive: Cell::new(false),
            current: RefCell::default(),
            acts: RefCell::default(),
            count: Cell::new(0),
            waiting: RefCell::default(),
            arms: RefCell::default(),
            tasks: RefCell::default(),
            ready: RefCell::default(),
            next: Cell::new(1),
            looked_up: RefCell::default(),
        })
    }

    /// The body that a VM runs.
    ///
    /// # Errors
    /// Only in a VM that was not made for one.
    pub(super) fn of(lua: &Lua) -> mlua::Result<Rc<Body>> {
        let body = lua.app_data_ref::<Rc<Body>>();
        body.map(|body| body.clone()).ok_or_else(|| mlua::Error::runtime("no body runs here"))
    }

    /// The branch whose Lua code runs, and may wait or make calls.
    ///
    /// # Errors
    /// While a file is loaded.
    pub(super) fn arm(&self, lua: &Lua, what: &str) -> mlua::Result<Rc<Arm>> {
        self.current()
            .filter(|_| !self.loading.get())
            .ok_or_else(|| raised::located_word(lua, Body::loading_fault(what), what))
    }

    /// The mistake of doing something while a file is loaded.
    pub(super) fn loading_fault(what: &str) -> Fault {
        Fault::new(Code::CALL_PLACE, format!("`{what}` while a file is loaded"))
            .help("a recipe file only declares; what it does belongs into `run`")
    }

    /// Ends the running branch's part of a plan: it looked at what only apply will know. Gives the error that unwinds it.
    pub(super) fn frontier(&self, lua: &Lua, field: &str, later: &LaterRef) -> mlua::Error {
        let title = format!("frontier: `{field}` of {} is known only after apply", later.call);
        let mut fault = Fault::new(Code::FRONTIER, title)
            .help(format!("to hand it on without looking: `ops.later(reply, \"{field}\")`"));
        fault.place = here(lua).and_then(|line| self.texts.word(line, field)).map(Box::new);
        if let Some(arm) = self.current() {
            self.end(&arm, End::Frontier(Box::new(fault)));
        }
        Raised::Unwind.into()
    }

    /// Notes where a call's name was looked up.
    pub(super) fn note(&self, name: &str, line: Line) {
        self.looked_up.borrow_mut().insert(name.to_owned(), line);
    }

    /// Where a call's name was last looked up.
    pub(super) fn noted(&self, name: &str) -> Option<Line> {
        self.looked_up.borrow().get(name).copied()
    }

    /// The branch whose Lua code runs.
    pub(super) fn current(&self) -> Option<Rc<Arm>> {
        self.current.borrow().clone()
    }

    /// Runs Lua code of a branch.
    pub(super) fn inside<T>(&self, arm: &Rc<Arm>, run: impl FnOnce() -> T) -> T {
        let before = self.current.replace(Some(arm.clone()));
        let result = run();
        *self.current.borrow_mut() = before;
        result
    }

    /// Notes what the body did.
    pub(super) fn act(&self, act: Act) {
        self.acts.borrow_mut().push(act);
        self.count.set(self.count.get() + 1);
        if self.count.get() > MAX_ACTS
            && let Some(arm) = self.current()
            && arm.ending().is_none()
        {
            let fault = Fault::new(
                Code::RUNAWAY,
                format!("the recipe did {MAX_ACTS} things without waiting for a reply"),
            );
            self.stop_all(&arm, fault);
        }
    }

    /// Gives cleanups a time and a number of acts of their own: what stopped their branch may have been that it had used up its own.
    pub(super) fn renew(&self) {
        self.deadline.renew();
        self.count.set(0);
    }

    /// Takes what the body did in this turn.
    pub(super) fn take_acts(&self) -> Vec<Act> {
        self.count.set(0);
        self.acts.take()
    }

    /// Asks the engine, in a branch, under a name that has been given; waits for the reply.
    pub(super) fn ask(
        self: &Rc<Body>,
        arm: &Rc<Arm>,
        id: CallId,
        request: Request,
    ) -> Local<Reply> {
        let (body, arm) = (self.clone(), arm.clone());
        Box::pin(async move {
            let reply = body.begin(&arm, id, request);
            poll_fn(move |_| match reply.borrow_mut().take() {
                Some(reply) => Poll::Ready(reply),
                None => Poll::Pending,
            })
            .await
        })
    }

    /// Asks without waiting: the reply will stand in the cell.
    pub(super) fn begin(
        &self,
        arm: &Rc<Arm>,
        id: CallId,
        request: Request,
    ) -> Rc<RefCell<Option<Reply>>> {
        let reply = Rc::new(RefCell::new(None));
        let waiting = Waiting { arm: arm.clone(), reply: reply.clone() };
        self.waiting.borrow_mut().insert(id.clone(), waiting);
        self.act(Act::Asked { id, request });
        reply
    }

    /// No longer waits for a call.
    pub(super) fn drop_call(&self, id: &CallId) {
        if self.waiting.borrow_mut().remove(id).is_some() {
            self.act(Act::Dropped { id: id.clone() });
        }
    }

    /// No longer waits for any call that this branch itself made.
    pub(super) fn drop_calls(&self, arm: &Rc<Arm>) {
        let ids: Vec<CallId> = self
            .waiting
            .borrow()
            .iter()
            .filter(|(_, waiting)| Rc::ptr_eq(&waiting.arm, arm))
            .map(|(id, _)| id.clone())
            .collect();
        for id in &ids {
            self.drop_call(id);
        }
    }

    /// Delivers a reply. False where nobody waits for it.
    pub(super) fn deliver(&self, id: &CallId, reply: Reply) -> bool {
        let Some(waiting) = self.waiting.borrow_mut().remove(id) else { return false };
        *waiting.reply.borrow_mut() = Some(reply);
        self.wake(waiting.arm.task.get());
        true
    }

    /// Whether the body waits for any reply.
    pub(super) fn waits(&self) -> bool {
        !self.waiting.borrow().is_empty()
    }

    /// Delivers a stop to a branch and everything below it.
    pub(super) fn stop(&self, branch: &Branch, stop: &Stop) {
        let arms: Vec<Rc<Arm>> = self.arms.borrow().values().cloned().collect();
        let mut hit: Vec<&Rc<Arm>> =
            arms.iter().filter(|arm| branch.contains(&arm.branch)).collect();
        if hit.is_empty() {
            // A call of the engine's own has a path without a branch: its asker is meant.
            let waiting = self.waiting.borrow();
            let asks = |arm: &Rc<Arm>| {
                waiting.iter().any(|(id, w)| branch.contains(&id.path) && Rc::ptr_eq(&w.arm, arm))
            };
            hit = arms.iter().filter(|arm| asks(arm)).collect();
        }
        // Only the outermost is ended: cleanups below are shielded from it unless they themselves are meant.
        for arm in &hit {
            let inner =
                |other: &&Rc<Arm>| other.branch != arm.branch && other.branch.contains(&arm.branch);
            if !hit.iter().any(inner) {
                arm.set_end(End::Stop(stop.clone()));
            }
        }
        for arm in arms.iter().filter(|arm| arm.ending().is_some()) {
            self.wake(arm.task.get());
        }
    }

    /// Ends a branch.
    pub(super) fn end(&self, arm: &Rc<Arm>, end: End) {
        arm.set_end(end);
        let arms: Vec<Rc<Arm>> = self.arms.borrow().values().cloned().collect();
        for arm in arms.iter().filter(|arm| arm.ending().is_some()) {
            self.wake(arm.task.get());
        }
    }

    /// Ends a branch because another one failed, or a limit is over; the journal keeps what ended it.
    pub(super) fn cancel(&self, arm: &Rc<Arm>, by: &Branch) {
        if arm.ending().is_none() {
            self.act(Act::Cancelled { branch: arm.branch.clone(), by: by.clone() });
        }
        self.end(arm, End::Cancelled);
    }

    /// Stops the whole body for a reason of the sandbox, whichever branch gave it.
    pub(super) fn stop_all(&self, arm: &Rc<Arm>, fault: Fault) {
        arm.end_all(&End::Stop(Stop { fault: Box::new(fault) }));
        self.end(&arm.clone(), arm.ending().unwrap_or(End::Cancelled));
    }

    /// Starts a task for a branch.
    pub(super) fn spawn(&self, arm: &Rc<Arm>, task: Local<()>) {
        let id = self.next.get();
        self.next.set(id + 1);
        arm.task.set(id);
        self.arms.borrow_mut().insert(id, arm.clone());
        self.tasks.borrow_mut().insert(id, task);
        self.wake(id);
    }

    /// Lets a task go on.
    pub(super) fn wake(&self, task: u64) {
        let mut ready = self.ready.borrow_mut();
        if !ready.contains(&task) {
            ready.push_back(task);
        }
    }

    /// Runs until every branch waits or has ended.
    pub(super) fn settle(&self) {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            let Some(id) = self.ready.borrow_mut().pop_front() else { break };
            let Some(mut task) = self.tasks.borrow_mut().remove(&id) else { continue };
            match task.as_mut().poll(&mut context) {
                Poll::Pending => {
                    self.tasks.borrow_mut().insert(id, task);
                }
                Poll::Ready(()) => {
                    self.arms.borrow_mut().remove(&id);
                }
            }
        }
    }

    /// Drops every task: they hold Lua values, which must go before the VM does.
    pub(super) fn clear(&self) {
        self.tasks.borrow_mut().clear();
        self.arms.borrow_mut().clear();
        self.waiting.borrow_mut().clear();
        *self.current.borrow_mut() = None;
    }
}
