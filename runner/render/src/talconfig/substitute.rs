//! `${VARIABLE}` in a talconfig and in the files it names, with the operators
//! of envsubst. An unset or an empty variable is an error, as in talhelper.
//! Comments are not looked at.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::variables::Variables;
use crate::diagnostic::{Code, Diagnostic, Mark};
use crate::machinery::decode::meaning;
use crate::yaml::node::{Data, Node};
use crate::yaml::read::{MAX_TEXT, Source, read};
use crate::yaml::scalar::{Meaning, format_float};

/// The tree with every variable replaced, aliases and merge keys resolved, and
/// plain numbers and times written as talhelper hands them on (`1.10` is
/// `1.1`); or every variable that is missing.
pub(super) fn substitute(
    root: &Rc<Node>,
    file: &str,
    variables: &Variables,
) -> Result<Rc<Node>, Vec<Diagnostic>> {
    let mut walk =
        Walk { file, variables, problems: Vec::new(), shared: BTreeMap::new(), bytes: 0 };
    let root = walk.node(root);
    if walk.problems.is_empty() { Ok(root) } else { Err(walk.problems) }
}

struct Walk<'v> {
    file: &'v str,
    variables: &'v Variables,
    problems: Vec<Diagnostic>,
    /// What aliases stand for, by the node that they name.
    shared: BTreeMap<*const Node, Rc<Node>>,
    /// Bytes of text with variables in them.
    bytes: usize,
}

impl Walk<'_> {
    fn node(&mut self, node: &Rc<Node>) -> Rc<Node> {
        let (data, tag) = match &node.data {
            Data::Scalar { text, plain } if text.contains('$') => {
                match expand(text, self.variables).and_then(|text| self.bounded(text)) {
                    Ok(text) => scalar(text, *plain, node),
                    Err(message) => {
                        let problem =
                            Diagnostic::new(Code::TALCONFIG, self.file, node.mark, message);
                        self.problems.push(problem);
                        return Rc::clone(node);
                    }
                }
            }
            Data::Scalar { plain: true, .. } => (node.data.clone(), node.tag.clone()),
            Data::Scalar { .. } => return Rc::clone(node),
            Data::Sequence(items) => {
                let items = items.iter().map(|item| self.node(item)).collect();
                (Data::Sequence(items), node.tag.clone())
            }
            Data::Mapping(pairs) => {
                let pairs: Vec<_> =
                    pairs.iter().map(|(key, value)| (self.node(key), self.node(value))).collect();
                (Data::Mapping(merged(pairs)), node.tag.clone())
            }
            Data::Alias(target) => {
                if let Some(known) = self.shared.get(&Rc::as_ptr(target)) {
                    return Rc::clone(known);
                }
                let made = self.node(target);
                self.shared.insert(Rc::as_ptr(target), Rc::clone(&made));
                return made;
            }
        };
        let node = Node { mark: node.mark, span: node.span, tag, data };
        Rc::new(match handed_on(&node) {
            Some(text) => Node { data: Data::Scalar { text, plain: true }, ..node },
            None => node,
        })
    }
}

impl Walk<'_> {
    fn bounded(&mut self, text: String) -> Result<String, String> {
        self.bytes += text.len();
        if self.bytes > MAX_TEXT {
            return Err(format!("more than {MAX_TEXT} bytes once variables are replaced"));
        }
        Ok(text)
    }
}

/// A mapping with what its `<<` brings; its own keys win, then the first bringer.
fn merged(pairs: Vec<(Rc<Node>, Rc<Node>)>) -> Vec<(Rc<Node>, Rc<Node>)> {
    let is_merge =
        |key: &Node| matches!(&key.data, Data::Scalar { text, plain: true } if text == "<<");
    if !pairs.iter().any(|(key, _)| is_merge(key)) {
        return pairs;
    }
    let (merges, mut own): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(key, _)| is_merge(key));
    for (key, brought) in merges {
        let sources: Vec<Rc<Node>> = match &brought.data {
            Data::Mapping(_) => vec![Rc::clone(&brought)],
            Data::Sequence(items)
                if items.iter().all(|item| matches!(item.data, Data::Mapping(_))) =>
            {
                items.clone()
            }
            // What cannot be merged is refused as an unknown key.
            _ => {
                own.push((key, brought));
                continue;
            }
        };
        for (key, value) in sources.iter().flat_map(|source| source.pairs()) {
            if !own.iter().any(|(known, _)| known.text() == key.text()) {
                own.push((Rc::clone(key), Rc::clone(value)));
            }
        }
    }
    own
}

