//! The commands that need the engine: open everything, hand the session what was asked for, word how it ended.

use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;

use ops_core::call::table::Call;
use ops_core::error::{Code, Exit, Fault};
use ops_core::event::{Event, Events, Silent};
use ops_core::ident::{CallId, RunId};
use ops_core::record::{Asked, JOURNAL_VERSION, REPLAY_VERSION, Record, RunHead};
use ops_core::value::Map;
use tokio::sync::mpsc::UnboundedReceiver;

use super::args::{Globals, ResumeArgs};
use super::invocation::Invocation;
use super::opened::{Opened, session};
use super::resume::{last_open, settled, still_unknown};
use super::signals::signals;
use crate::config::Settings;
use crate::engine::ahead::{Ahead, Lookout};
use crate::engine::backend::Backend;
use crate::engine::bounded::{FilesOnly, files_at_most};
use crate::engine::gate::{Gate, GateContext, Invocation as Named};
use crate::engine::graph::{Step, reaches_destroy};
use crate::engine::hands::Hands;
use crate::engine::idle::passing_time;
use crate::engine::plan::Planned;
use crate::engine::run::Ended;
use crate::engine::session::{Plan, Session};
use crate::engine::signal::Signal;
use crate::engine::skip::Skip;
use crate::engine::verify::Desk;
use crate::journal::Journal;
use crate::output::{Output, Reporter, views};
use crate::recipe::Need;
use crate::sys::blobs::Blobs;
use crate::sys::group::LiveGroups;

/// The journal's word for a run that was asked for with `--force`.
const FORCE: &str = "force";
/// The journal's word for a run that was given up.
pub(super) const ABANDON: &str = "abandon";

/// Runs the recipes.
pub(super) fn run(invocation: Invocation) -> Result<Exit, Fault> {
    let Invocation { settings, host, globals, asked, out } = invocation;
    let opened = Opened::with(settings, host, &globals, &out)?;
    block_on(async {
        let reporter = Reporter::new(out.clone(), opened.settings.output);
        let run = opened.fresh_run();
        let skip = opened.skip(run.clone(), globals.force);
        let conduct = Conduct {
            reporter: &reporter,
            skip: &skip,
            signals: signals(),
            files_only: false,
            tell: &|ended, run| tell(ended, run, &out),
        };
        carry_out(&opened, &globals, &asked, Start::anew(run), conduct).await
    })
}

/// Goes on with a run.
pub(super) fn resume(
    settings: &Settings,
    args: &ResumeArgs,
    globals: &Globals,
    out: &Output,
) -> Result<Exit, Fault> {
    let opened = Opened::new(settings.clone(), globals, out)?;
    let run = match &args.run {
        Some(run) => RunId(run.clone()),
        None => last_open(&opened.runs)?,
    };
    let found = opened.runs.open(&run).map_err(|failure| failure.fault())?;
    let records = found.decoded.records;
    let Some(Record::Run(head)) = records.first().cloned() else {
        return Err(Fault::new(Code::JOURNAL_DAMAGED, "the journal does not begin with its head"));
    };
    let finished = records.iter().any(|r| matches!(r, Record::End { exit: Exit::Done, .. }));
    if finished {
        out.remark(&format!("run {run} is done; there is nothing to go on with"));
        return Ok(Exit::Done);
    }
    let changed = changes(&opened, &head);
    if !changed.is_empty() && !args.accept_changes {
        let fault =
            Fault::new(Code::JOURNAL_STALE, format!("run {run} stands on what has changed since"));
        return Err(changed
            .iter()
            .fold(fault, |fault, what| fault.detail(what.clone()))
            .next(format!("ops resume {run} --accept-changes"))
            .next("ops run … begins anew"));
    }
    let mut answers = BTreeMap::new();
    for text in &args.settle {
        let (call, happened) = settled(text)?;
        still_unknown(&call, &records)?;
        answers.insert(call, happened);
    }
    let asked: Vec<Need> = head
        .asked
        .iter()
        .map(|a| Need { recipe: a.recipe.clone(), args: a.args.clone() })
        .collect();
    let journal = found.journal;
    let resumed = Record::Resumed { at: opened.world.now(), accepted: changed };
    journal.append(&resumed).map_err(|failure| failure.fault())?;
    if args.abandon {
        let given_up =
            Record::Decision { question: ABANDON.to_owned(), yes: true, at: opened.world.now() };
        journal.append(&given_up).map_err(|failure| failure.fault())?;
    }
    block_on(async {
        let abandon = args.abandon;
        let start = Start { run, records, journal: Some(journal), settled: answers, abandon };
        let reporter = Reporter::new(out.clone(), opened.settings.output);
        // Asked for once, it holds for the run as often as it is taken up.
        let forced = |record: &Record| matches!(record, Record::Decision { question, .. } if question == FORCE);
        let force = globals.force || start.records.iter().any(forced);
        let skip = opened.skip(start.run.clone(), force);
        let conduct = Conduct {
            reporter: &reporter,
            skip: &skip,
            signals: signals(),
            files_only: false,
            tell: &|ended, run| tell(ended, run, out),
        };
        carry_out(&opened, globals, &asked, start, conduct).await
    })
}

