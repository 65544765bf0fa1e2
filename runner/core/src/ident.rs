//! Names of runs, recipes, branches and calls. The encoding of a branch path is injective: two paths never print alike.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::value::{Digest, Value};

/// A run's short name, such as `7k2m`: unique within a state folder.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct RunId(pub String);

impl RunId {
    /// The run id for some random bits: four to thirteen letters and digits that cannot be misread (no 0, 1, l, o).
    pub fn from_random(bits: u64, length: usize) -> RunId {
        const LETTERS: &[u8; 32] = b"23456789abcdefghijkmnpqrstuvwxyz";
        let text = (0..length).map(|i| LETTERS[(bits >> (5 * i)) as usize % 32] as char).collect();
        RunId(text)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A branch: the chain from a step (`recipe{digest}`) through named arms.
///
/// Printed as `talos:upgrade{1f3c}/node[cp-1]/work`; `%`, `/`, `[`, `]`, `{`, `}` and control characters in names and keys are
/// percent-escaped, so the encoding is injective.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Branch(pub String);

impl Branch {
    /// The root branch of a step: the recipe's name and the digest of its arguments.
    pub fn step(recipe: &str, args: &Value) -> Branch {
        Branch(format!("{}{{{}}}", escape(recipe), Digest::of(args).short()))
    }

    /// An arm of this branch: `kind` alone, or `kind[key]`.
    #[must_use]
    pub fn arm(&self, kind: &str, key: Option<&str>) -> Branch {
        match key {
            Some(key) => Branch(format!("{}/{}[{}]", self.0, escape(kind), escape(key))),
            None => Branch(format!("{}/{}", self.0, escape(kind))),
        }
    }

    /// Whether `other` is this branch or lies below it.
    pub fn contains(&self, other: &Branch) -> bool {
        other.0.strip_prefix(&self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The last part: what a person sees in a tree.
    pub fn leaf(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '/' | '[' | ']' | '{' | '}') || c.is_control() {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                out.push_str(&format!("%{byte:02x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// A call's place in the program: its branch and its number there, counted from 1 in the order in which Lua invoked them.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct CallId {
    /// The branch that made the call.
    pub path: Branch,
    /// Its number within that branch, from 1.
    pub seq: u32,
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.path, self.seq)
    }
}

impl std::str::FromStr for CallId {
    type Err = String;

    fn from_str(text: &str) -> Result<CallId, String> {
        let (path, seq) =
            text.rsplit_once('/').ok_or_else(|| format!("`{text}` is no call: BRANCH/NUMBER"))?;
        let seq = seq.parse().map_err(|_| format!("`{text}` is no call: it ends in no number"))?;
        Ok(CallId { path: Branch(path.to_owned()), seq })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_would_print_alike_are_told_apart() {
        let root = Branch("r{0}".into());
        let nested = root.arm("a", Some("x")).arm("b", Some("y"));
        let forged = root.arm("a", Some("x]/b[y"));
        assert_ne!(nested, forged);
        assert_ne!(root.arm("a", Some("%2f")), root.arm("a", Some("/")));
        assert_ne!(root.arm("a[x]", None), root.arm("a", Some("x")));
    }

    #[test]
    fn a_branch_contains_itself_and_what_lies_below() {
        let root = Branch("r{0}".into());
        let arm = root.arm("node", Some("w-1"));
        assert!(root.contains(&arm) && arm.contains(&arm));
        assert!(!arm.contains(&root));
        assert!(!arm.contains(&Branch(format!("{arm}0"))));
    }

    #[test]
    fn a_call_is_read_as_it_is_printed() {
        let id = CallId { path: Branch("r{0}".into()).arm("node", Some("a/b")), seq: 12 };
        assert_eq!(id.to_string().parse::<CallId>().unwrap(), id);
    }
}
