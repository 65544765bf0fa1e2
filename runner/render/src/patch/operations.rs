//! RFC 6902 operations with the liberties of the library Talos uses: `replace`
//! adds what is missing, indices may be negative, null is as good as absent.

use super::input::{Kind, Operation, Patch};
use super::json::Json;
use super::json_from_yaml::{to_json, to_yaml};
use crate::diagnostic::{Code, Diagnostic, Mark};
use crate::yaml::read::{Source, mark_at, read};

/// Applies neighbouring JSON patches to a config's text.
pub(super) fn apply(
    name: &str,
    config: &str,
    patches: &[Patch],
) -> Result<String, Vec<Diagnostic>> {
    let one = |problem| vec![problem];
    let first = patches.first().map_or(name, |patch| &patch.file);
    let documents = read(Source { name, bytes: config.as_bytes() }).map_err(one)?;
    let [document] = &documents[..] else {
        let message = format!(
            "a JSON patch needs a config of one document, this one has {}",
            documents.len()
        );
        let problem = Diagnostic::new(Code::JSON_PATCH, first, Mark::default(), message)
            .hint("write the change as a strategic merge patch");
        return Err(vec![problem]);
    };
    // The older of Talos' YAML libraries reads fewer characters.
    if let Some(at) = config.find(old_control) {
        let mark = mark_at(&config.as_bytes()[..at]);
        let message = "with this control character a JSON patch cannot be applied";
        return Err(vec![Diagnostic::new(Code::JSON_PATCH, name, mark, message)]);
    }
    let mut json = to_json(name, document).map_err(one)?;
    for patch in patches {
        let Kind::Json(operations) = &patch.kind else { continue };
        for operation in operations {
            run(&mut json, operation).map_err(|message| {
                vec![Diagnostic::new(Code::JSON_PATCH, &patch.file, operation.mark, message)]
            })?;
        }
    }
    if json.has_text(&|text| text.contains(old_control)) {
        let message = "with a control character in the config a JSON patch cannot be applied";
        return Err(vec![Diagnostic::new(Code::JSON_PATCH, first, Mark::default(), message)]);
    }
    let kept = patches.iter().filter_map(|patch| match &patch.kind {
        Kind::Json(operations) => Some(operations),
        Kind::Strategic(_) => None,
    });
    let writes = |operation: &&Operation| matches!(operation.op.as_str(), "add" | "replace");
    let odd_key = kept.flatten().filter(writes).find_map(|one| one.odd_key.as_deref());
    if let Some(text) = json.no_yaml().or(odd_key) {
        let message = format!(
            "`{text}` is spelt with an escape that YAML does not know; the original refuses it"
        );
        let problem = Diagnostic::new(Code::JSON_PATCH, first, Mark::default(), message);
        return Err(vec![problem.hint("write the characters themselves")]);
    }
    Ok(to_yaml(&json))
}

fn old_control(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{9f}') && c != '\u{85}'
}

fn run(root: &mut Json, operation: &Operation) -> Result<(), String> {
    let path = operation.path.as_deref().ok_or("the operation has no `path`");
    let from = operation.from.as_deref().ok_or("the operation has no `from`");
    let value = || operation.value.clone().unwrap_or(Json::Null);
    match operation.op.as_str() {
        "add" => {
            let path = path?;
            let (place, key) = find(root, path)?;
            add(place, &key, value()).map_err(|why| format!("cannot add `{path}`: {why}"))
        }
        "remove" => {
            let path = path?;
            let (place, key) = find(root, path)?;
            remove(place, &key).map(drop).map_err(|why| format!("cannot remove `{path}`: {why}"))
        }
        "replace" if path?.is_empty() => match value() {
            whole @ (Json::Object(_) | Json::Array(_)) => {
                *root = whole;
                Ok(())
            }
            _ => Err("the whole config can only be replaced by an object".to_owned()),
        },
        "replace" => {
            let path = path?;
            let (place, key) = find(root, path)?;
            replace(place, &key, value()).map_err(|why| format!("cannot replace `{path}`: {why}"))
        }
        "move" => {
            let (from, path) = (from?, path?);
            let (place, key) = find(root, from)?;
            let moved =
                remove(place, &key).map_err(|why| format!("cannot move `{from}`: {why}"))?;
            let (place, key) = find(root, path)?;
            add(place, &key, moved).map_err(|why| format!("cannot move to `{path}`: {why}"))
        }
        "copy" => {
            let (from, path) = (from?, path?);
            let (place, key) = find(root, from)?;
            let copied = get(place, &key).map_err(|why| format!("cannot copy `{from}`: {why}"))?;
            let copied = copied.cloned().unwrap_or(Json::Null);
            let (place, key) = find(root, path)?;
            add(place, &key, copied).map_err(|why| format!("cannot copy to `{path}`: {why}"))
        }
        "test" => test(root, path?, operation),
        other => Err(format!(
            "`{other}` is no operation; there are add, remove, replace, move, copy, test"
        )),
    }
}

