//! The parts of talhelper's talconfig.yaml that an inventory needs: names, addresses, versions, networks. How it becomes machine configs is the
//! renderer's business; settings that only configs need are not looked at here.

use std::collections::BTreeMap;

use ops_core::error::Fault;
use ops_core::inventory::{InstallDisk, Node, Role};
use ops_core::machines::Origin;
use ops_render::talconfig::{SECRET_FILES, VARIABLE_FILES, Variables, expand};
use ops_render::{Source, Tree, go_template};

use super::super::outside::{Outside, Yaml, folder_of, is_sops, told};
use super::foreign::{Foreign, node};
use super::{node_name, version};
use crate::config::net;

/// Reads the talconfig.
///
/// # Errors
/// The first mistake in what an inventory needs, at its place.
pub(super) fn read(path: &str, outside: &Outside<'_>) -> Result<Option<Foreign>, Fault> {
    let Some(raw) = outside.bytes(path)? else { return Ok(None) };
    let sealed = is_sops(&raw);
    let bytes = if sealed { outside.open(path)?.unwrap_or_default() } else { raw };
    let yaml = Yaml::parse(path, &bytes, sealed)?;
    let folder = folder_of(path);
    let file = Reader { yaml: &yaml, outside, folder };
    let root = &yaml.tree;
    let need = |key: &str| file.text(root, key)?.ok_or_else(|| yaml.missing(key));
    let (cluster_name, _) = need("clusterName")?;
    let (endpoint, at) = need("endpoint")?;
    file.check(&endpoint, &at, net::api_url)?;
    let with_v = |found: Option<(String, Tree)>| -> Result<Option<String>, Fault> {
        let Some((text, at)) = found.filter(|(text, _)| !text.is_empty()) else { return Ok(None) };
        let text = if text.starts_with('v') { text } else { format!("v{text}") };
        file.check(&text, &at, version)?;
        Ok(Some(text))
    };
    let mut nodes: Vec<Node> = Vec::new();
    let mut file_names = BTreeMap::new();
    let list = root.get("nodes").ok_or_else(|| yaml.missing("nodes"))?;
    let items = list.items().ok_or_else(|| yaml.wrong(&list, "`nodes` is to be a list"))?;
    for item in &items {
        let found = file.node(item)?;
        let group = if found.is_control_plane() { "controlPlane" } else { "worker" };
        let template = match file.text(item, "filenameTmpl")? {
            None => root.get(group).map(|g| file.text(&g, "filenameTmpl")).transpose()?.flatten(),
            own => own,
        };
        let name = match template.filter(|(text, _)| !text.is_empty()) {
            Some((text, at)) => {
                let addresses = file.text(item, "ipAddress")?.map(|(text, _)| text);
                let addresses = addresses.unwrap_or_default();
                file.name_of(&text, &at, &cluster_name, &found, &addresses)?
            }
            None => format!("{cluster_name}-{}.yaml", found.name),
        };
        if let Some(other) = nodes.iter().find(|n| n.address == found.address) {
            let (one, two) = (&other.name, &found.name);
            return Err(yaml.wrong(item, format!("nodes `{one}` and `{two}` have one address")));
        }
        if nodes.iter().any(|n| n.name == found.name) {
            return Err(yaml.wrong(item, format!("there are two nodes `{}`", found.name)));
        }
        if let Some((other, _)) = file_names.iter().find(|(_, n)| **n == name) {
            let two = &found.name;
            return Err(yaml.wrong(item, format!("`{other}` and `{two}` would have one file")));
        }
        file_names.insert(found.name.clone(), name);
        nodes.push(found);
    }
    let at_folder = |name: &str| {
        if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
    };
    let secrets = SECRET_FILES.iter().rev().map(|name| at_folder(name));
    let secrets = secrets.clone().find(|path| outside.has(path));
    Ok(Some(Foreign {
        file: path.to_owned(),
        origin: Origin::Talconfig { file: path.to_owned() },
        talos: with_v(file.text(root, "talosVersion")?)?,
        kubernetes: with_v(file.text(root, "kubernetesVersion")?)?,
        pod_cidrs: file.networks(root, "clusterPodNets")?,
        service_cidrs: file.networks(root, "clusterSvcNets")?,
        cluster_name,
        endpoint,
        nodes,
        file_names,
        secrets: secrets.unwrap_or_else(|| at_folder("talsecret.yaml")),
        config_dir: at_folder("clusterconfig"),
    }))
}

struct Reader<'a> {
    yaml: &'a Yaml,
    outside: &'a Outside<'a>,
    folder: &'a str,
}

