//! etcd through talosctl: what each control plane says, and snapshots that are kept only once their checksum has been verified.

use ops_core::call::talos::{EtcdMembers, EtcdSnapshot, EtcdStatus};
use ops_core::call::{CallSpec, Common};
use ops_core::error::{CallError, ErrorKind};
use ops_core::guard::{EtcdAnswer, EtcdSaid, EtcdView, Member, MemberStatus};
use ops_core::inventory::Node;
use ops_core::reply::{etcd as reply, node, plain};
use ops_core::time::Span;
use ops_core::value::Value;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::standing::{self, Standing};
use super::{any_control_plane, target};
use crate::host::HostCx;
use crate::host::tool::QUESTION;

/// `talos.etcd.members`.
pub(in crate::host) async fn members(
    call: &EtcdMembers,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    let found = any_control_plane(cx, call.node.as_deref(), async |_, target| {
        let argv = call.argv(&target).unwrap_or_default();
        reply::members(&cx.ask(&argv, QUESTION).await?.text())
    });
    Ok(plain(&found.await?))
}

/// `talos.etcd.status`: a row per control plane that was asked; one that gave no answer says why in `error`.
pub(in crate::host) async fn status(
    call: &EtcdStatus,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    let asked: Vec<&Node> = match &call.node {
        Some(name) => vec![cx.node(name)?],
        None => cx.cluster()?.control_planes().collect(),
    };
    let mut rows = Vec::new();
    let mut last = None;
    for node in &asked {
        let found = own_status(cx, node, call).await;
        match found {
            Ok(found) => rows.extend(found.iter().map(|status| named(plain(status), &node.name))),
            Err(error) => {
                rows.push(json!({"node": node.name, "error": error.message}));
                last = Some(CallError { node: Some(node.name.clone()), ..error });
            }
        }
    }
    match last {
        Some(error) if rows.iter().all(|row| row.get("error").is_some()) => Err(error),
        _ => Ok(Value::Array(rows)),
    }
}

fn named(mut row: Value, node: &str) -> Value {
    if let Some(row) = row.as_object_mut() {
        row.insert("node".into(), node.into());
    }
    row
}

async fn own_status(
    cx: &HostCx<'_>,
    node: &Node,
    call: &EtcdStatus,
) -> Result<Vec<reply::Status>, CallError> {
    let argv = call.argv(&target(cx, node)?).unwrap_or_default();
    reply::status(&cx.ask(&argv, QUESTION).await?.text())
}

/// What every control plane of the inventory says about etcd, each asked at its own address.
pub(in crate::host) async fn view(cx: &HostCx<'_>) -> Result<EtcdView, CallError> {
    let mut answers = Vec::new();
    for node in cx.cluster()?.control_planes() {
        answers.push(EtcdAnswer { node: node.name.clone(), said: said(cx, node).await });
    }
    Ok(EtcdView { answers })
}

/// What one control plane says about etcd.
pub(in crate::host) async fn said(cx: &HostCx<'_>, node: &Node) -> EtcdSaid {
    match heard(cx, node).await {
        Ok(said) => said,
        Err(error) => EtcdSaid::Silent(error.message),
    }
}

async fn heard(cx: &HostCx<'_>, node: &Node) -> Result<EtcdSaid, CallError> {
    let target = target(cx, node)?;
    let members = EtcdMembers::default().argv(&target).unwrap_or_default();
    let members = match cx.ask(&members, QUESTION).await {
        Ok(output) => reply::members(&output.text())?,
        Err(error) if error.kind == ErrorKind::Certificate => {
            return match standing::standing(cx, node).await? {
                Standing::Bare(_) => Ok(EtcdSaid::NoEtcd),
                Standing::Up(_) | Standing::Away(_) => Err(error),
            };
        }
        Err(error) if error.kind == ErrorKind::NotReady => {
            // Its service waits before its first start: there is nothing in its data folder.
            let state = target.talosctl(&["service", "etcd"]);
            let state = node::service_state(&cx.ask(&state, QUESTION).await?.text())?;
            return if state == "Preparing" || state == "Waiting" {
                Ok(EtcdSaid::NoEtcd)
            } else {
                Err(CallError { message: format!("etcd is {state}: {}", error.message), ..error })
            };
        }
        Err(error) => return Err(error),
    };
    let own = own_status(cx, node, &EtcdStatus::default())
        .await
        .ok()
        .and_then(|list| list.into_iter().next());
    let status = match own {
        Some(status) => Some(full_status(cx, &target, status).await?),
        None => None,
    };
    let members = members
        .into_iter()
        .map(|m| Member { id: m.id, name: m.hostname, learner: m.learner })
        .collect();
    Ok(EtcdSaid::Members { members, status })
}

