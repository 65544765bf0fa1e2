//! The run lock: one mutating run per cluster. A lock of the file system, so it dies with its process whatever way that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::PoisonError;

use ops_core::error::{Code, Fault};
use ops_core::ident::RunId;
use ops_core::time::Time;
use serde::{Deserialize, Serialize};

use super::{Store, cannot};

/// Who holds the lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// The run.
    pub run: String,
    /// The process.
    pub pid: u32,
    /// The user.
    pub user: String,
    /// Since when.
    pub at: Time,
}

pub(super) struct Held {
    // Dropping it gives the lock back.
    _file: File,
    run: RunId,
}

impl Store {
    /// Takes the lock for a run, until this store is dropped or `unlock` is called. The same run may take it again.
    ///
    /// # Errors
    /// `LOCKED` with the holder, where another run has it, in this process or another.
    pub fn lock(&self, run: &RunId, at: Time) -> Result<(), Box<Fault>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = &*held {
            return if held.run == *run { Ok(()) } else { Err(locked(&held.run.0, None, at)) };
        }
        let path = self.path.join("lock");
        let fail = |error: std::io::Error| cannot(&path, &error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // The holder writes its name right after it has the lock; for that moment there may be none.
                let _ = file.read_to_string(&mut text);
                let holder: Option<Holder> = serde_json::from_str(&text).ok();
                let run = holder.as_ref().map_or("another run", |h| h.run.as_str()).to_owned();
                return Err(locked(&run, holder.as_ref(), at));
            }
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
        let holder =
            Holder { run: run.0.clone(), pid: std::process::id(), user: self.who.user.clone(), at };
        let text = serde_json::to_string(&holder).unwrap_or_default();
        file.set_len(0).and_then(|()| file.rewind()).map_err(fail)?;
        file.write_all(text.as_bytes()).map_err(fail)?;
        *held = Some(Held { _file: file, run: run.clone() });
        Ok(())
    }

    /// Gives the lock back.
    pub fn unlock(&self) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn locked(run: &str, holder: Option<&Holder>, now: Time) -> Box<Fault> {
    let mut fault = Fault::new(Code::LOCKED, format!("run {run} holds the cluster"));
    if let Some(holder) = holder {
        let since = now.since(holder.at);
        let since = ops_core::time::Span(since.0 / 1000 * 1000);
        let (user, pid) = (&holder.user, holder.pid);
        fault = fault.detail(format!("{user}, process {pid}, since {since}"));
    }
    Box::new(fault.detail("One run at a time may change a cluster.").next("ops history"))
}
