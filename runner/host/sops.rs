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
        let output = self.world.run(&command(&path, &bytes), Some(QUESTION), &Unwatched).await;
        let clear =
            decrypted(&path, output.map_err(|failure| missing(&path, unfinished(&failure)))?)?;
        self.learn(&path, &bytes, &clear);
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
    fn learn(&self, path: &str, cipher: &[u8], clear: &[u8]) {
        match Format::of(path, cipher) {
            Format::Yaml | Format::Json => {
                let read = |bytes| Tree::read(Source { name: "", bytes }).unwrap_or_default();
                for (cipher, clear) in read(cipher).iter().zip(&read(clear)) {
                    self.learn_tree(cipher, clear);
                }
            }
            Format::Dotenv | Format::Ini => {
                for line in String::from_utf8_lossy(clear).lines() {
                    let value = line.split_once('=').map_or(line, |(_, value)| value);
                    self.mask_value(value.trim().trim_matches(['"', '\'']));
                }
            }
            Format::Binary => {
                String::from_utf8_lossy(clear)
                    .lines()
                    .for_each(|line| self.mask_value(line.trim()));
            }
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

/// The forms of files that sops knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Yaml,
    Json,
    Dotenv,
    Ini,
    /// Anything, encrypted as a whole.
    Binary,
}

impl Format {
    /// The form of a file by its name, as sops and talhelper decide it. What has no name that they know and is no mapping of YAML is encrypted as a
    /// whole: one value of JSON.
    fn of(path: &str, bytes: &[u8]) -> Format {
        match path.rsplit_once('.').map(|(_, end)| end) {
            Some("yaml" | "yml") => Format::Yaml,
            Some("json") => Format::Json,
            Some("env") => Format::Dotenv,
            Some("ini") => Format::Ini,
            _ if bytes.trim_ascii_start().starts_with(b"{") => Format::Binary,
            _ => Format::Yaml,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Format::Yaml => "yaml",
            Format::Json => "json",
            Format::Dotenv => "dotenv",
            Format::Ini => "ini",
            Format::Binary => "binary",
        }
    }
}

/// The command that decrypts what it gets on stdin, in the form that the file has.
pub fn command(path: &str, bytes: &[u8]) -> Argv {
    let format = Format::of(path, bytes).word();
    Argv::new("sops")
        .arg("--decrypt")
        .pair("--input-type", format)
        .pair("--output-type", format)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_opened_in_the_form_that_its_name_says() {
        let table = [
            ("talos/secret.sops.yaml", "a: b", "yaml"),
            ("a.yml", "{}", "yaml"),
            ("docker.json", "{}", "json"),
            ("nut.sops.env", "A=b", "dotenv"),
            ("smb.ini", "[a]", "ini"),
            ("tls.key", "{\"data\": 1}", "binary"),
            ("key", "{\"data\": 1}", "binary"),
            ("patch.tmpl", "a: b", "yaml"),
        ];
        for (path, text, word) in table {
            let argv = format!("{:?}", command(path, text.as_bytes()));
            assert_eq!(argv.matches(word).count(), 2, "{path}: {argv}");
        }
    }
}
