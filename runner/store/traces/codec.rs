//! The bytes of a trace: a line that names the version, the small things as JSON, files and patterns as tables by folder, a hash over all of it.
//!
//! Ten thousand fingerprints are read before every run of a step that has as many inputs; as JSON they would cost more than the check itself.
//! So a table can be read where it lies, and nothing is copied out of it as long as everything is as it was.

use std::ffi::CStr;

use ops_core::trace::{Hash, Input, Left, Output, Print, Trace};

/// Another first line is another format: the trace is none.
const VERSION: &[u8] = b"ops.trace 2\n";
const HASH: usize = 32;
/// Bytes of a fingerprint, the length of a name, and the zero behind it.
const ROW: usize = 4 * 8 + 2 + 32 + 1 + 4 + 1;

/// A trace as it is stored, whole and of this version.
#[derive(Debug)]
pub struct Stored {
    bytes: Vec<u8>,
    /// Where the tables begin.
    tables: usize,
    /// All of it but files, patterns and listings.
    pub small: Trace,
}

/// What is in the tables of a stored trace.
#[derive(Debug, Default)]
pub struct Tables<'t> {
    /// Inputs that are files.
    pub files: Vec<Folder<'t>>,
    /// Outputs that are files.
    pub left: Vec<Folder<'t>>,
    /// Patterns.
    pub globs: Vec<Pattern<'t>>,
    /// Listings of folders.
    pub lists: Vec<(&'t str, Vec<&'t str>)>,
}

/// Files beside each other in a table that lie in one folder.
#[derive(Clone, Copy, Debug)]
pub struct Folder<'t> {
    /// The folder as it stands before `/` and a name; nothing for a name alone.
    pub name: Option<&'t str>,
    /// How many they are.
    pub count: usize,
    rows: &'t [u8],
}

/// A pattern with what it found.
#[derive(Debug)]
pub struct Pattern<'t> {
    /// The pattern.
    pub pattern: &'t str,
    /// Whether it was looked up for a process.
    pub shell: bool,
    /// Folders and names of its members, in order.
    pub members: Vec<(Option<&'t str>, Vec<&'t str>)>,
}

/// One file of a table.
#[derive(Clone, Copy, Debug)]
pub struct Row<'t> {
    /// Its name in the folder, as systems want it.
    pub name: &'t CStr,
    /// Its fingerprint.
    pub print: Print,
}

impl<'t> Folder<'t> {
    /// The files; fewer than counted where a name is none that a file could have.
    pub fn rows(&self) -> impl Iterator<Item = Row<'t>> + use<'t> {
        let mut rest = self.rows;
        std::iter::from_fn(move || {
            let print = decode_print(&mut rest)?;
            let name = CStr::from_bytes_with_nul(take_bytes(&mut rest)?).ok()?;
            Some(Row { name, print })
        })
    }

    /// The path of one of its files.
    pub fn path(&self, name: &str) -> String {
        joined(self.name, name)
    }
}

impl Stored {
    /// What some bytes hold; nothing where they are torn, damaged or of another version.
    pub(super) fn read(bytes: Vec<u8>) -> Option<Stored> {
        let (body, hash) = bytes.split_at_checked(bytes.len().checked_sub(HASH)?)?;
        if blake3::hash(body).as_bytes() != hash {
            return None;
        }
        let mut rest = body.strip_prefix(VERSION)?;
        let small = serde_json::from_slice(take_bytes(&mut rest)?).ok()?;
        let tables = body.len() - rest.len();
        Some(Stored { bytes, tables, small })
    }

