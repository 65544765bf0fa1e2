//! What the Kubernetes API says of nodes and pods, and which path serves which kind.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::value::Value;

/// A kind that the API serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name as recipes write it.
    pub singular: &'static str,
    /// Its name in paths.
    pub plural: &'static str,
    /// `/api/v1` or `/apis/GROUP/VERSION`.
    pub api: &'static str,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

const CORE: &str = "/api/v1";
const APPS: &str = "/apis/apps/v1";

/// Kinds that can be read. Secrets are not among them: their content may not cross the gate as plain data.
pub const KINDS: &[Kind] = &[
    Kind { singular: "node", plural: "nodes", api: CORE, namespaced: false },
    Kind { singular: "namespace", plural: "namespaces", api: CORE, namespaced: false },
    Kind { singular: "pod", plural: "pods", api: CORE, namespaced: true },
    Kind { singular: "service", plural: "services", api: CORE, namespaced: true },
    Kind { singular: "configmap", plural: "configmaps", api: CORE, namespaced: true },
    Kind { singular: "event", plural: "events", api: CORE, namespaced: true },
    Kind {
        singular: "persistentvolume",
        plural: "persistentvolumes",
        api: CORE,
        namespaced: false,
    },
    Kind {
        singular: "persistentvolumeclaim",
        plural: "persistentvolumeclaims",
        api: CORE,
        namespaced: true,
    },
    Kind { singular: "daemonset", plural: "daemonsets", api: APPS, namespaced: true },
    Kind { singular: "deployment", plural: "deployments", api: APPS, namespaced: true },
    Kind { singular: "replicaset", plural: "replicasets", api: APPS, namespaced: true },
    Kind { singular: "statefulset", plural: "statefulsets", api: APPS, namespaced: true },
    Kind { singular: "job", plural: "jobs", api: "/apis/batch/v1", namespaced: true },
    Kind {
        singular: "poddisruptionbudget",
        plural: "poddisruptionbudgets",
        api: "/apis/policy/v1",
        namespaced: true,
    },
    Kind {
        singular: "storageclass",
        plural: "storageclasses",
        api: "/apis/storage.k8s.io/v1",
        namespaced: false,
    },
    Kind {
        singular: "customresourcedefinition",
        plural: "customresourcedefinitions",
        api: "/apis/apiextensions.k8s.io/v1",
        namespaced: false,
    },
];

/// The kind of a name: singular or plural, in any case.
pub fn kind(name: &str) -> Option<&'static Kind> {
    let name = name.to_ascii_lowercase();
    KINDS.iter().find(|k| k.singular == name || k.plural == name)
}

impl Kind {
    /// The path of all objects of the kind, or of those in a namespace.
    pub fn collection(&self, namespace: Option<&str>) -> String {
        match namespace {
            Some(namespace) if self.namespaced => {
                format!("{}/namespaces/{}/{}", self.api, escaped(namespace), self.plural)
            }
            _ => format!("{}/{}", self.api, self.plural),
        }
    }

    /// The path of one object.
    pub fn object(&self, namespace: Option<&str>, name: &str, subresource: Option<&str>) -> String {
        let path = format!("{}/{}", self.collection(namespace), escaped(name));
        match subresource {
            Some(sub) => format!("{path}/{}", escaped(sub)),
            None => path,
        }
    }
}

/// Percent-encodes what is not plain in a path segment or a query value.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Whether a Node is cordoned and which of its pods a drain moves: the witness of cordon and drain. Unanswered parts are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CordonView {
    /// Whether it takes no new pods; none where the API did not answer.
    pub cordoned: Option<bool>,
    /// Pods that a drain moves, as `namespace/name`, sorted.
    pub pods: Vec<String>,
}

impl CordonView {
    /// The view that a stored witness encodes; what cannot be read counts as unanswered.
    pub fn from_value(value: &Value) -> CordonView {
        serde_json::from_value(value.clone()).unwrap_or_default()
    }
}

