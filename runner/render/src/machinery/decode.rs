//! YAML nodes to typed values, by go-yaml's rules: what null does, which
//! scalars fit which type, how merge keys and aliases count. Unknown keys are
//! not its business, `strict` looks for them.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::any::Any;
use super::codec::decode_base64;
use super::profile::{Codec, GoYaml, Profile, Shape, TypeId};
use super::value::Value;
use crate::diagnostic::{Code, Diagnostic, Mark};
use crate::yaml::node::{Data, Node};
use crate::yaml::scalar::{Dialect, Meaning, resolve};

/// Reads a document into a value of a type. Gives every problem found.
pub(crate) fn decode(
    profile: &Profile,
    file: &str,
    node: &Node,
    type_id: TypeId,
) -> Result<Value, Vec<Diagnostic>> {
    let mut decoder = Decoder::new(profile, file);
    let mut value = Value::zero(profile, type_id);
    decoder.construct(node, type_id, &mut value);
    if decoder.problems.is_empty() { Ok(value) } else { Err(decoder.problems) }
}

/// Whether a node is null: by its text, or because it says so.
pub(crate) fn is_null(node: &Node) -> bool {
    node.is_scalar() && matches!(meaning(node), Ok(Meaning::Null))
}

/// The meaning of a scalar under its tag and quoting.
pub(crate) fn meaning(node: &Node) -> Result<Meaning, String> {
    let Data::Scalar { text, plain } = &node.data else { return Ok(Meaning::Text) };
    let Some(tag) = node.tag.as_deref() else {
        return Ok(if *plain { resolve(text, Dialect::V4) } else { Meaning::Text });
    };
    match (tag, resolve(text, Dialect::V4)) {
        ("!!float", Meaning::Int(value)) => Ok(Meaning::Float(value as f64)),
        ("!!bool" | "!!int" | "!!float" | "!!null" | "!!timestamp", found) => {
            if found.tag() == tag {
                Ok(found)
            } else {
                Err(format!("`{text}` is tagged {tag}, but is none"))
            }
        }
        ("!!merge", _) => Ok(Meaning::Merge),
        _ => Ok(Meaning::Text),
    }
}

pub(super) struct Decoder<'p> {
    pub(super) profile: &'p Profile,
    file: &'p str,
    problems: Vec<Diagnostic>,
    constructs: usize,
    aliased: usize,
    alias_depth: usize,
    given_up: bool,
}

