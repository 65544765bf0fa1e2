//! `ops history`: past runs.

use ops_core::error::{Code, Exit, Fault};
use ops_core::time::Time;

use super::Start;
use crate::journal::runs::{Listed, Runs};
use crate::output::views;

/// Lists the runs of every state folder of this user, newest first; with `--lab` or `--cluster` those of that cluster.
pub(super) fn run(start: &Start) -> Result<Exit, Fault> {
    let settings = start.settings()?;
    let state = settings.state_dir()?;
    let mut runs: Vec<Listed> = Vec::new();
    let unreadable = |error: std::io::Error| {
        Fault::new(Code::STATE_STORE, format!("cannot read past runs: {error}"))
    };
    let folders = match std::fs::read_dir(&state) {
        Ok(folders) => folders.collect::<Result<Vec<_>, _>>().map_err(unreadable)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(unreadable(error)),
    };
    for folder in folders.iter().map(std::fs::DirEntry::path).filter(|f| f.join("runs").is_dir()) {
        runs.extend(Runs::in_state(&folder).and_then(|r| r.list()).map_err(unreadable)?);
    }
    let globals = &start.globals;
    runs.retain(|run| {
        let head = run.head.as_ref().ok();
        let cluster = globals.cluster.is_none()
            || head.is_some_and(|h| h.cluster.as_deref() == globals.cluster.as_deref());
        // Whose a damaged journal is nobody can say; it is never hidden.
        head.is_none() || cluster && (!globals.lab || head.is_some_and(|h| h.lab))
    });
    let begun = |run: &Listed| run.head.as_ref().map_or(Time(0), |head| head.at);
    runs.sort_by(|a, b| (begun(a), &a.run).cmp(&(begun(b), &b.run)));
    let out = start.output();
    out.result(&views::history(&runs, crate::sys::clock::now()));
    out.document("ops.history", 1, || views::history_json(&runs));
    Ok(Exit::Done)
}
