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
    /// The result for these parts, which together are everything that it depends on; made where it is not known. Failures are not
    /// remembered.
    pub(super) fn get<E>(
        &mut self,
        parts: &[&[u8]],
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Rc<T>, E> {
        let key = key(parts);
        if let Some((_, known)) = self.young.get(&key) {
            return Ok(known.clone());
        }
        let size = parts.iter().map(|part| part.len()).sum();
        let result = match self.old.remove(&key) {
            Some((_, known)) => known,
            None => Rc::new(make()?),
        };
        self.keep(key, size, result.clone());
        Ok(result)
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

    /// The result that is known, or nothing: what is asked for is never made.
    fn seen(known: &mut Known<usize>, parts: &[&[u8]]) -> Option<usize> {
        known.get(parts, || Err(())).ok().map(|result| *result)
    }

    fn put(known: &mut Known<usize>, parts: &[&[u8]], result: usize) {
        known.get(parts, || Ok::<_, ()>(result)).unwrap();
    }

    #[test]
    fn what_was_made_is_known_by_all_its_parts() {
        let mut known = Known::default();
        put(&mut known, &[b"ab", b"c"], 1);
        assert_eq!(seen(&mut known, &[b"ab", b"c"]), Some(1));
        for other in [&[&b"a"[..], b"bc"][..], &[b"abc"], &[b"ab"], &[]] {
            assert_eq!(seen(&mut known, other), None);
        }
    }

    #[test]
    fn a_failure_is_not_remembered() {
        let mut known = Known::default();
        assert_eq!(seen(&mut known, &[b"a"]), None);
        put(&mut known, &[b"a"], 1);
        assert_eq!(seen(&mut known, &[b"a"]), Some(1));
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten_and_what_is_asked_for_stays() {
        let mut known = Known::default();
        let text = |number: usize| format!("{number:01024}");
        put(&mut known, &[b"asked for"], 0);
        put(&mut known, &[b"forgotten"], 0);
        for number in 1..3 * MOST / 1024 {
            put(&mut known, &[text(number).as_bytes()], number);
            assert_eq!(seen(&mut known, &[b"asked for"]), Some(0));
            assert!(known.young.len() + known.old.len() <= 2 * MOST / 1024 + 2);
        }
        assert_eq!(seen(&mut known, &[b"forgotten"]), None);
    }
}
