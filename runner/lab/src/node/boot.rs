//! From power to all services: firmware, maintenance, install, boot, and the fatal ways out.
//! Knows nothing of requests; what stops a machine is in `sequence` and `reset`.

use super::{EtcdProcess, NodeEvent, Sequence, SequenceKind, SequenceName, Stage, Step};
use crate::facts::Took;
use crate::ledger::{Asset, Cause, Place, What};
use crate::spec::Role;
use crate::world::{NodeId, World};

impl World {
    /// Switches the machine on; a running one is left alone.
    pub fn power_on(&mut self, node: NodeId) {
        if self.node(node).stage == Stage::Off
            && !self.node(node).powered
            && !self.faults.offline.contains(&node)
        {
            self.node_mut(node).powered = true;
            self.boot(node, true);
        }
    }

    /// The power goes, whatever runs.
    pub fn power_cut(&mut self, node: NodeId) {
        self.memory_lost(node);
        let state = self.node_mut(node);
        state.powered = false;
        state.stage = Stage::Off;
        self.processes_gone(node);
    }

    /// Everything in memory is gone; events of the old life are void.
    fn memory_lost(&mut self, node: NodeId) {
        let state = self.node_mut(node);
        state.epoch += 1;
        state.active = None;
        state.window = None;
        state.stuck_trial = false;
        state.applied_reboot = false;
        state.sequence = None;
        state.apid = false;
        state.containerd = false;
        state.services = false;
        state.ready = false;
        state.events.clear();
    }

    pub(crate) fn processes_gone(&mut self, node: NodeId) {
        self.kubelet_stopped(node);
        let state = self.node_mut(node);
        state.api = false;
        if state.etcd != EtcdProcess::Down {
            state.etcd = EtcdProcess::Down;
        }
        self.etcd_process_gone(node);
    }

    /// Starts the machine's next boot, through firmware when `cold`, else by kexec.
    pub(crate) fn boot(&mut self, node: NodeId, cold: bool) {
        self.memory_lost(node);
        self.processes_gone(node);
        let boot_id = self.streams.ids.draw();
        let nothing_to_boot = !self.node(node).installed && !self.node(node).medium;
        let state = self.node_mut(node);
        state.boot_id = boot_id;
        state.boots += 1;
        if nothing_to_boot {
            // No boot entry and no medium: only a person at the machine helps.
            state.needs_hands = true;
            state.stage = Stage::Off;
            return;
        }
        state.stage = Stage::Booting;
        state.sequence =
            Some(Sequence { kind: SequenceKind::Boot, actor: 0, ticket: None, since: 0 });
        let firmware = if cold { self.took(Took::Firmware) } else { 0 };
        let kernel = self.took(Took::Kernel);
        self.later(node, Step::Kernel, firmware + kernel);
        self.later_took(node, Step::BootLimit, Took::BootLimit);
    }

    pub(crate) fn kernel(&mut self, node: NodeId) {
        let persisted = self.node(node).persisted;
        let state = self.node_mut(node);
        state.apid = true;
        state.active = persisted;
        let complete = persisted.is_some_and(|config| self.config(config).role.is_some());
        if complete && self.node(node).installed {
            self.tell(
                node,
                NodeEvent::Sequence { kind: SequenceName::Boot, actor: 0, start: true },
            );
            self.later_took(node, Step::Containerd, Took::EarlyServices);
        } else {
            self.later_took(node, Step::Maintenance, Took::Maintenance);
        }
    }

    pub(crate) fn enter_maintenance(&mut self, node: NodeId) {
        self.node_mut(node).sequence = None;
        // Waiting for a config has no limit: the boot's own timer ends here.
        self.node_mut(node).epoch += 1;
        self.set_stage(node, Stage::Maintenance);
    }

    pub(crate) fn containerd_up(&mut self, node: NodeId) {
        self.node_mut(node).containerd = true;
        self.later_took(node, Step::Services, Took::Services);
        if self.node(node).is_control_plane(self) {
            self.etcd_service_starts(node);
        }
    }

    pub(crate) fn services_up(&mut self, node: NodeId) {
        self.node_mut(node).services = true;
        self.node_mut(node).kubelet = true;
        self.kubelet_started(node);
        self.settle(node);
    }

