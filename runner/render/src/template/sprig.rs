//! The functions of sprig that depend on their arguments alone. What asks the
//! clock, chance, the environment or the network is refused by name: a config
//! must be the same at the second rendering.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use super::item::Item;
use super::run::MAX_BYTES;
use super::{patterns, print, shapes};
use crate::machinery::codec::{decode_base64, encode_base64};

const UNSTEADY: &[&str] = &[
    "ago",
    "bcrypt",
    "buildCustomCert",
    "date",
    "dateInZone",
    "dateModify",
    "date_in_zone",
    "date_modify",
    "derivePassword",
    "encryptAES",
    "env",
    "expandenv",
    "genCA",
    "genCAWithKey",
    "genPrivateKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "getHostByName",
    "htmlDate",
    "htmlDateInZone",
    "htpasswd",
    "now",
    "randAlpha",
    "randAlphaNum",
    "randAscii",
    "randBytes",
    "randInt",
    "randNumeric",
    "shuffle",
    "uuidv4",
];

pub(super) fn call<'d>(name: &str, arguments: &[Item<'d>]) -> Result<Item<'d>, String> {
    if let ("env" | "expandenv", [Item::Text(_)]) = (name, arguments) {
        return Err(format!(
            "`{name}` is refused: write `${{NAME}}`, which is known to be a part of the input"
        ));
    }
    if UNSTEADY.contains(&name) {
        return Err(format!("`{name}` is refused: the same input would not give the same config"));
    }
    let given = if let Some(item) = texts(name, arguments) {
        item?
    } else if let Some(item) = numbers(name, arguments) {
        item?
    } else if let Some(item) = lists(name, arguments) {
        item?
    } else if let Some(item) = values(name, arguments) {
        item?
    } else if let Some(item) = patterns::call(name, arguments) {
        item?
    } else if let Some(item) = shapes::call(name, arguments) {
        item?
    } else {
        let kinds: Vec<&str> = arguments.iter().map(Item::kind).collect();
        let with = match &kinds[..] {
            [] => "without arguments".to_owned(),
            kinds => format!("with {}", kinds.join(", ")),
        };
        return Err(format!("there is no function `{name}` {with} here"));
    };
    Ok(given)
}

type Found<'d> = Option<Result<Item<'d>, String>>;

