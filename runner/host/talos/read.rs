//! Reads of one node, and the cluster's own health check.

use ops_core::call::Common;
use ops_core::call::talos::{Get, Health, Stage, Version};
use ops_core::call::{CallSpec, Target};
use ops_core::error::{CallError, ErrorKind};
use ops_core::reply::{node as reply, plain};
use ops_core::time::Span;
use ops_core::value::{Handle, Value};
use serde_json::json;

use super::standing::{self, Standing};
use super::{any_control_plane, explained, target_of};
use crate::host::HostCx;
use crate::host::tool::QUESTION;

/// `talos.version`.
pub(in crate::host) async fn version(
    call: &Version,
    common: &Common,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    let output = asked(call, &call.node, common, cx).await?;
    Ok(plain(&reply::version(&output)?))
}

/// `talos.get`. Specs that hold keys are handed on sealed.
pub(in crate::host) async fn get(
    call: &Get,
    common: &Common,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    let output = asked(call, &call.node, common, cx).await?;
    let mut found = reply::resources(&output)?;
    for resource in found.iter_mut().filter(|r| r.is_secret()) {
        let bytes = match &resource.spec {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let blob = cx.blobs.put(bytes.as_bytes(), true).map_err(|e| kept(&e))?;
        resource.spec = Handle::Blob(blob).to_value();
    }
    Ok(plain(&found))
}

async fn asked(
    call: &dyn CallSpec,
    node: &str,
    common: &Common,
    cx: &HostCx<'_>,
) -> Result<String, CallError> {
    let target = target_of(cx, node)?;
    let argv = call.argv(&target).unwrap_or_default();
    match cx.ask(&argv, common.timeout.unwrap_or(QUESTION)).await {
        Ok(output) => Ok(output.text()),
        Err(error) => Err(explained(cx, node, error).await),
    }
}

/// `talos.stage`: maintenance mode is an answer here, silence is an error.
pub(in crate::host) async fn stage(call: &Stage, cx: &HostCx<'_>) -> Result<Value, CallError> {
    match standing::standing(cx, cx.node(&call.node)?).await? {
        Standing::Up(stage) | Standing::Bare(stage) => Ok(plain(&stage)),
        Standing::Away(why) => Err(CallError::new(ErrorKind::Unreachable, why).before_effect()),
    }
}

/// How long the checks of `talos.health` may take where the call does not say.
const HEALTH: Span = Span::mins(5);

/// `talos.health`: the control plane checks and waits; its last complaint is the error.
pub(in crate::host) async fn health(
    call: &Health,
    common: &Common,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    let wait = call.wait_timeout.or(common.timeout).unwrap_or(HEALTH);
    let cluster = cx.cluster()?;
    let addresses = |names: &[String], control_plane: bool| -> Result<Vec<String>, CallError> {
        if names.is_empty() {
            let wanted = cluster.nodes.iter().filter(|n| n.is_control_plane() == control_plane);
            return Ok(wanted.map(|n| n.address.clone()).collect());
        }
        names.iter().map(|name| Ok(cx.node(name)?.address.clone())).collect()
    };
    let planes = addresses(&call.control_plane_nodes, true)?;
    let workers = addresses(&call.worker_nodes, false)?;
    any_control_plane(cx, call.node.as_deref(), async |_, target: Target| {
        let argv = Health::command(&target, &planes, &workers, wait);
        match cx.act_aloud(&argv, Span(wait.0 + QUESTION.0)).await {
            Ok(_) => Ok(Ok(json!({"healthy": true}))),
            // It has looked and found something: no other control plane is asked for a better answer.
            Err(error) if error.stderr.contains("waiting for ") => Ok(Err(complaint(error))),
            Err(error) => Err(error),
        }
    })
    .await?
}

/// The last check that did not pass, instead of the deadline that it ran into.
fn complaint(error: CallError) -> CallError {
    let last = error
        .stderr
        .lines()
        .map(str::trim)
        .rfind(|l| l.starts_with("waiting for ") && !l.ends_with(": OK") && !l.ends_with("..."))
        .map(str::to_owned);
    match last {
        Some(line) => {
            let detail = error.stderr.rsplit(&line).next().unwrap_or_default();
            let detail =
                detail.lines().map(str::trim).find(|l| l.starts_with("* ")).unwrap_or_default();
            let message = format!("{line} {}", detail.trim_start_matches("* "));
            CallError { kind: ErrorKind::NotReady, message: message.trim().to_owned(), ..error }
        }
        None => error,
    }
}

/// A blob that could not be kept.
pub(in crate::host) fn kept(error: &std::io::Error) -> CallError {
    CallError::new(ErrorKind::Failed, format!("the reply could not be kept: {error}"))
        .before_effect()
}
