//! Pods: made where they are missing, evicted where a budget allows it, gone with their node.
//! A scheduler as simple as can be: the fewest pods of the same app, the fewest pods, the node's name.

use super::{App, Kube, Pod, Workload};
use crate::facts::Took;
use crate::request::Refusal;
use crate::world::{Event, Name, NodeId, PodId, World};

impl Kube {
    /// Pods of an app, terminating ones included.
    pub fn pods_of(&self, app: u8) -> impl Iterator<Item = (PodId, &Pod)> {
        self.pods.iter().filter(move |(_, pod)| pod.app == app).map(|(id, pod)| (*id, pod))
    }

    /// How many pods of the app may go now.
    #[must_use]
    pub fn allowed_disruptions(&self, app: u8) -> u8 {
        let Some(min) = self.apps.get(usize::from(app)).and_then(|app| app.min_available) else {
            return u8::MAX;
        };
        let healthy =
            self.pods_of(app).filter(|(_, pod)| pod.ready && pod.terminating.is_none()).count()
                as u8;
        healthy.saturating_sub(min)
    }

    /// Whether a budget forbids this eviction.
    #[must_use]
    pub fn budget_forbids(&self, pod: &Pod) -> bool {
        pod.ready && self.allowed_disruptions(pod.app) == 0
    }

    /// The app of a pod.
    #[must_use]
    pub fn app_of(&self, pod: &Pod) -> &App {
        &self.apps[usize::from(pod.app)]
    }

    fn add_pod(&mut self, pod: Pod) -> PodId {
        let id = PodId(self.next_pod);
        self.next_pod += 1;
        self.bump();
        self.pods.insert(id, pod);
        id
    }
}

impl World {
    /// Something changed that the controllers watch; changes within one round are seen together.
    pub(crate) fn schedule_soon(&mut self, number: u8) {
        if !std::mem::replace(&mut self.cluster_mut(number).kube.round, true) {
            self.push(self.now + 500, Event::Schedule { cluster: number });
        }
    }

    /// The controllers' and the scheduler's round.
    pub(crate) fn schedule_pods(&mut self, number: u8) {
        self.cluster_mut(number).kube.round = false;
        if !self.cluster(number).quorum {
            return;
        }
        for app in 0..self.cluster(number).kube.apps.len() as u8 {
            match self.cluster(number).kube.apps[usize::from(app)].kind {
                Workload::DaemonSet | Workload::Static => self.pods_per_node(number, app),
                Workload::Deployment | Workload::StatefulSet => self.pods_by_count(number, app),
                Workload::Bare => {}
            }
        }
        self.place_pending(number);
    }

    fn pods_per_node(&mut self, number: u8, app: u8) {
        let kube = &self.cluster(number).kube;
        let planes_only = kube.apps[usize::from(app)].kind == Workload::Static;
        let missing: Vec<Name> = kube
            .nodes
            .iter()
            .filter(|(name, node)| {
                (node.control_plane || !planes_only)
                    && self.node(node.machine).kubelet
                    && !kube.pods_of(app).any(|(_, pod)| pod.node == Some(**name))
            })
            .map(|(name, _)| *name)
            .collect();
        for node in missing {
            let id = self.new_pod(number, app, 0, Some(node));
            self.pod_starts(number, id);
        }
    }

    fn pods_by_count(&mut self, number: u8, app: u8) {
        let kube = &self.cluster(number).kube;
        let wanted = kube.apps[usize::from(app)].replicas;
        let stateful = kube.apps[usize::from(app)].kind == Workload::StatefulSet;
        if stateful {
            // A StatefulSet never has two pods of one ordinal: a terminating one still counts.
            let missing: Vec<u8> = (0..wanted)
                .filter(|ordinal| !kube.pods_of(app).any(|(_, pod)| pod.ordinal == *ordinal))
                .collect();
            for ordinal in missing {
                self.new_pod(number, app, ordinal, None);
            }
            return;
        }
        let living = kube.pods_of(app).filter(|(_, pod)| pod.terminating.is_none()).count() as u8;
        for _ in living..wanted {
            self.new_pod(number, app, 0, None);
        }
    }

