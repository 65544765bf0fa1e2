//! Texts of values: `tostring`, `string.format`, log lines. No address of anything ever stands in one.

use mlua::{Lua, MultiValue, Table, Value, Variadic};
use ops_core::error::{Code, Fault};
use ops_core::value::{Handle, Value as Json};

use super::raised;
use super::value::opaque::Opaque;

/// The text of a value, as `tostring` and `%s` give it.
pub(super) fn of(lua: &Lua, value: &Value) -> mlua::Result<String> {
    Ok(String::from_utf8_lossy(&bytes(lua, value)?).into_owned())
}

/// The text of a value in bytes: strings are any bytes.
pub(super) fn bytes(lua: &Lua, value: &Value) -> mlua::Result<Vec<u8>> {
    Ok(match value {
        Value::String(text) => text.as_bytes().to_vec(),
        Value::Table(table) => match meta_text(lua, table)? {
            Some(text) => text,
            None => b"table".to_vec(),
        },
        Value::UserData(data) => {
            match data.metatable()?.get::<Option<mlua::Function>>("__tostring")? {
                Some(function) => function.call::<mlua::LuaString>(data)?.as_bytes().to_vec(),
                None => b"userdata".to_vec(),
            }
        }
        Value::Nil | Value::Boolean(_) | Value::Integer(_) | Value::Number(_) => {
            value.to_string()?.into_bytes()
        }
        Value::Error(error) => raised_text(error),
        other => other.type_name().as_bytes().to_vec(),
    })
}

fn raised_text(error: &mlua::Error) -> Vec<u8> {
    error.to_string().into_bytes()
}

fn meta_text(lua: &Lua, table: &Table) -> mlua::Result<Option<Vec<u8>>> {
    let Some(meta) = table.metatable() else { return Ok(None) };
    match meta.raw_get::<Value>("__tostring")? {
        Value::Function(function) => match function.call::<Value>(table)? {
            Value::String(text) => Ok(Some(text.as_bytes().to_vec())),
            _ => {
                let fault = Fault::new(Code::LUA, "`__tostring` must give a text");
                Err(raised::located(lua, fault))
            }
        },
        _ => Ok(None),
    }
}

/// `string.format` without addresses: every `%s` goes through our own text of a value, `%p` is refused.
pub(super) fn format(
    lua: &Lua,
    raw: &mlua::Function,
    args: Variadic<Value>,
) -> mlua::Result<Value> {
    let mut args: Vec<Value> = args.into_iter().collect();
    let Some(Value::String(pattern)) = args.first().cloned() else {
        return raw.call(MultiValue::from_vec(args));
    };
    let pattern = pattern.as_bytes().to_vec();
    let mut next = 1;
    let mut rest = pattern.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            continue;
        }
        let directive = rest.find(|b| !b"0123456789.-+ #".contains(b));
        match directive {
            None | Some(b'%') => continue,
            Some(b'p') => {
                let fault = Fault::new(Code::LUA, "`%p` would show an address");
                return Err(raised::located(lua, fault.label("use `%s`")));
            }
            Some(b's') => {
                if let Some(arg) = args.get_mut(next)
                    && !matches!(arg, Value::String(_))
                {
                    *arg = Value::String(lua.create_string(bytes(lua, arg)?)?);
                }
            }
            Some(_) => {}
        }
        next += 1;
    }
    raw.call(MultiValue::from_vec(args))
}

/// The text of a log line: a format and its arguments, or one value.
pub(super) fn message(lua: &Lua, args: Variadic<Value>) -> mlua::Result<String> {
    let format: mlua::Function = lua.named_registry_value("ops.format")?;
    match args.as_slice() {
        [] => Ok(String::new()),
        [one] => of(lua, one),
        _ => Ok(format.call::<mlua::LuaString>(args)?.to_string_lossy()),
    }
}

/// The text of plain data: as Lua would write it, shortened.
pub(super) fn data(value: &Json) -> String {
    const LONG: usize = 400;
    let mut out = String::new();
    write(value, &mut out);
    if out.len() > LONG {
        let cut = (0..=LONG).rev().find(|at| out.is_char_boundary(*at)).unwrap_or(0);
        out.truncate(cut);
        out.push('…');
    }
    out
}

fn write(value: &Json, out: &mut String) {
    match value {
        Json::Null => out.push_str("nil"),
        Json::Array(items) => {
            out.push_str("{ ");
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                write(item, out);
            }
            out.push_str(" }");
        }
        Json::Object(map) => match Handle::from_value(value) {
            Some(handle) => out.push_str(&Opaque(handle).shown()),
            None => {
                out.push_str("{ ");
                let mut keys: Vec<&String> = map.keys().collect();
                keys.sort_unstable();
                for (i, key) in keys.into_iter().enumerate() {
                    out.push_str(if i > 0 { ", " } else { "" });
                    out.push_str(key);
                    out.push_str(" = ");
                    write(&map[key], out);
                }
                out.push_str(" }");
            }
        },
        other => out.push_str(&other.to_string()),
    }
}

/// The error of writing to something read-only.
pub(super) fn read_only(lua: &Lua, key: &Value) -> mlua::Error {
    let key = of(lua, key).unwrap_or_default();
    let fault = Fault::new(Code::LUA, format!("`{key}` cannot be set: this table is read-only"))
        .help("make a table of your own and copy what you need");
    raised::located_word(lua, fault, &key)
}
