//! Patterns of paths: `*`, `?`, `[a-z]`, `{a,b}` within a name, `**` over folders. Walks only folders that can match.

use std::io::ErrorKind as Missing;
use std::path::PathBuf;

use ops_core::error::{CallError, ErrorKind};

use super::super::content::denied;
use crate::sys::files::{Escapes, Files, Kind};
use crate::sys::prints::Prints;

/// Folders that no wildcard enters.
const PASSED_OVER: [&str; 2] = [".git", ".ops"];

/// The files that match a pattern, sorted by bytes. Links that lead out of the repository are none of its files.
///
/// # Errors
/// A pattern that is none, or a folder that cannot be read.
pub fn find(pattern: &str, files: &dyn Files) -> Result<Vec<String>, CallError> {
    // What was found is the input, not every folder on the way to it.
    let walked = files.unrecorded().unwrap_or(files);
    let found = walk(pattern, By::Recipe(walked), usize::MAX)?.files;
    files.matched(pattern, &found);
    Ok(found)
}

/// What a process would find.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Files, sorted by bytes.
    pub files: Vec<String>,
    /// Something that may match and cannot be followed: a name that is no text, a folder outside of the repository that `**` leads to.
    pub blind: Option<String>,
}

/// The files that match a pattern as a process sees them, which no repository ends: links may lead out. A pattern that ends with `/` is
/// everything below a folder, hidden files too, but for what belongs to Git and to `ops`.
///
/// # Errors
/// As for [`find`].
pub fn find_for_process(pattern: &str, prints: &Prints) -> Result<Found, CallError> {
    walk(pattern, By::Process(prints), usize::MAX)
}

/// The same, given up once so many names were looked at.
///
/// # Errors
/// As for [`find`], and where there are more.
pub fn find_among(most: usize, pattern: &str, prints: &Prints) -> Result<Found, CallError> {
    walk(pattern, By::Process(prints), most)
}

fn walk(pattern: &str, by: By<'_>, most: usize) -> Result<Found, CallError> {
    let mut walk =
        Walk { by, found: Found::default(), folders: Vec::new(), home: None, left: most };
    for pattern in alternatives(pattern)? {
        walk.home = None;
        match pattern.strip_prefix('/') {
            Some(rest) => walk.enter("/", &rest.split('/').collect::<Vec<_>>())?,
            None => walk.enter(".", &pattern.split('/').collect::<Vec<_>>())?,
        }
    }
    let Found { mut files, blind } = walk.found;
    // Mostly they are already: then this is one pass.
    files.sort();
    files.dedup();
    Ok(Found { files, blind })
}

/// Who looks.
#[derive(Clone, Copy)]
enum By<'a> {
    /// A recipe, whose files end at the repository.
    Recipe(&'a dyn Files),
    /// A process, which goes wherever links lead.
    Process(&'a Prints),
}

struct Walk<'a> {
    by: By<'a>,
    found: Found,
    /// Inodes of the folders on the way down, so that a link to one of them ends the walk.
    folders: Vec<u64>,
    /// What a process does not leave without being told to: the repository, or the folder outside of it that the pattern names.
    home: Option<PathBuf>,
    /// Names that may still be looked at.
    left: usize,
}

