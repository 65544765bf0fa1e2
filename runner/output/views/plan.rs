//! A plan: every call that would change something, what it would come to, and where it ends.

use ops_core::effect::Effect;
use ops_core::error::Fault;
use ops_core::trace::Verdict;
use ops_core::value::{Map, Value, has_later};
use serde_json::json;

use super::object;
use crate::engine::plan::Planned;
use crate::engine::session::Plan;
use crate::output::paint::{Look, Paint};
use crate::output::{reasons, table, wording};

/// The plan as text; `reads` shows the reads too.
pub fn plan(plan: &Plan, cluster: Option<&str>, reads: bool, look: Look) -> String {
    let paint = Paint(look.colour);
    let mut out = String::new();
    let mut recipe = String::new();
    let mut rows: Vec<Row> = Vec::new();
    let mut last = String::new();
    for (branch, verdict) in plan.judged.iter().filter(|(_, verdict)| verdict.up_to_date()) {
        let recipe = branch.0.split('{').next().unwrap_or_default();
        out.push_str(&format!("{}   {}\n", paint.strong(recipe), reasons::verdict(verdict)));
    }
    let shown = plan.planned.iter().filter(|p| reads || p.effect != Effect::Reads);
    for planned in shown {
        let of = recipe_of(planned);
        if of != recipe {
            flush(&mut out, &mut rows, look);
            out.push_str(
                format!("{}   {}", paint.strong(&of), cluster.unwrap_or_default()).trim_end(),
            );
            out.push('\n');
            recipe = of;
            last.clear();
        }
        let subject = wording::subject(&planned.id, &planned.request.args);
        let who = if subject == last { String::new() } else { subject.clone() };
        last = subject;
        let call = format!("{} {}", planned.effect.letter(), wording::call(&planned.call));
        let cells = vec![format!("  {who}"), call, about(planned), change(planned)];
        rows.push(Row { cells, diff: diff(planned) });
    }
    flush(&mut out, &mut rows, look);
    for frontier in &plan.frontiers {
        out.push_str(&format!("{}  {}\n", paint.warn("ends here"), frontier.title));
        if let Some(place) = &frontier.place {
            out.push_str(&format!("  {place}\n"));
        }
    }
    let writes = plan.planned.iter().any(|p| p.effect == Effect::Files && p.changed);
    if plan.changes() == 0 && !writes && plan.frontiers.is_empty() && plan.faults.is_empty() {
        out.push_str("Nothing would change.\n");
    }
    // Of a plan that came to nothing there is nothing to count.
    if !plan.planned.is_empty() || plan.faults.is_empty() {
        out.push_str(&format!("{}\n", totals(plan)));
    }
    let later = unknown_fields(plan);
    if !later.is_empty() {
        out.push_str(&format!("known after apply: {}\n", later.join(", ")));
    }
    out
}

/// The plan for machines.
pub fn plan_json(plan: &Plan, cluster: Option<&str>) -> Map<String, Value> {
    let told = |faults: &[Fault]| -> Vec<Value> {
        faults
            .iter()
            .map(|f| json!({"code": f.code.to_string(), "title": f.title, "place": f.place}))
            .collect()
    };
    object(json!({
        "cluster": cluster,
        "calls": plan.planned.iter().map(|p| {
            let mut call = object(json!(p));
            call.insert("args".into(), Value::Object(p.request.args.clone()));
            call
        }).collect::<Vec<_>>(),
        "steps": plan.judged.iter().map(|(branch, verdict)| {
            let mut step = object(json!({"path": branch, "up_to_date": verdict.up_to_date()}));
            step.extend(match verdict {
                Verdict::UpToDate { by, inputs, outputs, .. } => {
                    object(json!({"by": by, "inputs": inputs, "outputs": outputs}))
                }
                Verdict::Run { because } => object(json!({"because": because})),
            });
            step
        }).collect::<Vec<_>>(),
        "frontiers": told(&plan.frontiers),
        "faults": told(&plan.faults),
        "changes": plan.changes(),
        "destroys": plan.destroys(),
    }))
}

