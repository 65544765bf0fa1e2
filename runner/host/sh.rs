//! Shell lines and plain commands: started through the shims, watched, their output bounded and cleared of the secrets that they were given.

#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use ops_core::argv::{Argv, ToolOutput};
use ops_core::call::fs::Content;
use ops_core::call::sh::{Declared, Exec, Sh};
use ops_core::call::{CallSpec, Common};
use ops_core::error::{CallError, ErrorKind, Fault};
use ops_core::shim;
use ops_core::value::{BLOB_FROM, Handle, LaterRef, Value};
use serde_json::json;

use super::HostCx;
use super::content::Bytes;
use super::tool::unfinished;
use crate::sys::environment::THROUGH_SHIMS;
use crate::sys::redact::{Masked, Redactor};
use crate::sys::world::{ToolFailure, Watcher};

/// The end of stderr that a failure shows.
const SHOWN: usize = 4 << 10;

/// What `sh` and `sh.exec` are, once their difference is gone.
struct Job<'a> {
    argv: Argv,
    env: &'a BTreeMap<String, Content>,
    cwd: Option<&'a str>,
    stdin: Option<&'a Content>,
    effect: Declared,
    ok: Option<&'a [i32]>,
    about: String,
}

pub(super) async fn sh(call: &Sh, common: &Common, cx: &HostCx<'_>) -> Result<Value, CallError> {
    let argv = Argv::new("bash").args(["-euo", "pipefail", "-c"]).arg(&call.script.0);
    let job = Job {
        argv,
        env: &call.env,
        cwd: call.cwd.as_deref(),
        stdin: call.stdin.as_ref(),
        effect: call.effect,
        ok: call.ok.as_deref(),
        about: call.about(),
    };
    run(job, common, cx).await
}

pub(super) async fn exec(
    call: &Exec,
    common: &Common,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    let (tool, args) = call.argv.0.split_first().ok_or_else(|| {
        CallError::new(ErrorKind::Invalid, "the command is empty").before_effect()
    })?;
    if let Some(name) = shim::tools().find(|name| tool.ends_with(&format!("/{name}"))) {
        let message = format!("`{tool}` would pass by the shim of `{name}`");
        return Err(CallError::new(ErrorKind::Invalid, message)
            .hint(format!("call it by its name: `{name}`"))
            .before_effect());
    }
    let job = Job {
        argv: Argv::new(tool).args(args),
        env: &call.env,
        cwd: call.cwd.as_deref(),
        stdin: call.stdin.as_ref(),
        effect: call.effect,
        ok: call.ok.as_deref(),
        about: call.about(),
    };
    run(job, common, cx).await
}

/// The output that a plan gives: that it succeeds is assumed, what it prints nobody knows.
pub(super) fn predicted(call: &str, ok: Option<&[i32]>) -> Value {
    let later = |field: &str| {
        Handle::Later(LaterRef { call: call.to_owned(), field: field.to_owned() }).to_value()
    };
    let exit = match ok {
        None | Some([]) => json!(0),
        Some([only]) => json!(only),
        Some(_) => later("exit"),
    };
    json!({"exit": exit, "stdout": later("stdout"), "stderr": later("stderr")})
}

async fn run(job: Job<'_>, common: &Common, cx: &HostCx<'_>) -> Result<Value, CallError> {
    let secrets = cx.secrets.masks();
    let argv = prepared(&job, &secrets, cx)?;
    let watcher = Redacted {
        inner: cx.watcher,
        streams: RefCell::new([secrets.stream(), secrets.stream()]),
        code: Cell::new(None),
    };
    let run = cx.world.run(&argv, common.timeout, &watcher).await;
    let code = watcher.finish();
    let tool = argv.tool.clone();
    let output = match run {
        Ok(output) => output,
        // It ran to its end; only what it printed is more than can be kept.
        Err(ToolFailure::TooLarge { limit, .. }) if job.effect != Declared::Reads => {
            let note = format!("more than {limit} bytes: not kept");
            ToolOutput {
                code: code.unwrap_or_default(),
                stdout: Vec::new(),
                stderr: note.into_bytes(),
            }
        }
        Err(failure) => {
            let error = unfinished(&failure);
            let error = match failure {
                ToolFailure::TooLarge { .. } => error.hint("select less, or write it to a file"),
                _ => error,
            };
            return Err(CallError { tool: Some(tool), ..error });
        }
    };
    let (stdout, stderr) = (hidden(&secrets, &output.stdout), hidden(&secrets, &output.stderr));
    if !job.ok.map_or(output.code == 0, |ok| ok.contains(&output.code)) {
        let message = format!("`{}` ended with {}", job.about, output.code);
        let error = CallError {
            tool: Some(tool),
            exit: Some(output.code),
            stderr: tail(&stderr),
            ..CallError::new(ErrorKind::Exit, message)
        };
        // What the kernel says to a line that is confined.
        let denied = job.effect == Declared::Reads && error.stderr.contains("ermission denied");
        return Err(if denied {
            error.hint("what is declared to read writes below $TMPDIR only; a line that writes files says `effect = \"files\"`")
        } else {
            error
        });
    }
    Ok(json!({
        "exit": output.code,
        "stdout": text_or_blob(stdout, cx)?,
        "stderr": text_or_blob(stderr, cx)?,
    }))
}

