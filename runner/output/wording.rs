//! How numbers, times, calls and results are said, everywhere alike.

use ops_core::call::Request;
use ops_core::call::table::Call;
use ops_core::error::{ErrorKind, Exit};
use ops_core::ident::CallId;
use ops_core::record::{Intent, Outcome};
use ops_core::value::Value;

/// A length of time: `0.3s`, `41s`, `2m04s`, `1h05m`.
pub fn took(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..10 => format!("{}.{}s", seconds, ms % 1000 / 100),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A limit, which is mostly a round number: `5m`, `90s`.
pub fn limit(ms: u64) -> String {
    ops_core::time::Span(ms).to_string()
}

/// A number with its noun: `1 worker`, `3 control planes`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// How a run ended, in one word.
pub fn ending(exit: Exit) -> &'static str {
    match exit {
        Exit::Done => "done",
        Exit::Failed | Exit::Usage | Exit::Tool | Exit::Stale => "failed",
        Exit::Refused | Exit::NoGrant => "refused",
        Exit::Locked => "locked",
        Exit::Unknown => "unknown",
        Exit::Pending => "pending",
        Exit::Bug => "bug",
        Exit::Interrupted | Exit::Terminated => "interrupted",
    }
}

/// A call's words: the tool's own, without the namespaces that everybody assumes: `apply-config`, `etcd snapshot`, `fs write`.
pub fn call(name: &str) -> String {
    let words: Vec<String> = name.split('.').map(|w| w.replace('_', "-")).collect();
    match words.split_first() {
        Some((first, rest)) if !rest.is_empty() && (first == "talos" || first == "kube") => {
            rest.join(" ")
        }
        _ => words.join(" "),
    }
}

/// Whom a call is about: its node, else the key of the innermost arm of its branch.
pub fn subject(id: &CallId, args: &ops_core::value::Map<String, Value>) -> String {
    if let Some(node) = args.get("node").and_then(Value::as_str) {
        return node.to_owned();
    }
    let key = |arm: &str| Some(arm.strip_suffix(']')?.split_once('[')?.1.to_owned());
    let arms = id.path.0.split('/').skip(1).collect::<Vec<_>>();
    arms.iter().rev().find_map(|arm| key(arm)).map(|key| unescape(&key)).unwrap_or_default()
}

/// What else a call's line says: its own `about`, or that of its type, without the node that stands before it.
pub fn about(intent: &Intent) -> String {
    if let Some(about) = intent.args.get("about").and_then(Value::as_str) {
        return about.to_owned();
    }
    let request = Request { call: intent.call.clone(), args: intent.args.clone(), place: None };
    let text = Call::decode(&request).map(|(call, _)| call.spec().about()).unwrap_or_default();
    let node = intent.args.get("node").and_then(Value::as_str).unwrap_or_default();
    match text.strip_prefix(node) {
        Some(rest) if rest.is_empty() || rest.starts_with(' ') => rest.trim().to_owned(),
        _ => text,
    }
}

/// What an outcome says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Result {
    /// It changed something, or does not say.
    Changed,
    /// It found everything as it should be.
    Unchanged,
    /// It failed.
    Failed,
}

/// An outcome in words.
pub fn outcome(outcome: &Outcome) -> (Result, String) {
    match outcome {
        Outcome::Failed(error) if error.kind == ErrorKind::Failed => {
            (Result::Failed, format!("failed: {}", error.message))
        }
        Outcome::Failed(error) => {
            (Result::Failed, format!("failed, {}: {}", spaced(error.kind.word()), error.message))
        }
        Outcome::DoneBlob(_) => (Result::Changed, "done".into()),
        Outcome::Done(reply) => match reply.get("changed").and_then(Value::as_bool) {
            Some(false) => (Result::Unchanged, "unchanged".into()),
            Some(true) => match reply.get("reboot").and_then(Value::as_str) {
                Some("none") => (Result::Changed, "changed, no reboot".into()),
                Some("now") => (Result::Changed, "changed, reboot".into()),
                Some(other) => (Result::Changed, format!("changed, {other}")),
                None => (Result::Changed, "changed".into()),
            },
            None => (Result::Changed, "done".into()),
        },
    }
}

fn spaced(word: &str) -> String {
    word.replace('_', " ")
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        if let Some(byte) =
            rest.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok())
        {
            bytes.push(byte);
            rest = &rest[at + 3..];
        } else {
            bytes.push(b'%');
            rest = &rest[at + 1..];
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ops_core::ident::Branch;
    use serde_json::json;

    #[test]
    fn times_are_said_as_exactly_as_they_matter() {
        let rows = [
            (0, "0.0s"),
            (340, "0.3s"),
            (3104, "3.1s"),
            (41_900, "41s"),
            (124_000, "2m04s"),
            (3_900_000, "1h05m"),
        ];
        for (ms, expected) in rows {
            assert_eq!(took(ms), expected);
        }
    }

    #[test]
    fn calls_are_named_as_their_tools_name_them() {
        assert_eq!(call("talos.apply_config"), "apply-config");
        assert_eq!(call("talos.etcd.remove_member"), "etcd remove-member");
        assert_eq!(call("fs.write"), "fs write");
        assert_eq!(call("sh"), "sh");
    }

    #[test]
    fn a_call_is_about_its_node_or_its_arm() {
        let path = Branch("r{0}".into()).arm("each", Some("a/b")).arm("work", None);
        let id = CallId { path, seq: 1 };
        let args = |v: Value| v.as_object().unwrap().clone();
        assert_eq!(subject(&id, &args(json!({"node": "w-1"}))), "w-1");
        assert_eq!(subject(&id, &args(json!({}))), "a/b");
    }
}