/// What a run begins with: nothing, or a journal.
pub(super) struct Start {
    run: RunId,
    records: Vec<Record>,
    journal: Option<Journal>,
    settled: BTreeMap<CallId, bool>,
    abandon: bool,
}

impl Start {
    /// A run that has not begun.
    pub(super) fn anew(run: RunId) -> Start {
        let settled = BTreeMap::new();
        Start { run, records: Vec::new(), journal: None, settled, abandon: false }
    }
}

/// Who stands around a run: who is told of it, and who may end it.
pub(super) struct Conduct<'a> {
    /// Hears every event.
    pub reporter: &'a dyn Events,
    /// Judges its steps, and traces them.
    pub skip: &'a Skip<'a>,
    /// Ends it: once, twice, thrice.
    pub signals: UnboundedReceiver<Signal>,
    /// It may change files and nothing else.
    pub files_only: bool,
    /// Told how it ended.
    pub tell: &'a dyn Fn(&Ended, &RunId),
}

/// Runs recipes, or goes on with a run, up to its end record.
pub(super) async fn carry_out(
    opened: &Opened,
    globals: &Globals,
    asked: &[Need],
    start: Start,
    conduct: Conduct<'_>,
) -> Result<Exit, Fault> {
    let reporter = conduct.reporter;
    let key = opened.keep.key();
    let blobs = opened.runs.blobs(&start.run, key).map_err(|error| {
        Fault::new(Code::STATE_STORE, format!("the run's folder cannot be used: {error}"))
    })?;
    let blobs: Rc<dyn Blobs> = Rc::new(blobs);
    let (hands, plan_hands) = (opened.hands(opened.files(), blobs.clone()), opened.plan_hands());
    let bind = |recipe: &str, given: &Map<String, serde_json::Value>| opened.bind(recipe, given);
    let run = start.run.clone();
    let session = session(opened, &hands, &plan_hands, &bind, reporter, globals, run, conduct.skip);
    let words = |recipe: &str, words: &[String]| opened.words(recipe, words);
    let desk = Desk::new(&session, &words);

    let graph = session.graph(asked).map_err(|fault| *fault)?;
    session.terminal(&graph).map_err(|fault| *fault)?;
    let head = Record::Run(head(opened, &start.run, asked));
    let resuming = start.journal.is_some();
    reporter
        .event(&Event::Recorded(start.records.first().cloned().unwrap_or_else(|| head.clone())));
    let mut confirmed = None;
    let journal = if let Some(journal) = start.journal {
        journal
    } else {
        let cleared = passing_time(&*opened.world, session.preflight(asked, &graph)).await;
        let cleared = cleared.map_err(|fault| *fault)?;
        confirmed = cleared.confirmed;
        let journal = opened.runs.create(&start.run).map_err(|failure| failure.fault())?;
        // The first record that has to survive a power cut makes this one survive it too.
        journal.append(&head).map_err(|failure| failure.fault())?;
        if globals.force {
            let at = opened.world.now();
            let record = Record::Decision { question: FORCE.to_owned(), yes: true, at };
            journal.append(&record).map_err(|failure| failure.fault())?;
        }
        if let Some(grant) = cleared.claimed {
            let record = Record::GrantClaimed { grant, at: opened.world.now() };
            journal.append_synced(&record).await.map_err(|failure| failure.fault())?;
        }
        journal
    };
    let named: Vec<Named> = asked
        .iter()
        .filter_map(|need| {
            Some(session.invocation(need, &(session.bind)(&need.recipe, &need.args).ok()?))
        })
        .collect();
    // What may destroy was planned and judged in the preflight.
    let looks = opened.with_cluster()
        && !asked.iter().any(|need| reaches_destroy(opened.host.catalog(), &need.recipe));
    let fresh = || Box::new(opened.plan_hands()) as Box<dyn Hands>;
    let ahead = Ahead { session: &session, asked, hands: &fresh };
    let end_group = |group: i32, hard: bool| opened.live.processes().interrupt(group, hard);
    let gate = Gate::new(
        GateContext {
            world: &*opened.world,
            hands: &hands,
            site: opened.site(),
            journal: &journal,
            blobs: &*blobs,
            keep: &*opened.keep,
            events: reporter,
            asker: &*opened.asker,
            run: start.run.clone(),
            asked: named,
            end_group: &end_group,
            groups: &LiveGroups,
            settled: start.settled,
            synced: !opened.settings.lab,
            safety: &desk,
            skip: Some(conduct.skip),
            lookout: looks.then_some(&ahead as &dyn Lookout),
        },
        confirmed,
    );
    gate.remember(&start.records);
    gate.recall(&start.records);
    let replayed = if resuming {
        Some((Session::read(&start.records).map_err(|fault| *fault)?, start.records.as_slice()))
    } else {
        None
    };
    let bounded = FilesOnly(&gate, opened.host.catalog());
    let backend: &dyn Backend = if conduct.files_only { &bounded } else { &gate };
    let mut ended = session.run(graph, backend, conduct.signals, replayed, start.abandon).await;
    // That it was given up is what was asked for.
    ended.faults.retain(|(_, fault)| fault.code != Code::ABANDONED);
    let exit = ended.exit();
    gate.finish().map_err(|fault| *fault)?;
    let end = Record::End { exit, at: opened.world.now() };
    reporter.event(&Event::Recorded(end.clone()));
    let written = if resuming || journal.lasts() {
        journal.append_synced(&end).await
    } else {
        journal.append(&end)
    };
    written.map_err(|failure| failure.fault())?;
    keep_lab(opened)?;
    (conduct.tell)(&ended, &start.run);
    if opened.settings.lab && cfg!(debug_assertions) {
        prove(opened, &session, asked, &gate, &start.run).await?;
    }
    Ok(exit)
}

