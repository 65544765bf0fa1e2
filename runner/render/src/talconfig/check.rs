//! What a talconfig must have beyond its types. Talhelper finds some of this
//! later, some never.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use super::Schema;
use crate::diagnostic::{Code, Diagnostic, Mark};
use crate::machinery::url::Url;
use crate::machinery::value::Value;
use crate::yaml::node::{Data, Node};

pub(super) fn problem(file: &str, mark: Mark, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(Code::TALCONFIG, file, mark, message)
}

/// Everything that is missing or cannot be meant.
pub(super) fn check(schema: &Schema, file: &str, root: &Node, value: &Value) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let type_id = schema.talconfig();
    for key in ["clusterName", "kubernetesVersion", "endpoint"] {
        if schema.text(type_id, value, key).is_empty() {
            let place = root.get(key).map_or(root.mark, |node| node.mark);
            problems.push(problem(file, place, format!("`{key}` is missing")));
        }
    }
    let endpoint = schema.text(type_id, value, "endpoint");
    let secure =
        Url::parse(&endpoint).is_ok_and(|url| url.scheme == "https" && !url.host.is_empty());
    if !endpoint.is_empty() && !secure {
        let place = root.get("endpoint").map_or(root.mark, |node| node.mark);
        let message = format!("`{endpoint}` is no endpoint like https://10.0.0.10:6443");
        problems.push(problem(file, place, message));
    }
    let nodes = root.get("nodes").map(|nodes| nodes.resolved());
    let items: &[Rc<Node>] = match nodes.map(|nodes| &nodes.data) {
        Some(Data::Sequence(items)) => items,
        _ => &[],
    };
    if items.is_empty() {
        problems.push(problem(file, root.mark, "`nodes` is missing or empty"));
    }
    let Some((list_type, Value::List(values))) = schema.field(type_id, value, "nodes") else {
        return problems;
    };
    let crate::machinery::profile::Shape::List(node_type) = schema.0.get(list_type).shape else {
        return problems;
    };
    let mut known: BTreeMap<String, Mark> = BTreeMap::new();
    for (item, value) in items.iter().zip(values) {
        let place = |key: &str| item.resolved().get(key).map_or(item.mark, |node| node.mark);
        let hostname = schema.text(node_type, value, "hostname");
        if hostname.is_empty() {
            problems.push(problem(file, place("hostname"), "the node has no `hostname`"));
        } else if !is_hostname(&hostname) {
            let message = format!("`{hostname}` is no host name");
            problems.push(problem(file, place("hostname"), message));
        } else if let Some(first) = known.insert(hostname.clone(), place("hostname")) {
            let message = format!("node `{hostname}` is in line {} already", first.line);
            problems.push(problem(file, place("hostname"), message));
        }
        let addresses = schema.text(node_type, value, "ipAddress");
        if addresses.is_empty() {
            let message = format!("node `{hostname}` has no `ipAddress`");
            problems.push(problem(file, place("ipAddress"), message));
        }
        for address in addresses.split(',').map(str::trim).filter(|_| !addresses.is_empty()) {
            if !is_address(address) {
                let message = format!("`{address}` is no IP address and no host name");
                problems.push(problem(file, place("ipAddress"), message));
            }
        }
        let selector = schema.field(node_type, value, "installDiskSelector");
        let selected = selector.is_some_and(|(_, selector)| *selector != Value::Nil);
        if schema.text(node_type, value, "installDisk").is_empty() && !selected {
            let message =
                format!("node `{hostname}` has no `installDisk` and no `installDiskSelector`");
            problems.push(problem(file, item.mark, message));
        }
    }
    problems
}

fn is_hostname(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}

/// An IP address, or a host name that is not a misspelt one.
fn is_address(text: &str) -> bool {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse::<IpAddr>().is_ok() || (!digits && is_hostname(text))
}
