//! How a node stands: up with its certificates, bare in maintenance mode, or away. The one place that proves maintenance mode.

use ops_core::error::{CallError, ErrorKind};
use ops_core::guard::Maintenance;
use ops_core::inventory::Node;
use ops_core::reply::node::{Resource, Stage, resources};

use crate::host::HostCx;
use crate::host::tool::{QUESTION, is_silence};

/// How a node stands.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::host) enum Standing {
    /// It answers with a certificate of the cluster.
    Up(Stage),
    /// Proven maintenance mode.
    Bare(Stage),
    /// Nobody answers at its address; why.
    Away(String),
}

/// What the maintenance channel of a node shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::host) struct Shown {
    /// Its stage; none where the channel is closed.
    pub(in crate::host) stage: Option<Stage>,
    /// It has no machine type, hence no config.
    pub(in crate::host) without_config: bool,
}

/// How a node stands now.
///
/// # Errors
/// Where it answers and yet cannot be told: a certificate of another cluster, missing rights, an unreadable reply.
pub(in crate::host) async fn standing(cx: &HostCx<'_>, node: &Node) -> Result<Standing, CallError> {
    let refused = match secure_stage(cx, node).await {
        Ok(stage) => return Ok(Standing::Up(stage)),
        Err(error) if is_silence(&error) => return Ok(Standing::Away(error.message)),
        Err(error) if error.kind == ErrorKind::Certificate => error,
        Err(error) => return Err(error),
    };
    let shown = maintenance(cx, node).await?;
    match shown.stage {
        Some(stage) if stage.stage == "maintenance" && shown.without_config => {
            Ok(Standing::Bare(stage))
        }
        Some(stage) => Err(CallError::new(
            ErrorKind::Certificate,
            format!(
                "{} answers without certificates, but is in stage {} and not in maintenance mode",
                node.name, stage.stage
            ),
        )),
        None => Err(refused.hint(format!(
            "{} is not in maintenance mode either: is it a node of another cluster, or is the talosconfig of another one?",
            node.name
        ))),
    }
}

/// The stage over the authenticated channel.
///
/// # Errors
/// As the node says; `invalid` where there is no talosconfig yet.
pub(in crate::host) async fn secure_stage(
    cx: &HostCx<'_>,
    node: &Node,
) -> Result<Stage, CallError> {
    Stage::of(&secure(cx, node, &["machinestatus"]).await?)
}

/// Resources over the authenticated channel.
///
/// # Errors
/// As the node says; `invalid` where there is no talosconfig yet.
pub(in crate::host) async fn secure(
    cx: &HostCx<'_>,
    node: &Node,
    what: &[&str],
) -> Result<Vec<Resource>, CallError> {
    let talosconfig = &cx.cluster()?.talosconfig;
    // talosctl would make an empty file there and then speak of missing endpoints.
    if matches!(cx.files.stat(talosconfig), Ok(None)) {
        return Err(CallError::new(
            ErrorKind::Invalid,
            format!("there is no talosconfig at {talosconfig}"),
        )
        .hint("ops run talos:generate-config")
        .before_effect());
    }
    listed(cx, &super::target(cx, node)?, what).await
}

/// Resources over the maintenance channel.
///
/// # Errors
/// As the node says.
pub(in crate::host) async fn bare(
    cx: &HostCx<'_>,
    node: &Node,
    what: &[&str],
) -> Result<Vec<Resource>, CallError> {
    listed(cx, &super::insecure(cx, node)?, what).await
}

async fn listed(
    cx: &HostCx<'_>,
    target: &ops_core::call::Target,
    what: &[&str],
) -> Result<Vec<Resource>, CallError> {
    let verb: Vec<&str> = ["get"].iter().chain(what).copied().collect();
    let argv = target.talosctl(&verb).pair("--output", "json");
    resources(&cx.ask(&argv, QUESTION).await?.text())
}

/// What the maintenance channel shows. A closed channel is an answer, not a failure.
///
/// # Errors
/// An unreadable reply, or a tool that cannot run.
pub(in crate::host) async fn maintenance(cx: &HostCx<'_>, node: &Node) -> Result<Shown, CallError> {
    if node.endpoint.is_some() {
        return Ok(Shown::default()); // behind a proxy there is no such channel
    }
    let stage = match bare(cx, node, &["machinestatus"]).await {
        Ok(found) => Stage::of(&found)?,
        Err(error) if matches!(error.kind, ErrorKind::MissingTool | ErrorKind::Parse) => {
            return Err(error);
        }
        Err(_) => return Ok(Shown::default()),
    };
    let without_config = match bare(cx, node, &["machinetype"]).await {
        Ok(types) => types.iter().all(|t| matches!(t.spec.as_str(), None | Some("" | "unknown"))),
        Err(error) => error.kind == ErrorKind::NotFound,
    };
    Ok(Shown { stage: Some(stage), without_config })
}

/// The three proofs of maintenance mode, each by itself.
pub(in crate::host) async fn proofs(
    cx: &HostCx<'_>,
    node: &Node,
) -> Result<Maintenance, CallError> {
    let refuses_certificate = match secure_stage(cx, node).await {
        Ok(_) => false,
        Err(error) if error.kind == ErrorKind::Certificate => true,
        Err(error) => return Err(error),
    };
    if !refuses_certificate {
        return Ok(Maintenance::default());
    }
    let shown = maintenance(cx, node).await?;
    Ok(Maintenance {
        answers_insecure: shown.stage.is_some_and(|s| s.stage == "maintenance"),
        refuses_certificate,
        without_config: shown.without_config,
    })
}
