//! Records what the calls of a step read and write, while they do. Wraps the files and secrets that a call is carried out with; judges nothing.
//!
//! What a call itself writes is no input of it: a converging call reads it to compare, and the output's fingerprint says the same later.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use ops_core::call::CallSpec;
use ops_core::call::table::Call;
use ops_core::time::Time;
use ops_core::trace::{Input, Print, Reason, Why};
use ops_core::value::{Digest, SecretRef, Value, canonical};

use crate::sys::files::{Files, Kind, Stat, normal};
use crate::sys::prints::{Prints, same};
use crate::sys::provided::{Part, parts};
use crate::sys::redact::Redactor;
use crate::sys::secrets::{SecretFailure, Secrets};

/// Named by its content, written by `ops` alone, and made again where it is missing: neither input nor output.
const CACHE: &str = ".ops/cache/";
/// The place of tools among the kinds.
const TOOL: u8 = 5;
/// Links that lead to links, at most.
const LINKS: usize = 16;

/// What a step has read and written so far.
pub struct Recorder {
    prints: Prints,
    /// The time by the file system's clock, asked for before the first fingerprint.
    now: OnceCell<Option<i64>>,
    known: BTreeMap<String, Print>,
    found: RefCell<Recorded>,
}

/// The same as plain data.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// Files, what was there, what was not: by path.
    pub paths: BTreeMap<String, Input>,
    /// All other inputs, by kind and name.
    pub others: BTreeMap<(u8, String), Input>,
    /// Paths that typed calls wrote, or left as they should be; what was there right after, where that was a file.
    pub written: BTreeMap<String, Option<Stat>>,
    /// Patterns that processes said to write.
    pub patterns: BTreeSet<String>,
    /// Paths that were only taken for inputs, by the words of a script.
    pub taken: BTreeSet<String>,
    /// Why the step will not be skipped, if something spoke against it.
    pub kept: Option<Reason>,
    /// Paths on which no link lies.
    plain: BTreeSet<String>,
}

impl Recorded {
    /// Everything that was read.
    pub fn inputs(&self) -> Vec<Input> {
        self.paths.values().chain(self.others.values()).cloned().collect()
    }
}

impl Recorder {
    /// A step begins. `known` are fingerprints of its last run: what has their stat needs no hash.
    pub fn new(prints: Prints, known: BTreeMap<String, Print>) -> Recorder {
        Recorder { prints, now: OnceCell::new(), known, found: RefCell::default() }
    }

    fn now(&self) -> Option<i64> {
        *self.now.get_or_init(|| self.prints.now())
    }

    /// What was recorded so far.
    pub fn found(&self) -> Recorded {
        self.found.borrow().clone()
    }

    /// Something speaks against skipping the step; the first such reason is told.
    pub fn keep(&self, reason: Reason) {
        self.found.borrow_mut().kept.get_or_insert(reason);
    }

    /// An input that is no path.
    pub fn input(&self, input: Input) {
        let kind = match &input {
            Input::Glob { .. } => 0,
            Input::Listing { .. } => 1,
            Input::Details { .. } => 2,
            Input::Link { .. } => 3,
            Input::Variable { .. } => 4,
            Input::Tool { .. } => TOOL,
            Input::Until { .. } => 6,
            _ => 7,
        };
        let key = (kind, input.name().to_owned());
        // The first read decides; of times, the one that ends first.
        let mut found = self.found.borrow_mut();
        match (found.others.get(&key), &input) {
            (Some(Input::Until { at: known, .. }), Input::Until { at, .. }) if at < known => {
                found.others.insert(key, input);
            }
            (Some(_), _) => {}
            (None, _) => {
                found.others.insert(key, input);
            }
        }
    }

    /// What a process is said to read, as it was found right before its start.
    pub fn declared(&self, inputs: Vec<Input>) {
        for input in inputs {
            match &input {
                Input::File { path, .. } | Input::Absent { path } | Input::Present { path, .. } => {
                    self.path(path.clone(), input);
                }
                _ => self.input(input),
            }
        }
    }

