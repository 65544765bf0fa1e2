//! What a skipped step stands on when runs fail, are killed, resumed, planned, cloned, rehearsed: only a run that ended well is one to go by.

use std::fs;

use crate::skip_ways::{NONE, recipe, space, up_to_date};
use crate::space::Space;

#[test]
fn an_input_that_moves_while_the_step_runs_leaves_it_unrecorded() {
    let moving = r#"run = function()
        local before = json.read { "in.json" }
        sh { "test ! -e edit || cp edit in.json", effect = "files", reads = {}, writes = {} }
        return before end"#;
    let space = space(&[("moving", &recipe(moving))]);
    space.write("in.json", "{\"n\":1}").write("edit", "{\"n\":2}");
    assert_eq!(up_to_date(&space, &["t:moving"]), NONE);
    let _ = space.run(["why", "t:moving"]).stdout_has("in.json changed while it ran");
    assert_eq!(up_to_date(&space, &["t:moving"]), NONE);
    fs::remove_file(space.path("edit")).unwrap();
    assert_eq!(up_to_date(&space, &["t:moving"]), NONE);
    assert_eq!(up_to_date(&space, &["t:moving"]), ["t:moving"]);
}

#[test]
fn a_failed_call_that_the_recipe_caught_leaves_it_unrecorded() {
    let caught = r#"run = function()
        ops.try("exit", sh, { "exit 3", effect = "reads", reads = {} }) end"#;
    let missing = r#"run = function()
        ops.try("not_found", fs.read, { "none" }) end"#;
    let space = space(&[("caught", &recipe(caught)), ("missing", &recipe(missing))]);
    for _ in 0..2 {
        assert_eq!(up_to_date(&space, &["t:caught"]), NONE);
    }
    assert_eq!(up_to_date(&space, &["t:missing"]), NONE);
    assert_eq!(up_to_date(&space, &["t:missing"]), ["t:missing"], "absence is an input");
    space.write("none", "");
    assert_eq!(up_to_date(&space, &["t:missing"]), NONE);
}

#[test]
fn a_failed_run_is_no_run_to_go_by() {
    let fails = r#"run = function(cx)
        fs.write { "out", content = "x" }
        cx:require(not fs.exists { "broken" }, "it is broken") end"#;
    let space = space(&[("fails", &recipe(fails))]);
    assert_eq!(up_to_date(&space, &["t:fails"]), NONE);
    assert_eq!(up_to_date(&space, &["t:fails"]), ["t:fails"]);
    space.write("broken", "");
    let _ = space.run(["run", "t:fails"]).exit(1);
    fs::remove_file(space.path("broken")).unwrap();
    assert_eq!(up_to_date(&space, &["t:fails"]), NONE, "everything is as it was, but it failed");
    assert_eq!(up_to_date(&space, &["t:fails"]), ["t:fails"]);
}

#[test]
fn a_killed_run_is_no_run_to_go_by() {
    let writes = r#"run = function() fs.write { "out", content = "x" } fs.write { "two", content = "y" } end"#;
    let mut space = space(&[("writes", &recipe(writes))]);
    assert_eq!(up_to_date(&space, &["t:writes"]), NONE);
    space.env("OPS_FAULT", "b10:1");
    assert_eq!(space.run(["run", "t:writes", "--force"]).code(), -1, "it was killed");
    space.env("OPS_FAULT", "");
    let _ = space.run(["why", "t:writes"]).stdout_has("did not come to an end");
    assert_eq!(up_to_date(&space, &["t:writes"]), NONE);
    assert_eq!(up_to_date(&space, &["t:writes"]), ["t:writes"]);
}

#[test]
fn a_resumed_run_takes_the_way_that_it_took_and_judges_nothing_again() {
    let first = r#"run = function() return json.read { "in.json" } end"#;
    let steps = r#"needs = { "first" }, run = function(cx)
        sh { "echo one >> log" } sh { "echo " .. cx.needs["t:first"].n .. " >> log" } end"#;
    let mut space = space(&[("first", &recipe(first)), ("steps", &recipe(steps))]);
    space.write("in.json", "{\"n\":1}");
    let _ = space.run(["run", "t:first"]).exit(0);
    space.env("OPS_FAULT", "b10:1");
    assert_eq!(space.run(["run", "t:steps"]).code(), -1, "it was killed");
    space.env("OPS_FAULT", "");
    space.write("in.json", "{\"n\":2}");
    let _ = space.run(["resume"]).exit(0);
    assert_eq!(space.read("log"), "one\n1\n", "the stored result of then");
    assert_eq!(up_to_date(&space, &["t:first"]), NONE, "now it is judged anew");
}

