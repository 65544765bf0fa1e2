//! What a watch asks of the inputs of steps: where they lie, and which of them are no longer what they were. Judges no step.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ops_core::time::Time;
use ops_core::trace::{Input, Reason, Trace, TraceEnd, Why, fixed};
use ops_core::value::{Digest, Map, Value};

use super::{Skip, compare, declared};
use crate::host::find_files;
use crate::sys::disk::Disk;
use crate::sys::watch::Follow;
use crate::sys::watch::noted::{Noted, Notes};

/// What some steps read and wrote, as far as a watch wants to know.
#[derive(Clone, Debug, Default)]
pub struct Stood {
    inputs: Vec<Input>,
    /// What they wrote themselves: no input of theirs.
    outputs: Vec<String>,
}

impl Stood {
    /// That of a finished step.
    pub fn of(trace: Trace) -> Stood {
        let outputs = trace.outputs.into_iter().map(|output| output.path).collect();
        Stood { inputs: trace.inputs, outputs }
    }

    /// Whether nothing was read but recipes: nothing of it can change that a watch would see.
    pub fn reads_nothing(&self) -> bool {
        let read = |input: &&Input| input.path().is_some();
        let source = |input: &Input| matches!(input, Input::Source { .. } | Input::Tool { .. });
        self.inputs.iter().filter(read).all(source)
    }

    /// Where its inputs lie.
    pub fn follows(&self, disk: &Disk) -> BTreeSet<Follow> {
        let at = |path: &str| match path {
            "." => disk.root().to_owned(),
            path => disk.root().join(path),
        };
        let mut all = BTreeSet::new();
        for input in &self.inputs {
            match input {
                Input::Listing { folder, .. } => _ = all.insert(Follow::Names(at(folder))),
                Input::Glob { pattern, .. } if pattern.ends_with('/') => {
                    // All below a folder, hidden or not.
                    for below in ["**", "**/.*", "**/.*/**"] {
                        all.extend(walked(&format!("{pattern}{below}"), disk));
                    }
                }
                Input::Glob { pattern, .. } => all.extend(walked(pattern, disk)),
                Input::Source { path, .. } => {
                    // The repository may have a file of its own in the place of a shipped one.
                    all.insert(Follow::Path(at(path.trim_start_matches("embedded:"))));
                }
                // Every program that anybody starts is an event in the folders of programs; a tool that was replaced counts at the next run.
                Input::Tool { path, .. } => all.extend(
                    path.as_deref()
                        .map(at)
                        .filter(|path| path.starts_with(disk.root()))
                        .map(Follow::Path),
                ),
                input => all.extend(input.path().map(|path| Follow::Path(at(path)))),
            }
        }
        all
    }
}

/// The folders that a pattern is looked up in, and the paths that decide whether they are folders.
fn walked(pattern: &str, disk: &Disk) -> BTreeSet<Follow> {
    let notes = Rc::<Notes>::default();
    let noted = Noted::over(Rc::new(disk.clone()), disk.root(), notes.clone());
    // A pattern that cannot be looked up has no members; whatever is in its way is followed.
    let _ = find_files(pattern, &noted);
    let mut follows = notes.follows();
    follows.insert(Follow::Names(disk.root().join(fixed(pattern))));
    follows
}

impl Skip<'_> {
    /// What the steps that run now have read and written so far.
    pub fn so_far(&self) -> Stood {
        let open = self.open.borrow();
        let mut stood = Stood::default();
        for step in open.values() {
            let found = step.recorder.found();
            let patterns: Vec<String> = found.patterns.iter().cloned().collect();
            let made = declared::outputs(&patterns, &self.prints).files;
            stood.inputs.extend(step.facts.iter().cloned().chain(found.inputs()));
            stood.outputs.extend(found.written.into_keys().chain(made));
        }
        stood
    }

    /// The Lua files of a recipe, for one that did not run.
    pub fn sources_of(&self, recipe: &str) -> Stood {
        Stood { inputs: self.around.sources(recipe), outputs: Vec::new() }
    }

    /// Which inputs are no longer what they were when they were read, compared by content; with `hints` only what these are about. A long
    /// list is cut off.
    pub fn moved(&self, stood: &Stood, hints: Option<&BTreeSet<Follow>>, now: Time) -> Vec<Reason> {
        let root = self.disk.root();
        let concerned = |input: &&Input| hints.is_none_or(|hints| concerns(input, hints, root));
        let inputs: Vec<Input> = stood.inputs.iter().filter(concerned).cloned().collect();
        if inputs.is_empty() {
            return Vec::new();
        }
        let trace = Trace {
            recipe: String::new(),
            args: Map::new(),
            run: self.run.clone(),
            at: now,
            end: TraceEnd::Done { result: Value::Null },
            kept: None,
            because: Vec::new(),
            // Its own outputs are taken out of what was found below: held against the trace they would only be found changed themselves.
            outputs: Vec::new(),
            inputs,
        };
        let check = compare::Check {
            prints: self.prints.clone(),
            disk: self.disk.clone(),
            programs: self.programs(Some(&trace)),
            variables: self.variables(Some(&trace)),
            // Recipes and inventory are files to a watch.
            facts: trace.inputs.clone(),
            now,
        };
        let own: BTreeSet<&str> = stood.outputs.iter().map(String::as_str).collect();
        let mut reasons: Vec<Reason> =
            trace.inputs.iter().filter_map(|input| source(input, &self.disk)).collect();
        for reason in compare::reasons(&check, &trace) {
            match reason.why {
                Why::Variable | Why::Expired | Why::Unfollowed => {}
                Why::Members => reasons.extend(members(&reason, &trace, &own, &check)),
                _ if own.contains(reason.what.as_str()) => {}
                _ => reasons.push(reason),
            }
        }
        // A file that is one of several inputs is named once.
        let mut named: BTreeMap<String, Reason> = BTreeMap::new();
        for reason in reasons {
            named.entry(reason.what.clone()).or_insert(reason);
        }
        named.into_values().collect()
    }
}

