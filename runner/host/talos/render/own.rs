//! What makes a config the node's own: its name and its install disk, where the inventory knows them and the config does not say them.

use ops_core::error::CallError;
use ops_core::inventory::InstallDisk;
use ops_core::value::Value;
use ops_render::{Patch, Source};
use serde_json::json;

use super::patches::Job;
use crate::host::talos::config::says;
use crate::host::yaml;

/// A config with the node's own name and install disk.
///
/// # Errors
/// Where the config is none, or has not the form that the edits need.
pub(super) fn own(job: &Job<'_>, name: &str, config: &str) -> Result<String, CallError> {
    let node = job.node;
    let documents = yaml::documents(name, config.as_bytes())?;
    let (_, hostname, _) = says(&documents);
    let text = match hostname {
        // Whoever says a name means it; whether it is the right one is asked when all is done.
        Some(_) => config.to_owned(),
        None => named(job, name, config, &documents)?,
    };
    match &node.install_disk {
        Some(disk) => with_disk(job, name, disk, &text),
        None => Ok(text),
    }
}

/// Puts the node's name into its document of its own, which 1.12 and later write as `auto: stable`; older ones have it in the machine's network.
fn named(
    job: &Job<'_>,
    name: &str,
    config: &str,
    documents: &[Value],
) -> Result<String, CallError> {
    const KIND: &str = "kind: HostnameConfig";
    let node = job.node;
    let document =
        format!("apiVersion: v1alpha1\n{KIND}\nhostname: {}\n", Value::from(&*node.name));
    let mut parts: Vec<String> = config.split("---\n").map(str::to_owned).collect();
    if let Some(part) = parts.iter_mut().find(|part| part.lines().any(|line| line == KIND)) {
        *part = document;
        return Ok(parts.join("---\n"));
    }
    let of_its_own = job.talos.is_none_or(|version| version >= (1, 12));
    let spelt_otherwise =
        documents.iter().any(|d| d.get("kind").is_some_and(|k| k == "HostnameConfig"));
    if of_its_own && !spelt_otherwise {
        let end = if config.ends_with('\n') { "" } else { "\n" };
        return Ok(format!("{config}{end}---\n{document}"));
    }
    let patch = if of_its_own {
        json!({"apiVersion": "v1alpha1", "kind": "HostnameConfig", "auto": "off", "hostname": node.name})
    } else {
        json!({"machine": {"network": {"hostname": node.name}}})
    };
    let text = patch.to_string();
    let source = Source { name: "the node's name", bytes: text.as_bytes() };
    let patch = Patch::from_source(source, &job.profile).map_err(|e| job.texts.refused(&e))?;
    job.patched(name, config, &[patch])
}

/// Puts the node's install disk in the place of the tool's default.
fn with_disk(
    job: &Job<'_>,
    name: &str,
    disk: &InstallDisk,
    base: &str,
) -> Result<String, CallError> {
    let quoted = |text: &str| Value::from(text).to_string();
    let entry = |indent: &str| match (&disk.serial, &disk.wwid, &disk.device) {
        (Some(serial), _, _) => {
            Some(format!("{indent}diskSelector:\n{indent}    serial: {}", quoted(serial)))
        }
        (None, Some(wwid), _) => {
            Some(format!("{indent}diskSelector:\n{indent}    wwid: {}", quoted(wwid)))
        }
        (None, None, Some(device)) => Some(format!("{indent}disk: {}", quoted(device))),
        (None, None, None) => None,
    };
    let mut install: Option<usize> = None;
    let mut done = false;
    let mut lines = Vec::new();
    for line in base.lines() {
        let depth = line.len() - line.trim_start().len();
        let bare = line.trim_end();
        if install.is_none() && bare.trim_start() == "install:" && depth > 0 {
            install = Some(depth);
        } else if install.is_some_and(|above| !bare.is_empty() && depth <= above) {
            install = Some(usize::MAX);
        }
        let inside = install.is_some_and(|above| above != usize::MAX && depth > above);
        if inside && !done && line.trim_start().starts_with("disk:") {
            done = true;
            lines.push(entry(&line[..depth]).unwrap_or_else(|| line.to_owned()));
        } else {
            lines.push(line.to_owned());
        }
    }
    if done {
        return Ok(lines.join("\n") + "\n");
    }
    // A config of somebody's own may say it otherwise, or not at all.
    let install = match (&disk.serial, &disk.wwid) {
        (Some(serial), _) => json!({"diskSelector": {"serial": serial}}),
        (None, Some(wwid)) => json!({"diskSelector": {"wwid": wwid}}),
        (None, None) => json!({"disk": disk.device}),
    };
    let text = json!({"machine": {"install": install}}).to_string();
    let source = Source { name: "the node's disk", bytes: text.as_bytes() };
    let patch = Patch::from_source(source, &job.profile).map_err(|e| job.texts.refused(&e))?;
    job.patched(name, base, &[patch])
}
