//! Tells a run as it happens: for people in lines, for machines as JSON events. Knows what was recorded, and nothing of how it came about.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use ops_core::effect::Effect;
use ops_core::error::{Exit, WAS_INTERRUPTED};
use ops_core::event::{Event, Events};
use ops_core::ident::{Branch, CallId, RunId};
use ops_core::record::{Intent, Outcome, Record, RunHead, StepEnd};
use ops_core::time::Time;
use ops_core::trace::Verdict;
use ops_core::value::Value;

use super::children::Children;
use super::fault::plain;
use super::lines::{CALL, columns, plainly, rows, side_by_side};
use super::printer::{Mode, Output};
use super::table::fold;
use super::{json, reasons, wording};
use crate::config::ChildOutput;

/// Shows the events of one run.
pub struct Reporter {
    output: Output,
    /// Tells only what is new: a run of a watch.
    terse: bool,
    state: Mutex<State>,
}

struct State {
    head: Option<RunHead>,
    intents: BTreeMap<CallId, Intent>,
    steps: BTreeMap<Branch, Step>,
    /// The step whose heading was printed last.
    shown: Option<Branch>,
    /// Why each wait still waits, as it was last said.
    waits: BTreeMap<CallId, String>,
    children: Children,
    changed: usize,
    unchanged: usize,
    failed: usize,
    /// Calls of a stop that came while they ran.
    cut: usize,
    replayed: usize,
    /// When this process took the run up.
    began: Time,
}

#[derive(Default)]
struct Step {
    recipe: String,
    lines: usize,
}

impl Reporter {
    /// A reporter that writes to `output`.
    pub fn new(output: Output, children: ChildOutput) -> Reporter {
        Reporter {
            output,
            terse: false,
            state: Mutex::new(State {
                head: None,
                intents: BTreeMap::new(),
                steps: BTreeMap::new(),
                shown: None,
                waits: BTreeMap::new(),
                children: Children::new(children),
                changed: 0,
                unchanged: 0,
                failed: 0,
                cut: 0,
                replayed: 0,
                began: Time(0),
            }),
        }
    }
}

impl Reporter {
    /// A reporter of a run that repeats an earlier one: what is as it was is only counted, and how a file changed is shown.
    #[must_use]
    pub fn terse(self) -> Reporter {
        Reporter { terse: true, ..self }
    }
}

impl Events for Reporter {
    fn event(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if self.output.mode() == Mode::Json {
            if matches!(event, Event::Recorded(Record::Run(_))) {
                state.remember(event);
            }
            let intent = match event {
                Event::Recorded(Record::Outcome { id, .. }) => state.intents.get(id),
                _ => None,
            };
            let run = state.head.as_ref().map(|h| &h.run);
            self.output.child(&json::event(run, event, intent), false);
            state.remember(event);
            return;
        }
        match event {
            Event::Recorded(record) => self.record(&mut state, record),
            Event::Replayed { .. } => state.replayed += 1,
            Event::Waiting { id, reason, ms, limit_ms } => {
                self.waiting(&mut state, id, reason, *ms, *limit_ms);
            }
            Event::Output { id, stderr, text } => {
                let label = state.label(id);
                let shown = state.children.wrote(id, &label, text, *stderr);
                self.show_children(shown);
            }
            Event::Note { branch, text } => {
                let about = branch.as_ref().map(|b| format!("{}  ", b.leaf())).unwrap_or_default();
                self.output.progress(&format!("{about}{text}\n"));
            }
        }
        state.remember(event);
    }
}

