//! Steps that are up to date, through the real binary: what lets one be skipped, and everything that must make it run.

use std::fs::{self, FileTimes, OpenOptions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::space::Space;

/// Copies what a pattern finds, and writes a list of it.
const COPY: &str = r#"
local names = require "t.names"
return ops.recipe {
  desc = "Copy the parts", cluster = false,
  params = { ending = param.string { default = ".txt" } },
  run = function(cx, p)
    local list = names.title
    for _, path in ipairs(fs.glob { "parts/*" .. p.ending, allow_empty = true }) do
      fs.write { "out/" .. path:match("[^/]+$"), content = fs.read { path } }
      list = list .. path .. "\n"
    end
    if fs.exists { "extra.txt" } then list = list .. "extra\n" end
    fs.write { "out/list", content = list }
    return { list = list }
  end,
}
"#;

fn space() -> Space {
    let space = Space::new();
    space
        .write("ops.toml", "api = 1\n")
        .write("recipes/t/copy.lua", COPY)
        .write("lua-lib/t/names.lua", "return { title = \"list\\n\" }\n")
        .write("lua-lib/t/other.lua", "return {}\n")
        .write("parts/a.txt", "one")
        .write("parts/b.txt", "two")
        .write("parts/c.md", "not a part");
    age(&space);
    space
}

/// Makes every file old, as after a checkout some minutes ago: nothing is racy.
fn age(space: &Space) {
    fn walk(folder: &Path, time: SystemTime) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, time);
            } else {
                set_mtime(&path, time);
            }
        }
    }
    walk(&space.root(), clock() - Duration::from_secs(600));
}

/// The time by the file system's clock.
fn clock() -> SystemTime {
    tempfile::tempfile().unwrap().metadata().unwrap().modified().unwrap()
}

fn set_mtime(path: &Path, time: SystemTime) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_times(FileTimes::new().set_modified(time)).unwrap();
}

/// Runs a recipe: whether it was skipped.
#[track_caller]
fn skipped(space: &Space, words: &[&str]) -> bool {
    let ran = space.run(["run"].iter().chain(words).copied()).exit(0);
    let said = ran.stderr() + &ran.stdout();
    said.contains("up to date (")
}

/// A space in which `t:copy` has run, and is up to date.
fn ran() -> Space {
    let space = space();
    assert!(!skipped(&space, &["t:copy"]), "the first run");
    assert!(skipped(&space, &["t:copy"]), "{}", space.run(["why", "t:copy"]).all());
    space
}

type Edit = fn(&Space);

