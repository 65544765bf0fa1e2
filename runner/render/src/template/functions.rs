//! The functions of `text/template` itself.

use std::cmp::Ordering;
use std::fmt::Write as _;

use super::item::Item;
use super::{Functions, print, sprig};

/// Calls a function by its name.
pub(super) fn call<'d>(
    name: &str,
    arguments: &[Item<'d>],
    functions: Functions,
) -> Result<Item<'d>, String> {
    let item = match (name, arguments) {
        ("not", [item]) => Item::Bool(!item.is_true()),
        ("len", [item]) => Item::Int(length(item)? as i128),
        ("index", [item, rest @ ..]) => index(item, rest)?,
        ("slice", [item, rest @ ..]) => slice(item, rest)?,
        ("print", items) => Item::text(joined(items)?),
        ("println", items) => {
            let texts: Vec<String> = items.iter().map(print::plain).collect::<Result<_, _>>()?;
            Item::text(format!("{}\n", texts.join(" ")))
        }
        ("printf", [Item::Text(format), rest @ ..]) => Item::text(printf(format, rest)?),
        ("urlquery", items) => Item::text(urlquery(&joined(items)?)),
        ("html", items) => Item::text(html(&joined(items)?)),
        ("eq", [first, rest @ ..]) if !rest.is_empty() => {
            let mut same = false;
            for other in rest {
                same |= equal(first, other)?;
            }
            Item::Bool(same)
        }
        ("ne", [a, b]) => Item::Bool(!equal(a, b)?),
        ("lt", [a, b]) => Item::Bool(order(a, b)?.is_lt()),
        ("le", [a, b]) => Item::Bool(order(a, b)?.is_le()),
        ("gt", [a, b]) => Item::Bool(order(a, b)?.is_gt()),
        ("ge", [a, b]) => Item::Bool(order(a, b)?.is_ge()),
        (
            "not" | "len" | "index" | "slice" | "printf" | "eq" | "ne" | "lt" | "le" | "gt" | "ge",
            _,
        ) => return Err(format!("`{name}` cannot take these {} arguments", arguments.len())),
        _ if functions == Functions::Sprig => return sprig::call(name, arguments),
        _ => return Err(format!("there is no function `{name}` here")),
    };
    Ok(item)
}

/// About how many bytes a value takes.
pub(super) fn size(item: &Item<'_>) -> usize {
    match item {
        Item::Text(text) => text.len(),
        Item::List(items) => 32 * items.len(),
        Item::Map(map) => 64 * map.len(),
        _ => 0,
    }
}

