//! Recipe files become heads: names, parameters in order, overrides, and every mistake at its place.

use ops_core::error::{Code, Fault};
use serde_json::json;

use super::{host, recipe};
use crate::recipe::{Needs, Origin, ParamKind};

fn spec_recipes() -> Vec<(&'static str, &'static str)> {
    vec![
        ("recipes/apps/deploy-cilium.lua", include_str!("recipes/apps__deploy-cilium.lua")),
        ("recipes/bootstrap.lua", include_str!("recipes/bootstrap.lua")),
        ("recipes/cluster/safe-reset.lua", include_str!("recipes/cluster__safe-reset.lua")),
        ("recipes/cluster/verify-safety.lua", include_str!("recipes/cluster__verify-safety.lua")),
        ("recipes/regenerate.lua", include_str!("recipes/regenerate.lua")),
        ("recipes/talos/apply-config.lua", include_str!("recipes/talos__apply-config.lua")),
        ("recipes/talos/generate-config.lua", include_str!("recipes/talos__generate-config.lua")),
        ("recipes/talos/reboot.lua", include_str!("recipes/talos__reboot.lua")),
        ("recipes/talos/upgrade.lua", include_str!("recipes/talos__upgrade.lua")),
    ]
}

/// The faults of one file, and their places as text.
fn faults(text: &str) -> Vec<Fault> {
    host(&[("recipes/g/t.lua", text)]).faults().to_vec()
}

