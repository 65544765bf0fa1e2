//! The base config of a role: made by the real tool once per versions, endpoint and secrets, then taken from a cache of its own.

use ops_core::call::talos::Base;
use ops_core::error::{CallError, ErrorKind};
use ops_core::inventory::Role;
use ops_core::machines::Origin;
use ops_core::reply::access::{base64, der};
use ops_core::reply::{node as reply, plain};
use ops_core::value::Digest;
use ops_render::{Source, Tree};
use serde_json::json;

use super::super::config::says;
use super::origin::is_jinja;
use crate::host::tool::QUESTION;
use crate::host::{HostCx, yaml};

/// Where bases are cached, relative to the root. They hold keys: 0600, and never committed.
const CACHE: &str = ".ops/cache/machineconfig";

/// The base config of a role.
pub(super) async fn base(cx: &HostCx<'_>, role: Role) -> Result<String, CallError> {
    base_of(cx, role, &bundle(cx).await?).await
}

/// The base config of a role with these secrets.
pub(super) async fn base_of(
    cx: &HostCx<'_>,
    role: Role,
    secrets: &[u8],
) -> Result<String, CallError> {
    let cluster = cx.cluster()?;
    let base = Base {
        role,
        cluster: cluster.machines.cluster_name.as_ref().unwrap_or(&cluster.name),
        endpoint: &cluster.endpoint,
        talos: cluster.versions.talos.as_deref(),
        kubernetes: cluster.versions.kubernetes.as_deref(),
        diskless: matches!(cluster.machines.origin, Origin::Talconfig { .. }),
    };
    let key = json!({
        "base": plain(&base),
        "tool": tool_version(cx).await?,
        "secrets": Digest::of_bytes(secrets),
    });
    let path = format!("{CACHE}/{}.yaml", Digest::of(&key));
    let cached = cx.files.read(&path).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some(text) = cached {
        return Ok(text);
    }
    let text = cx.ask(&base.command().stdin(secrets.to_vec()), QUESTION).await?.text();
    // What is kept is used again without a question, so it has to be what was asked for.
    let (kind, ..) = says(&yaml::documents("the base config", text.as_bytes())?);
    if kind.as_deref() != Some(role.word()) {
        let message = format!("talosctl generated no config of a {}", role.word());
        return Err(CallError::new(ErrorKind::Parse, message).before_effect());
    }
    // A cache that cannot be written is only slower.
    if crate::host::private::keep_own_folder(cx).is_ok() {
        let _ = cx.files.write(&path, text.as_bytes(), 0o600);
    }
    Ok(text)
}

/// The bytes of the secrets bundle, in the clear.
///
/// # Errors
/// Where there is none, with what makes it.
pub(in crate::host) async fn bundle(cx: &HostCx<'_>) -> Result<Vec<u8>, CallError> {
    let cluster = cx.cluster()?;
    let path = &cluster.secrets;
    let found = cx.open(path).await.map_err(|error| match error.kind {
        ErrorKind::NotFound => {
            let message = format!("there is no secrets bundle at {path}");
            let plane =
                cluster.control_planes().find_map(|n| cluster.machines.configs.get(&n.name));
            let hint = match plane {
                // A cluster whose configs exist has secrets already; new ones would be another cluster.
                Some(config) => {
                    format!("talosctl gen secrets --from-controlplane-config {config} -o {path}")
                }
                None => "ops run talos:generate-secrets".to_owned(),
            };
            CallError::new(ErrorKind::NotFound, message).hint(hint).before_effect()
        }
        _ => error,
    })?;
    let digest = Digest::of_bytes(&found.bytes);
    if cx.memo.masked.borrow_mut().insert(digest) {
        let documents = Tree::read(Source { name: path, bytes: &found.bytes }).unwrap_or_default();
        for document in &documents {
            mask_all(cx, document);
        }
    }
    Ok(found.bytes)
}

/// Everything in a bundle is secret but the times at which it was made.
fn mask_all(cx: &HostCx<'_>, tree: &Tree) {
    if let Some(text) = tree.text() {
        cx.mask_value(text);
    }
    for (_, value) in tree.pairs() {
        mask_all(cx, &value);
    }
    for item in tree.items().into_iter().flatten() {
        mask_all(cx, &item);
    }
}

/// The CA of Talos (DER) as the configs of the control planes say it: for clusters whose bundle nobody has kept.
pub(in crate::host) async fn bundle_ca_of_configs(cx: &HostCx<'_>) -> Option<Vec<u8>> {
    let cluster = cx.cluster().ok()?;
    let configs = cluster.control_planes().filter_map(|n| cluster.machines.configs.get(&n.name));
    for path in configs.filter(|path| !is_jinja(path)) {
        let Ok(found) = cx.open(path).await else { continue };
        let Ok(documents) = yaml::documents(path, &found.bytes) else { continue };
        let crt = documents.iter().find_map(|d| d.pointer("/machine/ca/crt")?.as_str());
        if let Some(pem) = crt.and_then(|crt| base64(crt.as_bytes())) {
            return Some(der(&pem));
        }
    }
    None
}

/// The version of the client, asked once per run.
pub(super) async fn tool_version(cx: &HostCx<'_>) -> Result<String, CallError> {
    let known = cx.memo.talosctl.borrow().clone();
    if let Some(version) = known {
        return Ok(version);
    }
    let argv = ops_core::argv::Argv::new("talosctl").args(["version", "--client"]);
    let version = reply::client_version(&cx.ask(&argv, QUESTION).await?.text())?;
    *cx.memo.talosctl.borrow_mut() = Some(version.clone());
    Ok(version)
}
