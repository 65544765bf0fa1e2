//! Settling: deciding whether a call whose outcome is unknown has happened. By its type's own read-back, by a person, or not at all.

use ops_core::call::{Settled, Witness};
use ops_core::effect::Effect;
use ops_core::error::{Code, Fault};
use ops_core::event::Event;
use ops_core::ident::CallId;
use ops_core::record::Record;
use ops_core::time::Span;
use ops_core::value::Value;

use super::backend::{Ready, Settlement};
use super::doubt::said;
use super::gate::Gate;
use super::replay::Known;
use crate::sys::fault;
use crate::sys::group::PAUSE;

/// How long a process that outlived its run is left to end by itself where nobody can be asked.
const LEFT_TO_END: Span = Span::mins(2);
/// How long one that was asked to end may take, and one that was killed to be gone.
const ENDS_WITHIN: Span = Span::secs(10);

impl Gate<'_> {
    pub(super) async fn settle_call(&self, known: Known, ready: Ready) -> Settlement {
        if let Some((group, start)) = known.child
            && !fault::mutated("child group ignored")
            && let Err(fault) = self.outlived(&ready, group, start).await
        {
            return Settlement::Stop(fault);
        }
        fault::point("b12");
        let spec = ready.call.spec();
        let answer = self.answers.borrow().get(&ready.id).copied();
        let (how, by) = if let Some(happened) = answer {
            (said(happened), "settle")
        } else {
            let witness = known.intent.witness.clone().unwrap_or_else(|| spec.witness());
            let before = known.intent.before.clone().unwrap_or(Value::Null);
            (self.read_back(&ready, &witness, &before).await, "read-back")
        };
        if self.interrupted() && matches!(how, Settled::Ask { .. }) {
            return Settlement::Stop(Box::new(cut_short()));
        }
        match self.settle_as(&known, &ready, how, by) {
            // It is written down as settled; the next resume makes it.
            Settlement::Again if self.interrupted() => Settlement::Stop(Box::new(cut_short())),
            settlement => settlement,
        }
    }

    /// What the witness says. A node that the call has taken away cannot tell: it is waited for as long as the call itself would have
    /// waited, and only then somebody is asked.
    pub(super) async fn read_back(
        &self,
        ready: &Ready,
        witness: &Witness,
        before: &Value,
    ) -> Settled {
        const FIRST: u64 = 500;
        const LONGEST: u64 = 5_000;
        let spec = ready.call.spec();
        let own = spec.settles_within(before);
        let limit = if own.0 == 0 { own } else { ready.common.timeout.unwrap_or(own).max(own) };
        let begun = self.cx.world.now();
        let mut interval = FIRST;
        loop {
            let now = self.cx.hands.witness(witness).await;
            let how = spec.settle(before, &now);
            let waited = self.cx.world.now().since(begun);
            let Settled::Ask { question } = &how else { return how };
            if waited >= limit || self.interrupted() {
                return how;
            }
            let reason = format!("what became of it cannot be told yet ({question})");
            self.waits(ready, reason, waited, limit);
            self.cx.world.sleep(Span(interval.min(limit.0 - waited.0))).await;
            interval = (interval * 3 / 2).min(LONGEST);
        }
    }

    /// The process that a killed run left behind may still act: it is shown, and waited for; on a terminal it may be ended instead.
    ///
    /// # Errors
    /// It still runs, and nobody is there who could decide; or the wait was cut short.
    async fn outlived(&self, ready: &Ready, group: i32, start: u64) -> Result<(), Box<Fault>> {
        let groups = self.cx.groups;
        if !groups.alive(group, start) {
            return Ok(());
        }
        let runs = format!("the process that was started for it still runs (group {group})");
        self.noted(ready, format!("{runs}; nothing is settled before its end"));
        let question = format!(
            "{}: {runs}. Going on ends it; without that, its own end is waited for.",
            ready.id
        );
        let mut limit = None;
        match self.cx.asker.yes(&question) {
            Some(true) => {
                self.decided(&ready.id, true)?;
                for hard in [false, true] {
                    groups.end(group, start, hard);
                    if self.gone(ready, (group, start), &runs, Some(ENDS_WITHIN)).await {
                        return Ok(());
                    }
                }
                limit = Some(Span(0));
            }
            Some(false) => {}
            None => limit = Some(ready.common.timeout.unwrap_or(LEFT_TO_END).min(LEFT_TO_END)),
        }
        if self.gone(ready, (group, start), &runs, limit).await {
            return Ok(());
        }
        if self.interrupted() {
            return Err(Box::new(cut_short()));
        }
        Err(Box::new(
            Fault::new(Code::OUTCOME_UNKNOWN, unknown_title(&ready.request.call))
                .detail(format!("call: {}", ready.id))
                .detail("its process still runs")
                .detail(format!("process group {group}"))
                .help(format!("wait for its end, or end it with `kill -TERM -- -{group}`"))
                .next(format!("ops resume {}", self.cx.run)),
        ))
    }

    /// Waits for the end of a group; says whether it came.
    async fn gone(
        &self,
        ready: &Ready,
        (group, start): (i32, u64),
        runs: &str,
        limit: Option<Span>,
    ) -> bool {
        let mut waited = Span(0);
        loop {
            if !self.cx.groups.alive(group, start) {
                return true;
            }
            if limit.is_some_and(|limit| waited >= limit) || self.interrupted() {
                return false;
            }
            let shown = limit.unwrap_or(Span::hours(24));
            self.waits(ready, runs.to_owned(), waited, shown);
            self.cx.groups.pause(self.cx.world).await;
            waited = Span(waited.0 + PAUSE.0);
        }
    }

    fn waits(&self, ready: &Ready, reason: String, waited: Span, limit: Span) {
        let id = ready.id.clone();
        let event = Event::Waiting { id, reason, ms: waited.0, limit_ms: limit.0 };
        self.cx.events.event(&event);
    }

    pub(super) fn noted(&self, ready: &Ready, text: String) {
        self.cx.events.event(&Event::Note { branch: Some(ready.id.path.clone()), text });
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
        self.noted(ready, text);
        let record =
            Record::Settled { id: ready.id.clone(), how: how.clone(), by, at: self.cx.world.now() };
        // First the slot: once the record stands nobody settles again, and a slot kept by a crash in between would be lost.
        if !matches!(how, Settled::Done { .. })
            && let Err(fault) = self.free_slot(known.intent.slot.as_deref())
        {
            return Settlement::Stop(fault);
        }
        if let Err(fault) = self.note(record) {
            return Settlement::Stop(fault);
        }
        self.no_doubt(&ready.id);
        match how {
            Settled::Done { reply, .. } => Settlement::Done(reply),
            // The remedy of every type so far is to make the same call again: what is done already it leaves alone.
            Settled::NotDone { .. } | Settled::Partial { .. } | Settled::Ask { .. } => {
                Settlement::Again
            }
        }
    }

    /// A call that is proven not to have happened, or of which a person says so, gives its slot back: this run may use it once more, for the
    /// very call that the grant permits, by fresh evidence and within its time.
    pub(super) fn free_slot(&self, slot: Option<&str>) -> Result<(), Box<Fault>> {
        let Some((grant, slot)) = slot.and_then(|slot| slot.split_once('#')) else {
            return Ok(());
        };
        let slot = slot.parse().map_err(|_| {
            let title = format!("the journal names no slot of grant {grant}: `{slot}`");
            Box::new(Fault::new(Code::JOURNAL_DAMAGED, title))
        })?;
        self.cx.keep.free_slot(grant, slot, &self.cx.run, self.cx.world.now())
    }
}

/// Ctrl-C while it was waited for what would tell.
pub(super) fn cut_short() -> Fault {
    Fault::new(Code::INTERRUPTED, "interrupted before it could be told what became of a call")
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
