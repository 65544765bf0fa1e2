//! The patches of a talconfig: inline, or in a file that is read, with
//! variables replaced outside its comments.

use super::render::ReadFile;
use super::substitute::{Variables, expand};
use super::{PatchText, check};
use crate::diagnostic::{Diagnostic, Mark};
use crate::machinery::profile::Profile;
use crate::patch::Patch;
use crate::yaml::node::{Data, Node};
use crate::yaml::read::{Source, read, text};

/// The patch that a text stands for; an empty file is none.
pub(super) fn patch_of(
    patch: &PatchText,
    file: &str,
    profile: &Profile,
    variables: &Variables,
    read_file: &ReadFile<'_>,
) -> Result<Option<Patch>, Vec<Diagnostic>> {
    let template = |text: &str, name: &str, mark: Mark| {
        let found = text.contains("{{");
        let message = "the patch is a Go template, which is not rendered yet";
        found.then(|| vec![check::problem(name, mark, message)])
    };
    let Some(name) = patch.text.strip_prefix('@').map(str::trim) else {
        if let Some(problems) = template(&patch.text, file, patch.mark) {
            return Err(problems);
        }
        let source = Source { name: file, bytes: patch.text.as_bytes() };
        return match Patch::from_source(source, profile) {
            Ok(patch) => Ok(Some(patch)),
            Err(problems) => Err(problems.into_iter().map(|p| inside(p, patch.mark)).collect()),
        };
    };
    let bytes = read_file(name).map_err(|why| {
        vec![check::problem(file, patch.mark, format!("the patch `{name}` cannot be read: {why}"))]
    })?;
    let content = text(Source { name, bytes: &bytes }).map_err(|problem| vec![problem])?;
    if content.trim().is_empty() {
        return Ok(None);
    }
    if let Some(problems) = template(content, name, Mark::default()) {
        return Err(problems);
    }
    let content = substituted(name, content, variables)?;
    Patch::from_source(Source { name, bytes: content.as_bytes() }, profile).map(Some)
}

/// A finding in an inline patch, told by where the patch stands.
fn inside(problem: Diagnostic, mark: Mark) -> Diagnostic {
    let message = format!("line {} of this patch: {}", problem.line, problem.message);
    Diagnostic { message, line: mark.line, column: mark.column, ..problem }
}

/// Replaces variables line by line, but not in lines that are comments.
fn substituted(
    name: &str,
    content: &str,
    variables: &Variables,
) -> Result<String, Vec<Diagnostic>> {
    let documents = read(Source { name, bytes: content.as_bytes() }).map_err(|p| vec![p])?;
    let mut spans = Vec::new();
    for document in &documents {
        scalars(document, &mut spans);
    }
    let mut out = String::new();
    let mut problems = Vec::new();
    let mut start = 0;
    for (at, line) in content.split_inclusive('\n').enumerate() {
        let within = |&(from, to): &(usize, usize)| from < start && start < to;
        let comment = line.trim_start().starts_with('#') && !spans.iter().any(within);
        start += line.chars().count();
        if comment {
            out += line;
            continue;
        }
        match expand(line, variables) {
            Ok(line) => out += &line,
            Err(why) => problems.push(check::problem(name, Mark { line: at + 1, column: 0 }, why)),
        }
    }
    if problems.is_empty() { Ok(out) } else { Err(problems) }
}

fn scalars(node: &Node, spans: &mut Vec<(usize, usize)>) {
    match &node.data {
        // A block scalar's span begins inside its first line.
        Data::Scalar { .. } => {
            spans.push((node.span.0.saturating_sub(node.mark.column), node.span.1));
        }
        Data::Sequence(items) => items.iter().for_each(|item| scalars(item, spans)),
        Data::Mapping(pairs) => pairs.iter().for_each(|(key, value)| {
            scalars(key, spans);
            scalars(value, spans);
        }),
        Data::Alias(_) => {}
    }
}
