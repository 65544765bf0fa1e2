//! The patches of a talconfig: inline, or in a file that is read. Templates
//! are rendered first, then variables are replaced outside of comments.

use std::cell::OnceCell;

use super::render::Job;
use super::view::View;
use super::{PatchText, Variables, check};
use crate::diagnostic::{Diagnostic, Mark};
use crate::patch::{Document, Patch, check_together, read_config, write_config};
use crate::template::is_template;
use crate::yaml::read::{Source, read, text};

/// The config that templates see, read when one asks for it.
pub(super) type Seen = OnceCell<Document>;

/// The patch that a text stands for; an empty file is none.
pub(super) fn patch_of(
    job: &Job<'_>,
    patch: &PatchText,
    config: Source<'_>,
    seen: &Seen,
) -> Result<Option<Patch>, Vec<Diagnostic>> {
    let file: &str = &job.config.file;
    let Some(name) = patch.text.strip_prefix('@').map(str::trim) else {
        let text = templated(job, &patch.text, file, config, seen).map_err(|found| {
            found.into_iter().map(|p| inside(p, patch.mark)).collect::<Vec<_>>()
        })?;
        let source = Source { name: file, bytes: text.as_bytes() };
        return match Patch::from_source(source, job.profile) {
            Ok(patch) => Ok(Some(patch)),
            Err(problems) => Err(problems.into_iter().map(|p| inside(p, patch.mark)).collect()),
        };
    };
    let bytes = (job.read)(name).map_err(|why| {
        vec![job.refused(patch.mark, format!("the patch `{name}` cannot be read: {why}"))]
    })?;
    let content = text(Source { name, bytes: &bytes }).map_err(|problem| vec![problem])?;
    if content.trim().is_empty() {
        return Ok(None);
    }
    let content = templated(job, content, name, config, seen)?;
    let content = substituted(name, &content, job.variables)?;
    Patch::from_source(Source { name, bytes: content.as_bytes() }, job.profile).map(Some)
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
    let seen = Seen::new();
    for manifest in manifests {
        let name = manifest.as_text();
        let name = name.strip_prefix('@').unwrap_or(name).trim();
        let bytes = (job.read)(name).map_err(|why| {
            vec![job.refused(manifest.mark, format!("the manifest `{name}` cannot be read: {why}"))]
        })?;
        let content = text(Source { name, bytes: &bytes }).map_err(|problem| vec![problem])?;
        let content = templated(job, content, name, source, &seen)?;
        documents.extend(read_config(Source { name, bytes: content.as_bytes() }, job.profile)?);
    }
    check_together(documents.iter(), job.profile)?;
    Ok(write_config(&documents, job.profile))
}

fn templated(
    job: &Job<'_>,
    text: &str,
    name: &str,
    config: Source<'_>,
    seen: &Seen,
) -> Result<String, Vec<Diagnostic>> {
    if !is_template(text) {
        return Ok(text.to_owned());
    }
    let data = match seen.get() {
        Some(data) => data,
        None => {
            let first = read_config(config, job.profile)?.into_iter().next().ok_or_else(|| {
                vec![check::problem(config.name, Mark::default(), "the config holds no document")]
            })?;
            seen.get_or_init(|| first)
        }
    };
    job.template(text, data).map_err(|problem| {
        let message = format!("in this template: {}", problem.message);
        vec![check::problem(name, problem.mark, message)]
    })
}

/// A finding in an inline patch, told by where the patch stands.
fn inside(problem: Diagnostic, mark: Mark) -> Diagnostic {
    let message = format!("line {} of this patch: {}", problem.line, problem.message);
    Diagnostic { message, line: mark.line, column: mark.column, ..problem }
}

/// Replaces variables; a file that is still encrypted is refused.
fn substituted(
    name: &str,
    content: &str,
    variables: &Variables,
) -> Result<String, Vec<Diagnostic>> {
    let documents = read(Source { name, bytes: content.as_bytes() }).map_err(|p| vec![p])?;
    if let Some(node) = documents.iter().find_map(|document| document.get("sops")) {
        let message = "this file is still encrypted: what reads it must decrypt it";
        return Err(vec![check::problem(name, node.mark, message)]);
    }
    super::substitute::file(name, content, variables)
}
