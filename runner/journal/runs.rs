//! The journals of a state folder: made, opened for a resume, read, listed; damaged ones set aside. Knows nothing of clusters.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use ops_core::error::{Code, Exit, Fault};
use ops_core::ident::RunId;
use ops_core::journal::{Decoded, Unreadable, decode_all, decode_at};
use ops_core::record::{Record, RunHead};
use ops_core::time::Time;

use super::blobs::{FileBlobs, folder_beside};
use super::store::{FileStore, sync_folder};
use super::{Journal, JournalFailure};

/// The journals of one state folder, in its `runs/`.
#[derive(Clone, Debug)]
pub struct Runs {
    folder: PathBuf,
    /// Whether they outlive a power cut.
    synced: bool,
}

/// A journal opened to go on with it.
pub struct Opened {
    /// For writing behind the last record.
    pub journal: Journal,
    /// Everything that it held; the torn end is cut already.
    pub decoded: Decoded,
}

/// One run in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The run.
    pub run: RunId,
    /// What it is a function of, or why its journal is not read.
    pub head: Result<RunHead, Unreadable>,
    /// How it ended and when; nothing where it was cut off or still goes on.
    pub end: Option<(Exit, Time)>,
    /// Size of its journal in bytes.
    pub bytes: u64,
    /// When something was last written into it, by this machine's clock; a lab's run has times of its own.
    pub written: Time,
}

/// Why a journal was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenFailure {
    /// There is none of that name.
    #[error("there is no run `{0}`")]
    NoRun(String),
    /// A living process writes it.
    #[error("run `{0}` is open in another process")]
    Held(String),
    /// Damaged; now under another name, so that no later run takes it for whole.
    #[error("the journal of run `{run}` is {why}; it was set aside as {}", aside.display())]
    Damaged {
        /// The run.
        run: String,
        /// Where its journal is now.
        aside: PathBuf,
        /// What is wrong with it.
        why: Unreadable,
    },
    /// Of another version; left alone.
    #[error("the journal of run `{run}` was {why}")]
    Version {
        /// The run.
        run: String,
        /// Which version.
        why: Unreadable,
    },
    /// The system refused.
    #[error("the journal of run `{run}` cannot be opened: {error}")]
    Io {
        /// The run.
        run: String,
        /// What the system said.
        error: io::Error,
    },
}

impl OpenFailure {
    /// The same for a person.
    pub fn fault(&self) -> Fault {
        let code = match self {
            OpenFailure::NoRun(_) => Code::NO_RUN,
            OpenFailure::Held(_) => Code::LOCKED,
            OpenFailure::Damaged { .. } => Code::JOURNAL_DAMAGED,
            OpenFailure::Version { why: Unreadable::Older { .. }, .. } => Code::JOURNAL_STALE,
            OpenFailure::Version { .. } => Code::JOURNAL_NEWER,
            OpenFailure::Io { .. } => Code::STATE_STORE,
        };
        let fault = Fault::new(code, self.to_string());
        match self {
            OpenFailure::NoRun(_) => fault.next("ops history"),
            OpenFailure::Held(_) => fault.help("wait until it ends, or end it with Ctrl-C there"),
            OpenFailure::Damaged { .. } => fault
                .detail("what this run did after the damage is not known: look at the cluster")
                .next("ops status"),
            OpenFailure::Version { .. } => fault.help("use the ops that wrote it"),
            OpenFailure::Io { .. } => fault,
        }
    }
}