    /// What a process is said to write.
    pub fn writes(&self, patterns: &[String]) {
        self.found.borrow_mut().patterns.extend(patterns.iter().cloned());
    }

    /// A file was read: its bytes, and its stat before them.
    fn read(&self, path: String, bytes: &[u8], stat: &Stat) {
        let print = match self.known.get(&path) {
            Some(known) if !known.racy && same(stat, known) => *known,
            _ => self.prints.of_read(bytes, stat, self.now()),
        };
        self.path(path.clone(), Input::File { path, print });
    }

    /// The fingerprints of the step's last run, and those taken by now.
    pub fn known_prints(&self) -> BTreeMap<String, Print> {
        let mut known = self.known.clone();
        for input in self.found.borrow().paths.values() {
            if let Input::File { path, print } = input {
                known.insert(path.clone(), *print);
            }
        }
        known
    }

    /// Whether a tool has been recorded.
    pub fn has_tool(&self, name: &str) -> bool {
        self.found.borrow().others.contains_key(&(TOOL, name.to_owned()))
    }

    /// Whether something about a path has been recorded.
    pub fn has_path(&self, path: &str) -> bool {
        let found = self.found.borrow();
        found.paths.contains_key(path) || found.written.contains_key(path)
    }

    /// Paths that are taken for inputs.
    pub fn taken(&self, paths: &BTreeSet<String>) {
        self.found.borrow_mut().taken.extend(paths.iter().cloned());
    }

    /// The first answer about a path stands; only that something was there gives way to what it was.
    fn path(&self, path: String, input: Input) {
        let mut found = self.found.borrow_mut();
        if path.starts_with(CACHE) || found.written.contains_key(&path) {
            return;
        }
        match found.paths.get(&path) {
            Some(Input::Present { .. }) | None => _ = found.paths.insert(path, input),
            Some(_) => {}
        }
    }

    fn wrote(&self, path: &str) {
        if !path.starts_with(CACHE) {
            let there = self.prints.stat(path).ok().flatten().filter(|stat| !stat.dir);
            self.found.borrow_mut().written.insert(path.to_owned(), there);
        }
    }

    /// Links on the way to a path.
    fn links(&self, path: &str, files: &dyn Files) {
        let mut plain = std::mem::take(&mut self.found.borrow_mut().plain);
        let links = links_on(path, files, &mut plain);
        self.found.borrow_mut().plain = plain;
        for link in links {
            self.input(link);
        }
    }

    /// A call is over: what its reply adds to what was recorded while it worked.
    pub fn after(&self, call: &Call, reply: &Value) {
        if let Call::FsStat(stat) = call
            && let Ok(path) = normal(&stat.path)
            && !reply.is_null()
        {
            self.input(Input::Details { path, answer: canonical(reply) });
        }
        for subject in call.spec().writes() {
            if let Some(path) = subject.0.strip_prefix("file/") {
                self.wrote(path);
            }
        }
    }

    /// That something will have to be renewed.
    pub fn until(&self, what: &str, at: Time) {
        self.input(Input::Until { what: what.to_owned(), at });
    }
}

/// The links on the way to a path, each with what it says; `plain` remembers what is none.
pub fn links_on(path: &str, files: &dyn Files, plain: &mut BTreeSet<String>) -> Vec<Input> {
    let mut found = Vec::new();
    let mut open = vec![path.to_owned()];
    for _ in 0..LINKS {
        let Some(path) = open.pop() else { break };
        let ends = path.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0);
        for end in ends.chain([path.len()]) {
            let part = &path[..end];
            if plain.contains(part) {
                continue;
            }
            let Some(to) = files.link(part) else {
                plain.insert(part.to_owned());
                continue;
            };
            found.push(Input::Link { path: part.to_owned(), to: to.clone() });
            if let Some(target) = followed(part, &to) {
                open.push(format!("{target}{}", &path[end..]));
            }
            break;
        }
    }
    found
}

