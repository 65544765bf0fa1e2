//! `cordon`, `uncordon`, `drain`, `delete node`, step by step as kubectl does them.

use super::objects::pod_name;
use super::{Kubectl, Start};
use crate::face::flags::{duration, go_duration};
use crate::face::text::BUDGET;
use crate::face::{Exit, Process, ToolOutput, failed, not_modelled};
use crate::kube::{Kube, Pod, Workload};
use crate::request::{KubeKind, KubeRequest, Refusal};
use crate::world::{Ms, Name, PodId};
use std::collections::BTreeMap;
use std::fmt::Write as _;

#[derive(Clone, Copy, PartialEq, Eq)]
enum DryRun {
    No,
    Client,
    Server,
}

fn dry_run(start: &Start<'_>) -> Result<DryRun, ToolOutput> {
    match start.flags.one("dry-run") {
        None | Some("none") => Ok(DryRun::No),
        Some("client") => Ok(DryRun::Client),
        Some("server") => Ok(DryRun::Server),
        Some(other) => Err(failed(&format!(
            "error: Invalid dry-run value ({other}). Must be \"none\", \"server\", or \"client\".\n"
        ))),
    }
}

fn nodes(start: &mut Start<'_>, verb: &str) -> Result<Vec<Name>, ToolOutput> {
    if start.words.is_empty() {
        return Err(failed(&format!(
            "error: USAGE: {verb} NODE [flags]\nSee 'kubectl {verb} -h' for help and examples\n"
        )));
    }
    let words = start.words.clone();
    Ok(words.iter().map(|word| start.name(word)).collect())
}

impl Kubectl {
    /// Looks all nodes up before anything is changed.
    async fn known(&self, nodes: &[Name]) -> Result<Kube, Exit> {
        let view = self.view(KubeKind::Nodes).await.map_err(|words| self.fail(&words))?;
        for node in nodes {
            if !view.kube.nodes.contains_key(node) {
                let name = self.io.name(*node);
                return Err(
                    self.fail(&format!("Error from server (NotFound): nodes {name:?} not found"))
                );
            }
        }
        Ok(view.kube)
    }

    /// Sets or clears the flag where it is not so already.
    async fn cordon(&self, kube: &Kube, node: Name, on: bool, dry: DryRun) {
        let name = self.io.name(node);
        let verb = if on { "cordon" } else { "uncordon" };
        let suffix = match dry {
            DryRun::No => "",
            DryRun::Client => " (dry run)",
            DryRun::Server => " (server dry run)",
        };
        if kube.nodes.get(&node).is_some_and(|object| object.cordoned == on) {
            return self.io.out(format!("node/{name} already {verb}ed{suffix}\n"));
        }
        if dry == DryRun::No
            && let Err((_, words)) = self.ask(KubeRequest::Cordon { node, on }).await
        {
            return self.io.err(format!("error: unable to {verb} node {name:?}: {words}\n"));
        }
        self.io.out(format!("node/{name} {verb}ed{suffix}\n"));
    }
}

pub(super) fn cordon(start: &mut Start<'_>, on: bool) -> Result<Process, ToolOutput> {
    let dry = dry_run(start)?;
    let nodes = nodes(start, if on { "cordon" } else { "uncordon" })?;
    let kubectl = start.target()?;
    Ok(Start::run(kubectl, async move |kubectl: Kubectl| {
        let kube = match kubectl.known(&nodes).await {
            Ok(kube) => kube,
            Err(exit) => return exit,
        };
        for node in nodes {
            kubectl.cordon(&kube, node, on, dry).await;
        }
        Exit::Code(0)
    }))
}

#[derive(Clone, Debug)]
struct Options {
    force: bool,
    ignore_daemonsets: bool,
    delete_emptydir: bool,
    disable_eviction: bool,
    timeout: Ms,
    app: Option<String>,
}

