//! `kubectl version` and `kubectl get`.

use super::{Kubectl, Listed, Start, list};
use crate::face::text::table;
use crate::face::{Exit, Process, ToolOutput, failed, not_modelled};
use crate::request::KubeKind;
use serde_json::{Value, json};

/// The client's own version.
const CLIENT: &str = "v1.36.3";

pub(super) fn version(start: &Start<'_>) -> Result<Process, ToolOutput> {
    let format = start.flags.one("output").map(str::to_owned);
    let client_only = start.flags.bool("client", false);
    let kubectl = start.target()?;
    Ok(Start::run(kubectl, async move |kubectl: Kubectl| {
        let mut object = json!({
            "clientVersion": version_of(CLIENT),
            "kustomizeVersion": "v5.7.1",
        });
        let mut text = format!("Client Version: {CLIENT}\nKustomize Version: v5.7.1\n");
        let mut error = None;
        if !client_only {
            match kubectl.view(KubeKind::Discovery).await {
                Ok(_) => {
                    let server = &kubectl.spec.kubernetes_version;
                    object["serverVersion"] = version_of(server);
                    text.push_str(&format!("Server Version: {server}\n"));
                }
                Err(words) => error = Some(words),
            }
        }
        match format.as_deref() {
            Some("json") => kubectl.io.out(pretty(&object)),
            Some(_) => return kubectl.fail("lab: not modelled: kubectl version -o yaml"),
            None => kubectl.io.out(text),
        }
        error.map_or(Exit::Code(0), |words| kubectl.fail(&words))
    }))
}

pub(crate) fn version_of(version: &str) -> Value {
    let mut parts = version.trim_start_matches('v').split('.');
    json!({
        "major": parts.next().unwrap_or(""),
        "minor": parts.next().unwrap_or(""),
        "gitVersion": version,
        "gitTreeState": "clean",
        "platform": "linux/amd64",
    })
}

/// JSON as kubectl prints it.
pub(crate) fn pretty(value: &Value) -> String {
    let mut out = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, format);
    // A Value always serialises.
    let _ = serde::Serialize::serialize(value, &mut serializer);
    out.push(b'\n');
    String::from_utf8_lossy(&out).into_owned()
}

/// A kind by the names that kubectl takes: the kind, plural for messages, table columns.
fn kind_of(name: &str) -> Option<(KubeKind, &'static str, &'static str, &'static [&'static str])> {
    Some(match name {
        "node" | "nodes" | "no" => {
            (KubeKind::Nodes, "nodes", "node", &["NAME", "STATUS", "ROLES", "AGE", "VERSION"])
        }
        "pod" | "pods" | "po" => {
            (KubeKind::Pods, "pods", "pod", &["NAME", "READY", "STATUS", "RESTARTS", "AGE"])
        }
        "namespace" | "namespaces" | "ns" => {
            (KubeKind::Namespaces, "namespaces", "namespace", &["NAME", "STATUS", "AGE"])
        }
        "pdb" | "poddisruptionbudget" | "poddisruptionbudgets" => (
            KubeKind::Budgets,
            "poddisruptionbudgets.policy",
            "poddisruptionbudget.policy",
            &["NAME", "MIN AVAILABLE", "MAX UNAVAILABLE", "ALLOWED DISRUPTIONS", "AGE"],
        ),
        "crd" | "crds" | "customresourcedefinition" | "customresourcedefinitions" => (
            KubeKind::Crds,
            "customresourcedefinitions.apiextensions.k8s.io",
            "customresourcedefinition.apiextensions.k8s.io",
            &["NAME", "CREATED AT"],
        ),
        _ => return None,
    })
}

fn wide_columns(kind: KubeKind) -> &'static [&'static str] {
    match kind {
        KubeKind::Nodes => {
            &["INTERNAL-IP", "EXTERNAL-IP", "OS-IMAGE", "KERNEL-VERSION", "CONTAINER-RUNTIME"]
        }
        KubeKind::Pods => &["IP", "NODE", "NOMINATED NODE", "READINESS GATES"],
        _ => &[],
    }
}

