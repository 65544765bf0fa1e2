//! This program under a tool's name: judges a command line of a shell, and becomes the real tool where it only reads.
//!
//! Nothing but a read passes, and whatever is in doubt is refused. The running engine is told of a refusal before the shell line can go on,
//! and answers reads of the lab. What never comes by a shim (an absolute path, a PATH of a script's own) is not seen here.

mod folder;
mod pinned;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ops_core::error::{Code, Exit, Fault};
use ops_core::shim;

use crate::config::{Environment, env};
use crate::output::{Colour, Look, Mode, Output, pass_on};
use crate::sys::channel::{self, Ask, Message, Refused, Says};
use crate::sys::environment::{Environment as ChildEnvironment, THROUGH_SHIMS, inode};
use crate::sys::group::end_own_group;
use crate::sys::process::replace_by;
use crate::sys::redact::Redactor;
pub(super) use folder::Folder;
pub(super) use pinned::Pinned;

/// The tool under whose name a program was started, if that is one behind a shim.
pub fn tool(program: &OsStr) -> Option<&'static str> {
    let name = Path::new(program).file_name()?.to_str()?;
    shim::tools().find(|tool| *tool == name)
}

/// Judges a tool's command line (`program` is its first word), and becomes that tool, answers for it, or ends with a refusal.
pub fn main(
    tool: &'static str,
    program: &OsStr,
    args: impl IntoIterator<Item = OsString>,
) -> ExitCode {
    let env = Environment::of_process();
    let mut unreadable = None;
    let mut readable = |arg: OsString| {
        arg.into_string().unwrap_or_else(|arg| {
            let shown = arg.to_string_lossy().into_owned();
            unreadable.get_or_insert(shown).clone()
        })
    };
    let args: Vec<String> = args.into_iter().map(&mut readable).collect();
    let own = std::env::current_exe().ok();
    let private = own.as_deref().and_then(|own| private_folder(program, &env, own));
    let became =
        become_tool(tool, args.clone(), unreadable, private.as_deref(), &env, own.as_deref());
    let fault = match became {
        Ok(code) => return code,
        Err(fault) => fault,
    };
    let look = Look::of_process(Colour::Auto, &env);
    // What is refused is told in full where the run stops.
    let short = Fault::new(fault.code, fault.title.clone());
    let shown =
        if private.is_some() && fault.code.exit == Exit::Refused { &short } else { &*fault };
    Output::of_process(look, Mode::Human, Redactor::default()).fault(shown);
    if fault.code.exit == Exit::Refused {
        let inside = env.named(THROUGH_SHIMS).is_some();
        report(tool, args, &fault, private.as_deref(), inside);
    }
    ExitCode::from(fault.code.exit.code())
}

fn become_tool(
    tool: &'static str,
    args: Vec<String>,
    unreadable: Option<String>,
    private: Option<&Path>,
    env: &Environment,
    own: Option<&Path>,
) -> Result<ExitCode, Box<Fault>> {
    if let Some(arg) = unreadable {
        return Err(Box::new(refused(format!("`{arg}` is not UTF-8 text"))));
    }
    let Some(private) = private else {
        return Err(Box::new(
            refused(format!("`{tool}` is a shim, and stands in no folder of a run"))
                .help("a shim works inside `ops run`; elsewhere start the tool itself"),
        ));
    };
    let pinned = Pinned::read(private)
        .map_err(|error| refused(format!("{}: {error}", private.display())))?;

    let read = shim::judge(tool, &args)?;
    let named = shim::named_by_environment(tool, env.iter());
    if let Some(target) =
        read.targets.iter().chain(&named).find(|target| !pinned.is_target(target, private))
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
    if pinned.lab {
        return in_the_lab(tool, args, &pinned, private, env);
    }

    let vars = env.iter().map(|(name, value)| (name.into(), value.into()));
    let real = ChildEnvironment::new(vars, None, own)
        .find(tool, Path::new("/"), None)
        .ok_or_else(|| Fault::new(Code::TOOL_MISSING, format!("`{tool}` is not on PATH")))?;
    // A script that emptied its environment would reach whatever the user's home folder names.
    let unset =
        pinned::variables(private).into_iter().filter(|(n, _)| !named.iter().any(|t| t.name == *n));
    let error = replace_by(&real, &args, unset);
    Err(Box::new(Fault::new(Code::TOOL_MISSING, format!("{}: {error}", real.display()))))
}

