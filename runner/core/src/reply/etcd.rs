//! What etcd says of itself through talosctl: members, status, alarms.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::table::Table;
use crate::error::CallError;
use crate::time::Time;

/// A member of etcd, as the asked control plane lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Member {
    /// Its id: 16 hexadecimal digits.
    pub id: String,
    /// Its name; empty until it has started for the first time.
    pub hostname: String,
    /// URLs for the other members.
    pub peer_urls: Vec<String>,
    /// URLs for clients.
    pub client_urls: Vec<String>,
    /// Has no vote yet.
    pub learner: bool,
}

/// The state of one control plane's own member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// Its id.
    pub member: String,
    /// Size of its database in bytes, as precisely as the tool prints it (two or three digits).
    pub db_size: u64,
    /// The part of it that is in use, in bytes.
    pub in_use: u64,
    /// Id of the leader that it follows; none without a leader.
    pub leader: Option<String>,
    /// Index of its last raft entry.
    pub raft_index: u64,
    /// Raft term.
    pub raft_term: u64,
    /// Index of the last entry that it has applied.
    pub raft_applied_index: u64,
    /// Has no vote yet.
    pub learner: bool,
    /// What is wrong with it, alarms among them.
    pub errors: Vec<String>,
}

/// An alarm of etcd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Alarm {
    /// Id of the member.
    pub member: String,
    /// `NOSPACE` or `CORRUPT`.
    pub alarm: String,
}

/// A snapshot whose trailer has been verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    /// Where it is, relative to the root.
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
    /// SHA-256 of the database in it, hexadecimal: the trailer.
    pub sha256: String,
    /// When it was complete.
    pub at: Time,
}

/// Reads `talosctl etcd members`.
///
/// # Errors
/// A column or a cell that is not as expected.
pub fn members(text: &str) -> Result<Vec<Member>, CallError> {
    const WHAT: &str = "talosctl etcd members";
    let columns = ["ID", "HOSTNAME", "PEER URLS", "CLIENT URLS", "LEARNER"];
    Table::read(WHAT, text, &columns)?
        .rows()
        .map(|row| {
            Ok(Member {
                id: id(WHAT, row.cell("ID"))?,
                hostname: row.cell("HOSTNAME").to_owned(),
                peer_urls: urls(row.cell("PEER URLS")),
                client_urls: urls(row.cell("CLIENT URLS")),
                learner: boolean(WHAT, row.cell("LEARNER"))?,
            })
        })
        .collect()
}

/// Reads `talosctl etcd status`.
///
/// # Errors
/// A column or a cell that is not as expected.
pub fn status(text: &str) -> Result<Vec<Status>, CallError> {
    const WHAT: &str = "talosctl etcd status";
    let columns = [
        "MEMBER",
        "DB SIZE",
        "IN USE",
        "LEADER",
        "RAFT INDEX",
        "RAFT TERM",
        "RAFT APPLIED INDEX",
        "LEARNER",
        "ERRORS",
    ];
    let number =
        |text: &str| text.parse().map_err(|e| super::unreadable(WHAT, format!("`{text}`: {e}")));
    Table::read(WHAT, text, &columns)?
        .rows()
        .map(|row| {
            let leader = id(WHAT, row.cell("LEADER"))?;
            Ok(Status {
                member: id(WHAT, row.cell("MEMBER"))?,
                db_size: bytes(WHAT, row.cell("DB SIZE"))?,
                in_use: bytes(WHAT, row.cell("IN USE").split(" (").next().unwrap_or_default())?,
                leader: (leader.chars().any(|c| c != '0')).then_some(leader),
                raft_index: number(row.cell("RAFT INDEX"))?,
                raft_term: number(row.cell("RAFT TERM"))?,
                raft_applied_index: number(row.cell("RAFT APPLIED INDEX"))?,
                learner: boolean(WHAT, row.cell("LEARNER"))?,
                errors: row
                    .cell("ERRORS")
                    .split(", ")
                    .map(str::trim)
                    .filter(|e| !e.is_empty())
                    .map(str::to_owned)
                    .collect(),
            })
        })
        .collect()
}

/// Reads `talosctl etcd alarm list`, which prints nothing where there is none.
///
/// # Errors
/// A column or a cell that is not as expected.
pub fn alarms(text: &str) -> Result<Vec<Alarm>, CallError> {
    const WHAT: &str = "talosctl etcd alarm list";
    Table::read(WHAT, text, &["MEMBER", "ALARM"])?
        .rows()
        .map(|row| {
            Ok(Alarm { member: id(WHAT, row.cell("MEMBER"))?, alarm: row.cell("ALARM").to_owned() })
        })
        .collect()
}

/// How many bytes stand before the checksum of a snapshot: databases are whole pages.
const PAGE: usize = 512;
/// Length of the checksum at its end.
pub const TRAILER: usize = 32;

/// The part of a snapshot that its trailer is the SHA-256 of, and that trailer.
///
/// # Errors
/// Says what is wrong where the length shows that there is no trailer.
pub fn trailer(snapshot: &[u8]) -> Result<(&[u8], &[u8]), String> {
    if snapshot.len() <= TRAILER || snapshot.len() % PAGE != TRAILER {
        return Err(format!(
            "{} bytes is no length of a snapshot with its checksum: the transfer was cut, or this is a raw copy of the database",
            snapshot.len()
        ));
    }
    Ok(snapshot.split_at(snapshot.len() - TRAILER))
}

fn id(what: &str, text: &str) -> Result<String, CallError> {
    let hex = !text.is_empty() && text.len() <= 16 && text.chars().all(|c| c.is_ascii_hexdigit());
    if hex {
        Ok(text.to_owned())
    } else {
        Err(super::unreadable(what, format!("`{text}` is no member id")))
    }
}

fn boolean(what: &str, text: &str) -> Result<bool, CallError> {
    text.parse().map_err(|_| super::unreadable(what, format!("`{text}` is neither true nor false")))
}

fn urls(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|u| !u.is_empty()).map(str::to_owned).collect()
}

/// `35 MB`, `1.2 GB`, `812 B`: decimal units, as the tool rounds them.
fn bytes(what: &str, text: &str) -> Result<u64, CallError> {
    let wrong = || super::unreadable(what, format!("`{text}` is no size"));
    let (number, unit) = text.split_once(' ').ok_or_else(wrong)?;
    let power = ["B", "kB", "MB", "GB", "TB"].iter().position(|u| *u == unit).ok_or_else(wrong)?;
    let number: f64 = number.parse().map_err(|_| wrong())?;
    Ok((number * 1000_f64.powi(power as i32)).round() as u64)
}
