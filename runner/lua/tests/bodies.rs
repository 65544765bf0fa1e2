//! Bodies run: calls in program order, branches by name, replies read-only, results plain data.

use ops_core::call::Request;
use ops_core::error::{CallError, Code, ErrorKind};
use ops_core::machine::{Act, Failure};
use ops_core::value::Value;
use serde_json::json;

use super::{body, fails, host, ran, run, spec, value, with_params};

fn applied(request: &Request) -> Result<Value, CallError> {
    Ok(match request.call.as_str() {
        "talos.apply_config" => json!({ "changed": request.args["node"] != "w-2", "diff": "" }),
        "talos.version" => json!({ "version": "v1.13.0" }),
        _ => json!({}),
    })
}

#[test]
fn apply_config_asks_for_one_node_after_the_other_workers_first() {
    let host = host(&[(
        "recipes/talos/apply-config.lua",
        include_str!("recipes/talos__apply-config.lua"),
    )]);
    let params = json!({ "nodes": ["cp-1", "cp-2", "w-1", "w-2"], "mode": "auto" });
    let ran = run(&host, with_params("talos:apply-config", params), applied);
    let calls: Vec<String> =
        ran.asked().into_iter().filter(|call| !call.contains(" cx.")).collect();
    let root = "talos:apply-config{0}";
    let apply = |node: &str| {
        format!(
            "{root}/node[{node}]/1 talos.apply_config \
             {{\"file\":\"talos/rendered/home-{node}.yaml\",\"mode\":\"auto\",\"node\":\"{node}\"}}"
        )
    };
    let wait = |node: &str| {
        format!("{root}/node[{node}]/2 wait.node {{\"node\":\"{node}\",\"state\":\"settled\"}}")
    };
    assert_eq!(
        calls,
        [
            apply("w-1"),
            wait("w-1"),
            apply("w-2"), // nothing changed, so nothing is waited for
            apply("cp-1"),
            wait("cp-1"),
            apply("cp-2"),
            wait("cp-2"),
        ]
    );
    let gathered: Vec<String> =
        ran.asked().into_iter().filter(|call| call.contains(" cx.gather")).collect();
    assert_eq!(gathered.len(), 4);
    assert!(gathered[0].starts_with(&format!("{root}/node[w-1]/gather/1 cx.gather ")));
    assert_eq!(ran.calls().last().map(String::as_str), Some("cx.healthy_again"));
    assert_eq!(ran.end, Ok(Value::Null));
}

#[test]
fn generate_config_runs_nodes_at_once_and_gives_what_changed() {
    let host = host(&[(
        "recipes/talos/generate-config.lua",
        include_str!("recipes/talos__generate-config.lua"),
    )]);
    let blob = json!({ "$blob": { "digest": "00", "size": 3, "sealed": true } });
    let ran = run(
        &host,
        with_params("talos:generate-config", json!({ "nodes": ["cp-1", "w-1"] })),
        |request| {
            Ok(match request.call.as_str() {
                "talos.render" => blob.clone(),
                "fs.write" => {
                    json!({ "path": request.args["path"], "changed": request.args["path"] == "talos/rendered/home-w-1.yaml" })
                }
                _ => json!({ "changed": false }),
            })
        },
    );
    let first: Vec<String> = ran.asked().into_iter().take(2).collect();
    assert!(first[1].contains("node[w-1]/1 talos.render"), "both begin in one turn: {first:?}");
    let write = ran.asked().into_iter().find(|call| call.contains("fs.write")).unwrap();
    assert!(write.contains("\"content\":{\"$blob\":"), "{write}");
    assert_eq!(ran.value(), json!({ "written": ["w-1"] }));
}

#[test]
fn calls_are_numbered_within_their_branch() {
    let ran = ran(
        "fs.read { 'a' } cx:branch('b', function() fs.read { 'b' } fs.read { 'c' } end) fs.read { 'd' }",
    );
    assert_eq!(
        ran.asked(),
        [
            "t{0}/1 fs.read {\"path\":\"a\"}",
            "t{0}/branch[b]/1 fs.read {\"path\":\"b\"}",
            "t{0}/branch[b]/2 fs.read {\"path\":\"c\"}",
            "t{0}/2 fs.read {\"path\":\"d\"}",
        ]
    );
}

#[test]
fn two_loops_over_the_same_nodes_are_told_apart() {
    let ran = ran(
        "for i = 1, 2 do cx:each(cx.cluster.nodes, function(node) talos.version { node } end) end",
    );
    let second: Vec<String> = ran.asked().into_iter().skip(4).take(1).collect();
    assert_eq!(second, ["t{0}/node#2[cp-1]/1 talos.version {\"node\":\"cp-1\"}"]);
}

