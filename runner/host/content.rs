//! What calls hand to one another: files of the repository, blobs, secrets, as bytes that remember whether they are secret.

use std::io;

use ops_core::call::fs::Content;
use ops_core::error::{CallError, ErrorKind};
use ops_core::value::{Handle, Value};

use super::HostCx;
use crate::sys::files::{Escapes, normal};
use crate::sys::secrets::SecretFailure;

/// Files whose content is secret whatever their permissions are.
const SECRET_NAMES: [&str; 5] =
    ["kubeconfig", "talosconfig", "secrets.yaml", "secrets.yml", ".env"];

/// Content, and whether it is secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bytes {
    pub(super) bytes: Vec<u8>,
    pub(super) sealed: bool,
}

impl HostCx<'_> {
    /// The one name of a path inside the repository.
    ///
    /// # Errors
    /// `invalid` where it leads out.
    pub(super) fn inside(&self, path: &str) -> Result<String, CallError> {
        let outside = |escapes: &Escapes| {
            CallError::new(ErrorKind::Invalid, escapes.to_string())
                .hint("name a file below the repository's root, without `..`")
                .before_effect()
        };
        let normal = normal(path).map_err(|escapes| outside(&escapes))?;
        let below = normal.strip_prefix(self.root).and_then(|rest| rest.strip_prefix('/'));
        match below {
            Some(below) => Ok(below.to_owned()),
            None if normal.starts_with('/') => {
                Err(outside(&Escapes { path: path.to_owned(), via: None }))
            }
            None => Ok(normal),
        }
    }

    /// A file of the repository. Secret is what only its owner may read, and what bears the name of a credential.
    ///
    /// # Errors
    /// As the file system says.
    pub(super) fn file(&self, path: &str) -> Result<Bytes, CallError> {
        let path = self.inside(path)?;
        let bytes = self.files.read(&path).map_err(|error| denied(&path, &error))?;
        let stat = self.files.stat(&path).map_err(|error| denied(&path, &error))?;
        let private = stat.is_some_and(|stat| stat.mode.trailing_zeros() >= 6);
        let name = path.rsplit('/').next().unwrap_or_default();
        Ok(Bytes { bytes, sealed: private || SECRET_NAMES.contains(&name) })
    }

    /// The bytes of a text, blob or secret.
    ///
    /// # Errors
    /// Where the blob or secret is not there, or the handle holds no content.
    pub(super) fn content(&self, content: &Content) -> Result<Bytes, CallError> {
        match content {
            Content::Text(text) => Ok(Bytes { bytes: text.clone().into_bytes(), sealed: false }),
            Content::Handle(handle) => self.handled(handle),
        }
    }

    /// The bytes behind a handle.
    ///
    /// # Errors
    /// As for `content`.
    pub(super) fn handled(&self, handle: &Handle) -> Result<Bytes, CallError> {
        match handle {
            Handle::Blob(blob) => {
                let bytes = self.blobs.get(blob).map_err(|error| {
                    let message = format!("the stored content cannot be read: {error}");
                    CallError::new(ErrorKind::Failed, message).before_effect()
                })?;
                Ok(Bytes { bytes, sealed: blob.sealed })
            }
            Handle::Secret(secret) => {
                let bytes = self.secrets.reveal(secret).map_err(|failure| withheld(&failure))?;
                Ok(Bytes { bytes, sealed: true })
            }
            Handle::Report(_) | Handle::Later(_) => {
                let message = "this holds no content: give text, a blob or a secret";
                Err(CallError::new(ErrorKind::Invalid, message).before_effect())
            }
        }
    }

    /// Keeps content beside the journal and gives its handle.
    ///
    /// # Errors
    /// Where it cannot be stored.
    pub(super) fn keep(&self, content: &Bytes) -> Result<Value, CallError> {
        let blob = self.blobs.put(&content.bytes, content.sealed).map_err(|error| {
            CallError::new(ErrorKind::Failed, format!("the content cannot be stored: {error}"))
        })?;
        Ok(Handle::Blob(blob).to_value())
    }
}

/// What the file system said about a path, as a call's failure. Reads change nothing, and a failed write leaves the old content.
pub(super) fn denied(path: &str, error: &io::Error) -> CallError {
    if let Some(escapes) = Escapes::of(error) {
        return CallError::new(ErrorKind::Invalid, escapes.to_string())
            .hint("links that lead out of the repository are not followed")
            .before_effect();
    }
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Forbidden,
        io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
        io::ErrorKind::IsADirectory
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::DirectoryNotEmpty => ErrorKind::Invalid,
        _ => ErrorKind::Failed,
    };
    let message = match kind {
        ErrorKind::NotFound => format!("there is no file `{path}`"),
        _ => format!("`{path}`: {error}"),
    };
    CallError::new(kind, message).before_effect()
}

/// The handle of a secret.
///
/// # Errors
/// Where its provider does not have it.
pub(super) fn secret(provider: &str, reference: &str, cx: &HostCx<'_>) -> Result<Value, CallError> {
    let found = cx.secrets.find(provider, reference).map_err(|failure| withheld(&failure))?;
    Ok(Handle::Secret(found).to_value())
}

/// Why a secret is not there, as a call's failure.
pub(super) fn withheld(failure: &SecretFailure) -> CallError {
    let kind = match failure {
        SecretFailure::Missing { .. } => ErrorKind::NotFound,
        SecretFailure::Changed { .. } => ErrorKind::Conflict,
        SecretFailure::Provider(_) => ErrorKind::Invalid,
    };
    CallError::new(kind, failure.to_string()).before_effect()
}
