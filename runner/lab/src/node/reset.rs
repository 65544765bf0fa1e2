//! Reset: checks before acceptance, drain, leave, wipe, and how the machine comes back.
//! The order is Talos' own; whether anybody should do it is for guards to say.

use super::{EtcdProcess, Phase, SequenceKind, Step};
use crate::facts::Took;
use crate::ledger::{Asset, Cause, What};
use crate::request::{Part, Refusal, Reset, WipeMode};
use crate::spec::Medium;
use crate::world::{NodeId, World};

impl World {
    /// The checks that are made before the answer; their order is the server's.
    pub(crate) fn check_reset(&self, node: NodeId, reset: &Reset) -> Result<(), Refusal> {
        let state = self.node(node);
        if !reset.disks.is_empty() {
            if reset.mode == WipeMode::SystemDisk {
                return Err(Refusal::DisksWithSystemMode);
            }
            for &path in &reset.disks {
                if !state.disks.iter().any(|disk| disk.path == path) {
                    return Err(Refusal::NoDevice(path));
                }
                if state.system_disk == Some(path) {
                    return Err(Refusal::SystemDevice(path));
                }
            }
        }
        let labels = &reset.labels;
        if !labels.is_empty() {
            if reset.mode == WipeMode::UserDisks {
                return Err(Refusal::LabelsWithUserMode);
            }
            if let Some(unknown) = labels.unknown {
                return Err(Refusal::NoVolume(unknown));
            }
            if let Some(directory) = labels.directory {
                return Err(Refusal::NoPartition(directory));
            }
            if !state.installed {
                let parts = [
                    (labels.meta, Part::Meta),
                    (labels.state, Part::State),
                    (labels.ephemeral, Part::Ephemeral),
                ];
                if let Some((_, part)) = parts.into_iter().find(|(asked, _)| *asked) {
                    return Err(Refusal::NotLocated(part));
                }
            }
        }
        Ok(())
    }

    /// The drain of reset and shutdown is over; its failures are only logged.
    pub(crate) fn drained(&mut self, node: NodeId) {
        self.pods_removed(node);
        let Some(sequence) = self.node(node).sequence.clone() else { return };
        let (reset, graceful) = match &sequence.kind {
            SequenceKind::Reset(reset) => (true, reset.graceful),
            SequenceKind::Shutdown { force } => (false, !force),
            _ => return,
        };
        if graceful {
            self.phase(node, Phase::Drain, false);
        }
        let pods = if reset && graceful { Phase::RemovePods } else { Phase::StopPods };
        self.phases(node, &[pods, Phase::Dbus]);
        let leaves = reset && graceful && self.node(node).is_control_plane(self);
        if leaves {
            self.phase(node, Phase::Leave, true);
            let now = self.now;
            if let Some(sequence) = &mut self.node_mut(node).sequence {
                sequence.since = now;
            }
        }
        let member =
            self.node(node).etcd_data.is_some() && self.node(node).etcd == EtcdProcess::Running;
        if leaves && member {
            return self.later_took(node, Step::Leave, Took::Leave);
        }
        if leaves {
            self.phase(node, Phase::Leave, false);
        }
        if reset {
            self.phases(node, &[Phase::PreReset]);
        }
        self.later_took(node, Step::Stop, Took::StopPods);
    }

    /// A refusal that may pass is tried again for five minutes; any other ends the reset, before
    /// anything was wiped, and the machine reboots itself.
    pub(crate) fn reset_leaves(&mut self, node: NodeId) {
        let Some(sequence) = self.node(node).sequence.clone() else { return };
        let cause = Cause { what: What::LeaveEtcd, node, ticket: sequence.ticket };
        match self.etcd_leave(node, cause) {
            Ok(()) => {
                self.phase(node, Phase::Leave, false);
                self.phases(node, &[Phase::PreReset]);
                self.later_took(node, Step::Stop, Took::StopPods);
            }
            Err(Refusal::Unhealthy | Refusal::EtcdDown(_))
                if self.now - sequence.since < Took::LeaveLimit.base(self.profile) =>
            {
                self.later_took(node, Step::Leave, Took::LeaveRetry);
            }
            Err(_) => self.fatal(node),
        }
    }

    /// Wipes what was asked for, then reboots or powers off.
    pub(crate) fn wipe(&mut self, node: NodeId) {
        let Some(sequence) = self.node(node).sequence.clone() else { return };
        let SequenceKind::Reset(reset) = sequence.kind else { return };
        let whole = reset.labels.is_empty() && reset.mode != WipeMode::UserDisks;
        let what = if whole { What::WipeDisk } else { What::Reset };
        let cause = Cause { what, node, ticket: sequence.ticket };
        if whole || reset.labels.state {
            self.wipe_state(node, cause);
        }
        if whole || reset.labels.ephemeral {
            self.wipe_ephemeral(node, cause);
        }
        if reset.mode != WipeMode::SystemDisk {
            for path in &reset.disks {
                let found = self.node(node).disks.iter().position(|disk| disk.path == *path);
                if let Some(disk) = found {
                    self.disk_lost(node, disk, cause);
                }
            }
        }
        if whole {
            let state = self.node_mut(node);
            state.installed = false;
            state.system_disk = None;
            self.ledger.drop_copy(self.now, Asset::Boot(node), node, cause);
        }
        if reset.reboot {
            self.boot(node, whole);
        } else {
            self.power_cut(node);
        }
    }

    fn wipe_state(&mut self, node: NodeId, cause: Cause) {
        self.persist(node, None, Some(cause));
        self.node_mut(node).identity = self.streams.ids.draw();
    }

    fn wipe_ephemeral(&mut self, node: NodeId, cause: Cause) {
        let state = self.node_mut(node);
        state.upload = None;
        state.images = false;
        let data = state.etcd_data.take();
        if let Some(data) = data {
            self.ledger.drop_copy(self.now, Asset::Etcd(data.cluster), node, cause);
            self.check_quorum_possible(cause);
        }
        self.replicas_lost(node, Medium::Ephemeral, cause);
    }

    /// Everything on a data disk is gone.
    pub(crate) fn disk_lost(&mut self, node: NodeId, disk: usize, cause: Cause) {
        self.node_mut(node).disks[disk].data = false;
        // Disk 0 is the system disk of the spec; data disks are counted from 0.
        if let Some(number) = disk.checked_sub(1) {
            self.replicas_lost(node, Medium::Disk(number as u8), cause);
        }
    }

    fn replicas_lost(&mut self, node: NodeId, medium: Medium, cause: Cause) {
        for index in 0..self.volumes.len() {
            let before = self.volumes[index].replicas.len();
            self.volumes[index].replicas.retain(|replica| *replica != (node, medium));
            let gone = self.volumes[index].replicas.len() < before;
            let elsewhere = self.volumes[index].replicas.iter().any(|(at, _)| *at == node);
            if gone && !elsewhere {
                self.ledger.drop_copy(self.now, Asset::Volume(index as u16), node, cause);
            }
        }
    }
}
