//! What outlives a process: lab, journal, files, blobs, state folder. Here processes begin, crash, and begin again.

#![expect(clippy::too_many_arguments, reason = "a process is made of what outlives it")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use ops_core::error::{CallError, Exit, Fault};
use ops_core::event::Silent;
use ops_core::ident::CallId;
use ops_core::journal::decode_all;
use ops_core::machine::{Delivery, Machine, StepSpec, Turn};
use ops_core::record::{JOURNAL_VERSION, REPLAY_VERSION, Record, RunHead};
use ops_core::time::Time;
use ops_core::value::{Digest, Map, Value};
use ops_lab::Lab;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::bent::{Bent, Late};
use super::books::{Books, Person};
use super::children::Children;
use super::film::{Film, Snapshot};
use super::ground::{self, Ground};
use crate::engine::gate::{Gate, GateContext};
use crate::engine::run::Bodies;
use crate::engine::session::Session;
use crate::engine::signal::Signal;
use crate::engine::verify::Desk;
use crate::host::simulated::Simulated;
use crate::journal::Journal;
use crate::journal::memory::{Faults, MemoryStore};
use crate::lua::Host;
use crate::sys::blobs::{Blobs, MemoryBlobs};
use crate::sys::fault::rehearsal::{self, Crash};
use crate::sys::overlay::Overlay;
use crate::sys::world::World;

/// What is planned for a process.
#[derive(Clone, Debug, Default)]
pub(super) struct Fate {
    /// It dies at the n-th visit of a point.
    pub(super) at: Option<(String, u64)>,
    /// The power goes with it: what was not synced is left to chance, by this seed.
    pub(super) cut: Option<u64>,
    /// Its children live on; else they die with it.
    pub(super) orphans: bool,
    /// Its disk fails.
    pub(super) faults: Faults,
    /// Ctrl-C is pressed at the n-th visit of a point, so many times.
    pub(super) ctrl_c: Option<(String, u64, u32)>,
    /// So many requests to reset are lost on their way.
    pub(super) loses: u32,
    /// Answers of `--settle`.
    pub(super) settled: BTreeMap<CallId, bool>,
}

impl Fate {
    /// It dies at the n-th visit of a point.
    pub(super) fn dies(point: &str, n: u64) -> Fate {
        Fate { at: Some((point.to_owned(), n)), ..Fate::default() }
    }
}

/// How a process ended.
#[derive(Debug)]
pub(super) enum Way {
    /// It died.
    Crashed,
    /// It came to its end.
    Ended { exit: Exit, faults: Vec<Fault>, unknown: Vec<CallId> },
    /// Its journal is damaged and was set aside.
    SetAside,
}

/// A reply as a body got it.
pub(super) type Heard = (CallId, Result<Value, CallError>);

/// What outlives a process.
pub(super) struct Place<'g> {
    pub(super) ground: &'g Ground,
    pub(super) lab: RefCell<Lab>,
    pub(super) journal: RefCell<Vec<u8>>,
    pub(super) books: Rc<Books>,
    pub(super) person: Rc<Person>,
    pub(super) files: Rc<Overlay>,
    pub(super) blobs: Rc<MemoryBlobs>,
    pub(super) children: Rc<Children>,
    /// What is wrong with `ops` itself, to prove that it is noticed; empty for nothing.
    pub(super) mutant: &'static str,
    /// What the last process visited.
    pub(super) visits: RefCell<BTreeMap<String, u64>>,
    /// How often the journal was appended to, and synced, by the last process.
    pub(super) writes: RefCell<(u64, u64)>,
    /// What the last process delivered.
    pub(super) heard: RefCell<Vec<Heard>>,
}

