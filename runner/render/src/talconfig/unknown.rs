//! What an unknown key of a talconfig probably was meant to be: a key that an
//! older talhelper had, one that stands elsewhere, one of the machine config.
//! Talhelper itself ignores them all.

use std::collections::BTreeSet;

use super::Schema;
use crate::diagnostic::{Code, Diagnostic};
use crate::yaml::node::Node;

/// Keys that older talhelpers had, and what they became.
const RENAMED: &[(&str, &str)] = &[
    ("allowSchedulingOnControlPlane", "`allowSchedulingOnControlPlanes`, with an s"),
    ("clusterServiceNets", "`clusterSvcNets`"),
    ("configPatches", "`patches` since talhelper 3"),
    ("encryptedPatches", "`patches` with `@FILE`: what SOPS encrypted is opened"),
    ("extraCertSANs", "`certSANs`"),
    ("extraMachineCertSans", "`certSANs`"),
    ("inlinePatch", "one of `patches` since talhelper 3"),
    ("inlinePatches", "`patches` since talhelper 3"),
    ("isoSchematic", "`imageSchematic`"),
    ("overrideExtraCertSANs", "`overrideMachineCertSANs`"),
    ("overrideExtraMachineCertSans", "`overrideMachineCertSANs`"),
    ("overrideMachineCertSans", "`overrideMachineCertSANs`"),
];

/// Where a node's settings stand, for one node and for a group of them.
const HOLDERS: [&str; 3] = ["controlPlane.", "worker.", "nodes[]."];

/// Gives each finding about an unknown key a hint, and drops those about keys
/// of the whole file that are there for their anchors.
pub(super) fn explain(problems: &mut Vec<Diagnostic>, root: &Node, schema: &Schema) {
    problems.retain(|problem| !is_extension(root, problem));
    let mut keys = None;
    for problem in problems.iter_mut().filter(|problem| problem.code == Code::UNKNOWN_KEY) {
        let Some((key, holder)) = place(&problem.message) else { continue };
        if let Some((_, new)) = RENAMED.iter().find(|(old, _)| *old == key) {
            problem.hint = Some(format!("this is {new}"));
        } else if problem.hint.is_none() {
            let keys = keys.get_or_insert_with(|| schema.keys());
            problem.hint = Some(elsewhere(&key, &holder, keys));
        }
    }
}

/// The key that a finding is about and the path of what holds it, without numbers.
fn place(message: &str) -> Option<(String, String)> {
    let mut words = message.strip_prefix("unknown key `")?.split('`');
    let (key, holder) = (words.next()?, words.nth(1).unwrap_or(""));
    let holder = holder.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest));
    Some((key.to_owned(), holder.collect::<Vec<_>>().join("[]")))
}

/// Where the key does stand, if that is one place.
fn elsewhere(key: &str, holder: &str, keys: &BTreeSet<String>) -> String {
    let holder = if holder.is_empty() { String::new() } else { format!("{holder}.") };
    let family = HOLDERS.iter().find(|known| holder.starts_with(**known)).copied();
    if family == Some(holder.as_str()) && ["machine", "cluster"].contains(&key) {
        return "parts of the machine config itself are written in `patches`".to_owned();
    }
    // What one node may say its group may say too: that is the same place.
    let at_home = |path: &String| {
        let rest = HOLDERS.iter().find_map(|known| path.strip_prefix(known));
        let here = rest.map(|rest| format!("{}{rest}", family.unwrap_or("nodes[].")));
        here.filter(|here| keys.contains(here)).unwrap_or_else(|| path.clone())
    };
    let named = |path: &&String| path.rsplit('.').next() == Some(key);
    let places: BTreeSet<String> = keys.iter().filter(named).map(at_home).collect();
    let below: Vec<&String> =
        places.iter().filter(|path| path.starts_with(&holder) && !holder.is_empty()).collect();
    let all: Vec<&String> = places.iter().collect();
    if let [one] = if below.len() == 1 { &below[..] } else { &all[..] } {
        let groups = match one.strip_prefix("nodes[].") {
            Some(rest) if family.is_none() && keys.contains(&format!("worker.{rest}")) => {
                ", or that of `controlPlane` or `worker`"
            }
            _ => "",
        };
        return format!("did you mean `{one}`{groups}?");
    }
    let anchors = "a key that only holds anchors begins with `x-`, `.` or `_`";
    let ignored = "talhelper ignores it: leave it out";
    if holder.is_empty() { anchors } else { ignored }.to_owned()
}

/// Whether a finding is about a key of the whole file that begins with `x-`, `.`
/// or `_`: it is there for its anchors, no typing error makes one.
fn is_extension(root: &Node, problem: &Diagnostic) -> bool {
    let named = |name: &str| name.starts_with("x-") || name.starts_with(['.', '_']);
    problem.code == Code::UNKNOWN_KEY
        && root.pairs().iter().any(|(key, _)| {
            (key.mark.line, key.mark.column) == (problem.line, problem.column) && named(key.text())
        })
}