/// Like Go's `Sprint`: spaces between operands that are both no texts.
fn joined(items: &[Item<'_>]) -> Result<String, String> {
    let mut out = String::new();
    let mut before_is_text = true;
    for item in items {
        let is_text = matches!(item, Item::Text(_));
        if !out.is_empty() && !is_text && !before_is_text {
            out.push(' ');
        }
        out += &print::plain(item)?;
        before_is_text = is_text;
    }
    Ok(out)
}

fn length(item: &Item<'_>) -> Result<usize, String> {
    match item {
        Item::Text(text) => Ok(text.len()),
        Item::List(items) => Ok(items.len()),
        Item::Map(map) => Ok(map.len()),
        other => Err(format!("{} has no length", other.kind())),
    }
}

fn index<'d>(item: &Item<'d>, keys: &[Item<'d>]) -> Result<Item<'d>, String> {
    keys.iter().try_fold(item.clone(), |item, key| match (&item, key) {
        (Item::List(items), Item::Int(at)) => usize::try_from(*at)
            .ok()
            .and_then(|at| items.get(at).cloned())
            .ok_or_else(|| format!("the list has {} items, none at {at}", items.len())),
        (Item::Text(text), Item::Int(at)) => usize::try_from(*at)
            .ok()
            .and_then(|at| text.as_bytes().get(at))
            .map(|byte| Item::Int(i128::from(*byte)))
            .ok_or_else(|| format!("the text has {} bytes, none at {at}", text.len())),
        (Item::Map(map), Item::Text(key)) => Ok(map.get(&**key).cloned().unwrap_or(Item::Nil)),
        (item, key) => Err(format!("{} cannot be indexed with {}", item.kind(), key.kind())),
    })
}

fn slice<'d>(item: &Item<'d>, bounds: &[Item<'d>]) -> Result<Item<'d>, String> {
    let bound = |at: usize, otherwise: usize| match bounds.get(at) {
        None => Ok(otherwise),
        Some(Item::Int(bound)) => {
            usize::try_from(*bound).map_err(|_| format!("{bound} is no place in it"))
        }
        Some(other) => Err(format!("{} is no place in it", other.kind())),
    };
    let end = length(item)?;
    let (from, to) = (bound(0, 0)?, bound(1, end)?);
    if from > to || to > end {
        return Err(format!("it has no part from {from} to {to}"));
    }
    match item {
        Item::List(items) => Ok(Item::list(items[from..to].to_vec())),
        Item::Text(text) => match text.get(from..to) {
            Some(part) => Ok(Item::text(part)),
            None => Err("the part begins or ends inside of a character".to_owned()),
        },
        other => Err(format!("{} has no parts", other.kind())),
    }
}

fn equal(a: &Item<'_>, b: &Item<'_>) -> Result<bool, String> {
    match (a, b) {
        (Item::Nil, Item::Nil) => Ok(true),
        (Item::Nil, _) | (_, Item::Nil) => Ok(false),
        (Item::Bool(a), Item::Bool(b)) => Ok(a == b),
        _ => order(a, b).map(Ordering::is_eq),
    }
}

fn order(a: &Item<'_>, b: &Item<'_>) -> Result<Ordering, String> {
    match (a, b) {
        (Item::Int(a), Item::Int(b)) => Ok(a.cmp(b)),
        (Item::Float(a), Item::Float(b)) => Ok(a.total_cmp(b)),
        (Item::Text(a), Item::Text(b)) => Ok(a.cmp(b)),
        _ => Err(format!("{} and {} cannot be compared", a.kind(), b.kind())),
    }
}

fn printf(format: &str, arguments: &[Item<'_>]) -> Result<String, String> {
    let mut out = String::new();
    let mut arguments = arguments.iter();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let (mut minus, mut zero, mut sharp) = (false, false, false);
        while let Some(flag) = chars.next_if(|c| matches!(c, '-' | '0' | '#')) {
            minus |= flag == '-';
            zero |= flag == '0';
            sharp |= flag == '#';
        }
        let mut number = || {
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            digits.parse::<usize>().ok().map(|width| width.min(1000))
        };
        let width = number().unwrap_or(0);
        let precision = if chars.next_if_eq(&'.').is_some() {
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            Some(digits.parse::<usize>().unwrap_or(0).min(1000))
        } else {
            None
        };
        let verb = chars.next().ok_or("`printf` has a `%` at the end of its format")?;
        if verb == '%' {
            out.push('%');
            continue;
        }
        let item = arguments.next().ok_or("`printf` has fewer arguments than its format names")?;
        let mut text = match (verb, item) {
            ('v', item) => print::plain(item)?,
            ('s', Item::Text(text)) => text.to_string(),
            ('d', Item::Int(number)) => number.to_string(),
            ('t', Item::Bool(flag)) => flag.to_string(),
            ('q', Item::Text(text)) => print::quote(text),
            ('x', Item::Int(number)) if *number >= 0 && !sharp => format!("{number:x}"),
            ('x', Item::Text(text)) if !sharp => {
                text.bytes().fold(String::new(), |mut out, byte| {
                    let _ = write!(out, "{byte:02x}");
                    out
                })
            }
            ('o', Item::Int(number)) if *number >= 0 && !sharp => format!("{number:o}"),
            ('f', Item::Float(number)) => format!("{number:.*}", precision.unwrap_or(6)),
            (verb, item) => {
                return Err(format!("`printf` cannot write {} with `%{verb}`", item.kind()));
            }
        };
        if let (Some(precision), 's') = (precision, verb) {
            text = text.chars().take(precision).collect();
        }
        let fill = width.saturating_sub(text.chars().count());
        if minus {
            out += &text;
            out += &" ".repeat(fill);
        } else {
            let zeros = zero && matches!(verb, 'd' | 'x' | 'o' | 'f');
            out += &if zeros { "0" } else { " " }.repeat(fill);
            out += &text;
        }
    }
    if arguments.next().is_some() {
        return Err("`printf` has more arguments than its format names".to_owned());
    }
    Ok(out)
}

fn urlquery(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'-' | b'_' | b'.' | b'~' => out.push(byte as char),
            byte if byte.is_ascii_alphanumeric() => out.push(byte as char),
            byte => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('\'', "&#39;")
        .replace('"', "&#34;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
