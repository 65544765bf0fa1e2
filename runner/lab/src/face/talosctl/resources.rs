//! The resources of `talosctl get`: fields in the order of Talos' own types, from what a node says
//! of itself. What the lab does not model is left out, never filled in.

use super::{Ctl, storage};
use crate::config::encode::{EPOCH, rfc3339};
use crate::face::text::uuid128;
use crate::face::tree::Tree;
use crate::node::{Node, Stage};
use crate::reply::View;
use crate::request::Kind;
use crate::spec::Role;
use crate::world::ConfigId;

/// A resource.
pub(crate) struct Item {
    pub(crate) namespace: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) display: &'static str,
    pub(crate) id: String,
    pub(crate) version: u64,
    pub(crate) owner: &'static str,
    pub(crate) created: String,
    pub(crate) spec: Tree,
}

/// Namespace, full type, display type, owner.
fn about(kind: Kind) -> (&'static str, &'static str, &'static str, &'static str) {
    match kind {
        Kind::MachineStatus => (
            "runtime",
            "MachineStatuses.runtime.talos.dev",
            "MachineStatus",
            "runtime.MachineStatusController",
        ),
        Kind::MachineConfig => (
            "config",
            "MachineConfigs.config.talos.dev",
            "MachineConfig",
            "config.AcquireController",
        ),
        Kind::SystemInformation => (
            "hardware",
            "SystemInformations.hardware.talos.dev",
            "SystemInformation",
            "hardware.SystemInfoController",
        ),
        Kind::HostnameStatus => (
            "network",
            "HostnameStatuses.net.talos.dev",
            "HostnameStatus",
            "network.HostnameSpecController",
        ),
        Kind::MachineType => (
            "config",
            "MachineTypes.config.talos.dev",
            "MachineType",
            "config.MachineTypeController",
        ),
        Kind::Disks => ("runtime", "Disks.block.talos.dev", "Disk", "block.DisksController"),
        Kind::SystemDisk => {
            ("runtime", "SystemDisks.block.talos.dev", "SystemDisk", "block.SystemDiskController")
        }
        Kind::VolumeStatus => (
            "runtime",
            "VolumeStatuses.block.talos.dev",
            "VolumeStatus",
            "block.VolumeManagerController",
        ),
        Kind::DiscoveredVolumes => (
            "runtime",
            "DiscoveredVolumes.block.talos.dev",
            "DiscoveredVolume",
            "block.DiscoveryController",
        ),
        Kind::Links => {
            ("network", "LinkStatuses.net.talos.dev", "LinkStatus", "network.LinkStatusController")
        }
        Kind::Addresses => (
            "network",
            "AddressStatuses.net.talos.dev",
            "AddressStatus",
            "network.AddressStatusController",
        ),
        Kind::Members => {
            ("cluster", "Members.cluster.talos.dev", "Member", "cluster.MemberController")
        }
        Kind::Nodename => {
            ("k8s", "Nodenames.kubernetes.talos.dev", "Nodename", "k8s.NodenameController")
        }
        Kind::Extensions => (
            "runtime",
            "ExtensionStatuses.runtime.talos.dev",
            "ExtensionStatus",
            "runtime.ExtensionStatusController",
        ),
    }
}

/// The namespace of a kind.
pub(crate) fn namespace(kind: Kind) -> &'static str {
    about(kind).0
}

