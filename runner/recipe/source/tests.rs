//! What the sources promise: names, precedence, no way out of `lua-lib/`.

use std::collections::BTreeMap;
use std::io;

use super::{Sources, recipe_name};
use crate::sys::files::{Files, Stat};

/// A tree of files in memory.
struct Tree(BTreeMap<&'static str, &'static [u8]>);

impl Files for Tree {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.0.get(path).map(|b| b.to_vec()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
    fn stat(&self, path: &str) -> io::Result<Option<Stat>> {
        let dir = self.0.keys().any(|k| k.starts_with(&format!("{path}/")));
        Ok((dir || self.0.contains_key(path)).then_some(Stat {
            size: 0,
            mtime: 0,
            ctime: 0,
            inode: 0,
            mode: 0,
            dir,
        }))
    }
    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let mut names: Vec<String> = self
            .0
            .keys()
            .filter_map(|k| k.strip_prefix(&format!("{path}/")))
            .map(|rest| rest.split('/').next().unwrap_or(rest).to_owned())
            .collect();
        names.dedup();
        Ok(names)
    }
    fn write(&self, _: &str, _: &[u8], _: u32) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn remove(&self, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn make_folder(&self, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[test]
fn the_path_below_recipes_is_the_name() {
    for (path, name) in [
        ("recipes/hello.lua", "hello"),
        ("recipes/talos/apply-config.lua", "talos:apply-config"),
        ("recipes/a/b/c.lua", "a:b:c"),
    ] {
        assert_eq!(recipe_name(path).unwrap(), name);
    }
    for path in ["recipes/a b.lua", "recipes/.hidden.lua", "recipes/a:b.lua", "recipes/ä.lua"] {
        assert!(recipe_name(path).is_err(), "{path}");
    }
}

#[test]
fn a_repository_is_read_without_tests_and_hidden_files() {
    let tree = Tree(BTreeMap::from([
        ("recipes/talos/reboot.lua", b"return 1".as_slice()),
        ("recipes/talos/reboot.test.lua", b"test()"),
        ("recipes/.git/x.lua", b""),
        ("recipes/notes.md", b"# notes"),
        ("lua-lib/checks/cidr.lua", b"return {}"),
        ("elsewhere/x.lua", b""),
    ]));
    let sources = Sources::collect(&tree).unwrap();
    let own: Vec<&str> =
        sources.recipes().filter(|s| !s.embedded).map(|s| s.shown.as_str()).collect();
    assert_eq!(own, ["recipes/talos/reboot.lua"]);
    assert_eq!(sources.module("checks.cidr").unwrap().text, "return {}");
}

#[test]
fn a_file_that_is_no_text_is_named() {
    let tree = Tree(BTreeMap::from([("recipes/x.lua", b"\xff\xfe".as_slice())]));
    let fault = Sources::collect(&tree).unwrap_err();
    assert!(fault.title.contains("recipes/x.lua"), "{fault}");
}

#[test]
fn a_repositorys_own_module_wins_over_the_embedded_one() {
    let sources = Sources::default()
        .with_embedded("lua-lib/ops/drained.lua", "embedded")
        .with_embedded("lua-lib/internal.lua", "not for recipes");
    assert_eq!(sources.module("ops.drained").unwrap().text, "embedded");
    let sources = sources.with("lua-lib/ops/drained.lua", "own");
    assert_eq!(sources.module("ops.drained").unwrap().text, "own");
    assert!(sources.module("internal").is_err());
}

#[test]
fn no_module_name_leaves_its_folder() {
    let sources = Sources::default().with("secret.lua", "x").with("lua-lib/a.lua", "a");
    for name in ["../secret", "..secret", "a/b", "", ".", "a..b", "/etc/passwd", "a.", "a\0b"] {
        assert!(sources.module(name).is_err(), "{name:?}");
    }
}

#[test]
fn a_misspelt_module_finds_its_neighbour() {
    let sources = Sources::default().with_embedded("lua-lib/ops/drained.lua", "");
    let fault = sources.module("ops.draind").unwrap_err();
    assert_eq!(fault.help, ["did you mean `ops.drained`?"]);
}

#[test]
fn the_digest_tells_any_change_apart() {
    let one = Sources::default().with("recipes/a.lua", "1");
    let all = [
        one.clone(),
        Sources::default().with("recipes/a.lua", "2"),
        Sources::default().with("recipes/b.lua", "1"),
        Sources::default().with_embedded("recipes/a.lua", "1"),
        one.clone().with("lua-lib/x.lua", ""),
    ];
    let mut digests: Vec<String> = all.iter().map(|s| s.digest().0).collect();
    assert_eq!(one.digest(), all[0].digest());
    let more = one.clone().with("recipes/further.lua", "x");
    assert_ne!(more.digest(), one.digest(), "also where it was asked for before");
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), all.len());
}
