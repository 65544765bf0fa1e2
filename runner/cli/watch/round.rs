//! One run of a watch: the command line is understood anew, everything is opened anew, and it is seen what was read. Knows nothing of events
//! of the file system, and decides nothing about the next run.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use ops_core::call::table::Call;
use ops_core::call::{Interrupt, Request};
use ops_core::error::{Code, Exit, Fault};
use ops_core::event::{Event, Events};
use ops_core::ident::{Branch, RunId};
use ops_core::record::Record;
use ops_core::trace::Verdict;
use ops_core::value::{Map, Value};
use tokio::sync::Notify;
use tokio::sync::mpsc::unbounded_channel;

use super::super::args::{Globals, WatchArgs};
use super::super::invocation::{Wanted, understand};
use super::super::opened::Opened;
use super::super::seam::{self, Conduct, Foreseen};
use super::super::{Start, recipes};
use super::Watcher;
use super::inputs::{Inputs, Live};
use crate::config::{ChildOutput, project};
use crate::engine::doubt::is_closed;
use crate::engine::run::Ended;
use crate::engine::skip::Stood;
use crate::host::find_files;
use crate::journal::rounds::KEPT;
use crate::output::watch::Watching;
use crate::output::{Output, Reporter, views};
use crate::recipe::Need;
use crate::sys::watch::Follow;
use crate::sys::watch::noted::Notes;

/// How the runs of a watch are made.
pub(super) struct Way<'a> {
    start: &'a Start,
    words: Vec<String>,
    apply: bool,
    /// Nothing runs: each save shows the plan.
    plans: Cell<bool>,
    /// The plan that was last shown.
    shown: RefCell<String>,
    pub(super) root: PathBuf,
    pub(super) out: Output,
}

/// Understands the command line for the first time; nothing where it only asked for help.
///
/// # Errors
/// As for `ops run`: nothing is watched then.
pub(super) fn understood<'a>(start: &'a Start, args: &WatchArgs) -> Result<Option<Way<'a>>, Fault> {
    let own = super::own_apply(&args.words.words);
    let behind = own.is_some();
    let words = own.unwrap_or_else(|| args.words.words.clone());
    let invocation = match understand(start, "watch", &words)? {
        Wanted::Explained => return Ok(None),
        Wanted::Recipes(invocation) => *invocation,
    };
    if behind {
        let host = recipes::load(&invocation.settings.project, &start.env)?;
        for need in &invocation.asked {
            let head = host.catalog().get(&need.recipe);
            if head.is_some_and(|head| head.params.iter().any(|p| p.name == "apply")) {
                return Err(super::ambiguous(&need.recipe));
            }
        }
    }
    let plans = Cell::new(invocation.globals.dry_run);
    let root = invocation.settings.root().to_owned();
    let (apply, out) = (args.apply || behind, invocation.out);
    let shown = RefCell::default();
    Ok(Some(Way { start, words, apply, plans, shown, root, out }))
}

/// A run that is over.
pub(super) struct Over {
    /// How it ended.
    pub(super) exit: Exit,
    /// What it stood on.
    pub(super) inputs: Inputs,
    /// Nothing ran: the plan was shown.
    pub(super) planned: bool,
}

/// A step that has begun.
struct Step {
    recipe: String,
    args: Map<String, Value>,
    over: bool,
}

/// What is heard of a run while it goes on, between it and its reporter.
pub(super) struct Hearing<'a> {
    reporter: &'a Reporter,
    cut: AtomicBool,
    left: AtomicBool,
    changes: AtomicBool,
    steps: Mutex<BTreeMap<Branch, Step>>,
    shell: Notify,
}

