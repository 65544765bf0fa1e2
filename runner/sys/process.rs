//! Runs one child process, in a group of its own or with the terminal: streams, deadline, signals. Knows nothing of recipes, guards or the journal.
//!
//! The only place that starts processes. No `pre_exec`: it would fork the whole engine instead of spawning.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::rc::Rc;
use std::task::{Context, Poll};

use ops_core::argv::{Argv, ToolOutput};
use ops_core::error::{Code, Fault};
use ops_core::time::Span;
use ops_core::value::REPLY_MAX;
use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::channel::{Printed, Said, Waiting};
use super::confine::Confined;
use super::environment::{Environment, THROUGH_SHIMS};
use super::group::Child as Target;
use super::world::{ToolFailure, Watcher};
use super::{clock, fault, group};

/// Starts processes and ends them.
#[derive(Debug)]
pub struct Processes {
    /// Where relative paths start: the repository's root.
    root: PathBuf,
    environment: Environment,
    limits: ProcessLimits,
    running: RefCell<BTreeMap<i32, Rc<Running>>>,
    /// Made for the first process that only reads.
    confined: OnceCell<Confined>,
    /// `/dev/null`.
    nothing: OnceCell<File>,
}

/// How patient and how roomy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessLimits {
    /// From the first signal to SIGKILL, and how long what a process left behind may hold its output open.
    pub grace: Span,
    /// Bytes of output that are kept; the rest still streams.
    pub kept: usize,
}

impl Default for ProcessLimits {
    fn default() -> ProcessLimits {
        ProcessLimits { grace: Span::secs(10), kept: REPLY_MAX }
    }
}

#[derive(Debug, Default)]
struct Running {
    interrupts: Cell<u32>,
    changed: Notify,
    /// The first refusal, until the watcher has it.
    refused: RefCell<Option<Fault>>,
    ending: Cell<bool>,
    /// Groups between the one that was started and a shim that refused: a shell with job control, `setsid`.
    further: RefCell<BTreeSet<i32>>,
    /// Shims that refused wait until all of it is over, so that the line does not go on behind them.
    waiting: RefCell<Vec<Waiting>>,
}

impl Running {
    /// A shim inside refused: the first ends all of it, further ones only add what is between them and the line.
    fn refuse(&self, fault: Fault, said: Said, between: &[i32]) {
        self.further.borrow_mut().extend(between);
        self.waiting.borrow_mut().push(said.keep_waiting());
        if self.ending.replace(true) {
            for group in between {
                Target::Group(*group).signal(Signal::TERM);
            }
            return;
        }
        *self.refused.borrow_mut() = Some(fault);
        self.interrupts.set(self.interrupts.get().max(1));
        self.changed.notify_one();
    }

    /// Hands the first refusal on.
    fn tell(&self, watcher: &dyn Watcher) {
        if let Some(fault) = self.refused.take() {
            watcher.refused(&fault);
        }
    }
}

impl Processes {
    /// Processes with this environment and root.
    pub fn new(root: PathBuf, environment: Environment, limits: ProcessLimits) -> Processes {
        Processes {
            root,
            environment,
            limits,
            running: RefCell::default(),
            confined: OnceCell::new(),
            nothing: OnceCell::new(),
        }
    }

    /// Where a program is, as `run` would find it.
    pub fn find(&self, tool: &str) -> Option<PathBuf> {
        self.environment.find(tool, &self.root, None)
    }

    /// Interrupts a running group: SIGTERM, and SIGKILL after the grace; `hard`, or the second time: SIGKILL at once. Nothing happens where
    /// it has ended.
    ///
    /// Not SIGINT: children inherit that it is ignored where `ops` itself runs in the background of a script.
    pub fn interrupt(&self, group: i32, hard: bool) {
        if let Some(running) = self.running.borrow().get(&group) {
            running.interrupts.set(running.interrupts.get() + if hard { 2 } else { 1 });
            running.changed.notify_one();
        }
    }

