//! A cluster at a glance, and what is left open.

use ops_core::value::{Map, Value};
use serde_json::json;

use super::object;
use crate::output::fault::command;
use crate::output::paint::{Look, Paint};
use crate::output::{table, wording};

/// What a status shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusView {
    /// Name of the cluster.
    pub cluster: String,
    /// Whether everything that was asked is well.
    pub healthy: bool,
    /// A topic, and what is said of it: `nodes`, `5 of 5 ready`.
    pub rows: Vec<(String, String)>,
    /// What is left open, one a line.
    pub open: Vec<String>,
    /// Commands to copy.
    pub next: Vec<String>,
}

/// The status as text.
pub fn status(view: &StatusView, look: Look) -> String {
    let paint = Paint(look.colour);
    let word = if view.healthy { paint.good("healthy") } else { paint.bad("not healthy") };
    let open = match view.open.len() {
        0 => "nothing open".to_owned(),
        n => format!("{} open", wording::count(n, "thing")),
    };
    let mut out = format!("{}   {word}, {open}\n", paint.strong(&view.cluster));
    let mut rows: Vec<Vec<String>> =
        view.rows.iter().map(|(topic, text)| vec![format!("  {topic}"), text.clone()]).collect();
    rows.extend(
        view.open.iter().enumerate().map(|(i, text)| {
            vec![if i == 0 { "  open".into() } else { String::new() }, text.clone()]
        }),
    );
    for line in table::lines(&rows, 7, look.room()) {
        out.push_str(&line);
        out.push('\n');
    }
    for (i, next) in view.next.iter().enumerate() {
        out.push_str(&command(i == 0, next, look.room()));
    }
    out
}

/// The status for machines.
pub fn status_json(view: &StatusView) -> Map<String, Value> {
    let rows: Vec<Value> =
        view.rows.iter().map(|(topic, text)| json!({"topic": topic, "text": text})).collect();
    object(json!({
        "cluster": view.cluster, "healthy": view.healthy, "rows": rows, "open": view.open,
        "next": view.next,
    }))
}
