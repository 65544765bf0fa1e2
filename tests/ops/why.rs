//! `ops why` as people see it. Fingerprints and run names differ from run to run: they are shown as `HASH` and `RUN`.

use std::fs;

use insta::assert_snapshot;

use crate::skip_ways::{recipe, space};
use crate::space::Space;

/// Words that look like a fingerprint or the name of a run.
fn shown(text: &str) -> String {
    let word = |word: &str| {
        let bare = word.trim_end_matches(',');
        let hash = bare.len() == 8 && bare.bytes().all(|b| b.is_ascii_hexdigit());
        match word {
            _ if hash => word.replace(bare, "HASH"),
            env!("CARGO_PKG_VERSION") => "VERSION".to_owned(),
            other => other.to_owned(),
        }
    };
    let line = |line: &str| {
        let words: Vec<String> = line.split(' ').map(word).collect();
        let line = words.join(" ");
        match line.split_once("last run ") {
            Some((start, rest)) => {
                let end = rest.split_once(',').map_or("", |(_, end)| end);
                format!("{start}last run RUN,{end}")
            }
            None => line,
        }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn why(space: &Space, words: &[&str]) -> String {
    shown(&space.run(["why"].iter().chain(words).copied()).exit(0).stdout())
}

const JOIN: &str = r#"needs = { "title" },
    run = function(cx)
        local list = cx.needs["t:title"]
        for _, path in ipairs(fs.glob { "parts/*.json" }) do list = list .. json.read { path }.name end
        if fs.exists { "extra" } then list = list .. "!" end
        fs.write { "out/list", content = list }
    end"#;

fn joined() -> Space {
    let title = r#"run = function() return json.read { "title.json" }.title end"#;
    let space = space(&[("join", &recipe(JOIN)), ("title", &recipe(title))]);
    space
        .write("title.json", r#"{"title": "List: "}"#)
        .write("parts/a.json", r#"{"name": "a"}"#)
        .write("parts/b.json", r#"{"name": "b"}"#);
    let _ = space.run(["run", "t:join"]).exit(0);
    space
}

#[test]
fn before_the_first_run() {
    let space = space(&[("join", &recipe("run = function() end"))]);
    assert_snapshot!(why(&space, &["t:join"]), @r"
    t:join   would run
      it has not run here with these parameters
    ");
}

#[test]
fn up_to_date_with_what_made_the_last_run_run() {
    let space = joined();
    assert_snapshot!(why(&space, &["t:join"]), @r"
    t:title   up to date (2 inputs)
    t:join   up to date (6 inputs, 1 output)
      last run RUN, just now; it ran because
        it has not run here with these parameters
    ");
    space.write("parts/a.json", r#"{"name": "A!"}"#);
    let _ = space.run(["run", "t:join"]).exit(0);
    assert_snapshot!(why(&space, &["t:join"]), @r"
    t:title   up to date (2 inputs)
    t:join   up to date (6 inputs, 1 output)
      last run RUN, just now; it ran because
        parts/a.json has changed   HASH, 13 bytes → HASH, 14 bytes
    ");
}

#[test]
fn everything_that_moved_with_its_old_and_new_fingerprint() {
    let space = joined();
    space.write("parts/a.json", r#"{"name": "A"}"#).write("parts/c.json", r#"{"name": "c"}"#);
    fs::remove_file(space.path("parts/b.json")).unwrap();
    space.write("extra", "").write("out/list", "by hand");
    space.write("recipes/t/join.lua", &recipe(&JOIN.replace("\"!\"", "\"?\"")));
    assert_snapshot!(why(&space, &["t:join"]), @r"
    t:title   up to date (2 inputs)
    t:join   would run
      recipes/t/join.lua has changed              HASH → HASH
      extra was not there                         absent → a file
      parts/a.json has changed                    HASH, 13 bytes → HASH, 13 bytes
      parts/b.json is gone                        HASH, 13 bytes → gone
      parts/*.json has other members              2 members → 2 members (-parts/b.json, +parts/c.json)
      the output out/list is not as it was left   HASH, 8 bytes → HASH, 7 bytes
      last run RUN, just now; it ran because
        it has not run here with these parameters
    ");
}

#[test]
fn a_need_that_would_run_first() {
    let space = joined();
    space.write("title.json", r#"{"title": "Names: "}"#);
    assert_snapshot!(why(&space, &["t:join"]), @r"
    t:title   would run
    t:join   would run
      t:title gives another result
      last run RUN, just now; it ran because
        it has not run here with these parameters
    ");
}

#[test]
fn all_inputs_on_demand() {
    let space = joined();
    assert_snapshot!(why(&space, &["t:join", "-v"]), @r"
    t:title   up to date (2 inputs)
    t:join   up to date (6 inputs, 1 output)
      last run RUN, just now; it ran because
        it has not run here with these parameters
        source    recipes/t/join.lua   HASH
        ops       ops                  VERSION
        need      t:title              HASH
        absent    extra
        file      parts/a.json         HASH, 13 bytes
        file      parts/b.json         HASH, 13 bytes
        pattern   parts/*.json         2 files
        output    out/list             HASH, 8 bytes
    ");
}

#[test]
fn for_machines() {
    let space = joined();
    space.write("extra", "");
    let text = space.run(["why", "t:join", "--json"]).exit(0).stdout();
    let body: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&body["schema"], &body["version"]), (&"ops.why".into(), &1.into()));
    let step = &body["steps"][1];
    let because = serde_json::json!([
        {"why": "appeared", "what": "extra", "old": "absent", "new": "a file"},
    ]);
    assert_eq!((&step["recipe"], &step["because"]), (&"t:join".into(), &because));
    assert_eq!(step["last"]["because"][0]["why"], "first");
    let inputs = step["last"]["inputs"].as_array().expect("a list");
    assert!(inputs.iter().any(|i| i["input"] == "absent" && i["path"] == "extra"), "{step}");
}

#[test]
fn it_runs_nothing_and_needs_a_recipe() {
    let space = space(&[("mark", &recipe("run = \"touch mark\""))]);
    let _ = space.run(["why", "t:mark"]).exit(0);
    assert!(!space.path("mark").exists());
    let _ = space.run(["why"]).exit(2).stderr_has("needs a recipe");
    let _ = space.run(["why", "t:other"]).exit(2);
}
