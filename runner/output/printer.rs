//! The one way out: everything for standard output and standard error passes here, and the redactor. A reader that left is no error.

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex};

use ops_core::error::Fault;

use super::fault;
use super::json;
use super::paint::{Look, Paint};
use super::target::Target;
use crate::sys::redact::Redactor;

/// What is written at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Text for people.
    #[default]
    Human,
    /// Only results and errors.
    Quiet,
    /// Text, and the reads of a run too.
    Verbose,
    /// JSON, one document or event a line, on standard output.
    Json,
}

/// Where bytes end up.
pub trait Sink: Send {
    /// Writes to standard output.
    fn out(&mut self, bytes: &[u8]) -> std::io::Result<()>;
    /// Writes to standard error.
    fn err(&mut self, bytes: &[u8]) -> std::io::Result<()>;
}

/// The process' own streams.
struct Process;

impl Sink for Process {
    fn out(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    fn err(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        std::io::stderr().lock().write_all(bytes)
    }
}

/// Passes on what a tool printed, byte for byte, to whoever started this process in the tool's place.
pub fn pass_on(stdout: &[u8], stderr: &[u8]) {
    // Who does not read it to the end has what he wanted.
    let _ = Process.out(stdout);
    let _ = Process.err(stderr);
}

/// Shows a question on standard error, where it is seen although standard output goes into a pipe.
pub fn prompt(question: &str) -> std::io::Result<()> {
    let mut err = std::io::stderr().lock();
    err.write_all(question.as_bytes())?;
    err.flush()
}

/// Whether somebody sees a prompt.
pub fn prompts_are_seen() -> bool {
    std::io::stderr().is_terminal()
}

/// Takes everything that is to be seen. Clones write to the same place.
#[derive(Clone)]
pub struct Output {
    sink: Arc<Mutex<Box<dyn Sink>>>,
    redactor: Redactor,
    look: Look,
    mode: Mode,
    target: Target,
    /// A text that goes before the first thing that is written, if anything is.
    lead: Option<Arc<Mutex<Option<String>>>>,
}

impl Output {
    /// Output to the process' streams.
    pub fn of_process(look: Look, mode: Mode, redactor: Redactor) -> Output {
        Output::to(Box::new(Process), look, mode, redactor)
    }

    /// Output to any sink.
    pub fn to(sink: Box<dyn Sink>, look: Look, mode: Mode, redactor: Redactor) -> Output {
        let target = Target::default();
        Output { sink: Arc::new(Mutex::new(sink)), redactor, look, mode, target, lead: None }
    }

    /// The same output, for a command that named this target.
    #[must_use]
    pub fn at(&self, target: Target) -> Output {
        Output { target, ..self.clone() }
    }

    /// A command to copy, or a text with some, as it must be typed here.
    pub fn command(&self, text: &str) -> String {
        self.target.command(text)
    }

    /// An error with its commands as they must be typed here.
    pub fn told(&self, fault: Fault) -> Fault {
        self.target.fault(fault)
    }

    /// The same output, which writes a text first once it has something to write. Not in JSON mode.
    #[must_use]
    pub fn led_by(&self, lead: String) -> Output {
        Output { lead: Some(Arc::new(Mutex::new(Some(lead)))), ..self.clone() }
    }

    /// What is written at all.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// How it looks.
    pub fn look(&self) -> Look {
        self.look
    }

    /// The secrets that must not be seen; learns while a run goes on.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    pub(crate) fn paint(&self) -> Paint {
        Paint(self.look.colour)
    }

    /// A result: text that was asked for, to standard output, quiet or not. Nothing in JSON mode.
    pub fn result(&self, text: &str) {
        if self.mode != Mode::Json {
            self.write(text, false);
        }
    }

    /// What happens on the way, to standard output.
    pub fn progress(&self, text: &str) {
        if matches!(self.mode, Mode::Human | Mode::Verbose) {
            self.write(text, false);
        }
    }

