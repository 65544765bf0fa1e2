//! The state folder of one cluster: grants, audit and what is left open in `state.db`, the key that seals grants, the run lock.
//! Keeps what it is told and judges nothing; time and randomness are arguments.
//!
//! Everything in it is readable by its owner only. What a method stores is on the disk when it returns.

mod audit;
mod folder;
mod grants;
mod lock;
mod open;
mod schema;
pub mod traces;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ops_core::error::{Code, Fault};
use ops_core::guard::Who;
use ops_core::time::Time;
use rusqlite::Connection;

pub use audit::{AuditBroken, AuditHead, AuditLine};
pub use folder::{folder_name, rename_folder};
pub use lock::Holder;
pub use schema::SCHEMA;

/// The state folder of one cluster, open. The lock that it may take dies with it.
pub struct Store {
    path: PathBuf,
    key: [u8; 32],
    who: Who,
    db: Mutex<Connection>,
    held: Mutex<Option<lock::Held>>,
    aside: Option<PathBuf>,
}

impl Store {
    /// Opens the state folder at `path`, and makes what is missing: the folder (0700), the key from `random`, the database (0600).
    ///
    /// A damaged database is set aside under another name, never deleted, and the audit begins anew by saying so.
    ///
    /// # Errors
    /// A folder or key that others may read, a database of a newer `ops`, or what the system says.
    pub fn open(
        path: &Path,
        who: Who,
        now: Time,
        random: impl FnOnce() -> [u8; 32],
    ) -> Result<Store, Box<Fault>> {
        folder::make(path)?;
        let key = folder::key(path, random)?;
        let (db, aside) = schema::open(path)?;
        let store = Store {
            path: path.to_owned(),
            key,
            who,
            db: Mutex::new(db),
            held: Mutex::new(None),
            aside,
        };
        if let Some(aside) = &store.aside {
            let name = aside.file_name().unwrap_or_default().to_string_lossy();
            store.audit(now, "state.set-aside", &serde_json::json!({ "as": name }))?;
        }
        Ok(store)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The key that seals grants and enciphers what is secret.
    pub fn key(&self) -> [u8; 32] {
        self.key
    }

    /// Who opened it.
    pub fn who(&self) -> &Who {
        &self.who
    }

    /// Where a damaged database was set aside when this one was opened.
    pub fn set_aside(&self) -> Option<&Path> {
        self.aside.as_deref()
    }

    /// Time of the newest record. A clock that stands before it was turned back.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn newest(&self) -> Result<Time, Box<Fault>> {
        const NEWEST: &str = "SELECT max(at) FROM (
            SELECT max(issued) AS at FROM grants
            UNION ALL SELECT max(at) FROM claims
            UNION ALL SELECT max(max(at), coalesce(max(freed), 0)) FROM slots
            UNION ALL SELECT max(at) FROM plans
            UNION ALL SELECT max(at) FROM audit)";
        let newest: Option<i64> =
            self.db().query_row(NEWEST, [], |row| row.get(0)).map_err(|e| self.failed(&e))?;
        Ok(time(newest.unwrap_or(0)))
    }

    /// Claims a saved plan for a run. Only `ops resume` of that run goes on under it.
    ///
    /// # Errors
    /// Where another run has claimed it.
    pub fn claim_plan(&self, plan: &str, run: &str, at: Time) -> Result<(), Box<Fault>> {
        let db = self.db();
        db.execute(
            "INSERT OR IGNORE INTO plans (plan, run, at) VALUES (?1, ?2, ?3)",
            (plan, run, millis(at)),
        )
        .map_err(|e| self.failed(&e))?;
        let holder: String = db
            .query_row("SELECT run FROM plans WHERE plan = ?1", [plan], |row| row.get(0))
            .map_err(|e| self.failed(&e))?;
        if holder == run {
            return Ok(());
        }
        Err(Box::new(
            Fault::new(Code::JOURNAL_STALE, format!("run {holder} has applied this plan"))
                .detail("A saved plan is applied once.")
                .next(format!("ops resume {holder}"))
                .next("ops plan … -o FILE          makes a new one"),
        ))
    }

    fn db(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: &rusqlite::Error) -> Box<Fault> {
        failed(&self.path, error)
    }
}

/// A database failure for a person.
fn failed(path: &Path, error: &rusqlite::Error) -> Box<Fault> {
    Box::new(
        Fault::new(Code::STATE_STORE, format!("{}: {error}", path.join(schema::FILE).display()))
            .help("what could not be written down is not done"),
    )
}

/// A failure of the file system for a person.
fn cannot(path: &Path, error: &std::io::Error) -> Box<Fault> {
    Box::new(Fault::new(Code::STATE_STORE, format!("{}: {error}", path.display())))
}

/// A time as SQLite keeps it.
fn millis(at: Time) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

fn time(at: i64) -> Time {
    Time(u64::try_from(at).unwrap_or(0))
}
