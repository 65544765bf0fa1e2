//! Whether a step is up to date, and the trace by which its next run will be judged. Reads files and traces; carries nothing out.
//!
//! A step is skipped only if its last run ended well, made only local calls, and every input and output is still what it was. `status` and
//! `fresh` are declared exceptions; steps that destroy have none. The old trace is dropped before the first call, the new one is written
//! after success only, and not where an input moved meanwhile.

mod compare;
mod complete;
mod declared;
mod follow;
mod glance;
mod shown;
mod words;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use ops_core::call::table::Call;
use ops_core::call::{CallSpec, Request};
use ops_core::effect::Scope;
use ops_core::error::{Code, Fault, Place};
use ops_core::guard::Site;
use ops_core::ident::{Branch, RunId};
use ops_core::inventory::Cluster;
use ops_core::record::StepEnd;
use ops_core::time::Time;
use ops_core::trace::{Input, Reason, Shown, Trace, TraceEnd, Verdict, Why};
use ops_core::value::{Digest, Map, Value, canonical};

use crate::host::recorder::Recorder;
use crate::recipe::{Catalog, Head};
use crate::store::traces::{Stored, Traces};
use crate::sys::disk::Disk;
use crate::sys::prints::Prints;

pub(super) use compare::Compared;
pub(super) use complete::Completed;
pub use follow::Stood;

/// Work for a thread that may block.
pub(super) type Blocking<T> = Box<dyn FnOnce() -> T + Send>;

/// What only the outside knows of recipes, programs and variables.
pub trait Around {
    /// The Lua files that a recipe is made of, as inputs.
    fn sources(&self, recipe: &str) -> Vec<Input>;

    /// Whether a recipe or a module of it names `run_id`, which is another one in every run.
    fn names_the_run(&self, recipe: &str) -> bool;

    /// Where a text stands in a recipe's head.
    fn place(&self, head: &Head, text: &str) -> Option<Place>;

    /// Where a program is; nothing where it is missing or simulated.
    fn program(&self, name: &str) -> Option<PathBuf>;

    /// Keyed digest of a variable's value; nothing where it is not set.
    fn variable(&self, name: &str) -> Option<Digest>;
}

/// What steps are judged with. Nothing in it changes during a run but the traces of steps that run.
pub struct Skip<'a> {
    traces: Traces,
    prints: Prints,
    disk: Disk,
    catalog: &'a Catalog,
    around: &'a dyn Around,
    site: Site<'a>,
    run: RunId,
    /// `--force`: what was asked for runs.
    pub(super) force: bool,
    open: RefCell<BTreeMap<Branch, Open>>,
}

/// A step that runs and is traced.
struct Open {
    recipe: String,
    args: Map<String, Value>,
    recorder: Rc<Recorder>,
    last: Option<Trace>,
    because: Vec<Reason>,
    facts: Vec<Input>,
}

/// A step that is to be judged.
pub(super) struct Asked<'s> {
    pub(super) recipe: &'s str,
    pub(super) args: &'s Map<String, Value>,
    /// Results of its needs; nothing where nobody knows them yet.
    pub(super) needs: Vec<(String, Option<Value>)>,
    pub(super) forced: bool,
    /// Paths that this plan would have written by now.
    pub(super) planned: Vec<String>,
    /// Nothing is carried out: its declared sources are not fingerprinted.
    pub(super) plan: bool,
    pub(super) now: Time,
}

/// What is known of a step after its first look.
pub(super) enum Judging {
    /// All.
    Known(Verdict),
    /// Its files must be looked at.
    Compare(Blocking<Compared>),
}