#[test]
fn a_wrong_field_is_an_error_at_its_own_place() {
    let fault =
        fails("local node = cx.cluster:node('w-1')\ntalos.reboot {\n  node,\n  rebot = true,\n}");
    assert_eq!(fault.code, Code::CALL_FIELD);
    assert_eq!(fault.title, "talos.reboot: unknown field `rebot`");
    assert_eq!(fault.place.unwrap().to_string(), "recipes/t.lua:5:3");
    assert_eq!(fault.help, ["did you mean `reboot`?"]);
}

#[test]
fn a_nil_subject_is_an_error_at_its_line() {
    let fault = fails("local node\ntalos.reboot { node }");
    assert_eq!(fault.title, "talos.reboot: the subject `node` is nil");
    assert_eq!(fault.place.unwrap().to_string(), "recipes/t.lua:3:1");
}

#[test]
fn the_line_of_a_tail_call_is_known() {
    let fault = fails("local x = 1\nreturn talos.reboot { rebot = true }");
    assert_eq!(fault.place.unwrap().to_string(), "recipes/t.lua:3:23");
}

#[test]
fn an_unknown_call_finds_its_neighbour() {
    let fault = fails("talos.versoin { 'w-1' }");
    assert_eq!(fault.code, Code::CALL_UNKNOWN);
    assert_eq!(fault.help, ["did you mean `version`?"]);
    let fault = fails("talos.etcd.member {}");
    assert_eq!(fault.title, "there is no `talos.etcd.member`");
}

#[test]
fn dotted_names_nest_and_a_name_can_be_called_and_have_names_below() {
    let ran = ran(
        "talos.etcd.members {} sh { 'make' } sh 'make' sh.exec { 'git', 'gc' } sh.exec { 'ls' } kube.apply { fs.read { 'x' } }",
    );
    assert_eq!(ran.end, Ok(Value::Null));
    let asked = ran.asked();
    assert_eq!(asked[1], "t{0}/2 sh {\"command\":\"make\"}");
    assert_eq!(asked[2], "t{0}/3 sh {\"command\":\"make\"}");
    assert_eq!(asked[3], "t{0}/4 sh.exec {\"argv\":[\"git\",\"gc\"]}");
    assert_eq!(asked[4], "t{0}/5 sh.exec {\"argv\":[\"ls\"]}", "a lone subject is a list of one");
}

#[test]
fn an_empty_table_is_what_the_call_wants() {
    let ran = ran("sh { 'x', env = {} }");
    assert_eq!(ran.asked(), ["t{0}/1 sh {\"command\":\"x\",\"env\":{}}"]);
}

#[test]
fn a_call_that_failed_is_located_and_can_be_caught() {
    let failing = |request: &Request| match request.call.as_str() {
        "talos.version" => Err(CallError::new(ErrorKind::Unreachable, "no route to host")),
        _ => Ok(json!({})),
    };
    let ran = run(&body("talos.version { 'w-1' }"), spec("t"), failing);
    let Err(Failure::Call(error, fault)) = ran.end else { panic!() };
    assert_eq!((error.kind, error.call.as_str()), (ErrorKind::Unreachable, "talos.version"));
    assert_eq!(fault.place.unwrap().to_string(), "recipes/t.lua:2:1");

    let code = "local v, err = ops.try({ 'unreachable' }, talos.version, { 'w-1' })\n\
                local ok, same = pcall(talos.version, { 'w-1' })\n\
                return { v == nil, err.kind, err.message, err.call, ok, same.kind, tostring(err), err.place }";
    let ran = run(&body(code), spec("t"), failing);
    let place = "recipes/t.lua:2:43";
    assert_eq!(
        ran.value(),
        json!([
            true,
            "unreachable",
            "no route to host",
            "talos.version",
            false,
            "unreachable",
            "no route to host",
            place
        ])
    );
}

#[test]
fn try_lets_other_kinds_go_on_and_refuses_unknown_words() {
    let failing = |_: &Request| Err(CallError::new(ErrorKind::NotFound, "gone"));
    let ran = run(&body("ops.try('unreachable', talos.version, { 'w-1' })"), spec("t"), failing);
    let Err(Failure::Call(error, _)) = ran.end else { panic!() };
    assert_eq!(error.kind, ErrorKind::NotFound);
    let fault = fails("ops.try('unreachble', talos.version, { 'w-1' })");
    assert_eq!(fault.help, ["did you mean `unreachable`?"]);
}

