//! The folder itself: its name, its permissions, its key.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use ops_core::error::{Code, Fault};
use ops_core::guard::Site;
use ops_core::value::Digest;

use super::cannot;

/// Name of a cluster's state folder under `$XDG_STATE_HOME/ops`: the cluster's name and a digest of what identifies it.
///
/// That is the Talos CA and the UID of kube-system once they are pinned, before that the name alone, so that two clones of a repository
/// share grants and locks. The lab has one per repository and cluster: `root` is the repository's canonical path.
pub fn folder_name(site: &Site<'_>, root: &Path) -> String {
    let name = &site.cluster.name;
    let pinned = site.lock.map(|lock| (&lock.talos_ca, &lock.kube_system_uid));
    let identity = match pinned {
        _ if site.lab => serde_json::json!({"lab": root.to_string_lossy(), "name": name}),
        Some((Some(ca), Some(uid))) => serde_json::json!({"talos_ca": ca, "kube_system_uid": uid}),
        _ => serde_json::json!({"name": name, "nodes": site.lock.map(|lock| &lock.nodes)}),
    };
    let plain: String =
        name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    let digest = Digest::of(&identity).0;
    format!("{plain}{}-{}", if site.lab { "-lab" } else { "" }, &digest[..16])
}

/// Gives a cluster's folder its new name once CA and UID are pinned, so that journals, grants and audit stay with it. Grants of before are
/// void all the same: they name the old pins. True where there was one to rename.
///
/// # Errors
/// Where both exist, or the system says no. A run that holds the old one keeps its open files.
pub fn rename_folder(base: &Path, old: &str, new: &str) -> Result<bool, Box<Fault>> {
    let (old, new) = (base.join(old), base.join(new));
    if old == new || !old.exists() {
        return Ok(false);
    }
    if new.exists() {
        let shown = new.display();
        return Err(Box::new(
            Fault::new(Code::STATE_STORE, format!("{shown} exists already"))
                .detail(format!("{} is the state of before adoption.", old.display()))
                .help("nothing was renamed; look into both, and keep the one with the journals"),
        ));
    }
    fs::rename(&old, &new).map_err(|e| cannot(&old, &e))?;
    File::open(base).and_then(|folder| folder.sync_all()).map_err(|e| cannot(base, &e))?;
    Ok(true)
}

/// Makes the folder and what leads to it; only its owner may look in.
pub(super) fn make(path: &Path) -> Result<(), Box<Fault>> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| cannot(path, &e))?;
    let meta = fs::metadata(path).map_err(|e| cannot(path, &e))?;
    private(path, &meta, "chmod 700")
}

/// The key of the folder; made from `random` where there is none.
pub(super) fn key(path: &Path, random: impl FnOnce() -> [u8; 32]) -> Result<[u8; 32], Box<Fault>> {
    let file = path.join("key");
    if file.exists() {
        return read_key(&file);
    }
    let key = random();
    // Whole before it has its name: another process that comes at the same time must never see half of it.
    let thread = std::thread::current().id();
    let fresh = path.join(format!("key.{}.{thread:?}", std::process::id()));
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)
        .and_then(|mut new| new.write_all(&key).and_then(|()| new.sync_all()))
        .and_then(|()| fs::hard_link(&fresh, &file));
    let _ = fs::remove_file(&fresh);
    match made {
        Ok(()) => {
            File::open(path).and_then(|folder| folder.sync_all()).map_err(|e| cannot(path, &e))?;
            Ok(key)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read_key(&file),
        Err(error) => Err(cannot(&file, &error)),
    }
}

fn read_key(file: &Path) -> Result<[u8; 32], Box<Fault>> {
    let mut open = File::open(file).map_err(|e| cannot(file, &e))?;
    let meta = open.metadata().map_err(|e| cannot(file, &e))?;
    private(file, &meta, "chmod 600")?;
    let mut key = [0; 32];
    let whole = open.read_exact(&mut key).is_ok() && meta.len() == 32 && key != [0; 32];
    if whole {
        return Ok(key);
    }
    Err(Box::new(
        Fault::new(Code::STATE_STORE, format!("{} is no key", file.display()))
            .detail("It was cut off or overwritten; what it sealed is void.")
            .next(format!(
                "mv {0} {0}.damaged          the next run makes a new one",
                file.display()
            )),
    ))
}

/// Refuses what others may read or write: a grant in it would prove nothing.
fn private(path: &Path, meta: &fs::Metadata, way_out: &str) -> Result<(), Box<Fault>> {
    let mode = meta.mode() & 0o777;
    if mode | 0o700 == 0o700 {
        return Ok(());
    }
    let shown = path.display();
    Err(Box::new(
        Fault::new(Code::STATE_STORE, format!("{shown} is open to others (mode {mode:o})"))
            .next(format!("{way_out} {shown}")),
    ))
}
