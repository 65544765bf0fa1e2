//! Between the inventory and the lab: what a lab is built from, and the files that belong to a healthy one.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use ops_core::error::{Code, Fault};
use ops_core::inventory::{Cluster, Role};
use ops_lab::{Lab, LabSpec, NodeSpec};

const TALOS: &str = "v1.13.0";
const KUBERNETES: &str = "v1.36.0";

/// What a lab of this cluster is built from.
pub(in crate::cli) fn spec(cluster: &Cluster, seed: u64) -> LabSpec {
    let role = |role| match role {
        Role::Controlplane => ops_lab::Role::ControlPlane,
        Role::Worker => ops_lab::Role::Worker,
    };
    let device = |node: &ops_core::inventory::Node| {
        node.install_disk.as_ref().and_then(|disk| disk.device.clone())
    };
    LabSpec {
        // The tools name the context after the cluster.
        cluster: cluster.context.clone(),
        endpoint: cluster.endpoint.clone(),
        talos_version: cluster.versions.talos.clone().unwrap_or_else(|| TALOS.into()),
        kubernetes_version: cluster
            .versions
            .kubernetes
            .clone()
            .unwrap_or_else(|| KUBERNETES.into()),
        nodes: cluster
            .nodes
            .iter()
            .map(|node| NodeSpec {
                name: node.name.clone(),
                role: role(node.role),
                address: node.address.clone(),
                install_disk: device(node).unwrap_or_else(|| "/dev/sda".into()),
                data_disks: Vec::new(),
                uuid: None,
            })
            .collect(),
        volumes: Vec::new(),
        no_cni: false,
        profile: ops_lab::facts::Profile::default(),
        seed,
    }
}

/// Writes what a person with access to a healthy cluster holds: secrets, client configs, machine configs.
pub(in crate::cli) fn write_files(
    root: &Path,
    cluster: &Cluster,
    lab: &mut Lab,
) -> Result<(), Fault> {
    let files = lab.client_files();
    // talosctl calls the context of a kubeconfig admin@CLUSTER; the inventory calls it by its own name.
    let kubeconfig =
        files.kubeconfig.replace(&format!("admin@{}", cluster.context), &cluster.context);
    write(root, &cluster.secrets, &files.secrets)?;
    write(root, &cluster.talosconfig, &files.talosconfig)?;
    write(root, &cluster.kubeconfig, &kubeconfig)?;
    for node in &cluster.nodes {
        if let Some(id) = lab.node_named(&node.name) {
            write(root, &cluster.machine_config(&node.name), &lab.node_config(id))?;
        }
    }
    Ok(())
}

/// Writes the secrets bundle of a lab that has none on disk: a cluster that does not exist yet is made from it.
pub(in crate::cli) fn write_bundle(
    root: &Path,
    cluster: &Cluster,
    lab: &mut Lab,
) -> Result<(), Fault> {
    if root.join(&cluster.secrets).exists() {
        return Ok(());
    }
    write(root, &cluster.secrets, &lab.client_files().secrets)
}

fn write(root: &Path, path: &str, text: &str) -> Result<(), Fault> {
    let whole = root.join(path);
    let made = whole.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&whole)?;
        file.write_all(text.as_bytes())
    });
    made.map_err(|error| Fault::new(Code::CONFIG_READ, format!("cannot write `{path}`: {error}")))
}
