//! The typed calls of the Kubernetes API and kubectl that nodes need: read, cordon, drain. Reads go over one kept connection, what a person
//! would type goes through the real tool.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{CallSpec, Request, Settled, Target, Tool, Witness};
use crate::argv::Argv;
use crate::effect::{Effect, Scope, Subject};
use crate::reply::kube::CordonView;
use crate::time::Span;
use crate::value::{Map, Value};

/// The client that carries changes out.
pub const KUBECTL: Tool = Tool { name: "kubectl", min: (1, 30) };

/// The subject of a Kubernetes node.
fn kube_node(node: &str) -> Subject {
    Subject::of(&["kube", "node", node])
}

/// The subject of the pods on a node.
fn kube_pods(node: &str) -> Subject {
    Subject::of(&["kube", "pods-on", node])
}

/// `kube.get { kind = …, name = …, namespace? }`: one object. With `optional` an absent one is nil.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Get {
    /// Kind, such as `node` or `deployment`.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace, for kinds that live in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Nil instead of an error where there is none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// A part of the object, such as `status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subresource: Option<String>,
}

impl CallSpec for Get {
    fn effect(&self) -> Effect {
        Effect::Reads
    }
    fn scope(&self) -> Scope {
        Scope::Cluster
    }
    fn reads(&self) -> Vec<Subject> {
        let kind = crate::reply::kube::kind(&self.kind).map_or(self.kind.as_str(), |k| k.singular);
        match &self.namespace {
            Some(namespace) => vec![Subject::of(&["kube", kind, namespace, &self.name])],
            None => vec![Subject::of(&["kube", kind, &self.name])],
        }
    }
    fn stable(&self) -> &'static [&'static str] {
        &["spec"]
    }
    fn about(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} {namespace}/{}", self.kind, self.name),
            None => format!("{} {}", self.kind, self.name),
        }
    }
}

/// `kube.list { kind = …, … }`: the objects of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Kind, such as `node` or `pod`.
    pub kind: String,
    /// Namespace, for kinds that live in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Label selector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Field selector, such as `spec.nodeName=w-1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field_selector: Option<String>,
    /// Those of every namespace.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_namespaces: bool,
}

impl CallSpec for List {
    fn effect(&self) -> Effect {
        Effect::Reads
    }
    fn scope(&self) -> Scope {
        Scope::Cluster
    }
    fn reads(&self) -> Vec<Subject> {
        let kind = crate::reply::kube::kind(&self.kind).map_or(self.kind.as_str(), |k| k.singular);
        let own = Subject::of(&["kube", kind]);
        // Pods are what a drain moves, whichever way they are listed.
        if kind == "pod" { vec![own, Subject::of(&["kube", "pods-on"])] } else { vec![own] }
    }
    fn about(&self) -> String {
        let mut words = vec![self.kind.clone()];
        words.extend(self.namespace.clone());
        words.extend(self.selector.clone());
        words.extend(self.field_selector.clone());
        words.join(" ")
    }
}

/// `kube.cordon { node }`: no new pods on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cordon {
    /// The node.
    pub node: String,
}

/// `kube.uncordon { node }`: new pods on a node again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Uncordon {
    /// The node.
    pub node: String,
}

/// How long the API may be away: another branch may just restart the control plane that it ran on.
const API_BACK: Span = Span::mins(5);

/// Judges a change of the cordon from what the node says now: the call makes itself true, so the state alone decides.
fn settle_cordon(node: &str, wanted: bool, before: &Value, now: &Value) -> Settled {
    let (before, now) = (CordonView::from_value(before), CordonView::from_value(now));
    let word = if wanted { "cordoned" } else { "schedulable" };
    match now.cordoned {
        Some(is) if is == wanted => Settled::Done {
            reply: json!({"changed": before.cordoned != Some(wanted)}),
            because: format!("{node} is {word}"),
        },
        Some(_) => Settled::NotDone { because: format!("{node} is not {word}") },
        None => Settled::Ask {
            question: format!("the Kubernetes API does not tell: is {node} {word}?"),
        },
    }
}

