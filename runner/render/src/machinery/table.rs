//! The shape of the reflected data files. It knows only how they are spelled;
//! `profile` gives them meaning. They are JSON with a line for each type, so
//! that a type is read when it is asked for: a document needs few of them.

use serde::Deserialize;

/// What stands before the types.
#[derive(Debug, Deserialize)]
pub(super) struct Table {
    pub(super) machinery: String,
    pub(super) yaml: String,
    pub(super) strict_skips_own: bool,
    pub(super) skips_missing: bool,
    pub(super) documents: Vec<Document>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Document {
    pub(super) kind: String,
    #[serde(rename = "type")]
    pub(super) type_name: String,
    #[serde(default)]
    pub(super) name_field: String,
    #[serde(default)]
    pub(super) conflicts: Vec<String>,
}

/// The name of a type and its JSON.
pub(super) type Line = (&'static str, &'static str);

/// Where the types begin in a data file.
const TYPES: &str = ",\n\"types\": {\n";

/// The head of a data file and its types, ordered by name.
///
/// # Errors
/// The text is no data file.
pub(super) fn read(text: &'static str) -> Result<(Table, Vec<Line>), String> {
    let (head, types) = text.split_once(TYPES).ok_or("it has no types")?;
    let mut lines: Vec<Line> = Vec::with_capacity(512);
    for line in types.lines().take_while(|line| line.starts_with('"')) {
        let (name, json) = line[1..].split_once("\": ").ok_or("a type has no name")?;
        if lines.last().is_some_and(|(before, _)| *before >= name) {
            return Err(format!("`{name}` is out of order"));
        }
        lines.push((name, json.strip_suffix(',').unwrap_or(json)));
    }
    let table = serde_json::from_str(&format!("{head}}}")).map_err(|error| error.to_string())?;
    Ok((table, lines))
}

/// A type, its texts as they stand in the file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Type {
    pub(super) kind: &'static str,
    pub(super) elem: &'static str,
    pub(super) fields: Vec<Field>,
    pub(super) names: Vec<Name>,
    pub(super) folds: bool,
    pub(super) text: bool,
    pub(super) own: bool,
    pub(super) own_out: bool,
    pub(super) own_ref: bool,
    pub(super) merges: bool,
    pub(super) zeroes: bool,
}

impl Type {
    /// Reads a type's JSON.
    ///
    /// # Errors
    /// It has another shape.
    pub(super) fn read(json: &'static str) -> Result<Type, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Field {
    pub(super) go: &'static str,
    #[serde(rename = "type")]
    pub(super) type_name: &'static str,
    pub(super) key: &'static str,
    pub(super) inline: bool,
    pub(super) omitempty: bool,
    pub(super) flow: bool,
    pub(super) replace: bool,
    pub(super) private: bool,
    pub(super) tagged: bool,
    pub(super) copied: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Name {
    pub(super) value: i128,
    pub(super) text: &'static str,
}
