//! Files of the repository, over the seam: a plan gives an overlay, and every call works there as on the disk.

mod diff;
pub(super) mod glob;
#[cfg(test)]
mod tests;

use ops_core::call::fs::{Copy, Exists, Glob, Mkdir, Move, Read, Remove, Stat, Write};
use ops_core::call::git::{tracked, untracked};
use ops_core::error::{CallError, ErrorKind};
use ops_core::value::Value;
use serde_json::json;

use super::HostCx;
use super::content::{Bytes, denied};
use super::talos::machineconfig;
use super::tool::QUESTION;

const DEFAULT_MODE: u32 = 0o644;
const SECRET_MODE: u32 = 0o600;

pub(super) fn read(call: &Read, cx: &HostCx<'_>) -> Result<Value, CallError> {
    cx.keep(&cx.file(&call.path)?)
}

pub(super) fn exists(call: &Exists, cx: &HostCx<'_>) -> Result<Value, CallError> {
    let path = cx.inside(&call.path)?;
    Ok(json!(stat_of(&path, cx)?.is_some()))
}

pub(super) fn stat(call: &Stat, cx: &HostCx<'_>) -> Result<Value, CallError> {
    let path = cx.inside(&call.path)?;
    Ok(stat_of(&path, cx)?.map_or(Value::Null, |stat| {
        json!({
            "size": stat.size,
            "mode": format!("{:04o}", stat.mode),
            "mtime": (stat.mtime / 1_000_000) as i64,
            "dir": stat.dir,
        })
    }))
}

pub(super) fn glob(call: &Glob, cx: &HostCx<'_>) -> Result<Value, CallError> {
    let pattern = cx.inside(&call.pattern)?;
    let found = glob::find(&pattern, cx.files)?;
    if found.is_empty() && !call.allow_empty {
        let message = format!("no file matches `{}`", call.pattern);
        return Err(CallError::new(ErrorKind::NotFound, message)
            .hint("`allow_empty = true`, where that is an answer")
            .before_effect());
    }
    Ok(json!(found))
}

pub(super) async fn write(call: &Write, cx: &HostCx<'_>) -> Result<Value, CallError> {
    let path = cx.inside(&call.path)?;
    let content = cx.content(&call.content)?;
    let mode = call.mode.as_deref().map(mode).transpose()?;
    if content.sealed && mode.is_some_and(|mode| mode & 0o077 != 0) {
        let message = "secret content may be readable by its owner only";
        return Err(CallError::new(ErrorKind::Invalid, message)
            .hint("leave `mode` out, or say `\"0600\"`")
            .before_effect());
    }
    converge(&path, &content, mode, cx).await
}

pub(super) async fn copy(call: &Copy, cx: &HostCx<'_>) -> Result<Value, CallError> {
    let (from, to) = (cx.inside(&call.path)?, cx.inside(&call.to)?);
    let content = cx.file(&from)?;
    let mode = stat_of(&from, cx)?.map(|stat| stat.mode);
    converge(&to, &content, mode, cx).await
}

/// Pins and strictness of the guards are written by `ops adopt`, where a person confirms them.
fn not_the_lock(path: &str) -> Result<(), CallError> {
    let lock = path.starts_with("clusters/") && path.ends_with(".lock.toml")
        || path.starts_with(".ops/lab/") && path.ends_with("/lock.toml");
    if !lock {
        return Ok(());
    }
    let message = format!("`{path}` says who the cluster is and how strict its guards are");
    Err(CallError::new(ErrorKind::Forbidden, message)
        .hint("`ops adopt` writes it; no recipe does")
        .before_effect())
}

/// Makes a file have this content and mode, if it has not.
pub(super) async fn converge(
    path: &str,
    content: &Bytes,
    mode: Option<u32>,
    cx: &HostCx<'_>,
) -> Result<Value, CallError> {
    not_the_lock(path)?;
    let before = match stat_of(path, cx)? {
        Some(stat) if stat.dir => {
            let message = format!("`{path}` is a folder");
            return Err(CallError::new(ErrorKind::Invalid, message).before_effect());
        }
        Some(stat) => Some((cx.file(path)?, stat.mode)),
        None => None,
    };
    let mode = match (mode, &before) {
        (Some(mode), _) => mode,
        (None, _) if content.sealed => SECRET_MODE,
        (None, Some((_, mode))) => *mode,
        (None, None) => DEFAULT_MODE,
    };
    if before.as_ref().is_some_and(|(old, had)| old.bytes == content.bytes && *had == mode) {
        return Ok(json!({"path": path, "changed": false, "diff": ""}));
    }
    if content.sealed {
        super::private::check(path, cx).await?;
    }
    let old = before.map(|(old, _)| old);
    let diff = if content.sealed || old.as_ref().is_some_and(|old| old.sealed) {
        // A machine config is told field by field; of any other secret nothing is.
        let before = old.as_ref().map(|old| old.bytes.as_slice());
        machineconfig::lines(before, &content.bytes, cx).unwrap_or_default().join("\n")
    } else {
        diff::lines(&old.unwrap_or_default().bytes, &content.bytes)
    };
    cx.files.write(path, &content.bytes, mode).map_err(|error| denied(path, &error))?;
    Ok(json!({"path": path, "changed": true, "diff": diff}))
}