/// Notes in a run's journal that nobody will go on with it.
pub(super) fn give_up(opened: &Opened, run: &RunId) {
    // One that cannot be noted is only offered by `ops resume`.
    if let Ok(found) = opened.runs.open(run) {
        let at = opened.world.now();
        let given_up = Record::Decision { question: ABANDON.to_owned(), yes: true, at };
        let _ = found.journal.append(&given_up);
    }
}

/// The continuous proof: fresh bodies make the same calls again.
async fn prove(
    opened: &Opened,
    session: &Session<'_>,
    asked: &[Need],
    gate: &Gate<'_>,
    run: &RunId,
) -> Result<(), Fault> {
    let decoded = opened.runs.read(run).map_err(|failure| failure.fault())?;
    session.prove(asked, gate, &decoded.records).await.map_err(|fault| {
        Fault::new(Code::BUG, "the journal does not replay to the same calls")
            .detail(fault.title.clone())
            .details_of(&fault)
    })
}

fn tell(ended: &Ended, run: &RunId, out: &Output) {
    for (at, (_, fault)) in ended.faults.iter().enumerate() {
        let last = at + 1 == ended.faults.len();
        // A recipe that says in its own words what to do has nothing that a resume would mend.
        let own = matches!(fault.code, Code::PRECONDITION | Code::FAILED) && !fault.next.is_empty();
        let named = own || fault.next.iter().any(|n| n.contains("ops resume"));
        let fault = if last && !named {
            fault.clone().next(format!("ops resume {run}"))
        } else {
            fault.clone()
        };
        out.fault(&fault);
    }
}

