//! The words behind `ops run`: which recipe each belongs to. Splits by what the recipes' heads declare; reads no value.
//!
//! Flags belong to the recipe before them. A plain word fills that recipe's next positional parameter; a word that names a recipe begins
//! that recipe as soon as every required positional parameter has its word. What stands behind `--` is the last recipe's rest.

use ops_core::error::{Code, Fault, nearest};

use super::{Catalog, Head, Param, ParamKind};

/// A flag that belongs to `ops` itself and may stand among a recipe's flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    /// Its name without the dashes.
    pub long: String,
    /// Its letter.
    pub short: Option<char>,
    /// Whether a value follows.
    pub value: bool,
}

/// One thing said about a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// `--x`.
    On,
    /// `--no-x`.
    Off,
    /// `--x v`, `--x=v`, or a positional word.
    Word(String),
}

/// A recipe as it was written on the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Its full name.
    pub recipe: String,
    /// What was said about its parameters, in order, by parameter name.
    pub said: Vec<(String, Said)>,
}

/// Everything behind `ops run`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The recipes in order.
    pub recipes: Vec<Written>,
    /// Flags of `ops` itself that stood among theirs.
    pub outside: Vec<String>,
}

/// Splits the words behind `ops run`.
///
/// # Errors
/// An unknown recipe or flag, a flag without its value, or a word that no parameter takes.
pub fn split(words: &[String], catalog: &Catalog, outside: &[Outside]) -> Result<Line, Fault> {
    let mut line = Line::default();
    let mut rest = words;
    let mut now: Vec<&Head> = Vec::new();
    while let Some((word, tail)) = rest.split_first() {
        rest = tail;
        if word == "--" {
            take_rest(&mut line, &now, rest)?;
            break;
        }
        if word.len() > 1 && word.starts_with('-') && !is_negative_number(word) {
            rest = take_flag(word, rest, &mut line, &now, outside)?;
            continue;
        }
        let open = now.last().and_then(|head| next_positional(head, line.recipes.last()));
        let named = catalog.get(word);
        match (open, named) {
            (Some(param), None) => say(&mut line, &param.name, Said::Word(word.clone())),
            (Some(param), Some(_)) if needs_word(param, line.recipes.last()) => {
                say(&mut line, &param.name, Said::Word(word.clone()));
            }
            (_, Some(head)) => begin(&mut line, &mut now, head)?,
            (None, None) if word.starts_with('@') => {
                let tagged = with_tag(catalog, &word[1..])?;
                for head in tagged {
                    begin(&mut line, &mut now, head)?;
                }
            }
            (None, None) => return Err(no_place(word, &now, catalog)),
        }
    }
    Ok(line)
}

/// There is no recipe of this name.
pub fn unknown_recipe(word: &str, catalog: &Catalog) -> Fault {
    let names = catalog
        .heads()
        .filter(|h| !h.private)
        .flat_map(|h| std::iter::once(&h.name).chain(&h.aliases))
        .map(String::as_str);
    let names: Vec<&str> = names.collect();
    let fault = Fault::new(Code::RECIPE_UNKNOWN, format!("there is no recipe `{word}`"));
    // Without its group: `reboot`, `rebot`.
    let behind = |name: &&str| name.rsplit_once(':').is_some_and(|(_, own)| own == word);
    let fault = match names.iter().find(|name| behind(name)) {
        Some(name) => fault.help(format!("did you mean `{name}`?")),
        None => fault.did_you_mean(word, names.iter().copied()),
    };
    fault.next("ops list")
}

fn begin<'a>(line: &mut Line, now: &mut Vec<&'a Head>, head: &'a Head) -> Result<(), Fault> {
    if head.private {
        let title = format!("`{}` is private: only recipes run it", head.name);
        return Err(Fault::new(Code::RECIPE_UNKNOWN, title));
    }
    now.push(head);
    line.recipes.push(Written { recipe: head.name.clone(), said: Vec::new() });
    Ok(())
}

fn say(line: &mut Line, param: &str, said: Said) {
    if let Some(recipe) = line.recipes.last_mut() {
        recipe.said.push((param.to_owned(), said));
    }
}

