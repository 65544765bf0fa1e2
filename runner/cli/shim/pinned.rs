//! The pinned cluster as children see it: client configs with its context alone, and which targets are the pinned one. Starts nothing.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use ops_core::inventory::Cluster;
use ops_core::shim::Override;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

/// Written beside the shims, because an environment does not survive `env -i`.
const FILE: &str = "pinned.json";
const KUBECONFIG: &str = "KUBECONFIG";
const TALOSCONFIG: &str = "TALOSCONFIG";

/// What a shim must know of its run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct Pinned {
    /// The cluster is simulated, and no child reaches it.
    pub lab: bool,
    /// Name of its context; empty where the run has no cluster.
    context: String,
    /// The repository's kubeconfig for it.
    kubeconfig: PathBuf,
    /// The repository's talosconfig for it.
    talosconfig: PathBuf,
}

/// The variables that lead to the private client configs. Where there is none, they lead to nothing, and not to the user's own.
pub(super) fn variables(private: &Path) -> [(&'static str, PathBuf); 2] {
    [(KUBECONFIG, private.join("kubeconfig")), (TALOSCONFIG, private.join("talosconfig"))]
}

impl Pinned {
    /// The cluster of a run, if it has one.
    pub(in crate::cli) fn new(root: &Path, cluster: Option<&Cluster>, lab: bool) -> Pinned {
        match cluster {
            None => Pinned { lab, ..Pinned::default() },
            Some(cluster) => Pinned {
                lab,
                context: cluster.context.clone(),
                kubeconfig: root.join(&cluster.kubeconfig),
                talosconfig: root.join(&cluster.talosconfig),
            },
        }
    }

    /// As the run wrote it.
    pub(super) fn read(private: &Path) -> io::Result<Pinned> {
        Ok(serde_json::from_slice(&fs::read(private.join(FILE))?)?)
    }

    pub(super) fn write(&self, private: &Path) -> io::Result<()> {
        keep(&private.join(FILE), &serde_json::to_vec(self)?)
    }

    /// Makes the private client configs what the repository's say now.
    pub(super) fn refresh(&self, private: &Path) -> io::Result<()> {
        for (name, path) in variables(private) {
            // Nothing real is reached from the lab, and its own files lead nowhere.
            match self.config(name, private).filter(|_| !self.lab) {
                Some(config) => keep(&path, &serde_json::to_vec_pretty(&config)?)?,
                None => match fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                },
            }
        }
        Ok(())
    }

    /// The private client configs by path, as they would stand there outside the lab.
    pub(super) fn configs(&self, private: &Path) -> impl Iterator<Item = (PathBuf, String)> {
        variables(private)
            .into_iter()
            .filter_map(|(name, path)| Some((path, self.config(name, private)?.to_string())))
    }

    fn config(&self, name: &str, private: &Path) -> Option<Value> {
        let folder = self.location(name).parent().unwrap_or(private);
        alone(name, &self.document(name)?, &self.context, folder)
    }

    /// Whether a target that a command names is the pinned cluster.
    pub(super) fn is_target(&self, target: &Override, private: &Path) -> bool {
        match target.name.as_str() {
            "--context" | "--kube-context" | "--kubecontext" | "HELM_KUBECONTEXT" => {
                !target.value.is_empty() && target.value == self.context
            }
            "--kubeconfig" | "KUBECONFIG" => self.is_config(KUBECONFIG, &target.value, private),
            "--talosconfig" | "TALOSCONFIG" => self.is_config(TALOSCONFIG, &target.value, private),
            // talosctl holds whoever answers there against the CA of its config.
            "--endpoints" => true,
            _ => false,
        }
    }

    /// The private file, or the repository's own where that leads to the pinned cluster by itself.
    fn is_config(&self, name: &str, path: &str, private: &Path) -> bool {
        if variables(private).iter().any(|(of, own)| *of == name && own == Path::new(path)) {
            return true;
        }
        let key = if name == KUBECONFIG { "current-context" } else { "context" };
        let same = fs::canonicalize(path).is_ok_and(|path| {
            fs::canonicalize(self.location(name)).is_ok_and(|location| location == path)
        });
        same && self.document(name).is_some_and(|d| d[key] == self.context.as_str())
    }

    fn location(&self, name: &str) -> &Path {
        if name == KUBECONFIG { &self.kubeconfig } else { &self.talosconfig }
    }

    fn document(&self, name: &str) -> Option<Value> {
        serde_saphyr::from_str(&fs::read_to_string(self.location(name)).ok()?).ok()
    }
}

/// A client config with one context; none where it has no such context. Talos nodes are named by each command, never by default. Files that
/// it names lie relative to `folder`.
fn alone(name: &str, config: &Value, context: &str, folder: &Path) -> Option<Value> {
    if name == TALOSCONFIG {
        let mut own = config["contexts"].get(context)?.clone();
        own.as_object_mut()?.remove("nodes");
        return Some(json!({"context": context, "contexts": {context: own}}));
    }
    let named = |list: &str, name: &Value| {
        config[list].as_array()?.iter().find(|entry| entry["name"] == *name).cloned()
    };
    let own = named("contexts", &context.into())?;
    let mut cluster = named("clusters", &own["context"]["cluster"])?;
    let mut user = named("users", &own["context"]["user"])?;
    for key in ["certificate-authority", "client-certificate", "client-key", "tokenFile"] {
        for entry in [cluster.get_mut("cluster"), user.get_mut("user")].into_iter().flatten() {
            if let Some(path) = entry.get_mut(key) {
                *path = json!(folder.join(path.as_str()?));
            }
        }
    }
    Some(json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "contexts": [own],
        "clusters": [cluster],
        "users": [user],
    }))
}

/// Writes a file that only the user may read, in one step.
fn keep(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|kept| kept == bytes) {
        return Ok(());
    }
    let mut file = NamedTempFile::new_in(path.parent().unwrap_or(path))?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests;
