//! A secret that is given as a parameter reaches calls by stdin, environment and private files, and comes out nowhere else.

use std::io::Write as _;
use std::process::Stdio;

use crate::secret_output::holding;
use crate::space::Space;

/// Takes a token, and compares it in children only: what they got is told by their exit code.
const RECIPE: &str = r#"return ops.recipe {
  desc = "Probe", cluster = false,
  params = { token = param.secret { desc = "A token", required = true } },
  run = function(cx, p)
    log.info("got %s", tostring(p.token))
    local check = "test \"$(printf %s \"$GIVEN\" | tr a-z A-Z)\" = WANTED"
    sh { check, env = { GIVEN = p.token } }
    sh { "test \"$(cat | tr a-z A-Z)\" = WANTED", stdin = p.token }
    sh { "test \"$(printf %s \"$GIVEN\" | tr a-z A-Z)\" = 'BEARER WANTED'", env = { GIVEN = "Bearer " .. p.token } }
    sh { "printf %s \"$GIVEN\"; printf %s \"$GIVEN\" >&2; cat /proc/*/cmdline 2>/dev/null | tr '\\0' ' ' > cmdlines || true", env = { GIVEN = p.token } }
    ops.try("any", sh, { "printf %s \"$GIVEN\" >&2; exit 3", env = { GIVEN = p.token } })
    cx:run("inner", { token = p.token })
    sh { "printf %s \"$GIVEN\" >&2; exit 4", env = { GIVEN = p.token } }
  end,
}"#;

const INNER: &str = r#"return ops.recipe {
  desc = "Inner", cluster = false,
  params = { token = param.secret { desc = "A token", required = true } },
  run = function(cx, p)
    sh { "test \"$(printf %s \"$GIVEN\" | tr a-z A-Z)\" = WANTED", env = { GIVEN = p.token } }
  end,
}"#;

fn space(canary: &str) -> Space {
    let space = Space::new();
    space.write("recipes/probe.lua", &RECIPE.replace("WANTED", &canary.to_uppercase()));
    space.write("recipes/inner.lua", &INNER.replace("WANTED", &canary.to_uppercase()));
    space
}

/// The last call fails on purpose: errors must not tell the secret either.
fn told_nothing(space: &Space, all: &str, canary: &str) {
    assert!(all.contains("exit 4") || all.contains('4'), "{all}");
    assert!(all.contains("•••") && !all.contains(canary), "{all}");
    assert!(!space.read("cmdlines").contains(canary));
    let root = space.root();
    let everywhere = root.parent().expect("the space");
    assert_eq!(holding(everywhere, canary), Vec::<std::path::PathBuf>::new());
}

#[test]
fn one_of_the_environment_reaches_calls_and_nothing_else() {
    let canary = "canary-env-a1";
    let mut space = space(canary);
    space.env("TOKEN", canary);
    let ran = space.run(["run", "probe", "--token", "@env:TOKEN"]).exit(1);
    told_nothing(&space, &ran.all(), canary);
    // A resume fetches it again.
    let _ = space.run(["resume"]).exit(8);
    space.env("TOKEN", "canary-other");
    let ran = space.run(["resume"]).exit(5);
    assert!(!ran.all().contains("canary"), "{}", ran.all());
}

#[test]
fn one_of_standard_input_reaches_calls_and_nothing_else() {
    let canary = "canary-stdin-b2";
    let space = space(canary);
    let mut command = space.command(["run", "probe", "--token", "@-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("ops starts");
    writeln!(child.stdin.take().expect("a pipe"), "{canary}").expect("it is read");
    let output = child.wait_with_output().expect("ops ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let all = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{all}");
    told_nothing(&space, &all, canary);
}

#[test]
fn one_of_a_file_reaches_calls_and_stays_in_its_file() {
    let canary = "canary-file-c3";
    let space = space(canary);
    space.write("token", &format!("{canary}\n"));
    let ran = space.run(["run", "probe", "--token", "@file:token"]).exit(1);
    std::fs::remove_file(space.path("token")).expect("the file was there");
    told_nothing(&space, &ran.all(), canary);
}

#[test]
fn what_cannot_be_fetched_is_told_before_anything_runs() {
    let space = space("x");
    for reference in
        ["@env:NONE", "@file:none", "@-", "@op://vault/item/field", "plain-text-secret"]
    {
        let ran = space.run(["run", "probe", "--token", reference]).exit(2);
        assert!(!ran.all().contains("plain-text-secret"), "{}", ran.all());
    }
}
