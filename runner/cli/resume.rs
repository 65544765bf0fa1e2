//! `ops resume [RUN]`: goes on with a run that did not end.

use ops_core::error::{Code, Exit, Fault};
use ops_core::ident::{CallId, RunId};
use ops_core::record::Record;

use super::args::ResumeArgs;
use super::{Start, seam};
use crate::engine::doubt;
use crate::engine::replay::{self, State};
use crate::journal::runs::{OpenFailure, Runs};

/// Goes on with a run.
pub(super) fn run(start: &Start, args: &ResumeArgs) -> Result<Exit, Fault> {
    for text in &args.settle {
        settled(text)?;
    }
    let settings = start.settings()?;
    seam::resume(&settings, args, &start.globals, &start.output())
}

/// A `--settle` word: the call, and whether it happened.
pub(super) fn settled(text: &str) -> Result<(CallId, bool), Fault> {
    let wrong = |what: String| {
        Fault::new(Code::USAGE, format!("`--settle {text}`: {what}"))
            .help("write CALL=done or CALL=not-done; `ops resume` names the call")
    };
    let (call, how) =
        text.rsplit_once('=').ok_or_else(|| wrong("it says not what became of the call".into()))?;
    let happened = match how {
        "done" => true,
        "not-done" => false,
        other => return Err(wrong(format!("`{other}` is neither `done` nor `not-done`"))),
    };
    Ok((call.parse().map_err(wrong)?, happened))
}

/// An answer about a call whose outcome is known, or that the run never made, would help nobody: whoever typed it means another one.
pub(super) fn still_unknown(call: &CallId, records: &[Record]) -> Result<(), Fault> {
    let journal = replay::read(records, false);
    let calls = journal.map(|journal| journal.calls).unwrap_or_default();
    let what = match calls.get(call) {
        Some(known) if known.state == State::Unknown => return Ok(()),
        Some(_) if doubt::unsettled(records).contains(call) => return Ok(()),
        Some(_) => "what became of it is known",
        None => "this run has made no such call",
    };
    let fault = Fault::new(Code::USAGE, format!("`--settle {call}`: {what}"));
    let open = calls.iter().filter(|(_, known)| known.state == State::Unknown);
    Err(open.fold(fault, |fault, (id, _)| fault.detail(format!("unknown is: {id}"))))
}

/// The last run of this cluster that did not come to a good end.
pub(super) fn last_open(runs: &Runs) -> Result<RunId, Fault> {
    let unreadable =
        |e: std::io::Error| Fault::new(Code::STATE_STORE, format!("cannot read past runs: {e}"));
    for listed in runs.list().map_err(unreadable)?.iter().rev() {
        let decoded = match runs.read(&listed.run) {
            Ok(decoded) => decoded,
            // Passed over it would be forgotten; when it is opened it is named, and set aside once.
            Err(OpenFailure::Damaged { .. }) => return Ok(listed.run.clone()),
            Err(_) => continue,
        };
        let over = decoded.records.iter().any(|record| match record {
            Record::End { exit, .. } => *exit == Exit::Done,
            Record::Decision { question, .. } => question == seam::ABANDON,
            _ => false,
        });
        // A journal without a head belongs to a run that was cut off before it did anything.
        if !over && !decoded.records.is_empty() {
            return Ok(listed.run.clone());
        }
    }
    Err(Fault::new(Code::NO_RUN, "no run is open here: every one is done").next("ops history"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_settled_call_is_named_with_what_became_of_it() {
        let (call, happened) = settled("talos:reboot{1f3c}/node[a=b]/2=not-done").unwrap();
        assert_eq!(
            (call.to_string().as_str(), happened),
            ("talos:reboot{1f3c}/node[a=b]/2", false)
        );
        for wrong in ["x/1", "x/1=maybe", "x=done", ""] {
            assert_eq!(settled(wrong).unwrap_err().code, Code::USAGE, "{wrong}");
        }
    }
}
