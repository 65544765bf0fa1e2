//! Requests on their way: arrival with routing, certificates and rights; effect; answer.
//! The three are separate events, so a fault fits between any two.

use super::config::Apply;
use super::{EtcdProcess, SequenceKind};
use crate::facts::Took;
use crate::ledger::{Cause, What};
use crate::reply::{Outcome, Reply, View};
use crate::request::{Api, Auth, Kind, Refusal, Request, Route};
use crate::world::{Call, Event, Ms, NodeId, Reached, Ticket, World};

/// How an effect ends.
pub(crate) enum Served {
    Now(Outcome),
    After(Ms, Outcome),
    Again(Ms),
}

impl From<Outcome> for Served {
    fn from(outcome: Outcome) -> Self {
        Self::Now(outcome)
    }
}

/// Between the endpoint's answer and nothing at all: what the network alone decides.
struct Undelivered(Ms, Refusal);

impl World {
    fn finish(&mut self, ticket: Ticket, after: Ms, outcome: Outcome) {
        let network = self.took(Took::Network);
        let slow = if self.faults.slow { self.took(Took::SlowBy) } else { 0 };
        if let Some(call) = self.calls.get_mut(&ticket) {
            call.outcome = Some(outcome);
            self.push(self.now + after + network + slow, Event::Reply(ticket));
        }
    }

    pub(crate) fn arrive(&mut self, ticket: Ticket) {
        if self.faults.lose_requests > 0 {
            self.faults.lose_requests -= 1;
            let wait = self.took(Took::DialTimeout);
            return self.finish(ticket, wait, Err(Refusal::ConnLost));
        }
        let Some(call) = self.calls.get(&ticket) else { return };
        let (route, request) = (call.route, call.request.clone());
        let reached = match route {
            Route::Talos { endpoint, target, auth } => self.reach(endpoint, target, auth),
            Route::Kube { server, ca } => self.reach_api(server, ca),
        };
        let node = match reached {
            Ok(node) => node,
            Err(Undelivered(after, refusal)) => return self.finish(ticket, after, Err(refusal)),
        };
        let insecure = matches!(route, Route::Talos { auth: Auth::Insecure, .. });
        if insecure && !allowed_in_maintenance(&request) {
            return self.finish(ticket, 0, Err(Refusal::NotAuthorized));
        }
        // A long watch asks again and again; it is one request.
        let watching = matches!(request, Request::Events { after } if after > 0);
        if !watching {
            let writes = request.writes();
            self.reached.push(Reached { at: self.now, node, request, writes, insecure, ticket });
        }
        let boots = self.node(node).boots;
        if let Some(call) = self.calls.get_mut(&ticket) {
            call.at = Some((node, boots));
        }
        self.push(self.now + 1, Event::Effect(ticket));
    }

    fn dial(&self, node: NodeId) -> Result<(), Undelivered> {
        if !self.connected(node) {
            let wait = Took::DialTimeout.base(self.profile);
            return Err(Undelivered(wait, Refusal::DialTimeout(node)));
        }
        if !self.node(node).apid {
            return Err(Undelivered(0, Refusal::ConnRefused(node)));
        }
        Ok(())
    }

    fn reach(
        &self,
        endpoint: Option<NodeId>,
        target: Option<NodeId>,
        auth: Auth,
    ) -> Result<NodeId, Undelivered> {
        let nowhere = Undelivered(3_000, Refusal::NoRoute);
        let Some(endpoint) = endpoint else { return Err(nowhere) };
        self.dial(endpoint)?;
        match (auth, self.node(endpoint).active_ca(self)) {
            (Auth::Insecure, Some(_)) => return Err(Undelivered(0, Refusal::CertRequired)),
            (Auth::Ca(ours), theirs) if theirs != Some(ours) => {
                let other = theirs.is_some();
                return Err(Undelivered(0, Refusal::UnknownAuthority { other }));
            }
            _ => {}
        }
        let Some(target) = target else { return Err(nowhere) };
        if target != endpoint {
            self.dial(target)?;
            let theirs = self.node(target).active_ca(self);
            if theirs != self.node(endpoint).active_ca(self) {
                let other = theirs.is_some();
                return Err(Undelivered(0, Refusal::UnknownAuthority { other }));
            }
        }
        Ok(target)
    }

