//! The typed calls about manifests as files: a kustomization built, the objects of a text, two texts compared. None of them asks a cluster.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CallSpec;
use super::fs::{Content, read_by_process, read_of};
use crate::argv::Argv;
use crate::effect::{Effect, Scope, Subject};

/// `kube.kustomize { path }`: what a kustomization builds, as one text. Secret where it holds a Secret's values.
///
/// The tool is `kustomize` where it is installed, because a repository that pins it means that version; else the one inside kubectl.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kustomize {
    /// Folder of the kustomization, relative to the root.
    pub path: String,
    /// It may fetch what other machines hold. Without this everything that it names must lie in the repository.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub remote: bool,
}

impl Kustomize {
    /// The commands that build a folder, the preferred one first. Neither knows a cluster.
    pub fn commands(folder: &str) -> [Argv; 2] {
        // `./` in front: a folder whose name begins with a dash is no flag.
        let folder = format!("./{folder}");
        [
            Argv::new("kustomize").arg("build").arg(&folder),
            Argv::new("kubectl").arg("kustomize").arg(&folder),
        ]
    }
}

impl CallSpec for Kustomize {
    fn effect(&self) -> Effect {
        Effect::Reads
    }
    fn scope(&self) -> Scope {
        // Which of the tools it is, and in which version, is no input that a step could be judged by: it runs again.
        if self.remote { Scope::Remote } else { Scope::Process }
    }
    fn reads(&self) -> Vec<Subject> {
        // Bases lie beside it as a rule, so the whole of its first folder counts.
        let first = self.path.split('/').find(|part| !matches!(*part, "" | "."));
        read_by_process(first.map(|first| vec![first.to_owned()]).as_deref())
    }
    fn stable(&self) -> &'static [&'static str] {
        &["*"]
    }
    fn about(&self) -> String {
        self.path.clone()
    }
}

/// `kube.objects { content }`: which objects a text of manifests holds, in its order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Objects {
    /// Manifests: text, a blob or a secret.
    pub content: Content,
}

impl CallSpec for Objects {
    fn effect(&self) -> Effect {
        Effect::Reads
    }
    fn scope(&self) -> Scope {
        Scope::Local
    }
    fn stable(&self) -> &'static [&'static str] {
        &["*"]
    }
}

/// `kube.diff { content, against, … }`: where the objects of two texts of manifests differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Diff {
    /// Manifests: text, a blob or a secret.
    pub content: Content,
    /// What they should be.
    pub against: Content,
    /// Files with ArgoCD Applications: what their `ignoreDifferences` name is left out on both sides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore_differences: Vec<String>,
    /// Only Applications that deploy this folder count; all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl CallSpec for Diff {
    fn effect(&self) -> Effect {
        Effect::Reads
    }
    fn scope(&self) -> Scope {
        Scope::Local
    }
    fn reads(&self) -> Vec<Subject> {
        self.ignore_differences.iter().flat_map(|path| read_of(path)).collect()
    }
    fn stable(&self) -> &'static [&'static str] {
        &["*"]
    }
    fn about(&self) -> String {
        self.source.clone().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_looks_like_a_flag_is_a_folder() {
        let lines = Kustomize::commands("--enable-helm").map(|argv| argv.shown());
        assert_eq!(lines, ["kustomize build ./--enable-helm", "kubectl kustomize ./--enable-helm"]);
    }

    #[test]
    fn a_build_is_unknown_once_a_plan_has_written_beside_it() {
        let call = |path: &str| Kustomize { path: path.to_owned(), remote: false }.reads();
        let touched = |path: &str, written: &str| {
            let written = super::super::fs::written_to(written);
            call(path).iter().any(|read| written.iter().any(|w| w.touches(read)))
        };
        assert!(touched("apps/cilium", "apps/base/values.yaml"));
        assert!(touched("./apps/cilium", "apps/cilium/kustomization.yaml"));
        assert!(!touched("apps/cilium", "bootstrap/patches/cilium.yaml"));
        assert!(touched(".", "anything"));
    }
}
