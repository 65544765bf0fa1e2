//! What travels through Lua as an error, and what a person or a recipe sees of it. Knows nothing of branches.

use std::fmt;

use mlua::{Error, Lua};
use ops_core::error::{CallError, Code, ErrorKind, Fault, Place};
use ops_core::machine::Failure;

use super::body::Body;
use super::place::{Line, Texts, here};
use super::syntax::explain;

/// An error that Rust raises into Lua.
#[derive(Clone, Debug)]
pub(super) enum Raised {
    /// A mistake in a recipe.
    Fault(Box<Fault>),
    /// A failure that a recipe may expect: a call's own, `cx:fail`, `cx:require`.
    Call(Box<CallError>, Box<Fault>),
    /// Only unwinds: why is known to the branch.
    Unwind,
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Raised::Fault(fault) | Raised::Call(_, fault) => f.write_str(&fault.title),
            Raised::Unwind => f.write_str("stopped"),
        }
    }
}

impl std::error::Error for Raised {}

impl From<Raised> for Error {
    fn from(raised: Raised) -> Error {
        Error::external(raised)
    }
}

/// Raises a mistake.
pub(super) fn fault(fault: Fault) -> Error {
    Raised::Fault(Box::new(fault)).into()
}

/// Raises a failure of the given kind that recipes may catch.
pub(super) fn failure(error: CallError, fault: Fault) -> Error {
    Raised::Call(Box::new(error), Box::new(fault)).into()
}

/// Whether Lua ran out of memory.
pub(super) fn is_memory(error: &Error) -> bool {
    match error {
        Error::MemoryError(_) => true,
        Error::RuntimeError(text) => text.starts_with("not enough memory"),
        Error::CallbackError { cause, .. }
        | Error::BadArgument { cause, .. }
        | Error::WithContext { cause, .. } => is_memory(cause),
        _ => false,
    }
}

/// Reads an error as it comes out of Lua.
pub(super) fn read(error: &Error, texts: &Texts) -> Raised {
    if let Some(raised) = error.downcast_ref::<Raised>() {
        return raised.clone();
    }
    let plain = |code: Code, message: &str| {
        let (line, title) = Texts::parse(message);
        let mut fault = Fault::new(code, title.trim_end());
        fault.place = line.and_then(|line| texts.blame(line, title)).map(Box::new);
        Raised::Fault(Box::new(fault))
    };
    match error {
        Error::SyntaxError { message, .. } => syntax(message, texts),
        Error::RuntimeError(message) => plain(Code::LUA, message),
        Error::CallbackError { cause, traceback } => match read(cause, texts) {
            Raised::Fault(mut fault) if fault.place.is_none() => {
                fault.place = first_frame(traceback, texts).map(Box::new);
                Raised::Fault(fault)
            }
            other => other,
        },
        Error::BadArgument { pos, to, cause, .. } => {
            let inner = read(cause, texts);
            let to = to.as_deref().unwrap_or("this function");
            plain(Code::LUA, &format!("bad argument #{pos} to `{to}`: {inner}"))
        }
        Error::WithContext { cause, .. } => read(cause, texts),
        other => plain(Code::LUA, &other.to_string()),
    }
}

/// A file that does not parse, told where it is wrong rather than where Lua gave up.
fn syntax(message: &str, texts: &Texts) -> Raised {
    let (line, message) = Texts::parse(message);
    let message = message.trim_end();
    let Some(line) = line else {
        return Raised::Fault(Box::new(Fault::new(Code::RECIPE_SYNTAX, message)));
    };
    let found = explain(&texts.text(line.file), line.line, message);
    let mut fault = Fault::new(Code::RECIPE_SYNTAX, found.title);
    fault.label = found.label;
    fault.place = texts.marked(line.file, found.at).map(Box::new);
    Raised::Fault(Box::new(found.detail.into_iter().fold(fault, Fault::detail)))
}

/// The place of the innermost line of a loaded file in a traceback.
fn first_frame(traceback: &str, texts: &Texts) -> Option<Place> {
    traceback.lines().find_map(|line| {
        let (at, _) = Texts::parse(line.trim_start());
        texts.at(at?)
    })
}

/// How a body ended that raised this.
pub(super) fn end(raised: Raised) -> Failure {
    match raised {
        Raised::Fault(fault) => Failure::Fault(fault),
        Raised::Call(error, fault) => Failure::Call(*error, fault),
        Raised::Unwind => {
            Failure::Fault(Box::new(Fault::new(Code::BUG, "a branch unwound without a reason")))
        }
    }
}

/// What a recipe that catches it sees.
pub(super) fn as_call_error(raised: &Raised) -> CallError {
    match raised {
        Raised::Call(error, _) => (**error).clone(),
        Raised::Unwind => CallError::new(ErrorKind::Failed, "stopped"),
        Raised::Fault(fault) => {
            let kind = match fault.code {
                Code::CALL_FIELD | Code::CALL_UNKNOWN | Code::VALUE => ErrorKind::Invalid,
                Code::PRECONDITION => ErrorKind::Precondition,
                _ => ErrorKind::Failed,
            };
            let mut error = CallError::new(kind, fault.title.clone());
            error.hint = fault.help.first().cloned();
            error
        }
    }
}

/// A mistake at the innermost line of a loaded file.
pub(super) fn located(lua: &Lua, fault: Fault) -> Error {
    at(lua, fault, Texts::at)
}

/// A mistake at a word at or below the innermost line of a loaded file.
pub(super) fn located_word(lua: &Lua, fault: Fault, word: &str) -> Error {
    at(lua, fault, |texts, line| texts.word(line, word))
}

fn at(lua: &Lua, mut mistake: Fault, place: impl Fn(&Texts, Line) -> Option<Place>) -> Error {
    if let (Ok(body), Some(line)) = (Body::of(lua), here(lua)) {
        mistake.place = place(&body.texts, line).map(Box::new);
    }
    fault(mistake)
}
