//! Guard `partitions`: no reset without an explicit list of partitions. No option turns it off.
//!
//! `as_given` judges the words of the call alone; `as_real` holds them against the node's own volumes.

use super::Case;
use super::evidence::EvidenceCode;
use super::facts::{Volume, fresh};
use crate::call::talos::{Reset, WipeMode};
use crate::error::{Code, Fault};

/// Labels of system partitions that a reset may name.
pub const SYSTEM: [&str; 2] = ["STATE", "EPHEMERAL"];
/// Labels with recipes of their own: without them the node does not boot, or forgets an upgrade under way.
pub const OWN_RECIPE: [&str; 4] = ["META", "BOOT", "EFI", "BIOS"];
/// What user volumes begin with.
const USER: &str = "u-";

const WHOLE_DISK: &str =
    "An unlabelled reset wipes the whole system disk, boot partition included.";

/// Judges the list as it was given.
///
/// # Errors
/// Why it may not be sent, with what to write instead.
pub(super) fn as_given(reset: &Reset, case: &Case<'_>) -> Result<(), Box<Fault>> {
    let node = &reset.node;
    let (labels, disks) = (&reset.system_labels_to_wipe, &reset.user_disks_to_wipe);
    let mode = reset.wipe_mode;
    if !disks.is_empty() && mode != Some(WipeMode::UserDisks) {
        return Err(Box::new(refuse(
            format!(
                "{node}: user disks without `wipe_mode = \"user-disks\"` mean the system disk too"
            ),
            &["Without that mode the tool wipes the named disks and the whole system disk."],
        )));
    }
    match mode {
        Some(WipeMode::UserDisks) if !labels.is_empty() => {
            return Err(Box::new(refuse(
                format!(
                    "{node}: `wipe_mode = \"user-disks\"` and partition labels exclude each other"
                ),
                &["The server refuses the two together: reset in two steps."],
            )));
        }
        Some(WipeMode::UserDisks) if disks.is_empty() => {
            return Err(Box::new(refuse(
                format!("{node}: `wipe_mode = \"user-disks\"` without a disk"),
                &["It would wipe nothing, and still leave etcd and take the node down."],
            )));
        }
        Some(WipeMode::UserDisks) => return disks_as_given(node, disks),
        Some(mode @ (WipeMode::All | WipeMode::SystemDisk)) => {
            let mode = mode.word();
            return Err(Box::new(refuse(
                format!("{node}: `wipe_mode = \"{mode}\"` means the whole system disk"),
                &[WHOLE_DISK],
            )));
        }
        None => {}
    }
    if labels.iter().all(|label| label.trim().is_empty()) {
        let what =
            if labels.is_empty() { "saying which" } else { "naming any: the list is empty words" };
        return Err(missing(node, what, case));
    }
    for label in labels {
        label_as_given(node, label)?;
    }
    Ok(())
}

/// The refusal of a recipe's parameter of type `partitions` that is missing or empty, before any call is made.
///
/// `real` are the labels of the nodes' volumes where they are known.
pub fn parameter_missing(command: &str, nodes: &str, parameter: &str, real: &[String]) -> Fault {
    let known: Vec<&str> = real
        .iter()
        .map(String::as_str)
        .filter(|label| SYSTEM.contains(label) || label.starts_with(USER))
        .collect();
    let known = if known.is_empty() { SYSTEM.to_vec() } else { known };
    let recipe = command.split_whitespace().next().unwrap_or(command);
    Fault::new(Code::GUARD_PARTITIONS, "partitions")
        .detail(format!("{recipe} would reset {nodes} without saying which partitions."))
        .detail(WHOLE_DISK)
        .detail(format!(
            "{nodes} has: {}  (META, BOOT, EFI have recipes of their own)",
            known.join(", ")
        ))
        .next(format!("ops run {command} --{parameter} {}", SYSTEM.join(",")))
}

fn label_as_given(node: &str, label: &str) -> Result<(), Box<Fault>> {
    if SYSTEM.contains(&label) {
        return Ok(());
    }
    let upper = label.trim().to_uppercase();
    if let Some(own) = OWN_RECIPE.iter().find(|own| **own == upper) {
        let fault = refuse(
            format!("{node}: {own} may not be reset"),
            &["Without it the node does not boot, or forgets an upgrade under way."],
        );
        return Err(Box::new(fault.help(
            "whole disks and boot partitions have a recipe of their own: cluster:wipe-disk",
        )));
    }
    // The tool splits its values at commas and unquotes them: one word must be one label.
    let name = label.strip_prefix(USER);
    let plain = name.is_some_and(|name| {
        !name.is_empty()
            && name.len() <= 34
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    });
    if plain {
        return Ok(());
    }
    let fault = refuse(
        format!("{node}: unknown partition `{}`", label.escape_default()),
        &["Labels are STATE, EPHEMERAL and user volumes (u-NAME), one word each."],
    );
    Err(Box::new(fault.did_you_mean(label, SYSTEM)))
}

