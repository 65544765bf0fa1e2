//! What the heads of a graph ask of this machine before the first step: the tools of their shell lines in their versions, and a terminal. Typed
//! calls know their own tools.

use std::collections::BTreeSet;

use ops_core::argv::{Argv, ToolOutput};
use ops_core::error::{Code, Fault};
use ops_core::shim;
use ops_core::time::Span;

use super::graph::{Graph, full_name};
use super::session::Session;
use crate::recipe::Head;
use crate::recipe::semver::{Range, Version};
use crate::sys::world::{ToolFailure, Unwatched};

/// How long a tool may take to say its version.
const PATIENCE: Span = Span::secs(20);

impl Session<'_> {
    /// Refuses what talks to a person where nobody sits at a terminal.
    ///
    /// # Errors
    /// The first such recipe.
    pub fn terminal(&self, graph: &Graph) -> Result<(), Box<Fault>> {
        let heads = self.heads(graph);
        let Some(head) = heads.iter().find(|head| head.interactive) else { return Ok(()) };
        if self.asker.terminal() {
            return Ok(());
        }
        Err(Box::new(
            Fault::new(
                Code::DECLINED,
                format!("{} talks to a person, and there is no terminal", head.name),
            )
            .help("run it at a terminal, without --json and with nothing on its input"),
        ))
    }

    /// Asks each tool that a head names for its version, once.
    ///
    /// # Errors
    /// The first tool that is missing, or whose version is not in the range.
    pub(super) async fn tools(&self, graph: &Graph) -> Result<(), Box<Fault>> {
        let mut asked: Vec<(String, Found)> = Vec::new();
        for head in self.heads(graph) {
            for (tool, range) in &head.tools {
                // The lab answers for these tools itself; no real one is asked there.
                if self.world.simulated() && shim::tools().any(|known| known == tool) {
                    continue;
                }
                let known = asked.iter().find(|(name, _)| name == tool).map(|(_, f)| f.clone());
                let found = if let Some(found) = known {
                    found
                } else {
                    let found = self.version(tool).await;
                    asked.push((tool.clone(), found.clone()));
                    found
                };
                found.fits(tool, range, &head.name)?;
            }
        }
        Ok(())
    }

    async fn version(&self, tool: &str) -> Found {
        let argv = question(tool);
        match self.world.run(&argv, Some(PATIENCE), &Unwatched).await {
            Ok(output) => match version_in(&output) {
                Some(version) => Found::Version(version),
                None => Found::Unclear(format!("`{}` says no version", argv.shown())),
            },
            Err(ToolFailure::Missing(_)) => Found::Missing,
            Err(failure) => Found::Unclear(failure.to_string()),
        }
    }

    /// The heads of every recipe that the graph runs, by name: its steps, their stages, and what their bodies run by name.
    fn heads(&self, graph: &Graph) -> Vec<&Head> {
        let mut names: BTreeSet<String> = BTreeSet::new();
        let mut open: Vec<String> = graph.steps.iter().map(|step| step.recipe.clone()).collect();
        while let Some(name) = open.pop() {
            let Some(head) = self.catalog.get(&name) else { continue };
            if !names.insert(head.name.clone()) {
                continue;
            }
            let stages = head.stages.iter().map(|need| &need.recipe);
            open.extend(stages.chain(&head.runs).map(|other| full_name(&head.name, other)));
            if let crate::recipe::Needs::Static(needs) = &head.needs {
                open.extend(needs.iter().map(|need| full_name(&head.name, &need.recipe)));
            }
        }
        names.iter().filter_map(|name| self.catalog.get(name)).collect()
    }
}

/// What is known of a tool on this machine.
#[derive(Clone, Debug, PartialEq)]
enum Found {
    Missing,
    Version(Version),
    Unclear(String),
}

impl Found {
    fn fits(&self, tool: &str, range: &str, recipe: &str) -> Result<(), Box<Fault>> {
        let (code, title) = match self {
            Found::Missing => (Code::TOOL_MISSING, format!("`{tool}` is not on PATH")),
            Found::Unclear(why) => {
                (Code::TOOL_OLD, format!("the version of `{tool}` cannot be told: {why}"))
            }
            Found::Version(version) => match Range::parse(range) {
                Ok(range) if range.contains(version) => return Ok(()),
                _ => (Code::TOOL_OLD, format!("`{tool}` is {version}, and not {range}")),
            },
        };
        Err(Box::new(
            Fault::new(code, title)
                .detail(format!("{recipe} needs {tool} {range}"))
                .help(format!("install `{tool}` {range} and put it first on PATH")),
        ))
    }
}

/// How a tool is asked for its version without asking a cluster or the network.
fn question(tool: &str) -> Argv {
    let words: &[&str] = match tool {
        "kubectl" => &["version", "--client"],
        "talosctl" | "argocd" => &["version", "--client", "--short"],
        "helm" => &["version", "--short"],
        "velero" => &["version", "--client-only"],
        "sops" => &["--version", "--disable-version-check"],
        "kustomize" | "go" => &["version"],
        _ => &["--version"],
    };
    Argv::new(tool).args(words.iter().copied())
}

/// The first version that a tool prints: `v1.2.3`, `1.2`, `jq-1.7.1`, `go1.26.8`.
fn version_in(output: &ToolOutput) -> Option<Version> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let text = output.text();
    [text.as_str(), &stderr].into_iter().flat_map(|text| text.split_whitespace()).find_map(|word| {
        let start = word.find(|c: char| c.is_ascii_digit())?;
        let of_version = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
        let word = word[start..].split(|c| !of_version(c)).next()?;
        let numbers = word.split(['-', '+']).next()?;
        let dots = numbers.matches('.').count();
        let plain = numbers.chars().all(|c| c.is_ascii_digit() || c == '.');
        match (plain, dots) {
            (true, 1) => Version::parse(&format!("{numbers}.0")).ok(),
            (true, 2) => Version::parse(word).or_else(|_| Version::parse(numbers)).ok(),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Option<String> {
        let output = ToolOutput { stdout: text.as_bytes().to_vec(), ..ToolOutput::default() };
        version_in(&output).map(|version| version.to_string())
    }

    #[test]
    fn the_version_is_found_in_what_tools_print() {
        for (text, expected) in [
            (
                "Client Version: v1.32.4-dispatcher\nKustomize Version: v5.5.0\n",
                "v1.32.4-dispatcher",
            ),
            ("v3.16.2+g13654a5\n", "v3.16.2"),
            ("jq-1.7.1\n", "v1.7.1"),
            ("go version go1.26.8 linux/amd64", "v1.26.8"),
            ("GNU bash, version 5.2.15(1)-release", "v5.2.15"),
            ("git version 2.47.3", "v2.47.3"),
            ("yq (https://github.com/mikefarah/yq/) version v4.44.1", "v4.44.1"),
            ("Client:\n\tTalos v1.13.0\n", "v1.13.0"),
            ("curl 8.14.1 (x86_64-pc-linux-gnu) libcurl/8.14.1", "v8.14.1"),
            ("sed (GNU sed) 4.9\n", "v4.9.0"),
        ] {
            assert_eq!(version(text).as_deref(), Some(expected), "{text}");
        }
        for none in ["", "no version", "build 7", "2024", "1.2.3.4"] {
            assert_eq!(version(none), None, "{none}");
        }
    }
}
