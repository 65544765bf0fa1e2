//! Runs that were killed, failed or given up, through the real binary: what a resume repeats, and what it does not.

use crate::space::Space;

const STEPS: &str = r#"
return ops.recipe {
  desc = "Write three lines, and clean up", cluster = false,
  run = function(cx)
    cx:defer(function() sh { "echo cleaned >> log" } end)
    sh { "echo one >> log" }
    sh { "echo two >> log" }
    sh { "test ! -e broken && echo three >> log" }
  end,
}
"#;

fn space() -> Space {
    let space = Space::new();
    space.write("ops.toml", "api = 1\n").write("recipes/t/steps.lua", STEPS);
    space
}

/// The run that an error names in `ops resume RUN`.
fn killed_at(point: &str) -> Space {
    let mut space = space();
    space.env("OPS_FAULT", point);
    assert_eq!(space.run(["run", "t:steps"]).code(), -1, "it was killed");
    space.env("OPS_FAULT", "");
    space
}

#[test]
fn a_run_that_was_killed_after_an_answer_goes_on_behind_it() {
    let space = killed_at("b10:2");
    let _ = space.run(["resume"]).exit(0);
    assert_eq!(space.read("log"), "one\ntwo\nthree\ncleaned\n");
    let again = space.run(["resume"]);
    assert_eq!(again.code(), 2, "{}", again.all());
}

#[test]
fn a_shell_call_of_unknown_outcome_asks_a_person_and_takes_the_answer() {
    let space = killed_at("b7.outcome:2");
    let asked = space.run(["resume"]).exit(8);
    assert!(asked.stderr().contains("--settle"), "{}", asked.all());
    let call = asked.stderr();
    let call = call.split('\'').find(|part| part.ends_with("=done")).expect("a command to copy");
    let _ = space.run(["resume", "--settle", call]).exit(0);
    // The stop that asks is an end like any other: cleanups ran then, and again at the end.
    assert_eq!(space.read("log"), "one\ntwo\ncleaned\nthree\ncleaned\n", "nothing is repeated");
}

#[test]
fn a_failed_run_goes_on_at_the_failure_once_its_cause_is_mended() {
    let space = space();
    space.write("broken", "");
    let _ = space.run(["run", "t:steps"]).exit(1);
    assert_eq!(space.read("log"), "one\ntwo\ncleaned\n");
    std::fs::remove_file(space.path("broken")).unwrap();
    let asked = space.run(["resume"]);
    // A shell line that failed may have done half of its work: only a person can say.
    assert_eq!(asked.code(), 8, "{}", asked.all());
}

#[test]
fn a_run_that_is_given_up_only_cleans_up() {
    let space = killed_at("b10:2");
    let _ = space.run(["resume", "--abandon"]).exit(0);
    assert_eq!(space.read("log"), "one\ntwo\ncleaned\n");
    assert_eq!(space.run(["resume"]).code(), 2, "nothing is left to go on with");
}

#[test]
fn a_changed_recipe_is_noticed_and_asks_to_be_accepted() {
    let space = killed_at("b10:2");
    space.write("recipes/t/steps.lua", &STEPS.replace("three", "four"));
    let refused = space.run(["resume"]).exit(5);
    assert!(refused.stderr().contains("--accept-changes"), "{}", refused.all());
    let _ = space.run(["resume", "--accept-changes"]).exit(0);
    assert_eq!(space.read("log"), "one\ntwo\nfour\ncleaned\n");
}

#[test]
fn another_call_at_a_recorded_place_stops_the_resume_and_shows_both() {
    let space = killed_at("b10:2");
    space.write("recipes/t/steps.lua", &STEPS.replace("echo one", "echo other"));
    let stopped = space.run(["resume", "--accept-changes"]).exit(5);
    assert!(
        stopped.stderr().contains("echo one") && stopped.stderr().contains("echo other"),
        "{}",
        stopped.all()
    );
}
