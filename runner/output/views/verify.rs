//! A verification: the table of evidence, and the grant that came of it.

use ops_core::guard::{Evidence, Grant, Slot};
use ops_core::time::Time;
use ops_core::value::{Map, Value};
use serde_json::json;

use super::object;
use crate::engine::verify::Verification;
use crate::output::paint::{Look, Paint};
use crate::output::{table, wording};

/// The table of evidence.
pub fn verification(found: &Verification, now: Time, look: Look) -> String {
    let paint = Paint(look.colour);
    if found.rows.is_empty() {
        return "There is no evidence to gather for this.\n".into();
    }
    let mut rows =
        vec![vec!["evidence".into(), String::new(), String::new(), "found".into(), "age".into()]];
    rows.extend(found.rows.iter().map(|row| cells(row, now)));
    let mut out = String::new();
    for (i, line) in table::lines(&rows, 2).into_iter().enumerate() {
        // The word itself is written large, so that it is seen without colour.
        let failed = i > 0 && !found.rows[i - 1].state.holds();
        out.push_str(&if failed { paint.bad(line) } else { line });
        out.push('\n');
    }
    for way in found.rows.iter().filter(|r| !r.state.holds()).filter_map(|r| r.way_out.as_ref()) {
        out.push_str(&format!("  next:  {way}\n"));
    }
    out
}

fn cells(row: &Evidence, now: Time) -> Vec<String> {
    let state = if row.state.holds() {
        row.state.word().to_owned()
    } else {
        row.state.word().to_uppercase()
    };
    let found = if row.proof.is_empty() || row.state != ops_core::guard::State::NotApplicable {
        row.found.clone()
    } else {
        format!("{} ({})", row.found, row.proof)
    };
    vec![
        format!("  {}", row.code.word().to_lowercase()),
        row.node.clone().unwrap_or_default(),
        state,
        found,
        wording::took(now.since(row.at).0),
    ]
}

/// A grant that was issued, and the command that uses it.
pub fn granted(grant: &Grant, command: &str, cluster: &str, ttl: &str) -> String {
    let mut out = format!(
        "grant {}   {}   {cluster}   kind {}   {}\n",
        grant.id,
        grant.recipe,
        grant.kind.word(),
        wording::count(grant.slots.len(), "slot")
    );
    let rows: Vec<Vec<String>> =
        grant.slots.iter().map(|slot| vec![format!("  {}", slot.node), said(slot)]).collect();
    for line in table::lines(&rows, 3) {
        out.push_str(&line);
        out.push('\n');
    }
    out.push_str(&format!("Start within {ttl}:  ops run {command}\n"));
    out
}

fn said(slot: &Slot) -> String {
    format!("{} {}", slot.verb, slot.partitions.join(", "))
}

/// A verification for machines, with the grant if there is one.
pub fn verification_json(found: &Verification, grant: Option<&Grant>) -> Map<String, Value> {
    let refused = found.refused.as_ref().map(|r| {
        json!({
            "code": r.fault.code.to_string(), "title": r.fault.title,
            "details": r.fault.details, "next": r.fault.next,
        })
    });
    let grant =
        grant.map(|g| json!({"id": g.id, "kind": g.kind, "slots": g.slots, "issued": g.issued}));
    object(json!({
        "recipe": found.recipe, "command": found.command, "evidence": found.rows,
        "refused": refused, "grant": grant,
    }))
}
