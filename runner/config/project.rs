//! The repository: where it begins, what its `ops.toml` says, which clusters it has. Reads no inventory.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ops_core::error::{Code, Fault, Place};
use serde::Deserialize;
use toml::Spanned;

use super::source::Source;
use super::values::{RecipeSettings, RecipesToml, recipe_settings};

/// Version of the Lua API that this build offers.
pub const API: i64 = 1;

/// The file at the root of a repository.
pub const FILE: &str = "ops.toml";

/// How the output of child processes is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChildOutput {
    /// A call's output in one piece, once it has ended.
    #[default]
    Group,
    /// Line by line as it comes, each with the call's name before it.
    Prefix,
    /// As it comes.
    Interleave,
    /// Not at all, unless the call fails.
    Quiet,
}

/// A tool's version range, as `ops.toml` gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolRange {
    /// Such as `>=3.16, <5`.
    pub range: String,
    /// Where it stands.
    pub place: Place,
}

/// A repository with its `ops.toml`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Project {
    /// Its root, absolute.
    pub root: PathBuf,
    /// Where the user stands, absolute: paths on the command line start there.
    pub here: PathBuf,
    /// Whether there is an `ops.toml` or an inventory at all.
    pub found: bool,
    /// The default cluster, with its place.
    pub cluster: Option<(String, Place)>,
    /// How many branches and steps may work at once.
    pub jobs: Option<u32>,
    /// How the output of child processes is shown.
    pub output: Option<ChildOutput>,
    /// Defaults of recipe parameters.
    pub recipes: RecipeSettings,
    /// Version ranges of tools, by name.
    pub tools: BTreeMap<String, ToolRange>,
    /// Names of the inventory's clusters, sorted.
    pub clusters: Vec<String>,
}

impl Project {
    /// Finds the repository that `start` lies in, and reads its `ops.toml`.
    ///
    /// The root is the nearest folder upwards that holds `ops.toml` or `clusters/*.toml` and belongs to the owner of `start`; where
    /// there is none, `start` itself.
    ///
    /// # Errors
    /// `start` is no folder, or `ops.toml` is wrong.
    pub fn find(start: &Path) -> Result<Project, Fault> {
        let unreadable = |error: std::io::Error| {
            Fault::new(Code::CONFIG_READ, format!("cannot work in `{}`: {error}", start.display()))
        };
        let here = start.canonicalize().map_err(unreadable)?;
        let owner = here.metadata().map_err(unreadable)?;
        if !owner.is_dir() {
            return Err(Fault::new(
                Code::CONFIG_READ,
                format!("cannot work in `{}`: it is no folder", start.display()),
            ));
        }
        // A file that somebody else put into /tmp must not decide what runs here.
        let root = here
            .ancestors()
            .take_while(|dir| dir.metadata().is_ok_and(|m| m.uid() == owner.uid()))
            .find(|dir| dir.join(FILE).is_file() || !cluster_names(dir).is_empty());
        let found = root.is_some();
        let root = root.unwrap_or(&here).to_path_buf();
        let mut project = match Source::read(&root, FILE)? {
            Some(source) => read(&source)?,
            None => Project::default(),
        };
        project.clusters = cluster_names(&root);
        Ok(Project { root, here, found, ..project })
    }
}

