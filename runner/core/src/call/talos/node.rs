//! What moves a whole node: bootstrap, reboot, reset.
//!
//! None of them lets the client wait: its exit says little (a reset into maintenance mode always ends its wait with an error), so the engine
//! sends the request and reads the effect back itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{TALOSCTL, of_node};
use crate::argv::Argv;
use crate::call::{CallSpec, Settled, Target, Tool, Witness};
use crate::effect::{Effect, Scope, Subject};
use crate::reply::node::{BootView, Members};
use crate::time::Span;
use crate::value::Value;

/// `talos.bootstrap { node }`: starts the first member of etcd, once in a cluster's life. Every control plane is asked before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bootstrap {
    /// The control plane that becomes the first member.
    pub node: String,
    /// A snapshot to start from instead of nothing: replaces what etcd held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recover_from: Option<String>,
    /// Accept a raw copy of the database, which has no checksum.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recover_skip_hash_check: bool,
}

impl CallSpec for Bootstrap {
    fn effect(&self) -> Effect {
        if self.recover_from.is_some() { Effect::Destroys } else { Effect::Mutates }
    }
    fn scope(&self) -> Scope {
        Scope::Cluster
    }
    fn reads(&self) -> Vec<Subject> {
        vec![of_node(&self.node, "stage")]
    }
    fn writes(&self) -> Vec<Subject> {
        vec![Subject::of(&["etcd"]), Subject::of(&["kube"]), of_node(&self.node, "stage")]
    }
    fn node(&self) -> Option<&str> {
        Some(&self.node)
    }
    fn tool(&self) -> Option<Tool> {
        Some(TALOSCTL)
    }
    fn argv(&self, target: &Target) -> Option<Argv> {
        let argv = target.talosctl(&["bootstrap"]);
        Some(match &self.recover_from {
            Some(path) => argv
                .pair("--recover-from", path)
                .flag("--recover-skip-hash-check", self.recover_skip_hash_check),
            None => argv,
        })
    }
    fn witness(&self) -> Witness {
        Witness::Members
    }
    fn settle(&self, before: &Value, now: &Value) -> Settled {
        let (before, now) = (Members::from_value(before), Members::from_value(now));
        let ask = |why: &str| Settled::Ask {
            question: format!("{why}: was etcd bootstrapped on {}?", self.node),
        };
        if self.recover_from.is_some() {
            // A member of the same name can be the old or the recovered one: only its id, and a person, can tell.
            return ask("a recovery leaves members that look like the old ones");
        }
        match (before.member(&self.node), now.member(&self.node)) {
            (None, Some(id)) => Settled::Done {
                reply: json!({"changed": true}),
                because: format!("{} is member {id} of etcd", self.node),
            },
            (Some(_), _) => Settled::Done {
                reply: json!({"changed": false}),
                because: format!("{} was a member of etcd before", self.node),
            },
            (None, None) if now.someone_else(&self.node).is_some() => {
                ask("another control plane is a member of etcd")
            }
            (None, None) if now.silent.is_empty() => {
                Settled::NotDone { because: "no control plane is a member of etcd".into() }
            }
            (None, None) => ask(&format!("{} did not answer", now.silent.join(", "))),
        }
    }
    fn settles_within(&self, _before: &Value) -> Span {
        // The members of a recovered etcd look like the old ones for ever.
        if self.recover_from.is_some() { Span(0) } else { Span::mins(5) }
    }
    fn stable(&self) -> &'static [&'static str] {
        &["changed"]
    }
}

/// How long until a rebooted node must answer again: hardware with much memory takes minutes alone to test it.
pub const BOOTED: Span = Span::mins(15);
/// How long until a reset must be seen: drain, leaving etcd, wipe, firmware.
pub const RESET: Span = Span::mins(20);
/// So long must a node be silent to count as off: a reboot is silent as well.
pub const OFF: Span = Span::mins(3);

/// How a node reboots: `--mode` of `talosctl reboot`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RebootMode {
    /// Stops everything, then kexec.
    #[default]
    Default,
    /// Stops everything, then through the firmware.
    Powercycle,
    /// At once.
    Force,
}

impl RebootMode {
    /// The word of the flag.
    pub const fn word(self) -> &'static str {
        match self {
            RebootMode::Default => "default",
            RebootMode::Powercycle => "powercycle",
            RebootMode::Force => "force",
        }
    }
}

