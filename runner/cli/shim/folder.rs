//! The private folder of a run's children: `bin` with a link to this program under each tool's name, and the client configs of the pinned
//! cluster, and the channel by which shims speak to this process. Made when the first of them starts, gone with the run.

use std::cell::OnceCell;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

use ops_core::shim;
use tempfile::TempDir;

use super::pinned::{self, Pinned};
use crate::sys::channel::{Channel, Printed, Said, Stamp, stamp};
use crate::sys::environment::{Inside, Shims, inode};
use crate::sys::redact::Redactor;

const PREFIX: &str = "shims-";

/// The shims of this run.
#[derive(Debug)]
pub(in crate::cli) struct Folder {
    /// Where it is made: the state folder, which is the user's alone.
    state: PathBuf,
    pinned: Pinned,
    redactor: Redactor,
    made: OnceCell<Made>,
}

#[derive(Debug)]
struct Made {
    dir: TempDir,
    channel: Channel,
    /// Tools whose links are symbolic.
    symbolic: Vec<&'static str>,
    /// Folders and channel as they were made.
    stamp: [Stamp; 3],
    /// Locked as long as the run lives: who finds it free may clear up behind a run that was killed.
    _lock: File,
}

impl Folder {
    /// Shims below this state folder, for children that may read this cluster.
    pub(in crate::cli) fn new(state: PathBuf, pinned: Pinned, redactor: Redactor) -> Folder {
        Folder { state, pinned, redactor, made: OnceCell::new() }
    }

    fn make(&self) -> io::Result<Made> {
        clear(&self.state);
        let dir = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(&self.state)?;
        let lock = File::open(dir.path())?;
        lock.try_lock()?;
        let bin = dir.path().join("bin");
        fs::create_dir(&bin)?;
        let own = std::env::current_exe()?;
        let mut symbolic = Vec::new();
        for tool in shim::tools() {
            // A hard link where the file system allows one: it still stands when this program's file is replaced while the run goes on.
            let shim = bin.join(tool);
            if fs::hard_link(&own, &shim).is_err() {
                symlink(&own, &shim)?;
                symbolic.push(tool);
            }
        }
        self.pinned.write(dir.path())?;
        let talk = super::talk(dir.path());
        fs::create_dir(&talk)?;
        let channel = Channel::open(&talk, self.redactor.clone())?;
        let stamp = stamp(&bin, &talk)?;
        Ok(Made { dir, channel, symbolic, stamp, _lock: lock })
    }

    fn unmoved(made: &Made) -> io::Result<()> {
        let private = made.dir.path();
        if stamp(&private.join("bin"), &super::talk(private))? == made.stamp {
            Ok(())
        } else {
            Err(io::Error::other("something was moved or replaced"))
        }
    }
}

impl Shims for Folder {
    fn ready(&self) -> io::Result<Inside> {
        let made = if let Some(made) = self.made.get() {
            made
        } else {
            let made = self.make()?;
            self.made.get_or_init(|| made)
        };
        let private = made.dir.path();
        let bin = private.join("bin");
        Folder::unmoved(made).map_err(|moved| gone(&bin, shim::tools()).unwrap_or(moved))?;
        // The stamp tells of every other change; where these lead it does not.
        if let Some(gone) = gone(&bin, made.symbolic.iter().copied()) {
            return Err(gone);
        }
        // A recipe may have made or renewed them since the last start.
        self.pinned.refresh(private)?;
        let scratch = scratch(private);
        // kubectl would keep what it learns of an API below the user's home.
        let scratch_vars =
            vec![("TMPDIR", scratch.clone()), ("KUBECACHEDIR", scratch.join("kube"))];
        let vars = pinned::variables(private).into();
        Ok(Inside { folder: bin, vars, scratch, scratch_vars })
    }

    fn intact(&self) -> io::Result<()> {
        self.made.get().map_or(Ok(()), Folder::unmoved)
    }

    fn poll_said(&self, task: &mut Context<'_>) -> Poll<Said> {
        self.made.get().map_or(Poll::Pending, |made| made.channel.poll_said(task))
    }

    fn answer(&self, said: Said, printed: &Printed) {
        if let Some(made) = self.made.get() {
            made.channel.answer(said, printed);
        }
    }
}

/// A link that leads nowhere is passed over by a shell, and the real tool found behind it.
fn gone(bin: &Path, mut tools: impl Iterator<Item = &'static str>) -> Option<io::Error> {
    let tool = tools.find(|tool| inode(&bin.join(tool)).is_none())?;
    Some(io::Error::new(io::ErrorKind::NotFound, format!("that of `{tool}` is gone")))
}

/// Where children leave temporary files; gone with the run.
fn scratch(private: &Path) -> PathBuf {
    private.join("tmp")
}

/// Removes what runs left behind that were killed. What cannot be removed is nobody's obstacle.
fn clear(state: &Path) {
    for entry in fs::read_dir(state).into_iter().flatten().flatten() {
        let own = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if own && File::open(entry.path()).is_ok_and(|folder| folder.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