fn texts<'d>(name: &str, arguments: &[Item<'d>]) -> Found<'d> {
    use Item::{Int, Text};
    let text = |text: String| Some(Ok(Item::text(text)));
    let flag = |flag: bool| Some(Ok(Item::Bool(flag)));
    match (name, arguments) {
        ("trim", [Text(s)]) => text(s.trim().to_owned()),
        ("upper", [Text(s)]) => text(s.to_uppercase()),
        ("lower", [Text(s)]) => text(s.to_lowercase()),
        ("title", [Text(s)]) => text(title(s)),
        ("untitle", [Text(s)]) => text(cased(s, |c| c.to_lowercase().collect())),
        ("nospace", [Text(s)]) => text(s.chars().filter(|c| !c.is_whitespace()).collect()),
        ("trimAll" | "trimall", [Text(set), Text(s)]) => {
            text(s.trim_matches(|c| set.contains(c)).to_owned())
        }
        ("trimSuffix", [Text(end), Text(s)]) => {
            text(s.strip_suffix(&**end).unwrap_or(s).to_owned())
        }
        ("trimPrefix", [Text(head), Text(s)]) => {
            text(s.strip_prefix(&**head).unwrap_or(s).to_owned())
        }
        ("contains", [Text(part), Text(s)]) => flag(s.contains(&**part)),
        ("hasPrefix", [Text(head), Text(s)]) => flag(s.starts_with(&**head)),
        ("hasSuffix", [Text(end), Text(s)]) => flag(s.ends_with(&**end)),
        ("replace", [Text(old), Text(new), Text(s)]) => {
            let most = s.len() + (s.matches(&**old).count() + 1).saturating_mul(new.len());
            Some(bounded(most).map(|()| Item::text(s.replace(&**old, new))))
        }
        ("repeat", [Int(count), Text(s)]) => {
            let count = usize::try_from(*count).unwrap_or(0);
            Some(bounded(s.len().saturating_mul(count)).map(|()| Item::text(s.repeat(count))))
        }
        ("indent" | "nindent", [Int(width), Text(s)]) => {
            let width = usize::try_from(*width).unwrap_or(0);
            let lines = s.matches('\n').count() + 1;
            Some(bounded(s.len() + width.saturating_mul(lines)).map(|()| {
                let pad = " ".repeat(width);
                let indented = format!("{pad}{}", s.replace('\n', &format!("\n{pad}")));
                Item::text(if name == "nindent" { format!("\n{indented}") } else { indented })
            }))
        }
        ("trunc", [Int(count), Text(s)]) => {
            let count = i64::try_from(*count).unwrap_or(i64::MAX);
            let length = s.len() as i64;
            let part = if count < 0 && length + count > 0 {
                s.get((length + count) as usize..)
            } else if count >= 0 && length > count {
                s.get(..count as usize)
            } else {
                Some(&**s)
            };
            Some(part.map(Item::text).ok_or_else(|| "this cuts a character apart".to_owned()))
        }
        ("substr", [Int(from), Int(to), Text(s)]) => {
            let length = s.len() as i128;
            let from_end = if *to < 0 || *to > length { length } else { *to };
            let part =
                s.get(usize::try_from((*from).max(0)).ok()?..usize::try_from(from_end).ok()?);
            Some(part.map(Item::text).ok_or_else(|| "the text has no such part".to_owned()))
        }
        ("quote", items) => Some(quoted(items, |text| print::quote(&text))),
        ("squote", items) => Some(quoted(items, |text| format!("'{text}'"))),
        ("cat", items) => {
            let kept = items.iter().filter(|item| !matches!(item, Item::Nil));
            let parts: Result<Vec<String>, String> = kept.map(print::plain).collect();
            Some(parts.map(|parts| Item::text(parts.join(" "))))
        }
        ("plural", [Text(one), Text(many), Int(count)]) => {
            text(if *count == 1 { one.to_string() } else { many.to_string() })
        }
        ("sha256sum", [Text(s)]) => {
            text(Sha256::digest(s.as_bytes()).iter().fold(String::new(), |mut out, byte| {
                let _ = write!(out, "{byte:02x}");
                out
            }))
        }
        ("b64enc", [Text(s)]) => text(encode_base64(s.as_bytes())),
        ("b64dec", [Text(s)]) => Some(
            decode_base64(s)
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .map(Item::text)
                .ok_or_else(|| "this is no text in base64".to_owned()),
        ),
        ("toString", [item]) => Some(print::plain(item).map(Item::text)),
        ("base" | "osBase", [Text(s)]) => {
            let end = s.trim_end_matches('/');
            text(match end.rsplit('/').next() {
                _ if s.is_empty() => ".".to_owned(),
                Some("") | None => "/".to_owned(),
                Some(base) => base.to_owned(),
            })
        }
        ("ext" | "osExt", [Text(s)]) => {
            let base = s.rsplit('/').next().unwrap_or("");
            text(base.rfind('.').map_or(String::new(), |at| base[at..].to_owned()))
        }
        ("isAbs" | "osIsAbs", [Text(s)]) => flag(s.starts_with('/')),
        ("fail", [Text(why)]) => Some(Err(why.to_string())),
        _ => None,
    }
}

fn numbers<'d>(name: &str, arguments: &[Item<'d>]) -> Found<'d> {
    let all = || arguments.iter().map(number).collect::<Result<Vec<i64>, String>>();
    let folded = |start: i64, with: fn(i64, i64) -> i64| {
        Some(all().map(|all| Item::Int(i128::from(all.into_iter().fold(start, with)))))
    };
    match (name, arguments) {
        ("int" | "int64" | "atoi", [item]) => Some(number(item).map(|n| Item::Int(n.into()))),
        ("add", _) => folded(0, i64::wrapping_add),
        ("mul", [_, ..]) => folded(1, i64::wrapping_mul),
        ("max" | "biggest", [_, ..]) => folded(i64::MIN, i64::max),
        ("min", [_, ..]) => folded(i64::MAX, i64::min),
        ("add1", [item]) => Some(number(item).map(|n| Item::Int(n.wrapping_add(1).into()))),
        ("sub" | "div" | "mod", [_, _]) => Some(all().and_then(|all| {
            let [a, b] = all[..] else { return Err("two numbers are needed".to_owned()) };
            let result = match name {
                "sub" => Some(a.wrapping_sub(b)),
                "div" => a.checked_div(b),
                _ => a.checked_rem(b),
            };
            result.map(|n| Item::Int(n.into())).ok_or_else(|| "division by zero".to_owned())
        })),
        ("until", [Item::Int(count)]) => Some(steps(0, *count, if *count < 0 { -1 } else { 1 })),
        ("untilStep", [Item::Int(from), Item::Int(to), Item::Int(step)]) => {
            Some(steps(*from, *to, *step))
        }
        _ => None,
    }
}

