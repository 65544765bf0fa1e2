//! The lists whose items are merged by a key. Everything else about merging
//! is in `merge`.

use super::encode::at;
use super::merge::{Clash, Manner, Merge, Step};
use super::profile::{Merger, Profile, Shape, TypeId};
use super::value::Value;

impl Merge<'_> {
    /// Merges each item of the right list into the item with its key, or
    /// appends it.
    pub(super) fn list(
        &mut self,
        merger: Merger,
        type_id: TypeId,
        left: &mut Value,
        right: Value,
    ) -> Result<(), Clash> {
        let Value::List(items) = right else { return Ok(()) };
        let Shape::List(elem) = self.profile.get(type_id).shape else { return Ok(()) };
        if items.is_empty() {
            return Ok(());
        }
        if *left == Value::Nil {
            *left = Value::List(Vec::new());
        }
        let Value::List(lefts) = left else { return Ok(()) };
        // Image rules are looked up among those that were there before.
        let before = lefts.len();
        for (index, item) in items.into_iter().enumerate() {
            self.path.push(Step::Item(index));
            self.item(merger, elem, lefts, before, item)?;
            self.path.pop();
        }
        Ok(())
    }

    fn item(
        &mut self,
        merger: Merger,
        elem: TypeId,
        lefts: &mut Vec<Value>,
        before: usize,
        item: Value,
    ) -> Result<(), Clash> {
        let inner = match self.profile.get(elem).shape {
            Shape::Pointer(inner) => inner,
            _ => elem,
        };
        if item == Value::Nil || lefts.contains(&Value::Nil) {
            return Err(self.clash("a null stands in this list; the original crashes on it"));
        }
        let profile = self.profile;
        let same = |left: &Value, key: &str| {
            field(profile, inner, left, key) == field(profile, inner, &item, key)
        };
        let found = match merger {
            Merger::Devices => device(profile, inner, lefts, &item),
            Merger::Vlans => lefts.iter().position(|left| same(left, "vlanId")),
            Merger::AdmissionPlugins => lefts.iter().position(|left| same(left, "name")),
            Merger::ConfigFiles => lefts.iter().position(|left| same(left, "mountPath")),
            Merger::ImageRules => lefts[..before].iter().rposition(|left| same(left, "image")),
            Merger::Overwrite | Merger::Arguments => None,
        };
        match found {
            None => lefts.push(item),
            Some(at) if merger == Merger::ImageRules => lefts[at] = item,
            Some(at) => self.value(elem, &mut lefts[at], item, Manner::default())?,
        }
        Ok(())
    }
}

/// The interface of the same name, else the one with an equal selector.
fn device(profile: &Profile, inner: TypeId, lefts: &[Value], item: &Value) -> Option<usize> {
    let name = field(profile, inner, item, "interface")?;
    if !name.is_zero() {
        return lefts
            .iter()
            .position(|left| field(profile, inner, left, "interface") == Some(name));
    }
    let Value::Pointer(selector) = field(profile, inner, item, "deviceSelector")? else {
        return None;
    };
    lefts.iter().position(|left| match field(profile, inner, left, "deviceSelector") {
        Some(Value::Pointer(other)) => equal_as_go(selector, other),
        _ => false,
    })
}

/// Go compares structs field by field and pointers by address: two set
/// pointers (`physical`) are never equal.
fn equal_as_go(a: &Value, b: &Value) -> bool {
    a.fields()
        .iter()
        .zip(b.fields())
        .all(|(a, b)| a == b && !matches!((a, b), (Value::Pointer(_), Value::Pointer(_))))
}

fn field<'v>(profile: &Profile, type_id: TypeId, value: &'v Value, key: &str) -> Option<&'v Value> {
    let key = profile.get(type_id).keys.iter().find(|known| known.name == key)?;
    at(value.pointee().fields(), &key.path)
}
