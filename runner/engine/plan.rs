//! The plan backend: performs reads, predicts everything else. Nothing outside an overlay of files is changed.
//!
//! A read whose subject an earlier planned call wrote is not performed: waits succeed, other answers are unknown.

use std::cell::RefCell;

use ops_core::call::Request;
use ops_core::effect::{Effect, Subject};
use ops_core::error::{Code, Fault, Place};
use ops_core::ident::CallId;
use ops_core::record::Record;
use ops_core::time::{Span, Time};
use ops_core::value::{Blob, Map, Value, has_later};
use serde::Serialize;
use serde_json::json;

use super::ahead::Story;
use super::backend::{Backend, Finished, Ready, Settlement};
use super::hands::{Attendant, Hands};
use super::refusals::{Refusals, located, of_command};
use super::replay::Known;
use super::timers::PlanClock;
use crate::sys::world::{Local, Unwatched};

impl Attendant for Unwatched {}

/// One call of a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Planned {
    /// Its name.
    pub id: CallId,
    /// Its type.
    pub call: String,
    /// Its effect.
    pub effect: Effect,
    /// Its plan line behind the type: `w-1 STATE, EPHEMERAL`.
    pub about: String,
    /// The node that it is about.
    pub node: Option<String>,
    /// Whether it would change anything; always false for reads.
    pub changed: bool,
    /// What it would answer; `$later` where nobody can know.
    pub reply: Value,
    /// The call itself, for the guards.
    #[serde(skip)]
    pub request: Request,
}

/// Predicts calls and remembers them in order.
pub struct PlanBackend<'a> {
    hands: &'a dyn Hands,
    now: Time,
    clock: PlanClock,
    state: RefCell<PlanState>,
    /// What a run has heard before this plan of its rest.
    story: Option<&'a Story>,
}

#[derive(Default)]
struct PlanState {
    planned: Vec<Planned>,
    written: Vec<Subject>,
}

impl<'a> PlanBackend<'a> {
    /// A plan over hands whose files are an overlay.
    pub fn new(hands: &'a dyn Hands, now: Time) -> PlanBackend<'a> {
        let clock = PlanClock::default();
        PlanBackend { hands, now, clock, state: RefCell::default(), story: None }
    }

    /// Plans the rest of a run: what it has heard is answered as it was, and is no part of the plan.
    #[must_use]
    pub fn behind(self, story: &'a Story) -> PlanBackend<'a> {
        PlanBackend { story: Some(story), ..self }
    }

    /// Every call of the plan, in the order in which they were made.
    pub fn into_planned(self) -> Vec<Planned> {
        self.state.into_inner().planned
    }

    fn touched(&self, subjects: &[Subject]) -> bool {
        let state = self.state.borrow();
        subjects.iter().any(|s| state.written.iter().any(|w| w.touches(s)))
    }

    fn plan(&self, ready: &Ready, effect: Effect, changed: bool, reply: Value) -> Finished {
        let spec = ready.call.spec();
        let about = ready.common.about.clone().unwrap_or_else(|| spec.about());
        let mut state = self.state.borrow_mut();
        if changed {
            // Files are written to the overlay, which later reads see.
            state.written.extend(spec.writes().into_iter().filter(|s| !s.0.starts_with("file/")));
        }
        state.planned.push(Planned {
            id: ready.id.clone(),
            call: ready.request.call.clone(),
            effect,
            about,
            node: spec.node().map(str::to_owned),
            changed,
            reply: reply.clone(),
            request: ready.request.clone(),
        });
        Finished::Reply(Ok(reply))
    }

    async fn answer(&self, ready: Ready) -> Finished {
        let _busy = self.clock.busy();
        if let Some(reply) = self.story.and_then(|story| story.reply(&ready.id, &ready.request)) {
            return Finished::Reply(reply);
        }
        let later = json!({"$later": {"call": ready.id.to_string(), "field": ""}});
        if has_later(&Value::Object(ready.request.args.clone())) {
            return self.plan(&ready, ready.info.effect, ready.info.effect > Effect::Reads, later);
        }
        let spec = ready.call.spec();
        let effect = spec.effect();
        if ready.reads_only && effect > Effect::Reads {
            return Finished::Stop(Box::new(in_preconditions(&ready)));
        }
        if let Some(fault) = of_command(&ready) {
            return Finished::Stop(Box::new(fault));
        }
        if effect == Effect::Reads {
            if ready.request.call == "time.now" {
                return self.plan(&ready, effect, false, json!(self.now.0));
            }
            // What the engine would answer from evidence that it gathers then.
            if ready.request.call.starts_with("safety.") {
                return self.plan(&ready, effect, false, later);
            }
            if ready.request.call.starts_with("wait.") {
                return self.plan(&ready, effect, false, Value::Null);
            }
            if self.touched(&spec.reads()) {
                return self.plan(&ready, effect, false, later);
            }
            let refused = Refusals::default();
            let reply = self.hands.perform(&ready.call, &ready.common, &refused).await;
            if let Some(fault) = refused.take() {
                return Finished::Stop(Box::new(located(fault, ready.request.place.as_ref())));
            }
            return match reply {
                Ok(reply) => self.plan(&ready, effect, false, reply),
                Err(error) => Finished::Reply(Err(error)),
            };
        }
        if effect == Effect::Destroys && !ready.destructive {
            return Finished::Stop(Box::new(undeclared(
                &ready.request.call,
                ready.request.place.as_ref(),
            )));
        }
        // What it depends on was written by this plan: that it changes something is all that can be said.
        if effect.changes_world() && (self.touched(&spec.reads()) || self.touched(&spec.writes())) {
            return self.plan(&ready, effect, true, json!({"changed": true}));
        }
        match self.hands.predict(&ready.call, &ready.common).await {
            Ok(prediction) => self.plan(&ready, effect, prediction.changed, prediction.reply),
            Err(error) => Finished::Reply(Err(error)),
        }
    }
}

impl Backend for PlanBackend<'_> {
    fn call(&self, ready: Ready) -> Local<'_, Finished> {
        Box::pin(self.answer(ready))
    }

