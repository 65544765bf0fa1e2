//! Which function of a recipe runs next, and with what.

use ops_core::machine::{Delivery, Entry, Limits, StepSpec};
use ops_core::record::StepEnd;
use ops_core::value::{Map, Value};

use super::run::{Part, Run};
use super::step::StepState;

impl Run<'_> {
    /// Enters the next function of a step: parameters, preconditions, body. What a step does not have is passed over.
    pub(super) fn next_part(&mut self, at: usize, done: Option<&Entry>, found: Value) {
        let head = self.cx.catalog.get(&self.steps[at].recipe);
        let has = |entry: &Entry| match entry {
            Entry::Parameters => {
                head.is_some_and(|h| h.params.iter().any(|p| p.default_function || p.check))
            }
            Entry::Preconditions => head.is_some_and(|h| h.functions.preconditions),
            Entry::Confirm => head.is_some_and(|h| h.functions.confirm),
            Entry::Status => self.steps[at].pending.is_some(),
            _ => true,
        };
        let parts: &[Entry] = match self.cx.part {
            Part::Whole => &[Entry::Parameters, Entry::Status, Entry::Preconditions, Entry::Run],
            Part::Judge => &[Entry::Parameters, Entry::Status],
            Part::Parameters => &[Entry::Parameters],
            Part::Preconditions => &[Entry::Parameters, Entry::Preconditions],
            Part::Confirm => &[Entry::Parameters, Entry::Confirm],
        };
        let after = done.map_or(0, |d| parts.iter().position(|p| p == d).map_or(0, |i| i + 1));
        match parts[after..].iter().find(|entry| has(entry)) {
            Some(entry) => self.enter(at, entry.clone(), found),
            None => self.step_ends(at, StepEnd::Done { result: found, recovered: false }),
        }
    }

    /// Spawns the body for one of a recipe's functions and lets it begin.
    pub(super) fn enter(&mut self, at: usize, entry: Entry, found: Value) {
        let needs = self.results_of(at);
        let step = &mut self.steps[at];
        let branch = match &entry {
            Entry::Parameters => step.branch.arm("parameters", None),
            Entry::Preconditions => step.branch.arm("preconditions", None),
            Entry::Confirm => step.branch.arm("confirm", None),
            Entry::Status => step.branch.arm("status", None),
            Entry::OnFailure(_) => step.branch.arm("on_failure", None),
            _ => step.branch.clone(),
        };
        let spec = StepSpec {
            recipe: step.recipe.clone(),
            branch,
            entry: entry.clone(),
            params: step.args.clone(),
            needs,
            found,
            cluster: self.cx.cluster.cloned(),
            run: self.cx.run.clone(),
            limits: Limits::default(),
        };
        step.entry = entry;
        step.machine = Some(self.cx.bodies.spawn(spec));
        step.mail.push_front(Delivery::Begin);
    }

    fn results_of(&self, at: usize) -> Map<String, Value> {
        let mut results = Map::new();
        for need in &self.steps[at].needs {
            let step = &self.steps[*need];
            if let StepState::Ended(StepEnd::Done { result, .. }) = &step.state {
                results.insert(step.recipe.clone(), result.clone());
            }
        }
        results
    }
}
