//! The lab as its caller uses it: clock, timers, storage, log, picture.

use crate::support::Bench;
use ops_lab::{Lab, LabSpec, LoadError};

#[test]
fn time_moves_only_when_the_caller_steps() {
    let mut lab = Lab::bare(LabSpec::home(1));
    let (now, next) = (lab.now(), lab.next_event_at());
    assert_eq!((lab.now(), lab.next_event_at()), (now, next));
    lab.advance_to(now + 5);
    assert_eq!(lab.now(), now + 5);
}

#[test]
fn a_timer_fires_at_its_time_and_once() {
    let mut lab = Lab::bare(LabSpec::home(1));
    let at = lab.now() + 1_234;
    let timer = lab.set_timer(at);
    lab.advance_to(at - 1);
    assert!(lab.take_timers().is_empty());
    lab.advance_to(at);
    assert_eq!(lab.take_timers(), [timer]);
    assert!(lab.take_timers().is_empty());
}

#[test]
fn equal_seeds_and_calls_give_equal_digests_and_output() {
    let play = |seed| {
        let mut bench = Bench::healthy(LabSpec::home(seed));
        let mut out = String::new();
        for line in ["etcd members", "get machinestatus -o json", "reboot"] {
            let said = bench.talosctl("cp-2", line);
            out.push_str(&said.out);
            out.push_str(&said.err);
        }
        (bench.lab.digest(), out, bench.lab.save())
    };
    assert_eq!(play(4), play(4));
    assert_ne!(play(4).0, play(5).0);
}

#[test]
fn a_stored_lab_goes_on_as_if_it_had_never_been_away() {
    let mut first = Bench::healthy(LabSpec::home(6));
    first.talosctl("w-1", "reboot --wait=false");
    first.break_("slow", None);
    let stored = first.lab.save();
    let mut second = Bench { lab: Lab::load(&stored).unwrap(), files: first.files.clone() };
    for bench in [&mut first, &mut second] {
        bench.heal("slow", None);
        bench.settle();
    }
    assert_eq!(first.lab.digest(), second.lab.digest());
    assert_eq!(first.lab.save(), second.lab.save());
    assert_eq!(second.talosctl("w-1", "version").code, 0);
}

#[test]
fn a_lab_of_a_newer_build_is_refused() {
    let stored = Lab::bare(LabSpec::home(1)).save();
    let newer = stored.replacen("\"schema\":1", "\"schema\":2", 1);
    assert_eq!(Lab::load(&newer).unwrap_err(), LoadError::Newer { found: 2 });
    assert!(matches!(Lab::load("{}").unwrap_err(), LoadError::Unreadable(_)));
}

#[test]
fn the_request_log_names_node_request_and_whether_it_writes() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.talosctl("w-1", "get machinestatus");
    bench.kubectl("cordon w-1");
    let log = bench.lab.requests();
    assert_eq!(log.len(), 4, "{log:#?}");
    assert_eq!(
        log.iter().map(|request| request.writes).collect::<Vec<_>>(),
        [false, false, false, true]
    );
    let w1 = bench.lab.node_named("w-1").unwrap();
    assert!(log[0].node == w1 && log[1].node == w1 && !log[0].insecure);
}

#[test]
fn requests_that_reach_nobody_are_not_logged() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.break_("node-offline", Some("w-1"));
    bench.talosctl("w-1", "reset --wait=false");
    assert_eq!(bench.writes(), 0);
}

#[test]
fn the_picture_fits_eighty_columns_and_says_what_matters() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.kubectl("cordon w-2");
    bench.break_("node-offline", Some("cp-3"));
    bench.talosctl("w-1", "reset --wait=false");
    bench.advance(400_000);
    let picture = bench.lab.draw(Some(80), false);
    for line in picture.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    for words in [
        "SIMULATION model 1.13.9",
        "cp-1",
        "leader",
        "NotReady",
        "needs hands",
        "Ready, cordoned",
        "2 of 3 voters",
        "node-offline cp-3",
        "LOST w-1: nothing left to boot from",
        "by reset without partitions on w-1",
    ] {
        let found = picture.contains(words) || words == "needs hands" && picture.contains("off");
        assert!(found || words == "NotReady" && picture.contains("Unknown"), "{words}:\n{picture}");
    }
    let plain: String = strip(&bench.lab.draw(Some(80), true));
    assert_eq!(plain, picture, "colour adds nothing but colour");
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let whole = bench.lab.draw(None, false);
    assert_eq!(words(&whole), words(&picture), "a narrow screen breaks lines and cuts none");
    assert!(whole.lines().count() < picture.lines().count(), "without an edge nothing is broken");
}

fn strip(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        out.push_str(before);
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    out.push_str(rest);
    let lines: Vec<&str> = out.lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}

#[test]
fn the_state_is_json_with_schema_and_version() {
    let bench = Bench::healthy(LabSpec::home(1));
    let json = serde_json::to_value(bench.lab.state()).unwrap();
    assert_eq!(
        (json["schema"].as_str(), json["version"].as_u64()),
        (Some("ops.lab.state"), Some(1))
    );
    assert_eq!(json["nodes"].as_array().unwrap().len(), 5);
    assert_eq!(json["etcd"][0]["voters"], 3);
}

#[test]
fn the_fixtures_of_other_sizes_become_healthy_too() {
    for spec in
        [LabSpec::single(1), LabSpec::pair(1), LabSpec::four(1), LabSpec::duplicate_uuids(1)]
    {
        let planes =
            spec.nodes.iter().filter(|node| node.role == ops_lab::Role::ControlPlane).count();
        let mut bench = Bench::healthy(spec);
        assert_eq!(bench.voters(), (planes, planes, 0));
        assert!(bench.lab.check_invariants().is_empty());
        assert!(bench.lab.state().nodes.iter().all(|node| node.ready));
    }
}

#[test]
fn a_fault_that_does_not_exist_is_named_with_those_that_do() {
    let error = ops_lab::Fault::parse("nope", None).unwrap_err();
    assert!(error.to_string().contains("node-offline"), "{error}");
    let error = ops_lab::Fault::parse("node-offline", None).unwrap_err();
    assert_eq!(error.to_string(), "fault `node-offline` needs a node");
}

#[test]
fn answers_are_late_while_the_lab_is_slow() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.break_("slow", None);
    let before = bench.lab.now();
    assert_eq!(bench.talosctl("w-1", "version").code, 0);
    assert!(bench.lab.now() - before >= 15_000);
}
