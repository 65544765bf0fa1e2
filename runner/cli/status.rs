//! `ops status`: health, and everything left open.

use ops_core::error::{Exit, Fault};

use super::{Start, recipes, seam};

/// Shows the cluster at a glance.
pub(super) fn run(start: &Start) -> Result<Exit, Fault> {
    let settings = start.settings()?;
    settings.need_cluster()?;
    let host = recipes::load(&settings.project, &settings.env)?;
    let asked =
        vec![crate::recipe::Need { recipe: "cluster:status".to_owned(), ..Default::default() }];
    let (globals, out) = (start.globals.clone(), start.output());
    seam::run(super::invocation::Invocation { settings, host, globals, asked, out })
}
