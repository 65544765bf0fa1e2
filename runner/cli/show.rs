//! `ops show RECIPE`: one recipe explained.

use ops_core::error::{Exit, Fault};

use super::args::ShowArgs;
use super::{Start, recipes};
use crate::output::views;
use crate::recipe::words::unknown_recipe;

/// Explains a recipe.
pub(super) fn run(start: &Start, args: &ShowArgs) -> Result<Exit, Fault> {
    let host = recipes::load(&start.project()?, &start.env)?;
    let catalog = host.catalog();
    let head = catalog.get(&args.recipe).ok_or_else(|| unknown_recipe(&args.recipe, catalog))?;
    let out = start.output();
    out.result(&out.command(&views::show(head, out.look())));
    out.document("ops.recipe", 1, || views::show_json(head));
    Ok(Exit::Done)
}
