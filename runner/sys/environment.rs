//! What a child process inherits, and where programs are found. Nothing ambient that selects a cluster, a release or a repository gets through.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// A variable on an argv: what starts sees the shims first on its PATH, so that every tool inside is judged. Children see it too.
pub const THROUGH_SHIMS: &str = "OPS_SHIMS";

/// Variables that would choose a target behind the typed arguments' back, or change what a tool prints. `*` stands for any end.
const SCRUBBED: &[&str] = &[
    // Clusters: context, node and namespace are said on every command line.
    "KUBE*",
    "TALOS*",
    "OMNI*",
    "HELM*",
    "FLUX*",
    "ARGOCD*",
    "VELERO*",
    // What a shell reads before the script that it was given.
    "BASH_ENV",
    "ENV",
    "BASH_FUNC_*",
    "SHELLOPTS",
    "BASHOPTS",
    "CDPATH",
    "GLOBIGNORE",
    "PROMPT_COMMAND",
    "PS4",
    // Set inside a Git hook, where `ops plan --git` runs: they would point git at another repository or index.
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_CONFIG*",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
    "GIT_PAGER",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    // Language and our own.
    "LC_*",
    "LANG",
    "LANGUAGE",
    "OPS_FAULT",
    "OPS_SHIMS",
];

/// The environment of children, and the programs on its PATH.
#[derive(Debug)]
pub struct Environment {
    vars: Vec<(OsString, OsString)>,
    /// Absolute entries of PATH: a relative one would run what lies in the repository.
    path: Vec<PathBuf>,
    shims: Option<PathBuf>,
    own: Option<PathBuf>,
    found: RefCell<BTreeMap<(String, bool), Option<PathBuf>>>,
}

impl Environment {
    /// From the variables of this process, without those that choose a target. `shims` is the folder of this run's shims; `own` is this
    /// program: a file on PATH that is a link to it is a shim of another run.
    pub fn new(
        vars: impl IntoIterator<Item = (OsString, OsString)>,
        shims: Option<PathBuf>,
        own: Option<&Path>,
    ) -> Environment {
        let (path, mut vars): (Vec<_>, Vec<_>) =
            vars.into_iter().filter(|(name, _)| !scrubbed(name)).partition(|(n, _)| n == "PATH");
        vars.push(("LC_ALL".into(), "C".into()));
        let path = path.into_iter().next().map(|(_, value)| value).unwrap_or_default();
        Environment {
            vars,
            path: std::env::split_paths(&path)
                .filter(|p| p.is_absolute() && Some(p) != shims.as_ref())
                .collect(),
            shims,
            own: own.and_then(|own| own.canonicalize().ok()),
            found: RefCell::default(),
        }
    }

    /// From the real process.
    pub fn of_process(shims: Option<PathBuf>) -> Environment {
        Environment::new(std::env::vars_os(), shims, std::env::current_exe().ok().as_deref())
    }

    /// The program of that name; looked up once per run. A name with a `/` is a path from `root`. `through_shims`: a shim of that name wins.
    pub fn find(&self, tool: &str, root: &Path, through_shims: bool) -> Option<PathBuf> {
        let key = (tool.to_owned(), through_shims);
        if let Some(found) = self.found.borrow().get(&key) {
            return found.clone();
        }
        let path = self.path_value(through_shims);
        // An empty PATH would mean the working directory.
        let found = (!path.is_empty() || tool.contains('/'))
            .then(|| which::which_in_all(tool, Some(path), root).ok())
            .flatten()
            .and_then(|mut all| all.find(|p| through_shims || !self.is_shim(p)));
        self.found.borrow_mut().insert(key, found.clone());
        found
    }

    /// Every variable of a child but those of its own argv.
    pub fn vars(&self, through_shims: bool) -> impl Iterator<Item = (&OsStr, OsString)> {
        let own = [(OsStr::new("PATH"), self.path_value(through_shims))];
        self.vars.iter().map(|(name, value)| (name.as_os_str(), value.clone())).chain(own)
    }

    fn path_value(&self, through_shims: bool) -> OsString {
        let shims = self.shims.iter().filter(|_| through_shims);
        // The parts came from a PATH, so none holds a separator.
        std::env::join_paths(shims.chain(&self.path)).unwrap_or_default()
    }

    fn is_shim(&self, path: &Path) -> bool {
        let real = path.canonicalize();
        self.own.as_ref().is_some_and(|own| real.as_ref().is_ok_and(|real| real == own))
    }
}

fn scrubbed(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    SCRUBBED.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start.as_bytes()),
        None => name == pattern.as_bytes(),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn environment(vars: &[(&str, &str)], shims: Option<&Path>, own: Option<&Path>) -> Environment {
        let vars = vars.iter().map(|(n, v)| (OsString::from(n), OsString::from(v)));
        Environment::new(vars, shims.map(Path::to_owned), own)
    }

    fn program(folder: &Path, name: &str) -> PathBuf {
        std::fs::create_dir_all(folder).unwrap();
        let path = folder.join(name);
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn what_chooses_a_target_does_not_get_through() {
        let ambient = [
            "KUBECONFIG",
            "KUBE_EDITOR",
            "TALOSCONFIG",
            "TALOS_NODES",
            "HELM_NAMESPACE",
            "HELM_KUBECONTEXT",
            "FLUX_SYSTEM_NAMESPACE",
            "BASH_ENV",
            "GIT_DIR",
            "LC_ALL",
            "LC_TIME",
            "LANG",
            "OPS_FAULT",
            "BASH_FUNC_ls%%",
        ];
        let vars: Vec<(&str, &str)> =
            ambient.iter().map(|n| (*n, "x")).chain([("HOME", "/h")]).collect();
        let environment = environment(&vars, None, None);
        let left: Vec<_> = environment.vars(false).map(|(n, v)| (n.to_owned(), v)).collect();
        let expected = [("HOME", "/h"), ("LC_ALL", "C"), ("PATH", "")];
        assert_eq!(left, expected.map(|(n, v)| (OsString::from(n), OsString::from(v))));
    }

    #[test]
    fn a_shim_is_found_only_by_those_who_must_go_through_it() {
        let dir = tempfile::tempdir().unwrap();
        let real = program(&dir.path().join("bin"), "talosctl");
        let shim = program(&dir.path().join("shims"), "talosctl");
        let shims = dir.path().join("shims");
        let path = std::env::join_paths([&shims, &dir.path().join("bin")]).unwrap();
        let found = environment(&[("PATH", path.to_str().unwrap())], Some(&shims), None);
        assert_eq!(found.find("talosctl", dir.path(), false), Some(real));
        assert_eq!(found.find("talosctl", dir.path(), true), Some(shim));
    }

    #[test]
    fn a_link_to_this_program_is_another_runs_shim_and_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let own = program(&dir.path().join("own"), "ops");
        let real = program(&dir.path().join("bin"), "helm");
        let other = dir.path().join("other");
        std::fs::create_dir(&other).unwrap();
        symlink(&own, other.join("helm")).unwrap();
        let path = std::env::join_paths([&other, &dir.path().join("bin")]).unwrap();
        let found = environment(&[("PATH", path.to_str().unwrap())], None, Some(&own));
        assert_eq!(found.find("helm", dir.path(), false), Some(real));
    }

    #[test]
    fn a_relative_entry_of_path_is_no_place_for_programs() {
        let dir = tempfile::tempdir().unwrap();
        program(dir.path(), "git");
        for path in [".", "", "bin:."] {
            assert_eq!(
                environment(&[("PATH", path)], None, None).find("git", dir.path(), false),
                None
            );
        }
    }
}
