//! The files by which a person reaches a lab's cluster. Knows nothing of where they lie.

use super::Lab;
use crate::config::{self, Secrets};

/// The files that a person with access to a healthy lab would hold.
#[derive(Clone, Debug)]
pub struct ClientFiles {
    /// `secrets.yaml`.
    pub secrets: String,
    /// A talosconfig with one admin context, named after the cluster, without nodes.
    pub talosconfig: String,
    /// An admin kubeconfig with the context `admin@CLUSTER`.
    pub kubeconfig: String,
}

impl Lab {
    /// Client files of the lab's own secrets, valid from now.
    pub fn client_files(&mut self) -> ClientFiles {
        let from = config::encode::EPOCH + self.world.now / 1_000;
        let endpoints: Vec<String> = self
            .spec
            .nodes
            .iter()
            .filter(|node| node.role == crate::spec::Role::ControlPlane)
            .map(|node| node.address.clone())
            .collect();
        let talos = Secrets::client("talos", "os:admin", from, &mut self.random);
        let kube = Secrets::client("kubernetes", "system:masters", from, &mut self.random);
        let certs = &self.secrets.certs;
        ClientFiles {
            secrets: self.secrets.yaml(),
            talosconfig: config::client::talosconfig(
                &self.spec.cluster,
                &endpoints,
                &certs.os.crt,
                &talos,
            ),
            kubeconfig: config::client::kubeconfig(
                &self.spec.cluster,
                &self.spec.endpoint,
                &certs.k8s.crt,
                &kube,
            ),
        }
    }
}
