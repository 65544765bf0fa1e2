//! What processes read and write by their own or their recipe's word, and the programs and variables that they start with.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;

use ops_core::call::Request;
use ops_core::call::manifests::Kustomize;
use ops_core::call::table::Call;
use ops_core::trace::{Input, Print};

use super::compare::Check;
use super::words::{self, Words};
use super::{Blocking, Skip};
use crate::host::recorder::{Recorder, links_on};
use crate::host::{Found, find_for_process};
use crate::recipe::Head;
use crate::sys::disk::Disk;
use crate::sys::files::normal;
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
            let named = |p: &&String| p.trim_matches(['.', '/']) == name.trim_matches(['.', '/']);
            let pattern = patterns.iter().find(named);
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
            let pattern = if folder { format!("{plain}/") } else { word.to_owned() };
            // What cannot be followed is found again by the next look, which then lets the step run.
            let members = find_for_process(&pattern, prints).unwrap_or_default().files;
            files.extend(members.iter().cloned());
            inputs.push(Input::Glob { pattern, members, shell: true });
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
            // A pipe, a socket, a device: it is there, and has no content of its own.
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                Input::Present { path, folder: false }
            }
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
    let (named, program, reads, writes, cwd) = match call {
        Call::Sh(sh) => {
            let named = words::of_script(&sh.script.0);
            (Some(named), Some("bash"), &sh.reads, &sh.writes, &sh.cwd)
        }
        Call::ShExec(exec) => {
            let program = exec.argv.0.first().map(String::as_str);
            let named = words::of_command(&exec.argv.0);
            (Some(named), program, &exec.reads, &exec.writes, &exec.cwd)
        }
        _ => (None, spec.tool().map(|tool| tool.name), &None, &None, &None),
    };
    let mut tools: BTreeSet<String> = program.map(str::to_owned).into_iter().collect();
    if let Call::KubeKustomize(call) = call {
        // The first that is there builds; that one is missing is an input as well.
        tools.extend(Kustomize::commands(&call.path).map(|command| command.tool));
    }
    let mut scripts = BTreeSet::new();
    if let Some(Words { programs, asked, scripts: started, variables, capitals }) = named {
        tools.extend(head.tools.keys().cloned());
        tools.extend(asked);
        let there = |program: &String| skip.around.program(program).is_some();
        tools.extend(programs.into_iter().filter(there));
        scripts.extend(started.iter().filter_map(|script| below(cwd.as_deref(), script)));
        // Those of the head stand for every shell of the recipe.
        recorder.writes(&head.generates);
        recorder.writes(writes.as_deref().unwrap_or_default());
        let set = |name: &String| skip.around.variable(name).is_some();
        for name in variables.into_iter().chain(capitals.into_iter().filter(set)) {
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
    // Those that are missing, or no files, say nothing: the script may make them before it starts them.
    scripts.retain(|path| {
        let stat = skip.prints.stat(path).ok().flatten();
        stat.is_some_and(|stat| !stat.dir) && !recorder.has_path(path)
    });
    recorder.taken(&scripts);
    if words.is_empty() && programs.is_empty() && scripts.is_empty() {
        return None;
    }
    words.extend(scripts);
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

/// A path of a script as it is seen from the root.
fn below(cwd: Option<&str>, path: &str) -> Option<String> {
    let path = match cwd {
        Some(cwd) if !path.starts_with('/') => format!("{cwd}/{path}"),
        _ => path.to_owned(),
    };
    normal(&path).ok()
}

/// What patterns of outputs stand for.
#[derive(Default)]
pub(super) struct Made {
    /// Patterns without a match.
    pub(super) empty: Vec<String>,
    /// Files, those in folders too.
    pub(super) files: BTreeSet<String>,
    /// Something among them that cannot be followed.
    pub(super) blind: Option<String>,
}

/// Looks up patterns of outputs.
pub(super) fn outputs(patterns: &[String], prints: &Prints) -> Made {
    let mut made = Made::default();
    for word in patterns {
        let plain = word.strip_prefix("./").unwrap_or(word).trim_end_matches('/');
        let stat = prints.stat(plain).ok().flatten();
        let found = match (is_pattern(plain), stat) {
            (false, Some(stat)) if stat.dir => find_for_process(&format!("{plain}/"), prints),
            (false, Some(_)) => Ok(Found { files: vec![plain.to_owned()], blind: None }),
            (false, None) => Ok(Found::default()),
            (true, _) => find_for_process(plain, prints),
        };
        let Found { files, blind } = found.unwrap_or_default();
        if files.is_empty() {
            made.empty.push(word.clone());
        }
        made.files.extend(files);
        made.blind = made.blind.or(blind);
    }
    made
}