    /// A remark about the command itself, to standard error.
    pub fn remark(&self, text: &str) {
        if matches!(self.mode, Mode::Human | Mode::Verbose) {
            self.write(&format!("{}\n", Paint(self.look.colour_err).dim(text)), true);
        }
    }

    /// A document for machines: `schema` and `version` come first. Nothing in the other modes.
    pub fn document(
        &self,
        schema: &str,
        version: u32,
        body: impl FnOnce() -> serde_json::Map<String, serde_json::Value>,
    ) {
        if self.mode == Mode::Json {
            self.write(&json::document(schema, version, &body()), false);
        }
    }

    /// An error, to standard error; in JSON mode a document on standard output.
    pub fn fault(&self, fault: &Fault) {
        let fault = self.target.fault(fault.clone());
        if self.mode == Mode::Json {
            self.write(&json::error(&fault), false);
        } else {
            self.write(&fault::render(&fault, self.look), true);
        }
    }

    /// Bytes of a child process, as they are.
    pub(crate) fn child(&self, text: &str, stderr: bool) {
        self.write(text, stderr);
    }

    fn write(&self, text: &str, stderr: bool) {
        if let Some(lead) = self.lead.as_ref().filter(|_| self.mode != Mode::Json) {
            let lead = lead.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
            if let Some(lead) = lead {
                self.write(&lead, false);
            }
        }
        let text = self.redactor.mask(text);
        let mut sink = self.sink.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A reader that left (`| head`) or a full disk must neither end a run nor make its outcome look different.
        let _ = if stderr { sink.err(text.as_bytes()) } else { sink.out(text.as_bytes()) };
    }
}

/// A sink for tests: both streams as one text.
#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[derive(Clone, Default)]
    pub(crate) struct Kept(pub(crate) Arc<Mutex<String>>);

    impl Sink for Kept {
        fn out(&mut self, bytes: &[u8]) -> std::io::Result<()> {
            self.0.lock().unwrap().push_str(std::str::from_utf8(bytes).unwrap());
            Ok(())
        }

        fn err(&mut self, bytes: &[u8]) -> std::io::Result<()> {
            self.out(bytes)
        }
    }

    impl Kept {
        pub(crate) fn output(&self, look: Look, mode: Mode) -> Output {
            Output::to(Box::new(self.clone()), look, mode, Redactor::default())
        }

        pub(crate) fn text(&self) -> String {
            self.0.lock().unwrap().clone()
        }
    }

    struct Gone;

    impl Sink for Gone {
        fn out(&mut self, _: &[u8]) -> std::io::Result<()> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }

        fn err(&mut self, bytes: &[u8]) -> std::io::Result<()> {
            self.out(bytes)
        }
    }

    #[test]
    fn a_reader_that_left_is_no_error() {
        let output = Output::to(Box::new(Gone), Look::PLAIN, Mode::Human, Redactor::default());
        output.result("x\n");
        output.fault(&Fault::new(ops_core::error::Code::BUG, "x"));
    }

    #[test]
    fn a_lead_is_written_once_and_only_before_something() {
        let kept = Kept::default();
        let output = kept.output(Look::PLAIN, Mode::Human).led_by("lead\n".into());
        output.document("x", 1, serde_json::Map::new);
        assert!(kept.text().is_empty());
        output.progress("a\n");
        output.clone().progress("b\n");
        assert_eq!(kept.text(), "lead\na\nb\n");
    }

    #[test]
    fn secrets_are_masked_on_every_way_out() {
        let kept = Kept::default();
        let output = kept.output(Look::PLAIN, Mode::Human);
        output.redactor().learn(b"canary-1");
        output.result("a canary-1\n");
        output.remark("b canary-1");
        output.child("c canary-1\n", true);
        output.fault(&Fault::new(ops_core::error::Code::USAGE, "d canary-1"));
        assert!(!kept.text().contains("canary-1"), "{}", kept.text());
        assert_eq!(kept.text().matches("•••").count(), 4);
    }
}