impl Reader<'_> {
    /// The text of a key with its variables replaced.
    fn text(&self, of: &Tree, key: &str) -> Result<Option<(String, Tree)>, Fault> {
        let Some((text, at)) = self.yaml.text(of, key)? else { return Ok(None) };
        Ok(Some((self.expanded(&text, &at)?, at)))
    }

    fn expanded(&self, text: &str, at: &Tree) -> Result<String, Fault> {
        if !text.contains('$') {
            return Ok(text.to_owned());
        }
        let mut variables = Variables::new();
        for name in names(text) {
            if let Some(value) = self.variable(name)? {
                variables.insert(name, value);
            }
        }
        expand(text, &variables).map_err(|why| {
            self.yaml.wrong(at, why).help(format!("set it in {}", self.beside(VARIABLE_FILES[0])))
        })
    }

    /// A variable: of the last file that names it, else of the environment. What is encrypted is opened only where it is needed.
    fn variable(&self, name: &str) -> Result<Option<String>, Fault> {
        for file in VARIABLE_FILES.iter().rev() {
            let path = self.beside(file);
            let Some(mut bytes) = self.outside.bytes(&path)? else { continue };
            let sealed = is_sops(&bytes);
            if sealed {
                let found = Yaml::parse(&path, &bytes, true)?;
                let Some(value) = found.tree.get(name) else { continue };
                if !value.text().is_some_and(|text| text.starts_with("ENC[")) {
                    return Ok(found.text(&found.tree, name)?.map(|(text, _)| text));
                }
                bytes = self.outside.open(&path)?.unwrap_or_default();
            }
            let mut variables = Variables::new();
            let text = if sealed { "".into() } else { String::from_utf8_lossy(&bytes) };
            variables
                .load(Source { name: &path, bytes: &bytes })
                .map_err(|found| told(&found, &text))?;
            if let Some(value) = variables.value(name) {
                return Ok(Some(value.to_owned()));
            }
        }
        Ok(self.outside.env.named(name).map(str::to_owned))
    }

    fn beside(&self, name: &str) -> String {
        if self.folder.is_empty() { name.to_owned() } else { format!("{}/{name}", self.folder) }
    }

    fn check(
        &self,
        text: &str,
        at: &Tree,
        rule: impl Fn(&str) -> Result<(), String>,
    ) -> Result<(), Fault> {
        rule(text).map_err(|why| self.yaml.wrong(at, why))
    }

    fn networks(&self, of: &Tree, key: &str) -> Result<Vec<String>, Fault> {
        let mut found = Vec::new();
        for (text, at) in self.yaml.texts(of, key)? {
            let text = self.expanded(&text, &at)?;
            self.check(&text, &at, net::cidr)?;
            found.push(text);
        }
        Ok(found)
    }

    fn node(&self, item: &Tree) -> Result<Node, Fault> {
        let need = |key: &str| {
            let none = || self.yaml.wrong(item, format!("the node has no `{key}`"));
            let missing = || self.yaml.misspelt(item, key).unwrap_or_else(none);
            self.text(item, key)?.ok_or_else(missing)
        };
        let (name, at) = need("hostname")?;
        self.check(&name, &at, node_name)?;
        let (addresses, at) = need("ipAddress")?;
        // Several addresses are several ways to one node; the first is the one that talhelper names in its commands.
        let address = addresses.split(',').next().unwrap_or_default().trim().to_owned();
        self.check(&address, &at, net::host)?;
        let control_plane = match self.text(item, "controlPlane")? {
            // Passed over, it would make a worker of a control plane.
            None => match self.yaml.misspelt(item, "controlPlane") {
                Some(fault) => return Err(fault),
                None => false,
            },
            Some((text, at)) => match text.as_str() {
                "true" | "True" | "TRUE" => true,
                "false" | "False" | "FALSE" | "" => false,
                _ => return Err(self.yaml.wrong(&at, "`controlPlane` is true or false")),
            },
        };
        let role = if control_plane { Role::Controlplane } else { Role::Worker };
        Ok(node(&name, role, &address, self.disk(item)?))
    }

    /// The install disk, as far as an inventory can recognise one.
    fn disk(&self, item: &Tree) -> Result<Option<InstallDisk>, Fault> {
        let mut disk = InstallDisk::default();
        if let Some(selector) = item.get("installDiskSelector") {
            disk.serial = self.text(&selector, "serial")?.map(|(text, _)| text);
            disk.wwid = self.text(&selector, "wwid")?.map(|(text, _)| text);
        }
        disk.device = self.text(item, "installDisk")?.map(|(text, _)| text);
        Ok((disk != InstallDisk::default()).then_some(disk))
    }

    /// The file name of a node's config by its template.
    fn name_of(
        &self,
        template: &str,
        at: &Tree,
        cluster: &str,
        node: &Node,
        addresses: &str,
    ) -> Result<String, Fault> {
        let data = [
            ("ClusterName", cluster),
            ("Hostname", &node.name),
            ("IPAddress", addresses),
            ("Role", node.role.word()),
        ];
        let data = data.map(|(name, value)| (name.to_owned(), value.into())).into();
        let name = go_template(template, &data, &BTreeMap::new())
            .map_err(|(_, why)| self.yaml.wrong(at, format!("`filenameTmpl`: {why}")))?;
        self.check(&name, at, net::inside)?;
        Ok(name)
    }
}

/// The names of the variables in a text.
fn names(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for part in text.split('$').skip(1) {
        let part = part.strip_prefix('{').unwrap_or(part);
        let end = part.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(part.len());
        if end > 0 && !found.contains(&&part[..end]) {
            found.push(&part[..end]);
        }
    }
    found
}
