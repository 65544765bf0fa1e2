//! A YAML text as talhelper's older library writes it again after reading it:
//! comments gone, quotes and blocks kept, indented by two. Texts with anchors,
//! tags or directives are left to the caller.

use std::borrow::Cow;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::emit::{is_break, quoted};
use super::facts::Facts;

/// How deep a text may nest; deeper ones are refused before they come here.
const MAX_DEPTH: usize = 200;

/// What is written again.
pub(crate) struct Again {
    pub(crate) text: String,
    /// A document is one plain text of several lines, which are joined now.
    pub(crate) joined: bool,
}

/// The text written again; `None` where that is not known here, or the text
/// is no YAML.
pub(crate) fn again(text: &str) -> Option<Again> {
    let characters: Vec<char> = text.chars().collect();
    let mut reader = Reader { parser: Parser::new_from_str(text), characters, depth: 0 };
    let mut writer = Writer { out: String::new(), joined: false };
    let mut count = 0;
    loop {
        match reader.parser.next_event()?.ok()?.0 {
            Event::StreamEnd => break,
            Event::DocumentStart(_) => {
                let (event, span) = reader.parser.next_event()?.ok()?;
                let root = reader.node(event, span)?;
                if count > 0 {
                    writer.out += "---\n";
                }
                count += 1;
                writer.document(&root)?;
            }
            _ => {}
        }
    }
    if text.starts_with('%') || text.contains("\n%") {
        return None;
    }
    Some(Again { text: writer.out, joined: writer.joined })
}

enum Node<'a> {
    Scalar { text: Cow<'a, str>, style: ScalarStyle, lines: usize },
    Sequence { flow: bool, items: Vec<Node<'a>> },
    Mapping { flow: bool, pairs: Vec<(Node<'a>, Node<'a>)> },
}

struct Reader<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    characters: Vec<char>,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn node(&mut self, event: Event<'a>, span: Span) -> Option<Node<'a>> {
        let start = span.start.index();
        match event {
            Event::Scalar(mut text, style, 0, None) => {
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let unbroken = self.characters.last() != Some(&'\n');
                if block && unbroken && span.end.index() >= self.characters.len() {
                    // The parser adds the line break that the last line lacks.
                    if text.ends_with('\n') {
                        text.to_mut().pop();
                    }
                }
                let lines = span.end.line().saturating_sub(span.start.line());
                Some(Node::Scalar { text, style, lines })
            }
            Event::SequenceStart(0, None) => {
                let (mut flow, mut items) = (self.characters.get(start) == Some(&'['), Vec::new());
                self.enter()?;
                loop {
                    match self.parser.next_event()?.ok()? {
                        (Event::SequenceEnd, _) => break,
                        (event, span) => {
                            // A block that begins with a flow begins where that does.
                            flow &= span.start.index() > start;
                            items.push(self.node(event, span)?);
                        }
                    }
                }
                self.depth -= 1;
                Some(Node::Sequence { flow, items })
            }
            Event::MappingStart(0, None) => {
                let (mut flow, mut pairs) = (self.characters.get(start) == Some(&'{'), Vec::new());
                self.enter()?;
                loop {
                    let key = match self.parser.next_event()?.ok()? {
                        (Event::MappingEnd, _) => break,
                        (event, span) => {
                            flow &= span.start.index() > start;
                            self.node(event, span)?
                        }
                    };
                    let (event, span) = self.parser.next_event()?.ok()?;
                    pairs.push((key, self.node(event, span)?));
                }
                self.depth -= 1;
                Some(Node::Mapping { flow, pairs })
            }
            _ => None,
        }
    }

    fn enter(&mut self) -> Option<()> {
        self.depth += 1;
        (self.depth <= MAX_DEPTH).then_some(())
    }
}

/// Where a scalar stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Block,
    Flow,
    Key,
    FlowKey,
}

struct Writer {
    out: String,
    joined: bool,
}

impl Writer {
    fn document(&mut self, root: &Node<'_>) -> Option<()> {
        match root {
            Node::Scalar { text, style: ScalarStyle::Plain, lines } => {
                self.joined |= *lines > 0 && text.contains(' ');
                self.scalar(root, Place::Block, 2)?;
                self.line();
            }
            Node::Mapping { flow: false, pairs } => self.mapping(pairs, 0, true)?,
            Node::Sequence { flow: false, items } => self.sequence(items, 0, true)?,
            Node::Scalar { .. } => {
                self.scalar(root, Place::Block, 2)?;
                self.line();
            }
            _ => {
                self.flow(root)?;
                self.line();
            }
        }
        Some(())
    }

    /// Ends the line unless it is empty already.
    fn line(&mut self) {
        if !self.out.ends_with('\n') || self.out.ends_with("---\n") {
            self.out.push('\n');
        }
    }

    fn spaces(&mut self, count: usize) {
        self.out.extend(std::iter::repeat_n(' ', count));
    }

    /// `first` tells that the line is indented already.
    fn mapping(
        &mut self,
        pairs: &[(Node<'_>, Node<'_>)],
        indent: usize,
        first: bool,
    ) -> Option<()> {
        for (at, (key, value)) in pairs.iter().enumerate() {
            if at > 0 || !first {
                self.spaces(indent);
            }
            self.key(key, Place::Key)?;
            self.out.push(':');
            match value {
                Node::Scalar { text, style: ScalarStyle::Plain, .. } if text.is_empty() => {
                    self.out.push('\n');
                }
                Node::Mapping { flow: false, pairs } => {
                    self.out.push('\n');
                    self.mapping(pairs, indent + 2, false)?;
                }
                Node::Sequence { flow: false, items } => {
                    self.out.push('\n');
                    self.sequence(items, indent + 2, false)?;
                }
                value => {
                    self.out.push(' ');
                    self.inline(value, indent + 2)?;
                }
            }
        }
        Some(())
    }

