//! Configs and patches that lie in files: plain ones, encrypted ones, and Jinja templates (`.j2`).

use std::collections::BTreeMap;

use minijinja::Value as Jinja;
use ops_core::error::CallError;
use ops_core::inventory::{Cluster, Node};
use serde_json::json;

use super::patches::Job;
use crate::host::template::{Ask, fill, value_of};

/// A whole machine config from a file.
///
/// # Errors
/// As for `text`.
pub(super) async fn config(job: &mut Job<'_>, path: &str) -> Result<String, CallError> {
    let path = job.cx.inside(path)?;
    text(job, &path).await
}

/// The text of a file: decrypted where it is encrypted, filled in where its name ends in `.j2`.
///
/// # Errors
/// As the file system says; sops has no key; a name that the template does not know, at its line.
pub(super) async fn text(job: &mut Job<'_>, path: &str) -> Result<String, CallError> {
    let (text, sealed) = job.cx.open_text(path).await?;
    if !is_jinja(path) {
        if !sealed {
            job.texts.keep(path, &text);
        }
        return Ok(text);
    }
    let data = data(job.cx.cluster()?, job.node, job)?;
    let filled = fill(path, &text, &data, Ask::Variables, job.cx)?;
    // A finding in what a template made has the line of the result: quoting the template's own would mislead.
    Ok(filled.text)
}

/// Whether a file is a Jinja template, by its name.
pub(super) fn is_jinja(path: &str) -> bool {
    has_ending(path, "j2")
}

/// Whether a name ends so.
pub(super) fn has_ending(path: &str, ending: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, found)| found == ending)
}

/// What a template knows: `cluster`, `node`, and the inventory's `settings`.
fn data(
    cluster: &Cluster,
    node: &Node,
    job: &Job<'_>,
) -> Result<BTreeMap<String, Jinja>, CallError> {
    let name = cluster.machines.cluster_name.as_ref().unwrap_or(&cluster.name);
    let of_cluster = json!({
        "name": name,
        "endpoint": cluster.endpoint,
        "versions": cluster.versions,
        "pod_cidrs": cluster.pod_cidrs,
        "service_cidrs": cluster.service_cidrs,
        "settings": cluster.settings,
    });
    let of_node = json!({
        "name": node.name,
        "role": node.role.word(),
        "address": node.address,
        "tags": node.tags,
        "is_control_plane": node.is_control_plane(),
        "install_disk": node.install_disk.clone().unwrap_or_default(),
    });
    let mut sealed = false;
    let mut plain = |value| value_of(&value, &mut sealed, job.cx);
    Ok(BTreeMap::from([
        ("cluster".to_owned(), plain(of_cluster)?),
        ("node".to_owned(), plain(of_node)?),
        ("settings".to_owned(), plain(json!(cluster.settings))?),
    ]))
}
