//! A talconfig.yaml: read by the types of talhelper, variables replaced,
//! groups merged into nodes, each node rendered to its machine config. Unlike
//! talhelper it refuses keys it does not know. It reads no file.
//!
//! The caller brings everything else, decrypted:
//!
//! * [`Variables`]: the environment, then each of [`VARIABLE_FILES`] that stands
//!   beside the talconfig; what comes later wins.
//! * [`Secrets`]: the last of [`SECRET_FILES`] that is there. If none is,
//!   [`Secrets::missing`] is the error; nothing is made up.
//! * a base for each role: what `talosctl gen config CLUSTER ENDPOINT
//!   --with-secrets FILE --talos-version V --kubernetes-version V
//!   --with-docs=false --with-examples=false` writes of the fields of
//!   [`Talconfig`]; it depends on nothing else.
//! * [`ReadFile`]: the content of what is named with `@`, which may ask for a
//!   file more than once. [`path::within`] tells the path that a name means.

mod build;
mod check;
mod contents;
mod documents;
mod extensions;
mod image;
mod kept;
mod keys;
mod legacy;
mod links;
mod node;
mod patches;
pub mod path;
mod render;
mod schematic;
mod secrets;
mod substitute;
mod unknown;
mod variables;
mod view;

use std::cell::RefCell;
use std::rc::Rc;

use crate::diagnostic::{Diagnostic, Mark};
use crate::machinery::decode::{decode, is_null};
use crate::machinery::encode::at;
use crate::machinery::profile::{Profile, TypeId, UnknownProfile};
use crate::machinery::strict;
use crate::machinery::value::Value;
use crate::yaml::node::Node as YamlNode;
use crate::yaml::read::{Source, read};

pub use node::{Node, Role};
pub use render::ReadFile;
pub use secrets::{SECRET_FILES, Secrets};
pub use substitute::expand;
pub use variables::{VARIABLE_FILES, Variables};

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
    pub text: Rc<str>,
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
    /// What works but should be known.
    pub warnings: Vec<Diagnostic>,
    patches: Vec<PatchText>,
    file: render::FileName,
    /// The text of the file, for places inside of its patches.
    lines: String,
    /// The whole file, as YAML and typed.
    root: Rc<YamlNode>,
    value: Value,
    /// The second secret of bundles older than Talos 1.3.
    aes_cbc: Option<String>,
    kept: RefCell<kept::Kept>,
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
        if let Some(second) = documents[1..].iter().find(|document| !is_null(document)) {
            let message = "a talconfig is one document; talhelper ignores what follows";
            return Err(vec![check::problem(source.name, second.mark, message)]);
        }
        let root = substitute::substitute(root, source.name, variables)?;
        let profile = &schema.0;
        let type_id = schema.talconfig();
        let mut problems = strict::check(profile, source.name, &root, type_id);
        unknown::explain(&mut problems, &root, schema);
        let value = decode(profile, source.name, &root, type_id).unwrap_or_else(|found| {
            let placed: Vec<_> = found.iter().map(|p| (p.line, p.column)).collect();
            problems.retain(|p| !placed.contains(&(p.line, p.column)));
            problems.extend(found);
            Value::zero(profile, type_id)
        });
        if !problems.is_empty() {
            problems.sort_by_key(|problem| (problem.line, problem.column));
            return Err(problems);
        }
        let text = |key: &str| schema.text(type_id, &value, key);
        let mut warnings = Vec::new();
        let mut version = text("talosVersion");
        if version.is_empty() {
            LATEST_TALOS.clone_into(&mut version);
            let message = format!(
                "`talosVersion` is not given: {LATEST_TALOS} is taken, as talhelper 3.1.16 does"
            );
            let warning = check::problem(source.name, root.mark, message);
            warnings.push(warning.hint("write the version down, or it moves with the tool"));
        }
        let prefix = if version.starts_with('v') { "" } else { "v" };
        let kubernetes = text("kubernetesVersion");
        let config = Talconfig {
            cluster_name: text("clusterName"),
            talos_version: format!("{prefix}{version}"),
            kubernetes_version: kubernetes.strip_prefix('v').unwrap_or(&kubernetes).to_owned(),
            endpoint: text("endpoint"),
            nodes: node::nodes(schema, &root, &value),
            warnings,
            patches: patch_texts(&root),
            file: source.name.into(),
            lines: String::from_utf8_lossy(source.bytes).into_owned(),
            root,
            value,
            aes_cbc: None,
            kept: RefCell::default(),
        };
        let problems = check::check(&config, schema);
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    /// The patches of a node in the order they are applied: those of its
    /// group, its own, then those of the whole file, which win.
    pub fn patches_of(&self, node: &Node) -> Vec<PatchText> {
        node.patches.iter().chain(&self.patches).cloned().collect()
    }

    /// Whether the nodes run Talos 1.`minor` or later.
    fn at_least(&self, minor: u32) -> bool {
        version(&self.talos_version).is_some_and(|found| found >= (1, minor))
    }

    fn view<'v>(&'v self, schema: &'v Schema) -> view::View<'v> {
        let type_id = schema.talconfig();
        view::View::new(schema, type_id, &self.value, Some(&self.root), self.root.mark)
    }
}

/// The Talos version that talhelper v3.1.16 takes where none is given.
const LATEST_TALOS: &str = "v1.13.8";

/// Major and minor of a version, with or without a leading `v`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.strip_prefix('v').unwrap_or(text).split('.');
    let (major, minor) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let digits = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    parts.next().is_none_or(digits).then_some((major, minor))
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
        text: item.resolved().text().into(),
        mark: item.mark,
    };
    items.iter().map(text).collect()
}
