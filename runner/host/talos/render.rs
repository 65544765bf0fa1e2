//! The machine config of a node, from everything that the inventory says: a base, what makes it this node's own, and the patches.
//!
//! Where nothing is patched the base is edited as text, so that everything else stays byte for byte what the tool wrote. What came out is parsed
//! and checked.

mod base;
mod folders;
mod found;
mod lab;
mod origin;
mod own;
mod patches;
mod talconfig;

use ops_core::call::talos::Render;
use ops_core::error::{CallError, ErrorKind};
use ops_core::inventory::Node;
use ops_core::machines::Origin;
use ops_core::value::{Handle, Value};
use ops_render::Patch;

use super::read::kept;
use crate::host::sops::CIPHER;
use crate::host::{HostCx, yaml};

pub(in crate::host) use base::{bundle, bundle_ca_of_configs};
pub(in crate::host) use patches::{Job, apply};

/// `talos.render`.
pub(in crate::host) async fn render(call: &Render, cx: &HostCx<'_>) -> Result<Value, CallError> {
    let node = cx.node(&call.node)?;
    let text = config(cx, node, call).await?;
    let blob = cx.blobs.put(text.as_bytes(), true).map_err(|e| kept(&e))?;
    Ok(Handle::Blob(blob).to_value())
}

async fn config(cx: &HostCx<'_>, node: &Node, call: &Render) -> Result<String, CallError> {
    let cluster = cx.cluster()?;
    let machinery = match cluster.machines.origin {
        Origin::Talconfig { .. } => talconfig::MACHINERY,
        _ => patches::machinery(cx).await?,
    };
    let mut job = Job::new(cx, node, machinery)?;
    // What findings in the config call it; a template's own lines are not those of what it made.
    let name = match cluster.machines.configs.get(&node.name) {
        Some(path) if origin::is_jinja(path) => format!("{path} (filled in)"),
        Some(path) => path.clone(),
        None => "the machine config".to_owned(),
    };
    let mut text = match (&cluster.machines.origin, cluster.machines.configs.get(&node.name)) {
        (_, Some(path)) => {
            let made = origin::config(&mut job, path).await?;
            own::own(&job, &name, &made)?
        }
        (Origin::Generated, None) => own::own(&job, &name, &base::base(cx, node.role).await?)?,
        (Origin::Talconfig { file }, None) => talconfig::render(&mut job, file).await?,
        (Origin::Topf { file, folder, images }, None) => {
            let made = own::own(&job, &name, &base::base(cx, node.role).await?)?;
            folders::laid_over(&mut job, &made, file, folder, images.get(&node.name)).await?
        }
    };
    if cx.world.simulated() {
        text = lab::at_home(&job, &name, &text).await?;
    }
    let mut list: Vec<Patch> = Vec::new();
    for patch in cluster.machines.patches_of(&node.name) {
        list.extend(job.patch(patch).await?);
    }
    for patch in &call.patches {
        list.extend(job.patch(patch).await?);
    }
    if !list.is_empty() {
        text = job.patched(&name, &text, &list)?;
    }
    finished(node, &text)?;
    Ok(text)
}

/// Checks what came out: it is this node's config, and nothing in it still waits for a secret.
fn finished(node: &Node, text: &str) -> Result<(), CallError> {
    let documents = yaml::documents("the rendered config", text.as_bytes())?;
    let refuse = |why: String, hint: &str| {
        Err(CallError::new(ErrorKind::Invalid, why).hint(hint).before_effect())
    };
    let (role, hostname, _) = super::config::says(&documents);
    let (role, hostname) = (role.unwrap_or_default(), hostname.unwrap_or_default());
    if role != node.role.word() {
        let why = format!(
            "the rendered config says `machine.type: {role}`, the inventory says that {} is a {}",
            node.name,
            node.role.word()
        );
        return refuse(why, "mend the inventory, the config or the patch that sets it");
    }
    if !hostname.is_empty() && hostname != node.name {
        let why = format!("the rendered config calls the node `{hostname}`, not `{}`", node.name);
        return refuse(why, "leave the host name to the inventory: a node's name is its host name");
    }
    for (sign, what, first) in [
        (CIPHER, "a value that is still encrypted", ""),
        (
            "op://",
            "a reference to 1Password that nothing resolves",
            "resolve it first (`op inject`, `op run -- ops …`), or ",
        ),
        (
            "ref+",
            "a reference of vals that nothing resolves",
            "resolve it first (`vals eval`), or ",
        ),
    ] {
        if !text.contains(sign) {
            continue;
        }
        if let Some(path) = documents.iter().find_map(|d| holding(d, sign, String::new())) {
            let hint =
                format!("{first}give it by a variable, or in a file that SOPS encrypts as a whole");
            return refuse(format!("`{path}` of the rendered config holds {what}"), &hint);
        }
    }
    Ok(())
}

/// The path of the first text that begins with this.
fn holding(value: &Value, sign: &str, path: String) -> Option<String> {
    let below = |part: &str| {
        if path.is_empty() { part.to_owned() } else { format!("{path}.{part}") }
    };
    match value {
        Value::String(text) => text.trim_start().starts_with(sign).then_some(path),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(at, item)| holding(item, sign, below(&at.to_string()))),
        Value::Object(map) => map.iter().find_map(|(key, item)| holding(item, sign, below(key))),
        _ => None,
    }
}
