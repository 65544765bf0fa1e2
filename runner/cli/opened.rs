//! Everything that an invocation opens: the world or the lab, files, state folder, recipes, hands. Opened once, here; decides nothing.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::rc::Rc;

use ops_core::error::{Code, Fault, Place};
use ops_core::event::Events;
use ops_core::guard::{Site, Who};
use ops_core::ident::RunId;
use ops_core::inventory::{Cluster, LockFile};
use ops_core::trace::Input;
use ops_core::value::{Digest, Handle, Map, Value};

use super::args::Globals;
use super::ask::Terminal;
use super::invocation::{resolve, words_of};
use super::shim::{Folder, Pinned};
use super::{lab, recipes};
use crate::config::Settings;
use crate::engine::hosted::Hosted;
use crate::engine::keep::{Asker, Keep, Nobody};
use crate::engine::session::Session;
use crate::engine::skip::{Around, Skip};
use crate::host::Memo;
use crate::host::simulated::Simulated;
use crate::journal::runs::Runs;
use crate::lua::Host;
use crate::output::Output;
use crate::recipe::Head;
use crate::recipe::source::Source;
use crate::store::traces::Traces;
use crate::store::{Store, folder_name};
use crate::sys::blobs::{Blobs, MemoryBlobs};
use crate::sys::disk::Disk;
use crate::sys::environment::Environment as ChildEnvironment;
use crate::sys::files::Files;
use crate::sys::live::Live;
use crate::sys::overlay::Overlay;
use crate::sys::process::{ProcessLimits, Processes};
use crate::sys::provided::{Provided, standard_input};
use crate::sys::random;
use crate::sys::redact::Redactor;
use crate::sys::secrets::{EnvSecrets, Secrets};
use crate::sys::watch::noted::{Noted, Notes};
use crate::sys::world::World;

/// What is open.
pub(super) struct Opened {
    pub settings: Settings,
    pub host: Host,
    /// The cluster; an empty one for recipes without a cluster.
    pub cluster: Cluster,
    pub lock: Option<LockFile>,
    pub disk: Rc<Disk>,
    pub live: Rc<Live>,
    pub simulated: Option<Rc<Simulated>>,
    pub world: Rc<dyn World>,
    pub runs: Runs,
    pub keep: Box<dyn Keep>,
    pub asker: Box<dyn Asker>,
    /// Where it is noted what runs and plans read, if somebody wants to know.
    pub notes: Option<Rc<Notes>>,
    state: PathBuf,
    /// What each recipe file is made of, once it has been asked for.
    made_of: RefCell<BTreeMap<Made, (Vec<Input>, bool)>>,
    redactor: Redactor,
    secrets: OnceCell<Rc<Provided>>,
}

/// The file of a recipe, and the one that it overrides.
type Made = (String, Option<String>);

impl Opened {
    /// Opens everything for these settings. What turns out to be a secret is masked in this output.
    pub(super) fn new(
        settings: Settings,
        globals: &Globals,
        out: &Output,
    ) -> Result<Opened, Fault> {
        let host = recipes::load(&settings.project, &settings.env)?;
        Opened::with(settings, host, globals, out)
    }

