//! Files that may be encrypted with SOPS: opened by the real tool, and what was secret in them is masked from then on. Ciphertext never goes on.

use ops_core::argv::{Argv, ToolOutput};
use ops_core::error::{CallError, ErrorKind};
use ops_core::value::Digest;
use ops_render::{MAX_BYTES, Source, Tree};

use super::HostCx;
use super::content::denied;
use super::tool::{QUESTION, unfinished};
use crate::config::is_sops;
use crate::sys::world::Unwatched;

/// What every encrypted value begins with.
pub(super) const CIPHER: &str = "ENC[AES256_GCM,";

/// Texts shorter than this are not masked: a number or a word would be masked everywhere.
const SHORTEST: usize = 6;

/// A file of the repository in the clear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) bytes: Vec<u8>,
    /// It was encrypted, so that nothing of it may be shown.
    pub(super) sealed: bool,
}

impl HostCx<'_> {
    /// A file of the repository, decrypted where it is encrypted.
    ///
    /// # Errors
    /// As the file system says; larger than any config; sops is missing, or has no key that fits.
    pub(super) async fn open(&self, path: &str) -> Result<Opened, CallError> {
        let path = self.inside(path)?;
        let stat = self.files.stat(&path).map_err(|error| denied(&path, &error))?;
        if let Some(stat) = stat.filter(|stat| stat.size > MAX_BYTES as u64) {
            let message = format!("`{path}` has {} bytes, at most {MAX_BYTES} are read", stat.size);
            return Err(CallError::new(ErrorKind::Invalid, message).before_effect());
        }
        let bytes = self.files.read(&path).map_err(|error| denied(&path, &error))?;
        if !is_sops(&bytes) {
            return Ok(Opened { bytes, sealed: false });
        }
        let digest = Digest::of_bytes(&bytes);
        if let Some(clear) = self.memo.opened.borrow().get(&digest) {
            return Ok(Opened { bytes: clear.clone(), sealed: true });
        }
        let output = self.world.run(&command(&bytes), Some(QUESTION), &Unwatched).await;
        let clear =
            decrypted(&path, output.map_err(|failure| missing(&path, unfinished(&failure)))?)?;
        self.learn(&bytes, &clear);
        self.memo.opened.borrow_mut().insert(digest, clear.clone());
        Ok(Opened { bytes: clear, sealed: true })
    }

    /// As `open`, as text.
    ///
    /// # Errors
    /// As for `open`; it is no UTF-8.
    pub(super) async fn open_text(&self, path: &str) -> Result<(String, bool), CallError> {
        let found = self.open(path).await?;
        match String::from_utf8(found.bytes) {
            Ok(text) => Ok((text, found.sealed)),
            Err(error) => {
                let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = good.split(|byte| *byte == b'\n').count();
                let message = format!("{path}:{line}: the file is not UTF-8 text here");
                Err(CallError::new(ErrorKind::Invalid, message)
                    .hint("save the file as UTF-8")
                    .before_effect())
            }
        }
    }

    /// Masks what was encrypted in a file, but not what the inventory says in the open anyhow.
    fn learn(&self, cipher: &[u8], clear: &[u8]) {
        let read = |bytes| Tree::read(Source { name: "", bytes }).unwrap_or_default();
        for (cipher, clear) in read(cipher).iter().zip(&read(clear)) {
            self.learn_tree(cipher, clear);
        }
    }

    fn learn_tree(&self, cipher: &Tree, clear: &Tree) {
        match (cipher.text(), clear.text()) {
            (Some(cipher), Some(clear)) if cipher.starts_with(CIPHER) => self.mask_value(clear),
            _ => {
                for (key, value) in cipher.pairs() {
                    let of = key.text().and_then(|key| clear.get(key));
                    if let Some(of) = of {
                        self.learn_tree(&value, &of);
                    }
                }
                let items = |tree: &Tree| tree.items().unwrap_or_default();
                for (cipher, clear) in items(cipher).iter().zip(&items(clear)) {
                    self.learn_tree(cipher, clear);
                }
            }
        }
    }

    /// Masks a value in everything that is shown, unless it is too short to be secret or stands in the inventory.
    pub(super) fn mask_value(&self, value: &str) {
        if value.len() >= SHORTEST && !self.is_public(value) {
            self.secrets.masks().learn(value.as_bytes());
        }
    }

    /// Whether the inventory says it in the open: names, addresses, versions, networks.
    fn is_public(&self, value: &str) -> bool {
        let Some(cluster) = self.cluster else { return false };
        let versions = [&cluster.versions.talos, &cluster.versions.kubernetes];
        let bare = value.trim_start_matches('v');
        let said = [&cluster.name, &cluster.context, &cluster.endpoint];
        said.into_iter().chain(&cluster.machines.cluster_name).any(|known| known == value)
            || cluster.endpoint.contains(value)
            || versions.into_iter().flatten().any(|known| known.trim_start_matches('v') == bare)
            || cluster.pod_cidrs.iter().chain(&cluster.service_cidrs).any(|known| known == value)
            || cluster.nodes.iter().any(|n| n.name == value || n.address == value)
    }
}

/// The command that decrypts what it gets on stdin.
pub fn command(bytes: &[u8]) -> Argv {
    let kind = if bytes.trim_ascii_start().starts_with(b"{") { "json" } else { "yaml" };
    Argv::new("sops")
        .arg("--decrypt")
        .pair("--input-type", kind)
        .pair("--output-type", "yaml")
        .arg("/dev/stdin")
        .stdin(bytes.to_vec())
}

/// What sops gave back for a file.
///
/// # Errors
/// It has no key that fits, or says something else.
pub fn decrypted(path: &str, output: ToolOutput) -> Result<Vec<u8>, CallError> {
    if output.ok() {
        return Ok(output.stdout);
    }
    let said = output.error_text();
    let key = ["data key", "no identity matched", "no master key"].iter().any(|t| said.contains(t));
    let why = if key {
        "sops has no key that fits".to_owned()
    } else {
        said.lines().find(|line| !line.trim().is_empty()).unwrap_or("sops failed").trim().to_owned()
    };
    let message = format!("`{path}` cannot be decrypted: {why}");
    let mut error = CallError::new(ErrorKind::Unauthorized, message).before_effect();
    error.tool = Some("sops".into());
    error.exit = Some(output.code);
    Err(error.hint("with age: SOPS_AGE_KEY_FILE=PATH, or ~/.config/sops/age/keys.txt"))
}

/// Says which file needs the tool that could not be started.
pub fn missing(path: &str, error: CallError) -> CallError {
    let message = format!("`{path}` is encrypted: {}", error.message);
    CallError { message, tool: Some("sops".into()), ..error }
}
