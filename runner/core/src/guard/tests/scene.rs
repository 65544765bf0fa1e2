//! A healthy cluster with everything proven, for tests to break one thing at a time.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use crate::call::Request;
use crate::call::table::Call;
use crate::error::Code;
use crate::guard::{
    Asked, Case, Claims, ClusterIdentity, Confirmed, EtcdAnswer, EtcdSaid, EtcdView, Evidence,
    Facts, GRANT_VERSION, Grant, Held, Maintenance, Member, MemberStatus, NodeIdentity, Passed,
    PlannedCall, Refusal, Seen, Site, Snapshot, Storage, Verdict, Volume, Who, Workloads,
    cluster_pin, judge, preflight, question,
};
use crate::ident::RunId;
use crate::inventory::{Cluster, GuardSettings, LockFile, Node, NodePin, Profile, Role, Versions};
use crate::time::{Span, Time};
use crate::value::Digest;

pub(super) const NOW: Time = Time(1_000_000_000);
pub(super) const CA: &str = "5be1aa00";

/// Everything that a judgement stands on, owned.
#[derive(Clone)]
pub(super) struct Scene {
    pub(super) cluster: Cluster,
    pub(super) lock: Option<LockFile>,
    pub(super) lab: bool,
    pub(super) facts: Facts,
    pub(super) now: Time,
    pub(super) recipe: String,
    pub(super) args: Digest,
    pub(super) command: String,
    pub(super) destructive: bool,
    pub(super) run: RunId,
    pub(super) who: Who,
    pub(super) key: [u8; 32],
    pub(super) newest: Time,
    pub(super) held: Vec<Held>,
    pub(super) confirmed: Option<Confirmed>,
    pub(super) approved_by: Vec<String>,
}

impl Scene {
    /// `planes` control planes cp-1, cp-2, … and two workers, all healthy, adopted and proven.
    pub(super) fn healthy(planes: usize) -> Scene {
        let name = |i: usize| format!("cp-{i}");
        let planes: Vec<String> = (1..=planes).map(name).collect();
        let names: Vec<String> =
            planes.iter().cloned().chain(["w-1".into(), "w-2".into()]).collect();
        let nodes: Vec<Node> = names.iter().map(|n| node(n)).collect();
        let lock = LockFile {
            version: 1,
            talos_ca: Some(CA.into()),
            kubernetes_ca: Some("cc00".into()),
            kube_system_uid: Some("uid-1".into()),
            nodes: names.iter().map(|n| (n.clone(), pin(n))).collect(),
            ..LockFile::default()
        };
        let mut scene = Scene {
            cluster: Cluster {
                name: "home".into(),
                context: "home".into(),
                endpoint: "https://10.9.0.10:6443".into(),
                nodes,
                versions: Versions::default(),
                pod_cidrs: Vec::new(),
                service_cidrs: Vec::new(),
                kubeconfig: "kubeconfig".into(),
                talosconfig: "talosconfig".into(),
                secrets: "secrets.yaml".into(),
                config_dir: "talos".into(),
                snapshot_dir: "snapshots".into(),
                settings: std::collections::BTreeMap::default(),
                guards: GuardSettings::default(),
                machines: crate::machines::Machines::default(),
            },
            lock: Some(lock),
            lab: false,
            facts: Facts::default(),
            now: NOW,
            recipe: "cluster:safe-reset".into(),
            args: Digest::of(&json!({"nodes": ["w-1"], "partitions": ["STATE", "EPHEMERAL"]})),
            command: "cluster:safe-reset --nodes w-1 --partitions STATE,EPHEMERAL".into(),
            destructive: true,
            run: RunId("7k2m".into()),
            who: Who { user: "ops".into(), machine: "m-1".into() },
            key: [7; 32],
            newest: NOW,
            held: Vec::new(),
            confirmed: None,
            approved_by: Vec::new(),
        };
        scene.prove();
        scene
    }

