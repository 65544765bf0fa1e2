//! Why a step runs or is up to date, in words. Knows the kinds of reasons, and not how they were found.

use ops_core::trace::{Reason, Shown, Verdict, Why};

use super::fault::plain;
use super::wording;

/// A verdict in one line: `up to date (14 inputs)`, or the first reason why it runs.
pub fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::UpToDate { by: Shown::Inputs, inputs, outputs, .. } => {
            let inputs = wording::count(*inputs as usize, "input");
            match outputs {
                0 => format!("up to date ({inputs})"),
                _ => {
                    format!(
                        "up to date ({inputs}, {})",
                        wording::count(*outputs as usize, "output")
                    )
                }
            }
        }
        Verdict::UpToDate { by: Shown::Status, .. } => "up to date (its `status` says so)".into(),
        Verdict::UpToDate { by: Shown::Fresh, .. } => "up to date (it ran a moment ago)".into(),
        Verdict::Run { because } => match because.as_slice() {
            [] => "runs".into(),
            [only] => format!("runs: {}", reason(only)),
            [first, others @ ..] => {
                format!("runs: {}, and {} more", reason(first), others.len())
            }
        },
    }
}

/// Why a step that made this call is never up to date. The engine's own calls are named by what the recipe says.
fn not_local(call: &str) -> String {
    match call {
        "cx.gather" | "cx.healthy_again" => {
            "`cx:rolling` asks the cluster how it is between two nodes".into()
        }
        "cx.confirm" => "`cx:confirm` asks a person".into(),
        "cx.run" => "`cx:run` decides anew which recipes it runs".into(),
        "cx.run_id" => "`cx.run_id` is another in each run".into(),
        _ => format!("{call} reaches more than files of this machine"),
    }
}

/// A reason without its fingerprints: `in/a.yaml has changed`.
pub fn reason(reason: &Reason) -> String {
    let what = plain(&reason.what);
    match reason.why {
        Why::Forced => "asked for by --force".into(),
        Why::Always => "the recipe says `always`".into(),
        Why::Destroys => "it destroys, and is never skipped".into(),
        Why::First => "it has not run here with these parameters".into(),
        Why::Unfinished => "its last run did not come to an end".into(),
        Why::Failed => "its last run failed".into(),
        Why::NotLocal => not_local(&what),
        Why::Result => "its result belongs to the run that made it".into(),
        Why::Recovered => "a call failed, and the recipe went on".into(),
        Why::Itself => "it skipped itself".into(),
        Why::MovedMeanwhile => format!("{what} changed while it ran"),
        Why::Unfollowed => {
            format!("nobody can follow {what}: it leads out of the repository, or is no text")
        }
        Why::Status => "its `status` says that it is not up to date".into(),
        Why::Fresh => "it ran too long ago".into(),
        Why::File | Why::Source => format!("{what} has changed"),
        Why::Appeared => format!("{what} was not there"),
        Why::Gone => format!("{what} is gone"),
        Why::Details => format!("size, permissions or time of {what} are others"),
        Why::Members => format!("{what} has other members"),
        Why::Link => format!("the link {what} leads elsewhere"),
        Why::Variable => format!("the variable {what} has changed"),
        Why::Tool => format!("{what} is another program"),
        Why::Inventory => format!("`{what}` of the inventory has changed"),
        Why::Identity => "it is another cluster".into(),
        Why::Need => format!("{what} gives another result"),
        Why::Expired => format!("{what} is due to be renewed"),
        Why::Ops => "this is another version of ops".into(),
        Why::Output => format!("the output {what} is not as it was left"),
        Why::Planned => format!("{what} would be written before"),
    }
}
