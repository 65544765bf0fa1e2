//! A secret that a recipe asked for is masked wherever it comes out.

use crate::space::Space;

#[test]
fn what_a_child_prints_of_it_is_masked_although_it_was_not_given_to_that_child() {
    let mut space = Space::example("home");
    space.env("TOKEN", "canary-5d1f");
    let body = "secrets.env { 'TOKEN' }; sh 'printenv TOKEN; printenv TOKEN >&2'";
    let recipe = format!("return ops.recipe {{ desc = \"Probe\", run = function() {body} end }}");
    space.write("recipes/probe.lua", &recipe);
    let ran = space.run(["run", "probe"]).exit(0).stdout_has("•••");
    assert!(!ran.all().contains("canary"), "{}", ran.all());
}

/// Every file below a folder that holds the text.
pub(crate) fn holding(folder: &std::path::Path, text: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read(&path).is_ok_and(|b| String::from_utf8_lossy(&b).contains(text))
            {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn a_canary_is_in_no_journal_blob_temporary_file_or_command_line() {
    let mut space = Space::example("home");
    space.env("TOKEN", "canary-77aa");
    let recipe = r#"return ops.recipe { desc = "Probe", run = function()
      local token = secrets.env { "TOKEN" }
      sh { "printenv GIVEN; cat; { cat /proc/*/cmdline 2>/dev/null || true; } | tr '\\0' ' ' > cmdlines; true",
           env = { GIVEN = token }, stdin = token }
      sh { "seq 1 20000; printenv GIVEN", env = { GIVEN = token } }
      ops.try("any", sh, { "printenv GIVEN >&2; exit 3", env = { GIVEN = token } })
    end }"#;
    space.write("recipes/probe.lua", recipe);
    let ran = space.run(["run", "probe"]).exit(0);
    assert!(!ran.all().contains("canary-77aa"), "{}", ran.all());
    assert!(!space.read("cmdlines").contains("canary-77aa"));
    let everywhere = space.root();
    let everywhere = everywhere.parent().expect("the space");
    assert_eq!(holding(everywhere, "canary-77aa"), Vec::<std::path::PathBuf>::new());
}
