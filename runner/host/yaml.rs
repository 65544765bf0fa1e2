//! YAML of machine configs, talosconfigs and kubeconfigs as plain data. Their text holds keys, so no error quotes it.

use std::cell::RefCell;
use std::rc::Rc;

use ops_core::error::{CallError, ErrorKind};
use ops_core::value::Value;

use super::known::Known;

thread_local! {
    static READ: RefCell<Known<Vec<Value>>> = RefCell::default();
}

/// Every document of a YAML text that is not empty.
///
/// # Errors
/// Names the line, never its content.
pub(super) fn documents(what: &str, text: &[u8]) -> Result<Rc<Vec<Value>>, CallError> {
    READ.with_borrow_mut(|known| known.get(&[text], || read(what, text)))
}

/// The same, for a text that nobody reads again.
///
/// # Errors
/// As above.
pub(super) fn read(what: &str, text: &[u8]) -> Result<Vec<Value>, CallError> {
    let wrong = |why: String| {
        CallError::new(ErrorKind::Invalid, format!("{what} is no YAML: {why}")).before_effect()
    };
    let text = std::str::from_utf8(text).map_err(|e| wrong(e.to_string()))?;
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| {
        wrong(match error.location() {
            Some(at) => format!("line {}", at.line()),
            None => "it does not end".into(),
        })
    })?;
    Ok(documents.into_iter().filter(|d| !d.is_null()).collect())
}

/// The only document of a YAML text.
///
/// # Errors
/// Where there is none, or more than one.
pub(super) fn document(what: &str, text: &[u8]) -> Result<Value, CallError> {
    let mut found = read(what, text)?;
    match (found.pop(), found.is_empty()) {
        (Some(document), true) => Ok(document),
        (None, _) => {
            Err(CallError::new(ErrorKind::Invalid, format!("{what} is empty")).before_effect())
        }
        (Some(_), false) => {
            Err(CallError::new(ErrorKind::Invalid, format!("{what} holds several documents"))
                .before_effect())
        }
    }
}