/// Where a relative link leads, by its words alone; nothing outside the root.
fn followed(link: &str, to: &str) -> Option<String> {
    if to.starts_with('/') {
        return Some(to.to_owned());
    }
    let mut parts: Vec<&str> = link.split('/').collect();
    parts.pop();
    for part in to.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop()?,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Files as one call of a recorded step sees them.
pub struct Recording<'a> {
    files: &'a dyn Files,
    recorder: &'a Recorder,
    /// What the call writes: reading it is no input.
    own: Vec<String>,
}

impl<'a> Recording<'a> {
    /// The files of a call.
    pub fn new(files: &'a dyn Files, recorder: &'a Recorder, call: &dyn CallSpec) -> Recording<'a> {
        let own = call.writes().into_iter().filter_map(|s| Some(s.0.strip_prefix("file/")?.into()));
        Recording { files, recorder, own: own.collect() }
    }

    /// The name of a path as an input; nothing for what the call itself writes.
    fn named(&self, path: &str) -> Option<String> {
        let path = normal(path).ok()?;
        let root = self.recorder.prints.root().to_str().unwrap_or_default();
        let inside = path.strip_prefix(root).and_then(|rest| rest.strip_prefix('/'));
        let path = inside.unwrap_or(&path).to_owned();
        let own = self.own.iter().any(|own| {
            path.strip_prefix(own.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('/'))
        });
        (!own).then_some(path)
    }

    fn missing(&self, path: &str) {
        if let Some(path) = self.named(path) {
            self.recorder.links(&path, self.files);
            self.recorder.path(path.clone(), Input::Absent { path });
        }
    }

    /// Something could not be read: whether anything is there, and which links lead to it, is all that was learned.
    fn looked(&self, path: &str) {
        if self.stat(path).is_ok() {
            return;
        }
        let Some(path) = self.named(path) else { return };
        self.recorder.links(&path, self.files);
        // A link to nothing, or out of the repository: nobody goes there, but it may lead elsewhere one day.
        let input = match self.recorder.prints.stat(&path) {
            Ok(Some(stat)) => Input::Present { path: path.clone(), folder: stat.dir },
            Ok(None) => Input::Absent { path: path.clone() },
            Err(_) => return,
        };
        self.recorder.path(path, input);
    }

    fn moved_below(&self, path: &str) {
        let mut names = Vec::new();
        match self.files.entries(path, &mut |name, kind| names.push((name.to_owned(), kind))) {
            Ok(()) => names
                .iter()
                .filter(|(_, kind)| *kind != Kind::Nameless)
                .for_each(|(name, _)| self.moved_below(&format!("{path}/{name}"))),
            Err(_) => self.recorder.wrote(path),
        }
    }
}

