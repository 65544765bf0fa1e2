//! Why a tool failed: from the words on stderr to a kind of error, and whether the failure is proven to have come before any effect.
//!
//! talosctl ends with 1 for everything, so its words are all there is. The gRPC code decides first, its description second.

use crate::argv::{Argv, ToolOutput};
use crate::error::{CallError, ErrorKind};

/// The failure that an output tells of.
pub fn of_output(argv: &Argv, output: &ToolOutput) -> CallError {
    let text = output.error_text();
    let (kind, message, before_effect) = if argv.tool == "kubectl" {
        let (kind, before) = kubectl(&text);
        (kind, last_line(&text), before)
    } else {
        let (kind, before) = talosctl(&text);
        (kind, description(&text), before)
    };
    let message = if message.is_empty() {
        format!("`{}` ended with {} and said nothing", argv.tool, output.code)
    } else {
        message
    };
    CallError {
        tool: Some(argv.tool.clone()),
        exit: Some(output.code),
        stderr: tail(&without_diff(&text)),
        before_effect,
        ..CallError::new(kind, message)
    }
}

/// Words that show a failed handshake: the peer is not who the client's certificate authority vouches for, or asks for another client.
const HANDSHAKE: [&str; 5] = [
    "certificate signed by unknown authority",
    "failed to verify certificate",
    "tls: certificate required",
    "remote error: tls",
    "x509:",
];

/// Words of a connection that never came about: nothing was sent.
const NO_ROAD: [&str; 7] = [
    "connection refused",
    "no route to host",
    "network is unreachable",
    "no such host",
    "i/o timeout",
    "host is down",
    "name resolver error",
];

/// The kind of a failure of talosctl, and whether it came before any effect.
pub fn talosctl(text: &str) -> (ErrorKind, bool) {
    let has = |words: &[&str]| words.iter().any(|w| text.contains(w));
    let dialing = has(&["Error while dialing", "authentication handshake failed"]);
    if text.contains("127.0.0.1:2379") || text.contains("etcd not running") {
        return (ErrorKind::NotReady, false);
    }
    if has(&["etcdserver: request timed out"]) {
        return (ErrorKind::Timeout, false);
    }
    if has(&["etcdserver: member not found"]) {
        return (ErrorKind::NotFound, true);
    }
    if has(&["etcdserver: "]) {
        return (ErrorKind::NotReady, true);
    }
    if has(&[
        "unknown flag",
        "unknown command",
        "required flag",
        "invalid argument \"",
        "unknown shorthand",
    ]) {
        return (ErrorKind::Invalid, true);
    }
    if has(&HANDSHAKE) {
        return (ErrorKind::Certificate, true);
    }
    match code(text) {
        Some("Unavailable") => (ErrorKind::Unreachable, dialing),
        Some("DeadlineExceeded" | "Canceled") => {
            if has(&NO_ROAD) {
                (ErrorKind::Unreachable, true)
            } else {
                (ErrorKind::Timeout, false)
            }
        }
        Some("PermissionDenied") => (ErrorKind::Forbidden, true),
        Some("Unauthenticated") => (ErrorKind::Unauthorized, true),
        Some("NotFound") => (ErrorKind::NotFound, true),
        Some("AlreadyExists") => (ErrorKind::AlreadyExists, true),
        Some("InvalidArgument" | "OutOfRange") => (ErrorKind::Invalid, true),
        Some("FailedPrecondition") => (ErrorKind::NotReady, true),
        Some("Aborted") => (ErrorKind::Conflict, true),
        Some("Unimplemented") => {
            let bare = has(&["maintenance mode", "machine type is not set"]);
            (if bare { ErrorKind::Maintenance } else { ErrorKind::Invalid }, true)
        }
        Some("Unknown")
            if has(&["volume status", "is not located", "invalid input", "user disk failed"]) =>
        {
            (ErrorKind::Invalid, true)
        }
        _ if has(&[
            "another apply configuration is already in progress",
            "already in progress",
        ]) =>
        {
            (ErrorKind::Conflict, true)
        }
        _ if has(&["already exists"]) => (ErrorKind::AlreadyExists, true),
        _ if has(&[
            "no such file or directory",
            "no context is set",
            "is not defined",
            "talos config file is empty",
            "failed to determine endpoints",
        ]) =>
        {
            (ErrorKind::Invalid, true)
        }
        _ if has(&NO_ROAD) => (ErrorKind::Unreachable, dialing),
        _ if has(&["deadline exceeded", "timeout"]) => (ErrorKind::Timeout, false),
        _ => (ErrorKind::Exit, false),
    }
}