impl<'g> Place<'g> {
    pub(super) fn new(ground: &'g Ground) -> Place<'g> {
        Place {
            ground,
            lab: RefCell::new(ground.lab()),
            journal: RefCell::default(),
            books: Rc::new(Books::with(&ground.held)),
            person: Rc::default(),
            files: Rc::new(Overlay::over(Rc::new(ground.disk()))),
            blobs: Rc::new(MemoryBlobs::new([3; 32])),
            children: Rc::default(),
            mutant: "",
            visits: RefCell::default(),
            writes: RefCell::default(),
            heard: RefCell::default(),
        }
    }

    /// The journal's records.
    pub(super) fn records(&self) -> Vec<Record> {
        decode_all(&self.journal.borrow()).map(|d| d.records).unwrap_or_default()
    }

    /// Runs a process to its end or death; the first one begins the run, later ones resume it.
    pub(super) fn process(&self, fate: &Fate) -> Way {
        self.filmed(fate, None)
    }

    /// The same; with a film, every visit of a point is kept as what a crash right there would leave behind.
    pub(super) fn filmed(&self, fate: &Fate, film: Option<&Film>) -> Way {
        let bytes = self.journal.borrow().clone();
        let Ok(decoded) = decode_all(&bytes) else { return Way::SetAside };
        let fresh = !decoded.records.iter().any(|r| matches!(r, Record::Run(_)));
        let store = if fresh {
            MemoryStore::new(fate.faults)
        } else {
            MemoryStore::holding(bytes[..decoded.good].to_vec())
        };
        let lab = self.lab.borrow().twin();
        let world = ground::world(lab, self.files.clone(), &self.children);
        world.loses.set(("reset", fate.loses));
        let spy = Spy { host: &self.ground.host, heard: Arc::default() };
        let (keys, signals) = tokio::sync::mpsc::unbounded_channel();
        let watch = self.watch(fate, film, (&world, &store, &spy.heard), keys.clone());
        rehearsal::begin(fate.at.as_ref().map(|(point, n)| (point.as_str(), *n)), watch);
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let bent = Bent { store: store.clone(), mutant: self.mutant, held: Mutex::default() };
            let journal = Journal::over(bent);
            let shared = world.clone();
            quick(self.run(fate, &*world, shared, &journal, &spy, &decoded.records, signals))
        }));
        drop(keys);
        self.visits.replace(rehearsal::end());
        self.lab.replace(world.lab().twin());
        self.writes.replace((store.appends(), store.syncs()));
        self.heard.replace(spy.heard.lock().unwrap().clone());
        let way = match ended {
            Ok(way) => way,
            Err(why) if why.downcast_ref::<Crash>().is_some() => Way::Crashed,
            Err(why) => resume_unwind(why),
        };
        if matches!(way, Way::Crashed) && !fate.orphans {
            self.children.die();
        }
        let left = match fate.cut {
            Some(seed) => store.after_power_cut(seed),
            None => store.bytes(),
        };
        self.journal.replace(left);
        way
    }

    /// What happens at the visits of a point, beside a crash.
    fn watch(
        &self,
        fate: &Fate,
        film: Option<&Film>,
        (world, store, heard): (&Rc<Simulated>, &MemoryStore, &Arc<Mutex<Vec<Heard>>>),
        keys: UnboundedSender<Signal>,
    ) -> Option<rehearsal::Watch> {
        if film.is_none() && fate.ctrl_c.is_none() {
            return None;
        }
        let (film, ctrl_c) = (film.cloned(), fate.ctrl_c.clone());
        let (world, store, heard) = (world.clone(), store.clone(), heard.clone());
        let (books, person) = (self.books.clone(), self.person.clone());
        let (files, blobs) = (self.files.clone(), self.blobs.clone());
        let children = self.children.clone();
        Some(Rc::new(move |point: &str, n: u64| {
            if let Some((_, _, times)) = ctrl_c.as_ref().filter(|(p, m, _)| p == point && *m == n) {
                for _ in 0..*times {
                    let _ = keys.send(Signal::Interrupt);
                }
            }
            if let Some(film) = &film {
                film.take(Snapshot {
                    point: point.to_owned(),
                    n,
                    lab: world.lab().twin(),
                    written: store.bytes().len(),
                    synced: store.synced(),
                    books: (*books).clone(),
                    person: (*person).clone(),
                    files: files.twin(),
                    blobs: (*blobs).clone(),
                    children: (*children).clone(),
                    heard: heard.lock().unwrap().len(),
                });
            }
        }))
    }

    async fn run(
        &self,
        fate: &Fate,
        world: &dyn World,
        shared: Rc<dyn World>,
        journal: &Journal,
        spy: &Spy<'_>,
        records: &[Record],
        signals: UnboundedReceiver<Signal>,
    ) -> Way {
        let ground = self.ground;
        let late = Rc::new(Late { blobs: self.blobs.clone(), late: RefCell::default() });
        let blobs: Rc<dyn Blobs> =
            if self.mutant == "blob after its record" { late.clone() } else { self.blobs.clone() };
        let hands = ground.hands(shared.clone(), self.files.clone(), blobs.clone());
        let overlay = Rc::new(Overlay::over(self.files.clone()));
        let plan_hands = ground.hands(shared, overlay, Rc::new(MemoryBlobs::new([3; 32])));
        let bind = |recipe: &str, given: &Map<String, Value>| ground.bind(recipe, given);
        let session =
            ground.session(world, (&hands, &plan_hands), &bind, &self.books, &self.person, spy);
        let words = |_: &str, _: &[String]| Ok(Map::new());
        let desk = Desk::new(&session, &words);
        let graph = session.graph(&ground.asked).unwrap();
        let resuming = !records.is_empty();
        let begun = if resuming {
            journal.append(&Record::Resumed { at: world.now(), accepted: Vec::new() })
        } else {
            self.begin(journal, world.now()).await
        };
        if let Err(failure) = begun {
            return stopped(failure.fault());
        }
        let named = ground
            .asked
            .iter()
            .map(|need| session.invocation(need, &bind(&need.recipe, &need.args).unwrap()))
            .collect();
        let end_group = |group: i32, _: bool| self.children.signal(group);
        let gate = Gate::new(
            GateContext {
                world,
                hands: &hands,
                site: ground.site(),
                journal,
                blobs: &*blobs,
                keep: &*self.books,
                events: &Silent,
                asker: &*self.person,
                run: ground.run.clone(),
                asked: named,
                end_group: &end_group,
                groups: &*self.children,
                settled: fate.settled.clone(),
                synced: true,
                safety: &desk,
                skip: None,
                lookout: None,
            },
            if resuming { None } else { ground.confirmed.clone() },
        );
        gate.recall(records);
        let replayed = resuming.then(|| (Session::read(records).unwrap(), records));
        let ended = session.run(graph, &gate, signals, replayed, false).await;
        let exit = ended.exit();
        late.flush();
        let end = Record::End { exit, at: world.now() };
        if let Err(failure) = journal.append_synced(&end).await {
            return stopped(failure.fault());
        }
        let faults = ended.faults.into_iter().map(|(_, fault)| fault).collect();
        Way::Ended { exit, faults, unknown: ended.unknown }
    }

    async fn begin(
        &self,
        journal: &Journal,
        at: Time,
    ) -> Result<(), crate::journal::JournalFailure> {
        let ground = self.ground;
        let head = RunHead {
            version: JOURNAL_VERSION,
            replay: REPLAY_VERSION,
            ops: "0".into(),
            run: ground.run.clone(),
            at,
            asked: Vec::new(),
            cluster: Some(ground.cluster.name.clone()),
            lab: true,
            sources: ground.host.sources().digest(),
            inventory: Digest::of(&Value::Null),
            who: "tester".into(),
        };
        journal.append_synced(&Record::Run(head)).await?;
        if let Some(grant) = ground.claimed.clone() {
            journal.append(&Record::GrantClaimed { grant, at })?;
        }
        Ok(())
    }

    /// The continuous proof over the journal as it is.
    pub(super) fn prove(&self) -> Result<(), Box<Fault>> {
        let ground = self.ground;
        let lab = self.lab.borrow().twin();
        let world = ground::world(lab, self.files.clone(), &self.children);
        let blobs: Rc<dyn Blobs> = self.blobs.clone();
        let hands = ground.hands(world.clone(), self.files.clone(), blobs);
        let bind = |recipe: &str, given: &Map<String, Value>| ground.bind(recipe, given);
        let session = ground.session(
            &*world,
            (&hands, &hands),
            &bind,
            &self.books,
            &self.person,
            &ground.host,
        );
        let words = |_: &str, _: &[String]| Ok(Map::new());
        let desk = Desk::new(&session, &words);
        let journal = Journal::over(MemoryStore::default());
        let gate = Gate::new(
            GateContext {
                world: &*world,
                hands: &hands,
                site: ground.site(),
                journal: &journal,
                blobs: &*self.blobs,
                keep: &*self.books,
                events: &Silent,
                asker: &*self.person,
                run: ground.run.clone(),
                asked: Vec::new(),
                end_group: &|_, _| {},
                groups: &*self.children,
                settled: BTreeMap::new(),
                synced: true,
                safety: &desk,
                skip: None,
                lookout: None,
            },
            None,
        );
        quick(session.prove(&ground.asked, &gate, &self.records()))
    }
}

fn stopped(fault: Fault) -> Way {
    Way::Ended { exit: fault.code.exit, faults: vec![fault], unknown: Vec::new() }
}

/// Writes down what bodies hear.
struct Spy<'h> {
    host: &'h Host,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Bodies for Spy<'_> {
    fn spawn(&self, spec: StepSpec) -> Box<dyn Machine> {
        Box::new(Bugged { machine: self.host.spawn(spec), heard: self.heard.clone() })
    }
}

struct Bugged {
    machine: Box<dyn Machine>,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Machine for Bugged {
    fn turn(&mut self, delivery: Delivery) -> Turn {
        if let Delivery::Reply { id, reply } = &delivery {
            self.heard.lock().unwrap().push((id.clone(), reply.clone()));
        }
        self.machine.turn(delivery)
    }
}

/// Runs a future on this thread.
pub(super) fn quick<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
