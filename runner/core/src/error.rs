//! Errors that people read: a stable code, what happened, where, what was expected and what to do next; and the table of exit codes.
//!
//! Says what is wrong, never how it looks: colours, carets and widths belong to the output layer.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the process ends. The numbers are part of the command line's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[repr(u8)]
pub enum Exit {
    /// Everything asked for is done.
    Done = 0,
    /// A recipe failed, or a check found something.
    Failed = 1,
    /// Wrong usage, unreadable or wrong configuration.
    Usage = 2,
    /// A guard refused, a confirmation was declined or had no terminal.
    Refused = 3,
    /// There is no valid grant.
    NoGrant = 4,
    /// A saved plan or a journal no longer holds.
    Stale = 5,
    /// A tool is missing or too old.
    Tool = 6,
    /// Another run holds the cluster.
    Locked = 7,
    /// The outcome of a call is unknown: a person must say.
    Unknown = 8,
    /// `plan --exit-code`: changes pend.
    Pending = 10,
    /// A fault of `ops` itself.
    Bug = 101,
    /// Interrupted by Ctrl-C; the journal is kept.
    Interrupted = 130,
    /// Ended by SIGTERM; the journal is kept.
    Terminated = 143,
}

impl Exit {
    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The more severe of two, for several recipes in one invocation: 101 > 8 > 4 > 3 > 7 > 6 > 5 > 1; an interrupt beats all but a bug.
    #[must_use]
    pub fn worst(self, other: Exit) -> Exit {
        const ORDER: [Exit; 13] = [
            Exit::Done,
            Exit::Pending,
            Exit::Failed,
            Exit::Usage,
            Exit::Stale,
            Exit::Tool,
            Exit::Locked,
            Exit::Refused,
            Exit::NoGrant,
            Exit::Unknown,
            Exit::Interrupted,
            Exit::Terminated,
            Exit::Bug,
        ];
        let rank = |exit: Exit| ORDER.iter().position(|e| *e == exit);
        if rank(self) >= rank(other) { self } else { other }
    }
}

/// A stable error code with its exit code, such as `OPS0301`. Numbers are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Code {
    /// The number behind `OPS`.
    pub number: u16,
    /// How the process ends when this error decides.
    pub exit: Exit,
    /// What the code means, in a few words.
    pub meaning: &'static str,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OPS{:04}", self.number)
    }
}

