//! What watches a call while it works: its child, its output and why it still waits go to the journal and the reporter, its reads and writes
//! to the trace of its step.

use std::rc::Rc;

use ops_core::event::Event;
use ops_core::ident::CallId;
use ops_core::record::Record;

use super::backend::Backend;
use super::gate::Gate;
use super::hands::Attendant;
use crate::host::recorder::Recorder;
use crate::sys::fault;
use crate::sys::world::Watcher;

/// Passes what happens during a call to the journal and the reporter.
pub(super) struct Watch<'g, 'a> {
    gate: &'g Gate<'a>,
    id: CallId,
    recorder: Option<Rc<Recorder>>,
}

impl<'g, 'a> Watch<'g, 'a> {
    /// Watches a call.
    pub(super) fn new(gate: &'g Gate<'a>, id: &CallId) -> Watch<'g, 'a> {
        let recorder = gate.cx.skip.and_then(|skip| skip.recorder(&id.path));
        Watch { gate, id: id.clone(), recorder }
    }
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
    }
}

impl Attendant for Watch<'_, '_> {
    fn waits(&self, reason: &str, ms: u64, limit_ms: u64) {
        let (id, reason) = (self.id.clone(), reason.to_owned());
        self.gate.cx.events.event(&Event::Waiting { id, reason, ms, limit_ms });
    }

    fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_deref()
    }
}
