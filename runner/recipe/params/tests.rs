//! Values of every type from every source, and how each wrong one is told.

use super::*;
use crate::config::{OfRecipe, Setting};
use crate::recipe::select::tests::home;
use crate::recipe::words::split;
use ops_core::time::Span;
use proptest::prelude::*;
use serde_json::json;

const PATHS: [(&str, bool); 3] = [("talos", true), ("talos/cp.yaml", false), ("sub", true)];

fn stat(path: &str) -> Option<bool> {
    PATHS.iter().find(|(p, _)| *p == path).map(|(_, dir)| *dir)
}

struct Bench {
    head: Head,
    env: Environment,
    inventory: RecipeSettings,
    project: RecipeSettings,
    interactive: bool,
}

fn bench(params: Vec<Param>) -> Bench {
    let head = Head {
        name: "talos:upgrade".into(),
        file: "recipes/talos/upgrade.lua".into(),
        line: 3,
        params,
        ..Head::default()
    };
    Bench {
        head,
        env: Environment::default(),
        inventory: RecipeSettings::default(),
        project: RecipeSettings::default(),
        interactive: false,
    }
}

impl Bench {
    fn with<T>(&self, f: impl FnOnce(&Context<'_>) -> T) -> T {
        let cluster = home();
        f(&Context {
            cluster: Some(&cluster),
            clusters: &["edge".to_owned(), "home".to_owned()],
            layers: &[&self.inventory, &self.project],
            env: &self.env,
            root: Path::new("/repo"),
            here: Path::new("/repo/sub"),
            stat: &stat,
            interactive: self.interactive,
        })
    }

    fn bind(&self, words: &[&str]) -> Result<Bound, Fault> {
        let catalog = [self.head.clone()].into_iter().collect::<Catalog>();
        let mut line = vec![self.head.name.clone()];
        line.extend(words.iter().map(|w| (*w).to_owned()));
        let line = split(&line, &catalog, &[])?;
        self.with(|cx| bind(&self.head, &line.recipes[0], cx))
    }

    /// The value of the parameter `x`, or the error.
    fn told(&self, words: &[&str]) -> String {
        match self.bind(words) {
            Ok(bound) => bound.args.get("x").map_or("absent".into(), Value::to_string),
            Err(fault) => {
                let help = fault.help.iter().fold(String::new(), |out, h| format!("{out} ({h})"));
                format!("{fault}{help}")
            }
        }
    }
}

fn x(kind: ParamKind) -> Param {
    Param { name: "x".into(), kind, ..Param::default() }
}

fn text() -> ParamKind {
    ParamKind::String { pattern: None, min: None, max: None, allow_empty: false }
}

fn layer(file: &str, value: &Value) -> RecipeSettings {
    let place = |column| Place { file: file.into(), line: 5, column, length: 1, text: None };
    let setting = Setting { value: value.clone(), key: place(3), place: place(9) };
    let of = OfRecipe { place: place(1), params: [("x".to_owned(), setting)].into() };
    RecipeSettings { file: file.into(), recipes: [("talos:upgrade".to_owned(), of)].into() }
}

#[test]
fn every_type_reads_its_words_and_refuses_others() {
    let rows: Vec<(ParamKind, &[&str], &str)> = vec![
        (ParamKind::Bool, &[], "false"),
        (ParamKind::Bool, &["--x"], "true"),
        (ParamKind::Bool, &["--x", "--no-x"], "false"),
        (ParamKind::Bool, &["--x=yes"], "true"),
        (ParamKind::Bool, &["--x=maybe"], "OPS0211 `--x`: `maybe` is not true or false"),
        (text(), &["--x", "a b"], "\"a b\""),
        (text(), &["--x", ""], "OPS0211 `--x`: an empty text"),
        (text(), &["--x", "a", "--x", "b"], "OPS0211 `--x`: given 2 times, expected one value"),
        (
            ParamKind::String {
                pattern: Some("^OPS%-%d+$".into()),
                min: None,
                max: None,
                allow_empty: false,
            },
            &["--x", "OPS-x"],
            "OPS0211 `--x`: `OPS-x` does not match `^OPS%-%d+$`",
        ),
        (
            ParamKind::String { pattern: None, min: Some(3), max: Some(5), allow_empty: false },
            &["--x", "é"],
            "OPS0211 `--x`: 1 characters, expected 3 to 5",
        ),
        (ParamKind::Int { min: Some(1), max: None }, &["--x", "3"], "3"),
        (ParamKind::Int { min: None, max: None }, &["--x", "-3"], "-3"),
        (
            ParamKind::Int { min: Some(1), max: None },
            &["--x", "0"],
            "OPS0211 `--x`: 0 is outside at least 1",
        ),
        (
            ParamKind::Int { min: None, max: None },
            &["--x", "3.5"],
            "OPS0211 `--x`: `3.5` is not a whole number",
        ),
        (ParamKind::Number { min: None, max: None }, &["--x", "3.5"], "3.5"),
        (
            ParamKind::Number { min: None, max: None },
            &["--x", "nan"],
            "OPS0211 `--x`: `nan` is not a number",
        ),
        (choice(false), &["--x", "auto"], "\"auto\""),
        (
            choice(false),
            &["--x", "atuo"],
            "OPS0211 `--x`: `atuo` is none of the words (did you mean `auto`?)",
        ),
        (choice(true), &["--x", "auto,try"], "[\"auto\",\"try\"]"),
        (list(false), &["--x", "1,2", "--x", "3"], "[1,2,3]"),
        (list(false), &["--x", "1,b"], "OPS0211 `--x`: `b` is not a whole number"),
        (list(false), &["--x", ""], "OPS0211 `--x`: an empty list"),
        (list(true), &["--x", ""], "[]"),
        (ParamKind::Duration { min: None, max: None }, &["--x", "90s"], "\"90s\""),
        (
            ParamKind::Duration { min: None, max: Some(Span::mins(1)) },
            &["--x", "90s"],
            "OPS0211 `--x`: 1m30s is outside at most 1m",
        ),
        (
            ParamKind::Duration { min: None, max: None },
            &["--x", "5"],
            "OPS0211 `--x`: `5` is not a duration such as \"90s\", \"5m\" or \"1h30m\"",
        ),
        (semver(), &["--x", "v1.13.0"], "\"v1.13.0\""),
        (semver(), &["--x", "v2.0.0"], "OPS0211 `--x`: `v2.0.0` is outside `>=1.11 <2`"),
        (semver(), &["--x", "latest"], "OPS0211 `--x`: `latest` is no version such as \"v1.13.0\""),
        (ParamKind::Node { role: None }, &["--x", "cp-1"], "\"cp-1\""),
        (
            ParamKind::Node { role: None },
            &["--x", "cp1"],
            "OPS0211 `--x`: there is no node `cp1` (did you mean `cp-1`?)",
        ),
        (
            ParamKind::Node { role: Some("worker".into()) },
            &["--x", "cp-1"],
            "OPS0211 `--x`: `cp-1` is a controlplane, not a worker",
        ),
        (ParamKind::Nodes { role: None }, &["--x", "w-2,cp-1"], "[\"cp-1\",\"w-2\"]"),
        (
            ParamKind::Nodes { role: None },
            &["--x", "!cp-1", "--x", "controlplanes"],
            "[\"cp-2\",\"cp-3\"]",
        ),
        (ParamKind::Nodes { role: None }, &["--x", ""], "OPS0211 `--x`: `` selects no node"),
        (ParamKind::Cluster, &["--x", "edge"], "\"edge\""),
        (
            ParamKind::Cluster,
            &["--x", "egde"],
            "OPS0211 `--x`: there is no cluster `egde` (did you mean `edge`?)",
        ),
        (
            ParamKind::Secret { from: None },
            &["--x", "@env:TOKEN"],
            "{\"$secret\":{\"digest\":\"\",\"provider\":\"env\",\"reference\":\"TOKEN\"}}",
        ),
        (
            ParamKind::Secret { from: None },
            &["--x", "@op://v/i/f"],
            "{\"$secret\":{\"digest\":\"\",\"provider\":\"op\",\"reference\":\"op://v/i/f\"}}",
        ),
        (
            ParamKind::Secret { from: None },
            &["--x", "@-"],
            "{\"$secret\":{\"digest\":\"\",\"provider\":\"stdin\",\"reference\":\"-\"}}",
        ),
        (
            ParamKind::Secret { from: Some("op://v/i/f".into()) },
            &[],
            "{\"$secret\":{\"digest\":\"\",\"provider\":\"op\",\"reference\":\"op://v/i/f\"}}",
        ),
        (ParamKind::Rest { min: None, max: None }, &["--", "--all", "x"], "[\"--all\",\"x\"]"),
        (ParamKind::Rest { min: None, max: None }, &[], "[]"),
        (
            ParamKind::Rest { min: Some(1), max: None },
            &[],
            "OPS0211 words behind `--`: 0 words, expected at least 1",
        ),
    ];
    for (kind, words, expected) in rows {
        let told = bench(vec![x(kind.clone())]).told(words);
        assert_eq!(told, expected, "{kind:?} {words:?}");
    }
}

fn choice(multiple: bool) -> ParamKind {
    ParamKind::Choice { words: vec!["auto".into(), "try".into()], multiple }
}

fn list(allow_empty: bool) -> ParamKind {
    ParamKind::List {
        of: Box::new(ParamKind::Int { min: None, max: None }),
        sep: None,
        allow_empty,
    }
}

fn semver() -> ParamKind {
    ParamKind::Semver { range: Some(">=1.11 <2".into()) }
}

#[test]
fn partitions_are_never_refused_here_but_handed_to_the_guard_as_written() {
    let bench = bench(vec![Param { required: true, ..x(ParamKind::Partitions { of: None }) }]);
    let rows: [(&[&str], &str); 6] = [
        (&[], "[]"),
        (&["--x", ""], "[]"),
        (&["--x="], "[]"),
        (&["--x", "STATE,EPHEMERAL"], "[\"STATE\",\"EPHEMERAL\"]"),
        (&["--x", "STATE,", "--x", "META"], "[\"STATE\",\"\",\"META\"]"),
        (&["--x", "state"], "[\"state\"]"),
    ];
    for (words, expected) in rows {
        assert_eq!(bench.told(words), expected, "{words:?}");
    }
}

#[test]
fn a_literal_secret_is_refused_without_being_shown() {
    let secret = Param { env: Some("TOKEN".into()), ..x(ParamKind::Secret { from: None }) };
    let mut bench = bench(vec![secret]);
    let told = bench.told(&["--x", "hunter2"]);
    assert!(told.starts_with("OPS0211 `--x`: a reference to the secret is expected"), "{told}");
    assert!(!told.contains("hunter2"));
    bench.project = layer("ops.toml", &json!("hunter2"));
    bench
        .project
        .recipes
        .get_mut("talos:upgrade")
        .unwrap()
        .params
        .get_mut("x")
        .unwrap()
        .place
        .text = Some("x = \"hunter2\"".into());
    let fault = bench.bind(&[]).unwrap_err();
    assert!(!format!("{fault:?}").contains("hunter2"), "{fault:?}");
    bench.env = Environment::from_pairs([("TOKEN", "hunter2")]);
    assert_eq!(
        bench.told(&[]),
        "{\"$secret\":{\"digest\":\"\",\"provider\":\"env\",\"reference\":\"TOKEN\"}}"
    );
}

#[test]
fn a_value_comes_from_flag_then_variable_then_inventory_then_ops_toml_then_default() {
    let param = Param { env: Some("X".into()), default: Some(json!(1)), ..x(int()) };
    let mut bench = bench(vec![param]);
    assert_eq!(bench.told(&[]), "1");
    bench.project = layer("ops.toml", &json!(2));
    assert_eq!(bench.told(&[]), "2");
    bench.inventory = layer("clusters/home.toml", &json!(3));
    assert_eq!(bench.told(&[]), "3");
    bench.env = Environment::from_pairs([("X", "4")]);
    assert_eq!(bench.told(&[]), "4");
    assert_eq!(bench.told(&["--x", "5"]), "5");
    bench.env = Environment::from_pairs([("X", "")]);
    assert_eq!(bench.told(&[]), "3", "an empty variable is not set");
}

fn int() -> ParamKind {
    ParamKind::Int { min: None, max: None }
}

#[test]
fn a_wrong_value_is_told_where_it_stands() {
    let mut bench = bench(vec![Param { env: Some("X".into()), ..x(int()) }]);
    bench.project = layer("ops.toml", &json!("3"));
    assert_eq!(
        bench.told(&[]),
        "OPS0211 `x` of talos:upgrade: `\"3\"` is not a whole number (ops.toml:5:9)"
    );
    bench.env = Environment::from_pairs([("X", "three")]);
    assert_eq!(bench.told(&[]), "OPS0211 variable X, for `--x`: `three` is not a whole number");
    let mut with_default = bench;
    with_default.env = Environment::default();
    with_default.project = RecipeSettings::default();
    with_default.head.params[0].default = Some(json!("x"));
    assert_eq!(
        with_default.told(&[]),
        "OPS0211 default of `x`: `\"x\"` is not a whole number (recipes/talos/upgrade.lua:3)"
    );
}

#[test]
fn a_path_starts_where_the_user_stands_and_stays_inside() {
    let path = |dir, exists, outside| ParamKind::Path { dir, exists, outside };
    let rows: Vec<(ParamKind, &str, &str)> = vec![
        (path(false, false, false), "new.yaml", "\"sub/new.yaml\""),
        (path(false, true, false), "../talos/cp.yaml", "\"talos/cp.yaml\""),
        (path(false, true, false), "/repo/talos/cp.yaml", "\"talos/cp.yaml\""),
        (path(true, true, false), ".", "\"sub\""),
        (path(false, true, false), "cp.yaml", "OPS0211 `--x`: there is no file `sub/cp.yaml`"),
        (path(false, true, false), "../talos", "OPS0211 `--x`: `talos` is no file"),
        (
            path(true, false, false),
            "../talos/cp.yaml",
            "OPS0211 `--x`: `talos/cp.yaml` is no folder",
        ),
        (
            path(false, false, false),
            "../../etc/x",
            "OPS0211 `--x`: `../../etc/x` lies outside the repository",
        ),
        (
            path(false, false, false),
            "/etc/x",
            "OPS0211 `--x`: `/etc/x` lies outside the repository",
        ),
        (path(false, false, true), "/etc/x", "\"/etc/x\""),
        (path(false, false, false), "", "OPS0211 `--x`: an empty path"),
    ];
    for (kind, word, expected) in rows {
        assert_eq!(bench(vec![x(kind)]).told(&["--x", word]), expected, "{word}");
    }
    let mut from_file = bench(vec![x(path(false, true, false))]);
    from_file.project = layer("ops.toml", &json!("talos/cp.yaml"));
    assert_eq!(from_file.told(&[]), "\"talos/cp.yaml\"", "a path in a file starts at the root");
}

#[test]
fn a_missing_parameter_is_computed_asked_for_or_an_error() {
    let required =
        Param { required: true, desc: "Which nodes".into(), ..x(ParamKind::Nodes { role: None }) };
    let fault = bench(vec![required.clone()]).bind(&[]).unwrap_err();
    assert_eq!(fault.to_string(), "OPS0212 `talos:upgrade` needs `--x`");
    assert_eq!(fault.details, ["--x: Which nodes (a selection of nodes)"]);
    assert_eq!(fault.next, ["ops run talos:upgrade --x w-2"]);

    let asked = Param { prompt: true, ..required.clone() };
    let mut at_terminal = bench(vec![asked]);
    assert_eq!(at_terminal.bind(&[]).unwrap_err().code, Code::PARAM_MISSING);
    at_terminal.interactive = true;
    assert_eq!(at_terminal.bind(&[]).unwrap().ask, ["x"]);

    let computed = Param { default_function: true, ..required };
    assert_eq!(bench(vec![computed]).bind(&[]).unwrap().open, ["x"]);
    assert_eq!(bench(vec![x(text())]).told(&[]), "absent");
}

#[test]
fn arguments_of_another_recipe_are_checked_as_data() {
    let bench =
        bench(vec![x(int()), Param { name: "nodes".into(), ..x(ParamKind::Nodes { role: None }) }]);
    let bound = |args: Value| {
        let args = args.as_object().unwrap().clone();
        bench.with(|cx| bind_data(&bench.head, &args, cx)).map_err(|fault| fault.to_string())
    };
    let good = bound(json!({"x": 3, "nodes": ["w-1"]})).unwrap();
    assert_eq!(Value::Object(good.args), json!({"x": 3, "nodes": ["w-1"]}));
    assert_eq!(
        bound(json!({"x": "3"})).unwrap_err(),
        "OPS0211 `x` of talos:upgrade: `\"3\"` is not a whole number"
    );
    assert_eq!(
        bound(json!({"node": "w-1"})).unwrap_err(),
        "OPS0210 `talos:upgrade` has no parameter `node`"
    );
}

#[test]
fn a_file_may_name_only_what_exists() {
    let bench = bench(vec![x(int())]);
    let catalog = [bench.head.clone()].into_iter().collect::<Catalog>();
    let good = layer("ops.toml", &json!(1));
    assert_eq!(check_layers(&catalog, &[&good]), Ok(()));

    let mut recipe = good.clone();
    let of = recipe.recipes.remove("talos:upgrade").unwrap();
    recipe.recipes.insert("talos:upgrad".into(), of);
    let fault = check_layers(&catalog, &[&recipe]).unwrap_err();
    assert_eq!(fault.to_string(), "OPS0107 there is no recipe `talos:upgrad` (ops.toml:5:1)");
    assert_eq!(fault.help, ["did you mean `talos:upgrade`?"]);

    let mut name = good;
    let params = &mut name.recipes.get_mut("talos:upgrade").unwrap().params;
    let setting = params.remove("x").unwrap();
    params.insert("y".into(), setting);
    let fault = check_layers(&catalog, &[&name]).unwrap_err();
    assert_eq!(fault.to_string(), "OPS0210 `talos:upgrade` has no parameter `y` (ops.toml:5:3)");
}

proptest! {
    #[test]
    fn numbers_are_read_as_they_are_printed(number in any::<i64>()) {
        let bound = bench(vec![x(int())]).bind(&["--x", &number.to_string()]).unwrap();
        prop_assert_eq!(&bound.args["x"], &json!(number));
    }

    #[test]
    fn no_path_word_leaves_the_repository(word in "(\\.\\./|\\./|a/|/|b|\\.\\.){0,6}") {
        let kind = ParamKind::Path { dir: false, exists: false, outside: false };
        if let Ok(bound) = bench(vec![x(kind)]).bind(&[&format!("--x={word}")]) {
            let path = bound.args["x"].as_str().unwrap();
            prop_assert!(!path.starts_with('/') && !path.split('/').any(|p| p == ".."), "{}", path);
        }
    }

    #[test]
    fn what_one_flag_says_many_flags_say_too(items in prop::collection::vec(0..100i64, 1..6)) {
        let words: Vec<String> = items.iter().map(i64::to_string).collect();
        let joined = words.join(",");
        let once = bench(vec![x(list(false))]).told(&["--x", &joined]);
        let flags: Vec<&str> = words.iter().flat_map(|w| ["--x", w.as_str()]).collect();
        prop_assert_eq!(once, bench(vec![x(list(false))]).told(&flags));
    }
}
