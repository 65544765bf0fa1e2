//! Which flags mean something to which subcommand: its help lists these and no others. They are understood everywhere.

use clap::Command;
use ops_core::error::{Code, Fault, nearest};

/// The flags that some subcommands have no use for, each with those that have one.
const MEANT: [(&str, &[&str]); 11] = [
    (
        "cluster",
        &[
            "run", "plan", "watch", "why", "verify", "adopt", "status", "list", "resume",
            "history", "lab", "diff",
        ],
    ),
    (
        "lab",
        &[
            "run", "plan", "watch", "why", "verify", "adopt", "status", "list", "resume",
            "history", "diff",
        ],
    ),
    ("dry_run", &["run", "watch", "adopt"]),
    ("yes", &["run", "watch", "resume", "adopt"]),
    ("jobs", &["run", "plan", "watch", "verify", "resume", "diff", "status"]),
    (
        "json",
        &[
            "run", "plan", "watch", "why", "verify", "adopt", "status", "list", "show", "resume",
            "history", "lab", "diff", "patch",
        ],
    ),
    ("output", &["run", "watch", "resume"]),
    ("verbose", &["run", "plan", "watch", "why", "status", "resume"]),
    ("quiet", &["run", "watch", "adopt", "status", "list", "resume", "lab", "patch"]),
    ("force", &["run", "plan", "watch", "why", "resume"]),
    ("keep_going", &["run", "watch", "resume"]),
];

/// The help of the subcommand that these words name, with the flags that mean something to it; none where they name no subcommand.
pub(super) fn of(words: &[String]) -> Option<String> {
    let asks = |word: &&String| matches!(word.as_str(), "-h" | "--help");
    let others = words.iter().filter(|word| !asks(word));
    let mut found = super::top().ignore_errors(true).try_get_matches_from(others).ok()?;
    let mut top = super::top();
    // Flags of all commands are handed down by this.
    top.build();
    let (name, below) = found.remove_subcommand()?;
    let mut command = without(top.find_subcommand(&name)?.clone(), &name);
    let mut found = below;
    while let Some((name, below)) = found.remove_subcommand() {
        command = command.find_subcommand(&name)?.clone();
        found = below;
    }
    Some(command.render_help().to_string())
}

fn without(mut command: Command, name: &str) -> Command {
    for (flag, _) in MEANT.iter().filter(|(_, commands)| !commands.contains(&name)) {
        if command.get_arguments().any(|arg| arg.get_id() == *flag && arg.is_global_set()) {
            command = command.mut_arg(flag, |arg| arg.hide(true));
        }
    }
    let below: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    for sub in below {
        command = command.mut_subcommand(&sub, |command| without(command, name));
    }
    command
}

/// A flag that is unknown among a recipe's words may be one of the subcommand's own.
pub(crate) fn or_own_flag(fault: Fault, command: &str) -> Fault {
    let unknown = matches!(fault.code, Code::USAGE | Code::PARAM_UNKNOWN);
    let flag = fault.title.split('`').find(|word| word.starts_with("--"));
    let Some(flag) = flag.filter(|_| unknown && fault.help.is_empty()) else { return fault };
    let top = super::top();
    let Some(own) = top.find_subcommand(command) else { return fault };
    let own = own.get_arguments().filter(|arg| !arg.is_global_set());
    let own: Vec<&str> = own.filter_map(clap::Arg::get_long).collect();
    let bare = flag.trim_start_matches('-');
    match nearest(bare, own.iter().copied()) {
        Some(near) if near == bare => {
            fault.help(format!("it stands before the recipe: `ops {command} --{near} …`"))
        }
        Some(near) => fault.help(format!("did you mean `ops {command} --{near}`?")),
        // `--pol` is the beginning of `--poll`.
        None => match own.iter().find(|own| bare.len() > 1 && own.starts_with(bare)) {
            Some(own) => fault.help(format!("did you mean `ops {command} --{own}`?")),
            None => fault,
        },
    }
}
