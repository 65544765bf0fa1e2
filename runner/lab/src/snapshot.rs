//! Snapshot files: the lab's own content, with the trailer and the size rule of the real ones.
//! A file can outlive its lab and be recovered into another.

use crate::config::encode::sha256;
use crate::trace::fingerprint;
use crate::world::Snapshot;

const MAGIC: &[u8] = b"ops lab etcd snapshot\n";

/// The file of a snapshot: content padded to 512 bytes, then the sha256 of it.
#[must_use]
pub fn write(snapshot: &Snapshot) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    // Plain data with string keys always serialises.
    bytes.extend(serde_json::to_vec(snapshot).unwrap_or_default());
    bytes.push(b'\n');
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    let trailer = sha256(&bytes);
    bytes.extend(trailer);
    bytes
}

/// Reads a snapshot; none when the trailer does not fit or the content is something else.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Snapshot> {
    let (content, trailer) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
    if content.len() % 512 != 0 || sha256(content) != *trailer {
        return None;
    }
    let end = content.iter().rposition(|&byte| byte == b'\n')?;
    serde_json::from_slice(content[..end].strip_prefix(MAGIC)?).ok()
}

/// `hash …, revision …`, as talosctl prints it after a snapshot.
#[must_use]
pub fn info(snapshot: &Snapshot, size: usize) -> String {
    let keys = snapshot.kube.pods.len() + snapshot.kube.nodes.len() + 100;
    let hash = fingerprint(&(snapshot.cluster, snapshot.revision)) as u32;
    let revision = snapshot.revision;
    format!("hash {hash:08x}, revision {revision}, total keys {keys}, total size {}", size - 32)
}
