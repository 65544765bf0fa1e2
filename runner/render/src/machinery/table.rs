//! The shape of the reflected data files. It knows only how they are spelled;
//! `profile` gives them meaning.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(super) struct Table {
    pub(super) machinery: String,
    pub(super) yaml: String,
    pub(super) strict_skips_own: bool,
    pub(super) skips_missing: bool,
    pub(super) documents: Vec<Document>,
    pub(super) types: BTreeMap<String, Type>,
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

#[derive(Debug, Deserialize)]
pub(super) struct Type {
    pub(super) kind: String,
    #[serde(default)]
    pub(super) elem: String,
    #[serde(default)]
    pub(super) fields: Vec<Field>,
    #[serde(default)]
    pub(super) names: Vec<Name>,
    #[serde(default)]
    pub(super) folds: bool,
    #[serde(default)]
    pub(super) text: bool,
    #[serde(default)]
    pub(super) own: bool,
    #[serde(default)]
    pub(super) own_out: bool,
    #[serde(default)]
    pub(super) own_ref: bool,
    #[serde(default)]
    pub(super) merges: bool,
    #[serde(default)]
    pub(super) zeroes: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Field {
    pub(super) go: String,
    #[serde(rename = "type")]
    pub(super) type_name: String,
    #[serde(default)]
    pub(super) key: String,
    #[serde(default)]
    pub(super) inline: bool,
    #[serde(default)]
    pub(super) omitempty: bool,
    #[serde(default)]
    pub(super) flow: bool,
    #[serde(default)]
    pub(super) replace: bool,
    #[serde(default)]
    pub(super) private: bool,
    #[serde(default)]
    pub(super) tagged: bool,
    #[serde(default)]
    pub(super) copied: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Name {
    pub(super) value: i128,
    pub(super) text: String,
}
