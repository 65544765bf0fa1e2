//! The gate: limits → guards → permit → intent → hands. The only place that carries a call out.
//!
//! The outcome is recorded by the loop when it arrives, because its place in the journal is its place in the order of delivery.

mod context;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use ops_core::call::table::Call;
use ops_core::call::{Request, Witness};
use ops_core::effect::{Effect, Scope};
use ops_core::error::{Code, Fault};
use ops_core::event::Event;
use ops_core::guard::{
    self, Asked, Case, Claims, Confirmed, Evidence, Facts, Guard, Permit, Refusal, Verdict,
};
use ops_core::ident::CallId;
use ops_core::record::{Intent, Outcome, Record};
use ops_core::value::{Blob, Digest, Value};

use super::ahead::Story;
use super::backend::{Backend, Finished, Ready, Settlement};
use super::doubt::Doubt;
use super::keep::no_answer;
use super::nodes::Nodes;
use super::plan::{in_preconditions, undeclared};
use super::refusals::{located, of_command};
use super::replay::{Known, State};
use super::watch::{Watch, outlives};
use crate::sys::fault;
use crate::sys::world::Local;

pub use context::{GateContext, Invocation, Safety};

/// The live backend.
pub struct Gate<'a> {
    pub(super) cx: GateContext<'a>,
    pub(super) confirmed: RefCell<Option<Confirmed>>,
    locked: Cell<bool>,
    pub(super) groups: RefCell<BTreeMap<CallId, (i32, u64)>>,
    /// Somebody has pressed Ctrl-C: what only waits for an answer gives up.
    interrupted: Cell<bool>,
    /// What a person has said of calls that were made before; of one that is made again nobody has said anything.
    pub(super) answers: RefCell<BTreeMap<CallId, bool>>,
    /// Calls of this run whose outcome is unknown, by digest.
    pub(super) doubts: RefCell<BTreeMap<Digest, Doubt>>,
    /// What this run does to nodes.
    pub(super) nodes: Nodes,
    /// What this run has heard so far, for a look ahead.
    pub(super) story: RefCell<Story>,
    /// Calls that a look ahead has seen.
    pub(super) foreseen: tokio::sync::Mutex<BTreeSet<CallId>>,
}

