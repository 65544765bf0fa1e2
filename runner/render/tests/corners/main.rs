//! Corners of patching, each a config with patches of its own: what Talos'
//! code of each machinery version made of them is recorded in `recorded.txt`,
//! so that they run without Go.
//!
//! With `OPS_PATCH_ORACLE` the records themselves are compared with Talos'
//! code, and differences shown in full (see the differential test);
//! `OPS_CORNERS=record` writes the records anew.

#![allow(clippy::disallowed_methods, reason = "the oracle is a program, named by the environment")]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod deletes;
mod documents;
mod json;
mod merges;
#[path = "../differential/oracle.rs"]
mod oracle;
mod scalars;
mod syntax;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use ops_render::{Patch, Profile, Source, VERSIONS, patch};

use oracle::Oracle;
use sha2::{Digest as _, Sha256};

/// Its name, the config, the patches.
pub(crate) type Case = (&'static str, &'static str, &'static [&'static str]);

/// What became of each case: the digest of the output, or a dash where it was
/// refused; by version, or once for all of them.
type Records = BTreeMap<(String, String), String>;

/// In place of a version: every one of them.
const EVERY: &str = "*";

/// How a refused case is recorded.
const REFUSAL: &str = "-";

/// What Talos takes and we refuse, on purpose.
const REFUSED: &[(&str, &str)] = &[
    ("scalar/bom-inside", "a byte order mark inside a text is an accident"),
    ("scalar/tag-binary-not-text", "no field of a machine config holds bytes"),
    ("yaml/anchor-of-itself", "Talos makes something empty of it"),
    ("yaml/nel-as-line-end", "no other reader takes this character for the end of a line"),
];

fn cases() -> impl Iterator<Item = &'static Case> {
    [deletes::CASES, documents::CASES, json::CASES, merges::CASES, scalars::CASES, syntax::CASES]
        .into_iter()
        .flatten()
}

fn ours(case: &Case, profile: &Profile) -> Result<String, String> {
    let told = |problems: Vec<ops_render::Diagnostic>| {
        let lines = problems.iter().map(ToString::to_string);
        lines.collect::<Vec<_>>().join("\n")
    };
    let mut patches = Vec::new();
    for text in case.2 {
        let no_file = |file: &str| Err(format!("there is no {file}"));
        patches.push(Patch::parse(text, profile, no_file).map_err(told)?);
    }
    let source = Source { name: "config.yaml", bytes: case.1.as_bytes() };
    Ok(patch(source, &patches, profile).map_err(told)?.text)
}

/// What Talos' code makes of a case.
fn theirs(oracle: &mut Oracle, case: &Case) -> Option<String> {
    let patches: Vec<String> = case.2.iter().map(|text| (*text).to_owned()).collect();
    let answer = oracle.ask(case.1, &patches);
    (!answer.panicked && answer.error.is_empty()).then_some(answer.output)
}

fn oracle(version: &str) -> Option<Oracle> {
    let program = PathBuf::from(env::var_os("OPS_PATCH_ORACLE")?);
    let name = format!("{}-{version}", program.file_name()?.to_string_lossy());
    Some(Oracle::start(&program.with_file_name(name)))
}

fn digest(output: Option<&str>) -> String {
    let Some(output) = output else { return REFUSAL.to_owned() };
    let bytes = Sha256::digest(output.as_bytes());
    let first: [u8; 8] = bytes[..8].try_into().unwrap();
    format!("{:016x}", u64::from_be_bytes(first))
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corners/recorded.txt")
}

fn records() -> Records {
    let text = fs::read_to_string(file()).unwrap();
    let row = |line: &str| {
        let [name, version, record] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("no record: {line}")
        };
        ((name.to_owned(), version.to_owned()), record.to_owned())
    };
    text.lines().map(row).collect()
}

