//! A trace held against what is there now. Everything is compared for inequality; what only moved is hashed, and renewed where it is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use ops_core::error::CallError;
use ops_core::time::Time;
use ops_core::trace::{Input, Left, Print, Reason, Shown, Trace, Verdict, Why};
use ops_core::value::{Digest, canonical};
use serde_json::json;

use super::shown::{apart, fact, present, print_shown};
use super::{Exceptions, glance, up_to_date};
use crate::host::recorder::links_on;
use crate::host::{Found, find_among, find_files};
use crate::store::traces::Stored;
use crate::sys::disk::Disk;
use crate::sys::files::Files;
use crate::sys::prints::{Prints, Seen, each};

/// Reasons that are looked for: more help nobody, and a checkout of another branch moves thousands.
const REASONS: usize = 20;

/// What a trace is held against.
pub(super) struct Check {
    pub(super) prints: Prints,
    pub(super) disk: Disk,
    /// Where the traced tools are now.
    pub(super) programs: BTreeMap<String, Option<PathBuf>>,
    /// What the traced variables are now.
    pub(super) variables: BTreeMap<String, Option<Digest>>,
    /// What the step is a function of beside what its calls read.
    pub(super) facts: Vec<Input>,
    pub(super) now: Time,
}

/// What came of it.
pub(in crate::engine) struct Compared {
    /// The judgement; with `status`, what the rest of it says.
    pub(in crate::engine) verdict: Verdict,
    /// Its `status` has the last word.
    pub(in crate::engine) ask_status: bool,
    /// The same trace with fingerprints that tell more.
    pub(in crate::engine) renewed: Option<Trace>,
    /// Its declared sources, or the pattern without a match.
    pub(in crate::engine) sources: Option<Result<Vec<Input>, String>>,
}

impl Default for Compared {
    fn default() -> Compared {
        let verdict = Verdict::run(Reason::of(Why::First, ""));
        Compared { verdict, ask_status: false, renewed: None, sources: None }
    }
}

/// Judges a step by its last trace.
pub(super) fn judge(check: &Check, last: Option<&Stored>, exceptions: &Exceptions) -> Compared {
    if exceptions.status && !exceptions.sources {
        let verdict = up_to_date(Shown::Status, last.and_then(Stored::whole).as_ref());
        return Compared { verdict, ask_status: true, ..Compared::default() };
    }
    // Mostly nothing has changed at all, and that is seen without taking the trace to pieces.
    let plain = last.filter(|last| last.small.kept.is_none() && !exceptions.status);
    if let Some(verdict) = plain.and_then(|last| glance::stands(check, last)) {
        return Compared { verdict, ..Compared::default() };
    }
    let Some(mut last) = last.and_then(Stored::whole) else { return Compared::default() };
    let (reasons, renewed) = moved(check, &last);
    if !reasons.is_empty() {
        return Compared { verdict: Verdict::Run { because: reasons }, ..Compared::default() };
    }
    let mut by = if exceptions.status { Shown::Status } else { Shown::Inputs };
    if let Some(kept) = &last.kept {
        // A clock that was turned back makes nothing fresh.
        let fresh = exceptions
            .fresh
            .is_some_and(|span| check.now >= last.at && check.now < last.at.plus(span));
        if !fresh {
            let because = vec![Reason::of(Why::Fresh, ""), kept.clone()];
            return Compared { verdict: Verdict::Run { because }, ..Compared::default() };
        }
        by = Shown::Fresh;
    }
    let verdict = up_to_date(by, Some(&last));
    let renewed = (!renewed.is_empty()).then(|| {
        renew(&mut last, renewed);
        last
    });
    Compared { verdict, ask_status: exceptions.status, renewed, sources: None }
}

/// The fingerprints in a trace, by path.
pub(super) fn prints_of(trace: &Trace) -> BTreeMap<String, Print> {
    let input = |input: &Input| match input {
        Input::File { path, print } | Input::Tool { path: Some(path), print: Some(print), .. } => {
            Some((path.clone(), *print))
        }
        _ => None,
    };
    let output = |output: &ops_core::trace::Output| match output.left {
        Left::File(print) => Some((output.path.clone(), print)),
        _ => None,
    };
    let outputs = trace.outputs.iter().filter_map(output);
    trace.inputs.iter().filter_map(input).chain(outputs).collect()
}

/// The first input or output that a plan's own writes touch.
pub(super) fn planned(trace: &Trace, writes: &[String]) -> Option<String> {
    if writes.is_empty() {
        return None;
    }
    let within = |path: &str, folder: &str| {
        folder == "."
            || path.strip_prefix(folder).is_some_and(|r| r.is_empty() || r.starts_with('/'))
    };
    let touched = |path: &str| {
        let hit = |write: &&String| within(path, write) || within(write, path);
        writes.iter().find(hit).cloned()
    };
    let inputs = trace.inputs.iter().filter_map(Input::path);
    inputs.chain(trace.outputs.iter().map(|o| o.path.as_str())).find_map(touched)
}