fn test(root: &mut Json, path: &str, operation: &Operation) -> Result<(), String> {
    let failed = || format!("`test` failed: `{path}` is not the value given");
    if path.is_empty() {
        let equal = operation.value.as_ref().is_some_and(|value| root.same(value));
        return if equal { Ok(()) } else { Err(failed()) };
    }
    let (place, key) = find(root, path)?;
    let found = get(place, &key).map_err(|why| format!("cannot test `{path}`: {why}"))?;
    let equal = match (found, &operation.value) {
        (None | Some(Json::Null), None | Some(Json::Null)) => true,
        (None | Some(Json::Null), _) | (_, None) => false,
        (Some(found), Some(value)) => found.same(value),
    };
    if equal { Ok(()) } else { Err(failed()) }
}

/// The object or array that holds the last step of a pointer, and that step.
fn find<'j>(root: &'j mut Json, path: &str) -> Result<(&'j mut Json, String), String> {
    let missing = || format!("the config has no place `{path}`");
    let steps: Vec<String> = path.split('/').map(unescape).collect();
    if steps.len() < 2 {
        return Err(format!("`{path}` is no JSON pointer like `/machine/type`"));
    }
    let mut place = root;
    for step in &steps[1..steps.len() - 1] {
        place = match place {
            Json::Object(object) => object.get_mut(step).ok_or_else(missing)?,
            Json::Array(items) => {
                let at = index(step, items.len()).map_err(|_| missing())?;
                items.get_mut(at).ok_or_else(missing)?
            }
            _ => return Err(missing()),
        };
    }
    match place {
        Json::Object(_) | Json::Array(_) | Json::SpeltNull => {
            Ok((place, steps[steps.len() - 1].clone()))
        }
        _ => Err(missing()),
    }
}

/// `~1` is a slash, `~0` a tilde; what one escape gives is no other escape.
fn unescape(step: &str) -> String {
    let mut out = String::new();
    let mut rest = step;
    while let Some(at) = rest.find('~') {
        out += &rest[..at];
        let (character, skip) = match rest.as_bytes().get(at + 1) {
            Some(b'1') => ('/', 2),
            Some(b'0') => ('~', 2),
            _ => ('~', 1),
        };
        out.push(character);
        rest = &rest[at + skip..];
    }
    out + rest
}

/// An index, negative ones counted from `length`.
fn index(step: &str, length: usize) -> Result<usize, String> {
    let at: i64 = step.parse().map_err(|_| format!("`{step}` is no index"))?;
    let at = if at < 0 { at + length as i64 } else { at };
    usize::try_from(at).map_err(|_| format!("the list has no item {step}"))
}

fn get<'j>(place: &'j Json, key: &str) -> Result<Option<&'j Json>, String> {
    match place {
        Json::Object(object) => Ok(object.get(key)),
        Json::Array(items) => {
            let at = index(key, items.len())?;
            items.get(at).map(Some).ok_or_else(|| format!("the list has no item {key}"))
        }
        _ => Ok(None),
    }
}

fn add(place: &mut Json, key: &str, value: Json) -> Result<(), String> {
    match place {
        Json::Object(object) => {
            object.insert(key.to_owned(), value);
            Ok(())
        }
        Json::Array(items) if key == "-" => {
            items.push(value);
            Ok(())
        }
        Json::Array(items) => {
            let at = index(key, items.len() + 1)?;
            if at > items.len() {
                return Err(format!("the list has no place {key}"));
            }
            items.insert(at, value);
            Ok(())
        }
        _ => Err("null stands there; the original crashes on it".to_owned()),
    }
}

fn replace(place: &mut Json, key: &str, value: Json) -> Result<(), String> {
    match place {
        Json::Array(items) => {
            let at = index(key, items.len())?;
            let slot = items.get_mut(at).ok_or_else(|| format!("the list has no item {key}"))?;
            *slot = value;
            Ok(())
        }
        place => add(place, key, value),
    }
}

fn remove(place: &mut Json, key: &str) -> Result<Json, String> {
    match place {
        Json::Object(object) => object.remove(key).ok_or_else(|| format!("there is no `{key}`")),
        Json::Array(items) => {
            let at = index(key, items.len())?;
            if at < items.len() {
                Ok(items.remove(at))
            } else {
                Err(format!("the list has no item {key}"))
            }
        }
        _ => Err(format!("there is no `{key}`")),
    }
}
