//! Where a Lua file that does not parse is wrong. Lua names the token at which it gave up; the mistake mostly lies before it. Parses nothing:
//! it looks at tokens, and says Lua's own words where it knows no better.

use super::place::Marked;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// In one line.
    pub(super) title: String,
    /// What is marked.
    pub(super) at: Marked,
    /// What stands below the mark.
    pub(super) label: Option<String>,
    /// What else helps.
    pub(super) detail: Option<String>,
}

/// Explains Lua's message about the token in `line` (from 1) of `text`.
pub(super) fn explain(text: &str, line: usize, message: &str) -> Mistake {
    let tokens = tokens(text);
    let near = message.rsplit_once(" near ").map(|(_, near)| near.trim_end());
    let word = near.and_then(|near| near.strip_prefix('\'')?.strip_suffix('\''));
    // Where a value was expected, the token stands behind something that is none.
    let value = message.starts_with("unexpected symbol");
    let behind_value = |at: usize| at > 0 && tokens[at - 1].ends_value();
    let named = |at: &usize| tokens[*at].line == line && Some(tokens[*at].text) == word;
    let mut those = (0..tokens.len()).filter(named);
    let found = those.clone().find(|at| behind_value(*at) != value).or_else(|| those.next());
    let at = found.unwrap_or(if near == Some("<eof>") { tokens.len() } else { usize::MAX });
    let before = at.checked_sub(1).and_then(|before| tokens.get(before));
    let noticed = |token: Option<&Token<'_>>| match token {
        Some(token) => format!("Lua noticed at `{}` in line {}", token.text, token.line),
        None => "Lua noticed at the end of the file".to_owned(),
    };
    if let (Some(before), Some(token)) = (before, tokens.get(at)) {
        let missing = match message.get(..3) {
            Some("'}'") => Some("`,`"),
            Some("')'") => Some("`,` or `)`"),
            _ => None,
        };
        if let Some(missing) = missing.filter(|_| before.ends_value() && token.begins_value()) {
            let detail = (token.line != before.line).then(|| noticed(Some(token)));
            return Mistake {
                title: format!("{missing} is missing"),
                at: Marked { line: before.last_line, column: before.end, length: 1 },
                label: Some(format!("{missing} belongs here")),
                detail,
            };
        }
    }
    if at <= tokens.len()
        && let Some((open, close)) = unclosed(&tokens[..at], message)
    {
        let closes = match close {
            Some(close) => format!(
                "The `{}` in line {} closes it; its indentation says that it should not",
                close.text, close.line
            ),
            None => noticed(tokens.get(at)),
        };
        return Mistake {
            title: format!("`{}` has no `{}`", open.text, open.closer()),
            at: open.marked(),
            label: Some(format!("no `{}` belongs to this", open.closer())),
            detail: Some(closes),
        };
    }
    let whole = || {
        let shown = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        let indent = shown.chars().take_while(|c| c.is_whitespace()).count();
        Marked { line, column: indent, length: shown.trim().chars().count() }
    };
    let at = tokens.get(at).map_or_else(whole, Token::marked);
    Mistake { title: message.to_owned(), at, label: None, detail: None }
}

/// What was opened and lacks its end, as far as the tokens up to the one in question tell; with the end that was taken for it.
fn unclosed<'t, 's>(
    tokens: &'t [Token<'s>],
    message: &str,
) -> Option<(&'t Token<'s>, Option<&'t Token<'s>>)> {
    let mut open: Vec<&Token<'_>> = Vec::new();
    let mut askew = None;
    for token in tokens {
        if token.opens() {
            open.push(token);
        } else if token.closes() {
            let opener = open.pop()?;
            if opener.closer() != token.text {
                return Some((opener, None));
            }
            // An `end` further left than what it closes was meant for something further out.
            let left = token.first && token.indent < opener.indent && opener.line != token.line;
            if left && askew.is_none() {
                askew = Some((opener, Some(token)));
            }
        }
    }
    let asked = message.starts_with('\'') && message.contains(" expected")
        || message.ends_with("near <eof>");
    askew.or_else(|| asked.then(|| open.last().map(|open| (*open, None)))?)
}

