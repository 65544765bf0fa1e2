//! The faces: models of the real tools that turn argv into requests and answers into text.
//! No branch in a face may change the world; everything it does goes out as a request.
//!
//! A tool is a coroutine that the lab polls itself: it has the real tool's own steps, waits in
//! simulated time only, and can be dropped between any two of them.

mod flags;
pub mod http;
mod kubectl;
mod talosctl;
mod text;
mod tree;

use crate::lab::Lab;
use crate::reply::Outcome;
use crate::request::{Request, Route};
use crate::world::{ClientId, Event, Ms, Origin, World};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

pub use http::HttpCall;

/// A command line.
#[derive(Clone, Debug, Default)]
pub struct ToolCall {
    /// `talosctl` or `kubectl`.
    pub tool: String,
    /// Arguments after the tool's name.
    pub args: Vec<String>,
    /// Environment.
    pub env: Vec<(String, String)>,
    /// Standard input.
    pub stdin: Option<Vec<u8>>,
}

/// A file that a tool wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileWrite {
    /// Path as the tool was given it.
    pub path: String,
    /// Content.
    pub bytes: Vec<u8>,
    /// Mode bits.
    pub mode: u32,
}

/// How a tool ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolOutput {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Files written, in order.
    pub writes: Vec<FileWrite>,
}

/// The caller's files, read when a tool starts.
pub trait ReadFiles {
    /// Content of a file, or none where there is no such file.
    fn read(&self, path: &str) -> Option<Vec<u8>>;
}

impl ReadFiles for BTreeMap<String, Vec<u8>> {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.get(path).cloned()
    }
}

/// What a process leaves behind.
#[derive(Debug)]
pub(crate) enum Finished {
    Tool(ToolOutput),
    Http(u16, Value),
}

/// What a process and the lab exchange.
#[derive(Default)]
struct Exchange {
    now: Ms,
    submits: Vec<(u32, Route, Request)>,
    sleeps: Vec<(u32, Ms)>,
    answers: BTreeMap<u32, Outcome>,
    woken: BTreeSet<u32>,
    next_slot: u32,
    output: ToolOutput,
    names: Arc<Vec<String>>,
    texts: Arc<Vec<String>>,
}

/// A process's connection to the lab.
#[derive(Clone, Default)]
pub(crate) struct Io(Arc<Mutex<Exchange>>);

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Io")
    }
}

impl Io {
    fn lock(&self) -> MutexGuard<'_, Exchange> {
        // A panic in a poll is the lab's own end; the data is plain.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wake(&self, slot: u32) {
        self.lock().woken.insert(slot);
    }

    pub(crate) fn answer(&self, slot: u32, outcome: Outcome) {
        self.lock().answers.insert(slot, outcome);
    }

    /// Simulated milliseconds.
    pub(crate) fn now(&self) -> Ms {
        self.lock().now
    }

    /// Writes to standard output.
    pub(crate) fn out(&self, text: impl AsRef<[u8]>) {
        self.lock().output.stdout.extend_from_slice(text.as_ref());
    }

    /// Writes to standard error.
    pub(crate) fn err(&self, text: impl AsRef<[u8]>) {
        self.lock().output.stderr.extend_from_slice(text.as_ref());
    }

    /// Writes a file.
    pub(crate) fn write(&self, path: &str, bytes: Vec<u8>, mode: u32) {
        self.lock().output.writes.push(FileWrite { path: path.to_owned(), bytes, mode });
    }

    /// The text of an interned name.
    pub(crate) fn name(&self, name: crate::world::Name) -> String {
        self.lock().names.get(usize::from(name.0)).cloned().unwrap_or_default()
    }

    /// The text of a config.
    pub(crate) fn text(&self, config: crate::world::ConfigId) -> String {
        self.lock().texts.get(usize::from(config.0)).cloned().unwrap_or_default()
    }

    /// Sends a request now; the answer may be awaited later.
    pub(crate) fn send(&self, route: Route, request: Request) -> Waiting {
        let mut exchange = self.lock();
        let slot = exchange.next_slot;
        exchange.next_slot += 1;
        exchange.submits.push((slot, route, request));
        Waiting { io: self.clone(), slot }
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn call(&self, route: Route, request: Request) -> Outcome {
        self.send(route, request).await
    }

    /// Waits.
    pub(crate) fn sleep(&self, ms: Ms) -> Sleeping {
        let mut exchange = self.lock();
        let slot = exchange.next_slot;
        exchange.next_slot += 1;
        exchange.sleeps.push((slot, ms));
        Sleeping { io: self.clone(), slot }
    }
}

