//! Everything the lab claims about the real world, one row each: what, how long, how it is known.
//! Holds no logic beyond printing itself; no other file may contain a duration of the real tools.

use crate::rng::Stream;
use serde::{Deserialize, Serialize};

/// Version of the model: the Talos release whose sources the rows were read against.
pub const MODEL: &str = "1.13.9";

/// How a row is known, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tag {
    /// Observed by running the real thing.
    Ran,
    /// Read in its source.
    Source,
    /// From a public issue or log.
    Issue,
    /// From documentation.
    Docs,
    /// Nobody has shown it; a result that depends on it says so.
    Assumed,
}

impl Tag {
    /// The word printed for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ran => "ran",
            Self::Source => "source",
            Self::Issue => "issue",
            Self::Docs => "docs",
            Self::Assumed => "assumed",
        }
    }
}

/// One row.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Fact {
    /// Stable name.
    pub name: &'static str,
    /// Proof.
    pub tag: Tag,
    /// Where it was seen.
    pub source: &'static str,
    /// Milliseconds, for a duration.
    pub ms: Option<u64>,
    /// Whether 0 to 40 % are added at random; timeouts of the real tools are exact.
    pub jitter: bool,
    /// The claim.
    pub what: &'static str,
}

/// Hardware the durations are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Virtual machines.
    #[default]
    Vm,
    /// Small computers.
    MiniPc,
    /// Servers with slow firmware.
    Server,
    /// Boards that boot from an SD card.
    SdCard,
}

macro_rules! durations {
    ($($id:ident = $ms:literal $jitter:literal $tag:ident $source:literal $what:literal;)*) => {
        /// A duration of the model; `Took::ms` gives its value.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Took { $(#[doc = $what] $id),* }
        const DURATIONS: &[Fact] = &[$(Fact {
            name: stringify!($id), tag: Tag::$tag, source: $source,
            ms: Some($ms), jitter: $jitter, what: $what,
        }),*];
    };
}

durations! {
    Network = 2 true Assumed "" "one way of a request on a local network";
    DialTimeout = 20_000 false Source "gRPC MinConnectTimeout" "a dial to a machine that is off ends in an i/o timeout";
    Firmware = 5_000 true Assumed "" "firmware of a virtual machine (mini PC 30 s, server 120 s)";
    Kernel = 2_400 true Issue "u-boot-orangepi5#2" "kernel to initialize sequence";
    Maintenance = 10_000 true Issue "talos#8882" "a node without config reaches maintenance mode";
    EarlyServices = 8_900 true Issue "talos#8882" "containerd and the early services are up";
    Services = 12_000 true Assumed "" "kubelet runs after the early services";
    FatalPause = 10_000 false Source "machined" "pause before the reboot after a fatal sequence error";
    BootLimit = 4_200_000 false Source "machined" "a boot that is not done after 70 min is fatal";
    InstallPull = 20_000 true Issue "talos#14242" "the installer image is pulled";
    InstallWrite = 2_000 true Issue "talos#14242" "the installer writes an SSD (SD card: 330 s, talos#7042)";
    StopPods = 25_000 true Assumed "" "pods and services stop before a reboot";
    StopServices = 6_000 true Assumed "" "services stop when pods are gone";
    DrainCordon = 1_000 true Assumed "" "the node's own cordon";
    DrainLimit = 300_000 false Source "machined" "the node gives up its own drain and only logs it";
    DrainQuick = 12_000 true Assumed "" "the node's own drain when no budget is in the way";
    Wipe = 4_000 true Assumed "" "signatures of partitions or disks are wiped";
    PowerOff = 2_000 true Assumed "" "the machine is off after its last service";
    LeaveRetry = 10_000 false Source "etcd.LeaveCluster" "a refused leave is tried again";
    LeaveLimit = 300_000 false Source "etcd.LeaveCluster" "a leave that stays refused gives up";
    Leave = 2_000 true Assumed "" "leaving etcd";
    EtcdStart = 5_000 true Source "etcd HealthSettings" "etcd's first health check after its start";
    EtcdJoin = 15_000 true Issue "talos#14097" "a control plane adds itself as learner";
    Promote = 136_000 false Issue "talos#14097" "a learner of three control planes becomes voter (135-137 s)";
    PromoteTwo = 90_600 false Issue "talos#14097" "a learner of two control planes becomes voter";
    PromoteRetry = 15_000 false Source "etcd service" "a refused promotion is tried again";
    Election = 1_000 true Docs "etcd tuning" "a leader is elected (1-3 s)";
    EtcdRequest = 7_000 false Source "etcd ReqTimeout" "etcd answers a request without quorum with a timeout";
    Snapshot = 1_500 true Assumed "" "a snapshot is streamed";
    ApiServer = 15_000 true Assumed "" "the API server is up after its own etcd is healthy (10-30 s)";
    Bootstrap = 30_000 true Assumed "" "first start of the control plane after bootstrap";
    Register = 5_000 true Assumed "" "the kubelet registers its node";
    Cni = 40_000 true Assumed "" "the CNI's pod runs on a new node (image pull 30-90 s)";
    CniCached = 8_000 true Assumed "" "the CNI's pod runs again on a known node";
    ApiDeadline = 30_000 false Docs "kube-tools.md 4" "a client gives up on an API server that does not answer";
    Lease = 50_000 false Issue "kubernetes#127352" "a node whose kubelet is silent becomes Unknown";
    Toleration = 300_000 false Docs "default tolerations" "pods of an unreachable node are deleted";
    PodStart = 3_000 true Docs "kwok stages" "a pod is Ready after it was placed";
    PodStop = 4_000 true Docs "kwok stages" "a terminating pod is gone";
    EvictRetry = 5_000 false Source "kubectl drain" "an eviction refused by a budget is tried again";
    PodPoll = 1_000 false Source "kubectl drain" "kubectl looks whether a pod is gone";
    EventPoll = 1_000 false Assumed "" "the lab's stand-in for the event stream of a node";
    HealthPoll = 5_000 false Source "conditions.PollingCondition" "a health condition is checked again";
    SlowBy = 15_000 false Assumed "" "what the fault `slow` adds to every answer";
}

