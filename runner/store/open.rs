//! What runs left open: nodes that are away, configs on trial. `ops status` shows it, and the guards look at it.

use ops_core::error::Fault;
use ops_core::guard::{Open, OpenKind};
use ops_core::time::Time;

use super::{Store, millis};

const KINDS: [(OpenKind, &str); 2] =
    [(OpenKind::Away, "away"), (OpenKind::TryWindow, "try-window")];

fn word(kind: OpenKind) -> &'static str {
    KINDS.iter().find(|(known, _)| *known == kind).map_or("", |(_, word)| word)
}

impl Store {
    /// Writes down that a run left something open; again for the same subject takes the place of the older.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub fn leave_open(&self, open: &Open, note: &str, at: Time) -> Result<(), Box<Fault>> {
        self.db()
            .execute(
                "INSERT OR REPLACE INTO opened (kind, subject, run, note, at) VALUES (?1, ?2, ?3, ?4, ?5)",
                (word(open.kind), &open.node, &open.run, note, millis(at)),
            )
            .map_err(|e| self.failed(&e))?;
        Ok(())
    }

    /// It has been seen closed.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub fn close(&self, kind: OpenKind, node: &str) -> Result<(), Box<Fault>> {
        self.db()
            .execute("DELETE FROM opened WHERE kind = ?1 AND subject = ?2", (word(kind), node))
            .map_err(|e| self.failed(&e))?;
        Ok(())
    }

    /// Everything that is open, oldest first.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn open_items(&self) -> Result<Vec<Open>, Box<Fault>> {
        let db = self.db();
        let read = || -> rusqlite::Result<Vec<(String, String, String)>> {
            let mut rows =
                db.prepare("SELECT kind, subject, run FROM opened ORDER BY at, subject")?;
            let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            rows.collect()
        };
        let rows = read().map_err(|e| self.failed(&e))?;
        let open = rows.into_iter().filter_map(|(kind, node, run)| {
            let kind = KINDS.iter().find(|(_, word)| *word == kind)?.0;
            Some(Open { kind, node, run })
        });
        Ok(open.collect())
    }
}
