//! The secrets bundle of a cluster: made from a random stream, written and read as `secrets.yaml`.

use super::ConfigError;
use super::encode::{EPOCH, base64};
use super::pki::{Subject, certificate, key};
use crate::rng::Stream;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// A certificate and its key, each base64 of PEM as configs carry them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pair {
    /// Certificate.
    pub crt: String,
    /// Key.
    pub key: String,
}

/// `certs` of the bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Certs {
    /// etcd CA.
    pub etcd: Pair,
    /// Kubernetes CA.
    pub k8s: Pair,
    /// Aggregator CA.
    pub k8saggregator: Pair,
    /// Service account key; has no certificate.
    pub k8sserviceaccount: Pair,
    /// Talos CA.
    pub os: Pair,
}

/// `cluster` of the bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cluster {
    /// Discovery id.
    pub id: String,
    /// Discovery secret.
    pub secret: String,
}

/// `secrets` of the bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tokens {
    /// Kubernetes bootstrap token.
    pub bootstraptoken: String,
    /// Encryption secret.
    pub secretboxencryptionsecret: String,
}

/// `trustdinfo` of the bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trustd {
    /// Machine token.
    pub token: String,
}

/// The bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Secrets {
    /// Discovery.
    pub cluster: Cluster,
    /// Tokens.
    pub secrets: Tokens,
    /// Machine token.
    pub trustdinfo: Trustd,
    /// Certificate authorities.
    pub certs: Certs,
}

fn token(random: &mut Stream) -> String {
    let mut letters = |count: usize| -> String {
        const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        (0..count).map(|_| char::from(LETTERS[random.below(36) as usize])).collect()
    };
    let left = letters(6);
    format!("{left}.{}", letters(16))
}

fn authority(organization: &str, label: &str, random: &mut Stream) -> Pair {
    let subject =
        Subject { issuer: organization, organization, authority: true, from: EPOCH, days: 3_650 };
    Pair {
        crt: base64(certificate(subject, random).as_bytes()),
        key: base64(key(label, random).as_bytes()),
    }
}

impl Secrets {
    /// A new bundle.
    pub fn generate(random: &mut Stream) -> Self {
        Self {
            cluster: Cluster { id: base64(&random.bytes(32)), secret: base64(&random.bytes(32)) },
            secrets: Tokens {
                bootstraptoken: token(random),
                secretboxencryptionsecret: base64(&random.bytes(32)),
            },
            trustdinfo: Trustd { token: token(random) },
            certs: Certs {
                etcd: authority("etcd", "EC PRIVATE KEY", random),
                k8s: authority("kubernetes", "EC PRIVATE KEY", random),
                k8saggregator: authority("front-proxy", "EC PRIVATE KEY", random),
                k8sserviceaccount: Pair {
                    crt: String::new(),
                    key: base64(key("RSA PRIVATE KEY", random).as_bytes()),
                },
                os: authority("talos", "ED25519 PRIVATE KEY", random),
            },
        }
    }

    /// Reads `secrets.yaml`.
    pub fn read(text: &str) -> Result<Self, ConfigError> {
        let secrets: Self =
            serde_saphyr::from_str(text).map_err(|error| ConfigError(error.to_string()))?;
        if secrets.certs.os.crt.is_empty() || secrets.cluster.id.is_empty() {
            return Err(ConfigError("secrets bundle is incomplete".into()));
        }
        Ok(secrets)
    }

    /// `secrets.yaml`, keys lower-cased as the real tool writes them.
    #[must_use]
    pub fn yaml(&self) -> String {
        let mut out = format!(
            "cluster:\n    id: {}\n    secret: {}\nsecrets:\n    bootstraptoken: {}\n    \
             secretboxencryptionsecret: {}\ntrustdinfo:\n    token: {}\ncerts:\n",
            self.cluster.id,
            self.cluster.secret,
            self.secrets.bootstraptoken,
            self.secrets.secretboxencryptionsecret,
            self.trustdinfo.token,
        );
        let certs = &self.certs;
        for (name, pair) in [
            ("etcd", &certs.etcd),
            ("k8s", &certs.k8s),
            ("k8saggregator", &certs.k8saggregator),
            ("k8sserviceaccount", &certs.k8sserviceaccount),
            ("os", &certs.os),
        ] {
            let crt = if pair.crt.is_empty() {
                String::new()
            } else {
                format!("        crt: {}\n", pair.crt)
            };
            // Writing to a String cannot fail.
            let _ = write!(out, "    {name}:\n{crt}        key: {}\n", pair.key);
        }
        out
    }

    /// A client certificate and key of a role, as a talosconfig or kubeconfig carries them.
    pub fn client(issuer: &str, organization: &str, from: u64, random: &mut Stream) -> Pair {
        let subject = Subject { issuer, organization, authority: false, from, days: 365 };
        Pair {
            crt: base64(certificate(subject, random).as_bytes()),
            key: base64(key("ED25519 PRIVATE KEY", random).as_bytes()),
        }
    }
}