macro_rules! claims {
    ($($tag:ident $name:literal $source:literal $what:literal;)*) => {
        const CLAIMS: &[Fact] = &[$(Fact {
            name: $name, tag: Tag::$tag, source: $source, ms: None, jitter: false, what: $what,
        }),*];
    };
}

claims! {
    Source "config-two-values" "v1alpha1_server.go ApplyConfiguration" "active and persisted config are two values: try changes the first, staged the second";
    Source "config-dry-run-trap" "v1alpha1_server.go, talos#14343" "any apply but try, dry runs and unparsable files included, stops the try timer before parsing";
    Source "config-second-try" "v1alpha1_server.go" "a second try reverts to the first trial, not to the original";
    Source "config-immediate" "v1alpha1_runtime.go CanApplyImmediate" "the list of fields that need no reboot";
    Source "config-role" "v1alpha1_server.go" "Talos compares neither role, secrets nor hostname of a config with the node's own";
    Source "sequence-lock" "controller.go" "a sequence requested while another runs is answered with success and never starts";
    Source "sequence-takeover" "controller.go" "reboot takes over boot, reboot and reset; reset takes over boot; shutdown and apply-with-reboot take over always";
    Source "reset-order" "v1alpha1_sequencer.go Reset" "drain, leave etcd, stop, wipe, reboot or power off, in this order";
    Source "reset-no-labels" "v1alpha1_server.go Reset" "no labels and a mode other than user-disks is the whole system disk, boot partition included";
    Source "reset-state-kept-install" "v1alpha1_sequencer.go" "after a wipe of STATE the node is still installed: the next apply boots without install";
    Source "reset-leave-fails" "v1alpha1_sequencer.go" "a failed leave stops the reset before anything is wiped, and the node reboots with all data";
    Source "maintenance-reader" "1.13 authz" "an anonymous client of maintenance mode is a reader who may apply";
    Assumed "state-wipe-resumes" "" "a control plane whose STATE alone was wiped resumes as its old member after an apply";
    Source "whole-disk-hands" "v1alpha1_sequencer.go" "a node without boot entries needs hands";
    Source "etcd-add" "etcd 3.6 mayAddMember" "no member is added while a voter is not connected: a stale voter of another hostname blocks every join";
    Source "etcd-remove" "etcd 3.6 mayRemoveMember" "a dead voter may go; a live one only while (active-1) >= 1+(n-1)/2; the last never";
    Source "etcd-promote" "etcd 3.6 mayPromoteMember" "a learner is promoted while voters+1 has a started quorum";
    Source "etcd-one-learner" "etcd 3.6" "one learner at a time: control planes join one after another";
    Source "etcd-same-name" "talos etcd.go addMember" "a joining node first removes the member of its own hostname";
    Source "etcd-local" "v1alpha1_server.go" "members, status, snapshot and alarms are asked of the node's own etcd, the rest of any control plane";
    Source "bootstrap-checks" "v1alpha1_server.go Bootstrap" "bootstrap looks at the node alone: two bootstraps are two clusters";
    Assumed "snapshot-without-quorum" "" "a snapshot can be taken from a member without quorum";
    Source "snapshot-trailer" "etcd.go" "a snapshot ends in the sha256 of its bytes: size modulo 512 is 32";
    Ran "talosctl-texts" "talosctl 1.13.0" "texts, formats and exit codes of talosctl";
    Ran "talosctl-wait" "talosctl 1.13.0" "--wait = version, events, boot id, action, events, post check";
    Source "kubectl-drain" "kubectl 0.36 drain" "filters, order and texts of kubectl drain";
    Ran "kubectl-texts" "kubectl 1.36.3" "texts and exit codes of kubectl";
    Ran "eviction-429" "kube-apiserver 1.36.3" "an eviction that a budget forbids is 429 with the budget's text";
    Source "apiserver-follows-etcd" "talos static pods" "an API server serves while its own node's etcd is a healthy voter";
    Assumed "vip-needs-etcd" "talos#9276" "an endpoint that is no node's address is held by a control plane with quorum";
    Assumed "dhcp-hostnames" "" "a config without a static hostname gets the inventory's name from DHCP";
    Assumed "snapshot-content" "" "a snapshot file is the lab's own content behind a real trailer, no bbolt file";
    Assumed "certificates" "" "certificates parse and carry role and dates; their signatures are made up";
    Docs "cni-default" "Talos flannel" "a config that does not say otherwise brings a CNI; a node is Ready only after it";
    Docs "volumes-die" "Talos volumes" "what lives under /var dies with EPHEMERAL, a reset removes no Node object";
}

