//! The documents of a config or a patch: how they are told apart, which may
//! stand together, how they are read and written.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::sweep::{Deletion, sweep};
use crate::diagnostic::{Code, Diagnostic, Mark};
use crate::machinery::decode::{decode, is_null};
use crate::machinery::encode::{at, encode};
use crate::machinery::profile::{GoYaml, Profile, TypeId};
use crate::machinery::settle::settle;
use crate::machinery::strict;
use crate::machinery::value::Value;
use crate::yaml::emit::emit;
use crate::yaml::node::{Data, Node};
use crate::yaml::read::{Source, read};
use crate::yaml::scalar::Dialect;

/// How the legacy document calls itself.
pub(super) const LEGACY: &str = "v1alpha1";

/// Words that tell what a document is wherever they stand at its top level.
const TELLING: [&str; 6] = ["machine", "cluster", "debug", "persist", "kind", "apiVersion"];

/// What makes two documents the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) name: Option<String>,
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.name, self.kind.as_str()) {
            (_, LEGACY) => f.write_str("the v1alpha1 document"),
            (Some(name), kind) => write!(f, "{kind} `{name}`"),
            (None, kind) => f.write_str(kind),
        }
    }
}

/// A typed document and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) type_id: TypeId,
    pub(crate) value: Value,
    pub(super) file: Rc<str>,
    pub(super) node: Rc<Node>,
    /// Set for the empty document that the original leaves behind when a
    /// patch deletes from a document that is not there.
    pub(super) ghost: Option<Identity>,
    /// Set once nothing in it was found that the original cannot copy.
    pub(super) copyable: Cell<bool>,
}

/// What a patch holds, in the order it is applied.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Delete(Deletion),
    Merge(Document),
}

impl Document {
    pub(super) fn ghost(deletion: &Deletion, file: &Rc<str>, profile: &Profile) -> Document {
        let identity = Identity {
            api_version: deletion.api_version.clone(),
            kind: deletion.kind.clone(),
            name: None,
        };
        let node =
            Node { mark: deletion.mark, span: (0, 0), tag: None, data: Data::Mapping(Vec::new()) };
        Document {
            type_id: profile.any_type(),
            value: Value::Nil,
            file: Rc::clone(file),
            node: Rc::new(node),
            ghost: Some(identity),
            copyable: Cell::new(false),
        }
    }

    /// An empty document of a kind, made at a place of some file.
    pub(crate) fn new(kind: &str, file: &Rc<str>, mark: Mark, profile: &Profile) -> Document {
        let type_id = profile.document(kind).map_or(profile.any_type(), |known| known.type_id);
        let data = Data::Mapping(Vec::new());
        let node = Rc::new(Node { mark, span: (0, 0), tag: None, data });
        let value = Value::zero(profile, type_id);
        let (file, copyable) = (Rc::clone(file), Cell::new(false));
        Document { type_id, value, file, node, ghost: None, copyable }
    }

    pub(super) fn identity(&self, profile: &Profile) -> Identity {
        if let Some(identity) = &self.ghost {
            return identity.clone();
        }
        let Some(document) = profile.documents().iter().find(|d| d.type_id == self.type_id) else {
            return Identity { api_version: String::new(), kind: String::new(), name: None };
        };
        if document.kind.is_empty() {
            return Identity { api_version: String::new(), kind: LEGACY.to_owned(), name: None };
        }
        let text = |key: &str| self.text(key, profile).to_owned();
        Identity {
            api_version: text("apiVersion"),
            kind: text("kind"),
            name: document.name_key.as_deref().map(text),
        }
    }

    /// Whether a document has the same identity; as `identity` tells it, which
    /// is asked for less often.
    pub(super) fn is(&self, other: &Document, profile: &Profile) -> bool {
        if self.ghost.is_some() || other.ghost.is_some() {
            return self.identity(profile) == other.identity(profile);
        }
        let known = profile.documents().iter().find(|known| known.type_id == self.type_id);
        let same = |key: &str| self.text(key, profile) == other.text(key, profile);
        self.type_id == other.type_id
            && known.is_none_or(|known| {
                known.kind.is_empty()
                    || (same("apiVersion")
                        && same("kind")
                        && known.name_key.as_deref().is_none_or(same))
            })
    }

