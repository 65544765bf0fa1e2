//! Patches: from what an inventory, a recipe or another tool's folder says to what the renderer merges. Every file is read through the gate's
//! own files, so that it counts as read by the call.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use ops_core::call::talos::{MachineconfigPatch, Source as Named};
use ops_core::error::{CallError, ErrorKind};
use ops_core::inventory::Node;
use ops_core::machines::PatchText;
use ops_core::reply::apply::is_guarded;
use ops_core::value::{Handle, Value};
use ops_render::{Diagnostic, Parsed, Patch, Patched, Profile, Source, Tree};

use super::super::read::kept;
use super::base::tool_version;
use super::found::Texts;
use super::origin;
use crate::config::place_of_patch;
use crate::host::HostCx;
use crate::host::fs::glob;
use crate::host::known::Known;
use crate::host::talos::config::bytes;

/// One config under work: what the merge follows, and the texts that findings may quote.
pub(in crate::host) struct Job<'a> {
    pub(in crate::host) cx: &'a HostCx<'a>,
    pub(in crate::host) node: &'a Node,
    /// Major and minor version of Talos that the config is for; none where nobody says.
    pub(in crate::host) talos: Option<(u64, u64)>,
    machinery: &'static str,
    pub(in crate::host) profile: Rc<Profile>,
    pub(in crate::host) texts: Texts,
    /// Patches that stand in an inventory or a recipe, by their names in findings.
    inline: BTreeMap<String, Inline>,
}

/// A patch that stands in an inventory or a recipe: by what it is found there again.
enum Inline {
    /// A text: its first words.
    Text(String),
    /// A table, and the text that was made of it.
    Table(Value, String),
    /// Nothing.
    Elsewhere,
}