    /// Its tables; nothing where they are not what they should be.
    pub fn tables(&self) -> Option<Tables<'_>> {
        let mut rest = self.bytes.get(self.tables..self.bytes.len().checked_sub(HASH)?)?;
        let rest = &mut rest;
        let (files, left) = (take_folders(rest)?, take_folders(rest)?);
        let mut tables = Tables { files, left, ..Tables::default() };
        for _ in 0..take_number(rest)? {
            let (pattern, shell) = (take_text(rest)?, take::<1>(rest)? != [0]);
            let mut members = Vec::new();
            for _ in 0..take_number(rest)? {
                let (there, folder) = take_folder(rest)?;
                members.push((there.then_some(folder), take_texts(rest)?));
            }
            tables.globs.push(Pattern { pattern, shell, members });
        }
        for _ in 0..take_number(rest)? {
            tables.lists.push((take_text(rest)?, take_texts(rest)?));
        }
        rest.is_empty().then_some(tables)
    }

    /// All of it.
    pub fn whole(&self) -> Option<Trace> {
        let tables = self.tables()?;
        let mut trace = self.small.clone();
        let files: usize = tables.files.iter().map(|folder| folder.count).sum();
        trace.inputs.reserve(files + tables.globs.len() + tables.lists.len());
        for folder in &tables.files {
            for file in folder.all() {
                let (path, print) = file?;
                trace.inputs.push(Input::File { path, print });
            }
        }
        for folder in &tables.left {
            for file in folder.all() {
                let (path, print) = file?;
                trace.outputs.push(Output { path, left: Left::File(print) });
            }
        }
        for Pattern { pattern, shell, members } in &tables.globs {
            let all = members
                .iter()
                .flat_map(|(folder, names)| names.iter().map(move |name| joined(*folder, name)));
            let pattern = (*pattern).to_owned();
            trace.inputs.push(Input::Glob { pattern, members: all.collect(), shell: *shell });
        }
        for (folder, names) in &tables.lists {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            trace.inputs.push(Input::Listing { folder: (*folder).to_owned(), names });
        }
        Some(trace)
    }
}

impl Folder<'_> {
    /// Paths and fingerprints.
    fn all(&self) -> impl Iterator<Item = Option<(String, Print)>> {
        let mut rest = self.rows;
        (0..self.count).map(move |_| {
            let print = decode_print(&mut rest)?;
            let name = take_bytes(&mut rest)?.strip_suffix(&[0])?;
            Some((self.path(std::str::from_utf8(name).ok()?), print))
        })
    }
}

fn joined(folder: Option<&str>, name: &str) -> String {
    match folder {
        None => name.to_owned(),
        Some(folder) => {
            let mut path = String::with_capacity(folder.len() + 1 + name.len());
            path.push_str(folder);
            path.push('/');
            path.push_str(name);
            path
        }
    }
}

/// Folder and name of a path.
fn split(path: &str) -> (Option<&str>, &str) {
    match path.rsplit_once('/') {
        Some((folder, name)) => (Some(folder), name),
        None => (None, path),
    }
}

/// A trace as bytes.
pub(super) fn encode(trace: &Trace) -> Vec<u8> {
    let (mut files, mut globs, mut lists) = (Vec::new(), Vec::new(), Vec::new());
    let mut small = Trace { inputs: Vec::new(), outputs: Vec::new(), ..trace.clone() };
    for input in &trace.inputs {
        match input {
            Input::File { path, print } => files.push((path.as_str(), print)),
            Input::Glob { pattern, members, shell } => globs.push((pattern, members, *shell)),
            Input::Listing { folder, names } => lists.push((folder, names)),
            other => small.inputs.push(other.clone()),
        }
    }
    let mut left = Vec::new();
    for output in &trace.outputs {
        match &output.left {
            Left::File(print) => left.push((output.path.as_str(), print)),
            _ => small.outputs.push(output.clone()),
        }
    }
    let mut bytes = VERSION.to_vec();
    // Plain data with string keys: serde_json has no way to fail on it.
    text(&mut bytes, &serde_json::to_vec(&small).unwrap_or_default());
    for table in [&files, &left] {
        let groups: Vec<_> = table.chunk_by(|a, b| split(a.0).0 == split(b.0).0).collect();
        number(&mut bytes, groups.len());
        for group in groups {
            folder(&mut bytes, split(group[0].0).0);
            number(&mut bytes, group.len());
            let mut rows = Vec::new();
            for (path, print) in group {
                encode_print(&mut rows, print);
                let name = split(path).1;
                number(&mut rows, name.len() + 1);
                rows.extend_from_slice(name.as_bytes());
                rows.push(0);
            }
            text(&mut bytes, &rows);
        }
    }
    number(&mut bytes, globs.len());
    for (pattern, members, shell) in globs {
        text(&mut bytes, pattern.as_bytes());
        bytes.push(u8::from(shell));
        let groups: Vec<_> = members.chunk_by(|a, b| split(a).0 == split(b).0).collect();
        number(&mut bytes, groups.len());
        for group in groups {
            folder(&mut bytes, split(&group[0]).0);
            number(&mut bytes, group.len());
            for path in group {
                text(&mut bytes, split(path).1.as_bytes());
            }
        }
    }
    number(&mut bytes, lists.len());
    for (name, members) in lists {
        text(&mut bytes, name.as_bytes());
        number(&mut bytes, members.len());
        for member in members {
            text(&mut bytes, member.as_bytes());
        }
    }
    let hash = blake3::hash(&bytes);
    bytes.extend_from_slice(hash.as_bytes());
    bytes
}

