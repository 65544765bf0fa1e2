//! Nested steps: what `cx:run` and stages ask for. Once per recipe and arguments in a run; they answer their callers, also in a replay.

use ops_core::call::Request;
use ops_core::error::{CallError, Code, Fault};
use ops_core::ident::{Branch, CallId};
use ops_core::record::{Record, StepEnd};
use ops_core::trace::{Reason, Why};
use ops_core::value::{Map, Value};

use super::graph::full_name;
use super::needs::Asking;
use super::plan::{no_body, undeclared};
use super::run::Run;
use super::step::{From, StepRun, StepState};

impl Run<'_> {
    /// `cx:run`: another recipe as a nested step; the same recipe with the same arguments is one step of a run.
    pub(super) fn run_nested(&mut self, at: usize, id: &CallId, request: &Request) {
        let name = request.args.get("recipe").and_then(Value::as_str).unwrap_or_default();
        let name = full_name(&self.steps[at].recipe, name);
        let empty = Map::new();
        let given = request.args.get("args").and_then(Value::as_object).unwrap_or(&empty);
        let bound = self.cx.catalog.get(&name).map(|h| h.name.clone()).map_or_else(
            || {
                let known = self.cx.catalog.names();
                Err(Box::new(
                    Fault::new(Code::RECIPE_UNKNOWN, format!("there is no recipe `{name}`"))
                        .did_you_mean(&name, known),
                ))
            },
            |name| (self.cx.bind)(&name, given).map(|args| (name, args)),
        );
        let destroys = |recipe: &str| self.cx.catalog.get(recipe).is_some_and(|h| h.destructive);
        let bound = if self.steps[at].only_reads() {
            // A body may change the world: a function that only reads may not start one.
            Err(Box::new(no_body(&name, request)))
        } else if destroys(&name) && !destroys(&self.steps[at].recipe) {
            // Before its first call: a run of a recipe that says nothing was not judged as a whole beforehand.
            Err(Box::new(undeclared(&format!("cx:run` of `{name}"), request.place.as_ref())))
        } else {
            bound
        };
        let (recipe, args) = match bound {
            Ok(bound) => bound,
            Err(fault) => return self.stop_branch(at, id.path.clone(), *fault),
        };
        // Which step that is and whether it is up to date is decided anew each time.
        if let Some(recorder) = self.cx.skip.and_then(|skip| skip.recorder(&id.path)) {
            recorder.keep(Reason::of(Why::NotLocal, "cx.run"));
        }
        if !self.replaying() && self.cx.backend.records() {
            self.record(intent_of_nested(id, request, self.cx.world.now()));
        }
        let nested = match self.add_nested(&recipe, args) {
            Ok(nested) => nested,
            Err(fault) => return self.stop_branch(at, id.path.clone(), *fault),
        };
        // A forced step is forced with all that it consists of; what it needs decides for itself.
        self.steps[nested].forced |= self.steps[at].forced;
        self.steps[nested].callers.push(id.clone());
        self.nests = true;
        if matches!(self.steps[nested].state, StepState::Ended(_) | StepState::Left) {
            self.steps[nested].callers.clear();
            self.answer_caller(nested, id);
        }
    }

    /// A nested step and what it needs, each once in a run.
    fn add_nested(&mut self, recipe: &str, args: Map<String, Value>) -> Result<usize, Box<Fault>> {
        let branch = Branch::step(recipe, &Value::Object(args.clone()));
        if let Some(known) = self.by_branch.get(&branch) {
            return Ok(*known);
        }
        let asking = Asking {
            bodies: self.cx.bodies,
            catalog: self.cx.catalog,
            cluster: self.cx.cluster,
            run: &self.cx.run,
        };
        let head = self.cx.catalog.get(recipe);
        let needed = head.map(|head| asking.needs(head, &args)).transpose()?.unwrap_or_default();
        // In the index before what it needs is added, so that a circle through `cx:run` ends here.
        let at = self.add(StepRun::new(recipe.to_owned(), args, branch, Vec::new()));
        for need in needed {
            let name = full_name(recipe, &need.recipe);
            let name = self.cx.catalog.get(&name).map_or(name, |head| head.name.clone());
            let args = (self.cx.bind)(&name, &need.args)?;
            let needed = self.add_nested(&name, args)?;
            self.steps[at].needs.push(needed);
        }
        Ok(at)
    }

    /// A nested step is over: its caller gets the result, or the failure. In a replay the journal says when.
    pub(super) fn answer_caller(&mut self, nested: usize, caller: &CallId) {
        let Some(at) = self.step_of(caller) else { return };
        let from_journal =
            self.steps[at].waits.get(caller).is_some_and(|w| w.from == From::Journal)
                && self.replaying();
        if from_journal {
            return;
        }
        let reply = match &self.steps[nested].state {
            StepState::Ended(StepEnd::Done { result, .. }) => Ok(result.clone()),
            StepState::Ended(StepEnd::Skipped { .. }) => Ok(Value::Null),
            StepState::Ended(StepEnd::Failed { title, .. }) => {
                let mut error = CallError::new(ops_core::error::ErrorKind::Failed, title.clone());
                "cx.run".clone_into(&mut error.call);
                Err(error)
            }
            _ => {
                let told = self.nested_fault.clone();
                let last = || self.ended.faults.last().map(|(_, fault)| fault.clone());
                let fault =
                    told.or_else(last).unwrap_or_else(|| Fault::new(Code::INTERRUPTED, "stopped"));
                return self.stop_branch(at, caller.path.clone(), fault);
            }
        };
        self.reply(at, caller, reply);
    }

    /// Nobody waits for a nested step any more: it is stopped, unless somebody else does.
    pub(super) fn leave_nested(&mut self, caller: &CallId) {
        for at in 0..self.steps.len() {
            let step = &mut self.steps[at];
            let before = step.callers.len();
            step.callers.retain(|c| c != caller);
            if step.callers.len() < before
                && step.callers.is_empty()
                && step.state == StepState::Running
            {
                let branch = step.branch.clone();
                let fault = Fault::new(Code::INTERRUPTED, "its caller no longer waits");
                self.stop_branch(at, branch, fault);
            }
        }
    }
}

fn intent_of_nested(id: &CallId, request: &Request, at: ops_core::time::Time) -> Record {
    Record::Intent(ops_core::record::Intent {
        id: id.clone(),
        call: request.call.clone(),
        version: 1,
        digest: request.digest(1),
        effect: ops_core::effect::Effect::Reads,
        args: request.args.clone(),
        place: request.place.clone(),
        before: None,
        witness: None,
        slot: None,
        at,
    })
}
