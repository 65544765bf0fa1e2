//! `retries` of a head: a body that fails is begun again, and nothing of which nobody knows whether it happened is repeated.

use std::fs;

use crate::space::Space;

fn healthy() -> Space {
    let space = Space::example("home");
    let _ = space.run(["--lab", "lab", "up", "--healthy"]).exit(0);
    space
}

fn recipe(space: &Space, head: &str, body: &str) {
    let cluster = if body.contains("talos.") { "" } else { "cluster = false, " };
    let text = format!(
        "return ops.recipe {{ desc = \"Try\", {cluster}{head}, run = function(cx, p)\n{body}\nend }}"
    );
    space.write("recipes/try.lua", &text);
}

/// How often the script of these tests began.
fn attempts(space: &Space) -> usize {
    fs::read_to_string(space.path("log")).unwrap_or_default().lines().count()
}

/// Fails until it has begun so often.
fn until(n: u32) -> String {
    format!("sh {{ \"echo x >> log; test $(wc -l < log) -ge {n}\" }}")
}

#[test]
fn a_body_that_fails_is_begun_again_until_it_ends_well() {
    let space = Space::new();
    recipe(
        &space,
        "retries = { times = 3, backoff = \"10ms\", kinds = { \"exit\" } }",
        &format!("{} return 7", until(3)),
    );
    let ran = space.run(["run", "try"]).exit(0);
    assert_eq!(attempts(&space), 3, "{}", ran.all());
}

#[test]
fn it_is_tried_again_so_often_and_no_more() {
    let space = Space::new();
    recipe(&space, "retries = { times = 2, backoff = \"10ms\", kinds = \"exit\" }", &until(9));
    let _ = space.run(["run", "try"]).exit(1);
    assert_eq!(attempts(&space), 3, "the first attempt and two more");
}

#[test]
fn only_the_kinds_that_are_named_count() {
    let space = Space::new();
    recipe(&space, "retries = 3", &until(2));
    let _ = space.run(["run", "try"]).exit(1);
    assert_eq!(attempts(&space), 1, "a shell's own failure is no silence");
}

#[test]
fn lines_of_shell_are_tried_again_as_a_whole() {
    let space = Space::new();
    space.write(
        "recipes/try.lua",
        "return ops.recipe { desc = \"Try\", cluster = false, retries = { times = 2, backoff = \"10ms\", kinds = { \"exit\" } },\n  run = { \"echo x >> log\", \"test $(wc -l < log) -ge 2\" } }",
    );
    let _ = space.run(["run", "try"]).exit(0);
    assert_eq!(attempts(&space), 2);
}

#[test]
fn cleanups_run_after_each_attempt_and_on_failure_once() {
    let space = Space::new();
    recipe(
        &space,
        "retries = { times = 2, backoff = \"10ms\", kinds = \"exit\" }, on_failure = function() log.info(\"the way back\") end",
        &format!("cx:defer(function() log.info(\"cleaned\") end) {}", until(9)),
    );
    let out = space.run(["run", "try"]).exit(1).stdout();
    let count = |text: &str| out.matches(text).count();
    assert_eq!((count("cleaned"), count("the way back")), (3, 1), "{out}");
}

#[test]
fn a_skip_skips_the_step_and_a_recipes_own_failure_ends_it() {
    let space = Space::new();
    recipe(&space, "retries = 2", "cx:skip(\"nothing to do\")");
    let _ = space.run(["run", "try"]).exit(0).stdout_has("nothing to do");
    recipe(&space, "retries = 2", "sh { \"echo x >> log\" } cx:fail(\"no\")");
    let _ = space.run(["run", "try"]).exit(1);
    assert_eq!(attempts(&space), 1);
}

#[test]
fn the_limit_of_the_body_holds_for_all_attempts() {
    let space = Space::new();
    recipe(
        &space,
        "timeout = \"1s\", retries = { times = 50, backoff = \"400ms\", kinds = \"exit\" }",
        &until(99),
    );
    let ran = space.run(["run", "try"]).exit(1).stderr_has("OPS0130");
    assert!(attempts(&space) < 5, "{}", ran.all());
}

