//! Where an inventory takes machine configs from, and the patches that it lays over them: of the cluster, of a role, of a node.

use ops_core::call::talos::Source as Named;
use ops_core::error::Fault;
use ops_core::inventory::{Node, Role};
use ops_core::machines::{Machines, Origin, PatchText};
use toml::Spanned;

use super::super::net;
use super::super::source::Source;
use super::super::values::json;
use super::foreign::Foreign;
use super::{ClusterToml, check};

/// The sources of a cluster's machine configs.
///
/// # Errors
/// Two sources that exclude each other, a path that leads out of the repository, a patch that is none.
pub(super) fn of(
    source: &Source,
    file: &ClusterToml,
    foreign: Option<&Foreign>,
    nodes: &[Node],
) -> Result<Machines, Fault> {
    let all = patches(source, &file.patches)?;
    let planes = patches(source, &file.controlplane.patches)?;
    let workers = patches(source, &file.worker.patches)?;
    let mut machines = Machines {
        origin: foreign.map_or(Origin::Generated, |f| f.origin.clone()),
        cluster_name: foreign.map(|f| f.cluster_name.clone()),
        file_names: foreign.map(|f| f.file_names.clone()).unwrap_or_default(),
        ..Machines::default()
    };
    for node in nodes {
        let own = file.nodes.iter().find(|(name, _)| *name.get_ref() == node.name);
        let (role, of_role) = match node.role {
            Role::Controlplane => (&file.controlplane, &planes),
            Role::Worker => (&file.worker, &workers),
        };
        let config = own.and_then(|(_, node)| node.config.as_ref());
        let config = config.or(role.config.as_ref()).or(file.config.as_ref());
        if let Some(path) = config {
            if let Some(foreign) = foreign {
                let title = format!("the machine configs come from {}", foreign.file);
                return Err(source
                    .wrong(path.span(), title)
                    .label("a config of its own has no place beside it")
                    .help("give patches in place of a whole config"));
            }
            let path = check(source, path, net::inside)?;
            machines.configs.insert(node.name.clone(), path);
        }
        let mut list = [all.clone(), of_role.clone()].concat();
        if let Some((_, node)) = own {
            list.extend(patches(source, &node.patches)?);
        }
        if !list.is_empty() {
            machines.patches.insert(node.name.clone(), list);
        }
    }
    Ok(machines)
}

fn patches(source: &Source, list: &[Spanned<toml::Value>]) -> Result<Vec<PatchText>, Fault> {
    list.iter().map(|item| patch(source, item)).collect()
}

fn patch(source: &Source, item: &Spanned<toml::Value>) -> Result<PatchText, Fault> {
    let wrong = |what: String| source.wrong(item.span(), what);
    let patch = match item.get_ref() {
        toml::Value::String(text) => PatchText::Text(Named::Path(text.clone())),
        toml::Value::Table(_) | toml::Value::Array(_) => {
            PatchText::Data(json(item.get_ref().clone()).map_err(wrong)?)
        }
        other => {
            return Err(wrong(format!("a patch is no {}", other.type_str()))
                .help("name a file, or write the patch itself: a text, a table, a list"));
        }
    };
    if let Some(path) = patch.file() {
        net::inside(path).map_err(wrong)?;
    }
    Ok(patch)
}
