//! The Kubernetes API over HTTP: enough for an engine's own client to read nodes, pods, namespaces
//! and budgets, to cordon and to evict. Answers are a status and a JSON body.

use super::kubectl::{Listed, list, route};
use super::text::BUDGET;
use super::{Exit, Io, Process};
use crate::config::client::kube_target;
use crate::lab::Lab;
use crate::reply::{KubeView, Reply};
use crate::request::{KubeKind, KubeRequest, Refusal, Request, Route};
use crate::spec::LabSpec;
use crate::world::{Name, PodId};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A request to the Kubernetes API.
#[derive(Clone, Debug, Default)]
pub struct HttpCall {
    /// `GET`, `PATCH`, `POST`, `DELETE`.
    pub method: String,
    /// Path and query, `/api/v1/nodes?labelSelector=…`.
    pub path: String,
    /// Body.
    pub body: Option<Value>,
    /// The kubeconfig that the client was made from: server, CA and identity come from it.
    pub kubeconfig: String,
    /// Its context; the current one when none.
    pub context: Option<String>,
}

struct Api {
    io: Io,
    spec: Arc<LabSpec>,
    route: Route,
}

fn status(code: u16, reason: &str, message: &str) -> Exit {
    Exit::Http(
        code,
        json!({
            "apiVersion": "v1",
            "kind": "Status",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        }),
    )
}

/// No answer at all is status 0: the client's connection failed.
fn refused(refusal: Refusal) -> Exit {
    match refusal {
        Refusal::NotFound => status(404, "NotFound", "not found"),
        Refusal::Budget(_) => status(429, "TooManyRequests", BUDGET),
        Refusal::ApiNoEtcd => status(500, "InternalError", "etcdserver: request timed out"),
        Refusal::UnknownAuthority { .. } => status(
            0,
            "",
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        ),
        Refusal::ConnRefused(_) => status(0, "", "connect: connection refused"),
        Refusal::NoRoute => status(0, "", "connect: no route to host"),
        Refusal::DialTimeout(_) => status(0, "", "i/o timeout"),
        Refusal::ConnLost => status(0, "", "EOF"),
        _ => status(0, "", "context deadline exceeded"),
    }
}

pub(crate) fn start(lab: &mut Lab, call: HttpCall) -> Process {
    let target = match kube_target(&call.kubeconfig, call.context.as_deref()) {
        Ok(target) => target,
        Err(error) => {
            let text = error.0;
            return Process::new(|_| async move { status(0, "", &text) });
        }
    };
    let spec = Arc::new(lab.spec.clone());
    let route = route(lab, &target.server, target.ca);
    // Names in a path are interned now: a process has no hold on the world.
    let (path, query) = call.path.split_once('?').unwrap_or((&call.path, ""));
    let parts: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(decode).collect();
    let node = parts.iter().position(|part| part == "nodes").and_then(|at| parts.get(at + 1));
    let node = node.cloned().map(|name| lab.world.intern(&name));
    let query = pairs(query);
    let HttpCall { method, body, .. } = call;
    Process::new(move |io| async move {
        let api = Api { io, spec, route };
        api.serve(&method, &parts, &query, body, node).await
    })
}

fn pairs(query: &str) -> BTreeMap<String, String> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}

