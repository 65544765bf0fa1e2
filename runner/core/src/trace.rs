//! What a step read and what it left behind: the trace by which its next run is judged, and the words of that judgement. Pure data; knows
//! neither files nor stores.
//!
//! A trace is *verifying* (Build Systems à la Carte): it holds what every input was when it was first read. A step is up to date while each
//! input and each output is still that, compared for inequality, never for "newer than". `ops watch` follows exactly these inputs.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ident::RunId;
use crate::time::Time;
use crate::value::{Digest, Map, Value};

/// A keyed BLAKE3 hash of a file's content. The key is the state folder's, so that a stored hash tells nobody what a secret was.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    /// The first eight hexadecimal digits: enough to tell two contents apart by eye.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Hash, D::Error> {
        let hex = String::deserialize(d)?;
        let wrong = || serde::de::Error::custom("64 hexadecimal digits are expected");
        let mut hash = [0; 32];
        if hex.len() != 64 || !hex.is_ascii() {
            return Err(wrong());
        }
        for (byte, pair) in hash.iter_mut().zip(hex.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Hash(hash))
    }
}

/// The fingerprint of a file.
///
/// Size, modification time, inode and change time decide whether the file is looked at again; only its hash decides whether it is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Print {
    /// Length in bytes.
    pub size: u64,
    /// Modification time in nanoseconds since the epoch, by the file system's clock.
    pub mtime: i64,
    /// Change time, likewise.
    pub ctime: i64,
    /// Inode number.
    pub inode: u64,
    /// Permission bits. Of them counts what Git keeps, and whether others may look in; see [`Print::runs`] and [`Print::private`].
    pub mode: u16,
    /// Of the content.
    pub hash: Hash,
    /// It was modified so shortly before it was read that another edit could have left the same stat: the hash alone is believed.
    pub racy: bool,
}

impl Print {
    /// Whether the stat of the other is the same in every field.
    pub fn same_stat(&self, other: &Print) -> bool {
        (self.size, self.mtime, self.ctime, self.inode)
            == (other.size, other.mtime, other.ctime, other.inode)
    }

    /// Whether its owner may run it: a script without that is another script.
    pub fn runs(&self) -> bool {
        self.mode & 0o100 != 0
    }

    /// Whether nobody but its owner may do anything with it: an output that was written so holds what others must not read.
    pub fn private(&self) -> bool {
        const OTHERS: u16 = 0o077;
        self.mode & OTHERS == 0
    }
}

/// One thing that a step read. Paths are relative to the repository's root, or absolute where they lie outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "input", rename_all = "snake_case", deny_unknown_fields)]
pub enum Input {
    /// The content of a file.
    File {
        /// Its path.
        path: String,
        /// As it was at the first read.
        print: Print,
    },
    /// Nothing was there.
    Absent {
        /// The path.
        path: String,
    },
    /// Something was there; nobody looked into it.
    Present {
        /// The path.
        path: String,
        /// It was a folder.
        folder: bool,
    },
    /// Size, permissions and time were asked for.
    Details {
        /// The path.
        path: String,
        /// The answer, as canonical JSON.
        answer: String,
    },
    /// All names in a folder. The step's own outputs are none of them.
    Listing {
        /// The folder.
        folder: String,
        /// Sorted.
        names: Vec<String>,
    },
    /// The files that matched a pattern. The step's own outputs are none of them.
    Glob {
        /// The pattern.
        pattern: String,
        /// Sorted.
        members: Vec<String>,
        /// Looked up as a shell sees files: a pattern that ends with `/` is everything below a folder, and links may lead out of the
        /// repository. What a recipe looks up itself ends there.
        shell: bool,
    },
    /// A symbolic link on the way to something that was read.
    Link {
        /// The link.
        path: String,
        /// What it said.
        to: String,
    },
    /// A variable of the environment.
    Variable {
        /// Its name.
        name: String,
        /// Keyed digest of its value; none where it was not set.
        digest: Option<Digest>,
    },
    /// A tool on PATH: the program that carried a call out.
    Tool {
        /// Its name.
        name: String,
        /// Where it was found, links resolved; none where it was not, or is simulated.
        path: Option<String>,
        /// Of the program itself: another version is another file.
        print: Option<Print>,
    },
    /// A Lua file: the recipe's own, the one that it overrides, or a module that it requires.
    Source {
        /// As it is shown: `recipes/a.lua`, `lua-lib/b.lua`, `embedded:…`.
        path: String,
        /// Of its text.
        digest: Digest,
    },
    /// A field of the inventory.
    Inventory {
        /// Such as `endpoint` or `nodes.w-1`.
        field: String,
        /// Its value as canonical JSON.
        value: String,
    },
    /// Which cluster it is: its pins.
    Identity {
        /// A digest of name, CA and UID.
        digest: Digest,
    },
    /// The result of a recipe that it needs.
    Need {
        /// The recipe.
        recipe: String,
        /// Of its result.
        digest: Digest,
    },
    /// Something that it relied on ends by itself then, such as a certificate.
    Until {
        /// What ends.
        what: String,
        /// When.
        at: Time,
    },
    /// The version of `ops` itself: what carries calls out.
    Ops {
        /// The version.
        version: String,
    },
}

