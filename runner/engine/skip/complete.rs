//! The end of a step's trace: outputs are fingerprinted, inputs looked at once more, and only then is anything written down to be believed.

use std::collections::{BTreeMap, BTreeSet};

use ops_core::time::Time;
use ops_core::trace::{Input, Left, Output, Print, Reason, Trace, TraceEnd, Why};

use super::{compare, declared};
use crate::host::recorder::Recorded;
use crate::store::traces::Traces;
use crate::sys::disk::Disk;
use crate::sys::files::Stat;
use crate::sys::prints::{Prints, Seen, each};

/// What became of it: the pattern of `generates` that matches nothing, if there is one.
pub(in crate::engine) type Completed = Result<(), String>;

/// Where a step ran.
pub(super) struct Place {
    pub(super) prints: Prints,
    pub(super) disk: Disk,
    /// Fingerprints of its last run: what has their stat needs no reading.
    pub(super) known: BTreeMap<String, Print>,
}

/// Completes and keeps the trace of a step that ended well.
pub(super) fn complete(
    mut trace: Trace,
    found: &Recorded,
    generates: &[String],
    place: &Place,
    traces: &Traces,
) -> Completed {
    if let Some(pattern) = declared::outputs(generates, &place.prints).empty.into_iter().next() {
        return Err(pattern);
    }
    let patterns: Vec<String> = found.patterns.iter().chain(generates).cloned().collect();
    let declared::Made { files: made, blind, .. } = declared::outputs(&patterns, &place.prints);
    trace.outputs = outputs(found, &made, place);
    let own: BTreeSet<&str> = trace.outputs.iter().map(|o| o.path.as_str()).collect();
    for input in &mut trace.inputs {
        match input {
            Input::Glob { members, .. } => members.retain(|path| !own.contains(path.as_str())),
            Input::Listing { folder, names } => names.retain(|name| match folder.as_str() {
                "." => !own.contains(name.as_str()),
                folder => !own.contains(format!("{folder}/{name}").as_str()),
            }),
            _ => {}
        }
    }
    // A process may read what it wrote before: that is an output, and changes with every run.
    trace.inputs.retain(|input| match input {
        Input::File { path, .. } | Input::Absent { path } | Input::Present { path, .. } => {
            !made.contains(path)
        }
        _ => true,
    });
    if trace.kept.is_none() {
        trace.kept = blind
            .map(|path| Reason::of(Why::Unfollowed, path))
            .or_else(|| overwritten(found, &made, &place.prints))
            .or_else(|| moved_meanwhile(&trace, &place.prints, &place.disk, &found.taken));
    }
    // A trace that cannot be kept is none: its step runs.
    let _ = traces.keep(&trace);
    Ok(())
}

/// A file that somebody else wrote after the step had: what it is now is not what the step made of its inputs.
fn overwritten(found: &Recorded, made: &BTreeSet<String>, prints: &Prints) -> Option<Reason> {
    let mut typed = found.written.iter().filter(|(path, _)| !made.contains(*path));
    let other = |(path, then): (&String, &Option<Stat>)| {
        let now = prints.stat(path).ok().flatten().filter(|stat| !stat.dir);
        (now != *then).then(|| Reason::of(Why::MovedMeanwhile, path))
    };
    typed.find_map(other)
}

fn outputs(found: &Recorded, made: &BTreeSet<String>, place: &Place) -> Vec<Output> {
    let paths: BTreeSet<&String> = found.written.keys().chain(made).collect();
    let paths: Vec<&String> = paths.into_iter().collect();
    let now = place.prints.now();
    each(&paths, |path| {
        let left = match place.prints.of(path, place.known.get(*path), now) {
            Ok(Some(print)) => Left::File(print),
            _ if place.prints.stat(path).is_ok_and(|s| s.is_some_and(|s| s.dir)) => Left::Folder,
            _ => Left::Nothing,
        };
        Output { path: (*path).clone(), left }
    })
}

/// The inputs of a trace that have moved since they were first read: by their stats alone, as the step has only just ended. What was only
/// taken for an input by the words of a script, and programs, may have been made anew by the step itself: of those the content counts.
fn moved_meanwhile(
    trace: &Trace,
    prints: &Prints,
    disk: &Disk,
    taken: &BTreeSet<String>,
) -> Option<Reason> {
    debug_assert!(matches!(trace.end, TraceEnd::Done { .. }));
    let known = compare::Known::of(trace);
    let check = compare::Check {
        prints: prints.clone(),
        disk: disk.clone(),
        programs: BTreeMap::new(),
        variables: BTreeMap::new(),
        facts: Vec::new(),
        now: Time(0),
    };
    let other = |path: &str, print: &Print| {
        !prints.stands(path, print)
            && !matches!(prints.compare(path, print, None), Seen::Same | Seen::Renewed(_))
    };
    let looks = each(&trace.inputs, |input| match input {
        Input::File { path, print } if taken.contains(path) => other(path, print),
        Input::File { path, print } => !prints.stands(path, print),
        Input::Tool { path: Some(path), print: Some(print), .. } => other(path, print),
        // What is no file cannot be edited while a step runs.
        Input::Tool { .. } | Input::Variable { .. } => false,
        input => {
            matches!(compare::look_at(&check, input, 0, &known, &|| None), compare::Look::Moved(_))
        }
    });
    let input = &trace.inputs[looks.iter().position(|moved| *moved)?];
    // What cannot be followed is that also without any edit.
    match compare::look_at(&check, input, 0, &known, &|| None) {
        compare::Look::Moved(reason) if reason.why == Why::Unfollowed => Some(reason),
        _ => Some(Reason::of(Why::MovedMeanwhile, input.name())),
    }
}
