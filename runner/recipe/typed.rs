//! One value of one parameter type: from words or plain data to what the recipe receives. Pure; asks the disk only through `Context::stat`.

use std::path::{Component, Path, PathBuf};

use ops_core::error::nearest;
use ops_core::inventory::Role;
use ops_core::time::Span;
use ops_core::value::{Digest, Handle, SecretRef, Value};

use super::params::Context;
use super::select::{Unselected, select};
use super::semver::{Range, Version};
use super::{ParamKind, pattern};

/// Where a value comes from: words are split and parsed, data has its type already.
#[derive(Clone, Copy, Debug)]
pub(super) enum Given<'a> {
    /// From the command line or a variable.
    Words(&'a [&'a str]),
    /// From a file, a default or a recipe.
    Data(&'a Value),
}

/// What is wrong with a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wrong {
    pub message: String,
    pub suggestion: Option<String>,
    pub known: Vec<String>,
    pub help: Option<String>,
}

impl Wrong {
    fn new(message: impl Into<String>) -> Wrong {
        Wrong { message: message.into(), ..Wrong::default() }
    }

    fn among<'a>(
        message: impl Into<String>,
        word: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Wrong {
        let known: Vec<String> = known.into_iter().map(str::to_owned).collect();
        let suggestion = nearest(word, known.iter().map(String::as_str)).map(str::to_owned);
        Wrong { message: message.into(), suggestion, known, help: None }
    }
}

impl From<Unselected> for Wrong {
    fn from(from: Unselected) -> Wrong {
        Wrong { message: from.message, suggestion: from.suggestion, known: from.known, help: None }
    }
}

impl From<String> for Wrong {
    fn from(message: String) -> Wrong {
        Wrong::new(message)
    }
}

/// Reads a value of the type.
pub(super) fn read(kind: &ParamKind, given: Given<'_>, cx: &Context<'_>) -> Result<Value, Wrong> {
    match kind {
        ParamKind::Choice { words, multiple: true } => {
            let list = strings(given, ",")?;
            for word in &list {
                choice(words, word)?;
            }
            if list.is_empty() {
                return Err(Wrong::new("an empty list"));
            }
            Ok(list.into())
        }
        ParamKind::List { of, sep, allow_empty } => {
            let items = list(of, given, sep.as_deref().unwrap_or(","), cx)?;
            if items.is_empty() && !allow_empty {
                return Err(Wrong::new("an empty list"));
            }
            Ok(Value::Array(items))
        }
        ParamKind::Nodes { role } => {
            let words = strings(given, ",")?;
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let cluster =
                cx.cluster.ok_or_else(|| Wrong::new("there is no cluster to select from"))?;
            Ok(select(&words, self::role(role.as_deref()), cluster)?.into())
        }
        // Never refused here: a wipe without partitions must be refused by the guard, with its exit code, in every spelling.
        ParamKind::Partitions { .. } => Ok(strings(given, ",")?.into()),
        ParamKind::Rest { min, max } => {
            let words = match given {
                Given::Words(words) => words.iter().map(|w| (*w).to_owned()).collect(),
                Given::Data(_) => strings(given, "\0")?,
            };
            let count = words.len() as u64;
            if min.is_some_and(|min| count < min) || max.is_some_and(|max| count > max) {
                let range = bounds(min.as_ref(), max.as_ref());
                return Err(Wrong::new(format!("{count} words, expected {range}")));
            }
            Ok(words.into())
        }
        _ => single(kind, given, cx),
    }
}

fn single(kind: &ParamKind, given: Given<'_>, cx: &Context<'_>) -> Result<Value, Wrong> {
    let word = match given {
        Given::Words([word]) => Ok(*word),
        Given::Words(words) => {
            let times = words.len();
            return Err(Wrong::new(format!("given {times} times, expected one value")));
        }
        Given::Data(Value::String(text)) => Ok(text.as_str()),
        Given::Data(other) => Err(other),
    };
    match (kind, word) {
        (ParamKind::Bool, Err(Value::Bool(on))) => Ok((*on).into()),
        (ParamKind::Bool, Ok("true" | "1" | "yes")) if !is_data(given) => Ok(true.into()),
        (ParamKind::Bool, Ok("false" | "0" | "no")) if !is_data(given) => Ok(false.into()),
        (ParamKind::Int { min, max }, word) => {
            let number = match word {
                Ok(word) if !is_data(given) => word.parse::<i64>().ok(),
                Ok(_) => None,
                Err(data) => data.as_i64(),
            };
            let number = number.ok_or_else(|| expected("a whole number", given))?;
            within(number, min.as_ref(), max.as_ref()).map(Value::from)
        }
        (ParamKind::Number { min, max }, word) => {
            let number = match word {
                Ok(word) if !is_data(given) => word.parse::<f64>().ok(),
                Ok(_) => None,
                Err(data) => data.as_f64(),
            };
            let number =
                number.filter(|n| n.is_finite()).ok_or_else(|| expected("a number", given))?;
            within(number, min.as_ref(), max.as_ref()).map(Value::from)
        }
        (kind, Ok(word)) => text(kind, word, cx, is_data(given)),
        (kind, Err(_)) => Err(expected(name_of(kind), given)),
    }
}

