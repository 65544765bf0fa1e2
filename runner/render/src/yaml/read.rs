//! Text to node trees, one per document, within limits that keep a hostile
//! file from taking memory or stack. It knows nothing of types.

use std::collections::BTreeMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::layout::{Layout, Stretch, blank_tab, directive, old_break};
use super::node::{Data, Node};
use crate::diagnostic::{Code, Diagnostic, Mark};

/// A file as it was read, under the name that findings in it carry.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The name shown in findings, usually a path.
    pub name: &'a str,
    /// The content.
    pub bytes: &'a [u8],
}

/// The largest file that is read. Talos stores a config in one etcd-sized
/// resource, so real ones stay far below.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;
/// The deepest nesting that is read; the deepest field of Talos is at 12.
pub const MAX_DEPTH: usize = 200;
/// The most nodes a document may have once its aliases are expanded.
pub const MAX_NODES: usize = 1_000_000;
/// The most bytes of text a document may have once its aliases are expanded.
pub const MAX_TEXT: usize = 4 * MAX_BYTES;

/// Reads every document of a source. A text without documents gives none.
pub(crate) fn read(source: Source<'_>) -> Result<Vec<Rc<Node>>, Diagnostic> {
    documents(source, usize::MAX)
}

/// Reads the first document of a source and looks at nothing behind it, as
/// go-yaml does where it reads one value.
pub(crate) fn read_first(source: Source<'_>) -> Result<Option<Rc<Node>>, Diagnostic> {
    Ok(documents(source, 1)?.into_iter().next())
}

fn documents(source: Source<'_>, most: usize) -> Result<Vec<Rc<Node>>, Diagnostic> {
    let text = text(source)?;
    if let Some(at) = old_break(text) {
        let mark = mark_at(&text.as_bytes()[..at]);
        let message = "a character stands here that YAML 1.1 takes for the end of a line";
        return Err(Diagnostic::new(Code::UNREADABLE, source.name, mark, message)
            .hint("remove it, or write it in double quotes as \\N, \\L or \\P"));
    }
    let mut layout = Layout::new(text);
    loop {
        let mut reader = Reader::new(source.name, text, &layout);
        match (reader.documents(most), reader.mended) {
            (Err(_), Some(mended)) => layout = mended,
            (found, _) => return found,
        }
    }
}

