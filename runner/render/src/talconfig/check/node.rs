//! What a node says, its group in force.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{is_address, is_host, is_hostname, is_image_name, is_label_value, is_qualified};
use super::{Findings, schematic};
use crate::diagnostic::Mark;
use crate::machinery::value::Value;
use crate::talconfig::view::View;
use crate::talconfig::{Node, Schema, Talconfig};

pub(super) fn check(findings: &mut Findings<'_>, config: &Talconfig, schema: &Schema) {
    let mut known: BTreeMap<&str, Mark> = BTreeMap::new();
    for node in &config.nodes {
        identity(findings, node, schema, &mut known);
        let setting = |key: &str| node.setting(schema, key);
        if let Some(image) = setting("talosImageURL") {
            let text = image.as_text();
            findings.need(is_image_name(text), image.mark, || {
                format!("`{text}` is no image without a tag, like example.org/installer/abc")
            });
        }
        for key in ["nodeLabels", "nodeAnnotations", "nodeTaints"] {
            if let Some(map) = setting(key) {
                marks(findings, key, map);
            }
        }
        disks(findings, node, schema);
        files(findings, node, schema);
        for server in node.items(schema, "nameservers") {
            let text = server.as_text();
            findings.need(is_address(text), server.mark, || format!("`{text}` is no IP address"));
        }
        super::links::check(findings, &node.items(schema, "networkInterfaces"));
        if let Some(spec) = setting("machineSpec") {
            machine(findings, spec);
        }
        schematic::check(findings, config, node, schema);
        if let Some(firewall) = setting("ingressFirewall") {
            rules(findings, firewall);
        }
        for key in ["volumes", "userVolumes", "extensionServices"] {
            let mut names = BTreeSet::new();
            for item in node.items(schema, key) {
                let name = item.text("name");
                findings.need(!name.is_empty(), item.place("name"), || {
                    format!("an item of `{key}` needs a `name`")
                });
                findings.need(names.insert(name), item.place("name"), || {
                    format!("`{name}` is in `{key}` twice")
                });
            }
        }
    }
}

fn identity<'c>(
    findings: &mut Findings<'_>,
    node: &'c Node,
    schema: &Schema,
    known: &mut BTreeMap<&'c str, Mark>,
) {
    let hostname = node.hostname.as_str();
    let place = node.place(schema, "hostname");
    if hostname.is_empty() {
        findings.add(place, "the node has no `hostname`");
    } else if !is_hostname(hostname) {
        findings.add(place, format!("`{hostname}` is no host name"));
    } else if let Some(first) = known.insert(hostname, place) {
        findings.add(place, format!("node `{hostname}` is in line {} already", first.line));
    }
    let place = node.place(schema, "ipAddress");
    if node.setting(schema, "ipAddress").is_none() {
        findings.add(place, format!("node `{hostname}` has no `ipAddress`"));
    } else {
        for address in &node.addresses {
            findings.need(is_host(address), place, || {
                format!("`{address}` is no IP address and no host name")
            });
        }
    }
    let selector = node.setting(schema, "installDiskSelector");
    if node.install_disk.is_empty() && selector.is_none() {
        let message =
            format!("node `{hostname}` has no `installDisk` and no `installDiskSelector`");
        findings.add(node.mark, message);
    }
    if let Some(selector) = selector {
        let name = selector.text("name");
        findings.need(name.is_empty(), selector.place("name"), || {
            "Talos selects no disk by `name`".to_owned()
        });
        let kind = selector.text("type");
        let kinds = ["", "hdd", "ssd", "nvme", "sd"];
        if !kinds.contains(&kind) {
            let message = format!("`{kind}` is no type of disk: hdd, ssd, nvme or sd");
            let place = selector.place("type");
            if kinds.contains(&kind.to_lowercase().as_str()) {
                findings.hinted(place, message, "it is written in small letters");
            } else {
                findings.add(place, message);
            }
        }
    }
}

