//! The functions of sprig for regular expressions. The engine knows the syntax
//! of Go's but for little: classes by a letter hold more here, brackets and
//! doubled signs inside of a class mean something; both are written anew first.

use regex::{Regex, RegexBuilder};

use super::item::Item;

/// The most that a compiled expression may take.
const MAX_PROGRAM: usize = 1 << 20;

/// Calls a function; `None` where the name or the arguments are none of these.
pub(super) fn call<'d>(name: &str, arguments: &[Item<'d>]) -> Option<Result<Item<'d>, String>> {
    use Item::{Int, Text};
    let plain = name.strip_prefix("mustRegex").map(|rest| format!("regex{rest}"));
    let plain = plain.as_deref().unwrap_or(name);
    let made = match (plain, arguments) {
        ("regexMatch", [Text(pattern), Text(text)]) => match compile(pattern) {
            Ok(regex) => Ok(Item::Bool(regex.is_match(text))),
            // Without `must` a broken expression matches nothing.
            Err(_) if plain == name => Ok(Item::Bool(false)),
            Err(why) => Err(why),
        },
        ("regexFind", [Text(pattern), Text(text)]) => compile(pattern)
            .map(|regex| Item::text(regex.find(text).map_or("", |found| found.as_str()))),
        ("regexFindAll", [Text(pattern), Text(text), Int(most)]) => compile(pattern).map(|regex| {
            let found = regex.find_iter(text).take(count(*most));
            Item::list(found.map(|found| Item::text(found.as_str())).collect())
        }),
        ("regexReplaceAll", [Text(pattern), Text(text), Text(with)]) => {
            compile(pattern).and_then(|regex| replaced(&regex, text, with, true))
        }
        ("regexReplaceAllLiteral", [Text(pattern), Text(text), Text(with)]) => {
            compile(pattern).and_then(|regex| replaced(&regex, text, with, false))
        }
        ("regexSplit", [Text(pattern), Text(text), Int(most)]) => {
            compile(pattern).map(|regex| split(&regex, text, *most))
        }
        ("regexQuoteMeta", [Text(text)]) => Ok(Item::text(quoted(text))),
        _ => return None,
    };
    Some(made)
}

fn count(most: i128) -> usize {
    usize::try_from(most).unwrap_or(usize::MAX)
}

fn replaced<'d>(regex: &Regex, text: &str, with: &str, expands: bool) -> Result<Item<'d>, String> {
    let mut out = String::new();
    let mut end = 0;
    for found in regex.captures_iter(text) {
        let Some(whole) = found.get(0) else { continue };
        out += &text[end..whole.start()];
        if expands {
            found.expand(with, &mut out);
        } else {
            out += with;
        }
        end = whole.end();
        super::sprig::bounded(out.len())?;
    }
    Ok(Item::text(out + &text[end..]))
}

/// Like Go's `Split`: an empty match at the start makes no part, and at most
/// so many parts are made.
fn split<'d>(regex: &Regex, text: &str, most: i128) -> Item<'d> {
    if most == 0 {
        return Item::list(Vec::new());
    }
    if text.is_empty() && !regex.as_str().is_empty() {
        return Item::list(vec![Item::text("")]);
    }
    let (mut parts, mut begin, mut end) = (Vec::new(), 0, 0);
    for found in regex.find_iter(text) {
        if most > 0 && parts.len() as i128 == most - 1 {
            break;
        }
        end = found.start();
        if found.end() != 0 {
            parts.push(Item::text(&text[begin..end]));
        }
        begin = found.end();
    }
    if end != text.len() {
        parts.push(Item::text(&text[begin..]));
    }
    Item::list(parts)
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn compile(pattern: &str) -> Result<Regex, String> {
    let mut builder = RegexBuilder::new(&translated(pattern));
    builder.size_limit(MAX_PROGRAM).build().map_err(|error| {
        let why = error.to_string();
        let last = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("`{pattern}` is no regular expression: {last}")
    })
}

/// An expression of Go's as one of the engine's.
fn translated(pattern: &str) -> String {
    let mut out = String::new();
    let mut in_class = false;
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => {
                let Some(next) = rest.chars().next() else {
                    out.push('\\');
                    break;
                };
                rest = &rest[next.len_utf8()..];
                match next {
                    'd' => out += "[0-9]",
                    'D' => out += "[^0-9]",
                    'w' => out += "[0-9A-Za-z_]",
                    'W' => out += "[^0-9A-Za-z_]",
                    's' => out += r"[\t\n\f\r ]",
                    'S' => out += r"[^\t\n\f\r ]",
                    'b' if !in_class => out += r"(?-u:\b)",
                    'B' if !in_class => out += r"(?-u:\B)",
                    'Q' => {
                        let (literal, behind) = rest.split_once("\\E").unwrap_or((rest, ""));
                        out += &quoted(literal);
                        rest = behind;
                    }
                    next => {
                        out.push('\\');
                        out.push(next);
                    }
                }
            }
            '[' if in_class && rest.starts_with(':') && rest.contains(":]") => {
                let (name, behind) = rest.split_once(":]").unwrap_or((rest, ""));
                out += &format!("[{name}:]");
                rest = behind;
            }
            '[' if in_class => out += r"\[",
            '[' => {
                in_class = true;
                out.push('[');
                if let Some(behind) = rest.strip_prefix('^') {
                    out.push('^');
                    rest = behind;
                }
                // A bracket that comes first is itself.
                if let Some(behind) = rest.strip_prefix(']') {
                    out += r"\]";
                    rest = behind;
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}