/// Columns of the table beside the common ones.
pub(crate) fn columns(kind: Kind) -> Vec<(&'static str, &'static [&'static str])> {
    match kind {
        Kind::MachineStatus => vec![("stage", &["stage"]), ("ready", &["status", "ready"])],
        Kind::MachineConfig => vec![],
        Kind::SystemInformation => vec![
            ("manufacturer", &["manufacturer"]),
            ("productname", &["productName"]),
            ("version", &["version"]),
            ("serialnumber", &["serialnumber"]),
            ("uuid", &["uuid"]),
            ("wakeuptype", &["wakeUpType"]),
            ("skunumber", &["skuNumber"]),
        ],
        Kind::HostnameStatus => vec![("hostname", &["hostname"]), ("domainname", &["domainname"])],
        Kind::MachineType => vec![("type", &[])],
        Kind::Disks => vec![
            ("size", &["pretty_size"]),
            ("read only", &["readonly"]),
            ("transport", &["transport"]),
            ("rotational", &["rotational"]),
            ("wwid", &["wwid"]),
            ("model", &["model"]),
            ("serial", &["serial"]),
        ],
        Kind::SystemDisk => vec![("disk", &["diskID"])],
        Kind::VolumeStatus => vec![
            ("type", &["type"]),
            ("phase", &["phase"]),
            ("location", &["location"]),
            ("size", &["prettySize"]),
        ],
        Kind::DiscoveredVolumes => vec![
            ("type", &["type"]),
            ("size", &["pretty_size"]),
            ("discovered", &["name"]),
            ("label", &["label"]),
            ("partitionlabel", &["partition_label"]),
        ],
        Kind::Links => vec![
            ("alias", &["alias"]),
            ("type", &["type"]),
            ("kind", &["kind"]),
            ("hw addr", &["hardwareAddr"]),
            ("oper state", &["operationalState"]),
            ("link state", &["linkState"]),
        ],
        Kind::Addresses => vec![("address", &["address"]), ("link", &["linkName"])],
        Kind::Members => vec![
            ("hostname", &["hostname"]),
            ("machine type", &["machineType"]),
            ("os", &["operatingSystem"]),
            ("addresses", &["addresses"]),
        ],
        Kind::Nodename => vec![("nodename", &["nodename"])],
        Kind::Extensions => {
            vec![("name", &["metadata", "name"]), ("version", &["metadata", "version"])]
        }
    }
}

/// The error for an id that is not there.
pub(crate) fn missing(kind: Kind, id: &str) -> String {
    let (namespace, full, _, _) = about(kind);
    format!(
        "rpc error: code = NotFound desc = resource {full}({namespace}/{id}@undefined) doesn't exist"
    )
}

/// The resources of a kind on a node.
pub(crate) fn items(ctl: &Ctl, kind: Kind, view: &View) -> Vec<Item> {
    let (namespace, full, display, owner) = about(kind);
    let created = rfc3339(EPOCH + ctl.io.now() / 1_000);
    specs(ctl, kind, view)
        .into_iter()
        .map(|(id, version, spec)| Item {
            namespace,
            kind: full,
            display,
            id,
            version,
            owner,
            created: created.clone(),
            spec,
        })
        .collect()
}

/// Id, version and fields of a resource.
pub(super) type Spec = (String, u64, Tree);

fn specs(ctl: &Ctl, kind: Kind, view: &View) -> Vec<Spec> {
    let node = &view.state;
    let io = &ctl.io;
    let one = |id: &str, version, spec| vec![(id.to_owned(), version, spec)];
    match kind {
        Kind::MachineStatus => one("machine", 2 + node.events.len() as u64, status(view)),
        Kind::MachineConfig => {
            let mut out = Vec::new();
            let text = |config: ConfigId| Tree::Text(io.text(config));
            if let Some(config) = node.persisted {
                out.push(("persistent".to_owned(), u64::from(config.0) + 1, text(config)));
            }
            if let Some(config) = node.active {
                out.push(("v1alpha1".to_owned(), u64::from(config.0) + 1, text(config)));
            }
            out
        }
        Kind::SystemInformation => one(
            "systeminformation",
            1,
            Tree::Map(vec![
                ("manufacturer", "ops lab".into()),
                ("productName", "simulated machine".into()),
                ("version", "1.0".into()),
                ("serialnumber", serial(node).into()),
                ("uuid", uuid128(node.uuid).into()),
                ("wakeUpType", "Power Switch".into()),
                ("skuNumber", "Default string".into()),
            ]),
        ),
        Kind::HostnameStatus => one(
            "hostname",
            1,
            Tree::Map(vec![("hostname", hostname(ctl, node).into()), ("domainname", "".into())]),
        ),
        Kind::MachineType => match role(ctl, node) {
            Some(role) => one("machine-type", 1, role.into()),
            None => Vec::new(),
        },
        Kind::Disks => storage::disks(ctl, node),
        Kind::SystemDisk => node
            .system_disk
            .map(|path| {
                let path = io.name(path);
                let id = path.trim_start_matches("/dev/").to_owned();
                let spec = Tree::Map(vec![("diskID", id.into()), ("devPath", path.into())]);
                one("system-disk", 1, spec)
            })
            .unwrap_or_default(),
        Kind::VolumeStatus => storage::volumes(ctl, node),
        Kind::DiscoveredVolumes => storage::discovered(ctl, node),
        Kind::Links => links(node),
        Kind::Addresses => vec![
            ("lo/127.0.0.1/8".into(), 1, address("127.0.0.1/8", "lo", 1)),
            (
                format!("enp1s0/{}/24", io.name(node.address)),
                1,
                address(&format!("{}/24", io.name(node.address)), "enp1s0", 2),
            ),
        ],
        Kind::Members => members(ctl, view),
        Kind::Nodename => {
            if node.active.is_none() {
                return Vec::new();
            }
            one(
                "nodename",
                1,
                Tree::Map(vec![
                    ("nodename", hostname(ctl, node).into()),
                    ("hostnameVersion", "1".into()),
                    ("skipNodeRegistration", false.into()),
                ]),
            )
        }
        Kind::Extensions => Vec::new(),
    }
}

fn status(view: &View) -> Tree {
    let node = &view.state;
    let condition = |name: &str, reason: &str| {
        Tree::Map(vec![("name", name.into()), ("reason", reason.into())])
    };
    let mut unmet = Vec::new();
    let etcd = node.etcd != crate::node::EtcdProcess::Down || node.etcd_data.is_some();
    if matches!(node.stage, Stage::Booting | Stage::Running) && etcd && !view.etcd_healthy {
        let running = node.etcd == crate::node::EtcdProcess::Running;
        unmet.push(condition(
            "services",
            if running { "etcd not healthy" } else { "etcd not running" },
        ));
    }
    if matches!(node.stage, Stage::Booting | Stage::Running) && !node.ready {
        unmet.push(condition("nodeReady", "node status is not available yet"));
    }
    let ready = node.ready || (node.stage == Stage::Maintenance);
    Tree::Map(vec![
        ("stage", node.stage.word().into()),
        (
            "status",
            Tree::Map(vec![("ready", ready.into()), ("unmetConditions", Tree::List(unmet))]),
        ),
    ])
}

pub(super) fn serial(node: &Node) -> String {
    format!("LAB{:012X}", node.hardware & 0xffff_ffff_ffff)
}

fn hostname(ctl: &Ctl, node: &Node) -> String {
    let text = node.active.map(|config| ctl.io.text(config)).unwrap_or_default();
    let set = crate::config::read(&text).ok().and_then(|document| {
        let named = document.others.iter().find_map(|other| other["hostname"].as_str());
        let field = document.machine.as_ref().and_then(|machine| {
            machine.pointer("/machine/network/hostname").and_then(serde_json::Value::as_str)
        });
        named.or(field).map(str::to_owned)
    });
    set.unwrap_or_else(|| ctl.io.name(node.auto_name))
}

fn role(ctl: &Ctl, node: &Node) -> Option<&'static str> {
    let text = ctl.io.text(node.active?);
    let document = crate::config::read(&text).ok()?;
    match document.machine?.pointer("/machine/type")?.as_str()? {
        "controlplane" => Some("controlplane"),
        "init" => Some("init"),
        "worker" => Some("worker"),
        _ => None,
    }
}

