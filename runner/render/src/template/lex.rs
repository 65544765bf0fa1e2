//! A template's text to pieces: plain text, and the words of its actions.

use super::Problem;
use crate::diagnostic::Mark;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word {
    /// Text outside actions.
    Plain(String),
    /// `{{`
    Open,
    /// `}}`
    Close,
    /// `.Name` or `.` with nothing after it.
    Field(String),
    /// `$name`, `$` itself being empty.
    Variable(String),
    /// A function or a keyword.
    Name(String),
    Text(String),
    Int(i128),
    Float(f64),
    /// `:=`
    Declare,
    /// `=`
    Assign,
    Comma,
    Pipe,
    OpenParen,
    /// The flag tells whether a field follows at once.
    CloseParen,
    /// White space between the words of an action.
    Space,
}

/// A piece and its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) word: Word,
    pub(super) mark: Mark,
}

pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, Problem> {
    let mut lexer = Lexer { text, at: 0, mark: Mark { line: 1, column: 1 }, out: Vec::new() };
    lexer.run()?;
    Ok(lexer.out)
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    mark: Mark,
    out: Vec<Piece>,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn skip(&mut self, bytes: usize) {
        for c in self.text[self.at..self.at + bytes].chars() {
            if c == '\n' {
                self.mark = Mark { line: self.mark.line + 1, column: 1 };
            } else {
                self.mark.column += 1;
            }
        }
        self.at += bytes;
    }

    fn push(&mut self, word: Word, bytes: usize) {
        self.out.push(Piece { word, mark: self.mark });
        self.skip(bytes);
    }

    fn problem<T>(&self, message: impl Into<String>) -> Result<T, Problem> {
        Err(Problem { mark: self.mark, message: message.into() })
    }

    fn run(&mut self) -> Result<(), Problem> {
        let mut trimmed = false;
        while !self.rest().is_empty() {
            let rest = self.rest();
            let open = rest.find("{{").unwrap_or(rest.len());
            let mut plain = &rest[..open];
            if trimmed {
                plain = plain.trim_start_matches(is_space);
            }
            let trims = rest[open..].strip_prefix("{{-").is_some_and(|r| r.starts_with(is_space));
            if trims {
                plain = plain.trim_end_matches(is_space);
            }
            if !plain.is_empty() {
                self.out.push(Piece { word: Word::Plain(plain.to_owned()), mark: self.mark });
            }
            self.skip(open);
            if self.rest().is_empty() {
                break;
            }
            trimmed = self.action(if trims { 3 } else { 2 })?;
        }
        Ok(())
    }

    /// Everything up to `}}`; tells whether that trims what follows.
    fn action(&mut self, opening: usize) -> Result<bool, Problem> {
        let begin = self.mark;
        let inner = &self.rest()[opening..];
        let start = inner.trim_start_matches(|c| opening == 3 && is_space(c));
        if start.starts_with("/*") {
            return self.comment(opening + inner.len() - start.len());
        }
        self.push(Word::Open, opening);
        loop {
            let rest = self.rest();
            let spaces = rest.len() - rest.trim_start_matches(is_space).len();
            if spaces > 0 {
                if rest[spaces..].starts_with("-}}") {
                    self.skip(spaces);
                    self.push(Word::Close, 3);
                    return Ok(true);
                }
                self.push(Word::Space, spaces);
            } else if rest.starts_with("}}") {
                self.push(Word::Close, 2);
                return Ok(false);
            } else if rest.is_empty() {
                let message = "this action is not closed with `}}`".to_owned();
                return Err(Problem { mark: begin, message });
            } else {
                self.word()?;
            }
        }
    }

    fn comment(&mut self, opening: usize) -> Result<bool, Problem> {
        let rest = self.rest();
        let Some(end) = rest[opening..].find("*/").map(|end| opening + end + 2) else {
            return self.problem("this comment is not closed with `*/}}`");
        };
        let after = &rest[end..];
        let spaces = after.len() - after.trim_start_matches(is_space).len();
        if after.starts_with("}}") {
            self.skip(end + 2);
            return Ok(false);
        }
        if spaces > 0 && after[spaces..].starts_with("-}}") {
            self.skip(end + spaces + 3);
            return Ok(true);
        }
        self.problem("a comment must end its action with `*/}}`")
    }

    fn word(&mut self) -> Result<(), Problem> {
        let rest = self.rest();
        let name_at = |from: usize| {
            let tail = &rest[from..];
            tail.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(tail.len())
        };
        let first = rest.chars().next().unwrap_or(' ');
        let second = rest[first.len_utf8()..].chars().next().unwrap_or(' ');
        match first {
            '|' => self.push(Word::Pipe, 1),
            '(' => self.push(Word::OpenParen, 1),
            ')' => self.push(Word::CloseParen, 1),
            ',' => self.push(Word::Comma, 1),
            ':' if second == '=' => self.push(Word::Declare, 2),
            '=' => self.push(Word::Assign, 1),
            '"' => self.quoted()?,
            '`' => match rest[1..].find('`') {
                Some(end) => self.push(Word::Text(rest[1..=end].to_owned()), end + 2),
                None => return self.problem("this text is not closed with a backtick"),
            },
            '\'' => self.character()?,
            '.' if !second.is_ascii_digit() => {
                let length = name_at(1);
                self.push(Word::Field(rest[1..=length].to_owned()), 1 + length);
            }
            '$' => {
                let length = name_at(1);
                self.push(Word::Variable(rest[1..=length].to_owned()), 1 + length);
            }
            '0'..='9' | '+' | '-' | '.' => self.number()?,
            c if c == '_' || c.is_alphabetic() => {
                let length = name_at(0);
                self.push(Word::Name(rest[..length].to_owned()), length);
            }
            c => return self.problem(format!("`{c}` has no meaning in an action")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Problem> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '+' | '-'))
            .unwrap_or(rest.len());
        let text = &rest[..end];
        let word = match crate::yaml::scalar::resolve(text, crate::yaml::scalar::Dialect::V4) {
            crate::yaml::scalar::Meaning::Int(number) => Word::Int(number),
            crate::yaml::scalar::Meaning::Float(number) => Word::Float(number),
            _ => return self.problem(format!("`{text}` is no number")),
        };
        self.push(word, end);
        Ok(())
    }

    fn character(&mut self) -> Result<(), Problem> {
        let rest = self.rest();
        let mut chars = rest[1..].chars();
        match (chars.next(), chars.next()) {
            (Some(c), Some('\'')) if c != '\\' => {
                self.push(Word::Int(i128::from(u32::from(c))), 2 + c.len_utf8());
                Ok(())
            }
            _ => self.problem("single quotes hold one character; texts stand in double quotes"),
        }
    }

    fn quoted(&mut self) -> Result<(), Problem> {
        let mut out = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.push(Word::Text(out), at + 1);
                    return Ok(());
                }
                '\n' => break,
                '\\' => {
                    let Some((_, escape)) = chars.next() else { break };
                    let digits = match escape {
                        'x' => 2,
                        'u' => 4,
                        'U' => 8,
                        _ => 0,
                    };
                    let code: String = chars.by_ref().take(digits).map(|(_, c)| c).collect();
                    let coded = u32::from_str_radix(&code, 16).ok().and_then(char::from_u32);
                    out.push(match escape {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        '"' | '\\' | '\'' => escape,
                        'x' | 'u' | 'U' => match coded {
                            Some(c) if code.len() == digits => c,
                            _ => return self.problem("this text has a broken escape"),
                        },
                        _ => return self.problem(format!("`\\{escape}` is no escape")),
                    });
                }
                c => out.push(c),
            }
        }
        self.problem("this text is not closed with a quotation mark")
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}
