//! The watch on the real file system: every way in which people and programs save, move and lose files. No test waits for time to pass where
//! an event comes: that something is *not* told is shown by a later change that is.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;

use super::*;

mod stirred;

/// Written last, in turn, where a test says that nothing else was told: the kernel keeps the order of its events. One that was written before
/// may be told once more, by an event that was late.
const LAST: [&str; 4] = ["last-of-all-1", "last-of-all-2", "last-of-all-3", "last-of-all-4"];

struct Place {
    _dir: tempfile::TempDir,
    root: PathBuf,
    watch: Watch,
    rests: usize,
}

impl Place {
    fn new(files: &[&str]) -> Place {
        Place::with(files, Pace::default())
    }

    fn with(files: &[&str], pace: Pace) -> Place {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap().join("repo");
        fs::create_dir(&root).unwrap();
        let watch = Watch::new(&root, pace);
        let place = Place { _dir: dir, root, watch, rests: 0 };
        for file in files {
            place.write(file, "old");
        }
        place
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), text).unwrap();
    }

    /// Saves as editors do: a new file beside the old one, renamed over it.
    fn replace(&self, path: &str, text: &str) {
        let beside = self.at(&format!("{path}~new"));
        fs::write(&beside, text).unwrap();
        fs::rename(beside, self.at(path)).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.at(from), self.at(to)).unwrap();
    }

    /// Follows paths; those that end in `/` by the names in them.
    fn follow(&mut self, paths: &[&str]) {
        let follow = |path: &&str| match path.strip_suffix('/') {
            Some(folder) => Follow::Names(self.at(folder)),
            None => Follow::Path(self.at(path)),
        };
        let wanted = paths.iter().chain(&LAST).map(follow).collect();
        self.watch.follow(&wanted);
    }

    /// The next batch, as paths below the root.
    async fn batch(&mut self) -> Vec<String> {
        let found = timeout(Duration::from_secs(30), self.watch.changed()).await;
        let found = found.expect("something is told within half a minute");
        found.iter().map(|follow| self.shown(follow)).collect()
    }

    fn shown(&self, follow: &Follow) -> String {
        let path = follow.path().strip_prefix(&self.root).unwrap().display();
        match follow {
            Follow::Path(_) => path.to_string(),
            Follow::Names(_) => format!("{path}/"),
        }
    }

    /// Everything that is told from now until a last change is, without that one.
    async fn rest(&mut self) -> Vec<String> {
        let last = LAST[self.rests % LAST.len()];
        self.rests += 1;
        self.write(last, "x");
        let mut all = BTreeSet::new();
        loop {
            let batch = self.batch().await;
            let over = batch.iter().any(|path| path == last);
            all.extend(batch.into_iter().filter(|path| !LAST.contains(&path.as_str())));
            if over {
                return all.into_iter().collect();
            }
        }
    }
}

/// A watch that has to ask, quickly.
fn polling() -> Pace {
    Pace { poll: Duration::from_millis(20), poll_all: true, ..Pace::default() }
}

#[tokio::test]
async fn a_save_in_place_is_told_once() {
    let mut place = Place::new(&["f", "g"]);
    place.follow(&["f", "g"]);
    place.write("f", "new");
    assert_eq!(place.batch().await, ["f"]);
    assert!(place.rest().await.is_empty());
}

#[tokio::test]
async fn a_save_by_rename_is_told_once_and_so_is_the_next_one() {
    let mut place = Place::new(&["f"]);
    place.follow(&["f"]);
    for text in ["new", "newer"] {
        place.replace("f", text);
        assert_eq!(place.batch().await, ["f"]);
    }
    assert!(place.rest().await.is_empty());
}

#[tokio::test]
async fn a_save_under_another_name_first_is_told_once() {
    let mut place = Place::new(&["f"]);
    place.follow(&["f"]);
    place.rename("f", "f~");
    place.write("f", "new");
    fs::remove_file(place.at("f~")).unwrap();
    assert_eq!(place.batch().await, ["f"]);
    assert!(place.rest().await.is_empty());
}

