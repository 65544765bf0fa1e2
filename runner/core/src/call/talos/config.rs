//! Machine configs: rendered, validated, applied.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Source, TALOSCTL, bundle, of_node};
use crate::argv::Argv;
use crate::call::{CallSpec, Settled, Target, Tool, Witness};
use crate::effect::{Effect, Scope, Subject};
use crate::inventory::Role;
use crate::machines::PatchText;
use crate::time::Span;
use crate::value::Value;

/// How a config is taken over: `--mode` of `talosctl apply-config`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ApplyMode {
    /// At once where possible, else with a reboot.
    #[default]
    Auto,
    /// At once, or not at all.
    NoReboot,
    /// With a reboot.
    Reboot,
    /// At the next boot.
    Staged,
    /// At once, and taken back when the window ends.
    Try,
}

impl ApplyMode {
    /// The word of the flag.
    pub const fn word(self) -> &'static str {
        match self {
            ApplyMode::Auto => "auto",
            ApplyMode::NoReboot => "no-reboot",
            ApplyMode::Reboot => "reboot",
            ApplyMode::Staged => "staged",
            ApplyMode::Try => "try",
        }
    }
}

/// `talos.apply_config { node, file = …, mode? }`: gives a node its machine config. Answers `changed = false` without acting where the
/// node has it already; a node in maintenance mode installs itself with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyConfig {
    /// The node.
    pub node: String,
    /// The machine config.
    pub file: Source,
    /// How it is taken over.
    #[serde(default)]
    pub mode: ApplyMode,
    /// Length of the window of `mode = "try"`; a minute where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub try_timeout: Option<Span>,
}

impl CallSpec for ApplyConfig {
    fn effect(&self) -> Effect {
        Effect::Mutates
    }
    fn scope(&self) -> Scope {
        Scope::Node
    }
    fn reads(&self) -> Vec<Subject> {
        self.file.subject()
    }
    fn writes(&self) -> Vec<Subject> {
        ["config", "stage", "boot"].map(|side| of_node(&self.node, side)).to_vec()
    }
    fn node(&self) -> Option<&str> {
        Some(&self.node)
    }
    fn tool(&self) -> Option<Tool> {
        Some(TALOSCTL)
    }
    fn argv(&self, target: &Target) -> Option<Argv> {
        let argv = target
            .talosctl(&["apply-config"])
            .pair("--file", self.file.argument())
            .pair("--mode", self.mode.word());
        Some(match (self.mode, self.try_timeout) {
            (ApplyMode::Try, Some(window)) => argv.pair("--timeout", window.to_string()),
            _ => argv,
        })
    }
    fn witness(&self) -> Witness {
        Witness::Config { node: self.node.clone() }
    }
    fn settle(&self, before: &Value, now: &Value) -> Settled {
        let text = |value: &Value, field: &str| {
            value.get(field).and_then(Value::as_str).map(str::to_owned)
        };
        let (was, is) = (text(before, "stage"), text(now, "stage"));
        let Some(is) = is else {
            return Settled::Ask {
                question: format!(
                    "{} does not answer, so nobody can see its config: was it applied?",
                    self.node
                ),
            };
        };
        if is == "maintenance" {
            return Settled::NotDone {
                because: format!("{} still waits in maintenance mode", self.node),
            };
        }
        let side = if self.mode == ApplyMode::Try { "active" } else { "persisted" };
        let (old, new) = (text(before, side), text(now, side));
        let done = |because: String| Settled::Done {
            reply: json!({
                "changed": true,
                "diff": "",
                "reboot": match self.mode {
                    ApplyMode::Staged => "staged",
                    ApplyMode::NoReboot | ApplyMode::Try => "none",
                    ApplyMode::Auto | ApplyMode::Reboot
                        if text(before, "boot_id") == text(now, "boot_id") => "none",
                    ApplyMode::Auto | ApplyMode::Reboot => "now",
                },
            }),
            because,
        };
        match (was.as_deref(), old, new) {
            (Some("maintenance"), _, Some(_)) => {
                done(format!("{} has left maintenance mode with a config", self.node))
            }
            (_, Some(old), Some(new)) if old != new => {
                done(format!("the {side} config of {} is another than before", self.node))
            }
            (_, Some(_), Some(_)) => Settled::NotDone {
                because: format!("the {side} config of {} is as it was", self.node),
            },
            _ => Settled::Ask {
                question: format!("the config of {} cannot be read: was it applied?", self.node),
            },
        }
    }
    fn settles_within(&self, _before: &Value) -> Span {
        // It may reboot with the config, or install itself first.
        super::node::BOOTED
    }
    fn stable(&self) -> &'static [&'static str] {
        &["changed", "diff"]
    }
    fn about(&self) -> String {
        match self.mode {
            ApplyMode::Auto => self.node.clone(),
            mode => format!("{} ({})", self.node, mode.word()),
        }
    }
}

