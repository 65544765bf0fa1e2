//! Errors that a recipe catches: `pcall`, `ops.try`, the argument of `on_failure`. A stop is no error and is never caught.

use mlua::{Error, Lua, MetaMethod, UserData, UserDataMethods, Value};
use ops_core::error::{CallError, Code, ErrorKind, Fault};
use serde_json::Value as Json;

use super::body::Body;
use super::raised::{self, Raised, is_memory};
use super::task::memory_fault;
use super::text;

/// A caught error.
#[derive(Clone, Debug)]
pub(super) struct Caught {
    /// What a recipe reads of it.
    pub(super) error: CallError,
    /// The error itself, to be raised again with its place.
    pub(super) raised: Raised,
}

impl Caught {
    fn field(&self, name: &str) -> Option<Json> {
        let place = match &self.raised {
            Raised::Fault(fault) | Raised::Call(_, fault) => fault.place.as_ref(),
            Raised::Unwind => None,
        };
        let error = &self.error;
        Some(match name {
            "kind" => error.kind.word().into(),
            "message" => error.message.clone().into(),
            "hint" => error.hint.clone().into(),
            "call" => error.call.clone().into(),
            "tool" => error.tool.clone().into(),
            "exit" => error.exit.into(),
            "stderr" => error.stderr.clone().into(),
            "node" => error.node.clone().into(),
            "place" => place.map(ToString::to_string).into(),
            _ => return None,
        })
    }
}

impl UserData for Caught {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| Ok(this.error.message.clone()));
        methods.add_meta_method(MetaMethod::Index, |lua, this, key: String| {
            match this.field(&key) {
                Some(json) => super::value::from_json(lua, &json, None),
                None => {
                    let known = [
                        "kind", "message", "hint", "call", "tool", "exit", "stderr", "node",
                        "place",
                    ];
                    let fault = Fault::new(Code::LUA, format!("an error has no field `{key}`"))
                        .label(format!("it has {}", known.join(", ")))
                        .did_you_mean(&key, known);
                    Err(raised::located_word(lua, fault, &key))
                }
            }
        });
        methods.add_meta_function(MetaMethod::Concat, |lua, (a, b): (Value, Value)| {
            Ok(text::of(lua, &a)? + &text::of(lua, &b)?)
        });
    }
}

/// Reads what `pcall` gave. While a stop is up for the branch, whatever was raised is raised on.
pub(super) fn catch(lua: &Lua, value: Value) -> mlua::Result<Caught> {
    let body = Body::of(lua)?;
    let error = match value {
        Value::Error(error) => *error,
        Value::String(message) => Error::RuntimeError(message.to_string_lossy()),
        other => Error::RuntimeError(format!("an error that is a {}", other.type_name())),
    };
    if let Some(arm) = body.current() {
        if is_memory(&error) {
            body.stop_all(&arm, memory_fault());
        }
        if arm.ending().is_some() {
            return Err(Raised::Unwind.into());
        }
    } else if body.deadline.passed() || is_memory(&error) {
        // A file that is loaded has no branch that could be stopped.
        return Err(error);
    }
    let raised = raised::read(&error, &body.texts);
    if matches!(raised, Raised::Unwind) {
        return Err(raised.into());
    }
    Ok(Caught { error: raised::as_call_error(&raised), raised })
}

/// What an error of this kind is, raised again.
pub(super) fn again(caught: &Caught) -> Error {
    caught.raised.clone().into()
}

/// The kinds that `ops.try` names: one, a list, or `"any"`.
///
/// # Errors
/// A word that is no kind.
pub(super) fn kinds(lua: &Lua, value: &Value) -> mlua::Result<Vec<ErrorKind>> {
    let words: Vec<String> = match super::value::to_json(value) {
        Ok(Json::String(word)) => vec![word],
        Ok(Json::Array(words)) if !words.is_empty() => {
            words.iter().map(|word| word.as_str().unwrap_or_default().to_owned()).collect()
        }
        _ => {
            let fault = Fault::new(Code::LUA, "kinds of errors are a word or a list of words");
            return Err(raised::located(lua, fault));
        }
    };
    let mut kinds = Vec::new();
    for word in words {
        if word == "any" {
            return Ok(ErrorKind::ALL.to_vec());
        }
        match ErrorKind::ALL.into_iter().find(|kind| kind.word() == word) {
            Some(kind) => kinds.push(kind),
            None => {
                let fault = Fault::new(Code::LUA, format!("`{word}` is no kind of error"))
                    .did_you_mean(&word, ErrorKind::ALL.map(ErrorKind::word));
                return Err(raised::located_word(lua, fault, &word));
            }
        }
    }
    Ok(kinds)
}