    /// Everything read afresh, and found as it should be.
    pub(super) fn prove(&mut self) {
        let now = self.now;
        let planes: Vec<String> = self.cluster.control_planes().map(|n| n.name.clone()).collect();
        self.facts = Facts {
            cluster: Some(Seen::known(
                now,
                ClusterIdentity {
                    talos_ca: Some(CA.into()),
                    kubernetes_ca: Some("cc00".into()),
                    kube_system_uid: Some("uid-1".into()),
                },
            )),
            etcd: Some(Seen::known(now, etcd(&planes))),
            snapshot: Some(Seen::known(
                now,
                Snapshot {
                    path: "snapshots/a.db".into(),
                    taken: Time(now.0 - 60_000),
                    size: 2080,
                    verified: true,
                },
            )),
            own_ca: Some(CA.into()),
            ..Facts::default()
        };
        for node in self.cluster.nodes.clone() {
            let facts = self.facts.node_mut(&node.name);
            facts.identity = Some(Seen::known(now, machine(&node)));
            facts.maintenance = Some(Seen::known(now, Maintenance::default()));
            facts.volumes =
                Some(Seen::known(now, volumes(&["STATE", "EPHEMERAL", "META", "u-data"])));
            facts.workloads =
                Some(Seen::known(now, Workloads { registered: true, ..Workloads::default() }));
            facts.storage = Some(Seen::known(now, Storage::default()));
        }
    }

    pub(super) fn site(&self) -> Site<'_> {
        Site { cluster: &self.cluster, lock: self.lock.as_ref(), lab: self.lab }
    }

    pub(super) fn case(&self) -> Case<'_> {
        Case {
            site: self.site(),
            asked: Asked {
                recipe: &self.recipe,
                args: &self.args,
                command: &self.command,
                destructive: self.destructive,
                partitions: Some("partitions"),
            },
            facts: &self.facts,
            now: self.now,
        }
    }

    pub(super) fn claims(&self) -> Claims<'_> {
        Claims {
            run: &self.run,
            who: &self.who,
            key: &self.key,
            newest: self.newest,
            grants: &self.held,
            confirmed: self.confirmed.as_ref(),
            approved_by: &self.approved_by,
        }
    }

    /// `ops verify`: evidence for these calls, and a grant in the store.
    pub(super) fn verify(&mut self, calls: &[Call]) -> Result<(), Box<Refusal>> {
        let passed = preflight(&planned(calls), &self.case(), None)?;
        let (kind, slots) = passed.grantable.unwrap();
        let grant = Grant {
            version: GRANT_VERSION,
            id: format!("g{}", self.held.len()),
            cluster: self.cluster.name.clone(),
            pin: cluster_pin(&self.site()),
            lab: self.lab,
            kind,
            recipe: self.recipe.clone(),
            args: self.args.clone(),
            slots,
            issued: self.now,
            who: self.who.clone(),
            mac: Digest(String::new()),
        };
        let grant = grant.seal(&self.key);
        self.held.push(Held { grant, claimed: None, used: std::collections::BTreeMap::new() });
        Ok(())
    }

    /// The run begins: preflight, claim, typed confirmation.
    pub(super) fn start(&mut self, calls: &[Call]) -> Result<(), Box<Refusal>> {
        let passed = self.preflight(calls)?;
        let (run, now) = (self.run.clone(), self.now);
        for held in &mut self.held {
            if passed.claim.as_ref() == Some(&held.grant.id) && held.claimed.is_none() {
                held.claimed = Some((run.clone(), now));
            }
        }
        let calls: Vec<&Call> = calls.iter().collect();
        let asked = question(&calls, &self.site());
        self.confirmed = asked.map(|q| {
            let words = q.words.clone();
            q.answer(Some(&words)).unwrap()
        });
        Ok(())
    }

    pub(super) fn preflight(&self, calls: &[Call]) -> Result<Passed, Box<Refusal>> {
        preflight(&planned(calls), &self.case(), Some(&self.claims()))
    }

    /// What the gate does before a call: judges it; the slot is recorded as used.
    pub(super) fn call(&mut self, call: &Call) -> Result<Vec<Evidence>, Box<Refusal>> {
        match judge(call, &self.case(), &self.claims()) {
            Verdict::Refuse(refusal) => Err(refusal),
            Verdict::Allow(permit) => {
                let now = self.now;
                if let Some((grant, slot)) = permit.slot() {
                    let held = self.held.iter_mut().find(|h| h.grant.id == grant).unwrap();
                    assert!(held.used.insert(slot, now).is_none(), "a slot was given twice");
                }
                Ok(permit.rows().to_vec())
            }
        }
    }

    /// A scene in which `reset w-1 STATE,EPHEMERAL` is verified, claimed and confirmed.
    pub(super) fn granted() -> Scene {
        let mut scene = Scene::healthy(3);
        let calls = [reset_w1()];
        scene.verify(&calls).unwrap();
        scene.start(&calls).unwrap();
        scene
    }

    pub(super) fn etcd_mut(&mut self) -> &mut EtcdView {
        self.facts.etcd.as_mut().unwrap().found.as_mut().unwrap()
    }

    /// The status that a control plane's own member shows.
    pub(super) fn member_mut(&mut self, node: &str) -> &mut MemberStatus {
        let answer = self.etcd_mut().answers.iter_mut().find(|a| a.node == node).unwrap();
        let EtcdSaid::Members { status: Some(status), .. } = &mut answer.said else {
            panic!("{node} has no status")
        };
        status
    }

    /// A control plane that does not answer.
    pub(super) fn silence(&mut self, node: &str) {
        let answer = self.etcd_mut().answers.iter_mut().find(|a| a.node == node).unwrap();
        answer.said = EtcdSaid::Silent("no route to host".into());
    }

    pub(super) fn identity_mut(&mut self, node: &str) -> &mut NodeIdentity {
        let facts = self.facts.node_mut(node);
        facts.identity.as_mut().unwrap().found.as_mut().unwrap()
    }

    pub(super) fn later(&mut self, span: Span) {
        self.now = self.now.plus(span);
    }

    pub(super) fn profile(mut self, profile: Profile) -> Scene {
        self.lock.as_mut().unwrap().profile = profile;
        self
    }
}

