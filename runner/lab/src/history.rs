//! Random histories: a seed gives a world, operations and faults; the same seed gives the same bytes.
//! Operations are data, so that a failing history can be cut down to what it needs.

use crate::facts::MODEL;
use crate::faults::Fault;
use crate::invariants::{Violation, Watch};
use crate::lab::Lab;
use crate::ledger::Loss;
use crate::request::{
    ApplyMode, ConfigRef, KubeKind, KubeRequest, Labels, RebootMode, Request, Reset, Route, Upload,
    WipeMode,
};
use crate::rng::{Stream, Streams};
use crate::spec::{LabSpec, Medium, VolumeSpec};
use crate::world::{ConfigId, Ms, NodeId, PodId, SnapshotId, World};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One thing that somebody does, or that breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// A request to a node at its own address.
    Ask(NodeId, Request),
    /// A request to a node through another.
    Through(NodeId, NodeId, Request),
    /// A request to the Kubernetes API.
    Kube(KubeRequest),
    /// Removes the member at this place of the list, by way of this node.
    RemoveMember(NodeId, u8),
    /// A config of this number goes to a node.
    Apply(NodeId, u8, ApplyMode, bool),
    /// Breaks something.
    Break(Fault),
    /// Mends everything.
    Heal,
    /// Somebody presses the power button.
    PowerOn(NodeId),
    /// Time passes.
    Wait(Ms),
}

/// A history that was run.
#[derive(Clone, Debug)]
pub struct History {
    /// Its seed.
    pub seed: u64,
    /// Digest of every event.
    pub digest: u64,
    /// Events since its template.
    pub events: u64,
    /// Simulated milliseconds at its end.
    pub ended: Ms,
    /// Invariants that broke, none in a sane lab.
    pub violations: Vec<Violation>,
    /// What was lost.
    pub losses: Vec<Loss>,
    /// What was done.
    pub operations: Vec<Operation>,
}

/// The seed belongs to another model, whose rows differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherModel {
    /// The model that was asked for.
    pub wanted: String,
}

impl fmt::Display for OtherModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the history was made with model {}; this lab has model {MODEL}", self.wanted)
    }
}

impl std::error::Error for OtherModel {}

/// Worlds to start from: building one means living through its installation.
#[derive(Debug)]
pub struct Templates(Vec<World>);

impl Default for Templates {
    fn default() -> Self {
        Self::new(&[1, 2, 3, 4])
    }
}

impl Templates {
    /// One template for each count of control planes, with two workers and two volumes.
    #[must_use]
    pub fn new(control_planes: &[u8]) -> Self {
        let build = |&count: &u8| {
            let mut spec = LabSpec::sized(count, 2, 0);
            for node in &mut spec.nodes {
                node.data_disks = vec!["/dev/sdb".into()];
            }
            spec.volumes = vec![
                VolumeSpec {
                    name: "shared".into(),
                    replicas: vec![
                        ("w-1".into(), Medium::Disk(0)),
                        ("w-2".into(), Medium::Disk(0)),
                    ],
                },
                VolumeSpec {
                    name: "local".into(),
                    replicas: vec![("w-1".into(), Medium::Ephemeral)],
                },
            ];
            let mut lab = Lab::healthy(spec);
            lab.learn_variants();
            lab.into_world()
        };
        Self(control_planes.iter().map(build).collect())
    }

    /// The history of a seed: which template, which operations, and what came of them.
    #[must_use]
    pub fn history(&self, seed: u64) -> History {
        let mut choose = Stream::new(seed, 9);
        let template = choose.below(self.0.len() as u64) as usize;
        let count = 8 + choose.below(24) as usize;
        let mut world = self.start(template, seed);
        let operations: Vec<Operation> =
            (0..count).map(|_| operation(&world, &mut choose)).collect();
        run(&mut world, seed, operations)
    }

    /// The world that the history of this seed begins in.
    #[must_use]
    pub fn world_of(&self, seed: u64) -> World {
        let template = Stream::new(seed, 9).below(self.0.len() as u64) as usize;
        self.start(template, seed)
    }

    /// A world of the template with this seed's streams.
    #[must_use]
    pub fn start(&self, template: usize, seed: u64) -> World {
        let mut world = self.0[template].clone();
        world.streams = Streams::new(seed);
        world
    }
}

/// Runs `SEED@MODEL` again.
pub fn replay(seed: u64, model: &str) -> Result<History, OtherModel> {
    if model != MODEL {
        return Err(OtherModel { wanted: model.to_owned() });
    }
    Ok(Templates::default().history(seed))
}

/// Runs these operations in this world, then heals everything and lets an hour pass.
pub fn run(world: &mut World, seed: u64, operations: Vec<Operation>) -> History {
    let before = world.trace.events;
    let mut watch = Watch::default();
    let mut violations = watch.check(world);
    for operation in &operations {
        perform(world, operation);
        if let Operation::Wait(ms) = operation {
            let until = world.now + ms;
            settle(world, until, &mut watch, &mut violations);
        }
    }
    world.heal_all();
    let until = world.now + 3_600_000;
    settle(world, until, &mut watch, &mut violations);
    History {
        seed,
        digest: world.trace.digest,
        events: world.trace.events - before,
        ended: world.now,
        violations,
        losses: world.ledger.losses.clone(),
        operations,
    }
}

fn settle(world: &mut World, until: Ms, watch: &mut Watch, violations: &mut Vec<Violation>) {
    while world.next_at().is_some_and(|at| at <= until) {
        world.step();
        if violations.len() < 8 {
            violations.append(&mut watch.check(world));
        }
    }
    world.run_until(until);
}

