//! From `param.*` declarations to parameters: types with their own fields, in the order of declaration.

use mlua::{Lua, Table, Value};
use ops_core::error::{Code, Fault};

use super::fields::Fields;
use crate::lua::declare::{Declaration, TYPES};
use crate::lua::place::Texts;
use crate::lua::{sandbox, value};
use crate::recipe::{Param, ParamKind};

type Take<'a> = &'a mut dyn FnMut(Fault);

const COMMON: [&str; 11] = [
    "desc",
    "default",
    "required",
    "positional",
    "short",
    "env",
    "check",
    "complete",
    "prompt",
    "hidden",
    "name",
];
/// Lists that completion knows by name.
const LISTS: [&str; 3] = ["releases", "namespaces", "recipes"];

/// Fields of a type beside the common ones.
fn own_fields(word: &str) -> &'static [&'static str] {
    match word {
        "string" => &["pattern", "min", "max", "allow_empty"],
        "int" | "number" | "duration" | "rest" => &["min", "max"],
        "choice" => &["multiple"],
        "list" => &["of", "sep", "allow_empty"],
        "path" => &["kind", "exists", "outside"],
        "semver" => &["range"],
        "node" | "nodes" => &["role"],
        "partitions" => &["of"],
        "secret" => &["from"],
        _ => &[],
    }
}

/// Reads all parameters of a recipe.
pub(super) fn read(
    texts: &Texts,
    recipe: &Fields,
    table: &Table,
    _lua: &Lua,
    take: Take<'_>,
) -> Vec<Param> {
    let mut numbered: Vec<(u32, Param)> = Vec::new();
    for pair in table.pairs::<Value, Value>().flatten() {
        let Value::String(name) = &pair.0 else {
            take(recipe.fault(texts, "params", "`params` has an entry without a name"));
            continue;
        };
        let name = name.to_string_lossy();
        let sound = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !sound {
            let title = format!("`{name}` is no name of a parameter");
            take(recipe.fault(texts, &name, title).label("small letters, digits and `_`"));
            continue;
        }
        match sandbox::borrow::<Declaration>(&pair.1) {
            Some(declared) => numbered.push((declared.number, param(texts, name, &declared, take))),
            None => {
                let title = format!("parameter `{name}` is not made by `param.*`");
                let fault = recipe.fault(texts, &name, title);
                take(fault.label("such as `param.string {}`"));
            }
        }
    }
    numbered.sort_by_key(|(number, _)| *number);
    let params: Vec<Param> = numbered.into_iter().map(|(_, param)| param).collect();
    let many = |kind: &ParamKind| {
        matches!(
            kind,
            ParamKind::List { .. }
                | ParamKind::Nodes { .. }
                | ParamKind::Rest { .. }
                | ParamKind::Choice { multiple: true, .. }
                | ParamKind::Partitions { .. }
        )
    };
    let positional: Vec<&Param> = params.iter().filter(|param| param.positional).collect();
    for param in positional.iter().rev().skip(1).filter(|param| many(&param.kind)) {
        let title = format!("`{}` is a list and not the last positional parameter", param.name);
        take(recipe.fault(texts, &param.name, title));
    }
    params
}

fn param(texts: &Texts, name: String, declared: &Declaration, take: Take<'_>) -> Param {
    let fields = Fields::new(&declared.table, None, declared.line);
    let word = declared.word;
    let mut known: Vec<&str> = COMMON.to_vec();
    known.extend(own_fields(word));
    let mut unknown = Vec::new();
    fields.known(texts, &known, &mut unknown);
    // The words of a choice are the list itself.
    let listed = word == "choice";
    unknown.into_iter().filter(|f| !(listed && f.title.contains("`["))).for_each(&mut *take);
    let kind = kind(texts, word, &fields, take);
    let default = fields.get("default");
    let default_function = matches!(default, Value::Function(_));
    let check = match fields.get("check") {
        Value::Nil => false,
        Value::Function(_) => true,
        _ => {
            take(fields.fault(texts, "check", "`check` must be a function"));
            false
        }
    };
    let default = match default {
        Value::Nil | Value::Function(_) => None,
        value => match value::to_json(&value) {
            Ok(json) => Some(json),
            Err(wrong) => {
                take(fields.fault(texts, "default", format!("`default`: {wrong}")));
                None
            }
        },
    };
    if let (ParamKind::Choice { words, .. }, Some(default)) = (&kind, &default) {
        let given: Vec<&str> = match default {
            serde_json::Value::Array(list) => list.iter().filter_map(|v| v.as_str()).collect(),
            other => other.as_str().into_iter().collect(),
        };
        for word in given.iter().filter(|word| !words.iter().any(|w| w == *word)) {
            let fault =
                fields.fault(texts, "default", format!("the default `{word}` is no choice"));
            take(fault.did_you_mean(word, words.iter().map(String::as_str)));
        }
    }
    let positional = fields.bool(texts, "positional", false, take);
    if positional && kind == ParamKind::Bool {
        take(fields.fault(texts, "positional", "a bool is never positional"));
    }
    let short = fields.text(texts, "short", take);
    let short = short.and_then(|text| {
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) if c.is_ascii_alphanumeric() => Some(c),
            _ => {
                take(fields.fault(texts, "short", "`short` is one letter"));
                None
            }
        }
    });
    let complete = match fields.get("complete") {
        Value::Function(_) => Vec::new(),
        Value::String(word) if !LISTS.contains(&word.to_string_lossy().as_str()) => {
            let word = word.to_string_lossy();
            let fault = fields.fault(texts, "complete", format!("there is no list `{word}`"));
            take(fault.label(LISTS.join(", ")).did_you_mean(&word, LISTS));
            Vec::new()
        }
        _ => fields.texts(texts, "complete", take).unwrap_or_default(),
    };
    Param {
        desc: fields.text(texts, "desc", take).unwrap_or_default(),
        default_function,
        required: fields.bool(texts, "required", false, take),
        positional,
        short,
        env: fields.text(texts, "env", take),
        check,
        prompt: fields.bool(texts, "prompt", false, take),
        hidden: fields.bool(texts, "hidden", false, take),
        complete,
        name,
        kind,
        default,
    }
}

