//! The Kubernetes API and kubectl: reads over the kept connection, changes through the real tool, each read back.

use ops_core::call::kube::{DRAIN_TIMEOUT, Drain, Get, List};
use ops_core::call::{CallSpec, Common, Target};
use ops_core::error::{CallError, ErrorKind};
use ops_core::reply::kube::{
    BudgetView, CordonView, KINDS, Kind, NodeView, PodView, escaped, kind,
};
use ops_core::reply::refusal;
use ops_core::time::Span;
use ops_core::value::Value;
use serde_json::json;

use super::HostCx;
use super::tool::{Answer, QUESTION, is_silence, unfinished};
use crate::sys::world::KubeRequest;

/// Where calls about the cluster's API go.
pub(super) fn target(cx: &HostCx<'_>) -> Result<Target, CallError> {
    let cluster = cx.cluster()?;
    Ok(Target {
        cluster: cluster.name.clone(),
        context: cluster.context.clone(),
        talosconfig: cluster.talosconfig.clone(),
        kubeconfig: cluster.kubeconfig.clone(),
        ..Target::default()
    })
}

/// Asks the API for a path.
///
/// # Errors
/// By status, with the API's own words; `unreachable` where there is no kubeconfig or no answer.
pub(super) async fn read(cx: &HostCx<'_>, path: &str) -> Result<Value, CallError> {
    let target = target(cx)?;
    if matches!(cx.files.stat(&target.kubeconfig), Ok(None)) {
        return Err(CallError::new(
            ErrorKind::Unreachable,
            format!("there is no kubeconfig at {}", target.kubeconfig),
        )
        .hint("ops run talos:recover-kubeconfig")
        .before_effect());
    }
    let request = KubeRequest::get(path);
    let reply = cx.world.kube(&target, &request).await.map_err(|failure| {
        let error = unfinished(&failure);
        match error.kind {
            ErrorKind::Failed => CallError { kind: ErrorKind::Unreachable, ..error },
            _ => error,
        }
    })?;
    match refusal::http(reply.status) {
        None => Ok(reply.body),
        Some(kind) => {
            let said = reply.body.get("message").and_then(Value::as_str).unwrap_or_default();
            let message = if said.is_empty() {
                format!("the Kubernetes API answers {path} with {}", reply.status)
            } else {
                said.to_owned()
            };
            Err(CallError::new(kind, message).before_effect())
        }
    }
}

/// The objects under a path of a collection.
pub(super) async fn items(cx: &HostCx<'_>, path: &str) -> Result<Vec<Value>, CallError> {
    let mut body = read(cx, path).await?;
    match body.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => Ok(items),
        _ => Err(CallError::new(ErrorKind::Parse, format!("the answer to {path} is no list"))),
    }
}

fn known(name: &str) -> Result<&'static Kind, CallError> {
    kind(name).ok_or_else(|| {
        let names = KINDS.iter().map(|k| k.singular);
        let error =
            CallError::new(ErrorKind::Invalid, format!("kind `{name}` cannot be read here"));
        let error = error.before_effect();
        match ops_core::error::nearest(name, names.clone()) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!("known: {}", names.collect::<Vec<_>>().join(", "))),
        }
    })
}

/// `kube.get`.
pub(super) async fn get(call: &Get, cx: &HostCx<'_>) -> Result<Value, CallError> {
    let kind = known(&call.kind)?;
    if kind.namespaced && call.namespace.is_none() {
        let message = format!("a {} lives in a namespace: say which", kind.singular);
        return Err(CallError::new(ErrorKind::Invalid, message).before_effect());
    }
    let path = kind.object(call.namespace.as_deref(), &call.name, call.subresource.as_deref());
    match read(cx, &path).await {
        Err(error) if call.optional && error.kind == ErrorKind::NotFound => Ok(Value::Null),
        other => other,
    }
}

/// `kube.list`: the objects themselves.
pub(super) async fn list(call: &List, cx: &HostCx<'_>) -> Result<Value, CallError> {
    let kind = known(&call.kind)?;
    if kind.namespaced && call.namespace.is_none() && !call.all_namespaces {
        let message =
            format!("{} live in namespaces: say which, or all_namespaces = true", kind.plural);
        return Err(CallError::new(ErrorKind::Invalid, message).before_effect());
    }
    let mut path = kind.collection(call.namespace.as_deref().filter(|_| !call.all_namespaces));
    let selectors = [("labelSelector", &call.selector), ("fieldSelector", &call.field_selector)];
    for (i, (name, value)) in
        selectors.iter().filter_map(|(n, v)| v.as_ref().map(|v| (n, v))).enumerate()
    {
        path.push_str(if i == 0 { "?" } else { "&" });
        path.push_str(&format!("{name}={}", escaped(value)));
    }
    Ok(Value::Array(items(cx, &path).await?))
}

