//! A run as a film: what a crash at each visit of a point would leave behind, taken in one run that nobody kills. So a thousand crashes
//! cost one run, not a thousand.

use std::cell::RefCell;
use std::rc::Rc;

use ops_core::ident::CallId;
use ops_core::journal::decode_all;
use ops_core::record::Record;
use ops_core::value::Digest;
use ops_lab::Lab;

use super::books::{Books, Person};
use super::cells::synced;
use super::children::Children;
use super::place::{Fate, Heard, Place, Way};
use crate::journal::memory::{Faults, MemoryStore};
use crate::sys::blobs::MemoryBlobs;
use crate::sys::fault::mutants;
use crate::sys::overlay::Overlay;

/// What stands outside of the process at a visit of a point.
pub(super) struct Snapshot {
    pub(super) point: String,
    pub(super) n: u64,
    pub(super) lab: Lab,
    /// Length of the journal.
    pub(super) written: usize,
    /// Length of what of it is on the disk.
    pub(super) synced: usize,
    pub(super) books: Books,
    pub(super) person: Person,
    pub(super) files: Overlay,
    pub(super) blobs: MemoryBlobs,
    pub(super) children: Children,
    /// How many replies were delivered.
    pub(super) heard: usize,
}

/// Every snapshot of one run, in order.
#[derive(Clone, Default)]
pub(super) struct Film(Rc<RefCell<Vec<Snapshot>>>);

impl Film {
    pub(super) fn take(&self, snapshot: Snapshot) {
        self.0.borrow_mut().push(snapshot);
    }

    /// What was taken.
    pub(super) fn developed(self) -> Vec<Snapshot> {
        self.0.take()
    }
}

impl Snapshot {
    /// How much of the next record has been written: the points within a record let one byte, half of it, all but the newline through.
    pub(super) fn torn(&self, journal: &[u8]) -> usize {
        let rest = &journal[self.written..];
        let line = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        match self.point.split_once('.').map(|(_, part)| part) {
            Some("first") => 1,
            Some("half") => line / 2,
            Some("line") => line - 1,
            _ => 0,
        }
    }

    /// The journal as the crash leaves it; `journal` is that of the run to its end.
    pub(super) fn left(&self, journal: &[u8], fate: &Fate) -> Vec<u8> {
        let bytes = journal[..self.written + self.torn(journal)].to_vec();
        match fate.cut {
            Some(seed) => MemoryStore::left(bytes, self.synced).after_power_cut(seed),
            None => bytes,
        }
    }

    /// The place as the crash leaves it, and what had been delivered.
    pub(super) fn place<'g>(
        &self,
        run: &Place<'g>,
        journal: &[u8],
        heard: &[Heard],
        fate: &Fate,
    ) -> Place<'g> {
        let place = Place {
            lab: RefCell::new(self.lab.twin()),
            journal: RefCell::new(self.left(journal, fate)),
            books: Rc::new(self.books.clone()),
            person: Rc::new(self.person.clone()),
            files: Rc::new(self.files.twin()),
            blobs: Rc::new(self.blobs.clone()),
            children: Rc::new(self.children.clone()),
            mutant: run.mutant,
            ground: run.ground,
            visits: RefCell::default(),
            writes: RefCell::default(),
            heard: RefCell::new(heard[..self.heard].to_vec()),
        };
        if !fate.orphans {
            place.children.die();
        }
        place
    }
}

/// One process on film: what each visit of a point would leave behind, and how the process ended.
pub(super) struct Reel<'g> {
    /// The place as the process left it.
    pub(super) place: Place<'g>,
    pub(super) shots: Vec<Snapshot>,
    journal: Vec<u8>,
    heard: Vec<Heard>,
    pub(super) way: Way,
}

