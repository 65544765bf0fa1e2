//! What can be typed: subcommands and flags as data. Their comments are the help. Resolves nothing.

use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use ops_core::error::{Code, Fault};

use super::patch::PatchArgs;
use crate::config::{ChildOutput, Typed};
use crate::output::{Colour, Mode, Target};
use crate::recipe::words::Outside;

mod help;

pub(crate) use help::or_own_flag;

const EXITS: &str = "\
Exit codes:
    0  done
    1  a recipe failed, or a check found something
    2  wrong usage, unreadable or wrong configuration
    3  a guard refused, or a confirmation was declined or had no terminal
    4  no valid grant: see `ops verify`
    5  a journal or a saved plan no longer holds
    6  a tool is missing or too old
    7  another run holds the cluster
    8  the outcome of a call is unknown: a person must say
   10  `plan --exit-code`, `diff --exit-code`: changes pend
  101  a fault of ops
  130, 143  interrupted; the journal is kept, `ops resume` goes on

`ops RECIPE` means `ops run RECIPE`; bare `ops` lists the recipes.";

const WATCH: &str = "\
It follows exactly what the last run read: files, also missing ones, members of
patterns, links, recipes, the inventory. A save during a run cuts it short and
starts the next, unless the run has begun to change a cluster.

Ctrl-C ends it: with 0 while it waits, with 130 where a run was interrupted.";

/// Runs Lua recipes against Talos and Kubernetes clusters, every effect through one gate
#[derive(Debug, Parser)]
#[command(
    name = "ops",
    version,
    after_help = EXITS,
    disable_help_subcommand = true,
    max_term_width = 100
)]
struct Top {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Flags that every command takes; they may also stand behind a recipe.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Globals {
    /// Work in this folder, or the repository that it lies in
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub directory: Option<PathBuf>,
    /// The cluster; else OPS_CLUSTER, `defaults.cluster` of ops.toml, or the only one
    #[arg(long, value_name = "NAME", global = true)]
    pub cluster: Option<String>,
    /// Let the simulated cluster stand in for the real one
    #[arg(long, global = true)]
    pub lab: bool,
    /// Only plan: the same as `ops plan`
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// Answer yes to questions; never to a typed confirmation
    #[arg(short, long, global = true)]
    pub yes: bool,
    /// How many steps and branches may work at once
    #[arg(short, long, value_name = "N", global = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub jobs: Option<u32>,
    /// JSON on standard output: one document, or one event a line
    #[arg(long, global = true)]
    pub json: bool,
    /// How the output of child processes is shown
    #[arg(long, value_enum, value_name = "MODE", global = true)]
    pub output: Option<OutputArg>,
    /// Colours
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto", global = true)]
    pub color: ColorArg,
    /// Tell reads and debug messages too
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Tell only results and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Run what was asked for even if it is up to date; reaches no guard and no precondition
    #[arg(long, global = true)]
    pub force: bool,
    /// After a failure, go on with what does not depend on it
    #[arg(long, global = true)]
    pub keep_going: bool,
}

/// `--output`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputArg {
    Group,
    Prefix,
    Interleave,
    Quiet,
}

/// `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorArg {
    #[default]
    Auto,
    Always,
    Never,
}

/// What `ops` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run recipes, each with its own flags behind it
    #[command(override_usage = "ops run RECIPE [--param VALUE …] [RECIPE …]")]
    Run(Words),
    /// Show what recipes would do, and do nothing
    #[command(override_usage = "ops plan RECIPE [--param VALUE …] [RECIPE …]")]
    Plan(PlanArgs),
    /// Run recipes now, and again whenever something that they read changes
    #[command(
        override_usage = "ops watch [--apply] [--poll SECONDS] RECIPE [--param VALUE …] [RECIPE …]",
        after_help = WATCH
    )]
    Watch(WatchArgs),
    /// Say whether recipes are up to date, and which input made them run
    #[command(override_usage = "ops why RECIPE [--param VALUE …] [RECIPE …]")]
    Why(Words),
    /// Gather the evidence for exactly these destroying calls, and grant them; alone: only the evidence
    #[command(override_usage = "ops verify [RECIPE [--param VALUE …]]")]
    Verify(Words),
    /// Read the identity of cluster and nodes, and write clusters/NAME.lock.toml
    Adopt(AdoptArgs),
    /// Health, and everything left open
    Status,
    /// List the recipes
    List(ListArgs),
    /// Explain a recipe: parameters, needs, examples
    Show(ShowArgs),
    /// Go on with a run that did not end
    Resume(ResumeArgs),
    /// Past runs
    History,
    /// The simulated cluster, and faults to put into it
    Lab(LabArgs),
    /// How each node's machine config would change; secrets are left out
    Diff(DiffArgs),
    /// Patch a machine config as talosctl does, offline
    Patch(PatchArgs),
    /// `ops RECIPE …`
    #[command(external_subcommand)]
    Recipe(Vec<String>),
}

/// Recipes with their flags, as they were typed.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    /// Recipes and their flags
    #[arg(value_name = "RECIPE", trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<String>,
}

