//! In the lab a config that lies in a file gets the lab's own secrets: those of the real cluster have no place in a rehearsal, and would name a
//! CA that no simulated node knows.

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

/// A config with the lab's secrets, unless it was made from them.
pub(super) async fn with_its_secrets(job: &Job<'_>, config: &str) -> Result<String, CallError> {
    let of = |text: &str, what: &str| -> Result<Value, CallError> {
        let documents = yaml::documents(what, text.as_bytes())?;
        Ok(documents.into_iter().find(|d| d.get("machine").is_some()).unwrap_or_default())
    };
    let own = of(config, "the machine config")?;
    let labs = base(job.cx, job.node.role).await?;
    let labs = of(&labs, "the base config")?;
    let ca = |config: &Value| config.pointer("/machine/ca/crt").cloned();
    if own.is_null() || ca(&own) == ca(&labs) {
        return Ok(config.to_owned());
    }
    let mut patch = json!({});
    for path in SECRETS {
        if let Some(value) = labs.pointer(path).filter(|value| !value.is_null()) {
            put(&mut patch, path, value);
        }
    }
    let text = patch.to_string();
    let source = Source { name: "the lab's secrets", bytes: text.as_bytes() };
    let patch = Patch::from_source(source, &job.profile).map_err(|e| job.texts.refused(&e))?;
    job.patched("the machine config", config, &[patch])
}

fn put(into: &mut Value, path: &str, value: &Value) {
    let (first, rest) = match path.trim_start_matches('/').split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path.trim_start_matches('/'), None),
    };
    let Value::Object(map) = into else { return };
    match rest {
        None => _ = map.insert(first.to_owned(), value.clone()),
        Some(rest) => put(map.entry(first).or_insert_with(|| Value::Object(Map::new())), rest, value),
    }
}
