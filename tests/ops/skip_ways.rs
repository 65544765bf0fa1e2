//! What lets a step be skipped beside its files: needs, stages, shell with declared sources, `status`, `fresh`, `always`; and what never does.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::space::Space;

/// A repository with one recipe of the group `t` per entry.
pub(crate) fn space(recipes: &[(&str, &str)]) -> Space {
    let space = Space::new();
    space.write("ops.toml", "api = 1\n");
    for (name, text) in recipes {
        space.write(&format!("recipes/t/{name}.lua"), text);
    }
    space
}

pub(crate) fn recipe(fields: &str) -> String {
    format!("return ops.recipe {{ desc = \"A step of a test\", cluster = false, {fields} }}\n")
}

/// The recipes that a run showed as up to date.
#[track_caller]
pub(crate) fn up_to_date(space: &Space, words: &[&str]) -> Vec<String> {
    let ran = space.run(["run"].iter().chain(words).copied()).exit(0);
    let told = ran.stderr() + &ran.stdout();
    let mut names: Vec<String> = told
        .lines()
        .filter(|line| line.contains("up to date ("))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    names.sort();
    names
}

pub(crate) const NONE: [&str; 0] = [];

/// Counts its runs in a file that is no input of it.
const COUNTED: &str = r#"
    sources = { "in/*.txt" }, generates = { "out/all" },
    run = { "mkdir -p out", "cat in/*.txt > out/all", "echo ran >> runs" }
"#;

fn runs(space: &Space) -> usize {
    fs::read_to_string(space.path("runs")).map_or(0, |text| text.lines().count())
}

#[test]
fn shell_with_declared_sources_is_skipped_and_without_never() {
    let opaque = recipe("run = { \"echo ran >> runs\" }");
    let space = space(&[("make", &recipe(COUNTED)), ("opaque", &opaque)]);
    space.write("in/a.txt", "one\n");
    assert_eq!(up_to_date(&space, &["t:make"]), NONE);
    assert_eq!(up_to_date(&space, &["t:make"]), ["t:make"]);
    assert_eq!(runs(&space), 1);
    space.write("in/b.txt", "two\n");
    assert_eq!(up_to_date(&space, &["t:make"]), NONE);
    assert_eq!((space.read("out/all").as_str(), runs(&space)), ("one\ntwo\n", 2));
    fs::remove_file(space.path("out/all")).unwrap();
    assert_eq!(up_to_date(&space, &["t:make"]), NONE);
    assert_eq!(runs(&space), 3);
    for n in 4..6 {
        assert_eq!(up_to_date(&space, &["t:opaque"]), NONE);
        assert_eq!(runs(&space), n);
    }
    let _ = space.run(["why", "t:opaque"]).stdout_has("sh reaches more than files");
}

#[test]
fn one_call_with_sources_of_its_own_is_local() {
    let call = r#"run = function() sh { "cat in/*.txt > all; echo ran >> runs", effect = "files",
        reads = { "in" }, writes = { "all" } } end"#;
    let space = space(&[("call", &recipe(call))]);
    space.write("in/a.txt", "one\n");
    assert_eq!(up_to_date(&space, &["t:call"]), NONE);
    assert_eq!(up_to_date(&space, &["t:call"]), ["t:call"]);
    space.write("in/deep/b.txt", "a new member below the folder\n");
    assert_eq!(up_to_date(&space, &["t:call"]), NONE);
    space.write("all", "edited\n");
    assert_eq!(up_to_date(&space, &["t:call"]), NONE);
    assert_eq!(up_to_date(&space, &["t:call"]), ["t:call"]);
}

#[test]
fn a_pattern_without_a_match_is_an_error_at_the_pattern() {
    let space = space(&[("make", &recipe(COUNTED))]);
    let failed = space.run(["run", "t:make"]).exit(1);
    assert!(
        failed.stderr().contains("OPS0123") && failed.stderr().contains("recipes/t/make.lua:2:"),
        "{}",
        failed.all()
    );
    assert_eq!(runs(&space), 0, "nothing ran");
    let _ = space.run(["plan", "t:make"]).exit(1).stderr_has("OPS0123");
    space.write("in/a.txt", "one\n");
    space.write(
        "recipes/t/make.lua",
        &recipe(COUNTED).replace("cat in/*.txt > out/all", "cat in/*.txt > out/other"),
    );
    let failed = space.run(["run", "t:make"]).exit(1);
    assert!(failed.stderr().contains("`generates`"), "{}", failed.all());
    let _ = space.run(["run", "t:make"]).exit(1).stderr_has("OPS0123");
}

