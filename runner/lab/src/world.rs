//! The world: all state of one simulated history, its queue, and the two functions that move it,
//! [`World::submit`] and [`World::step`]. Knows no text, no tool and no client; allocates as little as it can.

use crate::etcd::Etcd;
use crate::facts::{Profile, Took};
use crate::faults::Faults;
use crate::ledger::Ledger;
use crate::node::{Node, Step};
use crate::reply::Outcome;
use crate::request::{Auth, ConfigRef, Request, Route};
use crate::rng::Streams;
use crate::spec::Role;
use crate::trace::Trace;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Simulated milliseconds since the lab began.
pub type Ms = u64;
/// An etcd member id.
pub type MemberId = u64;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($inner:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);
    )*};
}

ids! {
    /// A machine, by its place in the spec.
    NodeId(u8);
    /// A machine config known to the world.
    ConfigId(u16);
    /// An interned name: a hostname, a label, a device path.
    Name(u16);
    /// A request under way.
    Ticket(u32);
    /// A simulated tool process.
    ClientId(u32);
    /// A timer of the caller.
    TimerId(u32);
    /// A pod, unique in its cluster.
    PodId(u32);
}

/// A snapshot file outside the cluster; the later the revision, the greater.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct SnapshotId {
    /// The etcd revision that it holds.
    pub revision: u64,
    /// Its number in [`World::snapshots`].
    pub number: u32,
}

/// What the world needs to know of a machine config; the text stays with the faces.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Config {
    /// `machine.type`; none for a partial document.
    pub role: Option<Role>,
    /// Static hostname, where one is set.
    pub hostname: Option<Name>,
    /// Fingerprint of `machine.ca.crt`.
    pub ca: u64,
    /// Whether `machine.ca.key` is there: only control planes hold it.
    pub ca_key: bool,
    /// Fingerprint of `cluster.ca.crt`.
    pub kube_ca: u64,
    /// Fingerprint of `cluster.id` and `cluster.secret`: which cluster it finds members of.
    pub cluster: u64,
    /// `machine.install.disk`; none where a selector chooses.
    pub install_disk: Option<Name>,
    /// Whether it says where to install to; only an installed node does without.
    pub installable: bool,
    /// Whether a CNI comes with it.
    pub cni: bool,
    /// Fingerprint of the fields that need a reboot.
    pub reboot_part: u64,
    /// Fingerprint of everything.
    pub whole: u64,
}

/// A snapshot taken in this world.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// The cluster it was taken of.
    pub cluster: u8,
    /// Its revision.
    pub revision: u64,
    /// The objects in it.
    pub kube: crate::kube::Kube,
}

/// Who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The tool process.
    pub client: ClientId,
    /// Which of its waits.
    pub slot: u32,
}

/// A request under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) origin: Option<Origin>,
    pub(crate) route: Route,
    pub(crate) request: Request,
    /// The machine it arrived at and that machine's boot.
    pub(crate) at: Option<(NodeId, u32)>,
    pub(crate) since: Ms,
    #[serde(skip)]
    pub(crate) outcome: Option<Outcome>,
}

/// A request that reached a node or an API server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reached {
    /// When.
    pub at: Ms,
    /// The machine that was to act; for the Kubernetes API, the one whose API server answered.
    pub node: NodeId,
    /// What was asked.
    pub request: Request,
    /// Whether it changes anything.
    pub writes: bool,
    /// Whether it came without a client certificate.
    pub insecure: bool,
    /// The request's number.
    pub ticket: Ticket,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Event {
    /// A request reaches its endpoint.
    Arrive(Ticket),
    /// It takes effect.
    Effect(Ticket),
    /// Its answer reaches the client.
    Reply(Ticket),
    /// A step in a machine's life; void when the machine has begun another since.
    Node {
        /// The machine.
        node: NodeId,
        /// Its sequence number.
        epoch: u32,
        /// The step.
        step: Step,
    },
    /// A try window of this number ends.
    TryEnds {
        /// The machine.
        node: NodeId,
        /// Its window.
        window: u32,
    },
    /// An etcd election of this term.
    Elect {
        /// The cluster.
        cluster: u8,
        /// The term that ends.
        term: u32,
    },
    /// A learner asks to be promoted.
    Promote {
        /// The cluster.
        cluster: u8,
        /// The learner.
        member: MemberId,
    },
    /// The lease of a node object runs out.
    Lease {
        /// The cluster.
        cluster: u8,
        /// The node object.
        node: Name,
        /// Its connection.
        link: u32,
    },
    /// Pods of an unreachable node are given up.
    Tolerated {
        /// The cluster.
        cluster: u8,
        /// The node object.
        node: Name,
        /// Its connection.
        link: u32,
    },
    /// The controllers look for missing pods.
    Schedule {
        /// The cluster.
        cluster: u8,
    },
    /// A pod is Ready.
    PodReady {
        /// The cluster.
        cluster: u8,
        /// The pod.
        pod: PodId,
    },
    /// A terminating pod is gone.
    PodGone {
        /// The cluster.
        cluster: u8,
        /// The pod.
        pod: PodId,
    },
    /// A tool process has slept enough.
    Wake(Origin),
    /// A timer of the caller.
    Timer(TimerId),
}

