//! The way to a value in a YAML file: `cluster.inlineManifests[name=cilium].contents`.

use std::rc::Rc;

use crate::yaml::node::{Data, Node};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    /// `[2]`, counted from 0.
    Index(usize),
    /// `[name=cilium]`: the only item whose `name` is that.
    Item(String, String),
}

/// Takes a path apart. Keys with dots or brackets stand in double quotes.
pub(super) fn parse(path: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut rest = path;
    loop {
        if let Some(inside) = rest.strip_prefix('[') {
            let end =
                inside.find(']').ok_or_else(|| format!("`{path}`: a bracket is not closed"))?;
            let (selector, tail) = (&inside[..end], &inside[end + 1..]);
            steps.push(match (selector.split_once('='), selector.parse()) {
                (Some((key, text)), _) => Step::Item(key.to_owned(), text.to_owned()),
                (None, Ok(index)) => Step::Index(index),
                _ => return Err(format!("`{path}`: brackets hold an index or `key=text`")),
            });
            rest = tail;
        } else if let Some(inside) = rest.strip_prefix('"') {
            let end = inside.find('"').ok_or_else(|| format!("`{path}`: a quote is not closed"))?;
            steps.push(Step::Key(inside[..end].to_owned()));
            rest = &inside[end + 1..];
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            if end == 0 {
                return Err(format!("`{path}`: a key is missing"));
            }
            steps.push(Step::Key(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        match rest.strip_prefix('.') {
            Some(tail) => rest = tail,
            None if rest.is_empty() => return Ok(steps),
            None if rest.starts_with('[') => {}
            None => return Err(format!("`{path}`: a dot is missing before `{rest}`")),
        }
    }
}

/// A value found, with what lies around it.
#[derive(Debug)]
pub(super) struct Found<'n> {
    pub(super) node: &'n Rc<Node>,
    /// Column of the key or the dash that holds the value, from 0.
    pub(super) indent: usize,
}

/// Follows a path; where it ends, the node there and why are given.
pub(super) fn follow<'n>(
    root: &'n Rc<Node>,
    steps: &[Step],
) -> Result<Found<'n>, (&'n Rc<Node>, String)> {
    let mut found = Found { node: root, indent: 0 };
    for step in steps {
        let node = found.node;
        found = match (step, &node.data) {
            (Step::Key(key), Data::Mapping(pairs)) => {
                let pair = pairs.iter().find(|(known, _)| known.is_scalar() && known.text() == key);
                let (key, value) = pair.ok_or_else(|| (node, format!("no key `{key}` is here")))?;
                Found { node: value, indent: key.mark.column.saturating_sub(1) }
            }
            (Step::Index(index), Data::Sequence(items)) => {
                let item = items.get(*index);
                let item = item.ok_or_else(|| (node, format!("the list has no item {index}")))?;
                Found { node: item, indent: node.mark.column.saturating_sub(1) }
            }
            (Step::Item(key, text), Data::Sequence(items)) => {
                let is = |item: &&Rc<Node>| item.get(key).is_some_and(|value| value.text() == text);
                let mut matching = items.iter().filter(is);
                match (matching.next(), matching.next()) {
                    (Some(item), None) => {
                        Found { node: item, indent: node.mark.column.saturating_sub(1) }
                    }
                    (None, _) => {
                        return Err((node, format!("no item with `{key}: {text}` is here")));
                    }
                    (Some(_), Some(_)) => {
                        return Err((node, format!("several items have `{key}: {text}`")));
                    }
                }
            }
            (_, Data::Alias(_)) => {
                return Err((node, "an alias stands here; edit the value it names".to_owned()));
            }
            (Step::Key(key), _) => return Err((node, format!("no mapping with `{key}` is here"))),
            _ => return Err((node, "no list is here".to_owned())),
        };
    }
    Ok(found)
}