    fn reach_api(&self, server: Option<NodeId>, ca: u64) -> Result<NodeId, Undelivered> {
        let deadline = Took::ApiDeadline.base(self.profile);
        if self.faults.api_timeout {
            return Err(Undelivered(deadline, Refusal::Deadline));
        }
        let serving = |node: NodeId| {
            let cluster = self.node(node).etcd_data.map(|data| data.cluster);
            self.connected(node)
                && self.node(node).api
                && cluster.is_some_and(|cluster| self.etcd.clusters[usize::from(cluster)].quorum)
        };
        let node = match server {
            Some(node) if !self.connected(node) => {
                return Err(Undelivered(deadline, Refusal::DialTimeout(node)));
            }
            Some(node) if !self.node(node).api => {
                return Err(Undelivered(0, Refusal::ConnRefused(node)));
            }
            Some(node) => node,
            // No machine's own address: it is held by a control plane with quorum.
            None => self
                .node_ids()
                .find(|&node| serving(node))
                .ok_or(Undelivered(3_000, Refusal::NoRoute))?,
        };
        let theirs = self.node(node).active.map(|config| self.config(config).kube_ca);
        if theirs != Some(ca) && !self.faults.wrong_context {
            return Err(Undelivered(0, Refusal::UnknownAuthority { other: true }));
        }
        Ok(node)
    }

    pub(crate) fn effect(&mut self, ticket: Ticket) {
        let Some(Call { at: Some((node, boots)), request, since, .. }) = self.calls.get(&ticket)
        else {
            return;
        };
        let (node, boots, since, request) = (*node, *boots, *since, request.clone());
        let alive = self.connected(node) && self.node(node).boots == boots && self.node(node).apid;
        if !alive {
            return self.finish(ticket, 0, Err(Refusal::ConnLost));
        }
        let (after, outcome) = match self.serve(node, request, ticket, since) {
            Served::Now(outcome) => (0, outcome),
            Served::After(after, outcome) => (after, outcome),
            Served::Again(after) => return self.push(self.now + after, Event::Effect(ticket)),
        };
        if self.faults.lose_replies > 0 {
            self.faults.lose_replies -= 1;
            return self.finish(ticket, after, Err(Refusal::ConnLost));
        }
        self.finish(ticket, after, outcome);
    }

    fn serve(&mut self, node: NodeId, request: Request, ticket: Ticket, since: Ms) -> Served {
        match request {
            Request::Version => Ok(Reply::Done).into(),
            Request::Get(_) | Request::Services => Ok(self.view(node)).into(),
            Request::BootId => Ok(Reply::BootId(self.node(node).boot_id)).into(),
            Request::Events { after } => self.events_since(node, after),
            Request::Apply { config, mode, dry_run, timeout } => {
                self.apply(node, Apply { config, mode, dry_run, timeout }, ticket).into()
            }
            Request::Bootstrap { recover, skip_hash } => {
                let cause = Cause { what: What::Bootstrap, node, ticket: Some(ticket) };
                self.bootstrap(node, recover, skip_hash, cause).into()
            }
            Request::Upload(upload) => self.upload(node, upload).into(),
            Request::Reset(reset) => match self.check_reset(node, &reset) {
                Ok(()) => {
                    let kind = SequenceKind::Reset(Box::new(reset));
                    Ok(Reply::Actor(self.ask_sequence(node, kind, Some(ticket)))).into()
                }
                Err(refusal) => Err(refusal).into(),
            },
            Request::Reboot(mode) => {
                let kind = SequenceKind::Reboot { mode, apply: false };
                Ok(Reply::Actor(self.ask_sequence(node, kind, Some(ticket)))).into()
            }
            Request::Shutdown { force } => {
                let kind = SequenceKind::Shutdown { force };
                Ok(Reply::Actor(self.ask_sequence(node, kind, Some(ticket)))).into()
            }
            Request::Kubeconfig => {
                self.control_plane(node, Api::Kubeconfig).map(|()| self.view(node)).into()
            }
            Request::EtcdMembers => self.members(node).into(),
            Request::EtcdStatus => self.etcd_status(node).into(),
            Request::EtcdAlarms => self.alarms(node).into(),
            Request::EtcdSnapshot => {
                let outcome = self.take_snapshot(node);
                Served::After(self.took(Took::Snapshot), outcome)
            }
            Request::EtcdRemove(member) => {
                let cause = Cause { what: What::LeaveEtcd, node, ticket: Some(ticket) };
                self.etcd_answers(node, Api::Remove, |world, cluster| {
                    world.remove_member(cluster, member, cause)
                })
            }
            Request::EtcdLeave => self.serve_leave(node, ticket, since),
            Request::EtcdForfeit => {
                self.etcd_answers(node, Api::Forfeit, |world, cluster| world.forfeit(cluster, node))
            }
            Request::Health => {
                let role = self.control_plane(node, Api::Health);
                role.map(|()| Reply::Health {
                    nodes: self.discovered(node).collect(),
                    failing: self.health(node).err(),
                })
                .into()
            }
            Request::Kube(request) => self.serve_kube(node, request),
        }
    }

