//! The patches of a talconfig: inline, or in a file that is read. Templates
//! are rendered first, then variables are replaced outside of comments.

use std::cell::OnceCell;

use super::render::Job;
use super::view::View;
use super::{PatchText, Talconfig, Variables, check};
use crate::diagnostic::{Diagnostic, Mark};
use crate::patch::{Config, Document, Patch, check_together, read_config, write_config};
use crate::template::is_template;
use crate::yaml::read::{Source, read, text};

/// The config that templates see, read when one asks for it.
pub(super) type Seen = OnceCell<Document>;

/// An inline patch as it is applied: findings in it carry its mark instead of
/// a file's name until they are told where it stands.
pub(super) struct Inline<'p> {
    pub(super) mark: String,
    patch: &'p PatchText,
    text: String,
}

/// The patch that a text stands for; an empty file is none.
pub(super) fn patch_of<'p>(
    job: &Job<'_>,
    patch: &'p PatchText,
    config: (&str, &Config),
    seen: &Seen,
    inline: &mut Vec<Inline<'p>>,
) -> Result<Option<Patch>, Vec<Diagnostic>> {
    let unreadable = |name: &str, why: String| {
        vec![job.refused(patch.mark, format!("the patch `{name}` cannot be read: {why}"))]
    };
    let Some(name) = patch.text.strip_prefix('@').map(str::trim) else {
        // Like talosctl: one word is the name of a file, taken as it is.
        if !patch.text.contains([' ', '\n']) && !patch.text.starts_with(['[', '{']) {
            let name = &*patch.text;
            let bytes = (job.read)(name).map_err(|why| unreadable(name, why))?;
            return Patch::from_source(Source { name, bytes: &bytes }, job.profile).map(Some);
        }
        let mark = format!("\u{1}{}", inline.len());
        let text = patch.text.to_string();
        inline.push(Inline { mark: mark.clone(), patch, text });
        let text = templated(job, &patch.text, &mark, config, seen)?;
        let found = made(job, Source { name: &mark, bytes: text.as_bytes() });
        if let Some(last) = inline.last_mut() {
            last.text = text;
        }
        return found.map(Some);
    };
    let bytes = (job.read)(name).map_err(|why| unreadable(name, why))?;
    let content = text(Source { name, bytes: &bytes }).map_err(|problem| vec![problem])?;
    if content.trim().is_empty() {
        return Ok(None);
    }
    // Without variables and actions its text is all that a patch depends on.
    if !(content.contains('$') || is_template(content))
        && let Some(known) =
            job.config.kept.borrow().patch(Source { name, bytes: content.as_bytes() })
    {
        return Ok(Some(known));
    }
    let content = templated(job, content, name, config, seen)?;
    let content = substituted(name, &content, job.variables)?;
    made(job, Source { name, bytes: content.as_bytes() }).map(Some)
}

/// A patch out of its final text, read once for all nodes.
fn made(job: &Job<'_>, source: Source<'_>) -> Result<Patch, Vec<Diagnostic>> {
    if let Some(known) = job.config.kept.borrow().patch(source) {
        return Ok(known);
    }
    let patch = Patch::from_source(source, job.profile)?;
    job.config.kept.borrow_mut().keep(source, &patch);
    Ok(patch)
}

/// The config with the documents of `extraManifests` behind it.
pub(super) fn extra_documents(
    job: &Job<'_>,
    base: &str,
    config: &str,
    manifests: &[View<'_>],
) -> Result<String, Vec<Diagnostic>> {
    let source = Source { name: base, bytes: config.as_bytes() };
    let mut documents = read_config(source, job.profile)?;
    let read = Config::Documents(documents.clone());
    let seen = Seen::new();
    for manifest in manifests {
        let name = manifest.as_text();
        let name = name.strip_prefix('@').unwrap_or(name).trim();
        let bytes = (job.read)(name).map_err(|why| {
            vec![job.refused(manifest.mark, format!("the manifest `{name}` cannot be read: {why}"))]
        })?;
        let content = text(Source { name, bytes: &bytes }).map_err(|problem| vec![problem])?;
        opened(name, content)?;
        let content = templated(job, content, name, (base, &read), &seen)?;
        documents.extend(read_config(Source { name, bytes: content.as_bytes() }, job.profile)?);
    }
    check_together(documents.iter(), job.profile)?;
    Ok(write_config(&documents, job.profile))
}

fn templated(
    job: &Job<'_>,
    text: &str,
    name: &str,
    (base, config): (&str, &Config),
    seen: &Seen,
) -> Result<String, Vec<Diagnostic>> {
    if !is_template(text) {
        return Ok(text.to_owned());
    }
    if seen.get().is_none() {
        let first = match config {
            Config::Documents(documents) => documents.first().cloned(),
            Config::Text(text) => {
                let source = Source { name: base, bytes: text.as_bytes() };
                read_config(source, job.profile)?.into_iter().next()
            }
        };
        let _ = first.map(|first| seen.set(first));
    }
    let Some(data) = seen.get() else {
        let message = "the config holds no document";
        return Err(vec![check::problem(base, Mark::default(), message)]);
    };
    job.template(text, data).map_err(|problem| {
        let message = format!("in this template: {}", problem.message);
        vec![check::problem(name, problem.mark, message)]
    })
}

impl Talconfig {
    /// Tells findings in inline patches by where they stand: at their own line
    /// where the talconfig holds the patch line by line, else at the patch.
    pub(super) fn placed(&self, problem: Diagnostic, inline: &[Inline<'_>]) -> Diagnostic {
        let Some(found) = inline.iter().find(|inline| inline.mark == problem.file) else {
            return problem;
        };
        let file = self.file.to_string();
        let Mark { line, column } = found.patch.mark;
        let blank = found.text.lines().take_while(|line| line.trim().is_empty()).count();
        if let Some(below) = problem.line.checked_sub(blank + 1) {
            let theirs = self.lines.lines().nth(line.saturating_sub(1) + below);
            let theirs = theirs.and_then(|theirs| theirs.get(column.saturating_sub(1)..));
            let same = theirs.is_some() && theirs == found.text.lines().nth(problem.line - 1);
            if same && *found.text == *found.patch.text {
                let column = if problem.column > 0 { column - 1 + problem.column } else { 0 };
                return Diagnostic { file, line: line + below, column, ..problem };
            }
        }
        let message = match problem.line {
            0 => problem.message,
            at => format!("line {at} of this patch: {}", problem.message),
        };
        Diagnostic { message, file, line, column, ..problem }
    }
}

/// Replaces variables; a file that is still encrypted is refused.
fn substituted(
    name: &str,
    content: &str,
    variables: &Variables,
) -> Result<String, Vec<Diagnostic>> {
    // A patch that is no YAML is refused here, before its variables are.
    read(Source { name, bytes: content.as_bytes() }).map_err(|problem| vec![problem])?;
    opened(name, content)?;
    super::substitute::file(name, content, variables)
}

/// Refuses a file that is still encrypted.
pub(super) fn opened(name: &str, content: &str) -> Result<(), Vec<Diagnostic>> {
    if !content.contains("sops") {
        return Ok(());
    }
    let documents = read(Source { name, bytes: content.as_bytes() }).unwrap_or_default();
    match documents.iter().find_map(|document| document.get("sops")) {
        Some(node) => {
            let message = "this file is still encrypted: what reads it must decrypt it";
            Err(vec![check::problem(name, node.mark, message)])
        }
        None => Ok(()),
    }
}
