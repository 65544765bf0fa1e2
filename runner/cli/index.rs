//! The catalogue of a repository, written down: a command need not load Lua files that have not changed. Holds heads, never code.
//!
//! It counts only for the very sources and the very binary that it was made from, and only where nobody else could have written it. What
//! cannot be read or written is no error: then the files are loaded.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use ops_core::value::Digest;
use serde_json::json;

use crate::config::{Environment, state_dir};
use crate::recipe::Catalog;

/// The written catalogue of one repository.
pub(super) struct Index {
    folder: PathBuf,
    name: String,
    /// Digest of the sources and the binary.
    of: Digest,
}

impl Index {
    /// The one of these sources; nothing where there is no state folder.
    pub(super) fn new(env: &Environment, root: &Path, sources: &Digest) -> Option<Index> {
        let binary = fs::metadata(std::env::current_exe().ok()?).ok()?;
        let stat = [binary.size(), binary.ino(), binary.mtime() as u64, binary.mtime_nsec() as u64];
        let place = Digest::of_bytes(root.as_os_str().as_encoded_bytes()).0;
        Some(Index {
            folder: state_dir(env)?.join("recipes"),
            name: format!("{}.index", &place[..16]),
            of: Digest::of(&json!([env!("CARGO_PKG_VERSION"), stat, sources])),
        })
    }

    /// The catalogue, where it is the one of these sources.
    pub(super) fn read(&self) -> Option<Catalog> {
        own(&fs::symlink_metadata(&self.folder).ok()?)?;
        let mut file = File::open(self.folder.join(&self.name)).ok()?;
        own(&file.metadata().ok()?)?;
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        let (first, rest) = text.split_once('\n')?;
        (first == self.first(rest)).then(|| Catalog::from_text(rest))?
    }

    /// Writes the catalogue in one step; others see the old one or the new one.
    pub(super) fn write(&self, catalog: &Catalog) {
        let text = catalog.to_text();
        let write = || -> std::io::Result<()> {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            write!(file, "{}\n{text}", self.first(&text))?;
            file.persist(self.folder.join(&self.name))?;
            Ok(())
        };
        // The next command loads the files again, as this one did.
        let _ = write();
    }

    /// The first line: what it is of, and a digest of what follows.
    fn first(&self, text: &str) -> String {
        format!("ops.recipes 1 {} {}", self.of.0, Digest::of_bytes(text.as_bytes()).0)
    }
}

/// This user's, and writable by nobody else.
fn own(meta: &Metadata) -> Option<()> {
    let mine = meta.uid() == rustix::process::geteuid().as_raw();
    (mine && meta.mode() & 0o022 == 0 && !meta.is_symlink()).then_some(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::recipe::Head;

    fn index(home: &Path, sources: &str) -> Index {
        let env = Environment::from_pairs([("HOME", home.to_str().unwrap())]);
        Index::new(&env, Path::new("/repo"), &Digest::of_bytes(sources.as_bytes())).unwrap()
    }

    fn catalog() -> Catalog {
        [Head { name: "a".into(), ..Head::default() }].into_iter().collect()
    }

    #[test]
    fn a_catalogue_counts_for_its_own_sources_alone() {
        let home = tempfile::tempdir().unwrap();
        assert!(index(home.path(), "one").read().is_none());
        index(home.path(), "one").write(&catalog());
        assert!(index(home.path(), "one").read().unwrap().names().eq(["a"]));
        assert!(index(home.path(), "two").read().is_none());
    }

    #[test]
    fn a_catalogue_that_was_edited_or_that_others_may_write_does_not_count() {
        let home = tempfile::tempdir().unwrap();
        let index = index(home.path(), "one");
        let path = index.folder.join(&index.name);
        index.write(&catalog());
        for (mode, counts) in [(0o620, false), (0o602, false), (0o600, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(index.read().is_some(), counts, "{mode:o}");
        }
        let text = fs::read_to_string(&path).unwrap().replace("\na\t", "\nb\t");
        fs::write(&path, text).unwrap();
        assert!(index.read().is_none());
    }
}
