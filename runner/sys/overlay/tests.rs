//! An overlay answers as the disk would, and leaves it alone.

use super::super::disk::Disk;
use super::*;

fn over_disk() -> (tempfile::TempDir, Rc<Disk>, Overlay) {
    let dir = tempfile::tempdir().unwrap();
    let disk = Rc::new(Disk::new(dir.path()).unwrap());
    disk.write("kept/a", b"a", 0o644).unwrap();
    disk.write("kept/b", b"b", 0o644).unwrap();
    let overlay = Overlay::over(Rc::clone(&disk) as Rc<dyn Files>);
    (dir, disk, overlay)
}

/// Everything below a folder: path and content.
fn tree(files: &dyn Files, folder: &str, found: &mut Vec<(String, Option<Vec<u8>>)>) {
    for name in files.list(folder).unwrap() {
        let path = if folder == "." { name } else { format!("{folder}/{name}") };
        let stat = files.stat(&path).unwrap().unwrap();
        found.push((path.clone(), (!stat.dir).then(|| files.read(&path).unwrap())));
        if stat.dir {
            tree(files, &path, found);
        }
    }
}

/// A step for both: the overlay must end as the disk does.
type Step = fn(&dyn Files) -> io::Result<()>;

const STEPS: &[(&str, Step)] = &[
    ("write a new file", |f| f.write("new/deep/x", b"x", 0o600)),
    ("write over a file", |f| f.write("kept/a", b"changed", 0o644)),
    ("remove a file", |f| f.remove("kept/b")),
    ("remove a full folder", |f| f.remove("kept")),
    ("write over a folder", |f| f.write("kept", b"x", 0o644)),
    ("write below a file", |f| f.write("kept/a/x", b"x", 0o644)),
    ("make a folder", |f| f.make_folder("empty/inner")),
    ("make it again", |f| f.make_folder("empty/inner")),
    ("make a folder on a file", |f| f.make_folder("kept/a")),
    ("make a folder below a file", |f| f.make_folder("kept/a/x")),
    ("rename a file", |f| f.rename("kept/a", "moved/a")),
    ("rename what is gone", |f| f.rename("kept/a", "moved/b")),
    ("rename a folder", |f| f.rename("new", "renamed")),
    ("write where something was removed", |f| f.write("kept/b", b"again", 0o644)),
    ("remove the rest", |f| f.remove("kept/b")),
    ("remove the empty folder", |f| f.remove("kept")),
    ("remove what is not there", |f| f.remove("kept/none")),
];

#[test]
fn after_each_step_it_shows_what_the_disk_would() {
    let (_dir, _, overlay) = over_disk();
    let (_other_dir, disk, _) = over_disk();
    for (name, step) in STEPS {
        let (planned, real) = (step(&overlay), step(disk.as_ref()));
        assert_eq!(planned.is_ok(), real.is_ok(), "{name}: {planned:?}, {real:?}");
        let (mut a, mut b) = (Vec::new(), Vec::new());
        tree(&overlay, ".", &mut a);
        tree(disk.as_ref(), ".", &mut b);
        assert_eq!(a, b, "after: {name}");
    }
}

#[test]
fn the_disk_beneath_does_not_change() {
    let (_dir, disk, overlay) = over_disk();
    let before = {
        let mut found = Vec::new();
        tree(disk.as_ref(), ".", &mut found);
        found
    };
    for (_, step) in STEPS {
        let _ = step(&overlay);
    }
    let mut after = Vec::new();
    tree(disk.as_ref(), ".", &mut after);
    assert_eq!(before, after);
}

#[test]
fn it_tells_what_was_written() {
    let (_dir, _, overlay) = over_disk();
    overlay.write("new", b"x", 0o644).unwrap();
    overlay.remove("kept/a").unwrap();
    let expected = [("kept/a".to_owned(), None), ("new".to_owned(), Some(b"x".to_vec()))];
    assert_eq!(overlay.written(), BTreeMap::from(expected));
}

#[test]
fn a_path_has_one_name() {
    let files = Overlay::empty();
    files.write("./a//b", b"x", 0o644).unwrap();
    assert_eq!(files.read("a/./b").unwrap(), b"x");
    assert!(files.write("a/../c", b"x", 0o644).is_err());
}
