//! Ways to make a step be skipped that must run: what a process reads without saying so, what patterns pass over, what somebody does while it runs.
//! Each was a hole once.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::fs::{FileType, Mode};

use crate::skip_ways::{NONE, recipe, space, up_to_date};
use crate::space::Space;

type Edit = fn(&mut Space);

/// One way: the recipe, what was there before its first run, and what is done then.
struct Way {
    what: &'static str,
    fields: &'static str,
    before: Edit,
    edit: Edit,
}

/// Runs a recipe, does something, and says whether it was skipped before and behind that.
fn tried(Way { what, fields, before, edit }: &Way) -> (bool, bool) {
    let mut space = space(&[("way", &recipe(fields))]);
    space.write("in/a", "one\n").write("in/b", "two\n");
    before(&mut space);
    assert_eq!(up_to_date(&space, &["t:way"]), NONE, "{what}: the first run");
    let settled = up_to_date(&space, &["t:way"]) == ["t:way"];
    edit(&mut space);
    (settled, up_to_date(&space, &["t:way"]) == ["t:way"])
}

#[track_caller]
fn all_run(ways: &[Way]) {
    for way in ways {
        assert_eq!(tried(way), (true, false), "{}: it must run, but only then", way.what);
    }
}

fn mode(space: &Space, path: &str, mode: u32) {
    fs::set_permissions(space.path(path), fs::Permissions::from_mode(mode)).unwrap();
}

/// A program of the test's own, before all others.
fn program(space: &mut Space, folder: &str, says: &str) {
    space.write(&format!("{folder}/stamp"), &format!("#!/bin/sh\necho {says}\n"));
    mode(space, &format!("{folder}/stamp"), 0o755);
    let path = format!("{}:/usr/bin:/bin", space.path(folder).display());
    space.env("PATH", &path);
}

/// The whole folder is a source.
const FOLDER: &str =
    r#"sources = { "in" }, generates = { "out" }, run = { "mkdir -p out", "cp -RL in/. out/" }"#;
const FILES: &str = r#"sources = { "in/*" }, generates = { "all" }, run = "cat in/* > all""#;
const NOTHING: Edit = |_| {};

#[test]
fn a_folder_is_everything_in_it() {
    all_run(&[
        Way {
            what: "a hidden file edited",
            fields: FOLDER,
            before: |s| _ = s.write("in/.env", "1"),
            edit: |s| _ = s.write("in/.env", "2"),
        },
        Way {
            what: "a file in a hidden folder edited",
            fields: FOLDER,
            before: |s| _ = s.write("in/.deep/.er/f", "1"),
            edit: |s| _ = s.write("in/.deep/.er/f", "2"),
        },
        Way {
            what: "a hidden file appeared",
            fields: FOLDER,
            before: NOTHING,
            edit: |s| _ = s.write("in/.env", ""),
        },
        Way {
            what: "a file in a new folder",
            fields: FOLDER,
            before: NOTHING,
            edit: |s| _ = s.write("in/new/deep/f", ""),
        },
        Way {
            what: "a hidden output deleted",
            fields: FOLDER,
            before: |s| _ = s.write("in/.env", "1"),
            edit: |s| fs::remove_file(s.path("out/.env")).unwrap(),
        },
        Way {
            what: "an ignored file edited",
            fields: FOLDER,
            before: |s| _ = s.write(".gitignore", "in/a\n"),
            edit: |s| _ = s.write("in/a", "ONE\n"),
        },
        Way {
            what: "a name with a line break",
            fields: FOLDER,
            before: |s| _ = s.write("in/x\ny", "1"),
            edit: |s| _ = s.write("in/x\ny", "2"),
        },
    ]);
}

#[test]
fn a_process_follows_links_out_of_the_repository() {
    all_run(&[
        Way {
            what: "what a link leads to, edited",
            fields: FILES,
            before: |s| {
                s.write("../outside", "1");
                symlink("../../outside", s.path("in/c")).unwrap();
            },
            edit: |s| _ = s.write("../outside", "2"),
        },
        Way {
            what: "such a link appeared",
            fields: FILES,
            before: |s| _ = s.write("../outside", "1"),
            edit: |s| symlink("../../outside", s.path("in/c")).unwrap(),
        },
        Way {
            what: "a file in a folder that a named link leads to",
            fields: r#"sources = { "far/*" }, generates = { "all" }, run = "cat far/* > all""#,
            before: |s| {
                s.write("../folder/f", "1");
                symlink("../folder", s.path("far")).unwrap();
            },
            edit: |s| _ = s.write("../folder/f", "2"),
        },
        Way {
            what: "a link to nothing leads somewhere now",
            fields: r#"sources = { "in/*" }, generates = { "all" }, run = "cat in/* > all || true""#,
            before: |s| symlink("../later", s.path("in/c")).unwrap(),
            edit: |s| _ = s.write("later", "1"),
        },
    ]);
}