fn disks_as_given(node: &str, disks: &[String]) -> Result<(), Box<Fault>> {
    for disk in disks {
        if disk.trim().is_empty() || disk.starts_with("/dev/") || disk.contains([',', '"', '/']) {
            return Err(Box::new(refuse(
                format!("{node}: `{}` does not identify a disk", disk.escape_default()),
                &["Device names move between boots: name a disk by its serial number or wwid."],
            )));
        }
    }
    Ok(())
}

/// Holds the list against the node's real volumes. In maintenance mode no reset is safe.
///
/// # Errors
/// A label that the node does not have, or volumes that nobody could read.
pub(super) fn as_real(reset: &Reset, case: &Case<'_>) -> Result<(), Box<Fault>> {
    let node = &reset.node;
    let facts = case.facts.node(node);
    let settings = &case.site.cluster.guards;
    let maintenance = facts.and_then(|f| f.maintenance.as_ref());
    let identity = facts.and_then(|f| f.identity.as_ref());
    let stage = identity.and_then(|i| i.found.as_ref().ok()).and_then(|i| i.stage.as_deref());
    let answers_insecure = maintenance
        .and_then(|m| m.found.as_ref().ok())
        .is_some_and(|m| m.proven() || m.without_config);
    if answers_insecure || stage == Some("maintenance") {
        let fault = refuse(
            format!("{node} is in maintenance mode, which has no safe reset"),
            &["There a reset knows no partitions: it would wipe the whole disk."],
        );
        return Err(Box::new(fault.next(format!("ops run talos:apply-config --nodes {node}"))));
    }
    let volumes = facts.and_then(|f| f.volumes.as_ref());
    let real = match fresh(volumes, EvidenceCode::Disk.limit(settings), case.now) {
        Ok(real) => real,
        Err(why) => {
            return Err(Box::new(refuse(
                format!("{node}: nobody can say which partitions it has"),
                &[&format!("Its volumes are unknown: {why}.")],
            )));
        }
    };
    for label in &reset.system_labels_to_wipe {
        if !real.iter().any(|volume| volume.label == *label && volume.located) {
            let has = labels(real);
            let fault = refuse(
                format!("{node} has no partition `{label}`"),
                &[&format!("{node} has: {}", has.join(", "))],
            );
            return Err(Box::new(fault.did_you_mean(label, has)));
        }
    }
    Ok(())
}

/// Labels that a reset of this node may name.
fn labels(volumes: &[Volume]) -> Vec<&str> {
    let mut labels: Vec<&str> = volumes
        .iter()
        .filter(|v| v.located)
        .map(|v| v.label.as_str())
        .filter(|label| SYSTEM.contains(label) || label.starts_with(USER))
        .collect();
    labels.sort_unstable();
    labels.dedup();
    labels
}

fn missing(node: &str, what: &str, case: &Case<'_>) -> Box<Fault> {
    let real = case.facts.node(node).and_then(|f| f.volumes.as_ref());
    let real = real.and_then(|seen| seen.found.as_ref().ok()).map(|v| labels(v));
    let real = real.filter(|labels| !labels.is_empty()).unwrap_or_else(|| SYSTEM.to_vec());
    let mut fault = Fault::new(Code::GUARD_PARTITIONS, "partitions")
        .detail(format!("{} would reset {node} without {what} partitions.", case.asked.recipe))
        .detail(WHOLE_DISK)
        .detail(format!(
            "{node} has: {}  (META, BOOT, EFI have recipes of their own)",
            real.join(", ")
        ));
    fault = match case.asked.partitions {
        Some(parameter) => {
            let command = case.asked.command;
            fault.next(format!("ops run {command} --{parameter} {}", SYSTEM.join(",")))
        }
        None => {
            fault.help(format!("`system_labels_to_wipe = {{ \"{}\" }}`", SYSTEM.join("\", \"")))
        }
    };
    Box::new(fault)
}

fn refuse(title: String, details: &[&str]) -> Fault {
    let mut fault = Fault::new(Code::GUARD_PARTITIONS, title);
    for detail in details {
        fault = fault.detail(*detail);
    }
    fault
}
