//! Machine configs as text: what the world needs to know of one, what is wrong with one, and the
//! base configs that `gen config` writes. Knows nothing of nodes.

pub mod client;
mod diff;
pub mod encode;
pub(crate) mod pki;
mod secrets;

pub use diff::unified;
pub use secrets::{Pair, Secrets};

use crate::spec::Role;
use crate::trace::{Fold, fingerprint};
use crate::world::{Config, World};
use serde_json::Value;
use std::fmt;
use std::hash::{Hash, Hasher};

/// What is wrong with a text, in the real tool's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// Fields of `machine` that need no reboot.
const IMMEDIATE: [&str; 18] = [
    "ca",
    "acceptedCAs",
    "time",
    "certSANs",
    "install",
    "network",
    "sysfs",
    "sysctls",
    "logging",
    "controlPlane",
    "kubelet",
    "kernel",
    "registries",
    "pods",
    "seccompProfiles",
    "nodeAnnotations",
    "nodeLabels",
    "nodeTaints",
];

/// Fields of `machine.features` that need no reboot.
const IMMEDIATE_FEATURES: [&str; 5] =
    ["kubernetesTalosAPIAccess", "kubePrism", "hostDNS", "imageCache", "nodeAddressSortAlgorithm"];

/// A config as read from its text.
#[derive(Clone, Debug)]
pub struct Document {
    /// The machine document, where there is one.
    pub machine: Option<Value>,
    /// All others.
    pub others: Vec<Value>,
}

/// Reads a text into its documents.
pub fn read(text: &str) -> Result<Document, ConfigError> {
    let values: Vec<Value> = serde_saphyr::from_multiple(text)
        .map_err(|error| ConfigError(format!("decode error: yaml: {error}")))?;
    let mut machine = None;
    let mut others = Vec::new();
    for value in values {
        match value {
            Value::Null => {}
            Value::Object(ref map) if map.contains_key("kind") => others.push(value),
            Value::Object(_) if machine.is_none() => machine = Some(value),
            Value::Object(_) => return Err(ConfigError("duplicate document v1alpha1".into())),
            _ => return Err(ConfigError("yaml: document is not a mapping".into())),
        }
    }
    if machine.is_none() && others.is_empty() {
        return Err(ConfigError("config not found".into()));
    }
    Ok(Document { machine, others })
}

fn text_at<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    value.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Folds a value with its keys in order, whatever order its map keeps them in.
fn fold(value: &Value, into: &mut Fold) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            for key in keys {
                key.hash(into);
                fold(&map[key.as_str()], into);
            }
            into.write_u8(b'}');
        }
        Value::Array(items) => {
            for item in items {
                fold(item, into);
            }
            into.write_u8(b']');
        }
        other => other.to_string().hash(into),
    }
}

impl Document {
    /// Problems that stop an apply to a metal machine, in the real tool's words.
    pub fn validate(&self, installed: bool) -> Result<(), ConfigError> {
        let Some(machine) = &self.machine else { return Ok(()) };
        let mut problems = Vec::new();
        match text_at(machine, "/machine/type") {
            Some("controlplane" | "worker" | "init") => {}
            Some(other) => {
                return Err(ConfigError(format!("invalid machine type: {other:?}")));
            }
            None => problems.push("machine type is required (.machine.type)".to_owned()),
        }
        if machine.pointer("/cluster").is_none_or(Value::is_null) {
            problems.push("cluster instructions are required".into());
        }
        if !installed {
            match machine.pointer("/machine/install") {
                None | Some(Value::Null) => {
                    problems.push("install instructions are required in \"metal\" mode".into());
                }
                Some(install) => {
                    let chosen = text_at(install, "/disk").is_some()
                        || install.get("diskSelector").is_some_and(|selector| !selector.is_null());
                    if !chosen {
                        problems
                            .push("either install disk or diskSelector should be defined".into());
                    }
                }
            }
        }
        if text_at(machine, "/machine/ca/crt").is_none() {
            problems.push(
                "issuing CA or some accepted CAs are required (.machine.ca, machine.acceptedCAs)"
                    .into(),
            );
        }
        if problems.is_empty() {
            return Ok(());
        }
        let noun = if problems.len() == 1 { "error" } else { "errors" };
        let list: String =
            problems.iter().map(|problem| format!("\t* {problem}\n")).collect::<Vec<_>>().concat();
        Err(ConfigError(format!(
            "1 error occurred:\n\t* v1alpha1.Config: {} {noun} occurred:\n{}\n\n\n\n",
            problems.len(),
            list.trim_end_matches('\n'),
        )))
    }

