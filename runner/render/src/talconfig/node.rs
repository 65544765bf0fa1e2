//! One node of a talconfig with the settings of its group in force.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::view::View;
use super::{PatchText, Schema, patch_texts, schematic};
use crate::diagnostic::Mark;
use crate::machinery::profile::{Shape, TypeId};
use crate::machinery::value::Value;
use crate::yaml::node::{Data, Node as YamlNode};

/// What a node is in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It runs the control plane.
    ControlPlane,
    /// It does not.
    Worker,
}

impl Role {
    /// As machine configs and file names spell it: `controlplane` or `worker`.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::ControlPlane => "controlplane",
            Role::Worker => "worker",
        }
    }
}

/// A node of a talconfig.
#[derive(Clone, Debug)]
pub struct Node {
    /// `hostname`.
    pub hostname: String,
    /// `ipAddress`, taken apart at its commas.
    pub addresses: Vec<String>,
    /// By `controlPlane`.
    pub role: Role,
    /// Where the node begins in the file.
    pub mark: Mark,
    /// `installDisk`; empty where only a selector is given.
    pub install_disk: String,
    /// The name of its output, before anything in it is filled in; empty for the default.
    pub filename_template: String,
    /// The image to install without its version, from `talosImageURL`; else
    /// the schematic decides.
    pub image: String,
    /// The ID of its schematic, the empty one where none is given.
    pub schematic_id: String,
    /// The ID of the schematic to boot from first: `imageSchematic`, else `schematic`.
    pub boot_schematic_id: String,
    /// The patches of its group, then its own.
    pub(super) patches: Vec<PatchText>,
    /// Every setting in force, by its key.
    pub(super) settings: BTreeMap<String, Setting>,
}

/// A setting in force and where it stands, in the node or in its group.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    type_id: TypeId,
    /// Shared with the other nodes of the group it comes from.
    value: Rc<Value>,
    node: Option<Rc<YamlNode>>,
}

impl Node {
    /// A setting in force, unless it is unset.
    pub(super) fn setting<'v>(&'v self, schema: &'v Schema, key: &str) -> Option<View<'v>> {
        let setting = self.settings.get(key).filter(|setting| !setting.value.is_zero())?;
        let node = setting.node.as_deref();
        Some(View::new(schema, setting.type_id, &setting.value, node, self.mark))
    }

    /// A setting that is a list with items, or none.
    pub(super) fn items<'v>(&'v self, schema: &'v Schema, key: &str) -> Vec<View<'v>> {
        self.setting(schema, key).map(|list| list.items()).unwrap_or_default()
    }

    /// Whether a boolean setting is true.
    pub(super) fn has(&self, schema: &Schema, key: &str) -> bool {
        self.setting(schema, key).is_some_and(|flag| *flag.value == Value::Bool(true))
    }

    /// Where a setting stands, or else the node.
    pub(super) fn place(&self, schema: &Schema, key: &str) -> Mark {
        let known = self.settings.get(key).and_then(|setting| setting.node.as_ref());
        known.map_or(self.setting(schema, key).map_or(self.mark, |found| found.mark), |node| {
            node.mark
        })
    }
}

/// The nodes of a file, groups merged into them.
pub(super) fn nodes(schema: &Schema, root: &YamlNode, value: &Value) -> Vec<Node> {
    let type_id = schema.talconfig();
    let Some((list_type, Value::List(values))) = schema.field(type_id, value, "nodes") else {
        return Vec::new();
    };
    let Shape::List(node_type) = schema.0.get(list_type).shape else { return Vec::new() };
    let list = root.get("nodes").map(|nodes| nodes.resolved());
    let items: &[Rc<YamlNode>] = match list.map(|list| &list.data) {
        Some(Data::Sequence(items)) => items,
        _ => &[],
    };
    let groups = Groups::read(schema, root, value);
    let each = items.iter().zip(values);
    each.map(|(item, value)| one(schema, node_type, item, value, &groups)).collect()
}

/// The two groups: what they say, typed and as YAML.
struct Groups<'g> {
    settings: BTreeMap<(&'static str, &'g str), Setting>,
    patches: BTreeMap<&'static str, Vec<PatchText>>,
}

impl<'g> Groups<'g> {
    fn read(schema: &'g Schema, root: &'g YamlNode, value: &Value) -> Groups<'g> {
        let mut groups = Groups { settings: BTreeMap::new(), patches: BTreeMap::new() };
        for role in [Role::ControlPlane, Role::Worker] {
            let group = group_key(role);
            let node = root.get(group).map(|node| node.resolved());
            groups.patches.insert(group, node.map(patch_texts).unwrap_or_default());
            let Some((type_id, value)) = schema.field(schema.talconfig(), value, group) else {
                continue;
            };
            for key in &schema.0.get(type_id).keys {
                if let Some((type_id, value)) = schema.field(type_id, value, &key.name) {
                    let node = node.and_then(|node| node.get(&key.name)).cloned();
                    let setting = Setting { type_id, value: Rc::new(value.clone()), node };
                    groups.settings.insert((group, &key.name), setting);
                }
            }
        }
        groups
    }

    fn setting(&self, role: Role, key: &str) -> Option<Setting> {
        self.settings.get(&(group_key(role), key)).cloned()
    }

    fn patches(&self, role: Role) -> Vec<PatchText> {
        self.patches.get(group_key(role)).cloned().unwrap_or_default()
    }
}

