//! `ops watch` with the real binary on the real file system. The watch itself says when it waits, so no test waits for time to pass.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::config_talconfig::sealed;
use crate::space::Space;

/// Joins what it reads: `in/*.yaml`, and `extra.yaml` once that is there.
const JOIN: &str = r#"
return ops.recipe {
  desc = "Join", cluster = false,
  run = function(cx)
    local all = {}
    for _, file in ipairs(fs.glob { "in/*.yaml" }) do
      for key, value in pairs(yaml.read { file }) do all[key] = value end
    end
    if fs.exists { "extra.yaml" } then all.extra = yaml.read { "extra.yaml" } end
    fs.write { "out.yaml", content = yaml.encode(all) }
  end,
}
"#;

fn joining() -> Space {
    let space = Space::new();
    space.write("ops.toml", "api = 1\n").write("recipes/t/join.lua", JOIN);
    space.write("in/a.yaml", "a: 1\n").write("in/b.yaml", "b: 1\n");
    space
}

/// A watch that runs in the background and tells JSON.
pub(crate) struct Watch {
    child: Child,
    lines: Receiver<String>,
}

impl Watch {
    /// Starts it, and waits until it waits.
    pub(crate) fn of(space: &Space, args: &[&str]) -> Watch {
        let watch = Watch::start(space, &[&["--json", "watch"], args].concat());
        let _ = watch.until_it_waits();
        watch
    }

