//! Configuration resolved once before anything runs: ops.toml, inventory, lock files, environment. Runs nothing.

pub mod env;
mod inventory;
pub mod lockfile;
mod net;
mod outside;
pub mod project;
mod source;
mod values;

use std::path::{Path, PathBuf};

use ops_core::error::{Code, Fault, Place};
use ops_core::inventory::{Cluster, LockFile};

pub use env::Environment;
pub use inventory::place_of_patch;
pub use outside::{Decrypt, Sealed, beside, folder_of, is_sops};
pub use project::{ChildOutput, Project};
pub use values::{OfRecipe, RecipeSettings, Setting};

use inventory::Inventory;
use outside::Outside;
use source::Source;

/// What the command line says about configuration, before any file is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typed {
    /// `--cluster`.
    pub cluster: Option<String>,
    /// `--lab`.
    pub lab: bool,
    /// `-j`.
    pub jobs: Option<u32>,
    /// `--output`.
    pub output: Option<ChildOutput>,
}

/// Everything that a command needs to know. Resolved once; nothing changes it afterwards.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The repository.
    pub project: Project,
    /// The cluster of this run. In the lab its material lies below `.ops/lab/NAME/`, so that the lab's never touches the real one's.
    pub cluster: Option<Cluster>,
    /// Parameters of recipes that the cluster's inventory gives.
    pub cluster_recipes: RecipeSettings,
    /// The cluster's pins and profile, where it has been adopted.
    pub lock: Option<LockFile>,
    /// Path of the lock file relative to the root; empty without a cluster.
    pub lock_path: String,
    /// The files that the inventory was read from, relative to the root, also those that were looked for and are not there.
    pub inventory_files: Vec<String>,
    /// Whether the lab stands in for the cluster.
    pub lab: bool,
    /// How many branches and steps may work at once; none where nobody says.
    pub jobs: Option<u32>,
    /// How the output of child processes is shown.
    pub output: ChildOutput,
    /// The environment, frozen.
    pub env: Environment,
}

/// `$XDG_STATE_HOME/ops`; nothing where neither XDG_STATE_HOME nor HOME names an absolute folder.
pub fn state_dir(env: &Environment) -> Option<PathBuf> {
    let absolute = |text: &str| Some(PathBuf::from(text)).filter(|p| p.is_absolute());
    let base = env
        .get(env::XDG_STATE_HOME)
        .and_then(absolute)
        .or_else(|| Some(env.get(env::HOME).and_then(absolute)?.join(".local").join("state")));
    base.map(|base| base.join("ops"))
}

impl Settings {
    /// Resolves configuration: command line, then environment, inventory, ops.toml.
    ///
    /// # Errors
    /// The first mistake in a file that this run depends on, at its place.
    ///
    /// `decrypt` opens what is encrypted and needed to know the inventory, such as a talenv.sops.yaml with the cluster's name.
    pub fn resolve(
        project: Project,
        typed: &Typed,
        env: Environment,
        decrypt: &dyn Decrypt,
    ) -> Result<Settings, Fault> {
        let name = cluster_name(&project, typed, &env)?;
        let mut settings = Settings {
            cluster: None,
            cluster_recipes: RecipeSettings::default(),
            lock: None,
            lock_path: String::new(),
            inventory_files: Vec::new(),
            lab: typed.lab,
            jobs: typed.jobs.or(project.jobs),
            output: typed.output.or(project.output).unwrap_or_default(),
            env,
            project,
        };
        if let Some(name) = name {
            settings.take_cluster(&name, decrypt)?;
        }
        Ok(settings)
    }

    /// The repository's root.
    pub fn root(&self) -> &Path {
        &self.project.root
    }

    /// The cluster of this run.
    ///
    /// # Errors
    /// There is none, or there are several and none was chosen.
    pub fn need_cluster(&self) -> Result<&Cluster, Fault> {
        self.cluster.as_ref().ok_or_else(|| no_cluster(&self.project))
    }

    /// Where journals, grants, audit and locks live: `$XDG_STATE_HOME/ops`.
    ///
    /// # Errors
    /// Neither XDG_STATE_HOME nor HOME names an absolute folder.
    pub fn state_dir(&self) -> Result<PathBuf, Fault> {
        state_dir(&self.env).ok_or_else(|| {
            Fault::new(Code::STATE_STORE, "there is no place for the state folder")
                .help("set HOME or XDG_STATE_HOME to an absolute path")
        })
    }

    /// The lab's folder for this cluster, relative to the root.
    ///
    /// # Errors
    /// There is no cluster.
    pub fn lab_dir(&self) -> Result<String, Fault> {
        Ok(lab_dir(&self.need_cluster()?.name))
    }

    /// Who runs this, for journals and audit: a user name, and whether a build service stands behind it.
    pub fn who(&self) -> String {
        let user = self.env.get(env::USER).or_else(|| self.env.get(env::LOGNAME)).unwrap_or("?");
        if self.env.get(env::CI).is_some() { format!("{user} (CI)") } else { user.to_owned() }
    }