impl<'a> Skip<'a> {
    /// Judges the steps of a run by the traces of a clone of the repository; `key` is that of its state folder.
    pub fn new(
        traces: Traces,
        (disk, key): (Disk, [u8; 32]),
        (catalog, around): (&'a Catalog, &'a dyn Around),
        site: Site<'a>,
        run: RunId,
        force: bool,
    ) -> Skip<'a> {
        let prints = Prints::new(disk.root(), key);
        let open = RefCell::default();
        Skip { traces, prints, disk, catalog, around, site, run, force, open }
    }

    /// What the last run of a recipe with these arguments read and wrote, and why it ran.
    pub fn last(&self, recipe: &str, args: &Map<String, Value>) -> Option<Trace> {
        self.traces.last(recipe, args)
    }

    /// Whether a recipe's own `status` is to be asked once nothing else speaks against it.
    pub(super) fn has_status(&self, recipe: &str) -> bool {
        self.catalog.get(recipe).is_some_and(|h| h.functions.status || !h.status.is_empty())
    }

    /// Judges a step, as far as that goes without looking at many files.
    pub(super) fn judge(&self, asked: &Asked<'_>) -> Judging {
        let Some(head) = self.catalog.get(asked.recipe) else {
            return Judging::Known(Verdict::run(Reason::of(Why::First, "")));
        };
        let last = self.traces.stored(&head.name, asked.args);
        let small = last.as_ref().map(|last| &last.small);
        let verdict = self.at_once(head, last.as_ref(), asked);
        let patterns = head.sources.clone();
        if let (Some(verdict), true) = (&verdict, patterns.is_empty()) {
            return Judging::Known(verdict.clone());
        }
        let facts = self.facts(head, &asked.needs);
        let check = compare::Check {
            prints: self.prints.clone(),
            disk: self.disk.clone(),
            programs: self.programs(small),
            variables: self.variables(small),
            facts,
            now: asked.now,
        };
        let exceptions = Exceptions {
            status: self.has_status(&head.name),
            sources: !head.sources.is_empty() || !head.generates.is_empty(),
            fresh: head.fresh,
        };
        if let (None, false, Some(last)) = (&verdict, exceptions.status, &last)
            && last.small.kept.is_none()
            && let Some(verdict) = glance::at_once(&check, last)
        {
            return Judging::Known(verdict);
        }
        let plan = asked.plan;
        Judging::Compare(Box::new(move || {
            let mut compared = match verdict {
                Some(verdict) => Compared { verdict, ..Compared::default() },
                None => compare::judge(&check, last.as_ref(), &exceptions),
            };
            if (!compared.verdict.up_to_date() || compared.ask_status) && !patterns.is_empty() {
                let found = declared::sources(&patterns, &check, plan);
                compared.sources = Some(found);
            }
            compared
        }))
    }

    /// What needs no look at files.
    fn at_once(&self, head: &Head, stored: Option<&Stored>, asked: &Asked<'_>) -> Option<Verdict> {
        let run = |why: Why| Some(Verdict::run(Reason::of(why, "")));
        if head.destructive {
            return run(Why::Destroys);
        }
        if asked.forced {
            return run(Why::Forced);
        }
        if head.always {
            return run(Why::Always);
        }
        // Where only `status` decides, what the last run did is nothing to go by.
        let alone =
            self.has_status(&head.name) && head.sources.is_empty() && head.generates.is_empty();
        if alone {
            return None;
        }
        let Some(last) = stored.map(|stored| &stored.small) else { return run(Why::First) };
        match last.end {
            TraceEnd::Begun => return run(Why::Unfinished),
            TraceEnd::Failed => return run(Why::Failed),
            TraceEnd::Done { .. } => {}
        }
        let unknown = asked.needs.iter().find(|(_, result)| result.is_none());
        if let Some((recipe, _)) = unknown {
            return Some(Verdict::run(Reason::of(Why::Need, recipe)));
        }
        if let Some(kept) = &last.kept
            && !(kept.why == Why::NotLocal && head.fresh.is_some())
        {
            return Some(Verdict::run(kept.clone()));
        }
        if asked.planned.is_empty() {
            return None;
        }
        let touched = compare::planned(&stored?.whole()?, &asked.planned);
        touched.map(|path| Verdict::run(Reason::of(Why::Planned, path)))
    }

    /// What a step is a function of beside what its calls read.
    fn facts(&self, head: &Head, needs: &[(String, Option<Value>)]) -> Vec<Input> {
        let mut facts = self.around.sources(&head.name);
        facts.push(Input::Ops { version: env!("CARGO_PKG_VERSION").to_owned() });
        if head.cluster {
            let lock = self.site.lock.map(|lock| (&lock.talos_ca, &lock.kube_system_uid));
            let identity = serde_json::json!([&self.site.cluster.name, lock, self.site.lab]);
            facts.push(Input::Identity { digest: Digest::of(&identity) });
            facts.extend(inventory(self.site.cluster));
        }
        for (recipe, result) in needs {
            if let Some(result) = result {
                facts.push(Input::Need { recipe: recipe.clone(), digest: Digest::of(result) });
            }
        }
        facts
    }

    fn programs(&self, last: Option<&Trace>) -> BTreeMap<String, Option<PathBuf>> {
        let inputs = last.map(|last| last.inputs.as_slice()).unwrap_or_default();
        let tool = |input: &Input| match input {
            Input::Tool { name, .. } => Some((name.clone(), self.around.program(name))),
            _ => None,
        };
        inputs.iter().filter_map(tool).collect()
    }

    fn variables(&self, last: Option<&Trace>) -> BTreeMap<String, Option<Digest>> {
        let inputs = last.map(|last| last.inputs.as_slice()).unwrap_or_default();
        let variable = |input: &Input| match input {
            Input::Variable { name, .. } => Some((name.clone(), self.around.variable(name))),
            _ => None,
        };
        inputs.iter().filter_map(variable).collect()
    }

    /// A step will run, or is asked for its `status`: from now on what its calls read and write is recorded.
    pub(super) fn open(&self, branch: &Branch, asked: &Asked<'_>) {
        let Some(head) = self.catalog.get(asked.recipe) else { return };
        let last = self.traces.last(&head.name, asked.args);
        let known = last.as_ref().map(compare::prints_of).unwrap_or_default();
        let recorder = Rc::new(Recorder::new(self.prints.clone(), known));
        let facts = self.facts(head, &asked.needs);
        if self.around.names_the_run(&head.name) {
            recorder.keep(Reason::of(Why::NotLocal, "cx.run_id"));
        }
        let open = Open {
            recipe: head.name.clone(),
            args: asked.args.clone(),
            recorder,
            last,
            because: Vec::new(),
            facts,
        };
        self.open.borrow_mut().insert(branch.clone(), open);
    }

    /// The step runs: what its last run said is no longer believed, also if this process dies now.
    ///
    /// # Errors
    /// Where the old trace cannot be replaced: then a later run could believe it.
    pub(super) fn drop_last(
        &self,
        branch: &Branch,
        because: &[Reason],
        now: Time,
    ) -> Result<(), Box<Fault>> {
        let mut open = self.open.borrow_mut();
        let Some(open) = open.get_mut(branch) else { return Ok(()) };
        open.because = because.to_vec();
        let Some(last) = &open.last else { return Ok(()) };
        let fresh = self.catalog.get(&last.recipe).is_some_and(|head| head.fresh.is_some());
        // One that lets nothing be skipped needs no dropping.
        if last.kept.is_some() && !fresh || last.end == TraceEnd::Begun {
            return Ok(());
        }
        let begun = Trace {
            run: self.run.clone(),
            at: now,
            end: TraceEnd::Begun,
            because: because.to_vec(),
            ..last.clone()
        };
        self.traces.keep(&begun).map_err(|error| {
            let title = format!("what {} left behind cannot be noted: {error}", last.recipe);
            Box::new(Fault::new(Code::STATE_STORE, title))
        })
    }

    /// What records the calls of a step; nothing for its `status`, which only judges.
    pub(super) fn recorder(&self, path: &Branch) -> Option<Rc<Recorder>> {
        let (root, rest) = match path.0.split_once('/') {
            Some((root, rest)) => (root, rest),
            None => (path.0.as_str(), ""),
        };
        if rest == "status" || rest.starts_with("status/") {
            return None;
        }
        Some(self.open.borrow().get(&Branch(root.to_owned()))?.recorder.clone())
    }

    /// A call is about to be made: one that is not local lets its step never be skipped. Gives what must be looked at before it starts.
    pub(super) fn called(
        &self,
        recorder: &Recorder,
        recipe: &str,
        request: &Request,
        call: &Call,
    ) -> Option<Blocking<Vec<Input>>> {
        let head = self.catalog.get(recipe)?;
        let covered = !head.sources.is_empty() || !head.generates.is_empty();
        if !local(request, call.spec(), covered) {
            recorder.keep(Reason::of(Why::NotLocal, &request.call));
            // What builds is followed all the same: another one builds something else.
            if !matches!(call, Call::KubeKustomize(_)) {
                return None;
            }
        }
        declared::before(self, recorder, head, request, call)
    }

    /// A step that was asked for its `status` does not run.
    pub(super) fn forget(&self, branch: &Branch) {
        self.open.borrow_mut().remove(branch);
    }

    /// A step has ended. Gives the work that completes its trace, where there is any.
    pub(super) fn close(
        &self,
        branch: &Branch,
        end: &StepEnd,
        now: Time,
    ) -> Option<Blocking<Completed>> {
        let open = self.open.borrow_mut().remove(branch)?;
        let head = self.catalog.get(&open.recipe)?;
        let mut found = open.recorder.found();
        let result = match end {
            StepEnd::Done { result, .. } => Some(result),
            StepEnd::Skipped { .. } => {
                found.kept.get_or_insert(Reason::of(Why::Itself, ""));
                Some(&Value::Null)
            }
            StepEnd::Failed { .. } | StepEnd::Stopped { .. } => None,
        };
        if result.is_some_and(holds_content) {
            found.kept.get_or_insert(Reason::of(Why::Result, ""));
        }
        let end = match result {
            Some(result) => TraceEnd::Done { result: result.clone() },
            None => TraceEnd::Failed,
        };
        let inputs: Vec<Input> = open.facts.into_iter().chain(found.inputs()).collect();
        let trace = Trace {
            recipe: open.recipe,
            args: open.args,
            run: self.run.clone(),
            at: now,
            end,
            kept: found.kept.clone(),
            because: open.because,
            inputs,
            outputs: Vec::new(),
        };
        let traces = self.traces.clone();
        let generates = if result.is_some() { head.generates.clone() } else { Vec::new() };
        if (trace.kept.is_some() || result.is_none()) && generates.is_empty() {
            let same = |last: &Trace| {
                let same = (&last.end, &last.kept, &last.inputs)
                    == (&trace.end, &trace.kept, &trace.inputs);
                same && head.fresh.is_none()
            };
            // Said already. A trace that cannot be kept is none: then its step runs.
            if !open.last.as_ref().is_some_and(same) {
                let _ = traces.keep(&trace);
            }
            return None;
        }
        let (prints, disk, known) =
            (self.prints.clone(), self.disk.clone(), open.recorder.known_prints());
        Some(Box::new(move || {
            let place = complete::Place { prints, disk, known };
            complete::complete(trace, &found, &generates, &place, &traces)
        }))
    }

    /// Keeps a trace whose fingerprints were renewed: only that less is read next time is lost where that fails.
    pub(super) fn renew(&self, trace: &Trace) {
        let _ = self.traces.keep(trace);
    }

    /// A declared pattern has no match: located at the pattern.
    pub(super) fn no_match(&self, recipe: &str, key: &str, pattern: &str) -> Fault {
        let title = format!("no file matches `{pattern}` in `{key}` of {recipe}");
        let fault = Fault::new(Code::SOURCES, title);
        let place = self.catalog.get(recipe).and_then(|head| self.around.place(head, pattern));
        match (place, key) {
            (Some(place), _) => fault.at(place).label("a file is expected here"),
            (None, _) => fault,
        }
    }
}

