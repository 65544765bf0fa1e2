//! Configs and patches out of a tape of numbers, over the real document kinds
//! of the reflected table. A shorter tape of smaller numbers gives a smaller
//! case, so that proptest shrinks well.

use serde_json::Value as Table;

use crate::scalars::{BOOLS, INTS, KEYS, ODD, STRINGS, texts};
use crate::write::{Node, document};

pub(crate) struct Case {
    pub(crate) config: String,
    pub(crate) patches: Vec<String>,
}

pub(crate) struct Generator<'t> {
    table: &'t Table,
    tape: &'t [u16],
    at: usize,
    /// One value in this many is an odd one; 0 for none.
    odd: usize,
}

/// Keys, and indices as `[0]`.
type Path = Vec<String>;

impl<'t> Generator<'t> {
    pub(crate) fn new(table: &'t Table, tape: &'t [u16]) -> Generator<'t> {
        Generator { table, tape, at: 0, odd: 0 }
    }

    pub(crate) fn case(mut self) -> Case {
        self.odd = [0, 0, 0, 40, 12][self.pick(5)];
        let mut documents = vec![self.legacy(0)];
        if self.pick(12) == 11 {
            documents.clear();
        }
        for _ in 0..self.pick(3) + usize::from(documents.is_empty()) {
            let kind = self.kind();
            documents.push(self.kinded(&kind));
        }
        let mut patches = Vec::new();
        for _ in 0..=self.pick(3).min(1) {
            let patch = match self.pick(8) {
                7 if documents.len() == 1 => self.operations(&documents[0]),
                6 => self.deletion(&documents),
                _ => self.strategic(&documents),
            };
            patches.push(patch);
        }
        let config = self.write(&documents);
        Case { config, patches }
    }

    fn pick(&mut self, below: usize) -> usize {
        let number = self.tape.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        usize::from(number) % below
    }

    fn odd(&mut self) -> bool {
        self.odd > 0 && self.pick(self.odd) == self.odd - 1
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.pick(of.len())].clone()
    }

    fn write(&mut self, documents: &[Node]) -> String {
        let texts: Vec<String> =
            documents.iter().map(|node| document(node, &mut |below| self.pick(below))).collect();
        texts.join("---\n")
    }

    fn kind(&mut self) -> String {
        let kinds = self.table["documents"].as_array().unwrap();
        let at = 1 + self.pick(kinds.len() - 1);
        kinds[at]["kind"].as_str().unwrap().to_owned()
    }

    fn type_of(&self, kind: &str) -> String {
        let documents = self.table["documents"].as_array().unwrap();
        let document = documents.iter().find(|document| document["kind"] == kind).unwrap();
        document["type"].as_str().unwrap().to_owned()
    }

    fn legacy(&mut self, depth: usize) -> Node {
        let Node::Map(mut pairs) = self.value(&self.type_of(""), depth) else { unreachable!() };
        pairs.retain(|(key, _)| key != "version");
        pairs.insert(0, ("version".to_owned(), Node::Bare("v1alpha1".to_owned())));
        if !pairs.iter().any(|(key, _)| matches!(key.as_str(), "machine" | "cluster")) {
            pairs.push(("machine".to_owned(), Node::Map(Vec::new())));
        }
        Node::Map(pairs)
    }

    fn kinded(&mut self, kind: &str) -> Node {
        let Node::Map(mut pairs) = self.value(&self.type_of(kind), 0) else { unreachable!() };
        pairs.retain(|(key, _)| !matches!(key.as_str(), "kind" | "apiVersion" | "name"));
        let mut head = vec![
            ("apiVersion".to_owned(), Node::Bare("v1alpha1".to_owned())),
            ("kind".to_owned(), Node::Bare(kind.to_owned())),
        ];
        let documents = self.table["documents"].as_array().unwrap();
        let document = documents.iter().find(|document| document["kind"] == kind).unwrap();
        if document["name_field"].is_string() {
            let name = self.one(&["a", "b", "bond0"]);
            head.push(("name".to_owned(), Node::Bare(name.to_owned())));
        }
        head.extend(pairs);
        Node::Map(head)
    }

    fn strategic(&mut self, config: &[Node]) -> String {
        let mut documents = Vec::new();
        for _ in 0..=self.pick(2) {
            let target = self.pick(config.len() + 1);
            let next = if let Some(Node::Map(pairs)) = config.get(target) {
                if let Some((_, Node::Bare(kind))) = pairs.iter().find(|(key, _)| key == "kind") {
                    let mut node = self.kinded(&kind.clone());
                    rename(&mut node, pairs);
                    node
                } else {
                    self.legacy(0)
                }
            } else {
                let kind = self.kind();
                self.kinded(&kind)
            };
            documents.push(next);
        }
        if self.pick(6) == 5 {
            let at = self.pick(documents.len());
            let path = self.path(&documents[at]);
            delete(&mut documents[at], &path, self.pick(3));
        }
        self.write(&documents)
    }

    /// A patch that is a part of the config with something deleted.
    fn deletion(&mut self, config: &[Node]) -> String {
        let mut node = self.one(config);
        let path = self.path(&node);
        prune(&mut node, &path);
        delete(&mut node, &path, self.pick(3));
        self.write(&[node])
    }

    fn operations(&mut self, config: &Node) -> String {
        let mut operations = Vec::new();
        for _ in 0..=self.pick(3) {
            let mut members = vec![(
                "op".to_owned(),
                Node::Bare(
                    self.one(&["add", "replace", "remove", "test", "copy", "move"]).to_owned(),
                ),
            )];
            for key in ["path", "from"] {
                let mut steps = self.path(config);
                if self.pick(3) == 2 {
                    let new = self.one(&["-", "0", "x", "-1", "a~1b", "1"]).to_owned();
                    match self.pick(2) {
                        0 => steps.push(new),
                        _ => *steps.last_mut().unwrap() = new,
                    }
                }
                let escape = |step: &String| {
                    let step = step.trim_start_matches('[').trim_end_matches(']');
                    if step == "a~1b" {
                        step.to_owned()
                    } else {
                        step.replace('~', "~0").replace('/', "~1")
                    }
                };
                let pointer: Vec<String> = steps.iter().map(escape).collect();
                members.push((key.to_owned(), Node::Text(format!("/{}", pointer.join("/")))));
            }
            if self.pick(5) < 4 {
                let value = match self.pick(3) {
                    0 => lookup(config, &self.path(config)),
                    _ => self.free(1),
                };
                members.push(("value".to_owned(), value));
            }
            operations.push(Node::Map(members));
        }
        let list = Node::List(operations);
        document(&list, &mut |below| self.pick(below))
    }

    fn path(&mut self, node: &Node) -> Path {
        let mut path = Vec::new();
        let mut node = node;
        loop {
            match node {
                Node::Map(pairs) if !pairs.is_empty() => {
                    let (key, value) = &pairs[self.pick(pairs.len())];
                    path.push(key.clone());
                    node = value;
                }
                Node::List(items) if !items.is_empty() => {
                    let at = self.pick(items.len());
                    path.push(format!("[{at}]"));
                    node = &items[at];
                }
                _ => break,
            }
            if self.pick(4) == 3 {
                break;
            }
        }
        if path.is_empty() {
            path.push("x".to_owned());
        }
        path
    }

    fn value(&mut self, type_name: &str, depth: usize) -> Node {
        if depth > 0 && self.odd() {
            return Node::Bare(self.one(ODD).to_owned());
        }
        if let Some(pool) = texts(type_name) {
            // Wrong spellings stand last.
            let below = if self.odd > 0 { pool.len() } else { pool.len().div_ceil(2) };
            return Node::Bare(pool[self.pick(below)].to_owned());
        }
        let entry = self.table["types"][type_name].clone();
        if let Some(names) = entry["names"].as_array() {
            let name = names[self.pick(names.len())]["text"].as_str().unwrap().to_owned();
            return Node::Text(if self.odd() { name.to_uppercase() } else { name });
        }
        match (type_name, entry["kind"].as_str().unwrap()) {
            ("v1alpha1.ArgValue" | "meta.ArgValue", _) => match self.pick(4) {
                3 => Node::List((0..self.pick(3)).map(|_| self.string()).collect()),
                _ => self.string(),
            },
            (_, "ptr") => self.value(entry["elem"].as_str().unwrap(), depth),
            (_, "bool") => Node::Bare(self.one(BOOLS).to_owned()),
            (_, "string") => self.string(),
            (_, "slice") if type_name.starts_with("[]uint8") => {
                Node::Bare(self.one(texts("x509").unwrap()).to_owned())
            }
            (_, "slice") => {
                let elem = entry["elem"].as_str().unwrap();
                let count = self.pick(4).min(3);
                Node::List((0..count).map(|_| self.value(elem, depth + 1)).collect())
            }
            (_, "map") => {
                let elem = entry["elem"].as_str().unwrap();
                let mut pairs = Vec::new();
                for _ in 0..self.pick(4) {
                    let key = self.one(KEYS).to_owned();
                    let value = self.value(elem, depth + 1);
                    pairs.retain(|(known, _)| *known != key);
                    pairs.push((key, value));
                }
                Node::Map(pairs)
            }
            (_, "interface") => self.free(depth),
            (_, "struct") => self.structure(type_name, depth),
            _ => Node::Bare(self.one(INTS).to_owned()),
        }
    }

    fn structure(&mut self, type_name: &str, depth: usize) -> Node {
        let fields =
            self.table["types"][type_name]["fields"].as_array().cloned().unwrap_or_default();
        let mut pairs = Vec::new();
        // Deep or wide structs take fewer of their fields.
        let sparse = 2 + depth.min(3) + fields.len() / 8;
        for field in fields {
            let field_type = field["type"].as_str().unwrap();
            if field["inline"] == true {
                if let Node::Map(inner) = self.value(field_type, depth) {
                    pairs.extend(inner);
                }
                continue;
            }
            if field["private"] == true || self.pick(sparse) != sparse - 1 {
                continue;
            }
            let key = match field["key"].as_str() {
                Some(key) if !key.is_empty() => key.to_owned(),
                _ => field["go"].as_str().unwrap().to_lowercase(),
            };
            let value = if type_name.starts_with("x509.") {
                Node::Bare(self.one(texts("x509").unwrap()).to_owned())
            } else {
                self.value(field_type, depth + 1)
            };
            pairs.push((key, value));
        }
        if self.odd() {
            pairs.push(("noSuchKey".to_owned(), Node::Bare("1".to_owned())));
        }
        Node::Map(pairs)
    }

    fn string(&mut self) -> Node {
        let below = if self.pick(3) == 2 { STRINGS.len() } else { 7 };
        Node::Text(STRINGS[self.pick(below)].to_owned())
    }

    /// A free-form value.
    fn free(&mut self, depth: usize) -> Node {
        let kinds = if depth > 4 { 4 } else { 6 };
        match self.pick(kinds) {
            0 => Node::Bare(self.one(INTS).to_owned()),
            1 => self.string(),
            2 => {
                Node::Bare(self.one(&["true", "false", "yes", "1.5", "1e20", "0.00001"]).to_owned())
            }
            3 if self.odd > 0 => Node::Bare(self.one(ODD).to_owned()),
            3 => Node::Bare("null".to_owned()),
            4 => Node::List((0..self.pick(3)).map(|_| self.free(depth + 1)).collect()),
            _ => {
                let mut pairs: Vec<(String, Node)> = Vec::new();
                for _ in 0..self.pick(4) {
                    let key = self.one(KEYS).to_owned();
                    pairs.retain(|(known, _)| *known != key);
                    let value = self.free(depth + 1);
                    pairs.push((key, value));
                }
                Node::Map(pairs)
            }
        }
    }
}

