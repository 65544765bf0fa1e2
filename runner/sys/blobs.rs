//! Content that calls hand to one another beside the values: a seam, and a keeper in memory. Knows nothing of what is in it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;

use ops_core::value::{Blob, Digest};

/// Bytes by handle. What has been put once can be had again for as long as the run's journal exists.
pub trait Blobs {
    /// Keeps bytes; when it returns they are complete and survive a power cut, so that a record may name them. `sealed` content is secret:
    /// it is never on disk in the clear.
    ///
    /// # Errors
    /// As the system says; then nothing is kept.
    fn put(&self, bytes: &[u8], sealed: bool) -> io::Result<Blob>;

    /// The bytes behind a handle.
    ///
    /// # Errors
    /// `NotFound` where there are none, `InvalidData` where they are no longer those that were put.
    fn get(&self, blob: &Blob) -> io::Result<Vec<u8>>;
}

/// Keeps blobs in memory: for plans, and for tests.
#[derive(Clone, Debug, Default)]
pub struct MemoryBlobs {
    key: [u8; 32],
    kept: RefCell<BTreeMap<Digest, Vec<u8>>>,
}

impl MemoryBlobs {
    /// A keeper whose sealed handles carry digests under `key`.
    pub fn new(key: [u8; 32]) -> MemoryBlobs {
        MemoryBlobs { key, kept: RefCell::default() }
    }
}

impl Blobs for MemoryBlobs {
    fn put(&self, bytes: &[u8], sealed: bool) -> io::Result<Blob> {
        let blob = handle(bytes, sealed, &self.key);
        self.kept.borrow_mut().insert(blob.digest.clone(), bytes.to_vec());
        Ok(blob)
    }

    fn get(&self, blob: &Blob) -> io::Result<Vec<u8>> {
        self.kept.borrow().get(&blob.digest).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// The handle of some bytes: a keyed digest where they are secret, so that a journal gives no oracle for guesses.
pub fn handle(bytes: &[u8], sealed: bool, key: &[u8; 32]) -> Blob {
    let digest = if sealed { Digest::keyed(key, bytes) } else { Digest::of_bytes(bytes) };
    Blob { digest, size: bytes.len() as u64, sealed }
}
