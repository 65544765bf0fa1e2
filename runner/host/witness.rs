//! Reads what tells later whether a call happened: before it starts, into its intent, and once more when its outcome is unknown.
//!
//! A part that nobody answers is absent. That is data, too: the call's own `settle` decides what it means.

use ops_core::call::Witness;
use ops_core::reply::plain;
use ops_core::value::{Digest, Value};
use serde_json::json;

use super::talos::standing::{Standing, standing};
use super::talos::{config, node};
use super::{HostCx, kube};

/// What the witness shows now.
pub async fn witness(witness: &Witness, cx: &HostCx<'_>) -> Value {
    match witness {
        Witness::None | Witness::Repeatable => Value::Null,
        Witness::Boot { node } => match cx.node(node) {
            Ok(node) => plain(&node::boot_view(cx, node).await),
            Err(error) => json!({"error": error.message}),
        },
        Witness::Config { node } => config_view(node, cx).await,
        Witness::Members => match node::members(cx).await {
            Ok(view) => plain(&view),
            Err(error) => json!({"error": error.message}),
        },
        Witness::Cordon { node } => match kube::cordon_view(cx, node).await {
            Ok(view) => plain(&view),
            Err(error) => json!({"error": error.message}),
        },
        Witness::File { path } => match cx.files.read(path) {
            Ok(bytes) => json!({"digest": Digest::of_bytes(&bytes), "size": bytes.len()}),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                json!({"digest": null, "size": null})
            }
            Err(error) => json!({"error": error.to_string()}),
        },
    }
}

/// Stage, boot id and a digest of each config. Digests are of the parsed form: a config that was only written anew is the same one.
async fn config_view(name: &str, cx: &HostCx<'_>) -> Value {
    let Ok(of) = cx.node(name) else { return json!({"error": format!("no node `{name}`")}) };
    match standing(cx, of).await {
        Ok(Standing::Bare(stage)) => json!({"stage": stage.stage}),
        Ok(Standing::Up(stage)) => {
            let boot = node::boot_id(cx, of).await.ok();
            match config::live(cx, of).await {
                Ok(live) => json!({
                    "stage": stage.stage,
                    "boot_id": boot,
                    "active": Digest::of(&Value::Array(live.active.to_vec())),
                    "persisted": Digest::of(&Value::Array(live.persisted.to_vec())),
                }),
                Err(error) => {
                    json!({"stage": stage.stage, "boot_id": boot, "error": error.message})
                }
            }
        }
        Ok(Standing::Away(why)) => json!({"error": why}),
        Err(error) => json!({"error": error.message}),
    }
}
