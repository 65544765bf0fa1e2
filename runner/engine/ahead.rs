//! The look ahead: before a run first changes the world, the rest of it is planned silently and judged, so that a refusal leaves nothing
//! half-done. What the run has heard is not asked again.

use std::collections::BTreeMap;

use ops_core::call::{Request, table};
use ops_core::error::{CallError, Fault};
use ops_core::event::Silent;
use ops_core::guard::{self, EvidenceNeed, Refusal};
use ops_core::ident::CallId;
use ops_core::record::{Outcome, Record};
use ops_core::value::{Digest, Value, has_later};

use super::backend::{Backend, Ready};
use super::gate::Gate;
use super::hands::Hands;
use super::plan::{PlanBackend, Planned};
use super::run::{Part, Run};
use super::session::{Session, planned_calls};
use crate::recipe::Need;
use crate::sys::world::Local;

/// What a run has heard so far.
#[derive(Clone, Debug, Default)]
pub struct Story {
    asked: BTreeMap<CallId, Digest>,
    heard: BTreeMap<CallId, Result<Value, CallError>>,
}

impl Story {
    /// The reply to this very call, if it was answered.
    pub fn reply(&self, id: &CallId, request: &Request) -> Option<Result<Value, CallError>> {
        let version = table::info(&request.call).map_or(1, |info| info.version);
        let same = self.asked.get(id).is_some_and(|digest| *digest == request.digest(version));
        self.heard.get(id).filter(|_| same).cloned()
    }
}

/// Plans the rest of a run and judges it.
pub trait Lookout {
    /// The calls that it saw; of those that change something, none was refused.
    ///
    /// # Errors
    /// The first refusal.
    fn ahead<'a>(
        &'a self,
        story: &'a Story,
        now: &'a CallId,
    ) -> Local<'a, Result<Vec<CallId>, Box<Refusal>>>;
}

/// Looks ahead for a session.
pub struct Ahead<'a> {
    /// The session.
    pub session: &'a Session<'a>,
    /// What was asked for.
    pub asked: &'a [Need],
    /// Hands over a fresh overlay of files: an earlier look has left its own writes in its own.
    pub hands: &'a dyn Fn() -> Box<dyn Hands>,
}

impl Lookout for Ahead<'_> {
    fn ahead<'a>(
        &'a self,
        story: &'a Story,
        now: &'a CallId,
    ) -> Local<'a, Result<Vec<CallId>, Box<Refusal>>> {
        Box::pin(async move {
            let hands = (self.hands)();
            let planned = self.session.rest(self.asked, &*hands, story).await;
            let changing =
                |p: &&Planned| p.effect.changes_world() && (p.changed || has_later(&p.reply));
            let seen = planned.iter().filter(changing).map(|p| p.id.clone()).collect();
            // The one that is about to be made is judged in a moment anyway.
            if planned.iter().filter(changing).any(|p| p.id != *now) {
                let waits = |p: &Planned| !p.effect.changes_world();
                let rest: Vec<Planned> =
                    planned.iter().filter(|p| waits(p) || changing(p)).cloned().collect();
                self.session.judge_ahead(self.asked, &rest).await?;
            }
            Ok(seen)
        })
    }
}

impl Session<'_> {
    /// Every call of the rest of a run, as far as a plan can see. What goes wrong in it is no matter: it may be caught, or not happen.
    async fn rest(&self, asked: &[Need], hands: &dyn Hands, story: &Story) -> Vec<Planned> {
        let Ok(graph) = self.graph(asked) else { return Vec::new() };
        let backend = PlanBackend::new(hands, self.world.now()).behind(story);
        {
            let cx = self.context(&backend, &Silent, Part::Whole);
            let (_keep, signals) = tokio::sync::mpsc::unbounded_channel();
            let _ = Run::new(&cx, graph, signals).run().await;
        }
        backend.into_planned()
    }

    async fn judge_ahead(&self, asked: &[Need], rest: &[Planned]) -> Result<(), Box<Refusal>> {
        // What destroys is never among them; a call of which something is known only later is judged when it comes.
        let Ok(calls) = planned_calls(rest) else { return Ok(()) };
        let mut needs: Vec<EvidenceNeed> = Vec::new();
        for planned in &calls {
            for need in guard::needed(&planned.call, &self.site) {
                if !needs.contains(&need) {
                    needs.push(need);
                }
            }
        }
        if needs.is_empty() {
            return Ok(());
        }
        let every: Vec<_> = calls.iter().map(|p| &p.call).collect();
        let mut facts = self.hands.facts(&needs, &every).await;
        facts.open = self.keep.open_items().unwrap_or_default();
        facts.open.retain(|open| open.run != self.run.0);
        let invocation = self.asked_as(asked);
        let case = guard::Case {
            site: self.site,
            asked: guard::Asked {
                recipe: &invocation.recipe,
                args: &invocation.args,
                command: &invocation.command,
                destructive: false,
                partitions: invocation.partitions.as_deref(),
            },
            facts: &facts,
            now: self.world.now(),
        };
        guard::ahead(&calls, &case)
    }
}

impl Gate<'_> {
    /// Before the first call that changes something, and before each that no look has seen: the rest is planned and judged.
    ///
    /// # Errors
    /// The refusal that a later call would meet.
    pub(super) async fn look_ahead(&self, ready: &Ready) -> Result<(), Box<Fault>> {
        let Some(lookout) = self.cx.lookout else { return Ok(()) };
        // A cleanup follows no plan.
        if super::acts::is_cleanup(&ready.id.path) {
            return Ok(());
        }
        // Branches that change something at the same time share one look.
        let mut foreseen = self.foreseen.lock().await;
        if foreseen.contains(&ready.id) {
            return Ok(());
        }
        let first = foreseen.is_empty();
        let story = self.story.borrow().clone();
        let seen = lookout.ahead(&story, &ready.id).await;
        match seen {
            Ok(seen) => {
                foreseen.extend(seen);
                foreseen.insert(ready.id.clone());
                Ok(())
            }
            Err(refusal) => {
                self.evidence(&ready.id, &refusal.rows)?;
                let sofar =
                    if first { "nothing was changed" } else { "nothing further is changed" };
                Err(Box::new(
                    refusal
                        .fault
                        .detail(format!("Seen ahead, before `{}`: {sofar}.", ready.request.call)),
                ))
            }
        }
    }

    /// Keeps what the run hears, for a look ahead.
    pub(super) fn heard(&self, record: &Record) {
        if self.cx.lookout.is_none() {
            return;
        }
        match record {
            Record::Intent(intent) => {
                let mut story = self.story.borrow_mut();
                story.heard.remove(&intent.id);
                story.asked.insert(intent.id.clone(), intent.digest.clone());
            }
            Record::Outcome { id, outcome, .. } => {
                let reply = match outcome {
                    Outcome::Done(value) => Ok(value.clone()),
                    Outcome::Failed(error) => Err(error.clone()),
                    // One that cannot be read is asked again.
                    Outcome::DoneBlob(blob) => match self.load(blob) {
                        Ok(value) => Ok(value),
                        Err(_) => return,
                    },
                };
                self.story.borrow_mut().heard.insert(id.clone(), reply);
            }
            _ => {}
        }
    }

    /// What earlier processes of this run have heard.
    pub fn remember(&self, records: &[Record]) {
        for record in records {
            self.heard(record);
        }
    }
}