/// One thing to look at.
enum Item<'t> {
    Input(usize, &'t Input),
    Output(usize, &'t ops_core::trace::Output),
}

/// What a look gave.
pub(super) enum Look {
    Same,
    Moved(Reason),
    Renewed(Renewal),
}

/// What of a trace others of its inputs are held against.
pub(super) struct Known<'t> {
    /// Its outputs: no members of the folders that it lists.
    pub(super) outputs: BTreeSet<&'t str>,
    /// Links that it met.
    pub(super) links: BTreeSet<&'t str>,
}

impl<'t> Known<'t> {
    pub(super) fn of(trace: &'t Trace) -> Known<'t> {
        let link = |input: &'t Input| match input {
            Input::Link { path, .. } => Some(path.as_str()),
            _ => None,
        };
        Known {
            outputs: trace.outputs.iter().map(|output| output.path.as_str()).collect(),
            links: trace.inputs.iter().filter_map(link).collect(),
        }
    }

    /// A link on the way to a path where none was.
    fn new_link(&self, path: &str, disk: &Disk) -> Option<String> {
        let links = links_on(path, disk, &mut BTreeSet::new());
        let new = links.iter().map(Input::name).find(|link| !self.links.contains(link));
        new.map(str::to_owned)
    }
}

/// A fingerprint that tells more than the stored one, and its place in the trace.
pub(super) struct Renewal {
    output: bool,
    at: usize,
    print: Print,
}

fn renew(trace: &mut Trace, renewed: Vec<Renewal>) {
    for Renewal { output, at, print } in renewed {
        if output {
            trace.outputs[at].left = Left::File(print);
        } else if let Input::File { print: old, .. } | Input::Tool { print: Some(old), .. } =
            &mut trace.inputs[at]
        {
            *old = print;
        }
    }
}

/// Everything that is not as the trace says.
pub(super) fn reasons(check: &Check, trace: &Trace) -> Vec<Reason> {
    moved(check, trace).0
}

/// Everything that is not as the trace says, and what to renew in it.
fn moved(check: &Check, trace: &Trace) -> (Vec<Reason>, Vec<Renewal>) {
    let mut reasons = facts(&trace.inputs, &check.facts);
    let known = Known::of(trace);
    let inputs = trace.inputs.iter().enumerate().map(|(at, input)| Item::Input(at, input));
    let outputs = trace.outputs.iter().enumerate().map(|(at, output)| Item::Output(at, output));
    let items: Vec<Item<'_>> = inputs.chain(outputs).collect();
    // Asked for only where a file was modified just before, or has moved.
    let clock = std::sync::OnceLock::new();
    let now = || *clock.get_or_init(|| check.prints.now());
    let found = AtomicUsize::new(reasons.len());
    let looks = each(&items, |item| {
        if found.load(Ordering::Relaxed) >= REASONS {
            return Look::Same;
        }
        let look = match item {
            Item::Input(at, input) => look_at(check, input, *at, &known, &now),
            Item::Output(at, output) => look_at_output(check, output, *at, &now),
        };
        if matches!(look, Look::Moved(_)) {
            found.fetch_add(1, Ordering::Relaxed);
        }
        look
    });
    let mut renewed = Vec::new();
    for look in looks {
        match look {
            Look::Same => {}
            Look::Moved(reason) => reasons.push(reason),
            Look::Renewed(renewal) => renewed.push(renewal),
        }
    }
    reasons.truncate(REASONS);
    (reasons, renewed)
}

/// Compares what a step is a function of beside its reads.
pub(super) fn facts(old: &[Input], new: &[Input]) -> Vec<Reason> {
    let kind = |input: &Input| match input {
        Input::Source { .. } => Some(Why::Source),
        Input::Inventory { .. } => Some(Why::Inventory),
        Input::Identity { .. } => Some(Why::Identity),
        Input::Need { .. } => Some(Why::Need),
        Input::Ops { .. } => Some(Why::Ops),
        _ => None,
    };
    let by_name = |inputs: &[Input]| -> BTreeMap<(Why, String), String> {
        inputs.iter().filter_map(|i| Some(((kind(i)?, i.name().to_owned()), fact(i)))).collect()
    };
    let (old, new) = (by_name(old), by_name(new));
    let keys: BTreeSet<&(Why, String)> = old.keys().chain(new.keys()).collect();
    keys.into_iter()
        .filter(|key| old.get(*key) != new.get(*key))
        .map(|key| Reason {
            old: old.get(key).cloned(),
            new: new.get(key).cloned(),
            ..Reason::of(key.0, &key.1)
        })
        .collect()
}

