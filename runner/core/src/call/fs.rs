//! Files of the repository: read, found, written, moved. Also where the subjects of files are named.
//!
//! A file has three subjects. `file/…` is what calls of `ops` see: in a plan an overlay. `disk/…` is what processes see: never the
//! overlay. `made/…` is what processes write: in a plan nobody knows it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{CallSpec, Settled, Witness};
use crate::effect::{Effect, Scope, Subject};
use crate::value::{Handle, Value};

/// Text in the recipe, or content that another call gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Content {
    /// Text.
    Text(String),
    /// A blob or a secret.
    Handle(Handle),
}

/// What a call of `ops` that reads a path depends on.
pub(super) fn read_of(path: &str) -> Vec<Subject> {
    vec![Subject::of(&["file", &fixed(path)]), Subject::of(&["made", &fixed(path)])]
}

/// What a call of `ops` that writes a path touches.
pub(super) fn written_to(path: &str) -> Vec<Subject> {
    vec![Subject::of(&["file", &fixed(path)]), Subject::of(&["disk", &fixed(path)])]
}

/// What a process depends on that reads these paths or patterns; everything, where it does not say.
pub(super) fn read_by_process(paths: Option<&[String]>) -> Vec<Subject> {
    below("disk", paths)
}

/// What a process touches that writes these paths or patterns; everything, where it does not say.
pub(super) fn written_by_process(paths: Option<&[String]>) -> Vec<Subject> {
    [below("made", paths), below("disk", paths)].concat()
}

fn below(kind: &str, paths: Option<&[String]>) -> Vec<Subject> {
    let all = || vec![Subject(kind.to_owned())];
    paths.map_or_else(all, |paths| {
        let subject = |path: &String| match fixed(path).as_str() {
            "" => Subject(kind.to_owned()),
            path => Subject::of(&[kind, path]),
        };
        paths.iter().map(subject).collect()
    })
}

/// The part of a pattern before its first wildcard, in whole names and in one spelling.
fn fixed(pattern: &str) -> String {
    let parts = pattern.split('/').filter(|part| !matches!(*part, "" | "."));
    let plain = parts.take_while(|part| !part.contains(['*', '?', '[', '{']));
    plain.collect::<Vec<_>>().join("/")
}

macro_rules! reads_a_path {
    ($name:ident, $stable:expr, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// Path relative to the root.
            pub path: String,
        }

        impl CallSpec for $name {
            fn effect(&self) -> Effect {
                Effect::Reads
            }
            fn scope(&self) -> Scope {
                Scope::Local
            }
            fn reads(&self) -> Vec<Subject> {
                read_of(&self.path)
            }
            fn stable(&self) -> &'static [&'static str] {
                $stable
            }
            fn about(&self) -> String {
                self.path.clone()
            }
        }
    };
}

reads_a_path!(Read, &["*"], "`fs.read { path }`: the content of a file, as a blob.");
reads_a_path!(Exists, &["*"], "`fs.exists { path }`: whether something is there.");
reads_a_path!(
    Stat,
    &["size", "mode", "dir"],
    "`fs.stat { path }`: size, permissions and time; nil where nothing is."
);

/// `fs.glob { pattern }`: the files that match, sorted by bytes. `*` and `?` stop at `/`, `**` does not; names that start with a dot are
/// matched by patterns that do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Glob {
    /// Pattern relative to the root: `kubernetes/apps/*/namespace.yaml`.
    pub pattern: String,
    /// No match is an answer, not an error.
    #[serde(default)]
    pub allow_empty: bool,
}

impl CallSpec for Glob {
    fn effect(&self) -> Effect {
        Effect::Reads
    }
    fn scope(&self) -> Scope {
        Scope::Local
    }
    fn reads(&self) -> Vec<Subject> {
        let pattern = Some(std::slice::from_ref(&self.pattern));
        [below("file", pattern), below("made", pattern)].concat()
    }
    fn stable(&self) -> &'static [&'static str] {
        &["*"]
    }
    fn about(&self) -> String {
        self.pattern.clone()
    }
}

macro_rules! writes_files {
    ($name:ident, |$call:ident| about $about:expr, writes $writes:expr $(, reads $reads:expr)?) => {
        impl CallSpec for $name {
            fn effect(&self) -> Effect {
                Effect::Files
            }
            fn scope(&self) -> Scope {
                Scope::Local
            }
            $(fn reads(&self) -> Vec<Subject> {
                let $call = self;
                $reads
            })?
            fn writes(&self) -> Vec<Subject> {
                let $call = self;
                $writes
            }
            fn stable(&self) -> &'static [&'static str] {
                &["path", "changed"]
            }
            fn about(&self) -> String {
                let $call = self;
                $about
            }
        }
    };
}

