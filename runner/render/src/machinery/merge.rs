//! Strategic merge of two typed values, by the rules of Talos' merge package:
//! what is unset on the right is kept, lists are appended, maps merged, and
//! everything the original loses is lost here too, with a warning.

use super::any;
use super::profile::{Codec, Merger, Profile, Shape, TypeId};
use super::url::Url;
use super::value::Value;

/// A step on the way to a value: a key or the index of a list item, as they
/// stand in the patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Item(usize),
}

/// Why two values cannot be merged, and where in the patch.
#[derive(Debug)]
pub(crate) struct Clash {
    pub(crate) path: Vec<Step>,
    pub(crate) message: String,
}

/// A value that the merge drops because the patch does not mention it.
#[derive(Debug)]
pub(crate) struct Loss {
    pub(crate) path: Vec<Step>,
    pub(crate) message: String,
    /// It counts although the patch mentions the place.
    pub(crate) mentioned: bool,
}

pub(crate) struct Merge<'p> {
    pub(super) profile: &'p Profile,
    pub(super) path: Vec<Step>,
    pub(crate) losses: Vec<Loss>,
}

/// How the field that holds a value wants it merged.
#[derive(Clone, Copy, Default)]
pub(super) struct Manner {
    /// The field is tagged to be replaced.
    pub(super) replace: bool,
    /// The value stands behind a pointer: zero overwrites.
    pub(super) overwrite: bool,
    /// The field is not exported: it cannot be set.
    pub(super) private: bool,
}

