//! The inventory in Lua: clusters, nodes, lists of nodes, partitions. Read-only; they convert to their names where they cross the gate.

use std::rc::Rc;

use mlua::{AnyUserData, Function, Lua, MetaMethod, UserData, UserDataMethods, Value};
use ops_core::error::{Code, Fault};
use ops_core::inventory::{Cluster, Node};
use ops_core::value::Value as Json;

use super::from_json;
use crate::lua::{freeze, raised, text};

/// A node of the inventory.
#[derive(Clone, Debug)]
pub(in crate::lua) struct NodeRef {
    cluster: Rc<Cluster>,
    index: usize,
}

impl NodeRef {
    /// The node of a name.
    pub(in crate::lua) fn find(cluster: &Rc<Cluster>, name: &str) -> Option<NodeRef> {
        let index = cluster.nodes.iter().position(|node| node.name == name)?;
        Some(NodeRef { cluster: cluster.clone(), index })
    }

    fn node(&self) -> &Node {
        &self.cluster.nodes[self.index]
    }

    /// Its name.
    pub(in crate::lua) fn name(&self) -> &str {
        &self.node().name
    }

    /// Whether it runs etcd and the control plane.
    pub(in crate::lua) fn is_control_plane(&self) -> bool {
        self.node().is_control_plane()
    }

    fn field(&self, lua: &Lua, name: &str) -> mlua::Result<Value> {
        let node = self.node();
        let json = match name {
            "name" => node.name.clone().into(),
            "role" => node.role.word().into(),
            "address" => node.address.clone().into(),
            "tags" => node.tags.clone().into(),
            "is_control_plane" => node.is_control_plane().into(),
            "install_disk" => serde_json::to_value(&node.install_disk).unwrap_or_default(),
            other => {
                let known = ["name", "role", "address", "tags", "is_control_plane", "install_disk"];
                return Err(no_field(lua, "a node", other, &known));
            }
        };
        from_json(lua, &json, None)
    }
}

/// The error for a field that does not exist.
fn no_field(lua: &Lua, whose: &str, name: &str, known: &[&str]) -> mlua::Error {
    let fault = Fault::new(Code::LUA, format!("{whose} has no field `{name}`"))
        .label(format!("it has {}", known.join(", ")))
        .did_you_mean(name, known.iter().copied());
    raised::located_word(lua, fault, name)
}

impl UserData for NodeRef {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::Index, |lua, this, key: String| this.field(lua, &key));
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| Ok(this.name().to_owned()));
        methods.add_meta_function(MetaMethod::Eq, |_, (a, b): (Value, Value)| {
            Ok(matches!((node_name(&a), node_name(&b)), (Some(a), Some(b)) if a == b))
        });
        methods.add_meta_function(MetaMethod::Concat, |lua, (a, b): (Value, Value)| {
            let side = |v: &Value| node_name(v).map_or_else(|| text::of(lua, v), Ok);
            Ok(side(&a)? + &side(&b)?)
        });
        freeze::read_only(methods);
    }
}

/// The name of a value that is a node.
pub(in crate::lua) fn node_name(value: &Value) -> Option<String> {
    match value {
        Value::UserData(data) => Some(data.borrow::<NodeRef>().ok()?.name().to_owned()),
        _ => None,
    }
}

/// Nodes in inventory order.
#[derive(Clone, Debug)]
pub(in crate::lua) struct NodeList {
    cluster: Rc<Cluster>,
    nodes: Vec<usize>,
}

impl NodeList {
    /// Every node of a cluster.
    pub(in crate::lua) fn all(cluster: &Rc<Cluster>) -> NodeList {
        NodeList { cluster: cluster.clone(), nodes: (0..cluster.nodes.len()).collect() }
    }

    /// The nodes of these names; the name that none has otherwise.
    pub(in crate::lua) fn named(
        cluster: &Rc<Cluster>,
        names: &[String],
    ) -> Result<NodeList, String> {
        if let Some(unknown) = names.iter().find(|name| cluster.node(name).is_none()) {
            return Err(unknown.clone());
        }
        Ok(NodeList::all(cluster).filter(|node| names.contains(&node.name)))
    }

