//! Worlds from specs: machines with their hardware, and the workload of a healthy cluster.

use crate::kube::{App, Workload};
use crate::ledger::{Asset, Place};
use crate::node::{Disk, EtcdProcess, Node, Stage};
use crate::spec::{LabSpec, Medium, NodeSpec};
use crate::world::{NodeId, Volume, World};

const SYSTEM_DISK: u64 = 120_034_123_776;
const DATA_DISK: u64 = 2_000_398_934_016;

impl World {
    /// The spec's machines, all without power.
    #[must_use]
    pub fn of(spec: &LabSpec) -> Self {
        let mut world = Self::new(spec.seed, spec.profile);
        for node in &spec.nodes {
            let node = world.machine(node);
            world.nodes.push(node);
        }
        for volume in &spec.volumes {
            let name = world.intern(&volume.name);
            world.volumes.push(Volume { name, replicas: Vec::new() });
        }
        // Data on disks of its own is there before Talos is.
        world.place(spec, |medium| medium != Medium::Ephemeral);
        world
    }

    /// Puts the spec's replicas on these media where they belong.
    fn place(&mut self, spec: &LabSpec, on: impl Fn(Medium) -> bool) {
        for (index, volume) in spec.volumes.iter().enumerate() {
            for (node, medium) in volume.replicas.iter().filter(|(_, medium)| on(*medium)) {
                let found = spec.nodes.iter().position(|spec| spec.name == *node);
                let Some(node) = found.map(|place| NodeId(place as u8)) else { continue };
                if let Medium::Disk(disk) = medium {
                    let disks = &mut self.node_mut(node).disks;
                    if let Some(disk) = disks.get_mut(usize::from(*disk) + 1) {
                        disk.data = true;
                    }
                }
                self.ledger.add(Asset::Volume(index as u16), Place::Node(node));
                self.volumes[index].replicas.push((node, *medium));
            }
        }
    }

    fn machine(&mut self, spec: &NodeSpec) -> Node {
        let hardware = self.streams.ids.draw();
        let made_up = u128::from(self.streams.ids.draw()) << 64 | u128::from(hardware);
        let given = spec
            .uuid
            .as_ref()
            .and_then(|uuid| u128::from_str_radix(&uuid.replace('-', ""), 16).ok());
        let name = self.intern(&spec.name);
        let address = self.intern(&spec.address);
        let mut disks =
            vec![Disk { path: self.intern(&spec.install_disk), size: SYSTEM_DISK, data: false }];
        for path in &spec.data_disks {
            disks.push(Disk { path: self.intern(path), size: DATA_DISK, data: false });
        }
        Node {
            name,
            role: spec.role,
            address,
            // The lab's DHCP hands out the inventory's names, and no config overrides them unless it says so.
            auto_name: name,
            hardware,
            // Version 4 and variant bits, as a made-up UUID should have them.
            uuid: given.unwrap_or(made_up & !(0xf << 76 | 0xc << 60) | 0x4 << 76 | 0x8 << 60),
            disks,
            powered: false,
            needs_hands: false,
            medium: true,
            installed: false,
            system_disk: None,
            identity: hardware,
            persisted: None,
            etcd_data: None,
            upload: None,
            images: false,
            stage: Stage::Off,
            epoch: 0,
            boot_id: 0,
            boots: 0,
            active: None,
            window: None,
            windows: 0,
            stuck_trial: false,
            applied_reboot: false,
            sequence: None,
            apid: false,
            containerd: false,
            services: false,
            kubelet: false,
            etcd: EtcdProcess::Down,
            api: false,
            ready: false,
            events: Vec::new(),
        }
    }

    /// The workload of a healthy cluster: two web pods of which one must stay, and volumes under `/var`.
    pub(crate) fn furnish(&mut self, spec: &LabSpec) {
        let Some(number) = self.primary() else { return };
        self.cluster_mut(number).kube.apps.push(App {
            namespace: "default".into(),
            name: "web".into(),
            kind: Workload::Deployment,
            replicas: 2,
            min_available: Some(1),
            empty_dir: true,
            anywhere: false,
        });
        self.schedule_soon(number);
        self.place(spec, |medium| medium == Medium::Ephemeral);
    }
}
