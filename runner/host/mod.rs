//! Carries calls out: from a permitted call to a typed reply, over tools and the Kubernetes API. Judges nothing.
//!
//! `perform` does, `predict` foresees, `witness` reads what tells later whether something happened, `evidence` reads what guards ask for.

#[cfg(test)]
mod bench;
mod content;
mod data;
pub mod evidence;
mod fs;
mod git;
pub mod identity;
mod known;
mod kube;
mod kustomize;
mod manifests;
mod predict;
mod private;
pub mod recorder;
mod sh;
pub mod simulated;
pub mod sops;
mod talos;
mod template;
#[cfg(test)]
mod tests;
mod tool;
mod wait;
pub mod witness;
mod yaml;

use ops_core::call::Common;
use ops_core::call::table::Call;
use ops_core::error::{CallError, ErrorKind};
use ops_core::inventory::{Cluster, LockFile, Node};
use ops_core::value::Value;

use crate::sys::blobs::Blobs;
use crate::sys::files::Files;
use crate::sys::secrets::Secrets;
use crate::sys::world::{Local, Watcher, World};

pub use fs::glob::{Found, find as find_files, find_among, find_for_process};
pub use predict::{Prediction, predict};
pub use tool::Memo;
pub(crate) use tool::unfinished;

/// Everything that calls are carried out with. Made per call by the engine; all of it is borrowed.
#[derive(Clone, Copy)]
pub struct HostCx<'a> {
    /// Tools, the Kubernetes API, time.
    pub world: &'a dyn World,
    /// Files of the repository; in a plan an overlay.
    pub files: &'a dyn Files,
    /// Content that calls hand on.
    pub blobs: &'a dyn Blobs,
    /// Secrets by reference.
    pub secrets: &'a dyn Secrets,
    /// The cluster of the call; none for recipes without one.
    pub cluster: Option<&'a Cluster>,
    /// Its pins, where it has been adopted.
    pub lock: Option<&'a LockFile>,
    /// Absolute path of the repository.
    pub root: &'a str,
    /// Watches the process that carries out the call; not those that only read on the way.
    pub watcher: &'a dyn Watcher,
    /// A wait says why it goes on: reason, milliseconds waited, limit in milliseconds.
    pub waits: &'a dyn Fn(&str, u64, u64),
    /// What stays true for a whole run.
    pub memo: &'a Memo,
}

impl<'a> HostCx<'a> {
    /// The cluster.
    ///
    /// # Errors
    /// For recipes that declare `cluster = false`.
    pub fn cluster(&self) -> Result<&'a Cluster, CallError> {
        self.cluster.ok_or_else(|| {
            CallError::new(ErrorKind::Invalid, "this recipe has no cluster").before_effect()
        })
    }

    /// A node of the inventory.
    ///
    /// # Errors
    /// Where the inventory has no node of this name.
    pub fn node(&self, name: &str) -> Result<&'a Node, CallError> {
        let cluster = self.cluster()?;
        cluster.node(name).ok_or_else(|| {
            let message = format!("cluster {} has no node `{name}`", cluster.name);
            let known = cluster.nodes.iter().map(|n| n.name.as_str());
            let error = CallError::new(ErrorKind::Invalid, message).before_effect();
            match ops_core::error::nearest(name, known) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error,
            }
        })
    }
}

/// Carries a call out to its reply. Converging calls compare first; a mutation ends when its effect has been read back.
pub fn perform<'a>(
    call: &'a Call,
    common: &'a Common,
    cx: &'a HostCx<'a>,
) -> Local<'a, Result<Value, CallError>> {
    Box::pin(async move {
        let done = match named_files(call, cx) {
            Ok(()) => carry_out(call, common, cx).await,
            Err(error) => Err(error),
        };
        done.map_err(|error| located(error, call))
    })
}

/// The files that a Talos call names lie in the repository, like those of `fs`: neither the user's own kubeconfig nor anything else outside
/// is read or written.
///
/// # Errors
/// The path that leads out.
fn named_files(call: &Call, cx: &HostCx<'_>) -> Result<(), CallError> {
    let path = match call {
        Call::TalosGenSecrets(c) => Some(&c.output),
        Call::TalosClientConfig(c) => Some(&c.path),
        Call::TalosKubeconfig(c) => Some(&c.path),
        Call::TalosEtcdSnapshot(c) => Some(&c.path),
        Call::TalosBootstrap(c) => c.recover_from.as_ref(),
        _ => None,
    };
    path.map_or(Ok(()), |path| cx.inside(path).map(drop))
}

/// Says of a failure which call it was, and of which node.
fn located(mut error: CallError, call: &Call) -> CallError {
    if error.call.is_empty() {
        call.info().name.clone_into(&mut error.call);
    }
    if error.node.is_none() {
        error.node = call.spec().node().map(str::to_owned);
    }
    error
}

