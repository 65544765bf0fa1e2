//! What a call would do, by reads alone. Converging calls compare as they would live, so no boolean is ever unknown.

use ops_core::call::Common;
use ops_core::call::table::Call;
use ops_core::call::talos::{ApplyConfig, ApplyMode, Kubeconfig};
use ops_core::error::{CallError, ErrorKind};
use ops_core::value::{Handle, LaterRef, Value};
use serde_json::json;

use super::talos::{access, config, node, standing};
use super::{HostCx, kube, sh};
use crate::sys::world::Local;

/// What a call that changes something would do, as far as anybody can know.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Its reply; fields that nobody can know yet are `$later`, with the call's type in place of its name.
    pub reply: Value,
    /// Whether it would change anything. Never unknown.
    pub changed: bool,
}

impl Prediction {
    /// A prediction whose reply says itself whether it changes anything.
    fn of(reply: Value) -> Prediction {
        let changed = reply.get("changed").and_then(Value::as_bool).unwrap_or(true);
        Prediction { reply, changed }
    }
}

/// Says what a call would do, without doing it.
pub fn predict<'a>(
    call: &'a Call,
    common: &'a Common,
    cx: &'a HostCx<'a>,
) -> Local<'a, Result<Prediction, CallError>> {
    Box::pin(async move {
        let foreseen = match super::named_files(call, cx) {
            Ok(()) => foreseen(call, common, cx).await,
            Err(error) => Err(error),
        };
        foreseen.map(Prediction::of).map_err(|error| super::located(error, call))
    })
}

async fn foreseen(call: &Call, common: &Common, cx: &HostCx<'_>) -> Result<Value, CallError> {
    let later = |field: &str| {
        Handle::Later(LaterRef { call: call.info().name.to_owned(), field: field.to_owned() })
            .to_value()
    };
    Ok(match call {
        Call::TalosApplyConfig(c) => apply(c, cx, &later).await?,
        Call::TalosBootstrap(c) => json!({"changed": node::may_bootstrap(c, cx).await?}),
        Call::TalosReboot(c) => {
            let version = match config::version_of(cx, cx.node(&c.node)?).await {
                Ok(version) => Value::String(version),
                Err(_) => later("version"),
            };
            json!({"changed": true, "version": version, "boot_id": later("boot_id")})
        }
        Call::TalosReset(c) => {
            cx.node(&c.node)?;
            json!({"changed": true})
        }
        Call::TalosGenSecrets(c) => {
            json!({"path": c.output, "changed": !access::exists(cx, &c.output)?, "diff": ""})
        }
        Call::TalosClientConfig(c) => {
            json!({"path": c.path, "changed": access::client_config_stale(c, cx).await?, "diff": ""})
        }
        Call::TalosKubeconfig(c) => {
            json!({"path": c.path, "changed": kubeconfig(c, common, cx).await?, "diff": ""})
        }
        Call::TalosEtcdSnapshot(c) => json!({
            "path": c.path, "size": later("size"), "sha256": later("sha256"), "at": later("at"),
        }),
        Call::KubeCordon(c) => json!({"changed": !kube::is_cordoned(cx, &c.node).await?}),
        Call::KubeUncordon(c) => json!({"changed": kube::is_cordoned(cx, &c.node).await?}),
        Call::KubeDrain(c) => {
            let view = kube::cordon_view(cx, &c.node).await?;
            let changed = view.cordoned != Some(true) || !view.pods.is_empty();
            json!({"changed": changed, "evicted": view.pods})
        }
        Call::FsWrite(_)
        | Call::FsCopy(_)
        | Call::FsMove(_)
        | Call::FsMkdir(_)
        | Call::FsRemove(_)
        | Call::FsTemp(_)
        | Call::YamlEdit(_) => {
            // A plan's files are an overlay: there the call is made as it would be live, and later reads see it.
            super::carry_out(call, common, cx).await?
        }
        Call::Sh(c) => sh::predicted(call.info().name, c.ok.as_deref()),
        Call::ShExec(c) => sh::predicted(call.info().name, c.ok.as_deref()),
        other => {
            let message =
                format!("`{}` changes nothing, so there is nothing to predict", other.info().name);
            return Err(CallError::new(ErrorKind::Failed, message).before_effect());
        }
    })
}

async fn apply(
    call: &ApplyConfig,
    cx: &HostCx<'_>,
    later: &dyn Fn(&str) -> Value,
) -> Result<Value, CallError> {
    let (bare, diff) = match config::compare(call, cx).await {
        Ok(compared) => (compared.bare, compared.diff),
        // Before the first run there is no talosconfig: the plan writes it only in its overlay. Then the maintenance channel alone tells.
        Err(error) if !access::exists(cx, &cx.cluster()?.talosconfig)? => {
            let shown = standing::maintenance(cx, cx.node(&call.node)?).await?;
            if !(shown.without_config && shown.stage.is_some_and(|s| s.stage == "maintenance")) {
                return Err(error);
            }
            (true, vec![config::FIRST.into()])
        }
        Err(error) => return Err(error),
    };
    if diff.is_empty() {
        return Ok(json!({"changed": false, "diff": "", "reboot": "none"}));
    }
    let mut reply = json!({"changed": true, "diff": diff.join("\n")});
    reply["reboot"] = match call.mode {
        ApplyMode::NoReboot | ApplyMode::Try => "none".into(),
        ApplyMode::Staged => "staged".into(),
        ApplyMode::Reboot if !bare => "now".into(),
        ApplyMode::Auto | ApplyMode::Reboot => later("reboot"),
    };
    if call.mode == ApplyMode::Try {
        reply["until"] = later("until");
    }
    Ok(reply)
}

/// A kubeconfig that cannot be fetched yet will be another file, unless it is there and nothing is known against it.
async fn kubeconfig(
    call: &Kubeconfig,
    common: &Common,
    cx: &HostCx<'_>,
) -> Result<bool, CallError> {
    match access::fetched(call, common, cx).await {
        Ok((_, changed)) => Ok(changed),
        Err(_) if !access::exists(cx, &call.path)? => Ok(true),
        Err(error) => Err(error),
    }
}
