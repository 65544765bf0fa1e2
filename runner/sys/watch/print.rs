//! What is seen of a path from outside, to compare it with what was seen before. Reads no content.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

use super::Follow;

/// What was seen. Equal prints do not prove equal contents, different ones no difference: both are hints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Print {
    Nothing,
    File { size: u64, modified: Option<SystemTime>, changed: (i64, i64), inode: u64, device: u64 },
    Folder { inode: u64, device: u64 },
    Names(Vec<OsString>),
}

impl Print {
    /// Looks, links followed.
    pub(super) fn of(follow: &Follow) -> Print {
        match follow {
            Follow::Names(folder) => fs::read_dir(folder).map_or(Print::Nothing, |entries| {
                let mut names: Vec<OsString> =
                    entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
                names.sort_unstable();
                Print::Names(names)
            }),
            Follow::Path(path) => fs::metadata(path).map_or(Print::Nothing, |there| {
                let (inode, device) = (there.ino(), there.dev());
                if there.is_dir() {
                    return Print::Folder { inode, device };
                }
                let changed = (there.ctime(), there.ctime_nsec());
                let modified = there.modified().ok();
                Print::File { size: there.len(), modified, changed, inode, device }
            }),
        }
    }

    /// Whether somebody who only asked what kind of thing is there would get the same answer.
    pub(super) fn alike(&self, other: &Print) -> bool {
        match (self, other) {
            (Print::File { .. }, Print::File { .. })
            | (Print::Folder { .. }, Print::Folder { .. }) => true,
            (one, other) => one == other,
        }
    }

    /// The names in this folder that the other has not.
    pub(super) fn names_beyond(&self, other: &Print) -> Vec<String> {
        let names = |print: &Print| match print {
            Print::Names(names) => names.clone(),
            _ => Vec::new(),
        };
        let others = names(other);
        let own = names(self).into_iter();
        own.filter(|name| others.binary_search(name).is_err())
            .map(|name| name.to_string_lossy().into_owned())
            .collect()
    }
}
