//! The model of kubectl 1.36: `version`, `get`, `cordon`, `uncordon`, `drain`, `delete node`.
//! The target is always explicit here: a call with neither `--kubeconfig` nor KUBECONFIG is not modelled.

mod drain;
mod get;
mod objects;

pub(crate) use get::version_of;
pub(crate) use objects::{Listed, list, pod_name};

use super::flags::{Flag, FlagError, Parsed, Takes};
use super::{Exit, Io, Process, ReadFiles, ToolCall, ToolOutput, failed, not_modelled};
use crate::config::client::kube_target;
use crate::lab::Lab;
use crate::reply::{KubeView, Reply};
use crate::request::{KubeKind, KubeRequest, Refusal, Request, Route};
use crate::spec::LabSpec;
use crate::world::{Name, NodeId};
use std::sync::Arc;

const GLOBAL: [Flag; 5] = [
    ("kubeconfig", ' ', Takes::One),
    ("context", ' ', Takes::One),
    ("namespace", 'n', Takes::One),
    ("request-timeout", ' ', Takes::One),
    ("cache-dir", ' ', Takes::One),
];

fn flags(verb: &str) -> Option<Vec<Flag>> {
    use Takes::{Bool, One};
    let mut out = GLOBAL.to_vec();
    match verb {
        "version" => out.extend([("client", ' ', Bool), ("output", 'o', One)]),
        "get" => out.extend([
            ("all-namespaces", 'A', Bool),
            ("output", 'o', One),
            ("ignore-not-found", ' ', Bool),
            ("selector", 'l', One),
            ("field-selector", ' ', One),
            ("no-headers", ' ', Bool),
        ]),
        "cordon" | "uncordon" => out.push(("dry-run", ' ', One)),
        "drain" => out.extend([
            ("force", ' ', Bool),
            ("ignore-daemonsets", ' ', Bool),
            ("delete-emptydir-data", ' ', Bool),
            ("disable-eviction", ' ', Bool),
            ("grace-period", ' ', One),
            ("timeout", ' ', One),
            ("pod-selector", ' ', One),
            ("skip-wait-for-delete-timeout", ' ', One),
            ("chunk-size", ' ', One),
            ("dry-run", ' ', One),
        ]),
        "delete" => out.extend([("wait", ' ', Bool), ("ignore-not-found", ' ', Bool)]),
        _ => return None,
    }
    Some(out)
}

/// One run of kubectl.
#[derive(Clone, Debug)]
pub(crate) struct Kubectl {
    pub(crate) io: Io,
    pub(crate) spec: Arc<LabSpec>,
    pub(crate) server: String,
    route: Route,
}

impl Kubectl {
    /// Asks the API, with the real client's words for a failure.
    pub(crate) async fn ask(&self, request: KubeRequest) -> Result<Reply, (Refusal, String)> {
        let outcome = self.io.call(self.route, Request::Kube(request)).await;
        outcome.map_err(|refusal| (refusal, self.words(refusal)))
    }

    /// Reads everything; the caller narrows it.
    pub(crate) async fn view(&self, kind: KubeKind) -> Result<KubeView, String> {
        match self.ask(KubeRequest::Read(kind)).await {
            Ok(Reply::Kube(view)) => Ok(*view),
            Ok(_) => Err("error: unexpected answer".into()),
            Err((_, text)) => Err(text),
        }
    }

    fn words(&self, refusal: Refusal) -> String {
        let host = self.server.trim_start_matches("https://");
        match refusal {
            Refusal::ConnRefused(_) => format!(
                "The connection to the server {host} was refused - did you specify the right host or port?"
            ),
            Refusal::NoRoute => {
                format!(
                    "Unable to connect to the server: dial tcp {host}: connect: no route to host"
                )
            }
            Refusal::DialTimeout(_) => {
                format!("Unable to connect to the server: dial tcp {host}: i/o timeout")
            }
            Refusal::Deadline | Refusal::ConnLost => {
                "Unable to connect to the server: context deadline exceeded".into()
            }
            Refusal::UnknownAuthority { .. } => {
                "Unable to connect to the server: tls: failed to verify certificate: x509: \
                 certificate signed by unknown authority"
                    .into()
            }
            Refusal::ApiNoEtcd => "Error from server: etcdserver: request timed out".into(),
            Refusal::NotFound => "Error from server (NotFound): not found".into(),
            _ => "Error from server (InternalError): an error on the server".into(),
        }
    }