/// The two directions of a cordon: the verb, and whether the node is cordoned when it is done.
macro_rules! cordon {
    ($name:ident, $verb:literal, $wanted:literal) => {
        impl CallSpec for $name {
            fn effect(&self) -> Effect {
                Effect::Mutates
            }
            fn scope(&self) -> Scope {
                Scope::Cluster
            }
            fn reads(&self) -> Vec<Subject> {
                vec![kube_node(&self.node)]
            }
            fn writes(&self) -> Vec<Subject> {
                vec![kube_node(&self.node)]
            }
            fn node(&self) -> Option<&str> {
                Some(&self.node)
            }
            fn tool(&self) -> Option<Tool> {
                Some(KUBECTL)
            }
            fn argv(&self, target: &Target) -> Option<Argv> {
                Some(target.kubectl(&[$verb, &self.node]))
            }
            fn witness(&self) -> Witness {
                Witness::Cordon { node: self.node.clone() }
            }
            fn settle(&self, before: &Value, now: &Value) -> Settled {
                settle_cordon(&self.node, $wanted, before, now)
            }
            fn settles_within(&self, _before: &Value) -> Span {
                API_BACK
            }
            fn stable(&self) -> &'static [&'static str] {
                &["changed"]
            }
        }
    };
}

cordon!(Cordon, "cordon", true);
cordon!(Uncordon, "uncordon", false);

/// `kube.drain { node, … }`: cordons a node and evicts its pods; budgets are respected unless the call says otherwise, and then it destroys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drain {
    /// The node.
    pub node: String,
    /// Leave the pods of DaemonSets where they are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignore_daemonsets: bool,
    /// Go on although pods hold data in emptyDir volumes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delete_emptydir_data: bool,
    /// Only pods with these labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_selector: Option<String>,
    /// Seconds that pods get to end; their own where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_period: Option<u32>,
    /// Delete pods that nothing makes again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// Delete instead of evict: passes over budgets.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disable_eviction: bool,
}

/// How long a drain may take where the call does not say.
pub const DRAIN_TIMEOUT: Span = Span::mins(5);

impl CallSpec for Drain {
    fn effect(&self) -> Effect {
        if self.force || self.disable_eviction { Effect::Destroys } else { Effect::Mutates }
    }
    fn scope(&self) -> Scope {
        Scope::Cluster
    }
    fn writes(&self) -> Vec<Subject> {
        vec![kube_node(&self.node), kube_pods(&self.node), Subject::of(&["kube", "pod"])]
    }
    fn node(&self) -> Option<&str> {
        Some(&self.node)
    }
    fn tool(&self) -> Option<Tool> {
        Some(KUBECTL)
    }
    fn argv(&self, target: &Target) -> Option<Argv> {
        let mut argv = target
            .kubectl(&["drain", &self.node])
            .flag("--ignore-daemonsets", self.ignore_daemonsets)
            .flag("--delete-emptydir-data", self.delete_emptydir_data)
            .flag("--force", self.force)
            .flag("--disable-eviction", self.disable_eviction);
        if let Some(selector) = &self.pod_selector {
            argv = argv.pair("--pod-selector", selector);
        }
        match self.grace_period {
            Some(seconds) => Some(argv.pair("--grace-period", seconds.to_string())),
            None => Some(argv),
        }
    }
    fn witness(&self) -> Witness {
        Witness::Cordon { node: self.node.clone() }
    }
    fn settle(&self, before: &Value, now: &Value) -> Settled {
        let (before, now) = (CordonView::from_value(before), CordonView::from_value(now));
        let node = &self.node;
        let evicted: Vec<&String> = before.pods.iter().filter(|p| !now.pods.contains(p)).collect();
        match now.cordoned {
            None => Settled::Ask {
                question: format!("the Kubernetes API does not tell: was {node} drained?"),
            },
            Some(true) if now.pods.is_empty() => Settled::Done {
                reply: json!({"changed": true, "evicted": evicted}),
                because: format!("{node} is cordoned and nothing that a drain moves runs there"),
            },
            Some(true) if before.cordoned == Some(false) || !evicted.is_empty() => {
                let args = match serde_json::to_value(self) {
                    Ok(Value::Object(args)) => args,
                    _ => Map::new(),
                };
                Settled::Partial {
                    because: format!(
                        "{node} is cordoned, {} of its pods are left: {}",
                        now.pods.len(),
                        now.pods.join(", ")
                    ),
                    remedy: Request { call: "kube.drain".into(), args, place: None },
                }
            }
            Some(_) => Settled::NotDone { because: format!("{node} runs the pods that it ran") },
        }
    }
    fn settles_within(&self, _before: &Value) -> Span {
        API_BACK
    }
    fn stable(&self) -> &'static [&'static str] {
        &["changed"]
    }
}