/// The text of a plain number or time once a YAML library has read and written it.
fn handed_on(node: &Node) -> Option<String> {
    let Data::Scalar { plain: true, .. } = node.data else { return None };
    match meaning(node) {
        // The older library reads this one as a whole number.
        Ok(Meaning::Float(_)) if node.text() == "-0" => Some("0".to_owned()),
        Ok(Meaning::Int(number)) => Some(number.to_string()),
        Ok(Meaning::Float(number)) => Some(format_float(number)),
        Ok(Meaning::Time(time)) => Some(time),
        _ => None,
    }
}

/// What is put into a plain scalar is read as YAML again: `"x"` loses its
/// quotes, `[a, b]` is a list.
fn scalar(text: String, plain: bool, node: &Node) -> (Data, Option<String>) {
    if plain
        && let Ok(documents) = read(Source { name: "", bytes: text.as_bytes() })
        && let [found] = &documents[..]
        && (found.is_scalar() || text.starts_with(['[', '{']))
    {
        let placed = placed(found, node);
        return (placed.data.clone(), placed.tag.clone());
    }
    (Data::Scalar { text, plain }, node.tag.clone())
}

/// A tree out of a variable stands where the variable does.
fn placed(node: &Node, at: &Node) -> Rc<Node> {
    let data = match &node.data {
        Data::Scalar { .. } => node.data.clone(),
        Data::Sequence(items) => {
            Data::Sequence(items.iter().map(|item| placed(item, at)).collect())
        }
        Data::Mapping(pairs) => Data::Mapping(
            pairs.iter().map(|(key, value)| (placed(key, at), placed(value, at))).collect(),
        ),
        Data::Alias(target) => Data::Alias(placed(target, at)),
    };
    Rc::new(Node { mark: at.mark, span: at.span, tag: node.tag.clone(), data })
}

/// Replaces variables in the text of a file, but not in its comments where
/// the file is YAML.
///
/// # Errors
/// Every variable that is missing, each with its line.
pub(super) fn file(
    name: &str,
    content: &str,
    variables: &Variables,
) -> Result<String, Vec<Diagnostic>> {
    if !content.contains('$') {
        return Ok(content.to_owned());
    }
    let mut spans = Vec::new();
    let documents = read(Source { name, bytes: content.as_bytes() });
    for document in documents.iter().flatten() {
        scalars(document, &mut spans);
    }
    let mut out = String::new();
    let mut problems = Vec::new();
    let mut start = 0;
    for (at, line) in content.split_inclusive('\n').enumerate() {
        let comment = if documents.is_ok() { comment(line, start, &spans) } else { 0 };
        let code = line.len() - comment;
        start += line.chars().count();
        match expand(&line[..code], variables) {
            Ok(text) => out += &text,
            Err(why) => {
                let mark = Mark { line: at + 1, column: 0 };
                problems.push(Diagnostic::new(Code::TALCONFIG, name, mark, why));
            }
        }
        out += &line[code..];
        if out.len() > MAX_TEXT {
            let mark = Mark { line: at + 1, column: 0 };
            let message = format!("more than {MAX_TEXT} bytes once variables are replaced");
            return Err(vec![Diagnostic::new(Code::TALCONFIG, name, mark, message)]);
        }
    }
    if problems.is_empty() { Ok(out) } else { Err(problems) }
}

/// How many bytes at a line's end are its comment; `start` is the number of
/// characters before the line.
fn comment(line: &str, start: usize, spans: &[(usize, usize)]) -> usize {
    if !line.contains('#') {
        return 0;
    }
    let mut before = ' ';
    for (count, (at, c)) in line.char_indices().enumerate() {
        let place = start + count;
        let within = |&(from, to): &(usize, usize)| from <= place && place < to;
        if c == '#' && before.is_whitespace() && !spans.iter().any(within) {
            return line.len() - at;
        }
        before = c;
    }
    0
}

