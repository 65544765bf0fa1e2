//! Nothing that a body does keeps it running, and nothing in it catches a stop.

use std::time::Duration;

use ops_core::error::Code;
use ops_core::ident::Branch;
use ops_core::machine::{Act, BranchEnd, Delivery, Failure, Limits};
use ops_core::time::Span;
use serde_json::json;

use super::{body, fails, nothing, ran, run, spec, stop, timed, value};

/// The turn's limit in these tests.
const LIMIT: Duration = Duration::from_millis(400);
/// How much later a stop may be. The machine that runs these tests is shared, so this is what the specification allows.
const SLACK: Duration = Duration::from_millis(500);

const RUNAWAYS: &[(&str, &str)] = &[
    ("plain", "while true do end"),
    ("pcall", "while true do pcall(function() while true do end end) end"),
    ("nested pcall", "while true do pcall(pcall, pcall, function() while true do end end) end"),
    ("try", "while true do ops.try('any', function() while true do end end) end"),
    (
        "comparator",
        "local t = {} for i = 1, 1000 do t[i] = i end while true do table.sort(t, function(a, b) local x = 0 for i = 1, 100 do x = x + i end return a < b end) end",
    ),
    (
        "pcall of a comparator",
        "local t = {} for i = 1, 1000 do t[i] = i end while true do pcall(table.sort, t, function(a, b) while true do end end) end",
    ),
    (
        "gsub",
        "while true do pcall(string.gsub, ('a'):rep(10000), 'a', function() while true do pcall(function() local x = 0 for i = 1, 1000000 do x = x + 1 end end) end end) end",
    ),
    (
        "metamethod",
        "local t = setmetatable({}, { __lt = function() while true do end end }) return t < t",
    ),
    (
        "pcall of a metamethod",
        "local t = setmetatable({}, { __index = function() while true do end end }) while true do pcall(function() return t.x end) end",
    ),
    (
        "tostring",
        "local t = setmetatable({}, { __tostring = function() while true do end end }) while true do pcall(tostring, t) end",
    ),
    (
        "sorted",
        "while true do pcall(ops.sorted, { 3, 2, 1 }, function() while true do end end) end",
    ),
    (
        "where",
        "while true do pcall(cx.cluster.nodes.where, cx.cluster.nodes, function() while true do end end) end",
    ),
    ("iterator", "for _ in function() return 1 end do end"),
    ("branch", "cx:branch('a', function() while true do end end)"),
    (
        "pcall around branches",
        "while true do pcall(function() cx:parallel { a = function() while true do end end } end) end",
    ),
    (
        "branches without end",
        "local n = 0 while true do n = n + 1 cx:branch('b' .. n, function() end) end",
    ),
    ("key", "cx:each({ {} }, { key = function() while true do end end }, function() end)"),
    ("after a call", "fs.read { 'x' } while true do pcall(function() while true do end end) end"),
];

#[test]
fn a_loop_without_end_is_stopped_wherever_it_runs() {
    for (name, code) in RUNAWAYS {
        let host = body(code);
        let (ran, took) = timed(|| run(&host, spec("t"), nothing));
        let fault = ran.fault();
        assert!(matches!(fault.code, Code::DEADLINE | Code::RUNAWAY), "{name}: {fault}");
        assert!(matches!(ran.end, Err(Failure::Stopped(_))), "{name}: {:?}", ran.end);
        assert!(took < LIMIT + SLACK, "{name} took {took:?}");
        if fault.code == Code::DEADLINE {
            assert!(fault.place.is_some(), "{name}: {fault}");
        }
    }
}

#[test]
fn a_loop_while_a_file_is_loaded_is_stopped_too() {
    let (host, took) = timed(|| {
        super::host(&[(
            "recipes/x.lua",
            "while true do pcall(function() while true do end end) end",
        )])
    });
    assert_eq!(host.faults()[0].code, Code::DEADLINE);
    assert!(took < Limits::default().turn.std() + SLACK, "{took:?}");
}

