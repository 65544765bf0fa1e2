//! Tables that commands show: recipes, plans, evidence, past runs, a cluster. Each is a function from plain data to text or to JSON; none reads.

mod diff;
mod lab;
mod list;
mod past;
mod plan;
mod show;
mod status;
mod verify;
mod why;

pub(crate) use diff::lines as diff_lines;
pub use diff::{ConfigDiff, diff, diff_json};
pub use lab::{facts, facts_json, lab_state_json};
pub use list::{Listing, list, list_json};
pub use past::{history, history_json};
pub use plan::{plan, plan_json};
pub use show::{show, show_json, usage};
pub use status::{StatusView, status, status_json};
pub use verify::{granted, no_grant_needed, verification, verification_json};
pub use why::{Judged, why, why_json};

use ops_core::value::{Map, Value};

/// The fields of a JSON object.
pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests;
