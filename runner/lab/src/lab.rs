//! The lab as its caller sees it: a world, the texts that belong to it, and the tool processes in it.
//! The caller owns the clock: time moves only by [`Lab::step`] and [`Lab::advance_to`].

mod client_files;
mod mark;

use crate::config::{self, Base, ConfigError, Secrets};
use crate::face::{Finished, HttpCall, Process, ReadFiles, ToolCall, ToolOutput};
use crate::faults::{Fault, FaultError};
use crate::invariants::{Violation, Watch};
use crate::ledger::{Asset, Ledger, Place};
use crate::rng::Stream;
use crate::spec::LabSpec;
use crate::world::{ClientId, ConfigId, Event, Ms, NodeId, Reached, SnapshotId, TimerId, World};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

pub use client_files::ClientFiles;
pub use mark::Mark;

/// Version of the stored form.
pub const SCHEMA: u32 = 1;

/// A simulated cluster with everything around it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Lab {
    schema: u32,
    model: String,
    pub(crate) spec: LabSpec,
    pub(crate) world: World,
    pub(crate) texts: Vec<String>,
    /// The lab's own secrets; `gen secrets` makes others.
    pub(crate) secrets: Secrets,
    pub(crate) random: Stream,
    next_client: u32,
    next_timer: u32,
    /// Tool processes are the caller's: those of an earlier caller are gone.
    #[serde(skip)]
    processes: BTreeMap<ClientId, Process>,
    #[serde(skip)]
    finished: Vec<(ClientId, Finished)>,
    #[serde(skip)]
    fired: Vec<TimerId>,
    #[serde(skip)]
    watch: Watch,
    /// Copies that processes read from.
    #[serde(skip)]
    names: Arc<Vec<String>>,
    #[serde(skip)]
    shared_texts: Arc<Vec<String>>,
}

/// Why a stored lab cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// Not a stored lab.
    Unreadable(String),
    /// Stored by a newer build.
    Newer {
        /// Its schema.
        found: u32,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "the stored lab cannot be read: {why}"),
            Self::Newer { found } => {
                write!(f, "the stored lab has schema {found}, this build knows up to {SCHEMA}")
            }
        }
    }
}

impl std::error::Error for LoadError {}

impl Lab {
    /// Every machine on, in maintenance mode, with nothing installed.
    #[must_use]
    pub fn bare(spec: LabSpec) -> Self {
        let world = World::of(&spec);
        let mut random = Stream::new(spec.seed, 5);
        let secrets = Secrets::generate(&mut random);
        let mut lab = Self::over(spec, world, secrets, random);
        let nodes: Vec<NodeId> = lab.world.node_ids().collect();
        for node in nodes {
            lab.world.power_on(node);
        }
        lab.world.run_until(60_000);
        lab
    }

    fn over(spec: LabSpec, world: World, secrets: Secrets, random: Stream) -> Self {
        Self {
            schema: SCHEMA,
            model: crate::facts::MODEL.to_owned(),
            spec,
            world,
            texts: Vec::new(),
            secrets,
            random,
            next_client: 1,
            next_timer: 1,
            processes: BTreeMap::new(),
            finished: Vec::new(),
            fired: Vec::new(),
            watch: Watch::default(),
            names: Arc::default(),
            shared_texts: Arc::default(),
        }
    }

    /// A bootstrapped cluster with every node Ready, some workload with a budget, and the spec's
    /// volumes. It has lived through its own installation, so nothing in it is made up.
    #[must_use]
    pub fn healthy(spec: LabSpec) -> Self {
        let mut lab = Self::bare(spec);
        let nodes: Vec<NodeId> = lab.world.node_ids().collect();
        for &node in &nodes {
            let text = lab.node_config(node);
            if let Ok(config) = lab.learn(&text) {
                lab.world.ask_apply(node, config, crate::ApplyMode::Auto);
            }
        }
        let first = nodes
            .iter()
            .copied()
            .find(|&node| lab.world.node(node).role == crate::spec::Role::ControlPlane);
        lab.world.ledger.add(lab.secrets_asset(), Place::Outside(SnapshotId::default()));
        if let Some(first) = first {
            lab.run_while(|world| !world.node(first).containerd);
            let request = crate::request::Request::Bootstrap { recover: false, skip_hash: false };
            lab.world.ask(first, request);
            lab.run_while(|world| world.node_ids().any(|node| !world.node(node).ready));
            lab.world.furnish(&lab.spec);
            let settled = lab.world.now + 60_000;
            lab.world.run_until(settled);
        }
        lab.world.reached.clear();
        lab
    }

    /// Steps on while `busy`, for at most three simulated hours.
    fn run_while(&mut self, busy: impl Fn(&World) -> bool) {
        let limit = self.world.now + 3 * 3_600_000;
        while busy(&self.world) && self.world.next_at().is_some_and(|at| at < limit) {
            self.world.step();
        }
        self.world.answers.clear();
    }

    pub(crate) fn secrets_asset(&self) -> Asset {
        Asset::Secrets(crate::trace::fingerprint(self.secrets.certs.os.crt.as_str()))
    }

