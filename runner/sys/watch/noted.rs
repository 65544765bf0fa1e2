//! Files that note what is read of them, as it was at the first read, so that a hint of a watch can be held against it. Keeps hashes, never
//! contents, and forgets them with the process.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::Follow;
use super::print::Print;
use crate::sys::files::{Files, Kind, Stat, normal};

/// What was read, and what it was then.
#[derive(Default)]
pub struct Notes {
    seen: RefCell<BTreeMap<Follow, Note>>,
}

/// How something moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// It is another one.
    Edited,
    /// It is there, and was not.
    Appeared,
    /// It was there, and is not.
    Gone,
    /// Other names are in the folder.
    Names {
        /// Those that were not there.
        come: Vec<String>,
        /// Those that are not there any more.
        gone: Vec<String>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Note {
    print: Print,
    /// Of the content, where that was read.
    hash: Option<blake3::Hash>,
}

impl Notes {
    /// Everything that was read.
    pub fn follows(&self) -> BTreeSet<Follow> {
        self.seen.borrow().keys().cloned().collect()
    }

    /// Adds a path that somebody reads by other means.
    pub fn look(&self, follow: Follow) {
        let content = match &follow {
            Follow::Path(path) => std::fs::read(path).ok(),
            Follow::Names(_) => None,
        };
        self.note(follow, content.as_deref());
    }

    /// Which of these are no longer what they were when they were read: by content where that was read. What was not read is none of them.
    pub fn moved<'a>(&self, hints: impl IntoIterator<Item = &'a Follow>) -> BTreeMap<Follow, How> {
        let mut seen = self.seen.borrow_mut();
        let mut moved = BTreeMap::new();
        for follow in hints {
            let Some(note) = seen.get_mut(follow) else { continue };
            let now = Print::of(follow);
            let same = match note.hash {
                // A hint counts more than a stat: two edits within one tick of the file system's clock leave the same one.
                Some(hash) => {
                    std::fs::read(follow.path()).is_ok_and(|bytes| blake3::hash(&bytes) == hash)
                }
                None => note.print.alike(&now),
            };
            if same {
                note.print = now;
                continue;
            }
            let how = match (follow, &note.print, &now) {
                (Follow::Names(_), old, new) => {
                    How::Names { come: new.names_beyond(old), gone: old.names_beyond(new) }
                }
                (_, Print::Nothing, _) => How::Appeared,
                (_, _, Print::Nothing) => How::Gone,
                _ => How::Edited,
            };
            moved.insert(follow.clone(), how);
        }
        moved
    }

    /// The same for everything that was read; files whose stat is the same are not read again.
    pub fn all_moved(&self) -> BTreeMap<Follow, How> {
        let other: Vec<Follow> = {
            let seen = self.seen.borrow();
            let other = seen.iter().filter(|(follow, note)| note.print != Print::of(follow));
            other.map(|(follow, _)| follow.clone()).collect()
        };
        self.moved(&other)
    }

    fn note(&self, follow: Follow, content: Option<&[u8]>) {
        let hash = content.map(blake3::hash);
        let mut seen = self.seen.borrow_mut();
        if let Some(note) = seen.get_mut(&follow) {
            // The first read counts; one that looked closer than the first adds to it.
            note.hash = note.hash.or(hash);
        } else {
            let print = Print::of(&follow);
            seen.insert(follow, Note { print, hash });
        }
    }

    /// What was read was then written by the reader himself: from now on it is what he wrote.
    fn renew(&self, path: &Path) {
        let mut seen = self.seen.borrow_mut();
        let own = Follow::Path(path.to_owned());
        let above = path.parent().map(|folder| Follow::Names(folder.to_owned()));
        for follow in above.into_iter().chain([own]) {
            if let Some(note) = seen.get_mut(&follow) {
                note.print = Print::of(&follow);
                if note.hash.is_some() {
                    note.hash = std::fs::read(follow.path()).ok().map(|b| blake3::hash(&b));
                }
            }
        }
    }
}

/// Files below a root, with notes of what is read.
pub struct Noted {
    base: Rc<dyn Files>,
    root: PathBuf,
    notes: Rc<Notes>,
}

impl Noted {
    /// Notes what is read of `base`, whose relative paths begin at `root`.
    pub fn over(base: Rc<dyn Files>, root: &Path, notes: Rc<Notes>) -> Noted {
        Noted { base, root: root.to_owned(), notes }
    }

    /// A path as it is followed; none where it is refused anyhow.
    fn at(&self, path: &str) -> Option<PathBuf> {
        let path = normal(path).ok()?;
        Some(if path == "." { self.root.clone() } else { self.root.join(path) })
    }

    fn wrote(&self, path: &str) {
        if let Some(path) = self.at(path) {
            self.notes.renew(&path);
        }
    }
}

