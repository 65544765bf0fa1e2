//! A repository in a temporary folder, with real processes, for tests of local calls. Calls are made as the engine makes them.

use std::cell::RefCell;
use std::ffi::OsString;

use ops_core::argv::Argv;
use ops_core::call::Request;
use ops_core::call::table::Call;
use ops_core::error::CallError;
use ops_core::time::Span;
use ops_core::value::{Handle, Value};

use super::{HostCx, Memo, Prediction, perform, predict};
use crate::sys::blobs::{Blobs, MemoryBlobs};
use crate::sys::disk::Disk;
use crate::sys::environment::Environment;
use crate::sys::files::Files;
use crate::sys::live::Live;
use crate::sys::process::{ProcessLimits, Processes};
use crate::sys::redact::Redactor;
use crate::sys::secrets::EnvSecrets;
use crate::sys::world::{Unwatched, Watcher, World};

/// The value of the secret `TOKEN`.
pub(super) const CANARY: &str = "canary-5d1f";

pub(super) struct Bench {
    dir: tempfile::TempDir,
    pub(super) disk: Disk,
    pub(super) blobs: MemoryBlobs,
    world: Live,
    secrets: EnvSecrets,
    memo: Memo,
    root: String,
}

impl Bench {
    pub(super) fn new() -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path()).unwrap();
        let vars = [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("HOME", "/nowhere")]
            .map(|(n, v)| (OsString::from(n), OsString::from(v)));
        let limits = ProcessLimits { grace: Span(100), kept: 1 << 20 };
        let environment = Environment::new(vars, None, None);
        let world = Live::new(Processes::new(disk.root().to_owned(), environment, limits));
        let secrets = EnvSecrets::new(
            [("TOKEN".to_owned(), CANARY.to_owned())],
            [7; 32],
            Redactor::default(),
        );
        let root = disk.root().to_str().unwrap().to_owned();
        let (blobs, memo) = (MemoryBlobs::new([7; 32]), Memo::default());
        Bench { dir, disk, blobs, world, secrets, memo, root }
    }

    pub(super) fn root(&self) -> &std::path::Path {
        self.dir.path()
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        self.disk.write(path, text.as_bytes(), 0o644).unwrap();
    }

    pub(super) fn text(&self, path: &str) -> String {
        String::from_utf8(self.disk.read(path).unwrap()).unwrap()
    }

    /// Makes a call on the disk.
    pub(super) fn call(&self, call: &str, args: Value) -> Result<Value, CallError> {
        self.call_seen(call, args, &Unwatched)
    }

    /// The same, watched.
    pub(super) fn call_seen(
        &self,
        call: &str,
        args: Value,
        watcher: &dyn Watcher,
    ) -> Result<Value, CallError> {
        let (call, common) = decoded(call, args);
        block_on(perform(&call, &common, &self.cx(&self.disk, watcher)))
    }

    /// Foresees a call over other files.
    pub(super) fn foresee(&self, files: &dyn Files, call: &str, args: Value) -> Prediction {
        let (call, common) = decoded(call, args);
        block_on(predict(&call, &common, &self.cx(files, &Unwatched))).unwrap()
    }

    /// The content behind a reply that is a blob, and whether it is sealed.
    pub(super) fn opened(&self, reply: &Value) -> (String, bool) {
        let Some(Handle::Blob(blob)) = Handle::from_value(reply) else {
            panic!("no blob: {reply}");
        };
        (String::from_utf8(self.blobs.get(&blob).unwrap()).unwrap(), blob.sealed)
    }

    /// Runs a command in the repository, to success.
    pub(super) fn run(&self, tool: &str, args: &[&str]) {
        let argv = Argv::new(tool).args(args.iter().copied());
        let output = block_on(self.world.run(&argv, None, &Unwatched)).unwrap();
        assert!(output.ok(), "{}: {}", argv.shown(), output.error_text());
    }

    /// Makes it a Git repository with one commit of everything.
    pub(super) fn commit(&self) {
        self.run("git", &["init", "-q", "-b", "main"]);
        self.run("git", &["add", "-A"]);
        let who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"];
        self.run("git", &[&who[..], &["commit", "-q", "-m", "first"]].concat());
    }

    fn cx<'a>(&'a self, files: &'a dyn Files, watcher: &'a dyn Watcher) -> HostCx<'a> {
        HostCx {
            world: &self.world,
            files,
            blobs: &self.blobs,
            secrets: &self.secrets,
            cluster: None,
            lock: None,
            root: &self.root,
            watcher,
            waits: &|_, _, _| {},
            memo: &self.memo,
        }
    }
}

fn decoded(call: &str, args: Value) -> (Call, ops_core::call::Common) {
    let Value::Object(args) = args else { panic!("arguments are a table") };
    Call::decode(&Request { call: call.into(), args, place: None }).unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Keeps what a process printed.
#[derive(Default)]
pub(super) struct Screen(pub(super) RefCell<Vec<u8>>);

impl Watcher for Screen {
    fn output(&self, _: bool, bytes: &[u8]) {
        self.0.borrow_mut().extend_from_slice(bytes);
    }
}
