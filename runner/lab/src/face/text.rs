//! Words: refusals as gRPC errors, tables as Go's tabwriter sets them, sizes and times.

use super::Io;
use crate::config::unified;
use crate::request::{Api, Part, Refusal};
use crate::world::{ConfigId, Name};
use std::fmt::Write as _;

fn api(api: Api) -> &'static str {
    match api {
        Api::Bootstrap => "bootstrap",
        Api::MemberList => "member list",
        Api::Status => "etcd status",
        Api::Alarms => "etcd alarm list",
        Api::Snapshot => "etcd snapshot",
        Api::Remove => "etcd remove member",
        Api::Leave => "etcd leave",
        Api::Forfeit => "etcd forfeit leadership",
        Api::Recover => "etcd recover",
        Api::Kubeconfig => "kubeconfig",
        Api::Health => "cluster health check",
    }
}

fn part(part: Part) -> &'static str {
    match part {
        Part::Meta => "META",
        Part::State => "STATE",
        Part::Ephemeral => "EPHEMERAL",
    }
}

/// What else a refusal's text needs.
pub(crate) struct Around<'a> {
    pub(crate) io: &'a Io,
    /// `10.0.0.11:50000`, the address that was dialled or proxied to.
    pub(crate) dialled: &'a str,
    /// The config that was sent.
    pub(crate) sent: Option<&'a Sent>,
}

/// A config that was sent, and what is wrong with it.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// Its number, where it could be read at all.
    pub(crate) config: Option<ConfigId>,
    /// What an installed node says.
    pub(crate) installed: String,
    /// What a bare one says.
    pub(crate) bare: String,
}

/// `rpc error: code = … desc = …`.
pub(crate) fn rpc(refusal: Refusal, around: &Around<'_>) -> String {
    let (code, text) = describe(refusal, around);
    format!("rpc error: code = {code} desc = {text}")
}

fn dial(around: &Around<'_>, how: &str) -> (&'static str, String) {
    let error = format!("transport: Error while dialing: dial tcp {}: {how}", around.dialled);
    ("Unavailable", format!("connection error: desc = {error:?}"))
}

fn describe(refusal: Refusal, around: &Around<'_>) -> (&'static str, String) {
    let name = |name: Name| around.io.name(name);
    let etcd = |text: &str| text.to_owned();
    match refusal {
        Refusal::NoRoute => dial(around, "connect: no route to host"),
        Refusal::DialTimeout(_) => dial(around, "i/o timeout"),
        Refusal::ConnRefused(_) => dial(around, "connect: connection refused"),
        Refusal::ConnLost => ("Unavailable", etcd("error reading from server: EOF")),
        Refusal::Deadline => ("DeadlineExceeded", etcd("context deadline exceeded")),
        Refusal::UnknownAuthority { other } => ("Unavailable", unknown_authority(other)),
        Refusal::CertRequired => (
            "Unavailable",
            "connection error: desc = \"error reading server preface: remote error: tls: \
             certificate required\""
                .into(),
        ),
        Refusal::NotAuthorized => ("PermissionDenied", "not authorized".into()),
        Refusal::ControlPlaneOnly(which) => {
            ("Unimplemented", format!("{} is only available on control plane nodes", api(which)))
        }
        Refusal::NoMachineType(which) => (
            "Unimplemented",
            format!("machine type is not set, cannot use {} API", api(which)),
        ),
        Refusal::BadConfig { installed } => {
            let words = |sent: &Sent| if installed { &sent.installed } else { &sent.bare }.clone();
            ("InvalidArgument", around.sent.map(words).unwrap_or_default())
        }
        Refusal::NotImmediate(active) => ("InvalidArgument", immediate(active, around)),
        Refusal::NoV1alpha1 => (
            "InvalidArgument",
            "the applied machine configuration doesn't contain v1alpha1 config, did you mean to \
             patch the machine config instead?"
                .into(),
        ),
        Refusal::AlreadyApplied => (
            "Unknown",
            "configuration was already applied and node is rebooting, cannot apply more \
             configuration changes until next reboot"
                .into(),
        ),
        Refusal::BootstrapNotYet => ("FailedPrecondition", "bootstrap is not available yet".into()),
        Refusal::DataNotEmpty => ("AlreadyExists", "etcd data directory is not empty".into()),
        Refusal::BadSnapshot => ("Unknown", "error verifying snapshot: sha256 mismatch".into()),
        Refusal::NotReadyForRecovery => {
            ("FailedPrecondition", "etcd service is not ready for recovery yet".into())
        }
        Refusal::NoVolume(label) => {
            let label = name(label);
            (
                "Unknown",
                format!(
                    "failed to get volume status with label {label:?}: resource \
                     VolumeStatuses.block.talos.dev(runtime/{label}@undefined) doesn't exist"
                ),
            )
        }
        Refusal::NoPartition(volume) => {
            ("Unknown", format!("failed to reset: volume {:?} is not located", name(volume)))
        }
        Refusal::NotLocated(which) => {
            ("Unknown", format!("failed to reset: volume {:?} is not located", part(which)))
        }
        Refusal::DisksWithSystemMode => (
            "Unknown",
            "reset failed: invalid input, wipe mode SYSTEM_DISK doesn't support UserDisksToWipe parameter"
                .into(),
        ),
        Refusal::LabelsWithUserMode => (
            "Unknown",
            "reset failed: invalid input, wipe mode USER_DISKS doesn't support \
             SystemPartitionsToWipe parameter"
                .into(),
        ),
        Refusal::NoDevice(device) => {
            ("Unknown", format!("reset user disk failed: device {} wasn't found", name(device)))
        }
        Refusal::SystemDevice(device) => {
            ("Unknown", format!("reset user disk failed: device {} is the system disk", name(device)))
        }
        Refusal::EtcdDown(which) => ("Unavailable", etcd_down(which)),
        Refusal::NoLeader => ("Unavailable", "etcdserver: no leader".into()),
        Refusal::EtcdTimeout | Refusal::ApiNoEtcd => {
            ("Unavailable", "etcdserver: request timed out".into())
        }
        Refusal::NotEnoughStarted => (
            "Unknown",
            "failed to remove member: etcdserver: re-configuration failed due to not enough started members"
                .into(),
        ),
        Refusal::Unhealthy => {
            ("Unknown", "failed to remove member: etcdserver: unhealthy cluster".into())
        }
        Refusal::MemberNotFound => ("NotFound", "etcdserver: member not found".into()),
        Refusal::TooManyLearners => {
            ("Unknown", "etcdserver: too many learner members in cluster".into())
        }
        Refusal::LearnerRefuses => ("Unavailable", "etcdserver: rpc not supported for learner".into()),
        Refusal::OnlyMember => (
            "Unknown",
            "failed to forfeit leadership: cannot forfeit leadership, only one member".into(),
        ),
        Refusal::NotFound => ("NotFound", "not found".into()),
        Refusal::Budget(_) => ("Unknown", BUDGET.into()),
    }
}

