//! What is secret must not lie where Git would take it: asked of Git itself before such a file is written.

use ops_core::call::git::ignored;
use ops_core::error::{CallError, ErrorKind};

use super::HostCx;
use super::tool::QUESTION;

/// The folder of `ops` itself, which it keeps from Git.
const OWN: &str = ".ops/";
const OWN_IGNORE: &str = ".ops/.gitignore";

/// Refuses a path that Git would commit, for content that is secret.
///
/// # Errors
/// `forbidden`, with what to do; that Git is missing where there is a repository of it.
pub(super) async fn check(path: &str, cx: &HostCx<'_>) -> Result<(), CallError> {
    if path.starts_with(OWN) {
        // Whatever cannot be written here shows when the file itself is written.
        let _ = keep_own_folder(cx);
        return Ok(());
    }
    let output =
        match cx.world.run(&ignored(path), Some(QUESTION), &crate::sys::world::Unwatched).await {
            Ok(output) => output,
            Err(failure) => {
                // Without the tool nothing of this machine commits anything, unless this is a checkout.
                return match cx.files.stat(".git") {
                    Ok(None) => Ok(()),
                    _ => Err(super::tool::unfinished(&failure)),
                };
            }
        };
    match output.code {
        1 => Err(refused(path, cx).await),
        // It is ignored (0); or there is no repository of Git, or none that it speaks about.
        _ => Ok(()),
    }
}

/// Makes Git ignore the folder of `ops`. It is housekeeping: no step reads or writes it.
pub(super) fn keep_own_folder(cx: &HostCx<'_>) -> std::io::Result<()> {
    let files = cx.files.unrecorded().unwrap_or(cx.files);
    match files.stat(OWN_IGNORE)? {
        Some(_) => Ok(()),
        None => files.write(OWN_IGNORE, b"*\n", 0o644),
    }
}

async fn refused(path: &str, cx: &HostCx<'_>) -> CallError {
    let tracked = cx.ask(&ops_core::call::git::tracked(path), QUESTION).await;
    let tracked = tracked.is_ok_and(|output| !output.stdout.is_empty());
    let folder = path.rsplit_once('/').map(|(folder, _)| format!("{folder}/"));
    let what = folder.unwrap_or_else(|| path.to_owned());
    let message = if tracked {
        format!("`{path}` holds secrets, and Git tracks it")
    } else {
        format!("`{path}` holds secrets, and Git does not ignore it")
    };
    let ignore = format!("echo '/{what}' >> .gitignore");
    let hint = if tracked { format!("git rm -r --cached {what} && {ignore}") } else { ignore };
    CallError::new(ErrorKind::Forbidden, message).hint(hint).before_effect()
}
