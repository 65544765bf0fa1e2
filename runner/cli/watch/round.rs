//! One run of a watch: the command line is understood anew, everything is opened anew, and it is noted what is read. Knows nothing of events
//! of the file system, and decides nothing about the next run.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ops_core::call::Interrupt;
use ops_core::call::Request;
use ops_core::call::table::Call;
use ops_core::error::{Code, Exit, Fault};
use ops_core::event::{Event, Events};
use ops_core::record::Record;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;

use super::super::Start;
use super::super::args::WatchArgs;
use super::super::hints::told;
use super::super::invocation::{Invocation, Wanted, understand};
use super::super::opened::Opened;
use super::super::seam::{self, Conduct};
use crate::engine::session::Plan;
use crate::output::watch::Watching;
use crate::output::{Output, Reporter, views};
use crate::sys::watch::Follow;
use crate::sys::watch::noted::Notes;

/// How the runs of a watch are made.
pub(super) struct Way<'a> {
    start: &'a Start,
    words: Vec<String>,
    apply: bool,
    /// Nothing runs any more: each save shows the plan.
    plans: Rc<Cell<bool>>,
    /// The plan that was last shown.
    shown: Rc<RefCell<String>>,
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
    let invocation = match understand(start, &words)? {
        Wanted::Explained => return Ok(None),
        Wanted::Recipes(invocation) => *invocation,
    };
    if behind {
        let catalog = super::super::recipes::catalog(&invocation.settings.project)?;
        for need in &invocation.asked {
            let head = catalog.get(&need.recipe);
            if head.is_some_and(|head| head.params.iter().any(|p| p.name == "apply")) {
                return Err(super::ambiguous(&need.recipe));
            }
        }
    }
    let plans = Rc::new(Cell::new(invocation.globals.dry_run));
    let root = invocation.settings.root().to_owned();
    let (apply, out) = (args.apply || behind, invocation.out);
    Ok(Some(Way { start, words, apply, plans, shown: Rc::default(), root, out }))
}

/// What a run lets the watch know while it goes on.
pub(super) struct Ears {
    /// What it read.
    pub(super) notes: Rc<Notes>,
    hearing: Arc<Hearing>,
    out: Output,
}

#[derive(Default)]
struct Hearing {
    cut: AtomicBool,
    changes: AtomicBool,
    shell: Notify,
}

impl Ears {
    /// From now on nothing of the run is told: it is being ended.
    pub(super) fn cut(&self) {
        self.hearing.cut.store(true, Ordering::Relaxed);
    }

    /// It has begun to change a cluster, or something else that must not be left half-way.
    pub(super) fn changes_cluster(&self) -> bool {
        self.hearing.changes.load(Ordering::Relaxed)
    }

    /// Whether it had anything to tell.
    pub(super) fn spoke(&self) -> bool {
        self.out.spoke()
    }

    /// Waits until a process begins that may never end.
    pub(super) async fn shell_began(&self) {
        self.hearing.shell.notified().await;
    }
}

/// Passes a run's events on to the reporter, and keeps what the watch must know of them.
struct Between<'a> {
    reporter: &'a Reporter,
    hearing: Arc<Hearing>,
}

impl Events for Between<'_> {
    fn event(&self, event: &Event) {
        if let Event::Recorded(Record::Intent(intent)) = event {
            let args = intent.args.clone();
            let request = Request { call: intent.call.clone(), args, place: None };
            let ends = Call::decode(&request).map(|(call, _)| call.spec().interrupt());
            if ends == Ok(Interrupt::Signal) {
                self.hearing.shell.notify_one();
            } else if intent.effect.changes_world() {
                self.hearing.changes.store(true, Ordering::Relaxed);
            }
        }
        // How a run ends that is cut short is no news.
        let ending = matches!(
            event,
            Event::Note { .. }
                | Event::Recorded(
                    Record::Stopped { .. } | Record::StepEnd { .. } | Record::End { .. }
                )
        );
        if !(ending && self.hearing.cut.load(Ordering::Relaxed)) {
            self.reporter.event(event);
        }
    }
}

/// A run that has not begun.
pub(super) struct Round<'a> {
    way: &'a Way<'a>,
    out: Output,
    first: bool,
    notes: Rc<Notes>,
    hearing: Arc<Hearing>,
}

