//! Go templates over plain data, for files of tools that render them. The
//! template language itself is elsewhere.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use crate::diagnostic::Mark;
use crate::template::{Functions, Item, render};

/// Under which name the environment stands beside the data.
const ENVIRONMENT: &str = "Environment__";

/// The text that a template makes of `data`, with Go's functions, those of
/// sprig that depend on their arguments only, and `env "NAME"`. A field that is
/// not there is an error; a variable that is not set is empty.
///
/// # Errors
/// Why it cannot be rendered, and where in it.
pub fn go_template(
    text: &str,
    data: &BTreeMap<String, Value>,
    variables: &BTreeMap<String, String>,
) -> Result<String, (Mark, String)> {
    let mut fields: BTreeMap<String, Item<'_>> =
        data.iter().map(|(name, value)| (name.clone(), item(value))).collect();
    let environment = variables.iter().map(|(name, value)| (name.clone(), Item::text(value)));
    fields.insert(ENVIRONMENT.to_owned(), Item::Map(Rc::new(environment.collect())));
    let data = Item::Record(Rc::new(fields));
    render(&with_variables(text, variables), &data, Functions::Sprig)
        .map_err(|problem| (problem.mark, problem.message))
}

/// The names of the variables that a template asks for by `env "NAME"`.
pub fn go_variables(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((at, name)) = next_variable(rest) {
        if !names.contains(&name) {
            names.push(name);
        }
        rest = &rest[at.end..];
    }
    names
}

/// The next `env "NAME"` of a text: where it stands, and the name.
fn next_variable(text: &str) -> Option<(std::ops::Range<usize>, String)> {
    let mut from = 0;
    while let Some(found) = text[from..].find("env") {
        let start = from + found;
        from = start + 3;
        let alone = |c: char| !(c.is_alphanumeric() || "._$\"".contains(c));
        let before = text[..start].chars().next_back().is_none_or(alone);
        let rest = text[from..].trim_start_matches(' ');
        let Some(rest) = rest.strip_prefix('"').filter(|_| before) else { continue };
        let Some((name, after)) = rest.split_once('"') else { continue };
        return Some((start..text.len() - after.len(), name.to_owned()));
    }
    None
}

/// Asks the data for variables: the language itself has no environment.
fn with_variables(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((at, name)) = next_variable(rest) {
        out += &rest[..at.start];
        let known = if variables.contains_key(&name) { name.as_str() } else { "" };
        out += &match known {
            "" => "\"\"".to_owned(),
            name => format!("(index $.{ENVIRONMENT} \"{name}\")"),
        };
        rest = &rest[at.end..];
    }
    out + rest
}

fn item<'d>(value: &Value) -> Item<'d> {
    match value {
        Value::Null => Item::Nil,
        Value::Bool(flag) => Item::Bool(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Item::Int(number.into()),
            None => Item::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Item::text(text),
        Value::Array(items) => Item::List(Rc::new(items.iter().map(item).collect())),
        Value::Object(map) => Item::Record(Rc::new(
            map.iter().map(|(name, value)| (name.clone(), item(value))).collect(),
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    fn filled(text: &str) -> Result<String, (Mark, String)> {
        let data = BTreeMap::from([
            ("Node".to_owned(), json!({"Host": "w-1", "Data": {"uuid": "u"}})),
            ("Data".to_owned(), json!({"on": true, "list": ["a", "b"]})),
        ]);
        go_template(text, &data, &BTreeMap::from([("SET".to_owned(), "value".to_owned())]))
    }

    #[test]
    fn fields_variables_conditions_and_loops_are_filled_in() {
        let rows = [
            ("host: {{ .Node.Host }}/{{ .Node.Data.uuid }}", "host: w-1/u"),
            ("{{ env \"SET\" }}{{ env \"UNSET\" }}", "value"),
            ("{{ if env \"SET\" }}a{{ else }}b{{ end }}", "a"),
            ("{{ env \"UNSET\" | default \"x\" }}", "x"),
            ("{{ if .Data.on -}}\n a\n{{- end }}", "a"),
            ("{{ range .Data.list }}[{{ . }}{{ env \"SET\" }}]{{ end }}", "[avalue][bvalue]"),
            ("{{ .Node.Host | quote }}", "\"w-1\""),
        ];
        for (text, expected) in rows {
            assert_eq!(filled(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_field_that_is_not_there_is_an_error_at_its_line() {
        let (mark, why) = filled("a\nb: {{ .Data.none }}").unwrap_err();
        assert_eq!(mark.line, 2);
        assert!(why.contains("none"), "{why}");
    }

    #[test]
    fn the_variables_that_it_asks_for_are_named() {
        let text = "{{ env \"A\" }} {{ if env \"B\" }}{{ end }} {{ .env \"C\" }} {{ env \"A\" }}";
        assert_eq!(go_variables(text), ["A", "B"]);
    }
}
