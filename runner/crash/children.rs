//! Processes that outlive the engine, without any process: a tool named `deed` that does one thing in the world and may be left behind.
//!
//! A killed engine's child lives on by itself (K1) or dies with its group (K2). What it does is written into a list outside of the engine.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use ops_core::argv::{Argv, ToolOutput};
use ops_core::call::Target;
use ops_core::time::{Span, Time};

use crate::sys::fault;
use crate::sys::group::Groups;
use crate::sys::world::{KubeReply, KubeRequest, Local, ToolFailure, Watcher, World};

/// When every child started, as far as a journal is concerned.
const STARTED: u64 = 7;
/// So many looks does it take one that was left behind to come to its end; it acts at the first of them.
const LOOKS: u32 = 3;

/// The children, living and dead.
#[derive(Clone, Debug, Default)]
pub(super) struct Children {
    living: RefCell<BTreeMap<i32, Child>>,
    /// Every deed that was done, in order.
    done: RefCell<Vec<String>>,
    born: Cell<i32>,
    /// How often somebody asked one of them to end, or killed it.
    pub(super) ended: Cell<u32>,
}

#[derive(Clone, Debug)]
struct Child {
    deed: String,
    acted: bool,
    signals: u32,
    looks: u32,
}

impl Children {
    /// Every deed that was done, in order.
    pub(super) fn done(&self) -> Vec<String> {
        self.done.borrow().clone()
    }

    /// Whether one of them lives.
    pub(super) fn alive(&self) -> bool {
        !self.living.borrow().is_empty()
    }

    /// Their engine died and the whole group with it.
    pub(super) fn die(&self) {
        self.living.borrow_mut().clear();
    }

    /// Time passes until the last of them has come to its end.
    pub(super) fn live_out(&self) {
        while !self.living.borrow().is_empty() {
            self.look();
        }
    }

    fn start(&self, deed: &str) -> i32 {
        self.born.set(self.born.get() + 1);
        let group = 100 + self.born.get();
        let child = Child { deed: deed.to_owned(), acted: false, signals: 0, looks: 0 };
        self.living.borrow_mut().insert(group, child);
        group
    }

    fn act(&self, group: i32) {
        if let Some(child) = self.living.borrow_mut().get_mut(&group)
            && !std::mem::replace(&mut child.acted, true)
        {
            self.done.borrow_mut().push(child.deed.clone());
        }
    }

    /// A moment in the lives of those that were left behind.
    fn look(&self) {
        let groups: Vec<i32> = self.living.borrow().keys().copied().collect();
        for group in groups {
            self.act(group);
            let mut living = self.living.borrow_mut();
            let over = living.get_mut(&group).is_some_and(|child| {
                child.looks += 1;
                child.looks >= LOOKS
            });
            if over {
                living.remove(&group);
            }
        }
    }

    /// Signals one that the engine itself runs: it ends between two of its steps.
    pub(super) fn signal(&self, group: i32) {
        if let Some(child) = self.living.borrow_mut().get_mut(&group) {
            child.signals += 1;
        }
    }

    fn signalled(&self, group: i32) -> bool {
        let gone = self.living.borrow().get(&group).is_none_or(|child| child.signals > 0);
        if gone {
            self.living.borrow_mut().remove(&group);
        }
        gone
    }
}

impl Groups for Children {
    fn alive(&self, group: i32, started: u64) -> bool {
        started == STARTED && self.living.borrow().contains_key(&group)
    }

    fn end(&self, group: i32, _: u64, _: bool) {
        self.ended.set(self.ended.get() + 1);
        self.living.borrow_mut().remove(&group);
    }

    fn pause<'a>(&'a self, world: &'a dyn World) -> Local<'a, ()> {
        Box::pin(async move {
            world.sleep(Span::secs(1)).await;
            self.look();
        })
    }
}

/// The tools of a machine on which there is only `deed`, also in a shell.
pub(super) struct Tools(pub(super) Rc<Children>);

impl Tools {
    async fn deed(&self, deed: &str, watcher: &dyn Watcher) -> Result<ToolOutput, ToolFailure> {
        let children = &self.0;
        let group = children.start(deed);
        watcher.started(group, STARTED);
        // Whoever signals it now keeps it from acting.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        if children.signalled(group) {
            return Err(ToolFailure::Interrupted("deed".into()));
        }
        children.act(group);
        fault::point("b6");
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        if children.signalled(group) {
            return Err(ToolFailure::Interrupted("deed".into()));
        }
        children.living.borrow_mut().remove(&group);
        fault::point("b7");
        watcher.ended(0);
        Ok(ToolOutput { code: 0, stdout: Vec::new(), stderr: Vec::new() })
    }
}

impl World for Tools {
    fn run<'a>(
        &'a self,
        argv: &'a Argv,
        _: Option<Span>,
        watcher: &'a dyn Watcher,
    ) -> Local<'a, Result<ToolOutput, ToolFailure>> {
        let last = argv.args.last().map_or("", String::as_str);
        let deed = match argv.tool.as_str() {
            "deed" => Some(last),
            "bash" => last.strip_prefix("deed "),
            _ => None,
        };
        Box::pin(async move {
            match deed {
                Some(deed) => self.deed(deed, watcher).await,
                None => Err(ToolFailure::Missing(argv.tool.clone())),
            }
        })
    }
    fn kube<'a>(
        &'a self,
        _: &'a Target,
        _: &'a KubeRequest,
    ) -> Local<'a, Result<KubeReply, ToolFailure>> {
        Box::pin(async { Err(ToolFailure::Missing("kube".into())) })
    }
    fn now(&self) -> Time {
        Time(0)
    }
    fn sleep(&self, _: Span) -> Local<'_, ()> {
        Box::pin(std::future::pending())
    }
    fn random(&self) -> u64 {
        4
    }
    fn simulated(&self) -> bool {
        true
    }
}
