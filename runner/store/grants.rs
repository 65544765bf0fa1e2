//! Grants and what became of them: who claimed one, which slots were used. Whether a grant permits anything is the guards' to say.

use std::collections::BTreeMap;

use ops_core::error::{Code, Fault};
use ops_core::guard::{Grant, Held};
use ops_core::ident::RunId;
use ops_core::time::Time;
use rusqlite::{OptionalExtension, TransactionBehavior};

use super::{Store, millis, time};

impl Store {
    /// Every grant, oldest first. One whose text cannot be read is left out: it permits nothing.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn grants(&self) -> Result<Vec<Held>, Box<Fault>> {
        let db = self.db();
        let read = || -> rusqlite::Result<Vec<Held>> {
            let mut grants = db.prepare(
                "SELECT body, run, at FROM grants LEFT JOIN claims ON id = grant_id ORDER BY issued, id",
            )?;
            let mut slots =
                db.prepare("SELECT slot, at FROM slots WHERE grant_id = ?1 AND freed IS NULL")?;
            let rows = grants.query_map([], |row| {
                let body: String = row.get(0)?;
                let claim: (Option<String>, Option<i64>) = (row.get(1)?, row.get(2)?);
                Ok((body, claim))
            })?;
            let mut held = Vec::new();
            for row in rows {
                let (body, claim) = row?;
                let Ok(grant) = serde_json::from_str::<Grant>(&body) else { continue };
                let used = slots
                    .query_map([&grant.id], |row| Ok((row.get(0)?, time(row.get(1)?))))?
                    .collect::<rusqlite::Result<BTreeMap<u32, Time>>>()?;
                let claimed = claim.0.zip(claim.1).map(|(run, at)| (RunId(run), time(at)));
                held.push(Held { grant, claimed, used });
            }
            Ok(held)
        };
        read().map_err(|e| self.failed(&e))
    }

    /// Stores a sealed grant.
    ///
    /// # Errors
    /// Where it cannot be written: then there is no grant.
    pub fn issue(&self, grant: &Grant) -> Result<(), Box<Fault>> {
        let body = serde_json::to_string(grant).map_err(|error| {
            Box::new(Fault::new(Code::BUG, format!("a grant cannot be encoded: {error}")))
        })?;
        self.db()
            .execute(
                "INSERT INTO grants (id, body, issued) VALUES (?1, ?2, ?3)",
                (&grant.id, body, millis(grant.issued)),
            )
            .map_err(|e| self.failed(&e))?;
        Ok(())
    }

    /// Claims a grant for a run. The same run may claim it again.
    ///
    /// # Errors
    /// Where another run has it, or there is no such grant.
    pub fn claim(&self, grant: &str, run: &RunId, at: Time) -> Result<(), Box<Fault>> {
        let db = self.db();
        db.execute(
            "INSERT OR IGNORE INTO claims (grant_id, run, at) VALUES (?1, ?2, ?3)",
            (grant, &run.0, millis(at)),
        )
        .map_err(|e| self.failed(&e))?;
        let holder: String = db
            .query_row("SELECT run FROM claims WHERE grant_id = ?1", [grant], |row| row.get(0))
            .map_err(|e| self.failed(&e))?;
        if holder == run.0 { Ok(()) } else { Err(used(grant, &holder)) }
    }

    /// Marks a slot of a claimed grant as used, once and for all unless it is freed.
    ///
    /// # Errors
    /// Where it has been used, or another run has the grant.
    pub fn use_slot(
        &self,
        grant: &str,
        slot: u32,
        run: &RunId,
        at: Time,
    ) -> Result<(), Box<Fault>> {
        let mut db = self.db();
        let written = || -> rusqlite::Result<Result<(), String>> {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let claimed: Option<String> = transaction
                .query_row("SELECT run FROM claims WHERE grant_id = ?1", [grant], |row| row.get(0))
                .optional()?;
            if claimed.as_deref() != Some(run.0.as_str()) {
                return Ok(Err(claimed.unwrap_or_else(|| "nobody".into())));
            }
            let user: Option<String> = transaction
                .query_row(
                    "SELECT run FROM slots WHERE grant_id = ?1 AND slot = ?2 AND freed IS NULL",
                    (grant, slot),
                    |row| row.get(0),
                )
                .optional()?;
            if let Some(user) = user {
                return Ok(Err(user));
            }
            transaction.execute(
                "INSERT INTO slots (grant_id, slot, run, at) VALUES (?1, ?2, ?3, ?4)",
                (grant, slot, &run.0, millis(at)),
            )?;
            transaction.commit()?;
            Ok(Ok(()))
        }();
        written.map_err(|e| super::failed(&self.path, &e))?.map_err(|by| used(grant, &by))
    }

    /// Gives a slot back whose call was proven not to have happened. One that was never used stays unused.
    ///
    /// # Errors
    /// Where another run used it.
    pub fn free_slot(
        &self,
        grant: &str,
        slot: u32,
        run: &RunId,
        at: Time,
    ) -> Result<(), Box<Fault>> {
        let db = self.db();
        db.execute(
            "UPDATE slots SET freed = ?4 WHERE grant_id = ?1 AND slot = ?2 AND run = ?3 AND freed IS NULL",
            (grant, slot, &run.0, millis(at)),
        )
        .map_err(|e| self.failed(&e))?;
        let other: Option<String> = db
            .query_row(
                "SELECT run FROM slots WHERE grant_id = ?1 AND slot = ?2 AND freed IS NULL",
                (grant, slot),
                |row| row.get(0),
            )
            .optional()
            .map_err(|e| self.failed(&e))?;
        other.map_or(Ok(()), |other| Err(used(grant, &other)))
    }
}

fn used(grant: &str, run: &str) -> Box<Fault> {
    Box::new(
        Fault::new(Code::GRANT_USED, format!("grant {grant} has been used by run {run}"))
            .detail("A grant permits each of its calls once, in the run that claimed it."),
    )
}
