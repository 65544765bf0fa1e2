//! The bytes of a journal: one record a line, with its checksum and length, so that a torn end is told from damage.
//!
//! `CHECKSUM LENGTH JSON\n`: sixteen hexadecimal digits of BLAKE3 over the JSON, its length in bytes, the record.
//! Knows nothing of files; `runner/journal` writes and repairs them.

use serde::Deserialize;
use serde_json::Value;

use crate::record::{JOURNAL_VERSION, REPLAY_VERSION, Record};

/// The oldest version of the records' shape that is still read.
pub const OLDEST_VERSION: u32 = if JOURNAL_VERSION > 2 { JOURNAL_VERSION - 2 } else { 1 };

const CHECKSUM: usize = 16;

/// One record as its line, newline included.
pub fn encode(record: &Record) -> Vec<u8> {
    // Records are plain data with string keys: serde_json has no way to fail on them.
    let json = serde_json::to_vec(record).unwrap_or_default();
    let mut line = Vec::with_capacity(json.len() + CHECKSUM + 12);
    line.extend_from_slice(checksum(&json).as_bytes());
    line.extend_from_slice(format!(" {} ", json.len()).as_bytes());
    line.extend_from_slice(&json);
    line.push(b'\n');
    line
}

/// What a journal holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// Its records, in order.
    pub records: Vec<Record>,
    /// Length of the lines that hold them, in bytes.
    pub good: usize,
    /// Length of the torn end behind them, in bytes: the write that a crash cut off.
    pub torn: usize,
}

/// Why a journal is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It was changed after it was written: no crash leaves this behind.
    #[error("damaged at byte {at}: {why}")]
    Damaged {
        /// Offset of the first bad record.
        at: usize,
        /// What is wrong there.
        why: String,
    },
    /// A newer `ops` wrote it.
    #[error("written by ops {ops} in version {version}; this ops reads up to version {known}")]
    Newer {
        /// Its version, of the records' shape or of the replay.
        version: u32,
        /// The version that this build knows.
        known: u32,
        /// The `ops` that wrote it, as far as it says.
        ops: String,
    },
    /// It is older than two versions back.
    #[error("written in version {version}; this ops reads from version {oldest} on")]
    Older {
        /// Its version.
        version: u32,
        /// The oldest version that this build reads.
        oldest: u32,
    },
}

/// Reads a whole journal.
///
/// # Errors
/// `Damaged` where a bad record stands before a good one, or where a record is whole but no record of this version; `Newer` and `Older`
/// where the head's version is not one of those that are read.
pub fn decode_all(bytes: &[u8]) -> Result<Decoded, Unreadable> {
    let mut decoded = Decoded::default();
    while decoded.good < bytes.len() {
        let at = decoded.good;
        let Some((json, end)) = line_at(bytes, at) else {
            if let Some(good) = (at + 1..bytes.len()).find(|i| line_at(bytes, *i).is_some()) {
                let why = format!("a bad record, but a good one follows at byte {good}");
                return Err(Unreadable::Damaged { at, why });
            }
            decoded.torn = bytes.len() - at;
            break;
        };
        if at == 0 {
            check_version(json)?;
        }
        let record = serde_json::from_slice(json).map_err(|error| Unreadable::Damaged {
            at,
            why: format!("a whole line, but no record of this version: {error}"),
        })?;
        if matches!(record, Record::Run(_)) != (at == 0) {
            let why = "a journal has its head first, and once".to_owned();
            return Err(Unreadable::Damaged { at, why });
        }
        decoded.records.push(record);
        decoded.good = end;
    }
    Ok(decoded)
}

/// Reads one line that starts at `at`, whatever stands around it: for listings that need no more than a journal's head and end.
pub fn decode_at(bytes: &[u8], at: usize) -> Option<(Record, usize)> {
    let (json, end) = line_at(bytes, at)?;
    Some((serde_json::from_slice(json).ok()?, end))
}

/// The JSON of a whole line at `at`, and where the line ends.
fn line_at(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(at..)?;
    let (sum, rest) = rest.split_at_checked(CHECKSUM)?;
    if !sum.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let rest = rest.strip_prefix(b" ")?;
    let digits = rest.iter().take(10).take_while(|b| b.is_ascii_digit()).count();
    let (number, rest) = rest.split_at(digits);
    if number.first() == Some(&b'0') {
        return None;
    }
    let length: usize = std::str::from_utf8(number).ok()?.parse().ok()?;
    let rest = rest.strip_prefix(b" ")?;
    let (json, rest) = rest.split_at_checked(length)?;
    // A text inside a record cannot pass for a line: its quotes would be escaped.
    if !json.starts_with(b"{\"") || rest.first() != Some(&b'\n') {
        return None;
    }
    (checksum(json).as_bytes() == sum).then_some((json, bytes.len() - rest.len() + 1))
}

fn checksum(json: &[u8]) -> String {
    let mut hex = blake3::hash(json).to_hex().to_string();
    hex.truncate(CHECKSUM);
    hex
}

/// Looks at the head's versions before anything else of it, as a newer head may have any shape.
fn check_version(json: &[u8]) -> Result<(), Unreadable> {
    #[derive(Deserialize)]
    struct Versions {
        version: u32,
        #[serde(default)]
        replay: u32,
        #[serde(default)]
        ops: Value,
    }
    let Ok(head) = serde_json::from_slice::<Versions>(json) else {
        return Err(Unreadable::Damaged { at: 0, why: "the first record is no head".into() });
    };
    let ops = head.ops.as_str().unwrap_or("of another version").to_owned();
    if head.version > JOURNAL_VERSION {
        return Err(Unreadable::Newer { version: head.version, known: JOURNAL_VERSION, ops });
    }
    if head.version == JOURNAL_VERSION && head.replay > REPLAY_VERSION {
        return Err(Unreadable::Newer { version: head.replay, known: REPLAY_VERSION, ops });
    }
    if head.version < OLDEST_VERSION {
        return Err(Unreadable::Older { version: head.version, oldest: OLDEST_VERSION });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
