//! Which word belongs to which recipe, and what is said about a word that belongs to none.

use super::*;
use proptest::prelude::*;

fn param(name: &str, kind: ParamKind) -> Param {
    Param { name: name.into(), kind, ..Param::default() }
}

fn text() -> ParamKind {
    ParamKind::String { pattern: None, min: None, max: None, allow_empty: false }
}

fn catalog() -> Catalog {
    let reboot = Head {
        name: "talos:reboot".into(),
        aliases: vec!["reboot".into()],
        tags: vec!["weekly".into()],
        params: vec![
            Param {
                positional: true,
                short: Some('n'),
                ..param("nodes", ParamKind::Nodes { role: None })
            },
            param("drain", ParamKind::Bool),
            Param {
                short: Some('t'),
                ..param("drain_timeout", ParamKind::Duration { min: None, max: None })
            },
        ],
        ..Head::default()
    };
    let suspend = Head {
        name: "flux:suspend".into(),
        tags: vec!["weekly".into()],
        params: vec![
            Param { positional: true, required: true, ..param("name", text()) },
            Param { positional: true, ..param("reason", text()) },
            param("args", ParamKind::Rest { min: None, max: None }),
        ],
        ..Head::default()
    };
    let docs = Head { name: "docs".into(), ..Head::default() };
    let status = Head {
        name: "cluster:status".into(),
        params: vec![param("nodes", ParamKind::Nodes { role: None })],
        ..Head::default()
    };
    let private = Head { name: "hidden".into(), private: true, ..Head::default() };
    let heads = [reboot, suspend, docs, status, private];
    heads.into_iter().collect()
}

fn outside() -> Vec<Outside> {
    vec![
        Outside { long: "lab".into(), short: None, value: false },
        Outside { long: "yes".into(), short: Some('y'), value: false },
        Outside { long: "cluster".into(), short: None, value: true },
    ]
}

fn told(line: &str) -> String {
    let words: Vec<String> = line.split(' ').filter(|w| !w.is_empty()).map(str::to_owned).collect();
    match split(&words, &catalog(), &outside()) {
        Ok(line) => {
            let mut out: Vec<String> = line
                .recipes
                .iter()
                .map(|written| {
                    let said = written.said.iter().map(|(name, said)| match said {
                        Said::On => format!(" {name}"),
                        Said::Off => format!(" !{name}"),
                        Said::Word(word) => format!(" {name}={word}"),
                    });
                    format!("{}{}", written.recipe, said.collect::<String>())
                })
                .collect();
            out.extend(line.outside.iter().map(|o| format!("[{o}]")));
            out.join(" | ")
        }
        Err(fault) => {
            let help = fault.help.iter().fold(String::new(), |out, h| format!("{out} ({h})"));
            format!("{} {}{help}", fault.code, fault.title)
        }
    }
}

#[test]
fn each_word_goes_to_the_recipe_before_it() {
    let rows = [
        ("talos:reboot", "talos:reboot"),
        ("reboot w-1", "talos:reboot nodes=w-1"),
        ("talos:reboot w-1 w-2 docs", "talos:reboot nodes=w-1 nodes=w-2 | docs"),
        ("talos:reboot --nodes w-1,w-2", "talos:reboot nodes=w-1,w-2"),
        (
            "talos:reboot --nodes=w-1 -n w-2 -nw-3 -n=w-4",
            "talos:reboot nodes=w-1 nodes=w-2 nodes=w-3 nodes=w-4",
        ),
        ("talos:reboot --drain --drain-timeout 90s", "talos:reboot drain drain_timeout=90s"),
        ("talos:reboot --no-drain", "talos:reboot !drain"),
        ("talos:reboot --drain=false", "talos:reboot drain=false"),
        ("talos:reboot --nodes !cp-1", "talos:reboot nodes=!cp-1"),
        ("talos:reboot --drain docs", "talos:reboot drain | docs"),
        ("flux:suspend apps docs", "flux:suspend name=apps | docs"),
        ("flux:suspend docs because", "flux:suspend name=docs reason=because"),
        ("flux:suspend apps -- --all docs", "flux:suspend name=apps args=--all args=docs"),
        (
            "talos:reboot w-1 --yes --cluster home docs --lab",
            "talos:reboot nodes=w-1 | docs | [--yes] | [--cluster] | [home] | [--lab]",
        ),
        ("docs -y --cluster=home", "docs | [-y] | [--cluster=home]"),
        ("@weekly", "flux:suspend | talos:reboot"),
        ("", ""),
    ];
    for (line, expected) in rows {
        assert_eq!(told(line), expected, "{line}");
    }
}

#[test]
fn each_mistake_is_told_with_what_was_probably_meant() {
    let rows = [
        ("talos:rebot", "OPS0107 there is no recipe `talos:rebot` (did you mean `talos:reboot`?)"),
        ("hidden", "OPS0107 `hidden` is private: only recipes run it"),
        ("@wekly", "OPS0107 no recipe has the tag `@wekly` (did you mean `weekly`?)"),
        (
            "talos:reboot --drain-timout 5m",
            "OPS0210 `talos:reboot` has no parameter `--drain-timout` (did you mean `--drain-timeout`?)",
        ),
        (
            "talos:reboot --drain_timeout 5m",
            "OPS0210 `talos:reboot` has no parameter `--drain_timeout` (did you mean `--drain-timeout`?)",
        ),
        ("docs --labs", "OPS0210 `docs` has no parameter `--labs` (did you mean `--lab`?)"),
        ("talos:reboot --nodes", "OPS0211 `--nodes` needs a value"),
        (
            "talos:reboot --nodes --drain",
            "OPS0211 `--nodes` needs a value, and `--drain` follows (if that is the value, write `--nodes=--drain`)",
        ),
        ("talos:reboot --no-drain=x", "OPS0211 `--no-drain` takes no value"),
        (
            "talos:reboot --no-nodes",
            "OPS0210 `talos:reboot` has no parameter `--no-nodes` (did you mean `--nodes`?)",
        ),
        (
            "cluster:status w-1",
            "OPS0210 `cluster:status` takes no word here: `w-1` (did you mean `--nodes w-1`?)",
        ),
        ("docs doc", "OPS0107 there is no recipe `doc` (did you mean `docs`?)"),
        ("docs -- x", "OPS0210 `docs` takes nothing behind `--`"),
        ("-- x", "OPS0200 `--` stands before any recipe"),
        ("--nodes w-1", "OPS0200 there is no flag `--nodes`"),
        ("flux:suspend --args x", "OPS0210 `flux:suspend` has no parameter `--args`"),
    ];
    for (line, expected) in rows {
        assert_eq!(told(line), expected, "{line}");
    }
}

proptest! {
    #[test]
    fn no_words_make_it_panic(words in prop::collection::vec(
        "(talos:reboot|docs|flux:suspend|--|-n|-nx|--nodes(=x)?|--no-drain|-|--=|--no-|-é|@|@weekly|.{0,4})", 0..7,
    )) {
        let _ = split(&words, &catalog(), &outside());
    }

    #[test]
    fn every_word_that_is_taken_is_kept(nodes in prop::collection::vec("[a-z]{1,5}-[0-9]", 1..5)) {
        let mut words = vec!["talos:reboot".to_owned()];
        words.extend(nodes.iter().cloned());
        let line = split(&words, &catalog(), &outside()).unwrap();
        let said: Vec<String> = line.recipes[0]
            .said
            .iter()
            .map(|(_, said)| match said { Said::Word(word) => word.clone(), _ => String::new() })
            .collect();
        prop_assert_eq!(said, nodes);
    }
}
