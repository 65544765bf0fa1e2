//! The shape of what machines read. A change here is a change of a contract: only additions keep the version.

use super::*;
use insta::assert_snapshot;
use ops_core::effect::Effect;
use ops_core::error::{CallError, Code, ErrorKind, Exit, Place};
use ops_core::ident::Branch;
use ops_core::record::{Asked, RunHead};
use ops_core::time::Time;
use ops_core::value::Digest;

fn id() -> CallId {
    CallId { path: Branch("talos:apply-config{9a02}/node[w-1]".into()), seq: 1 }
}

fn intent() -> Intent {
    Intent {
        id: id(),
        call: "talos.apply_config".into(),
        version: 1,
        digest: Digest("ab".into()),
        effect: Effect::Mutates,
        args: object(json!({"node": "w-1"})),
        place: Some(Place {
            file: "recipes/a.lua".into(),
            line: 3,
            column: 0,
            length: 0,
            text: None,
        }),
        before: None,
        witness: None,
        slot: None,
        at: Time(5),
    }
}

#[test]
fn events_of_a_run() {
    let head = RunHead {
        version: 1,
        replay: 1,
        ops: "0.1.0".into(),
        run: RunId("7k2m".into()),
        at: Time(1),
        asked: vec![Asked {
            recipe: "talos:apply-config".into(),
            args: object(json!({"nodes": ["w-1"]})),
        }],
        cluster: Some("home".into()),
        lab: true,
        sources: Digest("00".into()),
        inventory: Digest("00".into()),
        who: "tester".into(),
    };
    let run = head.run.clone();
    let branch = Branch("talos:apply-config{9a02}".into());
    let done = Outcome::Done(json!({"changed": true, "reboot": "none"}));
    let failed = Outcome::Failed(CallError::new(ErrorKind::Unreachable, "no answer"));
    let events = [
        Event::Recorded(Record::Run(head)),
        Event::Recorded(Record::StepBegin {
            branch: branch.clone(),
            recipe: "talos:apply-config".into(),
            args: Map::new(),
            at: Time(2),
        }),
        Event::Recorded(Record::Intent(intent())),
        Event::Recorded(Record::Outcome { id: id(), outcome: done, ms: 3104, at: Time(6) }),
        Event::Recorded(Record::Outcome { id: id(), outcome: failed, ms: 1, at: Time(6) }),
        Event::Replayed { id: id() },
        Event::Waiting { id: id(), reason: "booting".into(), ms: 10, limit_ms: 300 },
        Event::Output { id: id(), stderr: true, text: "x\n".into() },
        Event::Note { branch: None, text: "no new calls".into() },
        Event::Recorded(Record::Log {
            branch: branch.clone(),
            number: 1,
            level: "info".into(),
            body: "hello".into(),
        }),
        Event::Recorded(Record::StepEnd {
            branch,
            how: StepEnd::Done { result: json!(null), recovered: false },
            at: Time(7),
        }),
        Event::Recorded(Record::End { exit: Exit::Done, at: Time(8) }),
    ];
    let text: String =
        events.iter().map(|e| event(Some(&run), e, Some(&intent()))).collect::<Vec<_>>().concat();
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&value["schema"], &value["version"]), (&json!("ops.event"), &json!(1)));
    }
    assert_snapshot!(text, @r#"
    {"schema":"ops.event","version":1,"run":"7k2m","event":"run.begin","asked":[{"args":{"nodes":["w-1"]},"recipe":"talos:apply-config"}],"at":1,"cluster":"home","lab":true,"ops":"0.1.0","who":"tester"}
    {"schema":"ops.event","version":1,"run":"7k2m","event":"step.begin","args":{},"at":2,"path":"talos:apply-config{9a02}","recipe":"talos:apply-config"}
    {"schema":"ops.event","version":1,"run":"7k2m","event":"call.intent","args":{"node":"w-1"},"at":5,"call":"talos.apply_config","effect":"mutates","path":"talos:apply-config{9a02}/node[w-1]","place":{"column":0,"file":"recipes/a.lua","length":0,"line":3},"seq":1}
    {"schema":"ops.event","version":1,"run":"7k2m","event":"call.outcome","at":6,"call":"talos.apply_config","effect":"mutates","ms":3104,"path":"talos:apply-config{9a02}/node[w-1]","result":{"changed":true,"reboot":"none"},"seq":1}
    {"schema":"ops.event","version":1,"run":"7k2m","event":"call.outcome","at":6,"call":"talos.apply_config","effect":"mutates","error":{"kind":"unreachable","message":"no answer"},"ms":1,"path":"talos:apply-config{9a02}/node[w-1]","seq":1}
    {"schema":"ops.event","version":1,"run":"7k2m","event":"call.replayed","path":"talos:apply-config{9a02}/node[w-1]","seq":1}
    {"schema":"ops.event","version":1,"run":"7k2m","event":"call.waiting","limit_ms":300,"ms":10,"path":"talos:apply-config{9a02}/node[w-1]","reason":"booting","seq":1}
    {"schema":"ops.event","version":1,"run":"7k2m","event":"call.output","path":"talos:apply-config{9a02}/node[w-1]","seq":1,"stream":"stderr","text":"x\n"}
    {"schema":"ops.event","version":1,"run":"7k2m","event":"note","text":"no new calls"}
    {"schema":"ops.event","version":1,"run":"7k2m","event":"log","body":"hello","level":"info","number":1,"path":"talos:apply-config{9a02}"}
    {"schema":"ops.event","version":1,"run":"7k2m","event":"step.end","at":7,"end":"done","path":"talos:apply-config{9a02}","recovered":false}
    {"schema":"ops.event","version":1,"run":"7k2m","event":"run.end","at":8,"end":"done","exit":0}
    "#);
}

#[test]
fn an_error() {
    let place = Place {
        file: "ops.toml".into(),
        line: 2,
        column: 1,
        length: 3,
        text: Some("jbs = 1".into()),
    };
    let fault = Fault::new(Code::CONFIG_KEY, "unknown key `jbs`")
        .at(place)
        .help("did you mean `jobs`?")
        .next("ops check");
    assert_snapshot!(error(&fault), @r#"
    {"schema":"ops.error","version":1,"code":"OPS0202","exit":2,"help":["did you mean `jobs`?"],"meaning":"an unknown or wrong key in a configuration file","next":["ops check"],"place":{"column":1,"file":"ops.toml","length":3,"line":2,"text":"jbs = 1"},"title":"unknown key `jbs`"}
    "#);
}
