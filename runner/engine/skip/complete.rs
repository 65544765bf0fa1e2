//! The end of a step's trace: outputs are fingerprinted, inputs looked at once more, and only then is anything written down to be believed.

use std::collections::{BTreeMap, BTreeSet};

use ops_core::trace::{Input, Left, Output, Print, Trace};

use super::{compare, declared};
use crate::host::recorder::Recorded;
use crate::store::traces::Traces;
use crate::sys::disk::Disk;
use crate::sys::prints::{Prints, each};

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
    let (empty, _) = declared::outputs(generates, &place.prints, &place.disk);
    if let Some(pattern) = empty.into_iter().next() {
        return Err(pattern);
    }
    let patterns: Vec<String> = found.patterns.iter().chain(generates).cloned().collect();
    let (_, made) = declared::outputs(&patterns, &place.prints, &place.disk);
    trace.outputs = outputs(&found.written, &made, place);
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
        trace.kept = compare::moved_meanwhile(&trace, &place.prints, &place.disk);
    }
    // A trace that cannot be kept is none: its step runs.
    let _ = traces.keep(&trace);
    Ok(())
}

fn outputs(written: &BTreeSet<String>, made: &BTreeSet<String>, place: &Place) -> Vec<Output> {
    let paths: Vec<&String> = written.union(made).collect();
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