/// The declared exceptions of a recipe.
pub(super) struct Exceptions {
    pub(super) status: bool,
    pub(super) sources: bool,
    pub(super) fresh: Option<ops_core::time::Span>,
}

/// Whether a call reaches nothing but this machine's files, environment and tools. A shell is local where its sources are declared: by
/// itself, or in the head of its recipe.
pub(super) fn local(request: &Request, spec: &dyn CallSpec, covered: bool) -> bool {
    match spec.scope() {
        Scope::Local => true,
        Scope::Process => {
            let shell = matches!(request.call.as_str(), "sh" | "sh.exec");
            let mutates = request.args.get("effect").and_then(Value::as_str) == Some("mutates");
            covered && shell && !mutates
        }
        Scope::Engine | Scope::Node | Scope::Cluster | Scope::Remote => false,
    }
}

/// Handles to what lies beside the journal of one run, or that only a plan has.
fn holds_content(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(holds_content),
        Value::Object(map) => {
            ["$blob", "$report", "$later"].iter().any(|key| map.contains_key(*key))
                || map.values().any(holds_content)
        }
        _ => false,
    }
}

/// The inventory by fields, nodes one by one.
fn inventory(cluster: &Cluster) -> Vec<Input> {
    let Ok(Value::Object(fields)) = serde_json::to_value(cluster) else { return Vec::new() };
    let mut inputs = Vec::new();
    let mut add = |field: String, value: &Value| {
        inputs.push(Input::Inventory { field, value: canonical(value) });
    };
    for (name, value) in &fields {
        match value.as_array().filter(|_| name == "nodes") {
            Some(nodes) => {
                let names: Vec<&Value> = nodes.iter().map(|node| &node["name"]).collect();
                add("nodes".into(), &serde_json::json!(names));
                for node in nodes {
                    add(format!("nodes.{}", node["name"].as_str().unwrap_or_default()), node);
                }
            }
            None => add(name.clone(), value),
        }
    }
    inputs
}

/// What shows that a step is up to date, of a trace that holds.
pub(super) fn up_to_date(by: Shown, last: Option<&Trace>) -> Verdict {
    let count = |n: usize| n as u64;
    let result = match last.map(|last| &last.end) {
        Some(TraceEnd::Done { result }) => result.clone(),
        _ => Value::Null,
    };
    Verdict::UpToDate {
        by,
        inputs: last.map_or(0, |last| count(last.inputs.iter().filter(|i| counts(i)).count())),
        outputs: last.map_or(0, |last| count(last.outputs.len())),
        result,
    }
}

/// What people count as inputs: not the version of `ops` and which cluster it is.
fn counts(input: &Input) -> bool {
    !matches!(input, Input::Ops { .. } | Input::Identity { .. } | Input::Inventory { .. })
}

#[cfg(test)]
mod tests;
