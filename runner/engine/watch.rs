//! What of a call is written down when: whether its intent outlives a power cut, and while it works its child, its output and why it still
//! waits go to the journal and the reporter, a shim's refusal to the audit log too, its reads and writes to the trace of its step. Judges
//! nothing.

use std::rc::Rc;

use ops_core::call::{CallSpec, Witness};
use ops_core::effect::{Effect, Scope};
use ops_core::error::Fault;
use ops_core::event::Event;
use ops_core::ident::CallId;
use ops_core::record::Record;
use serde_json::json;

use super::backend::Backend;
use super::gate::Gate;
use super::hands::Attendant;
use super::refusals::Refusals;
use crate::host::recorder::Recorder;
use crate::sys::fault;
use crate::sys::world::Watcher;

/// Passes what happens during a call to the journal and the reporter.
pub(super) struct Watch<'g, 'a> {
    pub(super) gate: &'g Gate<'a>,
    pub(super) id: CallId,
    recorder: Option<Rc<Recorder>>,
    /// What stops the call, whatever it replies.
    pub(super) refused: Refusals,
    /// Its child talks to the person at the terminal, where there is one.
    terminal: bool,
}

impl<'g, 'a> Watch<'g, 'a> {
    /// Watches a call.
    pub(super) fn new(gate: &'g Gate<'a>, id: &CallId) -> Watch<'g, 'a> {
        let recorder = gate.cx.skip.and_then(|skip| skip.recorder(&id.path));
        let refused = Refusals::default();
        Watch { gate, id: id.clone(), recorder, refused, terminal: false }
    }

    /// Whether its child talks to the person at the terminal.
    pub(super) fn terminal(self, terminal: bool) -> Watch<'g, 'a> {
        Watch { terminal, ..self }
    }
}

impl Gate<'_> {
    /// Writes a shim's refusal into the audit log: of a call, or of something that belongs to none. It stands even where that fails.
    pub(super) fn audited(&self, id: Option<&CallId>, fault: Fault) -> Fault {
        let what = json!({
            "run": self.cx.run.0,
            "call": id.map(CallId::to_string),
            "code": fault.code.to_string(),
            "title": fault.title,
            "details": fault.details,
        });
        match self.cx.keep.audit(self.cx.world.now(), "shim.refused", &what) {
            Ok(()) => fault,
            Err(unwritten) => fault.detail(format!("not in the audit log: {}", unwritten.title)),
        }
    }
}

impl Watcher for Watch<'_, '_> {
    fn refused(&self, fault: &Fault) {
        self.refused.keep(&self.gate.audited(Some(&self.id), fault.clone()));
    }

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

    fn terminal(&self) -> bool {
        self.terminal && self.gate.cx.asker.terminal()
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