    fn start(space: &Space, args: &[&str]) -> Watch {
        let mut command = space.command(args.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Watch { child, lines }
    }

    /// The next line that it writes.
    #[track_caller]
    fn line(&self) -> String {
        let line = self.lines.recv_timeout(Duration::from_secs(60));
        line.expect("the watch tells something within a minute")
    }

    /// Everything up to an event of the watch, by its name.
    #[track_caller]
    fn until(&self, event: &str) -> Vec<Value> {
        let mut seen = Vec::new();
        loop {
            let line: Value = serde_json::from_str(&self.line()).expect("one document a line");
            let found = line["event"] == event || line["schema"] == event;
            seen.push(line);
            if found {
                return seen;
            }
        }
    }

    #[track_caller]
    pub(crate) fn until_it_waits(&self) -> Vec<Value> {
        self.until("waiting")
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ctrl-C; the exit code.
    fn end(mut self) -> i32 {
        self.signal(Signal::INT);
        self.lines.iter().for_each(drop);
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The paths that a watch named, each with the word for what became of it.
fn changed(seen: &[Value]) -> Vec<String> {
    let lists = seen.iter().filter(|e| e["event"] == "changed").map(|e| &e["changed"]);
    let one = |c: &Value| format!("{} {}", c["how"].as_str().unwrap(), c["path"].as_str().unwrap());
    lists.flat_map(|list| list.as_array().unwrap().iter().map(one).collect::<Vec<_>>()).collect()
}

fn runs(seen: &[Value]) -> usize {
    seen.iter().filter(|e| e["event"] == "changed").count()
}

#[test]
fn a_save_runs_it_again_and_only_a_save() {
    let space = joining();
    let watch = Watch::of(&space, &["t:join"]);
    assert_eq!(space.read("out.yaml"), "a: 1\nb: 1\n");
    // An editor's own files, and a touched one, are no change.
    space.write("in/.a.yaml.swp", "x").write("in/4913", "").write("in/b.yaml", "b: 1\n");
    space.write("in/a.yaml", "a: 2\n");
    let seen = watch.until_it_waits();
    assert_eq!(changed(&seen), ["changed in/a.yaml"]);
    assert_eq!(space.read("out.yaml"), "a: 2\nb: 1\n");
    assert_eq!(watch.end(), 0);
}

#[test]
fn a_save_by_rename_counts_and_so_does_the_next_one() {
    let space = joining();
    let watch = Watch::of(&space, &["t:join"]);
    for number in [2, 3] {
        space.write("new", &format!("a: {number}\n"));
        std::fs::rename(space.path("new"), space.path("in/a.yaml")).unwrap();
        assert_eq!(changed(&watch.until_it_waits()), ["changed in/a.yaml"]);
        assert_eq!(space.read("out.yaml"), format!("a: {number}\nb: 1\n"));
    }
}

#[test]
fn files_that_come_and_go_count_where_they_were_asked_for() {
    let space = joining();
    let watch = Watch::of(&space, &["t:join"]);
    space.write("extra.yaml", "x\n");
    assert_eq!(changed(&watch.until_it_waits()), ["new extra.yaml"]);
    space.write("in/c.yaml", "c: 1\n");
    assert_eq!(changed(&watch.until_it_waits()), ["new in/c.yaml"]);
    assert_eq!(space.read("out.yaml"), "a: 1\nb: 1\nc: 1\nextra: x\n");
    std::fs::remove_file(space.path("in/a.yaml")).unwrap();
    assert_eq!(changed(&watch.until_it_waits()), ["gone in/a.yaml"]);
    std::fs::rename(space.path("in"), space.path("away")).unwrap();
    let seen = watch.until_it_waits();
    assert!(seen.iter().any(|e| e["event"] == "broken"), "no file matches: {seen:?}");
    std::fs::rename(space.path("away"), space.path("in")).unwrap();
    let _ = watch.until_it_waits();
    assert_eq!(space.read("out.yaml"), "b: 1\nc: 1\nextra: x\n");
}

#[test]
fn a_thousand_files_at_once_are_one_run() {
    let space = Space::new();
    space.write("ops.toml", "api = 1\n").write(
        "recipes/t/cat.lua",
        r#"return ops.recipe {
  desc = "Cat", cluster = false, sources = { "in/**/*.txt" }, generates = { "out" },
  run = "cat in/*/*.txt | sort | uniq -c > out",
}"#,
    );
    let all = |text: &str| {
        for number in 0..1000 {
            space.write(&format!("in/{}/{number}.txt", number % 10), text);
        }
    };
    all("old\n");
    let watch = Watch::of(&space, &["t:cat"]);
    all("new\n");
    let seen = watch.until_it_waits();
    assert_eq!(runs(&seen), 1);
    assert_eq!(space.read("out").trim(), "1000 new");
    assert_eq!(watch.end(), 0);
}

#[test]
fn a_broken_input_leaves_the_last_good_output_and_its_mend_is_noticed() {
    let space = joining();
    let watch = Watch::of(&space, &["t:join"]);
    space.write("in/a.yaml", "a: [\n");
    let seen = watch.until_it_waits();
    let error = seen.iter().find(|e| e["schema"] == "ops.error").expect("an error");
    assert!(error["title"].as_str().unwrap().contains("in/a.yaml"), "{error}");
    assert!(seen.iter().any(|e| e["event"] == "broken"));
    assert_eq!(space.read("out.yaml"), "a: 1\nb: 1\n");
    space.write("in/a.yaml", "a: 2\n");
    let seen = watch.until_it_waits();
    assert!(!seen.iter().any(|e| e["event"] == "broken"));
    assert_eq!(space.read("out.yaml"), "a: 2\nb: 1\n");
    // What failed is nothing to go on with.
    drop(watch);
    let _ = space.run(["resume"]).exit(2).stderr_has("no run is open here");
}

#[test]
fn a_recipe_is_an_input_of_itself() {
    let space = joining();
    let watch = Watch::of(&space, &["t:join"]);
    space.write("recipes/t/join.lua", &JOIN.replace("local all = {}", "local all = { new = 1 }"));
    assert_eq!(changed(&watch.until_it_waits()), ["changed recipes/t/join.lua"]);
    assert_eq!(space.read("out.yaml"), "a: 1\nb: 1\nnew: 1\n");
    space.write("recipes/t/join.lua", &JOIN.replace("local all", "loca all"));
    let seen = watch.until_it_waits();
    assert!(seen.iter().any(|e| e["code"] == "OPS0101"), "{seen:?}");
    space.write("recipes/t/join.lua", JOIN);
    let _ = watch.until_it_waits();
    assert_eq!(space.read("out.yaml"), "a: 1\nb: 1\n");
}

#[test]
fn what_is_up_to_date_at_the_start_is_followed_all_the_same() {
    let space = joining();
    let _ = space.run(["run", "t:join"]).exit(0);
    let watch = Watch::of(&space, &["t:join"]);
    space.write("in/a.yaml", "a: 2\n");
    assert_eq!(changed(&watch.until_it_waits()), ["changed in/a.yaml"]);
    assert_eq!(space.read("out.yaml"), "a: 2\nb: 1\n");
}

#[test]
fn of_several_recipes_only_the_affected_one_runs() {
    let space = joining();
    space.write("other", "1").write(
        "recipes/t/copy.lua",
        r#"return ops.recipe { desc = "Copy", cluster = false, run = function() fs.copy { "other", to = "copied" } end }"#,
    );
    let watch = Watch::of(&space, &["t:join", "t:copy"]);
    space.write("other", "2");
    let seen = watch.until_it_waits();
    let called = |call: &str| seen.iter().filter(|e| e["call"] == call).count();
    assert!(called("fs.copy") > 0 && called("fs.write") == 0, "{seen:?}");
    assert_eq!(space.read("copied"), "2");
}

/// A server: it never ends by itself, and has a child of its own.
const SERVER: &str = r#"
return ops.recipe {
  desc = "Serve", cluster = false, sources = { "in/*" },
  run = "sleep 1000 & echo $$ $! >> pids; echo started; wait",
}
"#;

fn serving() -> (Space, Watch) {
    let space = Space::new();
    space.write("ops.toml", "api = 1\n").write("recipes/t/serve.lua", SERVER);
    space.write("in/a", "1");
    let watch = Watch::start(&space, &["--json", "watch", "t:serve"]);
    let _ = watch.until("call.output");
    (space, watch)
}

/// Whether a process works. One that has ended may stay as a zombie until whoever inherited it looks.
fn alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| !matches!(rest.trim().chars().next(), Some('Z' | 'X')))
}

#[test]
fn a_process_that_never_ends_is_ended_with_its_whole_group_and_started_again() {
    let (space, watch) = serving();
    space.write("in/a", "2");
    let seen = watch.until("call.output");
    assert!(seen.iter().any(|e| e["event"] == "cut"), "{seen:?}");
    assert_eq!(changed(&seen), ["changed in/a"]);
    let pids = space.read("pids");
    let generations: Vec<Vec<&str>> = pids.lines().map(|l| l.split(' ').collect()).collect();
    assert_eq!(generations.len(), 2, "{pids}");
    assert!(generations[0].iter().all(|pid| !alive(pid)), "the first generation is gone");
    assert!(generations[1].iter().all(|pid| alive(pid)), "the second one runs");
    assert_eq!(watch.end(), 130, "a run was interrupted for it");
    assert!(generations[1].iter().all(|pid| !alive(pid)), "nothing is left behind");
}

#[test]
fn a_server_starts_again_when_its_recipe_changes_or_what_was_built_for_it() {
    let space = Space::new();
    let serve = r#"return ops.recipe {
  desc = "Serve", cluster = false, needs = { "t:build" }, sources = { "built" }, run = "cat built; sleep 1000",
}"#;
    space.write("ops.toml", "api = 1\n").write("in", "one\n").write("recipes/t/serve.lua", serve);
    space.write(
        "recipes/t/build.lua",
        r#"return ops.recipe { desc = "Build", cluster = false, run = function() fs.copy { "in", to = "built" } end }"#,
    );
    let watch = Watch::start(&space, &["--json", "watch", "t:serve"]);
    let said = || watch.until("call.output").last().unwrap()["text"].as_str().unwrap().to_owned();
    assert_eq!(said(), "one\n");
    space.write("in", "two\n");
    assert_eq!(said(), "two\n");
    space.write("recipes/t/serve.lua", &serve.replace("cat built", "tr t T < built"));
    assert_eq!(said(), "Two\n");
    assert_eq!(watch.end(), 130);
}

