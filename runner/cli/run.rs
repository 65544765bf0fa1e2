//! `ops run RECIPE …`, and `ops RECIPE …`.

use ops_core::error::{Exit, Fault};

use super::invocation::{Wanted, some_recipe, understand};
use super::{Start, seam};

/// Runs recipes; with `--dry-run` only plans them.
pub(super) fn run(start: &Start, words: &[String]) -> Result<Exit, Fault> {
    some_recipe(words, "run")?;
    match understand(start, words)? {
        Wanted::Explained => Ok(Exit::Done),
        Wanted::Recipes(invocation) if invocation.globals.dry_run => seam::plan(*invocation, false),
        Wanted::Recipes(invocation) => seam::run(*invocation),
    }
}