/// The lab answers in the tool's place: no process reaches the simulated cluster by itself.
fn in_the_lab(
    tool: &str,
    args: Vec<String>,
    pinned: &Pinned,
    private: &Path,
    env: &Environment,
) -> Result<ExitCode, Box<Fault>> {
    let unanswered =
        |why: String| {
            Box::new(refused(format!("`{tool}` is not answered by the lab: {why}")).detail(
                format!("`{tool}` was not started: the real one would ask the real cluster."),
            ))
        };
    let stdin = if args.iter().any(|arg| names_stdin(arg)) {
        let text = io::read_to_string(io::stdin().lock());
        Some(text.map_err(|error| unanswered(format!("stdin: {error}")))?)
    } else {
        None
    };
    let cwd = std::env::current_dir().map_err(|error| unanswered(error.to_string()))?;
    let env = pinned::variables(private).map(|(name, path)| {
        let set = env.named(name).filter(|set| !set.is_empty()).map(str::to_owned);
        (name.to_owned(), set.unwrap_or_else(|| path.display().to_string()))
    });
    let ask = Ask {
        cwd: cwd.display().to_string(),
        env: env.into(),
        stdin,
        files: pinned.configs(private).map(|(p, text)| (p.display().to_string(), text)).collect(),
    };
    let message = Message { tool: tool.to_owned(), args, says: Says::Ask(ask) };
    let answer = channel::ask(&talk(private), &message)
        .map_err(|error| unanswered(format!("its engine is not reached: {error}")))?
        .ok_or_else(|| unanswered("its engine ended".to_owned()))?;
    pass_on(&answer.stdout, &answer.stderr);
    Ok(ExitCode::from(answer.code))
}

/// `-`, `--filename=-`, `-f-`.
fn names_stdin(arg: &str) -> bool {
    matches!(arg, "-" | "-f-" | "/dev/stdin") || arg.ends_with("=-") || arg.ends_with("=/dev/stdin")
}

/// Tells the engine of a refusal, which stops the run there. Where the engine is not reached, the process group of the shell line ends here:
/// it must not go on as if nothing had been refused.
fn report(tool: &str, args: Vec<String>, fault: &Fault, private: Option<&Path>, inside: bool) {
    let says = Says::Refused(Refused::of(fault));
    let message = Message { tool: tool.to_owned(), args, says };
    let told = private.is_some_and(|private| channel::refuse(&talk(private), &message).is_ok());
    if !told && (inside || private.is_some()) {
        end_own_group();
    }
}

fn refused(title: impl Into<String>) -> Fault {
    Fault::new(Code::SHIM, title)
}

/// The channel's folder in a private one.
fn talk(private: &Path) -> PathBuf {
    private.join("talk")
}

/// The run's private folder, in whose `bin` this shim stands. A shell gives the name that was typed, so a bare one is looked up again; and where
/// this stands in another folder, the run's may still be on PATH.
fn private_folder(program: &OsStr, env: &Environment, own: &Path) -> Option<PathBuf> {
    let own = inode(own)?;
    let program = Path::new(program);
    let name = program.file_name()?;
    let typed = (program.components().count() > 1).then(|| program.to_owned());
    let path = std::env::split_paths(env.get(env::PATH).unwrap_or_default());
    let on_path = path.filter(|place| place.is_absolute()).map(|place| place.join(name));
    let private = |shim: PathBuf| {
        let private = shim.parent()?.canonicalize().ok()?.parent()?.to_owned();
        (inode(&shim) == Some(own) && Pinned::read(&private).is_ok()).then_some(private)
    };
    typed.into_iter().chain(on_path).find_map(private)
}
