//! The list of recipes, by group.

use console::measure_text_width;
use ops_core::inventory::Cluster;
use ops_core::value::{Map, Value};
use serde_json::json;

use super::object;
use crate::output::paint::{Look, Paint};
use crate::output::{table, wording};
use crate::recipe::{Catalog, Head, Origin};

/// What a listing shows.
#[derive(Clone, Copy)]
pub struct Listing<'a> {
    /// Every recipe.
    pub catalog: &'a Catalog,
    /// The cluster of this place, if there is one.
    pub cluster: Option<&'a Cluster>,
    /// Whether the lab stands in for it.
    pub lab: bool,
    /// Private recipes too.
    pub all: bool,
}

impl Listing<'_> {
    fn heads(&self) -> impl Iterator<Item = &Head> {
        self.catalog.heads().filter(|h| self.all || !h.private)
    }
}

/// The list as text.
pub fn list(listing: &Listing<'_>, look: Look) -> String {
    let paint = Paint(look.colour);
    let mut out = format!("{}\n", heading(listing));
    let mut heads: Vec<&Head> = listing.heads().collect();
    // Recipes without a group stand first; those of one file stay in its order.
    heads.sort_by_key(|h| (group(h), &h.file, h.line));
    let mut last = None;
    let rows: Vec<Vec<&str>> = heads
        .iter()
        .map(|head| {
            let group = group(head);
            let shown = if last.replace(group) == Some(group) { "" } else { group };
            let within = head.name.strip_prefix(group).and_then(|name| name.strip_prefix(':'));
            let letter = if head.destructive { "D" } else { " " };
            vec![shown, within.unwrap_or(&head.name), letter, &head.desc]
        })
        .collect();
    if rows.is_empty() {
        out.push_str("\nThere are no recipes. `recipes/hello/world.lua` would be `hello:world`.\n");
        return out;
    }
    out.push('\n');
    let destroys = heads.iter().any(|h| h.destructive);
    let wide = |gap| table::lines(&rows, gap, None).iter().map(|l| measure_text_width(l)).max();
    // A narrow window gets narrow gaps, before anything is broken.
    let gap = if look.room().is_some_and(|room| wide(3) > Some(room)) { 2 } else { 3 };
    for line in table::lines(&rows, gap, look.room()) {
        out.push_str(&line);
        out.push('\n');
    }
    out.push('\n');
    let mut foot = Vec::new();
    if destroys {
        foot.push("D destroys and needs `ops verify`.");
    }
    foot.push("`ops show NAME` explains, `ops run NAME` runs.");
    for line in table::fold(&foot.join(" "), look.room().unwrap_or(usize::MAX), 0) {
        out.push_str(&format!("{}\n", paint.dim(line)));
    }
    out
}

/// The list for machines.
pub fn list_json(listing: &Listing<'_>) -> Map<String, Value> {
    let recipes: Vec<Value> = listing
        .heads()
        .map(|h| {
            json!({
                "name": h.name, "desc": h.desc, "group": group(h), "aliases": h.aliases,
                "tags": h.tags, "phase": h.phase, "destructive": h.destructive,
                "private": h.private, "origin": h.origin, "file": h.file, "line": h.line,
            })
        })
        .collect();
    object(json!({
        "cluster": listing.cluster.map(|c| &c.name), "lab": listing.lab, "recipes": recipes,
    }))
}

fn heading(listing: &Listing<'_>) -> String {
    let recipes = wording::count(listing.heads().count(), "recipe");
    let own = listing.heads().filter(|h| h.origin != Origin::Embedded).count();
    let recipes = if own == 0 { recipes } else { format!("{recipes}, {own} of this repository") };
    let lab = if listing.lab { "lab on" } else { "lab off" };
    match listing.cluster {
        Some(cluster) => {
            let planes = cluster.control_planes().count();
            let workers = cluster.nodes.len() - planes;
            let planes = wording::count(planes, "control plane");
            let workers = wording::count(workers, "worker");
            format!("{}: {planes}, {workers} · {recipes} · {lab}", cluster.name)
        }
        None => format!("no cluster · {recipes}"),
    }
}

pub(super) fn group(head: &Head) -> &str {
    head.group
        .as_deref()
        .unwrap_or_else(|| head.name.split_once(':').map_or("", |(group, _)| group))
}
