//! Refusals that come from inside a running shell line: they stop its branch, whatever the line itself makes of them.

use std::cell::RefCell;
use std::task::{Context, Poll};

use ops_core::call::table::Call;
use ops_core::error::{Fault, Place};
use ops_core::shim;

use super::backend::Ready;
use super::hands::Attendant;
use crate::sys::world::{Watcher, World};

/// The first refusal of a process that is watched.
#[derive(Debug, Default)]
pub(super) struct Refusals(RefCell<Option<Fault>>);

impl Refusals {
    pub(super) fn keep(&self, fault: &Fault) {
        self.0.borrow_mut().get_or_insert_with(|| fault.clone());
    }

    pub(super) fn take(&self) -> Option<Fault> {
        self.0.take()
    }
}

impl Watcher for Refusals {
    fn refused(&self, fault: &Fault) {
        self.keep(fault);
    }
}

impl Attendant for Refusals {}

/// A refusal at the line of the recipe that made the call.
pub(super) fn located(fault: Fault, place: Option<&Place>) -> Fault {
    match place {
        Some(place) => fault.at(place.clone()),
        None => fault,
    }
}

/// The refusal of a plain command that its shim would refuse: known before anything is started or written down.
pub(super) fn of_command(ready: &Ready) -> Option<Fault> {
    let Call::ShExec(exec) = &ready.call else { return None };
    let (tool, args) = exec.argv.0.split_first()?;
    if !shim::tools().any(|known| known == tool) {
        return None;
    }
    let fault = *shim::judge(tool, args).err()?;
    Some(located(fault, ready.request.place.as_ref()))
}

/// What a shim says that no running process answers for: it outlived its line, or hid from it. Nobody can tell whose it is, so it is the run's.
pub(super) fn poll_stray(world: &dyn World, task: &mut Context<'_>) -> Poll<Fault> {
    let Poll::Ready((_, said)) = world.poll_said(task) else { return Poll::Pending };
    let fault = said.message.fault().unwrap_or_else(|| {
        let title = format!("`{}` asks for the lab where it may not", said.message.line());
        Fault::new(ops_core::error::Code::SHIM, title)
    });
    Poll::Ready(fault.detail("It belongs to no running call: something outlived its shell line."))
}
