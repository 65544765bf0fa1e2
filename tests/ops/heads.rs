//! What a head says beside its body, and what comes of it: needs that a function gives, tools in their versions, a terminal, hosts.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::space::Space;
use crate::terminal::on_terminal;

fn shell(space: &Space, name: &str, head: &str, line: &str) {
    let text = format!(
        "return ops.recipe {{ desc = \"Shell\", cluster = false, {head}, run = [[{line}]] }}"
    );
    space.write(&format!("recipes/{name}.lua"), &text);
}

fn computed(space: &Space, needs: &str) {
    let text = format!(
        "return ops.recipe {{ desc = \"All\", cluster = false,\n  params = {{ which = param.choice {{ \"one\", \"both\", \"none\", default = \"one\" }} }},\n  needs = function(p)\n    {needs}\n  end,\n  run = function(cx, p) log.info(\"b gave %s\", tostring(p.which == \"both\" and cx.needs[\"x:b\"])) end }}"
    );
    space.write("recipes/x/all.lua", &text);
}

/// Two recipes of which one takes a parameter, and one that computes what it needs.
fn needing(needs: &str) -> Space {
    let space = Space::new();
    shell(&space, "x/a", "params = { n = param.int { default = 0 } }", "echo a$n >> log");
    space.write(
        "recipes/x/b.lua",
        "return ops.recipe { desc = \"B\", cluster = false, run = function() sh \"echo b >> log\" return 7 end }",
    );
    computed(&space, needs);
    space
}

