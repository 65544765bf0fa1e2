//! What a file of another tool says of a cluster, in the words of an inventory. Which tool it was makes no difference from here on.

use std::collections::BTreeMap;

use ops_core::inventory::{InstallDisk, Node, Role};
use ops_core::machines::Origin;

/// What the other file gives. What it does not give, the inventory may say.
#[derive(Clone, Debug)]
pub(super) struct Foreign {
    /// Path of the file, for messages.
    pub file: String,
    pub origin: Origin,
    pub cluster_name: String,
    pub endpoint: String,
    pub talos: Option<String>,
    pub kubernetes: Option<String>,
    /// Empty where the file leaves them to Talos.
    pub pod_cidrs: Vec<String>,
    pub service_cidrs: Vec<String>,
    pub nodes: Vec<Node>,
    pub file_names: BTreeMap<String, String>,
    /// Where the secrets bundle lies unless the inventory says otherwise.
    pub secrets: String,
    /// Where rendered configs go unless the inventory says otherwise.
    pub config_dir: String,
}

/// A node as such a file names it.
pub(super) fn node(name: &str, role: Role, address: &str, disk: Option<InstallDisk>) -> Node {
    Node {
        name: name.to_owned(),
        role,
        address: address.to_owned(),
        endpoint: None,
        install_disk: disk,
        tags: Vec::new(),
    }
}
