//! Past runs, newest first.

use ops_core::record::RunHead;
use ops_core::time::Time;
use ops_core::value::{Map, Value};
use serde_json::json;

use super::object;
use crate::journal::runs::Listed;
use crate::output::paint::Look;
use crate::output::{table, wording};

/// The runs as text: newest first; `now` is the wall clock, `resume` words the command that goes on with a run from here.
pub fn history(
    runs: &[Listed],
    now: Time,
    resume: &dyn Fn(&Listed) -> Option<String>,
    look: Look,
) -> String {
    if runs.is_empty() {
        return "There are no runs yet.\n".into();
    }
    let rows: Vec<Vec<String>> = runs.iter().rev().map(|run| row(run, now, resume)).collect();
    let lines = table::lines(&rows, 3, look.room());
    lines.into_iter().map(|line| format!("{line}\n")).collect::<Vec<_>>().concat()
}

fn row(listed: &Listed, now: Time, resume: &dyn Fn(&Listed) -> Option<String>) -> Vec<String> {
    let run = listed.run.0.clone();
    let head = match &listed.head {
        Ok(head) => head,
        Err(why) => return vec![run, "unreadable".into(), String::new(), why.to_string()],
    };
    let (ended, took) = match listed.end {
        Some((exit, at)) => (wording::ending(exit), wording::took(at.since(head.at).0)),
        None => ("not ended", String::new()),
    };
    // The lab's clock is not this machine's: an age would be made up.
    let when =
        if head.lab { format!("lab, {}", ago(now, listed.written)) } else { ago(now, head.at) };
    let next = if listed.end.is_none() { resume(listed) } else { None };
    let next = next.unwrap_or_default();
    vec![run, ended.into(), asked(head), cluster(head), when, took, next]
}

fn asked(head: &RunHead) -> String {
    head.asked.iter().map(|a| a.recipe.as_str()).collect::<Vec<_>>().join(" ")
}

fn cluster(head: &RunHead) -> String {
    head.cluster.clone().unwrap_or_default()
}

pub(super) fn ago(now: Time, then: Time) -> String {
    let minutes = now.since(then).0 / 60_000;
    match minutes {
        0 => "just now".into(),
        1..60 => format!("{minutes}m ago"),
        60..2880 => format!("{}h ago", minutes / 60),
        _ => format!("{}d ago", minutes / 1440),
    }
}

/// The runs for machines, oldest first.
pub fn history_json(runs: &[Listed]) -> Map<String, Value> {
    let runs: Vec<Value> = runs
        .iter()
        .map(|l| {
            let mut run = object(json!({"run": l.run, "bytes": l.bytes}));
            match &l.head {
                Ok(head) => run.extend(object(json!({
                    "asked": head.asked, "cluster": head.cluster, "lab": head.lab,
                    "at": head.at, "who": head.who,
                }))),
                Err(why) => drop(run.insert("unreadable".into(), why.to_string().into())),
            }
            if let Some((exit, at)) = l.end {
                run.extend(object(json!({
                    "exit": exit.code(), "end": wording::ending(exit), "ended": at,
                })));
            }
            Value::Object(run)
        })
        .collect();
    object(json!({"runs": runs}))
}
