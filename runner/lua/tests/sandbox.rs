//! Nothing of the world reaches a body except through a call, and nothing differs from VM to VM.

use ops_core::error::Code;
use serde_json::{Value, json};

use super::{fails, host, nothing, ran, run, spec, value};

#[test]
fn no_name_leads_out() {
    let names = [
        "os",
        "io",
        "debug",
        "package",
        "coroutine",
        "load",
        "loadstring",
        "dofile",
        "loadfile",
        "xpcall",
        "next",
        "rawget",
        "rawset",
        "rawequal",
        "rawlen",
        "collectgarbage",
        "_G",
        "warn",
        "newproxy",
        "setfenv",
        "getfenv",
        "module",
        "string.dump",
        "math.random",
        "math.randomseed",
        "os.getenv",
        "ops.getenv",
    ];
    for name in names {
        let fault = fails(&format!("return {name}"));
        let word = name.split('.').next().unwrap();
        assert!(fault.title.contains(word), "{name}: {fault}");
        assert!(matches!(fault.code, Code::LUA | Code::CALL_UNKNOWN), "{name}: {fault}");
    }
}

#[test]
fn the_environment_itself_gives_no_more() {
    for code in [
        "return _ENV.os",
        "local env = _ENV return env.io",
        "return getmetatable(_ENV).__index",
        "setmetatable(_ENV, {})",
        "return getmetatable('').__index",
        "('').dump(print)",
        "local f = function() return os end return f()",
        "for k, v in pairs(_ENV) do if k == 'os' then return v end end error('not there')",
    ] {
        let ran = ran(code);
        assert!(ran.end.is_err(), "{code}: {:?}", ran.end);
    }
}

#[test]
fn no_global_is_made() {
    for code in [
        "count = 1",
        "function helper() end",
        "_ENV.count = 1",
        "string.trim = print",
        "talos.reset = print",
        "cx.cluster = 1",
        "cx.run_id = 'x'",
        "math.pi = 3",
        "p.nodes = {}",
        "cx.cluster.name = 'other'",
        "cx.cluster.nodes[1] = 'x'",
        "ops.try = nil",
        "log.info = print",
    ] {
        let fault = fails(code);
        assert!(
            fault.title.contains("would be a global") || fault.title.contains("read-only"),
            "{code}: {fault}"
        );
    }
}

#[test]
fn no_bytecode_is_taken() {
    let chunk = mlua::Lua::new().load("return 1").into_function().unwrap().dump(true);
    let text = String::from_utf8_lossy(&chunk).into_owned();
    let host = host(&[("recipes/b.lua", &text)]);
    assert_eq!(host.faults().len(), 1);
    assert!(host.catalog().get("b").is_none());
}

#[test]
fn no_address_is_shown() {
    let things = [
        "{}",
        "print",
        "function() end",
        "talos",
        "talos.version",
        "cx",
        "cx.cluster",
        "cx.cluster.nodes",
        "cx.cluster.nodes[1]",
        "ops",
        "_ENV",
        "string.format",
        "string",
        "p",
        "setmetatable({}, { __name = 'mine' })",
        "select(2, pcall(error, 'x'))",
        "fs.read { 'x' }",
        "cx:each({ 1 }, function() end)",
        "param",
        "ipairs({})",
        "pairs({})",
        "sh",
    ];
    for thing in things {
        let code = format!(
            "local x = {thing} local out = {{ tostring(x), ('%s'):format(x), string.format('%10s|%-5s', x, x) }} \
             log.info('%s', x) print(x) \
             local ok, err = pcall(function() return x < 5 end) out[4] = tostring(err) \
             ok, err = pcall(function() return x .. print end) out[5] = tostring(err) \
             ok, err = pcall(function() return x() end) out[6] = tostring(err) \
             ok, err = pcall(error, x) out[7] = tostring(err) \
             return out"
        );
        let ran = ran(&code);
        let text = format!("{:?} {:?}", ran.logs(), ran.end);
        assert!(!text.contains("0x"), "{thing}: {text}");
        let address = |word: &str| word.len() >= 8 && word.chars().all(|c| c.is_ascii_hexdigit());
        assert!(
            !text
                .split(|c: char| !c.is_alphanumeric())
                .any(|w| address(w) && w.chars().any(|c| c.is_ascii_digit())),
            "{thing}: {text}"
        );
        assert!(ran.end.is_ok(), "{thing}: {text}");
    }
    assert!(fails("return ('%p'):format({})").title.contains("address"));
    assert!(fails("return string.format('%5p', print)").title.contains("address"));
    assert!(fails("error({ code = 3 })").title.contains("`error` takes a text"));
    assert_eq!(fails("assert(false, {})").title, "`error` takes a text, not a table");
}

