//! The model of talosctl 1.13: verbs and flags, where a call goes, and how errors are shown.
//! Each verb's own steps are in the files beside it. Unknown verbs and flags are not modelled.

mod change;
mod cluster;
mod etcd;
mod get;
mod local;
mod resources;
mod storage;
mod track;

use super::flags::{Flag, FlagError, Parsed, Takes};
use super::text::{Around, Sent, multierror, rpc};
use super::{Exit, Io, Process, ReadFiles, ToolCall, ToolOutput, failed, not_modelled};
use crate::config::client::Talosconfig;
use crate::lab::Lab;
use crate::reply::{Outcome, Reply};
use crate::request::{Auth, Refusal, Request, Route};
use crate::spec::LabSpec;
use crate::trace::fingerprint;
use crate::world::NodeId;
use std::sync::Arc;

const GLOBAL: [Flag; 6] = [
    ("nodes", 'n', Takes::List),
    ("endpoints", 'e', Takes::List),
    ("talosconfig", ' ', Takes::One),
    ("context", ' ', Takes::One),
    ("cluster", 'c', Takes::One),
    ("siderov1-keys-dir", ' ', Takes::One),
];

/// The flags of a verb; none for a verb that has no model.
fn flags(verb: &str, sub: Option<&str>) -> Option<Vec<Flag>> {
    use Takes::{Bool, List, One};
    let track: [Flag; 3] = [("debug", ' ', Bool), ("wait", ' ', Bool), ("timeout", ' ', One)];
    let mut out = GLOBAL.to_vec();
    match verb {
        "version" => {
            out.extend([("client", ' ', Bool), ("insecure", 'i', Bool), ("short", ' ', Bool)]);
        }
        "get" => {
            out.extend([("insecure", 'i', Bool), ("namespace", ' ', One), ("output", 'o', One)]);
        }
        "apply-config" => out.extend([
            ("cert-fingerprint", ' ', List),
            ("dry-run", ' ', Bool),
            ("file", 'f', One),
            ("insecure", 'i', Bool),
            ("mode", 'm', One),
            ("timeout", ' ', One),
        ]),
        "bootstrap" => {
            out.extend([("recover-from", ' ', One), ("recover-skip-hash-check", ' ', Bool)]);
        }
        "reset" => {
            out.extend(track);
            out.extend([
                ("graceful", ' ', Bool),
                ("insecure", ' ', Bool),
                ("reboot", ' ', Bool),
                ("system-labels-to-wipe", ' ', List),
                ("user-disks-to-wipe", ' ', List),
                ("wipe-mode", ' ', One),
            ]);
        }
        "reboot" => {
            out.extend(track);
            out.extend([("mode", 'm', One), ("progress", ' ', One)]);
        }
        "shutdown" => {
            out.extend(track);
            out.push(("force", ' ', Bool));
        }
        "kubeconfig" => out.extend([
            ("force", 'f', Bool),
            ("force-context-name", ' ', One),
            ("merge", 'm', Bool),
        ]),
        "health" => out.extend([
            ("control-plane-nodes", ' ', List),
            ("worker-nodes", ' ', List),
            ("init-node", ' ', One),
            ("k8s-endpoint", ' ', One),
            ("server", ' ', Bool),
            ("wait-timeout", ' ', One),
        ]),
        "read" | "service" => {}
        "etcd" => match sub? {
            "members" | "status" | "snapshot" | "remove-member" | "leave"
            | "forfeit-leadership" | "alarm" => {}
            _ => return None,
        },
        "validate" => {
            out = vec![("config", 'c', One), ("mode", 'm', One), ("strict", ' ', Bool)];
        }
        "config" if sub? == "info" => out.push(("output", 'o', One)),
        "gen" => {
            out = match sub? {
                "secrets" => vec![
                    ("output-file", 'o', One),
                    ("talos-version", ' ', One),
                    ("force", 'f', Bool),
                ],
                "config" => vec![
                    ("with-secrets", ' ', One),
                    ("output", 'o', One),
                    ("output-types", 't', List),
                    ("force", 'f', Bool),
                    ("kubernetes-version", ' ', One),
                    ("talos-version", ' ', One),
                    ("install-disk", ' ', One),
                    ("install-image", ' ', One),
                    ("with-docs", ' ', Bool),
                    ("with-examples", ' ', Bool),
                    ("with-cluster-discovery", ' ', Bool),
                    ("persist", 'p', Bool),
                    ("dns-domain", ' ', One),
                    ("additional-sans", ' ', List),
                ],
                _ => return None,
            }
        }
        _ => return None,
    }
    Some(out)
}

