//! The commands that need the engine: open everything, hand the session what was asked for, word how it ended.

use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;

use ops_core::error::{Code, Exit, Fault};
use ops_core::event::{Event, Events, Silent};
use ops_core::guard::unanswered;
use ops_core::ident::{CallId, RunId};
use ops_core::inventory::LockFile;
use ops_core::record::{Asked, JOURNAL_VERSION, REPLAY_VERSION, Record, RunHead};
use ops_core::value::Map;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::adopt::profile_of;
use super::args::{AdoptArgs, Globals, ResumeArgs};
use super::hints::{copyable, told};
use super::invocation::Invocation;
use super::opened::{Opened, session};
use super::resume::{last_open, settled, still_unknown};
use crate::config::{Settings, lockfile};
use crate::engine::adopt::Adopted;
use crate::engine::ahead::{Ahead, Lookout};
use crate::engine::gate::{Gate, GateContext, Invocation as Named};
use crate::engine::hands::Hands;
use crate::engine::idle::passing_time;
use crate::engine::run::Ended;
use crate::engine::session::Session;
use crate::engine::verify::Desk;
use crate::journal::Journal;
use crate::output::{Output, Reporter, views};
use crate::recipe::Need;
use crate::store::{folder_name, rename_folder};
use crate::sys::blobs::Blobs;
use crate::sys::files::Files;
use crate::sys::group::LiveGroups;

/// The journal's word for a run that was asked for with `--force`.
const FORCE: &str = "force";
/// The journal's word for a run that was given up.
pub(super) const ABANDON: &str = "abandon";

/// Runs the recipes.
pub(super) fn run(invocation: Invocation) -> Result<Exit, Fault> {
    let Invocation { settings, host, globals, asked, out } = invocation;
    let opened = Opened::with(settings, host, &globals, &out)?;
    let lab = opened.settings.lab;
    block_on(async {
        let run = opened.fresh_run();
        let settled = BTreeMap::new();
        let journal = Start { run, records: Vec::new(), journal: None, settled, abandon: false };
        carry_out(&opened, &globals, &asked, &out, journal).await
    })
    .map_err(|fault| told(lab, fault))
}

/// Goes on with a run.
pub(super) fn resume(
    settings: &Settings,
    args: &ResumeArgs,
    globals: &Globals,
    out: &Output,
) -> Result<Exit, Fault> {
    go_on(settings, args, globals, out).map_err(|fault| told(settings.lab, fault))
}

fn go_on(
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
        carry_out(&opened, globals, &asked, out, start).await
    })
}

/// What a run begins with: nothing, or a journal.
struct Start {
    run: RunId,
    records: Vec<Record>,
    journal: Option<Journal>,
    settled: BTreeMap<CallId, bool>,
    abandon: bool,
}