impl Walk<'_> {
    fn enter(&mut self, folder: &str, parts: &[&str]) -> Result<(), CallError> {
        let Some((part, rest)) = parts.split_first() else { return Ok(()) };
        match *part {
            "**" => {
                if !rest.is_empty() {
                    self.enter(folder, rest)?;
                }
                self.each(folder, parts, |name| !name.starts_with('.'), parts)
            }
            "" if rest.is_empty() => {
                let all = |name: &str| !PASSED_OVER.contains(&name);
                self.each(folder, parts, all, parts)
            }
            part if part.contains(['*', '?', '[']) => {
                let pattern: Vec<char> = part.chars().collect();
                let fits = |name: &str| {
                    let hidden = name.starts_with('.') && !part.starts_with('.');
                    !hidden && !PASSED_OVER.contains(&name) && matches(&pattern, name)
                };
                self.each(folder, parts, fits, rest)
            }
            part => self.step(&joined(folder, part), Kind::Unknown, rest, rest.is_empty()),
        }
    }

    /// Goes to the names of a folder that fit: files first, then what may be a folder. `below` is what is looked for in those.
    fn each(
        &mut self,
        folder: &str,
        parts: &[&str],
        fits: impl Fn(&str) -> bool,
        below: &[&str],
    ) -> Result<(), CallError> {
        // `**` and the end of a folder's path find files themselves; any other part does where it is the last one.
        let last = parts.len() == 1;
        let process = matches!(self.by, By::Process(_));
        let mut more: Vec<(String, Kind)> = Vec::new();
        let Found { files, blind } = &mut self.found;
        let first = files.len();
        let mut count = 0;
        let mut told = |name: &str, kind: Kind| {
            count += 1;
            match kind {
                _ if !fits(name) => {}
                Kind::File if last => files.push(joined(folder, name)),
                Kind::Nameless if process => {
                    blind.get_or_insert_with(|| joined(folder, name));
                }
                Kind::File | Kind::Nameless => {}
                Kind::Folder(_) | Kind::Unknown => more.push((name.to_owned(), kind)),
            }
        };
        let told = match self.by {
            By::Recipe(files) => files.entries(folder, &mut told),
            By::Process(prints) => prints.names(folder, &mut told),
        };
        match told {
            Ok(()) => {}
            Err(error) if error.kind() == Missing::NotFound => return Ok(()),
            Err(error) => return Err(denied(folder, &error)),
        }
        let Some(left) = self.left.checked_sub(count) else {
            let message = format!("there are too many names in `{folder}`");
            return Err(CallError::new(ErrorKind::Invalid, message).before_effect());
        };
        self.left = left;
        self.found.files[first..].sort_unstable();
        more.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let far = matches!(parts, ["**", ..] | [""]);
        for (name, kind) in more {
            let path = joined(folder, &name);
            if far && kind == Kind::Unknown && self.leads_out(&path) {
                self.found.blind.get_or_insert(path);
            } else {
                self.step(&path, kind, below, last)?;
            }
        }
        Ok(())
    }

    /// Goes to a path: it is found where it ends the pattern, and entered where it is a folder.
    fn step(&mut self, path: &str, kind: Kind, rest: &[&str], last: bool) -> Result<(), CallError> {
        let inode = match kind {
            Kind::File | Kind::Nameless => None,
            Kind::Folder(inode) => Some(inode),
            Kind::Unknown => match self.stat(path)? {
                None => return Ok(()),
                Some((dir, inode)) => dir.then_some(inode),
            },
        };
        let Some(inode) = inode else {
            if last {
                self.found.files.push(path.to_owned());
            }
            return Ok(());
        };
        let seen = inode != 0 && self.folders.contains(&inode);
        if !rest.is_empty() && !seen {
            self.folders.push(inode);
            self.enter(path, rest)?;
            self.folders.pop();
        }
        Ok(())
    }

    /// Whether something is a folder, and its inode.
    fn stat(&self, path: &str) -> Result<Option<(bool, u64)>, CallError> {
        let found = match self.by {
            By::Recipe(files) => match files.stat(path) {
                Err(error) if Escapes::of(&error).is_some() => Ok(None),
                other => other,
            },
            // A link in circles leads nowhere.
            By::Process(prints) => Ok(prints.stat(path).unwrap_or_default()),
        };
        let found = found.map_err(|error| denied(path, &error))?;
        Ok(found.map(|stat| (stat.dir, stat.inode)))
    }

    /// Whether a link leads a process to a folder outside of the repository: what `**` would find there may be half of the machine.
    fn leads_out(&mut self, path: &str) -> bool {
        let By::Process(prints) = self.by else { return false };
        let root = prints.root();
        let home = self.home.get_or_insert_with(|| {
            let real = root.join(path).parent().and_then(|folder| folder.canonicalize().ok());
            real.filter(|real| !real.starts_with(root)).unwrap_or_else(|| root.to_owned())
        });
        let real = root.join(path).canonicalize();
        real.is_ok_and(|real| real.is_dir() && !real.starts_with(home))
    }
}

