//! The journals of a watch's rounds: a watch makes one with every save, so only the last ones are kept. What a journal says is not judged here.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::time::SystemTime;

use ops_core::ident::RunId;
use ops_core::record::Record;

use super::blobs::folder_beside;
use super::runs::Runs;

/// How many finished rounds are kept in a state folder.
pub const KEPT: usize = 50;
/// The end of the name of the mark that says that a run is a round.
const MARK: &str = ".watch";

impl Runs {
    /// Marks a run as a round of a watch, before its journal is made.
    ///
    /// # Errors
    /// As the system says: then its journal is kept for ever.
    pub fn mark_round(&self, run: &RunId) -> io::Result<()> {
        let mark = self.path(&run.0)?.with_extension(&MARK[1..]);
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(mark).map(drop)
    }

    /// Removes rounds but for the newest `kept` and those of which `over` says that somebody may still need them, or that another process holds
    /// open. Gives those that are gone.
    ///
    /// # Errors
    /// As the system says; the rest is left for the next time.
    pub fn forget_rounds(
        &self,
        kept: usize,
        over: impl Fn(&[Record]) -> bool,
    ) -> io::Result<Vec<RunId>> {
        let mut marks: Vec<(SystemTime, String)> = Vec::new();
        for entry in fs::read_dir(self.folder())? {
            let entry = entry?;
            if let Some(run) = entry.file_name().to_str().and_then(|n| n.strip_suffix(MARK)) {
                marks.push((entry.metadata()?.modified()?, run.to_owned()));
            }
        }
        marks.sort();
        marks.truncate(marks.len().saturating_sub(kept));
        let mut gone = Vec::new();
        for (_, run) in marks {
            let path = self.path(&run)?;
            let run = RunId(run);
            if path.exists() {
                // Held until it is gone: nobody resumes it meanwhile. One that is damaged is somebody's to look at, as `open` leaves it.
                let Ok(opened) = self.open(&run) else { continue };
                if !over(&opened.decoded.records) {
                    continue;
                }
                fs::remove_file(&path)?;
            }
            let blobs = folder_beside(&path);
            if blobs.exists() {
                fs::remove_dir_all(blobs)?;
            }
            fs::remove_file(path.with_extension(&MARK[1..]))?;
            gone.push(run);
        }
        Ok(gone)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::journal::tests::head;

    fn rounds(runs: &Runs, names: &[&str]) {
        for name in names {
            let run = RunId((*name).to_owned());
            runs.mark_round(&run).unwrap();
            runs.create(&run).unwrap().append(&head()).unwrap();
            fs::create_dir(folder_beside(&runs.path(name).unwrap())).unwrap();
        }
    }

    fn left(runs: &Runs) -> Vec<String> {
        let mut left: Vec<String> = runs.list().unwrap().into_iter().map(|l| l.run.0).collect();
        left.sort();
        left
    }

    #[test]
    fn only_the_newest_rounds_are_kept_and_no_other_run_is_touched() {
        let dir = tempfile::tempdir().unwrap();
        let runs = Runs::in_state(dir.path()).unwrap();
        runs.create(&RunId("mine".into())).unwrap().append(&head()).unwrap();
        rounds(&runs, &["a1", "a2", "a3", "a4"]);
        let gone = runs.forget_rounds(2, |_| true).unwrap();
        assert_eq!(gone, ["a1", "a2"].map(|run| RunId(run.to_owned())));
        assert_eq!(left(&runs), ["a3", "a4", "mine"]);
        let files = fs::read_dir(dir.path().join("runs")).unwrap().count();
        assert_eq!(files, 7, "two rounds of three names each, and a run");
    }

    #[test]
    fn a_round_that_somebody_needs_or_holds_open_stays() {
        let dir = tempfile::tempdir().unwrap();
        let runs = Runs::in_state(dir.path()).unwrap();
        rounds(&runs, &["a1", "a2"]);
        assert!(runs.forget_rounds(0, |_| false).unwrap().is_empty());
        let held = runs.open(&RunId("a1".into())).unwrap();
        assert_eq!(runs.forget_rounds(0, |_| true).unwrap(), [RunId("a2".into())]);
        drop(held);
        assert_eq!(left(&runs), ["a1"]);
    }
}