    pub(crate) fn fail(&self, text: &str) -> Exit {
        self.io.err(format!("{text}\n"));
        Exit::Code(1)
    }
}

/// What every verb is started with.
pub(crate) struct Start<'a> {
    pub(crate) lab: &'a mut Lab,
    pub(crate) flags: Parsed,
    pub(crate) words: Vec<String>,
    kubeconfig: Option<String>,
    /// KUBECONFIG is set.
    from_env: bool,
}

/// The route to a server URL: a machine's own address, or the cluster's endpoint.
pub(crate) fn route(lab: &Lab, server: &str, ca: u64) -> Route {
    let host = server.trim_start_matches("https://");
    let node: Option<NodeId> = lab.node_at(host.split('/').next().unwrap_or(host));
    Route::Kube { server: node, ca }
}

impl Start<'_> {
    /// Resolves the kubeconfig's context.
    pub(crate) fn target(&self) -> Result<Kubectl, ToolOutput> {
        let Some(text) = &self.kubeconfig else {
            return Err(match (self.flags.one("kubeconfig"), self.from_env) {
                (Some(path), _) => {
                    failed(&format!("error: stat {path}: no such file or directory\n"))
                }
                // A variable that leads nowhere is no config at all, and its default server is this machine.
                (None, true) => failed(
                    "The connection to the server localhost:8080 was refused - did you specify the right host or port?\n",
                ),
                (None, false) => not_modelled("kubectl without --kubeconfig"),
            });
        };
        let target = kube_target(text, self.flags.one("context"))
            .map_err(|error| failed(&format!("Error in configuration: {error}\n")))?;
        Ok(Kubectl {
            io: Io::default(),
            spec: Arc::new(self.lab.spec.clone()),
            route: route(self.lab, &target.server, target.ca),
            server: target.server,
        })
    }

    /// The interned form of a node's name.
    pub(crate) fn name(&mut self, name: &str) -> Name {
        let name = name.trim_start_matches("node/").trim_start_matches("nodes/");
        self.lab.world.intern(name)
    }

    pub(crate) fn run<F>(kubectl: Kubectl, body: impl FnOnce(Kubectl) -> F) -> Process
    where
        F: Future<Output = Exit> + Send + 'static,
    {
        Process::new(move |io| body(Kubectl { io, ..kubectl }))
    }
}

pub(crate) fn start(
    lab: &mut Lab,
    call: &ToolCall,
    files: &dyn ReadFiles,
) -> Result<Process, ToolOutput> {
    let verb = first_word(&call.args).ok_or_else(|| not_modelled("kubectl without a command"))?;
    let flags = flags(&verb).ok_or_else(|| not_modelled(&format!("kubectl {verb}")))?;
    let flags = Parsed::read(&call.args, &flags).map_err(|error| match error {
        FlagError::Unknown(what) => not_modelled(&format!("kubectl {verb}: {what}")),
        FlagError::Bad(what) => {
            failed(&format!("error: {what}\nSee 'kubectl {verb} --help' for usage.\n"))
        }
    })?;
    let words = flags.words.get(1..).unwrap_or(&[]).to_vec();
    let set = call.env.iter().find(|(name, _)| name == "KUBECONFIG");
    let kubeconfig = flags
        .one("kubeconfig")
        .or(set.map(|(_, path)| path.as_str()))
        .and_then(|path| files.read(path))
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let from_env = set.is_some();
    let mut start = Start { lab, flags, words, kubeconfig, from_env };
    match verb.as_str() {
        "version" => get::version(&start),
        "get" => get::get(&start),
        "cordon" => drain::cordon(&mut start, true),
        "uncordon" => drain::cordon(&mut start, false),
        "drain" => drain::drain(&mut start),
        "delete" => drain::delete(&mut start),
        other => Err(not_modelled(&format!("kubectl {other}"))),
    }
}

fn first_word(args: &[String]) -> Option<String> {
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if let Some(name) = arg.strip_prefix("--") {
            if GLOBAL.iter().any(|flag| flag.0 == name) {
                rest.next();
            }
        } else if arg == "-n" {
            rest.next();
        } else if !arg.starts_with('-') {
            return Some(arg.clone());
        }
    }
    None
}