/// A call's line, and what it would change in a file.
struct Row {
    cells: Vec<String>,
    diff: Vec<String>,
}

/// Lines of a difference that are shown; the rest is in `--json`.
const LINES: usize = 40;

/// The difference where there was no config before: one word in the row.
const NEW: &str = "+ config";

/// What would change in a file, or in the config of a node; nothing where it is not told, as of secrets.
fn diff(planned: &Planned) -> Vec<String> {
    let text = planned.reply.get("diff").and_then(Value::as_str).unwrap_or_default();
    let told = planned.effect == Effect::Files || planned.call == "talos.apply_config";
    if !told || !planned.changed || text.starts_with(NEW) {
        return Vec::new();
    }
    let mut lines: Vec<String> = text.lines().take(LINES).map(str::to_owned).collect();
    let more = text.lines().count().saturating_sub(LINES);
    if more > 0 {
        lines.push(format!(" … {} more", wording::count(more, "line")));
    }
    lines
}

fn flush(out: &mut String, rows: &mut Vec<Row>, look: Look) {
    let cells: Vec<Vec<String>> = rows.iter_mut().map(|r| std::mem::take(&mut r.cells)).collect();
    for (line, row) in table::lines(&cells, 3, look.room()).iter().zip(rows.drain(..)) {
        out.push_str(line);
        out.push('\n');
        for line in super::diff_lines(&row.diff, look) {
            out.push_str(&format!("       {line}\n"));
        }
    }
}

fn recipe_of(planned: &Planned) -> String {
    planned.id.path.0.split('{').next().unwrap_or_default().to_owned()
}

fn about(planned: &Planned) -> String {
    let node = planned.node.as_deref().unwrap_or_default();
    match planned.about.strip_prefix(node) {
        Some(rest) if rest.is_empty() || rest.starts_with(' ') => rest.trim().to_owned(),
        _ => planned.about.clone(),
    }
}

fn change(planned: &Planned) -> String {
    if planned.effect == Effect::Reads {
        return if has_later(&planned.reply) { "known after apply".into() } else { String::new() };
    }
    let (_, text) = wording::outcome(&ops_core::record::Outcome::Done(planned.reply.clone()));
    let new = planned.reply.get("diff").and_then(Value::as_str).is_some_and(|d| d.starts_with(NEW));
    match (planned.changed, text.as_str()) {
        (false, _) => "unchanged".into(),
        (true, _) if new => "new".into(),
        (true, "done" | "changed" | "unchanged") => String::new(),
        (true, changed) => changed.strip_prefix("changed, ").unwrap_or(changed).to_owned(),
    }
}

fn totals(plan: &Plan) -> String {
    let number = |keep: &dyn Fn(&Planned) -> bool| plan.planned.iter().filter(|p| keep(p)).count();
    let reads = number(&|p| p.effect == Effect::Reads);
    let files = number(&|p| p.effect == Effect::Files && p.changed);
    let same = number(&|p| p.effect != Effect::Reads && !p.changed);
    let change = plan.changes() - number(&|p| p.changed && p.effect == Effect::Destroys);
    let mut parts = vec![format!("{} destroy", plan.destroys()), format!("{change} change")];
    if files > 0 {
        parts.push(format!("{files} write files"));
    }
    if same > 0 {
        parts.push(format!("{same} unchanged"));
    }
    parts.push(format!("{reads} read"));
    parts.join(", ")
}

fn unknown_fields(plan: &Plan) -> Vec<String> {
    let mut fields: Vec<String> = plan
        .planned
        .iter()
        .filter(|p| p.changed)
        .filter_map(|p| p.reply.as_object())
        .flat_map(|reply| reply.iter().filter(|(_, v)| has_later(v)).map(|(k, _)| k))
        .map(|field| field.replace('_', " "))
        .collect();
    fields.sort();
    fields.dedup();
    fields
}
