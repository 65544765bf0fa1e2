//! One branch of a running body: its name, its numbering, its cleanups and how it is ended. Knows no Lua code and no scheduling.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use mlua::{Error, Function, Value};
use ops_core::error::Fault;
use ops_core::ident::{Branch, CallId};
use ops_core::machine::Stop;
use ops_core::time::Span;

/// Why a branch is ended from outside its own code. No code of the branch runs on after it but its cleanups.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// `cx:skip`.
    Skip(String),
    /// A stop, of the engine or of the sandbox.
    Stop(Stop),
    /// A sibling failed.
    Cancelled,
    /// `cx:timeout`, or the time of a cleanup.
    Timeout(Span),
    /// It looked at what a plan cannot know.
    Frontier(Box<Fault>),
}

/// How a branch ended.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// It returned.
    Done(Value),
    /// It raised an error.
    Failed(Error),
    /// It was ended.
    Ended(End),
}

impl Outcome {
    /// Whether a stop ended it: nothing takes its place, and no recipe code goes on after it.
    pub(super) fn is_stop(&self) -> bool {
        matches!(self, Outcome::Ended(End::Stop(_)))
    }
}

/// The end of a branch, for the branch that waits for it.
#[derive(Debug, Default)]
pub(super) struct Done(RefCell<Option<Outcome>>);

impl Done {
    /// Whether it has ended.
    pub(super) fn is(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// How it ended, once it has.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        self.0.borrow().clone()
    }

    /// Says how it ended.
    pub(super) fn set(&self, outcome: Outcome) {
        *self.0.borrow_mut() = Some(outcome);
    }
}

/// A branch that runs.
#[derive(Debug)]
pub(super) struct Arm {
    /// Its path.
    pub(super) branch: Branch,
    parent: Option<Rc<Arm>>,
    /// A cleanup: what ended its parents does not end it.
    shield: bool,
    /// Number of its task.
    pub(super) task: Cell<u64>,
    calls: Cell<u32>,
    logs: Cell<u32>,
    counts: RefCell<BTreeMap<String, u32>>,
    names: RefCell<BTreeSet<Branch>>,
    end: RefCell<Option<End>>,
    /// `cx:defer`, in order of registration.
    pub(super) defers: RefCell<Vec<Function>>,
    /// Its branches, in order of their beginning.
    pub(super) children: RefCell<Vec<Rc<Done>>>,
    destroyed: Cell<bool>,
}

impl Arm {
    /// The root branch of a step.
    pub(super) fn root(branch: Branch) -> Rc<Arm> {
        Rc::new(Arm::new(branch, None, false))
    }

    /// A branch below this one.
    pub(super) fn below(self: &Rc<Arm>, branch: Branch, shield: bool) -> Rc<Arm> {
        Rc::new(Arm::new(branch, Some(self.clone()), shield))
    }

    fn new(branch: Branch, parent: Option<Rc<Arm>>, shield: bool) -> Arm {
        Arm {
            branch,
            parent,
            shield,
            task: Cell::new(0),
            calls: Cell::new(0),
            logs: Cell::new(0),
            counts: RefCell::default(),
            names: RefCell::default(),
            end: RefCell::default(),
            defers: RefCell::default(),
            children: RefCell::default(),
            destroyed: Cell::new(false),
        }
    }

    /// The name of its next call.
    pub(super) fn next_call(&self) -> CallId {
        self.calls.set(self.calls.get() + 1);
        CallId { path: self.branch.clone(), seq: self.calls.get() }
    }

    /// The number of its next log event.
    pub(super) fn next_log(&self) -> u32 {
        self.logs.set(self.logs.get() + 1);
        self.logs.get()
    }

    /// A word for the next construct of this kind: `node`, then `node#2`, so that two loops over the same nodes are told apart.
    pub(super) fn construct(&self, kind: &str) -> String {
        match self.count(kind) {
            1 => kind.to_owned(),
            n => format!("{kind}#{n}"),
        }
    }

    /// The number of the next thing of this kind, from 1.
    pub(super) fn count(&self, kind: &str) -> u32 {
        let mut counts = self.counts.borrow_mut();
        let count = counts.entry(kind.to_owned()).or_insert(0);
        *count += 1;
        *count
    }

    /// Takes the name of a branch below; false where it is taken.
    pub(super) fn claim(&self, branch: &Branch) -> bool {
        self.names.borrow_mut().insert(branch.clone())
    }

    /// Why it is ended, if it is: for its own reason or for that of a branch above.
    pub(super) fn ending(&self) -> Option<End> {
        let own = self.end.borrow().clone();
        own.or_else(|| match &self.parent {
            Some(parent) if !self.shield => parent.ending(),
            _ => None,
        })
    }

    /// Ends it. The first reason stays; only a stop takes the place of a lesser one.
    pub(super) fn set_end(&self, end: End) {
        let mut own = self.end.borrow_mut();
        let stronger = matches!(end, End::Stop(_)) && !matches!(*own, Some(End::Stop(_)));
        if own.is_none() || stronger {
            *own = Some(end);
        }
    }

    /// Ends what of this branch no reason from above reaches: itself, where it is a cleanup or the root, else the nearest such branch above.
    pub(super) fn end_all(&self, end: &End) {
        let mut arm = Some(self);
        while let Some(here) = arm {
            if here.shield || here.parent.is_none() {
                here.set_end(end.clone());
            }
            arm = here.parent.as_deref();
        }
    }

    /// The task that waits for it.
    pub(super) fn parent_task(&self) -> Option<u64> {
        self.parent.as_ref().map(|parent| parent.task.get())
    }

    /// Notes that a destroying call was made here or below: it is never repeated by `cx:retry`.
    pub(super) fn note_destroyed(&self) {
        self.destroyed.set(true);
        if let Some(parent) = &self.parent {
            parent.note_destroyed();
        }
    }

    /// Whether a destroying call was made here or below.
    pub(super) fn destroyed(&self) -> bool {
        self.destroyed.get()
    }
}
