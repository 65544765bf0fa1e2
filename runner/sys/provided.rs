//! Secrets from everywhere that a parameter may name: the environment, a file, standard input, and secrets joined with texts. What is fetched
//! is masked from then on, whether or not any call gets it.

use std::cell::OnceCell;
use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use ops_core::value::{Digest, Handle, SecretRef};

use super::redact::Redactor;
use super::secrets::{EnvSecrets, SecretFailure, Secrets};

/// The longest secret, in bytes.
const LONGEST: u64 = 1 << 20;

/// Reads standard input to its end; nothing where a person sits at it or nothing can be read.
pub type ReadInput = dyn Fn() -> Option<Vec<u8>>;

/// Every provider that needs no tool.
pub struct Provided {
    env: EnvSecrets,
    /// Relative paths begin here.
    root: PathBuf,
    key: [u8; 32],
    redactor: Redactor,
    read: Box<ReadInput>,
    /// Standard input can be read only once.
    input: OnceCell<Option<Vec<u8>>>,
}

impl Provided {
    /// Secrets of this environment, of files below or outside `root`, and of standard input as `read` gives it.
    pub fn new(
        env: EnvSecrets,
        root: PathBuf,
        key: [u8; 32],
        redactor: Redactor,
        read: Box<ReadInput>,
    ) -> Provided {
        Provided { env, root, key, redactor, read, input: OnceCell::new() }
    }

    /// The bytes of a file or of standard input, without the end of their last line.
    fn bytes(&self, provider: &str, reference: &str) -> Result<Vec<u8>, SecretFailure> {
        let found = match provider {
            "file" => {
                let file = std::fs::File::open(self.root.join(reference)).ok();
                file.and_then(limited)
            }
            "stdin" => self.input.get_or_init(|| (self.read)()).clone(),
            other => return Err(SecretFailure::Provider(other.to_owned())),
        };
        let mut bytes = found.filter(|bytes| !bytes.is_empty()).ok_or_else(|| {
            let (provider, reference) = (provider.to_owned(), reference.to_owned());
            SecretFailure::Missing { provider, reference }
        })?;
        if bytes.ends_with(b"\n") {
            bytes.truncate(bytes.len() - if bytes.ends_with(b"\r\n") { 2 } else { 1 });
        }
        self.redactor.learn(&bytes);
        Ok(bytes)
    }
}

impl Secrets for Provided {
    fn find(&self, provider: &str, reference: &str) -> Result<SecretRef, SecretFailure> {
        if provider == "env" {
            return self.env.find(provider, reference);
        }
        let bytes = self.bytes(provider, reference)?;
        Ok(SecretRef {
            provider: provider.to_owned(),
            reference: reference.to_owned(),
            digest: Digest::keyed(&self.key, &bytes),
        })
    }

    fn reveal(&self, secret: &SecretRef) -> Result<Vec<u8>, SecretFailure> {
        if secret.provider == "env" {
            return self.env.reveal(secret);
        }
        if let Some(parts) = parts(secret) {
            let mut whole = Vec::new();
            for part in parts {
                match part {
                    Part::Text(text) => whole.extend_from_slice(text.as_bytes()),
                    Part::Secret(part) => whole.extend(self.reveal(&part)?),
                }
            }
            self.redactor.learn(&whole);
            return Ok(whole);
        }
        let bytes = self.bytes(&secret.provider, &secret.reference)?;
        if Digest::keyed(&self.key, &bytes) == secret.digest {
            return Ok(bytes);
        }
        let (provider, reference) = (secret.provider.clone(), secret.reference.clone());
        Err(SecretFailure::Changed { provider, reference })
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.env.variable(name)
    }

    fn digest(&self, name: &str) -> Option<Digest> {
        self.env.digest(name)
    }

    fn masks(&self) -> Redactor {
        self.redactor.clone()
    }
}

/// A part of a joined secret.
pub enum Part {
    /// A text of the recipe.
    Text(String),
    /// Another secret.
    Secret(SecretRef),
}

/// What a joined secret consists of, in order; nothing for any other, and for one whose parts are not what `..` makes of them.
pub fn parts(secret: &SecretRef) -> Option<Vec<Part>> {
    if secret.provider != "joined" {
        return None;
    }
    let parts: Vec<serde_json::Value> = serde_json::from_str(&secret.reference).ok()?;
    let part = |part: serde_json::Value| match part {
        serde_json::Value::String(text) => Some(Part::Text(text)),
        other => match Handle::from_value(&other)? {
            // Joined ones are flat: no recipe can make them lie in one another without end.
            Handle::Secret(secret) if secret.provider != "joined" => Some(Part::Secret(secret)),
            _ => None,
        },
    };
    parts.into_iter().map(part).collect()
}

/// Standard input to its end, where it is no terminal.
pub fn standard_input() -> Option<Vec<u8>> {
    let input = std::io::stdin();
    if input.is_terminal() { None } else { limited(input) }
}

fn limited(from: impl Read) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = from.take(LONGEST + 1).read_to_end(&mut bytes).ok()?;
    (read as u64 <= LONGEST).then_some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn provided(dir: &std::path::Path, input: &'static str) -> Provided {
        let redactor = Redactor::default();
        let vars = [("TOKEN".to_owned(), "canary-env".to_owned())];
        let env = EnvSecrets::new(vars, [1; 32], redactor.clone());
        let read = Box::new(move || (!input.is_empty()).then(|| input.as_bytes().to_vec()));
        Provided::new(env, dir.to_owned(), [1; 32], redactor, read)
    }

    #[test]
    fn each_provider_gives_its_bytes_and_their_mask() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), "canary-file\n").unwrap();
        let secrets = provided(dir.path(), "canary-input\r\n");
        for (provider, reference, wanted) in [
            ("env", "TOKEN", "canary-env"),
            ("file", "token", "canary-file"),
            ("stdin", "-", "canary-input"),
        ] {
            let found = secrets.find(provider, reference).unwrap();
            assert!(!serde_json::to_string(&found).unwrap().contains("canary"), "{provider}");
            assert_eq!(secrets.reveal(&found).unwrap(), wanted.as_bytes(), "{provider}");
            assert_eq!(secrets.masks().mask(wanted), "•••", "{provider}");
        }
    }

    #[test]
    fn joined_secrets_are_revealed_part_by_part() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = provided(dir.path(), "");
        let token = Handle::Secret(secrets.find("env", "TOKEN").unwrap()).to_value();
        let reference = serde_json::json!(["Bearer ", token, "!"]).to_string();
        let joined = |reference| SecretRef {
            provider: "joined".into(),
            reference,
            digest: Digest(String::new()),
        };
        assert_eq!(secrets.reveal(&joined(reference)).unwrap(), b"Bearer canary-env!");
        assert!(secrets.reveal(&joined("[1]".into())).is_err());
    }

    #[test]
    fn what_is_missing_empty_too_long_or_changed_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let write = |bytes: &[u8]| std::fs::write(dir.path().join("token"), bytes).unwrap();
        let secrets = provided(dir.path(), "");
        for (provider, reference) in [("file", "token"), ("stdin", "-"), ("op", "op://a/b/c")] {
            assert!(secrets.find(provider, reference).is_err(), "{provider}");
        }
        write(&vec![b'x'; 1 + (1 << 20)]);
        assert!(secrets.find("file", "token").is_err());
        write(b"old-secret");
        let found = secrets.find("file", "token").unwrap();
        write(b"new-secret");
        assert!(matches!(secrets.reveal(&found), Err(SecretFailure::Changed { .. })));
    }
}
