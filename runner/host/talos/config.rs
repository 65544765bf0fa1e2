//! Machine configs on nodes: compared by meaning, applied, read back.

use std::rc::Rc;

use ops_core::argv::Argv;
use ops_core::call::talos::{ApplyConfig, ApplyMode, Source, Validate};
use ops_core::call::{CallSpec, Common, Target};
use ops_core::error::{CallError, ErrorKind};
use ops_core::inventory::Node;
use ops_core::reply::apply::{Applied, RebootPlan, applied, difference};
use ops_core::reply::{node as reply, plain};
use ops_core::time::Span;
use ops_core::value::{Handle, Value};
use serde_json::json;

use super::etcd::on_disk;
use super::standing::{self, Standing};
use crate::host::tool::{Answer, QUESTION, is_silence};
use crate::host::{HostCx, yaml};

/// The bytes of a file argument.
///
/// # Errors
/// Where there are none, or the value is no file.
pub(in crate::host) fn bytes(cx: &HostCx<'_>, source: &Source) -> Result<Vec<u8>, CallError> {
    let missing = |what: &str, error: &std::io::Error| {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::Failed,
        };
        CallError { kind, ..on_disk(what, error) }.before_effect()
    };
    match source {
        Source::Path(path) => {
            cx.inside(path)?;
            cx.files.read(path).map_err(|e| missing(path, &e))
        }
        Source::Handle(Handle::Blob(blob)) => cx.blobs.get(blob).map_err(|e| missing("blob", &e)),
        Source::Handle(other) => {
            let message = format!("{} is no file", other.to_value());
            Err(CallError::new(ErrorKind::Invalid, message).before_effect())
        }
    }
}

/// `talos.validate`.
pub(in crate::host) async fn validate(
    call: &Validate,
    common: &Common,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    let argv = call.argv(&Target::default()).unwrap_or_default().stdin(bytes(cx, &call.config)?);
    match cx.ask(&argv, common.timeout.unwrap_or(QUESTION)).await {
        Ok(_) => Ok(json!({"changed": false})),
        // Whatever it says about a file that it could read is about the file.
        Err(error) if error.kind == ErrorKind::Exit => {
            Err(CallError { kind: ErrorKind::Invalid, ..error })
        }
        Err(error) => Err(error),
    }
}

/// The two configs that a node holds: what it runs with, and what its next boot would use.
pub(in crate::host) struct Live {
    pub(in crate::host) active: Rc<Vec<Value>>,
    pub(in crate::host) persisted: Rc<Vec<Value>>,
}

/// Reads both configs of a node.
///
/// # Errors
/// As the node says.
pub(in crate::host) async fn live(cx: &HostCx<'_>, node: &Node) -> Result<Live, CallError> {
    let found = standing::secure(cx, node, &["machineconfig"]).await?;
    let read = |id: &str| -> Result<Option<Rc<Vec<Value>>>, CallError> {
        let Some(resource) = found.iter().find(|r| r.id == id) else { return Ok(None) };
        match &resource.spec {
            Value::String(text) => {
                Ok(Some(yaml::documents(&format!("the config of {}", node.name), text.as_bytes())?))
            }
            other => Ok(Some(Rc::new(vec![other.clone()]))),
        }
    };
    let active = read("v1alpha1")?.ok_or_else(|| {
        CallError::new(ErrorKind::Parse, format!("{} shows no machine config", node.name))
    })?;
    let persisted = read("persistent")?.unwrap_or_else(|| active.clone());
    Ok(Live { active, persisted })
}

impl Live {
    /// What would change if `wanted` were taken over in this mode; nothing where the node has it already.
    fn differs(&self, wanted: &[Value], mode: ApplyMode) -> Vec<String> {
        match mode {
            ApplyMode::Try => difference(&self.active, wanted),
            ApplyMode::Staged => difference(&self.persisted, wanted),
            ApplyMode::Auto | ApplyMode::NoReboot | ApplyMode::Reboot => {
                let lines = difference(&self.persisted, wanted);
                if lines.is_empty() { difference(&self.active, wanted) } else { lines }
            }
        }
    }

    /// What shows that `wanted` was taken over in this mode.
    fn took(&self, wanted: &[Value], mode: ApplyMode) -> bool {
        let side = if mode == ApplyMode::Try { &self.active } else { &self.persisted };
        difference(side, wanted).is_empty()
    }
}

/// The difference where a node has no config at all.
pub(in crate::host) const FIRST: &str = "+ config (the node is in maintenance mode)";

/// A config held against a node.
pub(in crate::host) struct Compared {
    /// Its bytes.
    pub(in crate::host) bytes: Vec<u8>,
    /// Its documents.
    pub(in crate::host) wanted: Rc<Vec<Value>>,
    /// The node is in proven maintenance mode.
    pub(in crate::host) bare: bool,
    /// What would change.
    pub(in crate::host) diff: Vec<String>,
}

