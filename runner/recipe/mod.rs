//! Recipes as plain data: heads, parameters, the catalogue. Knows no Lua and does no I/O of its own.

mod catalog;
pub mod params;
mod pattern;
pub mod select;
pub mod semver;
pub mod source;
mod typed;
pub mod words;

use std::collections::BTreeMap;

use ops_core::time::Span;
use ops_core::value::{Map, Value};
use serde::{Deserialize, Serialize};

pub use catalog::Catalog;

/// What listing, graph, completion and checks read of a recipe.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Head {
    /// Its name: `talos:apply-config`.
    pub name: String,
    /// One line: imperative, at most 72 characters.
    pub desc: String,
    /// The `---` comment above it.
    pub doc: String,
    /// File that defines it, as shown to the user: `recipes/talos/reboot.lua`, or `embedded:recipes/…`.
    pub file: String,
    /// File of the recipe that it takes the place of.
    pub overrides: Option<String>,
    /// Line of its table.
    pub line: u32,
    /// Where it comes from.
    pub origin: Origin,
    /// Parameters in source order.
    pub params: Vec<Param>,
    /// What must be done before.
    pub needs: Needs,
    /// Recipes that it consists of, strictly in order; then it has no body.
    pub stages: Vec<Need>,
    /// Shell lines in place of a body.
    pub shell: Option<Vec<String>>,
    /// Which functions it has.
    pub functions: Functions,
    /// A reachable D call is allowed.
    pub destructive: bool,
    /// Asked once for the whole graph, where it is a text.
    pub confirm: Option<String>,
    /// The way back: a text, or a recipe.
    pub undo: Option<Undo>,
    /// Limit of the whole body.
    pub timeout: Option<Span>,
    /// Repetitions of a body that made no D call.
    pub retries: Option<Retries>,
    /// `cluster`, `none` or a name; by effect where absent.
    pub lock: Option<String>,
    /// `bootstrap`, `gitops`, `hybrid` or `emergency`.
    pub phase: Option<String>,
    /// Works on a cluster of the inventory.
    pub cluster: bool,
    /// Words for selection.
    pub tags: Vec<String>,
    /// Heading in listings; the first part of the name where absent.
    pub group: Option<String>,
    /// Other names.
    pub aliases: Vec<String>,
    /// Only recipes may call it.
    pub private: bool,
    /// Command lines and what they do.
    pub examples: Vec<(String, String)>,
    /// Tools that shell lines use, with their version ranges.
    pub tools: BTreeMap<String, String>,
    /// Hosts that `http` may reach.
    pub hosts: Vec<String>,
    /// Globs that shell reads.
    pub sources: Vec<String>,
    /// Globs that shell writes.
    pub generates: Vec<String>,
    /// Shell lines that tell whether it is up to date.
    pub status: Vec<String>,
    /// Never up to date.
    pub always: bool,
    /// How long it counts as up to date although it reaches more than this machine.
    pub fresh: Option<Span>,
    /// Needs the terminal.
    pub interactive: bool,
    /// Variables for child processes.
    pub env: BTreeMap<String, String>,
    /// Working directory of child processes, relative to the root.
    pub cwd: Option<String>,
    /// Names of recipes that its body runs by `cx:run`, as far as they stand in the source as literals.
    pub runs: Vec<String>,
}

/// Where a recipe comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Part of the binary.
    #[default]
    Embedded,
    /// The repository's `recipes/`.
    Repository,
    /// The repository's, in place of one of the same name.
    Override,
}

/// Which functions a recipe has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the function of that name in the recipe's table")]
pub struct Functions {
    pub run: bool,
    pub preconditions: bool,
    pub confirm: bool,
    pub on_failure: bool,
    pub needs: bool,
    pub status: bool,
}

/// What must be done before a recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    /// Said in the head.
    Static(Vec<Need>),
    /// Given by a function of the parameters.
    Dynamic,
}

impl Default for Needs {
    fn default() -> Needs {
        Needs::Static(Vec::new())
    }
}

/// A recipe with arguments.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Need {
    /// Its name; without `:` it is of the same group.
    pub recipe: String,
    /// Arguments.
    pub args: Map<String, Value>,
}

/// The way back from a recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// In words.
    Text(String),
    /// By a recipe.
    Recipe(Need),
}

/// Repetitions of a failed body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retries {
    /// How often it is tried again at most: one attempt less than there are in all.
    pub times: u32,
    /// First pause.
    pub backoff: Span,
    /// Kinds of error that are tried again.
    pub kinds: Vec<ops_core::error::ErrorKind>,
}

/// A parameter of a recipe.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Param {
    /// Its name in Lua: `drain_timeout`; the flag is `--drain-timeout`.
    pub name: String,
    /// Its type.
    pub kind: ParamKind,
    /// One line.
    pub desc: String,
    /// Default value.
    pub default: Option<Value>,
    /// The default is a function.
    pub default_function: bool,
    /// Must be given.
    pub required: bool,
    /// Takes words in source order.
    pub positional: bool,
    /// One-letter flag.
    pub short: Option<char>,
    /// Variable that gives it.
    pub env: Option<String>,
    /// Has a check function.
    pub check: bool,
    /// Asked for on a terminal.
    pub prompt: bool,
    /// Not listed.
    pub hidden: bool,
    /// Words to complete, or the name of a list.
    pub complete: Vec<String>,
}

/// The type of a parameter, with its own fields (recipe-api §2).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(missing_docs, reason = "fields are those of the Lua table")]
pub enum ParamKind {
    #[default]
    Bool,
    String {
        pattern: Option<String>,
        min: Option<u64>,
        max: Option<u64>,
        allow_empty: bool,
    },
    Int {
        min: Option<i64>,
        max: Option<i64>,
    },
    Number {
        min: Option<f64>,
        max: Option<f64>,
    },
    Choice {
        words: Vec<String>,
        multiple: bool,
    },
    List {
        of: Box<ParamKind>,
        sep: Option<String>,
        allow_empty: bool,
    },
    Path {
        dir: bool,
        exists: bool,
        outside: bool,
    },
    Duration {
        min: Option<Span>,
        max: Option<Span>,
    },
    Semver {
        range: Option<String>,
    },
    Node {
        role: Option<String>,
    },
    Nodes {
        role: Option<String>,
    },
    Cluster,
    /// `of` names the parameter whose nodes' volumes are meant.
    Partitions {
        of: Option<String>,
    },
    Secret {
        from: Option<String>,
    },
    Rest {
        min: Option<u64>,
        max: Option<u64>,
    },
}
