//! What every crash begins from: a healthy lab, a verified and confirmed recipe, made once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use ops_core::error::Fault;
use ops_core::event::Silent;
use ops_core::guard::{Confirmed, Held, Site};
use ops_core::ident::RunId;
use ops_core::inventory::{Cluster, LockFile, Role};
use ops_core::value::{Map, Value};
use ops_lab::{Lab, LabSpec, NodeSpec};
use serde_json::json;

use super::books::{Books, Person};
use super::children::{Children, Tools};
use super::place::quick;
use crate::config::{Environment, Project, RecipeSettings, Settings, Typed};
use crate::engine::hosted::Hosted;
use crate::engine::idle::passing_time;
use crate::engine::run::Bodies;
use crate::engine::session::Session;
use crate::host::Memo;
use crate::host::simulated::Simulated;
use crate::lua::Host;
use crate::recipe::source::Sources;
use crate::recipe::{Need, params};
use crate::sys::blobs::{Blobs, MemoryBlobs};
use crate::sys::files::Files;
use crate::sys::overlay::Overlay;
use crate::sys::secrets::NoSecrets;
use crate::sys::world::World;

/// A note, as long as notes are: a thousand of them are a reply that no record holds.
const NOTE: &str = "a line of notes as long as lines are where people write notes for each other";

/// The ground that all tests stand on; it is made once.
pub(super) fn ground() -> &'static Ground {
    static GROUND: OnceLock<Ground> = OnceLock::new();
    GROUND.get_or_init(Ground::new)
}

/// Bare machines, of which one becomes the first member of etcd; made once.
pub(super) fn beginning() -> &'static Ground {
    static GROUND: OnceLock<Ground> = OnceLock::new();
    GROUND.get_or_init(|| Ground::over(Lab::bare, include_str!("begin.lua"), &json!({})))
}

/// Arms that end others and are caught; made once.
pub(super) fn arms() -> &'static Ground {
    static GROUND: OnceLock<Ground> = OnceLock::new();
    GROUND.get_or_init(|| Ground::over(Lab::healthy, include_str!("arms.lua"), &json!({})))
}

/// Arms that fail in one moment; made once.
pub(super) fn at_once() -> &'static Ground {
    const RECIPE: &str = r#"return ops.recipe {
      desc = "Arms that fail in one moment",
      run = function(cx)
        pcall(function()
          cx:each({ "a", "b", "c" }, { jobs = 3 }, function(name)
            if name == "c" then cx:defer(function() fs.write { "out/c.txt", content = "tidy" } end) end
            fs.read { "missing-" .. name }
          end)
        end)
        fs.write { "out/end.txt", content = "over" }
      end,
    }"#;
    static GROUND: OnceLock<Ground> = OnceLock::new();
    GROUND.get_or_init(|| Ground::over(Lab::healthy, RECIPE, &json!({})))
}

/// An arm that ends the others, and with them the first attempt; made once.
pub(super) fn given_up() -> &'static Ground {
    static GROUND: OnceLock<Ground> = OnceLock::new();
    GROUND.get_or_init(|| Ground {
        fails: true,
        ..Ground::over(Lab::healthy, include_str!("given_up.lua"), &json!({}))
    })
}

/// The beginning of every run.
pub(super) struct Ground {
    /// The repository's files.
    pub(super) files: Arc<BTreeMap<String, Vec<u8>>>,
    root: PathBuf,
    pub(super) settings: Settings,
    pub(super) cluster: Cluster,
    pub(super) lock: LockFile,
    pub(super) host: Host,
    pub(super) lab: String,
    pub(super) held: Vec<Held>,
    pub(super) confirmed: Option<Confirmed>,
    pub(super) claimed: Option<String>,
    pub(super) asked: Vec<Need>,
    pub(super) run: RunId,
    /// The recipe fails until a cleanup has run; a resume ends it.
    pub(super) fails: bool,
}

impl Ground {
    /// A healthy lab in which the recipe was verified, granted and confirmed.
    fn new() -> Ground {
        let args = json!({"nodes": ["w-1"], "partitions": ["STATE", "EPHEMERAL"], "other": "w-2"});
        let mut ground = Ground::over(Lab::healthy, include_str!("recipe.lua"), &args);
        ground.prepare();
        ground
    }

