//! Kubernetes objects as the API serves them: JSON from the world's plain data.

use crate::config::encode::{EPOCH, rfc3339};
use crate::face::Io;
use crate::face::text::uuid;
use crate::kube::{App, Kube, KubeNode, Pod, Ready, Workload};
use crate::request::KubeKind;
use crate::spec::LabSpec;
use crate::world::{Ms, Name, PodId};
use serde_json::{Value, json};

/// An object, with what the tables show of it.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
    pub(crate) object: Value,
    pub(crate) row: Vec<String>,
    pub(crate) wide: Vec<String>,
}

fn when(at: Ms) -> String {
    rfc3339(EPOCH + at / 1_000)
}

/// An age as kubectl prints it.
fn age(now: Ms, since: Ms) -> String {
    let seconds = now.saturating_sub(since) / 1_000;
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=599 if !seconds.is_multiple_of(60) => format!("{}m{}s", seconds / 60, seconds % 60),
        120..=10_799 => format!("{}m", seconds / 60),
        10_800..=172_799 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// The objects of a kind, by name.
pub(crate) fn list(kube: &Kube, kind: KubeKind, spec: &LabSpec, io: &Io) -> Vec<Listed> {
    let now = io.now();
    let mut out: Vec<Listed> = match kind {
        KubeKind::Nodes => kube.nodes.iter().map(|(name, n)| node(*name, n, spec, io)).collect(),
        KubeKind::Pods => kube.pods.iter().map(|(id, p)| pod(kube, *id, p, spec, io)).collect(),
        KubeKind::Namespaces => namespaces(kube, now),
        KubeKind::Budgets => budgets(kube, now),
        KubeKind::DaemonSets => kube
            .apps
            .iter()
            .filter(|app| app.kind == Workload::DaemonSet)
            .map(|app| daemon_set(app, now))
            .collect(),
        KubeKind::Crds | KubeKind::Discovery => Vec::new(),
    };
    out.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    out
}

fn node(name: Name, node: &KubeNode, spec: &LabSpec, io: &Io) -> Listed {
    let name = io.name(name);
    let machine = &spec.nodes[usize::from(node.machine.0)];
    let (status, reason) = match node.ready {
        Ready::True => ("True", "KubeletReady"),
        Ready::False => ("False", "KubeletNotReady"),
        Ready::Unknown => ("Unknown", "NodeStatusUnknown"),
    };
    let mut labels = json!({
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
    });
    let mut taints = Vec::new();
    if node.control_plane {
        labels["node-role.kubernetes.io/control-plane"] = json!("");
        taints
            .push(json!({"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}));
    }
    if node.cordoned {
        taints.push(json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}));
    }
    let mut fields = json!({});
    if node.cordoned {
        fields["unschedulable"] = json!(true);
    }
    if !taints.is_empty() {
        fields["taints"] = json!(taints);
    }
    let object = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "uid": uuid(node.uid),
            "resourceVersion": node.version.to_string(),
            "creationTimestamp": when(node.created),
            "labels": labels,
        },
        "spec": fields,
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": machine.address},
                {"type": "Hostname", "address": name},
            ],
            "conditions": [{
                "type": "Ready",
                "status": status,
                "reason": reason,
                "lastTransitionTime": when(node.since),
            }],
            "nodeInfo": {
                "kubeletVersion": spec.kubernetes_version,
                "osImage": format!("Talos ({})", spec.talos_version),
                "operatingSystem": "linux",
                "architecture": "amd64",
                "systemUUID": "",
            },
        },
    });
    let mut state = if node.is_ready() { "Ready" } else { "NotReady" }.to_owned();
    if node.cordoned {
        state.push_str(",SchedulingDisabled");
    }
    let role = if node.control_plane { "control-plane" } else { "<none>" };
    let row = vec![
        name.clone(),
        state,
        role.to_owned(),
        age(io.now(), node.created),
        spec.kubernetes_version.clone(),
    ];
    let wide = vec![
        machine.address.clone(),
        "<none>".into(),
        format!("Talos ({})", spec.talos_version),
        "6.18.0-talos".into(),
        "containerd://2.2.2".into(),
    ];
    Listed { namespace: None, name, object, row, wide }
}

/// A pod's name: what its controller makes of its own name.
pub(crate) fn pod_name(kube: &Kube, pod: &Pod, io: &Io) -> String {
    let app = kube.app_of(pod);
    let tail = |bits: u64| -> String {
        const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
        (0..5)
            .map(|place| char::from(LETTERS[(bits >> (place * 8) & 0xff) as usize % 27]))
            .collect()
    };
    match app.kind {
        Workload::Deployment => {
            format!("{}-6d4cf56db6-{}", app.name, tail(pod.uid))
        }
        Workload::StatefulSet => format!("{}-{}", app.name, pod.ordinal),
        Workload::DaemonSet => format!("{}-{}", app.name, tail(pod.uid)),
        Workload::Static => {
            format!("{}-{}", app.name, pod.node.map(|node| io.name(node)).unwrap_or_default())
        }
        Workload::Bare => app.name.clone(),
    }
}

