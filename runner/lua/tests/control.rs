//! Constructs of `cx`: which branches they make, what they give, what they cancel.

use ops_core::call::Request;
use ops_core::error::{CallError, Code, ErrorKind};
use ops_core::ident::CallId;
use ops_core::machine::{Act, BranchEnd, Delivery, Entry, Failure, StepSpec, Turn};
use ops_core::value::Value;
use serde_json::json;

use super::{body, fails, host, nothing, ran, recipe, run, spec, value, with_params};

/// Drives a machine by hand.
struct Hand {
    machine: Box<dyn ops_core::machine::Machine>,
    acts: Vec<Act>,
    last: Turn,
}

impl Hand {
    fn new(code: &str) -> Hand {
        let mut machine = body(code).spawn(spec("t"));
        let last = machine.turn(Delivery::Begin);
        Hand { machine, acts: last.acts.clone(), last }
    }

    fn deliver(&mut self, id: &str, reply: Result<Value, CallError>) -> &mut Hand {
        let id: CallId = format!("t{{0}}/{id}").parse().unwrap();
        self.last = self.machine.turn(Delivery::Reply { id, reply });
        self.acts.extend(self.last.acts.clone());
        self
    }

    /// What the last turn did, in short.
    fn did(&self) -> Vec<String> {
        let short = |id: &dyn std::fmt::Display| id.to_string().replacen("t{0}/", "", 1);
        self.last
            .acts
            .iter()
            .filter_map(|act| match act {
                Act::Asked { id, request } => Some(format!("{} {}", short(id), request.call)),
                Act::Dropped { id } => Some(format!("{} dropped", short(id))),
                Act::Closed { branch, how: BranchEnd::Failed(_) } => {
                    Some(format!("{} failed", short(branch)))
                }
                Act::Closed { branch, how } => Some(format!("{} {how:?}", short(branch))),
                _ => None,
            })
            .collect()
    }
}

fn unreachable() -> Result<Value, CallError> {
    Err(CallError::new(ErrorKind::Unreachable, "no route"))
}

#[test]
fn each_runs_in_list_order_at_most_so_many_at_once() {
    let mut hand = Hand::new(
        "local r = cx:each({ 'a', 'b', 'c' }, { jobs = 2 }, function(x) return fs.read { x }.n end) return { r.a, r[2], r.c, #r, r:keys() }",
    );
    assert_eq!(hand.did(), ["item[a]/1 fs.read", "item[b]/1 fs.read"]);
    hand.deliver("item[b]/1", Ok(json!({ "n": 2 })));
    assert_eq!(hand.did(), ["item[b] Done", "item[c]/1 fs.read"]);
    hand.deliver("item[c]/1", Ok(json!({ "n": 3 })));
    assert_eq!(hand.did(), ["item[c] Done"]);
    hand.deliver("item[a]/1", Ok(json!({ "n": 1 })));
    assert_eq!(
        hand.last.end,
        Some(Ok(json!([1, 2, 3, 3, ["a", "b", "c"]]))),
        "results are in list order"
    );
}

#[test]
fn the_first_failure_cancels_the_others_and_their_cleanups_run() {
    let mut hand = Hand::new(
        "cx:each({ 'a', 'b', 'c', 'd' }, { jobs = 3 }, function(x) cx:defer(function(how) log.info(x .. how) end) pcall(fs.read, { x }) fs.read { x } end)",
    );
    hand.deliver("item[b]/1", unreachable());
    assert_eq!(hand.did(), ["item[b]/2 fs.read"]);
    hand.deliver("item[b]/2", unreachable());
    let did: Vec<String> = hand.did().into_iter().filter(|d| !d.contains("timer")).collect();
    assert_eq!(
        did,
        [
            "item[b]/defer[1] Done",
            "item[b] failed",
            "item[a]/1 dropped",
            "item[c]/1 dropped",
            "item[a]/defer[1] Done",
            "item[c]/defer[1] Done",
            "item[a] Stopped",
            "item[c] Stopped",
            "t{0} failed"
        ]
    );
    assert!(
        matches!(&hand.last.end, Some(Err(Failure::Call(error, _))) if error.kind == ErrorKind::Unreachable)
    );
    let logs: Vec<String> = hand
        .acts
        .iter()
        .filter_map(|act| match act {
            Act::Log { body, .. } => body.as_str().map(str::to_owned),
            _ => None,
        })
        .collect();
    assert_eq!(logs, ["bfailed", "astopped", "cstopped"]);
}

