//! Files that fail as told: unreadable, read-only, a full disk, a network that went away. For tests of what callers do then.

use std::io::{self, ErrorKind};
use std::rc::Rc;

use super::files::{Files, Stat, normal};

/// What is wrong with a path and everything below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFault {
    /// Reading, listing and stat are denied.
    Unreadable,
    /// Every change is denied.
    ReadOnly,
    /// There is no room for a change.
    Full,
    /// A network file system has lost what was there: nothing works.
    Stale,
}

/// Other files, some of them at fault.
pub struct Faulty {
    base: Rc<dyn Files>,
    faults: Vec<(String, FileFault)>,
}

impl Faulty {
    /// `base` without faults.
    pub fn over(base: Rc<dyn Files>) -> Faulty {
        Faulty { base, faults: Vec::new() }
    }

    /// Adds a fault to a path and everything below it; `.` is everything.
    #[must_use]
    pub fn fault(mut self, path: &str, fault: FileFault) -> Faulty {
        self.faults.push((path.to_owned(), fault));
        self
    }

    fn check(&self, path: &str, change: bool) -> io::Result<()> {
        let path = normal(path)?;
        let hit = |at: &String| {
            at == "." || path.strip_prefix(at).is_some_and(|r| r.is_empty() || r.starts_with('/'))
        };
        for (_, fault) in self.faults.iter().filter(|(at, _)| hit(at)) {
            match fault {
                FileFault::Unreadable if !change => return Err(ErrorKind::PermissionDenied.into()),
                FileFault::ReadOnly if change => return Err(ErrorKind::ReadOnlyFilesystem.into()),
                FileFault::Full if change => return Err(ErrorKind::StorageFull.into()),
                FileFault::Stale => return Err(ErrorKind::StaleNetworkFileHandle.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Files for Faulty {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.check(path, false).and_then(|()| self.base.read(path))
    }
    fn stat(&self, path: &str) -> io::Result<Option<Stat>> {
        self.check(path, false).and_then(|()| self.base.stat(path))
    }
    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.check(path, false).and_then(|()| self.base.list(path))
    }
    fn write(&self, path: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
        self.check(path, true).and_then(|()| self.base.write(path, bytes, mode))
    }
    fn remove(&self, path: &str) -> io::Result<()> {
        // Removing needs no room.
        match self.check(path, true) {
            Err(error) if error.kind() != ErrorKind::StorageFull => Err(error),
            _ => self.base.remove(path),
        }
    }
    fn make_folder(&self, path: &str) -> io::Result<()> {
        self.check(path, true).and_then(|()| self.base.make_folder(path))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.check(from, true).and_then(|()| self.check(to, true))?;
        self.base.rename(from, to)
    }
}