fn take_rest(line: &mut Line, now: &[&Head], words: &[String]) -> Result<(), Fault> {
    let Some(head) = now.last() else {
        return Err(Fault::new(Code::USAGE, "`--` stands before any recipe"));
    };
    let rest = head.params.iter().find(|p| matches!(p.kind, ParamKind::Rest { .. }));
    match rest {
        Some(param) => {
            for word in words {
                say(line, &param.name, Said::Word(word.clone()));
            }
            Ok(())
        }
        None => Err(Fault::new(
            Code::PARAM_UNKNOWN,
            format!("`{}` takes nothing behind `--`", head.name),
        )
        .next(format!("ops show {}", head.name))),
    }
}

/// Takes one flag with its value; gives the words behind it.
fn take_flag<'w>(
    word: &str,
    mut rest: &'w [String],
    line: &mut Line,
    now: &[&Head],
    outside: &[Outside],
) -> Result<&'w [String], Fault> {
    let (flag, attached) = match word.split_once('=') {
        Some((flag, value)) => (flag, Some(value)),
        None => (word, None),
    };
    if let Some((param, negated)) = now.last().and_then(|head| find_param(head, flag)) {
        let boolean = matches!(param.kind, ParamKind::Bool);
        let said = match (boolean, negated, attached) {
            (true, true, None) => Said::Off,
            (_, true, Some(_)) => {
                return Err(Fault::new(Code::PARAM_VALUE, format!("`{flag}` takes no value")));
            }
            (true, false, None) => Said::On,
            (_, _, Some(value)) => Said::Word(value.to_owned()),
            (false, _, None) => {
                let (value, tail) = value_behind(flag, rest)?;
                rest = tail;
                Said::Word(value)
            }
        };
        say(line, &param.name, said);
        return Ok(rest);
    }
    // `-nw-1`: a letter with its value attached.
    if let Some((param, value)) = now.last().and_then(|head| attached_short(head, word)) {
        say(line, &param.name, Said::Word(value));
        return Ok(rest);
    }
    let own = outside.iter().find(|o| {
        flag.strip_prefix("--").is_some_and(|long| long == o.long)
            || o.short.is_some_and(|c| flag == format!("-{c}"))
    });
    if let Some(own) = own {
        line.outside.push(word.to_owned());
        if own.value && attached.is_none() {
            let (value, tail) = value_behind(flag, rest)?;
            line.outside.push(value);
            rest = tail;
        }
        return Ok(rest);
    }
    Err(unknown_flag(flag, now.last().copied(), outside))
}

fn value_behind<'w>(flag: &str, rest: &'w [String]) -> Result<(String, &'w [String]), Fault> {
    let missing =
        |why: String| Fault::new(Code::PARAM_VALUE, format!("`{flag}` needs a value{why}"));
    match rest.split_first() {
        Some((value, tail)) if !value.starts_with("--") => Ok((value.clone(), tail)),
        Some((value, _)) => Err(missing(format!(", and `{value}` follows"))
            .help(format!("if that is the value, write `{flag}={value}`"))),
        None => Err(missing(String::new())),
    }
}

fn find_param<'a>(head: &'a Head, flag: &str) -> Option<(&'a Param, bool)> {
    let flags = |p: &&Param| !matches!(p.kind, ParamKind::Rest { .. });
    let mut params = head.params.iter().filter(flags);
    if let Some(long) = flag.strip_prefix("--") {
        let name = long.replace('-', "_");
        // `--drain_timeout` is not a second spelling: one thing, one name.
        let by_name = params.find(|p| p.name == name && !long.contains('_'));
        return by_name.map(|p| (p, false)).or_else(|| {
            let bare = long.strip_prefix("no-")?.replace('-', "_");
            let boolean = |p: &&Param| matches!(p.kind, ParamKind::Bool) && p.name == bare;
            head.params.iter().find(boolean).map(|p| (p, true))
        });
    }
    let mut letters = flag.strip_prefix('-')?.chars();
    let letter = letters.next()?;
    if letters.next().is_some() {
        return None;
    }
    params.find(|p| p.short == Some(letter)).map(|p| (p, false))
}