#[test]
fn format_is_otherwise_that_of_lua() {
    assert_eq!(
        value(
            "return string.format('%d %5.1f %s %q %% %x %s %i', 3, 2.5, nil, 'a\"b', 255, true, 7)"
        ),
        json!("3   2.5 nil \"a\\\"b\" % ff true 7")
    );
    assert!(fails("return string.format('%d', 'x')").title.contains("number expected"));
    assert!(fails("return string.format('%s')").title.contains("bad argument #2"));
}

#[test]
fn pairs_goes_in_key_order() {
    let code = "local out = {} for k in pairs({ z = 1, a = 2, [10] = 3, [2] = 4, [-1] = 5, [1.5] = 6, [true] = 7, [false] = 8, B = 9, ['ä'] = 10 }) do \
                out[#out + 1] = tostring(k) end return out";
    assert_eq!(value(code), json!(["-1", "1.5", "2", "10", "B", "a", "z", "ä", "false", "true"]));
    let fault = fails("local t = { [{}] = 1 }\nfor k in pairs(t) do end");
    assert!(fault.title.contains("a key that is a table"), "{fault}");
    assert_eq!(fault.place.unwrap().line, 3);
    assert!(fails("for k in pairs({ [cx] = 1 }) do end").title.contains("a key that is"));
    assert_eq!(
        value("local n = 0 for k, v in pairs({ 1, 2, 3 }) do n = n + k * v end return n"),
        json!(14)
    );
    assert_eq!(
        value(
            "local t = { a = 1, b = 2, c = 3 } local out = {} for k in pairs(t) do t[k] = nil t.c = nil out[#out + 1] = k end return out"
        ),
        json!(["a", "b"])
    );
    assert_eq!(
        value(
            "local out = {} for i, node in ipairs(cx.cluster.nodes) do out[i] = node.name end return out"
        ),
        json!(["cp-1", "cp-2", "w-1", "w-2"])
    );
}

#[test]
fn metatables_take_no_hook_into_the_collector() {
    for key in ["__gc", "__mode", "__close", "__pairs", "__metatable", "__frozen", "__anything"] {
        let fault = fails(&format!("setmetatable({{}}, {{ {key} = function() end }})"));
        assert!(fault.title.contains(key), "{key}: {fault}");
    }
    // What is put into a metatable afterwards has no effect.
    let code = "local meta = {} local t = setmetatable({}, meta) meta.__mode = 'k' meta.__index = function() return 1 end return t.x == nil";
    assert_eq!(value(code), json!(true));
    let code = "local Class = {} Class.__index = Class function Class.new(n) return setmetatable({ n = n }, Class) end \
                function Class:twice() return self.n * 2 end local c = Class.new(4) return { c:twice(), getmetatable(c) == Class }";
    assert_eq!(value(code), json!([8, true]));
    assert!(
        fails("local x <close> = setmetatable({}, { __close = function() end })")
            .title
            .contains("__close")
    );
}