    fn new_pod(&mut self, number: u8, app: u8, ordinal: u8, node: Option<Name>) -> PodId {
        let uid = self.streams.ids.draw();
        let created = self.now;
        let pod = Pod { app, uid, ordinal, node, ready: false, terminating: None, created };
        self.cluster_mut(number).kube.add_pod(pod)
    }

    /// Makes a pod that no controller owns, for tests and fixtures.
    pub fn add_bare_pod(&mut self, app: App, node: Name) {
        let Some(number) = self.primary() else { return };
        let kube = &mut self.cluster_mut(number).kube;
        kube.apps.push(App { kind: Workload::Bare, ..app });
        let app = (kube.apps.len() - 1) as u8;
        let id = self.new_pod(number, app, 0, Some(node));
        self.pod_starts(number, id);
    }

    fn place_pending(&mut self, number: u8) {
        let kube = &self.cluster(number).kube;
        let pending: Vec<PodId> = kube
            .pods
            .iter()
            .filter(|(_, pod)| pod.node.is_none() && pod.terminating.is_none())
            .map(|(id, _)| *id)
            .collect();
        for id in pending {
            let kube = &self.cluster(number).kube;
            let anywhere = kube.pods.get(&id).is_some_and(|pod| kube.app_of(pod).anywhere);
            let app = kube.pods.get(&id).map(|pod| pod.app);
            let load = |name: Name| {
                let on = || kube.pods.values().filter(move |pod| pod.node == Some(name));
                (on().filter(|pod| Some(pod.app) == app).count(), on().count())
            };
            let target = kube
                .nodes
                .iter()
                .filter(|(_, node)| {
                    node.is_ready() && !node.cordoned && (anywhere || !node.control_plane)
                })
                .min_by_key(|(name, _)| (load(**name), **name))
                .map(|(name, _)| *name);
            let Some(target) = target else { continue };
            if let Some(pod) = self.cluster_mut(number).kube.pods.get_mut(&id) {
                pod.node = Some(target);
            }
            self.pod_starts(number, id);
        }
    }

    fn pod_starts(&mut self, number: u8, pod: PodId) {
        let delay = self.took(Took::PodStart);
        self.push(self.now + delay, Event::PodReady { cluster: number, pod });
    }

    /// A kubelet that is back ends what should have ended, and reports what runs.
    pub(crate) fn pods_resume(&mut self, number: u8, node: Name) {
        let on = |pod: &&Pod| pod.node == Some(node) && (!pod.ready || pod.terminating.is_some());
        let pods: Vec<(PodId, bool)> = self
            .cluster(number)
            .kube
            .pods
            .iter()
            .filter(|(_, pod)| on(pod))
            .map(|(id, pod)| (*id, pod.terminating.is_some()))
            .collect();
        for (pod, ends) in pods {
            if ends {
                let delay = self.took(Took::PodStop);
                self.push(self.now + delay, Event::PodGone { cluster: number, pod });
            } else {
                self.pod_starts(number, pod);
            }
        }
    }

    fn machine_of(&self, number: u8, pod: PodId) -> Option<NodeId> {
        let kube = &self.cluster(number).kube;
        let node = kube.pods.get(&pod)?.node?;
        kube.nodes.get(&node).map(|node| node.machine)
    }

    fn kubelet_of(&self, number: u8, pod: PodId) -> bool {
        self.machine_of(number, pod)
            .is_some_and(|machine| self.node(machine).kubelet && self.connected(machine))
    }

    pub(crate) fn pod_ready(&mut self, number: u8, pod: PodId) {
        let alive = self.kubelet_of(number, pod) && self.cluster(number).quorum;
        let kube = &mut self.cluster_mut(number).kube;
        if let Some(state) = kube.pods.get_mut(&pod) {
            state.ready = alive && state.terminating.is_none();
            kube.bump();
        }
    }

    pub(crate) fn pod_gone(&mut self, number: u8, pod: PodId) {
        // Only its kubelet can say that a pod has ended: on a dead node it hangs.
        let orphan = self.machine_of(number, pod).is_none();
        if self.cluster(number).quorum && (orphan || self.kubelet_of(number, pod)) {
            let kube = &mut self.cluster_mut(number).kube;
            if kube.pods.get(&pod).is_some_and(|state| state.terminating.is_some()) {
                kube.pods.remove(&pod);
                kube.bump();
                self.schedule_soon(number);
            }
        }
    }

