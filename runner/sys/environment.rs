//! What a child process inherits, and where programs are found. Nothing ambient that selects a cluster, a release or a repository gets through.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::{Context, Poll};

use super::channel::{Printed, Said};

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

/// Keeps ready what those need who start through the shims.
pub trait Shims: std::fmt::Debug {
    /// Asked before each such start.
    ///
    /// # Errors
    /// As the system says. Then nothing starts: without shims it would find the tools themselves.
    fn ready(&self) -> io::Result<Inside>;

    /// Asked behind each such start: that nobody has moved, replaced or removed them meanwhile.
    ///
    /// # Errors
    /// What is no longer as it was made.
    fn intact(&self) -> io::Result<()> {
        Ok(())
    }

    /// The next thing that one of them says.
    fn poll_said(&self, _task: &mut Context<'_>) -> Poll<Said> {
        Poll::Pending
    }

    /// Answers one with what its tool would have printed.
    fn answer(&self, _said: Said, _printed: &Printed) {}
}

/// What a child finds that starts through the shims.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inside {
    /// The folder of the shims, first on its PATH; the same in the whole run.
    pub folder: PathBuf,
    /// Variables beside the scrubbed environment.
    pub vars: Vec<(&'static str, PathBuf)>,
    /// A folder for what they leave lying, made with the first that needs it: what is declared to read only writes nowhere else.
    pub scratch: PathBuf,
    /// Variables that lead there, for those.
    pub scratch_vars: Vec<(&'static str, PathBuf)>,
}

/// The environment of children, and the programs on its PATH.
#[derive(Debug)]
pub struct Environment {
    vars: Vec<(OsString, OsString)>,
    /// Absolute entries of PATH: a relative one would run what lies in the repository.
    path: Vec<PathBuf>,
    shims: Option<Rc<dyn Shims>>,
    /// Device and inode of this program.
    own: Option<(u64, u64)>,
    found: RefCell<BTreeMap<(String, bool), Option<PathBuf>>>,
}

impl Environment {
    /// From the variables of this process, without those that choose a target. `own` is this program: a file on PATH that is a link to it is
    /// a shim, and no tool.
    pub fn new(
        vars: impl IntoIterator<Item = (OsString, OsString)>,
        shims: Option<Rc<dyn Shims>>,
        own: Option<&Path>,
    ) -> Environment {
        let (path, mut vars): (Vec<_>, Vec<_>) =
            vars.into_iter().filter(|(name, _)| !scrubbed(name)).partition(|(n, _)| n == "PATH");
        vars.push(("LC_ALL".into(), "C".into()));
        let path = path.into_iter().next().map(|(_, value)| value).unwrap_or_default();
        Environment {
            vars,
            path: std::env::split_paths(&path).filter(|p| p.is_absolute()).collect(),
            shims,
            own: own.and_then(inode),
            found: RefCell::default(),
        }
    }

    /// What a child finds that starts through the shims; nothing where this environment has none.
    ///
    /// # Errors
    /// As the shims say.
    pub fn inside(&self) -> io::Result<Option<Inside>> {
        self.shims.as_ref().map(|shims| shims.ready()).transpose()
    }

    /// The shims, where this environment has some.
    pub fn shims(&self) -> Option<&dyn Shims> {
        self.shims.as_deref()
    }

    /// The program of that name; looked up once per run. A name with a `/` is a path from `root`. Inside the shims, a shim of that name wins.
    pub fn find(&self, tool: &str, root: &Path, inside: Option<&Inside>) -> Option<PathBuf> {
        let key = (tool.to_owned(), inside.is_some());
        if let Some(found) = self.found.borrow().get(&key) {
            return found.clone();
        }
        let path = self.path_value(inside);
        // An empty PATH would mean the working directory.
        let found = (!path.is_empty() || tool.contains('/'))
            .then(|| which::which_in_all(tool, Some(path), root).ok())
            .flatten()
            .and_then(|mut all| all.find(|p| inside.is_some() || !self.is_own(p)));
        self.found.borrow_mut().insert(key, found.clone());
        found
    }

    /// Every variable of a child but those of its own argv.
    pub fn vars(&self, inside: Option<&Inside>) -> impl Iterator<Item = (&OsStr, OsString)> {
        let own = [(OsStr::new("PATH"), self.path_value(inside))];
        let pinned: Vec<_> = inside.iter().flat_map(|i| i.vars.clone()).collect();
        let pinned = pinned.into_iter().map(|(n, value)| (OsStr::new(n), value.into_os_string()));
        self.vars.iter().map(|(n, value)| (n.as_os_str(), value.clone())).chain(own).chain(pinned)
    }

    fn path_value(&self, inside: Option<&Inside>) -> OsString {
        let shims = inside.iter().map(|inside| &inside.folder);
        // The parts came from a PATH, and a folder that holds a separator leaves nothing on it: nothing is found.
        std::env::join_paths(shims.chain(&self.path)).unwrap_or_default()
    }

    fn is_own(&self, path: &Path) -> bool {
        self.own.is_some() && self.own == inode(path)
    }
}

/// Device and inode: what makes two paths one file, through links of either kind.
pub fn inode(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
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

    fn environment(vars: &[(&str, &str)], own: Option<&Path>) -> Environment {
        let vars = vars.iter().map(|(n, v)| (OsString::from(n), OsString::from(v)));
        Environment::new(vars, None, own)
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
        let environment = environment(&vars, None);
        let left: Vec<_> = environment.vars(None).map(|(n, v)| (n.to_owned(), v)).collect();
        let expected = [("HOME", "/h"), ("LC_ALL", "C"), ("PATH", "")];
        assert_eq!(left, expected.map(|(n, v)| (OsString::from(n), OsString::from(v))));
    }

    #[test]
    fn a_shim_is_found_only_by_those_who_must_go_through_it() {
        let dir = tempfile::tempdir().unwrap();
        let real = program(&dir.path().join("bin"), "talosctl");
        let shim = program(&dir.path().join("shims"), "talosctl");
        let inside = Inside { folder: dir.path().join("shims"), ..Inside::default() };
        let bin = dir.path().join("bin");
        let found = environment(&[("PATH", bin.to_str().unwrap())], None);
        assert_eq!(found.find("talosctl", dir.path(), None), Some(real));
        assert_eq!(found.find("talosctl", dir.path(), Some(&inside)), Some(shim));
    }

    #[test]
    fn inside_the_shims_their_folder_is_first_on_path_and_their_variables_are_set() {
        let vars = vec![("KUBECONFIG", PathBuf::from("/private/kubeconfig"))];
        let inside = Inside { folder: "/shims".into(), vars, ..Inside::default() };
        let environment = environment(&[("PATH", "/usr/bin:/bin"), ("KUBECONFIG", "/other")], None);
        let left: Vec<_> = environment.vars(Some(&inside)).collect();
        assert!(left.contains(&(OsStr::new("PATH"), "/shims:/usr/bin:/bin".into())), "{left:?}");
        let pinned = left.iter().filter(|(name, _)| *name == "KUBECONFIG");
        assert_eq!(pinned.map(|(_, value)| value).collect::<Vec<_>>(), ["/private/kubeconfig"]);
    }

    #[test]
    fn a_link_to_this_program_is_a_shim_and_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let own = program(&dir.path().join("own"), "ops");
        let real = program(&dir.path().join("bin"), "helm");
        let [soft, hard] = ["soft", "hard"].map(|name| dir.path().join(name));
        std::fs::create_dir(&soft).unwrap();
        std::fs::create_dir(&hard).unwrap();
        symlink(&own, soft.join("helm")).unwrap();
        std::fs::hard_link(&own, hard.join("helm")).unwrap();
        let path = std::env::join_paths([&soft, &hard, &dir.path().join("bin")]).unwrap();
        let found = environment(&[("PATH", path.to_str().unwrap())], Some(&own));
        assert_eq!(found.find("helm", dir.path(), None), Some(real));
    }

    #[test]
    fn a_relative_entry_of_path_is_no_place_for_programs() {
        let dir = tempfile::tempdir().unwrap();
        program(dir.path(), "git");
        for path in [".", "", "bin:."] {
            assert_eq!(environment(&[("PATH", path)], None).find("git", dir.path(), None), None);
        }
    }
}