impl Runs {
    /// The journals of a state folder; makes the folder.
    ///
    /// # Errors
    /// As the system says.
    pub fn in_state(state: &Path) -> io::Result<Runs> {
        let folder = state.join("runs");
        if !folder.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            sync_folder(&folder)?;
        }
        Ok(Runs { folder, synced: true })
    }

    /// The same journals, none of which needs to outlive a power cut.
    #[must_use]
    pub fn unsynced(self) -> Runs {
        Runs { synced: false, ..self }
    }

    /// Begins a journal.
    ///
    /// # Errors
    /// As the system says; a run of this name must not exist.
    pub fn create(&self, run: &RunId) -> Result<Journal, JournalFailure> {
        let made = self.path(&run.0).and_then(|path| FileStore::create(&path));
        made.map(|store| self.journal(store))
            .map_err(|error| JournalFailure::new("created", &error))
    }

    /// Opens a journal to go on with it: cuts a torn end, sets a damaged one aside.
    ///
    /// # Errors
    /// See `OpenFailure`.
    pub fn open(&self, run: &RunId) -> Result<Opened, OpenFailure> {
        let failed = |error| open_failure(run, error);
        let path = self.path(&run.0).map_err(failed)?;
        let store = FileStore::open(&path).map_err(failed)?;
        let mut bytes = Vec::new();
        store.file().read_to_end(&mut bytes).map_err(failed)?;
        let decoded = self.judge(run, &path, decode_all(&bytes))?;
        if decoded.torn > 0 {
            store.cut(decoded.good as u64).map_err(failed)?;
        }
        Ok(Opened { journal: self.journal(store), decoded })
    }

    fn journal(&self, store: FileStore) -> Journal {
        Journal::over(if self.synced { store } else { store.unsynced() })
    }

    /// Reads a journal and changes nothing, also while its run goes on: then its end may be torn.
    ///
    /// # Errors
    /// See `OpenFailure`; nothing is set aside.
    pub fn read(&self, run: &RunId) -> Result<Decoded, OpenFailure> {
        let failed = |error| open_failure(run, error);
        let path = self.path(&run.0).map_err(failed)?;
        let bytes = fs::read(&path).map_err(failed)?;
        decode_all(&bytes).map_err(|why| match why {
            Unreadable::Damaged { .. } => {
                OpenFailure::Damaged { run: run.0.clone(), aside: path, why }
            }
            why => OpenFailure::Version { run: run.0.clone(), why },
        })
    }

    /// The blobs of a run; `key` is the state folder's.
    ///
    /// # Errors
    /// A name that is no run's.
    pub fn blobs(&self, run: &RunId, key: [u8; 32]) -> io::Result<FileBlobs> {
        let blobs = FileBlobs::new(folder_beside(&self.path(&run.0)?), key);
        Ok(if self.synced { blobs } else { blobs.unsynced() })
    }

    /// Every run, oldest first.
    ///
    /// # Errors
    /// As the system says.
    pub fn list(&self) -> io::Result<Vec<Listed>> {
        let mut runs = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            if let Some(run) = name.to_str().and_then(|n| n.strip_suffix(".journal")) {
                runs.push(self.listed(run)?);
            }
        }
        let begun = |l: &Listed| l.head.as_ref().map_or(Time(0), |head| head.at);
        runs.sort_by(|a, b| (begun(a), &a.run).cmp(&(begun(b), &b.run)));
        Ok(runs)
    }

    fn listed(&self, run: &str) -> io::Result<Listed> {
        const END: u64 = 64 << 10;
        let mut file = File::open(self.path(run)?)?;
        let stat = file.metadata()?;
        let (bytes, since) = (stat.len(), stat.modified()?.duration_since(UNIX_EPOCH));
        let written = Time(since.map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(0)));
        let mut head = Vec::new();
        (&mut file).take(END).read_to_end(&mut head)?;
        let line = head.iter().position(|b| *b == b'\n').map_or(head.len(), |i| i + 1);
        let head = decode_all(&head[..line]).and_then(|decoded| match decoded.records.first() {
            Some(Record::Run(head)) => Ok(head.clone()),
            _ => Err(Unreadable::Damaged { at: 0, why: "the head is cut off".into() }),
        });
        file.seek(SeekFrom::Start(bytes.saturating_sub(END)))?;
        let mut end = Vec::new();
        file.take(END).read_to_end(&mut end)?;
        Ok(Listed { run: RunId(run.to_owned()), head, end: end_of(&end), bytes, written })
    }

    fn judge(
        &self,
        run: &RunId,
        path: &Path,
        decoded: Result<Decoded, Unreadable>,
    ) -> Result<Decoded, OpenFailure> {
        match decoded {
            Ok(decoded) => Ok(decoded),
            Err(why @ Unreadable::Damaged { .. }) => match self.set_aside(run, path) {
                Ok(aside) => Err(OpenFailure::Damaged { run: run.0.clone(), aside, why }),
                Err(error) => Err(open_failure(run, error)),
            },
            Err(why) => Err(OpenFailure::Version { run: run.0.clone(), why }),
        }
    }

    fn set_aside(&self, run: &RunId, path: &Path) -> io::Result<PathBuf> {
        let free = |n: u32| {
            let suffix = if n == 1 { String::new() } else { format!("-{n}") };
            self.folder.join(format!("{run}.damaged{suffix}"))
        };
        let aside = (1..10_000).map(free).find(|p| !p.exists());
        let aside = aside.ok_or(io::ErrorKind::AlreadyExists)?;
        fs::rename(path, &aside)?;
        sync_folder(path)?;
        Ok(aside)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Names come from the command line too: one that is no run's never becomes a path.
    pub(super) fn path(&self, run: &str) -> io::Result<PathBuf> {
        let named = (1..=32).contains(&run.len()) && run.bytes().all(|b| b.is_ascii_alphanumeric());
        if !named {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(self.folder.join(format!("{run}.journal")))
    }
}

fn open_failure(run: &RunId, error: io::Error) -> OpenFailure {
    let run = run.0.clone();
    match error.kind() {
        io::ErrorKind::NotFound => OpenFailure::NoRun(run),
        io::ErrorKind::WouldBlock => OpenFailure::Held(run),
        _ => OpenFailure::Io { run, error },
    }
}

/// The end record, if it is the last line of these bytes.
fn end_of(bytes: &[u8]) -> Option<(Exit, Time)> {
    let start = bytes.strip_suffix(b"\n")?.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    match decode_at(bytes, start)? {
        (Record::End { exit, at }, end) if end == bytes.len() => Some((exit, at)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use ops_core::journal::encode;

    use super::super::tests::{head, record};
    use super::*;

    fn runs() -> (tempfile::TempDir, Runs, RunId) {
        let dir = tempfile::tempdir().unwrap();
        let runs = Runs::in_state(dir.path()).unwrap();
        (dir, runs, RunId("7k2m".into()))
    }

    /// A finished writer's journal: the head and three records.
    fn written() -> (tempfile::TempDir, Runs, RunId) {
        let (dir, runs, run) = runs();
        let journal = runs.create(&run).unwrap();
        journal.append(&head()).unwrap();
        (1..4).for_each(|n| journal.append(&record(n)).unwrap());
        (dir, runs, run)
    }

    #[test]
    fn a_journal_is_its_owners_alone() {
        let (dir, runs, run) = runs();
        let _journal = runs.create(&run).unwrap();
        let mode = |p: &str| fs::metadata(dir.path().join(p)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("runs"), mode("runs/7k2m.journal")), (0o700, 0o600));
    }

    #[test]
    fn a_resume_goes_on_behind_the_last_whole_record() {
        let (dir, runs, run) = written();
        let path = dir.path().join("runs/7k2m.journal");
        let torn = [fs::read(&path).unwrap(), encode(&record(4))[..9].to_vec()].concat();
        fs::write(&path, torn).unwrap();
        let opened = runs.open(&run).unwrap();
        assert_eq!((opened.decoded.records.len(), opened.decoded.torn), (4, 9));
        opened.journal.append(&record(5)).unwrap();
        drop(opened);
        let again = runs.read(&run).unwrap();
        assert_eq!(again.records[3..], [record(3), record(5)]);
        assert_eq!(again.torn, 0);
    }

    #[test]
    fn a_damaged_journal_is_set_aside_whole() {
        let (dir, runs, run) = written();
        let path = dir.path().join("runs/7k2m.journal");
        let mut bytes = fs::read(&path).unwrap();
        bytes[40] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let Err(OpenFailure::Damaged { aside, .. }) = runs.open(&run) else {
            panic!("opened a damaged journal");
        };
        assert_eq!(fs::read(aside).unwrap(), bytes);
        assert!(matches!(runs.open(&run), Err(OpenFailure::NoRun(_))));
    }

    #[test]
    fn a_second_damaged_journal_does_not_replace_the_first() {
        let (dir, runs, run) = runs();
        for n in 0..2 {
            fs::write(dir.path().join("runs/7k2m.journal"), encode(&record(n))).unwrap();
            assert!(matches!(runs.open(&run), Err(OpenFailure::Damaged { .. })));
        }
        assert_eq!(fs::read(dir.path().join("runs/7k2m.damaged")).unwrap(), encode(&record(0)));
        assert_eq!(fs::read(dir.path().join("runs/7k2m.damaged-2")).unwrap(), encode(&record(1)));
    }

    #[test]
    fn a_living_writer_keeps_others_out() {
        let (_dir, runs, run) = runs();
        let journal = runs.create(&run).unwrap();
        assert!(matches!(runs.open(&run), Err(OpenFailure::Held(_))));
        drop(journal);
        assert!(runs.open(&run).is_ok());
    }

    #[test]
    fn a_run_is_never_begun_twice() {
        let (_dir, runs, run) = written();
        assert!(runs.create(&run).is_err());
    }

    #[test]
    fn a_name_that_is_no_runs_never_becomes_a_path() {
        let (_dir, runs, _) = written();
        for name in ["", "../7k2m", "7k2m/..", "a.b", "x\0", &"a".repeat(33)] {
            assert!(
                matches!(runs.open(&RunId(name.into())), Err(OpenFailure::NoRun(_))),
                "{name:?}"
            );
        }
    }

    #[test]
    fn the_list_tells_how_each_run_ended() {
        let (_dir, runs, run) = written();
        assert_eq!(runs.list().unwrap()[0].end, None);
        let end = Record::End { exit: Exit::Failed, at: Time(9) };
        runs.open(&run).unwrap().journal.append(&end).unwrap();
        let list = runs.list().unwrap();
        assert_eq!((list.len(), list[0].end), (1, Some((Exit::Failed, Time(9)))));
        assert!(list[0].head.as_ref().is_ok_and(|h| h.run == run));
    }

    #[test]
    fn a_synced_append_to_a_file_is_there() {
        let (_dir, runs, run) = runs();
        let journal = runs.create(&run).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (a, b) = (head(), record(1));
            let both = tokio::join!(journal.append_synced(&a), journal.append_synced(&b));
            assert_eq!(both, (Ok(()), Ok(())));
        });
        assert_eq!(runs.read(&run).unwrap().records, [head(), record(1)]);
    }
}