pub(super) fn drain(start: &mut Start<'_>) -> Result<Process, ToolOutput> {
    let dry = dry_run(start)?;
    let timeout = match start.flags.one("timeout") {
        None => 0,
        Some(text) => duration(text).ok_or_else(|| {
            failed(&format!(
                "error: invalid argument {text:?} for \"--timeout\" flag: time: invalid duration {text:?}\n\
                 See 'kubectl drain --help' for usage.\n"
            ))
        })?,
    };
    let app = match start.flags.one("pod-selector") {
        None | Some("") => None,
        Some(text) => match text.strip_prefix("app=") {
            Some(app) if !app.contains([',', '!', '(']) => Some(app.to_owned()),
            _ => return Err(not_modelled(&format!("kubectl drain --pod-selector {text}"))),
        },
    };
    let options = Options {
        force: start.flags.bool("force", false),
        ignore_daemonsets: start.flags.bool("ignore-daemonsets", false),
        delete_emptydir: start.flags.bool("delete-emptydir-data", false),
        disable_eviction: start.flags.bool("disable-eviction", false),
        timeout,
        app,
    };
    let nodes = nodes(start, "drain")?;
    let kubectl = start.target()?;
    Ok(Start::run(kubectl, async move |kubectl: Kubectl| {
        let kube = match kubectl.known(&nodes).await {
            Ok(kube) => kube,
            Err(exit) => return exit,
        };
        for &node in &nodes {
            kubectl.cordon(&kube, node, true, dry).await;
        }
        let mut pending = Vec::new();
        let mut errors = Vec::new();
        for &node in &nodes {
            let name = kubectl.io.name(node);
            match empty(&kubectl, node, &options, dry).await {
                Ok(()) => kubectl.io.out(format!(
                    "node/{name} drained{}\n",
                    if dry == DryRun::No { "" } else { " (dry run)" }
                )),
                Err(error) => {
                    kubectl.io.err(format!(
                        "error: unable to drain node {name:?} due to error: {error}, continuing command...\n"
                    ));
                    pending.push(name);
                    errors.push(error);
                }
            }
        }
        if pending.is_empty() {
            return Exit::Code(0);
        }
        kubectl.io.err("There are pending nodes to be drained:\n");
        for name in &pending {
            kubectl.io.err(format!(" {name}\n"));
        }
        kubectl.fail(&format!("error: {}", aggregate(&errors)))
    }))
}

fn aggregate(errors: &[String]) -> String {
    if errors.len() == 1 { errors[0].clone() } else { format!("[{}]", errors.join(", ")) }
}

/// The pods that a drain would take, with its warnings; an error where a flag is missing.
fn chosen(
    kube: &Kube,
    node: Name,
    options: &Options,
    kubectl: &Kubectl,
) -> Result<(Vec<PodId>, String), String> {
    let mut pods = Vec::new();
    let mut refused: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut warned: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (id, pod) in kube.pods.iter().filter(|(_, pod)| pod.node == Some(node)) {
        let app = kube.app_of(pod);
        if options.app.as_ref().is_some_and(|wanted| *wanted != app.name) {
            continue;
        }
        let name = format!("{}/{}", app.namespace, pod_name(kube, pod, &kubectl.io));
        match app.kind {
            Workload::Static => continue,
            Workload::DaemonSet => {
                let (list, text) = if options.ignore_daemonsets {
                    (&mut warned, "ignoring DaemonSet-managed Pods")
                } else {
                    (&mut refused, "DaemonSet-managed Pods (use --ignore-daemonsets to ignore)")
                };
                list.entry(text).or_default().push(name);
                continue;
            }
            _ => {}
        }
        if app.empty_dir && !options.delete_emptydir {
            let text = "Pods with local storage (use --delete-emptydir-data to override)";
            refused.entry(text).or_default().push(name);
            continue;
        }
        if app.kind == Workload::Bare {
            if !options.force {
                let text = "Pods that declare no controller (use --force to override)";
                refused.entry(text).or_default().push(name);
                continue;
            }
            warned.entry("deleting Pods that declare no controller").or_default().push(name);
        }
        pods.push(*id);
    }
    if !refused.is_empty() {
        let errors: Vec<String> = refused
            .iter()
            .map(|(text, names)| format!("cannot delete {text}: {}", names.join(", ")))
            .collect();
        return Err(aggregate(&errors));
    }
    let warnings: Vec<String> =
        warned.iter().map(|(text, names)| format!("{text}: {}", names.join(", "))).collect();
    Ok((pods, warnings.join("; ")))
}

/// Where one pod's own loop stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Going {
    Evict { at: Ms },
    Wait,
    Gone,
}

async fn empty(
    kubectl: &Kubectl,
    node: Name,
    options: &Options,
    dry: DryRun,
) -> Result<(), String> {
    let kube = kubectl.view(KubeKind::Pods).await?.kube;
    let (pods, warnings) = chosen(&kube, node, options, kubectl)?;
    if !warnings.is_empty() {
        kubectl.io.err(format!("Warning: {warnings}\n"));
    }
    if dry != DryRun::No {
        let suffix = if dry == DryRun::Client { "dry run" } else { "server dry run" };
        for id in &pods {
            let (namespace, name) = named(&kube, *id, kubectl);
            kubectl.io.out(format!("evicting pod {namespace}/{name} ({suffix})\n"));
        }
        return Ok(());
    }
    let result = take(kubectl, &kube, &pods, options).await;
    if let Err(error) = &result {
        let left = kubectl.view(KubeKind::Pods).await.map(|view| view.kube);
        if let Ok((pods, _)) = left
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|kube| chosen(kube, node, options, kubectl))
            && !pods.is_empty()
        {
            let node = kubectl.io.name(node);
            let mut text = format!(
                "There are pending pods in node {node:?} when an error occurred: {error}\n"
            );
            for id in pods {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "pod/{}", named(&kube, id, kubectl).1);
            }
            kubectl.io.err(text);
        }
    }
    result
}

