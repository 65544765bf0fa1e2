//! `state.db`: its tables, their version, and what happens to a file that is damaged or newer than this program.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ops_core::error::{Code, Fault};
use rusqlite::{Connection, ErrorCode};

use super::{cannot, failed};

/// Version of the tables. The newest program reads two versions back.
pub const SCHEMA: i32 = 1;

pub(super) const FILE: &str = "state.db";

/// Marks the file as ours: "opst".
const APPLICATION: i32 = 0x6f70_7374;

const TABLES: &str = "
    CREATE TABLE grants (id TEXT PRIMARY KEY, body TEXT NOT NULL, issued INTEGER NOT NULL) STRICT;
    CREATE TABLE claims (grant_id TEXT PRIMARY KEY REFERENCES grants (id), run TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
    CREATE TABLE slots (
        grant_id TEXT NOT NULL REFERENCES grants (id), slot INTEGER NOT NULL,
        run TEXT NOT NULL, at INTEGER NOT NULL, freed INTEGER) STRICT;
    CREATE UNIQUE INDEX slot_once ON slots (grant_id, slot) WHERE freed IS NULL;
    CREATE TABLE plans (plan TEXT PRIMARY KEY, run TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
    CREATE TABLE opened (
        kind TEXT NOT NULL, subject TEXT NOT NULL, run TEXT NOT NULL, note TEXT NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (kind, subject)) STRICT;
    CREATE TABLE audit (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, line TEXT NOT NULL, hash TEXT NOT NULL) STRICT;
    CREATE TRIGGER audit_grows BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'the audit log only grows'); END;
    CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'the audit log only grows'); END;
";

/// Opens the database of a folder; where it was damaged, a new one, and the path of the old one.
pub(super) fn open(folder: &Path) -> Result<(Connection, Option<PathBuf>), Box<Fault>> {
    match try_open(folder) {
        Ok(db) => Ok((db, None)),
        Err(Trouble::Damaged) => {
            let aside = set_aside(folder)?;
            match try_open(folder) {
                Ok(db) => Ok((db, Some(aside))),
                Err(Trouble::Damaged) => Err(Box::new(Fault::new(
                    Code::STATE_STORE,
                    format!("{}: a new database is damaged at once", folder.join(FILE).display()),
                ))),
                Err(Trouble::Fault(fault)) => Err(fault),
            }
        }
        Err(Trouble::Fault(fault)) => Err(fault),
    }
}

enum Trouble {
    Damaged,
    Fault(Box<Fault>),
}

fn try_open(folder: &Path) -> Result<Connection, Trouble> {
    let file = folder.join(FILE);
    // SQLite would make it with the umask's permissions; its journals take over those of the file.
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&file)
        .map_err(|e| Trouble::Fault(cannot(&file, &e)))?;
    let trouble = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Trouble::Damaged,
        _ => Trouble::Fault(failed(folder, &error)),
    };
    let mut db = Connection::open(&file).map_err(trouble)?;
    // Another process writes for moments only; the run lock is what makes runs wait for one another.
    db.busy_timeout(std::time::Duration::from_secs(5)).map_err(trouble)?;
    db.pragma_update(None, "journal_mode", "DELETE").map_err(trouble)?;
    db.pragma_update(None, "synchronous", "FULL").map_err(trouble)?;
    db.pragma_update(None, "foreign_keys", true).map_err(trouble)?;
    let version: i32 =
        db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(trouble)?;
    if version > SCHEMA {
        return Err(Trouble::Fault(Box::new(
            Fault::new(
                Code::STATE_STORE,
                format!(
                    "{} is of a newer ops (schema {version}, this one reads {SCHEMA})",
                    file.display()
                ),
            )
            .help("use the newer ops on this machine"),
        )));
    }
    let whole: String =
        db.pragma_query_value(None, "quick_check", |row| row.get(0)).map_err(trouble)?;
    if whole != "ok" {
        return Err(Trouble::Damaged);
    }
    if version == 0 {
        create(&mut db).map_err(trouble)?;
    }
    Ok(db)
}

/// Makes the tables in one transaction. Another process may have been first.
fn create(db: &mut Connection) -> rusqlite::Result<()> {
    let transaction = db.transaction_with_behavior(rusqlite::TransactionBehavior::Exclusive)?;
    let version: i32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == 0 {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", SCHEMA)?;
    }
    transaction.commit()
}

/// Renames the database and its journal. The first free number, so that an earlier damaged one stays too.
fn set_aside(folder: &Path) -> Result<PathBuf, Box<Fault>> {
    let (file, journal) = (folder.join(FILE), folder.join(format!("{FILE}-journal")));
    let name = |n: u32| folder.join(format!("{FILE}.damaged-{n}"));
    let aside = (1..u32::MAX).map(name).find(|p| !p.exists()).unwrap_or_else(|| name(u32::MAX));
    fs::rename(&file, &aside).map_err(|e| cannot(&file, &e))?;
    if journal.exists() {
        let beside = PathBuf::from(format!("{}-journal", aside.display()));
        fs::rename(&journal, beside).map_err(|e| cannot(&journal, &e))?;
    }
    Ok(aside)
}