fn lists<'d>(name: &str, arguments: &[Item<'d>]) -> Found<'d> {
    use Item::{List, Text};
    let list = |items: Vec<Item<'d>>| Some(Ok(Item::list(items)));
    let one = |item: Option<&Item<'d>>| Some(Ok(item.cloned().unwrap_or(Item::Nil)));
    let name = name.strip_prefix("must").map_or(name.to_owned(), |rest| {
        let mut chars = rest.chars();
        chars.next().map(|c| c.to_ascii_lowercase()).into_iter().chain(chars).collect()
    });
    match (name.as_str(), arguments) {
        ("list" | "tuple", items) => list(items.to_vec()),
        ("splitList", [Text(separator), Text(s)]) => {
            list(s.split(&**separator).map(Item::text).collect())
        }
        ("split", [Text(separator), Text(s)]) => {
            let parts = s.split(&**separator).enumerate();
            let parts = parts.map(|(at, part)| (format!("_{at}"), Item::text(part)));
            Some(Ok(Item::Map(Rc::new(parts.collect()))))
        }
        ("join", [Text(separator), List(items)]) => {
            let kept = items.iter().filter(|item| !matches!(item, Item::Nil));
            let parts: Result<Vec<String>, String> = kept.map(print::plain).collect();
            Some(parts.map(|parts| Item::text(parts.join(separator))))
        }
        ("join", [Text(_), item]) => Some(print::plain(item).map(Item::text)),
        ("toStrings", [List(items)]) => {
            let texts = items.iter().map(|item| print::plain(item).map(Item::text));
            Some(texts.collect::<Result<_, _>>().map(Item::list))
        }
        ("sortAlpha", [List(items)]) => {
            let texts: Result<Vec<String>, String> = items.iter().map(print::plain).collect();
            Some(texts.map(|mut texts| {
                texts.sort();
                Item::list(texts.iter().map(Item::text).collect())
            }))
        }
        ("first", [List(items)]) => one(items.first()),
        ("last", [List(items)]) => one(items.last()),
        ("rest", [List(items)]) => list(items.iter().skip(1).cloned().collect()),
        ("initial", [List(items)]) => {
            list(items.iter().take(items.len().saturating_sub(1)).cloned().collect())
        }
        ("reverse", [List(items)]) => list(items.iter().rev().cloned().collect()),
        ("compact", [List(items)]) => {
            list(items.iter().filter(|item| item.is_true()).cloned().collect())
        }
        ("append" | "push", [List(items), item]) => {
            list(items.iter().chain([item]).cloned().collect())
        }
        ("prepend", [List(items), item]) => {
            list([item].into_iter().chain(items.iter()).cloned().collect())
        }
        ("concat", lists) if lists.iter().all(|item| matches!(item, List(_))) => {
            let items = lists.iter().flat_map(|item| match item {
                List(items) => items.to_vec(),
                _ => Vec::new(),
            });
            list(items.collect())
        }
        ("has", [item, List(items)]) => {
            Some(Ok(Item::Bool(items.iter().any(|known| same(known, item)))))
        }
        ("uniq", [List(items)]) => {
            let mut kept: Vec<Item<'d>> = Vec::new();
            for item in items.iter().take(10_000) {
                if !kept.iter().any(|known| same(known, item)) {
                    kept.push(item.clone());
                }
            }
            list(kept)
        }
        ("without", [List(items), rest @ ..]) => {
            let kept = items.iter().filter(|item| !rest.iter().any(|gone| same(gone, item)));
            list(kept.cloned().collect())
        }
        _ => None,
    }
}

fn values<'d>(name: &str, arguments: &[Item<'d>]) -> Found<'d> {
    use Item::{Map, Text};
    match (name, arguments) {
        ("default", [otherwise]) => Some(Ok(otherwise.clone())),
        ("default", [otherwise, item, ..]) => {
            Some(Ok(if item.is_true() { item } else { otherwise }.clone()))
        }
        ("empty", [item]) => Some(Ok(Item::Bool(!item.is_true()))),
        ("coalesce", items) => {
            Some(Ok(items.iter().find(|item| item.is_true()).cloned().unwrap_or(Item::Nil)))
        }
        ("all", items) => Some(Ok(Item::Bool(items.iter().all(Item::is_true)))),
        ("any", items) => Some(Ok(Item::Bool(items.iter().any(Item::is_true)))),
        ("ternary", [yes, no, Item::Bool(which)]) => {
            Some(Ok(if *which { yes } else { no }.clone()))
        }
        ("dict", pairs) if pairs.len().is_multiple_of(2) => {
            let mut map = BTreeMap::new();
            for pair in pairs.chunks_exact(2) {
                match print::plain(&pair[0]) {
                    Ok(key) => map.insert(key, pair[1].clone()),
                    Err(why) => return Some(Err(why)),
                };
            }
            Some(Ok(Map(Rc::new(map))))
        }
        ("get", [Map(map), Text(key)]) => {
            Some(Ok(map.get(&**key).cloned().unwrap_or_else(|| Item::text(""))))
        }
        ("hasKey", [Map(map), Text(key)]) => Some(Ok(Item::Bool(map.contains_key(&**key)))),
        ("keys", [Map(map)]) => Some(Ok(Item::list(map.keys().map(Item::text).collect()))),
        ("values", [Map(map)]) => Some(Ok(Item::list(map.values().cloned().collect()))),
        ("toJson" | "mustToJson" | "toRawJson" | "mustToRawJson", [item]) => {
            let escaped = name.ends_with("ToJson") || name == "toJson";
            Some(json(item, escaped).map(Item::text))
        }
        ("kindOf", [item]) => Some(Ok(Item::text(kind(item)))),
        ("kindIs", [Text(wanted), item]) => Some(Ok(Item::Bool(kind(item) == &**wanted))),
        _ => None,
    }
}

