//! The loop against scripted bodies and a backend of tables: order of delivery, resume, divergence, stops.

use std::cell::RefCell;
use std::collections::BTreeMap;

use ops_core::call::Request;
use ops_core::effect::Effect;
use ops_core::error::{CallError, Code, ErrorKind, Exit, Fault};
use ops_core::event::Silent;
use ops_core::ident::{Branch, CallId, RunId};
use ops_core::machine::{Act, BranchEnd, Delivery, Failure, Machine, StepSpec, Turn};
use ops_core::record::{Asked, Intent, Record, RunHead, StepEnd};
use ops_core::time::{Span, Time};
use ops_core::value::{Blob, Digest, Map, Value};
use serde_json::json;

use super::backend::{Backend, Finished, Ready, Settlement};
use super::graph::Graph;
use super::replay::{self, Known};
use super::run::{Bodies, Context, Ended, Run};
use crate::recipe::{Catalog, Head, Need};
use crate::sys::world::{KubeReply, KubeRequest, Local, ToolFailure, Watcher, World};

/// A world in which nothing happens but time.
struct Still(RefCell<u64>);

impl World for Still {
    fn run<'a>(
        &'a self,
        argv: &'a ops_core::argv::Argv,
        _: Option<Span>,
        _: &'a dyn Watcher,
    ) -> Local<'a, Result<ops_core::argv::ToolOutput, ToolFailure>> {
        Box::pin(async move { Err(ToolFailure::Missing(argv.tool.clone())) })
    }
    fn kube<'a>(
        &'a self,
        _: &'a ops_core::call::Target,
        _: &'a KubeRequest,
    ) -> Local<'a, Result<KubeReply, ToolFailure>> {
        Box::pin(async { Err(ToolFailure::Missing("kube".into())) })
    }
    fn now(&self) -> Time {
        *self.0.borrow_mut() += 1;
        Time(*self.0.borrow())
    }
    fn sleep(&self, _: Span) -> Local<'_, ()> {
        Box::pin(std::future::pending())
    }
    fn random(&self) -> u64 {
        4
    }
    fn simulated(&self) -> bool {
        true
    }
}

/// Branches that each make their calls one after the other; a failed call ends the body.
struct Script {
    root: Branch,
    arms: Vec<(Branch, Vec<Value>, usize)>,
    heard: Vec<Value>,
}

impl Script {
    fn new(root: Branch, arms: &[(&str, usize)]) -> Script {
        let arms = arms
            .iter()
            .map(|(key, n)| {
                let calls = (0..*n).map(|i| json!({"node": format!("{key}-{i}")})).collect();
                (root.arm("node", Some(key)), calls, 0)
            })
            .collect();
        Script { root, arms, heard: Vec::new() }
    }

    fn ask(arm: &(Branch, Vec<Value>, usize)) -> Option<Act> {
        let args = arm.1.get(arm.2)?.as_object()?.clone();
        let id = CallId { path: arm.0.clone(), seq: arm.2 as u32 + 1 };
        Some(Act::Asked {
            id,
            request: Request { call: "talos.version".into(), args, place: None },
        })
    }
}

impl Machine for Script {
    fn turn(&mut self, delivery: Delivery) -> Turn {
        let mut acts = Vec::new();
        match delivery {
            Delivery::Begin => acts.extend(self.arms.iter().filter_map(Script::ask)),
            Delivery::Reply { id, reply } => {
                let arm = self.arms.iter_mut().find(|a| a.0 == id.path).expect("an arm asked");
                match reply {
                    Ok(value) => {
                        self.heard.push(value);
                        arm.2 += 1;
                        let next = Script::ask(arm);
                        if next.is_none() {
                            acts.push(Act::Closed { branch: arm.0.clone(), how: BranchEnd::Done });
                        }
                        acts.extend(next);
                    }
                    Err(error) => {
                        let fault = Fault::new(Code::CALL_FAILED, error.message.clone());
                        let how = BranchEnd::Failed(error.message.clone());
                        acts.push(Act::Closed { branch: arm.0.clone(), how });
                        let pending =
                            self.arms.iter().filter(|a| a.0 != id.path && a.2 < a.1.len());
                        let pending: Vec<CallId> = pending
                            .map(|a| CallId { path: a.0.clone(), seq: a.2 as u32 + 1 })
                            .collect();
                        acts.extend(pending.into_iter().map(|id| Act::Dropped { id }));
                        return Turn {
                            acts,
                            end: Some(Err(Failure::Call(error, Box::new(fault)))),
                        };
                    }
                }
            }
            Delivery::Stop { stop, .. } => {
                return Turn { acts, end: Some(Err(Failure::Stopped(stop))) };
            }
        }
        let over = self.arms.iter().all(|a| a.2 >= a.1.len());
        let end = over.then(|| Ok(json!({"root": self.root.0, "heard": self.heard})));
        Turn { acts, end }
    }
}