impl Took {
    /// Milliseconds for this hardware, without jitter.
    #[must_use]
    pub fn base(self, profile: Profile) -> u64 {
        match (self, profile) {
            (Self::Firmware, Profile::MiniPc | Profile::SdCard) => 30_000,
            (Self::Firmware, Profile::Server) => 120_000,
            (Self::InstallWrite, Profile::SdCard) => 330_000,
            _ => DURATIONS[self as usize].ms.unwrap_or(0),
        }
    }

    /// Milliseconds with this draw's jitter.
    pub fn ms(self, profile: Profile, durations: &mut Stream) -> u64 {
        let base = self.base(profile);
        if DURATIONS[self as usize].jitter {
            base + durations.below(base * 2 / 5 + 1)
        } else {
            base
        }
    }
}

/// Every row, durations first.
pub fn facts() -> impl Iterator<Item = &'static Fact> {
    DURATIONS.iter().chain(CLAIMS)
}

/// The line every run in the lab and every report opens with.
#[must_use]
pub fn header() -> String {
    let count = |tag| facts().filter(|fact| fact.tag == tag).count();
    let tags = [Tag::Ran, Tag::Source, Tag::Issue, Tag::Docs, Tag::Assumed];
    let counts: Vec<String> =
        tags.iter().map(|&tag| format!("{} {}", count(tag), tag.word())).collect();
    format!("SIMULATION model {MODEL}: {}", counts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::{Tag, facts, header};

    #[test]
    fn every_row_but_an_assumed_one_names_its_source() {
        for fact in facts() {
            assert!(fact.tag == Tag::Assumed || !fact.source.is_empty(), "{}", fact.name);
            assert!(!fact.what.is_empty(), "{}", fact.name);
        }
    }

    #[test]
    fn the_header_counts_every_row_once() {
        let total: usize = header()
            .split(|c: char| !c.is_ascii_digit())
            .skip_while(|part| *part != "9")
            .skip(1)
            .filter_map(|part| part.parse::<usize>().ok())
            .sum();
        assert_eq!(total, facts().count());
    }
}
