//! Recipes that try to get by the gate, in a healthy lab, through the real binary.

use std::fs;

use crate::space::Space;

fn healthy() -> Space {
    let space = Space::example("home");
    let _ = space.run(["--lab", "lab", "up", "--healthy"]).exit(0);
    space
}

/// Writes that reached a node or the API, as `ops lab state` counts them: `…, 2 of them writes`.
fn writes(space: &Space) -> u64 {
    let state = space.run(["--lab", "lab", "state"]).exit(0).stdout();
    let count = state.split(" of them writes").next().and_then(|s| s.rsplit(' ').next());
    count.and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{state}"))
}

#[test]
fn two_control_planes_do_not_go_at_once_in_parallel_branches() {
    let space = healthy();
    space.write(
        "recipes/race.lua",
        r#"return ops.recipe { desc = "Reboot two at once", run = function(cx)
             cx:parallel { a = function() talos.reboot { "cp-1" } end, b = function() talos.reboot { "cp-2" } end }
           end }"#,
    );
    let ran = space.run(["--lab", "run", "race"]).exit(3);
    assert!(ran.stderr().contains("OPS0310"), "{}", ran.all());
    assert_eq!(writes(&space), 1, "{}", ran.all());
}

#[test]
fn workers_may_go_at_once_in_parallel_branches() {
    let space = healthy();
    space.write(
        "recipes/race.lua",
        r#"return ops.recipe { desc = "Reboot two at once", run = function(cx)
             cx:parallel { a = function() talos.reboot { "w-1" } end, b = function() talos.reboot { "w-2" } end }
           end }"#,
    );
    let _ = space.run(["--lab", "run", "race"]).exit(0);
    assert_eq!(writes(&space), 2);
}

#[test]
fn functions_that_only_read_do_not_run_another_recipes_body() {
    let space = healthy();
    space.write(
        "recipes/body.lua",
        r#"return ops.recipe { desc = "Reboot", run = function() talos.reboot { "w-1" } end }"#,
    );
    for head in [
        "preconditions = function(cx) cx:run \"body\" end",
        "preconditions = function(cx) pcall(cx.run, cx, \"body\") end",
        "confirm = function(cx) cx:run \"body\" return \"so?\" end",
        "params = { x = param.string { default = function(cx) cx:run \"body\" return \"x\" end } }",
    ] {
        let text =
            format!("return ops.recipe {{ desc = \"Detour\", {head}, run = function() end }}");
        space.write("recipes/detour.lua", &text);
        let ran = space.run(["--lab", "run", "detour", "--yes"]).exit(1);
        assert!(ran.stderr().contains("OPS0113"), "{head}: {}", ran.all());
        assert_eq!(writes(&space), 0, "{head}");
    }
}

#[test]
fn limits_and_pauses_do_not_end_a_plan() {
    let space = healthy();
    space.write(
        "recipes/limits.lua",
        r#"return ops.recipe { desc = "Limits", timeout = "2h", run = function(cx)
             cx:timeout("5m", function() return talos.version { "w-1" } end)
             cx:timeout("5m", function() talos.reboot { "w-1" } end)
             cx:wait_until("an answer", { every = "5s" }, function() return talos.version { "w-1" } ~= nil end)
             cx:branch("work", function() cx:defer(function() kube.uncordon { "w-2" } end) end)
           end }"#,
    );
    let planned = space.run(["--lab", "plan", "limits"]).exit(0);
    assert!(planned.stdout().contains("w-1"), "{}", planned.all());
    let ran = space.run(["--lab", "run", "limits"]).exit(0);
    assert!(!ran.stdout().contains("2h"), "a step ends with its body: {}", ran.all());
}

#[test]
fn no_call_writes_or_reads_a_file_outside_the_repository() {
    let space = healthy();
    let outside = space.state();
    let path = |name: &str| outside.join(name).display().to_string();
    fs::write(outside.join("there"), "secret").unwrap();
    std::os::unix::fs::symlink(&outside, space.path("out")).unwrap();
    for target in [
        path("new"),
        "../state/new".into(),
        "out/new".into(),
        space.path("out/new").display().to_string(),
    ] {
        let text = format!(
            r#"local to = "{target}"
               return ops.recipe {{ desc = "Outside", run = function(cx)
                 local function no(call, fields)
                   local ok = pcall(call, fields)
                   cx:require(not ok, "a file outside was accepted: %s", to)
                 end
                 no(talos.kubeconfig, {{ path = to }})
                 no(talos.client_config, {{ path = to }})
                 no(talos.etcd.snapshot, {{ path = to }})
                 no(talos.gen.secrets, {{ output = to }})
                 no(talos.validate, {{ config = to, mode = "metal" }})
                 no(fs.write, {{ to, content = "x" }})
                 no(fs.read, {{ to }})
               end }}"#
        );
        space.write("recipes/outside.lua", &text);
        let _ = space.run(["--lab", "run", "outside"]).exit(0);
        assert!(!outside.join("new").exists(), "{target}");
    }
}

