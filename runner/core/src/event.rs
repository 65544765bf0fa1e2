//! What the engine reports while it runs. Journal records are events; the rest is progress that no resume needs.

use serde::{Deserialize, Serialize};

use crate::ident::{Branch, CallId};
use crate::record::Record;

/// Something happened. The reporter words it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A journal record was written.
    Recorded(Record),
    /// A recorded outcome was answered from the journal.
    Replayed {
        /// The call.
        id: CallId,
    },
    /// A wait says why it still waits.
    Waiting {
        /// The call.
        id: CallId,
        /// The reason.
        reason: String,
        /// How long it has waited, in milliseconds.
        ms: u64,
        /// Its deadline, in milliseconds.
        limit_ms: u64,
    },
    /// A child wrote output.
    Output {
        /// The call.
        id: CallId,
        /// Whether on stderr.
        stderr: bool,
        /// Some bytes, redacted, as text.
        text: String,
    },
    /// A note of the engine: "no new calls; apply-config on cp-1 is left to finish".
    Note {
        /// The branch that it is about, if any.
        branch: Option<Branch>,
        /// The text.
        text: String,
    },
}

/// Where events go. The engine knows no more of the screen than this.
pub trait Events: Send + Sync {
    /// Takes one event.
    fn event(&self, event: &Event);
}

/// Swallows every event.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Events for Silent {
    fn event(&self, _: &Event) {}
}
