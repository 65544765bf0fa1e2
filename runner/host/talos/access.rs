//! Secrets bundle, talosconfig, kubeconfig: made by the tool, compared, written 0600 and in one step.

use ops_core::call::talos::{ClientConfig, GenSecrets, Kubeconfig};
use ops_core::call::{CallSpec, Common, Target};
use ops_core::error::{CallError, ErrorKind};
use ops_core::reply::access::{
    KubeAccess, TalosContext, base64, der, kube_access, not_after, talos_context,
};
use ops_core::time::{Span, Time};
use ops_core::value::Value;
use serde_json::json;

use super::any_control_plane;
use super::etcd::on_disk;
use super::render::{bundle, bundle_ca_of_configs};
use crate::host::tool::QUESTION;
use crate::host::{HostCx, private, yaml};

/// The reply of a call that makes a file.
fn file(path: &str, changed: bool) -> Value {
    // What changed in a file full of keys is nobody's to see.
    json!({"path": path, "changed": changed, "diff": ""})
}

/// `talos.gen.secrets`: a bundle that is there is kept.
pub(in crate::host) async fn gen_secrets(
    call: &GenSecrets,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    if exists(cx, &call.output)? {
        return Ok(file(&call.output, false));
    }
    private::check(&call.output, cx).await?;
    let unfinished = call.unfinished();
    // The tool makes no folder; the engine's own write does.
    cx.files
        .write(&unfinished, b"", 0o600)
        .map_err(|e| on_disk(&unfinished, &e).before_effect())?;
    let made = make_secrets(call, cx, &unfinished).await;
    let cleared = cx.files.remove(&unfinished);
    made?;
    cleared.map_err(|e| on_disk(&unfinished, &e))?;
    Ok(file(&call.output, true))
}

async fn make_secrets(call: &GenSecrets, cx: &HostCx<'_>, made: &str) -> Result<(), CallError> {
    cx.act(&call.argv(&Target::default()).unwrap_or_default(), QUESTION).await?;
    let bytes = cx.files.read(made).map_err(|e| on_disk(made, &e))?;
    let document = yaml::document("the secrets bundle", &bytes)?;
    if document.pointer("/certs/os/crt").is_none() {
        return Err(CallError::new(
            ErrorKind::Parse,
            "talosctl made a secrets bundle without `certs.os`",
        ));
    }
    cx.files.write(&call.output, &bytes, 0o600).map_err(|e| on_disk(&call.output, &e))
}

pub(in crate::host) fn exists(cx: &HostCx<'_>, path: &str) -> Result<bool, CallError> {
    match cx.files.stat(path) {
        Ok(found) => Ok(found.is_some()),
        Err(error) => Err(on_disk(path, &error).before_effect()),
    }
}

/// The CA of Talos in the secrets bundle, DER.
pub(in crate::host) async fn bundle_ca(cx: &HostCx<'_>) -> Result<Vec<u8>, CallError> {
    let bundle = match bundle(cx).await {
        Ok(bundle) => bundle,
        Err(error) => return bundle_ca_of_configs(cx).await.ok_or(error),
    };
    let document = yaml::document("the secrets bundle", &bundle)?;
    document
        .pointer("/certs/os/crt")
        .and_then(Value::as_str)
        .and_then(|text| base64(text.as_bytes()))
        .map(|pem| der(&pem))
        .ok_or_else(|| {
            CallError::new(ErrorKind::Invalid, "the secrets bundle has no `certs.os.crt`")
                .before_effect()
        })
}

/// The context of the cluster in a talosconfig of the repository.
pub(in crate::host) fn talosconfig(cx: &HostCx<'_>) -> Result<TalosContext, CallError> {
    let cluster = cx.cluster()?;
    let path = &cluster.talosconfig;
    let bytes = cx.files.read(path).map_err(|e| on_disk(path, &e).before_effect())?;
    talos_context(&yaml::document(path, &bytes)?, &cluster.context)
}

/// Whether the talosconfig at this path must be made anew.
///
/// # Errors
/// Where the file holds what must not be overwritten.
pub(in crate::host) async fn client_config_stale(
    call: &ClientConfig,
    cx: &HostCx<'_>,
) -> Result<bool, CallError> {
    if !exists(cx, &call.path)? {
        return Ok(true);
    }
    let context = &cx.cluster()?.context;
    let bytes = cx.files.read(&call.path).map_err(|e| on_disk(&call.path, &e).before_effect())?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(true);
    }
    let document = yaml::document(&call.path, &bytes)?;
    let contexts = document.get("contexts").and_then(Value::as_object);
    refuse_others(
        &call.path,
        context,
        contexts.into_iter().flat_map(|c| c.keys()).map(String::as_str),
    )?;
    let Ok(held) = talos_context(&document, context) else { return Ok(true) };
    if held.ca != bundle_ca(cx).await? {
        return Ok(true);
    }
    let margin = call.renew_before.unwrap_or_default();
    Ok(not_after(&held.crt).is_some_and(|end| cx.world.now().plus(margin) >= end))
}

