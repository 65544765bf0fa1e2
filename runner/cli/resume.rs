//! `ops resume [RUN]`: goes on with a run that did not end.

use ops_core::error::{Code, Exit, Fault};
use ops_core::ident::CallId;

use super::args::ResumeArgs;
use super::{Start, seam};

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
