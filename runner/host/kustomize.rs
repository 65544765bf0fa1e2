//! Builds a kustomization with the tool that is there. What it names is looked at first: nothing is fetched from another machine unless the call
//! says so, and nothing outside the repository is read.

use std::collections::BTreeSet;

use ops_core::argv::Argv;
use ops_core::call::Common;
use ops_core::call::manifests::Kustomize;
use ops_core::error::{CallError, ErrorKind};
use ops_core::time::Span;
use ops_core::value::Value;
use ops_render::kustomization::{FILE_NAMES, Kind, Reference, addresses, is_remote, references};
use ops_render::{Diagnostic, Mark, Source};

use super::content::{Bytes, denied};
use super::{HostCx, manifests};

/// How long a build may take where the call does not say.
const BUILD: Span = Span::mins(2);
/// Folders that one build may reach; far more than anybody has, so that no circle of links goes on for ever.
const FOLDERS: usize = 1_000;

pub(super) async fn build(
    call: &Kustomize,
    common: &Common,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    let folder = cx.inside(&call.path)?;
    Walk { cx, remote: call.remote, seen: BTreeSet::new() }.folder(&folder)?;
    let limit = common.timeout.unwrap_or(BUILD);
    let text = built(&Kustomize::commands(&folder), limit, cx).await?;
    let sealed = manifests::of(&call.path, &text)?.iter().any(|o| !o.secret_keys().is_empty());
    cx.keep(&Bytes { bytes: text, sealed })
}

/// What the first of these tools that is installed builds.
async fn built(commands: &[Argv], limit: Span, cx: &HostCx<'_>) -> Result<Vec<u8>, CallError> {
    for command in commands {
        match cx.ask(command, limit).await {
            Ok(output) => return Ok(output.stdout),
            Err(error) if error.kind == ErrorKind::MissingTool => {}
            Err(error) => return Err(error),
        }
    }
    let message = "neither `kustomize` nor `kubectl` is on PATH; one of them builds kustomizations";
    Err(CallError::new(ErrorKind::MissingTool, message)
        .hint("install `kubectl`, which ops needs for a cluster anyway, or `kustomize`, and put it on PATH")
        .before_effect())
}

/// Goes through a kustomization and all that it names.
struct Walk<'w, 'a> {
    cx: &'w HostCx<'a>,
    remote: bool,
    seen: BTreeSet<String>,
}

impl Walk<'_, '_> {
    fn folder(&mut self, folder: &str) -> Result<(), CallError> {
        if !self.seen.insert(folder.to_owned()) {
            return Ok(());
        }
        if self.seen.len() > FOLDERS {
            return Err(invalid(format!("{folder}: it reaches more than {FOLDERS} folders")));
        }
        let at = |name: &str| if folder == "." { name.into() } else { format!("{folder}/{name}") };
        let mut found = None;
        for name in FILE_NAMES {
            if self.is_folder(&at(name))? == Some(false) {
                found = Some(at(name));
                break;
            }
        }
        let Some(file) = found else {
            return Err(match self.is_folder(folder)? {
                Some(_) => invalid(format!("`{folder}` holds no {}", FILE_NAMES[0])),
                None => not_found(format!("there is no folder `{folder}`")),
            });
        };
        let text = self.cx.file(&file)?;
        let source = Source { name: &file, bytes: &text.bytes };
        for reference in references(source).map_err(|wrong| refused(&wrong))? {
            self.reference(folder, &file, &reference)?;
        }
        Ok(())
    }

