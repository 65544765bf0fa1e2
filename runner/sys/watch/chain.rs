//! What a path hangs on: the name of every folder, link and file that the system passes on the way to it. Reads names only, watches nothing.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// As many links as Linux follows on one path.
const LINKS: usize = 40;

/// The way to a path, as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chain {
    /// Every name that is passed, as an absolute path whose folders hold no link. If one of them changes, the path may lead elsewhere.
    pub(super) names: Vec<PathBuf>,
    /// The folders that hold these names, as far as they are worth watching.
    pub(super) folders: Vec<PathBuf>,
    /// The folder that the path leads to, without links, if it is one.
    pub(super) folder: Option<PathBuf>,
}

#[derive(Clone, Debug)]
enum Entry {
    Nothing,
    File,
    Folder,
    Link(PathBuf),
}

/// Finds chains. What it has looked up once it does not look up again: make a new one after every event.
pub(super) struct Finder<'a> {
    /// Folders above it are taken for steady, and so are the folders on the way to a path outside.
    root: &'a Path,
    seen: BTreeMap<PathBuf, Entry>,
}

impl<'a> Finder<'a> {
    pub(super) fn new(root: &'a Path) -> Finder<'a> {
        Finder { root, seen: BTreeMap::new() }
    }

    /// The way to an absolute path, which need not exist.
    pub(super) fn chain(&mut self, path: &Path) -> Chain {
        let mut chain = Chain::default();
        let mut at = PathBuf::from("/");
        let mut links = 0;
        let mut ahead: VecDeque<OsString> = names(path).map(OsStr::to_owned).collect();
        while let Some(name) = ahead.pop_front() {
            if name == ".." {
                at.pop();
                continue;
            }
            let below = at.join(&name);
            let entry = self.entry(&below);
            let link = matches!(entry, Entry::Link(_));
            let last = ahead.is_empty() || !matches!(entry, Entry::Folder | Entry::Link(_));
            if at.starts_with(self.root) || link || last {
                chain.folders.push(at.clone());
            }
            chain.names.push(below.clone());
            match entry {
                Entry::Folder => at = below,
                Entry::Link(to) if links < LINKS => {
                    links += 1;
                    if to.is_absolute() {
                        at = PathBuf::from("/");
                    }
                    for name in names(&to).collect::<Vec<_>>().into_iter().rev() {
                        ahead.push_front(name.to_owned());
                    }
                }
                Entry::Nothing | Entry::File | Entry::Link(_) => return chain,
            }
        }
        chain.folder = Some(at);
        chain
    }

    fn entry(&mut self, path: &Path) -> Entry {
        if let Some(entry) = self.seen.get(path) {
            return entry.clone();
        }
        let entry = match fs::symlink_metadata(path) {
            Ok(there) if there.is_dir() => Entry::Folder,
            Ok(there) if there.is_symlink() => {
                fs::read_link(path).map_or(Entry::Nothing, Entry::Link)
            }
            Ok(_) => Entry::File,
            Err(_) => Entry::Nothing,
        };
        self.seen.insert(path.to_owned(), entry.clone());
        entry
    }
}

fn names(path: &Path) -> impl Iterator<Item = &OsStr> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name),
        Component::ParentDir => Some(OsStr::new("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn space() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        (dir, root)
    }

    /// Names and folders of a chain below the root, as text.
    fn chain(root: &Path, path: &str) -> (Vec<String>, Vec<String>) {
        let chain = Finder::new(root).chain(&root.join(path));
        let inside = |paths: &[PathBuf]| -> Vec<String> {
            let inside = paths.iter().filter_map(|path| path.strip_prefix(root).ok());
            inside.map(|path| path.display().to_string()).filter(|path| !path.is_empty()).collect()
        };
        (inside(&chain.names), inside(&chain.folders))
    }

    #[test]
    fn a_file_hangs_on_every_folder_above_it() {
        let (_dir, root) = space();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/f"), "").unwrap();
        let (names, folders) = chain(&root, "a/b/f");
        assert_eq!(
            (names.as_slice(), folders.as_slice()),
            (
                ["a", "a/b", "a/b/f"].map(str::to_owned).as_slice(),
                ["a", "a/b"].map(str::to_owned).as_slice(),
            )
        );
    }

    #[test]
    fn what_is_not_there_hangs_on_the_first_missing_name() {
        let (_dir, root) = space();
        fs::create_dir(root.join("a")).unwrap();
        assert_eq!(chain(&root, "a/b/c/f").0, ["a", "a/b"]);
        fs::write(root.join("a/b"), "a file in the way").unwrap();
        assert_eq!(chain(&root, "a/b/c/f").0, ["a", "a/b"]);
    }

    #[test]
    fn a_link_counts_and_so_does_what_it_leads_to() {
        let (_dir, root) = space();
        fs::create_dir_all(root.join("real/deep")).unwrap();
        fs::write(root.join("real/deep/f"), "").unwrap();
        symlink("real", root.join("link")).unwrap();
        symlink("../link/deep/f", root.join("real/g")).unwrap();
        let (names, folders) = chain(&root, "link/g");
        assert_eq!(names, ["link", "real", "real/g", "link", "real", "real/deep", "real/deep/f"]);
        assert!(folders.contains(&"real/deep".to_owned()), "{folders:?}");
    }

    #[test]
    fn a_circle_of_links_comes_to_an_end() {
        let (_dir, root) = space();
        symlink("b", root.join("a")).unwrap();
        symlink("a", root.join("b")).unwrap();
        let (names, _) = chain(&root, "a");
        assert_eq!(names.len(), LINKS + 1);
    }

    #[test]
    fn the_way_to_the_root_is_not_watched_and_outside_only_what_may_move() {
        let (_dir, space) = space();
        fs::create_dir_all(space.join("repo")).unwrap();
        fs::create_dir_all(space.join("home/keys")).unwrap();
        let root = space.join("repo");
        let chain = Finder::new(&root).chain(&space.join("home/keys/age.txt"));
        assert_eq!(chain.folders, [space.join("home/keys")]);
        let chain = Finder::new(&root).chain(&root.join("f"));
        assert_eq!(chain.folders, std::slice::from_ref(&root));
    }

    #[test]
    fn a_folder_is_told_without_its_links() {
        let (_dir, root) = space();
        fs::create_dir(root.join("real")).unwrap();
        symlink("real", root.join("link")).unwrap();
        let folder = |path: &str| Finder::new(&root).chain(&root.join(path)).folder;
        assert_eq!(folder("link"), Some(root.join("real")));
        assert_eq!(folder("none"), None);
    }
}