/// The command with its environment, folder and stdin; what is secret in them is remembered.
fn prepared(job: &Job<'_>, secrets: &Redactor, cx: &HostCx<'_>) -> Result<Argv, CallError> {
    let mut argv = job.argv.clone();
    for (name, content) in job.env {
        let wrong = |what: &str| {
            let message = format!("the variable `{name}` {what}");
            CallError::new(ErrorKind::Invalid, message).before_effect()
        };
        if name.is_empty() || name.contains(['=', '\0']) || name == THROUGH_SHIMS || name == "PATH"
        {
            return Err(wrong("cannot be set by a recipe"));
        }
        let bytes = known(content, secrets, cx)?;
        let text = String::from_utf8(bytes).map_err(|_| wrong("is no text"))?;
        if text.contains('\0') {
            return Err(wrong("holds a zero byte"));
        }
        argv.env.push((name.clone(), text));
    }
    argv.env.push((THROUGH_SHIMS.to_owned(), "1".to_owned()));
    argv.only_reads = job.effect == Declared::Reads;
    argv.stdin = job.stdin.map(|content| known(content, secrets, cx)).transpose()?;
    argv.cwd = job.cwd.map(|cwd| cx.inside(cwd)).transpose()?;
    Ok(argv)
}

fn known(content: &Content, secrets: &Redactor, cx: &HostCx<'_>) -> Result<Vec<u8>, CallError> {
    let Bytes { bytes, sealed } = cx.content(content)?;
    if sealed {
        secrets.learn(&bytes);
    }
    Ok(bytes)
}

/// A text, or a blob where it is too long for a value or no text at all.
fn text_or_blob(bytes: Vec<u8>, cx: &HostCx<'_>) -> Result<Value, CallError> {
    match String::from_utf8(bytes) {
        Ok(text) if text.len() <= BLOB_FROM => Ok(Value::String(text)),
        Ok(text) => cx.keep(&Bytes { bytes: text.into_bytes(), sealed: false }),
        Err(error) => cx.keep(&Bytes { bytes: error.into_bytes(), sealed: false }),
    }
}

/// The end of a text, from a whole line on.
fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end();
    let from = text.len().saturating_sub(SHOWN);
    let from = (from..=text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len());
    match text[from..].split_once('\n') {
        Some((_, rest)) if from > 0 => rest.to_owned(),
        _ => text[from..].to_owned(),
    }
}

fn hidden(secrets: &Redactor, bytes: &[u8]) -> Vec<u8> {
    let mut stream = secrets.stream();
    let mut out = stream.push(bytes);
    out.extend(stream.finish());
    out
}

/// Shows what the process prints without the secrets that it was given, and remembers how it ended.
struct Redacted<'a> {
    inner: &'a dyn Watcher,
    /// Of stdout and stderr.
    streams: RefCell<[Masked; 2]>,
    code: Cell<Option<i32>>,
}

impl Redacted<'_> {
    fn finish(self) -> Option<i32> {
        for (stderr, stream) in [false, true].into_iter().zip(self.streams.into_inner()) {
            let rest = stream.finish();
            if !rest.is_empty() {
                self.inner.output(stderr, &rest);
            }
        }
        self.code.get()
    }
}

impl Watcher for Redacted<'_> {
    fn started(&self, group: i32, start: u64) {
        self.inner.started(group, start);
    }
    fn output(&self, stderr: bool, bytes: &[u8]) {
        let shown = self.streams.borrow_mut()[usize::from(stderr)].push(bytes);
        if !shown.is_empty() {
            self.inner.output(stderr, &shown);
        }
    }
    fn refused(&self, fault: &Fault) {
        self.inner.refused(fault);
    }
    fn terminal(&self) -> bool {
        self.inner.terminal()
    }
    fn ended(&self, code: i32) {
        self.code.set(Some(code));
        self.inner.ended(code);
    }
}
