//! How command lines are understood.

use super::*;

fn words(line: &str) -> Vec<String> {
    std::iter::once("ops")
        .chain(line.split(' ').filter(|w| !w.is_empty()))
        .map(str::to_owned)
        .collect()
}

fn parsed(line: &str) -> (Globals, Option<Command>) {
    match parse(&words(line)) {
        Ok(Parsed::Command { globals, command }) => (globals, command),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn the_definition_holds_together() {
    Top::command().debug_assert();
}

#[test]
fn a_word_that_is_no_subcommand_is_a_recipe_with_its_flags() {
    let (globals, command) = parsed("--lab talos:reboot w-1 --drain -- x");
    assert!(globals.lab);
    let Some(Command::Recipe(words)) = command else { panic!("{command:?}") };
    assert_eq!(words, ["talos:reboot", "w-1", "--drain", "--", "x"]);
}

#[test]
fn behind_run_everything_belongs_to_the_recipes() {
    let (globals, command) = parsed("run --lab talos:reboot --yes -n w-1 -- --json");
    assert!(globals.lab && !globals.yes && !globals.json);
    let Some(Command::Run(run)) = command else { panic!("{command:?}") };
    assert_eq!(run.words, ["talos:reboot", "--yes", "-n", "w-1", "--", "--json"]);
}

#[test]
fn flags_behind_a_recipe_count_as_flags_before_it() {
    let (globals, _) = parsed("-C x --cluster a -j 2 run r");
    let behind: Vec<String> = words("--cluster b --lab").into_iter().skip(1).collect();
    let globals = globals.with(&behind).unwrap();
    assert_eq!((globals.cluster.as_deref(), globals.lab, globals.jobs), (Some("b"), true, Some(2)));
    let late = globals.with(&["-C".into(), "y".into()]).unwrap_err();
    assert_eq!(late.title, "`-C` stands before the recipe");
}

#[test]
fn every_global_flag_may_stand_behind_a_recipe() {
    let outside = outside();
    let values: Vec<&str> = outside.iter().filter(|o| o.value).map(|o| o.long.as_str()).collect();
    assert_eq!(values, ["", "cluster", "jobs", "output", "color"]);
    assert!(outside.iter().any(|o| o.long == "keep-going" && !o.value));
}

#[test]
fn mistakes_are_told_in_the_words_of_ops() {
    let told = |line: &str| {
        let fault = parse(&words(line)).unwrap_err();
        let more: Vec<&str> = fault.details.iter().chain(&fault.help).map(String::as_str).collect();
        format!("{} | {}", fault.title, more.join(" | "))
    };
    let rows = [
        ("--jsn list", "there is no flag `--jsn` here | did you mean `--json`?"),
        ("list --al", "there is no flag `--al` here | did you mean `--all`?"),
        (
            "--color red",
            "`--color <WHEN>`: `red` is no value for it | possible: auto, always, never",
        ),
        ("-j 0 list", "`--jobs <N>`: `0` is no value for it | "),
        ("show", "<RECIPE> is missing | "),
        ("lab brek", "there is no command `brek` | did you mean `break`?"),
        ("-v -q list", "`--verbose` and `--quiet` contradict each other | "),
    ];
    for (line, expected) in rows {
        assert_eq!(told(line), expected, "{line}");
    }
}

#[test]
fn help_and_version_are_texts() {
    for line in ["--help", "-h", "--version", "run --help", "lab"] {
        assert!(matches!(parse(&words(line)), Ok(Parsed::Help(_))), "{line}");
    }
    let Ok(Parsed::Help(help)) = parse(&words("--help")) else { panic!() };
    for exit in ["101  a fault of ops", "    3  a guard refused", "130, 143"] {
        assert!(help.contains(exit), "{help}");
    }
}
