//! What the system has told so far, sifted in its own thread: only names that somebody follows stay. Knows nothing of what follows them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use tokio::sync::Notify;
use tokio::time::Instant;

/// The part of a watch that the system's thread shares.
#[derive(Clone, Default)]
pub(super) struct Inbox(Arc<Shared>);

#[derive(Default)]
struct Shared {
    heard: Mutex<Heard>,
    news: Notify,
}

/// What was heard, and what is listened for.
#[derive(Default)]
pub(super) struct Heard {
    /// Names that matter.
    pub(super) names: BTreeSet<PathBuf>,
    /// Folders of which every name matters.
    pub(super) folders: BTreeSet<PathBuf>,
    /// Names of which something was heard.
    pub(super) touched: BTreeSet<PathBuf>,
    /// Files into which somebody writes and that he has not closed.
    pub(super) writing: BTreeSet<PathBuf>,
    /// Events were lost: anything may have changed.
    pub(super) lost: bool,
    /// When the last of it was heard.
    pub(super) last: Option<Instant>,
}

impl Heard {
    /// Whether there is anything to tell.
    pub(super) fn any(&self) -> bool {
        self.lost || !self.touched.is_empty()
    }

    fn hear(&mut self, event: &notify::Result<notify::Event>) -> bool {
        let event = match event {
            Ok(event) if event.need_rescan() => {
                self.lost = true;
                return true;
            }
            Ok(event) => event,
            // Whatever went wrong, events are missing behind it.
            Err(_) => {
                self.lost = true;
                return true;
            }
        };
        let closed = event.kind == EventKind::Access(AccessKind::Close(AccessMode::Write));
        if event.kind.is_access() && !closed {
            return false;
        }
        // Only Linux tells when a file is closed.
        let writes = cfg!(target_os = "linux")
            && matches!(event.kind, EventKind::Modify(ModifyKind::Data(_)));
        let mut news = false;
        for path in &event.paths {
            let member = path.parent().is_some_and(|folder| self.folders.contains(folder));
            if !member && !self.names.contains(path) {
                continue;
            }
            news = true;
            self.touched.insert(path.clone());
            if writes {
                self.writing.insert(path.clone());
            } else {
                self.writing.remove(path);
            }
        }
        news
    }
}

impl Inbox {
    pub(super) fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an event of the system.
    pub(super) fn hear(&self, event: &notify::Result<notify::Event>) {
        let mut heard = self.heard();
        if heard.hear(event) {
            heard.last = Some(Instant::now());
            drop(heard);
            self.0.news.notify_one();
        }
    }

    /// Waits until something was heard. Remembers one call that came before.
    pub(super) async fn news(&self) {
        self.0.news.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use notify::Event;
    use notify::event::{CreateKind, DataChange, Flag, MetadataKind, RemoveKind, RenameMode};

    use super::*;

    fn heard(kinds: &[EventKind], path: &str) -> Heard {
        let mut heard = Heard::default();
        heard.names.insert("/r/f".into());
        heard.folders.insert("/r/d".into());
        for kind in kinds {
            heard.hear(&Ok(Event::new(*kind).add_path(path.into())));
        }
        heard
    }

    const WRITE: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    const CLOSE: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));

    #[test]
    fn what_nobody_follows_is_not_kept() {
        for path in ["/r/g", "/r", "/r/f/x", "/r/.f.swp"] {
            assert!(!heard(&[WRITE, CLOSE], path).any(), "{path}");
        }
    }

    #[test]
    fn every_way_to_change_a_file_is_heard_and_none_to_read_it() {
        let changes = [
            WRITE,
            CLOSE,
            EventKind::Create(CreateKind::File),
            EventKind::Remove(RemoveKind::File),
            EventKind::Modify(ModifyKind::Name(RenameMode::To)),
            EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any)),
            EventKind::Any,
        ];
        for kind in changes {
            assert!(heard(&[kind], "/r/f").any(), "{kind:?}");
            assert!(heard(&[kind], "/r/d/new").any(), "{kind:?}");
        }
        let reads = [
            AccessKind::Read,
            AccessKind::Open(AccessMode::Any),
            AccessKind::Close(AccessMode::Read),
        ];
        for kind in reads {
            assert!(!heard(&[EventKind::Access(kind)], "/r/f").any(), "{kind:?}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_file_is_being_written_until_it_is_closed_or_gone() {
        assert_eq!(heard(&[WRITE, WRITE], "/r/f").writing.len(), 1);
        assert!(heard(&[WRITE, CLOSE], "/r/f").writing.is_empty());
        assert!(heard(&[WRITE, EventKind::Remove(RemoveKind::File)], "/r/f").writing.is_empty());
    }

    #[test]
    fn a_full_queue_and_an_error_both_mean_that_events_were_lost() {
        let mut full = Heard::default();
        assert!(full.hear(&Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan))));
        let mut failed = Heard::default();
        assert!(failed.hear(&Err(notify::Error::generic("no"))));
        assert!(full.lost && failed.lost);
    }
}