fn rename(node: &mut Node, like: &[(String, Node)]) {
    let Some((_, name)) = like.iter().find(|(key, _)| key == "name") else { return };
    let Node::Map(pairs) = node else { return };
    for (key, value) in pairs {
        if key == "name" {
            *value = name.clone();
        }
    }
}

fn lookup(node: &Node, path: &[String]) -> Node {
    let Some((first, rest)) = path.split_first() else { return node.clone() };
    match node {
        Node::Map(pairs) => pairs
            .iter()
            .find(|(key, _)| key == first)
            .map_or(Node::Bare("1".to_owned()), |(_, value)| lookup(value, rest)),
        Node::List(items) => first
            .trim_matches(['[', ']'])
            .parse::<usize>()
            .ok()
            .and_then(|at| items.get(at))
            .map_or(Node::Bare("1".to_owned()), |item| lookup(item, rest)),
        other => other.clone(),
    }
}

/// Leaves of a document only what leads to a path, and what names it.
fn prune(node: &mut Node, path: &[String]) {
    let Some((first, rest)) = path.split_first() else { return };
    match node {
        Node::Map(pairs) => {
            pairs.retain(|(key, _)| {
                key == first || matches!(key.as_str(), "apiVersion" | "kind" | "name")
            });
            for (key, value) in pairs {
                if key == first {
                    prune(value, rest);
                }
            }
        }
        Node::List(items) => {
            if let Ok(at) = first.trim_matches(['[', ']']).parse::<usize>() {
                *items = items.get(at).cloned().into_iter().collect();
                if let Some(item) = items.first_mut() {
                    prune(item, rest);
                }
            }
        }
        _ => {}
    }
}

/// Puts a deletion at a path; `how` decides whether something stays beside it.
fn delete(node: &mut Node, path: &[String], how: usize) {
    let directive = ("$patch".to_owned(), Node::Bare("delete".to_owned()));
    if path.is_empty() {
        match (node, how) {
            (Node::Map(pairs), 0) => pairs.push(directive),
            (Node::Map(pairs), 1) => pairs.insert(0, directive),
            (node, _) => *node = Node::Map(vec![directive]),
        }
        return;
    }
    match node {
        Node::Map(pairs) => {
            for (key, value) in pairs {
                if *key == path[0] {
                    delete(value, &path[1..], how);
                }
            }
        }
        Node::List(items) => {
            if let Some(item) = items.first_mut() {
                delete(item, &path[1..], how);
            }
        }
        _ => {}
    }
}