/// Compares a file; `output` where the step wrote it. Nothing where it is the same, its new fingerprint where that tells more, or the kind of
/// change with how it was and is.
fn compare_file(
    check: &Check,
    path: &str,
    (print, output): (&Print, bool),
    now: &dyn Fn() -> Option<i64>,
) -> Result<Option<Print>, (Why, String, String)> {
    // The clock is asked for only where the stat alone does not decide.
    let plain = !print.racy && check.prints.stands(path, print);
    if plain {
        return Ok(None);
    }
    let mode = |print: &Print| format!("mode {:04o}", print.mode);
    let other = |why: Why, new: String| Err((why, print_shown(print), new));
    match check.prints.compare(path, print, now()) {
        Seen::Same => Ok(None),
        Seen::Renewed(new) if new.runs() != print.runs() => {
            Err((Why::File, mode(print), mode(&new)))
        }
        Seen::Renewed(new) if output && print.private() && !new.private() => {
            Err((Why::Output, mode(print), mode(&new)))
        }
        Seen::Renewed(new) => Ok(Some(new)),
        Seen::Other(size, Some(hash)) => other(Why::File, format!("{hash}, {size} bytes")),
        Seen::Other(size, None) => other(Why::File, format!("{size} bytes")),
        Seen::Gone => other(Why::Gone, "gone".into()),
        Seen::Unreadable(why) => other(Why::File, why),
    }
}

pub(super) fn look_at(
    check: &Check,
    input: &Input,
    at: usize,
    known: &Known<'_>,
    now: &dyn Fn() -> Option<i64>,
) -> Look {
    let own = &known.outputs;
    let moved = |why: Why, old: String, new: String| {
        Look::Moved(Reason::of(why, input.name()).moved(old, new))
    };
    match input {
        Input::File { path, print } => match compare_file(check, path, (print, false), now) {
            Ok(None) => Look::Same,
            Ok(Some(print)) => Look::Renewed(Renewal { output: false, at, print }),
            Err((why, old, new)) => moved(why, old, new),
        },
        Input::Absent { path } => match check.prints.stat(path) {
            // A link to nothing is another answer than nothing.
            Ok(None) => match known.new_link(path, &check.disk) {
                // Nor is it the same where the folder is gone to which a known one led: then nobody goes there.
                None if known.links.is_empty() || check.disk.stat(path).is_ok() => Look::Same,
                None => moved(Why::Appeared, "absent".into(), "behind a link to nothing".into()),
                Some(link) => moved(Why::Appeared, "absent".into(), format!("a link at {link}")),
            },
            Ok(Some(stat)) => moved(Why::Appeared, "absent".into(), present(stat.dir)),
            Err(error) => moved(Why::Appeared, "absent".into(), error.to_string()),
        },
        Input::Present { path, folder } => match check.prints.stat(path) {
            Ok(Some(stat)) if stat.dir == *folder => Look::Same,
            Ok(Some(stat)) => moved(Why::Details, present(*folder), present(stat.dir)),
            Ok(None) => moved(Why::Gone, present(*folder), "gone".into()),
            Err(error) => moved(Why::Gone, present(*folder), error.to_string()),
        },
        Input::Details { path, answer } => match details(check, path) {
            Some(new) if new == *answer => Look::Same,
            Some(new) => moved(Why::Details, apart(answer, &new), apart(&new, answer)),
            None => moved(Why::Gone, apart(answer, "{}"), "gone".into()),
        },
        Input::Listing { folder, names } => {
            // An empty folder is another answer than none.
            let Ok(found) = check.disk.list(folder) else {
                return moved(Why::Gone, present(true), "gone".into());
            };
            let path = |name: &String| match folder.as_str() {
                "." => name.clone(),
                folder => format!("{folder}/{name}"),
            };
            members(names, &found, |name| own.contains(path(name).as_str()), &moved)
        }
        Input::Glob { pattern, members: old, shell } => {
            match find(check, pattern, *shell, usize::MAX) {
                Ok(Found { files, blind }) => {
                    match (members(old, &files, |path| own.contains(path.as_str()), &moved), blind)
                    {
                        (Look::Same, Some(path)) => Look::Moved(Reason::of(Why::Unfollowed, path)),
                        (look, _) => look,
                    }
                }
                Err(error) => moved(Why::Members, format!("{} files", old.len()), error.message),
            }
        }
        Input::Link { path, to } => match check.disk.link(path) {
            Some(now) if now == *to => Look::Same,
            Some(now) => moved(Why::Link, to.clone(), now),
            None => moved(Why::Link, to.clone(), "no link".into()),
        },
        Input::Variable { name, digest } => {
            let new = check.variables.get(name).cloned().flatten();
            let text = |digest: &Option<Digest>| match digest {
                Some(digest) => digest.0.chars().take(8).collect(),
                None => "not set".to_owned(),
            };
            if new == *digest {
                return Look::Same;
            }
            moved(Why::Variable, text(digest), text(&new))
        }
        Input::Tool { name, path, print } => {
            let found = check.programs.get(name).cloned().flatten();
            let new = found.as_deref().and_then(|p| p.canonicalize().ok());
            let new = new.map(|path| path.display().to_string());
            let text = |path: &Option<String>| path.clone().unwrap_or_else(|| "not found".into());
            match (path, print) {
                _ if new != *path => moved(Why::Tool, text(path), text(&new)),
                (Some(path), Some(print)) => match compare_file(check, path, (print, false), now) {
                    Ok(None) => Look::Same,
                    Ok(Some(print)) => Look::Renewed(Renewal { output: false, at, print }),
                    Err((_, old, new)) => moved(Why::Tool, old, new),
                },
                _ => Look::Same,
            }
        }
        Input::Until { at: end, .. } if check.now >= *end => {
            moved(Why::Expired, "valid".into(), format!("over since {}", check.now.since(*end)))
        }
        Input::Until { .. }
        | Input::Source { .. }
        | Input::Inventory { .. }
        | Input::Identity { .. }
        | Input::Need { .. }
        | Input::Ops { .. } => Look::Same,
    }
}

