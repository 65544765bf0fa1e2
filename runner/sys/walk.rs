//! The names in a folder, as fast as the system gives them. Knows neither patterns nor who may go where.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Dir, FileType, Mode, OFlags, openat};

use super::files::Kind;

/// Opens a folder for its names.
const NAMES: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Opens a folder for its names; its path may lead anywhere.
///
/// # Errors
/// As the system says.
pub fn open(below: impl AsFd, path: &str) -> io::Result<OwnedFd> {
    Ok(openat(below, path, NAMES, Mode::empty())?)
}

/// Opens a folder as a place to look from, for looks at many of its files: their paths are short then. Its names cannot be told from there.
///
/// # Errors
/// As the system says.
pub fn place(below: impl AsFd, path: &str) -> io::Result<OwnedFd> {
    #[cfg(target_os = "linux")]
    const PLACE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
    #[cfg(not(target_os = "linux"))]
    const PLACE: OFlags = NAMES;
    Ok(openat(below, path, PLACE, Mode::empty())?)
}

/// Tells every name in a folder with its kind, in the order of the file system. A name that is no text is told as near as text comes to it.
///
/// # Errors
/// As the system says.
pub fn names(folder: OwnedFd, each: &mut dyn FnMut(&str, Kind)) -> io::Result<()> {
    let mut folder = Dir::new(folder)?;
    while let Some(entry) = folder.read() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Directory => Kind::Folder(entry.ino()),
            FileType::Symlink | FileType::Unknown => Kind::Unknown,
            _ => Kind::File,
        };
        match name.to_str() {
            Ok(name) => each(name, kind),
            Err(_) => each(&name.to_string_lossy(), Kind::Nameless),
        }
    }
    Ok(())
}
