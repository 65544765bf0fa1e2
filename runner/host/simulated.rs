//! The lab as a world: talosctl and kubectl are answered by the simulated cluster, time is simulated and moves only when every party waits.
//!
//! Other tools (a shell, git) really run; while one does, simulated time stands still. The cluster's state is kept in a file between commands.

mod lines;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ops_core::argv::{Argv, ToolOutput};
use ops_core::call::Target;
use ops_core::error::Fault;
use ops_core::shim;
use ops_core::time::{Span, Time};
use ops_lab::{
    ClientId, HttpCall, Lab, Mark, ReadFiles, TimerId, ToolCall, ToolOutput as LabOutput,
};
use serde_json::Value;

use crate::sys::channel::Said;
use crate::sys::environment::THROUGH_SHIMS;
use crate::sys::fault;
use crate::sys::files::Files;
use crate::sys::world::{KubeReply, KubeRequest, Local, ToolFailure, Watcher, World};
use lines::{Line, Lines};

/// Tools that the simulated cluster answers; the others are real.
const SIMULATED: [&str; 9] = [
    "talosctl",
    "kubectl",
    "helm",
    "flux",
    "helmfile",
    "omnictl",
    "argocd",
    "flux-operator",
    "velero",
];

/// A world whose cluster is simulated.
pub struct Simulated {
    lab: RefCell<Lab>,
    state: Option<PathBuf>,
    files: Rc<dyn Files>,
    real: Rc<dyn World>,
    /// Who works in real time: bodies in a turn. Simulated time stands still.
    busy: Cell<u32>,
    tools: RefCell<BTreeMap<ClientId, Slot<LabOutput>>>,
    answers: RefCell<BTreeMap<ClientId, Slot<(u16, Value)>>>,
    timers: RefCell<BTreeMap<TimerId, Slot<()>>>,
    seen_requests: Cell<usize>,
    /// What is on disk.
    saved: RefCell<Option<Mark>>,
    lines: Lines,
    /// So many requests of tools with this word among their arguments are lost on their way.
    #[cfg(test)]
    pub(crate) loses: Cell<(&'static str, u32)>,
}

/// What somebody waits for.
enum Slot<T> {
    Waiting(Option<Waker>),
    Ready(T),
}

/// The lab reads files when a tool starts, its standard input among them.
struct Reading<'a> {
    files: &'a dyn Files,
    stdin: Option<&'a [u8]>,
}

impl ReadFiles for Reading<'_> {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        match (path, self.stdin) {
            ("/dev/stdin", Some(bytes)) => Some(bytes.to_vec()),
            _ => self.files.read(path).ok(),
        }
    }
}

impl Simulated {
    /// A world over a lab; `state` is where it is kept between commands, `real` runs what is not simulated.
    pub fn new(
        lab: Lab,
        state: Option<PathBuf>,
        files: Rc<dyn Files>,
        real: Rc<dyn World>,
    ) -> Simulated {
        let seen_requests = Cell::new(lab.requests().len());
        Simulated {
            lab: RefCell::new(lab),
            state,
            files,
            real,
            busy: Cell::new(0),
            tools: RefCell::default(),
            answers: RefCell::default(),
            timers: RefCell::default(),
            seen_requests,
            saved: RefCell::default(),
            lines: Lines::default(),
            #[cfg(test)]
            loses: Cell::default(),
        }
    }

    /// Whether the simulated cluster answers a tool of this name.
    pub fn answers(tool: &str) -> bool {
        SIMULATED.contains(&tool)
    }

