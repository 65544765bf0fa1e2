//! What child processes write: held together, prefixed, passed on or kept for the case of a failure. Knows only lines and labels.

use std::collections::BTreeMap;

use ops_core::ident::CallId;

use crate::config::ChildOutput;

/// A call's output is held up to this many bytes; then it is passed on as it comes, under its label, so that memory stays constant.
const HELD: usize = 1 << 20;
/// In quiet mode only this much of the end is kept.
const TAIL: usize = 64 << 10;

/// Output of the children of one run.
#[derive(Debug)]
pub(super) struct Children {
    mode: ChildOutput,
    held: BTreeMap<CallId, Held>,
}

#[derive(Debug, Default)]
struct Held {
    text: String,
    /// Grouped output that outgrew its room, or a beginning that was cut off.
    overflowed: bool,
}

/// Text to show, and whether it is for standard error.
pub(super) type Shown = Vec<(String, bool)>;

impl Children {
    pub(super) fn new(mode: ChildOutput) -> Children {
        Children { mode, held: BTreeMap::new() }
    }

    /// A child wrote something; gives what is to be shown now.
    pub(super) fn wrote(&mut self, id: &CallId, label: &str, text: &str, stderr: bool) -> Shown {
        let held = self.held.entry(id.clone()).or_default();
        match self.mode {
            ChildOutput::Interleave => vec![(text.to_owned(), stderr)],
            ChildOutput::Prefix => {
                held.text.push_str(text);
                let Some(end) = held.text.rfind('\n') else { return Vec::new() };
                let rest = held.text.split_off(end + 1);
                let lines = std::mem::replace(&mut held.text, rest);
                vec![(prefixed(&lines, label), false)]
            }
            ChildOutput::Group => {
                held.text.push_str(text);
                if held.text.len() < HELD {
                    return Vec::new();
                }
                let Some(end) = held.text.rfind('\n') else { return Vec::new() };
                held.overflowed = true;
                let rest = held.text.split_off(end + 1);
                let lines = std::mem::replace(&mut held.text, rest);
                vec![(prefixed(&lines, label), false)]
            }
            ChildOutput::Quiet => {
                held.text.push_str(text);
                if held.text.len() > 2 * TAIL {
                    let mut cut = held.text.len() - TAIL;
                    while !held.text.is_char_boundary(cut) {
                        cut += 1;
                    }
                    held.text.drain(..cut);
                    held.overflowed = true;
                }
                Vec::new()
            }
        }
    }

    /// The call has ended; gives what is left to show.
    pub(super) fn ended(&mut self, id: &CallId, label: &str, failed: bool) -> Shown {
        let Some(held) = self.held.remove(id) else { return Vec::new() };
        if held.text.is_empty() {
            return Vec::new();
        }
        let text = match self.mode {
            ChildOutput::Interleave => return Vec::new(),
            ChildOutput::Quiet if !failed => return Vec::new(),
            ChildOutput::Quiet if held.overflowed => format!("    …\n{}", indented(&held.text)),
            ChildOutput::Group if held.overflowed => prefixed(&held.text, label),
            ChildOutput::Prefix => prefixed(&held.text, label),
            ChildOutput::Group | ChildOutput::Quiet => indented(&held.text),
        };
        vec![(text, false)]
    }
}

fn prefixed(text: &str, label: &str) -> String {
    text.lines().map(|line| format!("{label} │ {line}\n")).collect::<Vec<_>>().concat()
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ops_core::ident::Branch;

    fn id(seq: u32) -> CallId {
        CallId { path: Branch("r{0}".into()), seq }
    }

    /// Two calls that write at once; what is seen, in order.
    fn seen(mode: ChildOutput, failed: bool) -> String {
        let mut children = Children::new(mode);
        let mut out = Vec::new();
        out.extend(children.wrote(&id(1), "a", "one\ntw", false));
        out.extend(children.wrote(&id(2), "b", "un\n", true));
        out.extend(children.wrote(&id(1), "a", "o\nend", false));
        out.extend(children.ended(&id(1), "a", failed));
        out.extend(children.ended(&id(2), "b", failed));
        out.into_iter().map(|(text, _)| text).collect()
    }

    #[test]
    fn grouped_output_stays_together_per_call() {
        assert_eq!(seen(ChildOutput::Group, false), "    one\n    two\n    end\n    un\n");
    }

    #[test]
    fn prefixed_output_comes_by_whole_lines() {
        assert_eq!(seen(ChildOutput::Prefix, false), "a │ one\nb │ un\na │ two\na │ end\n");
    }

    #[test]
    fn interleaved_output_comes_as_it_is() {
        assert_eq!(seen(ChildOutput::Interleave, false), "one\ntwun\no\nend");
    }

    #[test]
    fn quiet_output_is_seen_only_of_a_call_that_failed() {
        assert_eq!(seen(ChildOutput::Quiet, false), "");
        assert_eq!(seen(ChildOutput::Quiet, true), "    one\n    two\n    end\n    un\n");
    }

    #[test]
    fn grouped_output_beyond_its_room_is_passed_on() {
        let mut children = Children::new(ChildOutput::Group);
        let line = "x".repeat(1023) + "\n";
        let mut shown = 0;
        for _ in 0..4096 {
            shown += children.wrote(&id(1), "a", &line, false).len();
            assert!(children.held[&id(1)].text.len() <= HELD + line.len());
        }
        assert!(shown >= 3);
    }
}