fn carry_out<'a>(
    call: &'a Call,
    common: &'a Common,
    cx: &'a HostCx<'a>,
) -> Local<'a, Result<Value, CallError>> {
    match call {
        Call::TalosVersion(c) => Box::pin(talos::read::version(c, common, cx)),
        Call::TalosGet(c) => Box::pin(talos::read::get(c, common, cx)),
        Call::TalosStage(c) => Box::pin(talos::read::stage(c, cx)),
        Call::TalosHealth(c) => Box::pin(talos::read::health(c, common, cx)),
        Call::TalosValidate(c) => Box::pin(talos::config::validate(c, common, cx)),
        Call::TalosRender(c) => Box::pin(talos::render::render(c, cx)),
        Call::TalosMachineconfigPatch(c) => Box::pin(talos::render::apply(c, cx)),
        Call::TalosMachineconfigDiff(c) => Box::pin(talos::machineconfig::diff(c, cx)),
        Call::TalosGenSecrets(c) => Box::pin(talos::access::gen_secrets(c, cx)),
        Call::TalosClientConfig(c) => Box::pin(talos::access::client_config(c, cx)),
        Call::TalosKubeconfig(c) => Box::pin(talos::access::kubeconfig(c, common, cx)),
        Call::TalosEtcdMembers(c) => Box::pin(talos::etcd::members(c, cx)),
        Call::TalosEtcdStatus(c) => Box::pin(talos::etcd::status(c, cx)),
        Call::TalosEtcdSnapshot(c) => Box::pin(talos::etcd::snapshot(c, common, cx)),
        Call::TalosApplyConfig(c) => Box::pin(talos::config::apply(c, common, cx)),
        Call::TalosBootstrap(c) => Box::pin(talos::node::bootstrap(c, common, cx)),
        Call::TalosReboot(c) => Box::pin(talos::node::reboot(c, common, cx)),
        Call::TalosReset(c) => Box::pin(talos::node::reset(c, common, cx)),
        Call::KubeGet(c) => Box::pin(kube::get(c, cx)),
        Call::KubeList(c) => Box::pin(kube::list(c, cx)),
        Call::KubeCordon(c) => Box::pin(kube::cordon(&c.node, true, common, cx)),
        Call::KubeUncordon(c) => Box::pin(kube::cordon(&c.node, false, common, cx)),
        Call::KubeDrain(c) => Box::pin(kube::drain(c, common, cx)),
        Call::KubeKustomize(c) => Box::pin(kustomize::build(c, common, cx)),
        Call::KubeObjects(c) => now(manifests::objects(c, cx)),
        Call::KubeDiff(c) => now(manifests::diff(c, cx)),
        Call::WaitNode(c) => Box::pin(wait::node(c, common, cx)),
        Call::WaitEtcd(c) => Box::pin(wait::etcd(c, common, cx)),
        Call::FsRead(c) => now(fs::read(c, cx)),
        Call::FsExists(c) => now(fs::exists(c, cx)),
        Call::FsStat(c) => now(fs::stat(c, cx)),
        Call::FsGlob(c) => now(fs::glob(c, cx)),
        Call::FsWrite(c) => Box::pin(fs::write(c, cx)),
        Call::FsCopy(c) => Box::pin(fs::copy(c, cx)),
        Call::FsMove(c) => now(fs::rename(c, cx)),
        Call::FsMkdir(c) => now(fs::mkdir(c, cx)),
        Call::FsRemove(c) => Box::pin(fs::remove(c, cx)),
        Call::FsTemp(_) => now(Ok(fs::temp(cx))),
        Call::GitStatus(c) => Box::pin(git::status(c, common, cx)),
        Call::GitLog(c) => Box::pin(git::log(c, common, cx)),
        Call::GitDiff(c) => Box::pin(git::diff(c, common, cx)),
        Call::GitShow(c) => Box::pin(git::show(c, common, cx)),
        Call::GitChanged(c) => Box::pin(git::changed(c, common, cx)),
        Call::Sh(c) => Box::pin(sh::sh(c, common, cx)),
        Call::ShExec(c) => Box::pin(sh::exec(c, common, cx)),
        Call::TemplateRender(c) => now(template::render(c, cx)),
        Call::YamlRead(c) => now(data::yaml(c, cx)),
        Call::YamlEdit(c) => Box::pin(data::edit(c, cx)),
        Call::JsonRead(c) => now(data::json(&c.path, cx)),
        Call::TomlRead(c) => now(data::toml(&c.path, cx)),
        Call::SecretsEnv(c) => now(content::secret("env", &c.name, cx)),
        Call::TimeNow(_)
        | Call::SafetyEvidence(_)
        | Call::SafetyCurrent(_)
        | Call::SafetyIssue(_) => now(Err(engines_own(call))),
    }
}

/// When what a local call gave will have to be made anew, and what that is. Only a client config ends by itself.
pub fn ends(call: &Call, cx: &HostCx<'_>) -> Option<(String, ops_core::time::Time)> {
    match call {
        Call::TalosClientConfig(c) => Some((c.path.clone(), talos::access::renewal(c, cx)?)),
        _ => None,
    }
}

/// An answer that needs no waiting.
fn now<'a>(reply: Result<Value, CallError>) -> Local<'a, Result<Value, CallError>> {
    Box::pin(std::future::ready(reply))
}

/// The engine answers these itself: evidence, grants and the clock are its own.
fn engines_own(call: &Call) -> CallError {
    let message =
        format!("`{}` reached the host, but it is the engine's to answer", call.info().name);
    CallError::new(ErrorKind::Failed, message).before_effect()
}
