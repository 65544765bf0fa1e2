//! The table of call types and boundaries: which cells crashes have fired in, and why some cannot fire.

use std::collections::{BTreeMap, BTreeSet};

use ops_core::call::Request;
use ops_core::call::table::Call;
use ops_core::effect::Effect;
use ops_core::record::{Intent, Outcome, Record};

use crate::engine::replay::settles;
use crate::engine::watch::outlives;

/// Every boundary that has to do with a call.
pub(super) const POINTS: [&str; 20] = [
    "b1",
    "b2.first",
    "b2.half",
    "b2.line",
    "b3",
    "b4",
    "b5",
    "b6",
    "b7",
    "b7.outcome",
    "b8",
    "b9.first",
    "b9.half",
    "b9.line",
    "b10",
    "b11",
    "b12",
    "b13",
    "b14",
    "b15",
];

/// Call types that no crash recipe makes, and why.
pub(super) const LEFT_OUT: [(&str, &str); 3] = [
    (
        "talos.gen.secrets",
        "made once in a repository's life and never replaced; an unfinished bundle has another name",
    ),
    ("fs.temp", "gives a name and writes nothing"),
    ("safety.issue", "it writes into the state folder alone, and what it wrote is never replayed"),
];

/// Which cells have fired, and which are to.
#[derive(Default)]
pub(super) struct Cells {
    fired: BTreeSet<(String, String)>,
    /// Call types of the recipe, with what is known of one call of each.
    types: BTreeMap<String, Kind>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Kind {
    changes: bool,
    synced: bool,
    settles: bool,
    process: bool,
    blob: bool,
    slot: bool,
    cleanup: bool,
    answered: bool,
}

impl Cells {
    /// The call types that a run's journal holds.
    pub(super) fn of(records: &[Record]) -> Cells {
        let mut cells = Cells::default();
        for record in records {
            match record {
                Record::Intent(intent) => {
                    let kind = cells.types.entry(intent.call.clone()).or_default();
                    kind.changes |= intent.effect.changes_world();
                    kind.settles |= settles(intent);
                    kind.slot |= intent.slot.is_some();
                    kind.cleanup |= intent.id.path.0.contains("/defer[");
                    kind.synced |= synced(intent);
                }
                Record::Started { id, .. } => cells.with(records, id, |kind| kind.process = true),
                Record::Outcome { id, outcome, .. } => cells.with(records, id, |kind| {
                    kind.answered = true;
                    kind.blob |= matches!(outcome, Outcome::DoneBlob(_));
                }),
                _ => {}
            }
        }
        cells
    }

    fn with(&mut self, records: &[Record], id: &ops_core::ident::CallId, say: impl Fn(&mut Kind)) {
        let call = records.iter().find_map(|record| match record {
            Record::Intent(intent) if intent.id == *id => Some(&intent.call),
            _ => None,
        });
        if let Some(kind) = call.and_then(|call| self.types.get_mut(call)) {
            say(kind);
        }
    }

    /// A crash came about there.
    pub(super) fn fire(&mut self, call: &str, point: &str) {
        self.fired.insert((call.to_owned(), point.to_owned()));
    }

    /// Whether an unknown outcome of this type is settled, or the call simply made again.
    pub(super) fn settles(&self, call: &str) -> bool {
        self.types.get(call).is_some_and(|kind| kind.settles)
    }

    /// The types that the recipe makes.
    pub(super) fn calls(&self) -> impl Iterator<Item = &str> {
        self.types.keys().map(String::as_str)
    }

    /// Cells that are empty without a reason, and cells that fired although they cannot.
    pub(super) fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (call, kind) in &self.types {
            for point in POINTS {
                let fired = self.fired.contains(&(call.clone(), point.to_owned()));
                match (fired, kind.cannot(point)) {
                    (true, None) | (false, Some(_)) => {}
                    (false, None) => wrong.push(format!("{call} × {point} never fired")),
                    (true, Some(why)) => {
                        wrong.push(format!("{call} × {point} fired, although {why}"));
                    }
                }
            }
        }
        wrong
    }

    /// The table: a cross where a crash fired, a dot where none can.
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        for (call, kind) in &self.types {
            text.push_str(&format!("{call:24}"));
            for point in POINTS {
                let fired = self.fired.contains(&(call.clone(), point.to_owned()));
                let mark = match (fired, kind.cannot(point)) {
                    (true, _) => 'x',
                    (false, Some(_)) => '.',
                    (false, None) => '?',
                };
                text.push(mark);
            }
            text.push('\n');
        }
        text
    }
}

impl Kind {
    /// Why no crash can fire there.
    fn cannot(self, point: &str) -> Option<&'static str> {
        let needs = |has: bool, why: &'static str| (!has).then_some(why);
        match point {
            "b4" => {
                needs(self.synced, "only what outlives this machine is synced before it starts")
            }
            "b5" | "b7" => needs(self.process, "the lab's tools are no processes"),
            "b6" => needs(self.changes, "it changes nothing outside of this machine"),
            "b8" => needs(self.blob, "its reply fits into a record"),
            "b12" | "b13" => needs(self.settles, "it is made again, never settled"),
            "b14" => needs(self.cleanup, "no cleanup makes it"),
            "b15" => needs(self.slot, "it needs no grant"),
            "b7.outcome" | "b9.first" | "b9.half" | "b9.line" | "b10" | "b11" => {
                needs(self.answered, "its branch ends before it is answered")
            }
            _ => None,
        }
    }
}

/// Whether an intent is on disk before its call starts.
pub(super) fn synced(intent: &Intent) -> bool {
    let (call, args) = (intent.call.clone(), intent.args.clone());
    // The engine's own calls have no type.
    let decoded = Call::decode(&Request { call, args, place: None });
    decoded.is_ok_and(|(call, _)| outlives(call.spec()))
}

/// Every type that changes something is in a crash recipe, or it is said why not.
pub(super) fn missing(made: &BTreeSet<String>) -> Vec<&'static str> {
    ops_core::call::table::INFOS
        .iter()
        .filter(|info| info.effect > Effect::Reads && !made.contains(info.name))
        .map(|info| info.name)
        .filter(|name| LEFT_OUT.iter().all(|(left, _)| left != name))
        .collect()
}
