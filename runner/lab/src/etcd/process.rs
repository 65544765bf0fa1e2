//! The etcd process of one node: start over data or wait, stop, be cut off, come back.

use crate::facts::Took;
use crate::node::{EtcdProcess, Step};
use crate::world::{Event, NodeId, World};

impl World {
    /// Talos starts the service: over existing data, or waiting to join or to be bootstrapped.
    pub(crate) fn etcd_service_starts(&mut self, node: NodeId) {
        if self.node(node).etcd_data.is_some() {
            self.node_mut(node).etcd = EtcdProcess::Starting;
            self.later_took(node, Step::EtcdUp, Took::EtcdStart);
            return;
        }
        self.node_mut(node).etcd = EtcdProcess::Waiting;
        if let Some(number) = self.cluster_of(node) {
            self.wake_joiners(number);
        }
    }

    pub(crate) fn etcd_up(&mut self, node: NodeId) {
        let Some(data) = self.node(node).etcd_data else { return };
        if self.faults.etcd_down.contains(&node) || self.node(node).etcd != EtcdProcess::Starting {
            return;
        }
        // With another cluster's secrets, or removed meanwhile, the data is of no use: it fails for ever.
        let owner = self.node(node).active.map(|config| self.config(config).cluster);
        let cluster = self.cluster(data.cluster);
        let known = cluster.member(data.member).copied();
        if owner != Some(cluster.owner) || known.is_none() {
            self.node_mut(node).etcd = EtcdProcess::Down;
            return;
        }
        self.node_mut(node).etcd = EtcdProcess::Running;
        if known.is_some_and(|member| member.learner) {
            let delay = self.took(Took::Promote);
            let (cluster, member) = (data.cluster, data.member);
            self.push(self.now + delay, Event::Promote { cluster, member });
        }
        self.etcd_refresh(data.cluster);
        self.api_follows(node);
        self.settle(node);
        self.wake_joiners(data.cluster);
    }

    /// The fault `etcd-member-down`: the process ends and is held down.
    pub(crate) fn etcd_stopped(&mut self, node: NodeId) {
        if self.node(node).etcd != EtcdProcess::Down {
            self.node_mut(node).etcd = EtcdProcess::Down;
            self.node_mut(node).api = false;
            self.etcd_process_gone(node);
            self.settle(node);
        }
    }

    /// The fault is healed.
    pub(crate) fn etcd_released(&mut self, node: NodeId) {
        let state = self.node(node);
        if state.containerd && state.is_control_plane(self) && state.etcd == EtcdProcess::Down {
            self.etcd_service_starts(node);
        }
    }

    pub(crate) fn etcd_process_gone(&mut self, node: NodeId) {
        if let Some(data) = self.node(node).etcd_data {
            self.etcd_refresh(data.cluster);
        }
    }

    /// A cable was pulled or put back.
    pub(crate) fn network_changed(&mut self, node: NodeId) {
        if let Some(data) = self.node(node).etcd_data {
            self.etcd_refresh(data.cluster);
            if self.connected(node) {
                self.wake_joiners(data.cluster);
            }
        }
        if self.connected(node) {
            self.api_follows(node);
            if self.node(node).kubelet {
                self.kubelet_started(node);
            }
            if self.node(node).etcd == EtcdProcess::Waiting
                && let Some(number) = self.cluster_of(node)
            {
                self.wake_joiners(number);
            }
        } else if self.node(node).kubelet {
            self.kubelet_silent(node);
        }
        self.settle(node);
    }
}