impl<'a> Hearing<'a> {
    fn new(reporter: &'a Reporter) -> Hearing<'a> {
        let no = || AtomicBool::new(false);
        let (steps, shell) = (Mutex::default(), Notify::new());
        Hearing { reporter, cut: no(), left: no(), changes: no(), steps, shell }
    }

    /// From now on its end is no news: it is being ended.
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    /// The user ends it together with the watch.
    pub(super) fn leave(&self) {
        self.left.store(true, Ordering::Relaxed);
    }

    /// Whether it is ended from here, and nothing of it is left that somebody could go on with.
    fn is_ended(&self) -> bool {
        let cut = self.cut.load(Ordering::Relaxed);
        (cut || self.left.load(Ordering::Relaxed)) && !self.changes()
    }

    /// It has begun to change a cluster, or something else that must not be left half-way.
    pub(super) fn changes(&self) -> bool {
        self.changes.load(Ordering::Relaxed)
    }

    /// Waits until a process begins that may never end.
    pub(super) async fn shell_began(&self) {
        self.shell.notified().await;
    }

    /// The steps that are over, by recipe and arguments.
    pub(super) fn steps_over(&self) -> Vec<(String, Map<String, Value>)> {
        let steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let over = steps.values().filter(|step| step.over);
        over.map(|step| (step.recipe.clone(), step.args.clone())).collect()
    }
}

impl Events for Hearing<'_> {
    fn event(&self, event: &Event) {
        match event {
            Event::Recorded(Record::StepBegin { branch, recipe, args, .. }) => {
                let step = Step { recipe: recipe.clone(), args: args.clone(), over: false };
                let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
                steps.insert(branch.clone(), step);
            }
            Event::Recorded(Record::StepEnd { branch, .. }) => {
                let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(step) = steps.get_mut(branch) {
                    step.over = true;
                }
            }
            Event::Recorded(Record::Intent(intent)) => {
                let args = intent.args.clone();
                let request = Request { call: intent.call.clone(), args, place: None };
                let ends = Call::decode(&request).map(|(call, _)| call.spec().interrupt());
                if ends == Ok(Interrupt::Signal) {
                    self.shell.notify_one();
                } else if intent.effect.changes_world() {
                    self.changes.store(true, Ordering::Relaxed);
                }
            }
            _ => {}
        }
        let ending = matches!(
            event,
            Event::Note { .. }
                | Event::Recorded(
                    Record::Stopped { .. } | Record::StepEnd { .. } | Record::End { .. }
                )
        );
        if !ending || !self.is_ended() || self.reporter.is_json() {
            self.reporter.event(event);
        }
    }
}

/// Everything that is open, with what was asked for.
type Open = (Opened, Globals, Vec<Need>);

/// A run that has not begun.
pub(super) struct Round<'a> {
    way: &'a Way<'a>,
    out: Output,
    first: bool,
    notes: Rc<Notes>,
}

impl Way<'_> {
    /// The next run, which tells through `out`.
    pub(super) fn round(&self, out: Output, first: bool) -> Round<'_> {
        Round { way: self, out, first, notes: Rc::default() }
    }
}