fn group_key(role: Role) -> &'static str {
    match role {
        Role::ControlPlane => "controlPlane",
        Role::Worker => "worker",
    }
}

fn one(
    schema: &Schema,
    node_type: TypeId,
    item: &Rc<YamlNode>,
    value: &Value,
    groups: &Groups<'_>,
) -> Node {
    let control_plane = schema.flag(node_type, value, "controlPlane");
    let role = if control_plane { Role::ControlPlane } else { Role::Worker };
    let item_node = item.resolved();
    // An override without patches of its own overrides nothing.
    let given = matches!(schema.field(node_type, value, "patches"), Some((_, Value::List(_))));
    let own = given && schema.flag(node_type, value, "overridePatches");
    let mut patches = if own { Vec::new() } else { groups.patches(role) };
    patches.extend(patch_texts(item_node));
    let in_force = |key: &str| in_force(schema, node_type, item_node, value, groups, role, key);
    let keys = schema.0.get(node_type).keys.iter();
    let settings: BTreeMap<String, Setting> =
        keys.filter_map(|key| Some((key.name.to_string(), in_force(&key.name)?))).collect();
    let text = |key: &str| match settings.get(key).map(|setting| &*setting.value) {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    };
    let schematic_id = schematic_id(schema, &settings, "schematic")
        .unwrap_or_else(|| empty_schematic(schema, node_type));
    let boot_schematic_id = schematic_id_or(schema, &settings, &schematic_id);
    let addresses = schema.text(node_type, value, "ipAddress");
    Node {
        hostname: schema.text(node_type, value, "hostname"),
        addresses: addresses.split(',').map(|address| address.trim().to_owned()).collect(),
        role,
        mark: item.mark,
        install_disk: text("installDisk"),
        filename_template: text("filenameTmpl"),
        image: text("talosImageURL"),
        schematic_id,
        boot_schematic_id,
        patches,
        settings,
    }
}

/// A node's setting replaces its group's as a whole, unless it is zero; two
/// lists are the node's with the group's behind it.
fn in_force(
    schema: &Schema,
    node_type: TypeId,
    item: &YamlNode,
    value: &Value,
    groups: &Groups<'_>,
    role: Role,
    key: &str,
) -> Option<Setting> {
    let (type_id, field) = schema.field(node_type, value, key)?;
    let own = || {
        let value = Rc::new(field.clone());
        Setting { type_id, value, node: item.get(key).cloned() }
    };
    let added = match key {
        "certSANs" => !schema.flag(node_type, value, "overrideMachineCertSANs"),
        "extraManifests" => !schema.flag(node_type, value, "overrideExtraManifests"),
        _ => false,
    };
    if let (Value::List(items), true) = (field, added) {
        let mut setting = own();
        let group = groups.setting(role, key);
        if let Some(Value::List(more)) = group.as_ref().map(|group| &*group.value)
            && !more.is_empty()
        {
            setting.value = Rc::new(Value::List(items.iter().chain(more).cloned().collect()));
            setting.node = None;
        }
        return Some(setting);
    }
    if field.is_zero() { groups.setting(role, key) } else { Some(own()) }
}

fn schematic_id(
    schema: &Schema,
    settings: &BTreeMap<String, Setting>,
    key: &str,
) -> Option<String> {
    let setting = settings.get(key)?;
    match (&schema.0.get(setting.type_id).shape, &*setting.value) {
        (Shape::Pointer(elem), Value::Pointer(inner)) => Some(schematic::id(schema, *elem, inner)),
        _ => None,
    }
}

fn schematic_id_or(
    schema: &Schema,
    settings: &BTreeMap<String, Setting>,
    otherwise: &str,
) -> String {
    schematic_id(schema, settings, "imageSchematic").unwrap_or_else(|| otherwise.to_owned())
}

fn empty_schematic(schema: &Schema, node_type: TypeId) -> String {
    let key = schema.0.get(node_type).keys.iter().find(|key| key.name == "schematic");
    match key.map(|key| &schema.0.get(key.type_id).shape) {
        Some(Shape::Pointer(elem)) => schematic::id(schema, *elem, &Value::zero(&schema.0, *elem)),
        _ => String::new(),
    }
}
