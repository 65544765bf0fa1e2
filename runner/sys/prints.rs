//! Fingerprints of files: stat first, content only where that moved or proves nothing. Knows nothing of steps.
//!
//! A stat says little about a file that was modified just before: file systems stamp in ticks, and a second edit in one tick leaves the same
//! stat. Such a fingerprint is *racy*, and its hash alone is believed. "Just before" is told by the file system's own clock.

use std::ffi::CStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ops_core::trace::{Hash, Print};
use rustix::fs::{AtFlags, FileType, statat};

use super::files::{Kind, Stat};
use super::{disk, regular, walk};

/// How long before a read a modification makes it racy, in nanoseconds: HFS+ and FAT stamp in seconds.
const RACY: i64 = 2_000_000_000;
/// For how long an answer of the file system's clock serves.
const ASKED: Duration = Duration::from_secs(1);
/// Files whose fingerprints are taken by one thread before it asks for more.
const BLOCK: usize = 64;
/// Below this many files further threads cost more than they save.
const ALONE: usize = 256;
/// A file of another size is read for its hash only up to this many bytes: that it is another one is known.
const SHOWN: u64 = 1 << 20;

/// Takes fingerprints below a root. Absolute paths are taken as they are.
#[derive(Clone, Debug)]
pub struct Prints {
    root: PathBuf,
    /// The root, open: ten thousand looks need not find it ten thousand times.
    folder: Option<Arc<File>>,
    device: Option<u64>,
    key: [u8; 32],
    /// What the file system's clock said last, and when it was asked.
    clock: Arc<Mutex<Option<Said>>>,
}

/// When the clock was asked, and the time that it said.
type Said = (Instant, Option<i64>);

/// What became of a fingerprinted file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It is the same, and nothing new was learned.
    Same,
    /// Its content is the same; from now on this fingerprint tells so without reading it.
    Renewed(Print),
    /// It is another one: its size, and its hash where that was looked at.
    Other(u64, Option<Hash>),
    /// It is gone, or a folder now.
    Gone,
    /// It cannot be looked at.
    Unreadable(String),
}

impl Prints {
    /// Fingerprints below a canonical root, hashed under a key.
    pub fn new(root: &Path, key: [u8; 32]) -> Prints {
        let device = fs::metadata(root).ok().map(|metadata| metadata.dev());
        let folder = File::open(root).ok().map(Arc::new);
        Prints { root: root.to_owned(), folder, device, key, clock: Arc::default() }
    }

    /// The root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The time by the file system's clock, at most [`ASKED`] ago: with an earlier time more files are racy, never fewer. Nothing where nothing can
    /// be written; then everything is racy.
    pub fn now(&self) -> Option<i64> {
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((asked, said)) = *clock
            && asked.elapsed() < ASKED
        {
            return said;
        }
        let asked = Instant::now();
        let said = self.ask_the_clock();
        *clock = Some((asked, said));
        said
    }

    /// The time of a byte just written.
    fn ask_the_clock(&self) -> Option<i64> {
        // Without a name where the system can do that, so that nobody who watches the folder sees it.
        let mut file = tempfile::tempfile_in(&self.root).ok()?;
        file.write_all(b"?").ok()?;
        file.metadata().ok().map(|metadata| nanos(disk::stat(&metadata).mtime))
    }

    /// The hash of some bytes.
    pub fn hash(&self, bytes: &[u8]) -> Hash {
        Hash(*blake3::keyed_hash(&self.key, bytes).as_bytes())
    }

    /// The fingerprint of content that was just read, with the stat that its file had before.
    pub fn of_read(&self, bytes: &[u8], stat: &Stat, now: Option<i64>) -> Print {
        print(stat, self.hash(bytes), now)
    }

