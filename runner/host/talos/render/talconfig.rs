//! A node of a talconfig: its variables, its files and its base are brought together here, the renderer does the rest. Files are read when the
//! renderer asks for them, encrypted ones through sops.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ops_core::error::{CallError, ErrorKind};
use ops_core::value::Digest;
use ops_render::talconfig::{Schema, Talconfig, Variables};
use ops_render::{Diagnostic, Source, Tree};
use serde_json::json;

use super::base::base;
use super::patches::Job;
use crate::config::{beside, folder_of, is_sops, talconfig as known};
use crate::host::HostCx;
use crate::host::content::denied;

/// The machinery that talhelper v3.1.16 renders with, whatever version of Talos a talconfig names.
pub(super) const MACHINERY: &str = "1.14.0-alpha.2";

/// Rounds of bringing what the renderer turned out to need; each brings at least one new file.
const ROUNDS: usize = 500;

/// The config of the job's node.
///
/// # Errors
/// A mistake in the talconfig or in a file that it names, at its line; a variable that nobody sets; a file that cannot be opened.
pub(super) async fn render(job: &mut Job<'_>, file: &str) -> Result<String, CallError> {
    let cx = job.cx;
    let (text, sealed) = cx.open_text(file).await?;
    if !sealed {
        job.texts.keep(file, &text);
    }
    let schema = schema(cx)?;
    let base = base(cx, job.node.role).await?;
    let mut files = Files { folder: folder_of(file).to_owned(), found: BTreeMap::new() };
    for _ in 0..ROUNDS {
        let texts = files.found.values().flatten().map(|bytes| String::from_utf8_lossy(bytes));
        let texts: Vec<_> = std::iter::once(text.as_str().into()).chain(texts).collect();
        let names: BTreeSet<&str> = texts.iter().flat_map(|text| known::names(text)).collect();
        let variables = variables(cx, &files.folder, &names).await?;
        let config = read(cx, file, &text, &schema, &variables)
            .map_err(|found| job.texts.refused(&found))?;
        let Some(node) = config.nodes.iter().find(|n| n.hostname == job.node.name) else {
            let message = format!("{file} has no node `{}`", job.node.name);
            return Err(CallError::new(ErrorKind::Invalid, message).before_effect());
        };
        let missing: RefCell<BTreeSet<String>> = config
            .patches_of(node)
            .iter()
            .filter_map(|patch| patch.text.strip_prefix('@'))
            .map(|name| name.trim().to_owned())
            .filter(|name| !files.found.contains_key(name))
            .collect::<BTreeSet<_>>()
            .into();
        if missing.borrow().is_empty() {
            let bring = |name: &str| match files.found.get(name) {
                Some(found) => found.clone(),
                None => {
                    missing.borrow_mut().insert(name.to_owned());
                    Err("it has not been read yet".to_owned())
                }
            };
            let source = Source { name: "the base config", bytes: base.as_bytes() };
            let made = config.render(node, source, &schema, &job.profile, &variables, &bring);
            if missing.borrow().is_empty() {
                return match made {
                    Ok(patched) => {
                        job.warn(&files.named(patched.warnings));
                        Ok(patched.text)
                    }
                    Err(found) => Err(job.texts.refused(&files.named(found))),
                };
            }
        }
        for name in missing.take() {
            files.bring(job, name).await?;
        }
    }
    let message = format!("{file} names more than {ROUNDS} files");
    Err(CallError::new(ErrorKind::Invalid, message).before_effect())
}

/// The files that a talconfig names, by the words with which it does.
struct Files {
    folder: String,
    found: BTreeMap<String, Result<Vec<u8>, String>>,
}