macro_rules! codes {
    ($($name:ident = $number:literal, $exit:ident, $meaning:literal;)*) => {
        impl Code {
            $(#[doc = $meaning] pub const $name: Code = Code { number: $number, exit: Exit::$exit, meaning: $meaning };)*
            /// Every code, in order of number.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];
        }
    };
}

codes! {
    RECIPE_SYNTAX = 101, Usage, "a Lua file does not parse";
    RECIPE_SHAPE = 102, Usage, "a recipe file does not return a recipe";
    RECIPE_KEY = 103, Usage, "an unknown or wrong key in a recipe's head";
    RECIPE_LOAD = 104, Usage, "a Lua file failed while it was loaded";
    RECIPE_CLASH = 105, Usage, "two recipes have one name";
    RECIPE_CYCLE = 106, Usage, "recipes need one another in a circle";
    RECIPE_UNKNOWN = 107, Usage, "there is no recipe of this name";
    MODULE_UNKNOWN = 108, Usage, "there is no module of this name";
    CALL_UNKNOWN = 111, Failed, "there is no host call of this name";
    CALL_FIELD = 112, Failed, "an unknown, missing or wrong field of a host call";
    CALL_PLACE = 113, Failed, "a host call where none may be made";
    VALUE = 114, Failed, "a value that may not cross the gate";
    LUA = 115, Failed, "an error in a recipe's Lua";
    EMPTY_LIST = 116, Failed, "an empty list where the body changes something";
    BRANCH_KEY = 117, Failed, "two branches have one key";
    CALL_FAILED = 120, Failed, "a call failed";
    PRECONDITION = 121, Failed, "a precondition does not hold";
    FAILED = 122, Failed, "a recipe said that it failed";
    SOURCES = 123, Failed, "a pattern in `sources` or `generates` matches nothing";
    DEADLINE = 130, Failed, "a deadline passed";
    MEMORY = 131, Failed, "a recipe used more memory than it may";
    RUNAWAY = 132, Failed, "a recipe did not stop when told to";
    NOT_YET = 199, Usage, "this part of the inventory is not supported yet";
    USAGE = 200, Usage, "wrong usage";
    CONFIG_SYNTAX = 201, Usage, "a configuration file does not parse";
    CONFIG_KEY = 202, Usage, "an unknown or wrong key in a configuration file";
    CONFIG_READ = 203, Usage, "a file cannot be read or written";
    CLUSTER_UNKNOWN = 204, Usage, "there is no cluster of this name";
    PARAM_UNKNOWN = 210, Usage, "there is no parameter of this name";
    PARAM_VALUE = 211, Usage, "a parameter's value is wrong";
    PARAM_MISSING = 212, Usage, "a required parameter is missing";
    API_VERSION = 213, Usage, "the configuration asks for another version of the Lua API";
    PATCH_REFUSED = 230, Usage, "a machine config or a patch of it is refused";
    GUARD_PARTITIONS = 301, Refused, "guard partitions";
    GUARD_ORDER = 310, Refused, "guard order";
    GUARD_IDENTITY = 320, Refused, "guard identity";
    GUARD_CONFIRM = 330, Refused, "guard confirm";
    GUARD_OWNER = 340, Refused, "guard owner";
    UNDECLARED = 350, Refused, "a recipe destroys without saying so";
    SHIM = 360, Refused, "a shim refused a tool's command";
    DECLINED = 370, Refused, "a confirmation was declined or had no terminal";
    NOT_APPLIED = 380, Refused, "a watch without --apply changes nothing but files";
    NO_GRANT = 401, NoGrant, "no grant permits this";
    GRANT_USED = 402, NoGrant, "the grant has been used";
    GRANT_EXPIRED = 403, NoGrant, "the grant has expired";
    GRANT_MISMATCH = 404, NoGrant, "the grant is for something else";
    GRANT_VOID = 405, NoGrant, "the grant was copied or edited";
    EVIDENCE = 410, NoGrant, "the evidence fails or is unknown";
    GRANT_KIND = 420, NoGrant, "this kind of grant is not supported yet";
    DIVERGENCE = 501, Stale, "the recipe no longer makes the journaled calls";
    JOURNAL_STALE = 502, Stale, "what the journal stands on has changed";
    JOURNAL_DAMAGED = 503, Stale, "the journal is damaged";
    JOURNAL_NEWER = 504, Stale, "the journal is of a newer ops";
    PREDICTION = 505, Stale, "a reply contradicts its prediction";
    NO_RUN = 506, Usage, "there is no run to resume";
    FRONTIER = 507, Stale, "a plan cannot know more from here";
    TOOL_MISSING = 601, Tool, "a tool is missing";
    TOOL_OLD = 602, Tool, "a tool is too old";
    LOCKED = 701, Locked, "another run holds the cluster";
    LOCK_LOST = 702, Failed, "the lock was lost";
    OUTCOME_UNKNOWN = 801, Unknown, "the outcome of a call is unknown";
    STATE_STORE = 850, Failed, "the state folder or journal cannot be written";
    LAB = 860, Usage, "the lab cannot do this";
    INTERRUPTED = 890, Interrupted, "interrupted";
    TERMINATED = 891, Terminated, "terminated";
    ABANDONED = 892, Interrupted, "a run was given up";
    BUG = 999, Bug, "a fault of ops";
}

/// A place in a file that a person wrote.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// Path as the user knows it: relative to the repository, or `embedded:recipes/…`.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1; 0 where only the line is known.
    #[serde(default)]
    pub column: u32,
    /// Length of the marked text in characters; 0 where unknown.
    #[serde(default)]
    pub length: u32,
    /// The text of the line, for the snippet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)?;
        if self.column > 0 {
            write!(f, ":{}", self.column)?;
        }
        Ok(())
    }
}

/// An error for a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Stable code; decides the exit code.
    pub code: Code,
    /// What happened, in one line without a full stop: "unknown field `partition`".
    pub title: String,
    /// Where, if a file is to blame.
    pub place: Option<Box<Place>>,
    /// What was expected at the marked place: a short text under the caret.
    pub label: Option<String>,
    /// Further lines: evidence, what is affected.
    pub details: Vec<String>,
    /// Hints: "did you mean `p.partitions`?".
    pub help: Vec<String>,
    /// Commands to copy.
    pub next: Vec<String>,
}

impl Fault {
    /// A fault with a code and a title.
    pub fn new(code: Code, title: impl Into<String>) -> Fault {
        Fault {
            code,
            title: title.into(),
            place: None,
            label: None,
            details: Vec::new(),
            help: Vec::new(),
            next: Vec::new(),
        }
    }

    /// Sets where it happened.
    #[must_use]
    pub fn at(mut self, place: Place) -> Fault {
        self.place = Some(Box::new(place));
        self
    }