/// A Node as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// Takes no new pods.
    pub cordoned: bool,
    /// The condition Ready is True.
    pub ready: bool,
    /// Why it is not.
    pub why: String,
    /// It waits for the network plugin, and for nothing else that it says.
    pub lacks_network: bool,
}

impl NodeView {
    /// The view of a Node object.
    pub fn of(object: &Value) -> NodeView {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let ready = object
            .pointer("/status/conditions")
            .and_then(Value::as_array)
            .and_then(|list| list.iter().find(|c| c["type"] == "Ready"));
        let part = |name: &str| ready.and_then(|c| c.get(name)?.as_str()).unwrap_or_default();
        let message = part("message");
        NodeView {
            name: text("/metadata/name").to_owned(),
            cordoned: object
                .pointer("/spec/unschedulable")
                .and_then(Value::as_bool)
                .unwrap_or(false),
            ready: part("status") == "True",
            why: match (part("status"), message) {
                ("True", _) => String::new(),
                ("", _) => "has no condition Ready yet".into(),
                (_, "") => part("reason").to_owned(),
                (_, message) => message.to_owned(),
            },
            lacks_network: [
                "cni plugin not initialized",
                "cni config uninitialized",
                "NetworkPluginNotReady",
                "NetworkReady=false",
            ]
            .iter()
            .any(|word| message.contains(word)),
        }
    }
}

/// A pod, as far as a drain cares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PodView {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Kind of the controller that makes it again; none where nothing does.
    pub owner: Option<String>,
    /// A static pod of the kubelet: no API request moves it.
    pub mirror: bool,
    /// It has ended.
    pub finished: bool,
    /// It has data in emptyDir volumes.
    pub empty_dir: bool,
    /// Its labels, for budgets.
    pub labels: std::collections::BTreeMap<String, String>,
}

impl PodView {
    /// The view of a Pod object.
    pub fn of(object: &Value) -> PodView {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let owner = object
            .pointer("/metadata/ownerReferences")
            .and_then(Value::as_array)
            .and_then(|list| list.iter().find(|o| o["controller"] == true))
            .and_then(|o| o.get("kind")?.as_str().map(str::to_owned));
        let volumes = object.pointer("/spec/volumes").and_then(Value::as_array);
        let labels = object
            .pointer("/metadata/labels")
            .and_then(|l| serde_json::from_value(l.clone()).ok())
            .unwrap_or_default();
        PodView {
            namespace: text("/metadata/namespace").to_owned(),
            name: text("/metadata/name").to_owned(),
            owner,
            mirror: object.pointer("/metadata/annotations/kubernetes.io~1config.mirror").is_some(),
            finished: matches!(text("/status/phase"), "Succeeded" | "Failed"),
            empty_dir: volumes.is_some_and(|v| v.iter().any(|v| v.get("emptyDir").is_some())),
            labels,
        }
    }

    /// `namespace/name`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether a drain moves it: not the pods of DaemonSets, which come back at once, and not static ones.
    pub fn is_drained(&self) -> bool {
        !self.mirror && self.owner.as_deref() != Some("DaemonSet")
    }
}

/// A PodDisruptionBudget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetView {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How many of its pods may go now.
    pub allowed: i64,
    /// Labels of its pods (`matchLabels`; expressions are in the object).
    pub selects: std::collections::BTreeMap<String, String>,
}

impl BudgetView {
    /// The view of a PodDisruptionBudget object.
    pub fn of(object: &Value) -> BudgetView {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
        BudgetView {
            namespace: text("/metadata/namespace").to_owned(),
            name: text("/metadata/name").to_owned(),
            allowed: object
                .pointer("/status/disruptionsAllowed")
                .and_then(Value::as_i64)
                .unwrap_or(0),
            selects: object
                .pointer("/spec/selector/matchLabels")
                .and_then(|l| serde_json::from_value(l.clone()).ok())
                .unwrap_or_default(),
        }
    }

    /// Whether it watches over a pod.
    pub fn covers(&self, pod: &PodView) -> bool {
        self.namespace == pod.namespace
            && self.selects.iter().all(|(k, v)| pod.labels.get(k) == Some(v))
    }
}
