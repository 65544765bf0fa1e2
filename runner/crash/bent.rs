//! Faults of `ops` that can be made from outside: a journal and blobs that are not what they should be.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Mutex;

use ops_core::value::Blob;

use crate::journal::memory::MemoryStore;
use crate::journal::store::Store;
use crate::sys::blobs::{Blobs, MemoryBlobs, handle};

/// A journal's store that loses, delays or does not sync, as the mutant says.
pub(super) struct Bent {
    pub(super) store: MemoryStore,
    pub(super) mutant: &'static str,
    pub(super) held: Mutex<Vec<u8>>,
}

impl Store for Bent {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(bytes);
        let intent = text.contains("\"intent\"") && !text.contains("\"reads\"");
        match self.mutant {
            "no intent" if intent => Ok(()),
            "delivery before record" => {
                let held = std::mem::take(&mut *self.held.lock().unwrap());
                if text.contains("\"outcome\"") {
                    *self.held.lock().unwrap() = bytes.to_vec();
                    return self.store.append(&held);
                }
                self.store.append(bytes)?;
                self.store.append(&held)
            }
            _ => self.store.append(bytes),
        }
    }
    fn sync(&self) -> io::Result<()> {
        if self.mutant == "no sync" { Ok(()) } else { self.store.sync() }
    }
    fn sync_blocks(&self) -> bool {
        false
    }
}

/// Blobs that are stored only at the end.
pub(super) struct Late {
    pub(super) blobs: Rc<MemoryBlobs>,
    pub(super) late: RefCell<Vec<Vec<u8>>>,
}

impl Late {
    pub(super) fn flush(&self) {
        for bytes in self.late.take() {
            self.blobs.put(&bytes, false).unwrap();
        }
    }
}

impl Blobs for Late {
    fn put(&self, bytes: &[u8], sealed: bool) -> io::Result<Blob> {
        self.late.borrow_mut().push(bytes.to_vec());
        Ok(handle(bytes, sealed, &[3; 32]))
    }
    fn get(&self, blob: &Blob) -> io::Result<Vec<u8>> {
        self.blobs.get(blob)
    }
}