#[test]
fn whatever_a_step_depends_on_makes_it_run_again() {
    let edits: &[(&str, Edit)] = &[
        ("another content", |s| _ = s.write("parts/a.txt", "ONE!")),
        ("the same size", |s| _ = s.write("parts/a.txt", "ONE")),
        ("the same size and mtime", |s| {
            let before = fs::metadata(s.path("parts/a.txt")).unwrap().modified().unwrap();
            s.write("parts/a.txt", "ONE");
            set_mtime(&s.path("parts/a.txt"), before);
        }),
        ("mtime a day ahead", |s| {
            s.write("parts/a.txt", "ONE");
            set_mtime(&s.path("parts/a.txt"), clock() + Duration::from_secs(86_400));
        }),
        ("mtime a day behind", |s| {
            s.write("parts/a.txt", "ONE");
            set_mtime(&s.path("parts/a.txt"), clock() - Duration::from_secs(86_400));
        }),
        ("replaced by a rename with equal mtime", |s| {
            let before = fs::metadata(s.path("parts/a.txt")).unwrap().modified().unwrap();
            s.write("fresh", "ONE");
            set_mtime(&s.path("fresh"), before);
            fs::rename(s.path("fresh"), s.path("parts/a.txt")).unwrap();
        }),
        ("a new member", |s| _ = s.write("parts/new.txt", "three")),
        ("a member gone", |s| fs::remove_file(s.path("parts/b.txt")).unwrap()),
        ("two contents exchanged under the same names", |s| {
            s.write("parts/a.txt", "two").write("parts/b.txt", "one");
        }),
        ("a member under another name", |s| {
            fs::rename(s.path("parts/b.txt"), s.path("parts/d.txt")).unwrap();
        }),
        ("the folder under another name", |s| {
            fs::rename(s.path("parts"), s.path("renamed")).unwrap();
        }),
        ("the same base names in another folder", |s| {
            fs::rename(s.path("parts"), s.path("renamed")).unwrap();
            s.write("parts/a.txt", "other").write("parts/b.txt", "names");
        }),
        ("what was absent is there", |s| _ = s.write("extra.txt", "")),
        ("the recipe's text", |s| {
            s.write("recipes/t/copy.lua", &COPY.replace("extra\\n", "more\\n"));
        }),
        ("a module that it requires", |s| {
            s.write("lua-lib/t/names.lua", "return { title = \"names\\n\" }\n");
        }),
        ("an output edited", |s| _ = s.write("out/list", "by hand")),
        ("an output deleted", |s| fs::remove_file(s.path("out/list")).unwrap()),
        ("all outputs deleted", |s| fs::remove_dir_all(s.path("out")).unwrap()),
        ("an output replaced by a folder", |s| {
            fs::remove_file(s.path("out/a.txt")).unwrap();
            fs::remove_file(s.path("out/list")).unwrap();
        }),
        ("a part is a link now, with another content", |s| {
            s.write("elsewhere", "ONE");
            fs::remove_file(s.path("parts/a.txt")).unwrap();
            symlink("../elsewhere", s.path("parts/a.txt")).unwrap();
        }),
    ];
    for (what, edit) in edits {
        let space = ran();
        edit(&space);
        assert!(!skipped(&space, &["t:copy"]), "{what}: it must run");
        assert!(skipped(&space, &["t:copy"]), "{what}: once");
        let list = space.read("out/list");
        assert!(!list.contains("by hand"), "{what}: {list}");
    }
}

#[test]
fn what_changes_no_content_costs_one_hash_and_no_run() {
    let touches: &[(&str, Edit)] = &[
        ("touch", |s| set_mtime(&s.path("parts/a.txt"), clock())),
        ("chmod", |s| {
            let mode = fs::Permissions::from_mode(0o640);
            fs::set_permissions(s.path("parts/a.txt"), mode).unwrap();
        }),
        ("a hard link", |s| fs::hard_link(s.path("parts/a.txt"), s.path("linked")).unwrap()),
        ("written again", |s| _ = s.write("parts/a.txt", "one")),
        ("a file that no pattern names", |s| _ = s.write("parts/d.md", "")),
        ("a file that nobody reads", |s| _ = s.write("parts/c.md", "other")),
        ("a module that it does not require", |s| _ = s.write("lua-lib/t/other.lua", "return 1")),
        ("another recipe", |s| {
            s.write("recipes/t/more.lua", &COPY.replace("Copy", "Copy more"));
        }),
        ("a fresh checkout", |s| {
            for name in ["parts/a.txt", "parts/b.txt", "out/list"] {
                let text = fs::read(s.path(name)).unwrap();
                fs::remove_file(s.path(name)).unwrap();
                fs::write(s.path(name), text).unwrap();
            }
        }),
    ];
    for (what, touch) in touches {
        let space = ran();
        touch(&space);
        assert!(skipped(&space, &["t:copy"]), "{what}: {}", space.run(["why", "t:copy"]).all());
    }
}

#[test]
fn other_parameters_are_another_step() {
    let space = ran();
    assert!(!skipped(&space, &["t:copy", "--ending", ".md"]));
    assert!(!skipped(&space, &["t:copy"]), "its list was overwritten");
    assert!(skipped(&space, &["t:copy"]));
}

#[test]
fn force_runs_what_is_up_to_date() {
    let space = ran();
    assert!(!skipped(&space, &["t:copy", "--force"]));
    assert!(skipped(&space, &["t:copy"]));
}

#[test]
fn a_plan_says_what_is_up_to_date() {
    let space = ran();
    let _ = space.run(["plan", "t:copy"]).exit(0).stdout_has("up to date (");
    space.write("parts/a.txt", "changed");
    let planned = space.run(["plan", "t:copy"]).exit(0);
    assert!(!planned.stdout().contains("up to date"), "{}", planned.all());
    assert!(!skipped(&space, &["t:copy"]), "a plan notes nothing");
}