impl Reporter {
    fn record(&self, state: &mut State, record: &Record) {
        match record {
            Record::Run(head) => {
                state.began = head.at;
                if head.lab && !self.terse {
                    let paint = self.output.paint();
                    let cluster = head.cluster.as_deref().unwrap_or("no cluster");
                    let facts = ops_lab::header();
                    let facts = facts.strip_prefix("SIMULATION ").unwrap_or(&facts);
                    self.output.progress(&format!(
                        "{}   {cluster} is simulated, and so are the times: no real machine is touched\n      {}\n",
                        paint.warn("lab"),
                        paint.dim(facts)
                    ));
                }
            }
            Record::Resumed { at, .. } => state.began = *at,
            Record::StepBegin { branch, recipe, .. } => {
                state.steps.insert(branch.clone(), Step { recipe: recipe.clone(), lines: 0 });
            }
            Record::Judged { branch, verdict, .. } => self.judged(state, branch, verdict),
            Record::StepEnd { branch, how, .. } => self.step_end(state, branch, how),
            Record::Outcome { id, outcome, ms, .. } => self.outcome(state, id, outcome, *ms),
            Record::Settled { id, how, by, .. } => {
                use ops_core::call::Settled;
                let text = match how {
                    Settled::Done { because, .. } => format!("it happened: {because}"),
                    Settled::NotDone { because } => format!("it did not happen: {because}"),
                    Settled::Partial { because, .. } => format!("it happened in part: {because}"),
                    Settled::Ask { question } => question.clone(),
                };
                let by = if by == "read-back" { String::new() } else { format!(" (says {by})") };
                self.call_line(state, id, &format!("{text}{by}"), None, &plainly);
            }
            Record::Stopped { branch, code, title, .. } => {
                self.step_text(state, branch, &format!("stopped  {code}  {}", plain(title)));
            }
            Record::Log { branch, level, body, .. } => self.log(state, branch, level, body),
            Record::Decision { question, yes, .. } => {
                let answer = if *yes { "confirmed" } else { "declined" };
                self.output.progress(&format!("{answer}   {question}\n"));
            }
            Record::GrantClaimed { grant, .. } => {
                self.output.progress(&format!("grant {grant} is claimed by this run\n"));
            }
            // A failure is told as an error, by whoever conducts the run.
            Record::End { exit, .. } if self.terse && *exit != Exit::Done => {}
            Record::End { exit, at } => self.summary(state, *exit, *at),
            Record::Intent(_)
            | Record::Started { .. }
            | Record::Dropped { .. }
            | Record::BranchEnd { .. }
            | Record::Evidence { .. }
            | Record::Cancelled { .. } => {}
        }
    }

    fn outcome(&self, state: &mut State, id: &CallId, outcome: &Outcome, ms: u64) {
        // The engine's own calls (timers, the health between two nodes) are no work of the recipe.
        if state.intents.get(id).is_some_and(|i| i.call.starts_with("cx.")) {
            return;
        }
        let (result, text) = wording::outcome(outcome);
        let text = plain(&text);
        let effect = state.intents.get(id).map_or(Effect::Mutates, |i| i.effect);
        let label = state.label(id);
        if effect != Effect::Reads {
            match result {
                wording::Result::Changed => state.changed += 1,
                wording::Result::Unchanged => state.unchanged += 1,
                wording::Result::Failed => state.failed += 1,
            }
        }
        let news = effect != Effect::Reads && !(self.terse && result == wording::Result::Unchanged);
        if news || self.output.mode() == Mode::Verbose {
            let paint = self.output.paint();
            let tone = |text: String| match result {
                wording::Result::Changed => paint.warn(text),
                wording::Result::Unchanged => paint.dim(text),
                wording::Result::Failed => paint.bad(text),
            };
            let took = (result != wording::Result::Unchanged && ms >= 50).then_some(ms);
            self.call_line(state, id, &text, took, &tone);
            if self.terse {
                self.file_diff(state, id, outcome);
            }
        }
        let failed = result == wording::Result::Failed;
        let shown = state.children.ended(id, &label, failed);
        self.show_children(shown);
        state.waits.remove(id);
    }

    fn waiting(&self, state: &mut State, id: &CallId, reason: &str, ms: u64, limit: u64) {
        // The same reason again is no news.
        if state.waits.get(id).is_some_and(|last| last == reason) {
            return;
        }
        state.waits.insert(id.clone(), reason.to_owned());
        let text =
            format!("{} ({} of {})", plain(reason), wording::took(ms), wording::limit(limit));
        self.call_line(state, id, &text, None, &plainly);
    }

    /// That a step is up to date is its only line; why it runs is told to those who ask for more.
    fn judged(&self, state: &mut State, branch: &Branch, verdict: &Verdict) {
        let news = verdict.up_to_date() && !self.terse;
        if news || self.output.mode() == Mode::Verbose {
            self.step_text(state, branch, &reasons::verdict(verdict));
        }
    }

    /// Calls that a stop cut off: what they printed says perhaps how far they came.
    fn cut_off(&self, state: &mut State, branch: &Branch) {
        let open = state.intents.iter().filter(|(id, _)| branch.contains(&id.path));
        let open: Vec<(CallId, Effect)> =
            open.map(|(id, intent)| (id.clone(), intent.effect)).collect();
        for (id, effect) in open {
            let label = state.label(&id);
            if effect != Effect::Reads {
                state.cut += 1;
                self.call_line(state, &id, "cut off", None, &plainly);
            }
            let shown = state.children.ended(&id, &label, true);
            self.show_children(shown);
        }
    }

