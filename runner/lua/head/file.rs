//! The recipes that a file declares: their tables, named by its path. Reads no head.

use std::collections::BTreeSet;
use std::rc::Rc;

use mlua::{Table, Value};
use ops_core::error::{Code, Fault};

use super::fields::{Defaults, Fields};
use super::{put, scan};
use crate::lua::declare::{Declared, Form};
use crate::lua::place::{Line, Texts};

/// A recipe of a file: its tables and its name.
#[derive(Clone, Debug)]
pub(in crate::lua) struct Recipe {
    pub(in crate::lua) name: String,
    pub(in crate::lua) form: Form,
    pub(in crate::lua) fields: Fields,
}

/// The recipes that a file declares, named by its path.
///
/// # Errors
/// What is wrong with the file as a whole.
pub(in crate::lua) fn recipes(
    texts: &Texts,
    file: usize,
    path_name: &str,
    value: &Value,
) -> Result<Vec<Recipe>, Fault> {
    let whole = |fault: Fault| put(fault, texts.at(Line { file, line: 1 }));
    let declared = match value {
        Value::UserData(data) => data.borrow::<Declared>().ok().map(|d| d.clone()),
        _ => None,
    };
    let Some(declared) = declared else {
        return Err(whole(
            Fault::new(Code::RECIPE_SHAPE, "the file returns no recipe")
                .label("expected `return ops.recipe { … }`"),
        ));
    };
    let line = declared.line;
    if declared.form != Form::Several {
        let fields = Fields::new(&declared.table, None, line);
        if let Some(place) = fields.place(texts, "name") {
            return Err(put(
                Fault::new(Code::RECIPE_KEY, "`name`: a single recipe is named by its file"),
                Some(place),
            ));
        }
        return Ok(vec![Recipe { name: path_name.to_owned(), form: declared.form, fields }]);
    }
    let list = declared.table;
    let defaults = Rc::new(Defaults::new(list.clone()));
    let lines = scan::names(&texts.text(file));
    let mut taken = BTreeSet::new();
    let mut recipes: Vec<Recipe> = Vec::new();
    for i in 1..=list.raw_len() {
        let Ok(Value::Table(own)) = list.raw_get::<Value>(i) else {
            return Err(whole(Fault::new(
                Code::RECIPE_SHAPE,
                format!("entry {i} of `ops.recipes` is no table"),
            )));
        };
        let named = own.raw_get::<Option<String>>("name").ok().flatten();
        let Some(short) = named.filter(|name| !name.is_empty() && !name.contains(':')) else {
            return Err(whole(
                Fault::new(Code::RECIPE_KEY, format!("entry {i} of `ops.recipes` has no name"))
                    .label("`name = \"suspend\"`, without a group"),
            ));
        };
        let at =
            line.map(|line| Line { line: lines.get(&short).copied().unwrap_or(line.line), ..line });
        let name = full_name(path_name, &short);
        if !taken.insert(name.clone()) {
            let fault = Fault::new(Code::RECIPE_CLASH, format!("two recipes are named `{name}`"));
            return Err(put(fault, at.and_then(|at| texts.key(at, "name"))));
        }
        let fields = Fields::new(&own, Some(defaults.clone()), at);
        recipes.push(Recipe { name, form: Form::Several, fields });
    }
    if recipes.is_empty() {
        return Err(whole(Fault::new(Code::RECIPE_SHAPE, "`ops.recipes` has no recipes in it")));
    }
    Ok(recipes)
}

/// The fields of one recipe in a file that has been read before: nothing is checked again, and no line is looked for.
pub(in crate::lua) fn find(path_name: &str, value: &Value, name: &str) -> Option<Fields> {
    let Value::UserData(data) = value else { return None };
    let declared = data.borrow::<Declared>().ok()?.clone();
    if declared.form != Form::Several {
        return (path_name == name).then(|| Fields::new(&declared.table, None, declared.line));
    }
    let list = declared.table;
    let own = (1..=list.raw_len()).find_map(|i| {
        let own = list.raw_get::<Table>(i).ok()?;
        let short = own.raw_get::<Option<String>>("name").ok()??;
        (full_name(path_name, &short) == name).then_some(own)
    })?;
    Some(Fields::new(&own, Some(Rc::new(Defaults::new(list))), None))
}

/// A recipe of a file of several, by the name of its entry.
fn full_name(path_name: &str, short: &str) -> String {
    match short {
        "default" => path_name.to_owned(),
        short => format!("{path_name}:{short}"),
    }
}
