//! `kubeconfig`, `health`, `service`: verbs that look at a node as part of its cluster.

use super::{Ctl, Start};
use crate::config::client::kubeconfig as render;
use crate::config::encode::EPOCH;
use crate::config::{self, Secrets};
use crate::face::text::table;
use crate::face::{Exit, Process, ToolOutput, failed, not_modelled};
use crate::node::{EtcdProcess, Stage};
use crate::reply::{Reply, View};
use crate::request::Request;
use crate::world::NodeId;
use serde_json::Value;

pub(super) fn kubeconfig(start: &mut Start<'_>) -> Result<Process, ToolOutput> {
    if start.words.len() > 1 {
        let count = start.words.len();
        return Err(failed(&format!("accepts at most 1 arg(s), received {count}\n\n")));
    }
    let Some(path) = start.words.first().cloned() else {
        return Err(not_modelled("talosctl kubeconfig without a path"));
    };
    let exists = path != "-" && start.files.read(&path).is_some();
    let merge = start.flags.bool("merge", true);
    let force = start.flags.bool("force", false);
    if exists && merge {
        return Err(not_modelled("talosctl kubeconfig merging into an existing file"));
    }
    if exists && !force {
        return Err(failed(&format!(
            "kubeconfig file already exists, use --force to overwrite: {path:?}\n"
        )));
    }
    let ctl = start.target(false)?;
    let from = EPOCH + start.lab.now() / 1_000;
    let client = Secrets::client("kubernetes", "system:masters", from, &mut start.lab.random);
    Ok(Start::run(ctl, async move |ctl: Ctl| {
        if let Some(exit) = ctl.several("kubeconfig") {
            return exit;
        }
        // The server renders it from its own config.
        let view = match ctl.ask(&ctl.nodes[0], Request::Kubeconfig).await {
            Ok(Reply::View(view)) => view,
            Ok(_) => return Exit::Code(1),
            Err(trouble) if trouble.whole => {
                return ctl.fail(format!("error copying: {}", trouble.text));
            }
            Err(trouble) => {
                return ctl.fail(format!("error initializing gzip: {}", trouble.text));
            }
        };
        let Some(text) = admin(&ctl, &view, &client) else { return Exit::Code(1) };
        if path == "-" {
            ctl.io.out(text);
        } else {
            ctl.io.write(&path, text.into_bytes(), 0o600);
        }
        Exit::Code(0)
    }))
}

fn admin(ctl: &Ctl, view: &View, client: &config::Pair) -> Option<String> {
    let document = config::read(&ctl.io.text(view.state.active?)).ok()?;
    let machine = document.machine?;
    let at = |path: &str| machine.pointer(path).and_then(Value::as_str);
    let name = at("/cluster/clusterName").unwrap_or("cluster");
    let server = at("/cluster/controlPlane/endpoint")?;
    Some(render(name, server, at("/cluster/ca/crt")?, client))
}

/// The checks of `health`, in their order, by the number that the world answers with.
const CHECKS: [&str; 16] = [
    "etcd to be healthy",
    "etcd members to be consistent across nodes",
    "etcd members to be control plane nodes",
    "apid to be ready",
    "all nodes memory sizes",
    "all nodes disk sizes",
    "no diagnostics",
    "kubelet to be healthy",
    "all nodes to finish boot sequence",
    "all k8s nodes to report",
    "all control plane static pods to be running",
    "all control plane components to be ready",
    "all k8s nodes to report ready",
    "kube-proxy to report ready",
    "coredns to report ready",
    "all k8s nodes to report schedulable",
];

pub(super) fn health(start: &Start<'_>) -> Result<Process, ToolOutput> {
    if !start.flags.bool("server", true) {
        return Err(not_modelled("talosctl health --server=false"));
    }
    let timeout = start
        .flags
        .duration("wait-timeout", 1_200_000)
        .map_err(|_| failed("invalid argument for \"--wait-timeout\" flag\n\n"))?;
    let ctl = start.target(false)?;
    Ok(Start::run(ctl, async move |ctl: Ctl| {
        if let Some(exit) = ctl.several("health") {
            return exit;
        }
        let deadline = ctl.io.now() + timeout;
        let mut shown = 0;
        let mut waiting = None;
        loop {
            let (nodes, failing) = match ctl.ask(&ctl.nodes[0], Request::Health).await {
                Ok(Reply::Health { nodes, failing }) => (nodes, failing),
                Ok(_) => return Exit::Code(1),
                Err(trouble) if trouble.whole => return ctl.fail(trouble.text),
                Err(trouble) => return ctl.fail(format!("healthcheck error: {}", trouble.text)),
            };
            if shown == 0 && waiting.is_none() {
                let address =
                    |id: &NodeId| format!("{:?}", ctl.spec.nodes[usize::from(id.0)].address);
                let nodes: Vec<String> = nodes.iter().map(address).collect();
                ctl.io.err(format!("discovered nodes: [{}]\n", nodes.join(" ")));
            }
            let passed = failing.map_or(CHECKS.len(), usize::from).min(CHECKS.len());
            while shown < passed {
                let check = CHECKS[shown];
                ctl.io.err(format!("waiting for {check}: ...\nwaiting for {check}: OK\n"));
                shown += 1;
            }
            if failing.is_none() {
                return Exit::Code(0);
            }
            if waiting != Some(passed) {
                waiting = Some(passed);
                ctl.io.err(format!("waiting for {}: ...\n", CHECKS[passed.min(15)]));
            }
            if ctl.io.now() >= deadline {
                let check = CHECKS[passed.min(15)];
                ctl.io.err(format!("waiting for {check}: context deadline exceeded\n"));
                return ctl.fail("healthcheck error: rpc error: code = DeadlineExceeded desc = context deadline exceeded");
            }
            ctl.io.sleep(5_000).await;
        }
    }))
}

