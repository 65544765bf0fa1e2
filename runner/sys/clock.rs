//! The clocks of this machine. The only place that reads them: everywhere else time is an argument.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ops_core::time::{Span, Time};

/// The wall clock, which ages evidence and grants.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(since.as_millis() as u64)
}

/// Measures how long something takes; a change of the wall clock does not reach it.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins now.
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// The time since it began.
    pub fn elapsed(&self) -> Span {
        Span(self.0.elapsed().as_millis() as u64)
    }
}

/// A span as the standard library has it.
pub fn duration(span: Span) -> Duration {
    Duration::from_millis(span.0)
}
