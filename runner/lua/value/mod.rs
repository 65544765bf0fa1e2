//! What crosses between Lua and the gate: plain data both ways, handles as opaque userdata. Nothing here makes a call.

pub(super) mod data;
pub(super) mod nodes;
pub(super) mod opaque;
pub(super) mod results;

use mlua::{AnyUserData, Lua, Table, Value};
use ops_core::value::{Handle, MAX_BYTES, MAX_DEPTH, Map, NotPlain, Value as Json, check_plain};

use data::Data;
use nodes::{ClusterRef, NodeList, NodeRef, Partitions};
use opaque::Opaque;
use results::Results;

/// The largest integer that every float of the same value prints alike.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// Most values in one table that crosses the gate.
const MAX_VALUES: usize = 100_000;

/// Copies a value out of Lua as plain data.
///
/// # Errors
/// The field that is no plain data: a function, a key that is neither text nor a list's, a cycle, an infinite number, too much.
pub(super) fn to_json(value: &Value) -> Result<Json, NotPlain> {
    let mut copy = Copy { left: MAX_BYTES, values: MAX_VALUES, path: String::new() };
    let json = copy.value(value, 0)?;
    check_plain(&json)?;
    Ok(json)
}

/// Copies a call's table: its named fields, and the entries that stand without a name.
///
/// # Errors
/// As [`to_json`].
pub(super) fn to_json_parts(
    table: &Table,
    count: usize,
) -> Result<(Map<String, Json>, Vec<Json>), NotPlain> {
    let mut copy = Copy { left: MAX_BYTES, values: MAX_VALUES, path: String::new() };
    let real = super::freeze::inner(table);
    let mut positional = Vec::new();
    for i in 1..=count {
        let item: Value = real.raw_get(i).map_err(|e| copy.lua(&e))?;
        positional.push(copy.value(&item, 1)?);
    }
    let mut named = Map::new();
    for pair in real.pairs::<Value, Value>() {
        let (key, item) = pair.map_err(|e| copy.lua(&e))?;
        match &key {
            Value::Integer(i) if *i >= 1 && *i as usize <= count => {}
            Value::String(name) => {
                let name = name.to_string_lossy();
                copy.reserved(&name)?;
                copy.path.clone_from(&name);
                let item = copy.value(&item, 1)?;
                copy.path.clear();
                named.insert(name, item);
            }
            Value::Integer(i) => {
                return copy.wrong(format!("entry {i}: what stands before it is nil"));
            }
            other => return copy.wrong(format!("a key that is a {}", other.type_name())),
        }
    }
    let whole = Json::Object(named);
    check_plain(&whole)?;
    check_plain(&Json::Array(positional.clone()))?;
    match whole {
        Json::Object(named) => Ok((named, positional)),
        _ => Ok((Map::new(), positional)),
    }
}

struct Copy {
    /// Bytes that may still come: tables that share parts grow exponentially when they are copied.
    left: usize,
    /// Values that may still come, for the same reason.
    values: usize,
    path: String,
}

impl Copy {
    fn wrong<T>(&self, what: impl Into<String>) -> Result<T, NotPlain> {
        let field = if self.path.is_empty() { ".".to_owned() } else { self.path.clone() };
        Err(NotPlain { field, what: what.into() })
    }

    fn reserved(&self, key: &str) -> Result<(), NotPlain> {
        if key.starts_with('$') {
            return self.wrong(format!("key `{key}`: keys that start with `$` are reserved"));
        }
        Ok(())
    }

    fn spend(&mut self, bytes: usize) -> Result<(), NotPlain> {
        match self.left.checked_sub(bytes + 1) {
            Some(left) => self.left = left,
            None => return self.wrong(format!("more than {MAX_BYTES} bytes of data")),
        }
        Ok(())
    }

    fn value(&mut self, value: &Value, depth: usize) -> Result<Json, NotPlain> {
        if depth > MAX_DEPTH {
            return self.wrong(format!("more than {MAX_DEPTH} levels, or a table within itself"));
        }
        self.spend(1)?;
        match self.values.checked_sub(1) {
            Some(left) => self.values = left,
            None => return self.wrong(format!("more than {MAX_VALUES} values")),
        }
        match value {
            Value::Nil => Ok(Json::Null),
            Value::Boolean(b) => Ok((*b).into()),
            Value::Integer(i) => Ok((*i).into()),
            Value::Number(n) if n.fract() == 0.0 && n.abs() < WHOLE => Ok((*n as i64).into()),
            Value::Number(n) => match serde_json::Number::from_f64(*n) {
                Some(number) => Ok(Json::Number(number)),
                None => self.wrong("a number that is not finite"),
            },
            Value::String(text) => {
                self.spend(text.as_bytes().len())?;
                match text.to_str() {
                    Ok(text) => Ok(text.to_owned().into()),
                    Err(_) => self.wrong("a text that is no UTF-8"),
                }
            }
            Value::Table(table) => self.table(table, depth),
            Value::UserData(data) => self.userdata(data, depth),
            Value::Function(_) => self.wrong("a function"),
            other => self.wrong(format!("a {}", other.type_name())),
        }
    }