    /// The config that a healthy lab gives a node, from the lab's own secrets.
    #[must_use]
    pub fn node_config(&self, node: NodeId) -> String {
        let spec = &self.spec.nodes[usize::from(node.0)];
        let base = Base {
            cluster: &self.spec.cluster,
            endpoint: &self.spec.endpoint,
            talos: &self.spec.talos_version,
            kubernetes: &self.spec.kubernetes_version,
            disk: &spec.install_disk,
            secrets: &self.secrets,
        };
        let text = config::base(spec.role, &base);
        if !self.spec.no_cni {
            return text;
        }
        text.replace(
            "        dnsDomain:",
            "        cni:\n            name: none\n        dnsDomain:",
        )
    }

    /// Makes a config text known to the world.
    pub fn learn(&mut self, text: &str) -> Result<ConfigId, ConfigError> {
        if let Some(known) = self.texts.iter().position(|known| known == text) {
            return Ok(ConfigId(known as u16));
        }
        let digest = config::read(text)?.digest(&mut self.world);
        self.texts.push(text.to_owned());
        self.world.configs.push(digest);
        Ok(ConfigId((self.texts.len() - 1) as u16))
    }

    /// Starts a tool. Files are read now; the process then lives in simulated time.
    pub fn start(&mut self, call: &ToolCall, files: &dyn ReadFiles) -> ClientId {
        let process = crate::face::start(self, call, files);
        self.adopt(process)
    }

    /// Starts a request to the Kubernetes API; finishes with a status and a body.
    pub fn start_http(&mut self, call: HttpCall) -> ClientId {
        let process = crate::face::http::start(self, call);
        self.adopt(process)
    }

    fn adopt(&mut self, process: Process) -> ClientId {
        let client = ClientId(self.next_client);
        self.next_client += 1;
        self.processes.insert(client, process);
        self.poll(client);
        client
    }

    /// When the next event is due, in simulated milliseconds.
    #[must_use]
    pub fn next_event_at(&self) -> Option<Ms> {
        self.world.next_at()
    }

    /// Simulated milliseconds since the lab began.
    #[must_use]
    pub fn now(&self) -> Ms {
        self.world.now
    }

    /// Processes exactly the next event; false when there is none.
    pub fn step(&mut self) -> bool {
        let Some(event) = self.world.step() else { return false };
        let mut touched = BTreeSet::new();
        match event {
            Event::Wake(origin) => {
                if let Some(process) = self.processes.get(&origin.client) {
                    process.io.wake(origin.slot);
                    touched.insert(origin.client);
                }
            }
            Event::Timer(timer) => self.fired.push(timer),
            _ => {}
        }
        for (origin, _, outcome) in std::mem::take(&mut self.world.answers) {
            if let Some(process) = self.processes.get(&origin.client) {
                process.io.answer(origin.slot, outcome);
                touched.insert(origin.client);
            }
        }
        for client in touched {
            self.poll(client);
        }
        true
    }

    fn poll(&mut self, client: ClientId) {
        let Some(process) = self.processes.get_mut(&client) else { return };
        // Both only ever grow, so their lengths say whether the copies are good.
        if self.names.len() != self.world.names.len() {
            self.names = Arc::new(self.world.names.clone());
        }
        if self.shared_texts.len() != self.texts.len() {
            self.shared_texts = Arc::new(self.texts.clone());
        }
        let shared = (Arc::clone(&self.names), Arc::clone(&self.shared_texts));
        if let Some(finished) = process.poll(client, &mut self.world, shared.0, shared.1) {
            self.processes.remove(&client);
            self.finished.push((client, finished));
        }
    }

    /// Processes every event up to this time and moves on to it.
    pub fn advance_to(&mut self, at: Ms) {
        while self.world.next_at().is_some_and(|next| next <= at) {
            self.step();
        }
        self.world.now = self.world.now.max(at);
    }

    /// Tools that have ended since the last call, in the order in which they did.
    pub fn take_finished(&mut self) -> Vec<(ClientId, ToolOutput)> {
        let (tools, rest) = std::mem::take(&mut self.finished)
            .into_iter()
            .partition(|(_, finished)| matches!(finished, Finished::Tool(_)));
        self.finished = rest;
        let tools: Vec<(ClientId, Finished)> = tools;
        tools
            .into_iter()
            .filter_map(|(client, finished)| match finished {
                Finished::Tool(output) => Some((client, output)),
                Finished::Http(..) => None,
            })
            .collect()
    }

    /// HTTP requests that have been answered since the last call: status and body.
    pub fn take_answered(&mut self) -> Vec<(ClientId, (u16, Value))> {
        let (answers, rest) = std::mem::take(&mut self.finished)
            .into_iter()
            .partition(|(_, finished)| matches!(finished, Finished::Http(..)));
        self.finished = rest;
        let answers: Vec<(ClientId, Finished)> = answers;
        answers
            .into_iter()
            .filter_map(|(client, finished)| match finished {
                Finished::Http(status, body) => Some((client, (status, body))),
                Finished::Tool(_) => None,
            })
            .collect()
    }

