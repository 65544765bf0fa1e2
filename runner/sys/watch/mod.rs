//! Follows paths and tells, in batches, where something may have changed. A hint, never a proof: whoever is told looks for himself. Knows
//! nothing of recipes, and reads no file's content.
//!
//! Folders are watched, never files: an editor that saves by renaming a new file over the old one leaves a watch on the old one behind. For
//! each path the watched folders are those of every name on the way to it, links and their targets included, as far down as the way exists;
//! so a path may be missing, appear later, or be moved away together with the folder that it lies in.
//!
//! Where the kernel cannot tell (a network mount that others write to, no watches left, a folder that may not be read) the paths are asked
//! for again and again instead.

mod chain;
mod inbox;
mod mount;
pub mod noted;
mod print;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use notify::{ErrorKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::time::{Instant, sleep_until};

use chain::{Chain, Finder};
use inbox::Inbox;
use print::Print;

/// Something to follow, by its absolute path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Follow {
    /// What is at a path: a file's content, that there is nothing, that it is a folder.
    Path(PathBuf),
    /// Which names a folder holds.
    Names(PathBuf),
}

impl Follow {
    /// The path.
    pub fn path(&self) -> &Path {
        match self {
            Follow::Path(path) | Follow::Names(path) => path,
        }
    }
}

/// How long to wait for what.
#[derive(Clone, Debug)]
pub struct Pace {
    /// No event for so long, and a save is over.
    pub quiet: Duration,
    /// The same once many names were touched: a checkout, an unpacked archive.
    pub burst_quiet: Duration,
    /// How many names those are.
    pub burst: usize,
    /// A file that is being written is waited for, but no longer than this since its last event.
    pub open: Duration,
    /// A batch is told after this time, however much goes on.
    pub longest: Duration,
    /// The same while `checkout` is there and many names were touched.
    pub longest_checkout: Duration,
    /// A file that is there while somebody rewrites everything: Git's lock of its index.
    pub checkout: Option<PathBuf>,
    /// How often paths are asked for of which the kernel does not tell.
    pub poll: Duration,
    /// Ask for all of them, whatever the kernel could tell.
    pub poll_all: bool,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            quiet: Duration::from_millis(10),
            burst_quiet: Duration::from_millis(60),
            burst: 8,
            open: Duration::from_millis(250),
            longest: Duration::from_secs(2),
            longest_checkout: Duration::from_secs(10),
            checkout: None,
            poll: Duration::from_secs(1),
            poll_all: false,
        }
    }
}

/// A folder of which the kernel does not tell everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Polled {
    /// The folder, without links.
    pub folder: PathBuf,
    /// Why: `it is an nfs mount`.
    pub why: String,
}

/// A watch over some paths.
pub struct Watch {
    root: PathBuf,
    pace: Pace,
    system: Result<RecommendedWatcher, String>,
    inbox: Inbox,
    ways: BTreeMap<Rc<Follow>, Chain>,
    by_name: BTreeMap<PathBuf, BTreeSet<Rc<Follow>>>,
    by_folder: BTreeMap<PathBuf, BTreeSet<Rc<Follow>>>,
    /// Watched folders, each with why it is asked for as well, if it is.
    armed: BTreeMap<PathBuf, Option<String>>,
    /// What was last seen of names of folders, and of everything that is asked for.
    prints: BTreeMap<Rc<Follow>, Print>,
    polled: BTreeSet<Rc<Follow>>,
    next_poll: Instant,
}

impl Watch {
    /// A watch that follows nothing yet. Folders above `root` (absolute, without links) are taken for steady.
    pub fn new(root: &Path, pace: Pace) -> Watch {
        let inbox = Inbox::default();
        let ears = inbox.clone();
        let system = if pace.poll_all {
            Err("it was asked for".to_owned())
        } else {
            notify::recommended_watcher(move |event| ears.hear(&event)).map_err(|e| e.to_string())
        };
        Watch {
            root: root.to_owned(),
            next_poll: Instant::now() + pace.poll,
            pace,
            system,
            inbox,
            ways: BTreeMap::new(),
            by_name: BTreeMap::new(),
            by_folder: BTreeMap::new(),
            armed: BTreeMap::new(),
            prints: BTreeMap::new(),
            polled: BTreeSet::new(),
        }
    }

    /// Follows exactly these from now on. What changed before this returns is not told: look at them afterwards.
    pub fn follow(&mut self, wanted: &BTreeSet<Follow>) {
        let gone: Vec<Rc<Follow>> =
            self.ways.keys().filter(|known| !wanted.contains(&***known)).cloned().collect();
        for follow in &gone {
            self.forget_way(follow);
            self.prints.remove(follow);
            self.polled.remove(follow);
        }
        let new: BTreeSet<Rc<Follow>> = wanted
            .iter()
            .filter(|wanted| !self.ways.contains_key(*wanted))
            .map(|wanted| Rc::new(wanted.clone()))
            .collect();
        if self.arm(&new) || !gone.is_empty() {
            self.disarm_unused();
        }
    }

