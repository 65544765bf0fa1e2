//! Shell lines in the lab: they really run, and the shims in them ask the simulated cluster. Simulated time stands still while a line works,
//! and passes while it waits for the lab.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ops_core::error::Fault;
use ops_core::shim;
use ops_lab::{ClientId, ReadFiles, ToolCall, ToolOutput as LabOutput};

use super::Simulated;
use crate::sys::channel::{Ask, Printed, Said, Says};
use crate::sys::world::{Watcher, World};

/// The lines that run, and what they ask.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// By process group: how many questions it waits for.
    asking: RefCell<BTreeMap<i32, usize>>,
    /// Questions under way, with the group that asks.
    open: RefCell<BTreeMap<ClientId, (i32, Said)>>,
}

impl Lines {
    /// Whether a line does something of its own.
    pub(super) fn work(&self) -> bool {
        self.asking.borrow().values().any(|questions| *questions == 0)
    }

    /// Answers a shim whose question this was; else the output is somebody else's.
    pub(super) fn finished(
        &self,
        client: ClientId,
        output: LabOutput,
        real: &dyn World,
    ) -> Option<LabOutput> {
        let Some((group, said)) = self.open.borrow_mut().remove(&client) else {
            return Some(output);
        };
        if let Some(questions) = self.asking.borrow_mut().get_mut(&group) {
            *questions = questions.saturating_sub(1);
        }
        real.answer(said, &printed(output));
        None
    }
}

fn printed(output: LabOutput) -> Printed {
    // A read writes nothing; should one ever, no file of the real disk comes from a simulation.
    if let Some(write) = output.writes.first() {
        let said = format!("lab: not modelled: a shell line that writes {}\n", write.path);
        return Printed { code: 1, stdout: Vec::new(), stderr: said.into_bytes() };
    }
    let code = u8::try_from(output.code).unwrap_or(1);
    Printed { code, stdout: output.stdout, stderr: output.stderr }
}

impl Simulated {
    /// A shim asks the lab: it is answered when the lab's tool ends. What is no question of a running line is returned.
    pub(super) fn asked(&self, group: Option<i32>, said: Said) -> Option<(Option<i32>, Said)> {
        let Says::Ask(ask) = &said.message.says else { return Some((group, said)) };
        let (tool, args) = (&said.message.tool, &said.message.args);
        // Who asks may be anybody: what a shim would have refused is no question.
        let Some(line) = group.filter(|_| shim::judge(tool, args).is_ok()) else {
            return Some((group, said));
        };
        let call = ToolCall {
            tool: tool.clone(),
            args: args.clone(),
            env: ask.env.clone().into_iter().collect(),
            stdin: ask.stdin.clone().map(String::into_bytes),
        };
        let client = self.lab.borrow_mut().start(&call, &Around(ask));
        *self.lines.asking.borrow_mut().entry(line).or_default() += 1;
        self.lines.open.borrow_mut().insert(client, (line, said));
        self.collect();
        None
    }
}

/// What the tool would find where its shim stands: the real disk, and client configs that stand nowhere.
struct Around<'a>(&'a Ask);

impl ReadFiles for Around<'_> {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        if let ("/dev/stdin", Some(text)) = (path, &self.0.stdin) {
            return Some(text.clone().into_bytes());
        }
        if let Some(config) = self.0.files.get(path) {
            return Some(config.clone().into_bytes());
        }
        let path: PathBuf = Path::new(&self.0.cwd).join(path);
        std::fs::read(path).ok()
    }
}

/// One line that runs, from its start to its end.
pub(super) struct Line<'a> {
    world: &'a Simulated,
    inner: &'a dyn Watcher,
    group: Cell<Option<i32>>,
}

impl<'a> Line<'a> {
    pub(super) fn new(world: &'a Simulated, inner: &'a dyn Watcher) -> Line<'a> {
        world.hold();
        Line { world, inner, group: Cell::new(None) }
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let Some(group) = self.group.get() else { return self.world.release() };
        let lines = &self.world.lines;
        lines.asking.borrow_mut().remove(&group);
        let mut lab = self.world.lab.borrow_mut();
        lines.open.borrow_mut().retain(|client, (of, _)| {
            // What it asked dies with it.
            if *of == group && lab.is_running(*client) {
                lab.kill_client(*client);
            }
            *of != group
        });
    }
}

impl Watcher for Line<'_> {
    fn started(&self, group: i32, start: u64) {
        if self.group.replace(Some(group)).is_none() {
            self.world.release();
        }
        self.world.lines.asking.borrow_mut().insert(group, 0);
        self.inner.started(group, start);
    }
    fn output(&self, stderr: bool, bytes: &[u8]) {
        self.inner.output(stderr, bytes);
    }
    fn refused(&self, fault: &Fault) {
        self.inner.refused(fault);
    }
    fn ended(&self, code: i32) {
        self.inner.ended(code);
    }
}