    /// Fingerprint of the fields whose change needs a reboot.
    fn reboot_part(&self) -> u64 {
        let mut rest = self.machine.clone().unwrap_or(Value::Null);
        if let Some(root) = rest.as_object_mut() {
            root.remove("debug");
            root.remove("cluster");
        }
        if let Some(machine) = rest.pointer_mut("/machine").and_then(Value::as_object_mut) {
            for field in IMMEDIATE {
                machine.remove(field);
            }
            if let Some(features) = machine.get_mut("features").and_then(Value::as_object_mut) {
                for field in IMMEDIATE_FEATURES {
                    features.remove(field);
                }
            }
        }
        let mut folded = Fold::default();
        fold(&rest, &mut folded);
        folded.finish()
    }

    /// What the world needs to know of it.
    pub fn digest(&self, world: &mut World) -> Config {
        let empty = Value::Null;
        let machine = self.machine.as_ref().unwrap_or(&empty);
        let print = |path: &str| text_at(machine, path).map_or(0, fingerprint);
        let role = match text_at(machine, "/machine/type") {
            Some("controlplane" | "init") => Some(Role::ControlPlane),
            Some("worker") => Some(Role::Worker),
            _ => None,
        };
        let named = self
            .others
            .iter()
            .filter(|document| document["kind"] == "HostnameConfig")
            .find_map(|document| text_at(document, "/hostname"));
        let hostname = named.or_else(|| text_at(machine, "/machine/network/hostname"));
        let mut whole = Fold::default();
        fold(machine, &mut whole);
        for other in &self.others {
            fold(other, &mut whole);
        }
        Config {
            role,
            hostname: hostname.map(|name| world.intern(name)),
            ca: print("/machine/ca/crt"),
            ca_key: text_at(machine, "/machine/ca/key").is_some(),
            kube_ca: print("/cluster/ca/crt"),
            cluster: fingerprint(&(print("/cluster/id"), print("/cluster/secret"))),
            install_disk: text_at(machine, "/machine/install/disk").map(|disk| world.intern(disk)),
            installable: self.validate(false).is_ok() || self.validate(true).is_err(),
            cni: text_at(machine, "/cluster/network/cni/name") != Some("none"),
            reboot_part: self.reboot_part(),
            whole: whole.finish(),
        }
    }
}

/// What a base config is made for.
#[derive(Clone, Debug)]
pub struct Base<'a> {
    /// Cluster name.
    pub cluster: &'a str,
    /// Kubernetes endpoint.
    pub endpoint: &'a str,
    /// `v1.13.0`.
    pub talos: &'a str,
    /// `v1.36.0`.
    pub kubernetes: &'a str,
    /// System disk.
    pub disk: &'a str,
    /// Secrets.
    pub secrets: &'a Secrets,
}

/// The base config of a role, as `talosctl gen config --with-docs=false --with-examples=false` writes it.
#[must_use]
pub fn base(role: Role, base: &Base<'_>) -> String {
    let template = match role {
        Role::ControlPlane => include_str!("controlplane.yaml"),
        Role::Worker => include_str!("worker.yaml"),
    };
    let secrets = base.secrets;
    let certs = &secrets.certs;
    let values: [(&str, &str); 20] = [
        ("machine_token", &secrets.trustdinfo.token),
        ("os_crt", &certs.os.crt),
        ("os_key", &certs.os.key),
        ("cluster_id", &secrets.cluster.id),
        ("cluster_secret", &secrets.cluster.secret),
        ("endpoint", base.endpoint),
        ("cluster", base.cluster),
        ("bootstrap_token", &secrets.secrets.bootstraptoken),
        ("secretbox", &secrets.secrets.secretboxencryptionsecret),
        ("k8s_crt", &certs.k8s.crt),
        ("k8s_key", &certs.k8s.key),
        ("agg_crt", &certs.k8saggregator.crt),
        ("agg_key", &certs.k8saggregator.key),
        ("sa_key", &certs.k8sserviceaccount.key),
        ("etcd_crt", &certs.etcd.crt),
        ("etcd_key", &certs.etcd.key),
        ("disk", base.disk),
        ("kubernetes", base.kubernetes),
        ("talos", base.talos),
        ("", ""),
    ];
    let mut out = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let (field, after) = after.split_once("}}").unwrap_or((after, ""));
        let value = values.iter().find(|(name, _)| *name == field).map_or("", |(_, value)| value);
        out.push_str(value);
        rest = after;
    }
    out.push_str(rest);
    out
}