/// `fs.write { path, content, mode? }`: replaces a file in one step; nothing happens where it is as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// Path relative to the root.
    pub path: String,
    /// Text, a blob or a secret.
    pub content: Content,
    /// Permissions in octal, such as `"0600"`; those that it has, or `"0644"`. Secret content: `"0600"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}

writes_files!(Write, |call| about call.path.clone(), writes written_to(&call.path));

/// `fs.copy { path, to }`: copies a file with its permissions; nothing happens where it is the same already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Copy {
    /// Path relative to the root.
    pub path: String,
    /// Path of the copy, relative to the root.
    pub to: String,
}

writes_files!(
    Copy, |call| about format!("{} to {}", call.path, call.to),
    writes written_to(&call.to), reads read_of(&call.path)
);

/// `fs.move { path, to }`: gives a file another name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// Path relative to the root.
    pub path: String,
    /// Its new path, relative to the root; what is there is replaced.
    pub to: String,
}

impl CallSpec for Move {
    fn effect(&self) -> Effect {
        Effect::Files
    }
    fn scope(&self) -> Scope {
        Scope::Local
    }
    fn reads(&self) -> Vec<Subject> {
        read_of(&self.path)
    }
    fn writes(&self) -> Vec<Subject> {
        [written_to(&self.path), written_to(&self.to)].concat()
    }
    fn witness(&self) -> Witness {
        // Made again it would miss what it moved; whether that is still there tells.
        Witness::File { path: self.path.clone() }
    }
    fn settle(&self, before: &Value, now: &Value) -> Settled {
        if before == now {
            Settled::NotDone { because: format!("{} is still there", self.path) }
        } else {
            Settled::Done {
                reply: json!({"path": self.to, "changed": true}),
                because: format!("{} is gone", self.path),
            }
        }
    }
    fn stable(&self) -> &'static [&'static str] {
        &["path", "changed"]
    }
    fn about(&self) -> String {
        format!("{} to {}", self.path, self.to)
    }
}

/// `fs.mkdir { path }`: makes a folder and those above it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mkdir {
    /// Path relative to the root.
    pub path: String,
}

writes_files!(Mkdir, |call| about call.path.clone(), writes written_to(&call.path));

/// `fs.remove { path }`: removes a file, or a folder of which Git knows every file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Remove {
    /// Path relative to the root.
    pub path: String,
}

writes_files!(
    Remove, |call| about call.path.clone(), writes written_to(&call.path), reads read_of(&call.path)
);

/// `fs.temp {}`: a path for a file of this run, below `.ops/tmp/`. Nothing is made there yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Temp {}

writes_files!(Temp, |_call| about String::new(), writes Vec::new());

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(a: &[Subject], b: &[Subject]) -> bool {
        a.iter().any(|a| b.iter().any(|b| a.touches(b)))
    }

    #[test]
    fn what_a_process_writes_is_unknown_to_later_reads_of_it_only() {
        let out = written_by_process(Some(&["out/*.yaml".into()]));
        assert!(touch(&out, &read_of("out/a.yaml")));
        assert!(touch(&out, &read_by_process(Some(&["out".into()]))));
        assert!(!touch(&out, &read_of("source/a.yaml")));
        assert!(touch(&written_by_process(None), &read_of("any")));
        assert!(!touch(&written_by_process(Some(&[])), &read_of("any")));
    }

    #[test]
    fn what_a_plan_wrote_to_its_overlay_no_process_has_seen() {
        let write = written_to("./a//b");
        assert!(touch(&write, &read_by_process(None)));
        assert!(touch(&write, &read_by_process(Some(&["a".into()]))));
        assert!(!touch(&write, &read_by_process(Some(&["c".into()]))));
        assert!(!touch(&write, &written_by_process(Some(&["c".into()]))));
    }

    #[test]
    fn a_move_is_settled_by_what_it_moved() {
        let call = Move { path: "a".into(), to: "b".into() };
        let (there, gone) = (json!({"digest": "1f"}), json!(null));
        assert!(matches!(call.settle(&there, &there), Settled::NotDone { .. }));
        assert!(matches!(call.settle(&there, &gone), Settled::Done { .. }));
    }
}