#[test]
fn a_change_during_a_run_starts_the_next_at_once() {
    let space = Space::new();
    // The first run waits for a file that only the second one need not wait for.
    space.write("ops.toml", "api = 1\n").write("in", "1").write(
        "recipes/t/slow.lua",
        r#"return ops.recipe {
  desc = "Slow", cluster = false, sources = { "in" }, generates = { "out" },
  run = "cp in out; echo started; test \"$(cat in)\" = 2 || sleep 1000",
}"#,
    );
    let watch = Watch::start(&space, &["--json", "watch", "t:slow"]);
    let _ = watch.until("call.output");
    space.write("in", "2");
    let seen = watch.until_it_waits();
    assert_eq!(changed(&seen), ["changed in"]);
    assert_eq!(space.read("out"), "2");
    assert_eq!(watch.end(), 0);
}

#[test]
fn a_recipe_that_changes_what_it_reads_is_not_run_without_a_pause() {
    let space = Space::new();
    space.write("ops.toml", "api = 1\n").write("in", "1\n").write(
        "recipes/t/grow.lua",
        r#"return ops.recipe { desc = "Grow", cluster = false, sources = { "in" }, run = "echo more >> in" }"#,
    );
    let watch = Watch::start(&space, &["--json", "watch", "t:grow"]);
    let seen = watch.until("restless");
    assert_eq!(seen.last().unwrap()["paths"], "in");
    assert_eq!(watch.end(), 0);
}