fn head(opened: &Opened, run: &RunId, asked: &[Need]) -> RunHead {
    RunHead {
        version: JOURNAL_VERSION,
        replay: REPLAY_VERSION,
        ops: env!("CARGO_PKG_VERSION").to_owned(),
        run: run.clone(),
        at: opened.world.now(),
        asked: asked
            .iter()
            .map(|need| Asked { recipe: need.recipe.clone(), args: need.args.clone() })
            .collect(),
        cluster: opened.settings.cluster.as_ref().map(|c| c.name.clone()),
        lab: opened.settings.lab,
        sources: opened.host.sources().digest(),
        inventory: opened.inventory(),
        who: opened.settings.who(),
    }
}

/// What a journal stands on and what is different now.
fn changes(opened: &Opened, head: &RunHead) -> Vec<String> {
    let mut changed = Vec::new();
    if head.replay != REPLAY_VERSION {
        changed.push(format!("ops: replay version {} then, {REPLAY_VERSION} now", head.replay));
    }
    if head.sources != opened.host.sources().digest() {
        changed.push("recipes: their sources are not the same".to_owned());
    }
    if head.inventory != opened.inventory() {
        changed.push("inventory: it is not the same".to_owned());
    }
    let age = opened.world.now().since(head.at);
    if age > ops_core::time::Span::hours(24) {
        changed.push(format!("time: it began {age} ago"));
    }
    changed
}

/// Plans the recipes; ends with 10 where changes pend and `exit_code` asks for it.
pub(super) fn plan(invocation: Invocation, exit_code: bool) -> Result<Exit, Fault> {
    let Invocation { settings, host, globals, asked, out } = invocation;
    let opened = Opened::with(settings, host, &globals, &out)?;
    block_on(looking(&opened, &globals, async |session| {
        let plan = session.plan(&asked).await.map_err(|fault| *fault)?;
        let cluster = opened.settings.cluster.as_ref().map(|c| c.name.as_str());
        out.result(&views::plan(&plan, cluster, globals.verbose, out.look()));
        out.document("ops.plan", 1, || views::plan_json(&plan, cluster));
        for fault in &plan.faults {
            out.fault(fault);
        }
        let failed = plan.faults.iter().fold(Exit::Done, |worst, f| worst.worst(f.code.exit));
        Ok(match failed {
            Exit::Done if exit_code && plan.changes() > 0 => Exit::Pending,
            exit => exit,
        })
    }))
}

/// What recipes would do, and what a watch must know of it.
pub(super) struct Foreseen {
    /// The plan.
    pub plan: Plan,
    /// The steps that it is about.
    pub steps: Vec<Step>,
    /// They can change more than files.
    pub changes: bool,
}