/// A word, number, string or symbol.
#[derive(Clone, Copy, Debug)]
struct Token<'a> {
    text: &'a str,
    kind: Kind,
    /// From 1.
    line: usize,
    last_line: usize,
    /// Columns from 0, in characters: of its first character, and behind its last.
    column: usize,
    end: usize,
    /// Whether it is the first of its line, and how far that line is indented.
    first: bool,
    indent: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Word,
    Number,
    Text,
    Symbol,
}

const KEYWORDS: [&str; 22] = [
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in",
    "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
];

impl Token<'_> {
    fn name(&self) -> bool {
        self.kind == Kind::Word && !KEYWORDS.contains(&self.text)
    }

    fn ends_value(&self) -> bool {
        self.name()
            || matches!(self.kind, Kind::Number | Kind::Text)
            || matches!(self.text, "}" | ")" | "]" | "end" | "true" | "false" | "nil" | "...")
    }

    fn begins_value(&self) -> bool {
        self.name()
            || matches!(self.kind, Kind::Number | Kind::Text)
            || matches!(self.text, "{" | "[" | "function" | "true" | "false" | "nil" | "not" | "#")
    }

    /// `while` and `for` are closed with the `end` of their `do`.
    fn opens(&self) -> bool {
        self.kind == Kind::Symbol && matches!(self.text, "{" | "(" | "[")
            || self.kind == Kind::Word && matches!(self.text, "function" | "if" | "do" | "repeat")
    }

    fn closes(&self) -> bool {
        self.kind == Kind::Symbol && matches!(self.text, "}" | ")" | "]")
            || self.kind == Kind::Word && matches!(self.text, "end" | "until")
    }

    fn closer(&self) -> &'static str {
        match self.text {
            "{" => "}",
            "(" => ")",
            "[" => "]",
            "repeat" => "until",
            _ => "end",
        }
    }

    fn marked(&self) -> Marked {
        let length = self.text.lines().next().unwrap_or_default().chars().count();
        Marked { line: self.line, column: self.column, length }
    }
}

/// The tokens of a text, without comments. What is no token of Lua is a symbol of one character.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found: Vec<Token<'_>> = Vec::new();
    let (mut line, mut begin, mut at) = (1, 0, 0);
    while let Some(next) = text[at..].chars().next() {
        if next.is_whitespace() {
            at += next.len_utf8();
            if next == '\n' {
                (line, begin) = (line + 1, at);
            }
            continue;
        }
        let rest = &text[at..];
        let (length, kind) = token(rest);
        let whole = &rest[..length];
        let (first_line, first_begin, start) = (line, begin, at);
        at += length;
        if let Some(last) = whole.rfind('\n') {
            line += whole.matches('\n').count();
            begin = start + last + 1;
        }
        let Some(kind) = kind else { continue };
        let columns = |from: usize, to: usize| text[from..to].chars().count();
        let shown = text[first_begin..].chars().take_while(|c| *c == ' ' || *c == '\t').count();
        found.push(Token {
            text: whole,
            kind,
            line: first_line,
            last_line: line,
            column: columns(first_begin, start),
            end: columns(begin, at),
            first: found.last().is_none_or(|last| last.last_line != first_line),
            indent: shown,
        });
    }
    found
}

/// Length and kind of the token that a text begins with; a comment has none.
fn token(text: &str) -> (usize, Option<Kind>) {
    let run = |keep: &dyn Fn(char) -> bool| text.find(|c| !keep(c)).unwrap_or(text.len());
    let first = text.chars().next().unwrap_or(' ');
    if let Some(comment) = text.strip_prefix("--") {
        return (2 + long(comment).unwrap_or(comment.find('\n').unwrap_or(comment.len())), None);
    }
    if first.is_ascii_digit() {
        return (run(&|c| c.is_ascii_alphanumeric() || c == '.'), Some(Kind::Number));
    }
    if first.is_alphabetic() || first == '_' {
        return (run(&|c| c.is_alphanumeric() || c == '_'), Some(Kind::Word));
    }
    if let Some(length) = long(text) {
        return (length, Some(Kind::Text));
    }
    if first == '"' || first == '\'' {
        let mut escaped = false;
        for (at, c) in text.char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '\n' => return (at, Some(Kind::Text)),
                c if c == first => return (at + 1, Some(Kind::Text)),
                _ => {}
            }
        }
        return (text.len(), Some(Kind::Text));
    }
    let symbols = ["...", "..", "==", "~=", "<=", ">=", "::", "//", "<<", ">>"];
    let length = symbols.iter().find(|symbol| text.starts_with(**symbol));
    (length.map_or(first.len_utf8(), |symbol| symbol.len()), Some(Kind::Symbol))
}

