//! What a node says of itself: version, resources, stage; and what the engine keeps of it to tell later whether something happened.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{CallError, ErrorKind};
use crate::value::Value;

/// The version of Talos that a node runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TalosVersion {
    /// Its tag, such as `v1.13.0`.
    pub version: String,
    /// The commit it was built from.
    pub sha: String,
    /// Operating system and architecture, such as `linux/amd64`.
    pub platform: String,
}

/// Reads `talosctl version`: the part about the server.
///
/// # Errors
/// Where there is no server part, more than one, or none of its fields.
pub fn version(text: &str) -> Result<TalosVersion, CallError> {
    const WHAT: &str = "talosctl version";
    let (_, server) = text
        .split_once("Server:")
        .ok_or_else(|| super::unreadable(WHAT, "no part about the server"))?;
    let field = |name: &str| {
        let mut values =
            server.lines().filter_map(|l| l.trim().strip_prefix(name)?.strip_prefix(':'));
        match (values.next(), values.next()) {
            (Some(value), None) => Ok(value.trim().to_owned()),
            (None, _) => Err(super::unreadable(WHAT, format!("no `{name}` of the server"))),
            (Some(_), Some(_)) => Err(super::unreadable(WHAT, "more than one server answered")),
        }
    };
    let version = field("Tag")?;
    if version.is_empty() {
        return Err(super::unreadable(WHAT, "the server has no version"));
    }
    Ok(TalosVersion { version, sha: field("SHA")?, platform: field("OS/Arch")? })
}

/// The version of the client itself: `talosctl version --client`.
///
/// # Errors
/// Where its tag is missing.
pub fn client_version(text: &str) -> Result<String, CallError> {
    text.lines()
        .find_map(|l| l.trim().strip_prefix("Tag:"))
        .map(|tag| tag.trim().to_owned())
        .filter(|tag| !tag.is_empty())
        .ok_or_else(|| super::unreadable("talosctl version --client", "no tag"))
}

/// A resource of a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resource {
    /// Its id.
    pub id: String,
    /// Its namespace.
    pub namespace: String,
    /// Its full type, such as `Disks.block.talos.dev`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its version, a number or `undefined`.
    pub version: String,
    /// `running` or `tearingDown`.
    pub phase: String,
    /// What it says; the shape belongs to the type.
    pub spec: Value,
}

impl Resource {
    /// Whether resources of this type hold keys or whole configs, which must stay sealed.
    pub fn is_secret(&self) -> bool {
        let kind = self.kind.to_ascii_lowercase();
        [
            "machineconfig",
            "secret",
            "cert",
            "token",
            "key",
            "linkspec",
            "wireguard",
            "registr",
            "volumeconfig",
            "staticpods",
            "manifest",
            "extensionserviceconfig",
        ]
        .iter()
        .any(|word| kind.contains(word))
    }

    /// A text of the spec, by its path: `status.ready` as text.
    pub fn text(&self, path: &str) -> Option<&str> {
        path.split('.').try_fold(&self.spec, |v, key| v.get(key))?.as_str()
    }
}

/// Reads `talosctl get … --output=json`: objects one after the other, nothing where there is none.
///
/// # Errors
/// Where a piece is no resource.
pub fn resources(text: &str) -> Result<Vec<Resource>, CallError> {
    const WHAT: &str = "talosctl get";
    let wrong = |why: String| super::unreadable(WHAT, why);
    serde_json::Deserializer::from_str(text)
        .into_iter::<Value>()
        .map(|piece| {
            let piece = piece.map_err(|e| wrong(e.to_string()))?;
            let meta = piece.get("metadata").ok_or_else(|| wrong("no metadata".into()))?;
            let field = |name: &str| match meta.get(name) {
                Some(Value::String(s)) => Ok(s.clone()),
                Some(Value::Number(n)) => Ok(n.to_string()),
                _ => Err(wrong(format!("no `{name}` in the metadata"))),
            };
            Ok(Resource {
                id: field("id")?,
                namespace: field("namespace")?,
                kind: field("type")?,
                version: field("version")?,
                phase: field("phase")?,
                spec: piece.get("spec").cloned().ok_or_else(|| wrong("no spec".into()))?,
            })
        })
        .collect()
}

/// The state of one service: `talosctl service ID`.
///
/// # Errors
/// Where it is not there.
pub fn service_state(text: &str) -> Result<String, CallError> {
    let state = text.lines().find_map(|l| l.strip_prefix("STATE")).map(str::trim);
    match state {
        Some(word) if !word.is_empty() => Ok(word.to_owned()),
        _ => Err(super::unreadable("talosctl service", "no state")),
    }
}

/// Why a node is not ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unmet {
    /// Name of the condition.
    pub name: String,
    /// Why it does not hold.
    pub reason: String,
}

/// How far a node has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stage {
    /// `booting`, `installing`, `maintenance`, `running`, `rebooting`, `shutting down`, `resetting`, `upgrading`.
    pub stage: String,
    /// Whether every condition of Talos holds.
    pub ready: bool,
    /// Those that do not.
    pub unmet: Vec<Unmet>,
}