fn attached_short<'a>(head: &'a Head, word: &str) -> Option<(&'a Param, String)> {
    let body = word.strip_prefix('-').filter(|body| !body.starts_with('-'))?;
    let letter = body.chars().next()?;
    let value = &body[letter.len_utf8()..];
    let param = head.params.iter().find(|p| p.short == Some(letter))?;
    (!value.is_empty() && !matches!(param.kind, ParamKind::Bool | ParamKind::Rest { .. }))
        .then(|| (param, value.to_owned()))
}

/// The positional parameter that the next plain word fills.
fn next_positional<'a>(head: &'a Head, written: Option<&Written>) -> Option<&'a Param> {
    let filled =
        |p: &Param| written.is_some_and(|w| w.said.iter().any(|(name, _)| *name == p.name));
    head.params.iter().filter(|p| p.positional).find(|p| !filled(p) || takes_many(&p.kind))
}

fn takes_many(kind: &ParamKind) -> bool {
    matches!(
        kind,
        ParamKind::List { .. }
            | ParamKind::Nodes { .. }
            | ParamKind::Partitions { .. }
            | ParamKind::Choice { multiple: true, .. }
    )
}

fn needs_word(param: &Param, written: Option<&Written>) -> bool {
    param.required && !written.is_some_and(|w| w.said.iter().any(|(name, _)| *name == param.name))
}

fn is_negative_number(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit()))
}

fn with_tag<'a>(catalog: &'a Catalog, tag: &str) -> Result<Vec<&'a Head>, Fault> {
    let public = || catalog.heads().filter(|h| !h.private);
    let found: Vec<&Head> = public().filter(|h| h.tags.iter().any(|t| t == tag)).collect();
    if found.is_empty() {
        let tags = public().flat_map(|h| h.tags.iter().map(String::as_str));
        return Err(Fault::new(Code::RECIPE_UNKNOWN, format!("no recipe has the tag `@{tag}`"))
            .did_you_mean(tag, tags));
    }
    Ok(found)
}

fn no_place(word: &str, now: &[&Head], catalog: &Catalog) -> Fault {
    let Some(head) = now.last() else { return unknown_recipe(word, catalog) };
    let fault = unknown_recipe(word, catalog);
    let nodes = head
        .params
        .iter()
        .find(|p| matches!(p.kind, ParamKind::Nodes { .. } | ParamKind::Node { .. }));
    if !fault.help.is_empty() || word.contains(':') {
        return fault;
    }
    let title = format!("`{}` takes no word here: `{word}`", head.name);
    let fault = Fault::new(Code::PARAM_UNKNOWN, title).next(format!("ops show {}", head.name));
    match nodes {
        Some(param) => fault.help(format!("did you mean `{} {word}`?", flag_of(param))),
        None => fault,
    }
}

fn unknown_flag(flag: &str, head: Option<&Head>, outside: &[Outside]) -> Fault {
    // Compared without the dashes: two words that begin alike look closer than they are.
    let suggest = |fault: Fault, known: &[String]| {
        let bare = flag.trim_start_matches('-');
        match nearest(bare, known.iter().map(|k| k.trim_start_matches('-'))) {
            Some(near) => fault.help(format!("did you mean `--{near}`?")),
            None => fault,
        }
    };
    let own = outside.iter().map(|o| format!("--{}", o.long));
    let Some(head) = head else {
        let fault = Fault::new(Code::USAGE, format!("there is no flag `{flag}`"));
        return suggest(fault, &own.collect::<Vec<_>>()).next("ops --help");
    };
    let theirs: Vec<String> = visible(head).map(flag_of).collect();
    let known: Vec<String> = theirs.iter().cloned().chain(own).collect();
    let title = format!("`{}` has no parameter `{flag}`", head.name);
    let mut fault = suggest(Fault::new(Code::PARAM_UNKNOWN, title), &known);
    if !theirs.is_empty() {
        fault = fault.detail(format!("parameters: {}", theirs.join(", ")));
    }
    fault.next(format!("ops show {}", head.name))
}

fn visible(head: &Head) -> impl Iterator<Item = &Param> {
    head.params.iter().filter(|p| !p.hidden && !matches!(p.kind, ParamKind::Rest { .. }))
}

/// A parameter's flag: `drain_timeout` is `--drain-timeout`.
pub fn flag_of(param: &Param) -> String {
    format!("--{}", param.name.replace('_', "-"))
}

#[cfg(test)]
mod tests;
