//! Storage resources of `talosctl get`: disks, system volumes, and what is found on disks.

use super::Ctl;
use super::resources::{Spec, serial};
use crate::face::text::si_bytes;
use crate::face::tree::Tree;
use crate::node::Node;

pub(super) fn disks(ctl: &Ctl, node: &Node) -> Vec<Spec> {
    let disk = |place: usize, disk: &crate::node::Disk| {
        let path = ctl.io.name(disk.path);
        let id = path.trim_start_matches("/dev/").to_owned();
        let wwid = format!("naa.5000{:012x}", (node.hardware ^ place as u64) & 0xffff_ffff_ffff);
        let spec = Tree::Map(vec![
            ("dev_path", path.into()),
            ("size", disk.size.into()),
            ("pretty_size", si_bytes(disk.size).into()),
            ("io_size", 512.into()),
            ("sector_size", 512.into()),
            ("readonly", false.into()),
            ("cdrom", false.into()),
            ("model", "LAB DISK".into()),
            ("serial", format!("{}-{place}", serial(node)).into()),
            ("wwid", wwid.into()),
            ("sub_system", "/sys/class/block".into()),
            ("transport", "sata".into()),
        ]);
        (id, 1, spec)
    };
    node.disks.iter().enumerate().map(|(place, state)| disk(place, state)).collect()
}

/// Volumes that are directories of EPHEMERAL.
pub(crate) const DIRECTORIES: [&str; 4] =
    ["/var/lib", "/var/lib/containerd", "/var/lib/kubelet", "/var/log"];

/// Partitions: label, number, bytes, file system.
const SYSTEM: [(&str, u64, u64, &str); 3] = [
    ("EPHEMERAL", 6, 118_000_000_000, "xfs"),
    ("META", 4, 1_048_576, "talosmeta"),
    ("STATE", 5, 104_857_600, "xfs"),
];

pub(super) fn volumes(ctl: &Ctl, node: &Node) -> Vec<Spec> {
    let disk = node.system_disk.map(|path| ctl.io.name(path));
    let directory = |path: &&str| {
        let mount = Tree::Map(vec![
            ("targetPath", path.trim_start_matches("/var/").into()),
            ("selinuxLabel", "".into()),
            ("projectQuotaSupport", false.into()),
        ]);
        let fields = Tree::Map(vec![
            ("phase", "ready".into()),
            ("type", "directory".into()),
            ("parentID", "EPHEMERAL".into()),
            ("mountSpec", mount),
        ]);
        ((*path).to_owned(), 1, fields)
    };
    let directories = DIRECTORIES.iter().filter(|_| disk.is_some()).map(directory);
    let partitions = SYSTEM.iter().map(|(label, number, size, filesystem)| {
        let mut fields = vec![
            ("phase", if disk.is_some() { "ready" } else { "missing" }.into()),
            ("type", "partition".into()),
        ];
        if let Some(disk) = &disk {
            fields.extend([
                ("location", partition(disk, *number).into()),
                ("partitionIndex", (*number).into()),
                ("parentLocation", disk.as_str().into()),
                ("size", (*size).into()),
                ("prettySize", si_bytes(*size).into()),
                ("filesystem", (*filesystem).into()),
            ]);
        }
        ((*label).to_owned(), 1, Tree::Map(fields))
    });
    directories.chain(partitions).collect()
}

/// Path of a partition; a disk whose name ends in a digit takes a `p` before the number.
fn partition(disk: &str, number: u64) -> String {
    let between = if disk.ends_with(|c: char| c.is_ascii_digit()) { "p" } else { "" };
    format!("{disk}{between}{number}")
}

pub(super) fn discovered(ctl: &Ctl, node: &Node) -> Vec<Spec> {
    let mut out = Vec::new();
    for disk in &node.disks {
        let path = ctl.io.name(disk.path);
        let id = path.trim_start_matches("/dev/").to_owned();
        let system = node.system_disk == Some(disk.path);
        let found = if system {
            "gpt"
        } else if disk.data {
            "xfs"
        } else {
            ""
        };
        out.push((
            id.clone(),
            1,
            Tree::Map(vec![
                ("dev_path", path.as_str().into()),
                ("type", "disk".into()),
                ("device_path", format!("/devices/lab/{id}").into()),
                ("offset", 0.into()),
                ("size", disk.size.into()),
                ("pretty_size", si_bytes(disk.size).into()),
                ("name", found.into()),
            ]),
        ));
        if !system {
            continue;
        }
        let boot = [
            ("EFI", 1, 2_202_009_600, "vfat"),
            ("BIOS", 2, 1_048_576, ""),
            ("BOOT", 3, 2_097_152_000, "xfs"),
        ];
        for (label, number, size, filesystem) in boot.iter().chain(&SYSTEM) {
            out.push((
                partition(&id, *number),
                1,
                Tree::Map(vec![
                    ("dev_path", partition(&path, *number).into()),
                    ("type", "partition".into()),
                    (
                        "device_path",
                        format!("/devices/lab/{id}/{}", partition(&id, *number)).into(),
                    ),
                    ("parent", id.as_str().into()),
                    ("parent_dev_path", path.as_str().into()),
                    ("offset", 0.into()),
                    ("size", (*size).into()),
                    ("pretty_size", si_bytes(*size).into()),
                    ("name", (*filesystem).into()),
                    ("label", (*label).into()),
                    ("partition_label", (*label).into()),
                    ("partition_index", (*number).into()),
                ]),
            ));
        }
    }
    out
}