    /// What a shim says. A refusal ends the group that it came from, as an interrupt would. What is no refusal is returned with its group, and
    /// what belongs to no running one without: its own group is asked to end.
    pub fn poll_said(&self, task: &mut Context<'_>) -> Poll<(Option<i32>, Said)> {
        let Some(shims) = self.environment.shims() else { return Poll::Pending };
        loop {
            let Poll::Ready(said) = shims.poll_said(task) else { return Poll::Pending };
            let running = self.running.borrow();
            let ancestry: Vec<i32> = said.pid.map(group::ancestry).into_iter().flatten().collect();
            let line = ancestry.iter().position(|group| running.contains_key(group));
            let group = line.map(|at| ancestry[at]);
            let (Some(running), Some(fault)) =
                (group.and_then(|g| running.get(&g)), said.message.fault())
            else {
                if let (None, Some(own)) = (group, ancestry.first()) {
                    group::end_other(*own);
                }
                return Poll::Ready((group, said));
            };
            running.refuse(fault, said, &ancestry[..line.unwrap_or_default()]);
        }
    }

    /// Answers a shim with what its tool would have printed.
    pub fn answer(&self, said: Said, printed: &Printed) {
        if let Some(shims) = self.environment.shims() {
            shims.answer(said, printed);
        }
    }

    /// The groups that run now.
    pub fn running(&self) -> Vec<i32> {
        self.running.borrow().keys().copied().collect()
    }

