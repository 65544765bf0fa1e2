//! What must hold in every world after every event, or the lab itself is wrong.
//! Looks only; allocates nothing unless something is broken.

use crate::ledger::{Asset, Place};
use crate::node::{EtcdProcess, Stage};
use crate::world::{Ms, NodeId, World};
use std::fmt;

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its number in the model.
    pub number: u8,
    /// When, in simulated milliseconds.
    pub at: Ms,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "W{} at {} ms: {}", self.number, self.at, self.what)
    }
}

/// What is remembered from one check to the next.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    at: Ms,
    indexes: Vec<u64>,
    boots: Vec<(u32, u64, u64)>,
    losses: usize,
}

impl Watch {
    /// Checks the world against everything, and against what was seen before.
    pub fn check(&mut self, world: &World) -> Vec<Violation> {
        let mut found = Found { at: world.now, list: Vec::new() };
        if world.now < self.at || world.next_at().is_some_and(|next| next < world.now) {
            found.add(1, || "time goes back".into());
        }
        self.at = world.now;
        for number in 0..world.etcd.clusters.len() {
            self.cluster(world, number, &mut found);
        }
        for node in world.node_ids() {
            self.node(world, node, &mut found);
        }
        for (number, volume) in (0u16..).zip(&world.volumes) {
            let copies = world.ledger.copies.get(&Asset::Volume(number));
            let held = |node: NodeId| volume.replicas.iter().any(|(at, _)| *at == node);
            let wrong = world.node_ids().any(|node| {
                copies.is_some_and(|copies| copies.contains(&Place::Node(node))) != held(node)
            });
            if wrong {
                found.add(13, || format!("volume {number}: replicas and ledger differ"));
            }
        }
        if world.ledger.losses.len() < self.losses
            || world.ledger.losses[self.losses..].iter().any(|loss| loss.at > world.now)
        {
            found.add(14, || "the ledger forgets, or knows the future".into());
        }
        self.losses = world.ledger.losses.len();
        found.list
    }

    fn cluster(&mut self, world: &World, number: usize, found: &mut Found) {
        let cluster = &world.etcd.clusters[number];
        let members = &cluster.members;
        for (place, member) in members.iter().enumerate() {
            let same =
                |other: &crate::etcd::Member| other.id == member.id || other.name == member.name;
            if members[place + 1..].iter().any(same) {
                found.add(2, || format!("etcd {number}: member {:x} twice", member.id));
            }
        }
        let index = cluster.index_at(world.now);
        match self.indexes.get_mut(number) {
            Some(last) => {
                if index < *last {
                    found.add(3, || format!("etcd {number}: index falls from {last} to {index}"));
                }
                *last = index;
            }
            None => self.indexes.push(index),
        }
        let alive = world.alive_voters(number as u8);
        if cluster.quorum && alive < cluster.voters().count() / 2 + 1 {
            found.add(4, || format!("etcd {number}: commits with {alive} voters"));
        }
        let leader = cluster.leader.map(|id| cluster.member(id));
        if leader.is_some_and(|leader| leader.is_none_or(|leader| leader.learner)) {
            found.add(5, || format!("etcd {number}: the leader is no voter"));
        }
        if members.iter().filter(|member| member.learner).count() > 1 {
            found.add(6, || format!("etcd {number}: more than one learner"));
        }
        let copies = world.ledger.copies.get(&Asset::Etcd(number as u8));
        for node in world.node_ids() {
            let holds = world.node(node).etcd_data.is_some_and(|data| {
                usize::from(data.cluster) == number && cluster.member(data.member).is_some()
            });
            let listed = copies.is_some_and(|copies| copies.contains(&Place::Node(node)));
            if holds && !listed {
                found.add(13, || {
                    format!("etcd {number}: data on node {} is not in the ledger", node.0)
                });
            }
        }
    }

    fn node(&mut self, world: &World, node: NodeId, found: &mut Found) {
        let state = world.node(node);
        let name = || world.name(state.name).to_owned();
        if (state.persisted.is_some() || state.etcd_data.is_some()) && !state.installed {
            found.add(7, || format!("{}: data without partitions", name()));
        }
        let complete = state.active.is_some_and(|config| world.config(config).role.is_some());
        if state.stage == Stage::Running && !(complete && state.services && state.kubelet) {
            found.add(8, || format!("{}: running without config or services", name()));
        }
        let seen = (state.boots, state.boot_id, state.hardware);
        match self.boots.get_mut(usize::from(node.0)) {
            Some(last) => {
                if (last.0 == seen.0) != (last.1 == seen.1) || last.2 != seen.2 {
                    found.add(9, || format!("{}: boot id or hardware changed by itself", name()));
                }
                *last = seen;
            }
            None => self.boots.push(seen),
        }
        let down = matches!(state.stage, Stage::Rebooting | Stage::Resetting | Stage::ShuttingDown);
        if down && state.sequence.is_none() {
            found.add(10, || format!("{}: {} without a sequence", name(), state.stage.word()));
        }
        if state.stage != Stage::Off && !state.installed && !state.medium {
            // A wipe in progress is the moment between the two.
            found.add(11, || format!("{}: runs without anything to boot from", name()));
        }
        let idle = matches!(state.stage, Stage::Off | Stage::Maintenance);
        if idle && (state.kubelet || state.api || state.etcd != EtcdProcess::Down) {
            found.add(15, || format!("{}: {} and runs something", name(), state.stage.word()));
        }
        if state.stage == Stage::Off && (state.apid || state.active.is_some()) {
            found.add(15, || format!("{}: off with something in memory", name()));
        }
    }
}

struct Found {
    at: Ms,
    list: Vec<Violation>,
}

impl Found {
    fn add(&mut self, number: u8, what: impl FnOnce() -> String) {
        self.list.push(Violation { number, at: self.at, what: what() });
    }
}