/// Holds the file of a call against what the node has.
///
/// # Errors
/// A file that is no machine config, a node that is away or of another cluster.
pub(in crate::host) async fn compare(
    call: &ApplyConfig,
    cx: &HostCx<'_>,
) -> Result<Compared, CallError> {
    let node = cx.node(&call.node)?;
    let bytes = bytes(cx, &call.file)?;
    let wanted = yaml::documents(call.file.argument(), &bytes)?;
    if !wanted.iter().any(|d| d.get("machine").is_some()) {
        return Err(CallError::new(
            ErrorKind::Invalid,
            format!("{} holds no machine config, only parts of one", call.file.argument()),
        )
        .before_effect());
    }
    match standing::standing(cx, node).await? {
        Standing::Up(_) => {
            let diff = live(cx, node).await?.differs(&wanted, call.mode);
            let diff = super::machineconfig::masked(diff, cx);
            Ok(Compared { bytes, wanted, bare: false, diff })
        }
        Standing::Bare(_) => {
            let diff = vec![FIRST.into()];
            Ok(Compared { bytes, wanted, bare: true, diff })
        }
        Standing::Away(why) => Err(CallError::new(ErrorKind::Unreachable, why).before_effect()),
    }
}

/// How long the request itself may take.
const REQUEST: Span = Span::mins(2);
/// How long until the new config must be seen: with an installation or a reboot between, and without.
const SEEN_AFTER_BOOT: Span = Span::mins(15);
const SEEN_AT_ONCE: Span = Span::mins(1);

/// `talos.apply_config`.
pub(in crate::host) async fn apply(
    call: &ApplyConfig,
    common: &Common,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    let node = cx.node(&call.node)?;
    let compared = compare(call, cx).await?;
    if compared.diff.is_empty() {
        let unchanged =
            Applied { changed: false, diff: String::new(), reboot: RebootPlan::None, until: None };
        return Ok(plain(&unchanged));
    }
    let target = if compared.bare { super::insecure(cx, node)? } else { super::target(cx, node)? };
    let argv: Argv = call.argv(&target).unwrap_or_default();
    let argv = match call.file {
        Source::Path(_) => argv,
        Source::Handle(_) => argv.stdin(compared.bytes.clone()),
    };
    let output = cx.act(&argv, REQUEST).await?;
    let (reboot, window) = applied(&output.error_text())?;
    let until = window.map(|window| cx.world.now().plus(window));
    let limit = common.timeout.unwrap_or(if compared.bare || reboot == RebootPlan::Now {
        SEEN_AFTER_BOOT
    } else {
        SEEN_AT_ONCE
    });
    seen(cx, node, &compared, call.mode, limit).await?;
    let diff = compared.diff.join("\n");
    Ok(plain(&Applied { changed: true, diff, reboot, until }))
}

/// Ends when the node shows the config.
async fn seen(
    cx: &HostCx<'_>,
    node: &Node,
    compared: &Compared,
    mode: ApplyMode,
    limit: Span,
) -> Result<(), CallError> {
    cx.until(limit, ErrorKind::NotApplied, async || match live(cx, node).await {
        Ok(live) if live.took(&compared.wanted, mode) => Answer::Yes(()),
        Ok(_) => Answer::NotYet(format!("{} still shows another config", node.name)),
        Err(error) if is_silence(&error) => {
            Answer::NotYet(format!("{} does not answer: {}", node.name, error.message))
        }
        Err(error) if compared.bare && error.kind == ErrorKind::Certificate => {
            Answer::NotYet(format!("{} still answers as in maintenance mode", node.name))
        }
        Err(error) if error.kind == ErrorKind::NotReady || error.kind == ErrorKind::Parse => {
            Answer::NotYet(error.message)
        }
        Err(error) => Answer::Never(error),
    })
    .await
}

/// What a config says about itself, as far as guards care: role, host name, the CA of Talos (DER).
pub(in crate::host) fn says(
    documents: &[Value],
) -> (Option<String>, Option<String>, Option<Vec<u8>>) {
    let machine = documents.iter().find_map(|d| d.get("machine"));
    let text = |path: &str| machine.and_then(|m| m.pointer(path)?.as_str()).map(str::to_owned);
    let hostname = documents
        .iter()
        .find(|d| d.get("kind").and_then(Value::as_str) == Some("HostnameConfig"))
        .and_then(|d| d.get("hostname")?.as_str().map(str::to_owned))
        .or_else(|| text("/network/hostname"));
    let ca = text("/ca/crt")
        .and_then(|crt| ops_core::reply::access::base64(crt.as_bytes()))
        .map(|pem| ops_core::reply::access::der(&pem));
    (text("/type"), hostname, ca)
}

/// The version that a node runs, for replies that name it.
pub(in crate::host) async fn version_of(cx: &HostCx<'_>, node: &Node) -> Result<String, CallError> {
    let argv = super::target(cx, node)?.talosctl(&["version"]);
    Ok(reply::version(&cx.ask(&argv, QUESTION).await?.text())?.version)
}