    fn filter(&self, keep: impl Fn(&Node) -> bool) -> NodeList {
        let nodes = self.nodes.iter().copied().filter(|i| keep(&self.cluster.nodes[*i]));
        NodeList { cluster: self.cluster.clone(), nodes: nodes.collect() }
    }

    /// Its nodes.
    pub(in crate::lua) fn refs(&self) -> Vec<NodeRef> {
        let node = |index: &usize| NodeRef { cluster: self.cluster.clone(), index: *index };
        self.nodes.iter().map(node).collect()
    }

    /// Their names.
    pub(in crate::lua) fn names(&self) -> Vec<String> {
        self.nodes.iter().map(|i| self.cluster.nodes[*i].name.clone()).collect()
    }

    fn index(&self, lua: &Lua, key: &Value) -> mlua::Result<Value> {
        let list = |lua: &Lua, list: NodeList| Ok(Value::UserData(lua.create_userdata(list)?));
        match key {
            Value::Integer(i) => {
                let at = usize::try_from(*i).ok().and_then(|i| self.nodes.get(i.wrapping_sub(1)));
                match at {
                    Some(index) => {
                        let node = NodeRef { cluster: self.cluster.clone(), index: *index };
                        Ok(Value::UserData(lua.create_userdata(node)?))
                    }
                    None => Ok(Value::Nil),
                }
            }
            Value::String(name) => match name.to_string_lossy().as_str() {
                "controlplanes" => list(lua, self.filter(Node::is_control_plane)),
                "workers" => list(lua, self.filter(|node| !node.is_control_plane())),
                "names" => {
                    let names = self.names().join(", ");
                    let give = lua.create_function(move |_, _: Value| Ok(names.clone()))?;
                    Ok(Value::Function(give))
                }
                "where" => {
                    let this = self.clone();
                    let keep = move |lua: &Lua, (_, keep): (Value, Function)| {
                        let mut nodes = Vec::new();
                        for (node, index) in this.refs().into_iter().zip(&this.nodes) {
                            if keep.call::<bool>(lua.create_userdata(node)?)? {
                                nodes.push(*index);
                            }
                        }
                        lua.create_userdata(NodeList { cluster: this.cluster.clone(), nodes })
                    };
                    Ok(Value::Function(lua.create_function(keep)?))
                }
                other => {
                    let known = ["names", "where", "controlplanes", "workers"];
                    Err(no_field(lua, "a list of nodes", other, &known))
                }
            },
            _ => Ok(Value::Nil),
        }
    }

    /// The list that a value is: one of nodes, or a single node.
    fn of(lua: &Lua, value: &Value) -> mlua::Result<NodeList> {
        if let Value::UserData(data) = value {
            if let Ok(list) = data.borrow::<NodeList>() {
                return Ok(list.clone());
            }
            if let Ok(node) = data.borrow::<NodeRef>() {
                return Ok(NodeList { cluster: node.cluster.clone(), nodes: vec![node.index] });
            }
        }
        let fault =
            Fault::new(Code::LUA, "only nodes and lists of nodes can be added and taken away");
        Err(raised::located(lua, fault))
    }
}

impl UserData for NodeList {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::Index, |lua, this, key: Value| this.index(lua, &key));
        methods.add_meta_method(MetaMethod::Len, |_, this, ()| Ok(this.nodes.len()));
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| Ok(this.names().join(", ")));
        methods.add_meta_function(MetaMethod::Add, |lua, (a, b): (Value, Value)| {
            let (a, b) = (NodeList::of(lua, &a)?, NodeList::of(lua, &b)?);
            let names = [a.names(), b.names()].concat();
            NodeList::named(&a.cluster, &names).map_err(mlua::Error::runtime)
        });
        methods.add_meta_function(MetaMethod::Sub, |lua, (a, b): (Value, Value)| {
            let (a, b) = (NodeList::of(lua, &a)?, NodeList::of(lua, &b)?.names());
            Ok(a.filter(|node| !b.contains(&node.name)))
        });
        methods.add_meta_function(MetaMethod::Eq, |lua, (a, b): (Value, Value)| {
            let names = |v: &Value| NodeList::of(lua, v).map(|list| list.names()).ok();
            Ok(names(&a) == names(&b))
        });
        freeze::read_only(methods);
    }
}

