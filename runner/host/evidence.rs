//! Gathers the facts that guards ask for, anew each time. A fact that cannot be learned is kept as the reason why: nobody's silence is health.

use std::collections::BTreeMap;

use ops_core::call::talos::Source;
use ops_core::error::CallError;
use ops_core::guard::{ConfigFacts, Facts, Seen, Snapshot, Storage, Volume, Workloads};
use ops_core::guard::{EvidenceCode, EvidenceNeed};
use ops_core::inventory::{Node, Role};
use ops_core::reply::etcd::Snapshot as Taken;
use ops_core::reply::kube::PodView;
use ops_core::time::Time;
use ops_core::value::Value;

use super::talos::{config, etcd, standing};
use super::{HostCx, identity, kube, yaml};

/// Gathers what the needs name. What the run itself knows (what is under way, what is open, the config in question) the engine adds.
pub async fn facts(needs: &[EvidenceNeed], cx: &HostCx<'_>) -> Facts {
    let mut facts = Facts { own_ca: identity::own_ca(cx).await, ..Facts::default() };
    for need in needs {
        match (&need.node, need.code) {
            (_, EvidenceCode::Id) if facts.cluster.is_none() => {
                facts.cluster = Some(seen(cx, identity::cluster(cx).await));
            }
            (_, EvidenceCode::Etcd) if facts.etcd.is_none() => {
                facts.etcd = Some(seen(cx, etcd::view(cx).await));
            }
            (_, EvidenceCode::Snap) if facts.snapshot.is_none() => {
                facts.snapshot = Some(match snapshot(cx) {
                    Ok(found) => Seen::known(cx.world.now(), found),
                    Err(why) => Seen::unknown(cx.world.now(), why),
                });
            }
            (Some(name), code) => of_node(cx, &mut facts, name, code).await,
            (None, _) => {}
        }
    }
    facts
}

async fn of_node(cx: &HostCx<'_>, facts: &mut Facts, name: &str, code: EvidenceCode) {
    let Ok(node) = cx.node(name) else { return };
    let entry = facts.node_mut(name);
    match code {
        EvidenceCode::Node if entry.identity.is_none() => {
            let found = identity::read(cx, node).await;
            entry.identity = Some(seen(cx, found));
        }
        EvidenceCode::Maint if entry.maintenance.is_none() => {
            let found = standing::proofs(cx, node).await;
            entry.maintenance = Some(seen(cx, found));
        }
        EvidenceCode::Disk if entry.volumes.is_none() => {
            let found = volumes(cx, node).await;
            entry.volumes = Some(seen(cx, found));
        }
        EvidenceCode::Blast if entry.workloads.is_none() => {
            let found = workloads(cx, node).await;
            entry.workloads = Some(seen(cx, found));
        }
        EvidenceCode::Stor if entry.storage.is_none() => {
            let found = storage(cx, node).await;
            entry.storage = Some(seen(cx, found));
        }
        _ => {}
    }
}

fn seen<T>(cx: &HostCx<'_>, found: Result<T, CallError>) -> Seen<T> {
    Seen { at: cx.world.now(), found: found.map_err(|error| error.message) }
}

/// The volumes of a node, as it shows them itself.
///
/// # Errors
/// As the node says.
pub async fn volumes(cx: &HostCx<'_>, node: &Node) -> Result<Vec<Volume>, CallError> {
    let found = match standing::standing(cx, node).await? {
        standing::Standing::Up(_) => standing::secure(cx, node, &["volumestatus"]).await?,
        standing::Standing::Bare(_) => standing::bare(cx, node, &["volumestatus"]).await?,
        standing::Standing::Away(why) => {
            return Err(CallError::new(ops_core::error::ErrorKind::Unreachable, why));
        }
    };
    let mounted = |id: &str| found.iter().any(|v| v.text("parentID") == Some(id));
    Ok(found
        .iter()
        .filter(|v| matches!(v.text("type"), Some("partition" | "disk")))
        .map(|v| Volume {
            label: v.id.clone(),
            located: v.text("phase") == Some("ready"),
            mounted: v.text("phase") == Some("ready")
                && (v.text("mountLocation").is_some_and(|m| !m.is_empty()) || mounted(&v.id)),
        })
        .collect())
}

/// What runs on a node and would go with it.
///
/// # Errors
/// As the API says; no API is no answer, not an empty node.
pub async fn workloads(cx: &HostCx<'_>, node: &Node) -> Result<Workloads, CallError> {
    if kube::node(cx, &node.name).await?.is_none() {
        return Ok(Workloads::default());
    }
    let pods: Vec<PodView> =
        kube::pods_on(cx, &node.name).await?.into_iter().filter(PodView::is_drained).collect();
    let budgets = kube::budgets(cx).await?;
    let blocked = budgets
        .iter()
        .filter(|b| b.allowed <= 0 && pods.iter().any(|p| b.covers(p)))
        .map(|b| format!("{}/{}", b.namespace, b.name))
        .collect();
    Ok(Workloads {
        registered: true,
        alone: pods
            .iter()
            .filter(|p| p.owner.is_none() && !p.finished)
            .map(PodView::full_name)
            .collect(),
        pods: pods.iter().map(PodView::full_name).collect(),
        blocked,
    })
}

