//! A recipe's body as a machine: a VM on a thread of its own, driven by deliveries, abandoned when it falls silent.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use ops_core::error::{Code, Fault};
use ops_core::machine::{Delivery, Failure, Machine, StepSpec, Turn};

use super::arm::Done;
use super::body::Body;
use super::calls::Calls;
use super::catalog::{Index, index};
use super::compiled::Compiled;
use super::deadline::{Deadline, GRACE};
use super::entry;
use super::head::scan;
use super::threads::Threads;
use super::vm::Vm;
use crate::recipe::source::{Source, Sources};
use crate::recipe::{Catalog, Head};

/// Everything that bodies are loaded from: the sources, read once, and what they declare.
#[derive(Clone, Debug)]
pub struct Host {
    sources: Arc<Sources>,
    calls: Calls,
    index: Arc<Index>,
    compiled: Arc<Compiled>,
    threads: Arc<Threads>,
}

impl Host {
    /// Loads the heads of all recipes.
    pub fn new(sources: Sources) -> Host {
        Host::with_calls(sources, Calls::default())
    }

    /// As [`Host::new`], with other calls than those of `ops`.
    pub fn with_calls(sources: Sources, calls: Calls) -> Host {
        let sources = Arc::new(sources);
        let index = Arc::new(index(&sources, calls));
        Host { sources, calls, index, compiled: Arc::default(), threads: Arc::default() }
    }

    /// As [`Host::new`], with the catalogue of these very sources, so that none of them has to be loaded for it.
    pub fn with_catalog(sources: Sources, catalog: Catalog) -> Host {
        let index = Arc::new(Index { catalog, faults: Vec::new() });
        Host {
            sources: Arc::new(sources),
            calls: Calls::default(),
            index,
            compiled: Arc::default(),
            threads: Arc::default(),
        }
    }

    /// Every recipe.
    pub fn catalog(&self) -> &Catalog {
        &self.index.catalog
    }

    /// What is wrong with the recipe files, located.
    pub fn faults(&self) -> &[Fault] {
        &self.index.faults
    }

    /// The sources.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The Lua files that a recipe is made of: its own, the one that it overrides, and every module that these require, also through another.
    /// Where a file computes a module's name, all modules belong to it.
    pub fn sources_of(&self, recipe: &str) -> Vec<&Source> {
        let Some(head) = self.index.catalog.get(recipe) else { return Vec::new() };
        let first = std::iter::once(&head.file).chain(&head.overrides);
        let mut open: Vec<&Source> = first.filter_map(|shown| self.sources.shown(shown)).collect();
        let mut found: BTreeMap<&str, &Source> = BTreeMap::new();
        while let Some(source) = open.pop() {
            if found.insert(&source.shown, source).is_some() {
                continue;
            }
            let (mut names, computed) = scan::requires(&source.text);
            if computed {
                names = self.sources.modules();
            }
            open.extend(names.iter().filter_map(|name| self.sources.module(name).ok()));
        }
        found.into_values().collect()
    }

    #[cfg(test)]
    pub(super) fn compiled(&self, file: &str, recipe: &str) -> bool {
        self.compiled.get(file, recipe).is_some()
    }

    /// A body that has not begun. A recipe that does not exist is a failure of its first turn.
    pub fn spawn(&self, spec: StepSpec) -> Box<dyn Machine> {
        let deadline = Arc::new(Deadline::new(spec.limits.turn));
        let (deliver, deliveries) = sync_channel::<Delivery>(1);
        let (answer, turns) = sync_channel::<Turn>(1);
        let bell = Arc::<AtomicWaker>::default();
        let answer = Answer { turns: Some(answer), bell: bell.clone() };
        let (host, watched) = (self.clone(), deadline.clone());
        #[cfg(test)]
        let mutant = crate::sys::fault::mutants::current();
        let started = self.threads.run(Box::new(move || {
            #[cfg(test)]
            crate::sys::fault::mutants::switch(mutant);
            run(&host, &spec, &watched, &deliveries, &answer);
        }));
        let fault = started
            .err()
            .map(|error| Fault::new(Code::BUG, format!("no thread for a recipe's body: {error}")));
        Box::new(Supervisor { deadline, deliver, turns, bell, over: fault })
    }
}

/// The side of the engine: hands deliveries over, and gives up on a VM that is silent for too long.
struct Supervisor {
    deadline: Arc<Deadline>,
    deliver: SyncSender<Delivery>,
    turns: Receiver<Turn>,
    /// Rung when a turn is there.
    bell: Arc<AtomicWaker>,
    /// Why nothing more will come.
    over: Option<Fault>,
}

impl Supervisor {
    fn end(&mut self, fault: Fault) -> Turn {
        self.over = Some(fault.clone());
        Turn { acts: Vec::new(), end: Some(Err(Failure::Fault(Box::new(fault)))) }
    }

    /// C code cannot be interrupted: the thread is left to itself, the run ends.
    fn give_up(&mut self) -> Turn {
        self.deadline.abandon();
        let title = format!(
            "the recipe did not stop within {}s past its deadline; it is abandoned",
            GRACE.as_secs()
        );
        self.end(
            Fault::new(Code::RUNAWAY, title)
                .help("a pattern such as \"a?a?a?…\" on a long text runs for hours"),
        )
    }
}