fn scalars(node: &Node, spans: &mut Vec<(usize, usize)>) {
    match &node.data {
        Data::Scalar { plain, .. } => {
            // A block scalar's span begins inside its first line.
            let before = if *plain { 0 } else { node.mark.column };
            spans.push((node.span.0.saturating_sub(before), node.span.1));
        }
        Data::Sequence(items) => items.iter().for_each(|item| scalars(item, spans)),
        Data::Mapping(pairs) => pairs.iter().for_each(|(key, value)| {
            scalars(key, spans);
            scalars(value, spans);
        }),
        Data::Alias(_) => {}
    }
}

/// Replaces `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `:=`,
/// `=`, `:+` and `+`; `$$` is a dollar sign. A default is text or one
/// `$VARIABLE`; substitutions do not nest.
///
/// # Errors
/// A variable that is not set, or set but empty; a substitution that is none.
pub fn expand(text: &str, variables: &Variables) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out += &rest[..at];
        rest = &rest[at + 1..];
        if out.len() > MAX_TEXT {
            return Err(format!("more than {MAX_TEXT} bytes once variables are replaced"));
        }
        if let Some(tail) = rest.strip_prefix('$') {
            out.push('$');
            rest = tail;
        } else if let Some(inside) = rest.strip_prefix('{') {
            let name = name_of(inside);
            let end = inside.find(['}', '\n', '\r']).filter(|at| inside[*at..].starts_with('}'));
            let end = end.ok_or_else(|| format!("`${{{name}` is not closed"))?;
            let shown = &inside[..end];
            if name.is_empty() {
                return Err(format!(
                    "`${{{shown}}}` is no substitution; a dollar sign itself is written `$$`"
                ));
            }
            if shown.contains("${") {
                return Err(format!("`${{{shown}`: substitutions do not nest"));
            }
            out += &operation(name, &shown[name.len()..], variables)?;
            rest = &inside[end + 1..];
        } else {
            let name = name_of(rest);
            if name.is_empty() || name == "_" {
                out.push('$');
                continue;
            }
            out += value(name, variables)?;
            rest = &rest[name.len()..];
        }
    }
    Ok(out + rest)
}

fn operation(name: &str, operation: &str, variables: &Variables) -> Result<String, String> {
    let set = variables.get(name);
    let other = |default: &str| match default.strip_prefix('$') {
        Some(variable) if name_of(variable) == variable && !variable.is_empty() => {
            value(variable, variables).map(str::to_owned)
        }
        _ => Ok(default.to_owned()),
    };
    for (operator, on_empty) in [(":-", true), (":=", true), ("-", false), ("=", false)] {
        if let Some(default) = operation.strip_prefix(operator) {
            return match set {
                Some(value) if !value.is_empty() => Ok(value.to_owned()),
                Some(_) if !on_empty => value(name, variables).map(str::to_owned),
                // Without a word behind it the operator counts for nothing.
                _ if default.is_empty() => value(name, variables).map(str::to_owned),
                _ => other(default),
            };
        }
    }
    for operator in [":+", "+"] {
        if let Some(alternative) = operation.strip_prefix(operator) {
            return match set {
                _ if alternative.is_empty() => value(name, variables).map(str::to_owned),
                Some(_) => other(alternative),
                None => Ok(String::new()),
            };
        }
    }
    if operation.is_empty() {
        return value(name, variables).map(str::to_owned);
    }
    Err(format!("`${{{name}{operation}}}` is no substitution"))
}

fn value<'v>(name: &str, variables: &'v Variables) -> Result<&'v str, String> {
    match variables.get(name) {
        None if name == "patch" => Err("the variable `patch` is not set; where variables are \
             replaced, the directive `$patch` is written `$$patch`"
            .to_owned()),
        None => Err(format!("the variable `{name}` is not set")),
        Some("") => Err(format!("the variable `{name}` is set but empty")),
        Some(value) => Ok(value),
    }
}

fn name_of(text: &str) -> &str {
    let end = text.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(text.len());
    &text[..end]
}
