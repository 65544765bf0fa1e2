//! A step is up to date exactly where it would see again what it saw: held over arbitrary files and edits.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::host::find_files;
use crate::host::recorder::Recording;
use crate::sys::files::Files;

/// A world of nothing but files.
struct Bare;

impl Around for Bare {
    fn sources(&self, _: &str) -> Vec<Input> {
        Vec::new()
    }
    fn names_the_run(&self, _: &str) -> bool {
        false
    }
    fn place(&self, _: &Head, _: &str) -> Option<Place> {
        None
    }
    fn program(&self, _: &str) -> Option<PathBuf> {
        None
    }
    fn variable(&self, _: &str) -> Option<Digest> {
        None
    }
}

fn call() -> Call {
    let args = json!({"path": "unrelated"}).as_object().unwrap().clone();
    Call::decode(&Request { call: "fs.read".into(), args, place: None }).unwrap().0
}

/// The answer where nobody goes.
const REFUSED: &str = "refused";

/// Everything that the step of these tests asks of its files.
fn observe(files: &dyn Files) -> Vec<String> {
    let read = |path: &str| match files.read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => "nothing".into(),
        // A link to nothing is refused before anybody sees that nothing is there.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => REFUSED.into(),
        Err(error) => format!("{:?}", error.kind()),
    };
    let there = |path: &str| format!("{:?}", files.stat(path).map(|s| s.map(|s| s.dir)));
    let names = |path: &str| format!("{:?}", files.list(path).map_err(|e| e.kind()));
    vec![
        read("a.txt"),
        there("b.txt"),
        names("dir"),
        find_files("**/*.txt", files).unwrap().join(" "),
        read("link/c.txt"),
    ]
}

