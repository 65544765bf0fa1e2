//! The real tools and the comparison with them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use ops_render::talconfig::{Role, Schema, Talconfig, Variables};
use ops_render::{Code, Diagnostic, Patch, Profile, Source, patch};

/// What talhelper v3.1.16 renders with.
const MACHINERY: &str = "1.14.0-alpha.2";

pub(super) struct Tools {
    talhelper: PathBuf,
    oracle: PathBuf,
    pub(super) folder: PathBuf,
    pub(super) schema: Schema,
    profile: Profile,
    bases: BTreeMap<Vec<String>, String>,
}

pub(super) enum Compared {
    Equal,
    TalhelperRefuses(String),
    BothRefuse(String),
    /// Talhelper ignores them, ours does not.
    UnknownKeys(String),
}

impl Tools {
    /// The tools with a folder that holds a secrets bundle; `None` where they are absent.
    pub(super) fn find(name: &str) -> Option<Tools> {
        let (Some(talhelper), Some(oracle)) = (
            env::var_os("OPS_TALHELPER").map(PathBuf::from),
            env::var_os("OPS_PATCH_ORACLE").map(PathBuf::from),
        ) else {
            assert!(
                env::var_os("CI").is_none(),
                "OPS_TALHELPER and OPS_PATCH_ORACLE are not set, and CI needs them"
            );
            eprintln!(
                "SKIPPED: differential test with talhelper: OPS_TALHELPER or OPS_PATCH_ORACLE is not set"
            );
            return None;
        };
        let folder = env::temp_dir().join(format!("ops-talhelper-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let versioned = format!("{}-{MACHINERY}", oracle.file_name().unwrap().to_string_lossy());
        let tools = Tools {
            talhelper,
            oracle: oracle.with_file_name(versioned),
            folder: folder.clone(),
            schema: Schema::load().unwrap(),
            profile: Profile::load(MACHINERY).unwrap(),
            bases: BTreeMap::new(),
        };
        let secrets = run(&tools.talhelper, &folder, &["gensecret"], &[]).unwrap();
        fs::write(folder.join("talsecret.yaml"), secrets).unwrap();
        Some(tools)
    }

    fn base(&mut self, config: &Talconfig, role: Role) -> Result<String, String> {
        let secrets = self.folder.join("talsecret.yaml");
        let arguments: Vec<String> = [
            ("-role", role.as_str()),
            ("-name", &config.cluster_name),
            ("-endpoint", &config.endpoint),
            ("-talos", &config.talos_version),
            ("-kubernetes", &config.kubernetes_version),
            ("-secrets", &secrets.to_string_lossy()),
        ]
        .into_iter()
        .flat_map(|(flag, value)| [flag.to_owned(), value.to_owned()])
        .collect();
        if let Some(base) = self.bases.get(&arguments) {
            return Ok(base.clone());
        }
        let words: Vec<&str> =
            ["gen"].into_iter().chain(arguments.iter().map(String::as_str)).collect();
        let base = run(&self.oracle, &self.folder, &words, &[])?;
        self.bases.insert(arguments, base.clone());
        Ok(base)
    }

    /// Renders a talconfig both ways.
    pub(super) fn compare(
        &mut self,
        file: &Path,
        text: &str,
        variables: &Variables,
        read: &dyn Fn(&str) -> Result<Vec<u8>, String>,
    ) -> Result<Compared, String> {
        let folder = file.parent().unwrap();
        let out = self.folder.join("out");
        let _ = fs::remove_dir_all(&out);
        let (secrets, output) =
            (self.folder.join("talsecret.yaml"), out.to_string_lossy().into_owned());
        let arguments = [
            "genconfig",
            "--offline-mode",
            "--no-gitignore",
            "-c",
            &file.file_name().unwrap().to_string_lossy(),
            "-s",
            &secrets.to_string_lossy(),
            "-o",
            &output,
            "-e",
            "/nonexistent",
        ];
        let set: Vec<(String, String)> = variables
            .names()
            .filter_map(|name| variables.value(&name).map(|value| (name.clone(), value.to_owned())))
            .collect();
        let theirs = run(&self.talhelper, folder, &arguments, &set);
        let ours = self.native(text, variables, read);
        match (theirs, ours) {
            (Ok(_), Ok(nodes)) => {
                for (name, config) in nodes {
                    let theirs = fs::read_to_string(out.join(&name))
                        .map_err(|error| format!("talhelper wrote no {name}: {error}"))?;
                    let (ours, theirs) = (self.canonical(&config), self.canonical(&theirs));
                    if ours != theirs {
                        return Err(format!("{name}\n{}", differing(&ours, &theirs)));
                    }
                }
                Ok(Compared::Equal)
            }
            (Ok(_), Err(problems)) => {
                let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
                if problems.iter().all(|problem| problem.code == Code::UNKNOWN_KEY) {
                    return Ok(Compared::UnknownKeys(lines.join("\n")));
                }
                Err(format!("only ours refuses:\n{}", lines.join("\n")))
            }
            (Err(said), Ok(_)) => Ok(Compared::TalhelperRefuses(said)),
            (Err(said), Err(problems)) => {
                let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
                Ok(Compared::BothRefuse(format!("{said}=== ours\n{}", lines.join("\n"))))
            }
        }
    }

    /// Every node's output by its name.
    pub(super) fn native(
        &mut self,
        text: &str,
        variables: &Variables,
        read: &dyn Fn(&str) -> Result<Vec<u8>, String>,
    ) -> Result<Vec<(String, String)>, Vec<Diagnostic>> {
        let source = Source { name: "talconfig.yaml", bytes: text.as_bytes() };
        let config = Talconfig::read(source, &self.schema, variables)?;
        let mut out = Vec::new();
        for node in &config.nodes {
            let base = self.base(&config, node.role).unwrap_or_default();
            let base = Source { name: "base", bytes: base.as_bytes() };
            let patched =
                config.render(node, base, &self.schema, &self.profile, variables, read)?;
            let name = config.output_name(node, &self.schema).map_err(|problem| vec![problem])?;
            out.push((name, patched.text));
        }
        Ok(out)
    }

    /// A config as Talos writes it, so that layout does not count.
    fn canonical(&self, text: &str) -> String {
        let nothing = Source { name: "nothing", bytes: b"machine: {}\n" };
        let nothing = [Patch::from_source(nothing, &self.profile).unwrap()];
        patch(Source { name: "c", bytes: text.as_bytes() }, &nothing, &self.profile).unwrap().text
    }
}

impl Drop for Tools {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The lines that only one side has, with their surroundings.
fn differing(ours: &str, theirs: &str) -> String {
    let (ours, theirs): (Vec<&str>, Vec<&str>) = (ours.lines().collect(), theirs.lines().collect());
    let same = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
    let behind = ours[same..].iter().rev().zip(theirs[same..].iter().rev());
    let tail = behind.take_while(|(a, b)| a == b).count();
    let part = |lines: &[&str]| lines[same.saturating_sub(5)..lines.len() - tail].join("\n");
    format!("=== ours, from line {}\n{}\n=== theirs\n{}", same + 1, part(&ours), part(&theirs))
}

fn run(
    program: &Path,
    folder: &Path,
    arguments: &[&str],
    variables: &[(String, String)],
) -> Result<String, String> {
    let out = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .envs(variables.iter().cloned())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let said = format!("{text}{}", String::from_utf8_lossy(&out.stderr));
    if out.status.success() { Ok(text) } else { Err(said) }
}
