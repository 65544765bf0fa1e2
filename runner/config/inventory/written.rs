//! Where an inventory says something that was found wrong later: inline patches by what they hold. Judges nothing.

use std::collections::BTreeMap;

use ops_core::error::Place;
use ops_core::value::Value;
use serde::Deserialize;
use toml::Spanned;

use super::super::source::Source;
use super::super::values::json;

/// The parts of an inventory that hold patches; all else is passed over.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Part {
    patches: Vec<Spanned<toml::Value>>,
    controlplane: Option<Box<Part>>,
    worker: Option<Box<Part>>,
    nodes: BTreeMap<String, Part>,
}

impl Part {
    fn all(&self) -> Vec<&Spanned<toml::Value>> {
        let below = self.controlplane.iter().chain(&self.worker).map(|boxed| &**boxed);
        let below = below.chain(self.nodes.values());
        self.patches.iter().chain(below.flat_map(Part::all)).collect()
    }
}

/// The place of an inline patch in the text of an inventory, and there of a word, such as the key that is wrong. None where no patch is
/// this one.
pub fn place_of_patch(name: &str, text: &str, patch: &Value, word: &str) -> Option<Place> {
    let source = Source { name: name.to_owned(), text: text.to_owned() };
    let written: Part = toml::from_str(text).ok()?;
    let same = |value: &&Spanned<toml::Value>| {
        json(value.get_ref().clone()).is_ok_and(|value| value == *patch)
    };
    let span = written.all().into_iter().find(same)?.span();
    let letter = |c: char| c.is_alphanumeric() || "_-".contains(c);
    // Of a table with a header of its own, the span is that of the header.
    let end = if text.get(span.clone())?.starts_with("[[") {
        text[span.end..].find("\n[").map_or(text.len(), |at| span.end + at)
    } else {
        span.end
    };
    let inner = &text[span.start..end];
    let at = inner.match_indices(word).map(|(at, _)| at).find(|at| {
        let (before, behind) = (&inner[..*at], &inner[at + word.len()..]);
        !word.is_empty() && !before.ends_with(letter) && !behind.starts_with(letter)
    });
    Some(source.place(match at {
        Some(at) => span.start + at..span.start + at + word.len(),
        None => span,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TEXT: &str = r#"
endpoint = "https://a:6443"
patches = ["a.yaml", { machine = { sysctls = { x = "1" } } }]
[worker]
patches = [
  { machine = { sysctls = { x = "2" },
                nosuch = 3 } },
]
[nodes.w-1]
patches = [{ machine.nosuch = 4 }]
[[nodes.w-2.patches]]
machine = { nosuch = 5 }
"#;

    #[test]
    fn a_patch_is_found_by_what_it_holds() {
        let rows = [
            (json!({"machine": {"sysctls": {"x": "1"}}}), "sysctls", Some("3:36")),
            (json!({"machine": {"sysctls": {"x": "2"}, "nosuch": 3}}), "nosuch", Some("7:17")),
            (json!({"machine": {"nosuch": 4}}), "nosuch", Some("10:22")),
            (json!({"machine": {"nosuch": 4}}), "absent", Some("10:12")),
            (json!({"machine": {"nosuch": 5}}), "nosuch", Some("12:13")),
            (json!({"machine": {"nosuch": 6}}), "nosuch", None),
        ];
        for (patch, word, expected) in rows {
            let place = place_of_patch("clusters/home.toml", TEXT, &patch, word);
            let place = place.map(|place| format!("{}:{}", place.line, place.column));
            assert_eq!(place.as_deref(), expected, "{patch}");
        }
    }
}