/// The trace in some bytes; nothing where they are torn, damaged or of another version.
pub(super) fn decode(bytes: Vec<u8>) -> Option<Trace> {
    Stored::read(bytes)?.whole()
}

fn encode_print(bytes: &mut Vec<u8>, print: &Print) {
    bytes.extend_from_slice(&print.size.to_le_bytes());
    bytes.extend_from_slice(&print.mtime.to_le_bytes());
    bytes.extend_from_slice(&print.ctime.to_le_bytes());
    bytes.extend_from_slice(&print.inode.to_le_bytes());
    bytes.extend_from_slice(&print.mode.to_le_bytes());
    bytes.extend_from_slice(&print.hash.0);
    bytes.push(u8::from(print.racy));
}

fn decode_print(rest: &mut &[u8]) -> Option<Print> {
    Some(Print {
        size: u64::from_le_bytes(take(rest)?),
        mtime: i64::from_le_bytes(take(rest)?),
        ctime: i64::from_le_bytes(take(rest)?),
        inode: u64::from_le_bytes(take(rest)?),
        mode: u16::from_le_bytes(take(rest)?),
        hash: Hash(take(rest)?),
        racy: take::<1>(rest)? != [0],
    })
}

fn number(bytes: &mut Vec<u8>, number: usize) {
    // Four billion of anything would be a trace of hundreds of gigabytes; a wrong count makes it none.
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&number.to_le_bytes());
}

fn text(bytes: &mut Vec<u8>, text: &[u8]) {
    number(bytes, text.len());
    bytes.extend_from_slice(text);
}

fn folder(bytes: &mut Vec<u8>, folder: Option<&str>) {
    bytes.push(u8::from(folder.is_some()));
    text(bytes, folder.unwrap_or_default().as_bytes());
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*taken)
}

fn take_number(rest: &mut &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(take(rest)?)).ok()
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_number(rest)?;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(text)
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(take_bytes(rest)?).ok()
}

fn take_texts<'a>(rest: &mut &'a [u8]) -> Option<Vec<&'a str>> {
    (0..take_number(rest)?).map(|_| take_text(rest)).collect()
}

/// A folder, and whether it is one: a name alone has none, and `/` has an empty one.
fn take_folder<'a>(rest: &mut &'a [u8]) -> Option<(bool, &'a str)> {
    let there = take::<1>(rest)? != [0];
    Some((there, take_text(rest)?))
}

fn take_folders<'a>(rest: &mut &'a [u8]) -> Option<Vec<Folder<'a>>> {
    let folder = |rest: &mut &'a [u8]| {
        let (there, name) = take_folder(rest)?;
        let (count, rows) = (take_number(rest)?, take_bytes(rest)?);
        let name = there.then_some(name);
        (count <= rows.len() / ROW).then_some(Folder { name, count, rows })
    };
    (0..take_number(rest)?).map(|_| folder(rest)).collect()
}