    fn table(&mut self, table: &Table, depth: usize) -> Result<Json, NotPlain> {
        let table = &super::freeze::inner(table);
        let length = table.raw_len();
        let mark = self.path.len();
        let (mut list, mut map) = (Vec::new(), Map::new());
        for i in 1..=length {
            self.path.push_str(&format!("[{i}]"));
            let item: Value = table.raw_get(i).map_err(|e| self.lua(&e))?;
            list.push(self.value(&item, depth + 1)?);
            self.path.truncate(mark);
        }
        for pair in table.pairs::<Value, Value>() {
            let (key, item) = pair.map_err(|e| self.lua(&e))?;
            let name = match &key {
                Value::Integer(i) if *i >= 1 && *i as usize <= length => continue,
                Value::String(name) => match name.to_str() {
                    Ok(name) => name.to_owned(),
                    Err(_) => return self.wrong("a key that is no UTF-8"),
                },
                Value::Integer(i) => {
                    return self.wrong(format!("key {i}: a list without a gap starts at 1"));
                }
                other => {
                    return self.wrong(format!("a key that is a {}", other.type_name()));
                }
            };
            self.reserved(&name)?;
            self.spend(name.len())?;
            if mark > 0 {
                self.path.push('.');
            }
            self.path.push_str(&name);
            let item = self.value(&item, depth + 1)?;
            self.path.truncate(mark);
            map.insert(name, item);
        }
        match (list.is_empty(), map.is_empty()) {
            (false, false) => self.wrong("both a list and a map"),
            (true, false) => Ok(Json::Object(map)),
            _ => Ok(Json::Array(list)),
        }
    }

    fn userdata(&mut self, data: &AnyUserData, depth: usize) -> Result<Json, NotPlain> {
        if let Ok(data) = data.borrow::<Data>() {
            self.spend(data.value().to_string().len())?;
            return Ok(data.value().clone());
        }
        if let Ok(opaque) = data.borrow::<Opaque>() {
            return Ok(opaque.0.to_value());
        }
        if let Ok(node) = data.borrow::<NodeRef>() {
            return Ok(node.name().into());
        }
        if let Ok(nodes) = data.borrow::<NodeList>() {
            return Ok(nodes.names().into());
        }
        if let Ok(partitions) = data.borrow::<Partitions>() {
            return Ok(partitions.0.clone().into());
        }
        if let Ok(cluster) = data.borrow::<ClusterRef>() {
            return Ok(cluster.0.name.clone().into());
        }
        if let Ok(results) = data.borrow::<Results>() {
            let mut map = Map::new();
            for (key, value) in results.entries() {
                map.insert(key.clone(), self.value(value, depth + 1)?);
            }
            return Ok(Json::Object(map));
        }
        if let Ok(error) = data.borrow::<super::caught::Caught>() {
            return Ok(serde_json::to_value(&error.error).unwrap_or_default());
        }
        self.wrong("something that is no plain data")
    }

    fn lua(&self, error: &mlua::Error) -> NotPlain {
        NotPlain { field: self.path.clone(), what: error.to_string() }
    }
}

/// Brings plain data into Lua: scalars as they are, lists and maps read-only, handles opaque.
pub(super) fn from_json(lua: &Lua, json: &Json, strict: Option<&str>) -> mlua::Result<Value> {
    Ok(match json {
        Json::Null => Value::Nil,
        Json::Bool(b) => Value::Boolean(*b),
        Json::Number(n) => match n.as_i64() {
            Some(i) => Value::Integer(i),
            None => Value::Number(n.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::String(lua.create_string(text)?),
        Json::Array(_) | Json::Object(_) => match Handle::from_value(json) {
            Some(handle) => Value::UserData(lua.create_userdata(Opaque(handle))?),
            None => {
                let data = Data::new(json.clone(), strict.map(str::to_owned));
                Value::UserData(lua.create_userdata(data)?)
            }
        },
    })
}

/// Brings plain data into Lua as tables that the recipe may change.
pub(super) fn to_tables(lua: &Lua, json: &Json) -> mlua::Result<Value> {
    match json {
        Json::Array(items) => {
            let table = lua.create_table()?;
            for (i, item) in items.iter().enumerate() {
                table.raw_set(i + 1, to_tables(lua, item)?)?;
            }
            Ok(Value::Table(table))
        }
        Json::Object(map) if Handle::from_value(json).is_none() => {
            let table = lua.create_table()?;
            for (key, item) in map {
                table.raw_set(key.as_str(), to_tables(lua, item)?)?;
            }
            Ok(Value::Table(table))
        }
        other => from_json(lua, other, None),
    }
}
