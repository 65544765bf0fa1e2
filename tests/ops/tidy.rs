//! The shape of the source: layers, sizes, names, who may name what. Each failure says the rule that it breaks.

use std::fs;
use std::path::Path;

/// A source file: its path below the repository, and its text.
struct File {
    path: String,
    text: String,
}

impl File {
    /// The text without what only tests compile: a file of tests has none left.
    fn product(&self) -> &str {
        let tests = ["/tests.rs", "/tests/", "tests/"];
        if self.path.ends_with(tests[0])
            || self.path.contains(tests[1])
            || self.path.starts_with(tests[2])
        {
            return "";
        }
        let inline = self
            .text
            .find("#[cfg(test)]\nmod ")
            .or_else(|| self.text.find("#[cfg(test)]\npub(crate) mod "));
        &self.text[..inline.unwrap_or(self.text.len())]
    }

    /// The product's lines with their numbers, without comments and doc comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let comment = |line: &str| line.trim_start().starts_with("//");
        self.product()
            .lines()
            .enumerate()
            .filter(move |(_, line)| !comment(line))
            .map(|(i, l)| (i + 1, l))
    }

    /// The module of the root package that the file belongs to: `runner/cli/run.rs` is `cli`'s.
    fn module(&self) -> Option<&str> {
        let rest = self.path.strip_prefix("runner/")?;
        let first = rest.split('/').next()?;
        (!MEMBERS.contains(&first)).then(|| first.strip_suffix(".rs").unwrap_or(first))
    }

    fn within(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path.starts_with(place))
    }
}

const MEMBERS: [&str; 3] = ["core", "lab", "render"];

fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["runner", "tests"] {
        collect(root, folder, &mut files);
    }
    assert!(files.len() > 50, "the walk found only {} files", files.len());
    files
}

fn collect(root: &Path, folder: &str, files: &mut Vec<File>) {
    let mut entries: Vec<_> =
        fs::read_dir(root.join(folder)).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(root, &path, files);
        } else if Path::new(&path).extension().is_some_and(|e| e == "rs") {
            files.push(File { text: fs::read_to_string(entry.path()).unwrap(), path });
        }
    }
}

/// Holds a rule against every file.
#[track_caller]
fn holds(rule: &str, broken: impl Fn(&File) -> Vec<String>) {
    let broken: Vec<String> = files().iter().flat_map(&broken).collect();
    assert!(broken.is_empty(), "\nrule: {rule}\n{}\n", broken.join("\n"));
}

/// Lines of the product that contain one of the words, outside the places where they may stand.
fn named_outside<'a>(
    words: &'a [&'a str],
    places: &'a [&'a str],
) -> impl Fn(&File) -> Vec<String> + 'a {
    move |file| {
        if file.within(places) {
            return Vec::new();
        }
        file.code()
            .filter(|(_, line)| words.iter().any(|word| line.contains(word)))
            .map(|(number, line)| format!("{}:{number}: {}", file.path, line.trim()))
            .collect()
    }
}

/// The modules of the root package in layer order, as `runner/lib.rs` lists them.
fn layers(lib: &str) -> Vec<String> {
    lib.lines()
        .filter_map(|line| Some(line.strip_prefix("pub mod ")?.strip_suffix(';')?.to_owned()))
        .collect()
}

fn breaks_layers(file: &File, layers: &[String]) -> Vec<String> {
    let rank = |name: &str| layers.iter().position(|layer| layer == name);
    let Some((module, own)) = file.module().and_then(|m| Some((m, rank(m)?))) else {
        return Vec::new();
    };
    let mut broken = Vec::new();
    for (number, line) in file.code() {
        for rest in line.split("crate::").skip(1) {
            let name: String =
                rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if rank(&name).is_some_and(|other| other > own) {
                broken.push(format!(
                    "{}:{number}: {module} names {name}, which stands above it",
                    file.path
                ));
            }
        }
    }
    broken
}

#[test]
fn modules_use_only_what_stands_below_them() {
    let lib =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("runner/lib.rs")).unwrap();
    let layers = layers(&lib);
    assert!(layers.len() >= 9, "{layers:?}");
    holds("a module may use only those that runner/lib.rs lists above it", |file| {
        breaks_layers(file, &layers)
    });
}

