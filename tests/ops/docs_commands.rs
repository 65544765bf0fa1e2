//! What the documents for users say to type is typed here: every block with an `ops` command runs, with the exit codes that it names, and every
//! recipe in them is loaded. Knows the marks in front of the blocks, and nothing of what the commands do.
//!
//! A block is fenced (`sh` or `lua`) or indented by four spaces. A comment before it says where it runs:
//!
//! - `<!-- test: home -->`: a copy of `examples/home` (also where nothing is said).
//! - `<!-- test: healthy-lab -->`: the same, after `ops lab up --healthy`.
//! - `<!-- test: real -->`: commands for a real cluster; a healthy lab stands in for it.
//! - `<!-- test: new-real -->`: the same, with bare nodes.
//! - `<!-- test: talconfig -->`: a copy of `examples/talconfig`.
//! - `<!-- test: empty -->`: an empty folder. `<!-- test: checkout -->`: a folder with `examples/home` in it.
//! - `<!-- test: on -->`: where the block before left off. `<!-- test: file PATH -->`: the block is that file, there.
//!
//! Behind it may stand `, types "WORDS"`: somebody sits at a terminal and types them once they are asked for. A line whose command does not
//! end with 0 says so in its comment: `# refused (exit 3)`. A watch is ended once it waits.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::space::Space;
use crate::terminal::on_terminal;

fn document(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A block of a document: where it begins, its mark, what it is written in, its lines.
#[derive(Debug, Default)]
struct Block {
    line: usize,
    mark: String,
    language: String,
    text: String,
}

impl Block {
    /// Whether it is something to type.
    fn is_shell(&self) -> bool {
        matches!(self.language.as_str(), "" | "sh")
    }

    fn has_command(&self) -> bool {
        self.text.lines().any(|line| words(line).is_some())
    }
}

/// The words behind `ops`, where a line is such a command.
fn words(line: &str) -> Option<&str> {
    let line = line.trim();
    line.strip_prefix("ops").filter(|rest| rest.is_empty() || rest.starts_with(' '))
}

fn blocks(text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let (mut mark, mut open, mut indented) = (String::new(), false, false);
    let mut after_blank = true;
    for (number, line) in text.lines().enumerate() {
        if let Some(fence) = line.strip_prefix("```") {
            open = !open;
            if open {
                let language = fence.trim().to_owned();
                let mark = std::mem::take(&mut mark);
                found.push(Block { line: number + 1, mark, language, text: String::new() });
            }
        } else if open || (line.starts_with("    ") && (indented || after_blank)) {
            if !open && !indented {
                let mark = std::mem::take(&mut mark);
                found.push(Block { line: number + 1, mark, ..Block::default() });
                indented = true;
            }
            let line = if open { line } else { &line[4..] };
            let block = found.last_mut().expect("a block is open");
            let _ = writeln!(block.text, "{line}");
        } else {
            indented = indented && line.is_empty();
            if let Some(said) = line.strip_prefix("<!-- test: ") {
                said.strip_suffix(" -->").expect("a mark is one line").clone_into(&mut mark);
            } else if !line.is_empty() {
                assert!(
                    mark.is_empty(),
                    "line {}: the mark `{mark}` is before no block",
                    number + 1
                );
            }
        }
        after_blank = line.is_empty();
    }
    assert!(!open, "a fence is left open");
    found
}

/// The exit code that a line's comment names; 0 where it names none.
fn expected(line: &str) -> i32 {
    let Some((_, comment)) = line.split_once(" #") else { return 0 };
    let Some((_, rest)) = comment.split_once("exit ") else { return 0 };
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no exit code in `{line}`"))
}

/// A space as a mark asks for it, and whether the lab stands in for a real cluster.
fn space(place: &str) -> (Space, bool) {
    let space = match place {
        "empty" => Space::new(),
        "checkout" => {
            let (space, example) = (Space::new(), Space::example("home"));
            fs::create_dir(space.path("examples")).expect("a folder");
            fs::rename(example.root(), space.path("examples/home")).expect("a moved folder");
            space
        }
        "" | "home" | "healthy-lab" | "real" | "new-real" => Space::example("home"),
        "talconfig" => Space::example("talconfig"),
        other => panic!("there is no place `{other}`"),
    };
    if matches!(place, "healthy-lab" | "real") {
        let _ = space.run(["lab", "up", "--healthy"]).exit(0);
    }
    (space, place.ends_with("real"))
}

/// A watch goes on until somebody ends it: here that is once it says that it waits.
const WATCHED: &str = r#"watched() {
  : > "$CODES.watch"; "$@" >> "$CODES.watch" 2>&1 & local it=$!
  tail -f -n +1 --pid=$it "$CODES.watch" | grep -q -m 1 '^watch watching'
  kill -TERM $it; wait $it; local code=$?; cat "$CODES.watch"; return $code
}
"#;

fn watches(line: &str) -> bool {
    words(line).is_some_and(|words| words.split(' ').any(|word| word == "watch"))
}

