//! What of a journal still stands for a resume: which failures the recipe went on after, and which cleanups belong to an attempt that is over.
//!
//! A failure that nothing came after is tried again, so nothing that it brought about happens again in the replay: neither the cleanups of
//! its branch nor those of the branches that it ended. Pure: records in, answers out.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use ops_core::ident::{Branch, CallId};
use ops_core::machine::BranchEnd;
use ops_core::record::{Outcome, Record, StepEnd};

/// Some records of a run from its beginning.
pub(super) struct Stands<'r> {
    records: &'r [Record],
    ended: BTreeMap<Branch, bool>,
}

impl<'r> Stands<'r> {
    pub(super) fn new(records: &'r [Record]) -> Stands<'r> {
        Stands { records, ended: ended_branches(records) }
    }

    /// Whether the recipe went on after the failure of a call that is recorded at `at`, or after a timer that ended a branch: then it had been
    /// caught, and is replayed like any reply.
    pub(super) fn went_on(&self, at: usize, failed: &CallId) -> bool {
        // Whoever asked for a limit goes on after it, not the limit.
        let (path, seq) = match limited(failed) {
            Some((asked_by, _)) => (asked_by, 0),
            None => (failed.path.clone(), failed.seq),
        };
        self.goes_on(at, &path, |id| match relation(&path, &id.path) {
            Relation::Same => id.seq > seq,
            // A branch waits while it calls: what is called below it afterwards comes from behind the failure.
            Relation::Within => id != failed,
            relation => relation == Relation::Behind,
        })
    }

    /// The same of a branch that came to its end by `at`.
    fn branch_went_on(&self, at: usize, branch: &Branch) -> bool {
        self.goes_on(at, branch, |id| relation(branch, &id.path) == Relation::Behind)
    }

    /// Whether what ended at `at` in `path` was behind the recipe later: a branch around it ended well, or a later call says so.
    fn goes_on(&self, at: usize, path: &Branch, says: impl Fn(&CallId) -> bool) -> bool {
        let later = |record: &Record| matches!(record, Record::Intent(intent) if says(&intent.id));
        self.ended.iter().any(|(branch, well)| *well && branch.contains(path))
            || self.records[at + 1..].iter().any(later)
            || self.caller_went_on(at, path)
    }

    /// A step that failed in another one's `cx:run`, which went on after it.
    fn caller_went_on(&self, at: usize, path: &Branch) -> bool {
        let step = Branch(path.0.split('/').next().unwrap_or_default().to_owned());
        let ends = |record: &Record| {
            matches!(record, Record::StepEnd { branch, how, .. }
                if *branch == step && !matches!(how, StepEnd::Done { .. } | StepEnd::Skipped { .. }))
        };
        let Some(end) = self.records[at..].iter().position(ends).map(|end| at + end) else {
            return false;
        };
        // Its callers hear of it at once, one after the other.
        let heard =
            self.records[end + 1..].iter().zip(end + 1..).map_while(|(record, at)| match record {
                Record::Outcome { id, outcome: Outcome::Failed(error), .. }
                    if error.call == "cx.run" =>
                {
                    Some((at, id))
                }
                _ => None,
            });
        heard.into_iter().any(|(at, id)| self.went_on(at, id))
    }

    /// What a resume leaves out of these records: failures that nothing came after, each with its place.
    fn left_out(&self) -> Vec<(usize, &'r CallId)> {
        let records = self.records.iter().enumerate();
        records
            .filter_map(|(at, record)| match record {
                Record::Outcome { id, outcome, .. } => {
                    let failed = matches!(outcome, Outcome::Failed(_)) || limited(id).is_some();
                    (failed && !self.went_on(at, id)).then_some((at, id))
                }
                _ => None,
            })
            .collect()
    }

    /// Whether a branch came to its end among these records by what a resume leaves out: a failure in it, a stop, the end of time, or the
    /// failure of another branch that ended it.
    fn broke_off(&self, within: Range<usize>, owner: &Branch, left: &[(usize, &CallId)]) -> bool {
        let failed = left.iter().filter(|(at, _)| within.contains(at)).any(|(_, id)| {
            let ended = limited(id).is_some_and(|(_, arm)| arm.contains(owner));
            ended || matches!(relation(owner, &id.path), Relation::Same | Relation::Within)
        });
        failed
            || within.clone().any(|at| match &self.records[at] {
                Record::Stopped { branch, .. } => reaches(branch, owner),
                Record::Cancelled { branch, by, .. } => {
                    branch.contains(owner) && self.broke_off(within.start..at, by, left)
                }
                _ => false,
            })
    }
}

/// How each branch last ended.
fn ended_branches(records: &[Record]) -> BTreeMap<Branch, bool> {
    let mut ended = BTreeMap::new();
    for record in records {
        match record {
            Record::BranchEnd { branch, how } => {
                let well = matches!(how, BranchEnd::Done | BranchEnd::Skipped(_));
                ended.insert(branch.clone(), well);
            }
            Record::StepEnd { branch, how, .. } => {
                let well = matches!(how, StepEnd::Done { .. } | StepEnd::Skipped { .. });
                ended.insert(branch.clone(), well);
            }
            _ => {}
        }
    }
    ended
}

/// Calls of cleanups that belong to an attempt that is over: what led to them is left out of a replay. A cleanup in whose midst the process
/// died, or that was itself stopped, goes on like any other branch, over as many resumes as it takes.
pub(super) fn given_up(records: &[Record]) -> BTreeSet<CallId> {
    let mut last: BTreeMap<&CallId, usize> = BTreeMap::new();
    let mut cleanups: BTreeMap<Branch, Vec<usize>> = BTreeMap::new();
    for (at, record) in records.iter().enumerate() {
        if let Record::Intent(intent) = record
            && let Some(owner) = cleanup_owner(&intent.id.path)
        {
            last.insert(&intent.id, at);
            cleanups.entry(owner).or_default().push(at);
        }
    }
    if cleanups.is_empty() {
        return BTreeSet::new();
    }
    // From where on the cleanups of a branch still stand.
    let mut stand: BTreeMap<&Branch, usize> = BTreeMap::new();
    let resumed =
        |(at, record): (usize, &Record)| matches!(record, Record::Resumed { .. }).then_some(at);
    let mut from = 0;
    for to in records.iter().enumerate().filter_map(resumed).chain([records.len()]) {
        let so_far = Stands::new(&records[..to]);
        let left = so_far.left_out();
        let recent = ended_branches(&records[from..to]);
        for (owner, intents) in &cleanups {
            let first = stand.get(owner).copied().unwrap_or_default();
            let Some(begun) = intents.iter().copied().find(|at| (first..to).contains(at)) else {
                continue;
            };
            let stopped = |record: &Record| matches!(record, Record::Stopped { branch, .. } if reaches(branch, owner));
            let over = if so_far.branch_went_on(begun, owner) {
                false
            } else if recent.get(owner) == Some(&false) {
                // What was stopped in its midst, by a question or by Ctrl-C, is open.
                !records[from.max(begun)..to].iter().any(stopped)
                    || so_far.broke_off(from..begun, owner, &left)
            } else {
                so_far.broke_off(from..begun, owner, &left)
            };
            if over {
                stand.insert(owner, to);
            }
        }
        from = to;
    }
    last.into_iter()
        .filter(|(id, at)| {
            let owner = cleanup_owner(&id.path);
            owner.and_then(|owner| stand.get(&owner)).is_some_and(|first| at < first)
        })
        .map(|(id, _)| id.clone())
        .collect()
}

/// Whether a stop of one branch is one of the other, or of something in it.
fn reaches(stopped: &Branch, owner: &Branch) -> bool {
    owner.contains(stopped) || stopped.contains(owner)
}

/// How a later call stands to a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    /// The branch itself makes it.
    Same,
    /// A branch below makes it, that is no cleanup.
    Within,
    /// It is made only once the branch is over and the recipe goes on.
    Behind,
    /// It may be made beside the branch, in cleanups after its failure, or in its next attempt after a resume.
    Beside,
}

