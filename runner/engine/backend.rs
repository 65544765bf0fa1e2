//! The seam behind the loop: who answers a call. Live and plan are backends; replay is the loop's own, the lab stands behind the world.

use ops_core::call::table::Call;
use ops_core::call::{CallInfo, Common, Request};
use ops_core::error::{CallError, Fault};
use ops_core::ident::CallId;
use ops_core::record::Record;
use ops_core::value::{Blob, Value};

use crate::sys::world::Local;

/// A validated call on its way to a backend.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Its name.
    pub id: CallId,
    /// As the recipe made it.
    pub request: Request,
    /// As it is understood.
    pub call: Call,
    /// The fields that every call takes.
    pub common: Common,
    /// What is known of its type.
    pub info: &'static CallInfo,
    /// The recipe declares that it destroys.
    pub destructive: bool,
    /// Preconditions are running: reads only.
    pub reads_only: bool,
    /// Its child gets the terminal.
    pub terminal: bool,
    /// The recipe of its step.
    pub recipe: String,
    /// Already in the journal: an outcome is known to be missing, and was settled as not done.
    pub again: bool,
}

/// How a backend's work on a call ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Finished {
    /// It was carried out (or predicted): the reply, or how it failed.
    Reply(Result<Value, CallError>),
    /// A guard, the journal or the user stopped it: nothing was changed by it.
    Stop(Box<Fault>),
    /// Nobody knows what became of a call that was made before, this one or another: a person must say.
    Unknown {
        /// The call that nobody knows of.
        of: CallId,
        /// What a person is told.
        fault: Box<Fault>,
    },
}

/// Who answers calls.
pub trait Backend {
    /// Carries a call through the gate to its reply. Records its intent, not its outcome.
    fn call(&self, ready: Ready) -> Local<'_, Finished>;

    /// Answers a call that the engine itself provides: `cx.timer`, `cx.confirm`, `cx.gather`, `cx.healthy_again`.
    fn engine_call(&self, id: CallId, request: Request) -> Local<'_, Finished>;

    /// Appends a record that needs no sync.
    ///
    /// # Errors
    /// A journal that cannot be written stops the run.
    fn record(&self, record: Record) -> Result<(), Box<Fault>>;

    /// Stores a reply that is too large for a record; complete and synced when this returns.
    ///
    /// # Errors
    /// As for `record`.
    fn store(&self, bytes: &[u8]) -> Result<Blob, Box<Fault>>;

    /// The bytes of a stored reply.
    ///
    /// # Errors
    /// Where the blob is missing or damaged.
    fn load(&self, blob: &Blob) -> Result<Value, Box<Fault>>;

    /// Signals the process groups of these calls, or of every call: asks them to end, or ends them.
    fn signal(&self, calls: Option<&[CallId]>, hard: bool);

    /// Settles a call whose outcome is unknown.
    fn settle(&self, known: super::replay::Known, ready: Ready) -> Local<'_, Settlement>;

    /// Before the first live call of a resumed branch: the cluster is still the pinned one, and its last wait still holds.
    fn revive(&self, wait: Option<Ready>) -> Local<'_, Result<(), Box<Fault>>>;

    /// Nothing can go on but what waits for a timer of this backend's own: ends the next one. False where there is none.
    fn pass_time(&self) -> bool {
        false
    }

    /// A shim's refusal that belongs to no call, on its way to stop the run.
    fn stray(&self, fault: Fault) -> Fault {
        fault
    }

    /// Whether outcomes are recorded (a plan records nothing).
    fn records(&self) -> bool;

    /// Paths that would have been written by now, though they were not: a plan's. `.` stands for any.
    fn foreseen(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What became of an unknown outcome.
#[derive(Clone, Debug, PartialEq)]
pub enum Settlement {
    /// It happened; the recipe gets this reply.
    Done(Value),
    /// It did not happen: it is made anew.
    Again,
    /// A person must say: exit 8.
    Stop(Box<Fault>),
}