/// Partition labels of a parameter.
#[derive(Clone, Debug)]
pub(in crate::lua) struct Partitions(pub(in crate::lua) Vec<String>);

impl UserData for Partitions {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::Index, |lua, this, key: Value| match &key {
            Value::Integer(i) => {
                let at = usize::try_from(*i).ok().and_then(|i| this.0.get(i.wrapping_sub(1)));
                at.map_or(Ok(Value::Nil), |label| Ok(Value::String(lua.create_string(label)?)))
            }
            Value::String(name) if name.to_string_lossy() == "has" => {
                let labels = this.0.clone();
                let has =
                    move |_: &Lua, (_, label): (AnyUserData, String)| Ok(labels.contains(&label));
                Ok(Value::Function(lua.create_function(has)?))
            }
            other => Err(no_field(lua, "a list of partitions", &text::of(lua, other)?, &["has"])),
        });
        methods.add_meta_method(MetaMethod::Len, |_, this, ()| Ok(this.0.len()));
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| Ok(this.0.join(", ")));
        freeze::read_only(methods);
    }
}

/// The cluster of a run.
#[derive(Clone, Debug)]
pub(in crate::lua) struct ClusterRef(pub(in crate::lua) Rc<Cluster>);

impl ClusterRef {
    const FIELDS: [&'static str; 11] = [
        "name",
        "nodes",
        "endpoint",
        "pod_cidrs",
        "service_cidrs",
        "versions",
        "settings",
        "talosconfig",
        "kubeconfig",
        "node",
        "machine_config",
    ];

    fn field(&self, lua: &Lua, name: &str) -> mlua::Result<Value> {
        let cluster = &self.0;
        let json: Json = match name {
            "nodes" => {
                return Ok(Value::UserData(lua.create_userdata(NodeList::all(cluster))?));
            }
            "node" => {
                let cluster = cluster.clone();
                let find = move |lua: &Lua, (_, name): (Value, String)| {
                    NodeRef::find(&cluster, &name).ok_or_else(|| {
                        let known = cluster.nodes.iter().map(|node| node.name.as_str());
                        let fault = Fault::new(Code::LUA, format!("there is no node `{name}`"))
                            .did_you_mean(&name, known);
                        raised::located_word(lua, fault, &name)
                    })
                };
                return Ok(Value::Function(lua.create_function(find)?));
            }
            "machine_config" => {
                let cluster = cluster.clone();
                let path = move |lua: &Lua, (_, node): (Value, Value)| {
                    let name = match node_name(&node) {
                        Some(name) => name,
                        None => text::of(lua, &node)?,
                    };
                    match cluster.node(&name) {
                        Some(_) => Ok(cluster.machine_config(&name)),
                        None => {
                            let title = format!("machine_config takes a node, not {name}");
                            Err(raised::located(lua, Fault::new(Code::LUA, title)))
                        }
                    }
                };
                return Ok(Value::Function(lua.create_function(path)?));
            }
            "name" => cluster.name.clone().into(),
            "context" => cluster.context.clone().into(),
            "endpoint" => cluster.endpoint.clone().into(),
            "pod_cidrs" => cluster.pod_cidrs.clone().into(),
            "service_cidrs" => cluster.service_cidrs.clone().into(),
            "talosconfig" => cluster.talosconfig.clone().into(),
            "kubeconfig" => cluster.kubeconfig.clone().into(),
            "secrets" => cluster.secrets.clone().into(),
            "config_dir" => cluster.config_dir.clone().into(),
            "snapshot_dir" => cluster.snapshot_dir.clone().into(),
            "versions" => serde_json::to_value(&cluster.versions).unwrap_or_default(),
            "settings" => serde_json::to_value(&cluster.settings).unwrap_or_default(),
            other => return Err(no_field(lua, "the cluster", other, &Self::FIELDS)),
        };
        from_json(lua, &json, None)
    }
}

impl UserData for ClusterRef {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::Index, |lua, this, key: String| this.field(lua, &key));
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| Ok(this.0.name.clone()));
        freeze::read_only(methods);
    }
}
