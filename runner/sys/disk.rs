//! The real disk: files below a root, replaced in one step, never through a link that leads out. Knows nothing of what is in them.

use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;

use super::files::{Escapes, Files, Kind, Stat, normal};
use super::{regular, walk};

/// Files of a folder. Relative paths stay inside it, links included; absolute ones are taken as they are.
#[derive(Clone, Debug)]
pub struct Disk {
    root: PathBuf,
    /// The root, open: for looks at what is below it.
    folder: Arc<File>,
}

impl Disk {
    /// The files below `root`.
    ///
    /// # Errors
    /// Where `root` cannot be resolved.
    pub fn new(root: &Path) -> io::Result<Disk> {
        let root = root.canonicalize()?;
        let folder = Arc::new(File::open(&root)?);
        Ok(Disk { root, folder })
    }

    /// The root, without links.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path as the one name that it has: a relative one where it is below the root.
    fn normal(&self, path: &str) -> Result<String, Escapes> {
        let normal = normal(path)?;
        // Another name of a file inside, and held to the same: no link leads out.
        let inside = Path::new(&normal).strip_prefix(&self.root).ok();
        let inside = inside.map(|p| p.to_str().filter(|p| !p.is_empty()).unwrap_or(".").to_owned());
        Ok(inside.unwrap_or(normal))
    }

    /// Opens what is at a path below the root, where nothing on the way leads out. The kernel judges in one step what `resolve` finds out link
    /// by link; nothing where it does not say yes, and then `resolve` knows why.
    #[cfg(target_os = "linux")]
    fn beneath(&self, path: &str, flags: OFlags) -> Option<File> {
        use rustix::fs::{Mode, ResolveFlags, openat2};
        let normal = self.normal(path).ok().filter(|path| !path.starts_with('/'))?;
        let flags = flags | OFlags::CLOEXEC;
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        openat2(&self.folder, &normal, flags, Mode::empty(), inside).ok().map(File::from)
    }

    /// Nothing: no other system can judge it in one step.
    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, reason = "as on Linux")]
    fn beneath(&self, _path: &str, _flags: OFlags) -> Option<File> {
        None
    }

    /// Opens a file or a folder for reading.
    fn open(&self, path: &str) -> io::Result<(File, Metadata)> {
        if let Some(file) = self.beneath(path, OFlags::RDONLY | OFlags::NONBLOCK) {
            return regular::only(file);
        }
        let real = self.resolve(path)?;
        if real.starts_with(&self.root) {
            return regular::open(&real);
        }
        // An absolute path outside is somebody's own choice: it may be a pipe.
        let file = File::open(&real)?;
        let metadata = file.metadata()?;
        Ok((file, metadata))
    }

    /// Where a path really is: links followed as far as it exists.
    fn resolve(&self, path: &str) -> io::Result<PathBuf> {
        let normal = self.normal(path)?;
        if normal.starts_with('/') {
            return Ok(normal.into());
        }
        let full = if normal == "." { self.root.clone() } else { self.root.join(&normal) };
        for existing in full.ancestors() {
            let real = match existing.canonicalize() {
                Ok(real) => real,
                // A link to nothing has a name as well; where it leads cannot be judged, so nobody goes there.
                Err(_) if existing.is_symlink() => {
                    let via = fs::read_link(existing)?.display().to_string();
                    return Err(Escapes { path: path.to_owned(), via: Some(via) }.into());
                }
                Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    continue;
                }
                Err(error) => return Err(error),
            };
            if !real.starts_with(&self.root) {
                let via = Some(real.display().to_string());
                return Err(Escapes { path: path.to_owned(), via }.into());
            }
            let rest = full.strip_prefix(existing).unwrap_or(Path::new(""));
            return Ok(if rest.as_os_str().is_empty() { real } else { real.join(rest) });
        }
        Ok(full)
    }
}

impl Disk {
    /// The place of a name, whatever is there: a link is meant itself, not what it leads to.
    fn name(&self, path: &str) -> io::Result<PathBuf> {
        let normal = normal(path)?;
        match normal.rsplit_once('/') {
            _ if matches!(normal.as_str(), "." | "/") => Err(ErrorKind::InvalidInput.into()),
            Some(("", _)) => Ok(normal.into()),
            Some((folder, name)) => Ok(self.resolve(folder)?.join(name)),
            None => Ok(self.root.join(normal)),
        }
    }
}

