//! `ops`, `ops list`: the recipes.

use ops_core::error::{Exit, Fault};

use super::args::ListArgs;
use super::{Start, recipes};
use crate::output::views::{self, Listing};

/// Lists the recipes.
pub(super) fn run(start: &Start, args: &ListArgs) -> Result<Exit, Fault> {
    let settings = start.settings()?;
    let host = recipes::load(&settings.project, &settings.env)?;
    let catalog = host.catalog();
    let listing =
        Listing { catalog, cluster: settings.cluster.as_ref(), lab: settings.lab, all: args.all };
    let out = start.output();
    out.result(&views::list(&listing, out.look()));
    out.document("ops.list", 1, || views::list_json(&listing));
    if !settings.project.found {
        out.remark(
            "There is no ops.toml and no clusters/ here or above: these are the recipes of ops.",
        );
    }
    Ok(Exit::Done)
}
