//! Where go-yaml lays out a text otherwise than the parser behind us: it
//! minds no indentation inside brackets and quotes and takes a tab behind a
//! colon, but no tab on a blank line, no newer YAML than 1.1, and three more
//! characters as line breaks. It knows no trees.

use std::borrow::Cow;
use std::collections::BTreeMap;

use saphyr_parser::ScanError;

use crate::diagnostic::Mark;

/// How often a text is mended before it is taken for broken.
const MENDS: usize = 100;
/// The largest text that is mended.
const MENDED_BYTES: usize = 1 << 20;

/// A text as the parser reads it, and what was put into it.
pub(super) struct Layout<'t> {
    pub(super) text: Cow<'t, str>,
    /// By line: the index of its first character and the spaces put before it.
    added: BTreeMap<usize, (usize, usize)>,
    mends: usize,
}

impl<'t> Layout<'t> {
    pub(super) fn new(text: &'t str) -> Layout<'t> {
        Layout { text: Cow::Borrowed(text), added: BTreeMap::new(), mends: 0 }
    }

    /// The place in the text as it was given.
    pub(super) fn mark(&self, line: usize, column: usize) -> Mark {
        let added = self.added.get(&line).map_or(0, |(_, count)| *count);
        Mark { line, column: column.saturating_sub(added).max(1) }
    }

    /// The index of a character in the text as it was given.
    pub(super) fn index(&self, index: usize) -> usize {
        let before = self.added.values().filter(|(start, _)| *start < index);
        index - before.map(|(start, count)| (*count).min(index - start)).sum::<usize>()
    }

    /// Mends what the parser refuses and go-yaml does not; `None` for every
    /// other error.
    pub(super) fn mended(&self, error: &ScanError) -> Option<Layout<'t>> {
        if self.mends == MENDS || self.text.len() > MENDED_BYTES {
            return None;
        }
        let mut characters: Vec<char> = self.text.chars().collect();
        let at = error.marker().index();
        let mut lines: Vec<usize> = Vec::new();
        match error.info() {
            "':' must be followed by a valid YAML whitespace" => {
                let tabs = characters[..at].iter().rev().take_while(|c| **c != ':').count();
                characters[at - tabs..at].fill(' ');
            }
            "tabs disallowed within this context (block indentation)" => {
                spread_tabs(&mut characters, at);
            }
            "invalid indentation in quoted scalar" => {
                lines.extend(lines_in_quotes(&characters, at));
            }
            "invalid indentation" | "invalid indentation in flow construct" => {
                let before = characters[..at].iter().rposition(|c| *c == '\n');
                lines.push(before.map_or(0, |end| end + 1));
            }
            _ => return None,
        }
        let mut added = self.added.clone();
        // From behind, so that earlier indices stay.
        let width = deepest(&characters) + 1;
        for start in lines.into_iter().rev() {
            characters.splice(start..start, std::iter::repeat_n(' ', width));
            let line = characters[..start].iter().filter(|c| **c == '\n').count() + 1;
            for (other, _) in added.values_mut().filter(|(other, _)| *other > start) {
                *other += width;
            }
            added.entry(line).or_insert((start, 0)).1 += width;
        }
        let text = Cow::Owned(characters.into_iter().collect());
        Some(Layout { text, added, mends: self.mends + 1 })
    }
}

/// Spaces in place of the tabs that the line of a character begins with. In
/// one text of brackets, as programs write JSON, those of every line: none of
/// them is content there.
fn spread_tabs(characters: &mut [char], at: usize) {
    let text = characters.iter().collect::<String>();
    let brackets = text.trim_start().starts_with(['[', '{']) && !text.contains("\n---");
    let line = characters[..at].iter().rposition(|c| *c == '\n').map_or(0, |end| end + 1);
    let (mut start, end) = if brackets { (0, characters.len()) } else { (line, at) };
    while start < end {
        let rest = &mut characters[start..];
        let blanks = rest.iter().take_while(|c| matches!(c, ' ' | '\t')).count();
        rest[..blanks].fill(' ');
        let line = rest.iter().position(|c| *c == '\n').unwrap_or(rest.len());
        start += line + 1;
    }
}

/// The most spaces that a line begins with.
fn deepest(characters: &[char]) -> usize {
    let lines = characters.split(|c| *c == '\n');
    lines.map(|line| line.iter().take_while(|c| **c == ' ').count()).max().unwrap_or(0)
}