fn canonical(verb: &str) -> &str {
    match verb {
        "apply" => "apply-config",
        "g" => "get",
        "services" => "service",
        "cat" => "read",
        other => other,
    }
}

/// The first words of a command line, whatever flags stand before them.
fn verbs(args: &[String]) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if let Some(name) = arg.strip_prefix("--") {
            let global = GLOBAL.iter().any(|flag| flag.0 == name);
            if global && words.is_empty() {
                rest.next();
            }
        } else if let Some(letters) = arg.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            let global = GLOBAL.iter().any(|flag| letters.starts_with(flag.1));
            if letters.len() == 1 && global && words.is_empty() {
                rest.next();
            }
        } else {
            words.push(arg.as_str());
        }
    }
    words
}

/// A node as it was named, and the machine behind it.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) label: String,
    pub(crate) node: Option<NodeId>,
}

impl Named {
    fn of(lab: &Lab, label: &str) -> Self {
        let node = lab.node_at(label).or_else(|| lab.node_named(label));
        Self { label: label.to_owned(), node }
    }

    /// The address with its port, as a dialler names it.
    fn dialled(&self) -> String {
        if self.label.contains(':') { self.label.clone() } else { format!("{}:50000", self.label) }
    }
}

/// One run of talosctl.
#[derive(Clone, Debug)]
pub(crate) struct Ctl {
    pub(crate) io: Io,
    pub(crate) spec: Arc<LabSpec>,
    auth: Auth,
    endpoints: Vec<Named>,
    pub(crate) nodes: Vec<Named>,
    /// The config that this run sends, for the words of refusals.
    sent: Option<Sent>,
}

/// A failed request, with its words.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub(crate) refusal: Refusal,
    pub(crate) text: String,
    /// Whether the endpoint itself failed, so that no node is to blame.
    whole: bool,
}

impl Trouble {
    /// Whether the client's own retries go on after it.
    pub(crate) fn unavailable(&self) -> bool {
        self.text.contains("code = Unavailable")
    }
}

impl Ctl {
    fn around<'a>(&'a self, dialled: &'a str) -> Around<'a> {
        Around { io: &self.io, dialled, sent: self.sent.as_ref() }
    }

    fn route(&self, endpoint: &Named, node: &Named) -> Route {
        Route::Talos { endpoint: endpoint.node, target: node.node, auth: self.auth }
    }

    fn insecure(&self) -> bool {
        self.auth == Auth::Insecure
    }

    /// Asks one node, through the first endpoint that answers.
    pub(crate) async fn ask(&self, node: &Named, request: Request) -> Result<Reply, Trouble> {
        if !self.insecure() && node.label.contains(':') {
            // Only endpoints carry ports: a node is what the endpoint's apid dials.
            let text = format!("rpc error: code = Internal desc = invalid target {:?}", node.label);
            return Err(Trouble { refusal: Refusal::NoRoute, text, whole: true });
        }
        let own = [node.clone()];
        let endpoints: &[Named] = if self.insecure() { &own } else { &self.endpoints };
        let mut last = None;
        for endpoint in endpoints {
            let outcome = self.io.call(self.route(endpoint, node), request.clone()).await;
            match self.judge(endpoint, node, outcome) {
                Err(trouble) if trouble.whole && undialled(trouble.refusal) => last = Some(trouble),
                other => return other,
            }
        }
        Err(last.unwrap_or(Trouble {
            refusal: Refusal::NoRoute,
            text: "failed to determine endpoints".into(),
            whole: true,
        }))
    }