#[test]
fn what_nobody_can_follow_lets_nothing_be_skipped_and_says_so() {
    let ways: [(&str, Edit); 2] = [
        ("in/c\u{fffd}", |s| {
            fs::write(s.path("in").join(OsStr::from_bytes(b"c\xe9")), "1").unwrap();
        }),
        ("in/far", |s| {
            s.write("../folder/f", "1");
            symlink("../../folder", s.path("in/far")).unwrap();
        }),
    ];
    for (what, odd) in ways {
        let fields = r#"sources = { "in" }, generates = { "all" }, run = "ls in > all""#;
        let mut space = space(&[("way", &recipe(fields))]);
        space.write("in/a", "one\n");
        assert_eq!(up_to_date(&space, &["t:way"]), NONE);
        assert_eq!(up_to_date(&space, &["t:way"]), ["t:way"]);
        odd(&mut space);
        for _ in 0..2 {
            assert_eq!(up_to_date(&space, &["t:way"]), NONE, "{what}");
        }
        let _ = space.run(["why", "t:way"]).stdout_has(&format!("nobody can follow {what}"));
    }
}

#[test]
fn a_pipe_among_the_sources_is_there_and_is_not_waited_for() {
    let space = space(&[("way", &recipe(FILES.replace("cat in/*", "cat in/a").as_str()))]);
    space.write("in/a", "one\n");
    let pipe = space.path("in/pipe");
    rustix::fs::mknodat(rustix::fs::CWD, pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    assert_eq!(up_to_date(&space, &["t:way"]), NONE);
    assert_eq!(up_to_date(&space, &["t:way"]), ["t:way"]);
}

#[test]
fn what_a_script_starts_is_an_input() {
    let called = r#"sources = { "in/*" }, generates = { "all" }, run = "stamp in/a > all""#;
    let script = r#"sources = { "in/*" }, generates = { "all" }, run = "bash build.sh > all""#;
    let path = r#"sources = { "in/*" }, generates = { "all" }, run = "./build.sh > all""#;
    let lines = r#"sources = { "in/*" }, generates = { "all" }, run = ". ./build.sh > all""#;
    let exec = r#"sources = { "in/*" }, generates = { "all" },
        run = function() sh.exec { "bash", "build.sh", effect = "files" }; sh { "touch all", effect = "files" } end"#;
    let make: Edit = |s| {
        s.write("build.sh", "#!/bin/sh\necho 1\n");
        mode(s, "build.sh", 0o755);
    };
    let edit: Edit = |s| _ = s.write("build.sh", "#!/bin/sh\necho 2\n");
    all_run(&[
        Way {
            what: "another program of the name",
            fields: called,
            before: |s| program(s, "bin", "1"),
            edit: |s| program(s, "bin", "2"),
        },
        Way {
            what: "one that says the same, earlier on PATH",
            fields: called,
            before: |s| program(s, "bin", "1"),
            edit: |s| program(s, "first", "1"),
        },
        Way { what: "bash build.sh", fields: script, before: make, edit },
        Way { what: "./build.sh", fields: path, before: make, edit },
        Way { what: ". ./build.sh", fields: lines, before: make, edit },
        Way { what: "sh.exec of bash build.sh", fields: exec, before: make, edit },
    ]);
}

#[test]
fn a_program_that_the_step_builds_itself_is_no_input_of_it() {
    let builds = r#"sources = { "in/a" }, generates = { "all" }, run = {
        "rm -f prog; printf '#!/bin/sh\ncat in/a\n' > prog; chmod +x prog", "./prog > all" }"#;
    let space = space(&[("way", &recipe(builds))]);
    space.write("in/a", "one\n");
    assert_eq!(up_to_date(&space, &["t:way"]), NONE);
    assert_eq!(up_to_date(&space, &["t:way"]), ["t:way"]);
    space.write("in/a", "two\n");
    assert_eq!(up_to_date(&space, &["t:way"]), NONE);
    assert_eq!(up_to_date(&space, &["t:way"]), ["t:way"], "it was built again, and is the same");
}

