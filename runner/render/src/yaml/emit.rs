//! Trees to text, byte for byte as go-yaml's emitter lays them out. It knows
//! nothing of types; whoever builds the tree has decided the order of keys.

use std::borrow::Cow;

use super::facts::Facts;
use super::scalar::{Dialect, Meaning, is_base60, old_bool, resolve};

/// Text on one line as it stands in a block mapping: plain where nothing can
/// be mistaken, else quoted.
pub(crate) fn inline(text: &str) -> String {
    let facts = Facts::of(text, Dialect::V4);
    let style = match text_style(text, Dialect::V4, false) {
        Style::Plain if facts.plain => return text.to_owned(),
        Style::Plain if facts.single => Style::Single,
        _ => Style::Double,
    };
    quoted(text, style == Style::Single)
}

/// Text in single quotes where they are asked for and possible, else in double.
pub(crate) fn quoted(text: &str, single: bool) -> String {
    if single && Facts::of(text, Dialect::V4).single && !text.chars().any(is_break) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        if !is_printable(c) || is_break(c) || c == '"' || c == '\\' {
            out += &escape(c);
        } else {
            out.push(c);
        }
    }
    out.push('"');
    out
}

/// Whether a literal block can hold the text, its last line break aside.
pub(crate) fn fits_literal(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let odd = |c: char| c != '\n' && c != '\t' && (is_break(c) || !is_printable(c));
    !body.is_empty()
        && !body.starts_with([' ', '\n', '\t'])
        && !body.ends_with(['\n', ' ', '\t'])
        && !body.contains(odd)
}