#[test]
fn the_members_stay_pure() {
    const HEAVY: [&str; 7] = ["tokio", "mlua", "clap", "rusqlite", "kube", "k8s-openapi", "ops"];
    for member in MEMBERS {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("runner").join(member).join("Cargo.toml");
        let manifest: toml::Table = fs::read_to_string(path).unwrap().parse().unwrap();
        for section in ["dependencies", "dev-dependencies"] {
            let names = manifest.get(section).and_then(toml::Value::as_table);
            for name in names.into_iter().flat_map(toml::Table::keys) {
                assert!(
                    !HEAVY.contains(&name.as_str()),
                    "rule: core, lab and render link quickly and do no I/O\nrunner/{member} depends on {name}"
                );
            }
        }
    }
}

#[test]
fn files_are_at_most_500_lines() {
    holds("one file, one thought: at most 500 lines", |file| {
        let lines = file.text.lines().count();
        if lines > 500 { vec![format!("{}: {lines} lines", file.path)] } else { Vec::new() }
    });
}

#[test]
fn files_open_with_what_they_are_for() {
    holds("every file opens with `//!`: what it is for and what it must not know", |file| {
        let told =
            file.text.starts_with("//! ") && file.text.lines().next().is_some_and(|l| l.len() > 20);
        if told { Vec::new() } else { vec![file.path.clone()] }
    });
}

#[test]
fn nothing_is_left_undone() {
    let words = [concat!("to", "do!("), concat!("db", "g!("), concat!("unimpl", "emented!(")];
    holds("nothing is left undone: no placeholder is committed", |file| {
        let found =
            file.text.lines().enumerate().filter(|(_, l)| words.iter().any(|w| l.contains(w)));
        found.map(|(i, l)| format!("{}:{}: {}", file.path, i + 1, l.trim())).collect()
    });
}

#[test]
fn names_are_the_fields_words() {
    const VAGUE: [&str; 7] = ["util", "utils", "helper", "helpers", "common", "manager", "misc"];
    holds("names are the field's words: no util, helper, common, manager", |file| {
        let parts = file.path.split(['/', '.', '_']);
        if parts.clone().any(|part| VAGUE.contains(&part)) {
            vec![file.path.clone()]
        } else {
            Vec::new()
        }
    });
}

#[test]
fn only_the_lua_side_names_mlua() {
    holds("only runner/lua names mlua", named_outside(&["mlua"], &["runner/lua/"]));
}

#[test]
fn only_the_command_line_names_clap() {
    holds(
        "only runner/cli names clap",
        named_outside(&["clap::", "clap_complete"], &["runner/cli/"]),
    );
}

#[test]
fn only_the_reporter_prints() {
    let words = ["println!(", "print!(", "io::stdout()", "io::stderr()"];
    holds("only runner/output prints", named_outside(&words, &["runner/output/"]));
}

#[test]
fn only_one_file_starts_processes() {
    let words = ["Command::new(", "process::Command"];
    holds(
        "only runner/sys/process.rs starts processes",
        named_outside(&words, &["runner/sys/process.rs", "runner/sys/process/"]),
    );
}

#[test]
fn only_configuration_and_system_read_the_environment() {
    let words = ["env::var(", "env::var_os(", "env::vars(", "env::vars_os("];
    holds(
        "only runner/config and runner/sys read the environment",
        named_outside(&words, &["runner/config/", "runner/sys/"]),
    );
}

#[test]
fn only_the_program_ends_the_process() {
    // A crash point ends it too: that is what it is for.
    let places = ["runner/main.rs", "runner/sys/fault.rs"];
    holds(
        "only runner/main.rs ends the process",
        named_outside(&["process::exit(", "process::abort("], &places),
    );
}

#[test]
fn a_planted_mistake_breaks_its_rule() {
    let layers: Vec<String> = ["sys", "config", "cli"].map(str::to_owned).into();
    let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
    let broken = |path: &str, text: &str| !breaks_layers(&file(path, text), &layers).is_empty();
    assert!(broken("runner/sys/a.rs", "use crate::config::Settings;"));
    assert!(broken("runner/config/a.rs", "let x = crate::cli::main();"));
    assert!(!broken("runner/cli/a.rs", "use crate::config::Settings;"));
    assert!(
        !broken("runner/core/src/a.rs", "use crate::cli::x;"),
        "members have layers of their own"
    );
    assert!(!broken("runner/sys/a.rs", "// crate::config in words"));
    assert!(!broken("runner/sys/a.rs", "x();\n#[cfg(test)]\nmod tests {\n use crate::cli::x; }"));
    let prints = named_outside(&["println!("], &["runner/output/"]);
    assert_eq!(prints(&file("runner/a.rs", "eprintln!(\"x\");")).len(), 1);
    assert!(prints(&file("runner/output/a.rs", "println!(\"x\");")).is_empty());
}