async fn carry_out(
    opened: &Opened,
    globals: &Globals,
    asked: &[Need],
    out: &Output,
    start: Start,
) -> Result<Exit, Fault> {
    let key = opened.keep.key();
    let blobs = opened.runs.blobs(&start.run, key).map_err(|error| {
        Fault::new(Code::STATE_STORE, format!("the run's folder cannot be used: {error}"))
    })?;
    let blobs: Rc<dyn Blobs> = Rc::new(blobs);
    let files: Rc<dyn Files> = opened.disk.clone();
    let (hands, plan_hands) = (opened.hands(files, blobs.clone()), opened.plan_hands());
    let bind = |recipe: &str, given: &Map<String, serde_json::Value>| opened.bind(recipe, given);
    let reporter = Reporter::new(out.clone(), opened.settings.output);
    let forced =
        |record: &Record| matches!(record, Record::Decision { question, .. } if question == FORCE);
    let force = globals.force || start.records.iter().any(forced);
    let skip = opened.skip(start.run.clone(), force);
    let run = start.run.clone();
    let session = session(opened, &hands, &plan_hands, &bind, &reporter, globals, run, &skip);
    let words = |recipe: &str, words: &[String]| opened.words(recipe, words);
    let desk = Desk::new(&session, &words);

    let graph = session.graph(asked).map_err(|fault| *fault)?;
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
        journal.append_synced(&head).await.map_err(|failure| failure.fault())?;
        if force {
            let at = opened.world.now();
            let record = Record::Decision { question: FORCE.to_owned(), yes: true, at };
            journal.append(&record).map_err(|failure| failure.fault())?;
        }
        if let Some(grant) = cleared.claimed {
            let record = Record::GrantClaimed { grant, at: opened.world.now() };
            journal.append(&record).map_err(|failure| failure.fault())?;
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
        && !asked.iter().any(|need| session.reaches_destroy(&need.recipe, &mut Vec::new()));
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
            events: &reporter,
            asker: &*opened.asker,
            run: start.run.clone(),
            asked: named,
            end_group: &end_group,
            groups: &LiveGroups,
            settled: start.settled,
            synced: !opened.settings.lab,
            safety: &desk,
            skip: Some(&skip),
            lookout: looks.then_some(&ahead as &dyn Lookout),
        },
        confirmed,
    );
    gate.remember(&start.records);
    let replayed = if resuming {
        Some((Session::read(&start.records).map_err(|fault| *fault)?, start.records.as_slice()))
    } else {
        None
    };
    let mut ended = session.run(graph, &gate, signals(), replayed, start.abandon).await;
    // That it was given up is what was asked for.
    ended.faults.retain(|(_, fault)| fault.code != Code::ABANDONED);
    let exit = ended.exit();
    gate.finish().map_err(|fault| *fault)?;
    let end = Record::End { exit, at: opened.world.now() };
    reporter.event(&Event::Recorded(end.clone()));
    journal.append_synced(&end).await.map_err(|failure| failure.fault())?;
    keep_lab(opened)?;
    tell(&ended, &start.run, opened.settings.lab, out);
    if opened.settings.lab && cfg!(debug_assertions) {
        prove(opened, &session, asked, &gate, &start.run).await?;
    }
    Ok(exit)
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