    /// The text of a key of the top level; empty for everything else.
    fn text(&self, key: &str, profile: &Profile) -> &str {
        let key = profile.get(self.type_id).keys.iter().find(|known| known.name == key);
        match key.and_then(|key| at(self.value.fields(), &key.path)) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// Makes the value what it is once it was written and read again; `false`
    /// where only the text can tell.
    pub(super) fn settle(&mut self, profile: &Profile) -> bool {
        let known = profile.documents().iter().find(|known| known.type_id == self.type_id);
        let (Some(known), None) = (known, &self.ghost) else { return false };
        let identity = self.identity(profile);
        let kind = profile.get(self.type_id);
        let mut told = identity.api_version == LEGACY && identity.kind == known.kind;
        for key in &kind.keys {
            let Some(value) = at(self.value.fields(), &key.path) else { return false };
            if matches!(value, Value::Text(text) if TELLING.contains(&text.as_str())) {
                return false;
            }
            let written = !key.omitempty || *value != Value::Nil;
            told |= known.kind.is_empty() && written && TELLING[..2].contains(&&*key.name);
        }
        told && settle(profile, self.type_id, &mut self.value)
    }

    pub(crate) fn is_legacy(&self, profile: &Profile) -> bool {
        profile.document("").is_some_and(|legacy| legacy.type_id == self.type_id)
    }
}

/// Reads a config. A text without documents gives none.
pub(crate) fn config(
    source: Source<'_>,
    profile: &Profile,
) -> Result<Vec<Document>, Vec<Diagnostic>> {
    let mut loader = Loader::new(source.name, profile);
    for root in roots(source, profile)? {
        loader.document(&root)?;
    }
    let documents = loader.documents;
    check_together(documents.iter(), profile)?;
    Ok(in_order(documents, profile))
}

/// Reads a strategic patch. One without documents and deletions gives no parts.
pub(super) fn patch(source: Source<'_>, profile: &Profile) -> Result<Vec<Part>, Vec<Diagnostic>> {
    let mut loader = Loader::new(source.name, profile);
    let mut deletions = Vec::new();
    // Deletions of other documents keep their place among the documents.
    let mut before: Vec<(usize, Deletion)> = Vec::new();
    for root in roots(source, profile)? {
        let (left, found) = sweep(&root, source.name).map_err(|problem| vec![problem])?;
        for deletion in found {
            if deletion.kind == LEGACY {
                deletions.push(Part::Delete(deletion));
            } else {
                before.push((loader.documents.len(), deletion));
            }
        }
        if let Some(root) = left {
            loader.document(&root)?;
        }
    }
    check_together(loader.documents.iter(), profile)?;
    let mut rest = Vec::new();
    let mut legacy = Vec::new();
    let mut before = before.into_iter().peekable();
    for (at, document) in loader.documents.into_iter().enumerate() {
        while let Some((_, deletion)) = before.next_if(|(place, _)| *place <= at) {
            rest.push(Part::Delete(deletion));
        }
        if document.is_legacy(profile) {
            legacy.push(Part::Merge(document));
        } else {
            rest.push(Part::Merge(document));
        }
    }
    rest.extend(before.map(|(_, deletion)| Part::Delete(deletion)));
    deletions.extend(legacy);
    deletions.extend(rest);
    Ok(deletions)
}

/// The documents as the profile's YAML library reads them.
fn roots(source: Source<'_>, profile: &Profile) -> Result<Vec<Rc<Node>>, Vec<Diagnostic>> {
    let mut roots = read(source).map_err(|problem| vec![problem])?;
    if profile.go_yaml == GoYaml::Rc4 && source.bytes.contains(&b'!') {
        for root in &mut roots {
            *root = root.without_bare_tags();
        }
    }
    Ok(roots)
}

/// The legacy document first, the others as they stand.
pub(super) fn in_order(documents: Vec<Document>, profile: &Profile) -> Vec<Document> {
    let (mut first, rest): (Vec<_>, Vec<_>) =
        documents.into_iter().partition(|document| document.is_legacy(profile));
    first.extend(rest);
    first
}

/// Writes documents as Talos does.
pub(crate) fn write(documents: &[Document], profile: &Profile) -> String {
    let texts: Vec<String> = documents
        .iter()
        .map(|document| {
            if document.ghost.is_some() {
                return "{}\n".to_owned();
            }
            let tree = encode(profile, document.type_id, &document.value);
            emit(&tree, Dialect::V4, profile.go_yaml == GoYaml::Rc5)
        })
        .collect();
    texts.join("---\n")
}

/// Refuses the same document twice and kinds that exclude each other.
pub(crate) fn check_together<'d>(
    documents: impl Iterator<Item = &'d Document>,
    profile: &Profile,
) -> Result<(), Vec<Diagnostic>> {
    type Key = (String, String);
    let mut seen: BTreeMap<Key, Identity> = BTreeMap::new();
    let mut excluded: BTreeMap<Key, Identity> = BTreeMap::new();
    for document in documents.filter(|document| document.ghost.is_none()) {
        let identity = document.identity(profile);
        let name = identity.name.clone().unwrap_or_default();
        let key = (identity.kind.clone(), name.clone());
        let place = document.node.mark;
        let refuse =
            |code, message| Err(vec![Diagnostic::new(code, &document.file, place, message)]);
        if seen.contains_key(&key) {
            return refuse(Code::DUPLICATE, format!("{identity} is here twice"));
        }
        let rivals = profile.document(&identity.kind).map_or(&[][..], |known| &known.conflicts);
        let rival = excluded
            .get(&key)
            .or_else(|| rivals.iter().find_map(|kind| seen.get(&(kind.clone(), name.clone()))));
        if let Some(rival) = rival {
            return refuse(
                Code::CONFLICT,
                format!("{identity} and {rival} exclude each other: one name, one of these kinds"),
            );
        }
        for kind in rivals {
            excluded.insert((kind.clone(), name.clone()), identity.clone());
        }
        seen.insert(key, identity);
    }
    Ok(())
}

