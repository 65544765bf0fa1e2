//! Blobs beside a run's journal: one file each, named by its digest, whole and synced before a record can name it.
//!
//! Sealed content is enciphered under the state folder's key, so that a copied or attached journal shows nothing of it. Who reads the whole
//! state folder of a user reads the key as well: that is the user.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use ops_core::value::{Blob, Digest};

use super::store::sync_folder;
use crate::sys::blobs::{Blobs, handle};

/// The blobs of one run.
#[derive(Debug)]
pub struct FileBlobs {
    folder: PathBuf,
    key: [u8; 32],
    /// Whether they outlive a power cut.
    synced: bool,
}

impl FileBlobs {
    /// The blobs in `folder`, which is made with the first of them. `key` is the state folder's.
    pub fn new(folder: PathBuf, key: [u8; 32]) -> FileBlobs {
        FileBlobs { folder, key, synced: true }
    }

    /// The same, of a run that need not outlive a power cut.
    #[must_use]
    pub fn unsynced(self) -> FileBlobs {
        FileBlobs { synced: false, ..self }
    }

    fn path(&self, digest: &Digest) -> io::Result<PathBuf> {
        // Handles come from journals as well: a name that is no digest never becomes a path.
        let hex = digest.0.len() == 64 && digest.0.bytes().all(|b| b.is_ascii_hexdigit());
        if hex { Ok(self.folder.join(&digest.0)) } else { Err(io::ErrorKind::InvalidInput.into()) }
    }

    /// Enciphers or deciphers: BLAKE3 in keyed mode as a stream whose nonce is the keyed digest of the plain bytes (a synthetic IV), so a
    /// stream is used for one content only, and the digest proves what was deciphered.
    fn cipher(&self, digest: &Digest, bytes: &mut [u8]) {
        let key = blake3::derive_key("ops 2026 sealed blob stream", &self.key);
        let mut stream = blake3::Hasher::new_keyed(&key).update(digest.0.as_bytes()).finalize_xof();
        let mut block = [0; 4096];
        for chunk in bytes.chunks_mut(block.len()) {
            stream.fill(&mut block);
            chunk.iter_mut().zip(block).for_each(|(byte, mask)| *byte ^= mask);
        }
    }

    fn make_folder(&self) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(&self.folder) {
            Ok(()) if self.synced => sync_folder(&self.folder),
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Blobs for FileBlobs {
    fn put(&self, bytes: &[u8], sealed: bool) -> io::Result<Blob> {
        let blob = handle(bytes, sealed, &self.key);
        let path = self.path(&blob.digest)?;
        if !path.exists() {
            self.make_folder()?;
            let mut stored = bytes.to_vec();
            if sealed {
                self.cipher(&blob.digest, &mut stored);
            }
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            file.write_all(&stored)?;
            if self.synced {
                file.as_file().sync_all()?;
            }
            file.persist(&path).map_err(|e| e.error)?;
        }
        if self.synced {
            sync_folder(&path)?;
        }
        Ok(blob)
    }

    fn get(&self, blob: &Blob) -> io::Result<Vec<u8>> {
        let mut bytes = fs::read(self.path(&blob.digest)?)?;
        if blob.sealed {
            self.cipher(&blob.digest, &mut bytes);
        }
        if handle(&bytes, blob.sealed, &self.key) != *blob {
            let what = format!("the blob {} is not what was stored", blob.digest.short());
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(bytes)
    }
}

/// The folder of a run's blobs beside its journal.
pub(super) fn folder_beside(journal: &Path) -> PathBuf {
    journal.with_extension("blobs")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn blobs() -> (tempfile::TempDir, FileBlobs) {
        let dir = tempfile::tempdir().unwrap();
        let blobs = FileBlobs::new(dir.path().join("7k2m.blobs"), [7; 32]);
        (dir, blobs)
    }

    #[test]
    fn what_is_put_is_had_again() {
        let (_dir, blobs) = blobs();
        for bytes in [vec![], b"text".to_vec(), (0..=255).cycle().take(10_000).collect()] {
            for sealed in [false, true] {
                let blob = blobs.put(&bytes, sealed).unwrap();
                assert_eq!(blobs.get(&blob).unwrap(), bytes);
                assert_eq!((blob.size, blob.sealed), (bytes.len() as u64, sealed));
                assert_eq!(blobs.put(&bytes, sealed).unwrap(), blob, "put twice");
            }
        }
    }

    #[test]
    fn sealed_content_is_nowhere_in_the_clear() {
        let (dir, blobs) = blobs();
        let canary = b"canary-5d1f-canary-5d1f-canary-5d1f";
        let blob = blobs.put(canary, true).unwrap();
        assert_ne!(blob.digest, Digest::of_bytes(canary));
        let stored = fs::read(dir.path().join("7k2m.blobs").join(&blob.digest.0)).unwrap();
        assert!(!stored.windows(6).any(|w| canary.windows(6).any(|c| c == w)));
    }

    #[test]
    fn another_key_opens_nothing() {
        let (dir, blobs) = blobs();
        let blob = blobs.put(b"secret", true).unwrap();
        let other = FileBlobs::new(dir.path().join("7k2m.blobs"), [8; 32]);
        assert_eq!(other.get(&blob).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_changed_file_is_noticed() {
        let (dir, blobs) = blobs();
        for sealed in [false, true] {
            let blob = blobs.put(b"content", sealed).unwrap();
            fs::write(dir.path().join("7k2m.blobs").join(&blob.digest.0), b"contend").unwrap();
            assert_eq!(blobs.get(&blob).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn a_handle_that_is_no_digest_never_becomes_a_path() {
        let (_dir, blobs) = blobs();
        for name in ["../../etc/passwd", "", "a/b"] {
            let forged = Blob { digest: Digest(name.into()), size: 1, sealed: false };
            assert_eq!(blobs.get(&forged).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn only_the_owner_can_read() {
        let (dir, blobs) = blobs();
        let blob = blobs.put(b"x", false).unwrap();
        let folder = dir.path().join("7k2m.blobs");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join(&blob.digest.0))), (0o700, 0o600));
    }
}
