//! Host calls: from a Lua table to a request that the engine can take, checked and located while the recipe's line is known.

use std::rc::Rc;

use mlua::{AnyUserData, Lua, MultiValue, Table, Value};
use ops_core::call::Request;
use ops_core::effect::Effect;
use ops_core::error::{CallError, Code, Fault, Place};
use ops_core::value::{Map, NotPlain, Value as Json};

use super::arm::Arm;
use super::body::Body;
use super::place::{Line, here};
use super::task::Op;
use super::{raised, sandbox, value};
use crate::recipe::source::EMBEDDED;

/// Replies of these are the data of others, where a missing field is nothing unusual.
const PLAIN: [&str; 12] = [
    "cx", "kube", "helm", "flux", "yaml", "json", "toml", "http", "template", "tool", "secrets",
    "prompt",
];

/// Something for Lua to wait for.
pub(super) fn operation(
    lua: &Lua,
    future: impl Future<Output = mlua::Result<Value>> + 'static,
) -> mlua::Result<AnyUserData> {
    lua.create_userdata(Op(Some(Box::pin(future))))
}

/// Checks a host call and gives what Lua waits for.
///
/// # Errors
/// A call at the wrong place, or a table that is no valid call of this type; located.
pub(super) fn call(lua: &Lua, name: &str, args: &MultiValue) -> mlua::Result<AnyUserData> {
    let body = Body::of(lua)?;
    let arm = body.arm(lua, name)?;
    outside_metamethods(lua, name)?;
    let line = line_of(lua, &body, name);
    let table = match (args.len(), args.front()) {
        (1, Some(Value::Table(table))) => table.clone(),
        (1, Some(Value::String(_))) if !name.contains('.') => {
            // `sh "make"` reads well, and means the same as `sh { "make" }`.
            lua.create_sequence_from(args.iter().cloned())?
        }
        _ => {
            let fault = Fault::new(Code::CALL_FIELD, format!("`{name}` takes one table"))
                .label("a host call has braces")
                .help(format!("write `{name} {{ … }}`"));
            return Err(raised::fault(put(fault, line.and_then(|l| body.texts.at(l)))));
        }
    };
    let (request, effect) = request(&body, name, &table, line)?;
    if effect == Effect::Destroys {
        arm.note_destroyed();
    }
    let id = arm.next_call();
    let (lua_later, name) = (lua.clone(), name.to_owned());
    operation(lua, async move {
        let place = request.place.clone();
        match body.ask(&arm, id, request).await {
            Ok(reply) => {
                let space = name.split('.').next().unwrap_or(&name);
                let strict = (!PLAIN.contains(&space)).then_some(name.as_str());
                value::from_json(&lua_later, &reply, strict)
            }
            Err(error) => Err(failed(error, &name, place)),
        }
    })
}

/// The error of a call that failed.
pub(super) fn failed(mut error: CallError, name: &str, place: Option<Place>) -> mlua::Error {
    if error.call.is_empty() {
        name.clone_into(&mut error.call);
    }
    let mut fault = Fault::new(Code::CALL_FAILED, format!("{name}: {}", error.message));
    match &error.place {
        // The mistake is in a file that the call read, not in the line that makes the call.
        Some(mistake) => {
            fault.place = Some(mistake.clone());
            // Where a recipe of `ops` makes the call is of no use to who mends the file.
            let place = place.filter(|line| !line.file.starts_with(EMBEDDED));
            fault.details.extend(place.map(|line| format!("called at {line}")));
        }
        None => {
            fault.place = place.map(Box::new);
            fault.label = Some(error.kind.word().to_owned());
        }
    }
    if !error.stderr.is_empty() {
        fault.details.push(error.stderr.clone());
    }
    fault.help.extend(error.hint.clone());
    raised::failure(error, fault)
}

fn put(mut fault: Fault, place: Option<Place>) -> Fault {
    fault.place = place.map(Box::new);
    fault
}