/// Whether some of the hints may be about an input.
fn concerns(input: &Input, hints: &BTreeSet<Follow>, root: &Path) -> bool {
    let at = |path: &str| if path == "." { root.to_owned() } else { root.join(path) };
    match input {
        Input::Listing { folder, .. } => hints.contains(&Follow::Names(at(folder))),
        Input::Glob { pattern, .. } => {
            let below: PathBuf = at(fixed(pattern));
            hints
                .iter()
                .any(|hint| hint.path().starts_with(&below) || below.starts_with(hint.path()))
        }
        Input::Source { path, .. } => {
            hints.contains(&Follow::Path(at(path.trim_start_matches("embedded:"))))
        }
        input => input.path().is_some_and(|path| hints.contains(&Follow::Path(at(path)))),
    }
}

/// Whether a Lua file is another one than the loaded one.
fn source(input: &Input, disk: &Disk) -> Option<Reason> {
    use crate::sys::files::Files as _;
    let Input::Source { path, digest } = input else { return None };
    if let Some(own) = path.strip_prefix("embedded:") {
        let there = disk.stat(own).is_ok_and(|stat| stat.is_some());
        return there.then(|| Reason::of(Why::Appeared, own));
    }
    match disk.read(path) {
        Ok(text) if Digest::of_bytes(&text) == *digest => None,
        Ok(_) => Some(Reason::of(Why::Source, path)),
        Err(_) => Some(Reason::of(Why::Gone, path)),
    }
}

