//! What processes read and write by their own or their recipe's word, and the programs and variables that they start with.

use std::collections::{BTreeMap, BTreeSet};

use ops_core::call::Request;
use ops_core::call::manifests::Kustomize;
use ops_core::call::table::Call;
use ops_core::trace::{Input, Print};

use super::compare::Check;
use super::{Blocking, Skip};
use crate::host::find_files;
use crate::host::recorder::{Recorder, links_on};
use crate::recipe::Head;
use crate::sys::disk::Disk;
use crate::sys::prints::{Prints, each};

/// Where tools are chosen for a folder by name: what a program called `shims/TOOL` reads.
const CHOICES: [&str; 4] = [".tool-versions", "mise.toml", ".mise.toml", ".mise/config.toml"];

/// Whether a word is a pattern.
fn is_pattern(word: &str) -> bool {
    word.contains(['*', '?', '[', '{'])
}

/// The declared sources of a recipe: patterns with their members, and the members' fingerprints. In a plan only the patterns.
///
/// # Errors
/// The first pattern that matches nothing.
pub(super) fn sources(
    patterns: &[String],
    check: &Check,
    plan: bool,
) -> Result<Vec<Input>, String> {
    let inputs = look(patterns, &check.prints, &check.disk, &BTreeMap::new(), plan);
    let empty = |input: &&Input| match input {
        Input::Glob { members, .. } => members.is_empty(),
        Input::Absent { .. } => true,
        _ => false,
    };
    match inputs.iter().find(empty) {
        Some(input) => {
            let name = input.name();
            let pattern = patterns.iter().find(|p| p.trim_end_matches("/**") == name);
            Err(pattern.map_or(name, String::as_str).to_owned())
        }
        None => Ok(inputs),
    }
}

/// What paths and patterns stand for, right now.
fn look(
    words: &[String],
    prints: &Prints,
    disk: &Disk,
    known: &BTreeMap<String, Print>,
    names_only: bool,
) -> Vec<Input> {
    let mut inputs = Vec::new();
    let mut files: BTreeSet<String> = BTreeSet::new();
    for word in words {
        let word = word.strip_prefix("./").unwrap_or(word);
        let plain = word.trim_end_matches('/');
        let folder =
            !is_pattern(word) && prints.stat(plain).is_ok_and(|s| s.is_some_and(|s| s.dir));
        if is_pattern(word) || folder {
            let pattern = if folder { format!("{plain}/**") } else { word.to_owned() };
            let members = find_files(&pattern, disk).unwrap_or_default();
            files.extend(members.iter().cloned());
            inputs.push(Input::Glob { pattern, members });
        } else if prints.stat(plain).is_ok_and(|stat| stat.is_some()) {
            files.insert(plain.to_owned());
        } else {
            inputs.push(Input::Absent { path: plain.to_owned() });
        }
    }
    if names_only {
        return inputs;
    }
    let mut plain = BTreeSet::new();
    for path in &files {
        inputs.extend(links_on(path, disk, &mut plain));
    }
    let files: Vec<String> = files.into_iter().collect();
    let now = prints.now();
    let found = each(&files, |path| prints.of(path, known.get(path), now));
    for (path, print) in files.into_iter().zip(found) {
        inputs.push(match print {
            Ok(Some(print)) => Input::File { path, print },
            _ => Input::Absent { path },
        });
    }
    inputs
}

