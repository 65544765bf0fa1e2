//! Rarer functions of sprig: parts of texts, lists and maps, sums and forms of
//! writing. All depend on their arguments alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;

use sha2::{Digest as _, Sha512};

use super::item::Item;

/// Calls a function; `None` where the name or the arguments are none of these.
pub(super) fn call<'d>(name: &str, arguments: &[Item<'d>]) -> Option<Result<Item<'d>, String>> {
    use Item::{Int, Text};
    let made = match (name, arguments) {
        ("abbrev", [Int(width), Text(s)]) => abbreviated(s, *width),
        ("initials", [Text(s)]) => Ok(Item::text(
            s.split_whitespace().filter_map(|word| word.chars().next()).collect::<String>(),
        )),
        ("swapcase", [Text(s)]) => Ok(Item::text(swapped(s))),
        ("sha512sum", [Text(s)]) => {
            let digest = Sha512::digest(s.as_bytes());
            Ok(Item::text(digest.iter().fold(String::new(), |mut out, byte| {
                let _ = write!(out, "{byte:02x}");
                out
            })))
        }
        ("adler32sum", [Text(s)]) => Ok(Item::text(adler(s.as_bytes()).to_string())),
        ("b32enc", [Text(s)]) => Ok(Item::text(base32(s.as_bytes()))),
        ("dir" | "osDir", [Text(s)]) => {
            let folder = s.rfind('/').map_or("", |at| &s[..=at]);
            Ok(Item::text(clean(folder)))
        }
        ("clean" | "osClean", [Text(s)]) => Ok(Item::text(clean(s))),
        ("splitn", [Text(separator), Int(most), Text(s)]) if !separator.is_empty() => {
            let parts: Vec<&str> = match usize::try_from(*most) {
                Ok(0) => Vec::new(),
                Ok(most) => s.splitn(most, &**separator).collect(),
                Err(_) => s.split(&**separator).collect(),
            };
            let parts = parts.into_iter().enumerate();
            let parts = parts.map(|(at, part)| (format!("_{at}"), Item::text(part)));
            Ok(Item::Map(Rc::new(parts.collect())))
        }
        _ => return lists(name, arguments).or_else(|| maps(name, arguments)),
    };
    Some(made)
}

fn lists<'d>(name: &str, arguments: &[Item<'d>]) -> Option<Result<Item<'d>, String>> {
    use Item::{Int, List};
    let made = match (name, arguments) {
        ("mustSlice", [List(items), bounds @ ..]) => {
            if items.is_empty() {
                return Some(Ok(Item::Nil));
            }
            let bound = |at: usize, otherwise: usize| match bounds.get(at) {
                None => Some(otherwise),
                Some(Int(bound)) => usize::try_from(*bound).ok(),
                Some(_) => None,
            };
            let part = bound(0, 0).zip(bound(1, items.len()));
            let part = part.and_then(|(from, to)| items.get(from..to));
            part.map(|part| Item::list(part.to_vec()))
                .ok_or_else(|| format!("the list has {} items, none there", items.len()))
        }
        ("chunk" | "mustChunk", [Int(size), List(items)]) => match usize::try_from(*size) {
            Ok(size @ 1..) => {
                let parts = items.chunks(size).map(|part| Item::list(part.to_vec()));
                Ok(Item::list(parts.collect()))
            }
            _ => Err(format!("{size} is no number of items")),
        },
        _ => return None,
    };
    Some(made)
}

fn maps<'d>(name: &str, arguments: &[Item<'d>]) -> Option<Result<Item<'d>, String>> {
    use Item::{Map, Text};
    let named = |keys: &[Item<'d>]| -> Option<Vec<Rc<str>>> {
        keys.iter().map(|key| if let Text(key) = key { Some(key.clone()) } else { None }).collect()
    };
    let some = |map: BTreeMap<String, Item<'d>>| Ok(Map(Rc::new(map)));
    let made = match (name, arguments) {
        ("pick" | "omit", [Map(map), keys @ ..]) => {
            let (keys, picks) = (named(keys)?, name == "pick");
            let kept = map.iter().filter(|(key, _)| keys.iter().any(|k| **k == ***key) == picks);
            some(kept.map(|(key, item)| (key.clone(), item.clone())).collect())
        }
        ("pluck", [Text(key), maps @ ..]) => {
            let found = maps.iter().filter_map(|item| match item {
                Map(map) => map.get(&**key).cloned(),
                _ => None,
            });
            Ok(Item::list(found.collect()))
        }
        ("dig", [keys @ .., otherwise, map @ Map(_)]) if !keys.is_empty() => {
            let mut here = map.clone();
            for key in named(keys)? {
                let Map(map) = &here else {
                    return Some(Err(format!("`{key}` is looked for in {}", here.kind())));
                };
                let Some(next) = map.get(&*key) else { return Some(Ok(otherwise.clone())) };
                here = next.clone();
            }
            Ok(here)
        }
        _ => return None,
    };
    Some(made)
}

fn abbreviated<'d>(text: &str, width: i128) -> Result<Item<'d>, String> {
    let Ok(width @ 4..) = usize::try_from(width) else { return Ok(Item::text(text)) };
    if text.len() <= width {
        return Ok(Item::text(text));
    }
    let head = text.get(..width - 3).ok_or_else(|| "this cuts a character apart".to_owned())?;
    Ok(Item::text(format!("{head}...")))
}

fn swapped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_uppercase() {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
    }
    out
}

/// The checksum of RFC 1950.
fn adler(bytes: &[u8]) -> u32 {
    let sum = |(a, b): (u32, u32), byte: &u8| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    };
    let (a, b) = bytes.iter().fold((1, 0), sum);
    (b << 16) | a
}

/// The writing of RFC 4648 in 32 letters.
fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut out = String::new();
    for chunk in bytes.chunks(5) {
        let mut five = [0; 8];
        five[3..3 + chunk.len()].copy_from_slice(chunk);
        let bits = u64::from_be_bytes(five);
        let letters = (chunk.len() * 8).div_ceil(5);
        for at in 0..8 {
            let letter = LETTERS[(bits >> (35 - 5 * at) & 31) as usize];
            out.push(if at < letters { letter as char } else { '=' });
        }
    }
    out
}

/// The shortest path that means the same, by its words alone.
fn clean(path: &str) -> String {
    let root = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => _ = parts.pop(),
            ".." if root => {}
            part => parts.push(part),
        }
    }
    match (root, parts.join("/")) {
        (true, rest) => format!("/{rest}"),
        (false, rest) if rest.is_empty() => ".".to_owned(),
        (false, rest) => rest,
    }
}