fn at(fault: &Fault) -> String {
    fault.place.as_ref().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn the_recipes_of_the_specification_load() {
    let host = host(&spec_recipes());
    assert_eq!(host.faults(), []);
    let names: Vec<&str> = host.catalog().names().collect();
    assert_eq!(names.len(), 19, "{names:?}");
    let apply = host.catalog().get("talos:apply-config").unwrap();
    assert_eq!(apply.desc, "Apply machine configs to nodes");
    assert!(apply.doc.starts_with("Nodes fresh from the installer"));
    assert_eq!(apply.phase.as_deref(), Some("bootstrap"));
    let Needs::Static(needs) = &apply.needs else { panic!() };
    assert_eq!(needs[0].recipe, "talos:generate-config");
    let params: Vec<&str> = apply.params.iter().map(|param| param.name.as_str()).collect();
    assert_eq!(params, ["nodes", "mode"]);
    assert!(apply.params[0].positional);
    assert_eq!(apply.params[1].default, Some(json!("auto")));
    assert!(host.catalog().get("cluster:safe-reset").unwrap().destructive);
    let cluster = host.catalog().get("bootstrap:cluster").unwrap();
    let stages: Vec<&str> = cluster.stages.iter().map(|stage| stage.recipe.as_str()).collect();
    assert_eq!(stages[..2], ["bootstrap:talos", "bootstrap:k8s"]);
    assert_eq!(cluster.phase.as_deref(), Some("bootstrap"), "named keys are defaults for all");
}

#[test]
fn parameters_keep_the_order_in_which_they_were_declared() {
    let names: Vec<String> = (0..40).map(|i| format!("p{}", (i * 17) % 40)).collect();
    let params: Vec<String> = names.iter().map(|n| format!("{n} = param.string {{}}")).collect();
    let text = format!(
        "return ops.recipe {{ desc = \"d\", run = \"true\", params = {{ {} }} }}",
        params.join(", ")
    );
    let host = host(&[("recipes/t.lua", &text)]);
    let read = &host.catalog().get("t").unwrap().params;
    assert_eq!(read.iter().map(|param| param.name.clone()).collect::<Vec<_>>(), names);
}

#[test]
fn default_answers_to_the_groups_own_name() {
    let text = "return ops.recipes {\n---All of it.\n{ name = \"default\", desc = \"d\", run = \"true\", needs = { \"x\" } },\n{ name = \"x\", desc = \"d\", run = { \"a\", \"b\" } } }";
    let host = host(&[("recipes/flux.lua", text)]);
    assert_eq!(host.faults(), []);
    let default = host.catalog().get("flux").unwrap();
    assert_eq!((default.doc.as_str(), default.line), ("All of it.", 3));
    let Needs::Static(needs) = &default.needs else { panic!() };
    assert_eq!(needs[0].recipe, "flux:x");
    let lines = host.catalog().get("flux:x").unwrap().shell.clone().unwrap();
    assert_eq!(lines, ["a", "b"]);
}

#[test]
fn every_mistake_in_a_head_is_named_at_its_place() {
    let rows: &[(&str, Code, &str, &str)] = &[
        (
            "return ops.recipe {\n  desc = \"d\", run = \"x\",\n  destructve = true,\n}",
            Code::RECIPE_KEY,
            "unknown key `destructve`",
            "recipes/g/t.lua:3:3",
        ),
        (
            "return ops.recipe { run = \"x\" }",
            Code::RECIPE_KEY,
            "has no `desc`",
            "recipes/g/t.lua:1:1",
        ),
        (
            "return ops.recipe { desc = \"d\" }",
            Code::RECIPE_KEY,
            "neither `run` nor `stages`",
            "recipes/g/t.lua:1:21",
        ),
        (
            "return ops.recipe { desc = \"d\", run = \"x\", stages = { \"y\" } }",
            Code::RECIPE_KEY,
            "both `run` and `stages`",
            "recipes/g/t.lua:1:44",
        ),
        (
            "return ops.recipe { desc = \"d\", run = \"x\", phase = \"bootstrp\" }",
            Code::RECIPE_KEY,
            "there is no phase `bootstrp`",
            "recipes/g/t.lua:1:44",
        ),
        (
            "return ops.recipe { desc = \"d\", run = \"x\", params = { n = param.nodez {} } }",
            Code::RECIPE_LOAD,
            "there is no `param.nodez`",
            "recipes/g/t.lua:1:65",
        ),
        (
            "return ops.recipe { desc = \"d\", run = \"x\", params = { n = param.nodes { defualt = 1 } } }",
            Code::RECIPE_KEY,
            "unknown key `defualt`",
            "recipes/g/t.lua:1:73",
        ),
        (
            "return ops.recipe { desc = \"d\", run = \"x\", params = { n = param.choice { \"a\", default = \"b\" } } }",
            Code::RECIPE_KEY,
            "the default `b` is no choice",
            "recipes/g/t.lua:1:79",
        ),
        (
            "return ops.recipe { desc = \"d\", run = \"x\", timeout = \"5 minutes\" }",
            Code::RECIPE_KEY,
            "not a duration",
            "recipes/g/t.lua:1:44",
        ),
        (
            "return ops.recipe { desc = \"d\", run = 5 }",
            Code::RECIPE_KEY,
            "`run` must be a text",
            "recipes/g/t.lua:1:33",
        ),
        ("return {}", Code::RECIPE_SHAPE, "returns no recipe", "recipes/g/t.lua:1:1"),
        ("retrn ops.recipe {}", Code::RECIPE_SYNTAX, "syntax error", "recipes/g/t.lua:1:"),
        (
            "local x = nil\nlocal y = x.nodes\n",
            Code::RECIPE_LOAD,
            "attempt to index a nil value",
            "recipes/g/t.lua:2:11",
        ),
        (
            "talos.version { \"w-1\" }",
            Code::CALL_PLACE,
            "while a file is loaded",
            "recipes/g/t.lua:1:1",
        ),
        (
            "return talos.version { \"w-1\" }",
            Code::CALL_PLACE,
            "while a file is loaded",
            "recipes/g/t.lua:1:8",
        ),
        ("log.info(\"x\")", Code::CALL_PLACE, "while a file is loaded", "recipes/g/t.lua:1:5"),
        ("count = 1", Code::RECIPE_LOAD, "`count` would be a global", "recipes/g/t.lua:1:1"),
        ("local x = prnt", Code::RECIPE_LOAD, "`prnt` is not defined", "recipes/g/t.lua:1:11"),
        (
            "require \"nope\"",
            Code::MODULE_UNKNOWN,
            "there is no module `nope`",
            "recipes/g/t.lua:1:10",
        ),
        (
            "return ops.override { desc = \"d\" }",
            Code::RECIPE_UNKNOWN,
            "to override",
            "recipes/g/t.lua:1",
        ),
    ];
    let mut wrong = Vec::new();
    for (text, code, title, place) in rows {
        let faults = faults(text);
        let found = faults.iter().find(|fault| fault.title.contains(title));
        let fault = found.unwrap_or_else(|| panic!("{text}\n{faults:?}"));
        if fault.code != *code || !at(fault).starts_with(place) {
            wrong.push(format!(
                "{text}\n  {} at {} instead of {code} at {place}",
                fault.code,
                at(fault)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_misspelt_key_finds_its_neighbour() {
    let faults = faults("return ops.recipe { desc = \"d\", run = \"x\", destructve = true }");
    assert_eq!(faults[0].help, ["did you mean `destructive`?"]);
    let place = faults[0].place.as_ref().unwrap();
    assert_eq!(place.length, 10);
    assert!(place.text.as_ref().unwrap().contains("destructve = true"));
}

#[test]
fn one_wrong_file_spoils_no_other() {
    let host = host(&[("recipes/a.lua", "error('x')"), ("recipes/b.lua", &recipe(""))]);
    assert_eq!(host.faults().len(), 1);
    assert!(host.catalog().get("b").is_some());
}

#[test]
fn a_taken_name_is_an_error_that_says_how_to_take_its_place() {
    let sources = crate::recipe::source::Sources::default()
        .with_embedded("recipes/a.lua", &recipe(""))
        .with("recipes/a.lua", &recipe(""));
    let host = crate::lua::Host::with_calls(sources, super::calls());
    assert_eq!(host.faults()[0].code, Code::RECIPE_CLASH);
    assert!(host.faults()[0].help[0].contains("ops.override"));
}

#[test]
fn an_override_keeps_what_it_does_not_give_and_drops_no_safety() {
    let base = "return ops.recipe { desc = \"base\", destructive = true, tags = { \"x\" }, \
                params = { nodes = param.nodes { required = true }, mode = param.string {} }, \
                preconditions = function() end, run = function() end }";
    let over = "return ops.override { destructive = false, params = { ticket = param.string {}, \
                mode = param.choice { \"a\", \"b\" } }, run = function(cx, p) return cx:super(p) end }";
    let sources = crate::recipe::source::Sources::default()
        .with_embedded("recipes/a.lua", base)
        .with("recipes/a.lua", over);
    let host = crate::lua::Host::with_calls(sources, super::calls());
    assert_eq!(host.faults(), []);
    let head = host.catalog().get("a").unwrap();
    assert_eq!((head.desc.as_str(), head.origin), ("base", Origin::Override));
    assert!(head.destructive && head.functions.preconditions);
    let names: Vec<&str> = head.params.iter().map(|param| param.name.as_str()).collect();
    assert_eq!(names, ["nodes", "mode", "ticket"]);
    assert!(matches!(head.params[1].kind, ParamKind::Choice { .. }));
}

#[test]
fn literal_names_of_nested_recipes_are_known() {
    let text = "return ops.recipes {\n{ name = \"a\", desc = \"d\", run = function(cx)\n cx:run(\"other:x\")\n cx:run(\"b\")\nend },\n{ name = \"b\", desc = \"d\", run = function(cx) cx:run(\"other:y\") end } }";
    let host = host(&[("recipes/g.lua", text)]);
    assert_eq!(host.catalog().get("g:a").unwrap().runs, ["g:b", "other:x"]);
    assert_eq!(host.catalog().get("g:b").unwrap().runs, ["other:y"]);
}

#[test]
fn what_is_built_in_has_no_mistake() {
    let host = crate::lua::Host::new(crate::recipe::source::Sources::embedded());
    assert_eq!(host.faults(), []);
    assert!(host.catalog().names().next().is_some());
}
