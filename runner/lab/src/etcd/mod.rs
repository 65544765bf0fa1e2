//! etcd: members, leader, quorum, and what each member says about itself. Raft is elections and an
//! index; there is no log. Membership changes are in `change`, the process on a node in `process`.

mod change;
mod process;
mod rescue;

use crate::facts::Took;
use crate::kube::Kube;
use crate::ledger::{Asset, Cause, Extent};
use crate::node::{EtcdProcess, Served, Stage};
use crate::reply::{EtcdStatus, Outcome, Reply};
use crate::request::{Api, Refusal};
use crate::spec::Role;
use crate::world::{Event, MemberId, Ms, Name, NodeId, World};
use serde::{Deserialize, Serialize};

/// A member as the cluster knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Member {
    /// Id.
    pub id: MemberId,
    /// Hostname at the time it joined.
    pub name: Name,
    /// The machine it ran on.
    pub node: NodeId,
    /// Counts for no quorum.
    pub learner: bool,
}

/// One etcd cluster, and the Kubernetes objects in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EtcdCluster {
    /// Id.
    pub id: u64,
    /// Fingerprint of the Talos cluster's id and secret.
    pub owner: u64,
    /// Members, in the order in which they joined.
    pub members: Vec<Member>,
    /// Leader.
    pub leader: Option<MemberId>,
    /// Term.
    pub term: u32,
    /// Whether the members that run and hear each other are a quorum, with a leader.
    pub quorum: bool,
    /// Committed index when the quorum last changed.
    pub index: u64,
    /// When that was.
    pub since: Ms,
    /// Whether an election is under way.
    pub electing: bool,
    /// NOSPACE alarm.
    pub nospace: bool,
    /// The objects.
    pub kube: Kube,
}

/// All etcd clusters there ever were; more than one is an accident.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Etcd {
    /// By number.
    pub clusters: Vec<EtcdCluster>,
}

/// Commits a second while there is a quorum: leases of nodes and controllers.
const COMMIT_EVERY: Ms = 200;

impl EtcdCluster {
    /// Committed index.
    #[must_use]
    pub fn index_at(&self, now: Ms) -> u64 {
        let commits = if self.quorum { (now - self.since) / COMMIT_EVERY } else { 0 };
        self.index + commits
    }

    /// Members that count.
    pub fn voters(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| !member.learner)
    }

    /// How many voters a decision needs.
    #[must_use]
    pub fn needed(&self) -> usize {
        self.voters().count() / 2 + 1
    }

    /// The member of this id.
    #[must_use]
    pub fn member(&self, id: MemberId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == id)
    }
}

impl World {
    pub(crate) fn cluster(&self, cluster: u8) -> &EtcdCluster {
        &self.etcd.clusters[usize::from(cluster)]
    }

    pub(crate) fn cluster_mut(&mut self, cluster: u8) -> &mut EtcdCluster {
        &mut self.etcd.clusters[usize::from(cluster)]
    }

    /// Whether a member's process runs over its own data and hears the others.
    #[must_use]
    pub fn member_alive(&self, cluster: u8, member: &Member) -> bool {
        let node = self.node(member.node);
        node.etcd == EtcdProcess::Running
            && self.connected(member.node)
            && node
                .etcd_data
                .is_some_and(|data| data.cluster == cluster && data.member == member.id)
    }

    pub(crate) fn alive_voters(&self, cluster: u8) -> usize {
        self.cluster(cluster).voters().filter(|member| self.member_alive(cluster, member)).count()
    }

    /// Whether the node's etcd is a voter of a cluster with a leader.
    #[must_use]
    pub fn etcd_healthy(&self, node: NodeId) -> bool {
        let state = self.node(node);
        let Some(data) = state.etcd_data else { return false };
        let cluster = self.cluster(data.cluster);
        state.etcd == EtcdProcess::Running
            && self.connected(node)
            && cluster.quorum
            && cluster.member(data.member).is_some_and(|member| !member.learner)
    }

