//! `ops plan RECIPE …`: what would happen.

use ops_core::error::{Exit, Fault};

use super::args::PlanArgs;
use super::invocation::{Wanted, some_recipe, understand};
use super::{Start, seam};

/// Plans recipes.
pub(super) fn run(start: &Start, args: &PlanArgs) -> Result<Exit, Fault> {
    some_recipe(&args.words.words, "plan")?;
    match understand(start, &args.words.words)? {
        Wanted::Explained => Ok(Exit::Done),
        Wanted::Recipes(invocation) => seam::plan(*invocation, args.exit_code),
    }
}
