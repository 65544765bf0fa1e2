//! Shell lines as recipes see them.

use ops_core::error::ErrorKind;
use serde_json::json;

use super::super::bench::{Bench, CANARY, Screen};

#[test]
fn lines_run_in_bash_and_end_at_the_first_failure() {
    let bench = Bench::new();
    let reply =
        bench.call("sh", json!({"script": ["x=1", "[[ $x == 1 ]]", "echo $x", "pwd -P"]})).unwrap();
    let root = bench.disk.root().display();
    assert_eq!(reply, json!({"exit": 0, "stdout": format!("1\n{root}\n"), "stderr": ""}));
    for script in
        ["false; touch reached", "false | cat; touch reached", "echo $unset; touch reached"]
    {
        assert!(bench.call("sh", json!({"script": script})).is_err(), "{script}");
    }
    assert!(!bench.root().join("reached").exists());
}

#[test]
fn a_failure_says_what_ran_how_it_ended_and_what_it_said() {
    let bench = Bench::new();
    let error = bench.call("sh", json!({"script": "echo why >&2; exit 3"})).unwrap_err();
    assert_eq!(error.message, "`echo why >&2; exit 3` ended with 3");
    assert_eq!((error.kind, error.exit, error.stderr.as_str()), (ErrorKind::Exit, Some(3), "why"));
    assert!(!error.before_effect, "what a shell did before it failed nobody knows");
}

#[test]
fn declared_exit_codes_are_a_success() {
    let bench = Bench::new();
    let call =
        |code: i32| bench.call("sh", json!({"script": format!("exit {code}"), "ok": [0, 2]}));
    assert_eq!(call(2).unwrap()["exit"], 2);
    assert!(call(1).is_err());
}

#[test]
fn a_missing_program_is_told_before_any_effect() {
    let error = Bench::new().call("sh.exec", json!({"argv": ["no-such-tool"]})).unwrap_err();
    assert_eq!((error.kind, error.before_effect), (ErrorKind::MissingTool, true));
}

#[test]
fn a_command_cannot_name_a_tool_by_a_path_around_its_shim() {
    for tool in ["/usr/bin/talosctl", "./kubectl", "../bin/helm"] {
        let error = Bench::new().call("sh.exec", json!({"argv": [tool, "version"]})).unwrap_err();
        assert_eq!((error.kind, error.before_effect), (ErrorKind::Invalid, true), "{tool}");
    }
}

#[test]
fn a_command_takes_its_arguments_as_they_are() {
    let reply =
        Bench::new().call("sh.exec", json!({"argv": ["printf", "%s|", "a b", "$HOME", "*"]}));
    assert_eq!(reply.unwrap()["stdout"], "a b|$HOME|*|");
}

#[test]
fn a_secret_reaches_the_process_and_no_output() {
    let bench = Bench::new();
    let secret = bench.call("secrets.env", json!({"name": "TOKEN"})).unwrap();
    let script = "[[ $T == canary-5d1f ]]; read -r line; echo \"$T $line\"; echo \"$T\" >&2; cat /proc/$$/cmdline";
    let screen = Screen::default();
    let args = json!({"script": script, "env": {"T": secret}, "stdin": secret, "ok": [0, 1]});
    // `read` gives 1 where stdin ends without a newline, as a secret does.
    let reply = bench.call_seen("sh", args, &screen);
    let shown = [format!("{reply:?}").into_bytes(), screen.0.take()].concat();
    assert!(
        !String::from_utf8_lossy(&shown).contains(CANARY),
        "{}",
        String::from_utf8_lossy(&shown)
    );
    let args = json!({"script": "cat; echo; echo \"$T\" >&2; exit 1", "env": {"T": secret}, "stdin": secret});
    let error = bench.call_seen("sh", args, &screen).unwrap_err();
    assert_eq!((error.stderr.as_str(), screen.0.take()), ("•••", "•••\n•••\n".as_bytes().to_vec()));
}

#[test]
fn a_recipe_cannot_choose_where_programs_are_found() {
    for name in ["PATH", "OPS_SHIMS", "A=B", ""] {
        let args = json!({"script": "true", "env": {(name): "x"}});
        let error = Bench::new().call("sh", args).unwrap_err();
        assert_eq!((error.kind, error.before_effect), (ErrorKind::Invalid, true), "{name}");
    }
}

#[test]
fn long_output_and_output_that_is_no_text_are_blobs() {
    let bench = Bench::new();
    let long = bench.call("sh", json!({"script": "printf 'x%.0s' {1..100000}"})).unwrap();
    assert_eq!(bench.opened(&long["stdout"]).0.len(), 100_000);
    let odd = bench.call("sh", json!({"script": "printf '\\377'"})).unwrap();
    assert_eq!(odd["stdout"]["$blob"]["size"], 1);
}

#[test]
fn output_beyond_all_bounds_does_not_undo_what_was_done() {
    let bench = Bench::new();
    let script = "head -c 2000000 /dev/zero";
    assert_eq!(bench.call("sh", json!({"script": script})).unwrap()["exit"], 0);
    let error = bench.call("sh", json!({"script": script, "effect": "reads"})).unwrap_err();
    assert!(error.hint.is_some_and(|hint| hint.contains("select less")));
}

#[test]
fn a_deadline_ends_it() {
    let args = json!({"script": "sleep 100", "timeout": "50ms"});
    assert_eq!(Bench::new().call("sh", args).unwrap_err().kind, ErrorKind::Timeout);
}

#[test]
fn a_plan_runs_nothing_and_knows_no_output() {
    let bench = Bench::new();
    let args = json!({"script": "touch reached"});
    let foreseen = bench.foresee(&bench.disk, "sh", args);
    assert!(foreseen.changed && !bench.root().join("reached").exists());
    assert_eq!(foreseen.reply["exit"], 0);
    assert_eq!(foreseen.reply["stdout"], json!({"$later": {"call": "sh", "field": "stdout"}}));
    let several = bench.foresee(&bench.disk, "sh", json!({"script": "x", "ok": [0, 1]}));
    assert!(several.reply["exit"].is_object());
}