/// Groups of storage systems whose volumes live on nodes.
const STORAGE_GROUPS: [&str; 5] =
    ["longhorn.io", "ceph.rook.io", "openebs.io", "linstor.com", "local.storage.openebs.io"];

/// Storage systems, as far as the node matters to them. A storage system that cannot be read leaves `volumes` unknown.
///
/// # Errors
/// As the API says.
pub async fn storage(cx: &HostCx<'_>, node: &Node) -> Result<Storage, CallError> {
    const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let mut groups: Vec<String> = kube::items(cx, CRDS)
        .await?
        .iter()
        .filter_map(|crd| crd.pointer("/spec/group")?.as_str().map(str::to_owned))
        .filter(|group| {
            STORAGE_GROUPS.iter().any(|s| group == s || group.ends_with(&format!(".{s}")))
        })
        .collect();
    groups.sort_unstable();
    groups.dedup();
    let local = kube::items(cx, "/api/v1/persistentvolumes").await?;
    let local = local
        .iter()
        .filter(|pv| is_local_to(pv, &node.name))
        .filter_map(|pv| pv.pointer("/metadata/name")?.as_str().map(str::to_owned))
        .collect();
    // Without a storage system there are no replicated volumes; how each system shows its own comes with its guard.
    let volumes = if groups.is_empty() { Some(Vec::new()) } else { None };
    Ok(Storage { crds: groups, volumes, local })
}

/// Whether a persistent volume has its only copy on the node: its affinity names the node.
fn is_local_to(volume: &Value, node: &str) -> bool {
    let bound =
        volume.pointer("/spec/local").is_some() || volume.pointer("/spec/hostPath").is_some();
    let affinity = volume.pointer("/spec/nodeAffinity").map(Value::to_string).unwrap_or_default();
    bound && (affinity.is_empty() || affinity.contains(&format!("\"{node}\"")))
}

/// The newest snapshot of the cluster's snapshot folder whose checksum fits, hashed now.
///
/// # Errors
/// Where there is none that can be read.
pub fn snapshot(cx: &HostCx<'_>) -> Result<Snapshot, String> {
    let folder = &cx.cluster().map_err(|e| e.message)?.snapshot_dir;
    let none = || format!("no snapshot in {folder}");
    let names = match cx.files.list(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(none()),
        listed => listed.map_err(|e| format!("{folder}: {e}"))?,
    };
    let mut newest: BTreeMap<i128, String> = BTreeMap::new();
    let beside = |name: &str| [".unverified", ".json"].iter().any(|end| name.ends_with(end));
    for name in names.iter().filter(|name| !beside(name)) {
        let path = format!("{folder}/{name}");
        match cx.files.stat(&path) {
            Ok(Some(stat)) if !stat.dir => {
                newest.insert(stat.mtime, path);
            }
            _ => {}
        }
    }
    let mut last = none();
    for (mtime, path) in newest.into_iter().rev() {
        let bytes = cx.files.read(&path).map_err(|e| format!("{path}: {e}"))?;
        match etcd::verified(&bytes).and_then(|sha256| taken(cx, &path, &sha256, mtime)) {
            Ok(taken) => {
                return Ok(Snapshot { path, taken, size: bytes.len() as u64, verified: true });
            }
            Err(why) => last = format!("{path}: {why}"),
        }
    }
    Err(last)
}

/// When a snapshot was taken: as its own record says, where that is about these very bytes; else when the file was written.
///
/// # Errors
/// In a simulation a file without a record was written by another clock.
fn taken(cx: &HostCx<'_>, path: &str, sha256: &str, mtime: i128) -> Result<Time, String> {
    let note = cx.files.read(&etcd::note(path)).ok();
    let note = note.and_then(|bytes| serde_json::from_slice::<Taken>(&bytes).ok());
    match note {
        Some(note) if note.sha256 == sha256 => Ok(note.at),
        _ if cx.world.simulated() => Err("nobody noted when it was taken".into()),
        _ => Ok(Time(u64::try_from(mtime / 1_000_000).unwrap_or_default())),
    }
}

/// What guards want to know of a config that is about to be applied. Whether it reboots is the server's to say; nobody asked it here.
///
/// # Errors
/// Where the file is missing or no YAML.
pub fn config_facts(cx: &HostCx<'_>, file: &Source) -> Result<ConfigFacts, CallError> {
    let documents = yaml::documents(file.argument(), &config::bytes(cx, file)?)?;
    let (role, hostname, ca) = config::says(&documents);
    Ok(ConfigFacts {
        machine_type: match role.as_deref() {
            Some("controlplane") => Some(Role::Controlplane),
            Some("worker") => Some(Role::Worker),
            _ => None,
        },
        ca: ca.map(|der| identity::fingerprint(&der)),
        hostname,
        reboots: None,
        install: None,
    })
}