impl Files {
    /// Reads a file. That it is not there is told where it is named; that it cannot be opened ends the call.
    async fn bring(&mut self, job: &mut Job<'_>, name: String) -> Result<(), CallError> {
        let found = match beside(&self.folder, &name) {
            Err(why) => Err(why),
            Ok(path) => match job.cx.open(&path).await {
                Ok(opened) => {
                    if !opened.sealed {
                        job.texts.keep(&path, &String::from_utf8_lossy(&opened.bytes));
                    }
                    Ok(opened.bytes)
                }
                Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Invalid) => {
                    Err(error.message)
                }
                Err(error) => return Err(error),
            },
        };
        self.found.insert(name, found);
        Ok(())
    }

    /// Findings with the paths of the repository in place of the talconfig's words.
    fn named(&self, mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
        for finding in &mut found {
            if self.found.contains_key(&finding.file)
                && let Ok(path) = beside(&self.folder, &finding.file)
            {
                finding.file = path;
            }
        }
        found
    }
}

/// The talconfig, read once for all of its nodes.
fn read(
    cx: &HostCx<'_>,
    file: &str,
    text: &str,
    schema: &Schema,
    variables: &Variables,
) -> Result<Rc<Talconfig>, Vec<Diagnostic>> {
    let digest = Digest::of(&json!([file, text, variables]));
    if let Some((of, config)) = cx.memo.talconfig.borrow().as_ref()
        && *of == digest
    {
        return Ok(config.clone());
    }
    let source = Source { name: file, bytes: text.as_bytes() };
    let config = Rc::new(Talconfig::read(source, schema, variables)?);
    *cx.memo.talconfig.borrow_mut() = Some((digest, config.clone()));
    Ok(config)
}

fn schema(cx: &HostCx<'_>) -> Result<Rc<Schema>, CallError> {
    if let Some(schema) = cx.memo.schema.borrow().as_ref() {
        return Ok(schema.clone());
    }
    let loaded = Schema::load().map_err(|error| {
        CallError::new(ErrorKind::Failed, format!("the table of talhelper: {error}"))
            .before_effect()
    })?;
    let loaded = Rc::new(loaded);
    *cx.memo.schema.borrow_mut() = Some(loaded.clone());
    Ok(loaded)
}

/// The variables of these names: of the talenv files, where the last one wins, else of the environment. An encrypted file is opened only where
/// it gives one of them.
async fn variables(
    cx: &HostCx<'_>,
    folder: &str,
    names: &BTreeSet<&str>,
) -> Result<Variables, CallError> {
    let mut variables = Variables::new();
    if names.is_empty() {
        return Ok(variables);
    }
    for file in known::ENV_FILES {
        let path = if folder.is_empty() { file.to_owned() } else { format!("{folder}/{file}") };
        if cx.files.stat(&path).map_err(|error| denied(&path, &error))?.is_none() {
            continue;
        }
        let raw = cx.files.read(&path).map_err(|error| denied(&path, &error))?;
        let keys = tree(&path, &raw)?;
        let given: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| keys.iter().any(|k| k.get(name).is_some()))
            .collect();
        if given.is_empty() {
            continue;
        }
        let values = if is_sops(&raw) { tree(&path, &cx.open(&path).await?.bytes)? } else { keys };
        for name in given {
            let value = values.iter().find_map(|values| values.get(name));
            let text = value.as_ref().and_then(Tree::text).unwrap_or_default();
            variables.insert(name.to_owned(), text.to_owned());
        }
    }
    for name in names {
        if !variables.contains_key(*name)
            && let Some(value) = cx.secrets.variable(name)
        {
            variables.insert((*name).to_owned(), value);
        }
    }
    Ok(variables)
}

fn tree(path: &str, bytes: &[u8]) -> Result<Option<Tree>, CallError> {
    let mut found = Tree::read(Source { name: path, bytes }).map_err(|problem| {
        let texts = super::found::Texts::default();
        texts.refused(&[problem])
    })?;
    match found.pop() {
        None => Ok(None),
        Some(tree) if tree.is_map() && found.is_empty() => Ok(Some(tree)),
        Some(_) => {
            let message = format!("`{path}` is to be one mapping of variables");
            Err(CallError::new(ErrorKind::Invalid, message)
                .hint("NAME: value, a line each")
                .before_effect())
        }
    }
}