#[test]
fn cleanups_run_after_a_runaway_with_a_time_of_their_own() {
    let ran = ran(
        "cx:defer(function(how) fs.write { 'cleanup', content = how } end) while true do pcall(function() while true do end end) end",
    );
    assert_eq!(ran.calls(), ["cx.timer", "fs.write"]);
    assert_eq!(ran.fault().code, Code::DEADLINE);
    let (ran, took) =
        timed(|| super::ran("cx:defer(function() while true do end end) while true do end"));
    assert_eq!(ran.fault().code, Code::DEADLINE);
    assert!(took < LIMIT * 2 + SLACK, "{took:?}");
}

#[test]
fn a_pattern_that_cannot_be_interrupted_ends_the_run() {
    let code = "return string.find(('a'):rep(30000), ('a?'):rep(20) .. '.-b')";
    let host = body(code);
    let (ran, took) = timed(|| run(&host, spec("t"), nothing));
    assert_eq!(ran.fault().code, Code::RUNAWAY);
    assert!(matches!(ran.end, Err(Failure::Fault(_))));
    assert!(took < LIMIT + Duration::from_secs(2) + SLACK, "{took:?}");
}

#[test]
fn memory_bombs_end() {
    let bombs = [
        "local s = ('x'):rep(1 << 30)",
        "while true do pcall(function() local s = ('x'):rep(1 << 30) end) end",
        "local t = {} while true do t[#t + 1] = ('x'):rep(1 << 16) end",
        "local t = {} while true do pcall(function() while true do t[#t + 1] = ('x'):rep(1 << 16) .. #t end end) end",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} for i = 1, 1 << 30 do t[i] = {} end",
        "local function f() return f() + 1 end return f()",
        "local t = {} while true do t[#t + 1] = function() return t end end",
        "return table.concat({ ('x'):rep(1 << 24), ('x'):rep(1 << 24), ('x'):rep(1 << 24) })",
        "return ('x'):rep(1 << 20):gsub('x', ('y'):rep(1 << 20))",
    ];
    for code in bombs {
        let (ran, took) = timed(|| ran(code));
        let code_of = ran.fault().code;
        assert!(
            matches!(code_of, Code::MEMORY | Code::DEADLINE | Code::LUA),
            "{code}: {}",
            ran.fault()
        );
        assert!(took < LIMIT + SLACK * 2, "{code} took {took:?}");
    }
    assert_eq!(fails(bombs[1]).code, Code::MEMORY, "no pcall goes on after that");
}

#[test]
fn data_that_grows_when_it_is_copied_is_refused() {
    let code = "local t = { 'x' } for i = 1, 30 do t = { t, t } end return t";
    let (ran, took) = timed(|| ran(code));
    assert_eq!(ran.fault().code, Code::VALUE);
    assert!(took < Duration::from_secs(10), "not 2^30 values: {took:?}");
    assert_eq!(fails("local t = {} t.t = t return t").code, Code::VALUE);
    assert_eq!(fails("fs.write { 'x', content = ('x'):rep(2 << 20) }").code, Code::VALUE);
    assert_eq!(fails("return 1 / 0").code, Code::VALUE);
    assert_eq!(fails("return '\\xff'").code, Code::VALUE);
}

#[test]
fn what_only_logs_ends_too() {
    let (ran, took) = timed(|| ran("while true do log.info('x') end"));
    assert!(matches!(ran.fault().code, Code::RUNAWAY | Code::DEADLINE));
    assert!(took < LIMIT + SLACK, "{took:?}");
}

#[test]
fn cleanups_may_log_after_a_body_that_logged_without_end() {
    let ran = ran(
        "cx:defer(function(how) log.warn('cleanup ' .. how) end) while true do log.info('x') end",
    );
    assert_eq!(ran.logs().last().map(String::as_str), Some("cleanup stopped"));
}

/// A body that waits in a call, with everything around it that might catch what ends it.
const STUBBORN: &str = "
    cx:defer(function(how) fs.write { 'outer', content = how } end)
    while true do
      local ok, err = pcall(function()
        ops.try('any', function()
          cx:branch('inner', function()
            cx:defer(function(how) fs.write { 'inner', content = how } end)
            pcall(pcall, talos.version, { 'w-1' })
            fs.write { 'caught in the branch', content = 'x' }
          end)
        end)
        fs.write { 'caught by try', content = 'x' }
      end)
      fs.write { 'caught by pcall', content = 'x' }
    end";

