//! The beginnings of an etcd cluster: bootstrap, snapshot, and bootstrap from a snapshot.

use super::{EtcdCluster, Member};
use crate::facts::Took;
use crate::kube::Kube;
use crate::ledger::{Asset, Cause, Extent, Place, What};
use crate::node::{EtcdData, EtcdProcess, Step};
use crate::reply::{Outcome, Reply};
use crate::request::{Api, Refusal, Upload};
use crate::world::{NodeId, Snapshot, SnapshotId, World};

impl World {
    /// Talos looks at this node alone: nothing asks whether another one was bootstrapped.
    pub(crate) fn bootstrap(
        &mut self,
        node: NodeId,
        recover: bool,
        skip_hash: bool,
        cause: Cause,
    ) -> Outcome {
        if !self.node(node).containerd {
            return Err(Refusal::BootstrapNotYet);
        }
        self.control_plane(node, Api::Bootstrap)?;
        if self.node(node).etcd_data.is_some() {
            return Err(Refusal::DataNotEmpty);
        }
        let from = match (recover, self.node(node).upload) {
            (false, _) => None,
            (true, Some(Upload::Good(snapshot))) => Some(snapshot),
            (true, Some(Upload::Corrupt)) if !skip_hash => return Err(Refusal::BadSnapshot),
            (true, _) => return Err(Refusal::BadSnapshot),
        };
        let Some(config) = self.node(node).active else { return Err(Refusal::BootstrapNotYet) };
        let owner = self.config(config).cluster;
        let cni = self.config(config).cni;
        let earlier = (0..self.etcd.clusters.len() as u8).find(|&n| self.cluster(n).owner == owner);
        let number = self.etcd.clusters.len() as u8;
        let name = self.node(node).hostname(self);
        let member = self.streams.ids.draw();
        let id = self.streams.ids.draw();
        let snapshot = from.and_then(|from| self.snapshots.get(from.number as usize)).cloned();
        let kube = match &snapshot {
            // A round that was due belongs to the old cluster.
            Some(snapshot) => Kube { round: false, ..snapshot.kube.clone() },
            None => Kube::new(self.streams.ids.draw(), cni),
        };
        self.etcd.clusters.push(EtcdCluster {
            id,
            owner,
            members: vec![Member { id: member, name, node, learner: false }],
            leader: Some(member),
            term: 2,
            quorum: false,
            index: snapshot.as_ref().map_or(8, |snapshot| snapshot.revision),
            since: self.now,
            electing: false,
            nospace: false,
            kube,
        });
        self.ledger.add(Asset::Etcd(number), Place::Node(node));
        let state = self.node_mut(node);
        state.etcd_data = Some(EtcdData { cluster: number, member });
        state.etcd = EtcdProcess::Starting;
        state.upload = None;
        self.later_took(node, Step::EtcdUp, Took::EtcdStart);
        if let Some(earlier) = earlier {
            self.second_cluster(earlier, snapshot.as_ref(), cause);
        }
        Ok(Reply::Done)
    }

    /// With a snapshot, what came after it is lost; without one there are now two clusters.
    fn second_cluster(&mut self, earlier: u8, snapshot: Option<&Snapshot>, cause: Cause) {
        if let Some(snapshot) = snapshot {
            // A file of another lab has no cluster here: all of the earlier one's content goes.
            let own = usize::from(snapshot.cluster) < self.etcd.clusters.len();
            let newest = own.then(|| self.cluster(snapshot.cluster).index_at(self.now));
            let extent = match newest {
                Some(newest) if newest <= snapshot.revision => return,
                Some(_) => Extent::AfterRevision(snapshot.revision),
                None => Extent::All,
            };
            let lost = if own { snapshot.cluster } else { earlier };
            let cause = Cause { what: What::Recover, ..cause };
            self.ledger.lose(self.now, Asset::Etcd(lost), extent, cause);
        } else {
            let alive = !self.cluster(earlier).members.is_empty();
            if alive {
                self.ledger.lose(self.now, Asset::OneCluster, Extent::All, cause);
            }
        }
    }

    /// Streams the member's database; the process is enough, no quorum is needed.
    pub(crate) fn take_snapshot(&mut self, node: NodeId) -> Outcome {
        let number = self.own_etcd(node, Api::Snapshot)?;
        let cluster = self.cluster(number);
        let revision = cluster.index_at(self.now);
        let snapshot = Snapshot { cluster: number, revision, kube: cluster.kube.clone() };
        self.keep_snapshot(snapshot.clone());
        Ok(Reply::Snapshot(Box::new(snapshot)))
    }

    /// A snapshot that exists outside the cluster.
    pub(crate) fn keep_snapshot(&mut self, snapshot: Snapshot) -> SnapshotId {
        let number = self.snapshots.len() as u32;
        let id = SnapshotId { revision: snapshot.revision, number };
        let cluster = usize::from(snapshot.cluster);
        if cluster < self.etcd.clusters.len() {
            self.ledger.add(Asset::Etcd(snapshot.cluster), Place::Outside(id));
        }
        self.snapshots.push(snapshot);
        id
    }

    pub(crate) fn upload(&mut self, node: NodeId, upload: Upload) -> Outcome {
        if !self.node(node).containerd {
            return Err(Refusal::NotReadyForRecovery);
        }
        self.control_plane(node, Api::Recover)?;
        self.node_mut(node).upload = Some(upload);
        Ok(Reply::Done)
    }
}
