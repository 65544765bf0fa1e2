//! Guard `order`: after every prefix of the planned calls a quorum of healthy voters is left, and one control plane goes at a time.
//!
//! With C control planes in the inventory at least ⌊C/2⌋+1 healthy voters must be left, and never fewer than a quorum of the members
//! that etcd itself lists (stale ones count there). Learners do not count. A call that takes no voter away is not its business.

use std::collections::BTreeSet;

use super::deed::Deed;
use super::etcd::{Etcd, Voters, assess};
use super::evidence::EvidenceCode;
use super::facts::{EtcdSaid, Facts, OpenKind, fresh};
use super::rows::snapshot_fault;
use super::{Case, Site};
use crate::error::{Code, Fault};

/// Judges a sequence of deeds, the first of which happens now.
///
/// # Errors
/// The first deed that would leave too few voters, and why.
pub(super) fn check(deeds: &[Deed<'_>], case: &Case<'_>) -> Result<(), Box<Fault>> {
    let site = &case.site;
    let voting = |deed: &&Deed<'_>| disturbs(deed, site) && !empty_handed(deed, case);
    let Some(first) = deeds.iter().find(voting) else { return Ok(()) };
    let planes = site.cluster.control_planes().count();
    refuse_while_open(deeds.iter().filter(voting), site, case.facts)?;
    let limit = EvidenceCode::Etcd.limit(&site.cluster.guards);
    let etcd = fresh(case.facts.etcd.as_ref(), limit, case.now)
        .and_then(|view| assess(view, site.cluster))
        .map_err(|why| unknown(first, &why))?;
    let Etcd::Present(voters) = etcd else { return unborn(deeds, site) };
    if planes == 1 {
        return single(deeds, case);
    }
    let mut count = Count::new(planes, &voters);
    for deed in deeds.iter().filter(|deed| !empty_handed(deed, case)) {
        match deed {
            Deed::Bootstrap(node) => return Err(second_bootstrap(node, &voters)),
            Deed::Back(Some(node)) => count.back(node),
            Deed::Back(None) => count.all_back(),
            Deed::Reset(reset) if is_plane(site, &reset.node) => {
                if reset.graceful == Some(false) {
                    return Err(ungraceful(&reset.node));
                }
                count.leave(&reset.node).map_err(|short| refusal(deed, &short, case))?;
            }
            Deed::Away(node) | Deed::Apply { node, reboots: Some(true) | None }
                if is_plane(site, node) =>
            {
                count.away(node).map_err(|short| refusal(deed, &short, case))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// No etcd yet, so nothing to lose: nodes are installed and started in whatever order, and one of them begins.
fn unborn(deeds: &[Deed<'_>], site: &Site<'_>) -> Result<(), Box<Fault>> {
    let mut begun: Option<&str> = None;
    for deed in deeds {
        let Deed::Bootstrap(node) = deed else { continue };
        if !is_plane(site, node) {
            return Err(worker_bootstrap(node));
        }
        if let Some(first) = begun.replace(node) {
            let voters = Voters { asked: vec![first.to_owned()], ..Voters::default() };
            return Err(second_bootstrap(node, &voters));
        }
    }
    Ok(())
}

/// Whether a deed takes a control plane away, or begins an etcd.
pub(super) fn disturbs(deed: &Deed<'_>, site: &Site<'_>) -> bool {
    match deed {
        Deed::Bootstrap(_) => true,
        Deed::Away(node) | Deed::Apply { node, reboots: Some(true) | None } => is_plane(site, node),
        Deed::Reset(reset) => is_plane(site, &reset.node),
        Deed::Destroys { .. }
        | Deed::Nothing
        | Deed::Elsewhere { .. }
        | Deed::Touch(_)
        | Deed::Apply { .. }
        | Deed::Back(_) => false,
    }
}

/// Whether a deed is about a node that is proven to have no etcd data: then no voter goes with it, whatever the others are doing.
pub(super) fn empty_handed(deed: &Deed<'_>, case: &Case<'_>) -> bool {
    let Some(node) = deed.node() else { return false };
    if matches!(deed, Deed::Bootstrap(_)) {
        return false;
    }
    let settings = &case.site.cluster.guards;
    let etcd = fresh(case.facts.etcd.as_ref(), EvidenceCode::Etcd.limit(settings), case.now);
    // A member that starts again waits as one that starts for the first time; the others know it, and its data is there.
    let listed = |said: &EtcdSaid| matches!(said, EtcdSaid::Members { members, .. } if members.iter().any(|m| m.name == node));
    let without = etcd.is_ok_and(|view| {
        view.answers.iter().any(|answer| answer.node == node && answer.said == EtcdSaid::NoEtcd)
            && !view.answers.iter().any(|answer| listed(&answer.said))
    });
    let maintenance = case.facts.node(node).and_then(|facts| facts.maintenance.as_ref());
    let proven = fresh(maintenance, EvidenceCode::Maint.limit(settings), case.now);
    without || proven.is_ok_and(|maintenance| maintenance.proven())
}

/// A node that the inventory does not know is taken for a control plane.
fn is_plane(site: &Site<'_>, node: &str) -> bool {
    site.cluster.node(node).is_none_or(crate::inventory::Node::is_control_plane)
}

/// Why a voter may not go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Short {
    /// Too few healthy voters would be left.
    Voters {
        /// Those that would go, in order.
        gone: Vec<String>,
        /// Healthy ones that would be left.
        left: usize,
        /// Healthy ones that must be left.
        need: usize,
        /// Healthy ones at the beginning.
        healthy: usize,
    },
    /// Another control plane is not back yet.
    Busy(String),
}

/// Counts healthy voters along a sequence of calls.
#[derive(Clone, Debug)]
pub(super) struct Count {
    planes: usize,
    listed: usize,
    healthy: BTreeSet<String>,
    /// Voters that are not healthy: none is lost with them, yet they may be all that a remedy has.
    ill: BTreeSet<String>,
    /// Away, and expected back as the member that it was.
    away: Option<String>,
    gone: Vec<String>,
    /// Left etcd for good: nothing planned brings these back.
    left: BTreeSet<String>,
    begun: usize,
}

impl Count {
    /// The state before the first call.
    pub(super) fn new(planes: usize, voters: &Voters) -> Count {
        Count {
            planes,
            listed: voters.listed,
            healthy: voters.healthy.clone(),
            ill: voters.ill.clone(),
            away: None,
            gone: Vec::new(),
            left: BTreeSet::new(),
            begun: voters.healthy.len(),
        }
    }

    /// A node goes for a while: the member list keeps it.
    pub(super) fn away(&mut self, node: &str) -> Result<(), Short> {
        self.alone(node)?;
        self.take(node, self.listed)?;
        self.away = Some(node.to_owned());
        Ok(())
    }

    /// A node leaves etcd for good: the member list shrinks.
    pub(super) fn leave(&mut self, node: &str) -> Result<(), Short> {
        self.alone(node)?;
        let voted = self.healthy.contains(node) || self.ill.contains(node);
        self.take(node, self.listed.saturating_sub(1))?;
        self.left.insert(node.to_owned());
        if voted {
            self.listed -= 1;
            self.ill.remove(node);
        }
        // The one that was away has now left; nobody waits for it.
        self.away = None;
        Ok(())
    }

    /// A node that was away has been seen again.
    pub(super) fn back(&mut self, node: &str) {
        if self.away.as_deref() == Some(node) {
            self.away = None;
            if !self.left.contains(node) && self.gone.iter().any(|gone| gone == node) {
                self.gone.retain(|gone| gone != node);
                self.ill.remove(node);
                self.healthy.insert(node.to_owned());
            }
        }
    }

    /// etcd as a whole was waited for: who was away is a voter again. One that left stays out: nothing planned here brings it back.
    pub(super) fn all_back(&mut self) {
        if let Some(node) = self.away.clone() {
            self.back(&node);
        }
    }

    fn alone(&self, node: &str) -> Result<(), Short> {
        match &self.away {
            Some(other) if other != node => Err(Short::Busy(other.clone())),
            _ => Ok(()),
        }
    }

    fn take(&mut self, node: &str, listed: usize) -> Result<(), Short> {
        let voted = self.healthy.contains(node);
        if !voted && !self.ill.contains(node) {
            return Ok(());
        }
        let left = self.healthy.len() - usize::from(voted);
        let need = (self.planes / 2 + 1).max(listed / 2 + 1);
        self.gone.push(node.to_owned());
        if left < need {
            let gone = self.gone.clone();
            return Err(Short::Voters { gone, left, need, healthy: self.begun });
        }
        self.healthy.remove(node);
        Ok(())
    }
}

fn refuse_while_open<'d>(
    deeds: impl Iterator<Item = &'d Deed<'d>>,
    site: &Site<'_>,
    facts: &Facts,
) -> Result<(), Box<Fault>> {
    for deed in deeds {
        let Some(node) = deed.node() else { continue };
        if let Some(other) = facts.under_way.iter().find(|o| *o != node && is_plane(site, o)) {
            return Err(busy(node, other));
        }
        let away = facts.open.iter().find(|open| {
            open.kind == OpenKind::Away && open.node != node && is_plane(site, &open.node)
        });
        if let Some(open) = away {
            return Err(Box::new(
                Fault::new(
                    Code::GUARD_ORDER,
                    format!("{} is still away since run {}", open.node, open.run),
                )
                .detail(format!("One control plane goes at a time; {node} has to wait."))
                .next("ops status")
                .next(format!("ops resume {}", open.run)),
            ));
        }
    }
    Ok(())
}

/// A declared single control plane: it may reboot, upgrade and be configured with a fresh snapshot; resetting it ends the cluster.
fn single(deeds: &[Deed<'_>], case: &Case<'_>) -> Result<(), Box<Fault>> {
    for deed in deeds.iter().filter(|deed| disturbs(deed, &case.site)) {
        match deed {
            // The whole cluster goes: the kind `teardown` has its own order, and its grant says so.
            Deed::Reset(_) => {}
            Deed::Bootstrap(node) => {
                return Err(Box::new(
                    Fault::new(Code::GUARD_ORDER, format!("{node} already runs etcd"))
                        .detail("A second bootstrap would begin another etcd beside it."),
                ));
            }
            _ => snapshot_fault(case).map_or(Ok(()), Err)?,
        }
    }
    Ok(())
}

fn verb(deed: &Deed<'_>) -> &'static str {
    match deed {
        Deed::Reset(_) => "Resetting",
        Deed::Apply { .. } => "Configuring",
        _ => "Taking away",
    }
}

fn refusal(deed: &Deed<'_>, short: &Short, case: &Case<'_>) -> Box<Fault> {
    let node = deed.node().unwrap_or_default();
    let (gone, left, need, healthy) = match short {
        Short::Busy(other) => return busy(node, other),
        Short::Voters { gone, left, need, healthy } => (gone, left, need, healthy),
    };
    let planes = case.site.cluster.control_planes().count();
    let mut fault = Fault::new(
        Code::GUARD_ORDER,
        format!("etcd would be left with {left} of {healthy} healthy voters, {need} must stay"),
    )
    .detail(format!(
        "{} {} in one run leaves {left} of {healthy} healthy voters; with {planes} control planes etcd needs {need}.",
        verb(deed),
        gone.join(" and "),
    ));
    if planes.is_multiple_of(2) {
        fault = fault
            .help(format!("{planes} control planes survive no more losses than {}", planes - 1));
    }
    if deed.destroys() {
        if let [first, _, ..] = gone.as_slice() {
            fault = fault.next(case.asked.verify_for(first));
        }
        fault.next("ops verify cluster:rebuild          if the whole cluster should go").into()
    } else {
        fault.next("ops status").into()
    }
}

fn busy(node: &str, other: &str) -> Box<Fault> {
    Box::new(
        Fault::new(Code::GUARD_ORDER, format!("{other} is not back yet, {node} has to wait"))
            .detail("One control plane goes at a time: the next may go once it votes again.")
            .help("wait for it first: `wait.etcd {}`, or `cx:rolling` over the nodes"),
    )
}

fn unknown(deed: &Deed<'_>, why: &str) -> Box<Fault> {
    let node = deed.node().unwrap_or_default();
    Box::new(
        Fault::new(Code::GUARD_ORDER, "nobody can say who votes in etcd")
            .detail(format!("{} {node} may cost a voter, and etcd is unknown: {why}.", verb(deed)))
            .detail("Unknown is not healthy.")
            .next("ops run cluster:status"),
    )
}

fn ungraceful(node: &str) -> Box<Fault> {
    Box::new(
        Fault::new(Code::GUARD_ORDER, format!("{node} would leave a dead voter behind"))
            .detail("graceful = false skips drain and leaving etcd: the member stays listed and counts against quorum.")
            .help("leave out `graceful`, or replace the node: talos:replace-node"),
    )
}

fn second_bootstrap(node: &str, voters: &Voters) -> Box<Fault> {
    let who: Vec<&str> = voters.healthy.iter().map(String::as_str).collect();
    let who = if who.is_empty() { voters.asked.join(", ") } else { who.join(", ") };
    Box::new(
        Fault::new(Code::GUARD_ORDER, format!("etcd runs already, {node} may not begin another"))
            .detail(format!(
                "Members answer on {who}. A second bootstrap splits the cluster in two."
            ))
            .help(format!("{node} joins by itself once its config is applied")),
    )
}

fn worker_bootstrap(node: &str) -> Box<Fault> {
    Box::new(
        Fault::new(
            Code::GUARD_ORDER,
            format!("{node} is no control plane, etcd cannot begin there"),
        )
        .help("bootstrap a control plane of the inventory"),
    )
}