#[test]
fn a_variable_is_named_without_a_dollar_too() {
    let rows = [
        ("if [[ -v MODE ]]; then echo set; fi > all", None),
        ("{ printenv MODE || true; } > all", None),
        ("env | grep MODE > all", Some("3")),
        ("echo $((MODE + 1)) > all", Some("3")),
    ];
    for (script, first) in rows {
        let fields =
            format!(r#"sources = {{ "in/*" }}, generates = {{ "all" }}, run = "{script}""#);
        let mut space = space(&[("way", &recipe(&fields))]);
        space.write("in/a", "one\n");
        if let Some(first) = first {
            space.env("MODE", first);
        }
        assert_eq!(up_to_date(&space, &["t:way"]), NONE);
        assert_eq!(up_to_date(&space, &["t:way"]), ["t:way"], "{script}");
        space.env("MODE", "4");
        assert_eq!(up_to_date(&space, &["t:way"]), NONE, "{script}");
        let _ = space.env("MODE", "");
        assert_eq!(up_to_date(&space, &["t:way"]), NONE, "{script}: empty is not what it was");
    }
}

#[test]
fn of_permissions_it_counts_whether_a_file_runs_and_whether_a_private_output_still_is() {
    let private =
        r#"run = function() fs.write { "o", content = fs.read { "in/a" }, mode = "0600" } end"#;
    all_run(&[
        Way {
            what: "an input that may be run now",
            fields: FILES,
            before: NOTHING,
            edit: |s| mode(s, "in/a", 0o755),
        },
        Way {
            what: "a private output that others may read",
            fields: private,
            before: NOTHING,
            edit: |s| mode(s, "o", 0o644),
        },
    ]);
    let space = space(&[("way", &recipe(private))]);
    space.write("in/a", "one\n");
    assert_eq!(up_to_date(&space, &["t:way"]), NONE);
    mode(&space, "o", 0o640);
    let _ = space.run(["why", "t:way"]).stdout_has("mode 0600 → mode 0640");
    assert_eq!(up_to_date(&space, &["t:way"]), NONE);
    let now = fs::metadata(space.path("o")).unwrap().permissions().mode() & 0o777;
    assert_eq!(now, 0o600, "the run mends it");
    mode(&space, "in/a", 0o664);
    assert_eq!(up_to_date(&space, &["t:way"]), ["t:way"], "another umask is no change");
}

#[test]
fn an_output_that_somebody_writes_over_while_the_step_runs_is_not_what_it_made() {
    let fields = r#"run = function()
        fs.write { "o", content = fs.read { "in/a" } }
        sh { "if [ -e meddle ]; then echo meddled > o; fi", effect = "files", reads = { "meddle" } }
    end"#;
    let space = space(&[("way", &recipe(fields))]);
    space.write("in/a", "one\n").write("meddle", "");
    assert_eq!(up_to_date(&space, &["t:way"]), NONE);
    assert_eq!(space.read("o"), "meddled\n");
    let _ = space.run(["why", "t:way"]).stdout_has("o changed while it ran");
    fs::remove_file(space.path("meddle")).unwrap();
    assert_eq!(up_to_date(&space, &["t:way"]), NONE);
    assert_eq!(space.read("o"), "one\n");
    assert_eq!(up_to_date(&space, &["t:way"]), ["t:way"]);
}

#[test]
fn a_resumed_step_remembers_what_it_had_read_before() {
    let fields = r#"run = function()
        local first = fs.read { "in/a" }
        local second = json.read { "in/second.json" }
        fs.write { "o", content = first }
    end"#;
    let space = space(&[("way", &recipe(fields))]);
    space.write("in/a", "one\n").write("in/second.json", "{");
    let failed = space.run(["run", "t:way"]).exit(1);
    let run = failed.stderr().split("ops resume ").nth(1).unwrap().trim().to_owned();
    let run = run.split_whitespace().next().unwrap().to_owned();
    space.write("in/second.json", "{}");
    let _ = space.run(["resume", run.as_str()]).exit(0);
    space.write("in/a", "two\n");
    assert_eq!(up_to_date(&space, &["t:way"]), NONE);
    assert_eq!(space.read("o"), "two\n");
}

#[test]
fn among_many_files_one_counts() {
    let edits: [(&str, Edit); 4] = [
        ("one edited", |s| _ = s.write("in/d7/f307", "x")),
        ("one more", |s| _ = s.write("in/d7/new", "")),
        ("one gone", |s| fs::remove_file(s.path("in/d9/f309")).unwrap()),
        ("an output gone", |s| fs::remove_file(s.path("out/d3/f103")).unwrap()),
    ];
    let mut space =
        space(&[("way", &recipe(&FOLDER.replace("run = {", "run = { \"rm -rf out\",")))]);
    for n in 0..400 {
        space.write(&format!("in/d{}/f{n}", n % 10), "");
    }
    assert_eq!(up_to_date(&space, &["t:way"]), NONE);
    for (what, edit) in edits {
        assert_eq!(up_to_date(&space, &["t:way"]), ["t:way"], "before: {what}");
        edit(&mut space);
        assert_eq!(up_to_date(&space, &["t:way"]), NONE, "{what}");
    }
}