impl<'g> Reel<'g> {
    /// Films one process.
    pub(super) fn of(place: Place<'g>, fate: &Fate) -> Reel<'g> {
        let film = Film::default();
        mutants::switch(place.mutant);
        let way = place.filmed(fate, Some(&film));
        mutants::switch("");
        let journal = place.journal.borrow().clone();
        let heard = place.heard.borrow().clone();
        Reel { place, shots: film.developed(), journal, heard, way }
    }

    /// The shot at which a fate begins, where it is only a death.
    pub(super) fn shot(&self, fate: &Fate) -> Option<&Snapshot> {
        let (point, n) = fate.at.as_ref()?;
        let only = fate.faults == Faults::default() && fate.ctrl_c.is_none();
        self.shots.iter().find(|shot| only && shot.point == *point && shot.n == *n)
    }

    /// The place as a fate leaves it at this shot.
    pub(super) fn left<'s>(&'s self, shot: &Snapshot, fate: &Fate) -> Place<'g> {
        shot.place(&self.place, &self.journal, &self.heard, fate)
    }

    /// What a resume would find, in short: fates that leave the same are one test.
    pub(super) fn leaves(&self, shot: &Snapshot, fate: &Fate) -> String {
        let journal = shot.left(&self.journal, fate);
        // What is damaged is not resumed, whatever else there is.
        let Ok(decoded) = decode_all(&journal) else { return format!("{journal:?}") };
        let mut bytes = journal[..decoded.good].to_vec();
        for (path, content) in shot.files.written() {
            bytes.extend_from_slice(path.as_bytes());
            bytes.extend(content.unwrap_or_default());
        }
        let children = if fate.orphans { format!("{:?}", shot.children) } else { String::new() };
        format!(
            "{} {} {} {:?} {:?} {children}",
            Digest::of_bytes(&bytes),
            shot.lab.digest(),
            shot.lab.now(),
            shot.books,
            shot.children.done(),
        )
    }

    /// The call that a shot is about, by its type; nothing where it is about the run.
    pub(super) fn about(&self, shot: &Snapshot) -> Option<String> {
        let records = decode_all(&self.journal).map(|d| d.records).unwrap_or_default();
        let lines = self.journal.split_inclusive(|byte| *byte == b'\n');
        let mut at = 0;
        let starts = lines.map(|line| {
            let start = at;
            at += line.len();
            start
        });
        let starts: Vec<usize> = starts.collect();
        let placed: Vec<(usize, Record)> = starts.into_iter().zip(records).collect();
        let (before, after) =
            placed.split_at(placed.partition_point(|(start, _)| *start < shot.written));
        let name = |id: &CallId| {
            placed.iter().find_map(|(_, record)| match record {
                Record::Intent(intent) if intent.id == *id => Some(intent.call.clone()),
                _ => None,
            })
        };
        let over = |id: &CallId| {
            before
                .iter()
                .any(|(_, r)| matches!(r, Record::Outcome { id: ended, .. } if ended == id))
        };
        let last = |wanted: &dyn Fn(&Record) -> Option<CallId>| {
            before.iter().rev().find_map(|(_, record)| wanted(record)).and_then(|id| name(&id))
        };
        let next = |wanted: &dyn Fn(&Record) -> Option<CallId>| {
            after.iter().find_map(|(_, record)| wanted(record)).and_then(|id| name(&id))
        };
        let intent = |record: &Record| match record {
            Record::Intent(intent) => Some(intent.id.clone()),
            _ => None,
        };
        let outcome = |record: &Record| match record {
            Record::Outcome { id, .. } => Some(id.clone()),
            _ => None,
        };
        let changing = |record: &Record| match record {
            Record::Intent(intent) if intent.effect.changes_world() && !over(&intent.id) => {
                Some(intent.id.clone())
            }
            _ => None,
        };
        match shot.point.split('.').next()? {
            "b1" | "b2" => next(&intent),
            "b3" | "b15" => last(&intent),
            "b4" => last(&|record| match record {
                Record::Intent(intent) if synced(intent) && !over(&intent.id) => {
                    Some(intent.id.clone())
                }
                _ => None,
            }),
            "b5" => last(&|record| match record {
                Record::Started { id, .. } => Some(id.clone()),
                _ => None,
            }),
            "b6" => last(&changing),
            "b7" if shot.point == "b7" => last(&changing),
            "b7" | "b8" | "b9" => next(&outcome),
            "b10" => last(&outcome),
            "b11" => name(&self.heard.get(shot.heard.checked_sub(1)?)?.0),
            "b12" | "b13" => next(&|record| match record {
                Record::Settled { id, .. } => Some(id.clone()),
                _ => None,
            }),
            // Calls of one turn start one after the other, before the first of them is written down.
            "b14" => placed
                .iter()
                .filter_map(|(_, record)| intent(record))
                .filter(|id| id.path.0.contains("/defer["))
                .nth(shot.n as usize - 1)
                .and_then(|id| name(&id)),
            _ => None,
        }
    }
}
