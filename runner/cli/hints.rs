//! Commands to copy, as they must be typed where they are shown.

use ops_core::error::Fault;

/// Commands to copy say `--lab` where this one did: the same words without it would reach the real cluster.
pub(super) fn copyable(lab: bool, text: &str) -> String {
    if !lab {
        return text.to_owned();
    }
    ["run", "verify", "resume", "adopt", "status", "plan", "watch", "why", "diff", "history"]
        .iter()
        .fold(text.to_owned(), |text, verb| {
            text.replace(&format!("ops {verb}"), &format!("ops --lab {verb}"))
        })
}

/// A fault with commands to copy as they must be typed here.
pub(super) fn told(lab: bool, mut fault: Fault) -> Fault {
    for lines in [&mut fault.next, &mut fault.help, &mut fault.details] {
        for line in lines {
            *line = copyable(lab, line);
        }
    }
    fault
}
