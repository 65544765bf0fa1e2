//! The traces of steps: one file per recipe, arguments and clone of the repository, `<state>/traces/RECIPE/ARGS.CLONE`. Keeps what it is told
//! and judges nothing.
//!
//! A trace can be lost at any time: then its step runs. So files are written in place and not synced, and what is torn, damaged or of
//! another version is no trace. `ops watch` asks [`Traces::last`] for what it must follow.

mod codec;

pub use codec::{Folder, Pattern, Row, Stored, Tables};

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ops_core::trace::Trace;
use ops_core::value::{Digest, Map, Value};

/// How many argument sets of one recipe are kept; the oldest go first.
const KEPT: usize = 256;

/// The traces of one clone of a repository, in the state folder of its cluster.
#[derive(Clone, Debug)]
pub struct Traces {
    folder: PathBuf,
    clone: String,
}

impl Traces {
    /// Those in the state folder `state`, of the clone whose canonical root is `root`. Makes nothing yet.
    pub fn new(state: &Path, root: &Path) -> Traces {
        let clone = short(&Digest::of_bytes(root.as_os_str().as_encoded_bytes()));
        Traces { folder: state.join("traces"), clone }
    }

    /// What the last run of a recipe with these arguments read and wrote, also one that failed: what `ops watch` follows.
    ///
    /// A clone that has none of its own finds that of another one: there every inode differs, so everything is compared by content.
    pub fn last(&self, recipe: &str, args: &Map<String, Value>) -> Option<Trace> {
        self.stored(recipe, args)?.whole()
    }

    /// The same as it is stored: for a look that mostly finds that nothing has changed.
    pub fn stored(&self, recipe: &str, args: &Map<String, Value>) -> Option<Stored> {
        let folder = self.of(recipe);
        let stem = stem(args);
        if let Ok(bytes) = fs::read(folder.join(format!("{stem}.{}", self.clone))) {
            return fitting(bytes, recipe, args);
        }
        let others = newest(&folder, |name| name.starts_with(&format!("{stem}."))).ok()?;
        others.iter().find_map(|(path, _)| fitting(fs::read(path).ok()?, recipe, args))
    }

    /// Every trace of a recipe in this clone, the newest first.
    pub fn of_recipe(&self, recipe: &str) -> Vec<Trace> {
        let own = newest(&self.of(recipe), |name| name.ends_with(&format!(".{}", self.clone)));
        let read = |(path, _): &(PathBuf, _)| codec::decode(fs::read(path).ok()?);
        let mut traces: Vec<Trace> = own.unwrap_or_default().iter().filter_map(read).collect();
        traces.retain(|trace| trace.recipe == recipe);
        traces.sort_by_key(|trace| std::cmp::Reverse(trace.at));
        traces
    }

    /// Keeps a trace in the place of the last one.
    ///
    /// # Errors
    /// As the system says. Then nothing of it is believed later.
    pub fn keep(&self, trace: &Trace) -> io::Result<()> {
        let folder = self.of(&trace.recipe);
        let path = folder.join(format!("{}.{}", stem(&trace.args), self.clone));
        let bytes = codec::encode(trace);
        let new = match write(&path, &bytes) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
                write(&path, &bytes)?
            }
            written => written?,
        };
        if new {
            self.prune(&folder);
        }
        Ok(())
    }

    /// Forgets the oldest of many argument sets.
    fn prune(&self, folder: &Path) {
        let own = |name: &str| name.ends_with(&format!(".{}", self.clone));
        for (path, _) in newest(folder, own).unwrap_or_default().into_iter().skip(KEPT) {
            // One that stays is only disk space.
            let _ = fs::remove_file(path);
        }
    }

    fn of(&self, recipe: &str) -> PathBuf {
        self.folder.join(short(&Digest::of_bytes(recipe.as_bytes())))
    }
}

fn short(digest: &Digest) -> String {
    digest.0.chars().take(16).collect()
}

fn stem(args: &Map<String, Value>) -> String {
    short(&Digest::of(&Value::Object(args.clone())))
}

/// A trace that is whole and of this very step: names are digests cut short.
fn fitting(bytes: Vec<u8>, recipe: &str, args: &Map<String, Value>) -> Option<Stored> {
    Stored::read(bytes).filter(|trace| trace.small.recipe == recipe && trace.small.args == *args)
}

/// Writes a file in place; true where it is new.
fn write(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let open = |new: bool| {
        OpenOptions::new().write(true).truncate(!new).create_new(new).mode(0o600).open(path)
    };
    let (mut file, new) = match open(false) {
        Ok(file) => (file, false),
        Err(error) if error.kind() == ErrorKind::NotFound => (open(true)?, true),
        Err(error) => return Err(error),
    };
    file.write_all(bytes)?;
    Ok(new)
}

/// Files of a folder, the last written first.
fn newest(
    folder: &Path,
    wanted: impl Fn(&str) -> bool,
) -> io::Result<Vec<(PathBuf, std::time::SystemTime)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(&wanted) {
            found.push((entry.path(), entry.metadata()?.modified()?));
        }
    }
    found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Ok(found)
}

#[cfg(test)]
mod tests;
