//! Jinja templates, strictly: a name that is not defined is an error with its place. What secrets went in makes the result secret.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Enumerator, Object};
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind as Wrong, UndefinedBehavior, Value as Jinja,
};
use ops_core::call::template::{Provider, Render};
use ops_core::error::{CallError, ErrorKind, Place};
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
    let data = call
        .data
        .iter()
        .map(|(key, value)| Ok((key.clone(), value_of(value, &mut sealed, cx)?)))
        .collect::<Result<BTreeMap<_, _>, CallError>>()?;
    let ask = if call.resolve.contains(&Provider::Env) { Ask::Secrets } else { Ask::Nothing };
    let filled = fill(&name, &source, &data, ask, cx)?;
    let bytes = Bytes { bytes: filled.text.into_bytes(), sealed: sealed || filled.sealed };
    cx.keep(&bytes)
}

/// What a template may ask the environment for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// For nothing.
    Nothing,
    /// For secrets, by `env("NAME")`.
    Secrets,
    /// For variables: `ENV.NAME`, as minijinja-cli has it, or `env("NAME")`.
    Variables,
}

/// A template filled in.
pub(super) struct Filled {
    pub(super) text: String,
    /// A secret went in.
    pub(super) sealed: bool,
}

/// Fills a template in.
///
/// # Errors
/// At its line in `name`, or in the file that it includes.
pub(super) fn fill(
    name: &str,
    source: &str,
    data: &BTreeMap<String, Jinja>,
    ask: Ask,
    cx: &HostCx<'_>,
) -> Result<Filled, CallError> {
    // The engine takes loaders and functions that outlive this call, and ours borrow the call's context. So a template is rendered until
    // it asks for nothing new; rendering changes nothing.
    let asked = Arc::new(Mutex::new(Asked::default()));
    let mut sealed = false;
    for _ in 0..ROUNDS {
        let rendered = once(name, source, data.clone(), &asked, ask);
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
            if ask == Ask::Variables {
                let value = cx.secrets.variable(&variable);
                open.values.insert(variable, value);
                // Also that it is not set is news: the next round says so in its own words.
                new = true;
                continue;
            }
            let secret =
                cx.secrets.find("env", &variable).and_then(|found| cx.secrets.reveal(&found));
            let bytes = secret.map_err(|failure| withheld(&failure))?;
            open.values.insert(variable, Some(String::from_utf8_lossy(&bytes).into_owned()));
            (new, sealed) = (true, true);
        }
        drop(open);
        match rendered {
            _ if new => {}
            Ok(text) => return Ok(Filled { text, sealed }),
            Err(error) => return Err(explain(&error, name)),
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
    /// Variables; nothing where there is none of the name.
    values: BTreeMap<String, Option<String>>,
}

/// `ENV` in a template: every variable of the environment by its name.
#[derive(Debug)]
struct Variables(Arc<Mutex<Asked>>);

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Asked")
    }
}

impl Object for Variables {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        let name = key.as_str()?;
        let mut asked = lock(&self.0);
        if let Some(value) = asked.values.get(name) {
            return value.clone().map(Jinja::from);
        }
        asked.variables.push(name.to_owned());
        None
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

fn lock(asked: &Mutex<Asked>) -> MutexGuard<'_, Asked> {
    asked.lock().unwrap_or_else(PoisonError::into_inner)
}

fn once(
    name: &str,
    source: &str,
    mut data: BTreeMap<String, Jinja>,
    asked: &Arc<Mutex<Asked>>,
    ask: Ask,
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
    if ask != Ask::Nothing {
        let variables = Arc::clone(asked);
        jinja.add_function("env", move |name: String| {
            let mut asked = lock(&variables);
            match asked.values.get(&name) {
                Some(Some(value)) => return Ok(value.clone()),
                Some(None) => {
                    let why = format!("the variable `{name}` is not set");
                    return Err(Error::new(Wrong::InvalidOperation, why));
                }
                None => asked.variables.push(name),
            }
            Err(Error::new(Wrong::InvalidOperation, "not asked yet"))
        });
    }
    if ask == Ask::Variables {
        data.insert("ENV".into(), Jinja::from_object(Variables(Arc::clone(asked))));
    }
    jinja.template_from_named_str(name, source)?.render(Jinja::from(data))
}

/// A file of the repository as a template.
fn text(path: &str, cx: &HostCx<'_>) -> Result<String, CallError> {
    let file = cx.file(path)?;
    String::from_utf8(file.bytes).map_err(|_| invalid(format!("{path} is no text")))
}

/// A value as the template sees it: handles as the text behind them.
pub(super) fn value_of(
    value: &Value,
    sealed: &mut bool,
    cx: &HostCx<'_>,
) -> Result<Jinja, CallError> {
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
    let file = inner.name().unwrap_or(name);
    let expression = inner.range().zip(inner.template_source()).and_then(|(r, s)| s.get(r));
    let what = match (inner.kind(), expression) {
        (Wrong::UndefinedError, Some(expression)) => format!("`{expression}` is not defined"),
        (Wrong::UndefinedError, None) => "a name that is not defined".to_owned(),
        _ => inner.detail().map_or_else(|| inner.kind().to_string(), str::to_owned),
    };
    let mut error = match inner.line() {
        Some(line) => invalid(format!("{file}:{line}: {what}")).at(place(inner, file, line)),
        None => invalid(format!("{file}: {what}")),
    };
    if inner.kind() == Wrong::UndefinedError {
        error = error.hint(match expression {
            Some(variable) if variable.starts_with("ENV") => {
                "set the variable in the environment, or write `| default(…)`"
            }
            _ => "give it in `data`, or write `| default(…)`",
        });
    }
    error
}

fn place(error: &Error, file: &str, line: usize) -> Place {
    let source = error.template_source().unwrap_or_default();
    let column = error.range().map_or(0, |range| {
        let before = source.get(..range.start).unwrap_or_default();
        before.rsplit('\n').next().unwrap_or_default().chars().count() + 1
    });
    let marked = error.range().and_then(|range| source.get(range));
    Place {
        file: file.to_owned(),
        line: line as u32,
        column: column as u32,
        length: marked.and_then(|m| m.lines().next()).map_or(0, |m| m.chars().count()) as u32,
        text: source.lines().nth(line.max(1) - 1).map(str::to_owned),
    }
}

fn invalid(message: impl Into<String>) -> CallError {
    CallError::new(ErrorKind::Invalid, message).before_effect()
}

#[cfg(test)]
mod tests;
