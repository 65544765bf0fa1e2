//! Binds what was said to a recipe's parameters: flag, variable, inventory, ops.toml, default. Pure; runs no Lua and asks nobody.
//!
//! What a recipe's Lua side receives, by type: bool, int, number as such; string, choice, path (relative to the root), duration, semver,
//! node and cluster as text; list, nodes (names in inventory order), partitions (labels as written, perhaps none) and rest as lists;
//! secret as a `$secret` handle whose digest is still empty, because nobody has fetched it.

use std::path::Path;

use ops_core::error::{Code, Fault, Place};
use ops_core::inventory::Cluster;
use ops_core::value::{Handle, Map, Value};

use crate::config::{Environment, RecipeSettings};

use super::typed::{Given, Wrong, name_of, read};
use super::words::{Said, Written, flag_of};
use super::{Catalog, Head, Param, ParamKind};

/// What binding may look at.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The cluster of the run.
    pub cluster: Option<&'a Cluster>,
    /// Names of all clusters.
    pub clusters: &'a [String],
    /// Files that give defaults, the strongest first: inventory, ops.toml.
    pub layers: &'a [&'a RecipeSettings],
    /// The environment.
    pub env: &'a Environment,
    /// The repository's root, absolute.
    pub root: &'a Path,
    /// Where the user stands, absolute.
    pub here: &'a Path,
    /// Whether something is at a path, and whether it is a folder.
    pub stat: &'a dyn Fn(&str) -> Option<bool>,
    /// Whether somebody sits at a terminal and can be asked.
    pub interactive: bool,
}

/// A recipe's parameters, bound.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bound {
    /// Values by name. A parameter without a value is absent.
    pub args: Map<String, Value>,
    /// Parameters whose default is a function: still to be computed.
    pub open: Vec<String>,
    /// Parameters to ask for on the terminal.
    pub ask: Vec<String>,
}

/// Binds what stands on the command line.
///
/// # Errors
/// The first parameter, in the recipe's order, that is missing or wrong.
pub fn bind(head: &Head, written: &Written, cx: &Context<'_>) -> Result<Bound, Fault> {
    bind_with(head, cx, &|param| said(param, written, cx))
}

/// What the command line itself says, as data: the arguments of the recipe as another recipe would give them.
///
/// # Errors
/// The first wrong value, in the recipe's order.
pub fn explicit(
    head: &Head,
    written: &Written,
    cx: &Context<'_>,
) -> Result<Map<String, Value>, Fault> {
    let mut args = Map::new();
    for param in &head.params {
        if let Some(value) = said(param, written, cx)? {
            args.insert(param.name.clone(), value);
        }
    }
    Ok(args)
}

fn said(param: &Param, written: &Written, cx: &Context<'_>) -> Result<Option<Value>, Fault> {
    let said: Vec<&Said> =
        written.said.iter().filter(|(n, _)| *n == param.name).map(|(_, said)| said).collect();
    let wrong = |wrong| fault(&format!("`{}`", flag_of(param)), wrong, None);
    // Of a switch the last word counts, as everywhere: `--drain --no-drain` comes from an alias with an addition.
    let said = if matches!(param.kind, ParamKind::Bool) {
        &said[said.len().saturating_sub(1)..]
    } else {
        &said[..]
    };
    match said {
        [] => Ok(None),
        [Said::On] => Ok(Some(true.into())),
        [Said::Off] => Ok(Some(false.into())),
        said => {
            let words: Vec<&str> = said
                .iter()
                .filter_map(|said| match said {
                    Said::Word(word) => Some(word.as_str()),
                    Said::On | Said::Off => None,
                })
                .collect();
            read(&param.kind, Given::Words(&words), cx).map(Some).map_err(wrong)
        }
    }
}

/// Binds arguments that another recipe gives as data (`needs`, `stages`, `cx:run`).
///
/// # Errors
/// As `bind`; also an argument that the recipe does not declare.
pub fn bind_data(head: &Head, args: &Map<String, Value>, cx: &Context<'_>) -> Result<Bound, Fault> {
    let known = || head.params.iter().map(|p| p.name.as_str());
    if let Some(name) = args.keys().find(|name| !known().any(|k| k == *name)) {
        let title = format!("`{}` has no parameter `{name}`", head.name);
        return Err(Fault::new(Code::PARAM_UNKNOWN, title).did_you_mean(name, known()));
    }
    bind_with(head, cx, &|param| match args.get(&param.name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => from_data(param, value, cx)
            .map(Some)
            .map_err(|wrong| fault(&format!("`{}` of {}", param.name, head.name), wrong, None)),
    })
}

/// Checks that files name only recipes and parameters that exist.
///
/// # Errors
/// The first unknown name, at its place.
pub fn check_layers(catalog: &Catalog, layers: &[&RecipeSettings]) -> Result<(), Fault> {
    for (recipe, of_recipe) in layers.iter().flat_map(|layer| &layer.recipes) {
        let Some(head) = catalog.get(recipe).filter(|head| head.name == *recipe) else {
            return Err(super::words::unknown_recipe(recipe, catalog).at(of_recipe.place.clone()));
        };
        for (name, setting) in &of_recipe.params {
            if !head.params.iter().any(|p| p.name == *name) {
                let known = head.params.iter().map(|p| p.name.as_str());
                let title = format!("`{recipe}` has no parameter `{name}`");
                return Err(Fault::new(Code::PARAM_UNKNOWN, title)
                    .at(setting.key.clone())
                    .did_you_mean(name, known));
            }
        }
    }
    Ok(())
}

