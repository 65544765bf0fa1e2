//! What of a call is written down when: its intent before it starts, what happens while it runs. Judges nothing.

use ops_core::call::{CallSpec, Witness};
use ops_core::effect::{Effect, Scope};
use ops_core::event::Event;
use ops_core::ident::CallId;
use ops_core::record::Record;

use super::backend::Backend;
use super::gate::Gate;
use super::hands::Attendant;
use crate::sys::fault;
use crate::sys::world::Watcher;

/// Passes what happens during a call to the journal and the reporter.
pub(super) struct Watch<'g, 'a> {
    pub(super) gate: &'g Gate<'a>,
    pub(super) id: CallId,
}

impl Watcher for Watch<'_, '_> {
    fn started(&self, group: i32, start: u64) {
        self.gate.groups.borrow_mut().insert(self.id.clone(), (group, start));
        // The journal's own failure stops the run at its next record.
        let _ = self.gate.record(Record::Started { id: self.id.clone(), group, started: start });
        fault::point("b5");
    }

    fn output(&self, stderr: bool, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.gate.cx.events.event(&Event::Output { id: self.id.clone(), stderr, text });
        fault::point("b6");
    }
}

impl Attendant for Watch<'_, '_> {
    fn waits(&self, reason: &str, ms: u64, limit_ms: u64) {
        let (id, reason) = (self.id.clone(), reason.to_owned());
        self.gate.cx.events.event(&Event::Waiting { id, reason, ms, limit_ms });
    }
}

/// Whether a call's effect is still there after a power cut, and could not simply be made again.
pub(crate) fn outlives(spec: &dyn CallSpec) -> bool {
    match spec.effect() {
        Effect::Reads => false,
        Effect::Files => !matches!(spec.witness(), Witness::None | Witness::Repeatable),
        // A process of which nobody knows what it reaches may have reached another machine.
        Effect::Mutates | Effect::Destroys => {
            spec.scope().outlives_machine() || spec.scope() == Scope::Process
        }
    }
}
