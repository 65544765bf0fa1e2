//! Applies patches in order: strategic ones on typed documents, RFC 6902 ones
//! on the text. How each part works is decided in its own file.

use std::fmt::Write as _;
use std::rc::Rc;

use super::document::{self, Document, Identity, LEGACY, Part};
use super::input::{Kind, Patch};
use super::operations;
use super::sweep::Deletion;
use crate::diagnostic::{Code, Diagnostic, Mark};
use crate::machinery::delete::{Miss, delete};
use crate::machinery::merge::{Clash, Loss, Merge, Step};
use crate::machinery::profile::{Profile, Shape, TypeId};
use crate::machinery::value::Value;
use crate::yaml::node::{Data, Node};
use crate::yaml::read::Source;

/// A patched config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patched {
    /// The config, byte for byte as talosctl writes it.
    pub text: String,
    /// Values that the merge dropped although the patch does not mention them.
    pub warnings: Vec<Diagnostic>,
}

/// Applies patches to a machine config, in order, as `talosctl machineconfig
/// patch` of the profile's version does.
///
/// Facts: Talos' `config/configpatcher`, and the cases under `tests/cases/`.
///
/// # Errors
/// Everything that is wrong with the config or stands in the way of a patch,
/// with its place; where the original crashes this is an error too.
pub fn patch(
    config: Source<'_>,
    patches: &[Patch],
    profile: &Profile,
) -> Result<Patched, Vec<Diagnostic>> {
    let text = crate::yaml::read::text(config).map_err(|problem| vec![problem])?;
    let mut warnings = Vec::new();
    let state = Config::Text(text.to_owned());
    let state = apply(state, config.name, patches, profile, &mut warnings)?;
    Ok(Patched { text: state.text(profile), warnings })
}

/// A machine config that was read, to be patched as often as it is wanted.
pub struct Parsed {
    name: String,
    documents: Vec<Document>,
}

impl Parsed {
    /// Reads a config.
    ///
    /// # Errors
    /// Everything that is wrong with it, at its place.
    pub fn read(config: Source<'_>, profile: &Profile) -> Result<Parsed, Vec<Diagnostic>> {
        let text = crate::yaml::read::text(config).map_err(|problem| vec![problem])?;
        let documents = Config::Text(text.to_owned()).documents(config.name, profile)?;
        Ok(Parsed { name: config.name.to_owned(), documents })
    }

    /// The same as [`patch`] of its text, for patches of which the first is no JSON patch: that one works on the text itself.
    ///
    /// # Errors
    /// Everything that stands in the way of a patch, with its place.
    pub fn patch(&self, patches: &[Patch], profile: &Profile) -> Result<Patched, Vec<Diagnostic>> {
        let mut warnings = Vec::new();
        let config = Config::Documents(self.documents.clone());
        let config = apply(config, &self.name, patches, profile, &mut warnings)?;
        Ok(Patched { text: config.text(profile), warnings })
    }
}