#[tokio::test]
async fn files_beside_it_are_nobodys_business() {
    let mut place = Place::new(&["d/f", "d/other"]);
    place.follow(&["d/f"]);
    place.write("d/.f.swp", "swap");
    place.write("d/4913", "");
    place.write("d/other", "new");
    place.write("d/f~", "backup");
    place.write("new/f", "elsewhere");
    fs::remove_file(place.at("d/4913")).unwrap();
    assert!(place.rest().await.is_empty());
}

#[tokio::test]
async fn reading_is_no_change() {
    let mut place = Place::new(&["d/f"]);
    place.follow(&["d/f", "d/"]);
    fs::read(place.at("d/f")).unwrap();
    fs::read_dir(place.at("d")).unwrap().for_each(drop);
    assert!(place.rest().await.is_empty());
}

#[tokio::test]
async fn a_file_is_told_when_it_goes_and_when_it_comes_again() {
    let mut place = Place::new(&["d/f"]);
    place.follow(&["d/f"]);
    fs::remove_file(place.at("d/f")).unwrap();
    assert_eq!(place.batch().await, ["d/f"]);
    place.write("d/f", "new");
    assert_eq!(place.batch().await, ["d/f"]);
    place.write("d/f", "newer");
    assert_eq!(place.batch().await, ["d/f"]);
}

#[tokio::test]
async fn a_file_that_appears_later_is_told_with_the_folders_that_it_needs() {
    let mut place = Place::new(&[]);
    place.follow(&["a/b/c/f"]);
    place.write("a/other", "x");
    assert_eq!(place.batch().await, ["a/b/c/f"], "one step nearer");
    place.write("a/b/c/f", "new");
    assert_eq!(place.batch().await, ["a/b/c/f"]);
    place.write("a/b/c/f", "newer");
    assert_eq!(place.batch().await, ["a/b/c/f"]);
}

#[tokio::test]
async fn a_folder_that_moves_away_and_one_that_takes_its_place_are_both_told() {
    let mut place = Place::new(&["a/b/f", "a/g", "h"]);
    place.follow(&["a/b/f", "h"]);
    place.rename("a", "away");
    assert_eq!(place.batch().await, ["a/b/f"]);
    place.write("away/b/f", "nobody follows this one now");
    assert!(place.rest().await.is_empty());
    place.write("a/b/f", "new");
    assert_eq!(place.batch().await, ["a/b/f"]);
    place.write("a/b/f", "newer");
    assert_eq!(place.batch().await, ["a/b/f"]);
}

#[tokio::test]
async fn a_folder_renamed_to_a_followed_name_is_told() {
    let mut place = Place::new(&["before/deep/f"]);
    place.follow(&["before/deep/f", "after/deep/f"]);
    place.rename("before", "after");
    assert_eq!(place.batch().await, ["after/deep/f", "before/deep/f"]);
    place.write("after/deep/f", "new");
    assert_eq!(place.batch().await, ["after/deep/f"]);
}

#[tokio::test]
async fn a_folder_that_is_deleted_and_made_again_is_followed_again() {
    let mut place = Place::new(&["a/b/f"]);
    place.follow(&["a/b/f"]);
    for text in ["one", "two", "three"] {
        fs::remove_dir_all(place.at("a")).unwrap();
        place.write("a/b/f", text);
        assert_eq!(place.batch().await, ["a/b/f"]);
        place.write("a/b/f", "changed");
        assert_eq!(place.batch().await, ["a/b/f"]);
    }
}

#[tokio::test]
async fn a_link_is_followed_to_its_target_and_told_when_it_leads_elsewhere() {
    let mut place = Place::new(&["real/one", "real/two"]);
    symlink("real/one", place.at("link")).unwrap();
    place.follow(&["link"]);
    place.write("real/one", "new");
    assert_eq!(place.batch().await, ["link"]);
    symlink("real/two", place.at("link~new")).unwrap();
    place.rename("link~new", "link");
    assert_eq!(place.batch().await, ["link"]);
    place.write("real/one", "nobody follows this one now");
    assert!(place.rest().await.is_empty());
    place.replace("real/two", "new");
    assert_eq!(place.batch().await, ["link"]);
}