impl<'p> Merge<'p> {
    pub(crate) fn new(profile: &'p Profile) -> Merge<'p> {
        Merge { profile, path: Vec::new(), losses: Vec::new() }
    }

    /// Merges a document into one of the same type.
    pub(crate) fn document(
        &mut self,
        type_id: TypeId,
        left: &mut Value,
        right: Value,
    ) -> Result<(), Clash> {
        self.value(type_id, left, right, Manner::default())
    }

    pub(super) fn clash(&self, message: impl Into<String>) -> Clash {
        Clash { path: self.path.clone(), message: message.into() }
    }

    pub(super) fn lost(&mut self, message: String) {
        self.losses.push(Loss { path: self.path.clone(), message, mentioned: false });
    }

    /// As `lost`, for what the patch does mention.
    fn forced(&mut self, message: String) {
        self.losses.push(Loss { path: self.path.clone(), message, mentioned: true });
    }

    pub(super) fn value(
        &mut self,
        type_id: TypeId,
        left: &mut Value,
        right: Value,
        manner: Manner,
    ) -> Result<(), Clash> {
        let kind = self.profile.get(type_id);
        if let Some(merger) = kind.merger {
            return self.by_itself(merger, type_id, left, right);
        }
        match &kind.shape {
            Shape::Pointer(elem) => match (left, right) {
                (_, Value::Nil) => Ok(()),
                (Value::Pointer(left), Value::Pointer(right)) => {
                    let manner = Manner { overwrite: true, ..manner };
                    self.value(*elem, left, *right, manner)
                }
                (left, right) => self.set(left, right, manner),
            },
            Shape::Any => match (left, right) {
                (_, Value::Nil) => Ok(()),
                (Value::Any(left), Value::Any(right)) => left.merge(right).map_err(|e| self.any(e)),
                (left, right) => self.set(left, right, manner),
            },
            Shape::List(_) => match (left, right) {
                (_, Value::Nil) => Ok(()),
                (left, right) if manner.replace || manner.private => self.set(left, right, manner),
                (Value::List(left), Value::List(right)) => {
                    left.extend(right);
                    Ok(())
                }
                (left, right) => self.set(left, right, manner),
            },
            Shape::Bytes => match right {
                Value::Nil => Ok(()),
                right => self.bytes(left, right, manner),
            },
            Shape::Map(elem) => self.map(*elem, left, right, manner),
            Shape::Struct(_) => self.structure(type_id, left, right, manner),
            Shape::Url => self.url(left, right),
            // Addresses hide their parts, and hidden parts cannot be set.
            Shape::Opaque => Err(self.clash(
                "an address stands here in both; the original refuses to merge documents of this kind",
            )),
            Shape::Bool => {
                if *left == Value::Bool(true) && right == Value::Bool(false) && !manner.overwrite {
                    self.lost("`true` becomes `false`".to_owned());
                }
                self.set(left, right, manner)
            }
            Shape::Int { .. } | Shape::Float | Shape::Text => {
                if manner.private {
                    return self.set(left, right, manner);
                }
                if !right.is_zero() || manner.overwrite {
                    *left = right;
                }
                Ok(())
            }
        }
    }

    fn set(&self, left: &mut Value, right: Value, manner: Manner) -> Result<(), Clash> {
        if manner.private {
            return Err(self.clash(
                "a value is set here already, and the original refuses to merge another into it",
            ));
        }
        *left = right;
        Ok(())
    }

    /// Certificates: a part that the patch leaves out is read as empty.
    fn bytes(&mut self, left: &mut Value, right: Value, manner: Manner) -> Result<(), Clash> {
        let had = matches!(left, Value::Bytes(bytes) if !bytes.is_empty());
        if had && matches!(&right, Value::Bytes(bytes) if bytes.is_empty()) {
            self.lost("the value is emptied".to_owned());
        }
        self.set(left, right, manner)
    }

    fn map(
        &mut self,
        elem: TypeId,
        left: &mut Value,
        right: Value,
        manner: Manner,
    ) -> Result<(), Clash> {
        let Value::Map(right) = right else { return Ok(()) };
        if manner.replace {
            *left = Value::Map(right);
            return Ok(());
        }
        if *left == Value::Nil {
            *left = Value::Map(std::collections::BTreeMap::new());
        }
        let Value::Map(left) = left else { return Ok(()) };
        for (key, value) in right {
            self.path.push(Step::Key(key.clone()));
            match left.get_mut(&key) {
                Some(slot) if *slot != Value::Nil => match (slot, value) {
                    (Value::Any(left), right) => {
                        let right =
                            if let Value::Any(right) = right { right } else { any::Any::Null };
                        left.merge(right).map_err(|e| self.any(e))?;
                    }
                    (slot, value) => self.value(elem, slot, value, Manner::default())?,
                },
                _ => {
                    left.insert(key, value);
                }
            }
            self.path.pop();
        }
        Ok(())
    }

    fn any(&self, (keys, message): (Vec<String>, String)) -> Clash {
        let mut path = self.path.clone();
        path.extend(keys.into_iter().map(Step::Key));
        Clash { path, message }
    }

    fn structure(
        &mut self,
        type_id: TypeId,
        left: &mut Value,
        right: Value,
        manner: Manner,
    ) -> Result<(), Clash> {
        if manner.replace {
            if !right.is_zero() {
                *left = right;
            }
            return Ok(());
        }
        let (Value::Struct(lefts), Value::Struct(rights)) = (left, right) else { return Ok(()) };
        let profile = self.profile;
        let kind = profile.get(type_id);
        if kind.codec == Some(Codec::Size) {
            self.percentage_over_bytes(lefts, &rights);
        }
        for (at, ((field, left), right)) in
            profile.fields(type_id).iter().zip(lefts).zip(rights).enumerate()
        {
            let key = match kind.codec {
                Some(Codec::Pem) => kind.keys.get(at).map(|key| key.name.to_string()),
                _ => (field.tagged && !field.key.is_empty()).then(|| field.key.to_owned()),
            };
            let named = key.is_some();
            self.path.extend(key.map(Step::Key));
            let manner = Manner {
                replace: field.replace,
                overwrite: false,
                private: field.private || manner.private,
            };
            self.value(field.type_id, left, right, manner)?;
            if named {
                self.path.pop();
            }
        }
        Ok(())
    }

    /// A size holds bytes and percent apart, and bytes are what is written.
    fn percentage_over_bytes(&mut self, left: &[Value], right: &[Value]) {
        if let ([_, Value::Pointer(bytes)], [Value::Pointer(percent), Value::Nil]) = (left, right)
            && let (Value::Opaque(Some(bytes)), Value::Opaque(Some(percent))) =
                (&**bytes, &**percent)
        {
            self.forced(format!("`{percent}` has no effect, `{bytes}` stays in force"));
        }
    }

    /// URLs merge part by part: a path stays when the patch's URL has none.
    fn url(&mut self, left: &mut Value, right: Value) -> Result<(), Clash> {
        let (Value::Url(left), Value::Url(right)) = (left, right) else { return Ok(()) };
        let Url { scheme, opaque, user, host, path, raw_path, .. } = *right;
        let texts = [
            (&mut left.scheme, scheme),
            (&mut left.opaque, opaque),
            (&mut left.host, host),
            (&mut left.path, path),
            (&mut left.raw_path, raw_path),
            (&mut left.raw_query, right.raw_query),
            (&mut left.fragment, right.fragment),
            (&mut left.raw_fragment, right.raw_fragment),
        ];
        for (left, right) in texts {
            if !right.is_empty() {
                *left = right;
            }
        }
        left.omit_host = right.omit_host;
        left.force_query = right.force_query;
        match (&left.user, user) {
            (_, None) => Ok(()),
            (Some(_), Some(_)) => {
                Err(self.clash("both URLs name a user; the original refuses to merge them"))
            }
            (None, user) => {
                left.user = user;
                Ok(())
            }
        }
    }

    fn by_itself(
        &mut self,
        merger: Merger,
        type_id: TypeId,
        left: &mut Value,
        right: Value,
    ) -> Result<(), Clash> {
        match merger {
            Merger::Overwrite => {
                if let (Value::Opaque(Some(text)), Value::Opaque(None)) = (&*left, &right) {
                    self.lost(format!("`{text}` is dropped"));
                }
                *left = right;
                Ok(())
            }
            Merger::Arguments => {
                let Value::Map(right) = right else { return Ok(()) };
                if right.is_empty() {
                    return Ok(());
                }
                if *left == Value::Nil {
                    *left = Value::Map(right);
                } else if let Value::Map(left) = left {
                    left.extend(right);
                }
                Ok(())
            }
            merger => self.list(merger, type_id, left, right),
        }
    }
}