#[test]
fn needs_are_judged_one_by_one_and_their_results_are_inputs() {
    let list = r#"run = function() return { names = fs.glob { "in/*" } } end"#;
    let read = r#"run = function() return json.read { "in/a.json" } end"#;
    let all = r#"needs = { "list", "read" }, run = function(cx)
        fs.write { "all", content = #cx.needs["t:list"].names .. cx.needs["t:read"].word .. "\n" } end"#;
    let space = space(&[("list", &recipe(list)), ("read", &recipe(read)), ("all", &recipe(all))]);
    space.write("in/a.json", r#"{"word": "x", "other": 1}"#);
    assert_eq!(up_to_date(&space, &["t:all"]), NONE);
    assert_eq!(up_to_date(&space, &["t:all"]), ["t:all", "t:list", "t:read"]);
    space.write("in/b.json", "{}");
    assert_eq!(up_to_date(&space, &["t:all"]), ["t:read"], "the list is another one");
    assert_eq!(space.read("all"), "2x\n");
    fs::remove_file(space.path("all")).unwrap();
    assert_eq!(up_to_date(&space, &["t:all"]), ["t:list", "t:read"]);
    assert_eq!(space.read("all"), "2x\n", "skipped needs gave their stored results");
}

#[test]
fn a_step_runs_no_further_where_what_it_needs_gives_the_same() {
    let size =
        r#"run = function() local text = json.read { "in.json" } return { size = #text.word } end"#;
    let all = r#"needs = { "size" }, run = function(cx) fs.write { "all", content = "" .. cx.needs["t:size"].size } end"#;
    let space = space(&[("size", &recipe(size)), ("all", &recipe(all))]);
    space.write("in.json", r#"{"word": "one"}"#);
    assert_eq!(up_to_date(&space, &["t:all"]), NONE);
    space.write("in.json", r#"{"word": "two"}"#);
    assert_eq!(up_to_date(&space, &["t:all"]), ["t:all"]);
}

#[test]
fn stages_and_nested_steps_are_judged_each_for_itself() {
    let one = r#"run = function() fs.write { "one", content = "1" } return { n = 1 } end"#;
    let two = r#"run = function() fs.write { "two", content = "2" } end"#;
    let nest = r#"run = function(cx) return { got = cx:run("one").n } end"#;
    let space = space(&[
        ("one", &recipe(one)),
        ("two", &recipe(two)),
        ("both", &recipe("stages = { \"one\", \"two\" }")),
        ("nest", &recipe(nest)),
    ]);
    assert_eq!(up_to_date(&space, &["t:both"]), NONE);
    assert_eq!(up_to_date(&space, &["t:both"]), ["t:one", "t:two"]);
    assert_eq!(up_to_date(&space, &["t:nest"]), ["t:one"]);
    let told = space.run(["run", "t:nest", "--json"]).exit(0).stdout();
    assert!(told.contains(r#""result":{"got":1}"#), "{told}");
    assert_eq!(up_to_date(&space, &["t:both", "--force"]), NONE, "with all that it consists of");
    fs::remove_file(space.path("two")).unwrap();
    assert_eq!(up_to_date(&space, &["t:both"]), ["t:one"]);
}

#[test]
fn force_reaches_what_was_asked_for_and_not_what_that_needs() {
    let one = r#"run = function() fs.write { "one", content = "1" } end"#;
    let all = r#"needs = { "one" }, run = function() fs.write { "all", content = "2" } end"#;
    let space = space(&[("one", &recipe(one)), ("all", &recipe(all))]);
    assert_eq!(up_to_date(&space, &["t:all"]), NONE);
    assert_eq!(up_to_date(&space, &["t:all", "--force"]), ["t:one"]);
    assert_eq!(up_to_date(&space, &["t:all"]), ["t:all", "t:one"]);
}

#[test]
fn force_never_reaches_a_precondition() {
    let guarded = r#"preconditions = function(cx) cx:require(fs.exists { "allowed" }, "not allowed") end,
        run = function() fs.write { "done", content = "" } end"#;
    let space = space(&[("guarded", &recipe(guarded))]);
    space.write("allowed", "");
    assert_eq!(up_to_date(&space, &["t:guarded"]), NONE);
    assert_eq!(up_to_date(&space, &["t:guarded"]), ["t:guarded"]);
    fs::remove_file(space.path("allowed")).unwrap();
    let _ = space.run(["run", "t:guarded", "--force"]).exit(1).stderr_has("not allowed");
    let _ = space.run(["run", "t:guarded"]).exit(1).stderr_has("not allowed");
}

#[test]
fn a_status_function_decides_alone() {
    let status = r#"params = { mark = param.string { default = "mark" } },
        status = function(_, p) return fs.exists { p.mark } end,
        run = function() sh { "echo ran >> runs; touch mark" } end"#;
    let space = space(&[("status", &recipe(status))]);
    assert_eq!(up_to_date(&space, &["t:status"]), NONE);
    assert_eq!(up_to_date(&space, &["t:status"]), ["t:status"]);
    assert_eq!(up_to_date(&space, &["t:status", "--mark", "other"]), NONE);
    assert_eq!(up_to_date(&space, &["t:status", "--force"]), NONE);
    fs::remove_file(space.path("mark")).unwrap();
    let _ = space.run(["why", "t:status"]).stdout_has("`status` says");
    assert_eq!(up_to_date(&space, &["t:status"]), NONE);
    assert_eq!(runs(&space), 4);
}

#[test]
fn status_lines_all_have_to_succeed_and_see_the_parameters() {
    let status = r#"params = { mark = param.string { default = "mark" } },
        status = { "test -e first", "false | true; test -e $mark" }, run = { "touch first $mark" }"#;
    let space = space(&[("status", &recipe(status))]);
    assert_eq!(up_to_date(&space, &["t:status"]), NONE);
    assert_eq!(
        up_to_date(&space, &["t:status"]),
        NONE,
        "a failure within a pipe is one: the same shell as everywhere"
    );
    let plain = recipe(status).replace("false | true; ", "");
    space.write("recipes/t/status.lua", &plain);
    assert_eq!(up_to_date(&space, &["t:status"]), ["t:status"]);
    assert_eq!(up_to_date(&space, &["t:status", "--mark", "second"]), NONE);
    let _ = space.run(["plan", "t:status"]).exit(0).stdout_has("up to date (its `status`");
}

#[test]
fn status_and_sources_have_to_agree() {
    let both = format!("status = \"test -e mark\", {COUNTED}");
    let space = space(&[("both", &recipe(&both))]);
    space.write("in/a.txt", "one").write("mark", "");
    assert_eq!(up_to_date(&space, &["t:both"]), NONE, "it never ran");
    assert_eq!(up_to_date(&space, &["t:both"]), ["t:both"]);
    space.write("in/a.txt", "two");
    assert_eq!(up_to_date(&space, &["t:both"]), NONE);
    fs::remove_file(space.path("mark")).unwrap();
    assert_eq!(up_to_date(&space, &["t:both"]), NONE);
    space.write("mark", "").write("in/a.txt", "three");
    assert_eq!(up_to_date(&space, &["t:both"]), NONE, "its sources were read before it ran");
    assert_eq!(up_to_date(&space, &["t:both"]), ["t:both"]);
}

#[test]
fn fresh_lets_a_step_rest_that_reaches_more_than_this_machine() {
    let fresh = |span: &str| {
        recipe(&format!(
            "fresh = \"{span}\", run = function() if fs.exists {{ \"x\" }} then end sh {{ \"echo ran >> runs\" }} return {{ n = 7 }} end"
        ))
    };
    let space = space(&[("long", &fresh("1h")), ("short", &fresh("1ms"))]);
    assert_eq!(up_to_date(&space, &["t:long"]), NONE);
    assert_eq!(up_to_date(&space, &["t:long"]), ["t:long"]);
    let told = space.run(["run", "t:long", "--json"]).exit(0).stdout();
    assert!(told.contains(r#""by":"fresh""#) && told.contains(r#""result":{"n":7}"#), "{told}");
    space.write("x", "");
    assert_eq!(up_to_date(&space, &["t:long"]), NONE, "what it read is another");
    assert_eq!(up_to_date(&space, &["t:short"]), NONE);
    assert_eq!(up_to_date(&space, &["t:short"]), NONE);
}

#[test]
fn always_is_never_up_to_date() {
    let space = space(&[("always", &recipe("always = true, run = function() end"))]);
    assert_eq!(up_to_date(&space, &["t:always"]), NONE);
    assert_eq!(up_to_date(&space, &["t:always"]), NONE);
}

#[test]
fn a_head_that_contradicts_itself_is_refused() {
    let rows = [
        ("destructive = true, fresh = \"1h\", run = function() end", "never skipped"),
        ("destructive = true, status = \"true\", run = function() end", "never skipped"),
        ("always = true, status = \"true\", run = function() end", "beside `always`"),
        ("generates = { \"x\" }, run = \"touch x\"", "without `sources`"),
    ];
    for (fields, expected) in rows {
        let space = space(&[("wrong", &recipe(fields))]);
        let _ = space.run(["run", "t:wrong"]).exit(2).stderr_has(expected);
    }
}

#[test]
fn variables_are_inputs_those_that_a_script_names_too() {
    let call = r#"run = function() sh { "echo $GREETING ${NAME:-nobody} > out", effect = "files", reads = {},
        writes = { "out" } } end"#;
    let secret = r#"run = function() fs.write { "token", content = secrets.env { "TOKEN" } } end"#;
    let mut space = space(&[("call", &recipe(call)), ("secret", &recipe(secret))]);
    space.env("TOKEN", "canary").env("GREETING", "hello");
    for name in ["t:call", "t:secret"] {
        assert_eq!(up_to_date(&space, &[name]), NONE);
        assert_eq!(up_to_date(&space, &[name]), [name]);
    }
    space.env("UNRELATED", "x");
    assert_eq!(up_to_date(&space, &["t:call"]), ["t:call"]);
    space.env("NAME", "world");
    assert_eq!(up_to_date(&space, &["t:call"]), NONE);
    assert_eq!(space.read("out"), "hello world\n");
    space.env("TOKEN", "other");
    assert_eq!(up_to_date(&space, &["t:secret"]), NONE);
    assert_eq!(space.read("token"), "other");
    let traces = std::fs::read_dir(space.state().join("ops")).unwrap();
    assert!(traces.count() > 0);
    let why = space.run(["why", "t:secret", "-v", "--json"]).exit(0).stdout();
    assert!(!why.contains("canary") && !why.contains("\"other\""), "{why}");
}

#[test]
fn another_program_of_the_same_name_is_another_tool() {
    let call = r#"run = function() sh.exec { "stamp", effect = "reads", reads = {} } end"#;
    let mut space = space(&[("call", &recipe(call))]);
    let program = |space: &Space, folder: &str, text: &str| {
        space.write(&format!("{folder}/stamp"), &format!("#!/bin/sh\necho {text}\n"));
        let path = space.path(&format!("{folder}/stamp"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    program(&space, "first", "1");
    program(&space, "second", "1");
    let path =
        |space: &Space, folder: &str| format!("{}:/usr/bin:/bin", space.path(folder).display());
    let first = path(&space, "first");
    space.env("PATH", &first);
    assert_eq!(up_to_date(&space, &["t:call"]), NONE);
    assert_eq!(up_to_date(&space, &["t:call"]), ["t:call"]);
    program(&space, "first", "2");
    assert_eq!(up_to_date(&space, &["t:call"]), NONE, "another version");
    let second = path(&space, "second");
    space.env("PATH", &second);
    assert_eq!(up_to_date(&space, &["t:call"]), NONE, "another place");
    assert_eq!(up_to_date(&space, &["t:call"]), ["t:call"]);
}

#[test]
fn links_on_the_way_are_inputs() {
    let read = r#"run = function() return json.read { "current/a.json" } end"#;
    let space = space(&[("read", &recipe(read))]);
    space.write("v1/a.json", "{}").write("v2/a.json", "{}").write("v3/a.json", "{}");
    symlink("hop", space.path("current")).unwrap();
    symlink("v1", space.path("hop")).unwrap();
    assert_eq!(up_to_date(&space, &["t:read"]), NONE);
    assert_eq!(up_to_date(&space, &["t:read"]), ["t:read"]);
    fs::remove_file(space.path("hop")).unwrap();
    symlink("v2", space.path("hop")).unwrap();
    assert_eq!(up_to_date(&space, &["t:read"]), NONE, "the second link, equal content");
    fs::remove_file(space.path("current")).unwrap();
    symlink("v3", space.path("current")).unwrap();
    assert_eq!(up_to_date(&space, &["t:read"]), NONE, "the first one");
    assert_eq!(up_to_date(&space, &["t:read"]), ["t:read"]);
}
