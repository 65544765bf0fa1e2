//! Waits: a look, a reason, another look. Every time is the world's, so simulated waits cost nothing.

use ops_core::call::Common;
use ops_core::call::wait::{Etcd, Node as WaitNode, NodeState};
use ops_core::error::{CallError, ErrorKind};
use ops_core::guard::{EtcdSaid, EtcdView};
use ops_core::inventory::Node;
use ops_core::reply::node::Stage;
use ops_core::value::Value;
use serde_json::json;

use super::talos::etcd;
use super::talos::standing::{Standing, standing};
use super::tool::{Answer, is_silence};
use super::{HostCx, kube};

/// `wait.node`.
pub(super) async fn node(
    call: &WaitNode,
    common: &Common,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    let node = cx.node(&call.node)?;
    let limit = common.timeout.unwrap_or(WaitNode::DEFAULT);
    cx.until(limit, ErrorKind::Timeout, async || look(cx, node, call.state).await).await
}

/// The answer to one look: the reply of the wait, or why it goes on.
async fn look(cx: &HostCx<'_>, node: &Node, wanted: NodeState) -> Answer<Value> {
    let reached = || Answer::Yes(json!({"node": node.name, "state": wanted.word()}));
    let standing = match standing(cx, node).await {
        Ok(standing) => standing,
        // Between two boots a node may answer with either certificate, or with half an answer.
        Err(error)
            if matches!(
                error.kind,
                ErrorKind::Certificate | ErrorKind::NotReady | ErrorKind::Parse
            ) =>
        {
            return Answer::NotYet(error.message);
        }
        Err(error) => return Answer::Never(error),
    };
    match (wanted, &standing) {
        (NodeState::Offline, Standing::Away(_)) | (NodeState::Maintenance, Standing::Bare(_)) => {
            reached()
        }
        (NodeState::Offline | NodeState::Maintenance, Standing::Up(stage)) => {
            Answer::NotYet(format!("{} is in stage {}", node.name, stage.stage))
        }
        (_, Standing::Away(why)) => Answer::NotYet(format!("{} does not answer: {why}", node.name)),
        (_, Standing::Bare(_)) => Answer::NotYet(format!("{} is in maintenance mode", node.name)),
        (NodeState::Running, Standing::Up(stage)) if stage.stage == "running" => reached(),
        (NodeState::Running, Standing::Up(stage)) => {
            Answer::NotYet(format!("{}: {}", node.name, stage.why()))
        }
        (NodeState::Registered | NodeState::Ready, Standing::Up(_)) => {
            match in_kubernetes(cx, node, wanted).await {
                Ok(()) => reached(),
                Err(end) => end,
            }
        }
        (NodeState::Healthy, Standing::Up(stage)) => match healthy(cx, node, stage).await {
            Ok(()) => reached(),
            Err(end) => end,
        },
        (NodeState::Settled, Standing::Up(stage)) => match settled(cx, node, stage).await {
            Ok(()) => reached(),
            Err(end) => end,
        },
    }
}

/// Whether the node has come so far in Kubernetes.
async fn in_kubernetes(
    cx: &HostCx<'_>,
    node: &Node,
    wanted: NodeState,
) -> Result<(), Answer<Value>> {
    let not_yet = |why: String| Err(Answer::NotYet(why));
    match kube::node(cx, &node.name).await {
        Ok(None) => not_yet(format!("Kubernetes has no node {} yet", node.name)),
        Ok(Some(view)) if wanted == NodeState::Registered || view.ready => Ok(()),
        Ok(Some(view)) => not_yet(format!("{} is not Ready: {}", node.name, view.why)),
        Err(error) if is_passing(&error) => {
            not_yet(format!("the Kubernetes API: {}", error.message))
        }
        Err(error) => Err(Answer::Never(error)),
    }
}

/// Failures of the API that waiting may cure.
fn is_passing(error: &CallError) -> bool {
    is_silence(error)
        || matches!(error.kind, ErrorKind::NotReady | ErrorKind::Conflict | ErrorKind::Failed)
}

async fn healthy(cx: &HostCx<'_>, node: &Node, stage: &Stage) -> Result<(), Answer<Value>> {
    if stage.stage != "running" || !stage.ready {
        return Err(Answer::NotYet(format!("{}: {}", node.name, stage.why())));
    }
    in_kubernetes(cx, node, NodeState::Ready).await?;
    if node.is_control_plane() {
        own_member(&node.name, &etcd::said(cx, node).await)
            .map_err(|why| Answer::NotYet(format!("etcd on {}: {why}", node.name)))?;
    }
    Ok(())
}