/// Percent-decoding; what is no escape stays.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if let Some(byte) = escaped {
            out.push(byte);
            at += 3;
        } else {
            out.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl Api {
    async fn view(&self, kind: KubeKind) -> Result<KubeView, Exit> {
        match self.ask(KubeRequest::Read(kind)).await {
            Ok(Reply::Kube(view)) => Ok(*view),
            Ok(_) => Err(status(500, "InternalError", "unexpected answer")),
            Err(refusal) => Err(refused(refusal)),
        }
    }

    async fn ask(&self, request: KubeRequest) -> Result<Reply, Refusal> {
        self.io.call(self.route, Request::Kube(request)).await
    }

    async fn serve(
        &self,
        method: &str,
        parts: &[String],
        query: &BTreeMap<String, String>,
        body: Option<Value>,
        node: Option<Name>,
    ) -> Exit {
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let result = match (method, parts.as_slice()) {
            ("GET", ["version"]) => self.discovery(version(&self.spec)).await,
            ("GET", ["api"]) => {
                self.discovery(json!({"kind": "APIVersions", "versions": ["v1"]})).await
            }
            ("GET", ["apis"]) => self.discovery(groups()).await,
            ("GET", ["api", "v1"]) => self.discovery(core()).await,
            ("GET", ["apis", "apiextensions.k8s.io", "v1", "customresourcedefinitions"]) => {
                self.many(KubeKind::Crds, None, query).await
            }
            ("GET", ["apis", "policy", "v1", "poddisruptionbudgets"]) => {
                self.many(KubeKind::Budgets, None, query).await
            }
            ("GET", ["apis", "policy", "v1", "namespaces", space, "poddisruptionbudgets"]) => {
                self.many(KubeKind::Budgets, Some(space), query).await
            }
            ("GET", ["apis", "apps", "v1", "namespaces", space, "daemonsets", name]) => {
                self.one(KubeKind::DaemonSets, Some(space), name).await
            }
            ("GET", ["api", "v1", "nodes"]) => self.many(KubeKind::Nodes, None, query).await,
            ("GET", ["api", "v1", "nodes", name]) => self.one(KubeKind::Nodes, None, name).await,
            ("GET", ["api", "v1", "persistentvolumes"]) => {
                self.discovery(persistent_volumes(&self.spec)).await
            }
            ("GET", ["api", "v1", "namespaces"]) => {
                self.many(KubeKind::Namespaces, None, query).await
            }
            ("GET", ["api", "v1", "namespaces", name]) => {
                self.one(KubeKind::Namespaces, None, name).await
            }
            ("GET", ["api", "v1", "pods"]) => self.many(KubeKind::Pods, None, query).await,
            ("GET", ["api", "v1", "namespaces", space, "pods"]) => {
                self.many(KubeKind::Pods, Some(space), query).await
            }
            ("GET", ["api", "v1", "namespaces", space, "pods", name]) => {
                self.one(KubeKind::Pods, Some(space), name).await
            }
            ("PATCH", ["api", "v1", "nodes", name]) => self.patch(name, node, body).await,
            ("DELETE", ["api", "v1", "nodes", _]) => match node {
                Some(node) => self.done(KubeRequest::DeleteNode(node), 200).await,
                None => Err(refused(Refusal::NotFound)),
            },
            ("POST", ["api", "v1", "namespaces", space, "pods", name, "eviction"]) => {
                self.evict(space, name, query, body).await
            }
            ("DELETE", ["api", "v1", "namespaces", space, "pods", name]) => {
                match self.pod(space, name).await {
                    Ok(pod) => self.done(KubeRequest::DeletePod(pod), 200).await,
                    Err(exit) => Err(exit),
                }
            }
            (method, _) => Err(status(
                501,
                "NotImplemented",
                &format!("lab: not modelled: {method} /{}", parts.join("/")),
            )),
        };
        result.unwrap_or_else(|exit| exit)
    }

    async fn discovery(&self, body: Value) -> Result<Exit, Exit> {
        self.view(KubeKind::Discovery).await?;
        Ok(Exit::Http(200, body))
    }

    async fn found(&self, kind: KubeKind, space: Option<&str>) -> Result<(Vec<Listed>, u64), Exit> {
        let view = self.view(kind).await?;
        let mut items = list(&view.kube, kind, &self.spec, &self.io);
        items.retain(|one| space.is_none_or(|space| one.namespace.as_deref() == Some(space)));
        Ok((items, view.kube.version))
    }

    async fn many(
        &self,
        kind: KubeKind,
        space: Option<&str>,
        query: &BTreeMap<String, String>,
    ) -> Result<Exit, Exit> {
        let (mut items, version) = self.found(kind, space).await?;
        for selector in ["labelSelector", "fieldSelector"] {
            let Some(text) = query.get(selector).filter(|text| !text.is_empty()) else { continue };
            for clause in text.split(',') {
                let Some((field, value)) = clause.split_once('=') else {
                    return Err(status(
                        501,
                        "NotImplemented",
                        &format!("lab: not modelled: {selector} {text}"),
                    ));
                };
                let (field, value) =
                    (field.trim_end_matches(['=', '!']), value.trim_start_matches('='));
                let wanted = !clause.contains("!=");
                items.retain(|one| {
                    (selected(&one.object, selector, field) == Some(value)) == wanted
                });
            }
        }
        let (group, name) = match kind {
            KubeKind::Nodes => ("v1", "NodeList"),
            KubeKind::Pods => ("v1", "PodList"),
            KubeKind::Namespaces => ("v1", "NamespaceList"),
            KubeKind::Budgets => ("policy/v1", "PodDisruptionBudgetList"),
            KubeKind::DaemonSets => ("apps/v1", "DaemonSetList"),
            KubeKind::Crds | KubeKind::Discovery => {
                ("apiextensions.k8s.io/v1", "CustomResourceDefinitionList")
            }
        };
        let items: Vec<Value> = items.into_iter().map(|one| one.object).collect();
        Ok(Exit::Http(
            200,
            json!({
                "apiVersion": group,
                "kind": name,
                "metadata": {"resourceVersion": version.to_string()},
                "items": items,
            }),
        ))
    }

    async fn one(&self, kind: KubeKind, space: Option<&str>, name: &str) -> Result<Exit, Exit> {
        let (items, _) = self.found(kind, space).await?;
        items
            .into_iter()
            .find(|one| one.name == name)
            .map(|one| Exit::Http(200, one.object))
            .ok_or_else(|| missing(kind, name))
    }

    async fn pod(&self, space: &str, name: &str) -> Result<PodId, Exit> {
        let view = self.view(KubeKind::Pods).await?;
        view.kube
            .pods
            .iter()
            .find(|(_, pod)| {
                view.kube.app_of(pod).namespace == space
                    && super::kubectl::pod_name(&view.kube, pod, &self.io) == name
            })
            .map(|(id, _)| *id)
            .ok_or_else(|| missing(KubeKind::Pods, name))
    }

    async fn patch(
        &self,
        name: &str,
        node: Option<Name>,
        body: Option<Value>,
    ) -> Result<Exit, Exit> {
        let body = body.unwrap_or(Value::Null);
        let fields = body.as_object().map_or(0, serde_json::Map::len);
        let spec = body.get("spec").and_then(Value::as_object).filter(|_| fields == 1);
        let flag = spec.filter(|spec| spec.len() == 1).and_then(|spec| spec.get("unschedulable"));
        let (Some(node), Some(flag)) = (node, flag) else {
            return Err(status(
                501,
                "NotImplemented",
                "lab: not modelled: PATCH of anything but spec.unschedulable",
            ));
        };
        let on = flag.as_bool().unwrap_or(false);
        match self.ask(KubeRequest::Cordon { node, on }).await {
            Ok(Reply::Kube(view)) => list(&view.kube, KubeKind::Nodes, &self.spec, &self.io)
                .into_iter()
                .find(|one| one.name == name)
                .map(|one| Exit::Http(200, one.object))
                .ok_or_else(|| missing(KubeKind::Nodes, name)),
            Ok(_) => Err(status(500, "InternalError", "unexpected answer")),
            Err(Refusal::NotFound) => Err(missing(KubeKind::Nodes, name)),
            Err(refusal) => Err(refused(refusal)),
        }
    }

    async fn evict(
        &self,
        space: &str,
        name: &str,
        query: &BTreeMap<String, String>,
        body: Option<Value>,
    ) -> Result<Exit, Exit> {
        let pod = self.pod(space, name).await?;
        let in_body = body.as_ref().is_some_and(|body| {
            body.pointer("/deleteOptions/dryRun")
                .is_some_and(|list| list.to_string().contains("All"))
        });
        let dry_run = in_body || query.get("dryRun").is_some_and(|value| value == "All");
        self.done(KubeRequest::Evict { pod, dry_run }, 201).await
    }

    async fn done(&self, request: KubeRequest, code: u16) -> Result<Exit, Exit> {
        self.ask(request).await.map_err(refused)?;
        Ok(Exit::Http(
            code,
            json!({"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Success", "code": code}),
        ))
    }
}

fn selected<'a>(object: &'a Value, selector: &str, field: &str) -> Option<&'a str> {
    let value = if selector == "labelSelector" {
        object.get("metadata")?.get("labels")?.get(field)
    } else {
        object.pointer(&format!("/{}", field.replace('.', "/")))
    };
    value.and_then(Value::as_str)
}

