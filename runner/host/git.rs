//! Reads of Git: runs the one command of a call and parses its NUL-separated output. Changes nothing.

use ops_core::argv::Argv;
use ops_core::call::git::{Changed, Diff, FIELD, Log, Show, Status, untracked};
use ops_core::call::{CallSpec, Common, Target};
use ops_core::error::{CallError, ErrorKind};
use ops_core::time::Span;
use ops_core::value::{BLOB_FROM, Value};
use serde_json::json;

use super::HostCx;
use super::content::Bytes;
use super::tool::unfinished;
use crate::sys::world::Unwatched;

const LIMIT: Span = Span::mins(2);

pub(super) async fn status(
    call: &Status,
    common: &Common,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    let output = run(call, common, cx).await?;
    let prefix = prefix(cx).await?;
    parse_status(&String::from_utf8_lossy(&output), &prefix)
        .ok_or_else(|| CallError::new(ErrorKind::Parse, "`git status` answered in another form"))
}

pub(super) async fn log(call: &Log, common: &Common, cx: &HostCx<'_>) -> Result<Value, CallError> {
    let output = run(call, common, cx).await?;
    let text = String::from_utf8_lossy(&output);
    let commit = |line: &str| -> Option<Value> {
        let mut fields = line.splitn(5, FIELD);
        let mut next = || fields.next();
        let (id, author, email) = (next()?, next()?, next()?);
        let at: u64 = next()?.parse().ok()?;
        Some(
            json!({"id": id, "author": author, "email": email, "at": at * 1000, "subject": next()?}),
        )
    };
    let commits: Option<Vec<Value>> =
        text.split('\0').filter(|l| !l.is_empty()).map(commit).collect();
    let wrong = || CallError::new(ErrorKind::Parse, "`git log` answered in another form");
    commits.map(Value::Array).ok_or_else(wrong)
}

pub(super) async fn diff(
    call: &Diff,
    common: &Common,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    let bytes = run(call, common, cx).await?;
    match String::from_utf8(bytes) {
        Ok(text) if text.len() <= BLOB_FROM => Ok(Value::String(text)),
        Ok(text) => cx.keep(&Bytes { bytes: text.into_bytes(), sealed: false }),
        Err(error) => cx.keep(&Bytes { bytes: error.into_bytes(), sealed: false }),
    }
}

pub(super) async fn show(
    call: &Show,
    common: &Common,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    let bytes = run(call, common, cx).await?;
    // What was secret as a file is so as history.
    let sealed = cx.file(&call.path).is_ok_and(|file| file.sealed);
    cx.keep(&Bytes { bytes, sealed })
}

pub(super) async fn changed(
    call: &Changed,
    common: &Common,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    let edited = run(call, common, cx).await?;
    let new = ask(&untracked(None, false), common, cx).await?;
    let mut paths: Vec<String> = [edited, new]
        .iter()
        .flat_map(|list| list.split(|b| *b == 0))
        .filter(|path| !path.is_empty())
        .map(|path| String::from_utf8_lossy(path).into_owned())
        .collect();
    paths.sort_unstable();
    paths.dedup();
    Ok(json!(paths))
}

async fn run(call: &dyn CallSpec, common: &Common, cx: &HostCx<'_>) -> Result<Vec<u8>, CallError> {
    let bug = || CallError::new(ErrorKind::Failed, "this call has no command");
    ask(&call.argv(&Target::default()).ok_or_else(bug)?, common, cx).await
}

async fn ask(argv: &Argv, common: &Common, cx: &HostCx<'_>) -> Result<Vec<u8>, CallError> {
    let output = cx
        .world
        .run(argv, Some(common.timeout.unwrap_or(LIMIT)), &Unwatched)
        .await
        .map_err(|failure| CallError { tool: Some("git".into()), ..unfinished(&failure) })?;
    if output.ok() { Ok(output.stdout) } else { Err(refused(output.code, &output.error_text())) }
}

fn refused(code: i32, text: &str) -> CallError {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let line = text.lines().next().unwrap_or("it said nothing");
    let message = line.strip_prefix("fatal: ").unwrap_or(line).to_owned();
    let error = if has(&["not a git repository"]) {
        CallError::new(ErrorKind::Precondition, message).hint("`git init` makes it one")
    } else if has(&["dubious ownership"]) {
        CallError::new(ErrorKind::Forbidden, message)
            .hint("the repository belongs to another user; see `git help config`, safe.directory")
    } else if has(&[
        "unknown revision",
        "bad revision",
        "does not exist",
        "exists on disk, but not",
        "bad object",
        "invalid object",
    ]) {
        CallError::new(ErrorKind::NotFound, message)
    } else {
        CallError::new(ErrorKind::Exit, message)
    };
    CallError {
        tool: Some("git".into()),
        exit: Some(code),
        stderr: text.to_owned(),
        ..error.before_effect()
    }
}

/// Where the root lies within Git's own: paths in a status are Git's.
async fn prefix(cx: &HostCx<'_>) -> Result<String, CallError> {
    let argv = Argv::new("git").args(["rev-parse", "--show-prefix"]);
    let output = ask(&argv, &Common::default(), cx).await?;
    Ok(String::from_utf8_lossy(&output).trim_end_matches('\n').to_owned())
}

