//! Which calls recipes can name: the table of `ops_core`, behind a seam so that the Lua layer is tested without it.

use std::collections::BTreeMap;

use ops_core::call::table::{Call, INFOS};
use ops_core::call::{CallInfo, Invalid, Request};
use ops_core::effect::Effect;
use ops_core::value::Value;

/// The call types that a recipe can make.
#[derive(Clone, Copy, Debug)]
pub struct Calls {
    /// What is known of each, by dotted name.
    pub infos: &'static [CallInfo],
    /// Validates a request; gives the effect of this very call.
    pub check: fn(&Request) -> Result<Effect, Invalid>,
}

impl Default for Calls {
    fn default() -> Calls {
        Calls {
            infos: INFOS,
            check: |request| Call::decode(request).map(|(call, _)| call.spec().effect()),
        }
    }
}

/// What stands under a dotted name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// A call of that name.
    pub(super) call: bool,
    /// Names below it.
    pub(super) space: bool,
}

impl Calls {
    /// What is known of a call type.
    pub(super) fn info(&self, name: &str) -> Option<&'static CallInfo> {
        self.infos.iter().find(|info| info.name == name)
    }

    /// What stands under a dotted name: `talos` is a space, `talos.reset` a call, `sh` both.
    pub(super) fn find(&self, name: &str) -> Found {
        Found {
            call: self.info(name).is_some(),
            space: self
                .infos
                .iter()
                .any(|info| info.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))),
        }
    }

    /// The words that may stand behind `name.`, sorted; behind nothing, the namespaces.
    pub(super) fn words(&self, name: &str) -> Vec<&'static str> {
        let mut words: Vec<&str> = self
            .infos
            .iter()
            .filter_map(|info| match name {
                "" => Some(info.name),
                name => info.name.strip_prefix(name)?.strip_prefix('.'),
            })
            .map(|rest| rest.split('.').next().unwrap_or(rest))
            .collect();
        words.sort_unstable();
        words.dedup();
        words
    }

    /// Validates a request and gives its effect.
    ///
    /// Lua writes an empty list and an empty map alike, and a single subject stands for a list of one: what the type wants decides.
    pub(super) fn settle(&self, request: &mut Request, lone: bool) -> Result<Effect, Invalid> {
        let first = match (self.check)(request) {
            Ok(effect) => return Ok(effect),
            Err(invalid) => invalid,
        };
        let subject = self.info(&request.call).and_then(|info| info.subject);
        let flip = |value: &Value| match value {
            Value::Array(list) if list.is_empty() => Value::Object(serde_json::Map::new()),
            other => other.clone(),
        };
        let flipped: BTreeMap<_, _> =
            request.args.iter().map(|(key, value)| (key.clone(), flip(value))).collect();
        let mut attempts = vec![flipped];
        if let (true, Some(subject)) = (lone, subject) {
            attempts = attempts
                .into_iter()
                .flat_map(|args| {
                    let mut wrapped = args.clone();
                    if let Some(value) = wrapped.get_mut(subject) {
                        *value = Value::Array(vec![value.take()]);
                    }
                    [args, wrapped]
                })
                .collect();
        }
        for args in attempts {
            let attempt = Request { args: args.into_iter().collect(), ..request.clone() };
            if let Ok(effect) = (self.check)(&attempt) {
                *request = attempt;
                return Ok(effect);
            }
        }
        Err(first)
    }
}