/// What is to be written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Out<'v> {
    /// A number, boolean or null, written as it stands.
    Bare(Cow<'v, str>),
    /// Text, quoted where it could be read as something else.
    Text(Cow<'v, str>),
    /// Text from a node that Talos builds itself; its quoting differs in corners.
    NodeText(Cow<'v, str>),
    Seq(Vec<Out<'v>>),
    Map(Vec<(Out<'v>, Out<'v>)>),
}

/// Writes one document; it ends in a line break. With `single_quotes` words
/// that only YAML 1.1 reads as something else get single quotes.
pub(crate) fn emit(tree: &Out<'_>, dialect: Dialect, single_quotes: bool) -> String {
    let mut emitter = Emitter {
        out: String::new(),
        column: 0,
        whitespace: true,
        indention: true,
        dialect,
        single_quotes,
        step: if dialect == Dialect::V4 { 4 } else { 2 },
        width: if dialect == Dialect::V4 { usize::MAX } else { 80 },
    };
    emitter.node(tree, Place { indent: None, in_sequence: false, key: false, in_mapping: false });
    if emitter.column > 0 {
        emitter.line_break();
    }
    emitter.out
}

/// Where a node stands: the indentation around it and what holds it.
#[derive(Clone, Copy)]
struct Place {
    indent: Option<usize>,
    in_sequence: bool,
    in_mapping: bool,
    key: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

struct Emitter {
    out: String,
    column: usize,
    /// The last character was white space.
    whitespace: bool,
    /// Nothing but indentation was written on this line.
    indention: bool,
    dialect: Dialect,
    single_quotes: bool,
    step: usize,
    width: usize,
}

impl Emitter {
    fn node(&mut self, node: &Out<'_>, place: Place) {
        match node {
            Out::Seq(items) if items.is_empty() => self.indicator("[]", true, false),
            Out::Map(pairs) if pairs.is_empty() => self.indicator("{}", true, false),
            Out::Seq(items) => self.sequence(items, place),
            Out::Map(pairs) => self.mapping(pairs, place),
            Out::Bare(text) => self.scalar(text, Style::Plain, place),
            Out::Text(text) => {
                let style = text_style(text, self.dialect, self.single_quotes);
                self.scalar(text, style, place);
            }
            Out::NodeText(text) => self.scalar(text, node_text_style(text), place),
        }
    }

    fn sequence(&mut self, items: &[Out<'_>], place: Place) {
        let indentless = self.dialect == Dialect::V2 && place.in_mapping && !self.indention;
        let indent = if indentless { place.indent.unwrap_or(0) } else { self.deeper(place, 0) };
        for item in items {
            self.indent(indent);
            self.indicator("-", true, true);
            let item_place =
                Place { indent: Some(indent), in_sequence: true, in_mapping: false, key: false };
            self.node(item, item_place);
        }
    }

    fn mapping(&mut self, pairs: &[(Out<'_>, Out<'_>)], place: Place) {
        let indent = self.deeper(place, 0);
        let inside =
            Place { indent: Some(indent), in_sequence: false, in_mapping: true, key: false };
        for (key, value) in pairs {
            self.indent(indent);
            if simple_key(key) {
                self.node(key, Place { key: true, ..inside });
                self.indicator(":", false, false);
            } else {
                self.indicator("?", true, true);
                self.node(key, inside);
                self.indent(indent);
                self.indicator(":", true, true);
            }
            self.node(value, inside);
        }
    }

    /// The indentation inside a node; `root` where nothing is around it.
    fn deeper(&self, place: Place, root: usize) -> usize {
        match place.indent {
            None => root,
            Some(indent) if self.dialect == Dialect::V2 => indent + self.step,
            Some(indent) if place.in_sequence => indent + 2,
            Some(indent) => self.step * ((indent + self.step) / self.step),
        }
    }

    fn scalar(&mut self, text: &str, wanted: Style, place: Place) {
        let facts = Facts::of(text, self.dialect);
        let mut style = wanted;
        if place.key && facts.multiline {
            style = Style::Double;
        }
        if style == Style::Plain && (!facts.plain || (text.is_empty() && place.key)) {
            style = Style::Single;
        }
        if style == Style::Single && !facts.single {
            style = Style::Double;
        }
        if style == Style::Literal && (!facts.block || place.key) {
            style = Style::Double;
        }
        let indent = self.deeper(place, self.step);
        let may_break = !place.key;
        match style {
            Style::Plain | Style::Single if facts.multiline || self.width < usize::MAX => {
                self.folded(text, style, indent, may_break);
            }
            Style::Plain => self.plain(text),
            Style::Single => self.single(text),
            Style::Double => self.double(text, indent, may_break),
            Style::Literal => self.literal(text, indent),
        }
    }

    /// Plain text on one line.
    fn plain(&mut self, text: &str) {
        if !text.is_empty() && !self.whitespace {
            self.put(' ');
        }
        self.write(text);
        self.whitespace = self.whitespace && text.is_empty();
        self.indention = false;
    }

    /// Single-quoted text on one line.
    fn single(&mut self, text: &str) {
        self.indicator("'", true, false);
        for (at, part) in text.split('\'').enumerate() {
            self.write(if at > 0 { "''" } else { "" });
            self.write(part);
        }
        self.indicator("'", false, false);
    }

    /// Plain or single-quoted text that takes or may take several lines.
    fn folded(&mut self, text: &str, style: Style, indent: usize, may_break: bool) {
        if style == Style::Single {
            self.indicator("'", true, false);
            self.flowing(text, indent, may_break, true);
            self.indicator("'", false, false);
            return;
        }
        if !text.is_empty() && !self.whitespace {
            self.put(' ');
        }
        self.flowing(text, indent, may_break, false);
        self.whitespace = self.whitespace && text.is_empty();
        self.indention = false;
    }

    /// Plain and single-quoted text, folded at spaces where lines are limited.
    fn flowing(&mut self, text: &str, indent: usize, may_break: bool, quoted: bool) {
        let characters: Vec<char> = text.chars().collect();
        let (mut spaces, mut breaks) = (false, false);
        for (at, &c) in characters.iter().enumerate() {
            if c == ' ' {
                let inner = !quoted || (at > 0 && at + 1 < characters.len());
                let alone = characters.get(at + 1) != Some(&' ');
                if may_break && !spaces && self.column > self.width && inner && alone {
                    self.indent(indent);
                } else {
                    self.put(c);
                }
                spaces = true;
            } else if is_break(c) {
                if !breaks && c == '\n' {
                    self.line_break();
                }
                self.write_break(c);
                breaks = true;
            } else {
                if breaks {
                    self.indent(indent);
                }
                if quoted && c == '\'' {
                    self.put('\'');
                }
                self.put(c);
                self.indention = false;
                (spaces, breaks) = (false, false);
            }
        }
    }

    fn double(&mut self, text: &str, indent: usize, may_break: bool) {
        self.indicator("\"", true, false);
        let characters: Vec<char> = text.chars().collect();
        // The original looks for a byte order mark at the start at every position.
        let marked = characters.first() == Some(&'\u{feff}');
        let mut spaces = false;
        for (at, &c) in characters.iter().enumerate() {
            if !is_printable(c) || marked || is_break(c) || c == '"' || c == '\\' {
                for escaped in escape(c).chars() {
                    self.put(escaped);
                }
                spaces = false;
            } else if c == ' ' {
                let inner = at > 0 && at + 1 < characters.len();
                if may_break && !spaces && self.column > self.width && inner {
                    self.indent(indent);
                    if characters.get(at + 1) == Some(&' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(c);
                }
                spaces = true;
            } else {
                self.put(c);
                spaces = false;
            }
        }
        self.indicator("\"", false, false);
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.indicator("|", true, false);
        let leading_break = self.dialect == Dialect::V2 && text.starts_with(is_break);
        if text.starts_with(' ') || leading_break {
            self.indicator(if self.step == 4 { "4" } else { "2" }, false, false);
        }
        let mut ends = text.chars().rev();
        match (ends.next().is_some_and(is_break), ends.next()) {
            (false, _) => self.indicator("-", false, false),
            (true, None) => self.indicator("+", false, false),
            (true, Some(c)) if is_break(c) => self.indicator("+", false, false),
            (true, Some(_)) => {}
        }
        self.line_break();
        self.whitespace = true;
        for line in text.split_inclusive(is_break) {
            let mut ends = line.char_indices();
            let last = ends.next_back().filter(|(_, c)| is_break(*c));
            let content = last.map_or(line, |(at, _)| &line[..at]);
            if !content.is_empty() {
                self.indent(indent);
                self.write(content);
                self.indention = false;
            }
            if let Some((_, c)) = last {
                self.write_break(c);
            }
        }
    }

    fn indent(&mut self, indent: usize) {
        let past = self.column > indent || (self.column == indent && !self.whitespace);
        if !self.indention || past {
            self.line_break();
        }
        while self.column < indent {
            self.put(' ');
        }
        self.whitespace = true;
    }

    fn indicator(&mut self, text: &str, needs_space: bool, keeps_indention: bool) {
        if needs_space && !self.whitespace {
            self.put(' ');
        }
        self.write(text);
        self.whitespace = false;
        self.indention = self.indention && keeps_indention;
    }

    /// Text without line breaks.
    fn write(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += if text.is_ascii() { text.len() } else { text.chars().count() };
    }

    fn put(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }

    fn write_break(&mut self, c: char) {
        if c == '\n' {
            self.line_break();
        } else {
            self.out.push(c);
            self.column = 0;
            self.indention = true;
        }
    }

    fn line_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
        self.indention = true;
    }
}

/// The style the encoder asks for, before the characters have their say.
fn text_style(text: &str, dialect: Dialect, single_quotes: bool) -> Style {
    if text.contains('\n') {
        let literal =
            dialect == Dialect::V2 || (text.len() > 1 && text.chars().any(|c| !c.is_whitespace()));
        return if literal { Style::Literal } else { Style::Double };
    }
    let old_word = is_base60(text) || (dialect == Dialect::V4 && old_bool(text).is_some());
    match resolve(text, dialect) {
        Meaning::Text if !old_word => Style::Plain,
        Meaning::Text | Meaning::Merge if single_quotes => Style::Single,
        _ => Style::Double,
    }
}

fn node_text_style(text: &str) -> Style {
    if text.contains('\n') {
        Style::Literal
    } else if resolve(text, Dialect::V4) == Meaning::Text {
        Style::Plain
    } else {
        Style::Double
    }
}

/// Whether a key can stand before its colon without a question mark.
fn simple_key(key: &Out<'_>) -> bool {
    match key {
        Out::Bare(text) | Out::Text(text) | Out::NodeText(text) => {
            !text.chars().any(is_break) && text.len() <= 128
        }
        Out::Seq(items) => items.is_empty(),
        Out::Map(pairs) => pairs.is_empty(),
    }
}

pub(super) fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

pub(super) fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && c != '\u{feff}'
}

fn escape(c: char) -> String {
    let short = match c {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => {
            return match c as u32 {
                code @ 0..=0xff => format!("\\x{code:02X}"),
                code @ 0x100..=0xffff => format!("\\u{code:04X}"),
                code => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{short}")
}
