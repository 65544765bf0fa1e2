//! Moments of a lab, to tell whether anything has happened in it since. Knows nothing of files.

use super::Lab;
use crate::ledger::Ledger;
use crate::rng::Stream;
use crate::world::Ms;

/// A moment of a lab: see [`Lab::mark`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    now: Ms,
    due: usize,
    asked: u32,
    reached: usize,
    texts: usize,
    ledger: Ledger,
    random: Stream,
}

impl Lab {
    /// Where the lab stands now. Two equal marks: between them no time passed, nothing was asked or
    /// copied, and nothing was drawn at random, so what would be stored is the same. Numbers of
    /// clients and timers do not count: they mean nothing beyond a process.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark {
            now: self.world.now,
            due: self.world.queue.len(),
            asked: self.world.next_ticket,
            reached: self.world.reached.len(),
            texts: self.texts.len(),
            ledger: self.world.ledger.clone(),
            random: self.random.clone(),
        }
    }
}