fn quoted<'d>(items: &[Item<'d>], quote: fn(String) -> String) -> Result<Item<'d>, String> {
    let kept = items.iter().filter(|item| !matches!(item, Item::Nil));
    let parts: Result<Vec<String>, String> =
        kept.map(|item| print::plain(item).map(quote)).collect();
    parts.map(|parts| Item::text(parts.join(" ")))
}

pub(super) fn bounded(bytes: usize) -> Result<(), String> {
    if bytes > MAX_BYTES { Err(format!("this makes more than {MAX_BYTES} bytes")) } else { Ok(()) }
}

/// A number as sprig casts it: what is none counts as 0.
fn number(item: &Item<'_>) -> Result<i64, String> {
    match item {
        Item::Int(number) => {
            i64::try_from(*number).map_err(|_| format!("{number} does not fit into 64 bits"))
        }
        Item::Float(number) => Ok(*number as i64),
        Item::Bool(flag) => Ok(i64::from(*flag)),
        Item::Text(text) => Ok(text.parse().unwrap_or(0)),
        _ => Ok(0),
    }
}

fn steps<'d>(from: i128, to: i128, step: i128) -> Result<Item<'d>, String> {
    if step == 0 || (to > from) != (step > 0) {
        return Ok(Item::list(Vec::new()));
    }
    let count = ((to - from).abs() + step.abs() - 1) / step.abs();
    if count > 1_000_000 {
        return Err("this makes more than 1000000 items".to_owned());
    }
    Ok(Item::list((0..count).map(|n| Item::Int(from + n * step)).collect()))
}

/// Whether two plain values are the same; structs never are.
fn same(a: &Item<'_>, b: &Item<'_>) -> bool {
    match (a, b) {
        (Item::Nil, Item::Nil) => true,
        (Item::Bool(a), Item::Bool(b)) => a == b,
        (Item::Int(a), Item::Int(b)) => a == b,
        (Item::Float(a), Item::Float(b)) => a.total_cmp(b).is_eq(),
        (Item::Text(a), Item::Text(b)) => a == b,
        (Item::List(a), Item::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same(a, b))
        }
        _ => false,
    }
}

fn kind(item: &Item<'_>) -> &'static str {
    match item {
        Item::Nil => "invalid",
        Item::Bool(_) => "bool",
        Item::Int(_) => "int",
        Item::Float(_) => "float64",
        Item::Text(_) => "string",
        Item::List(_) => "slice",
        Item::Map(_) => "map",
        Item::Record(_) | Item::Typed(_) => "struct",
    }
}

fn json(item: &Item<'_>, escaped: bool) -> Result<String, String> {
    Ok(match item {
        Item::Nil => "null".to_owned(),
        Item::Bool(flag) => flag.to_string(),
        Item::Int(number) => number.to_string(),
        Item::Text(text) => {
            let text = serde_json::to_string(&**text).map_err(|error| error.to_string())?;
            if escaped {
                text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
            } else {
                text
            }
        }
        Item::List(items) => {
            let items: Result<Vec<String>, String> =
                items.iter().map(|item| json(item, escaped)).collect();
            format!("[{}]", items?.join(","))
        }
        Item::Map(map) => {
            let pair = |(key, item): (&String, &Item<'_>)| {
                Ok(format!("{}:{}", json(&Item::text(key), escaped)?, json(item, escaped)?))
            };
            let pairs: Result<Vec<String>, String> = map.iter().map(pair).collect();
            format!("{{{}}}", pairs?.join(","))
        }
        other => return Err(format!("{} cannot be written as JSON here", other.kind())),
    })
}

fn cased(text: &str, change: fn(char) -> String) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| change(first) + chars.as_str())
}

/// The first letter of each word made great, as Go's `Title` does.
fn title(text: &str) -> String {
    let mut inside = false;
    let mut out = String::new();
    for c in text.chars() {
        if inside {
            out.push(c);
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphanumeric() || c == '_' || c == '\'';
    }
    out
}
