//! `semver.parse` and `image.parse`: versions that compare, and the parts of an image's name.

use std::cmp::Ordering;

use mlua::{Lua, MetaMethod, Table, UserData, UserDataMethods, Value};
use ops_core::error::{Code, Fault};
use serde_json::json;

use super::{text_of, wrong};
use crate::lua::sandbox::borrow;
use crate::lua::{raised, value};

/// A version by semver.org, with or without a leading `v`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    typed: String,
    numbers: [u64; 3],
    pre: Vec<String>,
}

impl Version {
    fn parse(typed: &str) -> Option<Version> {
        let text = typed.strip_prefix('v').unwrap_or(typed);
        let text = text.split_once('+').map_or(text, |(version, _)| version);
        let (core, pre) =
            text.split_once('-').map_or((text, None), |(core, pre)| (core, Some(pre)));
        let mut numbers = [0; 3];
        let mut parts = core.split('.');
        for number in &mut numbers {
            let part = parts.next()?;
            if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            *number = part.parse().ok()?;
        }
        let pre: Vec<String> =
            pre.map(|pre| pre.split('.').map(str::to_owned).collect()).unwrap_or_default();
        let sound = |part: &String| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        (parts.next().is_none() && pre.iter().all(sound)).then(|| Version {
            typed: typed.to_owned(),
            numbers,
            pre,
        })
    }

    /// The order of semver.org: a pre-release comes before its release, numbers before words.
    fn order(&self, other: &Version) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| {
            match (self.pre.is_empty(), other.pre.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => {
                    let part =
                        |(a, b): (&String, &String)| match (a.parse::<u64>(), b.parse::<u64>()) {
                            (Ok(a), Ok(b)) => a.cmp(&b),
                            (Ok(_), Err(_)) => Ordering::Less,
                            (Err(_), Ok(_)) => Ordering::Greater,
                            (Err(_), Err(_)) => a.cmp(b),
                        };
                    let parts = self.pre.iter().zip(&other.pre).map(part);
                    parts
                        .fold(Ordering::Equal, Ordering::then)
                        .then_with(|| self.pre.len().cmp(&other.pre.len()))
                }
            }
        })
    }
}

impl UserData for Version {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| Ok(this.typed.clone()));
        methods.add_meta_method(MetaMethod::Index, |lua, this, key: String| {
            let json = match key.as_str() {
                "major" => this.numbers[0].into(),
                "minor" => this.numbers[1].into(),
                "patch" => this.numbers[2].into(),
                "pre" => this.pre.join(".").into(),
                other => {
                    let known = ["major", "minor", "patch", "pre"];
                    let fault = Fault::new(Code::LUA, format!("a version has no field `{other}`"))
                        .did_you_mean(other, known);
                    return Err(raised::located_word(lua, fault, other));
                }
            };
            value::from_json(lua, &json, None)
        });
        methods.add_meta_function(MetaMethod::Lt, |lua, pair| Ok(compare(lua, &pair)?.is_lt()));
        methods.add_meta_function(MetaMethod::Le, |lua, pair| Ok(compare(lua, &pair)?.is_le()));
        methods.add_meta_function(MetaMethod::Eq, |lua, pair| Ok(compare(lua, &pair)?.is_eq()));
    }
}

/// A version, or a text that is one.
fn version(lua: &Lua, value: &Value) -> mlua::Result<Version> {
    if let Some(version) = borrow::<Version>(value) {
        return Ok(version.clone());
    }
    let typed = text_of(lua, "semver.parse", value)?;
    Version::parse(&typed).ok_or_else(|| {
        wrong(lua, "semver.parse", format!("`{typed}` is no version such as v1.13.0"))
    })
}

fn compare(lua: &Lua, (a, b): &(Value, Value)) -> mlua::Result<Ordering> {
    Ok(version(lua, a)?.order(&version(lua, b)?))
}

/// Adds `semver.parse`.
pub(super) fn semver(lua: &Lua, table: &Table) -> mlua::Result<()> {
    table.raw_set("parse", lua.create_function(|lua, value: Value| version(lua, &value))?)
}

/// Adds `image.parse`: `{ registry, repository, tag, digest }`.
pub(super) fn image(lua: &Lua, table: &Table) -> mlua::Result<()> {
    let parse = lua.create_function(|lua, value: Value| {
        let typed = text_of(lua, "image.parse", &value)?;
        let (rest, digest) = match typed.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (typed.as_str(), None),
        };
        // A colon behind the last slash begins the tag; one before it the registry's port.
        let (rest, tag) = match rest.rsplit_once(':') {
            Some((rest, tag)) if !tag.contains('/') => (rest, Some(tag)),
            _ => (rest, None),
        };
        let (registry, repository) = match rest.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path),
            _ => ("docker.io", rest),
        };
        if repository.is_empty() || repository.contains(char::is_whitespace) {
            return Err(wrong(lua, "image.parse", format!("`{typed}` names no image")));
        }
        let parts = json!({
            "registry": registry, "repository": repository, "tag": tag, "digest": digest,
        });
        value::from_json(lua, &parts, Some("image.parse"))
    })?;
    table.raw_set("parse", parse)
}
