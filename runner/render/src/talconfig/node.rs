//! One node of a talconfig with the settings of its group in force.

use std::rc::Rc;

use super::render::Settings;
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
    /// The name of its output, before anything in it is filled in; empty for the default.
    pub filename_template: String,
    /// The image to install without its version, from `talosImageURL`; else
    /// the schematic decides.
    pub image: String,
    /// The ID of its schematic, the empty one where none is given.
    pub schematic_id: String,
    /// The patches of its group, then its own.
    pub(super) patches: Vec<PatchText>,
    /// Every setting in force, by its key.
    pub(super) settings: Settings,
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
    items
        .iter()
        .zip(values)
        .map(|(item, value)| {
            let control_plane = schema.flag(node_type, value, "controlPlane");
            let (role, group) = if control_plane {
                (Role::ControlPlane, "controlPlane")
            } else {
                (Role::Worker, "worker")
            };
            one(schema, node_type, item, value, role, root, group)
        })
        .collect()
}

fn one(
    schema: &Schema,
    node_type: TypeId,
    item: &Rc<YamlNode>,
    value: &Value,
    role: Role,
    root: &YamlNode,
    group: &str,
) -> Node {
    let item_node = item.resolved();
    let group_node = root.get(group).map(|node| node.resolved());
    // An override without patches of its own overrides nothing.
    let given = matches!(schema.field(node_type, value, "patches"), Some((_, Value::List(_))));
    let own = given && schema.flag(node_type, value, "overridePatches");
    let mut patches = group_node.filter(|_| !own).map(patch_texts).unwrap_or_default();
    patches.extend(patch_texts(item_node));
    // A node's setting replaces its group's as a whole, unless it is zero.
    let in_force = |key: &str| -> Option<(TypeId, Value)> {
        let (field_type, field) = schema.field(node_type, value, key)?;
        let of_group = || {
            let found = group_node?.get(key)?.resolved();
            crate::machinery::decode::decode(&schema.0, "", found, field_type).ok()
        };
        let added = match key {
            "certSANs" => !schema.flag(node_type, value, "overrideMachineCertSANs"),
            "extraManifests" => !schema.flag(node_type, value, "overrideExtraManifests"),
            _ => false,
        };
        match (field, added) {
            (Value::List(own), true) => {
                let mut items = own.clone();
                if let Some(Value::List(more)) = of_group() {
                    items.extend(more);
                }
                Some((field_type, Value::List(items)))
            }
            (field, _) if !field.is_zero() => Some((field_type, field.clone())),
            // What only the node adds to is still taken from the group when the node has none.
            _ => Some((field_type, of_group()?)),
        }
    };
    let text = |key: &str| match in_force(key) {
        Some((_, Value::Text(text))) => text,
        _ => String::new(),
    };
    let schematic_id = match (schema.field(node_type, value, "schematic"), in_force("schematic")) {
        (Some((pointer, _)), found) => match (&schema.0.get(pointer).shape, found) {
            (Shape::Pointer(elem), Some((_, Value::Pointer(inner)))) => {
                schematic::id(schema, *elem, &inner)
            }
            (Shape::Pointer(elem), _) => {
                schematic::id(schema, *elem, &Value::zero(&schema.0, *elem))
            }
            _ => String::new(),
        },
        (None, _) => String::new(),
    };
    let addresses = schema.text(node_type, value, "ipAddress");
    let keys = schema.0.get(node_type).keys.iter();
    Node {
        hostname: schema.text(node_type, value, "hostname"),
        addresses: addresses.split(',').map(|address| address.trim().to_owned()).collect(),
        role,
        mark: item.mark,
        filename_template: text("filenameTmpl"),
        image: text("talosImageURL"),
        schematic_id,
        patches,
        settings: keys.filter_map(|key| Some((key.name.clone(), in_force(&key.name)?))).collect(),
    }
}