#[test]
fn without_apply_only_the_plan_is_shown_and_with_it_the_recipe_runs() {
    let space = Space::new();
    let recipe = |extra: &str| {
        format!(
            r#"return ops.recipe {{ desc = "Send", cluster = false, run = function()
  local what = yaml.read {{ "what.yaml" }}
  {extra}
  sh {{ "echo " .. what.word .. " >> sent" }}
end }}"#
        )
    };
    space.write("ops.toml", "api = 1\n").write("what.yaml", "word: one\n");
    space.write("recipes/t/send.lua", &recipe(""));
    let watch = Watch::of(&space, &["t:send"]);
    space.write("what.yaml", "word: two\n");
    let seen = watch.until_it_waits();
    let plan = seen.iter().find(|e| e["schema"] == "ops.plan").expect("a plan");
    assert!(plan.to_string().contains("echo two"), "{plan}");
    assert_eq!(watch.end(), 0);
    assert!(!space.path("sent").exists());

    let watch = Watch::of(&space, &["--apply", "t:send"]);
    assert_eq!(space.read("sent"), "one\n".replace("one", "two"));
    space.write("what.yaml", "word: three\n");
    let _ = watch.until_it_waits();
    assert_eq!(space.read("sent"), "two\nthree\n");
}

#[test]
fn a_call_that_changes_more_than_files_is_refused_when_it_comes_later() {
    let space = Space::new();
    space.write("ops.toml", "api = 1\n").write(
        "recipes/t/late.lua",
        r#"return ops.recipe { desc = "Late", cluster = false, run = function()
  if fs.exists { "go" } then sh { "touch gone" } end
end }"#,
    );
    let watch = Watch::of(&space, &["t:late"]);
    space.write("go", "");
    let seen = watch.until_it_waits();
    assert!(seen.iter().any(|e| e["code"] == "OPS0380"), "{seen:?}");
    space.write(
        "recipes/t/late.lua",
        &std::fs::read_to_string(space.path("recipes/t/late.lua"))
            .unwrap()
            .replace("gone", "gone2"),
    );
    let seen = watch.until_it_waits();
    assert!(seen.iter().any(|e| e["schema"] == "ops.plan"), "from then on it plans: {seen:?}");
    assert!(!space.path("gone").exists() && !space.path("gone2").exists());
}

