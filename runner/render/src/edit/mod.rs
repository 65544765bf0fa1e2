//! Changes one value of a YAML file and keeps every other byte: comments,
//! anchors, quotes, line endings, trailing spaces. It reads and writes no file.

mod path;
mod region;

use std::rc::Rc;

use self::region::Spelling;
use crate::diagnostic::{Code, Diagnostic, Mark};
use crate::machinery::decode::meaning;
use crate::yaml::node::{Data, Node};
use crate::yaml::read::{Source, read, text};
use crate::yaml::scalar::{Meaning, format_float};

/// A value that can be put into a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text; several lines are written as a literal block where that is possible.
    Text(String),
}

/// An edited file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The whole text.
    pub text: String,
    /// Whether it differs; it does not if the value was there already.
    pub changed: bool,
}

/// Sets the value at a path like `cluster.inlineManifests[name=cilium].contents`
/// and keeps every other byte of the file. Steps are keys, `[2]` for an item by
/// its index from 0, and `[name=x]` for the only item with that key and text;
/// keys with dots stand in double quotes. In a file of several documents the
/// path must lead somewhere in exactly one.
///
/// # Errors
/// The file is no YAML, the path leads nowhere or to a mapping or list, or the
/// value is shared through an anchor, so that more than it would change.
pub fn edit(source: Source<'_>, at: &str, value: &Scalar) -> Result<Edited, Diagnostic> {
    let text = text(source)?;
    let refuse =
        |mark: Mark, message: String| Diagnostic::new(Code::NO_PLACE, source.name, mark, message);
    let steps = path::parse(at).map_err(|message| refuse(Mark::default(), message))?;
    let documents = read(source)?;
    let (which, found) = locate(&documents, &steps, at).map_err(|(mark, m)| refuse(mark, m))?;
    let mark = found.node.mark;
    if matches!(found.node.data, Data::Mapping(_) | Data::Sequence(_)) {
        let message = format!("`{at}` is a mapping or a list; name a single value in it");
        return Err(refuse(mark, message));
    }
    if holds(found.node, value) {
        return Ok(Edited { text: unchanged(source), changed: false });
    }
    for spelling in [Spelling::Alike, Spelling::Quoted] {
        let edited = region::replace(text, &found, value, spelling);
        // What else would change is worse than no change: the result is read again.
        let again = Source { name: source.name, bytes: edited.as_bytes() };
        let proven = read(again).is_ok_and(|now| {
            now.len() == documents.len()
                && documents.iter().zip(&now).enumerate().all(|(index, (before, after))| {
                    let target = (index == which).then_some((&steps[..], value));
                    same(before, after, target)
                })
        });
        if proven {
            let marked = source.bytes.starts_with("\u{feff}".as_bytes());
            let text = if marked { format!("\u{feff}{edited}") } else { edited };
            return Ok(Edited { text, changed: true });
        }
    }
    let message = format!("`{at}` cannot be changed alone; is it shared through an anchor?");
    Err(refuse(mark, message))
}

/// The value at a path, as for `edit`; nothing where it is a mapping or a list.
///
/// # Errors
/// The file is no YAML, or the path leads nowhere.
pub fn value_at(source: Source<'_>, at: &str) -> Result<Option<Scalar>, Diagnostic> {
    let refuse =
        |mark: Mark, message: String| Diagnostic::new(Code::NO_PLACE, source.name, mark, message);
    let steps = path::parse(at).map_err(|message| refuse(Mark::default(), message))?;
    let documents = read(source)?;
    let (_, found) = locate(&documents, &steps, at).map_err(|(mark, m)| refuse(mark, m))?;
    let node = found.node.resolved();
    if !node.is_scalar() {
        return Ok(None);
    }
    let meaning = meaning(node).map_err(|message| refuse(found.node.mark, message))?;
    Ok(Some(match meaning {
        Meaning::Null => Scalar::Null,
        Meaning::Bool(value) => Scalar::Bool(value),
        Meaning::Int(value) => match i64::try_from(value) {
            Ok(value) => Scalar::Int(value),
            Err(_) => Scalar::Text(node.text().to_owned()),
        },
        Meaning::Float(value) => Scalar::Float(value),
        Meaning::Time(_) | Meaning::Merge | Meaning::Text => Scalar::Text(node.text().to_owned()),
    }))
}

