//! A refusal of a shim stops the run, whatever the shell line makes of its exit code: exit 3, the command, the recipe's line.

use std::fs;
use std::path::Path;

use crate::secret_output::holding;
use crate::shim_tools::Tools;
use crate::space::Ran;

const DELETE: &str = "kubectl delete node w-1";

/// Runs a line of a recipe, and behind it what must not happen any more.
fn stopped(tools: &Tools, line: &str) -> Ran {
    let went_on = tools.space.path("went-on");
    let _ = fs::remove_file(&went_on);
    let body = format!("sh {{ [==[set +e\n{line}\ntouch went-on]==] }} log.warn('recipe goes on')");
    let ran = tools.body(&["run"], &body).exit(3);
    assert!(!went_on.exists(), "{line}\n{}", ran.all());
    assert!(!ran.all().contains("recipe goes on"), "{line}\n{}", ran.all());
    assert_eq!(tools.started(), [""; 0], "{line}");
    ran
}

#[test]
fn a_refusal_names_the_command_and_the_line_of_the_recipe() {
    let tools = Tools::new();
    let ran = stopped(&tools, &format!("{DELETE} 2>/dev/null || true"));
    let said = ran.stderr();
    for words in [
        "refused  OPS0360  `kubectl delete` is no read",
        "recipes/probe.lua:1",
        "the shim of `kubectl` stands before: kubectl delete node w-1",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
}

#[test]
fn a_refusal_cannot_be_talked_away_by_a_shell() {
    let tools = Tools::new();
    let lines = [
        format!("{DELETE} || true"),
        format!("{DELETE}; true"),
        format!("! {DELETE}"),
        format!("if {DELETE}; then :; fi"),
        format!("while ! {DELETE}; do break; done"),
        format!("({DELETE}) || true"),
        format!("x=$({DELETE}) || true"),
        format!("cat <({DELETE}) || true"),
        format!("{DELETE} | cat || true"),
        format!("{DELETE} >/dev/null 2>&1 <&- || true"),
        format!("{DELETE} & wait || true"),
        format!("{DELETE} & sleep 5"),
        format!("coproc {DELETE}; wait || true"),
        format!("bash -c '{DELETE}' || true"),
        format!("sh -c 'sh -c \"{DELETE} || true\"' || true"),
        format!("eval '{DELETE}' || true"),
        format!("trap 'touch went-on' ERR; {DELETE}; touch went-on"),
        format!("trap 'touch went-on' CHLD; {DELETE}; touch went-on"),
        "echo w-1 | xargs kubectl delete node || true".to_owned(),
        "echo w-1 w-2 | xargs -P 2 -n 1 kubectl delete node || true".to_owned(),
        format!("find . -maxdepth 0 -exec {DELETE} ';' || true"),
        format!("timeout 60 {DELETE} || true"),
        format!("nohup {DELETE} >/dev/null 2>&1 || true"),
        format!("nice {DELETE} || true"),
        format!("set -m; {DELETE} || true"),
        format!("setsid {DELETE} || true"),
        format!("setsid -w bash -c '{DELETE} || true; touch went-on' || true"),
        format!("set -m; bash -c '{DELETE} || true; touch went-on' & wait"),
        format!("env -u OPS_SHIMS -u KUBECONFIG -u TALOSCONFIG {DELETE} || true"),
        format!("env -i PATH=\"$PATH\" {DELETE} || true"),
        format!("exec {DELETE}"),
        format!("k() {{ {DELETE}; return 0; }}; k"),
        format!("printf 'all:\\n\\t-{DELETE}\\n\\ttouch went-on\\n' > Makefile; make || true"),
        "python3 -c 'import subprocess as s; s.run([\"kubectl\", \"delete\", \"node\", \"w-1\"]); open(\"went-on\", \"w\")' || true".to_owned(),
        "perl -e 'setpgrp(0, 0); system(\"kubectl delete node w-1\"); system(\"touch went-on\")' || true".to_owned(),
        "perl -e 'system(\"kubectl delete node w-1\"); system(\"touch went-on\")' || true".to_owned(),
    ];
    let there = |line: &&String| {
        // Not every machine that builds this has them.
        ["make", "python3"]
            .iter()
            .all(|tool| !line.contains(tool) || Path::new("/usr/bin").join(tool).exists())
    };
    for line in lines.iter().filter(there) {
        let ran = stopped(&tools, line);
        assert!(ran.stderr().contains("OPS0360"), "{line}\n{}", ran.all());
    }
}

#[test]
fn a_line_that_ignores_the_signal_is_killed() {
    let tools = Tools::new();
    let _ = stopped(&tools, &format!("trap '' TERM; {DELETE} || true"));
}

#[test]
fn a_line_with_several_refusals_has_its_grace_to_clean_up() {
    let tools = Tools::new();
    let line = format!(
        "trap 'sleep 0.5; touch cleaned; exit 1' TERM; for n in 1 2 3 4; do {DELETE} & done; wait; wait"
    );
    let _ = stopped(&tools, &line);
    assert!(tools.space.path("cleaned").exists());
}

#[test]
fn a_recipe_cannot_catch_it() {
    let tools = Tools::new();
    for body in [
        format!("pcall(sh, '{DELETE} || true') fs.write('went-on', '')"),
        format!("ops.try('any', sh, '{DELETE} || true') fs.write('went-on', '')"),
        "pcall(sh.exec, {'kubectl', 'delete', 'node', 'w-1'}) fs.write('went-on', '')".to_owned(),
    ] {
        let ran = tools.body(&["run"], &body).exit(3);
        assert!(ran.stderr().contains("`kubectl delete` is no read"), "{}", ran.all());
        assert!(!tools.space.path("went-on").exists(), "{body}");
        assert_eq!(tools.started(), [""; 0], "{body}");
    }
}

#[test]
fn what_outlives_its_line_stops_the_run() {
    let tools = Tools::new();
    let apart = format!(
        "sh {{ [==[setsid bash -c 'sleep 0.3; {DELETE} || true; touch went-on' >/dev/null 2>&1 &]==] }} sh 'sleep 5'"
    );
    let ran = tools.body(&["run"], &apart).exit(3);
    assert!(ran.stderr().contains("something outlived its shell line"), "{}", ran.all());
    assert!(!tools.space.path("went-on").exists());
    assert_eq!(tools.started(), [""; 0]);
}

#[test]
fn without_the_channel_a_line_ends_and_its_run_stops() {
    let tools = Tools::new();
    let hidden = [
        format!("rm -r \"${{KUBECONFIG%/*}}/talk\"; {DELETE} || true"),
        format!("rm \"${{KUBECONFIG%/*}}/talk/engine\"; {DELETE} || true"),
        format!("d=${{KUBECONFIG%/*}}; mv $d/talk $d/away; {DELETE} || true; mv $d/away $d/talk"),
    ];
    for line in hidden {
        let ran = stopped(&tools, &line);
        assert!(ran.stderr().contains("changed the shims of its run"), "{line}\n{}", ran.all());
    }
    // Another listener in its place hears a refusal, and the run stops all the same.
    let forged = r#"d=${KUBECONFIG%/*}; rm $d/talk/engine
perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un($ARGV[0])); listen(S, 5);
if (fork) { accept(C, S); close(C); wait } else { exec("kubectl", "delete", "node", "w-1") }' $d/talk/engine || true"#;
    let ran = tools.body(&["run"], &format!("sh {{ [==[{forged}]==] }}")).exit(3);
    assert!(ran.stderr().contains("changed the shims of its run"), "{}", ran.all());
    assert_eq!(tools.started(), [""; 0]);
}