struct Scripts(Vec<(&'static str, usize)>);

impl Bodies for Scripts {
    fn spawn(&self, spec: StepSpec) -> Box<dyn Machine> {
        Box::new(Script::new(spec.branch, &self.0))
    }
}

/// Answers every call after some polls, from a table of orders; records into memory.
struct Table {
    records: RefCell<Vec<Record>>,
    delays: BTreeMap<String, u32>,
    fails: RefCell<Vec<String>>,
    settled: RefCell<Vec<CallId>>,
    asked: RefCell<Vec<CallId>>,
}

impl Table {
    fn new(delays: &[(&str, u32)], fails: &[&str]) -> Table {
        Table {
            records: RefCell::default(),
            delays: delays.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect(),
            fails: RefCell::new(fails.iter().map(|f| (*f).to_owned()).collect()),
            settled: RefCell::default(),
            asked: RefCell::default(),
        }
    }
}

async fn polls(mut n: u32) {
    std::future::poll_fn(|task| {
        if n == 0 {
            return std::task::Poll::Ready(());
        }
        n -= 1;
        task.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

impl Backend for Table {
    fn call(&self, ready: Ready) -> Local<'_, Finished> {
        self.asked.borrow_mut().push(ready.id.clone());
        self.records.borrow_mut().push(Record::Intent(Intent {
            id: ready.id.clone(),
            call: ready.request.call.clone(),
            version: 1,
            digest: ready.request.digest(1),
            effect: Effect::Reads,
            args: ready.request.args.clone(),
            place: None,
            before: None,
            witness: None,
            slot: None,
            at: Time(0),
        }));
        Box::pin(async move {
            let node = ready.request.args["node"].as_str().unwrap_or_default().to_owned();
            polls(self.delays.get(&node).copied().unwrap_or(0)).await;
            if self.fails.borrow().contains(&node) {
                return Finished::Reply(Err(CallError::new(ErrorKind::Unreachable, node)));
            }
            Finished::Reply(Ok(json!({"of": node})))
        })
    }
    fn engine_call(&self, _: CallId, _: Request) -> Local<'_, Finished> {
        Box::pin(async { Finished::Reply(Ok(Value::Null)) })
    }
    fn record(&self, record: Record) -> Result<(), Box<Fault>> {
        self.records.borrow_mut().push(record);
        Ok(())
    }
    fn store(&self, bytes: &[u8]) -> Result<Blob, Box<Fault>> {
        Ok(Blob { digest: Digest::of_bytes(bytes), size: bytes.len() as u64, sealed: false })
    }
    fn load(&self, _: &Blob) -> Result<Value, Box<Fault>> {
        Ok(Value::Null)
    }
    fn signal(&self, _: Option<&[CallId]>, _: bool) {}
    fn settle(&self, known: Known, _: Ready) -> Local<'_, Settlement> {
        self.settled.borrow_mut().push(known.intent.id);
        Box::pin(async { Settlement::Again })
    }
    fn revive(&self, _: Option<Ready>) -> Local<'_, Result<(), Box<Fault>>> {
        Box::pin(async { Ok(()) })
    }
    fn records(&self) -> bool {
        true
    }
}

fn head() -> Record {
    Record::Run(RunHead {
        version: 1,
        replay: 1,
        ops: "0".into(),
        run: RunId("test".into()),
        at: Time(0),
        asked: vec![Asked { recipe: "t:each".into(), args: Map::new() }],
        cluster: None,
        lab: true,
        sources: Digest::of_bytes(b""),
        inventory: Digest::of_bytes(b""),
        who: "test".into(),
    })
}

/// Runs the script against the table; with a journal, resumes it. Gives how it ended and the journal as it stands then.
fn run(
    scripts: &Scripts,
    table: &Table,
    journal: Option<&[Record]>,
    proof: bool,
) -> (Ended, Vec<Record>) {
    let mut catalog = Catalog::default();
    let recipe = Head { name: "t:each".into(), ..Head::default() };
    catalog.insert(recipe);
    let world = Still(RefCell::new(0));
    let bind = |_: &str, args: &Map<String, Value>| Ok(args.clone());
    let cx = Context {
        world: &world,
        backend: table,
        bodies: scripts,
        catalog: &catalog,
        cluster: None,
        run: RunId("test".into()),
        bind: &bind,
        events: &Silent,
        jobs: 4,
        keep_going: false,
        part: super::run::Part::Whole,
        skip: None,
    };
    let asked = [Need { recipe: "t:each".into(), args: Map::new() }];
    let graph = Graph::build(&catalog, &asked, &bind, &|_, _| Ok(Vec::new())).expect("a graph");
    let (_keep, signals) = tokio::sync::mpsc::unbounded_channel();
    let mut engine = Run::new(&cx, graph, signals);
    let mut before = journal.map_or_else(|| vec![head()], <[Record]>::to_vec);
    if let Some(records) = journal {
        engine = engine.resuming(replay::read(records, proof).expect("a head"), records, proof);
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let ended = runtime.block_on(engine.run());
    before.extend(table.records.borrow().iter().cloned());
    (ended, before)
}

fn heard(ended: &Ended) -> Value {
    match &ended.steps[0].1 {
        StepEnd::Done { result, .. } => result["heard"].clone(),
        other => panic!("ended as {other:?}"),
    }
}

const ARMS: [(&str, usize); 3] = [("a", 3), ("b", 3), ("c", 3)];

#[test]
fn replies_are_delivered_in_the_order_in_which_they_arrived() {
    let table = Table::new(&[("a-0", 9), ("b-0", 1), ("c-0", 4)], &[]);
    let (ended, _) = run(&Scripts(ARMS.to_vec()), &table, None, false);
    let first: Vec<&str> = heard(&ended)
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["of"].as_str().unwrap().to_owned().leak() as &str)
        .collect();
    assert_eq!(first.len(), 9);
    let at = |name: &str| first.iter().position(|f| *f == name).unwrap();
    assert!(at("b-0") < at("c-0") && at("c-0") < at("a-0"), "{first:?}");
}

#[test]
fn a_replay_hears_what_the_run_heard_whatever_the_timing() {
    for slow in 0..20 {
        let table = Table::new(&[("a-0", slow), ("b-1", 7), ("c-2", 20 - slow)], &[]);
        let (ended, journal) = run(&Scripts(ARMS.to_vec()), &table, None, false);
        let quiet = Table::new(&[], &[]);
        let (again, _) = run(&Scripts(ARMS.to_vec()), &quiet, Some(&journal), true);
        assert_eq!(again.faults, Vec::new());
        assert_eq!(heard(&again), heard(&ended));
        assert_eq!(quiet.asked.borrow().len(), 0, "nothing became live");
    }
}

#[test]
fn a_journal_cut_anywhere_is_resumed_to_the_same_end_and_repeats_no_answered_call() {
    let table = Table::new(&[("a-0", 5), ("b-1", 7)], &[]);
    let (whole, journal) = run(&Scripts(ARMS.to_vec()), &table, None, false);
    for cut in 1..=journal.len() {
        let resumed = Table::new(&[], &[]);
        let (ended, after) = run(&Scripts(ARMS.to_vec()), &resumed, Some(&journal[..cut]), false);
        assert_eq!(ended.exit(), Exit::Done, "cut at {cut}: {:?}", ended.faults);
        let sorted = |ended: &Ended| {
            let mut all: Vec<String> =
                heard(ended).as_array().unwrap().iter().map(ToString::to_string).collect();
            all.sort();
            all
        };
        assert_eq!(sorted(&ended), sorted(&whole), "cut at {cut}");
        let answered: Vec<CallId> = journal[..cut]
            .iter()
            .filter_map(
                |r| if let Record::Outcome { id, .. } = r { Some(id.clone()) } else { None },
            )
            .collect();
        assert!(resumed.asked.borrow().iter().all(|id| !answered.contains(id)), "cut at {cut}");
        let proof = Table::new(&[], &[]);
        let (proved, _) = run(&Scripts(ARMS.to_vec()), &proof, Some(&after), true);
        assert_eq!(proved.faults, Vec::new(), "cut at {cut}");
    }
}

#[test]
fn a_failure_that_ended_the_run_is_tried_again_on_resume() {
    let table = Table::new(&[("b-1", 3)], &["b-1"]);
    let (ended, journal) = run(&Scripts(ARMS.to_vec()), &table, None, false);
    assert_eq!(ended.exit(), Exit::Failed);
    let mended = Table::new(&[], &[]);
    let (again, _) = run(&Scripts(ARMS.to_vec()), &mended, Some(&journal), false);
    assert_eq!(again.exit(), Exit::Done, "{:?}", again.faults);
    assert!(mended.asked.borrow().iter().any(|id| id.path.0.ends_with("node[b]") && id.seq == 2));
}

#[test]
fn another_call_at_the_same_place_is_a_divergence() {
    let table = Table::new(&[], &[]);
    let (_, journal) = run(&Scripts(vec![("a", 3)]), &table, None, false);
    let changed: Vec<Record> = journal
        .iter()
        .map(|record| match record {
            Record::Intent(intent) if intent.id.seq == 2 => {
                Record::Intent(Intent { digest: Digest::of_bytes(b"other"), ..intent.clone() })
            }
            other => other.clone(),
        })
        .collect();
    let (ended, _) = run(&Scripts(vec![("a", 3)]), &Table::new(&[], &[]), Some(&changed), false);
    assert_eq!(ended.exit(), Exit::Stale);
}

#[test]
fn a_journal_that_holds_more_calls_than_the_recipe_makes_is_a_divergence() {
    let table = Table::new(&[], &[]);
    let (_, journal) = run(&Scripts(vec![("a", 3)]), &table, None, false);
    let (ended, _) = run(&Scripts(vec![("a", 2)]), &Table::new(&[], &[]), Some(&journal), false);
    assert_eq!(ended.exit(), Exit::Stale, "{ended:?}");
}

#[test]
fn more_steps_than_may_run_at_once_come_to_their_end_in_every_part() {
    for part in [super::run::Part::Parameters, super::run::Part::Whole] {
        let mut catalog = Catalog::default();
        let names: Vec<String> = (0..50).map(|n| format!("t:r{n}")).collect();
        for name in &names {
            let head = Head { name: name.clone(), ..Head::default() };
            catalog.insert(head);
        }
        let world = Still(RefCell::new(0));
        let table = Table::new(&[], &[]);
        let scripts = Scripts(vec![("a", 1)]);
        let bind = |_: &str, args: &Map<String, Value>| Ok(args.clone());
        let cx = Context {
            world: &world,
            backend: &table,
            bodies: &scripts,
            catalog: &catalog,
            cluster: None,
            run: RunId("test".into()),
            bind: &bind,
            events: &Silent,
            jobs: 4,
            keep_going: false,
            part,
            skip: None,
        };
        let asked: Vec<Need> =
            names.iter().map(|n| Need { recipe: n.clone(), args: Map::new() }).collect();
        let graph = Graph::build(&catalog, &asked, &bind, &|_, _| Ok(Vec::new())).expect("a graph");
        let (_keep, signals) = tokio::sync::mpsc::unbounded_channel();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let ended = runtime.block_on(Run::new(&cx, graph, signals).run());
        assert_eq!((ended.exit(), ended.steps.len()), (Exit::Done, 50), "{part:?}");
    }
}