/// The kind of a failure of kubectl, and whether it came before any effect.
pub fn kubectl(text: &str) -> (ErrorKind, bool) {
    let has = |words: &[&str]| words.iter().any(|w| text.contains(w));
    if has(&["(Forbidden)"]) {
        (ErrorKind::Forbidden, true)
    } else if has(&["(Unauthorized)", "You must be logged in"]) {
        (ErrorKind::Unauthorized, true)
    } else if has(&HANDSHAKE) {
        (ErrorKind::Certificate, true)
    } else if has(&["(NotFound)"]) {
        (ErrorKind::NotFound, true)
    } else if has(&["(AlreadyExists)"]) {
        (ErrorKind::AlreadyExists, true)
    } else if has(&["(Conflict)"]) {
        (ErrorKind::Conflict, true)
    } else if has(&[
        "(BadRequest)",
        "(Invalid)",
        "unknown flag",
        "unknown command",
        "required flag",
        "context was not found",
        "no such file or directory",
        "invalid configuration",
    ]) {
        (ErrorKind::Invalid, true)
    } else if has(&["cannot delete "]) {
        // Pods that the drain may not touch: refused before the first eviction, but the node stays cordoned.
        (ErrorKind::Invalid, false)
    } else if has(&["timed out", "deadline exceeded", "global timeout", "timeout reached"]) {
        (ErrorKind::Timeout, false)
    } else if has(&["was refused", "Unable to connect to the server"]) || has(&NO_ROAD) {
        (ErrorKind::Unreachable, false)
    } else {
        (ErrorKind::Exit, false)
    }
}

/// The kind for a status of the Kubernetes API; none for success.
pub fn http(status: u16) -> Option<ErrorKind> {
    Some(match status {
        200..=299 => return None,
        400 | 405 | 406 | 415 | 422 => ErrorKind::Invalid,
        401 => ErrorKind::Unauthorized,
        403 => ErrorKind::Forbidden,
        404 | 410 => ErrorKind::NotFound,
        409 => ErrorKind::Conflict,
        408 | 504 => ErrorKind::Timeout,
        429 | 500 | 502 | 503 => ErrorKind::NotReady,
        _ => ErrorKind::Failed,
    })
}

/// The first gRPC code in the text, which is the outermost: the server's own answer.
fn code(text: &str) -> Option<&str> {
    let rest = text.split("rpc error: code = ").nth(1)?;
    rest.split(' ').next()
}

/// What happened, in one line: the innermost description, without diffs, addresses in front and repeated words.
fn description(text: &str) -> String {
    let text = without_diff(text);
    let inner = match text.rfind(" desc = ") {
        Some(at) => &text[at + " desc = ".len()..],
        None => text.split("\n\nUsage:").next().unwrap_or(&text),
    };
    let words: Vec<&str> = inner.split_whitespace().filter(|w| *w != "*").collect();
    let line = words.join(" ");
    let line = line.trim_matches('"').replace("\\\"", "\"");
    let line = line.strip_prefix("transport: ").unwrap_or(&line);
    let line = line.strip_prefix("Error while dialing: ").unwrap_or(line);
    shortened(line)
}

/// A diff, or fields that a refusal quotes, can hold keys of the config, so nobody gets to see them.
fn without_diff(text: &str) -> String {
    const UNKNOWN: &str = "unknown keys found during decoding:";
    let end = ["\ndiff:", "\nConfig diff:"].iter().filter_map(|w| text.find(w)).min();
    let text = text[..end.unwrap_or(text.len())].trim_end();
    let Some((head, keys)) = text.split_once(UNKNOWN) else { return text.to_owned() };
    let names: Vec<&str> =
        keys.lines().filter_map(|l| l.split_once(':')).map(|(name, _)| name.trim()).collect();
    format!("{head}{UNKNOWN} {}", names.join(", "))
}

fn last_line(text: &str) -> String {
    let line = text.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or_default().trim();
    shortened(line.strip_prefix("error: ").unwrap_or(line))
}

fn shortened(line: &str) -> String {
    const LONGEST: usize = 400;
    match line.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

/// The last lines, at most 2,000 characters.
fn tail(text: &str) -> String {
    let from = text.chars().count().saturating_sub(2000);
    text.chars().skip(from).collect()
}