    /// Marks a pod for deletion; it is gone after its grace.
    pub(crate) fn terminate(&mut self, number: u8, pod: PodId) {
        let now = self.now;
        let kube = &mut self.cluster_mut(number).kube;
        let Some(state) = kube.pods.get_mut(&pod) else { return };
        if state.terminating.is_some() {
            return;
        }
        state.terminating = Some(now);
        kube.bump();
        let delay = self.took(Took::PodStop);
        self.push(now + delay, Event::PodGone { cluster: number, pod });
        self.schedule_soon(number);
    }

    pub(crate) fn evict(&mut self, number: u8, pod: PodId, dry_run: bool) -> Result<(), Refusal> {
        let kube = &self.cluster(number).kube;
        let Some(state) = kube.pods.get(&pod) else { return Err(Refusal::NotFound) };
        if state.terminating.is_none() && kube.budget_forbids(state) {
            let name = kube.app_of(state).name.clone();
            return Err(Refusal::Budget(self.intern(&name)));
        }
        if !dry_run {
            self.terminate(number, pod);
        }
        Ok(())
    }

    /// Evicts what may go from a node; says whether a budget was in the way.
    pub(crate) fn evict_all(&mut self, number: u8, node: Name) -> bool {
        let kube = &self.cluster(number).kube;
        let pods: Vec<PodId> = kube
            .pods
            .iter()
            .filter(|(_, pod)| {
                pod.node == Some(node)
                    && matches!(kube.app_of(pod).kind, Workload::Deployment | Workload::StatefulSet)
            })
            .map(|(id, _)| *id)
            .collect();
        let mut blocked = false;
        for pod in pods {
            blocked |= matches!(self.evict(number, pod, false), Err(Refusal::Budget(_)));
        }
        blocked
    }

    /// The node removes its pods itself, budgets or not.
    pub(crate) fn pods_removed(&mut self, node: NodeId) {
        let Some(number) = self.cluster_of(node) else { return };
        let kube = &self.cluster(number).kube;
        let on = |pod: &Pod| {
            pod.node.and_then(|name| kube.nodes.get(&name)).is_some_and(|n| n.machine == node)
                && kube.app_of(pod).kind != Workload::Static
        };
        let pods: Vec<PodId> = kube.pods.iter().filter(|(_, p)| on(p)).map(|(id, _)| *id).collect();
        for pod in pods {
            let running = matches!(
                self.cluster(number).kube.pods.get(&pod).map(|p| self
                    .cluster(number)
                    .kube
                    .app_of(p)
                    .kind),
                Some(Workload::Deployment | Workload::StatefulSet | Workload::Bare)
            );
            if running && self.cluster(number).quorum {
                self.terminate(number, pod);
            }
        }
    }

    pub(crate) fn tolerated(&mut self, number: u8, name: Name, link: u32) {
        let kube = &self.cluster(number).kube;
        let Some(object) = kube.nodes.get(&name) else { return };
        if object.link != link || object.ready != super::Ready::Unknown {
            return;
        }
        if !self.cluster(number).quorum {
            return;
        }
        let kube = &self.cluster(number).kube;
        let pods: Vec<PodId> = kube
            .pods
            .iter()
            .filter(|(_, pod)| {
                pod.node == Some(name)
                    && !matches!(kube.app_of(pod).kind, Workload::DaemonSet | Workload::Static)
            })
            .map(|(id, _)| *id)
            .collect();
        for pod in pods {
            self.terminate(number, pod);
        }
    }

    /// Deleting a Node object takes its pods with it.
    pub(crate) fn delete_node(&mut self, number: u8, name: Name) -> Result<(), Refusal> {
        let kube = &mut self.cluster_mut(number).kube;
        let Some(object) = kube.nodes.remove(&name) else { return Err(Refusal::NotFound) };
        kube.pods.retain(|_, pod| pod.node != Some(name));
        kube.bump();
        self.schedule_soon(number);
        self.settle(object.machine);
        Ok(())
    }

    /// The cluster that a person means by "the cluster": the one with most voters alive.
    #[must_use]
    pub fn primary(&self) -> Option<u8> {
        let numbers = 0..self.etcd.clusters.len() as u8;
        numbers
            .filter(|&number| !self.cluster(number).members.is_empty())
            .max_by_key(|&number| (self.alive_voters(number), number))
    }
}
