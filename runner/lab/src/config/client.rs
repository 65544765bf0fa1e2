//! Client configs: talosconfig and kubeconfig, read and written.

use super::{ConfigError, Pair};
use crate::trace::fingerprint;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A talosconfig.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Talosconfig {
    /// Current context.
    pub context: String,
    /// Contexts by name.
    pub contexts: BTreeMap<String, TalosContext>,
}

/// A context of a talosconfig.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TalosContext {
    /// Endpoints.
    pub endpoints: Vec<String>,
    /// Default nodes.
    pub nodes: Vec<String>,
    /// CA, base64 of PEM.
    pub ca: String,
    /// Client certificate.
    pub crt: String,
    /// Client key.
    pub key: String,
}

impl Talosconfig {
    /// Reads a talosconfig; an empty file has no contexts.
    pub fn read(text: &str) -> Result<Self, ConfigError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_saphyr::from_str(text).map_err(|error| ConfigError(error.to_string()))
    }
}

/// Writes a talosconfig with one context.
#[must_use]
pub fn talosconfig(name: &str, endpoints: &[String], ca: &str, client: &Pair) -> String {
    let mut list = if endpoints.is_empty() { " []\n".to_owned() } else { "\n".to_owned() };
    for endpoint in endpoints {
        list.push_str("            - ");
        list.push_str(endpoint);
        list.push('\n');
    }
    format!(
        "context: {name}\ncontexts:\n    {name}:\n        endpoints:{list}        ca: {ca}\n        \
         crt: {}\n        key: {}\n",
        client.crt, client.key
    )
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Kubeconfig {
    clusters: Vec<NamedCluster>,
    contexts: Vec<NamedContext>,
    #[serde(rename = "current-context")]
    current: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct NamedCluster {
    name: String,
    cluster: ClusterEntry,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ClusterEntry {
    server: String,
    #[serde(rename = "certificate-authority-data")]
    ca: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct NamedContext {
    name: String,
    context: ContextEntry,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ContextEntry {
    cluster: String,
}

/// Where a kubeconfig's context leads, and which CA it trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeTarget {
    /// Server URL.
    pub server: String,
    /// Fingerprint of the CA data.
    pub ca: u64,
}

/// Resolves a context of a kubeconfig; the current one when none is named.
pub fn kube_target(text: &str, context: Option<&str>) -> Result<KubeTarget, ConfigError> {
    let config: Kubeconfig =
        serde_saphyr::from_str(text).map_err(|error| ConfigError(error.to_string()))?;
    let wanted = context.unwrap_or(&config.current);
    let found = config.contexts.iter().find(|entry| entry.name == wanted).ok_or_else(|| {
        ConfigError(format!("context was not found for specified context: {wanted}"))
    })?;
    let cluster =
        config.clusters.iter().find(|entry| entry.name == found.context.cluster).ok_or_else(
            || ConfigError(format!("cluster {:?} does not exist", found.context.cluster)),
        )?;
    Ok(KubeTarget {
        server: cluster.cluster.server.clone(),
        ca: fingerprint(cluster.cluster.ca.as_str()),
    })
}

/// The admin kubeconfig that a control plane hands out.
#[must_use]
pub fn kubeconfig(cluster: &str, server: &str, ca: &str, client: &Pair) -> String {
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: {cluster}\n  cluster:\n    server: {server}\n    \
         certificate-authority-data: {ca}\nusers:\n- name: admin@{cluster}\n  user:\n    \
         client-certificate-data: {}\n    client-key-data: {}\ncontexts:\n- context:\n    cluster: {cluster}\n    \
         namespace: default\n    user: admin@{cluster}\n  name: admin@{cluster}\ncurrent-context: admin@{cluster}\n",
        client.crt, client.key
    )
}