/// Applies patches to a config that was read before, or was not.
pub(crate) fn apply(
    mut state: Config,
    name: &str,
    patches: &[Patch],
    profile: &Profile,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Config, Vec<Diagnostic>> {
    let mut rest = patches;
    while let Some((first, others)) = rest.split_first() {
        state = match &first.kind {
            Kind::Strategic(parts) => {
                rest = others;
                let documents = state.documents(name, profile)?;
                Config::Documents(strategic(documents, parts, first, profile, warnings)?)
            }
            Kind::Json(_) => {
                // Neighbouring JSON patches are one: the text between them is never written.
                let count = rest.iter().take_while(|p| matches!(p.kind, Kind::Json(_))).count();
                let (now, later) = rest.split_at(count);
                rest = later;
                let text = state.text(profile);
                Config::Text(operations::apply(name, &text, now)?)
            }
        };
    }
    Ok(state)
}

/// Merges documents into a config, as a strategic patch of them does.
pub(crate) fn merge_into(
    documents: Vec<Document>,
    added: Vec<Document>,
    file: &Rc<str>,
    profile: &Profile,
) -> Result<Vec<Document>, Vec<Diagnostic>> {
    let parts = added.into_iter().map(Part::Merge).collect();
    let patch = Patch { file: Rc::clone(file), kind: Kind::Strategic(Rc::new(parts)) };
    let Kind::Strategic(parts) = &patch.kind else { return Ok(documents) };
    strategic(documents, parts, &patch, profile, &mut Vec::new())
}

/// The config between two patches.
pub(crate) enum Config {
    Text(String),
    Documents(Vec<Document>),
}

impl Config {
    /// The config as if it was written and read again, without the text in
    /// between; `None` where only the text can tell.
    pub(crate) fn settled(self, profile: &Profile) -> Option<Config> {
        let Config::Documents(mut documents) = self else { return Some(self) };
        let settled = documents.iter_mut().all(|document| document.settle(profile));
        settled.then_some(Config::Documents(documents))
    }

    pub(crate) fn text(self, profile: &Profile) -> String {
        match self {
            Config::Text(text) => text,
            Config::Documents(documents) => document::write(&documents, profile),
        }
    }

    fn documents(self, name: &str, profile: &Profile) -> Result<Vec<Document>, Vec<Diagnostic>> {
        match self {
            Config::Documents(documents) => Ok(documents),
            Config::Text(text) => {
                let documents = document::config(Source { name, bytes: text.as_bytes() }, profile)?;
                if documents.is_empty() {
                    let message = "the config holds no document";
                    let at = Mark::default();
                    return Err(vec![Diagnostic::new(Code::UNREADABLE, name, at, message)]);
                }
                Ok(documents)
            }
        }
    }
}

fn strategic(
    mut documents: Vec<Document>,
    parts: &[Part],
    patch: &Patch,
    profile: &Profile,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Vec<Document>, Vec<Diagnostic>> {
    for document in &documents {
        refuse_uncopyable(document, profile)?;
    }
    // The sort is stable: only what an earlier patch deleted from a missing
    // legacy document moves to the front.
    documents.sort_by_key(|document| document.ghost.as_ref().is_none_or(|g| g.kind != LEGACY));
    // What is deleted or added by this patch is no target for its later parts,
    // and what it renames by a deletion is one under its old name. The last
    // one counts: beside an empty document that a deletion left there may be a real one.
    let before = documents.len();
    let mut together = true;
    let deletes = parts.iter().any(|part| matches!(part, Part::Delete(_)));
    let identities = documents.iter().map(|document| document.identity(profile));
    let mut targets: Option<Vec<Identity>> = deletes.then(|| identities.collect());
    for part in parts {
        match part {
            Part::Delete(deletion) => {
                let targets = targets.get_or_insert_default();
                let warning = remove(&mut documents, targets, deletion, patch, profile)
                    .map_err(|problem| vec![problem])?;
                warnings.extend(warning);
                together = false;
            }
            Part::Merge(document) => {
                let known = match &targets {
                    Some(targets) => {
                        let identity = document.identity(profile);
                        targets.iter().rposition(|target| *target == identity)
                    }
                    None => documents[..before].iter().rposition(|d| d.is(document, profile)),
                };
                let Some(at) = known else {
                    documents.push(document.clone());
                    together = false;
                    continue;
                };
                if documents[at].ghost.is_some() {
                    let identity = document.identity(profile);
                    let message = format!("{identity} was deleted from before it was here");
                    let (file, at) = (&document.file, document.node.mark);
                    return Err(vec![Diagnostic::new(Code::MERGE, file, at, message)]);
                }
                let mut merge = Merge::new(profile);
                is_copyable(document, profile);
                let left = &mut documents[at];
                left.copyable.set(left.copyable.get() && document.copyable.get());
                let (left, right) = (&mut left.value, document.value.clone());
                let merged = merge.document(document.type_id, left, right);
                merged.map_err(|clash| vec![clashed(document, &clash)])?;
                let losses = merge.losses.iter().filter_map(|loss| lost(document, profile, loss));
                warnings.extend(losses);
            }
        }
    }
    // What is only merged into stands as well beside the others as before.
    if !together {
        document::check_together(documents.iter(), profile)?;
    }
    Ok(document::in_order(documents, profile))
}

/// The original copies a config before it patches, and crashes on some
/// free-form values.
fn refuse_uncopyable(document: &Document, profile: &Profile) -> Result<(), Vec<Diagnostic>> {
    if is_copyable(document, profile) {
        return Ok(());
    }
    let path = uncopyable(profile, document.type_id, &document.value, false).unwrap_or_default();
    let message = "a timestamp or a key that is not text stands in a free-form object; \
         the original crashes on it";
    let (mark, _) = locate(&document.node, &path);
    let problem = Diagnostic::new(Code::WRONG_TYPE, &document.file, mark, message);
    Err(vec![problem.hint("put it in quotes")])
}

/// Whether nothing stands in a document that cannot be copied; looked for once.
fn is_copyable(document: &Document, profile: &Profile) -> bool {
    let found = document.copyable.get()
        || uncopyable(profile, document.type_id, &document.value, false).is_none();
    document.copyable.set(found);
    found
}

/// The path to a value that cannot be copied; `copied` inside free-form fields that are.
fn uncopyable(
    profile: &Profile,
    type_id: TypeId,
    value: &Value,
    copied: bool,
) -> Option<Vec<Step>> {
    let under = |step: Step, mut path: Vec<Step>| {
        path.insert(0, step);
        path
    };
    match (&profile.get(type_id).shape, value) {
        (_, Value::Any(any)) if copied => {
            any.uncopyable().map(|keys| keys.into_iter().map(Step::Key).collect())
        }
        (Shape::Pointer(elem), Value::Pointer(inner)) => uncopyable(profile, *elem, inner, copied),
        (Shape::List(elem), Value::List(items)) => {
            items.iter().enumerate().find_map(|(at, item)| {
                uncopyable(profile, *elem, item, copied).map(|path| under(Step::Item(at), path))
            })
        }
        (Shape::Map(elem), Value::Map(map)) => map.iter().find_map(|(key, item)| {
            uncopyable(profile, *elem, item, copied).map(|path| under(Step::Key(key.clone()), path))
        }),
        (Shape::Struct(fields), Value::Struct(values)) => {
            fields.iter().zip(values).find_map(|(field, value)| {
                let copied = field.copied.unwrap_or(copied);
                let path = uncopyable(profile, field.type_id, value, copied)?;
                let named = field.tagged && !field.key.is_empty();
                Some(if named { under(Step::Key(field.key.to_owned()), path) } else { path })
            })
        }
        _ => None,
    }
}

fn remove(
    documents: &mut Vec<Document>,
    targets: &mut Vec<Identity>,
    deletion: &Deletion,
    patch: &Patch,
    profile: &Profile,
) -> Result<Option<Diagnostic>, Diagnostic> {
    let refused =
        |message: String| Diagnostic::new(Code::DELETE, &patch.file, deletion.mark, message);
    let wanted = Identity {
        api_version: deletion.api_version.clone(),
        kind: deletion.kind.clone(),
        name: deletion.name.clone(),
    };
    let Some(at) = targets.iter().rposition(|target| *target == wanted) else {
        let problem = refused(format!("nothing to delete: {wanted} is not in the config"));
        if profile.skips_missing {
            return Ok(Some(problem));
        }
        if wanted.name.is_some() {
            let hint = "drop this deletion, or mind the document's name; talosctl crashes on it";
            return Err(problem.hint(hint));
        }
        documents.push(Document::ghost(deletion, &patch.file, profile));
        let hint = "drop this deletion: like talosctl this leaves an empty document behind, which no node accepts";
        return Ok(Some(problem.hint(hint)));
    };
    if deletion.path.is_empty() {
        documents.remove(at);
        targets.remove(at);
        return Ok(None);
    }
    let document = &mut documents[at];
    let place = deletion.path.join(".").replace(".[", "[");
    let gone = delete(
        profile,
        document.type_id,
        &mut document.value,
        &deletion.path,
        deletion.item.as_ref(),
    );
    match (gone, &deletion.item) {
        (Ok(()), _) => Ok(None),
        (Err(Miss::ThroughList), _) => Err(refused(format!(
            "`{place}` leads through a list; only items of an outer list can go"
        ))),
        (Err(Miss::Absent), Some(item)) => {
            let list = place.rsplit_once('[').map_or(place.as_str(), |(list, _)| list);
            let (key, text) = (&item.key, &item.text);
            Err(refused(format!(
                "nothing to delete: `{list}` of {wanted} has no item with `{key}: {text}`"
            )))
        }
        (Err(Miss::Absent), None) => {
            Err(refused(format!("nothing to delete: {wanted} has no `{place}`")))
        }
    }
}

fn clashed(document: &Document, clash: &Clash) -> Diagnostic {
    let (mark, _) = locate(&document.node, &clash.path);
    let message = format!("`{}` cannot be merged: {}", spell(&clash.path), clash.message);
    Diagnostic::new(Code::MERGE, &document.file, mark, message)
}

/// A warning, unless the patch names the place itself.
fn lost(document: &Document, profile: &Profile, loss: &Loss) -> Option<Diagnostic> {
    let (mark, found) = locate(&document.node, &loss.path);
    if found && !loss.mentioned {
        return None;
    }
    let identity = document.identity(profile);
    let place = spell(&loss.path);
    let message = if loss.mentioned {
        format!("`{place}` of {identity}: {}", loss.message)
    } else {
        format!("`{place}` of {identity} is not in the patch: {}", loss.message)
    };
    let warning = Diagnostic::new(Code::LOST_VALUE, &document.file, mark, message);
    Some(warning.hint("Talos merges this way; repeat the value in the patch to keep it"))
}

/// The place of a path in a document, or of what is nearest to it; and
/// whether the path is there.
fn locate(node: &Node, path: &[Step]) -> (Mark, bool) {
    let Some((step, rest)) = path.split_first() else { return (node.mark, true) };
    let node = node.resolved();
    match (step, &node.data) {
        (Step::Key(key), Data::Mapping(pairs)) => {
            match pairs.iter().find(|(known, _)| known.text() == key) {
                Some((key, _)) if rest.is_empty() => (key.mark, true),
                Some((_, value)) => locate(value, rest),
                None => (node.mark, false),
            }
        }
        (Step::Item(at), Data::Sequence(items)) => match items.get(*at) {
            Some(item) => locate(item, rest),
            None => (node.mark, false),
        },
        _ => (node.mark, false),
    }
}

fn spell(path: &[Step]) -> String {
    let mut out = String::new();
    for step in path {
        match step {
            Step::Key(key) if out.is_empty() => out += key,
            Step::Key(key) => {
                out.push('.');
                out += key;
            }
            Step::Item(at) => {
                let _ = write!(out, "[{at}]");
            }
        }
    }
    if out.is_empty() { LEGACY.to_owned() } else { out }
}