    /// Looks at a cluster again after anything about its members changed.
    pub(crate) fn etcd_refresh(&mut self, number: u8) {
        let now = self.now;
        let alive = self.alive_voters(number);
        let cluster = self.cluster(number);
        let majority = alive >= cluster.needed();
        let leader = cluster.leader.and_then(|id| cluster.member(id).copied());
        let led =
            leader.is_some_and(|member| !member.learner && self.member_alive(number, &member));
        let was = cluster.quorum;
        let index = cluster.index_at(now);
        let cluster = self.cluster_mut(number);
        (cluster.index, cluster.since) = (index, now);
        if !led || !majority {
            cluster.leader = None;
        }
        cluster.quorum = led && majority;
        if majority && !led && !cluster.electing {
            cluster.electing = true;
            let term = cluster.term;
            let delay = self.took(Took::Election);
            self.push(now + delay, Event::Elect { cluster: number, term });
        }
        if self.cluster(number).quorum != was {
            self.quorum_changed(number);
        }
    }

    pub(crate) fn elect(&mut self, number: u8, term: u32) {
        if self.cluster(number).term != term {
            return;
        }
        self.cluster_mut(number).electing = false;
        let majority = self.alive_voters(number) >= self.cluster(number).needed();
        let candidate = self
            .cluster(number)
            .voters()
            .find(|member| self.member_alive(number, member))
            .map(|member| member.id);
        if let (true, Some(leader)) = (majority, candidate) {
            let cluster = self.cluster_mut(number);
            cluster.term += 1;
            cluster.leader = Some(leader);
            cluster.index += 1;
            self.etcd_refresh(number);
        }
    }

    /// Everything that waits for etcd, or hangs without it, hears of a change.
    fn quorum_changed(&mut self, number: u8) {
        if self.cluster(number).quorum {
            self.wake_joiners(number);
            let learners: Vec<MemberId> = self
                .cluster(number)
                .members
                .iter()
                .filter(|member| member.learner)
                .map(|member| member.id)
                .collect();
            for member in learners {
                let delay = self.took(Took::PromoteRetry);
                self.push(self.now + delay, Event::Promote { cluster: number, member });
            }
        }
        let nodes: Vec<NodeId> = self.node_ids().collect();
        for &node in &nodes {
            if self.node(node).etcd_data.is_some_and(|data| data.cluster == number) {
                self.api_follows(node);
                self.settle(node);
            }
        }
        self.kube_resync(number);
    }

    /// Records the loss of quorum for good: too few voters could ever come back with their data.
    pub(crate) fn check_quorum_possible(&mut self, cause: Cause) {
        for number in 0..self.etcd.clusters.len() as u8 {
            let cluster = self.cluster(number);
            if cluster.members.is_empty() {
                continue;
            }
            let possible = cluster
                .voters()
                .filter(|member| {
                    let node = self.node(member.node);
                    let role = node.persisted.and_then(|config| self.config(config).role);
                    node.etcd_data
                        .is_some_and(|data| data.cluster == number && data.member == member.id)
                        && role != Some(Role::Worker)
                })
                .count();
            if possible < cluster.needed() {
                self.ledger.lose(self.now, Asset::Quorum(number), Extent::All, cause);
            }
        }
    }

    /// The cluster that a node's own etcd belongs to.
    fn own_etcd(&self, node: NodeId, api: Api) -> Result<u8, Refusal> {
        self.control_plane(node, api)?;
        match (self.node(node).etcd, self.node(node).etcd_data) {
            (EtcdProcess::Running, Some(data)) => Ok(data.cluster),
            _ => Err(Refusal::EtcdDown(api)),
        }
    }

    pub(crate) fn members(&self, node: NodeId) -> Outcome {
        let number = self.own_etcd(node, Api::MemberList)?;
        let cluster = self.cluster(number);
        let own = self.node(node).etcd_data.and_then(|data| cluster.member(data.member));
        match own {
            Some(own) if own.learner => Err(Refusal::LearnerRefuses),
            _ if !cluster.quorum => Err(Refusal::NoLeader),
            _ => {
                let mut members = cluster.members.clone();
                members.sort_by_key(|member| member.id);
                Ok(Reply::Members(members))
            }
        }
    }

