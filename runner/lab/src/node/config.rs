//! Applying a machine config: active and persisted are two values, and the try window's traps follow.
//! Mirrors `ApplyConfiguration` of Talos 1.13 statement by statement; knows nothing of YAML.

use super::{SequenceKind, Stage, Window};
use crate::ledger::{Asset, Cause, Extent, What};
use crate::reply::{Applied, Outcome, Reply};
use crate::request::{ApplyMode, ConfigRef, RebootMode, Refusal};
use crate::world::{Event, Ms, NodeId, Ticket, World};

/// An apply as it reaches the node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Apply {
    pub(crate) config: ConfigRef,
    pub(crate) mode: ApplyMode,
    pub(crate) dry_run: bool,
    pub(crate) timeout: Ms,
}

impl World {
    pub(crate) fn apply(&mut self, node: NodeId, apply: Apply, ticket: Ticket) -> Outcome {
        let cause = Cause { what: What::TryWindow, node, ticket: Some(ticket) };
        // The timer is stopped before anything else is looked at, so a dry run or a broken file
        // leaves the trial in force until the next boot.
        let stopped = apply.mode != ApplyMode::Try && self.node_mut(node).window.take().is_some();
        if stopped {
            self.node_mut(node).stuck_trial = true;
        }
        let outcome = self.apply_now(node, apply, ticket);
        let replaced = outcome.is_ok() && !apply.dry_run;
        if replaced && apply.mode != ApplyMode::Staged {
            self.node_mut(node).stuck_trial = false;
        } else if stopped && !replaced {
            self.ledger.lose(self.now, Asset::Config(node), Extent::All, cause);
        }
        outcome
    }

    fn apply_now(&mut self, node: NodeId, apply: Apply, ticket: Ticket) -> Outcome {
        let maintenance =
            self.node(node).active.is_none_or(|config| self.config(config).role.is_none());
        let installed = self.node(node).installed;
        let ConfigRef::Good(config) = apply.config else {
            return Err(Refusal::BadConfig { installed });
        };
        let complete = self.config(config).role.is_some();
        if !maintenance && !complete {
            return Err(Refusal::NoV1alpha1);
        }
        let installable = self.config(config).installable || installed;
        if complete && !installable {
            return Err(Refusal::BadConfig { installed });
        }
        if self.node(node).applied_reboot {
            return Err(Refusal::AlreadyApplied);
        }
        let immediate = maintenance || {
            let active = self.node(node).active.map(|active| self.config(active).reboot_part);
            active == Some(self.config(config).reboot_part)
        };
        let active = self.node(node).active;
        let (mode, how) = match apply.mode {
            ApplyMode::Try if immediate => (ApplyMode::Try, Applied::Try),
            ApplyMode::NoReboot | ApplyMode::Auto if immediate => {
                (ApplyMode::NoReboot, Applied::Immediately)
            }
            ApplyMode::Try | ApplyMode::NoReboot => {
                return Err(Refusal::NotImmediate(active.unwrap_or_default()));
            }
            ApplyMode::Reboot if maintenance => (ApplyMode::NoReboot, Applied::Immediately),
            ApplyMode::Reboot => (ApplyMode::Reboot, Applied::Reboot { because: false }),
            ApplyMode::Staged => (ApplyMode::Staged, Applied::Staged),
            ApplyMode::Auto => (ApplyMode::Reboot, Applied::Reboot { because: true }),
        };
        if apply.dry_run {
            return Ok(Reply::Applied { how, active });
        }
        let cause = Cause { what: What::Config, node, ticket: Some(ticket) };
        match mode {
            ApplyMode::Try => {
                self.open_window(node, apply.timeout);
                self.node_mut(node).active = Some(config);
            }
            ApplyMode::NoReboot | ApplyMode::Auto => {
                if installed {
                    self.persist(node, Some(config), Some(cause));
                }
                self.node_mut(node).active = Some(config);
            }
            ApplyMode::Staged => {
                if installed {
                    self.persist(node, Some(config), Some(cause));
                }
            }
            ApplyMode::Reboot => {
                self.persist(node, Some(config), Some(cause));
                self.node_mut(node).applied_reboot = true;
                let kind = SequenceKind::Reboot { mode: RebootMode::Default, apply: true };
                self.ask_sequence(node, kind, Some(ticket));
            }
        }
        let waiting = self.node(node).stage == Stage::Maintenance;
        if waiting && complete && mode != ApplyMode::Staged {
            self.configured(node);
        }
        Ok(Reply::Applied { how, active })
    }

    /// A window reverts to what is active now: a second one thus to the first trial.
    fn open_window(&mut self, node: NodeId, timeout: Ms) {
        let ends = self.now + timeout;
        let state = self.node_mut(node);
        let Some(back_to) = state.active else { return };
        state.windows += 1;
        let window = Window { number: state.windows, back_to, ends };
        state.window = Some(window);
        self.push(ends, Event::TryEnds { node, window: window.number });
    }

    pub(crate) fn try_ends(&mut self, node: NodeId, window: u32) {
        let state = self.node_mut(node);
        if let Some(open) = state.window.filter(|open| open.number == window) {
            state.active = Some(open.back_to);
            state.window = None;
        }
    }
}