#[test]
fn keep_going_runs_all_and_fails_at_the_end() {
    let code =
        "return cx:each({ 'a', 'b', 'c' }, { keep_going = true }, function(x) fs.read { x } end)";
    let ran = run(&body(code), spec("t"), |request| {
        if request.args["path"] == "a" { unreachable() } else { Ok(json!({})) }
    });
    assert_eq!(ran.calls().len(), 3);
    assert!(matches!(ran.end, Err(Failure::Call(..))));
}

#[test]
fn an_empty_list_is_an_error_unless_it_is_allowed() {
    for code in [
        "cx:each({}, function() end)",
        "cx:each(cx.cluster.nodes - cx.cluster.nodes, function() end)",
        "cx:rolling(cx.cluster.nodes - cx.cluster.nodes, function() end)",
    ] {
        assert_eq!(fails(code).code, Code::EMPTY_LIST, "{code}");
    }
    assert_eq!(value("return #cx:each({}, { allow_empty = true }, function() end)"), json!(0));
}

#[test]
fn two_branches_of_one_name_are_an_error_before_anything_runs() {
    for code in [
        "cx:each({ 'a', 'b', 'a' }, function(x) fs.read { x } end)",
        "cx:each({ 1, '1' }, function(x) fs.read { 'x' } end)",
        "cx:each({ { name = 'x' }, { name = 'x' } }, function(x) fs.read { 'x' } end)",
    ] {
        let ran = ran(code);
        assert_eq!(ran.fault().code, Code::BRANCH_KEY, "{code}");
        assert_eq!(ran.calls(), Vec::<String>::new());
    }
    assert_eq!(fails("cx:branch('a', print) cx:branch('a', print)").code, Code::BRANCH_KEY);
    assert_eq!(fails("cx:each({ {} }, function() end)").code, Code::BRANCH_KEY);
    let keyed = ran(
        "cx:each({ { id = 7 } }, { key = function(x) return x.id end }, function() fs.read { 'x' } end)",
    );
    assert_eq!(keyed.asked(), ["t{0}/item[7]/1 fs.read {\"path\":\"x\"}"]);
}