/// When the talosconfig at this path is due to be made anew; nothing where its certificate says no end.
pub(in crate::host) fn renewal(call: &ClientConfig, cx: &HostCx<'_>) -> Option<Time> {
    let bytes = cx.files.read(&call.path).ok()?;
    let document = yaml::document(&call.path, &bytes).ok()?;
    let held = talos_context(&document, &cx.cluster().ok()?.context).ok()?;
    let margin = call.renew_before.unwrap_or_default();
    not_after(&held.crt).map(|end| Time(end.0.saturating_sub(margin.0)))
}

/// Other contexts in a file would be lost with it.
fn refuse_others<'a>(
    path: &str,
    own: &str,
    contexts: impl Iterator<Item = &'a str>,
) -> Result<(), CallError> {
    match contexts.into_iter().find(|name| *name != own) {
        Some(other) => Err(CallError::new(
            ErrorKind::Conflict,
            format!("{path} holds the context `{other}` as well; it is not overwritten"),
        )
        .hint("give the cluster a file of its own in clusters/NAME.toml")
        .before_effect()),
        None => Ok(()),
    }
}

/// `talos.client_config`.
pub(in crate::host) async fn client_config(
    call: &ClientConfig,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    if !client_config_stale(call, cx).await? {
        return Ok(file(&call.path, false));
    }
    let cluster = cx.cluster()?;
    let secrets = bundle(cx).await?;
    let argv = ClientConfig::command(&cluster.context, &cluster.endpoint).stdin(secrets);
    let text = cx.act(&argv, QUESTION).await?.text();
    let list = cluster
        .control_planes()
        .fold(String::new(), |list, node| list + "\n            - " + node.route());
    // Endpoints for people who type talosctl by hand; never nodes, so that no command reaches several by default.
    let text = text.replacen("endpoints: []", &format!("endpoints:{list}"), 1);
    talos_context(&yaml::document("the new talosconfig", text.as_bytes())?, &cluster.context)?;
    cx.files.write(&call.path, text.as_bytes(), 0o600).map_err(|e| on_disk(&call.path, &e))?;
    Ok(file(&call.path, true))
}

/// How much of a kubeconfig's certificate must be left; below it a fresh one is fetched.
const KUBECONFIG_LEFT: Span = Span::hours(30 * 24);

/// Whether the kubeconfig at a path reaches the same API as `fresh`, by this name, for a while yet.
fn still_good(held: &KubeAccess, fresh: &KubeAccess, context: &str, cx: &HostCx<'_>) -> bool {
    held.context == context
        && held.server == fresh.server
        && held.ca == fresh.ca
        && held.not_after.is_none_or(|end| cx.world.now().plus(KUBECONFIG_LEFT) < end)
}

/// The kubeconfig of the call as it would be written, and whether that changes the file.
pub(in crate::host) async fn fetched(
    call: &Kubeconfig,
    common: &Common,
    cx: &HostCx<'_>,
) -> Result<(String, bool), CallError> {
    let context = match &call.force_context_name {
        Some(name) => name.clone(),
        None => cx.cluster()?.context.clone(),
    };
    let held = if exists(cx, &call.path)? {
        let bytes =
            cx.files.read(&call.path).map_err(|e| on_disk(&call.path, &e).before_effect())?;
        let document = yaml::document(&call.path, &bytes)?;
        let contexts = document.get("contexts").and_then(Value::as_array);
        let names = contexts.into_iter().flatten().filter_map(|c| c.get("name")?.as_str());
        refuse_others(&call.path, &context, names)?;
        kube_access(&document).ok()
    } else {
        None
    };
    let text = any_control_plane(cx, call.node.as_deref(), async |_, target| {
        let argv = call.argv(&target).unwrap_or_default();
        Ok(cx.act(&argv, common.timeout.unwrap_or(QUESTION)).await?.text())
    })
    .await?;
    let fresh = kube_access(&yaml::document("the kubeconfig", text.as_bytes())?)?;
    let text = renamed(&text, &fresh.context, &context);
    let named = kube_access(&yaml::document("the kubeconfig", text.as_bytes())?)?;
    if named.context != context || named.ca != fresh.ca {
        return Err(CallError::new(
            ErrorKind::Parse,
            "the kubeconfig of talosctl has another form than expected",
        ));
    }
    let good = held.is_some_and(|held| still_good(&held, &fresh, &context, cx));
    Ok((text, call.force || !good))
}

/// `talos.kubeconfig`.
pub(in crate::host) async fn kubeconfig(
    call: &Kubeconfig,
    common: &Common,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    let (text, changed) = fetched(call, common, cx).await?;
    if changed {
        cx.files.write(&call.path, text.as_bytes(), 0o600).map_err(|e| on_disk(&call.path, &e))?;
    }
    Ok(file(&call.path, changed))
}

/// Gives the context another name: in its own entry and in `current-context`, nowhere else.
fn renamed(text: &str, from: &str, to: &str) -> String {
    let to = Value::from(to).to_string();
    let mut section = "";
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        if !line.starts_with([' ', '-']) {
            section = line.split(':').next().unwrap_or_default();
        }
        let entry = section == "contexts" && line == format!("  name: {from}");
        if entry {
            out.push_str(&format!("  name: {to}"));
        } else if line == format!("current-context: {from}") {
            out.push_str(&format!("current-context: {to}"));
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}