#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PlanArgs {
    /// End with 10 where changes pend
    #[arg(long)]
    pub exit_code: bool,
    #[command(flatten)]
    pub words: Words,
}

#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DiffArgs {
    /// Nodes to look at: names, `all`, `controlplanes`, `workers`, `@tag`, `!name`
    #[arg(value_name = "NODES")]
    pub positional: Vec<String>,
    /// The same
    #[arg(long, value_name = "NODES")]
    pub nodes: Vec<String>,
    /// Against what the nodes run with, not against the files
    #[arg(long)]
    pub live: bool,
    /// End with 10 where anything would change
    #[arg(long)]
    pub exit_code: bool,
}

#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WatchArgs {
    /// Carry out what changes more than files, behind the guards; without it that is only planned
    #[arg(long)]
    pub apply: bool,
    /// Look for changes every so many seconds, for file systems that do not tell of them
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub poll: Option<u16>,
    #[command(flatten)]
    pub words: Words,
}

#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AdoptArgs {
    /// Only this node
    #[arg(value_name = "NODE")]
    pub node: Option<String>,
    /// How strict the guards are from now on
    #[arg(long, value_enum, value_name = "PROFILE")]
    pub profile: Option<ProfileArg>,
}

/// `--profile`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProfileArg {
    Dev,
    Standard,
    Production,
}

#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ListArgs {
    /// Private recipes too
    #[arg(long)]
    pub all: bool,
}

#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShowArgs {
    /// The recipe
    #[arg(value_name = "RECIPE")]
    pub recipe: String,
}

#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResumeArgs {
    /// The run; the last one that did not end
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Go on although recipes or inventory have changed since
    #[arg(long)]
    pub accept_changes: bool,
    /// Say what became of a call whose outcome nobody knows
    #[arg(long, value_name = "CALL=done|not-done")]
    pub settle: Vec<String>,
    /// Only run the cleanups that are still open
    #[arg(long)]
    pub abandon: bool,
}

#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct LabArgs {
    #[command(subcommand)]
    pub command: LabCommand,
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum LabCommand {
    /// Make the cluster: bare nodes in maintenance mode
    Up {
        /// A bootstrapped, healthy cluster instead, with the client files that belong to it
        #[arg(long)]
        healthy: bool,
        /// One seed is one history
        #[arg(long, value_name = "N", default_value_t = 1)]
        seed: u64,
    },
    /// Draw its state
    State,
    /// Put a fault into it
    Break {
        /// Which: node-offline, network-cut, etcd-member-down, api-timeout, wrong-context, slow, lose-reply, lose-request
        #[arg(value_name = "FAULT")]
        fault: String,
        /// The node that it is about
        #[arg(value_name = "NODE")]
        node: Option<String>,
    },
    /// Take a fault out of it again
    Heal {
        /// Which
        #[arg(value_name = "FAULT")]
        fault: String,
        /// The node that it is about
        #[arg(value_name = "NODE")]
        node: Option<String>,
    },
    /// Forget it
    Reset,
    /// What the simulation stands on, fact by fact
    Facts,
}

impl Command {
    /// The word that was typed, where it is a subcommand's.
    pub(crate) fn name(&self) -> Option<&'static str> {
        Some(match self {
            Command::Run(_) => "run",
            Command::Plan(_) => "plan",
            Command::Watch(_) => "watch",
            Command::Why(_) => "why",
            Command::Verify(_) => "verify",
            Command::Adopt(_) => "adopt",
            Command::Status => "status",
            Command::List(_) => "list",
            Command::Show(_) => "show",
            Command::Resume(_) => "resume",
            Command::History => "history",
            Command::Lab(_) => "lab",
            Command::Diff(_) => "diff",
            Command::Patch(_) => "patch",
            Command::Recipe(_) => return None,
        })
    }
}

impl Globals {
    /// What they say about configuration.
    pub(crate) fn typed(&self) -> Typed {
        let output = self.output.map(|output| match output {
            OutputArg::Group => ChildOutput::Group,
            OutputArg::Prefix => ChildOutput::Prefix,
            OutputArg::Interleave => ChildOutput::Interleave,
            OutputArg::Quiet => ChildOutput::Quiet,
        });
        Typed { cluster: self.cluster.clone(), lab: self.lab, jobs: self.jobs, output }
    }

    /// What they say about the target.
    pub(crate) fn target(&self) -> Target {
        let directory = self.directory.as_ref().map(|dir| dir.display().to_string());
        Target { directory, cluster: self.cluster.clone(), lab: self.lab }
    }

    pub(crate) fn colour(&self) -> Colour {
        match self.color {
            ColorArg::Auto => Colour::Auto,
            ColorArg::Always => Colour::Always,
            ColorArg::Never => Colour::Never,
        }
    }

    pub(crate) fn mode(&self) -> Mode {
        match (self.json, self.quiet, self.verbose) {
            (true, _, _) => Mode::Json,
            (_, true, _) => Mode::Quiet,
            (_, _, true) => Mode::Verbose,
            _ => Mode::Human,
        }
    }

