//! The machine config of a node: the base that the real tool makes for its role, with the node's own name and disk. Patches come with the
//! renderer.
//!
//! The base is edited as text, so that everything else stays byte for byte what the tool wrote; what came out is parsed and checked.

use ops_core::call::talos::{Base, Render};
use ops_core::error::{CallError, ErrorKind};
use ops_core::inventory::{InstallDisk, Node};
use ops_core::reply::{node as reply, plain};
use ops_core::value::{Digest, Handle, Value};
use serde_json::json;

use super::etcd::on_disk;
use super::read::kept;
use crate::host::tool::QUESTION;
use crate::host::{HostCx, yaml};

/// Where bases are cached, relative to the root. They hold keys: 0600, and never committed.
const CACHE: &str = ".ops/cache/machineconfig";

/// `talos.render`.
pub(in crate::host) async fn render(call: &Render, cx: &HostCx<'_>) -> Result<Value, CallError> {
    if !call.patches.is_empty() {
        return Err(CallError::new(
            ErrorKind::Invalid,
            "`patches` are not supported yet: this version copies the base config of the role",
        )
        .before_effect());
    }
    let node = cx.node(&call.node)?;
    let text = own(node, &base(cx, node).await?)?;
    let blob = cx.blobs.put(text.as_bytes(), true).map_err(|e| kept(&e))?;
    Ok(Handle::Blob(blob).to_value())
}

/// The base config of a node's role, from the cache where nothing that it depends on has changed.
async fn base(cx: &HostCx<'_>, node: &Node) -> Result<String, CallError> {
    let cluster = cx.cluster()?;
    let base = Base {
        role: node.role,
        cluster: &cluster.name,
        endpoint: &cluster.endpoint,
        secrets: &cluster.secrets,
        talos: cluster.versions.talos.as_deref(),
        kubernetes: cluster.versions.kubernetes.as_deref(),
    };
    let secrets = bundle(cx)?;
    let key = json!({
        "base": plain(&base),
        "tool": tool_version(cx).await?,
        "secrets": Digest::of_bytes(&secrets),
    });
    let path = format!("{CACHE}/{}.yaml", Digest::of(&key));
    let cached = cx.files.read(&path).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some(text) = cached {
        return Ok(text);
    }
    let text = cx.ask(&base.command(), QUESTION).await?.text();
    cx.files.write(&path, text.as_bytes(), 0o600).map_err(|e| on_disk(&path, &e))?;
    Ok(text)
}

/// The bytes of the secrets bundle.
///
/// # Errors
/// Where there is none, with the recipe that makes it.
pub(in crate::host) fn bundle(cx: &HostCx<'_>) -> Result<Vec<u8>, CallError> {
    let path = &cx.cluster()?.secrets;
    cx.files.read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            CallError::new(ErrorKind::NotFound, format!("there is no secrets bundle at {path}"))
                .hint("ops run talos:generate-secrets")
                .before_effect()
        }
        _ => on_disk(path, &error).before_effect(),
    })
}

/// The version of the client, asked once per run.
async fn tool_version(cx: &HostCx<'_>) -> Result<String, CallError> {
    let known = cx.memo.talosctl.borrow().clone();
    if let Some(version) = known {
        return Ok(version);
    }
    let argv = ops_core::argv::Argv::new("talosctl").args(["version", "--client"]);
    let version = reply::client_version(&cx.ask(&argv, QUESTION).await?.text())?;
    *cx.memo.talosctl.borrow_mut() = Some(version.clone());
    Ok(version)
}

/// The base with the node's own name and install disk.
///
/// # Errors
/// Where the base has not the form that the edits need.
pub(in crate::host) fn own(node: &Node, base: &str) -> Result<String, CallError> {
    let named = named(&node.name, base);
    let text = match &node.install_disk {
        Some(disk) => with_disk(disk, &named)?,
        None => named,
    };
    let documents = yaml::documents("the rendered config", text.as_bytes())?;
    let (role, hostname, _) = super::config::says(&documents);
    if hostname.as_deref() != Some(&node.name) || role.as_deref() != Some(node.role.word()) {
        return Err(odd_base("it names another host or role than the inventory"));
    }
    Ok(text)
}

fn odd_base(why: &str) -> CallError {
    CallError::new(
        ErrorKind::Parse,
        format!("the base config of talosctl has another form than expected: {why}"),
    )
    .before_effect()
}

/// Puts the node's name into its document of its own, which 1.12 and later write as `auto: stable`.
fn named(name: &str, base: &str) -> String {
    const KIND: &str = "kind: HostnameConfig";
    let document = format!("apiVersion: v1alpha1\n{KIND}\nhostname: {}\n", Value::from(name));
    let mut parts: Vec<String> = base.split("---\n").map(str::to_owned).collect();
    match parts.iter_mut().find(|part| part.lines().any(|line| line == KIND)) {
        Some(part) => *part = document,
        None => parts.push(document),
    }
    parts.join("---\n")
}

/// Puts the node's install disk in the place of the tool's default.
fn with_disk(disk: &InstallDisk, base: &str) -> Result<String, CallError> {
    let quoted = |text: &str| Value::from(text).to_string();
    let entry = |indent: &str| match (&disk.serial, &disk.wwid, &disk.device) {
        (Some(serial), _, _) => {
            Some(format!("{indent}diskSelector:\n{indent}    serial: {}", quoted(serial)))
        }
        (None, Some(wwid), _) => {
            Some(format!("{indent}diskSelector:\n{indent}    wwid: {}", quoted(wwid)))
        }
        (None, None, Some(device)) => Some(format!("{indent}disk: {}", quoted(device))),
        (None, None, None) => None,
    };
    let mut inside = false;
    let mut done = false;
    let mut lines = Vec::new();
    for line in base.lines() {
        let indent = &line[..line.len() - line.trim_start().len()];
        if line.trim_end() == "    install:" {
            inside = true;
        } else if inside && !line.trim().is_empty() && indent.len() <= 4 {
            inside = false;
        }
        if inside && !done && line.trim_start().starts_with("disk:") {
            done = true;
            lines.push(entry(indent).unwrap_or_else(|| line.to_owned()));
        } else {
            lines.push(line.to_owned());
        }
    }
    if done { Ok(lines.join("\n") + "\n") } else { Err(odd_base("it has no machine.install.disk")) }
}
