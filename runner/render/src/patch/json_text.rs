//! A JSON text as a list of values, each as it is spelt. It reads only what
//! was found to be JSON before, and knows no operations.

use std::collections::BTreeMap;

use super::json::Json;
use crate::diagnostic::Mark;
use crate::yaml::read::mark_at;

/// A value, its place, and a key in it that YAML could not read as it is spelt.
pub(super) type Item = (Mark, Json, Option<String>);

/// The items of a text that is a JSON list, each with its place; `None` for
/// every other text.
pub(super) fn items(text: &str) -> Option<Vec<Item>> {
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    let mut reader = Reader { text, at: 0, odd: None };
    reader.blanks();
    reader.taken(b'[').then_some(())?;
    let mut items = Vec::new();
    while !reader.taken(b']') {
        let mark = mark_at(&text.as_bytes()[..reader.at]);
        let value = reader.value()?;
        items.push((mark, value, reader.odd.take()));
        reader.blanks();
        reader.taken(b',');
        reader.blanks();
    }
    Some(items)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    odd: Option<String>,
}

impl Reader<'_> {
    fn blanks(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    }

    /// Takes a byte, if it is the next one, and the blanks behind it.
    fn taken(&mut self, byte: u8) -> bool {
        let found = self.text.as_bytes().get(self.at) == Some(&byte);
        if found {
            self.at += 1;
            self.blanks();
        }
        found
    }

    fn value(&mut self) -> Option<Json> {
        match self.text.as_bytes().get(self.at)? {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => self.string(),
            _ => Some(match self.word() {
                "null" => Json::Null,
                "true" => Json::Bool(true),
                "false" => Json::Bool(false),
                number => Json::Number(number.to_owned()),
            }),
        }
    }

    fn object(&mut self) -> Option<Json> {
        self.taken(b'{');
        let mut members = BTreeMap::new();
        while !self.taken(b'}') {
            let spelt = self.string()?;
            if let Some(odd) = spelt.no_yaml() {
                self.odd = Some(odd.to_owned());
            }
            let Json::Text { text: key, .. } = spelt else { return None };
            self.blanks();
            self.taken(b':');
            members.insert(key, self.value()?);
            self.blanks();
            self.taken(b',');
        }
        Some(Json::Object(members))
    }

    fn array(&mut self) -> Option<Json> {
        self.taken(b'[');
        let mut items = Vec::new();
        while !self.taken(b']') {
            items.push(self.value()?);
            self.blanks();
            self.taken(b',');
        }
        Some(Json::Array(items))
    }

    fn string(&mut self) -> Option<Json> {
        let start = self.at;
        let mut escaped = false;
        let inside = self.text.as_bytes()[start + 1..].iter();
        let length = inside
            .take_while(|byte| {
                let ends = **byte == b'"' && !escaped;
                escaped = **byte == b'\\' && !escaped;
                !ends
            })
            .count();
        self.at = start + length + 2;
        let spelling = self.text.get(start..self.at)?;
        let text = serde_json::from_str(spelling).ok()?;
        Some(Json::Text { text, spelling: Some(spelling.to_owned()) })
    }

    fn word(&mut self) -> &str {
        let rest = &self.text[self.at..];
        let ends = |c: char| c.is_ascii_whitespace() || matches!(c, ',' | ']' | '}');
        let length = rest.find(ends).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_spelling_and_items_their_place() {
        let found = items("[ {\"a\\u0062\": [1.0, true, null]},\n \"x\\/\", [] ]").unwrap();
        let places: Vec<_> = found.iter().map(|(mark, ..)| (mark.line, mark.column)).collect();
        assert_eq!(places, [(1, 3), (2, 2), (2, 9)]);
        let spelt = format!("{found:?}");
        for part in ["\"ab\": Array", "Number(\"1.0\")", "Bool(true)", "Null", "\"x/\"", "x\\\\/"] {
            assert!(spelt.contains(part), "{part}: {spelt}");
        }
    }

    #[test]
    fn what_is_no_json_list_has_no_items() {
        for text in ["", "{}", "[1,]", "[1] x", "- a", "[\"\\q\"]"] {
            assert!(items(text).is_none(), "{text}");
        }
    }
}
