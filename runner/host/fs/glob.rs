//! Patterns of paths: `*`, `?`, `[a-z]`, `{a,b}` within a name, `**` over folders. Walks only folders that can match.

use ops_core::error::{CallError, ErrorKind};

use super::super::content::denied;
use crate::sys::files::{Escapes, Files, Kind, Stat};

/// Folders that no wildcard enters.
const PASSED_OVER: [&str; 2] = [".git", ".ops"];

/// The files that match a pattern, sorted by bytes. Links that lead out of the repository are none of its files.
///
/// # Errors
/// A pattern that is none, or a folder that cannot be read.
pub fn find(pattern: &str, files: &dyn Files) -> Result<Vec<String>, CallError> {
    let mut found = Vec::new();
    // What was found is the input, not every folder on the way to it.
    let walked = files.unrecorded().unwrap_or(files);
    for pattern in alternatives(pattern)? {
        let parts: Vec<&str> = pattern.split('/').collect();
        let mut walk = Walk { files: walked, found: &mut found, folders: Vec::new() };
        walk.enter(".", &parts)?;
    }
    found.sort_unstable();
    found.dedup();
    files.matched(pattern, &found);
    Ok(found)
}

struct Walk<'a> {
    files: &'a dyn Files,
    found: &'a mut Vec<String>,
    /// Inodes of the folders on the way down, so that a link to one of them ends the walk.
    folders: Vec<u64>,
}

impl Walk<'_> {
    fn enter(&mut self, folder: &str, parts: &[&str]) -> Result<(), CallError> {
        let Some((part, rest)) = parts.split_first() else { return Ok(()) };
        if *part == "**" {
            if !rest.is_empty() {
                self.enter(folder, rest)?;
            }
            for (name, kind) in self.names(folder)? {
                if !name.starts_with('.') {
                    self.step(folder, &name, kind, parts, rest.is_empty())?;
                }
            }
        } else if part.contains(['*', '?', '[']) {
            for (name, kind) in self.names(folder)? {
                let hidden = name.starts_with('.') && !part.starts_with('.');
                if !hidden && !PASSED_OVER.contains(&name.as_str()) && matches(part, &name) {
                    self.step(folder, &name, kind, rest, rest.is_empty())?;
                }
            }
        } else {
            self.step(folder, part, Kind::Unknown, rest, rest.is_empty())?;
        }
        Ok(())
    }

    /// Goes to a name: it is found where it ends the pattern, and entered where it is a folder.
    fn step(
        &mut self,
        folder: &str,
        name: &str,
        kind: Kind,
        rest: &[&str],
        last: bool,
    ) -> Result<(), CallError> {
        let path = if folder == "." { name.to_owned() } else { format!("{folder}/{name}") };
        let inode = match kind {
            Kind::File => None,
            Kind::Folder(inode) => Some(inode),
            Kind::Unknown => match self.stat(&path)? {
                None => return Ok(()),
                Some(stat) => stat.dir.then_some(stat.inode),
            },
        };
        let Some(inode) = inode else {
            if last {
                self.found.push(path);
            }
            return Ok(());
        };
        let seen = inode != 0 && self.folders.contains(&inode);
        if !rest.is_empty() && !seen {
            self.folders.push(inode);
            self.enter(&path, rest)?;
            self.folders.pop();
        }
        Ok(())
    }

    fn names(&self, folder: &str) -> Result<Vec<(String, Kind)>, CallError> {
        match self.files.entries(folder) {
            Ok(names) => Ok(names),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(denied(folder, &error)),
        }
    }

    fn stat(&self, path: &str) -> Result<Option<Stat>, CallError> {
        match self.files.stat(path) {
            Err(error) if Escapes::of(&error).is_some() => Ok(None),
            other => other.map_err(|error| denied(path, &error)),
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
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    while n < name.len() {
        let (ok, next) = one(&pattern, p, name[n]);
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
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
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
}