    /// Ends the boot once every service is up, and says so when the node is ready.
    pub(crate) fn settle(&mut self, node: NodeId) {
        let state = self.node(node);
        let booting = state.stage == Stage::Booting && state.services;
        if booting && (!state.is_control_plane(self) || self.etcd_healthy(node)) {
            self.node_mut(node).sequence = None;
            self.tell(
                node,
                NodeEvent::Sequence { kind: SequenceName::Boot, actor: 0, start: false },
            );
            self.set_stage(node, Stage::Running);
        }
        let state = self.node(node);
        if state.stage != Stage::Running {
            return;
        }
        let static_pods = !state.is_control_plane(self) || state.api;
        let ready = static_pods && self.kube_ready(node);
        if ready != self.node(node).ready {
            self.node_mut(node).ready = ready;
            self.tell(node, NodeEvent::Status { stage: Stage::Running, ready });
        }
    }

    pub(crate) fn boot_limit(&mut self, node: NodeId) {
        if self.node(node).stage == Stage::Booting {
            self.fatal(node);
        }
    }

    /// A sequence failed for good: the machine reboots itself, with all its data.
    pub(crate) fn fatal(&mut self, node: NodeId) {
        if let Some(sequence) = self.node(node).sequence.clone() {
            let kind = sequence.kind.name();
            self.tell(node, NodeEvent::Failed { kind, actor: sequence.actor });
        }
        self.node_mut(node).epoch += 1;
        self.set_stage(node, Stage::Rebooting);
        self.later_took(node, Step::FatalReboot, Took::FatalPause);
    }

    /// A complete config came to a node that waits for one.
    pub(crate) fn configured(&mut self, node: NodeId) {
        self.node_mut(node).epoch += 1;
        let installed = self.node(node).installed;
        if installed {
            // Still installed: neither install nor reboot, the config is persisted at once.
            self.set_stage(node, Stage::Booting);
            self.node_mut(node).sequence = Some(Sequence {
                kind: SequenceKind::Boot,
                actor: 0,
                ticket: None,
                since: self.now,
            });
            self.later_took(node, Step::Containerd, Took::EarlyServices);
            self.later_took(node, Step::BootLimit, Took::BootLimit);
            return;
        }
        self.set_stage(node, Stage::Installing);
        self.node_mut(node).sequence =
            Some(Sequence { kind: SequenceKind::Install, actor: 0, ticket: None, since: self.now });
        if self.install_target(node).is_some() {
            let pull = self.took(Took::InstallPull);
            let write = self.took(Took::InstallWrite);
            self.later(node, Step::Installed, pull + write);
        } else {
            // The config was in memory only, so the reboot loses it.
            self.tell(node, NodeEvent::Failed { kind: SequenceName::Install, actor: 0 });
            self.later_took(node, Step::NoDisk, Took::FatalPause);
        }
    }

    fn install_target(&self, node: NodeId) -> Option<usize> {
        let wanted = self.node(node).active.and_then(|config| self.config(config).install_disk);
        let disks = &self.node(node).disks;
        match wanted {
            Some(path) => disks.iter().position(|disk| disk.path == path),
            None => (!disks.is_empty()).then_some(0),
        }
    }

    pub(crate) fn installed(&mut self, node: NodeId) {
        let Some(target) = self.install_target(node) else { return self.fatal(node) };
        let had_data = self.node(node).disks[target].data;
        if had_data {
            let cause = Cause { what: What::Install, node, ticket: None };
            self.disk_lost(node, target, cause);
        }
        let identity = self.streams.ids.draw();
        let state = self.node_mut(node);
        state.disks[target].data = false;
        state.system_disk = Some(state.disks[target].path);
        state.installed = true;
        state.medium = false;
        state.identity = identity;
        let config = state.active;
        self.persist(node, config, None);
        self.ledger.add(Asset::Boot(node), Place::Node(node));
        self.boot(node, false);
    }

    /// Writes STATE and keeps account of who holds the cluster's keys.
    pub(crate) fn persist(
        &mut self,
        node: NodeId,
        config: Option<crate::world::ConfigId>,
        cause: Option<Cause>,
    ) {
        let keys = |world: &Self, config: Option<crate::world::ConfigId>| {
            config.map(|id| world.config(id)).filter(|c| c.ca_key).map(|c| c.ca)
        };
        let before = keys(self, self.node(node).persisted);
        let after = keys(self, config);
        self.node_mut(node).persisted = config;
        if let Some(ca) = after {
            self.ledger.add(Asset::Secrets(ca), Place::Node(node));
        }
        if let (Some(ca), true) = (before, before != after) {
            let cause = cause.unwrap_or(Cause { what: What::Config, node, ticket: None });
            self.ledger.drop_copy(self.now, Asset::Secrets(ca), node, cause);
        }
        if let Some(cause) = cause {
            let role = config.and_then(|id| self.config(id).role);
            if role == Some(Role::Worker) {
                self.check_quorum_possible(cause);
            }
        }
    }
}
