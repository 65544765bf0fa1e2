//! What machines read: every document has `schema` and `version`; fields are only ever added. Words nothing for people.

use ops_core::error::Fault;
use ops_core::event::Event;
use ops_core::ident::{CallId, RunId};
use ops_core::record::{Intent, Outcome, Record, StepEnd};
use ops_core::trace::Verdict;
use ops_core::value::{Map, Value};
use serde_json::json;

/// Schema of the events of a run.
pub const EVENT: (&str, u32) = ("ops.event", 1);
/// Schema of an error.
pub const ERROR: (&str, u32) = ("ops.error", 1);

/// A document as one line.
pub(crate) fn document(schema: &str, version: u32, body: &Map<String, Value>) -> String {
    line(&[("schema", schema.into()), ("version", version.into())], body)
}

/// An error as one line.
pub(crate) fn error(fault: &Fault) -> String {
    let mut body = Map::new();
    body.insert("code".into(), fault.code.to_string().into());
    body.insert("exit".into(), fault.code.exit.code().into());
    body.insert("meaning".into(), fault.code.meaning.into());
    body.insert("title".into(), fault.title.clone().into());
    if let Some(place) = &fault.place {
        body.insert("place".into(), json!(place));
    }
    let optional = [("label", fault.label.clone().map(Value::from))];
    let lists = [("details", &fault.details), ("help", &fault.help), ("next", &fault.next)];
    body.extend(optional.into_iter().filter_map(|(k, v)| Some((k.to_owned(), v?))));
    body.extend(
        lists
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(k, list)| (k.to_owned(), json!(list))),
    );
    document(ERROR.0, ERROR.1, &body)
}

/// An event as one line. `intent` is that of the call that the event is about, where it is known.
pub(crate) fn event(run: Option<&RunId>, event: &Event, intent: Option<&Intent>) -> String {
    let (name, mut body) = match event {
        Event::Recorded(record) => of_record(record),
        Event::Replayed { id } => ("call.replayed", of_call(id)),
        Event::Waiting { id, reason, ms, limit_ms } => (
            "call.waiting",
            with(of_call(id), json!({"reason": reason, "ms": ms, "limit_ms": limit_ms})),
        ),
        Event::Output { id, stderr, text } => {
            let stream = if *stderr { "stderr" } else { "stdout" };
            ("call.output", with(of_call(id), json!({"stream": stream, "text": text})))
        }
        Event::Note { branch, text } => ("note", object(json!({"path": branch, "text": text}))),
    };
    if let Some(intent) = intent.filter(|_| name == "call.outcome") {
        body.insert("call".into(), intent.call.clone().into());
        body.insert("effect".into(), json!(intent.effect));
    }
    let head = [
        ("schema", Value::from(EVENT.0)),
        ("version", EVENT.1.into()),
        ("run", run.map_or(Value::Null, |r| r.0.clone().into())),
        ("event", name.into()),
    ];
    line(&head, &body)
}

fn of_record(record: &Record) -> (&'static str, Map<String, Value>) {
    let (name, body) = match record {
        Record::Run(head) => (
            "run.begin",
            json!({"ops": head.ops, "asked": head.asked, "cluster": head.cluster, "lab": head.lab, "who": head.who, "at": head.at}),
        ),
        Record::Resumed { at, accepted } => {
            ("run.resumed", json!({"at": at, "accepted": accepted}))
        }
        Record::StepBegin { branch, recipe, args, at } => {
            ("step.begin", json!({"path": branch, "recipe": recipe, "args": args, "at": at}))
        }
        Record::Judged { branch, verdict, at } => {
            let body = json!({"path": branch, "at": at, "up_to_date": verdict.up_to_date()});
            let more = match verdict {
                // The result stands in the step's end.
                Verdict::UpToDate { by, inputs, outputs, .. } => {
                    json!({"by": by, "inputs": inputs, "outputs": outputs})
                }
                Verdict::Run { because } => json!({"because": because}),
            };
            return ("step.judged", with(object(body), more));
        }
        Record::StepEnd { branch, how, at } => {
            let (end, more) = match how {
                StepEnd::Done { result, recovered } => {
                    ("done", json!({"result": result, "recovered": recovered}))
                }
                StepEnd::Skipped { reason } => ("skipped", json!({"reason": reason})),
                StepEnd::Failed { code, title } => {
                    ("failed", json!({"code": code, "title": title}))
                }
                StepEnd::Stopped { code, title } => {
                    ("stopped", json!({"code": code, "title": title}))
                }
            };
            let body = json!({"path": branch, "end": end, "at": at});
            return ("step.end", with(object(body), more));
        }
        Record::Intent(intent) => {
            let body = json!({
                "call": intent.call, "effect": intent.effect, "args": intent.args,
                "place": intent.place, "at": intent.at,
            });
            return ("call.intent", with(of_call(&intent.id), body));
        }
        Record::Started { id, group, .. } => {
            return ("call.started", with(of_call(id), json!({"group": group})));
        }
        Record::Outcome { id, outcome, ms, at } => {
            let result = match outcome {
                Outcome::Done(reply) => json!({"result": reply}),
                Outcome::DoneBlob(blob) => json!({"blob": blob}),
                Outcome::Failed(error) => json!({"error": error}),
            };
            let body = with(of_call(id), json!({"ms": ms, "at": at}));
            return ("call.outcome", with(body, result));
        }
        Record::Settled { id, how, by, at } => {
            return ("call.settled", with(of_call(id), json!({"how": how, "by": by, "at": at})));
        }
        Record::Dropped { id } => return ("call.dropped", of_call(id)),
        Record::Stopped { branch, code, title, at } => {
            ("branch.stopped", json!({"path": branch, "code": code, "title": title, "at": at}))
        }
        Record::Cancelled { branch, by, at } => {
            ("branch.cancelled", json!({"path": branch, "by": by, "at": at}))
        }
        Record::BranchEnd { branch, how } => ("branch.end", json!({"path": branch, "how": how})),
        Record::Log { branch, number, level, body } => {
            ("log", json!({"path": branch, "number": number, "level": level, "body": body}))
        }
        Record::Decision { question, yes, at } => {
            ("decision", json!({"question": question, "yes": yes, "at": at}))
        }
        Record::GrantClaimed { grant, at } => ("grant.claimed", json!({"grant": grant, "at": at})),
        Record::Evidence { id, rows, at } => {
            return ("evidence", with(of_call(id), json!({"rows": rows, "at": at})));
        }
        Record::End { exit, at } => {
            let body = json!({"exit": exit.code(), "end": super::wording::ending(*exit), "at": at});
            ("run.end", body)
        }
    };
    (name, object(body))
}

fn of_call(id: &CallId) -> Map<String, Value> {
    object(json!({"path": id.path, "seq": id.seq}))
}

fn with(mut body: Map<String, Value>, more: Value) -> Map<String, Value> {
    body.extend(object(more));
    body
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Head fields first, so that a person who reads along finds them; absent values are left out.
fn line(head: &[(&str, Value)], body: &Map<String, Value>) -> String {
    let fields: Vec<String> = head
        .iter()
        .map(|(key, value)| (*key, value))
        .chain(body.iter().map(|(key, value)| (key.as_str(), value)))
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| format!("{}:{value}", Value::from(key)))
        .collect();
    format!("{{{}}}\n", fields.join(","))
}

#[cfg(test)]
mod tests;
