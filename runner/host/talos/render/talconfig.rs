//! A node of a talconfig: its variables, its files, its secrets and its base are brought together here, the renderer does the rest. Files are
//! read when the renderer asks for them, encrypted ones through sops.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ops_core::error::{CallError, ErrorKind};
use ops_core::value::Digest;
use ops_render::talconfig::path::within;
use ops_render::talconfig::{Schema, Secrets, Talconfig, VARIABLE_FILES, Variables};
use ops_render::{Diagnostic, Source};
use serde_json::json;

use super::base::{base_of, bundle};
use super::patches::Job;
use crate::config::folder_of;
use crate::host::HostCx;
use crate::host::content::denied;

/// The machinery that talhelper v3.1.16 renders with, whatever version of Talos a talconfig names.
pub(super) const MACHINERY: &str = "1.14.0-alpha.2";

/// Rounds of bringing what the renderer turned out to need; each brings at least one new thing.
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
    let folder = folder_of(file);
    let mut given = given(job, folder).await?;
    let mut files = Files { folder: folder.to_owned(), found: BTreeMap::new() };
    let bundle = bundle(cx).await?;
    for _ in 0..ROUNDS {
        match round(job, file, &text, &schema, &bundle, &given, &files).await? {
            Round::Done(text) => return Ok(text),
            Round::Files(names) => {
                for name in names {
                    files.bring(job, name).await?;
                }
            }
            Round::Failed(error) => {
                // A variable of the environment is read when it is asked for, and only then.
                let asked = given.variables.asked().into_iter();
                let unset = asked.filter(|name| given.variables.value(name).is_none());
                let new: Vec<_> =
                    unset.filter_map(|name| Some((cx.secrets.variable(&name)?, name))).collect();
                if new.is_empty() {
                    return Err(with_way_out(error, folder));
                }
                for (value, name) in new {
                    given.of.push(Digest::of(&json!([name, value])));
                    given.variables.insert(name, value);
                }
            }
        }
    }
    let message = format!("{file} names more than {ROUNDS} files");
    Err(CallError::new(ErrorKind::Invalid, message).before_effect())
}

/// Says of a variable that nobody sets where it may be set.
fn with_way_out(error: CallError, folder: &str) -> CallError {
    if error.hint.is_some() || !error.message.contains("the variable `") {
        return error;
    }
    let file = within(folder, VARIABLE_FILES[0]).unwrap_or_default();
    error.hint(format!("set it in {file}, or in the environment"))
}

/// What is set, and from what: two calls with the same digests have the same variables.
struct Given {
    variables: Variables,
    of: Vec<Digest>,
}

/// How one attempt ended.
enum Round {
    Done(String),
    /// These files are still to be read.
    Files(BTreeSet<String>),
    Failed(CallError),
}

async fn round(
    job: &Job<'_>,
    file: &str,
    text: &str,
    schema: &Schema,
    bundle: &[u8],
    given: &Given,
    files: &Files,
) -> Result<Round, CallError> {
    let cx = job.cx;
    let config = match read(cx, file, text, schema, bundle, given) {
        Ok(config) => config,
        Err(found) => return Ok(Round::Failed(job.texts.refused(&found))),
    };
    let (config, secrets) = (&config.0, &config.1);
    let Some(node) = config.nodes.iter().find(|n| n.hostname == job.node.name) else {
        let message = format!("{file} has no node `{}`", job.node.name);
        return Err(CallError::new(ErrorKind::Invalid, message).before_effect());
    };
    let patches = config.patches_of(node);
    let named = patches.iter().filter_map(|patch| patch.text.strip_prefix('@'));
    let missing: BTreeSet<String> = named
        .map(|name| name.trim().to_owned())
        .filter(|name| !files.found.contains_key(name))
        .collect();
    if !missing.is_empty() {
        return Ok(Round::Files(missing));
    }
    let base = base_of(cx, job.node.role, secrets.text().as_bytes()).await?;
    let missing = RefCell::new(missing);
    let bring = |name: &str| {
        files.found.get(name).cloned().unwrap_or_else(|| {
            missing.borrow_mut().insert(name.to_owned());
            Err("it has not been read yet".to_owned())
        })
    };
    let source = Source { name: "the base config", bytes: base.as_bytes() };
    let made = config.render(node, source, schema, &job.profile, &given.variables, &bring);
    let missing = missing.take();
    if !missing.is_empty() {
        return Ok(Round::Files(missing));
    }
    Ok(match made {
        Ok(patched) => {
            job.warn(&files.named(config.warnings.clone()));
            job.warn(&files.named(patched.warnings));
            Round::Done(patched.text)
        }
        Err(found) => Round::Failed(job.texts.refused(&files.named(found))),
    })
}

/// The files that a talconfig names, by the words with which it does.
struct Files {
    folder: String,
    found: BTreeMap<String, Result<Vec<u8>, String>>,
}

impl Files {
    /// Reads a file. That it is not there is told where it is named; that it cannot be opened ends the call.
    async fn bring(&mut self, job: &mut Job<'_>, name: String) -> Result<(), CallError> {
        let found = match within(&self.folder, &name) {
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
                && let Ok(path) = within(&self.folder, &finding.file)
            {
                finding.file = path;
            }
        }
        found
    }
}

/// The talconfig with its secrets, read once for all of its nodes.
fn read(
    cx: &HostCx<'_>,
    file: &str,
    text: &str,
    schema: &Schema,
    bundle: &[u8],
    given: &Given,
) -> Result<Rc<(Talconfig, Secrets)>, Vec<Diagnostic>> {
    let digest = Digest::of(&json!([file, text, given.of, Digest::of_bytes(bundle)]));
    if let Some((of, config)) = cx.memo.talconfig.borrow().as_ref()
        && *of == digest
    {
        return Ok(config.clone());
    }
    let source = Source { name: file, bytes: text.as_bytes() };
    let mut config = Talconfig::read(source, schema, &given.variables)?;
    let name = cx.cluster.map_or("the secrets bundle", |cluster| &cluster.secrets);
    let secrets = Secrets::read(Source { name, bytes: bundle }, &given.variables)?;
    config.use_secrets(&secrets);
    let config = Rc::new((config, secrets));
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

/// The variables of the talenv files; the last file that sets one wins.
async fn given(job: &mut Job<'_>, folder: &str) -> Result<Given, CallError> {
    let mut variables = Variables::new();
    let mut of = Vec::new();
    for file in VARIABLE_FILES {
        let path = if folder.is_empty() { file.to_owned() } else { format!("{folder}/{file}") };
        let there = job.cx.files.stat(&path).map_err(|error| denied(&path, &error))?;
        if there.is_none() {
            continue;
        }
        let opened = job.cx.open(&path).await?;
        if !opened.sealed {
            job.texts.keep(&path, &String::from_utf8_lossy(&opened.bytes));
        }
        variables
            .load(Source { name: &path, bytes: &opened.bytes })
            .map_err(|found| job.texts.refused(&found))?;
        of.push(Digest::of_bytes(&opened.bytes));
    }
    Ok(Given { variables, of })
}