/// Where the further lines of a quoted text begin.
fn lines_in_quotes(characters: &[char], start: usize) -> Vec<usize> {
    let quote = characters.get(start).copied().unwrap_or('"');
    let (mut lines, mut escaped) = (Vec::new(), false);
    for (at, &c) in characters.iter().enumerate().skip(start + 1) {
        match c {
            '\n' => lines.push(at + 1),
            _ if escaped => {}
            c if c == quote => break,
            _ => {}
        }
        escaped = c == '\\' && quote == '"' && !escaped;
    }
    lines
}

/// What is wrong with the anchor or the tag that a text begins with. go-yaml
/// takes fewer characters in their names.
pub(super) fn property(text: &str) -> Option<&'static str> {
    let end = text.find(|c: char| c.is_whitespace()).unwrap_or(text.len());
    let word = &text[..end];
    if let Some(name) = word.strip_prefix(['&', '*']) {
        let end = name.find([',', '[', ']', '{', '}']).unwrap_or(name.len());
        let named = !name[..end].trim_end_matches(':').is_empty();
        return (!named).then_some("an anchor has a name");
    }
    let odd = word.starts_with('!')
        && !word.starts_with("!<")
        && word.contains(['{', '}', '[', ']', '#', '"', '|', '>', '`', ',']);
    odd.then_some("a tag is followed by a space")
}

/// A character that ends a line in YAML 1.1, and in no other reader.
pub(super) fn old_break(text: &str) -> Option<usize> {
    if text.is_ascii() { None } else { text.find(['\u{85}', '\u{2028}', '\u{2029}']) }
}

/// What is wrong with the directives before a document that begins at a line:
/// the line, and why.
pub(super) fn directive(text: &str, document: usize) -> Option<(usize, String)> {
    if !text.starts_with('%') && !text.contains("\n%") {
        return None;
    }
    let lines: Vec<&str> = text.lines().collect();
    let before = &lines[..document.saturating_sub(1).min(lines.len())];
    let aside = |line: &&str| line.trim().is_empty() || line.starts_with(['#', '%']);
    for (back, line) in before.iter().rev().take_while(|line| aside(line)).enumerate() {
        let mut words = line.split_whitespace();
        let why = match (words.next(), words.next()) {
            (Some("%YAML"), Some("1.1")) | (Some("%TAG"), _) => continue,
            (Some("%YAML"), _) => "Talos reads documents of YAML 1.1 only".to_owned(),
            (Some(word), _) if word.starts_with('%') => format!("`{word}` is no directive"),
            _ => continue,
        };
        return Some((before.len() - back, why));
    }
    None
}

/// A stretch of a text, as far as tabs matter to it.
pub(super) enum Stretch {
    /// Brackets, braces and quotes: tabs are white space or content.
    Closed,
    /// A block of text.
    Block,
    /// Plain text in a block that is indented by this many columns.
    Plain(usize),
}

/// The first blank line, or line of a comment, with a tab where go-yaml takes none.
pub(super) fn blank_tab(text: &str, stretches: &[(usize, usize, Stretch)]) -> Option<Mark> {
    let characters: Vec<char> = text.chars().collect();
    let mut start = 0;
    for (number, line) in text.split('\n').enumerate() {
        let here = start;
        start += line.chars().count() + 1;
        let spaces = line.bytes().take_while(|byte| *byte == b' ').count();
        let rest = line.trim();
        if line.as_bytes().get(spaces) != Some(&b'\t')
            || !(rest.is_empty() || rest.starts_with('#'))
        {
            continue;
        }
        let blank =
            |from: usize| characters[from.min(here)..here].iter().all(|c| c.is_whitespace());
        let closed = |(from, to, kind): &&(usize, usize, Stretch)| {
            matches!(kind, Stretch::Closed) && *from < here && here < *to
        };
        let last =
            stretches.iter().filter(|(from, ..)| *from < here).max_by_key(|(from, ..)| *from);
        let fine = stretches.iter().any(|stretch| closed(&stretch))
            || match last {
                Some((_, to, Stretch::Plain(indent))) => blank(*to) && spaces > *indent,
                Some((from, to, Stretch::Block)) if here < *to || blank(*to) => {
                    let line = characters[..*from].iter().rposition(|c| *c == '\n');
                    spaces >= first_indentation(&characters[line.map_or(0, |end| end + 1)..])
                }
                _ => false,
            };
        if !fine {
            return Some(Mark { line: number + 1, column: spaces + 1 });
        }
    }
    None
}

/// The spaces that the first line with content begins with.
fn first_indentation(characters: &[char]) -> usize {
    let mut lines = characters.split(|c| *c == '\n');
    let content = lines.find(|line| line.iter().any(|c| !c.is_whitespace()));
    content.map_or(0, |line| line.iter().take_while(|c| **c == ' ').count())
}
