//! What signals do to a run: first no new call, then a signal to the children, then their end. Knows no terminal.

use ops_core::call::Interrupt;
use ops_core::call::table::Call;
use ops_core::effect::Effect;
use ops_core::error::{Code, Fault};
use ops_core::event::Event;
use ops_core::ident::{Branch, CallId};

use super::acts::{has_terminal, is_cleanup};
use super::run::Run;
use super::signal::Signal;

impl Run<'_> {
    /// A signal: first no new call, then a signal to the children, then their end.
    pub(super) fn interrupt(&mut self, signal: Signal) {
        // The child that has the terminal heard it too, and what it means is the child's to say.
        if signal == Signal::Interrupt && self.someone_has_the_terminal() {
            return;
        }
        self.interrupts += 1;
        if self.interrupts == 1 {
            let ends = self.signalled_first();
            let stays = self.changing.iter().filter(|id| !ends.contains(id));
            let names: Vec<String> = stays.map(|id| id.path.leaf().to_owned()).collect();
            let left = if names.is_empty() {
                String::new()
            } else {
                format!("; {} is left to finish", names.join(", "))
            };
            let text = format!("no new calls{left}        (again: signal it)");
            self.cx.events.event(&Event::Note { branch: None, text });
            self.drop_reads();
            self.cx.backend.signal(Some(&ends), false);
            let fault = match signal {
                Signal::Interrupt => Fault::new(Code::INTERRUPTED, "interrupted"),
                Signal::Terminate => Fault::new(Code::TERMINATED, "terminated"),
            };
            self.stopping.get_or_insert_with(|| fault.clone());
            if self.ended.faults.is_empty() {
                self.ended.faults.push((Branch(String::new()), fault));
            }
        } else {
            self.cx.backend.signal(None, self.interrupts > 2);
        }
    }

    fn someone_has_the_terminal(&self) -> bool {
        self.steps.iter().any(|step| {
            let head = self.cx.catalog.get(&step.recipe);
            let mut calls = step.waits.iter().filter(|(id, _)| self.owner.contains_key(id));
            calls.any(|(_, waiting)| has_terminal(head, &waiting.request))
        })
    }

    /// Running calls whose type says that the first Ctrl-C ends them.
    fn signalled_first(&self) -> Vec<CallId> {
        let signals = |id: &CallId| {
            let request = self.steps.iter().find_map(|step| step.waits.get(id)).map(|w| &w.request);
            let call = request.and_then(|request| Call::decode(request).ok());
            call.is_some_and(|(call, _)| call.spec().interrupt() == Interrupt::Signal)
        };
        self.changing.iter().filter(|id| signals(id)).cloned().collect()
    }

    /// Nobody waits any more for what only reads, or works on files and lets itself be ended; but cleanups run to their end.
    fn drop_reads(&mut self) {
        let reads = |id: &CallId| {
            let waiting = self.steps.iter().find_map(|step| step.waits.get(id));
            let call = waiting.and_then(|waiting| Call::decode(&waiting.request).ok());
            // What has no type is the engine's own, and changes nothing.
            let ends = call.is_none_or(|(call, _)| {
                let spec = call.spec();
                spec.effect() == Effect::Reads || spec.interrupt() == Interrupt::Signal
            });
            ends && !is_cleanup(&id.path) && !self.changing.contains(id)
        };
        let reads: Vec<CallId> = self.owner.keys().filter(|id| reads(id)).cloned().collect();
        for id in reads {
            if let Some(handle) = self.owner.remove(&id) {
                handle.abort();
            }
        }
    }
}
