//! `${VARIABLE}` in a talconfig, with the operators of envsubst. An unset or
//! an empty variable is an error, as in talhelper. Comments are not looked at.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::diagnostic::{Code, Diagnostic};
use crate::yaml::node::{Data, Node};
use crate::yaml::read::{Source, read};

/// Names and values of variables; which file or process they come from is the
/// caller's business.
pub type Variables = BTreeMap<String, String>;

/// The tree with every variable replaced, or every variable that is missing.
pub(super) fn substitute(
    root: &Rc<Node>,
    file: &str,
    variables: &Variables,
) -> Result<Rc<Node>, Vec<Diagnostic>> {
    let mut walk = Walk { file, variables, problems: Vec::new() };
    let root = walk.node(root);
    if walk.problems.is_empty() { Ok(root) } else { Err(walk.problems) }
}

struct Walk<'v> {
    file: &'v str,
    variables: &'v Variables,
    problems: Vec<Diagnostic>,
}

impl Walk<'_> {
    fn node(&mut self, node: &Rc<Node>) -> Rc<Node> {
        let data = match &node.data {
            Data::Scalar { text, plain } if text.contains('$') => {
                match expand(text, self.variables) {
                    Ok(text) => scalar(text, *plain),
                    Err(message) => {
                        let problem =
                            Diagnostic::new(Code::TALCONFIG, self.file, node.mark, message);
                        self.problems.push(problem);
                        return Rc::clone(node);
                    }
                }
            }
            Data::Scalar { .. } => return Rc::clone(node),
            Data::Sequence(items) => {
                Data::Sequence(items.iter().map(|item| self.node(item)).collect())
            }
            Data::Mapping(pairs) => Data::Mapping(
                pairs.iter().map(|(key, value)| (self.node(key), self.node(value))).collect(),
            ),
            Data::Alias(target) => Data::Alias(self.node(target)),
        };
        Rc::new(Node { mark: node.mark, span: node.span, tag: node.tag.clone(), data })
    }
}

/// What is put into a plain scalar is read as YAML again: `"x"` loses its quotes.
fn scalar(text: String, plain: bool) -> Data {
    if plain
        && let Ok(documents) = read(Source { name: "", bytes: text.as_bytes() })
        && let [node] = &documents[..]
        && let Data::Scalar { .. } = &node.data
    {
        return node.data.clone();
    }
    Data::Scalar { text, plain }
}

/// Replaces `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `:=`,
/// `=`, `:+` and `+`; `$$` is a dollar sign.
///
/// # Errors
/// A variable that is not set, or set but empty; a substitution that is none.
pub fn expand(text: &str, variables: &Variables) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out += &rest[..at];
        rest = &rest[at + 1..];
        if let Some(tail) = rest.strip_prefix('$') {
            out.push('$');
            rest = tail;
        } else if let Some(inside) = rest.strip_prefix('{') {
            let name = name_of(inside);
            if name.is_empty() {
                out += "${";
                rest = inside;
                continue;
            }
            let end = inside.find('}').ok_or_else(|| format!("`${{{name}` is not closed"))?;
            out += &operation(name, &inside[name.len()..end], variables)?;
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
    let set = variables.get(name).map(String::as_str);
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
                _ => other(default),
            };
        }
    }
    for operator in [":+", "+"] {
        if let Some(alternative) = operation.strip_prefix(operator) {
            return if set.is_some() { other(alternative) } else { Ok(String::new()) };
        }
    }
    if operation.is_empty() {
        return value(name, variables).map(str::to_owned);
    }
    Err(format!("`${{{name}{operation}}}` is no substitution"))
}

fn value<'v>(name: &str, variables: &'v Variables) -> Result<&'v str, String> {
    match variables.get(name).map(String::as_str) {
        None => Err(format!("the variable `{name}` is not set")),
        Some("") => Err(format!("the variable `{name}` is set but empty")),
        Some(value) => Ok(value),
    }
}

fn name_of(text: &str) -> &str {
    let end = text.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(text.len());
    &text[..end]
}
