//! Which machine answers at a node's address, and which cluster its certificate belongs to.

use ops_core::error::{CallError, ErrorKind};
use ops_core::guard::{ClusterIdentity, NodeIdentity};
use ops_core::inventory::{Node, Role};
use ops_core::reply::node::Resource;
use ops_core::value::Value;
use sha2::{Digest as _, Sha256};

use super::talos::standing::{self, Standing};
use super::talos::{access, etcd::hex, node::boot_id};
use super::{HostCx, kube, yaml};

/// SHA-256 of a certificate in DER, hexadecimal.
pub fn fingerprint(der: &[u8]) -> String {
    hex(&Sha256::digest(der))
}

/// Which machine answers, over the channel that a call to it would take.
///
/// # Errors
/// Where nobody answers, or what answers is neither of this cluster nor in maintenance mode.
pub async fn read(cx: &HostCx<'_>, node: &Node) -> Result<NodeIdentity, CallError> {
    let (stage, bare) = match standing::standing(cx, node).await? {
        Standing::Up(stage) => (stage, false),
        Standing::Bare(stage) => (stage, true),
        Standing::Away(why) => return Err(CallError::new(ErrorKind::Unreachable, why)),
    };
    let ask = async |what: &str| -> Result<Vec<Resource>, CallError> {
        let found = if bare {
            standing::bare(cx, node, &[what]).await
        } else {
            standing::secure(cx, node, &[what]).await
        };
        match found {
            // A bare node shows no resources of some kinds, and forbids others: absent, not wrong.
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Forbidden) => {
                Ok(Vec::new())
            }
            other => other,
        }
    };
    let system = ask("systeminformation").await?;
    let text = |list: &[Resource], field: &str| {
        list.first().and_then(|r| r.text(field)).filter(|t| !t.is_empty()).map(str::to_owned)
    };
    let disks = ask("disks").await?;
    let own_disk = text(&ask("systemdisk").await?, "diskID");
    let disk =
        disks.iter().filter(|d| own_disk.as_deref() == Some(&d.id)).cloned().collect::<Vec<_>>();
    let mut macs: Vec<String> = ask("links").await?.iter().filter_map(permanent_mac).collect();
    macs.sort_unstable();
    macs.dedup();
    let machine_type = ask("machinetype").await?;
    let machine_type =
        machine_type.first().and_then(|r| r.spec.as_str()).and_then(|word| match word {
            "controlplane" => Some(Role::Controlplane),
            "worker" => Some(Role::Worker),
            _ => None,
        });
    Ok(NodeIdentity {
        // The handshake has succeeded against the CA of the talosconfig, so that is what the node's certificate chains to.
        ca: if bare { None } else { Some(fingerprint(&access::talosconfig(cx)?.ca)) },
        uuid: text(&system, "uuid"),
        macs,
        disk_wwid: text(&disk, "wwid"),
        serial: text(&disk, "serial").or_else(|| text(&system, "serialnumber")),
        hostname: text(&ask("hostnamestatus").await?, "hostname"),
        machine_type,
        stage: Some(stage.stage),
        boot_id: if bare { None } else { boot_id(cx, node).await.ok() },
    })
}

/// The permanent address of a physical link.
fn permanent_mac(link: &Resource) -> Option<String> {
    let physical =
        link.text("type") == Some("ether") && link.text("kind").unwrap_or_default().is_empty();
    let mac = link.text("permanentAddr").filter(|m| !m.is_empty() && *m != "00:00:00:00:00:00")?;
    physical.then(|| mac.to_ascii_lowercase())
}

/// What identifies the cluster. Each part is absent where it cannot be learned: no talosconfig, no kubeconfig, no API.
///
/// # Errors
/// Where a file that is there cannot be read.
pub async fn cluster(cx: &HostCx<'_>) -> Result<ClusterIdentity, CallError> {
    let of = cx.cluster()?;
    let talos_ca = if access::exists(cx, &of.talosconfig)? {
        Some(fingerprint(&access::talosconfig(cx)?.ca))
    } else {
        None
    };
    let kubernetes_ca = if access::exists(cx, &of.kubeconfig)? {
        let bytes = cx
            .files
            .read(&of.kubeconfig)
            .map_err(|e| CallError::new(ErrorKind::Failed, format!("{}: {e}", of.kubeconfig)))?;
        let document = yaml::document(&of.kubeconfig, &bytes)?;
        Some(fingerprint(&ops_core::reply::access::kube_access(&document)?.ca))
    } else {
        None
    };
    let kube_system_uid = match kube::read(cx, "/api/v1/namespaces/kube-system").await {
        Ok(namespace) => {
            namespace.pointer("/metadata/uid").and_then(Value::as_str).map(str::to_owned)
        }
        Err(_) => None,
    };
    Ok(ClusterIdentity { talos_ca, kubernetes_ca, kube_system_uid })
}

/// The CA of the repository's own secrets bundle, or of its talosconfig where there is no bundle.
pub async fn own_ca(cx: &HostCx<'_>) -> Option<String> {
    let ca = access::bundle_ca(cx).await.or_else(|_| access::talosconfig(cx).map(|c| c.ca));
    ca.ok().map(|der| fingerprint(&der))
}
