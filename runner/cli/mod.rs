//! The command line: parse, resolve, dispatch, exit code. Decides nothing about calls.

mod adopt;
mod args;
mod ask;
mod diff;
mod history;
mod index;
mod invocation;
mod lab;
mod list;
mod opened;
mod patch;
mod plan;
mod recipes;
mod resume;
mod run;
mod seam;
pub mod shim;
mod show;
mod signals;
mod sops;
mod status;
mod verify;
mod watch;
mod why;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use ops_core::error::{Code, Exit, Fault};

use crate::config::{Environment, Project, Settings};
use crate::output::{Look, Output};
use crate::sys::redact::Redactor;
use args::{Command, Globals, Parsed};

/// Runs `ops` with the words of the command line (the program's name first).
pub fn main(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let env = Environment::of_process();
    let redactor = Redactor::default();
    if let Some(point) = env.get(crate::config::env::OPS_FAULT).filter(|point| !point.is_empty())
        && let Err(why) = crate::sys::fault::arm(point)
    {
        Globals::default().output(&env, &redactor).fault(&Fault::new(Code::USAGE, why));
        return ExitCode::from(Exit::Usage.code());
    }
    let words: Result<Vec<String>, OsString> =
        words.into_iter().map(OsString::into_string).collect();
    let exit = match words {
        Ok(words) => invoke(&words, &env, &redactor),
        Err(word) => {
            let title = format!("`{}` is not UTF-8 text", word.to_string_lossy());
            let out = Globals::default().output(&env, &redactor);
            out.fault(&Fault::new(Code::USAGE, title));
            Exit::Usage
        }
    };
    ExitCode::from(exit.code())
}

fn invoke(words: &[String], env: &Environment, redactor: &Redactor) -> Exit {
    // Also where it is not understood: what is copied from an error must not reach the real cluster where this command would not have.
    let said = |flag: &str| words.iter().take_while(|w| *w != "--").any(|word| word == flag);
    let end = |out: &Output, result: Result<Exit, Fault>| match result {
        Ok(exit) => exit,
        Err(fault) => {
            out.fault(&fault);
            fault.code.exit
        }
    };
    match args::parse(words) {
        Ok(Parsed::Help(text)) => {
            Globals::default().output(env, redactor).result(&text);
            Exit::Done
        }
        Ok(Parsed::Command { globals, command }) => {
            let start = Start { globals, env: env.clone(), redactor: redactor.clone() };
            let seen = Globals { lab: said("--lab"), ..start.globals.clone() };
            let out = seen.output(env, redactor);
            end(&out, dispatch(&start, command))
        }
        Err(fault) => {
            // What was typed does not parse; whether JSON was wanted can still be seen.
            let (json, lab) = (said("--json"), said("--lab"));
            let globals = Globals { lab, json, ..Globals::default() };
            end(&globals.output(env, redactor), Err(fault))
        }
    }
}

/// What every command begins with.
pub(crate) struct Start {
    globals: Globals,
    env: Environment,
    redactor: Redactor,
}

impl Start {
    /// The repository of `-C`, or of where the user stands.
    fn project(&self) -> Result<Project, Fault> {
        let start = self.globals.directory.clone().unwrap_or_else(|| PathBuf::from("."));
        Project::find(&start)
    }

    /// Everything resolved, for commands that take no recipe.
    fn settings(&self) -> Result<Settings, Fault> {
        Settings::resolve(self.project()?, &self.globals.typed(), self.env.clone(), &sops::Sops)
    }

    fn output(&self) -> Output {
        self.globals.output(&self.env, &self.redactor)
    }
}

fn dispatch(start: &Start, command: Option<Command>) -> Result<Exit, Fault> {
    if let Some(name) = command.as_ref().and_then(Command::name) {
        shadowed(start, name)?;
    }
    let acts = match &command {
        Some(Command::Resume(_)) => Some("resume"),
        Some(Command::Lab(_)) => Some("lab"),
        Some(Command::Patch(_)) => Some("patch"),
        _ => None,
    };
    // Whoever types it wants nothing to happen: passed over, it would happen.
    if let Some(name) = acts.filter(|_| start.globals.dry_run) {
        let title = format!("`ops {name}` cannot be tried with --dry-run");
        return Err(Fault::new(Code::USAGE, title).next(format!("ops {name} --help")));
    }
    match command {
        None => list::run(start, &args::ListArgs::default()),
        Some(Command::List(args)) => list::run(start, &args),
        Some(Command::Show(args)) => show::run(start, &args),
        Some(Command::Run(args)) => run::run(start, &args.words),
        Some(Command::Recipe(words)) => run::run(start, &words),
        Some(Command::Plan(args)) => plan::run(start, &args),
        Some(Command::Watch(args)) => watch::run(start, &args),
        Some(Command::Why(args)) => why::run(start, &args.words),
        Some(Command::Verify(args)) => verify::run(start, &args.words),
        Some(Command::Adopt(args)) => adopt::run(start, &args),
        Some(Command::Status) => status::run(start),
        Some(Command::Resume(args)) => resume::run(start, &args),
        Some(Command::History) => history::run(start),
        Some(Command::Lab(args)) => lab::run(start, &args),
        Some(Command::Patch(args)) => patch::run(start, &args),
        Some(Command::Diff(args)) => diff::run(start, &args),
    }
}

/// A subcommand wins over a recipe of its name, and says so.
fn shadowed(start: &Start, name: &str) -> Result<(), Fault> {
    let root = start.project()?.root;
    let recipe = |path: &str| root.join("recipes").join(path).is_file();
    if recipe(&format!("{name}.lua")) || recipe(&format!("{name}/default.lua")) {
        let out = start.output();
        let remark = format!("`{name}` is a command of ops; the recipe runs as `ops run {name}`");
        out.remark(&out.command(&remark));
    }
    Ok(())
}

impl Globals {
    fn output(&self, env: &Environment, redactor: &Redactor) -> Output {
        let look = Look::of_process(self.colour(), env);
        Output::of_process(look, self.mode(), redactor.clone()).at(self.target())
    }
}