#[test]
fn a_destroying_recipe_is_run_by_one_that_says_so_or_not_at_all() {
    let space = healthy();
    space.write(
        "recipes/wrap.lua",
        r#"return ops.recipe { desc = "Wrap", run = function(cx)
             pcall(cx.run, cx, "cluster:" .. "safe-reset", { nodes = { "w-1" }, partitions = { "EPHEMERAL" } })
           end }"#,
    );
    let ran = space.run(["--lab", "run", "wrap"]).exit(3);
    assert!(ran.stderr().contains("OPS0350"), "{}", ran.all());
    assert_eq!(writes(&space), 0, "not even the drain: {}", ran.all());
}

#[test]
fn what_a_recipe_says_moves_no_cursor() {
    let space = Space::example("home");
    space.write(
        "recipes/say.lua",
        "return ops.recipe { desc = \"Say\", cluster = false, run = function(cx)\n\
         log.info(\"a\\tb \\27[2J\\27]0;c\\7\")\n\
         log.table({ { x = \"\\27[1m\" } }, { \"x\" })\n\
         sh { \"true # \\27[2J\" }\n\
         cx:fail(\"\\27[2Jboo\") end }",
    );
    let ran = space.run(["run", "say"]).exit(1);
    assert!(!ran.all().contains('\u{1b}'), "{}", ran.all());
    assert!(ran.stdout().contains("a\tb"), "{}", ran.all());
}

#[test]
fn a_secret_parameter_reaches_a_child_and_no_output() {
    let mut space = Space::example("home");
    space.env("TOKEN", "canary-5e9f1");
    space.write(
        "recipes/secret.lua",
        r#"return ops.recipe { desc = "Use a secret", cluster = false,
             params = { token = param.secret { required = true } },
             run = function(cx, p)
               log.info("it is %s", tostring(p.token))
               local said = sh { "echo \"got $T\"; test ${#T} = 12", env = { T = p.token } }
               log.info(said.stdout)
               fs.write { "token", content = p.token }
               log.info(sh { "cat token; rm token" }.stdout)
             end }"#,
    );
    let ran = space.run(["run", "secret", "--token", "@env:TOKEN"]).exit(0);
    assert!(!ran.all().contains("canary"), "{}", ran.all());
    let kept = crate::secret_output::holding(&space.state(), "canary-5e9f1");
    assert!(kept.is_empty(), "{kept:?} hold it");
    let missing = space.run(["run", "secret", "--token", "@env:NONE"]).exit(2);
    assert!(missing.stderr().contains("NONE"), "{}", missing.all());
}

#[test]
fn no_recipe_writes_the_pins_and_the_profile() {
    let space = Space::example("home");
    space.write(
        "recipes/weaken.lua",
        r#"return ops.recipe { desc = "Weaken", cluster = false, run = function(cx)
             local lock = "clusters/home.lock.toml"
             fs.write { "loose.toml", content = "profile = \"dev\"\n" }
             for _, way in ipairs {
               function() fs.write { lock, content = "profile = \"dev\"\n" } end,
               function() fs.copy { "loose.toml", to = lock } end,
               function() fs.move { "loose.toml", to = "./clusters//home.lock.toml" } end,
             } do
               local ok, err = pcall(way)
               cx:require(not ok and err.kind == "forbidden", "%s", tostring(err))
             end
           end }"#,
    );
    let _ = space.run(["run", "weaken"]).exit(0);
    assert!(!space.path("clusters/home.lock.toml").exists());
}

#[test]
fn a_retried_call_of_unknown_outcome_is_settled_before_it_is_made_again() {
    let space = healthy();
    space.write(
        "recipes/again.lua",
        r#"return ops.recipe { desc = "Reboot, impatiently", run = function(cx)
             cx:retry({ times = 3, backoff = "90s", kinds = { "not_applied", "timeout" } }, function()
               talos.reboot { "w-1", timeout = "1s" }
             end)
           end }"#,
    );
    let ran = space.run(["--lab", "run", "again"]).exit(0);
    assert_eq!(writes(&space), 1, "one reboot was sent: {}", ran.all());
}