fn tell(ended: &Ended, run: &RunId, lab: bool, out: &Output) {
    for (at, (_, fault)) in ended.faults.iter().enumerate() {
        let last = at + 1 == ended.faults.len();
        let fault = if last && !fault.next.iter().any(|n| n.contains("ops resume")) {
            fault.clone().next(format!("ops resume {run}"))
        } else {
            fault.clone()
        };
        out.fault(&told(lab, fault));
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
        out.document("ops.plan", 1, &views::plan_json(&plan, cluster));
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

/// Verifies one recipe and issues the grant; without a recipe gathers evidence alone.
pub(super) fn verify(invocation: Invocation) -> Result<Exit, Fault> {
    let Invocation { settings, host, globals, asked, out } = invocation;
    let opened = Opened::with(settings, host, &globals, &out)?;
    block_on(looking(&opened, &globals, async |session| {
        let now = || opened.world.now();
        let Some(need) = asked.first() else {
            let found = session.evidence().await;
            out.result(&copyable(
                opened.settings.lab,
                &views::verification(&found, now(), out.look()),
            ));
            out.document("ops.verification", 1, &views::verification_json(&found, None));
            let open = found.rows.iter().any(|row| !row.state.holds());
            return Ok(if open { Exit::Failed } else { Exit::Done });
        };
        let found =
            session.verify(need).await.map_err(|fault| told(opened.settings.lab, *fault))?;
        out.result(&copyable(opened.settings.lab, &views::verification(&found, now(), out.look())));
        let grant = match session.issue(&found) {
            Ok(grant) => grant,
            Err(fault) => {
                out.document("ops.verification", 1, &views::verification_json(&found, None));
                return Err(told(opened.settings.lab, *fault));
            }
        };
        let ttl = ops_core::guard::claim_within(&opened.cluster.guards).to_string();
        let granted = views::granted(&grant, &found.command, &opened.cluster.name, &ttl);
        out.result(&copyable(opened.settings.lab, &granted));
        out.document("ops.verification", 1, &views::verification_json(&found, Some(&grant)));
        keep_lab(&opened)?;
        Ok(Exit::Done)
    }))
}

/// Reads identities and writes the lock file.
pub(super) fn adopt(
    settings: &Settings,
    args: &AdoptArgs,
    globals: &Globals,
    out: &Output,
) -> Result<Exit, Fault> {
    let opened = Opened::new(settings.clone(), globals, out)?;
    let adopted = block_on(read_identity(&opened, globals, args.node.as_deref()))?;
    for silent in &adopted.silent {
        out.remark(&format!("not read: {silent}"));
    }
    let (mut lock, mut changes) = (adopted.lock, adopted.changes);
    if let Some(profile) = args.profile.map(profile_of).filter(|p| *p != lock.profile) {
        changes.push(format!("profile: {profile:?}").to_lowercase());
        lock.profile = profile;
    }
    if changes.is_empty() {
        out.result(&format!("{} is adopted as it is\n", opened.cluster.name));
        return Ok(Exit::Done);
    }
    out.result(&format!("{}\n  {}\n", settings.lock_path, changes.join("\n  ")));
    if !globals.yes {
        let question = format!("Write {}?", settings.lock_path);
        match opened.asker.yes(&question) {
            Some(true) => {}
            Some(false) => return Err(Fault::new(Code::DECLINED, "declined")),
            None => {
                return Err(unanswered().next("ops adopt --yes"));
            }
        }
    }
    write_lock(&opened, &lock)?;
    if !settings.lab {
        follow_identity(&opened, &lock)?;
    }
    out.result(&format!("wrote {}\n", settings.lock_path));
    Ok(Exit::Done)
}

/// Adopts the lab's own cluster into the lab's own lock file.
pub(super) fn adopt_lab(settings: &Settings, globals: &Globals, out: &Output) -> Result<(), Fault> {
    let opened = Opened::new(settings.clone(), globals, out)?;
    let adopted = block_on(read_identity(&opened, globals, None))?;
    write_lock(&opened, &adopted.lock)
}

async fn read_identity(
    opened: &Opened,
    globals: &Globals,
    node: Option<&str>,
) -> Result<Adopted, Fault> {
    looking(opened, globals, async |session| session.adopt(node).await.map_err(|fault| *fault))
        .await
}

/// Works with a session that writes no file, keeps no journal and tells nobody.
async fn looking<T>(
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

/// Journals, grants and audit stay with the cluster when its identity becomes known.
fn follow_identity(opened: &Opened, lock: &LockFile) -> Result<(), Fault> {
    let root = opened.disk.root();
    let base = opened.settings.state_dir()?;
    let site = opened.site();
    let new = ops_core::guard::Site { lock: Some(lock), ..site };
    rename_folder(&base, &folder_name(&site, root), &folder_name(&new, root))
        .map(|_| ())
        .map_err(|fault| *fault)
}

fn write_lock(opened: &Opened, lock: &LockFile) -> Result<(), Fault> {
    let path = &opened.settings.lock_path;
    opened.disk.write(path, lockfile::text(lock)?.as_bytes(), 0o644).map_err(|error| {
        Fault::new(Code::CONFIG_READ, format!("cannot write `{path}`: {error}"))
    })?;
    keep_lab(opened)
}

fn keep_lab(opened: &Opened) -> Result<(), Fault> {
    match &opened.simulated {
        Some(simulated) => simulated
            .save()
            .map_err(|e| Fault::new(Code::LAB, format!("the lab cannot be kept: {e}"))),
        None => Ok(()),
    }
}

/// Ctrl-C and TERM, as they come.
fn signals() -> UnboundedReceiver<()> {
    let (sender, receiver) = unbounded_channel();
    let ends = sender.clone();
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() && sender.send(()).is_ok() {}
    });
    tokio::spawn(async move {
        let kind = tokio::signal::unix::SignalKind::terminate();
        if let Ok(mut signal) = tokio::signal::unix::signal(kind) {
            while signal.recv().await.is_some() && ends.send(()).is_ok() {}
        }
    });
    receiver
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
