//! `ops status`: health, and everything left open.

use ops_core::error::{Exit, Fault};

use super::{Start, seam};

/// Shows the cluster at a glance.
pub(super) fn run(start: &Start) -> Result<Exit, Fault> {
    let settings = start.settings()?;
    settings.need_cluster()?;
    seam::status(&settings, &start.output())
}
