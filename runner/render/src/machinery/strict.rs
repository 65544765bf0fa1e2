//! Looks for keys that a document's type does not have. Like the original it
//! does not look behind aliases. Values are not its business.

use super::profile::{Codec, Key, Profile, Shape, TypeId};
use crate::diagnostic::{Code, Diagnostic};
use crate::yaml::node::{Data, Node};

/// Every unknown key of a document, or nothing.
pub(crate) fn check<'p>(
    profile: &'p Profile,
    file: &'p str,
    node: &'p Node,
    type_id: TypeId,
) -> Vec<Diagnostic> {
    let mut checker = Checker { profile, file, path: Vec::new(), problems: Vec::new() };
    checker.check(node, type_id);
    checker.problems
}

struct Checker<'p> {
    profile: &'p Profile,
    file: &'p str,
    path: Vec<Step<'p>>,
    problems: Vec<Diagnostic>,
}

/// A step on the way to a node.
enum Step<'p> {
    Key(&'p str),
    Item(usize),
}

impl<'p> Checker<'p> {
    fn check(&mut self, node: &'p Node, type_id: TypeId) {
        let kind = self.profile.get(type_id);
        let own = kind.codec.as_ref().is_some_and(Codec::is_own);
        let spared = self.profile.strict_skips_own && own;
        match (&node.data, &kind.shape) {
            (_, Shape::Pointer(elem)) => self.check(node, *elem),
            (_, Shape::Any) | (Data::Scalar { .. } | Data::Alias(_), _) => {}
            (Data::Sequence(items), Shape::List(elem)) => {
                for (at, item) in items.iter().enumerate() {
                    self.path.push(Step::Item(at));
                    self.check(item, *elem);
                    self.path.pop();
                }
            }
            (Data::Sequence(_), _) => {
                if !spared {
                    self.shape(node, "a list");
                }
            }
            (Data::Mapping(_), Shape::Map(elem)) => self.each_key(node, |_| Some(*elem), &[]),
            (Data::Mapping(_), Shape::Struct(fields)) => {
                let inline = kind.inline_map.map(|at| fields[at].type_id);
                if let Some(Shape::Map(elem)) = inline.map(|id| &self.profile.get(id).shape) {
                    self.each_key(node, |_| Some(*elem), &[]);
                } else {
                    let known = |name: &str| kind.keys.iter().find(|key| key.name == name);
                    self.each_key(node, |name| known(name).map(|key| key.type_id), &kind.keys);
                }
            }
            (Data::Mapping(_), _) => {
                if !spared {
                    self.shape(node, "a mapping");
                }
            }
        }
    }

    fn each_key(&mut self, node: &'p Node, known: impl Fn(&str) -> Option<TypeId>, keys: &[Key]) {
        for (key, value) in node.pairs() {
            if !key.is_scalar() {
                let message = "a key must be text";
                self.problems.push(Diagnostic::new(
                    Code::UNKNOWN_KEY,
                    self.file,
                    key.mark,
                    message,
                ));
                continue;
            }
            let Some(type_id) = known(key.text()) else {
                self.unknown(key, keys);
                continue;
            };
            self.path.push(Step::Key(key.text()));
            self.check(value, type_id);
            self.path.pop();
        }
    }

    fn shape(&mut self, node: &Node, found: &str) {
        let message =
            format!("{found} is not accepted here by machinery {}", self.profile.machinery());
        self.problems.push(Diagnostic::new(Code::WRONG_TYPE, self.file, node.mark, message));
    }

    fn unknown(&mut self, key: &Node, keys: &[Key]) {
        let name = key.text();
        let names: Vec<&str> = keys.iter().map(|key| &*key.name).collect();
        let mut path = String::new();
        for step in &self.path {
            match step {
                Step::Key(key) => path += &format!(".{key}"),
                Step::Item(at) => path += &format!("[{at}]"),
            }
        }
        let path = path.trim_start_matches('.');
        let place = if path.is_empty() { String::new() } else { format!(" in `{path}`") };
        let message = format!("unknown key `{name}`{place}");
        let mut problem = Diagnostic::new(Code::UNKNOWN_KEY, self.file, key.mark, message);
        if name == "$patch" {
            problem = problem.hint("`$patch` knows the value `delete` only");
        } else if let Some(nearest) = nearest(name, &names) {
            problem = problem.hint(format!("did you mean `{nearest}`?"));
        }
        self.problems.push(problem);
    }
}

/// The known name that is closest to a misspelt one, if any is close.
pub(crate) fn nearest<'n>(name: &str, names: &[&'n str]) -> Option<&'n str> {
    let limit = (name.chars().count() / 3).max(1);
    names
        .iter()
        .map(|known| (distance(&name.to_lowercase(), &known.to_lowercase()), *known))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Edits between two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