fn unchanged(source: Source<'_>) -> String {
    String::from_utf8_lossy(source.bytes).into_owned()
}

/// The only document where a path leads somewhere; the value, or the place of
/// the farthest way taken.
fn locate<'n>(
    documents: &'n [Rc<Node>],
    steps: &[path::Step],
    at: &str,
) -> Result<(usize, path::Found<'n>), (Mark, String)> {
    let mut found = None;
    let mut nearest: Option<(Mark, String)> = None;
    for (index, document) in documents.iter().enumerate() {
        match path::follow(document, steps) {
            Ok(_) if found.is_some() => {
                let message = format!("`{at}` is in several documents of the file");
                return Err((document.mark, message));
            }
            Ok(place) => found = Some((index, place)),
            Err((node, why)) => {
                if nearest.as_ref().is_none_or(|(mark, _)| mark.column < node.mark.column) {
                    nearest = Some((node.mark, format!("`{at}` is not in the file: {why}")));
                }
            }
        }
    }
    found.ok_or_else(|| {
        nearest
            .unwrap_or_else(|| (Mark::default(), format!("`{at}` is not in the file: it is empty")))
    })
}

/// Whether a node is this value already.
fn holds(node: &Node, value: &Scalar) -> bool {
    if !node.is_scalar() {
        return false;
    }
    match (meaning(node), value) {
        (Ok(Meaning::Null), Scalar::Null) => true,
        (Ok(Meaning::Bool(a)), Scalar::Bool(b)) => a == *b,
        (Ok(Meaning::Int(a)), Scalar::Int(b)) => a == i128::from(*b),
        (Ok(Meaning::Int(a)), Scalar::Float(b)) => format_float(a as f64) == format_float(*b),
        (Ok(Meaning::Float(a)), Scalar::Float(b)) => format_float(a) == format_float(*b),
        (Ok(Meaning::Text | Meaning::Merge), Scalar::Text(text)) => node.text() == text,
        _ => false,
    }
}

/// Whether two trees are the same, except that `target` holds its new value.
fn same(before: &Node, after: &Node, target: Option<(&[path::Step], &Scalar)>) -> bool {
    if let Some(([], value)) = target {
        return holds(after, value);
    }
    let (before, after) = (before.resolved(), after.resolved());
    match (&before.data, &after.data) {
        (Data::Scalar { text: a, .. }, Data::Scalar { text: b, .. }) => {
            a == b && before.tag == after.tag && meaning(before) == meaning(after)
        }
        (Data::Sequence(a), Data::Sequence(b)) => {
            a.len() == b.len()
                && a.iter().zip(b).enumerate().all(|(index, (a, b))| {
                    let inner = target.and_then(|(steps, value)| {
                        let leads = match steps.first()? {
                            path::Step::Index(wanted) => *wanted == index,
                            path::Step::Item(key, text) => {
                                a.get(key).is_some_and(|known| known.text() == text)
                            }
                            path::Step::Key(_) => false,
                        };
                        leads.then_some((&steps[1..], value))
                    });
                    same(a, b, inner)
                })
        }
        (Data::Mapping(a), Data::Mapping(b)) => {
            a.len() == b.len()
                && a.iter().zip(b).all(|((a_key, a), (b_key, b))| {
                    let inner = target.and_then(|(steps, value)| {
                        let leads = matches!(steps.first()?, path::Step::Key(key)
                            if a_key.is_scalar() && a_key.text() == key);
                        leads.then_some((&steps[1..], value))
                    });
                    same(a_key, b_key, None) && same(a, b, inner)
                })
        }
        _ => false,
    }
}
