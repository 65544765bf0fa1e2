//! What a run does to nodes: which it took away and has not seen again, which it reset, which were healthy before. Decides nothing.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use ops_core::call::table::Call;
use ops_core::effect::{Effect, Scope};
use ops_core::value::Value;

/// The nodes that a run has touched.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    away: RefCell<BTreeSet<String>>,
    reset: RefCell<BTreeSet<String>>,
    healthy: RefCell<BTreeMap<String, bool>>,
    moves: Cell<u64>,
}

impl Nodes {
    /// A call is about to start: its node goes away with it, or may. Gives the node, unless it was away already.
    pub(super) fn leaves(&self, call: &Call) -> Option<String> {
        let spec = call.spec();
        let node = spec.node().filter(|_| spec.scope() == Scope::Node)?;
        if !spec.effect().changes_world() {
            return None;
        }
        self.moves.set(self.moves.get() + 1);
        let fresh = self.away.borrow_mut().insert(node.to_owned());
        if spec.effect() == Effect::Destroys {
            self.reset.borrow_mut().insert(node.to_owned());
        }
        fresh.then(|| node.to_owned())
    }

    /// The call that would have taken the node away was not started.
    pub(super) fn stays(&self, node: &str) {
        self.away.borrow_mut().remove(node);
        self.reset.borrow_mut().remove(node);
    }

    /// How many calls have taken a node away so far.
    pub(super) fn moves(&self) -> u64 {
        self.moves.get()
    }

    /// A call is done: the nodes that it has seen again, or that never went.
    pub(super) fn returns(&self, call: &Call, reply: &Value) -> Vec<String> {
        let info = call.info();
        let seen: Vec<String> = match (info.name, call.spec().node()) {
            ("wait.etcd", _) => self.away.borrow().iter().cloned().collect(),
            // An apply that reboots is followed by a wait of its own.
            ("talos.apply_config", Some(_))
                if reply["changed"] != false && reply["reboot"] == "now" =>
            {
                Vec::new()
            }
            ("wait.node", Some(node)) => vec![node.to_owned()],
            (name, Some(node)) if name.starts_with("talos.") && info.effect == Effect::Mutates => {
                vec![node.to_owned()]
            }
            _ => Vec::new(),
        };
        let mut away = self.away.borrow_mut();
        for node in &seen {
            away.remove(node);
        }
        seen
    }

    /// Nodes that are away because of this run, without the one that is asked about.
    pub(super) fn under_way(&self, without: Option<&str>) -> Vec<String> {
        self.away.borrow().iter().filter(|node| Some(node.as_str()) != without).cloned().collect()
    }

    /// Nodes that this run has reset.
    pub(super) fn reset(&self) -> Vec<String> {
        self.reset.borrow().iter().cloned().collect()
    }

    /// Remembers how a node was before it is touched.
    pub(super) fn was(&self, node: &str, healthy: bool) {
        self.healthy.borrow_mut().insert(node.to_owned(), healthy);
    }

    /// Whether a node must be healthy again before the next: it was, and was not reset (then its recipe says how it comes back).
    pub(super) fn must_be_healthy(&self, node: &str) -> bool {
        self.healthy.borrow().get(node).copied().unwrap_or(false)
            && !self.reset.borrow().contains(node)
    }
}
