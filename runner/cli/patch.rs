//! `ops patch CONFIG --patch P…`: what `talosctl machineconfig patch` does, with findings at their place. Touches no cluster.

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
    let mut patches = Vec::new();
    for text in &args.patches {
        let patch = Patch::parse(text, &profile, |file| read(Path::new(file)));
        patches.push(patch.map_err(|found| refused(&found))?);
    }
    let source = Source { name: &name, bytes: &config };
    let patched = ops_render::patch(source, &patches, &profile).map_err(|found| refused(&found))?;
    for warning in &patched.warnings {
        out.remark(&format!("warning: {warning}"));
    }
    match &args.file {
        None => {
            out.result(&patched.text);
            let text = serde_json::Value::from(patched.text);
            out.document("ops.patch", 1, &Map::from_iter([("config".to_owned(), text)]));
        }
        Some(path) => {
            let folder =
                path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            // A machine config holds keys.
            Disk::new(folder)
                .and_then(|disk| disk.write(&file, patched.text.as_bytes(), 0o600))
                .map_err(|error| {
                    Fault::new(
                        Code::CONFIG_READ,
                        format!("cannot write `{}`: {error}", path.display()),
                    )
                })?;
        }
    }
    Ok(Exit::Done)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| error.to_string())
}

/// The first finding at its place; the others as details.
fn refused(found: &[Diagnostic]) -> Fault {
    let Some(first) = found.first() else {
        return Fault::new(Code::BUG, "a patch was refused without a reason");
    };
    let mut fault = Fault::new(Code::PATCH_REFUSED, first.message.clone());
    if first.line > 0 {
        let text = std::fs::read_to_string(&first.file).ok();
        fault = fault.at(Place {
            file: first.file.clone(),
            line: first.line as u32,
            column: first.column as u32,
            length: 0,
            text: text.and_then(|t| t.lines().nth(first.line - 1).map(str::to_owned)),
        });
    }
    if let Some(hint) = &first.hint {
        fault = fault.help(hint.clone());
    }
    found[1..].iter().fold(fault, |fault, other| fault.detail(other.to_string()))
}