impl Files for Recording<'_> {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.read_with_stat(path).map(|(bytes, _)| bytes)
    }

    fn read_with_stat(&self, path: &str) -> io::Result<(Vec<u8>, Stat)> {
        let read = self.files.read_with_stat(path);
        match &read {
            Ok((bytes, stat)) => {
                if let Some(path) = self.named(path) {
                    self.recorder.links(&path, self.files);
                    self.recorder.read(path, bytes, stat);
                }
            }
            Err(_) => self.looked(path),
        }
        read
    }

    fn stat(&self, path: &str) -> io::Result<Option<Stat>> {
        let stat = self.files.stat(path)?;
        match &stat {
            None => self.missing(path),
            Some(stat) => {
                if let Some(path) = self.named(path) {
                    self.recorder.links(&path, self.files);
                    let folder = stat.dir;
                    self.recorder.path(path.clone(), Input::Present { path, folder });
                }
            }
        }
        Ok(stat)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let listed = self.files.list(path);
        match (&listed, self.named(path)) {
            (Ok(names), Some(folder)) => {
                self.recorder.links(&folder, self.files);
                self.recorder.input(Input::Listing { folder, names: names.clone() });
            }
            (Err(_), _) => self.looked(path),
            _ => {}
        }
        listed
    }

    fn entries(&self, path: &str, each: &mut dyn FnMut(&str, Kind)) -> io::Result<()> {
        self.list(path)?;
        self.files.entries(path, each)
    }

    fn write(&self, path: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
        self.files.write(path, bytes, mode)?;
        if let Ok(path) = normal(path) {
            self.recorder.wrote(&path);
        }
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.files.remove(path)?;
        if let Ok(path) = normal(path) {
            self.recorder.wrote(&path);
        }
        Ok(())
    }

    fn make_folder(&self, path: &str) -> io::Result<()> {
        self.files.make_folder(path)?;
        if let Ok(path) = normal(path) {
            self.recorder.wrote(&path);
        }
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.files.rename(from, to)?;
        if let (Ok(from), Ok(to)) = (normal(from), normal(to)) {
            self.recorder.wrote(&from);
            self.moved_below(&to);
        }
        Ok(())
    }

    fn link(&self, path: &str) -> Option<String> {
        self.files.link(path)
    }

    fn unrecorded(&self) -> Option<&dyn Files> {
        Some(self.files)
    }

    fn matched(&self, pattern: &str, found: &[String]) {
        let members = found.to_vec();
        self.recorder.input(Input::Glob { pattern: pattern.to_owned(), members, shell: false });
    }

    fn overlaid(&self) -> Vec<String> {
        self.files.overlaid()
    }
}

/// Secrets as a recorded step asks for them: the environment's are inputs. Those of other providers are none of this machine's.
pub struct RecordedSecrets<'a> {
    secrets: &'a dyn Secrets,
    recorder: &'a Recorder,
}

impl<'a> RecordedSecrets<'a> {
    /// The secrets of a call.
    pub fn new(secrets: &'a dyn Secrets, recorder: &'a Recorder) -> RecordedSecrets<'a> {
        RecordedSecrets { secrets, recorder }
    }

    fn note(&self, provider: &str, reference: &str, digest: Option<Digest>) {
        match provider {
            "env" => self.recorder.input(Input::Variable { name: reference.to_owned(), digest }),
            other => self.recorder.keep(Reason::of(Why::NotLocal, format!("secrets.{other}"))),
        }
    }
}

impl Secrets for RecordedSecrets<'_> {
    fn find(&self, provider: &str, reference: &str) -> Result<SecretRef, SecretFailure> {
        let found = self.secrets.find(provider, reference);
        self.note(provider, reference, found.as_ref().ok().map(|secret| secret.digest.clone()));
        found
    }

    fn reveal(&self, secret: &SecretRef) -> Result<Vec<u8>, SecretFailure> {
        let bytes = self.secrets.reveal(secret)?;
        let note = |secret: &SecretRef| {
            self.note(&secret.provider, &secret.reference, Some(secret.digest.clone()));
        };
        match parts(secret) {
            Some(parts) => parts.iter().for_each(|part| match part {
                Part::Text(_) => {}
                Part::Secret(part) => note(part),
            }),
            None => note(secret),
        }
        Ok(bytes)
    }

    fn variable(&self, name: &str) -> Option<String> {
        let value = self.secrets.variable(name);
        // The digest is that of a secret of this name: what is compared later is asked for in the same way.
        self.recorder.input(Input::Variable {
            name: name.to_owned(),
            digest: value.as_ref().and_then(|_| self.secrets.digest(name)),
        });
        value
    }

    fn digest(&self, name: &str) -> Option<Digest> {
        self.secrets.digest(name)
    }

    fn masks(&self) -> Redactor {
        self.secrets.masks()
    }
}