impl<'p> Decoder<'p> {
    fn new(profile: &'p Profile, file: &'p str) -> Decoder<'p> {
        Decoder {
            profile,
            file,
            problems: Vec::new(),
            constructs: 0,
            aliased: 0,
            alias_depth: 0,
            given_up: false,
        }
    }

    pub(super) fn problem(&mut self, mark: Mark, message: impl Into<String>) -> bool {
        self.problems.push(Diagnostic::new(Code::WRONG_TYPE, self.file, mark, message));
        false
    }

    pub(super) fn mismatch(&mut self, node: &Node, type_id: TypeId) -> bool {
        let found = match &node.data {
            Data::Scalar { text, .. } => format!("`{}`", shortened(text)),
            Data::Sequence(_) => "a list".to_owned(),
            Data::Mapping(_) => "a mapping".to_owned(),
            Data::Alias(_) => "an alias".to_owned(),
        };
        let wanted = self.expected(type_id);
        self.problem(node.mark, format!("{wanted} is expected here, not {found}"))
    }

    fn expected(&self, type_id: TypeId) -> &'static str {
        let kind = self.profile.get(type_id);
        match (&kind.codec, &kind.shape) {
            (_, Shape::Pointer(inner)) => self.expected(*inner),
            (Some(Codec::Duration), _) => "a duration like 30s",
            (Some(Codec::Argument), _) => "text or a list of texts",
            (Some(Codec::PortRange), _) => "a port or a range of ports like 80-90",
            (Some(codec), _) if codec.is_text() => "text",
            (_, Shape::Bool) => "true or false",
            (_, Shape::Int { signed: true, .. }) => "a whole number",
            (_, Shape::Int { bits: 8, .. }) => "a whole number from 0 to 255",
            (_, Shape::Int { bits: 16, .. }) => "a whole number from 0 to 65535",
            (_, Shape::Int { .. }) => "a whole number from 0",
            (_, Shape::Float) => "a number",
            (_, Shape::List(_)) => "a list",
            (_, Shape::Map(_) | Shape::Struct(_)) => "a mapping",
            _ => "text",
        }
    }

    /// go-yaml's guard against aliases that multiply: most of a large document
    /// may not come out of aliases.
    fn count(&mut self, node: &Node) -> bool {
        self.constructs += 1;
        self.aliased += usize::from(self.alias_depth > 0);
        let ratio = self.aliased as f64 / self.constructs as f64;
        let allowed = match self.constructs {
            0..=400_000 => 0.99,
            4_000_000.. => 0.10,
            count => 0.99 - 0.89 * ((count - 400_000) as f64 / 3_600_000.0),
        };
        if self.aliased > 100 && self.constructs > 1000 && ratio > allowed && !self.given_up {
            self.given_up = true;
            self.problem(node.mark, "the document repeats itself too often through aliases");
        }
        !self.given_up
    }

    fn construct(&mut self, node: &Node, type_id: TypeId, out: &mut Value) -> bool {
        if !self.count(node) {
            return false;
        }
        let kind = self.profile.get(type_id);
        let aliased = matches!(node.data, Data::Alias(_));
        let refused = !aliased || self.profile.go_yaml == GoYaml::Rc4;
        if !node.is_scalar() && refused && self.reads_text(type_id) {
            return self.mismatch(node, type_id);
        }
        if let Data::Alias(target) = &node.data {
            self.alias_depth += 1;
            let good = self.construct(target, type_id, out);
            self.alias_depth -= 1;
            return good;
        }
        if !is_null(node) {
            if let Shape::Pointer(elem) = kind.shape {
                if *out == Value::Nil {
                    *out = Value::Pointer(Box::new(Value::zero(self.profile, elem)));
                }
                let Value::Pointer(inner) = out else { return false };
                return self.inside(node, elem, inner);
            }
            return self.inside(node, type_id, out);
        }
        self.scalar(node, type_id, out)
    }

    /// The rest of `construct` once pointers are followed and null is ruled out.
    fn inside(&mut self, node: &Node, type_id: TypeId, out: &mut Value) -> bool {
        let kind = self.profile.get(type_id);
        if let Shape::Pointer(_) = kind.shape {
            return self.construct(node, type_id, out);
        }
        if let Some(codec) = kind.codec.as_ref().filter(|codec| codec.is_own()) {
            return self.own(node, codec, type_id, out);
        }
        match &node.data {
            Data::Scalar { .. } => self.scalar(node, type_id, out),
            Data::Sequence(items) => self.sequence(node, items, type_id, out),
            Data::Mapping(_) => self.mapping(node, type_id, out, None),
            Data::Alias(_) => false,
        }
    }

    fn reads_text(&self, type_id: TypeId) -> bool {
        let kind = self.profile.get(type_id);
        match kind.shape {
            Shape::Pointer(elem) => self.reads_text(elem),
            _ => kind.codec.as_ref().is_some_and(Codec::is_text),
        }
    }

    fn scalar(&mut self, node: &Node, type_id: TypeId, out: &mut Value) -> bool {
        let meaning = match meaning(node) {
            Ok(meaning) => meaning,
            Err(message) => return self.problem(node.mark, message),
        };
        let kind = self.profile.get(type_id);
        if meaning == Meaning::Null {
            let nullable = matches!(
                kind.shape,
                Shape::Any | Shape::Pointer(_) | Shape::List(_) | Shape::Map(_) | Shape::Bytes
            );
            if nullable {
                *out = Value::Nil;
            }
            return nullable;
        }
        let Some(text) = self.text(node) else { return false };
        if let Some(codec) = kind.codec.as_ref().filter(|codec| codec.is_text()) {
            return match codec.parse(&text) {
                Ok(Some(value)) => {
                    *out = value;
                    true
                }
                Ok(None) => true,
                Err(message) => self.problem(node.mark, message),
            };
        }
        let strict = self.profile.go_yaml == GoYaml::Rc5;
        let local = node.tag.as_deref().is_some_and(|tag| !tag.starts_with("!!"));
        let value = match (&kind.shape, meaning) {
            (Shape::Text, Meaning::Time(_)) if strict => None,
            (Shape::Text, Meaning::Text) if strict && local && kind.name != "string" => None,
            (Shape::Any, Meaning::Merge) if strict => return false,
            (Shape::Text, _) => Some(Value::Text(text)),
            (Shape::Any, meaning) => Some(Value::Any(any_scalar(meaning, text))),
            (Shape::Int { .. }, meaning) if kind.codec == Some(Codec::Duration) => match meaning {
                Meaning::Int(0) => Some(Value::Int(0)),
                Meaning::Float(value) if strict && value.fract() == 0.0 => {
                    fit(value as i128, 64, true)
                }
                Meaning::Text => match super::quantity::duration(&text) {
                    Ok(nanoseconds) => Some(Value::Int(nanoseconds)),
                    Err(message) => return self.problem(node.mark, message),
                },
                _ => None,
            },
            (Shape::Int { bits, signed }, Meaning::Int(value)) => fit(value, *bits, *signed),
            (Shape::Int { bits, signed }, Meaning::Float(value)) if value.fract() == 0.0 => {
                fit(value as i128, *bits, *signed)
            }
            (Shape::Bool, Meaning::Bool(value)) => Some(Value::Bool(value)),
            (Shape::Bool, Meaning::Text) => crate::yaml::scalar::old_bool(&text).map(Value::Bool),
            (Shape::Float, Meaning::Int(value)) => Some(Value::Float(value as f64)),
            (Shape::Float, Meaning::Float(value)) => Some(Value::Float(value)),
            _ => None,
        };
        match value {
            Some(value) => {
                *out = value;
                true
            }
            None => self.mismatch(node, type_id),
        }
    }

    /// The text of a scalar; one tagged `!!binary` is decoded.
    pub(super) fn text(&mut self, node: &Node) -> Option<String> {
        if node.tag.as_deref() != Some("!!binary") {
            return Some(node.text().to_owned());
        }
        let decoded = decode_base64(node.text()).and_then(|bytes| String::from_utf8(bytes).ok());
        if decoded.is_none() {
            self.problem(node.mark, "the !!binary value is no text in base64");
        }
        decoded
    }

    pub(super) fn sequence(
        &mut self,
        node: &Node,
        items: &[Rc<Node>],
        type_id: TypeId,
        out: &mut Value,
    ) -> bool {
        match self.profile.get(type_id).shape {
            Shape::List(elem) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    let mut value = Value::zero(self.profile, elem);
                    if self.construct(item, elem, &mut value) {
                        list.push(value);
                    }
                }
                *out = Value::List(list);
                true
            }
            Shape::Any => {
                let list = items.iter().filter_map(|item| self.any(item, type_id)).collect();
                *out = Value::Any(Any::List(list));
                true
            }
            _ => self.mismatch(node, type_id),
        }
    }

    /// An untyped value; null stays null.
    fn any(&mut self, node: &Node, any_type: TypeId) -> Option<Any> {
        let mut value = Value::Nil;
        if !self.construct(node, any_type, &mut value) {
            return None;
        }
        Some(if let Value::Any(any) = value { any } else { Any::Null })
    }

    /// `seen` holds the keys that are set already when a merge key is followed.
    fn mapping(
        &mut self,
        node: &Node,
        type_id: TypeId,
        out: &mut Value,
        seen: Option<&mut BTreeSet<String>>,
    ) -> bool {
        if !self.unique(node) {
            return false;
        }
        let kind = self.profile.get(type_id);
        let mut merge = None;
        let mut own_seen = seen;
        if let (Shape::Any, None) = (&kind.shape, &own_seen) {
            let text_keys = node.pairs().iter().all(|(key, _)| {
                key.is_scalar() && matches!(meaning(key), Ok(Meaning::Text | Meaning::Merge))
            });
            if !text_keys {
                return self.keyed(node, type_id, out);
            }
            *out = Value::Any(Any::Map(BTreeMap::new()));
        } else if let (Shape::Map(_), Value::Nil) = (&kind.shape, &*out) {
            *out = Value::Map(BTreeMap::new());
        }
        if !matches!(kind.shape, Shape::Any | Shape::Map(_) | Shape::Struct(_)) {
            return self.mismatch(node, type_id);
        }
        for (key, value) in node.pairs() {
            if is_merge(key) {
                merge = Some(value);
                continue;
            }
            if is_null(key) {
                continue;
            }
            if !key.resolved().is_scalar() {
                self.problem(key.mark, "a key must be text");
                continue;
            }
            let name = key.resolved().text();
            if let Some(seen) = own_seen.as_deref_mut()
                && !seen.insert(name.to_owned())
            {
                continue;
            }
            self.member(name, value, type_id, out);
        }
        let Some(merge) = merge else { return true };
        let mut parents: BTreeSet<String> =
            node.pairs().iter().map(|(key, _)| key.resolved().text().to_owned()).collect();
        let seen = own_seen.unwrap_or(&mut parents);
        self.merged(merge, type_id, out, seen)
    }

    fn merged(
        &mut self,
        merge: &Node,
        type_id: TypeId,
        out: &mut Value,
        seen: &mut BTreeSet<String>,
    ) -> bool {
        let sources: Vec<&Node> = match &merge.data {
            Data::Sequence(items) => items.iter().map(|item| item.resolved()).collect(),
            _ => vec![merge.resolved()],
        };
        for source in sources {
            if !matches!(source.data, Data::Mapping(_)) {
                return self.problem(merge.mark, "`<<` takes a mapping or a list of mappings");
            }
            self.mapping(source, type_id, out, Some(seen));
        }
        true
    }

    fn member(&mut self, name: &str, node: &Node, type_id: TypeId, out: &mut Value) {
        let kind = self.profile.get(type_id);
        match (&kind.shape, out) {
            (Shape::Map(elem), Value::Map(map)) => {
                let mut value = Value::zero(self.profile, *elem);
                let good = self.construct(node, *elem, &mut value);
                if good || (is_null(node.resolved()) && !map.contains_key(name)) {
                    map.insert(name.to_owned(), value);
                }
            }
            (Shape::Any, Value::Any(Any::Map(map))) => {
                if let Some(value) = self.any(node, type_id) {
                    map.insert(name.to_owned(), value);
                }
            }
            (Shape::Struct(fields), Value::Struct(values)) => {
                if let Some(key) = kind.keys.iter().find(|key| key.name == name) {
                    if let Some(slot) = slot(values, &key.path) {
                        self.construct(node, key.type_id, slot);
                    }
                } else if let Some(at) = kind.inline_map {
                    let Shape::Map(elem) = self.profile.get(fields[at].type_id).shape else {
                        return;
                    };
                    if values[at] == Value::Nil {
                        values[at] = Value::Map(BTreeMap::new());
                    }
                    let mut value = Value::Nil;
                    self.construct(node, elem, &mut value);
                    if let Value::Map(map) = &mut values[at] {
                        map.insert(name.to_owned(), value);
                    }
                }
            }
            _ => {}
        }
    }

    /// A free-form mapping with keys that are not text.
    fn keyed(&mut self, node: &Node, any_type: TypeId, out: &mut Value) -> bool {
        let mut pairs: Vec<(Any, Any)> = Vec::new();
        for (key, value) in node.pairs() {
            let Some(key_value) = self.any(key, any_type) else { continue };
            if matches!(key_value, Any::List(_) | Any::Map(_) | Any::Keyed(_)) {
                return self.problem(key.mark, "a list or a mapping cannot be a key");
            }
            if let Some(value) = self.any(value, any_type) {
                pairs.push((key_value, value));
            }
        }
        *out = Value::Any(Any::Keyed(pairs));
        true
    }

    pub(super) fn unique(&mut self, node: &Node) -> bool {
        let mut known: BTreeMap<(u8, &str), Mark> = BTreeMap::new();
        let mut good = true;
        for (key, _) in node.pairs() {
            let sort = match key.data {
                Data::Scalar { .. } => 0,
                Data::Sequence(_) => 1,
                Data::Mapping(_) => 2,
                Data::Alias(_) => 3,
            };
            let Some(first) = known.insert((sort, key.text()), key.mark) else { continue };
            let message = format!("the key `{}` is set already in line {}", key.text(), first.line);
            self.problems.push(Diagnostic::new(Code::DUPLICATE, self.file, key.mark, message));
            good = false;
        }
        good
    }
}