fn joined(folder: &str, name: &str) -> String {
    match folder {
        "." => name.to_owned(),
        folder => {
            let mut path = String::with_capacity(folder.len() + 1 + name.len());
            path.push_str(folder.strip_suffix('/').unwrap_or(folder));
            path.push('/');
            path.push_str(name);
            path
        }
    }
}

/// A pattern without braces for each way to choose from them.
fn alternatives(pattern: &str) -> Result<Vec<String>, CallError> {
    let wrong = |what: &str| {
        CallError::new(ErrorKind::Invalid, format!("`{pattern}` is no pattern: {what}"))
            .before_effect()
    };
    let mut open = vec![pattern.to_owned()];
    let mut done = Vec::new();
    while let Some(next) = open.pop() {
        let Some(start) = next.find('{') else {
            if next.contains('}') {
                return Err(wrong("`}` without `{`"));
            }
            done.push(next);
            continue;
        };
        let end = next[start..].find('}').ok_or_else(|| wrong("`{` without `}`"))? + start;
        let inner = &next[start + 1..end];
        if inner.contains('{') {
            return Err(wrong("braces in braces"));
        }
        for choice in inner.split(',') {
            open.push(format!("{}{choice}{}", &next[..start], &next[end + 1..]));
        }
        if open.len() + done.len() > 1000 {
            return Err(wrong("more than 1,000 ways to read its braces"));
        }
    }
    if done.iter().any(|p| p.split('/').any(|part| part != "**" && part.contains("**"))) {
        Err(wrong("`**` stands for whole folders: `a/**/b`"))
    } else {
        Ok(done)
    }
}