struct Loader<'p> {
    file: Rc<str>,
    profile: &'p Profile,
    documents: Vec<Document>,
    known: BTreeMap<(String, String, String), Mark>,
}

impl<'p> Loader<'p> {
    fn new(file: &str, profile: &'p Profile) -> Loader<'p> {
        Loader { file: file.into(), profile, documents: Vec::new(), known: BTreeMap::new() }
    }

    fn document(&mut self, root: &Rc<Node>) -> Result<(), Vec<Diagnostic>> {
        if is_null(root) {
            return Ok(());
        }
        let refuse = |code, message: String| {
            Err(vec![Diagnostic::new(code, &self.file, root.mark, message)])
        };
        if !matches!(root.data, Data::Mapping(_)) {
            return refuse(Code::WRONG_TYPE, "a document must be a mapping".to_owned());
        }
        let value = |key: &str| root.get(key).map_or("", |node| node.text()).to_owned();
        let id = (value("apiVersion"), value("kind"), value("name"));
        if let Some(first) = self.known.insert(id, root.mark) {
            let message = format!("the document of line {} is here again", first.line);
            return refuse(Code::DUPLICATE, message);
        }
        let type_id = self.type_of(root).map_err(|problem| vec![problem])?;
        let mut problems = Vec::new();
        let decoded = decode(self.profile, &self.file, root, type_id);
        let unknown = strict::check(self.profile, &self.file, root, type_id);
        let value = match decoded {
            Ok(value) => Some(value),
            Err(found) => {
                problems.extend(found);
                None
            }
        };
        // What the decoder refused needs no second word from the strict check.
        let placed: Vec<_> = problems.iter().map(|p| (p.line, p.column)).collect();
        problems.extend(unknown.into_iter().filter(|p| !placed.contains(&(p.line, p.column))));
        problems.sort_by_key(|problem| (problem.line, problem.column));
        match value {
            Some(value) if problems.is_empty() => {
                let (file, node) = (Rc::clone(&self.file), Rc::clone(root));
                let copyable = Cell::new(false);
                self.documents.push(Document { type_id, value, file, node, ghost: None, copyable });
                Ok(())
            }
            _ => Err(problems),
        }
    }

    /// Which kind a document is. Like the original this looks at all texts of
    /// the top level, values included.
    fn type_of(&self, root: &Node) -> Result<TypeId, Diagnostic> {
        let flat: Vec<&Rc<Node>> = root.pairs().iter().flat_map(|(k, v)| [k, v]).collect();
        let (mut version, mut kind) = (String::new(), String::new());
        let refuse =
            |code, mark, message: String| Err(Diagnostic::new(code, &self.file, mark, message));
        for (at, node) in flat.iter().enumerate() {
            let text = node.text();
            match text {
                "kind" | "apiVersion" => {
                    let Some(value) = flat.get(at + 1).map(|node| node.resolved()) else {
                        let message = format!("`{text}` cannot be a value here");
                        return refuse(Code::UNKNOWN_KIND, node.mark, message);
                    };
                    if !value.is_scalar() {
                        let message = format!("`{text}` must be text");
                        return refuse(Code::WRONG_TYPE, value.mark, message);
                    }
                    if !is_null(value) {
                        let slot = if text == "kind" { &mut kind } else { &mut version };
                        value.text().clone_into(slot);
                    }
                }
                "machine" | "cluster" | "debug" | "persist" => LEGACY.clone_into(&mut version),
                _ => {}
            }
        }
        let place = root.get("kind").map_or(root.mark, |node| node.mark);
        if version == LEGACY
            && let Some(document) = self.profile.document(&kind)
        {
            return Ok(document.type_id);
        }
        let machinery = self.profile.machinery();
        let (message, hint) = match (kind.as_str(), version.as_str()) {
            ("", _) => (
                "the document has no `kind`, and no `machine` or `cluster` either".to_owned(),
                None,
            ),
            (_, "") => (format!("the {kind} document has no `apiVersion`"), None),
            (_, LEGACY) => {
                let known: Vec<&str> = self
                    .profile
                    .documents()
                    .iter()
                    .map(|document| document.kind.as_str())
                    .collect();
                let hint = strict::nearest(&kind, &known).map(|n| format!("did you mean `{n}`?"));
                (format!("machinery {machinery} knows no kind `{kind}`"), hint)
            }
            _ => (format!("machinery {machinery} knows no `{version}` of {kind}"), None),
        };
        let problem = Diagnostic::new(Code::UNKNOWN_KIND, &self.file, place, message);
        Err(match hint {
            Some(hint) => problem.hint(hint),
            None => problem.hint("add `apiVersion: v1alpha1` and the `kind` of the document"),
        })
    }
}