fn links(node: &Node) -> Vec<Spec> {
    let octets = (node.hardware ^ 0x00be_ef00).to_be_bytes();
    let mac = format!(
        "02:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}",
        octets[3], octets[4], octets[5], octets[6], octets[7]
    );
    let link = |index: u64, kind: &str, mac: &str, permanent: &str, broadcast: &str| {
        let ether = kind == "ether";
        Tree::Map(vec![
            ("index", index.into()),
            ("type", kind.into()),
            ("linkIndex", 0.into()),
            (
                "flags",
                if ether {
                    "UP,BROADCAST,RUNNING,MULTICAST,LOWER_UP"
                } else {
                    "UP,LOOPBACK,RUNNING,LOWER_UP"
                }
                .into(),
            ),
            ("hardwareAddr", mac.into()),
            ("permanentAddr", permanent.into()),
            ("broadcastAddr", broadcast.into()),
            ("mtu", if ether { 1_500 } else { 65_536 }.into()),
            ("queueDisc", if ether { "mq" } else { "noqueue" }.into()),
            ("operationalState", if ether { "up" } else { "unknown" }.into()),
            ("kind", "".into()),
            ("slaveKind", "".into()),
            ("linkState", true.into()),
            ("port", if ether { "TwistedPair" } else { "Other" }.into()),
            ("duplex", if ether { "Full" } else { "Unknown" }.into()),
        ])
    };
    let none = "00:00:00:00:00:00";
    vec![
        ("enp1s0".into(), 1, link(2, "ether", &mac, &mac, "ff:ff:ff:ff:ff:ff")),
        ("lo".into(), 1, link(1, "loopback", none, "", none)),
    ]
}

fn address(prefix: &str, link: &str, index: u64) -> Tree {
    Tree::Map(vec![
        ("address", prefix.into()),
        ("linkIndex", index.into()),
        ("linkName", link.into()),
        ("family", "inet4".into()),
        ("scope", if link == "lo" { "host" } else { "global" }.into()),
        ("flags", "permanent".into()),
        ("priority", 0.into()),
    ])
}

fn members(ctl: &Ctl, view: &View) -> Vec<Spec> {
    let mut out: Vec<Spec> = view
        .members
        .iter()
        .map(|(id, _)| {
            let spec = &ctl.spec.nodes[usize::from(id.0)];
            let fields = vec![
                ("nodeId", format!("lab{:041}", id.0).into()),
                ("addresses", Tree::List(vec![spec.address.as_str().into()])),
                ("hostname", spec.name.as_str().into()),
                (
                    "machineType",
                    if spec.role == Role::ControlPlane { "controlplane" } else { "worker" }.into(),
                ),
                ("operatingSystem", format!("Talos ({})", ctl.spec.talos_version).into()),
            ];
            let mut fields = fields;
            if spec.role == Role::ControlPlane {
                fields.push(("controlPlane", Tree::Map(vec![("port", 6_443.into())])));
            }
            (spec.name.clone(), 1, Tree::Map(fields))
        })
        .collect();
    out.sort_by(|a, b| a.0.cmp(&b.0));
    out
}