impl Way<'_> {
    /// The next run, which tells through `out`, and what the watch hears of it.
    pub(super) fn round(&self, out: Output, first: bool) -> (Round<'_>, Ears) {
        let (notes, hearing) = (Rc::<Notes>::default(), Arc::<Hearing>::default());
        let ears = Ears { notes: notes.clone(), hearing: hearing.clone(), out: out.clone() };
        (Round { way: self, out, first, notes, hearing }, ears)
    }
}

impl Round<'_> {
    /// Runs it to its end. What goes wrong in it is told, and gives its exit code.
    ///
    /// # Errors
    /// A fault of `ops` itself.
    pub(super) async fn run(self, signals: UnboundedReceiver<()>) -> Result<Exit, Fault> {
        for follow in super::configuration(&self.way.root) {
            self.notes.look(follow);
        }
        match self.attempt(signals).await {
            Ok(exit) => Ok(exit),
            Err(fault) if fault.code == Code::BUG => Err(fault),
            Err(fault) => {
                self.out.fault(&fault);
                Ok(fault.code.exit)
            }
        }
    }

    async fn attempt(&self, signals: UnboundedReceiver<()>) -> Result<Exit, Fault> {
        let way = self.way;
        let opened = understand(way.start, &way.words).and_then(|wanted| match wanted {
            Wanted::Explained => Err(Fault::new(Code::USAGE, "there is nothing to watch")),
            Wanted::Recipes(invocation) => {
                let Invocation { settings, globals, asked, .. } = *invocation;
                Ok((Opened::new(settings, &globals, &self.out)?, globals, asked))
            }
        });
        self.look_at_sources();
        let (mut opened, globals, asked) = opened?;
        opened.notes = Some(self.notes.clone());
        let lab = opened.settings.lab;
        if !way.apply && self.first && !way.plans.get() {
            let plan = seam::planned(&opened, &globals, &asked).await?;
            way.plans.set(plan.planned.iter().any(|p| p.effect.changes_world()));
        }
        if way.plans.get() {
            let plan = seam::planned(&opened, &globals, &asked).await?;
            return Ok(self.show(&opened, &plan, globals.verbose));
        }
        let mut reporter = Reporter::new(self.out.clone(), opened.settings.output);
        if !self.first {
            reporter = reporter.terse();
        }
        let between = Between { reporter: &reporter, hearing: self.hearing.clone() };
        let refused = Cell::new(false);
        let tell = |ended: &crate::engine::run::Ended, _: &_| {
            if self.hearing.cut.load(Ordering::Relaxed) {
                return;
            }
            for (_, fault) in &ended.faults {
                refused.set(refused.get() || fault.code == Code::NOT_APPLIED);
                self.out.fault(&told(lab, fault.clone()));
            }
        };
        let conduct = Conduct { reporter: &between, signals, files_only: !way.apply, tell: &tell };
        let start = seam::Start::anew(opened.fresh_run());
        let exit = seam::carry_out(&opened, &globals, &asked, start, conduct).await;
        if refused.get() {
            way.plans.set(true);
            self.say_plans();
        }
        exit.map_err(|fault| told(lab, fault))
    }

    fn show(&self, opened: &Opened, plan: &Plan, verbose: bool) -> Exit {
        let cluster = opened.settings.cluster.as_ref().map(|c| c.name.as_str());
        let text = views::plan(plan, cluster, verbose, self.out.look());
        let same = *self.way.shown.borrow() == text;
        if same {
            Watching::new(self.out.clone()).same_plan();
        } else {
            self.out.result(&text);
            self.out.document("ops.plan", 1, &views::plan_json(plan, cluster));
        }
        self.way.shown.replace(text);
        if self.first {
            self.say_plans();
        }
        for fault in &plan.faults {
            self.out.fault(&told(opened.settings.lab, fault.clone()));
        }
        plan.faults.iter().fold(Exit::Done, |worst, fault| worst.worst(fault.code.exit))
    }

    fn say_plans(&self) {
        if !self.way.apply {
            let lab = if self.way.start.globals.lab { "--lab " } else { "" };
            let command = format!("ops {lab}watch --apply {}", self.way.words.join(" "));
            Watching::new(self.out.clone()).only_plans(&command);
        }
    }

    /// Every Lua file of the repository: which of them a recipe loads is not known here.
    fn look_at_sources(&self) {
        let mut folders = vec![self.way.root.join("recipes"), self.way.root.join("lua-lib")];
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
}
