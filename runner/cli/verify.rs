//! `ops verify [RECIPE --param …]`: evidence for exactly these destroying calls, and a grant.

use ops_core::error::{Code, Exit, Fault};

use super::invocation::with_recipes;
use super::{Start, seam};

/// Verifies one recipe; without a recipe shows the evidence alone.
pub(super) fn run(start: &Start, words: &[String]) -> Result<Exit, Fault> {
    with_recipes(start, "verify", words, |invocation| {
        if let [_, second, ..] = invocation.asked.as_slice() {
            let title = format!("a grant is for one recipe: `{}` is a second", second.recipe);
            return Err(Fault::new(Code::USAGE, title));
        }
        invocation.settings.need_cluster()?;
        seam::verify(invocation)
    })
}
