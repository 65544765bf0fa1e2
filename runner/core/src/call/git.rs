//! Reads of the repository's history: status, log, diff, show, changed. Each is one `git` command with an output made for programs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CallSpec, Target, Tool};
use crate::argv::Argv;
use crate::effect::{Effect, Scope, Subject};

/// The client that carries these calls out: 2.24 is the first with `--end-of-options`.
pub const GIT: Tool = Tool { name: "git", min: (2, 24) };

/// Separates the fields of a commit in `git log`; its `-z` separates commits.
pub const FIELD: char = '\u{1f}';

/// `git` with whatever a user's configuration would change switched off, and without locks that would disturb an editor.
fn git(verb: &str) -> Argv {
    let quiet = ["--no-pager", "--no-optional-locks", "-c", "core.quotePath=false", "-c"];
    Argv::new("git").args(quiet).args(["color.ui=false", verb])
}

/// Everything that a read of the repository depends on.
fn repository() -> Vec<Subject> {
    vec![Subject::of(&["git"]), Subject::of(&["disk"])]
}

macro_rules! reads_git {
    ($name:ident, |$call:ident| $argv:expr, $about:expr) => {
        impl CallSpec for $name {
            fn effect(&self) -> Effect {
                Effect::Reads
            }
            fn scope(&self) -> Scope {
                // It depends on every file and on all of `.git`: more than a step's trace could hold.
                Scope::Process
            }
            fn reads(&self) -> Vec<Subject> {
                repository()
            }
            fn tool(&self) -> Option<Tool> {
                Some(GIT)
            }
            fn argv(&self, _target: &Target) -> Option<Argv> {
                let $call = self;
                Some($argv)
            }
            fn stable(&self) -> &'static [&'static str] {
                &["*"]
            }
            fn about(&self) -> String {
                let $call = self;
                $about
            }
        }
    };
}

/// The path behind `--`, where there is one.
fn of_path(argv: Argv, path: Option<&String>) -> Argv {
    argv.arg("--").args(path)
}

/// `git.status { path? }`: the branch, and every file that differs from the last commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// Only below this path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

reads_git!(
    Status,
    |call| of_path(
        git("status").args(["--porcelain=v2", "--branch", "--untracked-files=all", "-z"]),
        call.path.as_ref(),
    ),
    call.path.clone().unwrap_or_default()
);

/// `git.log { rev?, path?, limit? }`: commits, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// A revision or range; the current commit where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<String>,
    /// Only commits that touch this path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How many at most; 100 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

reads_git!(
    Log,
    |call| {
        let format = ["%H", "%an", "%ae", "%ct", "%s"].join(&FIELD.to_string());
        let argv = git("log").args(["-z", "--no-show-signature"]).pair("--format", format);
        let argv = argv.pair("--max-count", call.limit.unwrap_or(100).to_string());
        let rev = call.rev.as_deref().unwrap_or("HEAD");
        of_path(argv.args(["--end-of-options", rev]), call.path.as_ref())
    },
    call.rev.clone().unwrap_or_default()
);

/// `git.diff { rev?, path? }`: the difference from a revision to the files as they are, as a patch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Diff {
    /// A revision or range; the current commit where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<String>,
    /// Only below this path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

reads_git!(
    Diff,
    |call| of_path(
        git("diff")
            .args(["--no-ext-diff", "--no-textconv", "--no-color", "--end-of-options"])
            .arg(call.rev.as_deref().unwrap_or("HEAD")),
        call.path.as_ref(),
    ),
    call.rev.clone().unwrap_or_default()
);

/// `git.show { path, rev? }`: a file as it was in a revision, as a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Show {
    /// Path relative to the root.
    pub path: String,
    /// The revision; the current commit where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<String>,
}

reads_git!(
    Show,
    |call| git("show").args(["--no-textconv", "--end-of-options"]).arg(format!(
        "{}:./{}",
        call.rev.as_deref().unwrap_or("HEAD"),
        call.path
    )),
    call.path.clone()
);

/// `git.changed { since }`: every file that differs from a revision: committed, staged, edited or new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Changed {
    /// The revision.
    pub since: String,
}

reads_git!(
    Changed,
    |call| git("diff")
        .args(["--no-ext-diff", "--name-only", "--no-renames", "--relative", "-z"])
        .args(["--end-of-options", &call.since, "--"]),
    call.since.clone()
);

/// Files that Git does not know; those that it is told to ignore only where `ignored`.
pub fn untracked(path: Option<&str>, ignored: bool) -> Argv {
    let argv = git("ls-files").args(["--others", "-z"]).flag("--exclude-standard", !ignored);
    argv.arg("--").args(path)
}

/// Whether Git ignores a path: 0 where it does, 1 where it would take it, or has it already.
pub fn ignored(path: &str) -> Argv {
    git("check-ignore").args(["--quiet", "--", path])
}

/// The files below a path that the current commit holds.
pub fn tracked(path: &str) -> Argv {
    git("ls-files").args(["--cached", "-z", "--", path])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_or_path_of_a_user_is_never_an_option() {
        let (rev, path) = (Some("--output=x".to_owned()), Some("-x".to_owned()));
        let calls: [&dyn CallSpec; 4] = [
            &Log { rev: rev.clone(), path: path.clone(), limit: None },
            &Diff { rev, path },
            &Show { path: "x".into(), rev: Some("--output=x".into()) },
            &Changed { since: "--output=x".into() },
        ];
        for call in calls {
            let argv = call.argv(&Target::default()).unwrap();
            let end = argv.args.iter().position(|a| a == "--end-of-options").unwrap();
            let given = argv.args.iter().position(|a| a.starts_with("--output=x")).unwrap();
            assert!(end < given, "{}", argv.shown());
        }
        let argv = Status { path: Some("-x".into()) }.argv(&Target::default()).unwrap();
        assert!(argv.args.ends_with(&["--".into(), "-x".into()]));
    }
}
