//! What was worked out of a text before. For functions of the text alone: a node's config is read by the call that renders it, by the one that
//! checks it and by the one that writes it, and a watch reads it again in its next round. Knows nothing of what the functions do.

use std::collections::BTreeMap;
use std::rc::Rc;

/// So many bytes of text are remembered, and up to as many again that have not been asked for since.
const MOST: usize = 4 << 20;

type Key = [u8; 32];

/// Results by the digest of their text.
pub(super) struct Known<T> {
    young: BTreeMap<Key, (usize, Rc<T>)>,
    old: BTreeMap<Key, (usize, Rc<T>)>,
    /// Bytes of text behind the young ones.
    bytes: usize,
}

impl<T> Default for Known<T> {
    fn default() -> Known<T> {
        Known { young: BTreeMap::new(), old: BTreeMap::new(), bytes: 0 }
    }
}

impl<T> Known<T> {
    /// The result for these parts, which together are everything that it depends on; nothing where it is not known.
    pub(super) fn get(&mut self, parts: &[&[u8]]) -> Option<Rc<T>> {
        let key = key(parts);
        if let Some((_, known)) = self.young.get(&key) {
            return Some(known.clone());
        }
        let (size, known) = self.old.remove(&key)?;
        self.keep(key, size, known.clone());
        Some(known)
    }

    /// Remembers a result.
    pub(super) fn put(&mut self, parts: &[&[u8]], result: T) -> Rc<T> {
        let result = Rc::new(result);
        self.keep(key(parts), parts.iter().map(|part| part.len()).sum(), result.clone());
        result
    }

    fn keep(&mut self, key: Key, size: usize, result: Rc<T>) {
        if self.bytes + size > MOST {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        self.bytes += size;
        self.young.insert(key, (size, result));
    }
}

fn key(parts: &[&[u8]]) -> Key {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_known_by_all_its_parts() {
        let mut known = Known::default();
        known.put(&[b"ab", b"c"], 1);
        assert_eq!(known.get(&[b"ab", b"c"]).as_deref(), Some(&1));
        for other in [&[&b"a"[..], b"bc"][..], &[b"abc"], &[b"ab"], &[]] {
            assert_eq!(known.get(other), None);
        }
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten_and_what_is_asked_for_stays() {
        let mut known = Known::default();
        let text = |number: usize| format!("{number:01024}");
        known.put(&[b"asked for"], 0);
        known.put(&[b"forgotten"], 0);
        for number in 1..3 * MOST / 1024 {
            known.put(&[text(number).as_bytes()], number);
            assert_eq!(known.get(&[b"asked for"]).as_deref(), Some(&0));
            assert!(known.young.len() + known.old.len() <= 2 * MOST / 1024 + 2);
        }
        assert_eq!(known.get(&[b"forgotten"]), None);
    }
}