const CHOICE: &str = "if p.which == \"none\" then return {} end
    local list = { { \"a\", n = 3 } }
    if p.which == \"both\" then list[#list + 1] = \"x:b\" end
    return list";

#[test]
fn a_function_gives_the_needs_from_the_parameters() {
    for (which, log, said) in
        [("one", "a3\n", "false"), ("both", "a3\nb\n", "7"), ("none", "", "false")]
    {
        let space = needing(CHOICE);
        let ran = space.run(["-j", "1", "run", "x:all", "--which", which]).exit(0);
        assert_eq!(fs::read_to_string(space.path("log")).unwrap_or_default(), log, "{which}");
        let _ = ran.stdout_has(&format!("b gave {said}"));
    }
}

#[test]
fn what_a_function_gives_is_planned_and_shown_and_needed_by_others_too() {
    let space = needing(CHOICE);
    shell(&space, "x/top", "needs = { { \"all\", which = \"both\" } }", "echo top >> log");
    let _ = space.run(["plan", "x:top"]).exit(0).stdout_has("x:b");
    let _ = space.run(["show", "x:all"]).exit(0).stdout_has("depends on its parameters");
    let _ = space.run(["-j", "1", "run", "x:top"]).exit(0);
    assert_eq!(space.read("log"), "a3\nb\ntop\n");
}

#[test]
fn the_needs_of_a_nested_step_are_computed_too() {
    let space = needing(CHOICE);
    space.write(
        "recipes/x/outer.lua",
        "return ops.recipe { desc = \"Outer\", cluster = false, run = function(cx) cx:run(\"all\", { which = \"both\" }) end }",
    );
    let _ = space.run(["-j", "1", "run", "x:outer"]).exit(0);
    let mut lines: Vec<String> = space.read("log").lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["a3", "b"]);
}

#[test]
fn a_resume_and_the_proof_of_the_lab_make_the_same_graph() {
    let space = Space::example("home");
    let _ = space.run(["lab", "up", "--healthy"]).exit(0);
    shell(&space, "x/a", "params = { n = param.int { default = 0 } }", "echo a$n >> log");
    space.write(
        "recipes/x/b.lua",
        "return ops.recipe { desc = \"B\", cluster = false, run = function() sh \"echo b >> log; test -e ready\" return 7 end }",
    );
    computed(&space, CHOICE);
    let lab = |args: &[&str]| space.run([&["--lab", "-j", "1"][..], args].concat());
    let ran = lab(&["run", "x:all", "--which", "both"]).exit(1);
    space.write("ready", "");
    let run = ran.stderr();
    let run = run.lines().find_map(|l| l.split(" resume ").nth(1)).expect("the run").to_owned();
    let asked = lab(&["resume", &run]);
    // A shell that failed asks a person whether it happened.
    assert_eq!(asked.code(), 8, "{}", asked.all());
    let text = asked.stderr();
    let call = text
        .lines()
        .find(|l| l.contains("not-done"))
        .and_then(|l| l.split('\'').nth(1))
        .expect("the call");
    let _ = lab(&["resume", &run, "--settle", call]).exit(0).stdout_has("b gave 7");
    assert_eq!(space.read("log"), "a3\nb\nb\n");
}

#[test]
fn needs_that_cannot_be_computed_are_told_before_anything_runs() {
    for (needs, exit, words) in [
        ("return { time.now {} }", 1, "`time.now` in the `needs` of x:all"),
        ("return p.whcih", 1, "did you mean `which`"),
        ("return { \"nothing\" }", 2, "there is no recipe `x:nothing`"),
        ("return { { \"a\", m = 1 } }", 2, "`x:a` has no parameter `m`"),
        ("return 3", 1, "gives no list of recipes"),
        ("return { \"all\" }", 2, "circle"),
        ("error(\"boo\")", 1, "boo"),
        ("while true do end", 1, "OPS0130"),
        ("return { \"cluster:safe-reset\" }", 3, "OPS0350"),
    ] {
        let space = needing(needs);
        let ran = space.run(["run", "x:all"]);
        assert_eq!(ran.code(), exit, "{needs}\n{}", ran.all());
        let _ = ran.stderr_has(words);
        assert!(!space.path("log").exists(), "{needs}");
    }
}

/// A tool that says a version, first on the path.
fn tool(space: &mut Space, name: &str, version: &str) {
    let path = format!("fakes/{name}");
    space.write(
        &path,
        &format!(
            "#!/bin/sh\necho \"$0 $*\" >> {}\necho '{version}'\n",
            space.path("asked").display()
        ),
    );
    fs::set_permissions(space.path(&path), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", space.path("fakes").display());
    space.env("PATH", &path);
}

#[test]
fn a_tool_that_is_missing_or_of_another_version_ends_the_run_before_it_begins() {
    for (name, version, range, exit, words) in [
        ("frob", "frob v1.4.0", ">=1.3, <2", 0, ""),
        ("frob", "frob v1.4.0", ">=1.5", 6, "`frob` is v1.4.0, and not >=1.5"),
        ("frob", "nobody knows", ">=1", 6, "cannot be told"),
        ("else", "v1.0.0", ">=1", 6, "`frob` is not on PATH"),
    ] {
        let mut space = Space::new();
        tool(&mut space, name, version);
        shell(&space, "first", "tags = {}", "echo first >> log");
        shell(
            &space,
            "use",
            &format!("needs = {{ \"first\" }}, tools = {{ frob = \"{range}\" }}"),
            "true",
        );
        let _ = space.run(["show", "use"]).exit(0).stdout_has(&format!("frob   {range}"));
        let ran = space.run(["run", "use"]);
        assert_eq!(ran.code(), exit, "{version}: {}", ran.all());
        assert_eq!(space.path("log").exists(), exit == 0, "nothing ran before: {}", ran.all());
        let _ = ran.stderr_has(words);
    }
}

#[test]
fn tools_of_stages_and_of_recipes_run_by_name_are_asked_for_too_and_each_once() {
    let mut space = Space::new();
    tool(&mut space, "frob", "frob 1.4");
    for name in ["x/a", "x/b"] {
        shell(&space, name, "tools = { frob = \">=1\" }", "true");
    }
    space.write(
        "recipes/x/all.lua",
        "return ops.recipe { desc = \"All\", cluster = false, stages = { \"a\", \"outer\" } }",
    );
    space.write(
        "recipes/x/outer.lua",
        "return ops.recipe { desc = \"O\", cluster = false, run = function(cx) cx:run \"b\" end }",
    );
    let _ = space.run(["run", "x:all"]).exit(0);
    assert_eq!(space.read("asked").lines().count(), 1, "{}", space.read("asked"));
    tool(&mut space, "frob", "frob 0.9");
    let _ = space.run(["run", "x:outer"]).exit(6).stderr_has("x:b needs frob >=1");
}

#[test]
fn ranges_and_hosts_that_cannot_be_meant_are_refused_in_the_head() {
    let space = Space::new();
    for (head, words) in [
        ("tools = { helm = \"new\" }", "`tools.helm`"),
        ("tools = { helm = 3 }", "texts under names"),
        ("tools = { [\"/bin/sh\"] = \">=1\" }", "no name of a tool"),
        ("hosts = { \"https://example.org\" }", "`https://example.org` is no name of a host"),
        ("hosts = { \"example.org:443\" }", "no name of a host"),
        ("hosts = { \"exa mple\" }", "no name of a host"),
        ("hosts = { \"a..b\" }", "no name of a host"),
        ("hosts = 3", "a text or a list of texts"),
    ] {
        shell(&space, "use", head, "true");
        let _ = space.run(["list"]).exit(2).stderr_has(words);
    }
    shell(
        &space,
        "use",
        "hosts = { \"api.example.org\", \"*.example.org\" }, tools = { helm = \">=3.16, <5\" }",
        "true",
    );
    let _ = space.run(["list"]).exit(0);
}

#[test]
fn what_talks_to_a_person_is_refused_without_a_terminal_before_anything_runs() {
    let space = Space::new();
    shell(&space, "first", "tags = {}", "echo first >> log");
    shell(
        &space,
        "talk",
        "needs = { \"first\" }, interactive = true",
        "read -r word; echo \"heard $word\"",
    );
    let ran = space.run(["run", "talk"]).exit(3).stderr_has("talk").stderr_has("terminal");
    assert!(!space.path("log").exists(), "{}", ran.all());
    let _ = space.run(["plan", "talk"]).exit(0);
    let _ = space.run(["show", "talk"]).exit(0).stdout_has("talks to you");
    let seen = on_terminal(space.command(["run", "talk", "--json"]), &[]);
    assert_eq!(seen.code, 3, "{}", seen.text);
}

#[test]
fn the_child_of_an_interactive_recipe_gets_the_terminal() {
    let space = Space::new();
    shell(
        &space,
        "talk",
        "interactive = true",
        "test -t 0; test -t 1; printf 'name? '; read -r word; echo \"heard $word\"",
    );
    let seen = on_terminal(space.command(["run", "talk"]), &[("name?", "Ada")]).exit(0);
    assert!(seen.text.contains("heard Ada"), "{}", seen.text);
    shell(&space, "quiet", "tags = {}", "test ! -t 0 && test ! -t 1");
    let _ = on_terminal(space.command(["run", "quiet"]), &[]).exit(0);
}

#[test]
fn interactive_recipes_talk_one_at_a_time() {
    let space = Space::new();
    for name in ["a", "b"] {
        let line =
            format!("echo {name} >> log; printf '{name}? '; read -r word; echo {name} >> log");
        shell(&space, name, "interactive = true", &line);
    }
    let answers = [("a?", "x"), ("b?", "y")];
    let seen = on_terminal(space.command(["run", "a", "b"]), &answers).exit(0);
    assert_eq!(space.read("log"), "a\na\nb\nb\n", "{}", seen.text);
}

#[test]
fn a_question_may_be_computed_from_the_parameters() {
    let space = Space::new();
    space.write(
        "recipes/ask.lua",
        "return ops.recipe { desc = \"Ask\", cluster = false, params = { what = param.string { default = \"it\" } },\n  confirm = function(cx, p) return \"Really \" .. p.what .. \"?\" end, run = \"echo done >> log\" }",
    );
    let _ = space.run(["run", "ask", "--what", "all"]).exit(3).stderr_has("Really all?");
    assert!(!space.path("log").exists());
    let _ = on_terminal(space.command(["run", "ask", "--what", "all"]), &[("Really all?", "y")])
        .exit(0);
    let _ = space.run(["run", "ask", "--yes"]).exit(0);
    assert_eq!(space.read("log"), "done\ndone\n");
}

#[test]
fn ctrl_c_is_for_the_child_that_has_the_terminal_and_a_termination_for_ops() {
    let space = Space::new();
    shell(&space, "talk", "interactive = true", "kill -INT $PPID; sleep 0.3; echo went-on");
    let seen = on_terminal(space.command(["run", "talk"]), &[]).exit(0);
    assert!(seen.text.contains("went-on"), "{}", seen.text);
    shell(&space, "talk", "interactive = true", "kill -TERM $PPID; sleep 20; touch survived");
    let seen = on_terminal(space.command(["run", "talk"]), &[]).exit(143);
    assert!(!space.path("survived").exists(), "{}", seen.text);
}

#[test]
fn a_step_that_waits_for_others_leaves_its_place_to_what_they_need() {
    let space = Space::new();
    shell(&space, "x/base", "tags = {}", "echo base >> log");
    shell(&space, "x/work", "needs = { \"base\" }", "echo work >> log");
    space.write(
        "recipes/x/outer.lua",
        "return ops.recipe { desc = \"Outer\", cluster = false, interactive = false, run = function(cx) cx:timeout(\"1m\", function() cx:run \"work\" end) end }",
    );
    let _ = space.run(["-j", "1", "run", "x:outer"]).exit(0);
    assert_eq!(space.read("log"), "base\nwork\n");
}