    fn take_cluster(&mut self, name: &str, decrypt: &dyn Decrypt) -> Result<(), Fault> {
        let outside = Outside::new(&self.project.root, &self.env, decrypt);
        let Inventory { mut cluster, names_kubeconfig, names_talosconfig, recipes } =
            load(&self.project, name, &outside)?;
        let inventory_files = outside.read.take();
        self.inventory_files.push(format!("clusters/{name}.toml"));
        self.inventory_files.extend(inventory_files);
        if self.lab {
            to_lab(&mut cluster);
            self.lock_path = format!("{}/lock.toml", lab_dir(name));
        } else {
            if !names_kubeconfig {
                self.take_location(env::KUBECONFIG, &mut cluster.kubeconfig);
            }
            if !names_talosconfig {
                self.take_location(env::TALOSCONFIG, &mut cluster.talosconfig);
            }
            self.refuse_shared_material(&cluster)?;
            self.lock_path = format!("clusters/{name}.lock.toml");
        }
        self.lock = lockfile::read(&self.project.root, &self.lock_path)?;
        self.cluster_recipes = recipes;
        self.cluster = Some(cluster);
        Ok(())
    }

    /// Takes a client config's location from the environment, if it is one file inside the repository: a file outside is the user's own, and
    /// `ops` would write to it.
    fn take_location(&self, variable: env::Variable, path: &mut String) {
        let inside = self
            .env
            .get(variable)
            .filter(|value| !value.contains(':'))
            .and_then(|value| Path::new(value).strip_prefix(&self.project.root).ok())
            .and_then(Path::to_str);
        if let Some(inside) = inside.filter(|p| net::inside(p).is_ok()) {
            inside.clone_into(path);
        }
    }

    /// Two clusters with one secrets bundle or client config would overwrite each other's.
    fn refuse_shared_material(&self, cluster: &Cluster) -> Result<(), Fault> {
        let own = [
            ("kubeconfig", &cluster.kubeconfig),
            ("talosconfig", &cluster.talosconfig),
            ("secrets", &cluster.secrets),
        ];
        for other in self.project.clusters.iter().filter(|other| **other != cluster.name) {
            // A mistake in another cluster's file is that cluster's concern.
            let outside = Outside::new(&self.project.root, &self.env, &Sealed);
            let Ok(Inventory { cluster: theirs, .. }) = load(&self.project, other, &outside) else {
                continue;
            };
            for (key, path) in own {
                if [&theirs.kubeconfig, &theirs.talosconfig, &theirs.secrets].contains(&path) {
                    let file = format!("clusters/{}.toml", cluster.name);
                    let place = Place { file, line: 1, column: 0, length: 0, text: None };
                    let name = &cluster.name;
                    return Err(Fault::new(
                        Code::CONFIG_KEY,
                        format!("clusters `{name}` and `{other}` share `{path}`"),
                    )
                    .at(place)
                    .help(format!("give each its own: {key} = \"clusters/{name}/{path}\"")));
                }
            }
        }
        Ok(())
    }
}

/// Reads the inventory of one cluster, with the paths of real material.
fn load(project: &Project, name: &str, outside: &Outside<'_>) -> Result<Inventory, Fault> {
    let source = Source::read(&project.root, &format!("clusters/{name}.toml"))?
        .ok_or_else(|| unknown_cluster(project, name, None))?;
    inventory::read(&source, name, outside)
}

fn cluster_name(
    project: &Project,
    typed: &Typed,
    env: &Environment,
) -> Result<Option<String>, Fault> {
    let known = |name: &str| project.clusters.iter().any(|c| c == name);
    let asked = typed.cluster.as_deref().map(|name| (name, "--cluster"));
    let asked = asked.or_else(|| env.get(env::OPS_CLUSTER).map(|name| (name, "OPS_CLUSTER")));
    if let Some((name, source)) = asked {
        return if known(name) {
            Ok(Some(name.to_owned()))
        } else {
            Err(unknown_cluster(project, name, None).detail(format!("{source} asks for it")))
        };
    }
    if let Some((name, place)) = &project.cluster {
        return if known(name) {
            Ok(Some(name.clone()))
        } else {
            Err(unknown_cluster(project, name, Some(place.clone())))
        };
    }
    match project.clusters.as_slice() {
        [only] => Ok(Some(only.clone())),
        _ => Ok(None),
    }
}

fn unknown_cluster(project: &Project, name: &str, place: Option<Place>) -> Fault {
    let mut fault = Fault::new(Code::CLUSTER_UNKNOWN, format!("there is no cluster `{name}`"));
    if let Some(place) = place {
        fault = fault.at(place);
    }
    let names: Vec<&str> = project.clusters.iter().map(String::as_str).collect();
    fault = fault.did_you_mean(name, names.iter().copied());
    if names.is_empty() {
        fault.help(format!("write clusters/{name}.toml"))
    } else {
        fault.detail(format!("clusters: {}", names.join(", ")))
    }
}

fn no_cluster(project: &Project) -> Fault {
    if project.clusters.is_empty() {
        return Fault::new(Code::CLUSTER_UNKNOWN, "there is no cluster here")
            .detail(format!("{} has no clusters/NAME.toml", project.root.display()))
            .help("write one, or say where the repository is with -C");
    }
    Fault::new(Code::CLUSTER_UNKNOWN, "several clusters, and none was chosen")
        .detail(format!("clusters: {}", project.clusters.join(", ")))
        .help("say --cluster NAME, or set `defaults.cluster` in ops.toml")
}

fn lab_dir(cluster: &str) -> String {
    format!(".ops/lab/{cluster}")
}

/// Moves a cluster's material into the lab's folder.
fn to_lab(cluster: &mut Cluster) {
    let dir = lab_dir(&cluster.name);
    cluster.kubeconfig = format!("{dir}/kubeconfig");
    cluster.talosconfig = format!("{dir}/talosconfig");
    cluster.secrets = format!("{dir}/secrets.yaml");
    cluster.config_dir = format!("{dir}/clusterconfig");
    cluster.snapshot_dir = format!("{dir}/snapshots");
}

#[cfg(test)]
mod tests;