    /// Answered locally: without quorum too.
    pub(crate) fn etcd_status(&self, node: NodeId) -> Outcome {
        let number = self.own_etcd(node, Api::Status)?;
        let cluster = self.cluster(number);
        let Some(data) = self.node(node).etcd_data else {
            return Err(Refusal::EtcdDown(Api::Status));
        };
        Ok(Reply::Status(EtcdStatus {
            member: data.member,
            leader: cluster.leader.unwrap_or(0),
            index: cluster.index_at(self.now),
            term: cluster.term,
            learner: cluster.member(data.member).is_some_and(|member| member.learner),
            no_leader: !cluster.quorum,
            size: cluster.kube.size(),
            nospace: cluster.nospace,
        }))
    }

    pub(crate) fn alarms(&self, node: NodeId) -> Outcome {
        let number = self.own_etcd(node, Api::Alarms)?;
        if self.cluster(number).quorum { self.etcd_status(node) } else { Err(Refusal::NoLeader) }
    }

    /// Calls that any control plane's etcd answers, not the named node's.
    pub(crate) fn etcd_answers(
        &mut self,
        node: NodeId,
        api: Api,
        act: impl FnOnce(&mut Self, u8) -> Outcome,
    ) -> Served {
        if let Err(refusal) = self.control_plane(node, api) {
            return Served::Now(Err(refusal));
        }
        let Some(number) = self.cluster_of(node) else {
            return Served::Now(Err(Refusal::EtcdDown(api)));
        };
        if !self.cluster(number).quorum {
            let wait = Took::EtcdRequest.base(self.profile);
            let any = self.alive_voters(number) > 0;
            let refusal = if any { Refusal::NoLeader } else { Refusal::EtcdTimeout };
            return Served::After(wait, Err(refusal));
        }
        Served::Now(act(self, number))
    }

    /// The etcd cluster a node would talk to: its own, else the one its discovery finds.
    pub(crate) fn cluster_of(&self, node: NodeId) -> Option<u8> {
        if let Some(data) = self.node(node).etcd_data {
            return Some(data.cluster);
        }
        let owner = self.node(node).active.map(|config| self.config(config).cluster)?;
        let numbers = 0..self.etcd.clusters.len() as u8;
        let mine = numbers.filter(|&number| self.cluster(number).owner == owner);
        mine.max_by_key(|&number| (self.alive_voters(number) > 0, u8::MAX - number))
    }

    /// Round of server-side health checks, in their order: the number of the first that fails.
    pub(crate) fn health(&self, node: NodeId) -> Result<(), u8> {
        let Some(number) = self.cluster_of(node) else { return Err(0) };
        let cluster = self.cluster(number);
        let own = self.node(node).active.map(|config| self.config(config).cluster);
        let planes: Vec<NodeId> = self
            .node_ids()
            .filter(|&id| {
                let state = self.node(id);
                state.is_control_plane(self)
                    && state.active.map(|config| self.config(config).cluster) == own
            })
            .collect();
        if !cluster.quorum || planes.iter().any(|&id| !self.etcd_healthy(id)) {
            return Err(0);
        }
        if cluster.members.iter().any(|member| !self.member_alive(number, member)) {
            return Err(1);
        }
        if cluster.members.len() != planes.len() {
            return Err(2);
        }
        let members: Vec<NodeId> = cluster.kube.nodes.values().map(|node| node.machine).collect();
        let stage = |id: NodeId| self.node(id).stage == Stage::Running && self.connected(id);
        if members.iter().any(|&id| !stage(id)) {
            return Err(3);
        }
        if planes.iter().any(|&id| !self.node(id).api) {
            return Err(7);
        }
        if cluster.kube.nodes.values().any(|node| !node.is_ready()) {
            return Err(9);
        }
        if cluster.kube.nodes.values().any(|node| node.cordoned) {
            return Err(15);
        }
        Ok(())
    }
}
