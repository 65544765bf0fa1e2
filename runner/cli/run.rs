//! `ops run RECIPE …`, and `ops RECIPE …`.

use ops_core::error::{Exit, Fault};

use super::invocation::{some_recipe, with_recipes};
use super::{Start, seam};

/// Runs recipes; with `--dry-run` only plans them.
pub(super) fn run(start: &Start, words: &[String]) -> Result<Exit, Fault> {
    some_recipe(words, "run")?;
    with_recipes(start, "run", words, |invocation| {
        if invocation.globals.dry_run {
            seam::plan(invocation, false)
        } else {
            seam::run(invocation)
        }
    })
}
