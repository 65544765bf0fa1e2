//! The simulated cluster for machines, and what the simulation stands on. The lab draws itself for people.

use ops_core::value::{Map, Value};
use ops_lab::facts::Fact;
use serde_json::json;

use super::object;
use crate::output::paint::Look;
use crate::output::{table, wording};

/// The state of a lab.
pub fn lab_state_json(state: &impl serde::Serialize) -> Map<String, Value> {
    object(json!(state))
}

/// What the simulation claims of the real world, and how each claim is known.
pub fn facts<'a>(header: &str, facts: impl Iterator<Item = &'a Fact>, look: Look) -> String {
    let rows: Vec<Vec<String>> = facts
        .map(|fact| {
            let took = fact.ms.map(wording::limit).unwrap_or_default();
            vec![
                fact.tag.word().to_owned(),
                fact.name.to_owned(),
                took,
                fact.what.to_owned(),
                fact.source.to_owned(),
            ]
        })
        .collect();
    let lines = table::lines(&rows, 2, look.room()).into_iter().map(|line| format!("{line}\n"));
    format!("{header}\n{}", lines.collect::<Vec<_>>().concat())
}

/// The same for machines.
pub fn facts_json<'a>(model: &str, facts: impl Iterator<Item = &'a Fact>) -> Map<String, Value> {
    object(json!({"model": model, "facts": facts.collect::<Vec<_>>()}))
}