/// `talos.reboot { node, mode? }`: reboots a node; ends when it answers with another boot id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reboot {
    /// The node.
    pub node: String,
    /// How.
    #[serde(default)]
    pub mode: RebootMode,
    /// Let the client drain the node first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drain: bool,
    /// How long that drain may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_timeout: Option<Span>,
}

impl CallSpec for Reboot {
    fn effect(&self) -> Effect {
        Effect::Mutates
    }
    fn scope(&self) -> Scope {
        Scope::Node
    }
    fn writes(&self) -> Vec<Subject> {
        ["boot", "stage"].map(|side| of_node(&self.node, side)).to_vec()
    }
    fn node(&self) -> Option<&str> {
        Some(&self.node)
    }
    fn tool(&self) -> Option<Tool> {
        Some(TALOSCTL)
    }
    fn argv(&self, target: &Target) -> Option<Argv> {
        let argv = target.talosctl(&["reboot"]).pair("--mode", self.mode.word());
        let argv = match (self.drain, self.drain_timeout) {
            (true, Some(limit)) => argv.arg("--drain").pair("--drain-timeout", limit.to_string()),
            (drain, _) => argv.flag("--drain", drain),
        };
        Some(argv.pair("--wait", "false"))
    }
    fn witness(&self) -> Witness {
        Witness::Boot { node: self.node.clone() }
    }
    fn settle(&self, before: &Value, now: &Value) -> Settled {
        let (before, now) = (BootView::from_value(before), BootView::from_value(now));
        let node = &self.node;
        match (&before.boot_id, &now.boot_id) {
            (Some(old), Some(new)) if old != new => Settled::Done {
                reply: json!({"changed": true, "version": now.version, "boot_id": new}),
                because: format!("{node} has another boot id"),
            },
            (Some(_), Some(_)) if now.stage.as_deref() == Some("running") => {
                Settled::NotDone { because: format!("{node} runs with the same boot id") }
            }
            (Some(_), Some(_)) => Settled::Ask {
                question: format!(
                    "{node} is {} and has not rebooted yet: does it reboot because of this call?",
                    now.stage.as_deref().unwrap_or("in an unknown stage")
                ),
            },
            _ => Settled::Ask { question: format!("{node} does not answer: was it rebooted?") },
        }
    }
    fn settles_within(&self, before: &Value) -> Span {
        if BootView::from_value(before).boot_id.is_some() { BOOTED } else { Span(0) }
    }
    fn stable(&self) -> &'static [&'static str] {
        &["changed", "version"]
    }
}

/// Which disks a reset wipes: `--wipe-mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WipeMode {
    /// The system disk, and user disks that are listed.
    All,
    /// The system disk.
    SystemDisk,
    /// User disks that are listed.
    UserDisks,
}

impl WipeMode {
    /// The word of the flag.
    pub const fn word(self) -> &'static str {
        match self {
            WipeMode::All => "all",
            WipeMode::SystemDisk => "system-disk",
            WipeMode::UserDisks => "user-disks",
        }
    }
}

/// `talos.reset { node, system_labels_to_wipe = … }`: wipes the named partitions. Without a list the tool would wipe the whole disk, so the
/// guard `partitions` refuses that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// The node.
    pub node: String,
    /// Labels of system partitions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub system_labels_to_wipe: Vec<String>,
    /// User disks, by device.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_disks_to_wipe: Vec<String>,
    /// Which disks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wipe_mode: Option<WipeMode>,
    /// Cordon, drain and leave etcd first; yes where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graceful: Option<bool>,
    /// Reboot afterwards instead of powering off.
    #[serde(default)]
    pub reboot: bool,
}

impl Reset {
    /// Where the node is afterwards: off, in maintenance mode, or up again with its config.
    pub fn leads_to(&self) -> AfterReset {
        let keeps_disk =
            !self.system_labels_to_wipe.is_empty() || self.wipe_mode == Some(WipeMode::UserDisks);
        match (self.reboot, keeps_disk) {
            (false, _) | (true, false) => AfterReset::Off,
            (true, true) if self.system_labels_to_wipe.iter().any(|l| l == "STATE") => {
                AfterReset::Maintenance
            }
            (true, true) => AfterReset::Running,
        }
    }
}

