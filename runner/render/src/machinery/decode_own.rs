//! Types that read YAML by a method of their own: URLs, port ranges,
//! arguments, certificates, sizes. It extends the decoder, which decides when
//! they are asked.

use super::codec::decode_base64;
use super::decode::{Decoder, is_null, meaning, slot};
use super::profile::{Codec, GoYaml, Profile, Shape, TypeId};
use super::quantity;
use super::url::Url;
use super::value::Value;
use crate::yaml::node::{Data, Node};
use crate::yaml::scalar::Meaning;

impl Decoder<'_> {
    pub(super) fn own(
        &mut self,
        node: &Node,
        codec: &Codec,
        type_id: TypeId,
        out: &mut Value,
    ) -> bool {
        if *codec == Codec::Pem {
            return self.pem(node, type_id, out);
        }
        if *codec == Codec::InlineManifests {
            let Data::Sequence(items) = &node.data else { return self.mismatch(node, type_id) };
            let good = self.sequence(node, items, type_id, out);
            trim_manifests(self.profile, type_id, out);
            return good;
        }
        if let (Codec::Argument, Data::Sequence(items)) = (codec, &node.data) {
            let mut list = Vec::new();
            for item in items.iter().filter(|item| !is_null(item.resolved())) {
                if !item.resolved().is_scalar() {
                    return self.mismatch(item, type_id);
                }
                if self.is_refused_time(item.resolved()) {
                    return self.mismatch(item, type_id);
                }
                let Some(text) = self.text(item.resolved()) else { return false };
                list.push(Value::Text(text));
            }
            *out = Value::Struct(vec![Value::List(list), Value::Text(String::new())]);
            return true;
        }
        if !node.is_scalar() {
            return self.mismatch(node, type_id);
        }
        if let Err(message) = meaning(node) {
            return self.problem(node.mark, message);
        }
        if *codec == Codec::Argument && self.is_refused_time(node) {
            return self.mismatch(node, type_id);
        }
        let Some(text) = self.text(node) else { return false };
        match own_scalar(codec, node, &text) {
            Ok(Some(value)) => {
                *out = value;
                true
            }
            Ok(None) => true,
            Err(message) => self.problem(node.mark, message),
        }
    }

    /// Whether a scalar is a timestamp, and the library takes none as text.
    fn is_refused_time(&self, node: &Node) -> bool {
        self.profile.go_yaml == GoYaml::Rc5 && matches!(meaning(node), Ok(Meaning::Time(_)))
    }

    /// Certificates and keys: base64 in `crt` and `key`. What is missing is
    /// read as empty, not as unset: merging then empties it.
    fn pem(&mut self, node: &Node, type_id: TypeId, out: &mut Value) -> bool {
        if !matches!(node.data, Data::Mapping(_)) {
            return self.mismatch(node, type_id);
        }
        if !self.unique(node) {
            return false;
        }
        let keys: Vec<String> =
            self.profile.get(type_id).keys.iter().map(|key| key.name.to_string()).collect();
        let mut parts = Vec::new();
        for key in keys {
            let Some(value) = node.get(&key).filter(|value| !is_null(value.resolved())) else {
                parts.push(Value::Bytes(Vec::new()));
                continue;
            };
            if !value.resolved().is_scalar() {
                return self.problem(value.mark, "text in base64 is expected here");
            }
            let Some(text) = self.text(value.resolved()) else { return false };
            let bytes = if key == "key" && text == "******" {
                Some(text.into_bytes())
            } else {
                decode_base64(&text)
            };
            match bytes {
                Some(bytes) => parts.push(Value::Bytes(bytes)),
                None => return self.problem(value.mark, "this is not base64"),
            }
        }
        *out = Value::Struct(parts);
        true
    }
}

fn own_scalar(codec: &Codec, node: &Node, text: &str) -> Result<Option<Value>, String> {
    Ok(Some(match codec {
        Codec::Url { empty_is_unset: true } if text.is_empty() => return Ok(None),
        Codec::Url { .. } => {
            let url = Value::Url(Box::new(Url::parse(text)?));
            Value::Struct(vec![Value::Pointer(Box::new(url))])
        }
        Codec::PortRange => {
            let invalid = || format!("`{text}` is no port and no range of ports like 80-90");
            let number = |text: &str| {
                let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                text.parse::<u16>().ok().filter(|_| digits).map(i128::from)
            };
            let single = match meaning(node)? {
                Meaning::Int(value) => u16::try_from(value).ok().map(i128::from),
                Meaning::Float(value) if value.fract() == 0.0 => {
                    u16::try_from(value as i128).ok().map(i128::from)
                }
                _ => None,
            };
            let (low, high) = match (single, text.split_once('-')) {
                (Some(port), _) => (port, port),
                (None, Some((low, high))) => {
                    (number(low).ok_or_else(invalid)?, number(high).ok_or_else(invalid)?)
                }
                (None, None) => return Err(invalid()),
            };
            Value::Struct(vec![Value::Int(low), Value::Int(high)])
        }
        Codec::Argument => Value::Struct(vec![Value::Nil, Value::Text(text.to_owned())]),
        Codec::Base64 => Value::Bytes(decode_base64(text).ok_or("this is not base64")?),
        Codec::DiskSize => Value::Int(i128::from(quantity::bytes(text)?)),
        Codec::DiskSizeCondition => {
            let condition = text.trim();
            let (operator, size) = quantity::size_condition(condition)?;
            let data = Value::Struct(vec![Value::Text(operator), Value::Int(i128::from(size))]);
            Value::Struct(vec![data, Value::Text(condition.to_owned())])
        }
        _ => return Err(format!("`{text}` cannot be read here")),
    }))
}

/// Leading line breaks and tabs of a manifest would make its YAML unwritable.
fn trim_manifests(profile: &Profile, type_id: TypeId, out: &mut Value) {
    let Shape::List(elem) = profile.get(type_id).shape else { return };
    let contents = profile.get(elem).keys.iter().find(|key| key.name == "contents");
    let (Value::List(manifests), Some(contents)) = (out, contents) else { return };
    for manifest in manifests {
        if let Value::Struct(fields) = manifest
            && let Some(Value::Text(text)) = slot(fields, &contents.path)
        {
            *text = text.trim_start_matches(['\t', '\n', '\u{b}', '\u{c}', '\r']).to_owned();
        }
    }
}
