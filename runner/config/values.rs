//! Values of recipe parameters in configuration files: data with its place. Knows no recipe: names and types are checked where it is bound.

use std::collections::BTreeMap;

use ops_core::error::{Fault, Place};
use ops_core::value::{Map, Value};
use toml::Spanned;

use super::source::Source;

/// A value of a parameter that a file gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The value.
    pub value: Value,
    /// Where the parameter is named.
    pub key: Place,
    /// Where the value stands.
    pub place: Place,
}

/// The `[recipes."…"]` tables of one file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecipeSettings {
    /// The file's name as the user knows it.
    pub file: String,
    /// Parameters by recipe.
    pub recipes: BTreeMap<String, OfRecipe>,
}

/// What a file says about one recipe's parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct OfRecipe {
    /// Where the recipe is named.
    pub place: Place,
    /// Values by parameter, in Lua's spelling (`drain_timeout`).
    pub params: BTreeMap<String, Setting>,
}

impl RecipeSettings {
    /// The value for a recipe's parameter.
    pub fn get(&self, recipe: &str, param: &str) -> Option<&Setting> {
        self.recipes.get(recipe)?.params.get(param)
    }
}

/// The `recipes` table as it is decoded.
pub(crate) type RecipesToml =
    BTreeMap<Spanned<String>, BTreeMap<Spanned<String>, Spanned<toml::Value>>>;

/// Takes a decoded `recipes` table over, with places.
pub(crate) fn recipe_settings(
    source: &Source,
    table: RecipesToml,
) -> Result<RecipeSettings, Fault> {
    let mut recipes = BTreeMap::new();
    for (recipe, params) in table {
        let mut own = BTreeMap::new();
        for (name, value) in params {
            let span = value.span();
            let setting = Setting {
                value: json(value.into_inner()).map_err(|what| source.wrong(span.clone(), what))?,
                key: source.place(name.span()),
                place: source.place(span),
            };
            own.insert(name.into_inner(), setting);
        }
        let place = source.place(recipe.span());
        recipes.insert(recipe.into_inner(), OfRecipe { place, params: own });
    }
    Ok(RecipeSettings { file: source.name.clone(), recipes })
}

/// TOML data as a plain value; dates become strings.
pub(crate) fn json(value: toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::String(s) => Value::String(s),
        toml::Value::Integer(i) => i.into(),
        toml::Value::Float(f) => serde_json::Number::from_f64(f)
            .map(Value::Number)
            .ok_or_else(|| format!("{f} is no finite number"))?,
        toml::Value::Boolean(b) => b.into(),
        toml::Value::Datetime(d) => d.to_string().into(),
        toml::Value::Array(items) => {
            Value::Array(items.into_iter().map(json).collect::<Result<_, _>>()?)
        }
        toml::Value::Table(table) => Value::Object(
            table
                .into_iter()
                .map(|(key, item)| Ok((key, json(item)?)))
                .collect::<Result<Map<_, _>, String>>()?,
        ),
    })
}