#[test]
fn keys_that_would_print_alike_are_told_apart() {
    let ran = ran("cx:each({ 'a/b', 'a%2fb', 'x]/y[z' }, function(x) fs.read { 'x' } end)");
    let paths: Vec<String> =
        ran.asked().iter().map(|call| call.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(paths, ["t{0}/item[a%2fb]/1", "t{0}/item[a%252fb]/1", "t{0}/item[x%5d%2fy%5bz]/1"]);
}

#[test]
fn a_construct_names_its_wrong_arguments() {
    let rows = [
        ("cx:each({ 1 }, { job = 2 }, print)", "no option `job`"),
        ("cx:each({ 1 }, { jobs = 0 }, print)", "`jobs` must be a whole number"),
        ("cx:each({ 1 })", "takes a function last"),
        ("cx:each('x', print)", "takes a list first"),
        ("cx:each({ a = 1 }, print)", "a list, not a map"),
        ("cx:rolling({ 'w-1' }, print)", "takes a list of nodes"),
        ("cx:rolling(cx.cluster.nodes, { order = 'random' }, print)", "`order` is one of"),
        ("cx:timeout('soon', print)", "not a duration"),
        ("cx:retry({ kinds = 'unreachble' }, print)", "no kind of error"),
        ("cx:parallel { print }", "no function under a name"),
        ("cx:branch(print)", "takes a name first"),
        ("cx:run { 'x' }", "takes the name of a recipe"),
    ];
    for (code, title) in rows {
        let fault = fails(code);
        assert!(fault.title.contains(title), "{code}: {fault}");
        assert_eq!(fault.place.map(|place| place.line), Some(2), "{code}");
    }
}

#[test]
fn parallel_awaits_all_then_raises_the_first_error() {
    let mut hand = Hand::new(
        "return cx:parallel { b = function() return fs.read { 'b' }.n end, a = function() return fs.read { 'a' }.n end }",
    );
    assert_eq!(hand.did(), ["parallel[a]/1 fs.read", "parallel[b]/1 fs.read"]);
    hand.deliver("parallel[a]/1", unreachable());
    assert!(hand.last.end.is_none(), "the other one is awaited");
    hand.deliver("parallel[b]/1", Ok(json!({ "n": 1 })));
    assert!(matches!(hand.last.end, Some(Err(Failure::Call(..)))));
    let ran = run(
        &body("return cx:parallel { b = function() return 1 end, a = function() end }"),
        spec("t"),
        nothing,
    );
    assert_eq!(ran.value(), json!({ "b": 1 }));
}

#[test]
fn a_timeout_cancels_the_calls_inside_and_can_be_caught() {
    let mut hand = Hand::new(
        "local ok, err = pcall(cx.timeout, cx, '5m', function() pcall(fs.read, { 'x' }) fs.read { 'y' } end) return { ok, err.kind }",
    );
    assert_eq!(hand.did(), ["timeout/timer/1 cx.timer", "timeout/1 fs.read"]);
    hand.deliver("timeout/timer/1", Ok(Value::Null));
    assert_eq!(hand.did(), ["timeout/1 dropped", "timeout failed", "t{0} Done"]);
    assert_eq!(hand.last.end, Some(Ok(json!([false, "timeout"]))));
    let mut hand = Hand::new("return cx:timeout('5m', function() return fs.read { 'x' }.n end)");
    hand.deliver("timeout/1", Ok(json!({ "n": 7 })));
    assert_eq!(hand.did(), ["timeout Done", "timeout/timer/1 dropped", "t{0} Done"]);
    assert_eq!(hand.last.end, Some(Ok(json!(7))));
}

#[test]
fn retry_tries_again_after_a_pause_and_never_after_a_destroying_call() {
    let mut hand = Hand::new(
        "return cx:retry({ times = 3, backoff = '2s' }, function() return fs.read { 'x' }.n end)",
    );
    let ms = |hand: &Hand| {
        hand.last.acts.iter().find_map(|act| match act {
            Act::Asked { request, .. } if request.call == "cx.timer" => request.args["ms"].as_u64(),
            _ => None,
        })
    };
    hand.deliver("retry[1]/1", unreachable());
    assert_eq!(hand.did(), ["retry[1] failed", "retry[1]/timer/1 cx.timer"]);
    assert!((1000..=3000).contains(&ms(&hand).unwrap()));
    hand.deliver("retry[1]/timer/1", Ok(Value::Null));
    hand.deliver("retry[2]/1", unreachable());
    assert!((2000..=6000).contains(&ms(&hand).unwrap()), "twice as long");
    hand.deliver("retry[2]/timer/1", Ok(Value::Null)).deliver("retry[3]/1", Ok(json!({ "n": 7 })));
    assert_eq!(hand.last.end, Some(Ok(json!(7))));

    let mut hand = Hand::new("cx:retry({}, function() talos.reset { 'w-1' } end)");
    hand.deliver("retry[1]/1", unreachable());
    assert!(matches!(hand.last.end, Some(Err(Failure::Call(..)))));
    let mut hand = Hand::new("cx:retry({}, function() fs.read { 'x' } end)");
    hand.deliver("retry[1]/1", Err(CallError::new(ErrorKind::NotFound, "gone")));
    assert!(matches!(hand.last.end, Some(Err(Failure::Call(..)))), "this kind is not tried again");
}

#[test]
fn wait_until_asks_again_and_tells_why_it_gave_up() {
    let code = "return cx:wait_until('pods', { every = '10s', timeout = '1m' }, function() local n = fs.read { 'x' }.n if n == 3 then return true end return n .. ' of 3' end)";
    let mut hand = Hand::new(code);
    assert_eq!(hand.did(), ["wait[pods]/limit/1 cx.timer", "wait[pods]/1/1 fs.read"]);
    hand.deliver("wait[pods]/1/1", Ok(json!({ "n": 1 })));
    assert_eq!(hand.did(), ["wait[pods]/1 Done", "wait[pods]/1/timer/1 cx.timer"]);
    hand.deliver("wait[pods]/1/timer/1", Ok(Value::Null))
        .deliver("wait[pods]/2/1", Ok(json!({ "n": 3 })));
    assert_eq!(hand.last.end, Some(Ok(json!(true))));
    assert!(hand.did().contains(&"wait[pods]/limit/1 dropped".to_owned()));
    let mut hand = Hand::new(code);
    hand.deliver("wait[pods]/1/1", Ok(json!({ "n": 1 })))
        .deliver("wait[pods]/limit/1", Ok(Value::Null));
    let Some(Err(Failure::Call(error, _))) = &hand.last.end else { panic!("{:?}", hand.last.end) };
    assert_eq!(
        (error.kind, error.message.as_str()),
        (ErrorKind::Timeout, "waiting for pods took longer than 1m: 1 of 3")
    );
    assert!(hand.did().contains(&"wait[pods]/1/timer/1 dropped".to_owned()));
    let mut hand = Hand::new(code);
    hand.deliver("wait[pods]/limit/1", Ok(Value::Null));
    assert!(hand.did().contains(&"wait[pods]/1/1 dropped".to_owned()));
    assert!(hand.last.end.is_some());
}

#[test]
fn rolling_never_has_a_control_plane_beside_another_node() {
    let mut hand = Hand::new(
        "cx:rolling(cx.cluster.nodes, { max_workers = 2 }, function(node) talos.reboot { node } end)",
    );
    assert_eq!(hand.did(), ["node[w-1]/gather/1 cx.gather", "node[w-2]/gather/1 cx.gather"]);
    hand.deliver("node[w-1]/gather/1", Ok(json!({})));
    assert_eq!(hand.did(), ["node[w-1]/1 talos.reboot"]);
    hand.deliver("node[w-1]/1", Ok(json!({})));
    assert_eq!(hand.did(), ["node[w-1]/healthy/1 cx.healthy_again"]);
    hand.deliver("node[w-1]/healthy/1", Ok(json!({})));
    assert_eq!(hand.did(), ["node[w-1] Done"], "no control plane begins beside w-2");
    hand.deliver("node[w-2]/gather/1", Ok(json!({}))).deliver("node[w-2]/1", Ok(json!({})));
    hand.deliver("node[w-2]/healthy/1", Ok(json!({})));
    assert_eq!(hand.did(), ["node[w-2] Done", "node[cp-1]/gather/1 cx.gather"], "one at a time");
}

#[test]
fn rolling_stops_at_a_failure_or_asks() {
    let mut hand =
        Hand::new("cx:rolling(cx.cluster.nodes, function(node) talos.reboot { node } end)");
    hand.deliver("node[w-1]/gather/1", Ok(json!({}))).deliver("node[w-1]/1", unreachable());
    assert_eq!(hand.did(), ["node[w-1] failed", "t{0} failed"]);
    let code = "cx:rolling(cx.cluster.nodes, { on_failure = 'ask' }, function(node) talos.reboot { node } end)";
    for (answer, next) in [(true, "node[w-2]/gather/1 cx.gather"), (false, "t{0} failed")] {
        let mut hand = Hand::new(code);
        hand.deliver("node[w-1]/gather/1", Ok(json!({}))).deliver("node[w-1]/1", unreachable());
        assert_eq!(hand.did(), ["node[w-1] failed", "go-on-1/1 cx.confirm"]);
        hand.deliver("go-on-1/1", Ok(json!(answer)));
        assert_eq!(hand.did(), [next]);
    }
}

#[test]
fn a_looked_at_unknown_is_a_frontier_and_the_other_branches_are_planned_on() {
    let code = "cx:each({ 'a', 'b' }, function(x)\nlocal r = talos.reboot { x }\nif x == 'a' then pcall(function() return r.boot_id == 'x' end) end\nfs.write { x, content = ops.later(r, 'boot_id') }\nend)";
    let ran = run(&body(code), spec("t"), |request| {
        Ok(match request.call.as_str() {
            "talos.reboot" => {
                json!({ "changed": true, "boot_id": { "$later": { "call": "t{0}/x/1", "field": "boot_id" } } })
            }
            _ => json!({}),
        })
    });
    assert_eq!(
        ran.calls(),
        ["talos.reboot", "talos.reboot", "fs.write"],
        "pcall does not catch a frontier"
    );
    assert!(ran.asked()[2].contains("\"content\":{\"$later\""));
    let fault = ran.fault();
    assert!(fault.title.starts_with("frontier"), "{fault}");
    assert_eq!(fault.code, Code::FRONTIER);
    assert_eq!(fault.place.unwrap().to_string(), "recipes/t.lua:4:44");
}

#[test]
fn a_reply_of_which_nothing_is_known_is_a_frontier_however_it_is_looked_at() {
    for look in ["v.boot_id", "v.boot_id == 'running'", "#v", "v .. ''", "v < 1"] {
        let code = format!("local v = talos.reboot {{ 'a' }}\nlocal _ = {look}\nfs.read {{ 'x' }}");
        let ran = run(&body(&code), spec("t"), |_| {
            Ok(json!({ "$later": { "call": "t{0}/1", "field": "" } }))
        });
        assert_eq!(
            (ran.calls(), ran.fault().code),
            (vec!["talos.reboot".to_owned()], Code::FRONTIER),
            "{look}"
        );
    }
}

#[test]
fn stages_are_nested_steps_in_order() {
    let text = "return ops.recipes { { name = 'all', desc = 'd', stages = { 'one', { 'other:two', x = 1 } } } }";
    let host = host(&[("recipes/g.lua", text)]);
    let ran = run(&host, spec("g:all"), nothing);
    assert_eq!(
        ran.asked(),
        [
            "g:all{0}/1 cx.run {\"args\":{},\"recipe\":\"g:one\"}",
            "g:all{0}/2 cx.run {\"args\":{\"x\":1},\"recipe\":\"other:two\"}",
        ]
    );
    let failed = run(&host, spec("g:all"), |_| Err(CallError::new(ErrorKind::Failed, "no")));
    assert_eq!(failed.calls().len(), 1);
}

#[test]
fn shell_lines_get_parameters_as_variables() {
    let text = "return ops.recipe { desc = 'd', run = { 'echo $name', 'make' }, env = { A = 'b' }, cwd = 'sub', params = { name = param.string {}, n = param.int {}, l = param.list {} } }";
    let ran = run(
        &host(&[("recipes/t.lua", text)]),
        with_params("t", json!({ "name": "x; rm -rf /", "n": 3, "l": ["a", "b"] })),
        nothing,
    );
    assert_eq!(
        ran.asked()[0],
        "t{0}/1 sh {\"command\":\"echo $name\",\"cwd\":\"sub\",\"env\":{\"A\":\"b\",\"l\":\"a b\",\"n\":\"3\",\"name\":\"x; rm -rf /\"}}"
    );
    assert_eq!(ran.calls().len(), 2);
}

#[test]
fn run_and_confirm_ask_the_engine() {
    let ran = ran(
        "local r = cx:run('other:x', { nodes = cx.cluster.nodes.workers }) cx:confirm('sure?', { word = 'yes' }) return r",
    );
    assert_eq!(
        ran.asked(),
        [
            "t{0}/1 cx.run {\"args\":{\"nodes\":[\"w-1\",\"w-2\"]},\"recipe\":\"other:x\"}",
            "t{0}/2 cx.confirm {\"text\":\"sure?\",\"word\":\"yes\"}",
        ]
    );
}

#[test]
fn require_and_fail_say_what_they_say() {
    let Err(Failure::Call(error, fault)) = ran("cx:require(false, '%d of %d', 1, 3)").end else {
        panic!()
    };
    assert_eq!(
        (error.kind, error.message.as_str(), fault.code),
        (ErrorKind::Precondition, "1 of 3", Code::PRECONDITION)
    );
    let Err(Failure::Call(error, fault)) = ran("cx:fail('no %s', 'way')").end else { panic!() };
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Failed, "no way"));
    assert_eq!(fault.place.unwrap().line, 2);
    assert_eq!(value("return cx:require({ 1 })"), json!([1]));
    let Err(Failure::Fault(fault)) = ran("local function f() error('mine', 2) end\nf()").end else {
        panic!()
    };
    assert_eq!((fault.title.as_str(), fault.place.unwrap().line), ("mine", 3));
    let Err(Failure::Call(error, _)) =
        ran("local ok, err = pcall(cx.fail, cx, 'first') error(err)").end
    else {
        panic!()
    };
    assert_eq!(error.message, "first", "a caught error is raised again as it was");
}