    /// These flags, and those that stood behind a recipe.
    pub(crate) fn with(self, behind: &[String]) -> Result<Globals, Fault> {
        if behind.is_empty() {
            return Ok(self);
        }
        let words: Vec<&str> =
            std::iter::once("ops").chain(behind.iter().map(String::as_str)).collect();
        let late = Top::try_parse_from(words).map_err(|error| explain(&error, &[]))?.globals;
        if late.directory.is_some() {
            return Err(Fault::new(Code::USAGE, "`-C` stands before the recipe")
                .help("it decides which recipes there are"));
        }
        Ok(Globals {
            directory: self.directory,
            cluster: late.cluster.or(self.cluster),
            lab: self.lab || late.lab,
            dry_run: self.dry_run || late.dry_run,
            yes: self.yes || late.yes,
            jobs: late.jobs.or(self.jobs),
            json: self.json || late.json,
            output: late.output.or(self.output),
            color: if late.color == ColorArg::Auto { self.color } else { late.color },
            verbose: self.verbose || late.verbose,
            quiet: self.quiet || late.quiet,
            force: self.force || late.force,
            keep_going: self.keep_going || late.keep_going,
        })
    }
}

/// A command line, understood as far as that goes without files.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// Help or version: a text to show.
    Help(String),
    /// A command; none lists the recipes.
    Command { globals: Globals, command: Option<Command> },
}

/// Parses the words of the command line, the program's name first.
pub(crate) fn parse(words: &[String]) -> Result<Parsed, Fault> {
    match Top::try_parse_from(words) {
        Ok(top) => Ok(Parsed::Command { globals: top.globals, command: top.command }),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::DisplayHelp
                    | ErrorKind::DisplayVersion
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            ) =>
        {
            let own = (error.kind() != ErrorKind::DisplayVersion).then(|| help::of(words));
            Ok(Parsed::Help(own.flatten().unwrap_or_else(|| error.render().to_string())))
        }
        Err(error) => Err(explain(&error, words)),
    }
}

/// The flags of `ops` that may stand behind a recipe.
pub(crate) fn outside() -> Vec<Outside> {
    // Without the subcommands: to build them all takes longer than all else that is done with the words.
    let globals = Globals::augment_args(clap::Command::default());
    globals
        .get_arguments()
        .filter(|arg| arg.is_global_set())
        .map(|arg| Outside {
            long: arg.get_long().unwrap_or_default().to_owned(),
            short: arg.get_short(),
            value: arg.get_action().takes_values(),
        })
        .collect()
}

fn top() -> clap::Command {
    Top::command()
}

/// Every subcommand's word, for suggestions.
pub(crate) fn subcommands() -> Vec<String> {
    Top::command().get_subcommands().map(|c| c.get_name().to_owned()).collect()
}

/// A parser's complaint in the words of `ops`.
fn explain(error: &clap::Error, words: &[String]) -> Fault {
    let text = |kind: ContextKind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(list)) => Some(list.join(", ")),
        _ => None,
    };
    let arg = text(ContextKind::InvalidArg).unwrap_or_default();
    let title = match error.kind() {
        ErrorKind::UnknownArgument => format!("there is no flag `{arg}` here"),
        ErrorKind::InvalidSubcommand => {
            let word = text(ContextKind::InvalidSubcommand).unwrap_or_default();
            format!("there is no command `{word}`")
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let value = text(ContextKind::InvalidValue).unwrap_or_default();
            if value.is_empty() {
                format!("`{arg}` needs a value")
            } else {
                format!("`{arg}`: `{value}` is no value for it")
            }
        }
        ErrorKind::MissingRequiredArgument => format!("{arg} is missing"),
        ErrorKind::MissingSubcommand => "a command is missing".to_owned(),
        ErrorKind::ArgumentConflict => {
            let other = text(ContextKind::PriorArg).unwrap_or_default();
            format!("`{arg}` and `{other}` contradict each other")
        }
        _ => {
            let rendered = error.to_string();
            let first = rendered.lines().next().unwrap_or("wrong usage");
            first.strip_prefix("error: ").unwrap_or(first).to_owned()
        }
    };
    let mut fault = Fault::new(Code::USAGE, title);
    if let Some(valid) = text(ContextKind::ValidValue).filter(|v| !v.is_empty()) {
        fault = fault.detail(format!("possible: {valid}"));
    }
    for kind in
        [ContextKind::SuggestedArg, ContextKind::SuggestedValue, ContextKind::SuggestedSubcommand]
    {
        if let Some(near) = text(kind).filter(|near| !near.is_empty()) {
            fault = fault.help(format!("did you mean `{near}`?"));
        }
    }
    let commands = subcommands();
    // The first word that is one: a value of a flag before it is hardly named alike.
    match words.iter().skip(1).find(|word| commands.contains(word)) {
        Some(command) => fault.next(format!("ops {command} --help")),
        None => fault.next("ops --help"),
    }
}

#[cfg(test)]
mod tests;
