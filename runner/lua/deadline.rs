//! The deadline of a turn, seen from two threads: the VM's, whose hook asks it, and its supervisor's, who gives up on a silent VM.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ops_core::time::Span;

/// How long a VM may be silent past its deadline before it is abandoned with its thread.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// The deadline of the running turn.
#[derive(Debug)]
pub(super) struct Deadline {
    base: Instant,
    limit: Duration,
    /// Milliseconds after `base`.
    until: AtomicU64,
    abandoned: AtomicBool,
}

impl Deadline {
    /// A deadline for turns of at most `limit`.
    pub(super) fn new(limit: Span) -> Deadline {
        let deadline = Deadline {
            base: Instant::now(),
            limit: limit.std(),
            until: AtomicU64::new(0),
            abandoned: AtomicBool::new(false),
        };
        deadline.renew();
        deadline
    }

    /// Starts it anew: for the next turn, or for the cleanups of a stopped branch.
    pub(super) fn renew(&self) {
        let until = self.base.elapsed() + self.limit;
        self.until.store(until.as_millis() as u64, Ordering::Release);
    }

    /// Whether it has passed.
    pub(super) fn passed(&self) -> bool {
        self.base.elapsed().as_millis() as u64 >= self.until.load(Ordering::Acquire)
            || self.abandoned.load(Ordering::Acquire)
    }

    /// How long the supervisor waits from now before it gives up; nothing once that time has passed.
    pub(super) fn patience(&self) -> Option<Duration> {
        let until = Duration::from_millis(self.until.load(Ordering::Acquire)) + GRACE;
        until.checked_sub(self.base.elapsed()).filter(|left| !left.is_zero())
    }

    /// Nobody waits for this VM any more: whatever still runs in it ends at the next chance.
    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
    }

    /// The length of a turn.
    pub(super) fn limit(&self) -> Span {
        Span(self.limit.as_millis() as u64)
    }
}
