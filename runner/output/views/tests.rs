//! What the tables look like.

use super::*;
use crate::engine::plan::Planned;
use crate::engine::session::Plan;
use crate::engine::verify::Verification;
use crate::journal::runs::Listed;
use crate::output::paint::Look;
use crate::recipe::select::tests::home;
use crate::recipe::{Catalog, Head, Need, Needs, Origin, Param, ParamKind, Undo};
use insta::assert_snapshot;
use ops_core::call::Request;
use ops_core::effect::Effect;
use ops_core::error::{Code, Exit, Fault, Place};
use ops_core::guard::{Evidence, EvidenceCode, Grant, GrantKind, Slot, State, Who};
use ops_core::ident::{Branch, CallId, RunId};
use ops_core::record::{Asked, RunHead};
use ops_core::time::Time;
use ops_core::value::Digest;
use serde_json::json;

fn head(name: &str, desc: &str) -> Head {
    Head {
        name: name.into(),
        desc: desc.into(),
        file: format!("embedded:recipes/{}.lua", name.replace(':', "/")),
        line: 3,
        ..Head::default()
    }
}

fn safe_reset() -> Head {
    let param = |name: &str, kind, desc: &str| Param {
        name: name.into(),
        kind,
        desc: desc.into(),
        ..Param::default()
    };
    Head {
        destructive: true,
        doc: "Nodes that cannot be drained are refused. Everything that lies on EPHEMERAL is lost, etcd of a control plane too.".into(),
        params: vec![
            Param { required: true, positional: true, ..param("nodes", ParamKind::Nodes { role: None }, "Which nodes") },
            Param { required: true, ..param("partitions", ParamKind::Partitions { of: Some("nodes".into()) }, "What is wiped") },
            Param { default: Some(json!("5m")), ..param("drain_timeout", ParamKind::Duration { min: None, max: None }, "How long a drain may take") },
            Param { short: Some('f'), ..param("fast", ParamKind::Bool, "Do not wait") },
            Param { default: Some(json!("auto")), ..param("mode", ParamKind::Choice { words: vec!["auto".into(), "try".into()], multiple: false }, "How") },
        ],
        needs: Needs::Static(vec![Need { recipe: "talos:etcd-snapshot".into(), ..Need::default() }]),
        undo: Some(Undo::Recipe(Need { recipe: "talos:apply-config".into(), ..Need::default() })),
        examples: vec![("cluster:safe-reset w-1 --partitions EPHEMERAL".into(), "a worker's volumes".into())],
        ..head("cluster:safe-reset", "Reset named partitions of nodes, one at a time")
    }
}

fn catalog() -> Catalog {
    let heads = [
        head("talos:apply-config", "Apply machine configs to nodes"),
        Head { origin: Origin::Repository, ..head("docs", "Build the documentation") },
        safe_reset(),
        head("cluster:status", "Health, and everything left open"),
        Head { private: true, ..head("talos:hidden", "Not for people") },
    ];
    heads.into_iter().collect()
}

