//! Every recipe by name. Those of a written catalogue are read when they are first asked for: a run needs few of many.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

use super::Head;

/// Every recipe by name; aliases resolve.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    recipes: BTreeMap<String, Entry>,
    aliases: BTreeMap<String, String>,
}

#[derive(Clone, Debug)]
enum Entry {
    Read(Box<Head>),
    Written { text: Arc<str>, at: Range<usize>, head: OnceLock<Option<Box<Head>>> },
}

impl Entry {
    fn head(&self) -> Option<&Head> {
        match self {
            Entry::Read(head) => Some(head),
            Entry::Written { text, at, head } => {
                let read = || text.get(at.clone()).and_then(|line| serde_json::from_str(line).ok());
                head.get_or_init(read).as_deref()
            }
        }
    }
}

impl Catalog {
    /// The recipe of a name or alias.
    pub fn get(&self, name: &str) -> Option<&Head> {
        let aliased = || self.recipes.get(self.aliases.get(name)?);
        self.recipes.get(name).or_else(aliased).and_then(Entry::head)
    }

    /// The names of all recipes, sorted; without aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.recipes.keys().map(String::as_str)
    }

    /// Every recipe, sorted by name.
    pub fn heads(&self) -> impl Iterator<Item = &Head> {
        self.recipes.values().filter_map(Entry::head)
    }

    /// The name that an alias stands for.
    pub fn alias(&self, alias: &str) -> Option<&str> {
        self.aliases.get(alias).map(String::as_str)
    }

    /// Adds a recipe, or replaces the one of its name. An alias that is taken stays with who has it.
    pub fn insert(&mut self, head: Head) {
        if self.recipes.contains_key(&head.name) {
            // Those of the replaced one: what still holds is among its own.
            self.aliases.retain(|_, recipe| *recipe != head.name);
        }
        for alias in &head.aliases {
            self.aliases.entry(alias.clone()).or_insert_with(|| head.name.clone());
        }
        self.recipes.insert(head.name.clone(), Entry::Read(Box::new(head)));
    }

    /// A line per recipe, and one of the aliases before them: what [`Catalog::from_text`] reads. Fields with their default value are left out.
    pub fn to_text(&self) -> String {
        let default = fields(&Head::default());
        let mut text = Value::from_iter(self.aliases.clone()).to_string();
        for head in self.heads() {
            let mut own = fields(head);
            own.retain(|key, value| default.get(key) != Some(value));
            text.push('\n');
            text.push_str(&head.name);
            text.push('\t');
            text.push_str(&Value::Object(own).to_string());
        }
        text
    }

    /// What [`Catalog::to_text`] wrote; nothing where it is something else. Heads are not looked into.
    pub fn from_text(text: &str) -> Option<Catalog> {
        let text: Arc<str> = Arc::from(text);
        let mut lines = text.split('\n');
        let aliases = serde_json::from_str(lines.next()?).ok()?;
        let start = text.as_ptr() as usize;
        let recipes = lines
            .map(|line| {
                let (name, head) = line.split_once('\t')?;
                let from = head.as_ptr() as usize - start;
                let at = from..from + head.len();
                let written = Entry::Written { text: text.clone(), at, head: OnceLock::new() };
                Some((name.to_owned(), written))
            })
            .collect::<Option<_>>()?;
        Some(Catalog { recipes, aliases })
    }
}

impl FromIterator<Head> for Catalog {
    fn from_iter<T: IntoIterator<Item = Head>>(heads: T) -> Catalog {
        let mut catalog = Catalog::default();
        heads.into_iter().for_each(|head| catalog.insert(head));
        catalog
    }
}

fn fields(head: &Head) -> Map<String, Value> {
    match serde_json::to_value(head) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{Need, Needs, Param, ParamKind};

    fn heads() -> Vec<Head> {
        let reboot = Head {
            name: "talos:reboot".into(),
            desc: "Reboot, \"gently\"\n\tor not".into(),
            aliases: vec!["rb".into()],
            cluster: true,
            params: vec![Param {
                name: "nodes".into(),
                kind: ParamKind::Nodes { role: None },
                ..Param::default()
            }],
            needs: Needs::Static(vec![Need { recipe: "talos:health".into(), ..Need::default() }]),
            ..Head::default()
        };
        vec![reboot, Head { name: "plain".into(), needs: Needs::Dynamic, ..Head::default() }]
    }

    #[test]
    fn a_written_catalogue_reads_as_it_was() {
        let catalog: Catalog = heads().into_iter().collect();
        let read = Catalog::from_text(&catalog.to_text()).unwrap();
        assert!(read.heads().eq(catalog.heads()));
        assert!(read.names().eq(["plain", "talos:reboot"]));
        assert_eq!(read.get("rb").map(|head| &*head.name), Some("talos:reboot"));
        assert_eq!(read.get("none"), None);
        assert!(
            Catalog::from_text(&Catalog::default().to_text()).unwrap().names().next().is_none()
        );
    }

    #[test]
    fn the_aliases_of_a_recipe_go_with_it_when_it_is_replaced() {
        let mut catalog: Catalog = heads().into_iter().collect();
        catalog.insert(Head {
            name: "talos:reboot".into(),
            aliases: vec!["again".into()],
            ..Head::default()
        });
        assert!(catalog.get("again").is_some());
        assert_eq!(catalog.get("rb"), None);
    }

    #[test]
    fn a_text_that_is_no_catalogue_reads_as_nothing() {
        for text in ["", "{", "{}\nname", "[]", "{}\n"] {
            assert!(Catalog::from_text(text).is_none(), "{text:?}");
        }
    }
}