/// The names that came to a folder or pattern, and those that went.
fn members(
    reason: &Reason,
    trace: &Trace,
    own: &BTreeSet<&str>,
    check: &compare::Check,
) -> Vec<Reason> {
    use crate::sys::files::Files as _;
    let (old, new): (Vec<String>, Vec<String>) = trace
        .inputs
        .iter()
        .find_map(|input| match input {
            Input::Glob { pattern, members, shell } if *pattern == reason.what => {
                let now = compare::find(check, pattern, *shell, usize::MAX).unwrap_or_default();
                Some((members.clone(), now.files))
            }
            Input::Listing { folder, names } if *folder == reason.what => {
                let path = |name: &String| match folder.as_str() {
                    "." => name.clone(),
                    folder => format!("{folder}/{name}"),
                };
                let now = check.disk.list(folder).unwrap_or_default();
                Some((names.iter().map(path).collect(), now.iter().map(path).collect()))
            }
            _ => None,
        })
        .unwrap_or_default();
    let (old, new): (BTreeSet<&String>, BTreeSet<&String>) =
        (old.iter().collect(), new.iter().collect());
    let come = new.difference(&old).map(|path| Reason::of(Why::Appeared, path.as_str()));
    let gone = old.difference(&new).map(|path| Reason::of(Why::Gone, path.as_str()));
    come.chain(gone).filter(|reason| !own.contains(reason.what.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ops_core::trace::{Hash, Print};

    use super::*;

    fn place() -> (tempfile::TempDir, Disk) {
        let dir = tempfile::tempdir().unwrap();
        for path in ["apps/a", "apps/b/deep", "recipes"] {
            fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        for path in ["apps/a/x.yaml", "apps/b/deep/y.yaml", "recipes/r.lua"] {
            fs::write(dir.path().join(path), path).unwrap();
        }
        let disk = Disk::new(dir.path()).unwrap();
        (dir, disk)
    }

    fn stood(input: Input) -> Stood {
        Stood { inputs: vec![input], outputs: Vec::new() }
    }

    /// Where an input lies: paths as they are, folders of which the names count with a `/` behind them.
    fn follows(input: Input, disk: &Disk) -> Vec<String> {
        let shown = |follow: &Follow| {
            let path = follow.path().strip_prefix(disk.root()).unwrap().display();
            match follow {
                Follow::Path(_) => path.to_string(),
                Follow::Names(_) => format!("{path}/"),
            }
        };
        stood(input).follows(disk).iter().map(shown).collect()
    }

    fn glob(pattern: &str) -> Input {
        Input::Glob { pattern: pattern.into(), members: Vec::new(), shell: false }
    }

    #[test]
    fn a_pattern_lies_in_every_folder_where_a_match_could_appear() {
        let (_dir, disk) = place();
        let names = |found: Vec<String>| -> Vec<String> {
            found.into_iter().filter(|path| path.ends_with('/')).collect()
        };
        assert_eq!(names(follows(glob("apps/*/*.yaml"), &disk)), ["apps/", "apps/a/", "apps/b/"]);
        assert_eq!(
            names(follows(glob("apps/**/*.yaml"), &disk)),
            ["apps/", "apps/a/", "apps/b/", "apps/b/deep/"]
        );
        assert_eq!(names(follows(glob("later/*.yaml"), &disk)), ["later/"], "also one to come");
    }

    #[test]
    fn a_shipped_recipe_is_followed_where_the_repository_could_have_its_own() {
        let (_dir, disk) = place();
        let source = |path: &str| Input::Source {
            path: path.into(),
            digest: Digest::of_bytes(b"recipes/r.lua"),
        };
        assert_eq!(follows(source("recipes/r.lua"), &disk), ["recipes/r.lua"]);
        assert_eq!(follows(source("embedded:recipes/s.lua"), &disk), ["recipes/s.lua"]);
        let moved = |path: &str| super::source(&source(path), &disk).map(|reason| reason.why);
        assert_eq!(moved("recipes/r.lua"), None);
        assert_eq!(moved("embedded:recipes/s.lua"), None);
        assert_eq!(moved("embedded:recipes/r.lua"), Some(Why::Appeared));
        assert_eq!(moved("recipes/gone.lua"), Some(Why::Gone));
        fs::write(disk.root().join("recipes/r.lua"), "edited").unwrap();
        assert_eq!(moved("recipes/r.lua"), Some(Why::Source));
    }

    #[test]
    fn what_is_no_file_lies_nowhere() {
        let (_dir, disk) = place();
        let nowhere = [
            Input::Variable { name: "HOME".into(), digest: None },
            Input::Need { recipe: "a:b".into(), digest: Digest::of_bytes(b"") },
            Input::Ops { version: "1".into() },
            Input::Until { what: "cert".into(), at: Time(0) },
        ];
        for input in nowhere {
            assert!(follows(input.clone(), &disk).is_empty(), "{input:?}");
            assert!(stood(input).reads_nothing());
        }
    }

    #[test]
    fn a_hint_concerns_the_inputs_that_lie_there_and_no_other() {
        let root = Path::new("/r");
        let print = Print {
            size: 0,
            mtime: 0,
            ctime: 0,
            inode: 0,
            mode: 0,
            hash: Hash([0; 32]),
            racy: false,
        };
        let file = Input::File { path: "apps/a/x.yaml".into(), print };
        let listing = Input::Listing { folder: "apps".into(), names: Vec::new() };
        let hits = |input: &Input, hint: Follow| concerns(input, &BTreeSet::from([hint]), root);
        let path = |path: &str| Follow::Path(root.join(path));
        let names = |path: &str| Follow::Names(root.join(path));
        assert!(hits(&file, path("apps/a/x.yaml")) && !hits(&file, path("apps/a/y.yaml")));
        assert!(hits(&listing, names("apps")) && !hits(&listing, path("apps")));
        for hint in [names("apps"), names("apps/a"), path("apps/a"), path("apps")] {
            assert!(hits(&glob("apps/*/*.yaml"), hint.clone()), "{hint:?}");
        }
        assert!(!hits(&glob("apps/*/*.yaml"), names("other")));
    }

    #[test]
    fn members_that_came_and_went_are_named_but_not_what_the_step_wrote_itself() {
        let (_dir, disk) = place();
        let members = vec!["apps/a/gone.yaml".to_owned()];
        let input = Input::Glob { pattern: "apps/*/*.yaml".into(), members, shell: false };
        fs::write(disk.root().join("apps/a/own.yaml"), "").unwrap();
        let trace = Trace {
            recipe: String::new(),
            args: Map::new(),
            run: ops_core::ident::RunId("r".into()),
            at: Time(0),
            end: TraceEnd::Failed,
            kept: None,
            because: Vec::new(),
            inputs: vec![input],
            outputs: Vec::new(),
        };
        let reason = Reason::of(Why::Members, "apps/*/*.yaml");
        let own = BTreeSet::from(["apps/a/own.yaml"]);
        let check = compare::Check {
            prints: crate::sys::prints::Prints::new(disk.root(), [0; 32]),
            disk,
            programs: BTreeMap::new(),
            variables: BTreeMap::new(),
            facts: Vec::new(),
            now: Time(0),
        };
        let found = super::members(&reason, &trace, &own, &check);
        let found: Vec<(Why, &str)> = found.iter().map(|r| (r.why, r.what.as_str())).collect();
        assert_eq!(found, [(Why::Appeared, "apps/a/x.yaml"), (Why::Gone, "apps/a/gone.yaml")]);
    }
}