fn missing(kind: KubeKind, name: &str) -> Exit {
    let plural = match kind {
        KubeKind::Nodes => "nodes",
        KubeKind::Pods => "pods",
        KubeKind::Namespaces => "namespaces",
        KubeKind::Budgets => "poddisruptionbudgets.policy",
        KubeKind::DaemonSets => "daemonsets.apps",
        KubeKind::Crds | KubeKind::Discovery => "customresourcedefinitions.apiextensions.k8s.io",
    };
    status(404, "NotFound", &format!("{plural} {name:?} not found"))
}

fn version(spec: &LabSpec) -> Value {
    super::kubectl::version_of(&spec.kubernetes_version)
}

fn groups() -> Value {
    let group = |name: &str, version: &str| {
        let version = json!({"groupVersion": format!("{name}/{version}"), "version": version});
        json!({"name": name, "versions": [version], "preferredVersion": version})
    };
    json!({
        "apiVersion": "v1",
        "kind": "APIGroupList",
        "groups": [
            group("apps", "v1"),
            group("policy", "v1"),
            group("apiextensions.k8s.io", "v1"),
        ],
    })
}

fn core() -> Value {
    let resource = |name: &str, kind: &str, namespaced: bool, verbs: &[&str]| json!({"name": name, "kind": kind, "namespaced": namespaced, "singularName": "", "verbs": verbs});
    json!({
        "apiVersion": "v1",
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [
            resource("namespaces", "Namespace", false, &["get", "list"]),
            resource("nodes", "Node", false, &["delete", "get", "list", "patch"]),
            resource("pods", "Pod", true, &["delete", "get", "list"]),
            resource("pods/eviction", "Eviction", true, &["create"]),
        ],
    })
}

/// The persistent volumes: one per volume of the spec whose only copy lies under a node's `/var`; replicated ones belong to a storage system,
/// which the lab does not have.
fn persistent_volumes(spec: &LabSpec) -> Value {
    let local = spec.volumes.iter().filter_map(|volume| match volume.replicas.as_slice() {
        [(node, crate::spec::Medium::Ephemeral)] => Some((volume, node)),
        _ => None,
    });
    let items: Vec<Value> = local
        .map(|(volume, node)| {
            let on = json!({"key": "kubernetes.io/hostname", "operator": "In", "values": [node]});
            json!({
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": volume.name},
                "spec": {
                    "local": {"path": format!("/var/mnt/{}", volume.name)},
                    "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [on]}]}},
                    "persistentVolumeReclaimPolicy": "Retain",
                },
                "status": {"phase": "Bound"},
            })
        })
        .collect();
    json!({"apiVersion": "v1", "kind": "PersistentVolumeList", "metadata": {}, "items": items})
}