#[test]
fn a_status_that_was_asked_before_a_kill_is_answered_from_the_journal() {
    let status = r#"status = "test -e mark", run = { "echo ran >> runs", "echo on >> runs" }"#;
    let mut space = space(&[("status", &recipe(status))]);
    space.env("OPS_FAULT", "b10:2");
    assert_eq!(space.run(["run", "t:status"]).code(), -1, "it was killed");
    space.env("OPS_FAULT", "");
    space.write("mark", "");
    let _ = space.run(["resume"]).exit(0);
    assert_eq!(space.read("runs"), "ran\non\n");
}

#[test]
fn a_plan_knows_that_an_earlier_step_would_write_an_input() {
    let first = r#"run = function() fs.copy { "in", to = "mid" } end"#;
    let second = r#"needs = { "first" }, run = function() fs.copy { "mid", to = "out" } end"#;
    let space = space(&[("first", &recipe(first)), ("second", &recipe(second))]);
    space.write("in", "one");
    assert_eq!(up_to_date(&space, &["t:second"]), NONE);
    let plan = space.run(["plan", "t:second"]).exit(0).stdout();
    assert_eq!(plan.matches("up to date").count(), 2, "{plan}");
    space.write("in", "two");
    let plan = space.run(["plan", "t:second"]).exit(0).stdout();
    assert!(!plan.contains("up to date") && plan.contains("2 write files"), "{plan}");
    let plan = space.run(["plan", "t:second", "--json"]).exit(0).stdout();
    assert!(plan.contains(r#"{"what":"mid","why":"planned"}"#), "{plan}");
}

#[test]
fn a_fresh_clone_finds_what_another_has_done() {
    let copy = r#"run = function() fs.copy { "in", to = "out" } end"#;
    let mut space = space(&[("copy", &recipe(copy))]);
    space.write("in", "one");
    assert_eq!(up_to_date(&space, &["t:copy"]), NONE);
    let clone = space.root().with_file_name("clone");
    for name in ["ops.toml", "recipes/t/copy.lua", "in", "out"] {
        fs::create_dir_all(clone.join(name).parent().unwrap()).unwrap();
        fs::write(clone.join(name), space.read(name)).unwrap();
    }
    space.stand_in("../clone");
    assert_eq!(up_to_date(&space, &["t:copy"]), ["t:copy"]);
    fs::write(clone.join("in"), "two").unwrap();
    assert_eq!(up_to_date(&space, &["t:copy"]), NONE);
    space.stand_in(".");
    assert_eq!(up_to_date(&space, &["t:copy"]), ["t:copy"], "each has its own from then on");
}

#[test]
fn a_torn_trace_is_none() {
    let copy = r#"run = function() fs.copy { "in", to = "out" } end"#;
    let space = space(&[("copy", &recipe(copy))]);
    space.write("in", "one");
    assert_eq!(up_to_date(&space, &["t:copy"]), NONE);
    let mut open = vec![space.state()];
    let mut torn = 0;
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.components().any(|part| part.as_os_str() == "traces") {
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() - 7]).unwrap();
            torn += 1;
        }
    }
    assert_eq!(torn, 1);
    assert_eq!(up_to_date(&space, &["t:copy"]), NONE);
    assert_eq!(up_to_date(&space, &["t:copy"]), ["t:copy"]);
}