/// A shell that runs the block's lines one after the other and writes down how each ended. Blocks that go on find the folder that it ended in.
fn script(block: &Block, instead: bool) -> String {
    let mut script = String::from("cd \"$(cat \"$PLACE\" 2>/dev/null || pwd)\"\n");
    script.push_str(WATCHED);
    if instead {
        script.push_str("ops() { command ops --lab \"$@\"; }\n");
    }
    for line in block.text.lines().filter(|line| !line.trim().is_empty()) {
        // The README's way to build is the test's own binary here; its tests are these.
        let line = line.replace("cargo run --release --", "ops");
        let line = if watches(&line) { format!("watched {line}") } else { line };
        if !line.trim_start().starts_with("cargo ") {
            let _ = writeln!(script, "{line}\necho $? >> \"$CODES\"");
        }
    }
    script.push_str("pwd > \"$PLACE\"\n");
    script
}

fn shell(space: &Space, script: &str) -> Command {
    let inside = space.command([]);
    let binary = Path::new(inside.get_program()).parent().expect("a folder").to_owned();
    #[expect(clippy::disallowed_methods, reason = "the test types into a shell as a person does")]
    let mut command = Command::new("/bin/bash");
    command.args(["--noprofile", "--norc", "-c", script]).env_clear();
    command.envs(inside.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("PATH", format!("{}:/usr/bin:/bin", binary.display()));
    command.env("CODES", space.state().join("codes")).env("PLACE", space.state().join("place"));
    command.current_dir(space.root()).stdin(std::process::Stdio::null());
    command
}

/// Runs every block of a document that holds a command.
fn run(path: &str) {
    let mut last: Option<(Space, bool)> = None;
    let mut ran = 0;
    for block in blocks(&document(path)) {
        let at = format!("{path}:{}", block.line);
        if let Some(file) = block.mark.strip_prefix("file ") {
            let (space, _) = last.as_ref().unwrap_or_else(|| panic!("{at}: no block before"));
            let place = fs::read_to_string(space.state().join("place")).expect("a folder");
            let file = Path::new(place.trim()).join(file);
            fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
            fs::write(file, &block.text).expect("a file");
            continue;
        }
        if !block.is_shell()
            || !(block.has_command() || block.text.contains("cargo run")) && block.mark.is_empty()
        {
            assert!(block.mark.is_empty(), "{at}: a mark before what is not typed");
            continue;
        }
        let (place, typed) = match block.mark.split_once(", types ") {
            Some((place, typed)) => (place, Some(typed.trim_matches('"'))),
            None => (block.mark.as_str(), None),
        };
        if place != "on" {
            last = Some(space(place));
        }
        let (space, instead) = last.as_ref().unwrap_or_else(|| panic!("{at}: no block before"));
        let codes = space.state().join("codes");
        let _ = fs::remove_file(&codes);
        let command = shell(space, &script(&block, *instead));
        let shown = match typed {
            Some(typed) => on_terminal(command, &[(typed, typed)]).text,
            None => said(command),
        };
        let codes = fs::read_to_string(&codes).unwrap_or_default();
        let found: Vec<i32> = codes.lines().map(|code| code.parse().expect("a code")).collect();
        let lines = block.text.lines().filter(|l| !l.trim().is_empty());
        let wanted: Vec<i32> = lines
            .filter(|l| !l.starts_with("cargo ") || l.starts_with("cargo run"))
            .map(expected)
            .collect();
        assert_eq!(found, wanted, "{at}: exit codes found and wanted\n{}\n{shown}", block.text);
        ran += 1;
    }
    assert!(ran > 0, "{path} has no command");
}

fn said(mut command: Command) -> String {
    let output = command.output().expect("a shell");
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn the_commands_of_the_readme_end_as_it_says() {
    run("README.md");
}

#[test]
fn the_commands_of_the_guide_end_as_it_says() {
    run("docs/guide.md");
}

#[test]
fn the_commands_of_the_example_end_as_it_says() {
    run("examples/home/README.md");
}

#[test]
fn the_commands_of_the_example_with_a_talconfig_work() {
    run("examples/talconfig/README.md");
}

#[test]
fn the_recipes_of_the_guide_can_be_explained_and_planned() {
    let (space, _) = space("healthy-lab");
    let mut names = Vec::new();
    for (number, block) in blocks(&document("docs/guide.md")).into_iter().enumerate() {
        if block.language == "lua" && block.text.contains("return ops.recipe {") {
            space.write(&format!("recipes/guide/r{number}.lua"), &block.text);
            names.push(format!("guide:r{number}"));
        }
    }
    assert!(!names.is_empty());
    for name in &names {
        let _ = space.run(["show", name]).exit(0);
        let _ = space.run(["--lab", "plan", name]).exit(0);
    }
}

#[test]
fn a_block_is_found_with_its_mark() {
    let found = blocks(
        "text\n\n<!-- test: real, types \"a b\" -->\n\n    ops run x   # refused (exit 3)\n\ntext\n```lua\nreturn 1\n```\n",
    );
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].mark.as_str(), found[0].line), ("real, types \"a b\"", 5));
    assert_eq!(expected(&found[0].text), 3);
    assert_eq!((found[1].language.as_str(), found[1].text.as_str()), ("lua", "return 1\n"));
}