/// All state of one history.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct World {
    /// Now.
    pub now: Ms,
    pub(crate) seq: u64,
    pub(crate) streams: Streams,
    /// Hardware.
    pub profile: Profile,
    /// Whether durations vary. Off in exhaustive searches.
    pub jitter: bool,
    /// Interned names.
    pub names: Vec<String>,
    /// Known configs.
    pub configs: Vec<Config>,
    /// The machines.
    pub nodes: Vec<Node>,
    /// All etcd clusters, with the Kubernetes objects in them.
    pub etcd: Etcd,
    /// Volumes with data.
    pub volumes: Vec<Volume>,
    /// Copies and losses.
    pub ledger: Ledger,
    /// Faults in force.
    pub faults: Faults,
    /// Snapshots outside.
    pub snapshots: Vec<Snapshot>,
    #[serde(with = "queue")]
    pub(crate) queue: BTreeMap<(Ms, u64), Event>,
    pub(crate) calls: BTreeMap<Ticket, Call>,
    pub(crate) next_ticket: u32,
    /// The digest of everything that happened.
    pub trace: Trace,
    /// Requests that reached somebody.
    pub reached: Vec<Reached>,
    #[serde(skip)]
    pub(crate) answers: Vec<(Origin, Ticket, Outcome)>,
}

/// A volume and its name; its replicas are ledger entries.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Volume {
    /// Its name.
    pub name: Name,
    /// Replicas that exist.
    pub replicas: Vec<(NodeId, crate::spec::Medium)>,
}

impl World {
    /// An empty world.
    #[must_use]
    pub fn new(seed: u64, profile: Profile) -> Self {
        Self {
            now: 0,
            seq: 0,
            streams: Streams::new(seed),
            profile,
            jitter: true,
            names: Vec::new(),
            configs: Vec::new(),
            nodes: Vec::new(),
            etcd: Etcd::default(),
            volumes: Vec::new(),
            ledger: Ledger::default(),
            faults: Faults::default(),
            snapshots: Vec::new(),
            queue: BTreeMap::new(),
            calls: BTreeMap::new(),
            next_ticket: 0,
            trace: Trace::default(),
            reached: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// The interned form of `text`.
    pub fn intern(&mut self, text: &str) -> Name {
        let found = self.names.iter().position(|name| name == text);
        let index = found.unwrap_or_else(|| {
            self.names.push(text.to_owned());
            self.names.len() - 1
        });
        Name(index as u16)
    }

    /// The text of a name.
    pub fn name(&self, name: Name) -> &str {
        self.names.get(usize::from(name.0)).map_or("", String::as_str)
    }

    /// A machine.
    #[must_use]
    pub fn node(&self, node: NodeId) -> &Node {
        &self.nodes[usize::from(node.0)]
    }

    pub(crate) fn node_mut(&mut self, node: NodeId) -> &mut Node {
        &mut self.nodes[usize::from(node.0)]
    }

    /// All machine ids.
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u8).map(NodeId)
    }

    /// A config.
    #[must_use]
    pub fn config(&self, config: ConfigId) -> &Config {
        &self.configs[usize::from(config.0)]
    }