    fn judge(&self, endpoint: &Named, node: &Named, outcome: Outcome) -> Result<Reply, Trouble> {
        outcome.map_err(|refusal| {
            let at_endpoint = match refusal {
                Refusal::DialTimeout(at) | Refusal::ConnRefused(at) => endpoint.node == Some(at),
                Refusal::NoRoute => endpoint.node.is_none(),
                Refusal::UnknownAuthority { .. } | Refusal::CertRequired => {
                    endpoint.node == node.node
                }
                _ => false,
            };
            let dialled = if at_endpoint { endpoint.dialled() } else { node.dialled() };
            let text = rpc(refusal, &self.around(&dialled));
            Trouble { refusal, text, whole: at_endpoint || self.insecure() }
        })
    }

    /// Asks every node at once, as one call with a list of nodes does: answers, and the error that
    /// the client makes of the rest.
    pub(crate) async fn fan_out(&self, request: Request) -> (Vec<(String, Reply)>, Option<String>) {
        let (mut replies, mut errors) = (Vec::new(), Vec::new());
        for (node, result) in self.nodes.iter().zip(self.ask_all(request).await) {
            match result {
                Ok(reply) => replies.push((node.label.clone(), reply)),
                Err(trouble) if trouble.whole => return (replies, Some(trouble.text)),
                Err(trouble) => errors.push(format!("{}: {}", node.label, trouble.text)),
            }
        }
        let error = (!errors.is_empty()).then(|| multierror(&errors));
        (replies, error)
    }

    /// Every node's answer, through the first endpoint that can be dialled.
    async fn ask_all(&self, request: Request) -> Vec<Result<Reply, Trouble>> {
        // Without certificates the nodes themselves are the endpoints, and any one answers.
        if self.nodes.len() == 1 || self.insecure() {
            return vec![self.ask(&self.nodes[0], request).await];
        }
        let mut results = Vec::new();
        for endpoint in &self.endpoints {
            let sent: Vec<_> = self
                .nodes
                .iter()
                .map(|node| self.io.send(self.route(endpoint, node), request.clone()))
                .collect();
            results.clear();
            for (node, waiting) in self.nodes.iter().zip(sent) {
                results.push(self.judge(endpoint, node, waiting.await));
            }
            let failed = |result: &Result<Reply, Trouble>| matches!(result, Err(trouble) if trouble.whole && undialled(trouble.refusal));
            if !results.iter().all(failed) {
                break;
            }
        }
        results
    }

    /// One node's answer, with the error as a call with a list of nodes shows it.
    pub(crate) async fn single(&self, request: Request) -> Result<Reply, String> {
        let (mut replies, error) = self.fan_out(request).await;
        match (replies.pop(), error) {
            (Some((_, reply)), _) => Ok(reply),
            (None, error) => Err(error.unwrap_or_default()),
        }
    }

    /// Prints an error as the tool's last line and ends with 1.
    pub(crate) fn fail(&self, text: impl AsRef<str>) -> Exit {
        self.io.err(format!("{}\n", text.as_ref()));
        Exit::Code(1)
    }

    /// Whether `verb` is asked of several nodes though it takes one.
    pub(crate) fn several(&self, verb: &str) -> Option<Exit> {
        (self.nodes.len() > 1)
            .then(|| self.fail(format!("command {verb:?} is not supported with multiple nodes")))
    }
}

fn undialled(refusal: Refusal) -> bool {
    matches!(refusal, Refusal::DialTimeout(_) | Refusal::ConnRefused(_) | Refusal::NoRoute)
}

/// What every verb is started with.
pub(crate) struct Start<'a> {
    pub(crate) lab: &'a mut Lab,
    pub(crate) call: &'a ToolCall,
    pub(crate) files: &'a dyn ReadFiles,
    pub(crate) flags: Parsed,
    /// Words after the verb.
    pub(crate) words: Vec<String>,
}