fn text(kind: &ParamKind, word: &str, cx: &Context<'_>, data: bool) -> Result<Value, Wrong> {
    match kind {
        ParamKind::String { pattern, min, max, allow_empty } => {
            if word.is_empty() && !allow_empty {
                return Err(Wrong::new("an empty text"));
            }
            let length = word.chars().count() as u64;
            if min.is_some_and(|min| length < min) || max.is_some_and(|max| length > max) {
                let range = bounds(min.as_ref(), max.as_ref());
                return Err(Wrong::new(format!("{length} characters, expected {range}")));
            }
            if let Some(pattern) = pattern
                && !pattern::found(pattern, word)?
            {
                return Err(Wrong::new(format!("`{word}` does not match `{pattern}`")));
            }
        }
        ParamKind::Choice { words, .. } => choice(words, word)?,
        ParamKind::Path { dir, exists, outside } => {
            let from = if data { cx.root } else { cx.here };
            return path(word, from, *dir, *exists, *outside, cx).map(Value::from);
        }
        ParamKind::Duration { min, max } => {
            let span: Span = word.parse()?;
            within(span, min.as_ref(), max.as_ref())?;
        }
        ParamKind::Semver { range } => {
            let version = Version::parse(word)?;
            if let Some(range) = range
                && !Range::parse(range)?.contains(&version)
            {
                return Err(Wrong::new(format!("`{word}` is outside `{range}`")));
            }
        }
        ParamKind::Node { role } => {
            let cluster =
                cx.cluster.ok_or_else(|| Wrong::new("there is no cluster to select from"))?;
            if cluster.node(word).is_none() {
                let names = cluster.nodes.iter().map(|n| n.name.as_str());
                return Err(Wrong::among(format!("there is no node `{word}`"), word, names));
            }
            select(&[word], self::role(role.as_deref()), cluster)?;
        }
        ParamKind::Cluster => {
            if !cx.clusters.iter().any(|c| c == word) {
                let names = cx.clusters.iter().map(String::as_str);
                return Err(Wrong::among(format!("there is no cluster `{word}`"), word, names));
            }
        }
        ParamKind::Secret { .. } => return secret(word, cx),
        _ => return Err(expected(name_of(kind), Given::Words(&[word]))),
    }
    Ok(word.into())
}

fn choice(words: &[String], word: &str) -> Result<(), Wrong> {
    if words.iter().any(|w| w == word) {
        return Ok(());
    }
    let known = words.iter().map(String::as_str);
    Err(Wrong::among(format!("`{word}` is none of the words"), word, known))
}

/// A reference to a secret. A literal is refused without being shown: it may be the secret.
fn secret(word: &str, cx: &Context<'_>) -> Result<Value, Wrong> {
    let (provider, reference) = match word.strip_prefix('@') {
        Some("-") => ("stdin", "-"),
        Some(rest) if rest.starts_with("op://") => ("op", rest),
        Some(rest) => match rest.split_once(':') {
            Some((provider @ ("env" | "file"), name)) if !name.is_empty() => (provider, name),
            _ => return Err(literal()),
        },
        None if word.starts_with("op://") => ("op", word),
        None => return Err(literal()),
    };
    let reference = match provider {
        "file" => path(reference, cx.here, false, true, true, cx)?,
        _ => reference.to_owned(),
    };
    Ok(Handle::Secret(SecretRef {
        provider: provider.into(),
        reference,
        digest: Digest(String::new()),
    })
    .to_value())
}

fn literal() -> Wrong {
    Wrong {
        message: "a reference to the secret is expected, not the secret itself".into(),
        help: Some("write @env:NAME, @file:PATH, @op://… or @- (standard input)".into()),
        ..Wrong::default()
    }
}

