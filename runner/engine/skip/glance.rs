//! The quick look at a trace: whether everything in it is as it was, by stats and names alone. It never says what has moved; where anything
//! has, or proves nothing, it says nothing, and the trace is compared piece by piece.
//!
//! A folder is opened once for all of its files, so that the system need not find it for each of them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ops_core::trace::{Input, Print, Shown, TraceEnd, Verdict};
use ops_core::value::Value;

use super::compare::{Check, Known, Look, facts, find, look_at};
use super::counts;
use crate::store::traces::{Folder, Pattern, Stored, Tables};
use crate::sys::prints::processors;

/// Below this many files further threads cost more than they save.
const ALONE: usize = 1000;
/// Files of a folder below which it is not opened for them.
const FEW: usize = 3;
/// Files that are looked at while everything else waits, at most.
const SMALL: usize = 256;
/// Names that a pattern may look at meanwhile.
const NAMES: usize = 4096;

/// The verdict where nothing has moved, of a trace that is so small that a thread for it would cost more than the look.
pub(super) fn at_once(check: &Check, stored: &Stored) -> Option<Verdict> {
    let tables = stored.tables()?;
    let files: usize = tables.files.iter().chain(&tables.left).map(|folder| folder.count).sum();
    let small = files <= SMALL && tables.globs.iter().all(|glob| glob.shell);
    small.then(|| judged(check, stored, NAMES)).flatten()
}

/// The verdict where nothing has moved.
pub(super) fn stands(check: &Check, stored: &Stored) -> Option<Verdict> {
    judged(check, stored, usize::MAX)
}

/// The same, given up where a pattern looks at more than so many names.
fn judged(check: &Check, stored: &Stored, names: usize) -> Option<Verdict> {
    let small = &stored.small;
    let TraceEnd::Done { result } = &small.end else { return None };
    if !facts(&small.inputs, &check.facts).is_empty() {
        return None;
    }
    let tables = stored.tables()?;
    let left: Vec<String> = tables.left.iter().flat_map(paths).collect();
    let outputs = small.outputs.iter().map(|output| output.path.as_str());
    let links = small.inputs.iter().filter_map(|input| match input {
        Input::Link { path, .. } => Some(path.as_str()),
        _ => None,
    });
    let known = Known {
        outputs: outputs.chain(left.iter().map(String::as_str)).collect(),
        links: links.collect(),
    };
    // Outputs that are no files are rare, and told by the long way.
    let rest = small.outputs.is_empty()
        && small.inputs.iter().chain(&lists(&tables)).all(|input| same(check, input, &known))
        && all(check, &tables, &known.outputs, names);
    rest.then(|| up_to_date(small.inputs.iter(), &tables, result))
}

fn up_to_date<'t>(
    inputs: impl Iterator<Item = &'t Input>,
    tables: &Tables<'_>,
    result: &Value,
) -> Verdict {
    let sum = |folders: &[Folder<'_>]| folders.iter().map(|folder| folder.count).sum::<usize>();
    let few = inputs.filter(|input| counts(input)).count();
    let inputs = few + sum(&tables.files) + tables.globs.len() + tables.lists.len();
    Verdict::UpToDate {
        by: Shown::Inputs,
        inputs: inputs as u64,
        outputs: sum(&tables.left) as u64,
        result: result.clone(),
    }
}

fn paths(folder: &Folder<'_>) -> Vec<String> {
    let text = |name: &std::ffi::CStr| name.to_str().map(|name| folder.path(name));
    folder.rows().filter_map(|row| text(row.name).ok()).collect()
}

fn lists(tables: &Tables<'_>) -> Vec<Input> {
    let list = |(folder, names): &(&str, Vec<&str>)| Input::Listing {
        folder: (*folder).to_owned(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    tables.lists.iter().map(list).collect()
}

/// What is no file of a table. A fingerprint that would be renewed is one that proves nothing.
fn same(check: &Check, input: &Input, known: &Known<'_>) -> bool {
    let racy = matches!(input, Input::Tool { print: Some(Print { racy: true, .. }), .. });
    !racy && matches!(look_at(check, input, 0, known, &|| None), Look::Same)
}

/// Work that one thread does at a time.
enum Unit<'t> {
    Pattern(&'t Pattern<'t>),
    Folder(&'t Folder<'t>),
}

/// Whether every pattern and every file is as it was.
fn all(check: &Check, tables: &Tables<'_>, own: &BTreeSet<&str>, names: usize) -> bool {
    // Patterns take longest: they begin first.
    let patterns = tables.globs.iter().map(Unit::Pattern);
    let folders = tables.files.iter().chain(&tables.left).map(Unit::Folder);
    let units: Vec<Unit<'_>> = patterns.chain(folders).collect();
    let (next, stands) = (AtomicUsize::new(0), AtomicBool::new(true));
    let work = || {
        while stands.load(Ordering::Relaxed)
            && let Some(unit) = units.get(next.fetch_add(1, Ordering::Relaxed))
        {
            let same = match unit {
                Unit::Pattern(pattern) => finds_the_same(check, pattern, own, names),
                Unit::Folder(folder) => as_it_was(check, folder),
            };
            if !same {
                stands.store(false, Ordering::Relaxed);
            }
        }
    };
    let files = tables.files.iter().map(|folder| folder.count).sum::<usize>();
    let threads = if files < ALONE { 1 } else { processors() };
    if threads == 1 {
        work();
    } else {
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
    }
    stands.into_inner()
}

/// Whether all files of a folder have the stat of their fingerprints.
fn as_it_was(check: &Check, folder: &Folder<'_>) -> bool {
    let mut seen = 0;
    let place = match folder.name {
        Some(name) if folder.count >= FEW => check.prints.folder(name),
        _ => None,
    };
    for row in folder.rows() {
        let same = match &place {
            Some(place) => check.prints.stands_in(place, row.name, &row.print),
            None => row
                .name
                .to_str()
                .is_ok_and(|name| check.prints.stands(&folder.path(name), &row.print)),
        };
        if row.print.racy || !same {
            return false;
        }
        seen += 1;
    }
    seen == folder.count
}

/// Whether a pattern finds what it found; what the step wrote itself is none of it.
fn finds_the_same(
    check: &Check,
    pattern: &Pattern<'_>,
    own: &BTreeSet<&str>,
    names: usize,
) -> bool {
    let Ok(found) = find(check, pattern.pattern, pattern.shell, names) else { return false };
    let mut now = found.files.iter().filter(|path| !own.contains(path.as_str()));
    let mut old = pattern
        .members
        .iter()
        .flat_map(|(folder, names)| names.iter().map(move |name| (*folder, *name)));
    let is = |path: &str, (folder, name): (Option<&str>, &str)| match folder {
        None => path == name,
        Some(folder) => path
            .strip_suffix(name)
            .and_then(|path| path.strip_suffix('/'))
            .is_some_and(|path| path == folder),
    };
    found.blind.is_none()
        && old.all(|old| now.next().is_some_and(|path| is(path, old)))
        && now.next().is_none()
}