#[test]
fn a_cluster_is_not_touched_without_apply() {
    let space = Space::example("home");
    let _ = space.run(["lab", "up", "--healthy"]).exit(0);
    let _ = space.run(["--lab", "run", "talos:generate-config"]).exit(0);
    let nodes = || -> Value {
        let state = space.run(["lab", "state", "--json"]).exit(0).stdout();
        let state: Value = serde_json::from_str(&state).unwrap();
        // Looking takes time there too; nothing else may differ.
        serde_json::json!([state["nodes"], state["etcd"], state["losses"], state["kubernetes"]])
    };
    let before = nodes();
    let watch = Watch::of(&space, &["--lab", "talos:reboot", "w-1"]);
    let toml = space.read("clusters/home.toml");
    space.write("clusters/home.toml", &format!("# saved again\n{toml}"));
    let seen = watch.until_it_waits();
    assert!(seen.iter().any(|e| e["event"] == "same_plan" || e["schema"] == "ops.plan"));
    assert_eq!(watch.end(), 0);
    assert_eq!(nodes(), before);
    let history = space.run(["--lab", "history"]).exit(0).stdout();
    assert!(!history.contains("talos:reboot"), "{history}");
}

#[test]
fn in_a_pipe_it_tells_plain_lines() {
    let space = joining();
    let watch = Watch::start(&space, &["watch", "t:join"]);
    let until = |end: &str| {
        let mut lines = Vec::new();
        while !lines.last().is_some_and(|line: &String| line.starts_with(end)) {
            // How long it took is another thing on every machine.
            lines.push(watch.line().replace(" 0.0s", ""));
        }
        lines
    };
    let _ = until("watch watching");
    space.write("in/a.yaml", "a: 2\n");
    let lines = until("done");
    assert_eq!(
        lines[..lines.len() - 1],
        [
            "watch changed in/a.yaml",
            "t:join fs write out.yaml changed",
            "t:join   -a: 1",
            "t:join   +a: 2",
            "t:join    b: 1",
        ]
    );
    watch.signal(Signal::TERM);
    assert_eq!(watch.line(), "watch ends");
    assert_eq!(watch.end(), 0);
}

#[test]
fn asking_again_and_again_finds_changes_too() {
    let space = joining();
    let watch = Watch::of(&space, &["--poll", "1", "t:join"]);
    space.write("in/a.yaml", "a: other\n");
    assert_eq!(changed(&watch.until_it_waits()), ["changed in/a.yaml"]);
    assert_eq!(space.read("out.yaml"), "a: other\nb: 1\n");
}

#[test]
fn what_cannot_be_watched_is_said_at_once() {
    let space = joining();
    let _ = space.run(["watch"]).exit(2).stderr_has("needs a recipe");
    let _ = space.run(["watch", "t:jion"]).exit(2).stderr_has("did you mean `t:join`");
    let _ = space.run(["watch", "--poll", "0", "t:join"]).exit(2);
    space.write(
        "recipes/t/own.lua",
        r#"return ops.recipe { desc = "Own", cluster = false, params = { apply = param.bool { desc = "x", default = false } }, run = function() end }"#,
    );
    let _ = space.run(["watch", "t:own", "--apply"]).exit(2).stderr_has("`--apply` behind `t:own`");
}

#[test]
fn encrypted_variables_are_opened_again_for_every_run() {
    let mut space = sealed();
    space.env("KEY_OF_SOPS", "1");
    let watch = Watch::of(&space, &["talos:generate-config"]);
    let config = || space.read("talos/clusterconfig/homelab-w-1.yaml");
    assert!(config().contains("s: canary-2-secret"), "{}", config());
    let patch = space.read("talos/patches/all.yaml").replace("canary-2-secret", "canary-3-secret");
    space.write("talos/patches/all.yaml", &patch);
    let _ = watch.until_it_waits();
    assert!(config().contains("s: canary-3-secret"), "{}", config());
    assert_eq!(watch.end(), 0);
}
