//! `ops adopt [NODE]`: who the cluster and its machines are, from now on.

use ops_core::error::{Code, Exit, Fault};
use ops_core::inventory::Profile;

use super::args::{AdoptArgs, ProfileArg};
use super::{Start, seam};

/// Reads the identity of the cluster, or of one node, into the lock file.
pub(super) fn run(start: &Start, args: &AdoptArgs) -> Result<Exit, Fault> {
    let settings = start.settings()?;
    let cluster = settings.need_cluster()?;
    if let Some(node) = args.node.as_ref().filter(|node| cluster.node(node).is_none()) {
        let title = format!("there is no node `{node}` in cluster `{}`", cluster.name);
        let names = cluster.nodes.iter().map(|n| n.name.as_str());
        return Err(Fault::new(Code::PARAM_VALUE, title).did_you_mean(node, names));
    }
    seam::adopt(&settings, args, &start.globals, &start.output())
}

/// The profile that was typed.
pub(super) fn profile_of(typed: ProfileArg) -> Profile {
    match typed {
        ProfileArg::Dev => Profile::Dev,
        ProfileArg::Standard => Profile::Standard,
        ProfileArg::Production => Profile::Production,
    }
}
