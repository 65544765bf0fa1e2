//! Every way to touch a file, and whether its fingerprint holds: edits must be seen, everything else must cost one hash.

use std::fs::{FileTimes, OpenOptions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, SystemTime};

use super::*;

fn place() -> (tempfile::TempDir, Prints) {
    let dir = tempfile::tempdir().unwrap();
    let prints = Prints::new(dir.path(), [7; 32]);
    (dir, prints)
}

/// An old file: what it says is not racy.
fn old_file(dir: &Path, name: &str, text: &str) {
    fs::write(dir.join(name), text).unwrap();
    set_mtime(&dir.join(name), SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000));
}

fn set_mtime(path: &Path, time: SystemTime) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_times(FileTimes::new().set_modified(time)).unwrap();
}

/// The time by the file system's clock.
fn clock() -> SystemTime {
    tempfile::tempfile().unwrap().metadata().unwrap().modified().unwrap()
}

fn mtime(path: &Path) -> SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

type Edit = fn(&Path);

#[test]
fn every_edit_is_seen() {
    let edits: &[(&str, Edit)] = &[
        ("another size", |f| fs::write(f, "longer than before").unwrap()),
        ("the same size", |f| fs::write(f, "new").unwrap()),
        ("mtime set back", |f| {
            let before = mtime(f);
            fs::write(f, "new").unwrap();
            set_mtime(f, before);
        }),
        ("mtime a day ahead", |f| {
            fs::write(f, "new").unwrap();
            set_mtime(f, clock() + Duration::from_secs(86_400));
        }),
        ("mtime a day behind", |f| {
            fs::write(f, "new").unwrap();
            set_mtime(f, clock() - Duration::from_secs(86_400));
        }),
        ("replaced by a rename with equal mtime", |f| {
            let other = f.with_extension("other");
            fs::write(&other, "new").unwrap();
            set_mtime(&other, mtime(f));
            fs::rename(&other, f).unwrap();
        }),
    ];
    for (what, edit) in edits {
        let (dir, prints) = place();
        old_file(dir.path(), "f", "old");
        let print = prints.of("f", None, prints.now()).unwrap().unwrap();
        assert!(!print.racy);
        assert_eq!(prints.compare("f", &print, prints.now()), Seen::Same);
        edit(&dir.path().join("f"));
        let seen = prints.compare("f", &print, prints.now());
        assert!(matches!(seen, Seen::Other(_, Some(_))), "{what}: {seen:?}");
        assert!(!prints.stands("f", &print), "{what}");
    }
}

#[test]
fn what_is_no_edit_costs_one_hash() {
    let touches: &[(&str, Edit)] = &[
        ("touch", |f| set_mtime(f, SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000))),
        ("chmod", |f| fs::set_permissions(f, fs::Permissions::from_mode(0o600)).unwrap()),
        ("a hard link", |f| fs::hard_link(f, f.with_extension("link")).unwrap()),
        ("written again", |f| {
            fs::write(f, "old").unwrap();
            set_mtime(f, SystemTime::UNIX_EPOCH + Duration::from_secs(3_000_000));
        }),
        ("a copy in its place", |f| {
            let copy = f.with_extension("copy");
            fs::write(&copy, "old").unwrap();
            set_mtime(&copy, mtime(f));
            fs::rename(copy, f).unwrap();
        }),
    ];
    for (what, touch) in touches {
        let (dir, prints) = place();
        old_file(dir.path(), "f", "old");
        let print = prints.of("f", None, prints.now()).unwrap().unwrap();
        touch(&dir.path().join("f"));
        let Seen::Renewed(renewed) = prints.compare("f", &print, prints.now()) else {
            panic!("{what}: not renewed");
        };
        assert_eq!(prints.compare("f", &renewed, prints.now()), Seen::Same, "{what}: once");
    }
}

#[test]
fn an_edit_within_one_tick_is_seen_by_its_hash() {
    let (dir, prints) = place();
    let path = dir.path().join("f");
    fs::write(&path, "old").unwrap();
    let print = prints.of("f", None, prints.now()).unwrap().unwrap();
    assert!(print.racy, "modified just before it was read");
    fs::write(&path, "new").unwrap();
    // As if the file system had stamped both writes alike.
    let stat = disk::stat(&fs::metadata(&path).unwrap());
    let alike = super::print(&stat, print.hash, prints.now());
    assert!(same(&stat, &alike));
    assert!(matches!(prints.compare("f", &alike, prints.now()), Seen::Other(3, Some(_))));
}

#[test]
fn a_racy_fingerprint_settles_once_its_file_is_old_enough() {
    let (dir, prints) = place();
    fs::write(dir.path().join("f"), "text").unwrap();
    let now = prints.now().unwrap();
    let racy = prints.of("f", None, Some(now)).unwrap().unwrap();
    assert_eq!(prints.compare("f", &racy, Some(now)), Seen::Same);
    let later = Some(now + 3 * RACY);
    let Seen::Renewed(settled) = prints.compare("f", &racy, later) else { panic!("not settled") };
    assert_eq!(settled, Print { racy: false, ..racy });
}

#[test]
fn without_a_clock_of_the_file_system_every_fingerprint_is_racy() {
    let (dir, prints) = place();
    old_file(dir.path(), "f", "text");
    assert!(prints.of("f", None, None).unwrap().unwrap().racy);
    let (gone, nowhere) = place();
    drop(gone);
    assert_eq!(nowhere.now(), None);
}

#[test]
fn a_known_fingerprint_saves_the_reading() {
    let (dir, prints) = place();
    old_file(dir.path(), "f", "text");
    let now = prints.now();
    let known = prints.of("f", None, now).unwrap().unwrap();
    // A hash that could not come from the content: it was not read.
    let known = Print { hash: Hash([0; 32]), ..known };
    assert_eq!(prints.of("f", Some(&known), now).unwrap(), Some(known));
    let racy = Print { racy: true, ..known };
    assert_ne!(prints.of("f", Some(&racy), now).unwrap(), Some(racy));
}

#[test]
fn what_is_gone_or_a_folder_is_no_file() {
    let (dir, prints) = place();
    old_file(dir.path(), "f", "text");
    let print = prints.of("f", None, prints.now()).unwrap().unwrap();
    fs::remove_file(dir.path().join("f")).unwrap();
    assert_eq!(prints.compare("f", &print, None), Seen::Gone);
    fs::create_dir(dir.path().join("f")).unwrap();
    assert_eq!(prints.compare("f", &print, None), Seen::Gone);
    assert_eq!(prints.of("f", None, None).unwrap(), None);
    assert_eq!(prints.of("f/below", None, None).unwrap(), None);
    symlink("nothing", dir.path().join("link")).unwrap();
    assert_eq!(prints.compare("link", &print, None), Seen::Gone);
}

#[test]
fn many_items_keep_their_order() {
    let items: Vec<usize> = (0..10_007).collect();
    assert_eq!(each(&items, |n| n * 2), items.iter().map(|n| n * 2).collect::<Vec<_>>());
    assert_eq!(each(&items[..3], |n| n + 1), [1, 2, 3]);
    assert_eq!(each(&items[..0], |n| n + 1), [] as [usize; 0]);
}

#[test]
fn two_keys_give_two_hashes() {
    let (dir, prints) = place();
    let other = Prints::new(dir.path(), [8; 32]);
    assert_ne!(prints.hash(b"x"), other.hash(b"x"));
}

#[test]
fn a_pipe_is_no_file_and_is_not_waited_for() {
    let (dir, prints) = place();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        dir.path().join("pipe"),
        FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    let error = prints.of("pipe", None, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