#[test]
fn a_shell_of_which_nobody_knows_is_not_repeated_before_somebody_says() {
    let space = Space::new();
    recipe(
        &space,
        "retries = { times = 3, backoff = \"10ms\" }",
        "sh { \"echo x >> log; test $(wc -l < log) -ge 2 || sleep 60\", timeout = \"300ms\" }",
    );
    let ran = space.run(["run", "try"]).exit(8).stderr_has("OPS0801");
    assert_eq!(attempts(&space), 1, "{}", ran.all());
    let settle = ran.stderr();
    let settle = settle.lines().find(|l| l.contains("not-done")).expect("the answer to copy");
    let call = settle.split('\'').nth(1).expect("a call").to_owned();
    assert!(call.ends_with("/retry[1]/1=not-done"), "the first attempt is in doubt: {call}");
    let _ = space.run(["resume", "--settle", &call]).exit(0);
    assert_eq!(attempts(&space), 2, "it was said not to have happened, so it was made again");
}

#[test]
fn the_call_that_nobody_knows_of_is_named_not_the_one_that_asks() {
    let space = Space::new();
    let line = "sh { \"echo x >> log; sleep 60\", timeout = \"200ms\" }";
    recipe(
        &space,
        "tags = {}",
        &format!("pcall(function() {line} end) fs.exists {{ \"log\" }} {line}"),
    );
    let ran = space.run(["--json", "run", "try"]).exit(8);
    let told: Vec<serde_json::Value> = ran
        .stdout()
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .filter(|event: &serde_json::Value| event.to_string().contains("OPS0801"))
        .collect();
    assert!(!told.is_empty(), "{}", ran.all());
    for event in told.iter().filter(|event| event.to_string().contains("--settle")) {
        let text = event.to_string();
        assert!(text.contains("/1=not-done") && !text.contains("/3="), "{text}");
    }
    assert!(told.iter().any(|event| event.to_string().contains("--settle")), "{told:?}");
    let _ = space.run(["resume"]).exit(8);
    assert_eq!(
        attempts(&space),
        1,
        "it is made again only when somebody has said what became of it"
    );
}

#[test]
fn a_reboot_whose_answer_was_lost_is_settled_and_sent_once() {
    let space = healthy();
    recipe(
        &space,
        "retries = { times = 3, backoff = \"90s\", kinds = { \"timeout\", \"not_applied\" } }",
        "talos.reboot { \"w-1\", timeout = \"1s\" }",
    );
    let ran = space.run(["--lab", "run", "try"]).exit(0);
    let state = space.run(["--lab", "lab", "state"]).exit(0).stdout();
    assert!(state.contains(", 1 of them writes"), "{}\n{state}", ran.all());
}

#[test]
fn a_body_that_destroyed_is_never_begun_again() {
    let space = healthy();
    space.write(
        "recipes/try.lua",
        r#"return ops.recipe { desc = "Wipe", destructive = true, retries = { times = 3, kinds = "exit" },
             run = function(cx)
               talos.reset { "w-1", system_labels_to_wipe = { "EPHEMERAL" }, graceful = true, reboot = true }
               sh { "echo x >> log; exit 3" }
             end }"#,
    );
    let _ = space.run(["--lab", "verify", "try"]).exit(0);
    let ran = crate::terminal::on_terminal(
        space.command(["--lab", "run", "try"]),
        &[("home w-1", "home w-1")],
    );
    assert_eq!(attempts(&space), 1, "{}", ran.text);
}

#[test]
fn what_cannot_be_meant_is_refused_in_the_head() {
    let space = Space::new();
    for (retries, words) in [
        ("0", "a number from 1 to 100"),
        ("\"3\"", "a number from 1 to 100"),
        ("{ times = 0 }", "`times` must be"),
        ("{ time = 1 }", "did you mean `times`"),
        ("{ kinds = { \"slow\" } }", "slow"),
        ("{ backoff = \"soon\" }", "backoff"),
    ] {
        recipe(&space, &format!("retries = {retries}"), "");
        let _ = space.run(["list"]).exit(2).stderr_has(words);
    }
    space.write(
        "recipes/try.lua",
        "return ops.recipe { desc = \"Try\", retries = 2, stages = { \"talos:validate\" } }",
    );
    let _ = space.run(["list"]).exit(2).stderr_has("`retries` beside `stages`");
}

#[test]
fn a_run_that_dies_in_a_pause_goes_on_with_the_next_attempt() {
    let space = Space::new();
    recipe(&space, "retries = { times = 3, backoff = \"10ms\", kinds = \"exit\" }", &until(2));
    // Behind the second intent, which is that of the pause.
    let died = space.command(["run", "try"]).env("OPS_FAULT", "b3:2").output().expect("it runs");
    assert!(!died.status.success());
    assert_eq!(attempts(&space), 1);
    let _ = space.run(["resume"]).exit(0);
    assert_eq!(attempts(&space), 2, "nobody was asked about the attempt that failed");
}
