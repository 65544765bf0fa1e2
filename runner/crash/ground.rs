//! What every crash begins from: a healthy lab, a verified and confirmed recipe, made once.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use ops_core::error::Fault;
use ops_core::event::Silent;
use ops_core::guard::{Confirmed, Held, Site};
use ops_core::ident::RunId;
use ops_core::inventory::{Cluster, LockFile, Role};
use ops_core::value::{Map, Value};
use ops_lab::{Lab, LabSpec, NodeSpec};
use serde_json::json;

use super::books::{Books, Person};
use super::place::{NoTools, quick};
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
use crate::sys::disk::Disk;
use crate::sys::files::Files;
use crate::sys::overlay::Overlay;
use crate::sys::secrets::NoSecrets;
use crate::sys::world::World;

/// Files whose names alone are a reply that no record holds.
const NOTES: usize = 700;

/// The beginning of every run.
pub(super) struct Ground {
    pub(super) dir: Arc<tempfile::TempDir>,
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
}

impl Ground {
    /// A healthy lab in which the recipe was verified, granted and confirmed.
    pub(super) fn new() -> Ground {
        let dir = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/home");
        for name in ["ops.toml", "clusters/home.toml"] {
            write(dir.path(), name, &std::fs::read_to_string(root.join(name)).unwrap());
        }
        for n in 0..NOTES {
            let long = "a-note-with-a-name-that-is-as-long-as-names-of-notes-are-in-practice-and-some-more-letters";
            write(dir.path(), &format!("notes/{long}-{n:04}.txt"), "");
        }
        let project = Project::find(dir.path()).unwrap();
        let typed = Typed { lab: true, ..Typed::default() };
        let settings =
            Settings::resolve(project, &typed, Environment::from_pairs([]), &crate::config::Sealed)
                .unwrap();
        let cluster = settings.cluster.clone().unwrap();
        let mut lab = Lab::healthy(spec(&cluster));
        let files = lab.client_files();
        let kubeconfig =
            files.kubeconfig.replace(&format!("admin@{}", cluster.context), &cluster.context);
        write(dir.path(), &cluster.talosconfig, &files.talosconfig);
        write(dir.path(), &cluster.secrets, &files.secrets);
        write(dir.path(), &cluster.kubeconfig, &kubeconfig);
        let sources = Sources::embedded().with("recipes/crash.lua", include_str!("recipe.lua"));
        let host = Host::new(sources);
        assert!(host.faults().is_empty(), "{:?}", host.faults());
        let args = json!({"nodes": ["w-1"], "partitions": ["STATE", "EPHEMERAL"], "other": "w-2"});
        let asked = vec![Need { recipe: "crash".into(), args: args.as_object().unwrap().clone() }];
        let mut ground = Ground {
            dir: Arc::new(dir),
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
        };
        ground.prepare();
        ground
    }

    /// Adoption, verification, preflight: all that comes before the first record.
    fn prepare(&mut self) {
        let disk: Rc<dyn Files> = Rc::new(Disk::new(self.dir.path()).unwrap());
        let books = Books::default();
        let person = Person::default();
        let world = world(&self.lab, disk.clone());
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
            dir: self.dir.clone(),
            settings: self.settings.clone(),
            cluster: self.cluster.clone(),
            lock: self.lock.clone(),
            lab: self.lab.clone(),
            held: self.held.clone(),
            confirmed: self.confirmed.clone(),
            claimed: self.claimed.clone(),
            asked: self.asked.clone(),
            run: self.run.clone(),
        }
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
            root: self.dir.path().to_string_lossy().into_owned(),
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
pub(super) fn world(lab: &str, files: Rc<dyn Files>) -> Rc<Simulated> {
    Rc::new(Simulated::new(Lab::load(lab).unwrap(), None, files, Rc::new(NoTools)))
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
