//! `clusters/NAME.toml`: from the file's text to a checked cluster. Knows neither pins nor the lab's paths.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ops_core::error::{Code, Fault};
use ops_core::inventory::{Cluster, GuardSettings, InstallDisk, Node, Role, Versions};
use ops_core::time::Span;
use serde::Deserialize;
use toml::Spanned;

use super::source::Source;
use super::values::{RecipeSettings, RecipesToml, json, recipe_settings};

type Text = Spanned<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClusterToml {
    context: Option<Text>,
    endpoint: Option<Text>,
    #[serde(default)]
    versions: VersionsToml,
    #[serde(default)]
    pod_cidrs: Vec<Text>,
    #[serde(default)]
    service_cidrs: Vec<Text>,
    #[serde(default)]
    nodes: BTreeMap<Text, NodeToml>,
    kubeconfig: Option<Text>,
    talosconfig: Option<Text>,
    secrets: Option<Text>,
    config_dir: Option<Text>,
    snapshot_dir: Option<Text>,
    #[serde(default)]
    settings: toml::Table,
    #[serde(default)]
    guards: GuardsToml,
    #[serde(default)]
    recipes: RecipesToml,
    load_balancer: Option<LoadBalancerToml>,
    storage: Option<StorageToml>,
    owners: Option<Spanned<BTreeMap<String, Vec<String>>>>,
    talconfig: Option<Text>,
    managed_by: Option<Text>,
    patches: Option<Spanned<toml::Value>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionsToml {
    talos: Option<Text>,
    kubernetes: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeToml {
    role: Option<Role>,
    address: Option<Text>,
    endpoint: Option<Text>,
    install_disk: Option<Spanned<InstallDisk>>,
    #[serde(default)]
    tags: Vec<Text>,
    patches: Option<Spanned<toml::Value>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct GuardsToml {
    grant_ttl: Option<Text>,
    snapshot_max_age: Option<Text>,
    approvals: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoadBalancerToml {
    #[serde(default)]
    pools: Vec<Text>,
    #[serde(default, rename = "static")]
    fixed: BTreeMap<String, Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StorageToml {
    role: Option<Spanned<StorageRole>>,
    #[serde(rename = "engine")]
    _engine: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StorageRole {
    Provider,
    Consumer,
    None,
}

/// An inventory file, read and checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Inventory {
    /// The cluster, with the paths of real material.
    pub cluster: Cluster,
    /// Which of the client configs' paths the file itself names.
    pub names_kubeconfig: bool,
    /// As above.
    pub names_talosconfig: bool,
    /// Parameters of recipes for this cluster.
    pub recipes: RecipeSettings,
}

/// Where a cluster's material lies unless its inventory says otherwise; all relative to the root.
pub(crate) mod defaults {
    pub(crate) const KUBECONFIG: &str = "kubeconfig";
    pub(crate) const TALOSCONFIG: &str = "clusterconfig/talosconfig";
    pub(crate) const SECRETS: &str = "talsecret.yaml";
    pub(crate) const CONFIG_DIR: &str = "clusterconfig";
    pub(crate) const SNAPSHOT_DIR: &str = "snapshots";
}

/// Longest time that a grant may wait for its run, and oldest snapshot that may count: an inventory can only tighten them.
const LONGEST: Span = Span::mins(15);

/// Reads an inventory.
///
/// # Errors
/// The first mistake, at its place.
pub(crate) fn read(source: &Source, name: &str) -> Result<Inventory, Fault> {
    let file: ClusterToml = source.decode()?;
    not_yet(source, &file)?;
    let nodes = nodes(source, file.nodes)?;
    let endpoint = match &file.endpoint {
        Some(endpoint) => check(source, endpoint, super::net::api_url)?,
        None => {
            return Err(Fault::new(Code::CONFIG_KEY, "the key `endpoint` is missing")
                .at(source.top())
                .help("the URL of the Kubernetes API: endpoint = \"https://10.20.30.10:6443\""));
        }
    };
    for pool in file.load_balancer.iter().flat_map(|lb| &lb.pools) {
        check(source, pool, super::net::range)?;
    }
    for address in file.load_balancer.iter().flat_map(|lb| lb.fixed.values()) {
        check(source, address, super::net::address)?;
    }
    let settings = file
        .settings
        .into_iter()
        .map(|(key, value)| Ok((key, json(value)?)))
        .collect::<Result<_, String>>()
        .map_err(|what| {
            Fault::new(Code::CONFIG_KEY, format!("settings: {what}")).at(source.top())
        })?;
    let path = |given: Option<&Text>, default: &str| match given {
        Some(path) => check(source, path, super::net::inside),
        None => Ok(default.to_owned()),
    };
    let version = |given: Option<&Text>| given.map(|v| check(source, v, version)).transpose();
    let cluster = Cluster {
        name: name.to_owned(),
        context: file.context.as_ref().map_or(name, |c| c.get_ref()).to_owned(),
        endpoint,
        nodes,
        versions: Versions {
            talos: version(file.versions.talos.as_ref())?,
            kubernetes: version(file.versions.kubernetes.as_ref())?,
        },
        pod_cidrs: cidrs(source, &file.pod_cidrs)?,
        service_cidrs: cidrs(source, &file.service_cidrs)?,
        kubeconfig: path(file.kubeconfig.as_ref(), defaults::KUBECONFIG)?,
        talosconfig: path(file.talosconfig.as_ref(), defaults::TALOSCONFIG)?,
        secrets: path(file.secrets.as_ref(), defaults::SECRETS)?,
        config_dir: path(file.config_dir.as_ref(), defaults::CONFIG_DIR)?,
        snapshot_dir: path(file.snapshot_dir.as_ref(), defaults::SNAPSHOT_DIR)?,
        settings,
        guards: GuardSettings {
            grant_ttl: tightened(source, file.guards.grant_ttl.as_ref(), "grant_ttl")?,
            snapshot_max_age: tightened(
                source,
                file.guards.snapshot_max_age.as_ref(),
                "snapshot_max_age",
            )?,
            approvals: file.guards.approvals,
        },
    };
    Ok(Inventory {
        cluster,
        names_kubeconfig: file.kubeconfig.is_some(),
        names_talosconfig: file.talosconfig.is_some(),
        recipes: recipe_settings(source, file.recipes)?,
    })
}

/// What would change what happens, and is not there yet: silence would be a promise that nobody keeps.
fn not_yet(source: &Source, file: &ClusterToml) -> Result<(), Fault> {
    if let Some(talconfig) = &file.talconfig {
        return Err(source
            .not_yet(talconfig.span(), "an inventory that is read from talconfig.yaml")
            .help("until then, say `endpoint` and `nodes` here"));
    }
    if let Some(manager) = &file.managed_by {
        return Err(source.not_yet(manager.span(), "a cluster that something else manages"));
    }
    if let Some(owners) = &file.owners {
        return Err(source.not_yet(owners.span(), "the guard `owner`"));
    }
    if let Some(patches) = &file.patches {
        return Err(source.not_yet(patches.span(), "patching machine configs"));
    }
    let storage = file.storage.as_ref().and_then(|s| s.role.as_ref());
    if let Some(role) = storage.filter(|role| *role.get_ref() != StorageRole::None) {
        return Err(source.not_yet(role.span(), "evidence about storage"));
    }
    Ok(())
}

fn nodes(source: &Source, table: BTreeMap<Text, NodeToml>) -> Result<Vec<Node>, Fault> {
    let mut rows: Vec<(Text, NodeToml)> = table.into_iter().collect();
    // The file's order is the order in which people think of their nodes; a table has none.
    rows.sort_by_key(|(name, _)| name.span().start);
    let mut nodes: Vec<Node> = Vec::new();
    for (key, node) in rows {
        let name = check(source, &key, node_name)?;
        let missing = |what: &str, help: &str| {
            source.wrong(key.span(), format!("node `{name}` has no `{what}`")).help(help.to_owned())
        };
        if let Some(patches) = &node.patches {
            return Err(source.not_yet(patches.span(), "patching machine configs"));
        }
        let role = node
            .role
            .ok_or_else(|| missing("role", "role = \"controlplane\" or role = \"worker\""))?;
        let address = node.address.as_ref().ok_or_else(|| {
            missing("address", "where its Talos API answers: address = \"10.20.30.11\"")
        })?;
        let place = address.span();
        let address = check(source, address, super::net::host)?;
        if let Some(other) = nodes.iter().find(|n| n.address == address) {
            return Err(source
                .wrong(place, format!("nodes `{}` and `{name}` have one address", other.name))
                .label(format!("also that of {}", other.name)));
        }
        let endpoint =
            node.endpoint.as_ref().map(|e| check(source, e, super::net::host)).transpose()?;
        let install_disk = node.install_disk.map(|disk| install_disk(source, disk)).transpose()?;
        let tags =
            node.tags.iter().map(|tag| check(source, tag, tag_word)).collect::<Result<_, _>>()?;
        nodes.push(Node { name, role, address, endpoint, install_disk, tags });
    }
    if !nodes.iter().any(Node::is_control_plane) {
        let what = if nodes.is_empty() { "no nodes" } else { "no control plane" };
        return Err(Fault::new(Code::CONFIG_KEY, format!("the cluster has {what}"))
            .at(source.top())
            .help("nodes.cp-1 = { role = \"controlplane\", address = \"10.20.30.11\" }"));
    }
    Ok(nodes)
}

fn install_disk(source: &Source, disk: Spanned<InstallDisk>) -> Result<InstallDisk, Fault> {
    let span = disk.span();
    let disk = disk.into_inner();
    if disk == InstallDisk::default() {
        return Err(source
            .wrong(span, "an install disk is recognised by something")
            .help("give `serial`, `wwid` or `device`"));
    }
    Ok(disk)
}

fn cidrs(source: &Source, list: &[Text]) -> Result<Vec<String>, Fault> {
    list.iter().map(|text| check(source, text, super::net::cidr)).collect()
}

fn tightened(source: &Source, given: Option<&Text>, name: &str) -> Result<Option<Span>, Fault> {
    let Some(text) = given else { return Ok(None) };
    let span: Span =
        text.get_ref().parse().map_err(|what: String| source.wrong(text.span(), what))?;
    if span > LONGEST || span == Span(0) {
        return Err(source
            .wrong(text.span(), format!("`{name}` is at most {LONGEST}"))
            .label("an inventory can only tighten a guard"));
    }
    Ok(Some(span))
}

/// Checks a text, and places what is wrong with it.
fn check(
    source: &Source,
    text: &Text,
    rule: impl Fn(&str) -> Result<(), String>,
) -> Result<String, Fault> {
    match rule(text.get_ref()) {
        Ok(()) => Ok(text.get_ref().clone()),
        Err(what) => Err(source.wrong(text.span(), what)),
    }
}

/// A node's name is its host name, and must not be a word of node selection.
fn node_name(name: &str) -> Result<(), String> {
    if ["all", "controlplanes", "workers"].contains(&name) {
        return Err(format!("a node cannot be called `{name}`: the word selects several"));
    }
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if name.len() > 63 || !name.chars().all(good) {
        return Err(format!("`{name}` is no host name: lower-case letters, digits, `-` and `.`"));
    }
    if !edge(name.chars().next()) || !edge(name.chars().last()) {
        return Err(format!("`{name}` is no host name: it begins and ends with a letter or digit"));
    }
    if name.parse::<IpAddr>().is_ok() {
        return Err(format!("`{name}` is an address, not a name"));
    }
    Ok(())
}

fn tag_word(tag: &str) -> Result<(), String> {
    let good = |c: char| c.is_alphanumeric() || "-_./".contains(c);
    if tag.is_empty() || !tag.chars().all(good) {
        return Err(format!("`{tag}` is no tag: letters, digits, `-`, `_`, `.` and `/`"));
    }
    Ok(())
}

fn version(text: &str) -> Result<(), String> {
    let numbers = text.strip_prefix('v').and_then(|rest| {
        let release = rest.split(['-', '+']).next()?;
        let parts: Vec<&str> = release.split('.').collect();
        let number = |p: &&str| !p.is_empty() && p.chars().all(|c| c.is_ascii_digit());
        (parts.len() == 3 && parts.iter().all(number)).then_some(())
    });
    numbers.ok_or_else(|| format!("`{text}` is no version such as \"v1.13.0\""))
}

#[cfg(test)]
mod tests;