    /// Ends a tool between two of its steps. What it sent is under way all the same.
    pub fn kill_client(&mut self, client: ClientId) {
        self.processes.remove(&client);
    }

    /// Whether the client still runs.
    #[must_use]
    pub fn is_running(&self, client: ClientId) -> bool {
        self.processes.contains_key(&client)
    }

    /// A timer of the caller in simulated time.
    pub fn set_timer(&mut self, at: Ms) -> TimerId {
        let timer = TimerId(self.next_timer);
        self.next_timer += 1;
        self.world.push(at, Event::Timer(timer));
        timer
    }

    /// A timer that nobody waits for any more.
    pub fn cancel_timer(&mut self, timer: TimerId) {
        self.world.queue.retain(|_, event| !matches!(event, Event::Timer(id) if *id == timer));
        self.fired.retain(|fired| *fired != timer);
    }

    /// Timers that have run out since the last call.
    pub fn take_timers(&mut self) -> Vec<TimerId> {
        std::mem::take(&mut self.fired)
    }

    /// Requests that reached a node or an API server, oldest first.
    #[must_use]
    pub fn requests(&self) -> &[Reached] {
        &self.world.reached
    }

    /// Copies and losses.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.world.ledger
    }

    /// Checks what must hold in every world; empty unless the lab itself is wrong.
    pub fn check_invariants(&mut self) -> Vec<Violation> {
        self.watch.check(&self.world)
    }

    /// Makes configs known that random histories apply: other labels, another role, a partial one.
    pub(crate) fn learn_variants(&mut self) {
        let nodes: Vec<NodeId> = self.world.node_ids().collect();
        for node in [nodes.first(), nodes.last()].into_iter().flatten() {
            let text = self.node_config(*node);
            let labelled =
                text.replace("    features:", "    sysctls:\n        a: b\n    features:");
            let rebooting = text.replace("diskQuotaSupport: true", "diskQuotaSupport: false");
            for text in [labelled, rebooting] {
                // They are made from a config that reads.
                let _ = self.learn(&text);
            }
        }
        let _ = self.learn("apiVersion: v1alpha1\nkind: HostnameConfig\nhostname: other\n");
    }

    /// The world alone.
    pub(crate) fn into_world(self) -> World {
        self.world
    }

    /// The world itself.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The spec it was built from.
    #[must_use]
    pub fn spec(&self) -> &LabSpec {
        &self.spec
    }

    /// The machine of this inventory name.
    #[must_use]
    pub fn node_named(&self, name: &str) -> Option<NodeId> {
        let place = self.spec.nodes.iter().position(|node| node.name == name)?;
        Some(NodeId(place as u8))
    }

    /// The machine at this address, a port being no part of it.
    #[must_use]
    pub fn node_at(&self, address: &str) -> Option<NodeId> {
        let host = address.rsplit_once(':').map_or(address, |(host, port)| {
            if port.bytes().all(|byte| byte.is_ascii_digit()) { host } else { address }
        });
        let place = self.spec.nodes.iter().position(|node| node.address == host)?;
        Some(NodeId(place as u8))
    }

    /// Breaks something.
    pub fn break_(&mut self, fault: &Fault) -> Result<(), FaultError> {
        self.world.break_(fault)
    }

    /// Mends it.
    pub fn heal(&mut self, fault: &Fault) -> Result<(), FaultError> {
        self.world.heal(fault)
    }

    /// Presses the power button of a machine that is off.
    pub fn power_on(&mut self, node: NodeId) {
        self.world.power_on(node);
    }

    /// Installs a CNI into a cluster whose config brings none.
    pub fn install_cni(&mut self) {
        self.world.install_cni();
    }

    /// Puts a pod that no controller owns on a node.
    pub fn add_bare_pod(&mut self, node: &str, app: crate::kube::App) {
        let node = self.world.intern(node);
        self.world.add_bare_pod(app, node);
    }

    /// Digest of everything that happened so far: equal seeds and calls give equal digests.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.world.trace.digest
    }

    /// The same history once more, as if it had been stored and read again: without the tool processes of its caller.
    #[must_use]
    pub fn twin(&self) -> Self {
        let (spec, world) = (self.spec.clone(), self.world.clone());
        let mut twin = Self::over(spec, world, self.secrets.clone(), self.random.clone());
        twin.texts.clone_from(&self.texts);
        (twin.next_client, twin.next_timer) = (self.next_client, self.next_timer);
        twin
    }

    /// The stored form; tool processes are not in it.
    #[must_use]
    pub fn save(&self) -> String {
        // Plain data with string keys always serialises.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a stored lab. One of a newer build is refused.
    pub fn load(text: &str) -> Result<Self, LoadError> {
        #[derive(Deserialize)]
        struct Head {
            schema: u32,
        }
        let unreadable = |error: serde_json::Error| LoadError::Unreadable(error.to_string());
        let head: Head = serde_json::from_str(text).map_err(unreadable)?;
        if head.schema > SCHEMA {
            return Err(LoadError::Newer { found: head.schema });
        }
        serde_json::from_str(text).map_err(unreadable)
    }
}