    fn sequence(&mut self, items: &[Node<'_>], indent: usize, first: bool) -> Option<()> {
        for (at, item) in items.iter().enumerate() {
            if at > 0 || !first {
                self.spaces(indent);
            }
            self.out.push('-');
            match item {
                Node::Scalar { text, style: ScalarStyle::Plain, .. } if text.is_empty() => {
                    self.out.push('\n');
                    continue;
                }
                _ => self.out.push(' '),
            }
            match item {
                Node::Mapping { flow: false, pairs } => self.mapping(pairs, indent + 2, true)?,
                Node::Sequence { flow: false, items } => self.sequence(items, indent + 2, true)?,
                item => self.inline(item, indent + 2)?,
            }
        }
        Some(())
    }

    /// A scalar or a flow collection behind a key or a dash, to the line's end.
    fn inline(&mut self, node: &Node<'_>, indent: usize) -> Option<()> {
        match node {
            Node::Scalar { .. } => self.scalar(node, Place::Block, indent)?,
            _ => self.flow(node)?,
        }
        if !self.out.ends_with('\n') {
            self.out.push('\n');
        }
        Some(())
    }

    fn key(&mut self, key: &Node<'_>, place: Place) -> Option<()> {
        match key {
            Node::Scalar { text, .. } if text.len() <= 128 && !text.is_empty() => {
                self.scalar(key, place, 0)
            }
            _ => None,
        }
    }

    fn flow(&mut self, node: &Node<'_>) -> Option<()> {
        match node {
            Node::Scalar { text, style: ScalarStyle::Plain, .. } if text.is_empty() => None,
            Node::Scalar { .. } => self.scalar(node, Place::Flow, 0),
            Node::Sequence { items, .. } => {
                self.out.push('[');
                for (at, item) in items.iter().enumerate() {
                    self.out += if at > 0 { ", " } else { "" };
                    self.flow(item)?;
                }
                self.out.push(']');
                Some(())
            }
            Node::Mapping { pairs, .. } => {
                self.out.push('{');
                for (at, (key, value)) in pairs.iter().enumerate() {
                    self.out += if at > 0 { ", " } else { "" };
                    self.key(key, Place::FlowKey)?;
                    self.out += ": ";
                    self.flow(value)?;
                }
                self.out.push('}');
                Some(())
            }
        }
    }

    fn scalar(&mut self, node: &Node<'_>, place: Place, indent: usize) -> Option<()> {
        let Node::Scalar { text, style, .. } = node else { return None };
        let facts = Facts::of(text, super::scalar::Dialect::V4);
        let breaks = text.chars().any(is_break);
        let wanted = match style {
            ScalarStyle::Plain if text.contains('\n') => ScalarStyle::Literal,
            other => *other,
        };
        let block = matches!(wanted, ScalarStyle::Literal | ScalarStyle::Folded);
        match wanted {
            _ if matches!(place, Place::Key | Place::FlowKey) && breaks => {
                self.out += &quoted(text, false);
            }
            ScalarStyle::Plain if facts.single && !mistakable(text, place) => self.out += text,
            ScalarStyle::Plain | ScalarStyle::SingleQuoted if facts.single => {
                self.single(text, indent);
            }
            _ if block && facts.block && place == Place::Block => {
                self.block(text, wanted == ScalarStyle::Folded, indent);
            }
            _ => self.out += &quoted(text, false),
        }
        Some(())
    }

    fn single(&mut self, text: &str, indent: usize) {
        self.out.push('\'');
        let mut breaks = false;
        for c in text.chars() {
            if is_break(c) {
                if !breaks && c == '\n' {
                    self.out.push('\n');
                }
                self.out.push(c);
                breaks = true;
                continue;
            }
            if breaks && c != ' ' {
                self.spaces(indent);
            }
            if c == '\'' {
                self.out.push('\'');
            }
            self.out.push(c);
            breaks = breaks && c == ' ';
        }
        self.out.push('\'');
    }

    fn block(&mut self, text: &str, folded: bool, indent: usize) {
        self.out.push(if folded { '>' } else { '|' });
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.out.push('2');
        }
        let mut ends = text.chars().rev();
        match (ends.next().is_some_and(is_break), ends.next()) {
            (false, _) => self.out.push('-'),
            (true, None) => self.out.push('+'),
            (true, Some(c)) if is_break(c) => self.out.push('+'),
            _ => {}
        }
        self.out.push('\n');
        let opens_blank = text.starts_with(|c: char| matches!(c, ' ' | '\t') || is_break(c));
        let (mut breaks, mut leading) = (true, true);
        for c in text.chars() {
            if is_break(c) {
                // The library looks at the text's beginning, not at what follows.
                if folded && !breaks && !leading && c == '\n' && !opens_blank {
                    self.out.push('\n');
                }
                self.out.push(c);
                breaks = true;
                continue;
            }
            if breaks {
                self.spaces(indent);
                leading = matches!(c, ' ' | '\t');
            }
            self.out.push(c);
            breaks = false;
        }
    }
}

/// Whether a plain text could be read as something else where it stands.
fn mistakable(text: &str, place: Place) -> bool {
    let flow = matches!(place, Place::Flow | Place::FlowKey);
    text.starts_with("---")
        || text.starts_with("...")
        || (flow && text.contains([',', '?', '[', ']', '{', '}', ':']))
}
