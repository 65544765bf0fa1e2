//! What a run of a watch stood on: where it lies, and what of it is no longer what it was. Runs nothing and waits for nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ops_core::trace::{Reason, Why};

use super::super::opened::Opened;
use super::round::Hearing;
use crate::engine::skip::{Skip, Stood};
use crate::output::watch::Changed;
use crate::sys::watch::Follow;
use crate::sys::watch::noted::{How, Notes};

/// Something that was read, and can be followed and looked at again.
pub(super) trait Reads {
    /// Where it lies.
    fn follows(&self) -> BTreeSet<Follow>;

    /// What of it is no longer what it was; with hints, only what these are about.
    fn moved(&self, hints: Option<&BTreeSet<Follow>>) -> Vec<Changed>;
}

/// What a run that is over stood on.
pub(super) struct Inputs {
    root: PathBuf,
    /// Configuration, and what a plan read.
    notes: Rc<Notes>,
    /// What its steps read, and all that is open to look at it again; nothing where it came not so far.
    steps: Option<(Opened, Vec<Stood>)>,
}

impl Inputs {
    /// Of a run that ended before anything was opened.
    pub(super) fn unopened(root: &Path, notes: Rc<Notes>) -> Inputs {
        Inputs { root: root.to_owned(), notes, steps: None }
    }

    /// Of a run of these steps.
    pub(super) fn new(root: &Path, notes: Rc<Notes>, opened: Opened, steps: Vec<Stood>) -> Inputs {
        Inputs { root: root.to_owned(), notes, steps: Some((opened, steps)) }
    }

    /// Whether nothing but configuration and recipes was read.
    pub(super) fn no_files(&self) -> bool {
        self.steps.as_ref().is_some_and(|(_, steps)| steps.iter().all(Stood::reads_nothing))
    }
}

impl Reads for Inputs {
    fn follows(&self) -> BTreeSet<Follow> {
        let mut all = self.notes.follows();
        if let Some((opened, steps)) = &self.steps {
            all.extend(steps.iter().flat_map(|stood| stood.follows(&opened.disk)));
        }
        all
    }

    fn moved(&self, hints: Option<&BTreeSet<Follow>>) -> Vec<Changed> {
        let mut changed = noted(&self.root, &self.notes, hints);
        if let Some((opened, steps)) = &self.steps {
            let skip = opened.skip(opened.fresh_run(), false);
            let now = opened.world.now();
            for stood in steps {
                reasons(&mut changed, skip.moved(stood, hints, now));
            }
        }
        listed(changed)
    }
}

/// What a run has read by now.
pub(super) struct Live<'a> {
    pub(super) root: &'a Path,
    pub(super) notes: &'a Notes,
    pub(super) opened: &'a Opened,
    pub(super) skip: &'a Skip<'a>,
    pub(super) hearing: &'a Hearing<'a>,
}

impl Live<'_> {
    /// What the steps stood on that are over, and what those read that still run.
    fn stood(&self) -> Vec<Stood> {
        let last = |(recipe, args): &(String, _)| self.skip.last(recipe, args).map(Stood::of);
        let over = self.hearing.steps_over();
        let mut all: Vec<Stood> = over.iter().filter_map(last).collect();
        all.push(self.skip.so_far());
        all
    }
}

impl Reads for Live<'_> {
    fn follows(&self) -> BTreeSet<Follow> {
        let mut all = self.notes.follows();
        all.extend(self.stood().iter().flat_map(|stood| stood.follows(&self.opened.disk)));
        all
    }

    fn moved(&self, hints: Option<&BTreeSet<Follow>>) -> Vec<Changed> {
        let mut changed = noted(self.root, self.notes, hints);
        for stood in self.stood() {
            reasons(&mut changed, self.skip.moved(&stood, hints, self.opened.world.now()));
        }
        listed(changed)
    }
}

type Found = BTreeMap<String, &'static str>;

fn listed(found: Found) -> Vec<Changed> {
    found.into_iter().map(|(path, how)| Changed { path, how }).collect()
}

fn noted(root: &Path, notes: &Notes, hints: Option<&BTreeSet<Follow>>) -> Found {
    let moved = match hints {
        Some(hints) => notes.moved(hints),
        None => notes.all_moved(),
    };
    let mut found = Found::new();
    let mut put = |path: &Path, how| _ = found.insert(short(root, path), how);
    for (follow, how) in &moved {
        let path = follow.path();
        match how {
            How::Edited => put(path, "changed"),
            How::Appeared => put(path, "new"),
            How::Gone => put(path, "gone"),
            How::Names { come, gone } => {
                for name in come {
                    put(&path.join(name), "new");
                }
                for name in gone {
                    put(&path.join(name), "gone");
                }
            }
        }
    }
    found
}

fn reasons(found: &mut Found, reasons: Vec<Reason>) {
    for reason in reasons {
        let how = match reason.why {
            Why::Appeared => "new",
            Why::Gone => "gone",
            _ => "changed",
        };
        found.insert(reason.what, how);
    }
}

/// A path as the user knows it.
pub(super) fn short(root: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(root).unwrap_or(path);
    if inside.as_os_str().is_empty() { ".".to_owned() } else { inside.display().to_string() }
}