/// How calls of the branch `later` stand to the branch `path`. A branch does one thing after the other: it begins no construct and makes no
/// call before all branches of the construct before have ended.
fn relation(path: &Branch, later: &Branch) -> Relation {
    let (mut own, mut other) = (path.0.split('/'), later.0.split('/'));
    let mut above = None;
    loop {
        return match (own.next(), other.next()) {
            (Some(one), Some(two)) if one == two => {
                above = Some(one);
                continue;
            }
            (None, None) => Relation::Same,
            (None, Some(part)) if !cleans(part) && !limits(above, part) => Relation::Within,
            (Some(part), None) if !cleans(part) => Relation::Behind,
            // Another step.
            (Some(_), Some(_)) if above.is_none() => Relation::Beside,
            (Some(one), Some(two)) if cleans(one) && cleans(two) => Relation::Behind,
            (Some(one), Some(two))
                if !cleans(one) && !cleans(two) && !limits(above, two) && comes_after(one, two) =>
            {
                Relation::Behind
            }
            _ => Relation::Beside,
        };
    }
}

/// Whether a part of a path is a cleanup: each begins once the one before it has ended, however that was.
fn cleans(part: &str) -> bool {
    part.starts_with("defer[") || part == "on_failure"
}

/// Whether a part is a limit of the branch above, which runs beside it; the pause after an attempt is none.
fn limits(above: Option<&str>, part: &str) -> bool {
    let attempt = above.is_some_and(|above| construct(above).0 == "retry");
    part == "limit" || (part == "timer" && !attempt)
}

/// Whether two parts below the same branch belong to constructs of which it begins the second after the first.
fn comes_after(one: &str, two: &str) -> bool {
    let number = |part: &str| construct(part).2.and_then(|key| key.parse::<u32>().ok());
    match (construct(one), construct(two)) {
        ((word, n, _), (other, m, _)) if (word, n) != (other, m) => true,
        (("branch" | "wait", ..), _) => true,
        (("retry", ..), _) => number(one) < number(two),
        _ => false,
    }
}

/// Word, number and key of a part: `retry#2[1]`.
fn construct(part: &str) -> (&str, Option<&str>, Option<&str>) {
    let (head, key) = match part.strip_suffix(']').and_then(|part| part.split_once('[')) {
        Some((head, key)) => (head, Some(key)),
        None => (part, None),
    };
    let (word, number) = head.split_once('#').map_or((head, None), |(w, n)| (w, Some(n)));
    (word, number, key)
}

/// The branch whose end a cleanup belongs to; that of the outermost, where they lie in one another.
fn cleanup_owner(path: &Branch) -> Option<Branch> {
    let parts: Vec<&str> = path.0.split('/').collect();
    let at = parts.iter().position(|part| cleans(part))?;
    Some(Branch(parts[..at].join("/")))
}

/// A timer whose end ends a branch (`cx:timeout`, `cx:wait_until`): who asked for the limit, and what it ends.
pub(super) fn limited(timer: &CallId) -> Option<(Branch, Branch)> {
    let (arm, leaf) = timer.path.0.rsplit_once('/')?;
    let (above, part) = arm.rsplit_once('/')?;
    let limit = matches!((construct(part).0, leaf), ("timeout", "timer") | ("wait", "limit"));
    limit.then(|| (Branch(above.to_owned()), Branch(arm.to_owned())))
}

#[cfg(test)]
mod tests;
