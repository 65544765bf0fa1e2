//! The world behind the gate: tools, the Kubernetes API, time. The live world starts processes, the lab simulates, tests answer from tables.
//!
//! Everything runs on the engine's one thread, hence no `Send` on these futures.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use ops_core::argv::{Argv, ToolOutput};
use ops_core::call::Target;
use ops_core::error::Fault;
use ops_core::time::{Span, Time};
use serde_json::Value;

use super::channel::{Printed, Said};

/// A boxed future on the engine's thread.
pub type Local<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Watches one process while it runs. Every method has a quiet default.
pub trait Watcher {
    /// The process runs: its group, and its leader's start time in clock ticks since boot.
    fn started(&self, _group: i32, _start: u64) {}
    /// It wrote some bytes.
    fn output(&self, _stderr: bool, _bytes: &[u8]) {}
    /// It ended with this code (128 + n by signal n), whatever becomes of its output.
    fn ended(&self, _code: i32) {}
    /// A shim inside it refused a command. The process is being ended, and nothing that it did otherwise is a success any more.
    fn refused(&self, _fault: &Fault) {}
    /// It gets the terminal: a person talks to it, and what it prints is not seen here.
    fn terminal(&self) -> bool {
        false
    }
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Watcher for Unwatched {}

/// Why a tool gave no output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ToolFailure {
    /// There is no such program on PATH; nothing was started.
    #[error("`{0}` is not on PATH")]
    Missing(String),
    /// It could not be started; nothing was changed.
    #[error("`{tool}` could not be started: {message}")]
    Start {
        /// The program.
        tool: String,
        /// What the system said.
        message: String,
    },
    /// Its deadline passed; its process group was ended.
    #[error("`{tool}` did not end within {limit}")]
    Timeout {
        /// The program.
        tool: String,
        /// The deadline.
        limit: Span,
    },
    /// The connection broke before an answer came: whether it acted is not known.
    #[error("no answer from `{tool}`: {message}")]
    Lost {
        /// The program or API.
        tool: String,
        /// What the system said.
        message: String,
    },
    /// It was interrupted by the user.
    #[error("`{0}` {interrupted}", interrupted = ops_core::error::WAS_INTERRUPTED)]
    Interrupted(String),
    /// It wrote more than may be kept.
    #[error("`{tool}` wrote more than {limit} bytes")]
    TooLarge {
        /// The program.
        tool: String,
        /// The limit in bytes.
        limit: usize,
    },
}

/// A request to the Kubernetes API.
#[derive(Clone, Debug, PartialEq)]
pub struct KubeRequest {
    /// `GET`, `PATCH`, `POST`, `DELETE`.
    pub method: String,
    /// Path and query, such as `/api/v1/nodes/w-1`.
    pub path: String,
    /// Body, if any. A `PATCH` is a JSON patch where it is a list, else a merge patch.
    pub body: Option<Value>,
}

impl KubeRequest {
    /// A `GET` of a path.
    pub fn get(path: impl Into<String>) -> KubeRequest {
        KubeRequest { method: "GET".into(), path: path.into(), body: None }
    }
}

/// The API's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct KubeReply {
    /// HTTP status.
    pub status: u16,
    /// JSON body; null where there is none.
    pub body: Value,
}

/// Where calls take effect.
pub trait World {
    /// Runs a tool to its end. Its environment is scrubbed: `LC_ALL=C`, no KUBECONFIG, TALOSCONFIG, HELM_*.
    ///
    /// # Errors
    /// Only where the tool did not run to its end; a non-zero exit is an output.
    fn run<'a>(
        &'a self,
        argv: &'a Argv,
        timeout: Option<Span>,
        watcher: &'a dyn Watcher,
    ) -> Local<'a, Result<ToolOutput, ToolFailure>>;

    /// Asks the Kubernetes API over the one kept connection of that cluster.
    ///
    /// # Errors
    /// Where no answer came.
    fn kube<'a>(
        &'a self,
        target: &'a Target,
        request: &'a KubeRequest,
    ) -> Local<'a, Result<KubeReply, ToolFailure>>;

    /// The time: the wall clock, or the lab's.
    fn now(&self) -> Time;

    /// Waits. In the lab, simulated time passes.
    fn sleep(&self, span: Span) -> Local<'_, ()>;

    /// Everything waits: lets simulated time go on to its next event. False where nothing is due, or where time is real.
    fn pass_time(&self) -> bool {
        false
    }

    /// Somebody works in real time: simulated time stands still until as many `release`s.
    fn hold(&self) {}

    /// Ends one `hold`.
    fn release(&self) {}

    /// What a shim said that no running process answers for, with the group of the one that it belongs to if there is one. A refusal of a
    /// running process goes to its watcher.
    fn poll_said(&self, _task: &mut Context<'_>) -> Poll<(Option<i32>, Said)> {
        Poll::Pending
    }

    /// Answers a shim with what its tool would have printed.
    fn answer(&self, _said: Said, _printed: &Printed) {}

    /// 64 random bits.
    fn random(&self) -> u64;

    /// Whether this is a simulation.
    fn simulated(&self) -> bool;
}