fn bind_with(
    head: &Head,
    cx: &Context<'_>,
    explicit: &dyn Fn(&Param) -> Result<Option<Value>, Fault>,
) -> Result<Bound, Fault> {
    let mut bound = Bound::default();
    for param in &head.params {
        let value = match explicit(param)? {
            Some(value) => Some(value),
            None => unsaid(head, param, cx)?,
        };
        match value {
            Some(value) => drop(bound.args.insert(param.name.clone(), value)),
            None if param.default_function => bound.open.push(param.name.clone()),
            None if param.prompt && cx.interactive => bound.ask.push(param.name.clone()),
            None if param.required => return Err(missing(head, param, cx)),
            None => {}
        }
    }
    Ok(bound)
}

/// A value that nobody gave for this run: variable, inventory, ops.toml, default.
fn unsaid(head: &Head, param: &Param, cx: &Context<'_>) -> Result<Option<Value>, Fault> {
    let variable = param.env.as_deref();
    let set = variable.and_then(|name| Some((name, cx.env.named(name).filter(|v| !v.is_empty())?)));
    if let Some((name, value)) = set {
        // A variable holds the secret itself; what is handed on is where it stands.
        if matches!(param.kind, ParamKind::Secret { .. }) {
            let reference = format!("@env:{name}");
            return read(&param.kind, Given::Words(&[&reference]), cx)
                .map(Some)
                .map_err(|wrong| fault(&format!("variable {name}"), wrong, None));
        }
        let what = format!("variable {name}, for `{}`", flag_of(param));
        return read(&param.kind, Given::Words(&[value]), cx)
            .map(Some)
            .map_err(|wrong| fault(&what, wrong, None));
    }
    if let Some(setting) = cx.layers.iter().find_map(|l| l.get(&head.name, &param.name)) {
        let secret = matches!(param.kind, ParamKind::Secret { .. });
        // The line may hold a secret that somebody wrote there by mistake.
        let text = setting.place.text.clone().filter(|_| !secret);
        let place = Place { text, ..setting.place.clone() };
        let what = format!("`{}` of {}", param.name, head.name);
        return from_data(param, &setting.value, cx)
            .map(Some)
            .map_err(|wrong| fault(&what, wrong, Some(place)));
    }
    if let Some(default) = &param.default {
        let place =
            Place { file: head.file.clone(), line: head.line, column: 0, length: 0, text: None };
        let what = format!("default of `{}`", param.name);
        return from_data(param, default, cx)
            .map(Some)
            .map_err(|wrong| fault(&what, wrong, Some(place)));
    }
    match &param.kind {
        ParamKind::Bool => Ok(Some(false.into())),
        ParamKind::Rest { .. } => read(&param.kind, Given::Words(&[]), cx)
            .map(Some)
            .map_err(|wrong| fault("words behind `--`", wrong, None)),
        ParamKind::Partitions { .. } => Ok(Some(Value::Array(Vec::new()))),
        ParamKind::Secret { from: Some(from) } => {
            let reference = if from.starts_with('@') { from.clone() } else { format!("@{from}") };
            // A recipe's file lies where it lies, wherever the user stands.
            let cx = Context { here: cx.root, ..*cx };
            read(&param.kind, Given::Words(&[&reference]), &cx)
                .map(Some)
                .map_err(|wrong| fault(&format!("`from` of `{}`", param.name), wrong, None))
        }
        _ => Ok(None),
    }
}

/// Data from a file or a recipe. A secret that a recipe hands on is a handle already.
fn from_data(param: &Param, value: &Value, cx: &Context<'_>) -> Result<Value, Wrong> {
    if matches!(param.kind, ParamKind::Secret { .. }) {
        if let Some(Handle::Secret(_)) = Handle::from_value(value) {
            return Ok(value.clone());
        }
        if !value.is_string() {
            return read(&param.kind, Given::Words(&[""]), cx);
        }
    }
    read(&param.kind, Given::Data(value), cx)
}

fn missing(head: &Head, param: &Param, cx: &Context<'_>) -> Fault {
    let flag = flag_of(param);
    let what = name_of(&param.kind);
    let mut fault = Fault::new(Code::PARAM_MISSING, format!("`{}` needs `{flag}`", head.name));
    fault = fault.detail(if param.desc.is_empty() {
        format!("{flag} takes {what}")
    } else {
        format!("{flag}: {} ({what})", param.desc)
    });
    let example = match (&param.kind, cx.cluster) {
        (ParamKind::Choice { words, .. }, _) => words.first().cloned(),
        (ParamKind::Node { .. } | ParamKind::Nodes { .. }, Some(cluster)) => {
            cluster.nodes.last().map(|n| n.name.clone())
        }
        _ => None,
    };
    let example = example.unwrap_or_else(|| "…".into());
    fault.next(format!("ops run {} {flag} {example}", head.name))
}

fn fault(subject: &str, wrong: Wrong, place: Option<Place>) -> Fault {
    let mut fault = Fault::new(Code::PARAM_VALUE, format!("{subject}: {}", wrong.message));
    if !wrong.known.is_empty() {
        fault = fault.detail(format!("possible: {}", wrong.known.join(", ")));
    }
    if let Some(near) = wrong.suggestion {
        fault = fault.help(format!("did you mean `{near}`?"));
    }
    if let Some(help) = wrong.help {
        fault = fault.help(help);
    }
    match place {
        Some(place) => fault.at(place),
        None => fault,
    }
}

#[cfg(test)]
mod tests;