/// A path relative to the root.
fn path(
    word: &str,
    from: &Path,
    dir: bool,
    exists: bool,
    outside: bool,
    cx: &Context<'_>,
) -> Result<String, Wrong> {
    if word.is_empty() {
        return Err(Wrong::new("an empty path"));
    }
    let mut whole = PathBuf::new();
    for part in from.join(word).components() {
        match part {
            Component::ParentDir => drop(whole.pop()),
            Component::CurDir => {}
            part => whole.push(part),
        }
    }
    let shown = match whole.strip_prefix(cx.root) {
        Ok(inside) if inside.as_os_str().is_empty() => ".".to_owned(),
        Ok(inside) => inside.display().to_string(),
        Err(_) if outside => whole.display().to_string(),
        Err(_) => return Err(Wrong::new(format!("`{word}` lies outside the repository"))),
    };
    let what = if dir { "folder" } else { "file" };
    match (cx.stat)(&shown) {
        Some(is_dir) if is_dir != dir && (exists || dir) => {
            Err(Wrong::new(format!("`{shown}` is no {what}")))
        }
        None if exists => Err(Wrong::new(format!("there is no {what} `{shown}`"))),
        _ => Ok(shown),
    }
}

fn list(
    of: &ParamKind,
    given: Given<'_>,
    sep: &str,
    cx: &Context<'_>,
) -> Result<Vec<Value>, Wrong> {
    match given {
        Given::Words(words) => pieces(words, sep)
            .into_iter()
            .map(|piece| read(of, Given::Words(&[piece]), cx))
            .collect(),
        Given::Data(Value::Array(items)) => {
            items.iter().map(|item| read(of, Given::Data(item), cx)).collect()
        }
        Given::Data(_) => Err(expected("a list", given)),
    }
}

/// The words of a list, from repeated and separated words or from data; one text as data is separated too (`nodes = "!w-1"`).
fn strings(given: Given<'_>, sep: &str) -> Result<Vec<String>, Wrong> {
    let owned = |pieces: Vec<&str>| pieces.into_iter().map(str::to_owned).collect();
    match given {
        Given::Words(words) => Ok(owned(pieces(words, sep))),
        Given::Data(Value::String(text)) => Ok(owned(pieces(&[text.as_str()], sep))),
        Given::Data(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or_else(|| expected("a list of texts", given)),
        Given::Data(_) => Err(expected("a list of texts", given)),
    }
}

/// One empty word is an empty list; between separators an empty piece stays, for its reader to judge.
fn pieces<'a>(words: &[&'a str], sep: &str) -> Vec<&'a str> {
    match words {
        [""] => Vec::new(),
        words => words.iter().flat_map(|word| word.split(sep)).map(str::trim).collect(),
    }
}

fn within<T: PartialOrd + std::fmt::Display + Copy>(
    value: T,
    min: Option<&T>,
    max: Option<&T>,
) -> Result<T, Wrong> {
    if min.is_some_and(|min| value < *min) || max.is_some_and(|max| value > *max) {
        return Err(Wrong::new(format!("{value} is outside {}", bounds(min, max))));
    }
    Ok(value)
}

fn bounds<T: std::fmt::Display>(min: Option<&T>, max: Option<&T>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => "anything".into(),
    }
}

fn role(word: Option<&str>) -> Option<Role> {
    [Role::Controlplane, Role::Worker].into_iter().find(|role| Some(role.word()) == word)
}

fn is_data(given: Given<'_>) -> bool {
    matches!(given, Given::Data(_))
}

fn expected(what: &str, given: Given<'_>) -> Wrong {
    let found = match given {
        Given::Words(words) => format!("`{}`", words.join(",")),
        Given::Data(data) => format!("`{data}`"),
    };
    Wrong::new(format!("{found} is not {what}"))
}

/// A type's name in a sentence: "expected …".
pub(super) fn name_of(kind: &ParamKind) -> &'static str {
    match kind {
        ParamKind::Bool => "true or false",
        ParamKind::String { .. } => "a text",
        ParamKind::Int { .. } => "a whole number",
        ParamKind::Number { .. } => "a number",
        ParamKind::Choice { .. } => "one of the words",
        ParamKind::List { .. } => "a list",
        ParamKind::Path { dir: true, .. } => "a folder",
        ParamKind::Path { .. } => "a path",
        ParamKind::Duration { .. } => "a duration",
        ParamKind::Semver { .. } => "a version",
        ParamKind::Node { .. } => "a node",
        ParamKind::Nodes { .. } => "a selection of nodes",
        ParamKind::Cluster => "a cluster",
        ParamKind::Partitions { .. } => "partition labels",
        ParamKind::Secret { .. } => "a reference to a secret",
        ParamKind::Rest { .. } => "words",
    }
}
