//! `ops plan RECIPE …`: what would happen.

use ops_core::error::{Exit, Fault};

use super::args::PlanArgs;
use super::invocation::{some_recipe, with_recipes};
use super::{Start, seam};

/// Plans recipes.
pub(super) fn run(start: &Start, args: &PlanArgs) -> Result<Exit, Fault> {
    some_recipe(&args.words.words, "plan")?;
    with_recipes(start, "plan", &args.words.words, |invocation| {
        seam::plan(invocation, args.exit_code)
    })
}
