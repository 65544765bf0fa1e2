//! What moves a whole node: bootstrap, reboot, reset. Each is sent without the client's own wait, and ends when its effect has been seen.

use ops_core::call::talos::{AfterReset, BOOTED, Bootstrap, OFF, RESET, Reboot, Reset};
use ops_core::call::{CallSpec, Common};
use ops_core::error::{CallError, ErrorKind};
use ops_core::guard::EtcdSaid;
use ops_core::inventory::Node;
use ops_core::reply::node::{self as reply, BootView, Members};
use ops_core::time::Span;
use ops_core::value::Value;
use serde_json::json;

use super::standing::{self, Standing};
use super::{etcd, explained, target};
use crate::host::HostCx;
use crate::host::tool::{Answer, QUESTION, is_silence};

/// How long a request that only starts something may take.
const REQUEST: Span = Span::mins(1);

/// Who is a member of etcd, as each control plane says. A control plane without etcd knows of nobody; that is an answer.
pub(in crate::host) async fn members(cx: &HostCx<'_>) -> Result<Members, CallError> {
    let mut view = Members::default();
    for answer in etcd::view(cx).await?.answers {
        match answer.said {
            EtcdSaid::Members { members, .. } => {
                let by_name = members.into_iter().map(|m| (m.name, m.id)).collect();
                view.by_node.insert(answer.node, by_name);
            }
            EtcdSaid::NoEtcd => {
                view.by_node.insert(answer.node, std::collections::BTreeMap::new());
            }
            EtcdSaid::Silent(_) => view.silent.push(answer.node),
        }
    }
    Ok(view)
}

/// What a bootstrap of this node would meet: it is done already (false), or it may begin (true).
///
/// # Errors
/// Where etcd exists elsewhere, or a control plane cannot say that it does not.
pub(in crate::host) async fn may_bootstrap(
    call: &Bootstrap,
    cx: &HostCx<'_>,
) -> Result<bool, CallError> {
    let node = cx.node(&call.node)?;
    if !node.is_control_plane() {
        let message =
            format!("{} is a worker; only a control plane can be bootstrapped", node.name);
        return Err(CallError::new(ErrorKind::Invalid, message).before_effect());
    }
    let view = members(cx).await?;
    if view.member(&node.name).is_some() {
        return Ok(false);
    }
    if let Some(other) = view.someone_else(&node.name) {
        return Err(CallError::new(
            ErrorKind::AlreadyExists,
            format!("etcd is bootstrapped already: {other} is a member, {} is not", node.name),
        )
        .hint("a second bootstrap would split the cluster; the node joins by itself")
        .before_effect());
    }
    if !view.silent.is_empty() {
        return Err(CallError::new(
            ErrorKind::NotReady,
            format!(
                "{} did not say whether etcd runs there; a bootstrap beside it would split the cluster",
                view.silent.join(", ")
            ),
        )
        .before_effect());
    }
    Ok(true)
}

/// How long a bootstrap may take until the member is seen.
const BOOTSTRAPPED: Span = Span::mins(5);

/// `talos.bootstrap`.
pub(in crate::host) async fn bootstrap(
    call: &Bootstrap,
    common: &Common,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    if !may_bootstrap(call, cx).await? {
        return Ok(json!({"changed": false}));
    }
    let node = cx.node(&call.node)?;
    let target = target(cx, node)?;
    let argv = call.argv(&target).unwrap_or_default();
    let limit = common.timeout.unwrap_or(BOOTSTRAPPED);
    // A node that has just booted refuses until its runtime is up and its clock is set; a refusal starts nothing.
    let begun = cx
        .until(limit, ErrorKind::NotReady, async || match cx.act(&argv, REQUEST).await {
            Ok(_) => Answer::Yes(None),
            // A bootstrap is under way there, asked for a moment ago by somebody who did not live to see its member; or old data lies there.
            Err(error) if error.kind == ErrorKind::AlreadyExists => Answer::Yes(Some(error)),
            Err(error) if error.kind == ErrorKind::NotReady && error.before_effect => {
                Answer::NotYet(error.message)
            }
            Err(error) => Answer::Never(error),
        })
        .await
        .map_err(|error| match error.kind {
            ErrorKind::NotReady => error.before_effect(),
            _ => error,
        })?;
    let seen = cx
        .until(limit, ErrorKind::NotApplied, async || match etcd::said(cx, node).await {
            EtcdSaid::Members { members, .. } if members.iter().any(|m| m.name == node.name) => {
                Answer::Yes(())
            }
            EtcdSaid::Members { .. } | EtcdSaid::NoEtcd => {
                Answer::NotYet(format!("{} is no member of etcd yet", node.name))
            }
            EtcdSaid::Silent(why) => Answer::NotYet(format!("etcd on {}: {why}", node.name)),
        })
        .await;
    match (seen, begun) {
        (Ok(()), _) => {}
        (Err(_), Some(refused)) => return Err(refused),
        (Err(error), None) => return Err(error),
    }
    Ok(json!({"changed": true}))
}

/// The boot id of a node; only an authenticated request may read it.
pub(in crate::host) async fn boot_id(cx: &HostCx<'_>, node: &Node) -> Result<String, CallError> {
    let argv = target(cx, node)?.talosctl(&["read", "/proc/sys/kernel/random/boot_id"]);
    let id = cx.ask(&argv, QUESTION).await?.text().trim().to_owned();
    if id.is_empty() {
        return Err(CallError::new(ErrorKind::Parse, format!("{} shows no boot id", node.name)));
    }
    Ok(id)
}