impl Input {
    /// What it is called in reasons: a path, a pattern, a name.
    pub fn name(&self) -> &str {
        match self {
            Input::File { path, .. }
            | Input::Absent { path }
            | Input::Present { path, .. }
            | Input::Details { path, .. }
            | Input::Link { path, .. }
            | Input::Source { path, .. } => path,
            Input::Listing { folder, .. } => folder,
            Input::Glob { pattern, .. } => pattern,
            Input::Variable { name, .. } | Input::Tool { name, .. } => name,
            Input::Inventory { field, .. } => field,
            Input::Identity { .. } => "cluster",
            Input::Need { recipe, .. } => recipe,
            Input::Until { what, .. } => what,
            Input::Ops { .. } => "ops",
        }
    }

    /// The path of the repository whose change could change it; for a folder or pattern, that of what is listed.
    ///
    /// Nothing for what is no file: variables, results, time.
    pub fn path(&self) -> Option<&str> {
        match self {
            Input::File { path, .. }
            | Input::Absent { path }
            | Input::Present { path, .. }
            | Input::Details { path, .. }
            | Input::Link { path, .. } => Some(path),
            Input::Source { path, .. } => (!path.starts_with("embedded:")).then_some(path),
            Input::Listing { folder, .. } => Some(folder),
            Input::Glob { pattern, .. } => Some(fixed(pattern)),
            Input::Tool { path, .. } => path.as_deref(),
            _ => None,
        }
    }
}

/// The part of a pattern before its first wildcard, in whole names: the folder below which everything that can match lies. `.` is the root.
pub fn fixed(pattern: &str) -> &str {
    let wild = pattern.find(['*', '?', '[', '{']).unwrap_or(pattern.len());
    let end = pattern[..wild].rfind('/').unwrap_or(0);
    if end == 0 { "." } else { &pattern[..end] }
}

/// What a step left behind at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Left {
    /// A file.
    File(Print),
    /// A folder; what lies in it is no part of this.
    Folder,
    /// Nothing: it was removed or moved away.
    Nothing,
}

/// One thing that a step wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Its path.
    pub path: String,
    /// What was there when the step had ended.
    pub left: Left,
}

/// How the step of a trace ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case", deny_unknown_fields)]
pub enum TraceEnd {
    /// It has not: it runs, or its process died.
    Begun,
    /// It failed or was stopped.
    Failed,
    /// It returned this.
    Done {
        /// Its result.
        result: Value,
    },
}

