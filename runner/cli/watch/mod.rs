//! `ops watch RECIPE …`: runs recipes, and again whenever something that they read changes. Waits and dispatches; what a change means is
//! decided by `engine/vigil`, what a run is by `round`.

mod inputs;
mod round;

use std::collections::BTreeSet;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ops_core::error::{Code, Exit, Fault};
use ops_core::time::Span;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::Start;
use super::args::WatchArgs;
use super::invocation::some_recipe;
use super::seam::block_on;
use super::signals::signals;
use crate::engine::signal::Signal;
use crate::engine::vigil::{Act, Heard, Vigil};
use crate::output::watch::{Changed, Watching};
use crate::sys::clock;
use crate::sys::watch::{Follow, Pace, Watch};
use inputs::{Reads, short};
use round::{Hearing, Over, Way};

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
        Box::pin(Watcher { voice, root, watch, vigil, signals, told: None }.run(way)).await
    })
}

/// A watch at work.
struct Watcher {
    voice: Watching,
    root: PathBuf,
    watch: Watch,
    vigil: Vigil,
    signals: UnboundedReceiver<Signal>,
    /// Folders of which it was last said that the kernel does not tell; nothing where nothing was said yet.
    told: Option<Vec<(String, String)>>,
}

/// What ends the time between two runs.
enum Next {
    Run(Vec<Changed>),
    /// With the exit code of the run that was interrupted for it.
    Leave {
        interrupted: Option<Exit>,
    },
}

impl Watcher {
    async fn run(mut self, way: Way<'_>) -> Result<Exit, Fault> {
        let mut because = Vec::new();
        let mut first = true;
        loop {
            let out = self.voice.changed(&because);
            let over = Box::pin(way.round(out, first).run(&mut self)).await?;
            first = false;
            self.watch.follow(&over.inputs.follows());
            let moved = over.inputs.moved(None);
            let act = self.vigil.hear(Heard::Ended { moved: !moved.is_empty() });
            match self.between(act, moved, &over).await {
                Next::Run(changed) => because = changed,
                Next::Leave { interrupted } => {
                    self.voice.ends(interrupted.is_some());
                    return Ok(interrupted.unwrap_or(Exit::Done));
                }
            }
        }
    }

    /// A run, up to its end, while changes and signals are heard.
    async fn during<T>(
        &mut self,
        run: impl Future<Output = T>,
        reads: &dyn Reads,
        hearing: &Hearing<'_>,
        sender: &UnboundedSender<Signal>,
    ) -> T {
        let mut run = std::pin::pin!(run);
        loop {
            let moved = tokio::select! {
                biased;
                ended = &mut run => return ended,
                Some(signal) = self.signals.recv() => {
                    if self.vigil.hear(Heard::Signal) == Act::Pass {
                        hearing.leave();
                        // The run may have ended by itself just now.
                        let _ = sender.send(signal);
                    }
                    false
                }
                hints = self.watch.changed() => !reads.moved(Some(&hints)).is_empty(),
                // A process began that may never end: what was read up to here is followed while it runs.
                () = hearing.shell_began() => {
                    let mut follows = reads.follows();
                    follows.extend(self.watch.follows());
                    self.watch.follow(&follows);
                    !reads.moved(None).is_empty()
                }
            };
            if moved && self.vigil.hear(Heard::Moved { cut: !hearing.changes() }) == Act::Cut {
                hearing.cut();
                self.voice.cut();
                // Nobody else has heard of it: not the child that has the terminal either.
                let _ = sender.send(Signal::Terminate);
            }
        }
    }

    /// Something that changes nothing, up to its end, or nothing where the user ends it before.
    async fn alone<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            Some(_) = self.signals.recv() => {
                self.vigil.hear(Heard::Signal);
                None
            }
        }
    }

    /// Waits until there is a reason to run again, or to end.
    async fn between(&mut self, act: Act, moved: Vec<Changed>, over: &Over) -> Next {
        let (mut act, mut moved) = (act, moved);
        if act == Act::Nothing {
            self.say_waiting(over);
        }
        loop {
            let mut due = None;
            match act {
                Act::Run => return Next::Run(moved),
                // A run that ended by itself just before was not interrupted.
                Act::Leave { interrupted } => {
                    let cut = matches!(over.exit, Exit::Interrupted | Exit::Terminated);
                    let interrupted = interrupted.then_some(over.exit).filter(|_| cut);
                    return Next::Leave { interrupted };
                }
                Act::Later(span) => {
                    self.voice.restless(span.0, &moved);
                    due = Some(span);
                }
                Act::Nothing | Act::Cut | Act::Pass => {}
            }
            act = tokio::select! {
                Some(_) = self.signals.recv() => self.vigil.hear(Heard::Signal),
                () = until(due), if due.is_some() => self.vigil.hear(Heard::Due),
                hints = self.watch.changed(), if due.is_none() => {
                    moved = over.inputs.moved(Some(&hints));
                    if moved.is_empty() {
                        self.look_wider(&hints, over);
                        Act::Nothing
                    } else {
                        self.vigil.hear(Heard::Moved { cut: true })
                    }
                }
            };
        }
    }

    /// A new folder, with nothing yet in it that matters, may matter later.
    fn look_wider(&mut self, hints: &BTreeSet<Follow>, over: &Over) {
        if hints.iter().any(|hint| matches!(hint, Follow::Names(_))) {
            self.watch.follow(&over.inputs.follows());
        }
    }

    fn say_waiting(&mut self, over: &Over) {
        if over.exit != Exit::Done && !over.planned {
            self.voice.broken();
        }
        let (paths, folders) = self.watch.counts();
        let polled: Vec<(String, String)> = self
            .watch
            .polled()
            .into_iter()
            .map(|polled| (short(&self.root, &polled.folder), polled.why))
            .collect();
        let other = self.told.as_ref() != Some(&polled);
        self.voice.waits(paths, folders, &polled, other);
        if other && over.inputs.no_files() {
            self.voice.follows_nothing();
        }
        self.told = Some(polled);
    }
}

async fn until(due: Option<Span>) {
    tokio::time::sleep(clock::duration(due.unwrap_or_default())).await;
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
