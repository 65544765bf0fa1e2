//! Handles in Lua: secrets, blobs, reports, values known only after apply. They are handed on; nothing in them can be read or forged.

use mlua::{AnyUserData, Lua, MetaMethod, UserData, UserDataMethods, Value};
use ops_core::error::{Code, Fault};
use ops_core::value::{Digest, Handle, SecretRef};

use crate::lua::body::Body;
use crate::lua::raised;

/// An opaque handle.
#[derive(Clone, Debug)]
pub(in crate::lua) struct Opaque(pub(in crate::lua) Handle);

impl Opaque {
    fn word(&self) -> &'static str {
        match self.0 {
            Handle::Blob(_) => "a file's content",
            Handle::Secret(_) => "a secret",
            Handle::Report(_) => "a report",
            Handle::Later(_) => "a value known after apply",
        }
    }

    /// What stands for it in texts.
    pub(in crate::lua) fn shown(&self) -> String {
        match &self.0 {
            Handle::Secret(_) => "•••".into(),
            Handle::Blob(blob) if blob.sealed => "•••".into(),
            Handle::Blob(blob) => format!("({} bytes)", blob.size),
            Handle::Report(report) => format!("report {}", report.id),
            Handle::Later(later) => format!("({} known after apply)", later.field),
        }
    }

    /// Nobody looks inside. Whoever looks at what only apply will know ends the plan of this branch there.
    fn closed(&self, lua: &Lua, key: Option<&str>) -> mlua::Error {
        if let (Handle::Later(later), Ok(body)) = (&self.0, Body::of(lua)) {
            let field = if later.field.is_empty() { key.unwrap_or("reply") } else { &later.field };
            return body.frontier(lua, field, later);
        }
        let mut fault = Fault::new(
            Code::VALUE,
            format!("{} cannot be looked into; hand it on to a call", self.word()),
        );
        if let Handle::Secret(_) = self.0 {
            fault = fault.help("concatenation gives a secret again");
        }
        raised::located(lua, fault)
    }
}

/// The parts of a joined secret: texts, and the references of secrets.
fn parts(value: &Value) -> Option<Vec<serde_json::Value>> {
    match value {
        Value::String(text) => Some(vec![text.to_str().ok()?.to_owned().into()]),
        Value::Integer(i) => Some(vec![i.to_string().into()]),
        Value::UserData(data) => {
            let opaque = data.borrow::<Opaque>().ok()?;
            match &opaque.0 {
                Handle::Secret(secret) if secret.provider == "joined" => {
                    serde_json::from_str(&secret.reference).ok()
                }
                Handle::Secret(_) => Some(vec![opaque.0.to_value()]),
                _ => None,
            }
        }
        _ => None,
    }
}

/// A secret made of texts and secrets, in order: provider `joined`, its reference the JSON list of the parts.
fn join(lua: &Lua, left: &Value, right: &Value) -> mlua::Result<AnyUserData> {
    let (Some(mut all), Some(more)) = (parts(left), parts(right)) else {
        for side in [left, right] {
            if let Value::UserData(data) = side
                && let Ok(opaque) = data.borrow::<Opaque>()
                && let Handle::Later(_) = opaque.0
            {
                return Err(opaque.closed(lua, None));
            }
        }
        let fault = Fault::new(Code::VALUE, "only texts and secrets can be joined to a secret");
        return Err(raised::located(lua, fault));
    };
    all.extend(more);
    let parts = serde_json::Value::Array(all);
    let secret = SecretRef {
        provider: "joined".into(),
        digest: Digest::of(&parts),
        reference: parts.to_string(),
    };
    lua.create_userdata(Opaque(Handle::Secret(secret)))
}

impl UserData for Opaque {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| Ok(this.shown()));
        methods.add_meta_method(
            MetaMethod::Index,
            |lua, this, key: Value| -> mlua::Result<Value> {
                let key = key.as_string().map(mlua::LuaString::to_string_lossy);
                Err(this.closed(lua, key.as_deref()))
            },
        );
        methods.add_meta_method(MetaMethod::Len, |lua, this, ()| -> mlua::Result<Value> {
            Err(this.closed(lua, None))
        });
        methods
            .add_meta_function(MetaMethod::Concat, |lua, (a, b): (Value, Value)| join(lua, &a, &b));
        methods
            .add_meta_function(MetaMethod::Lt, |lua, (a, b): (Value, Value)| compare(lua, &a, &b));
        methods
            .add_meta_function(MetaMethod::Le, |lua, (a, b): (Value, Value)| compare(lua, &a, &b));
        methods
            .add_meta_function(MetaMethod::Eq, |lua, (a, b): (Value, Value)| compare(lua, &a, &b));
    }
}

fn compare(lua: &Lua, a: &Value, b: &Value) -> mlua::Result<bool> {
    for side in [a, b] {
        if let Value::UserData(data) = side
            && let Ok(opaque) = data.borrow::<Opaque>()
        {
            return Err(opaque.closed(lua, None));
        }
    }
    Ok(false)
}
