//! A journal in memory that can fail and crash as a disk does: for crash tests by the thousand. Knows nothing of records.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::store::Store;

const PAGE: usize = 4096;

/// What goes wrong, and when. Visits are counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The n-th append fails with this error after `torn` bytes of it were written.
    pub append: Option<Fault>,
    /// The n-th sync fails with this error; later ones claim success, as the kernel does.
    pub sync: Option<Fault>,
}

/// One failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// At which visit.
    pub at: u64,
    /// The system's error number: `ENOSPC` is 28, `EIO` is 5.
    pub errno: i32,
    /// Bytes of the append that were written all the same.
    pub torn: usize,
}

impl Fault {
    /// No room, at the n-th visit.
    pub const fn full(at: u64) -> Fault {
        Fault { at, errno: 28, torn: 0 }
    }

    /// A failing device, at the n-th visit.
    pub const fn broken(at: u64) -> Fault {
        Fault { at, errno: 5, torn: 0 }
    }

    /// The same, after `bytes` were written.
    #[must_use]
    pub const fn torn(self, bytes: usize) -> Fault {
        Fault { torn: bytes, ..self }
    }

    fn error(self) -> io::Error {
        io::Error::from_raw_os_error(self.errno)
    }
}

/// A store in memory. Clones share it, so a test keeps one and looks.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Disk>>);

#[derive(Debug, Default)]
struct Disk {
    bytes: Vec<u8>,
    synced: usize,
    /// Pages that a failed sync lost: no later sync brings them back.
    lost: Option<Range<usize>>,
    appends: u64,
    syncs: u64,
    faults: Faults,
}

impl MemoryStore {
    /// An empty store that fails as told.
    pub fn new(faults: Faults) -> MemoryStore {
        MemoryStore(Arc::new(Mutex::new(Disk { faults, ..Disk::default() })))
    }

    /// A store that holds what a crash left.
    pub fn holding(bytes: Vec<u8>) -> MemoryStore {
        let synced = bytes.len();
        MemoryStore(Arc::new(Mutex::new(Disk { bytes, synced, ..Disk::default() })))
    }

    /// A store in the midst of its life: bytes that reached the kernel, and how many of them the disk.
    pub fn left(bytes: Vec<u8>, synced: usize) -> MemoryStore {
        MemoryStore(Arc::new(Mutex::new(Disk { bytes, synced, ..Disk::default() })))
    }

    /// What a killed process leaves: every byte that reached the kernel.
    pub fn bytes(&self) -> Vec<u8> {
        self.disk().bytes.clone()
    }

    /// Length of what has been synced.
    pub fn synced(&self) -> usize {
        self.disk().synced
    }

    /// How often bytes were appended.
    pub fn appends(&self) -> u64 {
        self.disk().appends
    }

    /// How often it was synced.
    pub fn syncs(&self) -> u64 {
        self.disk().syncs
    }

    /// What a power cut leaves: all that was synced, and of each later page by chance all, zeros, garbage or, from there on, nothing.
    pub fn after_power_cut(&self, seed: u64) -> Vec<u8> {
        let disk = self.disk();
        let mut left = disk.bytes[..disk.synced].to_vec();
        if let Some(lost) = disk.lost.clone() {
            let end = lost.end.min(left.len());
            left[lost.start.min(end)..end].fill(0);
        }
        let mut chance = Chance(seed);
        let mut at = disk.synced;
        while at < disk.bytes.len() {
            let end = disk.bytes.len().min((at / PAGE + 1) * PAGE);
            match chance.next() % 8 {
                0..=3 => left.extend_from_slice(&disk.bytes[at..end]),
                4 => left.resize(end, 0),
                5 => left.extend((at..end).map(|_| chance.next() as u8)),
                // The page was on its way when the power went.
                6 => {
                    let some = at + chance.next() as usize % (end - at);
                    left.extend_from_slice(&disk.bytes[at..some]);
                    left.resize(end, 0);
                }
                _ => break,
            }
            at = end;
        }
        left
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.disk();
        disk.appends += 1;
        match disk.faults.append {
            Some(fault) if fault.at == disk.appends => {
                let some = fault.torn.min(bytes.len());
                disk.bytes.extend_from_slice(&bytes[..some]);
                Err(fault.error())
            }
            _ => {
                disk.bytes.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.disk();
        disk.syncs += 1;
        match disk.faults.sync {
            Some(fault) if fault.at == disk.syncs => {
                disk.lost = Some(disk.synced..disk.bytes.len());
                Err(fault.error())
            }
            _ => {
                disk.synced = disk.bytes.len();
                Ok(())
            }
        }
    }

    fn sync_blocks(&self) -> bool {
        false
    }
}

/// Numbers from a seed (splitmix64): the same crash every time.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