impl Round<'_> {
    /// Runs it to its end, while the watcher listens. What goes wrong in it is told, and gives its exit code.
    ///
    /// # Errors
    /// A fault of `ops` itself.
    pub(super) async fn run(self, watcher: &mut Watcher) -> Result<Over, Fault> {
        self.look_at_configuration();
        let opened = self.open().or_else(|_| {
            // Whatever mends it is one of these, as they are before the second attempt.
            self.look_at_sources();
            self.open()
        });
        let (mut opened, globals, asked) = match opened {
            Ok(open) => open,
            Err(fault) => {
                let exit = self.failed(fault)?;
                let inputs = Inputs::unopened(&self.way.root, self.notes.clone());
                return Ok(self.over(exit, inputs));
            }
        };
        let mut exit = None;
        if self.first && !self.way.apply && !self.way.plans.get() {
            let foreseen = seam::foresee(&opened, &globals, &asked);
            match watcher.alone(foreseen).await {
                None => exit = Some(Exit::Interrupted),
                // What is wrong is told by the run that follows.
                Some(foreseen) => self.way.plans.set(foreseen.is_ok_and(|f| f.changes)),
            }
        }
        let stood = if self.way.plans.get() && exit.is_none() {
            opened.notes = Some(self.notes.clone());
            let (ended, stood) = self.plan(watcher, &opened, &globals, &asked).await?;
            exit = Some(ended);
            stood
        } else if exit.is_none() {
            let (ended, stood) = self.live(watcher, &opened, &globals, &asked).await?;
            exit = Some(ended);
            stood
        } else {
            Vec::new()
        };
        let inputs = Inputs::new(&self.way.root, self.notes.clone(), opened, stood);
        Ok(self.over(exit.unwrap_or(Exit::Done), inputs))
    }

    fn over(&self, exit: Exit, inputs: Inputs) -> Over {
        Over { exit, inputs, planned: self.way.plans.get() }
    }

    fn failed(&self, fault: Fault) -> Result<Exit, Fault> {
        if fault.code == Code::BUG {
            return Err(fault);
        }
        self.out.fault(&fault);
        Ok(fault.code.exit)
    }

    fn open(&self) -> Result<Open, Fault> {
        match understand(self.way.start, "watch", &self.way.words)? {
            Wanted::Explained => Err(Fault::new(Code::USAGE, "there is nothing to watch")),
            Wanted::Recipes(invocation) => {
                let mut globals = invocation.globals;
                // Once is what was asked for; afterwards what is up to date is left alone.
                globals.force &= self.first;
                let mut settings = invocation.settings;
                if globals.output.is_none() && settings.project.output.is_none() {
                    // What a server says is wanted while it runs.
                    settings.output = ChildOutput::Interleave;
                }
                let opened = Opened::with(settings, invocation.host, &globals, &self.out)?;
                Ok((opened, globals, invocation.asked))
            }
        }
    }

    /// Runs the recipes.
    async fn live(
        &self,
        watcher: &mut Watcher,
        opened: &Opened,
        globals: &Globals,
        asked: &[Need],
    ) -> Result<(Exit, Vec<Stood>), Fault> {
        let mut reporter = Reporter::new(self.out.clone(), opened.settings.output);
        if !self.first {
            reporter = reporter.terse();
        }
        let hearing = Hearing::new(&reporter);
        let refused = Cell::new(false);
        let tell = |ended: &Ended, run: &RunId| {
            for (_, fault) in &ended.faults {
                refused.set(refused.get() || fault.code == Code::NOT_APPLIED);
                let mut fault = fault.clone();
                if matches!(fault.code, Code::INTERRUPTED | Code::TERMINATED) {
                    if hearing.is_ended() {
                        continue;
                    }
                    fault = fault.next(format!("ops resume {run}"));
                }
                self.out.fault(&fault);
            }
        };
        let run = opened.fresh_run();
        // Without the mark its journal stays; that is no reason not to run.
        let _ = opened.runs.mark_round(&run);
        let skip = opened.skip(run.clone(), globals.force);
        let (sender, signals) = unbounded_channel();
        let conduct = Conduct {
            reporter: &hearing,
            skip: &skip,
            signals,
            files_only: !self.way.apply,
            tell: &tell,
        };
        let (root, notes) = (&self.way.root, &*self.notes);
        let reads = Live { root, notes, opened, skip: &skip, hearing: &hearing };
        let running =
            seam::carry_out(opened, globals, asked, seam::Start::anew(run.clone()), conduct);
        let exit = watcher.during(running, &reads, &hearing, &sender).await;
        let exit = exit.or_else(|fault| self.failed(fault))?;
        if exit != Exit::Done && !hearing.changes() {
            // The next run begins anew: nobody goes on with this one.
            seam::give_up(opened, &run);
        }
        // What cannot be removed now is removed after another round.
        let _ = opened.runs.forget_rounds(KEPT, |records| is_closed(records, seam::ABANDON));
        if refused.get() {
            self.way.plans.set(true);
            self.say_plans();
        }
        let last = |(recipe, args): &(String, _)| skip.last(recipe, args).map(Stood::of);
        Ok((exit, hearing.steps_over().iter().filter_map(last).collect()))
    }

    /// Shows what the recipes would do.
    async fn plan(
        &self,
        watcher: &mut Watcher,
        opened: &Opened,
        globals: &Globals,
        asked: &[Need],
    ) -> Result<(Exit, Vec<Stood>), Fault> {
        let foreseen = match watcher.alone(seam::foresee(opened, globals, asked)).await {
            None => return Ok((Exit::Interrupted, Vec::new())),
            Some(Err(fault)) => return Ok((self.failed(fault)?, Vec::new())),
            Some(Ok(foreseen)) => foreseen,
        };
        self.show(opened, &foreseen, globals.verbose);
        self.look_at_declared(opened, &foreseen);
        let skip = opened.skip(opened.fresh_run(), false);
        let mut stood = Vec::new();
        for (branch, verdict) in &foreseen.plan.judged {
            let step = foreseen.steps.iter().find(|step| step.branch == *branch);
            if let (Verdict::UpToDate { .. }, Some(step)) = (verdict, step) {
                stood.extend(skip.last(&step.recipe, &step.args).map(Stood::of));
            }
        }
        for step in &foreseen.steps {
            stood.push(skip.sources_of(&step.recipe));
        }
        let faults = foreseen.plan.faults.iter();
        Ok((faults.fold(Exit::Done, |worst, fault| worst.worst(fault.code.exit)), stood))
    }

    fn show(&self, opened: &Opened, foreseen: &Foreseen, verbose: bool) {
        let plan = &foreseen.plan;
        let cluster = opened.settings.cluster.as_ref().map(|c| c.name.as_str());
        let text = views::plan(plan, cluster, verbose, self.out.look());
        if *self.way.shown.borrow() == text {
            Watching::new(self.out.clone()).same_plan();
        } else {
            self.out.result(&text);
            self.out.document("ops.plan", 1, || views::plan_json(plan, cluster));
        }
        self.way.shown.replace(text);
        if self.first {
            self.say_plans();
        }
        for fault in &plan.faults {
            self.out.fault(fault);
        }
    }

    fn say_plans(&self) {
        if !self.way.apply {
            let command = format!("ops watch --apply {}", self.way.words.join(" "));
            // What stood behind the recipe is among the words.
            let command = self.way.start.output().command(&command);
            Watching::new(self.out.clone()).only_plans(&command);
        }
    }

    /// What everything depends on and no step reads: `ops.toml`, and the inventories.
    fn look_at_configuration(&self) {
        let clusters = self.way.root.join("clusters");
        self.notes.look(Follow::Path(self.way.root.join(project::FILE)));
        for entry in std::fs::read_dir(&clusters).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|e| e == "toml") {
                self.notes.look(Follow::Path(path));
            }
        }
    }

    /// Every Lua file: of which one a fault is, is not known where they could not be loaded.
    fn look_at_sources(&self) {
        let mut folders = vec![self.way.root.join("recipes"), self.way.root.join("lua-lib")];
        self.notes.look(Follow::Names(self.way.root.join("clusters")));
        while let Some(folder) = folders.pop() {
            self.notes.look(Follow::Names(folder.clone()));
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == "lua") {
                    self.notes.look(Follow::Path(path));
                }
            }
        }
    }

    /// What shell in a plan says that it reads: it is not run, so nobody has looked at it.
    fn look_at_declared(&self, opened: &Opened, foreseen: &Foreseen) {
        let files = opened.files();
        let strings = |value: Option<&Value>| -> Vec<String> {
            let items = value.and_then(Value::as_array).into_iter().flatten();
            items.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let calls = foreseen.plan.planned.iter().map(|p| strings(p.request.args.get("reads")));
        let catalog = opened.host.catalog();
        let heads = foreseen.steps.iter().filter_map(|step| catalog.get(&step.recipe));
        let patterns = calls.chain(heads.map(|head| head.sources.clone())).flatten();
        for pattern in patterns {
            for path in find_files(&pattern, &*files).unwrap_or_default() {
                self.notes.look(Follow::Path(self.way.root.join(path)));
            }
        }
    }
}