impl<'a> Gate<'a> {
    /// A gate; what was confirmed in the preflight is handed on.
    pub fn new(cx: GateContext<'a>, confirmed: Option<Confirmed>) -> Gate<'a> {
        Gate {
            answers: RefCell::new(cx.settled.clone()),
            cx,
            confirmed: RefCell::new(confirmed),
            locked: Cell::new(false),
            groups: RefCell::default(),
            interrupted: Cell::new(false),
            doubts: RefCell::default(),
            nodes: Nodes::default(),
            story: RefCell::default(),
            foreseen: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn interrupted(&self) -> bool {
        self.interrupted.get()
    }

    async fn carry(&self, ready: Ready) -> Finished {
        self.trace(&ready).await;
        let spec = ready.call.spec();
        let effect = spec.effect();
        if ready.reads_only && effect > Effect::Reads {
            return stop(in_preconditions(&ready));
        }
        if effect == Effect::Destroys && !ready.destructive {
            return stop(undeclared(&ready.request.call, ready.request.place.as_ref()));
        }
        if let Some(fault) = of_command(&ready) {
            return stop(self.audited(Some(&ready.id), fault));
        }
        if ready.request.call == "time.now" {
            let now = self.cx.world.now();
            return match self.intend(&ready, None, None).await {
                Ok(()) => Finished::Reply(Ok(serde_json::json!(now.0))),
                Err(finished) => finished,
            };
        }
        if ready.request.call.starts_with("safety.") {
            if let Err(finished) = self.intend(&ready, None, None).await {
                return finished;
            }
            return self.cx.safety.call(&ready).await;
        }
        if effect.changes_world()
            && let Err(fault) = self.take_lock(&ready)
        {
            return Finished::Stop(fault);
        }
        // What is as it should be is left alone: nothing to guard, nothing to prove.
        if let Some(reply) = self.already(&ready).await {
            return match self.intend(&ready, None, None).await {
                Ok(()) => Finished::Reply(Ok(reply)),
                Err(finished) => finished,
            };
        }
        if ready.again {
            self.is_settled(&ready);
        } else if let Some(finished) = self.doubted(&ready).await {
            return finished;
        }
        if effect.changes_world()
            && let Err(fault) = self.look_ahead(&ready).await
        {
            return Finished::Stop(fault);
        }
        let permit = match self.admit(&ready).await {
            Ok(permit) => permit,
            Err(fault) => return Finished::Stop(fault),
        };
        self.execute(ready, permit).await
    }

    /// The reply of a mutating call that would change nothing.
    async fn already(&self, ready: &Ready) -> Option<Value> {
        let spec = ready.call.spec();
        let cluster = matches!(spec.scope(), Scope::Node | Scope::Cluster);
        if spec.effect() != Effect::Mutates || !cluster {
            return None;
        }
        let foreseen = self.cx.hands.predict(&ready.call, &ready.common).await.ok()?;
        (!foreseen.changed).then_some(foreseen.reply)
    }

    /// Mutating a cluster locks it, once a run.
    fn take_lock(&self, ready: &Ready) -> Result<(), Box<Fault>> {
        let scope = ready.call.spec().scope();
        if self.locked.get() || !matches!(scope, Scope::Node | Scope::Cluster) {
            return Ok(());
        }
        self.cx.keep.lock(&self.cx.run, self.cx.world.now())?;
        self.locked.set(true);
        Ok(())
    }

    /// Asks the guards. What only a person can add, a confirmation, is asked for here when the preflight did not.
    async fn admit(&self, ready: &Ready) -> Result<Permit, Box<Fault>> {
        if let Some(permit) = guard::unguarded(&ready.call) {
            return Ok(permit);
        }
        let site = self.cx.site;
        let needs = guard::needed(&ready.call, &site);
        let mut facts = Facts::default();
        while !needs.is_empty() {
            let moves = self.nodes.moves();
            facts = self.cx.hands.facts(&needs, &[&ready.call]).await;
            // What was seen before another branch took a node away says nothing of now.
            if moves == self.nodes.moves() {
                break;
            }
        }
        facts.under_way = self.nodes.under_way(ready.call.spec().node());
        facts.left = self.nodes.reset();
        facts.open = self.cx.keep.open_items()?;
        facts.open.retain(|open| open.run != self.cx.run.0);
        match self.judge(ready, &facts)? {
            Ok(permit) => Ok(permit),
            Err(refusal) if refusal.guard == Guard::Confirm => {
                let question = guard::question(&[&ready.call], &site);
                let Some(question) = question else { return Err(Box::new(refusal.fault)) };
                let typed = self.cx.asker.typed(&question.lines, &question.words);
                let confirmed = question.answer(typed.as_deref());
                let confirmed = confirmed.map_err(|refusal| match typed {
                    Some(_) => refusal,
                    None => Box::new(no_answer(self.cx.asker, *refusal)),
                })?;
                self.decided(&ready.id, true)?;
                *self.confirmed.borrow_mut() = Some(confirmed);
                match self.judge(ready, &facts)? {
                    Ok(permit) => Ok(permit),
                    Err(refusal) => Err(Box::new(refusal.fault)),
                }
            }
            Err(refusal) => {
                self.evidence(&ready.id, &refusal.rows)?;
                Err(Box::new(refusal.fault))
            }
        }
    }

    fn judge(
        &self,
        ready: &Ready,
        facts: &Facts,
    ) -> Result<Result<Permit, Box<Refusal>>, Box<Fault>> {
        let invocation = self.invocation(ready);
        let case = Case {
            site: self.cx.site,
            asked: Asked {
                recipe: &invocation.recipe,
                args: &invocation.args,
                command: &invocation.command,
                destructive: ready.destructive,
                partitions: invocation.partitions.as_deref(),
            },
            facts,
            now: self.cx.world.now(),
        };
        let (key, who) = (self.cx.keep.key(), self.cx.keep.who());
        let grants = self.cx.keep.grants()?;
        let confirmed = self.confirmed.borrow();
        let claims = Claims {
            run: &self.cx.run,
            who: &who,
            key: &key,
            newest: self.cx.keep.newest()?,
            grants: &grants,
            confirmed: confirmed.as_ref(),
            approved_by: &[],
        };
        Ok(match guard::judge(&ready.call, &case, &claims) {
            Verdict::Allow(permit) => Ok(permit),
            Verdict::Refuse(refusal) => Err(refusal),
        })
    }

    /// One invocation answers for all its steps; with several, each step stands for itself.
    fn invocation(&self, ready: &Ready) -> Invocation {
        let recipe = ready.id.path.0.split('{').next().unwrap_or_default();
        let own = self.cx.asked.iter().find(|i| i.recipe == recipe);
        let only = self.cx.asked.first().filter(|_| self.cx.asked.len() == 1);
        own.or(only).cloned().unwrap_or_else(|| Invocation {
            recipe: recipe.to_owned(),
            args: Digest::of(&Value::Null),
            command: recipe.to_owned(),
            partitions: None,
        })
    }

    /// Witness, intent, slot, effect.
    async fn execute(&self, ready: Ready, permit: Permit) -> Finished {
        // Before anything is waited for: a call of another branch that is judged meanwhile must see that this node goes.
        let left = self.nodes.leaves(&ready.call);
        let finished = self.act(ready, permit).await;
        if let (Err(_), Some(node)) = (&finished, left) {
            self.nodes.stays(&node);
        }
        finished.unwrap_or_else(|finished| finished)
    }

    /// An error is the end of a call that was not started.
    async fn act(&self, ready: Ready, permit: Permit) -> Result<Finished, Finished> {
        let spec = ready.call.spec();
        let effect = spec.effect();
        let witness = spec.witness();
        let before = match effect {
            Effect::Reads => None,
            _ => Some(self.cx.hands.witness(&witness).await),
        };
        if !permit.rows().is_empty()
            && let Err(fault) = self.evidence(&ready.id, permit.rows())
        {
            return Err(Finished::Stop(fault));
        }
        let slot = permit.slot().map(|(grant, slot)| (grant.to_owned(), slot));
        let seen = before.map(|before| (witness, before));
        self.intend(&ready, seen.clone(), slot.clone()).await?;
        if let Some((grant, slot)) = &slot {
            fault::point("b15");
            if let Err(fault) =
                self.cx.keep.use_slot(grant, *slot, &self.cx.run, self.cx.world.now())
            {
                return Err(Finished::Stop(fault));
            }
        }
        let attendant = Watch::new(self, &ready.id).terminal(ready.terminal);
        let call = permit.into_call();
        if fault::mutated("outcome before effect") && effect.changes_world() {
            let outcome = Outcome::Done(serde_json::json!({"changed": true}));
            let id = ready.id.clone();
            let _ = self.record(Record::Outcome { id, outcome, ms: 0, at: self.cx.world.now() });
        }
        let reply = self.cx.hands.perform(&call, &ready.common, &attendant).await;
        self.groups.borrow_mut().remove(&ready.id);
        // Whatever else became of it: a shell cannot talk a refusal away.
        if let Some(fault) = attendant.refused.take() {
            return Ok(stop(located(fault, ready.request.place.as_ref())));
        }
        if let Ok(reply) = &reply
            && let Err(fault) = self.seen(&call, reply)
        {
            return Ok(Finished::Stop(fault));
        }
        if let (Err(error), Some(seen)) = (&reply, seen) {
            self.doubt(&ready, error, seen, slot.as_ref().map(slot_word));
        }
        Ok(Finished::Reply(reply.map_err(|mut error| {
            if error.call.is_empty() {
                error.call.clone_from(&ready.request.call);
            }
            error
        })))
    }

    /// Writes the intent; on disk before the effect where the effect outlives this machine.
    pub(super) async fn intend(
        &self,
        ready: &Ready,
        seen: Option<(Witness, Value)>,
        slot: Option<(String, u32)>,
    ) -> Result<(), Finished> {
        let spec = ready.call.spec();
        let (witness, before) = seen.unzip();
        self.answers.borrow_mut().remove(&ready.id);
        let record = Record::Intent(Intent {
            id: ready.id.clone(),
            call: ready.request.call.clone(),
            version: ready.info.version,
            digest: ready.request.digest(ready.info.version),
            effect: spec.effect(),
            args: ready.request.args.clone(),
            place: ready.request.place.clone(),
            before,
            witness,
            slot: slot.as_ref().map(slot_word),
            at: self.cx.world.now(),
        });
        self.cx.events.event(&Event::Recorded(record.clone()));
        self.heard(&record);
        let synced = self.cx.synced && outlives(spec);
        let written = if synced {
            self.cx.journal.append_synced(&record).await
        } else {
            self.cx.journal.append(&record)
        };
        written.map_err(|failure| Finished::Stop(Box::new(failure.fault())))
    }

    /// A wait, or a call that reads its own effect back, has seen a node again: nothing is open there any more.
    pub(super) fn seen(&self, call: &Call, reply: &Value) -> Result<(), Box<Fault>> {
        for node in self.nodes.returns(call, reply) {
            self.cx.keep.close_away(&node)?;
        }
        Ok(())
    }

    /// The run is over: nodes that it took away and did not see again are left open, for `ops status` and later runs.
    ///
    /// # Errors
    /// Where the state folder cannot be written.
    pub fn finish(&self) -> Result<(), Box<Fault>> {
        let now = self.cx.world.now();
        for node in self.nodes.under_way(None) {
            self.cx.keep.leave_away(&node, &self.cx.run, now)?;
        }
        Ok(())
    }

    pub(super) fn evidence(&self, id: &CallId, rows: &[Evidence]) -> Result<(), Box<Fault>> {
        let rows = rows.iter().filter_map(|row| serde_json::to_value(row).ok()).collect();
        self.note(Record::Evidence { id: id.clone(), rows, at: self.cx.world.now() })
    }

    pub(super) fn decided(&self, id: &CallId, yes: bool) -> Result<(), Box<Fault>> {
        self.note(Record::Decision { question: id.to_string(), yes, at: self.cx.world.now() })
    }

    pub(super) fn note(&self, record: Record) -> Result<(), Box<Fault>> {
        self.cx.events.event(&Event::Recorded(record.clone()));
        self.record(record)
    }
}

impl Backend for Gate<'_> {
    fn call(&self, ready: Ready) -> Local<'_, Finished> {
        Box::pin(self.carry(ready))
    }

    fn engine_call(&self, id: CallId, request: Request) -> Local<'_, Finished> {
        Box::pin(self.engine(id, request))
    }