fn died() -> Fault {
    Fault::new(Code::BUG, "the thread of a recipe's body has ended")
}

impl Machine for Supervisor {
    fn turn(&mut self, delivery: Delivery) -> Turn {
        let _ = self.deliver(delivery);
        loop {
            if let Some(fault) = self.over.clone() {
                return self.end(fault);
            }
            let Some(patience) = self.deadline.patience() else { return self.give_up() };
            match self.turns.recv_timeout(patience) {
                Ok(turn) => return turn,
                Err(RecvTimeoutError::Disconnected) => return self.end(died()),
                // The deadline may have been renewed for cleanups meanwhile.
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn deliver(&mut self, delivery: Delivery) -> Result<(), Delivery> {
        if self.over.is_none() {
            self.deadline.renew();
            if self.deliver.send(delivery).is_err() {
                self.over = Some(died());
            }
        }
        Ok(())
    }

    fn poll_turn(&mut self, task: &mut Context<'_>) -> Poll<Turn> {
        if let Some(fault) = self.over.clone() {
            return Poll::Ready(self.end(fault));
        }
        // Before the look, so that a turn that comes behind it rings.
        self.bell.register(task.waker());
        match self.turns.try_recv() {
            Ok(turn) => Poll::Ready(turn),
            Err(TryRecvError::Disconnected) => Poll::Ready(self.end(died())),
            Err(TryRecvError::Empty) if self.deadline.patience().is_none() => {
                Poll::Ready(self.give_up())
            }
            Err(TryRecvError::Empty) => Poll::Pending,
        }
    }

    fn patience(&self) -> Duration {
        self.deadline.patience().unwrap_or_default()
    }
}

/// The side of the VM: gives turns, and rings; also when its thread ends without one.
struct Answer {
    turns: Option<SyncSender<Turn>>,
    bell: Arc<AtomicWaker>,
}

impl Answer {
    /// False where nobody listens any more.
    fn send(&self, turn: Turn) -> bool {
        let sent = self.turns.as_ref().is_some_and(|turns| turns.send(turn).is_ok());
        self.bell.wake();
        sent
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.turns = None;
        self.bell.wake();
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.deadline.abandon();
    }
}

/// The life of a VM's thread: turn after turn until the body has ended or nobody delivers any more.
fn run(
    host: &Host,
    spec: &StepSpec,
    deadline: &Arc<Deadline>,
    deliveries: &Receiver<Delivery>,
    answer: &Answer,
) {
    let Ok(first) = deliveries.recv() else { return };
    let body = Body::new(host.calls, deadline.clone(), &spec.run.0);
    let started = begin(host, spec, &body);
    let (vm, head, done) = match started {
        Ok(started) => started,
        Err(failure) => {
            answer.send(Turn { acts: body.take_acts(), end: Some(Err(failure)) });
            return;
        }
    };
    let mut delivery = first;
    loop {
        let turn = turn(&vm, spec, &head, &done, delivery);
        let ended = turn.end.is_some();
        if !answer.send(turn) || ended {
            return;
        }
        match deliveries.recv() {
            Ok(next) => delivery = next,
            Err(_) => return,
        }
    }
}

fn begin(host: &Host, spec: &StepSpec, body: &Rc<Body>) -> Result<(Vm, Head, Rc<Done>), Failure> {
    let fail = |fault: Fault| Failure::Fault(Box::new(fault));
    let Some(head) = host.index.catalog.get(&spec.recipe) else {
        let known = host.index.catalog.names();
        let title = format!("there is no recipe `{}`", spec.recipe);
        return Err(fail(
            Fault::new(Code::RECIPE_UNKNOWN, title).did_you_mean(&spec.recipe, known),
        ));
    };
    let vm = Vm::new(host.sources.clone(), body.clone(), spec.limits.memory)
        .map_err(|error| fail(Fault::new(Code::MEMORY, error.to_string())))?;
    let done = entry::begin(&vm, &host.sources, &host.compiled, head, spec)?;
    Ok((vm, head.clone(), done))
}

fn turn(vm: &Vm, spec: &StepSpec, head: &Head, done: &Rc<Done>, delivery: Delivery) -> Turn {
    let body = &vm.body;
    let mut stray = None;
    match delivery {
        Delivery::Begin => {}
        Delivery::Reply { id, reply } => {
            if !body.deliver(&id, reply) {
                stray = Some(Fault::new(Code::BUG, format!("nobody waits for {id}")));
            }
        }
        Delivery::Stop { branch, stop } => body.stop(&branch, &stop),
    }
    body.settle();
    let end = match (stray, done.outcome()) {
        (Some(fault), _) => Some(Err(Failure::Fault(Box::new(fault)))),
        (None, Some(outcome)) => Some(entry::result(body, &vm.lua, spec, head, outcome)),
        (None, None) if !body.waits() => {
            let fault = Fault::new(Code::BUG, "the body neither waits nor has it ended");
            Some(Err(Failure::Fault(Box::new(fault))))
        }
        (None, None) => None,
    };
    Turn { acts: body.take_acts(), end }
}

/// Loads the heads of all recipes: every recipe by name, and what is wrong with the files.
pub fn catalog(sources: &Sources) -> (Catalog, Vec<Fault>) {
    let host = Host::new(sources.clone());
    (host.catalog().clone(), host.faults().to_vec())
}
