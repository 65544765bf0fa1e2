//! One TOML file with its text at hand, so that every mistake in it is shown at its line and column. Knows no keys.

use std::io::Read;
use std::ops::Range;
use std::path::Path;

use ops_core::error::{Code, Fault, Place};
use serde::de::DeserializeOwned;

use crate::sys::regular;

/// A configuration file as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Its path as the user knows it: relative to the root.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl Source {
    /// Reads a file; nothing where there is none.
    pub(crate) fn read(root: &Path, name: &str) -> Result<Option<Source>, Fault> {
        let read = regular::open(&root.join(name)).and_then(|(mut file, _)| {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map(|_| bytes)
        });
        match read {
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Ok(Some(Source { name: name.to_owned(), text })),
                Err(error) => {
                    let good = error.utf8_error().valid_up_to();
                    let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                    let source = Source { name: name.to_owned(), text };
                    Err(Fault::new(Code::CONFIG_SYNTAX, "the file is not UTF-8 text")
                        .at(source.place(good..good)))
                }
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                Err(Fault::new(Code::CONFIG_READ, format!("cannot read `{name}`: {error}")))
            }
        }
    }

    /// The place of a range of bytes; a range over several lines is marked to the end of its first.
    pub(crate) fn place(&self, span: Range<usize>) -> Place {
        let start = floor(&self.text, span.start);
        let end = floor(&self.text, span.end).max(start);
        let begin = self.text[..start].rfind('\n').map_or(0, |i| i + 1);
        let stop = self.text[start..].find('\n').map_or(self.text.len(), |i| start + i);
        let count = |range: Range<usize>| self.text[range].chars().count() as u32;
        Place {
            file: self.name.clone(),
            line: self.text[..start].matches('\n').count() as u32 + 1,
            column: count(begin..start) + 1,
            length: count(start..end.min(stop)),
            text: Some(self.text[begin..stop].trim_end_matches('\r').to_owned()),
        }
    }

    /// The place of the whole file: its first line.
    pub(crate) fn top(&self) -> Place {
        let end = self.text.find('\n').unwrap_or(self.text.len());
        Place { column: 0, length: 0, ..self.place(0..end) }
    }

    /// A wrong key or value.
    pub(crate) fn wrong(&self, span: Range<usize>, title: impl Into<String>) -> Fault {
        Fault::new(Code::CONFIG_KEY, title).at(self.place(span))
    }

    /// A part that is not supported yet and would change what happens.
    pub(crate) fn not_yet(&self, span: Range<usize>, what: &str) -> Fault {
        Fault::new(Code::NOT_YET, format!("{what} is not supported yet")).at(self.place(span))
    }

    /// Decodes the file.
    pub(crate) fn decode<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        toml::from_str(&self.text).map_err(|error| self.explain(&error))
    }

    /// Words a decoder's error for a person, with a suggestion where a name is unknown.
    pub(crate) fn explain(&self, error: &toml::de::Error) -> Fault {
        let message = error.message().trim();
        let span = error.span().unwrap_or(0..0);
        let known = serde_words(message);
        if let Some(word) = quoted_after(message, "unknown field ") {
            let mut fault = self.wrong(span, format!("unknown key `{word}`"));
            if !known.is_empty() {
                fault = fault.label(format!("known here: {}", known.join(", ")));
            }
            return fault.did_you_mean(word, known.iter().copied());
        }
        if let Some(word) = quoted_after(message, "unknown variant ") {
            return self
                .wrong(span, format!("unknown word `{word}`"))
                .label(format!("one of: {}", known.join(", ")))
                .did_you_mean(word, known.iter().copied());
        }
        if let Some(word) = quoted_after(message, "missing field ") {
            return self.wrong(span, format!("the key `{word}` is missing"));
        }
        if let Some(rest) = message.strip_prefix("invalid type: ") {
            return self.wrong(span, format!("wrong type: {rest}"));
        }
        let syntax = message.lines().next().unwrap_or("the file does not parse");
        let code = if is_syntax(&self.text) { Code::CONFIG_SYNTAX } else { Code::CONFIG_KEY };
        let mut fault = Fault::new(code, syntax).at(self.place(span));
        for line in message.lines().skip(1) {
            fault = fault.detail(line.trim());
        }
        fault
    }
}

/// Whether the text is no TOML at all, rather than TOML with a wrong value in it.
fn is_syntax(text: &str) -> bool {
    text.parse::<toml::Table>().is_err()
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

fn quoted_after<'a>(message: &'a str, words: &str) -> Option<&'a str> {
    message.strip_prefix(words)?.strip_prefix('`')?.split('`').next()
}

/// The names that serde lists behind "expected": `a` or `b`; one of `a`, `b`, `c`.
fn serde_words(message: &str) -> Vec<&str> {
    message
        .split_once(", expected ")
        .map(|(_, list)| list.split('`').skip(1).step_by(2).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only decoded")]
    struct Shape {
        jobs: Option<u32>,
        output: Option<String>,
    }

    fn mistake(text: &str) -> String {
        let source = Source { name: "ops.toml".into(), text: text.into() };
        let fault = source.decode::<Shape>().unwrap_err();
        let place = fault.place.as_ref().unwrap();
        let line = place.text.as_deref().unwrap();
        let marked: String =
            line.chars().skip(place.column as usize - 1).take(place.length as usize).collect();
        format!("{fault} «{marked}» {}", fault.help.join("; ")).trim_end().to_owned()
    }

    #[test]
    fn an_unknown_key_is_marked_with_a_suggestion() {
        assert_eq!(
            mistake("\njbs = 1"),
            "OPS0202 unknown key `jbs` (ops.toml:2:1) «jbs» did you mean `jobs`?"
        );
    }

    #[test]
    fn a_wrong_type_is_marked_at_its_value() {
        assert_eq!(
            mistake("jobs = \"é\""),
            "OPS0202 wrong type: string \"é\", expected u32 (ops.toml:1:8) «\"é\"»"
        );
    }

    #[test]
    fn broken_toml_is_marked_where_it_breaks() {
        let text = mistake("jobs = 1\noutput = \"x");
        assert!(text.starts_with("OPS0201 "), "{text}");
        assert!(text.contains("(ops.toml:2:"), "{text}");
    }

    #[test]
    fn a_key_said_twice_is_an_error() {
        let text = mistake("jobs = 1\njobs = 2");
        assert!(text.starts_with("OPS0201 duplicate key (ops.toml:2:1) «jobs»"), "{text}");
    }

    #[test]
    fn columns_count_characters_not_bytes() {
        let source = Source { name: "x".into(), text: "é = 1\r\nzz".into() };
        let place = source.place(3..6);
        assert_eq!((place.line, place.column, place.text.as_deref()), (1, 3, Some("é = 1")));
    }
}
