//! From facts to rows of the verification table: one function per code. Unknown is a state of its own and never passes.
//!
//! Gathers nothing: what was not asked, not answered or is too old is unknown.

use super::deed::Deed;
use super::etcd::{Etcd, Trouble, assess};
use super::evidence::{Evidence, EvidenceCode, EvidenceNeed, State};
use super::facts::{Maintenance, NodeFacts, OpenKind, Seen, fresh};
use super::identity;
use super::order::{disturbs, empty_handed};
use super::partitions::as_real;
use super::{Case, Site};
use crate::error::{Code, Fault};
use crate::inventory::Role;

/// Which evidence a deed needs.
pub(super) fn needs(deed: &Deed<'_>, site: &Site<'_>) -> Vec<EvidenceNeed> {
    use EvidenceCode::{Blast, Disk, Etcd, Id, Lock, Maint, Node, Sec, Snap, Stor};
    let codes: &[EvidenceCode] = match deed {
        Deed::Nothing | Deed::Back(_) | Deed::Elsewhere { kube: false, .. } => &[],
        Deed::Elsewhere { kube: true, .. } => &[Id],
        Deed::Apply { .. } => &[Id, Node, Maint, Sec, Disk, Lock],
        Deed::Away(_) => &[Id, Node, Stor],
        Deed::Reset(_) => &[Id, Node, Maint, Disk, Stor, Blast],
        // What destroys otherwise has no kind yet, and so no evidence that would do.
        Deed::Touch(_) | Deed::Bootstrap(_) | Deed::Destroys { .. } => &[Id, Node],
    };
    let mut codes = codes.to_vec();
    if disturbs(deed, site) {
        codes.push(Etcd);
        let planes = site.cluster.control_planes().count();
        if matches!(deed, Deed::Reset(_)) || planes == 1 && !matches!(deed, Deed::Bootstrap(_)) {
            codes.push(Snap);
        }
    }
    let settings = &site.cluster.guards;
    codes
        .into_iter()
        .map(|code| {
            let about_cluster = matches!(code, Id | Etcd | Snap);
            let node = if about_cluster { None } else { deed.node().map(str::to_owned) };
            EvidenceNeed { code, node, fresh: code.limit(settings) }
        })
        .collect()
}

/// The row of one need.
pub(super) fn row(need: &EvidenceNeed, deed: &Deed<'_>, case: &Case<'_>) -> Evidence {
    let row = Row { code: need.code, node: need.node.as_deref(), case };
    match need.code {
        EvidenceCode::Id => identity::cluster_row(&row, deed),
        EvidenceCode::Node => identity::node_row(&row, deed),
        EvidenceCode::Maint => row.maintenance(deed),
        EvidenceCode::Etcd => row.etcd(deed),
        // A machine without etcd data takes none with it: the first config of a single control plane comes before any snapshot.
        EvidenceCode::Snap if !matches!(deed, Deed::Reset(_)) && empty_handed(deed, case) => {
            row.say(State::NotApplicable, "no etcd data on it")
        }
        EvidenceCode::Snap => row.snapshot(),
        EvidenceCode::Disk => row.disks(deed),
        EvidenceCode::Stor => row.storage(),
        EvidenceCode::Blast => row.workloads(),
        EvidenceCode::Sec => row.config(),
        EvidenceCode::Lock => row.lock(),
        EvidenceCode::Backup
        | EvidenceCode::Diff
        | EvidenceCode::Img
        | EvidenceCode::Gitops
        | EvidenceCode::Oob => row.unknown("nothing gathers this yet"),
    }
}

/// Why the snapshot does not do, for the guard `order` of a single control plane.
pub(super) fn snapshot_fault(case: &Case<'_>) -> Option<Box<Fault>> {
    let row = Row { code: EvidenceCode::Snap, node: None, case }.snapshot();
    (!row.state.holds()).then(|| {
        let mut fault =
            Fault::new(Code::GUARD_ORDER, "the only control plane would go without a snapshot")
                .detail(format!("snapshot: {}", row.found));
        if let Some(way_out) = row.way_out {
            fault = fault.next(way_out);
        }
        Box::new(fault)
    })
}

