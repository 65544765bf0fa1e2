//! What tools and APIs answer, read strictly into typed replies. Pure text in, data out: nothing here runs a tool.

pub mod access;
pub mod apply;
pub mod etcd;
pub mod kube;
pub mod node;
pub mod refusal;
pub mod table;
#[cfg(test)]
mod tests;

use crate::error::{CallError, ErrorKind};
use crate::value::Value;

/// A reply that cannot be read, with what was expected of it.
pub(crate) fn unreadable(what: &str, why: impl std::fmt::Display) -> CallError {
    CallError::new(ErrorKind::Parse, format!("{what}: {why}"))
        .hint("the tool answers in another form than this version of ops knows")
}

/// A typed reply as plain data. The types here have string keys and finite numbers only, so this cannot fail.
pub fn plain<T: serde::Serialize>(reply: &T) -> Value {
    serde_json::to_value(reply).unwrap_or(Value::Null)
}