#[test]
fn replies_are_read_only_and_know_their_fields() {
    let reply = |_: &Request| Ok(json!({ "version": "v1", "list": [1, 2], "none": null }));
    let fault =
        run(&body("local r = talos.version { 'w-1' }\nr.version = 'v2'"), spec("t"), reply).fault();
    assert!(fault.title.contains("read-only"), "{fault}");
    let fault =
        run(&body("local r = talos.version { 'w-1' }\nreturn r.verison"), spec("t"), reply).fault();
    assert_eq!(fault.title, "the reply of `talos.version` has no field `verison`");
    assert_eq!(fault.place.unwrap().to_string(), "recipes/t.lua:3:10");
    let code = "local r = talos.version { 'w-1' } local n = 0 for _, x in ipairs(r.list) do n = n + x end return { n, #r.list, r.none == nil, type(r) }";
    assert_eq!(run(&body(code), spec("t"), reply).value(), json!([3, 2, true, "table"]));
    let code = "local r = kube.get { kind = 'node' } return { r.spec == nil }";
    assert_eq!(
        run(&body(code), spec("t"), reply).value(),
        json!([true]),
        "Kubernetes objects are plain data"
    );
}

#[test]
fn a_result_that_is_no_plain_data_is_an_error() {
    let fault = fails("return { a = { f = print } }");
    assert_eq!(fault.code, Code::VALUE);
    assert!(fault.title.contains("a function at `a.f`"), "{fault}");
    assert_eq!(
        value("return { cx.cluster.nodes, cx.cluster:node('w-1') }"),
        json!([["cp-1", "cp-2", "w-1", "w-2"], "w-1"])
    );
}

#[test]
fn logs_are_numbered_per_branch() {
    let ran = ran(
        "log.info('a %s %d', cx.cluster.nodes.workers, 3) cx:branch('x', function() print('b', 1) end) log.table({ { a = 1 } }, { 'a' })",
    );
    let logs: Vec<(String, u32, String)> = ran
        .acts
        .iter()
        .filter_map(|act| match act {
            Act::Log { branch, number, body, .. } => {
                Some((branch.leaf().to_owned(), *number, body.to_string()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(logs[0], ("t{0}".into(), 1, "\"a w-1, w-2 3\"".into()));
    assert_eq!(logs[1], ("branch[x]".into(), 1, "\"b\\t1\"".into()));
    assert_eq!(logs[2], ("t{0}".into(), 2, "{\"columns\":[\"a\"],\"rows\":[{\"a\":1}]}".into()));
}

#[test]
fn the_embedded_library_drains_and_uncordons() {
    let host = host(&[("recipes/talos/reboot.lua", include_str!("recipes/talos__reboot.lua"))]);
    let ran = run(&host, with_params("talos:reboot", json!({ "nodes": ["w-1"] })), |request| {
        Ok(match request.call.as_str() {
            "kube.get" => json!({ "spec": {} }),
            _ => json!({}),
        })
    });
    assert_eq!(ran.end, Ok(Value::Null));
    assert_eq!(
        ran.calls(),
        [
            "cx.gather",
            "kube.get",
            "kube.drain",
            "talos.reboot",
            "wait.node",
            "kube.uncordon",
            "cx.healthy_again"
        ]
    );
}

#[test]
fn an_undeclared_parameter_is_an_error() {
    let text = "return ops.recipe { desc = \"d\", params = { nodes = param.nodes {} }, run = function(cx, p)\nreturn p.node\nend }";
    let host = host(&[("recipes/t.lua", text)]);
    let fault = run(&host, with_params("t", json!({ "nodes": ["w-1"] })), super::nothing).fault();
    assert_eq!(fault.title, "there is no parameter `node`");
    assert_eq!(fault.help, ["did you mean `nodes`?"]);
}

#[test]
fn a_host_call_takes_exactly_one_table() {
    for code in
        ["talos.reboot(cx.cluster:node('w-1'))", "talos.reboot()", "talos.reboot({ 'w-1' }, 2)"]
    {
        let fault = fails(code);
        assert_eq!(
            (fault.code, fault.title.as_str()),
            (Code::CALL_FIELD, "`talos.reboot` takes one table"),
            "{code}"
        );
        assert_eq!(fault.help, ["write `talos.reboot { … }`"]);
    }
    assert!(
        fails("talos.reboot { 'w-1', node = 'w-2' }")
            .title
            .contains("the subject stands first and again")
    );
    assert!(fails("talos.validate { 'w-1' }").title.contains("takes only named fields"));
}
