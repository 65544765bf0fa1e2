//! How machine configs differ, for people: by meaning, with what may be secret left out by path and by value.

use ops_core::call::talos::{MachineconfigDiff, Source};
use ops_core::error::CallError;
use ops_core::reply::apply::difference;
use ops_core::value::Value;
use serde_json::json;

use super::access;
use super::config::{FIRST, bytes, live};
use super::standing::{Standing, maintenance, standing};
use crate::host::content::denied;
use crate::host::{HostCx, yaml};

/// What is told where two configs say the same in other words.
const SPELLING: &str = "~ only its spelling differs";

/// `talos.machineconfig.diff`.
pub(in crate::host) async fn diff(
    call: &MachineconfigDiff,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    let node = cx.node(&call.node)?;
    let new = bytes(cx, &call.file)?;
    if !call.live {
        let path = cx.cluster()?.machine_config(&node.name);
        let stat = cx.files.stat(&path).map_err(|error| denied(&path, &error))?;
        let old = match stat {
            Some(_) => Some(cx.files.read(&path).map_err(|error| denied(&path, &error))?),
            None => None,
        };
        let lines = lines(old.as_deref(), &new, cx).unwrap_or_else(|| vec!["~ config".into()]);
        return Ok(json!({"changed": !lines.is_empty(), "diff": lines.join("\n")}));
    }
    let name = match &call.file {
        Source::Path(path) => path.as_str(),
        Source::Handle(_) => "the machine config",
    };
    let wanted = yaml::documents(name, &new)?;
    // Before the first run there is no talosconfig: then the maintenance channel alone tells.
    let stands = if access::exists(cx, &cx.cluster()?.talosconfig)? {
        standing(cx, node).await?
    } else {
        let shown = maintenance(cx, node).await?;
        match shown.stage.filter(|stage| shown.without_config && stage.stage == "maintenance") {
            Some(stage) => Standing::Bare(stage),
            None => standing(cx, node).await?,
        }
    };
    let lines = match stands {
        Standing::Up(_) => masked(difference(&live(cx, node).await?.persisted, &wanted), cx),
        Standing::Bare(_) => vec![FIRST.to_owned()],
        Standing::Away(why) => {
            let kind = ops_core::error::ErrorKind::Unreachable;
            return Err(CallError::new(kind, why).before_effect());
        }
    };
    Ok(json!({"changed": !lines.is_empty(), "diff": lines.join("\n")}))
}

/// How two machine configs differ; nothing where one of them is none.
pub(in crate::host) fn lines(
    old: Option<&[u8]>,
    new: &[u8],
    cx: &HostCx<'_>,
) -> Option<Vec<String>> {
    let config = |bytes: &[u8]| {
        let documents = yaml::documents("the machine config", bytes).ok()?;
        documents.iter().any(|d| d.get("machine").is_some()).then_some(documents)
    };
    let wanted = config(new)?;
    let Some(old) = old else { return Some(vec!["+ config".to_owned()]) };
    if old == new {
        return Some(Vec::new());
    }
    let lines = difference(&config(old)?, &wanted);
    Some(if lines.is_empty() { vec![SPELLING.to_owned()] } else { masked(lines, cx) })
}

/// Lines of a difference without the values of those in which a known secret stands: beside a new secret stands the old one, which nobody knows
/// any more.
pub(in crate::host) fn masked(lines: Vec<String>, cx: &HostCx<'_>) -> Vec<String> {
    let masks = cx.secrets.masks();
    let shown = |line: String| {
        let masked = masks.mask(&line);
        if masked == line {
            return line;
        }
        let named = masked.split_once(": ").map_or(masked.as_str(), |(named, _)| named);
        named.to_owned()
    };
    lines.into_iter().map(shown).collect()
}
