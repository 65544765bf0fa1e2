//! Shims: what a shell may do with the tools. Only reads pass; every other verb, and every verb or flag that is not in the tables, is refused.
//!
//! Judges an argument list; starts nothing, and sees neither absolute paths nor what a provider says over gRPC.

mod flux;
mod grammar;
mod helm;
mod kubectl;
mod others;
mod talosctl;

#[cfg(test)]
mod tests;

use crate::call::table;
use crate::error::{Code, Fault};

use grammar::{Does, Parsed, Tool, Unparsed, parse};

static TOOLS: [Tool; 9] = [
    talosctl::TALOSCTL,
    kubectl::KUBECTL,
    helm::HELM,
    helm::HELMFILE,
    flux::FLUX,
    flux::FLUX_OPERATOR,
    others::OMNICTL,
    others::ARGOCD,
    others::VELERO,
];

/// Tools that stand behind a shim, by the name under which they are called.
pub fn tools() -> impl Iterator<Item = &'static str> {
    TOOLS.iter().map(|tool| tool.name)
}

/// A command that only reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Its verb, without aliases; empty where only help is asked for.
    pub verb: String,
    /// Targets that it names itself. The server's identity must equal the pin before it may run.
    pub targets: Vec<Override>,
}

/// A target that a command names itself instead of taking the pinned one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// `--context`, `KUBECONFIG`.
    pub name: String,
    /// What it says.
    pub value: String,
}

/// Judges a command line of a tool, without the program's name.
///
/// # Errors
/// Everything that is no read, and everything that is not understood.
pub fn judge(tool: &str, args: &[String]) -> Result<Read, Box<Fault>> {
    let Some(tool) = TOOLS.iter().find(|known| known.name == tool) else {
        return Err(Box::new(
            Fault::new(Code::SHIM, format!("`{tool}` is no tool that a shim knows"))
                .did_you_mean(tool, tools()),
        ));
    };
    let line = match parse(tool, args) {
        Ok(line) => line,
        Err(Unparsed::Help) => return Ok(Read::default()),
        Err(unparsed) => return Err(Box::new(not_understood(tool, args, &unparsed))),
    };
    if let Does::Writes(instead) = line.verb.does {
        return Err(Box::new(refused(tool, &line, instead)));
    }
    if let Some(flag) = line.flags.iter().find(|flag| flag.denied && !flag.off) {
        let (name, verb) = (flag.name, &line.name);
        let fault =
            Fault::new(Code::SHIM, format!("`{} {verb} --{name}` is more than a read", tool.name));
        return Err(Box::new(explain(fault)));
    }
    let rest: Vec<&str> = line.rest.iter().map(String::as_str).collect();
    let reads = match line.verb.does {
        Does::Reads => true,
        Does::ReadsUpTo(most) => rest.len() <= most,
        Does::ReadsWith(second) => rest.len() <= 1 || rest.len() == 2 && second.contains(&rest[1]),
        Does::Writes(_) => false,
    };
    if !reads {
        let verb = &line.name;
        let words = rest.join(" ");
        let fault = Fault::new(Code::SHIM, format!("`{} {verb} {words}` is no read", tool.name));
        return Err(Box::new(explain(fault)));
    }
    let target = |name: &&str| tool.targets.iter().any(|group| group.contains(name));
    let named = line.flags.into_iter().filter(|f| !f.off && target(&f.name));
    Ok(Read {
        verb: line.name,
        targets: named
            .map(|flag| Override { name: format!("--{}", flag.name), value: flag.value })
            .collect(),
    })
}

/// Targets that the environment names for a tool: the first place where a wrong cluster comes from.
pub fn named_by_environment<'a>(
    tool: &str,
    env: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Vec<Override> {
    let Some(tool) = TOOLS.iter().find(|known| known.name == tool) else { return Vec::new() };
    env.into_iter()
        .filter(|(name, value)| tool.env.contains(name) && !value.is_empty())
        .map(|(name, value)| Override { name: name.to_owned(), value: value.to_owned() })
        .collect()
}

fn refused(tool: &Tool, line: &Parsed, instead: &str) -> Fault {
    if (tool.name, line.name.as_str()) == ("talosctl", "reset") {
        return explain(talosctl::reset(line));
    }
    let fault = Fault::new(Code::SHIM, format!("`{} {}` is no read", tool.name, line.name));
    explain(in_a_recipe(fault, instead))
}

/// Names the call that does the same; nothing where there is none yet.
fn in_a_recipe(fault: Fault, instead: &str) -> Fault {
    match table::info(instead) {
        Some(_) => fault.help(format!("in a recipe: {instead}")),
        None => fault,
    }
}

fn not_understood(tool: &Tool, args: &[String], unparsed: &Unparsed) -> Fault {
    let name = tool.name;
    match unparsed {
        Unparsed::Verb(words) => {
            let known: Vec<&str> = tool
                .verbs
                .iter()
                .flat_map(|verb| verb.words.split(' ').take(1).flat_map(|word| word.split('|')))
                .collect();
            let first = words.split(' ').next().unwrap_or_default();
            let fault =
                Fault::new(Code::SHIM, format!("`{name} {words}` is not known to be a read"));
            explain(if known.contains(&first) { fault } else { fault.did_you_mean(first, known) })
        }
        Unparsed::Flag(flag) => {
            let verb = args.iter().find(|arg| !arg.starts_with('-')).map_or("", String::as_str);
            // A write is a write, whatever its flags: its own refusal says more than that of a flag.
            if let Some(line) = write_of(tool, args) {
                return line;
            }
            explain(Fault::new(Code::SHIM, format!("`{name} {verb}`: unknown flag `{flag}`")))
                .detail("A flag that nobody has looked at counts as destroying.")
        }
        Unparsed::Syntax(what) => explain(Fault::new(Code::SHIM, format!("`{name}`: {what}"))),
        Unparsed::Help => Fault::new(Code::SHIM, format!("`{name}`: no verb")),
    }
}

/// The refusal of a write verb whose flags are not in the tables.
fn write_of(tool: &Tool, args: &[String]) -> Option<Fault> {
    let words: Vec<&str> =
        args.iter().map(String::as_str).skip_while(|a| a.starts_with('-')).take(1).collect();
    let first = words.first()?;
    let verb = tool.verbs.iter().find(|verb| {
        matches!(verb.does, Does::Writes(_)) && verb.words.split('|').any(|word| word == *first)
    })?;
    let Does::Writes(instead) = verb.does else { return None };
    let fault = Fault::new(Code::SHIM, format!("`{} {first}` is no read", tool.name));
    Some(explain(in_a_recipe(fault, instead)))
}

fn explain(fault: Fault) -> Fault {
    fault.detail(
        "A shell may only read with this tool; what changes something is a call of a recipe.",
    )
}