/// Plans recipes.
pub(super) async fn foresee(
    opened: &Opened,
    globals: &Globals,
    asked: &[Need],
) -> Result<Foreseen, Fault> {
    let catalog = opened.host.catalog();
    let more = |planned: &Planned| {
        let decoded = Call::decode(&planned.request);
        decoded.is_ok_and(|(call, _)| {
            !files_at_most(catalog, &planned.id, &planned.request, call.spec())
        })
    };
    looking(opened, globals, async |session| {
        let plan = session.plan(asked).await.map_err(|fault| *fault)?;
        let steps = session.graph(asked).map_err(|fault| *fault)?.steps;
        let destroys = |step: &Step| reaches_destroy(session.catalog, &step.recipe);
        let changes = plan.planned.iter().any(more) || steps.iter().any(destroys);
        Ok(Foreseen { plan, steps, changes })
    })
    .await
}

/// Verifies one recipe and issues the grant; without a recipe gathers evidence alone.
pub(super) fn verify(invocation: Invocation) -> Result<Exit, Fault> {
    let Invocation { settings, host, globals, asked, out } = invocation;
    let opened = Opened::with(settings, host, &globals, &out)?;
    block_on(looking(&opened, &globals, async |session| {
        let now = || opened.world.now();
        let Some(need) = asked.first() else {
            let found = session.evidence().await;
            out.result(&out.command(&views::verification(&found, now(), out.look())));
            out.document("ops.verification", 1, || views::verification_json(&found, None));
            let open = found.rows.iter().any(|row| !row.state.holds());
            return Ok(if open { Exit::Failed } else { Exit::Done });
        };
        let found = session.verify(need).await.map_err(|fault| *fault)?;
        out.result(&out.command(&views::verification(&found, now(), out.look())));
        let slots = found.grantable.as_ref().is_some_and(|(_, slots)| !slots.is_empty());
        if found.refused.is_none() && !slots && !reaches_destroy(session.catalog, &found.recipe) {
            let command = out.command(&format!("ops run {}", found.command));
            out.result(&views::no_grant_needed(&found, &command, out.look()));
            out.document("ops.verification", 1, || views::verification_json(&found, None));
            let open = found.rows.iter().any(|row| !row.state.holds());
            return Ok(if open { Exit::Failed } else { Exit::Done });
        }
        let grant = match session.issue(&found) {
            Ok(grant) => grant,
            Err(fault) => {
                out.document("ops.verification", 1, || views::verification_json(&found, None));
                return Err(*fault);
            }
        };
        let ttl = ops_core::guard::claim_within(&opened.cluster.guards).to_string();
        let command = out.command(&format!("ops run {}", found.command));
        out.result(&views::granted(&grant, &command, &opened.cluster.name, &ttl, out.look()));
        out.document("ops.verification", 1, || views::verification_json(&found, Some(&grant)));
        keep_lab(&opened)?;
        Ok(Exit::Done)
    }))
}

/// Works with a session that writes no file, keeps no journal and tells nobody.
pub(super) async fn looking<T>(
    opened: &Opened,
    globals: &Globals,
    work: impl AsyncFnOnce(&Session<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let hands = opened.plan_hands();
    let bind = |recipe: &str, given: &Map<String, serde_json::Value>| opened.bind(recipe, given);
    let run = opened.fresh_run();
    let skip = opened.skip(run.clone(), globals.force);
    work(&session(opened, &hands, &hands, &bind, &Silent, globals, run, &skip)).await
}

pub(super) fn keep_lab(opened: &Opened) -> Result<(), Fault> {
    match &opened.simulated {
        Some(simulated) => simulated
            .save()
            .map_err(|e| Fault::new(Code::LAB, format!("the lab cannot be kept: {e}"))),
        None => Ok(()),
    }
}

/// Runs the engine's one thread to the end of some work.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Fault::new(Code::BUG, format!("no runtime: {error}")))?;
    let done = runtime.block_on(work);
    // A body that was abandoned still holds its thread: nobody waits for it.
    runtime.shutdown_background();
    done
}
