//! Ctrl-C while a shell line runs: it is signalled at once, the journal is kept, and a resume asks what became of it.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::space::Space;
use crate::terminal::{SIGTERM, on_terminal};

const SLOW: &str = r#"
return ops.recipe {
  desc = "Take long", cluster = false,
  run = function(cx)
    cx:defer(function() sh { "echo cleaned >> log" } end)
    sh { "echo one >> log" }
    sh { "echo started; sleep 600; echo two >> log" }
    sh { "echo three >> log" }
  end,
}
"#;

#[test]
fn a_first_ctrl_c_ends_the_shell_line_cleans_up_and_keeps_the_journal() {
    let space = Space::new();
    space.write("ops.toml", "api = 1\n").write("recipes/t/slow.lua", SLOW);
    let mut command = space.command(["--output", "interleave", "run", "t:slow"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let screen = BufReader::new(child.stdout.take().unwrap());
    let mut lines = screen.lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("started")), "the shell line runs");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let rest: Vec<String> = lines.collect();
    assert!(!rest.iter().any(|line| line.contains("failed  OPS")), "{rest:#?}");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(space.read("log"), "one\ncleaned\n", "nothing was begun behind it");
    let asked = space.run(["resume"]).exit(8);
    assert!(asked.stderr().contains("--settle"), "{}", asked.all());
}

#[test]
fn ctrl_c_at_a_question_gives_no_answer_and_ends() {
    let space = Space::new();
    let asks = "return ops.recipe { desc = \"x\", cluster = false, confirm = \"Really?\", run = \"echo ran > log\" }";
    space.write("ops.toml", "api = 1\n").write("recipes/asks.lua", asks);
    let seen = on_terminal(space.command(["run", "asks"]), &[("[y/N]", "\u{3}")]).exit(3);
    assert!(!space.path("log").exists(), "{}", seen.text);
    assert!(seen.text.contains("not confirmed"), "{}", seen.text);
    assert!(!seen.text.contains("no terminal"), "{}", seen.text);
    let _ = on_terminal(space.command(["run", "asks"]), &[("[y/N]", "y")]).exit(0);
    assert!(space.path("log").exists());
}

#[test]
fn sigterm_at_a_question_ends_as_it_does_elsewhere() {
    let space = Space::new();
    let asks = "return ops.recipe { desc = \"x\", cluster = false, confirm = \"Really?\", run = \"echo ran > log\" }";
    let param = "return ops.recipe { desc = \"x\", cluster = false, run = \"echo ran > log\",
        params = { who = param.string { required = true, prompt = true } } }";
    let within = "return ops.recipe { desc = \"x\", cluster = false,
        run = function(cx) cx:confirm(\"Really?\") sh { \"echo ran > log\" } end }";
    space.write("ops.toml", "api = 1\n").write("recipes/asks.lua", asks);
    space.write("recipes/param.lua", param).write("recipes/within.lua", within);
    for (recipe, cue) in [("asks", "[y/N]"), ("param", "(--who)"), ("within", "[y/N]")] {
        let seen = on_terminal(space.command(["run", recipe]), &[(cue, SIGTERM)]).exit(143);
        assert!(seen.text.contains("OPS0891"), "{recipe}: {}", seen.text);
        assert!(!space.path("log").exists(), "{recipe}: {}", seen.text);
    }
}

#[test]
fn an_interrupted_shell_line_is_one_error() {
    let space = Space::new();
    let slow = "return ops.recipe { desc = \"x\", cluster = false, run = function(cx) sh { \"echo started; sleep 600\" } end }";
    space.write("ops.toml", "api = 1\n").write("recipes/slow.lua", slow);
    let mut command = space.command(["--output", "interleave", "run", "slow"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let screen = BufReader::new(child.stdout.take().unwrap());
    let mut lines = screen.lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("started")));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    lines.for_each(drop);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130));
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(told.matches("OPS").count(), 1, "{told}");
    assert!(
        told.starts_with("interrupted  OPS0890") && told.contains("next:  ops resume"),
        "{told}"
    );
}

#[test]
fn other_words_than_the_asked_ones_are_named_as_such() {
    let space = Space::example("home");
    let _ = space.run(["lab", "up", "--healthy"]).exit(0);
    let reset = ["cluster:safe-reset", "--nodes", "w-1", "--partitions", "EPHEMERAL", "--lab"];
    let _ = space.run(["verify"].into_iter().chain(reset)).exit(0);
    let run = || space.command(["run"].into_iter().chain(reset));
    let seen = on_terminal(run(), &[("to go on:", "home w-2")]).exit(3);
    assert!(seen.text.contains("the words were not typed"), "{}", seen.text);
    let _ = on_terminal(run(), &[("to go on:", SIGTERM)]).exit(143);
    let _ = on_terminal(run(), &[("to go on:", "home w-1")]).exit(0);
}
