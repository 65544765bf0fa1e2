//! `ops why RECIPE …`: whether it would run, and what made it run the last time.

use ops_core::error::{Exit, Fault};

use super::invocation::{Wanted, some_recipe, understand};
use super::{Start, seam};

/// Judges the recipes and runs nothing.
pub(super) fn run(start: &Start, words: &[String]) -> Result<Exit, Fault> {
    some_recipe(words, "why")?;
    match understand(start, words)? {
        Wanted::Explained => Ok(Exit::Done),
        Wanted::Recipes(invocation) => seam::why(*invocation),
    }
}
