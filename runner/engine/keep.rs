//! What the gate keeps outside the journal: grants, their slots, the run lock, what a person answers. The state folder and the terminal
//! implement it; tests implement it in memory.

use ops_core::error::{Code, Fault};
use ops_core::guard::{Grant, Held, Open, OpenKind, Who};
use ops_core::ident::RunId;
use ops_core::time::Time;

use crate::store::Store;

/// The state folder as the gate needs it.
pub trait Keep {
    /// The key that seals grants.
    fn key(&self) -> [u8; 32];

    /// Who runs `ops`.
    fn who(&self) -> Who;

    /// Time of the newest record: the clock may not stand before it.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn newest(&self) -> Result<Time, Box<Fault>>;

    /// Every grant of this cluster, with what became of it.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn grants(&self) -> Result<Vec<Held>, Box<Fault>>;

    /// Stores a sealed grant; synced when this returns.
    ///
    /// # Errors
    /// Where the store cannot be written: then there is no grant.
    fn issue(&self, grant: &Grant) -> Result<(), Box<Fault>>;

    /// Claims a grant for a run; synced.
    ///
    /// # Errors
    /// Where another run has it, or the store cannot be written.
    fn claim(&self, grant: &str, run: &RunId, at: Time) -> Result<(), Box<Fault>>;

    /// Marks a slot as used; synced before the call starts.
    ///
    /// # Errors
    /// Where it has been used, or the store cannot be written.
    fn use_slot(&self, grant: &str, slot: u32, run: &RunId, at: Time) -> Result<(), Box<Fault>>;

    /// Gives a slot back whose call was proven not to have happened.
    ///
    /// # Errors
    /// Where the store cannot be written.
    fn free_slot(&self, grant: &str, slot: u32, run: &RunId, at: Time) -> Result<(), Box<Fault>>;

    /// Takes the lock of the cluster for this run, once; it dies with the process.
    ///
    /// # Errors
    /// `LOCKED`, naming the holder.
    fn lock(&self, run: &RunId, at: Time) -> Result<(), Box<Fault>>;

    /// What runs have left open.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn open_items(&self) -> Result<Vec<Open>, Box<Fault>>;

    /// A run ends while a node that it took away has not been seen again.
    ///
    /// # Errors
    /// Where the store cannot be written.
    fn leave_away(&self, node: &str, run: &RunId, at: Time) -> Result<(), Box<Fault>>;

    /// The node has been seen again.
    ///
    /// # Errors
    /// Where the store cannot be written.
    fn close_away(&self, node: &str) -> Result<(), Box<Fault>>;

    /// Writes a line of the audit log; synced.
    ///
    /// # Errors
    /// Where the store cannot be written.
    fn audit(&self, at: Time, what: &str, detail: &serde_json::Value) -> Result<(), Box<Fault>>;
}

/// A person at a terminal, or nobody.
pub trait Asker {
    /// Shows lines and asks for typed words; nothing where there is no terminal.
    fn typed(&self, lines: &[String], words: &str) -> Option<String>;

    /// Asks yes or no; nothing where there is no terminal.
    fn yes(&self, question: &str) -> Option<bool>;

    /// Whether somebody sits at a terminal.
    fn terminal(&self) -> bool {
        false
    }

    /// Whether SIGTERM came while a question was open: that is why there is no answer.
    fn terminated(&self) -> bool {
        false
    }
}

/// What ends a question without an answer: the refusal that nobody confirmed, or SIGTERM.
pub fn no_answer(asker: &dyn Asker, refusal: Fault) -> Fault {
    if asker.terminated() {
        return Fault::new(Code::TERMINATED, "terminated at a question");
    }
    // Who gave up on the question sits at a terminal.
    let title = if asker.terminal() { "not confirmed".to_owned() } else { refusal.title.clone() };
    Fault { title, ..refusal }
}

/// Nobody is there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Asker for Nobody {
    fn typed(&self, _: &[String], _: &str) -> Option<String> {
        None
    }
    fn yes(&self, _: &str) -> Option<bool> {
        None
    }
}

impl Keep for Store {
    fn key(&self) -> [u8; 32] {
        Store::key(self)
    }
    fn who(&self) -> Who {
        Store::who(self).clone()
    }
    fn newest(&self) -> Result<Time, Box<Fault>> {
        Store::newest(self)
    }
    fn grants(&self) -> Result<Vec<Held>, Box<Fault>> {
        Store::grants(self)
    }
    fn issue(&self, grant: &Grant) -> Result<(), Box<Fault>> {
        Store::issue(self, grant)
    }
    fn claim(&self, grant: &str, run: &RunId, at: Time) -> Result<(), Box<Fault>> {
        Store::claim(self, grant, run, at)
    }
    fn use_slot(&self, grant: &str, slot: u32, run: &RunId, at: Time) -> Result<(), Box<Fault>> {
        Store::use_slot(self, grant, slot, run, at)
    }
    fn free_slot(&self, grant: &str, slot: u32, run: &RunId, at: Time) -> Result<(), Box<Fault>> {
        Store::free_slot(self, grant, slot, run, at)
    }
    fn lock(&self, run: &RunId, at: Time) -> Result<(), Box<Fault>> {
        Store::lock(self, run, at)
    }
    fn open_items(&self) -> Result<Vec<Open>, Box<Fault>> {
        Store::open_items(self)
    }
    fn leave_away(&self, node: &str, run: &RunId, at: Time) -> Result<(), Box<Fault>> {
        let open = Open { kind: OpenKind::Away, node: node.to_owned(), run: run.0.clone() };
        Store::leave_open(self, &open, "taken away and not seen again", at)
    }
    fn close_away(&self, node: &str) -> Result<(), Box<Fault>> {
        Store::close(self, OpenKind::Away, node)
    }
    fn audit(&self, at: Time, what: &str, detail: &serde_json::Value) -> Result<(), Box<Fault>> {
        Store::audit(self, at, what, detail)
    }
}
