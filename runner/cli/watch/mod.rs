//! `ops watch RECIPE …`: runs recipes, and again whenever something that they read changes. Waits and dispatches; what a change means is
//! decided by `engine/watch`, what a run is by `round`.

mod round;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ops_core::error::{Code, Exit, Fault};
use ops_core::time::Span;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Start;
use super::args::WatchArgs;
use super::invocation::some_recipe;
use super::seam::{block_on, signals};
use crate::engine::watch::{Act, Heard, Vigil};
use crate::output::watch::{Changed, Watching};
use crate::sys::clock;
use crate::sys::watch::noted::How;
use crate::sys::watch::{Follow, Pace, Watch};
use round::{Ears, Round, Way};

/// Watches until the user ends it.
pub(super) fn run(start: &Start, args: &WatchArgs) -> Result<Exit, Fault> {
    some_recipe(&args.words.words, "watch")?;
    // Errors of the command line end here, before anything is watched.
    let Some(way) = round::understood(start, args)? else { return Ok(Exit::Done) };
    let root = way.root.clone();
    let mut pace = Pace { checkout: git_lock(&root), ..Pace::default() };
    if let Some(seconds) = args.poll {
        (pace.poll, pace.poll_all) = (Duration::from_secs(seconds.into()), true);
    }
    let voice = Watching::new(way.out.clone());
    block_on(async {
        let watch = Watch::new(&root, pace);
        let (vigil, signals) = (Vigil::default(), signals());
        Watcher { voice, root, watch, vigil, signals, told: None }.run(way).await
    })
}

/// A watch at work.
struct Watcher {
    voice: Watching,
    root: PathBuf,
    watch: Watch,
    vigil: Vigil,
    signals: UnboundedReceiver<()>,
    /// What was last said to be followed.
    told: Option<(usize, usize)>,
}

/// What ends the time between two runs.
enum Next {
    Run(BTreeMap<Follow, How>),
    Leave { interrupted: bool },
}

impl Watcher {
    async fn run(mut self, way: Way<'_>) -> Result<Exit, Fault> {
        let mut because = BTreeMap::new();
        loop {
            let out = self.voice.changed(&self.shown(&because));
            let first = because.is_empty();
            let (round, ears) = way.round(out, first);
            let exit = self.conduct(round, &ears).await?;
            let follows = ears.notes.follows();
            self.watch.follow(&follows);
            let moved = ears.notes.all_moved();
            let act = self.vigil.hear(Heard::Ended { moved: !moved.is_empty() });
            match self.between(act, moved, &ears, exit).await {
                Next::Run(changed) => because = changed,
                Next::Leave { interrupted: false } => {
                    self.voice.ends();
                    return Ok(Exit::Done);
                }
                Next::Leave { interrupted: true } => return Ok(Exit::Interrupted),
            }
        }
    }

    /// One run, up to its end, while changes and signals are heard.
    async fn conduct(&mut self, round: Round<'_>, ears: &Ears) -> Result<Exit, Fault> {
        let (sender, receiver) = unbounded_channel();
        let mut running = std::pin::pin!(round.run(receiver));
        loop {
            tokio::select! {
                biased;
                exit = &mut running => return exit,
                Some(()) = self.signals.recv() => self.act_on(Heard::Signal, ears, &sender),
                hints = self.watch.changed() => {
                    if !ears.notes.moved(&hints).is_empty() {
                        self.act_on(Heard::Moved { cut: !ears.changes_cluster() }, ears, &sender);
                    }
                }
                // A process began that may never end: what was read up to here is followed while it runs.
                () = ears.shell_began() => {
                    let mut follows = ears.notes.follows();
                    follows.extend(self.watch.follows());
                    self.watch.follow(&follows);
                    if !ears.notes.all_moved().is_empty() {
                        self.act_on(Heard::Moved { cut: !ears.changes_cluster() }, ears, &sender);
                    }
                }
            }
        }
    }

    fn act_on(&mut self, heard: Heard, ears: &Ears, run: &UnboundedSender<()>) {
        match self.vigil.hear(heard) {
            Act::Cut => {
                ears.cut();
                self.voice.cut();
                // The run may have ended by itself just now.
                let _ = run.send(());
            }
            Act::Pass => {
                let _ = run.send(());
            }
            Act::Nothing | Act::Run | Act::Later(_) | Act::Leave { .. } => {}
        }
    }

    /// Waits until there is a reason to run again, or to end.
    async fn between(
        &mut self,
        act: Act,
        moved: BTreeMap<Follow, How>,
        ears: &Ears,
        exit: Exit,
    ) -> Next {
        let (mut act, mut moved) = (act, moved);
        if act == Act::Nothing {
            self.say_waiting(ears, exit);
        }
        loop {
            let mut due = None;
            match act {
                Act::Run => return Next::Run(moved),
                Act::Leave { interrupted } => return Next::Leave { interrupted },
                Act::Later(span) => {
                    self.voice.restless(span.0, &names(&self.shown(&moved)));
                    due = Some(span);
                }
                Act::Nothing | Act::Cut | Act::Pass => {}
            }
            act = tokio::select! {
                Some(()) = self.signals.recv() => self.vigil.hear(Heard::Signal),
                () = until(due), if due.is_some() => self.vigil.hear(Heard::Due),
                hints = self.watch.changed(), if due.is_none() => {
                    moved = ears.notes.moved(&hints);
                    if moved.is_empty() {
                        Act::Nothing
                    } else {
                        self.vigil.hear(Heard::Moved { cut: true })
                    }
                }
            };
        }
    }