/// What a pattern finds now, for whom it was looked up; a process looks at no more names than that.
pub(super) fn find(
    check: &Check,
    pattern: &str,
    shell: bool,
    most: usize,
) -> Result<Found, CallError> {
    if shell {
        return find_among(most, pattern, &check.prints);
    }
    let files = find_files(pattern, &check.disk)?;
    Ok(Found { files, blind: None })
}

/// Names that were there and are, without the step's own outputs.
fn members(
    old: &[String],
    found: &[String],
    own: impl Fn(&String) -> bool,
    moved: &dyn Fn(Why, String, String) -> Look,
) -> Look {
    let mut new = found.iter().filter(|name| !own(name));
    if old.iter().eq(new.by_ref()) && new.next().is_none() {
        return Look::Same;
    }
    let (was, is): (BTreeSet<&String>, BTreeSet<&String>) =
        (old.iter().collect(), found.iter().filter(|name| !own(name)).collect());
    let some = |names: Vec<&&String>, sign: char| match names.as_slice() {
        [] => None,
        [one] => Some(format!("{sign}{one}")),
        [one, more @ ..] => Some(format!("{sign}{one} and {} more", more.len())),
    };
    let gone = some(was.difference(&is).collect(), '-');
    let come = some(is.difference(&was).collect(), '+');
    let changes: Vec<String> = gone.into_iter().chain(come).collect();
    let counted = |n: usize| if n == 1 { "1 member".to_owned() } else { format!("{n} members") };
    moved(
        Why::Members,
        counted(was.len()),
        format!("{} ({})", counted(is.len()), changes.join(", ")),
    )
}

fn look_at_output(
    check: &Check,
    output: &ops_core::trace::Output,
    at: usize,
    now: &dyn Fn() -> Option<i64>,
) -> Look {
    let path = &output.path;
    let moved = |old: String, new: String| {
        Look::Moved(Reason::of(Why::Output, path.as_str()).moved(old, new))
    };
    let is = || match check.prints.stat(path) {
        Ok(Some(stat)) => Some(present(stat.dir)),
        Ok(None) => None,
        Err(error) => Some(error.to_string()),
    };
    match &output.left {
        Left::File(print) => match compare_file(check, path, (print, true), now) {
            Ok(None) => Look::Same,
            Ok(Some(print)) => Look::Renewed(Renewal { output: true, at, print }),
            Err((_, old, new)) => moved(old, new),
        },
        Left::Folder => match is() {
            Some(what) if what == present(true) => Look::Same,
            other => moved(present(true), other.unwrap_or_else(|| "gone".into())),
        },
        Left::Nothing => match is() {
            None => Look::Same,
            Some(what) => moved("removed".into(), what),
        },
    }
}

/// What `fs.stat` would answer.
fn details(check: &Check, path: &str) -> Option<String> {
    let stat = check.prints.stat(path).ok()??;
    Some(canonical(&json!({
        "size": stat.size,
        "mode": format!("{:04o}", stat.mode),
        "mtime": (stat.mtime / 1_000_000) as i64,
        "dir": stat.dir,
    })))
}