    /// As [`Opened::new`], with recipes that have been loaded.
    pub(super) fn with(
        settings: Settings,
        host: Host,
        globals: &Globals,
        out: &Output,
    ) -> Result<Opened, Fault> {
        let unreadable = |what: &str, error: &std::io::Error| {
            Fault::new(Code::STATE_STORE, format!("{what}: {error}"))
        };
        let disk = Disk::new(settings.root())
            .map_err(|error| unreadable(&settings.root().display().to_string(), &error))?;
        let disk = Rc::new(disk);
        let cluster = settings.cluster.clone().unwrap_or_default();
        let lock = settings.lock.clone();
        let site = Site { cluster: &cluster, lock: lock.as_ref(), lab: settings.lab };
        let state = settings.state_dir()?.join(folder_name(&site, disk.root()));
        let pinned = Pinned::new(disk.root(), settings.cluster.as_ref(), settings.lab);
        let shims = Rc::new(Folder::new(state.clone(), pinned, out.redactor().clone()));
        let vars = settings.env.iter().map(|(k, v)| (OsString::from(k), OsString::from(v)));
        let own = std::env::current_exe().ok();
        let environment = ChildEnvironment::new(vars, Some(shims), own.as_deref());
        let processes =
            Processes::new(disk.root().to_owned(), environment, ProcessLimits::default());
        let live = Rc::new(Live::new(processes));
        let simulated = if settings.lab {
            let files: Rc<dyn Files> = disk.clone();
            let real: Rc<dyn World> = live.clone();
            let path = lab::state_path(&settings)?;
            let world = Rc::new(Simulated::new(lab::open(&settings)?, Some(path), files, real));
            Some(world)
        } else {
            None
        };
        let world: Rc<dyn World> = match &simulated {
            Some(simulated) => simulated.clone(),
            None => live.clone(),
        };
        let key = random::key()
            .map_err(|error| unreadable("the system gives no randomness for a key", &error))?;
        let store =
            Store::open(&state, who(&settings), world.now(), || key).map_err(|fault| *fault)?;
        if let Some(aside) = store.set_aside() {
            let aside = aside.display();
            out.remark(&format!(
                "state.db was damaged and is now {aside}: grants, and what earlier runs left open, are forgotten; look at the cluster"
            ));
        }
        let runs = Runs::in_state(&state)
            .map_err(|error| unreadable(&state.display().to_string(), &error))?;
        // A simulated cluster is gone after a power cut as well.
        let runs = if settings.lab { runs.unsynced() } else { runs };
        let asker: Box<dyn Asker> =
            if globals.json { Box::new(Nobody) } else { Box::new(Terminal::default()) };
        Ok(Opened {
            settings,
            host,
            cluster,
            lock,
            disk,
            live,
            simulated,
            world,
            runs,
            keep: Box::new(store),
            asker,
            notes: None,
            state,
            made_of: RefCell::default(),
            redactor: out.redactor().clone(),
            secrets: OnceCell::new(),
        })
    }

    /// Whether recipes have a cluster.
    pub(super) fn with_cluster(&self) -> bool {
        self.settings.cluster.is_some()
    }

    /// The cluster and its pins.
    pub(super) fn site(&self) -> Site<'_> {
        Site { cluster: &self.cluster, lock: self.lock.as_ref(), lab: self.settings.lab }
    }

    /// The repository's files.
    pub(super) fn files(&self) -> Rc<dyn Files> {
        match &self.notes {
            Some(notes) => Rc::new(Noted::over(self.disk.clone(), self.disk.root(), notes.clone())),
            None => self.disk.clone(),
        }
    }

    /// Hands over these files and blobs.
    pub(super) fn hands(&self, files: Rc<dyn Files>, blobs: Rc<dyn Blobs>) -> Hosted {
        Hosted {
            world: self.world.clone(),
            files,
            blobs,
            secrets: self.secrets(),
            cluster: self.settings.cluster.clone(),
            lock: self.lock.clone(),
            root: self.disk.root().to_string_lossy().into_owned(),
            memo: Memo::default(),
        }
    }

    /// Secrets of the environment in which `ops` was started, of files and of its standard input, which is read once.
    fn secrets(&self) -> Rc<dyn Secrets> {
        let secrets = self.secrets.get_or_init(|| {
            let vars = self.settings.env.iter().map(|(k, v)| (k.to_owned(), v.to_owned()));
            let (key, redactor) = (self.keep.key(), self.redactor.clone());
            let env = EnvSecrets::new(vars, key, redactor.clone());
            let root = self.disk.root().to_owned();
            Rc::new(Provided::new(env, root, key, redactor, Box::new(standard_input)))
        });
        secrets.clone()
    }

    /// Hands that write nothing: files go to an overlay, blobs to memory.
    pub(super) fn plan_hands(&self) -> Hosted {
        self.hands(Rc::new(Overlay::over(self.files())), Rc::new(MemoryBlobs::new(self.keep.key())))
    }

    /// A run id that no journal of this state folder has.
    pub(super) fn fresh_run(&self) -> RunId {
        let mut length = 4;
        loop {
            let run = RunId::from_random(self.live.random(), length);
            if self.runs.read(&run).is_err() || length > 12 {
                return run;
            }
            length += 1;
        }
    }

    /// Binds the arguments of a recipe given as data. Secrets are looked up: which one it is belongs to the arguments, so that a resume with
    /// another one is noticed.
    pub(super) fn bind(
        &self,
        recipe: &str,
        given: &Map<String, Value>,
    ) -> Result<Map<String, Value>, Box<Fault>> {
        let mut args = resolve(&self.settings, self.host.catalog(), recipe, given)?;
        for (name, value) in &mut args {
            // The parts of a joined one were found before they were joined.
            if let Some(Handle::Secret(secret)) = Handle::from_value(value)
                && secret.provider != "joined"
            {
                let found = self.secrets().find(&secret.provider, &secret.reference);
                let found = found.map_err(|failure| {
                    Box::new(Fault::new(
                        Code::PARAM_VALUE,
                        format!("`{name}` of {recipe}: {failure}"),
                    ))
                })?;
                *value = Handle::Secret(found).to_value();
            }
        }
        Ok(args)
    }

    /// Binds the words behind a recipe's name.
    pub(super) fn words(
        &self,
        recipe: &str,
        words: &[String],
    ) -> Result<Map<String, Value>, Box<Fault>> {
        words_of(&self.settings, self.host.catalog(), recipe, words)
    }

    /// What judges whether the steps of a run are up to date.
    pub(super) fn skip(&self, run: RunId, force: bool) -> Skip<'_> {
        let traces = Traces::new(&self.state, self.disk.root());
        let disk = ((*self.disk).clone(), self.keep.key());
        Skip::new(traces, disk, (self.host.catalog(), self), self.site(), run, force)
    }

    /// The digest of everything that the inventory says.
    pub(super) fn inventory(&self) -> Digest {
        Digest::of(&serde_json::to_value(&self.cluster).unwrap_or_default())
    }
}