impl Files for Disk {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.read_with_stat(path).map(|(bytes, _)| bytes)
    }

    fn stat(&self, path: &str) -> io::Result<Option<Stat>> {
        #[cfg(target_os = "linux")]
        if let Some(found) = self.beneath(path, OFlags::PATH) {
            return found.metadata().map(|metadata| Some(stat(&metadata)));
        }
        match fs::metadata(self.resolve(path)?) {
            Ok(metadata) => Ok(Some(stat(&metadata))),
            // Below a file there is nothing.
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.resolve(path)?)? {
            // A name that is no text cannot be named in a recipe.
            names.extend(entry?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn write(&self, path: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
        let to = self.resolve(path)?;
        let folder = made_parent(&to)?;
        let mut beside = tempfile::Builder::new().prefix(".ops-").tempfile_in(folder)?;
        beside.write_all(bytes)?;
        beside.as_file().set_permissions(Permissions::from_mode(mode))?;
        beside.as_file().sync_all()?;
        beside.persist(&to).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let at = self.name(path)?;
        let folder = fs::symlink_metadata(&at).is_ok_and(|metadata| metadata.is_dir());
        match if folder { fs::remove_dir(&at) } else { fs::remove_file(&at) } {
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(()),
            other => other,
        }
    }

    fn make_folder(&self, path: &str) -> io::Result<()> {
        DirBuilder::new().recursive(true).create(self.resolve(path)?)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (self.name(from)?, self.name(to)?);
        let folder = made_parent(&to)?;
        fs::rename(&from, &to)?;
        File::open(folder)?.sync_all()
    }

    fn read_with_stat(&self, path: &str) -> io::Result<(Vec<u8>, Stat)> {
        let (mut file, metadata) = self.open(path)?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(metadata.len() as usize)?;
        file.read_to_end(&mut bytes)?;
        Ok((bytes, stat(&metadata)))
    }

    fn entries(&self, path: &str, each: &mut dyn FnMut(&str, Kind)) -> io::Result<()> {
        walk::names(self.open(path)?.0.into(), each)
    }

    fn link(&self, path: &str) -> Option<String> {
        let full = self.root.join(normal(path).ok()?);
        fs::read_link(full).ok().map(|to| to.to_string_lossy().into_owned())
    }
}

/// The folder of a path, made where it is missing.
fn made_parent(path: &Path) -> io::Result<&Path> {
    let folder = path.parent().ok_or(ErrorKind::InvalidInput)?;
    if !folder.is_dir() {
        DirBuilder::new().recursive(true).create(folder)?;
    }
    Ok(folder)
}

/// The stat in a file's metadata.
pub(super) fn stat(metadata: &Metadata) -> Stat {
    let nanos = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    Stat {
        size: metadata.len(),
        mtime: nanos(metadata.mtime(), metadata.mtime_nsec()),
        ctime: nanos(metadata.ctime(), metadata.ctime_nsec()),
        inode: metadata.ino(),
        mode: metadata.mode() & 0o7777,
        dir: metadata.is_dir(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn disk() -> (tempfile::TempDir, Disk) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("repo");
        fs::create_dir(&root).unwrap();
        let disk = Disk::new(&root).unwrap();
        (dir, disk)
    }

    #[test]
    fn a_written_file_is_there_with_its_folders_and_mode() {
        let (_dir, disk) = disk();
        disk.write("a/b/c.txt", b"text", 0o640).unwrap();
        assert_eq!(disk.read("a/b/c.txt").unwrap(), b"text");
        let stat = disk.stat("./a//b/c.txt").unwrap().unwrap();
        assert_eq!((stat.size, stat.mode, stat.dir), (4, 0o640, false));
        assert_eq!(disk.list("a").unwrap(), ["b"]);
    }

    #[test]
    fn a_file_is_replaced_in_one_step() {
        let (_dir, disk) = disk();
        disk.write("f", b"old", 0o644).unwrap();
        let old = File::open(disk.root().join("f")).unwrap();
        disk.write("f", b"new", 0o600).unwrap();
        // Whoever had it open still reads the old content whole: it was not written over.
        assert_eq!(io::read_to_string(old).unwrap(), "old");
        assert_eq!(disk.list(".").unwrap(), ["f"], "nothing is left beside it");
        assert_eq!(disk.stat("f").unwrap().unwrap().mode, 0o600);
    }

    #[test]
    fn a_failed_write_leaves_the_old_content_and_nothing_else() {
        let (_dir, disk) = disk();
        disk.write("folder/f", b"old", 0o644).unwrap();
        assert!(disk.write("folder", b"new", 0o644).is_err());
        assert_eq!(disk.read("folder/f").unwrap(), b"old");
        assert_eq!(disk.list(".").unwrap(), ["folder"]);
    }

    #[test]
    fn no_relative_path_leaves_the_root() {
        let (dir, disk) = disk();
        fs::create_dir(dir.path().join("outside")).unwrap();
        fs::write(dir.path().join("outside/secret"), "s").unwrap();
        fs::create_dir(disk.root().join("sub")).unwrap();
        symlink(dir.path().join("outside"), disk.root().join("out")).unwrap();
        symlink("../../outside/secret", disk.root().join("sub/file")).unwrap();
        symlink("out", disk.root().join("twice")).unwrap();
        symlink("/nowhere/at/all", disk.root().join("dangling")).unwrap();
        let ways = [
            "../outside/secret",
            "sub/../../outside/secret",
            "sub/..",
            "..",
            "out",
            "out/secret",
            "out/new",
            "out/new/deep",
            "sub/file",
            "twice/secret",
            "dangling",
            "dangling/x",
            "a\0b",
        ];
        for path in ways {
            let denied = |result: io::Result<()>| {
                let error = result.unwrap_err();
                assert!(Escapes::of(&error).is_some(), "{path}: {error}");
            };
            denied(disk.read(path).map(drop));
            denied(disk.stat(path).map(drop));
            denied(disk.list(path).map(drop));
            denied(disk.write(path, b"x", 0o644));
            denied(disk.make_folder(path));
            // A link itself lies inside and may be removed or get another name.
            if path.contains('/') && path != "sub/file" || path.contains("..") {
                denied(disk.remove(path));
                denied(disk.rename("sub", path));
                denied(disk.rename(path, "new"));
            }
        }
        assert_eq!(fs::read(dir.path().join("outside/secret")).unwrap(), b"s");
        assert_eq!(fs::read_dir(dir.path().join("outside")).unwrap().count(), 1);
    }

    #[test]
    fn a_link_inside_the_root_is_followed_and_stays_a_link() {
        let (_dir, disk) = disk();
        disk.write("real/f", b"old", 0o644).unwrap();
        symlink("real/f", disk.root().join("link")).unwrap();
        disk.write("link", b"new", 0o644).unwrap();
        assert_eq!(disk.read("real/f").unwrap(), b"new");
        assert!(disk.root().join("link").is_symlink());
    }

    #[test]
    fn a_link_is_removed_or_moved_itself() {
        let (dir, disk) = disk();
        fs::write(dir.path().join("outside"), "kept").unwrap();
        disk.write("real", b"kept", 0o644).unwrap();
        for (link, to) in [("a", "real"), ("b", "../outside"), ("c", "/nowhere")] {
            symlink(to, disk.root().join(link)).unwrap();
            disk.rename(link, "moved").unwrap();
            disk.remove("moved").unwrap();
        }
        assert_eq!(disk.list(".").unwrap(), ["real"]);
        assert_eq!(fs::read(dir.path().join("outside")).unwrap(), b"kept");
    }

    #[test]
    fn what_is_not_there_is_nothing_and_needs_no_removal() {
        let (_dir, disk) = disk();
        disk.write("f", b"", 0o644).unwrap();
        for path in ["none", "none/below", "f/below"] {
            assert_eq!(disk.stat(path).unwrap(), None);
            disk.remove(path).unwrap();
        }
        assert_eq!(disk.read("none").unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_folder_that_holds_something_is_not_removed() {
        let (_dir, disk) = disk();
        disk.write("a/f", b"", 0o644).unwrap();
        assert!(disk.remove("a").is_err());
        disk.remove("a/f").unwrap();
        disk.remove("a").unwrap();
        assert_eq!(disk.stat("a").unwrap(), None);
    }
}
