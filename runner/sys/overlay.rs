//! Writes that never reach the disk, laid over files that do exist: what a plan's file calls change, its later reads see.
//!
//! Over `Nothing` it is a file system in memory, for tests.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::rc::Rc;

use super::files::{Files, Stat, normal};

/// Changes in memory over other files.
pub struct Overlay {
    base: Rc<dyn Files>,
    changes: RefCell<BTreeMap<String, Change>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    File { bytes: Vec<u8>, mode: u32 },
    Folder,
    Gone,
}

impl Overlay {
    /// Nothing changed yet over `base`.
    pub fn over(base: Rc<dyn Files>) -> Overlay {
        Overlay { base, changes: RefCell::default() }
    }

    /// An empty file system in memory.
    pub fn empty() -> Overlay {
        Overlay::over(Rc::new(Nothing))
    }

    /// The same changes once more, over the same files.
    #[must_use]
    pub fn twin(&self) -> Overlay {
        Overlay { base: self.base.clone(), changes: self.changes.clone() }
    }

    /// The paths that were written, with their new content; nothing where they were removed.
    pub fn written(&self) -> BTreeMap<String, Option<Vec<u8>>> {
        let content = |change: &Change| match change {
            Change::File { bytes, .. } => Some(Some(bytes.clone())),
            Change::Gone => Some(None),
            Change::Folder => None,
        };
        self.changes.borrow().iter().filter_map(|(p, c)| Some((p.clone(), content(c)?))).collect()
    }

    fn change(&self, path: &str) -> Option<Change> {
        self.changes.borrow().get(path).cloned()
    }

    fn set(&self, path: String, change: Change) {
        self.changes.borrow_mut().insert(path, change);
    }

    /// Whether something was made below a folder.
    fn made_below(&self, path: &str) -> bool {
        let changes = self.changes.borrow();
        changes.iter().any(|(p, change)| *change != Change::Gone && below(p, path).is_some())
    }

    /// Refuses a file that stands where a folder must be.
    fn check_parents(&self, path: &str) -> io::Result<()> {
        for (at, _) in path.match_indices('/').filter(|(at, _)| *at > 0) {
            if self.stat(&path[..at])?.is_some_and(|stat| !stat.dir) {
                return Err(ErrorKind::NotADirectory.into());
            }
        }
        Ok(())
    }
}

/// What of `path` lies below `folder`.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    match folder {
        "." => (!path.starts_with('/') && path != ".").then_some(path),
        _ => path.strip_prefix(folder)?.strip_prefix('/'),
    }
}

impl Files for Overlay {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let path = normal(path)?;
        match self.change(&path) {
            Some(Change::File { bytes, .. }) => Ok(bytes),
            Some(Change::Folder) => Err(ErrorKind::IsADirectory.into()),
            Some(Change::Gone) => Err(ErrorKind::NotFound.into()),
            None => self.base.read(&path),
        }
    }

    fn stat(&self, path: &str) -> io::Result<Option<Stat>> {
        let path = normal(path)?;
        let made = |size: usize, mode, dir| Stat {
            size: size as u64,
            mtime: 0,
            ctime: 0,
            inode: 0,
            mode,
            dir,
        };
        match self.change(&path) {
            Some(Change::File { bytes, mode }) => Ok(Some(made(bytes.len(), mode, false))),
            Some(Change::Folder) => Ok(Some(made(0, 0o755, true))),
            change => match self.base.stat(&path)? {
                Some(stat) if change.is_none() => Ok(Some(stat)),
                _ => Ok(self.made_below(&path).then(|| made(0, 0o755, true))),
            },
        }
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let path = normal(path)?;
        match self.stat(&path)? {
            None => return Err(ErrorKind::NotFound.into()),
            Some(stat) if !stat.dir => return Err(ErrorKind::NotADirectory.into()),
            Some(_) => {}
        }
        let mut names: BTreeSet<String> = match self.base.list(&path) {
            Ok(names) => names.into_iter().collect(),
            Err(error) if error.kind() == ErrorKind::NotFound => BTreeSet::new(),
            Err(error) => return Err(error),
        };
        let changes = self.changes.borrow();
        for (below, change) in changes.iter().filter_map(|(p, c)| Some((below(p, &path)?, c))) {
            match below.split_once('/') {
                Some((folder, _)) if *change != Change::Gone => _ = names.insert(folder.to_owned()),
                None if *change != Change::Gone => _ = names.insert(below.to_owned()),
                None => _ = names.remove(below),
                Some(_) => {}
            }
        }
        Ok(names.into_iter().collect())
    }

    fn write(&self, path: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
        let path = normal(path)?;
        self.check_parents(&path)?;
        if self.stat(&path)?.is_some_and(|stat| stat.dir) {
            return Err(ErrorKind::IsADirectory.into());
        }
        self.set(path, Change::File { bytes: bytes.to_vec(), mode });
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let path = normal(path)?;
        match self.stat(&path)? {
            None => return Ok(()),
            Some(stat) if stat.dir && !self.list(&path)?.is_empty() => {
                return Err(ErrorKind::DirectoryNotEmpty.into());
            }
            Some(_) => {}
        }
        self.set(path, Change::Gone);
        Ok(())
    }

    fn make_folder(&self, path: &str) -> io::Result<()> {
        let path = normal(path)?;
        self.check_parents(&path)?;
        match self.stat(&path)? {
            Some(stat) if stat.dir => Ok(()),
            Some(_) => Err(ErrorKind::AlreadyExists.into()),
            None => {
                self.set(path, Change::Folder);
                Ok(())
            }
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let stat = self.stat(from)?.ok_or(ErrorKind::NotFound)?;
        if stat.dir {
            self.make_folder(to)?;
            for name in self.list(from)? {
                self.rename(&format!("{from}/{name}"), &format!("{to}/{name}"))?;
            }
        } else {
            self.write(to, &self.read(from)?, stat.mode)?;
        }
        self.remove(from)
    }

    fn link(&self, path: &str) -> Option<String> {
        match self.change(&normal(path).ok()?) {
            Some(_) => None,
            None => self.base.link(path),
        }
    }

    fn overlaid(&self) -> Vec<String> {
        self.changes.borrow().keys().cloned().collect()
    }
}

/// No files at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing;

impl Files for Nothing {
    fn read(&self, _: &str) -> io::Result<Vec<u8>> {
        Err(ErrorKind::NotFound.into())
    }
    fn stat(&self, path: &str) -> io::Result<Option<Stat>> {
        let root = Stat { size: 0, mtime: 0, ctime: 0, inode: 0, mode: 0o755, dir: true };
        Ok((path == ".").then_some(root))
    }
    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        if path == "." { Ok(Vec::new()) } else { Err(ErrorKind::NotFound.into()) }
    }
    fn write(&self, _: &str, _: &[u8], _: u32) -> io::Result<()> {
        Err(ErrorKind::ReadOnlyFilesystem.into())
    }
    fn remove(&self, _: &str) -> io::Result<()> {
        Ok(())
    }
    fn make_folder(&self, _: &str) -> io::Result<()> {
        Err(ErrorKind::ReadOnlyFilesystem.into())
    }
    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        Err(ErrorKind::NotFound.into())
    }
}

#[cfg(test)]
mod tests;
