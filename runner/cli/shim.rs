//! This program under a tool's name: judges a command line of a shell, and becomes the real tool where it only reads.
//!
//! Nothing here asks the running engine yet, so nothing but a read passes, and whatever is in doubt is refused. What never comes by a shim
//! (an absolute path, a PATH of a script's own) is not seen here.

mod folder;
mod pinned;

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ops_core::error::{Code, Fault};
use ops_core::shim;

use crate::config::{Environment, env};
use crate::output::{Colour, Look, Mode, Output};
use crate::sys::environment::{Environment as ChildEnvironment, inode};
use crate::sys::process::replace_by;
use crate::sys::redact::Redactor;
pub(super) use folder::Folder;
pub(super) use pinned::Pinned;

/// The tool under whose name a program was started, if that is one behind a shim.
pub fn tool(program: &OsStr) -> Option<&'static str> {
    let name = Path::new(program).file_name()?.to_str()?;
    shim::tools().find(|tool| *tool == name)
}

/// Judges a tool's command line (`program` is its first word), and becomes that tool or ends with a refusal.
pub fn main(
    tool: &'static str,
    program: &OsStr,
    args: impl IntoIterator<Item = OsString>,
) -> ExitCode {
    let env = Environment::of_process();
    let Err(fault) = become_tool(tool, program, args, &env);
    let look = Look::of_process(Colour::Auto, &env);
    Output::of_process(look, Mode::Human, Redactor::default()).fault(&fault);
    ExitCode::from(fault.code.exit.code())
}

fn become_tool(
    tool: &'static str,
    program: &OsStr,
    args: impl IntoIterator<Item = OsString>,
    env: &Environment,
) -> Result<Infallible, Box<Fault>> {
    let args = args
        .into_iter()
        .map(OsString::into_string)
        .collect::<Result<Vec<String>, OsString>>()
        .map_err(|arg| refused(format!("`{}` is not UTF-8 text", arg.to_string_lossy())))?;
    let own = std::env::current_exe().map_err(|error| refused(format!("own path: {error}")))?;
    let private = private_folder(program, env, &own).ok_or_else(|| {
        refused(format!("`{tool}` is a shim, and stands in no folder of a run"))
            .help("a shim works inside `ops run`; elsewhere start the tool itself")
    })?;
    let pinned = Pinned::read(&private)
        .map_err(|error| refused(format!("{}: {error}", private.display())))?;

    let read = shim::judge(tool, &args)?;
    if pinned.lab {
        return Err(Box::new(
            refused(
                "in the lab, shell commands cannot reach the simulated cluster yet: use typed calls",
            )
            .detail(format!("`{tool}` was not started: the real one would ask the real cluster.")),
        ));
    }
    let named = shim::named_by_environment(tool, env.iter());
    if let Some(target) =
        read.targets.iter().chain(&named).find(|target| !pinned.is_target(target, &private))
    {
        // Its value may be a token.
        return Err(Box::new(
            refused(format!(
                "`{tool} {}` names a target of its own by `{}`",
                read.verb, target.name
            ))
            .detail("That it is the pinned cluster cannot be proven from here.")
            .help("leave it out: in a run, KUBECONFIG and TALOSCONFIG hold the pinned cluster"),
        ));
    }

    let vars = env.iter().map(|(name, value)| (name.into(), value.into()));
    let real = ChildEnvironment::new(vars, None, Some(&own))
        .find(tool, Path::new("/"), None)
        .ok_or_else(|| Fault::new(Code::TOOL_MISSING, format!("`{tool}` is not on PATH")))?;
    // A script that emptied its environment would reach whatever the user's home folder names.
    let unset = pinned::variables(&private)
        .into_iter()
        .filter(|(n, _)| !named.iter().any(|t| t.name == *n));
    let error = replace_by(&real, &args, unset);
    Err(Box::new(Fault::new(Code::TOOL_MISSING, format!("{}: {error}", real.display()))))
}

fn refused(title: impl Into<String>) -> Fault {
    Fault::new(Code::SHIM, title)
}

/// The run's private folder, in whose `bin` this shim stands. A shell gives the name that was typed, so a bare one is looked up again.
fn private_folder(program: &OsStr, env: &Environment, own: &Path) -> Option<PathBuf> {
    let own = inode(own)?;
    let program = Path::new(program);
    let places: Vec<PathBuf> = if program.components().count() > 1 {
        vec![program.to_owned()]
    } else {
        let path = env.get(env::PATH).unwrap_or_default();
        std::env::split_paths(path)
            .filter(|place| place.is_absolute())
            .map(|place| place.join(program))
            .collect()
    };
    let shim = places.into_iter().find(|place| inode(place) == Some(own))?;
    shim.parent()?.canonicalize().ok()?.parent().map(Path::to_owned)
}