fn unknown_authority(other: bool) -> String {
    let hint = if other {
        " (possibly because of \\\"x509: Ed25519 verification failure\\\" while trying to verify candidate \
         authority certificate \\\"talos\\\")"
    } else {
        ""
    };
    format!(
        "connection error: desc = \"transport: authentication handshake failed: tls: failed to verify \
         certificate: x509: certificate signed by unknown authority{hint}\""
    )
}

/// Each call wraps the same failure to reach the local etcd in words of its own.
fn etcd_down(which: Api) -> String {
    let inner = "connection error: desc = \"transport: Error while dialing: dial tcp 127.0.0.1:2379: \
                 connect: connection refused\"";
    let what = match which {
        Api::Status => "failed to query etcd status",
        Api::Snapshot => "failed reading etcd snapshot",
        Api::Alarms => "failed to list etcd alarms",
        Api::Leave => "failed to leave cluster",
        _ => return inner.into(),
    };
    format!("{what}: rpc error: code = Unavailable desc = {inner}")
}

/// The API server's words for an eviction that a budget forbids.
pub(crate) const BUDGET: &str = "Cannot evict pod as it would violate the pod's disruption budget.";

/// Why a change needs a reboot.
pub(crate) fn immediate(active: ConfigId, around: &Around<'_>) -> String {
    let sent = around.sent.and_then(|sent| sent.config);
    let new = sent.map(|config| around.io.text(config)).unwrap_or_default();
    let diff = unified(&around.io.text(active), &new);
    format!("this config change can't be applied in immediate mode\ndiff:\n{diff}")
}

/// Several errors as hashicorp's multierror prints them.
pub(crate) fn multierror(errors: &[String]) -> String {
    let count = errors.len();
    let noun = if count == 1 { "error" } else { "errors" };
    let list: Vec<String> = errors.iter().map(|error| format!("* {error}")).collect();
    format!("{count} {noun} occurred:\n\t{}\n\n", list.join("\n\t"))
}

/// Rows as Go's tabwriter sets them with this padding: the last cell of a row has none.
pub(crate) fn table(rows: &[Vec<String>], padding: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter(|row| row.len() > column + 1)
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            if column + 1 == row.len() {
                out.push_str(cell);
            } else {
                // Writing to a String cannot fail.
                let _ = write!(out, "{cell:<width$}", width = widths[column] + padding);
            }
        }
        out.push('\n');
    }
    out
}

/// A size as `humanize.Bytes` prints it: SI units, one decimal below ten.
pub(crate) fn si_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    if bytes < 10 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let rounded = (value * 10.0).round() / 10.0;
    if rounded < 10.0 {
        format!("{rounded:.1} {}", UNITS[unit])
    } else {
        format!("{value:.0} {}", UNITS[unit])
    }
}

/// A member id as Talos prints it.
pub(crate) fn member_id(id: u64) -> String {
    format!("{id:016x}")
}

/// A 64-bit id as a UUID of its own.
pub(crate) fn uuid(id: u64) -> String {
    let other = id.rotate_left(29).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        id >> 32,
        id >> 16 & 0xffff,
        id & 0xfff,
        other >> 48 & 0xfff,
        other & 0xffff_ffff_ffff
    )
}

/// A 128-bit UUID.
pub(crate) fn uuid128(id: u128) -> String {
    let hex = format!("{id:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::{multierror, si_bytes, table};

    #[test]
    fn tables_pad_all_cells_but_the_last() {
        let rows = [vec!["NODE".into(), "ID".into()], vec!["10.0.0.11".into(), "x".into()]];
        assert_eq!(table(&rows, 3), "NODE        ID\n10.0.0.11   x\n");
    }

    #[test]
    fn sizes_are_humanized_in_si_units() {
        for (bytes, text) in
            [(0, "0 B"), (999, "999 B"), (1_048_576, "1.0 MB"), (120_034_123_776, "120 GB")]
        {
            assert_eq!(si_bytes(bytes), text);
        }
    }

    #[test]
    fn errors_of_several_nodes_are_listed() {
        assert_eq!(multierror(&["a".into()]), "1 error occurred:\n\t* a\n\n");
        assert_eq!(multierror(&["a".into(), "b".into()]), "2 errors occurred:\n\t* a\n\t* b\n\n");
    }
}
