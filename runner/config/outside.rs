//! Files of other tools that say parts of an inventory: read, decrypted where that cannot be helped, with a place for every mistake. Knows no
//! keys, and starts no process: who decrypts is handed in.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use ops_core::error::{Code, Fault, Place};
use ops_render::{Diagnostic, MAX_BYTES, Mark, Tree};

use super::env::Environment;
use crate::sys::regular;

/// Decrypts files of SOPS.
pub trait Decrypt {
    /// The content of a file below `root` in the clear; `bytes` is what it holds.
    ///
    /// # Errors
    /// Where sops is missing, or has no key that fits.
    fn sops(
        &self,
        root: &Path,
        path: &str,
        bytes: &[u8],
        env: &Environment,
    ) -> Result<Vec<u8>, Fault>;
}

/// Decrypts nothing: for those who only look at what is open.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sealed;

impl Decrypt for Sealed {
    fn sops(&self, _: &Path, path: &str, _: &[u8], _: &Environment) -> Result<Vec<u8>, Fault> {
        Err(Fault::new(Code::CONFIG_READ, format!("`{path}` is encrypted")))
    }
}

/// Whether a text is a file of SOPS: a mapping with its own `sops` key, in YAML or JSON, or what it writes into dotenv and INI files.
pub fn is_sops(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let key = text.lines().any(|line| {
        let line = line.trim_start_matches('\u{feff}');
        line.starts_with("sops:")
            || line.trim_start().starts_with("\"sops\":")
            || line.starts_with("sops_mac=ENC[")
            || line == "[sops]"
    });
    key && text.contains("ENC[")
}

/// Where an inventory finds what it does not say itself.
pub(crate) struct Outside<'a> {
    pub root: &'a Path,
    pub env: &'a Environment,
    pub decrypt: &'a dyn Decrypt,
    /// What was read, relative to the root, in the order of the first read.
    pub read: RefCell<Vec<String>>,
    /// Decrypted files: each is decrypted once.
    pub open: RefCell<BTreeMap<String, Vec<u8>>>,
}

impl<'a> Outside<'a> {
    pub(crate) fn new(
        root: &'a Path,
        env: &'a Environment,
        decrypt: &'a dyn Decrypt,
    ) -> Outside<'a> {
        Outside { root, env, decrypt, read: RefCell::default(), open: RefCell::default() }
    }

    /// A file as it lies on the disk; nothing where there is none.
    pub(crate) fn bytes(&self, path: &str) -> Result<Option<Vec<u8>>, Fault> {
        let mut read = self.read.borrow_mut();
        if !read.iter().any(|known| known == path) {
            read.push(path.to_owned());
        }
        drop(read);
        let unreadable = |error: &std::io::Error| {
            Fault::new(Code::CONFIG_READ, format!("cannot read `{path}`: {error}"))
        };
        let whole = self.root.join(path);
        let real = match whole.canonicalize() {
            Ok(real) => real,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(&error)),
        };
        let root = self.root.canonicalize().map_err(|error| unreadable(&error))?;
        if !real.starts_with(&root) {
            let title = format!("`{path}` leaves the repository: it leads to {}", real.display());
            return Err(Fault::new(Code::CONFIG_READ, title)
                .help("links that lead out of the repository are not followed"));
        }
        let (file, metadata) = regular::open(&real).map_err(|error| unreadable(&error))?;
        if metadata.len() > MAX_BYTES as u64 {
            let size = metadata.len();
            let title = format!("`{path}` has {size} bytes, at most {MAX_BYTES} are read");
            return Err(Fault::new(Code::CONFIG_READ, title));
        }
        let mut bytes = Vec::new();
        let read = file.take(MAX_BYTES as u64).read_to_end(&mut bytes);
        read.map(|_| Some(bytes)).map_err(|error| unreadable(&error))
    }

    /// A file in the clear; nothing where there is none.
    pub(crate) fn open(&self, path: &str) -> Result<Option<Vec<u8>>, Fault> {
        let Some(bytes) = self.bytes(path)? else { return Ok(None) };
        if !is_sops(&bytes) {
            return Ok(Some(bytes));
        }
        if let Some(known) = self.open.borrow().get(path) {
            return Ok(Some(known.clone()));
        }
        let clear = self.decrypt.sops(self.root, path, &bytes, self.env)?;
        self.open.borrow_mut().insert(path.to_owned(), clear.clone());
        Ok(Some(clear))
    }

    /// Whether there is a file.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.root.join(path).is_file()
    }
}

/// A YAML file with its text at hand, so that a mistake in it is shown at its line.
pub(crate) struct Yaml {
    /// Path relative to the root.
    pub file: String,
    text: String,
    /// Its content was encrypted, so that no line of it may be shown.
    sealed: bool,
    /// Its only document.
    pub tree: Tree,
}

