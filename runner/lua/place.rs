//! Where in a Lua file something happened: chunk numbers, the stack, the column. Knows nothing of calls or branches.
//!
//! Lua keeps only lines, and cuts long chunk names. So a chunk is named by its number, and the column is searched in the text when an
//! error is worded.

use std::cell::RefCell;
use std::sync::Arc;

use mlua::Lua;
use mlua::debug::Debug;
use ops_core::error::Place;

/// How many lines below a call its fields are searched.
const REACH: usize = 60;

/// A line of a loaded file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Number of the file.
    pub(super) file: usize,
    /// Line, from 1.
    pub(super) line: usize,
}

/// A part of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marked {
    /// Line, from 1.
    pub(super) line: usize,
    /// Column from 0, in characters.
    pub(super) column: usize,
    /// How many characters.
    pub(super) length: usize,
}

/// The texts of all loaded files, by number.
#[derive(Debug, Default)]
pub(super) struct Texts(RefCell<Vec<(String, Arc<str>)>>);

impl Texts {
    /// Takes up a file; gives the name of its chunk.
    pub(super) fn add(&self, shown: &str, text: &str) -> (usize, String) {
        let mut files = self.0.borrow_mut();
        files.push((shown.to_owned(), Arc::from(text)));
        (files.len() - 1, format!("=src:{}", files.len() - 1))
    }

    /// The text of a file.
    pub(super) fn text(&self, file: usize) -> Arc<str> {
        self.0.borrow().get(file).map_or_else(|| Arc::from(""), |(_, text)| text.clone())
    }

    /// The place of a part of a line.
    pub(super) fn marked(&self, file: usize, at: Marked) -> Option<Place> {
        let files = self.0.borrow();
        let (shown, text) = files.get(file)?;
        Some(Place {
            file: shown.clone(),
            line: at.line as u32,
            column: at.column as u32 + 1,
            length: at.length as u32,
            text: Some(text.lines().nth(at.line.checked_sub(1)?).unwrap_or_default().to_owned()),
        })
    }

    /// The place of a whole line: its first word is marked.
    pub(super) fn at(&self, at: Line) -> Option<Place> {
        let files = self.0.borrow();
        let (shown, text) = files.get(at.file)?;
        let line = text.lines().nth(at.line.checked_sub(1)?).unwrap_or_default();
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        Some(Place {
            file: shown.clone(),
            line: at.line as u32,
            column: indent as u32 + 1,
            length: line.trim().chars().count() as u32,
            text: Some(line.to_owned()),
        })
    }

    /// The place of a word at or soon below a line; the line where the word does not stand.
    pub(super) fn word(&self, at: Line, word: &str) -> Option<Place> {
        self.find(at, |text| find_word(text, word)).or_else(|| self.at(at))
    }

    /// The place of a table's key (`word = …`) at or soon below a line; the line where it does not stand.
    pub(super) fn key(&self, at: Line, word: &str) -> Option<Place> {
        self.find(at, |text| {
            find_all(text, word).into_iter().find(|(start, length)| {
                let rest: String = text.chars().skip(start + length).collect();
                let rest = rest.trim_start();
                rest.starts_with('=') && !rest.starts_with("==")
            })
        })
        .or_else(|| self.word(at, word))
    }

    fn find(&self, at: Line, find: impl Fn(&str) -> Option<(usize, usize)>) -> Option<Place> {
        let files = self.0.borrow();
        let (shown, text) = files.get(at.file)?;
        text.lines().enumerate().skip(at.line.checked_sub(1)?).take(REACH).find_map(|(n, line)| {
            let (start, length) = find(line)?;
            Some(Place {
                file: shown.clone(),
                line: n as u32 + 1,
                column: start as u32 + 1,
                length: length as u32,
                text: Some(line.to_owned()),
            })
        })
    }

