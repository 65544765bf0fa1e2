//! The running digest of a history: equal digests mean equal histories, event by event.
//! Holds no text and allocates only for its short tail.

use crate::world::{Event, Ms};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

/// FNV-1a over words, so that the digest is the same on every machine and with every toolchain.
#[derive(Clone, Debug)]
pub struct Fold(pub u64);

impl Default for Fold {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }
    fn write_u8(&mut self, n: u8) {
        self.write_u64(u64::from(n));
    }
    fn write_u16(&mut self, n: u16) {
        self.write_u64(u64::from(n));
    }
    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0 ^ n).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23) ^ (n >> 32);
    }
    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }
    fn write_isize(&mut self, n: isize) {
        self.write_u64(n as u64);
    }
}

/// Fingerprint of any hashable value.
pub fn fingerprint<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut fold = Fold::default();
    value.hash(&mut fold);
    fold.finish()
}

/// What happened, as far as it is kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Trace {
    /// Digest of every event so far.
    pub digest: u64,
    /// How many events there were.
    pub events: u64,
    /// The last of them, oldest first.
    pub tail: VecDeque<(Ms, Event)>,
}

const TAIL: usize = 64;

impl Trace {
    pub(crate) fn note(&mut self, at: Ms, event: Event) {
        let mut fold = Fold(self.digest);
        (at, event).hash(&mut fold);
        self.digest = fold.finish();
        self.events += 1;
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back((at, event));
    }
}