#[tokio::test]
async fn links_to_folders_switch_as_a_whole() {
    // As Kubernetes changes a mounted secret: `f` leads to `..data/f`, and `..data` to a folder that is replaced.
    let mut place = Place::new(&["v1/f", "v2/f"]);
    symlink("v1", place.at("..data")).unwrap();
    symlink("..data/f", place.at("f")).unwrap();
    place.follow(&["f"]);
    symlink("v2", place.at("..tmp")).unwrap();
    place.rename("..tmp", "..data");
    assert_eq!(place.batch().await, ["f"]);
    place.write("v2/f", "new");
    assert_eq!(place.batch().await, ["f"]);
}

#[tokio::test]
async fn a_link_to_nothing_is_told_when_its_target_appears() {
    let mut place = Place::new(&[]);
    symlink("later/f", place.at("link")).unwrap();
    place.follow(&["link"]);
    place.write("later/f", "new");
    assert_eq!(place.rest().await, ["link"]);
}

#[tokio::test]
async fn a_file_outside_the_root_is_followed_too() {
    let mut place = Place::new(&[]);
    let key = place.root.parent().unwrap().join("keys/age.txt");
    fs::create_dir(key.parent().unwrap()).unwrap();
    place.watch.follow(&BTreeSet::from([Follow::Path(key.clone())]));
    fs::write(&key, "new").unwrap();
    let found = timeout(Duration::from_secs(30), place.watch.changed()).await.unwrap();
    assert_eq!(found, BTreeSet::from([Follow::Path(key)]));
}

#[tokio::test]
async fn the_names_of_a_folder_are_told_when_they_differ() {
    let mut place = Place::new(&["d/a"]);
    place.follow(&["d/"]);
    place.write("d/a", "the same name");
    place.write("d/4913", "comes and goes");
    fs::remove_file(place.at("d/4913")).unwrap();
    assert!(place.rest().await.is_empty());
    place.write("d/b", "");
    assert_eq!(place.batch().await, ["d/"]);
    place.rename("d/b", "d/c");
    assert_eq!(place.batch().await, ["d/"]);
    fs::remove_dir_all(place.at("d")).unwrap();
    assert_eq!(place.batch().await, ["d/"]);
    place.write("d/a", "");
    assert_eq!(place.batch().await, ["d/"]);
}