#[test]
fn a_refusal_cannot_be_caught_and_cleanups_run_inside_out() {
    let host = body(STUBBORN);
    let mut machine = host.spawn(spec("t"));
    let first = machine.turn(Delivery::Begin);
    assert!(first.end.is_none());
    let stop_of =
        |branch: &str| Delivery::Stop { branch: Branch(branch.into()), stop: stop("quorum") };
    let second = machine.turn(stop_of("t{0}"));
    let mut acts = second.acts.clone();
    let mut turn = second;
    while turn.end.is_none() {
        let id = acts
            .iter()
            .rev()
            .find_map(|act| match act {
                Act::Asked { id, request } if request.call == "fs.write" => Some(id.clone()),
                _ => None,
            })
            .unwrap();
        turn = machine.turn(Delivery::Reply { id, reply: Ok(json!({})) });
        acts.extend(turn.acts.clone());
    }
    let shown: Vec<String> = acts
        .iter()
        .filter_map(|act| match act {
            Act::Asked { id, request } if request.call == "fs.write" => {
                Some(format!("{id} {}", request.args["path"]))
            }
            Act::Dropped { id } if id.path.0.ends_with("inner]") => Some(format!("dropped {id}")),
            Act::Closed { branch, how } => Some(format!("{branch} {how:?}")),
            _ => None,
        })
        .collect();
    assert_eq!(
        shown,
        [
            "dropped t{0}/branch[inner]/1",
            "t{0}/branch[inner]/defer[1]/1 \"inner\"",
            "t{0}/branch[inner]/defer[1] Done",
            "t{0}/branch[inner] Stopped",
            "t{0}/defer[1]/1 \"outer\"",
            "t{0}/defer[1] Done",
            "t{0} Stopped",
        ]
    );
    let Some(Err(Failure::Stopped(stop))) = turn.end else { panic!("{:?}", turn.end) };
    assert_eq!(stop.fault.code, Code::GUARD_ORDER);
}

#[test]
fn a_stop_of_one_branch_stops_what_waits_for_it_and_nothing_catches_it_above() {
    let host = body(STUBBORN);
    let mut machine = host.spawn(spec("t"));
    machine.turn(Delivery::Begin);
    let branch = Branch("t{0}/branch[inner]".into());
    let mut turn = machine.turn(Delivery::Stop { branch, stop: stop("no grant") });
    let mut written = Vec::new();
    while turn.end.is_none() {
        let (id, path) = turn
            .acts
            .iter()
            .find_map(|act| match act {
                Act::Asked { id, request } if request.call == "fs.write" => {
                    Some((id.clone(), request.args["path"].clone()))
                }
                _ => None,
            })
            .unwrap();
        written.push(path);
        turn = machine.turn(Delivery::Reply { id, reply: Ok(json!({})) });
    }
    assert_eq!(written, ["inner", "outer"]);
    assert!(matches!(turn.end, Some(Err(Failure::Stopped(_)))));
}

#[test]
fn a_stop_of_a_cleanup_ends_that_cleanup() {
    let host = body("cx:defer(function() fs.write { 'a' } fs.write { 'b' } end) error('first')");
    let mut machine = host.spawn(spec("t"));
    let turn = machine.turn(Delivery::Begin);
    assert!(turn.end.is_none());
    let branch = Branch("t{0}/defer[1]".into());
    let turn = machine.turn(Delivery::Stop { branch, stop: stop("third Ctrl-C") });
    let Some(Err(Failure::Stopped(stop))) = turn.end else { panic!("{:?}", turn.end) };
    assert_eq!(stop.fault.title, "third Ctrl-C");
    assert!(stop.fault.details.iter().any(|d| d.contains("first")), "it does not hide the first");
}

