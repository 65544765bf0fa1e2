//! What the whole file says: versions, endpoint, networks, manifests.

use std::collections::BTreeSet;

use super::Findings;
use super::words::{is_domain, is_prefix};
use crate::machinery::url::Url;
use crate::talconfig::view::View;
use crate::talconfig::{Schema, Talconfig, version};

pub(super) fn check(findings: &mut Findings<'_>, config: &Talconfig, schema: &Schema) {
    let root = config.view(schema);
    for key in ["clusterName", "kubernetesVersion", "endpoint"] {
        let given = !root.text(key).is_empty();
        findings.need(given, root.place(key), || format!("`{key}` is missing"));
    }
    versions(findings, root);
    let endpoint = root.text("endpoint");
    let secure =
        Url::parse(endpoint).is_ok_and(|url| url.scheme == "https" && !url.host.is_empty());
    findings.need(endpoint.is_empty() || secure, root.place("endpoint"), || {
        format!("`{endpoint}` is no endpoint like https://10.0.0.10:6443")
    });
    let domain = root.text("domain");
    findings.need(domain.is_empty() || is_domain(domain), root.place("domain"), || {
        format!("`{domain}` is no domain")
    });
    for key in ["clusterPodNets", "clusterSvcNets"] {
        for net in root.list(key) {
            let text = net.as_text();
            findings.need(is_prefix(text), net.mark, || {
                format!("`{text}` is no network like 10.244.0.0/16")
            });
        }
    }
    if let Some(cni) = root.field("cniConfig") {
        network_plugin(findings, cni);
    }
    let mut names = BTreeSet::new();
    for manifest in root.list("inlineManifests") {
        let name = manifest.text("name");
        findings.need(!name.trim().is_empty(), manifest.place("name"), || {
            "an inline manifest needs a `name`".to_owned()
        });
        findings.need(names.insert(name), manifest.place("name"), || {
            format!("the inline manifest `{name}` is here twice")
        });
    }
    if root.list("nodes").is_empty() {
        findings.add(root.mark, "`nodes` is missing or empty");
    }
}

/// The Kubernetes minors that a Talos minor runs.
fn supported(talos: u32) -> (u32, u32) {
    match talos {
        2 => (23, 25),
        3 => (24, 26),
        4 => (25, 27),
        5 => (26, 28),
        6 => (24, 29),
        minor => (minor + 18, minor + 23),
    }
}

/// Major and minor of a version that has a patch number too.
fn exact(text: &str) -> Option<(u32, u32)> {
    version(text).filter(|_| text.split('.').count() >= 3)
}

fn versions(findings: &mut Findings<'_>, root: View<'_>) {
    let talos = root.text("talosVersion");
    let minor = if talos.is_empty() {
        Some(13)
    } else {
        let found = exact(talos).filter(|(major, minor)| *major == 1 && (2..=14).contains(minor));
        let mark = root.place("talosVersion");
        findings.need(found.is_some(), mark, || {
            format!("`{talos}` is no version of Talos like v1.13.0, from 1.2 to 1.14")
        });
        found.map(|(_, minor)| minor)
    };
    let kubernetes = root.text("kubernetesVersion");
    if kubernetes.is_empty() {
        return;
    }
    let mark = root.place("kubernetesVersion");
    let Some((1, found)) = exact(kubernetes) else {
        findings.add(mark, format!("`{kubernetes}` is no version of Kubernetes like v1.33.0"));
        return;
    };
    if let Some(minor) = minor {
        let (least, most) = supported(minor);
        findings.need((least..=most).contains(&found), mark, || {
            format!("Talos 1.{minor} runs Kubernetes 1.{least} to 1.{most}, not {kubernetes}")
        });
    }
}

fn network_plugin(findings: &mut Findings<'_>, cni: View<'_>) {
    let name = cni.text("name");
    let urls = !cni.list("urls").is_empty();
    let flannel = cni.field("flannel").is_some_and(|flannel| {
        !flannel.list("extraArgs").is_empty()
            || flannel.flag("kubeNetworkPoliciesEnabled") == Some(true)
    });
    match name {
        "flannel" => {}
        "none" | "custom" => findings.need(!flannel, cni.place("flannel"), || {
            format!("`flannel` means nothing for the CNI `{name}`")
        }),
        _ => {
            findings.add(cni.place("name"), format!("`{name}` is no CNI: flannel, custom or none"));
        }
    }
    let wanted = name == "custom";
    findings.need(
        wanted == urls || !matches!(name, "flannel" | "none" | "custom"),
        cni.place("urls"),
        || {
            if wanted {
                "the CNI `custom` needs `urls`".to_owned()
            } else {
                format!("`urls` means nothing for the CNI `{name}`")
            }
        },
    );
}
