//! The parts of topf's topf.yaml that an inventory needs, and the image that each node installs. Its folders of patches are read when a config is
//! rendered.

use std::collections::BTreeMap;

use ops_core::error::Fault;
use ops_core::inventory::{Node, Role};
use ops_core::machines::Origin;
use ops_render::Tree;

use super::super::outside::{Outside, Yaml, beside, folder_of, is_sops};
use super::foreign::{Foreign, node};
use super::{node_name, version};
use crate::config::net;

/// Keys of the whole file that are read here or by patches.
const KEYS: [&str; 14] = [
    "clusterName",
    "clusterEndpoint",
    "kubernetesVersion",
    "talosVersion",
    "schematicId",
    "factory",
    "platform",
    "secureboot",
    "patchesDir",
    "secretsPath",
    "nodes",
    "data",
    "secretsProvider",
    "nodesProvider",
];
const NODE_KEYS: [&str; 9] = [
    "host",
    "ip",
    "role",
    "data",
    "talosVersion",
    "schematicId",
    "factory",
    "platform",
    "secureboot",
];

/// The schematic of an image without extensions.
const EMPTY_SCHEMATIC: &str = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba";

/// Reads the topf.yaml.
///
/// # Errors
/// The first mistake, at its place.
pub(super) fn read(path: &str, outside: &Outside<'_>) -> Result<Option<Foreign>, Fault> {
    let Some(raw) = outside.bytes(path)? else { return Ok(None) };
    let sealed = is_sops(&raw);
    let bytes = if sealed { outside.open(path)?.unwrap_or_default() } else { raw };
    let yaml = Yaml::parse(path, &bytes, sealed)?;
    let root = &yaml.tree;
    known(&yaml, root, &KEYS)?;
    for program in ["secretsProvider", "nodesProvider"] {
        if let Some(at) = root.get(program) {
            let title = format!("`{program}` names a program, and an inventory starts none");
            let help = if program == "nodesProvider" {
                "list the nodes here"
            } else {
                "write the bundle to a file and name it: `secrets` in clusters/NAME.toml"
            };
            return Err(yaml.wrong(&at, title).help(help));
        }
    }
    let check = |text: &str, at: &Tree, rule: &dyn Fn(&str) -> Result<(), String>| {
        rule(text).map_err(|why| yaml.wrong(at, why))
    };
    let need = |key: &str| yaml.text(root, key)?.ok_or_else(|| yaml.missing(key));
    let (cluster_name, _) = need("clusterName")?;
    let (endpoint, at) = need("clusterEndpoint")?;
    check(&endpoint, &at, &net::api_url)?;
    let with_v = |of: &Tree, key: &str| -> Result<Option<String>, Fault> {
        let Some((text, at)) = yaml.text(of, key)? else { return Ok(None) };
        let text = if text.starts_with('v') { text } else { format!("v{text}") };
        check(&text, &at, &version)?;
        Ok(Some(text))
    };
    let talos = with_v(root, "talosVersion")?;
    let folder = folder_of(path);
    let place = |key: &str, default: &str| -> Result<String, Fault> {
        match yaml.text(root, key)? {
            Some((text, at)) => beside(folder, &text).map_err(|why| yaml.wrong(&at, why)),
            None => beside(folder, default).map_err(|why| yaml.wrong(root, why)),
        }
    };
    let list = root.get("nodes").ok_or_else(|| yaml.missing("nodes"))?;
    let items = list.items().ok_or_else(|| yaml.wrong(&list, "`nodes` is to be a list"))?;
    let mut nodes: Vec<Node> = Vec::new();
    let mut images = BTreeMap::new();
    for item in &items {
        known(&yaml, item, &NODE_KEYS)?;
        let need = |key: &str| {
            let missing = || yaml.wrong(item, format!("the node has no `{key}`"));
            yaml.text(item, key)?.ok_or_else(missing)
        };
        let (name, at) = need("host")?;
        check(&name, &at, &node_name)?;
        if nodes.iter().any(|n| n.name == name) {
            return Err(yaml.wrong(&at, format!("there are two nodes `{name}`")));
        }
        let (role, at) = need("role")?;
        let role = match role.as_str() {
            "control-plane" => Role::Controlplane,
            "worker" => Role::Worker,
            other => {
                let title = format!("`{other}` is no role");
                return Err(yaml.wrong(&at, title).help("`control-plane` or `worker`"));
            }
        };
        let address = match yaml.text(item, "ip")? {
            Some((address, at)) => {
                check(&address, &at, &net::address)?;
                address
            }
            None => name.clone(),
        };
        let of = |key: &str, default: &str| -> Result<String, Fault> {
            let own = yaml.text(item, key)?;
            let found = if own.is_some() { own } else { yaml.text(root, key)? };
            Ok(found.map_or_else(|| default.to_owned(), |(text, _)| text))
        };
        let version = with_v(item, "talosVersion")?.or_else(|| talos.clone());
        // Without a version the image is that of the client's own.
        if let Some(version) = version {
            let schematic = of("schematicId", EMPTY_SCHEMATIC)?;
            if schematic.starts_with('@') {
                let at = item.get("schematicId").or_else(|| root.get("schematicId"));
                let title = format!("`{schematic}` asks the image factory for an id");
                let fault = yaml.wrong(at.as_ref().unwrap_or(item), title);
                return Err(fault.help("write the id itself: `topf schematic-ids` prints it"));
            }
            let secure =
                [item, root].iter().any(|of| of.get("secureboot").is_some_and(|v| v.is_true()));
            let secure = if secure { "-secureboot" } else { "" };
            let (factory, platform) =
                (of("factory", "factory.talos.dev")?, of("platform", "metal")?);
            let image = format!("{factory}/{platform}-installer{secure}/{schematic}:{version}");
            images.insert(name.clone(), image);
        }
        nodes.push(node(&name, role, &address, None));
    }
    Ok(Some(Foreign {
        file: path.to_owned(),
        origin: Origin::Topf { file: path.to_owned(), folder: place("patchesDir", ".")?, images },
        kubernetes: with_v(root, "kubernetesVersion")?,
        talos,
        pod_cidrs: Vec::new(),
        service_cidrs: Vec::new(),
        cluster_name,
        endpoint,
        nodes,
        file_names: BTreeMap::new(),
        secrets: place("secretsPath", "secrets.yaml")?,
        config_dir: beside(folder, "clusterconfig").unwrap_or_default(),
    }))
}

/// Refuses a key that topf does not have.
fn known(yaml: &Yaml, of: &Tree, keys: &[&str]) -> Result<(), Fault> {
    for (key, _) in of.pairs() {
        let name = key.text().unwrap_or_default();
        if !keys.contains(&name) {
            let fault = yaml.wrong(&key, format!("unknown key `{name}`"));
            return Err(fault.did_you_mean(name, keys.iter().copied()));
        }
    }
    Ok(())
}