/// Where a reset leaves a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterReset {
    /// Powered off, or without anything to boot.
    Off,
    /// Waiting for a config.
    Maintenance,
    /// Booted with the config that it had.
    Running,
}

impl CallSpec for Reset {
    fn effect(&self) -> Effect {
        Effect::Destroys
    }
    fn scope(&self) -> Scope {
        Scope::Node
    }
    fn writes(&self) -> Vec<Subject> {
        vec![Subject::of(&["node", &self.node]), Subject::of(&["etcd"])]
    }
    fn node(&self) -> Option<&str> {
        Some(&self.node)
    }
    fn tool(&self) -> Option<Tool> {
        Some(TALOSCTL)
    }
    fn argv(&self, target: &Target) -> Option<Argv> {
        let mut argv = target.talosctl(&["reset"]);
        for label in &self.system_labels_to_wipe {
            argv = argv.pair("--system-labels-to-wipe", label);
        }
        for disk in &self.user_disks_to_wipe {
            argv = argv.pair("--user-disks-to-wipe", disk);
        }
        if let Some(mode) = self.wipe_mode {
            argv = argv.pair("--wipe-mode", mode.word());
        }
        Some(
            argv.pair("--graceful", self.graceful.unwrap_or(true).to_string())
                .pair("--reboot", self.reboot.to_string())
                .pair("--wait", "false"),
        )
    }
    fn witness(&self) -> Witness {
        Witness::Boot { node: self.node.clone() }
    }
    fn settle(&self, before: &Value, now: &Value) -> Settled {
        let (before, now) = (BootView::from_value(before), BootView::from_value(now));
        let node = &self.node;
        let labels = self.system_labels_to_wipe.join(", ");
        let done = |because: String| Settled::Done { reply: json!({"changed": true}), because };
        if now.stage.is_none() {
            return Settled::Ask {
                question: format!("{node} does not answer: was it reset ({labels})?"),
            };
        }
        let was_maintenance = before.stage.as_deref() == Some("maintenance");
        let is_maintenance = now.stage.as_deref() == Some("maintenance");
        let wiped = now.all_wiped_since(&before, &self.system_labels_to_wipe) == Some(true);
        // Named partitions that are provably as they were: half a reset, and whether to destroy the rest only a person says.
        let kept: Vec<&str> = self
            .system_labels_to_wipe
            .iter()
            .filter(|label| now.wiped_since(&before, label) == Some(false))
            .map(String::as_str)
            .collect();
        match self.leads_to() {
            AfterReset::Maintenance if is_maintenance && !was_maintenance && !kept.is_empty() => {
                Settled::Ask {
                    question: format!(
                        "{node} has lost its STATE but still has {}: does that count as reset?",
                        kept.join(", ")
                    ),
                }
            }
            AfterReset::Maintenance if is_maintenance && !was_maintenance => {
                done(format!("{node} is in maintenance mode: its STATE is gone"))
            }
            AfterReset::Running | AfterReset::Off
                if wiped && !labels.is_empty() && !is_maintenance =>
            {
                done(format!("{node} has new file systems on {labels}"))
            }
            _ if before.boot_id.is_some()
                && before.boot_id == now.boot_id
                && now.stage.as_deref() == Some("running") =>
            {
                Settled::NotDone { because: format!("{node} runs with the same boot id") }
            }
            _ => Settled::Ask {
                question: format!(
                    "{node} is in stage {}, which does not tell: was it reset ({labels})?",
                    now.stage.as_deref().unwrap_or("unknown")
                ),
            },
        }
    }
    fn settles_within(&self, _before: &Value) -> Span {
        // One that is off stays silent: whether it was the reset that put it there, only a person can tell.
        if self.leads_to() == AfterReset::Off { OFF } else { RESET }
    }
    fn stable(&self) -> &'static [&'static str] {
        &["changed"]
    }
    fn about(&self) -> String {
        let mut words = vec![self.node.clone()];
        if self.system_labels_to_wipe.is_empty() && self.wipe_mode != Some(WipeMode::UserDisks) {
            words.push("the whole system disk".into());
        } else {
            words.push(self.system_labels_to_wipe.join(", "));
        }
        if !self.user_disks_to_wipe.is_empty() {
            words.push(self.user_disks_to_wipe.join(", "));
        }
        words.join(" ")
    }
}
