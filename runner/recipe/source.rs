//! The Lua sources that a run may load: those in the binary, and the repository's own on top. Knows paths and names, runs nothing.

use std::collections::BTreeMap;
use std::io;
use std::sync::OnceLock;

use include_dir::{Dir, include_dir};
use ops_core::error::{Code, Fault, Place};
use ops_core::value::Digest;

use crate::sys::files::Files;

static RECIPES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/recipes");
static LIBRARY: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/lua-lib");

/// What stands before the path of a source that is part of `ops`.
pub const EMBEDDED: &str = "embedded:";

/// One Lua file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// As the user knows it: `recipes/talos/reboot.lua`, or `embedded:recipes/talos/reboot.lua`.
    pub shown: String,
    /// Path below the root, without `embedded:`.
    pub path: String,
    /// Part of the binary.
    pub embedded: bool,
    /// Its text.
    pub text: String,
}

/// Every Lua file that may be loaded: recipes and modules, embedded ones and the repository's.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    embedded: BTreeMap<String, Source>,
    repository: BTreeMap<String, Source>,
    /// Of all of them, once it has been asked for.
    digest: OnceLock<Digest>,
}

impl Sources {
    /// What is part of the binary.
    pub fn embedded() -> Sources {
        let mut sources = Sources::default();
        sources.embed("recipes", &RECIPES);
        sources.embed("lua-lib", &LIBRARY);
        sources
    }

    /// What is part of the binary, and the files below `recipes/` and `lua-lib/` of a repository.
    ///
    /// # Errors
    /// The file or folder that cannot be read, or is no UTF-8.
    pub fn collect(files: &dyn Files) -> Result<Sources, Fault> {
        let mut sources = Sources::embedded();
        for folder in ["recipes", "lua-lib"] {
            sources.walk(files, folder)?;
        }
        Ok(sources)
    }

    /// Adds a file of the repository, or replaces it.
    #[must_use]
    pub fn with(mut self, path: &str, text: &str) -> Sources {
        self.add(path, text.to_owned(), false);
        self
    }

    /// Adds a file as if it were part of the binary: for tests.
    #[must_use]
    pub fn with_embedded(mut self, path: &str, text: &str) -> Sources {
        self.add(path, text.to_owned(), true);
        self
    }

    /// The recipe files, embedded ones first, each by path.
    pub fn recipes(&self) -> impl Iterator<Item = &Source> {
        let recipe = |source: &&Source| source.path.starts_with("recipes/");
        self.embedded.values().filter(recipe).chain(self.repository.values().filter(recipe))
    }

    /// The file of a shown name.
    pub fn shown(&self, shown: &str) -> Option<&Source> {
        match shown.strip_prefix(EMBEDDED) {
            Some(path) => self.embedded.get(path),
            None => self.repository.get(shown),
        }
    }

    /// Where a text stands in quotes in a file, from a line on.
    pub fn quoted(&self, shown: &str, from: u32, text: &str) -> Option<Place> {
        let source = self.shown(shown)?;
        let lines = source.text.lines().enumerate().skip(from.saturating_sub(1) as usize);
        let quoted = |line: &str| {
            ['"', '\''].iter().find_map(|quote| line.find(&format!("{quote}{text}{quote}")))
        };
        let mut lines = lines;
        lines.find_map(|(n, line)| Some((n, line, quoted(line)?))).map(|(n, line, at)| Place {
            file: shown.to_owned(),
            line: n as u32 + 1,
            column: line[..at].chars().count() as u32 + 2,
            length: text.chars().count() as u32,
            text: Some(line.to_owned()),
        })
    }

    /// The file that `require "checks.cidr"` means: the repository's own, else for `ops.*` the embedded one.
    ///
    /// # Errors
    /// Where the name is none, so that no name leaves `lua-lib/`, or where there is no such module; with the modules that there are.
    pub fn module(&self, name: &str) -> Result<&Source, Fault> {
        let words = name.split('.');
        let sound = words.clone().all(|word| {
            word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        });
        if !sound {
            return Err(Fault::new(
                Code::MODULE_UNKNOWN,
                format!("`{}` is no name of a module", name.escape_debug()),
            )
            .label("letters, digits, `_` and `-`, with a dot between the words")
            .help("`require \"checks.cidr\"` is `lua-lib/checks/cidr.lua`"));
        }
        let path = format!("lua-lib/{}.lua", words.collect::<Vec<_>>().join("/"));
        let embedded = self.embedded.get(&path).filter(|_| name.starts_with("ops."));
        self.repository.get(&path).or(embedded).ok_or_else(|| {
            let known = self.modules();
            Fault::new(Code::MODULE_UNKNOWN, format!("there is no module `{name}`"))
                .detail(format!("looked for `{path}`"))
                .did_you_mean(name, known.iter().map(String::as_str))
        })
    }