    /// The lab.
    pub fn lab(&self) -> std::cell::Ref<'_, Lab> {
        self.lab.borrow()
    }

    /// Keeps the cluster's state, where anything happened in it: a new file over the old one, so that a kill leaves one of the two.
    ///
    /// # Errors
    /// As the system says.
    pub fn save(&self) -> io::Result<()> {
        let Some(path) = &self.state else { return Ok(()) };
        let lab = self.lab.borrow();
        let now = lab.mark();
        if self.saved.borrow().as_ref() != Some(&now) {
            save_lab(&lab, path)?;
            self.saved.replace(Some(now));
        }
        Ok(())
    }

    /// Hands out what has become ready.
    fn collect(&self) {
        let mut lab = self.lab.borrow_mut();
        let tools = lab.take_finished();
        let answers = lab.take_answered();
        let timers = lab.take_timers();
        let requests = lab.requests().len();
        drop(lab);
        // What a request did is on disk before anybody hears of it.
        let before = self.seen_requests.replace(requests);
        if !tools.is_empty() || !answers.is_empty() || requests != before {
            // A lab that cannot be kept is still a lab; the next command says that it is gone.
            let _ = self.save();
        }
        let wrote = self.lab.borrow().requests()[before..].iter().any(|reached| reached.writes);
        if wrote {
            fault::point("b6");
        }
        for (client, output) in tools {
            let Some(output) = self.lines.finished(client, output, &*self.real) else { continue };
            ready(&mut self.tools.borrow_mut(), client, output);
        }
        for (client, answer) in answers {
            ready(&mut self.answers.borrow_mut(), client, answer);
        }
        for timer in timers {
            ready(&mut self.timers.borrow_mut(), timer, ());
        }
    }

    async fn wait<K: Ord + Copy, T>(&self, slots: &RefCell<BTreeMap<K, Slot<T>>>, key: K) -> T {
        slots.borrow_mut().entry(key).or_insert(Slot::Waiting(None));
        std::future::poll_fn(|task| {
            let mut slots = slots.borrow_mut();
            if let Some(Slot::Waiting(waker)) = slots.get_mut(&key) {
                *waker = Some(task.waker().clone());
                return Poll::Pending;
            }
            match slots.remove(&key) {
                Some(Slot::Ready(value)) => Poll::Ready(value),
                _ => Poll::Pending,
            }
        })
        .await
    }

    async fn tool(&self, argv: &Argv, timeout: Option<Span>) -> Result<ToolOutput, ToolFailure> {
        let call = ToolCall {
            tool: argv.tool.clone(),
            args: argv.args.clone(),
            env: argv.env.clone(),
            stdin: argv.stdin.clone(),
        };
        let reading = Reading { files: &*self.files, stdin: argv.stdin.as_deref() };
        let client = self.lab.borrow_mut().start(&call, &reading);
        let guard = Running { world: self, client };
        self.collect();
        let work = self.wait(&self.tools, client);
        let output = match timeout {
            None => work.await,
            Some(limit) => {
                let late = self.sleep(limit);
                match futures_util::future::select(Box::pin(work), late).await {
                    futures_util::future::Either::Left((output, _)) => output,
                    futures_util::future::Either::Right(_) => {
                        return Err(ToolFailure::Timeout { tool: argv.tool.clone(), limit });
                    }
                }
            }
        };
        drop(guard);
        for write in &output.writes {
            let path = argv.cwd.as_ref().map_or_else(
                || write.path.clone(),
                |cwd| Path::new(cwd).join(&write.path).to_string_lossy().into_owned(),
            );
            self.files.write(&path, &write.bytes, write.mode).map_err(|error| {
                ToolFailure::Start { tool: argv.tool.clone(), message: format!("{path}: {error}") }
            })?;
        }
        Ok(ToolOutput { code: output.code, stdout: output.stdout, stderr: output.stderr })
    }
}

/// A tool that is dropped is killed: what it sent is under way all the same.
struct Running<'a> {
    world: &'a Simulated,
    client: ClientId,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut lab = self.world.lab.borrow_mut();
        if lab.is_running(self.client) {
            lab.kill_client(self.client);
        }
    }
}

/// Somebody who sleeps. Who stops to wait needs no waking.
struct Sleeper<'a> {
    world: &'a Simulated,
    timer: TimerId,
}

impl Sleeper<'_> {
    async fn wakes(self) {
        self.world.wait(&self.world.timers, self.timer).await;
    }
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        self.world.timers.borrow_mut().remove(&self.timer);
        self.world.lab.borrow_mut().cancel_timer(self.timer);
    }
}

/// Whether a command of such a tool works on files alone and knows no cluster: the real tool answers it here too.
fn is_local(argv: &Argv) -> bool {
    let through_shims = argv.env.iter().any(|(name, _)| name == THROUGH_SHIMS);
    argv.tool == "kubectl"
        && argv.args.first().is_some_and(|verb| verb == "kustomize")
        && !through_shims
}

