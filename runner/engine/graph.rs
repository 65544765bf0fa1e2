//! Recipes and what they need, as a graph of steps. Pure: the catalogue in, an order out; circles are shown as a path.

use std::collections::BTreeMap;

use ops_core::error::{Code, Fault};
use ops_core::ident::Branch;
use ops_core::value::{Map, Value};

use crate::recipe::{Catalog, Head, Need, Needs};

/// Resolves the arguments of a needed recipe to all of its parameters.
pub type Bind<'a> =
    dyn Fn(&str, &Map<String, Value>) -> Result<Map<String, Value>, Box<Fault>> + 'a;

/// Answers what a recipe with these arguments needs.
pub type Ask<'a> = dyn Fn(&Head, &Map<String, Value>) -> Result<Vec<Need>, Box<Fault>> + 'a;

/// A recipe with arguments in one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its recipe.
    pub recipe: String,
    /// Its arguments, resolved.
    pub args: Map<String, Value>,
    /// Its root branch.
    pub branch: Branch,
    /// Indices of the steps that must be done before.
    pub needs: Vec<usize>,
    /// The user asked for it by name.
    pub asked: bool,
}

/// The steps of a run; each stands behind everything that it needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// The steps, needed ones first.
    pub steps: Vec<Step>,
}

impl Graph {
    /// Builds the graph of what was asked for. A recipe with the same arguments is one step.
    ///
    /// # Errors
    /// Unknown recipes, and circles, shown as the path that closes.
    pub fn build(
        catalog: &Catalog,
        asked: &[Need],
        bind: &Bind,
        ask: &Ask,
    ) -> Result<Graph, Box<Fault>> {
        let mut builder = Builder {
            catalog,
            bind,
            ask,
            graph: Graph::default(),
            index: BTreeMap::new(),
            way: Vec::new(),
        };
        for need in asked {
            let step = builder.add(need)?;
            builder.graph.steps[step].asked = true;
        }
        Ok(builder.graph)
    }
}

struct Builder<'a> {
    catalog: &'a Catalog,
    bind: &'a Bind<'a>,
    ask: &'a Ask<'a>,
    graph: Graph,
    index: BTreeMap<Branch, usize>,
    way: Vec<String>,
}

impl Builder<'_> {
    fn add(&mut self, need: &Need) -> Result<usize, Box<Fault>> {
        let Some(head) = self.catalog.get(&need.recipe) else {
            let known = self.catalog.names();
            let mut fault =
                Fault::new(Code::RECIPE_UNKNOWN, format!("there is no recipe `{}`", need.recipe))
                    .did_you_mean(&need.recipe, known)
                    .next("ops list");
            if let Some(by) = self.way.last() {
                fault = fault.detail(format!("{by} needs it"));
            }
            return Err(Box::new(fault));
        };
        let args = (self.bind)(&head.name, &need.args)?;
        let branch = Branch::step(&head.name, &Value::Object(args.clone()));
        if let Some(known) = self.index.get(&branch) {
            return Ok(*known);
        }
        if self.way.contains(&head.name) {
            let circle = self.way.iter().skip_while(|name| **name != head.name);
            let path: Vec<&str> = circle.map(String::as_str).chain([head.name.as_str()]).collect();
            return Err(Box::new(
                Fault::new(Code::RECIPE_CYCLE, "recipes need one another in a circle")
                    .detail(path.join(" → ")),
            ));
        }
        let needed = (self.ask)(head, &args)?;
        self.way.push(head.name.clone());
        let mut needs = Vec::new();
        for need in &needed {
            let step = self.add(&Need {
                recipe: full_name(&head.name, &need.recipe),
                args: need.args.clone(),
            })?;
            if !needs.contains(&step) {
                needs.push(step);
            }
        }
        self.way.pop();
        let at = self.graph.steps.len();
        self.index.insert(branch.clone(), at);
        self.graph.steps.push(Step {
            recipe: head.name.clone(),
            args,
            branch,
            needs,
            asked: false,
        });
        Ok(at)
    }
}

/// Whether a recipe, or one that it needs, consists of or runs, may destroy. What a `needs` function names is not seen here: its recipe must
/// say so itself.
pub fn reaches_destroy(catalog: &Catalog, recipe: &str) -> bool {
    fn reaches(catalog: &Catalog, recipe: &str, seen: &mut Vec<String>) -> bool {
        let Some(head) = catalog.get(recipe) else { return false };
        if head.destructive {
            return true;
        }
        if seen.contains(&head.name) {
            return false;
        }
        seen.push(head.name.clone());
        let needed: &[Need] = match &head.needs {
            Needs::Static(needs) => needs,
            Needs::Dynamic => &[],
        };
        let others = needed.iter().chain(&head.stages).map(|n| n.recipe.as_str());
        others
            .chain(head.runs.iter().map(String::as_str))
            .any(|name| reaches(catalog, &full_name(&head.name, name), seen))
    }
    reaches(catalog, recipe, &mut Vec::new())
}

/// A name without `:` is of the same group.
pub fn full_name(of: &str, name: &str) -> String {
    match (name.contains(':'), of.rsplit_once(':')) {
        (false, Some((group, _))) => format!("{group}:{name}"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(edges: &[(&str, &[&str])]) -> Catalog {
        edges
            .iter()
            .map(|(name, needs)| {
                let needs =
                    needs.iter().map(|n| Need { recipe: (*n).into(), args: Map::new() }).collect();
                Head { name: (*name).into(), needs: Needs::Static(needs), ..Head::default() }
            })
            .collect()
    }

    fn build(catalog: &Catalog, asked: &[&str]) -> Result<Vec<String>, Box<Fault>> {
        let asked: Vec<Need> =
            asked.iter().map(|n| Need { recipe: (*n).into(), args: Map::new() }).collect();
        let ask: &Ask<'_> = &|head, _| match &head.needs {
            Needs::Static(needs) => Ok(needs.clone()),
            Needs::Dynamic => Ok(Vec::new()),
        };
        Graph::build(catalog, &asked, &|_, args| Ok(args.clone()), ask)
            .map(|g| g.steps.into_iter().map(|s| s.recipe).collect())
    }

    #[test]
    fn what_is_needed_stands_first_and_once() {
        let catalog = catalog(&[
            ("a:all", &["left", "right"]),
            ("a:left", &["base"]),
            ("a:right", &["base"]),
            ("a:base", &[]),
        ]);
        assert_eq!(build(&catalog, &["a:all"]).unwrap(), ["a:base", "a:left", "a:right", "a:all"]);
    }

    #[test]
    fn a_circle_is_shown_as_the_path_that_closes() {
        let catalog = catalog(&[("a:x", &["y"]), ("a:y", &["z"]), ("a:z", &["y"])]);
        let fault = build(&catalog, &["a:x"]).unwrap_err();
        assert_eq!(fault.details, ["a:y → a:z → a:y"]);
    }

    #[test]
    fn an_unknown_need_names_who_needs_it_and_what_was_meant() {
        let catalog = catalog(&[("a:x", &["bsae"]), ("a:base", &[])]);
        let fault = build(&catalog, &["a:x"]).unwrap_err();
        assert_eq!(fault.help, ["did you mean `a:base`?"]);
        assert_eq!(fault.details, ["a:x needs it"]);
    }
}
