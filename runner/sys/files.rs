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

    /// Removes a file; nothing happens where there is none.
    ///
    /// # Errors
    /// As the system says.
    fn remove(&self, path: &str) -> io::Result<()>;
}
