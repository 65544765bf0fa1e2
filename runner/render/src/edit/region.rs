//! Which characters of a file hold a value, and what is put in their place.
//! Whether the result is right is proven elsewhere, by reading it again.

use super::Scalar;
use super::path::Found;
use crate::yaml::emit::{fits_literal, inline, quoted};
use crate::yaml::node::{Data, Node};
use crate::yaml::read::block_header;
use crate::yaml::scalar::format_float;

/// How the new value is spelt.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Spelling {
    /// As the old one where that is possible.
    Alike,
    /// On one line in double quotes, which is right everywhere.
    Quoted,
}

/// The text with the value at `found` replaced.
pub(super) fn replace(text: &str, found: &Found<'_>, value: &Scalar, spelling: Spelling) -> String {
    let region = Region::of(text, found.node);
    let line_break = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let (head, body) = match (spelling, value) {
        (Spelling::Quoted, Scalar::Text(new)) => (quoted(new, false), String::new()),
        _ => written(text, &region, found, value, line_break),
    };
    let gap = match text[..region.head.0].chars().next_back() {
        // `key:` with nothing behind it.
        Some(':' | '-' | '?') if !head.is_empty() => " ",
        _ => "",
    };
    [
        &text[..region.head.0],
        gap,
        &head,
        &text[region.head.1..region.body.0],
        &body,
        &text[region.body.1..],
    ]
    .concat()
}

/// The bytes of a value: what stands on the line of its key, and the lines of
/// a block scalar. Between them may be a comment, which stays.
struct Region {
    head: (usize, usize),
    body: (usize, usize),
    block: bool,
}

impl Region {
    fn of(text: &str, node: &Node) -> Region {
        let byte = |character: usize| {
            text.char_indices().nth(character).map_or(text.len(), |(byte, _)| byte)
        };
        let (start, end) = (byte(node.span.0), byte(node.span.1));
        if let Some(region) = Region::block(text, node, start, end) {
            return region;
        }
        if start >= end {
            // Nothing stands there: the value belongs behind the colon or the dash.
            let skipped = text[start..].find(|c: char| !matches!(c, ' ' | ':' | '-')).unwrap_or(0);
            let start = start + text[start..start + skipped].trim_end().len();
            let line_end = end_of_line(text, start);
            return Region { head: (start, start), body: (line_end, line_end), block: false };
        }
        let value = properties(&text[start..end]);
        let start = end - value.len();
        let end = start + quoted_length(value).unwrap_or(value.trim_end().len());
        let line_end = end_of_line(text, end);
        Region { head: (start, end), body: (line_end, line_end), block: false }
    }

    /// A literal or folded block: its header, and its lines without blank ones at the end.
    fn block(text: &str, node: &Node, start: usize, end: usize) -> Option<Region> {
        let Data::Scalar { plain: false, .. } = node.data else { return None };
        if matches!(text[start..].chars().next(), Some('"' | '\'' | '&' | '!'))
            && is_quoted(&text[start..end])
        {
            return None;
        }
        // The span begins at the first line of content, or at the header of an empty block.
        let mut line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        loop {
            let line_end = end_of_line(text, line_start);
            let here = &text[line_start..line_end];
            if let Some((at, header)) = block_header(here)
                && (line_start + at <= start)
                && (line_end <= start || line_start + at + header.len() >= end)
            {
                let head = (line_start + at, line_start + at + header.len());
                let content_end = start.max(line_end)
                    + text[start.max(line_end)..end.max(start.max(line_end))].trim_end().len();
                return Some(Region { head, body: (line_end, content_end), block: true });
            }
            if line_start == 0 {
                return None;
            }
            line_start = text[..line_start - 1].rfind('\n').map_or(0, |at| at + 1);
        }
    }
}

/// The length of a quoted scalar; a span may reach past it, to a comment.
fn quoted_length(value: &str) -> Option<usize> {
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut characters = value.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if c == '\\' && quote == '"' {
            characters.next();
        } else if c == quote {
            if quote == '\'' && characters.peek().is_some_and(|(_, next)| *next == '\'') {
                characters.next();
            } else {
                return Some(at + 1);
            }
        }
    }
    None
}

fn is_quoted(span: &str) -> bool {
    properties(span).starts_with(['"', '\''])
}

/// A scalar without the anchor and the tag before it.
fn properties(mut span: &str) -> &str {
    while span.starts_with(['&', '!']) {
        span = span.find(char::is_whitespace).map_or("", |at| &span[at..]).trim_start();
    }
    span
}

fn end_of_line(text: &str, from: usize) -> usize {
    let end = text[from..].find('\n').map_or(text.len(), |at| from + at);
    if text[..end].ends_with('\r') && end > from { end - 1 } else { end }
}

/// What is put on the key's line, and in the lines below it.
fn written(
    text: &str,
    region: &Region,
    found: &Found<'_>,
    value: &Scalar,
    line_break: &str,
) -> (String, String) {
    let bare = |text: String| (text, String::new());
    let new = match value {
        Scalar::Null => return bare("null".to_owned()),
        Scalar::Bool(value) => return bare(value.to_string()),
        Scalar::Int(value) => return bare(value.to_string()),
        Scalar::Float(value) => return bare(format_float(*value)),
        Scalar::Text(new) => new,
    };
    let old = &text[region.head.0..region.head.1];
    if (region.block || new.contains('\n')) && fits_literal(new) && !in_flow(text, region) {
        let line = &text[text[..region.head.0].rfind('\n').map_or(0, |at| at + 1)..region.head.0];
        let dashes = !line.is_empty() && line.chars().all(|c| matches!(c, ' ' | '-'));
        let indent = line.rfind('-').filter(|_| dashes).unwrap_or(found.indent);
        let width = if region.block && region.body.1 > region.body.0 {
            found.node.mark.column.saturating_sub(1)
        } else {
            indent + 2
        };
        let keeps = if new.ends_with('\n') { "|" } else { "|-" };
        let mut body = String::new();
        for line in new.strip_suffix('\n').unwrap_or(new).split('\n') {
            body += line_break;
            if !line.is_empty() {
                body += &" ".repeat(width);
                body += line;
            }
        }
        return (keeps.to_owned(), body);
    }
    bare(match old.chars().next() {
        Some('\'') if !new.contains('\n') => quoted(new, true),
        Some('"') => quoted(new, false),
        _ if new.contains('\n') => quoted(new, false),
        _ if in_flow(text, region) => quoted(new, true),
        _ => inline(new),
    })
}

/// Whether the value may stand between brackets or braces: asked of its line
/// only, which is enough to be careful.
fn in_flow(text: &str, region: &Region) -> bool {
    if region.block {
        return false;
    }
    let line = text[..region.head.0].rfind('\n').map_or(0, |at| at + 1);
    let before = &text[line..region.head.0];
    let rest = text[region.head.1..end_of_line(text, region.head.1)].trim_start();
    let ends = rest.is_empty() || rest.starts_with('#');
    before.contains(['[', '{']) || !ends
}
