//! Text to node trees, one per document, within limits that keep a hostile
//! file from taking memory or stack. It knows nothing of types.

use std::collections::BTreeMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

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
    Reader::new(source)?.documents()
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

struct Reader<'a> {
    name: &'a str,
    /// The lines of the text, kept only where it has tabs.
    lines: Vec<&'a str>,
    /// Depth of the brackets and braces around the next node.
    flow: usize,
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

impl<'a> Reader<'a> {
    fn new(source: Source<'a>) -> Result<Reader<'a>, Diagnostic> {
        let text = text(source)?;
        let parser = Parser::new_from_str(text);
        let lines = if text.contains('\t') { text.lines().collect() } else { Vec::new() };
        Ok(Reader {
            name: source.name,
            lines,
            flow: 0,
            unbroken: if text.ends_with('\n') { usize::MAX } else { text.chars().count() },
            parser,
            anchors: BTreeMap::new(),
            depth: 0,
            nodes: 0,
            bytes: 0,
        })
    }

    fn documents(mut self) -> Result<Vec<Rc<Node>>, Diagnostic> {
        let mut documents = Vec::new();
        while let Some((event, _)) = self.next()? {
            match event {
                Event::DocumentStart(_) => {
                    self.anchors.clear();
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
        Ok(documents)
    }

    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Diagnostic> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok(pair)) => Ok(Some(pair)),
            Some(Err(error)) => {
                let marker = error.marker();
                let mark = Mark { line: marker.line(), column: marker.col() + 1 };
                Err(self.broken(mark, format!("this is not YAML: {}", error.info())))
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Rc<Node>, Diagnostic> {
        let mark = Mark { line: span.start.line(), column: span.start.col() + 1 };
        let characters = (span.start.index(), span.end.index());
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
                let mut text = text.into_owned();
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                if block && characters.1 >= self.unbroken && text.ends_with('\n') {
                    // The parser adds the line break that the file's last line lacks.
                    text.pop();
                }
                self.count(0, text.len(), mark)?;
                (anchor, tag, Data::Scalar { text, plain })
            }
            Event::SequenceStart(anchor, tag) => (anchor, tag, self.sequence(mark)?),
            Event::MappingStart(anchor, tag) => (anchor, tag, self.mapping(mark)?),
            other => return Err(self.broken(mark, format!("a value was expected, not {other:?}"))),
        };
        let node = Rc::new(Node { mark, span: characters, tag: tag.map(|tag| short(&tag)), data });
        if anchor > 0 {
            let (nodes, bytes) = (self.nodes - before.0, self.bytes - before.1);
            self.anchors.insert(anchor, (Rc::clone(&node), nodes, bytes));
        }
        Ok(node)
    }

    /// go-yaml takes no tab where a block could begin.
    fn refuse_tab_indentation(&self, mark: Mark) -> Result<(), Diagnostic> {
        let Some(line) = self.lines.get(mark.line.saturating_sub(1)) else { return Ok(()) };
        let before = || line.chars().take(mark.column.saturating_sub(1));
        let indents = before().all(|c| matches!(c, ' ' | '\t' | '-' | '?'));
        if self.flow > 0 || !indents || !before().any(|c| c == '\t') {
            return Ok(());
        }
        let message = "a tab stands where indentation is expected";
        Err(self.broken(mark, message).hint("indent with spaces"))
    }

    /// Whether a collection at a place is written with brackets or braces;
    /// asked only where the text has tabs.
    fn is_flow(&self, mark: Mark) -> bool {
        let line = self.lines.get(mark.line.saturating_sub(1));
        let first = line.and_then(|line| line.chars().nth(mark.column.saturating_sub(1)));
        matches!(first, Some('[' | '{'))
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

    fn sequence(&mut self, mark: Mark) -> Result<Data, Diagnostic> {
        self.enter(mark)?;
        let flow = usize::from(self.is_flow(mark));
        self.flow += flow;
        let mut items = Vec::new();
        loop {
            match self.expect(mark)? {
                (Event::SequenceEnd, _) => break,
                (event, span) => items.push(self.node(event, span)?),
            }
        }
        self.depth -= 1;
        self.flow -= flow;
        Ok(Data::Sequence(items))
    }

    fn mapping(&mut self, mark: Mark) -> Result<Data, Diagnostic> {
        self.enter(mark)?;
        let flow = usize::from(self.is_flow(mark));
        self.flow += flow;
        let mut pairs = Vec::new();
        loop {
            let key = match self.expect(mark)? {
                (Event::MappingEnd, _) => break,
                (event, span) => self.node(event, span)?,
            };
            let (event, span) = self.expect(mark)?;
            pairs.push((key, self.node(event, span)?));
        }
        self.depth -= 1;
        self.flow -= flow;
        Ok(Data::Mapping(pairs))
    }

    fn expect(&mut self, mark: Mark) -> Result<(Event<'a>, Span), Diagnostic> {
        match self.next()? {
            Some(pair) => Ok(pair),
            None => Err(self.broken(mark, "the file ends inside this value")),
        }
    }

    fn enter(&mut self, mark: Mark) -> Result<(), Diagnostic> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            return Err(self.broken(mark, message));
        }
        Ok(())
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

    fn broken(&self, mark: Mark, message: impl Into<String>) -> Diagnostic {
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
