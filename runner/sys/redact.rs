//! Masks known secrets in everything that leaves the process: output, journals, errors. Knows nothing of where they come from.
//!
//! The last net, not the first: secrets are handles and never values. A child may print one all the same.

use std::sync::{Arc, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What is shown in place of a secret.
pub const MASK: &str = "•••";

/// Secrets shorter than this are not masked: masking them would shred ordinary text and protect nothing that can be guessed.
const SHORTEST: usize = 4;
/// Lines of a secret of several lines (a key in PEM) are masked alone from this length on.
const SHORTEST_LINE: usize = 16;

/// The set of known secrets. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Redactor(Arc<RwLock<Known>>);

#[derive(Debug)]
struct Known {
    /// The longest first, so that a secret which contains another is masked whole.
    needles: Vec<Vec<u8>>,
    /// Which first bytes occur among them.
    first: [bool; 256],
}

impl Default for Known {
    fn default() -> Known {
        Known { needles: Vec::new(), first: [false; 256] }
    }
}

impl Redactor {
    /// Adds a secret: as it is, as it stands inside JSON, in base64 (as Kubernetes prints it), and its longer lines.
    pub fn learn(&self, secret: &[u8]) {
        let mut forms = vec![secret.to_vec(), secret.trim_ascii().to_vec()];
        if let Ok(text) = std::str::from_utf8(secret) {
            let json = serde_json::Value::from(text).to_string();
            forms.push(json.as_bytes()[1..json.len() - 1].to_vec());
            let lines = text.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE);
            forms.extend(lines.map(|line| line.as_bytes().to_vec()));
        }
        forms.push(STANDARD.encode(secret).into_bytes());
        let mut known = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        for form in forms {
            if form.len() >= SHORTEST && !known.needles.contains(&form) {
                known.first[form[0] as usize] = true;
                known.needles.push(form);
            }
        }
        known.needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    }

    /// The text with every known secret masked.
    pub fn mask(&self, text: &str) -> String {
        let mut stream = self.stream();
        let mut out = stream.push(text.as_bytes());
        out.extend(stream.finish());
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Masks a stream of bytes that arrives in pieces.
    pub fn stream(&self) -> Masked {
        Masked { redactor: self.clone(), held: Vec::new() }
    }

    fn known(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A stream on its way through the redactor. What may be the beginning of a secret is held back until more comes.
#[derive(Debug)]
pub struct Masked {
    redactor: Redactor,
    held: Vec<u8>,
}

impl Masked {
    /// Takes some bytes; gives those that may be shown.
    #[must_use]
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let known = self.redactor.known();
        if known.needles.is_empty() && self.held.is_empty() {
            return bytes.to_vec();
        }
        self.held.extend_from_slice(bytes);
        let (out, rest) = known.scan(&self.held, false);
        let keep = self.held.len() - rest;
        self.held.drain(..keep);
        out
    }

    /// The stream has ended: gives what was held back.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.redactor.known().scan(&self.held, true).0
    }
}

impl Known {
    /// Masks what is certain; gives the output and how many bytes at the end are held back.
    fn scan(&self, bytes: &[u8], ended: bool) -> (Vec<u8>, usize) {
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            if !self.first[rest[0] as usize] {
                let run = rest.iter().position(|b| self.first[*b as usize]).unwrap_or(rest.len());
                out.extend_from_slice(&rest[..run]);
                at += run;
                continue;
            }
            // A longer secret may still be on its way: a shorter one that fits must wait for it.
            if !ended && self.needles.iter().any(|n| n.len() > rest.len() && n.starts_with(rest)) {
                return (out, rest.len());
            }
            if let Some(needle) = self.needles.iter().find(|n| rest.starts_with(n)) {
                out.extend_from_slice(MASK.as_bytes());
                at += needle.len();
            } else {
                out.push(rest[0]);
                at += 1;
            }
        }
        (out, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn redactor(secrets: &[&str]) -> Redactor {
        let redactor = Redactor::default();
        for secret in secrets {
            redactor.learn(secret.as_bytes());
        }
        redactor
    }

    #[test]
    fn a_secret_is_masked_in_every_form_that_tools_print() {
        let redactor = redactor(&["hunter2\"x", "canary-1234\n"]);
        let rows = [
            ("password: hunter2\"x!", "password: •••!"),
            ("{\"p\":\"hunter2\\\"x\"}", "{\"p\":\"•••\"}"),
            ("data: aHVudGVyMiJ4", "data: •••"),
            ("canary-1234 and canary-1234", "••• and •••"),
            ("hunter", "hunter"),
        ];
        for (text, expected) in rows {
            assert_eq!(redactor.mask(text), expected);
        }
    }

    #[test]
    fn the_lines_of_a_key_are_masked_alone() {
        let redactor =
            redactor(&["-----BEGIN KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END KEY-----\n"]);
        assert_eq!(redactor.mask("  MC4CAQAwBQYDK2VwBCIEIA"), "  •••");
    }

    #[test]
    fn of_two_secrets_with_one_beginning_the_longer_is_masked_whole() {
        let redactor = redactor(&["abcd", "abcdefgh"]);
        assert_eq!(redactor.mask("abcdefgh abcdef"), "••• •••ef");
    }

    #[test]
    fn what_is_too_short_to_be_a_secret_stays() {
        assert_eq!(redactor(&["abc", ""]).mask("abc"), "abc");
    }

    proptest! {
        #[test]
        fn pieces_are_masked_as_the_whole(
            text in "(s3cret|s3cr|et|x|s3cret-long|-| ){0,12}",
            cuts in prop::collection::vec(0usize..80, 0..6),
        ) {
            let redactor = redactor(&["s3cret", "s3cret-long"]);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(text.len())).collect();
            cuts.sort_unstable();
            let mut stream = redactor.stream();
            let (mut out, mut from) = (Vec::new(), 0);
            for cut in cuts {
                out.extend(stream.push(&text.as_bytes()[from..cut]));
                from = cut;
            }
            out.extend(stream.push(&text.as_bytes()[from..]));
            out.extend(stream.finish());
            let out = String::from_utf8(out).unwrap();
            prop_assert_eq!(&out, &redactor.mask(&text));
            prop_assert!(!out.contains("s3cret"));
        }
    }
}
