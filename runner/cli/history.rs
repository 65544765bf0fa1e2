//! `ops history`: past runs.

use std::collections::BTreeMap;
use std::ffi::OsString;

use ops_core::error::{Code, Exit, Fault};
use ops_core::guard::Site;
use ops_core::ident::RunId;
use ops_core::inventory::Cluster;
use ops_core::time::Time;

use super::Start;
use crate::journal::runs::{Listed, Runs};
use crate::output::{Target, views};
use crate::store::folder_name;

/// Lists the runs of every state folder of this user, newest first; with `--lab` or `--cluster` those of that cluster.
pub(super) fn run(start: &Start) -> Result<Exit, Fault> {
    let settings = start.settings()?;
    let state = settings.state_dir()?;
    let mut runs: Vec<Listed> = Vec::new();
    let mut folder_of: BTreeMap<RunId, OsString> = BTreeMap::new();
    let unreadable = |error: std::io::Error| {
        Fault::new(Code::STATE_STORE, format!("cannot read past runs: {error}"))
    };
    let folders = match std::fs::read_dir(&state) {
        Ok(folders) => folders.collect::<Result<Vec<_>, _>>().map_err(unreadable)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(unreadable(error)),
    };
    for folder in folders.iter().map(std::fs::DirEntry::path).filter(|f| f.join("runs").is_dir()) {
        let listed = Runs::in_state(&folder).and_then(|r| r.list()).map_err(unreadable)?;
        let name = folder.file_name().unwrap_or_default();
        folder_of.extend(listed.iter().map(|run| (run.run.clone(), name.to_owned())));
        runs.extend(listed);
    }
    let globals = &start.globals;
    runs.retain(|run| {
        let head = run.head.as_ref().ok();
        let cluster = globals.cluster.is_none()
            || head.is_some_and(|h| h.cluster.as_deref() == globals.cluster.as_deref());
        // Whose a damaged journal is nobody can say; it is never hidden.
        head.is_none() || cluster && (!globals.lab || head.is_some_and(|h| h.lab))
    });
    // A lab's clock begins anew with each lab: its runs are told apart by this machine's.
    let begun = |run: &Listed| match &run.head {
        Ok(head) if !head.lab => head.at,
        Ok(_) => run.written,
        Err(_) => Time(0),
    };
    runs.sort_by(|a, b| (begun(a), &a.run).cmp(&(begun(b), &b.run)));
    let out = start.output();
    let root = settings.root().canonicalize().unwrap_or_else(|_| settings.root().to_owned());
    let resume = |run: &Listed| {
        let head = run.head.as_ref().ok()?;
        let cluster = head.cluster.clone().unwrap_or_default();
        let known = cluster.is_empty() || settings.project.clusters.contains(&cluster);
        let named = Cluster { name: cluster.clone(), ..Cluster::default() };
        let site = Site { cluster: &named, lock: None, lab: true };
        // The lab of another repository is not to be had from here.
        let here =
            !head.lab || folder_of.get(&run.run).is_some_and(|f| *f == *folder_name(&site, &root));
        let usual = settings.cluster.as_ref().is_some_and(|c| c.name == cluster);
        let other = (!usual && !cluster.is_empty()).then_some(cluster);
        let cluster = globals.cluster.clone().or(other);
        let target = Target { cluster, lab: head.lab, ..globals.target() };
        (known && here).then(|| target.command(&format!("ops resume {}", run.run)))
    };
    out.result(&views::history(&runs, crate::sys::clock::now(), &resume, out.look()));
    out.document("ops.history", 1, || views::history_json(&runs));
    Ok(Exit::Done)
}