impl Stage {
    /// The stage out of a node's machine status.
    ///
    /// # Errors
    /// Where there is not exactly one, or it says no stage.
    pub fn of(resources: &[Resource]) -> Result<Stage, CallError> {
        const WHAT: &str = "talosctl get machinestatus";
        let [status] = resources else {
            return Err(super::unreadable(WHAT, format!("{} resources", resources.len())));
        };
        let stage = status.text("stage").ok_or_else(|| super::unreadable(WHAT, "no stage"))?;
        let inner = status.spec.get("status");
        let unmet = inner
            .and_then(|s| s.get("unmetConditions"))
            .and_then(Value::as_array)
            .map(|list| {
                list.iter().filter_map(|u| serde_json::from_value(u.clone()).ok()).collect()
            })
            .unwrap_or_default();
        let ready = inner.and_then(|s| s.get("ready")).and_then(Value::as_bool).unwrap_or(false);
        Ok(Stage { stage: stage.to_owned(), ready, unmet })
    }

    /// Why it is not ready, in one line.
    pub fn why(&self) -> String {
        let reasons: Vec<String> =
            self.unmet.iter().map(|u| format!("{}: {}", u.name, u.reason)).collect();
        match reasons.as_slice() {
            [] => format!("stage {}", self.stage),
            reasons => format!("stage {}; {}", self.stage, reasons.join("; ")),
        }
    }
}

/// What a node showed of its last boot: the witness of a reboot and of a reset. Unanswered parts are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct BootView {
    /// Stage; none where the node did not answer.
    pub stage: Option<String>,
    /// Boot id; none in maintenance mode, where nobody may read it.
    pub boot_id: Option<String>,
    /// Version of Talos.
    pub version: Option<String>,
    /// System volumes by label: the file system's UUID, empty for a volume that is not there, `NAMELESS` for one without a UUID.
    pub volumes: BTreeMap<String, String>,
}

impl BootView {
    /// The view that a stored witness encodes; what cannot be read counts as unanswered.
    pub fn from_value(value: &Value) -> BootView {
        serde_json::from_value(value.clone()).unwrap_or_default()
    }

    /// Whether the volume with this label is gone or another since `before`; none where it has nothing to be told by.
    pub fn wiped_since(&self, before: &BootView, label: &str) -> Option<bool> {
        match (before.volumes.get(label)?.as_str(), self.volumes.get(label)?.as_str()) {
            ("" | NAMELESS, _) | (_, NAMELESS) => None,
            (old, new) => Some(old != new),
        }
    }

    /// Whether all these volumes are others since `before`: no as soon as one is the same, none where one cannot be told.
    pub fn all_wiped_since(&self, before: &BootView, labels: &[String]) -> Option<bool> {
        let each: Vec<Option<bool>> =
            labels.iter().map(|label| self.wiped_since(before, label)).collect();
        if each.contains(&Some(false)) {
            return Some(false);
        }
        if each.contains(&None) { None } else { Some(true) }
    }
}

/// A volume that is there and shows no UUID.
pub const NAMELESS: &str = "there";

/// Who is a member of etcd as each control plane says: the witness of a bootstrap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Members {
    /// By asked control plane: ids by name.
    pub by_node: BTreeMap<String, BTreeMap<String, String>>,
    /// Control planes that could not be asked at all.
    pub silent: Vec<String>,
}

impl Members {
    /// The view that a stored witness encodes; what cannot be read counts as unanswered.
    pub fn from_value(value: &Value) -> Members {
        serde_json::from_value(value.clone()).unwrap_or_default()
    }

    /// The member id of a node, as anybody tells it.
    pub fn member(&self, node: &str) -> Option<&str> {
        self.by_node.values().find_map(|seen| seen.get(node)).map(String::as_str)
    }

    /// A member other than that node.
    pub fn someone_else(&self, node: &str) -> Option<&str> {
        self.by_node
            .values()
            .flat_map(BTreeMap::keys)
            .find(|name| *name != node)
            .map(String::as_str)
    }
}

/// What the system volumes of a node are: UUID by label, empty for one that is not located.
pub fn system_volumes(resources: &[Resource]) -> BTreeMap<String, String> {
    resources
        .iter()
        .filter(|r| r.text("type") == Some("partition"))
        .map(|r| {
            let located =
                matches!(r.text("phase"), Some("ready" | "located" | "provisioned" | "prepared"));
            let uuid = [r.text("uuid"), r.text("partitionUUID")].into_iter().flatten();
            let uuid = uuid.into_iter().find(|u| !u.is_empty()).unwrap_or(NAMELESS);
            (r.id.clone(), if located { uuid.to_owned() } else { String::new() })
        })
        .collect()
}

/// The failure of a request that a node in maintenance mode cannot answer.
pub fn in_maintenance(node: &str) -> CallError {
    CallError::new(
        ErrorKind::Maintenance,
        format!("{node} is in maintenance mode: it has no config yet"),
    )
    .hint(format!("ops run talos:apply-config --nodes {node}"))
    .before_effect()
}