    fn record(&self, record: Record) -> Result<(), Box<Fault>> {
        self.heard(&record);
        self.cx.journal.append(&record).map_err(|failure| Box::new(failure.fault()))
    }

    fn store(&self, bytes: &[u8]) -> Result<Blob, Box<Fault>> {
        let blob = self.cx.blobs.put(bytes, false).map_err(|error| {
            Box::new(Fault::new(Code::STATE_STORE, format!("a reply cannot be stored: {error}")))
        });
        fault::point("b8");
        blob
    }

    fn load(&self, blob: &Blob) -> Result<Value, Box<Fault>> {
        let damaged = |why: String| {
            Box::new(Fault::new(
                Code::JOURNAL_DAMAGED,
                format!("a stored reply cannot be read: {why}"),
            ))
        };
        let bytes = self.cx.blobs.get(blob).map_err(|e| damaged(e.to_string()))?;
        serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))
    }

    fn signal(&self, calls: Option<&[CallId]>, hard: bool) {
        self.interrupted.set(true);
        for (id, (group, _)) in self.groups.borrow().iter() {
            if calls.is_none_or(|calls| calls.contains(id)) {
                (self.cx.end_group)(*group, hard);
            }
        }
    }

    fn settle(&self, known: Known, ready: Ready) -> Local<'_, Settlement> {
        Box::pin(async move {
            debug_assert!(matches!(known.state, State::Unknown));
            self.settle_call(known, ready).await
        })
    }

    fn revive(&self, wait: Option<Ready>) -> Local<'_, Result<(), Box<Fault>>> {
        Box::pin(async move {
            let Some(ready) = wait else { return Ok(()) };
            let attendant = Watch::new(self, &ready.id);
            match self.cx.hands.perform(&ready.call, &ready.common, &attendant).await {
                Ok(reply) => self.seen(&ready.call, &reply),
                Err(error) => Err(Box::new(
                    Fault::new(Code::CALL_FAILED, "what the run had waited for no longer holds")
                        .detail(format!("{}: {}", ready.id, error.message)),
                )),
            }
        })
    }

    fn stray(&self, fault: Fault) -> Fault {
        self.audited(None, fault)
    }

    fn records(&self) -> bool {
        true
    }
}

/// A grant's slot as an intent names it.
fn slot_word((grant, slot): &(String, u32)) -> String {
    format!("{grant}#{slot}")
}

pub(super) fn stop(fault: Fault) -> Finished {
    Finished::Stop(Box::new(fault))
}