fn named(kube: &Kube, id: PodId, kubectl: &Kubectl) -> (String, String) {
    kube.pods.get(&id).map_or_else(Default::default, |pod: &Pod| {
        (kube.app_of(pod).namespace.clone(), pod_name(kube, pod, &kubectl.io))
    })
}

/// Evicts all pods side by side and waits until they are gone.
async fn take(
    kubectl: &Kubectl,
    kube: &Kube,
    pods: &[PodId],
    options: &Options,
) -> Result<(), String> {
    let start = kubectl.io.now();
    let deadline = (options.timeout > 0).then(|| start + options.timeout);
    let mut going: Vec<(PodId, Going)> =
        pods.iter().map(|pod| (*pod, Going::Evict { at: start })).collect();
    let mut errors = Vec::new();
    loop {
        let now = kubectl.io.now();
        let late = deadline.is_some_and(|deadline| now >= deadline);
        for (id, state) in &mut going {
            let Going::Evict { at } = *state else { continue };
            if at > now {
                continue;
            }
            let (namespace, name) = named(kube, *id, kubectl);
            if options.disable_eviction {
                *state = Going::Wait;
                match kubectl.ask(KubeRequest::DeletePod(*id)).await {
                    Ok(_) | Err((Refusal::NotFound, _)) => {}
                    Err((_, words)) => return Err(words),
                }
                continue;
            }
            kubectl.io.out(format!("evicting pod {namespace}/{name}\n"));
            if late {
                *state = Going::Gone;
                errors.push(format!(
                    "error when evicting pods/{name:?} -n {namespace:?}: global timeout reached: {}",
                    go_duration(options.timeout)
                ));
                continue;
            }
            match kubectl.ask(KubeRequest::Evict { pod: *id, dry_run: false }).await {
                Ok(_) => *state = Going::Wait,
                Err((Refusal::NotFound, _)) => *state = Going::Gone,
                Err((Refusal::Budget(_), _)) => {
                    kubectl.io.err(format!(
                        "error when evicting pods/{name:?} -n {namespace:?} (will retry after 5s): {BUDGET}\n"
                    ));
                    *state = Going::Evict { at: kubectl.io.now() + 5_000 };
                }
                Err((_, words)) => {
                    *state = Going::Gone;
                    errors.push(format!(
                        "error when evicting pods/{name:?} -n {namespace:?}: {words}"
                    ));
                }
            }
        }
        if going.iter().any(|(_, state)| *state == Going::Wait) {
            let live = kubectl.view(KubeKind::Pods).await?.kube;
            for (id, state) in &mut going {
                if *state != Going::Wait {
                    continue;
                }
                let (namespace, name) = named(kube, *id, kubectl);
                let verb = if options.disable_eviction { "deleted" } else { "evicted" };
                if !live.pods.contains_key(id) {
                    *state = Going::Gone;
                    kubectl.io.out(format!("pod/{name} {verb}\n"));
                } else if late {
                    *state = Going::Gone;
                    errors.push(format!(
                        "error when waiting for pod {name:?} in namespace {namespace:?} to terminate: \
                         context deadline exceeded"
                    ));
                }
            }
        }
        if going.iter().all(|(_, state)| *state == Going::Gone) {
            return if errors.is_empty() { Ok(()) } else { Err(aggregate(&errors)) };
        }
        kubectl.io.sleep(1_000).await;
    }
}

pub(super) fn delete(start: &mut Start<'_>) -> Result<Process, ToolOutput> {
    let (kind, rest) = match start.words.split_first() {
        Some((kind, rest)) => (kind.clone(), rest.to_vec()),
        None => return Err(failed("error: You must provide one or more resources\n")),
    };
    let names = match kind.split_once('/') {
        Some(("node" | "nodes" | "no", name)) => vec![name.to_owned()],
        None if matches!(kind.as_str(), "node" | "nodes" | "no") && !rest.is_empty() => rest,
        _ => return Err(not_modelled(&format!("kubectl delete {kind}"))),
    };
    let quiet = start.flags.bool("ignore-not-found", false);
    let nodes: Vec<Name> = names.iter().map(|name| start.name(name)).collect();
    let kubectl = start.target()?;
    Ok(Start::run(kubectl, async move |kubectl: Kubectl| {
        let mut code = 0;
        for node in nodes {
            let name = kubectl.io.name(node);
            match kubectl.ask(KubeRequest::DeleteNode(node)).await {
                Ok(_) => kubectl.io.out(format!("node {name:?} deleted\n")),
                Err((Refusal::NotFound, _)) if quiet => {}
                Err((Refusal::NotFound, _)) => {
                    kubectl
                        .io
                        .err(format!("Error from server (NotFound): nodes {name:?} not found\n"));
                    code = 1;
                }
                Err((_, words)) => return kubectl.fail(&words),
            }
        }
        Exit::Code(code)
    }))
}
