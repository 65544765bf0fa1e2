//! Every recipe of the sources by name: loads each file once, in one VM, and reads the heads. One wrong file spoils no other.

use std::sync::Arc;

use mlua::Value;
use ops_core::error::{Code, Fault};
use ops_core::machine::Limits;

use super::body::Body;
use super::calls::Calls;
use super::deadline::Deadline;
use super::declare::Form;
use super::head::scan;
use super::head::{self, Recipe};
use super::raised;
use super::vm::Vm;
use crate::recipe::source::{Source, Sources, recipe_name};
use crate::recipe::{Catalog, Head};

/// The catalogue, and what is wrong with the files.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    pub(super) catalog: Catalog,
    pub(super) faults: Vec<Fault>,
}

/// Loads every recipe file.
pub(super) fn index(sources: &Arc<Sources>, calls: Calls) -> Index {
    let mut index = Index::default();
    let deadline = Arc::new(Deadline::new(Limits::default().turn));
    let body = Body::new(calls, deadline.clone(), "");
    let vm = match Vm::new(sources.clone(), body, Limits::default().memory) {
        Ok(vm) => vm,
        Err(error) => {
            index.faults.push(Fault::new(Code::MEMORY, error.to_string()));
            return index;
        }
    };
    for source in sources.recipes() {
        deadline.renew();
        match heads(&vm, source) {
            Ok(heads) => {
                for (recipe, head, faults) in heads {
                    // A head with a mistake still has its name, so that others that need it are not blamed too.
                    index.faults.extend(faults);
                    add(&mut index, &recipe, head);
                }
            }
            Err(fault) => index.faults.push(fault),
        }
    }
    clashes(&mut index);
    index
}

fn heads(vm: &Vm, source: &Source) -> Result<Vec<(Recipe, Head, Vec<Fault>)>, Fault> {
    let path_name = recipe_name(&source.path)?;
    let (file, value) = load(vm, source)?;
    let texts = &vm.body.texts;
    let recipes = head::recipes(texts, file, &path_name, &value)?;
    let runs = scan::runs(&source.text);
    let ranges: Vec<_> = recipes.iter().map(functions_of).collect();
    // A name in none of the recipes' functions may be meant by any: it stands in a local function.
    let within =
        |i: usize, line: usize| ranges[i].iter().any(|(from, to)| (*from..=*to).contains(&line));
    let owners: Vec<Vec<usize>> = runs
        .iter()
        .map(|run| (0..ranges.len()).filter(|i| within(*i, run.line)).collect())
        .collect();
    let mut heads = Vec::new();
    for (i, recipe) in recipes.iter().enumerate() {
        let (mut head, faults) = head::read(texts, &source.shown, source.embedded, recipe, &vm.lua);
        let mine = runs.iter().zip(&owners).filter(|(_, of)| of.is_empty() || of.contains(&i));
        let group = head::group(recipe);
        head.runs = mine.map(|(run, _)| head::full(&run.name, group.as_deref())).collect();
        head.runs.sort_unstable();
        head.runs.dedup();
        heads.push((recipe.clone(), head, faults));
    }
    Ok(heads)
}

/// The lines of a recipe's functions.
fn functions_of(recipe: &Recipe) -> Vec<(usize, usize)> {
    head::FUNCTIONS
        .iter()
        .filter_map(|key| match recipe.fields.get(key) {
            Value::Function(function) => {
                let info = function.info();
                Some((info.line_defined?, info.last_line_defined?))
            }
            _ => None,
        })
        .collect()
}

/// Loads a file; a mistake in it is one of the file.
pub(super) fn load(vm: &Vm, source: &Source) -> Result<(usize, Value), Fault> {
    vm.load(source).map_err(|raised| match raised::end(raised) {
        ops_core::machine::Failure::Fault(mut fault)
        | ops_core::machine::Failure::Call(_, mut fault) => {
            if matches!(fault.code, Code::LUA | Code::FAILED) {
                fault.code = Code::RECIPE_LOAD;
            }
            if fault.place.is_none() {
                fault.details.push(format!("in {}", source.shown));
            }
            *fault
        }
        ops_core::machine::Failure::Stopped(stop) => *stop.fault,
    })
}

fn add(index: &mut Index, recipe: &Recipe, head: Head) {
    let name = head.name.clone();
    let place = |head: &Head| ops_core::error::Place {
        file: head.file.clone(),
        line: head.line,
        column: 0,
        length: 0,
        text: None,
    };
    let known = index.catalog.get(&name).filter(|head| head.name == name);
    let fault = match (recipe.form == Form::Override, known) {
        (true, None) => {
            let names: Vec<&str> = index.catalog.names().collect();
            Fault::new(Code::RECIPE_UNKNOWN, format!("there is no recipe `{name}` to override"))
                .help("a recipe of its own begins with `ops.recipe`")
                .did_you_mean(&name, names)
        }
        (false, Some(other)) => {
            Fault::new(Code::RECIPE_CLASH, format!("there is already a recipe `{name}`"))
                .detail(format!("in {}:{}", other.file, other.line))
                .help("`ops.override { … }` takes its place, and keeps what it does not give")
        }
        (true, Some(base)) => {
            let merged = head::merge(base, head);
            index.catalog.insert(merged);
            return;
        }
        (false, None) => {
            index.catalog.insert(head);
            return;
        }
    };
    index.faults.push(fault.at(place(&head)));
}

/// Names that aliases take twice.
fn clashes(index: &mut Index) {
    let mut faults = Vec::new();
    for head in index.catalog.heads() {
        let name = &head.name;
        for alias in &head.aliases {
            let recipe = index.catalog.get(alias).filter(|other| other.name == *alias);
            let other = match recipe {
                Some(other) => Some(other.name.as_str()),
                None => index.catalog.alias(alias).filter(|first| first != name),
            };
            if let Some(other) = other {
                let title = format!("`{alias}` of `{name}` is already a name of `{other}`");
                let place = ops_core::error::Place {
                    file: head.file.clone(),
                    line: head.line,
                    column: 0,
                    length: 0,
                    text: None,
                };
                faults.push(Fault::new(Code::RECIPE_CLASH, title).at(place));
            }
        }
    }
    index.faults.extend(faults);
}