/// What the last run of a step read and wrote, and why it ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// The recipe.
    pub recipe: String,
    /// Its arguments, resolved.
    pub args: Map<String, Value>,
    /// The run.
    pub run: RunId,
    /// When it ended; of one that has not, when it began.
    pub at: Time,
    /// How it ended.
    pub end: TraceEnd,
    /// Why it is never skipped although it ended well: a call that is not local, an input that moved while it ran.
    pub kept: Option<Reason>,
    /// Why it ran.
    pub because: Vec<Reason>,
    /// Everything that it read.
    pub inputs: Vec<Input>,
    /// Everything that it wrote.
    pub outputs: Vec<Output>,
}

/// The kind of a reason, a stable word of `--json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// `--force`.
    Forced,
    /// `always = true`.
    Always,
    /// It destroys.
    Destroys,
    /// It has not run here with these parameters.
    First,
    /// Its last run did not come to an end.
    Unfinished,
    /// Its last run failed.
    Failed,
    /// It makes calls to more than this machine's files.
    NotLocal,
    /// What it gives belongs to the run that made it.
    Result,
    /// A call failed, and the recipe went on.
    Recovered,
    /// It skipped itself.
    Itself,
    /// An input moved while it ran.
    MovedMeanwhile,
    /// Something among what it says to read or write cannot be followed: a folder outside of the repository, a name that is no text.
    Unfollowed,
    /// Its `status` says no.
    Status,
    /// The `fresh` time is over.
    Fresh,
    /// A file is another one.
    File,
    /// Something is where nothing was.
    Appeared,
    /// Nothing is where something was.
    Gone,
    /// Size, permissions or time are not the same.
    Details,
    /// Other names in a folder, or other files match a pattern.
    Members,
    /// A link leads elsewhere.
    Link,
    /// A variable is another one.
    Variable,
    /// Another tool.
    Tool,
    /// Another recipe text, or a module's.
    Source,
    /// Another inventory.
    Inventory,
    /// Another cluster.
    Identity,
    /// Another result of a needed recipe.
    Need,
    /// A time is over.
    Expired,
    /// Another version of `ops`.
    Ops,
    /// An output is not as it was left.
    Output,
    /// An earlier step of this plan would write it.
    Planned,
}

/// One reason for a judgement: what, and how it was and is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// Its kind.
    pub why: Why,
    /// What it is about: a path, a pattern, a call; empty where the kind says all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub what: String,
    /// How it was, in few words: a fingerprint, a value, names that are gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// How it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

impl Reason {
    /// A reason that is only about something.
    pub fn of(why: Why, what: impl Into<String>) -> Reason {
        Reason { why, what: what.into(), old: None, new: None }
    }

    /// The same with how it was and is.
    #[must_use]
    pub fn moved(mut self, old: impl Into<String>, new: impl Into<String>) -> Reason {
        (self.old, self.new) = (Some(old.into()), Some(new.into()));
        self
    }
}

/// What shows that a step is up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// Every input and output is as it was.
    Inputs,
    /// Its `status` says so.
    Status,
    /// It ran less than `fresh` ago, and its local inputs are as they were.
    Fresh,
}

/// The judgement of a step before it would run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case", deny_unknown_fields)]
pub enum Verdict {
    /// It is skipped.
    UpToDate {
        /// What shows it.
        by: Shown,
        /// How many inputs were compared.
        inputs: u64,
        /// How many outputs were compared.
        outputs: u64,
        /// The stored result, which it gives again.
        result: Value,
    },
    /// It runs.
    Run {
        /// Why: never empty.
        because: Vec<Reason>,
    },
}

impl Verdict {
    /// It runs for one reason.
    pub fn run(reason: Reason) -> Verdict {
        Verdict::Run { because: vec![reason] }
    }

    /// Whether the step is skipped.
    pub fn up_to_date(&self) -> bool {
        matches!(self, Verdict::UpToDate { .. })
    }
}

#[cfg(test)]
mod tests;