/// A Node of Kubernetes; none where there is no such object.
pub(super) async fn node(cx: &HostCx<'_>, name: &str) -> Result<Option<NodeView>, CallError> {
    match read(cx, &format!("/api/v1/nodes/{}", escaped(name))).await {
        Ok(object) => Ok(Some(NodeView::of(&object))),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The pods on a node.
pub(super) async fn pods_on(cx: &HostCx<'_>, name: &str) -> Result<Vec<PodView>, CallError> {
    let selector = escaped(&format!("spec.nodeName={name}"));
    let found = items(cx, &format!("/api/v1/pods?fieldSelector={selector}")).await?;
    Ok(found.iter().map(PodView::of).collect())
}

/// The budgets of the cluster.
pub(super) async fn budgets(cx: &HostCx<'_>) -> Result<Vec<BudgetView>, CallError> {
    let found = items(cx, "/apis/policy/v1/poddisruptionbudgets").await?;
    Ok(found.iter().map(BudgetView::of).collect())
}

/// Whether a node is cordoned and what a drain would move.
pub(super) async fn cordon_view(cx: &HostCx<'_>, name: &str) -> Result<CordonView, CallError> {
    let Some(view) = node(cx, name).await? else {
        return Err(CallError::new(ErrorKind::NotFound, format!("Kubernetes has no node {name}"))
            .before_effect());
    };
    let mut pods: Vec<String> = pods_on(cx, name)
        .await?
        .iter()
        .filter(|p| p.is_drained())
        .map(PodView::full_name)
        .collect();
    pods.sort_unstable();
    Ok(CordonView { cordoned: Some(view.cordoned), pods })
}

/// `kube.cordon` and `kube.uncordon`.
pub(super) async fn cordon(
    name: &str,
    wanted: bool,
    common: &Common,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    if is_cordoned(cx, name).await? == wanted {
        return Ok(json!({"changed": false}));
    }
    let argv = target(cx)?.kubectl(&[if wanted { "cordon" } else { "uncordon" }, name]);
    cx.act_aloud(&argv, common.timeout.unwrap_or(QUESTION)).await?;
    if is_cordoned(cx, name).await? == wanted {
        Ok(json!({"changed": true}))
    } else {
        let message =
            format!("{name} is {}cordoned all the same", if wanted { "not " } else { "" });
        Err(CallError::new(ErrorKind::NotApplied, message))
    }
}

/// Whether a node takes no new pods.
///
/// # Errors
/// Where Kubernetes has no such node.
pub(super) async fn is_cordoned(cx: &HostCx<'_>, name: &str) -> Result<bool, CallError> {
    match node(cx, name).await? {
        Some(view) => Ok(view.cordoned),
        None => Err(CallError::new(ErrorKind::NotFound, format!("Kubernetes has no node {name}"))
            .before_effect()),
    }
}

/// How long the API may take to show that the evicted pods are gone.
const GONE: Span = Span::mins(1);

/// `kube.drain`.
pub(super) async fn drain(
    call: &Drain,
    common: &Common,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    let before = cordon_view(cx, &call.node).await?;
    if before.cordoned == Some(true) && before.pods.is_empty() {
        return Ok(json!({"changed": false, "evicted": []}));
    }
    let limit = common.timeout.unwrap_or(DRAIN_TIMEOUT);
    let argv = call.argv(&target(cx)?).unwrap_or_default().pair("--timeout", limit.to_string());
    // The tool ends by itself at its timeout and says which pod it waited for; the process gets a little longer.
    cx.act_aloud(&argv, Span(limit.0 + QUESTION.0)).await?;
    let selected = call.pod_selector.is_some();
    cx.until(GONE, ErrorKind::NotApplied, async || match cordon_view(cx, &call.node).await {
        Ok(now) if now.cordoned != Some(true) => {
            Answer::NotYet(format!("{} is not cordoned", call.node))
        }
        Ok(now) => match now.pods.iter().find(|p| before.pods.contains(p)) {
            Some(pod) if !selected => Answer::NotYet(format!("{pod} is still there")),
            _ => Answer::Yes(()),
        },
        Err(error) if is_silence(&error) => Answer::NotYet(error.message),
        Err(error) => Answer::Never(error),
    })
    .await?;
    Ok(json!({"changed": true, "evicted": before.pods}))
}