    /// What it follows.
    pub fn follows(&self) -> BTreeSet<Follow> {
        self.ways.keys().map(|follow| (**follow).clone()).collect()
    }

    /// How many paths and how many folders it follows.
    pub fn counts(&self) -> (usize, usize) {
        (self.ways.len(), self.armed.len())
    }

    /// The folders that are asked for, each with the reason.
    pub fn polled(&self) -> Vec<Polled> {
        let asked = |(folder, why): (&PathBuf, &Option<String>)| {
            Some(Polled { folder: folder.clone(), why: why.clone()? })
        };
        self.armed.iter().filter_map(asked).collect()
    }

    /// The next batch of what may have changed. Nothing is lost where this is dropped while it waits.
    pub async fn changed(&mut self) -> BTreeSet<Follow> {
        loop {
            if self.inbox.heard().any() {
                self.quiet().await;
                let found = self.take();
                if !found.is_empty() {
                    return found;
                }
                continue;
            }
            tokio::select! {
                () = self.inbox.news() => {}
                () = sleep_until(self.next_poll), if !self.polled.is_empty() => {
                    let found = self.poll().await;
                    if !found.is_empty() {
                        return found;
                    }
                }
            }
        }
    }

    /// Waits until nothing was heard for a while.
    async fn quiet(&self) {
        let began = Instant::now();
        loop {
            let (last, touched, writing) = {
                let heard = self.inbox.heard();
                (heard.last.unwrap_or(began), heard.touched.len(), !heard.writing.is_empty())
            };
            let burst = touched >= self.pace.burst;
            let checkout = burst && self.pace.checkout.as_ref().is_some_and(|lock| lock.exists());
            let quiet = if burst { self.pace.burst_quiet } else { self.pace.quiet };
            // Of many names some may still be under way from the kernel, however long ago the last one was heard.
            let last = if burst { last.max(began) } else { last };
            let longest = if checkout { self.pace.longest_checkout } else { self.pace.longest };
            let now = Instant::now();
            let until = match () {
                () if now < last + quiet => last + quiet,
                () if writing && now < last + self.pace.open => last + self.pace.open,
                () if checkout => now + quiet,
                () => return,
            };
            if now >= began + longest {
                return;
            }
            tokio::select! {
                () = sleep_until(until.min(began + longest)) => {}
                () = self.inbox.news() => {}
            }
        }
    }

    /// What the events heard so far are about. Folders that came, went or moved are watched anew first.
    fn take(&mut self) -> BTreeSet<Follow> {
        let (touched, lost) = {
            let mut heard = self.inbox.heard();
            heard.writing.clear();
            (std::mem::take(&mut heard.touched), std::mem::take(&mut heard.lost))
        };
        let mut hit: BTreeSet<Rc<Follow>> = BTreeSet::new();
        if lost {
            hit.extend(self.ways.keys().cloned());
            for folder in std::mem::take(&mut self.armed).into_keys() {
                self.unwatch(&folder);
            }
        }
        for name in &touched {
            let within = name.parent().and_then(|folder| self.by_folder.get(folder));
            hit.extend(self.by_name.get(name).into_iter().chain(within).flatten().cloned());
            // A watch stays with a folder that moves, and keeps telling its old name.
            let below = self.armed.range(name.clone()..).map(|(folder, _)| folder);
            let stale: Vec<PathBuf> =
                below.take_while(|folder| folder.starts_with(name)).cloned().collect();
            for folder in stale {
                self.armed.remove(&folder);
                self.unwatch(&folder);
            }
        }
        if self.arm(&hit) {
            self.disarm_unused();
        }
        let mut found = BTreeSet::new();
        for follow in hit {
            if self.moved(&follow) {
                found.insert((*follow).clone());
            }
        }
        found
    }

    /// Whether to tell of something that was hit. A file's new content may look like its old one from outside; names are all there is to a
    /// list of names.
    fn moved(&mut self, follow: &Rc<Follow>) -> bool {
        let Some(known) = self.prints.get_mut(follow) else { return true };
        let now = Print::of(follow);
        let differs = *known != now;
        *known = now;
        differs || matches!(**follow, Follow::Path(_))
    }

    /// Asks for everything of which the kernel does not tell; where something changed, again until nothing more does.
    async fn poll(&mut self) -> BTreeSet<Follow> {
        let began = Instant::now();
        let mut found = BTreeSet::new();
        let took = loop {
            let asked = Instant::now();
            let before = found.len();
            for follow in self.polled.clone() {
                let now = Print::of(&follow);
                if self.prints.get(&follow) != Some(&now) {
                    found.insert((*follow).clone());
                    self.prints.insert(follow, now);
                }
            }
            let took = asked.elapsed();
            if found.len() == before || began.elapsed() > self.pace.longest {
                break took;
            }
            sleep_until(Instant::now() + self.pace.poll / 10).await;
        };
        // At most a twentieth of the time goes into asking.
        self.next_poll = Instant::now() + self.pace.poll.max(took * 20);
        let hit: BTreeSet<Rc<Follow>> = found.iter().map(|f| Rc::new(f.clone())).collect();
        if self.arm(&hit) {
            self.disarm_unused();
        }
        found
    }