fn marks(findings: &mut Findings<'_>, key: &str, map: View<'_>) {
    let template = |text: &str| text.contains("{{") || text.contains("}}");
    for (name, value) in map.pairs() {
        let text = value.as_text();
        if key != "nodeTaints" && template(text) {
            continue;
        }
        findings
            .need(is_qualified(name), value.mark, || format!("`{name}` is no name for `{key}`"));
        match key {
            "nodeLabels" => findings.need(is_label_value(text), value.mark, || {
                format!("`{text}` is no value of a label")
            }),
            "nodeTaints" => {
                let (label, effect) = text.split_once(':').unwrap_or(("", text));
                let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
                findings.need(
                    effects.contains(&effect) && is_label_value(label),
                    value.mark,
                    || {
                        format!(
                            "`{text}` is no taint like `value:NoSchedule`; effects are {}",
                            effects.join(", ")
                        )
                    },
                );
            }
            _ => {}
        }
    }
}

fn disks(findings: &mut Findings<'_>, node: &Node, schema: &Schema) {
    for disk in node.items(schema, "machineDisks") {
        let partitions = disk.list("partitions");
        let all_but_last = partitions.iter().take(partitions.len().saturating_sub(1));
        for partition in all_but_last.filter(|partition| partition.number("size") == 0) {
            let message = "only the last partition of a disk may go without `size`";
            findings.add(partition.mark, message);
        }
    }
}

fn files(findings: &mut Findings<'_>, node: &Node, schema: &Schema) {
    for file in node.items(schema, "machineFiles") {
        let (op, path) = (file.text("op"), file.text("path"));
        findings.need(["create", "append", "overwrite"].contains(&op), file.place("op"), || {
            format!("`{op}` is no operation: create, append or overwrite")
        });
        findings.need(path.starts_with('/') && !path.contains('\0'), file.place("path"), || {
            format!("`{path}` is no absolute path")
        });
    }
}

fn machine(findings: &mut Findings<'_>, spec: View<'_>) {
    let (method, suffix) = (spec.text("bootMethod"), spec.text("imageSuffix"));
    let suffixes: &[&str] = match method {
        "" | "iso" => &["iso"],
        "disk-image" => &["raw.zst", "raw.xz", "raw.tar.gz", "vhd.xz", "raw.gz", "ova", "qcow2"],
        "pxe" => &[],
        _ => {
            let message = format!("`{method}` is no boot method: iso, disk-image or pxe");
            findings.add(spec.place("bootMethod"), message);
            return;
        }
    };
    findings.need(
        suffix.is_empty() || suffixes.contains(&suffix),
        spec.place("imageSuffix"),
        || match suffixes {
            [] => format!("`{method}` has no `imageSuffix`"),
            known => format!("`{suffix}` is no suffix of {method}: {}", known.join(", ")),
        },
    );
}

fn rules(findings: &mut Findings<'_>, firewall: View<'_>) {
    for rule in firewall.list("rules") {
        let name = !rule.text("name").is_empty();
        findings.need(name, rule.mark, || "a rule needs a `name`".to_owned());
        let selector = rule.field("portSelector");
        let protocol = selector.map_or(0, |selector| selector.number("protocol"));
        findings.need(protocol != 0, rule.place("portSelector"), || {
            "a rule needs `portSelector.protocol`".to_owned()
        });
        let ports = selector.map(|selector| selector.list("ports")).unwrap_or_default();
        findings.need(!ports.is_empty(), rule.place("portSelector"), || {
            "a rule needs `portSelector.ports`".to_owned()
        });
        let mut ranges: Vec<(i128, i128, Mark)> = Vec::new();
        for port in &ports {
            if let [Value::Int(low), Value::Int(high)] = port.value.fields() {
                ranges.push((*low, *high, port.mark));
            }
        }
        ranges.sort_by_key(|(low, _, _)| *low);
        for (low, high, mark) in &ranges {
            findings.need(low <= high, *mark, || format!("{low}-{high} is no range of ports"));
        }
        for pair in ranges.windows(2) {
            findings.need(pair[1].0 > pair[0].1, pair[1].2, || {
                format!("ports from {} are here twice", pair[1].0)
            });
        }
    }
}