/// The source as text without a byte order mark, or a located error.
pub(crate) fn text(source: Source<'_>) -> Result<&str, Diagnostic> {
    let at_file = Mark::default();
    if source.bytes.len() > MAX_BYTES {
        let size = source.bytes.len();
        let message = format!("the file has {size} bytes, at most {MAX_BYTES} are read");
        return Err(Diagnostic::new(Code::UNREADABLE, source.name, at_file, message));
    }
    let text = std::str::from_utf8(source.bytes).map_err(|error| {
        let mark = mark_at(&source.bytes[..error.valid_up_to()]);
        Diagnostic::new(Code::UNREADABLE, source.name, mark, "the file is not UTF-8 text here")
            .hint("save the file as UTF-8")
    })?;
    let control = |c: char| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    if let Some(at) = text.find(control) {
        let mark = mark_at(&source.bytes[..at]);
        let message = "a control character stands here, YAML has no place for it";
        return Err(Diagnostic::new(Code::UNREADABLE, source.name, mark, message));
    }
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The place after a text.
pub(crate) fn mark_at(before: &[u8]) -> Mark {
    let line = before.split(|&byte| byte == b'\n').count();
    let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
    Mark { line, column }
}

pub(super) struct Reader<'a, 't> {
    name: &'a str,
    /// The text as it was given.
    pub(super) given: &'t str,
    pub(super) layout: &'a Layout<'t>,
    /// The layout to try next where this one cannot be read.
    mended: Option<Layout<'t>>,
    /// The lines of the text, kept only where it has tabs.
    lines: Vec<&'t str>,
    /// How many characters were counted, and the bytes that they take.
    counted: (usize, usize),
    /// Whether a tab stands on a blank line, and what lies around such lines.
    pub(super) blank_tabs: bool,
    /// Whether a slash is escaped anywhere.
    pub(super) slashes: bool,
    pub(super) stretches: Vec<(usize, usize, Stretch)>,
    /// The column of the block around the next node.
    pub(super) block: usize,
    /// Depth of the brackets and braces around the next node.
    pub(super) flow: usize,
    /// Characters of a text that ends in no line break, else `usize::MAX`.
    unbroken: usize,
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    /// Finished anchors with the number of nodes and bytes they expand to.
    anchors: BTreeMap<usize, (Rc<Node>, usize, usize)>,
    depth: usize,
    /// Nodes of the document so far, aliases expanded.
    nodes: usize,
    /// Bytes of text in them.
    bytes: usize,
}

/// How a collection is written.
#[derive(Clone, Copy)]
enum Shape {
    /// With brackets or braces.
    Flow,
    /// By indentation, beginning at this column, counted from 0.
    Block(usize),
}

impl<'a, 't> Reader<'a, 't> {
    fn new(name: &'a str, text: &'t str, layout: &'a Layout<'t>) -> Reader<'a, 't> {
        let parser = Parser::new_from_str(&layout.text);
        let lines: Vec<&str> =
            if text.contains('\t') { text.lines().collect() } else { Vec::new() };
        let blank = |line: &&str| {
            let rest = line.trim_start_matches(' ');
            rest.starts_with('\t') && (rest.trim().is_empty() || rest.trim().starts_with('#'))
        };
        Reader {
            name,
            given: text,
            layout,
            mended: None,
            counted: (0, 0),
            blank_tabs: lines.iter().any(blank),
            slashes: text.contains("\\/"),
            stretches: Vec::new(),
            block: 0,
            lines,
            flow: 0,
            unbroken: if text.ends_with('\n') { usize::MAX } else { text.chars().count() },
            parser,
            anchors: BTreeMap::new(),
            depth: 0,
            nodes: 0,
            bytes: 0,
        }
    }

    fn documents(&mut self, most: usize) -> Result<Vec<Rc<Node>>, Diagnostic> {
        let mut documents = Vec::new();
        while documents.len() < most
            && let Some((event, span)) = self.next()?
        {
            match event {
                Event::DocumentStart(explicit) => {
                    let found = explicit.then(|| directive(self.given, span.start.line()));
                    if let Some((line, why)) = found.flatten() {
                        return Err(self.broken(Mark { line, column: 1 }, why));
                    }
                    // Anchors stay: go-yaml knows those of earlier documents too.
                    self.nodes = 0;
                    self.bytes = 0;
                    if let Some((event, span)) = self.next()? {
                        documents.push(self.node(event, span)?);
                    }
                }
                Event::StreamEnd => break,
                _ => {}
            }
        }
        if self.blank_tabs
            && let Some(mark) = blank_tab(self.given, &self.stretches)
        {
            return Err(self.tab(mark));
        }
        Ok(documents)
    }

    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Diagnostic> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok(pair)) => Ok(Some(pair)),
            Some(Err(error)) => {
                let marker = error.marker();
                let mark = self.layout.mark(marker.line(), marker.col() + 1);
                self.mended = self.layout.mended(&error);
                Err(self.broken(mark, format!("this is not YAML: {}", error.info())))
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Rc<Node>, Diagnostic> {
        let mark = self.layout.mark(span.start.line(), span.start.col() + 1);
        let characters =
            (self.layout.index(span.start.index()), self.layout.index(span.end.index()));
        let shape = match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => self.shape(&event, &span),
            _ => Shape::Flow,
        };
        self.refuse_property(&event, &span, mark)?;
        let before = (self.nodes, self.bytes);
        self.count(1, 0, mark)?;
        self.refuse_tab_indentation(mark)?;
        let (anchor, tag, data) = match event {
            Event::Alias(anchor) => return self.alias(anchor, mark, characters),
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
                    self.refuse_leading_tab(&text, mark)?;
                }
                self.refuse_style(&text, style, &span, mark)?;
                let mut text = text.into_owned();
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                if block && characters.1 >= self.unbroken && text.ends_with('\n') {
                    // The parser adds the line break that the file's last line lacks.
                    text.pop();
                }
                self.count(0, text.len(), mark)?;
                (anchor, tag, Data::Scalar { text, plain })
            }
            Event::SequenceStart(anchor, tag) => {
                (anchor, tag, self.sequence(mark, characters.0, shape)?)
            }
            Event::MappingStart(anchor, tag) => {
                (anchor, tag, self.mapping(mark, characters.0, shape)?)
            }
            other => return Err(self.broken(mark, format!("a value was expected, not {other:?}"))),
        };
        let node = Rc::new(Node { mark, span: characters, tag: tag.map(|tag| short(&tag)), data });
        if anchor > 0 {
            let (nodes, bytes) = (self.nodes - before.0, self.bytes - before.1);
            self.anchors.insert(anchor, (Rc::clone(&node), nodes, bytes));
        }
        Ok(node)
    }

    /// How a collection is written whose event has this span: it is empty where
    /// a block begins, except that the dash of a list that is not indented
    /// lies before it; a bracket is the last thing in it.
    fn shape(&mut self, event: &Event<'_>, span: &Span) -> Shape {
        let column = self.layout.mark(span.end.line(), span.end.col() + 1).column - 1;
        let flow = span.start.index() < span.end.index();
        let sequence = matches!(event, Event::SequenceStart(..));
        if !flow && !sequence {
            return Shape::Block(column);
        }
        let (before, after) = self.around(span.end.index());
        let blanks = before.len() - before.trim_end().len();
        match before.trim_end().chars().next_back() {
            Some('[' | '{') if flow => Shape::Flow,
            Some('-') if sequence && !after.starts_with('-') => {
                Shape::Block(column.saturating_sub(blanks + 1))
            }
            _ => Shape::Block(column),
        }
    }

    /// The text before and from a character on. It counts from the place that
    /// was asked for before.
    pub(super) fn around(&mut self, index: usize) -> (&str, &str) {
        let text = &*self.layout.text;
        let (from, start) = self.counted;
        let end = if index < from {
            text[..start].char_indices().nth_back(from - index - 1).map_or(0, |(at, _)| at)
        } else {
            let rest = text[start..].char_indices().nth(index - from);
            rest.map_or(text.len(), |(at, _)| start + at)
        };
        self.counted = (index, end);
        text.split_at(end)
    }

    /// go-yaml takes no tab where a block could begin.
    fn refuse_tab_indentation(&self, mark: Mark) -> Result<(), Diagnostic> {
        let Some(line) = self.lines.get(mark.line.saturating_sub(1)) else { return Ok(()) };
        let before = || line.chars().take(mark.column.saturating_sub(1));
        let indents = before().all(|c| matches!(c, ' ' | '\t' | '-' | '?'));
        if self.flow > 0 || !indents || !before().any(|c| c == '\t') {
            return Ok(());
        }
        Err(self.tab(mark))
    }

    fn tab(&self, mark: Mark) -> Diagnostic {
        let message = "a tab stands where indentation is expected";
        self.broken(mark, message).hint("indent with spaces")
    }

    /// go-yaml finds the indentation of a block scalar by its first line and
    /// takes no tab there, not even as content, unless the indentation is given.
    fn refuse_leading_tab(&self, content: &str, mark: Mark) -> Result<(), Diagnostic> {
        if !content.trim_start_matches('\n').starts_with('\t') {
            return Ok(());
        }
        let above = self.lines[..mark.line.saturating_sub(1).min(self.lines.len())].iter().rev();
        let header = above.map(|line| block_header(line)).find(Option::is_some).flatten();
        if header.is_some_and(|(_, header)| header.contains(|c: char| c.is_ascii_digit())) {
            return Ok(());
        }
        let message = "the block of text begins with a tab where indentation is expected";
        Err(self
            .broken(Mark { line: mark.line + 1, column: 1 }, message)
            .hint("write the text in double quotes, with \\t for the tab"))
    }

    fn alias(
        &mut self,
        anchor: usize,
        mark: Mark,
        span: (usize, usize),
    ) -> Result<Rc<Node>, Diagnostic> {
        let Some((target, nodes, bytes)) = self.anchors.get(&anchor).cloned() else {
            return Err(self.broken(mark, "the alias stands inside the value that it names"));
        };
        self.count(nodes, bytes, mark)?;
        Ok(Rc::new(Node { mark, span, tag: None, data: Data::Alias(target) }))
    }

    fn sequence(&mut self, mark: Mark, start: usize, shape: Shape) -> Result<Data, Diagnostic> {
        let block = self.enter(mark, shape)?;
        let mut items = Vec::new();
        loop {
            match self.expect(mark)? {
                (Event::SequenceEnd, span) => {
                    self.leave((start, &span), shape, block);
                    return Ok(Data::Sequence(items));
                }
                (event, span) => items.push(self.node(event, span)?),
            }
        }
    }

    fn mapping(&mut self, mark: Mark, start: usize, shape: Shape) -> Result<Data, Diagnostic> {
        let block = self.enter(mark, shape)?;
        let mut pairs = Vec::new();
        loop {
            let key = match self.expect(mark)? {
                (Event::MappingEnd, span) => {
                    self.leave((start, &span), shape, block);
                    return Ok(Data::Mapping(pairs));
                }
                (event, span) => {
                    self.refuse_key(&event, &span)?;
                    self.node(event, span)?
                }
            };
            let (event, span) = self.expect(mark)?;
            pairs.push((key, self.node(event, span)?));
        }
    }

    fn expect(&mut self, mark: Mark) -> Result<(Event<'a>, Span), Diagnostic> {
        match self.next()? {
            Some(pair) => Ok(pair),
            None => Err(self.broken(mark, "the file ends inside this value")),
        }
    }

    /// Goes into a collection and gives the column of the block around it.
    fn enter(&mut self, mark: Mark, shape: Shape) -> Result<usize, Diagnostic> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            return Err(self.broken(mark, message));
        }
        let block = match shape {
            Shape::Flow => {
                self.flow += 1;
                self.block
            }
            Shape::Block(column) => column,
        };
        Ok(std::mem::replace(&mut self.block, block))
    }

    fn leave(&mut self, (start, end): (usize, &Span), shape: Shape, block: usize) {
        self.depth -= 1;
        self.block = block;
        if let Shape::Block(_) = shape {
            return;
        }
        self.flow -= 1;
        if self.flow == 0 && self.blank_tabs {
            let end = self.layout.index(end.end.index());
            self.stretches.push((start, end, Stretch::Closed));
        }
    }

    fn count(&mut self, nodes: usize, bytes: usize, mark: Mark) -> Result<(), Diagnostic> {
        self.nodes += nodes;
        self.bytes += bytes;
        if self.bytes > MAX_TEXT {
            let message = format!("more than {MAX_TEXT} bytes once its aliases are expanded");
            return Err(self.broken(mark, message));
        }
        if self.nodes > MAX_NODES {
            let message = format!("more than {MAX_NODES} values once its aliases are expanded");
            return Err(self.broken(mark, message));
        }
        Ok(())
    }

    pub(super) fn broken(&self, mark: Mark, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Code::UNREADABLE, self.name, mark, message)
    }
}

/// The `|` or `>` with its hints that ends a line, and the byte it begins at.
pub(crate) fn block_header(line: &str) -> Option<(usize, &str)> {
    let line = line.find(" #").map_or(line, |comment| &line[..comment]).trim_end();
    let start = line.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-')).len();
    let at = start.checked_sub(1)?;
    matches!(line.as_bytes()[at], b'|' | b'>').then(|| (at, &line[at..]))
}

fn short(tag: &Tag) -> String {
    const CORE: &str = "tag:yaml.org,2002:";
    match format!("{}{}", tag.handle, tag.suffix) {
        full if full.starts_with(CORE) => format!("!!{}", &full[CORE.len()..]),
        full => full,
    }
}