/// An answer to come.
pub(crate) struct Waiting {
    io: Io,
    slot: u32,
}

impl Waiting {
    /// The answer, if it is there.
    pub(crate) fn ready(&self) -> Option<Outcome> {
        self.io.lock().answers.remove(&self.slot)
    }
}

impl Future for Waiting {
    type Output = Outcome;
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Outcome> {
        self.ready().map_or(Poll::Pending, Poll::Ready)
    }
}

/// A wait for a time.
pub(crate) struct Sleeping {
    io: Io,
    slot: u32,
}

impl Future for Sleeping {
    type Output = ();
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.io.lock().woken.remove(&self.slot) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// How a process ends, before its output is added.
pub(crate) enum Exit {
    Code(i32),
    Http(u16, Value),
}

/// A running tool.
pub(crate) struct Process {
    pub(crate) io: Io,
    body: Pin<Box<dyn Future<Output = Exit> + Send>>,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Process")
    }
}

impl Process {
    pub(crate) fn new<F>(body: impl FnOnce(Io) -> F) -> Self
    where
        F: Future<Output = Exit> + Send + 'static,
    {
        let io = Io::default();
        Self { io: io.clone(), body: Box::pin(body(io)) }
    }

    /// One that ends at once.
    pub(crate) fn done(output: ToolOutput) -> Self {
        let code = output.code;
        Self::new(move |io| {
            io.lock().output = output;
            async move { Exit::Code(code) }
        })
    }

    /// Lets it run until it waits, and takes over what it sends.
    pub(crate) fn poll(
        &mut self,
        client: ClientId,
        world: &mut World,
        names: Arc<Vec<String>>,
        texts: Arc<Vec<String>>,
    ) -> Option<Finished> {
        {
            let mut exchange = self.io.lock();
            exchange.now = world.now;
            exchange.names = names;
            exchange.texts = texts;
        }
        let exit = self.body.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let (submits, sleeps) = {
            let mut exchange = self.io.lock();
            (std::mem::take(&mut exchange.submits), std::mem::take(&mut exchange.sleeps))
        };
        for (slot, route, request) in submits {
            world.submit(Some(Origin { client, slot }), route, request);
        }
        for (slot, ms) in sleeps {
            world.push(world.now + ms, Event::Wake(Origin { client, slot }));
        }
        let Poll::Ready(exit) = exit else { return None };
        Some(match exit {
            Exit::Code(code) => {
                let mut output = std::mem::take(&mut self.io.lock().output);
                output.code = code;
                Finished::Tool(output)
            }
            Exit::Http(status, body) => Finished::Http(status, body),
        })
    }
}

/// What a tool says that has no model: never a made-up success.
pub(crate) fn not_modelled(what: &str) -> ToolOutput {
    failed(&format!("lab: not modelled: {what}\n"))
}

/// A tool that failed before it did anything.
pub(crate) fn failed(stderr: &str) -> ToolOutput {
    ToolOutput { code: 1, stderr: stderr.as_bytes().to_vec(), ..ToolOutput::default() }
}

/// Starts the model of a tool.
pub(crate) fn start(lab: &mut Lab, call: &ToolCall, files: &dyn ReadFiles) -> Process {
    let started = match call.tool.rsplit('/').next() {
        Some("talosctl") => talosctl::start(lab, call, files),
        Some("kubectl") => kubectl::start(lab, call, files),
        _ => Err(not_modelled(&call.tool)),
    };
    started.unwrap_or_else(Process::done)
}

/// A body of a process, or a part of one.
pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Lets several parts run side by side until all have ended.
pub(crate) async fn join<T: Send>(parts: Vec<Boxed<T>>) -> Vec<T> {
    let mut parts: Vec<(Option<Boxed<T>>, Option<T>)> =
        parts.into_iter().map(|part| (Some(part), None)).collect();
    std::future::poll_fn(|context| {
        let mut pending = false;
        for (part, result) in &mut parts {
            if let Some(running) = part {
                match running.as_mut().poll(context) {
                    Poll::Ready(value) => (*part, *result) = (None, Some(value)),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    parts.into_iter().filter_map(|(_, result)| result).collect()
}