/// As far as the cluster has come: running after an install, registered before the network plugin, else healthy.
async fn settled(cx: &HostCx<'_>, node: &Node, stage: &Stage) -> Result<(), Answer<Value>> {
    let not_yet = |why: String| Err(Answer::NotYet(why));
    let bootstrapped = match bootstrapped(cx).await {
        Ok(answer) => answer,
        Err(error) => return Err(Answer::Never(error)),
    };
    if !bootstrapped {
        // A control plane without etcd never gets past booting; what does not follow from that must be over.
        const FOLLOWS: [&str; 3] = ["services", "staticPods", "nodeReady"];
        let waits_for_etcd = node.is_control_plane()
            && stage.stage == "booting"
            && stage.unmet.iter().all(|u| FOLLOWS.contains(&u.name.as_str()))
            && etcd::said(cx, node).await == EtcdSaid::NoEtcd;
        return if stage.stage == "running" || waits_for_etcd {
            Ok(())
        } else {
            not_yet(format!("{}: {}", node.name, stage.why()))
        };
    }
    if stage.stage != "running" {
        return not_yet(format!("{}: {}", node.name, stage.why()));
    }
    let kubeconfig = &cx.cluster().map_err(Answer::Never)?.kubeconfig;
    if matches!(cx.files.stat(kubeconfig), Ok(None)) {
        return Ok(()); // nobody here can ask the API yet
    }
    match kube::node(cx, &node.name).await {
        Ok(Some(view)) if !view.ready && view.lacks_network => Ok(()),
        _ => healthy(cx, node, stage).await,
    }
}

/// Whether etcd has been started in this cluster. A control plane that keeps silent counts as one that has it.
async fn bootstrapped(cx: &HostCx<'_>) -> Result<bool, CallError> {
    for plane in cx.cluster()?.control_planes() {
        if matches!(etcd::said(cx, plane).await, EtcdSaid::Members { .. }) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the node's own member is a healthy voter.
fn own_member(name: &str, said: &EtcdSaid) -> Result<(), String> {
    let (members, status) = match said {
        EtcdSaid::Members { members, status: Some(status) } => (members, status),
        EtcdSaid::Members { status: None, .. } => return Err("does not answer".into()),
        EtcdSaid::NoEtcd => return Err("not started yet".into()),
        EtcdSaid::Silent(why) => return Err(why.clone()),
    };
    let Some(own) = members.iter().find(|m| m.id == status.id) else {
        return Err(format!("{name} is not in its own list of members"));
    };
    if own.learner {
        Err("a learner, not a voter yet (takes about 135 s)".into())
    } else if status.leader.is_empty() {
        Err("no leader".into())
    } else if let Some(alarm) = status.alarms.first() {
        Err(format!("alarm {alarm}"))
    } else if let Some(error) = status.errors.first() {
        Err(error.clone())
    } else if !status.healthy {
        Err("the service is not healthy".into())
    } else {
        Ok(())
    }
}

/// `wait.etcd`.
pub(super) async fn etcd(
    call: &Etcd,
    common: &Common,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    if let Some(name) = &call.without {
        cx.node(name)?;
    }
    let limit = common.timeout.unwrap_or(Etcd::DEFAULT);
    cx.until(limit, ErrorKind::Timeout, async || match etcd::view(cx).await {
        Ok(view) => match consistent(call, &view) {
            Ok(members) => Answer::Yes(json!({"members": members})),
            Err(why) => Answer::NotYet(why),
        },
        Err(error) => Answer::Never(error),
    })
    .await
}

/// The number of members, where every one of them is a healthy voter and all control planes list the same.
pub(super) fn consistent(call: &Etcd, view: &EtcdView) -> Result<usize, String> {
    let mut agreed: Option<(&str, Vec<&ops_core::guard::Member>)> = None;
    for answer in &view.answers {
        let EtcdSaid::Members { members, .. } = &answer.said else { continue };
        let mut members: Vec<_> = members.iter().collect();
        members.sort_unstable();
        match &agreed {
            None => agreed = Some((&answer.node, members)),
            Some((_, first)) if *first == members => {}
            Some((other, _)) => {
                return Err(format!("{other} and {} list different members", answer.node));
            }
        }
    }
    let Some((_, members)) = agreed else { return Err("no control plane lists members".into()) };
    if let Some(node) = &call.without
        && members.iter().any(|m| m.name == *node)
    {
        return Err(format!("{node} is still a member"));
    }
    if let Some(count) = call.members
        && members.len() != count as usize
    {
        let noun = if members.len() == 1 { "member" } else { "members" };
        return Err(format!("{} {noun}, wanted {count}", members.len()));
    }
    for member in &members {
        let Some(answer) = view.answers.iter().find(|a| a.node == member.name) else {
            return Err(format!("member `{}` is no control plane of the inventory", member.name));
        };
        own_member(&member.name, &answer.said).map_err(|why| format!("{}: {why}", member.name))?;
    }
    Ok(members.len())
}
