//! The bytes of a trace: a line that names the version, the small things as JSON, files and patterns as a table, a hash over all of it.
//!
//! Ten thousand fingerprints are read before every run of a step that has as many inputs; as JSON they would cost more than the check itself.

use ops_core::trace::{Hash, Input, Left, Output, Print, Trace};

/// Another first line is another format: the trace is none.
const VERSION: &[u8] = b"ops.trace 1\n";
const HASH: usize = 32;

/// A trace as bytes.
pub(super) fn encode(trace: &Trace) -> Vec<u8> {
    let (mut files, mut globs, mut lists) = (Vec::new(), Vec::new(), Vec::new());
    let mut small = Trace { inputs: Vec::new(), outputs: Vec::new(), ..trace.clone() };
    for input in &trace.inputs {
        match input {
            Input::File { path, print } => files.push((path.as_str(), print)),
            Input::Glob { pattern, members } => globs.push((pattern.as_str(), members)),
            Input::Listing { folder, names } => lists.push((folder.as_str(), names)),
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
        number(&mut bytes, table.len());
        for (path, print) in table {
            text(&mut bytes, path.as_bytes());
            encode_print(&mut bytes, print);
        }
    }
    for table in [&globs, &lists] {
        number(&mut bytes, table.len());
        for (name, members) in table {
            text(&mut bytes, name.as_bytes());
            number(&mut bytes, members.len());
            members.iter().for_each(|member| text(&mut bytes, member.as_bytes()));
        }
    }
    let hash = blake3::hash(&bytes);
    bytes.extend_from_slice(hash.as_bytes());
    bytes
}

/// The trace in some bytes; nothing where they are torn, damaged or of another version.
pub(super) fn decode(bytes: &[u8]) -> Option<Trace> {
    let (body, hash) = bytes.split_at_checked(bytes.len().checked_sub(HASH)?)?;
    if blake3::hash(body).as_bytes() != hash {
        return None;
    }
    let mut rest = body.strip_prefix(VERSION)?;
    let rest = &mut rest;
    let mut trace: Trace = serde_json::from_slice(take_text(rest)?).ok()?;
    for _ in 0..take_number(rest)? {
        let path = take_string(rest)?;
        trace.inputs.push(Input::File { path, print: decode_print(rest)? });
    }
    for _ in 0..take_number(rest)? {
        let path = take_string(rest)?;
        trace.outputs.push(Output { path, left: Left::File(decode_print(rest)?) });
    }
    for _ in 0..take_number(rest)? {
        let pattern = take_string(rest)?;
        trace.inputs.push(Input::Glob { pattern, members: take_strings(rest)? });
    }
    for _ in 0..take_number(rest)? {
        let folder = take_string(rest)?;
        trace.inputs.push(Input::Listing { folder, names: take_strings(rest)? });
    }
    rest.is_empty().then_some(trace)
}

fn encode_print(bytes: &mut Vec<u8>, print: &Print) {
    bytes.extend_from_slice(&print.size.to_le_bytes());
    bytes.extend_from_slice(&print.mtime.to_le_bytes());
    bytes.extend_from_slice(&print.ctime.to_le_bytes());
    bytes.extend_from_slice(&print.inode.to_le_bytes());
    bytes.extend_from_slice(&print.hash.0);
    bytes.push(u8::from(print.racy));
}

fn decode_print(rest: &mut &[u8]) -> Option<Print> {
    Some(Print {
        size: u64::from_le_bytes(take(rest)?),
        mtime: i64::from_le_bytes(take(rest)?),
        ctime: i64::from_le_bytes(take(rest)?),
        inode: u64::from_le_bytes(take(rest)?),
        hash: Hash(take(rest)?),
        racy: take::<1>(rest)? != [0],
    })
}

fn number(bytes: &mut Vec<u8>, number: usize) {
    bytes.extend_from_slice(&(number as u64).to_le_bytes());
}

fn text(bytes: &mut Vec<u8>, text: &[u8]) {
    number(bytes, text.len());
    bytes.extend_from_slice(text);
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*taken)
}

fn take_number(rest: &mut &[u8]) -> Option<usize> {
    usize::try_from(u64::from_le_bytes(take(rest)?)).ok()
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_number(rest)?;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(text)
}

fn take_string(rest: &mut &[u8]) -> Option<String> {
    String::from_utf8(take_text(rest)?.to_vec()).ok()
}

fn take_strings(rest: &mut &[u8]) -> Option<Vec<String>> {
    (0..take_number(rest)?).map(|_| take_string(rest)).collect()
}
