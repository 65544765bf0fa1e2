//! Which files, folders and addresses a kustomization names, each with its
//! place. It knows the fields of `kustomization.yaml`; it opens nothing.

use std::rc::Rc;

use crate::diagnostic::{Code, Diagnostic, Mark};
use crate::yaml::node::{Data, Node};
use crate::yaml::read::{Source, read};

/// Names under which kustomize finds the file of a folder, in its order.
pub const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// What a field's entries name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file, a folder with a kustomization of its own, or an address.
    Tree,
    /// A file or a folder whose objects are instructions: they may name files in turn.
    Plugin,
    /// A file, or an address of one.
    File,
    /// A chart, which helm would fetch.
    Chart,
}

/// One thing that a kustomization names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The field it stands in, such as `resources`.
    pub field: &'static str,
    /// What kind of thing that is.
    pub kind: Kind,
    /// As it is written.
    pub target: String,
    /// Where it stands.
    pub mark: Mark,
}

impl Reference {
    /// Whether it lies on another machine by the way it is written.
    pub fn is_remote(&self) -> bool {
        is_remote(&self.target)
    }
}

/// Whether kustomize would fetch this from another machine: a URL, or a Git
/// repository in one of its short forms.
pub fn is_remote(target: &str) -> bool {
    const STARTS: [&str; 6] = ["git::", "gh:", "git@", "github.com/", "github.com:", "file:"];
    let target = target.trim().to_ascii_lowercase();
    let copied = target.split_once('@').is_some_and(|(user, rest)| {
        rest.contains(':') && !user.is_empty() && user.chars().all(|c| c.is_ascii_alphanumeric())
    });
    target.contains("://") || copied || STARTS.iter().any(|start| target.starts_with(start))
}

const TREES: [&str; 3] = ["resources", "bases", "components"];
const PLUGINS: [&str; 3] = ["generators", "transformers", "validators"];
const FILES: [&str; 3] = ["crds", "configurations", "patchesStrategicMerge"];
const PATHS: [&str; 3] = ["patches", "patchesJson6902", "replacements"];
const GENERATORS: [&str; 2] = ["configMapGenerator", "secretGenerator"];
const CHARTS: [&str; 2] = ["helmCharts", "helmChartInflationGenerator"];

/// Everything that a kustomization names, in the order of the file.
///
/// # Errors
/// A file that is no YAML, or no single mapping.
pub fn references(source: Source<'_>) -> Result<Vec<Reference>, Diagnostic> {
    let documents = read(source)?;
    let wrong = |mark: Mark, message: &str| {
        Diagnostic::new(Code::WRONG_TYPE, source.name, mark, message.to_owned())
    };
    let mut found = Vec::new();
    match documents.as_slice() {
        [] => {}
        [one] => match &one.resolved().data {
            Data::Mapping(pairs) => pairs.iter().for_each(|pair| field(pair, &mut found)),
            Data::Scalar { text, .. } if text.is_empty() => {}
            _ => return Err(wrong(one.mark, "a kustomization is a mapping")),
        },
        [_, second, ..] => return Err(wrong(second.mark, "a kustomization is one document")),
    }
    Ok(found)
}

/// Every text of a file that is an address: what the objects of a plugin may fetch.
///
/// # Errors
/// A file that is no YAML.
pub fn addresses(source: Source<'_>) -> Result<Vec<(String, Mark)>, Diagnostic> {
    fn walk(node: &Node, found: &mut Vec<(String, Mark)>) {
        match &node.resolved().data {
            Data::Scalar { text, .. } if names_address(text) => {
                found.push((text.clone(), node.mark));
            }
            Data::Scalar { .. } | Data::Alias(_) => {}
            Data::Sequence(items) => items.iter().for_each(|item| walk(item, found)),
            Data::Mapping(pairs) => pairs.iter().for_each(|(_, value)| walk(value, found)),
        }
    }
    let mut found = Vec::new();
    read(source)?.iter().for_each(|document| walk(document, &mut found));
    Ok(found)
}

fn names_address(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("http://") || text.contains("https://")
}

fn field((key, value): &(Rc<Node>, Rc<Node>), found: &mut Vec<Reference>) {
    let key = key.resolved().text();
    let known = |names: &[&'static str]| names.iter().copied().find(|name| *name == key);
    if let Some(field) = known(&TREES) {
        texts(field, Kind::Tree, value, found);
    } else if let Some(field) = known(&PLUGINS) {
        texts(field, Kind::Plugin, value, found);
    } else if let Some(field) = known(&FILES) {
        texts(field, Kind::File, value, found);
    } else if let Some(field) = known(&PATHS) {
        for path in items(value).iter().filter_map(|item| item.resolved().get("path")) {
            add(field, Kind::File, path, found);
        }
    } else if key == "openapi" {
        if let Some(path) = value.resolved().get("path") {
            add("openapi", Kind::File, path, found);
        }
    } else if let Some(field) = known(&GENERATORS) {
        for item in items(value) {
            for part in ["files", "envs", "env"] {
                if let Some(files) = item.resolved().get(part) {
                    texts(field, Kind::File, files, found);
                }
            }
        }
    } else if let Some(field) = known(&CHARTS) {
        for item in items(value) {
            let name = ["name", "chartName"].iter().find_map(|key| item.resolved().get(key));
            let target = name.map_or("", |name| name.resolved().text()).to_owned();
            found.push(Reference { field, kind: Kind::Chart, target, mark: item.mark });
        }
    }
}

fn texts(field: &'static str, kind: Kind, value: &Rc<Node>, found: &mut Vec<Reference>) {
    for item in items(value).iter().filter(|item| item.resolved().is_scalar()) {
        add(field, kind, item, found);
    }
}

/// The entries of a list, or the one value that stands in its place.
fn items(value: &Rc<Node>) -> Vec<Rc<Node>> {
    match &value.resolved().data {
        Data::Sequence(items) => items.clone(),
        _ => vec![Rc::clone(value)],
    }
}

/// Notes a reference; `key=path` of a generator is the path.
fn add(field: &'static str, kind: Kind, node: &Rc<Node>, found: &mut Vec<Reference>) {
    let text = node.resolved().text();
    if text.is_empty() {
        return;
    }
    let target = match text.split_once('=') {
        Some((_, path)) if GENERATORS.contains(&field) => path,
        _ => text,
    };
    found.push(Reference { field, kind, target: target.to_owned(), mark: node.mark });
}