impl<'a> Job<'a> {
    /// A job for a node.
    ///
    /// # Errors
    /// Where the built-in table of types cannot be read.
    pub(in crate::host) fn new(
        cx: &'a HostCx<'a>,
        node: &'a Node,
        machinery: &'static str,
    ) -> Result<Job<'a>, CallError> {
        let talos = cx.cluster()?.versions.talos.as_deref().and_then(numbers);
        Ok(Job {
            cx,
            node,
            talos: talos.map(|(major, minor, _)| (major, minor)),
            machinery,
            profile: profile(machinery)?,
            texts: Texts::default(),
            inline: BTreeMap::new(),
        })
    }

    /// The patches that an entry of a list stands for: one, or one for each file of a pattern.
    ///
    /// # Errors
    /// A file that is not there or cannot be opened; a text that is no patch, at its line.
    pub(in crate::host) async fn patch(
        &mut self,
        patch: &PatchText,
    ) -> Result<Vec<Patch>, CallError> {
        if let Some(path) = patch.file() {
            let path = self.cx.inside(path)?;
            if !path.contains(['*', '?']) {
                return Ok(self.patch_file(&path).await?.into_iter().collect());
            }
            let found = glob::find(&path, self.cx.files)?;
            if found.is_empty() {
                let message = format!("no file matches the patches `{path}`");
                return Err(self.in_inventory(&path, CallError::new(ErrorKind::NotFound, message)));
            }
            let mut patches = Vec::new();
            for path in found {
                patches.extend(self.patch_file(&path).await?);
            }
            return Ok(patches);
        }
        let name = format!("inline patch {}", self.inline.len() + 1);
        let text = match patch {
            PatchText::Text(Named::Path(text)) => text.clone(),
            PatchText::Data(value) => value.to_string(),
            PatchText::Text(source @ Named::Handle(_)) => {
                String::from_utf8_lossy(&bytes(self.cx, source)?).into_owned()
            }
        };
        let first = text.lines().map(str::trim).find(|line| !line.is_empty());
        let inline = match (patch, first) {
            (PatchText::Text(Named::Path(_)), Some(words)) => Inline::Text(words.to_owned()),
            (PatchText::Data(value), _) => Inline::Table(value.clone(), text.clone()),
            _ => Inline::Elsewhere,
        };
        self.inline.insert(name.clone(), inline);
        let source = Source { name: &name, bytes: text.as_bytes() };
        let found = Patch::from_source(source, &self.profile);
        found.map(|patch| vec![patch]).map_err(|problems| self.refused(&problems))
    }

    /// Findings as a failure; one in an inline patch is shown where the patch stands.
    pub(in crate::host) fn refused(&self, found: &[Diagnostic]) -> CallError {
        let error = self.texts.refused(found);
        let known =
            found.first().and_then(|first| Some((first, self.inline.get_key_value(&first.file)?)));
        let Some((first, (name, inline))) = known else { return error };
        let placed = match inline {
            Inline::Text(words) => self.in_inventory(words, error),
            Inline::Table(value, text) => {
                let word = word_at(text, first.line, first.column);
                self.in_inventory_table(value, &word, error)
            }
            Inline::Elsewhere => error,
        };
        match &placed.place {
            Some(place) if place.file != *name => placed,
            _ => {
                CallError { message: format!("{name}: {}", placed.message), place: None, ..placed }
            }
        }
    }

    /// A patch in a file of the repository; none where all of it is comments.
    async fn patch_file(&mut self, path: &str) -> Result<Option<Patch>, CallError> {
        let text = match origin::text(self, path).await {
            Err(error) if error.kind == ErrorKind::NotFound => {
                let message = format!("there is no patch `{path}`");
                return Err(self.in_inventory(path, CallError { message, ..error }));
            }
            found => found?,
        };
        thread_local! {
            static READ: RefCell<Known<Option<Patch>>> = RefCell::default();
        }
        let parts = [self.machinery.as_bytes(), path.as_bytes(), text.as_bytes()];
        let source = Source { name: path, bytes: text.as_bytes() };
        let read = || {
            if Tree::read(source).is_ok_and(|documents| documents.is_empty()) {
                return Ok(None);
            }
            let patch = Patch::from_source(source, &self.profile);
            patch.map(Some).map_err(|problems| self.refused(&problems))
        };
        let patch = READ.with_borrow_mut(|known| known.get(&parts, read))?;
        Ok((*patch).clone())
    }

    /// Whether a file holds nothing that could be merged: comments, empty documents.
    pub(super) fn is_empty(text: &str) -> bool {
        let documents = Tree::read(Source { name: "", bytes: text.as_bytes() });
        documents.is_ok_and(|documents| {
            let empty = |document: &Tree| {
                document.text().is_none()
                    && document.pairs().is_empty()
                    && document.items().is_none_or(|items| items.is_empty())
            };
            documents.iter().all(empty)
        })
    }

    /// The inventory's name and text. Only to say where something stands: it is no input.
    fn inventory(&self) -> Option<(String, String)> {
        let file = format!("clusters/{}.toml", self.cx.cluster().ok()?.name);
        let files = self.cx.files.unrecorded().unwrap_or(self.cx.files);
        let text = files.read(&file).ok().and_then(|bytes| String::from_utf8(bytes).ok())?;
        Some((file, text))
    }

    /// Places a mistake at the table of the inventory that is the patch, and there at a word of it.
    fn in_inventory_table(&self, patch: &Value, word: &str, error: CallError) -> CallError {
        let place =
            self.inventory().and_then(|(file, text)| place_of_patch(&file, &text, patch, word));
        let Some(mut place) = place else { return error };
        // A line that may hold a secret is not shown, its number is enough.
        place.text = place.text.filter(|line| !is_guarded(line));
        error.at(place)
    }

    /// Places a mistake at the line of the inventory that names or holds it, where that can be found.
    fn in_inventory(&self, words: &str, error: CallError) -> CallError {
        let error = error.before_effect();
        let Some((file, text)) = self.inventory() else { return error };
        let line = Some(text).and_then(|text| {
            let at = text.lines().position(|line| line.contains(words))?;
            // Inside a patch its own line counts on from where it begins.
            let inner = error.place.as_ref().map_or(0, |place| place.line.max(1) as usize - 1);
            let line = text.lines().nth(at + inner)?.to_owned();
            Some((at + inner + 1, line))
        });
        let Some((number, line)) = line else { return error };
        let mut texts = Texts::default();
        texts.keep(&file, &("\n".repeat(number - 1) + &line));
        let column = line.find(words).map_or(0, |at| line[..at].chars().count() + 1);
        let mut place = texts.place(&file, number, column);
        place.length = if column > 0 { words.chars().count() as u32 } else { 0 };
        error.at(place)
    }

    /// A config with patches merged into it. Values that the merge drops are told as warnings.
    ///
    /// # Errors
    /// Everything that stands in the way, at its line.
    pub(in crate::host) fn patched(
        &self,
        name: &str,
        config: &str,
        patches: &[Patch],
    ) -> Result<String, CallError> {
        let patched = self.merged(name, config, patches);
        let patched = patched.map_err(|problems| self.refused(&problems))?;
        self.warn(&patched.warnings);
        Ok(patched.text)
    }

    fn merged(
        &self,
        name: &str,
        config: &str,
        patches: &[Patch],
    ) -> Result<Patched, Vec<Diagnostic>> {
        thread_local! {
            static READ: RefCell<Known<Parsed>> = RefCell::default();
        }
        let source = Source { name, bytes: config.as_bytes() };
        if patches.first().is_none_or(Patch::is_json_patch) {
            return ops_render::patch(source, patches, &self.profile);
        }
        let parts = [self.machinery.as_bytes(), name.as_bytes(), config.as_bytes()];
        let read = || Parsed::read(source, &self.profile);
        let parsed = READ.with_borrow_mut(|known| known.get(&parts, read))?;
        parsed.patch(patches, &self.profile)
    }

    /// Tells warnings of the renderer beside the call.
    pub(super) fn warn(&self, warnings: &[Diagnostic]) {
        for warning in warnings {
            let line = self.cx.secrets.masks().mask(&format!("warning: {warning}\n"));
            self.cx.watcher.output(true, line.as_bytes());
        }
    }
}