#[test]
fn a_recipe_with_a_cluster_runs_again_where_its_inventory_has_changed() {
    let space = Space::example("home");
    let text = r#"return ops.recipe { desc = "Write the endpoint", run = function(cx)
        fs.write { "endpoint", content = cx.cluster.endpoint } end }"#;
    space.write("recipes/t/endpoint.lua", text);
    let run = |space: &Space| up_to_date(space, &["t:endpoint", "--lab"]);
    assert_eq!(run(&space), NONE);
    assert_eq!(run(&space), ["t:endpoint"]);
    let path = "clusters/home.toml";
    let inventory = space.read(path);
    space.write(path, &format!("# a comment\n{inventory}"));
    assert_eq!(run(&space), ["t:endpoint"]);
    let word = inventory.lines().find(|l| l.starts_with("endpoint")).expect("an endpoint");
    space.write(path, &inventory.replace(word, &word.replace(":6443", ":7443")));
    let why = space.run(["--lab", "why", "t:endpoint"]).exit(0).stdout();
    assert!(why.contains("`endpoint` of the inventory"), "{why}");
    assert_eq!(run(&space), NONE);
}

#[test]
fn rendering_in_the_lab_is_skipped_until_something_it_was_made_from_changes() {
    let space = Space::example("home");
    let _ = space.run(["lab", "up", "--healthy"]).exit(0);
    let run = |space: &Space| up_to_date(space, &["talos:generate-config", "--lab"]);
    assert_eq!(run(&space), NONE);
    assert_eq!(run(&space), ["talos:generate-config"]);
    let plan = space.run(["--lab", "plan", "talos:apply-config"]).exit(0);
    assert!(plan.stdout().contains("talos:generate-config   up to date"), "{}", plan.all());
    fs::remove_dir_all(space.path(".ops/lab/home/clusterconfig")).unwrap();
    assert_eq!(run(&space), NONE);
    assert_eq!(run(&space), ["talos:generate-config"]);
}

#[test]
fn events_for_machines_carry_the_judgement_with_its_reasons() {
    let copy = r#"run = function() fs.copy { "in", to = "out" } end"#;
    let space = space(&[("copy", &recipe(copy))]);
    space.write("in", "one");
    let judged = |space: &Space| -> serde_json::Value {
        let told = space.run(["run", "t:copy", "--json"]).exit(0).stdout();
        let line = told.lines().find(|l| l.contains("step.judged")).expect("an event");
        serde_json::from_str(line).expect("JSON")
    };
    let first = judged(&space);
    assert_eq!(
        (&first["up_to_date"], &first["because"][0]["why"]),
        (&false.into(), &"first".into())
    );
    let second = judged(&space);
    assert_eq!((&second["up_to_date"], &second["by"]), (&true.into(), &"inputs".into()));
    space.write("in", "three");
    let third = judged(&space);
    let reason = &third["because"][0];
    assert_eq!((&reason["why"], &reason["what"]), (&"file".into(), &"in".into()));
    let bytes =
        |field: &str| reason[field].as_str().unwrap().split_once(", ").unwrap().1.to_owned();
    assert_eq!((bytes("old"), bytes("new")), ("3 bytes".into(), "5 bytes".into()));
}

#[test]
fn the_name_of_the_run_is_another_one_in_every_run() {
    let named = r#"run = function(cx) fs.write { "run", content = cx.run_id } end"#;
    let space = space(&[("named", &recipe(named))]);
    assert_eq!(up_to_date(&space, &["t:named"]), NONE);
    assert_eq!(up_to_date(&space, &["t:named"]), NONE);
    let _ = space.run(["why", "t:named"]).stdout_has("cx.run_id");
}

#[test]
fn a_forced_run_stays_forced_when_it_is_resumed() {
    let slow = r#"run = function() sh { "echo slow >> log" } sh { "echo on >> log" } end"#;
    let all = r#"needs = { "slow" }, run = function() fs.write { "all", content = "x" } end"#;
    let mut space = space(&[("slow", &recipe(slow)), ("all", &recipe(all))]);
    assert_eq!(up_to_date(&space, &["t:all"]), NONE);
    assert_eq!(up_to_date(&space, &["t:all"]), ["t:all"]);
    space.env("OPS_FAULT", "b10:1");
    assert_eq!(space.run(["run", "t:all", "--force"]).code(), -1, "it was killed");
    space.env("OPS_FAULT", "");
    let resumed = space.run(["resume"]).exit(0);
    assert!(!resumed.stdout().contains("up to date"), "{}", resumed.all());
}