/// What a shim would answer in place of the tool.
fn refusal(fault: &Fault) -> ToolOutput {
    let said = [fault.to_string()].into_iter().chain(fault.help.iter().cloned());
    ToolOutput {
        code: fault.code.exit.code().into(),
        stdout: Vec::new(),
        stderr: said.collect::<Vec<_>>().join("\n").into_bytes(),
    }
}

fn ready<K: Ord, T>(slots: &mut BTreeMap<K, Slot<T>>, key: K, value: T) {
    if let Some(Slot::Waiting(Some(waker))) = slots.insert(key, Slot::Ready(value)) {
        waker.wake();
    }
}

/// Writes a lab to its file in one step.
///
/// # Errors
/// As the system says.
pub fn save_lab(lab: &Lab, path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let fresh = path.with_extension("new");
    // It holds the lab's keys: nobody else's to read, as with a real cluster's.
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(lab.save().as_bytes())?;
    fs::rename(&fresh, path)
}

impl World for Simulated {
    fn run<'a>(
        &'a self,
        argv: &'a Argv,
        timeout: Option<Span>,
        watcher: &'a dyn Watcher,
    ) -> Local<'a, Result<ToolOutput, ToolFailure>> {
        if SIMULATED.contains(&argv.tool.as_str()) && !is_local(argv) {
            let through_shims = argv.env.iter().any(|(name, _)| name == THROUGH_SHIMS);
            if through_shims && let Err(fault) = shim::judge(&argv.tool, &argv.args) {
                return Box::pin(std::future::ready(Ok(refusal(&fault))));
            }
            #[cfg(test)]
            if let (word, left @ 1..) = self.loses.get()
                && argv.args.iter().any(|arg| arg == word)
            {
                self.loses.set((word, left - 1));
                // The client asks some things before.
                for _ in 0..8 {
                    let _ = self.lab.borrow_mut().break_(&ops_lab::Fault::LoseRequest);
                }
            }
            return Box::pin(self.tool(argv, timeout));
        }
        Box::pin(async move {
            let line = Line::new(self, watcher);
            self.real.run(argv, timeout, &line).await
        })
    }

    fn kube<'a>(
        &'a self,
        target: &'a Target,
        request: &'a KubeRequest,
    ) -> Local<'a, Result<KubeReply, ToolFailure>> {
        Box::pin(async move {
            let failed =
                |message: String| ToolFailure::Start { tool: "kubernetes".into(), message };
            let kubeconfig = self
                .files
                .read(&target.kubeconfig)
                .map_err(|error| failed(format!("{}: {error}", target.kubeconfig)))?;
            let call = HttpCall {
                method: request.method.clone(),
                path: request.path.clone(),
                body: request.body.clone(),
                kubeconfig: String::from_utf8_lossy(&kubeconfig).into_owned(),
                context: Some(target.context.clone()),
            };
            let client = self.lab.borrow_mut().start_http(call);
            self.collect();
            let (status, body) = self.wait(&self.answers, client).await;
            if status == 0 {
                let message = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
                return Err(failed(message));
            }
            Ok(KubeReply { status, body })
        })
    }

    fn now(&self) -> Time {
        Time(self.lab.borrow().now())
    }

    fn sleep(&self, span: Span) -> Local<'_, ()> {
        let timer = {
            let mut lab = self.lab.borrow_mut();
            let at = lab.now().saturating_add(span.0);
            lab.set_timer(at)
        };
        let sleeper = Sleeper { world: self, timer };
        Box::pin(sleeper.wakes())
    }

    fn pass_time(&self) -> bool {
        if self.busy.get() > 0 || self.lines.work() || !self.lab.borrow_mut().step() {
            return false;
        }
        self.collect();
        true
    }

    fn hold(&self) {
        self.busy.set(self.busy.get() + 1);
    }

    fn release(&self) {
        self.busy.set(self.busy.get().saturating_sub(1));
    }

    fn poll_said(&self, task: &mut Context<'_>) -> Poll<(Option<i32>, Said)> {
        loop {
            let Poll::Ready((group, said)) = self.real.poll_said(task) else {
                return Poll::Pending;
            };
            if let Some(stray) = self.asked(group, said) {
                return Poll::Ready(stray);
            }
        }
    }

    fn random(&self) -> u64 {
        self.real.random()
    }

    fn simulated(&self) -> bool {
        true
    }
}
