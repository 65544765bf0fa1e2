//! Sequences that bring a machine down: reboot and shutdown, the lock that lets one run at a time,
//! and who may take over from whom. The reset's own steps are in `reset`.

use super::{NodeEvent, Phase, SequenceName, Stage, Step};
use crate::facts::Took;
use crate::request::{RebootMode, Reset};
use crate::world::{Ms, NodeId, Ticket, World};
use serde::{Deserialize, Serialize};

/// What a sequence does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SequenceKind {
    /// Boot and services.
    Boot,
    /// Install.
    Install,
    /// Reboot; one that an apply asked for takes over from anything.
    Reboot {
        /// How.
        mode: RebootMode,
        /// Whether an apply asked for it.
        apply: bool,
    },
    /// Reset.
    Reset(Box<Reset>),
    /// Power off.
    Shutdown {
        /// Without drain.
        force: bool,
    },
}

impl SequenceKind {
    /// Its name in events.
    #[must_use]
    pub fn name(&self) -> SequenceName {
        match self {
            Self::Boot => SequenceName::Boot,
            Self::Install => SequenceName::Install,
            Self::Reboot { .. } => SequenceName::Reboot,
            Self::Reset(_) => SequenceName::Reset,
            Self::Shutdown { .. } => SequenceName::Shutdown,
        }
    }

    /// Whether this may begin while `running` runs.
    fn takes_over(&self, running: &Self) -> bool {
        match self {
            Self::Shutdown { .. } | Self::Reboot { apply: true, .. } => true,
            Self::Reboot { .. } => {
                matches!(running, Self::Boot | Self::Reboot { .. } | Self::Reset(_))
            }
            Self::Reset(_) => matches!(running, Self::Boot),
            Self::Boot | Self::Install => false,
        }
    }
}

/// A running sequence.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sequence {
    /// What it does.
    pub kind: SequenceKind,
    /// Actor id, as the reply said.
    pub actor: u64,
    /// The request it came from.
    pub ticket: Option<Ticket>,
    /// When its present phase began.
    pub since: Ms,
}

impl World {
    /// Asks for a sequence. The answer is the actor's id in any case: a sequence that is locked out
    /// is dropped without a word to the client.
    pub(crate) fn ask_sequence(
        &mut self,
        node: NodeId,
        kind: SequenceKind,
        ticket: Option<Ticket>,
    ) -> u64 {
        let actor = self.streams.ids.draw();
        let locked = self
            .node(node)
            .sequence
            .as_ref()
            .is_some_and(|running| !kind.takes_over(&running.kind));
        if locked {
            self.tell(node, NodeEvent::Locked { kind: kind.name(), actor });
            return actor;
        }
        let since = self.now;
        let name = kind.name();
        let state = self.node_mut(node);
        state.epoch += 1;
        state.sequence = Some(Sequence { kind: kind.clone(), actor, ticket, since });
        self.tell(node, NodeEvent::Sequence { kind: name, actor, start: true });
        match kind {
            SequenceKind::Reboot { mode, .. } => {
                self.set_stage(node, Stage::Rebooting);
                if mode == RebootMode::Force {
                    self.later(node, Step::Down, 0);
                } else {
                    self.phases(node, &[Phase::StopPods, Phase::Dbus]);
                    self.later_took(node, Step::Stop, Took::StopPods);
                }
            }
            SequenceKind::Shutdown { force } => {
                self.set_stage(node, Stage::ShuttingDown);
                self.phases(node, &[Phase::StoreShutdown]);
                let drain = if force { 0 } else { self.begin_drain(node) };
                self.later(node, Step::Drained, drain);
            }
            SequenceKind::Reset(reset) => {
                self.set_stage(node, Stage::Resetting);
                let drain = if reset.graceful { self.begin_drain(node) } else { 0 };
                self.later(node, Step::Drained, drain);
            }
            SequenceKind::Boot | SequenceKind::Install => {}
        }
        actor
    }

    fn begin_drain(&mut self, node: NodeId) -> Ms {
        self.phase(node, Phase::Drain, true);
        self.node_drains(node)
    }

    /// Phases that take no time worth modelling.
    pub(crate) fn phases(&mut self, node: NodeId, phases: &[Phase]) {
        for &phase in phases {
            self.phase(node, phase, true);
            self.phase(node, phase, false);
        }
    }

    pub(crate) fn phase(&mut self, node: NodeId, phase: Phase, start: bool) {
        let actor = self.node(node).sequence.as_ref().map_or(0, |sequence| sequence.actor);
        self.tell(node, NodeEvent::Phase { phase, actor, start });
    }

    /// Services stop. apid ends last, so that watchers still hear of it.
    pub(crate) fn stop_services(&mut self, node: NodeId) {
        let Some(sequence) = self.node(node).sequence.clone() else { return };
        self.node_mut(node).services = false;
        self.node_mut(node).containerd = false;
        self.processes_gone(node);
        self.phases(
            node,
            &[
                Phase::StopServices,
                Phase::Umount,
                Phase::UnmountBind,
                Phase::UnmountSystem,
                Phase::VolumeFinalize,
            ],
        );
        let kexec = match &sequence.kind {
            SequenceKind::Reboot { mode, .. } => *mode == RebootMode::Default,
            // kexec needs the boot partition, which a wipe of the whole disk takes.
            SequenceKind::Reset(reset) => !reset.labels.is_empty(),
            _ => false,
        };
        if kexec {
            self.phases(node, &[Phase::Kexec]);
        }
        self.phase(node, Phase::StopEverything, true);
        self.tell(node, NodeEvent::StopAllServices { actor: sequence.actor });
        self.later_took(node, Step::Down, Took::StopServices);
    }

    /// Nothing runs any more: wipe, reboot or power off.
    pub(crate) fn everything_down(&mut self, node: NodeId) {
        self.processes_gone(node);
        self.node_mut(node).apid = false;
        let Some(sequence) = self.node(node).sequence.clone() else { return };
        match sequence.kind {
            SequenceKind::Reboot { mode, .. } => self.boot(node, mode == RebootMode::Powercycle),
            SequenceKind::Reset(_) => self.later_took(node, Step::Wipe, Took::Wipe),
            SequenceKind::Shutdown { .. } => self.power_cut(node),
            SequenceKind::Boot | SequenceKind::Install => {}
        }
    }
}