#[test]
fn nobody_goes_on_after_a_stop_because_something_else_had_failed_first() {
    let cleanup = "cx:defer(function() fs.write { 'a' } end)";
    let gone_on = "fs.write { 'gone on' }";
    for (code, branch) in [
        (
            format!(
                "pcall(function() cx:branch('x', function() {cleanup} error('first') end) end) {gone_on}"
            ),
            "branch[x]/defer[1]",
        ),
        (
            format!(
                "pcall(function() cx:each({{'x', 'y'}}, {{ jobs = 2 }}, function(k) if k == 'x' then error('first') end {cleanup} fs.read {{ k }} end) end) {gone_on}"
            ),
            "item[y]/defer[1]",
        ),
        (
            format!(
                "pcall(function() cx:parallel {{ x = function() error('first') end, y = function() fs.read {{ 'y' }} end }} end) {gone_on}"
            ),
            "parallel[y]",
        ),
    ] {
        let mut machine = body(&code).spawn(spec("t"));
        machine.turn(Delivery::Begin);
        let branch = Branch(format!("t{{0}}/{branch}"));
        let turn = machine.turn(Delivery::Stop { branch, stop: stop("refused") });
        assert!(matches!(turn.end, Some(Err(Failure::Stopped(_)))), "{code}: {turn:?}");
    }
}

#[test]
fn skip_cannot_be_caught_and_ends_the_innermost_branch_as_done() {
    let code = "local r = cx:each({ 'a', 'b' }, function(x) pcall(function() ops.try('any', function() if x == 'a' then cx:skip('not %s', x) end end) end) return x end) \
                return { r.a == nil, r.b }";
    let ran = ran(code);
    let skipped = ran.acts.iter().any(|act| matches!(act, Act::Closed { branch, how: BranchEnd::Skipped(reason) } if branch.leaf() == "item[a]" && reason == "not a"));
    assert!(skipped, "{:?}", ran.acts);
    assert_eq!(ran.end, Ok(json!([true, "b"])));
    let ran = super::ran("pcall(cx.skip, cx, 'nothing to do') fs.read { 'x' }");
    assert_eq!(ran.calls(), Vec::<String>::new());
    assert!(matches!(ran.acts.last(), Some(Act::Closed { how: BranchEnd::Skipped(_), .. })));
    assert_eq!(ran.end, Ok(serde_json::Value::Null));
}

#[test]
fn no_call_is_made_where_lua_cannot_wait() {
    let rows = [
        (
            "comparator",
            "table.sort({ 2, 1 }, function(a, b)\ntalos.version { 'w-1' }\nreturn a < b end)",
        ),
        ("gsub", "('x'):gsub('x', function()\ntalos.version { 'w-1' }\nend)"),
        (
            "metamethod",
            "local t = setmetatable({}, { __index = function()\ntalos.version { 'w-1' }\nend }) return t.x",
        ),
        (
            "order",
            "local t = setmetatable({}, { __lt = function()\ntalos.version { 'w-1' }\nend }) return t < t",
        ),
        (
            "tostring",
            "tostring(setmetatable({}, { __tostring = function()\ntalos.version { 'w-1' }\nreturn '' end }))",
        ),
        ("where", "cx.cluster.nodes:where(function()\ntalos.version { 'w-1' }\nend)"),
        ("sorted", "ops.sorted({ 1 }, function()\ntalos.version { 'w-1' }\nend)"),
    ];
    for (name, code) in rows {
        let ran = ran(code);
        let fault = ran.fault();
        assert_eq!(fault.code, Code::CALL_PLACE, "{name}: {fault}");
        assert_eq!(fault.place.unwrap().to_string(), "recipes/t.lua:3:1", "{name}");
        assert_eq!(ran.calls(), Vec::<String>::new(), "{name}");
    }
    let fault = fails("table.sort({ 2, 1 }, function(a, b) cx:skip('x') end)");
    assert_eq!(fault.code, Code::CALL_PLACE);
    assert_eq!(
        value(
            "local n = 0 for v in function() n = n + 1 if n < 3 then return fs.read { 'x' } end end do end return n"
        ),
        json!(3),
        "an iterator may wait"
    );
}

#[test]
fn a_turn_may_take_its_time_in_calls_but_not_in_lua() {
    let host = body(
        "for i = 1, 3 do fs.read { 'x' } local x = 0 for j = 1, 1000 do x = x + j end end return 'done'",
    );
    let spec = ops_core::machine::StepSpec {
        limits: Limits { turn: Span(200), memory: 32 << 20 },
        ..spec("t")
    };
    let ran = run(&host, spec, |_| {
        // The engine takes longer than a turn may: that is no time of the body.
        let begin = std::time::Instant::now();
        while begin.elapsed() < Duration::from_millis(150) {
            std::thread::yield_now();
        }
        Ok(json!({}))
    });
    assert_eq!(ran.end, Ok(json!("done")));
}