pub(super) fn get(start: &Start<'_>) -> Result<Process, ToolOutput> {
    let mut words = start.words.clone();
    if let Some((kind, name)) = words.first().and_then(|word| word.split_once('/')) {
        words = vec![kind.to_owned(), name.to_owned()];
    }
    let Some(word) = words.first() else {
        return Err(failed("error: Required resource not specified.\n"));
    };
    let (kind, plural, singular, columns) =
        kind_of(word).ok_or_else(|| not_modelled(&format!("kubectl get {word}")))?;
    for selector in ["selector", "field-selector"] {
        if start.flags.given(selector) {
            return Err(not_modelled(&format!("kubectl get --{selector}")));
        }
    }
    let names = words[1..].to_vec();
    let format = start.flags.one("output").unwrap_or("").to_owned();
    if !matches!(format.as_str(), "" | "json" | "wide" | "name") {
        return Err(not_modelled(&format!("kubectl get -o {format}")));
    }
    let everywhere = start.flags.bool("all-namespaces", false);
    let namespace = start.flags.one("namespace").unwrap_or("default").to_owned();
    let quiet = start.flags.bool("ignore-not-found", false);
    let headers = !start.flags.bool("no-headers", false);
    let kubectl = start.target()?;
    Ok(Start::run(kubectl, async move |kubectl: Kubectl| {
        let view = match kubectl.view(kind).await {
            Ok(view) => view,
            Err(words) => return kubectl.fail(&words),
        };
        let mut found = list(&view.kube, kind, &kubectl.spec, &kubectl.io);
        found
            .retain(|one| everywhere || one.namespace.as_ref().is_none_or(|its| *its == namespace));
        let mut missing = Vec::new();
        if !names.is_empty() {
            missing = names
                .iter()
                .filter(|name| !found.iter().any(|one| one.name == **name))
                .cloned()
                .collect();
            found.retain(|one| names.contains(&one.name));
        }
        let single = names.len() == 1;
        match format.as_str() {
            "json" if single => {
                if let Some(one) = found.first() {
                    kubectl.io.out(pretty(&one.object));
                }
            }
            "json" => {
                let items: Vec<&Value> = found.iter().map(|one| &one.object).collect();
                kubectl.io.out(pretty(&json!({
                    "apiVersion": "v1",
                    "items": items,
                    "kind": "List",
                    "metadata": {"resourceVersion": ""},
                })));
            }
            "name" => {
                for one in &found {
                    kubectl.io.out(format!("{singular}/{}\n", one.name));
                }
            }
            _ if found.is_empty() && names.is_empty() => {
                let place = if everywhere || matches!(kind, KubeKind::Nodes | KubeKind::Crds) {
                    String::new()
                } else {
                    format!(" in {namespace} namespace")
                };
                kubectl.io.err(format!("No resources found{place}\n"));
            }
            _ if found.is_empty() => {}
            _ => {
                let wide = format == "wide";
                kubectl.io.out(rows(&found, columns, kind, wide, everywhere, headers));
            }
        }
        if quiet || missing.is_empty() {
            return Exit::Code(0);
        }
        for name in missing {
            kubectl.io.err(format!("Error from server (NotFound): {plural} {name:?} not found\n"));
        }
        Exit::Code(1)
    }))
}

fn rows(
    found: &[Listed],
    columns: &[&str],
    kind: KubeKind,
    wide: bool,
    everywhere: bool,
    headers: bool,
) -> String {
    let spaced = everywhere && found.iter().any(|one| one.namespace.is_some());
    let mut rows = Vec::new();
    if headers {
        let mut head: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
        if wide {
            head.extend(wide_columns(kind).iter().map(|name| (*name).to_owned()));
        }
        if spaced {
            head.insert(0, "NAMESPACE".into());
        }
        rows.push(head);
    }
    for one in found {
        let mut row = one.row.clone();
        if wide {
            row.extend(one.wide.iter().cloned());
        }
        if spaced {
            row.insert(0, one.namespace.clone().unwrap_or_default());
        }
        rows.push(row);
    }
    table(&rows, 3)
}