#[test]
fn an_override_calls_what_it_replaces_with_what_that_found() {
    let base = "return ops.recipe { desc = 'base', params = { a = param.string {} }, preconditions = function() return 'base found' end, run = function(cx, p, found) fs.write { 'base', content = found .. p.a } return 'base' end }";
    let over = "return ops.override { params = { b = param.string {} }, preconditions = function(cx, p) fs.read { p.b } return 'own found' end, run = function(cx, p, found) fs.write { 'own', content = found } return cx:super(p) end }";
    let sources = crate::recipe::source::Sources::default()
        .with_embedded("recipes/t.lua", base)
        .with("recipes/t.lua", over);
    let host = crate::lua::Host::with_calls(sources, super::calls());
    let spec = with_params("t", json!({ "a": "A", "b": "B" }));
    let found = run(&host, StepSpec { entry: Entry::Preconditions, ..spec.clone() }, nothing);
    assert_eq!(found.calls(), ["fs.read"]);
    let ran = run(&host, StepSpec { found: found.value(), ..spec }, nothing);
    assert_eq!(
        ran.asked(),
        [
            "t{0}/1 fs.write {\"content\":\"own found\",\"path\":\"own\"}",
            "t{0}/2 fs.write {\"content\":\"base foundA\",\"path\":\"base\"}"
        ]
    );
    assert_eq!(ran.value(), json!("base"));
}