    fn say_waiting(&mut self, ears: &Ears, exit: Exit) {
        if exit != Exit::Done && ears.spoke() {
            self.voice.broken();
        }
        let counts = self.watch.counts();
        if self.told.replace(counts) != Some(counts) {
            let polled = self.watch.polled().into_iter();
            let polled: Vec<(String, String)> =
                polled.map(|p| (self.short(&p.folder), p.why)).collect();
            self.voice.waits(counts.0, counts.1, &polled);
        }
    }

    fn shown(&self, moved: &BTreeMap<Follow, How>) -> Vec<Changed> {
        let mut shown = BTreeMap::new();
        for (follow, how) in moved {
            let path = follow.path();
            let mut put = |path: &Path, how: &'static str| {
                shown.insert(self.short(path), how);
            };
            match how {
                How::Edited => put(path, "changed"),
                How::Appeared => put(path, "new"),
                How::Gone => put(path, "gone"),
                How::Names { come, gone } => {
                    come.iter().for_each(|name| put(&path.join(name), "new"));
                    gone.iter().for_each(|name| put(&path.join(name), "gone"));
                }
            }
        }
        shown.into_iter().map(|(path, how)| Changed { path, how }).collect()
    }

    /// A path as the user knows it.
    fn short(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.root).unwrap_or(path);
        if inside.as_os_str().is_empty() { ".".to_owned() } else { inside.display().to_string() }
    }
}

async fn until(due: Option<Span>) {
    tokio::time::sleep(clock::duration(due.unwrap_or_default())).await;
}

fn names(changed: &[Changed]) -> Vec<String> {
    changed.iter().map(|one| one.path.clone()).collect()
}

/// The file that Git holds while it rewrites the work tree that a folder lies in.
fn git_lock(root: &Path) -> Option<PathBuf> {
    let dot_git = root.ancestors().map(|folder| folder.join(".git")).find(|git| git.exists())?;
    if dot_git.is_dir() {
        return Some(dot_git.join("index.lock"));
    }
    // Of a linked work tree: a file that names the folder.
    let text = std::fs::read_to_string(&dot_git).ok()?;
    let folder = text.strip_prefix("gitdir:")?.trim();
    Some(dot_git.parent()?.join(folder).join("index.lock"))
}

/// `--apply` behind a recipe is the watch's own, unless the recipe has a flag of that name.
fn own_apply(words: &[String]) -> Option<Vec<String>> {
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let at = words[..end].iter().position(|word| word == "--apply")?;
    let mut words = words.to_vec();
    words.remove(at);
    Some(words)
}

/// An error of the command line where `--apply` may mean two things.
fn ambiguous(recipe: &str) -> Fault {
    Fault::new(Code::USAGE, format!("`--apply` behind `{recipe}` may be meant for it"))
        .help("the watch's own stands before the recipe: `ops watch --apply …`")
}

/// Everything that is followed besides what the recipes read.
fn configuration(root: &Path) -> BTreeSet<Follow> {
    let mut all = BTreeSet::from([
        Follow::Path(root.join(crate::config::project::FILE)),
        Follow::Names(root.join("clusters")),
    ]);
    let entries = std::fs::read_dir(root.join("clusters")).into_iter().flatten().flatten();
    let tomls =
        entries.map(|entry| entry.path()).filter(|p| p.extension().is_some_and(|e| e == "toml"));
    all.extend(tomls.map(Follow::Path));
    all
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn apply_may_stand_behind_the_recipe_but_not_behind_the_dashes() {
        assert_eq!(own_apply(&words("a:b --x 1 --apply c:d")), Some(words("a:b --x 1 c:d")));
        assert_eq!(own_apply(&words("a:b -- --apply")), None);
        assert_eq!(own_apply(&words("a:b --apply=1")), None);
    }

    #[test]
    fn git_tells_where_its_lock_is_also_in_a_linked_work_tree() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        assert_eq!(git_lock(&at("none")), None);
        fs::create_dir_all(at("main/.git")).unwrap();
        fs::create_dir_all(at("main/deep")).unwrap();
        assert_eq!(git_lock(&at("main/deep")), Some(at("main/.git/index.lock")));
        fs::create_dir(at("linked")).unwrap();
        fs::write(at("linked/.git"), "gitdir: /m/.git/worktrees/linked\n").unwrap();
        assert_eq!(git_lock(&at("linked")), Some("/m/.git/worktrees/linked/index.lock".into()));
    }
}