    /// Runs a command to its end. Dropping the future kills its group.
    ///
    /// # Errors
    /// Where it did not start or did not end by itself, or wrote more than is kept; a non-zero exit is an output.
    pub async fn run(
        &self,
        argv: &Argv,
        timeout: Option<Span>,
        watcher: &dyn Watcher,
    ) -> Result<ToolOutput, ToolFailure> {
        let on_terminal = watcher.terminal();
        let mut child = self.spawn(argv, on_terminal)?;
        let started = Instant::now();
        let leader = child.id().map_or(0, |id| id as i32);
        let target = if on_terminal { Target::OnTerminal(leader) } else { Target::Group(leader) };
        let held = Held::new(self, leader, target);
        watcher.started(leader, group::start_time(leader));

        let kept = RefCell::new(Kept { room: self.limits.kept, ..Kept::default() });
        let mut streams = pin!({
            let (stdin, stdout, stderr) =
                (child.stdin.take(), child.stdout.take(), child.stderr.take());
            let kept = &kept;
            async move {
                tokio::join!(
                    feed(stdin, argv.stdin.as_deref().unwrap_or_default()),
                    pump(stdout, false, watcher, kept),
                    pump(stderr, true, watcher, kept),
                )
            }
        });

        let grace = clock::duration(self.limits.grace);
        let deadline = timeout.map(|span| started + clock::duration(span));
        let mut end = Ending::default();
        let mut timer = deadline;
        loop {
            tokio::select! {
                biased;
                _ = &mut streams, if !end.streams => end.streams = true,
                status = child.wait(), if end.status.is_none() => {
                    // No line is left that could go on behind them.
                    held.running.waiting.take();
                    // `wait` fails only where somebody else reaped the child; with its code lost, it is no success.
                    end.status = Some(status.unwrap_or_else(|_| ExitStatus::from_raw(1 << 8)));
                    match end.stage {
                        Stage::Running => {
                            (end.stage, timer) = (Stage::Lingering, Some(Instant::now() + grace));
                        }
                        // A child that it forked while the signal was under way has not seen it.
                        Stage::Signalled => held.signal(Signal::TERM),
                        Stage::Lingering | Stage::Killed | Stage::GivenUp => {}
                    }
                }
                () = held.running.changed.notified() => {
                    held.running.tell(watcher);
                    end.interrupted = true;
                    let first = held.running.interrupts.get() == 1 && end.stage < Stage::Signalled;
                    held.signal(if first { Signal::TERM } else { Signal::KILL });
                    end.stage = if first { Stage::Signalled } else { Stage::Killed };
                    timer = Some(Instant::now() + grace);
                }
                () = sleep_until(timer.unwrap_or(started)), if timer.is_some() => {
                    timer = Some(Instant::now() + grace);
                    end.expire(&held);
                    if end.stage == Stage::GivenUp {
                        break;
                    }
                }
            }
            if end.streams && end.status.is_some() {
                break;
            }
        }
        held.running.tell(watcher);
        if let Some(shims) = self.environment.shims().filter(|_| through_shims(argv))
            && let Err(error) = shims.intact()
        {
            watcher.refused(&tampered(&error));
        }
        held.release(end.status.is_some());
        fault::point("b7");
        let code = end.status.map_or(128 + Signal::KILL.as_raw(), code_of);
        watcher.ended(code);
        let kept = std::mem::take(&mut *kept.borrow_mut());
        end.outcome(argv, timeout, code, kept, self.limits.kept)
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that starts processes")]
    fn spawn(&self, argv: &Argv, on_terminal: bool) -> Result<Child, ToolFailure> {
        let refused = |message: String| ToolFailure::Start { tool: argv.tool.clone(), message };
        let inside = if through_shims(argv) {
            self.environment.inside().map_err(|error| refused(format!("the shims: {error}")))?
        } else {
            None
        };
        let program = self
            .environment
            .find(&argv.tool, &self.root, inside.as_ref())
            .ok_or_else(|| ToolFailure::Missing(argv.tool.clone()))?;
        let cwd = argv.cwd.as_ref().map_or_else(|| self.root.clone(), |cwd| self.root.join(cwd));
        if !cwd.is_dir() {
            return Err(refused(format!("its working directory {} is no folder", cwd.display())));
        }
        let stdin = match (&argv.stdin, on_terminal) {
            (Some(_), _) => Stdio::piped(),
            (None, true) => Stdio::inherit(),
            (None, false) => self.nothing().map_err(|error| refused(error.to_string()))?,
        };
        let output = || if on_terminal { Stdio::inherit() } else { Stdio::piped() };
        let mut command = Command::new(program);
        command
            .args(&argv.args)
            .current_dir(cwd)
            .env_clear()
            .envs(self.environment.vars(inside.as_ref()))
            .envs(inside.iter().filter(|_| argv.only_reads).flat_map(|i| i.scratch_vars.clone()))
            .envs(argv.env.iter().map(|(name, value)| (name, value)))
            .stdin(stdin)
            .stdout(output())
            .stderr(output());
        // A group of its own would be in the background: the terminal stops who reads from there.
        if !on_terminal {
            command.process_group(0);
        }
        let started = match &inside {
            Some(inside) if argv.only_reads => {
                self.confined(&inside.scratch).and_then(|confined| confined.spawn(command))
            }
            _ => command.spawn(),
        };
        started.map_err(|error| refused(error.to_string()))
    }

    /// An empty stdin, opened once in a run.
    fn nothing(&self) -> io::Result<Stdio> {
        let file = if let Some(file) = self.nothing.get() {
            file
        } else {
            let file = File::open("/dev/null")?;
            self.nothing.get_or_init(|| file)
        };
        Ok(file.try_clone()?.into())
    }

    fn confined(&self, scratch: &Path) -> io::Result<&Confined> {
        if let Some(confined) = self.confined.get() {
            return Ok(confined);
        }
        let made = Confined::below(scratch)?;
        Ok(self.confined.get_or_init(|| made))
    }
}

/// Becomes another program: the same process with the same streams, and these variables beside its own. Returns only where that failed.
#[expect(clippy::disallowed_methods, reason = "the one place that starts processes")]
pub fn replace_by(
    program: &Path,
    args: &[String],
    vars: impl IntoIterator<Item = (&'static str, PathBuf)>,
) -> io::Error {
    std::process::Command::new(program).args(args).envs(vars).exec()
}

/// How far the end of a process has come, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    Running,
    /// Its leader has ended; something of it still holds its output open.
    Lingering,
    Signalled,
    Killed,
    /// Not even SIGKILL ended it: it sleeps in the kernel, or what holds its output left the group.
    GivenUp,
}

#[derive(Debug, Default)]
struct Ending {
    stage: Stage,
    streams: bool,
    status: Option<ExitStatus>,
    interrupted: bool,
    timed_out: bool,
}

impl Ending {
    /// The timer of this stage has passed.
    fn expire(&mut self, held: &Held<'_>) {
        self.stage = match self.stage {
            Stage::Running | Stage::Lingering => {
                self.timed_out |= self.stage == Stage::Running;
                held.signal(Signal::TERM);
                Stage::Signalled
            }
            Stage::Signalled => {
                held.signal(Signal::KILL);
                Stage::Killed
            }
            Stage::Killed | Stage::GivenUp => Stage::GivenUp,
        };
    }