pub(super) fn rename(call: &Move, cx: &HostCx<'_>) -> Result<Value, CallError> {
    let (from, to) = (cx.inside(&call.path)?, cx.inside(&call.to)?);
    not_the_lock(&from)?;
    not_the_lock(&to)?;
    if stat_of(&from, cx)?.is_none() {
        return Err(denied(&from, &std::io::ErrorKind::NotFound.into()));
    }
    if from == to {
        return Ok(json!({"path": to, "changed": false}));
    }
    cx.files.rename(&from, &to).map_err(|error| denied(&from, &error))?;
    Ok(json!({"path": to, "changed": true}))
}

pub(super) fn mkdir(call: &Mkdir, cx: &HostCx<'_>) -> Result<Value, CallError> {
    let path = cx.inside(&call.path)?;
    let changed = stat_of(&path, cx)?.is_none();
    cx.files.make_folder(&path).map_err(|error| denied(&path, &error))?;
    Ok(json!({"path": path, "changed": changed}))
}

pub(super) async fn remove(call: &Remove, cx: &HostCx<'_>) -> Result<Value, CallError> {
    let path = cx.inside(&call.path)?;
    not_the_lock(&path)?;
    if path == "." {
        let message = "this is the repository itself";
        return Err(CallError::new(ErrorKind::Invalid, message).before_effect());
    }
    let stat = stat_of(&path, cx)?;
    match &stat {
        None => {}
        Some(stat) if stat.dir => {
            known_to_git(&path, cx).await?;
            remove_folder(&path, cx)?;
        }
        Some(_) => cx.files.remove(&path).map_err(|error| denied(&path, &error))?,
    }
    Ok(json!({"path": path, "changed": stat.is_some()}))
}

pub(super) fn temp(cx: &HostCx<'_>) -> Value {
    json!(format!(".ops/tmp/{:016x}", cx.world.random()))
}

/// What is lost with a folder must be in Git: nothing else can bring it back.
async fn known_to_git(path: &str, cx: &HostCx<'_>) -> Result<(), CallError> {
    let refuse = |message: String| {
        CallError::new(ErrorKind::Precondition, message)
            .hint("remove its files one by one, or commit them first")
            .before_effect()
    };
    if cx.files.list(path).map_err(|error| denied(path, &error))?.is_empty() {
        return Ok(());
    }
    let unknown = cx.ask(&untracked(Some(path), true), QUESTION).await;
    let unknown =
        unknown.map_err(|e| refuse(format!("Git does not know `{path}`: {}", e.message)))?;
    if let Some(first) = unknown.text().split('\0').find(|name| !name.is_empty()) {
        return Err(refuse(format!("Git does not know `{first}`, which would be lost")));
    }
    if cx.ask(&tracked(path), QUESTION).await?.stdout.is_empty() {
        return Err(refuse(format!("Git does not know `{path}`")));
    }
    Ok(())
}

fn remove_folder(path: &str, cx: &HostCx<'_>) -> Result<(), CallError> {
    let names = cx.files.list(path).map_err(|error| denied(path, &error))?;
    for name in names {
        let inner = format!("{path}/{name}");
        // A link is removed as itself: what it leads to is not in this folder.
        match cx.files.stat(&inner) {
            Ok(Some(stat)) if stat.dir => remove_folder(&inner, cx)?,
            _ => cx.files.remove(&inner).map_err(|error| denied(&inner, &error))?,
        }
    }
    cx.files.remove(path).map_err(|error| denied(path, &error))
}

fn stat_of(path: &str, cx: &HostCx<'_>) -> Result<Option<crate::sys::files::Stat>, CallError> {
    cx.files.stat(path).map_err(|error| denied(path, &error))
}

fn mode(text: &str) -> Result<u32, CallError> {
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777).ok_or_else(|| {
        let message = format!("`{text}` is no file mode");
        CallError::new(ErrorKind::Invalid, message)
            .hint("three octal digits, such as \"0640\"")
            .before_effect()
    })
}