/// What a config is validated for: `--mode` of `talosctl validate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MachineMode {
    /// A machine with a disk to install to.
    Metal,
    /// A virtual machine whose image is installed already.
    Cloud,
    /// A container.
    Container,
}

impl MachineMode {
    /// The word of the flag.
    pub const fn word(self) -> &'static str {
        match self {
            MachineMode::Metal => "metal",
            MachineMode::Cloud => "cloud",
            MachineMode::Container => "container",
        }
    }
}

/// `talos.validate { config = …, mode = …, strict? }`: what talosctl says of a machine config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Validate {
    /// The machine config.
    pub config: Source,
    /// What it is for.
    pub mode: MachineMode,
    /// Warnings are errors.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
}

impl CallSpec for Validate {
    fn effect(&self) -> Effect {
        Effect::Reads
    }
    fn scope(&self) -> Scope {
        Scope::Local
    }
    fn reads(&self) -> Vec<Subject> {
        self.config.subject()
    }
    fn tool(&self) -> Option<Tool> {
        Some(TALOSCTL)
    }
    fn argv(&self, _target: &Target) -> Option<Argv> {
        // Always by stdin: in a plan the file may exist only in the overlay, where no tool finds it.
        Some(
            Argv::new("talosctl")
                .arg("validate")
                .pair("--config", "/dev/stdin")
                .pair("--mode", self.mode.word())
                .flag("--strict", self.strict),
        )
    }
    fn about(&self) -> String {
        match &self.config {
            Source::Path(path) => path.clone(),
            Source::Handle(_) => self.mode.word().to_owned(),
        }
    }
}

/// `talos.render { node, patches? }`: the machine config of a node from everything that the inventory says, as a sealed blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Render {
    /// The node.
    pub node: String,
    /// Patches that are applied last, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<PatchText>,
}

/// What the base config of a role is made from: everything that its bytes depend on beside the tool's own version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Base<'a> {
    /// The role.
    pub role: Role,
    /// Name of the cluster.
    pub cluster: &'a str,
    /// URL of its Kubernetes API.
    pub endpoint: &'a str,
    /// Version of Talos.
    pub talos: Option<&'a str>,
    /// Version of Kubernetes.
    pub kubernetes: Option<&'a str>,
    /// Without the disk that the tool takes by default: what is laid over the base says it.
    pub diskless: bool,
}

impl Base<'_> {
    /// The command that writes it to stdout, without the explaining comments. It reads the secrets bundle on stdin: that may lie encrypted on
    /// the disk.
    pub fn command(&self) -> Argv {
        let mut argv = Argv::new("talosctl")
            .args(["gen", "config", self.cluster, self.endpoint])
            .pair("--with-secrets", "/dev/stdin")
            .pair("--output-types", self.role.word())
            .pair("--output", "-")
            .pair("--with-docs", "false")
            .pair("--with-examples", "false");
        if self.diskless {
            argv = argv.pair("--install-disk", "");
        }
        if let Some(version) = self.talos {
            let bare = version.trim_start_matches('v');
            argv = argv
                .pair("--talos-version", format!("v{bare}"))
                .pair("--install-image", format!("ghcr.io/siderolabs/installer:v{bare}"));
        }
        match self.kubernetes {
            Some(version) => argv.pair("--kubernetes-version", version.trim_start_matches('v')),
            None => argv,
        }
    }
}

impl CallSpec for Render {
    fn effect(&self) -> Effect {
        Effect::Reads
    }
    fn scope(&self) -> Scope {
        Scope::Local
    }
    fn reads(&self) -> Vec<Subject> {
        vec![bundle()]
    }
    fn node(&self) -> Option<&str> {
        Some(&self.node)
    }
    fn tool(&self) -> Option<Tool> {
        Some(TALOSCTL)
    }
}
