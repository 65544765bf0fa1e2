//! The real binary, real processes: the engine is killed at named boundaries while a tool works that sleeps and writes a list of what it
//! did. Its children live on (K1), or the power goes with them and takes of the journal what was not synced (K3).
//!
//! A sample runs always; `OPS_CRASH=all` runs every boundary of every call, `OPS_CRASH_SEED` says by which chances a disk loses.

#![expect(clippy::disallowed_methods, reason = "which tests are wanted is said from outside")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use ops::journal::memory::MemoryStore;
use ops_core::journal::decode_all;
use ops_core::record::Record;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::space::Space;
use crate::terminal::on_terminal;

const DEEDS: &str = r#"
return ops.recipe {
  desc = "Three deeds", cluster = false,
  run = function(cx)
    sh.exec { "deed", "one" }
    fs.write { "between", content = "two" }
    sh { "deed two" }
    sh.exec { "deed", "three" }
  end,
}
"#;

/// Says that it acts, acts, and works on for a while.
const DEED: &str = "#!/bin/sh\nsleep 0.1\necho \"$1\" >> log\necho \"did $1\"\nsleep 0.2\n";

fn space(deed: &str) -> Space {
    let mut space = Space::new();
    space.write("ops.toml", "api = 1\n").write("recipes/t/deeds.lua", DEEDS);
    space.write("bin/deed", deed);
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(space.path("bin/deed"), mode).unwrap();
    let path = format!("{}:/usr/bin:/bin", space.path("bin").display());
    space.env("PATH", &path);
    space
}

fn log(space: &Space) -> Vec<String> {
    let text = fs::read_to_string(space.path("log")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// The journal of the only run.
fn journal(space: &Space) -> PathBuf {
    let mut folders = vec![space.state()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path if path.extension().is_some_and(|e| e == "journal") => return path,
                _ => {}
            }
        }
    }
    panic!("there is no journal");
}

/// The power goes: every child dies, and of the journal stays what was synced, and of each later page what chance leaves.
fn cut(space: &Space, seed: u64) {
    let path = journal(space);
    let bytes = fs::read(&path).unwrap();
    let (mut at, mut synced) = (0, 0);
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::len);
    for (record, line) in decode_all(&bytes).unwrap().records.into_iter().zip(lines) {
        at += line;
        match record {
            // What outlives this machine is on the disk before it starts, and so is everything before it.
            Record::Intent(intent) if intent.effect.changes_world() => synced = at,
            Record::Run(_) => synced = at,
            Record::Started { group, .. } => {
                let _ = Pid::from_raw(group).map(|pid| kill_process_group(pid, Signal::KILL));
            }
            _ => {}
        }
    }
    fs::write(path, MemoryStore::left(bytes, synced).after_power_cut(seed)).unwrap();
}

/// Resumes to the end; what only a person can tell is told from the list.
fn go_on(space: &Space) -> Result<(), String> {
    for _ in 0..5 {
        let resumed = space.run(["resume"]);
        match resumed.code() {
            // Damaged, and so set aside: nobody goes on with a guess.
            0 | 5 => return Ok(()),
            8 => {
                let told = resumed.stderr();
                let call = told.split('\'').find(|part| part.ends_with("=done"));
                let call = call.ok_or("no command to copy")?.trim_end_matches("=done");
                let settled = settle(space, call);
                if settled == 0 {
                    return Ok(());
                }
            }
            code => return Err(format!("exit {code}\n{}", resumed.all())),
        }
    }
    Err("it does not come to an end".into())
}

/// Answers for a call as the list says, and goes on; gives the exit code.
fn settle(space: &Space, call: &str) -> i32 {
    let bytes = fs::read(journal(space)).unwrap();
    let deed = decode_all(&bytes).unwrap().records.into_iter().find_map(|record| match record {
        Record::Intent(intent) if intent.id.to_string() == call => {
            let words = serde_json::to_string(&intent.args).unwrap();
            ["one", "two", "three"].into_iter().find(|deed| words.contains(deed))
        }
        _ => None,
    });
    let done = deed.is_some_and(|deed| log(space).contains(&deed.to_owned()));
    let answer = format!("{call}={}", if done { "done" } else { "not-done" });
    space.run(["resume", "--settle", &answer]).code()
}

