//! The state folder in memory: grants, claims, slots and the lock. Survives the crash of a process, as the real one does.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use ops_core::error::{Code, Fault};
use ops_core::guard::{Grant, Held, Open, Who};
use ops_core::ident::RunId;
use ops_core::time::Time;

use crate::engine::keep::{Asker, Keep};

/// Grants and what became of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Books {
    pub(super) held: RefCell<Vec<Held>>,
    /// How often a slot was used, less how often it was given back.
    pub(super) used: RefCell<i64>,
    /// The most that it ever was.
    pub(super) most: RefCell<i64>,
}

impl Books {
    pub(super) fn with(held: &[Held]) -> Books {
        Books { held: RefCell::new(held.to_vec()), ..Books::default() }
    }

    fn at<T>(&self, grant: &str, f: impl FnOnce(&mut Held) -> T) -> Result<T, Box<Fault>> {
        let mut held = self.held.borrow_mut();
        let found = held.iter_mut().find(|h| h.grant.id == grant);
        found.map(f).ok_or_else(|| Box::new(Fault::new(Code::NO_GRANT, "no such grant")))
    }
}

impl Keep for Books {
    fn key(&self) -> [u8; 32] {
        [3; 32]
    }
    fn who(&self) -> Who {
        Who { user: "tester".into(), machine: "bench".into() }
    }
    fn newest(&self) -> Result<Time, Box<Fault>> {
        Ok(Time(0))
    }
    fn grants(&self) -> Result<Vec<Held>, Box<Fault>> {
        Ok(self.held.borrow().clone())
    }
    fn issue(&self, grant: &Grant) -> Result<(), Box<Fault>> {
        let fresh = Held { grant: grant.clone(), claimed: None, used: BTreeMap::new() };
        self.held.borrow_mut().push(fresh);
        Ok(())
    }
    fn claim(&self, grant: &str, run: &RunId, at: Time) -> Result<(), Box<Fault>> {
        self.at(grant, |held| held.claimed = Some((run.clone(), at)))
    }
    fn use_slot(&self, grant: &str, slot: u32, _: &RunId, at: Time) -> Result<(), Box<Fault>> {
        let before = self.at(grant, |held| held.used.insert(slot, at))?;
        *self.used.borrow_mut() += 1;
        let used = *self.used.borrow();
        let most = used.max(*self.most.borrow());
        self.most.replace(most);
        match before {
            None => Ok(()),
            Some(_) => Err(Box::new(Fault::new(Code::NO_GRANT, "the slot has been used"))),
        }
    }
    fn free_slot(&self, grant: &str, slot: u32, _: &RunId, _: Time) -> Result<(), Box<Fault>> {
        if self.at(grant, |held| held.used.remove(&slot))?.is_some() {
            *self.used.borrow_mut() -= 1;
        }
        Ok(())
    }
    fn lock(&self, _: &RunId, _: Time) -> Result<(), Box<Fault>> {
        Ok(())
    }
    fn open_items(&self) -> Result<Vec<Open>, Box<Fault>> {
        Ok(Vec::new())
    }
    fn leave_away(&self, _: &str, _: &RunId, _: Time) -> Result<(), Box<Fault>> {
        Ok(())
    }
    fn close_away(&self, _: &str) -> Result<(), Box<Fault>> {
        Ok(())
    }
    fn audit(&self, _: Time, _: &str, _: &serde_json::Value) -> Result<(), Box<Fault>> {
        Ok(())
    }
}

/// Somebody at the terminal who types what is asked for, and answers other questions only where the test says how.
#[derive(Clone, Debug, Default)]
pub(super) struct Person {
    pub(super) questions: RefCell<Vec<String>>,
    /// The answer to every question that can be answered with yes or no.
    pub(super) says: Cell<Option<bool>>,
}

impl Asker for Person {
    fn typed(&self, _: &[String], words: &str) -> Option<String> {
        Some(words.to_owned())
    }
    fn yes(&self, question: &str) -> Option<bool> {
        self.questions.borrow_mut().push(question.to_owned());
        self.says.get()
    }
}
