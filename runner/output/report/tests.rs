//! What a run looks like, on a terminal and in a pipe.

use super::*;
use crate::output::paint::Look;
use crate::output::printer::tests::Kept;
use insta::assert_snapshot;
use ops_core::error::{CallError, ErrorKind};
use ops_core::record::Asked;
use ops_core::value::{Digest, Map};
use serde_json::json;

const TERMINAL: Look = Look { terminal: true, ..Look::PLAIN };

struct Play {
    kept: Kept,
    reporter: Reporter,
    clock: u64,
}

impl Play {
    fn new(look: Look, mode: Mode, lab: bool) -> Play {
        let kept = Kept::default();
        let reporter = Reporter::new(kept.output(look, mode), ChildOutput::Group);
        let mut play = Play { kept, reporter, clock: 0 };
        play.record(Record::Run(RunHead {
            version: 1,
            replay: 1,
            ops: "0.1.0".into(),
            run: RunId("7k2m".into()),
            at: Time(0),
            asked: vec![Asked { recipe: "talos:apply-config".into(), args: Map::new() }],
            cluster: Some("home".into()),
            lab,
            sources: Digest("0".into()),
            inventory: Digest("0".into()),
            who: "tester".into(),
        }));
        play
    }

    fn record(&mut self, record: Record) -> &mut Play {
        self.reporter.event(&Event::Recorded(record));
        self
    }

    fn begin(&mut self, recipe: &str) -> &mut Play {
        let branch = Branch(format!("{recipe}{{0}}"));
        let recipe = recipe.to_owned();
        self.record(Record::StepBegin { branch, recipe, args: Map::new(), at: Time(self.clock) })
    }

    fn end(&mut self, recipe: &str, how: StepEnd) -> &mut Play {
        let branch = Branch(format!("{recipe}{{0}}"));
        self.record(Record::StepEnd { branch, how, at: Time(self.clock) })
    }

    fn start(&mut self, recipe: &str, node: &str, call: &str, effect: Effect) -> CallId {
        let path = Branch(format!("{recipe}{{0}}")).arm("node", Some(node));
        let id = CallId { path, seq: 1 };
        let args = json!({"node": node, "about": "auto"}).as_object().unwrap().clone();
        self.record(Record::Intent(Intent {
            id: id.clone(),
            call: call.into(),
            version: 1,
            digest: Digest("0".into()),
            effect,
            args,
            place: None,
            before: None,
            witness: None,
            slot: None,
            at: Time(self.clock),
        }));
        id
    }

    fn finish(&mut self, id: CallId, outcome: Outcome, ms: u64) -> &mut Play {
        self.clock += ms;
        self.record(Record::Outcome { id, outcome, ms, at: Time(self.clock) })
    }

    fn apply(&mut self, node: &str, reply: Value, ms: u64) -> &mut Play {
        let id = self.start("talos:apply-config", node, "talos.apply_config", Effect::Mutates);
        self.finish(id, Outcome::Done(reply), ms)
    }
}

fn apply_config(look: Look, mode: Mode) -> String {
    let mut play = Play::new(look, mode, true);
    play.begin("talos:generate-config");
    play.end("talos:generate-config", StepEnd::Done { result: Value::Null, recovered: false });
    play.begin("talos:apply-config");
    play.apply("w-1", json!({"changed": true, "reboot": "none"}), 3104);
    play.apply("w-2", json!({"changed": false}), 400);
    let read = play.start("talos:apply-config", "w-2", "talos.version", Effect::Reads);
    play.finish(read, Outcome::Done(json!({"version": "v1.13.0"})), 60);
    let wait = play.start("talos:apply-config", "cp-1", "wait.node", Effect::Reads);
    for (reason, ms) in [("booting", 100), ("booting", 200), ("etcd has not rejoined", 72_000)] {
        let (id, reason) = (wait.clone(), reason.to_owned());
        play.reporter.event(&Event::Waiting { id, reason, ms, limit_ms: 300_000 });
    }
    play.finish(wait, Outcome::Done(json!({})), 120_000);
    play.end("talos:apply-config", StepEnd::Done { result: Value::Null, recovered: false });
    play.record(Record::End { exit: Exit::Done, at: Time(play.clock) });
    // What the simulation stands on grows with it.
    play.kept.text().replace(ops_lab::header().trim_start_matches("SIMULATION "), "[FACTS]")
}