#[test]
fn the_other_functions_of_a_recipe_run_too() {
    let text = "return ops.recipe { desc = 'd', params = { v = param.string { default = function(cx) return cx.cluster.versions.talos .. fs.read { 'x' }.s end }, \
                n = param.int { default = 3, check = function(v, p) return v < 5 or v .. ' is too many for ' .. p.v end } }, \
                needs = function(p) return { 'a', { 'g:b', n = p.n } } end, confirm = function(cx, p) return 'sure about ' .. p.n .. '?' end, \
                preconditions = function(cx, p) return { n = p.n } end, on_failure = function(cx, p, err) log.info('%s: %s', err.kind, err.message) end, \
                run = function(cx, p, found) return { found.n, cx.needs['g:b'].x, cx.run_id, cx.recipe } end }";
    let host = host(&[("recipes/g/t.lua", text)]);
    let answer = |_: &Request| Ok(json!({ "s": "+x" }));
    let given =
        |entry, n: i64| StepSpec { entry, ..with_params("g:t", json!({ "v": "v", "n": n })) };
    let params = run(&host, StepSpec { entry: Entry::Parameters, ..spec("g:t") }, answer);
    assert_eq!(params.value(), json!({ "v": "v1.13.0+x", "n": 3 }));
    let refused = run(&host, given(Entry::Parameters, 7), answer);
    assert_eq!(
        (refused.fault().code, refused.fault().title),
        (Code::PARAM_VALUE, "parameter `n`: 7 is too many for v".into())
    );
    assert_eq!(
        run(&host, given(Entry::Needs, 4), answer).value(),
        json!([{ "recipe": "g:a", "args": {} }, { "recipe": "g:b", "args": { "n": 4 } }])
    );
    assert_eq!(run(&host, given(Entry::Confirm, 4), answer).value(), json!("sure about 4?"));
    assert_eq!(run(&host, given(Entry::Preconditions, 4), answer).value(), json!({ "n": 4 }));
    let error = CallError::new(ErrorKind::Timeout, "too slow");
    assert_eq!(run(&host, given(Entry::OnFailure(error), 4), answer).logs(), ["timeout: too slow"]);
    let mut step = StepSpec { found: json!({ "n": 4 }), ..given(Entry::Run, 4) };
    step.needs.insert("g:b".into(), json!({ "x": 9 }));
    assert_eq!(run(&host, step, answer).value(), json!([4, 9, "7k2m", "g:t"]));
}

#[test]
fn a_recipe_without_a_cluster_has_none() {
    let host = host(&[("recipes/t.lua", &recipe("return cx.cluster.name"))]);
    let fault = run(&host, StepSpec { cluster: None, ..spec("t") }, nothing).fault();
    assert!(fault.title.contains("without a cluster"), "{fault}");
}

#[test]
fn a_delivery_that_nobody_waits_for_is_a_fault_of_ops() {
    let mut hand = Hand::new("fs.read { 'x' }");
    hand.deliver("7", Ok(json!({})));
    assert!(matches!(&hand.last.end, Some(Err(Failure::Fault(fault))) if fault.code == Code::BUG));
}