impl Files for Noted {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let Some(at) = self.at(path).map(Follow::Path) else { return self.base.read(path) };
        // Before its bytes: an edit in between must look like one.
        self.notes.note(at.clone(), None);
        let read = self.base.read(path);
        if let Ok(bytes) = &read {
            self.notes.note(at, Some(bytes));
        }
        read
    }

    fn stat(&self, path: &str) -> io::Result<Option<Stat>> {
        if let Some(at) = self.at(path) {
            self.notes.note(Follow::Path(at), None);
        }
        self.base.stat(path)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        if let Some(at) = self.at(path) {
            self.notes.note(Follow::Names(at), None);
        }
        self.base.list(path)
    }

    fn entries(&self, path: &str, each: &mut dyn FnMut(&str, Kind)) -> io::Result<()> {
        if let Some(at) = self.at(path) {
            self.notes.note(Follow::Names(at), None);
        }
        self.base.entries(path, each)
    }

    fn link(&self, path: &str) -> Option<String> {
        self.base.link(path)
    }

    fn write(&self, path: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
        self.base.write(path, bytes, mode)?;
        self.wrote(path);
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.base.remove(path)?;
        self.wrote(path);
        Ok(())
    }

    fn make_folder(&self, path: &str) -> io::Result<()> {
        self.base.make_folder(path)?;
        self.wrote(path);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.base.rename(from, to)?;
        self.wrote(from);
        self.wrote(to);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::sys::disk::Disk;

    struct Place {
        _dir: tempfile::TempDir,
        root: PathBuf,
        notes: Rc<Notes>,
        files: Noted,
    }

    fn place() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path()).unwrap();
        let root = disk.root().to_owned();
        for (path, text) in [("f", "old"), ("d/a", "a"), ("d/b", "b")] {
            disk.write(path, text.as_bytes(), 0o644).unwrap();
        }
        let notes = Rc::<Notes>::default();
        let files = Noted::over(Rc::new(disk), &root, notes.clone());
        Place { _dir: dir, root, notes, files }
    }

    impl Place {
        fn moved(&self) -> Vec<String> {
            let one = self.notes.moved(&self.notes.follows());
            assert_eq!(one, self.notes.all_moved(), "by hint and by stat it is the same");
            let name = |follow: &Follow| {
                follow.path().strip_prefix(&self.root).unwrap().display().to_string()
            };
            one.keys().map(name).collect()
        }
    }

    #[test]
    fn only_what_was_read_is_noted() {
        let place = place();
        place.files.read("f").unwrap();
        place.files.stat("none").unwrap();
        place.files.list("d").unwrap();
        fs::write(place.root.join("d/a"), "nobody read it").unwrap();
        assert!(place.moved().is_empty());
        let at = |path: &str| place.root.join(path);
        let expected = [Follow::Path(at("f")), Follow::Path(at("none")), Follow::Names(at("d"))];
        assert_eq!(place.notes.follows(), BTreeSet::from(expected));
    }

    #[test]
    fn another_content_moves_a_file_and_the_same_content_does_not() {
        let place = place();
        place.files.read("./f").unwrap();
        fs::write(place.root.join("f"), "old").unwrap();
        fs::rename(place.root.join("f"), place.root.join("g")).unwrap();
        fs::write(place.root.join("f"), "old").unwrap();
        assert!(place.moved().is_empty());
        fs::write(place.root.join("f"), "new").unwrap();
        assert_eq!(place.moved(), ["f"]);
        fs::remove_file(place.root.join("f")).unwrap();
        assert_eq!(place.moved(), ["f"]);
        fs::write(place.root.join("f"), "old").unwrap();
        assert!(place.moved().is_empty(), "it is again what it was");
    }

    #[test]
    fn what_was_absent_moves_when_it_appears_and_names_when_they_differ() {
        let place = place();
        place.files.stat("none").unwrap();
        place.files.list("d").unwrap();
        fs::write(place.root.join("d/a"), "same name").unwrap();
        assert!(place.moved().is_empty());
        fs::write(place.root.join("none"), "").unwrap();
        fs::remove_file(place.root.join("d/b")).unwrap();
        assert_eq!(place.moved(), ["none", "d"]);
    }

    #[test]
    fn what_the_reader_writes_himself_has_not_moved() {
        let place = place();
        place.files.read("f").unwrap();
        place.files.list("d").unwrap();
        place.files.stat("new").unwrap();
        place.files.write("f", b"mine", 0o644).unwrap();
        place.files.write("new", b"mine", 0o644).unwrap();
        place.files.rename("d/a", "d/c").unwrap();
        place.files.remove("d/b").unwrap();
        assert!(place.moved().is_empty());
        fs::write(place.root.join("f"), "somebody else's").unwrap();
        assert_eq!(place.moved(), ["f"]);
    }

    #[test]
    fn an_edit_after_the_first_read_is_seen_although_it_was_read_again() {
        let place = place();
        place.files.read("f").unwrap();
        fs::write(place.root.join("f"), "new").unwrap();
        place.files.read("f").unwrap();
        assert_eq!(place.moved(), ["f"]);
    }
}
