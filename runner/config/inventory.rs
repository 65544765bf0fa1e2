//! `clusters/NAME.toml`: from the file's text to a checked cluster. Knows neither pins nor the lab's paths.

mod foreign;
mod machines;
mod talconfig;
mod topf;
mod written;

use std::collections::BTreeMap;
use std::net::IpAddr;

use ops_core::error::{Code, Fault};
use ops_core::inventory::{Cluster, GuardSettings, InstallDisk, Node, Role, Versions};
use ops_core::time::Span;
use ops_render::talconfig::SECRET_FILES;
use serde::Deserialize;
use toml::Spanned;

pub use written::place_of_patch;

use super::outside::Outside;
use super::source::Source;
use super::values::{RecipeSettings, RecipesToml, json, recipe_settings};
use foreign::Foreign;

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
    topf: Option<Text>,
    config: Option<Text>,
    #[serde(default)]
    patches: Vec<Spanned<toml::Value>>,
    #[serde(default)]
    controlplane: RoleToml,
    #[serde(default)]
    worker: RoleToml,
    managed_by: Option<Text>,
}

/// What holds for every node of a role.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleToml {
    config: Option<Text>,
    #[serde(default)]
    patches: Vec<Spanned<toml::Value>>,
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
    config: Option<Text>,
    #[serde(default)]
    patches: Vec<Spanned<toml::Value>>,
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
pub(crate) fn read(source: &Source, name: &str, outside: &Outside<'_>) -> Result<Inventory, Fault> {
    let file: ClusterToml = source.decode()?;
    not_yet(source, &file)?;
    let foreign = foreign(source, &file, outside)?;
    let nodes = nodes(source, &file.nodes, foreign.as_ref())?;
    let endpoint = match (&file.endpoint, &foreign) {
        (Some(endpoint), Some(foreign)) => {
            return Err(twice(source, endpoint, "endpoint", foreign));
        }
        (Some(endpoint), None) => check(source, endpoint, super::net::api_url)?,
        (None, Some(foreign)) => foreign.endpoint.clone(),
        (None, None) => {
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
    let machines = machines::of(source, &file, foreign.as_ref(), &nodes)?;
    let settings = file
        .settings
        .into_iter()
        .map(|(key, value)| Ok((key, json(value)?)))
        .collect::<Result<_, String>>()
        .map_err(|what| {
            Fault::new(Code::CONFIG_KEY, format!("settings: {what}")).at(source.top())
        })?;
    let path = |given: Option<&Text>, default: String| match given {
        Some(path) => check(source, path, super::net::inside),
        None => Ok(default),
    };
    let other = foreign.as_ref();
    let config_dir = other.map_or(defaults::CONFIG_DIR, |o| &o.config_dir).to_owned();
    let config_dir = path(file.config_dir.as_ref(), config_dir)?;
    let talosconfig = match (&file.config_dir, other) {
        (None, None) => defaults::TALOSCONFIG.to_owned(),
        _ => format!("{config_dir}/talosconfig"),
    };
    let version = |given: Option<&Text>, key: &str, theirs: Option<&String>| match (given, theirs) {
        (Some(given), Some(_)) => other.map_or(Ok(None), |o| Err(twice(source, given, key, o))),
        (Some(given), None) => check(source, given, version).map(Some),
        (None, theirs) => Ok(theirs.cloned()),
    };
    let networks = |given: &[Text], key: &str, theirs: Option<&Vec<String>>, usual: &str| {
        match (given.first(), theirs.filter(|list| !list.is_empty()), other) {
            (Some(first), Some(_), Some(other)) => Err(twice(source, first, key, other)),
            (None, Some(list), _) => Ok(list.clone()),
            // What neither file says is what Talos takes.
            (None, None, Some(_)) => Ok(vec![usual.to_owned()]),
            _ => cidrs(source, given),
        }
    };
    let context = other.map_or(name, |o| &o.cluster_name);
    let cluster = Cluster {
        name: name.to_owned(),
        context: file.context.as_ref().map_or(context, |c| c.get_ref()).to_owned(),
        endpoint,
        nodes,
        versions: Versions {
            talos: version(
                file.versions.talos.as_ref(),
                "versions.talos",
                other.and_then(|o| o.talos.as_ref()),
            )?,
            kubernetes: version(
                file.versions.kubernetes.as_ref(),
                "versions.kubernetes",
                other.and_then(|o| o.kubernetes.as_ref()),
            )?,
        },
        pod_cidrs: networks(
            &file.pod_cidrs,
            "pod_cidrs",
            other.map(|o| &o.pod_cidrs),
            "10.244.0.0/16",
        )?,
        service_cidrs: networks(
            &file.service_cidrs,
            "service_cidrs",
            other.map(|o| &o.service_cidrs),
            "10.96.0.0/12",
        )?,
        kubeconfig: path(file.kubeconfig.as_ref(), defaults::KUBECONFIG.to_owned())?,
        talosconfig: path(file.talosconfig.as_ref(), talosconfig)?,
        secrets: path(
            file.secrets.as_ref(),
            other.map_or_else(|| bundle(outside), |o| o.secrets.clone()),
        )?,
        config_dir,
        snapshot_dir: path(file.snapshot_dir.as_ref(), defaults::SNAPSHOT_DIR.to_owned())?,
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
        machines,
    };
    Ok(Inventory {
        cluster,
        names_kubeconfig: file.kubeconfig.is_some(),
        names_talosconfig: file.talosconfig.is_some(),
        recipes: recipe_settings(source, file.recipes)?,
    })
}

/// The file of another tool that this inventory builds on.
fn foreign(
    source: &Source,
    file: &ClusterToml,
    outside: &Outside<'_>,
) -> Result<Option<Foreign>, Fault> {
    if let (Some(_), Some(topf)) = (&file.talconfig, &file.topf) {
        let title = "one cluster cannot come from `talconfig` and from `topf`";
        return Err(source.wrong(topf.span(), title));
    }
    let (given, found) = match (&file.talconfig, &file.topf) {
        (Some(path), _) => {
            (path, talconfig::read(&check(source, path, super::net::inside)?, outside)?)
        }
        (None, Some(path)) => {
            (path, topf::read(&check(source, path, super::net::inside)?, outside)?)
        }
        (None, None) => return Ok(None),
    };
    let missing = || source.wrong(given.span(), format!("there is no file `{}`", given.get_ref()));
    found.ok_or_else(missing).map(Some)
}

/// Where the bundle lies that no file names: by the first of its usual names, or encrypted by one of the others.
fn bundle(outside: &Outside<'_>) -> String {
    let there = SECRET_FILES.iter().find(|name| outside.has(name));
    (*there.unwrap_or(&defaults::SECRETS)).to_owned()
}

/// Nothing is said twice: where two files say it, one of them is wrong sooner or later.
fn twice(source: &Source, given: &Text, key: &str, foreign: &Foreign) -> Fault {
    let from = &foreign.file;
    source
        .wrong(given.span(), format!("`{key}` comes from {from} already"))
        .label(format!("what {from} says holds: leave this out"))
}

/// What would change what happens, and is not there yet: silence would be a promise that nobody keeps.
fn not_yet(source: &Source, file: &ClusterToml) -> Result<(), Fault> {
    if let Some(manager) = &file.managed_by {
        return Err(source.not_yet(manager.span(), "a cluster that something else manages"));
    }
    if let Some(owners) = &file.owners {
        return Err(source.not_yet(owners.span(), "the guard `owner`"));
    }
    let storage = file.storage.as_ref().and_then(|s| s.role.as_ref());
    if let Some(role) = storage.filter(|role| *role.get_ref() != StorageRole::None) {
        return Err(source.not_yet(role.span(), "evidence about storage"));
    }
    Ok(())
}

/// The nodes in the order of their file, which is the order in which people think of them; a table has none.
fn nodes(
    source: &Source,
    table: &BTreeMap<Text, NodeToml>,
    foreign: Option<&Foreign>,
) -> Result<Vec<Node>, Fault> {
    let mut rows: Vec<(&Text, &NodeToml)> = table.iter().collect();
    rows.sort_by_key(|(name, _)| name.span().start);
    let mut nodes: Vec<Node> = foreign.map(|f| f.nodes.clone()).unwrap_or_default();
    for (key, node) in rows {
        let name = check(source, key, node_name)?;
        let endpoint =
            node.endpoint.as_ref().map(|e| check(source, e, super::net::host)).transpose()?;
        let tags: Vec<String> =
            node.tags.iter().map(|tag| check(source, tag, tag_word)).collect::<Result<_, _>>()?;
        if let Some(foreign) = foreign {
            let known = nodes.iter_mut().find(|n| n.name == name);
            let Some(known) = known else {
                let title = format!("{} has no node `{name}`", foreign.file);
                let names = foreign.nodes.iter().map(|n| n.name.as_str());
                return Err(source.wrong(key.span(), title).did_you_mean(&name, names));
            };
            add(source, key, node, known, foreign)?;
            (known.endpoint, known.tags) = (endpoint, tags);
            continue;
        }
        let missing = |what: &str, help: &str| {
            source.wrong(key.span(), format!("node `{name}` has no `{what}`")).help(help.to_owned())
        };
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
        let disk = node.install_disk.as_ref();
        let install_disk = disk.map(|disk| install_disk(source, disk)).transpose()?;
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

/// What an inventory adds to a node of another tool's file: what that file cannot hold, and nothing that it does.
fn add(
    source: &Source,
    key: &Text,
    node: &NodeToml,
    known: &mut Node,
    foreign: &Foreign,
) -> Result<(), Fault> {
    if let Some(address) = &node.address {
        return Err(twice(source, address, "address", foreign));
    }
    if node.role.is_some() {
        return Err(twice(source, key, "role", foreign));
    }
    if let Some(disk) = &node.install_disk {
        if known.install_disk.is_some() {
            let title = format!("`install_disk` comes from {} already", foreign.file);
            return Err(source.wrong(disk.span(), title));
        }
        known.install_disk = Some(install_disk(source, disk)?);
    }
    Ok(())
}

fn install_disk(source: &Source, disk: &Spanned<InstallDisk>) -> Result<InstallDisk, Fault> {
    let (span, disk) = (disk.span(), disk.get_ref());
    if *disk == InstallDisk::default() {
        return Err(source
            .wrong(span, "an install disk is recognised by something")
            .help("give `serial`, `wwid` or `device`"));
    }
    Ok(disk.clone())
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