    /// Finds the ways to these paths and watches what they need, again and again until the way stays the same meanwhile. Whether any way is
    /// another one than before.
    fn arm(&mut self, follows: &BTreeSet<Rc<Follow>>) -> bool {
        let mut other = false;
        // Only somebody who keeps moving folders about could need more rounds; each of his moves is an event again.
        for _ in 0..16 {
            let root = self.root.clone();
            let mut finder = Finder::new(&root);
            let mut missing = BTreeSet::new();
            for follow in follows {
                let chain = finder.chain(follow.path());
                if self.ways.get(follow) != Some(&chain) {
                    other = true;
                    self.forget_way(follow);
                    self.remember_way(follow, chain);
                }
                let way = &self.ways[follow];
                let all = needed(follow, way);
                missing.extend(all.filter(|f| !self.armed.contains_key(*f)).cloned());
            }
            if missing.is_empty() {
                break;
            }
            for folder in missing {
                self.watch(folder);
            }
        }
        for follow in follows {
            let asked = needed(follow, &self.ways[follow])
                .any(|f| matches!(self.armed.get(f), Some(Some(_))));
            if asked {
                self.polled.insert(follow.clone());
            } else {
                self.polled.remove(follow);
            }
            if (asked || matches!(**follow, Follow::Names(_))) && !self.prints.contains_key(follow)
            {
                self.prints.insert(follow.clone(), Print::of(follow));
            }
        }
        other
    }

    fn watch(&mut self, folder: PathBuf) {
        let why = match &mut self.system {
            Err(why) => Some(why.clone()),
            Ok(system) => match system.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => mount::shared(&folder).map(|kind| format!("it is a {kind} mount")),
                Err(error) => match error.kind {
                    // It went while we came: the next round finds another way.
                    ErrorKind::PathNotFound => return,
                    ErrorKind::Io(e) if e.kind() == std::io::ErrorKind::NotFound => return,
                    ErrorKind::MaxFilesWatch => {
                        Some("no watches are left (fs.inotify.max_user_watches)".to_owned())
                    }
                    ErrorKind::Io(error) => Some(error.to_string()),
                    _ => Some(error.to_string()),
                },
            },
        };
        self.armed.insert(folder, why);
    }

    fn unwatch(&mut self, folder: &Path) {
        if let Ok(system) = &mut self.system {
            // The kernel has dropped it already where the folder is gone.
            let _ = system.unwatch(folder);
        }
    }

    fn disarm_unused(&mut self) {
        let used: BTreeSet<&PathBuf> =
            self.ways.iter().flat_map(|(f, way)| needed(f, way)).collect();
        let unused: Vec<PathBuf> =
            self.armed.keys().filter(|folder| !used.contains(folder)).cloned().collect();
        for folder in unused {
            self.armed.remove(&folder);
            self.unwatch(&folder);
        }
    }

    fn remember_way(&mut self, follow: &Rc<Follow>, chain: Chain) {
        let mut heard = self.inbox.heard();
        for name in &chain.names {
            if !self.by_name.contains_key(name) {
                heard.names.insert(name.clone());
            }
            self.by_name.entry(name.clone()).or_default().insert(follow.clone());
        }
        if let (Follow::Names(_), Some(folder)) = (&**follow, &chain.folder) {
            heard.folders.insert(folder.clone());
            self.by_folder.entry(folder.clone()).or_default().insert(follow.clone());
        }
        drop(heard);
        self.ways.insert(follow.clone(), chain);
    }

    fn forget_way(&mut self, follow: &Rc<Follow>) {
        let Some(chain) = self.ways.remove(follow) else { return };
        let mut heard = self.inbox.heard();
        for name in &chain.names {
            if drop_one(&mut self.by_name, name, follow) {
                heard.names.remove(name);
            }
        }
        if let Some(folder) = &chain.folder
            && drop_one(&mut self.by_folder, folder, follow)
        {
            heard.folders.remove(folder);
        }
    }
}

/// Removes one follower of a name; true where it was the last.
fn drop_one(
    map: &mut BTreeMap<PathBuf, BTreeSet<Rc<Follow>>>,
    name: &Path,
    follow: &Rc<Follow>,
) -> bool {
    let Some(all) = map.get_mut(name) else { return false };
    all.remove(follow);
    let last = all.is_empty();
    if last {
        map.remove(name);
    }
    last
}

/// The folders that a path's way needs watched.
fn needed<'a>(follow: &Follow, way: &'a Chain) -> impl Iterator<Item = &'a PathBuf> {
    let own = way.folder.iter().filter(|_| matches!(follow, Follow::Names(_)));
    way.folders.iter().chain(own)
}