impl Yaml {
    /// Parses a file that holds one mapping.
    pub(crate) fn parse(file: &str, bytes: &[u8], sealed: bool) -> Result<Yaml, Fault> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let shown = if sealed { "" } else { &text };
        let source = ops_render::Source { name: file, bytes };
        let mut documents = Tree::read(source).map_err(|problem| told(&[problem], shown))?;
        let tree = match (documents.pop(), documents.is_empty()) {
            (Some(tree), true) if tree.is_map() => tree,
            (None, _) => {
                return Err(Fault::new(Code::CONFIG_SYNTAX, format!("`{file}` is empty")));
            }
            _ => {
                let title = format!("`{file}` is to be one mapping of keys");
                return Err(Fault::new(Code::CONFIG_SYNTAX, title));
            }
        };
        Ok(Yaml { file: file.to_owned(), text, sealed, tree })
    }

    /// The place of a value.
    pub(crate) fn place(&self, at: &Tree) -> Place {
        place(&self.file, at.mark(), if self.sealed { "" } else { &self.text })
    }

    /// A wrong key or value.
    pub(crate) fn wrong(&self, at: &Tree, title: impl Into<String>) -> Fault {
        Fault::new(Code::CONFIG_KEY, title).at(self.place(at))
    }

    /// A key that is missing.
    pub(crate) fn missing(&self, key: &str) -> Fault {
        let title = format!("`{key}` is missing in {}", self.file);
        let fault = || Fault::new(Code::CONFIG_KEY, title).at(self.place(&self.tree));
        self.misspelt(&self.tree, key).unwrap_or_else(fault)
    }

    /// A key of a map that is nearly the one that it lacks.
    pub(crate) fn misspelt(&self, of: &Tree, key: &str) -> Option<Fault> {
        let pairs = of.pairs();
        // Two slips at most: a file of another tool has keys of its own that only look alike.
        let near = |name: &str| {
            strsim::osa_distance(&name.to_lowercase(), &key.to_lowercase()) <= 2 && name != key
        };
        let like = |(name, _): &&(Tree, Tree)| name.text().is_some_and(near);
        let (name, _) = pairs.iter().filter(|_| of.get(key).is_none()).find(like)?;
        let title = format!("unknown key `{}`", name.text().unwrap_or_default());
        Some(self.wrong(name, title).help(format!("did you mean `{key}`?")))
    }

    /// The text of a key; nothing where there is none.
    ///
    /// # Errors
    /// It is no text.
    pub(crate) fn text(&self, of: &Tree, key: &str) -> Result<Option<(String, Tree)>, Fault> {
        let Some(value) = of.get(key) else { return Ok(None) };
        match value.text() {
            Some(text) => Ok(Some((text.to_owned(), value))),
            None => Err(self.wrong(&value, format!("`{key}` is to be one text"))),
        }
    }

    /// The texts of a list.
    ///
    /// # Errors
    /// It is no list of texts.
    pub(crate) fn texts(&self, of: &Tree, key: &str) -> Result<Vec<(String, Tree)>, Fault> {
        let Some(value) = of.get(key) else { return Ok(Vec::new()) };
        let wrong = |at: &Tree| self.wrong(at, format!("`{key}` is to be a list of texts"));
        let items = value.items().ok_or_else(|| wrong(&value))?;
        let text = |item: Tree| match item.text() {
            Some(text) => Ok((text.to_owned(), item)),
            None => Err(wrong(&item)),
        };
        items.into_iter().map(text).collect()
    }
}

/// Findings in a file as one fault: the first at its place, the others as details.
pub(crate) fn told(found: &[Diagnostic], text: &str) -> Fault {
    let Some(first) = found.first() else {
        return Fault::new(Code::BUG, "a file was refused without a reason");
    };
    let mark = Mark { line: first.line, column: first.column };
    let mut fault =
        Fault::new(Code::CONFIG_KEY, first.message.clone()).at(place(&first.file, mark, text));
    if let Some(hint) = &first.hint {
        fault = fault.help(hint.clone());
    }
    found[1..].iter().fold(fault, |fault, other| fault.detail(other.to_string()))
}

fn place(file: &str, mark: Mark, text: &str) -> Place {
    Place {
        file: file.to_owned(),
        line: mark.line.max(1) as u32,
        column: mark.column as u32,
        length: 0,
        text: text.lines().nth(mark.line.max(1) - 1).map(str::to_owned),
    }
}

/// A path in a file of another tool as a path below the root: relative to the file's folder, `..` taken back.
///
/// # Errors
/// It is absolute, or leads out of the repository.
pub fn beside(folder: &str, path: &str) -> Result<String, String> {
    if path.starts_with('/') {
        return Err(format!("`{path}` is absolute: write it relative to the file that names it"));
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|p| !matches!(*p, "" | ".")).collect();
    for part in path.split('/').filter(|p| !matches!(*p, "" | ".")) {
        if part != ".." {
            parts.push(part);
        } else if parts.pop().is_none() {
            return Err(format!("`{path}` leaves the repository"));
        }
    }
    Ok(parts.join("/"))
}

/// The folder of a path; empty at the root.
pub fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_relative_to_the_file_that_names_it_and_stays_inside() {
        let rows = [
            ("talos", "./patches/a.yaml", Ok("talos/patches/a.yaml")),
            ("talos/home", "../patches/a.yaml", Ok("talos/patches/a.yaml")),
            ("", "a.yaml", Ok("a.yaml")),
            ("talos", "../../etc/passwd", Err("`../../etc/passwd` leaves the repository")),
            (
                "",
                "/etc/passwd",
                Err("`/etc/passwd` is absolute: write it relative to the file that names it"),
            ),
        ];
        for (folder, path, expected) in rows {
            let found = beside(folder, path);
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{folder} {path}");
        }
    }

    #[test]
    fn files_of_sops_are_known_by_their_key() {
        let yaml = b"a: ENC[AES256_GCM,data:x]\nsops:\n  mac: ENC[x]\n";
        let json = b"{\n\t\"a\": \"ENC[AES256_GCM,data:x]\",\n\t\"sops\": {}\n}";
        assert!(is_sops(yaml) && is_sops(json));
        assert!(is_sops(b"A=ENC[AES256_GCM,data:x]\nsops_mac=ENC[x]\n"));
        assert!(is_sops(b"[a]\nb = ENC[AES256_GCM,data:x]\n\n[sops]\nmac = ENC[x]\n"));
        assert!(!is_sops(b"sops: a tool\n") && !is_sops(b"# sops: ENC[\na: b\n"));
    }
}