#[test]
fn what_is_forged_on_the_channel_can_only_refuse() {
    let tools = Tools::new();
    for words in [
        "hello",
        "{\"tool\":\"kubectl\",\"args\":[],\"says\":{\"ask\":{\"cwd\":\"/\",\"env\":{},\"stdin\":null,\"files\":{}}}}",
    ] {
        let line = format!(
            "perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0); connect(S, sockaddr_un($ARGV[0])); syswrite(S, $ARGV[1] . \"\\n\"); sysread(S, $x, 1)' ${{KUBECONFIG%/*}}/talk/engine '{words}'"
        );
        let _ = tools.body(&["run"], &format!("sh {{ [==[{line}]==] }}")).exit(3);
    }
}

#[test]
fn a_refused_line_is_asked_about_when_the_run_is_resumed() {
    let tools = Tools::new();
    let ran = stopped(&tools, &format!("touch half; {DELETE} || true"));
    drop(ran);
    let resumed = tools.space.run(["resume"]).exit(8);
    assert!(resumed.all().contains("nobody knows whether `sh` happened"), "{}", resumed.all());
    let journals = holding(&tools.space.state(), "\"code\":\"OPS0360\"");
    assert!(journals.iter().any(|path| path.extension().is_some_and(|e| e == "journal")));
}

#[test]
fn every_refusal_stands_in_the_audit_log() {
    let tools = Tools::new();
    let lines = [
        format!("sh '{DELETE} || true'"),
        "sh.exec { 'kubectl', 'delete', 'node', 'w-1' }".to_owned(),
        format!(
            "sh {{ [==[setsid bash -c 'sleep 0.3; {DELETE}' >/dev/null 2>&1 &]==] }} sh 'sleep 5'"
        ),
    ];
    for (at, body) in lines.iter().enumerate() {
        let _ = tools.body(&["run"], body).exit(3);
        let written = holding(&tools.space.state(), "shim.refused");
        assert!(!written.is_empty(), "{body}");
        let count: usize = written
            .iter()
            .map(|path| fs::read(path).unwrap())
            .map(|bytes| String::from_utf8_lossy(&bytes).matches("shim.refused").count())
            .sum();
        assert!(count > at, "{body}: {count} in {written:?}");
    }
}

#[test]
fn a_secret_on_a_refused_command_line_stays_secret() {
    let mut tools = Tools::new();
    tools.space.env("CANARY", "canary-of-the-shims");
    let ran = tools
        .body(&["run"], "sh { 'kubectl create secret generic x --from-literal=a=$S || true', env = { S = secrets.env { 'CANARY' } } }")
        .exit(3);
    assert!(ran.stderr().contains("--from-literal=a=•••"), "{}", ran.all());
    assert!(!ran.all().contains("canary-of-the-shims"), "{}", ran.all());
    assert_eq!(
        holding(&tools.space.state(), "canary-of-the-shims"),
        Vec::<std::path::PathBuf>::new()
    );
}