/// Does one thing.
pub fn perform(world: &mut World, operation: &Operation) {
    match operation {
        Operation::Ask(node, request) => {
            world.ask(*node, request.clone());
        }
        Operation::Through(endpoint, node, request) => {
            let auth = world
                .node(*endpoint)
                .active_ca(world)
                .map_or(crate::request::Auth::Insecure, crate::request::Auth::Ca);
            let route = Route::Talos { endpoint: Some(*endpoint), target: Some(*node), auth };
            world.submit(None, route, request.clone());
        }
        Operation::Kube(request) => {
            let ca = world.configs.first().map_or(0, |config| config.kube_ca);
            world.submit(None, Route::Kube { server: None, ca }, Request::Kube(*request));
        }
        Operation::RemoveMember(node, place) => {
            let member = world
                .primary()
                .and_then(|cluster| {
                    world.etcd.clusters[usize::from(cluster)].members.get(usize::from(*place))
                })
                .map_or(1, |member| member.id);
            world.ask(*node, Request::EtcdRemove(member));
        }
        Operation::Apply(node, config, mode, dry_run) => {
            let number = u16::from(*config) % world.configs.len().max(1) as u16;
            let config = if *config == u8::MAX {
                ConfigRef::Broken
            } else {
                ConfigRef::Good(ConfigId(number))
            };
            let (mode, dry_run) = (*mode, *dry_run);
            world.ask(*node, Request::Apply { config, mode, dry_run, timeout: 60_000 });
        }
        // Names are the world's own, so these cannot fail.
        Operation::Break(fault) => _ = world.break_(fault),
        Operation::Heal => world.heal_all(),
        Operation::PowerOn(node) => world.power_on(*node),
        Operation::Wait(_) => {}
    }
}

/// A random operation for this world.
pub fn operation(world: &World, choose: &mut Stream) -> Operation {
    let nodes = world.nodes.len() as u64;
    let node = NodeId(choose.below(nodes) as u8);
    let other = NodeId(choose.below(nodes) as u8);
    let name = || world.name(world.node(node).name).to_owned();
    match choose.below(34) {
        0..=7 | 30..=33 => {
            let waits = [1, 500, 5_000, 30_000, 120_000, 400_000, 1_200_000];
            Operation::Wait(waits[choose.below(7) as usize])
        }
        8..=11 => Operation::Ask(node, Request::Reset(reset(world, choose))),
        12 => Operation::Through(other, node, Request::Reset(reset(world, choose))),
        13 | 14 => Operation::Ask(
            node,
            Request::Reboot(
                [RebootMode::Default, RebootMode::Powercycle, RebootMode::Force]
                    [choose.below(3) as usize],
            ),
        ),
        15 => Operation::Ask(node, Request::Shutdown { force: choose.below(2) == 0 }),
        16 | 17 => Operation::PowerOn(node),
        18..=20 => Operation::Apply(
            node,
            if choose.below(8) == 0 { u8::MAX } else { choose.below(12) as u8 },
            [
                ApplyMode::Auto,
                ApplyMode::NoReboot,
                ApplyMode::Reboot,
                ApplyMode::Staged,
                ApplyMode::Try,
            ][choose.below(5) as usize],
            choose.below(4) == 0,
        ),
        21 => Operation::Ask(node, Request::Bootstrap { recover: false, skip_hash: false }),
        22 => Operation::RemoveMember(node, choose.below(5) as u8),
        23 => Operation::Ask(node, Request::EtcdLeave),
        24 => Operation::Ask(
            node,
            if choose.below(2) == 0 { Request::EtcdForfeit } else { Request::EtcdSnapshot },
        ),
        25 => {
            if world.snapshots.is_empty() {
                Operation::Ask(node, Request::EtcdSnapshot)
            } else {
                let upload =
                    Upload::Good(SnapshotId { revision: world.snapshots[0].revision, number: 0 });
                Operation::Ask(node, Request::Upload(upload))
            }
        }
        26 => Operation::Kube(match choose.below(3) {
            0 => KubeRequest::Cordon { node: world.node(node).name, on: choose.below(2) == 0 },
            1 => KubeRequest::Evict { pod: PodId(1 + choose.below(40) as u32), dry_run: false },
            _ => KubeRequest::Read(KubeKind::Nodes),
        }),
        27 | 28 => Operation::Break(match choose.below(8) {
            0 => Fault::NodeOffline(name()),
            1 => Fault::NetworkCut(name()),
            2 => Fault::EtcdMemberDown(name()),
            3 => Fault::ApiTimeout,
            4 => Fault::WrongContext,
            5 => Fault::Slow,
            6 => Fault::LoseReply,
            _ => Fault::LoseRequest,
        }),
        _ => Operation::Heal,
    }
}

fn reset(world: &World, choose: &mut Stream) -> Reset {
    let disks: Vec<_> = world.nodes[0].disks.iter().skip(1).map(|disk| disk.path).collect();
    let labels = match choose.below(8) {
        0 => Labels::default(),
        1 => Labels { state: true, ..Labels::default() },
        2 | 3 => Labels { ephemeral: true, ..Labels::default() },
        _ => Labels { state: true, ephemeral: true, ..Labels::default() },
    };
    let mode = [WipeMode::All, WipeMode::All, WipeMode::SystemDisk, WipeMode::UserDisks]
        [choose.below(4) as usize];
    Reset {
        graceful: choose.below(3) > 0,
        reboot: choose.below(3) > 0,
        labels,
        mode,
        disks: if choose.below(4) == 0 { disks } else { Vec::new() },
    }
}