fn cluster_names(root: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(root.join("clusters")) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.') && !name.ends_with(".lock.toml"))
        .filter_map(|name| name.strip_suffix(".toml").map(str::to_owned))
        .collect();
    names.sort();
    names
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpsToml {
    api: Option<Spanned<i64>>,
    #[serde(default)]
    defaults: Defaults,
    #[serde(default)]
    recipes: RecipesToml,
    #[serde(default)]
    tools: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    guards: Guards,
    #[serde(default)]
    notify: BTreeMap<String, Notify>,
    #[serde(default)]
    plugins: BTreeMap<Spanned<String>, Plugin>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Defaults {
    cluster: Option<Spanned<String>>,
    jobs: Option<Spanned<u32>>,
    output: Option<ChildOutput>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Guards {
    #[serde(default)]
    evidence: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Notify {
    url: Spanned<String>,
}

/// Only decoded, so that a mistake in it is told before its absence is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "plugins are not loaded yet; their shape is checked all the same")]
struct Plugin {
    git: Option<String>,
    rev: Option<String>,
    path: Option<String>,
    allow: Option<Allow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "as above")]
struct Allow {
    #[serde(default)]
    effects: Vec<String>,
    #[serde(default)]
    tools: Vec<String>,
}

fn read(source: &Source) -> Result<Project, Fault> {
    let file: OpsToml = source.decode()?;
    match &file.api {
        None => {
            return Err(Fault::new(Code::API_VERSION, "`api` is missing")
                .at(source.top())
                .help(format!("put `api = {API}` at the top of {FILE}")));
        }
        Some(api) if *api.get_ref() != API => {
            let asked = api.get_ref();
            let title = format!("this ops speaks version {API} of the Lua API, not {asked}");
            return Err(Fault::new(Code::API_VERSION, title).at(source.place(api.span())));
        }
        Some(_) => {}
    }
    if let Some(jobs) = file.defaults.jobs.as_ref().filter(|jobs| *jobs.get_ref() == 0) {
        return Err(source.wrong(jobs.span(), "`jobs` is at least 1"));
    }
    if let Some(evidence) = file.guards.evidence.first() {
        return Err(source.not_yet(evidence.span(), "evidence of your own"));
    }
    if let Some((name, _)) = file.plugins.iter().next() {
        return Err(source.not_yet(name.span(), "a plugin"));
    }
    for notify in file.notify.values() {
        let url = notify.url.get_ref();
        if !url.starts_with("env:") && !url.starts_with("op://") {
            return Err(source
                .wrong(notify.url.span(), "a webhook's address is a secret: it may not stand here")
                .help("name where it comes from: \"env:OPS_WEBHOOK\""));
        }
    }
    let mut tools = BTreeMap::new();
    for (name, range) in file.tools {
        let place = source.place(range.span());
        if Path::new(range.get_ref()).extension().is_some_and(|e| e == "lua") {
            return Err(source.not_yet(range.span(), "a tool of your own"));
        }
        tools.insert(name.into_inner(), ToolRange { range: range.into_inner(), place });
    }
    let cluster = file.defaults.cluster.map(|name| {
        let place = source.place(name.span());
        (name.into_inner(), place)
    });
    Ok(Project {
        cluster,
        jobs: file.defaults.jobs.map(Spanned::into_inner),
        output: file.defaults.output,
        recipes: recipe_settings(source, file.recipes)?,
        tools,
        ..Project::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Project, Fault> {
        read(&Source { name: FILE.into(), text: text.into() })
    }

    fn mistake(text: &str) -> String {
        let fault = parse(text).unwrap_err();
        format!("{fault} {}", fault.help.join("; ")).trim_end().to_owned()
    }

    #[test]
    fn everything_that_is_supported_is_read() {
        let project = parse(
            r#"api = 1
defaults = { cluster = "home", jobs = 8, output = "group" }
recipes."talos:upgrade" = { nodes = "!w-1" }
tools = { helm = ">=3.16, <5" }
notify.ops = { url = "env:OPS_WEBHOOK" }
"#,
        )
        .unwrap();
        assert_eq!(project.cluster.unwrap().0, "home");
        assert_eq!((project.jobs, project.output), (Some(8), Some(ChildOutput::Group)));
        let nodes = project.recipes.get("talos:upgrade", "nodes").unwrap();
        assert_eq!(nodes.value, "!w-1");
        assert_eq!(nodes.place.to_string(), "ops.toml:3:37");
        assert_eq!(nodes.key.to_string(), "ops.toml:3:29");
        assert_eq!(project.tools["helm"].range, ">=3.16, <5");
    }

    #[test]
    fn each_mistake_is_told_with_its_place() {
        let rows = [
            ("", "OPS0213 `api` is missing (ops.toml:1) put `api = 1` at the top of ops.toml"),
            ("api = 2", "OPS0213 this ops speaks version 1 of the Lua API, not 2 (ops.toml:1:7)"),
            (
                "api = 1\n[default]\njobs = 1",
                "OPS0202 unknown key `default` (ops.toml:2:2) did you mean `defaults`?",
            ),
            (
                "api = 1\ndefaults = { job = 1 }",
                "OPS0202 unknown key `job` (ops.toml:2:14) did you mean `jobs`?",
            ),
            ("api = 1\ndefaults.jobs = 0", "OPS0202 `jobs` is at least 1 (ops.toml:2:17)"),
            (
                "api = 1\ndefaults.output = \"groups\"",
                "OPS0202 unknown word `groups` (ops.toml:2:19) did you mean `group`?",
            ),
            (
                "api = 1\n[plugins]\nours = { path = \"p\" }",
                "OPS0199 a plugin is not supported yet (ops.toml:3:1)",
            ),
            (
                "api = 1\nguards.evidence = [\"a.lua\"]",
                "OPS0199 evidence of your own is not supported yet (ops.toml:2:20)",
            ),
            (
                "api = 1\ntools.cilium = \"tools/cilium.lua\"",
                "OPS0199 a tool of your own is not supported yet (ops.toml:2:16)",
            ),
            (
                "api = 1\nnotify.a = { url = \"https://x/y\" }",
                "OPS0202 a webhook's address is a secret: it may not stand here (ops.toml:2:20) name where it comes from: \"env:OPS_WEBHOOK\"",
            ),
            ("api = 1\nx = [1", "OPS0201 "),
        ];
        for (text, expected) in rows {
            let told = mistake(text);
            assert!(told.starts_with(expected), "{text}\n{told}\n{expected}");
        }
    }
}
