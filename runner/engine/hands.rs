//! The seam to what carries calls out. The host implements it over a world and files; tests implement it over tables.

use ops_core::call::table::Call;
use ops_core::call::{Common, Witness};
use ops_core::error::CallError;
use ops_core::guard::{EvidenceNeed, Facts};
use ops_core::value::Value;

use crate::host::Prediction;
use crate::host::recorder::Recorder;
use crate::sys::world::{Local, Watcher};

/// Watches a call: its child, and why it still waits.
pub trait Attendant: Watcher {
    /// A wait goes on, for this reason.
    fn waits(&self, _reason: &str, _ms: u64, _limit_ms: u64) {}

    /// What records the reads and writes of the call's step; nothing where nobody does.
    fn recorder(&self) -> Option<&Recorder> {
        None
    }
}

/// What carries calls out.
pub trait Hands {
    /// Carries a call out to its reply. Converging calls compare first; a mutation ends when its effect has been read back.
    fn perform<'a>(
        &'a self,
        call: &'a Call,
        common: &'a Common,
        attendant: &'a dyn Attendant,
    ) -> Local<'a, Result<Value, CallError>>;

    /// Says what a call would do, by reads alone.
    fn predict<'a>(
        &'a self,
        call: &'a Call,
        common: &'a Common,
    ) -> Local<'a, Result<Prediction, CallError>>;

    /// Reads a witness: what tells later whether a call happened. An error is data: it says why nobody can tell.
    fn witness<'a>(&'a self, witness: &'a Witness) -> Local<'a, Value>;

    /// Gathers the evidence that guards need for these calls, anew.
    fn facts<'a>(&'a self, needs: &'a [EvidenceNeed], calls: &'a [&'a Call]) -> Local<'a, Facts>;

    /// Paths whose change has not reached the disk: what a plan wrote.
    fn overlaid(&self) -> Vec<String> {
        Vec::new()
    }
}
