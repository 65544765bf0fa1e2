//! The command line of talosctl 1.13, and what its `reset` would really wipe.

use super::grammar::{Does, Parsed, Tool, Verb, alone, boolean, list, reads, writes};
use crate::error::{Code, Fault};

/// Flags that add a label or disk, in the spelling of the tool.
const RESET: &str = "debug graceful insecure reboot system-labels-to-wipe= timeout= user-disks-to-wipe= wait wipe-mode=";

pub(super) const TALOSCTL: Tool = Tool {
    name: "talosctl",
    globals: "n:nodes= e:endpoints= talosconfig= context= c:cluster= siderov1-keys-dir=",
    env: &["TALOSCONFIG", "TALOS_HOME", "SIDEROV1_KEYS_DIR"],
    targets: &[&["talosconfig", "context", "endpoints", "cluster", "siderov1-keys-dir"]],
    verbs: &[
        alone("version", "client i:insecure short json"),
        reads("get|g", "i:insecure namespace= o:output= w:watch"),
        alone(
            "health",
            "control-plane-nodes= init-node= k8s-endpoint= !run-e2e server wait-timeout= worker-nodes=",
        ),
        Verb { words: "service|services", flags: "", does: Does::ReadsWith(&["status"]) },
        reads("logs", "f:follow k:kubernetes tail= use-cri"),
        alone("dmesg", "f:follow tail"),
        reads("events", "actor-id= duration= since= tail="),
        alone("memory|m|free", "v:verbose"),
        alone("processes|p|ps", "s:sort="),
        alone("containers|c", "k:kubernetes use-cri"),
        reads("list|ls", "d:depth= H:humanize l:long r:recurse t:type="),
        reads("usage|du", "a:all d:depth= H:humanize t:threshold="),
        alone(
            "netstat|ss",
            "a:all x:extend 4:ipv4 6:ipv6 l:listening k:pods p:programs w:raw t:tcp o:timers u:udp U:udplite v:verbose",
        ),
        alone("stats", "k:kubernetes use-cri"),
        reads("time", "check="),
        alone("mounts|mount", ""),
        alone("etcd members", ""),
        alone("etcd status", ""),
        alone("etcd alarm list", ""),
        alone("image|images list|l|ls", "namespace="),
        alone("dashboard", "d:update-interval="),
        reads("inspect dependencies", "with-resources"),
        alone("config info", "o:output="),
        alone("config contexts|get-contexts", ""),
        reads("validate", "c:config= m:mode= strict"),
        reads("machineconfig|mc patch", "!o:output= p:patch="),
        Verb {
            words: "reset",
            flags: RESET,
            does: Does::Writes("talos.reset { node, system_labels_to_wipe = … }"),
        },
        writes("apply-config|apply", "talos.apply_config"),
        writes("bootstrap", "talos.bootstrap"),
        writes("reboot", "talos.reboot"),
        writes("shutdown", "a typed call"),
        writes("upgrade", "a typed call"),
        writes("upgrade-k8s", "a typed call"),
        writes("rollback", "a typed call"),
        writes("wipe", "a typed call"),
        writes("patch", "talos.apply_config"),
        writes("edit", "talos.apply_config"),
        writes("etcd snapshot", "talos.etcd.snapshot"),
        writes("etcd remove-member", "a typed call"),
        writes("etcd leave", "a typed call"),
        writes("etcd forfeit-leadership", "a typed call"),
        writes("etcd defrag", "a typed call"),
        writes("etcd downgrade", "a typed call"),
        writes("etcd alarm disarm", "a typed call"),
        writes("kubeconfig", "talos.kubeconfig"),
        writes("meta", "a typed call"),
        writes("restart", "a typed call"),
        writes("rotate-ca", "a typed call"),
        writes("image|images pull|p", "a typed call"),
        writes("image|images remove|rm", "a typed call"),
        writes("gen", "talos.gen.secrets or talos.render"),
        writes("config merge", "the pinned context, which needs no merging"),
        writes("config context|use-context", "the pinned context, which nobody switches"),
        writes("config endpoint|endpoints", "the inventory"),
        writes("config node|nodes", "the inventory"),
        writes("config remove", "the pinned context"),
        writes("config add", "the pinned context"),
        writes("config new", "talos.client_config"),
        writes("read", "talos.get"),
        writes("copy|cp", "talos.get"),
        writes("support", "a typed call"),
        writes("pcap", "a typed call"),
        writes("debug", "a typed call"),
        writes("cgroups", "talos.get"),
        writes("conformance", "a typed call"),
        writes("cluster", "ops lab"),
        writes("inject", "a typed call"),
    ],
};

/// The refusal of a reset, as what it would really do.
pub(super) fn reset(line: &Parsed) -> Fault {
    let values = |name: &str| -> Vec<&str> {
        line.flags.iter().filter(|f| f.name == name).map(|f| f.value.as_str()).collect()
    };
    let last = |name: &str| values(name).last().copied();
    let labels = list(values("system-labels-to-wipe"));
    let disks = list(values("user-disks-to-wipe"));
    let mode = last("wipe-mode").unwrap_or("all");
    let insecure = last("insecure").and_then(boolean) == Some(true);
    let fault = if labels.is_empty() && mode != "user-disks" {
        let beside = match disks.as_slice() {
            [] => String::new(),
            disks => format!(", and {}", disks.join(", ")),
        };
        Fault::new(
            Code::GUARD_PARTITIONS,
            format!("`talosctl reset` without partitions wipes the whole system disk{beside}"),
        )
        .detail("No option turns this off: boot partition, META and all volumes would go.")
    } else if insecure {
        Fault::new(Code::GUARD_PARTITIONS, "`talosctl reset --insecure` has no safe form")
            .detail("It acts on whatever answers at the address.")
    } else {
        let what = if labels.is_empty() { disks } else { labels };
        Fault::new(
            Code::SHIM,
            format!("`talosctl reset` of {} is not for a shell", what.join(", ")),
        )
    };
    let fault = if last("graceful").and_then(boolean) == Some(false) {
        fault.detail("graceful=false would leave a dead etcd member behind on a control plane.")
    } else {
        fault
    };
    fault.help(
        "`talos.reset { node, system_labels_to_wipe = { \"STATE\", \"EPHEMERAL\" } }` in a recipe",
    )
}
