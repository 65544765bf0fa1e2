//! A verification: the table of evidence, and the grant that came of it.

use console::measure_text_width;
use ops_core::guard::{Evidence, EvidenceCode, Grant, Slot};
use ops_core::time::Time;
use ops_core::value::{Map, Value};
use serde_json::json;

use super::object;
use crate::engine::verify::Verification;
use crate::output::fault::command;
use crate::output::paint::{Look, Paint};
use crate::output::{table, wording};

/// The table of evidence.
pub fn verification(found: &Verification, now: Time, look: Look) -> String {
    let paint = Paint(look.colour);
    if found.rows.is_empty() && found.recipe.is_empty() {
        return "There is no evidence to gather.\n".into();
    }
    if found.rows.is_empty() {
        return String::new();
    }
    let mut rows =
        vec![vec!["evidence".into(), String::new(), String::new(), "found".into(), "age".into()]];
    rows.extend(found.rows.iter().map(|row| cells(row, now)));
    let mut out = String::new();
    for (i, line) in table::lines(&rows, 2, look.room()).into_iter().enumerate() {
        // The word itself is written large, so that it is seen without colour.
        let failed = i > 0 && !found.rows[i - 1].state.holds();
        out.push_str(&if failed { paint.bad(line) } else { line });
        out.push('\n');
    }
    let mut ways: Vec<&String> = Vec::new();
    for way in found.rows.iter().filter(|r| !r.state.holds()).filter_map(|r| r.way_out.as_ref()) {
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    for (at, way) in ways.iter().enumerate() {
        out.push_str(&command(at == 0, way, look.room()));
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
        format!("  {}", topic(row.code)),
        row.node.clone().unwrap_or_default(),
        state,
        found,
        wording::took(now.since(row.at).0),
    ]
}

/// What a row is about, in a word for people; machines get the code.
fn topic(code: EvidenceCode) -> &'static str {
    match code {
        EvidenceCode::Id => "identity",
        EvidenceCode::Node => "machine",
        EvidenceCode::Maint => "maintenance",
        EvidenceCode::Etcd => "etcd",
        EvidenceCode::Snap => "snapshot",
        EvidenceCode::Disk => "disks",
        EvidenceCode::Stor => "storage",
        EvidenceCode::Backup => "backup",
        EvidenceCode::Diff => "change",
        EvidenceCode::Blast => "workload",
        EvidenceCode::Img => "image",
        EvidenceCode::Sec => "secrets",
        EvidenceCode::Gitops => "owner",
        EvidenceCode::Lock => "other runs",
        EvidenceCode::Oob => "by hand",
    }
}

/// That a recipe runs without a grant, and the command line that runs it.
pub fn no_grant_needed(found: &Verification, line: &str, look: Look) -> String {
    let looks = if found.rows.is_empty() { "" } else { " The guards look again when it runs." };
    let text = format!("{} destroys nothing and needs no grant.{looks}", found.recipe);
    let mut out = table::fold(&text, look.room().unwrap_or(usize::MAX), 0).join("\n");
    out.push('\n');
    out.push_str(&command(true, line, look.room()));
    out
}

/// A grant that was issued, and the command line that uses it.
pub fn granted(grant: &Grant, line: &str, cluster: &str, ttl: &str, look: Look) -> String {
    let mut out = format!(
        "grant {}   {}   {cluster}   kind {}   {}\n",
        grant.id,
        grant.recipe,
        grant.kind.word(),
        wording::count(grant.slots.len(), "slot")
    );
    let rows: Vec<Vec<String>> =
        grant.slots.iter().map(|slot| vec![format!("  {}", slot.node), said(slot)]).collect();
    for line in table::lines(&rows, 3, look.room()) {
        out.push_str(&line);
        out.push('\n');
    }
    let start = format!("Start within {ttl}:");
    // A command is never broken: it must be copied as it stands.
    let wide = measure_text_width(&start) + measure_text_width(line) + 2;
    let between = if look.room().is_some_and(|room| wide > room) { "\n" } else { "" };
    out.push_str(&format!("{start}{between}  {line}\n"));
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
