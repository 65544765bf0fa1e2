//! What a config gets that goes to a simulated machine: the lab's secrets, because those of the real cluster have no place in a rehearsal and would
//! name a CA that no node of it knows; and the one disk that the machine has, where the inventory does not say what its disks are.

use ops_core::error::CallError;
use ops_core::value::Value;
use ops_render::{Patch, Source};
use serde_json::{Map, json};

use super::base::base;
use super::patches::Job;
use crate::host::yaml;

/// Where machine configs hold the secrets of a cluster.
const SECRETS: [&str; 12] = [
    "/machine/token",
    "/machine/ca",
    "/cluster/id",
    "/cluster/secret",
    "/cluster/token",
    "/cluster/secretboxEncryptionSecret",
    "/cluster/aescbcEncryptionSecret",
    "/cluster/ca",
    "/cluster/aggregatorCA",
    "/cluster/serviceAccount",
    "/cluster/etcd/ca",
    "/cluster/acceptedCAs",
];

/// The disk of a simulated machine of which the inventory says nothing.
const DISK: &str = "/dev/sda";

/// A config as the lab's machine can take it; as it is, where there is nothing to change.
pub(super) async fn at_home(job: &Job<'_>, name: &str, config: &str) -> Result<String, CallError> {
    let of = |text: &str, what: &str| -> Result<Value, CallError> {
        let documents = yaml::documents(what, text.as_bytes())?;
        Ok(documents.iter().find(|d| d.get("machine").is_some()).cloned().unwrap_or_default())
    };
    let own = of(config, name)?;
    let labs = base(job.cx, job.node.role).await?;
    let labs = of(&labs, "the base config")?;
    let ca = |config: &Value| config.pointer("/machine/ca/crt").cloned();
    let mut patch = json!({});
    if ca(&own) != ca(&labs) {
        for path in SECRETS {
            if let Some(value) = labs.pointer(path).filter(|value| !value.is_null()) {
                put(&mut patch, path, value);
            }
        }
    }
    let wanted = job.node.install_disk.as_ref().and_then(|disk| disk.device.as_deref());
    if let (None, Some(install)) = (wanted, own.pointer("/machine/install"))
        && install.get("disk").and_then(Value::as_str) != Some(DISK)
    {
        put(&mut patch, "/machine/install/disk", &DISK.into());
    }
    if own.is_null() || patch == json!({}) {
        return Ok(config.to_owned());
    }
    let text = patch.to_string();
    let source = Source { name: "the lab's secrets", bytes: text.as_bytes() };
    let patch = Patch::from_source(source, &job.profile).map_err(|e| job.texts.refused(&e))?;
    job.patched(name, config, &[patch])
}

fn put(into: &mut Value, path: &str, value: &Value) {
    let (first, rest) = match path.trim_start_matches('/').split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path.trim_start_matches('/'), None),
    };
    let Value::Object(map) = into else { return };
    match rest {
        None => _ = map.insert(first.to_owned(), value.clone()),
        Some(rest) => {
            put(map.entry(first).or_insert_with(|| Value::Object(Map::new())), rest, value);
        }
    }
}