    /// Names of all modules, sorted.
    pub fn modules(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .embedded
            .keys()
            .chain(self.repository.keys())
            .filter_map(|path| path.strip_prefix("lua-lib/")?.strip_suffix(".lua"))
            .map(|path| path.replace('/', "."))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The digest of every file: what a journal compares before it is resumed.
    pub fn digest(&self) -> Digest {
        self.digest.get_or_init(|| self.digest_all()).clone()
    }

    fn digest_all(&self) -> Digest {
        let of = |map: &BTreeMap<String, Source>| -> serde_json::Value {
            map.iter()
                .map(|(path, source)| {
                    (path.clone(), Digest::of_bytes(source.text.as_bytes()).0.into())
                })
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        Digest::of(&serde_json::json!([of(&self.embedded), of(&self.repository)]))
    }

    fn add(&mut self, path: &str, text: String, embedded: bool) {
        let shown = if embedded { format!("{EMBEDDED}{path}") } else { path.to_owned() };
        let source = Source { shown, path: path.to_owned(), embedded, text };
        self.digest = OnceLock::new();
        let map = if embedded { &mut self.embedded } else { &mut self.repository };
        map.insert(path.to_owned(), source);
    }

    fn embed(&mut self, root: &str, dir: &Dir<'static>) {
        for file in dir.files() {
            let path = format!("{root}/{}", file.path().display());
            if let (true, Some(text)) = (is_source(&path), file.contents_utf8()) {
                self.add(&path, text.to_owned(), true);
            }
        }
        for inner in dir.dirs() {
            self.embed(root, inner);
        }
    }

    fn walk(&mut self, files: &dyn Files, folder: &str) -> Result<(), Fault> {
        let wrong = |path: &str, error: &io::Error| {
            Fault::new(Code::CONFIG_READ, format!("`{path}` cannot be read: {error}"))
        };
        if !files.stat(folder).map_err(|e| wrong(folder, &e))?.is_some_and(|stat| stat.dir) {
            return Ok(());
        }
        for name in files.list(folder).map_err(|e| wrong(folder, &e))? {
            let path = format!("{folder}/{name}");
            if name.starts_with('.') {
                continue;
            }
            if files.stat(&path).map_err(|e| wrong(&path, &e))?.is_some_and(|stat| stat.dir) {
                self.walk(files, &path)?;
            } else if is_source(&path) {
                let bytes = files.read(&path).map_err(|e| wrong(&path, &e))?;
                let text = String::from_utf8(bytes).map_err(|_| {
                    Fault::new(Code::CONFIG_READ, format!("`{path}` is no UTF-8 text"))
                })?;
                self.add(&path, text, false);
            }
        }
        Ok(())
    }
}

/// Lua files; tests of recipes are none.
fn is_source(path: &str) -> bool {
    let stem = path.strip_suffix(".lua");
    stem.is_some_and(|stem| stem.rsplit_once('.').is_none_or(|(_, kind)| kind != "test"))
}

/// The name that a recipe file gives: `recipes/talos/apply-config.lua` is `talos:apply-config`.
///
/// # Errors
/// Where a part of the path cannot be typed on a command line.
pub fn recipe_name(path: &str) -> Result<String, Fault> {
    let inner = path.strip_prefix("recipes/").unwrap_or(path);
    let inner = inner.strip_suffix(".lua").unwrap_or(inner);
    let sound = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    if inner.split('/').all(sound) {
        Ok(inner.replace('/', ":"))
    } else {
        Err(Fault::new(Code::RECIPE_SHAPE, format!("`{path}` gives no name for a recipe")).help(
            "folders and files below `recipes/` are named with letters, digits, `-`, `_` and `.`",
        ))
    }
}

#[cfg(test)]
#[path = "source/tests.rs"]
mod tests;