    /// The line of a message that Lua itself worded, and the message without it.
    pub(super) fn parse(message: &str) -> (Option<Line>, &str) {
        let message = message.split("\nstack traceback:").next().unwrap_or(message);
        let parsed = message.strip_prefix("src:").and_then(|rest| {
            let (file, rest) = rest.split_once(':')?;
            let (line, rest) = rest.split_once(": ").or_else(|| rest.split_once(':'))?;
            Some((Line { file: file.parse().ok()?, line: line.parse().ok()? }, rest))
        });
        match parsed {
            Some((line, rest)) => (Some(line), rest),
            None => (None, message),
        }
    }

    /// The place of a message that Lua itself worded: the variable that it names is marked.
    pub(super) fn blame(&self, line: Line, message: &str) -> Option<Place> {
        // "attempt to index a nil value (field 'nodse')", "bad argument #1 to 'rep'"
        let word = message.split('\'').nth(1).filter(|w| !w.is_empty() && !w.contains(' '));
        match word {
            Some(word) => self.word(line, word),
            None => self.at(line),
        }
    }
}

/// Where a word stands as a whole word: column from 0 and length, in characters.
fn find_word(text: &str, word: &str) -> Option<(usize, usize)> {
    find_all(text, word).into_iter().next()
}

fn find_all(text: &str, word: &str) -> Vec<(usize, usize)> {
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .filter(|(at, _)| {
            !word.is_empty()
                && !text[..*at].ends_with(letter)
                && !text[at + word.len()..].starts_with(letter)
        })
        .map(|(at, _)| (text[..at].chars().count(), word.chars().count()))
        .collect()
}

/// The line of a stack frame, if it is one of a loaded file.
pub(super) fn frame(debug: &Debug<'_>) -> Option<Line> {
    let source = debug.source();
    let file = source.short_src?.strip_prefix("src:")?.parse().ok()?;
    Some(Line { file, line: debug.current_line()? })
}

/// The innermost line of a loaded file on the stack.
pub(super) fn here(lua: &Lua) -> Option<Line> {
    above(lua, 0)
}

/// The `skip`-th line of a loaded file on the stack, the innermost being 0.
pub(super) fn above(lua: &Lua, skip: usize) -> Option<Line> {
    let mut left = skip;
    for level in 0.. {
        match lua.inspect_stack(level, frame)? {
            Some(line) if left == 0 => return Some(line),
            Some(_) => left -= 1,
            None => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Texts {
        let texts = Texts::default();
        texts.add("recipes/x.lua", text);
        texts
    }

    #[test]
    fn a_key_is_found_below_the_call_that_has_it() {
        let texts =
            texts("talos.reset {\n  node,\n  reboot = partition == 1,\n  partition = p.x,\n}");
        let place = texts.key(Line { file: 0, line: 1 }, "partition").unwrap();
        assert_eq!((place.line, place.column, place.length), (4, 3, 9));
        assert_eq!(place.text.as_deref(), Some("  partition = p.x,"));
    }

    #[test]
    fn columns_count_characters_not_bytes() {
        let texts = texts("local ä = nodse.x");
        let place = texts.word(Line { file: 0, line: 1 }, "nodse").unwrap();
        assert_eq!(place.column, 11);
    }

    #[test]
    fn part_of_a_word_is_no_match() {
        let texts = texts("f { partitions = 1 }");
        let place = texts.key(Line { file: 0, line: 1 }, "partition").unwrap();
        assert_eq!((place.column, place.length), (1, 20), "the whole line");
    }

    #[test]
    fn luas_own_messages_are_taken_apart() {
        let texts = texts("\n\n  x.nodse.y = 1");
        let message =
            "src:0:3: attempt to index a nil value (field 'nodse')\nstack traceback:\n\tC";
        let (line, rest) = Texts::parse(message);
        assert_eq!(rest, "attempt to index a nil value (field 'nodse')");
        assert_eq!(texts.blame(line.unwrap(), rest).unwrap().column, 5);
    }
}
