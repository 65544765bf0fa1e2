//! Secrets by reference: a seam to their providers, and the environment as one. A revealed secret is bytes on their way to a child's stdin,
//! environment or private file, and nowhere else.

use std::collections::BTreeMap;

use ops_core::value::{Digest, SecretRef};

use super::redact::Redactor;

/// Words in the name of a variable that holds a secret.
const SECRET_NAMES: [&str; 8] =
    ["SECRET", "TOKEN", "PASSW", "KEY", "CREDENTIAL", "PRIVATE", "PSK", "AUTH"];

/// Why a secret is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretFailure {
    /// There is no such provider here.
    #[error("secrets from `{0}` are not supported yet")]
    Provider(String),
    /// The provider does not have it.
    #[error("there is no secret `{reference}` in `{provider}`")]
    Missing {
        /// The provider.
        provider: String,
        /// Its reference.
        reference: String,
    },
    /// It is another one than when it was first asked for.
    #[error("the secret `{reference}` in `{provider}` has changed since the run began")]
    Changed {
        /// The provider.
        provider: String,
        /// Its reference.
        reference: String,
    },
}

/// Where secrets come from.
pub trait Secrets {
    /// Fetches a secret once and gives its reference, with a keyed digest of its bytes.
    ///
    /// # Errors
    /// See `SecretFailure`.
    fn find(&self, provider: &str, reference: &str) -> Result<SecretRef, SecretFailure>;

    /// The bytes of a secret that was found before, in this process or by an earlier one of the run.
    ///
    /// # Errors
    /// See `SecretFailure`.
    fn reveal(&self, secret: &SecretRef) -> Result<Vec<u8>, SecretFailure>;

    /// A variable of the environment for a file that is rendered. It may be a version as well as a password: only one whose name says so is
    /// masked from then on.
    fn variable(&self, _name: &str) -> Option<String> {
        None
    }

    /// The keyed digest of a variable, so that a changed one is noticed.
    fn digest(&self, _name: &str) -> Option<Digest> {
        None
    }

    /// What masks every secret of this run that is known by now: a child may print one that it was not given, from a file say.
    fn masks(&self) -> Redactor {
        Redactor::default()
    }
}

/// No secrets at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSecrets;

impl Secrets for NoSecrets {
    fn find(&self, provider: &str, _: &str) -> Result<SecretRef, SecretFailure> {
        Err(SecretFailure::Provider(provider.to_owned()))
    }
    fn reveal(&self, secret: &SecretRef) -> Result<Vec<u8>, SecretFailure> {
        Err(SecretFailure::Provider(secret.provider.clone()))
    }
}

/// Secrets in the environment in which `ops` was started.
pub struct EnvSecrets {
    vars: BTreeMap<String, String>,
    key: [u8; 32],
    redactor: Redactor,
}

impl EnvSecrets {
    /// The provider `env` over these variables; digests are made under `key`, and what is asked for is masked by `redactor` from then on.
    pub fn new(
        vars: impl IntoIterator<Item = (String, String)>,
        key: [u8; 32],
        redactor: Redactor,
    ) -> EnvSecrets {
        EnvSecrets { vars: vars.into_iter().collect(), key, redactor }
    }

    fn value(&self, provider: &str, reference: &str) -> Result<&str, SecretFailure> {
        if provider != "env" {
            return Err(SecretFailure::Provider(provider.to_owned()));
        }
        let missing = || SecretFailure::Missing {
            provider: provider.to_owned(),
            reference: reference.to_owned(),
        };
        let value = self.vars.get(reference).ok_or_else(missing)?;
        self.redactor.learn(value.as_bytes());
        Ok(value)
    }
}

impl Secrets for EnvSecrets {
    fn find(&self, provider: &str, reference: &str) -> Result<SecretRef, SecretFailure> {
        let value = self.value(provider, reference)?;
        Ok(SecretRef {
            provider: provider.to_owned(),
            reference: reference.to_owned(),
            digest: Digest::keyed(&self.key, value.as_bytes()),
        })
    }

    fn reveal(&self, secret: &SecretRef) -> Result<Vec<u8>, SecretFailure> {
        let (provider, reference) = (secret.provider.clone(), secret.reference.clone());
        let value = self.value(&provider, &reference)?.as_bytes();
        if Digest::keyed(&self.key, value) == secret.digest {
            Ok(value.to_vec())
        } else {
            Err(SecretFailure::Changed { provider, reference })
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        let value = self.vars.get(name)?;
        let upper = name.to_ascii_uppercase();
        if SECRET_NAMES.iter().any(|word| upper.contains(word)) {
            self.redactor.learn(value.as_bytes());
        }
        Some(value.clone())
    }

    fn digest(&self, name: &str) -> Option<Digest> {
        self.vars.get(name).map(|value| Digest::keyed(&self.key, value.as_bytes()))
    }

    fn masks(&self) -> Redactor {
        self.redactor.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(value: &str) -> EnvSecrets {
        EnvSecrets::new([("TOKEN".to_owned(), value.to_owned())], [1; 32], Redactor::default())
    }

    #[test]
    fn a_secret_is_revealed_by_its_reference() {
        let secrets = env("canary");
        let found = secrets.find("env", "TOKEN").unwrap();
        assert_eq!(secrets.reveal(&found).unwrap(), b"canary");
        assert!(!serde_json::to_string(&found).unwrap().contains("canary"));
    }

    #[test]
    fn what_was_asked_for_is_masked_from_then_on() {
        let redactor = Redactor::default();
        let vars = [("TOKEN".to_owned(), "canary".to_owned())];
        let secrets = EnvSecrets::new(vars, [1; 32], redactor.clone());
        assert_eq!(redactor.mask("canary"), "canary");
        secrets.find("env", "TOKEN").unwrap();
        assert_ne!(redactor.mask("canary"), "canary");
    }

    #[test]
    fn a_variable_is_masked_only_where_its_name_says_that_it_is_secret() {
        let redactor = Redactor::default();
        let vars = [("TALOS_VERSION", "v1.13.0"), ("TS_AUTHKEY", "canary-1")];
        let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let secrets = EnvSecrets::new(vars, [1; 32], redactor.clone());
        assert_eq!(secrets.variable("TALOS_VERSION").as_deref(), Some("v1.13.0"));
        assert_eq!(secrets.variable("TS_AUTHKEY").as_deref(), Some("canary-1"));
        assert_eq!(secrets.variable("NONE"), None);
        assert_eq!(redactor.mask("v1.13.0 canary-1"), "v1.13.0 •••");
    }

    #[test]
    fn a_changed_secret_is_noticed_by_a_later_process() {
        let found = env("old").find("env", "TOKEN").unwrap();
        assert!(matches!(env("new").reveal(&found), Err(SecretFailure::Changed { .. })));
    }

    #[test]
    fn what_is_not_there_is_named() {
        let missing = env("x").find("env", "OTHER").unwrap_err().to_string();
        assert_eq!(missing, "there is no secret `OTHER` in `env`");
        assert!(env("x").find("op", "op://v/i/f").is_err());
    }
}