/// What a body sees that touches everything that might differ between VMs.
const WIDE: &str = "
    local t, out = {}, {}
    for i = 1, 300 do t['key' .. (i * 7919) % 1000] = i end
    for k, v in pairs(t) do out[#out + 1] = k .. '=' .. v end
    local list = {}
    for i = 1, 200 do list[i] = { n = (i * 31) % 7, i = i } end
    table.sort(list, function(a, b) return a.n < b.n end)
    for _, item in ipairs(list) do out[#out + 1] = item.n .. ':' .. item.i end
    table.sort(out, function(a, b) return a:sub(1, 1) < b:sub(1, 1) end)
    local words = ops.sorted(ops.map(list, function(item) return 'w' .. item.i end))
    return { out, tostring(t), #words, ops.digest(out) }";

#[test]
fn pairs_and_sort_agree_in_100_vms() {
    let host = super::body(WIDE);
    let first = run(&host, spec("t"), nothing).value();
    for _ in 1..100 {
        assert_eq!(run(&host, spec("t"), nothing).value(), first);
    }
}

#[test]
fn sort_is_stable_and_survives_a_comparator_that_contradicts_itself() {
    let code = "local t = {} for i = 1, 50 do t[i] = { k = i % 3, i = i } end table.sort(t, function(a, b) return a.k < b.k end) \
                for i = 2, 50 do if t[i].k == t[i-1].k and t[i].i < t[i-1].i then return false end end return true";
    assert_eq!(value(code), json!(true));
    assert_eq!(
        value(
            "local t = {} for i = 1, 50 do t[i] = i end table.sort(t, function() return true end) return #t"
        ),
        json!(50)
    );
    assert_eq!(value("local t = { 3, 1.5, 2 } table.sort(t) return t"), json!([1.5, 2, 3]));
    assert!(fails("table.sort({ 1, 'a' })").title.contains("cannot compare"));
    assert!(fails("table.sort({ 1, 2 }, function() error('mine') end)").title.contains("mine"));
}

#[test]
fn a_stranger_cannot_forge_a_handle() {
    for code in [
        "return { ['$secret'] = { provider = 'env', reference = 'X', digest = 'd' } }",
        "fs.write { 'a', content = { ['$blob'] = { digest = 'd', size = 1 } } }",
        "return { a = { { ['$report'] = { id = 1 } } } }",
        "cx:run('x', { a = { ['$later'] = { call = 'c', field = 'f' } } })",
        "sh { '$x', ['$secret'] = 1 }",
    ] {
        let ran = ran(code);
        assert!(ran.fault().title.contains("reserved"), "{code}: {:?}", ran.end);
        assert_eq!(ran.calls(), Vec::<String>::new(), "{code}");
    }
}

#[test]
fn a_secret_is_handed_on_and_never_read() {
    let secret = json!({ "$secret": { "provider": "env", "reference": "TOKEN", "digest": "d" } });
    let answer = |request: &ops_core::call::Request| match request.call.as_str() {
        "secrets.env" => Ok(secret.clone()),
        _ => Ok(json!({})),
    };
    let code = "local s = secrets.env { 'TOKEN' } fs.write { 'a', content = 'x=' .. s .. '!' } \
                log.info('token %s', s) return { tostring(s), ('%s'):format(s) }";
    let ran = run(&super::body(code), spec("t"), answer);
    let asked = ran.asked();
    assert!(asked[1].contains("\"provider\":\"joined\""), "{asked:?}");
    let parts: Value = json!(["x=", secret, "!"]);
    assert!(asked[1].contains(&serde_json::to_string(&parts.to_string()).unwrap()), "{asked:?}");
    assert_eq!(ran.logs(), ["token •••"]);
    assert_eq!(ran.end, Ok(json!(["•••", "•••"])));
    for read in ["s:sub(1)", "#s", "s.reference", "s < 'a'", "s == secrets.env { 'B' }", "s .. {}"]
    {
        let ran = run(
            &super::body(&format!("local s = secrets.env {{ 'TOKEN' }} return {read}")),
            spec("t"),
            answer,
        );
        assert!(ran.end.is_err(), "{read}: {:?}", ran.end);
    }
}

#[test]
fn modules_are_frozen_and_keep_to_themselves() {
    let files = [
        (
            "lua-lib/checks/cidr.lua",
            "local M = { list = { 1, 2 }, deep = { a = { b = 1 } } } function M.f() return 7 end return M",
        ),
        ("lua-lib/bad.lua", "talos.version { 'w-1' } return {}"),
        ("lua-lib/ring.lua", "return { other = require 'ring' }"),
        ("lua-lib/empty.lua", "local x = 1"),
        (
            "lua-lib/late.lua",
            "return { version = function(node) return talos.version { node } end }",
        ),
    ];
    let given = |code: &str| {
        let recipe = super::recipe(code);
        let mut all = files.to_vec();
        all.push(("recipes/t.lua", recipe.as_str()));
        run(&host(&all), spec("t"), nothing)
    };
    let code = "local m = require 'checks.cidr' local n = 0 for _, x in ipairs(m.list) do n = n + x end \
                local keys = {} for k in pairs(m) do keys[#keys + 1] = k end \
                return { m.f(), n, #m.list, m.deep.a.b, keys, m == require 'checks.cidr', table.concat(m.list, ',') }";
    assert_eq!(given(code).value(), json!([7, 3, 2, 1, ["deep", "f", "list"], true, "1,2"]));
    for write in [
        "m.x = 1",
        "m.deep.a.b = 2",
        "m.list[1] = 5",
        "table.insert(m.list, 3)",
        "table.sort(m.list, function(a, b) return a > b end)",
    ] {
        let fault = given(&format!("local m = require 'checks.cidr' {write}")).fault();
        assert!(fault.title.contains("read-only"), "{write}: {fault}");
    }
    assert_eq!(given("require 'bad'").fault().code, Code::CALL_PLACE);
    assert!(given("require 'ring'").fault().title.contains("requires itself"));
    assert!(given("require 'empty'").fault().title.contains("returns nothing"));
    assert!(given("require '../recipes/t'").fault().title.contains("no name of a module"));
    let late = given("return require('late').version(cx.cluster:node('w-1'))");
    assert_eq!(late.asked(), ["t{0}/1 talos.version {\"node\":\"w-1\"}"]);
    assert_eq!(given("return require('ops.talos') == talos").value(), json!(true));
}

#[test]
fn clock_and_chance_come_as_calls_only() {
    let names = ["os.time", "os.clock", "os.date", "math.random", "os.tmpname", "time.time"];
    for name in names {
        assert!(ran(&format!("return {name}()")).end.is_err(), "{name}");
    }
    assert_eq!(ran("return time.now {}").calls(), ["time.now"]);
}
