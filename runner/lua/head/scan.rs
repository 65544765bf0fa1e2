//! What stands in a recipe's text beside its code: the `---` comment, and the names that `cx:run` is given as literals.

use std::collections::BTreeMap;

/// The `---` comment right above a line.
pub(super) fn doc(text: &str, line: usize) -> String {
    // Looked for from the line upwards: a file of a thousand recipes is read a thousand times.
    let end = text.match_indices('\n').nth(line.saturating_sub(2)).map_or(0, |(at, _)| at);
    let above = if line < 2 { "" } else { &text[..end] };
    let mut doc: Vec<&str> = above
        .rsplit('\n')
        .map_while(|line| line.trim_start().strip_prefix("---"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end())
        .collect();
    doc.reverse();
    doc.join("\n")
}

/// The lines of all `name = "…"`, the first of each name.
pub(super) fn names(text: &str) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for (n, line) in text.lines().enumerate() {
        for (at, word) in line.match_indices("name") {
            let value = line[at + word.len()..].trim_start().strip_prefix('=').map(str::trim_start);
            let Some(quote) = value.and_then(|v| v.chars().next()).filter(|c| "\"'".contains(*c))
            else {
                continue;
            };
            if let Some(name) = value.and_then(|v| v[1..].split(quote).next()) {
                names.entry(name.to_owned()).or_insert(n + 1);
            }
        }
    }
    names
}

/// A literal name of a recipe that a body runs, and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::lua) struct Run {
    pub(in crate::lua) line: usize,
    pub(in crate::lua) name: String,
}

/// The names in `:run("name"` and `:run "name"`, outside comments and texts.
pub(in crate::lua) fn runs(text: &str) -> Vec<Run> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    let (mut at, mut line, mut counted) = (0, 1, 0);
    while at < bytes.len() {
        if text[at..].starts_with("--") {
            at = skip_comment(text, at);
        } else if let Some((end, _)) = literal(text, at) {
            at = end;
        } else if text[at..].starts_with(":run")
            && !text[at + 4..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
        {
            let mut next = at + 4;
            let blank = |next: usize| text[next..].len() - text[next..].trim_start().len();
            next += blank(next);
            if text[next..].starts_with('(') {
                next += 1;
                next += blank(next);
            }
            if let Some((end, Some(name))) = literal(text, next) {
                line += text[counted..at].matches('\n').count();
                counted = at;
                found.push(Run { line, name: name.to_owned() });
                at = end;
            } else {
                at = next.max(at + 4);
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    found
}

/// The modules that a file requires by a literal name. The flag says that it also requires one by a name that only its run gives.
pub(in crate::lua) fn requires(text: &str) -> (Vec<String>, bool) {
    const WORD: &str = "require";
    let (mut names, mut computed) = (Vec::new(), false);
    // Most files require nothing, and are looked at letter by letter for nothing.
    if !text.contains(WORD) {
        return (names, computed);
    }
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if text[at..].starts_with("--") {
            at = skip_comment(text, at);
        } else if let Some((end, _)) = literal(text, at) {
            at = end;
        } else if text[at..].starts_with(|c: char| c.is_alphabetic() || c == '_') {
            let word = |c: char| c.is_alphanumeric() || c == '_';
            let end = text[at..].find(|c| !word(c)).map_or(text.len(), |n| at + n);
            let name = &text[at..end];
            // `cx:require` and `t.require` are other functions.
            let method = text[..at].trim_end().ends_with([':', '.']);
            at = end;
            if name == WORD && !method {
                let rest = text[at..].trim_start();
                let rest = rest.strip_prefix('(').map_or(rest, str::trim_start);
                match literal(rest, 0) {
                    Some((_, Some(module))) if !rest.is_empty() => names.push(module.to_owned()),
                    _ => computed = true,
                }
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    (names, computed)
}

fn skip_comment(text: &str, at: usize) -> usize {
    if let Some((end, _)) = long(text, at + 2) {
        return end;
    }
    text[at..].find('\n').map_or(text.len(), |n| at + n)
}

/// The end and content of a text that begins here; no content where it has escapes.
fn literal(text: &str, at: usize) -> Option<(usize, Option<&str>)> {
    let quote = text[at..].chars().next()?;
    if quote != '"' && quote != '\'' {
        return long(text, at);
    }
    let mut escaped = false;
    for (offset, c) in text[at + 1..].char_indices() {
        match c {
            '\\' if !escaped => escaped = true,
            c if c == quote && !escaped => {
                let inner = &text[at + 1..at + 1 + offset];
                return Some((at + offset + 2, (!inner.contains('\\')).then_some(inner)));
            }
            '\n' if !escaped => return Some((at + 1 + offset, None)),
            _ => escaped = false,
        }
    }
    Some((text.len(), None))
}

fn long(text: &str, at: usize) -> Option<(usize, Option<&str>)> {
    let rest = text[at..].strip_prefix('[')?;
    let level = rest.len() - rest.trim_start_matches('=').len();
    rest[level..].strip_prefix('[')?;
    let close = format!("]{}]", "=".repeat(level));
    let start = at + level + 2;
    match text[start..].find(&close) {
        Some(end) => Some((start + end + close.len(), Some(&text[start..start + end]))),
        None => Some((text.len(), None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_comment_right_above_is_the_documentation() {
        let text = "---first\n\n--- second\n---third\nreturn ops.recipe {}";
        assert_eq!(doc(text, 5), "second\nthird");
        assert_eq!(doc("-- plain\nreturn 1", 2), "");
    }

    #[test]
    fn names_are_found_where_they_first_stand() {
        let text = "{ name = \"a\" },\n{ name='b', rename = 1 },\n{ name = \"a\" }, name = x";
        assert_eq!(names(text), BTreeMap::from([("a".into(), 1), ("b".into(), 2)]));
    }

    #[test]
    fn literal_names_are_found_and_nothing_else() {
        let text = r#"
            cx:run("a:b", { x = 1 })
            cx:run 'c'
            cx:run [[d]]
            cx:run(name)
            -- cx:run("comment")
            --[[ cx:run("long
            comment") ]]
            local s = 'cx:run("text")'
            cx:runs("other")
            cx:run( "e" )
        "#;
        let names: Vec<String> = runs(text).into_iter().map(|run| run.name).collect();
        assert_eq!(names, ["a:b", "c", "d", "e"]);
        assert_eq!(runs(text).iter().map(|run| run.line).collect::<Vec<_>>(), [2, 3, 4, 11]);
    }

    #[test]
    fn required_modules_are_found_and_nothing_else() {
        let text = r#"
            local a, b = require "x.a", require("x.b")
            local c = require [[x.c]]
            cx:require(ok, "x.d") -- require "x.e"
            local s = 'require "x.f"' local required = "x.g"
        "#;
        let names = ["x.a", "x.b", "x.c"].map(str::to_owned).to_vec();
        assert_eq!(requires(text), (names, false));
        assert_eq!(requires("return require(name)"), (Vec::new(), true));
        assert_eq!(requires("local r = require"), (Vec::new(), true));
    }

    #[test]
    fn an_unfinished_text_ends_the_scan() {
        assert_eq!(runs("cx:run(\"a"), []);
        assert_eq!(runs("--[["), []);
        assert_eq!(runs("x = \"ä"), []);
    }
}
