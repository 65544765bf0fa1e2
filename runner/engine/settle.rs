//! Settling: deciding whether a call whose outcome is unknown has happened. By its type's own read-back, by a person, or not at all.

use ops_core::call::Settled;
use ops_core::effect::Effect;
use ops_core::error::{Code, Fault};
use ops_core::event::Event;
use ops_core::ident::CallId;
use ops_core::record::Record;
use ops_core::value::Value;

use super::backend::{Ready, Settlement};
use super::doubt::said;
use super::gate::Gate;
use super::replay::Known;
use crate::sys::fault;

impl Gate<'_> {
    pub(super) async fn settle_call(&self, known: Known, ready: Ready) -> Settlement {
        if let Some((group, start)) = known.child
            && (self.cx.group_lives)(group, start)
        {
            return Settlement::Stop(Box::new(
                Fault::new(Code::OUTCOME_UNKNOWN, unknown_title(&ready.request.call))
                    .detail(format!("call: {}", ready.id))
                    .detail("its process still runs")
                    .detail(format!("process group {group}"))
                    .help("wait for it to end, or end it, then resume again"),
            ));
        }
        fault::point("b12");
        let spec = ready.call.spec();
        let (how, by) = if let Some(happened) = self.cx.settled.get(&ready.id) {
            (said(*happened), "settle")
        } else {
            let witness = known.intent.witness.clone().unwrap_or_else(|| spec.witness());
            let now = self.cx.hands.witness(&witness).await;
            let before = known.intent.before.clone().unwrap_or(Value::Null);
            (spec.settle(&before, &now), "read-back")
        };
        self.settle_as(&known, &ready, how, by)
    }

    fn settle_as(&self, known: &Known, ready: &Ready, how: Settled, by: &str) -> Settlement {
        // Nothing tells, and nothing but files of this machine is touched: it is made again, as where there is no witness.
        if matches!(how, Settled::Ask { .. }) && known.intent.effect == Effect::Files {
            return Settlement::Again;
        }
        let mut how = how;
        let mut by = by.to_owned();
        if let Settled::Ask { question } = &how {
            let asked = self.cx.asker.yes(&format!("{}: {question}", ready.id));
            by = self.cx.keep.who().user;
            let Some(happened) = asked else {
                let fault = unknown(&ready.request.call, &ready.id, question);
                return Settlement::Stop(Box::new(fault));
            };
            how = said(happened);
        }
        let text = match &how {
            Settled::Done { because, .. } => format!("{because}: it happened. Going on after it."),
            Settled::NotDone { because } => {
                format!("{because}: it did not happen. Making it again.")
            }
            Settled::Partial { because, .. } => {
                format!("{because}: it happened in part. Completing it.")
            }
            Settled::Ask { .. } => String::new(),
        };
        self.cx.events.event(&Event::Note { branch: Some(ready.id.path.clone()), text });
        let record =
            Record::Settled { id: ready.id.clone(), how: how.clone(), by, at: self.cx.world.now() };
        // First the slot: once the record stands nobody settles again, and a slot kept by a crash in between would be lost.
        if !matches!(how, Settled::Done { .. })
            && let Err(fault) = self.free_slot(known)
        {
            return Settlement::Stop(fault);
        }
        if let Err(fault) = self.note(record) {
            return Settlement::Stop(fault);
        }
        match how {
            Settled::Done { reply, .. } => Settlement::Done(reply),
            // The remedy of every type so far is to make the same call again: what is done already it leaves alone.
            Settled::NotDone { .. } | Settled::Partial { .. } | Settled::Ask { .. } => {
                Settlement::Again
            }
        }
    }

    /// A call that is proven not to have happened gives its slot back.
    fn free_slot(&self, known: &Known) -> Result<(), Box<Fault>> {
        let Some((grant, slot)) = known.intent.slot.as_ref().and_then(|s| s.split_once('#')) else {
            return Ok(());
        };
        let slot = slot.parse().unwrap_or_default();
        self.cx.keep.free_slot(grant, slot, &self.cx.run, self.cx.world.now())
    }
}

fn unknown_title(call: &str) -> String {
    format!("nobody knows whether `{call}` happened")
}

/// Nobody here can tell what became of a call: a person must say, now or with the next resume.
pub(super) fn unknown(call: &str, id: &CallId, why: &str) -> Fault {
    Fault::new(Code::OUTCOME_UNKNOWN, unknown_title(call))
        .detail(format!("call: {id}"))
        .detail(why)
        .next(format!("ops resume --settle '{id}=done'"))
        .next(format!("ops resume --settle '{id}=not-done'"))
}
