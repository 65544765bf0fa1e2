//! The journal on disk: one append-only file per run, its sync rule, its repair. Knows nothing of recipes.
//!
//! Every record reaches the kernel before its effect starts; one whose effect outlives the machine is synced first. The first failed write
//! or sync ends the journal: nothing is ever appended behind it.

pub mod blobs;
pub mod memory;
pub mod rounds;
pub mod runs;
pub mod store;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ops_core::error::{Code, Fault};
use ops_core::journal::encode;
use ops_core::record::Record;
use tokio::sync::Notify;

use crate::sys::fault;
use store::Store;

/// A failed write or sync. The run cannot go on: what it did could no longer be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal cannot be {what}: {message}")]
pub struct JournalFailure {
    /// `written` or `synced`.
    pub what: &'static str,
    /// What the system said.
    pub message: String,
}

impl JournalFailure {
    fn new(what: &'static str, error: &io::Error) -> JournalFailure {
        JournalFailure { what, message: error.to_string() }
    }

    /// The same for a person.
    pub fn fault(&self) -> Fault {
        Fault::new(Code::STATE_STORE, self.to_string())
            .help("no further call is made; what runs is left to finish")
    }
}

/// A run's journal, open for writing. Clones write to the same one.
#[derive(Clone)]
pub struct Journal(Arc<Shared>);

struct Shared {
    store: Box<dyn Store>,
    state: Mutex<State>,
    /// Wakes those who wait for a sync to end.
    ended: Notify,
}

#[derive(Default)]
struct State {
    /// Number of the last record that reached the kernel.
    written: u64,
    /// Number of the last record that is known to survive a power cut.
    synced: u64,
    /// A sync is under way.
    syncing: bool,
    /// Set once, never cleared.
    failed: Option<JournalFailure>,
}

impl Journal {
    /// A journal over a store that holds only whole records.
    pub fn over(store: impl Store + 'static) -> Journal {
        Journal(Arc::new(Shared {
            store: Box::new(store),
            state: Mutex::default(),
            ended: Notify::new(),
        }))
    }

    /// Appends a record; on return it survives the death of this process.
    ///
    /// # Errors
    /// The journal's first failure, from then on every time.
    pub fn append(&self, record: &Record) -> Result<(), JournalFailure> {
        self.write(record).map(|_| ())
    }

    /// Appends a record at once; when the future ends, the record survives a power cut. Those who wait at the same time share one sync.
    ///
    /// Dropping the future leaves the record in place.
    ///
    /// # Errors
    /// The journal's first failure, from then on every time.
    pub async fn append_synced(&self, record: &Record) -> Result<(), JournalFailure> {
        let number = self.write(record)?;
        self.sync_to(number).await?;
        if matches!(record, Record::Intent(_)) {
            fault::point("b4");
        }
        Ok(())
    }

    /// Waits until everything appended so far survives a power cut.
    ///
    /// # Errors
    /// The journal's first failure, from then on every time.
    pub async fn sync(&self) -> Result<(), JournalFailure> {
        let number = self.0.state().written;
        self.sync_to(number).await
    }

    /// Whether a record written here had to survive a power cut. If none had to, nothing of the run outlives the machine.
    pub fn lasts(&self) -> bool {
        self.0.state().synced > 0
    }

    /// The failure that ended the journal, if it has one.
    pub fn failed(&self) -> Option<JournalFailure> {
        self.0.state().failed.clone()
    }

    fn write(&self, record: &Record) -> Result<u64, JournalFailure> {
        let line = encode(record);
        let mut state = self.0.state();
        if let Some(failure) = &state.failed {
            return Err(failure.clone());
        }
        let points = Points::of(record);
        fault::point(points.before);
        for (name, bytes) in points.inside(line.len()) {
            if fault::due(name) {
                let _ = self.0.store.append(&line[..bytes]);
                fault::die();
            }
        }
        if let Err(error) = self.0.store.append(&line) {
            let failure = JournalFailure::new("written", &error);
            state.failed = Some(failure.clone());
            return Err(failure);
        }
        fault::point(points.after);
        state.written += 1;
        Ok(state.written)
    }

    async fn sync_to(&self, number: u64) -> Result<(), JournalFailure> {
        loop {
            // Registered before the state is read, so that an end in between is not missed.
            let ended = self.0.ended.notified();
            let lead = {
                let mut state = self.0.state();
                if let Some(failure) = &state.failed {
                    return Err(failure.clone());
                }
                if state.synced >= number {
                    return Ok(());
                }
                !std::mem::replace(&mut state.syncing, true)
            };
            if lead {
                let turn = Lead(&self.0);
                // Whoever is ready now appends before the one sync that serves all.
                tokio::task::yield_now().await;
                turn.sync();
            } else {
                ended.await;
            }
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Syncs what has been written by now, and tells everybody. Its result is kept whoever asked for it: the kernel tells it only once.
    fn sync(&self) {
        let target = self.state().written;
        let result = self.store.sync();
        let mut state = self.state();
        match result {
            Ok(()) => state.synced = state.synced.max(target),
            Err(error) => {
                state.failed.get_or_insert_with(|| JournalFailure::new("synced", &error));
            }
        }
        state.syncing = false;
        drop(state);
        self.ended.notify_waiters();
    }
}

/// The right to start the next sync. Given back when its holder is dropped before it started one.
struct Lead<'a>(&'a Arc<Shared>);

impl Lead<'_> {
    fn sync(self) {
        let shared = Arc::clone(self.0);
        std::mem::forget(self);
        if shared.store.sync_blocks() {
            tokio::task::spawn_blocking(move || shared.sync());
        } else {
            shared.sync();
        }
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.0.state().syncing = false;
        self.0.ended.notify_waiters();
    }
}

/// The crash points around one record.
struct Points {
    before: &'static str,
    inside: [&'static str; 3],
    after: &'static str,
}

impl Points {
    fn of(record: &Record) -> Points {
        let (before, inside, after) = match record {
            Record::Intent(_) => ("b1", ["b2.first", "b2.half", "b2.line"], "b3"),
            Record::Outcome { .. } => ("b7.outcome", ["b9.first", "b9.half", "b9.line"], "b10"),
            Record::Settled { .. } => ("b13", [""; 3], ""),
            Record::End { .. } => ("b16", [""; 3], ""),
            _ => ("", [""; 3], ""),
        };
        Points { before, inside, after }
    }

    /// Each point inside the record, with the bytes that it lets through: one, half, all but the newline.
    fn inside(&self, length: usize) -> impl Iterator<Item = (&'static str, usize)> {
        self.inside.into_iter().zip([1, length / 2, length - 1])
    }
}

#[cfg(test)]
mod tests;
