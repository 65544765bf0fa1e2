//! Every recipe by name. Those of a written catalogue are read when they are first asked for: a run needs few of many.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

use super::Head;

/// Every recipe by name; aliases resolve.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    recipes: BTreeMap<String, Box<Head>>,
    /// Those of a written catalogue, sorted by name, as long as none was added to them; else there are none.
    written: Vec<Written>,
    /// What they lie in.
    text: Arc<str>,
    aliases: BTreeMap<String, String>,
}

/// A line of a written catalogue: a name, a tab, a head.
#[derive(Clone, Debug)]
struct Written {
    start: usize,
    tab: usize,
    end: usize,
    head: OnceLock<Option<Box<Head>>>,
}

impl Written {
    fn name<'a>(&self, text: &'a str) -> &'a str {
        &text[self.start..self.tab]
    }

    fn head(&self, text: &str) -> Option<&Head> {
        let read = || serde_json::from_str(&text[self.tab + 1..self.end]).ok();
        self.head.get_or_init(read).as_deref()
    }
}

impl Catalog {
    /// The recipe of a name or alias.
    pub fn get(&self, name: &str) -> Option<&Head> {
        self.own(name).or_else(|| self.own(self.aliases.get(name)?))
    }

    fn own(&self, name: &str) -> Option<&Head> {
        let written = || {
            let at = self.written.binary_search_by(|line| line.name(&self.text).cmp(name)).ok()?;
            self.written[at].head(&self.text)
        };
        self.recipes.get(name).map(|head| &**head).or_else(written)
    }

    /// The names of all recipes, sorted; without aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let written = self.written.iter().map(|line| line.name(&self.text));
        self.recipes.keys().map(String::as_str).chain(written)
    }

    /// Every recipe, sorted by name.
    pub fn heads(&self) -> impl Iterator<Item = &Head> {
        let written = self.written.iter().filter_map(|line| line.head(&self.text));
        self.recipes.values().map(|head| &**head).chain(written)
    }

    /// The name that an alias stands for.
    pub fn alias(&self, alias: &str) -> Option<&str> {
        self.aliases.get(alias).map(String::as_str)
    }

    /// Adds a recipe, or replaces the one of its name. An alias that is taken stays with who has it.
    pub fn insert(&mut self, head: Head) {
        for line in std::mem::take(&mut self.written) {
            if let Some(head) = line.head(&self.text) {
                self.recipes.insert(head.name.clone(), Box::new(head.clone()));
            }
        }
        if self.recipes.contains_key(&head.name) {
            // Those of the replaced one: what still holds is among its own.
            self.aliases.retain(|_, recipe| *recipe != head.name);
        }
        for alias in &head.aliases {
            self.aliases.entry(alias.clone()).or_insert_with(|| head.name.clone());
        }
        self.recipes.insert(head.name.clone(), Box::new(head));
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
        let first = text.split('\n').next()?;
        let aliases = serde_json::from_str(first).ok()?;
        let mut written: Vec<Written> = Vec::new();
        let mut start = first.len() + 1;
        while start <= text.len() {
            let end = text[start..].find('\n').map_or(text.len(), |length| start + length);
            let tab = start + text[start..end].find('\t')?;
            let line = Written { start, tab, end, head: OnceLock::new() };
            if written.last().is_some_and(|last| last.name(text) >= line.name(text)) {
                return None;
            }
            written.push(line);
            start = end + 1;
        }
        Some(Catalog { recipes: BTreeMap::new(), written, text: Arc::from(text), aliases })
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
    fn a_recipe_added_to_a_written_catalogue_stands_among_its_own() {
        let written: Catalog = heads().into_iter().collect();
        let mut read = Catalog::from_text(&written.to_text()).unwrap();
        read.insert(Head { name: "q".into(), ..Head::default() });
        read.insert(Head { name: "plain".into(), desc: "another".into(), ..Head::default() });
        assert!(read.names().eq(["plain", "q", "talos:reboot"]));
        assert_eq!(read.get("plain").map(|head| &*head.desc), Some("another"));
    }

    #[test]
    fn a_text_that_is_no_catalogue_reads_as_nothing() {
        for text in ["", "{", "{}\nname", "[]", "{}\n", "{}\nb\t{}\na\t{}", "{}\na\t{}\na\t{}"] {
            assert!(Catalog::from_text(text).is_none(), "{text:?}");
        }
    }
}