    fn outcome(
        self,
        argv: &Argv,
        timeout: Option<Span>,
        code: i32,
        kept: Kept,
        limit: usize,
    ) -> Result<ToolOutput, ToolFailure> {
        let tool = argv.tool.clone();
        if self.timed_out {
            return Err(ToolFailure::Timeout { tool, limit: timeout.unwrap_or_default() });
        }
        // One that caught the signal and still ended well has done its work.
        if self.interrupted && code != 0 {
            return Err(ToolFailure::Interrupted(tool));
        }
        if kept.over {
            return Err(ToolFailure::TooLarge { tool, limit });
        }
        Ok(ToolOutput { code, stdout: kept.stdout, stderr: kept.stderr })
    }
}

/// A running group; killed when its holder goes away early.
struct Held<'a> {
    processes: &'a Processes,
    group: i32,
    target: Target,
    running: Rc<Running>,
    ended: Cell<bool>,
}

impl<'a> Held<'a> {
    fn new(processes: &'a Processes, group: i32, target: Target) -> Held<'a> {
        let running = Rc::<Running>::default();
        processes.running.borrow_mut().insert(group, Rc::clone(&running));
        Held { processes, group, target, running, ended: Cell::new(false) }
    }

    /// Signals the child, and the groups that a refused command had made its own.
    fn signal(&self, signal: Signal) {
        self.target.signal(signal);
        for group in &*self.running.further.borrow() {
            Target::Group(*group).signal(signal);
        }
    }

    fn release(&self, ended: bool) {
        self.ended.set(ended);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.processes.running.borrow_mut().remove(&self.group);
        if !self.ended.get() {
            self.signal(Signal::KILL);
        }
    }
}

/// Output that is kept for the reply.
#[derive(Debug, Default)]
struct Kept {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    room: usize,
    over: bool,
}

impl Kept {
    fn take(&mut self, stderr: bool, bytes: &[u8]) {
        let some = bytes.len().min(self.room);
        self.room -= some;
        self.over |= some < bytes.len();
        let to = if stderr { &mut self.stderr } else { &mut self.stdout };
        to.extend_from_slice(&bytes[..some]);
    }
}

async fn feed(stdin: Option<ChildStdin>, bytes: &[u8]) {
    if let Some(mut stdin) = stdin {
        // A process that does not read its stdin to the end is no failure.
        let _ = stdin.write_all(bytes).await;
        let _ = stdin.shutdown().await;
    }
}

async fn pump(
    stream: Option<impl AsyncRead + Unpin>,
    stderr: bool,
    watcher: &dyn Watcher,
    kept: &RefCell<Kept>,
) {
    // Most print little; who fills this is read in larger pieces.
    const FIRST: usize = 4 << 10;
    const CHUNK: usize = 64 << 10;
    let Some(mut stream) = stream else { return };
    let mut chunk = Vec::with_capacity(FIRST);
    while let Ok(1..) = stream.read_buf(&mut chunk).await {
        watcher.output(stderr, &chunk);
        kept.borrow_mut().take(stderr, &chunk);
        let filled = chunk.len() == chunk.capacity();
        chunk.clear();
        if filled {
            chunk.reserve_exact(CHUNK);
        }
    }
}

fn through_shims(argv: &Argv) -> bool {
    argv.env.iter().any(|(name, _)| name == THROUGH_SHIMS)
}

/// What a line could hide by this nobody knows.
fn tampered(error: &io::Error) -> Fault {
    Fault::new(Code::SHIM, format!("a shell line changed the shims of its run: {error}"))
        .detail("Whether one of them refused something meanwhile is not known.")
}

fn code_of(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|n| 128 + n)).unwrap_or(1)
}

#[cfg(test)]
mod tests;