#[test]
fn a_run_on_a_terminal() {
    assert_snapshot!(apply_config(TERMINAL, Mode::Human), @r#"
    lab   home is simulated, and so are the times: no real machine is touched
          [FACTS]
    talos:generate-config   home
      done
    talos:apply-config      home
      w-1    apply-config auto           changed, no reboot              3.1s
      w-2    apply-config auto           unchanged
      cp-1   wait node auto              booting (0.1s of 5m)
      cp-1   wait node auto              etcd has not rejoined (1m12s of 5m)

    done   talos:apply-config   1 changed, 1 unchanged   2m03s simulated   run 7k2m
    "#);
}

#[test]
fn a_run_in_a_pipe_says_everything_in_each_line() {
    assert_snapshot!(apply_config(Look::PLAIN, Mode::Human), @r#"
    lab   home is simulated, and so are the times: no real machine is touched
          [FACTS]
    talos:generate-config done
    talos:apply-config w-1 apply-config auto changed, no reboot 3.1s
    talos:apply-config w-2 apply-config auto unchanged
    talos:apply-config cp-1 wait node auto booting (0.1s of 5m)
    talos:apply-config cp-1 wait node auto etcd has not rejoined (1m12s of 5m)
    done   talos:apply-config   1 changed, 1 unchanged   2m03s simulated   run 7k2m
    "#);
}

#[test]
fn a_verbose_run_tells_the_reads_too() {
    let text = apply_config(Look::PLAIN, Mode::Verbose);
    assert!(text.contains("talos:apply-config w-2 version auto done 0.0s\n"), "{text}");
}

#[test]
fn a_quiet_run_tells_only_how_it_ended() {
    assert_snapshot!(apply_config(Look::PLAIN, Mode::Quiet), @"done   talos:apply-config   1 changed, 1 unchanged   2m03s simulated   run 7k2m");
}

#[test]
fn json_is_one_event_a_line() {
    let text = apply_config(Look::PLAIN, Mode::Json);
    let events: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(events.iter().all(|e| e["run"] == "7k2m" && e["schema"] == "ops.event"), "{text}");
    let outcome = events.iter().find(|e| e["event"] == "call.outcome").unwrap();
    assert_eq!(outcome["call"], "talos.apply_config");
}

#[test]
fn a_failure_shows_what_the_tool_wrote() {
    let mut play = Play::new(Look::PLAIN, Mode::Human, false);
    play.begin("talos:apply-config");
    let id = play.start("talos:apply-config", "cp-2", "talos.apply_config", Effect::Mutates);
    let text = "error applying new configuration\n".to_owned();
    play.reporter.event(&Event::Output { id: id.clone(), stderr: true, text });
    play.finish(id, Outcome::Failed(CallError::new(ErrorKind::Invalid, "no such field")), 800);
    let how =
        StepEnd::Failed { code: "OPS0120".into(), title: "apply-config on cp-2 failed".into() };
    play.end("talos:apply-config", how);
    play.record(Record::End { exit: Exit::Failed, at: Time(play.clock) });
    assert_snapshot!(play.kept.text(), @r#"
    talos:apply-config cp-2 apply-config auto failed, invalid: no such field 0.8s
        error applying new configuration
    talos:apply-config failed  OPS0120  apply-config on cp-2 failed
    failed   talos:apply-config   1 failed   0.8s   run 7k2m
    "#);
}

#[test]
fn a_refused_run_says_that_nothing_was_changed_only_where_that_is_so() {
    let mut play = Play::new(Look::PLAIN, Mode::Human, false);
    play.record(Record::End { exit: Exit::Refused, at: Time(0) });
    assert!(play.kept.text().ends_with("Nothing was changed.\n"), "{}", play.kept.text());

    let mut play = Play::new(Look::PLAIN, Mode::Human, false);
    play.begin("talos:apply-config");
    play.apply("w-1", json!({"changed": true}), 1);
    play.record(Record::End { exit: Exit::Refused, at: Time(1) });
    assert!(!play.kept.text().contains("Nothing"), "{}", play.kept.text());
}

#[test]
fn messages_tables_and_differences_of_a_recipe_are_shown() {
    let mut play = Play::new(Look::PLAIN, Mode::Human, false);
    play.begin("talos:apply-config");
    let bodies = [
        ("info", json!("hello")),
        ("debug", json!("unseen")),
        ("warn", json!("careful")),
        (
            "table",
            json!({"columns": ["node", "disk"], "rows": [["w-1", "sda"], {"node": "cp-1", "disk": 3}]}),
        ),
        ("diff", json!({"before": "a\nb\n", "after": "a\nc\n"})),
    ];
    for (number, (level, body)) in bodies.into_iter().enumerate() {
        let branch = Branch("talos:apply-config{0}".into());
        play.record(Record::Log { branch, number: number as u32, level: level.into(), body });
    }
    assert_snapshot!(play.kept.text(), @r#"
    talos:apply-config hello
    talos:apply-config warning  careful
    talos:apply-config node   disk
    talos:apply-config w-1    sda
    talos:apply-config cp-1   3
    talos:apply-config   a
    talos:apply-config - b
    talos:apply-config + c
    "#);
}