/// The line that makes a call. A tail call leaves no frame; then it is the line where the call's name was last looked up.
pub(super) fn line_of(lua: &Lua, body: &Body, name: &str) -> Option<Line> {
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method is not general enough"
    )]
    let tail = lua.inspect_stack(1, |debug| debug.is_tail_call()) == Some(true);
    let noted = body.noted(name);
    if tail { noted.or_else(|| here(lua)) } else { here(lua).or(noted) }
}

/// A metamethod may run inside C code that cannot wait, or not, as Lua pleases: no call is made in any.
pub(super) fn outside_metamethods(lua: &Lua, name: &str) -> mlua::Result<()> {
    for level in 1.. {
        match lua.inspect_stack(level, |debug| debug.names().name_what == Some("metamethod")) {
            Some(true) => return Err(sandbox::misplaced(lua, name)),
            Some(false) => {}
            None => break,
        }
    }
    Ok(())
}

fn request(
    body: &Rc<Body>,
    name: &str,
    table: &Table,
    line: Option<Line>,
) -> mlua::Result<(Request, Effect)> {
    let texts = &body.texts;
    let info = body.calls.info(name);
    let subject = info.and_then(|info| info.subject);
    let (args, count) = match fields(table, subject) {
        Ok(fields) => fields,
        Err(wrong) => {
            let key = wrong.field.split(['.', '[']).next().unwrap_or_default().to_owned();
            let field =
                if wrong.field == "." { String::new() } else { format!("`{}`: ", wrong.field) };
            let fault = Fault::new(Code::VALUE, format!("{name}: {field}{}", wrong.what));
            let place = line.and_then(|line| texts.key(line, &key));
            return Err(raised::fault(put(fault, place)));
        }
    };
    let place = line.and_then(|line| texts.word(line, name));
    let mut request = Request { call: name.to_owned(), args, place };
    match body.calls.settle(&mut request, count == 1) {
        Ok(effect) => Ok((request, effect)),
        Err(invalid) => {
            let title = match (&invalid.field, subject) {
                (None, Some(subject))
                    if !request.args.contains_key(subject)
                        && invalid.message.contains(&format!("`{subject}`")) =>
                {
                    format!("{name}: the subject `{subject}` is nil")
                }
                _ => format!("{name}: {}", invalid.message),
            };
            let mut fault = Fault::new(Code::CALL_FIELD, title);
            let mut place = line.and_then(|line| texts.word(line, name));
            if let Some(field) = &invalid.field {
                fault = fault.did_you_mean(field, invalid.known.iter().map(String::as_str));
                place = line.and_then(|line| texts.key(line, field));
            }
            if !invalid.known.is_empty() {
                fault = fault.label(format!("known: {}", invalid.known.join(", ")));
            }
            Err(raised::fault(put(fault, place)))
        }
    }
}

/// The fields of a call's table; its first entry under the subject's own name. Gives also how many entries stood without a name.
fn fields(table: &Table, subject: Option<&str>) -> Result<(Map<String, Json>, usize), NotPlain> {
    let wrong = |what: String| NotPlain { field: ".".into(), what };
    let count = table.raw_len();
    let copy = value::to_json_parts(table, count)?;
    let (mut named, positional) = copy;
    match (positional.len(), subject) {
        (0, _) => {}
        (_, None) => return Err(wrong("takes only named fields".into())),
        (n, Some(subject)) => {
            if named.contains_key(subject) {
                let what = format!("the subject stands first and again as `{subject}`");
                return Err(NotPlain { field: subject.into(), what });
            }
            let mut positional = positional;
            let value = if n == 1 { positional.remove(0) } else { Json::Array(positional) };
            named.insert(subject.to_owned(), value);
        }
    }
    // A field that is nil was not given.
    named.retain(|_, value| !value.is_null());
    Ok((named, count))
}

/// Asks the engine for something of its own, such as a nested step.
pub(super) async fn internal(
    lua: Lua,
    body: Rc<Body>,
    arm: Rc<Arm>,
    id: ops_core::ident::CallId,
    request: Request,
) -> mlua::Result<Value> {
    let (name, place) = (request.call.clone(), request.place.clone());
    match body.ask(&arm, id, request).await {
        Ok(reply) => value::from_json(&lua, &reply, None),
        Err(error) => Err(failed(error, &name, place)),
    }
}