pub(crate) fn slot<'v>(values: &'v mut [Value], path: &[usize]) -> Option<&'v mut Value> {
    let (first, rest) = path.split_first()?;
    let value = values.get_mut(*first)?;
    match (rest, value) {
        ([], value) => Some(value),
        (rest, Value::Struct(inner)) => slot(inner, rest),
        _ => None,
    }
}

fn fit(value: i128, bits: u32, signed: bool) -> Option<Value> {
    let (least, most) = if signed {
        (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1)
    } else {
        (0, (1i128 << bits) - 1)
    };
    (least..=most).contains(&value).then_some(Value::Int(value))
}

fn any_scalar(meaning: Meaning, text: String) -> Any {
    match meaning {
        Meaning::Null => Any::Null,
        Meaning::Bool(value) => Any::Bool(value),
        Meaning::Int(value) => Any::Int(value),
        Meaning::Float(value) => Any::Float(value),
        Meaning::Time(time) => Any::Time(time),
        Meaning::Merge | Meaning::Text => Any::Text(text),
    }
}

fn is_merge(key: &Node) -> bool {
    key.is_scalar() && matches!(meaning(key), Ok(Meaning::Merge))
}

fn shortened(text: &str) -> String {
    if text.chars().count() > 40 {
        format!("{}…", text.chars().take(40).collect::<String>())
    } else {
        text.to_owned()
    }
}
