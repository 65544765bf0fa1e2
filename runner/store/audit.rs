//! The audit log: who did what, when, why. Each line's hash covers the one before it, so that a change anywhere shows against a head that
//! somebody has kept. Tamper-evident, not tamper-proof.

use ops_core::error::Fault;
use ops_core::guard::Who;
use ops_core::time::Time;
use ops_core::value::{Digest, Value, canonical};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use serde::{Deserialize, Serialize};

use super::{Store, millis};

/// A line of the audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditLine {
    /// Its number, from 1.
    pub seq: u64,
    /// When.
    pub at: Time,
    /// Who.
    pub who: Who,
    /// What: `grant.issued`, `call.done`.
    pub what: String,
    /// Why, evidence, result.
    pub detail: Value,
}

/// How long the log is, and the hash that stands for all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// Number of lines.
    pub lines: u64,
    /// Hash of the last one.
    pub hash: Digest,
}

/// Where the chain breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {seq}: {why}")]
pub struct AuditBroken {
    /// The first line that does not fit.
    pub seq: u64,
    /// What is wrong with it.
    pub why: String,
}

/// What the first line follows.
fn origin() -> Digest {
    Digest::of_bytes(b"ops.audit")
}

fn chain(before: &Digest, line: &str) -> Digest {
    Digest::of_bytes(format!("{before}\n{line}").as_bytes())
}

impl Store {
    /// Writes a line; it is on the disk when this returns.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub fn audit(&self, at: Time, what: &str, detail: &Value) -> Result<(), Box<Fault>> {
        let mut db = self.db();
        let written = || -> rusqlite::Result<()> {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let before = last(&transaction)?;
            let seq = before.lines + 1;
            let line = AuditLine {
                seq,
                at,
                who: self.who.clone(),
                what: what.to_owned(),
                detail: detail.clone(),
            };
            let line = canonical(&serde_json::to_value(&line).unwrap_or_default());
            let hash = chain(&before.hash, &line).0;
            transaction.execute(
                "INSERT INTO audit (seq, at, line, hash) VALUES (?1, ?2, ?3, ?4)",
                (number(seq), millis(at), line, hash),
            )?;
            transaction.commit()
        }();
        written.map_err(|e| super::failed(&self.path, &e))
    }

    /// The head: what a run prints at its end, for somebody to keep.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn audit_head(&self) -> Result<AuditHead, Box<Fault>> {
        last(&self.db()).map_err(|e| self.failed(&e))
    }

    /// The lines after `after`, at most `limit`, oldest first.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn audit_lines(&self, after: u64, limit: u32) -> Result<Vec<AuditLine>, Box<Fault>> {
        let db = self.db();
        let read = || -> rusqlite::Result<Vec<AuditLine>> {
            let mut lines =
                db.prepare("SELECT line FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
            let rows = lines.query_map((number(after), limit), |row| row.get::<_, String>(0))?;
            // A line that no longer parses is for `audit_verify` to name.
            Ok(rows.filter_map(|line| serde_json::from_str(&line.ok()?).ok()).collect())
        };
        read().map_err(|e| self.failed(&e))
    }

    /// Walks the whole chain. With a head that somebody kept, also finds lines cut off at the end, or a log written anew.
    ///
    /// # Errors
    /// The outer: the database cannot be read. The inner: the first line that does not fit.
    pub fn audit_verify(
        &self,
        kept: Option<&AuditHead>,
    ) -> Result<Result<AuditHead, AuditBroken>, Box<Fault>> {
        let db = self.db();
        let rows = || -> rusqlite::Result<Vec<Row>> {
            let mut lines = db.prepare("SELECT seq, at, line, hash FROM audit ORDER BY seq")?;
            let rows = lines.query_map([], |row| {
                let (seq, at, line, hash) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
                Ok(Row { seq: lines_of(seq), at, line, hash })
            })?;
            rows.collect()
        };
        let rows = rows().map_err(|e| self.failed(&e))?;
        Ok(walk(&rows, kept))
    }
}

/// A line as it is stored.
struct Row {
    seq: u64,
    at: i64,
    line: String,
    hash: String,
}

fn last(db: &Connection) -> rusqlite::Result<AuditHead> {
    let last = db
        .query_row("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1", [], |row| {
            Ok(AuditHead { lines: lines_of(row.get(0)?), hash: Digest(row.get(1)?) })
        })
        .optional()?;
    Ok(last.unwrap_or_else(|| AuditHead { lines: 0, hash: origin() }))
}

fn lines_of(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or(0)
}

fn number(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn walk(rows: &[Row], kept: Option<&AuditHead>) -> Result<AuditHead, AuditBroken> {
    let mut head = AuditHead { lines: 0, hash: origin() };
    let mut met = kept.is_none_or(|kept| *kept == head);
    for Row { seq, at, line, hash } in rows {
        let broken = |why: &str| AuditBroken { seq: *seq, why: why.to_owned() };
        if *seq != head.lines + 1 {
            return Err(broken(&format!("line {} is missing", head.lines + 1)));
        }
        let parsed: AuditLine = serde_json::from_str(line).map_err(|_| broken("is unreadable"))?;
        if parsed.seq != *seq || millis(parsed.at) != *at {
            return Err(broken("does not say its own number and time"));
        }
        head = AuditHead { lines: *seq, hash: chain(&head.hash, line) };
        if head.hash.0 != *hash {
            return Err(broken("was changed, or the one before it"));
        }
        met |= kept == Some(&head);
    }
    if met {
        return Ok(head);
    }
    let kept = kept.map_or(0, |kept| kept.lines);
    let why = if kept > head.lines { "is missing" } else { "is not the one that was kept" };
    Err(AuditBroken { seq: kept, why: why.to_owned() })
}
