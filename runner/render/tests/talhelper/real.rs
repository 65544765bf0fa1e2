//! Real talconfigs out of a folder that `OPS_TALCONFIGS` names: what variables
//! they ask for is made up, what they name is read beside them.

use std::path::{Path, PathBuf};
use std::{env, fs};

use ops_render::Source;
use ops_render::talconfig::{VARIABLE_FILES, Variables};

use crate::tools::{Compared, Tools};

#[test]
fn real_talconfigs_are_rendered_like_talhelper() {
    let Some(root) = env::var_os("OPS_TALCONFIGS").map(PathBuf::from) else {
        eprintln!("SKIPPED: real talconfigs: OPS_TALCONFIGS is not set");
        return;
    };
    let Some(mut tools) = Tools::find("real") else { return };
    let mut found = Vec::new();
    talconfigs(&root, &mut found);
    found.sort();
    let (mut equal, mut wrong, mut stricter) = (0, 0, 0);
    for file in &found {
        let Ok(text) = fs::read_to_string(file) else { continue };
        let folder = file.parent().unwrap();
        let read = |name: &str| fs::read(folder.join(name)).map_err(|error| error.to_string());
        let variables = made_up(&text, folder, &read, &mut tools);
        let name = file.strip_prefix(&root).unwrap().display();
        let mut compared = tools.compare(file, &text, &variables, &read);
        if let Ok(Compared::UnknownKeys(why)) = &compared {
            stricter += 1;
            eprintln!("UNKNOWN KEYS {name}: {why}");
            let known = without(&text, why);
            fs::write(file, &known).unwrap();
            let variables = made_up(&known, folder, &read, &mut tools);
            compared = tools.compare(file, &known, &variables, &read);
            fs::write(file, &text).unwrap();
        }
        match compared {
            Ok(Compared::Equal) => equal += 1,
            Ok(Compared::TalhelperRefuses(why)) => eprintln!("TALHELPER REFUSES {name}: {why}"),
            Ok(Compared::BothRefuse(why)) => eprintln!("BOTH REFUSE {name}: {why}"),
            Ok(Compared::UnknownKeys(why)) => eprintln!("STILL UNKNOWN KEYS {name}: {why}"),
            Err(why) => {
                wrong += 1;
                eprintln!("DIFFERS {name}: {why}");
            }
        }
    }
    eprintln!(
        "{} real talconfigs, {equal} equal, {stricter} with unknown keys, {wrong} different",
        found.len()
    );
    assert_eq!(wrong, 0);
}

/// The text without the keys that findings name, and without what stands under them.
fn without(text: &str, findings: &str) -> String {
    let place = |line: &str| {
        let mut parts = line.split(':').skip(1).map(str::parse::<usize>);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    };
    let mut lines: Vec<Option<&str>> = text.lines().map(Some).collect();
    for (line, column) in findings.lines().filter_map(place) {
        let indent = |text: &str| text.len() - text.trim_start().len();
        lines[line - 1] = None;
        for text in lines.iter_mut().skip(line) {
            let Some(below) = *text else { continue };
            let item = below.trim_start().starts_with("- ") && indent(below) + 1 == column;
            if !(below.trim().is_empty() || indent(below) >= column || item) {
                break;
            }
            *text = None;
        }
    }
    lines.into_iter().flatten().flat_map(|line| [line, "\n"]).collect()
}

/// A value for every variable that the talconfig or a file of it asks for:
/// what an environment file beside it says, else one of the name's likely kind.
fn made_up(
    text: &str,
    folder: &Path,
    read: &dyn Fn(&str) -> Result<Vec<u8>, String>,
    tools: &mut Tools,
) -> Variables {
    let mut variables = Variables::new();
    for name in VARIABLE_FILES {
        if let Ok(bytes) = fs::read(folder.join(name)) {
            let _ = variables.load(Source { name, bytes: &bytes });
        }
    }
    for _ in 0..20 {
        let _ = tools.native(text, &variables, read);
        let unset: Vec<String> =
            variables.asked().into_iter().filter(|name| variables.value(name).is_none()).collect();
        if unset.is_empty() {
            break;
        }
        for (at, name) in unset.iter().enumerate() {
            let word = name.to_lowercase();
            let is = |parts: &[&str]| parts.iter().any(|part| word.contains(part));
            variables.insert(
                name,
                match () {
                    () if text.contains(&format!("//${{{name}}}")) => format!("10.1.2.{}", at + 3),
                    () if is(&["kube"]) && is(&["version"]) => "v1.33.0".to_owned(),
                    () if is(&["version"]) => "v1.12.0".to_owned(),
                    () if is(&["image"]) => "example.org/installer".to_owned(),
                    () if is(&["cidr", "subnet", "net", "pod", "svc", "range"]) => {
                        "10.1.0.0/16".to_owned()
                    }
                    () if is(&["endpoint", "url"]) && !is(&["vip", "ip", "addr"]) => {
                        "https://10.1.2.3:6443".to_owned()
                    }
                    () if is(&["host", "name", "node"]) && !is(&["ip", "addr"]) => {
                        format!("made-up-{at}")
                    }
                    () if is(&["disk"]) => "/dev/sda".to_owned(),
                    () => format!("10.1.2.{}", at + 3),
                },
            );
        }
    }
    variables
}

fn talconfigs(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            talconfigs(&entry, out);
        } else if is_talconfig(&entry) {
            out.push(entry);
        }
    }
}

fn is_talconfig(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let yaml = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
    path.is_file() && yaml && name.starts_with("talconfig")
}
