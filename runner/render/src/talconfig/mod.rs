//! A talconfig.yaml: read by the types of talhelper, variables replaced,
//! groups merged into nodes. Unlike talhelper it refuses keys it does not
//! know. It reads no file: callers bring bases and patches.

mod check;
mod node;
mod patches;
mod render;
mod schematic;
mod substitute;

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Mark};
use crate::machinery::decode::decode;
use crate::machinery::encode::at;
use crate::machinery::profile::{Profile, TypeId, UnknownProfile};
use crate::machinery::strict;
use crate::machinery::value::Value;
use crate::yaml::node::Node as YamlNode;
use crate::yaml::read::{Source, read};

pub use node::{Node, Role};
pub use render::ReadFile;
pub use substitute::{Variables, expand};

/// The types of a talconfig, as talhelper v3.1.16 has them.
#[derive(Debug)]
pub struct Schema(pub(crate) Profile);

impl Schema {
    /// Loads the built-in table.
    pub fn load() -> Result<Schema, UnknownProfile> {
        Profile::load_table(include_str!("../../data/talhelper-3.1.16.json"))
            .map(Schema)
            .map_err(UnknownProfile)
    }
}

/// A patch as it stands in a talconfig: `@FILE`, or the patch itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchText {
    /// The text.
    pub text: String,
    /// Where it stands in the talconfig.
    pub mark: Mark,
}

/// A talconfig with every node's settings in force.
#[derive(Clone, Debug)]
pub struct Talconfig {
    /// `clusterName`.
    pub cluster_name: String,
    /// `talosVersion` with a leading `v`; empty where it is not given.
    pub talos_version: String,
    /// `kubernetesVersion` without a leading `v`.
    pub kubernetes_version: String,
    /// `endpoint`.
    pub endpoint: String,
    /// The nodes, in the order of the file.
    pub nodes: Vec<Node>,
    patches: Vec<PatchText>,
    file: render::FileName,
    /// Every setting of the whole file, by its key.
    settings: BTreeMap<String, Value>,
    /// Texts of `imageFactory`.
    factory: BTreeMap<String, String>,
}

impl Talconfig {
    /// Reads a talconfig. `variables` are what `${NAME}` may stand for.
    ///
    /// Facts: `pkg/config` and `pkg/substitute` of talhelper v3.1.16.
    ///
    /// # Errors
    /// Every unknown key, wrong type, missing variable and missing setting,
    /// each with its place.
    pub fn read(
        source: Source<'_>,
        schema: &Schema,
        variables: &Variables,
    ) -> Result<Talconfig, Vec<Diagnostic>> {
        let documents = read(source).map_err(|problem| vec![problem])?;
        let Some(root) = documents.first() else {
            return Err(vec![check::problem(
                source.name,
                Mark::default(),
                "the talconfig is empty",
            )]);
        };
        let root = substitute::substitute(root, source.name, variables)?;
        let profile = &schema.0;
        let type_id = schema.talconfig();
        let mut problems = strict::check(profile, source.name, &root, type_id);
        let value = decode(profile, source.name, &root, type_id).unwrap_or_else(|found| {
            let placed: Vec<_> = found.iter().map(|p| (p.line, p.column)).collect();
            problems.retain(|p| !placed.contains(&(p.line, p.column)));
            problems.extend(found);
            Value::zero(profile, type_id)
        });
        if problems.is_empty() {
            problems = check::check(schema, source.name, &root, &value);
        }
        if !problems.is_empty() {
            problems.sort_by_key(|problem| (problem.line, problem.column));
            return Err(problems);
        }
        let text = |key: &str| schema.text(type_id, &value, key);
        let version = text("talosVersion");
        let prefix = if version.is_empty() || version.starts_with('v') { "" } else { "v" };
        let kubernetes = text("kubernetesVersion");
        Ok(Talconfig {
            cluster_name: text("clusterName"),
            talos_version: format!("{prefix}{version}"),
            kubernetes_version: kubernetes.strip_prefix('v').unwrap_or(&kubernetes).to_owned(),
            endpoint: text("endpoint"),
            nodes: node::nodes(schema, &root, &value),
            patches: patch_texts(&root),
            file: source.name.into(),
            settings: (profile.get(type_id).keys.iter())
                .filter_map(|key| Some((key.name.clone(), at(value.fields(), &key.path)?.clone())))
                .collect(),
            factory: root.get("imageFactory").map_or_else(BTreeMap::new, |factory| {
                let text = |node: &YamlNode| node.resolved().text().to_owned();
                factory.resolved().pairs().iter().map(|(k, v)| (text(k), text(v))).collect()
            }),
        })
    }

    /// The patches of a node in the order they are applied: those of its
    /// group, its own, then those of the whole file, which win.
    pub fn patches_of(&self, node: &Node) -> Vec<PatchText> {
        node.patches.iter().chain(&self.patches).cloned().collect()
    }
}

impl Schema {
    fn talconfig(&self) -> TypeId {
        self.0.documents()[0].type_id
    }

    /// The field of a struct by its key.
    fn field<'v>(
        &self,
        type_id: TypeId,
        value: &'v Value,
        key: &str,
    ) -> Option<(TypeId, &'v Value)> {
        let key = self.0.get(type_id).keys.iter().find(|known| known.name == key)?;
        Some((key.type_id, at(value.fields(), &key.path)?))
    }

    fn text(&self, type_id: TypeId, value: &Value, key: &str) -> String {
        match self.field(type_id, value, key) {
            Some((_, Value::Text(text))) => text.clone(),
            _ => String::new(),
        }
    }

    fn flag(&self, type_id: TypeId, value: &Value, key: &str) -> bool {
        matches!(self.field(type_id, value, key), Some((_, Value::Bool(true))))
    }
}

/// The `patches` of a mapping, with their places.
fn patch_texts(node: &YamlNode) -> Vec<PatchText> {
    let Some(list) = node.get("patches") else { return Vec::new() };
    let items = match &list.resolved().data {
        crate::yaml::node::Data::Sequence(items) => &items[..],
        _ => &[],
    };
    let text = |item: &std::rc::Rc<YamlNode>| PatchText {
        text: item.resolved().text().to_owned(),
        mark: item.mark,
    };
    items.iter().map(text).collect()
}