    /// A stream: the answer waits until there is something to say.
    fn events_since(&mut self, node: NodeId, after: u32) -> Served {
        let events = &self.node(node).events;
        let fresh: Vec<_> = (0u32..).zip(events.iter().copied()).skip(after as usize).collect();
        // A new boot numbers its events from 0: an old position means a new stream.
        if fresh.is_empty() && after as usize <= events.len() {
            return Served::Again(250);
        }
        Ok(Reply::Events(fresh)).into()
    }

    fn serve_leave(&mut self, node: NodeId, ticket: Ticket, since: Ms) -> Served {
        if let Err(refusal) = self.control_plane(node, Api::Leave) {
            return Err(refusal).into();
        }
        let cause = Cause { what: What::LeaveEtcd, node, ticket: Some(ticket) };
        match self.etcd_leave(node, cause) {
            Err(Refusal::Unhealthy) if self.now - since < Took::LeaveLimit.base(self.profile) => {
                Served::Again(Took::LeaveRetry.base(self.profile))
            }
            Err(refusal) => Err(refusal).into(),
            Ok(()) => Served::After(self.took(Took::Leave), Ok(Reply::Done)),
        }
    }

    /// Talos' own check that most etcd calls begin with.
    pub(crate) fn control_plane(&self, node: NodeId, api: Api) -> Result<(), Refusal> {
        match self.node(node).live_role(self) {
            None => Err(Refusal::NoMachineType(api)),
            Some(crate::spec::Role::Worker) => Err(Refusal::ControlPlaneOnly(api)),
            Some(crate::spec::Role::ControlPlane) => Ok(()),
        }
    }

    /// The nodes of the same cluster whose services run, as discovery knows them.
    fn discovered(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        let cluster = |id: NodeId| self.node(id).active.map(|config| self.config(config).cluster);
        let own = cluster(node);
        self.node_ids().filter(move |&id| {
            own.is_some() && cluster(id) == own && self.node(id).services && self.connected(id)
        })
    }

    fn view(&self, node: NodeId) -> Reply {
        let state = self.node(node).clone();
        let members = self.discovered(node).map(|id| (id, self.node(id).stage)).collect();
        let etcd_healthy = self.node(node).etcd == EtcdProcess::Running && self.etcd_healthy(node);
        Reply::View(Box::new(View { node, state, members, etcd_healthy }))
    }
}

/// Maintenance mode of 1.13: an anonymous client is a reader who may apply.
fn allowed_in_maintenance(request: &Request) -> bool {
    match request {
        Request::Version
        | Request::Events { .. }
        | Request::Apply { .. }
        | Request::EtcdMembers
        | Request::EtcdStatus
        | Request::EtcdAlarms
        | Request::Services
        | Request::Health => true,
        Request::Get(kind) => *kind != Kind::MachineConfig,
        _ => false,
    }
}