/// A call as a recipe makes it.
pub(super) fn call(name: &str, args: &Value) -> Result<Call, Code> {
    let args = args.as_object().unwrap().clone();
    let request = Request { call: name.into(), args, place: None };
    Call::decode(&request).map(|(call, _)| call).map_err(|_| Code::CALL_FIELD)
}

pub(super) fn reset(node: &str, labels: &[&str]) -> Call {
    call(
        "talos.reset",
        &json!({"node": node, "system_labels_to_wipe": labels, "graceful": true, "reboot": true}),
    )
    .unwrap()
}

pub(super) fn reset_w1() -> Call {
    reset("w-1", &["STATE", "EPHEMERAL"])
}

pub(super) fn planned(calls: &[Call]) -> Vec<PlannedCall> {
    calls.iter().map(|call| PlannedCall { call: call.clone(), predicted: None }).collect()
}

/// What a healthy etcd shows, asked on every control plane.
pub(super) fn etcd(planes: &[String]) -> EtcdView {
    let members: Vec<Member> = planes.iter().map(|name| member(name)).collect();
    let leader = planes.first().map(|name| member(name).id).unwrap_or_default();
    let answers = planes
        .iter()
        .map(|name| EtcdAnswer {
            node: name.clone(),
            said: EtcdSaid::Members {
                members: members.clone(),
                status: Some(MemberStatus {
                    id: member(name).id,
                    leader: leader.clone(),
                    raft_index: 5000,
                    healthy: true,
                    ..MemberStatus::default()
                }),
            },
        })
        .collect();
    EtcdView { answers }
}

pub(super) fn member(name: &str) -> Member {
    Member { id: format!("id-{name}"), name: name.into(), learner: false }
}

pub(super) fn volumes(labels: &[&str]) -> Vec<Volume> {
    labels
        .iter()
        .map(|label| Volume { label: (*label).into(), located: true, mounted: true })
        .collect()
}

pub(super) fn node(name: &str) -> Node {
    let role = if name.starts_with("cp") { Role::Controlplane } else { Role::Worker };
    Node {
        name: name.into(),
        role,
        address: format!("10.9.0.{}", name.len()),
        endpoint: None,
        install_disk: None,
        tags: Vec::new(),
    }
}

pub(super) fn pin(name: &str) -> NodePin {
    let number = name.bytes().map(u32::from).sum::<u32>();
    NodePin {
        uuid: Some(format!("4c4c4544-0042-3510-8052-0000{number:08x}")),
        macs: vec![format!("aa:bb:cc:00:00:{:02x}", number % 256)],
        disk_wwid: Some(format!("wwid-{name}")),
        serial: Some(format!("serial-{name}")),
    }
}

pub(super) fn machine(node: &Node) -> NodeIdentity {
    let pin = pin(&node.name);
    NodeIdentity {
        ca: Some(CA.into()),
        uuid: pin.uuid,
        macs: pin.macs,
        disk_wwid: pin.disk_wwid,
        serial: pin.serial,
        hostname: Some(node.name.clone()),
        machine_type: Some(node.role),
        stage: Some("running".into()),
        boot_id: Some("boot-1".into()),
    }
}