    pub(crate) fn took(&mut self, took: Took) -> Ms {
        if self.jitter {
            took.ms(self.profile, &mut self.streams.durations)
        } else {
            took.base(self.profile)
        }
    }

    pub(crate) fn push(&mut self, at: Ms, event: Event) {
        self.seq += 1;
        self.queue.insert((at.max(self.now), self.seq), event);
    }

    /// Schedules a step of a machine's present sequence.
    pub(crate) fn later(&mut self, node: NodeId, step: Step, delay: Ms) {
        let epoch = self.node(node).epoch;
        self.push(self.now + delay, Event::Node { node, epoch, step });
    }

    pub(crate) fn later_took(&mut self, node: NodeId, step: Step, took: Took) {
        let delay = self.took(took);
        self.later(node, step, delay);
    }

    /// When the next event is due.
    #[must_use]
    pub fn next_at(&self) -> Option<Ms> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    /// Sends a request. Its answer, if anybody waits for it, comes with an [`Event::Reply`].
    pub fn submit(&mut self, origin: Option<Origin>, route: Route, request: Request) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let since = self.now;
        self.calls.insert(ticket, Call { origin, route, request, at: None, since, outcome: None });
        let delay = self.took(Took::Network);
        self.push(self.now + delay, Event::Arrive(ticket));
        ticket
    }

    /// Sends a request to a node at its own address, with the cluster's credentials or insecurely.
    pub fn ask(&mut self, node: NodeId, request: Request) -> Ticket {
        let auth = self.node(node).active_ca(self).map_or(Auth::Insecure, Auth::Ca);
        let route = Route::Talos { endpoint: Some(node), target: Some(node), auth };
        self.submit(None, route, request)
    }

    /// Sends a config to a node at its own address.
    pub fn ask_apply(&mut self, node: NodeId, config: ConfigId, mode: crate::ApplyMode) -> Ticket {
        let config = ConfigRef::Good(config);
        self.ask(node, Request::Apply { config, mode, dry_run: false, timeout: 60_000 })
    }

    /// Processes exactly the next event and returns it.
    pub fn step(&mut self) -> Option<Event> {
        let ((at, _), event) = self.queue.pop_first()?;
        debug_assert!(at >= self.now, "time goes back");
        self.now = at;
        self.trace.note(at, event);
        self.happen(event);
        Some(event)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive(ticket) => self.arrive(ticket),
            Event::Effect(ticket) => self.effect(ticket),
            Event::Reply(ticket) => {
                if let Some(Call { origin: Some(origin), outcome: Some(outcome), .. }) =
                    self.calls.remove(&ticket)
                {
                    self.answers.push((origin, ticket, outcome));
                }
            }
            Event::Node { node, epoch, step } => {
                if self.node(node).epoch == epoch {
                    self.node_step(node, step);
                }
            }
            Event::TryEnds { node, window } => self.try_ends(node, window),
            Event::Elect { cluster, term } => self.elect(cluster, term),
            Event::Promote { cluster, member } => self.promote(cluster, member),
            Event::Lease { cluster, node, link } => self.lease_ends(cluster, node, link),
            Event::Tolerated { cluster, node, link } => self.tolerated(cluster, node, link),
            Event::Schedule { cluster } => self.schedule_pods(cluster),
            Event::PodReady { cluster, pod } => self.pod_ready(cluster, pod),
            Event::PodGone { cluster, pod } => self.pod_gone(cluster, pod),
            Event::Wake(_) | Event::Timer(_) => {}
        }
    }

    /// Runs until nothing is due before `until`.
    pub fn run_until(&mut self, until: Ms) {
        while self.next_at().is_some_and(|at| at <= until) {
            self.step();
        }
        self.now = self.now.max(until);
        self.answers.clear();
    }
}

/// JSON has no maps with structured keys: the queue travels as a list.
mod queue {
    use super::{BTreeMap, Event, Ms};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        queue: &BTreeMap<(Ms, u64), Event>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        // Whoever set a timer does not outlive its process.
        let due = queue.iter().filter(|(_, event)| !matches!(event, Event::Timer(_)));
        due.collect::<Vec<_>>().serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<(Ms, u64), Event>, D::Error> {
        Ok(Vec::<((Ms, u64), Event)>::deserialize(from)?.into_iter().collect())
    }
}