/// The length of a long bracket that a text begins with: `[[ … ]]`, `[=[ … ]=]`.
fn long(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('[')?;
    let level = inner.find(|c| c != '=').filter(|at| inner[*at..].starts_with('['))?;
    let close = format!("]{}]", "=".repeat(level));
    let from = level + 2;
    Some(text[from..].find(&close).map_or(text.len(), |at| from + at + close.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lua's own message, and the mistake as `line:column title`.
    fn said(text: &str) -> String {
        let error = mlua::Lua::new().load(text).set_name("=x").into_function().unwrap_err();
        let mlua::Error::SyntaxError { message, .. } = error else { panic!("{error}") };
        let (line, message) = message.strip_prefix("x:").unwrap().split_once(": ").unwrap();
        let found = explain(text, line.parse().unwrap(), message);
        let detail = found.detail.map(|detail| format!("; {detail}")).unwrap_or_default();
        format!("{}:{} {}{detail}", found.at.line, found.at.column + 1, found.title)
    }

    #[test]
    fn a_missing_comma_is_told_where_it_belongs() {
        let rows = [
            (
                "return {\n  a = \"x\"\n  b = 1,\n}",
                "2:10 `,` is missing; Lua noticed at `b` in line 3",
            ),
            (
                "return {\n  a = f { 1 } -- ends\n\n  b = 1,\n}",
                "2:14 `,` is missing; Lua noticed at `b` in line 4",
            ),
            ("return { a = 1 b = 2 }", "1:15 `,` is missing"),
            (
                "return {\n  a = [[x\ny]]\n  b = 2 }",
                "3:4 `,` is missing; Lua noticed at `b` in line 4",
            ),
            (
                "return {\n  run = function() end\n  \"x\" }",
                "2:23 `,` is missing; Lua noticed at `\"x\"` in line 3",
            ),
            ("f(1 2)", "1:4 `,` or `)` is missing"),
            ("f(\"é\" b)", "1:6 `,` or `)` is missing"),
        ];
        for (text, expected) in rows {
            assert_eq!(said(text), expected, "{text}");
        }
    }

    #[test]
    fn a_missing_end_is_told_where_its_block_begins() {
        let rows = [
            (
                "return {\n  run = function()\n    if a then\n      f()\n  end,\n}",
                "3:5 `if` has no `end`; The `end` in line 5 closes it; its indentation says that it should not",
            ),
            (
                "function f()\n  g()\n",
                "1:1 `function` has no `end`; Lua noticed at the end of the file",
            ),
            (
                "return {\n  a = {\n    1,\n\n",
                "2:7 `{` has no `}`; Lua noticed at the end of the file",
            ),
            ("f(1\nlocal x = 2", "1:2 `(` has no `)`; Lua noticed at `local` in line 2"),
            (
                "for i = 1, 2 do\n  f(i)\n",
                "1:14 `do` has no `end`; Lua noticed at the end of the file",
            ),
        ];
        for (text, expected) in rows {
            assert_eq!(said(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_said_in_luas_words_at_its_token() {
        let rows = [
            ("local x = = 2", "1:11 unexpected symbol near '='"),
            ("retrn x {}", "1:7 syntax error near 'x'"),
            ("x = \"abc\n", "1:5 unfinished string near '\"abc'"),
            ("f() end", "1:5 <eof> expected near 'end'"),
        ];
        for (text, expected) in rows {
            assert_eq!(said(text), expected, "{text}");
        }
    }

    #[test]
    fn no_text_is_too_broken_to_be_explained() {
        for text in ["", "é", "[[", "--[==[ x", "\"\\", "{[(", "end end", "x = [=", "\u{1}", "0x"]
        {
            for line in 0..3 {
                for near in ["'end' expected near <eof>", "x near 'é'", "'}' expected near 'x'", ""]
                {
                    let _ = explain(text, line, near);
                }
            }
        }
    }
}