pub(super) fn service(start: &Start<'_>) -> Result<Process, ToolOutput> {
    let (only, action) = match start.words.as_slice() {
        [] => (None, "status"),
        [id] => (Some(id.clone()), "status"),
        [id, action] => (Some(id.clone()), action.as_str()),
        words => {
            let count = words.len();
            return Err(failed(&format!("accepts at most 2 arg(s), received {count}\n\n")));
        }
    };
    if action != "status" {
        return Err(not_modelled(&format!("talosctl service … {action}")));
    }
    let ctl = start.target(false)?;
    Ok(Start::run(ctl, async move |ctl: Ctl| {
        let (replies, error) = ctl.fan_out(Request::Services).await;
        if let Some(error) = error {
            if replies.is_empty() {
                return ctl.fail(format!("error listing services: {error}"));
            }
            ctl.io.err(format!("WARNING: {error}\n"));
        }
        let mut rows = Vec::new();
        let mut found = false;
        for (node, reply) in replies {
            let Reply::View(view) = reply else { continue };
            for (id, state, health, event) in services(&view) {
                match &only {
                    None => rows.push(
                        [&node, id, state, health, "1m0s ago", event].map(str::to_owned).to_vec(),
                    ),
                    Some(wanted) if wanted == id => {
                        found = true;
                        for (name, value) in [
                            ("NODE", node.as_str()),
                            ("ID", id),
                            ("STATE", state),
                            ("HEALTH", health),
                        ] {
                            rows.push(vec![name.to_owned(), value.to_owned()]);
                        }
                        let line = format!("[{state}]: {event} (1m0s ago)");
                        rows.push(vec!["EVENTS".to_owned(), line]);
                    }
                    Some(_) => {}
                }
            }
        }
        match &only {
            None => rows.insert(
                0,
                ["NODE", "SERVICE", "STATE", "HEALTH", "LAST CHANGE", "LAST EVENT"]
                    .map(str::to_owned)
                    .to_vec(),
            ),
            Some(id) if !found => {
                return ctl.fail(format!("service {id:?} is not registered on any nodes"));
            }
            Some(_) => {}
        }
        ctl.io.out(table(&rows, 3));
        Exit::Code(0)
    }))
}

type Service = (&'static str, &'static str, &'static str, &'static str);

fn services(view: &View) -> Vec<Service> {
    let node = &view.state;
    let on = |up: bool| -> (&'static str, &'static str, &'static str) {
        if up {
            ("Running", "OK", "Health check successful")
        } else {
            ("Waiting", "?", "Waiting for dependencies")
        }
    };
    let mut out = Vec::new();
    let mut add =
        |id: &'static str, (state, health, event): (&'static str, &'static str, &'static str)| {
            out.push((id, state, health, event));
        };
    add("apid", on(node.apid));
    add("auditd", ("Running", "?", "Service started as goroutine"));
    add("containerd", on(node.containerd));
    add("cri", on(node.containerd));
    if node.stage != Stage::Maintenance {
        match node.etcd {
            EtcdProcess::Running if view.etcd_healthy => add("etcd", on(true)),
            EtcdProcess::Running => add("etcd", ("Running", "Fail", "Health check failed")),
            EtcdProcess::Starting => add("etcd", ("Preparing", "?", "Running pre state")),
            EtcdProcess::Waiting => add(
                "etcd",
                (
                    "Preparing",
                    "?",
                    "etcd is waiting to join the cluster, if this node is the first node of the cluster, please run `talosctl bootstrap`",
                ),
            ),
            EtcdProcess::Down => {}
        }
        add("kubelet", on(node.kubelet));
    }
    add("machined", on(true));
    add("syslogd", on(node.apid));
    if node.etcd != EtcdProcess::Down {
        add("trustd", on(node.services));
    }
    add("udevd", on(true));
    out
}
