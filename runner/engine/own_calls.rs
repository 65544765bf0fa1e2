//! What the gate does beside carrying calls out: it notes them in the trace of their step, and answers the calls that the engine itself
//! provides to bodies: timers, confirmations, the health of a node between two of a rolling change.

use ops_core::call::Request;
use ops_core::call::table::Call;
use ops_core::effect::Effect;
use ops_core::error::{Code, Fault};
use ops_core::guard::unanswered;
use ops_core::ident::CallId;
use ops_core::record::{Intent, Record};
use ops_core::time::Span;
use ops_core::trace::{Reason, Why};
use ops_core::value::{Map, Value};
use serde_json::json;

use super::backend::{Finished, Ready};
use super::gate::{Gate, stop};
use super::keep::no_answer;
use super::watch::Watch;

impl Gate<'_> {
    /// Notes a live call in the trace of its step, with what it starts with.
    pub(super) async fn trace(&self, ready: &Ready) {
        let Some(skip) = self.cx.skip else { return };
        let Some(recorder) = skip.recorder(&ready.id.path) else { return };
        let recipe = ready.recipe.as_str();
        if let Some(look) = skip.called(&recorder, recipe, &ready.request, &ready.call) {
            self.cx.world.hold();
            let looked = tokio::task::spawn_blocking(look).await;
            self.cx.world.release();
            match looked {
                Ok(inputs) => recorder.declared(inputs),
                Err(_) => recorder.keep(Reason::of(Why::NotLocal, &ready.request.call)),
            }
        }
    }

    async fn gather(&self, node: &str) -> Value {
        let request = Request {
            call: "talos.stage".into(),
            args: Map::from_iter([("node".to_owned(), json!(node))]),
            place: None,
        };
        let healthy = match Call::decode(&request) {
            Ok((call, common)) => {
                let quiet = crate::sys::world::Unwatched;
                let stage = self.cx.hands.perform(&call, &common, &quiet).await;
                stage.is_ok_and(|s| s["stage"] == "running" && s["ready"] == true)
            }
            Err(_) => false,
        };
        self.nodes.was(node, healthy);
        json!({"node": node, "healthy": healthy})
    }

    /// A node that was healthy must be so again before the next; one that was reset comes back as its recipe says.
    async fn healthy_again(&self, id: CallId, node: &str) -> Finished {
        if !self.nodes.must_be_healthy(node) {
            return Finished::Reply(Ok(Value::Null));
        }
        let request = Request {
            call: "wait.node".into(),
            args: Map::from_iter([
                ("node".to_owned(), json!(node)),
                ("state".to_owned(), json!("settled")),
            ]),
            place: None,
        };
        match Call::decode(&request) {
            Ok((call, common)) => {
                let attendant = Watch::new(self, &id);
                Finished::Reply(self.cx.hands.perform(&call, &common, &attendant).await)
            }
            Err(invalid) => stop(Fault::new(Code::BUG, invalid.message)),
        }
    }

    pub(super) async fn engine(&self, id: CallId, request: Request) -> Finished {
        let arg = |name: &str| request.args.get(name).and_then(Value::as_str).unwrap_or_default();
        let intent = Record::Intent(Intent {
            id: id.clone(),
            call: request.call.clone(),
            version: 1,
            digest: request.digest(1),
            effect: Effect::Reads,
            args: request.args.clone(),
            place: request.place.clone(),
            before: None,
            witness: None,
            slot: None,
            at: self.cx.world.now(),
        });
        // A timer neither reads nor changes anything; the others ask people or machines.
        if request.call != "cx.timer"
            && let Some(recorder) = self.cx.skip.and_then(|skip| skip.recorder(&id.path))
        {
            recorder.keep(Reason::of(Why::NotLocal, &request.call));
        }
        if let Err(fault) = self.note(intent) {
            return Finished::Stop(fault);
        }
        match request.call.as_str() {
            "cx.timer" => {
                let ms = request.args.get("ms").and_then(Value::as_u64).unwrap_or_default();
                self.cx.world.sleep(Span(ms)).await;
                Finished::Reply(Ok(Value::Null))
            }
            "cx.confirm" => self.confirm(&id, arg("text"), arg("word")),
            "cx.gather" => Finished::Reply(Ok(self.gather(arg("node")).await)),
            "cx.healthy_again" => self.healthy_again(id, arg("node")).await,
            other => stop(Fault::new(Code::BUG, format!("the engine has no call `{other}`"))),
        }
    }

    fn confirm(&self, id: &CallId, text: &str, word: &str) -> Finished {
        let answer = if word.is_empty() {
            self.cx.asker.yes(text)
        } else {
            let typed = self.cx.asker.typed(&[text.to_owned()], word);
            typed.map(|typed| typed.trim() == word)
        };
        if let Err(fault) = self.decided(id, answer == Some(true)) {
            return Finished::Stop(fault);
        }
        match answer {
            Some(true) => Finished::Reply(Ok(json!(true))),
            Some(false) => stop(Fault::new(Code::DECLINED, "declined").detail(text)),
            None => stop(no_answer(self.cx.asker, unanswered().detail(text))),
        }
    }
}