impl Around for Opened {
    fn sources(&self, recipe: &str) -> Vec<Input> {
        self.made_of(recipe).0
    }

    fn names_the_run(&self, recipe: &str) -> bool {
        self.made_of(recipe).1
    }

    fn place(&self, head: &Head, text: &str) -> Option<Place> {
        self.host.sources().quoted(&head.file, head.line, text)
    }

    fn program(&self, name: &str) -> Option<PathBuf> {
        let real = self.simulated.is_none() || !Simulated::answers(name);
        real.then(|| self.live.processes().find(name)).flatten()
    }

    fn variable(&self, name: &str) -> Option<Digest> {
        let value = self.settings.env.named(name)?;
        Some(Digest::keyed(&self.keep.key(), value.as_bytes()))
    }
}

impl Opened {
    /// The Lua files of a recipe, and whether one of them names `run_id`. Recipes of one file are made of the same files.
    fn made_of(&self, recipe: &str) -> (Vec<Input>, bool) {
        let Some(head) = self.host.catalog().get(recipe) else { return Default::default() };
        let key = (head.file.clone(), head.overrides.clone());
        let look = || {
            let sources = self.host.sources_of(recipe);
            let input = |source: &&Source| Input::Source {
                path: source.shown.clone(),
                digest: Digest::of_bytes(source.text.as_bytes()),
            };
            let names_it = sources.iter().any(|source| source.text.contains("run_id"));
            (sources.iter().map(input).collect(), names_it)
        };
        self.made_of.borrow_mut().entry(key).or_insert_with(look).clone()
    }
}

/// A session over what is open.
#[expect(clippy::too_many_arguments, reason = "what differs from command to command")]
pub(super) fn session<'a>(
    opened: &'a Opened,
    hands: &'a Hosted,
    plan_hands: &'a Hosted,
    bind: &'a crate::engine::graph::Bind<'a>,
    events: &'a dyn Events,
    globals: &Globals,
    run: RunId,
    skip: &'a Skip<'a>,
) -> Session<'a> {
    Session {
        world: &*opened.world,
        hands,
        plan_hands,
        site: opened.site(),
        with_cluster: opened.with_cluster(),
        catalog: opened.host.catalog(),
        bodies: &opened.host,
        bind,
        keep: &*opened.keep,
        events,
        asker: &*opened.asker,
        yes: globals.yes,
        run,
        jobs: opened.settings.jobs.map_or(8, |jobs| jobs as usize),
        keep_going: globals.keep_going,
        skip: Some(skip),
    }
}

/// Who runs this: the user, and the machine by its own id.
fn who(settings: &Settings) -> Who {
    let machine = ["/etc/machine-id", "/var/lib/dbus/machine-id"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .map(|id| id.trim().to_owned())
        .filter(|id| !id.is_empty())
        .unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned());
    Who { user: settings.who(), machine }
}
