//! The results of a loop over branches: in list order, by key, filtered by a field.

use mlua::{Lua, MetaMethod, UserData, UserDataMethods, Value};

use super::data::Data;
use super::from_json;
use crate::lua::freeze;

/// What the branches of a loop gave, in the order of the list.
#[derive(Clone, Debug, Default)]
pub(in crate::lua) struct Results(pub(in crate::lua) Vec<(String, Value)>);

impl Results {
    /// Keys and values, in list order.
    pub(in crate::lua) fn entries(&self) -> &[(String, Value)] {
        &self.0
    }

    fn index(&self, lua: &Lua, key: &Value) -> mlua::Result<Value> {
        match key {
            Value::Integer(i) => {
                let at = usize::try_from(*i).ok().and_then(|i| self.0.get(i.wrapping_sub(1)));
                Ok(at.map_or(Value::Nil, |(_, value)| value.clone()))
            }
            Value::String(name) => {
                let name = name.to_string_lossy();
                if let Some((_, value)) = self.0.iter().find(|(key, _)| *key == name) {
                    return Ok(value.clone());
                }
                match name.as_str() {
                    "keys" => {
                        let keys: serde_json::Value =
                            self.0.iter().map(|(key, _)| key.clone()).collect();
                        let give = move |lua: &Lua, _: Value| from_json(lua, &keys, None);
                        Ok(Value::Function(lua.create_function(give)?))
                    }
                    "where" => {
                        let this = self.clone();
                        let keep = move |_: &Lua, (_, field): (Value, String)| {
                            let has = |value: &Value| -> mlua::Result<bool> {
                                let found: Value = match value {
                                    Value::Table(table) => table.get(field.as_str())?,
                                    Value::UserData(data) if data.is::<Data>() => {
                                        mlua::ObjectLike::get(data, field.as_str())?
                                    }
                                    _ => Value::Nil,
                                };
                                Ok(!matches!(found, Value::Nil | Value::Boolean(false)))
                            };
                            let mut kept = Vec::new();
                            for (key, value) in &this.0 {
                                if has(value)? {
                                    kept.push((key.clone(), value.clone()));
                                }
                            }
                            Ok(Results(kept))
                        };
                        Ok(Value::Function(lua.create_function(keep)?))
                    }
                    _ => Ok(Value::Nil),
                }
            }
            _ => Ok(Value::Nil),
        }
    }
}

impl UserData for Results {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::Index, |lua, this, key: Value| this.index(lua, &key));
        freeze::read_only(methods);
        methods.add_meta_method(MetaMethod::Len, |_, this, ()| Ok(this.0.len()));
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| {
            Ok(this.0.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(", "))
        });
    }
}