    fn step_end(&self, state: &mut State, branch: &Branch, how: &StepEnd) {
        if matches!(how, StepEnd::Stopped { .. }) {
            self.cut_off(state, branch);
        }
        let silent = state.steps.get(branch).is_none_or(|s| s.lines == 0);
        let paint = self.output.paint();
        match how {
            StepEnd::Done { recovered: true, .. } => {
                self.step_line(state, branch, "recovered: a call failed, and the recipe went on");
            }
            StepEnd::Done { .. } | StepEnd::Skipped { .. } | StepEnd::Failed { .. }
                if self.terse => {}
            StepEnd::Done { .. } if silent => self.step_line(state, branch, "done"),
            StepEnd::Skipped { reason } => {
                self.step_text(state, branch, &format!("skipped  {}", plain(reason)));
            }
            // The call that was cut off has its line, and so has what stopped it.
            StepEnd::Failed { title, .. } if title.ends_with(WAS_INTERRUPTED) => {}
            StepEnd::Failed { code, title } => {
                let text = format!("{}  {code}  {}", paint.bad("failed"), plain(title));
                self.step_text(state, branch, &text);
            }
            // What stopped it has its own line; a step that said something needs no "done".
            StepEnd::Done { .. } | StepEnd::Stopped { .. } => {}
        }
    }

    fn log(&self, state: &mut State, branch: &Branch, level: &str, body: &Value) {
        let text = match body {
            Value::String(text) => plain(text),
            Value::Object(map) if map.contains_key("rows") => {
                return self.log_table(state, branch, map);
            }
            Value::Object(map) if map.contains_key("after") => {
                let part = |key: &str| map.get(key).and_then(Value::as_str).unwrap_or_default();
                return self.log_diff(state, branch, part("before"), part("after"));
            }
            other => other.to_string(),
        };
        if level == "debug" && self.output.mode() != Mode::Verbose {
            return;
        }
        let lead = match level {
            "warn" => format!("{}  ", self.output.paint().warn("warning")),
            "debug" => "debug  ".to_owned(),
            _ => String::new(),
        };
        for line in text.lines() {
            self.step_text(state, branch, &format!("{lead}{line}"));
        }
    }

    fn log_table(
        &self,
        state: &mut State,
        branch: &Branch,
        map: &ops_core::value::Map<String, Value>,
    ) {
        let rows = rows(map);
        let room = self.output.look().room().map(|room| room - 2);
        for line in super::table::lines(&rows, 3, room).iter().flat_map(|row| row.lines()) {
            self.step_line(state, branch, line);
        }
    }

    /// How a file's content changed, as the reply to its call says.
    fn file_diff(&self, state: &mut State, id: &CallId, outcome: &Outcome) {
        let Outcome::Done(reply) = outcome else { return };
        let diff = reply.get("diff").and_then(Value::as_str).unwrap_or_default();
        let paint = self.output.paint();
        // A line in a pipe says everything by itself, also whose file it is.
        let subject = state.intents.get(id).map(|i| wording::subject(id, &i.args));
        let lead = match subject.filter(|s| !s.is_empty() && !self.output.look().terminal) {
            Some(subject) => format!("{} ", plain(&subject)),
            None => "  ".to_owned(),
        };
        for line in super::diff::shown(diff) {
            let text = plain(&format!("{}{}", line.sign, line.text));
            let text = match line.sign {
                sign @ ('-' | '+' | '~') => paint.change(sign, text),
                _ => paint.dim(text),
            };
            self.step_line(state, &id.path.clone(), &format!("{lead}{text}"));
        }
    }

    fn log_diff(&self, state: &mut State, branch: &Branch, before: &str, after: &str) {
        let paint = self.output.paint();
        for (sign, line) in super::table::diff(before, after) {
            let text = paint.change(sign, format!("{sign} {line}"));
            self.step_line(state, branch, &text);
        }
    }

    /// One line about a call, below its step's heading; in a pipe, a line that says everything by itself.
    fn call_line(
        &self,
        state: &mut State,
        id: &CallId,
        text: &str,
        took: Option<u64>,
        tone: &dyn Fn(String) -> String,
    ) {
        let intent = state.intents.get(id);
        let name = intent.map(|i| wording::call(&i.call)).unwrap_or_default();
        let about = intent.map(wording::about).unwrap_or_default();
        let subject = intent.map(|i| wording::subject(id, &i.args)).unwrap_or_default();
        let (subject, call) = (plain(&subject), plain(format!("{name} {about}").trim_end()));
        let took = took.map(wording::took).unwrap_or_default();
        let path = id.path.clone();
        let Some(room) = self.output.look().room() else {
            let parts = [subject, call, tone(text.to_owned()), took];
            let parts = parts.into_iter().filter(|part| !part.is_empty());
            return self.step_line(state, &path, &parts.collect::<Vec<_>>().join(" "));
        };
        for line in columns(
            &format!("{:<1$}", format!("{subject:<6} {call}"), CALL - 1),
            text,
            &took,
            room - 2,
            tone,
        ) {
            self.step_line(state, &path, &line);
        }
    }