/// What a node shows of its last boot. What it does not answer is absent.
pub(in crate::host) async fn boot_view(cx: &HostCx<'_>, node: &Node) -> BootView {
    match standing::standing(cx, node).await {
        Ok(Standing::Up(stage)) => BootView {
            stage: Some(stage.stage),
            boot_id: boot_id(cx, node).await.ok(),
            version: super::config::version_of(cx, node).await.ok(),
            volumes: match standing::secure(cx, node, &["volumestatus"]).await {
                Ok(found) => reply::system_volumes(&found),
                Err(_) => std::collections::BTreeMap::new(),
            },
        },
        Ok(Standing::Bare(stage)) => BootView {
            stage: Some(stage.stage),
            volumes: match standing::bare(cx, node, &["volumestatus"]).await {
                Ok(found) => reply::system_volumes(&found),
                Err(_) => std::collections::BTreeMap::new(),
            },
            ..BootView::default()
        },
        Ok(Standing::Away(_)) | Err(_) => BootView::default(),
    }
}

/// `talos.reboot`.
pub(in crate::host) async fn reboot(
    call: &Reboot,
    common: &Common,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    let node = cx.node(&call.node)?;
    let before = match boot_id(cx, node).await {
        Ok(id) => id,
        Err(error) => return Err(explained(cx, &node.name, error).await.before_effect()),
    };
    let argv = call.argv(&target(cx, node)?).unwrap_or_default();
    let request = match call.drain_timeout {
        Some(drain) => Span(REQUEST.0 + drain.0),
        None if call.drain => Span(REQUEST.0 + Span::mins(5).0),
        None => REQUEST,
    };
    cx.act(&argv, request).await?;
    let limit = common.timeout.unwrap_or(BOOTED);
    let now = cx
        .until(limit, ErrorKind::NotApplied, async || match boot_id(cx, node).await {
            Ok(now) if now != before => Answer::Yes(now),
            Ok(_) => Answer::NotYet(format!("{} has not gone down yet", node.name)),
            Err(error) if is_silence(&error) || error.kind == ErrorKind::NotReady => {
                Answer::NotYet(format!("{} is not back yet: {}", node.name, error.message))
            }
            Err(error) => Answer::Never(explained(cx, &node.name, error).await),
        })
        .await?;
    let version = super::config::version_of(cx, node).await?;
    Ok(json!({"changed": true, "version": version, "boot_id": now}))
}

/// `talos.reset`.
pub(in crate::host) async fn reset(
    call: &Reset,
    common: &Common,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    let node = cx.node(&call.node)?;
    match standing::standing(cx, node).await? {
        Standing::Up(_) => {}
        Standing::Bare(_) => return Err(reply::in_maintenance(&node.name)),
        Standing::Away(why) => {
            return Err(CallError::new(ErrorKind::Unreachable, why).before_effect());
        }
    }
    let before = boot_view(cx, node).await;
    let member = own_member(cx, node).await;
    let argv = call.argv(&target(cx, node)?).unwrap_or_default();
    cx.act(&argv, REQUEST).await?;
    let limit = common.timeout.unwrap_or(RESET);
    let mut silent_since = None;
    cx.until(limit, ErrorKind::NotApplied, async || {
        let now = boot_view(cx, node).await;
        match &now.stage {
            None => {
                let since = *silent_since.get_or_insert_with(|| cx.world.now());
                if call.leads_to() == AfterReset::Off && cx.world.now().since(since) >= OFF {
                    return Answer::Yes(());
                }
            }
            Some(_) => silent_since = None,
        }
        // Where volumes show no UUID, an etcd that has lost its data shows another member, or none.
        let same_member = member.is_some() && own_member(cx, node).await == member;
        came_out(call, &node.name, &before, &now, same_member)
    })
    .await?;
    Ok(json!({"changed": true}))
}

/// Id of the member whose data lies on the node.
async fn own_member(cx: &HostCx<'_>, node: &Node) -> Option<String> {
    if !node.is_control_plane() {
        return None;
    }
    match etcd::said(cx, node).await {
        EtcdSaid::Members { status: Some(status), .. } => Some(status.id),
        _ => None,
    }
}

/// What a look at the node says about its reset.
fn came_out(
    call: &Reset,
    name: &str,
    before: &BootView,
    now: &BootView,
    same_member: bool,
) -> Answer<()> {
    let Some(stage) = now.stage.as_deref() else {
        return Answer::NotYet(format!("{name} does not answer"));
    };
    let another_boot = now.boot_id.is_some() && now.boot_id != before.boot_id;
    let wiped = now.all_wiped_since(before, &call.system_labels_to_wipe);
    match call.leads_to() {
        AfterReset::Maintenance if stage == "maintenance" => Answer::Yes(()),
        AfterReset::Running if another_boot && wiped == Some(true) => Answer::Yes(()),
        AfterReset::Running
            if another_boot && wiped.is_none() && stage == "running" && !same_member =>
        {
            Answer::Yes(())
        }
        _ if another_boot && stage == "running" => Answer::Never(
            CallError::new(
                ErrorKind::NotApplied,
                format!(
                    "{name} has booted again with everything that it had: the reset did not wipe"
                ),
            )
            .hint("a node that cannot leave etcd reboots instead: look at `talos.etcd.status`"),
        ),
        _ => Answer::NotYet(format!("{name} is in stage {stage}")),
    }
}