#[test]
fn the_list_of_recipes() {
    let (catalog, cluster) = (catalog(), home());
    let listing = Listing { catalog: &catalog, cluster: Some(&cluster), lab: false, all: false };
    assert_snapshot!(list(&listing, Look::PLAIN), @r#"
    home: 3 control planes, 2 workers · 4 recipes, 1 of this repository · lab off

              docs               Build the documentation
    cluster   safe-reset     D   Reset named partitions of nodes, one at a time
              status             Health, and everything left open
    talos     apply-config       Apply machine configs to nodes

    D destroys and needs `ops verify`. `ops show NAME` explains, `ops run NAME` runs.
    "#);
    assert_eq!(list_json(&listing)["recipes"].as_array().unwrap().len(), 4);
}

#[test]
fn a_list_without_recipes_says_how_to_make_one() {
    let catalog = Catalog::default();
    let listing = Listing { catalog: &catalog, cluster: None, lab: false, all: false };
    assert_snapshot!(list(&listing, Look::PLAIN), @r#"
    no cluster · 0 recipes

    There are no recipes. `recipes/hello/world.lua` would be `hello:world`.
    "#);
}

#[test]
fn one_recipe() {
    assert_snapshot!(show(&safe_reset(), Look::PLAIN), @r#"
    cluster:safe-reset   Reset named partitions of nodes, one at a time
      embedded:recipes/cluster/safe-reset.lua:3   part of ops · destroys: needs `ops verify`
      Nodes that cannot be drained are refused. Everything that lies on EPHEMERAL is
      lost, etcd of a control plane too.

    usage:  ops run cluster:safe-reset NODES… --partitions LABELS [--drain-timeout DURATION] [--fast] [--mode auto|try]

    parameters
      --nodes NODES              Which nodes                 required
      --partitions LABELS        What is wiped               required
      --drain-timeout DURATION   How long a drain may take   default 5m
      -f, --fast                 Do not wait
      --mode auto|try            How                         default auto

    needs
      talos:etcd-snapshot

    way back
      ops run talos:apply-config

    examples
      ops run cluster:safe-reset w-1 --partitions EPHEMERAL   a worker's volumes
    "#);
}

fn planned(recipe: &str, node: &str, call: &str, effect: Effect, reply: Value) -> Planned {
    let path = Branch(format!("{recipe}{{0}}")).arm("node", Some(node));
    let changed = reply.get("changed").and_then(Value::as_bool).unwrap_or(effect != Effect::Reads);
    Planned {
        id: CallId { path, seq: 1 },
        call: call.into(),
        effect,
        about: format!("{node} auto"),
        node: Some(node.into()),
        changed,
        reply,
        request: Request { call: call.into(), args: object(json!({"node": node})), place: None },
    }
}

#[test]
fn a_plan_shows_what_would_change_and_where_it_ends() {
    let recipe = "talos:apply-config";
    let later = json!({"$later": {"call": "x", "field": "boot_id"}});
    let place = Place { file: "recipes/a.lua".into(), line: 4, column: 0, length: 0, text: None };
    let of = Plan {
        planned: vec![
            planned(recipe, "w-1", "talos.version", Effect::Reads, json!({"version": "v1.13.0"})),
            planned(
                recipe,
                "w-1",
                "talos.apply_config",
                Effect::Mutates,
                json!({"changed": true, "reboot": "none"}),
            ),
            planned(
                recipe,
                "w-1",
                "talos.reboot",
                Effect::Mutates,
                json!({"changed": true, "boot_id": later}),
            ),
            planned(
                recipe,
                "w-2",
                "talos.apply_config",
                Effect::Mutates,
                json!({"changed": false}),
            ),
            planned(
                "cluster:safe-reset",
                "w-2",
                "talos.reset",
                Effect::Destroys,
                json!({"changed": true}),
            ),
        ],
        frontiers: vec![
            Fault::new(Code::FRONTIER, "`boot_id` is known only after apply").at(place),
        ],
        faults: Vec::new(),
        judged: Vec::new(),
    };
    assert_snapshot!(plan(&of, Some("home"), false, Look::PLAIN), @r#"
    talos:apply-config   home
      w-1   M apply-config   auto   no reboot
            M reboot         auto
      w-2   M apply-config   auto   unchanged
    cluster:safe-reset   home
      w-2   D reset   auto
    ends here  `boot_id` is known only after apply
      recipes/a.lua:4
    1 destroy, 2 change, 1 unchanged, 1 read
    known after apply: boot id
    "#);
    assert!(plan(&of, Some("home"), true, Look::PLAIN).contains("R version"));
    let json = plan_json(&of, Some("home"));
    assert_eq!((&json["changes"], &json["destroys"]), (&json!(3), &json!(1)));
    assert_eq!(json["calls"][1]["args"], json!({"node": "w-1"}));
}

#[test]
fn a_plan_without_changes_says_so() {
    assert_snapshot!(plan(&Plan::default(), None, false, Look::PLAIN), @"
    Nothing would change.
    0 destroy, 0 change, 0 read
    ");
}

#[test]
fn a_plan_shows_what_a_write_would_change_in_a_file_and_moves_no_cursor() {
    let write = |diff: &str| {
        let reply = json!({"path": "a.yaml", "changed": true, "diff": diff});
        Plan {
            planned: vec![planned("r:x", "w-1", "fs.write", Effect::Files, reply)],
            ..Plan::default()
        }
    };
    let told = plan(&write(" a\n-b\n+\u{1b}[2Jc\n"), None, false, Look::PLAIN);
    assert!(told.contains("\n        a\n       -b\n       +·[2Jc\n"), "{told}");
    assert!(!told.contains("Nothing would change"), "{told}");
    let long = plan(&write(&"+x\n".repeat(50)), None, false, Look::PLAIN);
    assert!(long.contains("… 10 lines more"), "{long}");
}

fn row(code: EvidenceCode, node: Option<&str>, state: State, found: &str) -> Evidence {
    Evidence {
        code,
        node: node.map(str::to_owned),
        state,
        found: found.into(),
        at: Time(1000),
        proof: if state == State::NotApplicable { "discovery".into() } else { String::new() },
        way_out: (state == State::Fail).then(|| "ops run talos:etcd-snapshot".into()),
    }
}

#[test]
fn a_verification_and_its_grant() {
    let found = Verification {
        rows: vec![
            row(EvidenceCode::Id, None, State::Pass, "CA 5be1…"),
            row(EvidenceCode::Node, Some("w-1"), State::Pass, "the pinned machine"),
            row(EvidenceCode::Snap, None, State::Fail, "no snapshot"),
            row(EvidenceCode::Stor, Some("w-1"), State::NotApplicable, "no storage CRD"),
        ],
        ..Verification::default()
    };
    assert_snapshot!(verification(&found, Time(2000), Look::PLAIN), @r#"
    evidence               found                       age
      identity       pass  CA 5be1…                    1.0s
      machine   w-1  pass  the pinned machine          1.0s
      snapshot       FAIL  no snapshot                 1.0s
      storage   w-1  n/a   no storage CRD (discovery)  1.0s
      next:  ops run talos:etcd-snapshot
    "#);
    let grant = Grant {
        version: 1,
        id: "7k2".into(),
        cluster: "home".into(),
        pin: Digest("0".into()),
        lab: false,
        kind: GrantKind::NodeReset,
        recipe: "cluster:safe-reset".into(),
        args: Digest("0".into()),
        slots: vec![Slot {
            node: "w-1".into(),
            pin: Digest("0".into()),
            verb: "reset".into(),
            partitions: vec!["EPHEMERAL".into(), "STATE".into()],
            graceful: true,
            reboot: true,
        }],
        issued: Time(0),
        who: Who { user: "tester".into(), machine: "m".into() },
        mac: Digest("0".into()),
    };
    let command = "ops run cluster:safe-reset --nodes w-1 --partitions STATE,EPHEMERAL";
    assert_snapshot!(granted(&grant, command, "home", "15 minutes", Look::PLAIN), @r#"
    grant 7k2   cluster:safe-reset   home   kind node-reset   1 slot
      w-1   reset EPHEMERAL, STATE
    Start within 15 minutes:  ops run cluster:safe-reset --nodes w-1 --partitions STATE,EPHEMERAL
    "#);
    let narrow = Look { terminal: true, ..Look::PLAIN };
    let on_its_own = format!("Start within 15 minutes:\n  {command}\n");
    assert!(granted(&grant, command, "home", "15 minutes", narrow).ends_with(&on_its_own));
}

#[test]
fn past_runs_newest_first() {
    let listed = |run: &str, at: u64, end: Option<(Exit, Time)>, lab: bool| Listed {
        run: RunId(run.into()),
        head: Ok(RunHead {
            version: 1,
            replay: 1,
            ops: "0.1.0".into(),
            run: RunId(run.into()),
            at: Time(at),
            asked: vec![Asked { recipe: "talos:apply-config".into(), args: Map::new() }],
            cluster: Some("home".into()),
            lab,
            sources: Digest("0".into()),
            inventory: Digest("0".into()),
            who: "tester".into(),
        }),
        end,
        bytes: 100,
        written: Time(at),
    };
    let hour = 3_600_000;
    let runs = [
        listed("2222", 0, Some((Exit::Done, Time(124_000))), true),
        listed("3333", hour, Some((Exit::Refused, Time(hour + 900))), false),
        listed("4444", 3 * hour, None, false),
    ];
    let resume = |run: &Listed| Some(format!("ops resume {}", run.run));
    assert_snapshot!(history(&runs, Time(3 * hour + 60_000), &resume, Look::PLAIN), @r#"
    4444   not ended   talos:apply-config   home   1m ago                ops resume 4444
    3333   refused     talos:apply-config   home   2h ago        0.9s
    2222   done        talos:apply-config   home   lab, 3h ago   2m04s
    "#);
    assert_eq!(history(&[], Time(0), &resume, Look::PLAIN), "There are no runs yet.\n");
    assert_eq!(history_json(&runs)["runs"][1]["exit"], json!(3));
}

#[test]
fn the_state_of_a_cluster() {
    let view = StatusView {
        cluster: "home".into(),
        healthy: true,
        rows: vec![
            ("nodes".into(), "5 of 5 ready".into()),
            ("etcd".into(), "3 voters, leader cp-2".into()),
        ],
        open: vec!["run 7k2m was cut off".into(), "w-1 is cordoned".into()],
        next: vec!["ops resume 7k2m".into()],
    };
    assert_snapshot!(status(&view, Look::PLAIN), @r#"
    home   healthy, 2 things open
      nodes       5 of 5 ready
      etcd        3 voters, leader cp-2
      open        run 7k2m was cut off
                  w-1 is cordoned
      next:  ops resume 7k2m
    "#);
}