    fn engine_call(&self, id: CallId, request: Request) -> Local<'_, Finished> {
        if let Some(reply) = self.story.and_then(|story| story.reply(&id, &request)) {
            return Box::pin(async move { Finished::Reply(reply) });
        }
        // The wait between two nodes of a rolling change.
        if self.story.is_some() && request.call == "cx.healthy_again" {
            let node = request.args.get("node").cloned().unwrap_or_default();
            self.state.borrow_mut().planned.push(Planned {
                id,
                call: "wait.node".into(),
                effect: Effect::Reads,
                about: String::new(),
                node: node.as_str().map(str::to_owned),
                changed: false,
                reply: Value::Null,
                request: Request {
                    call: "wait.node".into(),
                    args: Map::from_iter([
                        ("node".to_owned(), node),
                        ("state".to_owned(), json!("settled")),
                    ]),
                    place: None,
                },
            });
            return Box::pin(async { Finished::Reply(Ok(Value::Null)) });
        }
        if request.call == "cx.timer" {
            let ms = request.args.get("ms").and_then(Value::as_u64).unwrap_or_default();
            let timer = self.clock.sleep(Span(ms));
            return Box::pin(async move {
                timer.await;
                Finished::Reply(Ok(Value::Null))
            });
        }
        let reply = match request.call.as_str() {
            "cx.confirm" => json!(true),
            "cx.gather" => json!({"healthy": true}),
            _ => Value::Null,
        };
        Box::pin(async move { Finished::Reply(Ok(reply)) })
    }

    fn record(&self, _: Record) -> Result<(), Box<Fault>> {
        Ok(())
    }

    fn store(&self, _: &[u8]) -> Result<Blob, Box<Fault>> {
        Err(Box::new(Fault::new(Code::BUG, "a plan stores nothing")))
    }

    fn load(&self, _: &Blob) -> Result<Value, Box<Fault>> {
        Err(Box::new(Fault::new(Code::BUG, "a plan stores nothing")))
    }

    fn signal(&self, _: Option<&[CallId]>, _: bool) {}

    fn settle(&self, _: Known, _: Ready) -> Local<'_, Settlement> {
        Box::pin(async { Settlement::Again })
    }

    fn revive(&self, _: Option<Ready>) -> Local<'_, Result<(), Box<Fault>>> {
        Box::pin(async { Ok(()) })
    }

    fn pass_time(&self) -> bool {
        self.clock.pass()
    }

    fn records(&self) -> bool {
        false
    }

    fn foreseen(&self) -> Vec<String> {
        let made = |subject: &Subject| match subject.0.as_str() {
            "made" => Some(".".to_owned()),
            other => other.strip_prefix("made/").map(str::to_owned),
        };
        let written = self.state.borrow();
        self.hands.overlaid().into_iter().chain(written.written.iter().filter_map(made)).collect()
    }
}

/// A destroying call in a recipe that does not say that it destroys.
pub(super) fn undeclared(what: &str, place: Option<&Place>) -> Fault {
    let fault =
        Fault::new(Code::UNDECLARED, format!("`{what}` destroys, and the recipe does not say so"))
            .help("add `destructive = true` to the recipe's head");
    match place {
        Some(place) => fault.at(place.clone()),
        None => fault,
    }
}

/// `cx:run` in preconditions and the functions of parameters: another recipe's body may change something.
pub(super) fn no_body(recipe: &str, request: &Request) -> Fault {
    let title = format!("`cx:run` of `{recipe}` where only reads are allowed");
    let fault = Fault::new(Code::CALL_PLACE, title)
        .detail("The body of another recipe may change something.")
        .help("run it in this recipe's body, or list it in `needs`");
    match &request.place {
        Some(place) => fault.at(place.clone()),
        None => fault,
    }
}

/// A call that changes something in `preconditions`.
pub(super) fn in_preconditions(ready: &Ready) -> Fault {
    let mut fault = Fault::new(
        Code::CALL_PLACE,
        format!("`{}` changes something; preconditions only read", ready.request.call),
    );
    if let Some(place) = &ready.request.place {
        fault = fault.at(place.clone());
    }
    fault
}
