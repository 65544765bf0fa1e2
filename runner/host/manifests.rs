//! Manifests as objects: who they are, where two texts of them differ, what ArgoCD is told to overlook. Asks no cluster.

mod compare;
mod ignore;

use ops_core::call::fs::Content;
use ops_core::call::manifests::{Diff, Objects};
use ops_core::error::CallError;
use ops_core::value::Value;
use serde_json::json;

use self::ignore::Rules;
use super::{HostCx, yaml};

/// One object of a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Object(pub(super) Value);

impl Object {
    fn text(&self, keys: &[&str]) -> &str {
        let found = keys.iter().try_fold(&self.0, |value, key| value.get(key));
        found.and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn kind(&self) -> &str {
        self.text(&["kind"])
    }

    /// The group of its `apiVersion`; empty for the core.
    pub(super) fn group(&self) -> &str {
        self.text(&["apiVersion"]).rsplit_once('/').map_or("", |(group, _)| group)
    }

    pub(super) fn name(&self) -> &str {
        self.text(&["metadata", "name"])
    }

    pub(super) fn namespace(&self) -> &str {
        self.text(&["metadata", "namespace"])
    }

    /// What makes it the same object in two texts; a version of its API does not.
    fn identity(&self) -> [&str; 4] {
        [self.group(), self.kind(), self.namespace(), self.name()]
    }

    /// As people name it: `Secret argocd/argocd-secret`.
    fn shown(&self) -> String {
        match self.namespace() {
            "" => format!("{} {}", self.kind(), self.name()),
            namespace => format!("{} {namespace}/{}", self.kind(), self.name()),
        }
    }

    /// The keys under which a Secret holds values, sorted; none for everything else, and for a Secret that others fill.
    pub(super) fn secret_keys(&self) -> Vec<String> {
        if self.kind() != "Secret" || !self.group().is_empty() {
            return Vec::new();
        }
        let parts = ["data", "stringData"].iter().filter_map(|part| self.0.get(part)?.as_object());
        let mut keys: Vec<String> = parts.flat_map(|map| map.keys().cloned()).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

/// The objects of a text, those of a `List` one by one.
///
/// # Errors
/// A text that is no YAML. Its content is not quoted.
pub(super) fn of(name: &str, text: &[u8]) -> Result<Vec<Object>, CallError> {
    let mut objects = Vec::new();
    for document in yaml::read(name, text)? {
        let list = document.get("kind").and_then(Value::as_str) == Some("List");
        match document.get("items").and_then(Value::as_array) {
            Some(items) if list => objects.extend(items.iter().cloned().map(Object)),
            _ => objects.push(Object(document)),
        }
    }
    Ok(objects)
}

fn given(content: &Content, cx: &HostCx<'_>) -> Result<Vec<Object>, CallError> {
    of("the text of manifests", &cx.content(content)?.bytes)
}

pub(super) fn objects(call: &Objects, cx: &HostCx<'_>) -> Result<Value, CallError> {
    let row = |object: &Object| {
        json!({
            "object": object.shown(),
            "api_version": object.text(&["apiVersion"]),
            "kind": object.kind(),
            "namespace": object.namespace(),
            "name": object.name(),
            "secret_keys": object.secret_keys(),
        })
    };
    Ok(given(&call.content, cx)?.iter().map(row).collect())
}

pub(super) fn diff(call: &Diff, cx: &HostCx<'_>) -> Result<Value, CallError> {
    let (own, wanted) = (given(&call.content, cx)?, given(&call.against, cx)?);
    let rules = Rules::read(&call.ignore_differences, call.source.as_deref(), cx)?;
    Ok(json!({
        "objects": compare::objects(&own, &wanted, &rules),
        "rules": rules.count(),
        "not_understood": rules.not_understood(),
    }))
}