/// The key or value that begins at a place of a JSON text, without its quotes.
fn word_at(text: &str, line: usize, column: usize) -> String {
    let line = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let rest: String = line.chars().skip(column.saturating_sub(1)).collect();
    match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap_or_default().to_owned(),
        None => rest.chars().take_while(|c| c.is_alphanumeric() || *c == '.').collect(),
    }
}

/// `talos.machineconfig.patch`.
pub(in crate::host) async fn apply(
    call: &MachineconfigPatch,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    let version = match &call.talos_version {
        Some(version) => machinery_of(numbers(version).ok_or_else(|| {
            let message = format!("`{version}` is no version such as \"v1.13.0\"");
            CallError::new(ErrorKind::Invalid, message).before_effect()
        })?),
        None => machinery(cx).await?,
    };
    let nobody = Node {
        name: String::new(),
        role: ops_core::inventory::Role::Worker,
        address: String::new(),
        endpoint: None,
        install_disk: None,
        tags: Vec::new(),
    };
    let mut job = Job::new(cx, &nobody, version)?;
    let name = match &call.file {
        Named::Path(path) => cx.inside(path)?,
        Named::Handle(_) => "the machine config".to_owned(),
    };
    let config = match &call.file {
        Named::Path(_) => origin::text(&mut job, &name).await?,
        handle @ Named::Handle(_) => String::from_utf8_lossy(&bytes(cx, handle)?).into_owned(),
    };
    let mut list = Vec::new();
    for patch in &call.patch {
        list.extend(job.patch(patch).await?);
    }
    let text = job.patched(&name, &config, &list)?;
    let blob = cx.blobs.put(text.as_bytes(), true).map_err(|e| kept(&e))?;
    Ok(Handle::Blob(blob).to_value())
}

/// The machinery whose rules hold for the cluster's version of Talos; that of the client where the inventory names none.
pub(in crate::host) async fn machinery(cx: &HostCx<'_>) -> Result<&'static str, CallError> {
    let asked = cx.cluster.and_then(|cluster| cluster.versions.talos.clone());
    let version = match asked {
        Some(version) => version,
        None => tool_version(cx).await?,
    };
    Ok(machinery_of(numbers(&version).unwrap_or((1, 13, 0))))
}

/// Of the known tables the one that is nearest.
fn machinery_of(version: (u64, u64, u64)) -> &'static str {
    match version {
        (1, minor, 0) if minor <= 13 => "1.13.0",
        (1, minor, _) if minor < 13 => "1.13.0",
        (1, 13, _) => "1.13.9",
        _ => "1.14.0-alpha.2",
    }
}

/// Major, minor and patch of a version.
fn numbers(version: &str) -> Option<(u64, u64, u64)> {
    let release = version.trim_start_matches('v').split(['-', '+']).next()?;
    let mut parts = release.split('.').map(str::parse::<u64>);
    Some((parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?))
}

/// The table of a machinery, loaded once.
pub(super) fn profile(machinery: &'static str) -> Result<Rc<Profile>, CallError> {
    thread_local! {
        static LOADED: RefCell<BTreeMap<&'static str, Rc<Profile>>> = const { RefCell::new(BTreeMap::new()) };
    }
    if let Some(known) = LOADED.with_borrow(|loaded| loaded.get(machinery).cloned()) {
        return Ok(known);
    }
    let loaded = Profile::load(machinery).map_err(|error| {
        CallError::new(ErrorKind::Failed, format!("the table of {machinery}: {error}"))
            .before_effect()
    })?;
    let table = Rc::new(loaded);
    LOADED.with_borrow_mut(|loaded| loaded.insert(machinery, table.clone()));
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_of_talos_is_patched_by_the_nearest_known_rules() {
        let rows = [
            ("v1.9.5", "1.13.0"),
            ("v1.12.0", "1.13.0"),
            ("v1.13.0", "1.13.0"),
            ("v1.13.0-rc.1", "1.13.0"),
            ("v1.13.3", "1.13.9"),
            ("v1.13.12", "1.13.9"),
            ("v1.14.0", "1.14.0-alpha.2"),
            ("v1.15.2", "1.14.0-alpha.2"),
        ];
        for (version, machinery) in rows {
            assert_eq!(machinery_of(numbers(version).unwrap()), machinery, "{version}");
        }
    }
}
