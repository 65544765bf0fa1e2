//! The recorded cases: configs and patches with what talosctl answered. Every
//! folder under `tests/cases/` is one; `error.txt` means a refusal. Which
//! words a refusal uses is ours, where it points is checked here.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use ops_render::{Diagnostic, Patch, Profile, Source, patch};

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

fn run(case: &Path, profile: &Profile) -> Result<ops_render::Patched, Vec<Diagnostic>> {
    let config = fs::read(case.join("config.yaml")).unwrap();
    let mut patches = Vec::new();
    for file in ["patch.yaml", "patch-2.yaml", "patch-3.yaml"] {
        if case.join(file).exists() {
            let read = |file: &str| fs::read(case.join(file)).map_err(|error| error.to_string());
            patches.push(Patch::parse(&format!("@{file}"), profile, read)?);
        }
    }
    patch(Source { name: "config.yaml", bytes: &config }, &patches, profile)
}

fn check(version: &str) -> usize {
    let profile = Profile::load(version).unwrap();
    let mut wrong = String::new();
    let cases = cases();
    for case in &cases {
        let special = case.join(format!("expected-{version}.yaml"));
        let expected = if special.exists() { special } else { case.join("expected.yaml") };
        let name = case.file_name().unwrap().to_string_lossy();
        match (run(case, &profile), fs::read_to_string(&expected)) {
            (Ok(patched), Ok(expected)) if patched.text == expected => {}
            (Ok(patched), Ok(expected)) => {
                writeln!(wrong, "{name}: got\n{}---- expected\n{expected}", patched.text).unwrap();
            }
            (Ok(patched), Err(_)) => {
                writeln!(wrong, "{name}: accepted, talosctl refuses:\n{}", patched.text).unwrap();
            }
            (Err(problems), Ok(_)) => writeln!(wrong, "{name}: refused: {problems:?}").unwrap(),
            (Err(problems), Err(_)) => assert!(!problems.is_empty()),
        }
    }
    assert!(wrong.is_empty(), "{version}\n{wrong}");
    cases.len()
}

#[test]
fn every_case_gives_the_bytes_of_talosctl_1_13_0() {
    assert!(check("1.13.0") >= 68);
}

#[test]
fn every_case_gives_the_bytes_of_talosctl_1_13_9() {
    assert!(check("1.13.9") >= 68);
}
