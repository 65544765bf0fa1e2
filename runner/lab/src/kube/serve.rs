//! The Kubernetes API: reads give the objects as they are, writes change one thing.

use crate::facts::Took;
use crate::node::Served;
use crate::reply::{KubeView, Outcome, Reply};
use crate::request::{KubeRequest, Refusal};
use crate::world::{Name, NodeId, World};

impl World {
    pub(crate) fn serve_kube(&mut self, node: NodeId, request: KubeRequest) -> Served {
        if self.faults.wrong_context {
            return foreign(request).into();
        }
        let Some(number) = self.node(node).etcd_data.map(|data| data.cluster) else {
            return Served::Now(Err(Refusal::ApiNoEtcd));
        };
        if !self.cluster(number).quorum {
            let wait = Took::EtcdRequest.base(self.profile);
            return Served::After(wait, Err(Refusal::ApiNoEtcd));
        }
        let outcome = match request {
            KubeRequest::Read(_) => {
                let kube = self.cluster(number).kube.clone();
                Ok(Reply::Kube(Box::new(KubeView { kube, foreign: false })))
            }
            KubeRequest::Cordon { node, on } => self.cordon(number, node, on),
            KubeRequest::Evict { pod, dry_run } => {
                self.evict(number, pod, dry_run).map(|()| Reply::Done)
            }
            KubeRequest::DeletePod(pod) => {
                if self.cluster(number).kube.pods.contains_key(&pod) {
                    self.terminate(number, pod);
                    Ok(Reply::Done)
                } else {
                    Err(Refusal::NotFound)
                }
            }
            KubeRequest::DeleteNode(name) => self.delete_node(number, name).map(|()| Reply::Done),
        };
        Served::Now(outcome)
    }

    fn cordon(&mut self, number: u8, name: Name, on: bool) -> Outcome {
        let kube = &mut self.cluster_mut(number).kube;
        let version = kube.version + 1;
        let Some(object) = kube.nodes.get_mut(&name) else { return Err(Refusal::NotFound) };
        if object.cordoned != on {
            (object.cordoned, object.version) = (on, version);
            kube.version = version;
        }
        if !on {
            self.schedule_soon(number);
        }
        self.cluster_mut(number).index += 1;
        let kube = self.cluster(number).kube.clone();
        Ok(Reply::Kube(Box::new(KubeView { kube, foreign: false })))
    }
}

/// Another cluster answers: nobody's nodes, another UID.
fn foreign(request: KubeRequest) -> Outcome {
    match request {
        KubeRequest::Read(_) => {
            let mut kube = crate::kube::Kube::new(0x0f0f_0f0f_0f0f_0f0f, true);
            kube.apps.clear();
            Ok(Reply::Kube(Box::new(KubeView { kube, foreign: true })))
        }
        _ => Err(Refusal::NotFound),
    }
}
