//! Where a journal's bytes go: a seam with the few operations that durability depends on, and the real file behind it.
//! Knows nothing of records.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// An append-only sequence of bytes.
pub trait Store: Send + Sync {
    /// Hands bytes to the kernel: from then on they survive the end of this process, though not of the machine.
    ///
    /// # Errors
    /// As the system says; some of the bytes may have been written.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;

    /// Returns when everything appended so far survives a power cut. May block for a disk's time.
    ///
    /// # Errors
    /// As the system says. Then what is on the disk is unknown for good: the kernel reports a lost page once, and a second sync would
    /// claim success.
    fn sync(&self) -> io::Result<()>;

    /// Whether `sync` waits for a device, and so belongs on a thread of its own.
    fn sync_blocks(&self) -> bool {
        true
    }
}

/// A file that only grows.
#[derive(Debug)]
pub struct FileStore {
    file: File,
    synced: bool,
}

impl FileStore {
    /// Makes a new file, readable by its owner only, and syncs the folder that names it. Holds it for this process alone.
    ///
    /// # Errors
    /// As the system says; `AlreadyExists` where there is one.
    pub fn create(path: &Path) -> io::Result<FileStore> {
        let file =
            OpenOptions::new().append(true).read(true).create_new(true).mode(0o600).open(path)?;
        hold(&file)?;
        sync_folder(path)?;
        Ok(FileStore { file, synced: true })
    }

    /// Opens a file to append to it. Holds it for this process alone.
    ///
    /// # Errors
    /// As the system says; `WouldBlock` where another process holds it.
    pub fn open(path: &Path) -> io::Result<FileStore> {
        let file = OpenOptions::new().append(true).read(true).open(path)?;
        hold(&file)?;
        Ok(FileStore { file, synced: true })
    }

    /// The same file, which from now on need not outlive a power cut: `sync` does nothing.
    #[must_use]
    pub fn unsynced(self) -> FileStore {
        FileStore { synced: false, ..self }
    }

    /// Cuts the file to its first `length` bytes, and makes that last.
    ///
    /// # Errors
    /// As the system says.
    pub fn cut(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.file.sync_all()
    }

    /// The file itself, for reading it under its lock.
    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

impl Store for FileStore {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.file).write_all(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        if self.synced { self.file.sync_data() } else { Ok(()) }
    }

    fn sync_blocks(&self) -> bool {
        self.synced
    }
}

/// The lock dies with the process, so nobody ever has to break it.
fn hold(file: &File) -> io::Result<()> {
    file.try_lock().map_err(|error| match error {
        std::fs::TryLockError::WouldBlock => io::ErrorKind::WouldBlock.into(),
        std::fs::TryLockError::Error(error) => error,
    })
}

/// Syncs the folder that holds `path`: without it a power cut can lose the name of a synced file.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
