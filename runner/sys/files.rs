//! Files of the repository behind a seam: the real disk, an overlay for plans, and faults for tests. Knows nothing of what is in them.

use std::io;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Length in bytes.
    pub size: u64,
    /// Modification time in nanoseconds since the epoch.
    pub mtime: i128,
    /// Change time in nanoseconds since the epoch.
    pub ctime: i128,
    /// Inode number.
    pub inode: u64,
    /// Permission bits.
    pub mode: u32,
    /// Whether it is a folder.
    pub dir: bool,
}

/// What a name in a folder is, as far as the folder itself says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file or anything else that is no folder.
    File,
    /// A folder, with its inode number.
    Folder(u64),
    /// A link, or nobody knows: `stat` tells.
    Unknown,
    /// Its name is no text: no path can say where it is.
    Nameless,
}

/// Files by path, relative to the repository's root unless absolute.
///
/// Paths that leave the root are the caller's to refuse.
pub trait Files {
    /// All bytes of a file.
    ///
    /// # Errors
    /// As the system says; `NotFound` where there is none.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;

    /// What is at a path; nothing where nothing is.
    ///
    /// # Errors
    /// As the system says.
    fn stat(&self, path: &str) -> io::Result<Option<Stat>>;

    /// The names in a folder, sorted by bytes.
    ///
    /// # Errors
    /// As the system says.
    fn list(&self, path: &str) -> io::Result<Vec<String>>;

    /// Replaces a file in one step (a new file beside it, synced, renamed over it), with the permission bits; makes its folders.
    ///
    /// # Errors
    /// As the system says; then the old content is intact.
    fn write(&self, path: &str, bytes: &[u8], mode: u32) -> io::Result<()>;

    /// Removes a file, or a folder that is empty; nothing happens where there is none.
    ///
    /// # Errors
    /// As the system says.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Makes a folder and those above it; nothing happens where it is.
    ///
    /// # Errors
    /// As the system says; `NotADirectory` where a file stands in the way.
    fn make_folder(&self, path: &str) -> io::Result<()>;

    /// Gives a file another name, over what has it; makes its folders.
    ///
    /// # Errors
    /// As the system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// All bytes of a file, and its stat as the open file had it before the first of them: the two are of one file.
    ///
    /// # Errors
    /// As for `read`.
    fn read_with_stat(&self, path: &str) -> io::Result<(Vec<u8>, Stat)> {
        let stat = self.stat(path)?.ok_or(io::ErrorKind::NotFound)?;
        Ok((self.read(path)?, stat))
    }

    /// Tells the names in a folder with their kinds, in any order: a walk asks for no stat of its own. Only here are names told that are no
    /// text, so that a walk can say what it had to leave out.
    ///
    /// # Errors
    /// As for `list`.
    fn entries(&self, path: &str, each: &mut dyn FnMut(&str, Kind)) -> io::Result<()> {
        self.list(path)?.iter().for_each(|name| each(name, Kind::Unknown));
        Ok(())
    }

    /// What the symbolic link at a path says; nothing where there is none.
    fn link(&self, _path: &str) -> Option<String> {
        None
    }

    /// The files beneath, where this only records what is read of them: for a walk whose result is recorded as a whole.
    fn unrecorded(&self) -> Option<&dyn Files> {
        None
    }

    /// A pattern was looked up and found these files.
    fn matched(&self, _pattern: &str, _found: &[String]) {}

    /// Paths whose change has not reached the disk: what a plan wrote.
    fn overlaid(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A path leads out of the repository. Inside the `io::Error` (`PermissionDenied`) of those who refuse it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` leaves the repository{}", via.as_ref().map(|to| format!(": it leads to {to}")).unwrap_or_default())]
pub struct Escapes {
    /// The path as it was given.
    pub path: String,
    /// Where a link on it leads.
    pub via: Option<String>,
}

impl Escapes {
    /// The escape inside an error, if that is what it is.
    pub fn of(error: &io::Error) -> Option<&Escapes> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<Escapes> for io::Error {
    fn from(escapes: Escapes) -> io::Error {
        io::Error::new(io::ErrorKind::PermissionDenied, escapes)
    }
}

/// A path as the one name that it has below the root: no `.`, no doubled or trailing `/`. The root itself is `.`. Absolute paths stay.
///
/// # Errors
/// Where it climbs: `..` is refused even where it would stay inside, as a link on the way could make it mean anything.
pub fn normal(path: &str) -> Result<String, Escapes> {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") || path.contains('\0') {
        return Err(Escapes { path: path.to_owned(), via: None });
    }
    let joined = parts.join("/");
    Ok(match (path.starts_with('/'), joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    })
}