async fn full_status(
    cx: &HostCx<'_>,
    target: &ops_core::call::Target,
    status: reply::Status,
) -> Result<MemberStatus, CallError> {
    let alarms = target.talosctl(&["etcd", "alarm", "list"]);
    let alarms = reply::alarms(&cx.ask(&alarms, QUESTION).await?.text())?;
    let state = target.talosctl(&["service", "etcd"]);
    let state = cx.ask(&state, QUESTION).await?.text();
    let health = state.lines().find_map(|l| l.strip_prefix("HEALTH")).map(str::trim);
    Ok(MemberStatus {
        alarms: alarms.into_iter().filter(|a| a.member == status.member).map(|a| a.alarm).collect(),
        id: status.member,
        leader: status.leader.unwrap_or_default(),
        raft_index: status.raft_index,
        errors: status.errors,
        healthy: health == Some("OK"),
    })
}

/// How long a snapshot may take where the call does not say.
const SNAPSHOT: Span = Span::mins(10);

/// `talos.etcd.snapshot`: under another name, verified, then in its place.
pub(in crate::host) async fn snapshot(
    call: &EtcdSnapshot,
    common: &Common,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    let written = call.unverified();
    let taken = take(call, common, cx, &written).await;
    let cleared = cx.files.remove(&written);
    let taken = taken?;
    cleared.map_err(|e| on_disk(&written, &e))?;
    Ok(plain(&taken))
}

async fn take(
    call: &EtcdSnapshot,
    common: &Common,
    cx: &HostCx<'_>,
    written: &str,
) -> Result<reply::Snapshot, CallError> {
    let at = cx.world.now();
    // The tool makes no folder; writing an empty file does, and shows early that the place can be written.
    cx.files.write(written, b"", 0o600).map_err(|e| on_disk(written, &e).before_effect())?;
    any_control_plane(cx, call.node.as_deref(), async |_, target| {
        let argv = call.argv(&target).unwrap_or_default();
        cx.act(&argv, common.timeout.unwrap_or(SNAPSHOT)).await
    })
    .await?;
    let bytes = cx.files.read(written).map_err(|e| on_disk(written, &e))?;
    let sha256 = verified(&bytes).map_err(|why| {
        CallError::new(ErrorKind::NotApplied, format!("the snapshot is no good: {why}"))
            .hint("take it again, perhaps from another control plane")
    })?;
    let taken = reply::Snapshot { path: call.path.clone(), size: bytes.len() as u64, sha256, at };
    // Beside it first: a note without its snapshot fits no checksum and counts for nothing.
    let (note, text) = (note(&call.path), plain(&taken).to_string());
    cx.files.write(&note, text.as_bytes(), 0o600).map_err(|e| on_disk(&note, &e))?;
    cx.files.write(&call.path, &bytes, 0o600).map_err(|e| on_disk(&call.path, &e))?;
    Ok(taken)
}

/// Where a snapshot's own record lies: which bytes were taken when, by the clock of the world that they came from.
pub(in crate::host) fn note(path: &str) -> String {
    format!("{path}.json")
}

/// The checksum of a snapshot, computed and compared with the one at its end; hexadecimal.
///
/// # Errors
/// What is wrong with it.
pub(in crate::host) fn verified(snapshot: &[u8]) -> Result<String, String> {
    let (database, trailer) = reply::trailer(snapshot)?;
    let sum = Sha256::digest(database);
    if sum.as_slice() == trailer {
        Ok(hex(trailer))
    } else {
        Err("its checksum does not fit its content".into())
    }
}

/// Bytes as hexadecimal digits.
pub(in crate::host) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, b| {
        out.push_str(&format!("{b:02x}"));
        out
    })
}

/// A file that could not be read or written.
pub(in crate::host) fn on_disk(path: &str, error: &std::io::Error) -> CallError {
    CallError::new(ErrorKind::Failed, format!("{path}: {error}"))
}
