//! The loop where it decides whether a step runs: asks for the judgement, takes the way that the journal shows, completes the trace.
//!
//! A judgement is recorded before anything follows from it. A resume repeats it and looks at nothing: what it would see now was not seen then.

use std::collections::BTreeMap;

use ops_core::error::Fault;
use ops_core::ident::Branch;
use ops_core::machine::{Delivery, Entry, Failure, Stop};
use ops_core::record::{Record, StepEnd};
use ops_core::trace::{Input, Reason, Shown, Verdict, Why};
use ops_core::value::Value;

use super::graph::Step;
use super::run::{Arrival, Part, Run};
use super::session::Session;
use super::skip::{Asked, Compared, Completed, Judging};
use super::step::{Pending, StepState};
use crate::recipe::Need;

impl Run<'_> {
    /// Whether a step may begin while a journal is replayed: one that had not begun is judged by what holds then, when calls are live again.
    pub(super) fn may_begin(&self, at: usize) -> bool {
        let Some(replaying) = self.replay.as_ref().filter(|r| !r.live && !r.proof) else {
            return true;
        };
        self.cx.skip.is_none() || replaying.journal.begun.contains(&self.steps[at].branch)
    }

    /// Decides whether a step runs.
    pub(super) fn judge(&mut self, at: usize) {
        let branch = self.steps[at].branch.clone();
        let journal = self.replay.as_ref().map(|r| &r.journal);
        let (begun, known) = journal.map_or((false, None), |journal| {
            (journal.begun.contains(&branch), journal.judged.get(&branch).cloned())
        });
        match (known, self.cx.skip) {
            (Some(verdict), _) => self.judged_before(at, verdict),
            (None, Some(skip)) if begun => {
                // It died while it was judged: at most its `status` had been asked.
                if skip.has_status(&self.steps[at].recipe) {
                    let verdict = by_status();
                    self.steps[at].pending = Some(Pending { verdict, sources: None });
                }
                self.next_part(at, None, Value::Null);
            }
            (None, Some(_)) => self.look(at),
            (None, None) => self.next_part(at, None, Value::Null),
        }
    }

    /// The journal holds the judgement.
    fn judged_before(&mut self, at: usize, verdict: Verdict) {
        let asked = match &verdict {
            Verdict::UpToDate { by, .. } => *by == Shown::Status,
            Verdict::Run { because } => because.iter().any(|reason| reason.why == Why::Status),
        };
        if asked {
            let verdict = if verdict.up_to_date() { verdict } else { by_status() };
            self.steps[at].pending = Some(Pending { verdict, sources: None });
            return self.next_part(at, None, Value::Null);
        }
        match verdict {
            Verdict::UpToDate { .. } => self.skipped(at, verdict),
            Verdict::Run { .. } => self.next_part(at, None, Value::Null),
        }
    }

    /// Looks at what is there now.
    fn look(&mut self, at: usize) {
        let Some(skip) = self.cx.skip else { return };
        let judging = skip.judge(&self.asked_of(at));
        match judging {
            Judging::Known(verdict) => self.judged(at, Compared { verdict, ..Compared::default() }),
            Judging::Compare(work) => {
                self.looking(at);
                self.flying.push(Box::pin(async move {
                    match tokio::task::spawn_blocking(work).await {
                        Ok(compared) => Arrival::Judged { step: at, compared: Box::new(compared) },
                        Err(error) => Arrival::Lost { step: at, message: error.to_string() },
                    }
                }));
            }
        }
    }

    fn asked_of(&self, at: usize) -> Asked<'_> {
        let step = &self.steps[at];
        let needs = step.needs.iter().map(|need| {
            let need = &self.steps[*need];
            let result = match &need.state {
                StepState::Ended(StepEnd::Done { result, .. }) => Some(result.clone()),
                _ => Some(Value::Null),
            };
            (need.recipe.clone(), result.filter(|_| !need.would_run))
        });
        Asked {
            recipe: &step.recipe,
            args: &step.args,
            needs: needs.collect(),
            forced: step.forced,
            planned: self.cx.backend.foreseen(),
            plan: !self.cx.backend.records(),
            now: self.cx.world.now(),
        }
    }

    /// A step waits for a thread that looks at files; simulated time stands still.
    fn looking(&mut self, at: usize) {
        self.steps[at].turning = true;
        self.turning += 1;
        self.cx.world.hold();
    }

    pub(super) fn looked(&mut self, at: usize) {
        self.steps[at].turning = false;
        self.turning -= 1;
        self.cx.world.release();
    }

    /// A stop that came while nobody could take it.
    pub(super) fn waiting_stop(&mut self, at: usize) -> Option<Stop> {
        self.steps[at].mail.drain(..).find_map(|mail| match mail {
            Delivery::Stop { stop, .. } => Some(stop),
            _ => None,
        })
    }

    /// The look is over.
    pub(super) fn judged(&mut self, at: usize, compared: Compared) {
        let Compared { verdict, ask_status, renewed, sources } = compared;
        let records = self.cx.backend.records();
        if let (Some(skip), Some(trace), true) = (self.cx.skip, &renewed, records) {
            skip.renew(trace);
        }
        if ask_status {
            self.open(at);
            self.steps[at].pending = Some(Pending { verdict, sources });
            return self.next_part(at, None, Value::Null);
        }
        match verdict {
            Verdict::UpToDate { .. } => self.skipped(at, verdict),
            Verdict::Run { because } => self.runs(at, because, sources, None),
        }
    }

    /// What the step's own `status` said.
    pub(super) fn status_said(&mut self, at: usize, yes: bool) {
        let Some(Pending { verdict, sources }) = self.steps[at].pending.take() else { return };
        // A line that said no was no failure of the step.
        self.steps[at].failed_calls = 0;
        if yes {
            if let Some(skip) = self.cx.skip {
                skip.forget(&self.steps[at].branch);
            }
            return self.skipped(at, verdict);
        }
        let because = vec![Reason::of(Why::Status, "")];
        self.runs(at, because, sources, Some(&Entry::Status));
    }

    /// A step is up to date: it gives its stored result.
    fn skipped(&mut self, at: usize, verdict: Verdict) {
        let Verdict::UpToDate { result, .. } = &verdict else { return };
        let result = result.clone();
        self.note_verdict(at, verdict);
        self.step_ended(at, StepEnd::Done { result, recovered: false });
    }

    /// A step runs: its old trace is dropped, and from here on it is traced anew.
    fn runs(
        &mut self,
        at: usize,
        because: Vec<Reason>,
        sources: Option<Result<Vec<Input>, String>>,
        done: Option<&Entry>,
    ) {
        if self.cx.part == Part::Judge {
            self.note_verdict(at, Verdict::Run { because });
            self.steps[at].would_run = true;
            return self.step_ended(at, StepEnd::Done { result: Value::Null, recovered: false });
        }
        let branch = self.steps[at].branch.clone();
        if let Some(skip) = self.cx.skip.filter(|_| self.cx.backend.records()) {
            if skip.recorder(&branch).is_none() && !self.replaying() {
                self.open(at);
            }
            if let Err(fault) = skip.drop_last(&branch, &because, self.cx.world.now()) {
                return self.step_over(at, Err(Failure::Fault(fault)));
            }
        }
        self.note_verdict(at, Verdict::Run { because });
        match (sources, self.cx.skip) {
            (Some(Err(pattern)), Some(skip)) => {
                let fault = skip.no_match(&self.steps[at].recipe, "sources", &pattern);
                return self.step_over(at, Err(Failure::Fault(Box::new(fault))));
            }
            (Some(Ok(inputs)), Some(skip)) => {
                if let Some(recorder) = skip.recorder(&branch) {
                    recorder.declared(inputs);
                }
            }
            _ => {}
        }
        self.next_part(at, done, Value::Null);
    }

    fn open(&self, at: usize) {
        if let Some(skip) = self.cx.skip.filter(|_| self.cx.backend.records()) {
            skip.open(&self.steps[at].branch, &self.asked_of(at));
        }
    }

    fn note_verdict(&mut self, at: usize, verdict: Verdict) {
        let branch: Branch = self.steps[at].branch.clone();
        self.ended.judged.push((branch.clone(), verdict.clone()));
        let record = Record::Judged { branch, verdict, at: self.cx.world.now() };
        self.record(record);
    }

    /// Whether the end of a step waits for its trace.
    pub(super) fn completes(&mut self, at: usize, end: &StepEnd) -> bool {
        let Some(skip) = self.cx.skip else { return false };
        let now = self.cx.world.now();
        let Some(work) = skip.close(&self.steps[at].branch, end, now) else { return false };
        self.looking(at);
        let end = end.clone();
        self.flying.push(Box::pin(async move {
            // Without a trace the step just runs again.
            let completed = tokio::task::spawn_blocking(work).await.unwrap_or(Ok(()));
            Arrival::Completed { step: at, end, completed }
        }));
        true
    }

    /// A trace is complete, and its step over.
    pub(super) fn completed(&mut self, at: usize, end: StepEnd, completed: Completed) {
        match (completed, self.cx.skip) {
            (Err(pattern), Some(skip)) => {
                let fault = skip.no_match(&self.steps[at].recipe, "generates", &pattern);
                self.step_over(at, Err(Failure::Fault(Box::new(fault))));
            }
            _ => self.step_ended(at, end),
        }
    }
}

impl Session<'_> {
    /// Judges every step of a graph, by looking alone: which would run, and why. No body runs.
    ///
    /// # Errors
    /// Unknown recipes and wrong arguments, a `status` that fails.
    pub async fn whether_up_to_date(
        &self,
        asked: &[Need],
    ) -> Result<Vec<(Step, Verdict)>, Box<Fault>> {
        let graph = self.graph(asked)?;
        let ended = self.part(&graph, Part::Judge).await;
        if let Some((_, fault)) = ended.faults.into_iter().next() {
            return Err(Box::new(fault));
        }
        let mut judged: BTreeMap<Branch, Verdict> = ended.judged.into_iter().collect();
        let verdict = |step: Step| Some((judged.remove(&step.branch)?, step));
        Ok(graph.steps.into_iter().filter_map(verdict).map(|(v, s)| (s, v)).collect())
    }
}

/// That only its `status` shows that a step is up to date.
fn by_status() -> Verdict {
    Verdict::UpToDate { by: Shown::Status, inputs: 0, outputs: 0, result: Value::Null }
}
