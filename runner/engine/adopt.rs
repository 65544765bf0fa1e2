//! Adoption: reads what identifies the cluster and its machines and makes the lock file of it. Writes nothing: the caller shows it first.

use ops_core::error::{Code, Fault};
use ops_core::guard::{EvidenceCode, EvidenceNeed, uuid_is_real};
use ops_core::inventory::{LockFile, NodePin};

use super::idle::passing_time;
use super::session::Session;

/// What an adoption read.
#[derive(Clone, Debug)]
pub struct Adopted {
    /// The lock file as it would be written.
    pub lock: LockFile,
    /// What differs from the old one: `cp-1: new pin`.
    pub changes: Vec<String>,
    /// Nodes that did not answer, and why.
    pub silent: Vec<String>,
}

impl Session<'_> {
    /// Reads the identity of the cluster and of every node, or of one node alone.
    ///
    /// # Errors
    /// A node that the inventory does not have; a Talos CA that differs from the pinned one; nobody answers.
    pub async fn adopt(&self, only: Option<&str>) -> Result<Adopted, Box<Fault>> {
        let cluster = self.site.cluster;
        if let Some(name) = only.filter(|name| cluster.node(name).is_none()) {
            let known = cluster.nodes.iter().map(|n| n.name.as_str());
            return Err(Box::new(
                Fault::new(Code::USAGE, format!("cluster {} has no node `{name}`", cluster.name))
                    .did_you_mean(name, known),
            ));
        }
        let nodes: Vec<&str> = cluster
            .nodes
            .iter()
            .map(|n| n.name.as_str())
            .filter(|name| only.is_none_or(|only| only == *name))
            .collect();
        let need = |code: EvidenceCode, node: Option<&str>| EvidenceNeed {
            code,
            node: node.map(str::to_owned),
            fresh: code.fresh(),
        };
        let mut needs = vec![need(EvidenceCode::Id, None)];
        needs.extend(nodes.iter().map(|node| need(EvidenceCode::Node, Some(node))));
        let facts = passing_time(self.world, self.hands.facts(&needs, &[])).await;

        let old = self.site.lock.cloned().unwrap_or_default();
        let mut lock = LockFile { version: 1, ..old.clone() };
        let mut adopted = Adopted { lock: lock.clone(), changes: Vec::new(), silent: Vec::new() };
        match facts.cluster.map(|seen| seen.found) {
            Some(Ok(identity)) => {
                let pinned = old.talos_ca.as_ref().zip(identity.talos_ca.as_ref());
                if pinned.is_some_and(|(old, new)| old != new) {
                    return Err(Box::new(
                        Fault::new(Code::GUARD_IDENTITY, "this is another cluster than the adopted one")
                            .detail("Its Talos CA differs from the pin in the lock file.")
                            .help("if the cluster was rebuilt with new secrets, remove the lock file by hand and adopt again"),
                    ));
                }
                for (what, old, new) in [
                    ("Talos CA", &mut lock.talos_ca, identity.talos_ca),
                    ("Kubernetes CA", &mut lock.kubernetes_ca, identity.kubernetes_ca),
                    ("kube-system UID", &mut lock.kube_system_uid, identity.kube_system_uid),
                ] {
                    if new.is_some() && *old != new {
                        let shown = new.as_deref().unwrap_or_default();
                        adopted
                            .changes
                            .push(format!("{what}: {}", shown.get(..12).unwrap_or(shown)));
                        *old = new;
                    }
                }
            }
            Some(Err(why)) => adopted.silent.push(format!("the cluster: {why}")),
            None => {}
        }
        for name in nodes {
            let seen = facts.nodes.get(name).and_then(|n| n.identity.as_ref());
            let identity = match seen.map(|seen| &seen.found) {
                Some(Ok(identity)) => identity,
                Some(Err(why)) => {
                    adopted.silent.push(format!("{name}: {why}"));
                    continue;
                }
                None => continue,
            };
            let mut macs = identity.macs.clone();
            macs.sort();
            let pin = NodePin {
                uuid: identity.uuid.clone().filter(|uuid| uuid_is_real(uuid)),
                macs,
                disk_wwid: identity.disk_wwid.clone(),
                serial: identity.serial.clone(),
            };
            if lock.nodes.get(name) != Some(&pin) {
                let word = if lock.nodes.contains_key(name) { "another machine" } else { "new" };
                adopted.changes.push(format!("{name}: {word}, {}", shown(&pin)));
                lock.nodes.insert(name.to_owned(), pin);
            }
        }
        adopted.lock = lock;
        Ok(adopted)
    }
}

fn shown(pin: &NodePin) -> String {
    pin.uuid
        .as_ref()
        .map(|uuid| format!("uuid {uuid}"))
        .or_else(|| pin.macs.first().map(|mac| format!("mac {mac}")))
        .unwrap_or_else(|| "nothing that identifies it".into())
}