/// A row that is being judged.
pub(super) struct Row<'a> {
    pub(super) code: EvidenceCode,
    pub(super) node: Option<&'a str>,
    pub(super) case: &'a Case<'a>,
}

impl<'a> Row<'a> {
    pub(super) fn facts(&self) -> Option<&'a NodeFacts> {
        self.case.facts.node(self.node?)
    }

    /// The fact, still fresh; else the row that says why not.
    pub(super) fn learn<T>(
        &self,
        seen: Option<&'a Seen<T>>,
    ) -> Result<(&'a T, &'a Seen<T>), Evidence> {
        let limit = self.code.limit(&self.case.site.cluster.guards);
        match (fresh(seen, limit, self.case.now), seen) {
            (Ok(fact), Some(seen)) => Ok((fact, seen)),
            (Err(why), _) => Err(self.unknown(&why)),
            (Ok(_), None) => Err(self.unknown("not asked")),
        }
    }

    pub(super) fn say(&self, state: State, found: impl Into<String>) -> Evidence {
        Evidence::new(self.code, self.node, state, found, self.case.now)
    }

    pub(super) fn unknown(&self, why: &str) -> Evidence {
        self.say(State::Unknown, why).way_out(match self.node {
            Some(node) => format!("ops run cluster:status          shows whether {node} answers"),
            None => "ops run cluster:status".into(),
        })
    }

    fn name(&self) -> &'a str {
        self.node.unwrap_or_default()
    }

    fn maintenance(&self, deed: &Deed<'_>) -> Evidence {
        let Some(facts) = self.facts() else { return self.unknown("not asked") };
        let running = facts.identity.as_ref().and_then(|i| i.found.as_ref().ok());
        if running.is_some_and(|i| i.ca.is_some()) {
            return self
                .say(State::NotApplicable, "runs with a certificate")
                .proof("an authenticated call was answered");
        }
        let (Maintenance { answers_insecure, refuses_certificate, without_config }, seen) =
            match self.learn(facts.maintenance.as_ref()) {
                Ok((maintenance, seen)) => (*maintenance, seen),
                Err(row) => return row,
            };
        let mut row = match (answers_insecure, refuses_certificate, without_config) {
            (true, true, true) if matches!(deed, Deed::Reset(_)) => {
                self.say(State::Fail, "in maintenance mode, which has no safe reset")
            }
            (true, true, true) => self.say(State::Pass, "in maintenance mode, proven three ways"),
            (false, ..) => self.say(State::Fail, "no maintenance API"),
            (_, false, _) => {
                self.say(State::Fail, "answers authenticated calls, so it is no maintenance mode")
            }
            (.., false) => self.say(State::Fail, "has a machine config"),
        };
        row.at = seen.at;
        row
    }

    fn etcd(&self, deed: &Deed<'_>) -> Evidence {
        if let Some(node) = deed.node().filter(|_| empty_handed(deed, self.case)) {
            return self
                .say(State::NotApplicable, format!("{node} is no member"))
                .proof(format!("{node} is proven to have no etcd data"));
        }
        let (view, seen) = match self.learn(self.case.facts.etcd.as_ref()) {
            Ok(found) => found,
            Err(row) => return row,
        };
        let mut row = match assess(view, self.case.site.cluster) {
            Err(why) => self.unknown(&why),
            Ok(Etcd::Absent) => self
                .say(State::NotApplicable, "no etcd yet")
                .proof("every control plane is proven to have no etcd data"),
            Ok(Etcd::Present(_)) if matches!(deed, Deed::Bootstrap(_)) => {
                self.say(State::Fail, "etcd runs already")
            }
            Ok(Etcd::Present(voters)) => {
                let missing = self.missing(&voters.healthy);
                let proof = format!("members and status from {}", voters.asked.join(", "));
                let trouble = voters.troubles.iter().chain(&missing).next();
                // Repairing the one that is ill must stay possible: its own troubles do not count against it.
                let own = deed.node().filter(|_| !deed.destroys());
                let others =
                    voters.troubles.iter().chain(&missing).any(|t| t.node.as_deref() != own);
                match trouble {
                    Some(trouble) if others || own.is_none() => self
                        .say(State::Fail, trouble.words.clone())
                        .way_out("ops run cluster:status"),
                    _ => {
                        let leader = voters.leader.unwrap_or_default();
                        let found =
                            format!("{} healthy voters, leader {leader}", voters.healthy.len());
                        self.say(State::Pass, found)
                    }
                }
                .proof(proof)
            }
        };
        row.at = seen.at;
        row
    }

    /// Control planes of the inventory that are no members although they should be.
    fn missing(&self, members: &std::collections::BTreeSet<String>) -> Vec<Trouble> {
        let left = &self.case.facts.left;
        self.case
            .site
            .cluster
            .control_planes()
            .filter(|node| !members.contains(&node.name) && !left.contains(&node.name))
            .map(|node| Trouble::of(&node.name, format!("{} does not vote", node.name)))
            .collect()
    }

    fn snapshot(&self) -> Evidence {
        let take = "ops run talos:etcd-snapshot";
        let limit = self.code.limit(&self.case.site.cluster.guards);
        let snapshot = match self.case.facts.snapshot.as_ref().map(|seen| &seen.found) {
            Some(Ok(snapshot)) => snapshot,
            Some(Err(why)) => return self.say(State::Unknown, why.clone()).way_out(take),
            None => return self.say(State::Unknown, "no snapshot was looked for").way_out(take),
        };
        let age = self.case.now.since(snapshot.taken);
        let short = crate::time::Span(age.0 / 1000 * 1000);
        let (state, found) = if snapshot.taken > self.case.now {
            (State::Unknown, "taken at a later time than now: the clock was turned back".into())
        } else if !snapshot.verified || snapshot.size == 0 {
            (State::Fail, format!("{short} old, its hash does not fit"))
        } else if age > limit {
            (State::Fail, format!("{short} old, at most {limit} counts"))
        } else {
            (State::Pass, format!("{short} old, hash verified"))
        };
        let mut row = self.say(state, found).proof(snapshot.path.clone());
        row.at = snapshot.taken;
        if state.holds() { row } else { row.way_out(take) }
    }

    fn disks(&self, deed: &Deed<'_>) -> Evidence {
        if let Deed::Reset(reset) = deed {
            return match as_real(reset, self.case) {
                Ok(()) => {
                    self.say(State::Pass, format!("has {}", reset.system_labels_to_wipe.join(", ")))
                }
                Err(fault) => self.say(State::Fail, fault.title),
            };
        }
        let (config, seen) = match self.learn(self.facts().and_then(|f| f.config.as_ref())) {
            Ok(found) => found,
            Err(row) => return row,
        };
        let mut row = match &config.install {
            None => self
                .say(State::NotApplicable, "installed already")
                .proof("an installed node does not look at its install disk again"),
            Some(found) => match (found.disks.as_slice(), found.foreign.as_slice()) {
                ([disk], []) => self.say(State::Pass, format!("installs to {disk}")),
                ([disk], foreign) => {
                    self.say(State::Fail, format!("{disk} holds {}", foreign.join(", ")))
                }
                ([], _) => self.say(State::Fail, "the install disk selector matches no disk"),
                (many, _) => self.say(
                    State::Fail,
                    format!(
                        "the install disk selector matches {}: {}",
                        many.len(),
                        many.join(", ")
                    ),
                ),
            },
        };
        row.at = seen.at;
        row
    }

    fn storage(&self) -> Evidence {
        if let Some(row) = self.no_kubernetes() {
            return row;
        }
        let (storage, seen) = match self.learn(self.facts().and_then(|f| f.storage.as_ref())) {
            Ok(found) => found,
            Err(row) => return row,
        };
        let local = match storage.local.len() {
            0 => String::new(),
            n => format!(", {n} local volumes: {}", storage.local.join(", ")),
        };
        let mut row = if storage.crds.is_empty() && storage.local.is_empty() {
            self.say(State::NotApplicable, "no storage CRD on this cluster")
                .proof("discovery lists no storage CRD")
        } else if !storage.local.is_empty() {
            self.say(State::Fail, format!("data that is nowhere else{local}"))
        } else {
            match &storage.volumes {
                None => self.unknown(&format!("{} cannot be asked yet", storage.crds.join(", "))),
                Some(volumes) => match volumes.iter().find(|v| !v.healthy || v.elsewhere == 0) {
                    Some(ill) => self.say(
                        State::Fail,
                        format!("{}: {} healthy replicas elsewhere", ill.name, ill.elsewhere),
                    ),
                    None => self
                        .say(State::Pass, format!("{} volumes healthy elsewhere", volumes.len())),
                },
            }
        };
        row.at = seen.at;
        row
    }

    fn workloads(&self) -> Evidence {
        if let Some(row) = self.no_kubernetes() {
            return row;
        }
        let (here, seen) = match self.learn(self.facts().and_then(|f| f.workloads.as_ref())) {
            Ok(found) => found,
            Err(row) => return row,
        };
        let pods = here.pods.len();
        let mut row = if !here.registered {
            self.say(State::NotApplicable, "Kubernetes does not know the node")
                .proof("the API lists no such node")
        } else if !here.alone.is_empty() {
            self.say(State::Fail, format!("nothing brings back {}", here.alone.join(", ")))
        } else if !here.blocked.is_empty() {
            let budgets = here.blocked.join(", ");
            self.say(State::Fail, format!("{pods} pods, no eviction now by {budgets}"))
        } else {
            self.say(State::Pass, format!("runs {pods} pods, none alone"))
        };
        row.at = seen.at;
        row
    }

    /// Where etcd is proven absent there is no Kubernetes, hence nothing that runs or is stored there.
    fn no_kubernetes(&self) -> Option<Evidence> {
        let limit = EvidenceCode::Etcd.limit(&self.case.site.cluster.guards);
        let view = fresh(self.case.facts.etcd.as_ref(), limit, self.case.now).ok()?;
        matches!(assess(view, self.case.site.cluster), Ok(Etcd::Absent)).then(|| {
            self.say(State::NotApplicable, "no Kubernetes yet")
                .proof("every control plane is proven to have no etcd data")
        })
    }

    fn config(&self) -> Evidence {
        let name = self.name();
        let (config, seen) = match self.learn(self.facts().and_then(|f| f.config.as_ref())) {
            Ok(found) => found,
            Err(row) => return row,
        };
        let site = &self.case.site;
        let live = self.facts().and_then(|f| f.identity.as_ref()?.found.as_ref().ok());
        let role = live
            .and_then(|i| i.machine_type)
            .or_else(|| site.cluster.node(name).map(|node| node.role));
        let ca = site
            .lock
            .and_then(|lock| lock.talos_ca.as_ref())
            .or_else(|| live.and_then(|i| i.ca.as_ref()))
            .or(self.case.facts.own_ca.as_ref());
        let word = |role: Option<Role>| role.map_or("nothing", Role::word);
        let mut row = if config.machine_type.is_none() || config.machine_type != role {
            let found = format!("machine.type {} for a {}", word(config.machine_type), word(role));
            self.say(State::Fail, found)
        } else if config.hostname.as_deref().is_some_and(|host| host != name) {
            let host = config.hostname.clone().unwrap_or_default();
            self.say(State::Fail, format!("is the config of {host}"))
        } else if config.ca.is_none() || ca.is_none() {
            self.unknown("nobody can say to which cluster the config belongs")
        } else if config.ca.as_ref() != ca {
            self.say(State::Fail, "its secrets are those of another cluster")
        } else {
            self.say(State::Pass, format!("{}, this cluster's secrets", word(role)))
        };
        row.at = seen.at;
        row
    }

    fn lock(&self) -> Evidence {
        let name = self.name();
        let window = self
            .case
            .facts
            .open
            .iter()
            .find(|open| open.kind == OpenKind::TryWindow && open.node == name);
        match window {
            Some(open) => self
                .say(State::Fail, format!("a config is on trial since run {}", open.run))
                .way_out("ops status"),
            None => self.say(State::Pass, "no open try window"),
        }
    }
}