/// Whether a name matches a pattern of `*`, `?` and `[…]`. Linear but for the last `*`, which is the only one that is tried again.
fn matches(pattern: &[char], name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    while n < name.len() {
        let (ok, next) = one(pattern, p, name[n]);
        if pattern.get(p) == Some(&'*') {
            again = Some((p, n));
            p += 1;
        } else if ok {
            (p, n) = (next, n + 1);
        } else if let Some((star, from)) = again {
            (p, n) = (star + 1, from + 1);
            again = Some((star, from + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Whether the element of a pattern at `p` takes a character, and where the next one begins.
fn one(pattern: &[char], p: usize, c: char) -> (bool, usize) {
    match pattern.get(p) {
        Some('?') => (true, p + 1),
        Some('[') => {
            let negated = matches!(pattern.get(p + 1), Some('!' | '^'));
            let first = p + 1 + usize::from(negated);
            // `]` first in the set stands for itself; a set without an end is a plain `[`.
            let Some(end) = (first + 1..pattern.len()).find(|i| pattern[*i] == ']') else {
                return (c == '[', p + 1);
            };
            let set = &pattern[first..end];
            let mut i = 0;
            let mut within = false;
            while i < set.len() {
                if set.get(i + 1) == Some(&'-') && i + 2 < set.len() {
                    within |= (set[i]..=set[i + 2]).contains(&c);
                    i += 3;
                } else {
                    within |= set[i] == c;
                    i += 1;
                }
            }
            (within != negated, end + 1)
        }
        Some(other) => (*other == c, p + 1),
        None => (false, p),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::disk::Disk;
    use crate::sys::overlay::Overlay;

    #[test]
    fn names_match_as_in_a_shell() {
        let rows = [
            ("*", "abc", true),
            ("*.yaml", "a.yaml", true),
            ("*.yaml", "a.yml", false),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXbY", false),
            ("?", "é", true),
            ("?", "", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]", "]", true),
            ("[a-]", "-", true),
            ("[", "[", true),
            ("a**", "a", true),
            ("*a", "aaab", false),
        ];
        for (pattern, name, expected) in rows {
            let parts: Vec<char> = pattern.chars().collect();
            assert_eq!(matches(&parts, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn patterns_find_files_in_order() {
        let files = Overlay::empty();
        let all = [
            "apps/b/namespace.yaml",
            "apps/a/namespace.yaml",
            "apps/a/x/deep.yaml",
            "apps/.hidden/namespace.yaml",
            "top.yaml",
            ".git/config.yaml",
            "apps/a/x/y/z.yml",
            ".ops/tmp/a.yaml",
        ];
        for path in all {
            files.write(path, b"", 0o644).unwrap();
        }
        let rows: &[(&str, &[&str])] = &[
            ("apps/*/namespace.yaml", &["apps/a/namespace.yaml", "apps/b/namespace.yaml"]),
            (
                "**/*.yaml",
                &[
                    "apps/a/namespace.yaml",
                    "apps/a/x/deep.yaml",
                    "apps/b/namespace.yaml",
                    "top.yaml",
                ],
            ),
            ("apps/a/**", &["apps/a/namespace.yaml", "apps/a/x/deep.yaml", "apps/a/x/y/z.yml"]),
            ("apps/**/z.yml", &["apps/a/x/y/z.yml"]),
            ("apps/.*/*", &["apps/.hidden/namespace.yaml"]),
            (".git/*.yaml", &[".git/config.yaml"]),
            (".*/*", &[]),
            ("apps/{a,b,c}/namespace.yaml", &["apps/a/namespace.yaml", "apps/b/namespace.yaml"]),
            ("top.yaml", &["top.yaml"]),
            ("apps", &[]),
            ("none/**/*", &[]),
            ("top.yaml/*", &[]),
        ];
        for (pattern, expected) in rows {
            assert_eq!(find(pattern, &files).unwrap(), *expected, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_meant_is_refused() {
        for pattern in ["a{b", "a}b", "{a,{b,c}}", "a**b/c"] {
            assert!(find(pattern, &Overlay::empty()).is_err(), "{pattern}");
        }
    }

    #[test]
    fn links_in_circles_and_out_of_the_repository_end_the_walk() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path()).unwrap();
        disk.write("a/f", b"", 0o644).unwrap();
        std::os::unix::fs::symlink("..", dir.path().join("a/up")).unwrap();
        std::os::unix::fs::symlink("/etc", dir.path().join("a/out")).unwrap();
        let found = find("**/f", &disk).unwrap();
        assert!(found.contains(&"a/f".to_owned()) && found.len() <= 2, "{found:?}");
        assert_eq!(find("a/out/*", &disk).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_process_sees_what_a_recipe_does_not() {
        use std::os::unix::ffi::OsStrExt;
        let dir = tempfile::tempdir().unwrap();
        let (root, outside) = (dir.path().join("repo"), dir.path().join("outside"));
        for folder in ["in/.deep", ".git", "in/.git", "in/.ops"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        std::fs::create_dir(&outside).unwrap();
        let files = ["in/a", "in/.b", "in/.deep/c", "in/.git/d", "in/.ops/e", ".git/f"];
        for file in files {
            std::fs::write(root.join(file), "").unwrap();
        }
        std::fs::write(outside.join("g"), "").unwrap();
        std::os::unix::fs::symlink(outside.join("g"), root.join("in/link")).unwrap();
        let disk = Disk::new(&root).unwrap();
        let prints = Prints::new(disk.root(), [0; 32]);
        let found = |pattern: &str| find_for_process(pattern, &prints).unwrap();
        assert_eq!(found("in/").files, ["in/.b", "in/.deep/c", "in/a", "in/link"]);
        assert_eq!(found("in/*").files, ["in/a", "in/link"]);
        assert_eq!(find("in/*", &disk).unwrap(), ["in/a"]);
        assert_eq!(found("../outside/*").files, ["../outside/g"]);
        let absolute = outside.canonicalize().unwrap().join("*").display().to_string();
        assert_eq!(found(&absolute).files.len(), 1);
        assert_eq!(found("in/**").blind, None);
        std::os::unix::fs::symlink(&outside, root.join("in/far")).unwrap();
        assert_eq!(found("in/far/*").files, ["in/far/g"], "what is named is entered");
        assert_eq!(found("in/**").blind.as_deref(), Some("in/far"));
        std::fs::remove_file(root.join("in/far")).unwrap();
        let odd = std::ffi::OsStr::from_bytes(b"\xff.txt");
        std::fs::write(root.join("in").join(odd), "").unwrap();
        assert!(found("in/*.txt").blind.is_some() && found("in/").blind.is_some());
        assert_eq!(found("in/*.md").blind, None, "no name like it could match");
        assert_eq!(find("in/*.txt", &disk).unwrap(), [""; 0], "a recipe cannot name it");
    }
}
