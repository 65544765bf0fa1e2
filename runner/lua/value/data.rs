//! Replies and other data of the host in Lua: read-only, with the fields of the call's reply and no others.

use std::rc::Rc;

use mlua::{Lua, MetaMethod, UserData, UserDataMethods, Value};
use ops_core::error::{Code, Fault};
use ops_core::value::{Handle, Map, Value as Json};

use super::from_json;
use crate::lua::body::Body;
use crate::lua::{freeze, raised, text};

/// Read-only data.
#[derive(Clone, Debug)]
pub(in crate::lua) struct Data {
    value: Rc<Json>,
    /// Whose reply it is, where reading a field that it does not have is an error.
    strict: Option<String>,
}

impl Data {
    /// Data of the host; `strict` names the call whose reply it is.
    pub(in crate::lua) fn new(value: Json, strict: Option<String>) -> Data {
        Data { value: Rc::new(value), strict }
    }

    /// The data itself.
    pub(in crate::lua) fn value(&self) -> &Json {
        &self.value
    }

    /// Its keys, in the order of `pairs`.
    pub(in crate::lua) fn keys(&self) -> Vec<Json> {
        match &*self.value {
            Json::Array(items) => (1..=items.len()).map(Into::into).collect(),
            Json::Object(map) => sorted(map).into_iter().map(|key| key.clone().into()).collect(),
            _ => Vec::new(),
        }
    }

    fn index(&self, lua: &Lua, key: &Value) -> mlua::Result<Value> {
        match (&*self.value, key) {
            (Json::Array(items), Value::Integer(i)) => {
                let item = usize::try_from(*i).ok().and_then(|i| items.get(i.wrapping_sub(1)));
                item.map_or(Ok(Value::Nil), |item| self.give(lua, &i.to_string(), item))
            }
            (_, Value::String(name)) => {
                let name = name.to_string_lossy();
                let field = self.value.as_object().and_then(|map| map.get(&name));
                match (field, name.as_str(), &self.strict) {
                    (Some(item), ..) => self.give(lua, &name, item),
                    (None, "names", _) if self.value.is_array() => self.names(lua),
                    (None, "lines", _) if self.value.get("stdout").is_some() => self.lines(lua),
                    (None, _, Some(call)) if self.value.is_object() => {
                        let map = self.value.as_object();
                        let known: Vec<&str> =
                            map.into_iter().flat_map(Map::keys).map(String::as_str).collect();
                        let fault = Fault::new(
                            Code::CALL_FIELD,
                            format!("the reply of `{call}` has no field `{name}`"),
                        )
                        .label(format!("it has {}", known.join(", ")))
                        .did_you_mean(&name, known.iter().copied());
                        Err(raised::located_word(lua, fault, &name))
                    }
                    _ => Ok(Value::Nil),
                }
            }
            _ => Ok(Value::Nil),
        }
    }

    /// Hands a field out. What only apply will know ends this branch's part of the plan.
    fn give(&self, lua: &Lua, name: &str, item: &Json) -> mlua::Result<Value> {
        if let Some(Handle::Later(later)) = Handle::from_value(item) {
            return Err(Body::of(lua)?.frontier(lua, name, &later));
        }
        let inherit = self.value.is_array();
        from_json(lua, item, self.strict.as_deref().filter(|_| inherit))
    }

    fn names(&self, lua: &Lua) -> mlua::Result<Value> {
        let name = |item: &Json| {
            let of = |v: &Json| v.get("name").and_then(Json::as_str).map(str::to_owned);
            item.as_str()
                .map(str::to_owned)
                .or_else(|| of(item))
                .or_else(|| of(item.get("metadata")?))
        };
        let items = self.value.as_array().map(Vec::as_slice).unwrap_or_default();
        let joined = items.iter().filter_map(name).collect::<Vec<_>>().join(", ");
        Ok(Value::Function(lua.create_function(move |_, _: Value| Ok(joined.clone()))?))
    }

    fn lines(&self, lua: &Lua) -> mlua::Result<Value> {
        let stdout = self.value.get("stdout").and_then(Json::as_str).unwrap_or_default();
        let lines: Json = stdout.lines().map(Json::from).collect();
        let function = lua.create_function(move |lua, _: Value| from_json(lua, &lines, None))?;
        Ok(Value::Function(function))
    }
}

/// Keys sorted by bytes.
fn sorted(map: &Map<String, Json>) -> Vec<&String> {
    let mut keys: Vec<&String> = map.keys().collect();
    keys.sort_unstable();
    keys
}

impl UserData for Data {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::Index, |lua, this, key: Value| this.index(lua, &key));
        freeze::read_only(methods);
        methods.add_meta_method(MetaMethod::Len, |_, this, ()| {
            Ok(this.value.as_array().map_or(0, Vec::len))
        });
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| Ok(text::data(&this.value)));
        methods.add_meta_function(MetaMethod::Eq, |_, (a, b): (Value, Value)| {
            let json = |v: &Value| match v {
                Value::UserData(data) => data.borrow::<Data>().ok().map(|d| d.value.clone()),
                _ => None,
            };
            Ok(matches!((json(&a), json(&b)), (Some(a), Some(b)) if a == b))
        });
    }
}
