//! What the parser behind us reads and go-yaml does not, event by event. It
//! extends the reader, which decides when it is asked.

use saphyr_parser::{Event, ScalarStyle, Span};

use super::layout::{Stretch, property};
use super::read::Reader;
use crate::diagnostic::{Diagnostic, Mark};

impl Reader<'_, '_> {
    /// Scalars that go-yaml does not take, and what matters to tabs around them.
    pub(super) fn refuse_style(
        &mut self,
        text: &str,
        style: ScalarStyle,
        span: &Span,
        mark: Mark,
    ) -> Result<(), Diagnostic> {
        if style == ScalarStyle::Plain
            && (text.starts_with(['|', '>']) || (self.flow > 0 && text.starts_with(':')))
        {
            let message = "a value without quotes cannot begin with this character here";
            return Err(self.broken(mark, message).hint("put it in quotes"));
        }
        if style == ScalarStyle::DoubleQuoted && self.slashes {
            let mut escaped = false;
            let length = span.end.index() - span.start.index();
            for c in self.around(span.start.index()).1.chars().take(length) {
                if c == '/' && escaped {
                    let message = "`\\/` is no escape that go-yaml knows";
                    return Err(self.broken(mark, message).hint("write the slash alone"));
                }
                escaped = c == '\\' && !escaped;
            }
        }
        if self.blank_tabs && !text.is_empty() {
            let stretch = match style {
                ScalarStyle::Plain if self.flow > 0 => return Ok(()),
                ScalarStyle::Plain => Stretch::Plain(self.block),
                ScalarStyle::Literal | ScalarStyle::Folded => Stretch::Block,
                _ => Stretch::Closed,
            };
            let (start, end) = (span.start.index(), span.end.index());
            self.stretches.push((self.layout.index(start), self.layout.index(end), stretch));
        }
        Ok(())
    }

    /// Anchors, aliases and tags that go-yaml does not take.
    pub(super) fn refuse_property(
        &mut self,
        event: &Event<'_>,
        span: &Span,
        mark: Mark,
    ) -> Result<(), Diagnostic> {
        let marked = match event {
            Event::Alias(_) => true,
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(anchor, tag)
            | Event::MappingStart(anchor, tag) => *anchor > 0 || tag.is_some(),
            _ => false,
        };
        if !marked {
            return Ok(());
        }
        let (_, from) = self.around(span.start.index());
        let mut from = from.trim_start();
        while from.starts_with(['&', '*', '!']) {
            if let Some(why) = property(from) {
                return Err(self.broken(mark, why));
            }
            from = from.find(char::is_whitespace).map_or("", |end| from[end..].trim_start());
        }
        Ok(())
    }

    /// Keys that are not there, and in brackets those of several lines: go-yaml wants a question mark before them.
    pub(super) fn refuse_key(&mut self, event: &Event<'_>, span: &Span) -> Result<(), Diagnostic> {
        let Event::Scalar(text, style, 0, None) = event else { return Ok(()) };
        let missing = text.is_empty() && *style == ScalarStyle::Plain;
        let flow = self.flow > 0;
        if !missing && !flow {
            return Ok(());
        }
        let mark = self.layout.mark(span.start.line(), span.start.col() + 1);
        let (before, _) = self.around(span.start.index());
        let asked = before.trim_end().ends_with('?');
        let (_, behind) = self.around(span.end.index());
        let blanks = &behind[..behind.len() - behind.trim_start().len()];
        let lines = span.start.line() < span.end.line() || blanks.contains(['\n', '\r']);
        let apart = flow && lines && behind.trim_start().starts_with(':');
        let tight = [":,", ":}", ":]"].iter().any(|end| behind.starts_with(end));
        if tight && flow && *style == ScalarStyle::Plain {
            return Err(self.broken(mark, "a space is missing behind this key's colon"));
        }
        if asked || !(missing || apart) {
            return Ok(());
        }
        let message = if missing {
            "a key is missing here"
        } else {
            "this key and its colon stand on several lines"
        };
        Err(self.broken(mark, message))
    }
}
