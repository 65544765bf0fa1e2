//! Recipes as a person meets them: listed, explained, called wrongly.

use insta::assert_snapshot;

use crate::space::Space;

const DOCS: &str = r#"---Builds the pages.
return ops.recipe {
  desc = "Build the documentation",
  tags = { "weekly" },
  params = {
    nodes = param.nodes { desc = "For which nodes", positional = true },
    format = param.choice { "html", "pdf", desc = "What comes out", default = "html" },
    drain_timeout = param.duration { desc = "How long a drain may take", short = "t" },
  },
  run = function(cx, p) log.info("%s", p.format) end,
}
"#;

fn repository() -> Space {
    let space = Space::example("home");
    space.write("recipes/docs.lua", DOCS);
    space
}

#[test]
fn a_recipe_of_ones_own_stands_in_the_list() {
    let space = repository();
    let list = space.run(["list"]).exit(0).stdout();
    assert!(list.contains("1 of this repository"), "{list}");
    assert!(
        list.lines().any(|l| l.contains("docs") && l.contains("Build the documentation")),
        "{list}"
    );
    assert_eq!(space.run([]).stdout(), list, "bare `ops` lists");
    let json = space.run(["list", "--json"]).exit(0).stdout();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let names: Vec<&str> =
        json["recipes"].as_array().unwrap().iter().filter_map(|r| r["name"].as_str()).collect();
    assert!(names.contains(&"docs") && names.contains(&"talos:apply-config"), "{names:?}");
}

#[test]
fn a_recipe_is_explained() {
    let space = repository();
    assert_snapshot!(space.run(["show", "docs"]).all(), @r#"
    exit 0
    --- stdout
    docs   Build the documentation
      recipes/docs.lua:2   of this repository
      Builds the pages.

    usage:  ops run docs [NODES…] [--format html|pdf] [--drain-timeout DURATION]

    parameters
      --nodes NODES                  For which nodes
      --format html|pdf              What comes out              default html
      -t, --drain-timeout DURATION   How long a drain may take
    "#);
    let help = space.run(["run", "docs", "--help"]).exit(0);
    assert_eq!(help.stdout(), space.run(["show", "docs"]).stdout());
}

#[test]
fn a_mistyped_recipe() {
    let space = repository();
    assert_snapshot!(space.run(["run", "talos:aply-config"]).all(), @r#"
    exit 2
    --- stderr
    error  OPS0107  there is no recipe `talos:aply-config`
      help: did you mean `talos:apply-config`?
      next:  ops list
    "#);
    space.run(["stauts"]).exit(2).stderr_has("did you mean `status`?");
    space.run(["show", "dosc"]).exit(2).stderr_has("did you mean `docs`?");
}

#[test]
fn a_mistyped_flag() {
    assert_snapshot!(repository().run(["docs", "--drain-timout", "5m"]).all(), @r#"
    exit 2
    --- stderr
    error  OPS0210  `docs` has no parameter `--drain-timout`
      parameters: --nodes, --format, --drain-timeout
      help: did you mean `--drain-timeout`?
      next:  ops show docs
    "#);
}

#[test]
fn a_wrong_value_on_the_command_line() {
    let space = repository();
    assert_snapshot!(space.run(["docs", "w-9"]).all(), @r#"
    exit 2
    --- stderr
    error  OPS0211  `--nodes`: there is no node `w-9`
      possible: cp-1, cp-2, cp-3, w-1, w-2, all, controlplanes, workers, @storage
      help: did you mean `w-1`?
    "#);
    assert_snapshot!(space.run(["docs", "--format", "htm"]).all(), @r#"
    exit 2
    --- stderr
    error  OPS0211  `--format`: `htm` is none of the words
      possible: html, pdf
      help: did you mean `html`?
    "#);
    assert_snapshot!(space.run(["docs", "-t", "5"]).all(), @r#"
    exit 2
    --- stderr
    error  OPS0211  `--drain-timeout`: `5` is not a duration such as "90s", "5m" or "1h30m"
    "#);
}

#[test]
fn a_wrong_value_in_a_file() {
    let space = repository();
    space.write("ops.toml", "api = 1\nrecipes.docs = { format = \"word\" }\n");
    assert_snapshot!(space.run(["--lab", "run", "docs"]).all(), @r#"
    exit 2
    --- stderr
    error  OPS0211  `format` of docs: `word` is none of the words
      ops.toml:2:27
      2 │ recipes.docs = { format = "word" }
        │                           ──────
      possible: html, pdf
    "#);
    space.write("ops.toml", "api = 1\nrecipes.dcs = { format = \"pdf\" }\n");
    assert_snapshot!(space.run(["--lab", "run", "docs"]).all(), @r#"
    exit 2
    --- stderr
    error  OPS0107  there is no recipe `dcs`
      ops.toml:2:9
      2 │ recipes.dcs = { format = "pdf" }
        │         ───
      help: did you mean `docs`?
      next:  ops list
    "#);
}

#[test]
fn a_value_comes_from_the_strongest_source() {
    let space = repository();
    let format = |args: &[&str]| space.run(args.iter().copied()).exit(0).stdout();
    assert!(format(&["--lab", "docs"]).contains("docs html"));
    // A step that is skipped does not log again what it logged.
    space.write("ops.toml", "api = 1\nrecipes.docs = { format = \"pdf\" }\n");
    assert!(format(&["--lab", "docs"]).contains("docs pdf"));
    assert!(format(&["--lab", "docs", "--format", "html", "--force"]).contains("docs html"));
}

#[test]
fn flags_of_ops_may_stand_behind_the_recipe() {
    let space = repository();
    space.run(["docs", "--lab", "-q"]).exit(0).stdout_has("done   docs");
    space.run(["docs", "--lab", "-C", "/"]).exit(2).stderr_has("`-C` stands before the recipe");
}

#[test]
fn a_command_wins_over_a_recipe_of_its_name_and_says_so_once() {
    let space = repository();
    space.write("recipes/history.lua", DOCS);
    let ran = space.run(["history"]).exit(0);
    assert_eq!(ran.stderr().matches("`ops run history`").count(), 1, "{}", ran.all());
    space.run(["--lab", "run", "history"]).exit(0).stdout_has("done   history");
}

#[test]
fn the_main_job_changes_nothing_the_second_time() {
    let space = Space::example("home");
    let job = ["--lab", "run", "talos:apply-config"];
    space.run(job).exit(0).stdout_has("changed");
    let again = space.run(job).exit(0);
    let summary = again.stdout().lines().last().unwrap_or_default().to_owned();
    assert!(summary.contains("unchanged") && !summary.contains(" changed"), "{}", again.all());
}
