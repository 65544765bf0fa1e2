//! talosctl: which node is asked over which channel, and the calls of each kind.
//!
//! The maintenance channel is chosen here and nowhere else, from what a node itself has shown; it is never tried because something failed.

pub(super) mod access;
pub(super) mod config;
pub(super) mod etcd;
pub(super) mod machineconfig;
pub(super) mod node;
pub(super) mod read;
pub(super) mod render;
pub(super) mod standing;

use ops_core::call::Target;
use ops_core::error::{CallError, ErrorKind};
use ops_core::inventory::Node;
use ops_core::reply::node as reply;

use super::HostCx;
use super::tool::is_silence;

/// Where a call about a node goes: to itself or its declared proxy, with the context of its cluster.
pub(super) fn target(cx: &HostCx<'_>, node: &Node) -> Result<Target, CallError> {
    let cluster = cx.cluster()?;
    Ok(Target {
        cluster: cluster.name.clone(),
        context: cluster.context.clone(),
        talosconfig: cluster.talosconfig.clone(),
        kubeconfig: cluster.kubeconfig.clone(),
        node: node.address.clone(),
        endpoint: node.route().to_owned(),
        insecure: false,
    })
}

/// As `target`, by the node's name.
pub(super) fn target_of(cx: &HostCx<'_>, name: &str) -> Result<Target, CallError> {
    target(cx, cx.node(name)?)
}

/// The maintenance channel of a node: dialled directly, no certificates.
pub(super) fn insecure(cx: &HostCx<'_>, node: &Node) -> Result<Target, CallError> {
    Ok(Target { insecure: true, ..target(cx, node)? })
}

/// Asks one control plane: the named one, or the first in inventory order that answers.
///
/// # Errors
/// Of the named one its own; else that of the last, where nobody answered.
pub(super) async fn any_control_plane<T>(
    cx: &HostCx<'_>,
    named: Option<&str>,
    mut ask: impl AsyncFnMut(&Node, Target) -> Result<T, CallError>,
) -> Result<T, CallError> {
    if let Some(name) = named {
        let node = cx.node(name)?;
        return ask(node, target(cx, node)?)
            .await
            .map_err(|e| CallError { node: Some(node.name.clone()), ..e });
    }
    let mut last =
        CallError::new(ErrorKind::Invalid, "the inventory has no control plane").before_effect();
    for node in cx.cluster()?.control_planes() {
        match ask(node, target(cx, node)?).await {
            Ok(found) => return Ok(found),
            // Another control plane may know what this one does not: it is away, bare, or its etcd does not run.
            Err(error)
                if is_silence(&error)
                    || matches!(error.kind, ErrorKind::Certificate | ErrorKind::NotReady) =>
            {
                last = CallError { node: Some(node.name.clone()), ..error };
            }
            Err(error) => return Err(CallError { node: Some(node.name.clone()), ..error }),
        }
    }
    Err(last)
}

/// Says of a failed handshake whether the node is in maintenance mode, which is what it usually means.
pub(super) async fn explained(cx: &HostCx<'_>, name: &str, error: CallError) -> CallError {
    if error.kind != ErrorKind::Certificate {
        return error;
    }
    let Ok(node) = cx.node(name) else { return error };
    match standing::maintenance(cx, node).await {
        Ok(shown) if shown.stage.as_ref().is_some_and(|s| s.stage == "maintenance") => {
            reply::in_maintenance(name)
        }
        _ => error.hint(format!(
            "{name} answers with a certificate of another cluster, or the talosconfig is of another one"
        )),
    }
}
