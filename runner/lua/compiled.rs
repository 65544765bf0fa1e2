//! Functions of recipes that stand alone, compiled once in a process: the second body of a file need not load the whole file again.
//!
//! A function stands alone when it refers to nothing of its file but the names that every file has. What is kept was compiled here, by this
//! process, from a source that was loaded before: bytecode from elsewhere never reaches a VM.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mlua::{Function, Value};

use super::head::{FUNCTIONS, Recipe};

/// The functions of one recipe.
pub(super) type Functions = Vec<Code>;

/// A compiled function.
#[derive(Debug)]
pub(super) struct Code {
    /// Its key in the recipe's table.
    pub(super) key: &'static str,
    /// It refers to the names that every file has.
    pub(super) names: bool,
    pub(super) bytes: Vec<u8>,
}

/// What is known of a file.
#[derive(Debug)]
enum File {
    /// One body has loaded it: a recipe that runs alone is not worth compiling twice.
    Loaded,
    /// Its recipes that stand alone.
    Compiled(BTreeMap<String, Arc<Functions>>),
}

/// The files that bodies of this process have loaded, by their shown names.
#[derive(Debug, Default)]
pub(super) struct Compiled(Mutex<BTreeMap<String, File>>);

impl Compiled {
    /// The functions of a recipe, where they have been kept.
    pub(super) fn get(&self, file: &str, recipe: &str) -> Option<Arc<Functions>> {
        match self.files().get(file) {
            Some(File::Compiled(recipes)) => recipes.get(recipe).cloned(),
            _ => None,
        }
    }

    /// Whether the next one to load this file should hand its recipes to [`Compiled::keep`].
    pub(super) fn wants(&self, file: &str) -> bool {
        let mut files = self.files();
        match files.get(file) {
            None => {
                files.insert(file.to_owned(), File::Loaded);
                false
            }
            Some(File::Loaded) => true,
            Some(File::Compiled(_)) => false,
        }
    }

    /// Takes up what stands alone of a file's recipes.
    pub(super) fn keep(&self, file: &str, text: &str, recipes: &[Recipe]) {
        // A file that makes an environment of its own is left alone.
        let own_names = text.contains("_ENV");
        let mut compiled = BTreeMap::new();
        for recipe in recipes.iter().filter(|_| !own_names) {
            let functions = FUNCTIONS.iter().filter_map(|key| match recipe.fields.get(key) {
                Value::Function(function) => Some((*key, function)),
                _ => None,
            });
            let code = |(key, function): (&'static str, Function)| {
                let names = match function.info().num_upvalues {
                    0 => false,
                    1 if function.environment().is_some() => true,
                    _ => return None,
                };
                Some(Code { key, names, bytes: function.dump(false) })
            };
            if let Some(functions) = functions.map(code).collect::<Option<Functions>>() {
                compiled.insert(recipe.name.clone(), Arc::new(functions));
            }
        }
        self.files().insert(file.to_owned(), File::Compiled(compiled));
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<String, File>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
