//! Parameters in Lua: `p`, with the field of each parameter and no others; defaults and checks that are functions.

use std::rc::Rc;

use mlua::{Lua, MetaMethod, Table, UserData, UserDataMethods, Value};
use ops_core::error::{Code, Fault};
use ops_core::inventory::Cluster;
use ops_core::value::{Map, Value as Json};

use super::arm::Arm;
use super::body::Body;
use super::declare::Declaration;
use super::entry::apply;
use super::sandbox::borrow;
use super::value::nodes::{ClusterRef, NodeList, NodeRef, Partitions};
use super::value::{from_json, to_json};
use super::{freeze, raised, text};
use crate::recipe::{Head, Param, ParamKind};

/// `p`.
struct Parameters(Vec<(String, Value)>);

impl UserData for Parameters {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::Index, |lua, this, key: String| {
            match this.0.iter().find(|(name, _)| *name == key) {
                Some((_, value)) => Ok(value.clone()),
                None => {
                    let known = this.0.iter().map(|(name, _)| name.as_str());
                    let fault = Fault::new(Code::LUA, format!("there is no parameter `{key}`"))
                        .did_you_mean(&key, known);
                    Err(raised::located_word(lua, fault, &key))
                }
            }
        });
        freeze::read_only(methods);
        methods.add_meta_method(MetaMethod::ToString, |lua, this, ()| {
            let mut texts = Vec::new();
            for (name, value) in &this.0 {
                texts.push(format!("{name} = {}", text::of(lua, value)?));
            }
            Ok(texts.join(", "))
        });
    }
}

/// The parameters of a body.
pub(super) fn object(
    lua: &Lua,
    head: &Head,
    values: &Map<String, Json>,
    cluster: Option<&Rc<Cluster>>,
) -> mlua::Result<Value> {
    let mut fields = Vec::new();
    for param in &head.params {
        let json = values.get(&param.name).or(param.default.as_ref()).unwrap_or(&Json::Null);
        fields.push((param.name.clone(), field(lua, param, json, cluster)?));
    }
    Ok(Value::UserData(lua.create_userdata(Parameters(fields))?))
}

/// A parameter's value as its type makes it.
fn field(
    lua: &Lua,
    param: &Param,
    json: &Json,
    cluster: Option<&Rc<Cluster>>,
) -> mlua::Result<Value> {
    let wrong = |what: String| {
        raised::fault(Fault::new(Code::PARAM_VALUE, format!("parameter `{}`: {what}", param.name)))
    };
    let names = || -> Vec<String> {
        match json {
            Json::Array(items) => {
                items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
            }
            Json::String(word) => word.split(',').map(|word| word.trim().to_owned()).collect(),
            _ => Vec::new(),
        }
    };
    let data = |value| Ok(Value::UserData(value));
    match (&param.kind, json, cluster) {
        (ParamKind::Bool, Json::Null, _) => Ok(Value::Boolean(false)),
        (_, Json::Null, _) => Ok(Value::Nil),
        (ParamKind::Node { .. }, Json::String(name), Some(cluster)) => {
            match NodeRef::find(cluster, name) {
                Some(node) => data(lua.create_userdata(node)?),
                None => Err(wrong(format!("there is no node `{name}`"))),
            }
        }
        (ParamKind::Nodes { .. }, _, Some(cluster)) => {
            let names: Vec<String> = names()
                .into_iter()
                .flat_map(|name| match name.as_str() {
                    "all" => NodeList::all(cluster).names(),
                    "controlplanes" => cluster.control_planes().map(|n| n.name.clone()).collect(),
                    "workers" => {
                        let workers = cluster.nodes.iter().filter(|n| !n.is_control_plane());
                        workers.map(|n| n.name.clone()).collect()
                    }
                    _ => vec![name],
                })
                .collect();
            match NodeList::named(cluster, &names) {
                Ok(list) => data(lua.create_userdata(list)?),
                Err(unknown) => Err(wrong(format!("there is no node `{unknown}`"))),
            }
        }
        (ParamKind::Cluster, Json::String(name), Some(cluster)) if *name == cluster.name => {
            data(lua.create_userdata(ClusterRef(cluster.clone()))?)
        }
        (ParamKind::Partitions { .. }, ..) => data(lua.create_userdata(Partitions(names()))?),
        _ => from_json(lua, json, None),
    }
}

/// What `Entry::Parameters` works on.
pub(super) struct Given {
    pub(super) head: Head,
    pub(super) values: Map<String, Json>,
    pub(super) cluster: Option<Rc<Cluster>>,
    pub(super) cx: Table,
    /// The `params` tables: the recipe's own, then those of the overridden one.
    pub(super) tables: Vec<Table>,
}

/// Runs defaults and checks that are functions, in the order of declaration; gives the values of all parameters.
///
/// # Errors
/// A check that says no, or a function that fails.
pub(super) async fn resolve(
    lua: Lua,
    body: Rc<Body>,
    arm: Rc<Arm>,
    given: Given,
) -> mlua::Result<Value> {
    let mut values = given.values.clone();
    for param in &given.head.params {
        let declaration = given.tables.iter().find_map(|table| {
            let value: Value = table.raw_get(param.name.as_str()).ok()?;
            borrow::<Declaration>(&value).map(|declaration| declaration.clone())
        });
        let function = |key: &str| match declaration.as_ref()?.table.raw_get::<Value>(key) {
            Ok(Value::Function(function)) => Some(function),
            _ => None,
        };
        if values.get(&param.name).is_none_or(Json::is_null) {
            let default = match function("default") {
                Some(default) => {
                    let cx = vec![Value::Table(given.cx.clone())];
                    plain(param, &apply(&lua, &body, &arm, default, cx).await?)?
                }
                None => param.default.clone().unwrap_or_default(),
            };
            values.insert(param.name.clone(), default);
        }
        let Some(check) = function("check") else { continue };
        let json = values.get(&param.name).cloned().unwrap_or_default();
        if json.is_null() {
            continue;
        }
        let value = field(&lua, param, &json, given.cluster.as_ref())?;
        let p = object(&lua, &given.head, &values, given.cluster.as_ref())?;
        match apply(&lua, &body, &arm, check, vec![value, p]).await? {
            Value::Boolean(true) => {}
            other => {
                let why = match other {
                    Value::Nil | Value::Boolean(_) => "its check says no".to_owned(),
                    message => text::of(&lua, &message)?,
                };
                let title = format!("parameter `{}`: {why}", param.name);
                return Err(raised::fault(Fault::new(Code::PARAM_VALUE, title)));
            }
        }
    }
    from_json(&lua, &Json::Object(values), None)
}

fn plain(param: &Param, value: &Value) -> mlua::Result<Json> {
    to_json(value).map_err(|wrong| {
        let title = format!("the default of parameter `{}`: {wrong}", param.name);
        raised::fault(Fault::new(Code::PARAM_VALUE, title))
    })
}