impl Start<'_> {
    fn env(&self, name: &str) -> Option<&str> {
        self.call.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Reads the talosconfig and settles where the call goes.
    pub(crate) fn target(&self, insecure: bool) -> Result<Ctl, ToolOutput> {
        let named = |labels: &[String]| -> Vec<Named> {
            labels.iter().map(|label| Named::of(self.lab, label)).collect()
        };
        let ctl = |auth, endpoints, nodes| Ctl {
            io: Io::default(),
            spec: Arc::new(self.lab.spec.clone()),
            auth,
            endpoints,
            nodes,
            sent: None,
        };
        if insecure {
            let nodes = named(self.flags.list("nodes"));
            if nodes.is_empty() {
                return Err(failed("insufficient endpoints: please use `--nodes` flag\n"));
            }
            return Ok(ctl(Auth::Insecure, nodes.clone(), nodes));
        }
        let path = self
            .flags
            .one("talosconfig")
            .filter(|path| !path.is_empty())
            .map(str::to_owned)
            .or_else(|| self.env("TALOSCONFIG").map(str::to_owned))
            .or_else(|| self.env("HOME").map(|home| format!("{home}/.talos/config")))
            .unwrap_or_default();
        let text = self.files.read(&path).unwrap_or_default();
        let config = Talosconfig::read(&String::from_utf8_lossy(&text))
            .map_err(|error| failed(&format!("failed to open config file {path:?}: {error}\n")))?;
        let name = self.flags.one("context").unwrap_or(&config.context);
        if config.contexts.is_empty() {
            return Err(failed(
                "error constructing client: failed to create client connection: failed to resolve \
                 configuration context: talos config file is empty\n",
            ));
        }
        // A context that is not there has neither credentials nor endpoints.
        let Some(context) = config.contexts.get(name) else {
            return Err(failed("error constructing client: failed to determine endpoints\n"));
        };
        let endpoints = match self.flags.list("endpoints") {
            [] => named(&context.endpoints),
            given => named(given),
        };
        if endpoints.is_empty() {
            return Err(failed("error constructing client: failed to determine endpoints\n"));
        }
        let nodes = match self.flags.list("nodes") {
            [] => named(&context.nodes),
            given => named(given),
        };
        if nodes.is_empty() {
            return Err(failed(
                "nodes are not set for the command: please use `--nodes` flag or configuration file \
                 to set the nodes to run the command against\n",
            ));
        }
        Ok(ctl(Auth::Ca(fingerprint(context.ca.as_str())), endpoints, nodes))
    }

    /// Starts the process of a verb that talks to nodes.
    pub(crate) fn run<F>(ctl: Ctl, body: impl FnOnce(Ctl) -> F) -> Process
    where
        F: Future<Output = Exit> + Send + 'static,
    {
        Process::new(move |io| body(Ctl { io, ..ctl }))
    }
}

pub(crate) fn start(
    lab: &mut Lab,
    call: &ToolCall,
    files: &dyn ReadFiles,
) -> Result<Process, ToolOutput> {
    let line = || format!("talosctl {}", verbs(&call.args).join(" "));
    let words = verbs(&call.args);
    let Some(verb) = words.first().map(|verb| canonical(verb)) else {
        return Err(not_modelled("talosctl without a command"));
    };
    let Some(flags) = flags(verb, words.get(1).copied()) else { return Err(not_modelled(&line())) };
    let flags = Parsed::read(&call.args, &flags).map_err(|error| match error {
        FlagError::Unknown(what) => not_modelled(&format!("talosctl {verb}: {what}")),
        FlagError::Bad(what) => failed(&format!("{what}\n\n")),
    })?;
    let verb = verb.to_owned();
    let words = flags.words.get(1..).unwrap_or(&[]).to_vec();
    let mut start = Start { lab, call, files, flags, words };
    match verb.as_str() {
        "version" => get::version(&start),
        "get" => get::get(&start),
        "read" => get::read(&start),
        "apply-config" => change::apply(&mut start),
        "bootstrap" => change::bootstrap(&mut start),
        "reset" => change::reset(&mut start),
        "reboot" => change::reboot(&start),
        "shutdown" => change::shutdown(&start),
        "kubeconfig" => cluster::kubeconfig(&mut start),
        "health" => cluster::health(&start),
        "service" => cluster::service(&start),
        "etcd" => etcd::start(&start),
        "validate" => local::validate(&start),
        "gen" => local::generate(&mut start),
        "config" => local::config(&start),
        _ => Err(not_modelled(&line())),
    }
}