/// Notes what a local call starts with, and gives the look at what a process will read. Files that the call's own code reads are recorded as
/// it reads them.
pub(super) fn before(
    skip: &Skip<'_>,
    recorder: &Recorder,
    head: &Head,
    request: &Request,
    call: &Call,
) -> Option<Blocking<Vec<Input>>> {
    let spec = call.spec();
    let (script, program, reads, writes) = match call {
        Call::Sh(sh) => (Some(sh.script.0.as_str()), Some("bash"), &sh.reads, &sh.writes),
        Call::ShExec(exec) => {
            (None, exec.argv.0.first().map(String::as_str), &exec.reads, &exec.writes)
        }
        _ => (None, spec.tool().map(|tool| tool.name), &None, &None),
    };
    let shell = matches!(call, Call::Sh(_) | Call::ShExec(_));
    let mut tools: BTreeSet<String> = program.map(str::to_owned).into_iter().collect();
    if let Call::KubeKustomize(call) = call {
        // The first that is there builds; that one is missing is an input as well.
        tools.extend(Kustomize::commands(&call.path).map(|command| command.tool));
    }
    if shell {
        tools.extend(head.tools.keys().cloned());
        // Those of the head stand for every shell of the recipe.
        recorder.writes(&head.generates);
        recorder.writes(writes.as_deref().unwrap_or_default());
        for name in script.map(variables).unwrap_or_default() {
            let given = request.args.get("env").is_some_and(|env| env.get(&name).is_some());
            if !given {
                let digest = skip.around.variable(&name);
                recorder.input(Input::Variable { name, digest });
            }
        }
    }
    let mut words: Vec<String> = reads.clone().unwrap_or_default();
    if words == head.sources {
        // Looked at before the step began.
        words.clear();
    }
    let programs: Vec<(String, Option<std::path::PathBuf>)> = tools
        .into_iter()
        .filter(|tool| !recorder.has_tool(tool))
        .map(|tool| {
            let found = skip.around.program(&tool);
            (tool, found)
        })
        .collect();
    if words.is_empty() && programs.is_empty() {
        return None;
    }
    let (prints, disk, known) = (skip.prints.clone(), skip.disk.clone(), recorder.known_prints());
    Some(Box::new(move || {
        let mut inputs = look(&words, &prints, &disk, &known, false);
        for (name, found) in programs {
            let shims = found.as_ref().is_some_and(|p| p.iter().any(|part| part == "shims"));
            if shims {
                let choices: Vec<String> = CHOICES.map(str::to_owned).into();
                inputs.extend(look(&choices, &prints, &disk, &known, false));
            }
            let path = found.and_then(|path| path.canonicalize().ok());
            let path = path.map(|path| path.display().to_string());
            let print = path
                .as_deref()
                .and_then(|path| prints.of(path, known.get(path), prints.now()).ok().flatten());
            inputs.push(Input::Tool { name, path, print });
        }
        inputs
    }))
}

/// The variables that a script names: `$NAME` and `${NAME…}`. One in single quotes or set by the script itself is one too many, never one too
/// few.
fn variables(script: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in script.match_indices('$') {
        let rest = &script[at + 1..];
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        let rest = rest.strip_prefix(['#', '!']).unwrap_or(rest);
        let name: String =
            rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            names.insert(name);
        }
    }
    names
}

/// What patterns of outputs stand for: files, and folders of them. The pattern without a match comes first.
pub(super) fn outputs(
    patterns: &[String],
    prints: &Prints,
    disk: &Disk,
) -> (Vec<String>, BTreeSet<String>) {
    let (mut empty, mut found) = (Vec::new(), BTreeSet::new());
    for word in patterns {
        let plain = word.strip_prefix("./").unwrap_or(word).trim_end_matches('/');
        let stat = prints.stat(plain).ok().flatten();
        let members = match (is_pattern(plain), stat) {
            (false, Some(stat)) if stat.dir => {
                find_files(&format!("{plain}/**"), disk).unwrap_or_default()
            }
            (false, Some(_)) => vec![plain.to_owned()],
            (false, None) => Vec::new(),
            (true, _) => find_files(plain, disk).unwrap_or_default(),
        };
        if members.is_empty() {
            empty.push(word.clone());
        }
        found.extend(members);
    }
    (empty, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_of_a_script_are_found() {
        let script = "echo $HOME ${CC:-gcc} $1 $? \"$MODE\" ${#LIST} '$x' $$ ${!ref}";
        let names: Vec<String> = variables(script).into_iter().collect();
        assert_eq!(names, ["CC", "HOME", "LIST", "MODE", "ref", "x"]);
    }
}
