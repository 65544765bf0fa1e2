//! Membership: who may join, be promoted, leave or be removed, exactly where etcd 3.6 allows it
//! (`mayAddMember`, `mayPromoteMember`, `mayRemoveMember` with strict reconfiguration checks).

use super::Member;
use crate::facts::Took;
use crate::ledger::{Asset, Cause, Place};
use crate::node::{EtcdData, EtcdProcess, Step};
use crate::reply::{Outcome, Reply};
use crate::request::{Api, Refusal};
use crate::world::{Event, MemberId, NodeId, World};

impl World {
    fn lives(&self, cluster: u8, id: MemberId) -> bool {
        self.cluster(cluster).member(id).is_some_and(|member| self.member_alive(cluster, member))
    }

    /// Whether the cluster may lose this member now.
    pub(crate) fn may_remove(&self, number: u8, id: MemberId) -> Result<(), Refusal> {
        let cluster = self.cluster(number);
        let Some(member) = cluster.member(id) else { return Err(Refusal::MemberNotFound) };
        if member.learner {
            return Ok(());
        }
        let voters = cluster.voters().count();
        // Everybody who ever had a name counts as started: only the last voter falls short.
        let others = voters - 1;
        if others < others / 2 + 1 {
            return Err(Refusal::NotEnoughStarted);
        }
        if !self.lives(number, id) {
            return Ok(());
        }
        if self.alive_voters(number) - 1 < 1 + (voters - 1) / 2 {
            return Err(Refusal::Unhealthy);
        }
        Ok(())
    }

    /// Takes a member off the list. A live one's process ends, and its data is of no use any more.
    pub(crate) fn remove_member(&mut self, number: u8, id: MemberId, cause: Cause) -> Outcome {
        self.may_remove(number, id)?;
        let Some(member) = self.cluster(number).member(id).copied() else {
            return Err(Refusal::MemberNotFound);
        };
        let now = self.now;
        let index = self.cluster(number).index_at(now) + 1;
        let cluster = self.cluster_mut(number);
        cluster.members.retain(|other| other.id != id);
        (cluster.index, cluster.since) = (index, now);
        let holds = self
            .node(member.node)
            .etcd_data
            .is_some_and(|data| data.cluster == number && data.member == id);
        if holds {
            self.ledger.drop_copy(now, Asset::Etcd(number), member.node, cause);
            if self.node(member.node).etcd == EtcdProcess::Running {
                self.node_mut(member.node).etcd = EtcdProcess::Down;
                self.node_mut(member.node).api = false;
            }
        }
        self.etcd_refresh(number);
        self.check_quorum_possible(cause);
        self.settle(member.node);
        self.wake_joiners(number);
        Ok(Reply::Done)
    }

    /// The node leaves: taken off the list, stopped, data deleted. Not on the list counts as left.
    pub(crate) fn etcd_leave(&mut self, node: NodeId, cause: Cause) -> Result<(), Refusal> {
        let running = self.node(node).etcd == EtcdProcess::Running;
        let Some(data) = self.node(node).etcd_data.filter(|_| running) else {
            return Err(Refusal::EtcdDown(Api::Leave));
        };
        if !self.cluster(data.cluster).quorum {
            return Err(Refusal::NoLeader);
        }
        match self.remove_member(data.cluster, data.member, cause) {
            Ok(_) | Err(Refusal::MemberNotFound) => {}
            Err(refusal) => return Err(refusal),
        }
        let state = self.node_mut(node);
        state.etcd = EtcdProcess::Down;
        state.etcd_data = None;
        state.api = false;
        self.settle(node);
        Ok(())
    }

    /// One attempt of a waiting control plane to add itself as learner.
    pub(crate) fn etcd_join(&mut self, node: NodeId) {
        let waiting = self.node(node).etcd == EtcdProcess::Waiting && self.connected(node);
        let held = self.faults.etcd_down.contains(&node);
        let Some(number) = self.cluster_of(node).filter(|_| waiting && !held) else { return };
        if !self.cluster(number).quorum {
            // Tried again as soon as the cluster has a leader.
            return;
        }
        let name = self.node(node).hostname(self);
        let old = self.cluster(number).members.iter().find(|member| member.name == name).copied();
        if let Some(old) = old {
            let cause = Cause { what: crate::ledger::What::LeaveEtcd, node, ticket: None };
            if self.remove_member(number, old.id, cause).is_err() {
                return self.later_took(node, Step::Join, Took::PromoteRetry);
            }
        }
        if !self.cluster(number).quorum || !self.may_add(number) {
            // Another learner, or a voter that is not connected: tried again when that changes.
            return;
        }
        let id = self.streams.ids.draw();
        let now = self.now;
        let index = self.cluster(number).index_at(now) + 1;
        let cluster = self.cluster_mut(number);
        cluster.members.push(Member { id, name, node, learner: true });
        (cluster.index, cluster.since) = (index, now);
        self.node_mut(node).etcd_data = Some(EtcdData { cluster: number, member: id });
        self.node_mut(node).etcd = EtcdProcess::Running;
        self.ledger.add(Asset::Etcd(number), Place::Node(node));
        let two = self.cluster(number).members.len() == 2;
        let delay = self.took(if two { Took::PromoteTwo } else { Took::Promote });
        self.push(now + delay, Event::Promote { cluster: number, member: id });
    }

    /// One learner at a time, and no unconnected voter.
    fn may_add(&self, number: u8) -> bool {
        let cluster = self.cluster(number);
        !cluster.members.iter().any(|member| member.learner)
            && self.alive_voters(number) == cluster.voters().count()
    }

    /// Control planes that wait look again.
    pub(crate) fn wake_joiners(&mut self, number: u8) {
        if !self.cluster(number).quorum {
            return;
        }
        let nodes: Vec<NodeId> = self.node_ids().collect();
        for node in nodes {
            if self.node(node).etcd == EtcdProcess::Waiting && self.cluster_of(node) == Some(number)
            {
                self.later_took(node, Step::Join, Took::EtcdJoin);
            }
        }
    }

    pub(crate) fn promote(&mut self, number: u8, id: MemberId) {
        let learner = self.cluster(number).member(id).copied();
        let Some(learner) = learner.filter(|member| member.learner) else { return };
        if !self.cluster(number).quorum {
            return;
        }
        // A dead learner is asked again when its node is back.
        if !self.member_alive(number, &learner) {
            return;
        }
        let now = self.now;
        let index = self.cluster(number).index_at(now) + 1;
        let cluster = self.cluster_mut(number);
        for member in &mut cluster.members {
            if member.id == id {
                member.learner = false;
            }
        }
        (cluster.index, cluster.since) = (index, now);
        self.etcd_refresh(number);
        self.api_follows(learner.node);
        self.settle(learner.node);
        self.wake_joiners(number);
    }

    /// Moves leadership away from the node's member, to the first other one, as talosctl does.
    pub(crate) fn forfeit(&mut self, number: u8, node: NodeId) -> Outcome {
        if self.cluster(number).members.len() == 1 {
            return Err(Refusal::OnlyMember);
        }
        let own = self.node(node).etcd_data.map(|data| data.member);
        if own.is_none() || self.cluster(number).leader != own {
            return Ok(Reply::Done);
        }
        let other = self
            .cluster(number)
            .voters()
            .find(|member| Some(member.id) != own && self.member_alive(number, member))
            .map(|member| member.id);
        if let Some(other) = other {
            let cluster = self.cluster_mut(number);
            cluster.leader = Some(other);
            cluster.term += 1;
            self.etcd_refresh(number);
        }
        Ok(Reply::Done)
    }
}