    /// What is at a path, links followed; nothing where nothing is.
    ///
    /// # Errors
    /// As the system says.
    pub fn stat(&self, path: &str) -> io::Result<Option<Stat>> {
        let found = match &self.folder {
            Some(folder) => statat(folder, path, AtFlags::empty()).map_err(io::Error::from),
            None => Err(ErrorKind::NotFound.into()),
        };
        match found {
            Ok(found) => Ok(Some(stat_of(&found))),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Tells the names in a folder with their kinds, wherever links lead.
    ///
    /// # Errors
    /// As the system says.
    pub fn names(&self, path: &str, each: &mut dyn FnMut(&str, Kind)) -> io::Result<()> {
        let folder = self.folder.as_deref().ok_or(ErrorKind::NotFound)?;
        walk::names(walk::open(folder, path)?, each)
    }

    /// A folder, open for looks at what is in it. Nothing where there is none.
    pub fn folder(&self, path: &str) -> Option<OwnedFd> {
        walk::place(self.folder.as_deref()?, path).ok()
    }

    /// The fingerprint of a file as it is now: from the open descriptor, before its bytes. The hash of `known` is taken over where its stat
    /// proves that nothing has changed. Nothing where there is no file.
    ///
    /// # Errors
    /// As the system says.
    pub fn of(
        &self,
        path: &str,
        known: Option<&Print>,
        now: Option<i64>,
    ) -> io::Result<Option<Print>> {
        if let Some(known) = known.filter(|known| !known.racy)
            && let Some(stat) = self.stat(path)?
            && same(&stat, known)
        {
            return Ok(Some(*known));
        }
        match self.read(path, now) {
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Ok(None)
            }
            other => other,
        }
    }

    /// Opens, stats, hashes. Nothing for a folder.
    fn read(&self, path: &str, now: Option<i64>) -> io::Result<Option<Print>> {
        let (mut file, metadata) = regular::open(&self.root.join(path))?;
        if metadata.is_dir() {
            return Ok(None);
        }
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        let mut buffer = vec![0; (metadata.len() as usize).clamp(1, 256 << 10)];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => _ = hasher.update(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // Another file system has another clock, of which nothing is known here.
        let now = now.filter(|_| self.device == Some(metadata.dev()));
        let hash = Hash(*hasher.finalize().as_bytes());
        Ok(Some(print(&disk::stat(&metadata), hash, now)))
    }

    /// Compares a file with its fingerprint.
    pub fn compare(&self, path: &str, old: &Print, now: Option<i64>) -> Seen {
        let stat = match self.stat(path) {
            Ok(Some(stat)) if !stat.dir => stat,
            Ok(_) => return Seen::Gone,
            Err(error) => return Seen::Unreadable(error.to_string()),
        };
        if same(&stat, old) && !old.racy {
            return Seen::Same;
        }
        if stat.size != old.size && stat.size > SHOWN {
            return Seen::Other(stat.size, None);
        }
        match self.read(path, now) {
            Ok(Some(new)) if new.hash != old.hash => Seen::Other(new.size, Some(new.hash)),
            Ok(Some(new)) if new == *old => Seen::Same,
            Ok(Some(new)) => Seen::Renewed(new),
            Ok(None) => Seen::Gone,
            Err(error) => Seen::Unreadable(error.to_string()),
        }
    }

    /// Whether a name in an open folder has the stat of a fingerprint, links followed.
    pub fn stands_in(&self, folder: &OwnedFd, name: &CStr, old: &Print) -> bool {
        statat(folder, name, AtFlags::empty()).is_ok_and(|stat| same(&stat_of(&stat), old))
    }

    /// Whether a file still has the stat of its fingerprint: for the end of a step, where anything that moved is enough.
    pub fn stands(&self, path: &str, old: &Print) -> bool {
        self.stat(path).is_ok_and(|stat| stat.is_some_and(|stat| same(&stat, old)))
    }
}

/// Does something for every item, on all processors where there are many; the results stand in the order of the items.
pub fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    // How many processors there are is a question to a dozen files: not for a few items.
    let few = items.len() < ALONE;
    let processors = if few { 1 } else { processors() };
    if processors == 1 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let from = next.fetch_add(BLOCK, Ordering::Relaxed);
            if from >= items.len() {
                return done;
            }
            let block = &items[from..(from + BLOCK).min(items.len())];
            done.push((from, block.iter().map(&work).collect::<Vec<R>>()));
        }
    };
    let mut blocks = std::thread::scope(|scope| {
        let others: Vec<_> = (1..processors).map(|_| scope.spawn(take)).collect();
        let mut blocks = take();
        for other in others {
            match other.join() {
                Ok(done) => blocks.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        blocks
    });
    blocks.sort_unstable_by_key(|(from, _)| *from);
    blocks.into_iter().flat_map(|(_, block)| block).collect()
}

/// How many threads a look is worth.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(8)
}

/// What the system says of a file. The fields have other widths on other systems.
fn stat_of(found: &rustix::fs::Stat) -> Stat {
    fn wide<N: TryInto<i64>>(number: N) -> i64 {
        number.try_into().unwrap_or(i64::MAX)
    }
    let nanos = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    Stat {
        size: wide(found.st_size) as u64,
        mtime: nanos(wide(found.st_mtime), wide(found.st_mtime_nsec)),
        ctime: nanos(wide(found.st_ctime), wide(found.st_ctime_nsec)),
        inode: found.st_ino,
        mode: wide(found.st_mode) as u32 & 0o7777,
        dir: FileType::from_raw_mode(found.st_mode).is_dir(),
    }
}

fn print(stat: &Stat, hash: Hash, now: Option<i64>) -> Print {
    let mtime = nanos(stat.mtime);
    let racy = now.is_none_or(|now| mtime >= now.saturating_sub(RACY));
    let (ctime, mode) = (nanos(stat.ctime), (stat.mode & 0o7777) as u16);
    Print { size: stat.size, mtime, ctime, inode: stat.inode, mode, hash, racy }
}

/// Whether a stat is that of a fingerprint in every field.
pub fn same(stat: &Stat, print: &Print) -> bool {
    !stat.dir
        && stat.size == print.size
        && nanos(stat.mtime) == print.mtime
        && nanos(stat.ctime) == print.ctime
        && stat.inode == print.inode
}

/// Nanoseconds as they are stored: enough for the years 1677 to 2262.
fn nanos(time: i128) -> i64 {
    i64::try_from(time).unwrap_or(if time < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests;
