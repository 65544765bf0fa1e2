//! What a person sees: nothing wider than the terminal, nothing cut in a pipe, hints that work as they stand, mistakes where they are.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use console::measure_text_width;
use rustix::process::{Pid, Signal, kill_process};

use crate::space::{Ran, Space};
use crate::terminal::on_terminal_of;

const RESET: [&str; 6] =
    ["cluster:safe-reset", "--nodes", "w-1", "--partitions", "STATE,EPHEMERAL", "--lab"];

fn healthy() -> Space {
    let space = Space::example("home");
    let _ = space.run(["lab", "up", "--healthy"]).exit(0);
    space
}

fn command<'a>(before: &[&'a str], behind: &[&'a str]) -> Vec<&'a str> {
    before.iter().chain(behind).copied().collect()
}

/// A command to copy keeps its line whatever its length.
fn is_command(line: &str) -> bool {
    let line = line.trim_start();
    line.strip_prefix("next:").unwrap_or(line).trim_start().starts_with("ops ")
}

#[test]
fn a_terminal_of_eighty_columns_holds_everything() {
    let space = healthy();
    let shown: Vec<(Vec<&str>, i32)> = vec![
        (vec![], 0),
        (vec!["--help"], 0),
        (vec!["run", "--help"], 0),
        (vec!["lab", "state"], 0),
        (vec!["show", "talos:apply-config"], 0),
        (vec!["--lab", "plan", "talos:apply-config"], 0),
        (vec!["--lab", "run", "talos:apply-config"], 0),
        (vec!["--lab", "run", "talos:reboot", "w-1"], 0),
        (vec!["--lab", "status"], 0),
        (vec!["--lab", "why", "talos:apply-config"], 0),
        (vec!["--lab", "verify"], 1),
        (command(&["verify"], &RESET), 0),
        (
            vec![
                "--lab",
                "verify",
                "cluster:safe-reset",
                "--nodes",
                "cp-1,cp-2",
                "--partitions",
                "EPHEMERAL",
            ],
            3,
        ),
        (vec!["--lab", "run", "cluster:safe-reset", "--nodes", "w-1"], 3),
        (vec!["--lab", "run", "regenerate:cilium"], 1),
        (vec!["--lab", "history"], 0),
    ];
    for (args, exit) in shown {
        let screen = on_terminal_of(80, space.command(args.iter().copied()), &[]).exit(exit);
        for line in screen.text.lines().filter(|line| !is_command(line)) {
            assert!(measure_text_width(line) <= 80, "{args:?}: {line}");
        }
    }
}

#[test]
fn a_pipe_gets_whole_lines() {
    let space = healthy();
    let state = space.run(["lab", "state"]).exit(0).stdout();
    assert!(!state.contains('…'), "{state}");
    let kubernetes = state.lines().find(|line| line.starts_with("kubernetes")).unwrap();
    assert!(kubernetes.ends_with("may lose 1"), "{state}");
    let verified = space.run(command(&["verify"], &RESET)).exit(0).stdout();
    assert!(
        verified.contains("no storage CRD on this cluster (discovery lists no storage CRD)  "),
        "{verified}"
    );
    assert!(verified.contains("Start within 15m:  ops --lab run cluster:safe-reset"), "{verified}");
}

#[test]
fn hints_name_the_target_as_it_was_named() {
    let mut space = healthy();
    let root = space.root().display().to_string();
    space.write("elsewhere/x", "");
    space.stand_in("elsewhere");
    let hint = |ran: Ran| {
        let all = format!("{}{}", ran.stdout(), ran.stderr());
        let hint = all.lines().find_map(|line| line.trim_start().strip_prefix("next:"));
        hint.unwrap_or_else(|| panic!("no hint:\n{}", ran.all()))
            .trim()
            .replace("[SPACE]/repo", &root)
    };
    let at = ["-C", &root, "--cluster", "home", "--lab"];
    let lead = format!("ops -C {root} --cluster home --lab ");
    let refused =
        hint(space.run(command(&at, &["run", "cluster:safe-reset", "--nodes", "w-1"])).exit(3));
    assert_eq!(
        refused,
        format!("{lead}run cluster:safe-reset --nodes w-1 --partitions STATE,EPHEMERAL")
    );
    // As typed: the same situation, one step further.
    let words: Vec<&str> = refused.split(' ').skip(1).collect();
    let ungranted = hint(space.run(words).exit(4));
    assert_eq!(ungranted, refused.replace(" run ", " verify "));
    let words: Vec<&str> = ungranted.split(' ').skip(1).collect();
    let _ = space
        .run(words)
        .exit(0)
        .stdout_has(&format!("Start within 15m:  {}run ", lead.replace(&root, "[SPACE]/repo")));
    // Flags behind the recipe count as those before it.
    let behind = ["-C", &root, "plan", "talos:reboot", "--lab", "--cluster", "home"];
    assert_eq!(hint(space.run(behind).exit(2)), format!("{lead}plan talos:reboot --nodes w-2"));
    let unknown = ["-C", &root, "run", "nosuch", "--lab", "--cluster", "home"];
    assert_eq!(hint(space.run(unknown).exit(2)), format!("ops -C {root} list"));
    let no_lab = ["-C", &root, "lab", "up"];
    assert_eq!(hint(space.run(no_lab).exit(2)), format!("ops -C {root} lab state"));
}

#[test]
fn a_command_that_lacks_something_is_suggested_whole() {
    let space = Space::example("home");
    for verb in ["run", "plan", "verify", "watch", "why"] {
        let expected = format!("next:  ops {verb} talos:reboot --nodes w-2");
        let _ = space.run([verb, "talos:reboot"]).exit(2).stderr_has(&expected);
    }
}

#[test]
fn a_missing_comma_is_shown_where_it_belongs() {
    let space = Space::new();
    space.write("ops.toml", "api = 1\n").write(
        "recipes/x.lua",
        "return ops.recipe {\n  desc = \"X\"\n  cluster = false,\n  run = \"true\",\n}\n",
    );
    insta::assert_snapshot!(space.run(["run", "x"]).exit(2).stderr(), @r#"
    error  OPS0101  `,` is missing
      recipes/x.lua:2:13
      2 │   desc = "X"
        │             ┬
        │             `,` belongs here
      Lua noticed at `cluster` in line 3
    "#);
}

#[test]
fn a_refused_table_is_shown_in_the_inventory() {
    let space = healthy();
    let inventory = space.read("clusters/home.toml");
    let patch = "patches = [\n  { machine = { sysctls = { x = \"1\" },\n    nosuch = 3 } },\n]\n";
    space.write("clusters/home.toml", &inventory.replace("tags = ", &format!("{patch}tags = ")));
    let line = space.read("clusters/home.toml").lines().position(|l| l.contains("nosuch")).unwrap();
    let at = format!("clusters/home.toml:{}:5", line + 1);
    for args in [["--lab", "run", "talos:generate-config"].as_slice(), &["--lab", "diff", "w-1"]] {
        let ran = space.run(args.iter().copied()).exit(1).stderr_has(&at);
        assert!(!ran.stderr().contains("embedded:"), "{}", ran.all());
    }
}

#[test]
fn a_missing_folder_is_a_plain_error() {
    let space = Space::example("home");
    insta::assert_snapshot!(space.run(["run", "regenerate:cilium"]).exit(1).stderr(), @r"
    error  OPS0121  there is no folder `apps/kube-system/cilium`
      The kustomization of cilium is looked for there.
      next:  ops run regenerate:cilium --source FOLDER
    ");
    let check = space.run(["run", "regenerate:check"]).exit(1);
    let _ = check.stderr_has("next:  ops run regenerate:check --cilium-patch FILE");
}

#[test]
fn a_recipe_that_destroys_nothing_needs_no_grant_and_is_told_so() {
    let space = healthy();
    let ran = space.run(["--lab", "verify", "talos:reboot", "w-1"]).exit(0);
    let _ = ran
        .stdout_has("machine   w-1  pass")
        .stdout_has("talos:reboot destroys nothing and needs no grant.")
        .stdout_has("next:  ops --lab run talos:reboot --nodes w-1");
    let json = space.run(["--lab", "--json", "verify", "talos:reboot", "w-1"]).exit(0);
    let json: serde_json::Value = serde_json::from_str(&json.stdout()).unwrap();
    assert!(json["grant"].is_null() && json["refused"].is_null(), "{json}");
}

#[test]
fn why_names_what_the_recipe_says_and_no_call_of_the_engine() {
    let space = healthy();
    let _ = space.run(["--lab", "run", "talos:reboot", "w-1"]).exit(0);
    let why = space.run(["--lab", "why", "talos:reboot", "w-1"]).exit(0).stdout();
    assert!(why.contains("`cx:rolling`") && !why.contains("cx.gather"), "{why}");
}

#[test]
fn words_that_are_nearly_right_are_recognised() {
    let space = Space::example("home");
    let _ = space.run(["lab", "up"]).exit(0);
    let rows: &[(&[&str], &str)] = &[
        (&["rnu", "talos:reboot"], "`run`"),
        (&["watch", "--pol", "3", "talos:diff"], "`ops watch --poll`"),
        (&["watch", "--aply", "talos:diff"], "`ops watch --apply`"),
        (&["plan", "talos:diff", "--exit-cod"], "`ops plan --exit-code`"),
        (&["plan", "--lba", "talos:diff"], "`--lab`"),
        (&["run", "reboot", "w-1"], "`talos:reboot`"),
        (&["run", "talos:rebot"], "`talos:reboot`"),
        (&["show", "tlaos:reboot"], "`talos:reboot`"),
        (&["run", "talos:reboot", "--nods", "w-1"], "`--nodes`"),
        (&["run", "talos:reboot", "w1"], "`w-1`"),
        (&["diff", "cp1"], "`cp-1`"),
        (&["adopt", "w1"], "`w-1`"),
        (&["--cluster", "hmoe", "status"], "`home`"),
        (&["lab", "brek"], "`break`"),
        (&["lab", "break", "node-ofline", "w-1"], "`node-offline`"),
        (&["lab", "break", "node-offline", "w1"], "`w-1`"),
        (&["run", "talos:apply-config", "--mode", "atuo"], "`auto`"),
    ];
    for (args, meant) in rows {
        let expected = format!("help: did you mean {meant}?");
        let _ = space.run(args.iter().copied()).exit(2).stderr_has(&expected);
    }
    let own = space.run(["plan", "talos:diff", "--exit-code"]).exit(2);
    let _ = own.stderr_has("it stands before the recipe: `ops plan --exit-code …`");
}

#[test]
fn a_dry_run_of_what_has_none_does_nothing() {
    let space = healthy();
    for args in [["--dry-run", "resume"].as_slice(), &["lab", "reset", "--dry-run"]] {
        let _ = space.run(args.iter().copied()).exit(2).stderr_has("--dry-run");
    }
    let _ = space.run(["lab", "state"]).exit(0);
    let before = space.read(".ops/lab/home/lock.toml");
    let _ = space
        .run(["--lab", "--dry-run", "adopt", "--profile", "dev"])
        .exit(0)
        .stdout_has("profile: dev");
    assert_eq!(space.read(".ops/lab/home/lock.toml"), before);
}

#[test]
fn help_lists_what_means_something_there() {
    let space = Space::new();
    let rows: &[(&[&str], &[&str], &[&str])] = &[
        (&["run"], &["--yes", "--jobs", "--force", "--output", "--keep-going", "--dry-run"], &[]),
        (
            &["why"],
            &["--lab", "--verbose", "--force"],
            &["--yes", "--jobs", "--dry-run", "--output"],
        ),
        (&["diff"], &["--live", "--lab", "--json"], &["--yes", "--force", "--output", "--dry-run"]),
        (&["verify"], &["--lab", "--cluster"], &["--yes", "--force", "--keep-going", "--output"]),
        (&["show"], &["--json"], &["--lab", "--cluster", "--yes", "--jobs", "--force"]),
        (&["patch"], &["--patch", "--json"], &["--lab", "--cluster", "--yes", "--dry-run"]),
        (&["lab", "break"], &["--cluster", "--json"], &["--lab", "--yes", "--jobs", "--force"]),
        (&["history"], &["--lab", "--cluster"], &["--yes", "--dry-run", "--output", "--force"]),
    ];
    for (command, listed, missing) in rows {
        let help = space.run(command.iter().copied().chain(["--help"])).exit(0).stdout();
        for flag in *listed {
            assert!(help.contains(flag), "{command:?} lacks {flag}:\n{help}");
        }
        for flag in *missing {
            assert!(!help.contains(flag), "{command:?} lists {flag}:\n{help}");
        }
    }
}

#[test]
fn a_changed_field_in_a_pipe_names_its_node() {
    let space = healthy();
    let mut watch = space.command(["--lab", "watch", "talos:generate-config"]);
    let mut watch = watch.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("watch watching")));
    let inventory = space.read("clusters/home.toml");
    let patch = "patches = [{ machine = { sysctls = { x = \"1\" } } }]\n";
    space.write("clusters/home.toml", &format!("{patch}{inventory}"));
    let changed = lines.find(|line| line.contains("sysctls")).unwrap();
    kill_process(Pid::from_child(&watch), Signal::INT).unwrap();
    lines.for_each(drop);
    watch.wait().unwrap();
    let words: Vec<&str> = changed.split(' ').collect();
    assert_eq!(words[0], "talos:generate-config", "{changed}");
    assert!(words[1].starts_with("cp-") || words[1].starts_with("w-"), "{changed}");
}

#[test]
fn a_misspelt_key_of_a_talconfig_is_shown_where_it_stands() {
    let space = Space::example("talconfig");
    let text = space.read("talos/talconfig.yaml");
    for (right, wrong) in [
        ("ipAddress", "ipAdress"),
        ("controlPlane: true", "controlplane: true"),
        ("nodes:", "noodes:"),
    ] {
        space.write("talos/talconfig.yaml", &text.replacen(right, wrong, 1));
        let name = |text: &str| text.split(':').next().unwrap().to_owned();
        let line = space.read("talos/talconfig.yaml").lines().position(|l| l.contains(wrong));
        let ran = space.run(["--lab", "diff"]).exit(2);
        let _ = ran
            .stderr_has(&format!("unknown key `{}`", name(wrong)))
            .stderr_has(&format!("talos/talconfig.yaml:{}:", line.unwrap() + 1))
            .stderr_has(&format!("did you mean `{}`?", name(right)));
    }
}
