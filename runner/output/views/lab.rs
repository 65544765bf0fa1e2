//! The simulated cluster drawn, and what the simulation stands on.

use ops_core::value::{Map, Value};
use ops_lab::facts::Fact;
use serde_json::json;

use super::object;
use crate::output::paint::{Look, Paint};
use crate::output::{table, wording};

/// A machine of the lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabNode {
    /// Its name in the inventory.
    pub name: String,
    /// `controlplane` or `worker`.
    pub role: String,
    /// Its address.
    pub address: String,
    /// What Talos is doing on it.
    pub stage: String,
    /// What of Talos is on its disk: `installed`, `STATE`, `etcd`.
    pub holds: Vec<String>,
    /// `healthy`, `down`, `waiting`, `starting`, `running`; empty on a worker.
    pub etcd: String,
    /// Ready in Kubernetes.
    pub ready: bool,
    /// Faults that were put into it, and whether it needs hands.
    pub broken: Vec<String>,
}

/// The lab at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabView {
    /// Name of the cluster.
    pub cluster: String,
    /// Its seed.
    pub seed: u64,
    /// Simulated milliseconds since it began.
    pub now: u64,
    /// The machines, in inventory order.
    pub nodes: Vec<LabNode>,
    /// Voters that are healthy, and all of them.
    pub etcd: (usize, usize),
    /// Faults of the cluster as a whole.
    pub broken: Vec<String>,
    /// What was lost, one a line.
    pub losses: Vec<String>,
    /// Requests that reached a node, and those among them that write.
    pub requests: (usize, usize),
}

/// The lab as text.
pub fn lab(view: &LabView, look: Look) -> String {
    let paint = Paint(look.colour);
    let mut out = format!(
        "{}   {} simulated, seed {}, {} in\n",
        paint.warn("lab"),
        view.cluster,
        view.seed,
        wording::took(view.now)
    );
    let rows: Vec<Vec<String>> = view
        .nodes
        .iter()
        .map(|node| {
            let etcd =
                if node.etcd.is_empty() { String::new() } else { format!("etcd {}", node.etcd) };
            vec![
                format!("  {}", node.name),
                node.role.clone(),
                node.address.clone(),
                node.stage.clone(),
                if node.ready { "Ready".into() } else { String::new() },
                etcd,
                node.broken.join(", "),
            ]
        })
        .collect();
    for line in table::lines(&rows, 3) {
        out.push_str(&line);
        out.push('\n');
    }
    let (healthy, voters) = view.etcd;
    let mut foot = vec![vec![
        "  etcd".to_owned(),
        if voters == 0 {
            "not bootstrapped".into()
        } else {
            format!("{healthy} of {voters} voters healthy")
        },
    ]];
    let (all, writes) = view.requests;
    foot.push(vec!["  requests".into(), format!("{all}, {writes} of them writes")]);
    foot.extend(view.broken.iter().map(|fault| vec!["  broken".into(), fault.clone()]));
    if view.losses.is_empty() {
        foot.push(vec!["  lost".into(), "nothing".into()]);
    }
    foot.extend(view.losses.iter().map(|loss| vec!["  LOST".into(), loss.clone()]));
    for line in table::lines(&foot, 3) {
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// The lab for machines.
pub fn lab_json(view: &LabView) -> Map<String, Value> {
    let nodes: Vec<Value> = view
        .nodes
        .iter()
        .map(|n| {
            json!({
                "name": n.name, "role": n.role, "address": n.address, "stage": n.stage,
                "holds": n.holds, "etcd": n.etcd, "ready": n.ready, "broken": n.broken,
            })
        })
        .collect();
    object(json!({
        "cluster": view.cluster, "seed": view.seed, "now": view.now, "nodes": nodes,
        "etcd": {"healthy": view.etcd.0, "voters": view.etcd.1},
        "broken": view.broken, "losses": view.losses,
        "requests": {"all": view.requests.0, "writes": view.requests.1},
    }))
}

/// What the simulation claims of the real world, and how each claim is known.
pub fn facts<'a>(header: &str, facts: impl Iterator<Item = &'a Fact>) -> String {
    let rows: Vec<Vec<String>> = facts
        .map(|fact| {
            let took = fact.ms.map(wording::limit).unwrap_or_default();
            vec![
                fact.tag.word().to_owned(),
                fact.name.to_owned(),
                took,
                fact.what.to_owned(),
                fact.source.to_owned(),
            ]
        })
        .collect();
    let lines = table::lines(&rows, 2).into_iter().map(|line| format!("{line}\n"));
    format!("{header}\n{}", lines.collect::<Vec<_>>().concat())
}

/// The same for machines.
pub fn facts_json<'a>(model: &str, facts: impl Iterator<Item = &'a Fact>) -> Map<String, Value> {
    object(json!({"model": model, "facts": facts.collect::<Vec<_>>()}))
}