    /// What a recipe says, or is said of it: on a terminal in lines that fit.
    fn step_text(&self, state: &mut State, branch: &Branch, text: &str) {
        let room = self.output.look().room().map_or(usize::MAX, |room| room - 2);
        for line in fold(text, room, 0) {
            self.step_line(state, branch, &line);
        }
    }

    /// One line of a step.
    fn step_line(&self, state: &mut State, branch: &Branch, line: &str) {
        let root = branch.0.split('/').next().unwrap_or_default();
        let root = Branch(root.to_owned());
        let cluster = state.head.as_ref().and_then(|h| h.cluster.clone()).unwrap_or_default();
        let recipe = match state.steps.get_mut(&root) {
            Some(step) => {
                step.lines += 1;
                step.recipe.clone()
            }
            None => root.0.split('{').next().unwrap_or_default().to_owned(),
        };
        if !self.output.look().terminal {
            self.output.progress(&format!("{recipe} {line}\n"));
            return;
        }
        if state.shown.as_ref() != Some(&root) {
            let paint = self.output.paint();
            let name = paint.strong(format!("{recipe:<22}"));
            self.output.progress(format!("{name}  {cluster}").trim_end());
            self.output.progress("\n");
            state.shown = Some(root);
        }
        self.output.progress(&format!("  {line}\n"));
    }

    fn summary(&self, state: &mut State, exit: Exit, at: Time) {
        let paint = self.output.paint();
        let word = wording::ending(exit);
        let word = if exit == Exit::Done { paint.good(word) } else { paint.bad(word) };
        let (asked, run, lab) = match &state.head {
            Some(head) => {
                let asked: Vec<&str> = head.asked.iter().map(|a| a.recipe.as_str()).collect();
                (asked.join(" "), format!("run {}", head.run), head.lab)
            }
            None => (String::new(), String::new(), false),
        };
        let mut counts = Vec::new();
        for (number, word) in [
            (state.changed, "changed"),
            (state.unchanged, "unchanged"),
            (state.failed, "failed"),
            (state.cut, "cut off"),
        ] {
            if number > 0 {
                counts.push(format!("{number} {word}"));
            }
        }
        if state.replayed > 0 {
            counts.push(format!("{} from the journal", state.replayed));
        }
        let counts = if counts.is_empty() { "nothing changed".into() } else { counts.join(", ") };
        let took = wording::took(at.since(state.began).0);
        let took = if lab { format!("{took} simulated") } else { took };
        let parts = [word, asked, counts, took, run];
        let parts: Vec<String> = parts.into_iter().filter(|p| !p.is_empty()).collect();
        let lead = if self.output.look().terminal { "\n" } else { "" };
        self.output.result(&format!("{lead}{}\n", side_by_side(&parts, self.output.look().room())));
        let untouched = state.changed + state.failed + state.cut == 0;
        if wording::ending(exit) == "refused" && untouched {
            self.output.result("Nothing was changed.\n");
        }
    }

    fn show_children(&self, shown: super::children::Shown) {
        if self.output.mode() == Mode::Quiet {
            return;
        }
        for (text, stderr) in shown {
            self.output.child(&text, stderr);
        }
    }
}

impl State {
    fn remember(&mut self, event: &Event) {
        match event {
            Event::Recorded(Record::Run(head)) => self.head = Some(head.clone()),
            Event::Recorded(Record::Intent(intent)) => {
                self.intents.insert(intent.id.clone(), intent.clone());
            }
            Event::Recorded(Record::Outcome { id, .. } | Record::Dropped { id }) => {
                self.intents.remove(id);
            }
            _ => {}
        }
    }

    fn label(&self, id: &CallId) -> String {
        let Some(intent) = self.intents.get(id) else { return id.path.leaf().to_owned() };
        let subject = wording::subject(id, &intent.args);
        let name = wording::call(&intent.call);
        if subject.is_empty() { name } else { format!("{subject} {name}") }
    }
}

/// The run that a reporter has seen, for commands that name it afterwards.
impl Reporter {
    /// Whether it tells machines, who are told everything.
    pub fn is_json(&self) -> bool {
        self.output.mode() == Mode::Json
    }

    /// The id of the run, once it has begun.
    pub fn run(&self) -> Option<RunId> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.head.as_ref().map(|h| h.run.clone())
    }
}

#[cfg(test)]
mod tests;
