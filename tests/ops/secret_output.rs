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
