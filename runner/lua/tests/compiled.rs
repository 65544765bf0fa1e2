//! Bodies whose functions were compiled before are the same as those whose file is loaded.

use serde_json::json;

use super::{host, nothing, recipe, run, spec};
use crate::lua::Host;

/// What four bodies of one process do: the first two load the file, the others need not.
fn four(host: &Host) -> Vec<String> {
    (0..4).map(|_| format!("{:?}", run(host, spec("t"), nothing))).collect()
}

#[test]
fn a_body_does_the_same_whether_its_file_was_loaded_or_its_function_compiled() {
    let alone = [
        "return 1",
        "fs.read { 'a' } log.info('b') return cx:each({ 1, 2 }, function(i) return fs.glob { tostring(i) } end)",
        "local s = 0 for k, v in pairs({ b = 1, a = 2 }) do s = s * 10 + v end return ('%d'):format(s)",
        "error('no')",
        "return nowhere.to_be_found",
        "\n\nreturn talos.rset { 'w-1' }",
        "undeclared = 1",
        "return require('ops.talos') == talos",
        "while true do end",
        "cx:parallel { a = function() fs.read { 'a' } end, b = function() error('b') end }",
    ];
    for code in alone {
        let host = host(&[("recipes/t.lua", &recipe(code))]);
        let ran = four(&host);
        assert!(ran.iter().all(|one| *one == ran[0]), "{code}\n{ran:#?}");
        assert!(host.compiled("recipes/t.lua", "t"), "{code}");
    }
}

#[test]
fn a_function_that_refers_to_its_file_is_loaded_with_it() {
    let files = [
        "local n = 2 return ops.recipe { desc = 'x', run = function() return n end }",
        "local ops = ops return ops.recipe { desc = 'x', run = function() return ops.version('1.2.3') end }",
        "local fs = fs return ops.recipe { desc = 'x', run = function() return fs.read { 'x' } end }",
        "local _ENV = { ops = ops, n = 3 } return ops.recipe { desc = 'x', run = function() return n end }",
    ];
    for text in files {
        let host = host(&[("recipes/t.lua", text)]);
        let ran = four(&host);
        assert!(ran.iter().all(|one| *one == ran[0]), "{text}\n{ran:#?}");
        assert!(!host.compiled("recipes/t.lua", "t"), "{text}");
    }
}

#[test]
fn one_recipe_of_a_file_may_stand_alone_and_another_not() {
    let text = "local n = 2 return ops.recipes {
        { name = 'default', desc = 'x', run = function() return 1 end },
        { name = 'with', desc = 'x', run = function() return n end },
    }";
    let host = host(&[("recipes/t.lua", text)]);
    for _ in 0..4 {
        assert_eq!(run(&host, spec("t"), nothing).value(), json!(1));
        assert_eq!(run(&host, spec("t:with"), nothing).value(), json!(2));
    }
    assert!(host.compiled("recipes/t.lua", "t"));
    assert!(!host.compiled("recipes/t.lua", "t:with"));
}
