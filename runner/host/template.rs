//! Jinja templates, strictly: a name that is not defined is an error with its place. What secrets went in makes the result secret.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::syntax::SyntaxConfig;
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind as Wrong, UndefinedBehavior, Value as Jinja,
};
use ops_core::call::template::{Provider, Render};
use ops_core::error::{CallError, ErrorKind};
use ops_core::value::{Handle, Value};

use super::HostCx;
use super::content::{Bytes, withheld};

/// Rounds of asking for what a template turned out to need; each brings at least one new thing.
const ROUNDS: usize = 200;

pub(super) fn render(call: &Render, cx: &HostCx<'_>) -> Result<Value, CallError> {
    let (name, source) = match (&call.path, &call.text) {
        (Some(path), None) => (path.clone(), text(path, cx)?),
        (None, Some(text)) => ("the template".to_owned(), text.clone()),
        _ => return Err(invalid("give either `path` or `text`")),
    };
    if let Some(provider) = call.resolve.iter().find(|p| **p != Provider::Env) {
        return Err(invalid(format!("templates cannot ask {provider:?} yet"))
            .hint("fetch the secret by a call and give it in `data`"));
    }
    let mut sealed = false;
    let data = Jinja::from(
        call.data
            .iter()
            .map(|(key, value)| Ok((key.clone(), value_of(value, &mut sealed, cx)?)))
            .collect::<Result<BTreeMap<_, _>, CallError>>()?,
    );

    // The engine takes loaders and functions that outlive this call, and ours borrow the call's context. So a template is rendered until
    // it asks for nothing new; rendering changes nothing.
    let asked = Arc::new(Mutex::new(Asked::default()));
    let env_allowed = call.resolve.contains(&Provider::Env);
    for _ in 0..ROUNDS {
        let rendered = once(&name, &source, &data, &asked, env_allowed);
        let mut open = lock(&asked);
        let (files, variables) =
            (std::mem::take(&mut open.files), std::mem::take(&mut open.variables));
        let mut new = false;
        for path in files {
            let source = text(&path, cx).ok();
            new |= source.is_some();
            open.sources.insert(path, source);
        }
        for variable in variables {
            let secret =
                cx.secrets.find("env", &variable).and_then(|found| cx.secrets.reveal(&found));
            let bytes = secret.map_err(|failure| withheld(&failure))?;
            open.values.insert(variable, String::from_utf8_lossy(&bytes).into_owned());
            (new, sealed) = (true, true);
        }
        drop(open);
        match rendered {
            _ if new => {}
            Ok(text) => return cx.keep(&Bytes { bytes: text.into_bytes(), sealed }),
            Err(error) => return Err(explain(&error, &name)),
        }
    }
    Err(invalid(format!("{name} asks for more than {ROUNDS} other files")))
}

/// What a template asked for, and what it was given.
#[derive(Default)]
struct Asked {
    files: Vec<String>,
    variables: Vec<String>,
    sources: BTreeMap<String, Option<String>>,
    values: BTreeMap<String, String>,
}

fn lock(asked: &Mutex<Asked>) -> MutexGuard<'_, Asked> {
    asked.lock().unwrap_or_else(PoisonError::into_inner)
}

fn once(
    name: &str,
    source: &str,
    data: &Jinja,
    asked: &Arc<Mutex<Asked>>,
    env_allowed: bool,
) -> Result<String, Error> {
    let mut jinja = Environment::new();
    jinja.set_undefined_behavior(UndefinedBehavior::Strict);
    jinja.set_syntax(SyntaxConfig::builder().keep_trailing_newline(true).build()?);
    jinja.set_debug(true);
    // By its name a YAML template would have every value quoted as JSON.
    jinja.set_auto_escape_callback(|_| AutoEscape::None);
    let files = Arc::clone(asked);
    jinja.set_loader(move |path| {
        let mut asked = lock(&files);
        if let Some(source) = asked.sources.get(path) {
            return Ok(source.clone());
        }
        asked.files.push(path.to_owned());
        Ok(None)
    });
    if env_allowed {
        let variables = Arc::clone(asked);
        jinja.add_function("env", move |name: String| {
            let mut asked = lock(&variables);
            if let Some(value) = asked.values.get(&name) {
                return Ok(value.clone());
            }
            asked.variables.push(name);
            Err(Error::new(Wrong::InvalidOperation, "not asked yet"))
        });
    }
    jinja.template_from_named_str(name, source)?.render(data)
}

/// A file of the repository as a template.
fn text(path: &str, cx: &HostCx<'_>) -> Result<String, CallError> {
    let file = cx.file(path)?;
    String::from_utf8(file.bytes).map_err(|_| invalid(format!("{path} is no text")))
}

/// A value as the template sees it: handles as the text behind them.
fn value_of(value: &Value, sealed: &mut bool, cx: &HostCx<'_>) -> Result<Jinja, CallError> {
    if let Some(handle) = Handle::from_value(value) {
        let content = cx.handled(&handle)?;
        *sealed |= content.sealed;
        return match String::from_utf8(content.bytes) {
            Ok(text) => Ok(Jinja::from(text)),
            Err(_) => Err(invalid("content that is no text cannot stand in a template")),
        };
    }
    Ok(match value {
        Value::Null => Jinja::from(()),
        Value::Bool(flag) => Jinja::from(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), _, _) => Jinja::from(number),
            (_, Some(number), _) => Jinja::from(number),
            (_, _, number) => Jinja::from(number.unwrap_or_default()),
        },
        Value::String(text) => Jinja::from(text.as_str()),
        Value::Array(items) => Jinja::from(
            items.iter().map(|item| value_of(item, sealed, cx)).collect::<Result<Vec<_>, _>>()?,
        ),
        Value::Object(map) => Jinja::from(
            map.iter()
                .map(|(key, item)| Ok((key.clone(), value_of(item, sealed, cx)?)))
                .collect::<Result<BTreeMap<_, _>, CallError>>()?,
        ),
    })
}

/// Where a template is wrong, and the expression that is meant.
fn explain(error: &Error, name: &str) -> CallError {
    let mut inner = error;
    // An error inside an included file stands behind the line that includes it.
    while let Some(cause) = std::error::Error::source(inner).and_then(|e| e.downcast_ref::<Error>())
    {
        inner = cause;
    }
    let place = match inner.line() {
        Some(line) => format!("{}:{line}", inner.name().unwrap_or(name)),
        None => inner.name().unwrap_or(name).to_owned(),
    };
    let expression = inner.range().zip(inner.template_source()).and_then(|(r, s)| s.get(r));
    let message = match (inner.kind(), expression) {
        (Wrong::UndefinedError, Some(expression)) => {
            format!("{place}: `{expression}` is not defined")
        }
        (Wrong::UndefinedError, None) => format!("{place}: a name that is not defined"),
        _ => format!(
            "{place}: {}",
            inner.detail().map_or_else(|| inner.kind().to_string(), str::to_owned)
        ),
    };
    match inner.kind() {
        Wrong::UndefinedError => {
            invalid(message).hint("give it in `data`, or write `| default(…)`")
        }
        _ => invalid(message),
    }
}

fn invalid(message: impl Into<String>) -> CallError {
    CallError::new(ErrorKind::Invalid, message).before_effect()
}

#[cfg(test)]
mod tests;