#[tokio::test]
async fn a_checkout_of_a_thousand_files_is_one_batch() {
    let names: Vec<String> = (0..1000).map(|n| format!("d{}/f{n}", n % 20)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut place = Place::new(&names);
    place.follow(&names);
    for name in &names {
        // As Git does it: the old file goes, a new one comes.
        fs::remove_file(place.at(name)).unwrap();
        place.write(name, "new");
    }
    assert_eq!(place.batch().await.len(), 1000);
    assert!(place.rest().await.is_empty());
}

#[tokio::test]
async fn a_checkout_under_way_is_waited_for() {
    let names = ["a", "b", "c"];
    let mut place = Place::new(&names);
    place.write("lock", "");
    place.watch.pace.checkout = Some(place.at("lock"));
    place.watch.pace.burst = 2;
    place.watch.pace.longest_checkout = Duration::from_secs(60);
    place.follow(&names);
    place.write("a", "new");
    place.write("b", "new");
    let early = timeout(Duration::from_millis(300), place.watch.changed()).await;
    assert!(early.is_err(), "told in the middle: {early:?}");
    place.write("c", "new");
    fs::remove_file(place.at("lock")).unwrap();
    assert_eq!(place.batch().await, names);
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_file_that_is_still_being_written_is_waited_for() {
    use std::io::Write as _;
    let mut place = Place::new(&["f"]);
    place.watch.pace.open = Duration::from_secs(60);
    place.watch.pace.longest = Duration::from_secs(60);
    place.follow(&["f"]);
    let mut file = fs::File::create(place.at("f")).unwrap();
    file.write_all(b"half").unwrap();
    let early = timeout(Duration::from_millis(200), place.watch.changed()).await;
    assert!(early.is_err(), "told half written: {early:?}");
    file.write_all(b" and whole").unwrap();
    drop(file);
    assert_eq!(place.batch().await, ["f"]);
}

#[tokio::test]
async fn endless_changes_are_told_all_the_same() {
    let mut place = Place::new(&["f"]);
    place.watch.pace.quiet = Duration::from_secs(3600);
    place.watch.pace.longest = Duration::from_millis(50);
    place.follow(&["f"]);
    place.write("f", "new");
    assert_eq!(place.batch().await, ["f"]);
}

#[tokio::test]
async fn what_is_no_longer_followed_is_no_longer_told() {
    let mut place = Place::new(&["a/f", "b/g"]);
    place.follow(&["a/f", "b/g", "b/"]);
    place.follow(&["b/g"]);
    assert_eq!(place.watch.counts(), (1 + LAST.len(), 2), "the root, b");
    place.write("a/f", "new");
    place.write("b/other", "new");
    assert!(place.rest().await.is_empty());
    place.write("b/g", "new");
    assert_eq!(place.batch().await, ["b/g"]);
}

#[tokio::test]
async fn nothing_is_lost_where_nobody_listens_for_a_while() {
    let mut place = Place::new(&["f", "g"]);
    place.follow(&["f", "g"]);
    place.write("f", "new");
    // Dropped in the middle of the quiet period, more than once.
    let mut told = BTreeSet::new();
    for _ in 0..3 {
        // On a busy machine the period may be over by then.
        if let Ok(batch) = timeout(Duration::from_millis(1), place.watch.changed()).await {
            told.extend(batch.iter().map(|follow| place.shown(follow)));
        }
    }
    place.write("g", "new");
    told.extend(place.rest().await);
    assert!(told.iter().eq(["f", "g"]), "{told:?}");
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn when_the_kernels_queue_overflows_everything_is_told() {
    let mut place = Place::new(&["a/f", "b/g"]);
    place.follow(&["a/f", "b/g", "b/"]);
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    {
        // The system's thread waits here, so nobody empties the queue.
        let inbox = place.watch.inbox.clone();
        let held = inbox.heard();
        for n in 0..=limit {
            fs::write(place.at(&format!("noise-{}", n % 7)), "x").unwrap();
        }
        place.write("a/f", "lost");
        drop(held);
    }
    let told = place.batch().await;
    assert!(told.contains(&"a/f".to_owned()) && told.contains(&"b/g".to_owned()), "{told:?}");
    assert!(!told.contains(&"b/".to_owned()), "its names are the same");
    assert!(place.rest().await.iter().all(|path| path == "noise"), "and it still hears");
    place.write("b/g", "new");
    assert_eq!(place.batch().await, ["b/g"]);
}

#[tokio::test]
async fn without_the_kernels_help_it_asks() {
    let mut place = Place::with(&["a/f"], polling());
    symlink("a/f", place.at("link")).unwrap();
    place.follow(&["a/f", "later/f", "a/", "link"]);
    let polled = place.watch.polled();
    assert!(polled.iter().all(|polled| polled.why == "it was asked for"), "{polled:?}");
    place.write("a/f", "longer than before");
    assert_eq!(place.batch().await, ["a/f", "link"]);
    place.write("later/f", "new");
    assert_eq!(place.batch().await, ["later/f"]);
    place.write("a/g", "new");
    assert_eq!(place.batch().await, ["a/"]);
    fs::remove_dir_all(place.at("a")).unwrap();
    assert_eq!(place.rest().await, ["a/", "a/f", "link"]);
}

#[tokio::test]
async fn local_folders_are_not_asked_for() {
    let mut place = Place::new(&["a/f"]);
    place.follow(&["a/f", "a/", "none"]);
    assert_eq!(place.watch.polled(), []);
    assert!(place.watch.polled.is_empty());
}
