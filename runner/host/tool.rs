//! One way to run a tool for a call, and one way to wait for something: by asking again, at growing intervals, with a deadline.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ops_core::argv::{Argv, ToolOutput};
use ops_core::error::{CallError, ErrorKind};
use ops_core::reply::refusal;
use ops_core::time::{Span, Time};
use ops_core::value::Digest;
use ops_render::talconfig::{Schema, Secrets, Talconfig};

use super::HostCx;
use crate::sys::world::{ToolFailure, Unwatched, Watcher};

/// How long one question to a node may take.
pub(super) const QUESTION: Span = Span::secs(30);

/// A talconfig and the secrets that its bases are made with.
pub(super) type WithSecrets = Rc<(Talconfig, Secrets)>;

/// What stays true for a whole run and is asked once.
#[derive(Debug, Default)]
pub struct Memo {
    pub(super) talosctl: RefCell<Option<String>>,
    /// What encrypted files hold, by the digest of their ciphertext. Only here, never on a disk.
    pub(super) opened: RefCell<BTreeMap<Digest, Vec<u8>>>,
    /// Bundles whose values are masked already.
    pub(super) masked: RefCell<BTreeSet<Digest>>,
    /// What talhelper knows of a talconfig.
    pub(super) schema: RefCell<Option<Rc<Schema>>>,
    /// A talconfig as it was read, by the digest of its text and variables.
    pub(super) talconfig: RefCell<Option<(Digest, WithSecrets)>>,
}

/// Says that a process runs, and keeps what it prints to itself: answers hold whole configs, and are parsed, not shown.
struct Mute<'a>(&'a dyn Watcher);

impl Watcher for Mute<'_> {
    fn started(&self, group: i32, start: u64) {
        self.0.started(group, start);
    }
}

impl HostCx<'_> {
    /// Runs a tool that only reads, to success.
    ///
    /// # Errors
    /// As the tool says, or why it did not end.
    pub(super) async fn ask(&self, argv: &Argv, limit: Span) -> Result<ToolOutput, CallError> {
        succeed(argv, self.world.run(argv, Some(limit), &Unwatched).await)
    }

    /// Runs the tool that carries a call out; what it prints is not shown.
    ///
    /// # Errors
    /// As the tool says, or why it did not end.
    pub(super) async fn act(&self, argv: &Argv, limit: Span) -> Result<ToolOutput, CallError> {
        succeed(argv, self.world.run(argv, Some(limit), &Mute(self.watcher)).await)
    }

    /// Runs the tool that carries a call out, and shows what it prints.
    ///
    /// # Errors
    /// As the tool says, or why it did not end.
    pub(super) async fn act_aloud(
        &self,
        argv: &Argv,
        limit: Span,
    ) -> Result<ToolOutput, CallError> {
        succeed(argv, self.world.run(argv, Some(limit), self.watcher).await)
    }

    /// Asks again until the answer is there, at intervals that grow from half a second to five.
    ///
    /// # Errors
    /// `Never` ends it at once; the deadline ends it with `kind` and the last reason.
    pub(super) async fn until<T>(
        &self,
        limit: Span,
        kind: ErrorKind,
        mut ask: impl AsyncFnMut() -> Answer<T>,
    ) -> Result<T, CallError> {
        const FIRST: u64 = 500;
        const LONGEST: u64 = 5_000;
        let begun: Time = self.world.now();
        let mut interval = FIRST;
        loop {
            let reason = match ask().await {
                Answer::Yes(found) => return Ok(found),
                Answer::Never(error) => return Err(error),
                Answer::NotYet(reason) => reason,
            };
            let waited = self.world.now().since(begun);
            if waited >= limit {
                return Err(CallError::new(kind, format!("after {limit}: {reason}")));
            }
            (self.waits)(&reason, waited.0, limit.0);
            self.world.sleep(Span(interval.min(limit.0 - waited.0))).await;
            interval = (interval * 3 / 2).min(LONGEST);
        }
    }
}

/// What one attempt of a wait found.
pub(super) enum Answer<T> {
    /// It holds.
    Yes(T),
    /// It does not hold yet, for this reason.
    NotYet(String),
    /// It will not.
    Never(CallError),
}

fn succeed(argv: &Argv, outcome: Result<ToolOutput, ToolFailure>) -> Result<ToolOutput, CallError> {
    match outcome {
        Ok(output) if output.ok() => Ok(output),
        Ok(output) => Err(refusal::of_output(argv, &output)),
        Err(failure) => Err(CallError { tool: Some(argv.tool.clone()), ..unfinished(&failure) }),
    }
}

/// Why a tool gave no output, as a call's failure.
pub(crate) fn unfinished(failure: &ToolFailure) -> CallError {
    let message = failure.to_string();
    match failure {
        ToolFailure::Missing(tool) => CallError::new(ErrorKind::MissingTool, message)
            .hint(format!("install `{tool}` and put it on PATH"))
            .before_effect(),
        ToolFailure::Start { .. } => CallError::new(ErrorKind::Failed, message).before_effect(),
        ToolFailure::Timeout { .. } => CallError::new(ErrorKind::Timeout, message),
        ToolFailure::Lost { .. } => CallError::new(ErrorKind::Unreachable, message),
        ToolFailure::Interrupted(_) => CallError::new(ErrorKind::Failed, message),
        ToolFailure::TooLarge { .. } => CallError::new(ErrorKind::Parse, message)
            .hint("select less: an id, a namespace, a selector"),
    }
}

/// Whether a failure only says that nobody answers there now.
pub(super) fn is_silence(error: &CallError) -> bool {
    matches!(error.kind, ErrorKind::Unreachable | ErrorKind::Timeout)
}