#[derive(Clone, Debug)]
enum Edit {
    Write(&'static str, &'static str),
    Remove(&'static str),
    Rename(&'static str, &'static str),
    Touch(&'static str),
    Mode(&'static str),
    Folder(&'static str),
    RemoveFolder(&'static str),
    Link(&'static str),
}

const PATHS: [&str; 6] = ["a.txt", "b.txt", "dir/c.txt", "dir/d.md", "other/c.txt", "e.md"];

fn edit() -> impl Strategy<Value = Edit> {
    let path = || prop::sample::select(PATHS.to_vec());
    let text = prop::sample::select(vec!["", "x", "y", "longer"]);
    prop_oneof![
        (path(), text).prop_map(|(path, text)| Edit::Write(path, text)),
        path().prop_map(Edit::Remove),
        (path(), path()).prop_map(|(from, to)| Edit::Rename(from, to)),
        path().prop_map(Edit::Touch),
        path().prop_map(Edit::Mode),
        path().prop_map(Edit::Folder),
        prop::sample::select(vec!["dir", "other"]).prop_map(Edit::RemoveFolder),
        prop::sample::select(vec!["dir", "other", "nowhere"]).prop_map(Edit::Link),
    ]
}

/// Makes an edit, where it can be made.
fn make(root: &Path, edit: &Edit) {
    let at = |path: &str| root.join(path);
    let parent = |path: &str| {
        let _ = fs::create_dir_all(at(path).parent().unwrap());
    };
    match edit {
        Edit::Write(path, text) => {
            parent(path);
            let _ = fs::write(at(path), text);
        }
        Edit::Remove(path) => {
            let _ = fs::remove_file(at(path));
        }
        Edit::Rename(from, to) => {
            parent(to);
            let _ = fs::rename(at(from), at(to));
        }
        Edit::Touch(path) => {
            if let Ok(bytes) = fs::read(at(path)) {
                let _ = fs::write(at(path), bytes);
            }
        }
        Edit::Mode(path) => {
            let _ = fs::set_permissions(at(path), fs::Permissions::from_mode(0o640));
        }
        Edit::Folder(path) => {
            let _ = fs::create_dir_all(at(path));
        }
        Edit::RemoveFolder(path) => {
            let _ = fs::remove_dir(at(path));
        }
        Edit::Link(to) => {
            let _ = fs::remove_file(at("link"));
            let _ = symlink(to, at("link"));
        }
    }
}

/// Makes every file so old that its stat proves something.
fn age(folder: &Path) {
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => age(&entry.path()),
            kind if kind.is_file() => {
                let file = fs::OpenOptions::new().write(true).open(entry.path()).unwrap();
                file.set_modified(old).unwrap();
            }
            _ => {}
        }
    }
}

fn links(root: &Path) -> Option<PathBuf> {
    fs::read_link(root.join("link")).ok()
}

/// Edits, a step that looks, more edits: whether it would see the same again, and how it is judged. A step that saw a refusal is never skipped.
fn looked(before: &[Edit], after: &[Edit]) -> (bool, Verdict) {
    let dir = tempfile::tempdir().unwrap();
    let (root, state) = (dir.path().join("repo"), dir.path().join("state"));
    fs::create_dir(&root).unwrap();
    for edit in before {
        make(&root, edit);
    }
    age(&root);
    let disk = Disk::new(&root).unwrap();
    let mut catalog = Catalog::default();
    let head = Head { name: "t:look".into(), ..Head::default() };
    catalog.insert(head);
    let cluster = Cluster::default();
    let site = Site { cluster: &cluster, lock: None, lab: false };
    let traces = Traces::new(&state, disk.root());
    let run = RunId("test".into());
    let skip = Skip::new(traces, (disk.clone(), [3; 32]), (&catalog, &Bare), site, run, false);
    let args = Map::new();
    let asked = || Asked {
        recipe: "t:look",
        args: &args,
        needs: Vec::new(),
        forced: false,
        planned: Vec::new(),
        plan: false,
        now: Time(1),
    };
    let branch = Branch("t:look{0}".into());
    skip.open(&branch, &asked());
    let recorder = skip.recorder(&branch).unwrap();
    let call = call();
    let seen = observe(&Recording::new(&disk, &recorder, call.spec()));
    let link = links(&root);
    // As the gate does for every call that fails otherwise than by finding nothing.
    let refused = seen.iter().any(|answer| answer == REFUSED);
    if refused {
        recorder.keep(Reason::of(Why::Recovered, ""));
    }
    drop(recorder);
    let done = StepEnd::Done { result: Value::Null, recovered: false };
    if let Some(work) = skip.close(&branch, &done, Time(2)) {
        work().unwrap();
    }
    let up_to_date = |skip: &Skip<'_>| match skip.judge(&asked()) {
        Judging::Known(verdict) => verdict,
        Judging::Compare(work) => work().verdict,
    };
    let first = up_to_date(&skip);
    assert_eq!(first.up_to_date(), !refused, "at once: {first:?}");
    for edit in after {
        make(&root, edit);
    }
    let same = !refused && observe(&disk) == seen && links(&root) == link;
    (same, up_to_date(&skip))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_step_is_up_to_date_exactly_where_it_would_see_the_same(
        before in prop::collection::vec(edit(), 0..12),
        after in prop::collection::vec(edit(), 0..4),
    ) {
        let (same, then) = looked(&before, &after);
        prop_assert_eq!(then.up_to_date(), same, "{:?}", then);
    }
}

#[test]
fn a_link_to_nothing_is_another_answer_than_a_folder_without_the_file() {
    let (link, folder) = (Edit::Link("other"), Edit::Rename("a.txt", "other/c.txt"));
    let made = Edit::Folder("other/c.txt");
    let rows = [
        (vec![link.clone()], vec![folder.clone()], false),
        (vec![link.clone()], vec![made.clone()], false),
        (vec![link.clone(), folder.clone()], vec![], true),
        (vec![link.clone(), folder.clone()], vec![Edit::RemoveFolder("other")], false),
        (vec![link.clone(), folder.clone()], vec![made], false),
        (vec![link, folder], vec![Edit::Write("other/c.txt", "x")], false),
    ];
    for (before, after, expected) in rows {
        let (same, then) = looked(&before, &after);
        let found = (same, then.up_to_date());
        assert_eq!(found, (expected, expected), "{before:?} {after:?}: {then:?}");
    }
}

#[test]
fn an_empty_folder_is_another_answer_than_none() {
    let (same, then) = looked(&[Edit::Rename("a.txt", "dir/c.txt")], &[Edit::RemoveFolder("dir")]);
    assert_eq!((same, then.up_to_date()), (false, false), "{then:?}");
}

#[test]
fn a_shell_is_local_where_its_recipe_declares_sources_and_it_does_not_say_that_it_mutates() {
    let rows = [
        (json!({"script": "x"}), false, false),
        (json!({"script": "x"}), true, true),
        (json!({"script": "x", "effect": "reads"}), true, true),
        (json!({"script": "x", "effect": "mutates"}), true, false),
        (json!({"script": "x", "effect": "mutates", "reads": []}), false, false),
        (json!({"script": "x", "effect": "files", "reads": []}), false, true),
    ];
    for (args, covered, expected) in rows {
        let args = args.as_object().unwrap().clone();
        let request = Request { call: "sh".into(), args, place: None };
        let (call, _) = Call::decode(&request).unwrap();
        assert_eq!(local(&request, call.spec(), covered), expected, "{:?} {covered}", request.args);
    }
}

#[test]
fn every_call_says_how_far_it_reaches() {
    let local: Vec<&str> = ops_core::call::table::INFOS
        .iter()
        .filter(|info| {
            let args = sample(info.name);
            let request = Request { call: info.name.into(), args, place: None };
            Call::decode(&request).is_ok_and(|(call, _)| call.spec().scope() == Scope::Local)
        })
        .map(|info| info.name)
        .collect();
    assert_eq!(
        local,
        [
            "talos.validate",
            "talos.render",
            "talos.gen.secrets",
            "talos.client_config",
            "fs.read",
            "fs.exists",
            "fs.stat",
            "fs.glob",
            "fs.write",
            "fs.copy",
            "fs.move",
            "fs.mkdir",
            "fs.remove",
            "fs.temp",
            "template.render",
            "yaml.read",
            "json.read",
            "toml.read",
            "secrets.env",
        ],
        "a call that joins or leaves this list changes which steps are skipped: is all that it reads traced?"
    );
}

/// Fields that every call of a type needs, as far as the test above looks at it.
fn sample(call: &str) -> Map<String, Value> {
    let value = match call {
        "talos.validate" => json!({"config": "a", "mode": "metal"}),
        "talos.render" => json!({"node": "w-1"}),
        "talos.client_config" | "talos.kubeconfig" => json!({"path": "a"}),
        "talos.gen.secrets" => json!({"output": "a"}),
        "fs.glob" => json!({"pattern": "a"}),
        "fs.write" => json!({"path": "a", "content": ""}),
        "fs.copy" | "fs.move" => json!({"path": "a", "to": "b"}),
        "fs.temp" | "git.status" | "git.log" | "time.now" => json!({}),
        "git.changed" => json!({"since": "a"}),
        "sh" => json!({"script": "x"}),
        "sh.exec" => json!({"argv": ["x"]}),
        "secrets.env" => json!({"name": "A"}),
        other if other.starts_with("talos.") || other.starts_with("kube.") => {
            json!({"node": "w-1"})
        }
        _ => json!({"path": "a"}),
    };
    value.as_object().unwrap().clone()
}