/// `git status --porcelain=v2 --branch -z`.
fn parse_status(text: &str, prefix: &str) -> Option<Value> {
    let (mut branch, mut commit, mut upstream) = (Value::Null, Value::Null, Value::Null);
    let (mut ahead, mut behind) = (Value::Null, Value::Null);
    let mut files = Vec::new();
    let mut entries = text.split('\0');
    while let Some(entry) = entries.next().filter(|entry| !entry.is_empty()) {
        let (kind, rest) = entry.split_once(' ')?;
        let (path, state, staged, from) = match kind {
            "#" => {
                let (name, value) = rest.split_once(' ')?;
                match name {
                    "branch.oid" if value != "(initial)" => commit = json!(value),
                    "branch.head" if value != "(detached)" => branch = json!(value),
                    "branch.upstream" => upstream = json!(value),
                    "branch.ab" => {
                        let (a, b) = value.split_once(' ')?;
                        ahead = json!(a.trim_start_matches('+').parse::<u64>().ok()?);
                        behind = json!(b.trim_start_matches('-').parse::<u64>().ok()?);
                    }
                    _ => {}
                }
                continue;
            }
            "1" => (rest.splitn(8, ' ').nth(7)?, word(rest)?, is_staged(rest), None),
            "2" => (rest.splitn(9, ' ').nth(8)?, "renamed", is_staged(rest), Some(entries.next()?)),
            "u" => (rest.splitn(10, ' ').nth(9)?, "conflict", false, None),
            "?" => (rest, "untracked", false, None),
            _ => continue,
        };
        let Some(path) = path.strip_prefix(prefix) else { continue };
        let mut file = json!({"path": path, "state": state, "staged": staged});
        if let Some(from) = from {
            file["from"] = json!(from.strip_prefix(prefix).unwrap_or(from));
        }
        files.push(file);
    }
    Some(json!({
        "branch": branch, "commit": commit, "upstream": upstream, "ahead": ahead, "behind": behind,
        "clean": files.is_empty(), "files": files,
    }))
}

/// Of the two letters of a change, index and working tree, the first that says something.
fn word(rest: &str) -> Option<&'static str> {
    let letter = rest.chars().take(2).find(|letter| *letter != '.')?;
    Some(match letter {
        'A' => "added",
        'D' => "deleted",
        'T' => "retyped",
        'R' | 'C' => "renamed",
        _ => "modified",
    })
}

fn is_staged(rest: &str) -> bool {
    rest.starts_with(|letter| letter != '.')
}

#[cfg(test)]
mod tests {
    use super::super::bench::Bench;
    use super::*;

    #[test]
    fn a_status_is_read_with_every_kind_of_change() {
        let text = "# branch.oid 1f\0# branch.head main\0# branch.upstream origin/main\0# branch.ab +2 -1\0\
            1 .M N... 100644 100644 100644 a b sub/a b.txt\0\
            1 A. N... 000000 100644 100644 0 b sub/new\0\
            2 R. N... 100644 100644 100644 a b R100 sub/to\0sub/from\0\
            u UU N... 1 2 3 4 a b c sub/both\0? sub/x\0? other\0";
        let file = |path: &str, state: &str, staged: bool| json!({"path": path, "state": state, "staged": staged});
        let mut renamed = file("to", "renamed", true);
        renamed["from"] = json!("from");
        assert_eq!(
            parse_status(text, "sub/").unwrap(),
            json!({
                "branch": "main", "commit": "1f", "upstream": "origin/main", "ahead": 2, "behind": 1, "clean": false,
                "files": [
                    file("a b.txt", "modified", false), file("new", "added", true), renamed,
                    file("both", "conflict", false), file("x", "untracked", false),
                ],
            })
        );
    }

    #[test]
    fn a_repository_without_commits_has_neither_branch_nor_commit_of_its_own() {
        let status =
            parse_status("# branch.oid (initial)\0# branch.head (detached)\0", "").unwrap();
        assert_eq!(
            (&status["branch"], &status["commit"], &status["clean"]),
            (&Value::Null, &Value::Null, &json!(true))
        );
    }

    #[test]
    fn a_real_repository_answers_every_read() {
        let bench = Bench::new();
        bench.write("a b.txt", "one\n");
        bench.write("kept", "x\n");
        bench.commit();
        bench.write("a b.txt", "two\n");
        bench.write("new", "x\n");
        let call = |call: &str, args: Value| bench.call(call, args).unwrap();
        let status = call("git.status", json!({}));
        assert_eq!((&status["branch"], &status["clean"]), (&json!("main"), &json!(false)));
        assert_eq!(
            status["files"][0],
            json!({"path": "a b.txt", "state": "modified", "staged": false})
        );
        assert_eq!(call("git.status", json!({"path": "kept"}))["clean"], true);
        let log = call("git.log", json!({}));
        assert_eq!((log.as_array().unwrap().len(), &log[0]["subject"]), (1, &json!("first")));
        assert_eq!(log[0]["id"], status["commit"]);
        let diff = call("git.diff", json!({}));
        assert!(diff.as_str().unwrap().contains("-one\n+two\n"), "{diff}");
        let shown = call("git.show", json!({"path": "a b.txt"}));
        assert_eq!(bench.opened(&shown).0, "one\n");
        assert_eq!(call("git.changed", json!({"since": "HEAD"})), json!(["a b.txt", "new"]));
    }

    #[test]
    fn what_git_refuses_has_a_kind() {
        let bench = Bench::new();
        let kind = |call: &str, args: Value| {
            let error = bench.call(call, args).unwrap_err();
            assert!(error.before_effect, "{error}");
            error.kind
        };
        assert_eq!(kind("git.status", json!({})), ErrorKind::Precondition);
        bench.write("a", "x");
        bench.commit();
        assert_eq!(kind("git.log", json!({"rev": "nowhere"})), ErrorKind::NotFound);
        assert_eq!(kind("git.show", json!({"path": "none"})), ErrorKind::NotFound);
        assert!(bench.call("git.log", json!({"rev": "--output=x"})).is_err());
        assert!(!bench.root().join("x").exists());
    }
}