    /// Sets what stands under the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Fault {
        self.label = Some(label.into());
        self
    }

    /// Adds a line of detail.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Fault {
        self.details.push(detail.into());
        self
    }

    /// Adds another fault's lines of detail.
    #[must_use]
    pub fn details_of(mut self, other: &Fault) -> Fault {
        self.details.extend(other.details.iter().cloned());
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Fault {
        self.help.push(help.into());
        self
    }

    /// Adds a hint "did you mean …?" when one of `known` is close to `word`.
    #[must_use]
    pub fn did_you_mean<'a>(self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Fault {
        match nearest(word, known) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => self,
        }
    }

    /// Adds a command to copy.
    #[must_use]
    pub fn next(mut self, command: impl Into<String>) -> Fault {
        self.next.push(command.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.title)?;
        if let Some(place) = &self.place {
            write!(f, " ({place})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

/// The known word that a person most likely meant: close by Jaro-Winkler distance, the same letters in another case, or one slip away.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    // Short words with two letters exchanged, or one missing, look far apart to the first measure: `rnu`, `w1`.
    let score = |known: &str| {
        let known = known.to_lowercase();
        let slip = lower.chars().count() > 1 && strsim::osa_distance(&lower, &known) == 1;
        strsim::jaro_winkler(&lower, &known).max(if slip { 0.81 } else { 0.0 })
    };
    known
        .into_iter()
        .map(|k| (score(k), k))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, k)| k)
}

/// Kinds of a call's own failure: what `ops.try` and `retries` name.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the vocabulary of the recipe API, section 3.2")]
pub enum ErrorKind {
    Unreachable,
    Unauthorized,
    Forbidden,
    Certificate,
    NotFound,
    AlreadyExists,
    Conflict,
    Timeout,
    Invalid,
    NotReady,
    Maintenance,
    PendingRelease,
    Version,
    MissingTool,
    Exit,
    Parse,
    Precondition,
    Failed,
    NotApplied,
}

impl ErrorKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [ErrorKind; 19] = [
        ErrorKind::Unreachable,
        ErrorKind::Unauthorized,
        ErrorKind::Forbidden,
        ErrorKind::Certificate,
        ErrorKind::NotFound,
        ErrorKind::AlreadyExists,
        ErrorKind::Conflict,
        ErrorKind::Timeout,
        ErrorKind::Invalid,
        ErrorKind::NotReady,
        ErrorKind::Maintenance,
        ErrorKind::PendingRelease,
        ErrorKind::Version,
        ErrorKind::MissingTool,
        ErrorKind::Exit,
        ErrorKind::Parse,
        ErrorKind::Precondition,
        ErrorKind::Failed,
        ErrorKind::NotApplied,
    ];

    /// The word that recipes use.
    pub const fn word(self) -> &'static str {
        match self {
            ErrorKind::Unreachable => "unreachable",
            ErrorKind::Unauthorized => "unauthorized",
            ErrorKind::Forbidden => "forbidden",
            ErrorKind::Certificate => "certificate",
            ErrorKind::NotFound => "not_found",
            ErrorKind::AlreadyExists => "already_exists",
            ErrorKind::Conflict => "conflict",
            ErrorKind::Timeout => "timeout",
            ErrorKind::Invalid => "invalid",
            ErrorKind::NotReady => "not_ready",
            ErrorKind::Maintenance => "maintenance",
            ErrorKind::PendingRelease => "pending_release",
            ErrorKind::Version => "version",
            ErrorKind::MissingTool => "missing_tool",
            ErrorKind::Exit => "exit",
            ErrorKind::Parse => "parse",
            ErrorKind::Precondition => "precondition",
            ErrorKind::Failed => "failed",
            ErrorKind::NotApplied => "not_applied",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// How a call itself failed: the only failure that a recipe can catch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// What happened, in one line.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The call's type, such as `talos.version`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub call: String,
    /// The tool that was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Its exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// The end of what it wrote to stderr, redacted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stderr: String,
    /// The node that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Proven to have happened before any effect: the call may be repeated without being settled.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub before_effect: bool,
    /// Where in a file that the call read the mistake stands; boxed, as most failures have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Box<Place>>,
}

/// How the message of a call ends whose process the user interrupted.
pub const WAS_INTERRUPTED: &str = "was interrupted";

impl CallError {
    /// A failure of the given kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> CallError {
        CallError {
            kind,
            message: message.into(),
            hint: None,
            call: String::new(),
            tool: None,
            exit: None,
            stderr: String::new(),
            node: None,
            before_effect: false,
            place: None,
        }
    }

    /// Says where in a file that the call read the mistake stands.
    #[must_use]
    pub fn at(mut self, place: Place) -> CallError {
        self.place = Some(Box::new(place));
        self
    }

    /// Says that nothing had been changed when it failed.
    #[must_use]
    pub fn before_effect(mut self) -> CallError {
        self.before_effect = true;
        self
    }

    /// Sets what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> CallError {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl std::error::Error for CallError {}

#[cfg(test)]
mod tests;