fn pod(kube: &Kube, id: PodId, pod: &Pod, spec: &LabSpec, io: &Io) -> Listed {
    let app = kube.app_of(pod);
    let name = pod_name(kube, pod, io);
    let node = pod.node.map(|node| io.name(node));
    let mut metadata = json!({
        "name": name,
        "namespace": app.namespace,
        "uid": uuid(pod.uid),
        "resourceVersion": (u64::from(id.0) + 100).to_string(),
        "creationTimestamp": when(pod.created),
        "labels": {"app": app.name},
    });
    let owner = match app.kind {
        Workload::Deployment => Some(("apps/v1", "ReplicaSet", format!("{}-6d4cf56db6", app.name))),
        Workload::StatefulSet => Some(("apps/v1", "StatefulSet", app.name.clone())),
        Workload::DaemonSet => Some(("apps/v1", "DaemonSet", app.name.clone())),
        Workload::Static => Some(("v1", "Node", node.clone().unwrap_or_default())),
        Workload::Bare => None,
    };
    if let Some((version, kind, owner)) = owner {
        metadata["ownerReferences"] = json!([{
            "apiVersion": version, "kind": kind, "name": owner, "controller": true,
            "uid": uuid(u64::from(pod.app) + 7),
        }]);
    }
    if app.kind == Workload::Static {
        metadata["annotations"] = json!({"kubernetes.io/config.mirror": uuid(pod.uid)});
    }
    if let Some(at) = pod.terminating {
        metadata["deletionTimestamp"] = json!(when(at + 30_000));
        metadata["deletionGracePeriodSeconds"] = json!(30);
    }
    let mut fields = json!({"containers": [{"name": app.name, "image": "registry.lab/".to_owned() + &app.name}]});
    if let Some(node) = &node {
        fields["nodeName"] = json!(node);
    }
    if app.empty_dir {
        fields["volumes"] = json!([{"name": "cache", "emptyDir": {}}]);
    }
    let phase = if pod.node.is_none() || !pod.ready && pod.terminating.is_none() {
        "Pending"
    } else {
        "Running"
    };
    let object = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": fields,
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": if pod.ready { "True" } else { "False" }}],
        },
    });
    let state = match (pod.terminating, phase, pod.node) {
        (Some(_), ..) => "Terminating",
        (None, "Pending", Some(_)) => "ContainerCreating",
        (None, other, _) => other,
    };
    let row = vec![
        name.clone(),
        if pod.ready { "1/1" } else { "0/1" }.into(),
        state.into(),
        "0".into(),
        age(io.now(), pod.created),
    ];
    let address = node.as_ref().and_then(|node| {
        spec.nodes
            .iter()
            .find(|machine| machine.name == *node)
            .map(|machine| machine.address.clone())
    });
    let wide = vec![
        address.unwrap_or_else(|| "<none>".into()),
        node.unwrap_or_else(|| "<none>".into()),
        "<none>".into(),
        "<none>".into(),
    ];
    Listed { namespace: Some(app.namespace.clone()), name, object, row, wide }
}

fn namespaces(kube: &Kube, now: Ms) -> Vec<Listed> {
    let mut names = vec!["default", "kube-node-lease", "kube-public", "kube-system"];
    for app in &kube.apps {
        if !names.contains(&app.namespace.as_str()) {
            names.push(&app.namespace);
        }
    }
    names
        .into_iter()
        .map(|name| {
            let uid = if name == "kube-system" { kube.uid } else { kube.uid ^ name.len() as u64 };
            let object = json!({
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {
                    "name": name,
                    "uid": uuid(uid),
                    "resourceVersion": "4",
                    "creationTimestamp": when(0),
                    "labels": {"kubernetes.io/metadata.name": name},
                },
                "spec": {"finalizers": ["kubernetes"]},
                "status": {"phase": "Active"},
            });
            let row = vec![name.to_owned(), "Active".into(), age(now, 0)];
            Listed { namespace: None, name: name.to_owned(), object, row, wide: Vec::new() }
        })
        .collect()
}

fn budgets(kube: &Kube, now: Ms) -> Vec<Listed> {
    let apps = (0u8..).zip(&kube.apps);
    apps.filter_map(|(number, app)| {
        let min = app.min_available?;
        let healthy = kube.pods_of(number).filter(|(_, pod)| pod.ready).count();
        let allowed = kube.allowed_disruptions(number);
        let object = json!({
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {
                "name": app.name,
                "namespace": app.namespace,
                "uid": uuid(u64::from(number) + 77),
                "resourceVersion": kube.version.to_string(),
                "creationTimestamp": when(0),
            },
            "spec": {"minAvailable": min, "selector": {"matchLabels": {"app": app.name}}},
            "status": {
                "currentHealthy": healthy,
                "desiredHealthy": min,
                "disruptionsAllowed": allowed,
                "expectedPods": app.replicas,
            },
        });
        let row =
            vec![app.name.clone(), min.to_string(), "N/A".into(), allowed.to_string(), age(now, 0)];
        Some(Listed {
            namespace: Some(app.namespace.clone()),
            name: app.name.clone(),
            object,
            row,
            wide: Vec::new(),
        })
    })
    .collect()
}

fn daemon_set(app: &App, now: Ms) -> Listed {
    let object = json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": app.name, "namespace": app.namespace, "uid": uuid(9), "creationTimestamp": when(0)},
    });
    let row = vec![app.name.clone(), age(now, 0)];
    Listed {
        namespace: Some(app.namespace.clone()),
        name: app.name.clone(),
        object,
        row,
        wide: Vec::new(),
    }
}