#[test]
fn every_corner_is_answered_as_recorded() {
    let records = records();
    let mut wrong = String::new();
    for version in VERSIONS {
        let profile = Profile::load(version).unwrap();
        let mut oracle = oracle(version);
        for case in cases() {
            let of = |version: &str| records.get(&(case.0.to_owned(), version.to_owned()));
            let record = of(version).or_else(|| of(EVERY));
            let record = record.unwrap_or_else(|| panic!("{} is not recorded", case.0));
            let ours = ours(case, &profile);
            let on_purpose = REFUSED.iter().any(|(name, _)| *name == case.0);
            if digest(ours.as_deref().ok()) == *record || (ours.is_err() && on_purpose) {
                continue;
            }
            let ours = ours.unwrap_or_else(|why| format!("refused: {why}\n"));
            let theirs = match &mut oracle {
                Some(oracle) => theirs(oracle, case).unwrap_or_else(|| "refused\n".to_owned()),
                None if record == REFUSAL => "refused\n".to_owned(),
                None => "another output; OPS_PATCH_ORACLE would show it\n".to_owned(),
            };
            let name = case.0;
            let _ = writeln!(wrong, "== {name} ({version})\n-- ours\n{ours}-- theirs\n{theirs}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_case_has_a_name_of_its_own_and_every_record_a_case() {
    let names: BTreeSet<&str> = cases().map(|case| case.0).collect();
    assert_eq!(names.len(), cases().count());
    for (name, _) in records().keys() {
        assert!(names.contains(name.as_str()), "{name} is recorded, but no case");
    }
    assert!(REFUSED.iter().all(|(name, _)| names.contains(name)));
}

#[test]
fn the_records_are_what_talos_answers() {
    let mut found = Records::new();
    for version in VERSIONS {
        let Some(mut oracle) = oracle(version) else {
            assert!(env::var_os("CI").is_none(), "OPS_PATCH_ORACLE is not set, and CI needs it");
            eprintln!("SKIPPED: records of corners: OPS_PATCH_ORACLE is not set");
            return;
        };
        for case in cases() {
            let record = digest(theirs(&mut oracle, case).as_deref());
            found.insert((case.0.to_owned(), (*version).to_owned()), record);
        }
    }
    for case in cases() {
        let of = |version: &str| (case.0.to_owned(), version.to_owned());
        let first = found[&of(VERSIONS[0])].clone();
        if VERSIONS.iter().all(|version| found[&of(version)] == first) {
            found.retain(|(name, _), _| name != case.0);
            found.insert(of(EVERY), first);
        }
    }
    if env::var("OPS_CORNERS").is_ok_and(|value| value == "record") {
        let row = |((name, version), record): (&(String, String), &String)| {
            format!("{name} {version} {record}\n")
        };
        fs::write(file(), found.iter().map(row).collect::<String>()).unwrap();
    }
    assert_eq!(records(), found);
}

/// One character of a case changed, put in or taken out, `OPS_CORNERS_CHANGED`
/// times: whatever comes of it, both read it alike or we refuse it.
#[test]
fn cases_with_a_changed_character_are_never_read_as_something_else() {
    const CHARACTERS: &[char] = &[
        ' ', '\t', '\n', '\r', ':', '-', '?', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|',
        '>', '\'', '"', '%', '@', '`', '\\', '~', '<', '=', '0', '1', 'x', 'e', '.', '_', '+', '/',
        '$',
    ];
    let count: u64 = env::var("OPS_CORNERS_CHANGED").map_or(300, |count| count.parse().unwrap());
    let mut state: u64 = env::var("OPS_CORNERS_SEED").map_or(1, |seed| seed.parse().unwrap());
    let mut random = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let cases: Vec<&Case> = cases().filter(|case| !case.2.is_empty()).collect();
    let (mut wrong, mut stricter) = (String::new(), String::new());
    for version in VERSIONS {
        let Some(mut oracle) = oracle(version) else { return };
        let profile = Profile::load(version).unwrap();
        for _ in 0..count {
            let case = cases[random(cases.len())];
            let at = random(case.2.len());
            let mut text: Vec<char> = case.2[at].chars().collect();
            let place = random(text.len() + 1);
            match random(3) {
                0 if place < text.len() => text[place] = CHARACTERS[random(CHARACTERS.len())],
                1 if place < text.len() => drop(text.remove(place)),
                _ => text.insert(place, CHARACTERS[random(CHARACTERS.len())]),
            }
            let changed: &'static str =
                Box::leak(text.into_iter().collect::<String>().into_boxed_str());
            let mut patches = case.2.to_vec();
            patches[at] = changed;
            let changed_case: Case = (case.0, case.1, Box::leak(patches.into_boxed_slice()));
            let note = match (ours(&changed_case, &profile), theirs(&mut oracle, &changed_case)) {
                (Ok(ours), theirs) if theirs.as_deref() != Some(&ours) => {
                    let theirs = theirs.unwrap_or_else(|| "refused\n".to_owned());
                    let _ = writeln!(
                        wrong,
                        "== {} ({version})\n{changed:?}\n-- ours\n{ours}-- theirs\n{theirs}",
                        case.0
                    );
                    continue;
                }
                (Err(why), Some(_)) => why,
                _ => continue,
            };
            let _ = writeln!(
                stricter,
                "== only ours refuses {} ({version})\n{changed:?}\n{note}",
                case.0
            );
        }
    }
    eprint!("{stricter}");
    assert!(wrong.is_empty(), "{wrong}");
}