    /// A lab and a recipe over it, nothing verified yet.
    fn over(lab: fn(LabSpec) -> Lab, recipe: &str, args: &serde_json::Value) -> Ground {
        let dir = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/home");
        // Only for the settings; the runs see files in memory.
        for name in ["ops.toml", "clusters/home.toml"] {
            write(dir.path(), name, &std::fs::read_to_string(root.join(name)).unwrap());
        }
        let project = Project::find(dir.path()).unwrap();
        let typed = Typed { lab: true, ..Typed::default() };
        let settings =
            Settings::resolve(project, &typed, Environment::from_pairs([]), &crate::config::Sealed)
                .unwrap();
        let cluster = settings.cluster.clone().unwrap();
        let mut lab = lab(spec(&cluster));
        let files = lab.client_files();
        let kubeconfig =
            files.kubeconfig.replace(&format!("admin@{}", cluster.context), &cluster.context);
        let other = lab.node_config(lab.node_named("w-2").unwrap());
        let labelled = other.replace("    features:", "    sysctls:\n        a: b\n    features:");
        let rebooting = labelled.replace("diskQuotaSupport: true", "diskQuotaSupport: false");
        let files = [
            (cluster.talosconfig.as_str(), files.talosconfig),
            (&cluster.secrets, files.secrets),
            (&cluster.kubeconfig, kubeconfig),
            ("notes.json", json!(vec![NOTE; 1000]).to_string()),
            ("nodes/w-2.yaml", labelled),
            ("nodes/w-2-reboots.yaml", rebooting),
            ("nodes/cp-1.yaml", lab.node_config(lab.node_named("cp-1").unwrap())),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), text.into_bytes()));
        let sources = Sources::embedded().with("recipes/crash.lua", recipe);
        let host = Host::new(sources);
        assert!(host.faults().is_empty(), "{:?}", host.faults());
        let asked = vec![Need { recipe: "crash".into(), args: args.as_object().unwrap().clone() }];
        Ground {
            files: Arc::new(BTreeMap::from(files)),
            root: dir.path().to_owned(),
            settings,
            cluster,
            lock: LockFile::default(),
            host,
            lab: lab.save(),
            held: Vec::new(),
            confirmed: None,
            claimed: None,
            asked,
            run: RunId("crsh".into()),
            fails: false,
        }
    }

    /// Adoption, verification, preflight: all that comes before the first record.
    fn prepare(&mut self) {
        let disk: Rc<dyn Files> = Rc::new(self.disk());
        let books = Books::default();
        let person = Person::default();
        let world = world(self.lab(), disk.clone(), &Rc::default());
        let blobs = || Rc::new(MemoryBlobs::new([3; 32]));
        let files = || Rc::new(Overlay::over(disk.clone()));
        let hands = self.hands(world.clone(), files(), blobs());
        self.lock = quick(async {
            let bind = |recipe: &str, given: &Map<String, Value>| self.bind(recipe, given);
            let session =
                self.session(&*world, (&hands, &hands), &bind, &books, &person, &self.host);
            session.adopt(None).await.unwrap().lock
        });
        let hands = self.hands(world.clone(), files(), blobs());
        let cleared = quick(async {
            let bind = |recipe: &str, given: &Map<String, Value>| self.bind(recipe, given);
            let session =
                self.session(&*world, (&hands, &hands), &bind, &books, &person, &self.host);
            let found = session.verify(&self.asked[0]).await.unwrap();
            session.issue(&found).unwrap();
            let graph = session.graph(&self.asked).unwrap();
            passing_time(&*world, session.preflight(&self.asked, &graph)).await.unwrap()
        });
        self.confirmed = cleared.confirmed;
        self.claimed = cleared.claimed;
        self.held = books.held.take();
        self.lab = world.lab().save();
    }

    /// The same beginning with another text in the recipe: as if it had been edited.
    pub(super) fn with(&self, old: &str, new: &str) -> Ground {
        let text = include_str!("recipe.lua");
        assert!(text.contains(old), "{old}");
        let sources = Sources::embedded().with("recipes/crash.lua", &text.replacen(old, new, 1));
        Ground {
            host: Host::new(sources),
            files: self.files.clone(),
            root: self.root.clone(),
            settings: self.settings.clone(),
            cluster: self.cluster.clone(),
            lock: self.lock.clone(),
            lab: self.lab.clone(),
            held: self.held.clone(),
            confirmed: self.confirmed.clone(),
            claimed: self.claimed.clone(),
            asked: self.asked.clone(),
            run: self.run.clone(),
            fails: self.fails,
        }
    }

    /// The repository's files, in memory.
    pub(super) fn disk(&self) -> Overlay {
        let files = Overlay::empty();
        for (path, bytes) in &*self.files {
            files.write(path, bytes, 0o600).unwrap();
        }
        files
    }

    /// The lab as every run finds it.
    pub(super) fn lab(&self) -> Lab {
        Lab::load(&self.lab).unwrap()
    }

    /// What carries calls out.
    pub(super) fn hands(
        &self,
        world: Rc<dyn World>,
        files: Rc<dyn Files>,
        blobs: Rc<dyn Blobs>,
    ) -> Hosted {
        Hosted {
            world,
            files,
            blobs,
            secrets: Rc::new(NoSecrets),
            cluster: Some(self.cluster.clone()),
            lock: Some(self.lock.clone()),
            root: self.root.to_string_lossy().into_owned(),
            memo: Memo::default(),
        }
    }

    /// Arguments as the command line binds them.
    pub(super) fn bind(
        &self,
        recipe: &str,
        given: &Map<String, Value>,
    ) -> Result<Map<String, Value>, Box<Fault>> {
        let root = self.settings.root();
        let layers: [&RecipeSettings; 0] = [];
        let cx = params::Context {
            cluster: Some(&self.cluster),
            clusters: &self.settings.project.clusters,
            layers: &layers,
            env: &self.settings.env,
            root,
            here: root,
            stat: &|path| root.join(path).metadata().ok().map(|m| m.is_dir()),
            interactive: false,
        };
        let head = self.host.catalog().get(recipe).unwrap();
        params::bind_data(head, given, &cx).map(|bound| bound.args).map_err(Box::new)
    }

    /// The cluster and its pins.
    pub(super) fn site(&self) -> Site<'_> {
        Site { cluster: &self.cluster, lock: Some(&self.lock), lab: true }
    }

    /// The session of one process.
    pub(super) fn session<'a>(
        &'a self,
        world: &'a dyn World,
        (hands, plan_hands): (&'a Hosted, &'a Hosted),
        bind: &'a crate::engine::graph::Bind<'a>,
        books: &'a Books,
        person: &'a Person,
        bodies: &'a dyn Bodies,
    ) -> Session<'a> {
        Session {
            world,
            hands,
            plan_hands,
            site: self.site(),
            with_cluster: true,
            catalog: self.host.catalog(),
            bodies,
            bind,
            keep: books,
            events: &Silent,
            asker: person,
            yes: false,
            run: self.run.clone(),
            jobs: 4,
            keep_going: false,
            skip: None,
        }
    }
}

/// A process's view of the lab.
pub(super) fn world(lab: Lab, files: Rc<dyn Files>, children: &Rc<Children>) -> Rc<Simulated> {
    Rc::new(Simulated::new(lab, None, files, Rc::new(Tools(children.clone()))))
}

fn spec(cluster: &Cluster) -> LabSpec {
    let role = |role| match role {
        Role::Controlplane => ops_lab::Role::ControlPlane,
        Role::Worker => ops_lab::Role::Worker,
    };
    let node = |node: &ops_core::inventory::Node| NodeSpec {
        name: node.name.clone(),
        role: role(node.role),
        address: node.address.clone(),
        install_disk: "/dev/sda".into(),
        data_disks: Vec::new(),
        uuid: None,
    };
    LabSpec {
        cluster: cluster.context.clone(),
        endpoint: cluster.endpoint.clone(),
        talos_version: "v1.13.0".into(),
        kubernetes_version: "v1.36.0".into(),
        nodes: cluster.nodes.iter().map(node).collect(),
        volumes: Vec::new(),
        no_cni: false,
        profile: ops_lab::facts::Profile::default(),
        seed: 1,
    }
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
