//! The state folder behind the gate's seam. Placeholder until the store lands.

use std::cell::RefCell;
use std::path::Path;

use ops_core::error::Fault;
use ops_core::guard::{Grant, Held, Who};
use ops_core::ident::RunId;
use ops_core::time::Time;

use crate::config::Settings;
use crate::engine::keep::Keep;

pub(super) fn open(_: &Path, _: &Settings) -> Result<Box<dyn Keep>, Fault> {
    Ok(Box::new(Memory(RefCell::default())))
}

struct Memory(RefCell<Vec<Held>>);

impl Keep for Memory {
    fn key(&self) -> [u8; 32] {
        [7; 32]
    }
    fn who(&self) -> Who {
        Who { user: "u".into(), machine: "m".into() }
    }
    fn newest(&self) -> Result<Time, Box<Fault>> {
        Ok(Time(0))
    }
    fn grants(&self) -> Result<Vec<Held>, Box<Fault>> {
        Ok(self.0.borrow().clone())
    }
    fn issue(&self, grant: &Grant) -> Result<(), Box<Fault>> {
        self.0.borrow_mut().push(Held {
            grant: grant.clone(),
            claimed: None,
            used: std::collections::BTreeMap::new(),
        });
        Ok(())
    }
    fn claim(&self, _: &str, _: &RunId, _: Time) -> Result<(), Box<Fault>> {
        Ok(())
    }
    fn use_slot(&self, _: &str, _: u32, _: &RunId, _: Time) -> Result<(), Box<Fault>> {
        Ok(())
    }
    fn free_slot(&self, _: &str, _: u32, _: &RunId, _: Time) -> Result<(), Box<Fault>> {
        Ok(())
    }
    fn lock(&self, _: &RunId, _: Time) -> Result<(), Box<Fault>> {
        Ok(())
    }
    fn audit(&self, _: Time, _: &str, _: &serde_json::Value) -> Result<(), Box<Fault>> {
        Ok(())
    }
}
