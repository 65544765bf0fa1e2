//! `ops patch CONFIG --patch P…`: what `talosctl machineconfig patch` does, with findings at their place. Touches no cluster.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use ops_core::error::{Code, Exit, Fault, Place};
use ops_core::value::Map;
use ops_render::{Diagnostic, Patch, Profile, Source, VERSIONS};

use super::Start;
use crate::sys::disk::Disk;
use crate::sys::files::Files as _;

#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct PatchArgs {
    /// The machine config
    #[arg(value_name = "CONFIG")]
    pub config: PathBuf,
    /// A patch: @FILE, a file's name, or the text itself; in the order given
    #[arg(short, long = "patch", value_name = "PATCH", required = true)]
    pub patches: Vec<String>,
    /// Write here instead of to standard output
    #[arg(short = 'o', long = "out", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Patch as this version of Talos does
    #[arg(long, value_name = "VERSION", default_value = "1.13.9")]
    pub talos_version: String,
}

/// Patches a machine config; nothing is written when anything is refused.
pub(super) fn run(start: &Start, args: &PatchArgs) -> Result<Exit, Fault> {
    let out = start.output();
    let version = args.talos_version.trim_start_matches('v');
    let profile = Profile::load(version).map_err(|_| {
        Fault::new(Code::USAGE, format!("patches of Talos `{version}` are not known"))
            .detail(format!("known: {}", VERSIONS.join(", ")))
            .did_you_mean(version, VERSIONS.iter().copied())
    })?;
    let config = read(&args.config).map_err(|why| {
        Fault::new(Code::CONFIG_READ, format!("{}: {why}", args.config.display()))
    })?;
    let name = args.config.to_string_lossy();
    let texts = RefCell::new(Texts::new());
    texts.borrow_mut().insert(name.to_string(), config.clone());
    let mut patches = Vec::new();
    for (at, text) in args.patches.iter().enumerate() {
        let patch = if Patch::is_inline(text) {
            let name = match &args.patches[..] {
                [_] => "inline patch".to_owned(),
                _ => format!("inline patch {}", at + 1),
            };
            texts.borrow_mut().insert(name.clone(), text.as_bytes().to_vec());
            Patch::from_source(Source { name: &name, bytes: text.as_bytes() }, &profile)
        } else {
            Patch::parse(text, &profile, |file| {
                let bytes = read(Path::new(file))?;
                texts.borrow_mut().insert(file.to_owned(), bytes.clone());
                Ok(bytes)
            })
        };
        patches.push(patch.map_err(|found| refused(&found, &texts.borrow()))?);
    }
    let source = Source { name: &name, bytes: &config };
    let patched = ops_render::patch(source, &patches, &profile)
        .map_err(|found| refused(&found, &texts.borrow()))?;
    for warning in &patched.warnings {
        out.remark(&format!("warning: {warning}"));
    }
    match &args.file {
        None => {
            out.result(&patched.text);
            let text = serde_json::Value::from(patched.text);
            out.document("ops.patch", 1, || Map::from_iter([("config".to_owned(), text)]));
        }
        Some(path) => {
            write(path, patched.text.as_bytes()).map_err(|error| {
                let message = format!("cannot write `{}`: {error}", path.display());
                Fault::new(Code::CONFIG_READ, message)
            })?;
        }
    }
    Ok(Exit::Done)
}

/// The contents of what was read, by the names that findings carry.
type Texts = BTreeMap<String, Vec<u8>>;

/// A file, but not more of it than is ever patched: it may have no end.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    let most = ops_render::MAX_BYTES as u64 + 1;
    file.take(most).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// Writes a file whole or not at all, through links and into folders that are
/// not there yet, as talosctl does. Into a pipe or a device it is written as it is.
fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    if path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        return OpenOptions::new().write(true).open(path)?.write_all(text);
    }
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    // A machine config holds keys.
    Disk::new(folder)?.write(&file, text, 0o600)
}

/// The first finding at its place; the others as details.
fn refused(found: &[Diagnostic], texts: &Texts) -> Fault {
    let Some(first) = found.first() else {
        return Fault::new(Code::BUG, "a patch was refused without a reason");
    };
    if first.line == 0 {
        // A whole file is meant, which may not even be there.
        let fault = Fault::new(Code::PATCH_REFUSED, format!("{}: {}", first.file, first.message));
        return match &first.hint {
            Some(hint) => fault.help(hint.clone()),
            None => fault,
        };
    }
    let mut fault = Fault::new(Code::PATCH_REFUSED, first.message.clone());
    let text = texts.get(&first.file).map(|bytes| String::from_utf8_lossy(bytes));
    fault = fault.at(Place {
        file: first.file.clone(),
        line: first.line as u32,
        column: first.column as u32,
        length: 0,
        text: text.and_then(|t| t.lines().nth(first.line - 1).map(str::to_owned)),
    });
    if let Some(hint) = &first.hint {
        fault = fault.help(hint.clone());
    }
    found[1..].iter().fold(fault, |fault, other| fault.detail(other.to_string()))
}
