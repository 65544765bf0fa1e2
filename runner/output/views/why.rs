//! Why recipes run or are up to date: the judgement of now, and what made the last run run.

use ops_core::time::Time;
use ops_core::trace::{Input, Left, Output, Reason, Trace, TraceEnd, Verdict};
use ops_core::value::{Map, Value};
use serde_json::json;

use super::object;
use super::past::ago;
use crate::engine::graph::Step;
use crate::output::fault::plain;
use crate::output::paint::{Look, Paint};
use crate::output::wording;
use crate::output::{reasons, table};

/// A step, how it is judged now, and what is known of its last run.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The step.
    pub step: Step,
    /// Whether it would run.
    pub verdict: Verdict,
    /// Its last run.
    pub last: Option<Trace>,
}

/// The judgements as text. What was only needed has one line; `all` lists every input.
pub fn why(judged: &[Judged], now: Time, all: bool, look: Look) -> String {
    let paint = Paint(look.colour);
    let mut out = String::new();
    for Judged { step, verdict, last } in judged {
        let word = match verdict {
            Verdict::UpToDate { .. } => reasons::verdict(verdict),
            Verdict::Run { .. } => "would run".to_owned(),
        };
        out.push_str(&format!("{}   {word}\n", paint.strong(&step.recipe)));
        if !step.asked {
            continue;
        }
        if let Verdict::Run { because } = verdict {
            lines(&mut out, because, "  ", look.room());
        }
        let Some(last) = last else { continue };
        let end = match &last.end {
            TraceEnd::Begun => ", not ended",
            TraceEnd::Failed => ", failed",
            TraceEnd::Done { .. } => "",
        };
        let when = if last.at > now { "later than now".into() } else { ago(now, last.at) };
        out.push_str(&format!("  last run {}, {when}{end}; it ran because\n", last.run));
        lines(&mut out, &last.because, "    ", look.room());
        if all {
            let rows: Vec<Vec<String>> = last
                .inputs
                .iter()
                .map(input)
                .chain(last.outputs.iter().map(output))
                .map(|row| row.map(|cell| plain(&cell)).into())
                .collect();
            let room = look.room().map(|room| room - 4);
            for line in table::lines(&rows, 3, room).iter().flat_map(|row| row.lines()) {
                out.push_str(&format!("    {line}\n"));
            }
        }
    }
    out
}

/// Reasons with how it was and is.
fn lines(out: &mut String, reasons: &[Reason], indent: &str, room: Option<usize>) {
    let rows: Vec<Vec<String>> = reasons
        .iter()
        .map(|reason| {
            let moved = match (&reason.old, &reason.new) {
                (Some(old), Some(new)) => format!("{} → {}", short(old), short(new)),
                (Some(old), None) => format!("{} → nothing", short(old)),
                (None, Some(new)) => format!("nothing → {}", short(new)),
                (None, None) => String::new(),
            };
            vec![format!("{indent}{}", reasons::reason(reason)), moved]
        })
        .collect();
    for line in table::lines(&rows, 3, room) {
        out.push_str(&format!("{line}\n"));
    }
}

/// Values of the inventory may be long.
fn short(text: &str) -> String {
    const LONGEST: usize = 60;
    let text = plain(text);
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

fn input(input: &Input) -> [String; 3] {
    let (kind, says) = match input {
        Input::File { print, .. } => ("file", format!("{}, {} bytes", print.hash, print.size)),
        Input::Absent { .. } => ("absent", String::new()),
        Input::Present { folder: true, .. } => ("folder", String::new()),
        Input::Present { .. } => ("present", String::new()),
        Input::Details { answer, .. } => ("details", answer.clone()),
        Input::Listing { names, .. } => ("listing", wording::count(names.len(), "name")),
        Input::Glob { members, .. } => ("pattern", wording::count(members.len(), "file")),
        Input::Link { to, .. } => ("link", to.clone()),
        Input::Variable { digest, .. } => {
            ("variable", digest.as_ref().map_or("not set".into(), first))
        }
        Input::Tool { path, .. } => ("tool", path.clone().unwrap_or_else(|| "simulated".into())),
        Input::Source { digest, .. } => ("source", first(digest)),
        Input::Inventory { value, .. } => ("inventory", short(value)),
        Input::Identity { digest } => ("identity", first(digest)),
        Input::Need { digest, .. } => ("need", first(digest)),
        Input::Until { at, .. } => ("until", at.0.to_string()),
        Input::Ops { version } => ("ops", version.clone()),
    };
    [kind.to_owned(), input.name().to_owned(), says]
}

fn output(output: &Output) -> [String; 3] {
    let says = match output.left {
        Left::File(print) => format!("{}, {} bytes", print.hash, print.size),
        Left::Folder => "a folder".into(),
        Left::Nothing => "removed".into(),
    };
    ["output".to_owned(), output.path.clone(), says]
}

fn first(digest: &ops_core::value::Digest) -> String {
    digest.0.chars().take(8).collect()
}

/// The judgements for machines.
pub fn why_json(judged: &[Judged]) -> Map<String, Value> {
    let step = |judged: &Judged| {
        let mut body = object(json!({
            "recipe": judged.step.recipe,
            "args": judged.step.args,
            "asked": judged.step.asked,
            "up_to_date": judged.verdict.up_to_date(),
        }));
        body.extend(match &judged.verdict {
            Verdict::UpToDate { by, inputs, outputs, .. } => {
                object(json!({"by": by, "inputs": inputs, "outputs": outputs}))
            }
            Verdict::Run { because } => object(json!({"because": because})),
        });
        if let Some(last) = &judged.last {
            let end = match last.end {
                TraceEnd::Begun => "begun",
                TraceEnd::Failed => "failed",
                TraceEnd::Done { .. } => "done",
            };
            let last = json!({
                "run": last.run, "at": last.at, "end": end, "because": last.because,
                "kept": last.kept, "inputs": last.inputs, "outputs": last.outputs,
            });
            body.insert("last".into(), last);
        }
        Value::Object(body)
    };
    object(json!({"steps": judged.iter().map(step).collect::<Vec<_>>()}))
}
