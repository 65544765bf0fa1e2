//! How the text of a patch is taken: file or inline, strategic merge or
//! RFC 6902. Applying it is decided elsewhere.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::document::{self, Part};
use super::json::{Json, format_number};
use super::json_text;
use crate::diagnostic::{Code, Diagnostic, Mark};
use crate::machinery::any::Any;
use crate::machinery::decode::decode;
use crate::machinery::profile::{GoYaml, Profile};
use crate::machinery::value::Value;
use crate::yaml::node::Data;
use crate::yaml::read::{Source, read_first};

/// The name under which findings in an inline patch are reported.
pub(crate) const INLINE: &str = "inline patch";

/// A patch, read and checked against the types of a profile.
#[derive(Clone, Debug)]
pub struct Patch {
    pub(super) file: Rc<str>,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Strategic(Rc<Vec<Part>>),
    Json(Vec<Operation>),
}

/// One RFC 6902 operation, not yet checked for what it needs.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) mark: Mark,
    pub(super) op: String,
    pub(super) path: Option<String>,
    pub(super) from: Option<String>,
    pub(super) value: Option<Json>,
    /// A key in the value that YAML could not read as it is spelt.
    pub(super) odd_key: Option<String>,
}

impl Patch {
    /// Takes a patch argument as talosctl does: `@FILE` is a file; a text
    /// without space and line break that does not begin like JSON is a file
    /// name too; everything else is the patch itself. `read` brings the
    /// content of a file, or says why it cannot.
    ///
    /// # Errors
    /// The file cannot be read, or its text is no patch for this profile.
    pub fn parse(
        argument: &str,
        profile: &Profile,
        read: impl FnOnce(&str) -> Result<Vec<u8>, String>,
    ) -> Result<Patch, Vec<Diagnostic>> {
        let named = argument.strip_prefix('@');
        let Some(file) = named.or((!Patch::is_inline(argument)).then_some(argument)) else {
            return Patch::from_source(
                Source { name: INLINE, bytes: argument.as_bytes() },
                profile,
            );
        };
        let bytes = read(file).map_err(|why| {
            let message = format!("the patch file cannot be read: {why}");
            let problem = Diagnostic::new(Code::NO_PATCH, file, Mark::default(), message);
            vec![if named.is_some() {
                problem
            } else {
                problem
                    .hint("a patch given inline has a space or a line break, or begins with { or [")
            }]
        })?;
        Patch::from_source(Source { name: file, bytes: &bytes }, profile)
    }

    /// Whether an argument is the patch itself, not the name of a file.
    pub fn is_inline(argument: &str) -> bool {
        let text = argument.contains([' ', '\n']) || argument.starts_with(['[', '{']);
        text && !argument.starts_with('@')
    }

    /// Takes the text of a patch: strategic merge if it reads as such, else
    /// RFC 6902 operations in JSON or YAML.
    ///
    /// # Errors
    /// What stands in the way of a strategic merge patch, if the text is no
    /// list of operations either.
    pub fn from_source(source: Source<'_>, profile: &Profile) -> Result<Patch, Vec<Diagnostic>> {
        let file: Rc<str> = source.name.into();
        let strategic = document::patch(source, profile);
        let strategic = match strategic {
            Ok(parts) if !parts.is_empty() => {
                return Ok(Patch { file, kind: Kind::Strategic(Rc::new(parts)) });
            }
            other => other,
        };
        if let Some(operations) = operations(source, profile)? {
            return Ok(Patch { file, kind: Kind::Json(operations) });
        }
        Err(strategic.err().unwrap_or_else(|| {
            let message = "the patch says nothing: it holds no document";
            vec![Diagnostic::new(Code::NO_PATCH, source.name, Mark::default(), message)]
        }))
    }

    /// The name of the file the patch came from, or `inline patch`.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Whether the patch is a list of RFC 6902 operations.
    pub fn is_json_patch(&self) -> bool {
        matches!(self.kind, Kind::Json(_))
    }
}

/// The operations of a text that is a list of mappings; `None` if it is not.
/// An empty text is a list without operations.
fn operations(
    source: Source<'_>,
    profile: &Profile,
) -> Result<Option<Vec<Operation>>, Vec<Diagnostic>> {
    let Ok(text) = crate::yaml::read::text(source) else { return Ok(None) };
    let no_operation = |mark| {
        let message = "a JSON patch is a list of operations like {op, path, value}";
        Err(vec![Diagnostic::new(Code::NO_PATCH, source.name, mark, message)])
    };
    if let Some(items) = json_text::items(text) {
        let mut operations = Vec::new();
        for (mark, item, odd_key) in items {
            let members = match item {
                Json::Object(members) => members,
                Json::Null => BTreeMap::new(),
                _ => return no_operation(mark),
            };
            operations.push(Operation { odd_key, ..operation(mark, members, true) });
        }
        return Ok(Some(operations));
    }
    // Only the first document counts; what stands behind it is not even looked at.
    let Ok(first) = read_first(source) else { return Ok(None) };
    let Some(root) = first else {
        return Ok((profile.go_yaml == GoYaml::Rc4).then(Vec::new));
    };
    let root = root.resolved();
    let items = match &root.data {
        Data::Sequence(items) => items,
        _ if crate::machinery::decode::is_null(root) => return Ok(Some(Vec::new())),
        _ => return Ok(None),
    };
    let mut operations = Vec::new();
    for item in items {
        let node = item.resolved();
        if !matches!(node.data, Data::Mapping(_)) && !crate::machinery::decode::is_null(node) {
            return no_operation(item.mark);
        }
        let members = match decode(profile, source.name, node, profile.any_type())? {
            Value::Any(any) => {
                let Some(Json::Object(members)) = from_any(any) else {
                    let message = "the operation has a value that JSON cannot express";
                    let problem = Diagnostic::new(Code::NO_PATCH, source.name, node.mark, message);
                    return Err(vec![problem]);
                };
                members
            }
            _ => BTreeMap::new(),
        };
        operations.push(operation(node.mark, members, false));
    }
    Ok(Some(operations))
}

fn operation(mark: Mark, mut members: BTreeMap<String, Json>, from_json: bool) -> Operation {
    let mut text = |key: &str| match members.remove(key) {
        Some(Json::Text { text, .. }) => Some(text),
        _ => None,
    };
    let (op, path, from) = (text("op").unwrap_or_default(), text("path"), text("from"));
    let value = match members.remove("value") {
        Some(Json::Null) if !from_json => Some(Json::SpeltNull),
        value => value,
    };
    Operation { mark, op, path, from, value, odd_key: None }
}

/// A value read from YAML; `None` where JSON has none for it.
fn from_any(any: Any) -> Option<Json> {
    let text = |text| Json::Text { text, spelling: None };
    Some(match any {
        Any::Null => Json::Null,
        Any::Bool(value) => Json::Bool(value),
        Any::Int(value) => Json::Number(value.to_string()),
        Any::Float(value) => Json::Number(format_number(value)?),
        Any::Text(value) | Any::Time(value) => text(value),
        Any::List(items) => Json::Array(items.into_iter().map(from_any).collect::<Option<_>>()?),
        Any::Map(map) => Json::Object(
            map.into_iter()
                .map(|(key, value)| Some((key, from_any(value)?)))
                .collect::<Option<_>>()?,
        ),
        Any::Keyed(_) => return None,
    })
}