/// The type of a parameter.
fn kind(texts: &Texts, word: &str, fields: &Fields, take: Take<'_>) -> ParamKind {
    let length = |key: &str, take: Take<'_>| {
        fields.int(texts, key, take).and_then(|n| u64::try_from(n).ok())
    };
    match word {
        "string" => ParamKind::String {
            pattern: fields.text(texts, "pattern", take),
            min: length("min", take),
            max: length("max", take),
            allow_empty: fields.bool(texts, "allow_empty", false, take),
        },
        "int" => ParamKind::Int {
            min: fields.int(texts, "min", take),
            max: fields.int(texts, "max", take),
        },
        "number" => ParamKind::Number {
            min: fields.number(texts, "min", take),
            max: fields.number(texts, "max", take),
        },
        "choice" => ParamKind::Choice {
            words: words(texts, fields, take),
            multiple: fields.bool(texts, "multiple", false, take),
        },
        "list" => ParamKind::List {
            of: Box::new(of(texts, fields, take)),
            sep: fields.text(texts, "sep", take),
            allow_empty: fields.bool(texts, "allow_empty", false, take),
        },
        "path" => {
            let dir = match fields.text(texts, "kind", take).as_deref() {
                None | Some("file") => false,
                Some("dir") => true,
                Some(other) => {
                    take(fields.fault(
                        texts,
                        "kind",
                        format!("`kind` is \"file\" or \"dir\", not \"{other}\""),
                    ));
                    false
                }
            };
            ParamKind::Path {
                dir,
                exists: fields.bool(texts, "exists", false, take),
                outside: fields.bool(texts, "outside", false, take),
            }
        }
        "duration" => ParamKind::Duration {
            min: fields.span(texts, "min", take),
            max: fields.span(texts, "max", take),
        },
        "semver" => ParamKind::Semver { range: fields.text(texts, "range", take) },
        "node" => ParamKind::Node { role: role(texts, fields, take) },
        "nodes" => ParamKind::Nodes { role: role(texts, fields, take) },
        "cluster" => ParamKind::Cluster,
        "partitions" => ParamKind::Partitions { of: fields.text(texts, "of", take) },
        "secret" => ParamKind::Secret { from: fields.text(texts, "from", take) },
        "rest" => ParamKind::Rest { min: length("min", take), max: length("max", take) },
        other => {
            debug_assert!(TYPES.contains(&other), "{other}");
            ParamKind::Bool
        }
    }
}

fn role(texts: &Texts, fields: &Fields, take: Take<'_>) -> Option<String> {
    let role = fields.text(texts, "role", take)?;
    let known = ["controlplane", "worker"];
    if !known.contains(&role.as_str()) {
        let fault = fields.fault(texts, "role", format!("there is no role `{role}`"));
        take(fault.did_you_mean(&role, known));
        return None;
    }
    Some(role)
}

fn words(texts: &Texts, fields: &Fields, take: Take<'_>) -> Vec<String> {
    let (words, sound) = fields.list();
    if words.is_empty() || !sound {
        let mut fault = Fault::new(Code::RECIPE_KEY, "a choice is a list of words");
        fault.place = fields.line.and_then(|line| texts.word(line, "choice")).map(Box::new);
        take(fault.label("`param.choice { \"auto\", \"staged\", default = \"auto\" }`"));
    }
    words
}

/// The type of a list's items; texts where nothing is said.
fn of(texts: &Texts, fields: &Fields, take: Take<'_>) -> ParamKind {
    match sandbox::borrow::<Declaration>(&fields.get("of")) {
        Some(inner) => {
            let own = Fields::new(&inner.table, None, inner.line);
            kind(texts, inner.word, &own, take)
        }
        None => {
            if !matches!(fields.get("of"), Value::Nil) {
                let fault = fields.fault(texts, "of", "`of` is a type such as `param.string {}`");
                take(fault);
            }
            ParamKind::String { pattern: None, min: None, max: None, allow_empty: false }
        }
    }
}