/// Kills a run at a boundary, lets it be resumed, and says what is wrong.
fn survives(point: &str, cut_by: Option<u64>) -> Result<(), String> {
    let mut space = space(DEED);
    // Settling is another process's: the first one dies where the outcome is not known.
    let (first, second) = match point.strip_prefix("b13") {
        Some(n) => (format!("b7.outcome{n}"), Some("b13:1")),
        None => (point.to_owned(), None),
    };
    space.env("OPS_FAULT", &first);
    let killed = space.run(["run", "t:deeds"]);
    if killed.code() != -1 {
        return Err(format!("nothing was killed\n{}", killed.all()));
    }
    if let Some(seed) = cut_by {
        cut(&space, seed);
    }
    if let Some(second) = second {
        space.env("OPS_FAULT", "");
        let asked = space.run(["resume"]);
        space.env("OPS_FAULT", second);
        let told = asked.stderr();
        if let Some(call) = told.split('\'').find_map(|part| part.strip_suffix("=done")) {
            let _ = settle(&space, call);
        }
    }
    space.env("OPS_FAULT", "");
    go_on(&space)?;
    let log = log(&space);
    let twice = log.iter().enumerate().find(|(at, deed)| log[..*at].contains(deed));
    match twice {
        Some((_, deed)) => Err(format!("`{deed}` was done twice: {log:?}")),
        None if cut_by.is_none() && log != ["one", "two", "three"] => {
            Err(format!("not everything was done: {log:?}"))
        }
        None => Ok(()),
    }
}

#[test]
fn killed_with_or_without_its_children_and_the_disk_no_deed_is_done_twice_and_none_is_lost() {
    let everything = std::env::var("OPS_CRASH").is_ok_and(|wanted| wanted == "all");
    let seed: u64 =
        std::env::var("OPS_CRASH_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    // Between the intents of deeds lies that of a file.
    let points = |n: usize| {
        let intent = [1, 3, 4][n];
        [
            format!("b2.half:{intent}"),
            format!("b4:{}", n + 1),
            format!("b5:{}", n + 1),
            format!("b6:{}", n + 1),
            format!("b7:{}", n + 1),
            format!("b10:{intent}"),
            format!("b13:{intent}"),
        ]
    };
    let mut runs: Vec<(String, Option<u64>)> = Vec::new();
    for n in 0..3 {
        for (at, point) in points(n).into_iter().enumerate() {
            if everything {
                let cuts = (0..2).map(|chance| Some(seed + chance * 100 + (n * 7 + at) as u64));
                runs.extend([None].into_iter().chain(cuts).map(|cut| (point.clone(), cut)));
            } else if (at + n).is_multiple_of(3) {
                runs.push((point, n.is_multiple_of(2).then_some(seed + at as u64)));
            }
        }
    }
    let wrong: Vec<String> = runs
        .iter()
        .filter_map(|(point, cut)| {
            survives(point, *cut).err().map(|why| format!("{point} {cut:?}: {why}"))
        })
        .collect();
    println!("seed {seed}, {} runs", runs.len());
    assert!(
        wrong.is_empty(),
        "seed {seed}: {} of {}\n{}",
        wrong.len(),
        runs.len(),
        wrong.join("\n")
    );
}

/// A deed that takes very long the first time.
const LONG: &str = "#!/bin/sh\ntest -e quick || sleep 600\necho \"$1\" >> log\n";

fn left_behind(recipe: &str) -> Space {
    let mut space = space(LONG);
    space.write("recipes/t/deeds.lua", recipe);
    space.env("OPS_FAULT", "b5:1");
    assert_eq!(space.run(["run", "t:deeds"]).code(), -1);
    space.env("OPS_FAULT", "");
    space.write("quick", "");
    space
}

fn end_group(space: &Space) {
    let bytes = fs::read(journal(space)).unwrap();
    for record in decode_all(&bytes).unwrap().records {
        if let Record::Started { group, .. } = record {
            let _ = Pid::from_raw(group).map(|pid| kill_process_group(pid, Signal::KILL));
        }
    }
}

#[test]
fn while_the_process_of_a_killed_run_lives_nothing_is_settled_and_off_a_terminal_it_is_named() {
    let hasty = DEEDS.replacen("\"one\" }", "\"one\", timeout = \"1s\" }", 1);
    let space = left_behind(&hasty);
    let asked = space.run(["resume"]).exit(8);
    assert!(asked.stderr().contains("its process still runs"), "{}", asked.all());
    assert!(asked.stderr().contains("kill -TERM -- -"), "{}", asked.all());
    // Not even with an answer: what it does could come after.
    let told = asked.stderr();
    let run = journal(&space);
    let call =
        decode_all(&fs::read(&run).unwrap()).unwrap().records.into_iter().find_map(|r| match r {
            Record::Started { id, .. } => Some(id.to_string()),
            _ => None,
        });
    let answer = format!("{}=not-done", call.expect("a child"));
    let still = space.run(["resume", "--settle", &answer]).exit(8);
    assert!(still.stderr().contains("its process still runs"), "{told}{}", still.all());
    end_group(&space);
    let _ = space.run(["resume", "--settle", &answer]).exit(0);
    assert_eq!(log(&space), ["one", "two", "three"]);
}

#[test]
fn on_a_terminal_the_process_of_a_killed_run_is_ended_after_a_question() {
    let space = left_behind(DEEDS);
    let command = space.command(["resume"]);
    let answers = [("Going on ends it", "y"), ("run to its end?", "n")];
    let screen = on_terminal(command, &answers);
    assert!(screen.text.contains("nothing is settled before its end"), "{}", screen.text);
    let screen = screen.exit(0);
    assert_eq!(log(&space), ["one", "two", "three"], "{}", screen.text);
}