    fn reference(
        &mut self,
        folder: &str,
        file: &str,
        reference: &Reference,
    ) -> Result<(), CallError> {
        let Reference { field, kind, target, mark } = reference;
        if *kind == Kind::Chart {
            let message = format!("{}: `{field}` has helm fetch `{target}`", place(file, *mark));
            return Err(invalid(message)
                .hint("render the chart into a file of the repository (`helm template`), and name that under `resources`"));
        }
        // Objects written in place: they may name addresses, not files of their own.
        if target.contains('\n') {
            return match *kind {
                Kind::Plugin => self.instructions(file, *mark, target.as_bytes()),
                _ => Ok(()),
            };
        }
        if is_remote(target) {
            return self.elsewhere(file, *mark, target);
        }
        let path = below(folder, target).ok_or_else(|| {
            let message = format!("{}: `{target}` leaves the repository", place(file, *mark));
            invalid(message)
                .hint("what a kustomization builds from lies below the repository's root")
        })?;
        match (kind, self.is_folder(&path)?) {
            // What kustomize does not find as a file or folder, it takes for a repository and would fetch.
            (Kind::Tree | Kind::Plugin, None) => {
                let message = format!(
                    "{}: `{field}` names `{target}`, and there is no `{path}`",
                    place(file, *mark)
                );
                Err(not_found(message))
            }
            (Kind::Tree | Kind::Plugin, Some(true)) => self.folder(&path),
            (Kind::Plugin, Some(false)) => {
                let text = self.cx.file(&path)?;
                self.instructions(&path, Mark::default(), &text.bytes)
            }
            // Read here too, so that it is known what the build was made from.
            (Kind::Tree | Kind::File, Some(false)) => self.cx.file(&path).map(drop),
            _ => Ok(()),
        }
    }

    /// Objects that tell kustomize what to do may name files by address.
    fn instructions(&self, file: &str, mark: Mark, text: &[u8]) -> Result<(), CallError> {
        let source = Source { name: file, bytes: text };
        match addresses(source).map_err(|wrong| refused(&wrong))?.first() {
            Some((address, own)) => {
                let mark = if mark.line > 0 { mark } else { *own };
                self.elsewhere(file, mark, address)
            }
            None => Ok(()),
        }
    }

    fn elsewhere(&self, file: &str, mark: Mark, target: &str) -> Result<(), CallError> {
        if self.remote {
            return Ok(());
        }
        let message = format!("{}: `{target}` lies on another machine", place(file, mark));
        Err(CallError::new(ErrorKind::Forbidden, message)
            .hint("keep a copy in the repository; or let it be fetched: `remote = true`")
            .before_effect())
    }

    /// Whether a path is a folder; nothing where nothing is.
    fn is_folder(&self, path: &str) -> Result<Option<bool>, CallError> {
        let stat = self.cx.files.stat(path).map_err(|error| denied(path, &error))?;
        Ok(stat.map(|stat| stat.dir))
    }
}

/// A path as it is written in a file of `folder`; nothing where it climbs over the root.
fn below(folder: &str, target: &str) -> Option<String> {
    if target.starts_with('/') || target.contains('\0') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| *part != ".").collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(if parts.is_empty() { ".".to_owned() } else { parts.join("/") })
}

fn place(file: &str, mark: Mark) -> String {
    format!("{file}:{}:{}", mark.line, mark.column)
}

/// A finding of the pure readers, as a call's failure.
pub(super) fn refused(wrong: &Diagnostic) -> CallError {
    let kind = if wrong.code == ops_render::Code::UNREADABLE {
        ErrorKind::Parse
    } else {
        ErrorKind::Invalid
    };
    let at = if wrong.line > 0 {
        place(&wrong.file, Mark { line: wrong.line, column: wrong.column })
    } else {
        wrong.file.clone()
    };
    let error = CallError::new(kind, format!("{at}: {}", wrong.message)).before_effect();
    match &wrong.hint {
        Some(hint) => error.hint(hint.clone()),
        None => error,
    }
}

fn invalid(message: String) -> CallError {
    CallError::new(ErrorKind::Invalid, message).before_effect()
}

fn not_found(message: String) -> CallError {
    CallError::new(ErrorKind::NotFound, message).before_effect()
}

#[cfg(test)]
mod tests {
    use super::below;

    #[test]
    fn a_path_is_followed_from_its_folder_and_never_over_the_root() {
        let at = |folder, target| below(folder, target);
        assert_eq!(at("apps/a", "../b/./c.yaml").as_deref(), Some("apps/b/c.yaml"));
        assert_eq!(at("apps/a", "../..").as_deref(), Some("."));
        assert_eq!(at(".", "a").as_deref(), Some("a"));
        for out in ["../../../x", "/etc/passwd", "../../x/../../.."] {
            assert_eq!(at("apps/a", out), None, "{out}");
        }
        assert_eq!(at(".", ".."), None);
    }
}
